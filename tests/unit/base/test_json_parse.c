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

struct fixture {
	struct es_arena arena;
	struct es_buf buf;
};

static void set_up(struct fixture *f)
{
	es_arena_init(&f->arena, es_mem_default(), 4096);
	es_buf_init(&f->buf, es_mem_default());
}

static void tear_down(struct fixture *f)
{
	es_arena_close(&f->arena);
	es_buf_close(&f->buf);
}

/* A copy of the text that ends where its memory ends, so that a byte too far is seen. */
static int parse_exactly(struct es_slice text, unsigned depth_max, struct es_arena *arena,
			 struct es_json *ret_value, struct es_json_error *ret_error)
{
	uint8_t *copy = malloc(text.len);
	struct es_json value;
	int rc;

	assert_true(copy != NULL || text.len == 0);
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	rc = es_json_parse(es_slice(copy, text.len), depth_max, arena, &value, ret_error);
	if (rc == 0)
		assert_int_equal(es_json_copy(arena, &value, ret_value), 0);
	free(copy);
	return rc;
}

/* What `text` becomes in canonical form, or what is wrong with it and where. */
static const char *canonical(struct fixture *f, struct es_slice text)
{
	struct es_json value;
	struct es_json_error error = {0, NULL};
	int rc = parse_exactly(text, ES_JSON_DEPTH_MAX, &f->arena, &value, &error);

	f->buf.len = 0;
	if (rc == 0) {
		assert_int_equal(es_json_write(&f->buf, &value), 0);
	} else {
		assert_int_equal(rc, ES_EDECODE);
		assert_int_equal(es_buf_printf(&f->buf, "%zu: %s", error.offset, error.what), 0);
	}
	assert_int_equal(es_buf_append_u8(&f->buf, 0), 0);
	return (const char *)f->buf.data;
}

struct pair {
	const char *text, *expected;
};

static void check(const struct pair *pairs, size_t count)
{
	struct fixture f;

	set_up(&f);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(canonical(&f, es_slice_str(pairs[i].text)), pairs[i].expected);
	tear_down(&f);
}

static void what_is_json_is_read(void **state)
{
	static const struct pair pairs[] = {
		{"null", "null"},
		{" true ", "true"},
		{"\t\r\n false\n", "false"},
		{"\"\"", "\"\""},
		{"[]", "[]"},
		{" [ ] ", "[]"},
		{"{}", "{}"},
		{"{ }", "{}"},
		{"[1, 2 ,3]", "[1,2,3]"},
		{"[[[]],{}]", "[[[]],{}]"},
		{"{ \"b\" : 1 , \"a\" : [ ] }", "{\"a\":[],\"b\":1}"},
		{"{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{\"c\":null}}}"},
		{"{\"a\":1,\"a\":2}", "{\"a\":2}"},
		{"{\"a\":1,\"b\":0,\"\\u0061\":{\"x\":2}}", "{\"a\":{\"x\":2},\"b\":0}"},
		{"{\"\":1,\"a\":2,\"ab\":3,\"A\":4}", "{\"\":1,\"A\":4,\"a\":2,\"ab\":3}"},
		/* UTF-8 orders these unlike UTF-16 does */
		{"{\"\xf0\x9f\x98\x80\":1,\"\xef\xbf\xbd\":2}",
		 "{\"\xef\xbf\xbd\":2,\"\xf0\x9f\x98\x80\":1}"},
		{"{\"a\\u0000b\":1,\"a\":2}", "{\"a\":2,\"a\\u0000b\":1}"},
		{"[-0,0,-1,1e3,0.1]", "[-0.0,0,-1,1000.0,0.1]"},
	};

	(void)state;
	check(pairs, ES_ARRAY_LEN(pairs));
}

