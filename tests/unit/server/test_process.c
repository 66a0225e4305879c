#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "server/process.h"

static void stats_are_of_this_process(void **state)
{
	struct es_process_stats before, after;
	int fd;

	(void)state;
	es_process_stats(&before);
	fd = open("/dev/null", O_RDONLY);
	es_process_stats(&after);
	(void)close(fd);
	assert_int_equal(after.fds_open, before.fds_open + 1);
	assert_true(before.fds_max > before.fds_open);
	assert_true(before.resident_bytes > 100000);
	assert_true(before.virtual_bytes >= before.resident_bytes);
	assert_true(before.start_time_seconds <= (double)time(NULL) + 1);
	assert_true(before.start_time_seconds > (double)time(NULL) - 3600);
	assert_true(before.cpu_seconds >= 0 && before.cpu_seconds < 600);
}

static void the_limit_of_files_is_raised(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max / 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(es_process_raise_fd_limit(), limit.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

static void notify_at(const char *variable, const struct sockaddr_un *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[32] = "";

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", variable, 1), 0);
	assert_int_equal(es_process_notify("READY=1"), 1);
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	(void)close(fd);
}

static void the_service_manager_is_told(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char folder[] = "/tmp/engenho-notify-XXXXXX";
	char abstract[64];
	int len;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	notify_at(address.sun_path, &address, sizeof(address));
	assert_int_equal(es_process_notify("READY=1"), ES_EIO); /* nobody is there any more */
	(void)unlink(address.sun_path);
	(void)rmdir(folder);
	len = snprintf(abstract, sizeof(abstract), "@engenho-notify-%d", (int)getpid());
	memset(address.sun_path, 0, sizeof(address.sun_path));
	memcpy(address.sun_path + 1, abstract + 1, (size_t)len - 1);
	notify_at(abstract, &address,
		  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len));
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	assert_int_equal(es_process_notify("READY=1"), ES_EIO);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(es_process_notify("READY=1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stats_are_of_this_process),
		cmocka_unit_test(the_limit_of_files_is_raised),
		cmocka_unit_test(the_service_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
