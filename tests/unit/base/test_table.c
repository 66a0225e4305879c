#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "base/table.h"

struct number {
	struct es_table_node node;
	unsigned value;
	bool in;
};

/* Three numbers share each hash. */
static uint64_t hash_of(unsigned value)
{
	return (uint64_t)(value / 3) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct number *find(const struct es_table *table, unsigned value)
{
	struct es_table_node *node;

	for (node = es_table_first(table, hash_of(value)); node != NULL;
	     node = es_table_next(node)) {
		struct number *number = ES_CONTAINER_OF(node, struct number, node);

		if (number->value == value)
			return number;
	}
	return NULL;
}

static void run(struct es_fault_mem *fault, uint64_t seed)
{
	enum { NUMBERS = 1000 };
	struct number numbers[NUMBERS] = {0};
	struct es_table table;
	struct es_rng rng;
	size_t count = 0, cursor = 0;

	es_rng_init(&rng, seed);
	if (es_table_init(&table, &fault->mem) < 0) {
		es_table_close(&table);
		return;
	}
	for (int step = 0; step < 6000; step++) {
		unsigned value = (unsigned)es_rng_below(&rng, step < 3000 ? NUMBERS : NUMBERS / 10);
		struct number *number = &numbers[value];

		assert_ptr_equal(find(&table, value), number->in ? number : NULL);
		if (number->in) {
			es_table_remove(&table, &number->node);
			count--;
		} else {
			number->value = value;
			es_table_insert(&table, &number->node, hash_of(value));
			count++;
		}
		number->in = !number->in;
		assert_int_equal(table.count, count);
	}
	for (unsigned value = 0; value < NUMBERS; value++)
		assert_ptr_equal(find(&table, value), numbers[value].in ? &numbers[value] : NULL);
	for (struct es_table_node *node; (node = es_table_pop(&table, &cursor)) != NULL; count--) {
		struct number *number = ES_CONTAINER_OF(node, struct number, node);

		assert_true(number->in);
		number->in = false;
	}
	assert_int_equal(count, 0);
	assert_int_equal(table.count, 0);
	es_table_close(&table);
}

static void nodes_are_found_until_they_are_removed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct es_fault_mem fault;

		es_fault_mem_init(&fault, UINT64_MAX);
		run(&fault, seed);
		assert_int_equal(fault.live, 0);
	}
}

/* Only making the table can fail; one that cannot grow goes on working. */
static void no_memory_makes_it_no_worse_than_slow(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;

		es_fault_mem_init(&fault, n);
		fault.sticky = true;
		run(&fault, n);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
		assert_true(n < 100);
	}
}

static void the_table_widens_with_its_nodes(void **state)
{
	enum { NUMBERS = 5000 };
	static struct number numbers[NUMBERS];
	struct es_table table;

	(void)state;
	assert_int_equal(es_table_init(&table, es_mem_default()), 0);
	for (unsigned i = 0; i < NUMBERS; i++) {
		numbers[i].value = i;
		es_table_insert(&table, &numbers[i].node, hash_of(i));
		assert_true(table.width >= table.count);
	}
	es_table_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_found_until_they_are_removed),
		cmocka_unit_test(no_memory_makes_it_no_worse_than_slow),
		cmocka_unit_test(the_table_widens_with_its_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
