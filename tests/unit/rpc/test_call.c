#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
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

static void a_unary_call_is_answered(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Echo", "hello");

	(void)state;
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_string_equal(stream->http_status, "200");
	assert_string_equal(stream->content_type, "application/grpc");
	assert_string_equal(pair_message(stream, 0), "hello");
	assert_int_equal(pair_message_count(stream), 1);
	assert_int_equal(stream->data_frames, 1);
	assert_int_equal(stream->error_code, NGHTTP2_NO_ERROR);
	assert_int_equal(pair_seen.started, 1);
	assert_int_equal(pair_seen.finished, 1);
	assert_int_equal(pair_seen.sent_bytes, 5);
	assert_int_equal(pair_seen.received_bytes, 5);
	assert_int_equal(pair.server->calls_live, 0);
}

static void an_empty_message_is_a_message(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Echo", "");

	(void)state;
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 1);
}

static void a_stream_goes_both_ways(void **state)
{
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0),
						  false);

	(void)state;
	pair_pump(&pair);
	assert_int_equal(pair_seen.opened, 1);
	assert_string_equal(stream->http_status, ""); /* with the first message */
	for (int i = 0; i < 5; i++) {
		pair_send_message(&pair, stream, i % 2 == 0 ? "even" : "odd", false);
		pair_pump(&pair);
		assert_int_equal(pair_message_count(stream), i + 1);
		assert_string_equal(pair_message(stream, (size_t)i), i % 2 == 0 ? "even" : "odd");
	}
	assert_false(stream->closed);
	pair_send(&pair, stream, es_slice(NULL, 0), true);
	pair_pump(&pair);
	assert_int_equal(pair_seen.half_closed, 1);
	pair_expect(stream, "0", "");
	assert_int_equal(stream->data_frames, 5); /* none is empty */
	assert_int_equal(pair_seen.closed, 0);
}

static void cancelling_closes(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

	(void)state;
	pair_pump(&pair);
	assert_int_equal(pair_seen.messages, 1);
	pair_reset(&pair, stream);
	pair_pump(&pair);
	assert_int_equal(pair_seen.closed, 1);
	assert_int_equal(pair_seen.finished, 1);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_CANCELLED);
	assert_int_equal(pair.server->calls_live, 0);
}

static void a_held_call_outlives_its_stream_and_connection(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");
	struct es_rpc_call *call;
	struct es_slice value;

	(void)state;
	pair_seen.hold = true;
	pair_pump(&pair);
	call = pair_seen.hung;
	pair_reset(&pair, stream);
	pair_pump(&pair);
	assert_int_equal(pair_seen.closed, 1);
	es_rpc_conn_free(pair.conn);
	pair.conn = NULL;
	assert_true(es_rpc_call_is_closed(call));
	assert_true(es_rpc_call_metadata(call, ":path", &value));
	assert_true(es_slice_eq(value, ES_SLICE("/t.S/Hang")));
	assert_null(es_rpc_send(call, 10));
	es_rpc_finish(call, ES_GRPC_OK, NULL); /* does nothing */
	assert_non_null(es_arena_alloc(es_rpc_call_arena(call), 10));
	assert_int_equal(pair.server->calls_live, 1);
	es_rpc_call_release(call);
	assert_int_equal(pair.server->calls_live, 0);
}

static void a_lost_connection_closes_all_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		pair_call(&pair, "/t.S/Hang", "x");
	pair_pump(&pair);
	es_rpc_conn_free(pair.conn);
	pair.conn = NULL;
	assert_int_equal(pair_seen.closed, 5);
	assert_int_equal(pair_seen.finished, 5);
	assert_int_equal(pair.server->calls_live, 0);
}

static void answering_later_works(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");
	uint8_t *out;

	(void)state;
	pair_pump(&pair);
	assert_string_equal(stream->http_status, "");
	out = es_rpc_send(pair_seen.hung, 2);
	assert_non_null(out);
	memcpy(out, "ok", 2);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_string_equal(pair_message(stream, 0), "ok");
	assert_int_equal(pair_seen.closed, 0);
}

static void a_failure_has_code_and_text(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

	(void)state;
	pair_pump(&pair);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OUT_OF_RANGE, "100% \xc3\xa4 wrong\n");
	pair_pump(&pair);
	pair_expect(stream, "11", "100%25 %C3%A4 wrong%0A");
	assert_string_equal(stream->http_status, "200");
	assert_int_equal(stream->data_frames, 0);
	stream = pair_call(&pair, "/t.S/Hang", "x");
	pair_pump(&pair);
	es_rpc_finish_status(pair_seen.hung, ES_ECOMPACTED);
	pair_pump(&pair);
	pair_expect(stream, "11", "etcdserver: mvcc: required revision has been compacted");
}

