#include "api/internal.h"
#include "base/hash.h"
#include "base/table.h"

/*
 * etcdserverpb.Watch. A stream holds many watches; each has a watcher in the engine's hub, which
 * says when there is something to give (wake). Streams with such watches are served from an idle
 * handle, never from inside an apply, and only while their queue towards the client is short: what
 * a slow client does not take stays in the store's history.
 *
 *  1. A watch's `created` answer is sent before any of its events; its `canceled` answer is its
 * last.
 *  2. Events of one revision leave in one answer, or in a chain of fragments when the client allows
 * it.
 *  3. Progress is told only when the watches it speaks for have been given everything up to the
 * header's revision.
 */
#define QUEUE_HIGH   (256 * 1024)
#define BATCH_BYTES  (128 * 1024)
#define BATCH_EVENTS 512
#define SCAN_MAX     1024
/* What a turn of the loop gives to all streams, and of it to one before others get their turn: log
 * entries looked at, events and answers sent, and so many bytes of them. A few milliseconds. */
#define TURN_COST_MAX                16384
#define STREAM_COST_MAX              2048
#define COST_BYTES                   256
#define PROGRESS_INTERVAL_DEFAULT_MS (10 * 60 * 1000)
#define PROGRESS_INTERVAL_MIN_MS     100
#define GRPC_OVERHEAD_BYTES          (512 * 1024)
#define WATCH_ID_INVALID             (-1)

struct watch_stream {
	struct es_rpc_call *call;
	struct es_api *api;
	struct es_queue link;       /* in api->watch_streams */
	struct es_queue ready_link; /* in api->ready_streams */
	struct es_queue watches;    /* all, in the order of creation */
	struct es_queue ready;      /* watches with something to give */
	struct es_table by_id;      /* of struct watch */
	int64_t next_id;
	uint64_t next_progress_ms;
	bool progress_asked;
};

struct watch {
	struct es_engine_watch_owner owner; /* first: what the hub's wake gives back */
	struct es_table_node node;          /* in the stream's by_id */
	struct es_queue link;
	struct es_queue ready_link;
	struct watch_stream *stream;
	struct es_watcher *watcher; /* NULL: its history was compacted away; the id is taken until
				       it is cancelled */
	int64_t id;
	int64_t start_revision;
	bool fragment;
	bool progress;
	bool progress_due; /* nothing was sent since the last interval began */
};

/* Clients choose ids. */
static uint64_t hash_id(const struct watch_stream *stream, int64_t id)
{
	return es_siphash(stream->api->watch_hash_key, es_slice(&id, sizeof(id)));
}

static struct watch *find_watch(const struct watch_stream *stream, int64_t id)
{
	struct es_table_node *node = es_table_first(&stream->by_id, hash_id(stream, id));

	for (; node != NULL; node = es_table_next(node)) {
		struct watch *watch = ES_CONTAINER_OF(node, struct watch, node);

		if (watch->id == id)
			return watch;
	}
	return NULL;
}

static struct es_watch_hub *hub(const struct watch_stream *stream)
{
	return es_engine_watch_hub(stream->api->engine);
}

