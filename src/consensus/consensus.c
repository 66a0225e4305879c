#include "consensus/consensus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "consensus/batch.h"
#include "consensus/internal.h"

/*
 * The owner of everything in this module: opens and closes the log, follows libraft's role, and
 * decides in one place (the check handle) what happens next.
 *
 * libraft calls us from deep inside its own functions. What such a callback cannot do there (close
 * libraft, propose, tell the engine that all is over) it leaves for the check handle, which runs at
 * the end of the same turn of the loop.
 *
 * Invariants:
 *   C1  Callbacks come from the loop, but for restore and apply of what is on disk, which come
 *       from es_consensus_open.
 *   C2  `leader` is true only when all that was committed before is applied. The only voter knows
 *       that when libraft has started; any other new leader proposes an empty batch and waits
 *       until that is applied.
 *   C3  A fault is final for the node; nothing is handed to libraft after one: no entry, and no
 *       checkpoint. After ES_ENOSPC there is a new node, later; until then reads go on. After any
 *       other nothing is read or accepted any more, from the fault on and not only from the end of
 *       its turn: what failed may be an apply, and the state behind what is committed.
 */

void es_consensus_fault(struct es_consensus *c, int status, const char *format, ...)
{
	va_list args;

	ES_ASSERT(status < 0);
	if (c->fault < 0)
		return;
	c->fault = status;
	va_start(args, format);
	vsnprintf(c->fault_text, sizeof(c->fault_text), format, args);
	va_end(args);
	es_consensus_wake(c);
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* its being active keeps the loop from waiting */
}

void es_consensus_wake(struct es_consensus *c)
{
	if (c->handles > 0 && !uv_is_closing((uv_handle_t *)&c->idle))
		uv_idle_start(&c->idle, on_idle);
}

/* C3 */
static bool is_stopped(const struct es_consensus *c)
{
	return c->closing || c->failed || (c->fault < 0 && c->fault != ES_ENOSPC);
}

/* ---- reads ----------------------------------------------------------------------------------- */

static void answer_reads(struct es_consensus *c, int status)
{
	struct es_queue waiters;
	struct es_queue *link;

	es_queue_init(&waiters);
	while ((link = es_queue_pop(&c->read_waiters)) != NULL)
		es_queue_push(&waiters, link);
	while ((link = es_queue_pop(&waiters)) != NULL) {
		struct es_read_waiter *waiter = ES_QUEUE_ITEM(link, struct es_read_waiter, link);
		void (*ready)(void *arg, int status) = waiter->ready;
		void *arg = waiter->arg;

		es_free(c->mem, waiter);
		ready(arg, status);
	}
}

void es_consensus_read_index(struct es_consensus *c, void (*ready)(void *arg, int status),
			     void *arg)
{
	struct es_read_waiter *waiter;

	if (is_stopped(c)) {
		ready(arg, ES_ESTOPPED);
		return;
	}
	if (c->leader) {
		/* The only voter: nobody else can have acknowledged a write, and each of ours was
		 * applied before that. */
		ready(arg, 0);
		return;
	}
	if (!c->raft_leader) {
		ready(arg, ES_ENO_LEADER);
		return;
	}
	waiter = es_calloc(c->mem, 1, sizeof(*waiter));
	if (waiter == NULL) {
		ready(arg, ES_ENOMEM);
		return;
	}
	waiter->ready = ready;
	waiter->arg = arg;
	es_queue_init(&waiter->link);
	es_queue_push(&c->read_waiters, &waiter->link);
}

/* ---- role ------------------------------------------------------------------------------------ */

static bool is_only_voter(const struct raft *raft)
{
	unsigned voters = 0;
	bool self = false;

	for (unsigned i = 0; i < raft->configuration.n; i++) {
		if (raft->configuration.servers[i].role != RAFT_VOTER)
			continue;
		voters++;
		self = self || raft->configuration.servers[i].id == raft->id;
	}
	return voters == 1 && self;
}

