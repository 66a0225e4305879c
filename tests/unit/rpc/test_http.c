#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pair.h"

static struct pair pair;

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

static char seen[300];

static void note(void *ctx, struct es_http_request *request)
{
	struct es_slice path = es_http_path(request), value;
	int len = snprintf(seen, sizeof(seen), "%s %.*s", (const char *)ctx, (int)path.len,
			   (const char *)path.data);

	for (size_t n = 0; es_http_query(request, "k", n, &value); n++)
		len += snprintf(seen + len, sizeof(seen) - (size_t)len, " %.*s", (int)value.len,
				(const char *)value.data);
	es_http_respond(request, 200, NULL, es_slice(NULL, 0));
}

/* It takes no memory: what is asked for was decoded before. */
static void ask_often(void *ctx, struct es_http_request *request)
{
	struct es_slice value;

	(void)ctx;
	pair.fault.countdown = 0;
	for (size_t i = 0; i < 1000; i++) {
		assert_true(es_http_query(request, "k", 2, &value));
		assert_true(es_slice_eq(value, ES_SLICE("3")));
		assert_false(es_http_query(request, "k", 3, &value));
	}
	assert_false(pair.fault.fired);
	pair.fault.countdown = UINT64_MAX;
	es_http_respond(request, 200, NULL, es_slice(NULL, 0));
}

static const struct es_http_handler outer[] = {
	{.path = "/often", .handle = ask_often},
	{.path = "/a", .prefix = true, .handle = note},
	{.path = "/exact", .handle = note},
	{.path = "/dir/", .prefix = true, .handle = note},
};
static const struct es_http_handler inner[] = {{.path = "/a/b", .prefix = true, .handle = note}};

static int http_setup(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	return pair_open(&pair) < 0 ||
	       es_http_register(pair.server, outer, ES_ARRAY_LEN(outer),
				(void *)(uintptr_t) "outer") < 0 ||
	       es_http_register(pair.server, inner, ES_ARRAY_LEN(inner),
				(void *)(uintptr_t) "inner") < 0;
}

/* What the handler noted; or the status of a refusal. */
static const char *get(const char *target)
{
	static uint8_t out[ES_NET_PRODUCE_MIN];
	char text[300];
	size_t len;

	assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	snprintf(seen, sizeof(seen), "none");
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
	es_rpc_conn_receive(pair.conn, (const uint8_t *)text, strlen(text));
	len = es_rpc_conn_produce(pair.conn, out, sizeof(out));
	assert_true(len > 13);
	if (strcmp(seen, "none") == 0)
		snprintf(seen, sizeof(seen), "%.3s", (const char *)out + 9);
	es_rpc_conn_free(pair.conn);
	pair.conn = NULL;
	return seen;
}

static void the_longest_path_wins(void **state)
{
	(void)state;
	assert_string_equal(get("/a"), "outer /a");
	assert_string_equal(get("/a/c"), "outer /a/c");
	assert_string_equal(get("/a/b"), "inner /a/b");
	assert_string_equal(get("/a/b/c"), "inner /a/b/c");
	assert_string_equal(get("/a/bc"), "outer /a/bc");
	assert_string_equal(get("/ab"), "404");
	assert_string_equal(get("/exact"), "outer /exact");
	assert_string_equal(get("/exact/"), "404");
	assert_string_equal(get("/dir/x"), "outer /dir/x");
	assert_string_equal(get("/dir"), "404");
	assert_string_equal(get("/"), "404");
}

static void targets_are_decoded(void **state)
{
	(void)state;
	assert_string_equal(get("/a/%41%2f+"), "outer /a/A/+");
	assert_string_equal(get("/%61"), "outer /a");
	assert_string_equal(get("http://host:1/a?k=1"), "outer /a 1");
	assert_string_equal(get("http://host"), "404");
	assert_string_equal(get("/a?"), "outer /a");
	assert_string_equal(get("/a?k=x&j=2&k=%20y+z&k&%6b=4&k=a=b"), "outer /a x  y z  4 a=b");
	assert_string_equal(get("/a?&&k=1&"), "outer /a 1");
	assert_string_equal(get("/a%4"), "400");
	assert_string_equal(get("/a%zz"), "400");
	assert_string_equal(get("/a?k=%4"), "outer /a");
}

static void a_query_has_a_limit(void **state)
{
	struct es_buf text;

	(void)state;
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_buf_append_str(&text, "/a?j=1"), 0);
	for (size_t i = 1; i < ES_HTTP_PARAMS_MAX - 1; i++)
		assert_int_equal(es_buf_append_str(&text, "&j"), 0);
	assert_int_equal(es_buf_append(&text, "&k=2", 5), 0);
	assert_string_equal(get((const char *)text.data), "outer /a 2");
	text.len--;
	assert_int_equal(es_buf_append(&text, "&&", 3), 0);
	assert_string_equal(get((const char *)text.data), "outer /a 2");
	text.len--;
	assert_int_equal(es_buf_append(&text, "&j", 3), 0);
	assert_string_equal(get((const char *)text.data), "400");
	es_buf_close(&text);
}

static void asking_costs_nothing(void **state)
{
	(void)state;
	assert_string_equal(get("/often?k=1&k=%32&j&k=%4&k=3"), "200");
}

static void a_listener_may_show_less(void **state)
{
	static const char *const paths[] = {"/exact", NULL};

	(void)state;
	pair.face.http_paths = paths;
	assert_string_equal(get("/exact"), "outer /exact");
	assert_string_equal(get("/a"), "404");
}

static void reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(es_http_reason(200), "OK");
	assert_string_equal(es_http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(es_http_reason(299), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_longest_path_wins, http_setup, teardown),
		cmocka_unit_test_setup_teardown(targets_are_decoded, http_setup, teardown),
		cmocka_unit_test_setup_teardown(a_query_has_a_limit, http_setup, teardown),
		cmocka_unit_test_setup_teardown(asking_costs_nothing, http_setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_may_show_less, http_setup, teardown),
		cmocka_unit_test_setup_teardown(reasons_have_names, http_setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
