/*
 * HTTP/1.1 over http_parser, which is used in this file only.
 *
 * One request at a time: the parser is paused behind each, and goes on when it is answered and the
 * answer is mostly out. Bytes that come meanwhile (pipelined requests) are kept, up to what one
 * read brings, and then the connection is not read from. So a connection holds at most one request,
 * one answer and one piece of input. Behind a request whose answer may take for ever they are dropped
 * instead, and the connection ends with that answer: that the client left has to be read.
 *
 * What two readers could understand differently is refused: a Content-Length beside
 * Transfer-Encoding or twice (http_parser does that), fields folded over lines, field names and
 * values with odd bytes, no Host or two.
 */
#include "rpc/internal.h"

#include <http_parser.h>
#include <strings.h>

#define FIELD_BYTES_MAX ((size_t)64 << 10)
#define FIELDS_MAX      128
/* The next pipelined request waits until no more than this is unsent. */
#define UNSENT_BYTES_MAX ((size_t)64 << 10)

struct field {
	size_t name, name_len, value, value_len; /* in `text` */
};

struct request {
	struct es_http_request http;
	struct es_http1 *h1; /* NULL: the client is gone */
	const struct es_mem *mem;
	struct es_arena arena;
	struct es_buf text; /* the target, then the fields */
	size_t target_len;
	struct field fields[FIELDS_MAX];
	size_t field_count;
	bool in_value;
	bool headers_complete;
	bool keep_alive;
	bool http10;
	bool chunked; /* the answer, once it was begun */
	int refused;  /* an HTTP status, for want of which the parser is stopped */
	struct es_buf body;
};

struct es_http1 {
	struct es_rpc_conn *conn;
	struct es_rpc_server *server;
	http_parser parser;
	struct request *request; /* being read, or answered */
	bool answering;
	bool draining;
	bool ended;        /* the client sends no more */
	bool last;         /* no request after the present answer */
	struct es_buf out; /* from out_at on */
	size_t out_at;
	struct es_buf kept;        /* input for later */
	const char *piece;         /* of input: the one that the parser has */
	const char *value_end;     /* where the last part of a field's value ended */
	bool value_goes_on;        /* that was at the end of the piece before */
	uint64_t waiting_since_ms; /* for the request, or for the client to take the answer */
};

/* ---- requests ------------------------------------------------------------------------- */

static bool header_of(const struct es_http_request *http, struct es_slice name,
		      struct es_slice *ret_value)
{
	const struct request *request = ES_CONTAINER_OF(http, struct request, http);

	for (size_t i = 0; i < request->field_count; i++) {
		const struct field *f = &request->fields[i];

		if (f->name_len != name.len ||
		    strncasecmp((const char *)request->text.data + f->name, (const char *)name.data,
				name.len) != 0)
			continue;
		*ret_value = es_slice(request->text.data + f->value, f->value_len);
		return true;
	}
	return false;
}

static void request_free(struct request *request)
{
	es_arena_close(&request->arena);
	es_buf_close(&request->text);
	es_buf_close(&request->body);
	es_free(request->mem, request);
}

static size_t unsent(const struct es_http1 *h1)
{
	return h1->out.len - h1->out_at;
}

static int write_answer(struct es_http1 *h1, const struct es_http_answer *answer, bool keep_alive,
			bool http10)
{
	char date[ES_HTTP_DATE_BYTES];
	const char *connection = "";
	int rc;

	if (!keep_alive)
		connection = "Connection: close\r\n";
	else if (http10)
		connection = "Connection: keep-alive\r\n";
	es_http_date(h1->server, date);
	rc = es_buf_printf(
		&h1->out,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nDate: %s\r\n%s",
		answer->status, es_http_reason(answer->status), answer->content_type,
		answer->body.len, date, connection);
	if (rc == 0 && answer->allow != NULL)
		rc = es_buf_printf(&h1->out, "Allow: %s\r\n", answer->allow);
	if (rc == 0)
		rc = es_buf_append_str(&h1->out, "\r\n");
	if (rc == 0 && !answer->head)
		rc = es_buf_append_slice(&h1->out, answer->body);
	return rc;
}

static bool keeps_alive(const struct request *request)
{
	return request->keep_alive && !request->h1->draining && !request->h1->ended;
}

