#include "support.h"

#include "mvcc/pool.h"

#define BLOCKS 6000
#define REGION (128 * 1024)

struct fixture {
	struct es_fault_mem fault;
	struct es_mvcc_pool pool;
	uint8_t *blocks[BLOCKS];
	size_t sizes[BLOCKS];
};

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	es_fault_mem_init(&f->fault, UINT64_MAX);
	es_mvcc_pool_init(&f->pool, &f->fault.mem);
	return f;
}

static void fixture_free(struct fixture *f)
{
	es_mvcc_pool_close(&f->pool);
	assert_int_equal(f->fault.live, 0);
	free(f);
}

static void take(struct fixture *f, size_t i, size_t size)
{
	f->blocks[i] = es_mvcc_pool_alloc(&f->pool, size);
	assert_non_null(f->blocks[i]);
	assert_int_equal((uintptr_t)f->blocks[i] % 8, 0);
	f->sizes[i] = size;
	memset(f->blocks[i], (int)(i % 251), size);
}

/* The block still holds what was written: no other one lies over it. */
static void give(struct fixture *f, size_t i)
{
	for (size_t j = 0; j < f->sizes[i]; j++)
		assert_int_equal(f->blocks[i][j], i % 251);
	es_mvcc_pool_free(&f->pool, f->blocks[i], f->sizes[i]);
	f->blocks[i] = NULL;
}

static void blocks_never_overlap(void **state)
{
	struct fixture *f = fixture_new();
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 5);
	for (int step = 0; step < 60000; step++) {
		size_t i = es_rng_below(&rng, BLOCKS);

		/* Sizes drift, so that pages change theirs. */
		if (f->blocks[i] != NULL)
			give(f, i);
		else
			take(f, i, 1 + es_rng_below(&rng, 40) + (size_t)step / 250);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		if (f->blocks[i] != NULL)
			give(f, i);
	}
	assert_int_equal(f->pool.bytes, 0);
	fixture_free(f);
}

static void small_blocks_are_packed(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t i = 0; i < BLOCKS; i++)
		take(f, i, 46);
	assert_true(f->pool.bytes < BLOCKS * 51 + REGION);
	/* Freed blocks are used again before anything new is allocated. */
	for (size_t i = 0; i < BLOCKS; i += 2)
		give(f, i);
	for (size_t i = 0; i < BLOCKS; i += 2)
		take(f, i, 46);
	assert_true(f->pool.bytes < BLOCKS * 51 + REGION);
	for (size_t i = 0; i < BLOCKS; i++)
		give(f, i);
	fixture_free(f);
}

static void large_blocks_go_their_own_way(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	take(f, 0, ES_MVCC_POOL_BLOCK_MAX);
	take(f, 1, ES_MVCC_POOL_BLOCK_MAX + 1);
	take(f, 2, 1 << 20);
	assert_int_equal(f->fault.live, 3);
	for (size_t i = 0; i < 3; i++)
		give(f, i);
	fixture_free(f);
}

static void memory_running_out_is_told(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->fault.countdown = 0;
	f->fault.sticky = true;
	assert_null(es_mvcc_pool_alloc(&f->pool, 1));
	assert_null(es_mvcc_pool_alloc(&f->pool, 1000));
	f->fault.fired = false;
	f->fault.countdown = UINT64_MAX;
	take(f, 0, 1);
	give(f, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_never_overlap),
		cmocka_unit_test(small_blocks_are_packed),
		cmocka_unit_test(large_blocks_go_their_own_way),
		cmocka_unit_test(memory_running_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
