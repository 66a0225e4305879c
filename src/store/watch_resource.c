#include <stdio.h>

#include "store/resource_result.h"
#include "store/watch.h"

/* Watches of resources: one of the typed layer each. */
enum {
	FETCH_EVENTS = 64,
	FETCH_BYTES = 64 * 1024,
};

struct engenho_watch {
	struct es_store_watch watch;
	struct es_typed_watch_spec spec;
	struct es_typed_watch *typed;
	char errmsg[ES_TYPED_TEXT_MAX];
	/* Of the revision that is not whole yet, and what they point to. */
	struct es_typed_event *held;
	size_t count, capacity;
	struct es_arena arena;
};

struct batch {
	struct es_store_batch batch;
	engenho_events events;
};

static struct engenho_watch *of(struct es_store_watch *watch)
{
	return ES_CONTAINER_OF(watch, struct engenho_watch, watch);
}

static void on_wake(void *ctx)
{
	es_store_watch_news(&((struct engenho_watch *)ctx)->watch);
}

/* ---- batches --------------------------------------------------------------------------------- */

static struct batch *make_batch(const struct engenho_watch *w)
{
	struct es_store_block block;
	engenho_event *events;
	struct batch *batch;
	size_t bytes = 0;

	for (size_t i = 0; i < w->count; i++)
		bytes += es_store_resource_bytes(&w->held[i].item);
	if (es_store_block_new(w->watch.mem, &block,
			       es_store_aligned(sizeof(*batch)) + w->count * sizeof(*events),
			       bytes) == NULL)
		return NULL;
	batch = es_store_carve(&block, sizeof(*batch));
	events = es_store_carve(&block, w->count * sizeof(*events));
	for (size_t i = 0; i < w->count; i++)
		events[i] = (engenho_event){
			.type = (engenho_event_type)w->held[i].type, /* they are numbered alike */
			.resource = es_store_resource(&block, &w->held[i].item),
			.revision = w->held[i].revision,
		};
	batch->events = (engenho_events){
		.count = w->count,
		.events = events,
		.revision = es_typed_watch_revision(w->typed),
	};
	return batch;
}