static void begin_to_lead(struct es_consensus *c, const struct raft *raft)
{
	c->leader = false;
	c->leads_alone = is_only_voter(raft); /* C2 */
	c->empty_batch_wanted = !c->leads_alone;
	es_consensus_wake(c);
}

static void announce_leader(struct es_consensus *c)
{
	c->leads_alone = false;
	c->leader = true;
	c->leader_id = c->member_id;
	c->callbacks.leadership(c->callbacks.ctx, true, c->member_id, c->term);
	answer_reads(c, 0);
}

static void follow_role(struct es_consensus *c)
{
	struct raft *raft = es_node_raft(c->node);
	bool leads = raft_state(raft) == RAFT_LEADER;
	bool other_term = raft->current_term != c->term;
	bool told = c->leader;
	const char *address;
	raft_id leader_id;

	if (raft_state(raft) == RAFT_UNAVAILABLE) {
		if (c->log_state == LOG_OPEN)
			es_consensus_fault(c, ES_EIO, "%s: %s", c->raft_dir, raft_errmsg(raft));
		return;
	}
	raft_leader(raft, &leader_id, &address);
	if (leads == c->raft_leader && !other_term && leader_id == c->leader_id)
		return;
	c->term = raft->current_term;
	c->leader_id = leader_id;
	if (leads && (!c->raft_leader || other_term))
		begin_to_lead(c, raft);
	c->raft_leader = leads;
	if (leads)
		return;
	c->leader = false;
	c->leads_alone = false;
	answer_reads(c, ES_ELEADER_CHANGED);
	es_proposals_drop(c, ES_ENOT_LEADER);
	if (told || leader_id != 0)
		c->callbacks.leadership(c->callbacks.ctx, false, leader_id, c->term);
}

/* Ticks come here, too. */
static void on_changed(void *ctx)
{
	struct es_consensus *c = ctx;

	follow_role(c);
	es_checkpointer_look(c);
}

/* ---- what libraft says ----------------------------------------------------------------------- */

static int on_apply(void *ctx, uint64_t index, uint64_t term, struct es_slice entry)
{
	struct es_consensus *c = ctx;
	int rc;

	if (c->fault < 0)
		return c->fault; /* C3 */
	rc = es_proposals_apply(c, index, term, entry);
	if (rc < 0)
		return rc;
	if (c->raft_leader && !c->leader && term == c->term && c->inflight != NULL &&
	    c->inflight->index == index)
		announce_leader(c);
	return 0;
}

/* check_log has loaded it. */
static int on_restore(void *ctx, struct es_slice descriptor)
{
	struct es_consensus *c = ctx;
	int rc = es_checkpoint_descriptor_check(descriptor, c->segments.snapshot_index,
						c->segments.snapshot_term);

	if (rc == 0 && c->segments.snapshot_index > c->applied_index)
		rc = ES_ECORRUPT;
	if (rc < 0)
		es_consensus_fault(c, rc, "%s: has another snapshot than %s", c->raft_dir,
				   c->segments.snapshot_file);
	return rc;
}

static int on_checkpoint(void *ctx, uint64_t index, uint64_t term)
{
	return es_checkpointer_begin(ctx, index, term);
}

static void on_checkpoint_stored(void *ctx, int raft_status)
{
	es_checkpointer_stored(ctx, raft_status);
}

static void count_fsync(struct es_consensus_stats *stats, uint64_t us)
{
	size_t bucket = 0;

	for (uint64_t bound = 1000; bucket < ES_ARRAY_LEN(stats->fsync_bucket) - 1 && us > bound;
	     bound *= 2)
		bucket++;
	stats->fsync_bucket[bucket]++;
	stats->fsync_count++;
	stats->fsync_sum_us += us;
}

static void on_appended(void *ctx, uint64_t last_index, uint64_t us, int raft_status,
			const char *text)
{
	struct es_consensus *c = ctx;
	int status = es_node_status(raft_status, text);

	if (raft_status == 0) {
		count_fsync(&c->stats, us);
		/* Before anybody hears that it is durable. That it cannot be noted takes only a
		 * check away. */
		(void)es_guard_acknowledge(c->guard, last_index);
	} else if (c->log_state == LOG_OPEN) {
		es_consensus_fault(c, status, "%s: cannot write the log: %s (libraft: %s)",
				   c->raft_dir, es_status_text(status), text);
	}
}

