#include "json_support.h"

#include "base/rng.h"
#include "resource/patch.h"

#define COPIES_MAX 100000

static struct es_arena arena;

static int open_arena(void **state)
{
	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	es_arena_close(&arena);
	return 0;
}

static int apply(const struct es_json *target, const struct es_json *patch,
		 struct es_json *ret_result, char *errmsg, size_t errmsg_size)
{
	errmsg[0] = '\0';
	return es_patch_json(target, patch, COPIES_MAX, &arena, ret_result, errmsg, errmsg_size);
}

/* ---- published cases -------------------------------------------------------------------- */

struct counts {
	unsigned applied, refused, disabled;
};

static void run_case(const struct es_json *test, struct counts *counts)
{
	const struct es_json *doc = es_json_get(test, "doc"), *patch = es_json_get(test, "patch");
	const struct es_json *expected = es_json_get(test, "expected");
	struct es_slice comment = es_json_as_string(es_json_get(test, "comment"));
	struct es_json result;
	char errmsg[200];
	int rc;

	assert_non_null(doc);
	assert_non_null(patch);
	rc = apply(doc, patch, &result, errmsg, sizeof(errmsg));
	if (es_json_get(test, "error") != NULL) {
		if (rc != ES_EINVAL || errmsg[0] == '\0')
			fail_msg("not refused: %.*s", (int)comment.len, (const char *)comment.data);
		counts->refused++;
		return;
	}
	if (rc != 0)
		fail_msg("%.*s: %s", (int)comment.len, (const char *)comment.data, errmsg);
	if (expected != NULL)
		assert_true(es_json_eq(&result, expected));
	counts->applied++;
}

static void run_file(const char *name, unsigned applied, unsigned refused, unsigned disabled)
{
	struct es_slice text = read_data(&arena, name);
	struct es_json tests;
	struct es_json_error error;
	struct counts counts = {0};

	assert_int_equal(es_json_parse(text, ES_JSON_DEPTH_MAX, &arena, &tests, &error), 0);
	assert_int_equal(tests.type, ES_JSON_ARRAY);
	for (uint32_t i = 0; i < tests.count; i++) {
		const struct es_json *off = es_json_get(&tests.u.items[i], "disabled");

		if (es_json_is(off, ES_JSON_BOOL) && off->u.boolean)
			counts.disabled++;
		else
			run_case(&tests.u.items[i], &counts);
	}
	assert_int_equal(counts.applied, applied);
	assert_int_equal(counts.refused, refused);
	assert_int_equal(counts.disabled, disabled);
}

static void published_cases(void **state)
{
	(void)state;
	run_file("json-patch/tests.json", 56, 19, 3);
	run_file("json-patch/spec_tests.json", 12, 4, 1);
}

/* ---- our own ---------------------------------------------------------------------------- */

struct example {
	const char *target, *patch, *result; /* `result` begins with "!": the reason of a refusal */
};

static void run_examples(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct es_json target = json(&arena, examples[i].target);
		struct es_json patch = json(&arena, examples[i].patch), result;
		char errmsg[200];
		int rc = apply(&target, &patch, &result, errmsg, sizeof(errmsg));

		if (examples[i].result[0] == '!') {
			assert_string_equal(errmsg, examples[i].result + 1);
			assert_int_equal(rc, ES_EINVAL);
		} else {
			assert_string_equal(errmsg, "");
			assert_int_equal(rc, 0);
			assert_json(&result, examples[i].result);
		}
	}
}

