#ifndef ES_RPC_INTERNAL_H
#define ES_RPC_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/queue.h"
#include "base/table.h"
#include "net/net.h"
#include "rpc/pool.h"
#include "rpc/rpc.h"
#include "rpc/wheel.h"
#include "wire/grpc_frame.h"

/*
 * Private to src/rpc.
 *
 *   server.c      the server: registration, listeners, timers, stopping
 *   conn.c        a connection: which protocol it speaks; between the net and h2.c or http1.c: bytes in, bytes out
 *   h2.c          an HTTP/2 session over nghttp2, with its limits against abuse
 *   call.c        calls: their memory, life, and what handlers may do with them
 *   call_in.c     requests: header fields, messages
 *   call_out.c    answers: the queue of unsent bytes, header and trailer fields
 *   http.c        plain HTTP requests, whatever carries them
 *   http1.c       HTTP/1.1
 *   h2_http.c     plain requests on streams of HTTP/2
 *   gateway.c     calls that plain requests carry, with JSON for messages
 *   reflection.c  server reflection, a service like any other
 *   wheel.c       deadlines
 */
struct es_rpc_conn;
struct es_h2;
struct es_h2_http;
struct es_gateway;
struct es_gateway_call;

/* ---- server.c ------------------------------------------------------------------------- */

struct es_rpc_entry {
	struct es_table_node node; /* by path */
	const struct es_rpc_method *method;
	void *ctx;
	struct es_slice path; /* "/service/name" */
};

struct es_rpc_entries {
	struct es_rpc_entries *next;
	size_t count;
	struct es_rpc_entry entries[];
};

struct es_http_entry {
	struct es_http_entry *next;
	const struct es_http_handler *handler;
	void *ctx;
};

/* What a listener shows. */
struct es_rpc_face {
	unsigned faces;
	const char *const *http_paths;
};

/* Calls that are kept for the next ones. */
#define ES_FREE_CALLS_MAX 1024

struct es_out_chunk;

