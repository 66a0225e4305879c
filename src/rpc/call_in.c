/*
 * Requests. The order of the checks, the statuses and the texts are those of grpc-go's server,
 * which etcd's clients know.
 */
#include "rpc/internal.h"

#include <stdio.h>

#include "wire/grpc_text.h"

#define HEADER_LIST_BYTES_MAX ((size_t)64 << 10)
#define HEADER_FIELDS_MAX     1000
/* Calls of a connection that are begun and not answered. */
#define OWED_MAX 1024

/* ES_ETOO_LARGE, ES_ENOMEM. */
int es_call_field(struct es_rpc_call *call, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	struct es_h2_field *fields;

	/* As SETTINGS_MAX_HEADER_LIST_SIZE counts. */
	call->field_bytes += es_h2_bytes(name).len + es_h2_bytes(value).len + 32;
	if (call->field_bytes > HEADER_LIST_BYTES_MAX || call->field_count >= HEADER_FIELDS_MAX)
		return ES_ETOO_LARGE;
	if (call->field_count == call->field_cap) {
		fields = es_arena_alloc(&call->arena, call->field_cap * 2 * sizeof(*fields));
		if (fields == NULL)
			return ES_ENOMEM;
		memcpy(fields, call->fields, call->field_count * sizeof(*fields));
		call->fields = fields;
		call->field_cap *= 2;
	}
	call->fields[call->field_count++] = (struct es_h2_field){name, value};
	nghttp2_rcbuf_incref(name);
	nghttp2_rcbuf_incref(value);
	return 0;
}

bool es_call_find_field(const struct es_rpc_call *call, struct es_slice name,
			struct es_slice *ret_value)
{
	for (size_t i = 0; i < call->field_count; i++) {
		if (es_slice_eq(es_h2_bytes(call->fields[i].name), name)) {
			*ret_value = es_h2_bytes(call->fields[i].value);
			return true;
		}
	}
	return false;
}

/* The fields that the transport itself reads. */
struct known {
	struct es_slice method, path, content_type, timeout, encoding;
	bool has_timeout;
};

static bool is(struct es_slice name, const char *text)
{
	return memcmp(name.data, text, name.len) == 0;
}

static void read_known(struct es_rpc_call *call, struct known *known)
{
	memset(known, 0, sizeof(*known));
	for (size_t i = 0; i < call->field_count; i++) {
		struct es_slice name = es_h2_bytes(call->fields[i].name);
		struct es_slice value = es_h2_bytes(call->fields[i].value);

		switch (name.len) {
		case 5:
			if (is(name, ":path"))
				known->path = value;
			break;
		case 7:
			if (is(name, ":method"))
				known->method = value;
			break;
		case 12:
			if (is(name, "content-type"))
				known->content_type = value;
			else if (is(name, "grpc-timeout")) {
				known->timeout = value;
				known->has_timeout = true;
			}
			break;
		case 13:
			if (is(name, "grpc-encoding"))
				known->encoding = value;
			break;
		default: break;
		}
	}
}

static bool is_grpc(struct es_slice content_type)
{
	struct es_slice base = ES_SLICE("application/grpc");

	if (content_type.len < base.len || memcmp(content_type.data, base.data, base.len) != 0)
		return false;
	return content_type.len == base.len || content_type.data[base.len] == '+' ||
	       content_type.data[base.len] == ';';
}

static struct es_slice cut(struct es_slice text, size_t max)
{
	return es_slice(text.data, text.len < max ? text.len : max);
}

#define SLICE_ARGS(slice) (int)(slice).len, (const char *)(slice).data

