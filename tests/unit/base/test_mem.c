#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void arena_blocks_are_aligned_and_distinct(void **state)
{
	struct es_fault_mem fault;
	struct es_arena arena;
	uint8_t *last = NULL;

	(void)state;
	es_fault_mem_init(&fault, UINT64_MAX);
	es_arena_init(&arena, &fault.mem, 256);
	for (size_t size = 0; size < 600; size += 7) {
		uint8_t *block = es_arena_alloc(&arena, size);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(block, last);
		memset(block, 0xab, size);
		last = block;
	}
	assert_null(es_arena_calloc(&arena, SIZE_MAX, 2));
	assert_null(es_arena_alloc(&arena, SIZE_MAX));
	es_arena_close(&arena);
	assert_int_equal(fault.live, 0);
}

static void every_failure_is_reported(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		bool failed = false;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 64);
		for (int i = 0; i < 20; i++)
			failed |= es_arena_alloc(&arena, 40) == NULL;
		es_arena_close(&arena);
		assert_true(failed == fault.fired);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_blocks_are_aligned_and_distinct),
		cmocka_unit_test(every_failure_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
