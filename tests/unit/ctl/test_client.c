#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "ctl/client.h"

/* ---- a server that gives one answer to each who comes, whatever he says ----------------------- */

struct server {
	int fd;
	pthread_t thread;
	char endpoint[64];
	const char *answer;
	bool silent; /* it answers nothing, and keeps the connection */
};

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		char bytes[4096];
		ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

		if (len > 0 && !server->silent)
			(void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
		while (server->silent && recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *server, const char *answer)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*server = (struct server){.answer = answer == NULL ? "" : answer, .silent = answer == NULL};
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->fd, 10), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(server->endpoint, sizeof(server->endpoint), "127.0.0.1:%u",
		       ntohs(address.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	(void)shutdown(server->fd, SHUT_RDWR);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	close(server->fd);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void endpoints_have_three_forms(void **state)
{
	static const char *const good[] = {
		"localhost",          "localhost:2379",    "127.0.0.1:1",
		"http://host:65535",  "http://host/",      "[::1]",
		"[::1]:2379",         "http://[::1]:2379", "unix:/a/b",
		"unix:///tmp/socket",
	};
	static const char *const bad[] = {
		"",        ":2379", "host:",     "host:0",     "host:65536",  "host:2379x",
		"::1",     "unix:", "https://h", "http://h/x", "a b:1",       "host:99999999",
		"http://", "[]:1",  "h:-1",      "h:+1",       "ftp://h:2379"};
	char long_name[400];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(good); i++) {
		if (!es_client_is_endpoint(good[i]))
			fail_msg("%s", good[i]);
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++) {
		if (es_client_is_endpoint(bad[i]))
			fail_msg("%s", bad[i]);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_false(es_client_is_endpoint(long_name));
}

static int get(const char *answer, int *ret_status, char *ret_body, size_t size)
{
	struct server server;
	struct es_buf body;
	int rc;

	server_start(&server, answer);
	es_buf_init(&body, es_mem_default());
	*ret_status = 0;
	rc = es_client_get(es_mem_default(), server.endpoint, "/version",
			   answer == NULL ? 50 : 10000, ret_status, &body);
	(void)snprintf(ret_body, size, "%.*s", (int)body.len, (const char *)body.data);
	es_buf_close(&body);
	server_stop(&server);
	return rc;
}

static void a_plain_answer_is_taken_apart(void **state)
{
	char body[100];
	int status;

	(void)state;
	assert_int_equal(
		get("HTTP/1.1 200 OK\r\nA: b\r\n\r\nthe body", &status, body, sizeof(body)), 0);
	assert_int_equal(status, 200);
	assert_string_equal(body, "the body");
	assert_int_equal(get("HTTP/1.0 503 No\r\n\r\n", &status, body, sizeof(body)), 0);
	assert_int_equal(status, 503);
	assert_string_equal(body, "");
}

static void an_answer_that_is_none_is_an_error(void **state)
{
	static const char *const answers[] = {"",
					      "HTTP/1.1 200 OK\r\n",
					      "HTTP/2 200\r\n\r\n",
					      "HTTP/1.1 2x0 OK\r\n\r\n",
					      "\r\n\r\n",
					      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
	char body[100];
	int status;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(answers); i++)
		assert_int_equal(get(answers[i], &status, body, sizeof(body)), ES_EDECODE);
	assert_int_equal(get(NULL, &status, body, sizeof(body)), ES_ETIMEOUT);
}

static int no_message(void *arg, struct es_slice message)
{
	(void)arg;
	(void)message;
	fail_msg("there is no answer");
	return 0;
}

static void a_call_says_what_went_wrong_on_the_way(void **state)
{
	static const struct {
		const char *answer;
		int status;
	} cases[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", ES_EIO}, {"", ES_EIO}, {NULL, ES_ETIMEOUT}};
	struct es_client_result result;
	struct es_client *client;
	struct server server;
	char errmsg[ES_CLIENT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		server_start(&server, cases[i].answer);
		assert_int_equal(es_client_open(es_mem_default(), server.endpoint, 10000, &client,
						errmsg, sizeof(errmsg)),
				 0);
		assert_int_equal(es_client_call(client, "/a.B/C", ES_SLICE("x"), 50, no_message,
						NULL, &result),
				 cases[i].status);
		assert_true(strlen(result.text) > 0);
		es_client_close(client);
		server_stop(&server);
	}
	assert_int_equal(es_client_open(es_mem_default(), server.endpoint, 1000, &client, errmsg,
					sizeof(errmsg)),
			 ES_EIO);
	assert_true(strlen(errmsg) > 0);
	assert_int_equal(
		es_client_open(es_mem_default(), "::1", 1000, &client, errmsg, sizeof(errmsg)),
		ES_EINVAL);
}

static void a_stream_ends_when_nothing_comes(void **state)
{
	struct es_client_result result;
	struct es_client *client;
	struct server server;
	char errmsg[ES_CLIENT_TEXT_MAX];

	(void)state;
	server_start(&server, NULL);
	assert_int_equal(es_client_open(es_mem_default(), server.endpoint, 10000, &client, errmsg,
					sizeof(errmsg)),
			 0);
	assert_int_equal(
		es_client_stream(client, "/a.B/C", ES_SLICE("x"), 50, no_message, NULL, &result),
		ES_ETIMEOUT);
	assert_string_equal(result.text, "no answer in time");
	es_client_close(client);
	server_stop(&server);
}

static void a_path_of_a_socket_may_be_too_long(void **state)
{
	char endpoint[200] = "unix:///", errmsg[ES_CLIENT_TEXT_MAX];
	struct es_client *client;

	(void)state;
	memset(endpoint + strlen(endpoint), 'a', 150);
	errno = 0;
	assert_int_equal(
		es_client_open(es_mem_default(), endpoint, 1000, &client, errmsg, sizeof(errmsg)),
		ES_EIO);
	assert_string_equal(errmsg, "cannot connect: File name too long");
}

static void several_attempts_share_the_time(void **state)
{
	uint64_t now_ms = es_client_now_ms(), share_ms = es_client_share_ms(now_ms + 90000, 3);

	(void)state;
	assert_in_range(share_ms, 20000, 30000);
	assert_int_equal(es_client_share_ms(now_ms, 3), 0);
	assert_int_equal(es_client_share_ms(now_ms + 1000, 0), 0);
}

static void no_memory_is_reported(void **state)
{
	struct server server;

	(void)state;
	server_start(&server, "HTTP/1.1 200 OK\r\n\r\nbody");
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_buf body;
		int status;
		int rc;

		es_fault_mem_init(&fault, n);
		es_buf_init(&body, &fault.mem);
		rc = es_client_get(&fault.mem, server.endpoint, "/", 10000, &status, &body);
		es_buf_close(&body);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_have_three_forms),
		cmocka_unit_test(a_plain_answer_is_taken_apart),
		cmocka_unit_test(an_answer_that_is_none_is_an_error),
		cmocka_unit_test(a_call_says_what_went_wrong_on_the_way),
		cmocka_unit_test(a_stream_ends_when_nothing_comes),
		cmocka_unit_test(a_path_of_a_socket_may_be_too_long),
		cmocka_unit_test(several_attempts_share_the_time),
		cmocka_unit_test(no_memory_is_reported),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
