#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json.h"
#include "json_random.h"

static struct es_json_cursor cursor_of(const char *text)
{
	struct es_json_cursor cursor;

	es_json_cursor_init(&cursor, es_slice_str(text), ES_JSON_DEPTH_MAX);
	return cursor;
}

static void a_walk(void **state)
{
	struct es_json_cursor c = cursor_of(" { \"a\" : [ 1 , [ ] , \"x\" , 2.5 , -7 ] , "
					    "\"\\u0062\" : { } , \"c\" : [ {} , null ] } ");
	struct es_arena arena;
	struct es_slice name;
	struct es_slice text;
	struct es_json value;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 256);
	assert_int_equal(es_json_peek(&c), ES_JSON_OBJECT);
	assert_int_equal(es_json_enter_object(&c), 0);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 1);
	assert_true(es_slice_eq(name, ES_SLICE("a")));
	assert_int_equal(es_json_enter_array(&c), 0);
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_peek(&c), ES_JSON_INT);
	assert_int_equal(es_json_take(&c, &arena, &value), 0);
	assert_int_equal(value.u.i64, 1);
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_enter_array(&c), 0);
	assert_int_equal(es_json_next_item(&c), 0);
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_skip(&c, &text), 0);
	assert_true(es_slice_eq(text, ES_SLICE("\"x\"")));
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_peek(&c), ES_JSON_DOUBLE);
	assert_int_equal(es_json_skip(&c, NULL), 0);
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_peek(&c), ES_JSON_INT);
	assert_int_equal(es_json_skip(&c, NULL), 0);
	assert_int_equal(es_json_next_item(&c), 0);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 1);
	assert_true(es_slice_eq(name, ES_SLICE("b")));
	assert_int_equal(es_json_enter_object(&c), 0);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 0);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 1);
	assert_int_equal(es_json_skip(&c, &text), 0);
	assert_true(es_slice_eq(text, ES_SLICE("[ {} , null ]")));
	assert_int_equal(es_json_next_member(&c, &arena, &name), 0);
	assert_int_equal(c.depth, 0);
	assert_int_equal(es_json_cursor_end(&c), 0);
	assert_int_equal(c.offset, c.text.len);
	es_arena_close(&arena);
}

static void types_are_told_before(void **state)
{
	static const struct {
		const char *text;
		int type;
	} cases[] = {
		{"null", ES_JSON_NULL},    {"true", ES_JSON_BOOL},
		{"false", ES_JSON_BOOL},   {"0", ES_JSON_INT},
		{"-1", ES_JSON_INT},       {"18446744073709551616", ES_JSON_INT},
		{"1.0", ES_JSON_DOUBLE},   {"-1e5", ES_JSON_DOUBLE},
		{"1E5", ES_JSON_DOUBLE},   {"\"\"", ES_JSON_STRING},
		{" [1.5]", ES_JSON_ARRAY}, {"{}", ES_JSON_OBJECT},
		{"", ES_EDECODE},          {"]", ES_EDECODE},
		{"+1", ES_EDECODE},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_json_cursor c = cursor_of(cases[i].text);

		assert_int_equal(es_json_peek(&c), cases[i].type);
	}
}

static void a_mistake_is_for_ever(void **state)
{
	struct es_json_cursor c = cursor_of("[1 2]");
	struct es_arena arena;
	struct es_slice name;
	struct es_json value;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 256);
	assert_int_equal(es_json_enter_array(&c), 0);
	assert_int_equal(es_json_next_item(&c), 1);
	assert_int_equal(es_json_skip(&c, NULL), 0);
	assert_int_equal(es_json_next_item(&c), ES_EDECODE);
	assert_int_equal(c.error.offset, 3);
	assert_string_equal(c.error.what, "expected ',' or ']'");
	assert_int_equal(es_json_peek(&c), ES_EDECODE);
	assert_int_equal(es_json_enter_array(&c), ES_EDECODE);
	assert_int_equal(es_json_enter_object(&c), ES_EDECODE);
	assert_int_equal(es_json_next_item(&c), ES_EDECODE);
	assert_int_equal(es_json_next_member(&c, &arena, &name), ES_EDECODE);
	assert_int_equal(es_json_skip(&c, NULL), ES_EDECODE);
	assert_int_equal(es_json_take(&c, &arena, &value), ES_EDECODE);
	assert_int_equal(es_json_cursor_end(&c), ES_EDECODE);
	assert_int_equal(c.error.offset, 3);
	es_arena_close(&arena);
}

