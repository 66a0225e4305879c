#include "store/support.h"

static const engenho_bytes none = {NULL, 0};
static const engenho_bytes to_the_end = {"", 1}; /* a zero byte */

static void keys_are_put_and_read(void **state)
{
	struct fixture *f = *state;
	engenho_range_result *result;

	assert_int_equal(put_key(f, "a", "1"), 2);
	assert_int_equal(put_key(f, "b", ""), 3);
	assert_int_equal(put_key(f, "a", "2"), 4);
	result = range(f, "a", to_the_end);
	assert_int_equal(result->count, 2);
	assert_int_equal(result->total, 2);
	assert_int_equal(result->revision, 4);
	assert_false(result->more);
	assert_true(bytes_are(result->kvs[0].key, "a") && bytes_are(result->kvs[0].value, "2"));
	assert_int_equal(result->kvs[0].version, 2);
	assert_int_equal(result->kvs[0].create_revision, 2);
	assert_int_equal(result->kvs[0].mod_revision, 4);
	assert_int_equal(result->kvs[1].value.len, 0);
	engenho_range_result_free(result);
}

static void ranges_have_options(void **state)
{
	struct fixture *f = *state;
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_range_result *result;

	for (const char *key = "a"; *key != '\0'; key++)
		(void)put_key(f, key, "1");
	(void)put_key(f, "b", "1");
	(void)put_key(f, "c", "1");
	options.key = bytes("a");
	options.range_end = to_the_end;
	options.limit = 2;
	options.keys_only = true;
	options.serializable = true;
	MUST(f, engenho_kv_range(f->store, &options, &result, &f->error));
	assert_true(result->count == 2 && result->total == 3 && result->more);
	assert_int_equal(result->kvs[0].value.len, 0);
	engenho_range_result_free(result);
	options.limit = 0;
	options.count_only = true;
	MUST(f, engenho_kv_range(f->store, &options, &result, &f->error));
	assert_true(result->count == 0 && result->total == 3);
	engenho_range_result_free(result);
	options.revision = 100;
	REFUSED(f, ENGENHO_FUTURE, engenho_kv_range(f->store, &options, &result, &f->error));
	MUST(f, engenho_compact(f->store, 3, &f->error));
	options.revision = 2;
	REFUSED(f, ENGENHO_COMPACTED, engenho_kv_range(f->store, &options, &result, &f->error));
	REFUSED(f, ENGENHO_COMPACTED, engenho_compact(f->store, 3, &f->error));
	options.key = none;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_range(f->store, &options, &result, &f->error));
}

static void keys_are_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t deleted, revision;

	(void)put_key(f, "a", "1");
	(void)put_key(f, "b", "1");
	MUST(f,
	     engenho_kv_delete(f->store, bytes("a"), to_the_end, &deleted, &revision, &f->error));
	assert_true(deleted == 2 && revision == 4);
	MUST(f, engenho_kv_delete(f->store, bytes("a"), none, &deleted, &revision, &f->error));
	assert_true(deleted == 0 && revision == 4);
	REFUSED(f, ENGENHO_INVALID, engenho_kv_delete(f->store, none, none, NULL, NULL, &f->error));
}

static void mistakes_are_told(void **state)
{
	struct fixture *f = *state;
	size_t size = 4 << 20;
	char *large = calloc(1, size);

	assert_non_null(large);
	REFUSED(f, ENGENHO_INVALID, engenho_kv_put(f->store, none, bytes("x"), 0, NULL, &f->error));
	REFUSED(f, ENGENHO_TOO_LARGE,
		engenho_kv_put(f->store, bytes("a"), (engenho_bytes){large, size}, 0, NULL,
			       &f->error));
	REFUSED(f, ENGENHO_NOT_FOUND,
		engenho_kv_put(f->store, bytes("a"), bytes("x"), 77, NULL, &f->error));
	free(large);
}

/* Every target and relation. */
static bool holds(struct fixture *f, engenho_kv_target target, engenho_kv_relation relation,
		  int64_t number, const char *value)
{
	const engenho_kv_compare compare = {.target = target,
					    .relation = relation,
					    .key = bytes("a"),
					    .number = number,
					    .value = bytes(value)};
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);
	engenho_kv_txn_result *result;
	bool succeeded;

	txn.compare_count = 1;
	txn.compares = &compare;
	MUST(f, engenho_kv_txn_commit(f->store, &txn, &result, &f->error));
	assert_int_equal(result->count, 0);
	succeeded = result->succeeded;
	engenho_kv_txn_result_free(result);
	return succeeded;
}

