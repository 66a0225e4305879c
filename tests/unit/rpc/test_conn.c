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

static int bare_setup(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	return pair_open(&pair) < 0 ||
	       es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn) < 0;
}

static void receive(const char *bytes, size_t len)
{
	es_rpc_conn_receive(pair.conn, (const uint8_t *)bytes, len);
}

static void the_preface_decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < NGHTTP2_CLIENT_MAGIC_LEN; i++) {
		assert_null(pair.conn->protocol);
		receive(NGHTTP2_CLIENT_MAGIC + i, 1);
	}
	assert_ptr_equal(pair.conn->protocol, &es_rpc_h2);
}

static void anything_else_is_http1(void **state)
{
	static uint8_t out[ES_NET_PRODUCE_MIN];

	(void)state;
	receive("P", 1);
	assert_null(pair.conn->protocol);
	receive("OST /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	assert_ptr_equal(pair.conn->protocol, &es_rpc_http1);
	assert_true(es_rpc_conn_produce(pair.conn, out, sizeof(out)) > 0);
	assert_memory_equal(out, "HTTP/1.1 404", 12);
}

static void a_listener_without_http_knows_only_http2(void **state)
{
	(void)state;
	pair.face.faces = ES_RPC_FACE_GRPC;
	receive("GET", 3);
	assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
	receive("more", 4); /* changes nothing */
}

static void silence_is_not_waited_for(void **state)
{
	(void)state;
	receive("PRI * HTTP/2.0\r\n", 16);
	pair.now_ms += 29999;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	pair.now_ms += 1;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
}

static void draining_an_unknown_connection_ends_it(void **state)
{
	(void)state;
	es_rpc_conn_drain(pair.conn);
	assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
}

static void the_end_of_an_unknown_connection_ends_it(void **state)
{
	(void)state;
	es_rpc_conn_ended(pair.conn);
	assert_int_equal(pair.conn->life, ES_CONN_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_preface_decides, bare_setup, teardown),
		cmocka_unit_test_setup_teardown(anything_else_is_http1, bare_setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_without_http_knows_only_http2,
						bare_setup, teardown),
		cmocka_unit_test_setup_teardown(silence_is_not_waited_for, bare_setup, teardown),
		cmocka_unit_test_setup_teardown(draining_an_unknown_connection_ends_it, bare_setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_end_of_an_unknown_connection_ends_it,
						bare_setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
