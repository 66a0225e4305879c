#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "resource/selector.h"

struct fixture {
	struct es_arena arena;
	char errmsg[200];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	es_arena_init(&f->arena, es_mem_default(), 512);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	es_arena_close(&f->arena);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *labels, const char *fields,
		 const struct es_selector **ret_selector)
{
	*ret_selector = NULL;
	f->errmsg[0] = '\0';
	return es_selector_parse(es_slice_str(labels), es_slice_str(fields), &f->arena,
				 ret_selector, f->errmsg, sizeof(f->errmsg));
}

static bool matches(struct fixture *f, const char *labels, const char *fields, const char *object)
{
	const struct es_selector *selector;
	struct es_json_error error;
	struct es_json value;

	if (parse(f, labels, fields, &selector) < 0)
		fail_msg("\"%s\" and \"%s\": %s", labels, fields, f->errmsg);
	assert_int_equal(
		es_json_parse(es_slice_str(object), ES_JSON_DEPTH_MAX, &f->arena, &value, &error),
		0);
	return es_selector_matches(selector, &value);
}

static bool labels_match(struct fixture *f, const char *selector, const char *labels)
{
	char object[300];

	(void)snprintf(object, sizeof(object), "{\"metadata\":{\"labels\":%s}}", labels);
	return matches(f, selector, "", object);
}

static void labels(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool match;
	} cases[] = {
		{"", "{}", true},
		{" \t\r\n", "{}", true},
		{"a=b", "{\"a\":\"b\"}", true},
		{"a=b", "{\"a\":\"c\"}", false},
		{"a=b", "{}", false},
		{"a==b", "{\"a\":\"b\"}", true},
		{" a = b , c == d ", "{\"a\":\"b\",\"c\":\"d\"}", true},
		{"a=b,c=d", "{\"a\":\"b\",\"c\":\"e\"}", false},
		{"a!=b", "{\"a\":\"b\"}", false},
		{"a!=b", "{\"a\":\"c\"}", true},
		{"a!=b", "{}", true},
		{"a", "{\"a\":\"\"}", true},
		{"a", "{\"b\":\"\"}", false},
		{"!a", "{\"a\":\"\"}", false},
		{"! a", "{}", true},
		{"!a,b", "{\"b\":\"x\"}", true},
		/* No value is the empty one. */
		{"a=", "{\"a\":\"\"}", true},
		{"a=", "{}", false},
		{"a= ,b=", "{\"a\":\"\",\"b\":\"\"}", true},
		{"a!=", "{\"a\":\"\"}", false},
		{"a!=", "{}", true},
		/* Sets. */
		{"a in (b,c)", "{\"a\":\"c\"}", true},
		{"a in ( b , c )", "{\"a\":\"b\"}", true},
		{"a in(b)", "{\"a\":\"b\"}", true},
		{"a\nin\t(b)", "{\"a\":\"b\"}", true},
		{"a in (b,c)", "{\"a\":\"d\"}", false},
		{"a in (b)", "{}", false},
		{"a notin (b,c)", "{\"a\":\"b\"}", false},
		{"a notin (b,c)", "{\"a\":\"d\"}", true},
		{"a notin (b)", "{}", true},
		{"a in ()", "{\"a\":\"\"}", true},
		{"a in ()", "{\"a\":\"b\"}", false},
		{"a in (,b)", "{\"a\":\"\"}", true},
		{"a in (b,)", "{\"a\":\"\"}", true},
		{"a in (b,,c)", "{\"a\":\"\"}", true},
		{"a in (b,c)", "{\"a\":\"\"}", false},
		{"a in (b,b)", "{\"a\":\"b\"}", true},
		{"a notin (),b", "{\"a\":\"x\",\"b\":\"\"}", true},
		/* Words that are operators elsewhere. */
		{"in", "{\"in\":\"x\"}", true},
		{"notin=in", "{\"notin\":\"in\"}", true},
		{"in in (notin,in)", "{\"in\":\"notin\"}", true},
		{"!in", "{\"in\":\"x\"}", false},
		{"exists=x", "{\"exists\":\"x\"}", true},
		/* Numbers. */
		{"a>1", "{\"a\":\"2\"}", true},
		{"a > 1", "{\"a\":\"1\"}", false},
		{"a<1", "{\"a\":\"-1\"}", true},
		{"a<1", "{\"a\":\"+0\"}", true},
		{"a<1", "{\"a\":\"x\"}", false},
		{"a<1", "{\"a\":\"\"}", false},
		{"a<1", "{\"a\":\"-\"}", false},
		{"a<1", "{}", false},
		{"a>9223372036854775806", "{\"a\":\"9223372036854775807\"}", true},
		{"a>1", "{\"a\":\"9223372036854775808\"}", false},
		{"a<1", "{\"a\":\"-9223372036854775808\"}", true},
		{"a<1", "{\"a\":\"-9223372036854775809\"}", false},
		{"a>1,a<5", "{\"a\":\"3\"}", true},
		/* Keys with prefixes. */
		{"example.com/a.b_c-d=E", "{\"example.com/a.b_c-d\":\"E\"}", true},
		{"a-1.b/x", "{\"a-1.b/x\":\"\"}", true},
		/* What is no string is no label, and no labels are none. */
		{"a", "{\"a\":1}", false},
		{"a!=1", "{\"a\":1}", true},
		{"!a", "null", true},
		{"a", "[\"a\"]", false},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		if (labels_match(*state, cases[i].selector, cases[i].labels) != cases[i].match)
			fail_msg("\"%s\" of %s", cases[i].selector, cases[i].labels);
	assert_true(matches(*state, "!a", "", "{}"));
	assert_true(matches(*state, "a!=b", "", "[1]"));
}