static void refusals_say_what_and_why(void **state)
{
	static const struct example examples[] = {
		{"{}", "{}", "!a JSON patch is an array of operations, not object"},
		{"{}", "[1]", "!operation 0 (?): not an object"},
		{"{}", "[{}]",
		 "!operation 0 (?): \"op\" is none of add, copy, move, remove, replace, test"},
		{"{}", "[{'op':'add','value':1}]",
		 "!operation 0 (add): \"path\" is missing or not a string"},
		{"{}", "[{'op':'add','path':1,'value':1}]",
		 "!operation 0 (add): \"path\" is missing or not a string"},
		{"{}", "[{'op':'add','path':'/a'}]", "!operation 0 (add): \"value\" is missing"},
		{"{}", "[{'op':'move','path':'/a'}]",
		 "!operation 0 (move): \"from\" is missing or not a string"},
		{"{}", "[{'op':'test','path':'','value':{}},{'op':'remove','path':'/a/b'}]",
		 "!operation 1 (remove): there is nothing at \"/a/b\""},
		{"{'a':1}", "[{'op':'replace','path':'/a/b','value':1}]",
		 "!operation 0 (replace): there is nothing at \"/a/b\""},
		{"{'a':1}", "[{'op':'add','path':'/a/b','value':1}]",
		 "!operation 0 (add): neither object nor array is around what would be at "
		 "\"/a/b\""},
		{"{}", "[{'op':'add','path':'a','value':1}]",
		 "!operation 0 (add): a pointer that does not begin with '/' at \"a\""},
		{"{}", "[{'op':'add','path':'/~2','value':1}]",
		 "!operation 0 (add): '~' that is no escape at \"/~2\""},
		{"{}", "[{'op':'add','path':'/~','value':1}]",
		 "!operation 0 (add): '~' that is no escape at \"/~\""},
		{"[1]", "[{'op':'add','path':'/2','value':1}]",
		 "!operation 0 (add): no item can be added at \"/2\""},
		{"[1]", "[{'op':'replace','path':'/-','value':1}]",
		 "!operation 0 (replace): there is nothing at \"/-\""},
		{"[1]", "[{'op':'test','path':'/99999999999','value':1}]",
		 "!operation 0 (test): there is nothing at \"/99999999999\""},
		{"[1]", "[{'op':'remove','path':'/4294967296'}]",
		 "!operation 0 (remove): there is nothing at \"/4294967296\""},
		{"{'a':1}", "[{'op':'test','path':'/a','value':'1'}]",
		 "!operation 0 (test): another value is at \"/a\""},
		{"{'a':{}}", "[{'op':'move','from':'/a','path':'/a/b'}]",
		 "!operation 0 (move): what would move into itself is at \"/a\""},
		{"{'a':{}}", "[{'op':'move','from':'','path':'/a'}]",
		 "!operation 0 (move): what would move into itself is at \"\""},
	};

	(void)state;
	run_examples(examples, ES_ARRAY_LEN(examples));
}

static void corners(void **state)
{
	static const struct example examples[] = {
		/* Numbers are equal when their values are. */
		{"{'a':1}", "[{'op':'test','path':'/a','value':1.0}]", "{'a':1}"},
		{"{'a':1e2}", "[{'op':'test','path':'/a','value':100}]", "{'a':100.0}"},
		{"{'a':-0.0}", "[{'op':'test','path':'/a','value':0}]", "{'a':-0.0}"},
		{"[18446744073709551615]",
		 "[{'op':'test','path':'/0','value':18446744073709551616}]",
		 "!operation 0 (test): another value is at \"/0\""},
		{"[9007199254740993]", "[{'op':'test','path':'/0','value':9007199254740992.0}]",
		 "!operation 0 (test): another value is at \"/0\""},
		{"[9223372036854775808]",
		 "[{'op':'test','path':'/0','value':9223372036854775808.0}]",
		 "[9223372036854775808]"},
		{"[-9223372036854775808]",
		 "[{'op':'test','path':'','value':[-9223372036854775808.0]}]",
		 "[-9223372036854775808]"},
		/* Copies are copies. */
		{"{'a':{'b':1}}",
		 "[{'op':'add','path':'/a/c','value':2},{'op':'copy','from':'/a','path':'/d'},"
		 "{'op':'replace','path':'/a/c','value':3},{'op':'remove','path':'/d/b'}]",
		 "{'a':{'b':1,'c':3},'d':{'c':2}}"},
		{"{'a':[1]}",
		 "[{'op':'copy','from':'','path':'/a/0'},{'op':'add','path':'/a/0/x','value':1}]",
		 "{'a':[{'a':[1],'x':1},1]}"},
		/* A value of the patch that is used and changed twice. */
		{"{}",
		 "[{'op':'add','path':'/a','value':{'x':[]}},{'op':'add','path':'/a/x/"
		 "-','value':1},"
		 "{'op':'test','path':'/a','value':{'x':[1]}}]",
		 "{'a':{'x':[1]}}"},
		{"{'a':1}", "[{'op':'move','from':'/a','path':'/a'}]", "{'a':1}"},
		{"{'a':1,'b':2}", "[{'op':'move','from':'/a','path':'/b'}]", "{'b':1}"},
		{"[1,2,3]", "[{'op':'move','from':'/0','path':'/2'}]", "[2,3,1]"},
		{"[1,2,3]", "[{'op':'move','from':'/2','path':'/0'}]", "[3,1,2]"},
		{"[1]", "[{'op':'move','from':'/0','path':'/1'}]",
		 "!operation 0 (move): no item can be added at \"/1\""},
		{"{'a':{'b':{'c':1}}}", "[{'op':'move','from':'/a/b','path':''}]", "{'c':1}"},
		{"{'a':1}", "[{'op':'move','from':'','path':''}]", "{'a':1}"},
		{"{'':{'/':{'~1':1}}}", "[{'op':'remove','path':'//~1/~01'}]", "{'':{'/':{}}}"},
		{"1", "[{'op':'replace','path':'','value':[]}]", "[]"},
		/* Nothing says what is left of a document without itself. */
		{"{'a':1}", "[{'op':'remove','path':''}]", "null"},
		{"{'a':1}", "[{'op':'remove','path':''},{'op':'add','path':'','value':1}]", "1"},
		{"{'b':1}",
		 "[{'op':'add','path':'/c','value':1},{'op':'add','path':'/a','value':1},"
		 "{'op':'add','path':'/bb','value':1},{'op':'add','path':'/b','value':0}]",
		 "{'a':1,'b':0,'bb':1,'c':1}"},
		/* Refused in the end: nothing of it happens. */
		{"{'a':1}", "[{'op':'remove','path':'/a'},{'op':'test','path':'/a','value':1}]",
		 "!operation 1 (test): there is nothing at \"/a\""},
	};

	(void)state;
	run_examples(examples, ES_ARRAY_LEN(examples));
}

