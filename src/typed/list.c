#include "resource/token.h"
#include "typed/internal.h"

/*
 * Lists, in slices of the loop, all read at one revision, which is pinned until the list is ended.
 *
 *   begin -> (asking: linearizable?) -> (waiting: is the revision there?) -> running -> done
 *
 * A job is in at most one queue. It outlives its list only while the engine still has to answer that
 * a read is linearizable, which cannot be taken back.
 */
enum {
	SLICE_KEYS = 2048,         /* looked at in a slice */
	SLICE_SELECTED_KEYS = 256, /* the same when each has to be read */
	TURN_KEYS = 8192,          /* of all lists */
	TURN_BYTES = 1 << 20,      /* of values that have to be read, in a slice and in a turn */
	LOOKUP_BYTES = 16,         /* what looking for a member costs, as bytes that are read */
	ITEM_BYTES = 64,           /* what an item costs beside key and value, for `bytes_max` */
};

struct es_typed_job {
	const struct es_mem *mem;
	struct es_typed *typed;
	struct es_typed_list *list; /* NULL: given up */
	struct es_queue link;
	bool asking;
	bool done;    /* was called */
	bool full;    /* the page is; what follows is only counted */
	bool counted; /* `left` is what the page before said */
	bool pinned;
	uint64_t left; /* from where this page begins */
	int64_t revision;
	uint64_t deadline_ms;
	const struct es_selector *selector; /* NULL: everything */
	struct es_mvcc_pin pin;
	struct es_mvcc_range range; /* what is left: points into the buffers below */
	struct es_buf begin, end;
	struct es_buf query; /* what a token belongs to */
	struct es_slice last_path;
	struct es_typed_item *items;
	size_t capacity;
	uint64_t bytes;
};

static const struct es_mvcc *store_of(const struct es_typed_job *job)
{
	return es_engine_store(job->typed->config.engine);
}

static void job_free(struct es_typed_job *job)
{
	es_buf_close(&job->begin);
	es_buf_close(&job->end);
	es_buf_close(&job->query);
	es_free(job->mem, job);
}

/* May free the job: nothing of it is to be used afterwards. */
static void finish(struct es_typed_job *job, int status, const char *text)
{
	struct es_typed_list *list = job->list;
	char numbers[ES_TYPED_TEXT_MAX];

	es_queue_remove(&job->link);
	job->done = true;
	if (status < 0 && text == NULL)
		text = es_typed_text(status, job->revision, es_mvcc_revision(store_of(job)),
				     numbers, sizeof(numbers));
	list->done(list, status, text);
}

