#include "engine/internal.h"

#include "wire/hot.h"

/*
 * The engine puts the parts together: the log hands it commands (apply.c), it owns the state that
 * they change, tells the watch hub what changed, and gives the loop's idle time to what can wait
 * (compaction, hashes).
 *
 * Invariants:
 *  1. State changes only inside es_engine_apply, and while a checkpoint is loaded at the start.
 *  2. Nothing is answered before the log says that it is durable: results leave through
 * es_engine_op.done only.
 *  3. The background handle runs exactly while there is background work.
 */
#define TICK_MS                  100
#define WATCH_QUEUE_EVENTS_MAX   1024
#define WATCH_QUEUE_BYTES_MAX    (1024 * 1024)
#define QUOTA_DEFAULT            (UINT64_C(2) * 1024 * 1024 * 1024)
#define COMPACTION_BATCH_DEFAULT 1000
/* libraft holds that much log in memory. A checkpoint writes only what is new, so often is cheap.
 */
#define CHECKPOINT_LOG_BYTES_DEFAULT (UINT64_C(32) << 20)

uint64_t es_engine_now_ms(const struct es_engine *e)
{
	return e->config.env->now_ms(e->config.env->ctx);
}

struct es_engine_header es_engine_header(const struct es_engine *e)
{
	return (struct es_engine_header){
		.cluster_id = e->config.cluster_id,
		.member_id = e->config.member_id,
		.revision = es_mvcc_revision(e->store),
		.raft_term = e->consensus != NULL ? es_consensus_term(e->consensus) : 0,
	};
}

/* ---- watch events ---------------------------------------------------------------------------- */

static struct es_wire_kv wire_kv(const struct es_mvcc_version *version)
{
	struct es_mvcc_kv kv;

	es_mvcc_version_kv(version, &kv);
	return (struct es_wire_kv){kv.key,          kv.value,   kv.create_revision,
				   kv.mod_revision, kv.version, kv.lease};
}

/*
 * The live version of the event's key before its revision. The event itself knows the one before
 * its write, which is another when one transaction wrote the key twice; then it is looked up.
 * False: there is none, it was compacted away, or there is no memory to look.
 */
static bool previous(const struct es_engine *e, const struct es_mvcc_event *event,
		     struct es_wire_kv *ret_prev)
{
	struct es_mvcc_range_res res;
	struct es_mvcc_kv kv;
	struct es_arena arena;
	bool found;

	es_mvcc_version_kv(event->version, &kv);
	*ret_prev = wire_kv(event->prev);
	if (ret_prev->mod_revision < kv.mod_revision)
		return true;
	es_arena_init(&arena, e->mem, 64);
	found = es_mvcc_range(e->store,
			      &(struct es_mvcc_range_req){.range.key = kv.key,
							  .revision = kv.mod_revision - 1},
			      &arena, &res) == 0 &&
		res.n > 0;
	if (found)
		*ret_prev = wire_kv(res.versions[0]);
	es_arena_close(&arena);
	return found;
}

static size_t event_size(void *ctx, const struct es_mvcc_event *event, bool prev_kv)
{
	struct es_engine *e = ctx;
	struct es_wire_kv kv = wire_kv(event->version);

	e->event_has_prev = prev_kv && previous(e, event, &e->event_prev);
	return es_wire_event_size(kv.version == 0, &kv, e->event_has_prev ? &e->event_prev : NULL);
}

static void event_write(void *ctx, const struct es_mvcc_event *event, bool prev_kv, uint8_t *out)
{
	const struct es_engine *e = ctx;
	struct es_wire_kv kv = wire_kv(event->version);

	(void)prev_kv;
	(void)es_wire_event_write(out, kv.version == 0, &kv,
				  e->event_has_prev ? &e->event_prev : NULL);
}

static void watcher_wake(void *ctx, struct es_watcher *watcher, void *owner)
{
	struct es_engine_watch_owner *woken = owner;

	(void)ctx;
	(void)watcher;
	woken->wake(woken);
}

/* ---- the log's callbacks --------------------------------------------------------------------- */

