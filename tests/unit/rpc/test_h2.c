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

static void pump_ping(void)
{
	nghttp2_submit_ping(pair.client, NGHTTP2_FLAG_NONE, NULL);
	pair_pump(&pair);
}

static void pings_are_answered(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		pump_ping();
		pair_sleep(&pair, 10000);
	}
	assert_int_equal(pair.ping_acks, 200);
	assert_false(pair.goaway);
}

static void pings_too_often_are_not(void **state)
{
	(void)state;
	pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);
	for (int i = 0; i < 3; i++) {
		pump_ping();
		pair_sleep(&pair, 1000);
	}
	assert_false(pair.goaway);
	pump_ping();
	assert_true(pair.goaway);
	assert_int_equal(pair.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_string_equal(pair.goaway_text, "too_many_pings");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void pings_beside_answers_are_fine(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct pair_stream *stream = pair_call(&pair, "/t.S/Echo", "x");

		pump_ping();
		pair_expect(stream, "0", "");
	}
	assert_false(pair.goaway);
}

static void a_silent_client_is_pinged_and_then_dropped(void **state)
{
	(void)state;
	pair_pump(&pair);
	pair_sleep(&pair, 7199000);
	assert_int_equal(pair.pings_received, 0);
	pair_sleep(&pair, 1000);
	assert_int_equal(pair.pings_received, 1); /* and it answers */
	pair_sleep(&pair, 60000);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	/* Again, and its answer is lost. */
	pair.now_ms += 7200000;
	es_rpc_server_tick(pair.server, pair.now_ms);
	pair.now_ms += 19999;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	pair.now_ms += 1;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
}

static void receive(const void *bytes, size_t len)
{
	es_rpc_conn_receive(pair.conn, bytes, len);
}

static void produce_all(void)
{
	static uint8_t out[ES_NET_PRODUCE_MIN];
	size_t len;

	while ((len = es_rpc_conn_produce(pair.conn, out, sizeof(out))) > 0)
		assert_int_equal(nghttp2_session_mem_recv(pair.client, out, len), len);
}

/* The GOAWAY in what the server sends, whatever a client would make of the rest. False: there is
 * none. */
static bool find_goaway(uint32_t *ret_code)
{
	static uint8_t out[(size_t)1 << 20];
	size_t size = 0, len;

	while ((len = es_rpc_conn_produce(pair.conn, out + size, sizeof(out) - size)) > 0)
		size += len;
	for (size_t at = 0; at + 9 <= size; at += 9 + len) {
		len = (size_t)out[at] << 16 | (size_t)out[at + 1] << 8 | out[at + 2];
		if (out[at + 3] != NGHTTP2_GOAWAY)
			continue;
		*ret_code = out[at + 16];
		return true;
	}
	return false;
}

