/*
 * What a client may send, as raw bytes: HTTP/1.1 or HTTP/2, whole and in pieces, to a server with
 * echo methods, some through JSON too, and handlers. The first byte is the length of the pieces (0:
 * whole). The second says what the listener shows (modulo 3), and when memory runs out for a moment
 * (0: never). The rest is what the client sends. What it takes goes through buffers of random sizes,
 * seeded by the input. Nothing may be left when the connection is gone.
 */
#include "base/assert.h"
#include "base/rng.h"
#include "rpc/gateway.h"
#include "rpc/internal.h"
#include "wire/json.h"
#include "wire/resource_store.pb-c.h"

#define CAP_MAX ((size_t)256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void echo(struct es_rpc_call *call, struct es_slice request)
{
	uint8_t *out = es_rpc_send(call, request.len);

	if (out != NULL && request.len > 0)
		memcpy(out, request.data, request.len);
}

static void unary(struct es_rpc_call *call, struct es_slice request)
{
	echo(call, request);
	es_rpc_finish(call, request.len % 2 == 0 ? ES_GRPC_OK : ES_GRPC_UNKNOWN, "odd");
}

/* As many bytes as the first three of the request say, at most 512 KiB. */
static void large(struct es_rpc_call *call, struct es_slice request)
{
	size_t size = 0;
	uint8_t *out;

	for (size_t i = 0; i < 3 && i < request.len; i++)
		size = size << 8 | request.data[i];
	size &= ((size_t)1 << 19) - 1;
	out = es_rpc_send(call, size);
	if (out != NULL)
		memset(out, 'l', size);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void hang(struct es_rpc_call *call, struct es_slice request)
{
	(void)call;
	(void)request;
}

/* The request several times; an odd one goes on for ever. */
static void stream(struct es_rpc_call *call, struct es_slice request)
{
	for (int i = 0; i < 5; i++)
		echo(call, request);
	if (request.len % 2 == 0)
		es_rpc_finish(call, request.len == 0 ? ES_GRPC_OK : ES_GRPC_ABORTED, "even");
}

static void writable(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void half_closed(struct es_rpc_call *call)
{
	es_rpc_finish_status(call, 0);
}

static const struct es_rpc_method methods[] = {
	{.service = "t.S", .name = "Echo", .kind = ES_RPC_UNARY, .message = unary},
	{.service = "t.S", .name = "Large", .kind = ES_RPC_UNARY, .message = large},
	{.service = "t.S", .name = "Hang", .kind = ES_RPC_SERVER_STREAM, .message = hang},
	{.service = "t.S",
	 .name = "Stream",
	 .kind = ES_RPC_SERVER_STREAM,
	 .message = stream,
	 .writable = writable},
	{.service = "t.S",
	 .name = "Bidi",
	 .kind = ES_RPC_BIDI,
	 .message = echo,
	 .half_closed = half_closed},
};

static const char *const json_fields[] = {"value", NULL};
static const struct es_wire_json_options json = {json_fields, true};
#define PUT &engenho__v1__put_request__descriptor
static const struct es_rpc_route routes[] = {
	{"echo", "/t.S/Echo", PUT, PUT},
	{"hang", "/t.S/Hang", PUT, PUT},
	{"stream", "/t.S/Stream", PUT, PUT},
};
static const struct es_rpc_gateway gateway = {"/g/", routes, ES_ARRAY_LEN(routes), &json};

static void answer(void *ctx, struct es_http_request *request)
{
	struct es_slice value = es_http_path(request);

	(void)ctx;
	if (!es_http_query(request, "q", 0, &value))
		(void)es_http_header(request, "x", &value);
	es_http_respond(request, 200, NULL, value.len > 0 ? value : es_http_body(request));
}

static const struct es_http_handler handlers[] = {
	{.path = "/get", .prefix = true, .handle = answer},
	{.path = "/post", .post = true, .handle = answer},
};

static uint64_t now_ms(void *ctx)
{
	return *(uint64_t *)ctx;
}

static void produce(struct es_rpc_conn *conn, struct es_rng *caps)
{
	static uint8_t out[CAP_MAX];
	size_t cap, len;

	do {
		cap = ES_NET_PRODUCE_MIN + es_rng_below(caps, CAP_MAX - ES_NET_PRODUCE_MIN + 1);
		len = es_rpc_conn_produce(conn, out, cap);
		ES_ASSERT(len <= cap);
	} while (len > 0);
}

static void feed(struct es_rpc_conn *conn, struct es_rng *caps, const uint8_t *data, size_t size,
		 size_t piece)
{
	while (size > 0) {
		size_t len = size < piece ? size : piece;

		es_rpc_conn_receive(conn, data, len);
		produce(conn, caps);
		data += len;
		size -= len;
	}
}

static void serve(struct es_rpc_server *server, struct es_rpc_conn *conn, uint64_t *clock,
		  const uint8_t *data, size_t size)
{
	struct es_rng caps;

	es_rng_init(&caps, size + data[size - 1]);
	feed(conn, &caps, data + 2, size - 2, data[0] == 0 ? SIZE_MAX : data[0]);
	*clock += 40000;
	es_rpc_server_tick(server, *clock);
	produce(conn, &caps);
	es_rpc_conn_drain(conn);
	produce(conn, &caps);
	es_rpc_conn_free(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t clock = 1000;
	struct es_fault_mem fault;
	struct es_env env = {now_ms, now_ms, NULL, &clock, NULL};
	struct es_rpc_config config = {
		.mem = &fault.mem,
		.env = &env,
		.max_concurrent_streams = 100,
		.recv_message_bytes_max = 300000,
		.conn_queue_bytes_max = 300000,
		.conn_request_bytes_max = 1000000,
		.keepalive_min_time_ms = 5000,
		.http1_idle_ms = 30000,
	};
	struct es_rpc_face face;
	struct es_rpc_server *server;
	struct es_rpc_conn *conn;

	if (size < 2)
		return 0;
	es_fault_mem_init(&fault, data[1] / 3 == 0 ? UINT64_MAX : data[1] / 3 * 8U);
	face = (struct es_rpc_face){data[1] % 3 == 0 ? 3U : data[1] % 3, NULL};
	if (es_rpc_server_new(&config, &server) == 0) {
		if (es_rpc_register(server, methods, ES_ARRAY_LEN(methods), NULL) == 0 &&
		    es_http_register(server, handlers, ES_ARRAY_LEN(handlers), NULL) == 0 &&
		    es_rpc_gateway_register(server, &gateway) == 0 &&
		    es_rpc_conn_new(server, &face, NULL, &conn) == 0)
			serve(server, conn, &clock, data, size);
		es_rpc_server_free(server);
	}
	ES_ASSERT(fault.live == 0);
	return 0;
}