static void wrong_labels(void **state)
{
	static const char *const wrong[] = {
		",",         "a,",          ",a",         "a,,b",      "a b",
		"a=b c",     "a==b==c",     "!",          "!!a",       "!a=b",
		"!a in (b)", "=b",          "==",         "a=!b",      "a=(b)",
		"a===b",     "a=>b",        "a in",       "a in b",    "a in (",
		"a in (b",   "a in (b c)",  "a in (b=c)", "a in (b))", "a in (b) c",
		"a notin",   "a in in (b)", "(a)",        ")",         "a>",
		"a>b",       "a<-1",        "a<+1",       "a>=1",      "a>9223372036854775808",
		"a>1,a<",    "a||b",        "a=b||c=d",   "a=b&",      "-a",
		"a-",        ".a",          "a.",         "_a",        "a/b/c",
		"/a",        "a/",          "A/b",        "a..b/c",    "-a/b",
		"a-/b",      "a-.b/c",      "a_b/c",      "a=-b",      "a=b.",
		"a=b/c",     "a=\xc3\xa9",  "\xc3\xa9=a",
	};
	struct fixture *f = *state;
	const struct es_selector *selector;

	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		if (parse(f, wrong[i], "", &selector) != ES_EINVAL)
			fail_msg("\"%s\"", wrong[i]);
		assert_memory_equal(f->errmsg, "label selector: ", 16);
		assert_null(selector);
	}
}

static void lengths_of_labels(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;
	char text[400];

	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_int_equal(parse(f, text, "", &selector), 0);
	text[63] = 'a';
	text[64] = '\0';
	assert_int_equal(parse(f, text, "", &selector), ES_EINVAL);
	text[1] = '=';
	text[65] = '\0';
	text[64] = 'a';
	assert_int_equal(parse(f, text + 0, "", &selector), 0);
	text[65] = 'a';
	text[66] = '\0';
	assert_int_equal(parse(f, text, "", &selector), ES_EINVAL);
	memset(text, 'a', sizeof(text));
	memcpy(text + 253, "/x", 3);
	assert_int_equal(parse(f, text, "", &selector), 0);
	text[253] = 'a';
	memcpy(text + 254, "/x", 3);
	assert_int_equal(parse(f, text, "", &selector), ES_EINVAL);
}

