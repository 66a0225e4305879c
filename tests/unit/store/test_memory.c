#include "store/support.h"

#include "store/config.h"

/*
 * Memory that runs out: each allocation of each function fails once. What comes back says so, nothing leaks, and the
 * store goes on, or has ended and says that.
 */
struct faulty {
	struct es_mem mem;
	pthread_mutex_t mutex;
	int64_t countdown; /* below 0: none fails */
	bool fired;
	int64_t live;
};

static bool fails(struct faulty *faulty)
{
	bool now;

	(void)pthread_mutex_lock(&faulty->mutex);
	now = faulty->countdown == 0;
	if (faulty->countdown >= 0)
		faulty->countdown--;
	faulty->fired |= now;
	(void)pthread_mutex_unlock(&faulty->mutex);
	return now;
}

static void count_live(struct faulty *faulty, int64_t more)
{
	(void)pthread_mutex_lock(&faulty->mutex);
	faulty->live += more;
	(void)pthread_mutex_unlock(&faulty->mutex);
}

static void *faulty_realloc(void *ctx, void *pointer, size_t size)
{
	void *grown = fails(ctx) ? NULL : realloc(pointer, size);

	if (grown != NULL && pointer == NULL)
		count_live(ctx, 1);
	return grown;
}

static void *faulty_alloc(void *ctx, size_t size)
{
	return faulty_realloc(ctx, NULL, size);
}

static void faulty_free(void *ctx, void *pointer)
{
	count_live(ctx, -1);
	free(pointer);
}

static struct faulty faulty = {
	.mem = {faulty_alloc, faulty_realloc, faulty_free, &faulty},
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.countdown = -1,
};

static void arm(int64_t countdown)
{
	(void)pthread_mutex_lock(&faulty.mutex);
	faulty.countdown = countdown;
	faulty.fired = false;
	(void)pthread_mutex_unlock(&faulty.mutex);
}

/* Whether one failed. */
static bool disarm(void)
{
	bool fired;

	(void)pthread_mutex_lock(&faulty.mutex);
	faulty.countdown = -1;
	fired = faulty.fired;
	(void)pthread_mutex_unlock(&faulty.mutex);
	return fired;
}

static engenho_code make_config(struct fixture *f)
{
	engenho_code code;

	f->config = es_store_config_new(&faulty.mem);
	if (f->config == NULL)
		return ENGENHO_NO_MEMORY;
	code = engenho_config_set(f->config, "data-dir", f->folder, &f->error);
	if (code == ENGENHO_OK)
		code = engenho_config_set(f->config, "unsafe-no-fsync", "true", &f->error);
	return code;
}

static int setup_faulty(void **state)
{
	struct fixture *f;

	assert_int_equal(faulty.live, 0);
	(void)setup_closed(state);
	f = *state;
	engenho_config_free(f->config);
	MUST(f, make_config(f));
	return 0;
}

