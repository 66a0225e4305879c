#include "support.h"

/*
 * Random transactions, compactions, watchers and reading speeds, with queues of a few events, so that
 * watchers fall back to the log and join again all the time. Whatever happens, a watcher gets the events
 * of its range from its start on, in order, each once, whole revisions at a time; or is told that its
 * position was compacted away.
 */

enum {
	WATCHERS = 12,
	KEYS = 30,
	QUEUE_EVENTS_MAX = 4,
	QUEUE_BYTES_MAX = 6 * sizeof(struct seen),
	TAKEN_MAX = 8
};

struct model_watcher {
	struct es_watcher *watcher; /* NULL: the place is free */
	struct es_watch_spec spec;
	uint8_t key[8], end[8];
	int64_t start;
	size_t at; /* in the history: everything before it was handed out or is none of the watcher's */
	bool inside; /* the last revision handed out was not whole */
	bool awake;
	bool lost;
};

static struct model_watcher watchers[WATCHERS];

static void on_wake(struct es_watcher *watcher, void *owner)
{
	struct model_watcher *model = owner;

	assert_ptr_equal(model->watcher, watcher);
	assert_false(model->awake);
	model->awake = true;
}

static struct es_slice random_key(struct es_rng *rng, uint8_t bytes[8])
{
	(void)snprintf((char *)bytes, 8, "%02u", (unsigned)es_rng_below(rng, KEYS));
	return es_slice(bytes, 2);
}

/* The next event for this watcher at or behind `at`; history_len when there is none. */
static size_t next_wanted(const struct world *world, const struct model_watcher *model, size_t at)
{
	for (; at < world->history_len; at++) {
		const struct seen *seen = &world->history[at];

		if (seen->mod >= model->start &&
		    es_mvcc_range_contains(model->spec.range, es_slice(seen->key, seen->key_len)) &&
		    !(seen->is_delete ? model->spec.filter_delete : model->spec.filter_put))
			return at;
	}
	return at;
}

static void transact(struct world *world, struct es_rng *rng)
{
	static const uint8_t value[200];
	struct es_mvcc_op ops[4];
	uint8_t bytes[4][8], end[8];
	size_t count = 1 + es_rng_below(rng, 4);
	size_t n = 0;

	if (es_rng_below(rng, 5) == 0) {
		ops[0] = delete_op(random_key(rng, bytes[0]), random_key(rng, end));
		world_apply(world, ops, 1);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct es_slice key = random_key(rng, bytes[n]);
		bool twice = false;

		for (size_t k = 0; k < n; k++)
			twice |= es_slice_eq(key, es_slice(bytes[k], 2));
		if (twice)
			continue;
		if (es_rng_below(rng, 4) == 0)
			ops[n++] = delete_op(key, es_slice(NULL, 0));
		else
			ops[n++] = put_op(key,
					  es_slice(value, es_rng_below(rng, 10) == 0 ? 200 : 5));
	}
	world_apply(world, ops, n);
}

static void compact(struct world *world, struct es_rng *rng)
{
	int64_t newest = es_mvcc_revision(world->store);
	int64_t back = (int64_t)es_rng_below(rng, 12);
	int64_t compacted = es_mvcc_compacted(world->store);

	if (newest - back > compacted)
		assert_int_equal(es_mvcc_compact(world->store, newest - back), 0);
	(void)es_mvcc_compact_step(world->store, es_rng_below(rng, 20));
}

static void add(struct world *world, struct model_watcher *model, struct es_rng *rng)
{
	int64_t newest = es_mvcc_revision(world->store);
	struct es_watcher *watcher;

	memset(model, 0, sizeof(*model));
	model->spec.range.key = random_key(rng, model->key);
	if (es_rng_below(rng, 3) > 0)
		model->spec.range.end = random_key(rng, model->end);
	if (es_rng_below(rng, 6) == 0)
		model->spec.range.end = ES_SLICE("\0");
	model->spec.filter_put = es_rng_below(rng, 8) == 0;
	model->spec.filter_delete = es_rng_below(rng, 8) == 0;
	model->spec.prev_kv = es_rng_below(rng, 2) == 0;
	switch (es_rng_below(rng, 3)) {
	case 0: break;
	case 1: model->spec.start_revision = newest + 1 + (int64_t)es_rng_below(rng, 4); break;
	default: model->spec.start_revision = newest - (int64_t)es_rng_below(rng, 15); break;
	}
	model->start = model->spec.start_revision > 0 ? model->spec.start_revision : newest + 1;
	model->awake = model->start <= newest;
	if (es_watch_add(world->hub, &model->spec, model, &watcher) == 0)
		model->watcher = watcher;
}