static int64_t revision(const struct watch_stream *stream)
{
	return es_mvcc_revision(es_engine_store(stream->api->engine));
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct es_wire_watch answer(const struct watch_stream *stream, int64_t id,
				   int64_t header_revision)
{
	struct es_engine_header header = es_engine_header(stream->api->engine);

	header.revision = header_revision;
	return (struct es_wire_watch){.header = es_api_header(&header), .watch_id = id};
}

static void stream_end(struct watch_stream *stream);

/* Sending ends the stream when it fails: the call is finished then, and `closed` does not follow.
 */
static bool send_head(struct watch_stream *stream, const struct es_wire_watch *head)
{
	uint8_t *out = es_rpc_send(stream->call, es_wire_watch_head_size(head));

	if (out == NULL) {
		stream_end(stream);
		return false;
	}
	(void)es_wire_watch_head_write(out, head);
	return true;
}

static bool send_events(struct watch_stream *stream, const struct es_wire_watch *head,
			struct es_watch_event *const *events, size_t count)
{
	size_t size = es_wire_watch_head_size(head);
	uint8_t *out;

	for (size_t i = 0; i < count; i++)
		size += events[i]->len;
	stream->api->watch_cost += count + size / COST_BYTES;
	out = es_api_reserve(stream->call, size);
	if (out == NULL) {
		stream_end(stream);
		return false;
	}
	out = es_wire_watch_head_write(out, head);
	for (size_t i = 0; i < count; i++) {
		memcpy(out, events[i]->bytes, events[i]->len);
		out += events[i]->len;
	}
	return true;
}

static bool send_fragments(struct watch_stream *stream, struct es_wire_watch *head,
			   struct es_watch_event *const *events, size_t count)
{
	size_t size_max = stream->api->config.max_request_bytes + GRPC_OVERHEAD_BYTES;
	size_t first = 0;

	while (first < count) {
		size_t end = first + 1;
		size_t size = es_wire_watch_head_size(head) + events[first]->len;

		while (end < count && size + events[end]->len < size_max)
			size += events[end++]->len;
		head->fragment = end < count;
		if (!send_events(stream, head, events + first, end - first))
			return false;
		first = end;
	}
	return true;
}

/* ---- serving --------------------------------------------------------------------------------- */

static void stream_ready(struct watch_stream *stream)
{
	struct es_api *api = stream->api;

	if (es_queue_empty(&stream->ready_link))
		es_queue_push(&api->ready_streams, &stream->ready_link);
	es_api_watch_wake(api);
}

static void on_wake(struct es_engine_watch_owner *owner)
{
	struct watch *watch = ES_CONTAINER_OF(owner, struct watch, owner);

	if (es_queue_empty(&watch->ready_link))
		es_queue_push(&watch->stream->ready, &watch->ready_link);
	stream_ready(watch->stream);
}

static void drop_watcher(struct watch *watch)
{
	if (watch->watcher != NULL)
		es_watch_remove(hub(watch->stream), watch->watcher);
	watch->watcher = NULL;
	es_queue_remove(&watch->ready_link);
}

static void free_watch(struct watch *watch)
{
	struct watch_stream *stream = watch->stream;

	drop_watcher(watch);
	es_table_remove(&stream->by_id, &watch->node);
	es_queue_remove(&watch->link);
	es_free(stream->api->config.mem, watch);
}

static void stream_end(struct watch_stream *stream)
{
	while (!es_queue_empty(&stream->watches))
		free_watch(ES_QUEUE_ITEM(stream->watches.next, struct watch, link));
	es_table_close(&stream->by_id);
	es_queue_remove(&stream->ready_link);
	es_queue_remove(&stream->link);
}

/* Our own end of a stream: here, too, `closed` does not follow. */
static void fail(struct watch_stream *stream, int status)
{
	stream_end(stream);
	es_rpc_finish_status(stream->call, status);
}

/* Everything that the watcher gives in one go: whole revisions, however many events the last one
 * has, as one answer has to hold them all. After a failure what was taken is lost to the watcher.
 */
static int take_events(struct watch *watch, struct es_buf *events, size_t *ret_count,
		       bool *ret_again)
{
	bool partial = true;
	int rc = 0;

	*ret_count = 0;
	*ret_again = false;
	while (rc == 0 && partial) {
		size_t n = 0;
		size_t bytes = BATCH_EVENTS * sizeof(struct es_watch_event *);

		rc = es_buf_reserve(events, bytes);
		if (rc < 0)
			break;
		rc = es_watch_next(hub(watch->stream), watch->watcher,
				   (struct es_watch_event **)(void *)(events->data + events->len),
				   BATCH_EVENTS, BATCH_BYTES, SCAN_MAX, &n, &partial, ret_again);
		if (rc < 0)
			break;
		events->len += n * sizeof(struct es_watch_event *);
		*ret_count += n;
	}
	return rc;
}

static bool cancel_compacted(struct watch *watch)
{
	struct watch_stream *stream = watch->stream;
	/* etcd sends no revision here. */
	struct es_wire_watch head = answer(stream, watch->id, 0);

	head.canceled = true;
	head.compact_revision = es_mvcc_compacted(es_engine_store(stream->api->engine));
	drop_watcher(watch);
	return send_head(stream, &head);
}

/* Returns false when the stream has ended, and the watch with it. *ret_again: the watch has more to
 * give, or may have. */
static bool serve(struct watch *watch, bool *ret_again)
{
	struct watch_stream *stream = watch->stream;
	struct es_watch_hub *events_hub = hub(stream);
	uint64_t scanned = es_watch_scanned(events_hub);
	struct es_watch_event *const *events;
	struct es_buf buf;
	size_t count;
	bool sent = true;
	int rc;

	es_buf_init(&buf, stream->api->config.mem);
	rc = take_events(watch, &buf, &count, ret_again);
	stream->api->watch_cost += 1 + es_watch_scanned(events_hub) - scanned;
	events = (struct es_watch_event *const *)(void *)buf.data;
	if (rc == 0 && count > 0) {
		struct es_wire_watch head = answer(stream, watch->id, revision(stream));

		*ret_again = true;
		watch->progress_due = false;
		sent = watch->fragment ? send_fragments(stream, &head, events, count)
				       : send_events(stream, &head, events, count);
	}
	for (size_t i = 0; i < count; i++)
		es_watch_event_unref(events_hub, events[i]);
	es_buf_close(&buf);
	if (rc == ES_ECOMPACTED)
		return cancel_compacted(watch);
	if (rc == ES_ENOMEM && count > 0) {
		fail(stream, rc); /* going on would leave a gap: the client starts again from what
				     it has seen */
		return false;
	}
	if (rc == ES_ENOMEM)
		*ret_again = true;
	return sent;
}

static void answer_progress(struct watch_stream *stream)
{
	struct es_wire_watch head = answer(stream, WATCH_ID_INVALID, revision(stream));
	bool any = false;

	for (struct es_queue *link = stream->watches.next; link != &stream->watches;
	     link = link->next) {
		const struct watch *watch = ES_QUEUE_ITEM(link, struct watch, link);

		if (watch->watcher == NULL)
			continue;
		any = true;
		if (!es_watch_is_synced(watch->watcher) || watch->start_revision > revision(stream))
			return;
	}
	stream->progress_asked = false;
	if (any)
		(void)send_head(stream, &head);
}

/* The client does not take what it has. */
static bool is_behind(struct watch_stream *stream)
{
	return es_rpc_queued_bytes(stream->call) >= QUEUE_HIGH || es_rpc_is_congested(stream->call);
}

/* Returns whether there is more to do that nobody will wake us for. */
static bool pump(struct watch_stream *stream)
{
	struct es_api *api = stream->api;
	uint64_t before = api->watch_cost;

	while (api->watch_cost - before < STREAM_COST_MAX) {
		struct es_queue *link;
		struct watch *watch;
		bool again = false;

		/* `writable` comes when the client has taken some. */
		if (is_behind(stream))
			return false;
		link = es_queue_pop(&stream->ready);
		if (link == NULL)
			break;
		watch = ES_QUEUE_ITEM(link, struct watch, ready_link);
		if (!serve(watch, &again))
			return false; /* the stream has ended */
		if (again && watch->watcher != NULL)
			es_queue_push(&stream->ready, &watch->ready_link);
	}
	if (stream->progress_asked)
		answer_progress(stream);
	return !es_queue_empty(&stream->ready);
}

static void on_idle(uv_idle_t *idle)
{
	struct es_api *api = idle->data;
	uint64_t before = api->watch_cost;
	struct es_queue later;
	struct es_queue *link;

	if (es_engine_has_failed(api->engine)) {
		(void)uv_idle_stop(idle);
		return; /* what changed last may be half of a change */
	}
	es_queue_init(&later);
	while (api->watch_cost - before < TURN_COST_MAX &&
	       (link = es_queue_pop(&api->ready_streams)) != NULL) {
		struct watch_stream *stream = ES_QUEUE_ITEM(link, struct watch_stream, ready_link);

		if (pump(stream))
			es_queue_push(&later, &stream->ready_link);
	}
	while ((link = es_queue_pop(&later)) != NULL)
		es_queue_push(&api->ready_streams, link);
	es_api_serve_waiters(api);
	es_api_serve_resource_watches(api);
	if (es_queue_empty(&api->ready_streams) && es_queue_empty(&api->ready_waiters) &&
	    es_queue_empty(&api->resource_watches))
		(void)uv_idle_stop(idle);
}

void es_api_watch_wake(struct es_api *api)
{
	(void)uv_idle_start(&api->watch_idle, on_idle);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void refuse(struct watch_stream *stream, const char *reason)
{
	struct es_wire_watch head = answer(stream, WATCH_ID_INVALID, revision(stream));

	head.created = true;
	head.canceled = true;
	head.cancel_reason = es_slice_str(reason);
	(void)send_head(stream, &head);
}

static void create_watch(struct watch_stream *stream,
			 const Etcdserverpb__WatchCreateRequest *request)
{
	struct es_watch_spec spec = {
		.range = {es_api_bytes(request->key), es_api_bytes(request->range_end)},
		.start_revision = request->start_revision,
		.prev_kv = request->prev_kv,
	};
	bool to_the_end = es_slice_eq(spec.range.end, es_slice("", 1));
	struct es_wire_watch head;
	struct watch *watch;
	int64_t id = request->watch_id;

	if (spec.range.key.len == 0)
		spec.range.key = es_slice("", 1); /* the smallest key */
	if (request->start_revision < 0) {
		refuse(stream, es_status_text(ES_ECOMPACTED));
		return;
	}
	if (spec.range.end.len > 0 && !to_the_end &&
	    es_slice_cmp(spec.range.key, spec.range.end) >= 0) {
		refuse(stream, "mvcc: watcher range is empty");
		return;
	}
	for (size_t i = 0; i < request->n_filters; i++) {
		spec.filter_put |= request->filters[i] ==
				   ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NOPUT;
		spec.filter_delete |= request->filters[i] ==
				      ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER_TYPE__NODELETE;
	}
	if (id == 0) {
		while (find_watch(stream, stream->next_id) != NULL)
			stream->next_id++;
		id = stream->next_id++;
	} else if (find_watch(stream, id) != NULL) {
		refuse(stream, "mvcc: duplicate watch ID provided on the WatchStream");
		return;
	}
	watch = es_calloc(stream->api->config.mem, 1, sizeof(*watch));
	if (watch == NULL) {
		fail(stream, ES_ENOMEM);
		return;
	}
	watch->owner.wake = on_wake;
	watch->stream = stream;
	watch->id = id;
	watch->start_revision = request->start_revision;
	watch->fragment = request->fragment;
	watch->progress = request->progress_notify;
	watch->progress_due = true;
	es_queue_init(&watch->ready_link);
	es_table_insert(&stream->by_id, &watch->node, hash_id(stream, id));
	es_queue_push(&stream->watches, &watch->link);
	head = answer(stream, id, revision(stream));
	head.created = true;
	if (!send_head(stream, &head))
		return;
	if (es_watch_add(hub(stream), &spec, &watch->owner, &watch->watcher) < 0) {
		fail(stream, ES_ENOMEM);
		return;
	}
	/* It may start in the past. */
	on_wake(&watch->owner);
}

static void cancel_watch(struct watch_stream *stream, int64_t id)
{
	struct watch *watch = find_watch(stream, id);
	struct es_wire_watch head = answer(stream, id, revision(stream));

	if (watch == NULL)
		return; /* as etcd: no answer */
	free_watch(watch);
	head.canceled = true;
	(void)send_head(stream, &head);
}

static void watch_message(struct es_rpc_call *call, struct es_slice request)
{
	struct watch_stream *stream = es_rpc_call_data(call);
	Etcdserverpb__WatchRequest *message;
	struct es_arena arena;

	if (es_engine_has_failed(stream->api->engine)) {
		fail(stream, ES_ESTOPPED);
		return;
	}
	es_arena_init(&arena, stream->api->config.mem, 1024);
	message = es_api_unpack(&arena, &etcdserverpb__watch_request__descriptor, request);
	if (message == NULL) {
		es_arena_close(&arena);
		fail(stream, ES_EDECODE);
		return;
	}
	switch (message->request_union_case) {
	case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST:
		create_watch(stream, message->create_request);
		break;
	case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST:
		cancel_watch(stream, message->cancel_request->watch_id);
		break;
	case ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST:
		stream->progress_asked = true;
		stream_ready(stream);
		break;
	default: break; /* as etcd: an empty request is passed over */
	}
	es_arena_close(&arena);
}

/* ---- streams --------------------------------------------------------------------------------- */

static uint64_t progress_interval_ms(struct es_api *api)
{
	uint64_t interval = api->config.watch_progress_interval_ms;
	uint32_t jitter;

	if (interval == 0)
		interval = PROGRESS_INTERVAL_DEFAULT_MS;
	if (interval < PROGRESS_INTERVAL_MIN_MS)
		interval = PROGRESS_INTERVAL_MIN_MS;
	api->config.env->random(api->config.env->ctx, &jitter, sizeof(jitter));
	return interval +
	       jitter % (interval / 10); /* so that streams opened together do not speak together */
}

static void watch_opened(struct es_rpc_call *call)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct watch_stream *stream = es_api_alloc(call, 1, sizeof(*stream));

	if (stream == NULL)
		return;
	if (es_api_wants_leader(call) && !es_api_has_leader(api)) {
		es_rpc_finish_status(call, ES_ENO_LEADER);
		return;
	}
	if (es_table_init(&stream->by_id, api->config.mem) < 0) {
		es_rpc_finish_status(call, ES_ENOMEM);
		return;
	}
	stream->call = call;
	stream->api = api;
	stream->next_progress_ms = api->config.env->now_ms(api->config.env->ctx) +
				   progress_interval_ms(api);
	es_queue_init(&stream->watches);
	es_queue_init(&stream->ready);
	es_queue_init(&stream->ready_link);
	es_queue_push(&api->watch_streams, &stream->link);
	es_rpc_call_set_data(call, stream);
	es_rpc_set_queue_low(call, QUEUE_HIGH / 2);
}

static void watch_writable(struct es_rpc_call *call)
{
	stream_ready(es_rpc_call_data(call));
}

static void watch_half_closed(struct es_rpc_call *call)
{
	stream_end(es_rpc_call_data(call));
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void watch_closed(struct es_rpc_call *call)
{
	stream_end(es_rpc_call_data(call));
}

static void periodic_progress(struct watch_stream *stream)
{
	for (struct es_queue *link = stream->watches.next; link != &stream->watches;
	     link = link->next) {
		struct watch *watch = ES_QUEUE_ITEM(link, struct watch, link);
		struct es_wire_watch head = answer(stream, watch->id, revision(stream));

		if (!watch->progress || watch->watcher == NULL)
			continue;
		if (watch->progress_due && es_watch_is_synced(watch->watcher) &&
		    watch->start_revision <= revision(stream) && !send_head(stream, &head))
			return;
		watch->progress_due = true;
	}
}

void es_api_watch_tick(struct es_api *api, uint64_t now_ms, bool leaderless)
{
	struct es_queue *link = api->watch_streams.next;

	if (es_engine_has_failed(api->engine))
		return;
	while (link != &api->watch_streams) {
		struct watch_stream *stream = ES_QUEUE_ITEM(link, struct watch_stream, link);

		link = link->next; /* sending may end the stream */
		if (leaderless && es_api_wants_leader(stream->call)) {
			fail(stream, ES_ENO_LEADER);
			continue;
		}
		if (now_ms < stream->next_progress_ms)
			continue;
		stream->next_progress_ms = now_ms + progress_interval_ms(api);
		if (!is_behind(stream))
			periodic_progress(stream);
	}
}

int es_api_watch_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "etcdserverpb.Watch",
		 .name = "Watch",
		 .kind = ES_RPC_BIDI,
		 .opened = watch_opened,
		 .message = watch_message,
		 .half_closed = watch_half_closed,
		 .writable = watch_writable,
		 .closed = watch_closed},
	};

	api->config.env->random(api->config.env->ctx, api->watch_hash_key,
				sizeof(api->watch_hash_key));
	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
