/*
 * Plain requests on streams of HTTP/2. They use a call for its stream, its fields, its queue and
 * its limits; the body is gathered where the frame parser of a gRPC call would gather a message.
 */
#include "rpc/internal.h"

#include <stdio.h>

struct es_h2_http {
	struct es_http_request request;
	struct es_rpc_call *call;
	struct es_slice target;
	size_t held_bytes; /* of the call's, for es_http_carrier.hold */
};

static char *arena_text(struct es_rpc_call *call, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = es_arena_alloc(&call->arena, size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

/* false: no memory. */
static bool add_field(struct es_rpc_call *call, nghttp2_nv *fields, size_t *count, const char *name,
		      const char *value)
{
	char *copy = arena_text(call, value);

	if (copy == NULL)
		return false;
	fields[(*count)++] = es_h2_nv(name, es_slice_str(copy));
	return true;
}

static bool write_body(struct es_rpc_call *call, const struct es_http_answer *answer)
{
	uint8_t *out;

	if (answer->head || answer->body.len == 0)
		return true;
	out = es_call_reserve(call, answer->body.len);
	if (out != NULL)
		memcpy(out, answer->body.data, answer->body.len);
	return out != NULL;
}

/* `is_whole`: with its length. */
static bool submit(struct es_rpc_call *call, const struct es_http_answer *answer, bool is_whole)
{
	nghttp2_nv fields[5];
	size_t count = 0;
	char status[12], length[24], date[ES_HTTP_DATE_BYTES];

	snprintf(status, sizeof(status), "%d", answer->status);
	snprintf(length, sizeof(length), "%zu", answer->body.len);
	es_http_date(call->server, date);
	if (!add_field(call, fields, &count, ":status", status) ||
	    !add_field(call, fields, &count, "content-type", answer->content_type) ||
	    (is_whole && !add_field(call, fields, &count, "content-length", length)) ||
	    !add_field(call, fields, &count, "date", date) ||
	    (answer->allow != NULL && !add_field(call, fields, &count, "allow", answer->allow)))
		return false;
	call->answered = is_whole;
	es_call_submit(call, fields, count);
	return true;
}

static struct es_rpc_call *call_of(const struct es_http_request *request)
{
	return ES_CONTAINER_OF(request, struct es_h2_http, request)->call;
}

static void h2_http_hold(struct es_http_request *request, size_t bytes)
{
	struct es_h2_http *http = ES_CONTAINER_OF(request, struct es_h2_http, request);
	struct es_rpc_call *call = http->call;

	if (call->state != ES_CALL_OPEN || bytes == http->held_bytes)
		return;
	es_h2_hold(call, call->held_bytes - http->held_bytes + bytes);
	http->held_bytes = bytes;
}

/* The request is over; the answer may still be on its way. */
static void finish(struct es_rpc_call *call)
{
	if (call->state == ES_CALL_OPEN) {
		h2_http_hold(&call->http->request, 0);
		call->state = ES_CALL_FINISHED;
		es_queue_remove(&call->progress_link);
		es_call_answered(call);
	}
	es_call_unref(call);
}

static void h2_http_answer(struct es_http_request *request, const struct es_http_answer *answer)
{
	struct es_rpc_call *call = call_of(request);

	if (call->state == ES_CALL_OPEN &&
	    (!write_body(call, answer) || !submit(call, answer, true)))
		es_call_reset(call, NGHTTP2_INTERNAL_ERROR);
	finish(call);
}

/* ---- answers in parts ----------------------------------------------------------------- */

static int h2_http_begin(struct es_http_request *request, const struct es_http_answer *head)
{
	return submit(call_of(request), head, false) ? 0 : ES_ENOMEM;
}

static int h2_http_part(struct es_http_request *request, struct es_slice bytes)
{
	struct es_rpc_call *call = call_of(request);
	uint8_t *out = es_call_reserve(call, bytes.len);

	if (out == NULL)
		return ES_ENOMEM;
	memcpy(out, bytes.data, bytes.len);
	es_call_answered(call);
	es_call_out_start(call);
	return 0;
}

static void h2_http_end(struct es_http_request *request)
{
	struct es_rpc_call *call = call_of(request);

	if (call->state == ES_CALL_OPEN) {
		call->answered = true;
		es_call_out_start(call);
	}
	finish(call);
}

static void h2_http_cut(struct es_http_request *request)
{
	struct es_rpc_call *call = call_of(request);

	if (call->state == ES_CALL_OPEN)
		es_call_reset(call, NGHTTP2_INTERNAL_ERROR);
	finish(call);
}

static size_t h2_http_queued(const struct es_http_request *request)
{
	return call_of(request)->queued_bytes;
}

static void h2_http_wake(struct es_http_request *request)
{
	struct es_rpc_call *call = call_of(request);

	if (call->state != ES_CALL_OPEN)
		return;
	es_queue_remove(&call->writable_link);
	es_queue_push(&call->h2->writable, &call->writable_link);
	es_rpc_conn_wake(call->h2->conn);
}

static void h2_http_owe(struct es_http_request *request)
{
	struct es_rpc_call *call = call_of(request);

	call->owed = true;
	call->h2->owed_count++;
}

static bool h2_http_is_full(const struct es_http_request *request)
{
	const struct es_rpc_call *call = call_of(request);

	return call->h2 != NULL && es_h2_is_full(call->h2);
}

/* ---- requests ------------------------------------------------------------------------- */

static bool h2_http_header(const struct es_http_request *request, struct es_slice name,
			   struct es_slice *ret_value)
{
	return es_call_find_field(call_of(request), name, ret_value);
}

static const struct es_http_carrier carrier = {
	.answer = h2_http_answer,
	.header = h2_http_header,
	.begin = h2_http_begin,
	.part = h2_http_part,
	.end = h2_http_end,
	.cut = h2_http_cut,
	.queued = h2_http_queued,
	.wake = h2_http_wake,
	.owe = h2_http_owe,
	.hold = h2_http_hold,
	.is_full = h2_http_is_full,
};

void es_h2_http_begin(struct es_rpc_call *call, struct es_slice method, struct es_slice target)
{
	struct es_h2_http *http = es_arena_calloc(&call->arena, 1, sizeof(*http));

	if (http == NULL) {
		es_call_reset(call, NGHTTP2_REFUSED_STREAM);
		call->state = ES_CALL_CLOSED;
		return;
	}
	http->request = (struct es_http_request){
		.carrier = &carrier,
		.server = call->server,
		.face = call->h2->conn->face,
		.arena = &call->arena,
		.method = method,
	};
	http->call = call;
	http->target = target;
	call->http = http;
	call->state = ES_CALL_OPEN;
	es_queue_push(&call->h2->incomplete, &call->progress_link);
}

static void refuse(struct es_rpc_call *call, int status)
{
	es_rpc_call_hold(call); /* until it is answered */
	es_http_refuse_target(&call->http->request, call->http->target, status);
}

void es_h2_http_data(struct es_rpc_call *call, const uint8_t *data, size_t len)
{
	size_t gathered = call->frame.message.cap;

	if (call->state != ES_CALL_OPEN || call->complete)
		return;
	if (len > call->server->config.recv_message_bytes_max - call->frame.message.len) {
		refuse(call, 413);
	} else if (es_buf_append(&call->frame.message, data, len) < 0) {
		refuse(call, 503);
	} else {
		es_call_account(call, gathered);
	}
}

void es_h2_http_ready(struct es_rpc_call *call)
{
	call->complete = true;
	call->h2->complete_count++;
	es_queue_remove(&call->progress_link);
	if (!es_h2_must_wait(call))
		es_h2_http_serve(call);
}

void es_h2_http_serve(struct es_rpc_call *call)
{
	call->http->request.body = es_buf_slice(&call->frame.message);
	es_rpc_call_hold(call); /* until it is answered */
	es_http_dispatch(&call->http->request, call->http->target);
}

/* ---- what its answerer hears ---------------------------------------------------------- */

void es_h2_http_pull(struct es_rpc_call *call)
{
	struct es_http_request *request = &call->http->request;

	if (call->state == ES_CALL_OPEN && request->events != NULL)
		request->events->pull(request);
}

void es_h2_http_drain(struct es_rpc_call *call)
{
	struct es_http_request *request = &call->http->request;

	if (call->state == ES_CALL_OPEN && request->events != NULL)
		request->events->drain(request);
}

void es_h2_http_closed(struct es_rpc_call *call)
{
	struct es_http_request *request = &call->http->request;

	if (request->events != NULL)
		request->events->closed(request);
}
