#ifndef TEST_RESOURCE_JSON_SUPPORT_H
#define TEST_RESOURCE_JSON_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"

/* JSON in tests is written with ' for ": '{'a':1}'. */
static inline struct es_slice quoted(struct es_arena *arena, const char *text)
{
	size_t len = strlen(text);
	uint8_t *copy = es_arena_alloc(arena, len);

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] == '\'' ? '"' : (uint8_t)text[i];
	return es_slice(copy, len);
}

static inline struct es_json json(struct es_arena *arena, const char *text)
{
	struct es_json value;
	struct es_json_error error;

	if (es_json_parse(quoted(arena, text), ES_JSON_DEPTH_MAX, arena, &value, &error) < 0)
		fail_msg("%s: at %zu: %s", text, error.offset, error.what);
	return value;
}

static inline void assert_json(const struct es_json *value, const char *expected)
{
	struct es_arena arena;
	struct es_buf text;
	struct es_slice want;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_json_write(&text, value), 0);
	want = quoted(&arena, expected);
	if (!es_slice_eq(es_buf_slice(&text), want))
		fail_msg("%.*s\nis not\n%.*s", (int)text.len, (const char *)text.data,
			 (int)want.len, (const char *)want.data);
	es_buf_close(&text);
	es_arena_close(&arena);
}

/* `depth` arrays in each other. */
static inline struct es_json nested(struct es_arena *arena, unsigned depth)
{
	struct es_json value = {.type = ES_JSON_ARRAY};

	for (unsigned i = 1; i < depth; i++) {
		struct es_json *item = es_arena_alloc(arena, sizeof(*item));

		assert_non_null(item);
		*item = value;
		value = (struct es_json){.type = ES_JSON_ARRAY, .count = 1, .u.items = item};
	}
	return value;
}

/* A file of tests/data, whole and in `arena`. */
static inline struct es_slice read_data(struct es_arena *arena, const char *name)
{
	const char *data = getenv("ES_TEST_DATA");
	char path[512];
	uint8_t *bytes;
	long len;
	FILE *file;

	if (data == NULL)
		fail_msg("ES_TEST_DATA is not set");
	(void)snprintf(path, sizeof(path), "%s/%s", data, name);
	file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	len = ftell(file);
	assert_true(len >= 0);
	rewind(file);
	bytes = es_arena_alloc(arena, (size_t)len);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)len, file), (size_t)len);
	assert_int_equal(fclose(file), 0);
	return es_slice(bytes, (size_t)len);
}

#endif
