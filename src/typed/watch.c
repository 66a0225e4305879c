#include <stdio.h>

#include "typed/event.h"
#include "typed/internal.h"

/*
 * Watches: a watcher of the engine's hub, whose changes become events when they are fetched. What is
 * not fetched stays in the store's history.
 *
 *  1. A change that the hub handed out is kept until an event was made of it, or it was found to
 *     concern nobody: memory that is missing delays it and loses nothing.
 *  2. A selector compares an object before and after: a change whose state before was compacted away
 *     cannot be judged and ends the watch, as a start below the compacted revision does.
 *  3. A bookmark is given only when everything up to its revision was.
 */
enum {
	PENDING_MAX = 64,
	SCAN_MAX = 1024,
	LOOKUPS_MAX = 65536, /* of selectors' members, in a call */
	BATCH_BYTES = 256 * 1024,
	TURN_WAKES = 256,
};

struct es_typed_watch {
	struct es_engine_watch_owner owner;
	struct es_typed *typed;
	struct es_queue link;  /* in typed->watches */
	struct es_queue woken; /* in typed->woken */
	struct es_arena arena; /* the spec's texts */
	struct es_typed_watch_spec spec;
	const struct es_selector *selector; /* NULL: everything */
	struct es_watcher *watcher;
	int64_t revision; /* everything up to it was fetched */
	uint64_t next_bookmark_ms;
	bool bookmark_due;
	bool told; /* it was woken, and has not found nothing since */
	struct es_watch_event *pending[PENDING_MAX];
	size_t pending_at, pending_count;
	bool within;          /* a revision was fetched in part */
	bool pending_partial; /* the revision of the last one has more changes */
};

static struct es_watch_hub *hub_of(const struct es_typed_watch *watch)
{
	return es_engine_watch_hub(watch->typed->config.engine);
}

static int64_t current_of(const struct es_typed_watch *watch)
{
	return es_mvcc_revision(es_engine_store(watch->typed->config.engine));
}

static void tell(struct es_typed_watch *watch)
{
	if (watch->told)
		return;
	watch->told = true;
	es_queue_push(&watch->typed->woken, &watch->woken);
	es_typed_work(watch->typed);
}

static void on_wake(struct es_engine_watch_owner *owner)
{
	tell(ES_CONTAINER_OF(owner, struct es_typed_watch, owner));
}

/* ---- life ------------------------------------------------------------------------------------ */

static int add_watcher(struct es_typed_watch *watch)
{
	const struct es_typed_watch_spec *spec = &watch->spec;
	struct es_watch_spec of_keys = {.prev_kv = true};
	struct es_resource_key key;
	struct es_buf begin, end;
	int rc;

	es_buf_init(&begin, watch->typed->config.mem);
	es_buf_init(&end, watch->typed->config.mem);
	if (spec->name.len > 0) {
		key = (struct es_resource_key){spec->scope.group, spec->scope.version,
					       spec->scope.kind,  spec->scope.ns,
					       spec->name,        !spec->cluster_scoped};
		rc = es_resource_path(&begin, &key);
		of_keys.range.key = es_buf_slice(&begin);
	} else {
		rc = spec->everything ? es_buf_append_str(&begin, ES_RESOURCE_ROOT)
				      : es_resource_scope_prefix(&begin, &spec->scope);
		if (rc == 0)
			rc = es_typed_prefix_range(es_buf_slice(&begin), &end, &of_keys.range);
	}
	of_keys.start_revision = spec->from_revision > 0 ? spec->from_revision + 1 : 0;
	if (rc == 0)
		rc = es_watch_add(hub_of(watch), &of_keys, &watch->owner, &watch->watcher);
	es_buf_close(&begin);
	es_buf_close(&end);
	return rc;
}

static void watch_free(struct es_typed_watch *watch)
{
	es_arena_close(&watch->arena);
	es_free(watch->typed->config.mem, watch);
}

int es_typed_watch_open(struct es_typed *t, const struct es_typed_watch_spec *spec,
			struct es_typed_watch **ret_watch, char *errmsg, size_t errmsg_size)
{
	struct es_typed_watch *watch = es_calloc(t->config.mem, 1, sizeof(*watch));
	int rc;

