#ifndef TEST_ENGINE_SUPPORT_H
#define TEST_ENGINE_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "disk/fs.h"
#include "engine/engine.h"

/* A real engine on a real folder, driven by the test. Time stands still unless the test moves it.
 */
struct fixture {
	uv_loop_t loop;
	char folder[64];
	uint64_t now_ms;
	uint64_t step_ms; /* passes with each look at the clock */
	struct es_env env;
	struct es_engine_config config;
	struct es_engine *engine;
	struct es_arena arena;
	bool ready, closed;
	int failed;
};

static inline uint64_t fixture_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now_ms += f->step_ms;
}

static inline uint64_t fixture_wall(void *ctx)
{
	return ((struct fixture *)ctx)->now_ms + UINT64_C(1700000000000);
}

static inline void fixture_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	es_env_system()->random(es_env_system()->ctx, out, len);
}

static inline void fixture_on_ready(void *ctx)
{
	((struct fixture *)ctx)->ready = true;
}

static inline void fixture_on_failed(void *ctx, int status, const char *message)
{
	(void)fprintf(stderr, "the engine failed: %s\n", message);
	((struct fixture *)ctx)->failed = status;
}

static inline void fixture_on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

#define RUN_UNTIL(f, condition)                                \
	do {                                                   \
		for (int turns_ = 0; !(condition); turns_++) { \
			assert_true(turns_ < 1000000);         \
			assert_int_equal((f)->failed, 0);      \
			(void)uv_run(&(f)->loop, UV_RUN_ONCE); \
		}                                              \
	} while (0)

static inline void fixture_open(struct fixture *f)
{
	static const char *const peers[] = {"http://127.0.0.1:2380", NULL};
	static const char *const clients[] = {"http://127.0.0.1:2379", NULL};
	char errmsg[512];
	int rc;

	f->env = (struct es_env){fixture_now, fixture_wall, fixture_random, f, NULL};
	if (f->config.mem == NULL)
		f->config = (struct es_engine_config){
			.mem = es_mem_default(),
			.fs = es_fs_posix(),
			.cluster_id = 0xc1,
			.member_id = 0xa1,
			.name = "one",
			.heartbeat_ms = 100,
			.election_ms = 1000,
			.checkpoint_entries = 100000,
			.max_txn_ops = 128,
			.max_request_bytes = 1536 * 1024,
			.failed = fixture_on_failed,
			.ready = fixture_on_ready,
		};
	f->config.env = &f->env;
	f->config.loop = &f->loop;
	f->config.data_dir = f->folder;
	f->config.peer_urls = peers;
	f->config.client_urls = clients;
	f->config.ctx = f;
	f->ready = false;
	f->closed = false;
	assert_int_equal(uv_loop_init(&f->loop), 0);
	rc = es_engine_open(&f->config, &f->engine, errmsg, sizeof(errmsg));
	if (rc < 0)
		print_error("open: %s: %s\n", es_status_text(rc), errmsg);
	assert_int_equal(rc, 0);
	RUN_UNTIL(f, f->ready);
}

static inline void fixture_close(struct fixture *f)
{
	es_engine_close(f->engine, fixture_on_closed, f);
	RUN_UNTIL(f, f->closed);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	f->engine = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/engenho-engine-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->now_ms = 1000;
	es_arena_init(&f->arena, es_mem_default(), 4096);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	if (f->engine != NULL)
		fixture_close(f);
	es_arena_close(&f->arena);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* ---- operations, one at a time --------------------------------------------------------------- */

struct waiting {
	struct es_engine_op op;
	bool done;
	int status;
	bool succeeded;
	int64_t deleted;
};

static inline void waiting_done(struct es_engine_op *op, int status)
{
	struct waiting *w = ES_CONTAINER_OF(op, struct waiting, op);

	w->done = true;
	w->status = status;
	if (status == 0 && op->txn_res != NULL) {
		w->succeeded = op->txn_res->succeeded;
		if (op->txn_res->n > 0 && op->txn_res->ops[0].kind == ES_MVCC_OP_DELETE)
			w->deleted = op->txn_res->ops[0].u.del.deleted;
	}
}

static inline struct waiting waiting_new(struct fixture *f)
{
	return (struct waiting){.op = {.done = waiting_done, .arena = &f->arena}};
}

static inline int waiting_end(struct fixture *f, struct waiting *w, int rc)
{
	if (rc < 0)
		return rc;
	RUN_UNTIL(f, w->done);
	return w->status;
}

/* PutRequest: key 1, value 2, lease 3. DeleteRangeRequest: key 1, range_end 2. Short strings only.
 */
static inline size_t encode(uint8_t *out, const char *first, const char *second, uint8_t lease)
{
	size_t n = 0;

	out[n++] = 0x0a;
	out[n++] = (uint8_t)strlen(first);
	memcpy(out + n, first, strlen(first));
	n += strlen(first);
	if (second != NULL) {
		out[n++] = 0x12;
		out[n++] = (uint8_t)strlen(second);
		memcpy(out + n, second, strlen(second));
		n += strlen(second);
	}
	if (lease != 0) {
		out[n++] = 0x18;
		out[n++] = lease;
	}
	return n;
}

static inline int write_command(struct fixture *f, enum es_command_kind kind, const uint8_t *bytes,
				size_t len, struct waiting *w)
{
	const struct es_mvcc_txn *txn;
	int rc = es_command_txn(kind, es_slice(bytes, len), &f->arena, &txn);

	assert_int_equal(rc, 0);
	*w = waiting_new(f);
	return waiting_end(f, w,
			   es_engine_write(f->engine, &w->op, kind, es_slice(bytes, len), txn));
}

/* `lease` below 128. */
static inline int put(struct fixture *f, const char *key, const char *value, uint8_t lease)
{
	uint8_t bytes[300];
	struct waiting w;

	return write_command(f, ES_COMMAND_PUT, bytes, encode(bytes, key, value, lease), &w);
}

static inline int64_t delete_range(struct fixture *f, const char *key, const char *end)
{
	uint8_t bytes[300];
	struct waiting w;

	assert_int_equal(
		write_command(f, ES_COMMAND_DELETE_RANGE, bytes, encode(bytes, key, end, 0), &w),
		0);
	return w.deleted;
}

static inline bool has_value(struct fixture *f, const char *key, const char *value)
{
	const struct es_mvcc_version *version = es_mvcc_get(es_engine_store(f->engine),
							    es_slice_str(key));
	struct es_mvcc_kv kv;

	if (version == NULL)
		return value == NULL;
	es_mvcc_version_kv(version, &kv);
	return value != NULL && es_slice_eq(kv.value, es_slice_str(value));
}

static inline int grant(struct fixture *f, int64_t id, int64_t ttl_s, struct waiting *w)
{
	*w = waiting_new(f);
	return waiting_end(f, w, es_engine_lease_grant(f->engine, &w->op, id, ttl_s));
}

static inline int revoke_lease(struct fixture *f, int64_t id)
{
	struct waiting w = waiting_new(f);

	return waiting_end(f, &w, es_engine_lease_revoke(f->engine, &w.op, id));
}

#endif