static void on_applied(void *ctx, uint64_t index, uint64_t term, struct es_slice batch)
{
	struct es_engine *e = ctx;
	/* The batch is hashed by itself, from an aligned start: that is where BLAKE3 is fast. */
	uint8_t link[2 * ES_BLAKE3_BYTES + 24];
	uint8_t *numbers = link + ES_BLAKE3_BYTES;

	memcpy(link, e->chain, ES_BLAKE3_BYTES);
	es_store_u64le(numbers, index);
	es_store_u64le(numbers + 8, term);
	es_store_u64le(numbers + 16, (uint64_t)es_mvcc_revision(e->store));
	es_blake3(batch, numbers + 24);
	es_blake3(es_slice(link, sizeof(link)), e->chain);
}

static void on_dropped(void *ctx, void *op, int status)
{
	struct es_engine *e = ctx;

	es_engine_op_done(e, op, status);
	/* If it was one of these, it may be tried again; if not, asking twice is harmless. */
	e->alarm_proposed = false;
	e->revoking_check = true;
}

/* Once there is a leader and the member's name and URLs are known to all, as etcd has it. */
void es_engine_tell_ready(struct es_engine *e)
{
	if (e->was_ready || !e->has_leader || !es_engine_is_published(e))
		return;
	e->was_ready = true;
	if (e->config.ready != NULL)
		e->config.ready(e->config.ctx);
}

static void on_leadership(void *ctx, bool is_leader, uint64_t leader_id, uint64_t term)
{
	struct es_engine *e = ctx;
	bool has_leader = leader_id != 0;

	(void)term;
	if (has_leader && !e->has_leader)
		e->leader_changes++;
	if (has_leader != e->has_leader && e->config.leader != NULL)
		e->config.leader(e->config.ctx, has_leader);
	e->has_leader = has_leader;
	if (is_leader && !e->is_leader) {
		es_lease_promote(e->leases, es_engine_now_ms(e), 0);
		e->is_leader = true;
		e->revoking_check = true;
		e->publish_again_ms = 0;
		es_engine_publish_attributes(e, es_engine_now_ms(e));
	} else if (!is_leader && e->is_leader) {
		es_lease_demote(e->leases);
		e->is_leader = false;
	}
	es_engine_tell_ready(e);
}

static int on_checkpoint_begin(void *ctx, struct es_checkpoint_state *ret_state,
			       const struct es_mvcc **ret_store)
{
	struct es_engine *e = ctx;
	int rc;

	e->meta.len = 0;
	rc = es_engine_meta_encode(e, &e->meta);
	if (rc < 0)
		return rc;
	ret_state->cluster_id = e->config.cluster_id;
	ret_state->revision = es_mvcc_revision(e->store);
	ret_state->compacted = es_mvcc_compacted(e->store);
	memcpy(ret_state->chain, e->chain, sizeof(e->chain));
	ret_state->meta = es_buf_slice(&e->meta);
	*ret_store = e->store;
	return 0;
}

static void on_checkpoint_end(void *ctx, int status)
{
	struct es_engine *e = ctx;

	es_buf_close(&e->meta);
	es_engine_wake_background(e); /* compaction may have waited for it */
	if (status < 0 && status != ES_ECANCELED) /* given up because the member stops */
		es_log(e->config.log, ES_LOG_ERROR, "checkpoint failed",
		       ES_STR("error", es_status_text(status)));
}

static struct es_mvcc *on_restore_store(void *ctx)
{
	struct es_engine *e = ctx;

	return e->store;
}

static int on_restored(void *ctx, const struct es_checkpoint_state *state)
{
	struct es_engine *e = ctx;

	if (state->cluster_id != e->config.cluster_id)
		return ES_ECORRUPT;
	memcpy(e->chain, state->chain, sizeof(e->chain));
	return es_engine_meta_decode(e, state->meta);
}

static void on_disk_full(void *ctx, bool full)
{
	struct es_engine *e = ctx;

	e->disk_full = full;
	if (full)
		es_log(e->config.log, ES_LOG_ERROR,
		       "no space left on the disk of the data folder; writes are refused",
		       ES_STR("data-dir", e->config.data_dir));
	else
		es_log(e->config.log, ES_LOG_INFO,
		       "there is space on the disk again; writes are accepted",
		       ES_STR("data-dir", e->config.data_dir));
}

