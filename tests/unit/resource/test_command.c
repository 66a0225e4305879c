#include "json_support.h"

#include "resource/command.h"

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

#define KEY "{'group':'','version':'v1','kind':'Pod','namespace':null,'name':'a'}"

static void names(void **state)
{
	enum es_resource_reason reason;
	enum es_resource_patch_type type;

	(void)state;
	for (int i = ES_RESOURCE_OPERATOR; i <= ES_RESOURCE_SCHEDULER; i++) {
		const char *name = es_resource_reason_name((enum es_resource_reason)i);

		assert_true(es_resource_reason_parse(es_slice_str(name), &reason));
		assert_int_equal(reason, i);
	}
	assert_string_equal(es_resource_reason_name(ES_RESOURCE_GARBAGE_COLLECTOR),
			    "garbage_collector");
	assert_false(es_resource_reason_parse(ES_SLICE("Operator"), &reason));
	assert_false(es_resource_reason_parse(ES_SLICE(""), &reason));
	for (int i = ES_RESOURCE_PATCH_MERGE; i <= ES_RESOURCE_PATCH_APPLY; i++) {
		const char *name = es_resource_patch_type_name((enum es_resource_patch_type)i);

		assert_true(es_resource_patch_type_parse(es_slice_str(name), &type));
		assert_int_equal(type, i);
	}
	assert_false(es_resource_patch_type_parse(ES_SLICE("merge "), &type));
}

/* ---- encoding --------------------------------------------------------------------------- */

static void decode(struct es_slice text, struct es_resource_command *ret_command)
{
	char errmsg[200] = "";

	if (es_resource_command_decode(text, &arena, ret_command, errmsg, sizeof(errmsg)) != 0)
		fail_msg("%.*s: %s", (int)text.len, (const char *)text.data, errmsg);
}

/* What is written is the canonical form, and reads back as the same. */
static void check_text(struct es_slice text, struct es_slice expected)
{
	struct es_resource_command command;
	struct es_buf buf;

	es_buf_init(&buf, es_mem_default());
	decode(text, &command);
	assert_int_equal(es_resource_command_encode(&buf, &command), 0);
	if (!es_slice_eq(es_buf_slice(&buf), expected))
		fail_msg("%.*s\nis not\n%.*s", (int)buf.len, (const char *)buf.data,
			 (int)expected.len, (const char *)expected.data);
	es_buf_close(&buf);
}

static void commands_to_text_and_back(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: the same */
	} cases[] = {
		{"{'kind':'put','key':" KEY ",'value':{'a':1},'reason':'operator'}", NULL},
		{" {'reason':'admission','expected':7,'value':null,'key':{'name':'a','version':'v1'"
		 ","
		 "'x':1,'group':'','kind':'Pod'},'kind':'put','patch':3} ",
		 "{'kind':'put','key':" KEY ",'value':null,'expected':7,'reason':'admission'}"},
		{"{'kind':'put','key':" KEY ",'value':1,'expected':18446744073709551615,"
		 "'reason':'operator'}",
		 "{'kind':'put','key':" KEY ",'value':1,'expected':9223372036854775807,"
		 "'reason':'operator'}"},
		{"{'kind':'patch','key':" KEY ",'patch':{},'reason':'controller'}",
		 "{'kind':'patch','key':" KEY
		 ",'patch':{},'patch_type':'merge','reason':'controller'}"},
		{"{'kind':'patch','key':" KEY ",'patch':[],'patch_type':'json','apply':null,"
		 "'expected':null,'reason':'controller'}",
		 "{'kind':'patch','key':" KEY
		 ",'patch':[],'patch_type':'json','reason':'controller'}"},
		{"{'kind':'patch','key':" KEY ",'patch':{},'patch_type':'apply','apply':"
		 "{'manager':'m','force':true,'time':'t'},'expected':1,'reason':'scheduler'}",
		 NULL},
		{"{'kind':'patch','key':" KEY ",'patch':{},'patch_type':'apply','apply':"
		 "{'manager':'m'},'reason':'scheduler'}",
		 "{'kind':'patch','key':" KEY ",'patch':{},'patch_type':'apply','apply':"
		 "{'manager':'m','force':false,'time':''},'reason':'scheduler'}"},
		{"{'kind':'delete','key':" KEY
		 ",'expected':3,'reason':'operator','deletion_timestamp':'t'}",
		 NULL},
		{"{'kind':'delete','key':" KEY ",'reason':'operator','deletion_timestamp':''}",
		 NULL},
		{"{'kind':'delete','key':" KEY ",'reason':'operator','deletion_timestamp':null}",
		 "{'kind':'delete','key':" KEY ",'reason':'operator'}"},
		{"{'kind':'txn','compares':[],'success':[],'failure':[],'reason':'operator'}",
		 NULL},
		{"{'kind':'txn','compares':[{'cmp':'mod_revision_eq','key':" KEY
		 ",'revision':4},{'cmp':'not_exists','key':" KEY
		 "}],'success':[{'op':'put','key':" KEY ",'value':[1]},{'op':'delete','key':" KEY
		 ",'deletion_timestamp':'t'}],'failure':[{'op':'delete','key':" KEY
		 "}],'reason':'operator'}",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		const char *canonical = cases[i].canonical;

		check_text(quoted(&arena, cases[i].text),
			   quoted(&arena, canonical == NULL ? cases[i].text : canonical));
		if (canonical != NULL)
			check_text(quoted(&arena, canonical), quoted(&arena, canonical));
	}
}

