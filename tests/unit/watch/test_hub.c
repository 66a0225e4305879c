#include "support.h"

/* Single facts about the hub; test_hub_random.c holds it against a model. */

static const struct es_mvcc_range pods = {{(const uint8_t *)"/pods/", 6},
					  {(const uint8_t *)"/pods0", 6}};

static int wakes;

static void count_wake(struct es_watcher *watcher, void *owner)
{
	(void)watcher;
	(void)owner;
	wakes++;
}

static void open_world(struct world *world)
{
	assert_int_equal(world_open(world, UINT64_MAX, 100, 100000), 0);
	world->wake = count_wake;
	wakes = 0;
}

static struct es_watcher *add(struct world *world, struct es_watch_spec spec)
{
	struct es_watcher *watcher;

	assert_int_equal(es_watch_add(world->hub, &spec, NULL, &watcher), 0);
	return watcher;
}

struct got {
	size_t count;
	bool partial, again;
	struct seen events[64];
};

static struct got next(struct world *world, struct es_watcher *watcher, size_t max, size_t bytes,
		       size_t scan_max)
{
	struct es_watch_event *events[64];
	struct got got;

	assert_true(max <= 64);
	assert_int_equal(es_watch_next(world->hub, watcher, events, max, bytes, scan_max,
				       &got.count, &got.partial, &got.again),
			 0);
	for (size_t i = 0; i < got.count; i++) {
		got.events[i] = event_seen(events[i]);
		es_watch_event_unref(world->hub, events[i]);
	}
	return got;
}

static struct got next_all(struct world *world, struct es_watcher *watcher)
{
	return next(world, watcher, 64, SIZE_MAX, 1000);
}

static void a_live_watcher_gets_what_happens_in_its_range(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	struct got got;

	(void)state;
	open_world(&world);
	world_put(&world, "/pods/a");
	watcher = add(&world, (struct es_watch_spec){.range = pods});
	assert_true(es_watch_is_synced(watcher));
	assert_int_equal(es_watch_count(world.hub), 1);
	assert_int_equal(es_watch_unsynced_count(world.hub), 0);
	world_put(&world, "/nodes/a");
	assert_int_equal(wakes, 0);
	world_put(&world, "/pods/b");
	world_delete(&world, "/pods/a", "");
	assert_int_equal(wakes, 1); /* once until there is nothing more */
	assert_false(es_watch_is_synced(watcher));
	got = next_all(&world, watcher);
	assert_int_equal(got.count, 2);
	assert_false(got.partial || got.again);
	assert_int_equal(got.events[0].mod, 4);
	assert_false(got.events[0].is_delete);
	assert_int_equal(got.events[1].mod, 5);
	assert_true(got.events[1].is_delete);
	assert_int_equal(got.events[1].prev_mod, 0); /* not asked for */
	world_put(&world, "/pods/c");
	assert_int_equal(wakes, 1);
	assert_int_equal(next_all(&world, watcher).count, 1);
	assert_int_equal(next_all(&world, watcher).count, 0);
	world_put(&world, "/pods/c");
	assert_int_equal(wakes, 2);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

static void filters_and_prev_kv(void **state)
{
	struct world world;
	struct es_watcher *puts, *deletes, *nothing;
	struct got got;

	(void)state;
	open_world(&world);
	puts = add(&world,
		   (struct es_watch_spec){.range = pods, .filter_delete = true, .prev_kv = true});
	deletes = add(&world,
		      (struct es_watch_spec){.range = pods, .filter_put = true, .prev_kv = true});
	nothing = add(&world, (struct es_watch_spec){
				      .range = pods, .filter_put = true, .filter_delete = true});
	world_put(&world, "/pods/a");
	world_put(&world, "/pods/a");
	world_delete(&world, "/pods/a", "");
	got = next_all(&world, puts);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.events[0].prev_mod, 0);
	assert_int_equal(got.events[1].prev_mod, 2);
	got = next_all(&world, deletes);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.events[0].prev_mod, 3);
	assert_true(es_watch_is_synced(nothing));
	assert_int_equal(next_all(&world, nothing).count, 0);
	assert_int_equal(wakes, 2);
	es_watch_remove(world.hub, puts);
	es_watch_remove(world.hub, deletes);
	es_watch_remove(world.hub, nothing);
	world_close(&world);
}

