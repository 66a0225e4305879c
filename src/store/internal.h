#ifndef ES_STORE_INTERNAL_H
#define ES_STORE_INTERNAL_H

#include <engenho/store.h>

#include <pthread.h>
#include <semaphore.h>
#include <uv.h>

#include "base/queue.h"
#include "base/status.h"
#include "config/logging.h"
#include "member/member.h"
#include "typed/typed.h"

/* Shared by the files of this module; nobody else includes it. */

/* ---- errors (error.c) ------------------------------------------------------------------------ */

engenho_code es_store_code(int status);
/* Fill in `error` (may be NULL) and return its code. `text` NULL: that of the status. */
engenho_code es_store_fail(engenho_error *error, int status, const char *text);
engenho_code es_store_fail_as(engenho_error *error, engenho_code code, const char *text);
/* The code of `from`, which is copied. */
engenho_code es_store_give_error(engenho_error *error, const engenho_error *from);

/* ---- calls (queue.c) ------------------------------------------------------------------------- */

/*
 * Something that a thread wants of the loop. `run` begins it there, and es_store_finish, called
 * exactly once from the loop, ends it. Who waits has it on its stack (`deliver` NULL); else it is a
 * block of its own that `deliver` frees after it has called the callback.
 */
struct es_store_call {
	struct es_store_call *next; /* in the queue to the loop, later in that of what is done */
	engenho_store *store;
	void (*run)(struct es_store_call *call);
	void (*deliver)(struct es_store_call *call);
	sem_t done; /* when `deliver` is NULL */
	struct es_arena arena;
	uint64_t cost;       /* in store->held_bytes, of one with `deliver` */
	engenho_error error; /* code 0: it succeeded */
};

/* A list of calls, first in, first out. */
struct es_store_list {
	struct es_store_call *first, *last;
};

/*
 * Every function of the API begins with the first and ends with the last of these: a store is not
 * freed in between. `blocks`: not from a callback in the store's own thread.
 */
engenho_code es_store_enter(engenho_store *store, bool blocks, engenho_error *error);
void es_store_leave(engenho_store *store);
/* Whether this thread is in a callback of the store; and in one that the loop called. The store need not be there. */
bool es_store_in_callback(const engenho_store *store);
bool es_store_on_loop(const engenho_store *store);

void es_store_call_init(struct es_store_call *call, engenho_store *store,
			void (*run)(struct es_store_call *call),
			void (*deliver)(struct es_store_call *call));
/* Only the arena; `run` may have used it. */
void es_store_call_close(struct es_store_call *call);
/* Have it run, and wait for its end. The code of call->error, which is copied to `error`. On the loop itself only for
 * what `run` ends at once. */
engenho_code es_store_wait(struct es_store_call *call, engenho_error *error);
/* Have it run. On failure it is the caller's still; `deliver` is not called. ENGENHO_BUSY: those that are to be
 * delivered hold too much already. */
engenho_code es_store_send(struct es_store_call *call, engenho_error *error);
/* On the loop. `text` NULL: that of the status; ES_ESTOPPED says why the store has ended. */
void es_store_finish(struct es_store_call *call, int status, const char *text);

/* ---- the loop (store.c) ------------------------------------------------------------------------ */

/* Serve the watches in `work` and the `copies` in the next turn. */
void es_store_work(engenho_store *store);
/* Look at the waiters in each turn, or not any more. */
void es_store_look(engenho_store *store, bool start);

/* ---- the store ------------------------------------------------------------------------------ */

struct engenho_store {
	const struct es_mem *mem;
	pthread_t thread;
	bool callbacks_in_thread;

	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t left; /* nobody uses it any more */
	unsigned users;
	bool closed; /* takes no calls any more; `reason` says why */
	engenho_error reason;
	struct es_store_list queue;
	struct es_store_list done;
	uint64_t held_bytes; /* by calls that were sent and are not delivered */
	int done_fd; /* readable while `done` holds something, and when the loop has ended */
	bool closing;
	bool deaf;  /* the loop cannot be woken any more */
	bool ended; /* it is gone: nothing will come into `done` any more */

	/* Constant once the store is open. */
	uint64_t max_request_bytes;
	uint32_t max_txn_ops;

	/* The loop's own. */
	uv_loop_t loop;
	uv_async_t wake;
	struct es_store_list finished; /* not shown in `done` yet */
	uv_prepare_t prepare;
	uv_idle_t idle;   /* runs while `work` holds watches, or `copies` copies */
	uv_check_t check; /* these two run while there are waiters */
	uv_timer_t timer;
	struct es_arena arena;
	struct es_config config;
	struct es_logging logging;
	bool has_log, has_leader, asking, opened, stopping, failed;
	struct es_member_parts member;
	struct es_typed *typed;
	struct es_queue watches, work;
	struct es_queue waiters;
	struct es_queue copies;
	int64_t copy_budget; /* of this turn, in bytes */
	sem_t open_done;
	int open_status;
	char errmsg[ES_TYPED_TEXT_MAX];
};

/* ---- waiting for the member (status.c) ------------------------------------------------------- */

/* Look whether what is waited for has come; on the loop. */
void es_store_waiters_look(engenho_store *store);
void es_store_waiters_stop(engenho_store *store);

/* ---- watches (watch.c) ----------------------------------------------------------------------- */

/* End all, and serve those with work; on the loop. */
void es_store_watches_stop(engenho_store *store);
void es_store_watches_serve(engenho_store *store);

/* ---- results --------------------------------------------------------------------------------- */

/*
 * A result is one block: its struct, its arrays, its bytes. Sizes are added up first (es_store_size_x), then the block
 * is carved in any order, each size for once. It knows whose memory it is, so it may outlive its store.
 */
struct es_store_block {
	char *at;    /* arrays and structs, aligned */
	char *bytes; /* what needs no alignment, behind them */
};

static inline size_t es_store_aligned(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

/* NULL: no memory. `head_bytes`: of all aligned parts together. Nothing is initialised. */
void *es_store_block_new(const struct es_mem *mem, struct es_store_block *block, size_t head_bytes,
			 size_t bytes);
/* What es_store_block_new returned, or NULL. */
void es_store_block_free(void *result);
void *es_store_carve(struct es_store_block *block, size_t size);
/* A copy, with a NUL byte behind it (which is not counted in the size of the slice, but in the block's). */
const char *es_store_carve_text(struct es_store_block *block, struct es_slice text);
engenho_bytes es_store_carve_bytes(struct es_store_block *block, struct es_slice bytes);

static inline struct es_slice es_store_slice(engenho_bytes bytes)
{
	return es_slice(bytes.data, bytes.len);
}

static inline struct es_slice es_store_text(const char *text)
{
	return text == NULL ? es_slice(NULL, 0) : es_slice_str(text);
}

/* Copy bytes into an arena; false: no memory. */
bool es_store_keep(struct es_arena *arena, struct es_slice *bytes);

/* ---- what callers fill in (options.c) -------------------------------------------------------- */

/*
 * A copy of a struct that begins with its size, as the caller's header has it: what that has not is zero. NULL, or why
 * it is refused.
 */
const char *es_store_adopt(void *to, size_t size, const void *from);

static inline bool es_store_is_zero(const void *bytes, size_t size)
{
	const char *byte = bytes;

	while (size > 0 && *byte == 0) {
		byte++;
		size--;
	}
	return size == 0;
}
#define ES_STORE_RESERVED_IS_ZERO(object) \
	es_store_is_zero((object)->reserved, sizeof((object)->reserved))

#endif
