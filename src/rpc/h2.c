/*
 * An HTTP/2 session: nghttp2 parses and frames, this file connects it to calls and sets limits.
 * Invariants:
 *
 * 1. Bytes in, bytes out: `receive` and `produce` are the only ways in and out; nothing here knows
 *    sockets or clocks.
 * 2. nghttp2 is never entered from inside itself: callbacks only submit; sessions are freed by the
 *    connection, later.
 * 3. Answers are limited without deadlock. Bytes that the socket does not take stop the reading
 *    (conn.c). Bytes that wait for the client's flow control must not, since its WINDOW_UPDATE has
 *    to be read: then requests that are whole wait instead (h2->waiting), and the client's own
 *    window stops it. What counts is what the answers hold, queued or in arenas, and what those
 *    that are not made yet are likely to. Bidirectional calls have a limit of their own, each and
 *    together (h2->congested): one that nobody takes does not keep unary calls waiting.
 * 4. Requests are limited: what the calls of a connection hold is counted (held_bytes). Above the
 *    limit the window is not opened any more, new streams are refused, and, when no call is whole
 *    and could end, the one that asked for more is ended.
 * 5. The buffer of `produce` may be full at any byte. DATA frames are written to it whole, when
 *    they fit (on_send_data), and one call of nghttp2_session_mem_send writes as many as it likes
 *    before it gives a piece of its own, of any size. What of that does not fit waits in h2->piece,
 *    which is valid until the next such call; and there is none before it is out.
 * 6. What costs us more than the client (resets, header lists, pings, control frames that are
 *    answered, SETTINGS) is rated; a client that passes a rate gets GOAWAY with ENHANCE_YOUR_CALM.
 */
#include "rpc/internal.h"

/* The connection's window: what may be under way to us while we are busy. */
#define CONN_WINDOW           (16 << 20)
#define STREAM_WINDOW         (1 << 20)
#define HEADER_LIST_BYTES_MAX (64 << 10)
/* Streams that end by RST_STREAM, theirs or ours: a burst, and so many per second. */
#define RESET_BURST  2000
#define RESETS_PER_S 200
/* SETTINGS: each may change the window of every stream. */
#define SETTINGS_BURST 50
#define SETTINGS_PER_S 5
/* With many streams, input is read in slices, so that a client that is to be stopped is. */
#define MANY_STREAMS     1024
#define INPUT_SLICE      ((size_t)1 << 10)
#define PING_STRIKES_MAX 2
/* Bidirectional calls together may queue so many times conn_queue_bytes_max, and then nothing
 * before half of it is out. */
#define STREAMED_MAX 4
/* What answers are expected to be before there were any. */
#define ANSWER_MEAN_FIRST ((size_t)64 << 10)
/* What a queued frame is counted as. */
#define FRAME_COST 256
#define FRAME_HEAD 9
/* How long a draining client may still send requests that crossed our GOAWAY, if it does not say
 * that it has seen it. Less when it had none open. */
#define DRAIN_NOTICE_MS      1000
#define IDLE_DRAIN_NOTICE_MS 200

static const uint8_t drain_ping[8] = {'d', 'r', 'a', 'i', 'n'};

static void maybe_done(struct es_h2 *h2)
{
	if (h2->piece_len == 0 && !nghttp2_session_want_read(h2->session) &&
	    !nghttp2_session_want_write(h2->session))
		es_rpc_conn_finish(h2->conn);
}

static void log_end(const struct es_h2 *h2, uint32_t error_code, const char *reason)
{
	bool is_abuse = error_code == NGHTTP2_ENHANCE_YOUR_CALM;
	char peer[ES_NET_PEER_MAX] = "-";

	if (h2->conn->net != NULL)
		es_net_conn_peer(h2->conn->net, peer);
	es_log(h2->server->config.log, is_abuse ? ES_LOG_WARN : ES_LOG_DEBUG, "ended a connection",
	       ES_STR("remote-addr", peer), ES_STR("reason", reason));
}

