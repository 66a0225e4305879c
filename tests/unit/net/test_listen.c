#include <errno.h>

#include "support.h"

static void no_memory_puts_a_connection_off(void **state)
{
	uint16_t port = listen_tcp();
	int fds[3];

	(void)state;
	no_memory_once();
	fault.sticky = true;
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(port);
	assert_true(fault.fired);
	assert_int_equal(peer_count, 0);
	fault.sticky = false;
	for (int i = 0; i < 3; i++) {
		say(fds[i], "x");
		assert_string_equal(hear(fds[i]), "x");
		close(fds[i]);
	}
	assert_int_equal(peer_count, 3);
}

static void above_the_limit_connections_wait(void **state)
{
	uint16_t port = listen_tcp();
	uint16_t other_port = listen_tcp();
	int fds[6];

	(void)state;
	es_net_limit(net, 2);
	for (int i = 0; i < 5; i++)
		fds[i] = connect_to(port);
	fds[5] = connect_to(other_port);
	for (int i = 0; i < 6; i++)
		say(fds[i], "x");
	assert_string_equal(hear(fds[1]), "x");
	assert_string_equal(hear(fds[2]), "");
	assert_string_equal(hear(fds[5]), "");
	assert_int_equal(stats().connections_open, 2);
	assert_int_equal(stats().connections_total, 2);
	/* Each that goes lets one in; the listeners take turns. */
	close(fds[0]);
	assert_string_equal(hear(fds[2]), "x");
	assert_string_equal(hear(fds[5]), "");
	close(fds[1]);
	assert_string_equal(hear(fds[5]), "x");
	assert_string_equal(hear(fds[3]), "");
	assert_int_equal(stats().connections_open, 2);
	/* Those that went while they waited are taken from the backlog, and go. */
	close(fds[3]);
	close(fds[2]);
	assert_string_equal(hear(fds[4]), "x");
	close(fds[4]);
	close(fds[5]);
	turn();
	assert_int_equal(stats().connections_open, 0);
	assert_int_equal(stats().connections_total, 6);
}

static void it_closes_with_connections_waiting(void **state)
{
	uint16_t port = listen_tcp();
	int fds[3];

	(void)state;
	es_net_limit(net, 1);
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(port);
	assert_int_equal(stats().connections_open, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	/* Not a turn more: the teardown finds them. */
}

/* ---- unix sockets ---------------------------------------------------------------------------- */

static char folder[64];
static char path[100];

static int unix_setup(void **state)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/engenho-net-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/socket", folder);
	return setup(state);
}

static int unix_teardown(void **state)
{
	int rc = teardown(state);

	(void)unlink(path);
	return rc != 0 || rmdir(folder) < 0;
}

static int listen_unix(char errmsg[200])
{
	const struct es_net_address address = {.unix_path = path};
	struct es_net_listener *listener;
	uint16_t port;

	return es_net_listen(net, &address, on_accepted, NULL, &listener, &port, errmsg, 200);
}

static int connect_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void a_unix_socket_that_nobody_serves_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char errmsg[200];
	int fd;

	(void)state;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(listen_unix(errmsg), 0);
	fd = connect_unix();
	say(fd, "x");
	assert_string_equal(hear(fd), "x");
	close(fd);
	turn();
	/* One that is served is not. */
	assert_int_equal(listen_unix(errmsg), ES_EBUSY);
	assert_non_null(strstr(errmsg, path));
}

static void nothing_but_a_socket_is_removed(void **state)
{
	char errmsg[200];
	struct stat found;
	FILE *file;

	(void)state;
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("precious", file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(listen_unix(errmsg), ES_EIO);
	assert_non_null(strstr(errmsg, path));
	assert_non_null(strstr(errmsg, "not a socket"));
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_size, 8);
	assert_int_equal(unlink(path), 0);
	/* Nor what a link leads to. */
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(listen_unix(errmsg), ES_EIO);
	assert_int_equal(lstat(path, &found), 0);
}

static void addresses_that_are_none_are_refused(void **state)
{
	const struct es_net_address nowhere = {.host = "256.0.0.1"};
	const struct es_net_address taken = {.host = "127.0.0.1", .port = listen_tcp()};
	struct es_net_listener *listener;
	char errmsg[200];
	uint16_t port;

	(void)state;
	assert_int_equal(es_net_listen(net, &nowhere, on_accepted, NULL, &listener, &port, errmsg,
				       sizeof(errmsg)),
			 ES_EINVAL);
	assert_non_null(strstr(errmsg, "256.0.0.1:0"));
	assert_int_equal(es_net_listen(net, &taken, on_accepted, NULL, &listener, &port, errmsg,
				       sizeof(errmsg)),
			 ES_EBUSY);
	turn();
}

static void no_memory_is_reported(void **state)
{
	const struct es_net_address tcp = {.host = "127.0.0.1"};
	struct es_net_listener *listener;
	struct es_net *another;
	char errmsg[200];
	uint16_t port;

	(void)state;
	no_memory_once();
	assert_int_equal(es_net_listen(net, &tcp, on_accepted, NULL, &listener, &port, errmsg,
				       sizeof(errmsg)),
			 ES_ENOMEM);
	no_memory_once();
	assert_int_equal(listen_unix(errmsg), ES_ENOMEM);
	for (uint64_t n = 0; n < 3; n++) {
		struct es_fault_mem own;

		es_fault_mem_init(&own, n);
		assert_int_equal(es_net_new(&loop, &own.mem, &another), ES_ENOMEM);
		assert_int_equal(own.live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define U(name) cmocka_unit_test_setup_teardown(name, unix_setup, unix_teardown)
		T(no_memory_puts_a_connection_off),
		T(above_the_limit_connections_wait),
		T(it_closes_with_connections_waiting),
		U(a_unix_socket_that_nobody_serves_is_replaced),
		U(nothing_but_a_socket_is_removed),
		T(addresses_that_are_none_are_refused),
		U(no_memory_is_reported),
#undef U
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
