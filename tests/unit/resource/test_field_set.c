#include "resource/field_set.h"

#include "apply_support.h"

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

static struct es_field_set read_set(const char *text)
{
	struct es_json object = parse_json(&arena, text);
	struct es_field_set set;
	char errmsg[200] = "";

	if (es_field_set_read(&object, &arena, &set, errmsg, sizeof(errmsg)) < 0)
		fail_msg("%s: %s", text, errmsg);
	return set;
}

static void assert_set(const struct es_field_set *set, const char *text)
{
	struct es_json object;

	assert_int_equal(es_field_set_write(set, ES_JSON_DEPTH_MAX, &arena, &object), 0);
	assert_json(&object, text);
}

static void round_trip(const char *text)
{
	struct es_field_set set = read_set(text);

	assert_set(&set, text);
}

static void test_read_back(void **state)
{
	(void)state;
	round_trip("{}");
	round_trip("{'f:spec':{'f:replicas':{}}}");
	round_trip("{'f:spec':{'.':{},'f:replicas':{}}}");
	round_trip("{'f:l':{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:name':{}},'k:{\\'port\\':80,"
		   "\\'proto\\':\\'TCP\\'}':{}}}");
	round_trip("{'f:l':{'v:\\'a\\'':{},'v:1':{},'v:true':{},'v:null':{},'v:0.5':{},'i:0':{},"
		   "'i:12':{}}}");
	round_trip("{'f:':{},'f:a.b/c':{},'f:f:x':{}}");
	round_trip("{'k:{}':{}}");
}

/* Other programs compare these texts. */
static void test_texts_are_kubernetes(void **state)
{
	struct es_field_element elements[] = {
		{ES_FIELD_VALUE, parse_json(&arena, "'<a>&\\u0001\\n\\r\\t\\b\\\\'")},
		{ES_FIELD_VALUE, parse_json(&arena, "'\\u2028\\u2029\\u20ac'")},
		{ES_FIELD_KEY, parse_json(&arena, "{'b':1,'a':'<'}")},
	};
	const char *texts[] = {
		"v:\"\\u003ca\\u003e\\u0026\\u0001\\n\\r\\t\\u0008\\\\\"",
		"v:\"\\u2028\\u2029\xe2\x82\xac\"",
		"k:{\"a\":\"\\u003c\",\"b\":1}",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct es_field_node node = {elements[i], true, {0, NULL}};
		struct es_field_set set = {1, &node}, again;
		struct es_json object;

		assert_int_equal(es_field_set_write(&set, 2, &arena, &object), 0);
		assert_int_equal(object.u.members[0].name.len, strlen(texts[i]));
		assert_memory_equal(object.u.members[0].name.data, texts[i], strlen(texts[i]));
		assert_int_equal(es_field_set_read(&object, &arena, &again, NULL, 0), 0);
		assert_true(es_field_set_eq(&set, &again));
	}
}

static void test_odd_texts(void **state)
{
	struct es_field_set set;

	(void)state;
	/* The same element, written differently. */
	set = read_set("{'v:1':{},'v:1.0':{'f:a':{}},'v:1e0':{'f:b':{}}}");
	assert_set(&set, "{'v:1':{'.':{},'f:a':{},'f:b':{}}}");
	set = read_set("{'k:{\\'a\\': 1.0 }':{}}");
	assert_set(&set, "{'k:{\\'a\\':1}':{}}");
	/* What is not known is left out; what has nothing below it is a field itself. */
	set = read_set("{'f:a':{'x:1':{}},'y:':{}}");
	assert_set(&set, "{'f:a':{}}");
	set = read_set("{'f:a':{'.':{}}}");
	assert_set(&set, "{'f:a':{}}");
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{'f:a':null}",
		"{'f:a':1}",
		"{'':{}}",
		"{'f':{}}",
		"{'fa':{}}",
		"{'v:':{}}",
		"{'v:{}':{}}",
		"{'v:[1]':{}}",
		"{'v:a':{}}",
		"{'k:1':{}}",
		"{'k:{':{}}",
		"{'i:x':{}}",
		"{'i:1.5':{}}",
		"{'i:':{}}",
		"{'v:1 2':{}}",
		"{'k:{\\'a\\':{}}':{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct es_json object = parse_json(&arena, texts[i]);
		struct es_field_set set;
		char errmsg[200] = "";

		if (es_field_set_read(&object, &arena, &set, errmsg, sizeof(errmsg)) != ES_EINVAL)
			fail_msg("%s was read", texts[i]);
		assert_true(strlen(errmsg) > 0);
	}
}

static void test_depth(void **state)
{
	struct es_field_set set = read_set("{'f:a':{'f:b':{}}}");
	struct es_field_set self = read_set("{'f:a':{'.':{},'f:b':{}}}");
	struct es_json object;

	(void)state;
	assert_int_equal(es_field_set_write(&set, 3, &arena, &object), 0);
	assert_int_equal(es_field_set_write(&set, 2, &arena, &object), ES_EINVAL);
	assert_int_equal(es_field_set_write(&self, 3, &arena, &object), 0);
	assert_int_equal(es_field_set_write(&self, 2, &arena, &object), ES_EINVAL);
}

static const char a_text[] =
	"{'f:a':{},'f:b':{'.':{},'f:c':{},'f:d':{'f:e':{}}},'f:only':{'f:x':{}}}";
static const char b_text[] =
	"{'f:a':{'f:z':{}},'f:b':{'.':{},'f:d':{'f:e':{},'f:f':{}}},'f:new':{}}";