void es_h2_terminate(struct es_h2 *h2, uint32_t error_code, const char *reason)
{
	if (h2->terminated)
		return;
	h2->terminated = true;
	log_end(h2, error_code, reason);
	if (nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
				  nghttp2_session_get_last_proc_stream_id(h2->session), error_code,
				  (const uint8_t *)reason, strlen(reason)) != 0)
		es_rpc_conn_break(h2->conn);
	else
		es_rpc_conn_finish(h2->conn);
}

void es_h2_failed(struct es_h2 *h2, int rc)
{
	switch (rc) {
	case NGHTTP2_ERR_NOMEM:
	case NGHTTP2_ERR_CALLBACK_FAILURE: es_rpc_conn_break(h2->conn); break;
	case NGHTTP2_ERR_FLOODED:
		es_h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, "too many control frames");
		break;
	default: es_h2_terminate(h2, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror(rc)); break;
	}
}

/* ---- what requests hold --------------------------------------------------------------- */

bool es_h2_is_overfull(const struct es_h2 *h2)
{
	return h2->held_bytes > h2->server->config.conn_request_bytes_max;
}

static void open_window(struct es_h2 *h2)
{
	int rc;

	if (h2->unconsumed_bytes == 0 || es_h2_is_overfull(h2))
		return;
	rc = nghttp2_session_consume_connection(h2->session, h2->unconsumed_bytes);
	h2->unconsumed_bytes = 0;
	if (rc != 0)
		es_h2_failed(h2, rc);
}

void es_h2_hold(struct es_rpc_call *call, size_t bytes)
{
	struct es_h2 *h2 = call->h2;
	bool was_overfull = es_h2_is_overfull(h2);

	h2->held_bytes = h2->held_bytes - call->held_bytes + bytes;
	call->held_bytes = bytes;
	if (was_overfull && !es_h2_is_overfull(h2)) {
		open_window(h2);
		es_rpc_conn_wake(h2->conn);
	}
}

bool es_h2_is_congested(struct es_rpc_call *call)
{
	struct es_h2 *h2 = call->h2;

	if (h2->streamed_bytes / STREAMED_MAX <= h2->server->config.conn_queue_bytes_max)
		return false;
	es_queue_remove(&call->writable_link);
	es_queue_push(&h2->congested, &call->writable_link);
	return true;
}

/* ---- rates ---------------------------------------------------------------------------- */

/* false: there is no token left. */
static bool take_token(struct es_h2_bucket *bucket, uint64_t now_ms, uint64_t burst, uint64_t per_s)
{
	bucket->milli_tokens += (now_ms - bucket->at_ms) * per_s;
	bucket->at_ms = now_ms;
	if (bucket->milli_tokens > burst * 1000)
		bucket->milli_tokens = burst * 1000;
	if (bucket->milli_tokens < 1000)
		return false;
	bucket->milli_tokens -= 1000;
	return true;
}

static void count_reset(struct es_h2 *h2)
{
	if (!take_token(&h2->resets, h2->server->now_ms, RESET_BURST, RESETS_PER_S))
		es_h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, "too many resets");
}

static void count_settings(struct es_h2 *h2)
{
	if (!take_token(&h2->settings, h2->server->now_ms, SETTINGS_BURST, SETTINGS_PER_S))
		es_h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, "too many settings");
}

/* As grpc-go judges: a ping sooner than the minimum after the last, with no header or data frame of
 * ours between them, is a strike. Pings without streams are judged by the same minimum: milder than
 * etcd. */