/* The answer is written; `rc`: or cannot be. */
static void finish_request(struct request *request, int rc)
{
	struct es_http1 *h1 = request->h1;

	if (h1 != NULL) {
		h1->last = !keeps_alive(request);
		h1->request = NULL;
		h1->answering = false;
		h1->waiting_since_ms = h1->server->now_ms;
		if (rc < 0)
			es_rpc_conn_break(h1->conn);
		else
			es_rpc_conn_wake(h1->conn); /* produce goes on with what was kept */
	}
	request_free(request);
}

static void answer_request(struct es_http_request *http, const struct es_http_answer *answer)
{
	struct request *request = ES_CONTAINER_OF(http, struct request, http);
	int rc = 0;

	if (request->h1 != NULL)
		rc = write_answer(request->h1, answer, keeps_alive(request), request->http10);
	finish_request(request, rc);
}

/* ---- answers in parts ----------------------------------------------------------------- */

static int begin_answer(struct es_http_request *http, const struct es_http_answer *head)
{
	struct request *request = ES_CONTAINER_OF(http, struct request, http);
	char date[ES_HTTP_DATE_BYTES];

	request->chunked = !request->http10;
	if (!request->chunked)
		request->keep_alive = false; /* the connection's end is the answer's */
	es_http_date(http->server, date);
	return es_buf_printf(&request->h1->out,
			     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nDate: %s\r\n%s%s\r\n",
			     head->status, es_http_reason(head->status), head->content_type, date,
			     request->chunked ? "Transfer-Encoding: chunked\r\n" : "",
			     keeps_alive(request) ? "" : "Connection: close\r\n");
}

static int add_part(struct es_http_request *http, struct es_slice bytes)
{
	struct request *request = ES_CONTAINER_OF(http, struct request, http);
	struct es_buf *out = &request->h1->out;
	int rc = 0;

	ES_ASSERT(bytes.len > 0); /* an empty chunk is the last one */
	if (request->chunked)
		rc = es_buf_printf(out, "%zx\r\n", bytes.len);
	if (rc == 0)
		rc = es_buf_append_slice(out, bytes);
	if (rc == 0 && request->chunked)
		rc = es_buf_append_str(out, "\r\n");
	if (rc == 0)
		es_rpc_conn_wake(request->h1->conn);
	return rc;
}

static void end_answer(struct es_http_request *http)
{
	struct request *request = ES_CONTAINER_OF(http, struct request, http);
	int rc = 0;

	if (request->h1 != NULL && request->chunked)
		rc = es_buf_append_str(&request->h1->out, "0\r\n\r\n");
	finish_request(request, rc);
}

static void cut_answer(struct es_http_request *http)
{
	finish_request(ES_CONTAINER_OF(http, struct request, http), ES_ECANCELED);
}

static size_t queued_of(const struct es_http_request *http)
{
	return unsent(ES_CONTAINER_OF(http, struct request, http)->h1);
}

static void wake_for(struct es_http_request *http)
{
	es_rpc_conn_wake(ES_CONTAINER_OF(http, struct request, http)->h1->conn);
}

static const struct es_http_carrier carrier = {
	.answer = answer_request,
	.header = header_of,
	.begin = begin_answer,
	.part = add_part,
	.end = end_answer,
	.cut = cut_answer,
	.queued = queued_of,
	.wake = wake_for,
};

static struct request *request_new(struct es_http1 *h1)
{
	struct request *request = es_alloc(h1->server->mem, sizeof(*request));

	if (request == NULL)
		return NULL;
	memset(request, 0, sizeof(*request));
	request->h1 = h1;
	request->mem = h1->server->mem;
	es_arena_init(&request->arena, request->mem, 1024);
	es_buf_init(&request->text, request->mem);
	es_buf_init(&request->body, request->mem);
	request->http = (struct es_http_request){
		.carrier = &carrier,
		.server = h1->server,
		.face = h1->conn->face,
		.arena = &request->arena,
	};
	return request;
}

/* Answer what could not be read, and end the connection: nobody knows where the next request would
 * begin. */
static void refuse(struct es_http1 *h1, int status)
{
	struct request *request = h1->request;

	if (request != NULL) {
		request->keep_alive = false;
		es_http_refuse_target(&request->http,
				      es_slice(request->text.data, request->target_len), status);
	}
	es_rpc_conn_finish(h1->conn);
}

