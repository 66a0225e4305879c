/*
 * A server to test the wire with: echo methods of each kind, and some HTTP handlers. Prints
 *"listening <port>" for each listener, serves until SIGTERM (drains), a second SIGTERM ends the
 *grace time, and fails when anything is left open.
 *
 *	rpc_echo [--port N] [--unix path] [--option value ...]
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/assert.h"
#include "rpc/rpc.h"

static uv_loop_t loop;
static uv_signal_t term_signal;
static struct es_rpc_server *server;
static uint64_t grace_ms = 5000;
static bool stopping;

/* ---- methods -------------------------------------------------------------------------- */

static void echo_message(struct es_rpc_call *call, struct es_slice request)
{
	uint8_t *out = es_rpc_send(call, request.len);

	if (out == NULL)
		return;
	if (request.len > 0)
		memcpy(out, request.data, request.len);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

/* Never answers by itself. */
static void hang_message(struct es_rpc_call *call, struct es_slice request)
{
	(void)call;
	(void)request;
}

/* An error whose text is the request. */
static void fail_message(struct es_rpc_call *call, struct es_slice request)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)(request.len < 200 ? request.len : 200),
		 (const char *)request.data);
	es_rpc_finish(call, ES_GRPC_FAILED_PRECONDITION, text);
}