static void refuse_unknown(struct es_rpc_call *call, struct es_slice path)
{
	const uint8_t *slash = path.len > 1 ? memrchr(path.data + 1, '/', path.len - 1) : NULL;
	struct es_slice service, method;
	char text[600];

	path = cut(path, 512);
	if (path.len == 0 || path.data[0] != '/' || slash == NULL ||
	    slash >= path.data + path.len) {
		snprintf(text, sizeof(text), "malformed method name: \"%.*s\"", SLICE_ARGS(path));
		es_call_refuse(call, "200", ES_GRPC_UNIMPLEMENTED, text);
		return;
	}
	service = es_slice(path.data + 1, (size_t)(slash - path.data - 1));
	method = es_slice(slash + 1, (size_t)(path.data + path.len - slash - 1));
	if (es_rpc_has_service(call->server, service))
		snprintf(text, sizeof(text), "unknown method %.*s for service %.*s",
			 SLICE_ARGS(method), SLICE_ARGS(service));
	else
		snprintf(text, sizeof(text), "unknown service %.*s", SLICE_ARGS(service));
	es_call_refuse(call, "200", ES_GRPC_UNIMPLEMENTED, text);
}

/* true: the call was refused. */
static bool refuse_bad_headers(struct es_rpc_call *call, const struct known *known,
			       uint64_t *ret_timeout_ns)
{
	char text[256];

	*ret_timeout_ns = UINT64_MAX;
	if (!is_grpc(known->content_type)) {
		snprintf(text, sizeof(text), "invalid gRPC request content-type \"%.*s\"",
			 SLICE_ARGS(cut(known->content_type, 128)));
		es_call_refuse(call, "415", ES_GRPC_INVALID_ARGUMENT, text);
		return true;
	}
	if (known->has_timeout && es_grpc_timeout_parse(known->timeout, ret_timeout_ns) < 0) {
		snprintf(text, sizeof(text), "malformed grpc-timeout: \"%.*s\"",
			 SLICE_ARGS(cut(known->timeout, 64)));
		es_call_refuse(call, "400", ES_GRPC_INTERNAL, text);
		return true;
	}
	if (!es_slice_eq(known->method, ES_SLICE("POST"))) {
		snprintf(text, sizeof(text),
			 "Received a HEADERS frame with :method \"%.*s\" which should be POST",
			 SLICE_ARGS(cut(known->method, 32)));
		es_call_refuse(call, "405", ES_GRPC_INTERNAL, text);
		return true;
	}
	if (*ret_timeout_ns == 0) {
		es_call_refuse(call, "200", ES_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
		return true;
	}
	return false;
}

/* A plain HTTP request. A known method with a content type that is not gRPC's is a mistake of the
 * client that grpc-go's answer explains best. */
static bool is_plain(const struct es_rpc_call *call, const struct known *known)
{
	unsigned faces = call->h2->conn->face->faces;

	if ((faces & ES_RPC_FACE_GRPC) == 0)
		return true;
	return (faces & ES_RPC_FACE_HTTP) != 0 && call->entry == NULL &&
	       !is_grpc(known->content_type);
}

void es_call_set_deadline(struct es_rpc_call *call, uint64_t timeout_ns)
{
	uint64_t timeout_ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);

	call->deadline_ms = call->server->now_ms + timeout_ms;
	es_wheel_add(&call->server->deadlines, &call->deadline, call->deadline_ms);
	es_rpc_deadline_added(call->server, call->deadline_ms);
}

static void open_call(struct es_rpc_call *call)
{
	const struct es_rpc_hooks *hooks = &call->server->hooks;
	const struct es_rpc_method *method = call->entry->method;
	int rc;

	call->state = ES_CALL_OPEN;
	if (hooks->start != NULL) {
		rc = hooks->start(hooks->ctx, call, method);
		if (rc < 0) {
			es_rpc_finish_status(call, rc);
			return;
		}
	}
	es_call_start(call);
	if (method->kind != ES_RPC_BIDI) {
		es_queue_push(&call->h2->incomplete, &call->progress_link);
	} else if (method->opened != NULL) {
		call->began = true;
		method->opened(call);
	}
}