	(void)snprintf(errmsg, errmsg_size, "%s", es_status_text(ES_ENOMEM));
	if (watch == NULL)
		return ES_ENOMEM;
	watch->typed = t;
	watch->spec = *spec;
	watch->owner.wake = on_wake;
	es_queue_init(&watch->link);
	es_queue_init(&watch->woken);
	es_arena_init(&watch->arena, t->config.mem, 512);
	watch->revision = spec->from_revision > 0 ? spec->from_revision : current_of(watch);
	if (spec->from_revision < 0 || spec->from_revision == INT64_MAX) {
		(void)snprintf(errmsg, errmsg_size, "not a resource version: %lld",
			       (long long)spec->from_revision);
		rc = ES_EINVAL;
	} else {
		rc = es_selector_parse(spec->label_selector, spec->field_selector, &watch->arena,
				       &watch->selector, errmsg, errmsg_size);
	}
	if (rc == 0 && es_selector_is_everything(watch->selector))
		watch->selector = NULL;
	if (rc == 0)
		rc = add_watcher(watch);
	if (rc < 0) {
		watch_free(watch);
		return rc;
	}
	es_queue_push(&t->watches, &watch->link);
	if (spec->bookmark_interval_ms > 0) {
		watch->bookmark_due = true;
		watch->next_bookmark_ms = es_typed_now_ms(t) + spec->bookmark_interval_ms;
		es_typed_tick_wanted(t);
	}
	if (watch->bookmark_due || watch->revision < current_of(watch))
		tell(watch); /* the hub does not wake those that start in the past */
	*ret_watch = watch;
	return 0;
}

void es_typed_watch_close(struct es_typed_watch *watch)
{
	for (size_t i = watch->pending_at; i < watch->pending_count; i++)
		es_watch_event_unref(hub_of(watch), watch->pending[i]);
	es_watch_remove(hub_of(watch), watch->watcher);
	es_queue_remove(&watch->link);
	es_queue_remove(&watch->woken);
	watch_free(watch);
}

int64_t es_typed_watch_revision(const struct es_typed_watch *watch)
{
	return watch->revision;
}

/* ---- what changes mean ----------------------------------------------------------------------- */

static int copy_value(struct es_slice value, struct es_arena *arena, struct es_slice *ret_value)
{
	uint8_t *copy = es_arena_alloc(arena, value.len);

	if (copy == NULL)
		return ES_ENOMEM;
	memcpy(copy, value.data, value.len);
	*ret_value = es_slice(copy, value.len);
	return 0;
}

/* What is no JSON, as somebody wrote it by its path, stays as it is. */
static int last_state(struct es_slice value, int64_t revision, struct es_arena *arena,
		      struct es_slice *ret_value)
{
	struct es_json object;
	struct es_json_error error;
	int rc = es_json_parse(value, ES_JSON_DEPTH_MAX, arena, &object, &error);

	if (rc == ES_EDECODE)
		return copy_value(value, arena, ret_value);
	return rc < 0 ? rc : es_resource_last_state(&object, value.len, revision, arena, ret_value);
}

static int is_selected(const struct es_typed_watch *watch, struct es_slice value,
		       bool *ret_selected)
{
	struct es_json object;
	struct es_json_error error;
	struct es_arena scratch;
	int rc = 0;

	*ret_selected = true;
	if (watch->selector == NULL)
		return 0;
	es_arena_init(&scratch, watch->typed->config.mem, 8192);
	rc = es_json_parse(value, ES_JSON_DEPTH_MAX, &scratch, &object, &error);
	*ret_selected = rc == 0 && es_selector_matches(watch->selector, &object);
	es_arena_close(&scratch);
	return rc == ES_EDECODE ? 0 : rc;
}

/* 1: an event; 0: it concerns nobody. */
static int make_event(const struct es_typed_watch *watch, const struct es_typed_change *change,
		      struct es_arena *arena, struct es_typed_event *ret_event)
{
	bool deleted = change->kv.version == 0;
	bool existed = change->has_prev || (!deleted && change->kv.version > 1);
	bool before = false, after = false;
	struct es_slice path;
	int rc = 0;

	if (existed && !change->has_prev && watch->selector != NULL)
		return ES_ECOMPACTED; /* 2 */
	if (deleted && !change->has_prev)
		return ES_ECOMPACTED;
	if (existed && change->has_prev)
		rc = is_selected(watch, change->prev.value, &before);
	else
		before = existed;
	if (rc == 0 && !deleted)
		rc = is_selected(watch, change->kv.value, &after);
	if (rc < 0 || (!before && !after))
		return rc;
	rc = copy_value(change->kv.key, arena, &path);
	if (rc == 0)
		rc = es_resource_path_parse(path, arena, &ret_event->item.key);
	if (rc < 0)
		return rc == ES_EDECODE ? 0 : rc; /* no resource: something with such a path */
	if (es_resource_key_check(&ret_event->item.key, NULL, 0) < 0)
		return 0; /* nobody could name it */
	ret_event->revision = change->kv.mod_revision;
	ret_event->item.mod_revision = change->kv.mod_revision;
	if (after) {
		ret_event->type = before ? ES_TYPED_MODIFIED : ES_TYPED_ADDED;
		ret_event->item.create_revision = change->kv.create_revision;
		rc = copy_value(change->kv.value, arena, &ret_event->item.value);
	} else {
		ret_event->type = ES_TYPED_DELETED;
		ret_event->item.create_revision = change->prev.create_revision;
		rc = last_state(change->prev.value, change->kv.mod_revision, arena,
				&ret_event->item.value);
	}
	return rc < 0 ? rc : 1;
}