static void something_else_is_next(void **state)
{
	struct es_json_cursor c = cursor_of(" [1]");

	(void)state;
	assert_int_equal(es_json_enter_object(&c), ES_EDECODE);
	assert_string_equal(c.error.what, "expected an object");
	assert_int_equal(c.error.offset, 1);
	c = cursor_of("{}");
	assert_int_equal(es_json_enter_array(&c), ES_EDECODE);
	assert_string_equal(c.error.what, "expected an array");
	c = cursor_of("");
	assert_int_equal(es_json_enter_array(&c), ES_EDECODE);
	c = cursor_of("1 1");
	assert_int_equal(es_json_skip(&c, NULL), 0);
	assert_int_equal(es_json_cursor_end(&c), ES_EDECODE);
	assert_int_equal(c.error.offset, 2);
}

static void depth_counts_from_the_outermost(void **state)
{
	struct es_json_cursor c;
	struct es_json_cursor skipping;
	struct es_arena arena;
	struct es_json value;
	struct es_slice text = ES_SLICE("[[[1]]]");

	(void)state;
	es_arena_init(&arena, es_mem_default(), 256);
	for (unsigned depth = 0; depth < 5; depth++) {
		es_json_cursor_init(&c, text, depth);
		assert_int_equal(es_json_skip(&c, NULL), depth < 3 ? ES_EDECODE : 0);
		es_json_cursor_init(&c, text, depth);
		assert_int_equal(es_json_enter_array(&c), depth < 1 ? ES_EDECODE : 0);
		if (depth == 0)
			continue;
		assert_int_equal(es_json_next_item(&c), 1);
		skipping = c;
		assert_int_equal(es_json_take(&c, &arena, &value), depth < 3 ? ES_EDECODE : 0);
		assert_int_equal(es_json_skip(&skipping, NULL), depth < 3 ? ES_EDECODE : 0);
		if (depth < 3) {
			assert_int_equal(c.error.offset, depth);
			assert_int_equal(skipping.error.offset, depth);
		}
	}
	es_arena_close(&arena);
}

/* The next value, read piece by piece. */
static int walk(struct es_json_cursor *cursor, struct es_arena *arena, struct es_json *ret_value);

static int walk_array(struct es_json_cursor *cursor, struct es_arena *arena,
		      struct es_json *ret_value)
{
	struct es_json items[64];
	struct es_json *copy;
	uint32_t count = 0;
	int rc = es_json_enter_array(cursor);

	while (rc >= 0 && (rc = es_json_next_item(cursor)) > 0) {
		assert_in_range(count, 0, ES_ARRAY_LEN(items) - 1);
		rc = walk(cursor, arena, &items[count++]);
	}
	copy = es_arena_alloc(arena, count * sizeof(*copy));
	assert_non_null(copy);
	if (rc == 0)
		memcpy(copy, items, count * sizeof(*copy));
	*ret_value = (struct es_json){.type = ES_JSON_ARRAY, .count = count, .u.items = copy};
	return rc;
}

static int walk_object(struct es_json_cursor *cursor, struct es_arena *arena,
		       struct es_json *ret_value)
{
	struct es_json_member members[128];
	struct es_json_member *copy;
	size_t count = 0;
	struct es_slice name;
	int rc = es_json_enter_object(cursor);

	while (rc >= 0 && (rc = es_json_next_member(cursor, arena, &name)) > 0) {
		assert_in_range(count, 0, ES_ARRAY_LEN(members) - 1);
		members[count].name = name;
		rc = walk(cursor, arena, &members[count++].value);
	}
	if (rc < 0)
		return rc;
	copy = es_arena_alloc(arena, count * sizeof(*copy));
	assert_non_null(copy);
	memcpy(copy, members, count * sizeof(*copy));
	*ret_value = es_json_object_of(copy, count);
	return 0;
}

