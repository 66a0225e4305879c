#include "store/kv_result.h"
#include "store/watch.h"
#include "typed/event.h"

/* Watches of raw keys: a watcher of the engine's hub each. */
enum {
	FETCH_EVENTS = 64,
	FETCH_BYTES = 64 * 1024,
	SCAN_MAX = 1024,
};

struct engenho_kv_watch {
	struct es_store_watch watch;
	struct es_engine_watch_owner owner;
	struct es_watch_spec spec;
	struct es_watcher *watcher;
	/* Of the revision that is not whole yet. */
	struct es_watch_event **held;
	size_t count, capacity;
};

struct batch {
	struct es_store_batch batch;
	engenho_kv_events events;
};

static struct engenho_kv_watch *of(struct es_store_watch *watch)
{
	return ES_CONTAINER_OF(watch, struct engenho_kv_watch, watch);
}

static struct es_watch_hub *hub_of(const struct engenho_kv_watch *w)
{
	return es_engine_watch_hub(w->watch.kick.store->member.engine);
}

static void on_wake(struct es_engine_watch_owner *owner)
{
	es_store_watch_news(&ES_CONTAINER_OF(owner, struct engenho_kv_watch, owner)->watch);
}

/* ---- batches --------------------------------------------------------------------------------- */

static size_t change_bytes(const struct es_typed_change *change)
{
	return es_store_kv_size(&change->kv) + es_store_kv_size(&change->prev);
}

static struct es_typed_change read_change(const struct es_watch_event *event)
{
	struct es_typed_change change;
	int rc = es_typed_change_read(event, &change);

	ES_ASSERT(rc == 0); /* the engine has encoded it */
	return change;
}

static struct batch *make_batch(const struct engenho_kv_watch *w)
{
	struct es_store_block block;
	engenho_kv_event *events;
	struct batch *batch;
	size_t bytes = 0;

	for (size_t i = 0; i < w->count; i++) {
		const struct es_typed_change change = read_change(w->held[i]);

		bytes += change_bytes(&change);
	}
	if (es_store_block_new(w->watch.mem, &block,
			       es_store_aligned(sizeof(*batch)) + w->count * sizeof(*events),
			       bytes) == NULL)
		return NULL;
	batch = es_store_carve(&block, sizeof(*batch));
	events = es_store_carve(&block, w->count * sizeof(*events));
	for (size_t i = 0; i < w->count; i++) {
		const struct es_typed_change change = read_change(w->held[i]);

		events[i] = (engenho_kv_event){
			.is_delete = change.kv.version == 0,
			.has_prev = change.has_prev,
			.kv = es_store_kv(&block, &change.kv),
			.prev = es_store_kv(&block, &change.prev),
		};
	}
	batch->events = (engenho_kv_events){
		.count = w->count,
		.events = events,
		.revision = w->held[w->count - 1]->mod_revision,
	};
	return batch;
}

static int reserve(struct engenho_kv_watch *w)
{
	size_t capacity = w->count + FETCH_EVENTS;
	struct es_watch_event **held;

	if (capacity <= w->capacity)
		return 0;
	capacity += capacity / 2;
	held = es_realloc(w->watch.mem, w->held, capacity * sizeof(*held));
	if (held == NULL)
		return ES_ENOMEM;
	w->held = held;
	w->capacity = capacity;
	return 0;
}

static void drop_held(struct engenho_kv_watch *w)
{
	for (size_t i = 0; i < w->count; i++)
		es_watch_event_unref(hub_of(w), w->held[i]);
	w->count = 0;
}

static int fetch(struct es_store_watch *watch, struct es_store_batch **ret_batch, bool *ret_again)
{
	struct engenho_kv_watch *w = of(watch);
	struct batch *batch;
	bool partial = false;
	size_t count = 0;
	int rc = reserve(w);

	if (rc == 0)
		rc = es_watch_next(hub_of(w), w->watcher, w->held + w->count, FETCH_EVENTS,
				   FETCH_BYTES, SCAN_MAX, &count, &partial, ret_again);
	if (rc < 0)
		return rc;
	w->count += count;
	if (count > 0)
		*ret_again = true; /* only a call that finds nothing ends this round */
	if (w->count == 0 || partial)
		return 0;
	batch = make_batch(w);
	if (batch == NULL)
		return ES_ENOMEM;
	drop_held(w);
	*ret_batch = &batch->batch;
	return 0;
}

