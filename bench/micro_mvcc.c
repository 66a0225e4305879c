/*
 * How fast the key space is on one core, and what a key costs: puts, gets, pages and counts on an
 * es_mvcc with nothing around it. Usage: micro_mvcc [keys]. Prints a line for each measure.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/rng.h"
#include "mvcc/mvcc.h"

#define KEY_BYTES   34
#define VALUE_BYTES 256

struct bench {
	struct es_mvcc *store;
	struct es_arena arena;
	struct es_rng rng;
	uint64_t keys;
	char value[VALUE_BYTES];
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void report(const char *what, uint64_t ops, double start_s)
{
	double s = now_s() - start_s;

	printf("%-36s %12.0f /s  %10.1f ns\n", what, (double)ops / s, s * 1e9 / (double)ops);
}

/* The n-th key: numbers are spread over the key space, so that ascending n means random places. */
static struct es_slice make_key(char *buf, uint64_t n, bool ascending)
{
	static const char hex[] = "0123456789abcdef";

	memcpy(buf, "/registry/bench/0000", 18);
	if (!ascending)
		n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < 16; i++)
		buf[18 + i] = hex[n >> (60 - 4 * i) & 15];
	return es_slice(buf, KEY_BYTES);
}

static void put(struct bench *b, struct es_slice key)
{
	struct es_mvcc_op op = {
		.kind = ES_MVCC_OP_PUT,
		.u.put = {.key = key, .value = es_slice(b->value, VALUE_BYTES)},
	};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	size_t n;
	int rc = es_mvcc_txn_apply(b->store, &txn, NULL, &b->arena, &res, &events, &n);

	ES_ASSERT(rc == 0 && n == 1);
	es_arena_close(&b->arena);
}

static void fill(struct bench *b, bool ascending)
{
	size_t before = heap_bytes();
	double start = now_s();
	char key[KEY_BYTES];

	for (uint64_t i = 0; i < b->keys; i++)
		put(b, make_key(key, i, ascending));
	report(ascending ? "put, new keys, ascending" : "put, new keys, random", b->keys, start);
	printf("%-36s %12.1f\n", "  heap bytes a key",
	       (double)(heap_bytes() - before) / (double)b->keys);
	printf("%-36s %12.1f\n", "  es_mvcc_bytes a key",
	       (double)es_mvcc_bytes(b->store) / (double)b->keys);
}

static void overwrite(struct bench *b, uint64_t ops)
{
	double start = now_s();
	char key[KEY_BYTES];

	for (uint64_t i = 0; i < ops; i++)
		put(b, make_key(key, es_rng_below(&b->rng, b->keys), false));
	report("put, keys that exist, random", ops, start);
}

static void get(struct bench *b, uint64_t ops)
{
	double start = now_s();
	char key[KEY_BYTES];

	for (uint64_t i = 0; i < ops; i++)
		ES_ASSERT(es_mvcc_get(b->store, make_key(key, es_rng_below(&b->rng, b->keys),
							 false)) != NULL);
	report("get, random", ops, start);
	start = now_s();
	for (uint64_t i = 0; i < ops; i++) {
		struct es_mvcc_range_req req = {
			.range.key = make_key(key, es_rng_below(&b->rng, b->keys), false),
		};
		struct es_mvcc_range_res res;
		int rc = es_mvcc_range(b->store, &req, &b->arena, &res);

		ES_ASSERT(rc == 0 && res.n == 1);
		es_arena_close(&b->arena);
	}
	report("range of one key, random", ops, start);
}

static void pages(struct bench *b, int64_t revision, const char *what)
{
	double start = now_s();
	char from[KEY_BYTES + 1] = "/";
	struct es_mvcc_range_req req = {
		.range = {es_slice(from, 1), ES_SLICE("\0")}, .limit = 500, .revision = revision};
	struct es_mvcc_range_res res;
	uint64_t seen = 0;

	do {
		struct es_mvcc_kv kv;
		int rc = es_mvcc_range(b->store, &req, &b->arena, &res);

		ES_ASSERT(rc == 0);
		es_mvcc_version_kv(res.versions[res.n - 1], &kv);
		memcpy(from, kv.key.data, KEY_BYTES);
		from[KEY_BYTES] = '\0';
		req.range.key = es_slice(from, KEY_BYTES + 1);
		seen += res.n;
		es_arena_close(&b->arena);
	} while (res.more);
	ES_ASSERT(seen == b->keys);
	report(what, seen, start);
}

static void count(struct bench *b, uint64_t ops)
{
	struct es_mvcc_range_req req = {.range = {ES_SLICE("/"), ES_SLICE("\0")},
					.count_only = true};
	struct es_mvcc_range_res res;
	double start = now_s();

	for (uint64_t i = 0; i < ops; i++)
		ES_ASSERT(es_mvcc_range(b->store, &req, &b->arena, &res) == 0 &&
			  res.count == (int64_t)b->keys);
	report("count_only over everything", ops, start);
}

static void compact(struct bench *b)
{
	uint64_t before = es_mvcc_versions(b->store);
	double start = now_s(), slice, longest = 0;
	bool more;

	ES_ASSERT(es_mvcc_compact(b->store, es_mvcc_revision(b->store)) == 0);
	do {
		slice = now_s();
		more = es_mvcc_compact_step(b->store, 1000);
		slice = now_s() - slice;
		longest = slice > longest ? slice : longest;
	} while (more);
	report("compaction, versions freed", before - es_mvcc_versions(b->store), start);
	printf("%-36s %12.0f us\n", "  longest slice of 1000", longest * 1e6);
	printf("%-36s %12.1f\n", "  es_mvcc_bytes a key",
	       (double)es_mvcc_bytes(b->store) / (double)b->keys);
}

static void delete_all(struct bench *b)
{
	struct es_mvcc_op op = {.kind = ES_MVCC_OP_DELETE,
				.u.del = {.range = {ES_SLICE("/"), ES_SLICE("\0")}}};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	size_t n;
	double start = now_s();

	ES_ASSERT(es_mvcc_txn_apply(b->store, &txn, NULL, &b->arena, &res, &events, &n) == 0 &&
		  n == b->keys);
	es_arena_close(&b->arena);
	report("delete of everything, keys", n, start);
}

static void run(struct bench *b, bool ascending)
{
	int64_t revision;

	ES_ASSERT(es_mvcc_new(es_mem_default(), &b->store) == 0);
	fill(b, ascending);
	if (!ascending) {
		overwrite(b, b->keys * 2);
		get(b, b->keys * 5);
	}
	pages(b, 0, "pages of 500, keys");
	count(b, 1000000);
	if (!ascending) {
		revision = es_mvcc_revision(b->store);
		overwrite(b, 1000);
		pages(b, revision, "pages of 500, 1000 changes back, keys");
		compact(b);
		delete_all(b);
		compact(b);
	}
	es_mvcc_free(b->store);
}

int main(int argc, char **argv)
{
	struct bench b = {.keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000};

	if (b.keys == 0)
		return 2;
	es_arena_init(&b.arena, es_mem_default(), 512);
	es_rng_init(&b.rng, 1);
	memset(b.value, 'v', sizeof(b.value));
	printf("%llu keys of %d bytes, values of %d bytes\n", (unsigned long long)b.keys, KEY_BYTES,
	       VALUE_BYTES);
	run(&b, true);
	run(&b, false);
	return 0;
}
