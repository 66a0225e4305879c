#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../base/json_random.h"
#include "base/assert.h"
#include "ctl/yaml_json.h"

struct parsed {
	struct es_arena arena;
	struct es_ctl_yaml_document *documents;
	size_t count;
	char errmsg[300];
	int rc;
};

static void parse(struct parsed *p, struct es_slice text)
{
	*p = (struct parsed){.count = 0};
	es_arena_init(&p->arena, es_mem_default(), 4096);
	p->rc = es_ctl_yaml_parse(text, &p->arena, &p->documents, &p->count, p->errmsg,
				  sizeof(p->errmsg));
}

/* The documents as JSON, one a line. */
static void gives(const char *yaml, const char *expected)
{
	struct parsed p;
	struct es_buf json;

	parse(&p, es_slice_str(yaml));
	if (p.rc != 0)
		fail_msg("%s: %s", yaml, p.errmsg);
	es_buf_init(&json, es_mem_default());
	for (size_t i = 0; i < p.count; i++) {
		assert_int_equal(es_json_write(&json, &p.documents[i].value), 0);
		if (i + 1 < p.count)
			assert_int_equal(es_buf_append_str(&json, "\n"), 0);
	}
	assert_int_equal(es_buf_append(&json, "", 1), 0);
	assert_string_equal((char *)json.data, expected);
	es_buf_close(&json);
	es_arena_close(&p.arena);
}

static void refuses(const char *yaml, const char *errmsg)
{
	struct parsed p;

	parse(&p, es_slice_str(yaml));
	assert_int_equal(p.rc, ES_EDECODE);
	if (strstr(p.errmsg, errmsg) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", yaml, errmsg, p.errmsg);
	es_arena_close(&p.arena);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void words_are_what_yaml_1_1_says(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{"a", "\"a\""},
		{"true", "true"},
		{"True", "true"},
		{"yes", "true"},
		{"y", "true"},
		{"on", "true"},
		{"n", "false"},
		{"OFF", "false"},
		{"tRue", "\"tRue\""},
		{"\"yes\"", "\"yes\""},
		{"'n'", "\"n\""},
		{"~", "null"},
		{"null", "null"},
		{"NULL", "null"},
		{"\"\"", "\"\""},
		{"0", "0"},
		{"-0", "0"},
		{"+12", "12"},
		{"010", "8"},
		{"0o17", "15"},
		{"0x1F", "31"},
		{"-0x10", "-16"},
		{"0b101", "5"},
		{"1_000", "1000"},
		{"08", "8"},
		{"1.0", "1"},
		{"1.", "1"},
		{".5", "0.5"},
		{"-.5e1", "-5"},
		{"1e3", "1000"},
		{"1.5", "1.5"},
		{"1e999", "\"1e999\""},
		{"1e-7", "1e-7"},
		{"1:20:30", "\"1:20:30\""},
		{"2001-12-14", "\"2001-12-14\""},
		{"10.0.0.1", "\"10.0.0.1\""},
		{"1Gi", "\"1Gi\""},
		{"-", "[null]"},
		{"9223372036854775807", "9223372036854775807"},
		{"9223372036854775808", "9223372036854775808"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"18446744073709551616", "1.8446744073709552e+19"},
		{"0xffffffffffffffff", "18446744073709551615"},
		{"-0x8000000000000000", "-9223372036854775808"},
		{"!!str 12", "\"12\""},
		{"!!int \"12\"", "12"},
		{"!!float 1", "1.0"},
		{"!!float 2.5", "2.5"},
		{"! 12", "\"12\""},
		{"!!bool \"no\"", "false"},
		{"!!null ''", "null"},
		{"=", "\"=\""},
		{"0x", "\"0x\""},
		{"1.2.3", "\"1.2.3\""},
		{"e5", "\"e5\""},
		{"1e", "\"1e\""},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		gives(cases[i].yaml, cases[i].json);
	refuses(".inf", "line 1, column 1: a number that JSON has not got");
	refuses("a: -.INF", "line 1, column 4: a number");
	refuses(".nan", "a number");
	refuses("!!int x", "not what its tag says");
	refuses("!!binary aGk=", "not what its tag says");
	refuses("!mine x", "a tag that is not known");
	refuses("!!seq {a: 1}", "a tag that is not known, or not of this");
}

/* ---- containers ------------------------------------------------------------------------------ */

static void containers_and_documents(void **state)
{
	(void)state;
	gives("", "");
	gives("# nothing\n---\n---\n", "");
	gives("b: 1\na: [x, {c: ~}]\n", "{\"a\":[\"x\",{\"c\":null}],\"b\":1}");
	gives("a:\n- 1\n- 2\n", "{\"a\":[1,2]}");
	gives("a: |\n  x\n   y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\n y\\n\",\"b\":\"x y\"}");
	gives("---\na: 1\n---\n---\nb: 2\n...\n", "{\"a\":1}\n{\"b\":2}");
	gives("1: a\ntrue: b\n1.5: c\n\"~\": d\n",
	      "{\"1\":\"a\",\"1.5\":\"c\",\"true\":\"b\",\"~\":\"d\"}");
	gives("{\"a\":{\"b\":[1,2.5,\"x\"]}}", "{\"a\":{\"b\":[1,2.5,\"x\"]}}");
	gives("\"\\0\": 1", "{\"\\u0000\":1}");
	/* A text that ends too early is told where it ends, whether or not its last line has an end. */
	refuses("{bad", "line 1, column 5: ");
	refuses("{bad\n", "line 2, column 1: ");
	refuses("a: b\r\nc: [\xc3\xa9", "line 2, column 6: ");
	refuses("a: [\r", "line 2, column 1: ");
	refuses("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key \"a\" stands here twice");
	refuses("1: a\n\"1\": b\n", "the key \"1\" stands here twice");
	refuses("~: a", "a key must not be empty or null");
	refuses("? [a]\n: b\n", "a key must be a text");
	refuses("a: [1\nb: 2\n", "line ");
	refuses("a: 'x\n", "line ");
	refuses("\ta: 1\n", "line 1");
	refuses("a: \xff\n", "at byte 3");
}

static void where_documents_begin(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, ES_SLICE("# one\na: 1\n---\n---\n\nb: 1\n"));
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.documents[0].number, 1);
	assert_int_equal(p.documents[0].line, 2);
	assert_int_equal(p.documents[1].number, 3);
	assert_int_equal(p.documents[1].line, 6);
	es_arena_close(&p.arena);
}

