#include "json_support.h"

#include "resource/patch.h"

static void examples_of_the_rfc(void **state)
{
	/* RFC 7396, appendix A, and the example of its section 3. */
	static const struct {
		const char *target, *patch, *result;
	} cases[] = {
		{"{'a':'b'}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}"},
		{"{'a':'b'}", "{'a':null}", "{}"},
		{"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}"},
		{"{'a':['b']}", "{'a':'c'}", "{'a':'c'}"},
		{"{'a':'c'}", "{'a':['b']}", "{'a':['b']}"},
		{"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}"},
		{"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}"},
		{"['a','b']", "['c','d']", "['c','d']"},
		{"{'a':'b'}", "['c']", "['c']"},
		{"{'a':'foo'}", "null", "null"},
		{"{'a':'foo'}", "'bar'", "'bar'"},
		{"{'e':null}", "{'a':1}", "{'a':1,'e':null}"},
		{"[1,2]", "{'a':'b','c':null}", "{'a':'b'}"},
		{"{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}"},
		{"{'title':'Goodbye!','author':{'givenName':'John','familyName':'Doe'},"
		 "'tags':['example','sample'],'content':'This will be unchanged'}",
		 "{'title':'Hello!','phoneNumber':'+01-123-456-7890','author':{'familyName':null},"
		 "'tags':['example']}",
		 "{'author':{'givenName':'John'},'content':'This will be unchanged',"
		 "'phoneNumber':'+01-123-456-7890','tags':['example'],'title':'Hello!'}"},
		/* Nulls in what is put whole stay in arrays only. */
		{"{'a':1}", "{'a':{'b':null,'c':[null,{'d':null}]}}",
		 "{'a':{'c':[null,{'d':null}]}}"},
	};
	struct es_arena arena;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_json target = json(&arena, cases[i].target);
		struct es_json patch = json(&arena, cases[i].patch), result;

		assert_int_equal(es_patch_merge(&target, &patch, &arena, &result), 0);
		assert_json(&result, cases[i].result);
	}
	es_arena_close(&arena);
}

static void nothing_as_a_target(void **state)
{
	struct es_arena arena;
	struct es_json patch, result;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	patch = json(&arena, "{'a':null,'b':{'c':null}}");
	assert_int_equal(es_patch_merge(NULL, &patch, &arena, &result), 0);
	assert_json(&result, "{'b':{}}");
	es_arena_close(&arena);
}

static void as_deep_as_texts_may_be(void **state)
{
	struct es_arena arena;
	struct es_json patch = es_json_int(1), result;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	for (int i = 0; i < ES_JSON_DEPTH_MAX; i++) {
		struct es_json_member *member = es_arena_alloc(&arena, sizeof(*member));

		assert_non_null(member);
		*member = (struct es_json_member){ES_SLICE("a"), patch};
		patch = es_json_object_of(member, 1);
	}
	assert_int_equal(es_patch_merge(&patch, &patch, &arena, &result), 0);
	assert_true(es_json_eq(&result, &patch));
	es_arena_close(&arena);
}

static void memory_runs_out(void **state)
{
	(void)state;
	for (uint64_t at = 0;; at++) {
		struct es_arena values, arena;
		struct es_fault_mem fault;
		struct es_json target, patch, result;
		int rc;

		es_arena_init(&values, es_mem_default(), 4096);
		target = json(&values, "{'a':{'b':1},'c':2}");
		patch = json(&values, "{'a':{'d':{'e':1}}}");
		es_fault_mem_init(&fault, at);
		es_arena_init(&arena, &fault.mem, 1);
		rc = es_patch_merge(&target, &patch, &arena, &result);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&arena);
		es_arena_close(&values);
		assert_int_equal(fault.live, 0);
		if (!fault.fired) {
			assert_int_equal(at, 3);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(nothing_as_a_target),
		cmocka_unit_test(as_deep_as_texts_may_be),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