static void on_failed(void *ctx, int status, const char *message)
{
	struct es_engine *e = ctx;

	e->failed = true;
	if (e->config.failed != NULL)
		e->config.failed(e->config.ctx, status, message);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
	struct es_engine *e = timer->data;
	uint64_t now_ms = es_engine_now_ms(e);

	es_engine_time_out_proposals(e, now_ms);
	es_engine_expire_leases(e, now_ms);
	es_engine_auto_compact(e, now_ms);
	es_engine_check_quota(e);
	es_engine_publish_attributes(e, now_ms);
}

static void on_background(uv_idle_t *idle)
{
	struct es_engine *e = idle->data;
	bool more;

	if (e->failed) {
		(void)uv_idle_stop(idle);
		return;
	}
	more = es_engine_hash_slice(e);
	/* Behind the hashes: compaction may have waited for the pin of the one that has just ended.
	 */
	more |= es_engine_compact_slice(e);
	if (!more)
		(void)uv_idle_stop(idle);
}

void es_engine_wake_background(struct es_engine *e)
{
	/* Replay at the start comes before the handles: es_engine_open wakes it afterwards. */
	if (!e->closing && e->handles_open > 0)
		(void)uv_idle_start(&e->background, on_background);
}

void es_engine_pin(struct es_engine *e, int64_t revision, struct es_mvcc_pin *pin)
{
	es_mvcc_pin(e->store, revision, pin);
}

void es_engine_unpin(struct es_engine *e, struct es_mvcc_pin *pin)
{
	es_mvcc_unpin(e->store, pin);
	es_engine_wake_background(e); /* compaction may have waited for it */
}

/* ---- life ------------------------------------------------------------------------------------ */

static const char *copy_text(struct es_arena *arena, const char *text)
{
	char *copy = es_arena_alloc(arena, strlen(text) + 1);

	if (copy != NULL)
		memcpy(copy, text, strlen(text) + 1);
	return copy;
}

static const char *const *copy_list(struct es_arena *arena, const char *const *texts)
{
	size_t count = 0;
	const char **copies;

	while (texts[count] != NULL)
		count++;
	copies = es_arena_calloc(arena, count + 1, sizeof(*copies));
	for (size_t i = 0; copies != NULL && i < count; i++) {
		copies[i] = copy_text(arena, texts[i]);
		if (copies[i] == NULL)
			return NULL;
	}
	return copies;
}

static int copy_config(struct es_engine *e, const struct es_engine_config *config)
{
	e->config = *config;
	e->config.data_dir = copy_text(&e->strings, config->data_dir);
	e->config.name = copy_text(&e->strings, config->name);
	e->config.peer_urls = copy_list(&e->strings, config->peer_urls);
	e->config.client_urls = copy_list(&e->strings, config->client_urls);
	if (e->config.data_dir == NULL || e->config.name == NULL || e->config.peer_urls == NULL ||
	    e->config.client_urls == NULL)
		return ES_ENOMEM;
	if (e->config.quota_bytes == 0)
		e->config.quota_bytes = QUOTA_DEFAULT;
	if (e->config.compaction_batch == 0)
		e->config.compaction_batch = COMPACTION_BATCH_DEFAULT;
	return 0;
}

static void engine_free(struct es_engine *e)
{
	const struct es_mem *mem = e->mem;

	es_watch_hub_free(e->hub);
	es_lease_table_free(e->leases);
	es_mvcc_free(e->store);
	es_buf_close(&e->command);
	es_buf_close(&e->resource_body);
	es_buf_close(&e->meta);
	es_arena_close(&e->scratch);
	es_arena_close(&e->member_strings);
	es_arena_close(&e->strings);
	es_free(mem, e);
}

