#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pair.h"

static struct pair pair;

static int setup(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 || pair_connect(&pair) < 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static struct pair_stream *with(const char *name, const char *value)
{
	struct pair_field fields[] = {{name, value}, {NULL, NULL}};
	static const uint8_t message[] = {0, 0, 0, 0, 1, 'x'};
	struct pair_stream *stream = pair_request(&pair, "/t.S/Echo", fields,
						  es_slice(message, sizeof(message)), true);

	pair_pump(&pair);
	return stream;
}

static void content_types(void **state)
{
	static const char *const good[] = {"application/grpc", "application/grpc+proto",
					   "application/grpc;x", NULL};
	static const char *const bad[] = {"application/json", "application/grpcx",
					  "application/grp", "", NULL};

	(void)state;
	for (size_t i = 0; good[i] != NULL; i++)
		pair_expect(with("content-type", good[i]), "0", "");
	for (size_t i = 0; bad[i] != NULL; i++) {
		struct pair_stream *stream = with("content-type", bad[i]);
		char text[100];

		snprintf(text, sizeof(text), "invalid gRPC request content-type \"%s\"", bad[i]);
		pair_expect(stream, "3", text);
		assert_string_equal(stream->http_status, "415");
	}
	pair_expect(with("content-type", NULL), "3", "invalid gRPC request content-type \"\"");
}

static void the_method_is_post(void **state)
{
	struct pair_stream *stream = with(":method", "PUT");

	(void)state;
	pair_expect(stream, "13",
		    "Received a HEADERS frame with :method \"PUT\" which should be POST");
	assert_string_equal(stream->http_status, "405");
}

static void timeouts(void **state)
{
	static const char *const bad[] = {"", "1", "m", "123456789m", "1x", "-1S", "1 S", NULL};

	(void)state;
	pair_expect(with("grpc-timeout", "10S"), "0", "");
	pair_expect(with("grpc-timeout", "99999999H"), "0", "");
	pair_expect(with("grpc-timeout", "1n"), "0", "");
	pair_expect(with("grpc-timeout", "0S"), "4", "context deadline exceeded");
	for (size_t i = 0; bad[i] != NULL; i++) {
		struct pair_stream *stream = with("grpc-timeout", bad[i]);

		assert_string_equal(stream->grpc_status, "13");
		assert_string_equal(stream->http_status, "400");
	}
}

static void unknown_methods(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
		{"/t.S/Nope", "unknown method Nope for service t.S"},
		{"/t.T/Echo", "unknown service t.T"},
		{"/t.S/Echo/x", "unknown service t.S/Echo"},
		{"/t.S/", "unknown method  for service t.S"},
		{"//Echo", "unknown service"},
		{"/Echo", "malformed method name: \"/Echo\""},
		{"/", "malformed method name: \"/\""},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct pair_stream *stream = pair_call(&pair, cases[i].path, "x");

		pair_pump(&pair);
		pair_expect(stream, "12", cases[i].text);
		assert_string_equal(stream->http_status, "200");
	}
	assert_int_equal(pair_seen.messages, 0);
	assert_int_equal(pair_seen.started, 0);
}

static struct pair_stream *raw(const char *path, const char *encoding, const char *bytes,
			       size_t len)
{
	struct pair_field fields[] = {{"grpc-encoding", encoding}, {NULL, NULL}};
	struct pair_stream *stream = pair_request(&pair, path, fields, es_slice(bytes, len), true);

	pair_pump(&pair);
	return stream;
}

static void bad_messages(void **state)
{
	(void)state;
	/* 100001 bytes are announced, 100000 allowed. */
	pair_expect(raw("/t.S/Echo", NULL, "\0\0\x01\x86\xa1x", 6), "8",
		    "grpc: received message larger than max (100001 vs. 100000)");
	pair_expect(raw("/t.S/Bidi", NULL, "\0\0\x01\x86\xa1x", 6), "8",
		    "grpc: received message larger than max (100001 vs. 100000)");
	assert_int_equal(pair_seen.closed, 1);
	pair_expect(raw("/t.S/Echo", NULL, "\1\0\0\0\1x", 6), "13",
		    "grpc: compressed flag set with identity or empty encoding");
	pair_expect(raw("/t.S/Echo", "identity", "\1\0\0\0\1x", 6), "13",
		    "grpc: compressed flag set with identity or empty encoding");
	pair_expect(raw("/t.S/Echo", "gzip", "\1\0\0\0\1x", 6), "12",
		    "grpc: Decompressor is not installed for grpc-encoding \"gzip\"");
	pair_expect(raw("/t.S/Echo", NULL, "\7\0\0\0\1x", 6), "13",
		    "grpc: received unexpected payload format 7");
	pair_expect(raw("/t.S/Echo", NULL, "\0\0\0\0\2x", 6), "13", "unexpected EOF");
	pair_expect(raw("/t.S/Bidi", NULL, "\0\0\0", 3), "13", "unexpected EOF");
	pair_expect(
		raw("/t.S/Echo", NULL, "", 0), "13",
		"cardinality violation: received no request message from non-client-streaming RPC");
	assert_int_equal(pair_seen.messages, 0);
}

