#ifndef ES_NET_TRANSPORT_H
#define ES_NET_TRANSPORT_H

#include "net/net.h"

/*
 * What stands between a socket and a protocol. Plain connections hand the bytes through; TLS will
 * turn ciphertext into plaintext and back here, with its state in `transport_ctx`. Private to
 * src/net.
 */
struct es_net_transport {
	/* Bytes from the socket: zero or more calls of es_net_deliver. < 0: the connection is
	 * closed. */
	int (*received)(struct es_net_conn *conn, const uint8_t *data, size_t len);
	/* Bytes for the socket, at most `cap` (>= ES_NET_PRODUCE_MIN); calls es_net_collect for the
	 * protocol's. */
	size_t (*produce)(struct es_net_conn *conn, uint8_t *out, size_t cap);
};

extern const struct es_net_transport es_net_plain;

/* The protocol's two sides, for transports. */
void es_net_deliver(struct es_net_conn *conn, const uint8_t *data, size_t len);
size_t es_net_collect(struct es_net_conn *conn, uint8_t *out, size_t cap);

#endif
