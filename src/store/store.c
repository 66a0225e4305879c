#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/config.h"
#include "store/copy.h"
#include "store/queue.h"

/*
 * The thread of a store: a loop with one member on it. Stopping goes down the layers; each step
 * begins in the callback that ends the one before:
 *
 *   no more calls -> watches and waiters -> typed -> engine (the last fsync) -> handles -> the thread
 *
 * A member that cannot go on stops in the same way, by itself: what is left is a store that refuses
 * everything and says why, until it is closed.
 */
enum {
	TICK_MS = 20,
	COPY_BYTES = 1 << 20, /* of large answers, in a turn */
};

/* ---- stopping -------------------------------------------------------------------------------- */

static void close_handles(void *ctx)
{
	engenho_store *store = ctx;

	es_store_stop_waking(store);
	uv_close((uv_handle_t *)&store->wake, NULL);
	uv_close((uv_handle_t *)&store->prepare, NULL);
	uv_close((uv_handle_t *)&store->idle, NULL);
	uv_close((uv_handle_t *)&store->check, NULL);
	uv_close((uv_handle_t *)&store->timer, NULL);
}

static void typed_closed(void *ctx)
{
	engenho_store *store = ctx;

	store->typed = NULL;
	es_member_close(&store->member, close_handles, store);
}

