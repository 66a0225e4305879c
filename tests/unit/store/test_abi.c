#include "store/support.h"

/* Programs that were built with another header, and what callers fill in wrongly. */

static void the_headers_version_is_the_builds(void **state)
{
	char text[32];

	(void)state;
	(void)snprintf(text, sizeof(text), "%d.%d.%d", ENGENHO_VERSION_MAJOR, ENGENHO_VERSION_MINOR,
		       ENGENHO_VERSION_PATCH);
	assert_string_equal(text, engenho_version());
}

/* A struct as a later header might have it, with its size. */
struct later_list {
	engenho_list_options options;
	int64_t later;
};

static engenho_code list(struct fixture *f, const engenho_list_options *options)
{
	engenho_list_result *result;
	engenho_code code = engenho_list(f->store, options, &result, &f->error);

	if (code == ENGENHO_OK)
		engenho_list_result_free(result);
	return code;
}

static void structs_may_be_of_another_version(void **state)
{
	struct fixture *f = *state;
	struct later_list later = {.options = ENGENHO_INIT(engenho_list_options)};
	engenho_list_options earlier = ENGENHO_INIT(engenho_list_options);

	later.options.size = sizeof(later);
	MUST(f, list(f, &later.options));
	later.later = 1;
	REFUSED(f, ENGENHO_INVALID, list(f, &later.options));
	/* What it does not have is not looked at. */
	earlier.size = offsetof(engenho_list_options, consistency);
	earlier.consistency = (engenho_consistency)77;
	earlier.revision = -1;
	MUST(f, list(f, &earlier));
	earlier.size = 0;
	REFUSED(f, ENGENHO_INVALID, list(f, &earlier));
	assert_non_null(strstr(f->error.message, "size is not set"));
}

static void all_structs_are_read_alike(void **state)
{
	struct fixture *f = *state;
	engenho_write_options write = ENGENHO_INIT(engenho_write_options);
	engenho_watch_options watch = ENGENHO_INIT(engenho_watch_options);
	engenho_range_options range = ENGENHO_INIT(engenho_range_options);
	engenho_kv_watch_options kv_watch = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	engenho_kv_txn kv_txn = ENGENHO_INIT(engenho_kv_txn);
	const engenho_key key = config_map("a");
	engenho_watch *opened;
	engenho_kv_watch *kv_opened;
	engenho_range_result *found;

	write.size = offsetof(engenho_write_options, manager);
	MUST(f, engenho_put(f->store, &key, bytes("{}"), &write, NULL, &f->error));
	watch.size = offsetof(engenho_watch_options, name);
	MUST(f, engenho_watch_open(f->store, &watch, &opened, &f->error));
	engenho_watch_close(opened);
	range.size = offsetof(engenho_range_options, limit);
	range.key = bytes("a");
	MUST(f, engenho_kv_range(f->store, &range, &found, &f->error));
	engenho_range_result_free(found);
	kv_watch.size = offsetof(engenho_kv_watch_options, prev_kv);
	kv_watch.key = bytes("a");
	MUST(f, engenho_kv_watch_open(f->store, &kv_watch, &kv_opened, &f->error));
	engenho_kv_watch_close(kv_opened);
	txn.size = offsetof(engenho_txn, compares);
	MUST(f, engenho_txn_commit(f->store, &txn, NULL, NULL, &f->error));
	kv_txn.size = offsetof(engenho_kv_txn, compares);
	MUST(f, engenho_kv_txn_commit(f->store, &kv_txn, NULL, &f->error));
}

static void figures_fit_the_callers_struct(void **state)
{
	struct fixture *f = *state;
	struct {
		engenho_stats stats;
		uint64_t later;
	} later = {.stats = ENGENHO_INIT(engenho_stats), .later = 7};
	engenho_stats earlier;

	later.stats.size = sizeof(later);
	MUST(f, engenho_get_stats(f->store, &later.stats, &f->error));
	assert_true(later.stats.member_id != 0 && later.stats.size == sizeof(later));
	assert_int_equal(later.later, 0);
	memset(&earlier, 7, sizeof(earlier));
	earlier.size = offsetof(engenho_stats, leader_id);
	MUST(f, engenho_get_stats(f->store, &earlier, &f->error));
	assert_true(earlier.member_id == later.stats.member_id);
	assert_true(earlier.leader_id == UINT64_C(0x0707070707070707));
	earlier.size = 0;
	REFUSED(f, ENGENHO_INVALID, engenho_get_stats(f->store, &earlier, &f->error));
}

