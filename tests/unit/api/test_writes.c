#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "api/writes.h"
#include "base/rng.h"

/* ---- the rule, as it is said, without regard to cost ----------------------------------------- */

struct naive {
	struct es_slice puts[512];
	size_t put_count;
	const struct es_wire_delete *deletes[512];
	size_t delete_count;
};

static bool is_put(const struct naive *writes, struct es_slice key)
{
	for (size_t i = 0; i < writes->put_count; i++) {
		if (es_slice_eq(writes->puts[i], key))
			return true;
	}
	return false;
}

static bool is_deleted(const struct naive *writes, struct es_slice key)
{
	for (size_t i = 0; i < writes->delete_count; i++) {
		const struct es_wire_delete *del = writes->deletes[i];

		if (del->range_end.len == 0 ? es_slice_eq(del->key, key)
					    : es_slice_cmp(del->key, key) <= 0 &&
						      es_slice_cmp(key, del->range_end) < 0)
			return true;
	}
	return false;
}

static bool naive_collect(const struct es_wire_op *ops, size_t count, struct naive *all);

static bool naive_nested(const struct es_wire_txn *txn, struct naive *all)
{
	struct naive branch[2];
	size_t before = all->put_count;
	size_t put_count = before;

	if (!naive_collect(txn->success, txn->success_count, &branch[0]) ||
	    !naive_collect(txn->failure, txn->failure_count, &branch[1]))
		return false;
	for (int b = 0; b < 2; b++) {
		for (size_t i = 0; i < branch[b].put_count; i++) {
			all->put_count = before;
			if (is_put(all, branch[b].puts[i]) || is_deleted(all, branch[b].puts[i]))
				return false;
			all->put_count = put_count;
			if (!is_put(all, branch[b].puts[i]))
				all->puts[put_count++] = branch[b].puts[i];
		}
	}
	all->put_count = put_count;
	for (int b = 0; b < 2; b++) {
		for (size_t i = 0; i < branch[b].delete_count; i++)
			all->deletes[all->delete_count++] = branch[b].deletes[i];
	}
	return true;
}

static bool naive_collect(const struct es_wire_op *ops, size_t count, struct naive *all)
{
	all->put_count = 0;
	all->delete_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ES_WIRE_OP_DELETE)
			all->deletes[all->delete_count++] = &ops[i].u.del;
	}
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ES_WIRE_OP_TXN && !naive_nested(ops[i].u.txn, all))
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind != ES_WIRE_OP_PUT)
			continue;
		if (is_put(all, ops[i].u.put.key) || is_deleted(all, ops[i].u.put.key))
			return false;
		all->puts[all->put_count++] = ops[i].u.put.key;
	}
	return true;
}

/* ---- random transactions --------------------------------------------------------------------- */

struct maker {
	struct es_rng rng;
	struct es_arena arena;
	uint64_t keys;       /* how many different ones there are */
	uint64_t deletes_in; /* one write in so many is a delete */
};

static struct es_slice random_key(struct maker *maker)
{
	uint64_t n = es_rng_below(&maker->rng, maker->keys);
	char *text = es_arena_alloc(&maker->arena, 8);

	/* Some are the beginning of others. */
	return es_slice(text, (size_t)snprintf(text, 8, n % 3 == 0 ? "%x" : "%02x",
					       (unsigned)(n & 0xffff)));
}

static void random_write(struct maker *maker, struct es_wire_op *op)
{
	static const struct es_slice to_the_end = {(const uint8_t *)"", 1};

	if (es_rng_below(&maker->rng, maker->deletes_in) > 0) {
		op->kind = ES_WIRE_OP_PUT;
		op->u.put.key = random_key(maker);
		return;
	}
	op->kind = ES_WIRE_OP_DELETE;
	op->u.del.key = random_key(maker);
	switch (es_rng_below(&maker->rng, 8)) {
	case 0: op->u.del.range_end = to_the_end; break;
	case 1:
	case 2:
	case 3: op->u.del.range_end = random_key(maker); break;
	default: break;
	}
}

static const struct es_wire_op *random_ops(struct maker *maker, unsigned depth, size_t *ret_count)
{
	size_t count = es_rng_below(&maker->rng, 6);
	struct es_wire_op *ops = es_arena_calloc(&maker->arena, count + 1, sizeof(*ops));

	for (size_t i = 0; i < count; i++) {
		struct es_wire_txn *txn;

		if (depth == 0 || es_rng_below(&maker->rng, 3) > 0) {
			random_write(maker, &ops[i]);
			continue;
		}
		txn = es_arena_calloc(&maker->arena, 1, sizeof(*txn));
		txn->success = random_ops(maker, depth - 1, &txn->success_count);
		txn->failure = random_ops(maker, depth - 1, &txn->failure_count);
		ops[i].kind = ES_WIRE_OP_TXN;
		ops[i].u.txn = txn;
	}
	*ret_count = count;
	return ops;
}

