#include "pair.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct pair_seen pair_seen;

/* ---- the world ------------------------------------------------------------------------ */

static uint64_t now_ms(void *ctx)
{
	return ((struct pair *)ctx)->now_ms;
}

static uint64_t now_us(void *ctx)
{
	return ((struct pair *)ctx)->now_ms * 1000 + 7;
}

static uint64_t wall_ms(void *ctx)
{
	(void)ctx;
	return 1700000000000;
}

static void not_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 4, len);
}

void pair_init(struct pair *pair, uint64_t fail_after)
{
	memset(pair, 0, sizeof(*pair));
	memset(&pair_seen, 0, sizeof(pair_seen));
	es_fault_mem_init(&pair->fault, fail_after);
	es_rng_init(&pair->rng, 1);
	pair->now_ms = 1000000;
	pair->env = (struct es_env){now_ms, wall_ms, not_random, pair, now_us};
	pair->face.faces = ES_RPC_FACE_GRPC | ES_RPC_FACE_HTTP;
	pair->config = (struct es_rpc_config){
		.mem = &pair->fault.mem,
		.env = &pair->env,
		.max_concurrent_streams = 1000000,
		.recv_message_bytes_max = 100000,
		.conn_queue_bytes_max = (size_t)1 << 20,
		.keepalive_min_time_ms = 5000,
		.keepalive_interval_ms = 7200000,
		.keepalive_timeout_ms = 20000,
		.http1_idle_ms = 30000,
	};
}

int pair_open(struct pair *pair)
{
	return es_rpc_server_new(&pair->config, &pair->server);
}

/* ---- the client ----------------------------------------------------------------------- */

static struct pair_stream *find(struct pair *pair, int32_t id)
{
	for (size_t i = 0; i < pair->stream_count; i++) {
		if (pair->streams[i].id == id)
			return &pair->streams[i];
	}
	return NULL;
}

static void keep(char *out, size_t size, const uint8_t *value, size_t len)
{
	snprintf(out, size, "%.*s", (int)len, (const char *)value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user_data)
{
	struct pair_stream *stream = find(user_data, frame->hd.stream_id);
	struct es_slice key = es_slice(name, name_len);

	(void)session;
	(void)flags;
	if (stream == NULL)
		return 0;
	if (es_slice_eq(key, ES_SLICE(":status")))
		keep(stream->http_status, sizeof(stream->http_status), value, value_len);
	else if (es_slice_eq(key, ES_SLICE("grpc-status")))
		keep(stream->grpc_status, sizeof(stream->grpc_status), value, value_len);
	else if (es_slice_eq(key, ES_SLICE("grpc-message")))
		keep(stream->grpc_message, sizeof(stream->grpc_message), value, value_len);
	else if (es_slice_eq(key, ES_SLICE("content-type")))
		keep(stream->content_type, sizeof(stream->content_type), value, value_len);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *user_data)
{
	struct pair_stream *stream = find(user_data, id);

	(void)session;
	(void)flags;
	assert_int_equal(es_buf_append(&stream->body, data, len), 0);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct pair *pair = user_data;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		pair->goaway = true;
		pair->goaway_code = frame->goaway.error_code;
		keep(pair->goaway_text, sizeof(pair->goaway_text), frame->goaway.opaque_data,
		     frame->goaway.opaque_data_len);
	} else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
		pair->ping_acks++;
	} else if (frame->hd.type == NGHTTP2_PING) {
		pair->pings_received++;
	} else if (frame->hd.type == NGHTTP2_DATA) {
		find(pair, frame->hd.stream_id)->data_frames++;
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *user_data)
{
	struct pair_stream *stream = find(user_data, id);

	(void)session;
	if (stream != NULL) {
		stream->closed = true;
		stream->error_code = error_code;
	}
	return 0;
}

int pair_connect(struct pair *pair)
{
	nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, pair->client_window};
	nghttp2_session_callbacks *callbacks;
	int rc;

	rc = es_rpc_conn_new(pair->server, &pair->face, NULL, &pair->conn);
	if (rc < 0)
		return rc;
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	assert_int_equal(nghttp2_session_client_new(&pair->client, callbacks, pair), 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(pair->client, NGHTTP2_FLAG_NONE, &window, pair->client_window != 0);
	return 0;
}

static bool client_to_server(struct pair *pair)
{
	const uint8_t *bytes;
	ssize_t len = nghttp2_session_mem_send(pair->client, &bytes);

	assert_true(len >= 0);
	if (len == 0)
		return false;
	es_rpc_conn_receive(pair->conn, bytes, (size_t)len);
	return true;
}

/* Any, of any size: sockets' buffers are full at any byte. */
static size_t random_cap(struct pair *pair)
{
	size_t span = PAIR_CAP_MAX - ES_NET_PRODUCE_MIN;

	return ES_NET_PRODUCE_MIN + es_rng_below(&pair->rng, span + 1);
}

