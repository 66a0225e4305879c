/*
 * The JSON gateway: a call of a gRPC method that is carried by a plain HTTP request.
 *
 * To its handler it is a call like any other (call.c has a branch here and there). It has no stream of its own: what it
 * sends goes through the request's carrier (struct es_http_carrier). Invariants:
 *
 * 1. A handler writes a message after es_rpc_send has returned, so messages are kept as they are, and become JSON when
 *    the carrier asks for more (pull), or, for a unary call, when it is finished.
 * 2. Of JSON that the client has not taken there is one message beyond PART_BYTES_MAX; the rest waits as messages, and
 *    all of it counts in es_rpc_queued_bytes, so that a slow client slows its handler down as it does in gRPC.
 * 3. As long as the call is open there is a request; when that is answered or its client is gone the call is over.
 *    The gateway has a reference to the call until then. The handler may hold the call for longer.
 * 4. A handler may look at the call after it has finished it, as long as it does not return: the gateway gives its
 *    reference up later, when no handler is being called (es_gateway_sweep).
 */
#include "rpc/gateway.h"

#include <stdio.h>
#include <strings.h>

#include "rpc/internal.h"
#include "wire/grpc_text.h"
#include "wire/transcode.h"

/* More is not handed to the carrier while it has so much that is unsent. */
#define PART_BYTES_MAX ((size_t)64 << 10)
#define JSON_TYPE      "application/json"

static const char no_memory[] = "{\"error\":\"engenho: out of memory\",\"code\":8,"
				"\"message\":\"engenho: out of memory\"}\n";

struct es_gateway {
	struct es_gateway *next;
	const struct es_rpc_gateway *table;
	struct es_rpc_server *server;
	struct es_http_handler handler;
	const struct es_rpc_entry *entries[]; /* of the routes */
};

struct message {
	struct message *next;
	size_t len;
	uint8_t bytes[];
};

struct es_gateway_call {
	struct es_rpc_call *call;
	struct es_http_request *request; /* NULL: answered, or its client is gone */
	const struct es_rpc_route *route;
	const struct es_wire_json_options *json;
	struct message *first, *last; /* that are no JSON yet */
	size_t pending_bytes;
	bool begun;       /* the head of the answer is out */
	bool ended;       /* `code` and `text` follow the last message */
	const char *text; /* static, or the arena's */
};

/* ---- errors --------------------------------------------------------------------------- */

static int http_status_of(enum es_grpc_code code)
{
	switch (code) {
	case ES_GRPC_OK: return 200;
	case ES_GRPC_CANCELLED: return 499;
	case ES_GRPC_INVALID_ARGUMENT:
	case ES_GRPC_FAILED_PRECONDITION:
	case ES_GRPC_OUT_OF_RANGE: return 400;
	case ES_GRPC_DEADLINE_EXCEEDED: return 504;
	case ES_GRPC_NOT_FOUND: return 404;
	case ES_GRPC_ALREADY_EXISTS:
	case ES_GRPC_ABORTED: return 409;
	case ES_GRPC_PERMISSION_DENIED: return 403;
	case ES_GRPC_UNAUTHENTICATED: return 401;
	case ES_GRPC_RESOURCE_EXHAUSTED: return 429;
	case ES_GRPC_UNIMPLEMENTED: return 501;
	case ES_GRPC_UNAVAILABLE: return 503;
	case ES_GRPC_UNKNOWN:
	case ES_GRPC_INTERNAL:
	case ES_GRPC_DATA_LOSS: break;
	}
	return 500;
}

/* Texts may hold a piece of the request that was cut within a character. */
static void repair_utf8(struct es_buf *json)
{
	struct es_json_cursor cursor;

	es_json_cursor_init(&cursor, es_buf_slice(json), ES_JSON_DEPTH_MAX);
	if (es_json_skip(&cursor, NULL) == 0)
		return;
	for (size_t i = 0; i < json->len; i++) {
		if (json->data[i] >= 0x80)
			json->data[i] = '?';
	}
}

