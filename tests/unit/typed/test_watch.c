#include "typed/support.h"

struct watching {
	struct typed_fixture *f;
	struct es_typed_watch_spec spec;
	struct es_typed_watch *watch;
	struct es_arena arena;
	unsigned wakes;
	char seen[4096];
	int status;
};

static void on_wake(void *ctx)
{
	((struct watching *)ctx)->wakes++;
}

static void watching_init(struct typed_fixture *f, struct watching *w)
{
	*w = (struct watching){.f = f};
	w->spec.scope = (struct es_resource_scope){
		.version = ES_SLICE("v1"), .kind = ES_SLICE("Thing"), .all_namespaces = true};
	w->spec.wake = on_wake;
	w->spec.ctx = w;
	es_arena_init(&w->arena, es_mem_default(), 1024);
}

static void watching_open(struct watching *w)
{
	char errmsg[ES_TYPED_TEXT_MAX];

	assert_int_equal(
		es_typed_watch_open(w->f->typed, &w->spec, &w->watch, errmsg, sizeof(errmsg)), 0);
}

static void watching_close(struct watching *w)
{
	es_typed_watch_close(w->watch);
	es_arena_close(&w->arena);
}

static void note(struct watching *w, const struct es_typed_event *event)
{
	static const char letters[] = "AMDB";
	size_t at = strlen(w->seen);

	(void)snprintf(w->seen + at, sizeof(w->seen) - at, "%s%c%.*s", at > 0 ? " " : "",
		       letters[event->type], (int)event->item.key.name.len,
		       (const char *)event->item.key.name.data);
}

/* All there is now, `max` at a time. */
static void fetch(struct watching *w, size_t max)
{
	struct es_typed_event events[64];
	size_t count;
	bool again = true;

	w->seen[0] = '\0';
	while (again) {
		w->status = es_typed_watch_next(w->watch, &w->arena, events, max, 1, &count,
						&again);
		if (w->status < 0)
			return;
		for (size_t i = 0; i < count; i++)
			note(w, &events[i]);
	}
}

static void assert_seen(struct watching *w, const char *expected)
{
	fetch(w, 64);
	assert_int_equal(w->status, 0);
	assert_string_equal(w->seen, expected);
}

static void from_now_on(void **state)
{
	struct typed_fixture *f = *state;
	struct watching w;

	(void)put_thing(f, "x", "a", "{}");
	watching_init(f, &w);
	watching_open(&w);
	(void)uv_run(&f->engine->loop, UV_RUN_NOWAIT);
	assert_int_equal(w.wakes, 0);
	assert_seen(&w, "");
	(void)put_thing(f, "x", "a", "{\"spec\":1}");
	(void)put_thing(f, "x", "b", "{}");
	(void)delete_thing(f, "x", "a");
	RUN_UNTIL(f->engine, w.wakes > 0);
	assert_int_equal(w.wakes, 1);
	assert_seen(&w, "Ma Ab Da");
	(void)put_thing(f, "x", "c", "{}");
	RUN_UNTIL(f->engine, w.wakes == 2);
	assert_seen(&w, "Ac");
	watching_close(&w);
}

static void a_deleted_object_is_stamped(void **state)
{
	struct typed_fixture *f = *state;
	struct es_typed_event event;
	struct watching w;
	char expected[64], value[1024];
	int64_t revision;
	size_t count;
	bool again;

	(void)put_thing(f, "x", "a", "{\"spec\":7}");
	watching_init(f, &w);
	watching_open(&w);
	revision = delete_thing(f, "x", "a");
	assert_int_equal(es_typed_watch_next(w.watch, &w.arena, &event, 1, 1, &count, &again), 0);
	assert_int_equal(count, 1);
	assert_int_equal(event.type, ES_TYPED_DELETED);
	assert_int_equal(event.revision, revision);
	assert_int_equal(event.item.mod_revision, revision);
	assert_true(event.item.value.len < sizeof(value));
	memcpy(value, event.item.value.data, event.item.value.len);
	value[event.item.value.len] = '\0';
	(void)snprintf(expected, sizeof(expected), "\"resourceVersion\":\"%lld\"",
		       (long long)revision);
	assert_non_null(strstr(value, expected));
	assert_non_null(strstr(value, "\"spec\":7"));
	watching_close(&w);
}

