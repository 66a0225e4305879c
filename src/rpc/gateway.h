#ifndef ES_RPC_GATEWAY_H
#define ES_RPC_GATEWAY_H

#include "rpc/rpc.h"

/*
 * gRPC methods for clients that speak plain HTTP and JSON, so that curl is enough: POST to a path below `prefix`, the
 * request message as JSON in the body (wire/json.h; an empty body is an empty message), over HTTP/1.1 and HTTP/2, on
 * every listener with the HTTP face. Handlers and hooks do not see a difference; the metadata of a call are the fields
 * of its request.
 *
 * Unary: 200 and the answer as one line of JSON, or the HTTP status that belongs to the gRPC code, and
 *
 *	{"error":TEXT,"code":NUMBER,"message":TEXT}
 *
 * Server-streaming: 200 and one line for each message, as it comes; a failure behind the first of them is a last line
 * like that above, one before it has its HTTP status. Chunked in HTTP/1.1, up to the end of the connection in HTTP/1.0.
 * The field Grpc-Timeout ("5S") sets a deadline. What is not served says so in the same form: other methods than POST
 * (405), paths without a route (404), too large a body (413), broken HTTP (400), and what the page of another origin
 * sends with a browser (403): its Origin is not the request's host, or its Sec-Fetch-Site neither same-origin nor none.
 *
 * Sources: unary calls are as with grpc-gateway, by which etcd serves /v3/. Its streams are not: there each line is
 * {"result":MESSAGE} or {"error":{...}}. /v3/ will need that as a setting of the table, and bidirectional methods, as
 * its watches and the keeping alive of leases are.
 */
struct ProtobufCMessageDescriptor;
struct es_wire_json_options;

struct es_rpc_route {
	const char *path; /* below the prefix: "Put" */
	const char *
		method; /* "/engenho.v1.ResourceStore/Put"; not bidirectional, answers with es_rpc_send */
	const struct ProtobufCMessageDescriptor *request, *answer;
};

struct es_rpc_gateway {
	const char *prefix; /* "/engenho/v1/": what is below it and no route is answered with 404 */
	const struct es_rpc_route *routes;
	size_t route_count;
	const struct es_wire_json_options *json;
};

/* The methods are registered before (asserted). The table is borrowed for the server's life. ES_ENOMEM. */
int es_rpc_gateway_register(struct es_rpc_server *server, const struct es_rpc_gateway *gateway);

#endif
