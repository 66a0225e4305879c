#include "store/support.h"

#include <semaphore.h>

/* Calls from many threads, and calls that nobody waits for. */
enum { THREADS = 8, PUTS = 100, IN_FLIGHT = 500, KINDS = 10 };

struct counts {
	struct fixture *f;
	atomic_int thread_id;
	sem_t called;
	atomic_int done, failed;
	pthread_t last_thread; /* that called back */
	engenho_code code;     /* of the last that failed */
	int number;
};

static void *put_many(void *arg)
{
	struct counts *c = arg;
	int number = c->number;

	for (int i = 0; i < PUTS; i++) {
		const engenho_key key = config_map("shared");
		engenho_write_result *result;
		char name[32], value[64];
		engenho_error error;

		(void)snprintf(name, sizeof(name), "t%d-%d", number, i);
		(void)numbered(value, sizeof(value), i);
		if (engenho_kv_put(c->f->store, bytes(name), bytes(value), 0, NULL, &error) != 0 ||
		    engenho_put(c->f->store, &key, bytes(value), NULL, &result, &error) != 0) {
			atomic_fetch_add(&c->failed, 1);
			c->code = error.code;
			continue;
		}
		engenho_write_result_free(result);
		atomic_fetch_add(&c->done, 1);
	}
	return NULL;
}