static void on_ping(struct es_h2 *h2)
{
	uint64_t now_ms = h2->server->now_ms;
	uint64_t last_ms = h2->pinged_ms;

	h2->pinged_ms = now_ms == 0 ? 1 : now_ms;
	if (h2->sent_since_ping) {
		h2->sent_since_ping = false;
		h2->ping_strikes = 0;
		return;
	}
	if (last_ms == 0 || now_ms - last_ms >= h2->server->config.keepalive_min_time_ms)
		return;
	if (++h2->ping_strikes > PING_STRIKES_MAX)
		es_h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

/* ---- nghttp2's callbacks -------------------------------------------------------------- */

static struct es_rpc_call *find_call(struct es_h2 *h2, int32_t stream_id)
{
	if (h2->current != NULL && h2->current->stream_id == stream_id)
		return h2->current;
	return nghttp2_session_get_stream_user_data(h2->session, stream_id);
}

static int refuse_stream(struct es_h2 *h2, int32_t stream_id)
{
	int rc = nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream_id,
					   NGHTTP2_REFUSED_STREAM);

	return rc == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct es_h2 *h2 = user_data;
	struct es_rpc_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
	    h2->terminated)
		return 0;
	if (es_h2_is_overfull(h2))
		return refuse_stream(h2, frame->hd.stream_id);
	call = es_call_new(h2, frame->hd.stream_id);
	if (call == NULL)
		return refuse_stream(h2, frame->hd.stream_id);
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
	h2->current = call;
	h2->conn->idle = false;
	return 0;
}