static void a_start_in_the_past_joins_without_gap_or_double(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	struct got got;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 5; i++)
		world_put(&world, "/pods/a");
	watcher = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 3});
	assert_int_equal(es_watch_unsynced_count(world.hub), 1);
	got = next(&world, watcher, 64, SIZE_MAX, 2);
	assert_true(got.again);
	assert_int_equal(got.count,
			 1); /* the second one's revision may go on, for all it has seen */
	world_put(&world, "/pods/a");
	assert_int_equal(wakes, 0); /* it has something already */
	for (int64_t mod = 3 + 1; mod <= 7; mod++) {
		got = next(&world, watcher, 1, SIZE_MAX, 1000);
		assert_int_equal(got.count, 1);
		assert_int_equal(got.events[0].mod, mod);
	}
	assert_int_equal(next_all(&world, watcher).count, 0);
	assert_true(es_watch_is_synced(watcher));
	assert_int_equal(es_watch_unsynced_count(world.hub), 0);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

static void a_start_in_the_future_waits_for_it(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	struct got got;

	(void)state;
	open_world(&world);
	watcher = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 4});
	world_put(&world, "/pods/a");
	world_put(&world, "/pods/a");
	assert_int_equal(es_mvcc_compact(world.store, 3), 0);
	assert_int_equal(next_all(&world, watcher).count, 0);
	world_put(&world, "/pods/a");
	got = next_all(&world, watcher);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.events[0].mod, 4);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

/* At the compacted revision itself a watch may start, and still sees what was deleted there, without what
 * was before. */
static void compaction_loses_what_lies_below(void **state)
{
	struct es_watch_event *event;
	struct world world;
	struct es_watcher *at, *below;
	struct got got;
	size_t count;
	bool partial, again;

	(void)state;
	open_world(&world);
	world_put(&world, "/pods/a");
	world_delete(&world, "/pods/a", "");
	world_put(&world, "/pods/a");
	at = add(&world,
		 (struct es_watch_spec){.range = pods, .start_revision = 3, .prev_kv = true});
	below = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 2});
	assert_int_equal(es_mvcc_compact(world.store, 3), 0);
	while (es_mvcc_compact_step(world.store, 1))
		;
	got = next_all(&world, at);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.events[0].mod, 3);
	assert_true(got.events[0].is_delete);
	assert_int_equal(got.events[0].prev_mod, 0);
	assert_int_equal(got.events[1].mod, 4);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			es_watch_next(world.hub, below, &event, 1, 1, 1, &count, &partial, &again),
			ES_ECOMPACTED);
		world_put(&world, "/pods/a"); /* gives nothing any more */
	}
	assert_false(es_watch_is_synced(below));
	assert_int_equal(es_watch_unsynced_count(world.hub), 0);
	es_watch_remove(world.hub, at);
	es_watch_remove(world.hub, below);
	world_close(&world);
}

/* It looked at everything up to revision 3, and all that it still needs is there. */
static void compaction_up_to_where_a_replay_stands_loses_nothing(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	struct got got;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 4; i++)
		world_put(&world, "/pods/a");
	watcher = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 2});
	got = next(&world, watcher, 64, SIZE_MAX, 2);
	assert_int_equal(got.count, 1);
	assert_true(got.again);
	assert_int_equal(es_mvcc_compact(world.store, 4), 0);
	while (es_mvcc_compact_step(world.store, 10))
		;
	got = next_all(&world, watcher);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.events[0].mod, 3);
	assert_int_equal(got.events[2].mod, 5);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