static int write_error(struct es_buf *json, enum es_grpc_code code, const char *text)
{
	struct es_slice slice = es_slice_str(text == NULL ? "" : text);
	int rc = es_buf_append_str(json, "{\"error\":");

	if (rc == 0)
		rc = es_json_write_string(json, slice);
	if (rc == 0)
		rc = es_buf_printf(json, ",\"code\":%d,\"message\":", (int)code);
	if (rc == 0)
		rc = es_json_write_string(json, slice);
	if (rc == 0)
		rc = es_buf_append_str(json, "}\n");
	if (rc == 0)
		repair_utf8(json);
	return rc;
}

/* An answer that is an error, to a request that is no call, or not any more. */
static void answer_error(struct es_http_request *request, int status, enum es_grpc_code code,
			 const char *text, const char *allow)
{
	struct es_http_answer answer = {
		.status = status, .content_type = JSON_TYPE, .allow = allow};
	struct es_buf json;

	es_buf_init(&json, request->server->mem);
	answer.body = write_error(&json, code, text) == 0 ? es_buf_slice(&json)
							  : es_slice_str(no_memory);
	es_http_answer(request, &answer);
	es_buf_close(&json);
}

/* ---- the life of a call --------------------------------------------------------------- */

static void drop_first(struct es_gateway_call *gw)
{
	struct message *message = gw->first;

	gw->first = message->next;
	if (gw->first == NULL)
		gw->last = NULL;
	gw->pending_bytes -= message->len;
	es_pool_free(&gw->call->server->pool, message);
}

/* The request belongs to its carrier again, which answers it, or knows that nobody is there. */
static struct es_http_request *part_with(struct es_gateway_call *gw)
{
	struct es_http_request *request = gw->request;
	struct es_rpc_server *server = gw->call->server;

	request->events = NULL;
	gw->request = NULL;
	while (gw->first != NULL)
		drop_first(gw);
	gw->call->next_free = server->gateway_calls_over;
	server->gateway_calls_over = gw->call;
	return request;
}

void es_gateway_sweep(struct es_rpc_server *server)
{
	while (server->gateway_calls_over != NULL) {
		struct es_rpc_call *call = server->gateway_calls_over;

		server->gateway_calls_over = call->next_free;
		es_call_unref(call);
	}
}

static void count_memory(struct es_gateway_call *gw)
{
	const struct es_http_carrier *carrier = gw->request->carrier;

	if (carrier->hold != NULL)
		carrier->hold(gw->request, gw->call->arena.bytes + gw->pending_bytes);
}

static void answer_message(struct es_gateway_call *gw)
{
	struct es_slice bytes = gw->first == NULL ? es_slice(NULL, 0)
						  : es_slice(gw->first->bytes, gw->first->len);
	struct es_http_answer answer = {.status = 200, .content_type = JSON_TYPE};
	struct es_buf json;
	int rc = 0;

	es_buf_init(&json, gw->call->server->mem);
	if (gw->call->entry->method->kind == ES_RPC_UNARY)
		rc = es_wire_to_json(gw->route->answer, bytes, gw->json, &json);
	if (rc == 0 && json.len > 0)
		rc = es_buf_append_u8(&json, '\n');
	answer.body = es_buf_slice(&json);
	if (rc == 0)
		es_http_answer(part_with(gw), &answer);
	else
		answer_error(part_with(gw), http_status_of(es_status_grpc(rc)), es_status_grpc(rc),
			     es_status_text(rc), NULL);
	es_buf_close(&json);
}

static void answer_whole(struct es_gateway_call *gw, const char *text)
{
	enum es_grpc_code code = gw->call->code;

	if (code == ES_GRPC_OK)
		answer_message(gw);
	else
		answer_error(part_with(gw), http_status_of(code), code, text, NULL);
}

static const char *keep_text(struct es_gateway_call *gw, const char *text)
{
	size_t size = text == NULL ? 0 : strlen(text) + 1;
	char *copy = size == 0 ? NULL : es_arena_alloc(&gw->call->arena, size);

	return copy == NULL ? "" : memcpy(copy, text, size);
}

void es_gateway_answer(struct es_rpc_call *call, enum es_grpc_code code, const char *text)
{
	struct es_gateway_call *gw = call->gateway;

	if (gw->request == NULL || gw->ended)
		return;
	gw->ended = true;
	call->code = code;
	if (call->entry->method->kind == ES_RPC_UNARY || (!gw->begun && gw->first == NULL)) {
		answer_whole(gw, text);
	} else {
		gw->text = keep_text(gw, text);
		es_gateway_wake(call);
	}
}

