#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "pair.h"
#include "rpc/gateway.h"
#include "wire/resource_store.pb-c.h"
#include "wire/transcode.h"

/* Every test runs over HTTP/1.1 and over HTTP/2, unless it says which. */

static struct pair pair;
static bool use_h2;

/* ---- the service ---- */

static struct {
	struct es_rpc_call *call; /* of Hang, Wait or Stream: the last one */
	unsigned closed, writable;
	enum es_grpc_code code;
	const char *text;
	char metadata[32];
	bool hold;
	unsigned more; /* messages that `writable` sends */
} seen;

static void send_bytes(struct es_rpc_call *call, struct es_slice bytes)
{
	uint8_t *out = es_rpc_send(call, bytes.len);

	if (out != NULL && bytes.len > 0)
		memcpy(out, bytes.data, bytes.len);
}

static void echo(struct es_rpc_call *call, struct es_slice request)
{
	struct es_slice value = ES_SLICE("-");

	(void)es_rpc_call_metadata(call, "x-test", &value);
	(void)snprintf(seen.metadata, sizeof(seen.metadata), "%.*s", (int)value.len,
		       (const char *)value.data);
	send_bytes(call, request);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
	assert_true(es_rpc_call_is_closed(call)); /* and may still be asked */
	assert_int_equal(es_rpc_queued_bytes(call), 0);
	assert_null(es_rpc_send(call, 1));
	assert_false(es_rpc_call_metadata(call, "x-test", &value));
}

static void fail_with(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish(call, seen.code, seen.text);
}

static void hang(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	seen.call = call;
	if (seen.hold)
		es_rpc_call_hold(call);
}

static void on_closed(struct es_rpc_call *call)
{
	assert_true(es_rpc_call_is_closed(call));
	assert_null(es_rpc_send(call, 1));
	seen.closed++;
}

/* A line of about `size` bytes. */
static void send_line(struct es_rpc_call *call, const char *manager, size_t size)
{
	static char field[100001];
	Engenho__V1__Cause cause = ENGENHO__V1__CAUSE__INIT;
	uint8_t bytes[100100];

	memset(field, 'f', size);
	field[size] = '\0';
	cause.manager = (char *)(uintptr_t)manager;
	cause.field = field;
	send_bytes(call, es_slice(bytes, engenho__v1__cause__pack(&cause, bytes)));
}

static void on_writable(struct es_rpc_call *call)
{
	seen.writable++;
	if (seen.more > 0) {
		seen.more--;
		send_line(call, "more", 0);
	}
}

static const struct es_rpc_method methods[] = {
	{.service = "t.G", .name = "Echo", .kind = ES_RPC_UNARY, .message = echo},
	{.service = "t.G", .name = "Fail", .kind = ES_RPC_UNARY, .message = fail_with},
	{.service = "t.G",
	 .name = "Hang",
	 .kind = ES_RPC_UNARY,
	 .message = hang,
	 .closed = on_closed},
	{.service = "t.G",
	 .name = "Wait",
	 .kind = ES_RPC_UNARY,
	 .message = hang,
	 .closed = on_closed,
	 .waits = true},
	{.service = "t.G",
	 .name = "Stream",
	 .kind = ES_RPC_SERVER_STREAM,
	 .message = hang,
	 .writable = on_writable,
	 .closed = on_closed},
};

static const struct es_rpc_route routes[] = {
	{"Echo", "/t.G/Echo", &engenho__v1__put_request__descriptor,
	 &engenho__v1__put_request__descriptor},
	{"Fail", "/t.G/Fail", &engenho__v1__cause__descriptor, &engenho__v1__cause__descriptor},
	{"in/Hang", "/t.G/Hang", &engenho__v1__cause__descriptor, &engenho__v1__cause__descriptor},
	{"Wait", "/t.G/Wait", &engenho__v1__cause__descriptor, &engenho__v1__cause__descriptor},
	{"Stream", "/t.G/Stream", &engenho__v1__cause__descriptor, &engenho__v1__cause__descriptor},
};

static const char *const json_fields[] = {"value", NULL};
static const struct es_wire_json_options json = {json_fields, false};
static const struct es_rpc_gateway gateway = {"/g/", routes, ES_ARRAY_LEN(routes), &json};

