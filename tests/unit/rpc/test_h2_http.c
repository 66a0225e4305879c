#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

static struct pair pair;

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static struct es_http_request *late;

static void show(void *ctx, struct es_http_request *request)
{
	struct es_slice value = ES_SLICE("-");

	(void)ctx;
	es_http_header(request, "x-test", &value);
	es_http_respond(request, 200, "text/plain", value);
}

static void post(void *ctx, struct es_http_request *request)
{
	(void)ctx;
	es_http_respond(request, 200, "text/plain", es_http_body(request));
}

static void later(void *ctx, struct es_http_request *request)
{
	(void)ctx;
	late = request;
}

static const struct es_http_handler handlers[] = {
	{.path = "/show", .handle = show},
	{.path = "/post", .post = true, .handle = post},
	{.path = "/later", .handle = later},
};

static int http_setup(void **state)
{
	(void)state;
	late = NULL;
	pair_init(&pair, UINT64_MAX);
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 ||
	       es_http_register(pair.server, handlers, ES_ARRAY_LEN(handlers), NULL) < 0 ||
	       pair_connect(&pair) < 0;
}

static struct pair_stream *ask(const char *method, const char *path, struct es_slice body)
{
	struct pair_field fields[] = {{":method", method},
				      {"content-type", NULL},
				      {"te", NULL},
				      {"x-test", "hi"},
				      {NULL, NULL}};
	struct pair_stream *stream = pair_request(&pair, path, fields, body, true);

	pair_pump(&pair);
	return stream;
}

static void expect(const struct pair_stream *stream, const char *status, const char *body)
{
	assert_true(stream->closed);
	assert_string_equal(stream->http_status, status);
	assert_true(es_slice_eq(es_buf_slice(&stream->body), es_slice_str(body)));
	assert_string_equal(stream->grpc_status, "");
}

static void requests_are_answered(void **state)
{
	(void)state;
	expect(ask("GET", "/show?x", es_slice(NULL, 0)), "200", "hi");
	expect(ask("HEAD", "/show", es_slice(NULL, 0)), "200", "");
	expect(ask("GET", "/nope", es_slice(NULL, 0)), "404", "404 page not found\n");
	expect(ask("POST", "/show", es_slice(NULL, 0)), "405", "Method Not Allowed\n");
	expect(ask("POST", "/post", ES_SLICE("some body")), "200", "some body");
	expect(ask("POST", "/post", es_slice(NULL, 0)), "200", "");
	expect(ask("GET", "/%", es_slice(NULL, 0)), "400", "Bad Request\n");
	assert_int_equal(pair.server->calls_live, 0);
}

static void long_targets_are_refused(void **state)
{
	static char path[9000];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	memcpy(path, "/show?", 6);
	expect(ask("GET", path, es_slice(NULL, 0)), "414", "Request URI Too Long\n");
	path[8192] = '\0';
	expect(ask("GET", path, es_slice(NULL, 0)), "200", "hi");
}

static void an_answer_may_come_later_or_for_nobody(void **state)
{
	struct pair_stream *stream = ask("GET", "/later", es_slice(NULL, 0));

	(void)state;
	assert_false(stream->closed);
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
	pair_pump(&pair);
	expect(stream, "200", "late");
	stream = ask("GET", "/later", es_slice(NULL, 0));
	pair_reset(&pair, stream);
	pair_pump(&pair);
	assert_int_equal(pair.server->calls_live, 1);
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
	assert_int_equal(pair.server->calls_live, 0);
}

static void large_bodies_are_refused(void **state)
{
	static uint8_t bytes[100001];
	struct pair_stream *stream = ask("POST", "/post", es_slice(bytes, 100000));

	(void)state;
	assert_int_equal(stream->body.len, 100000);
	expect(ask("POST", "/post", es_slice(bytes, 100001)), "413", "Request Entity Too Large\n");
	assert_int_equal(pair.server->calls_live, 0);
}

static void a_grpc_method_asks_for_its_content_type(void **state)
{
	struct pair_stream *stream = ask("POST", "/t.S/Echo", es_slice(NULL, 0));

	(void)state;
	pair_expect(stream, "3", "invalid gRPC request content-type \"\"");
	assert_string_equal(stream->http_status, "415");
}

static void a_listener_may_have_one_face(void **state)
{
	struct pair_stream *stream;

	(void)state;
	pair.face.faces = ES_RPC_FACE_GRPC;
	stream = ask("GET", "/show", es_slice(NULL, 0));
	assert_string_equal(stream->http_status, "415");
	pair.face.faces = ES_RPC_FACE_HTTP;
	expect(ask("GET", "/show", es_slice(NULL, 0)), "200", "hi");
	stream = pair_call(&pair, "/t.S/Echo", "x");
	pair_pump(&pair);
	expect(stream, "404", "404 page not found\n");
	assert_int_equal(pair_seen.messages, 0);
}

static void a_request_without_end_is_dropped(void **state)
{
	struct pair_field fields[] = {{"content-type", NULL}, {NULL, NULL}};
	struct pair_stream *stream = pair_request(&pair, "/post", fields, ES_SLICE("x"), false);

	(void)state;
	pair_pump(&pair);
	pair_sleep(&pair, 30000);
	assert_true(stream->closed);
	assert_int_equal(stream->error_code, NGHTTP2_CANCEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_answered, http_setup, teardown),
		cmocka_unit_test_setup_teardown(long_targets_are_refused, http_setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_may_come_later_or_for_nobody, http_setup,
						teardown),
		cmocka_unit_test_setup_teardown(large_bodies_are_refused, http_setup, teardown),
		cmocka_unit_test_setup_teardown(a_grpc_method_asks_for_its_content_type, http_setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_listener_may_have_one_face, http_setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_without_end_is_dropped, http_setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