static void assert_ordered(const struct es_api_spans *set)
{
	for (size_t i = 1; i < set->count; i++) {
		int order = es_slice_cmp(set->spans[i - 1].end, set->spans[i].first);

		assert_true(order < 0 || (order == 0 && !set->spans[i - 1].has_end));
	}
}

static void answers_are_those_of_the_plain_rule(void **state)
{
	enum { ROUNDS = 60000 };
	static const uint64_t keys[] = {20, 100, 2000};
	uint64_t seed = 0x77726974;
	unsigned refused = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct maker maker = {.keys = keys[round % 3], .deletes_in = 2 + round % 5};
		struct es_api_writes writes;
		static struct naive naive;
		const struct es_wire_op *ops;
		size_t count;
		bool allowed;
		int rc;

		es_rng_init(&maker.rng, seed + round);
		es_arena_init(&maker.arena, es_mem_default(), 4096);
		ops = random_ops(&maker, 3, &count);
		allowed = naive_collect(ops, count, &naive);
		rc = es_api_writes_collect(ops, count, &maker.arena, &writes);
		if (rc != (allowed ? 0 : ES_EDUPLICATE_KEY))
			fail_msg("seed %d: %s", (int)(seed + round), es_status_text(rc));
		refused += !allowed;
		if (rc == 0) {
			assert_int_equal(writes.puts.count, naive.put_count);
			assert_ordered(&writes.puts);
			assert_ordered(&writes.deletes);
		}
		es_arena_close(&maker.arena);
	}
	assert_in_range(refused, ROUNDS / 10, ROUNDS / 10 * 9);
}

/* ---- cost ------------------------------------------------------------------------------------ */

enum { MANY = 200000 };

static struct es_slice numbered(struct es_arena *arena, int n, const char *suffix)
{
	char *text = es_arena_alloc(arena, 16);

	return es_slice(text, (size_t)snprintf(text, 16, "d%08d%s", n, suffix));
}

/* Looking at each delete for each put would take minutes. */
static void many_writes_are_looked_at_in_no_time(void **state)
{
	struct es_wire_op *ops = calloc(2 * MANY, sizeof(*ops));
	struct es_wire_op *nested = calloc(MANY, sizeof(*nested));
	struct es_wire_txn *txns = calloc(MANY, sizeof(*txns));
	struct es_api_writes writes;
	struct es_arena arena;

	(void)state;
	assert_true(ops != NULL && nested != NULL && txns != NULL);
	es_arena_init(&arena, es_mem_default(), 1 << 20);
	for (int i = 0; i < MANY; i++) {
		ops[2 * i].kind = ES_WIRE_OP_DELETE;
		ops[2 * i].u.del.key = numbered(&arena, i, "");
		ops[2 * i + 1].kind = ES_WIRE_OP_PUT;
		ops[2 * i + 1].u.put.key = numbered(&arena, i, "x");
	}
	assert_int_equal(es_api_writes_collect(ops, (size_t)2 * MANY, &arena, &writes), 0);
	assert_int_equal(writes.puts.count, MANY);
	assert_int_equal(writes.deletes.count, MANY);
	/* The same in as many nested transactions. */
	for (int i = 0; i < MANY; i++) {
		nested[i].kind = ES_WIRE_OP_TXN;
		nested[i].u.txn = &txns[i];
		txns[i].success = &ops[2 * i];
		txns[i].success_count = 2;
	}
	assert_int_equal(es_api_writes_collect(nested, MANY, &arena, &writes), 0);
	assert_int_equal(writes.puts.count, MANY);
	assert_int_equal(writes.deletes.count, MANY);
	es_arena_close(&arena);
	free(txns);
	free(nested);
	free(ops);
}

static void no_memory_is_reported(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct maker maker = {.keys = 60000, .deletes_in = 4};
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_api_writes writes;
		const struct es_wire_op *ops;
		size_t count;
		int rc;

		es_rng_init(&maker.rng, 7);
		es_arena_init(&maker.arena, es_mem_default(), 4096);
		do {
			ops = random_ops(&maker, 3, &count);
			es_arena_init(&arena, es_mem_default(), 16);
			rc = es_api_writes_collect(ops, count, &arena, &writes);
			es_arena_close(&arena);
		} while (rc < 0 || writes.puts.count < 20 || writes.deletes.count < 10);
		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 16);
		rc = es_api_writes_collect(ops, count, &arena, &writes);
		es_arena_close(&arena);
		es_arena_close(&maker.arena);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_those_of_the_plain_rule),
		cmocka_unit_test(many_writes_are_looked_at_in_no_time),
		cmocka_unit_test(no_memory_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