static void compares_compare(void **state)
{
	struct fixture *f = *state;
	int64_t lease;

	MUST(f, engenho_lease_grant(f->store, 0, 60, &lease, NULL, &f->error));
	(void)put_key(f, "x", "1");
	(void)put_key(f, "a", "0");
	MUST(f, engenho_kv_put(f->store, bytes("a"), bytes("5"), lease, NULL, &f->error));
	assert_true(holds(f, ENGENHO_KV_VERSION, ENGENHO_KV_EQUAL, 2, ""));
	assert_false(holds(f, ENGENHO_KV_VERSION, ENGENHO_KV_GREATER, 2, ""));
	assert_true(holds(f, ENGENHO_KV_CREATE, ENGENHO_KV_EQUAL, 3, ""));
	assert_true(holds(f, ENGENHO_KV_CREATE, ENGENHO_KV_LESS, 4, ""));
	assert_true(holds(f, ENGENHO_KV_MOD, ENGENHO_KV_EQUAL, 4, ""));
	assert_true(holds(f, ENGENHO_KV_MOD, ENGENHO_KV_NOT_EQUAL, 3, ""));
	assert_true(holds(f, ENGENHO_KV_VALUE, ENGENHO_KV_EQUAL, 0, "5"));
	assert_true(holds(f, ENGENHO_KV_VALUE, ENGENHO_KV_GREATER, 0, "4"));
	assert_true(holds(f, ENGENHO_KV_LEASE, ENGENHO_KV_EQUAL, lease, ""));
	assert_false(holds(f, ENGENHO_KV_LEASE, ENGENHO_KV_EQUAL, 0, ""));
}

static void a_branch_is_done_at_one_revision(void **state)
{
	struct fixture *f = *state;
	const engenho_kv_compare compare = {.target = ENGENHO_KV_VERSION, .key = bytes("a")};
	const engenho_kv_op success[] = {
		{.kind = ENGENHO_KV_OP_PUT, .key = bytes("a"), .value = bytes("1")},
		{.kind = ENGENHO_KV_OP_DELETE, .key = bytes("b"), .range_end = bytes("d")},
		{.kind = ENGENHO_KV_OP_RANGE,
		 .key = bytes("a"),
		 .range_end = to_the_end,
		 .limit = 1},
	};
	const engenho_kv_op failure[] = {{.kind = ENGENHO_KV_OP_RANGE, .key = bytes("a")}};
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);
	engenho_kv_txn_result *result;

	(void)put_key(f, "b", "1");
	(void)put_key(f, "e", "1");
	txn.compare_count = 1;
	txn.compares = &compare;
	txn.success_count = 3;
	txn.success = success;
	txn.failure_count = 1;
	txn.failure = failure;
	MUST(f, engenho_kv_txn_commit(f->store, &txn, &result, &f->error));
	assert_true(result->succeeded);
	assert_int_equal(result->revision, 4);
	assert_int_equal(result->count, 3);
	assert_int_equal(result->results[0].count, 0);
	assert_int_equal(result->results[1].total, 1);
	assert_true(result->results[2].count == 1 && result->results[2].total == 2);
	assert_true(result->results[2].more);
	assert_true(bytes_are(result->results[2].kvs[0].value, "1"));
	engenho_kv_txn_result_free(result);
	MUST(f, engenho_kv_txn_commit(f->store, &txn, &result, &f->error));
	assert_false(result->succeeded);
	assert_int_equal(result->revision, 4);
	assert_true(bytes_are(result->results[0].kvs[0].value, "1"));
	engenho_kv_txn_result_free(result);
	MUST(f, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
}