static int open_pair(uint64_t fail_after)
{
	int rc;

	memset(&seen, 0, sizeof(seen));
	pair_init(&pair, fail_after);
	rc = pair_open(&pair);
	if (rc == 0)
		rc = pair_register(&pair);
	if (rc == 0)
		rc = es_rpc_register(pair.server, methods, ES_ARRAY_LEN(methods), NULL);
	if (rc == 0)
		rc = es_rpc_gateway_register(pair.server, &gateway);
	if (rc == 0 && use_h2)
		rc = pair_connect(&pair);
	else if (rc == 0)
		rc = es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn);
	return rc;
}

/* ---- the client ---- */

#define OUTPUT_MAX ((size_t)8 << 20)
static char output[OUTPUT_MAX + 1]; /* what HTTP/1.1 brought and was not looked at */
static size_t output_len;
static struct pair_stream *stream;

static struct {
	int status; /* 0: no answer yet */
	char allow[16];
	char type[64];
	bool is_chunked, is_whole, is_length_known, closes;
	struct es_buf body;
} got;

static int setup(bool h2)
{
	use_h2 = h2;
	output_len = 0;
	stream = NULL;
	memset(&got, 0, sizeof(got));
	es_buf_init(&got.body, es_mem_default());
	return open_pair(UINT64_MAX);
}

static int setup_h1(void **state)
{
	(void)state;
	return setup(false);
}

static int setup_h2(void **state)
{
	(void)state;
	return setup(true);
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	es_buf_close(&got.body);
	return 0;
}

/* What the server has for the client now. */
static void hear_once(void)
{
	size_t len = es_rpc_conn_produce(pair.conn, (uint8_t *)output + output_len,
					 ES_NET_PRODUCE_MIN);

	output_len += len;
	assert_true(output_len <= OUTPUT_MAX - ES_NET_PRODUCE_MIN);
	output[output_len] = '\0';
}

static void hear(void)
{
	size_t before;

	do {
		before = output_len;
		hear_once();
	} while (output_len > before);
}

static void take(size_t len)
{
	memmove(output, output + len, output_len - len + 1);
	output_len -= len;
}

static void take_chunks(void)
{
	while (!got.is_whole) {
		char *data = strstr(output, "\r\n");
		size_t len;

		if (data == NULL)
			return;
		len = strtoul(output, NULL, 16);
		data += 2;
		if ((size_t)(output + output_len - data) < len + 2)
			return;
		assert_memory_equal(data + len, "\r\n", 2);
		assert_int_equal(es_buf_append(&got.body, data, len), 0);
		got.is_whole = len == 0;
		take((size_t)(data - output) + len + 2);
	}
}

static void find_field(const char *name, char *out, size_t size)
{
	const char *at = strstr(output, name);

	out[0] = '\0';
	if (at != NULL)
		(void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\r"),
			       at + strlen(name));
}

static size_t body_len;

static void take_head(void)
{
	char *end = strstr(output, "\r\n\r\n");
	char length[24], encoding[24], connection[24];

	if (end == NULL)
		return;
	end[2] = '\0';
	assert_memory_equal(output, "HTTP/1.1 ", 9);
	got.status = (int)strtol(output + 9, NULL, 10);
	find_field("Content-Type: ", got.type, sizeof(got.type));
	find_field("Allow: ", got.allow, sizeof(got.allow));
	find_field("Content-Length: ", length, sizeof(length));
	find_field("Transfer-Encoding: ", encoding, sizeof(encoding));
	find_field("Connection: ", connection, sizeof(connection));
	got.is_length_known = length[0] != '\0';
	got.is_chunked = strcmp(encoding, "chunked") == 0;
	got.closes = strcmp(connection, "close") == 0;
	body_len = strtoul(length, NULL, 10);
	take((size_t)(end - output) + 4);
}

static void look_h1(void)
{
	hear();
	if (got.status == 0)
		take_head();
	if (got.status == 0)
		return;
	if (got.is_chunked) {
		take_chunks();
	} else if (!got.is_length_known) {
		assert_int_equal(es_buf_append(&got.body, output, output_len), 0);
		take(output_len);
		got.is_whole = pair.conn->life == ES_CONN_FINISHED;
	} else if (output_len >= body_len && !got.is_whole) {
		assert_int_equal(es_buf_append(&got.body, output, body_len), 0);
		take(body_len);
		got.is_whole = true;
	}
}