void es_call_headers_done(struct es_rpc_call *call)
{
	struct known known;
	uint64_t timeout_ns;
	char text[128];

	es_h2_hold(call, call->held_bytes + call->field_bytes);
	read_known(call, &known);
	call->entry = es_rpc_find_method(call->server, known.path);
	if (is_plain(call, &known)) {
		call->entry = NULL;
		es_h2_http_begin(call, known.method, known.path);
		return;
	}
	if (refuse_bad_headers(call, &known, &timeout_ns))
		return;
	if (call->entry == NULL) {
		refuse_unknown(call, known.path);
		return;
	}
	call->encoding = known.encoding;
	if (known.encoding.len > 0 && !es_slice_eq(known.encoding, ES_SLICE("identity"))) {
		snprintf(text, sizeof(text),
			 "grpc: Decompressor is not installed for grpc-encoding \"%.*s\"",
			 SLICE_ARGS(cut(known.encoding, 64)));
		es_call_refuse(call, "200", ES_GRPC_UNIMPLEMENTED, text);
		return;
	}
	if (timeout_ns != UINT64_MAX)
		es_call_set_deadline(call, timeout_ns);
	open_call(call);
}

/* ---- messages ------------------------------------------------------------------------- */

static void give_message(struct es_rpc_call *call, struct es_slice message)
{
	const struct es_rpc_hooks *hooks = &call->server->hooks;

	if (hooks->message != NULL)
		hooks->message(hooks->ctx, call->entry->method, true, message.len);
	call->began = true;
	if (call->entry->method->kind != ES_RPC_BIDI)
		es_call_owe(call);
	call->entry->method->message(call, message);
	es_call_recount(call);
}

/* What the answers of unary and server-streaming calls have of memory, and those that are still to
 * be made, as large as others were: an answer that a change of state makes can not wait. */
static bool may_begin(const struct es_h2 *h2, size_t max)
{
	size_t owed;

	if (h2->owed_count >= OWED_MAX ||
	    __builtin_mul_overflow(h2->owed_count, h2->answer_mean, &owed))
		return false;
	return h2->queued_bytes - h2->streamed_bytes + h2->kept_bytes + owed <= max;
}

bool es_h2_must_wait(struct es_rpc_call *call)
{
	struct es_h2 *h2 = call->h2;

	if (may_begin(h2, h2->server->config.conn_queue_bytes_max) && es_queue_empty(&h2->waiting))
		return false;
	es_queue_push(&h2->waiting, &call->progress_link);
	return true;
}

/* The one message of a unary or server-streaming call. It has to live as long as the call: in the
 * frame parser, where it was gathered, or else in the arena. */
static void complete_request(struct es_rpc_call *call, struct es_slice message)
{
	struct es_h2 *h2 = call->h2;
	uint8_t *copy;

	if (message.data != call->frame.message.data && message.len > 0) {
		copy = es_arena_alloc(&call->arena, message.len);
		if (copy == NULL) {
			es_rpc_finish_status(call, ES_ENOMEM);
			return;
		}
		memcpy(copy, message.data, message.len);
		message.data = copy;
		es_h2_hold(call, call->held_bytes + message.len);
	}
	call->complete = true;
	h2->complete_count++;
	es_queue_remove(&call->progress_link);
	call->request = message;
	if (!es_h2_must_wait(call))
		give_message(call, message);
}

void es_h2_admit(struct es_h2 *h2)
{
	size_t max = h2->server->config.conn_queue_bytes_max / 2;
	struct es_queue *q;

	while (may_begin(h2, max) && (q = es_queue_pop(&h2->waiting)) != NULL) {
		struct es_rpc_call *call = ES_QUEUE_ITEM(q, struct es_rpc_call, progress_link);

		if (call->http != NULL)
			es_h2_http_serve(call);
		else
			give_message(call, call->request);
	}
}

static void refuse_message(struct es_rpc_call *call, int status)
{
	char text[160];
	enum es_grpc_code code = es_grpc_frame_error(&call->frame, status, call->encoding, text,
						     sizeof(text));

	es_call_abort(call, code, text);
}