/* A client that only asks for acknowledgements and never reads. */
static void flood(const uint8_t *frame, size_t len)
{
	uint32_t code;

	pair_pump(&pair);
	for (int i = 0; i < 2000 && pair.conn->life == ES_CONN_OPEN; i++)
		receive(frame, len);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
	assert_true(find_goaway(&code));
	assert_int_equal(code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void a_flood_of_settings_ends(void **state)
{
	static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

	(void)state;
	flood(settings, sizeof(settings));
}

/* One that reads, and has streams. */
static size_t open_streams(uint32_t first, uint32_t count)
{
	/* HEADERS that need the static table alone: POST, http, /t.S/Bidi, gRPC's content type. */
	static const uint8_t fields[] = "\x83\x86\x04\x09/t.S/Bidi\x01\x04test\x0f\x10\x10"
					"application/grpc";
	uint8_t frame[9 + sizeof(fields) - 1] = {0, 0, sizeof(fields) - 1, 1, 4};

	memcpy(frame + 9, fields, sizeof(fields) - 1);
	for (uint32_t id = first; id < first + 2 * count; id += 2) {
		frame[6] = (uint8_t)(id >> 16);
		frame[7] = (uint8_t)(id >> 8);
		frame[8] = (uint8_t)id;
		receive(frame, sizeof(frame));
	}
	return pair_seen.opened;
}

static const uint8_t new_window[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0};

static void settings_have_a_rate(void **state)
{
	unsigned given = 0;
	uint32_t code;

	(void)state;
	pair_pump(&pair);
	assert_int_equal(open_streams(1, 100), 100);
	for (int i = 0; i < 200; i++) { /* now and then they are welcome */
		receive(new_window, sizeof(new_window));
		assert_false(find_goaway(&code));
		pair.now_ms += 200;
	}
	while (!find_goaway(&code) && given < 100) {
		receive(new_window, sizeof(new_window));
		given++;
	}
	assert_in_range(given, 50, 52);
	assert_int_equal(code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

/* With many streams not even what came together with the flood is looked at. */
static void a_flood_ends_where_it_is_seen(void **state)
{
	static uint8_t bytes[200 * sizeof(new_window) + 17];
	static const uint8_t ping[17] = {0, 0, 8, 6, 0, 0, 0, 0, 0};

	(void)state;
	pair_pump(&pair);
	assert_int_equal(open_streams(1, 1100), 1100);
	for (size_t i = 0; i < 200; i++)
		memcpy(bytes + i * sizeof(new_window), new_window, sizeof(new_window));
	memcpy(bytes + sizeof(bytes) - sizeof(ping), ping, sizeof(ping));
	receive(bytes, sizeof(bytes));
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
	assert_int_equal(((struct es_h2 *)pair.conn->state)->pinged_ms, 0);
}

static void a_flood_of_pings_ends(void **state)
{
	static const uint8_t ping[17] = {0, 0, 8, 6, 0, 0, 0, 0, 0};

	(void)state;
	pair.server->config.keepalive_min_time_ms = 0; /* judged by the queue alone */
	flood(ping, sizeof(ping));
}

static void many_resets_end_the_connection(void **state)
{
	(void)state;
	pair_pump(&pair);
	for (uint32_t i = 0; i < 10000 && pair.conn->life == ES_CONN_OPEN; i++) {
		/* HEADERS that need the static table alone: POST, http, /, and then RST_STREAM. */
		uint32_t id = 2 * i + 1;
		uint8_t frames[] = {0,
				    0,
				    9,
				    1,
				    4,
				    0,
				    (uint8_t)(id >> 16),
				    (uint8_t)(id >> 8),
				    (uint8_t)id,
				    0x83,
				    0x86,
				    0x84,
				    0x01,
				    4,
				    't',
				    'e',
				    's',
				    't',
				    0,
				    0,
				    4,
				    3,
				    0,
				    0,
				    (uint8_t)(id >> 16),
				    (uint8_t)(id >> 8),
				    (uint8_t)id,
				    0,
				    0,
				    0,
				    8};

		receive(frames, sizeof(frames));
		assert_true(i < 3000);
	}
	produce_all();
	assert_true(pair.goaway);
	assert_int_equal(pair.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_string_equal(pair.goaway_text, "too many resets");
	assert_int_equal(pair.server->calls_live, 0);
}

/* Now and then a reset is what clients do. */
static void some_resets_are_fine(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		pair_reset(&pair, pair_call(&pair, "/t.S/Hang", "x"));
		pair_sleep(&pair, 10);
	}
	assert_false(pair.goaway);
}

static void endless_headers_end_the_connection(void **state)
{
	uint8_t headers[9 + 100] = {0, 0, 100, 1, 0, 0, 0, 0, 1};
	uint8_t continuation[9 + 100] = {0, 0, 100, 9, 0, 0, 0, 0, 1};
	uint32_t code;

	(void)state;
	memset(headers + 9, 0x84, 100);
	memset(continuation + 9, 0x84, 100);
	pair_pump(&pair);
	receive(headers, sizeof(headers));
	for (int i = 0; i < 1000 && pair.conn->life == ES_CONN_OPEN; i++)
		receive(continuation, sizeof(continuation));
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
	assert_true(find_goaway(&code));
}

/* One entry of the table, 4 KB, and then its index again and again: little to send, much to hold.
 */
static void a_header_bomb_is_refused(void **state)
{
	static uint8_t frame[9 + 9 + 5 + 4000 + 100] = {0, 0, 0, 1, 4, 0, 0, 0, 1};
	static const uint8_t begin[] = {0x83, 0x86, 0x84, 0x01, 4,    't',  'e', 's',
					't',  0x40, 1,    'x',  0x7f, 0xa1, 0x1e};
	size_t at = 9;

	(void)state;
	pair_pump(&pair);
	memcpy(frame + at, begin, sizeof(begin));
	memset(frame + at + sizeof(begin), 'v', 4000);
	at += sizeof(begin) + 4000;
	for (int i = 0; i < 90; i++)
		frame[at++] = 0xbe;
	frame[1] = (uint8_t)((at - 9) >> 8);
	frame[2] = (uint8_t)(at - 9);
	receive(frame, at);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	assert_int_equal(pair_seen.started, 0);
	produce_all();
	assert_int_equal(pair.server->calls_live, 0); /* reset */
}

static void garbage_ends_the_connection(void **state)
{
	(void)state;
	pair_pump(&pair);
	receive("this is no frame at all, whatever comes", 39);
	produce_all();
	assert_true(pair.goaway);
	assert_int_not_equal(pair.conn->life, ES_CONN_OPEN);
}

static void settings_must_come(void **state)
{
	(void)state;
	receive(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
	pair.now_ms += 29999;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	pair.now_ms += 1;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void draining_ends_streams_and_waits_for_calls(void **state)
{
	struct pair_stream *unary = pair_call(&pair, "/t.S/Hang", "x");
	struct es_rpc_call *call;
	struct pair_stream *bidi;

	(void)state;
	pair_pump(&pair);
	call = pair_seen.hung;
	bidi = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0), false);
	pair_pump(&pair);
	es_rpc_conn_drain(pair.conn);
	assert_int_equal(pair_seen.closed, 1);
	pair_pump(&pair);
	assert_true(pair.goaway);
	assert_int_equal(pair.goaway_code, NGHTTP2_NO_ERROR);
	pair_expect(bidi, "14", "etcdserver: server stopped");
	assert_false(unary->closed);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
	pair_pump(&pair);
	pair_expect(unary, "0", "");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void abandoning_ends_everything(void **state)
{
	struct pair_stream *unary = pair_call(&pair, "/t.S/Hang", "x");

	(void)state;
	pair_pump(&pair);
	es_rpc_conn_drain(pair.conn);
	es_rpc_conn_abandon(pair.conn);
	pair_pump(&pair);
	pair_expect(unary, "14", "etcdserver: server stopped");
	assert_int_equal(pair_seen.closed, 1);
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void uploads_are_not_throttled(void **state)
{
	static uint8_t bytes[90005];
	struct pair_stream *stream = pair_request(&pair, "/t.S/Bidi", NULL, es_slice(NULL, 0),
						  false);

	(void)state;
	es_grpc_frame_write(bytes, 90000);
	for (int i = 0; i < 300; i++) { /* 27 MB: more than any window */
		pair_send(&pair, stream, es_slice(bytes, sizeof(bytes)), i == 299);
		pair_pump(&pair);
	}
	pair_expect(stream, "0", "");
	assert_int_equal(pair_seen.messages, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pings_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(pings_too_often_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(pings_beside_answers_are_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(a_silent_client_is_pinged_and_then_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_flood_of_settings_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_have_a_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_ends_where_it_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_of_pings_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(many_resets_end_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(some_resets_are_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(endless_headers_end_the_connection, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_header_bomb_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(settings_must_come, setup, teardown),
		cmocka_unit_test_setup_teardown(draining_ends_streams_and_waits_for_calls, setup,
						teardown),
		cmocka_unit_test_setup_teardown(abandoning_ends_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(uploads_are_not_throttled, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
