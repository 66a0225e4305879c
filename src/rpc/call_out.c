/*
 * Answers. What a handler sends is written once, into the chunks of the call's queue, and copied
 * once more, by es_call_send_data, into the buffer that goes to the socket. nghttp2 asks how much
 * there is (read_data), frames it as windows allow, and has it copied (NGHTTP2_DATA_FLAG_NO_COPY).
 *
 * A call's data source is in one of three states: not submitted; submitted, nghttp2 asks by itself;
 * deferred, nghttp2 found nothing and waits for nghttp2_session_resume_data.
 */
#include "rpc/internal.h"

#include <stdio.h>

#include "wire/grpc_text.h"

#define CHUNK_BYTES       ((size_t)2048)
#define MESSAGE_BYTES_MAX 4096
#define FRAME_HEAD        9

#define FIELD(field_name, field_value)                                                   \
	{                                                                                \
		(uint8_t *)(uintptr_t)(field_name), (uint8_t *)(uintptr_t)(field_value), \
			sizeof(field_name) - 1, sizeof(field_value) - 1,                 \
			NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE     \
	}

static const nghttp2_nv response_fields[] = {
	FIELD(":status", "200"),
	FIELD("content-type", "application/grpc"),
};

static const nghttp2_nv ok_trailers[] = {FIELD("grpc-status", "0")};

/* ---- the queue ------------------------------------------------------------------------ */

static struct es_out_chunk *take_chunk(struct es_rpc_server *server, size_t size)
{
	size_t cap = CHUNK_BYTES - sizeof(struct es_out_chunk);
	struct es_out_chunk *chunk;

	if (size > cap)
		cap = size;
	if (cap > SIZE_MAX - sizeof(*chunk))
		return NULL;
	chunk = es_pool_alloc(&server->pool, sizeof(*chunk) + cap);
	if (chunk != NULL)
		*chunk = (struct es_out_chunk){.cap = cap};
	return chunk;
}

static void count_queued(struct es_rpc_call *call, ptrdiff_t change)
{
	call->queued_bytes += (size_t)change;
	call->h2->queued_bytes += (size_t)change;
	if (call->entry != NULL && call->entry->method->kind == ES_RPC_BIDI)
		call->h2->streamed_bytes += (size_t)change;
}

uint8_t *es_call_reserve(struct es_rpc_call *call, size_t size)
{
	struct es_out_chunk *chunk = call->out_last;
	uint8_t *place;

	if (chunk == NULL || chunk->cap - chunk->end < size) {
		chunk = take_chunk(call->server, size);
		if (chunk == NULL)
			return NULL;
		if (call->out_last == NULL)
			call->out_first = chunk;
		else
			call->out_last->next = chunk;
		call->out_last = chunk;
	}
	place = chunk->bytes + chunk->end;
	chunk->end += size;
	count_queued(call, (ptrdiff_t)size);
	call->h2->fresh_bytes += size;
	if (call->queued_bytes > call->queue_low)
		call->above_low = true;
	return place;
}

static void drop_body(struct es_rpc_call *call)
{
	struct es_rpc_body *body = call->body;

	call->body = NULL;
	call->body_left = 0;
	if (body != NULL)
		body->done(body);
}

void es_call_out_close(struct es_rpc_call *call)
{
	drop_body(call);
	while (call->out_first != NULL) {
		struct es_out_chunk *chunk = call->out_first;

		call->out_first = chunk->next;
		es_pool_free(&call->server->pool, chunk);
	}
	call->out_last = NULL;
	count_queued(call, -(ptrdiff_t)call->queued_bytes);
}

/* Move `len` queued bytes to `out`. */
static void copy_queued(struct es_rpc_call *call, uint8_t *out, size_t len)
{
	count_queued(call, -(ptrdiff_t)len);
	while (len > 0) {
		struct es_out_chunk *chunk = call->out_first;
		size_t part = chunk->end - chunk->start;

		if (part > len)
			part = len;
		memcpy(out, chunk->bytes + chunk->start, part);
		out += part;
		len -= part;
		chunk->start += part;
		if (chunk->start < chunk->end)
			break;
		call->out_first = chunk->next;
		if (call->out_first == NULL)
			call->out_last = NULL;
		es_pool_free(&call->server->pool, chunk);
	}
}

/* false: the body cannot go on. */
static bool copy_body(struct es_rpc_call *call, uint8_t *out, size_t len)
{
	while (len > 0) {
		ptrdiff_t made = call->body->produce(call->body, out, len);

		if (made <= 0)
			return false;
		ES_ASSERT((size_t)made <= len);
		out += made;
		len -= (size_t)made;
		call->body_left -= (uint64_t)made;
	}
	if (call->body_left == 0)
		drop_body(call);
	return true;
}

int es_call_send_data(struct es_h2 *h2, struct es_rpc_call *call, const uint8_t *frame_head,
		      size_t len)
{
	uint8_t *out = h2->out + h2->out_len;
	size_t queued = len < call->queued_bytes ? len : call->queued_bytes;

	/* Between read_data and this the call may have been reset and its body failed, but nothing
	 * is ever taken away from the queue before its stream is closed. */
	ES_ASSERT(queued == len || call->body_left >= len - queued);
	memcpy(out, frame_head, FRAME_HEAD);
	out += FRAME_HEAD;
	copy_queued(call, out, queued);
	if (queued < len && !copy_body(call, out + queued, len - queued)) {
		es_call_end(call, ES_GRPC_INTERNAL);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* nghttp2 resets the stream */
	}
	h2->out_len += FRAME_HEAD + len;
	if (call->above_low && call->queued_bytes <= call->queue_low) {
		call->above_low = false;
		call->low_due = true;
	}
	if (call->low_due || call->http != NULL || es_call_may_unstall(call)) {
		es_queue_remove(&call->writable_link);
		es_queue_push(&h2->writable, &call->writable_link);
	}
	return 0;
}