static int teardown_faulty(void **state)
{
	(void)teardown(state);
	assert_int_equal(faulty.live, 0);
	return 0;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void a_config_fails_cleanly(void **state)
{
	struct fixture *f = *state;
	bool fired = true;

	for (int64_t n = 0; fired; n++) {
		engenho_code code;

		engenho_config_free(f->config);
		arm(n);
		code = make_config(f);
		fired = disarm();
		assert_int_equal(code, fired ? ENGENHO_NO_MEMORY : ENGENHO_OK);
	}
}

static void opening_fails_cleanly(void **state)
{
	struct fixture *f = *state;
	int64_t before = faulty.live;
	bool fired = true;

	store_open(f);
	(void)put_map(f, "a", "{}");
	store_close(f);
	for (int64_t n = 0; fired; n++) {
		engenho_code code;

		arm(n);
		code = engenho_open(f->config, &f->store, &f->error);
		fired = disarm();
		if (code == ENGENHO_OK) {
			store_close(f); /* what failed was not needed, or has ended it since */
		} else {
			assert_int_equal(code, ENGENHO_NO_MEMORY);
			assert_true(fired);
		}
		assert_int_equal(faulty.live, before);
	}
}

static int called;

static void on_put(void *ctx, engenho_write_result *result, const engenho_error *error)
{
	(void)ctx;
	assert_true(error == NULL || error->code == ENGENHO_NO_MEMORY ||
		    error->code == ENGENHO_UNAVAILABLE);
	engenho_write_result_free(result);
	called++;
}

static void closing_fails_not_at_all(void **state)
{
	enum { PUTS = 10 };
	struct fixture *f = *state;
	int64_t before = faulty.live;
	bool fired = true;

	for (int64_t n = 0; fired; n++) {
		engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
		const engenho_key key = config_map("a");
		engenho_watch *watch;

		store_open(f);
		MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
		called = 0;
		for (int i = 0; i < PUTS; i++)
			MUST(f, engenho_put_async(f->store, &key, bytes("{}"), NULL, on_put, NULL,
						  &f->error));
		arm(n);
		store_close(f);
		fired = disarm();
		assert_int_equal(called, PUTS);
		engenho_watch_close(watch);
		assert_int_equal(faulty.live, before);
	}
}

/* ---- functions ------------------------------------------------------------------------------- */

static engenho_code try_put(struct fixture *f)
{
	const engenho_key key = config_map("a");
	engenho_write_result *result;
	engenho_code code = engenho_put(f->store, &key, bytes("{\"data\":{\"a\":\"1\"}}"), NULL,
					&result, &f->error);

	if (code == ENGENHO_OK)
		engenho_write_result_free(result);
	return code;
}

static engenho_code try_patch(struct fixture *f)
{
	const engenho_key key = config_map("a");
	engenho_write_options options = ENGENHO_INIT(engenho_write_options);
	engenho_write_result *result;
	engenho_code code;

	options.manager = "m";
	code = engenho_patch(
		f->store, &key, ENGENHO_PATCH_APPLY,
		bytes("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"b\":\"1\"}}"),
		&options, &result, &f->error);
	if (code == ENGENHO_OK)
		engenho_write_result_free(result);
	return code;
}

static engenho_code try_txn(struct fixture *f)
{
	const engenho_op ops[] = {{.key = config_map("a"), .value = bytes("{}")},
				  {.key = config_map("b"), .is_delete = true}};
	const engenho_compare compare = {.key = config_map("none")};
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	engenho_write_result *result;
	engenho_code code;

	txn.compare_count = 1;
	txn.compares = &compare;
	txn.success_count = 2;
	txn.success = ops;
	code = engenho_txn_commit(f->store, &txn, NULL, &result, &f->error);
	if (code == ENGENHO_OK)
		engenho_write_result_free(result);
	return code;
}

static engenho_code try_delete(struct fixture *f)
{
	const engenho_key key = config_map("a");

	return engenho_delete(f->store, &key, NULL, NULL, &f->error);
}

static engenho_code try_list(struct fixture *f)
{
	engenho_list_options options = config_maps();
	engenho_list_result *result;
	engenho_code code;

	options.limit = 2;
	options.label_selector = "a!=b";
	code = engenho_list(f->store, &options, &result, &f->error);
	if (code == ENGENHO_OK)
		engenho_list_result_free(result);
	return code;
}

static engenho_code try_get(struct fixture *f)
{
	const engenho_key key = config_map("kept");
	engenho_list_result *result;
	engenho_code code = engenho_get(f->store, &key, ENGENHO_LATEST, 0, &result, &f->error);

	if (code == ENGENHO_OK)
		engenho_list_result_free(result);
	return code;
}

static engenho_code try_keys(struct fixture *f)
{
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	const engenho_kv_op ops[] = {
		{.kind = ENGENHO_KV_OP_RANGE, .key = bytes("/"), .range_end = bytes("0")},
		{.key = bytes("x"), .value = bytes("1")},
	};
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);
	engenho_range_result *range;
	engenho_kv_txn_result *result;
	engenho_code code = engenho_kv_put(f->store, bytes("k"), bytes("1"), 0, NULL, &f->error);

	options.key = bytes("/");
	options.range_end = bytes("0");
	txn.success_count = 2;
	txn.success = ops;
	if (code == ENGENHO_OK)
		code = engenho_kv_range(f->store, &options, &range, &f->error);
	if (code != ENGENHO_OK)
		return code;
	engenho_range_result_free(range);
	code = engenho_kv_txn_commit(f->store, &txn, &result, &f->error);
	if (code != ENGENHO_OK)
		return code;
	engenho_kv_txn_result_free(result);
	return engenho_kv_delete(f->store, bytes("k"), bytes(""), NULL, NULL, &f->error);
}

