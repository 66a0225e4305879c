#ifndef ES_TEST_WATCH_SUPPORT_H
#define ES_TEST_WATCH_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "watch/watch.h"

/*
 * A store and a hub over it, and a plain list of everything that happened, which is what watchers are held against.
 * The store's own memory never fails; the hub's is the one that is counted.
 */

/* How an event is encoded here. */
struct seen {
	int64_t mod, sub;
	int64_t prev_mod; /* 0: none */
	bool is_delete;
	uint8_t key_len;
	char key[22];
	size_t padding; /* bytes behind this, so that sizes differ */
};

struct world {
	struct es_mem mem; /* the hub's */
	struct es_fault_mem fault;
	unsigned fail_one_in; /* 0: memory does not fail by chance */
	struct es_rng chance;
	struct es_mvcc *store;
	struct es_watch_hub *hub;
	struct seen *history;
	size_t history_len, history_room;
	uint64_t encodings;
	void (*wake)(struct es_watcher *watcher, void *owner);
};

static void *world_alloc(void *ctx, size_t size)
{
	struct world *world = ctx;

	if (world->fail_one_in > 0 && es_rng_below(&world->chance, world->fail_one_in) == 0)
		return NULL;
	return es_alloc(&world->fault.mem, size);
}

static void *world_realloc(void *ctx, void *pointer, size_t size)
{
	struct world *world = ctx;

	if (world->fail_one_in > 0 && es_rng_below(&world->chance, world->fail_one_in) == 0)
		return NULL;
	return es_realloc(&world->fault.mem, pointer, size);
}

static void world_free(void *ctx, void *pointer)
{
	struct world *world = ctx;

	es_free(&world->fault.mem, pointer);
}

static size_t world_encoded_size(void *ctx, const struct es_mvcc_event *event, bool prev_kv)
{
	struct es_mvcc_kv kv;

	(void)ctx;
	assert_true(!prev_kv || event->prev != NULL);
	es_mvcc_version_kv(event->version, &kv);
	return sizeof(struct seen) + kv.value.len;
}

static struct seen seen_of(const struct es_mvcc_event *event, bool prev_kv)
{
	struct es_mvcc_kv kv, prev = {0};
	struct seen seen = {0};

	es_mvcc_version_kv(event->version, &kv);
	if (prev_kv)
		es_mvcc_version_kv(event->prev, &prev);
	assert_true(kv.key.len <= sizeof(seen.key));
	seen.mod = kv.mod_revision;
	seen.sub = kv.sub_revision;
	seen.prev_mod = prev.mod_revision;
	seen.is_delete = kv.version == 0;
	seen.key_len = (uint8_t)kv.key.len;
	memcpy(seen.key, kv.key.data, kv.key.len);
	seen.padding = kv.value.len;
	return seen;
}

static void world_encode(void *ctx, const struct es_mvcc_event *event, bool prev_kv, uint8_t *out)
{
	struct world *world = ctx;
	struct seen seen = seen_of(event, prev_kv);

	world->encodings++;
	memcpy(out, &seen, sizeof(seen));
	memset(out + sizeof(seen), 0, seen.padding);
}

static void world_wake(void *ctx, struct es_watcher *watcher, void *owner)
{
	struct world *world = ctx;

	if (world->wake != NULL)
		world->wake(watcher, owner);
}

/* ES_ENOMEM: there is no hub. */
static int world_open(struct world *world, uint64_t fail_after, size_t queue_events_max,
		      size_t queue_bytes_max)
{
	struct es_watch_hub_config config = {
		.mem = &world->mem,
		.hash_key = {1, 2},
		.queue_events_max = queue_events_max,
		.queue_bytes_max = queue_bytes_max,
		.encoded_size = world_encoded_size,
		.encode = world_encode,
		.wake = world_wake,
		.ctx = world,
	};

	memset(world, 0, sizeof(*world));
	es_fault_mem_init(&world->fault, fail_after);
	es_rng_init(&world->chance, 1);
	world->mem = (struct es_mem){world_alloc, world_realloc, world_free, world};
	assert_int_equal(es_mvcc_new(es_mem_default(), &world->store), 0);
	config.store = world->store;
	return es_watch_hub_new(&config, &world->hub);
}

static void world_close(struct world *world)
{
	es_watch_hub_free(world->hub);
	assert_int_equal(world->fault.live, 0);
	es_mvcc_free(world->store);
	free(world->history);
}

static void world_remember(struct world *world, const struct es_mvcc_event *event)
{
	if (world->history_len == world->history_room) {
		world->history_room = world->history_room == 0 ? 64 : 2 * world->history_room;
		world->history = realloc(world->history, world->history_room * sizeof(struct seen));
		assert_non_null(world->history);
	}
	world->history[world->history_len++] = seen_of(event, event->prev != NULL);
}

/* Apply as one transaction, and publish. */
static void world_apply(struct world *world, const struct es_mvcc_op *ops, size_t count)
{
	const struct es_mvcc_txn txn = {.success_count = count, .success = ops};
	const struct es_mvcc_txn_env env = {0};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	size_t event_count;

	es_arena_init(&arena, es_mem_default(), 4096);
	assert_int_equal(
		es_mvcc_txn_apply(world->store, &txn, &env, &arena, &res, &events, &event_count),
		0);
	for (size_t i = 0; i < event_count; i++)
		world_remember(world, &events[i]);
	if (event_count > 0)
		es_watch_publish(world->hub, es_mvcc_revision(world->store), events, event_count);
	es_arena_close(&arena);
}

static inline struct es_mvcc_op put_op(struct es_slice key, struct es_slice value)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_PUT, .u.put = {.key = key, .value = value}};
}

static inline struct es_mvcc_op delete_op(struct es_slice key, struct es_slice end)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_DELETE, .u.del = {.range = {key, end}}};
}

static inline void world_put(struct world *world, const char *key)
{
	struct es_mvcc_op op = put_op(es_slice_str(key), ES_SLICE("value"));

	world_apply(world, &op, 1);
}

static inline void world_delete(struct world *world, const char *key, const char *end)
{
	struct es_mvcc_op op = delete_op(es_slice_str(key), es_slice_str(end));

	world_apply(world, &op, 1);
}

static inline struct seen event_seen(const struct es_watch_event *event)
{
	struct seen seen;

	assert_true(event->len >= sizeof(seen));
	memcpy(&seen, event->bytes, sizeof(seen));
	assert_int_equal(event->len, sizeof(seen) + seen.padding);
	assert_int_equal(event->mod_revision, seen.mod);
	assert_int_equal(event->sub_revision, seen.sub);
	assert_int_equal(event->is_delete, seen.is_delete);
	return seen;
}

#endif
