#include "store/support.h"

/* ---- resources ------------------------------------------------------------------------------- */

static engenho_watch *watch_maps(struct fixture *f, int64_t from, const char *labels)
{
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_watch *watch;

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	options.from_revision = from;
	options.label_selector = labels;
	MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
	return watch;
}

static engenho_events *next(struct fixture *f, engenho_watch *watch)
{
	engenho_events *events;

	MUST(f, engenho_watch_next(watch, 10000, &events, &f->error));
	return events;
}

static void expect_event(struct fixture *f, engenho_watch *watch, engenho_event_type type,
			 const char *name, int64_t revision)
{
	engenho_events *events = next(f, watch);

	assert_int_equal(events->count, 1);
	assert_int_equal(events->events[0].type, type);
	assert_string_equal(events->events[0].resource.key.name, name);
	assert_int_equal(events->events[0].revision, revision);
	assert_int_equal(events->revision, revision);
	engenho_events_free(events);
}

static void changes_are_seen(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, NULL);
	const engenho_key key = config_map("a");
	engenho_events *events;

	REFUSED(f, ENGENHO_TIMEOUT, engenho_watch_next(watch, 20, &events, &f->error));
	assert_int_equal(put_map(f, "a", "{\"data\":{\"n\":\"1\"}}"), 2);
	expect_event(f, watch, ENGENHO_ADDED, "a", 2);
	assert_int_equal(put_map(f, "a", "{\"data\":{\"n\":\"2\"}}"), 3);
	expect_event(f, watch, ENGENHO_MODIFIED, "a", 3);
	MUST(f, engenho_delete(f->store, &key, NULL, NULL, &f->error));
	events = next(f, watch);
	assert_int_equal(events->events[0].type, ENGENHO_DELETED_EVENT);
	assert_non_null(strstr(events->events[0].resource.value.data, "\"n\":\"2\""));
	assert_non_null(strstr(events->events[0].resource.value.data, "\"resourceVersion\":\"4\""));
	engenho_events_free(events);
	engenho_watch_close(watch);
	engenho_watch_close(NULL);
}

static void selectors_let_objects_in_and_out(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, "app=x");

	(void)put_map(f, "a", "{\"metadata\":{\"labels\":{\"app\":\"y\"}}}");
	(void)put_map(f, "a", "{\"metadata\":{\"labels\":{\"app\":\"x\"}}}");
	expect_event(f, watch, ENGENHO_ADDED, "a", 3);
	(void)put_map(f, "a", "{\"metadata\":{\"labels\":{\"app\":\"z\"}}}");
	expect_event(f, watch, ENGENHO_DELETED_EVENT, "a", 4);
	engenho_watch_close(watch);
}

static void a_watch_resumes_behind_a_restart(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, NULL);
	engenho_events *events;
	int64_t seen;

	(void)put_map(f, "a", "{}");
	events = next(f, watch);
	seen = events->revision;
	engenho_events_free(events);
	(void)put_map(f, "b", "{}");
	engenho_watch_close(watch);
	(void)put_map(f, "c", "{}");
	store_reopen(f);
	watch = watch_maps(f, seen, NULL);
	for (int n = 0; n < 2;) {
		events = next(f, watch);
		for (size_t i = 0; i < events->count; i++, n++)
			assert_string_equal(events->events[i].resource.key.name,
					    n == 0 ? "b" : "c");
		engenho_events_free(events);
	}
	engenho_watch_close(watch);
}

static void what_was_compacted_is_told(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch;
	engenho_events *events;
	int64_t last = 0;
	char value[64];

	for (int i = 0; i < 10; i++)
		last = put_map(f, "a", numbered(value, sizeof(value), i));
	MUST(f, engenho_compact(f->store, last - 1, &f->error));
	watch = watch_maps(f, 2, NULL);
	REFUSED(f, ENGENHO_COMPACTED, engenho_watch_next(watch, 10000, &events, &f->error));
	/* And again. */
	REFUSED(f, ENGENHO_COMPACTED, engenho_watch_next(watch, 10000, &events, &f->error));
	engenho_watch_close(watch);
	watch = watch_maps(f, last - 1, NULL);
	expect_event(f, watch, ENGENHO_MODIFIED, "a", last);
	engenho_watch_close(watch);
}

static void bookmarks_come_when_asked(void **state)
{
	struct fixture *f = *state;
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_watch *watch;
	engenho_events *events;

	options.bookmark_interval_ms = 100;
	MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
	(void)put_key(f, "not a resource", "1");
	for (int64_t revision = 0; revision < 2;) {
		events = next(f, watch);
		assert_int_equal(events->events[0].type, ENGENHO_BOOKMARK);
		revision = events->events[0].revision;
		engenho_events_free(events);
	}
	engenho_watch_close(watch);
}

static void a_revision_is_never_split(void **state)
{
	enum { OPS = 100 };
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, NULL);
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	engenho_op ops[OPS];
	char names[OPS][16];
	engenho_events *events;

	for (int i = 0; i < OPS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "m%d", i);
		ops[i] = (engenho_op){.key = config_map(names[i]), .value = bytes("{}")};
	}
	txn.success_count = OPS;
	txn.success = ops;
	MUST(f, engenho_txn_commit(f->store, &txn, NULL, NULL, &f->error));
	events = next(f, watch);
	assert_int_equal(events->count, OPS);
	assert_int_equal(events->revision, 2);
	engenho_events_free(events);
	engenho_watch_close(watch);
}

