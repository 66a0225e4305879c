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

static bool submit(struct es_rpc_call *call, const struct es_http_answer *answer)
{
	nghttp2_nv fields[5];
	size_t count = 0;
	char status[12], length[24], date[ES_HTTP_DATE_BYTES];

	snprintf(status, sizeof(status), "%d", answer->status);
	snprintf(length, sizeof(length), "%zu", answer->body.len);
	es_http_date(call->server, date);
	if (!add_field(call, fields, &count, ":status", status) ||
	    !add_field(call, fields, &count, "content-type", answer->content_type) ||
	    !add_field(call, fields, &count, "content-length", length) ||
	    !add_field(call, fields, &count, "date", date) ||
	    (answer->allow != NULL && !add_field(call, fields, &count, "allow", answer->allow)) ||
	    !write_body(call, answer))
		return false;
	call->answered = true;
	es_call_submit(call, fields, count);
	return true;
}

static void h2_http_answer(struct es_http_request *request, const struct es_http_answer *answer)
{
	struct es_rpc_call *call = ES_CONTAINER_OF(request, struct es_h2_http, request)->call;

	if (call->state == ES_CALL_OPEN) {
		call->state = ES_CALL_FINISHED;
		es_queue_remove(&call->progress_link);
		if (!submit(call, answer))
			es_call_reset(call, NGHTTP2_INTERNAL_ERROR);
	}
	es_call_unref(call);
}

static bool h2_http_header(const struct es_http_request *request, struct es_slice name,
			   struct es_slice *ret_value)
{
	return es_call_find_field(ES_CONTAINER_OF(request, struct es_h2_http, request)->call, name,
				  ret_value);
}

static const struct es_http_carrier carrier = {h2_http_answer, h2_http_header};

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
	es_http_refuse(&call->http->request, status, NULL);
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
