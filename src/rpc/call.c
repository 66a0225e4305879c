/*
 * Calls: memory and life.
 *
 * A call has a reference of its stream and those of es_rpc_call_hold; it goes back to the server's
 * pool with the last. HEADERS -> OPEN -> FINISHED or CLOSED: the handler ended it, or something
 * else did. Which of the two happened decides whether `closed` is called; the hooks hear of either,
 * once. The stream may end before or after that.
 */
#include "rpc/internal.h"

/* What an open call is counted as, beside the bytes of its request: itself, its arena, nghttp2's
 * stream, and what a handler has for it. */
#define CALL_COST ((size_t)4 << 10)
/* Larger answers are not added to `QUEUES_MAX` times conn_queue_bytes_max. */
#define SMALL_ANSWER      ((size_t)64 << 10)
#define QUEUES_MAX        16
#define MEAN_WEIGHT       16
#define QUEUE_LOW_DEFAULT ((size_t)64 << 10)

static uint64_t now_us(const struct es_rpc_server *server)
{
	return es_env_now_us(server->config.env);
}

static struct es_rpc_call *take_call(struct es_rpc_server *server)
{
	struct es_rpc_call *call = server->free_calls;

	if (call != NULL) {
		server->free_calls = call->next_free;
		server->free_call_count--;
		return call;
	}
	call = es_alloc(server->mem, sizeof(*call));
	if (call != NULL)
		es_arena_init(&call->arena, server->mem, ES_CALL_ARENA_BYTES);
	return call;
}

struct es_rpc_call *es_call_new_detached(struct es_rpc_server *server)
{
	struct es_rpc_call *call = take_call(server);
	struct es_arena arena;

	if (call == NULL)
		return NULL;
	arena = call->arena;
	memset(call, 0, offsetof(struct es_rpc_call, fields_first));
	memset((char *)call + offsetof(struct es_rpc_call, encoding), 0,
	       sizeof(*call) - offsetof(struct es_rpc_call, encoding));
	call->arena = arena;
	call->server = server;
	call->refs = 1;
	call->fields = call->fields_first;
	call->field_cap = ES_CALL_FIELDS;
	call->queue_low = QUEUE_LOW_DEFAULT;
	call->deadline_ms = UINT64_MAX;
	call->opened_ms = server->now_ms;
	call->arena_first = ES_CALL_ARENA_BYTES;
	es_queue_init(&call->progress_link);
	es_queue_init(&call->writable_link);
	es_queue_init(&call->deadline.link);
	es_buf_init(&call->stalled, server->mem);
	es_grpc_frame_init(&call->frame, server->mem, server->config.recv_message_bytes_max);
	server->calls_live++;
	return call;
}

struct es_rpc_call *es_call_new(struct es_h2 *h2, int32_t stream_id)
{
	struct es_rpc_call *call = es_call_new_detached(h2->server);

	if (call == NULL)
		return NULL;
	call->h2 = h2;
	call->stream_id = stream_id;
	es_queue_push(&h2->calls, &call->link);
	h2->call_count++;
	es_h2_hold(call, CALL_COST);
	return call;
}

void es_call_unref(struct es_rpc_call *call)
{
	struct es_rpc_server *server = call->server;

	ES_ASSERT(call->refs > 0);
	if (--call->refs > 0)
		return;
	ES_ASSERT(call->h2 == NULL);
	for (size_t i = 0; i < call->field_count; i++) {
		nghttp2_rcbuf_decref(call->fields[i].name);
		nghttp2_rcbuf_decref(call->fields[i].value);
	}
	es_grpc_frame_close(&call->frame);
	es_buf_close(&call->stalled);
	server->calls_live--;
	if (server->free_call_count < ES_FREE_CALLS_MAX) {
		es_arena_reset(&call->arena);
		call->next_free = server->free_calls;
		server->free_calls = call;
		server->free_call_count++;
	} else {
		es_arena_close(&call->arena);
		es_free(server->mem, call);
	}
}

void es_rpc_free_calls(struct es_rpc_server *server)
{
	while (server->free_calls != NULL) {
		struct es_rpc_call *call = server->free_calls;

		server->free_calls = call->next_free;
		es_arena_close(&call->arena);
		es_free(server->mem, call);
	}
}

void es_call_owe(struct es_rpc_call *call)
{
	size_t bytes = call->arena.bytes;

	call->arena_first = bytes > ES_CALL_ARENA_BYTES ? bytes : ES_CALL_ARENA_BYTES;
	if (call->entry->method->waits)
		return;
	call->owed = true;
	call->h2->owed_count++;
}

static void owe_no_more(struct es_rpc_call *call)
{
	if (call->owed)
		call->h2->owed_count--;
	call->owed = false;
}

