#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/json.h"
#include "wire/resource_store.pb-c.h"
#include "wire/rpc.pb-c.h"

static const char *const json_fields[] = {"value", "patch", NULL};
static const struct es_wire_json_options in_place = {json_fields, true};
static const struct es_wire_json_options plain = {NULL, false};

struct ctx {
	struct es_arena arena;
	struct es_buf buf;
	char errmsg[200];
};

static int setup(void **state)
{
	struct ctx *c = calloc(1, sizeof(*c));

	es_arena_init(&c->arena, es_mem_default(), 1024);
	es_buf_init(&c->buf, es_mem_default());
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct ctx *c = *state;

	es_arena_close(&c->arena);
	es_buf_close(&c->buf);
	free(c);
	return 0;
}

static int read(struct ctx *c, const ProtobufCMessageDescriptor *descriptor, const char *text,
		const struct es_wire_json_options *options, ProtobufCMessage **ret_message)
{
	return es_wire_json_read(descriptor, es_slice_str(text), options, &c->arena, ret_message,
				 c->errmsg, sizeof(c->errmsg));
}

static void assert_written(struct ctx *c, const ProtobufCMessage *message,
			   const struct es_wire_json_options *options, const char *expected)
{
	c->buf.len = 0;
	assert_int_equal(es_wire_json_write(&c->buf, message, options), 0);
	assert_int_equal(es_buf_append_u8(&c->buf, 0), 0);
	assert_string_equal((const char *)c->buf.data, expected);
}

static void assert_round(struct ctx *c, const ProtobufCMessageDescriptor *descriptor,
			 const char *text, const struct es_wire_json_options *options,
			 const char *expected)
{
	ProtobufCMessage *message;
	int rc = read(c, descriptor, text, options, &message);

	assert_string_equal(c->errmsg, "");
	assert_int_equal(rc, 0);
	assert_written(c, message, options, expected);
}

static void fields_of_every_type(void **state)
{
	struct ctx *c = *state;

	assert_round(c, &etcdserverpb__range_request__descriptor,
		     "{\"key\":\"Zm9v\",\"range_end\":\"Zm9w\",\"limit\":\"5\",\"revision\":7,"
		     "\"sort_order\":\"DESCEND\",\"sortTarget\":4,\"serializable\":true,"
		     "\"minModRevision\":-9223372036854775808}",
		     &plain,
		     "{\"key\":\"Zm9v\",\"rangeEnd\":\"Zm9w\",\"limit\":\"5\",\"revision\":\"7\","
		     "\"sortOrder\":\"DESCEND\",\"sortTarget\":\"VALUE\",\"serializable\":true,"
		     "\"minModRevision\":\"-9223372036854775808\"}");
	assert_round(
		c, &etcdserverpb__member_list_response__descriptor,
		"{\"header\":{\"clusterId\":\"18446744073709551615\"},\"members\":[{\"ID\":\"1\","
		"\"name\":\"a\\u00e9\",\"peerURLs\":[\"x\",\"y\"]},{}]}",
		&plain,
		"{\"header\":{\"clusterId\":\"18446744073709551615\"},\"members\":[{\"ID\":\"1\","
		"\"name\":\"aé\",\"peerURLs\":[\"x\",\"y\"]},{}]}");
}

static void json_in_place(void **state)
{
	struct ctx *c = *state;

	assert_round(c, &engenho__v1__put_request__descriptor,
		     "{\"key\":{\"version\":\"v1\",\"kind\":\"Pod\",\"namespace\":\"\","
		     "\"name\":\"p\"},\"value\":{\"b\":1.0,\"a\":[null]},\"expected\":0}",
		     &in_place,
		     "{\"key\":{\"version\":\"v1\",\"kind\":\"Pod\",\"namespace\":\"\","
		     "\"name\":\"p\"},\"value\":{\"a\":[null],\"b\":1.0},\"expected\":\"0\","
		     "\"reason\":\"OPERATOR\"}");
}

static void null_is_not_set(void **state)
{
	struct ctx *c = *state;

	assert_round(c, &engenho__v1__put_request__descriptor,
		     "{\"key\":{\"name\":null},\"value\":null,\"expected\":null,\"reason\":null}",
		     &in_place, "{\"key\":{},\"reason\":\"OPERATOR\"}");
	assert_round(c, &engenho__v1__txn_request__descriptor,
		     "{\"compares\":null,\"success\":[{\"value\":null},{\"value\":{}}]}", &in_place,
		     "{\"success\":[{},{\"value\":{}}],\"reason\":\"OPERATOR\"}");
}

static void lists_of_every_length(void **state)
{
	struct ctx *c = *state;
	char text[800];

	for (int count = 1; count <= 70; count++) {
		size_t len = (size_t)snprintf(text, sizeof(text), "{\"members\":[{\"name\":\"0\"}");

		for (int i = 1; i < count; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, ",{}");
		(void)snprintf(text + len, sizeof(text) - len, "]}");
		assert_round(c, &etcdserverpb__member_list_response__descriptor, text, &plain,
			     text);
	}
}