static engenho_code try_watch(struct fixture *f)
{
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_events *events;
	engenho_watch *watch;
	engenho_code code;

	options.from_revision = 1;
	options.label_selector = "a!=b";
	code = engenho_watch_open(f->store, &options, &watch, &f->error);
	if (code != ENGENHO_OK)
		return code;
	code = engenho_watch_next(watch, -1, &events, &f->error);
	if (code == ENGENHO_OK)
		engenho_events_free(events);
	engenho_watch_close(watch);
	return code;
}

static engenho_code try_watch_keys(struct fixture *f)
{
	engenho_kv_watch_options options = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_kv_events *events;
	engenho_kv_watch *watch;
	engenho_code code;

	options.key = bytes("/");
	options.range_end = bytes("0");
	options.start_revision = 1;
	options.prev_kv = true;
	code = engenho_kv_watch_open(f->store, &options, &watch, &f->error);
	if (code != ENGENHO_OK)
		return code;
	code = engenho_kv_watch_next(watch, -1, &events, &f->error);
	if (code == ENGENHO_OK)
		engenho_kv_events_free(events);
	engenho_kv_watch_close(watch);
	return code;
}

static engenho_code try_lease(struct fixture *f)
{
	int64_t id;
	engenho_code code = engenho_lease_grant(f->store, 0, 60, &id, NULL, &f->error);

	if (code == ENGENHO_OK)
		code = engenho_lease_keep_alive(f->store, id, NULL, &f->error);
	return code != ENGENHO_OK ? code : engenho_lease_revoke(f->store, id, &f->error);
}

static engenho_code done_code;

static void on_done(void *ctx, engenho_list_result *result, const engenho_error *error)
{
	(void)ctx;
	done_code = error == NULL ? ENGENHO_OK : error->code;
	engenho_list_result_free(result);
}

static engenho_code try_async(struct fixture *f)
{
	engenho_list_options options = config_maps();
	engenho_code code = engenho_list_async(f->store, &options, on_done, NULL, &f->error);
	int n = 0;

	if (code != ENGENHO_OK)
		return code;
	while (n == 0)
		n = engenho_dispatch(f->store, -1);
	return done_code;
}

static engenho_code try_catalog(struct fixture *f)
{
	char path[128];
	engenho_code code;

	(void)snprintf(path, sizeof(path), "%s-one.snap", f->folder);
	code = engenho_catalog_export(f->store, path, NULL, NULL, &f->error);
	if (code == ENGENHO_OK)
		code = engenho_catalog_import(f->store, path, 3, NULL, NULL, &f->error);
	(void)unlink(path);
	return code;
}

/* It works, or it has ended and does when it is open again. */
static void go_on(struct fixture *f)
{
	const engenho_key key = config_map("kept");
	engenho_code code = engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error);

	if (code == ENGENHO_UNAVAILABLE) {
		while (engenho_dispatch(f->store, -1) >= 0)
			;
		REFUSED(f, ENGENHO_UNAVAILABLE, engenho_health(f->store, &f->error));
		assert_non_null(strstr(f->error.message, "memory"));
		store_reopen(f);
		code = engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error);
	}
	assert_int_equal(code, ENGENHO_OK);
}

static void fail_each(struct fixture *f, const char *name, engenho_code (*try)(struct fixture *f))
{
	bool fired = true;

	for (int64_t n = 0; fired; n++) {
		engenho_code code;

		arm(n);
		code = try(f);
		fired = disarm();
		if (code != ENGENHO_OK && code != ENGENHO_NO_MEMORY && code != ENGENHO_UNAVAILABLE)
			fail_msg("%s, allocation %d: %s: %s", name, (int)n, f->error.kind,
				 f->error.message);
		if (!fired && code != ENGENHO_OK)
			fail_msg("%s without a failure: %s", name, f->error.message);
		go_on(f);
	}
}