static void end_malformed(struct es_rpc_call *call, uint32_t error_code)
{
	call->state = ES_CALL_CLOSED;
	es_call_reset(call, error_code);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	struct es_h2 *h2 = user_data;
	struct es_rpc_call *call = find_call(h2, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (call == NULL || call->state != ES_CALL_HEADERS)
		return 0; /* refused, or trailers */
	switch (es_field_check(&call->fields_seen, es_h2_bytes(name), es_h2_bytes(value))) {
	case ES_FIELD_IGNORED: break;
	case ES_FIELD_MALFORMED: end_malformed(call, NGHTTP2_PROTOCOL_ERROR); break;
	case ES_FIELD_GOOD:
		if (es_call_field(call, name, value) < 0)
			end_malformed(call, NGHTTP2_ENHANCE_YOUR_CALM);
		break;
	}
	return 0;
}

static void on_frame_of_call(struct es_h2 *h2, const nghttp2_frame *frame)
{
	struct es_rpc_call *call = find_call(h2, frame->hd.stream_id);

	if (call == NULL)
		return;
	if (call->state == ES_CALL_HEADERS && frame->hd.type == NGHTTP2_HEADERS) {
		call->half_closed = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
		if (!es_fields_are_complete(call->fields_seen)) {
			end_malformed(call, NGHTTP2_PROTOCOL_ERROR);
			return;
		}
		es_call_headers_done(call);
	}
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		es_call_half_closed(call);
}

static void final_goaway(struct es_h2 *h2)
{
	int rc;

	if (h2->goaway_final)
		return;
	h2->goaway_final = true;
	rc = nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
				   nghttp2_session_get_last_proc_stream_id(h2->session),
				   NGHTTP2_NO_ERROR, NULL, 0);
	if (rc != 0)
		es_h2_failed(h2, rc);
	es_rpc_conn_wake(h2->conn);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct es_h2 *h2 = user_data;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA: on_frame_of_call(h2, frame); break;
	case NGHTTP2_RST_STREAM: count_reset(h2); break;
	case NGHTTP2_SETTINGS:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
			h2->settled = true;
			count_settings(h2);
		}
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
			on_ping(h2);
		else if (h2->draining &&
			 memcmp(frame->ping.opaque_data, drain_ping, sizeof(drain_ping)) == 0)
			final_goaway(h2);
		break;
	default: break;
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
			 const uint8_t *data, size_t len, void *user_data)
{
	struct es_h2 *h2 = user_data;
	struct es_rpc_call *call = find_call(h2, stream_id);

	h2->unconsumed_bytes += len;
	if (call != NULL)
		len -= es_call_data_in(call, data, len);
	/* Nothing follows END_STREAM, so its stream needs no window. */
	if ((flags & NGHTTP2_FLAG_END_STREAM) == 0 &&
	    nghttp2_session_consume_stream(session, stream_id, len) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
			   void *user_data)
{
	struct es_h2 *h2 = user_data;
	struct es_rpc_call *call = find_call(h2, stream_id);

	(void)session;
	(void)error_code;
	if (call != NULL)
		es_call_detach(call);
	return 0;
}

/* Our side of the stream is over. Should the client still be sending, it is told to stop. */
static int end_of_answer(struct es_h2 *h2, int32_t stream_id)
{
	struct es_rpc_call *call = find_call(h2, stream_id);
	int rc;

	if (call == NULL || call->half_closed)
		return 0;
	rc = nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
	return rc == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct es_h2 *h2 = user_data;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		h2->sent_since_ping = true;
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
			return end_of_answer(h2, frame->hd.stream_id);
		break;
	case NGHTTP2_RST_STREAM:
		if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
			count_reset(h2);
		break;
	default: break;
	}
	return 0;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
			size_t len, nghttp2_data_source *source, void *user_data)
{
	struct es_h2 *h2 = user_data;

	(void)session;
	(void)frame;
	if (h2->out_cap - h2->out_len < FRAME_HEAD + len) {
		h2->out_full = true;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	return es_call_send_data(h2, source->ptr, head, len);
}

static void *h2_malloc(size_t size, void *pool)
{
	return es_pool_alloc(pool, size);
}

static void h2_free(void *pointer, void *pool)
{
	es_pool_free(pool, pointer);
}

static void *h2_calloc(size_t count, size_t size, void *pool)
{
	size_t total;
	void *pointer;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	pointer = es_pool_alloc(pool, total);
	return pointer == NULL ? NULL : memset(pointer, 0, total);
}

static void *h2_realloc(void *pointer, size_t size, void *pool)
{
	return es_pool_realloc(pool, pointer, size);
}

int es_h2_setup(struct es_rpc_server *server)
{
	nghttp2_session_callbacks *callbacks;

	if (nghttp2_session_callbacks_new(&server->h2_callbacks) != 0 ||
	    nghttp2_option_new(&server->h2_options) != 0)
		return ES_ENOMEM;
	callbacks = server->h2_callbacks;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
	nghttp2_option_set_no_recv_client_magic(server->h2_options, 1); /* conn.c has read it */
	nghttp2_option_set_no_auto_window_update(server->h2_options, 1);
	nghttp2_option_set_no_closed_streams(server->h2_options, 1);
	nghttp2_option_set_no_http_messaging(server->h2_options, 1); /* fields.c does it */
	/* Ours comes first, and says ENHANCE_YOUR_CALM. */
	nghttp2_option_set_stream_reset_rate_limit(server->h2_options, RESET_BURST * 2,
						   RESETS_PER_S * 2);
	server->h2_mem = (nghttp2_mem){&server->pool, h2_malloc, h2_free, h2_calloc, h2_realloc};
	return 0;
}

void es_h2_teardown(struct es_rpc_server *server)
{
	nghttp2_session_callbacks_del(server->h2_callbacks);
	nghttp2_option_del(server->h2_options);
}

/* ---- the protocol --------------------------------------------------------------------- */

static void h2_close(void *state)
{
	struct es_h2 *h2 = state;

	while (!es_queue_empty(&h2->calls))
		es_call_detach(ES_QUEUE_ITEM(h2->calls.next, struct es_rpc_call, link));
	nghttp2_session_del(h2->session);
	es_free(h2->server->mem, h2);
}

static int start_session(struct es_h2 *h2)
{
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		 h2->server->config.max_concurrent_streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES_MAX},
	};

	if (nghttp2_session_server_new3(&h2->session, h2->server->h2_callbacks, h2,
					h2->server->h2_options, &h2->server->h2_mem) != 0)
		return ES_ENOMEM;
	if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				    ES_ARRAY_LEN(settings)) != 0)
		return ES_ENOMEM;
	if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW) !=
	    0)
		return ES_ENOMEM;
	return 0;
}