/* Without an end that could be taken for a whole answer. */
void es_gateway_reset(struct es_rpc_call *call)
{
	struct es_gateway_call *gw = call->gateway;
	struct es_http_request *request;

	if (gw->request == NULL)
		return;
	request = part_with(gw);
	request->carrier->cut(request);
}

/* ---- sending -------------------------------------------------------------------------- */

uint8_t *es_gateway_reserve(struct es_rpc_call *call, size_t size)
{
	struct es_gateway_call *gw = call->gateway;
	struct message *message = es_pool_alloc(&call->server->pool, sizeof(*message) + size);

	if (message == NULL)
		return NULL;
	*message = (struct message){.len = size};
	if (gw->last == NULL)
		gw->first = message;
	else
		gw->last->next = message;
	gw->last = message;
	gw->pending_bytes += size;
	count_memory(gw);
	if (es_gateway_queued(call) > call->queue_low)
		call->above_low = true;
	return message->bytes;
}

void es_gateway_wake(struct es_rpc_call *call)
{
	struct es_http_request *request = call->gateway->request;

	request->carrier->wake(request);
}

size_t es_gateway_queued(const struct es_rpc_call *call)
{
	const struct es_gateway_call *gw = call->gateway;

	return gw->request == NULL ? 0
				   : gw->pending_bytes + gw->request->carrier->queued(gw->request);
}

bool es_gateway_is_full(const struct es_rpc_call *call)
{
	const struct es_http_request *request = call->gateway->request;

	return request->carrier->is_full != NULL && request->carrier->is_full(request);
}

static int put_line(struct es_gateway_call *gw, struct es_buf *line)
{
	const struct es_http_carrier *carrier = gw->request->carrier;
	const struct es_http_answer head = {.status = 200, .content_type = JSON_TYPE};
	int rc = 0;

	if (!gw->begun)
		rc = carrier->begin(gw->request, &head);
	gw->begun = true;
	return rc < 0 ? rc : carrier->part(gw->request, es_buf_slice(line));
}

static int put_message(struct es_gateway_call *gw)
{
	struct es_buf line;
	int rc;

	es_buf_init(&line, gw->call->server->mem);
	rc = es_wire_to_json(gw->route->answer, es_slice(gw->first->bytes, gw->first->len),
			     gw->json, &line);
	if (rc == 0)
		rc = es_buf_append_u8(&line, '\n');
	drop_first(gw);
	if (rc == 0)
		rc = put_line(gw, &line);
	es_buf_close(&line);
	return rc;
}

static int put_end(struct es_gateway_call *gw)
{
	struct es_http_request *request;
	struct es_buf line;
	int rc = 0;

	es_buf_init(&line, gw->call->server->mem);
	if (gw->call->code != ES_GRPC_OK) {
		rc = write_error(&line, gw->call->code, gw->text);
		if (rc == 0)
			rc = put_line(gw, &line);
	}
	es_buf_close(&line);
	if (rc < 0)
		return rc;
	request = part_with(gw);
	request->carrier->end(request);
	return 0;
}

/* Turn messages into JSON as far as the client takes it. */
static void put_some(struct es_gateway_call *gw)
{
	int rc = 0;

	while (rc == 0 && gw->request != NULL && gw->first != NULL &&
	       gw->request->carrier->queued(gw->request) <= PART_BYTES_MAX)
		rc = put_message(gw);
	if (rc == 0 && gw->request != NULL && gw->first == NULL && gw->ended)
		rc = put_end(gw);
	if (rc < 0) {
		es_call_end(gw->call, es_status_grpc(rc));
		es_gateway_reset(gw->call);
	}
}

/* ---- what the carrier tells ----------------------------------------------------------- */

static void pull(struct es_http_request *request)
{
	struct es_gateway_call *gw = request->owner;
	struct es_rpc_call *call = gw->call;

	if (call->entry->method->kind == ES_RPC_UNARY)
		return;
	put_some(gw);
	if (call->state == ES_CALL_OPEN && call->above_low &&
	    es_gateway_queued(call) <= call->queue_low) {
		call->above_low = false;
		if (call->entry->method->writable != NULL)
			call->entry->method->writable(call);
		put_some(gw);
	}
	if (gw->request != NULL)
		count_memory(gw);
}