/* Also one that has no metadata, as raw writes may leave it: the caller and the watchers are told the same. */
static void all_are_told_the_same_last_state(void **state)
{
	static const char *const values[] = {"{}", "[1]", "{\"metadata\":1}"};
	struct typed_fixture *f = *state;
	const struct es_resource_command command = {.kind = ES_RESOURCE_DELETE,
						    .key = thing("x", "a")};

	for (size_t i = 0; i < ES_ARRAY_LEN(values); i++) {
		struct es_typed_event event;
		struct watching w;
		struct written deleted;
		size_t count;
		bool again;

		assert_int_equal(put(f->engine, "/engenho/resources/_/v1/Thing/x/a", values[i], 0),
				 0);
		watching_init(f, &w);
		watching_open(&w);
		assert_int_equal(typed_write(f, &command, &deleted), 0);
		assert_int_equal(
			es_typed_watch_next(w.watch, &w.arena, &event, 1, 1, &count, &again), 0);
		assert_int_equal(count, 1);
		assert_true(es_slice_eq(event.item.value, es_slice_str(deleted.object)));
		if (i == 0)
			assert_non_null(
				strstr(deleted.object, "{\"metadata\":{\"resourceVersion\":"));
		else
			assert_string_equal(deleted.object, values[i]);
		watching_close(&w);
	}
}

static void objects_enter_and_leave_the_selection(void **state)
{
	struct typed_fixture *f = *state;
	struct watching w;

	watching_init(f, &w);
	w.spec.label_selector = ES_SLICE("on=1");
	watching_open(&w);
	(void)put_thing(f, "x", "a", "{}");
	(void)put_thing(f, "x", "a", "{\"metadata\":{\"labels\":{\"on\":\"1\"}}}");
	(void)put_thing(f, "x", "a", "{\"metadata\":{\"labels\":{\"on\":\"1\"}},\"spec\":1}");
	(void)put_thing(f, "x", "a", "{\"spec\":2}");
	(void)put_thing(f, "x", "a", "{\"spec\":3}");
	(void)put_thing(f, "x", "b", "{\"metadata\":{\"labels\":{\"on\":\"1\"}}}");
	(void)delete_thing(f, "x", "a");
	(void)delete_thing(f, "x", "b");
	assert_seen(&w, "Aa Ma Da Ab Db");
	watching_close(&w);
}

static void scopes(void **state)
{
	struct typed_fixture *f = *state;
	struct watching ns, one, all, none;

	watching_init(f, &ns);
	ns.spec.scope.all_namespaces = false;
	ns.spec.scope.ns = ES_SLICE("x");
	watching_open(&ns);
	watching_init(f, &one);
	one.spec.scope.ns = ES_SLICE("x");
	one.spec.name = ES_SLICE("b");
	watching_open(&one);
	watching_init(f, &all);
	all.spec.everything = true;
	watching_open(&all);
	watching_init(f, &none);
	none.spec.scope.kind = ES_SLICE("Thi"); /* the beginning of a kind's name is not it */
	watching_open(&none);
	(void)put_thing(f, "x", "a", "{}");
	(void)put_thing(f, "x", "b", "{}");
	(void)put_thing(f, "xy", "b", "{}");
	(void)put_thing(f, NULL, "b", "{}");
	assert_seen(&ns, "Aa Ab");
	assert_seen(&one, "Ab");
	assert_seen(&all, "Aa Ab Ab Ab");
	assert_seen(&none, "");
	watching_close(&ns);
	watching_close(&one);
	watching_close(&all);
	watching_close(&none);
}

