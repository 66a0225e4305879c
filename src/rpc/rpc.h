#ifndef ES_RPC_RPC_H
#define ES_RPC_RPC_H

#include "base/env.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

/*
 * A gRPC server (unary, server-streaming and bidirectional calls over HTTP/2), and plain HTTP
 * handlers served through HTTP/1.1 and HTTP/2 on the same port. Loop thread only; one server may
 * have many listeners (src/net/net.h) and connections. Sources: RFC 9113, the gRPC HTTP/2 protocol
 * description (PROTOCOL-HTTP2.md of gRPC).
 *
 * The process must ignore SIGPIPE.
 *
 * What one connection may hold (Q is `conn_queue_bytes_max`):
 * - Answers that the socket does not take: above Q the connection is not read from.
 * - Answers that the client's HTTP/2 windows hold back. Of unary and server-streaming calls: whole
 *   requests wait, unread by any handler, while Q is taken by what is queued, by the arenas of
 *   answered calls, and by the answers of up to 1,024 begun calls, each counted as the mean of
 *   those before it. Of bidirectional calls: one that has Q/4 is not read further, nor is any while
 *   all together have 4 Q; those that send by themselves have to ask es_rpc_is_congested.
 *   As the answers of begun calls can be larger than those before, and may all be made at once,
 *   those above 64 KiB are refused (RESOURCE_EXHAUSTED) while 16 Q are queued. One answer alone
 *   may be as large as gRPC lets it be.
 * - Requests: one message is at most `recv_message_bytes_max`; all that the unfinished calls of a
 *   connection hold is at most about `conn_request_bytes_max`, then new streams are refused.
 * - Streams, header sizes, resets, pings, control frames and idle time have limits of their own.
 *   Clients that abuse them get GOAWAY with ENHANCE_YOUR_CALM, and a line in the log.
 */
struct uv_loop_s;
struct es_rpc_server;
struct es_rpc_call;

struct es_rpc_config {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	struct uv_loop_s *loop;
	uint32_t max_concurrent_streams; /* etcd's default is 4294967295 */
	size_t recv_message_bytes_max;   /* max-request-bytes + 512 KiB */
	size_t conn_queue_bytes_max;     /* e.g. 4 MiB */
	size_t conn_request_bytes_max;   /* 0: 64 MiB */
	/* --grpc-keepalive-min-time (5 s): pings more often are abuse */
	uint64_t keepalive_min_time_ms;
	/* --grpc-keepalive-interval (2 h): we ping a silent client; 0: never */
	uint64_t keepalive_interval_ms;
	/* --grpc-keepalive-timeout (20 s): it has this long to answer */
	uint64_t keepalive_timeout_ms;
	/* What must be complete within this time (e.g. 30 s): an HTTP request, HTTP/2's preface and
	 * SETTINGS, the request message of a unary or server-streaming call. And how long an
	 * HTTP/1.1 connection may be idle. */
	uint64_t http1_idle_ms;
	uint64_t connections_max; /* more wait until one is gone (es_net_limit); 0: no limit */
};

int es_rpc_server_new(const struct es_rpc_config *config, struct es_rpc_server **ret_server);

/* ---- methods -------------------------------------------------------------------------- */

enum es_rpc_kind { ES_RPC_UNARY, ES_RPC_SERVER_STREAM, ES_RPC_BIDI };

/*
 * One gRPC method. All callbacks come from the loop.
 *
 * Unary and server-streaming: `message` is called once, with the whole request; the bytes live as
 * long as the call. Bidirectional: `opened` when the headers are in (optional), `message` for each
 * request message (bytes are valid during the callback), `half_closed` when the client will send no
 * more (optional).
 *
 * `closed` (optional) is called exactly once if `opened` or `message` was called and the handler
 * has not finished the call by then: the client cancelled, its connection broke, the deadline
 * passed or the server shuts down. After it only es_rpc_call_release may be used. It is not called
 * after es_rpc_finish.
 *
 * `writable` (optional): the call's queued bytes fell to `queue_low` after es_rpc_queued_bytes was
 * above it.
 */
struct es_rpc_method {
	const char *service; /* "etcdserverpb.KV" */
	const char *name;    /* "Range" */
	enum es_rpc_kind kind;
	void (*opened)(struct es_rpc_call *call);
	void (*message)(struct es_rpc_call *call, struct es_slice request);
	void (*half_closed)(struct es_rpc_call *call);
	void (*writable)(struct es_rpc_call *call);
	void (*closed)(struct es_rpc_call *call);
	/* Not bidirectional: answered when something else has happened, maybe by another call on the
	 * same connection, which must not wait for this one's (first) answer. */
	bool waits;
};

