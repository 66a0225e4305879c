#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "pair.h"

/* The server on a loop, with sockets. What a client says is written by hand: the wire has tests of
 * its own. */

static struct pair pair; /* for its memory, clock and configuration */
static uv_loop_t loop;
static bool stopped;

static void on_stopped(void *ctx)
{
	assert_ptr_equal(ctx, &loop);
	stopped = true;
}

static int setup(void **state)
{
	(void)state;
	pair_init(&pair, UINT64_MAX);
	pair.config.env = es_env_system();
	pair.config.loop = &loop;
	stopped = false;
	return uv_loop_init(&loop) != 0 || pair_open(&pair) < 0 || pair_register(&pair) < 0;
}

static void stop(uint64_t grace_ms)
{
	es_rpc_server_stop(pair.server, grace_ms, on_stopped, &loop);
}

static int teardown(void **state)
{
	(void)state;
	if (!stopped) {
		stop(0);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	assert_true(stopped);
	assert_int_equal(uv_loop_close(&loop), 0);
	pair_close(&pair);
	return 0;
}

static uint16_t listen_on(const struct es_rpc_listen *listen)
{
	char errmsg[200] = "";
	uint16_t port;
	int rc = es_rpc_server_listen(pair.server, listen, &port, errmsg, sizeof(errmsg));

	if (rc < 0)
		fail_msg("%s", errmsg);
	return port;
}

static const struct es_rpc_listen anywhere = {.host = "127.0.0.1",
					      .faces = ES_RPC_FACE_GRPC | ES_RPC_FACE_HTTP};

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static void say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), len);
	turn();
}

static size_t hear(int fd, char *out, size_t size)
{
	ssize_t len;

	turn();
	len = recv(fd, out, size - 1, MSG_DONTWAIT);
	out[len < 0 ? 0 : len] = '\0';
	return len < 0 ? SIZE_MAX : (size_t)len;
}

static void it_serves_on_sockets_and_stops(void **state)
{
	uint16_t port = listen_on(&anywhere);
	int fd = connect_to(port);
	struct es_rpc_stats stats;
	char text[500];

	(void)state;
	say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	assert_true(hear(fd, text, sizeof(text)) < sizeof(text));
	assert_non_null(strstr(text, "404 page not found"));
	es_rpc_get_stats(pair.server, &stats);
	assert_int_equal(stats.connections_open, 1);
	assert_int_equal(stats.connections_total, 1);
	assert_int_equal(stats.bytes_received, 28);
	assert_int_equal(stats.bytes_sent, strlen(text));
	assert_int_equal(stats.bytes_queued, 0);
	stop(10000); /* an idle connection is not waited for */
	assert_int_equal(hear(fd, text, sizeof(text)), 0);
	close(fd);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
}

/* One of each kind, whose clients do nothing about it. */
static void idle_connections_do_not_hold_up_a_stop(void **state)
{
	static const char hello[] = NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0";
	uint16_t port = listen_on(&anywhere);
	int fds[3] = {connect_to(port), connect_to(port), connect_to(port)};
	uint64_t began_ms;
	char text[500];

	(void)state;
	say(fds[0], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	assert_true(hear(fds[0], text, sizeof(text)) < sizeof(text));
	say(fds[1], hello, sizeof(hello));
	began_ms = uv_hrtime() / 1000000;
	stop(10000);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
	assert_true(uv_hrtime() / 1000000 - began_ms < 900);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void it_stops_without_ever_having_listened(void **state)
{
	(void)state;
	stop(1000);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
}

static void a_client_that_stays_is_dropped_after_the_grace_time(void **state)
{
	uint16_t port = listen_on(&anywhere);
	int fd = connect_to(port);
	uint64_t began = uv_hrtime();

	(void)state;
	say(fd, "GET /x HTTP/1.1\r\nHost: a", 24);
	stop(200);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
	assert_in_range((uv_hrtime() - began) / 1000000, 200, 3000);
	close(fd);
}

static void stopping_again_is_at_once(void **state)
{
	uint16_t port = listen_on(&anywhere);
	int fd = connect_to(port);
	uint64_t began = uv_hrtime();

	(void)state;
	say(fd, "GET /x HTTP/1.1\r\nHost: a", 24);
	stop(100000);
	turn();
	assert_false(stopped);
	stop(0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
	assert_in_range((uv_hrtime() - began) / 1000000, 0, 3000);
	close(fd);
}

static void listeners_close_at_once(void **state)
{
	uint16_t port = listen_on(&anywhere);
	int fd = connect_to(port), second;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	say(fd, "GET", 3);
	stop(100);
	turn();
	second = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof(address)), -1);
	close(second);
	close(fd);
}

static void addresses_in_use_and_wrong_ones_are_told(void **state)
{
	struct es_rpc_listen listen = anywhere;
	char errmsg[200];
	uint16_t port;

	(void)state;
	listen.port = listen_on(&anywhere);
	assert_int_equal(es_rpc_server_listen(pair.server, &listen, &port, errmsg, sizeof(errmsg)),
			 ES_EBUSY);
	assert_non_null(strstr(errmsg, "127.0.0.1:"));
	assert_non_null(strstr(errmsg, "address already in use"));
	listen.host = "not a host";
	assert_int_equal(es_rpc_server_listen(pair.server, &listen, &port, errmsg, sizeof(errmsg)),
			 ES_EINVAL);
	assert_non_null(strstr(errmsg, "not a host"));
	listen.host = "192.0.2.1";
	assert_int_equal(es_rpc_server_listen(pair.server, &listen, &port, errmsg, sizeof(errmsg)),
			 ES_EINVAL);
	listen = (struct es_rpc_listen){.unix_path = "/nowhere/at/all"};
	assert_int_equal(es_rpc_server_listen(pair.server, &listen, &port, errmsg, sizeof(errmsg)),
			 ES_EIO);
	assert_non_null(strstr(errmsg, "/nowhere/at/all"));
	listen.unix_path = "";
	assert_int_equal(es_rpc_server_listen(pair.server, &listen, &port, errmsg, sizeof(errmsg)),
			 ES_EINVAL);
}

static void names_and_all_addresses_work(void **state)
{
	static const char *const hosts[] = {"localhost", "", NULL, "0.0.0.0"};
	char text[500];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(hosts); i++) {
		struct es_rpc_listen listen = {.host = hosts[i], .faces = ES_RPC_FACE_HTTP};
		int fd = connect_to(listen_on(&listen));

		say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
		assert_true(hear(fd, text, sizeof(text)) < sizeof(text));
		assert_non_null(strstr(text, "404"));
		close(fd);
	}
}