static void resume_loses_and_repeats_nothing(void **state)
{
	struct typed_fixture *f = *state;
	int64_t from = put_thing(f, "x", "a", "{}");
	struct watching w;
	char expected[256] = "";
	char seen[256] = "";
	char name[16];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		(void)put_thing(f, "x", name, "{}");
		(void)snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
			       "A%s ", name);
	}
	/* Event by event, by a new watch each time, across a restart. */
	for (int i = 0; i < 20; i++) {
		struct es_typed_event event;
		size_t count;
		bool again;

		if (i == 10) {
			typed_close(f);
			typed_open(f);
		}
		watching_init(f, &w);
		w.spec.from_revision = from;
		watching_open(&w);
		RUN_UNTIL(f->engine, w.wakes > 0);
		assert_int_equal(
			es_typed_watch_next(w.watch, &w.arena, &event, 1, 1, &count, &again), 0);
		assert_int_equal(count, 1);
		(void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "A%.*s ",
			       (int)event.item.key.name.len,
			       (const char *)event.item.key.name.data);
		from = es_typed_watch_revision(w.watch);
		watching_close(&w);
	}
	assert_string_equal(seen, expected);
}

static void a_compacted_start_says_so(void **state)
{
	struct typed_fixture *f = *state;
	int64_t from = put_thing(f, "x", "a", "{}");
	struct watching w;

	for (int i = 0; i < 10; i++)
		(void)put_thing(f, "x", "a", i % 2 == 0 ? "{\"spec\":1}" : "{\"spec\":2}");
	compact_at(f, from + 10);
	watching_init(f, &w);
	w.spec.from_revision = from;
	watching_open(&w);
	RUN_UNTIL(f->engine, w.wakes > 0);
	fetch(&w, 64);
	assert_int_equal(w.status, ES_ECOMPACTED);
	watching_close(&w);
	/* The newest is not too old. */
	watching_init(f, &w);
	w.spec.from_revision = from + 10;
	watching_open(&w);
	(void)put_thing(f, "x", "b", "{}");
	assert_seen(&w, "Ab");
	watching_close(&w);
}

static void bookmarks(void **state)
{
	struct typed_fixture *f = *state;
	struct watching w;

	watching_init(f, &w);
	w.spec.bookmark_interval_ms = 1000;
	watching_open(&w);
	RUN_UNTIL(f->engine, w.wakes == 1);
	assert_seen(&w, "B");
	(void)put_thing(f, "x", "a", "{}");
	assert_seen(&w, "Aa");
	f->engine->now_ms += 1000;
	RUN_UNTIL(f->engine, w.wakes == 3);
	(void)put_thing(f, "x", "b", "{}");
	assert_seen(&w, "Ab B");
	assert_int_equal(es_typed_watch_revision(w.watch),
			 es_mvcc_revision(es_engine_store(f->engine->engine)));
	watching_close(&w);
}

static void a_transaction_comes_in_one_piece(void **state)
{
	struct typed_fixture *f = *state;
	struct es_resource_op ops[20] = {0};
	struct es_resource_command txn = {
		.kind = ES_RESOURCE_TXN, .success = ops, .success_count = ES_ARRAY_LEN(ops)};
	struct es_typed_event events[64];
	struct watching w;
	struct written written;
	char names[20][16];
	size_t count;
	bool again;

	for (int i = 0; i < 20; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "p%02d", i);
		ops[i] = (struct es_resource_op){.kind = ES_RESOURCE_OP_PUT,
						 .key = thing("x", names[i]),
						 .value = json_of(f, "{}")};
	}
	watching_init(f, &w);
	watching_open(&w);
	assert_int_equal(typed_write(f, &txn, &written), 0);
	(void)put_thing(f, "x", "z", "{}");
	assert_int_equal(es_typed_watch_next(w.watch, &w.arena, events, 64, 1, &count, &again), 0);
	assert_int_equal(count, 20);
	assert_int_equal(es_typed_watch_revision(w.watch), written.revision);
	/* Cut in two: resuming starts with it again. */
	watching_close(&w);
	watching_init(f, &w);
	w.spec.from_revision = written.revision - 1;
	watching_open(&w);
	assert_int_equal(es_typed_watch_next(w.watch, &w.arena, events, 7, 1, &count, &again), 0);
	assert_int_equal(count, 7);
	assert_int_equal(es_typed_watch_revision(w.watch), written.revision - 1);
	watching_close(&w);
}

