#ifndef ES_TESTS_UNIT_CONSENSUS_HARNESS_H
#define ES_TESTS_UNIT_CONSENSUS_HARNESS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/hash.h"
#include "consensus/consensus.h"

/*
 * A member without an engine: it keeps the hash of all commands that were applied, in order, and
 * puts each into one of 100 keys of a store. Everything runs on a loop of its own; h_close asserts
 * that the loop has nothing left.
 */
struct harness {
	struct es_mvcc *store;
	uv_loop_t loop;
	char folder[256];
	struct es_consensus_config config;
	struct es_consensus *consensus;
	char errmsg[1024];
	/* What was applied. */
	uint64_t commands;
	uint64_t bytes;
	uint64_t last_index;
	struct es_blake3 hash;
	/* Answers to proposals. */
	uint64_t answered;
	uint64_t dropped;
	uint64_t in_doubt; /* of these, with ES_ETIMEOUT */
	int dropped_status;
	bool leader;
	bool full;
	int failed;
	char failed_text[512];
	bool closed;
	int apply_error; /* returned by apply from the next command on */
	/* Checkpoints. */
	unsigned begun, ended, restored;
	int end_status;
	int begin_error;
	struct es_buf meta;
};

/* What a checkpoint of the harness keeps beside the store. */
struct harness_meta {
	uint64_t commands, bytes, last_index;
	struct es_blake3 hash;
};

static inline int h_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void h_remove(const char *folder)
{
	nftw(folder, h_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void h_temporary(char *folder, size_t size)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, size, "%s/es-test-XXXXXX", base != NULL ? base : "/tmp");
	assert_non_null(mkdtemp(folder));
}

static inline void h_put(struct harness *h, struct es_slice command)
{
	char key[16];
	struct es_mvcc_op op = {.kind = ES_MVCC_OP_PUT,
				.u.put = {.key = es_slice(key, 0), .value = command}};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	size_t n;

	op.u.put.key.len = (size_t)snprintf(key, sizeof(key), "key-%u",
					    (unsigned)(h->commands % 100));
	es_arena_init(&arena, h->config.mem, 1024);
	assert_int_equal(es_mvcc_txn_apply(h->store, &txn, NULL, &arena, &res, &events, &n), 0);
	es_arena_close(&arena);
}

static inline int h_checkpoint_begin(void *ctx, struct es_checkpoint_state *ret_state,
				     const struct es_mvcc **ret_store)
{
	struct harness *h = ctx;
	struct harness_meta meta = {h->commands, h->bytes, h->last_index, h->hash};

	if (h->begin_error < 0)
		return h->begin_error;
	h->meta.len = 0;
	assert_int_equal(es_buf_append(&h->meta, &meta, sizeof(meta)), 0);
	ret_state->revision = es_mvcc_revision(h->store);
	ret_state->compacted = es_mvcc_compacted(h->store);
	ret_state->meta = es_buf_slice(&h->meta);
	*ret_store = h->store;
	h->begun++;
	return 0;
}

static inline void h_checkpoint_end(void *ctx, int status)
{
	struct harness *h = ctx;

	h->ended++;
	h->end_status = status;
	assert_int_equal(h->begun, h->ended);
}

static inline struct es_mvcc *h_restore_store(void *ctx)
{
	return ((struct harness *)ctx)->store;
}

static inline int h_restored(void *ctx, const struct es_checkpoint_state *state)
{
	struct harness *h = ctx;
	struct harness_meta meta;

	assert_int_equal(h->commands, 0);
	assert_int_equal(state->meta.len, sizeof(meta));
	memcpy(&meta, state->meta.data, sizeof(meta));
	h->commands = meta.commands;
	h->bytes = meta.bytes;
	h->last_index = meta.last_index;
	h->hash = meta.hash;
	h->restored++;
	/* The store came with it: command n is in key n % 100. */
	assert_int_equal(es_mvcc_revision(h->store), (int64_t)meta.commands + 1);
	return 0;
}

static inline int h_apply(void *ctx, uint64_t index, uint64_t term, struct es_slice command,
			  void *op)
{
	struct harness *h = ctx;
	uint8_t len[8];

	assert_true(term > 0);
	assert_true(index >= h->last_index);
	if (h->apply_error < 0)
		return h->apply_error;
	h->last_index = index;
	h_put(h, command);
	es_store_u64le(len, command.len);
	es_blake3_update(&h->hash, es_slice(len, sizeof(len)));
	es_blake3_update(&h->hash, command);
	h->commands++;
	h->bytes += command.len;
	if (op != NULL) {
		h->answered++;
		if (op != h)
			++*(int *)op;
	}
	return 0;
}

