#ifndef ES_CTL_CLIENT_H
#define ES_CTL_CLIENT_H

#include "base/mem.h"
#include "base/status.h"

/*
 * A small blocking client of the API: unary and server-streaming gRPC calls over one plain
 * HTTP/2 connection, one at a time, and a plain GET. Nothing here is thread-safe.
 */
struct es_client;

#define ES_CLIENT_TEXT_MAX     256
#define ES_CLIENT_ENDPOINT_MAX 300

struct es_client_result {
	enum es_grpc_code code;
	char text[ES_CLIENT_TEXT_MAX]; /* the server's words, or what went wrong on the way */
};

/* One of the forms below, with a port from 1 to 65535, or none for 2379. */
bool es_client_is_endpoint(const char *text);

/*
 * Connect to "host:port", "http://host:port" or "unix:///path"; of several addresses each has a
 * share of the time. ES_EINVAL: not an endpoint; ES_EIO, ES_ETIMEOUT; ES_ENOMEM; with a text.
 */
int es_client_open(const struct es_mem *mem, const char *endpoint, uint64_t timeout_ms,
		   struct es_client **ret_client, char *errmsg, size_t errmsg_size);
/* NULL is allowed. */
void es_client_close(struct es_client *client);

/* CLOCK_MONOTONIC. */
uint64_t es_client_now_ms(void);
/* How long the next of `left` attempts may take, that the others have their turn before the deadline. */
uint64_t es_client_share_ms(uint64_t deadline_ms, size_t left);

/*
 * Call `method` ("/etcdserverpb.KV/Range") and hand every answer message, borrowed during the
 * call, to `message`. An error from `message` ends the call and is returned.
 *
 * 0: the server ended the call, *ret_result says how. ES_EIO, ES_ETIMEOUT, ES_EDECODE,
 * ES_ENOMEM: it did not, the text says why, and the client can only be closed.
 */
int es_client_call(struct es_client *client, const char *method, struct es_slice request,
		   uint64_t timeout_ms, int (*message)(void *arg, struct es_slice message),
		   void *arg, struct es_client_result *ret_result);

/* The same without an end, as long as something comes: ES_ETIMEOUT when nothing did for `silence_ms`. */
int es_client_stream(struct es_client *client, const char *method, struct es_slice request,
		     uint64_t silence_ms, int (*message)(void *arg, struct es_slice message),
		     void *arg, struct es_client_result *ret_result);

/*
 * GET `path` over HTTP/1.1, on a connection of its own. The body, at most 1 MiB, is appended to
 * `ret_body`; *ret_status is HTTP's. ES_EINVAL, ES_EIO, ES_ETIMEOUT, ES_EDECODE, ES_ENOMEM.
 */
struct es_buf;
int es_client_get(const struct es_mem *mem, const char *endpoint, const char *path,
		  uint64_t timeout_ms, int *ret_status, struct es_buf *ret_body);

#endif