static bool server_to_client(struct pair *pair)
{
	static uint8_t out[PAIR_CAP_MAX];
	size_t cap = pair->produce_cap != 0 ? pair->produce_cap : random_cap(pair);
	size_t len = es_rpc_conn_produce(pair->conn, out, cap);

	assert_true(len <= cap);
	if (len == 0)
		return false;
	pair->server_bytes += len;
	assert_int_equal(nghttp2_session_mem_recv(pair->client, out, len), len);
	return true;
}

void pair_pump(struct pair *pair)
{
	bool moved = true;

	while (moved) {
		moved = false;
		while (client_to_server(pair))
			moved = true;
		while (server_to_client(pair))
			moved = true;
	}
}

void pair_sleep(struct pair *pair, uint64_t ms)
{
	pair->now_ms += ms;
	es_rpc_server_tick(pair->server, pair->now_ms);
	pair_pump(pair);
}

void pair_forget(struct pair *pair)
{
	for (size_t i = 0; i < pair->stream_count; i++) {
		es_buf_close(&pair->streams[i].body);
		es_buf_close(&pair->streams[i].unsent);
	}
	memset(pair->streams, 0, pair->stream_count * sizeof(pair->streams[0]));
	pair->stream_count = 0;
}

void pair_close(struct pair *pair)
{
	if (pair->conn != NULL)
		es_rpc_conn_free(pair->conn);
	if (pair->server != NULL)
		es_rpc_server_free(pair->server);
	nghttp2_session_del(pair->client);
	pair_forget(pair);
	assert_int_equal(pair->fault.live, 0);
	memset(pair, 0, sizeof(*pair));
}

/* ---- requests ------------------------------------------------------------------------- */

static ssize_t read_unsent(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
			   uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct pair_stream *stream = source->ptr;

	(void)session;
	(void)id;
	(void)user_data;
	if (stream->unsent.len == 0 && !stream->end_when_sent) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (len > stream->unsent.len)
		len = stream->unsent.len;
	if (len > 0)
		memcpy(buf, stream->unsent.data, len);
	es_buf_consume(&stream->unsent, len);
	if (stream->unsent.len == 0 && stream->end_when_sent)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static void set_field(struct pair_field *fields, size_t *count, const struct pair_field *field)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(fields[i].name, field->name) == 0) {
			fields[i] = *field;
			return;
		}
	}
	fields[(*count)++] = *field;
}

struct pair_stream *pair_request(struct pair *pair, const char *path,
				 const struct pair_field *extra, struct es_slice body, bool end)
{
	struct pair_stream *stream = &pair->streams[pair->stream_count++];
	nghttp2_data_provider source = {{.ptr = stream}, read_unsent};
	struct pair_field fields[32] = {
		{":method", "POST"}, {":scheme", "http"}, {":authority", "test"},
		{":path", path},     {"te", "trailers"},  {"content-type", "application/grpc"}};
	nghttp2_nv nv[32];
	size_t count = 6, used = 0;

	assert_true(pair->stream_count <= PAIR_STREAMS);
	es_buf_init(&stream->body, es_mem_default());
	es_buf_init(&stream->unsent, es_mem_default());
	assert_int_equal(es_buf_append_slice(&stream->unsent, body), 0);
	stream->end_when_sent = end;
	for (; extra != NULL && extra->name != NULL; extra++)
		set_field(fields, &count, extra);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].value == NULL)
			continue; /* left out */
		nv[used++] = (nghttp2_nv){
			(uint8_t *)(uintptr_t)fields[i].name, (uint8_t *)(uintptr_t)fields[i].value,
			strlen(fields[i].name), strlen(fields[i].value), NGHTTP2_NV_FLAG_NONE};
	}
	stream->id = nghttp2_submit_request(pair->client, NULL, nv, used,
					    end && body.len == 0 ? NULL : &source, NULL);
	assert_true(stream->id > 0);
	return stream;
}

static struct es_slice framed(const char *message, uint8_t *out, size_t size)
{
	size_t len = strlen(message);

	assert_true(len + ES_GRPC_PREFIX_BYTES <= size);
	memcpy(es_grpc_frame_write(out, (uint32_t)len), message, len);
	return es_slice(out, len + ES_GRPC_PREFIX_BYTES);
}

struct pair_stream *pair_call(struct pair *pair, const char *path, const char *message)
{
	uint8_t bytes[4096];
	struct es_slice body = message == NULL ? es_slice(NULL, 0)
					       : framed(message, bytes, sizeof(bytes));

	return pair_request(pair, path, NULL, body, true);
}

void pair_send(struct pair *pair, struct pair_stream *stream, struct es_slice bytes, bool end)
{
	assert_int_equal(es_buf_append_slice(&stream->unsent, bytes), 0);
	stream->end_when_sent = end;
	if (stream->deferred) {
		stream->deferred = false;
		nghttp2_session_resume_data(pair->client, stream->id);
	}
}

void pair_send_message(struct pair *pair, struct pair_stream *stream, const char *message, bool end)
{
	uint8_t bytes[4096];

	pair_send(pair, stream, framed(message, bytes, sizeof(bytes)), end);
}