/* ---- the parser's callbacks: not 0 stops it ------------------------------------------- */

static int stop(struct request *request, int status)
{
	request->refused = status;
	return 1;
}

static int append_text(struct request *request, const char *at, size_t len, size_t max, int status)
{
	if (len > max - request->text.len)
		return stop(request, status);
	return es_buf_append(&request->text, at, len) < 0 ? stop(request, 503) : 0;
}

static int on_begin(http_parser *parser)
{
	struct es_http1 *h1 = parser->data;

	ES_ASSERT(h1->request == NULL);
	h1->request = request_new(h1);
	return h1->request == NULL;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct request *request = ((struct es_http1 *)parser->data)->request;

	if (append_text(request, at, len, ES_HTTP_TARGET_BYTES_MAX, 414) != 0)
		return 1;
	request->target_len = request->text.len;
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct request *request = ((struct es_http1 *)parser->data)->request;
	struct field *f;

	if (request->headers_complete) /* trailers: read and dropped, but not without end */
		return append_text(request, at, len, FIELD_BYTES_MAX, 431);
	if (request->field_count == 0 || request->in_value) {
		if (request->field_count == FIELDS_MAX)
			return stop(request, 431);
		request->fields[request->field_count++] = (struct field){.name = request->text.len};
		request->in_value = false;
	}
	f = &request->fields[request->field_count - 1];
	f->name_len += len;
	return append_text(request, at, len, FIELD_BYTES_MAX, 431);
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct es_http1 *h1 = parser->data;
	struct request *request = h1->request;
	struct field *f;

	if (request->headers_complete)
		return append_text(request, at, len, FIELD_BYTES_MAX, 431);
	f = &request->fields[request->field_count - 1];
	if (!request->in_value) {
		request->in_value = true;
		f->value = request->text.len;
	} else if (at != h1->value_end && (at != h1->piece || !h1->value_goes_on)) {
		return stop(request, 400); /* folded over lines */
	}
	h1->value_end = at + len;
	f->value_len += len;
	return append_text(request, at, len, FIELD_BYTES_MAX, 431);
}

static bool is_token(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", bytes[i]) != NULL)
			return false;
	}
	return len > 0;
}

static bool is_value(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((bytes[i] < ' ' && bytes[i] != '\t') || bytes[i] == 0x7f)
			return false;
	}
	return true;
}

static size_t count_of(const struct request *request, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < request->field_count; i++) {
		const struct field *f = &request->fields[i];

		count += f->name_len == strlen(name) &&
			 strncasecmp((const char *)request->text.data + f->name, name,
				     f->name_len) == 0;
	}
	return count;
}

static void trim(const struct request *request, struct field *f)
{
	const uint8_t *value = request->text.data + f->value;

	while (f->value_len > 0 &&
	       (value[f->value_len - 1] == ' ' || value[f->value_len - 1] == '\t'))
		f->value_len--;
}

/* 0, or the HTTP status to refuse with. */
static int check_headers(const struct http_parser *parser, struct request *request)
{
	size_t hosts = count_of(request, "Host");

	if (parser->http_major != 1 || parser->http_minor > 1)
		return 505;
	for (size_t i = 0; i < request->field_count; i++) {
		struct field *f = &request->fields[i];

		trim(request, f);
		if (!is_token(request->text.data + f->name, f->name_len) ||
		    !is_value(request->text.data + f->value, f->value_len))
			return 400;
	}
	if (hosts > 1 || (hosts == 0 && parser->http_minor == 1))
		return 400;
	/* http_parser 2.9 takes "Transfer-Encoding" in HTTP/1.0, where it means nothing. */
	if (parser->http_minor == 0 && count_of(request, "Transfer-Encoding") > 0)
		return 400;
	return 0;
}

/* Some clients send their body only when they were told to. */
static int expectation(struct es_http1 *h1, const struct request *request)
{
	struct es_slice value;

	if (!header_of(&request->http, ES_SLICE("Expect"), &value) || request->http10)
		return 0;
	if (value.len != 12 || strncasecmp((const char *)value.data, "100-continue", 12) != 0)
		return 417;
	if (es_buf_append_str(&h1->out, "HTTP/1.1 100 Continue\r\n\r\n") < 0)
		return 503;
	es_rpc_conn_wake(h1->conn);
	return 0;
}