static void one_resource_is_watched_by_its_name(void **state)
{
	struct fixture *f = *state;
	const engenho_key node = {.group = "", .version = "v1", .kind = "Node", .name = "b"};
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_watch *watch;

	options.version = "v1";
	options.kind = "ConfigMap";
	options.ns = "default";
	options.name = "b";
	MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
	(void)put_map(f, "a", "{}");
	(void)put_map(f, "b", "{}");
	(void)put_map(f, "bb", "{}");
	expect_event(f, watch, ENGENHO_ADDED, "b", 3);
	engenho_watch_close(watch);
	options.kind = "Node";
	options.ns = NULL;
	MUST(f, engenho_watch_open(f->store, &options, &watch, &f->error));
	MUST(f, engenho_put(f->store, &node, bytes("{}"), NULL, NULL, &f->error));
	expect_event(f, watch, ENGENHO_ADDED, "b", 5);
	engenho_watch_close(watch);
	options.name = "";
	REFUSED(f, ENGENHO_INVALID, engenho_watch_open(f->store, &options, &watch, &f->error));
	options.kind = options.version = NULL;
	options.name = "b";
	REFUSED(f, ENGENHO_INVALID, engenho_watch_open(f->store, &options, &watch, &f->error));
}

static void mistakes_are_told(void **state)
{
	struct fixture *f = *state;
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_watch *watch;

	options.label_selector = "(";
	REFUSED(f, ENGENHO_INVALID, engenho_watch_open(f->store, &options, &watch, &f->error));
	options.label_selector = NULL;
	options.ns = "x";
	REFUSED(f, ENGENHO_INVALID, engenho_watch_open(f->store, &options, &watch, &f->error));
	options.size = 0;
	REFUSED(f, ENGENHO_INVALID, engenho_watch_open(f->store, &options, &watch, &f->error));
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { WATCHERS = 100, CHANGES = 300 };

struct reader {
	engenho_watch *watch;
	atomic_int thread_id;
	int number;
	int seen;
	int64_t revision;
	engenho_code code;
};

/* Slower the higher its number is; checks that nothing is missing and nothing comes twice. */
static void *read_changes(void *arg)
{
	struct reader *r = arg;
	engenho_events *events;
	engenho_error error;

	while (r->seen < CHANGES) {
		r->code = engenho_watch_next(r->watch, 60000, &events, &error);
		if (r->code != ENGENHO_OK)
			return NULL;
		for (size_t i = 0; i < events->count; i++) {
			if (events->events[i].revision != r->revision + 1)
				r->code = ENGENHO_INTERNAL;
			r->revision = events->events[i].revision;
			r->seen++;
		}
		engenho_events_free(events);
		if (r->code != ENGENHO_OK)
			return NULL;
		(void)usleep((useconds_t)r->number * 20);
	}
	return NULL;
}

static void a_hundred_watchers_at_different_speeds(void **state)
{
	struct fixture *f = *state;
	static struct reader readers[WATCHERS];
	pthread_t threads[WATCHERS];
	char value[64];

	for (int i = 0; i < WATCHERS; i++) {
		readers[i] = (struct reader){
			.watch = watch_maps(f, 0, NULL), .number = i, .revision = 1};
		assert_int_equal(pthread_create(&threads[i], NULL, read_changes, &readers[i]), 0);
	}
	for (int i = 0; i < CHANGES; i++)
		(void)put_map(f, "a", numbered(value, sizeof(value), i));
	for (int i = 0; i < WATCHERS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].code, ENGENHO_OK);
		assert_int_equal(readers[i].seen, CHANGES);
		engenho_watch_close(readers[i].watch);
	}
}

static void who_does_not_read_misses_nothing(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, NULL);
	struct reader reader = {.watch = watch, .revision = 1};
	char value[64];

	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < CHANGES / 20; k++)
			(void)put_map(f, "a", numbered(value, sizeof(value), i * 1000 + k));
	}
	(void)read_changes(&reader);
	assert_int_equal(reader.code, ENGENHO_OK);
	assert_int_equal(reader.seen, CHANGES);
	engenho_watch_close(watch);
}

static void *wait_for_one(void *arg)
{
	struct reader *r = arg;
	engenho_events *events;
	engenho_error error;

	r->thread_id = gettid();
	r->code = engenho_watch_next(r->watch, -1, &events, &error);
	return NULL;
}

