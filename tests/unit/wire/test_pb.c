#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/pb.h"

static void varints_take_seven_bits_a_byte(void **state)
{
	uint8_t out[ES_PB_VARINT_MAX];

	(void)state;
	for (unsigned bit = 0; bit <= 64; bit++)
		for (unsigned low = 0; low < 2; low++) {
			uint64_t value = (bit == 64 ? 0 : UINT64_C(1) << bit) - low;
			size_t size = es_pb_varint_size(value);
			struct es_pb_reader reader = es_pb_reader(es_slice(out, size));
			uint64_t back = 1234;

			assert_ptr_equal(es_pb_write_varint(out, value), out + size);
			assert_true(size == 1 || value >> (7 * (size - 1)) != 0);
			assert_true(es_pb_read_varint(&reader, &back));
			assert_true(back == value);
			assert_ptr_equal(reader.at, reader.end);
			for (size_t cut = 0; cut < size; cut++) {
				reader = es_pb_reader(es_slice(out, cut));
				assert_false(es_pb_read_varint(&reader, &back));
			}
		}
}

static void long_varints_end_at_64_bits(void **state)
{
	struct es_pb_reader reader;
	uint64_t value = 0;

	(void)state;
	/* More bytes than needed are fine... */
	reader = es_pb_reader(ES_SLICE("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"));
	assert_true(es_pb_read_varint(&reader, &value));
	assert_true(value == 1);
	/* ...but neither a 65th bit nor an eleventh byte. */
	reader = es_pb_reader(ES_SLICE("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x02"));
	assert_false(es_pb_read_varint(&reader, &value));
	reader = es_pb_reader(ES_SLICE("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"));
	assert_false(es_pb_read_varint(&reader, &value));
}

static void zero_and_empty_are_left_out(void **state)
{
	uint8_t out[64];

	(void)state;
	assert_int_equal(es_pb_uint_size(1, 0), 0);
	assert_ptr_equal(es_pb_write_uint(out, 1, 0), out);
	assert_int_equal(es_pb_bytes_size(1, ES_SLICE("")), 0);
	assert_ptr_equal(es_pb_write_bytes(out, 1, ES_SLICE("")), out);
	/* A message that is set has a length also when that is 0. */
	assert_int_equal(es_pb_len_size(1, 0), 2);
	assert_ptr_equal(es_pb_write_len(out, 1, 0), out + 2);
	assert_memory_equal(out, "\x0a\x00", 2);
	/* Negative numbers are 64 bits wide, numbers above 15 take a longer key. */
	assert_int_equal(es_pb_int_size(64, -1), 12);
	assert_ptr_equal(es_pb_write_int(out, 64, -1), out + 12);
	assert_memory_equal(out, "\x80\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
}

static void every_encoding_is_read_with_its_value(void **state)
{
	struct es_pb_reader reader = es_pb_reader(
		ES_SLICE("\x08\x96\x01"
			 "\x12\x03"
			 "abc"
			 "\x19\x01\x02\x03\x04\x05\x06\x07\x08"
			 "\x25\x01\x02\x03\x04"
			 "\x2b\x08\x01\x33\x34\x2c" /* a group within a group */
			 "\xf8\xff\xff\xff\x0f\x07"));
	struct es_pb_field field;

	(void)state;
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(1, ES_PB_VARINT));
	assert_true(field.value == 150);
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(2, ES_PB_BYTES));
	assert_true(es_slice_eq(field.bytes, ES_SLICE("abc")));
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(3, ES_PB_FIXED64));
	assert_true(field.value == UINT64_C(0x0807060504030201));
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(4, ES_PB_FIXED32));
	assert_true(field.value == 0x04030201);
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(5, ES_PB_GROUP));
	assert_int_equal(es_pb_next(&reader, &field), 1);
	assert_int_equal(field.key, ES_PB_KEY(ES_PB_NUMBER_MAX, ES_PB_VARINT));
	assert_true(field.value == 7);
	assert_int_equal(es_pb_next(&reader, &field), 0);
}

static int read_all(struct es_slice bytes)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	do
		rc = es_pb_next(&reader, &field);
	while (rc > 0);
	return rc;
}

static void malformed_fields_are_refused(void **state)
{
	static const struct es_slice bad[] = {
		ES_SLICE("\x08"),			      /* no value */
		ES_SLICE("\x88"),			      /* half a key */
		ES_SLICE("\x00\x01"),			      /* number 0 */
		ES_SLICE("\x80\x80\x80\x80\x10\x01"),	      /* number 2^29 */
		ES_SLICE("\x0a\x03xy"),			      /* bytes cut short */
		ES_SLICE("\x0a"),			      /* no length */
		ES_SLICE("\x09\x01\x02\x03\x04\x05\x06\x07"), /* fixed64 cut short */
		ES_SLICE("\x0d\x01\x02\x03"),		      /* fixed32 cut short */
		ES_SLICE("\x0e\x01"),			      /* encoding 6 */
		ES_SLICE("\x0f\x01"),			      /* encoding 7 */
		ES_SLICE("\x0c"),			      /* the end of a group alone */
		ES_SLICE("\x0b"),			      /* a group without end */
		ES_SLICE("\x0b\x14"),			      /* ended by another number */
		ES_SLICE("\x0b\x08\x0c"),		      /* its field cut short */
		ES_SLICE("\x0b\x13\x0c\x14"),		      /* groups that overlap */
		ES_SLICE("\x0b\x03\x04\x0c"),		      /* number 0 in a group */
		/* a length of 2^64 - 1 */
		ES_SLICE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		assert_int_equal(read_all(bad[i]), ES_EDECODE);
	assert_int_equal(read_all(es_slice(NULL, 0)), 0);
}

static void groups_nest_a_hundred_deep(void **state)
{
	uint8_t bytes[202];

	(void)state;
	memset(bytes, 0x0b, 100);
	memset(bytes + 100, 0x0c, 100);
	assert_int_equal(read_all(es_slice(bytes, 200)), 0);
	memset(bytes, 0x0b, 101);
	memset(bytes + 101, 0x0c, 101);
	assert_int_equal(read_all(es_slice(bytes, 202)), ES_EDECODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints_take_seven_bits_a_byte),
		cmocka_unit_test(long_varints_end_at_64_bits),
		cmocka_unit_test(zero_and_empty_are_left_out),
		cmocka_unit_test(every_encoding_is_read_with_its_value),
		cmocka_unit_test(malformed_fields_are_refused),
		cmocka_unit_test(groups_nest_a_hundred_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
