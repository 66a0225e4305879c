#ifndef TESTS_UNIT_NET_SUPPORT_H
#define TESTS_UNIT_NET_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"
#include "net/net.h"

/* A net on a loop, whose connections echo what they receive, and clients that are plain sockets. */
#define PEERS_MAX 16

struct peer { /* the server's side of a connection */
	struct es_net_conn *conn;
	char unsent[4096];
	size_t len;
	size_t flood; /* so many zero bytes are sent besides */
	bool ended, closed;
};

static uv_loop_t loop;
static struct es_fault_mem fault;
static struct es_net *net;
static bool net_closed;
static struct peer peers[PEERS_MAX];
static size_t peer_count;

static void on_received(void *ctx, const uint8_t *data, size_t len)
{
	struct peer *peer = ctx;

	assert_true(peer->len + len <= sizeof(peer->unsent));
	memcpy(peer->unsent + peer->len, data, len);
	peer->len += len;
	es_net_conn_flush(peer->conn);
}

static void on_ended(void *ctx)
{
	struct peer *peer = ctx;

	peer->ended = true;
	es_net_conn_finish(peer->conn);
}

static size_t on_produce(void *ctx, uint8_t *out, size_t cap)
{
	struct peer *peer = ctx;
	size_t len = peer->len;

	assert_true(cap >= ES_NET_PRODUCE_MIN);
	memcpy(out, peer->unsent, len);
	peer->len = 0;
	if (len == 0 && peer->flood > 0) {
		len = peer->flood < cap ? peer->flood : cap;
		memset(out, 0, len);
		peer->flood -= len;
	}
	return len;
}

static void on_peer_closed(void *ctx)
{
	((struct peer *)ctx)->closed = true;
}

static void on_accepted(void *ctx, struct es_net_conn *conn)
{
	static const struct es_net_protocol echo = {on_received, on_ended, on_produce,
						    on_peer_closed};
	struct peer *peer = &peers[peer_count++];

	(void)ctx;
	assert_true(peer_count <= PEERS_MAX);
	peer->conn = conn;
	es_net_conn_start(conn, &echo, peer);
}

static void on_net_closed(void *ctx)
{
	(void)ctx;
	net_closed = true;
}

static int setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	memset(peers, 0, sizeof(peers));
	peer_count = 0;
	net_closed = false;
	es_fault_mem_init(&fault, UINT64_MAX);
	return uv_loop_init(&loop) != 0 || es_net_new(&loop, &fault.mem, &net) < 0;
}

static int teardown(void **state)
{
	(void)state;
	es_net_close(net, on_net_closed, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(net_closed);
	for (size_t i = 0; i < peer_count; i++)
		assert_true(peers[i].closed);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(fault.live, 0);
	return 0;
}

/* The next allocation fails, once. */
static inline void no_memory_once(void)
{
	fault.countdown = 0;
	fault.fired = false;
}

static inline void turn(void)
{
	for (int i = 0; i < 10; i++)
		(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static inline uint16_t listen_tcp(void)
{
	const struct es_net_address address = {.host = "127.0.0.1"};
	struct es_net_listener *listener;
	char errmsg[200] = "";
	uint16_t port;
	int rc = es_net_listen(net, &address, on_accepted, NULL, &listener, &port, errmsg,
			       sizeof(errmsg));

	if (rc < 0)
		fail_msg("%s", errmsg);
	assert_true(port > 0);
	return port;
}

static inline int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn();
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	turn();
}

/* What has come: "" for nothing, "(end)" at the end, "(reset)". Valid until the next call. */
static inline const char *hear(int fd)
{
	static char text[1000];
	ssize_t len;

	turn();
	len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (len == 0)
		return "(end)";
	if (len < 0)
		return errno == EAGAIN ? "" : "(reset)";
	text[len] = '\0';
	return text;
}

static inline struct es_net_stats stats(void)
{
	struct es_net_stats got;

	es_net_get_stats(net, &got);
	return got;
}

#endif
