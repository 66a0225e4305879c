/*
 * A connection: bytes in, bytes out, with HTTP/2 behind its preface and HTTP/1.1 behind anything
 * else.
 *
 * Reading stops while more than conn_queue_bytes_max waits to be sent, until the socket asks for
 * more. That it asks proves that the client takes bytes. What it does not take for want of HTTP/2
 * window does not keep the reading stopped: the WINDOW_UPDATE that would help has to be read.
 *
 * A finished connection stays until the peer has closed its side too, so that it can read our last
 * words; src/net sees to it that this ends. When the server stops, it does not wait as long for
 * peers that had nothing to hear but that we go.
 */
#include "rpc/internal.h"

#define IDLE_LINGER_MS 200

static uint64_t read_clock(struct es_rpc_server *server)
{
	server->now_ms = server->config.env->now_ms(server->config.env->ctx);
	return server->now_ms;
}

int es_rpc_conn_new(struct es_rpc_server *server, const struct es_rpc_face *face,
		    struct es_net_conn *net, struct es_rpc_conn **ret_conn)
{
	struct es_rpc_conn *conn = es_calloc(server->mem, 1, sizeof(*conn));

	if (conn == NULL)
		return ES_ENOMEM;
	conn->server = server;
	conn->face = face;
	conn->net = net;
	conn->opened_ms = read_clock(server);
	conn->received_ms = conn->opened_ms;
	es_queue_push(&server->conns, &conn->link);
	*ret_conn = conn;
	return 0;
}

void es_rpc_conn_free(struct es_rpc_conn *conn)
{
	struct es_rpc_server *server = conn->server;

	conn->life = ES_CONN_BROKEN;
	conn->net = NULL;
	es_queue_remove(&conn->link);
	if (conn->protocol != NULL)
		conn->protocol->free(conn->state);
	es_free(server->mem, conn);
	es_gateway_sweep(server);
	es_rpc_conn_gone(server);
}

void es_rpc_conn_wake(struct es_rpc_conn *conn)
{
	if (conn->net != NULL && conn->life != ES_CONN_BROKEN)
		es_net_conn_flush(conn->net);
}

void es_rpc_conn_finish(struct es_rpc_conn *conn)
{
	if (conn->life != ES_CONN_OPEN)
		return;
	conn->life = ES_CONN_FINISHED;
	conn->finished_ms = conn->server->now_ms;
	if (conn->net != NULL)
		es_net_conn_finish(conn->net);
}

void es_rpc_conn_break(struct es_rpc_conn *conn)
{
	if (conn->life == ES_CONN_BROKEN)
		return;
	conn->life = ES_CONN_BROKEN;
	if (conn->net != NULL)
		es_net_conn_close(conn->net);
}

static size_t unsent(const struct es_rpc_conn *conn)
{
	size_t of_net = conn->net == NULL ? 0 : es_net_conn_queued(conn->net);

	return of_net + conn->protocol->queued(conn->state);
}

static void balance(struct es_rpc_conn *conn)
{

	if (conn->net == NULL || conn->protocol == NULL || conn->paused ||
	    conn->life != ES_CONN_OPEN)
		return;
	if (unsent(conn) <= conn->server->config.conn_queue_bytes_max)
		return;
	conn->paused = true;
	es_net_conn_pause(conn->net);
	es_net_conn_flush(conn->net);
}

void es_rpc_conn_block(struct es_rpc_conn *conn, bool blocked)
{
	if (conn->blocked == blocked)
		return;
	conn->blocked = blocked;
	if (conn->net == NULL || conn->paused)
		return;
	if (blocked)
		es_net_conn_pause(conn->net);
	else
		es_net_conn_resume(conn->net);
}

static bool speak(struct es_rpc_conn *conn, const struct es_rpc_protocol *protocol)
{
	if (protocol->open(conn, &conn->state) < 0) {
		es_rpc_conn_break(conn);
		return false;
	}
	conn->protocol = protocol;
	if (conn->server->stopping)
		es_rpc_conn_drain(conn);
	return true;
}

