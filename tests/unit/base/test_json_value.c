#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json.h"
#include "json_random.h"

static struct es_json parse(const char *text, struct es_arena *arena)
{
	struct es_json value;
	struct es_json_error error;

	assert_int_equal(
		es_json_parse(es_slice_str(text), ES_JSON_DEPTH_MAX, arena, &value, &error), 0);
	return value;
}

static void is_written(const struct es_json *value, const char *expected)
{
	struct es_buf buf;

	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_json_write(&buf, value), 0);
	assert_true(es_slice_eq(es_buf_slice(&buf), es_slice_str(expected)));
	es_buf_close(&buf);
}

static void members_are_found(void **state)
{
	struct es_arena arena;
	struct es_json object;
	struct es_json string = es_json_string(ES_SLICE("x"));

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	object = parse("{\"a\":1,\"b\":\"two\",\"c\\u0000\":3,\"\":4}", &arena);
	assert_int_equal(es_json_get(&object, "a")->u.i64, 1);
	assert_int_equal(es_json_get(&object, "")->u.i64, 4);
	assert_int_equal(es_json_get_slice(&object, ES_SLICE("c\0"))->u.i64, 3);
	assert_null(es_json_get(&object, "c"));
	assert_null(es_json_get(&object, "z"));
	assert_null(es_json_get(NULL, "a"));
	assert_null(es_json_get(&string, "a"));
	assert_true(es_slice_eq(es_json_as_string(es_json_get(&object, "b")), ES_SLICE("two")));
	assert_int_equal(es_json_as_string(es_json_get(&object, "a")).len, 0);
	assert_int_equal(es_json_as_string(NULL).len, 0);
	assert_true(es_json_is(&object, ES_JSON_OBJECT));
	assert_false(es_json_is(NULL, ES_JSON_NULL));
	object = es_json_object();
	assert_null(es_json_get(&object, "a"));
	es_arena_close(&arena);
}

static void types_have_names(void **state)
{
	static const char *const names[] = {
		[ES_JSON_NULL] = "null",   [ES_JSON_BOOL] = "boolean",  [ES_JSON_INT] = "number",
		[ES_JSON_UINT] = "number", [ES_JSON_DOUBLE] = "number", [ES_JSON_STRING] = "string",
		[ES_JSON_ARRAY] = "array", [ES_JSON_OBJECT] = "object",
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++)
		assert_string_equal(es_json_type_name((enum es_json_type)i), names[i]);
}

static void setting_and_removing(void **state)
{
	static const struct {
		const char *before, *name, *set, *removed;
	} cases[] = {
		{"{}", "b", "{\"b\":0}", "{}"},
		{"[1]", "b", "{\"b\":0}", "{}"},
		{"null", "b", "{\"b\":0}", "{}"},
		{"{\"b\":1}", "b", "{\"b\":0}", "{}"},
		{"{\"a\":1}", "b", "{\"a\":1,\"b\":0}", "{\"a\":1}"},
		{"{\"c\":1}", "b", "{\"b\":0,\"c\":1}", "{\"c\":1}"},
		{"{\"a\":1,\"c\":2}", "b", "{\"a\":1,\"b\":0,\"c\":2}", "{\"a\":1,\"c\":2}"},
		{"{\"a\":1,\"b\":[2],\"c\":3}", "b", "{\"a\":1,\"b\":0,\"c\":3}",
		 "{\"a\":1,\"c\":3}"},
		{"{\"a\":1,\"b\":2}", "b", "{\"a\":1,\"b\":0}", "{\"a\":1}"},
		{"{\"b\":1,\"c\":2}", "b", "{\"b\":0,\"c\":2}", "{\"c\":2}"},
	};
	struct es_arena arena;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_json before = parse(cases[i].before, &arena);
		struct es_slice name = es_slice_str(cases[i].name);
		struct es_json zero = es_json_int(0);
		struct es_json after;

		assert_int_equal(es_json_set(&arena, &before, name, &zero, &after), 0);
		is_written(&after, cases[i].set);
		assert_int_equal(es_json_remove(&arena, &before, name, &after), 0);
		is_written(&after, cases[i].removed);
		is_written(&before, cases[i].before);
		/* in place */
		after = before;
		assert_int_equal(es_json_set(&arena, &after, name, &zero, &after), 0);
		is_written(&after, cases[i].set);
		assert_int_equal(es_json_remove(&arena, &after, name, &after), 0);
		is_written(&after, cases[i].removed);
	}
	es_arena_close(&arena);
}

