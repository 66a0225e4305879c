/* What the tests of server-side apply share: objects from texts in which ' stands for ". */
#ifndef ES_TESTS_UNIT_RESOURCE_APPLY_SUPPORT_H
#define ES_TESTS_UNIT_RESOURCE_APPLY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/json.h"

static inline struct es_json parse_json(struct es_arena *arena, const char *text)
{
	struct es_json value;
	struct es_json_error error;
	size_t len = strlen(text);
	char *copy = es_arena_alloc(arena, len + 1);

	assert_non_null(copy);
	for (size_t i = 0; i <= len; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	if (es_json_parse(es_slice(copy, len), ES_JSON_DEPTH_MAX, arena, &value, &error) < 0)
		fail_msg("%s at %zu of %s", error.what, error.offset, copy);
	return value;
}

static inline void assert_json(const struct es_json *value, const char *text)
{
	struct es_arena arena;
	struct es_json expected;
	struct es_buf is, should;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&is, es_mem_default());
	es_buf_init(&should, es_mem_default());
	expected = parse_json(&arena, text);
	assert_int_equal(es_json_write(&is, value), 0);
	assert_int_equal(es_json_write(&should, &expected), 0);
	assert_int_equal(es_buf_append_u8(&is, '\0'), 0);
	assert_int_equal(es_buf_append_u8(&should, '\0'), 0);
	assert_string_equal((const char *)is.data, (const char *)should.data);
	es_buf_close(&is);
	es_buf_close(&should);
	es_arena_close(&arena);
}

#endif
