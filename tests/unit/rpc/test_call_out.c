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

static void large_unary(struct es_rpc_call *call, size_t size)
{
	uint8_t *out = es_rpc_send(call, size);

	assert_non_null(out);
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(i % 251);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void large_answers_arrive_whole(void **state)
{
	static const size_t sizes[] = {1,     2000,  2048,   16384 - 5, 16384,
				       65535, 65536, 300000, 2000000};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(sizes); i++) {
		struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

		pair_pump(&pair);
		large_unary(pair_seen.hung, sizes[i]);
		pair_pump(&pair);
		pair_expect(stream, "0", "");
		assert_int_equal(stream->body.len, sizes[i] + 5);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(stream->body.data[5 + k], k % 251);
	}
}

/* Whatever room the last DATA frame of an answer leaves in the buffer, the trailers, and the answer
 * after it, come through. */
static void sweep(size_t cap, size_t from, size_t to)
{
	pair.produce_cap = cap;
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
	for (size_t size = from; size < to; size++) {
		struct pair_stream *streams[2];

		streams[0] = pair_call(&pair, "/t.S/Hang", "x");
		pair_pump(&pair);
		memset(es_rpc_send(pair_seen.hung, size), 1, size);
		es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
		streams[1] = pair_call(&pair, "/t.S/Echo", "and another");
		pair_pump(&pair);
		for (int i = 0; i < 2; i++)
			pair_expect(streams[i], "0", "");
		assert_int_equal(streams[0]->body.len, size + 5);
		assert_string_equal(pair_message(streams[1], 0), "and another");
		pair_forget(&pair);
	}
}

static void answers_of_every_size_fit_a_small_buffer(void **state)
{
	(void)state;
	sweep((size_t)32 << 10, 0, (size_t)33 << 10);
}

static void answers_of_every_size_fit_a_buffer(void **state)
{
	(void)state;
	sweep((size_t)64 << 10, (size_t)32 << 10, (size_t)65 << 10);
}

/* From where there is no room for one more whole frame on. */
static void answers_of_every_size_fit_a_large_buffer(void **state)
{
	(void)state;
	sweep((size_t)256 << 10, (size_t)239 << 10, (size_t)256 << 10);
}

/* The largest piece that is no DATA frame: refusals with long texts. */
static void headers_of_any_size_fit_a_buffer(void **state)
{
	char path[3000];

	(void)state;
	memset(path, 'p', sizeof(path));
	memcpy(path, "/t.S/", 5);
	pair.produce_cap = ES_NET_PRODUCE_MIN;
	for (size_t len = 10; len < sizeof(path); len += 7) {
		struct pair_stream *streams[8];
		char was = path[len];

		path[len] = '\0';
		for (int i = 0; i < 8; i++)
			streams[i] = pair_call(&pair, i % 2 == 0 ? path : "/t.S/Count", "13");
		path[len] = was;
		pair_pump(&pair);
		for (int i = 0; i < 8; i++)
			assert_string_equal(streams[i]->grpc_status, i % 2 == 0 ? "12" : "0");
		pair_forget(&pair);
	}
}

static void many_messages_share_frames(void **state)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Count", "300");

	(void)state;
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 300);
	assert_int_equal(pair_message(stream, 27)[0], 'b');
	assert_in_range(stream->data_frames, 1, 300 * 1005 / 16384 + 10);
}

/* ---- bodies ---- */

struct made {
	struct es_rpc_body body;
	uint64_t at;
	uint64_t fail_at;
	unsigned done;
	size_t cap_max;
};

static ptrdiff_t produce(struct es_rpc_body *body, uint8_t *out, size_t cap)
{
	struct made *made = ES_CONTAINER_OF(body, struct made, body);
	size_t len = cap < 1000 ? cap : 1000;

	if (made->at >= made->fail_at)
		return ES_EIO;
	if (cap > made->cap_max)
		made->cap_max = cap;
	assert_true(made->at + cap <= body->size);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)((made->at + i) % 251);
	made->at += len;
	return (ptrdiff_t)len;
}

static void done(struct es_rpc_body *body)
{
	ES_CONTAINER_OF(body, struct made, body)->done++;
}

static struct made make_body(uint64_t size)
{
	return (struct made){.body = {size, produce, done}, .fail_at = UINT64_MAX};
}

static struct pair_stream *hung(void)
{
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

	pair_pump(&pair);
	return stream;
}

static void a_body_is_made_as_the_client_takes_it(void **state)
{
	struct made made = make_body(1000000);
	struct pair_stream *stream = hung();
	struct es_rpc_call *call = pair_seen.hung;

	(void)state;
	/* The client's windows are 64 KiB - 1, and it opens them when it has read. */
	assert_int_equal(es_rpc_send_body(call, &made.body), 0);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
	assert_int_equal(made.at, 0);
	assert_int_equal(es_rpc_queued_bytes(call), ES_GRPC_PREFIX_BYTES);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(made.done, 1);
	assert_int_equal(stream->body.len, 1000005);
	for (size_t i = 0; i < 1000000; i++)
		assert_int_equal(stream->body.data[5 + i], i % 251);
}

