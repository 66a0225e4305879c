#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

/* What the answers of a connection may hold when its client takes none. */

#define QUEUE_MAX ((size_t)1 << 20)
#define CALLS     PAIR_STREAMS

static struct pair pair;
static struct es_rpc_call *begun[CALLS];
static size_t begun_count;

static void begin(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	begun[begun_count++] = call;
}

/* An answer that is not made at once. */

static ptrdiff_t produce(struct es_rpc_body *body, uint8_t *out, size_t cap)
{
	(void)body;
	memset(out, 'b', cap);
	return (ptrdiff_t)cap;
}

static void done(struct es_rpc_body *body)
{
	(void)body;
}

static void answer_from_arena(struct es_rpc_call *call, struct es_slice request)
{
	struct es_rpc_body *body = es_arena_alloc(es_rpc_call_arena(call), sizeof(*body) + 300000);

	begin(call, request);
	assert_non_null(body);
	*body = (struct es_rpc_body){400000, produce, done};
	assert_int_equal(es_rpc_send_body(call, body), 0);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static unsigned writable_count;

static void writable(struct es_rpc_call *call)
{
	(void)call;
	writable_count++;
}

static void answer_twentyfold(struct es_rpc_call *call, struct es_slice request)
{
	uint8_t *out = es_rpc_send(call, request.len * 20);

	assert_non_null(out);
	memset(out, 't', request.len * 20);
}

static void finish(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static const struct es_rpc_method methods[] = {
	{.service = "b.S", .name = "Begin", .kind = ES_RPC_UNARY, .message = begin},
	{.service = "b.S", .name = "Wait", .kind = ES_RPC_UNARY, .message = begin, .waits = true},
	{.service = "b.S", .name = "Arena", .kind = ES_RPC_UNARY, .message = answer_from_arena},
	{.service = "b.S",
	 .name = "Stream",
	 .kind = ES_RPC_BIDI,
	 .opened = NULL,
	 .message = answer_twentyfold,
	 .half_closed = finish,
	 .writable = writable},
	{.service = "b.S",
	 .name = "Watch",
	 .kind = ES_RPC_BIDI,
	 .message = begin,
	 .half_closed = finish,
	 .writable = writable},
};

static int setup(void **state)
{
	(void)state;
	begun_count = 0;
	writable_count = 0;
	pair_init(&pair, UINT64_MAX);
	pair.client_window = 1000;
	pair.config.conn_queue_bytes_max = QUEUE_MAX;
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 ||
	       es_rpc_register(pair.server, methods, ES_ARRAY_LEN(methods), NULL) < 0 ||
	       pair_connect(&pair) < 0;
}

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static const struct es_h2 *h2(void)
{
	return pair.conn->state;
}

static void stop_taking(const struct pair_stream *stream)
{
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 0);
}

static void take(const struct pair_stream *stream)
{
	nghttp2_session_set_local_window_size(pair.client, NGHTTP2_FLAG_NONE, stream->id, 1 << 22);
}

static void call_many(const char *path, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pair_call(&pair, path, "x");
	pair_pump(&pair);
}

static void answer(struct es_rpc_call *call, size_t size)
{
	uint8_t *out = es_rpc_send(call, size);

	if (out == NULL)
		return;
	memset(out, 'a', size);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

/* As many as may get their answers at once: how large those are shows. */
static void calls_are_begun_as_their_answers_may_need(void **state)
{
	size_t small, large;

	(void)state;
	call_many("/b.S/Begin", CALLS);
	assert_int_equal(begun_count, QUEUE_MAX / 65536 + 1); /* nothing is known */
	for (small = 0; small < begun_count && small < 40; small++) {
		answer(begun[small], 10);
		pair_pump(&pair);
	}
	assert_int_equal(small, 40);
	assert_int_equal(begun_count, CALLS);
	while (small < CALLS)
		answer(begun[small++], 10);
	pair_pump(&pair);
	pair_forget(&pair);
	begun_count = 0;
	call_many("/b.S/Begin", CALLS);
	assert_int_equal(begun_count, CALLS);
	for (large = 0; large < CALLS; large++)
		answer(begun[large], 60000);
	pair_pump(&pair);
	for (size_t i = 0; i < CALLS; i++)
		pair_expect(&pair.streams[i], "0", "");
	pair_forget(&pair);
	begun_count = 0;
	call_many("/b.S/Begin", CALLS);
	assert_in_range(begun_count, QUEUE_MAX / 60000, QUEUE_MAX / 50000 + 1);
	assert_int_equal(h2()->owed_count, begun_count);
	for (size_t i = 0; i < CALLS; i++) {
		answer(begun[i], 10);
		pair_pump(&pair);
	}
	assert_int_equal(begun_count, CALLS);
	assert_int_equal(h2()->owed_count, 0);
}

static void those_that_wait_for_others_do_not_count(void **state)
{
	(void)state;
	call_many("/b.S/Wait", CALLS - 1);
	assert_int_equal(begun_count, CALLS - 1);
	assert_int_equal(h2()->owed_count, 0);
	call_many("/t.S/Echo", 1);
	pair_expect(&pair.streams[CALLS - 1], "0", "");
}

/* Larger than any before, made all at once, and the client takes none. */
static void large_answers_above_all_limits_are_refused(void **state)
{
	size_t refused = 0;

	(void)state;
	for (int i = 0; i < CALLS; i++) {
		struct pair_stream *stream = pair_call(&pair, "/t.S/Echo", "x");

		pair_pump(&pair);
		pair_expect(stream, "0", "");
		pair_forget(&pair);
	}
	for (int i = 0; i < CALLS; i++)
		pair_call(&pair, "/b.S/Begin", "x");
	pair_pump(&pair);
	assert_int_equal(begun_count, CALLS);
	for (int i = 0; i < CALLS; i++)
		stop_taking(&pair.streams[i]);
	pair_pump(&pair);
	for (size_t i = 0; i < CALLS; i++) {
		answer(begun[i], i + 1 == CALLS ? 60000 : 1000000);
		refused += pair_seen.finish_code == ES_GRPC_RESOURCE_EXHAUSTED;
	}
	assert_int_equal(refused, CALLS - 1 - 17);
	assert_int_equal(pair_seen.finish_code, ES_GRPC_OK); /* a small one goes */
	pair_pump(&pair);
	for (int i = 0; i < CALLS; i++)
		take(&pair.streams[i]);
	pair_pump(&pair);
	for (size_t i = 0; i < CALLS; i++)
		assert_true(pair.streams[i].closed);
	pair_expect(&pair.streams[16], "0", "");
	pair_expect(&pair.streams[17], "8", "engenho: too many answers wait on this connection");
	assert_int_equal(h2()->queued_bytes, 0);
	assert_int_equal(h2()->owed_count, 0);
}

static void what_answers_keep_in_arenas_counts(void **state)
{
	(void)state;
	call_many("/b.S/Arena", 20);
	assert_int_equal(begun_count, 20); /* its client takes them */
	assert_int_equal(h2()->kept_bytes, 0);
	pair_forget(&pair);
	begun_count = 0;
	for (int i = 0; i < 20; i++)
		pair_request(&pair, "/b.S/Arena", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	for (int i = 0; i < 20; i++) {
		stop_taking(&pair.streams[i]);
		pair_send_message(&pair, &pair.streams[i], "x", true);
	}
	pair_pump(&pair);
	assert_int_equal(begun_count, QUEUE_MAX / 300000 + 1);
	for (int i = 0; i < 20; i++)
		take(&pair.streams[i]);
	pair_pump(&pair);
	for (int i = 0; i < 20; i++)
		pair_expect(&pair.streams[i], "0", "");
	assert_int_equal(h2()->kept_bytes, 0);
	assert_int_equal(h2()->held_bytes, 0);
}

/* Each within its share, and together too much. */
static void streams_together_have_a_limit(void **state)
{
	static char message[2001];

	(void)state;
	memset(message, 'm', sizeof(message) - 1);
	for (int i = 0; i < CALLS; i++)
		pair_request(&pair, "/b.S/Stream", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	for (int i = 0; i < CALLS; i++)
		stop_taking(&pair.streams[i]);
	for (int k = 0; k < 5; k++) {
		for (int i = 0; i < CALLS; i++)
			pair_send_message(&pair, &pair.streams[i], message, k == 4);
		pair_pump(&pair);
	}
	assert_in_range(h2()->streamed_bytes, 4 * QUEUE_MAX, 4 * QUEUE_MAX + 100000);
	for (int i = 0; i < CALLS; i++)
		take(&pair.streams[i]);
	pair_pump(&pair);
	for (int i = 0; i < CALLS; i++) {
		pair_expect(&pair.streams[i], "0", "");
		assert_int_equal(pair_message_count(&pair.streams[i]), 5);
	}
	assert_int_equal(h2()->streamed_bytes, 0);
	assert_int_equal(h2()->held_bytes, 0);
}

static void a_stream_hears_when_there_is_room_again(void **state)
{
	struct pair_stream *slow, *other;

	(void)state;
	slow = pair_request(&pair, "/b.S/Watch", NULL, es_slice(NULL, 0), false);
	pair_send_message(&pair, slow, "x", false);
	other = pair_request(&pair, "/b.S/Watch", NULL, es_slice(NULL, 0), false);
	pair_send_message(&pair, other, "x", false);
	pair_pump(&pair);
	assert_int_equal(begun_count, 2);
	stop_taking(slow);
	pair_pump(&pair);
	assert_false(es_rpc_is_congested(begun[1]));
	memset(es_rpc_send(begun[0], 4 * QUEUE_MAX - 8), 'w', 4 * QUEUE_MAX - 8);
	assert_false(es_rpc_is_congested(begun[1]));
	memset(es_rpc_send(begun[0], 8192), 'w', 8192);
	assert_true(es_rpc_is_congested(begun[1]));
	pair_pump(&pair);
	assert_int_equal(writable_count, 0);
	pair_reset(&pair, slow);
	pair_pump(&pair);
	assert_int_equal(writable_count, 1);
	assert_false(es_rpc_is_congested(begun[1]));
	pair_send(&pair, other, es_slice(NULL, 0), true);
	pair_pump(&pair);
	pair_expect(other, "0", "");
}

/* It costs us that much, whatever it cost the client. */
static void an_open_stream_counts(void **state)
{
	size_t count;

	(void)state;
	pair.server->config.conn_request_bytes_max = 100000;
	for (count = 0; count < 40; count++)
		pair_request(&pair, "/b.S/Watch", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	for (count = 0; count < 40 && !pair.streams[count].closed; count++)
		continue;
	assert_in_range(count, 15, 25);
	assert_int_equal(pair.streams[39].error_code, NGHTTP2_REFUSED_STREAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_are_begun_as_their_answers_may_need, setup,
						teardown),
		cmocka_unit_test_setup_teardown(those_that_wait_for_others_do_not_count, setup,
						teardown),
		cmocka_unit_test_setup_teardown(large_answers_above_all_limits_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_answers_keep_in_arenas_counts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(streams_together_have_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_hears_when_there_is_room_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_open_stream_counts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
