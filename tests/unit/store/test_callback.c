#include "store/support.h"

#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>

/* What callbacks may do, and what they may not. */
struct seen {
	struct fixture *f;
	engenho_watch *watch;
	engenho_kv_watch *kv_watch;
	engenho_code code;
	engenho_stats stats;
	bool leads;
	int number;
	sem_t done;
};

static void seen_init(struct seen *s, struct fixture *f)
{
	*s = (struct seen){.f = f};
	assert_int_equal(sem_init(&s->done, 0, 0), 0);
}

/* One put, whose callback `done` posts s->done. */
static void call(struct seen *s, engenho_kv_done done)
{
	MUST(s->f,
	     engenho_kv_put_async(s->f->store, bytes("a"), bytes("1"), 0, done, s, &s->f->error));
	assert_int_equal(sem_wait(&s->done), 0);
}

/* ---- engenho_close --------------------------------------------------------------------------- */

static void on_put_close(void *ctx, int64_t revision, const engenho_error *error)
{
	(void)revision;
	(void)error;
	engenho_close(((struct fixture *)ctx)->store);
	_exit(0);
}

static void close_in_a_callback(struct fixture *f, const char *callbacks)
{
	(void)alarm(60);
	set_option(f, "callbacks", callbacks);
	store_open(f);
	MUST(f,
	     engenho_kv_put_async(f->store, bytes("a"), bytes("1"), 0, on_put_close, f, &f->error));
	for (;;)
		(void)engenho_dispatch(f->store, -1);
}

static void closing_in_a_callback_ends_the_process(void **state)
{
	static const char *const callbacks[] = {"dispatch", "thread"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		char text[256] = "";
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)dup2(fds[1], STDERR_FILENO);
			close_in_a_callback(f, callbacks[i]);
		}
		(void)close(fds[1]);
		assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
		assert_non_null(strstr(text, "engenho_close is not called from a callback"));
		(void)close(fds[0]);
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

static void on_put_shut_down(void *ctx, int64_t revision, const engenho_error *error)
{
	struct seen *s = ctx;

	(void)revision;
	(void)error;
	engenho_shutdown(s->f->store);
	s->code = engenho_kv_put_async(s->f->store, bytes("b"), bytes("1"), 0, NULL, NULL,
				       &s->f->error);
	(void)sem_post(&s->done);
}

static void shutting_down_in_a_callback_is_allowed(void **state)
{
	struct seen s;

	seen_init(&s, *state);
	call(&s, on_put_shut_down);
	assert_int_equal(s.code, ENGENHO_UNAVAILABLE);
	store_close(s.f);
}

/* ---- watches --------------------------------------------------------------------------------- */

static void open_watches(struct seen *s)
{
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_kv_watch_options kv_options = ENGENHO_INIT(engenho_kv_watch_options);

	kv_options.key = bytes("a");
	MUST(s->f, engenho_watch_open(s->f->store, &options, &s->watch, &s->f->error));
	MUST(s->f, engenho_kv_watch_open(s->f->store, &kv_options, &s->kv_watch, &s->f->error));
}

static void on_put_close_watches(void *ctx, int64_t revision, const engenho_error *error)
{
	struct seen *s = ctx;

	(void)revision;
	(void)error;
	engenho_watch_close(s->watch);
	engenho_kv_watch_close(s->kv_watch);
	(void)sem_post(&s->done);
}

static uint64_t count_watchers(struct fixture *f)
{
	engenho_stats stats = ENGENHO_INIT(engenho_stats);

	MUST(f, engenho_get_stats(f->store, &stats, &f->error));
	return stats.watchers;
}

static void a_callback_closes_watches(void **state)
{
	struct seen s;

	seen_init(&s, *state);
	open_watches(&s);
	assert_int_equal(count_watchers(s.f), 2);
	call(&s, on_put_close_watches);
	assert_int_equal(count_watchers(s.f), 0);
	/* And as the last thing that the store does. */
	open_watches(&s);
	MUST(s.f, engenho_kv_put_async(s.f->store, bytes("a"), bytes("1"), 0, on_put_close_watches,
				       &s, &s.f->error));
	store_close(s.f);
}

