#include "support.h"

static void history_can_be_read_in_pieces(void **state)
{
	struct es_mvcc_op three[] = {op_put("x", "1"), op_put("y", "1"), op_delete("a", NULL)};
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event event;
	struct bench b;
	static const struct {
		const char *key;
		int64_t main, sub;
		bool prev;
	} want[] = {{"a", 2, 0, false}, {"a", 3, 0, true}, {"x", 4, 0, false},
		    {"y", 4, 1, false}, {"a", 4, 2, true}, {"a", 5, 0, false}};

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");
	put(&b, "a", "2");
	assert_int_equal(apply(&b, three, 3), 0);
	put(&b, "a", "3");
	for (size_t i = 0; i < ES_ARRAY_LEN(want); i++) {
		struct es_mvcc_kv kv;

		assert_int_equal(es_mvcc_history(b.store, &cursor, 5, &event, 1), 1);
		kv = kv_of(event.version);
		assert_slice(kv.key, want[i].key);
		assert_int_equal(kv.mod_revision, want[i].main);
		assert_int_equal(kv.sub_revision, want[i].sub);
		assert_true((event.prev != NULL) == want[i].prev);
	}
	assert_int_equal(es_mvcc_history(b.store, &cursor, 5, &event, 1), 0);
	/* The position stays good: what comes later follows. */
	put(&b, "z", "1");
	assert_int_equal(es_mvcc_history(b.store, &cursor, 5, &event, 1), 0);
	assert_int_equal(es_mvcc_history(b.store, &cursor, 6, &event, 1), 1);
	assert_slice(kv_of(event.version).key, "z");
	cursor = (struct es_mvcc_cursor){4, 1};
	assert_int_equal(es_mvcc_history(b.store, &cursor, 4, &event, 0), 0);
	assert_int_equal(es_mvcc_history(b.store, &cursor, 4, &event, 1), 1);
	assert_slice(kv_of(event.version).key, "y");
	bench_close(&b);
}

static void what_was_compacted_away_is_no_prev(void **state)
{
	struct es_mvcc_event events[4];
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1"); /* 2 */
	put(&b, "a", "2"); /* 3 */
	put(&b, "a", "3"); /* 4 */
	assert_int_equal(es_mvcc_compact(b.store, 3), 0);
	/* The same before anything was freed and after it. */
	for (int i = 0; i < 2; i++) {
		struct es_mvcc_cursor cursor = {3, 0};

		assert_int_equal(es_mvcc_history(b.store, &cursor, 4, events, 4), 2);
		assert_null(events[0].prev);
		assert_slice(kv_of(events[1].prev).value, "2");
		while (es_mvcc_compact_step(b.store, 10))
			;
	}
	bench_close(&b);
}

/* Which of the versions, in order, count for HashKV, as a string of 0 and 1. */
static const char *included(struct bench *b, int64_t revision, int64_t compacted)
{
	static char text[32];
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event events[31];
	size_t n = es_mvcc_history(b->store, &cursor, INT64_MAX, events, 31);

	for (size_t i = 0; i < n; i++)
		text[i] = es_mvcc_hash_includes(b->store, events[i].version, revision, compacted)
				  ? '1'
				  : '0';
	text[n] = '\0';
	return text;
}

static void hash_follows_etcd(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	put(&b, "a", "1");  /* 2 */
	put(&b, "b", "1");  /* 3 */
	put(&b, "a", "2");  /* 4 */
	del(&b, "b", NULL); /* 5 */
	put(&b, "a", "3");  /* 6 */
	assert_string_equal(included(&b, 6, -1), "11111");
	assert_string_equal(included(&b, 4, -1), "11100");
	/* Compacted at 4: of 2 to 4 only what a reader at the revision of the hash sees. */
	assert_string_equal(included(&b, 4, 4), "01100");
	assert_string_equal(included(&b, 5, 4), "00110");
	assert_string_equal(included(&b, 6, 4), "00011");
	/* Compacted at the tombstone: it is passed over. */
	assert_string_equal(included(&b, 5, 5), "00100");
	assert_string_equal(included(&b, 6, 5), "00001");
	/* Nothing lives at 7: then all counts that the compaction left. */
	del(&b, "a", NULL); /* 7 */
	assert_string_equal(included(&b, 7, 4), "011111");
	assert_string_equal(included(&b, 7, 7), "000000");
	put(&b, "c", "1"); /* 8 */
	assert_string_equal(included(&b, 7, 4), "0111110");
	assert_string_equal(included(&b, 8, 4), "0001111");
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_can_be_read_in_pieces),
		cmocka_unit_test(what_was_compacted_away_is_no_prev),
		cmocka_unit_test(hash_follows_etcd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