/* The document is never deeper than what can be read. */
static void depth_is_bounded(void **state)
{
	struct es_json target = nested(&arena, ES_JSON_DEPTH_MAX), patch, result;
	char path[2 * ES_JSON_DEPTH_MAX + 4], text[600], errmsg[200];

	(void)state;
	for (int i = 0; i < 2 * (ES_JSON_DEPTH_MAX - 1); i++)
		path[i] = i % 2 == 0 ? '/' : '0';
	path[2 * (ES_JSON_DEPTH_MAX - 1)] = '\0';
	(void)snprintf(text, sizeof(text), "[{'op':'add','path':'%s/-','value':1}]", path);
	patch = json(&arena, text);
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), 0);
	(void)snprintf(text, sizeof(text), "[{'op':'add','path':'%s/-','value':[]}]", path);
	patch = json(&arena, text);
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_non_null(strstr(errmsg, "nested too deep at"));
	(void)snprintf(text, sizeof(text), "[{'op':'test','path':'%s/0/0','value':1}]", path);
	patch = json(&arena, text);
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_non_null(strstr(errmsg, "nothing is that deep at"));
	/* By copies and by moves. */
	target = nested(&arena, ES_JSON_DEPTH_MAX);
	patch = json(&arena, "[{'op':'copy','from':'','path':'/-'}]");
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "operation 0 (copy): nested too deep at \"/-\"");
	patch = json(&arena, "[{'op':'add','path':'/-','value':[[]]},"
			     "{'op':'move','from':'/0','path':'/0/0/-'}]");
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
}

static void cost_is_bounded(void **state)
{
	struct es_json target = json(&arena, "{'a':[1,2,3,4,5,6,7,8,9,10]}"), patch, result;
	struct es_json *operations = es_arena_calloc(&arena, 10001, sizeof(*operations));
	char errmsg[200];

	(void)state;
	assert_non_null(operations);
	for (int i = 0; i < 10001; i++)
		operations[i] = json(&arena, "{'op':'copy','from':'/a','path':'/a/-'}");
	patch = (struct es_json){ES_JSON_ARRAY, 40, {.items = operations}};
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_non_null(strstr(errmsg, "the patch copies or moves too much"));
	patch.count = 5;
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), 0);
	patch.count = 10001;
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "10001 operations, at most 10000 are allowed");
}