static void look(void)
{
	if (!use_h2) {
		look_h1();
		return;
	}
	pair_pump(&pair);
	got.status = (int)strtol(stream->http_status, NULL, 10);
	(void)snprintf(got.type, sizeof(got.type), "%s", stream->content_type);
	got.body.len = 0;
	assert_int_equal(es_buf_append_slice(&got.body, es_buf_slice(&stream->body)), 0);
	got.is_whole = stream->closed && stream->error_code == NGHTTP2_NO_ERROR;
}

static void say(const char *text, size_t len)
{
	es_rpc_conn_receive(pair.conn, (const uint8_t *)text, len);
}

#define SAY(text) say(text, sizeof(text) - 1)

static void ask_with(const char *method, const char *path, const char *name, const char *value,
		     struct es_slice body)
{
	struct pair_field fields[] = {{":method", method},
				      {"content-type", NULL},
				      {"te", NULL},
				      {name, value},
				      {NULL, NULL}};
	char head[300];
	int len;

	got.status = 0;
	got.is_whole = false;
	got.allow[0] = '\0';
	got.body.len = 0;
	if (use_h2) {
		stream = pair_request(&pair, path, fields, body, true);
	} else {
		len = snprintf(
			head, sizeof(head),
			"%s %s HTTP/1.1\r\nHost: test\r\n%s: %s\r\nContent-Length: %zu\r\n\r\n",
			method, path, name, value, body.len);
		say(head, (size_t)len);
		if (body.len > 0)
			say((const char *)body.data, body.len);
	}
	look();
}

static void ask(const char *path, const char *body)
{
	ask_with("POST", path, "x-test", "hi", es_slice_str(body));
}

static void expect(int status, const char *body)
{
	if (got.status != status || !got.is_whole ||
	    !es_slice_eq(es_buf_slice(&got.body), es_slice_str(body)))
		fail_msg("not %d %s but %d %s %.*s", status, body, got.status,
			 got.is_whole ? "and whole" : "and more to come", (int)got.body.len,
			 (const char *)got.body.data);
	assert_string_equal(got.type, "application/json");
	es_gateway_sweep(pair.server);
}

/* So far, and there is more to come. */
static void expect_part(const char *body)
{
	look();
	assert_int_equal(got.status, 200);
	assert_string_equal(got.type, "application/json");
	assert_false(got.is_whole);
	assert_true(es_slice_eq(es_buf_slice(&got.body), es_slice_str(body)));
}

static void expect_error(int status, enum es_grpc_code code, const char *text)
{
	char body[600];

	(void)snprintf(body, sizeof(body), "{\"error\":\"%s\",\"code\":%d,\"message\":\"%s\"}\n",
		       text, (int)code, text);
	expect(status, body);
}

static size_t live_calls(void)
{
	es_gateway_sweep(pair.server);
	return pair.server->calls_live;
}

/* ---- unary ---- */

static void a_message_goes_there_and_back(void **state)
{
	(void)state;
	ask("/g/Echo", "{\"key\": {\"kind\": \"Pod\"}, \"value\": {\"b\": 2, \"a\": 1}}\n");
	expect(200, "{\"key\":{\"kind\":\"Pod\"},\"value\":{\"a\":1,\"b\":2}}\n");
	assert_string_equal(seen.metadata, "hi");
	ask("/g/Echo?pretty", "");
	expect(200, "{}\n");
	assert_int_equal(live_calls(), 0);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
}

static void hooks_see_it(void **state)
{
	(void)state;
	ask("/g/Echo", "{\"key\":{\"kind\":\"Pod\"}}");
	assert_int_equal(pair_seen.started, 1);
	assert_int_equal(pair_seen.finished, 1);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_OK);
	assert_int_equal(pair_seen.received_bytes, 7);
	assert_int_equal(pair_seen.sent_bytes, 7);
	ask("/g/Echo", "{");
	assert_int_equal(pair_seen.started, 2);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_INVALID_ARGUMENT);
	pair_seen.refuse = ES_ENO_LEADER;
	ask("/g/Echo", "{}");
	expect_error(503, ES_GRPC_UNAVAILABLE, "etcdserver: no leader");
	assert_int_equal(pair_seen.started, 2);
	assert_int_equal(pair_seen.finished, 2);
	assert_int_equal(live_calls(), 0);
}