static int h2_open(struct es_rpc_conn *conn, void **ret_state)
{
	struct es_h2 *h2 = es_calloc(conn->server->mem, 1, sizeof(*h2));
	int rc;

	if (h2 == NULL)
		return ES_ENOMEM;
	h2->conn = conn;
	h2->server = conn->server;
	es_queue_init(&h2->calls);
	es_queue_init(&h2->incomplete);
	es_queue_init(&h2->waiting);
	es_queue_init(&h2->writable);
	es_queue_init(&h2->congested);
	h2->answer_mean = ANSWER_MEAN_FIRST;
	h2->resets = (struct es_h2_bucket){RESET_BURST * 1000, conn->server->now_ms};
	h2->settings = (struct es_h2_bucket){SETTINGS_BURST * 1000, conn->server->now_ms};
	rc = start_session(h2);
	if (rc < 0) {
		h2_close(h2);
		return rc;
	}
	*ret_state = h2;
	es_rpc_conn_wake(conn);
	return 0;
}

static void serve_writable(struct es_rpc_call *call)
{
	bool low_due = call->low_due;

	call->low_due = false;
	if (call->http != NULL) {
		es_h2_http_pull(call);
		return;
	}
	if (low_due && call->state == ES_CALL_OPEN && call->entry->method->writable != NULL)
		call->entry->method->writable(call);
	if (es_call_may_unstall(call) && !es_h2_is_congested(call))
		es_call_unstall(call);
}

static void fire_writable(struct es_h2 *h2)
{
	size_t max = h2->server->config.conn_queue_bytes_max;
	struct es_queue *q;

	while ((q = es_queue_pop(&h2->writable)) != NULL)
		serve_writable(ES_QUEUE_ITEM(q, struct es_rpc_call, writable_link));
	while (h2->streamed_bytes / STREAMED_MAX <= max / 2 &&
	       (q = es_queue_pop(&h2->congested)) != NULL)
		serve_writable(ES_QUEUE_ITEM(q, struct es_rpc_call, writable_link));
}

static void h2_receive(void *state, const uint8_t *data, size_t len)
{
	struct es_h2 *h2 = state;

	while (len > 0 && h2->conn->life == ES_CONN_OPEN) {
		bool slices = h2->call_count > MANY_STREAMS && len > INPUT_SLICE;
		size_t part = slices ? INPUT_SLICE : len;
		ssize_t used = nghttp2_session_mem_recv(h2->session, data, part);

		if (used < 0)
			es_h2_failed(h2, (int)used);
		data += part;
		len -= part;
	}
	open_window(h2);
	fire_writable(h2); /* a call that was reset takes its answers with it */
	es_h2_admit(h2);
	if (nghttp2_session_want_write(h2->session))
		es_rpc_conn_wake(h2->conn);
	else
		maybe_done(h2);
}

static void h2_ended(void *state)
{
	struct es_h2 *h2 = state;

	es_rpc_conn_break(h2->conn); /* half-closed connections are of no use in HTTP/2 */
}

/* As much of the piece as there is room for. */
static void copy_piece(struct es_h2 *h2)
{
	size_t room = h2->out_cap - h2->out_len;
	size_t len = h2->piece_len < room ? h2->piece_len : room;

	memcpy(h2->out + h2->out_len, h2->piece, len);
	h2->out_len += len;
	h2->piece += len;
	h2->piece_len -= len;
}

static void fill(struct es_h2 *h2)
{
	if (h2->piece_len > 0)
		copy_piece(h2);
	while (h2->piece_len == 0 && !h2->out_full) {
		ssize_t len = nghttp2_session_mem_send(h2->session, &h2->piece);

		if (len < 0)
			es_h2_failed(h2, (int)len);
		if (len <= 0)
			return;
		h2->piece_len = (size_t)len;
		copy_piece(h2);
	}
}

static size_t h2_produce(void *state, uint8_t *out, size_t cap)
{
	struct es_h2 *h2 = state;

	h2->out = out;
	h2->out_len = 0;
	h2->out_cap = cap;
	h2->out_full = false;
	h2->fresh_bytes = 0;
	fire_writable(h2); /* what was woken to send */
	fill(h2);
	h2->out = NULL;
	fire_writable(h2);
	es_h2_admit(h2);
	maybe_done(h2);
	return h2->out_len;
}