static void check_lost(const struct world *world, struct model_watcher *model)
{
	/* It has not been told everything, and something that it has not been told may be gone. */
	int64_t from = model->at == 0 ? 0 : world->history[model->at - 1].mod;

	assert_true((model->start > from ? model->start : from) < es_mvcc_compacted(world->store));
	assert_false(es_watch_is_synced(model->watcher));
	model->lost = true;
	model->awake = false;
}

static void check_event(const struct world *world, struct model_watcher *model,
			const struct es_watch_event *event)
{
	size_t at = next_wanted(world, model, model->at);
	struct seen got = event_seen(event);
	struct seen want;

	assert_true(at < world->history_len);
	want = world->history[at];
	if (!model->spec.prev_kv ||
	    (got.prev_mod == 0 && want.mod <= es_mvcc_compacted(world->store)))
		want.prev_mod = 0;
	assert_memory_equal(&got, &want, sizeof(got));
	model->at = at + 1;
}

/* How many of its events lie in the revision of history[at]. */
static size_t revision_len(const struct world *world, const struct model_watcher *model, size_t at)
{
	int64_t mod = world->history[at].mod;
	size_t count = 0;

	while (at > 0 && world->history[at - 1].mod == mod)
		at--;
	for (at = next_wanted(world, model, at);
	     at < world->history_len && world->history[at].mod == mod;
	     at = next_wanted(world, model, at + 1))
		count++;
	return count;
}

static void check_batch(struct world *world, struct model_watcher *model,
			struct es_watch_event **events, size_t count, size_t max,
			size_t bytes_soft_max, bool partial)
{
	bool was_inside = model->inside;
	size_t bytes = 0, upcoming;

	for (size_t i = 0; i < count; i++)
		check_event(world, model, events[i]);
	for (size_t i = 0; i < count && events[i]->mod_revision != events[count - 1]->mod_revision;
	     i++)
		bytes += events[i]->len;
	assert_true(bytes == 0 || bytes < bytes_soft_max);
	if (count > 0) {
		upcoming = next_wanted(world, model, model->at);
		model->inside = upcoming < world->history_len &&
				world->history[upcoming].mod == events[count - 1]->mod_revision;
	}
	assert_int_equal(partial, model->inside);
	if (count > 0 && partial) { /* only a revision that no call could take, and then alone */
		assert_int_equal(count, max);
		assert_int_equal(events[0]->mod_revision, events[count - 1]->mod_revision);
		assert_true(was_inside || revision_len(world, model, model->at - 1) > max);
	}
}

/* Returns whether there may be more. */
static bool read_some(struct world *world, struct model_watcher *model, struct es_rng *rng)
{
	struct es_watch_event *events[TAKEN_MAX];
	size_t max = 1 + es_rng_below(rng, TAKEN_MAX);
	size_t bytes_soft_max = es_rng_below(rng, 8 * sizeof(struct seen));
	size_t count;
	bool partial, again, more;
	int rc = es_watch_next(world->hub, model->watcher, events, max, bytes_soft_max,
			       1 + es_rng_below(rng, 12), &count, &partial, &again);

	if (rc == ES_ENOMEM)
		return true;
	if (model->lost || rc == ES_ECOMPACTED) {
		assert_int_equal(rc, ES_ECOMPACTED);
		check_lost(world, model);
		return false;
	}
	assert_int_equal(rc, 0);
	check_batch(world, model, events, count, max, bytes_soft_max, partial);
	for (size_t i = 0; i < count; i++)
		es_watch_event_unref(world->hub, events[i]);
	more = count > 0 || again;
	if (!more)
		model->awake = false;
	return more;
}