static void codes_have_an_http_status(void **state)
{
	static const int status[] = {0,   499, 500, 400, 504, 404, 409, 403, 429,
				     400, 409, 400, 501, 500, 503, 500, 401};

	(void)state;
	for (size_t i = 1; i < ES_ARRAY_LEN(status); i++) {
		seen.code = (enum es_grpc_code)i;
		seen.text = "it's \\";
		ask("/g/Fail", "{}");
		expect_error(status[i], (enum es_grpc_code)i, "it's \\\\");
	}
	seen.text = NULL;
	ask("/g/Fail", "{}");
	expect_error(401, ES_GRPC_UNAUTHENTICATED, "");
	seen.text = "half a character: \xc3";
	ask("/g/Fail", "{}");
	expect_error(401, ES_GRPC_UNAUTHENTICATED, "half a character: ?");
	seen.code = ES_GRPC_OK; /* without a message: an empty one */
	ask("/g/Fail", "{}");
	expect(200, "{}\n");
}

static void bad_requests_are_refused(void **state)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{"{\"key\": }", "not JSON: expected a value at byte 8"},
		{"[1]", "expected an object"},
		{"{\"kye\":{}}", "unknown field \\\"kye\\\""},
		{"{\"key\":{\"name\":7}}", "key.name: expected a string"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		ask("/g/Echo", cases[i].body);
		expect_error(400, ES_GRPC_INVALID_ARGUMENT, cases[i].text);
	}
	ask("/g/Nope", "{}");
	expect_error(404, ES_GRPC_NOT_FOUND, "there is no such method");
	ask("/g/", "{}");
	expect_error(404, ES_GRPC_NOT_FOUND, "there is no such method");
	ask("/g/in/Hang/", "{}");
	expect_error(404, ES_GRPC_NOT_FOUND, "there is no such method");
	ask_with("GET", "/g/Echo", "x-test", "hi", es_slice(NULL, 0));
	expect_error(405, ES_GRPC_UNIMPLEMENTED, "Method Not Allowed");
	if (!use_h2)
		assert_string_equal(got.allow, "POST");
	assert_int_equal(pair_seen.started, ES_ARRAY_LEN(cases));
}

static void head_has_no_body(void **state)
{
	(void)state;
	ask_with("HEAD", "/g/Echo", "x-test", "hi", es_slice(NULL, 0));
	assert_int_equal(got.status, 405);
	assert_int_equal(use_h2 ? stream->body.len : output_len, 0);
}

static void large_bodies_are_refused(void **state)
{
	static char body[100001];

	(void)state;
	memset(body, ' ', sizeof(body));
	ask_with("POST", "/g/Echo", "x-test", "hi", es_slice(body, 100000));
	expect(200, "{}\n");
	ask_with("POST", "/g/Echo?a=b", "x-test", "hi", es_slice(body, 100001));
	expect_error(413, ES_GRPC_RESOURCE_EXHAUSTED, "Request Entity Too Large");
	assert_int_equal(pair_seen.started, 1);
}

static void broken_paths_are_refused(void **state)
{
	(void)state;
	ask("/g/Echo%zz", "{}");
	expect_error(400, ES_GRPC_INVALID_ARGUMENT, "Bad Request");
	ask("/elsewhere%zz", "{}");
	assert_int_equal(got.status, 400);
	assert_string_equal(got.type, "text/plain; charset=utf-8");
	assert_int_equal(pair_seen.started, 0);
}

