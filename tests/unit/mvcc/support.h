#ifndef ES_TEST_MVCC_SUPPORT_H
#define ES_TEST_MVCC_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/rng.h"
#include "mvcc/mvcc.h"

/* A store with an arena for results, on counted memory. */
struct bench {
	struct es_fault_mem fault;
	struct es_mvcc *store;
	struct es_arena arena;
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	size_t event_count;
};

static inline void bench_open(struct bench *b)
{
	es_fault_mem_init(&b->fault, UINT64_MAX);
	assert_int_equal(es_mvcc_new(&b->fault.mem, &b->store), 0);
	es_arena_init(&b->arena, &b->fault.mem, 4096);
}

static inline void bench_close(struct bench *b)
{
	es_arena_close(&b->arena);
	es_mvcc_free(b->store);
	assert_int_equal(b->fault.live, 0);
}

static inline struct es_slice str(const char *text)
{
	return text == NULL ? es_slice(NULL, 0) : es_slice_str(text);
}

#define EVERYTHING ((struct es_mvcc_range){ES_SLICE("\0"), ES_SLICE("\0")})

static inline struct es_mvcc_range span(const char *key, const char *end)
{
	return (struct es_mvcc_range){str(key), str(end)};
}

/* Apply operations as the success branch of a transaction without compares. */
static inline int apply(struct bench *b, const struct es_mvcc_op *ops, size_t n)
{
	struct es_mvcc_txn txn = {.success_count = n, .success = ops};

	return es_mvcc_txn_apply(b->store, &txn, NULL, &b->arena, &b->res, &b->events,
				 &b->event_count);
}

static inline struct es_mvcc_op op_put(const char *key, const char *value)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_PUT,
				   .u.put = {.key = str(key), .value = str(value)}};
}

static inline struct es_mvcc_op op_delete(const char *key, const char *end)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_DELETE,
				   .u.del = {.range = span(key, end), .prev_kv = true}};
}

static inline struct es_mvcc_op op_range(const char *key, const char *end)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_RANGE, .u.range = {.range = span(key, end)}};
}

static inline void put(struct bench *b, const char *key, const char *value)
{
	struct es_mvcc_op op = op_put(key, value);

	assert_int_equal(apply(b, &op, 1), 0);
	assert_int_equal(b->event_count, 1);
}

static inline int64_t del(struct bench *b, const char *key, const char *end)
{
	struct es_mvcc_op op = op_delete(key, end);

	assert_int_equal(apply(b, &op, 1), 0);
	return b->res->ops[0].u.del.deleted;
}

static inline struct es_mvcc_kv kv_of(const struct es_mvcc_version *version)
{
	struct es_mvcc_kv kv;

	es_mvcc_version_kv(version, &kv);
	return kv;
}

static inline void assert_slice(struct es_slice got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.data, want, got.len);
}

#endif