/* A large array from which 10,000 items are taken at the front. */
static void moving_about_is_bounded(void **state)
{
	struct es_json *operations = es_arena_calloc(&arena, 10000, sizeof(*operations));
	struct es_json *items = es_arena_calloc(&arena, 100000, sizeof(*items));
	struct es_json target = {ES_JSON_ARRAY, 100000, {.items = items}}, patch, result;
	char errmsg[200];

	(void)state;
	assert_non_null(operations);
	assert_non_null(items);
	for (int i = 0; i < 10000; i++)
		operations[i] = json(&arena, "{'op':'remove','path':'/0'}");
	patch = (struct es_json){ES_JSON_ARRAY, 600, {.items = operations}};
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(result.count, 100000 - 600);
	patch.count = 10000;
	assert_int_equal(apply(&target, &patch, &result, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_non_null(strstr(errmsg, "(remove): the patch moves too much"));
}

/* ---- against a model -------------------------------------------------------------------- */

/* add, remove and replace once more, with a new member list for each, as es_json_set makes them. */
static bool model_step(struct es_json *value, const char *path, const char *op,
		       const struct es_json *new_value)
{
	struct es_slice token;
	const char *next = strchr(path + 1, '/');
	struct es_json child;

	token = next == NULL ? es_slice_str(path + 1)
			     : es_slice(path + 1, (size_t)(next - path - 1));
	token = quoted(&arena, token.data[0] == 'a' ? "a" : token.data[0] == 'b' ? "b" : "c");
	if (value->type != ES_JSON_OBJECT)
		return false;
	if (next != NULL) {
		const struct es_json *found = es_json_get_slice(value, token);

		if (found == NULL)
			return false;
		child = *found;
		return model_step(&child, next, op, new_value) &&
		       es_json_set(&arena, value, token, &child, value) == 0;
	}
	if (strcmp(op, "add") != 0 && es_json_get_slice(value, token) == NULL)
		return false;
	if (strcmp(op, "remove") == 0)
		return es_json_remove(&arena, value, token, value) == 0;
	return es_json_set(&arena, value, token, new_value, value) == 0;
}

static void as_a_model_has_it(void **state)
{
	static const char *const ops[] = {"add", "remove", "replace"};
	static const char *const values[] = {"1", "{}", "{'a':{'b':{}}}", "{'c':2}"};
	struct es_rng rng;
	unsigned applied = 0, refused = 0;

	(void)state;
	es_rng_init(&rng, 6902);
	for (int n = 0; n < 20000; n++) {
		struct es_json target = json(&arena, "{'a':{'a':{},'b':{'c':1}},'b':{},'c':3}");
		struct es_json model = target, patch, result;
		char text[2000] = "[", path[16], errmsg[200];
		uint64_t count = 1 + es_rng_below(&rng, 6);
		bool good = true;
		int rc;

		for (uint64_t i = 0; i < count; i++) {
			const char *op = ops[es_rng_below(&rng, 3)];
			const char *value = values[es_rng_below(&rng, ES_ARRAY_LEN(values))];
			struct es_json new_value = json(&arena, value);
			uint64_t depth = 1 + es_rng_below(&rng, 3);
			size_t len = strlen(text);

			for (uint64_t d = 0; d < depth; d++) {
				path[2 * d] = '/';
				path[2 * d + 1] = (char)('a' + es_rng_below(&rng, 3));
			}
			path[2 * depth] = '\0';
			(void)snprintf(text + len, sizeof(text) - len,
				       "%s{'op':'%s','path':'%s','value':%s}", i == 0 ? "" : ",",
				       op, path, value);
			good = good && model_step(&model, path, op, &new_value);
		}
		(void)snprintf(text + strlen(text), 2, "]");
		patch = json(&arena, text);
		rc = apply(&target, &patch, &result, errmsg, sizeof(errmsg));
		if ((rc == 0) != good || (good && !es_json_eq(&result, &model)))
			fail_msg("%s: %s", text, errmsg);
		applied += good;
		refused += !good;
		es_arena_reset(&arena);
	}
	assert_true(applied > 1000);
	assert_true(refused > 1000);
}

static void memory_runs_out(void **state)
{
	struct es_json target = json(&arena, "{'a':{'b':[1,2]},'c':{}}");
	struct es_json patch = json(&arena, "[{'op':'add','path':'/a/b/-','value':[]},"
					    "{'op':'copy','from':'/a','path':'/c/~1'},"
					    "{'op':'add','path':'/a/b/2/-','value':1},"
					    "{'op':'add','path':'/a/b/0','value':1},"
					    "{'op':'add','path':'/a/b/0','value':1},"
					    "{'op':'add','path':'/a/b/0','value':1},"
					    "{'op':'add','path':'/a/b/0','value':1},"
					    "{'op':'move','from':'/c','path':'/d'}]");
	uint64_t at;

	(void)state;
	for (at = 0;; at++) {
		struct es_fault_mem fault;
		struct es_arena tight;
		struct es_json result;
		char errmsg[200] = "";
		int rc;

		es_fault_mem_init(&fault, at);
		es_arena_init(&tight, &fault.mem, 1);
		rc = es_patch_json(&target, &patch, COPIES_MAX, &tight, &result, errmsg,
				   sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		if (rc == 0)
			assert_json(&result,
				    "{'a':{'b':[1,1,1,1,1,2,[1]]},'d':{'/':{'b':[1,2,[]]}}}");
		es_arena_close(&tight);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	assert_true(at > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_cases),   cmocka_unit_test(refusals_say_what_and_why),
		cmocka_unit_test(corners),           cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(cost_is_bounded),   cmocka_unit_test(moving_about_is_bounded),
		cmocka_unit_test(as_a_model_has_it), cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
