#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/resource_store.pb-c.h"
#include "wire/transcode.h"

static const char *const json_fields[] = {"value", NULL};
static const struct es_wire_json_options options = {json_fields, true};
static const ProtobufCMessageDescriptor *const put = &engenho__v1__put_request__descriptor;

static char errmsg[200];

static int there_and_back(const struct es_mem *mem, const char *text, struct es_buf *json)
{
	struct es_slice bytes = es_slice(NULL, 0);
	struct es_arena arena;
	int rc;

	errmsg[0] = '\0';
	es_arena_init(&arena, mem, 256);
	rc = es_wire_from_json(put, es_slice_str(text), &options, &arena, &bytes, errmsg,
			       sizeof(errmsg));
	if (rc == 0)
		rc = es_wire_to_json(put, bytes, &options, json);
	es_arena_close(&arena);
	return rc;
}

static void expect(const char *text, const char *expected)
{
	struct es_buf json;

	es_buf_init(&json, es_mem_default());
	assert_int_equal(there_and_back(es_mem_default(), text, &json), 0);
	if (!es_slice_eq(es_buf_slice(&json), es_slice_str(expected)))
		fail_msg("%s gives %.*s", text, (int)json.len, (const char *)json.data);
	es_buf_close(&json);
}

static void json_and_back(void **state)
{
	(void)state;
	expect("{\"key\": {\"kind\": \"Pod\", \"name\": \"a\"}, \"value\": {\"b\": [1, 2.50]}}",
	       "{\"key\":{\"kind\":\"Pod\",\"name\":\"a\"},\"value\":{\"b\":[1,2.5]},"
	       "\"reason\":\"OPERATOR\"}");
}

static void nothing_is_a_message_with_nothing_set(void **state)
{
	(void)state;
	expect("", "{\"reason\":\"OPERATOR\"}");
	expect(" \r\n\t", "{\"reason\":\"OPERATOR\"}");
	expect("{}", "{\"reason\":\"OPERATOR\"}");
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *errmsg;
	} cases[] = {
		{"{\"key\": }", "not JSON: expected a value at byte 8"},
		{"{}x", NULL},
		{"[]", "expected an object"},
		{"{\"key\":{\"name\":1}}", "key.name: expected a string"},
		{"{\"nmae\":1}", "unknown field \"nmae\""},
	};
	struct es_buf json;

	(void)state;
	es_buf_init(&json, es_mem_default());
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(there_and_back(es_mem_default(), cases[i].text, &json),
				 ES_EDECODE);
		if (cases[i].errmsg != NULL)
			assert_string_equal(errmsg, cases[i].errmsg);
		assert_true(errmsg[0] != '\0');
	}
	assert_int_equal(json.len, 0);
	es_buf_close(&json);
}

static void what_is_no_message_leaves_the_text_alone(void **state)
{
	struct es_buf json;

	(void)state;
	es_buf_init(&json, es_mem_default());
	assert_int_equal(es_buf_append_str(&json, "text"), 0);
	assert_int_equal(es_wire_to_json(put, ES_SLICE("\xff"), &options, &json), ES_ENOMEM);
	assert_true(es_slice_eq(es_buf_slice(&json), ES_SLICE("text")));
	es_buf_close(&json);
}

static void memory_may_run_out_anywhere(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_buf json;
		int rc;

		es_fault_mem_init(&fault, n);
		es_buf_init(&json, &fault.mem);
		rc = there_and_back(&fault.mem, "{\"key\":{\"name\":\"a\"},\"value\":[1]}", &json);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_buf_close(&json);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_and_back),
		cmocka_unit_test(nothing_is_a_message_with_nothing_set),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(what_is_no_message_leaves_the_text_alone),
		cmocka_unit_test(memory_may_run_out_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