void es_call_recount(struct es_rpc_call *call)
{
	struct es_h2 *h2 = call->h2;
	size_t bytes = call->arena.bytes;
	size_t held = bytes > call->arena_first ? bytes - call->arena_first : 0;
	size_t kept = 0;

	if (h2 == NULL || call->entry == NULL || call->entry->method->kind == ES_RPC_BIDI)
		return;
	if (call->state != ES_CALL_OPEN || call->body != NULL) {
		kept = held;
		held = 0;
	}
	h2->kept_bytes = h2->kept_bytes - call->kept_bytes + kept;
	call->kept_bytes = kept;
	if (held != call->arena_held) {
		es_h2_hold(call, call->held_bytes - call->arena_held + held);
		call->arena_held = held;
	}
}

void es_call_answered(struct es_rpc_call *call)
{
	struct es_h2 *h2 = call->h2;

	es_call_recount(call);
	if (!call->owed)
		return;
	h2->answer_mean = (h2->answer_mean * (MEAN_WEIGHT - 1) + call->queued_bytes +
			   call->kept_bytes) /
			  MEAN_WEIGHT;
	owe_no_more(call);
}

/* The call leaves everything that waits for it. */
static void settle(struct es_rpc_call *call, enum es_call_state state, enum es_grpc_code code)
{
	const struct es_rpc_hooks *hooks = &call->server->hooks;

	call->state = state;
	es_wheel_remove(&call->server->deadlines, &call->deadline);
	es_queue_remove(&call->progress_link);
	es_queue_remove(&call->writable_link);
	if (call->started && hooks->finish != NULL)
		hooks->finish(hooks->ctx, call->entry->method, code,
			      now_us(call->server) - call->started_us);
}

void es_call_end(struct es_rpc_call *call, enum es_grpc_code code)
{
	if (call->state >= ES_CALL_FINISHED)
		return;
	settle(call, ES_CALL_CLOSED, code);
	owe_no_more(call);
	if (call->http != NULL)
		es_h2_http_closed(call);
	else if (call->began && call->entry->method->closed != NULL)
		call->entry->method->closed(call);
}

void es_call_abort(struct es_rpc_call *call, enum es_grpc_code code, const char *message)
{
	if (call->state >= ES_CALL_FINISHED)
		return;
	es_call_end(call, code);
	/* Trailers may follow whole messages, but not cut one in two. A client whose deadline has
	 * passed takes no more of them. CANCEL would be the client's own will: to any other end it
	 * may answer by trying again. */
	if (code == ES_GRPC_DEADLINE_EXCEEDED &&
	    (call->queued_bytes > 0 || call->body != NULL || call->entry == NULL))
		es_call_reset(call, NGHTTP2_CANCEL);
	else if (call->body != NULL || call->entry == NULL)
		es_call_reset(call, NGHTTP2_INTERNAL_ERROR);
	else
		es_call_answer(call, code, message);
}

