#include "support.h"

static const struct es_mvcc_kv good = {
	.key = {(const uint8_t *)"a", 1},
	.create_revision = 3,
	.mod_revision = 5,
	.sub_revision = 2,
	.version = 4,
	.lease = -9,
};

static void a_version_comes_back_whole(void **state)
{
	struct es_mvcc_kv kv = good;
	struct bench b;

	(void)state;
	bench_open(&b);
	kv.value = ES_SLICE("value");
	assert_int_equal(es_mvcc_restore(b.store, &kv), 0);
	kv = (struct es_mvcc_kv){.key = ES_SLICE("b"), .mod_revision = 5, .sub_revision = 3};
	assert_int_equal(es_mvcc_restore(b.store, &kv), 0);
	assert_int_equal(es_mvcc_restore_end(b.store, 7, 5), 0);
	es_mvcc_check(b.store);
	assert_int_equal(es_mvcc_revision(b.store), 7);
	assert_int_equal(es_mvcc_compacted(b.store), 5);
	kv = kv_of(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_slice(kv.value, "value");
	assert_int_equal(kv.create_revision, 3);
	assert_int_equal(kv.mod_revision, 5);
	assert_int_equal(kv.sub_revision, 2);
	assert_int_equal(kv.version, 4);
	assert_int_equal(kv.lease, -9);
	assert_null(es_mvcc_get(b.store, ES_SLICE("b")));
	/* Life goes on from there. */
	put(&b, "a", "next");
	kv = kv_of(es_mvcc_get(b.store, ES_SLICE("a")));
	assert_int_equal(kv.mod_revision, 8);
	assert_int_equal(kv.create_revision, 3);
	assert_int_equal(kv.version, 5);
	bench_close(&b);
}

static void what_no_store_made_is_refused(void **state)
{
	struct es_mvcc_kv bad[14];
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].key.len = 0;
	bad[1].mod_revision = 1;
	bad[2].mod_revision = INT64_MAX;
	bad[3].sub_revision = -1;
	bad[4].version = -1;
	bad[5].version = 0;
	bad[6].create_revision = 0;
	bad[7].create_revision = 6;
	bad[8].value.len = (size_t)INT32_MAX + 1;
	bad[9].key.len = (size_t)INT32_MAX + 1;
	bad[10] = (struct es_mvcc_kv){.key = good.key, .mod_revision = 5, .create_revision = 1};
	bad[11] = (struct es_mvcc_kv){.key = good.key, .mod_revision = 5, .lease = 1};
	bad[12] = (struct es_mvcc_kv){.key = good.key, .mod_revision = 5, .value = ES_SLICE("v")};
	bad[13].version = INT64_MAX;
	bench_open(&b);
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		assert_int_equal(es_mvcc_restore(b.store, &bad[i]), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore(b.store, &good), 0);
	assert_int_equal(es_mvcc_restore(b.store, &good), ES_ECORRUPT);
	bad[0] = good;
	bad[0].sub_revision = 1;
	assert_int_equal(es_mvcc_restore(b.store, &bad[0]), ES_ECORRUPT);
	bad[0].mod_revision = 4;
	bad[0].sub_revision = 3;
	assert_int_equal(es_mvcc_restore(b.store, &bad[0]), ES_ECORRUPT);
	assert_int_equal(es_mvcc_versions(b.store), 1);

	assert_int_equal(es_mvcc_restore_end(b.store, 4, 1), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore_end(b.store, 5, 6), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore_end(b.store, 5, -2), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore_end(b.store, INT64_MAX, 1), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore_end(b.store, 5, -1), 0);
	bench_close(&b);
	bench_open(&b);
	assert_int_equal(es_mvcc_restore_end(b.store, 0, -1), ES_ECORRUPT);
	assert_int_equal(es_mvcc_restore_end(b.store, 9, 9), 0);
	es_mvcc_check(b.store);
	bench_close(&b);
}

static void memory_running_out_is_told(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_mvcc *store = NULL;
		int rc;

		es_fault_mem_init(&fault, n);
		rc = es_mvcc_new(&fault.mem, &store);
		for (int i = 0; rc == 0 && i < 100; i++) {
			char key[16];
			struct es_mvcc_kv kv = {.mod_revision = i + 2};

			snprintf(key, sizeof(key), "%d", i % 70);
			kv.key = str(key);
			rc = es_mvcc_restore(store, &kv);
		}
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_mvcc_free(store);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_comes_back_whole),
		cmocka_unit_test(what_no_store_made_is_refused),
		cmocka_unit_test(memory_running_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