void es_call_account(struct es_rpc_call *call, size_t gathered_before)
{
	struct es_h2 *h2 = call->h2;
	size_t gathered = call->frame.message.cap + call->stalled.cap;

	if (gathered == gathered_before)
		return;
	es_h2_hold(call, call->held_bytes - gathered_before + gathered);
	if (gathered > gathered_before && es_h2_is_overfull(h2) && h2->complete_count == 0)
		es_call_abort(call, ES_GRPC_RESOURCE_EXHAUSTED,
			      "engenho: too much of unfinished requests on this connection");
}

/* A bidirectional call whose client sends but does not take the answers. Its share is a quarter of
 * the connection's, so that one such call leaves the others alone; many together have a limit, too.
 */
static bool must_stall(struct es_rpc_call *call)
{
	if (call->stalled.len > 0)
		return true;
	return call->entry->method->kind == ES_RPC_BIDI &&
	       (call->queued_bytes > call->server->config.conn_queue_bytes_max / 4 ||
		es_h2_is_congested(call));
}

/* The bytes of messages that may not be given yet are kept. How many there are is limited by the
 * stream's window. */
static void read_messages(struct es_rpc_call *call, struct es_slice bytes)
{
	size_t gathered = call->frame.message.cap + call->stalled.cap;
	struct es_slice message;
	int rc = 0;

	while (call->state == ES_CALL_OPEN && !call->complete && !must_stall(call)) {
		rc = es_grpc_frame_next(&call->frame, &bytes, &message);
		if (rc <= 0)
			break;
		if (call->entry->method->kind == ES_RPC_BIDI)
			give_message(call, message);
		else
			complete_request(call, message);
	}
	if (rc >= 0 && call->state == ES_CALL_OPEN && !call->complete && bytes.len > 0)
		rc = es_buf_append_slice(&call->stalled, bytes);
	es_call_account(call, gathered);
	if (rc < 0)
		refuse_message(call, rc);
}

size_t es_call_data_in(struct es_rpc_call *call, const uint8_t *data, size_t len)
{
	size_t stalled = call->stalled.len;
	if (call->http != NULL)
		es_h2_http_data(call, data, len);
	else if (call->state == ES_CALL_OPEN)
		read_messages(call, es_slice(data, len));
	return call->stalled.len - stalled;
}

bool es_call_may_unstall(const struct es_rpc_call *call)
{
	return call->stalled.len > 0 &&
	       call->queued_bytes <= call->server->config.conn_queue_bytes_max / 8;
}

void es_call_unstall(struct es_rpc_call *call)
{
	struct es_buf bytes = call->stalled;
	size_t gathered = call->frame.message.cap + bytes.cap;
	size_t left;
	int rc;

	es_buf_init(&call->stalled, bytes.mem);
	es_call_account(call, gathered);
	read_messages(call, es_buf_slice(&bytes));
	left = call->stalled.len;
	rc = nghttp2_session_consume_stream(call->h2->session, call->stream_id, bytes.len - left);
	if (rc != 0)
		es_h2_failed(call->h2, rc);
	es_rpc_conn_wake(call->h2->conn);
	es_buf_close(&bytes);
	if (left == 0 && call->half_close_stalled)
		es_call_half_closed(call);
}

void es_call_half_closed(struct es_rpc_call *call)
{
	const struct es_rpc_method *method;

	call->half_closed = true;
	call->half_close_stalled = call->stalled.len > 0;
	if (call->state != ES_CALL_OPEN || call->complete || call->half_close_stalled)
		return;
	if (call->http != NULL) {
		es_h2_http_ready(call);
		return;
	}
	method = call->entry->method;
	if (es_grpc_frame_is_partial(&call->frame))
		es_call_abort(call, ES_GRPC_INTERNAL, "unexpected EOF");
	else if (method->kind != ES_RPC_BIDI)
		es_call_abort(call, ES_GRPC_INTERNAL,
			      "cardinality violation: received no request message from "
			      "non-client-streaming RPC");
	else if (method->half_closed != NULL)
		method->half_closed(call);
}
