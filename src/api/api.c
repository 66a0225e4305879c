#include "api/internal.h"

/* Registration, and the clock that all services share. */
#define TICK_MS 50

bool es_api_has_leader(const struct es_api *api)
{
	return es_consensus_leader_id(es_engine_consensus(api->engine)) != 0;
}

bool es_api_wants_leader(const struct es_rpc_call *call)
{
	struct es_slice value;

	return es_rpc_call_metadata(call, "hasleader", &value) &&
	       es_slice_eq(value, ES_SLICE("true"));
}

static void on_tick(uv_timer_t *timer)
{
	struct es_api *api = timer->data;
	uint64_t now_ms = api->config.env->now_ms(api->config.env->ctx);
	uint64_t patience_ms = 3 * (uint64_t)es_engine_config(api->engine)->election_ms;

	if (es_api_has_leader(api))
		api->leader_seen_ms = now_ms;
	es_api_kv_tick(api, now_ms);
	es_api_watch_tick(api, now_ms, now_ms - api->leader_seen_ms > patience_ms);
}

int es_api_register(struct es_rpc_server *server, struct es_engine *engine,
		    const struct es_api_config *config, struct es_api **ret_api)
{
	static int (*const services[])(struct es_api * api) = {
		es_api_kv_register,      es_api_watch_register,
		es_api_lease_register,   es_api_maintenance_register,
		es_api_cluster_register, es_api_auth_register,
		es_api_lock_register,    es_api_election_register,
		es_api_health_register,  es_api_resource_store_register,
		es_api_gateway_register,
	};
	const struct es_typed_config typed = {
		.mem = config->mem, .env = config->env, .loop = config->loop, .engine = engine};
	struct es_api *api = es_calloc(config->mem, 1, sizeof(*api));
	int rc = 0;

	if (api == NULL)
		return ES_ENOMEM;
	api->config = *config;
	api->engine = engine;
	api->server = server;
	es_queue_init(&api->watch_streams);
	es_queue_init(&api->ready_streams);
	es_queue_init(&api->ready_waiters);
	es_queue_init(&api->pinned_answers);
	es_queue_init(&api->health_watchers);
	es_queue_init(&api->resource_watches);
	for (size_t i = 0; i < ES_ARRAY_LEN(services) && rc == 0; i++)
		rc = services[i](api);
	if (rc == 0)
		rc = es_typed_new(&typed, &api->typed);
	if (rc < 0) {
		es_free(config->mem, api);
		return rc;
	}
	api->leader_seen_ms = config->env->now_ms(config->env->ctx);
	(void)uv_timer_init(config->loop, &api->timer);
	(void)uv_idle_init(config->loop, &api->watch_idle);
	api->timer.data = api;
	api->watch_idle.data = api;
	api->handles_open = 3; /* and the typed layer, which has its own */
	(void)uv_timer_start(&api->timer, on_tick, TICK_MS, TICK_MS);
	*ret_api = api;
	return 0;
}

static void one_closed(struct es_api *api)
{
	void (*closed)(void *ctx) = api->closed;
	void *ctx = api->closed_ctx;

	if (--api->handles_open > 0)
		return;
	es_free(api->config.mem, api);
	closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
	one_closed(handle->data);
}

static void on_typed_closed(void *ctx)
{
	one_closed(ctx);
}

void es_api_close(struct es_api *api, void (*closed)(void *ctx), void *ctx)
{
	ES_ASSERT(es_queue_empty(&api->watch_streams));
	ES_ASSERT(es_queue_empty(&api->pinned_answers));
	ES_ASSERT(es_queue_empty(&api->ready_waiters));
	ES_ASSERT(es_queue_empty(&api->resource_watches));
	api->closed = closed;
	api->closed_ctx = ctx;
	uv_close((uv_handle_t *)&api->timer, on_handle_closed);
	uv_close((uv_handle_t *)&api->watch_idle, on_handle_closed);
	es_typed_close(api->typed, on_typed_closed, api);
}
