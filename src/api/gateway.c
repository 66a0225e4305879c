#include "api/internal.h"
#include "rpc/gateway.h"
#include "wire/json.h"
#include "wire/resource_store.pb-c.h"

/* The methods that plain HTTP with JSON reaches too. */

#define ROUTE(name, asked, answered)                                         \
	{                                                                    \
		.path = #name, .method = "/engenho.v1.ResourceStore/" #name, \
		.request = &engenho__v1__##asked##_request__descriptor,      \
		.answer = &engenho__v1__##answered##_response__descriptor,   \
	}

static const struct es_rpc_route resource_routes[] = {
	ROUTE(Put, put, write),     ROUTE(Patch, patch, write), ROUTE(Delete, delete, write),
	ROUTE(Txn, txn, write),     ROUTE(Get, get, get),       ROUTE(List, list, list),
	ROUTE(Watch, watch, watch),
};

static const char *const resource_json_fields[] = {"value", "patch", NULL};
static const struct es_wire_json_options resource_json = {resource_json_fields, true};

static const struct es_rpc_gateway resource_gateway = {
	"/engenho/v1/", resource_routes, ES_ARRAY_LEN(resource_routes), &resource_json};

int es_api_gateway_register(struct es_api *api)
{
	return es_rpc_gateway_register(api->server, &resource_gateway);
}