static void anchors_and_merges(void **state)
{
	(void)state;
	gives("a: &x {k: 1}\nb: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}");
	gives("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
	gives("a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x\n",
	      "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":1,\"l\":3}}");
	gives("- &x {k: 1}\n- &y {k: 2, m: 3}\n- <<: [*x, *y]\n",
	      "[{\"k\":1},{\"k\":2,\"m\":3},{\"k\":1,\"m\":3}]");
	gives("\"<<\": 1", "{\"<<\":1}");
	refuses("a: *x", "there is no such anchor before this");
	refuses("a: &x [*x]", "there is no such anchor before this");
	refuses("a: &x 1\n---\nb: *x", "there is no such anchor before this");
	refuses("<<: 1", "only mappings can be merged");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void what_aliases_stand_for_is_bounded(void **state)
{
	struct es_buf text;
	struct parsed p;

	(void)state;
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_buf_append_str(&text, "- &a0 [x,x,x,x,x,x,x,x,x,x]\n"), 0);
	for (int i = 1; i < 10; i++)
		assert_int_equal(es_buf_printf(&text, "- &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i,
					       i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
				 0);
	parse(&p, es_buf_slice(&text));
	assert_int_equal(p.rc, ES_EDECODE);
	assert_non_null(strstr(p.errmsg, "aliases stand for too much"));
	es_arena_close(&p.arena);
	es_buf_close(&text);
}

static void depth_is_bounded(void **state)
{
	struct es_buf text;
	struct parsed p;

	(void)state;
	es_buf_init(&text, es_mem_default());
	for (unsigned depth = ES_JSON_DEPTH_MAX; depth <= ES_JSON_DEPTH_MAX + 1; depth++) {
		text.len = 0;
		for (unsigned i = 0; i < depth; i++)
			assert_int_equal(es_buf_append_str(&text, "["), 0);
		for (unsigned i = 0; i < depth; i++)
			assert_int_equal(es_buf_append_str(&text, "]"), 0);
		parse(&p, es_buf_slice(&text));
		assert_int_equal(p.rc, depth <= ES_JSON_DEPTH_MAX ? 0 : ES_EDECODE);
		es_arena_close(&p.arena);
	}
	/* Deep by aliases. */
	text.len = 0;
	assert_int_equal(es_buf_append_str(&text, "- &a0 x\n"), 0);
	for (int i = 1; i < 140; i++)
		assert_int_equal(es_buf_printf(&text, "- &a%d [*a%d]\n", i, i - 1), 0);
	parse(&p, es_buf_slice(&text));
	assert_int_equal(p.rc, ES_EDECODE);
	assert_non_null(strstr(p.errmsg, "nested too deep"));
	es_arena_close(&p.arena);
	es_buf_close(&text);
}

static void memory_may_end_anywhere(void **state)
{
	static const char text[] =
		"a: &x {k: [1, 2.5, 0x1f]}\nb: *x\nc: {<<: *x, d: 'e'}\n---\nf: g\n";

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_ctl_yaml_document *documents;
		struct es_fault_mem fault;
		struct es_arena arena;
		char errmsg[300];
		size_t count;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 256);
		rc = es_ctl_yaml_parse(es_slice_str(text), &arena, &documents, &count, errmsg,
				       sizeof(errmsg));
		es_arena_close(&arena);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

/* ---- writing --------------------------------------------------------------------------------- */

static void writes(const char *json, const char *expected)
{
	struct es_json_error error;
	struct es_arena arena;
	struct es_json value;
	struct es_buf yaml;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&yaml, es_mem_default());
	assert_int_equal(
		es_json_parse(es_slice_str(json), ES_JSON_DEPTH_MAX, &arena, &value, &error), 0);
	assert_int_equal(es_ctl_yaml_write(&yaml, &value), 0);
	assert_int_equal(es_buf_append(&yaml, "", 1), 0);
	assert_string_equal((char *)yaml.data, expected);
	es_buf_close(&yaml);
	es_arena_close(&arena);
}

static void the_form_of_what_is_written(void **state)
{
	(void)state;
	writes("{\"a\":[1,{\"b\":[],\"c\":{}}],\"d\":{\"e\":null,\"f\":true}}",
	       "a:\n- 1\n- b: []\n  c: {}\nd:\n  e: null\n  f: true\n");
	writes("[[1,2],[[3]]]", "- - 1\n  - 2\n- - - 3\n");
	writes("{\"t\":\"a\\nb\\n\",\"u\":\"a\\n\\nb\",\"v\":\"a\\n\\n\",\"w\":\" a\\n\"}",
	       "t: |\n  a\n  b\nu: |-\n  a\n\n  b\nv: |+\n  a\n\nw: \" a\\n\"\n");
	writes("\"x\"", "x\n");
	writes("{}", "{}\n");
	writes("1000.0", "!!float 1000.0\n");
	writes("\"a\\u001b[31m\\u0085\"", "\"a\\x1B[31m\\x85\"\n");
}

/* A text goes without quotes only when no reader takes it for something else. */
static void what_is_quoted(void **state)
{
	static const char *const plain[] = {"a",         "a b",      "a-b",   "a:b",      "a#b",
					    "nginx:1",   "10.0.0.1", "100m",  "1Gi",      "/bin/sh",
					    "yesterday", "a/b",      "1.2.3", "x\xc3\xa9"};
	static const char *const quoted[] = {"",
					     "yes",
					     "No",
					     "n",
					     "y",
					     "on",
					     "null",
					     "~",
					     "1",
					     "0x1f",
					     "1.5",
					     "1e3",
					     ".5",
					     "1_0",
					     "1:20",
					     "2020-01-01",
					     "- a",
					     "a: b",
					     "a #b",
					     " a",
					     "a ",
					     "#a",
					     "&a",
					     "*a",
					     "!a",
					     "%a",
					     "@a",
					     "`a",
					     "[a",
					     "{a",
					     "a:",
					     "'a",
					     "\"a",
					     "<<",
					     "=",
					     ".inf",
					     "-",
					     "?",
					     "---",
					     "...",
					     "2020-01-01T00:00:00Z",
					     "0o7",
					     "1_000",
					     "+1",
					     "0b1",
					     "12e03"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(plain) + ES_ARRAY_LEN(quoted); i++) {
		bool is_plain = i < ES_ARRAY_LEN(plain);
		const char *text = is_plain ? plain[i] : quoted[i - ES_ARRAY_LEN(plain)];
		struct es_json value = es_json_string(es_slice_str(text));
		struct es_buf yaml;

		es_buf_init(&yaml, es_mem_default());
		assert_int_equal(es_ctl_yaml_write(&yaml, &value), 0);
		if ((yaml.data[0] != '"') != is_plain)
			fail_msg("%s is written as %.*s", text, (int)yaml.len, (char *)yaml.data);
		es_buf_close(&yaml);
	}
}

static bool same(const struct es_json *value, struct es_buf *yaml)
{
	struct parsed p;
	bool equal;

	yaml->len = 0;
	assert_int_equal(es_ctl_yaml_write(yaml, value), 0);
	parse(&p, es_buf_slice(yaml));
	equal = p.rc == 0 && p.count == 1 && es_json_eq(&p.documents[0].value, value);
	if (!equal)
		print_error("%s\n%.*s\n", p.errmsg, (int)yaml->len, (char *)yaml->data);
	es_arena_close(&p.arena);
	return equal;
}

static void what_is_written_is_read_back(void **state)
{
	const uint64_t seed = 4;
	struct es_rng rng;
	struct es_buf yaml;

	(void)state;
	es_rng_init(&rng, seed);
	es_buf_init(&yaml, es_mem_default());
	for (int i = 0; i < 5000; i++) {
		struct es_arena arena;
		struct es_json value;

		es_arena_init(&arena, es_mem_default(), 4096);
		value = json_random_value(&rng, &arena, (unsigned)i % 6);
		if (!same(&value, &yaml))
			fail_msg("value %d of seed %llu", i, (unsigned long long)seed);
		es_arena_close(&arena);
	}
	es_buf_close(&yaml);
}

/* Texts of what means something to YAML. */
static void hard_texts_are_read_back(void **state)
{
	static const char *const parts[] = {"a",
					    " ",
					    "\n",
					    "\t",
					    ":",
					    "#",
					    "-",
					    "'",
					    "\"",
					    "\\",
					    "|",
					    ">",
					    "%",
					    "0",
					    "1",
					    ".",
					    "e",
					    "_",
					    "x",
					    "~",
					    "[",
					    "{",
					    ",",
					    "?",
					    "&",
					    "*",
					    "!",
					    "y",
					    "no",
					    "\r",
					    "\xc2\x85",
					    "\xe2\x80\xa8",
					    "\xef\xbb\xbf",
					    "---",
					    "  "};
	const uint64_t seed = 5;
	struct es_rng rng;
	struct es_buf yaml, text;

	(void)state;
	es_rng_init(&rng, seed);
	es_buf_init(&yaml, es_mem_default());
	es_buf_init(&text, es_mem_default());
	for (int i = 0; i < 20000; i++) {
		struct es_json_member *members;
		struct es_json value;
		struct es_arena arena;

		text.len = 0;
		for (uint64_t n = es_rng_below(&rng, 8); n > 0; n--)
			assert_int_equal(
				es_buf_append_str(&text,
						  parts[es_rng_below(&rng, ES_ARRAY_LEN(parts))]),
				0);
		es_arena_init(&arena, es_mem_default(), 4096);
		members = es_arena_calloc(&arena, 1, sizeof(*members));
		members[0] = (struct es_json_member){es_buf_slice(&text),
						     es_json_string(es_buf_slice(&text))};
		value = es_json_object_of(members, 1);
		if (!same(&value, &yaml))
			fail_msg("text %d of seed %llu", i, (unsigned long long)seed);
		es_arena_close(&arena);
	}
	es_buf_close(&text);
	es_buf_close(&yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_what_yaml_1_1_says),
		cmocka_unit_test(containers_and_documents),
		cmocka_unit_test(where_documents_begin),
		cmocka_unit_test(anchors_and_merges),
		cmocka_unit_test(what_aliases_stand_for_is_bounded),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(memory_may_end_anywhere),
		cmocka_unit_test(the_form_of_what_is_written),
		cmocka_unit_test(what_is_quoted),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(hard_texts_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