static void integers_as_numbers_or_strings(void **state)
{
	static const char *const good[] = {"7", "\"7\"", "7.0", "\"0.7e1\""};
	static const char *const wrong[] = {"\" 7\"", "\"7 \"", "\"\"", "\"+7\"",
					    "7.5",    "true",   "{}",   "\"NaN\""};
	struct ctx *c = *state;
	ProtobufCMessage *message;
	char text[40];

	for (size_t i = 0; i < ES_ARRAY_LEN(good); i++) {
		(void)snprintf(text, sizeof(text), "{\"limit\":%s}", good[i]);
		assert_round(c, &etcdserverpb__range_request__descriptor, text, &plain,
			     "{\"limit\":\"7\"}");
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		(void)snprintf(text, sizeof(text), "{\"limit\":%s}", wrong[i]);
		assert_int_equal(
			read(c, &etcdserverpb__range_request__descriptor, text, &plain, &message),
			ES_EDECODE);
		assert_string_equal(c->errmsg, "limit: expected an integer");
	}
}

/* No message of ours has numbers with a fraction: one that is made by hand. */
struct numbers {
	ProtobufCMessage base;
	float single;
	double number;
	uint32_t natural;
};

#define NUMBER(name, id, type, member)                                                 \
	{                                                                              \
		name, id, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_##type, 0,            \
			offsetof(struct numbers, member), NULL, NULL, 0, 0, NULL, NULL \
	}

static const ProtobufCFieldDescriptor number_fields[] = {
	NUMBER("single", 1, FLOAT, single),
	NUMBER("number", 2, DOUBLE, number),
	NUMBER("natural", 3, UINT32, natural),
};
static const ProtobufCMessageDescriptor numbers_descriptor;

static void numbers_init(ProtobufCMessage *message)
{
	*(struct numbers *)(void *)message = (struct numbers){
		.base = {&numbers_descriptor, 0, NULL}};
}

static const ProtobufCMessageDescriptor numbers_descriptor = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "numbers",
	.sizeof_message = sizeof(struct numbers),
	.n_fields = ES_ARRAY_LEN(number_fields),
	.fields = number_fields,
	.message_init = numbers_init,
};

static void numbers_with_a_fraction(void **state)
{
	static const char *const cases[][2] = {
		{"{\"single\":0.1,\"number\":0.1}", "{\"single\":0.1,\"number\":0.1}"},
		{"{\"single\":16777216}", "{\"single\":16777216.0}"},
		{"{\"single\":3.4028234663852886e38}", "{\"single\":3.4028235e+38}"},
		{"{\"single\":1e-45}", "{\"single\":1e-45}"},
		{"{\"single\":\"NaN\",\"number\":\"NaN\"}",
		 "{\"single\":\"NaN\",\"number\":\"NaN\"}"},
		{"{\"single\":\"Infinity\",\"number\":\"-Infinity\"}",
		 "{\"single\":\"Infinity\",\"number\":\"-Infinity\"}"},
		{"{\"single\":\"1.5\",\"number\":\"-2e3\"}", "{\"single\":1.5,\"number\":-2000.0}"},
		{"{\"number\":\"18446744073709551615\"}", "{\"number\":1.8446744073709552e+19}"},
		{"{\"natural\":4294967295.0}", "{\"natural\":4294967295}"},
	};
	static const char *const wrong[][2] = {
		{"{\"single\":1e39}", "single: the number is out of range"},
		{"{\"natural\":-1}", "natural: the number is out of range"},
		{"{\"natural\":4294967296}", "natural: the number is out of range"},
		{"{\"number\":\"nan\"}", "number: expected a number"},
		{"{\"number\":\" 1\"}", "number: expected a number"},
		{"{\"number\":\"\"}", "number: expected a number"},
		{"{\"number\":[]}", "number: expected a number"},
	};
	struct ctx *c = *state;
	ProtobufCMessage *message;

	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		assert_round(c, &numbers_descriptor, cases[i][0], &plain, cases[i][1]);
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		assert_int_equal(read(c, &numbers_descriptor, wrong[i][0], &plain, &message),
				 ES_EDECODE);
		assert_string_equal(c->errmsg, wrong[i][1]);
	}
}

static void bytes_in_place_that_are_no_json(void **state)
{
	Engenho__V1__Resource resource = ENGENHO__V1__RESOURCE__INIT;
	uint8_t bytes[] = {'{', 0xff, '}'};

	resource.value = (ProtobufCBinaryData){sizeof(bytes), bytes};
	assert_written(*state, &resource.base, &in_place,
		       "{\"value\":\"e/99\",\"createRevision\":\"0\",\"modRevision\":\"0\"}");
}

static void json_over_several_lines_becomes_one(void **state)
{
	Engenho__V1__Resource resource = ENGENHO__V1__RESOURCE__INIT;
	char text[] = "{\r\n\"a\\n\":\n1}";

	resource.value = (ProtobufCBinaryData){sizeof(text) - 1, (uint8_t *)text};
	assert_written(
		*state, &resource.base, &in_place,
		"{\"value\":{  \"a\\n\": 1},\"createRevision\":\"0\",\"modRevision\":\"0\"}");
}