static void equal_values_have_equal_texts(void **state)
{
	static const char *const texts[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"0.0",
		"1",
		"1.0",
		"-1",
		"18446744073709551615",
		"\"\"",
		"\"a\"",
		"\"a\\u0000\"",
		"[]",
		"[[]]",
		"[{}]",
		"{}",
		"[1]",
		"[1.0]",
		"[1,2]",
		"{\"a\":1}",
		"{\"b\":1}",
		"{\"a\":1,\"b\":2}",
		"{\"a\":1.0,\"b\":2}",
	};
	struct es_arena arena;
	struct es_buf a;
	struct es_buf b;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&a, es_mem_default());
	es_buf_init(&b, es_mem_default());
	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++)
		for (size_t j = 0; j < ES_ARRAY_LEN(texts); j++) {
			struct es_json one = parse(texts[i], &arena);
			struct es_json other = parse(texts[j], &arena);

			a.len = b.len = 0;
			assert_int_equal(es_json_write(&a, &one), 0);
			assert_int_equal(es_json_write(&b, &other), 0);
			assert_int_equal(es_json_eq(&one, &other),
					 es_slice_eq(es_buf_slice(&a), es_buf_slice(&b)));
		}
	es_buf_close(&a);
	es_buf_close(&b);
	es_arena_close(&arena);
}

/* Against sorting by the C library, with the place as a second key. */
struct placed {
	struct es_json_member member;
	size_t place;
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *one = a;
	const struct placed *other = b;
	int order = es_slice_cmp(one->member.name, other->member.name);

	return order != 0 ? order : (one->place > other->place) - (one->place < other->place);
}

static void check_sorted(struct es_rng *rng, size_t count, uint64_t names, unsigned shape)
{
	struct es_json_member *members = calloc(count, sizeof(*members));
	struct placed *placed = calloc(count, sizeof(*placed));
	char(*texts)[8] = calloc(count, sizeof(*texts));
	struct es_json object;
	size_t kept = 0;

	assert_true(members != NULL && placed != NULL && texts != NULL);
	for (size_t i = 0; i < count; i++) {
		uint64_t number = shape == 0   ? es_rng_below(rng, names)
				  : shape == 1 ? i * names / count
				  : shape == 2 ? (count - i) * names / count
					       : i * 7 % names;

		(void)snprintf(texts[i], sizeof(texts[i]), "%u", (unsigned)number);
		members[i] = (struct es_json_member){es_slice_str(texts[i]),
						     es_json_int((int64_t)i)};
		placed[i] = (struct placed){members[i], i};
	}
	qsort(placed, count, sizeof(*placed), compare_placed);
	object = es_json_object_of(members, count);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && es_slice_eq(placed[i].member.name, placed[i + 1].member.name))
			continue;
		assert_true(kept < object.count);
		assert_true(es_slice_eq(members[kept].name, placed[i].member.name));
		assert_int_equal(members[kept++].value.u.i64, placed[i].place);
	}
	assert_int_equal(kept, object.count);
	free(members);
	free(placed);
	free(texts);
}

static void members_in_any_order(void **state)
{
	static const uint64_t names[] = {1, 2, 5, 30, 1000, 100000};
	struct es_rng rng;
	struct es_json none = es_json_object_of(NULL, 0);

	(void)state;
	is_written(&none, "{}");
	es_rng_init(&rng, 5);
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++)
		for (unsigned shape = 0; shape < 4; shape++)
			for (size_t count = 1; count < 4000; count += 1 + count / 3)
				check_sorted(&rng, count, names[i], shape);
}

/* The copy stays when what it was copied from is gone. */
static void copies_stand_alone(void **state)
{
	struct es_rng rng;
	struct es_buf before;
	struct es_buf after;

	(void)state;
	es_buf_init(&before, es_mem_default());
	es_buf_init(&after, es_mem_default());
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct es_arena from;
		struct es_arena to;
		struct es_json value;
		struct es_json copy;

		es_rng_init(&rng, seed);
		es_arena_init(&from, es_mem_default(), 256);
		es_arena_init(&to, es_mem_default(), 256);
		value = json_random_value(&rng, &from, 4);
		before.len = after.len = 0;
		assert_int_equal(es_json_write(&before, &value), 0);
		assert_int_equal(es_json_copy(&to, &value, &copy), 0);
		assert_true(es_json_eq(&value, &copy));
		es_arena_close(&from);
		assert_int_equal(es_json_write(&after, &copy), 0);
		assert_true(es_slice_eq(es_buf_slice(&before), es_buf_slice(&after)));
		es_arena_close(&to);
	}
	es_buf_close(&before);
	es_buf_close(&after);
}

static int make_things(const struct es_json *object, struct es_arena *arena)
{
	struct es_json made;
	int rc = es_json_copy(arena, object, &made);

	if (rc == 0)
		rc = es_json_set(arena, &made, ES_SLICE("new"), object, &made);
	if (rc == 0)
		rc = es_json_remove(arena, &made, ES_SLICE("a"), &made);
	if (rc == 0)
		is_written(&made, "{\"new\":{\"a\":[1,\"x\",{\"b\":\"\"}]}}");
	return rc;
}

static void without_memory(void **state)
{
	struct es_arena arena;
	struct es_json object;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	object = parse("{\"a\":[1,\"x\",{\"b\":\"\"}]}", &arena);
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena small;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&small, &fault.mem, 16);
		rc = make_things(&object, &small);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&small);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	es_arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(setting_and_removing),
		cmocka_unit_test(equal_values_have_equal_texts),
		cmocka_unit_test(members_in_any_order),
		cmocka_unit_test(copies_stand_alone),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