static engenho_code put_in_txn(struct fixture *f, const engenho_op *op,
			       const engenho_compare *compare)
{
	engenho_txn txn = ENGENHO_INIT(engenho_txn);

	txn.success_count = 1;
	txn.success = op;
	txn.compare_count = 1;
	txn.compares = compare;
	return engenho_txn_commit(f->store, &txn, NULL, NULL, &f->error);
}

static engenho_code do_in_txn(struct fixture *f, const engenho_kv_op *op,
			      const engenho_kv_compare *compare)
{
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);

	txn.success_count = 1;
	txn.success = op;
	txn.compare_count = 1;
	txn.compares = compare;
	return engenho_kv_txn_commit(f->store, &txn, NULL, &f->error);
}

static void what_is_reserved_is_zero(void **state)
{
	struct fixture *f = *state;
	engenho_key key = config_map("a");
	engenho_op op = {.key = key, .value = bytes("{}")};
	engenho_compare compare = {.key = key};
	engenho_kv_op kv_op = {.key = bytes("a")};
	engenho_kv_compare kv_compare = {.key = bytes("a")};

	MUST(f, put_in_txn(f, &op, &compare));
	MUST(f, do_in_txn(f, &kv_op, &kv_compare));
	key.reserved[1] = f;
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error));
	op.reserved[0] = f;
	REFUSED(f, ENGENHO_INVALID, put_in_txn(f, &op, &compare));
	op.reserved[0] = NULL;
	compare.reserved[3] = f;
	REFUSED(f, ENGENHO_INVALID, put_in_txn(f, &op, &compare));
	kv_op.reserved[0] = f;
	REFUSED(f, ENGENHO_INVALID, do_in_txn(f, &kv_op, &kv_compare));
	kv_op.reserved[0] = NULL;
	kv_compare.reserved[0] = f;
	REFUSED(f, ENGENHO_INVALID, do_in_txn(f, &kv_op, &kv_compare));
	/* What we fill in is zero there. */
	f->error.reserved[2] = f;
	assert_int_equal(do_in_txn(f, &kv_op, &kv_compare), ENGENHO_INVALID);
	assert_null(f->error.reserved[2]);
}

/* It is told which number. */
#define NEGATIVE(f, what, call)                                      \
	do {                                                         \
		REFUSED(f, ENGENHO_INVALID, call);                   \
		assert_non_null(strstr((f)->error.message, (what))); \
	} while (0)

static void numbers_are_not_negative(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_range_options range = ENGENHO_INIT(engenho_range_options);
	engenho_kv_watch_options kv_watch = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_watch_options watch = ENGENHO_INIT(engenho_watch_options);
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);
	engenho_write_options write = ENGENHO_INIT(engenho_write_options);
	engenho_op op = {.key = key, .value = bytes("{}")};
	engenho_compare compare = {.key = key, .mod_revision = -4};
	engenho_kv_op kv_op = {.kind = ENGENHO_KV_OP_RANGE, .key = bytes("a"), .limit = -1};
	engenho_kv_compare kv_compare = {.key = bytes("a")};
	engenho_range_result *found;
	engenho_kv_watch *kv_opened;
	engenho_watch *opened;

	range.key = bytes("a");
	range.limit = -1;
	NEGATIVE(f, "limit", engenho_kv_range(f->store, &range, &found, &f->error));
	range.limit = 0;
	range.revision = -7;
	NEGATIVE(f, "revision", engenho_kv_range(f->store, &range, &found, &f->error));
	kv_watch.key = bytes("a");
	kv_watch.start_revision = -9;
	NEGATIVE(f, "start_revision",
		 engenho_kv_watch_open(f->store, &kv_watch, &kv_opened, &f->error));
	watch.from_revision = -1;
	NEGATIVE(f, "from_revision", engenho_watch_open(f->store, &watch, &opened, &f->error));
	options.limit = -1;
	NEGATIVE(f, "limit", list(f, &options));
	options.limit = 0;
	options.revision = -1;
	NEGATIVE(f, "revision", list(f, &options));
	write.expected = -1;
	NEGATIVE(f, "expected", engenho_put(f->store, &key, bytes("{}"), &write, NULL, &f->error));
	NEGATIVE(f, "mod_revision", put_in_txn(f, &op, &compare));
	NEGATIVE(f, "limit", do_in_txn(f, &kv_op, &kv_compare));
	kv_op.limit = 0;
	kv_op.revision = -1;
	NEGATIVE(f, "revision", do_in_txn(f, &kv_op, &kv_compare));
	NEGATIVE(f, "revision", engenho_compact(f->store, -3, &f->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_headers_version_is_the_builds),
		cmocka_unit_test_setup_teardown(structs_may_be_of_another_version, setup, teardown),
		cmocka_unit_test_setup_teardown(all_structs_are_read_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(figures_fit_the_callers_struct, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_reserved_is_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_are_not_negative, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
