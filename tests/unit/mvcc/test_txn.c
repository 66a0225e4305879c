#include "support.h"

static bool lease_exists(void *ctx, int64_t lease)
{
	(void)ctx;
	return lease == 7;
}

static const struct es_mvcc_txn_env env = {.lease_exists = lease_exists};

static int run(struct bench *b, const struct es_mvcc_txn *txn)
{
	return es_mvcc_txn_apply(b->store, txn, &env, &b->arena, &b->res, &b->events,
				 &b->event_count);
}

static bool holds(struct bench *b, const struct es_mvcc_compare *compare)
{
	struct es_mvcc_txn txn = {.compare_count = 1, .compares = compare};

	assert_int_equal(run(b, &txn), 0);
	assert_int_equal(b->event_count, 0);
	return b->res->succeeded;
}

static void compares_follow_etcd(void **state)
{
	struct es_mvcc_op leased = {
		.kind = ES_MVCC_OP_PUT,
		.u.put = {.key = ES_SLICE("b"), .value = ES_SLICE("m"), .lease = 7}};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &leased};
	struct bench b;
	struct {
		int32_t target;
		int64_t number; /* what b has */
	} cases[] = {
		{ES_MVCC_COMPARE_VERSION, 2},
		{ES_MVCC_COMPARE_CREATE, 2},
		{ES_MVCC_COMPARE_MOD, 3},
		{ES_MVCC_COMPARE_LEASE, 7},
	};

	(void)state;
	bench_open(&b);
	put(&b, "b", "x");
	assert_int_equal(run(&b, &txn), 0);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		for (int64_t off = -1; off <= 1; off++) {
			struct es_mvcc_compare c = {.range = span("b", NULL),
						    .target = cases[i].target,
						    .number = cases[i].number + off};

			c.result = ES_MVCC_COMPARE_EQUAL;
			assert_true(holds(&b, &c) == (off == 0));
			c.result = ES_MVCC_COMPARE_NOT_EQUAL;
			assert_true(holds(&b, &c) == (off != 0));
			c.result = ES_MVCC_COMPARE_GREATER;
			assert_true(holds(&b, &c) == (off < 0));
			c.result = ES_MVCC_COMPARE_LESS;
			assert_true(holds(&b, &c) == (off > 0));
			/* A missing key has zeros. */
			c.range = span("a", NULL);
			c.result = ES_MVCC_COMPARE_LESS;
			assert_true(holds(&b, &c) == (c.number > 0));
			c.number = 0;
			c.result = ES_MVCC_COMPARE_EQUAL;
			assert_true(holds(&b, &c));
			c.range = span("b", NULL);
		}
	}
	bench_close(&b);
}

static void compares_on_values_and_ranges(void **state)
{
	struct es_mvcc_compare c = {.range = span("b", NULL),
				    .target = ES_MVCC_COMPARE_VALUE,
				    .result = ES_MVCC_COMPARE_GREATER,
				    .value = ES_SLICE("l")};
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "b", "m");
	put(&b, "c", "n");
	del(&b, "c", NULL);
	put(&b, "d", "n");
	assert_true(holds(&b, &c));
	c.value = ES_SLICE("m");
	assert_false(holds(&b, &c));
	c.value = ES_SLICE("");
	assert_true(holds(&b, &c));
	/* A missing key fails every comparison of its value. */
	for (int32_t result = 0; result <= ES_MVCC_COMPARE_NOT_EQUAL + 1; result++) {
		c.range = span("a", NULL);
		c.result = result;
		assert_false(holds(&b, &c));
		c.range = span("x", "z");
		assert_false(holds(&b, &c));
	}
	/* A range holds when every key of it does; dead keys do not take part. */
	c = (struct es_mvcc_compare){.range = EVERYTHING,
				     .target = ES_MVCC_COMPARE_VERSION,
				     .result = ES_MVCC_COMPARE_EQUAL,
				     .number = 1};
	assert_true(holds(&b, &c));
	c.range = span("a", "d");
	c.target = ES_MVCC_COMPARE_MOD;
	c.number = 2;
	assert_true(holds(&b, &c));
	c.range = span("a", "e");
	assert_false(holds(&b, &c));
	/* An empty range is a missing key. */
	c.range = span("c", "b");
	c.number = 0;
	assert_true(holds(&b, &c));
	/* Unknown targets find equality, unknown results hold. */
	c.range = span("b", NULL);
	c.target = 9;
	c.number = 5;
	assert_true(holds(&b, &c));
	c.result = ES_MVCC_COMPARE_LESS;
	assert_false(holds(&b, &c));
	c.result = 9;
	assert_true(holds(&b, &c));
	bench_close(&b);
}