void pair_reset(struct pair *pair, struct pair_stream *stream)
{
	nghttp2_submit_rst_stream(pair->client, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

static struct es_slice nth(const struct pair_stream *stream, size_t n, bool *ret_found)
{
	struct es_slice rest = es_buf_slice(&stream->body);

	for (;; n--) {
		size_t len;

		*ret_found = rest.len >= ES_GRPC_PREFIX_BYTES;
		if (!*ret_found)
			return rest;
		len = (size_t)rest.data[1] << 24 | (size_t)rest.data[2] << 16 |
		      (size_t)rest.data[3] << 8 | rest.data[4];
		assert_true(rest.len - ES_GRPC_PREFIX_BYTES >= len);
		if (n == 0)
			return es_slice(rest.data + ES_GRPC_PREFIX_BYTES, len);
		rest = es_slice(rest.data + ES_GRPC_PREFIX_BYTES + len,
				rest.len - ES_GRPC_PREFIX_BYTES - len);
	}
}

const char *pair_message(const struct pair_stream *stream, size_t n)
{
	static char text[4096];
	bool found;
	struct es_slice message = nth(stream, n, &found);

	keep(text, sizeof(text), message.data, found ? message.len : 0);
	return text;
}

size_t pair_message_count(const struct pair_stream *stream)
{
	bool found = true;
	size_t n = 0;

	for (nth(stream, 0, &found); found; nth(stream, n, &found))
		n++;
	return n;
}

void pair_expect(const struct pair_stream *stream, const char *grpc_status,
		 const char *grpc_message)
{
	assert_string_equal(stream->grpc_status, grpc_status);
	assert_string_equal(stream->grpc_message, grpc_message);
	assert_true(stream->closed);
}

/* ---- methods -------------------------------------------------------------------------- */

static void echo(struct es_rpc_call *call, struct es_slice request)
{
	uint8_t *out = es_rpc_send(call, request.len);

	pair_seen.messages++;
	if (out != NULL && request.len > 0)
		memcpy(out, request.data, request.len);
}

static void unary_echo(struct es_rpc_call *call, struct es_slice request)
{
	echo(call, request);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void hang(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	pair_seen.messages++;
	pair_seen.hung = call;
	if (pair_seen.hold)
		es_rpc_call_hold(call);
}

static void closed(struct es_rpc_call *call)
{
	assert_true(es_rpc_call_is_closed(call));
	pair_seen.closed++;
}

static void opened(struct es_rpc_call *call)
{
	pair_seen.opened++;
	pair_seen.hung = call;
}

static void half_closed(struct es_rpc_call *call)
{
	pair_seen.half_closed++;
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void writable(struct es_rpc_call *call)
{
	(void)call;
	pair_seen.writable++;
}

static void count(struct es_rpc_call *call, struct es_slice request)
{
	char text[16] = "";
	long n;

	pair_seen.messages++;
	memcpy(text, request.data, request.len < 15 ? request.len : 15);
	n = strtol(text, NULL, 10);
	for (long i = 0; i < n; i++) {
		uint8_t *out = es_rpc_send(call, 1000);

		if (out == NULL)
			return;
		memset(out, (int)('a' + i % 26), 1000);
	}
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static const struct es_rpc_method methods[] = {
	{.service = "t.S", .name = "Echo", .kind = ES_RPC_UNARY, .message = unary_echo},
	{.service = "t.S", .name = "Hang", .kind = ES_RPC_UNARY, .message = hang, .closed = closed},
	{.service = "t.S",
	 .name = "Count",
	 .kind = ES_RPC_SERVER_STREAM,
	 .message = count,
	 .closed = closed},
	{.service = "t.S",
	 .name = "Bidi",
	 .kind = ES_RPC_BIDI,
	 .opened = opened,
	 .message = echo,
	 .half_closed = half_closed,
	 .writable = writable,
	 .closed = closed},
};

static int on_start(void *ctx, struct es_rpc_call *call, const struct es_rpc_method *method)
{
	(void)ctx;
	assert_ptr_equal(es_rpc_call_method(call), method);
	if (pair_seen.refuse == 0)
		pair_seen.started++;
	return pair_seen.refuse;
}

static void on_message(void *ctx, const struct es_rpc_method *method, bool received, size_t bytes)
{
	(void)ctx;
	(void)method;
	if (received)
		pair_seen.received_bytes += bytes;
	else
		pair_seen.sent_bytes += bytes;
}

static void on_finish(void *ctx, const struct es_rpc_method *method, enum es_grpc_code code,
		      uint64_t duration_us)
{
	(void)ctx;
	(void)method;
	pair_seen.finished++;
	pair_seen.duration_us = duration_us;
	pair_seen.finish_code = code;
}

int pair_register(struct pair *pair)
{
	es_rpc_set_hooks(pair->server,
			 &(struct es_rpc_hooks){on_start, on_message, on_finish, NULL});
	return es_rpc_register(pair->server, methods, ES_ARRAY_LEN(methods), pair);
}
