#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "store/queue.h"

/*
 * Between the threads of the caller and the loop.
 *
 *  Q1. A call is in one list at most, and belongs to whoever took it out: the loop between `run` and
 *      es_store_finish, then the thread that waits or delivers.
 *  Q2. The loop takes the whole queue at once; only the call that found it empty wakes the loop.
 *  Q3. `done_fd` is readable exactly while `done` holds something, until the loop has ended: then for ever.
 *  Q4. What is finished in a turn of the loop is shown at its end, all at once: who dispatches wakes once for it.
 *  Q5. After `closed` nothing is queued; what was queued before is ended by the loop.
 *  Q6. A store outlives its users: es_store_enter counts them.
 *  Q7. `held_bytes` is the cost of all calls between es_store_send and their delivery. Those that are waited for cost
 *      nothing: there is one for a thread at most.
 */
enum {
	HELD_BYTES_MAX = 64 << 20,
	CALL_BYTES = 4096, /* what a call costs at least */
};

/* ---- callbacks ------------------------------------------------------------------------------- */

/* Those that this thread is in, the innermost first. */
struct frame {
	const engenho_store *store;
	bool on_loop;
	const struct frame *outer;
};

static _Thread_local const struct frame *frames;

static void call_back(struct es_store_call *call, bool on_loop)
{
	const struct frame frame = {call->store, on_loop, frames};

	frames = &frame;
	call->deliver(call);
	frames = frame.outer;
}

bool es_store_in_callback(const engenho_store *store)
{
	const struct frame *frame = frames;

	while (frame != NULL && frame->store != store)
		frame = frame->outer;
	return frame != NULL;
}