static void operations_see_what_came_before(void **state)
{
	struct es_mvcc_op ops[] = {
		op_range("a", "z"), op_put("a", "1"),    op_range("a", "z"), op_delete("b", "c"),
		op_range("a", "z"), op_delete("x", "y"), op_put("b1", "3"),
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "b", "0");
	put(&b, "b1", "0");
	ops[1].u.put.prev_kv = true;
	ops[6].u.put.prev_kv = true;
	ops[2].u.range.limit = 1;
	assert_int_equal(apply(&b, ops, ES_ARRAY_LEN(ops)), 0);
	assert_int_equal(b.res->revision, 4);
	assert_int_equal(es_mvcc_revision(b.store), 4);
	assert_int_equal(b.res->n, ES_ARRAY_LEN(ops));

	assert_int_equal(b.res->ops[0].revision, 3); /* nothing written yet */
	assert_int_equal(b.res->ops[0].u.range.n, 2);
	assert_int_equal(b.res->ops[1].revision, 4);
	assert_null(b.res->ops[1].u.put.prev);
	assert_int_equal(b.res->ops[2].revision, 4);
	assert_int_equal(b.res->ops[2].u.range.count, 3);
	assert_slice(kv_of(b.res->ops[2].u.range.versions[0]).key, "a");
	assert_int_equal(b.res->ops[3].revision, 4);
	assert_int_equal(b.res->ops[3].u.del.deleted, 2);
	assert_int_equal(b.res->ops[3].u.del.prev_count, 2);
	assert_slice(kv_of(b.res->ops[3].u.del.prevs[0]).key, "b");
	assert_slice(kv_of(b.res->ops[3].u.del.prevs[1]).key, "b1");
	assert_int_equal(b.res->ops[4].u.range.count, 1);
	assert_int_equal(b.res->ops[5].revision, 4);
	assert_int_equal(b.res->ops[5].u.del.deleted, 0);
	assert_null(b.res->ops[6].u.put.prev);

	assert_int_equal(b.event_count, 4);
	for (size_t i = 0; i < b.event_count; i++) {
		struct es_mvcc_kv kv = kv_of(b.events[i].version);

		assert_int_equal(kv.mod_revision, 4);
		assert_int_equal(kv.sub_revision, i);
	}
	assert_slice(kv_of(b.events[1].prev).key, "b");
	assert_null(b.events[3].prev);
	/* Deleted and put in one transaction: a new life. */
	assert_int_equal(kv_of(b.events[3].version).version, 1);
	assert_int_equal(kv_of(b.events[3].version).create_revision, 4);
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void writing_nothing_takes_no_revision(void **state)
{
	struct es_mvcc_op ops[] = {op_delete("x", NULL), op_range("a", NULL)};
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");
	assert_int_equal(apply(&b, ops, 2), 0);
	assert_int_equal(b.event_count, 0);
	assert_int_equal(b.res->revision, 2);
	assert_int_equal(b.res->ops[0].revision, 2);
	assert_int_equal(es_mvcc_revision(b.store), 2);
	assert_int_equal(apply(&b, NULL, 0), 0);
	assert_true(b.res->succeeded);
	assert_int_equal(b.res->n, 0);
	bench_close(&b);
}

static void nested_compares_see_the_state_before(void **state)
{
	struct es_mvcc_compare missing = {.range = span("a", NULL),
					  .target = ES_MVCC_COMPARE_VERSION,
					  .result = ES_MVCC_COMPARE_EQUAL,
					  .number = 0};
	struct es_mvcc_op then = op_put("t", "then"), otherwise = op_put("e", "else");
	struct es_mvcc_txn nested = {.compare_count = 1,
				     .compares = &missing,
				     .success_count = 1,
				     .success = &then,
				     .failure_count = 1,
				     .failure = &otherwise};
	struct es_mvcc_op ops[] = {
		op_put("a", "1"), {.kind = ES_MVCC_OP_TXN, .u.txn = &nested}, op_range("t", NULL)};
	struct es_mvcc_txn txn = {.compare_count = 1,
				  .compares = &missing,
				  .success_count = 3,
				  .success = ops,
				  .failure_count = 1,
				  .failure = &ops[1]};
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_true(es_mvcc_txn_may_write(&txn));
	assert_int_equal(run(&b, &txn), 0);
	assert_true(b.res->succeeded);
	assert_int_equal(b.res->revision, 2);
	assert_int_equal(b.res->ops[1].revision, 0);
	assert_true(b.res->ops[1].u.txn->succeeded);
	assert_int_equal(b.res->ops[1].u.txn->revision, 0);
	assert_int_equal(b.res->ops[1].u.txn->ops[0].revision, 2);
	assert_int_equal(b.res->ops[2].u.range.n, 1);
	assert_int_equal(b.event_count, 2);

	assert_int_equal(run(&b, &txn), 0);
	assert_false(b.res->succeeded);
	assert_false(b.res->ops[0].u.txn->succeeded);
	assert_slice(kv_of(b.events[0].version).key, "e");
	bench_close(&b);
}

static void may_write_looks_into_every_branch(void **state)
{
	struct es_mvcc_op range = op_range("a", NULL), put_op = op_put("a", "1"),
			  delete_op = op_delete("a", NULL);
	struct es_mvcc_txn inner = {.failure_count = 1, .failure = &put_op};
	struct es_mvcc_op nested = {.kind = ES_MVCC_OP_TXN, .u.txn = &inner};

	(void)state;
	assert_false(es_mvcc_txn_may_write(
		&(struct es_mvcc_txn){.success_count = 1, .success = &range}));
	assert_true(es_mvcc_txn_may_write(
		&(struct es_mvcc_txn){.failure_count = 1, .failure = &delete_op}));
	assert_true(es_mvcc_txn_may_write(
		&(struct es_mvcc_txn){.success_count = 1, .success = &nested}));
	inner.failure = &range;
	assert_false(es_mvcc_txn_may_write(
		&(struct es_mvcc_txn){.success_count = 1, .success = &nested}));
}

static void keeping_value_or_lease(void **state)
{
	struct es_mvcc_op op = op_put("a", "1");
	struct bench b;

	(void)state;
	bench_open(&b);
	op.u.put.lease = 7;
	assert_int_equal(apply(&b, &op, 1), 0);
	op = op_put("a", NULL);
	op.u.put.ignore_value = true;
	op.u.put.prev_kv = true;
	assert_int_equal(apply(&b, &op, 1), 0);
	assert_slice(kv_of(es_mvcc_get(b.store, ES_SLICE("a"))).value, "1");
	assert_int_equal(kv_of(es_mvcc_get(b.store, ES_SLICE("a"))).lease, 0);
	assert_int_equal(kv_of(b.res->ops[0].u.put.prev).lease, 7);
	op = op_put("a", "2");
	op.u.put.lease = 7;
	assert_int_equal(apply(&b, &op, 1), 0);
	op = op_put("a", "3");
	op.u.put.ignore_lease = true;
	assert_int_equal(apply(&b, &op, 1), 0);
	assert_slice(kv_of(es_mvcc_get(b.store, ES_SLICE("a"))).value, "3");
	assert_int_equal(kv_of(es_mvcc_get(b.store, ES_SLICE("a"))).lease, 7);
	assert_null(b.res->ops[0].u.put.prev);
	bench_close(&b);
}

static void refusals_come_in_order_and_change_nothing(void **state)
{
	struct es_mvcc_op put_ok = op_put("n", "1"), no_lease = op_put("a", "1"),
			  no_key = op_put("x", NULL);
	struct es_mvcc_op future = op_range("a", NULL), sort = op_range("a", NULL),
			  compacted = op_range("a", NULL);
	struct es_mvcc_op too_large = op_put("a", "1");
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "0");
	no_lease.u.put.lease = 8;
	no_lease.u.put.ignore_value = true;
	no_key.u.put.ignore_value = true;
	future.u.range.revision = 3;
	sort.u.range.sort_order = 7;
	compacted.u.range.revision = -2;
	too_large.u.put.key.len = (size_t)INT32_MAX + 1;

	struct {
		struct es_mvcc_op ops[3];
		int want;
	} cases[] = {
		{{put_ok, no_lease, no_key}, ES_ELEASE_NOT_FOUND},
		{{put_ok, no_key, no_lease}, ES_EKEY_NOT_FOUND},
		{{put_ok, future, no_key}, ES_EFUTURE_REV},
		{{put_ok, sort, future}, ES_EINVALID_SORT},
		{{put_ok, compacted, future}, ES_ECOMPACTED},
		{{put_ok, too_large, future}, ES_ETOO_LARGE},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_mvcc_txn inner = {.success_count = 3, .success = cases[i].ops};
		struct es_mvcc_op nested = {.kind = ES_MVCC_OP_TXN, .u.txn = &inner};
		struct es_mvcc_txn outer = {.success_count = 1, .success = &nested};

		assert_int_equal(run(&b, &inner), cases[i].want);
		assert_int_equal(run(&b, &outer), cases[i].want);
		assert_int_equal(es_mvcc_revision(b.store), 2);
		assert_int_equal(es_mvcc_versions(b.store), 1);
		/* The branch that is not taken is not checked. */
		outer = (struct es_mvcc_txn){.failure_count = 1, .failure = &nested};
		assert_int_equal(run(&b, &outer), 0);
	}
	es_mvcc_check(b.store);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_follow_etcd),
		cmocka_unit_test(compares_on_values_and_ranges),
		cmocka_unit_test(operations_see_what_came_before),
		cmocka_unit_test(writing_nothing_takes_no_revision),
		cmocka_unit_test(nested_compares_see_the_state_before),
		cmocka_unit_test(may_write_looks_into_every_branch),
		cmocka_unit_test(keeping_value_or_lease),
		cmocka_unit_test(refusals_come_in_order_and_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
