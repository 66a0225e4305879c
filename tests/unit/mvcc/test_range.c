#include "support.h"

/* Run a range and compare "key key ...", the count and `more`. */
static void expect(struct bench *b, const struct es_mvcc_range_req *req, const char *keys,
		   int64_t count, bool more)
{
	struct es_mvcc_range_res res;
	char got[256] = "";
	size_t used = 0;

	assert_int_equal(es_mvcc_range(b->store, req, &b->arena, &res), 0);
	for (size_t i = 0; i < res.n; i++) {
		struct es_slice key = kv_of(res.versions[i]).key;

		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%.*s",
					 i == 0 ? "" : " ", (int)key.len, (const char *)key.data);
	}
	assert_string_equal(got, keys);
	assert_int_equal(res.count, count);
	assert_int_equal(res.more, more);
}

static struct es_mvcc_range_req all(void)
{
	return (struct es_mvcc_range_req){.range = EVERYTHING};
}

/* Revisions 2 to 6: a b c d; then 7 puts b again, 8 deletes c, 9 puts e and 10 a third b. */
static void fill(struct bench *b)
{
	bench_open(b);
	put(b, "a", "4");
	put(b, "b", "3");
	put(b, "c", "2");
	put(b, "d", "1");
	put(b, "d", "1");
	put(b, "b", "5");
	del(b, "c", NULL);
	put(b, "e", "1");
	put(b, "b", "6");
	assert_int_equal(es_mvcc_revision(b->store), 10);
}

static void range_ends_mean_what_etcd_means(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b);
	expect(&b, &req, "a b d e", 4, false);
	req.range = span("b", NULL);
	expect(&b, &req, "b", 1, false);
	req.range = span("c", NULL);
	expect(&b, &req, "", 0, false);
	req.range = span("b", "e");
	expect(&b, &req, "b d", 2, false);
	req.range = span("e", "b");
	expect(&b, &req, "", 0, false);
	req.revision = 5;
	expect(&b, &req, "", 0, false);
	req.revision = 0;
	req.range = span("b", "b");
	expect(&b, &req, "", 0, false);
	req.range = (struct es_mvcc_range){ES_SLICE("d"), ES_SLICE("\0")};
	expect(&b, &req, "d e", 2, false);

	assert_true(es_mvcc_range_contains(span("b", NULL), ES_SLICE("b")));
	assert_false(es_mvcc_range_contains(span("b", NULL), ES_SLICE("b1")));
	assert_true(es_mvcc_range_contains(span("b", "c"), ES_SLICE("b1")));
	assert_false(es_mvcc_range_contains(span("b", "c"), ES_SLICE("c")));
	assert_false(es_mvcc_range_contains(span("b", "a"), ES_SLICE("b")));
	assert_true(es_mvcc_range_contains(EVERYTHING, ES_SLICE("\0")));
	bench_close(&b);
}

static void limits_cut_and_counts_do_not(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b);
	req.limit = 2;
	expect(&b, &req, "a b", 4, true);
	req.limit = 4;
	expect(&b, &req, "a b d e", 4, false);
	req.limit = INT64_MAX;
	expect(&b, &req, "a b d e", 4, false);
	req.limit = -1;
	expect(&b, &req, "a b d e", 4, false);
	req.limit = 2;
	req.count_only = true;
	expect(&b, &req, "", 4, false);
	req.range = span("a", NULL);
	expect(&b, &req, "", 1, false);
	bench_close(&b);
}

static void older_revisions_are_read_as_they_were(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b);
	req.revision = 7;
	expect(&b, &req, "a b c d", 4, false);
	req.limit = 1;
	expect(&b, &req, "a", 4, true);
	req.revision = 8;
	expect(&b, &req, "a", 3, true);
	req.revision = 2;
	expect(&b, &req, "a", 1, false);
	req.revision = 1;
	expect(&b, &req, "", 0, false);
	req.revision = 9;
	req.count_only = true;
	expect(&b, &req, "", 4, false);
	req = (struct es_mvcc_range_req){.range = span("b", NULL), .revision = 9};
	expect(&b, &req, "b", 1, false);
	req.revision = 2;
	expect(&b, &req, "", 0, false);
	req.revision = -3;
	expect(&b, &req, "b", 1, false);
	bench_close(&b);
}

static void bounds_filter_before_the_limit(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b); /* mod: a 2, b 10, d 6, e 9; create: a 2, b 3, d 5, e 9 */
	req.min_mod_revision = 6;
	expect(&b, &req, "b d e", 4, false);
	req.limit = 2;
	expect(&b, &req, "b d", 4, true);
	req.max_mod_revision = 9;
	expect(&b, &req, "d e", 4, false);
	req.max_create_revision = 5;
	expect(&b, &req, "d", 4, false);
	req.min_create_revision = 6;
	expect(&b, &req, "", 4, false);
	req = all();
	req.min_create_revision = 3;
	expect(&b, &req, "b d e", 4, false);
	bench_close(&b);
}

