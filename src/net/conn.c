/*
 * Connections.
 *
 * Sending: `produce` fills the shared buffer, uv_try_write hands it to the socket. What the socket
 * does not take is copied to a buffer of its own for uv_write, and nothing more is produced until
 * that is through: a slow peer holds at most one send buffer here, everything else waits in its
 * protocol, which counts it.
 *
 * Closing:  OPEN -> FINISHING (sending the rest) -> LINGERING (our side is shut down, input is
 * dropped) -> CLOSING. Every state can go to CLOSING at once. Lingering lets the peer read our last
 * words: closing a socket with unread input makes the kernel send a reset, which may overtake them.
 */
#include "net/internal.h"

#include <arpa/inet.h>
#include <stdio.h>

/* What one connection may send in one turn before the others get theirs. */
#define FLUSH_BYTES_MAX ((size_t)4 * ES_NET_OUT_BYTES)
#define LINGER_MS       1000
#define TCP_KEEPALIVE_S 30

static int plain_received(struct es_net_conn *conn, const uint8_t *data, size_t len)
{
	es_net_deliver(conn, data, len);
	return 0;
}

static size_t plain_produce(struct es_net_conn *conn, uint8_t *out, size_t cap)
{
	return es_net_collect(conn, out, cap);
}

const struct es_net_transport es_net_plain = {plain_received, plain_produce};

void es_net_deliver(struct es_net_conn *conn, const uint8_t *data, size_t len)
{
	if (conn->state == ES_NET_OPEN)
		conn->protocol->received(conn->ctx, data, len);
}

size_t es_net_collect(struct es_net_conn *conn, uint8_t *out, size_t cap)
{
	return conn->protocol->produce(conn->ctx, out, cap);
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct es_net_conn *conn = handle->data;
	struct es_net *net = conn->net;

	es_queue_remove(&conn->link);
	net->stats.connections_open--;
	if (conn->protocol != NULL)
		conn->protocol->closed(conn->ctx);
	ES_ASSERT(conn->unsent == NULL); /* libuv ends a write before it closes its stream */
	es_free(net->mem, conn);
	es_net_handle_closed(net);
}

void es_net_conn_close(struct es_net_conn *conn)
{
	if (conn->state == ES_NET_CLOSING)
		return;
	conn->state = ES_NET_CLOSING;
	es_queue_remove(&conn->dirty_link);
	es_queue_remove(&conn->linger_link);
	uv_close(&conn->h.handle, on_conn_closed);
}

void es_net_conn_flush(struct es_net_conn *conn)
{
	struct es_net *net = conn->net;

	if (conn->state >= ES_NET_LINGERING || !es_queue_empty(&conn->dirty_link))
		return;
	if (es_queue_empty(&net->dirty))
		es_net_wake(net);
	es_queue_push(&net->dirty, &conn->dirty_link);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		es_net_conn_close(req->handle->data);
}

static void shut_down(struct es_net_conn *conn)
{
	conn->state = ES_NET_LINGERING;
	if (conn->ended) {
		es_net_conn_close(conn);
		return;
	}
	if (uv_shutdown(&conn->shutdown, &conn->h.stream, on_shutdown) < 0)
		es_net_conn_close(conn);
}

static void on_written(uv_write_t *req, int status)
{
	struct es_net_conn *conn = req->handle->data;

	es_free(conn->net->mem, conn->unsent);
	conn->unsent = NULL;
	conn->net->stats.bytes_queued -= conn->unsent_bytes;
	if (status == 0)
		conn->net->stats.bytes_sent += conn->unsent_bytes;
	conn->unsent_bytes = 0;
	if (conn->state == ES_NET_CLOSING)
		return;
	if (status < 0)
		es_net_conn_close(conn);
	else
		es_net_conn_flush(conn);
}

/* The socket did not take `bytes`: they become a write of their own. */
static void write_rest(struct es_net_conn *conn, const uint8_t *bytes, size_t len)
{
	uv_buf_t buf;

	conn->unsent = es_alloc(conn->net->mem, len);
	if (conn->unsent == NULL) {
		es_net_conn_close(conn);
		return;
	}
	memcpy(conn->unsent, bytes, len);
	conn->unsent_bytes = len;
	buf = uv_buf_init((char *)conn->unsent, (unsigned)len);
	conn->net->stats.bytes_queued += len;
	if (uv_write(&conn->write, &conn->h.stream, &buf, 1, on_written) < 0) {
		conn->net->stats.bytes_queued -= len;
		conn->unsent_bytes = 0;
		es_free(conn->net->mem, conn->unsent);
		conn->unsent = NULL;
		es_net_conn_close(conn);
	}
}

/* false: not everything went out, or the connection is closing. */
static bool send_some(struct es_net_conn *conn, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)conn->net->out, (unsigned)len);
	int sent = uv_try_write(&conn->h.stream, &buf, 1);

	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0) {
		es_net_conn_close(conn);
		return false;
	}
	conn->net->stats.bytes_sent += (size_t)sent;
	if ((size_t)sent == len)
		return true;
	write_rest(conn, conn->net->out + sent, len - (size_t)sent);
	return false;
}

void es_net_conn_flush_now(struct es_net_conn *conn)
{
	size_t total = 0;
	size_t len;

	if (conn->unsent != NULL || conn->state >= ES_NET_LINGERING)
		return; /* on_written comes back */
	while (total < FLUSH_BYTES_MAX) {
		len = conn->transport->produce(conn, conn->net->out, ES_NET_OUT_BYTES);
		if (conn->state == ES_NET_CLOSING)
			return;
		if (len == 0) {
			if (conn->state == ES_NET_FINISHING)
				shut_down(conn);
			return;
		}
		if (!send_some(conn, len))
			return;
		total += len;
	}
	es_net_conn_flush(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct es_net_conn *conn = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)conn->net->in, (unsigned)ES_NET_IN_BYTES);
}