static inline void h_applied(void *ctx, uint64_t index, uint64_t term, struct es_slice batch)
{
	struct harness *h = ctx;

	(void)term;
	assert_true(batch.len % 8 == 0 && batch.len >= 16);
	h->last_index = index;
}

static inline void h_dropped(void *ctx, void *op, int status)
{
	struct harness *h = ctx;

	assert_non_null(op);
	h->dropped++;
	h->in_doubt += status == ES_ETIMEOUT;
	h->dropped_status = status;
}

static inline void h_leadership(void *ctx, bool is_leader, uint64_t leader_id, uint64_t term)
{
	struct harness *h = ctx;

	(void)leader_id;
	(void)term;
	h->leader = is_leader;
}

static inline void h_disk_full(void *ctx, bool full)
{
	((struct harness *)ctx)->full = full;
}

static inline void h_failed(void *ctx, int status, const char *message)
{
	struct harness *h = ctx;

	h->failed = status;
	snprintf(h->failed_text, sizeof(h->failed_text), "%s", message);
}

static inline void h_closed(void *ctx)
{
	((struct harness *)ctx)->closed = true;
}

static inline void h_init(struct harness *h, const char *folder)
{
	memset(h, 0, sizeof(*h));
	snprintf(h->folder, sizeof(h->folder), "%s", folder);
	es_blake3_init(&h->hash);
	es_buf_init(&h->meta, es_mem_default());
	assert_int_equal(es_mvcc_new(es_mem_default(), &h->store), 0);
	assert_int_equal(uv_loop_init(&h->loop), 0);
	h->config = (struct es_consensus_config){
		.mem = es_mem_default(),
		.env = es_env_system(),
		.loop = &h->loop,
		.fs = es_fs_posix(),
		.data_dir = h->folder,
		.cluster_id = 0x1234,
		.member_id = 0xabcd,
		.peer_address = "http://localhost:2380",
		.heartbeat_ms = 100,
		.election_ms = 1000,
		.checkpoint_entries = UINT64_MAX,
		.callbacks =
			{
				.apply = h_apply,
				.applied = h_applied,
				.dropped = h_dropped,
				.leadership = h_leadership,
				.checkpoint_begin = h_checkpoint_begin,
				.checkpoint_end = h_checkpoint_end,
				.restore_store = h_restore_store,
				.restored = h_restored,
				.disk_full = h_disk_full,
				.failed = h_failed,
				.ctx = h,
			},
	};
}

/* Until `condition`, at most 60 seconds. */
#define H_RUN_UNTIL(h, condition)                            \
	do {                                                 \
		uint64_t h_end = uv_hrtime() + 60000000000u; \
		while (!(condition) && uv_hrtime() < h_end)  \
			uv_run(&(h)->loop, UV_RUN_ONCE);     \
		assert_true(condition);                      \
	} while (0)

static inline int h_open(struct harness *h)
{
	int rc;

	snprintf(h->errmsg, sizeof(h->errmsg), "not set");
	rc = es_consensus_open(&h->config, &h->consensus, h->errmsg, sizeof(h->errmsg));
	if (rc == 0)
		assert_string_equal(h->errmsg, "");
	else
		assert_string_not_equal(h->errmsg, "not set");
	return rc;
}

static inline void h_start(struct harness *h, const char *folder)
{
	h_init(h, folder);
	if (h_open(h) != 0)
		fail_msg("%s", h->errmsg);
	H_RUN_UNTIL(h, h->leader);
}

/* After a failed open as well. */
static inline void h_close(struct harness *h)
{
	if (h->consensus != NULL) {
		es_consensus_close(h->consensus, h_closed, h);
		H_RUN_UNTIL(h, h->closed);
		h->consensus = NULL;
	}
	uv_run(&h->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&h->loop), 0);
	assert_int_equal(h->begun, h->ended);
	es_mvcc_free(h->store);
	es_buf_close(&h->meta);
}

static inline void h_digest(const struct harness *h, uint8_t digest[ES_BLAKE3_BYTES])
{
	es_blake3_final(&h->hash, digest);
}

static inline void h_propose(struct harness *h, const void *data, size_t len)
{
	assert_int_equal(es_consensus_propose(h->consensus, es_slice(data, len), h), 0);
}

#endif
