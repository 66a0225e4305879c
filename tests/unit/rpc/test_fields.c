#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc/internal.h"

static enum es_field_check check(unsigned *seen, const char *name, const char *value)
{
	return es_field_check(seen, es_slice_str(name), es_slice_str(value));
}

static void a_request_of_any_client(void **state)
{
	/* The last two are etcdctl 3.4's. */
	static const char *const authorities[] = {
		"127.0.0.1:2379",        "[::1]:2379",     "a.b", "",
		"http://127.0.0.1:2379", "/tmp/a%20b.sock"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(authorities); i++) {
		unsigned seen = 0;

		assert_int_equal(check(&seen, ":method", "POST"), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, ":scheme", "http"), ES_FIELD_GOOD);
		assert_false(es_fields_are_complete(seen));
		assert_int_equal(check(&seen, ":path", "/etcdserverpb.KV/Range"), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, ":authority", authorities[i]), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, "te", "trailers"), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, "content-type", "application/grpc"), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, "content-length", "12"), ES_FIELD_GOOD);
		assert_int_equal(check(&seen, "x", ""), ES_FIELD_GOOD);
		assert_true(es_fields_are_complete(seen));
	}
}

static void what_is_malformed(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{":method", "PO ST"},
		{":method", ""},
		{":path", ""},
		{":path", "/a b"},
		{":scheme", ""},
		{":scheme", "h\x01"},
		{":authority", "a b"},
		{":authority", "a\x7f"},
		{":status", "200"},
		{":protocol", "ws"},
		{":", ""},
		{"connection", "close"},
		{"upgrade", "h2c"},
		{"transfer-encoding", "chunked"},
		{"keep-alive", "1"},
		{"proxy-connection", "x"},
		{"te", "gzip"},
		{"te", "trailers, x"},
		{"content-length", "-1"},
		{"content-length", ""},
		{"content-length", "12345678901234567890"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		unsigned seen = 0;

		if (check(&seen, cases[i].name, cases[i].value) != ES_FIELD_MALFORMED)
			fail_msg("%s: %s", cases[i].name, cases[i].value);
	}
}

static void order_and_number_of_pseudo_fields(void **state)
{
	unsigned seen = 0;

	(void)state;
	assert_int_equal(check(&seen, ":path", "/"), ES_FIELD_GOOD);
	assert_int_equal(check(&seen, ":path", "/"), ES_FIELD_MALFORMED);
	assert_int_equal(check(&seen, "a", "b"), ES_FIELD_GOOD);
	assert_int_equal(check(&seen, ":method", "GET"), ES_FIELD_MALFORMED);
	assert_false(es_fields_are_complete(seen));
}

static void what_is_passed_over(void **state)
{
	static const char *const names[] = {"", "Upper", "a b", "a\x01", "a:b"};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++)
		assert_int_equal(check(&seen, names[i], "x"), ES_FIELD_IGNORED);
	assert_int_equal(check(&seen, "a", "x\ny"), ES_FIELD_IGNORED);
	assert_int_equal(es_field_check(&seen, ES_SLICE("a"), es_slice("x\0y", 3)),
			 ES_FIELD_IGNORED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_of_any_client),
		cmocka_unit_test(what_is_malformed),
		cmocka_unit_test(order_and_number_of_pseudo_fields),
		cmocka_unit_test(what_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
