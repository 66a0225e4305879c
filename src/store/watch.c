#include "store/watch.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 *  W1. A batch is made only while there is room for it; `full` says that the loop stopped for want of
 *      room, and who makes room tells it (`kick`).
 *  W2. `fd` is readable exactly while a batch is there, or the watch has ended or was cancelled.
 *  W3. `store` is set exactly as long as the loop knows the watch: while it is set, under the mutex, the
 *      store is there.
 *  W4. A watch is served by the loop while it is in `work`; it leaves it when it is full, has ended, or
 *      has nothing.
 */
enum {
	READY_MAX = 4,
	TURN_BATCHES = 4,
	TURN_WATCHES = 128,
};

static void run_kick(struct es_store_call *call)
{
	struct es_store_watch *w = ES_CONTAINER_OF(call, struct es_store_watch, kick);

	(void)pthread_mutex_lock(&w->mutex);
	w->kicked = false;
	(void)pthread_mutex_unlock(&w->mutex);
	es_store_watch_news(w);
}

static void detach(struct es_store_watch *w)
{
	bool orphan;

	es_queue_remove(&w->link);
	es_queue_remove(&w->work);
	w->kind->detach(w);
	(void)pthread_mutex_lock(&w->mutex);
	w->store = NULL;
	orphan = w->orphan;
	(void)pthread_cond_broadcast(&w->changed);
	while (orphan && w->waiting > 0)
		(void)pthread_cond_wait(&w->changed, &w->mutex);
	(void)pthread_mutex_unlock(&w->mutex);
	if (orphan)
		w->kind->free(w);
}

static void run_leave(struct es_store_call *call)
{
	detach(ES_CONTAINER_OF(call, struct es_store_watch, leave));
}

/* ---- on the loop ----------------------------------------------------------------------------- */

void es_store_watch_attach(struct es_store_watch *w)
{
	es_queue_push(&w->store->watches, &w->link);
	es_store_watch_news(w);
}

void es_store_watch_news(struct es_store_watch *w)
{
	engenho_store *store = w->kick.store; /* w->store is under the mutex */

	if (!es_queue_empty(&w->work))
		return;
	es_queue_push(&store->work, &w->work);
	es_store_work(store);
}

static void show(struct es_store_watch *w)
{
	const uint64_t one = 1;
	ssize_t written = sizeof(one);

	if (w->fd >= 0)
		written = write(w->fd, &one, sizeof(one));
	ES_ASSERT(written == sizeof(one));
	(void)pthread_cond_broadcast(&w->changed);
}

static bool has_room(struct es_store_watch *w)
{
	bool room;

	(void)pthread_mutex_lock(&w->mutex);
	room = w->ready < READY_MAX && w->end.code == ENGENHO_OK && !w->canceled;
	w->full = !room;
	(void)pthread_mutex_unlock(&w->mutex);
	return room;
}

static void give(struct es_store_watch *w, struct es_store_batch *batch)
{
	batch->next = NULL;
	(void)pthread_mutex_lock(&w->mutex);
	if (w->first == NULL)
		w->first = batch;
	else
		w->last->next = batch;
	w->last = batch;
	w->ready++;
	show(w);
	(void)pthread_mutex_unlock(&w->mutex);
}

static void end(struct es_store_watch *w, int status, const char *text)
{
	(void)pthread_mutex_lock(&w->mutex);
	if (w->end.code == ENGENHO_OK)
		(void)es_store_fail(&w->end, status, text);
	show(w);
	(void)pthread_mutex_unlock(&w->mutex);
}

/* Whether it stays in `work`. */
static bool serve(struct es_store_watch *w)
{
	for (int i = 0; i < TURN_BATCHES; i++) {
		struct es_store_batch *batch = NULL;
		bool again = false;
		int rc;

		if (!has_room(w))
			return false;
		rc = w->kind->fetch(w, &batch, &again);
		if (rc == ES_ENOMEM)
			return true;
		if (rc < 0) {
			end(w, rc, rc == ES_ECOMPACTED ? "too old a version: list again" : NULL);
			return false;
		}
		if (batch == NULL)
			return again;
		give(w, batch);
	}
	return true;
}

void es_store_watches_serve(engenho_store *store)
{
	struct es_queue served;

	es_queue_init(&served);
	for (int i = 0; i < TURN_WATCHES && !es_queue_empty(&store->work); i++) {
		struct es_queue *link = es_queue_pop(&store->work);

		if (serve(ES_QUEUE_ITEM(link, struct es_store_watch, work)))
			es_queue_push(&served, link);
	}
	while (!es_queue_empty(&served))
		es_queue_push(&store->work, es_queue_pop(&served));
}

void es_store_watches_stop(engenho_store *store)
{
	while (!es_queue_empty(&store->watches)) {
		struct es_store_watch *w = ES_QUEUE_ITEM(store->watches.next, struct es_store_watch,
							 link);

		end(w, ES_ESTOPPED, store->reason.message);
		detach(w);
	}
}

/* ---- for the caller -------------------------------------------------------------------------- */