static void end_of_input(struct es_net_conn *conn, int reason)
{
	conn->ended = true;
	conn->reading = false;
	if (reason != UV_EOF || conn->state == ES_NET_LINGERING)
		es_net_conn_close(conn);
	else if (conn->state == ES_NET_OPEN)
		conn->protocol->ended(conn->ctx);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct es_net_conn *conn = stream->data;

	if (nread == 0 || conn->state == ES_NET_CLOSING)
		return;
	if (nread < 0) {
		end_of_input(conn, (int)nread);
		return;
	}
	conn->net->stats.bytes_received += (size_t)nread;
	if (conn->state != ES_NET_OPEN)
		return; /* dropped */
	if (conn->transport->received(conn, (const uint8_t *)buf->base, (size_t)nread) < 0)
		es_net_conn_close(conn);
}

static void read_start(struct es_net_conn *conn)
{
	if (conn->reading || conn->ended || conn->state == ES_NET_CLOSING)
		return;
	conn->reading = true;
	if (uv_read_start(&conn->h.stream, on_alloc, on_read) < 0)
		es_net_conn_close(conn);
}

void es_net_conn_start(struct es_net_conn *conn, const struct es_net_protocol *protocol, void *ctx)
{
	conn->protocol = protocol;
	conn->ctx = ctx;
	read_start(conn);
}

void es_net_conn_pause(struct es_net_conn *conn)
{
	if (conn->state != ES_NET_OPEN || !conn->reading)
		return;
	conn->reading = false;
	uv_read_stop(&conn->h.stream);
}

void es_net_conn_resume(struct es_net_conn *conn)
{
	if (conn->state == ES_NET_OPEN)
		read_start(conn);
}

static void on_linger(uv_timer_t *timer)
{
	struct es_net *net = timer->data;
	uint64_t now_ms = uv_now(net->loop);

	while (!es_queue_empty(&net->lingering)) {
		struct es_net_conn *conn = ES_QUEUE_ITEM(net->lingering.next, struct es_net_conn,
							 linger_link);

		if (conn->linger_until_ms > now_ms) {
			uv_timer_start(timer, on_linger, conn->linger_until_ms - now_ms, 0);
			return;
		}
		es_net_conn_close(conn);
	}
}

void es_net_conn_finish(struct es_net_conn *conn)
{
	struct es_net *net = conn->net;

	if (conn->state != ES_NET_OPEN)
		return;
	es_net_conn_flush(conn);
	conn->state = ES_NET_FINISHING;
	conn->linger_until_ms = uv_now(net->loop) + LINGER_MS;
	if (es_queue_empty(&net->lingering) && !net->closing)
		uv_timer_start(&net->linger, on_linger, LINGER_MS, 0);
	es_queue_push(&net->lingering, &conn->linger_link);
	read_start(conn); /* a paused peer must be able to tell that it is done */
}

size_t es_net_conn_queued(const struct es_net_conn *conn)
{
	return conn->unsent_bytes;
}

void es_net_conn_peer(const struct es_net_conn *conn, char ret_peer[ES_NET_PEER_MAX])
{
	struct sockaddr_storage address;
	int len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";

	if (conn->is_unix ||
	    uv_tcp_getpeername(&conn->h.tcp, (struct sockaddr *)&address, &len) < 0) {
		snprintf(ret_peer, ES_NET_PEER_MAX, "@");
	} else if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;

		uv_ip6_name(in6, host, sizeof(host));
		snprintf(ret_peer, ES_NET_PEER_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&address;

		uv_ip4_name(in, host, sizeof(host));
		snprintf(ret_peer, ES_NET_PEER_MAX, "%s:%u", host, ntohs(in->sin_port));
	}
}

static void init_handle(struct es_net_conn *conn)
{
	uv_loop_t *loop = conn->net->loop;
	int rc = conn->is_unix ? uv_pipe_init(loop, &conn->h.pipe, 0)
			       : uv_tcp_init(loop, &conn->h.tcp);

	ES_ASSERT(rc == 0); /* neither opens anything */
	conn->h.handle.data = conn;
}

int es_net_conn_accept(struct es_net_listener *listener)
{
	struct es_net *net = listener->net;
	struct es_net_conn *conn;

	if (net->connections_max > 0 && net->stats.connections_open >= net->connections_max)
		return ES_EBUSY;
	conn = es_calloc(net->mem, 1, sizeof(*conn));
	if (conn == NULL)
		return ES_ENOMEM;
	conn->net = net;
	conn->is_unix = listener->is_unix;
	conn->transport = &es_net_plain;
	es_queue_init(&conn->dirty_link);
	es_queue_init(&conn->linger_link);
	init_handle(conn);
	net->handles_open++;
	net->stats.connections_open++;
	net->stats.connections_total++;
	es_queue_push(&net->conns, &conn->link);
	if (uv_accept(&listener->h.stream, &conn->h.stream) < 0) {
		es_net_conn_close(conn);
		return 0;
	}
	if (!conn->is_unix) {
		/* Without them the connection still works. */
		uv_tcp_nodelay(&conn->h.tcp, 1);
		uv_tcp_keepalive(&conn->h.tcp, 1, TCP_KEEPALIVE_S);
	}
	listener->accepted(listener->ctx, conn);
	return 0;
}