static void cancelling_a_watch_ends_who_waits(void **state)
{
	struct fixture *f = *state;
	struct reader reader = {.watch = watch_maps(f, 0, NULL)};
	struct pollfd pollfd = {.events = POLLIN};
	engenho_events *events;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &reader), 0);
	await_sleep(&reader.thread_id);
	engenho_watch_cancel(reader.watch);
	(void)pthread_join(thread, NULL);
	assert_int_equal(reader.code, ENGENHO_END);
	/* For ever, whatever happens. */
	pollfd.fd = engenho_watch_fd(reader.watch);
	(void)put_map(f, "a", "{}");
	engenho_watch_cancel(reader.watch);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	REFUSED(f, ENGENHO_END, engenho_watch_next(reader.watch, -1, &events, &f->error));
	store_close(f);
	engenho_watch_cancel(reader.watch);
	REFUSED(f, ENGENHO_END, engenho_watch_next(reader.watch, -1, &events, &f->error));
	engenho_watch_close(reader.watch);
}

static void a_shutdown_ends_who_waits(void **state)
{
	struct fixture *f = *state;
	struct reader reader = {.watch = watch_maps(f, 0, NULL)};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &reader), 0);
	await_sleep(&reader.thread_id);
	engenho_shutdown(f->store);
	(void)pthread_join(thread, NULL);
	assert_int_equal(reader.code, ENGENHO_UNAVAILABLE);
	store_close(f);
	engenho_watch_close(reader.watch);
}

static void a_descriptor_tells(void **state)
{
	struct fixture *f = *state;
	engenho_watch *watch = watch_maps(f, 0, NULL);
	struct pollfd pollfd = {.fd = engenho_watch_fd(watch), .events = POLLIN};

	assert_true(pollfd.fd >= 0);
	assert_int_equal(engenho_watch_fd(watch), pollfd.fd);
	assert_int_equal(poll(&pollfd, 1, 20), 0);
	(void)put_map(f, "a", "{}");
	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	expect_event(f, watch, ENGENHO_ADDED, "a", 2);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	engenho_watch_close(watch);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static engenho_kv_watch *watch_keys(struct fixture *f, int64_t start)
{
	engenho_kv_watch_options options = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_kv_watch *watch;

	options.key = bytes("k");
	options.range_end = bytes("l");
	options.start_revision = start;
	options.prev_kv = true;
	MUST(f, engenho_kv_watch_open(f->store, &options, &watch, &f->error));
	return watch;
}

static void keys_are_watched(void **state)
{
	struct fixture *f = *state;
	engenho_kv_watch *watch = watch_keys(f, 0);
	engenho_kv_events *events;

	(void)put_key(f, "a", "not in the range");
	(void)put_key(f, "k1", "1");
	MUST(f, engenho_kv_watch_next(watch, 10000, &events, &f->error));
	assert_int_equal(events->count, 1);
	assert_int_equal(events->revision, 3);
	assert_false(events->events[0].is_delete || events->events[0].has_prev);
	assert_true(bytes_are(events->events[0].kv.key, "k1"));
	assert_true(bytes_are(events->events[0].kv.value, "1"));
	engenho_kv_events_free(events);
	MUST(f, engenho_kv_delete(f->store, bytes("k1"), bytes(""), NULL, NULL, &f->error));
	MUST(f, engenho_kv_watch_next(watch, 10000, &events, &f->error));
	assert_true(events->events[0].is_delete && events->events[0].has_prev);
	assert_true(bytes_are(events->events[0].prev.value, "1"));
	assert_int_equal(events->events[0].kv.mod_revision, 4);
	engenho_kv_events_free(events);
	REFUSED(f, ENGENHO_TIMEOUT, engenho_kv_watch_next(watch, 10, &events, &f->error));
	engenho_kv_watch_close(watch);
	engenho_kv_watch_close(NULL);
}

static void keys_are_watched_from_the_past(void **state)
{
	enum { KEYS = 2000 };
	struct fixture *f = *state;
	engenho_kv_watch *watch;
	engenho_kv_events *events;
	int64_t revision = 1;
	int n = 0;

	for (int i = 0; i < KEYS; i++)
		MUST(f, engenho_kv_put_async(f->store, bytes("k"), bytes("v"), 0, NULL, NULL,
					     &f->error));
	while (n < KEYS)
		n += engenho_dispatch(f->store, -1);
	watch = watch_keys(f, 2);
	assert_true(engenho_kv_watch_fd(watch) >= 0);
	for (n = 0; n < KEYS;) {
		MUST(f, engenho_kv_watch_next(watch, 10000, &events, &f->error));
		for (size_t i = 0; i < events->count; i++, n++)
			assert_int_equal(events->events[i].kv.mod_revision, ++revision);
		assert_int_equal(events->revision, revision);
		engenho_kv_events_free(events);
	}
	engenho_kv_watch_close(watch);
	MUST(f, engenho_compact(f->store, revision, &f->error));
	watch = watch_keys(f, 2);
	REFUSED(f, ENGENHO_COMPACTED, engenho_kv_watch_next(watch, 10000, &events, &f->error));
	engenho_kv_watch_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_are_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(selectors_let_objects_in_and_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_watch_resumes_behind_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_compacted_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(bookmarks_come_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_revision_is_never_split, setup, teardown),
		cmocka_unit_test_setup_teardown(one_resource_is_watched_by_its_name, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hundred_watchers_at_different_speeds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read_misses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelling_a_watch_ends_who_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_shutdown_ends_who_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_descriptor_tells, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_watched, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_watched_from_the_past, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