/* 10 keys deleted at once, taken 4 at a time, from the queue and from the log. */
static void a_revision_is_split_only_when_it_fits_in_no_call(void **state)
{
	struct world world;
	struct es_watcher *watchers[2];

	(void)state;
	open_world(&world);
	for (char digit = '0'; digit <= '9'; digit++) {
		char key[] = {'/', 'p', 'o', 'd', 's', '/', digit, '\0'};

		world_put(&world, key);
	}
	watchers[0] = add(&world, (struct es_watch_spec){.range = pods});
	world_put(&world, "/pods/a");
	world_delete(&world, "/pods/", "/pods/:");
	world_put(&world, "/pods/a");
	watchers[1] = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 12});
	for (int i = 0; i < 2; i++) {
		static const struct {
			size_t count;
			bool partial;
		} want[] = {{1, false}, {4, true}, {4, true}, {3, false}, {0, false}};

		for (size_t k = 0; k < sizeof(want) / sizeof(want[0]); k++) {
			struct got got = next(&world, watchers[i], 4, SIZE_MAX, 1000);

			assert_int_equal(got.count, want[k].count);
			assert_int_equal(got.partial, want[k].partial);
		}
		assert_true(es_watch_is_synced(watchers[i]));
		es_watch_remove(world.hub, watchers[i]);
	}
	world_close(&world);
}

/* A partial revision stays partial over calls that find nothing, and comes out whole however little each call reads. */
static void a_long_revision_is_read_in_slices(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	size_t count = 0, calls = 0;
	char key[24];
	struct got got;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "/pods/%02d", i);
		world_put(&world, key);
	}
	world_delete(&world, "/pods/", "/pods0");
	watcher = add(&world, (struct es_watch_spec){.range = pods, .start_revision = 52});
	do {
		got = next(&world, watcher, 20, SIZE_MAX, 3);
		count += got.count;
		calls++;
		assert_true(got.partial == (count > 0 && count < 50));
		assert_true(count == 50 || got.again || got.count > 0);
		assert_true(calls < 100);
	} while (count < 50);
	assert_true(calls >= 50 / 3);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

