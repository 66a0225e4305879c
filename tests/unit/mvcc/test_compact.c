#include "support.h"

static void sweep(struct bench *b)
{
	while (es_mvcc_compact_step(b->store, 1))
		es_mvcc_check(b->store);
	es_mvcc_check(b->store);
}

static void compact(struct bench *b, int64_t revision)
{
	assert_int_equal(es_mvcc_compact(b->store, revision), 0);
	assert_int_equal(es_mvcc_compacted(b->store), revision);
	sweep(b);
}

static int count_at(struct bench *b, int64_t revision, int64_t *ret_count)
{
	struct es_mvcc_range_req req = {
		.range = EVERYTHING, .revision = revision, .count_only = true};
	struct es_mvcc_range_res res;
	int rc = es_mvcc_range(b->store, &req, &b->arena, &res);

	*ret_count = rc == 0 ? res.count : -1;
	return rc;
}

static void codes_are_those_of_etcd(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(es_mvcc_compact(b.store, -1), ES_ECOMPACTED);
	assert_int_equal(es_mvcc_compact(b.store, 2), ES_EFUTURE_REV);
	assert_int_equal(es_mvcc_compact(b.store, 0), 0);
	assert_int_equal(es_mvcc_compact(b.store, 0), ES_ECOMPACTED);
	put(&b, "a", "1");
	put(&b, "a", "2");
	compact(&b, 3);
	assert_int_equal(es_mvcc_compact(b.store, 3), ES_ECOMPACTED);
	assert_int_equal(es_mvcc_compact(b.store, 2), ES_ECOMPACTED);
	assert_int_equal(es_mvcc_compact(b.store, 4), ES_EFUTURE_REV);
	bench_close(&b);
}

static void reads_below_fail_and_at_it_work(void **state)
{
	struct es_mvcc_op range = op_range("a", NULL);
	struct bench b;
	int64_t count;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");
	put(&b, "b", "2");
	put(&b, "a", "3");
	range.u.range.revision = -1;
	assert_int_equal(apply(&b, &range, 1), 0);
	assert_int_equal(es_mvcc_compact(b.store, 3), 0);
	assert_int_equal(count_at(&b, 2, &count), ES_ECOMPACTED);
	assert_int_equal(count_at(&b, 3, &count), 0);
	assert_int_equal(count, 2);
	/* A negative revision is the newest to a plain range; a transaction checks it as a number.
	 */
	assert_int_equal(count_at(&b, -1, &count), 0);
	assert_int_equal(apply(&b, &range, 1), ES_ECOMPACTED);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 3);
	assert_int_equal(count_at(&b, 3, &count), 0);
	assert_int_equal(count, 2);
	bench_close(&b);
}

static void only_what_no_reader_needs_goes(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");  /* 2 */
	put(&b, "a", "2");  /* 3 */
	put(&b, "a", "3");  /* 4 */
	put(&b, "b", "1");  /* 5 */
	del(&b, "b", NULL); /* 6 */
	put(&b, "c", "1");  /* 7 */
	compact(&b, 3);     /* a@2 goes */
	assert_int_equal(es_mvcc_versions(b.store), 5);
	compact(&b, 5); /* a@3 goes */
	assert_int_equal(es_mvcc_versions(b.store), 4);
	compact(&b, 6); /* b@5 goes; its tombstone at 6 stays for watchers */
	assert_int_equal(es_mvcc_versions(b.store), 3);
	compact(&b, 7); /* and goes now, with the key */
	assert_int_equal(es_mvcc_versions(b.store), 2);
	assert_int_equal(es_mvcc_keys(b.store), 2);
	bench_close(&b);
}

static void a_key_that_comes_back_survives(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");  /* 2 */
	del(&b, "a", NULL); /* 3 */
	compact(&b, 3);
	put(&b, "a", "2"); /* 4 */
	put(&b, "b", "2"); /* 5 */
	assert_int_equal(kv_of(es_mvcc_get(b.store, ES_SLICE("a"))).version, 1);
	compact(&b, 5);
	assert_int_equal(es_mvcc_versions(b.store), 2);
	assert_non_null(es_mvcc_get(b.store, ES_SLICE("a")));
	/* Everything deleted and compacted leaves nothing. */
	assert_int_equal(del(&b, "a", "z"), 2);
	del(&b, "a", "z");
	put(&b, "c", "1");
	del(&b, "c", NULL);
	put(&b, "d", "1");
	compact(&b, es_mvcc_revision(b.store));
	assert_int_equal(es_mvcc_versions(b.store), 1);
	bench_close(&b);
}

