#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "rpc/pool.h"

#define BLOCKS 200

static void blocks_are_whole_whatever_comes_and_goes(void **state)
{
	static uint8_t *blocks[BLOCKS];
	static size_t sizes[BLOCKS];
	struct es_fault_mem fault;
	struct es_pool pool;
	struct es_rng rng;

	(void)state;
	es_fault_mem_init(&fault, UINT64_MAX);
	es_pool_init(&pool, &fault.mem);
	es_rng_init(&rng, 11);
	for (int step = 0; step < 20000; step++) {
		size_t i = (size_t)es_rng_below(&rng, BLOCKS);
		size_t size = (size_t)es_rng_below(&rng, step % 10 == 0 ? 10000 : 300);
		size_t common = size < sizes[i] ? size : sizes[i];

		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(blocks[i][k], i);
		if (es_rng_below(&rng, 3) == 0) {
			es_pool_free(&pool, blocks[i]);
			blocks[i] = NULL;
			sizes[i] = 0;
			continue;
		}
		blocks[i] = es_pool_realloc(&pool, blocks[i], size);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < common; k++)
			assert_int_equal(blocks[i][k], i);
		memset(blocks[i], (int)i, size);
		sizes[i] = size;
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		es_pool_free(&pool, blocks[i]);
		blocks[i] = NULL;
		sizes[i] = 0;
	}
	es_pool_close(&pool);
	assert_int_equal(fault.live, 0);
}

static void freed_blocks_are_given_again(void **state)
{
	struct es_fault_mem fault;
	struct es_pool pool;
	void *first;

	(void)state;
	es_fault_mem_init(&fault, 1);
	es_pool_init(&pool, &fault.mem);
	first = es_pool_alloc(&pool, 100);
	assert_non_null(first);
	es_pool_free(&pool, first);
	assert_ptr_equal(es_pool_alloc(&pool, 120), first); /* the same class */
	assert_null(es_pool_alloc(&pool, 100));             /* there is no memory for a second */
	assert_null(es_pool_alloc(&pool, SIZE_MAX));
	assert_ptr_equal(es_pool_realloc(&pool, first, 127), first);
	es_pool_free(&pool, first);
	es_pool_free(&pool, NULL);
	es_pool_close(&pool);
	assert_int_equal(fault.live, 0);
}

static void what_is_kept_is_limited(void **state)
{
	static void *blocks[3000];
	struct es_fault_mem fault;
	struct es_pool pool;

	(void)state;
	es_fault_mem_init(&fault, UINT64_MAX);
	es_pool_init(&pool, &fault.mem);
	for (size_t i = 0; i < 3000; i++)
		blocks[i] = es_pool_alloc(&pool, 2000);
	for (size_t i = 0; i < 3000; i++)
		es_pool_free(&pool, blocks[i]);
	assert_in_range(pool.kept_bytes, ES_POOL_KEPT_MAX, ES_POOL_KEPT_MAX + 2048);
	assert_in_range(fault.live, 2000, 2100);
	es_pool_close(&pool);
	assert_int_equal(fault.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_whole_whatever_comes_and_goes),
		cmocka_unit_test(freed_blocks_are_given_again),
		cmocka_unit_test(what_is_kept_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