int es_store_watch_init(struct es_store_watch *w, const struct es_store_watch_kind *kind,
			engenho_store *store)
{
	pthread_condattr_t attributes;

	w->kind = kind;
	w->mem = store->mem;
	w->store = store;
	w->fd = -1;
	es_queue_init(&w->link);
	es_queue_init(&w->work);
	(void)pthread_mutex_init(&w->mutex, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	es_store_call_init(&w->kick, store, run_kick, NULL);
	es_store_call_init(&w->leave, store, run_leave, NULL);
	/* Nobody waits for these two; a store that stops ends what is queued. */
	return sem_init(&w->kick.done, 0, 0) < 0 || sem_init(&w->leave.done, 0, 0) < 0
		       ? ES_EINTERNAL
		       : 0;
}

static void deadline_of(int timeout_ms, struct timespec *ret_deadline)
{
	(void)clock_gettime(CLOCK_MONOTONIC, ret_deadline);
	ret_deadline->tv_sec += timeout_ms / 1000;
	ret_deadline->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (ret_deadline->tv_nsec >= 1000000000) {
		ret_deadline->tv_sec++;
		ret_deadline->tv_nsec -= 1000000000;
	}
}

/* Until there is something to say, or it is too late. */
static void wait(struct es_store_watch *w, int timeout_ms)
{
	struct timespec deadline;
	int rc = 0;

	deadline_of(timeout_ms < 0 ? 0 : timeout_ms, &deadline);
	w->waiting++;
	while (rc == 0 && w->first == NULL && w->end.code == ENGENHO_OK && !w->canceled) {
		if (timeout_ms < 0)
			rc = pthread_cond_wait(&w->changed, &w->mutex);
		else
			rc = pthread_cond_timedwait(&w->changed, &w->mutex, &deadline);
	}
	if (--w->waiting == 0 && w->canceled)
		(void)pthread_cond_broadcast(&w->changed);
}

static struct es_store_batch *take(struct es_store_watch *w)
{
	struct es_store_batch *batch = w->first;
	ssize_t got = sizeof(uint64_t);
	uint64_t count;

	w->first = batch->next;
	w->ready--;
	if (w->fd >= 0 && w->first == NULL && w->end.code == ENGENHO_OK)
		got = read(w->fd, &count, sizeof(count));
	ES_ASSERT(got == sizeof(count));
	if (w->full && !w->kicked && w->store != NULL && w->ready <= READY_MAX / 2)
		w->kicked = es_store_send(&w->kick, NULL) == ENGENHO_OK;
	return batch;
}

engenho_code es_store_watch_take(struct es_store_watch *w, int timeout_ms,
				 struct es_store_batch **ret_batch, engenho_error *error)
{
	engenho_code code = ENGENHO_OK;

	/* The loop would wait for itself. */
	if (timeout_ms != 0 && es_store_on_loop(w->kick.store))
		return es_store_fail(error, ES_EINVAL, "a blocking call in a callback");
	(void)pthread_mutex_lock(&w->mutex);
	wait(w, timeout_ms);
	if (w->canceled)
		code = es_store_fail_as(error, ENGENHO_END, "the watch was cancelled");
	else if (w->first != NULL)
		*ret_batch = take(w);
	else if (w->end.code != ENGENHO_OK)
		code = es_store_give_error(error, &w->end);
	else
		code = es_store_fail_as(error, ENGENHO_TIMEOUT, "no events came");
	(void)pthread_mutex_unlock(&w->mutex);
	return code;
}

int es_store_watch_fd(struct es_store_watch *w)
{
	(void)pthread_mutex_lock(&w->mutex);
	if (w->fd < 0) {
		w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (w->first != NULL || w->end.code != ENGENHO_OK || w->canceled)
			show(w);
	}
	(void)pthread_mutex_unlock(&w->mutex);
	return w->fd;
}

static void cancel(struct es_store_watch *w)
{
	w->canceled = true;
	show(w);
}

void es_store_watch_cancel(struct es_store_watch *w)
{
	(void)pthread_mutex_lock(&w->mutex);
	cancel(w);
	(void)pthread_mutex_unlock(&w->mutex);
}

void es_store_watch_close(struct es_store_watch *w)
{
	bool orphan;

	(void)pthread_mutex_lock(&w->mutex);
	cancel(w);
	/* When it refuses, the store is stopping, and detaches all. */
	if (w->store != NULL)
		(void)es_store_send(&w->leave, NULL);
	orphan = w->store != NULL && es_store_on_loop(w->store);
	w->orphan = orphan;
	while (!orphan && (w->waiting > 0 || w->store != NULL))
		(void)pthread_cond_wait(&w->changed, &w->mutex);
	(void)pthread_mutex_unlock(&w->mutex);
	if (!orphan)
		w->kind->free(w);
}

void es_store_watch_release(struct es_store_watch *w)
{
	struct es_store_batch *batch;

	while ((batch = w->first) != NULL) {
		w->first = batch->next;
		es_store_block_free(batch);
	}
	if (w->fd >= 0)
		(void)close(w->fd);
	es_store_call_close(&w->kick);
	es_store_call_close(&w->leave);
	(void)sem_destroy(&w->kick.done);
	(void)sem_destroy(&w->leave.done);
	(void)pthread_cond_destroy(&w->changed);
	(void)pthread_mutex_destroy(&w->mutex);
}