static void absent_is_not_empty(void **state)
{
	struct es_resource_command command;

	(void)state;
	decode(quoted(&arena, "{'kind':'delete','key':" KEY ",'reason':'operator'}"), &command);
	assert_null(command.deletion_timestamp.data);
	assert_false(command.has_expected);
	decode(quoted(&arena, "{'kind':'delete','key':" KEY
			      ",'reason':'operator','deletion_timestamp':'','expected':0}"),
	       &command);
	assert_non_null(command.deletion_timestamp.data);
	assert_true(command.has_expected && command.expected == 0);
}

static void mistakes_are_told(void **state)
{
	static const struct {
		const char *text, *errmsg;
	} cases[] = {
		{"", "at byte 0: "},
		{"{'kind':'put'", "at byte 13: "},
		{"{} {}", "at byte 3: "},
		{"[]", "expected an object, not array"},
		{"{}", "kind: expected a string"},
		{"{'kind':'puts'}", "kind: expected put, patch, delete or txn"},
		{"{'kind':'put'}", "reason: expected a string"},
		{"{'kind':'put','reason':'me'}", "reason: expected operator, controller, "
						 "garbage_collector, admission or scheduler"},
		{"{'kind':'put','reason':'operator'}", "key: missing"},
		{"{'kind':'put','reason':'operator','key':[]}", "key: expected an object"},
		{"{'kind':'put','reason':'operator','key':{'group':''}}",
		 "key: version: expected a string"},
		{"{'kind':'put','reason':'operator','key':" KEY "}", "value: missing"},
		{"{'kind':'put','reason':'operator','value':1,'expected':1.0,'key':" KEY "}",
		 "expected: expected an integer"},
		{"{'kind':'patch','reason':'operator','key':" KEY "}", "patch: missing"},
		{"{'kind':'patch','reason':'operator','patch':1,'patch_type':'x','key':" KEY "}",
		 "patch_type: expected merge, json, strategic or apply"},
		{"{'kind':'patch','reason':'operator','patch':1,'apply':1,'key':" KEY "}",
		 "apply: expected an object or null"},
		{"{'kind':'patch','reason':'operator','patch':1,'apply':{'force':1},'key':" KEY "}",
		 "apply.force: expected true or false"},
		{"{'kind':'patch','reason':'operator','patch':1,'apply':{'manager':1},'key':" KEY
		 "}",
		 "apply.manager: expected a string"},
		{"{'kind':'patch','reason':'operator','patch':1,'apply':{'time':1},'key':" KEY "}",
		 "apply.time: expected a string"},
		{"{'kind':'delete','reason':'operator','deletion_timestamp':1,'key':" KEY "}",
		 "deletion_timestamp: expected a string"},
		{"{'kind':'txn','reason':'operator'}", "compares: expected an array"},
		{"{'kind':'txn','reason':'operator','compares':[]}", "success: expected an array"},
		{"{'kind':'txn','reason':'operator','compares':[],'success':[]}",
		 "failure: expected an array"},
		{"{'kind':'txn','reason':'operator','compares':[1]}",
		 "compares[0].cmp: expected a string"},
		{"{'kind':'txn','reason':'operator','compares':[{'cmp':'x'}]}",
		 "compares[0].cmp: expected mod_revision_eq or not_exists"},
		{"{'kind':'txn','reason':'operator','compares':[{'cmp':'not_exists'}]}",
		 "compares[0].key: missing"},
		{"{'kind':'txn','reason':'operator','compares':[{'cmp':'mod_revision_eq','key':" KEY
		 "}]}",
		 "compares[0].revision: expected an integer"},
		{"{'kind':'txn','reason':'operator','compares':[],'success':[{'op':'put','key':" KEY
		 ",'value':1},{'op':'put','key':" KEY "}]}",
		 "success[1].value: missing"},
		{"{'kind':'txn','reason':'operator','compares':[],'success':[],'failure':["
		 "{'op':'delete','key':" KEY ",'deletion_timestamp':{}}]}",
		 "failure[0].deletion_timestamp: expected a string"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_resource_command command;
		char errmsg[200] = "";

		assert_int_equal(es_resource_command_decode(quoted(&arena, cases[i].text), &arena,
							    &command, errmsg, sizeof(errmsg)),
				 ES_EDECODE);
		if (strncmp(errmsg, cases[i].errmsg, strlen(cases[i].errmsg)) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, errmsg, cases[i].errmsg);
	}
}

/* What is written is never too deep to be read. */
static void depth(void **state)
{
	struct es_resource_op op = {.kind = ES_RESOURCE_OP_PUT};
	struct es_resource_command put = {.kind = ES_RESOURCE_PUT};
	struct es_resource_command txn = {
		.kind = ES_RESOURCE_TXN, .success_count = 1, .success = &op};
	struct es_resource_command back;
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	put.value = nested(&arena, ES_JSON_DEPTH_MAX - 1);
	assert_int_equal(es_resource_command_encode(&buf, &put), 0);
	decode(es_buf_slice(&buf), &back);
	assert_true(es_json_eq(&put.value, &back.value));
	buf.len = 0;
	op.value = nested(&arena, ES_JSON_DEPTH_MAX - 3);
	assert_int_equal(es_resource_command_encode(&buf, &txn), 0);
	decode(es_buf_slice(&buf), &back);
	buf.len = 0;
	put.value = nested(&arena, ES_JSON_DEPTH_MAX);
	assert_int_equal(es_resource_command_encode(&buf, &put), ES_EINVAL);
	put.kind = ES_RESOURCE_PATCH;
	assert_int_equal(es_resource_command_encode(&buf, &put), ES_EINVAL);
	op.value = nested(&arena, ES_JSON_DEPTH_MAX - 2);
	assert_int_equal(es_resource_command_encode(&buf, &txn), ES_EINVAL);
	assert_int_equal(buf.len, 0);
	es_buf_close(&buf);
}

static void rules_v0(void **state)
{
	struct es_slice text = quoted(&arena, "{'kind':'put','key':" KEY
					      ",'value':[1e-214,-0],'reason':'operator'}");
	struct es_resource_command command;
	char errmsg[200] = "";

	(void)state;
	assert_int_equal(
		es_resource_command_decode_v0(text, &arena, &command, errmsg, sizeof(errmsg)), 0);
	assert_json(&command.value, "[1.0000000000000001e-214,-0.0]");
	decode(text, &command);
	assert_json(&command.value, "[1e-214,-0.0]");
	text = quoted(&arena,
		      "{'kind':'txn','compares':[],'success':[],'failure':[],'reason':'operator'}");
	assert_int_equal(
		es_resource_command_decode_v0(text, &arena, &command, errmsg, sizeof(errmsg)),
		ES_EDECODE);
	assert_string_equal(errmsg, "kind: rules v0 have no txn");
}

/* Every line of every log there is. */
static void logs(void **state)
{
	static const char *const files[] = {
		"vectors/current-rules/01.jsonl", "vectors/current-rules/02.jsonl",
		"vectors/current-rules/03.jsonl", "vectors/catalog-v1/02-mixed.jsonl",
		"vectors/catalog-v1/03-long.jsonl"};
	unsigned lines = 0;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(files); i++) {
		struct es_slice rest = read_data(&arena, files[i]);

		while (rest.len > 0) {
			const uint8_t *end = memchr(rest.data, '\n', rest.len);
			struct es_slice line = es_slice(rest.data, (size_t)(end - rest.data));
			struct es_resource_command command;
			struct es_buf buf;

			assert_non_null(end);
			decode(line, &command);
			es_buf_init(&buf, es_mem_default());
			assert_int_equal(es_resource_command_encode(&buf, &command), 0);
			check_text(es_buf_slice(&buf), es_buf_slice(&buf));
			es_buf_close(&buf);
			rest = es_slice(end + 1, rest.len - line.len - 1);
			lines++;
		}
	}
	assert_int_equal(lines, 150 + 300 + 450 + 400 + 1500);
}