static void a_message_says_what_and_where(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;

	assert_int_equal(parse(f, "a=b,c in d", "", &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "label selector: expected '(' at 9");
	assert_int_equal(parse(f, "a=b, c-", "", &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "label selector: not a label's key at 5");
	assert_int_equal(parse(f, "a=(", "", &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "label selector: expected a value at 2");
	assert_int_equal(parse(f, "", "a=b,c", &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "field selector: expected =, == or != at 5");
	assert_int_equal(parse(f, "", "a=b,c=d=e", &selector), ES_EINVAL);
	assert_memory_equal(f->errmsg, "field selector: not a value at 6", 32);
}

static void fields(void **state)
{
	static const char object[] =
		"{\"metadata\":{\"name\":\"n\",\"namespace\":\"\",\"labels\":{\"a.b/"
		"c\":\"x,y=z\\\\\"}},"
		"\"spec\":{\"n\":-3,\"u\":18446744073709551615,\"d\":1e3,\"t\":true,\"f\":false,"
		"\"z\":null,"
		"\"l\":[1],\"o\":{},\"s p\":\" v \",\"\\u00e9\":\"\\u00fc\",\"a\\\\b\":\"1\"}}";
	static const struct {
		const char *selector;
		bool match;
	} cases[] = {
		{"", true},
		{",", true},
		{"metadata.name=n", true},
		{"metadata.name==n", true},
		{"metadata.name!=n", false},
		{"metadata.name=m", false},
		{"metadata.name!=m", true},
		{",metadata.name=n,,spec.n=-3,", true},
		{"metadata.name=n,spec.n=3", false},
		/* What is not there is empty. */
		{"metadata.namespace=", true},
		{"metadata.nothing=", true},
		{"metadata.nothing!=", false},
		{"metadata.nothing!=x", true},
		{"metadata.name.deeper=", true},
		{"spec.z=", true},
		{"spec.l=", true},
		{"spec.o=", true},
		{"metadata.name=", false},
		/* As their canonical text. */
		{"spec.n=-3", true},
		{"spec.u=18446744073709551615", true},
		{"spec.d=1000.0", true},
		{"spec.d=1e3", false},
		{"spec.t=true,spec.f=false", true},
		{"spec.t=True", false},
		/* Escapes. */
		{"metadata.labels.a\\.b/c=x\\,y\\=z\\\\", true},
		{"metadata.labels.a.b/c=", true},
		{"spec.a\\\\b=1", true},
		/* White space counts. */
		{"spec.s p= v ", true},
		{"spec.s p=v", false},
		{" metadata.name=n", false},
		{"metadata.name =n", false},
		{"spec.\xc3\xa9=\xc3\xbc", true},
		/* The first operator is the one. */
		{"metadata.name=n!", false},
		{"metadata.name=!n", false},
		{"spec.!x!=y", true},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		if (matches(*state, "", cases[i].selector, object) != cases[i].match)
			fail_msg("\"%s\"", cases[i].selector);
	assert_false(matches(*state, "a.b/c", "metadata.name=m", object));
	assert_true(matches(*state, "!x", "metadata.name=n", object));
}

static void wrong_fields(void **state)
{
	static const char *const wrong[] = {
		"a",       "a=b,c", "a in (b)", "a!b",      "=b",    "!=b",   "==",
		"a==b==c", "a=b=c", "a===b",    "a!==b",    "a=b\\", "a=\\x", "a=\\.",
		".a=b",    "a.=b",  "a..b=c",   "a\\=b",    "\\",    "a\\",   "a\\x=b",
		"a,=b",    "a>b",   "a\\=b=c",  "a=\\\\\\",
	};
	struct fixture *f = *state;
	const struct es_selector *selector;

	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		if (parse(f, "", wrong[i], &selector) != ES_EINVAL)
			fail_msg("\"%s\"", wrong[i]);
		assert_memory_equal(f->errmsg, "field selector: ", 16);
	}
}

static void everything(void **state)
{
	const struct es_selector *selector;

	assert_true(es_selector_is_everything(NULL));
	assert_true(es_selector_matches(NULL, NULL));
	assert_int_equal(parse(*state, " ", ",", &selector), 0);
	assert_true(es_selector_is_everything(selector));
	assert_int_equal(parse(*state, "a", "", &selector), 0);
	assert_false(es_selector_is_everything(selector));
	assert_int_equal(parse(*state, "", "a=", &selector), 0);
	assert_false(es_selector_is_everything(selector));
	assert_int_equal(es_selector_parse(es_slice(NULL, 0), es_slice(NULL, 0),
					   &((struct fixture *)*state)->arena, &selector, NULL, 0),
			 0);
	assert_true(es_selector_is_everything(selector));
}

/* A zero byte is a byte like others: nothing behind it is lost. */
static void zero_bytes(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;
	struct es_json_error error;
	struct es_json object;

	assert_int_equal(es_selector_parse(ES_SLICE("a=b\0,"), ES_SLICE(""), &f->arena, &selector,
					   f->errmsg, sizeof(f->errmsg)),
			 ES_EINVAL);
	assert_int_equal(es_selector_parse(ES_SLICE("a\0"), ES_SLICE(""), &f->arena, &selector,
					   f->errmsg, sizeof(f->errmsg)),
			 ES_EINVAL);
	assert_int_equal(es_selector_parse(ES_SLICE(""), ES_SLICE("a=b\0c"), &f->arena, &selector,
					   f->errmsg, sizeof(f->errmsg)),
			 0);
	assert_int_equal(
		es_json_parse(ES_SLICE("{\"a\":\"b\\u0000c\"}"), 4, &f->arena, &object, &error), 0);
	assert_true(es_selector_matches(selector, &object));
}

static void the_texts_may_go(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;
	struct es_json_error error;
	struct es_json object;
	char labels[] = "a in (b,c)", fields[] = "x\\.y=z";

	assert_int_equal(parse(f, labels, fields, &selector), 0);
	memset(labels, '?', sizeof(labels) - 1);
	memset(fields, '?', sizeof(fields) - 1);
	assert_int_equal(es_json_parse(ES_SLICE("{\"metadata\":{\"labels\":{\"a\":\"c\"}},\"x.y\":"
						"\"z\"}"),
				       4, &f->arena, &object, &error),
			 0);
	assert_true(es_selector_matches(selector, &object));
}

static void memory_runs_out(void **state)
{
	const struct es_selector *selector;
	char errmsg[200];

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 1);
		rc = es_selector_parse(ES_SLICE("a in (b,c),!d,e>1"), ES_SLICE("f.g=h,i!=j"),
				       &arena, &selector, errmsg, sizeof(errmsg));
		es_arena_close(&arena);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Many values are as good as few, and their order is nobody's business. */
static void sets_of_many_values(void **state)
{
	enum { VALUES = 5000 };
	struct fixture *f = *state;
	const struct es_selector *in, *not_in;
	struct es_buf text;

	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_buf_append_str(&text, "a in ("), 0);
	for (int i = 0; i < VALUES; i++)
		assert_int_equal(es_buf_printf(&text, "v%d,", i * 7919 % VALUES * 2), 0);
	assert_int_equal(es_buf_append_str(&text, ")"), 0);
	assert_int_equal(es_buf_append_u8(&text, '\0'), 0);
	assert_int_equal(parse(f, (const char *)text.data, "", &in), 0);
	text.len = 0;
	assert_int_equal(es_buf_append_str(&text, "a notin (b,c,a,b)"), 0);
	assert_int_equal(es_buf_append_u8(&text, '\0'), 0);
	assert_int_equal(parse(f, (const char *)text.data, "", &not_in), 0);
	for (int i = -1; i < 2 * VALUES; i++) {
		char object[64];
		struct es_json value;
		struct es_json_error error;

		(void)snprintf(object, sizeof(object),
			       "{\"metadata\":{\"labels\":{\"a\":\"%s%.*d\"}}}", i < 0 ? "" : "v",
			       i < 0 ? 0 : 1, i < 0 ? 0 : i);
		assert_int_equal(es_json_parse(es_slice_str(object), ES_JSON_DEPTH_MAX, &f->arena,
					       &value, &error),
				 0);
		/* The set ends with a comma, behind which is the empty value. */
		assert_int_equal(es_selector_matches(in, &value), i < 0 || i % 2 == 0);
		assert_true(es_selector_matches(not_in, &value));
	}
	es_buf_close(&text);
}

static void costs_are_known(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;

	assert_int_equal(es_selector_cost(NULL), 0);
	assert_int_equal(parse(f, "a,!b,c in (d,e,f)", "x.y.z=1,x!=2", &selector), 0);
	assert_int_equal(es_selector_cost(selector), 3 + 3 + 1);
}

static void texts_are_bounded(void **state)
{
	struct fixture *f = *state;
	const struct es_selector *selector;
	char *text = malloc(65536 + 2);

	assert_non_null(text);
	memset(text, ',', 65536 + 2);
	text[65536] = '\0';
	assert_int_equal(parse(f, "", text, &selector), 0); /* empty terms are nothing */
	memset(text, ' ', 65536);
	assert_int_equal(parse(f, text, "", &selector), 0);
	text[65536] = ' ';
	text[65537] = '\0';
	assert_int_equal(parse(f, text, "", &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "label selector: longer than 65536 bytes");
	assert_int_equal(parse(f, "", text, &selector), ES_EINVAL);
	assert_string_equal(f->errmsg, "field selector: longer than 65536 bytes");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels),
		TEST(wrong_labels),
		TEST(lengths_of_labels),
		TEST(a_message_says_what_and_where),
		TEST(fields),
		TEST(wrong_fields),
		TEST(everything),
		TEST(sets_of_many_values),
		TEST(costs_are_known),
		TEST(texts_are_bounded),
		TEST(zero_bytes),
		TEST(the_texts_may_go),
		TEST(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
