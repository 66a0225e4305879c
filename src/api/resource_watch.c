#include "api/resource.h"

/*
 * engenho.v1.ResourceStore.Watch: what the typed watch has is sent as long as the stream's queue
 * towards the client is short; what a slow client does not take stays in the store's history.
 *
 * The first message has no events and says from where it watches. It is sent once the watch is known to work: at once
 * when it begins now, else when the history was found to be there.
 */
#define QUEUE_HIGH  (256 * 1024)
#define BATCH_BYTES (128 * 1024)
#define BATCH_MAX   256
#define TURN_MAX    16 /* batches before others get their turn */

struct watch_call {
	struct es_rpc_call *call;
	struct es_api *api;
	struct es_typed_watch *watch;
	int64_t from;         /* what the first message will say; -1: it is sent */
	struct es_queue link; /* in api->resource_watches: has more to give in a later turn */
};

static int write_event(Engenho__V1__WatchEvent *out, const struct es_typed_event *event,
		       struct es_arena *arena)
{
	engenho__v1__watch_event__init(out);
	out->type = (Engenho__V1__WatchEvent__Type)event->type; /* they are numbered alike */
	out->revision = event->revision;
	if (event->type == ES_TYPED_BOOKMARK)
		return 0;
	out->resource = es_api_resource(arena, &event->item);
	return out->resource == NULL ? ES_ENOMEM : 0;
}

/* False: the call has failed. */
static bool send_events(struct watch_call *w, const struct es_typed_event *events, size_t count,
			struct es_arena *arena)
{
	Engenho__V1__WatchResponse answer = ENGENHO__V1__WATCH_RESPONSE__INIT;
	Engenho__V1__WatchEvent *messages = es_arena_calloc(arena, count, sizeof(*messages));
	int rc = messages == NULL ? ES_ENOMEM : 0;

	answer.events = es_arena_calloc(arena, count, sizeof(*answer.events));
	if (answer.events == NULL)
		rc = ES_ENOMEM;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = write_event(&messages[i], &events[i], arena);
		answer.events[i] = &messages[i];
	}
	if (rc < 0) {
		es_rpc_finish_status(w->call, rc);
		return false;
	}
	answer.n_events = count;
	answer.revision = es_typed_watch_revision(w->watch);
	return es_api_send(w->call, &answer.base);
}

/* Likewise. */
static bool send_first(struct watch_call *w)
{
	Engenho__V1__WatchResponse answer = ENGENHO__V1__WATCH_RESPONSE__INIT;

	if (w->from < 0)
		return true;
	answer.revision = w->from;
	w->from = -1;
	return es_api_send(w->call, &answer.base);
}

static void watch_end(struct watch_call *w)
{
	es_queue_remove(&w->link);
	if (w->watch != NULL)
		es_typed_watch_close(w->watch);
	w->watch = NULL;
}

static void fail(struct watch_call *w, int status)
{
	char text[ES_TYPED_TEXT_MAX];
	int64_t revision = es_typed_watch_revision(w->watch);

	es_rpc_finish(w->call, es_status_grpc(status),
		      es_typed_text(status, revision, 0, text, sizeof(text)));
	watch_end(w);
}

/* One batch. True: there may be more. */
static bool pump_batch(struct watch_call *w)
{
	struct es_typed_event events[BATCH_MAX];
	struct es_arena arena;
	size_t count;
	bool again, sent = true;
	int rc;

	es_arena_init(&arena, w->api->config.mem, 16384);
	rc = es_typed_watch_next(w->watch, &arena, events, BATCH_MAX, BATCH_BYTES, &count, &again);
	if (rc == 0)
		sent = send_first(w) && (count == 0 || send_events(w, events, count, &arena));
	es_arena_close(&arena);
	if (rc < 0)
		fail(w, rc);
	else if (!sent)
		watch_end(w);
	return rc == 0 && sent && again;
}

static void pump(struct watch_call *w)
{
	es_queue_remove(&w->link);
	for (int i = 0; i < TURN_MAX; i++) {
		if (es_rpc_queued_bytes(w->call) >= QUEUE_HIGH)
			return; /* `writable` goes on */
		if (!pump_batch(w))
			return;
	}
	es_queue_push(&w->api->resource_watches, &w->link);
	es_api_watch_wake(w->api);
}

void es_api_serve_resource_watches(struct es_api *api)
{
	struct es_queue now;

	/* Those that come back have had their turn. */
	es_queue_init(&now);
	while (!es_queue_empty(&api->resource_watches))
		es_queue_push(&now, es_queue_pop(&api->resource_watches));
	while (!es_queue_empty(&now))
		pump(ES_QUEUE_ITEM(es_queue_pop(&now), struct watch_call, link));
}

static void on_wake(void *ctx)
{
	pump(ctx);
}

static void watch_writable(struct es_rpc_call *call)
{
	struct watch_call *w = es_rpc_call_data(call);

	if (w != NULL && w->watch != NULL)
		pump(w);
}

static void watch_closed(struct es_rpc_call *call)
{
	struct watch_call *w = es_rpc_call_data(call);

	if (w != NULL)
		watch_end(w);
}

static void begin(struct watch_call *w)
{
	w->from = es_typed_watch_revision(w->watch);
	es_rpc_call_set_data(w->call, w);
	if (w->from >= es_mvcc_revision(es_engine_store(w->api->engine)) && !send_first(w))
		watch_end(w);
}

static void watch(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	const Engenho__V1__WatchRequest *from = es_api_decode(
		call, &engenho__v1__watch_request__descriptor, request);
	struct watch_call *w = from == NULL ? NULL : es_api_alloc(call, 1, sizeof(*w));
	struct es_typed_watch_spec spec = {.wake = on_wake, .ctx = w};
	char errmsg[ES_TYPED_TEXT_MAX];
	bool has_ns;
	int rc;

	if (w == NULL)
		return;
	has_ns = from->has_namespace_case == ENGENHO__V1__WATCH_REQUEST__HAS_NAMESPACE_NAMESPACE;
	if (!es_api_read_scope(call, from->group, from->version, from->kind,
			       has_ns ? from->namespace_ : NULL, &spec.everything, &spec.scope))
		return;
	spec.name = es_api_text(from->name);
	if (spec.everything && spec.name.len > 0) {
		es_rpc_finish(call, ES_GRPC_INVALID_ARGUMENT, "kind is missing");
		return;
	}
	spec.cluster_scoped = !has_ns;
	spec.label_selector = es_api_text(from->label_selector);
	spec.field_selector = es_api_text(from->field_selector);
	spec.from_revision = from->from_revision;
	spec.bookmark_interval_ms = from->bookmark_interval_ms;
	w->call = call;
	w->api = api;
	es_queue_init(&w->link);
	rc = es_typed_watch_open(api->typed, &spec, &w->watch, errmsg, sizeof(errmsg));
	if (rc < 0)
		es_rpc_finish(call, es_status_grpc(rc), errmsg);
	else
		begin(w);
}

int es_api_resource_watch_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "engenho.v1.ResourceStore",
		 .name = "Watch",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = watch,
		 .writable = watch_writable,
		 .closed = watch_closed,
		 .waits = true},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