static void drain(struct es_http_request *request)
{
	struct es_rpc_call *call = ((struct es_gateway_call *)request->owner)->call;

	if (call->entry->method->kind != ES_RPC_UNARY)
		es_call_abort(call, ES_GRPC_UNAVAILABLE, es_status_text(ES_ESTOPPED));
}

static void closed(struct es_http_request *request)
{
	struct es_gateway_call *gw = request->owner;

	es_call_end(gw->call, ES_GRPC_CANCELLED);
	request = part_with(gw);
	request->carrier->end(request);
}

static const struct es_http_events events = {pull, drain, closed};

/* ---- requests ------------------------------------------------------------------------- */

bool es_gateway_metadata(const struct es_rpc_call *call, struct es_slice name,
			 struct es_slice *ret_value)
{
	struct es_gateway_call *gw = call->gateway;
	struct es_slice value;
	uint8_t *copy;

	if (gw->request == NULL || !gw->request->carrier->header(gw->request, name, &value))
		return false;
	/* The request does not live as long as the call. */
	copy = es_arena_alloc(&gw->call->arena, value.len);
	if (copy == NULL)
		return false;
	if (value.len > 0)
		memcpy(copy, value.data, value.len);
	*ret_value = es_slice(copy, value.len);
	return true;
}

/* NULL: no memory. */
static struct es_gateway_call *call_new(struct es_gateway *gateway, size_t index,
					struct es_http_request *request)
{
	const struct es_rpc_method *method = gateway->entries[index]->method;
	struct es_rpc_call *call = es_call_new_detached(gateway->server);
	struct es_gateway_call *gw;

	if (call == NULL)
		return NULL;
	gw = es_arena_calloc(&call->arena, 1, sizeof(*gw));
	if (gw == NULL) {
		es_call_unref(call);
		return NULL;
	}
	gw->call = call;
	gw->request = request;
	gw->route = &gateway->table->routes[index];
	gw->json = gateway->table->json;
	call->gateway = gw;
	call->entry = gateway->entries[index];
	call->state = ES_CALL_OPEN;
	request->events = &events;
	request->owner = gw;
	request->lasting = method->kind != ES_RPC_UNARY || method->waits;
	if (request->carrier->owe != NULL && !method->waits)
		request->carrier->owe(request);
	return gw;
}

static void give_message(struct es_gateway_call *gw)
{
	struct es_rpc_call *call = gw->call;
	const struct es_rpc_method *method = call->entry->method;
	const struct es_rpc_hooks *hooks = &call->server->hooks;
	struct es_slice message;
	char errmsg[256];
	int rc = es_wire_from_json(gw->route->request, gw->request->body, gw->json, &call->arena,
				   &message, errmsg, sizeof(errmsg));

	if (rc == ES_EDECODE) {
		es_rpc_finish(call, ES_GRPC_INVALID_ARGUMENT, errmsg);
	} else if (rc < 0) {
		es_rpc_finish_status(call, rc);
	} else {
		if (hooks->message != NULL)
			hooks->message(hooks->ctx, method, true, message.len);
		call->began = true;
		method->message(call, message);
	}
	if (gw->request != NULL)
		count_memory(gw);
}