static int set_metadata(struct es_consensus *c, const struct es_guard_metadata *metadata)
{
	int rc = es_guard_set_metadata(c->guard, metadata);

	if (rc < 0)
		es_consensus_fault(c, rc, "%s: cannot write: %s", es_guard_path(c->guard),
				   es_status_text(rc));
	return rc;
}

static int on_term(void *ctx, uint64_t term)
{
	struct es_consensus *c = ctx;
	struct es_guard_metadata newest, before;

	es_guard_metadata(c->guard, &newest, &before);
	newest = (struct es_guard_metadata){newest.version + 1, term, 0};
	return set_metadata(c, &newest);
}

static int on_vote(void *ctx, uint64_t member_id)
{
	struct es_consensus *c = ctx;
	struct es_guard_metadata newest, before;

	es_guard_metadata(c->guard, &newest, &before);
	newest = (struct es_guard_metadata){newest.version + 1, newest.term, member_id};
	return set_metadata(c, &newest);
}

/* ---- the check handle ------------------------------------------------------------------------ */

static void consensus_free(struct es_consensus *c)
{
	es_checkpointer_close(c);
	es_guard_close(c->guard);
	es_free(c->mem, c->address);
	es_free(c->mem, c);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct es_consensus *c = handle->data;
	void (*closed)(void *ctx) = c->closed;
	void *ctx = c->closed_ctx;

	if (--c->handles > 0)
		return;
	consensus_free(c);
	if (closed != NULL)
		closed(ctx);
}

static void close_handles(struct es_consensus *c)
{
	uv_close((uv_handle_t *)&c->idle, on_handle_closed);
	uv_close((uv_handle_t *)&c->check, on_handle_closed);
	uv_close((uv_handle_t *)&c->space_timer, on_handle_closed);
}

static void on_node_closed(void *ctx)
{
	struct es_consensus *c = ctx;

	c->node = NULL;
	c->log_state = LOG_CLOSED;
	es_consensus_wake(c);
}

void es_consensus_close_log(struct es_consensus *c)
{
	ES_ASSERT(c->log_state == LOG_OPEN);
	c->log_state = LOG_CLOSING;
	es_node_close(c->node, on_node_closed, c);
}

static void go_on_closing(struct es_consensus *c)
{
	answer_reads(c, ES_ESTOPPED);
	es_proposals_drop(c, ES_ESTOPPED);
	switch (c->log_state) {
	case LOG_OPEN:
		/* What is being written ends by itself, and answers its clients; after a fault
		 * nothing does. */
		if (c->inflight != NULL && c->fault == 0)
			break;
		if (es_checkpointer_stop(c))
			es_consensus_close_log(c);
		break;
	case LOG_CLOSING: break;
	case LOG_CLOSED:
		if (c->run == NULL && !uv_is_closing((uv_handle_t *)&c->check))
			close_handles(c);
		break;
	}
}

static void act_on_fault(struct es_consensus *c)
{
	c->failed = true;
	es_log(c->log, ES_LOG_ERROR, "the log cannot go on", ES_STR("error", c->fault_text));
	answer_reads(c, ES_ESTOPPED);
	es_proposals_drop(c, c->apply_failed ? ES_ESTOPPED : c->fault);
	c->callbacks.failed(c->callbacks.ctx, c->fault, c->fault_text);
}

static void on_check(uv_check_t *check)
{
	struct es_consensus *c = check->data;

	uv_idle_stop(&c->idle);
	if (c->closing)
		go_on_closing(c);
	else if (c->failed)
		es_proposals_drop(c, ES_ESTOPPED);
	else if (c->fault == ES_ENOSPC)
		es_space_lost_log(c);
	else if (c->fault < 0)
		act_on_fault(c);
	else if (c->leads_alone)
		announce_leader(c);
	/* Any of these may have called back and changed what is to do. */
	if (!c->closing && !c->failed && c->log_state == LOG_OPEN)
		es_proposals_flush(c);
	es_checkpointer_turn(c);
}