static void on_put_read_watches(void *ctx, int64_t revision, const engenho_error *error)
{
	struct seen *s = ctx;
	engenho_error mine;
	engenho_events *events;
	engenho_kv_events *kv_events;

	(void)revision;
	(void)error;
	s->code = engenho_watch_next(s->watch, -1, &events, &mine);
	s->number += engenho_kv_watch_next(s->kv_watch, 1, &kv_events, &mine) == ENGENHO_INVALID;
	/* This one does not wait. */
	s->number += engenho_watch_next(s->watch, 0, &events, &mine) == ENGENHO_TIMEOUT;
	engenho_watch_cancel(s->watch);
	s->number += engenho_watch_next(s->watch, 0, &events, &mine) == ENGENHO_END;
	(void)sem_post(&s->done);
}

static void a_callback_may_not_wait_for_events(void **state)
{
	struct seen s;

	seen_init(&s, *state);
	open_watches(&s);
	call(&s, on_put_read_watches);
	assert_int_equal(s.code, ENGENHO_INVALID);
	assert_int_equal(s.number, 3);
	engenho_watch_close(s.watch);
	engenho_kv_watch_close(s.kv_watch);
}

/* ---- the member ------------------------------------------------------------------------------ */

static void on_put_ask(void *ctx, int64_t revision, const engenho_error *error)
{
	struct seen *s = ctx;
	engenho_error mine;

	(void)error;
	s->leads = engenho_is_leader(s->f->store);
	s->code = engenho_health(s->f->store, &mine);
	s->stats = (engenho_stats)ENGENHO_INIT(engenho_stats);
	s->number = engenho_get_stats(s->f->store, &s->stats, &mine) == ENGENHO_OK &&
		    s->stats.revision >= revision;
	(void)sem_post(&s->done);
}

static void a_callback_is_told_who_leads(void **state)
{
	struct seen s;

	seen_init(&s, *state);
	call(&s, on_put_ask);
	assert_true(s.leads);
	assert_int_equal(s.code, ENGENHO_OK);
	assert_int_equal(s.number, 1);
}

static void on_put_wait(void *ctx, int64_t revision, const engenho_error *error)
{
	struct seen *s = ctx;
	engenho_error mine;

	(void)revision;
	(void)error;
	s->code = engenho_kv_put(s->f->store, bytes("b"), bytes("1"), 0, NULL, &mine);
	s->number = engenho_kv_put_async(s->f->store, bytes("c"), bytes("1"), 0, NULL, NULL,
					 &mine) == ENGENHO_OK;
	(void)sem_post(&s->done);
}

static void a_callback_in_the_thread_may_not_wait(void **state)
{
	struct seen s;

	seen_init(&s, *state);
	call(&s, on_put_wait);
	assert_int_equal(s.code, ENGENHO_INVALID);
	assert_int_equal(s.number, 1);
}

/* One that is dispatched has a thread of its own, and may do it all. */
static void a_dispatched_callback_may_wait(void **state)
{
	struct seen s;
	engenho_events *events;

	seen_init(&s, *state);
	open_watches(&s);
	MUST(s.f, engenho_kv_put_async(s.f->store, bytes("a"), bytes("1"), 0, on_put_wait, &s,
				       &s.f->error));
	assert_int_equal(engenho_dispatch(s.f->store, -1), 1);
	assert_int_equal(sem_trywait(&s.done), 0);
	assert_int_equal(s.code, ENGENHO_OK);
	REFUSED(s.f, ENGENHO_TIMEOUT, engenho_watch_next(s.watch, 1, &events, &s.f->error));
	MUST(s.f, engenho_kv_put_async(s.f->store, bytes("a"), bytes("1"), 0, on_put_close_watches,
				       &s, &s.f->error));
	while (sem_trywait(&s.done) < 0)
		(void)engenho_dispatch(s.f->store, -1);
	assert_int_equal(count_watchers(s.f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: no thread may be there when it forks. */
		cmocka_unit_test_setup_teardown(closing_in_a_callback_ends_the_process,
						setup_closed, teardown),
		cmocka_unit_test_setup_teardown(shutting_down_in_a_callback_is_allowed,
						setup_in_thread, teardown),
		cmocka_unit_test_setup_teardown(a_callback_closes_watches, setup_in_thread,
						teardown),
		cmocka_unit_test_setup_teardown(a_callback_may_not_wait_for_events, setup_in_thread,
						teardown),
		cmocka_unit_test_setup_teardown(a_callback_is_told_who_leads, setup_in_thread,
						teardown),
		cmocka_unit_test_setup_teardown(a_callback_in_the_thread_may_not_wait,
						setup_in_thread, teardown),
		cmocka_unit_test_setup_teardown(a_dispatched_callback_may_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