/* ---- fields --------------------------------------------------------------------------- */

nghttp2_nv es_h2_nv(const char *name, struct es_slice value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.data,
			    strlen(name), value.len,
			    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static const char *const code_texts[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
					 "9", "10", "11", "12", "13", "14", "15", "16"};

/* grpc-status and grpc-message at `fields`; how many. */
static size_t status_fields(const struct es_rpc_call *call, nghttp2_nv fields[2])
{
	fields[0] = es_h2_nv("grpc-status", es_slice_str(code_texts[call->code]));
	if (call->message.len == 0)
		return 1;
	fields[1] = es_h2_nv("grpc-message", call->message);
	return 2;
}

/* Spaces at the ends are no part of a field's value in HTTP, and a strict client refuses them. */
static struct es_slice trim(struct es_slice text)
{
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	while (text.len > 0 && text.data[0] == ' ')
		text = es_slice(text.data + 1, text.len - 1);
	return text;
}

/* The text goes out percent-encoded and lives in the arena, as nghttp2 does not copy fields.
 * Without memory the code has to do. */
static void set_status(struct es_rpc_call *call, enum es_grpc_code code, const char *message)
{
	struct es_slice text = message == NULL ? es_slice(NULL, 0) : trim(es_slice_str(message));
	uint8_t *encoded;

	ES_ASSERT((size_t)code < ES_ARRAY_LEN(code_texts));
	call->code = code;
	if (text.len > MESSAGE_BYTES_MAX)
		text.len = MESSAGE_BYTES_MAX;
	if (text.len == 0)
		return;
	encoded = es_arena_alloc(&call->arena, es_grpc_percent_size(text));
	if (encoded == NULL)
		return;
	call->message = es_slice(encoded, (size_t)(es_grpc_percent_write(encoded, text) - encoded));
}

static int submit_trailers(struct es_rpc_call *call)
{
	nghttp2_nv fields[2];

	if (call->code == ES_GRPC_OK)
		return nghttp2_submit_trailer(call->h2->session, call->stream_id, ok_trailers,
					      ES_ARRAY_LEN(ok_trailers));
	return nghttp2_submit_trailer(call->h2->session, call->stream_id, fields,
				      status_fields(call, fields));
}

static int submit_only_trailers(struct es_rpc_call *call, const char *http_status)
{
	nghttp2_nv fields[4] = {es_h2_nv(":status", es_slice_str(http_status)), response_fields[1]};
	size_t count = 2 + status_fields(call, fields + 2);

	return nghttp2_submit_response(call->h2->session, call->stream_id, fields, count, NULL);
}

/* ---- the data source ------------------------------------------------------------------ */

static ssize_t read_data(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t len,
			 uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct es_rpc_call *call = source->ptr;
	uint64_t have = call->queued_bytes + call->body_left;

	(void)session;
	(void)stream_id;
	(void)buf;
	(void)user_data;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (have > len)
		return (ssize_t)len;
	if (call->answered) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (call->http == NULL) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (submit_trailers(call) != 0)
				return NGHTTP2_ERR_CALLBACK_FAILURE;
		}
	} else if (have == 0) {
		call->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)have;
}

static void check(struct es_rpc_call *call, int rc)
{
	if (rc != 0)
		es_h2_failed(call->h2, rc);
	es_rpc_conn_wake(call->h2->conn);
}

void es_call_submit(struct es_rpc_call *call, const nghttp2_nv *fields, size_t count)
{
	nghttp2_data_provider source = {{.ptr = call}, read_data};
	bool more = call->queued_bytes > 0 || call->body != NULL || !call->answered;

	call->submitted = true;
	check(call, nghttp2_submit_response(call->h2->session, call->stream_id, fields, count,
					    more ? &source : NULL));
}

void es_call_out_start(struct es_rpc_call *call)
{
	if (call->gateway != NULL) {
		es_gateway_wake(call);
	} else if (!call->submitted) {
		es_call_submit(call, response_fields, ES_ARRAY_LEN(response_fields));
	} else if (call->deferred) {
		call->deferred = false;
		check(call, nghttp2_session_resume_data(call->h2->session, call->stream_id));
	} else {
		es_rpc_conn_wake(call->h2->conn);
	}
}

void es_call_answer(struct es_rpc_call *call, enum es_grpc_code code, const char *message)
{
	if (call->gateway != NULL)
		es_gateway_answer(call, code, message);
	if (call->h2 == NULL || call->answered)
		return;
	set_status(call, code, message);
	call->answered = true;
	if (call->submitted && call->deferred) {
		/* Nothing is queued: no empty DATA frame, the trailers end the stream and its data
		 * source. */
		check(call, submit_trailers(call));
	} else if (call->submitted || call->queued_bytes > 0 || call->body != NULL) {
		es_call_out_start(call);
	} else {
		call->submitted = true;
		check(call, submit_only_trailers(call, "200"));
	}
}

void es_call_refuse(struct es_rpc_call *call, const char *http_status, enum es_grpc_code code,
		    const char *message)
{
	set_status(call, code, message);
	call->state = ES_CALL_CLOSED;
	call->answered = true;
	call->submitted = true;
	check(call, submit_only_trailers(call, http_status));
}

void es_call_reset(struct es_rpc_call *call, uint32_t error_code)
{
	if (call->gateway != NULL)
		es_gateway_reset(call);
	if (call->h2 == NULL)
		return;
	check(call, nghttp2_submit_rst_stream(call->h2->session, NGHTTP2_FLAG_NONE, call->stream_id,
					      error_code));
}