/* ---- open and close -------------------------------------------------------------------------- */

static int bootstrap(struct es_consensus *c, const char *data_dir, char *errmsg, size_t errmsg_size)
{
	struct raft_configuration configuration;
	struct raft_buffer encoded = {NULL, 0};
	int rc;

	raft_configuration_init(&configuration);
	rc = es_node_status(
		raft_configuration_add(&configuration, c->member_id, c->address, RAFT_VOTER), "");
	if (rc == 0)
		rc = es_node_status(raft_configuration_encode(&configuration, &encoded), "");
	if (rc == 0)
		rc = es_segments_create(c->mem, c->fs, data_dir,
					es_slice(encoded.base, encoded.len), errmsg, errmsg_size);
	else
		snprintf(errmsg, errmsg_size, "%s: %s", c->raft_dir, es_status_text(rc));
	raft_free(encoded.base);
	raft_configuration_close(&configuration);
	return rc;
}

static int note_ours(void *arg, const char *name)
{
	(void)name;
	*(bool *)arg = true;
	return 0;
}

/* The folders, and in a new data folder the log. */
static int make_folders(struct es_consensus *c, const char *data_dir, char *errmsg,
			size_t errmsg_size)
{
	bool has_log = false, has_checkpoints = false;
	int rc;

	rc = c->fs->mkdir(c->fs->ctx, c->checkpoint_dir);
	if (rc == 0)
		rc = c->fs->sync_folder(c->fs->ctx, data_dir);
	if (rc < 0 && rc != ES_EEXIST) {
		snprintf(errmsg, errmsg_size, "%s: %s", c->checkpoint_dir, strerror(errno));
		return rc;
	}
	rc = c->fs->list(c->fs->ctx, c->checkpoint_dir, note_ours, &has_checkpoints);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", c->checkpoint_dir, strerror(errno));
		return rc;
	}
	rc = c->fs->list(c->fs->ctx, c->raft_dir, note_ours, &has_log);
	if (rc < 0 && rc != ES_ENOENT) {
		snprintf(errmsg, errmsg_size, "%s: %s", c->raft_dir, strerror(errno));
		return rc;
	}
	if (has_log)
		return 0;
	if (has_checkpoints || es_guard_acknowledged(c->guard) > 0) {
		snprintf(
			errmsg, errmsg_size,
			"%s: the log is missing; restore the data folder from a backup, or add the "
			"member anew",
			c->raft_dir);
		return ES_ENOENT;
	}
	return bootstrap(c, data_dir, errmsg, errmsg_size);
}

/* A member that cannot write checkpoints would only find out when its log is long. */
static int try_checkpoint_folder(struct es_consensus *c, char *errmsg, size_t errmsg_size)
{
	char path[ES_PATH_BYTES_MAX];
	int file;
	/* A name that the sweep removes, should we not come to it. */
	int rc = es_fs_join(c->checkpoint_dir, "0000000000000000.manifest.tmp", path);

	if (rc == 0)
		rc = c->fs->open(c->fs->ctx, path, ES_FS_CREATE, &file);
	if (rc == ES_ENOSPC)
		return 0; /* reads go on then, and there may be space again */
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%s: cannot write there: %s", c->checkpoint_dir,
			 rc == ES_EINVAL ? "the path is too long" : strerror(errno));
		return rc;
	}
	c->fs->close(c->fs->ctx, file);
	(void)c->fs->unlink(c->fs->ctx, path);
	return 0;
}

/*
 * Look at the log, load the checkpoint that it is based on (`state_is_new`), and repair what a
 * crash left; in this order, so that nothing is changed when something is damaged.
 */