static int walk(struct es_json_cursor *cursor, struct es_arena *arena, struct es_json *ret_value)
{
	int type = es_json_peek(cursor);

	if (type == ES_JSON_ARRAY)
		return walk_array(cursor, arena, ret_value);
	if (type == ES_JSON_OBJECT)
		return walk_object(cursor, arena, ret_value);
	return type < 0 ? type : es_json_take(cursor, arena, ret_value);
}

static void ends_alike(struct es_json_cursor *cursor, int rc, int expected,
		       const struct es_json_error *error)
{
	if (rc == 0)
		rc = es_json_cursor_end(cursor);
	assert_int_equal(rc, expected);
	if (rc < 0) {
		assert_string_equal(cursor->error.what, error->what);
		assert_int_equal(cursor->error.offset, error->offset);
	}
}

/* Reading at once, passing over and walking say the same of any text, to the place of the mistake. */
static int compare(struct es_slice text, struct es_arena *arena)
{
	const unsigned depth_max = 6;
	struct es_json value;
	struct es_json walked;
	struct es_json_error error = {0, ""};
	struct es_json_cursor cursor;
	int rc = es_json_parse(text, depth_max, arena, &value, &error);

	assert_true(rc == 0 || rc == ES_EDECODE);
	es_json_cursor_init(&cursor, text, depth_max);
	ends_alike(&cursor, es_json_skip(&cursor, NULL), rc, &error);
	es_json_cursor_init(&cursor, text, depth_max);
	ends_alike(&cursor, es_json_take(&cursor, arena, &walked), rc, &error);
	assert_true(rc < 0 || es_json_eq(&value, &walked));
	es_json_cursor_init(&cursor, text, depth_max);
	ends_alike(&cursor, walk(&cursor, arena, &walked), rc, &error);
	assert_true(rc < 0 || es_json_eq(&value, &walked));
	return rc;
}

static void cursor_and_parser_agree(void **state)
{
	struct es_arena arena;
	struct es_buf buf;
	struct es_rng rng;
	unsigned good = 0;
	unsigned bad = 0;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&buf, es_mem_default());
	for (uint64_t seed = 0; seed < 20000; seed++) {
		struct es_json value;
		uint8_t *exact;

		es_rng_init(&rng, seed);
		value = json_random_value(&rng, &arena, 1 + (unsigned)es_rng_below(&rng, 4));
		buf.len = 0;
		json_random_text(&rng, &buf, &value);
		assert_int_equal(es_buf_reserve(&buf, 8), 0);
		if (seed % 4 != 0)
			json_damage(&rng, buf.data, &buf.len, buf.cap);
		exact = malloc(buf.len);
		assert_true(exact != NULL || buf.len == 0);
		if (buf.len > 0)
			memcpy(exact, buf.data, buf.len);
		if (compare(es_slice(exact, buf.len), &arena) == 0)
			good++;
		else
			bad++;
		free(exact);
		es_arena_reset(&arena);
	}
	assert_true(good > 5000 && bad > 5000);
	es_buf_close(&buf);
	es_arena_close(&arena);
}

/* What failed for want of memory can be tried again. */
static void without_memory(void **state)
{
	struct es_fault_mem fault;
	struct es_arena arena;
	struct es_json_cursor c = cursor_of("{\"\\n\":[\"\\n\"]}");
	struct es_slice name;
	struct es_json value;

	(void)state;
	es_fault_mem_init(&fault, 0);
	es_arena_init(&arena, &fault.mem, 16);
	assert_int_equal(es_json_enter_object(&c), 0);
	assert_int_equal(es_json_next_member(&c, &arena, &name), ES_ENOMEM);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 1);
	assert_true(es_slice_eq(name, ES_SLICE("\n")));
	fault.fired = false;
	assert_int_equal(es_json_take(&c, &arena, &value), ES_ENOMEM);
	assert_int_equal(es_json_take(&c, &arena, &value), 0);
	assert_int_equal(value.count, 1);
	assert_int_equal(es_json_next_member(&c, &arena, &name), 0);
	assert_int_equal(es_json_cursor_end(&c), 0);
	es_arena_close(&arena);
	assert_int_equal(fault.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk),
		cmocka_unit_test(types_are_told_before),
		cmocka_unit_test(a_mistake_is_for_ever),
		cmocka_unit_test(something_else_is_next),
		cmocka_unit_test(depth_counts_from_the_outermost),
		cmocka_unit_test(cursor_and_parser_agree),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
