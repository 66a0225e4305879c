#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "consensus/batch.h"

static void append(struct es_buf *bytes, struct es_slice command)
{
	assert_int_equal(es_buf_append_u32le(bytes, (uint32_t)command.len), 0);
	assert_int_equal(es_buf_append_slice(bytes, command), 0);
}

/* Commands of random sizes; ends with padding. */
static void make(struct es_rng *rng, uint32_t count, uint64_t index, struct es_buf *ret_bytes)
{
	uint8_t data[64];

	es_buf_init(ret_bytes, es_mem_default());
	assert_int_equal(es_buf_reserve(ret_bytes, ES_BATCH_HEADER_BYTES), 0);
	es_batch_header(ret_bytes->data, count, index);
	ret_bytes->len = ES_BATCH_HEADER_BYTES;
	for (uint32_t i = 0; i < count; i++) {
		memset(data, (int)i + 1, sizeof(data));
		append(ret_bytes, es_slice(data, es_rng_below(rng, sizeof(data) + 1)));
	}
	while (ret_bytes->len % 8 != 0)
		assert_int_equal(es_buf_append_u8(ret_bytes, 0), 0);
}

static void commands_come_back(void **state)
{
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 1);
	for (uint32_t count = 0; count < 100; count++) {
		struct es_batch_reader reader;
		struct es_slice command;
		struct es_buf bytes;
		uint32_t n = 0;

		make(&rng, count, 77, &bytes);
		assert_int_equal(es_batch_index(es_buf_slice(&bytes)), 77);
		assert_int_equal(es_batch_open(es_buf_slice(&bytes), 77, &reader), 0);
		assert_int_equal(reader.count, count);
		while (es_batch_next(&reader, &command)) {
			n++;
			assert_true(command.len <= 64);
			if (command.len > 0)
				assert_int_equal(command.data[command.len - 1], n);
		}
		assert_int_equal(n, count);
		assert_int_equal(es_batch_open(es_buf_slice(&bytes), 78, &reader), ES_ECORRUPT);
		es_buf_close(&bytes);
	}
	assert_int_equal(es_batch_index(ES_SLICE("short")), 0);
}

/* The bytes that docs/formats/log-entry.md shows. */
static void the_format_is_the_documented_one(void **state)
{
	static const uint8_t expected[] = {1, 0, 0, 0, 2,   0,   0,   0, 5, 1, 0, 0,   0, 0, 0, 0,
					   3, 0, 0, 0, 'p', 'u', 't', 1, 0, 0, 0, 'x', 0, 0, 0, 0};
	struct es_buf bytes;

	(void)state;
	es_buf_init(&bytes, es_mem_default());
	assert_int_equal(es_buf_reserve(&bytes, ES_BATCH_HEADER_BYTES), 0);
	es_batch_header(bytes.data, 2, 0x105);
	bytes.len = ES_BATCH_HEADER_BYTES;
	append(&bytes, ES_SLICE("put"));
	append(&bytes, ES_SLICE("x"));
	while (bytes.len % 8 != 0)
		assert_int_equal(es_buf_append_u8(&bytes, 0), 0);
	assert_int_equal(bytes.len, sizeof(expected));
	assert_memory_equal(bytes.data, expected, sizeof(expected));
	es_buf_close(&bytes);
}

static void damage_is_refused(void **state)
{
	struct es_batch_reader reader;
	struct es_buf bytes;
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 3);
	make(&rng, 5, 9, &bytes);
	for (size_t len = 0; len < bytes.len; len++)
		assert_true(es_batch_open(es_slice(bytes.data, len), 9, &reader) < 0);
	for (size_t i = 0; i < 16; i++) { /* the header has no byte without a meaning */
		bytes.data[i] ^= 0x40;
		assert_true(es_batch_open(es_buf_slice(&bytes), 9, &reader) < 0);
		bytes.data[i] ^= 0x40;
	}
	bytes.data[0] = 2;
	assert_int_equal(es_batch_open(es_buf_slice(&bytes), 9, &reader), ES_EFORMAT);
	bytes.data[0] = 1;
	assert_int_equal(es_batch_open(es_buf_slice(&bytes), 9, &reader), 0);
	es_buf_close(&bytes);
	make(&rng, 0, 9, &bytes);
	assert_int_equal(es_buf_append_u64le(&bytes, 0), 0); /* too much padding */
	assert_int_equal(es_batch_open(es_buf_slice(&bytes), 9, &reader), ES_ECORRUPT);
	es_buf_close(&bytes);
	make(&rng, 0, 9, &bytes);
	append(&bytes, ES_SLICE("abc"));
	assert_int_equal(es_buf_append_u8(&bytes, 1), 0); /* padding that says something */
	es_store_u32le(bytes.data + 4, 1);
	assert_int_equal(es_batch_open(es_buf_slice(&bytes), 9, &reader), ES_ECORRUPT);
	es_buf_close(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_come_back),
		cmocka_unit_test(the_format_is_the_documented_one),
		cmocka_unit_test(damage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