static void an_empty_body_is_an_empty_message(void **state)
{
	struct made made = make_body(0);
	struct pair_stream *stream = hung();

	(void)state;
	assert_int_equal(es_rpc_send_body(pair_seen.hung, &made.body), 0);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 1);
	assert_int_equal(made.done, 1);
}

static void a_body_that_fails_resets_its_stream(void **state)
{
	struct made made = make_body(1000000);
	struct pair_stream *stream = hung();

	(void)state;
	made.fail_at = 30000;
	assert_int_equal(es_rpc_send_body(pair_seen.hung, &made.body), 0);
	es_rpc_finish(pair_seen.hung, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	assert_true(stream->closed);
	assert_int_equal(stream->error_code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(made.done, 1);
	stream = pair_call(&pair, "/t.S/Echo", "x"); /* the connection is well */
	pair_pump(&pair);
	pair_expect(stream, "0", "");
}

static void a_body_is_dropped_with_its_stream(void **state)
{
	struct made made = make_body(1000000);
	struct pair_stream *stream = hung();

	(void)state;
	assert_int_equal(es_rpc_send_body(pair_seen.hung, &made.body), 0);
	pair_reset(&pair, stream);
	pair_pump(&pair);
	assert_int_equal(made.done, 1);
	/* On a closed call it is refused, and done all the same. */
	pair_seen.hold = true;
	stream = hung();
	pair_reset(&pair, stream);
	pair_pump(&pair);
	made = make_body(1000);
	assert_int_equal(es_rpc_send_body(pair_seen.hung, &made.body), ES_ECANCELED);
	assert_int_equal(made.done, 1);
	es_rpc_call_release(pair_seen.hung);
}

/* ---- flow control ---- */

static int large_window(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	pair.client_window = 1 << 20;
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 || pair_connect(&pair) < 0;
}

static int small_window(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	pair.client_window = 1000;
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 || pair_connect(&pair) < 0;
}

/* Takes all but does not open its window again. */
static void stop_taking(struct pair_stream *stream)
{
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 0);
}

static void a_slow_client_is_waited_for_and_told_of(void **state)
{
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0),
						  false);
	struct es_rpc_call *call;

	(void)state;
	pair_pump(&pair);
	stop_taking(stream);
	call = pair_seen.hung;
	es_rpc_set_queue_low(call, 5000);
	for (int i = 0; i < 20; i++)
		memset(es_rpc_send(call, 995), 'm', 995);
	assert_int_equal(es_rpc_queued_bytes(call), 20000);
	pair_pump(&pair);
	assert_in_range(es_rpc_queued_bytes(call), 18000, 19000);
	assert_int_equal(pair_seen.writable, 0);
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 10000);
	pair_pump(&pair);
	assert_int_equal(pair_message_count(stream), 20);
	assert_int_equal(pair_seen.writable, 1);
	assert_int_equal(es_rpc_queued_bytes(call), 0);
	assert_int_equal(((struct es_h2 *)pair.conn->state)->queued_bytes, 0);
}

static void requests_wait_while_answers_do(void **state)
{
	struct pair_stream *slow, *waiting, *cancelled;

	(void)state;
	pair.server->config.conn_queue_bytes_max = 100000;
	slow = pair_call(&pair, "/t.S/Hang", "x");
	pair_pump(&pair);
	stop_taking(slow);
	large_unary(pair_seen.hung, 200000);
	pair_pump(&pair);
	waiting = pair_call(&pair, "/t.S/Echo", "x");
	cancelled = pair_call(&pair, "/t.S/Echo", "x");
	pair_pump(&pair);
	assert_false(waiting->closed);
	assert_int_equal(pair_seen.messages, 1);
	pair_reset(&pair, cancelled);
	pair_pump(&pair);
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, slow->id, 50000);
	pair_pump(&pair);
	pair_expect(slow, "0", "");
	pair_expect(waiting, "0", "");
	assert_int_equal(pair_seen.messages, 2);
}

/* Ten times the limit, with a client that does not take the echo: input is kept in its window. */
static void a_stream_that_takes_nothing_is_not_read(void **state)
{
	static char message[1001];
	struct pair_stream *stream, *other;

	(void)state;
	memset(message, 'm', sizeof(message) - 1);
	pair.server->config.conn_queue_bytes_max = 40000;
	stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	stop_taking(stream);
	for (int i = 0; i < 100; i++)
		pair_send_message(&pair, stream, message, i == 99);
	pair_pump(&pair);
	assert_in_range(es_rpc_queued_bytes(pair_seen.hung), 9000, 11500);
	assert_in_range(pair_seen.messages, 10, 13);
	assert_int_equal(pair_seen.half_closed, 0);
	other = pair_call(&pair, "/t.S/Echo", "others are not concerned");
	pair_pump(&pair);
	pair_expect(other, "0", "");
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 3000);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 100);
	assert_int_equal(pair_seen.half_closed, 1);
	assert_int_equal(((struct es_h2 *)pair.conn->state)->held_bytes, 0);
	assert_int_equal(((struct es_h2 *)pair.conn->state)->streamed_bytes, 0);
}