static void every_function_fails_cleanly(void **state)
{
	static const struct {
		const char *name;
		engenho_code (*try)(struct fixture *f);
	} all[] = {
		{"put", try_put},     {"patch", try_patch}, {"txn", try_txn},
		{"list", try_list},   {"get", try_get},     {"delete", try_delete},
		{"keys", try_keys},   {"watch", try_watch}, {"watch_keys", try_watch_keys},
		{"lease", try_lease}, {"async", try_async}, {"catalog", try_catalog},
	};
	struct fixture *f = *state;

	store_open(f);
	for (int i = 0; i < 10; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "m%d", i);
		(void)put_map(f, name, "{}");
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(all); i++) {
		go_on(f);
		fail_each(f, all[i].name, all[i].try);
	}
}

/* ---- a store that failed --------------------------------------------------------------------- */

/* Puts, with one allocation failing, until the store has ended of it. */
static void fail_store(struct fixture *f)
{
	engenho_code code = ENGENHO_OK;

	for (int64_t n = 0; code != ENGENHO_UNAVAILABLE; n++) {
		assert_true(n < 1000);
		arm(n);
		(void)try_put(f);
		(void)disarm();
		code = engenho_kv_put(f->store, bytes("k"), bytes("1"), 0, NULL, &f->error);
	}
}

static void a_store_that_failed_ends_everything(void **state)
{
	struct fixture *f = *state;
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	const engenho_key key = config_map("answered");
	engenho_list_result *list;
	engenho_events *events;
	engenho_watch *watch;
	engenho_code code;

	store_open(f);
	(void)put_map(f, "answered", "{}");
	MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
	called = 0;
	MUST(f, engenho_put_async(f->store, &key, bytes("{}"), NULL, on_put, NULL, &f->error));
	fail_store(f);
	while (engenho_dispatch(f->store, -1) >= 0)
		;
	assert_int_equal(called, 1);
	do {
		code = engenho_watch_next(watch, -1, &events, &f->error);
		if (code == ENGENHO_OK)
			engenho_events_free(events);
	} while (code == ENGENHO_OK);
	assert_int_equal(code, ENGENHO_UNAVAILABLE);
	REFUSED(f, ENGENHO_UNAVAILABLE, engenho_wait_for_leader(f->store, -1, &f->error));
	REFUSED(f, ENGENHO_UNAVAILABLE, engenho_health(f->store, &f->error));
	assert_non_null(strstr(f->error.message, "out of memory"));
	assert_false(engenho_is_leader(f->store));
	store_reopen(f);
	engenho_watch_close(watch);
	MUST(f, engenho_get(f->store, &key, ENGENHO_LATEST, 0, &list, &f->error));
	engenho_list_result_free(list);
}

/* ---- results --------------------------------------------------------------------------------- */

static void results_outlive_their_store(void **state)
{
	struct fixture *f = *state;
	engenho_list_options options = config_maps();
	engenho_list_result *list;
	engenho_range_result *found;

	store_open(f);
	(void)put_map(f, "a", "{}");
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	found = range(f, "/", bytes("0"));
	store_close(f);
	assert_string_equal(list->items[0].key.name, "a");
	assert_int_equal(found->count, 1);
	engenho_list_result_free(list);
	engenho_range_result_free(found);
}

static void nothing_may_be_freed(void **state)
{
	(void)state;
	engenho_write_result_free(NULL);
	engenho_list_result_free(NULL);
	engenho_events_free(NULL);
	engenho_range_result_free(NULL);
	engenho_kv_txn_result_free(NULL);
	engenho_kv_events_free(NULL);
	engenho_watch_close(NULL);
	engenho_kv_watch_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_config_fails_cleanly, setup_faulty,
						teardown_faulty),
		cmocka_unit_test_setup_teardown(opening_fails_cleanly, setup_faulty,
						teardown_faulty),
		cmocka_unit_test_setup_teardown(closing_fails_not_at_all, setup_faulty,
						teardown_faulty),
		cmocka_unit_test_setup_teardown(every_function_fails_cleanly, setup_faulty,
						teardown_faulty),
		cmocka_unit_test_setup_teardown(a_store_that_failed_ends_everything, setup_faulty,
						teardown_faulty),
		cmocka_unit_test_setup_teardown(results_outlive_their_store, setup_faulty,
						teardown_faulty),
		cmocka_unit_test(nothing_may_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
