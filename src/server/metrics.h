#ifndef ES_SERVER_METRICS_H
#define ES_SERVER_METRICS_H

#include "engine/engine.h"
#include "rpc/rpc.h"
#include "server/process.h"

/*
 * What Prometheus reads, under etcd's names, with etcd's types and labels, so that its
 * dashboards and alerts work. Counts of calls are kept here, fed by the hooks of the RPC server;
 * everything else is asked of the modules when somebody reads. Loop thread only.
 */
struct es_metrics;

struct es_metrics_config {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	bool extensive;        /* --metrics=extensive: histograms of all calls */
	uint64_t slow_call_us; /* unary calls that take longer are logged, a few a second */
	const char *version;   /* our own */
};

/* `config` is copied, its pointers are borrowed. ES_ENOMEM. */
int es_metrics_new(const struct es_metrics_config *config, struct es_metrics **ret_metrics);
/* NULL is allowed. */
void es_metrics_free(struct es_metrics *metrics);

/* Valid as long as the object. */
const struct es_rpc_hooks *es_metrics_hooks(const struct es_metrics *metrics);

enum es_health_check {
	ES_HEALTH_LIVEZ_SERIALIZABLE_READ,
	ES_HEALTH_READYZ_DATA_CORRUPTION,
	ES_HEALTH_READYZ_SERIALIZABLE_READ,
	ES_HEALTH_READYZ_LINEARIZABLE_READ,
	ES_HEALTH_READYZ_NON_LEARNER,
	ES_HEALTH_CHECKS,
};
/* The outcome of one check of /livez or /readyz, and of /health as a whole. */
void es_metrics_count_check(struct es_metrics *metrics, enum es_health_check check, bool ok);
void es_metrics_count_health(struct es_metrics *metrics, bool ok);

/* What is asked of the modules. */
struct es_metrics_sources {
	struct es_engine_stats engine;
	struct es_consensus_stats consensus;
	struct es_rpc_stats rpc;
	struct es_process_stats process;
	uint64_t member_id;
	const struct es_alarm *alarms;
	size_t alarm_count;
	bool cluster_version_known;
};

/* The whole text is appended. ES_ENOMEM. */
int es_metrics_text(const struct es_metrics *metrics, const struct es_metrics_sources *sources,
		    struct es_buf *out);

#endif