static void drop_incomplete(struct es_h2 *h2, uint64_t now_ms)
{
	while (!es_queue_empty(&h2->incomplete)) {
		struct es_rpc_call *call = ES_QUEUE_ITEM(h2->incomplete.next, struct es_rpc_call,
							 progress_link);

		if (now_ms - call->opened_ms < h2->server->config.http1_idle_ms)
			return;
		es_queue_remove(&call->progress_link);
		es_call_abort(call, ES_GRPC_DEADLINE_EXCEEDED,
			      "engenho: the request did not arrive in time");
	}
}

static void h2_tick(void *state, uint64_t now_ms)
{
	struct es_h2 *h2 = state;
	const struct es_rpc_config *config = &h2->server->config;
	uint64_t silent_ms = now_ms - h2->conn->received_ms;

	if (!h2->settled && now_ms - h2->conn->opened_ms >= config->http1_idle_ms) {
		es_h2_terminate(h2, NGHTTP2_SETTINGS_TIMEOUT, "no SETTINGS");
		return;
	}
	drop_incomplete(h2, now_ms);
	if (h2->draining && !h2->goaway_final && now_ms >= h2->drain_until_ms)
		final_goaway(h2);
	if (h2->ping_sent_ms != 0 && h2->conn->received_ms >= h2->ping_sent_ms)
		h2->ping_sent_ms = 0; /* whatever came, it lives */
	if (h2->ping_sent_ms != 0) {
		if (now_ms - h2->ping_sent_ms >= config->keepalive_timeout_ms)
			es_rpc_conn_break(h2->conn);
	} else if (config->keepalive_interval_ms != 0 &&
		   silent_ms >= config->keepalive_interval_ms) {
		if (nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL) == 0) {
			h2->ping_sent_ms = now_ms;
			es_rpc_conn_wake(h2->conn);
		}
	}
}

static void stop_calls(struct es_h2 *h2, bool streams_only)
{
	struct es_queue *next;

	for (struct es_queue *q = h2->calls.next; q != &h2->calls; q = next) {
		struct es_rpc_call *call = ES_QUEUE_ITEM(q, struct es_rpc_call, link);

		next = q->next;
		if (streams_only && call->http != NULL)
			es_h2_http_drain(call);
		if (!streams_only ||
		    (call->entry != NULL && call->entry->method->kind != ES_RPC_UNARY))
			es_call_abort(call, ES_GRPC_UNAVAILABLE, es_status_text(ES_ESTOPPED));
	}
}

static void h2_drain(void *state)
{
	struct es_h2 *h2 = state;

	if (h2->draining)
		return;
	h2->draining = true;
	h2->conn->idle = h2->conn->idle && h2->call_count == 0;
	h2->drain_until_ms = h2->server->now_ms +
			     (h2->conn->idle ? IDLE_DRAIN_NOTICE_MS : DRAIN_NOTICE_MS);
	if (nghttp2_submit_shutdown_notice(h2->session) != 0 ||
	    nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, drain_ping) != 0)
		final_goaway(h2);
	stop_calls(h2, true);
	es_rpc_conn_wake(h2->conn);
}

static void h2_abandon(void *state)
{
	struct es_h2 *h2 = state;

	stop_calls(h2, false);
	final_goaway(h2);
	es_rpc_conn_finish(h2->conn);
}

static size_t h2_queued(void *state)
{
	struct es_h2 *h2 = state;

	return h2->fresh_bytes + nghttp2_session_get_outbound_queue_size(h2->session) * FRAME_COST;
}

const struct es_rpc_protocol es_rpc_h2 = {
	.open = h2_open,
	.receive = h2_receive,
	.ended = h2_ended,
	.produce = h2_produce,
	.tick = h2_tick,
	.drain = h2_drain,
	.abandon = h2_abandon,
	.queued = h2_queued,
	.free = h2_close,
};