/* What protocol is it? Hands the bytes on once it is known. */
static void sniff(struct es_rpc_conn *conn, const uint8_t *data, size_t len)
{
	static const uint8_t preface[] = NGHTTP2_CLIENT_MAGIC;
	size_t left = NGHTTP2_CLIENT_MAGIC_LEN - conn->preface_len;
	size_t n = len < left ? len : left;
	uint8_t seen = conn->preface_len;

	if (memcmp(data, preface + seen, n) == 0) {
		conn->preface_len = (uint8_t)(seen + n);
		if (conn->preface_len == NGHTTP2_CLIENT_MAGIC_LEN && speak(conn, &es_rpc_h2) &&
		    len > n)
			conn->protocol->receive(conn->state, data + n, len - n);
		return;
	}
	if ((conn->face->faces & ES_RPC_FACE_HTTP) == 0) {
		es_rpc_conn_break(conn);
		return;
	}
	if (!speak(conn, &es_rpc_http1))
		return;
	if (seen > 0)
		conn->protocol->receive(conn->state, preface, seen);
	if (conn->life == ES_CONN_OPEN)
		conn->protocol->receive(conn->state, data, len);
}

void es_rpc_conn_receive(struct es_rpc_conn *conn, const uint8_t *data, size_t len)
{
	if (conn->life != ES_CONN_OPEN || len == 0)
		return;
	conn->received_ms = read_clock(conn->server);
	if (conn->protocol == NULL)
		sniff(conn, data, len);
	else
		conn->protocol->receive(conn->state, data, len);
	balance(conn);
}

void es_rpc_conn_ended(struct es_rpc_conn *conn)
{
	if (conn->protocol == NULL)
		es_rpc_conn_break(conn);
	else if (conn->life == ES_CONN_OPEN)
		conn->protocol->ended(conn->state);
}

size_t es_rpc_conn_produce(struct es_rpc_conn *conn, uint8_t *out, size_t cap)
{
	es_gateway_sweep(conn->server);
	if (conn->paused) {
		conn->paused = false;
		if (!conn->blocked)
			es_net_conn_resume(conn->net);
	}
	if (conn->protocol == NULL || conn->life == ES_CONN_BROKEN)
		return 0;
	return conn->protocol->produce(conn->state, out, cap);
}

void es_rpc_conn_tick(struct es_rpc_conn *conn, uint64_t now_ms)
{
	if (conn->life == ES_CONN_FINISHED && conn->idle &&
	    now_ms - conn->finished_ms >= IDLE_LINGER_MS)
		es_rpc_conn_break(conn);
	if (conn->life != ES_CONN_OPEN)
		return;
	if (conn->protocol != NULL)
		conn->protocol->tick(conn->state, now_ms);
	else if (now_ms - conn->opened_ms >= conn->server->config.http1_idle_ms)
		es_rpc_conn_break(conn);
}

void es_rpc_conn_drain(struct es_rpc_conn *conn)
{
	if (conn->life != ES_CONN_OPEN)
		return;
	if (conn->protocol == NULL) {
		es_rpc_conn_break(conn);
		return;
	}
	conn->idle = unsent(conn) == 0;
	conn->protocol->drain(conn->state);
}

void es_rpc_conn_abandon(struct es_rpc_conn *conn)
{
	if (conn->life == ES_CONN_OPEN && conn->protocol != NULL)
		conn->protocol->abandon(conn->state);
	else if (conn->life == ES_CONN_OPEN)
		es_rpc_conn_break(conn);
}

/* ---- between the net and the connection ----------------------------------------------- */

static void net_received(void *ctx, const uint8_t *data, size_t len)
{
	es_rpc_conn_receive(ctx, data, len);
}

static void net_ended(void *ctx)
{
	es_rpc_conn_ended(ctx);
}

static size_t net_produce(void *ctx, uint8_t *out, size_t cap)
{
	return es_rpc_conn_produce(ctx, out, cap);
}

static void net_closed(void *ctx)
{
	es_rpc_conn_free(ctx);
}

const struct es_net_protocol es_rpc_net_protocol = {net_received, net_ended, net_produce,
						    net_closed};
