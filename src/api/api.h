#ifndef ES_API_API_H
#define ES_API_API_H

#include "engine/engine.h"
#include "rpc/rpc.h"

/*
 * etcd's services over the engine: each handler decodes, validates with etcd's checks and texts,
 * calls the engine and encodes the answer. Loop thread only.
 */
struct es_api;

struct es_api_config {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	struct uv_loop_s *loop;
	uint64_t max_request_bytes;
	uint32_t max_txn_ops;
	uint64_t watch_progress_interval_ms; /* --watch-progress-notify-interval; 0: ten minutes */
	const char *version; /* as Maintenance.Status tells it: the etcd version we stand for */
};

/* Registers KV, Watch, Lease, Cluster, Maintenance, Auth, Lock, Election, grpc.health.v1 and
 * engenho.v1.ResourceStore with the server, the last also for plain HTTP with JSON (/engenho/v1/).
 * The engine and the server are borrowed. ES_ENOMEM. */
int es_api_register(struct es_rpc_server *server, struct es_engine *engine,
		    const struct es_api_config *config, struct es_api **ret_api);

/* Whether grpc.health.v1 says SERVING; changes are told to its watchers. */
void es_api_set_serving(struct es_api *api, bool serving);

/* Before the engine is closed, with which the operations end that are still under way: ends timers.
 * The loop must run once more afterwards for `closed`. All calls are closed by then
 * (es_rpc_server_stop). */
void es_api_close(struct es_api *api, void (*closed)(void *ctx), void *ctx);

#endif