static int make_parts(struct es_engine *e)
{
	const struct es_mem *mem = e->mem;
	struct es_watch_hub_config hub = {
		.mem = mem,
		.queue_events_max = WATCH_QUEUE_EVENTS_MAX,
		.queue_bytes_max = WATCH_QUEUE_BYTES_MAX,
		.encoded_size = event_size,
		.encode = event_write,
		.wake = watcher_wake,
		.ctx = e,
	};
	uint64_t lease_key[2];
	int rc = es_mvcc_new(mem, &e->store);

	if (rc < 0)
		return rc;
	e->config.env->random(e->config.env->ctx, lease_key, sizeof(lease_key));
	e->config.env->random(e->config.env->ctx, hub.hash_key, sizeof(hub.hash_key));
	rc = es_lease_table_new(mem, lease_key, &e->leases);
	if (rc < 0)
		return rc;
	hub.store = e->store;
	rc = es_watch_hub_new(&hub, &e->hub);
	if (rc < 0)
		return rc;
	return es_engine_set_member(e, es_slice(NULL, 0), NULL, 0, NULL, 0);
}

static int open_log(struct es_engine *e, char *errmsg, size_t errmsg_size)
{
	const struct es_consensus_config config = {
		.mem = e->mem,
		.env = e->config.env,
		.log = e->config.log,
		.loop = e->config.loop,
		.fs = e->config.fs,
		.data_dir = e->config.data_dir,
		.cluster_id = e->config.cluster_id,
		.member_id = e->config.member_id,
		.peer_address = e->config.peer_urls[0] != NULL ? e->config.peer_urls[0] : "none",
		.heartbeat_ms = e->config.heartbeat_ms,
		.election_ms = e->config.election_ms,
		.checkpoint_entries = e->config.checkpoint_entries,
		.checkpoint_log_bytes = e->config.checkpoint_log_bytes != 0
						? e->config.checkpoint_log_bytes
						: CHECKPOINT_LOG_BYTES_DEFAULT,
		.batch_bytes_max = 1024 * 1024,
		.unsafe_no_fsync = e->config.unsafe_no_fsync,
		.callbacks =
			{
				.apply = es_engine_apply,
				.applied = on_applied,
				.dropped = on_dropped,
				.leadership = on_leadership,
				.checkpoint_begin = on_checkpoint_begin,
				.checkpoint_end = on_checkpoint_end,
				.restore_store = on_restore_store,
				.restored = on_restored,
				.disk_full = on_disk_full,
				.failed = on_failed,
				.ctx = e,
			},
	};

	return es_consensus_open(&config, &e->consensus, errmsg, errmsg_size);
}

int es_engine_open(const struct es_engine_config *config, struct es_engine **ret_engine,
		   char *errmsg, size_t errmsg_size)
{
	struct es_engine *e = es_calloc(config->mem, 1, sizeof(*e));
	int rc;

	errmsg[0] = '\0';
	if (e == NULL)
		return ES_ENOMEM;
	e->mem = config->mem;
	es_arena_init(&e->strings, e->mem, 1024);
	es_arena_init(&e->scratch, e->mem, 16384);
	es_arena_init(&e->member_strings, e->mem, 1024);
	es_buf_init(&e->command, e->mem);
	es_buf_init(&e->resource_body, e->mem);
	es_buf_init(&e->meta, e->mem);
	es_queue_init(&e->proposals);
	es_queue_init(&e->compact_waiters);
	es_queue_init(&e->hash_jobs);
	rc = copy_config(e, config);
	if (rc == 0)
		rc = make_parts(e);
	if (rc == 0)
		rc = open_log(e, errmsg, errmsg_size);
	if (rc < 0) {
		engine_free(e);
		return rc;
	}
	(void)uv_timer_init(config->loop, &e->tick);
	(void)uv_idle_init(config->loop, &e->background);
	e->tick.data = e;
	e->background.data = e;
	e->handles_open = 2;
	(void)uv_timer_start(&e->tick, on_tick, TICK_MS, TICK_MS);
	es_engine_wake_background(e);
	*ret_engine = e;
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct es_engine *e = handle->data;
	void (*closed)(void *ctx) = e->closed;
	void *ctx = e->closed_ctx;

	if (--e->handles_open > 0)
		return;
	engine_free(e);
	closed(ctx);
}

static void on_log_closed(void *ctx)
{
	struct es_engine *e = ctx;
	struct es_queue *link;

	e->consensus = NULL;
	while ((link = es_queue_pop(&e->compact_waiters)) != NULL) {
		struct es_engine_op *op = ES_QUEUE_ITEM(link, struct es_engine_op, link);

		op->header = es_engine_header(e);
		op->done(op, ES_ESTOPPED);
	}
	uv_close((uv_handle_t *)&e->tick, on_handle_closed);
	uv_close((uv_handle_t *)&e->background, on_handle_closed);
}

