#ifndef TESTS_UNIT_RPC_PAIR_H
#define TESTS_UNIT_RPC_PAIR_H

#include <nghttp2/nghttp2.h>

#include "base/rng.h"
#include "rpc/internal.h"

/*
 * A server and a client of nghttp2 with nothing between them but memory: no sockets, no loop, and a
 * clock that the test turns. The server's memory is a struct es_fault_mem.
 */
#define PAIR_STREAMS 64
#define PAIR_CAP_MAX ((size_t)256 << 10)

struct pair_stream {
	int32_t id;
	char http_status[8];
	char grpc_status[8]; /* empty: there was none */
	char grpc_message[600];
	char content_type[64];
	struct es_buf body; /* all DATA, prefixes of messages included */
	unsigned data_frames;
	bool closed;
	uint32_t error_code; /* with which it closed */
	struct es_buf unsent;
	bool end_when_sent;
	bool deferred;
};

struct pair {
	struct es_fault_mem fault;
	uint64_t now_ms;
	struct es_env env;
	struct es_rpc_config config;
	struct es_rpc_server *server;
	struct es_rpc_face face;
	struct es_rpc_conn *conn;
	nghttp2_session *client;
	struct pair_stream streams[PAIR_STREAMS];
	size_t stream_count;
	bool goaway;
	uint32_t goaway_code;
	char goaway_text[64];
	unsigned pings_received, ping_acks;
	size_t server_bytes;    /* that the server sent */
	uint32_t client_window; /* initial window of the client's streams; 0: 64 KiB - 1 */
	size_t produce_cap;     /* what the server may send at a time; 0: another each time */
	struct es_rng rng;
};

/* Fills in `config`, which may be changed before pair_open. */
void pair_init(struct pair *pair, uint64_t fail_after);
/* The server; register on it before pair_connect. ES_ENOMEM. */
int pair_open(struct pair *pair);
int pair_connect(struct pair *pair);
/* Everything is freed, and nothing may be left. */
void pair_close(struct pair *pair);

/* The streams are over, and others take their places. */
void pair_forget(struct pair *pair);

/* Let bytes go both ways until nobody has any. */
void pair_pump(struct pair *pair);
/* Time passes, and is noticed. */
void pair_sleep(struct pair *pair, uint64_t ms);

struct pair_field {
	const char *name, *value;
};

/* A request with these fields (ends with a NULL name) in place of the usual ones of the same name.
 * `body` is sent as it is; `end`: and nothing after it. Returns the stream. */
struct pair_stream *pair_request(struct pair *pair, const char *path,
				 const struct pair_field *fields, struct es_slice body, bool end);
/* A gRPC call with one message, or none (NULL). */
struct pair_stream *pair_call(struct pair *pair, const char *path, const char *message);
void pair_send(struct pair *pair, struct pair_stream *stream, struct es_slice bytes, bool end);
void pair_send_message(struct pair *pair, struct pair_stream *stream, const char *message,
		       bool end);
void pair_reset(struct pair *pair, struct pair_stream *stream);

/* The n-th message of the answer as text, "" when there are fewer. Valid until the next call of it.
 */
const char *pair_message(const struct pair_stream *stream, size_t n);
size_t pair_message_count(const struct pair_stream *stream);

/* Methods of a service "t.S": Echo, Hang (unary), Bidi (echoes), Count (server stream). What the
 * handlers saw: */
struct pair_seen {
	unsigned opened, messages, half_closed, closed, writable, started, finished;
	enum es_grpc_code finish_code;
	uint64_t duration_us;
	int refuse;               /* the status that the hook `start` answers; 0: none */
	struct es_rpc_call *hung; /* of Hang and Bidi: the last call */
	bool hold;                /* Hang holds its calls */
	size_t sent_bytes, received_bytes;
};

extern struct pair_seen pair_seen;
int pair_register(struct pair *pair);

/* assert_* of cmocka for the common case. */
void pair_expect(const struct pair_stream *stream, const char *grpc_status,
		 const char *grpc_message);

#endif