static void memory_runs_out(void **state)
{
	struct es_slice text = quoted(
		&arena,
		"{'kind':'txn','compares':[{'cmp':'not_exists','key':" KEY
		"}],'success':[{'op':'put','key':" KEY ",'value':{'a':'\\n'}},{'op':'delete',"
		"'key':" KEY ",'deletion_timestamp':'t'}],'failure':[],'reason':'operator'}");

	(void)state;
	for (uint64_t at = 0;; at++) {
		struct es_resource_command command;
		struct es_fault_mem fault;
		struct es_arena tight;
		struct es_buf buf;
		char errmsg[200];
		int rc;

		es_fault_mem_init(&fault, at);
		es_arena_init(&tight, &fault.mem, 1);
		es_buf_init(&buf, &fault.mem);
		rc = es_resource_command_decode(text, &tight, &command, errmsg, sizeof(errmsg));
		if (rc == 0) {
			rc = es_resource_command_encode(&buf, &command);
			assert_true(rc == 0 || buf.len == 0);
		}
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_buf_close(&buf);
		es_arena_close(&tight);
		assert_int_equal(fault.live, 0);
		if (!fault.fired) {
			assert_true(at > 10);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(commands_to_text_and_back),
		cmocka_unit_test(absent_is_not_empty),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(depth),
		cmocka_unit_test(rules_v0),
		cmocka_unit_test(logs),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
