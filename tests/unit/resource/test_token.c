#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/assert.h"
#include "resource/token.h"

#define CLUSTER 0x1122334455667788u

static const struct es_slice query = {(const uint8_t *)"v1/Pod?a=b", 10};

static void make(const struct es_token *token, struct es_buf *buf)
{
	es_buf_init(buf, es_mem_default());
	assert_int_equal(es_token_encode(buf, token, CLUSTER, query), 0);
}

static int decode(struct es_slice text, uint64_t cluster_id, struct es_slice of,
		  struct es_token *ret_token, char *ret_path)
{
	struct es_arena arena;
	int rc;

	es_arena_init(&arena, es_mem_default(), 64);
	rc = es_token_decode(text, cluster_id, of, &arena, ret_token);
	if (rc == 0 && ret_path != NULL)
		memcpy(ret_path, ret_token->last_path.data, ret_token->last_path.len);
	es_arena_close(&arena);
	return rc;
}

static void what_goes_in_comes_out(void **state)
{
	static const int64_t revisions[] = {1, 255, 256, INT64_MAX};
	char path[100], back[100];
	struct es_token token, again;
	struct es_buf buf;

	(void)state;
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = (char)(i * 7);
	for (size_t len = 0; len < sizeof(path); len++) {
		for (size_t i = 0; i < ES_ARRAY_LEN(revisions); i++) {
			token = (struct es_token){revisions[i], (uint64_t)revisions[i] / 3,
						  es_slice(path, len)};
			make(&token, &buf);
			for (size_t c = 0; c < buf.len; c++)
				assert_non_null(
					strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"
					       "vwxyz0123456789-_",
					       buf.data[c]));
			assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, query, &again, back),
					 0);
			assert_int_equal(again.revision, revisions[i]);
			assert_int_equal(again.remaining, token.remaining);
			assert_int_equal(again.last_path.len, len);
			assert_memory_equal(back, path, len);
			es_buf_close(&buf);
		}
	}
}

/* The format is stored by clients between two requests, which two versions of the program may answer. */
static void the_format_stays(void **state)
{
	struct es_token token = {7, 11, ES_SLICE("/engenho/resources/_/v1/Pod/a/b")};
	struct es_buf buf;

	(void)state;
	make(&token, &buf);
	assert_int_equal(es_buf_append_u8(&buf, 0), 0);
	assert_string_equal((char *)buf.data, "AQcAAAAAAAAACwAAAAAAAAAvZW5nZW5oby9yZXNvdXJjZXMvXy92"
					      "MS9Qb2QvYS9ihNwdrv7QMhEU4DvXBmtMYQ");
	es_buf_close(&buf);
}

static void every_change_of_a_token_is_found_out(void **state)
{
	struct es_token token = {300, 2, ES_SLICE("/engenho/resources/_/v1/Pod/a/b")}, again;
	struct es_buf buf;
	size_t len;

	(void)state;
	make(&token, &buf);
	len = buf.len;
	for (size_t i = 0; i < len; i++) {
		uint8_t right = buf.data[i];

		for (unsigned c = 0; c < 256; c++) {
			buf.data[i] = (uint8_t)c;
			if (c != right)
				assert_int_equal(
					decode(es_buf_slice(&buf), CLUSTER, query, &again, NULL),
					ES_EINVAL);
		}
		buf.data[i] = right;
		assert_int_equal(decode(es_slice(buf.data, i), CLUSTER, query, &again, NULL),
				 ES_EINVAL);
	}
	assert_int_equal(es_buf_append_str(&buf, "A"), 0);
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, query, &again, NULL), ES_EINVAL);
	buf.data[len] = '=';
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, query, &again, NULL), ES_EINVAL);
	es_buf_close(&buf);
}

static void a_token_is_of_one_list(void **state)
{
	struct es_token token = {300, 2, ES_SLICE("b")}, again;
	struct es_buf buf;

	(void)state;
	make(&token, &buf);
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, query, &again, NULL), 0);
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER + 1, query, &again, NULL), ES_EINVAL);
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, ES_SLICE("v1/Pod?a=c"), &again, NULL),
			 ES_EINVAL);
	assert_int_equal(decode(es_buf_slice(&buf), CLUSTER, ES_SLICE(""), &again, NULL),
			 ES_EINVAL);
	es_buf_close(&buf);
}

static void texts_that_are_none(void **state)
{
	static const char *const texts[] = {
		"", "A", "null", "AQ", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ==", " "};
	struct es_token again;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++)
		assert_int_equal(decode(es_slice_str(texts[i]), CLUSTER, query, &again, NULL),
				 ES_EINVAL);
}

static void memory_runs_out(void **state)
{
	struct es_token token = {9, 2, ES_SLICE("/engenho/resources/_/v1/Pod/a/b")}, again;

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_buf buf;
		int rc;

		es_fault_mem_init(&fault, n);
		es_buf_init(&buf, &fault.mem);
		es_arena_init(&arena, &fault.mem, 64);
		rc = es_token_encode(&buf, &token, CLUSTER, query);
		if (rc < 0)
			assert_int_equal(buf.len, 0);
		if (rc == 0)
			rc = es_token_decode(es_buf_slice(&buf), CLUSTER, query, &arena, &again);
		es_arena_close(&arena);
		es_buf_close(&buf);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(the_format_stays),
		cmocka_unit_test(every_change_of_a_token_is_found_out),
		cmocka_unit_test(a_token_is_of_one_list),
		cmocka_unit_test(texts_that_are_none),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
