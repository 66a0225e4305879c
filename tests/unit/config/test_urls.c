#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/urls.h"

static struct es_arena arena;

static int setup(void **state)
{
	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	es_arena_close(&arena);
	return 0;
}

static void good_ones(void **state)
{
	static const struct {
		const char *text;
		enum es_url_scheme scheme;
		const char *host;
		uint16_t port;
		const char *path;
	} cases[] = {
		{"http://localhost:2379", ES_URL_HTTP, "localhost", 2379, NULL},
		{"https://10.0.0.1:2379", ES_URL_HTTPS, "10.0.0.1", 2379, NULL},
		{"HTTP://0.0.0.0:0", ES_URL_HTTP, "0.0.0.0", 0, NULL},
		{"http://[::1]:65535", ES_URL_HTTP, "::1", 65535, NULL},
		{"http://:2379", ES_URL_HTTP, "", 2379, NULL},
		{"  http://h:1  ", ES_URL_HTTP, "h", 1, NULL},
		{"unix:///tmp/a.sock", ES_URL_UNIX, "", 0, "/tmp/a.sock"},
		{"unix:/tmp/a.sock", ES_URL_UNIX, "", 0, "/tmp/a.sock"},
		{"unix://localhost:2379", ES_URL_UNIX, "", 0, "localhost:2379"},
		{"unixs:///x", ES_URL_UNIXS, "", 0, "/x"},
	};
	char errmsg[256];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_url_list list;

		assert_int_equal(
			es_urls_parse(&arena, cases[i].text, &list, errmsg, sizeof(errmsg)), 0);
		assert_int_equal(list.count, 1);
		assert_int_equal(list.urls[0].scheme, cases[i].scheme);
		assert_string_equal(list.urls[0].host, cases[i].host);
		assert_int_equal(list.urls[0].port, cases[i].port);
		if (cases[i].path == NULL)
			assert_null(list.urls[0].path);
		else
			assert_string_equal(list.urls[0].path, cases[i].path);
	}
}

static void bad_ones(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"localhost:2379",
		 "URL scheme must be http, https, unix, or unixs: localhost:2379"},
		{"ftp://a:1", "URL scheme must be http, https, unix, or unixs: ftp://a:1"},
		{"http://localhost",
		 "URL address does not have the form \"host:port\": http://localhost"},
		{"http:localhost:1",
		 "URL address does not have the form \"host:port\": http:localhost:1"},
		{"http://::1:2379",
		 "URL address does not have the form \"host:port\": http://::1:2379"},
		{"http://[::1:2379",
		 "URL address does not have the form \"host:port\": http://[::1:2379"},
		{"http://a:2379/", "URL must not contain a path: http://a:2379/"},
		{"http://a:2379/v2", "URL must not contain a path: http://a:2379/v2"},
		{"http://u@a:2379", "URL must be a scheme and host:port only: http://u@a:2379"},
		{"http://a:2379?x", "URL must be a scheme and host:port only: http://a:2379?x"},
		{"http://a:65536", "invalid port in URL: http://a:65536"},
		{"http://a:", "invalid port in URL: http://a:"},
		{"http://a:x", "invalid port in URL: http://a:x"},
		{"http://a:+1", "invalid port in URL: http://a:+1"},
		{"http://a:123456789", "invalid port in URL: http://a:123456789"},
		{"http://a b:1", "URL must not contain spaces or control characters: http://a b:1"},
		{"unix://", "URL names no socket: unix://"},
		{"http://a:1,,http://b:1", "URL scheme must be http, https, unix, or unixs: "},
		{"http://a:1,", "URL scheme must be http, https, unix, or unixs: "},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_url_list list;
		char errmsg[256];

		assert_int_equal(
			es_urls_parse(&arena, cases[i].text, &list, errmsg, sizeof(errmsg)),
			ES_EINVAL);
		assert_string_equal(errmsg, cases[i].message);
	}
}

static void lists_are_sorted_and_unique(void **state)
{
	struct es_url_list list;
	const char *const *texts;
	char errmsg[256];

	(void)state;
	assert_int_equal(es_urls_parse(&arena, "http://b:1,http://a:1,http://b:1", &list, errmsg,
				       sizeof(errmsg)),
			 0);
	assert_string_equal(es_urls_join(&arena, &list), "http://a:1,http://b:1");
	texts = es_urls_texts(&arena, &list);
	assert_string_equal(texts[0], "http://a:1");
	assert_string_equal(texts[1], "http://b:1");
	assert_null(texts[2]);
	assert_int_equal(es_urls_parse(&arena, "", &list, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(list.count, 0);
	assert_string_equal(es_urls_join(&arena, &list), "");
}

static void checks(void **state)
{
	struct es_url_list list;
	char errmsg[256];

	(void)state;
	assert_int_equal(es_urls_parse(&arena, "http://localhost:1,http://[::]:1,unix:///x", &list,
				       errmsg, 256),
			 0);
	assert_int_equal(es_urls_check_bind(&list, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(es_urls_parse(&arena, "http://example.com:1", &list, errmsg, 256), 0);
	assert_int_equal(es_urls_check_bind(&list, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "expected IP in URL for binding (http://example.com:1)");
	assert_int_equal(es_urls_check_advertise(&list, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(es_urls_parse(&arena, "http://:1", &list, errmsg, 256), 0);
	assert_int_equal(es_urls_check_advertise(&list, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "unexpected empty host (http://:1)");
}

static void rewriting(void **state)
{
	struct es_url_list list;
	struct es_url url;
	char errmsg[256];

	(void)state;
	assert_int_equal(es_urls_parse(&arena, "http://localhost:0", &list, errmsg, 256), 0);
	assert_int_equal(es_url_rewrite(&arena, &list.urls[0], "::1", 65535, &url), 0);
	assert_string_equal(url.text, "http://[::1]:65535");
	assert_int_equal(es_url_rewrite(&arena, &list.urls[0], "10.0.0.1", 7, &url), 0);
	assert_string_equal(url.text, "http://10.0.0.1:7");
	assert_int_equal(url.port, 7);
}

static void without_memory(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena small;
		struct es_url_list list;
		char errmsg[256];
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&small, &fault.mem, 16);
		rc = es_urls_parse(&small, "http://b:1,unix:///x,http://[::1]:2", &list, errmsg,
				   sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&small);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_are_sorted_and_unique, setup, teardown),
		cmocka_unit_test_setup_teardown(checks, setup, teardown),
		cmocka_unit_test_setup_teardown(rewriting, setup, teardown),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