static int check_log(struct es_consensus *c, bool state_is_new, char *errmsg, size_t errmsg_size)
{
	struct es_segments *segments = NULL;
	struct es_slice snapshot;
	int rc;

	rc = es_segments_check(c->mem, c->fs, c->raft_dir, c->guard, es_batch_index,
			       ES_CHECKPOINT_DESCRIPTOR_BYTES, &segments, &c->segments, errmsg,
			       errmsg_size);
	if (rc < 0)
		return rc;
	snapshot = es_segments_snapshot(segments);
	if (state_is_new && snapshot.len > 0)
		rc = es_checkpointer_restore(c, snapshot, errmsg, errmsg_size);
	if (rc == 0)
		rc = es_segments_repair(segments, errmsg, errmsg_size);
	es_segments_free(segments);
	if (rc == 0 && c->segments.cut_bytes > 0)
		es_log(c->log, ES_LOG_WARN, "cut an unfinished write off the end of the log",
		       ES_STR("file", c->segments.cut_file),
		       ES_UINT("offset", c->segments.cut_offset),
		       ES_UINT("bytes", c->segments.cut_bytes));
	return rc;
}

/* The log of another member would keep us a spectator for ever. */
static int check_membership(struct es_consensus *c, char *errmsg, size_t errmsg_size)
{
	const struct raft_configuration *members = &es_node_raft(c->node)->configuration;

	for (unsigned i = 0; i < members->n; i++) {
		if (members->servers[i].id == c->member_id)
			return 0;
	}
	snprintf(errmsg, errmsg_size,
		 "%s: the log does not know member %llx; is it the folder of another member?",
		 c->raft_dir, (unsigned long long)c->member_id);
	es_node_abandon(c->node);
	c->node = NULL;
	return ES_EINVAL;
}

static int open_node(struct es_consensus *c, char *errmsg, size_t errmsg_size)
{
	struct es_node_config config = {
		.mem = c->mem,
		.loop = c->loop,
		.folder = c->raft_dir,
		.member_id = c->member_id,
		.address = c->address,
		.heartbeat_ms = c->heartbeat_ms,
		.election_ms = c->election_ms,
		.callbacks = {on_apply, on_restore, on_checkpoint, on_checkpoint_stored,
			      on_appended, on_term, on_vote, on_changed, c},
	};
	int rc = es_node_open(&config, &c->node, errmsg, errmsg_size);

	if (rc == 0)
		rc = check_membership(c, errmsg, errmsg_size);
	c->log_state = rc == 0 ? LOG_OPEN : LOG_CLOSED;
	if (rc < 0 && c->fault < 0) { /* it came from us, and libraft does not know the text */
		snprintf(errmsg, errmsg_size, "%s", c->fault_text);
		rc = c->fault;
	}
	return rc;
}

