#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/internal.h"

#define PUT(name)                                                         \
	{                                                                 \
		.kind = ES_WIRE_OP_PUT, .u.put = {.key = ES_SLICE(name) } \
	}
#define DELETE(name, to)                              \
	{                                             \
		.kind = ES_WIRE_OP_DELETE, .u.del = { \
			.key = ES_SLICE(name),        \
			.range_end = ES_SLICE(to)     \
		}                                     \
	}
#define RANGE(name)                                                           \
	{                                                                     \
		.kind = ES_WIRE_OP_RANGE, .u.range = {.key = ES_SLICE(name) } \
	}
#define NESTED(txn_pointer)                                    \
	{                                                      \
		.kind = ES_WIRE_OP_TXN, .u.txn = (txn_pointer) \
	}
#define OPS(...)                    \
	(const struct es_wire_op[]) \
	{                           \
		__VA_ARGS__         \
	}
#define COUNT(...)   (sizeof((const struct es_wire_op[]){__VA_ARGS__}) / sizeof(struct es_wire_op))
#define SUCCESS(...) .success_count = COUNT(__VA_ARGS__), .success = OPS(__VA_ARGS__)
#define FAILURE(...) .failure_count = COUNT(__VA_ARGS__), .failure = OPS(__VA_ARGS__)

static int check(const struct es_wire_txn *txn, uint32_t max_ops)
{
	struct es_arena arena;
	int rc;

	es_arena_init(&arena, es_mem_default(), 1024);
	rc = es_api_check_txn(txn, max_ops, &arena);
	es_arena_close(&arena);
	return rc;
}

static void single_requests(void **state)
{
	(void)state;
	assert_int_equal(es_api_check_range(&(struct es_wire_range){0}), ES_EEMPTY_KEY);
	assert_int_equal(
		es_api_check_range(&(struct es_wire_range){.key = ES_SLICE("k"), .sort_order = 3}),
		ES_EINVALID_SORT);
	assert_int_equal(es_api_check_range(
				 &(struct es_wire_range){.key = ES_SLICE("k"), .sort_target = -1}),
			 ES_EINVALID_SORT);
	assert_int_equal(
		es_api_check_range(&(struct es_wire_range){.key = ES_SLICE("k"), .sort_target = 4}),
		0);
	assert_int_equal(es_api_check_put(&(struct es_wire_put){0}), ES_EEMPTY_KEY);
	assert_int_equal(es_api_check_put(&(struct es_wire_put){.key = ES_SLICE("k"),
								.value = ES_SLICE("v"),
								.ignore_value = true}),
			 ES_EVALUE_PROVIDED);
	assert_int_equal(es_api_check_put(&(struct es_wire_put){
				 .key = ES_SLICE("k"), .lease = 1, .ignore_lease = true}),
			 ES_ELEASE_PROVIDED);
	assert_int_equal(es_api_check_delete(&(struct es_wire_delete){0}), ES_EEMPTY_KEY);
}

static void a_key_is_written_once(void **state)
{
	const struct es_wire_txn twice = {SUCCESS(PUT("a"), PUT("b"), PUT("a"))};
	const struct es_wire_txn under_delete = {SUCCESS(PUT("b"), DELETE("a", "c"))};
	const struct es_wire_txn beside_delete = {SUCCESS(PUT("c"), DELETE("a", "c"))};
	const struct es_wire_txn point_delete = {FAILURE(DELETE("a", ""), PUT("a"))};
	const struct es_wire_txn both_branches = {SUCCESS(PUT("a")), FAILURE(PUT("a"))};
	/* As in etcd: a delete to the end is compared as written, and an end of one zero byte is
	 * below every key. */
	const struct es_wire_txn to_the_end = {SUCCESS(PUT("b"), DELETE("a", "\0"))};

	(void)state;
	assert_int_equal(check(&twice, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&under_delete, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&beside_delete, 128), 0);
	assert_int_equal(check(&point_delete, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&both_branches, 128), 0);
	assert_int_equal(check(&to_the_end, 128), 0);
}

static void also_across_nesting(void **state)
{
	const struct es_wire_txn inner = {SUCCESS(PUT("a")), FAILURE(PUT("a"), PUT("b"))};
	const struct es_wire_txn inner_delete = {SUCCESS(DELETE("x", "z"))};
	const struct es_wire_txn exclusive = {SUCCESS(NESTED(&inner), PUT("c"))};
	const struct es_wire_txn outer_put = {SUCCESS(NESTED(&inner), PUT("b"))};
	const struct es_wire_txn siblings = {SUCCESS(NESTED(&inner), NESTED(&inner))};
	const struct es_wire_txn outer_delete = {SUCCESS(NESTED(&inner), DELETE("b", ""))};
	const struct es_wire_txn put_after_inner_delete = {
		SUCCESS(NESTED(&inner_delete), PUT("y"))};

	(void)state;
	assert_int_equal(check(&exclusive, 128), 0);
	assert_int_equal(check(&outer_put, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&siblings, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&outer_delete, 128), ES_EDUPLICATE_KEY);
	assert_int_equal(check(&put_after_inner_delete, 128), ES_EDUPLICATE_KEY);
}

static void operations_are_counted_along_the_nesting(void **state)
{
	const struct es_wire_txn three = {SUCCESS(RANGE("a"), RANGE("b"), RANGE("c"))};
	const struct es_wire_txn nested = {SUCCESS(NESTED(&three))};
	const struct es_wire_txn empty_op = {SUCCESS({.kind = ES_WIRE_OP_NONE})};
	const struct es_wire_txn too_large = {.has_too_many_ops = true};
	const struct es_wire_txn after_bad = {SUCCESS(RANGE(""), NESTED(&too_large))};
	const struct es_wire_txn before_bad = {SUCCESS(NESTED(&too_large), RANGE(""))};
	const struct es_wire_compare no_key = {0};
	const struct es_wire_txn compare = {.compare_count = 1, .compares = &no_key};

	(void)state;
	assert_int_equal(check(&three, 3), 0);
	assert_int_equal(check(&three, 2), ES_ETOO_MANY_OPS);
	assert_int_equal(check(&nested, 4), 0);
	assert_int_equal(check(&nested, 3), ES_ETOO_MANY_OPS);
	assert_int_equal(check(&after_bad, 128), ES_EEMPTY_KEY);
	assert_int_equal(check(&before_bad, 128), ES_ETOO_MANY_OPS);
	assert_int_equal(check(&empty_op, 128), ES_EKEY_NOT_FOUND);
	assert_int_equal(check(&compare, 128), ES_EEMPTY_KEY);
}

static void no_memory_is_reported(void **state)
{
	const struct es_wire_txn inner = {SUCCESS(PUT("a")), FAILURE(PUT("b"))};
	const struct es_wire_txn txn = {SUCCESS(NESTED(&inner), PUT("c"), DELETE("d", "e"))};

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 16);
		rc = es_api_check_txn(&txn, 128, &arena);
		es_arena_close(&arena);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_requests),
		cmocka_unit_test(a_key_is_written_once),
		cmocka_unit_test(also_across_nesting),
		cmocka_unit_test(operations_are_counted_along_the_nesting),
		cmocka_unit_test(no_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