static void messages_come_in_pieces(void **state)
{
	static uint8_t bytes[5 + 3000];
	struct pair_stream *unary = pair_request(&pair, "/t.S/Echo", NULL, es_slice(NULL, 0),
						 false);
	struct pair_stream *bidi = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);

	(void)state;
	es_grpc_frame_write(bytes, 3000);
	for (size_t i = 0; i < 3000; i++)
		bytes[5 + i] = (uint8_t)('a' + i % 26);
	for (size_t at = 0; at < sizeof(bytes); at += 601) {
		size_t len = sizeof(bytes) - at < 601 ? sizeof(bytes) - at : 601;

		pair_send(&pair, unary, es_slice(bytes + at, len), at + len == sizeof(bytes));
		pair_send(&pair, bidi, es_slice(bytes + at, len), false);
		pair_pump(&pair);
	}
	pair_send_message(&pair, bidi, "one", false);
	pair_send_message(&pair, bidi, "two", true);
	pair_pump(&pair);
	pair_expect(unary, "0", "");
	pair_expect(bidi, "0", "");
	assert_int_equal(unary->body.len, sizeof(bytes));
	assert_memory_equal(unary->body.data, bytes, sizeof(bytes));
	assert_memory_equal(bidi->body.data, bytes, sizeof(bytes));
	assert_string_equal(pair_message(bidi, 1), "one");
	assert_string_equal(pair_message(bidi, 2), "two");
}

static void a_second_message_of_a_unary_call_is_ignored(void **state)
{
	struct pair_stream *stream = pair_request(&pair, "/t.S/Hang", NULL, es_slice(NULL, 0),
						  false);

	(void)state;
	pair_send_message(&pair, stream, "one", false);
	pair_send_message(&pair, stream, "two", true);
	pair_pump(&pair);
	assert_int_equal(pair_seen.messages, 1);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
}

static void metadata_can_be_read(void **state)
{
	struct pair_field fields[] = {{"hasleader", "true"}, {"x", "1"}, {NULL, NULL}};
	struct es_slice value;

	(void)state;
	pair_request(&pair, "/t.S/Bidi", fields, es_slice(NULL, 0), false);
	pair_pump(&pair);
	assert_true(es_rpc_call_metadata(pair_seen.hung, "hasleader", &value));
	assert_true(es_slice_eq(value, ES_SLICE("true")));
	assert_true(es_rpc_call_metadata(pair_seen.hung, ":authority", &value));
	assert_true(es_slice_eq(value, ES_SLICE("test")));
	assert_false(es_rpc_call_metadata(pair_seen.hung, "hasleade", &value));
}

static void many_fields_are_kept(void **state)
{
	struct pair_field fields[21] = {{NULL, NULL}};
	static char names[20][8];
	struct es_slice got;

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "x-%zu", i);
		fields[i] = (struct pair_field){names[i], names[i]};
	}
	pair_request(&pair, "/t.S/Bidi", fields, es_slice(NULL, 0), false);
	pair_pump(&pair);
	for (size_t i = 0; i < 20; i++) {
		assert_true(es_rpc_call_metadata(pair_seen.hung, names[i], &got));
		assert_true(es_slice_eq(got, es_slice_str(names[i])));
	}
}

static void a_request_that_does_not_arrive_is_dropped(void **state)
{
	struct pair_stream *unary = pair_request(&pair, "/t.S/Echo", NULL, ES_SLICE("\0\0"), false);
	struct pair_stream *bidi = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);

	(void)state;
	pair_pump(&pair);
	pair_sleep(&pair, 29999);
	assert_false(unary->closed);
	pair_sleep(&pair, 1);
	pair_expect(unary, "4", "engenho: the request did not arrive in time");
	assert_false(bidi->closed); /* has all the time in the world */
}

/* Three parts of requests, each of which needs 64 KiB, are too much. */
static void unfinished_requests_are_limited(void **state)
{
	static uint8_t half[60005];
	struct pair_stream *streams[3], *small;

	(void)state;
	es_grpc_frame_write(half, 90000);
	pair.server->config.conn_request_bytes_max = 180000;
	for (int i = 0; i < 3; i++) {
		streams[i] = pair_request(&pair, "/t.S/Echo", NULL, es_slice(half, sizeof(half)),
					  false);
		pair_pump(&pair);
	}
	assert_false(streams[0]->closed);
	assert_false(streams[1]->closed);
	pair_expect(streams[2], "8", "engenho: too much of unfinished requests on this connection");
	/* What it held is free again. */
	small = pair_call(&pair, "/t.S/Echo", "x");
	pair_reset(&pair, streams[1]);
	pair_pump(&pair);
	pair_expect(small, "0", "");
	pair_send(&pair, streams[0], es_slice(half + 5, 30000), true);
	pair_pump(&pair);
	pair_expect(streams[0], "0", "");
	assert_int_equal(((struct es_h2 *)pair.conn->state)->held_bytes, 0);
}

static void streams_are_refused_while_requests_hold_too_much(void **state)
{
	struct pair_stream *first, *second;

	(void)state;
	pair.server->config.conn_request_bytes_max = 100;
	first = pair_call(&pair, "/t.S/Hang", "x");
	second = pair_call(&pair, "/t.S/Hang", "x");
	pair_pump(&pair);
	assert_false(first->closed);
	assert_true(second->closed);
	assert_int_equal(second->error_code, NGHTTP2_REFUSED_STREAM);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	pair_expect(first, "0", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(content_types, setup, teardown),
		cmocka_unit_test_setup_teardown(the_method_is_post, setup, teardown),
		cmocka_unit_test_setup_teardown(timeouts, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_come_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_message_of_a_unary_call_is_ignored, setup,
						teardown),
		cmocka_unit_test_setup_teardown(metadata_can_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(many_fields_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_that_does_not_arrive_is_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(unfinished_requests_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_are_refused_while_requests_hold_too_much,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