/* What holds between any two calls. */
static void check_all(const struct world *world)
{
	size_t present = 0, unsynced = 0;

	for (size_t i = 0; i < WATCHERS; i++) {
		const struct model_watcher *model = &watchers[i];
		bool waiting;

		if (model->watcher == NULL)
			continue;
		present++;
		if (model->lost)
			continue;
		unsynced += !es_watch_is_synced(model->watcher);
		waiting = next_wanted(world, model, model->at) < world->history_len;
		assert_true(!waiting || model->awake);
		assert_true(!waiting || !es_watch_is_synced(model->watcher));
		assert_true(model->awake || es_watch_is_synced(model->watcher));
	}
	assert_int_equal(es_watch_count(world->hub), present);
	assert_true(es_watch_unsynced_count(world->hub) <= unsynced);
}

static void step(struct world *world, struct es_rng *rng)
{
	struct model_watcher *model = &watchers[es_rng_below(rng, WATCHERS)];
	uint64_t what = es_rng_below(rng, 100);

	if (what < 35) {
		transact(world, rng);
	} else if (what < 40) {
		compact(world, rng);
	} else if (model->watcher == NULL) {
		add(world, model, rng);
	} else if (what < 43 || model->lost) {
		if (model->lost)
			(void)read_some(world, model, rng);
		es_watch_remove(world->hub, model->watcher);
		model->watcher = NULL;
	} else if (model->awake || what < 50) { /* nobody has to wait for a wake */
		(void)read_some(world, model, rng);
	}
}

static void run(struct world *world, uint64_t seed, int steps)
{
	struct es_rng rng;

	memset(watchers, 0, sizeof(watchers));
	es_rng_init(&rng, seed);
	world->wake = on_wake;
	for (int i = 0; i < steps; i++) {
		step(world, &rng);
		check_all(world);
	}
	world->fail_one_in = 0;
	for (size_t i = 0; i < WATCHERS; i++) {
		struct model_watcher *model = &watchers[i];
		int calls = 0;

		if (model->watcher == NULL)
			continue;
		while (read_some(world, model, &rng)) /* all come to the end */
			assert_true(calls++ < 10000);
		assert_true(model->lost || es_watch_is_synced(model->watcher));
		assert_true(model->lost ||
			    next_wanted(world, model, model->at) == world->history_len);
		es_watch_remove(world->hub, model->watcher);
		model->watcher = NULL;
	}
	assert_int_equal(es_watch_unsynced_count(world->hub), 0);
}

static void watchers_agree_with_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct world world;

		print_message("seed %llu\n", (unsigned long long)seed);
		assert_int_equal(world_open(&world, UINT64_MAX, QUEUE_EVENTS_MAX, QUEUE_BYTES_MAX),
				 0);
		run(&world, seed, 1500);
		world_close(&world);
	}
}

/* Queues that never overflow: everything goes the live way. */
static void and_with_long_queues(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 110; seed++) {
		struct world world;

		print_message("seed %llu\n", (unsigned long long)seed);
		assert_int_equal(world_open(&world, UINT64_MAX, 100000, SIZE_MAX), 0);
		run(&world, seed, 1500);
		world_close(&world);
	}
}

static void and_when_memory_fails_by_chance(void **state)
{
	(void)state;
	for (uint64_t seed = 200; seed < 220; seed++) {
		struct world world;

		print_message("seed %llu\n", (unsigned long long)seed);
		assert_int_equal(world_open(&world, UINT64_MAX, QUEUE_EVENTS_MAX, QUEUE_BYTES_MAX),
				 0);
		world.fail_one_in = 2 + (unsigned)seed % 7;
		run(&world, seed, 1500);
		world_close(&world);
	}
}

static void and_when_any_one_allocation_fails(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct world world;
		bool fired;

		if (world_open(&world, n, QUEUE_EVENTS_MAX, QUEUE_BYTES_MAX) == 0)
			run(&world, 1, 250);
		fired = world.fault.fired;
		world_close(&world);
		if (!fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watchers_agree_with_a_model),
		cmocka_unit_test(and_with_long_queues),
		cmocka_unit_test(and_when_memory_fails_by_chance),
		cmocka_unit_test(and_when_any_one_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