static void sorts_are_stable_and_follow_etcd(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b); /* versions: a 1, b 3, d 2, e 1; values: a 4, b 6, d 1, e 1 */
	req.sort_order = ES_MVCC_SORT_DESCEND;
	expect(&b, &req, "e d b a", 4, false);
	req.limit = 1;
	expect(&b, &req, "e", 4, true);
	req.limit = 0;
	req.sort_target = ES_MVCC_SORT_VERSION;
	expect(&b, &req, "b d a e", 4, false);
	req.sort_order = ES_MVCC_SORT_ASCEND;
	expect(&b, &req, "a e d b", 4, false);
	req.sort_target = ES_MVCC_SORT_CREATE;
	expect(&b, &req, "a b d e", 4, false);
	req.sort_target = ES_MVCC_SORT_MOD;
	expect(&b, &req, "a d e b", 4, false);
	req.sort_target = ES_MVCC_SORT_VALUE;
	expect(&b, &req, "d e a b", 4, false);
	req.limit = 3;
	expect(&b, &req, "d e a", 4, true);
	/* Without an order etcd reads limit + 1 keys, sorts those and cuts. */
	req.sort_order = ES_MVCC_SORT_NONE;
	req.limit = 2;
	expect(&b, &req, "d a", 4, true);
	bench_close(&b);
}

static void errors_are_told(void **state)
{
	struct es_mvcc_range_req req = all();
	struct es_mvcc_range_res res;
	struct bench b;

	(void)state;
	fill(&b);
	req.revision = 11;
	assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), ES_EFUTURE_REV);
	req.sort_order = 3;
	assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), ES_EINVALID_SORT);
	req.sort_order = -1;
	assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), ES_EINVALID_SORT);
	req.sort_order = 0;
	req.sort_target = 5;
	assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), ES_EINVALID_SORT);
	req.sort_target = -1;
	assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), ES_EINVALID_SORT);
	bench_close(&b);
}

/* The count of a limited list in the past, by both of its ways: few changes since, and many. */
static void old_counts_agree_both_ways(void **state)
{
	enum { KEYS = 300 };
	struct es_mvcc_range_req req = all();
	struct es_mvcc_range_res res;
	char key[16];
	struct bench b;

	(void)state;
	bench_open(&b);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%03d", i);
		put(&b, key, "v");
	}
	req.revision = es_mvcc_revision(b.store);
	req.range = span("k1", "k2");
	req.limit = 3;
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%03d", i * 7 % KEYS);
		if (i % 3 == 0)
			del(&b, key, NULL);
		else
			put(&b, key, "w");
		if (i % 5 == 0)
			put(&b, "k1new", "v");
		assert_int_equal(es_mvcc_range(b.store, &req, &b.arena, &res), 0);
		assert_int_equal(res.n, 3);
		assert_int_equal(res.count, 100);
		assert_true(res.more);
	}
	bench_close(&b);
}

static void memory_running_out_is_told(void **state)
{
	struct es_mvcc_range_req req = all();
	struct bench b;

	(void)state;
	fill(&b);
	req.sort_order = ES_MVCC_SORT_DESCEND;
	req.sort_target = ES_MVCC_SORT_VALUE;
	for (int64_t revision = 0; revision <= 8; revision += 8) {
		req.revision = revision;
		for (uint64_t n = 0;; n++) {
			struct es_mvcc_range_res res;
			struct es_fault_mem fault;
			struct es_arena arena;
			int rc;

			es_fault_mem_init(&fault, n);
			es_arena_init(&arena, &fault.mem, 16);
			rc = es_mvcc_range(b.store, &req, &arena, &res);
			assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
			es_arena_close(&arena);
			assert_int_equal(fault.live, 0);
			if (!fault.fired)
				break;
			assert_true(n < 10);
		}
	}
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(range_ends_mean_what_etcd_means),
		cmocka_unit_test(limits_cut_and_counts_do_not),
		cmocka_unit_test(older_revisions_are_read_as_they_were),
		cmocka_unit_test(bounds_filter_before_the_limit),
		cmocka_unit_test(sorts_are_stable_and_follow_etcd),
		cmocka_unit_test(errors_are_told),
		cmocka_unit_test(old_counts_agree_both_ways),
		cmocka_unit_test(memory_running_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
