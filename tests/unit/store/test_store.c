#include "store/support.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Opening, closing, the member. */

static void a_store_keeps_what_it_was_given(void **state)
{
	struct fixture *f = *state;
	char *value;

	(void)put_key(f, "a", "1");
	store_reopen(f);
	value = get_key(f, "a");
	assert_string_equal(value, "1");
	free(value);
}

static void closing_nothing_does_nothing(void **state)
{
	(void)state;
	engenho_close(NULL);
	engenho_config_free(NULL);
}

static void a_folder_is_opened_once(void **state)
{
	struct fixture *f = *state;
	engenho_store *other;

	REFUSED(f, ENGENHO_LOCKED, engenho_open(f->config, &other, &f->error));
	assert_non_null(strstr(f->error.message, f->folder));
}

static void several_stores_live_beside_each_other(void **state)
{
	struct fixture *f = *state;
	void *other_state;
	struct fixture *other;
	char *value;

	assert_int_equal(setup(&other_state), 0);
	other = other_state;
	(void)put_key(f, "a", "mine");
	(void)put_key(other, "a", "other");
	value = get_key(f, "a");
	assert_string_equal(value, "mine");
	free(value);
	assert_int_equal(teardown(&other_state), 0);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	struct fixture *f = *state;
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", f->folder);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/file/below", f->folder);
	set_option(f, "data-dir", path);
	assert_int_not_equal(engenho_open(f->config, &f->store, &f->error), ENGENHO_OK);
	assert_non_null(strstr(f->error.message, "file"));
}

static void flip_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;
	ssize_t n;

	assert_true(fd >= 0);
	n = pread(fd, &byte, 1, at);
	assert_int_equal(n, 1);
	byte ^= 0x40;
	n = pwrite(fd, &byte, 1, at);
	assert_int_equal(n, 1);
	(void)close(fd);
}

static void damage_is_told_and_opens_nothing(void **state)
{
	struct fixture *f = *state;
	char path[128];

	(void)put_key(f, "a", "1");
	store_close(f);
	(void)snprintf(path, sizeof(path), "%s/MEMBER", f->folder);
	flip_byte(path, 20);
	REFUSED(f, ENGENHO_CORRUPT, engenho_open(f->config, &f->store, &f->error));
	assert_non_null(strstr(f->error.message, "MEMBER"));
}

static void a_cluster_is_not_supported_yet(void **state)
{
	struct fixture *f = *state;

	set_option(f, "name", "one");
	set_option(f, "initial-cluster", "one=http://localhost:2380,two=http://localhost:2480");
	REFUSED(f, ENGENHO_UNSUPPORTED, engenho_open(f->config, &f->store, &f->error));
}

static void the_member_leads_alone(void **state)
{
	struct fixture *f = *state;
	engenho_stats stats = ENGENHO_INIT(engenho_stats);

	MUST(f, engenho_wait_for_leader(f->store, 10000, &f->error));
	MUST(f, engenho_wait_for_leadership(f->store, 10000, &f->error));
	assert_true(engenho_is_leader(f->store));
	MUST(f, engenho_health(f->store, &f->error));
	(void)put_key(f, "a", "1");
	(void)put_key(f, "a", "2");
	MUST(f, engenho_get_stats(f->store, &stats, &f->error));
	assert_true(stats.is_leader && stats.has_leader && !stats.disk_full);
	assert_int_equal(stats.size, sizeof(stats));
	assert_int_equal(stats.revision, 3);
	assert_int_equal(stats.keys, 1);
	assert_int_equal(stats.versions, 2);
	assert_true(stats.bytes > 0 && stats.member_id != 0 && stats.cluster_id != 0);
	assert_true(stats.leader_id == stats.member_id);
	assert_true(stats.applied_index > 0 && stats.term > 0);
	stats.size = 1;
	REFUSED(f, ENGENHO_INVALID, engenho_get_stats(f->store, &stats, &f->error));
}

static void an_index_is_waited_for(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_write_result *result;

	MUST(f, engenho_put(f->store, &key, bytes("{}"), NULL, &result, &f->error));
	assert_true(result->applied_index > 0);
	MUST(f, engenho_wait_for_index(f->store, result->applied_index, 10000, &f->error));
	REFUSED(f, ENGENHO_TIMEOUT,
		engenho_wait_for_index(f->store, result->applied_index + 1000, 50, &f->error));
	engenho_write_result_free(result);
}

struct waiting {
	struct fixture *f;
	atomic_int thread_id;
	engenho_code code;
	engenho_error error;
};

static void *wait_for_ever(void *arg)
{
	struct waiting *w = arg;

	w->thread_id = gettid();
	w->code = engenho_wait_for_index(w->f->store, UINT64_MAX, -1, &w->error);
	return NULL;
}

static void a_shutdown_ends_what_waits(void **state)
{
	enum { THREADS = 8 };
	struct fixture *f = *state;
	struct waiting waiting[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		waiting[i] = (struct waiting){.f = f};
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_ever, &waiting[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		await_sleep(&waiting[i].thread_id);
	engenho_shutdown(f->store);
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(waiting[i].code, ENGENHO_UNAVAILABLE);
		assert_non_null(strstr(waiting[i].error.message, "closing"));
	}
	REFUSED(f, ENGENHO_UNAVAILABLE,
		engenho_kv_put(f->store, bytes("a"), bytes("1"), 0, NULL, &f->error));
	assert_false(engenho_is_leader(f->store));
	engenho_shutdown(f->store);
	store_close(f);
}

/* ---- durability ------------------------------------------------------------------------------ */

/* Writes until it is killed, and says after each write that it was answered. */
static void write_for_ever(struct fixture *f, int fd)
{
	int n = 0;

	store_open(f);
	for (;;) {
		char name[32], value[64];

		(void)snprintf(name, sizeof(name), "m%d", n);
		(void)put_map(f, name, numbered(value, sizeof(value), n));
		n++;
		if (write(fd, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static void what_was_answered_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	engenho_list_options options = config_maps();
	engenho_list_result *list;
	int answered = 0;
	int fds[2];

	for (int round = 0; round < 3; round++) {
		int n = 0, status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)close(fds[0]);
			write_for_ever(f, fds[1]);
		}
		(void)close(fds[1]);
		while (n < 100)
			assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
		assert_int_equal(kill(pid, SIGKILL), 0);
		while (read(fds[0], &n, sizeof(n)) == sizeof(n))
			;
		(void)close(fds[0]);
		assert_true(waitpid(pid, &status, 0) == pid);
		if (n > answered)
			answered = n;
	}
	store_open(f);
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	assert_true(list->count >= (size_t)answered);
	engenho_list_result_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: no thread may be there when it forks. */
		cmocka_unit_test_setup_teardown(what_was_answered_survives_a_kill, setup_closed,
						teardown),
		cmocka_unit_test_setup_teardown(a_store_keeps_what_it_was_given, setup, teardown),
		cmocka_unit_test(closing_nothing_does_nothing),
		cmocka_unit_test_setup_teardown(a_folder_is_opened_once, setup, teardown),
		cmocka_unit_test_setup_teardown(several_stores_live_beside_each_other, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made_is_told, setup_closed,
						teardown),
		cmocka_unit_test_setup_teardown(damage_is_told_and_opens_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cluster_is_not_supported_yet, setup_closed,
						teardown),
		cmocka_unit_test_setup_teardown(the_member_leads_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(an_index_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_shutdown_ends_what_waits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