static int reserve(struct engenho_watch *w)
{
	size_t capacity = w->count + FETCH_EVENTS;
	struct es_typed_event *held;

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

static int fetch(struct es_store_watch *watch, struct es_store_batch **ret_batch, bool *ret_again)
{
	struct engenho_watch *w = of(watch);
	struct batch *batch;
	size_t count = 0;
	int rc = reserve(w);

	if (rc == 0)
		rc = es_typed_watch_next(w->typed, &w->arena, w->held + w->count, FETCH_EVENTS,
					 FETCH_BYTES, &count, ret_again);
	if (rc < 0)
		return rc;
	w->count += count;
	if (w->count == 0 || es_typed_watch_revision(w->typed) < w->held[w->count - 1].revision)
		return 0;
	batch = make_batch(w);
	if (batch == NULL)
		return ES_ENOMEM;
	w->count = 0;
	es_arena_reset(&w->arena);
	*ret_batch = &batch->batch;
	return 0;
}

void engenho_events_free(engenho_events *events)
{
	if (events != NULL)
		es_store_block_free(ES_CONTAINER_OF(events, struct batch, events));
}

static void detach(struct es_store_watch *watch)
{
	es_typed_watch_close(of(watch)->typed);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct open_call {
	struct es_store_call call;
	struct engenho_watch *watch;
};

static void run_open(struct es_store_call *call)
{
	struct engenho_watch *w = ES_CONTAINER_OF(call, struct open_call, call)->watch;
	int rc = es_typed_watch_open(call->store->typed, &w->spec, &w->typed, w->errmsg,
				     sizeof(w->errmsg));

	if (rc == 0)
		es_store_watch_attach(&w->watch);
	es_store_finish(call, rc, rc == ES_EINVAL ? w->errmsg : NULL);
}

static void watch_free(struct es_store_watch *watch)
{
	struct engenho_watch *w = of(watch);

	es_store_watch_release(&w->watch);
	es_arena_close(&w->arena);
	es_free(w->watch.mem, w->held);
	es_free(w->watch.mem, w);
}

/* One resource is watched by its key. */
static int read_name(const engenho_watch_options *options, struct es_typed_watch_spec *spec,
		     char *errmsg, size_t errmsg_size)
{
	const struct es_resource_key key = {
		spec->scope.group, spec->scope.version,          spec->scope.kind,
		spec->scope.ns,    es_store_text(options->name), options->ns != NULL};

	if (options->name == NULL)
		return 0;
	spec->name = key.name;
	spec->cluster_scoped = !key.has_ns;
	return es_resource_key_check(&key, errmsg, errmsg_size);
}

static int read_options(const engenho_watch_options *from, struct es_typed_watch_spec *ret_spec,
			char *errmsg, size_t errmsg_size)
{
	engenho_watch_options options;
	const char *why = es_store_adopt(&options, sizeof(options), from);

	memset(ret_spec, 0, sizeof(*ret_spec));
	if (why == NULL)
		why = es_store_scope(options.group, options.version, options.kind, options.ns,
				     &ret_spec->scope);
	if (why == NULL && options.kind == NULL && options.name != NULL)
		why = "options.name needs a kind";
	if (why == NULL && options.from_revision < 0)
		why = "options.from_revision is negative";
	if (why != NULL) {
		(void)snprintf(errmsg, errmsg_size, "%s", why);
		return ES_EINVAL;
	}
	ret_spec->everything = options.kind == NULL;
	ret_spec->label_selector = es_store_text(options.label_selector);
	ret_spec->field_selector = es_store_text(options.field_selector);
	ret_spec->from_revision = options.from_revision;
	ret_spec->bookmark_interval_ms = options.bookmark_interval_ms;
	return read_name(&options, ret_spec, errmsg, errmsg_size);
}

static engenho_code open_watch(engenho_store *store, const struct es_typed_watch_spec *spec,
			       engenho_watch **ret_watch, engenho_error *error)
{
	static const struct es_store_watch_kind kind = {fetch, detach, watch_free};
	engenho_watch *w = es_calloc(store->mem, 1, sizeof(*w));
	struct open_call open = {.watch = w};
	engenho_code code;
	int rc;

	if (w == NULL)
		return es_store_fail(error, ES_ENOMEM, NULL);
	es_arena_init(&w->arena, store->mem, 16384);
	w->spec = *spec;
	w->spec.wake = on_wake;
	w->spec.ctx = w;
	rc = es_store_watch_init(&w->watch, &kind, store);
	es_store_call_init(&open.call, store, run_open, NULL);
	code = rc < 0 ? es_store_fail(error, rc, NULL) : es_store_wait(&open.call, error);
	if (code == ENGENHO_OK)
		*ret_watch = w;
	else
		watch_free(&w->watch);
	return code;
}

engenho_code engenho_watch_open(engenho_store *store, const engenho_watch_options *options,
				engenho_watch **ret_watch, engenho_error *error)
{
	struct es_typed_watch_spec spec;
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	int rc = read_options(options, &spec, errmsg, sizeof(errmsg));
	engenho_code code;

	if (rc < 0)
		return es_store_fail(error, rc, errmsg[0] != '\0' ? errmsg : NULL);
	code = es_store_enter(store, true, error);
	if (code != ENGENHO_OK)
		return code;
	code = open_watch(store, &spec, ret_watch, error);
	es_store_leave(store);
	return code;
}

engenho_code engenho_watch_next(engenho_watch *watch, int timeout_ms, engenho_events **ret_events,
				engenho_error *error)
{
	struct es_store_batch *batch;
	engenho_code code = es_store_watch_take(&watch->watch, timeout_ms, &batch, error);

	if (code == ENGENHO_OK)
		*ret_events = &ES_CONTAINER_OF(batch, struct batch, batch)->events;
	return code;
}

int engenho_watch_fd(engenho_watch *watch)
{
	return es_store_watch_fd(&watch->watch);
}

void engenho_watch_cancel(engenho_watch *watch)
{
	es_store_watch_cancel(&watch->watch);
}

void engenho_watch_close(engenho_watch *watch)
{
	if (watch != NULL)
		es_store_watch_close(&watch->watch);
}