static void pins_hold_what_their_reader_sees(void **state)
{
	struct es_mvcc_pin low, high, zero;
	struct bench b;
	const struct es_mvcc_version *first, *second;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1"); /* 2 */
	first = b.events[0].version;
	es_mvcc_pin(b.store, 2, &low);
	put(&b, "a", "2"); /* 3 */
	second = b.events[0].version;
	put(&b, "b", "2"); /* 4 */
	es_mvcc_pin(b.store, 4, &high);
	del(&b, "b", NULL); /* 5 */
	put(&b, "a", "3");  /* 6 */
	compact(&b, 6);
	assert_int_equal(es_mvcc_versions(b.store), 5);
	assert_slice(kv_of(first).value, "1");
	es_mvcc_unpin(b.store, &low);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 4);
	assert_slice(kv_of(second).value, "2");
	es_mvcc_pin(b.store, 0, &zero);
	es_mvcc_unpin(b.store, &high);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 4);
	es_mvcc_unpin(b.store, &zero);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 1);
	bench_close(&b);
}

/* A pin that comes while the sweep is under way makes it pass tombstones at a lower target: they
 * are not forgotten. */
static void a_falling_target_forgets_no_tombstone(void **state)
{
	struct es_mvcc_pin pin;
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");  /* 2 */
	put(&b, "b", "1");  /* 3 */
	del(&b, "a", NULL); /* 4 */
	put(&b, "b", "2");  /* 5 */
	assert_int_equal(es_mvcc_compact(b.store, 5), 0);
	assert_true(es_mvcc_compact_step(b.store, 1));
	es_mvcc_pin(b.store, 4, &pin);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 3);
	es_mvcc_unpin(b.store, &pin);
	sweep(&b);
	assert_int_equal(es_mvcc_versions(b.store), 1);
	bench_close(&b);
}

static void a_budget_bounds_a_step(void **state)
{
	struct bench b;
	uint64_t before;

	(void)state;
	bench_open(&b);
	for (int i = 0; i < 1000; i++)
		put(&b, i % 2 == 0 ? "a" : "b", "1");
	assert_int_equal(es_mvcc_compact(b.store, es_mvcc_revision(b.store)), 0);
	assert_true(es_mvcc_compact_step(b.store, 0));
	assert_int_equal(es_mvcc_versions(b.store), 1000);
	while (before = es_mvcc_versions(b.store), es_mvcc_compact_step(b.store, 10))
		assert_in_range(before - es_mvcc_versions(b.store), 0, 20);
	assert_int_equal(es_mvcc_versions(b.store), 2);
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void survivors_are_what_a_compaction_keeps(void **state)
{
	struct es_mvcc_event events[16];
	struct es_mvcc_cursor cursor = {0, 0};
	struct bench b;
	static const bool want[] = {false, true, false, true, false, true, true};

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");  /* 2 */
	put(&b, "a", "2");  /* 3 */
	put(&b, "b", "1");  /* 4 */
	put(&b, "c", "1");  /* 5 */
	del(&b, "b", NULL); /* 6 */
	put(&b, "d", "1");  /* 7 */
	del(&b, "c", NULL); /* 8 */
	assert_int_equal(es_mvcc_history(b.store, &cursor, 100, events, 16), 7);
	for (size_t i = 0; i < 7; i++)
		assert_true(es_mvcc_survives(events[i].version, 7) == want[i]);
	assert_true(
		es_mvcc_survives(events[4].version, 6)); /* a tombstone at the revision itself */
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_etcd),
		cmocka_unit_test(reads_below_fail_and_at_it_work),
		cmocka_unit_test(only_what_no_reader_needs_goes),
		cmocka_unit_test(a_key_that_comes_back_survives),
		cmocka_unit_test(pins_hold_what_their_reader_sees),
		cmocka_unit_test(a_falling_target_forgets_no_tombstone),
		cmocka_unit_test(a_budget_bounds_a_step),
		cmocka_unit_test(survivors_are_what_a_compaction_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
