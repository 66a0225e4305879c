#include "api/internal.h"
#include "wire/health.pb-c.h"

/* grpc.health.v1: SERVING while the member has a leader and its state is whole. Known services: the
 * server as a whole and etcd's, which it reports under the name "etcdserverpb.Health". */

struct health_watcher {
	struct es_queue link;
	struct es_rpc_call *call;
};

static bool known(const char *service)
{
	return service[0] == '\0' || strcmp(service, "etcdserverpb.Health") == 0;
}

static void fill(const struct es_api *api, Grpc__Health__V1__HealthCheckResponse *answer)
{
	answer->status =
		api->serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			     : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

static void health_check(struct es_rpc_call *call, struct es_slice request)
{
	Grpc__Health__V1__HealthCheckRequest *asked = es_api_decode(
		call, &grpc__health__v1__health_check_request__descriptor, request);
	Grpc__Health__V1__HealthCheckResponse answer =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	if (asked == NULL)
		return;
	if (!known(asked->service)) {
		es_rpc_finish(call, ES_GRPC_NOT_FOUND, "unknown service");
		return;
	}
	fill(es_rpc_call_ctx(call), &answer);
	es_api_reply(call, &answer.base);
}

static void health_watch(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Grpc__Health__V1__HealthCheckRequest *asked = es_api_decode(
		call, &grpc__health__v1__health_check_request__descriptor, request);
	Grpc__Health__V1__HealthCheckResponse answer =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct health_watcher *watcher = asked == NULL ? NULL
						       : es_api_alloc(call, 1, sizeof(*watcher));

	if (watcher == NULL)
		return;
	watcher->call = call;
	es_queue_init(&watcher->link);
	es_rpc_call_set_data(call, watcher);
	fill(api, &answer);
	/* The stream stays open: a service may become known later, but ours never do. */
	if (known(asked->service))
		es_queue_push(&api->health_watchers, &watcher->link);
	else
		answer.status =
			GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	if (!es_api_send(call, &answer.base))
		es_queue_remove(&watcher->link);
}

static void health_closed(struct es_rpc_call *call)
{
	struct health_watcher *watcher = es_rpc_call_data(call);

	if (watcher != NULL)
		es_queue_remove(&watcher->link);
}

void es_api_set_serving(struct es_api *api, bool serving)
{
	Grpc__Health__V1__HealthCheckResponse answer =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct es_queue *link = api->health_watchers.next;

	if (serving == api->serving)
		return;
	api->serving = serving;
	fill(api, &answer);
	while (link != &api->health_watchers) {
		struct health_watcher *watcher = ES_QUEUE_ITEM(link, struct health_watcher, link);

		link = link->next;
		if (!es_api_send(watcher->call, &answer.base))
			es_queue_remove(&watcher->link); /* failed: `closed` does not follow */
	}
}

int es_api_health_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "grpc.health.v1.Health",
		 .name = "Check",
		 .kind = ES_RPC_UNARY,
		 .message = health_check},
		{.service = "grpc.health.v1.Health",
		 .name = "Watch",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = health_watch,
		 .closed = health_closed},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