static void bytes_stop_a_batch_between_revisions(void **state)
{
	struct world world;
	struct es_watcher *watcher;

	(void)state;
	open_world(&world);
	watcher = add(&world, (struct es_watch_spec){.range = pods});
	for (int i = 0; i < 6; i++)
		world_put(&world, "/pods/a");
	assert_int_equal(next(&world, watcher, 64, 0, 100).count, 1);
	assert_int_equal(next(&world, watcher, 64, 1, 100).count, 1);
	assert_int_equal(next(&world, watcher, 64, sizeof(struct seen) + 6, 100).count, 2);
	assert_int_equal(next(&world, watcher, 64, 100000, 100).count, 2);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

/* Nothing in its range: each call moves on in the log, and it arrives. */
static void a_watcher_without_events_catches_up(void **state)
{
	struct world world;
	struct es_watcher *watcher;
	size_t calls = 0;
	struct got got;

	(void)state;
	open_world(&world);
	for (int i = 0; i < 1000; i++)
		world_put(&world, "/nodes/a");
	watcher = add(&world, (struct es_watch_spec){.range = {ES_SLICE("/pods/a"), ES_SLICE("")},
						     .start_revision = 1});
	do {
		got = next(&world, watcher, 10, 1000, 10);
		assert_int_equal(got.count, 0);
		calls++;
	} while (got.again);
	assert_in_range(calls, 100, 102);
	assert_true(es_watch_is_synced(watcher));
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

static void memory_is_bounded_however_slow_the_owner_is(void **state)
{
	enum { EVENTS = 5000 };
	struct world world;
	struct es_watcher *watcher;
	size_t count = 0;
	struct got got;

	(void)state;
	open_world(&world);
	watcher = add(&world, (struct es_watch_spec){.range = pods});
	for (int i = 0; i < EVENTS; i++) {
		world_put(&world, "/pods/a");
		assert_true(world.fault.live < 150);
	}
	assert_int_equal(wakes, 1);
	do {
		got = next_all(&world, watcher);
		for (size_t i = 0; i < got.count; i++)
			assert_int_equal(got.events[i].mod, 2 + (int64_t)count++);
	} while (got.count > 0 || got.again);
	assert_int_equal(count, EVENTS);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

static void a_queue_has_a_limit_in_bytes_too(void **state)
{
	struct world world;
	struct es_watcher *watcher;

	(void)state;
	assert_int_equal(world_open(&world, UINT64_MAX, SIZE_MAX, 3 * (sizeof(struct seen) + 5)),
			 0);
	watcher = add(&world, (struct es_watch_spec){.range = pods});
	for (int i = 0; i < 3; i++)
		world_put(&world, "/pods/a");
	assert_int_equal(es_watch_unsynced_count(world.hub), 0);
	world_put(&world, "/pods/a");
	assert_int_equal(es_watch_unsynced_count(world.hub), 1);
	assert_int_equal(next_all(&world, watcher).count, 4);
	assert_int_equal(es_watch_unsynced_count(world.hub), 0);
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

/* An event that fits in no queue still arrives, by way of the log. */
static void a_huge_event_takes_the_way_through_the_log(void **state)
{
	static const char huge[200000];
	struct world world;
	struct es_watcher *watcher;
	struct es_mvcc_op op = put_op(ES_SLICE("/pods/a"), es_slice(huge, sizeof(huge)));

	(void)state;
	open_world(&world);
	watcher = add(&world, (struct es_watch_spec){.range = pods});
	world_apply(&world, &op, 1);
	assert_int_equal(wakes, 1);
	assert_int_equal(next_all(&world, watcher).count, 1);
	assert_int_equal(next_all(&world, watcher).count, 0);
	assert_true(es_watch_is_synced(watcher));
	es_watch_remove(world.hub, watcher);
	world_close(&world);
}

/* Half of them on the same range, half on a range each: an event is encoded once for all of them, and once more for
 * those that want the version before. Work beyond O(log n + matches) an event would take minutes. */
static void many_watchers_share_each_event(void **state)
{
	enum { MANY = 10000, EVENTS = 2000 };
	static struct es_watcher *same[MANY], *distinct[MANY];
	struct world world;
	char key[32], end[32];

	(void)state;
	open_world(&world);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "/pods/%06d", i);
		(void)snprintf(end, sizeof(end), "/pods/%06d0", i);
		same[i] = add(&world, (struct es_watch_spec){.range = pods, .prev_kv = i % 2 == 0});
		distinct[i] = add(&world, (struct es_watch_spec){
						  .range = {es_slice_str(key), es_slice_str(end)}});
	}
	world_put(&world, "/pods/000007");
	assert_int_equal(world.encodings, 1); /* there is no version before */
	world_put(&world, "/pods/000007");
	assert_int_equal(world.encodings, 1 + 2);
	assert_int_equal(wakes, MANY + 1);
	assert_int_equal(next_all(&world, distinct[7]).count, 2);
	assert_true(es_watch_is_synced(distinct[8]));
	for (int i = 0; i < MANY; i++) {
		struct got got = next_all(&world, same[i]);

		assert_int_equal(got.count, 2);
		assert_int_equal(got.events[1].prev_mod, i % 2 == 0 ? 2 : 0);
		es_watch_remove(world.hub, same[i]);
	}
	for (int i = 0; i < EVENTS; i++) {
		(void)snprintf(key, sizeof(key), "/pods/%06d", i);
		world_put(&world, key);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(next_all(&world, distinct[i]).count, i < EVENTS);
		es_watch_remove(world.hub, distinct[i]);
	}
	assert_int_equal(es_watch_count(world.hub), 0);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_watcher_gets_what_happens_in_its_range),
		cmocka_unit_test(filters_and_prev_kv),
		cmocka_unit_test(a_start_in_the_past_joins_without_gap_or_double),
		cmocka_unit_test(a_start_in_the_future_waits_for_it),
		cmocka_unit_test(compaction_loses_what_lies_below),
		cmocka_unit_test(compaction_up_to_where_a_replay_stands_loses_nothing),
		cmocka_unit_test(a_revision_is_split_only_when_it_fits_in_no_call),
		cmocka_unit_test(a_long_revision_is_read_in_slices),
		cmocka_unit_test(bytes_stop_a_batch_between_revisions),
		cmocka_unit_test(a_watcher_without_events_catches_up),
		cmocka_unit_test(memory_is_bounded_however_slow_the_owner_is),
		cmocka_unit_test(a_queue_has_a_limit_in_bytes_too),
		cmocka_unit_test(a_huge_event_takes_the_way_through_the_log),
		cmocka_unit_test(many_watchers_share_each_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
