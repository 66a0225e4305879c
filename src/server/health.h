#ifndef ES_SERVER_HEALTH_H
#define ES_SERVER_HEALTH_H

#include "server/metrics.h"

/*
 * The plain HTTP faces: /version, /health (serializable, exclude), /livez and /readyz (a check
 * below them, verbose, exclude) and /metrics, with etcd's texts and codes. Loop thread only.
 */
struct es_health;

struct es_health_config {
	const struct es_mem *mem;
	const struct es_log *log;
	struct es_engine *engine;     /* borrowed; answered until es_health_free */
	struct es_rpc_server *server; /* borrowed */
	struct es_metrics *metrics;   /* borrowed */
	const char *version;          /* our own */
};

/* What --listen-metrics-urls shows. */
extern const char *const es_health_metrics_paths[];

/* Registers the handlers. ES_ENOMEM. */
int es_health_new(const struct es_health_config *config, struct es_health **ret_health);
/* After the server was stopped and the engine closed: then no read is waited for. NULL is
 * allowed. */
void es_health_free(struct es_health *health);

/* A leader was there: the version of the cluster is known. */
void es_health_set_ready(struct es_health *health);

#endif
