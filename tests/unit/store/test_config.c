#include "store/support.h"

#include <sys/stat.h>

static void options_are_those_of_the_daemon(void **state)
{
	struct fixture *f = *state;

	set_option(f, "name", "one");
	set_option(f, "heartbeat-interval", "50");
	set_option(f, "election-timeout", "500");
	set_option(f, "quota-backend-bytes", "1048576");
	set_option(f, "auto-compaction-retention", "1h");
	store_open(f);
	MUST(f, engenho_wait_for_leader(f->store, 10000, &f->error));
}

static void what_is_no_option_is_told(void **state)
{
	struct fixture *f = *state;

	REFUSED(f, ENGENHO_INVALID, engenho_config_set(f->config, "data-dri", "x", &f->error));
	assert_non_null(strstr(f->error.message, "data-dir"));
	REFUSED(f, ENGENHO_INVALID,
		engenho_config_set(f->config, "heartbeat-interval", "soon", &f->error));
	REFUSED(f, ENGENHO_INVALID, engenho_config_set(f->config, "callbacks", "never", &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_config_set(f->config, "listen-client-urls", "http://localhost:1",
				   &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_config_set(f->config, "config-file", "x.yaml", &f->error));
	/* Nothing of it was kept, and the error may be left out. */
	assert_int_equal(engenho_config_set(f->config, "listen-metrics-urls", "x", NULL),
			 ENGENHO_INVALID);
	store_open(f);
}

static void values_that_do_not_fit_each_other_are_told_when_opening(void **state)
{
	struct fixture *f = *state;

	set_option(f, "heartbeat-interval", "5000");
	set_option(f, "election-timeout", "100");
	REFUSED(f, ENGENHO_INVALID, engenho_open(f->config, &f->store, &f->error));
}

static void a_quota_is_kept(void **state)
{
	struct fixture *f = *state;
	static char large[100000];
	engenho_code code = ENGENHO_OK;
	char key[16];

	memset(large, 'x', sizeof(large) - 1);
	set_option(f, "quota-backend-bytes", "1048576");
	store_open(f);
	for (int i = 0; i < 20 && code == ENGENHO_OK; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		code = engenho_kv_put(f->store, bytes(key), bytes(large), 0, NULL, &f->error);
	}
	assert_int_equal(code, ENGENHO_NO_SPACE);
	REFUSED(f, ENGENHO_NO_SPACE, engenho_health(f->store, &f->error));
	MUST(f, engenho_kv_delete(f->store, bytes("k0"), bytes("z"), NULL, NULL, &f->error));
}

static void log_lines_go_where_they_are_told(void **state)
{
	struct fixture *f = *state;
	struct stat stat_of;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s.log", f->folder);
	set_option(f, "log-outputs", path);
	store_open(f);
	store_close(f);
	assert_int_equal(stat(path, &stat_of), 0);
	assert_true(stat_of.st_size > 0);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(options_are_those_of_the_daemon, setup_closed,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_option_is_told, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(
			values_that_do_not_fit_each_other_are_told_when_opening, setup_closed,
			teardown),
		cmocka_unit_test_setup_teardown(a_quota_is_kept, setup_closed, teardown),
		cmocka_unit_test_setup_teardown(log_lines_go_where_they_are_told, setup_closed,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