/* The table is borrowed for the server's life (static). `service_ctx` comes back from
 * es_rpc_call_ctx. ES_ENOMEM. */
int es_rpc_register(struct es_rpc_server *server, const struct es_rpc_method *methods, size_t count,
		    void *service_ctx);

/* grpc.reflection.v1 and v1alpha: lists what is registered, with the descriptors of proto/.
 * ES_ENOMEM. */
int es_rpc_register_reflection(struct es_rpc_server *server);

/*
 * The one place that every call passes: `start` may refuse it (a status < 0 and nothing else is
 * called; later issues put authentication and admission here), `finish` sees the outcome of every
 * started one. For metrics as well. Optional.
 */
struct es_rpc_hooks {
	int (*start)(void *ctx, struct es_rpc_call *call, const struct es_rpc_method *method);
	void (*message)(void *ctx, const struct es_rpc_method *method, bool received, size_t bytes);
	void (*finish)(void *ctx, const struct es_rpc_method *method, enum es_grpc_code code,
		       uint64_t duration_us);
	void *ctx;
};

void es_rpc_set_hooks(struct es_rpc_server *server, const struct es_rpc_hooks *hooks);

/* ---- a call --------------------------------------------------------------------------- */

void *es_rpc_call_ctx(const struct es_rpc_call *call); /* the service's */
const struct es_rpc_method *es_rpc_call_method(const struct es_rpc_call *call);
/* A pointer of the handler's own. */
void es_rpc_call_set_data(struct es_rpc_call *call, void *data);
void *es_rpc_call_data(const struct es_rpc_call *call);
/* Memory that lives exactly as long as the call. */
struct es_arena *es_rpc_call_arena(struct es_rpc_call *call);
/* Request metadata by lower-case name; false when absent. Lives as long as the call. */
bool es_rpc_call_metadata(const struct es_rpc_call *call, const char *name,
			  struct es_slice *ret_value);
/* Milliseconds of es_env.now_ms at which the client's deadline passes; UINT64_MAX: none. */
uint64_t es_rpc_call_deadline_ms(const struct es_rpc_call *call);

/* Keep the call's memory (arena, request, data) alive while an operation is under way, past
 * `closed` if need be. */
void es_rpc_call_hold(struct es_rpc_call *call);
void es_rpc_call_release(struct es_rpc_call *call);
/* `closed` was called, or the call is finished. */
bool es_rpc_call_is_closed(const struct es_rpc_call *call);

/*
 * Queue one answer message of exactly `size` bytes and return where to write it, at once and whole,
 * before anything else is called on this server. NULL: no memory, or too much is queued (the call
 * was failed with RESOURCE_EXHAUSTED), or the call is closed. Sent at the end of the loop turn,
 * with everything else of that connection, in as few writes as possible.
 */
uint8_t *es_rpc_send(struct es_rpc_call *call, size_t size);

/*
 * A message too large to be built at once. `size` is its exact length (below 4 GiB, asserted);
 * `produce` is called while the client takes bytes, for up to `cap` bytes at a time, and returns
 * how many it wrote (> 0 until all is written, then it is not called again; < 0, a status, resets
 * the stream). `done` exactly once, when it is no longer needed for whatever reason. Nothing may be
 * sent on the call while one is under way, but es_rpc_finish may be called and waits for it.
 */
struct es_rpc_body {
	uint64_t size;
	ptrdiff_t (*produce)(struct es_rpc_body *body, uint8_t *out, size_t cap);
	void (*done)(struct es_rpc_body *body);
};

/* On failure (ES_ENOMEM, ES_ECANCELED when closed) `done` has been called. */
int es_rpc_send_body(struct es_rpc_call *call, struct es_rpc_body *body);

/* Bytes queued on this call that the transport has not taken yet. */
size_t es_rpc_queued_bytes(const struct es_rpc_call *call);
/* The streams of the call's connection have too much queued, whoever of them: send nothing that can
 * wait. If so, `writable` comes when that has changed. For bidirectional calls. */