static void what_is_not_is_refused_with_its_place(void **state)
{
	static const struct pair pairs[] = {
		{"", "0: expected a value"},
		{"  ", "2: expected a value"},
		{"nul", "0: expected a value"},
		{"nulL", "0: expected a value"},
		{"True", "0: expected a value"},
		{"NaN", "0: expected a value"},
		{"Infinity", "0: expected a value"},
		{"+1", "0: expected a value"},
		{".5", "0: expected a value"},
		{"'a'", "0: expected a value"},
		{"\xef\xbb\xbf{}", "0: expected a value"},
		{"null null", "5: something behind the value"},
		{"nullx", "4: something behind the value"},
		{"{}}", "2: something behind the value"},
		{"1 // one", "2: something behind the value"},
		{"\f1", "0: expected a value"},
		{"[", "1: expected a value"},
		{"[1", "2: expected ',' or ']'"},
		{"[1,", "3: expected a value"},
		{"[1,]", "3: expected a value"},
		{"[,1]", "1: expected a value"},
		{"[1 2]", "3: expected ',' or ']'"},
		{"[1}", "2: expected ',' or ']'"},
		{"]", "0: expected a value"},
		{"{", "1: expected a member's name"},
		{"{1:1}", "1: expected a member's name"},
		{"{a:1}", "1: expected a member's name"},
		{"{\"a\"", "4: expected ':'"},
		{"{\"a\",1}", "4: expected ':'"},
		{"{\"a\":", "5: expected a value"},
		{"{\"a\":}", "5: expected a value"},
		{"{\"a\":1", "6: expected ',' or '}'"},
		{"{\"a\":1]", "6: expected ',' or '}'"},
		{"{\"a\":1,", "7: expected a member's name"},
		{"{\"a\":1,}", "7: expected a member's name"},
		{"{,}", "1: expected a member's name"},
		{"{\"a\" /* b */:1}", "5: expected ':'"},
		{"[\"a]", "4: a string without an end"},
		{"[01]", "1: a number that begins with 0"},
		{"[1e400]", "1: a number too large for a double"},
	};

	(void)state;
	check(pairs, ES_ARRAY_LEN(pairs));
}

static void a_nul_is_no_end(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_string_equal(canonical(&f, ES_SLICE("1\0")), "1: something behind the value");
	assert_string_equal(canonical(&f, ES_SLICE("\0001")), "0: expected a value");
	assert_string_equal(canonical(&f, ES_SLICE("[1,\0002]")), "3: expected a value");
	assert_string_equal(canonical(&f, ES_SLICE("\"a\0b\"")),
			    "2: a control character in a string");
	assert_string_equal(canonical(&f, ES_SLICE("\"\\\0\"")), "1: an escape that there is not");
	tear_down(&f);
}

static void put_nested(struct es_buf *buf, unsigned depth, const char *open, const char *inner,
		       const char *close)
{
	buf->len = 0;
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(es_buf_append_str(buf, open), 0);
	assert_int_equal(es_buf_append_str(buf, inner), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(es_buf_append_str(buf, close), 0);
}

static void depth_has_a_limit(void **state)
{
	struct fixture f;
	struct es_json value;
	struct es_json_error error;

	(void)state;
	set_up(&f);
	for (unsigned depth = 0; depth <= ES_JSON_DEPTH_MAX; depth++) {
		put_nested(&f.buf, depth, "[", "1", "]");
		assert_int_equal(
			es_json_parse(es_buf_slice(&f.buf), depth, &f.arena, &value, &error), 0);
		put_nested(&f.buf, depth, "{\"a\":", "1", "}");
		assert_int_equal(
			es_json_parse(es_buf_slice(&f.buf), depth, &f.arena, &value, &error), 0);
		put_nested(&f.buf, depth + 1, "[", "1", "]");
		assert_int_equal(
			es_json_parse(es_buf_slice(&f.buf), depth, &f.arena, &value, &error),
			ES_EDECODE);
		assert_string_equal(error.what, "nested too deep");
		assert_int_equal(error.offset, depth);
		put_nested(&f.buf, depth + 1, "{\"a\":", "1", "}");
		assert_int_equal(
			es_json_parse(es_buf_slice(&f.buf), depth, &f.arena, &value, &error),
			ES_EDECODE);
	}
	put_nested(&f.buf, 1000000, "[", "", "");
	assert_int_equal(
		es_json_parse(es_buf_slice(&f.buf), ES_JSON_DEPTH_MAX, &f.arena, &value, &error),
		ES_EDECODE);
	tear_down(&f);
}

enum order { DESCENDING, RANDOM, ALL_THE_SAME };

/* An object of `count` members; each one's value is its place. last_of: of each number below 1000. */
static void put_large(struct es_buf *buf, uint32_t count, enum order order, uint32_t last_of[1000])
{
	struct es_rng rng;

	es_rng_init(&rng, 20);
	buf->len = 0;
	assert_int_equal(es_buf_append_str(buf, "{"), 0);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = order == DESCENDING ? count - i
				  : order == RANDOM   ? (uint32_t)es_rng_below(&rng, 1000)
						      : 7;

		last_of[number % 1000] = i;
		assert_int_equal(es_buf_printf(buf, "%s\"%06u\":%u", i > 0 ? "," : "",
					       (unsigned)number, (unsigned)i),
				 0);
	}
	assert_int_equal(es_buf_append_str(buf, "}"), 0);
}