static void test_operations(void **state)
{
	struct es_field_set a = read_set(a_text), b = read_set(b_text), none = {0}, set;

	(void)state;
	assert_int_equal(es_field_set_union(&arena, &a, &b, &set), 0);
	assert_set(&set,
		   "{'f:a':{'.':{},'f:z':{}},'f:b':{'.':{},'f:c':{},'f:d':{'f:e':{},'f:f':{}}},"
		   "'f:new':{},'f:only':{'f:x':{}}}");
	assert_int_equal(es_field_set_intersection(&arena, &a, &b, &set), 0);
	assert_set(&set, "{'f:b':{'.':{},'f:d':{'f:e':{}}}}");
	/* Taking away a field takes away nothing below it. */
	assert_int_equal(es_field_set_difference(&arena, &b, &a, &set), 0);
	assert_set(&set, "{'f:a':{'f:z':{}},'f:b':{'f:d':{'f:f':{}}},'f:new':{}}");
	assert_int_equal(es_field_set_difference(&arena, &a, &b, &set), 0);
	assert_set(&set, "{'f:a':{},'f:b':{'f:c':{}},'f:only':{'f:x':{}}}");

	assert_int_equal(es_field_set_difference(&arena, &a, &a, &set), 0);
	assert_true(es_field_set_is_empty(&set));
	assert_int_equal(es_field_set_union(&arena, &none, &a, &set), 0);
	assert_true(es_field_set_eq(&set, &a));
	assert_int_equal(es_field_set_intersection(&arena, &a, &none, &set), 0);
	assert_true(es_field_set_is_empty(&set));
	assert_int_equal(es_field_set_difference(&arena, &none, &a, &set), 0);
	assert_true(es_field_set_is_empty(&set));
	assert_false(es_field_set_eq(&a, &b));
}

static void test_find(void **state)
{
	struct es_field_set set = read_set("{'f:a':{},'f:b':{'f:c':{}},'v:1':{},'v:\\'1\\'':{}}");
	struct es_field_element element = es_field_name(ES_SLICE("b"));
	const struct es_field_node *node = es_field_set_find(&set, &element);

	(void)state;
	assert_non_null(node);
	assert_false(node->member);
	assert_int_equal(node->children.count, 1);
	element = es_field_name(ES_SLICE("c"));
	assert_null(es_field_set_find(&set, &element));
	element = (struct es_field_element){ES_FIELD_VALUE, parse_json(&arena, "1.0")};
	assert_non_null(es_field_set_find(&set, &element));
}

/* Each is before all that follow. */
static void test_order_of_values(void **state)
{
	static const char *const texts[] = {
		"-1e300",
		"-9223372036854775808",
		"-9007199254740993",
		"-9007199254740992",
		"-0.5",
		"0",
		"0.5",
		"1",
		"9007199254740992",
		"9007199254740993",
		"9223372036854775807",
		"9223372036854775808",
		"18446744073709549568.0",
		"18446744073709551615",
		"1e300",
		"''",
		"'a'",
		"'ab'",
		"'b'",
		"false",
		"true",
		"[]",
		"[1]",
		"[1,0]",
		"[2]",
		"{}",
		"{'a':1}",
		"{'a':1,'b':0}",
		"{'a':2}",
		"{'b':0}",
		"null",
	};
	const size_t count = sizeof(texts) / sizeof(texts[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			struct es_json a = parse_json(&arena, texts[i]);
			struct es_json b = parse_json(&arena, texts[j]);
			int order = es_field_compare_values(&a, &b);

			if ((order > 0) - (order < 0) != (i > j) - (i < j))
				fail_msg("%s and %s: %d", texts[i], texts[j], order);
		}
}

static void test_equal_numbers(void **state)
{
	static const char *const pairs[][2] = {
		{"1", "1.0"},
		{"0", "-0.0"},
		{"-7", "-7.0"},
		{"1e2", "100"},
		{"9223372036854775808", "9223372036854775808.0"},
		{"[1,{'a':2.0}]", "[1.0,{'a':2}]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct es_json a = parse_json(&arena, pairs[i][0]);
		struct es_json b = parse_json(&arena, pairs[i][1]);

		assert_int_equal(es_field_compare_values(&a, &b), 0);
		assert_int_equal(es_field_compare_values(&b, &a), 0);
	}
}

/* What is kept of twins does not depend on which came first. */
static void test_twins(void **state)
{
	static const char kept[] =
		"{'k:{\\'a\\':1000000000000000000}':{},'v:1000000000000000000':{}}";
	struct es_field_set first = read_set(
		"{'v:1000000000000000000':{},'v:1e18':{},"
		"'k:{\\'a\\':1000000000000000000}':{},'k:{\\'a\\':1e18}':{}}");
	struct es_field_set second = read_set(
		"{'k:{\\'a\\':1e18}':{},'k:{\\'a\\':1000000000000000000}':{},"
		"'v:1e18':{},'v:1000000000000000000':{}}");

	(void)state;
	assert_set(&first, kept);
	assert_set(&second, kept);
}

static void test_print(void **state)
{
	static const struct {
		const char *set, *text;
	} cases[] = {
		{"{'f:spec':{}}", ".spec"},
		{"{'k:{\\'port\\':80,\\'protocol\\':\\'TCP\\'}':{}}", "[port=80,protocol=\"TCP\"]"},
		{"{'v:\\'a\\'':{}}", "[=\"a\"]"},
		{"{'v:true':{}}", "[=true]"},
		{"{'i:3':{}}", "[3]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct es_field_set set = read_set(cases[i].set);
		struct es_buf buf;

		es_buf_init(&buf, es_mem_default());
		assert_int_equal(es_field_print(&buf, &set.nodes[0].element), 0);
		assert_int_equal(es_buf_append_u8(&buf, '\0'), 0);
		assert_string_equal((const char *)buf.data, cases[i].text);
		es_buf_close(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_are_kubernetes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_of_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_equal_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_print, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
