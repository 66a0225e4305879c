#ifndef ES_NET_NET_H
#define ES_NET_NET_H

#include "base/mem.h"
#include "base/status.h"

/*
 * Listeners and byte connections over libuv: TCP (IPv4 and IPv6) and unix sockets. Loop thread
 * only.
 *
 * What a protocol does is bytes in (`received`) and bytes out (`produce`); it never sees a socket.
 * All connections of a loop share one receive and one send buffer, so an idle connection costs its
 * handle and little more. Bytes go out at the end of the loop turn in which es_net_conn_flush was
 * called, with one write per connection; a peer that does not take them holds up only its own
 * connection: `produce` is not called again until it did.
 *
 * Between the socket and the protocol stands a transport (src/net/transport.h): the place for TLS.
 */
struct uv_loop_s;
struct es_net;
struct es_net_listener;
struct es_net_conn;

/* `produce` is always given at least this much room. */
#define ES_NET_PRODUCE_MIN ((size_t)32 * 1024)

/* `loop` and `mem` are borrowed. ES_ENOMEM, ES_EIO. */
int es_net_new(struct uv_loop_s *loop, const struct es_mem *mem, struct es_net **ret_net);

/*
 * Close every listener and connection (their `closed` comes), then the net itself, and call
 * `closed` from the loop; `net` is gone by then. Once.
 */
void es_net_close(struct es_net *net, void (*closed)(void *ctx), void *ctx);

/* At most so many connections at a time; more wait in the backlogs of their listeners until one is
 * gone, the listeners taking turns. 0, as at the beginning: as many as come. */
void es_net_limit(struct es_net *net, uint64_t connections_max);

struct es_net_address {
	const char *host; /* numeric or a name (IPv4 is preferred); NULL, "", "0.0.0.0", "::": every
			     address */
	uint16_t port;    /* 0: any free one */
	const char *unix_path; /* not NULL: a unix socket instead; an abandoned one is replaced */
	bool reuse_port;
};

/*
 * Bind and listen; TCP with SO_REUSEADDR, as everybody expects of a server that restarts. `accepted`
 * is called for each connection and must start or close it before it returns. *ret_port is what was
 * bound (0 for unix). ES_EBUSY: in use; ES_EINVAL: not an address; ES_EIO; ES_ENOMEM; `errmsg` names
 * the address and the reason.
 */
int es_net_listen(struct es_net *net, const struct es_net_address *address,
		  void (*accepted)(void *ctx, struct es_net_conn *conn), void *ctx,
		  struct es_net_listener **ret_listener, uint16_t *ret_port, char *errmsg,
		  size_t errmsg_size);

/* Accept no more; the listener's memory goes by itself. */
void es_net_listener_close(struct es_net_listener *listener);

struct es_net_protocol {
	/* Bytes came; valid during the call. */
	void (*received)(void *ctx, const uint8_t *data, size_t len);
	/* The peer will send no more. */
	void (*ended)(void *ctx);
	/* Write up to `cap` bytes to `out` and return how many; 0: nothing to send now. */
	size_t (*produce)(void *ctx, uint8_t *out, size_t cap);
	/* The last call, from the loop, whoever closed. The connection is gone after it. */
	void (*closed)(void *ctx);
};

/* Begin to read. `protocol` is borrowed for the connection's life. */
void es_net_conn_start(struct es_net_conn *conn, const struct es_net_protocol *protocol, void *ctx);

/* There is something to produce: at the end of this loop turn. Cheap, and may be called as often as
 * one likes. */
void es_net_conn_flush(struct es_net_conn *conn);

/* Stop reading (the peer feels it through TCP), and go on. */
void es_net_conn_pause(struct es_net_conn *conn);
void es_net_conn_resume(struct es_net_conn *conn);

/* Send what there is, close our side, and drop whatever still comes until the peer closes too, or a
 * second passed, so that it can read our last words. No more `received` or `ended`. */
void es_net_conn_finish(struct es_net_conn *conn);

/* Close at once, unsent bytes are lost. `closed` comes later, from the loop. */
void es_net_conn_close(struct es_net_conn *conn);

/* Bytes that were produced and that the socket has not taken. */
size_t es_net_conn_queued(const struct es_net_conn *conn);

/* "192.0.2.1:4711", "[::1]:4711", or "@" for a unix socket. */
#define ES_NET_PEER_MAX 64
void es_net_conn_peer(const struct es_net_conn *conn, char ret_peer[ES_NET_PEER_MAX]);

struct es_net_stats {
	uint64_t connections_open, connections_total;
	uint64_t bytes_received, bytes_sent;
	uint64_t bytes_queued;
};

void es_net_get_stats(const struct es_net *net, struct es_net_stats *ret_stats);

#endif