static void pages_of_other_origins_are_refused(void **state)
{
	static const char *const good[][2] = {
		{"origin", "http://test"},
		{"origin", "https://TEST"},
		{"sec-fetch-site", "same-origin"},
		{"sec-fetch-site", "none"},
	};
	static const char *const bad[][2] = {
		{"origin", "null"},
		{"origin", ""},
		{"origin", "test"},
		{"origin", "http://"},
		{"origin", "http:/test/"},
		{"origin", "http://text"},
		{"origin", "http://test:1"},
		{"origin", "http://x.test"},
		{"sec-fetch-site", "cross-site"},
		{"sec-fetch-site", "same-site"},
		{"sec-fetch-site", ""},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(good); i++) {
		ask_with("POST", "/g/Echo", good[i][0], good[i][1], ES_SLICE("{}"));
		expect(200, "{}\n");
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++) {
		ask_with("POST", "/g/Echo", bad[i][0], bad[i][1], ES_SLICE("{}"));
		expect_error(403, ES_GRPC_PERMISSION_DENIED, "not for pages of another origin");
	}
	assert_int_equal(pair_seen.started, ES_ARRAY_LEN(good));
}

static void only_the_http_face_has_it(void **state)
{
	static const char *const paths[] = {"/health", NULL};

	(void)state;
	pair.face.http_paths = paths;
	ask("/g/Echo", "{}");
	assert_int_equal(got.status, 404);
	assert_int_equal(pair_seen.started, 0);
}

static void an_answer_may_come_later(void **state)
{
	(void)state;
	ask("/g/in/Hang", "{}");
	assert_int_equal(got.status, 0);
	send_line(seen.call, "m", 2);
	look();
	assert_int_equal(got.status, 0);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "{\"manager\":\"m\",\"field\":\"ff\"}\n");
	assert_int_equal(seen.closed, 0);
	assert_int_equal(live_calls(), 0);
}

static void a_deadline_passes(void **state)
{
	(void)state;
	ask_with("POST", "/g/in/Hang", "grpc-timeout", "1S", ES_SLICE("{}"));
	assert_int_equal(es_rpc_call_deadline_ms(seen.call), pair.now_ms + 1000);
	es_rpc_server_tick(pair.server, pair.now_ms += 900);
	look();
	assert_int_equal(got.status, 0);
	es_rpc_server_tick(pair.server, pair.now_ms += 200);
	look();
	expect_error(504, ES_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	assert_int_equal(seen.closed, 1);
	ask_with("POST", "/g/Echo", "grpc-timeout", "0S", ES_SLICE("{}"));
	expect_error(504, ES_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
	ask_with("POST", "/g/Echo", "grpc-timeout", "soon", ES_SLICE("{}"));
	expect_error(400, ES_GRPC_INVALID_ARGUMENT, "malformed grpc-timeout");
	assert_int_equal(live_calls(), 0);
}

/* ---- streams ---- */

static void lines_come_as_they_are_sent(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	assert_int_equal(got.status, 0);
	send_line(seen.call, "a", 1);
	expect_part("{\"manager\":\"a\",\"field\":\"f\"}\n");
	send_line(seen.call, "b", 0);
	send_line(seen.call, "c", 0);
	expect_part(
		"{\"manager\":\"a\",\"field\":\"f\"}\n{\"manager\":\"b\"}\n{\"manager\":\"c\"}\n");
	send_line(seen.call, "d", 0);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200,
	       "{\"manager\":\"a\",\"field\":\"f\"}\n{\"manager\":\"b\"}\n{\"manager\":\"c\"}\n"
	       "{\"manager\":\"d\"}\n");
	assert_int_equal(pair_seen.finish_code, ES_GRPC_OK);
	assert_int_equal(seen.closed, 0);
	assert_int_equal(live_calls(), 0);
	ask("/g/Echo", ""); /* the connection goes on */
	expect(200, "{}\n");
}

static void a_failure_is_the_last_line(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	send_line(seen.call, "a", 0);
	es_rpc_finish(seen.call, ES_GRPC_OUT_OF_RANGE, "too \"old\"");
	look();
	expect(200,
	       "{\"manager\":\"a\"}\n"
	       "{\"error\":\"too \\\"old\\\"\",\"code\":11,\"message\":\"too \\\"old\\\"\"}\n");
	ask("/g/Stream", "{}");
	send_line(seen.call, "a", 0);
	look();
	es_rpc_finish(seen.call, ES_GRPC_UNAVAILABLE, NULL);
	look();
	expect(200, "{\"manager\":\"a\"}\n{\"error\":\"\",\"code\":14,\"message\":\"\"}\n");
	assert_int_equal(live_calls(), 0);
}

static void a_stream_of_nothing(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "");
	ask("/g/Stream", "{}");
	es_rpc_finish(seen.call, ES_GRPC_NOT_FOUND, "gone");
	look();
	expect_error(404, ES_GRPC_NOT_FOUND, "gone");
}