static void base64_of_every_length(void **state)
{
	static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "-_8", "+/8="};
	struct ctx *c = *state;
	char text[64], expected[64];

	for (size_t i = 1; i < ES_ARRAY_LEN(texts); i++) {
		(void)snprintf(text, sizeof(text), "{\"value\":\"%s\"}", texts[i]);
		(void)snprintf(expected, sizeof(expected), "{\"value\":\"%s\"}",
			       i == 5 ? texts[6] : texts[i]);
		assert_round(c, &etcdserverpb__put_request__descriptor, text, &plain, expected);
	}
}

static void what_does_not_fit_is_named(void **state)
{
	static const struct {
		const ProtobufCMessageDescriptor *descriptor;
		const char *text, *errmsg;
	} cases[] = {
		{&engenho__v1__put_request__descriptor, "[]", "expected an object"},
		{&engenho__v1__put_request__descriptor, "{\"keyy\":1}", "unknown field \"keyy\""},
		{&engenho__v1__put_request__descriptor, "{\"key\":{\"nam\":\"x\"}}",
		 "key: unknown field \"nam\""},
		{&engenho__v1__put_request__descriptor, "{\"key\":{\"name\":7}}",
		 "key.name: expected a string"},
		{&engenho__v1__put_request__descriptor, "{\"key\":{\"name\":\"a\\u0000b\"}}",
		 "key.name: a NUL character in a name"},
		{&engenho__v1__put_request__descriptor, "{\"expected\":\"1.5\"}",
		 "expected: expected an integer"},
		{&engenho__v1__put_request__descriptor, "{\"expected\":9223372036854775808}",
		 "expected: the number is out of range"},
		{&engenho__v1__put_request__descriptor, "{\"reason\":\"BOSS\"}",
		 "reason: not one of the names there are"},
		{&engenho__v1__txn_request__descriptor, "{\"compares\":[{},{\"key\":[]}]}",
		 "compares[1].key: expected an object"},
		{&engenho__v1__txn_request__descriptor, "{\"compares\":{}}",
		 "compares: expected a list"},
		{&engenho__v1__put_request__descriptor, "{\"value\":{},\"value\":{}}",
		 "value: it is there twice"},
		{&engenho__v1__put_request__descriptor, "{\"expected\":null,\"expected\":1}",
		 "expected: it is there twice"},
		{&engenho__v1__txn_request__descriptor,
		 "{\"compares\":[{\"modRevision\":1,\"mod_revision\":1}]}",
		 "compares[0].mod_revision: it is there twice"},
		{&engenho__v1__txn_request__descriptor, "{\"success\":[null]}",
		 "success[0]: expected an object"},
		{&engenho__v1__put_request__descriptor, "{\"key\":{\"name\":\"a\"}",
		 "not JSON: expected ',' or '}' at byte 19"},
		{&engenho__v1__put_request__descriptor, "{}{}",
		 "not JSON: something behind the value at byte 2"},
		{&etcdserverpb__put_request__descriptor, "{\"value\":\"Z\"}", "value: not base64"},
		{&etcdserverpb__put_request__descriptor, "{\"value\":\"Zm9!\"}",
		 "value: not base64"},
		{&etcdserverpb__put_request__descriptor, "{\"prevKv\":1}",
		 "prev_kv: expected true or false"},
	};
	struct ctx *c = *state;
	ProtobufCMessage *message;

	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		bool ours = strncmp(cases[i].descriptor->name, "engenho", 7) == 0;

		assert_int_equal(read(c, cases[i].descriptor, cases[i].text,
				      ours ? &in_place : &plain, &message),
				 ES_EDECODE);
		assert_string_equal(c->errmsg, cases[i].errmsg);
	}
}

static void memory_that_is_missing(void **state)
{
	static const char text[] =
		"{\"key\":{\"name\":\"p\",\"kind\":\"Pod\"},\"value\":{\"a\":1}}";
	struct ctx *c = *state;
	uint64_t n;

	for (n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_buf buf;
		ProtobufCMessage *message;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 16);
		es_buf_init(&buf, &fault.mem);
		rc = es_wire_json_read(&engenho__v1__put_request__descriptor, es_slice_str(text),
				       &in_place, &arena, &message, c->errmsg, sizeof(c->errmsg));
		if (rc == 0)
			rc = es_wire_json_write(&buf, message, &in_place);
		es_arena_close(&arena);
		es_buf_close(&buf);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
		assert_int_equal(rc, ES_ENOMEM);
	}
	assert_true(n > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fields_of_every_type, setup, teardown),
		cmocka_unit_test_setup_teardown(json_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(null_is_not_set, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_of_every_length, setup, teardown),
		cmocka_unit_test_setup_teardown(integers_as_numbers_or_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_with_a_fraction, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_in_place_that_are_no_json, setup, teardown),
		cmocka_unit_test_setup_teardown(json_over_several_lines_becomes_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(base64_of_every_length, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_is_missing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