bool es_rpc_is_congested(struct es_rpc_call *call);
/* `writable` comes when queued bytes fall to this; default 64 KiB. */
void es_rpc_set_queue_low(struct es_rpc_call *call, size_t bytes);

/* End the call with trailers. `message` (may be NULL) is UTF-8, percent-encoded on the way out,
 * copied. Does nothing on a closed call. */
void es_rpc_finish(struct es_rpc_call *call, enum es_grpc_code code, const char *message);
/* The same from a status: its gRPC code and text; ES_OK is success. */
void es_rpc_finish_status(struct es_rpc_call *call, int status);

/*
 * Give up an answer that the client does not take, also after es_rpc_finish: the stream is reset
 * and what was on its way is dropped. gRPC clients are told RESOURCE_EXHAUSTED. `closed` comes if
 * the call was not finished. The body's `done` comes when the stream is gone; until then `produce`
 * may be called, and must fail if it can make no more bytes.
 */
void es_rpc_abort(struct es_rpc_call *call);

/* ---- plain HTTP ----------------------------------------------------------------------- */

struct es_http_request;

struct es_http_handler {
	const char *path; /* "/health"; with `prefix` also everything below it ("/livez" +
			     "/livez/ping") */
	bool prefix;
	bool post; /* POST only; without it GET and HEAD only. Others are answered with 405 */
	bool any;  /* every method; `post` does not matter then */
	/* Must answer, at once or later, exactly once. */
	void (*handle)(void *ctx, struct es_http_request *request);
	/* Instead, what was refused before `handle` could see it: too large a body, broken HTTP.
	 * Must answer at once, with this HTTP status. NULL: the status and its name are answered as
	 * text. */
	void (*refuse)(void *ctx, struct es_http_request *request, int status);
};

int es_http_register(struct es_rpc_server *server, const struct es_http_handler *handlers,
		     size_t count, void *ctx);

struct es_slice es_http_path(
	const struct es_http_request *request); /* without the query, percent-decoded */
/* The n-th value (from 0) of a query parameter, decoded; false when there is none. */
bool es_http_query(const struct es_http_request *request, const char *name, size_t n,
		   struct es_slice *ret_value);
bool es_http_header(const struct es_http_request *request, const char *name,
		    struct es_slice *ret_value);
struct es_slice es_http_body(const struct es_http_request *request);
struct es_arena *es_http_arena(struct es_http_request *request);
/* The client is gone: answering is still allowed and does nothing. */
void es_http_respond(struct es_http_request *request, int status, const char *content_type,
		     struct es_slice body);

/* ---- life ----------------------------------------------------------------------------- */

/* Which faces a listener shows: --listen-client-http-urls splits them, --listen-metrics-urls is
 * HTTP with few handlers. */
enum es_rpc_faces { ES_RPC_FACE_GRPC = 1, ES_RPC_FACE_HTTP = 2 };

struct es_rpc_listen {
	const char *host;      /* a numeric address or a name; NULL for a unix socket */
	uint16_t port;         /* 0: any free one */
	const char *unix_path; /* an abandoned socket file is replaced, a served one is an error */
	unsigned faces;        /* of es_rpc_faces */
	/* NULL: all registered HTTP handlers; else only those whose path is in this NULL-terminated
	 * list. */
	const char *const *http_paths;
	bool reuse_port;
};

/* Bind and accept. *ret_port is the bound port (0 for unix). `errmsg` says what failed, for which
 * address. */
int es_rpc_server_listen(struct es_rpc_server *server, const struct es_rpc_listen *listen,
			 uint16_t *ret_port, char *errmsg, size_t errmsg_size);

/*
 * Stop: close listeners, GOAWAY to every connection, let running unary calls end for up to
 * `grace_ms` while streams are finished with UNAVAILABLE (behind what is queued on them; one that is
 * within a body is reset with INTERNAL_ERROR), then close what is left and call
 * `stopped` from the loop. Again with grace_ms 0: at once.
 */
void es_rpc_server_stop(struct es_rpc_server *server, uint64_t grace_ms, void (*stopped)(void *ctx),
			void *ctx);
/* After `stopped`. Calls still held must be released before. */
void es_rpc_server_free(struct es_rpc_server *server);

struct es_rpc_stats {
	uint64_t connections_open, connections_total;
	uint64_t bytes_received, bytes_sent;
	uint64_t bytes_queued;
};

void es_rpc_get_stats(const struct es_rpc_server *server, struct es_rpc_stats *ret_stats);

#endif