/* Whoever does not read has the handler told so, and gets everything in the end. */
static void a_slow_client_slows_its_stream_down(void **state)
{
	size_t queued = 0, lines = 0;

	(void)state;
	ask("/g/Stream", "{}");
	for (; queued < 300000; lines++) {
		send_line(seen.call, "a", 1000);
		assert_true(es_rpc_queued_bytes(seen.call) > queued);
		queued = es_rpc_queued_bytes(seen.call);
		if (lines == 100)
			seen.more = 3;
	}
	assert_int_equal(seen.writable, 0);
	if (!use_h2) {
		/* A piece that the socket takes: of what is left little more is JSON than it asks for. */
		hear_once();
		assert_int_equal(seen.writable, 0);
		assert_true(es_rpc_queued_bytes(seen.call) > 200000);
		assert_true(es_rpc_queued_bytes(seen.call) < queued);
		assert_true(pair.conn->protocol->queued(pair.conn->state) < 70000);
	}
	look();
	assert_int_equal(seen.writable, 1);
	assert_int_equal(es_rpc_queued_bytes(seen.call), 0);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	assert_true(got.is_whole);
	assert_int_equal(got.body.len, lines * (1000 + 27) + 19);
	assert_memory_equal(got.body.data + got.body.len - 19, "{\"manager\":\"more\"}\n", 19);
}

static void a_stream_is_held_back_by_its_window(void **state)
{
	static uint8_t bytes[PAIR_CAP_MAX];
	size_t len;

	(void)state;
	ask("/g/Stream", "{}");
	for (int i = 0; i < 300; i++)
		send_line(seen.call, "a", 1000);
	len = es_rpc_conn_produce(pair.conn, bytes, sizeof(bytes));
	assert_int_equal(es_rpc_conn_produce(pair.conn, bytes + len, sizeof(bytes) - len), 0);
	assert_in_range(len, 65535, 66000); /* the client's window */
	/* What is on its way as JSON is little; the rest waits as it is. */
	assert_in_range(es_rpc_queued_bytes(seen.call), 300 * 1006 - 65535, 300 * 1006);
	assert_true(((struct es_h2 *)pair.conn->state)->queued_bytes < 70000);
	assert_true(((struct es_h2 *)pair.conn->state)->held_bytes > 170000);
	assert_int_equal(seen.writable, 0);
	assert_int_equal(nghttp2_session_mem_recv(pair.client, bytes, len), len);
	look();
	assert_int_equal(got.body.len, 300 * 1027);
	assert_int_equal(seen.writable, 1);
	assert_int_equal(es_rpc_queued_bytes(seen.call), 0);
	assert_true(((struct es_h2 *)pair.conn->state)->held_bytes < 20000);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	assert_true(got.is_whole);
}

static void gone(void)
{
	if (use_h2) {
		pair_reset(&pair, stream);
		pair_pump(&pair);
	} else {
		es_rpc_conn_free(pair.conn);
		pair.conn = NULL;
	}
}

static void a_client_that_leaves_closes_its_call(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	send_line(seen.call, "a", 0);
	look();
	send_line(seen.call, "b", 0);
	gone();
	assert_int_equal(seen.closed, 1);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_CANCELLED);
	assert_int_equal(live_calls(), 0);
}

static void it_may_leave_before_any_answer(void **state)
{
	(void)state;
	seen.hold = true;
	ask("/g/in/Hang", "{}");
	gone();
	assert_int_equal(seen.closed, 1);
	assert_int_equal(live_calls(), 1);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	assert_int_equal(es_rpc_queued_bytes(seen.call), 0);
	es_rpc_call_release(seen.call);
	assert_int_equal(live_calls(), 0);
}

static void it_may_leave_behind_the_end(void **state)
{
	(void)state;
	seen.hold = true;
	ask("/g/Stream", "{}");
	for (int i = 0; i < 300; i++)
		send_line(seen.call, "a", 1000);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	if (!use_h2)
		hear_once();
	gone();
	assert_int_equal(seen.closed, 0);
	assert_int_equal(live_calls(), 1);
	es_rpc_call_release(seen.call);
	assert_int_equal(live_calls(), 0);
}