void es_call_deadline_passed(struct es_rpc_call *call)
{
	es_call_abort(call, ES_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

void es_call_detach(struct es_rpc_call *call)
{
	struct es_h2 *h2 = call->h2;

	es_call_end(call, ES_GRPC_CANCELLED);
	es_call_out_close(call);
	es_queue_remove(&call->writable_link);
	es_queue_remove(&call->link);
	h2->call_count--;
	if (call->complete)
		h2->complete_count--;
	if (h2->current == call)
		h2->current = NULL;
	h2->kept_bytes -= call->kept_bytes;
	es_h2_hold(call, 0);
	call->h2 = NULL;
	es_call_unref(call);
}

void es_call_start(struct es_rpc_call *call)
{
	call->started = true;
	if (call->server->hooks.finish != NULL)
		call->started_us = now_us(call->server);
}

/* ---- what handlers call --------------------------------------------------------------- */

void *es_rpc_call_ctx(const struct es_rpc_call *call)
{
	return call->entry->ctx;
}

const struct es_rpc_method *es_rpc_call_method(const struct es_rpc_call *call)
{
	return call->entry->method;
}

void es_rpc_call_set_data(struct es_rpc_call *call, void *data)
{
	call->data = data;
}

void *es_rpc_call_data(const struct es_rpc_call *call)
{
	return call->data;
}

struct es_arena *es_rpc_call_arena(struct es_rpc_call *call)
{
	return &call->arena;
}

bool es_rpc_call_metadata(const struct es_rpc_call *call, const char *name,
			  struct es_slice *ret_value)
{
	if (call->gateway != NULL)
		return es_gateway_metadata(call, es_slice_str(name), ret_value);
	return es_call_find_field(call, es_slice_str(name), ret_value);
}

uint64_t es_rpc_call_deadline_ms(const struct es_rpc_call *call)
{
	return call->deadline_ms;
}

void es_rpc_call_hold(struct es_rpc_call *call)
{
	call->refs++;
}

void es_rpc_call_release(struct es_rpc_call *call)
{
	es_call_unref(call);
}

bool es_rpc_call_is_closed(const struct es_rpc_call *call)
{
	return call->state >= ES_CALL_FINISHED;
}

void es_rpc_finish(struct es_rpc_call *call, enum es_grpc_code code, const char *message)
{
	if (call->state >= ES_CALL_FINISHED)
		return;
	settle(call, ES_CALL_FINISHED, code);
	es_call_answered(call);
	es_call_answer(call, code, message);
}

void es_rpc_finish_status(struct es_rpc_call *call, int status)
{
	if (status >= 0)
		es_rpc_finish(call, ES_GRPC_OK, NULL);
	else
		es_rpc_finish(call, es_status_grpc(status), es_status_text(status));
}

void es_rpc_abort(struct es_rpc_call *call)
{
	es_call_end(call, ES_GRPC_RESOURCE_EXHAUSTED);
	es_call_reset(call, NGHTTP2_ENHANCE_YOUR_CALM);
}

bool es_h2_is_full(const struct es_h2 *h2)
{
	size_t queued = h2->queued_bytes - h2->streamed_bytes;

	return queued / QUEUES_MAX > h2->server->config.conn_queue_bytes_max;
}

/* Bidirectional calls look at es_rpc_is_congested before. */
static bool must_refuse(const struct es_rpc_call *call)
{
	if (call->gateway != NULL)
		return es_gateway_is_full(call);
	return call->entry->method->kind != ES_RPC_BIDI && es_h2_is_full(call->h2);
}

uint8_t *es_rpc_send(struct es_rpc_call *call, size_t size)
{
	const struct es_rpc_hooks *hooks = &call->server->hooks;
	uint8_t *out;

	if (call->state != ES_CALL_OPEN)
		return NULL;
	ES_ASSERT(call->body == NULL && size <= UINT32_MAX);
	if (size > SMALL_ANSWER && must_refuse(call)) {
		es_rpc_finish(call, ES_GRPC_RESOURCE_EXHAUSTED,
			      "engenho: too many answers wait on this connection");
		return NULL;
	}
	out = call->gateway != NULL ? es_gateway_reserve(call, size)
				    : es_call_reserve(call, ES_GRPC_PREFIX_BYTES + size);
	if (out == NULL) {
		es_rpc_finish_status(call, ES_ENOMEM);
		return NULL;
	}
	if (call->entry->method->kind == ES_RPC_SERVER_STREAM)
		es_call_answered(call);
	if (hooks->message != NULL)
		hooks->message(hooks->ctx, call->entry->method, false, size);
	/* A unary call's answer is complete when it is finished, and starts then. */
	if (call->entry->method->kind != ES_RPC_UNARY)
		es_call_out_start(call);
	return call->gateway != NULL ? out : es_grpc_frame_write(out, (uint32_t)size);
}

int es_rpc_send_body(struct es_rpc_call *call, struct es_rpc_body *body)
{
	const struct es_rpc_hooks *hooks = &call->server->hooks;
	uint8_t *out = NULL;

	ES_ASSERT(call->body == NULL && body->size <= UINT32_MAX);
	ES_ASSERT(call->gateway == NULL); /* rpc/gateway.h */
	if (call->state == ES_CALL_OPEN) {
		out = es_call_reserve(call, ES_GRPC_PREFIX_BYTES);
		if (out == NULL)
			es_rpc_finish_status(call, ES_ENOMEM);
	}
	if (out == NULL) {
		body->done(body);
		return call->state == ES_CALL_FINISHED ? ES_ENOMEM : ES_ECANCELED;
	}
	es_grpc_frame_write(out, (uint32_t)body->size);
	if (hooks->message != NULL)
		hooks->message(hooks->ctx, call->entry->method, false, body->size);
	if (body->size == 0) {
		body->done(body);
	} else {
		call->body = body;
		call->body_left = body->size;
	}
	es_call_answered(call);
	es_call_out_start(call);
	return 0;
}

bool es_rpc_is_congested(struct es_rpc_call *call)
{
	if (call->state != ES_CALL_OPEN || call->gateway != NULL || !es_h2_is_congested(call))
		return false;
	call->low_due = true;
	return true;
}

size_t es_rpc_queued_bytes(const struct es_rpc_call *call)
{
	return call->gateway != NULL ? es_gateway_queued(call) : call->queued_bytes;
}

void es_rpc_set_queue_low(struct es_rpc_call *call, size_t bytes)
{
	call->queue_low = bytes;
}