void es_engine_close(struct es_engine *e, void (*closed)(void *ctx), void *ctx)
{
	ES_ASSERT(!e->closing);
	e->closing = true;
	e->closed = closed;
	e->closed_ctx = ctx;
	(void)uv_timer_stop(&e->tick);
	(void)uv_idle_stop(&e->background);
	es_engine_hash_cancel(e);
	es_consensus_close(e->consensus, on_log_closed, e);
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct es_engine_config *es_engine_config(const struct es_engine *e)
{
	return &e->config;
}

const struct es_mvcc *es_engine_store(const struct es_engine *e)
{
	return e->store;
}

struct es_watch_hub *es_engine_watch_hub(struct es_engine *e)
{
	return e->hub;
}

bool es_engine_has_failed(const struct es_engine *e)
{
	return e->failed;
}

struct es_consensus *es_engine_consensus(const struct es_engine *e)
{
	return e->consensus;
}

struct es_lease_table *es_engine_leases(struct es_engine *e)
{
	return e->leases;
}

void es_engine_linearize(struct es_engine *e, void (*ready)(void *arg, int status), void *arg)
{
	if (e->closing || e->failed) {
		ready(arg, ES_ESTOPPED);
		return;
	}
	es_consensus_read_index(e->consensus, ready, arg);
}

int es_engine_range(struct es_engine *e, const struct es_mvcc_range_req *req,
		    struct es_arena *arena, struct es_mvcc_range_res *ret_res)
{
	if (e->failed)
		return ES_ESTOPPED;
	e->counts.ranges++;
	return es_mvcc_range(e->store, req, arena, ret_res);
}

int es_engine_read_txn(struct es_engine *e, const struct es_mvcc_txn *txn, struct es_arena *arena,
		       const struct es_mvcc_txn_res **ret_res)
{
	const struct es_mvcc_txn_env env = {NULL, NULL};
	const struct es_mvcc_event *events;
	size_t count;
	int rc;

	ES_ASSERT(!es_mvcc_txn_may_write(txn));
	if (e->failed)
		return ES_ESTOPPED;
	rc = es_mvcc_txn_apply(e->store, txn, &env, arena, ret_res, &events, &count);
	ES_ASSERT(rc < 0 || count == 0);
	if (rc == 0)
		e->counts.ranges++;
	return rc;
}

size_t es_engine_alarms(const struct es_engine *e, const struct es_alarm **ret_alarms)
{
	*ret_alarms = e->alarms;
	return e->alarm_count;
}

void es_engine_chain(const struct es_engine *e, uint8_t ret_head[ES_BLAKE3_BYTES])
{
	memcpy(ret_head, e->chain, sizeof(e->chain));
}

size_t es_engine_members(const struct es_engine *e, const struct es_member **ret_members)
{
	*ret_members = &e->member;
	return 1;
}

void es_engine_get_stats(const struct es_engine *e, struct es_engine_stats *ret_stats)
{
	*ret_stats = e->counts;
	ret_stats->db_bytes = es_engine_bytes(e);
	ret_stats->db_bytes_in_use = es_mvcc_bytes_live(e->store) + es_lease_bytes(e->leases);
	ret_stats->quota_bytes = e->config.quota_bytes;
	ret_stats->keys = es_mvcc_keys(e->store);
	ret_stats->versions = es_mvcc_versions(e->store);
	ret_stats->revision = es_mvcc_revision(e->store);
	ret_stats->compacted = es_mvcc_compacted(e->store);
	ret_stats->has_leader = e->has_leader;
	ret_stats->is_leader = e->is_leader;
	ret_stats->disk_full = e->disk_full;
	ret_stats->leader_changes = e->leader_changes;
	ret_stats->leases = es_lease_count(e->leases);
	ret_stats->watchers = es_watch_count(e->hub);
	ret_stats->watchers_unsynced = es_watch_unsynced_count(e->hub);
}