bool es_store_on_loop(const engenho_store *store)
{
	const struct frame *frame = frames;

	while (frame != NULL && !(frame->store == store && frame->on_loop))
		frame = frame->outer;
	return frame != NULL;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static bool push(struct es_store_list *list, struct es_store_call *call)
{
	bool was_empty = list->first == NULL;

	call->next = NULL;
	if (was_empty)
		list->first = call;
	else
		list->last->next = call;
	list->last = call;
	return was_empty;
}

static struct es_store_call *pop(struct es_store_list *list)
{
	struct es_store_call *call = list->first;

	if (call != NULL)
		list->first = call->next;
	return call;
}

/* ---- users ----------------------------------------------------------------------------------- */

engenho_code es_store_enter(engenho_store *store, bool blocks, engenho_error *error)
{
	engenho_code code = ENGENHO_OK;

	if (blocks && es_store_on_loop(store))
		return es_store_fail(error, ES_EINVAL, "a blocking call in a callback");
	(void)pthread_mutex_lock(&store->mutex);
	if (store->closed)
		code = es_store_give_error(error, &store->reason);
	else
		store->users++;
	(void)pthread_mutex_unlock(&store->mutex);
	return code;
}

void es_store_leave(engenho_store *store)
{
	(void)pthread_mutex_lock(&store->mutex);
	if (--store->users == 0 && store->closing)
		(void)pthread_cond_broadcast(&store->left);
	(void)pthread_mutex_unlock(&store->mutex);
}

/* ---- to the loop ----------------------------------------------------------------------------- */

void es_store_call_init(struct es_store_call *call, engenho_store *store,
			void (*run)(struct es_store_call *call),
			void (*deliver)(struct es_store_call *call))
{
	call->next = NULL;
	call->store = store;
	call->run = run;
	call->deliver = deliver;
	call->cost = 0;
	call->error.code = ENGENHO_OK;
	/* What a write of common size needs, on the loop as well: memory that another thread frees is slow. */
	es_arena_init(&call->arena, store->mem, 4096);
}

void es_store_call_close(struct es_store_call *call)
{
	es_arena_close(&call->arena);
}

engenho_code es_store_send(struct es_store_call *call, engenho_error *error)
{
	engenho_store *store = call->store;
	engenho_code code = ENGENHO_OK;

	if (call->deliver != NULL)
		call->cost = call->arena.bytes < CALL_BYTES ? CALL_BYTES : call->arena.bytes;
	(void)pthread_mutex_lock(&store->mutex);
	if (store->closed) {
		code = es_store_give_error(error, &store->reason);
	} else if (call->cost > 0 && store->held_bytes >= HELD_BYTES_MAX) {
		code = es_store_fail_as(error, ENGENHO_BUSY,
					"too many calls that were not called back yet");
	} else {
		store->held_bytes += call->cost;
		if (push(&store->queue, call))
			(void)uv_async_send(&store->wake);
	}
	(void)pthread_mutex_unlock(&store->mutex);
	return code;
}

engenho_code es_store_wait(struct es_store_call *call, engenho_error *error)
{
	engenho_code code = ENGENHO_OK;

	ES_ASSERT(call->deliver == NULL);
	if (sem_init(&call->done, 0, 0) < 0)
		return es_store_fail(error, ES_EINTERNAL, NULL);
	if (es_store_on_loop(call->store))
		call->run(call);
	else
		code = es_store_send(call, error);
	if (code == ENGENHO_OK) {
		while (sem_wait(&call->done) < 0)
			ES_ASSERT(errno == EINTR);
		code = es_store_give_error(error, &call->error);
	}
	(void)sem_destroy(&call->done);
	return code;
}

void es_store_run_calls(engenho_store *store)
{
	struct es_store_list calls;
	struct es_store_call *call;

	(void)pthread_mutex_lock(&store->mutex);
	calls = store->queue;
	store->queue.first = NULL;
	(void)pthread_mutex_unlock(&store->mutex);
	while ((call = pop(&calls)) != NULL) {
		if (store->stopping)
			es_store_finish(call, ES_ESTOPPED, NULL);
		else
			call->run(call);
	}
}

/* ---- back ------------------------------------------------------------------------------------ */

static void signal_fd(int fd)
{
	const uint64_t one = 1;
	ssize_t written;

	do
		written = write(fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

static void clear_fd(int fd)
{
	uint64_t count;
	ssize_t got;

	do
		got = read(fd, &count, sizeof(count));
	while (got < 0 && errno == EINTR);
}

/* It has ended; why is known when it was closed, or the member has said it. */
static void fail_stopped(struct es_store_call *call)
{
	engenho_store *store = call->store;

	(void)pthread_mutex_lock(&store->mutex);
	(void)es_store_fail(&call->error, ES_ESTOPPED,
			    store->closed ? store->reason.message : "the store has failed");
	(void)pthread_mutex_unlock(&store->mutex);
}

void es_store_finish(struct es_store_call *call, int status, const char *text)
{
	engenho_store *store = call->store;

	if (status == ES_ESTOPPED)
		fail_stopped(call);
	else if (status < 0)
		(void)es_store_fail(&call->error, status, text);
	if (call->deliver == NULL) {
		(void)sem_post(&call->done);
		return;
	}
	if (!store->callbacks_in_thread) {
		(void)push(&store->finished, call);
		return;
	}
	(void)pthread_mutex_lock(&store->mutex);
	store->held_bytes -= call->cost;
	(void)pthread_mutex_unlock(&store->mutex);
	call_back(call, true);
}

void es_store_show_finished(engenho_store *store)
{
	struct es_store_list *finished = &store->finished;

	if (finished->first == NULL)
		return;
	(void)pthread_mutex_lock(&store->mutex);
	if (store->done.first == NULL) {
		store->done = *finished;
		signal_fd(store->done_fd);
	} else {
		store->done.last->next = finished->first;
		store->done.last = finished->last;
	}
	(void)pthread_mutex_unlock(&store->mutex);
	finished->first = NULL;
}

/* At most so many, the first in *ret_calls: the others are for other threads. -1: none, and none will come. */
static int take_done(engenho_store *store, int max, struct es_store_list *ret_calls)
{
	int count = 0;

	ret_calls->first = NULL;
	(void)pthread_mutex_lock(&store->mutex);
	for (; count < max && store->done.first != NULL; count++) {
		struct es_store_call *call = pop(&store->done);

		store->held_bytes -= call->cost;
		(void)push(ret_calls, call);
	}
	if (count > 0 && store->done.first == NULL && !store->ended)
		clear_fd(store->done_fd);
	if (count == 0 && store->ended)
		count = -1;
	(void)pthread_mutex_unlock(&store->mutex);
	return count;
}

static void deliver(struct es_store_list *calls)
{
	struct es_store_call *call;

	while ((call = pop(calls)) != NULL)
		call_back(call, false);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool es_store_is_closing(engenho_store *store)
{
	bool closing;

	(void)pthread_mutex_lock(&store->mutex);
	closing = store->closing;
	(void)pthread_mutex_unlock(&store->mutex);
	return closing;
}

int engenho_dispatch(engenho_store *store, int timeout_ms)
{
	enum { TURN_CALLS = 256 };
	int64_t deadline_ms = now_ms() + timeout_ms;
	struct es_store_list calls = {0};
	int count = 0;

	/* A store that failed has results to hand out still. */
	(void)pthread_mutex_lock(&store->mutex);
	store->users++;
	(void)pthread_mutex_unlock(&store->mutex);
	while ((count = take_done(store, TURN_CALLS, &calls)) == 0 && store->done_fd >= 0) {
		struct pollfd pollfd = {.fd = store->done_fd, .events = POLLIN};
		int64_t left_ms = timeout_ms < 0 ? -1 : deadline_ms - now_ms();

		if (timeout_ms >= 0 && left_ms <= 0)
			break;
		(void)poll(&pollfd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
	}
	if (count > 0)
		deliver(&calls);
	es_store_leave(store);
	return count;
}

int engenho_dispatch_fd(engenho_store *store)
{
	return store->done_fd;
}

/* ---- the end --------------------------------------------------------------------------------- */

void es_store_refuse_calls(engenho_store *store, const engenho_error *reason)
{
	(void)pthread_mutex_lock(&store->mutex);
	if (!store->closed)
		store->reason = *reason;
	store->closed = true;
	(void)pthread_mutex_unlock(&store->mutex);
}

void es_store_stop_waking(engenho_store *store)
{
	(void)pthread_mutex_lock(&store->mutex);
	store->deaf = true;
	(void)pthread_mutex_unlock(&store->mutex);
}

void es_store_begin_close(engenho_store *store)
{
	(void)pthread_mutex_lock(&store->mutex);
	store->closing = true;
	if (!store->deaf)
		(void)uv_async_send(&store->wake);
	(void)pthread_mutex_unlock(&store->mutex);
}

void es_store_end_loop(engenho_store *store)
{
	es_store_show_finished(store);
	(void)pthread_mutex_lock(&store->mutex);
	store->ended = true;
	if (store->done_fd >= 0)
		signal_fd(store->done_fd);
	(void)pthread_mutex_unlock(&store->mutex);
}

void es_store_end_close(engenho_store *store)
{
	struct es_store_list calls = {0};

	(void)pthread_mutex_lock(&store->mutex);
	while (store->users > 0)
		(void)pthread_cond_wait(&store->left, &store->mutex);
	(void)pthread_mutex_unlock(&store->mutex);
	while (take_done(store, INT32_MAX, &calls) > 0)
		deliver(&calls);
}