void engenho_kv_events_free(engenho_kv_events *events)
{
	if (events != NULL)
		es_store_block_free(ES_CONTAINER_OF(events, struct batch, events));
}

static void detach(struct es_store_watch *watch)
{
	struct engenho_kv_watch *w = of(watch);

	drop_held(w);
	es_watch_remove(hub_of(w), w->watcher);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct open_call {
	struct es_store_call call;
	struct engenho_kv_watch *watch;
};

static void run_open(struct es_store_call *call)
{
	struct engenho_kv_watch *w = ES_CONTAINER_OF(call, struct open_call, call)->watch;
	int rc = es_watch_add(hub_of(w), &w->spec, &w->owner, &w->watcher);

	if (rc == 0)
		es_store_watch_attach(&w->watch);
	es_store_finish(call, rc, NULL);
}

static void watch_free(struct es_store_watch *watch)
{
	struct engenho_kv_watch *w = of(watch);

	es_store_watch_release(&w->watch);
	es_free(w->watch.mem, w->held);
	es_free(w->watch.mem, w);
}

static const char *read_options(const engenho_kv_watch_options *from,
				struct es_watch_spec *ret_spec)
{
	engenho_kv_watch_options options;
	const char *why = es_store_adopt(&options, sizeof(options), from);

	if (why == NULL && options.key.len == 0)
		why = "options.key is empty";
	if (why == NULL && options.start_revision < 0)
		why = "options.start_revision is negative";
	if (why == NULL)
		*ret_spec = (struct es_watch_spec){
			.range = {es_store_slice(options.key), es_store_slice(options.range_end)},
			.start_revision = options.start_revision,
			.prev_kv = options.prev_kv,
		};
	return why;
}

static engenho_code open_watch(engenho_store *store, const struct es_watch_spec *spec,
			       engenho_kv_watch **ret_watch, engenho_error *error)
{
	static const struct es_store_watch_kind kind = {fetch, detach, watch_free};
	engenho_kv_watch *w = es_calloc(store->mem, 1, sizeof(*w));
	struct open_call open = {.watch = w};
	engenho_code code;
	int rc;

	if (w == NULL)
		return es_store_fail(error, ES_ENOMEM, NULL);
	w->owner.wake = on_wake;
	w->spec = *spec;
	rc = es_store_watch_init(&w->watch, &kind, store);
	es_store_call_init(&open.call, store, run_open, NULL);
	code = rc < 0 ? es_store_fail(error, rc, NULL) : es_store_wait(&open.call, error);
	if (code == ENGENHO_OK)
		*ret_watch = w;
	else
		watch_free(&w->watch);
	return code;
}

engenho_code engenho_kv_watch_open(engenho_store *store, const engenho_kv_watch_options *options,
				   engenho_kv_watch **ret_watch, engenho_error *error)
{
	struct es_watch_spec spec;
	const char *why = read_options(options, &spec);
	engenho_code code;

	if (why != NULL)
		return es_store_fail(error, ES_EINVAL, why);
	code = es_store_enter(store, true, error);
	if (code != ENGENHO_OK)
		return code;
	code = open_watch(store, &spec, ret_watch, error);
	es_store_leave(store);
	return code;
}

engenho_code engenho_kv_watch_next(engenho_kv_watch *watch, int timeout_ms,
				   engenho_kv_events **ret_events, engenho_error *error)
{
	struct es_store_batch *batch;
	engenho_code code = es_store_watch_take(&watch->watch, timeout_ms, &batch, error);

	if (code == ENGENHO_OK)
		*ret_events = &ES_CONTAINER_OF(batch, struct batch, batch)->events;
	return code;
}

int engenho_kv_watch_fd(engenho_kv_watch *watch)
{
	return es_store_watch_fd(&watch->watch);
}

void engenho_kv_watch_cancel(engenho_kv_watch *watch)
{
	es_store_watch_cancel(&watch->watch);
}

void engenho_kv_watch_close(engenho_kv_watch *watch)
{
	if (watch != NULL)
		es_store_watch_close(&watch->watch);
}
