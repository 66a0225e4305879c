#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/status.h"

static void append_and_consume(void **state)
{
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_buf_append_str(&buf, "hello "), 0);
	assert_int_equal(es_buf_printf(&buf, "%d %s", 42, "worlds"), 0);
	assert_true(es_slice_eq(es_buf_slice(&buf), ES_SLICE("hello 42 worlds")));
	es_buf_consume(&buf, 6);
	assert_true(es_slice_eq(es_buf_slice(&buf), ES_SLICE("42 worlds")));
	es_buf_close(&buf);
	assert_null(buf.data);
}

static void growing_without_memory_keeps_the_content(void **state)
{
	struct es_fault_mem fault;
	struct es_buf buf;
	char big[100] = {0};

	(void)state;
	es_fault_mem_init(&fault, 1);
	es_buf_init(&buf, &fault.mem);
	assert_int_equal(es_buf_append_str(&buf, "kept"), 0);
	assert_int_equal(es_buf_append(&buf, big, sizeof(big)), ES_ENOMEM);
	assert_true(es_slice_eq(es_buf_slice(&buf), ES_SLICE("kept")));
	assert_int_equal(es_buf_reserve(&buf, SIZE_MAX), ES_ENOMEM);
	es_buf_close(&buf);
	assert_int_equal(fault.live, 0);
}

static void fields_read_back_and_a_short_read_sticks(void **state)
{
	struct es_buf buf;
	struct es_reader reader;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_buf_append_u8(&buf, 7), 0);
	assert_int_equal(es_buf_append_u32le(&buf, 0xdeadbeef), 0);
	assert_int_equal(es_buf_append_u64le(&buf, UINT64_MAX - 1), 0);
	reader = es_reader(es_buf_slice(&buf));
	assert_int_equal(es_read_u8(&reader), 7);
	assert_int_equal(es_read_u32le(&reader), 0xdeadbeef);
	assert_true(es_read_u64le(&reader) == UINT64_MAX - 1);
	assert_false(reader.failed);
	assert_int_equal(es_read_u8(&reader), 0);
	assert_true(reader.failed);
	assert_int_equal(es_read_bytes(&reader, 0).len, 0);
	assert_true(reader.failed);
	es_buf_close(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_and_consume),
		cmocka_unit_test(growing_without_memory_keeps_the_content),
		cmocka_unit_test(fields_read_back_and_a_short_read_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