static void finishing_ends_a_call_that_the_client_keeps_open(void **state)
{
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0),
						  false);

	(void)state;
	pair_send_message(&pair, stream, "a", false);
	pair_pump(&pair);
	es_rpc_finish(pair_seen.hung, ES_GRPC_UNAVAILABLE, "bye");
	pair_pump(&pair);
	pair_expect(stream, "14", "bye");
	assert_int_equal(stream->error_code, NGHTTP2_NO_ERROR);
	assert_int_equal(pair_seen.closed, 0);
	assert_int_equal(pair.server->calls_live, 0);
}

static void the_hook_may_refuse(void **state)
{
	struct pair_stream *stream;

	(void)state;
	pair_seen.refuse = ES_ETOO_MANY_REQUESTS;
	stream = pair_call(&pair, "/t.S/Echo", "hello");
	pair_pump(&pair);
	pair_expect(stream, "8", "etcdserver: too many requests");
	assert_int_equal(pair_seen.messages, 0);
	assert_int_equal(pair_seen.finished, 0);
}

static void the_deadline_ends_a_call(void **state)
{
	struct pair_field timeout[] = {{"grpc-timeout", "500m"}, {NULL, NULL}};
	uint8_t message[] = {0, 0, 0, 0, 1, 'x'};
	struct pair_stream *stream = pair_request(&pair, "/t.S/Hang", timeout,
						  es_slice(message, sizeof(message)), true);

	(void)state;
	pair_pump(&pair);
	assert_int_equal(es_rpc_call_deadline_ms(pair_seen.hung), pair.now_ms + 500);
	pair_sleep(&pair, 499);
	assert_false(stream->closed);
	pair_sleep(&pair, 1 + 2 * ES_WHEEL_TICK_MS);
	pair_expect(stream, "4", "context deadline exceeded");
	assert_int_equal(pair_seen.closed, 1);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_DEADLINE_EXCEEDED);
	/* Without one there is none. */
	stream = pair_call(&pair, "/t.S/Hang", "x");
	pair_pump(&pair);
	assert_true(es_rpc_call_deadline_ms(pair_seen.hung) == UINT64_MAX);
	pair_sleep(&pair, 100000);
	assert_false(stream->closed);
}

static void durations_are_of_the_clock_that_was_given(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

	(void)state;
	pair_pump(&pair);
	pair.now_ms += 250;
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	assert_int_equal(pair_seen.duration_us, 250000);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
}

static void calls_are_recycled(void **state)
{
	uint64_t live;

	(void)state;
	for (int i = 0; i < 20; i++) {
		pair_call(&pair, "/t.S/Echo", "hello");
		pair_pump(&pair);
	}
	live = pair.fault.live;
	for (int i = 0; i < 40; i++) {
		struct pair_stream *stream = pair_call(&pair, "/t.S/Echo", "hello");

		pair_pump(&pair);
		pair_expect(stream, "0", "");
	}
	assert_int_equal(pair.fault.live, live);
	assert_int_equal(pair.server->free_call_count, 1);
}

/* Calls of all kinds, with memory failing at the n-th allocation: whatever happens to them, nothing
 * leaks, no call is closed twice, and the connection either works or is broken. */
static void every_failure_of_memory_is_survived(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct pair_stream *bidi;
		bool fired;

		pair_init(&pair, n);
		if (pair_open(&pair) < 0 || pair_register(&pair) < 0 || pair_connect(&pair) < 0) {
			assert_true(pair.fault.fired);
			pair_close(&pair);
			continue;
		}
		pair_call(&pair, "/t.S/Echo", "hello");
		pair_call(&pair, "/t.S/Count", "300");
		pair_call(&pair, "/t.S/Nope", "a");
		pair_call(&pair, "/t.S/Hang", "a");
		bidi = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);
		pair_send_message(&pair, bidi, "message", false);
		pair_pump(&pair);
		pair_send_message(&pair, bidi, "message", true);
		pair_pump(&pair);
		fired = pair.fault.fired;
		if (!fired) {
			pair_expect(bidi, "0", "");
			assert_int_equal(pair_message_count(bidi), 2);
		}
		pair_close(&pair);
		if (!fired)
			break;
		assert_true(n < 100000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_unary_call_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_message_is_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_goes_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelling_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_held_call_outlives_its_stream_and_connection,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_connection_closes_all_calls, setup,
						teardown),
		cmocka_unit_test_setup_teardown(answering_later_works, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_has_code_and_text, setup, teardown),
		cmocka_unit_test_setup_teardown(finishing_ends_a_call_that_the_client_keeps_open,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_hook_may_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(the_deadline_ends_a_call, setup, teardown),
		cmocka_unit_test_setup_teardown(durations_are_of_the_clock_that_was_given, setup,
						teardown),
		cmocka_unit_test_setup_teardown(calls_are_recycled, setup, teardown),
		cmocka_unit_test(every_failure_of_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