static void many_threads_write(void **state)
{
	struct fixture *f = *state;
	struct counts counts[THREADS];
	pthread_t threads[THREADS];
	engenho_range_result *result;
	int done = 0;

	for (int i = 0; i < THREADS; i++) {
		counts[i] = (struct counts){.f = f, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &counts[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		done += counts[i].done;
	}
	assert_int_equal(done, THREADS * PUTS);
	result = range(f, "t", bytes("u"));
	assert_int_equal(result->count, THREADS * PUTS);
	engenho_range_result_free(result);
}

static void count(struct counts *c, const engenho_error *error)
{
	c->last_thread = pthread_self();
	if (error != NULL)
		c->code = error->code;
	atomic_fetch_add(error == NULL ? &c->done : &c->failed, 1);
	(void)sem_post(&c->called);
}

static void on_write(void *ctx, engenho_write_result *result, const engenho_error *error)
{
	count(ctx, error);
	assert_true((result == NULL) == (error != NULL));
	engenho_write_result_free(result);
}

static void on_kv(void *ctx, int64_t revision, const engenho_error *error)
{
	assert_true(error != NULL || revision > 1);
	count(ctx, error);
}

static void on_list(void *ctx, engenho_list_result *result, const engenho_error *error)
{
	count(ctx, error);
	engenho_list_result_free(result);
}

static void on_range(void *ctx, engenho_range_result *result, const engenho_error *error)
{
	assert_true((result == NULL) == (error != NULL));
	count(ctx, error);
	engenho_range_result_free(result);
}

static void on_delete(void *ctx, int64_t deleted, int64_t revision, const engenho_error *error)
{
	assert_true(error != NULL || (deleted <= 1 && revision > 1));
	count(ctx, error);
}

static void on_txn(void *ctx, engenho_kv_txn_result *result, const engenho_error *error)
{
	assert_true((result == NULL) == (error != NULL));
	assert_true(result == NULL || (result->succeeded && result->count == 1));
	count(ctx, error);
	engenho_kv_txn_result_free(result);
}

static void begin_all_of_keys(struct fixture *f, struct counts *c, const char *key)
{
	const engenho_kv_op op = {.key = bytes(key), .value = bytes(key)};
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_kv_txn txn = ENGENHO_INIT(engenho_kv_txn);

	options.key = bytes(key);
	txn.success_count = 1;
	txn.success = &op;
	MUST(f, engenho_kv_put_async(f->store, bytes(key), bytes(key), 0, on_kv, c, &f->error));
	MUST(f, engenho_kv_range_async(f->store, &options, on_range, c, &f->error));
	MUST(f, engenho_kv_txn_commit_async(f->store, &txn, on_txn, c, &f->error));
	MUST(f, engenho_kv_delete_async(f->store, bytes(key), bytes(""), on_delete, c, &f->error));
}

/* One of each kind. The arguments are gone when it returns. */
static void begin_all(struct fixture *f, struct counts *c)
{
	engenho_list_options options = config_maps();
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	char *name = strdup("a");
	char *value = strdup("{\"data\":{\"b\":\"1\"}}");
	const engenho_key key = config_map(name);
	const engenho_op op = {.key = config_map(name), .value = bytes(value)};

	txn.success_count = 1;
	txn.success = &op;
	MUST(f, engenho_put_async(f->store, &key, bytes(value), NULL, on_write, c, &f->error));
	MUST(f, engenho_patch_async(f->store, &key, ENGENHO_PATCH_MERGE, bytes(value), NULL,
				    on_write, c, &f->error));
	MUST(f, engenho_txn_commit_async(f->store, &txn, NULL, on_write, c, &f->error));
	MUST(f, engenho_list_async(f->store, &options, on_list, c, &f->error));
	MUST(f, engenho_get_async(f->store, &key, ENGENHO_NOT_OLDER_THAN, 0, on_list, c,
				  &f->error)); /* perhaps not there yet */
	MUST(f, engenho_delete_async(f->store, &key, NULL, on_write, c, &f->error));
	begin_all_of_keys(f, c, name);
	memset(name, 'x', strlen(name));
	memset(value, 'x', strlen(value));
	free(name);
	free(value);
}

static void callbacks_come_from_dispatch(void **state)
{
	struct fixture *f = *state;
	struct counts c = {.f = f};
	struct pollfd pollfd = {.fd = engenho_dispatch_fd(f->store), .events = POLLIN};
	int called = 0;

	assert_true(pollfd.fd >= 0);
	assert_int_equal(engenho_dispatch(f->store, 0), 0);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	begin_all(f, &c);
	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	assert_int_equal(c.done, 0);
	while (called < KINDS)
		called += engenho_dispatch(f->store, 10000);
	assert_int_equal(called, KINDS);
	assert_int_equal(c.done + c.failed, KINDS);
	assert_true(c.failed == 0 || (c.failed == 1 && c.code == ENGENHO_NOT_FOUND));
	assert_true(pthread_equal(c.last_thread, pthread_self()));
	assert_int_equal(engenho_dispatch(f->store, 10), 0);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
}

static void callbacks_come_from_the_thread_when_asked(void **state)
{
	struct fixture *f = *state;
	struct counts c = {.f = f};

	assert_int_equal(sem_init(&c.called, 0, 0), 0);
	assert_int_equal(engenho_dispatch_fd(f->store), -1);
	begin_all(f, &c);
	for (int i = 0; i < KINDS; i++)
		assert_int_equal(sem_wait(&c.called), 0);
	assert_int_equal(engenho_dispatch(f->store, 0), 0);
	store_close(f); /* joins the thread, and with it what it wrote */
	assert_false(pthread_equal(c.last_thread, pthread_self()));
}

static void nobody_needs_to_listen(void **state)
{
	struct fixture *f = *state;
	char *value;

	MUST(f, engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 0, NULL, NULL, &f->error));
	assert_int_equal(engenho_dispatch(f->store, 10000), 1);
	value = get_key(f, "a");
	assert_string_equal(value, "1");
	free(value);
}

static void mistakes_are_told_at_once(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	struct counts c = {.f = f};

	REFUSED(f, ENGENHO_INVALID,
		engenho_put_async(f->store, &key, bytes("{"), NULL, on_write, &c, &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_kv_put_async(f->store, bytes(""), bytes("1"), 0, on_kv, &c, &f->error));
	assert_int_equal(engenho_dispatch(f->store, 10), 0);
	/* What only the store can see comes later. */
	MUST(f, engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 99, on_kv, &c, &f->error));
	assert_int_equal(engenho_dispatch(f->store, 10000), 1);
	assert_true(c.failed == 1 && c.code == ENGENHO_NOT_FOUND);
}

/* Of each kind of call; whether it was still under way when the store closed is a matter of time. */
static void close_ends_what_is_under_way(void **state)
{
	struct fixture *f = *state;
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_list_options list = config_maps();
	struct counts c = {.f = f};
	char name[16];

	options.key = bytes("k");
	options.range_end = bytes("l");
	for (int i = 0; i < IN_FLIGHT; i++) {
		engenho_key key = config_map(name);

		(void)snprintf(name, sizeof(name), "k%03d", i);
		switch (i % 7) {
		case 0:
			MUST(f, engenho_kv_put_async(f->store, bytes(name), bytes("1"), 0, on_kv,
						     &c, &f->error));
			break;
		case 1:
			MUST(f, engenho_put_async(f->store, &key, bytes("{}"), NULL, on_write, &c,
						  &f->error));
			break;
		case 2:
			MUST(f, engenho_patch_async(f->store, &key, ENGENHO_PATCH_MERGE,
						    bytes("{}"), NULL, on_write, &c, &f->error));
			break;
		case 3:
			MUST(f,
			     engenho_delete_async(f->store, &key, NULL, on_write, &c, &f->error));
			break;
		case 4:
			MUST(f,
			     engenho_kv_range_async(f->store, &options, on_range, &c, &f->error));
			break;
		case 5:
			MUST(f, engenho_kv_delete_async(f->store, bytes(name), bytes(""), on_delete,
							&c, &f->error));
			break;
		case 6: MUST(f, engenho_list_async(f->store, &list, on_list, &c, &f->error)); break;
		}
	}
	store_close(f);
	assert_int_equal(c.done + c.failed, IN_FLIGHT);
	assert_true(c.failed == 0 || c.code == ENGENHO_UNAVAILABLE);
}

static void *dispatch_for_ever(void *arg)
{
	struct counts *c = arg;

	c->thread_id = gettid();
	while ((c->number = engenho_dispatch(c->f->store, -1)) >= 0)
		;
	return NULL;
}

static void a_shutdown_ends_who_dispatches(void **state)
{
	struct fixture *f = *state;
	struct counts c = {.f = f};
	struct pollfd pollfd = {.fd = engenho_dispatch_fd(f->store), .events = POLLIN};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, dispatch_for_ever, &c), 0);
	await_sleep(&c.thread_id);
	MUST(f, engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 0, on_kv, &c, &f->error));
	engenho_shutdown(f->store);
	(void)pthread_join(thread, NULL);
	assert_int_equal(c.number, -1);
	assert_int_equal(c.done + c.failed, 1);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	assert_int_equal(engenho_dispatch(f->store, -1), -1);
	store_close(f);
}