/* So many members that moving each into its place would take minutes. */
static void large_objects_are_sorted(void **state)
{
	enum { COUNT = 200000 };
	struct fixture f;
	uint32_t last_of[1000];

	(void)state;
	set_up(&f);
	for (enum order order = DESCENDING; order <= ALL_THE_SAME; order++) {
		struct es_json value;
		struct es_json_error error;

		put_large(&f.buf, COUNT, order, last_of);
		assert_int_equal(es_json_parse(es_buf_slice(&f.buf), 1, &f.arena, &value, &error),
				 0);
		assert_int_equal(value.count, order == DESCENDING ? COUNT
					      : order == RANDOM   ? 1000
								  : 1);
		for (uint32_t i = 0; i < value.count; i++) {
			const struct es_json_member *member = &value.u.members[i];

			if (i > 0)
				assert_true(es_slice_cmp(member[-1].name, member->name) < 0);
			assert_int_equal(member->value.u.i64, order == DESCENDING ? COUNT - 1 - i
							      : order == RANDOM   ? last_of[i]
										  : COUNT - 1);
		}
		es_arena_reset(&f.arena);
	}
	tear_down(&f);
}

static void what_is_written_reads_back(void **state)
{
	struct fixture f;
	struct es_buf text;
	struct es_rng rng;

	(void)state;
	set_up(&f);
	es_buf_init(&text, es_mem_default());
	for (uint64_t seed = 0; seed < 4000; seed++) {
		struct es_json value;
		struct es_json again;
		struct es_json_error error;

		es_rng_init(&rng, seed);
		value = json_random_value(&rng, &f.arena, 4);
		f.buf.len = 0;
		assert_int_equal(es_json_write(&f.buf, &value), 0);
		if (parse_exactly(es_buf_slice(&f.buf), 4, &f.arena, &again, &error) != 0 ||
		    !es_json_eq(&value, &again))
			fail_msg("seed %llu", (unsigned long long)seed);
		text.len = 0;
		json_random_text(&rng, &text, &value);
		if (parse_exactly(es_buf_slice(&text), 6, &f.arena, &again, &error) != 0 ||
		    !es_json_eq(&value, &again))
			fail_msg("seed %llu: other text", (unsigned long long)seed);
		text.len = 0;
		assert_int_equal(es_json_write(&text, &again), 0);
		assert_true(es_slice_eq(es_buf_slice(&text), es_buf_slice(&f.buf)));
		es_arena_reset(&f.arena);
	}
	es_buf_close(&text);
	tear_down(&f);
}

static void without_memory(void **state)
{
	/* more than the parser's own stack holds, unsorted, with escapes */
	struct es_buf text;

	(void)state;
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_buf_append_str(&text, "{\"\\u0062\":[1,{\"z\":\"\\n\"}],\"a\":["), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(es_buf_append_str(&text, "[\"\\t\"],"), 0);
	assert_int_equal(es_buf_append_str(&text, "{}],\"a\\n\":{}}"), 0);
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_json value;
		struct es_json_error error;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 64);
		rc = es_json_parse(es_buf_slice(&text), 4, &arena, &value, &error);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		if (rc == 0)
			assert_int_equal(es_json_get(&value, "a")->count, 1001);
		es_arena_close(&arena);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
		assert_true(n < 100000);
	}
	es_buf_close(&text);
}

static void plain_strings_stay_in_the_text(void **state)
{
	static const char text[] = "{\"name\":\"a string of some length \xc3\xa4\"}";
	struct fixture f;
	struct es_json value;
	struct es_json_error error;

	(void)state;
	set_up(&f);
	assert_int_equal(es_json_parse(es_slice_str(text), 1, &f.arena, &value, &error), 0);
	assert_ptr_equal(value.u.members[0].name.data, text + 2);
	assert_ptr_equal(value.u.members[0].value.u.string.data, text + 9);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_is_read),
		cmocka_unit_test(what_is_not_is_refused_with_its_place),
		cmocka_unit_test(a_nul_is_no_end),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(large_objects_are_sorted),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(plain_strings_stay_in_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
