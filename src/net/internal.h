#ifndef ES_NET_INTERNAL_H
#define ES_NET_INTERNAL_H

#include <uv.h>

#include "base/queue.h"
#include "net/net.h"
#include "net/transport.h"

/* Private to src/net. */

/* The two buffers that all connections of a loop share. */
#define ES_NET_IN_BYTES  ((size_t)128 * 1024)
#define ES_NET_OUT_BYTES ((size_t)256 * 1024)

struct es_net {
	uv_loop_t *loop;
	const struct es_mem *mem;
	uint8_t *in;  /* what is being received */
	uint8_t *out; /* what is being sent */
	struct es_queue conns;
	struct es_queue listeners;
	struct es_queue dirty;     /* connections to flush at the end of the turn */
	struct es_queue lingering; /* oldest first */
	uv_prepare_t prepare;
	uv_idle_t idle;
	uv_timer_t linger;
	unsigned handles_open;
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
	struct es_net_stats stats;
	uint64_t connections_max; /* 0: no limit */
};

union es_net_handle {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct es_net_listener {
	struct es_net *net;
	struct es_queue link;
	union es_net_handle h;
	bool is_unix;
	bool waiting; /* a connection could not be accepted for want of memory, or room */
	void (*accepted)(void *ctx, struct es_net_conn *conn);
	void *ctx;
};

enum es_net_conn_state {
	ES_NET_OPEN,
	ES_NET_FINISHING, /* what is produced still goes out */
	ES_NET_LINGERING, /* our side is shut down */
	ES_NET_CLOSING,
};

struct es_net_conn {
	struct es_net *net;
	struct es_queue link;
	struct es_queue dirty_link;
	struct es_queue linger_link;
	union es_net_handle h;
	bool is_unix;
	bool reading;
	bool ended; /* the peer sent its last */
	enum es_net_conn_state state;
	uint64_t linger_until_ms;
	const struct es_net_transport *transport;
	void *transport_ctx;
	const struct es_net_protocol *protocol;
	void *ctx;
	uv_write_t write;
	uv_shutdown_t shutdown;
	uint8_t *unsent; /* owned by the write under way; NULL: none is */
	size_t unsent_bytes;
};

/* conn.c. ES_ENOMEM, ES_EBUSY: nothing was accepted, try again. libuv takes no other connection from
 * this listener until then. */
int es_net_conn_accept(struct es_net_listener *listener);
void es_net_conn_flush_now(struct es_net_conn *conn);

/* net.c */
void es_net_wake(struct es_net *net); /* the list of dirty connections is not empty any more */
void es_net_handle_closed(struct es_net *net);

#endif
