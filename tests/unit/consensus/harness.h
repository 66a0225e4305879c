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
 * A member without an engine: it keeps the hash of all commands that were applied, in order. Everything runs on a loop of
 * its own; h_close asserts that the loop has nothing left.
 */
struct harness {
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
	int dropped_status;
	bool leader;
	bool full;
	int failed;
	char failed_text[512];
	bool closed;
	int apply_error; /* returned by apply from the next command on */
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

static inline int h_apply(void *ctx, uint64_t index, uint64_t term, struct es_slice command, void *op)
{
	struct harness *h = ctx;
	uint8_t len[8];

	assert_true(term > 0);
	assert_true(index >= h->last_index);
	if (h->apply_error < 0)
		return h->apply_error;
	h->last_index = index;
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
		.callbacks = {
			.apply = h_apply,
			.applied = h_applied,
			.dropped = h_dropped,
			.leadership = h_leadership,
			.disk_full = h_disk_full,
			.failed = h_failed,
			.ctx = h,
		},
	};
}

/* Until `condition`, at most 60 seconds. */
#define H_RUN_UNTIL(h, condition)                                                                               \
	do {                                                                                                    \
		uint64_t h_end = uv_hrtime() + 60000000000u;                                                    \
		while (!(condition) && uv_hrtime() < h_end)                                                     \
			uv_run(&(h)->loop, UV_RUN_ONCE);                                                        \
		assert_true(condition);                                                                         \
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