static void an_abort_cuts_the_answer(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	send_line(seen.call, "a", 0);
	look();
	es_rpc_abort(seen.call);
	look();
	assert_false(got.is_whole);
	if (use_h2)
		assert_int_equal(stream->error_code, NGHTTP2_INTERNAL_ERROR);
	else
		assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(live_calls(), 0);
}

static void a_stop_ends_streams_and_lets_others_answer(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	send_line(seen.call, "a", 0);
	es_rpc_conn_drain(pair.conn);
	look();
	expect(200, "{\"manager\":\"a\"}\n{\"error\":\"etcdserver: server stopped\",\"code\":14,"
		    "\"message\":\"etcdserver: server stopped\"}\n");
	assert_int_equal(seen.closed, 1);
	assert_int_equal(live_calls(), 0);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void a_stop_waits_for_unary_answers(void **state)
{
	(void)state;
	ask("/g/in/Hang", "{}");
	es_rpc_conn_drain(pair.conn);
	look();
	assert_int_equal(got.status, 0);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "{}\n");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void a_stop_without_grace_closes_calls(void **state)
{
	(void)state;
	ask("/g/in/Hang", "{}");
	es_rpc_conn_abandon(pair.conn);
	es_rpc_conn_free(pair.conn);
	pair.conn = NULL;
	assert_int_equal(seen.closed, 1);
	assert_int_equal(live_calls(), 0);
}

/* ---- HTTP/1.1 ---- */

static void broken_requests_are_refused(void **state)
{
	(void)state;
	SAY("POST /g/Echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
	look();
	expect_error(400, ES_GRPC_INVALID_ARGUMENT, "Bad Request");
	assert_true(got.closes);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void streams_are_chunked(void **state)
{
	(void)state;
	SAY("POST /g/Stream HTTP/1.1\r\nHost: a\r\n\r\n");
	send_line(seen.call, "a", 0);
	hear();
	assert_string_equal(output,
			    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n10\r\n{\"manager\":\"a\"}\n\r\n");
	output_len = 0;
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	hear();
	assert_string_equal(output, "0\r\n\r\n");
}

static void http_1_0_ends_with_the_connection(void **state)
{
	(void)state;
	SAY("POST /g/Stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	send_line(seen.call, "a", 0);
	look();
	assert_false(got.is_whole || got.is_chunked || got.is_length_known);
	assert_true(got.closes);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "{\"manager\":\"a\"}\n");
}

static void an_end_of_input_closes_what_may_last(void **state)
{
	static const char *const paths[] = {"/g/Stream", "/g/Wait"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(paths); i++) {
		ask(paths[i], "{}");
		es_rpc_conn_ended(pair.conn);
		assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
		es_rpc_conn_free(pair.conn);
		assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
		assert_int_equal(seen.closed, i + 1);
	}
	ask("/g/in/Hang", "{}"); /* this one is waited for */
	es_rpc_conn_ended(pair.conn);
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "{}\n");
	assert_int_equal(seen.closed, 2);
}

static void requests_behind_a_stream_are_dropped(void **state)
{
	(void)state;
	SAY("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
	    "POST /g/Stream HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\n");
	hear(); /* the answer to the first; then the others are served */
	assert_non_null(seen.call);
	assert_false(pair.conn->blocked); /* so that the end of input is seen */
	SAY("Host: a\r\n\r\n");
	assert_false(pair.conn->blocked);
	output_len = 0;
	es_rpc_finish(seen.call, ES_GRPC_OK, NULL);
	look();
	expect(200, "");
	assert_true(got.closes);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

/* The buffer of what is unsent does not grow with what was sent. */
static void a_stream_may_be_long(void **state)
{
	(void)state;
	ask("/g/Stream", "{}");
	for (int i = 0; i < 2000; i++) {
		send_line(seen.call, "a", 20000);
		send_line(seen.call, "a", 20000);
		hear_once();
		output_len = 0;
		if (i == 1000) /* it is never empty */
			assert_true(es_rpc_queued_bytes(seen.call) > 0);
		while (es_rpc_queued_bytes(seen.call) > 100000) {
			hear_once();
			output_len = 0;
		}
	}
	assert_true(pair.conn->protocol->queued(pair.conn->state) < 200000);
}

/* ---- without memory ---- */

static void scenario(void)
{
	ask("/g/Echo", "{\"key\":{\"kind\":\"Pod\"}}");
	if (got.status == 200 && got.is_whole && seen.metadata[0] != '\0')
		assert_int_equal(got.body.len, 23);
	if (pair.conn->life != ES_CONN_OPEN || (use_h2 && pair.goaway))
		return;
	seen.call = NULL;
	ask("/g/Stream", "{}");
	if (seen.call == NULL)
		return;
	seen.hold = false;
	for (int i = 0; i < 3 && seen.closed == 0 && !es_rpc_call_is_closed(seen.call); i++) {
		send_line(seen.call, "a", 3000);
		if (seen.closed > 0 || pair_seen.finished > 1)
			break;
		look();
	}
	if (seen.closed == 0 && pair_seen.finished < 2)
		es_rpc_finish(seen.call, ES_GRPC_ABORTED, "the end");
	if (pair.conn->life == ES_CONN_OPEN)
		look();
}

static void memory_may_run_out_anywhere(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		bool fired;

		output_len = 0;
		memset(&got, 0, sizeof(got));
		es_buf_init(&got.body, es_mem_default());
		if (open_pair(n) == 0)
			scenario();
		fired = pair.fault.fired;
		if (!fired)
			assert_true(got.is_whole);
		es_buf_close(&got.body);
		pair_close(&pair);
		assert_int_equal(pair_seen.started, pair_seen.finished);
		if (!fired)
			break;
	}
}

#define BOTH(test)                                                \
	{#test " (HTTP/1.1)", test, setup_h1, teardown, NULL},    \
	{                                                         \
#test " (HTTP/2)", test, setup_h2, teardown, NULL \
	}

static int set_h1(void **state)
{
	(void)state;
	use_h2 = false;
	return 0;
}

static int set_h2(void **state)
{
	(void)state;
	use_h2 = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_message_goes_there_and_back),
		BOTH(hooks_see_it),
		BOTH(codes_have_an_http_status),
		BOTH(bad_requests_are_refused),
		BOTH(head_has_no_body),
		BOTH(large_bodies_are_refused),
		BOTH(broken_paths_are_refused),
		BOTH(pages_of_other_origins_are_refused),
		BOTH(only_the_http_face_has_it),
		BOTH(an_answer_may_come_later),
		BOTH(a_deadline_passes),
		BOTH(lines_come_as_they_are_sent),
		BOTH(a_failure_is_the_last_line),
		BOTH(a_stream_of_nothing),
		BOTH(a_slow_client_slows_its_stream_down),
		BOTH(a_client_that_leaves_closes_its_call),
		BOTH(it_may_leave_before_any_answer),
		BOTH(it_may_leave_behind_the_end),
		BOTH(an_abort_cuts_the_answer),
		BOTH(a_stop_ends_streams_and_lets_others_answer),
		BOTH(a_stop_waits_for_unary_answers),
		BOTH(a_stop_without_grace_closes_calls),
		cmocka_unit_test_setup_teardown(a_stream_is_held_back_by_its_window, setup_h2,
						teardown),
		cmocka_unit_test_setup_teardown(broken_requests_are_refused, setup_h1, teardown),
		cmocka_unit_test_setup_teardown(streams_are_chunked, setup_h1, teardown),
		cmocka_unit_test_setup_teardown(http_1_0_ends_with_the_connection, setup_h1,
						teardown),
		cmocka_unit_test_setup_teardown(an_end_of_input_closes_what_may_last, setup_h1,
						teardown),
		cmocka_unit_test_setup_teardown(requests_behind_a_stream_are_dropped, setup_h1,
						teardown),
		cmocka_unit_test_setup_teardown(a_stream_may_be_long, setup_h1, teardown),
		cmocka_unit_test_setup(memory_may_run_out_anywhere, set_h1),
		cmocka_unit_test_setup(memory_may_run_out_anywhere, set_h2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