/* 100 watchers of the same, each as slow as its number: all see everything, in order. */
static void a_large_selector_takes_calls(void **state)
{
	enum { THINGS = 40 };
	struct typed_fixture *f = *state;
	struct es_typed_event events[64];
	struct watching w;
	size_t seen = 0, calls = 0, count;
	char name[16];
	bool again = true;

	watching_init(f, &w);
	w.spec.label_selector = large_selector(f);
	watching_open(&w);
	for (int i = 0; i < THINGS; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		(void)put_thing(f, "x", name, "{}");
	}
	for (; again; calls++) {
		assert_int_equal(es_typed_watch_next(w.watch, &w.arena, events, 64, SIZE_MAX,
						     &count, &again),
				 0);
		seen += count;
	}
	assert_int_equal(seen, THINGS);
	assert_true(calls > 10);
	watching_close(&w);
}

static void watchers_of_different_speed(void **state)
{
	enum { WATCHERS = 100, CHANGES = 300 };
	struct typed_fixture *f = *state;
	struct watching *w = calloc(WATCHERS, sizeof(*w));
	int next[WATCHERS] = {0};

	assert_non_null(w);
	for (int i = 0; i < WATCHERS; i++) {
		watching_init(f, &w[i]);
		watching_open(&w[i]);
	}
	for (int n = 0; n < CHANGES + WATCHERS * 10; n++) {
		char value[32];

		(void)snprintf(value, sizeof(value), "{\"spec\":%d}", n);
		if (n < CHANGES)
			(void)put_thing(f, "x", "a", value);
		for (int i = 0; i < WATCHERS; i++) {
			struct es_typed_event events[8];
			char expected[32];
			size_t count;
			bool again;

			if (n % (i + 1) != 0)
				continue;
			assert_int_equal(es_typed_watch_next(w[i].watch, &w[i].arena, events, 8,
							     SIZE_MAX, &count, &again),
					 0);
			for (size_t k = 0; k < count; k++) {
				(void)snprintf(expected, sizeof(expected), "\"spec\":%d}",
					       next[i]++);
				assert_true(events[k].item.value.len > strlen(expected));
				assert_memory_equal(events[k].item.value.data +
							    events[k].item.value.len -
							    strlen(expected),
						    expected, strlen(expected));
			}
			es_arena_reset(&w[i].arena);
		}
	}
	for (int i = 0; i < WATCHERS; i++) {
		bool slow = i > 20; /* too few turns for all of them */

		assert_true(slow ? next[i] > 0 : next[i] == CHANGES);
		watching_close(&w[i]);
	}
	free(w);
}

static void selectors_that_are_wrong_are_told(void **state)
{
	struct typed_fixture *f = *state;
	struct es_typed_watch *watch;
	struct watching w;
	char errmsg[ES_TYPED_TEXT_MAX];

	watching_init(f, &w);
	w.spec.field_selector = ES_SLICE("x");
	assert_int_equal(es_typed_watch_open(f->typed, &w.spec, &watch, errmsg, sizeof(errmsg)),
			 ES_EINVAL);
	assert_non_null(strstr(errmsg, "selector"));
	es_arena_close(&w.arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, typed_setup, typed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(from_now_on),
		TEST(a_deleted_object_is_stamped),
		TEST(all_are_told_the_same_last_state),
		TEST(objects_enter_and_leave_the_selection),
		TEST(scopes),
		TEST(resume_loses_and_repeats_nothing),
		TEST(a_compacted_start_says_so),
		TEST(bookmarks),
		TEST(a_transaction_comes_in_one_piece),
		TEST(a_large_selector_takes_calls),
		TEST(watchers_of_different_speed),
		TEST(selectors_that_are_wrong_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
