#include "support.h"

#include "mvcc/store.h"

static void the_empty_store_is_at_revision_one(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(es_mvcc_revision(b.store), 1);
	assert_int_equal(es_mvcc_compacted(b.store), -1);
	assert_int_equal(es_mvcc_keys(b.store), 0);
	assert_int_equal(es_mvcc_versions(b.store), 0);
	assert_true(es_mvcc_bytes(b.store) > 0);
	assert_true(es_mvcc_bytes_live(b.store) > 0);
	assert_null(es_mvcc_get(b.store, ES_SLICE("a")));
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void a_store_may_count_from_zero(void **state)
{
	struct bench b;
	struct es_mvcc_kv kv;

	(void)state;
	bench_open(&b);
	es_mvcc_count_from(b.store, 0);
	assert_int_equal(es_mvcc_revision(b.store), 0);
	es_mvcc_check(b.store);
	put(&b, "a", "one");
	put(&b, "a", "two");
	kv = kv_of(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_int_equal(kv.create_revision, 1);
	assert_int_equal(kv.mod_revision, 2);
	assert_int_equal(es_mvcc_compact(b.store, 2), 0);
	while (es_mvcc_compact_step(b.store, 100))
		;
	assert_int_equal(es_mvcc_versions(b.store), 1);
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void a_key_lives_dies_and_lives_again(void **state)
{
	struct bench b;
	struct es_mvcc_kv kv;

	(void)state;
	bench_open(&b);
	put(&b, "a", "one");
	put(&b, "a", "two");
	kv = kv_of(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_slice(kv.key, "a");
	assert_slice(kv.value, "two");
	assert_int_equal(kv.create_revision, 2);
	assert_int_equal(kv.mod_revision, 3);
	assert_int_equal(kv.sub_revision, 0);
	assert_int_equal(kv.version, 2);
	assert_int_equal(kv.lease, 0);

	assert_int_equal(del(&b, "a", NULL), 1);
	kv = kv_of(b.events[0].version);
	assert_slice(kv.key, "a");
	assert_slice(kv.value, "");
	assert_int_equal(kv.create_revision, 0);
	assert_int_equal(kv.mod_revision, 4);
	assert_int_equal(kv.version, 0);
	assert_slice(kv_of(b.events[0].prev).value, "two");
	assert_null(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_int_equal(es_mvcc_keys(b.store), 0);
	assert_int_equal(es_mvcc_versions(b.store), 3);

	put(&b, "a", "");
	assert_null(b.events[0].prev);
	kv = kv_of(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_slice(kv.value, "");
	assert_int_equal(kv.create_revision, 5);
	assert_int_equal(kv.version, 1);
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void keys_may_hold_any_bytes(void **state)
{
	static const uint8_t zeros[] = {0, 0, 0xff};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t len = 1; len <= sizeof(zeros); len++) {
		struct es_mvcc_op op = {.kind = ES_MVCC_OP_PUT, .u.put.key = es_slice(zeros, len)};

		assert_int_equal(apply(&b, &op, 1), 0);
	}
	for (size_t len = 1; len <= sizeof(zeros); len++) {
		const struct es_mvcc_version *version = es_mvcc_get(b.store, es_slice(zeros, len));

		assert_non_null(version);
		assert_int_equal(kv_of(version).key.len, len);
	}
	assert_int_equal(del(&b, "\xff", "\0"), 0);
	es_mvcc_check(b.store);
	bench_close(&b);
}

/* Numbers that outgrow their place in the header keep their value. */
static void rare_numbers_are_kept_whole(void **state)
{
	static const int64_t numbers[] = {0,        1, 8191, 8192, 65535, 65536, INT64_C(1) << 40,
					  INT64_MAX};
	int64_t main = 2;
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ES_ARRAY_LEN(numbers); i++) {
		for (size_t j = 1; j < ES_ARRAY_LEN(numbers); j++) {
			for (int lease = -1; lease <= 1; lease++) {
				struct es_mvcc_content content = {.value = ES_SLICE("value"),
								  .create = 1,
								  .version = numbers[j],
								  .lease = lease};
				const struct es_mvcc_version *version;
				struct es_btree_cursor cursor;
				struct es_mvcc_kv kv;

				es_btree_find(&b.store->tree, ES_SLICE("k"), &cursor);
				assert_int_equal(es_mvcc_write(b.store, ES_SLICE("k"), &cursor,
							       main, numbers[i], &content,
							       &version),
						 0);
				es_mvcc_version_kv(version, &kv);
				assert_int_equal(kv.mod_revision, main);
				assert_int_equal(kv.sub_revision, numbers[i]);
				assert_int_equal(kv.version, numbers[j]);
				assert_int_equal(kv.lease, lease);
				assert_slice(kv.value, "value");
				b.store->revision = main++;
			}
		}
	}
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void bytes_tell_what_is_held(void **state)
{
	struct bench b;
	uint64_t empty, one, live_empty, live_one;

	(void)state;
	bench_open(&b);
	empty = es_mvcc_bytes(b.store);
	live_empty = es_mvcc_bytes_live(b.store);
	put(&b, "a", "0123456789");
	one = es_mvcc_bytes(b.store);
	live_one = es_mvcc_bytes_live(b.store);
	assert_true(one > empty + 10);
	assert_true(live_one > live_empty + 10);
	put(&b, "a", "012345678");
	assert_true(es_mvcc_bytes(b.store) > one);
	assert_int_equal(es_mvcc_bytes_live(b.store), live_one - 1);
	del(&b, "a", NULL);
	assert_int_equal(es_mvcc_bytes_live(b.store), live_empty);
	es_mvcc_check(b.store);
	bench_close(&b);
}

/* The memory goal: key of 34 bytes, value of 256, under 400 bytes with malloc's own overhead. */
static void a_key_costs_under_400_bytes(void **state)
{
	enum { KEYS = 20000 };
	char key[64], value[257];
	struct bench b;
	uint64_t held;

	(void)state;
	memset(value, 'v', 256);
	value[256] = '\0';
	bench_open(&b);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "/registry/configmaps/ns/%010u",
			 (unsigned)i * 2654435761u);
		assert_int_equal(strlen(key), 34);
		put(&b, key, value);
		es_arena_close(&b.arena);
	}
	/* One block a version; glibc adds 8 to one of 296 bytes. */
	held = es_mvcc_bytes(b.store) + KEYS * 8;
	assert_true(held < (uint64_t)KEYS * 400);
	bench_close(&b);
}

static void memory_running_out_leaves_a_store_to_free(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct bench b = {.store = NULL};
		int rc;

		es_fault_mem_init(&b.fault, n);
		es_arena_init(&b.arena, &b.fault.mem, 256);
		rc = es_mvcc_new(&b.fault.mem, &b.store);
		for (int i = 0; rc == 0 && i < 200; i++) {
			char key[16];
			struct es_mvcc_op ops[] = {op_put(key, "v"), op_range("a", "z"),
						   op_delete("k1", "k15"), op_put("x", "v")};

			snprintf(key, sizeof(key), "k%d", i);
			rc = apply(&b, ops, i % 10 == 9 ? 4 : 1);
		}
		assert_int_equal(rc, b.fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&b.arena);
		es_mvcc_free(b.store);
		assert_int_equal(b.fault.live, 0);
		if (!b.fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_empty_store_is_at_revision_one),
		cmocka_unit_test(a_store_may_count_from_zero),
		cmocka_unit_test(a_key_lives_dies_and_lives_again),
		cmocka_unit_test(keys_may_hold_any_bytes),
		cmocka_unit_test(rare_numbers_are_kept_whole),
		cmocka_unit_test(bytes_tell_what_is_held),
		cmocka_unit_test(a_key_costs_under_400_bytes),
		cmocka_unit_test(memory_running_out_leaves_a_store_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