void es_typed_list_end(struct es_typed_list *list)
{
	struct es_typed_job *job = list->job;

	list->job = NULL;
	if (job == NULL)
		return;
	if (job->pinned)
		es_engine_unpin(job->typed->config.engine, &job->pin);
	job->pinned = false;
	job->list = NULL;
	es_queue_remove(&job->link);
	if (!job->asking)
		job_free(job);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int add_item(struct es_typed_job *job, const struct es_typed_item *item)
{
	struct es_typed_list *list = job->list;

	if (list->count == job->capacity) {
		size_t capacity = job->capacity == 0 ? 16 : job->capacity * 2;
		struct es_typed_item *items = es_arena_alloc(list->arena,
							     capacity * sizeof(*items));

		if (items == NULL)
			return ES_ENOMEM;
		if (list->count > 0)
			memcpy(items, job->items, list->count * sizeof(*items));
		job->items = items;
		job->capacity = capacity;
	}
	job->items[list->count++] = *item;
	list->items = job->items;
	job->bytes += item->value.len + item->key.name.len + item->key.ns.len + ITEM_BYTES;
	job->full = (list->limit > 0 && (int64_t)list->count >= list->limit) ||
		    (list->bytes_max > 0 && job->bytes >= list->bytes_max);
	return 0;
}

static bool is_selected(const struct es_typed_job *job, struct es_slice value,
			struct es_arena *scratch, int *ret_rc)
{
	struct es_json object;
	struct es_json_error error;

	if (job->selector == NULL)
		return true;
	*ret_rc = es_json_parse(value, ES_JSON_DEPTH_MAX, scratch, &object, &error);
	if (*ret_rc == ES_EDECODE)
		*ret_rc = 0; /* not a resource: something was written there by its path */
	else if (*ret_rc == 0)
		return es_selector_matches(job->selector, &object);
	return false;
}

static int look_at(struct es_typed_job *job, const struct es_mvcc_version *version,
		   struct es_arena *scratch)
{
	struct es_typed_list *list = job->list;
	struct es_typed_item item = {0};
	struct es_mvcc_kv kv;
	int rc = 0;

	es_mvcc_version_kv(version, &kv);
	if (!is_selected(job, kv.value, scratch, &rc))
		return rc;
	if (job->full) {
		list->remaining++;
		return 0;
	}
	rc = es_resource_path_parse(kv.key, list->arena, &item.key);
	if (rc < 0)
		return rc == ES_EDECODE ? 0 : rc;
	if (es_resource_key_check(&item.key, NULL, 0) < 0)
		return 0; /* nobody could name it */
	item.value = kv.value;
	item.create_revision = kv.create_revision;
	item.mod_revision = kv.mod_revision;
	job->last_path = kv.key;
	return add_item(job, &item);
}

/* The keys behind `key`. */
static int move_behind(struct es_typed_job *job, struct es_slice key)
{
	int rc;

	job->begin.len = 0;
	rc = es_buf_append_slice(&job->begin, key);
	if (rc == 0)
		rc = es_buf_append_u8(&job->begin, 0);
	job->range.key = es_buf_slice(&job->begin);
	return rc;
}

/* What looking at it costs the turn. */
static uint64_t reading_cost(const struct es_typed_job *job, const struct es_mvcc_version *version)
{
	struct es_mvcc_kv kv;

	if (job->selector == NULL)
		return 0;
	es_mvcc_version_kv(version, &kv);
	return kv.value.len + es_selector_cost(job->selector) * LOOKUP_BYTES;
}

/* How much is behind a full page, where counting takes no reading. */
static int count_rest(struct es_typed_job *job, struct es_arena *arena)
{
	struct es_typed_list *list = job->list;
	struct es_mvcc_range_req req = {.revision = job->revision, .count_only = true};
	struct es_mvcc_range_res res = {0};
	int rc;

	if (job->counted) {
		list->remaining = job->left > list->count ? (int64_t)(job->left - list->count) : 0;
		return 0;
	}
	rc = move_behind(job, job->last_path);
	req.range = job->range;
	if (rc == 0)
		rc = es_engine_range(job->typed->config.engine, &req, arena, &res);
	list->remaining = res.count;
	return rc;
}

/* *ret_finished: nothing is left to be looked at. Adds to *keys and *bytes what was. */
static int slice(struct es_typed_job *job, bool *ret_finished, uint64_t *keys, uint64_t *bytes)
{
	struct es_typed_list *list = job->list;
	int64_t room = list->limit > 0 ? list->limit - (int64_t)list->count : INT64_MAX;
	struct es_mvcc_range_req req = {
		.range = job->range, .revision = job->revision, .no_count = true};
	struct es_mvcc_range_res res;
	struct es_arena found, scratch; /* the keys; one value at a time */
	struct es_mvcc_kv last;
	const bool must_look_on = job->selector != NULL && !job->counted;
	size_t looked = 0;
	int rc;

	req.limit = job->selector != NULL ? SLICE_SELECTED_KEYS : SLICE_KEYS;
	if (job->selector == NULL && room < req.limit)
		req.limit = room;
	es_arena_init(&found, job->mem, 16384);
	es_arena_init(&scratch, job->mem, 16384);
	rc = es_engine_range(job->typed->config.engine, &req, &found, &res);
	while (rc == 0 && looked < res.n) {
		if (job->full && !must_look_on)
			break;
		if (looked > 0 && *bytes >= TURN_BYTES)
			break;
		*bytes += reading_cost(job, res.versions[looked]);
		rc = look_at(job, res.versions[looked++], &scratch);
		es_arena_reset(&scratch);
	}
	*keys += looked;
	*ret_finished = false;
	if (rc == 0 && job->full && !must_look_on) {
		rc = count_rest(job, &found);
		*ret_finished = true;
	} else if (rc == 0 && looked == res.n && !res.more) {
		*ret_finished = true;
	} else if (rc == 0) {
		es_mvcc_version_kv(res.versions[looked - 1], &last);
		rc = move_behind(job, last.key);
	}
	es_arena_close(&scratch);
	es_arena_close(&found);
	return rc;
}

static int make_token(struct es_typed_job *job)
{
	const struct es_engine_config *config = es_engine_config(job->typed->config.engine);
	struct es_typed_list *list = job->list;
	const struct es_token token = {job->revision, (uint64_t)list->remaining, job->last_path};
	struct es_buf text;
	uint8_t *copy;
	int rc;

	es_buf_init(&text, job->mem);
	rc = es_token_encode(&text, &token, config->cluster_id, es_buf_slice(&job->query));
	copy = rc == 0 ? es_arena_alloc(list->arena, text.len) : NULL;
	if (copy != NULL) {
		memcpy(copy, text.data, text.len);
		list->next_token = es_slice(copy, text.len);
	}
	es_buf_close(&text);
	return copy == NULL ? ES_ENOMEM : 0;
}

/* One slice. True: there is more to do. */
static bool run(struct es_typed_job *job, uint64_t *keys, uint64_t *bytes)
{
	bool finished;
	int rc = slice(job, &finished, keys, bytes);

	if (rc == 0 && !finished)
		return true;
	if (rc == 0 && job->list->remaining > 0)
		rc = make_token(job);
	finish(job, rc, NULL);
	return false;
}

static void begin_to_run(struct es_typed_job *job)
{
	struct es_typed *t = job->typed;
	uint64_t keys = 0, bytes = 0;

	if (job->revision < es_mvcc_compacted(store_of(job))) {
		finish(job, ES_ECOMPACTED, NULL);
		return;
	}
	es_engine_pin(t->config.engine, job->revision, &job->pin);
	job->pinned = true;
	job->list->result_revision = job->revision;
	/* What has to be read waits for its turn. */
	if (job->selector != NULL || run(job, &keys, &bytes)) {
		es_queue_push(&t->running, &job->link);
		es_typed_work(t);
	}
}

/* ---- at which revision ----------------------------------------------------------------------- */

static void choose_revision(struct es_typed_job *job)
{
	int64_t current = es_mvcc_revision(store_of(job));

	if (job->revision > current) {
		job->deadline_ms = es_typed_now_ms(job->typed) + job->typed->config.wait_ms;
		es_queue_push(&job->typed->waiting, &job->link);
		es_typed_tick_wanted(job->typed);
		return;
	}
	if (job->list->continue_token.len == 0 && job->list->consistency != ES_TYPED_EXACT)
		job->revision = current;
	begin_to_run(job);
}

static void on_linearizable(void *arg, int status)
{
	struct es_typed_job *job = arg;

	job->asking = false;
	if (job->list == NULL) {
		job_free(job);
		return;
	}
	if (job->done)
		return; /* it was told that the store is closing, and has not ended the list yet */
	es_queue_remove(&job->link);
	if (status < 0)
		finish(job, status, NULL);
	else
		choose_revision(job);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static struct es_typed_job *job_new(struct es_typed *t, struct es_typed_list *list)
{
	struct es_typed_job *job = es_calloc(t->config.mem, 1, sizeof(*job));

	list->job = job;
	list->count = 0;
	list->items = NULL;
	list->remaining = 0;
	list->next_token = es_slice("", 0);
	if (job == NULL) {
		list->done(list, ES_ENOMEM, es_status_text(ES_ENOMEM));
		return NULL;
	}
	job->mem = t->config.mem;
	job->typed = t;
	job->list = list;
	es_queue_init(&job->link);
	es_buf_init(&job->begin, job->mem);
	es_buf_init(&job->end, job->mem);
	es_buf_init(&job->query, job->mem);
	return job;
}

static int set_range(struct es_typed_job *job)
{
	struct es_typed_list *list = job->list;
	int rc;

	if (list->everything)
		rc = es_buf_append_str(&job->begin, ES_RESOURCE_ROOT);
	else
		rc = es_resource_scope_prefix(&job->begin, &list->scope);
	if (rc == 0)
		rc = es_typed_prefix_range(es_buf_slice(&job->begin), &job->end, &job->range);
	if (rc == 0)
		rc = es_buf_append_slice(&job->query, job->range.key);
	if (rc == 0)
		rc = es_buf_append_u8(&job->query, 0);
	if (rc == 0)
		rc = es_buf_append_slice(&job->query, list->label_selector);
	if (rc == 0)
		rc = es_buf_append_u8(&job->query, 0);
	if (rc == 0)
		rc = es_buf_append_slice(&job->query, list->field_selector);
	return rc;
}

static int read_token(struct es_typed_job *job, const char **ret_text)
{
	const struct es_engine_config *config = es_engine_config(job->typed->config.engine);
	struct es_typed_list *list = job->list;
	struct es_token token;
	int rc = es_token_decode(list->continue_token, config->cluster_id,
				 es_buf_slice(&job->query), list->arena, &token);

	if (rc == ES_EINVAL)
		*ret_text = "invalid continue token: it was altered, or belongs to another list";
	if (rc < 0)
		return rc;
	job->revision = token.revision;
	job->counted = true;
	job->left = token.remaining;
	return move_behind(job, token.last_path);
}

/* The status of what was prepared so far decides; < 0 ends the job. */
static void go_on(struct es_typed_job *job, int rc, const char *text)
{
	struct es_typed *t = job->typed;
	struct es_typed_list *list = job->list;
	bool paged = list->continue_token.len > 0;

	if (rc == 0 && !paged && list->consistency == ES_TYPED_EXACT && list->revision <= 0) {
		rc = ES_EINVAL;
		text = "an exact read needs a resource version above 0";
	} else if (rc == 0 && !paged && list->revision < 0) {
		rc = ES_EINVAL;
		text = "a resource version is not negative";
	} else if (rc == 0 && !paged && list->consistency == ES_TYPED_LATEST && list->revision > 0) {
		rc = ES_EINVAL;
		text = "a resource version needs the consistency NOT_OLDER_THAN or EXACT";
	}
	if (rc < 0) {
		finish(job, rc, text);
		return;
	}
	if (!paged)
		job->revision = list->consistency == ES_TYPED_LATEST ? 0 : list->revision;
	if (paged || list->consistency != ES_TYPED_LATEST) {
		choose_revision(job);
		return;
	}
	job->asking = true;
	es_queue_push(&t->asking, &job->link);
	es_engine_linearize(t->config.engine, on_linearizable, job);
}

void es_typed_list_begin(struct es_typed *t, struct es_typed_list *list)
{
	struct es_typed_job *job = job_new(t, list);
	const char *text = NULL;
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	int rc;

	if (job == NULL)
		return;
	rc = set_range(job);
	if (rc == 0) {
		rc = es_selector_parse(list->label_selector, list->field_selector, list->arena,
				       &job->selector, errmsg, sizeof(errmsg));
		text = rc == ES_EINVAL ? errmsg : NULL;
	}
	if (rc == 0 && es_selector_is_everything(job->selector))
		job->selector = NULL;
	if (rc == 0 && list->continue_token.len > 0)
		rc = read_token(job, &text);
	go_on(job, rc, text);
}

void es_typed_get_begin(struct es_typed *t, struct es_typed_list *get,
			const struct es_resource_key *key)
{
	struct es_typed_job *job = job_new(t, get);
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	int rc;

	if (job == NULL)
		return;
	get->continue_token = es_slice("", 0);
	get->limit = 0;
	rc = es_resource_key_check(key, errmsg, sizeof(errmsg));
	if (rc == 0)
		rc = es_resource_path(&job->begin, key);
	job->range.key = es_buf_slice(&job->begin);
	go_on(job, rc, rc == ES_EINVAL ? errmsg : NULL);
}

/* ---- the loop -------------------------------------------------------------------------------- */

bool es_typed_lists_work(struct es_typed *t)
{
	uint64_t keys = 0, bytes = 0;

	while (!es_queue_empty(&t->running) && keys < TURN_KEYS && bytes < TURN_BYTES) {
		struct es_typed_job *job = ES_QUEUE_ITEM(es_queue_pop(&t->running),
							 struct es_typed_job, link);

		if (run(job, &keys, &bytes))
			es_queue_push(&t->running, &job->link);
		keys++; /* an empty one is work as well */
	}
	return !es_queue_empty(&t->running);
}

bool es_typed_lists_tick(struct es_typed *t, uint64_t now_ms)
{
	struct es_queue looked_at;

	es_queue_init(&looked_at);
	while (!es_queue_empty(&t->waiting)) {
		struct es_typed_job *job = ES_QUEUE_ITEM(es_queue_pop(&t->waiting),
							 struct es_typed_job, link);

		if (job->revision <= es_mvcc_revision(store_of(job)))
			choose_revision(job);
		else if (now_ms >= job->deadline_ms)
			finish(job, ES_EFUTURE_REV, NULL);
		else
			es_queue_push(&looked_at, &job->link);
	}
	while (!es_queue_empty(&looked_at))
		es_queue_push(&t->waiting, es_queue_pop(&looked_at));
	return !es_queue_empty(&t->waiting);
}

static void stop_all(struct es_queue *queue)
{
	while (!es_queue_empty(queue))
		finish(ES_QUEUE_ITEM(queue->next, struct es_typed_job, link), ES_ESTOPPED, NULL);
}

void es_typed_lists_stop(struct es_typed *t)
{
	stop_all(&t->asking);
	stop_all(&t->waiting);
	stop_all(&t->running);
}