/* ---- what is large --------------------------------------------------------------------------- */

enum { LARGE = 24, LARGE_BYTES = 1 << 20 };

/* Who came when. */
struct order {
	int calls;
	int large_range, large_list, small_range, small_put;
	engenho_code code;
	size_t count;
};

static struct order order;

static void on_large_range(void *ctx, engenho_range_result *result, const engenho_error *error)
{
	(void)ctx;
	order.large_range = ++order.calls;
	order.code = error != NULL ? error->code : ENGENHO_OK;
	if (result != NULL)
		order.count = result->count;
	for (size_t i = 0; result != NULL && i < result->count; i++) {
		const char *value = result->kvs[i].value.data;

		assert_int_equal(result->kvs[i].value.len, LARGE_BYTES);
		assert_true(value[0] == '"' && value[LARGE_BYTES - 1] == '"');
		assert_true(value[LARGE_BYTES / 2] == (char)('a' + i));
		assert_int_equal(value[LARGE_BYTES], 0);
	}
	engenho_range_result_free(result);
}

static void on_large_list(void *ctx, engenho_list_result *result, const engenho_error *error)
{
	(void)ctx;
	order.large_list = ++order.calls;
	order.code = error != NULL ? error->code : ENGENHO_OK;
	for (size_t i = 0; result != NULL && i < result->count; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "m%02zu", i);
		assert_string_equal(result->items[i].key.name, name);
		assert_int_equal(result->items[i].value.len, LARGE_BYTES);
	}
	assert_true(result == NULL || result->count == LARGE);
	engenho_list_result_free(result);
}

static void on_small_range(void *ctx, engenho_range_result *result, const engenho_error *error)
{
	(void)ctx;
	order.small_range = ++order.calls;
	assert_null(error);
	engenho_range_result_free(result);
}

static void on_small_put(void *ctx, int64_t revision, const engenho_error *error)
{
	(void)ctx;
	(void)revision;
	order.small_put = ++order.calls;
	assert_null(error);
}

/* Values of a MiB each, at the paths of resources, so that both ways to read find them. */
static void fill_large(struct fixture *f)
{
	char *value = malloc(LARGE_BYTES), path[64];

	assert_non_null(value);
	value[0] = value[LARGE_BYTES - 1] = '"';
	for (int i = 0; i < LARGE; i++) {
		memset(value + 1, 'a' + i, LARGE_BYTES - 2);
		(void)snprintf(path, sizeof(path),
			       "/engenho/resources/_/v1/ConfigMap/default/m%02d", i);
		MUST(f, engenho_kv_put(f->store, bytes(path), (engenho_bytes){value, LARGE_BYTES},
				       0, NULL, &f->error));
	}
	free(value);
}