/* The request is a decimal number of messages, each of 100 bytes. */
static void count_message(struct es_rpc_call *call, struct es_slice request)
{
	char text[16] = "";
	long count;

	memcpy(text, request.data, request.len < 15 ? request.len : 15);
	count = strtol(text, NULL, 10);
	for (long i = 0; i < count; i++) {
		uint8_t *out = es_rpc_send(call, 100);

		if (out == NULL)
			return;
		memset(out, (int)('a' + i % 26), 100);
	}
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

struct large_body {
	struct es_rpc_body body;
	struct es_rpc_call *call;
	uint64_t at;
};

static ptrdiff_t large_produce(struct es_rpc_body *body, uint8_t *out, size_t cap)
{
	struct large_body *large = ES_CONTAINER_OF(body, struct large_body, body);
	size_t n = cap < 5000 ? cap : 5000;

	if (n > body->size - large->at)
		n = (size_t)(body->size - large->at);
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((large->at + i) % 251);
	large->at += n;
	return (ptrdiff_t)n;
}

static void large_done(struct es_rpc_body *body)
{
	struct large_body *large = ES_CONTAINER_OF(body, struct large_body, body);

	es_rpc_call_release(large->call);
}

/* The request is the decimal size of the answer, which is produced as it goes out. */
static void large_message(struct es_rpc_call *call, struct es_slice request)
{
	struct large_body *large = es_arena_calloc(es_rpc_call_arena(call), 1, sizeof(*large));
	char text[24] = "";

	if (large == NULL) {
		es_rpc_finish_status(call, ES_ENOMEM);
		return;
	}
	memcpy(text, request.data, request.len < 23 ? request.len : 23);
	large->body = (struct es_rpc_body){strtoull(text, NULL, 10), large_produce, large_done};
	large->call = call;
	es_rpc_call_hold(call);
	if (es_rpc_send_body(call, &large->body) == 0)
		es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void bidi_message(struct es_rpc_call *call, struct es_slice request)
{
	uint8_t *out = es_rpc_send(call, request.len);

	if (out != NULL && request.len > 0)
		memcpy(out, request.data, request.len);
}

static void bidi_half_closed(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static const struct es_rpc_method methods[] = {
	{.service = "test.Echo", .name = "Unary", .kind = ES_RPC_UNARY, .message = echo_message},
	{.service = "test.Echo", .name = "Hang", .kind = ES_RPC_UNARY, .message = hang_message},
	{.service = "test.Echo", .name = "Fail", .kind = ES_RPC_UNARY, .message = fail_message},
	{.service = "test.Echo",
	 .name = "Count",
	 .kind = ES_RPC_SERVER_STREAM,
	 .message = count_message},
	{.service = "test.Echo",
	 .name = "Large",
	 .kind = ES_RPC_SERVER_STREAM,
	 .message = large_message},
	{.service = "test.Echo",
	 .name = "Bidi",
	 .kind = ES_RPC_BIDI,
	 .message = bidi_message,
	 .half_closed = bidi_half_closed},
};

/* ---- plain HTTP ----------------------------------------------------------------------- */

/* What the request was, as text. */
static void show(void *ctx, struct es_http_request *request)
{
	struct es_slice value = es_http_path(request);
	char text[1000];
	int len = snprintf(text, sizeof(text), "path=%.*s", (int)value.len,
			   (const char *)value.data);

	(void)ctx;
	for (size_t n = 0; n < 3 && es_http_query(request, "q", n, &value); n++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " q%zu=%.*s", n,
				(int)value.len, (const char *)value.data);
	if (es_http_header(request, "x-test", &value))
		len += snprintf(text + len, sizeof(text) - (size_t)len, " x-test=%.*s",
				(int)value.len, (const char *)value.data);
	es_http_respond(request, 200, "text/plain", es_slice(text, (size_t)len));
}

static void post(void *ctx, struct es_http_request *request)
{
	(void)ctx;
	es_http_respond(request, 200, "application/octet-stream", es_http_body(request));
}

static void big(void *ctx, struct es_http_request *request)
{
	static char text[300000];

	(void)ctx;
	memset(text, 'x', sizeof(text));
	es_http_respond(request, 200, NULL, es_slice(text, sizeof(text)));
}

static void on_freed(uv_handle_t *handle)
{
	free(handle);
}

static void on_later(uv_timer_t *timer)
{
	es_http_respond(timer->data, 200, NULL, ES_SLICE("later\n"));
	uv_close((uv_handle_t *)timer, on_freed);
}

static void later(void *ctx, struct es_http_request *request)
{
	uv_timer_t *timer = malloc(sizeof(*timer));

	(void)ctx;
	uv_timer_init(&loop, timer);
	timer->data = request;
	uv_timer_start(timer, on_later, 300, 0);
}

static const struct es_http_handler handlers[] = {
	{.path = "/show", .prefix = true, .handle = show},
	{.path = "/post", .post = true, .handle = post},
	{.path = "/big", .handle = big},
	{.path = "/later", .handle = later},
};

/* ---- life ----------------------------------------------------------------------------- */

static void on_stopped(void *ctx)
{
	(void)ctx;
	uv_close((uv_handle_t *)&term_signal, NULL);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	es_rpc_server_stop(server, stopping ? 0 : grace_ms, on_stopped, NULL);
	stopping = true;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static void parse(int argc, char **argv, struct es_rpc_config *config, struct es_rpc_listen *listen)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"unix", required_argument, NULL, 'u'},
		{"host", required_argument, NULL, 'h'},
		{"message-max", required_argument, NULL, 'm'},
		{"queue-max", required_argument, NULL, 'q'},
		{"streams", required_argument, NULL, 's'},
		{"min-time", required_argument, NULL, 't'},
		{"interval", required_argument, NULL, 'i'},
		{"timeout", required_argument, NULL, 'o'},
		{"idle", required_argument, NULL, 'd'},
		{"grace", required_argument, NULL, 'g'},
		{"faces", required_argument, NULL, 'f'},
		{"request-max", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p': listen->port = (uint16_t)number(optarg); break;
		case 'u': listen->unix_path = optarg; break;
		case 'h': listen->host = optarg; break;
		case 'm': config->recv_message_bytes_max = number(optarg); break;
		case 'q': config->conn_queue_bytes_max = number(optarg); break;
		case 'r': config->conn_request_bytes_max = number(optarg); break;
		case 's': config->max_concurrent_streams = (uint32_t)number(optarg); break;
		case 't': config->keepalive_min_time_ms = number(optarg); break;
		case 'i': config->keepalive_interval_ms = number(optarg); break;
		case 'o': config->keepalive_timeout_ms = number(optarg); break;
		case 'd': config->http1_idle_ms = number(optarg); break;
		case 'g': grace_ms = number(optarg); break;
		case 'f': listen->faces = (unsigned)number(optarg); break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct es_rpc_config config = {
		.mem = es_mem_default(),
		.env = es_env_system(),
		.loop = &loop,
		.max_concurrent_streams = UINT32_MAX,
		.recv_message_bytes_max = (size_t)2 << 20,
		.conn_queue_bytes_max = (size_t)4 << 20,
		.keepalive_min_time_ms = 5000,
		.keepalive_interval_ms = 7200 * 1000,
		.keepalive_timeout_ms = 20 * 1000,
		.http1_idle_ms = 30 * 1000,
	};
	struct es_rpc_listen listen = {.host = "127.0.0.1",
				       .faces = ES_RPC_FACE_GRPC | ES_RPC_FACE_HTTP};
	char errmsg[256];
	uint16_t port;

	parse(argc, argv, &config, &listen);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	uv_loop_init(&loop);
	if (es_rpc_server_new(&config, &server) < 0 ||
	    es_rpc_register(server, methods, ES_ARRAY_LEN(methods), NULL) < 0 ||
	    es_http_register(server, handlers, ES_ARRAY_LEN(handlers), NULL) < 0 ||
	    es_rpc_register_reflection(server) < 0) {
		fprintf(stderr, "no memory\n");
		return 1;
	}
	if (es_rpc_server_listen(server, &listen, &port, errmsg, sizeof(errmsg)) < 0) {
		fprintf(stderr, "%s\n", errmsg);
		return 1;
	}
	uv_signal_init(&loop, &term_signal);
	uv_signal_start(&term_signal, on_signal, SIGTERM);
	printf("listening %u\n", port);
	fflush(stdout);
	uv_run(&loop, UV_RUN_DEFAULT);
	es_rpc_server_free(server);
	if (uv_loop_close(&loop) != 0) {
		fprintf(stderr, "the loop is not empty\n");
		return 1;
	}
	return 0;
}