int es_consensus_reopen_log(struct es_consensus *c, char *errmsg, size_t errmsg_size)
{
	int rc;

	ES_ASSERT(c->log_state == LOG_CLOSED && c->inflight == NULL && c->run == NULL);
	rc = check_log(c, false, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	c->fault = 0; /* so that its entries are looked at */
	rc = open_node(c, errmsg, errmsg_size);
	if (rc == 0)
		on_changed(c);
	return rc;
}

static int copy_config(struct es_consensus *c, const struct es_consensus_config *config)
{
	int rc;

	c->mem = config->mem;
	c->env = config->env;
	c->log = config->log;
	c->fs = config->fs;
	c->loop = config->loop;
	c->callbacks = config->callbacks;
	c->cluster_id = config->cluster_id;
	c->member_id = config->member_id;
	c->heartbeat_ms = config->heartbeat_ms;
	c->election_ms = config->election_ms;
	c->checkpoint_entries = config->checkpoint_entries != 0 ? config->checkpoint_entries
								: UINT64_MAX;
	c->checkpoint_log_bytes = config->checkpoint_log_bytes != 0 ? config->checkpoint_log_bytes
								    : 64u << 20;
	c->batch_bytes_max = config->batch_bytes_max != 0 ? config->batch_bytes_max : 1u << 20;
	c->log_state = LOG_CLOSED;
	es_queue_init(&c->batches);
	es_queue_init(&c->read_waiters);
	rc = es_fs_join(config->data_dir, "raft", c->raft_dir);
	if (rc == 0)
		rc = es_fs_join(config->data_dir, "checkpoints", c->checkpoint_dir);
	if (rc < 0 || c->member_id == 0 || c->heartbeat_ms == 0 ||
	    c->heartbeat_ms >= c->election_ms)
		return ES_EINVAL;
	c->address = es_strndup(c->mem, es_slice_str(config->peer_address));
	return c->address == NULL ? ES_ENOMEM : 0;
}

int es_consensus_open(const struct es_consensus_config *config, struct es_consensus **ret_consensus,
		      char *errmsg, size_t errmsg_size)
{
	struct es_consensus *c = es_calloc(config->mem, 1, sizeof(*c));
	int rc;

	if (c == NULL) {
		snprintf(errmsg, errmsg_size, "%s", es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	rc = copy_config(c, config);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%.200s: %s", config->data_dir, es_status_text(rc));
		goto fail;
	}
	rc = es_guard_open(c->mem, c->fs, config->data_dir, &c->guard, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = make_folders(c, config->data_dir, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = try_checkpoint_folder(c, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	c->store = c->callbacks.restore_store(c->callbacks.ctx);
	rc = check_log(c, true, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = open_node(c, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	/* What an unfinished checkpoint left behind. */
	rc = es_checkpoint_sweep(
		c->mem, c->fs, c->checkpoint_dir,
		es_slice(c->descriptor, c->files != NULL ? sizeof(c->descriptor) : 0));
	if (rc < 0)
		es_log(c->log, ES_LOG_WARN, "cannot remove left-over files",
		       ES_STR("folder", c->checkpoint_dir), ES_STR("error", es_status_text(rc)));
	uv_idle_init(c->loop, &c->idle);
	uv_check_init(c->loop, &c->check);
	uv_timer_init(c->loop, &c->space_timer);
	c->idle.data = c;
	c->check.data = c;
	c->space_timer.data = c;
	c->handles = 3;
	uv_check_start(&c->check, on_check);
	c->applied_index = raft_last_applied(es_node_raft(c->node));
	on_changed(c);
	if (config->unsafe_no_fsync)
		es_log(c->log, ES_LOG_WARN,
		       "unsafe-no-fsync has no effect: the log is always written durably");
	errmsg[0] = '\0';
	*ret_consensus = c;
	return 0;
fail:
	consensus_free(c);
	return rc;
}

void es_consensus_close(struct es_consensus *c, void (*closed)(void *ctx), void *ctx)
{
	ES_ASSERT(!c->closing);
	c->closing = true;
	c->closed = closed;
	c->closed_ctx = ctx;
	es_consensus_wake(c);
}

/* ---- the rest -------------------------------------------------------------------------------- */

int es_consensus_propose(struct es_consensus *c, struct es_slice command, void *op)
{
	if (is_stopped(c))
		return ES_ESTOPPED;
	if (!c->raft_leader)
		return ES_ENOT_LEADER;
	if (c->disk_full || c->fault == ES_ENOSPC)
		return ES_ENOSPC;
	return es_proposals_add(c, command, op);
}

void es_consensus_checkpoint(struct es_consensus *c)
{
	if (!c->closing && !c->failed && !c->disk_full && c->raft_leader)
		es_checkpointer_ask(c);
}

bool es_consensus_is_leader(const struct es_consensus *c)
{
	return c->leader;
}

uint64_t es_consensus_leader_id(const struct es_consensus *c)
{
	return c->leader_id;
}

uint64_t es_consensus_term(const struct es_consensus *c)
{
	return c->term;
}

uint64_t es_consensus_commit_index(const struct es_consensus *c)
{
	uint64_t committed = c->log_state == LOG_OPEN ? es_node_raft(c->node)->commit_index : 0;

	return committed > c->applied_index ? committed : c->applied_index;
}

uint64_t es_consensus_applied_index(const struct es_consensus *c)
{
	return c->applied_index;
}

void es_consensus_get_stats(const struct es_consensus *c, struct es_consensus_stats *ret_stats)
{
	*ret_stats = c->stats;
	ret_stats->log_bytes_in_memory = c->log_bytes - c->log_bytes_kept;
}