static int on_headers_complete(http_parser *parser)
{
	struct es_http1 *h1 = parser->data;
	struct request *request = h1->request;
	int status = check_headers(parser, request);

	request->headers_complete = true;
	request->http10 = parser->http_minor == 0;
	request->http.method = es_slice_str(http_method_str((enum http_method)parser->method));
	if (status == 0 && parser->method == HTTP_CONNECT)
		status = 405;
	if (status == 0 && (parser->flags & F_CONTENTLENGTH) != 0 &&
	    parser->content_length > h1->server->config.recv_message_bytes_max)
		status = 413;
	if (status == 0)
		status = expectation(h1, request);
	parser->upgrade = 0; /* to nothing: HTTP/2 begins with its preface here */
	request->refused = status;
	return status == 0 ? 0 : -1; /* 1 and 2 mean something else here */
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct es_http1 *h1 = parser->data;
	struct request *request = h1->request;

	if (len > h1->server->config.recv_message_bytes_max - request->body.len)
		return stop(request, 413);
	return es_buf_append(&request->body, at, len) < 0 ? stop(request, 503) : 0;
}

static int on_complete(http_parser *parser)
{
	struct es_http1 *h1 = parser->data;

	h1->request->keep_alive = http_should_keep_alive(parser) != 0;
	h1->answering = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const http_parser_settings callbacks = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* ---- the protocol --------------------------------------------------------------------- */

static int status_of(const struct es_http1 *h1)
{
	if (h1->request != NULL && h1->request->refused != 0)
		return h1->request->refused;
	return HTTP_PARSER_ERRNO(&h1->parser) == HPE_HEADER_OVERFLOW ? 431 : 400;
}

static void serve(struct es_http1 *h1)
{
	struct request *request = h1->request;

	request->http.body = es_buf_slice(&request->body);
	es_http_dispatch(&request->http, es_slice(request->text.data, request->target_len));
}

static bool may_parse(const struct es_http1 *h1)
{
	return !h1->answering && !h1->last && h1->conn->life == ES_CONN_OPEN &&
	       unsent(h1) <= UNSENT_BYTES_MAX;
}

/* Read as many requests as may be served now; how many bytes they were. */
static size_t parse(struct es_http1 *h1, const uint8_t *data, size_t len)
{
	size_t used = 0;

	while (used < len && may_parse(h1)) {
		http_parser_pause(&h1->parser, 0);
		h1->piece = (const char *)data + used;
		used += http_parser_execute(&h1->parser, &callbacks, h1->piece, len - used);
		h1->value_goes_on = h1->value_end == (const char *)data + len;
		h1->value_end = NULL; /* the next piece may be in the same place */
		if (h1->answering) {
			serve(h1);
		} else if (HTTP_PARSER_ERRNO(&h1->parser) != HPE_OK) {
			if (h1->request == NULL &&
			    HTTP_PARSER_ERRNO(&h1->parser) != HPE_CB_message_begin)
				h1->request = request_new(h1); /* to answer it */
			refuse(h1, status_of(h1));
			return len;
		}
	}
	return used;
}

static void finish_if_last(struct es_http1 *h1)
{
	if (h1->answering)
		return;
	if (h1->last || h1->ended || (h1->draining && h1->request == NULL))
		es_rpc_conn_finish(h1->conn);
}

static void keep(struct es_http1 *h1, const uint8_t *data, size_t len)
{
	if (len > 0 && es_buf_append(&h1->kept, data, len) < 0)
		es_rpc_conn_break(h1->conn);
	else if (len > 0)
		es_rpc_conn_block(h1->conn, true);
}

/* Of `len` bytes of input `used` were read: how many need not be kept. */
static size_t drop_behind_lasting(struct es_http1 *h1, size_t used, size_t len)
{
	if (!h1->answering || !h1->request->http.lasting || used == len)
		return used;
	h1->request->keep_alive = false;
	return len;
}

static void http1_receive(void *state, const uint8_t *data, size_t len)
{
	struct es_http1 *h1 = state;
	size_t used = 0;

	if (h1->request == NULL)
		h1->waiting_since_ms = h1->server->now_ms;
	if (h1->kept.len == 0)
		used = parse(h1, data, len);
	used = drop_behind_lasting(h1, used, len);
	keep(h1, data + used, len - used);
	finish_if_last(h1);
}

static void http1_ended(void *state)
{
	struct es_http1 *h1 = state;

	h1->ended = true;
	if (h1->answering && h1->request->http.lasting)
		es_rpc_conn_break(h1->conn);
	else
		finish_if_last(h1);
}

static void parse_kept(struct es_http1 *h1)
{
	size_t used;

	if (h1->kept.len == 0 || !may_parse(h1))
		return;
	used = parse(h1, h1->kept.data, h1->kept.len);
	used = drop_behind_lasting(h1, used, h1->kept.len);
	es_buf_consume(&h1->kept, used);
	if (h1->kept.len == 0) {
		es_buf_close(&h1->kept);
		es_rpc_conn_block(h1->conn, false);
	}
}

static const struct es_http_events *events_of(const struct es_http1 *h1)
{
	return h1->answering ? h1->request->http.events : NULL;
}

static size_t http1_produce(void *state, uint8_t *out, size_t cap)
{
	struct es_http1 *h1 = state;
	size_t len;

	parse_kept(h1);
	if (events_of(h1) != NULL)
		events_of(h1)->pull(&h1->request->http);
	len = unsent(h1) < cap ? unsent(h1) : cap;
	if (len > 0) {
		memcpy(out, h1->out.data + h1->out_at, len);
		h1->out_at += len;
		h1->waiting_since_ms = h1->server->now_ms;
	}
	if (unsent(h1) == 0) {
		es_buf_close(&h1->out);
		h1->out_at = 0;
	} else if (h1->out_at >= unsent(h1)) { /* more may be added before it is empty */
		es_buf_consume(&h1->out, h1->out_at);
		h1->out_at = 0;
	}
	finish_if_last(h1);
	return len;
}

static void http1_tick(void *state, uint64_t now_ms)
{
	struct es_http1 *h1 = state;

	if (h1->answering || now_ms - h1->waiting_since_ms < h1->server->config.http1_idle_ms)
		return;
	if (unsent(h1) > 0)
		es_rpc_conn_break(h1->conn); /* it does not take its answer */
	else if (h1->request != NULL)
		refuse(h1, 408);
	else
		es_rpc_conn_finish(h1->conn);
}

static void http1_drain(void *state)
{
	struct es_http1 *h1 = state;

	h1->draining = true;
	h1->conn->idle = h1->conn->idle && h1->request == NULL;
	if (events_of(h1) != NULL)
		events_of(h1)->drain(&h1->request->http);
	finish_if_last(h1);
}

static void http1_abandon(void *state)
{
	struct es_http1 *h1 = state;

	es_rpc_conn_finish(h1->conn);
}

static size_t http1_queued(void *state)
{
	return unsent(state);
}

static void http1_free(void *state)
{
	struct es_http1 *h1 = state;

	if (h1->answering) {
		h1->request->h1 = NULL; /* its handler will answer it, for nobody */
		if (events_of(h1) != NULL)
			events_of(h1)->closed(&h1->request->http);
	} else if (h1->request != NULL) {
		request_free(h1->request);
	}
	es_buf_close(&h1->out);
	es_buf_close(&h1->kept);
	es_free(h1->server->mem, h1);
}

static int http1_open(struct es_rpc_conn *conn, void **ret_state)
{
	struct es_http1 *h1 = es_calloc(conn->server->mem, 1, sizeof(*h1));

	if (h1 == NULL)
		return ES_ENOMEM;
	h1->conn = conn;
	h1->server = conn->server;
	h1->waiting_since_ms = conn->server->now_ms;
	http_parser_init(&h1->parser, HTTP_REQUEST);
	h1->parser.data = h1;
	es_buf_init(&h1->out, h1->server->mem);
	es_buf_init(&h1->kept, h1->server->mem);
	*ret_state = h1;
	return 0;
}

const struct es_rpc_protocol es_rpc_http1 = {
	.open = http1_open,
	.receive = http1_receive,
	.ended = http1_ended,
	.produce = http1_produce,
	.tick = http1_tick,
	.drain = http1_drain,
	.abandon = http1_abandon,
	.queued = http1_queued,
	.free = http1_free,
};