/* More than a window of the stream: it is opened for what was read, and for no more. */
static void a_stalled_stream_goes_on_where_it_was(void **state)
{
	static uint8_t bytes[50005];
	struct pair_stream *stream;

	(void)state;
	pair.server->config.conn_queue_bytes_max = 400000;
	stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	es_grpc_frame_write(bytes, 50000);
	for (int round = 0; round < 3; round++) {
		nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id,
						      0);
		for (int i = 0; i < 50; i++)
			pair_send(&pair, stream, es_slice(bytes, sizeof(bytes)),
				  round == 2 && i == 49);
		pair_pump(&pair);
		assert_true(stream->unsent.len > 0); /* the window is used up */
		nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id,
						      100000);
		pair_pump(&pair);
		assert_int_equal(stream->unsent.len, 0);
	}
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 150);
}

static void a_deadline_does_not_cut_a_message(void **state)
{
	struct pair_field timeout[] = {{"grpc-timeout", "1S"}, {NULL, NULL}};
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", timeout, es_slice(NULL, 0),
						  false);

	(void)state;
	pair_pump(&pair);
	stop_taking(stream);
	memset(es_rpc_send(pair_seen.hung, 5000), 'm', 5000);
	pair_sleep(&pair, 2000);
	assert_true(stream->closed);
	assert_int_equal(stream->error_code, NGHTTP2_CANCEL);
	assert_string_equal(stream->grpc_status, "");
	assert_int_equal(pair_seen.closed, 1);
}

/* A watch that is behind when the server stops: its client hears why, behind what was sent, and
 * goes on elsewhere. */
static void an_end_does_not_cut_messages(void **state)
{
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0),
						  false);

	(void)state;
	pair_pump(&pair);
	stop_taking(stream);
	for (int i = 0; i < 3; i++)
		memset(es_rpc_send(pair_seen.hung, 5000), 'm', 5000);
	pair_pump(&pair);
	es_rpc_conn_drain(pair.conn);
	assert_int_equal(pair_seen.closed, 1);
	pair_pump(&pair);
	assert_false(stream->closed);
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 20000);
	pair_pump(&pair);
	pair_expect(stream, "14", "etcdserver: server stopped");
	assert_int_equal(pair_message_count(stream), 3);
}

/* One that is within a message when there is no more time: not CANCEL, which clients take for their
 * own doing. */
static void the_last_end_is_an_error(void **state)
{
	struct made made = make_body(1000000);
	struct pair_stream *stream = pair_call(&pair, "/t.S/Hang", "x");

	(void)state;
	pair_pump(&pair);
	stop_taking(stream);
	assert_int_equal(es_rpc_send_body(pair_seen.hung, &made.body), 0);
	pair_pump(&pair);
	es_rpc_conn_drain(pair.conn);
	pair_pump(&pair);
	assert_false(stream->closed);
	es_rpc_conn_abandon(pair.conn);
	pair_pump(&pair);
	assert_true(stream->closed);
	assert_int_equal(stream->error_code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(made.done, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(large_answers_arrive_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_of_every_size_fit_a_small_buffer,
						large_window, teardown),
		cmocka_unit_test_setup_teardown(answers_of_every_size_fit_a_buffer, large_window,
						teardown),
		cmocka_unit_test_setup_teardown(answers_of_every_size_fit_a_large_buffer,
						large_window, teardown),
		cmocka_unit_test_setup_teardown(headers_of_any_size_fit_a_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(many_messages_share_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(a_body_is_made_as_the_client_takes_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_empty_body_is_an_empty_message, setup, teardown),
		cmocka_unit_test_setup_teardown(a_body_that_fails_resets_its_stream, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_body_is_dropped_with_its_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_client_is_waited_for_and_told_of,
						small_window, teardown),
		cmocka_unit_test_setup_teardown(requests_wait_while_answers_do, small_window,
						teardown),
		cmocka_unit_test_setup_teardown(a_stream_that_takes_nothing_is_not_read,
						small_window, teardown),
		cmocka_unit_test_setup_teardown(a_stalled_stream_goes_on_where_it_was, small_window,
						teardown),
		cmocka_unit_test_setup_teardown(a_deadline_does_not_cut_a_message, small_window,
						teardown),
		cmocka_unit_test_setup_teardown(an_end_does_not_cut_messages, small_window,
						teardown),
		cmocka_unit_test_setup_teardown(the_last_end_is_an_error, small_window, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