struct es_rpc_server {
	struct es_rpc_config config;
	const struct es_mem *mem;
	struct es_net *net; /* NULL without a loop */
	struct es_table methods;
	struct es_rpc_entries *method_blocks;
	struct es_http_entry *handlers;
	struct es_gateway *gateways;
	struct es_rpc_hooks hooks;
	nghttp2_session_callbacks *h2_callbacks;
	nghttp2_option *h2_options;
	nghttp2_mem h2_mem;
	struct es_queue listeners;
	struct es_queue conns;
	struct es_wheel deadlines;
	uint64_t now_ms; /* of this batch of input, or tick */
	/* Recycled memory: of nghttp2 and of answers; calls with the first chunk of their arena. */
	struct es_pool pool;
	struct es_rpc_call *free_calls;
	size_t free_call_count;
	size_t calls_live;                      /* not in the pool */
	struct es_rpc_call *gateway_calls_over; /* es_gateway_sweep gives them up */
	struct es_rpc_timers *timers;           /* NULL without a loop */
	bool stopping;
	bool grace_over;
	uint64_t grace_until_ms;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

const struct es_rpc_entry *es_rpc_find_method(const struct es_rpc_server *server,
					      struct es_slice path);
bool es_rpc_has_service(const struct es_rpc_server *server, struct es_slice service);
/* A deadline was added. */
void es_rpc_deadline_added(struct es_rpc_server *server, uint64_t due_ms);
/* Look at all connections and deadlines: what a timer does. */
void es_rpc_server_tick(struct es_rpc_server *server, uint64_t now_ms);
void es_rpc_conn_gone(struct es_rpc_server *server);

/* ---- conn.c --------------------------------------------------------------------------- */

/* A protocol on a connection. `state` is what `open` made. */
struct es_rpc_protocol {
	int (*open)(struct es_rpc_conn *conn, void **ret_state);
	void (*receive)(void *state, const uint8_t *data, size_t len);
	void (*ended)(void *state);
	size_t (*produce)(void *state, uint8_t *out, size_t cap); /* cap >= ES_NET_PRODUCE_MIN */
	void (*tick)(void *state, uint64_t now_ms);
	void (*drain)(void *state);    /* take no more requests; es_rpc_conn_finish when the running
					  ones are done */
	void (*abandon)(void *state);  /* the grace time is over */
	size_t (*queued)(void *state); /* bytes that only the socket holds back */
	void (*free)(void *state);
};

extern const struct es_rpc_protocol es_rpc_h2;
extern const struct es_rpc_protocol es_rpc_http1;

enum es_rpc_conn_state {
	ES_CONN_OPEN,
	ES_CONN_FINISHED, /* what is queued goes out, input is dropped */
	ES_CONN_BROKEN,   /* nothing goes either way */
};

struct es_rpc_conn {
	struct es_rpc_server *server;
	struct es_queue link;
	struct es_net_conn *net; /* NULL: somebody else moves the bytes */
	const struct es_rpc_face *face;
	const struct es_rpc_protocol *protocol; /* NULL: not known yet */
	void *state;
	enum es_rpc_conn_state life;
	bool paused;         /* too much is queued */
	bool blocked;        /* the protocol asked for it */
	uint8_t preface_len; /* bytes of HTTP/2's preface that were seen */
	uint64_t opened_ms;
	uint64_t received_ms; /* the last bytes */
	bool idle; /* nothing was under way when it was drained, and no request came since */
	uint64_t finished_ms; /* when es_rpc_conn_finish was called */
};

/* `net` may be NULL: then whoever made the connection calls receive and produce. */
int es_rpc_conn_new(struct es_rpc_server *server, const struct es_rpc_face *face,
		    struct es_net_conn *net, struct es_rpc_conn **ret_conn);
void es_rpc_conn_free(struct es_rpc_conn *conn);
void es_rpc_conn_receive(struct es_rpc_conn *conn, const uint8_t *data, size_t len);
void es_rpc_conn_ended(struct es_rpc_conn *conn);
size_t es_rpc_conn_produce(struct es_rpc_conn *conn, uint8_t *out, size_t cap);
void es_rpc_conn_tick(struct es_rpc_conn *conn, uint64_t now_ms);
void es_rpc_conn_drain(struct es_rpc_conn *conn);
void es_rpc_conn_abandon(struct es_rpc_conn *conn);
/* For protocols: there is something to send; send what there is and close; close at once. */
void es_rpc_conn_wake(struct es_rpc_conn *conn);
void es_rpc_conn_finish(struct es_rpc_conn *conn);
void es_rpc_conn_break(struct es_rpc_conn *conn);
/* Do not read, or read again. */
void es_rpc_conn_block(struct es_rpc_conn *conn, bool blocked);

extern const struct es_net_protocol es_rpc_net_protocol;

/* ---- h2.c ----------------------------------------------------------------------------- */

/* A rate limit: `tokens` refill to `burst` with `per_s`. */
struct es_h2_bucket {
	uint64_t milli_tokens;
	uint64_t at_ms;
};

struct es_h2 {
	struct es_rpc_conn *conn;
	struct es_rpc_server *server;
	nghttp2_session *session;
	struct es_queue calls;
	struct es_queue incomplete; /* calls whose one request message is not whole; oldest first */
	struct es_queue waiting; /* calls whose message is, until the answers before them are out */
	struct es_queue writable;  /* calls that sent enough for `writable`, or to go on reading */
	struct es_queue congested; /* those that wait for other streams to have sent enough */
	struct es_rpc_call *current; /* of the frame before this one */
	size_t call_count;
	size_t held_bytes;     /* of requests */
	size_t complete_count; /* calls that hold their whole request */
	size_t queued_bytes;   /* of answers */
	size_t streamed_bytes; /* of them those of bidirectional calls */
	size_t kept_bytes;     /* that answers need beside them, in arenas */
	size_t owed_count;     /* calls that were begun and have no answer yet */
	size_t answer_mean;    /* bytes; later ones count more */
	size_t fresh_bytes;    /* of queued_bytes those that came since the socket asked for some */
	size_t unconsumed_bytes; /* of the connection's window */
	uint8_t *out;            /* what produce is filling */
	size_t out_len, out_cap;
	bool out_full;
	const uint8_t *piece; /* nghttp2's, that did not fit into it */
	size_t piece_len;
	bool settled;    /* the client's SETTINGS came */
	bool terminated; /* our last GOAWAY is queued */
	bool draining;
	bool goaway_final;
	uint64_t drain_until_ms;
	struct es_h2_bucket resets;
	struct es_h2_bucket settings;
	/* pings */
	bool sent_since_ping; /* header or data frames of ours */
	unsigned ping_strikes;
	uint64_t pinged_ms;    /* when the client's last came; 0: none did */
	uint64_t ping_sent_ms; /* ours, unanswered; 0: none */
};

/* What all sessions of a server share. ES_ENOMEM; teardown copes with half of it. */
int es_h2_setup(struct es_rpc_server *server);
void es_h2_teardown(struct es_rpc_server *server);
/* nghttp2 said no: what that means for the connection. */
void es_h2_failed(struct es_h2 *h2, int rc);
/* End the connection with a GOAWAY. */
void es_h2_terminate(struct es_h2 *h2, uint32_t error_code, const char *reason);
/* A call's request memory is now `bytes`. */
void es_h2_hold(struct es_rpc_call *call, size_t bytes);
/* What is queued for the streams of a connection is so much that none of them may add to it. The
 * call is served again when that has changed. */
bool es_h2_is_congested(struct es_rpc_call *call);
bool es_h2_is_overfull(const struct es_h2 *h2);
/* So much is queued that no large answer may be added. */
bool es_h2_is_full(const struct es_h2 *h2);

/* ---- http.c --------------------------------------------------------------------------- */

struct es_http_answer {
	int status;
	const char *content_type;
	const char *allow; /* of a 405; or NULL */
	struct es_slice body;
	bool head; /* its length is told, it is not sent */
};

/*
 * What carries a request: HTTP/1.1 or a stream of HTTP/2. It embeds this. The request is over, and may be gone, after
 * one of answer, end and cut.
 */
struct es_http_carrier {
	void (*answer)(struct es_http_request *request, const struct es_http_answer *answer);
	bool (*header)(const struct es_http_request *request, struct es_slice name,
		       struct es_slice *ret_value);
	/* An answer in parts: the head (its body is not used), then parts that are not empty, then the end. ES_ENOMEM:
	 * the answer has to be cut. */
	int (*begin)(struct es_http_request *request, const struct es_http_answer *head);
	int (*part)(struct es_http_request *request, struct es_slice bytes);
	void (*end)(struct es_http_request *request);
	void (*cut)(struct es_http_request *request); /* the client sees that it is not whole */
	size_t (*queued)(const struct es_http_request *request); /* bytes of parts, unsent */
	void (*wake)(struct es_http_request *request);           /* `pull` comes soon */
	/* NULL, or, where many requests share a connection: there is to be an answer; it needs so much memory beside
	 * what is queued; too much is queued for a large one. */
	void (*owe)(struct es_http_request *request);
	void (*hold)(struct es_http_request *request, size_t bytes);
	bool (*is_full)(const struct es_http_request *request);
};

/* What who answers in parts, or later, hears of the carrier. */
struct es_http_events {
	void (*pull)(struct es_http_request *request);  /* bytes went out, or `wake` */
	void (*drain)(struct es_http_request *request); /* the server stops */
	/* The client is gone: `end` is due. */
	void (*closed)(struct es_http_request *request);
};

/* What a request may ask for: its length, and parameters of its query. */
#define ES_HTTP_TARGET_BYTES_MAX ((size_t)8 << 10)
#define ES_HTTP_PARAMS_MAX       64

struct es_http_param {
	struct es_slice name, value;
};

struct es_http_request {
	const struct es_http_carrier *carrier;
	struct es_rpc_server *server;
	const struct es_rpc_face *face;
	struct es_arena *arena;
	struct es_slice method, path, body;
	struct es_http_param *params; /* of the query, decoded */
	size_t param_count;
	bool answered;
	const struct es_http_events *events; /* NULL: nobody listens */
	void *owner;                         /* a pointer of who does */
	bool lasting; /* its answer may take for ever: the client's leaving has to be noticed */
};

/* The request is whole: find its handler. All fields but path and params are set, `target` is
 * what the client asked for. */
void es_http_dispatch(struct es_http_request *request, struct es_slice target);
/* `head` is filled in. */
void es_http_answer(struct es_http_request *request, const struct es_http_answer *answer);
/* An answer that is the status and its name, unless the handler of the request's path has one of its own. */
void es_http_refuse(struct es_http_request *request, int status, const char *allow);
/* The same of a request that is not whole; `target`: as far as it is known. */
void es_http_refuse_target(struct es_http_request *request, struct es_slice target, int status);
const char *es_http_reason(int status);
/* As the Date field wants it. */
#define ES_HTTP_DATE_BYTES 30
void es_http_date(const struct es_rpc_server *server, char ret_date[ES_HTTP_DATE_BYTES]);

/* ---- h2_http.c: plain requests on streams of HTTP/2 ----------------------------------- */

void es_h2_http_begin(struct es_rpc_call *call, struct es_slice method, struct es_slice target);
void es_h2_http_data(struct es_rpc_call *call, const uint8_t *data, size_t len);
/* The request is whole; and it is its turn. */
void es_h2_http_ready(struct es_rpc_call *call);
void es_h2_http_serve(struct es_rpc_call *call);
/* Of a request whose answer comes in parts: more may be sent; the server stops; the stream is gone. */
void es_h2_http_pull(struct es_rpc_call *call);
void es_h2_http_drain(struct es_rpc_call *call);
void es_h2_http_closed(struct es_rpc_call *call);

/* ---- gateway.c: what call.c and call_out.c hand on of its calls ----------------------- */

uint8_t *es_gateway_reserve(struct es_rpc_call *call, size_t size);
void es_gateway_wake(struct es_rpc_call *call);
void es_gateway_answer(struct es_rpc_call *call, enum es_grpc_code code, const char *text);
void es_gateway_reset(struct es_rpc_call *call);
size_t es_gateway_queued(const struct es_rpc_call *call);
bool es_gateway_is_full(const struct es_rpc_call *call);
bool es_gateway_metadata(const struct es_rpc_call *call, struct es_slice name,
			 struct es_slice *ret_value);
/* Calls that are over go; no handler is being called. */
void es_gateway_sweep(struct es_rpc_server *server);
void es_gateway_free(struct es_rpc_server *server);

/* ---- calls ---------------------------------------------------------------------------- */

struct es_h2_field {
	nghttp2_rcbuf *name;
	nghttp2_rcbuf *value;
};

#define ES_CALL_FIELDS      16
#define ES_CALL_ARENA_BYTES ((size_t)2048 - 64)

enum es_call_state {
	ES_CALL_HEADERS,  /* header fields are coming in */
	ES_CALL_OPEN,     /* its handler has it */
	ES_CALL_FINISHED, /* its handler finished it; the answer may still be on its way */
	ES_CALL_CLOSED,   /* it ended some other way */
};

struct es_out_chunk {
	struct es_out_chunk *next;
	size_t cap, start, end;
	uint8_t bytes[];
};

struct es_rpc_call {
	struct es_rpc_server *server;
	struct es_h2 *h2; /* NULL: the stream is gone */
	struct es_queue link;
	struct es_queue progress_link; /* in h2->incomplete or h2->waiting */
	struct es_queue writable_link;
	struct es_rpc_call *next_free;
	struct es_wheel_item deadline;
	const struct es_rpc_entry *entry;
	struct es_h2_http *http;         /* a plain request and no call */
	struct es_gateway_call *gateway; /* carried by a plain request; has no stream */
	void *data;
	uint32_t refs; /* the stream's, and those of es_rpc_call_hold */
	int32_t stream_id;
	enum es_call_state state;
	bool started;     /* hooks.finish is due */
	bool began;       /* the handler knows of it */
	bool half_closed; /* the client sends no more */
	bool complete;    /* the one request message is whole */
	bool submitted;   /* the response's header fields are */
	bool deferred;    /* nghttp2 waits for es_rpc_send */
	bool answered;    /* trailers follow the last queued byte */
	bool above_low;
	bool low_due; /* `writable` is to be called */
	bool half_close_stalled;
	bool owed; /* counted in h2->owed_count */
	uint64_t opened_ms;
	uint64_t started_us; /* 0 without hooks */
	uint64_t deadline_ms;
	size_t held_bytes;
	size_t arena_first; /* bytes of the arena before the handler had it */
	size_t arena_held;  /* that were added since, and are in held_bytes */
	size_t kept_bytes;  /* or, with an answer, in h2->kept_bytes */
	/* in */
	size_t field_count, field_cap, field_bytes;
	unsigned fields_seen; /* fields.c */
	struct es_h2_field *fields;
	struct es_h2_field fields_first[ES_CALL_FIELDS];
	struct es_slice encoding;
	struct es_grpc_frame frame;
	struct es_slice request; /* of a waiting call */
	struct es_buf stalled;   /* input that waits until answers are out */
	/* out */
	struct es_out_chunk *out_first, *out_last;
	size_t queued_bytes;
	size_t queue_low;
	struct es_rpc_body *body;
	uint64_t body_left;
	enum es_grpc_code code;
	struct es_slice message; /* percent-encoded */
	struct es_arena arena;
};

/* call.c */
struct es_rpc_call *es_call_new(struct es_h2 *h2, int32_t stream_id);
/* A call without a stream. */
struct es_rpc_call *es_call_new_detached(struct es_rpc_server *server);
/* hooks.finish is due from now on. */
void es_call_start(struct es_rpc_call *call);
void es_call_unref(struct es_rpc_call *call);
/* The stream is gone. */
void es_call_detach(struct es_rpc_call *call);
/* What the handler took from the arena: a part of the request, or, with an answer, of that. */
void es_call_recount(struct es_rpc_call *call);
/* The handler has the request, and is to answer. */
void es_call_owe(struct es_rpc_call *call);
/* The answer, or its first part, is there. */
void es_call_answered(struct es_rpc_call *call);
/* The call is over and not by its handler's will: tell the handler and the hooks. The answer is the
 * caller's matter. */
void es_call_end(struct es_rpc_call *call, enum es_grpc_code code);
/* The same, and the client gets `code`. */
void es_call_abort(struct es_rpc_call *call, enum es_grpc_code code, const char *message);
void es_call_deadline_passed(struct es_rpc_call *call);
void es_rpc_free_calls(struct es_rpc_server *server);

/* call_in.c */
int es_call_field(struct es_rpc_call *call, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
bool es_call_find_field(const struct es_rpc_call *call, struct es_slice name,
			struct es_slice *ret_value);
void es_call_headers_done(struct es_rpc_call *call);
void es_call_set_deadline(struct es_rpc_call *call, uint64_t timeout_ns);
/* How many of the bytes are kept for later: the stream's window is not opened for them yet. */
size_t es_call_data_in(struct es_rpc_call *call, const uint8_t *data, size_t len);
/* Its own answers are out as far as to go on with input that stalls. */
bool es_call_may_unstall(const struct es_rpc_call *call);
void es_call_unstall(struct es_rpc_call *call);
void es_call_half_closed(struct es_rpc_call *call);
/* A whole request waits if there are too many unsent answers; and when those went out, it begins.
 */
bool es_h2_must_wait(struct es_rpc_call *call);
void es_h2_admit(struct es_h2 *h2);

/* call_out.c */
uint8_t *es_call_reserve(struct es_rpc_call *call, size_t size);
void es_call_out_close(struct es_rpc_call *call);
/* Have nghttp2 ask for what is queued. */
void es_call_out_start(struct es_rpc_call *call);
/* Trailers, or an answer of nothing else. Once. */
void es_call_answer(struct es_rpc_call *call, enum es_grpc_code code, const char *message);
/* A refusal before any handler: HTTP status beside the gRPC one. */
void es_call_refuse(struct es_rpc_call *call, const char *http_status, enum es_grpc_code code,
		    const char *message);
void es_call_reset(struct es_rpc_call *call, uint32_t error_code);

/* Lives as long as the buffer. */
static inline struct es_slice es_h2_bytes(nghttp2_rcbuf *buffer)
{
	nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);

	return es_slice(bytes.base, bytes.len);
}

/* fields.c: a request's header fields, in their order; `seen` begins as 0. */
enum es_field_check { ES_FIELD_GOOD, ES_FIELD_IGNORED, ES_FIELD_MALFORMED };
enum es_field_check es_field_check(unsigned *seen, struct es_slice name, struct es_slice value);
/* All that a request must have were there. */
bool es_fields_are_complete(unsigned seen);
/* Submit fields and then what is queued, if anything. */
void es_call_submit(struct es_rpc_call *call, const nghttp2_nv *fields, size_t count);
/* A field whose bytes live as long as the call. */
nghttp2_nv es_h2_nv(const char *name, struct es_slice value);
/* Held memory follows what was gathered. */
void es_call_account(struct es_rpc_call *call, size_t gathered_before);
int es_call_send_data(struct es_h2 *h2, struct es_rpc_call *call, const uint8_t *frame_head,
		      size_t len);

#endif