static void open_call(struct es_gateway_call *gw, uint64_t timeout_ns)
{
	struct es_rpc_call *call = gw->call;
	const struct es_rpc_hooks *hooks = &call->server->hooks;
	int rc = 0;

	if (hooks->start != NULL)
		rc = hooks->start(hooks->ctx, call, call->entry->method);
	if (rc < 0) {
		es_rpc_finish_status(call, rc);
		return;
	}
	es_call_start(call);
	if (timeout_ns == 0) {
		es_rpc_finish(call, ES_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
		return;
	}
	if (timeout_ns != UINT64_MAX)
		es_call_set_deadline(call, timeout_ns);
	give_message(gw);
}

static void serve(struct es_gateway *gateway, size_t index, struct es_http_request *request)
{
	uint64_t timeout_ns = UINT64_MAX;
	struct es_gateway_call *gw;
	struct es_slice value;

	if (request->carrier->header(request, ES_SLICE("grpc-timeout"), &value) &&
	    es_grpc_timeout_parse(value, &timeout_ns) < 0) {
		answer_error(request, 400, ES_GRPC_INVALID_ARGUMENT, "malformed grpc-timeout",
			     NULL);
		return;
	}
	gw = call_new(gateway, index, request);
	if (gw == NULL) {
		answer_error(request, 429, ES_GRPC_RESOURCE_EXHAUSTED, es_status_text(ES_ENOMEM),
			     NULL);
		return;
	}
	open_call(gw, timeout_ns);
}

/*
 * Whether a page of another origin has sent this with a browser. Browsers send some POSTs of any page without asking
 * the server first, and all of them with these fields; other clients have neither.
 */
static bool is_foreign(const struct es_http_request *request)
{
	struct es_slice site, origin, host;
	const uint8_t *at;

	if (es_http_header(request, "sec-fetch-site", &site) &&
	    !es_slice_eq(site, ES_SLICE("same-origin")) && !es_slice_eq(site, ES_SLICE("none")))
		return true;
	if (!es_http_header(request, "origin", &origin))
		return false;
	if (!es_http_header(request, ":authority", &host) &&
	    !es_http_header(request, "host", &host))
		return true;
	/* "null", or scheme "://" host and port */
	at = origin.len == 0 ? NULL : memchr(origin.data, '/', origin.len);
	if (at == NULL || origin.len != (size_t)(at - origin.data) + 2 + host.len || at[1] != '/')
		return true;
	return strncasecmp((const char *)at + 2, (const char *)host.data, host.len) != 0;
}

static enum es_grpc_code code_of_refusal(int status)
{
	switch (status) {
	case 408: return ES_GRPC_DEADLINE_EXCEEDED;
	case 413:
	case 431: return ES_GRPC_RESOURCE_EXHAUSTED;
	case 503: return ES_GRPC_UNAVAILABLE;
	default: return ES_GRPC_INVALID_ARGUMENT;
	}
}

static void refuse(void *ctx, struct es_http_request *request, int status)
{
	(void)ctx;
	answer_error(request, status, code_of_refusal(status), es_http_reason(status), NULL);
}

static void handle(void *ctx, struct es_http_request *request)
{
	struct es_gateway *gateway = ctx;
	const struct es_rpc_gateway *table = gateway->table;
	size_t prefix_len = strlen(table->prefix);
	struct es_slice path = es_slice(request->path.data + prefix_len,
					request->path.len - prefix_len);

	if (is_foreign(request)) {
		answer_error(request, 403, ES_GRPC_PERMISSION_DENIED,
			     "not for pages of another origin", NULL);
		return;
	}
	for (size_t i = 0; i < table->route_count; i++) {
		if (!es_slice_eq(path, es_slice_str(table->routes[i].path)))
			continue;
		if (es_slice_eq(request->method, ES_SLICE("POST")))
			serve(gateway, i, request);
		else
			answer_error(request, 405, ES_GRPC_UNIMPLEMENTED, "Method Not Allowed",
				     "POST");
		return;
	}
	answer_error(request, 404, ES_GRPC_NOT_FOUND, "there is no such method", NULL);
}

/* ---- registration --------------------------------------------------------------------- */

int es_rpc_gateway_register(struct es_rpc_server *server, const struct es_rpc_gateway *table)
{
	struct es_gateway *gateway = es_calloc(
		server->mem, 1,
		sizeof(*gateway) + table->route_count * sizeof(gateway->entries[0]));

	if (gateway == NULL)
		return ES_ENOMEM;
	gateway->table = table;
	gateway->server = server;
	gateway->handler = (struct es_http_handler){.path = table->prefix,
						    .prefix = true,
						    .any = true,
						    .handle = handle,
						    .refuse = refuse};
	for (size_t i = 0; i < table->route_count; i++) {
		gateway->entries[i] = es_rpc_find_method(server,
							 es_slice_str(table->routes[i].method));
		ES_ASSERT(gateway->entries[i] != NULL);
		ES_ASSERT(gateway->entries[i]->method->kind != ES_RPC_BIDI);
	}
	gateway->next = server->gateways;
	server->gateways = gateway;
	return es_http_register(server, &gateway->handler, 1, gateway);
}

void es_gateway_free(struct es_rpc_server *server)
{
	es_gateway_sweep(server);
	while (server->gateways != NULL) {
		struct es_gateway *gateway = server->gateways;

		server->gateways = gateway->next;
		es_free(server->mem, gateway);
	}
}