static void begin_large(struct fixture *f)
{
	engenho_range_options range = ENGENHO_INIT(engenho_range_options);
	engenho_list_options list = config_maps();

	order = (struct order){.calls = 0};
	range.key = bytes("/");
	range.range_end = bytes("0");
	MUST(f, engenho_kv_range_async(f->store, &range, on_large_range, NULL, &f->error));
	MUST(f, engenho_list_async(f->store, &list, on_large_list, NULL, &f->error));
	range.key = bytes("/engenho/resources/_/v1/ConfigMap/default/m00");
	range.range_end = bytes("");
	range.keys_only = true;
	MUST(f, engenho_kv_range_async(f->store, &range, on_small_range, NULL, &f->error));
	MUST(f, engenho_kv_put_async(f->store, bytes("/a"), bytes("1"), 0, on_small_put, NULL,
				     &f->error));
}

/* They are copied over many turns of the loop, at the revision that they began with. */
static void large_reads_hold_nobody_up(void **state)
{
	struct fixture *f = *state;

	fill_large(f);
	begin_large(f);
	while (order.calls < 4)
		(void)engenho_dispatch(f->store, -1);
	assert_int_equal(order.code, ENGENHO_OK);
	assert_int_equal(order.count, LARGE);
	assert_true(order.small_range < order.large_range && order.small_range < order.large_list);
}

static void closing_ends_large_reads(void **state)
{
	struct fixture *f = *state;

	fill_large(f);
	begin_large(f);
	while (order.small_range == 0)
		(void)engenho_dispatch(f->store, -1);
	store_close(f);
	assert_int_equal(order.calls, 4);
	assert_true(order.code == ENGENHO_OK || order.code == ENGENHO_UNAVAILABLE);
}

/* ---- too much -------------------------------------------------------------------------------- */

static void no_more_is_taken_than_fits(void **state)
{
	enum { VALUE_BYTES = 256 << 10, HELD_BYTES_MAX = 64 << 20 };
	struct fixture *f = *state;
	struct counts c = {.f = f};
	char *value = malloc(VALUE_BYTES);
	const engenho_bytes all = {value, VALUE_BYTES};
	engenho_code code;
	int sent = 0, called = 0;

	assert_non_null(value);
	memset(value, 'x', VALUE_BYTES);
	while ((code = engenho_kv_put_async(f->store, bytes("a"), all, 0, on_kv, &c, &f->error)) ==
	       ENGENHO_OK)
		sent++;
	assert_int_equal(code, ENGENHO_BUSY);
	assert_string_equal(f->error.kind, "busy");
	assert_true(sent > 0 && sent <= HELD_BYTES_MAX / VALUE_BYTES + 1);
	/* Who waits may still ask. */
	assert_true(engenho_is_leader(f->store));
	(void)put_key(f, "b", "1");
	/* What was taken is done, and then there is room. */
	while (called < sent)
		called += engenho_dispatch(f->store, -1);
	assert_int_equal(c.done, sent);
	MUST(f, engenho_kv_put_async(f->store, bytes("a"), all, 0, on_kv, &c, &f->error));
	assert_int_equal(engenho_dispatch(f->store, -1), 1);
	free(value);
}

/* Small ones count too. */
static void no_more_calls_are_taken_than_there_may_be(void **state)
{
	enum { CALLS_MAX = 16384 };
	struct fixture *f = *state;
	struct counts c = {.f = f};
	int called = 0;

	for (int i = 0; i < CALLS_MAX; i++)
		MUST(f, engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 0, on_kv, &c,
					     &f->error));
	REFUSED(f, ENGENHO_BUSY,
		engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 0, on_kv, &c, &f->error));
	while (called < CALLS_MAX)
		called += engenho_dispatch(f->store, -1);
	assert_int_equal(c.done, CALLS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_threads_write, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_come_from_dispatch, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_come_from_the_thread_when_asked,
						setup_in_thread, teardown),
		cmocka_unit_test_setup_teardown(nobody_needs_to_listen, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_told_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(close_ends_what_is_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(close_ends_what_is_under_way, setup_in_thread,
						teardown),
		cmocka_unit_test_setup_teardown(a_shutdown_ends_who_dispatches, setup, teardown),
		cmocka_unit_test_setup_teardown(large_reads_hold_nobody_up, setup, teardown),
		cmocka_unit_test_setup_teardown(closing_ends_large_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_is_taken_than_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_calls_are_taken_than_there_may_be, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