static void ranges_in_transactions_have_options(void **state)
{
	struct fixture *f = *state;
	const engenho_kv_op ops[] = {
		{.kind = ENGENHO_KV_OP_RANGE, .key = bytes("a"), .revision = 2},
		{.kind = ENGENHO_KV_OP_RANGE, .key = bytes("a"), .keys_only = true},
		{.kind = ENGENHO_KV_OP_RANGE,
		 .key = bytes("a"),
		 .range_end = to_the_end,
		 .count_only = true},
	};
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);
	engenho_kv_txn_result *result;

	(void)put_key(f, "a", "1");
	(void)put_key(f, "a", "2");
	(void)put_key(f, "b", "3");
	txn.success_count = 3;
	txn.success = ops;
	MUST(f, engenho_kv_txn_commit(f->store, &txn, &result, &f->error));
	assert_true(bytes_are(result->results[0].kvs[0].value, "1"));
	assert_int_equal(result->results[1].count, 1);
	assert_int_equal(result->results[1].kvs[0].value.len, 0);
	assert_true(result->results[2].count == 0 && result->results[2].total == 2);
	engenho_kv_txn_result_free(result);
}

/* Of thousands of operations, those that are of the same key are found at once, and in any order. */
static void a_key_is_written_once(void **state)
{
	enum { OPS = 20000 };
	struct fixture *f = *state;
	static engenho_kv_op ops[OPS];
	static char names[OPS][16];
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);

	store_close(f);
	set_option(f, "max-txn-ops", "20000");
	store_open(f);
	for (int i = 0; i < OPS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "k%05d", i * 7919 % OPS);
		ops[i] = (engenho_kv_op){.key = bytes(names[i]), .value = bytes("1")};
	}
	txn.success_count = OPS;
	txn.success = ops;
	MUST(f, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[OPS - 1].key = bytes(names[0]);
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[OPS - 1] = (engenho_kv_op){.kind = ENGENHO_KV_OP_DELETE,
				       .key = bytes("k10000x"),
				       .range_end = bytes("k10001x")};
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[OPS - 1].range_end = bytes("k10001");
	MUST(f, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[OPS - 1] = (engenho_kv_op){.kind = ENGENHO_KV_OP_DELETE, .key = bytes(names[9])};
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
}

static void transactions_are_checked(void **state)
{
	struct fixture *f = *state;
	engenho_kv_op ops[200] = {
		{.kind = ENGENHO_KV_OP_PUT, .key = bytes("a")},
		{.kind = ENGENHO_KV_OP_PUT, .key = bytes("a")},
	};
	engenho_kv_compare compare = {.target = ENGENHO_KV_MOD, .key = none};
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);

	txn.success_count = 2;
	txn.success = ops;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	assert_non_null(strstr(f->error.message, "duplicate"));
	ops[1] = (engenho_kv_op){
		.kind = ENGENHO_KV_OP_DELETE, .key = bytes("A"), .range_end = bytes("b")};
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[1].range_end = bytes("a");
	MUST(f, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	ops[1].kind = (engenho_kv_op_kind)9;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	txn.success_count = 200;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	assert_non_null(strstr(f->error.message, "too many"));
	txn.success_count = 0;
	txn.compare_count = 1;
	txn.compares = &compare;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
	txn.size = 0;
	REFUSED(f, ENGENHO_INVALID, engenho_kv_txn_commit(f->store, &txn, NULL, &f->error));
}

static void leases_take_their_keys_along(void **state)
{
	struct fixture *f = *state;
	int64_t id, ttl_s;
	char *value;

	MUST(f, engenho_lease_grant(f->store, 7, 60, &id, &ttl_s, &f->error));
	assert_true(id == 7 && ttl_s == 60);
	REFUSED(f, ENGENHO_EXISTS, engenho_lease_grant(f->store, 7, 60, &id, &ttl_s, &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_lease_grant(f->store, 8, INT64_MAX, &id, &ttl_s, &f->error));
	MUST(f, engenho_kv_put(f->store, bytes("a"), bytes("1"), 7, NULL, &f->error));
	MUST(f, engenho_lease_keep_alive(f->store, 7, &ttl_s, &f->error));
	assert_int_equal(ttl_s, 60);
	MUST(f, engenho_lease_revoke(f->store, 7, &f->error));
	value = get_key(f, "a");
	assert_null(value);
	REFUSED(f, ENGENHO_NOT_FOUND, engenho_lease_keep_alive(f->store, 7, &ttl_s, &f->error));
	REFUSED(f, ENGENHO_NOT_FOUND, engenho_lease_revoke(f->store, 7, &f->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_are_put_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges_have_options, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(compares_compare, setup, teardown),
		cmocka_unit_test_setup_teardown(a_branch_is_done_at_one_revision, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges_in_transactions_have_options, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_key_is_written_once, setup, teardown),
		cmocka_unit_test_setup_teardown(transactions_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(leases_take_their_keys_along, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
