#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pair.h"
#include "wire/descriptors.h"
#include "wire/pb.h"

static struct pair pair;

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

#define FIELD_BYTES(number) ((number) << 3 | 2)

static int reflection_setup(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	return pair_open(&pair) < 0 || pair_register(&pair) < 0 ||
	       es_rpc_register_reflection(pair.server) < 0 || pair_connect(&pair) < 0;
}

/* The answer to one question; and that it repeats the question. The answer is field `number`. */
static struct es_slice ask(const char *version, uint8_t field, const char *name,
			   uint32_t *ret_number)
{
	char path[100], request[120];
	struct es_pb_reader reader;
	struct es_pb_field got;
	struct es_slice answer = es_slice(NULL, 0);
	struct pair_stream *stream;
	bool repeated = false;

	snprintf(path, sizeof(path), "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo",
		 version);
	snprintf(request, sizeof(request), "%c%c%s", FIELD_BYTES(field), (int)strlen(name), name);
	stream = pair_call(&pair, path, request);
	pair_pump(&pair);
	pair_expect(stream, "0", "");
	assert_int_equal(pair_message_count(stream), 1);
	*ret_number = 0;
	reader = es_pb_reader(es_slice(stream->body.data + 5, stream->body.len - 5));
	while (es_pb_next(&reader, &got) > 0) {
		if (got.key == FIELD_BYTES(2)) {
			repeated = es_slice_eq(got.bytes, es_slice_str(request));
		} else {
			*ret_number = got.key >> 3;
			answer = got.bytes;
		}
	}
	assert_true(repeated);
	return answer;
}

static size_t count_fields(struct es_slice message, struct es_slice *ret_first)
{
	struct es_pb_reader reader = es_pb_reader(message);
	struct es_pb_field got;
	size_t count = 0;

	while (es_pb_next(&reader, &got) > 0) {
		assert_int_equal(got.key, FIELD_BYTES(1));
		if (count++ == 0)
			*ret_first = got.bytes;
	}
	return count;
}

static void services_are_listed(void **state)
{
	struct es_slice first;
	uint32_t number;

	(void)state;
	assert_int_equal(count_fields(ask("v1", 7, "*", &number), &first), 3);
	assert_int_equal(number, 6);
	assert_true(memmem(first.data, first.len, "grpc.reflection.v1.ServerReflection", 35) !=
		    NULL);
	assert_int_equal(count_fields(ask("v1alpha", 7, "x", &number), &first), 3);
}

static void files_come_with_their_imports(void **state)
{
	struct es_slice file;
	uint32_t number;

	(void)state;
	assert_true(count_fields(ask("v1", 4, "etcdserverpb.KV.Range", &number), &file) >=
		    3); /* rpc, kv, auth */
	assert_int_equal(number, 4);
	assert_true(es_slice_eq(es_wire_file_name(file), ES_SLICE("rpc.proto")));
	assert_int_equal(count_fields(ask("v1alpha", 3, "kv.proto", &number), &file), 1);
	assert_true(es_slice_eq(es_wire_file_name(file), ES_SLICE("kv.proto")));
}

static void what_is_not_there_is_not_found(void **state)
{
	static const struct {
		uint8_t field;
		const char *name;
	} cases[] = {{3, "nope.proto"}, {4, "no.Such"}, {5, "x"}, {6, "no.Type"}};
	struct es_slice error;
	uint32_t number;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		error = ask("v1", cases[i].field, cases[i].name, &number);
		assert_int_equal(number, 7);
		assert_true(error.len > 2 && error.data[0] == 8 &&
			    error.data[1] == ES_GRPC_NOT_FOUND);
	}
	error = ask("v1", 6, "mvccpb.KeyValue", &number);
	assert_int_equal(number, 5);
}

static void nonsense_is_refused(void **state)
{
	struct pair_stream *stream = pair_call(
		&pair, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "\xff\xff");

	(void)state;
	pair_pump(&pair);
	assert_string_equal(stream->grpc_status, "13");
	stream = pair_call(&pair, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "");
	pair_pump(&pair);
	pair_expect(stream, "3", "invalid MessageRequest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(services_are_listed, reflection_setup, teardown),
		cmocka_unit_test_setup_teardown(files_come_with_their_imports, reflection_setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, reflection_setup,
						teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, reflection_setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