/* ---- fetching -------------------------------------------------------------------------------- */

/* More changes from the hub, when none are pending. */
static int refill(struct es_typed_watch *watch, bool *ret_again)
{
	int rc;

	watch->pending_at = 0;
	watch->pending_count = 0;
	rc = es_watch_next(hub_of(watch), watch->watcher, watch->pending, PENDING_MAX, BATCH_BYTES,
			   SCAN_MAX, &watch->pending_count, &watch->pending_partial, ret_again);
	if (rc < 0)
		return rc;
	if (watch->pending_count == 0 && !*ret_again && !watch->pending_partial &&
	    es_watch_is_synced(watch->watcher) && watch->revision < current_of(watch))
		watch->revision = current_of(watch);
	return 0;
}

/* Changes of the revision of the next one follow it. */
static bool is_within_revision(const struct es_typed_watch *watch)
{
	size_t at = watch->pending_at;

	if (at + 1 == watch->pending_count)
		return watch->pending_partial;
	return watch->pending[at + 1]->mod_revision == watch->pending[at]->mod_revision;
}

static int take_pending(struct es_typed_watch *watch, struct es_arena *arena,
			struct es_typed_event *ret_event)
{
	struct es_watch_event *raw = watch->pending[watch->pending_at];
	struct es_typed_change change;
	int rc = es_typed_change_read(raw, &change);

	ES_ASSERT(rc == 0);
	*ret_event = (struct es_typed_event){0};
	rc = make_event(watch, &change, arena, ret_event);
	if (rc < 0)
		return rc; /* 1 */
	watch->within = is_within_revision(watch);
	watch->revision = change.kv.mod_revision - (watch->within ? 1 : 0);
	es_watch_event_unref(hub_of(watch), raw);
	watch->pending_at++;
	return rc;
}

static void take_bookmark(struct es_typed_watch *watch, struct es_typed_event *ret_event)
{
	*ret_event = (struct es_typed_event){.type = ES_TYPED_BOOKMARK,
					     .revision = watch->revision};
	watch->bookmark_due = false;
}

int es_typed_watch_next(struct es_typed_watch *watch, struct es_arena *arena,
			struct es_typed_event *ret_events, size_t max, size_t bytes_soft_max,
			size_t *ret_count, bool *ret_again)
{
	size_t bytes = 0, lookups = 0;
	int rc = 0;

	*ret_count = 0;
	*ret_again = false;
	if (watch->pending_at == watch->pending_count)
		rc = refill(watch, ret_again);
	if (rc < 0)
		return rc;
	while (watch->pending_at < watch->pending_count && *ret_count < max) {
		struct es_typed_event *event = &ret_events[*ret_count];

		if ((bytes >= bytes_soft_max && !watch->within) || lookups >= LOOKUPS_MAX)
			break;
		rc = take_pending(watch, arena, event);
		if (rc < 0 && *ret_count == 0)
			return rc;
		if (rc < 0)
			break; /* what there is goes first */
		lookups += 2 * es_selector_cost(watch->selector);
		bytes += rc > 0 ? event->item.value.len + event->item.key.name.len : 0;
		*ret_count += rc > 0 ? 1 : 0;
		*ret_again = true;
	}
	if (*ret_count == 0 && !*ret_again && watch->bookmark_due && max > 0 &&
	    watch->revision <= current_of(watch)) {
		take_bookmark(watch, &ret_events[(*ret_count)++]);
		*ret_again = true;
	}
	if (*ret_count == 0 && !*ret_again)
		watch->told = false;
	return 0;
}

/* ---- the loop -------------------------------------------------------------------------------- */

bool es_typed_watches_work(struct es_typed *t)
{
	for (int i = 0; i < TURN_WAKES && !es_queue_empty(&t->woken); i++) {
		struct es_typed_watch *watch = ES_QUEUE_ITEM(es_queue_pop(&t->woken),
							     struct es_typed_watch, woken);

		watch->spec.wake(watch->spec.ctx);
	}
	return !es_queue_empty(&t->woken);
}

bool es_typed_watches_tick(struct es_typed *t, uint64_t now_ms)
{
	bool left = false;

	for (struct es_queue *link = t->watches.next; link != &t->watches; link = link->next) {
		struct es_typed_watch *watch = ES_QUEUE_ITEM(link, struct es_typed_watch, link);

		if (watch->spec.bookmark_interval_ms == 0)
			continue;
		left = true;
		if (now_ms < watch->next_bookmark_ms)
			continue;
		watch->next_bookmark_ms = now_ms + watch->spec.bookmark_interval_ms;
		watch->bookmark_due = true;
		tell(watch);
	}
	return left;
}