static void stop(engenho_store *store)
{
	if (store->stopping)
		return;
	store->stopping = true;
	es_store_run_calls(store); /* ends them */
	es_store_watches_stop(store);
	es_store_waiters_stop(store);
	es_store_copies_stop(store);
	(void)uv_idle_stop(&store->idle);
	if (store->typed != NULL)
		es_typed_close(store->typed, typed_closed, store);
	else
		typed_closed(store);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void opened(engenho_store *store, int status)
{
	if (store->opened)
		return;
	store->opened = true;
	store->open_status = status;
	(void)sem_post(&store->open_done);
}

/* All that was written before can be read: the log behind the checkpoint is applied. */
static void on_loaded(void *arg, int status)
{
	engenho_store *store = arg;

	store->asking = false;
	if (status == 0)
		opened(store, 0);
	else if (!store->stopping)
		(void)uv_async_send(&store->wake);
}

static void on_wake(uv_async_t *wake)
{
	engenho_store *store = wake->data;

	if (store->failed || es_store_is_closing(store)) {
		stop(store);
		return;
	}
	if (!store->opened && store->has_leader && !store->asking) {
		store->asking = true;
		es_engine_linearize(store->member.engine, on_loaded, store);
	}
	es_store_run_calls(store);
}

static void on_prepare(uv_prepare_t *prepare)
{
	engenho_store *store = prepare->data;

	store->copy_budget = COPY_BYTES;
	es_store_show_finished(store);
}

static void on_idle(uv_idle_t *idle)
{
	engenho_store *store = idle->data;

	es_store_watches_serve(store);
	es_store_copies_serve(store);
	if (es_queue_empty(&store->work) && es_queue_empty(&store->copies))
		(void)uv_idle_stop(&store->idle);
}

static void on_check(uv_check_t *check)
{
	es_store_waiters_look(check->data);
}

static void on_timer(uv_timer_t *timer)
{
	es_store_waiters_look(timer->data);
}

void es_store_work(engenho_store *store)
{
	if (!store->stopping)
		(void)uv_idle_start(&store->idle, on_idle);
}

void es_store_look(engenho_store *store, bool start)
{
	if (start && !store->stopping) {
		(void)uv_check_start(&store->check, on_check);
		(void)uv_timer_start(&store->timer, on_timer, TICK_MS, TICK_MS);
	} else {
		(void)uv_check_stop(&store->check);
		(void)uv_timer_stop(&store->timer);
	}
}

/* ---- what the member says -------------------------------------------------------------------- */

static void on_failed(void *ctx, int status, const char *message)
{
	engenho_store *store = ctx;
	engenho_error reason;

	(void)es_store_fail(&reason, status, message);
	if (store->opened)
		(void)es_store_fail_as(&reason, ENGENHO_UNAVAILABLE, message);
	es_store_refuse_calls(store, &reason);
	if (!store->opened) {
		store->open_status = status;
		(void)snprintf(store->errmsg, sizeof(store->errmsg), "%s", message);
	}
	store->failed = true;
	(void)uv_async_send(&store->wake); /* stops, outside of this call */
}

static void on_leader(void *ctx, bool has_leader)
{
	engenho_store *store = ctx;

	store->has_leader = has_leader;
	if (!store->opened)
		(void)uv_async_send(&store->wake);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static int init_loop(engenho_store *store)
{
	int rc = uv_loop_init(&store->loop);

	if (rc == 0) {
		rc = uv_async_init(&store->loop, &store->wake, on_wake);
		if (rc < 0)
			(void)uv_loop_close(&store->loop);
	}
	if (rc < 0) {
		(void)snprintf(store->errmsg, sizeof(store->errmsg), "cannot make a loop: %s",
			       uv_strerror(rc));
		return rc == UV_ENOMEM ? ES_ENOMEM : ES_EIO;
	}
	(void)uv_prepare_init(&store->loop, &store->prepare);
	(void)uv_idle_init(&store->loop, &store->idle);
	(void)uv_check_init(&store->loop, &store->check);
	(void)uv_timer_init(&store->loop, &store->timer);
	store->wake.data = store;
	store->prepare.data = store;
	store->idle.data = store;
	store->check.data = store;
	store->timer.data = store;
	(void)uv_prepare_start(&store->prepare, on_prepare);
	return 0;
}

static int open_member(engenho_store *store)
{
	static const char *const no_urls[] = {NULL};
	struct es_typed_config typed = {
		.mem = store->mem,
		.env = es_env_system(),
		.loop = &store->loop,
	};
	int rc;

	store->member = (struct es_member_parts){
		.config = &store->config,
		.mem = store->mem,
		.env = es_env_system(),
		.log = store->has_log ? &store->logging.log : NULL,
		.loop = &store->loop,
		.written_by = "engenho-store " ENGENHO_VERSION,
		.failed = on_failed,
		.leader = on_leader,
		.ctx = store,
	};
	rc = es_member_claim(&store->member, store->errmsg, sizeof(store->errmsg));
	if (rc == 0)
		rc = es_member_open(&store->member, no_urls, store->errmsg, sizeof(store->errmsg));
	typed.engine = store->member.engine;
	if (rc == 0)
		rc = es_typed_new(&typed, &store->typed);
	return rc;
}

static void run_loop(engenho_store *store)
{
	engenho_error reason;
	int rc = open_member(store);

	if (rc < 0) {
		store->open_status = rc;
		(void)es_store_fail(&reason, rc, NULL);
		es_store_refuse_calls(store, &reason);
		stop(store);
	}
	(void)uv_run(&store->loop, UV_RUN_DEFAULT);
	ES_ASSERT(store->stopping && store->typed == NULL);
	es_member_release(&store->member);
	rc = uv_loop_close(&store->loop);
	ES_ASSERT(rc == 0);
	es_store_end_loop(store);
}

static void *thread_main(void *arg)
{
	engenho_store *store = arg;
	int rc = init_loop(store);

	if (rc == 0)
		run_loop(store);
	else
		store->open_status = rc;
	if (!store->opened) {
		if (store->open_status == 0)
			store->open_status = ES_ESTOPPED;
		(void)sem_post(&store->open_done);
	}
	return NULL;
}

/* Signals are for the threads of the process that it belongs to. */
static int start_thread(engenho_store *store)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&store->thread, NULL, thread_main, store);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : ES_ENOMEM;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void store_free(engenho_store *store)
{
	if (store->done_fd >= 0)
		(void)close(store->done_fd);
	if (store->has_log)
		es_logging_close(&store->logging);
	es_arena_close(&store->arena);
	(void)pthread_cond_destroy(&store->left);
	(void)pthread_mutex_destroy(&store->mutex);
	(void)sem_destroy(&store->open_done);
	es_free(store->mem, store);
}

static engenho_store *store_new(const struct es_mem *mem)
{
	engenho_store *store = es_calloc(mem, 1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->mem = mem;
	store->done_fd = -1;
	es_arena_init(&store->arena, store->mem, 4096);
	es_queue_init(&store->watches);
	es_queue_init(&store->work);
	es_queue_init(&store->waiters);
	es_queue_init(&store->copies);
	(void)pthread_mutex_init(&store->mutex, NULL);
	(void)pthread_cond_init(&store->left, NULL);
	(void)sem_init(&store->open_done, 0, 0);
	return store;
}

static int start(engenho_store *store, const engenho_config *config)
{
	int rc = es_store_configure(store, config, store->errmsg, sizeof(store->errmsg));

	if (rc == 0 && !store->callbacks_in_thread) {
		store->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (store->done_fd < 0)
			rc = ES_EIO;
	}
	if (rc == 0)
		rc = start_thread(store);
	if (rc < 0)
		return rc;
	while (sem_wait(&store->open_done) < 0)
		;
	rc = store->open_status;
	if (rc < 0)
		(void)pthread_join(store->thread, NULL);
	return rc;
}

engenho_code engenho_open(const engenho_config *config, engenho_store **ret_store,
			  engenho_error *error)
{
	engenho_store *store = store_new(es_store_config_mem(config));
	engenho_code code = ENGENHO_OK;
	int rc;

	if (store == NULL)
		return es_store_fail(error, ES_ENOMEM, NULL);
	rc = start(store, config);
	if (rc < 0) {
		code = es_store_fail(error, rc, store->errmsg[0] != '\0' ? store->errmsg : NULL);
		store_free(store);
	} else {
		*ret_store = store;
	}
	return code;
}

void engenho_shutdown(engenho_store *store)
{
	engenho_error reason;

	(void)es_store_fail_as(&reason, ENGENHO_UNAVAILABLE, "the store is closing");
	es_store_refuse_calls(store, &reason);
	es_store_begin_close(store);
}

void engenho_close(engenho_store *store)
{
	if (store == NULL)
		return;
	if (es_store_in_callback(store))
		es_assert_failed("engenho_close is not called from a callback of the store",
				 __FILE__, __LINE__, __func__);
	engenho_shutdown(store);
	(void)pthread_join(store->thread, NULL);
	es_store_end_close(store);
	store_free(store);
}