static void ports_can_be_shared_when_asked(void **state)
{
	struct es_rpc_listen listen = anywhere;

	(void)state;
	listen.reuse_port = true;
	listen.port = listen_on(&listen);
	assert_int_equal(listen_on(&listen), listen.port);
}

static void an_abandoned_socket_file_is_replaced_and_a_served_one_not(void **state)
{
	char folder[] = "/tmp/es-rpc-XXXXXX", path[64], errmsg[200];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct es_rpc_listen where = {.unix_path = path, .faces = ES_RPC_FACE_HTTP};
	uint16_t port;
	char text[500];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(es_rpc_server_listen(pair.server, &where, &port, errmsg, sizeof(errmsg)),
			 ES_EBUSY);
	close(fd);
	assert_int_equal(listen_on(&where), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	assert_true(hear(fd, text, sizeof(text)) < sizeof(text));
	assert_non_null(strstr(text, "404"));
	close(fd);
	stop(0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(access(path, F_OK), -1); /* cleaned up */
	rmdir(folder);
}

static void failures_of_memory_are_told(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		bool fired;

		assert_int_equal(uv_loop_init(&loop), 0);
		pair_init(&pair, n);
		pair.config.env = es_env_system();
		pair.config.loop = &loop;
		stopped = false;
		if (pair_open(&pair) == 0) {
			char errmsg[200];
			uint16_t port;
			int rc = es_rpc_server_listen(pair.server, &anywhere, &port, errmsg,
						      sizeof(errmsg));

			assert_true(rc == (pair.fault.fired ? ES_ENOMEM : 0));
			stop(0);
		}
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&loop), 0);
		fired = pair.fault.fired;
		pair_close(&pair);
		if (!fired)
			break;
		assert_true(n < 1000);
	}
}

/* While there is no memory for a connection it waits, and is served when there is. */
static void a_connection_waits_for_memory(void **state)
{
	uint16_t port = listen_on(&anywhere);
	char text[500];
	int fd;

	(void)state;
	pair.fault.countdown = 0;
	pair.fault.fired = false;
	fd = connect_to(port);
	say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	assert_true(pair.fault.fired);
	assert_true(hear(fd, text, sizeof(text)) < sizeof(text));
	assert_non_null(strstr(text, "404"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_serves_on_sockets_and_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(idle_connections_do_not_hold_up_a_stop, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_stops_without_ever_having_listened, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_client_that_stays_is_dropped_after_the_grace_time,
						setup, teardown),
		cmocka_unit_test_setup_teardown(stopping_again_is_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(listeners_close_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_in_use_and_wrong_ones_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_and_all_addresses_work, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_can_be_shared_when_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_abandoned_socket_file_is_replaced_and_a_served_one_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_waits_for_memory, setup, teardown),
		cmocka_unit_test(failures_of_memory_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
