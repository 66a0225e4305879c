#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "server/version.h"

/*
 * A call costs a hash lookup by the method's address and a few additions, as there can be half a
 * million calls a second. The methods are those of static tables, so there are few of them and
 * they never go.
 */
enum {
	METHODS_MAX = 256, /* slots; a power of two, well above the number of methods */
	CODES = 17,
	REQUEST_BUCKETS = 14, /* 1 ms doubling, as etcd's histograms of requests and disks */
	HANDLING_BUCKETS = 11,
	CLIENT_VERSIONS_MAX = 16, /* more are counted together: the text comes from outside */
	SLOW_LOGS_PER_SECOND = 10,
};

static const uint64_t handling_bounds_us[HANDLING_BUCKETS] = {
	5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
static const char *const handling_bounds[HANDLING_BUCKETS] = {
	"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"};
static const char *const doubling_bounds[REQUEST_BUCKETS] = {
	"0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064",
	"0.128", "0.256", "0.512", "1.024", "2.048", "4.096", "8.192"};
static const char *const code_names[CODES] = {
	"OK",
	"Canceled",
	"Unknown",
	"InvalidArgument",
	"DeadlineExceeded",
	"NotFound",
	"AlreadyExists",
	"PermissionDenied",
	"ResourceExhausted",
	"FailedPrecondition",
	"Aborted",
	"OutOfRange",
	"Unimplemented",
	"Internal",
	"Unavailable",
	"DataLoss",
	"Unauthenticated",
};

/* Counts of each bucket alone, the last one for what is above all bounds; they are summed up
 * when they are printed. */
struct histogram {
	uint64_t bucket[REQUEST_BUCKETS + 1];
	uint64_t count, sum_us;
};

struct method_stats {
	const struct es_rpc_method *method;
	const char *request_type; /* of etcd_server_request_duration_seconds, or NULL */
	uint64_t started, received, sent;
	uint64_t handled[CODES];
	struct histogram request[2]; /* failed, succeeded */
	struct histogram handling;
};

struct client_version {
	char name[24];
	size_t name_len;
	uint64_t calls[2]; /* unary, streams */
};

struct es_metrics {
	struct es_metrics_config config;
	struct es_rpc_hooks hooks;
	struct method_stats *methods[METHODS_MAX];
	uint64_t bytes_received, bytes_sent;
	struct client_version versions[CLIENT_VERSIONS_MAX];
	size_t version_count;
	uint64_t checks[ES_HEALTH_CHECKS][2];
	bool check_ok[ES_HEALTH_CHECKS];
	uint64_t health[2];
	uint64_t slow_second;
	unsigned slow_logged;
};

/* ---- counting -------------------------------------------------------------------------------- */

static const char *request_type(const struct es_rpc_method *method)
{
	static const struct {
		const char *service, *name, *type;
	} types[] = {
		{"etcdserverpb.KV", "Range", "Range"},
		{"etcdserverpb.KV", "Put", "Put"},
		{"etcdserverpb.KV", "DeleteRange", "DeleteRange"},
		{"etcdserverpb.KV", "Txn", "Txn"},
		{"etcdserverpb.KV", "Compact", "Compaction"},
		{"etcdserverpb.Lease", "LeaseGrant", "LeaseGrant"},
		{"etcdserverpb.Lease", "LeaseRevoke", "LeaseRevoke"},
		{"etcdserverpb.Maintenance", "Alarm", "Alarm"},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(types); i++)
		if (strcmp(method->service, types[i].service) == 0 &&
		    strcmp(method->name, types[i].name) == 0)
			return types[i].type;
	return NULL;
}

static struct method_stats *stats_of(struct es_metrics *m, const struct es_rpc_method *method)
{
	size_t slot = ((uintptr_t)method / sizeof(*method) * 0x9e3779b1U) % METHODS_MAX;
	struct method_stats *stats;

	for (size_t probes = 0; probes < METHODS_MAX; probes++, slot = (slot + 1) % METHODS_MAX) {
		stats = m->methods[slot];
		if (stats != NULL && stats->method == method)
			return stats;
		if (stats != NULL)
			continue;
		stats = es_calloc(m->config.mem, 1, sizeof(*stats));
		if (stats == NULL)
			return NULL; /* a call goes uncounted */
		stats->method = method;
		stats->request_type = request_type(method);
		m->methods[slot] = stats;
		return stats;
	}
	return NULL;
}

static void observe_doubling(struct histogram *h, uint64_t us)
{
	size_t bucket = 0;

	for (uint64_t bound = 1000; bucket < REQUEST_BUCKETS && us > bound; bound *= 2)
		bucket++;
	h->bucket[bucket]++;
	h->count++;
	h->sum_us += us;
}

static void observe_handling(struct histogram *h, uint64_t us)
{
	size_t bucket = 0;

	while (bucket < HANDLING_BUCKETS && us > handling_bounds_us[bucket])
		bucket++;
	h->bucket[bucket]++;
	h->count++;
	h->sum_us += us;
}

static void count_version(struct es_metrics *m, struct es_slice name, bool stream)
{
	struct client_version *v = m->versions;
	const struct client_version *end = v + m->version_count;

	if (name.len >= sizeof(v->name))
		name = ES_SLICE("other");
	for (; v < end; v++)
		if (v->name_len == name.len && memcmp(v->name, name.data, name.len) == 0)
			break;
	if (v == end && m->version_count == CLIENT_VERSIONS_MAX) {
		v = &m->versions[CLIENT_VERSIONS_MAX - 1];
	} else if (v == end) {
		m->version_count++;
		if (m->version_count == CLIENT_VERSIONS_MAX)
			name = ES_SLICE("other");
		memcpy(v->name, name.data, name.len);
		v->name_len = name.len;
	}
	v->calls[stream]++;
}

static int call_started(void *ctx, struct es_rpc_call *call, const struct es_rpc_method *method)
{
	struct es_metrics *m = ctx;
	struct method_stats *stats = stats_of(m, method);
	struct es_slice version = ES_SLICE("unknown");

	if (stats != NULL)
		stats->started++;
	(void)es_rpc_call_metadata(call, "client-api-version", &version);
	count_version(m, version, method->kind != ES_RPC_UNARY);
	return 0;
}

static void message_passed(void *ctx, const struct es_rpc_method *method, bool received,
			   size_t bytes)
{
	struct es_metrics *m = ctx;
	struct method_stats *stats = stats_of(m, method);

	if (received)
		m->bytes_received += bytes;
	else
		m->bytes_sent += bytes;
	if (stats != NULL && received)
		stats->received++;
	else if (stats != NULL)
		stats->sent++;
}

static void log_slow(struct es_metrics *m, const struct es_rpc_method *method,
		     enum es_grpc_code code, uint64_t us)
{
	uint64_t second = m->config.env->now_ms(m->config.env->ctx) / 1000;

	if (second != m->slow_second) {
		m->slow_second = second;
		m->slow_logged = 0;
	}
	if (m->slow_logged++ >= SLOW_LOGS_PER_SECOND)
		return;
	es_log(m->config.log, ES_LOG_WARN, "request took too long",
	       ES_STR("service", method->service), ES_STR("method", method->name),
	       ES_UINT("took-us", us), ES_UINT("expected-us", m->config.slow_call_us),
	       ES_STR("code", code_names[code]));
}

static void call_finished(void *ctx, const struct es_rpc_method *method, enum es_grpc_code code,
			  uint64_t duration_us)
{
	struct es_metrics *m = ctx;
	struct method_stats *stats = stats_of(m, method);

	if ((unsigned)code >= CODES)
		code = ES_GRPC_UNKNOWN;
	if (method->kind == ES_RPC_UNARY && duration_us > m->config.slow_call_us)
		log_slow(m, method, code, duration_us);
	if (stats == NULL)
		return;
	stats->handled[code]++;
	if (stats->request_type != NULL)
		observe_doubling(&stats->request[code == ES_GRPC_OK], duration_us);
	if (m->config.extensive)
		observe_handling(&stats->handling, duration_us);
}

void es_metrics_count_check(struct es_metrics *metrics, enum es_health_check check, bool ok)
{
	metrics->checks[check][ok]++;
	metrics->check_ok[check] = ok;
}

void es_metrics_count_health(struct es_metrics *metrics, bool ok)
{
	metrics->health[ok]++;
}

int es_metrics_new(const struct es_metrics_config *config, struct es_metrics **ret_metrics)
{
	struct es_metrics *m = es_calloc(config->mem, 1, sizeof(*m));

	if (m == NULL)
		return ES_ENOMEM;
	m->config = *config;
	m->hooks = (struct es_rpc_hooks){call_started, message_passed, call_finished, m};
	*ret_metrics = m;
	return 0;
}

void es_metrics_free(struct es_metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (size_t i = 0; i < METHODS_MAX; i++)
		es_free(metrics->config.mem, metrics->methods[i]);
	es_free(metrics->config.mem, metrics);
}

const struct es_rpc_hooks *es_metrics_hooks(const struct es_metrics *metrics)
{
	return &metrics->hooks;
}

/* ---- the text -------------------------------------------------------------------------------- */

/* Appending goes on after a failure without doing anything, so that the caller checks once. */
struct writer {
	struct es_buf *out;
	int rc;
};

#define PRINT(w, ...)                                                   \
	do {                                                            \
		if ((w)->rc == 0)                                       \
			(w)->rc = es_buf_printf((w)->out, __VA_ARGS__); \
	} while (0)

static void head(struct writer *w, const char *name, const char *type, const char *help)
{
	PRINT(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct writer *w, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	head(w, name, type, help);
	PRINT(w, "%s %" PRIu64 "\n", name, value);
}

static void counter(struct writer *w, const char *name, const char *help, uint64_t value)
{
	single(w, name, "counter", help, value);
}

static void gauge(struct writer *w, const char *name, const char *help, uint64_t value)
{
	single(w, name, "gauge", help, value);
}

static void real(struct writer *w, const char *name, const char *type, const char *help,
		 double value)
{
	head(w, name, type, help);
	PRINT(w, "%s %.3f\n", name, value);
}

static void label(struct writer *w, const char *name, const char *help, const char *key,
		  const char *value)
{
	head(w, name, "gauge", help);
	PRINT(w, "%s{%s=\"%s\"} 1\n", name, key, value);
}

/* A label's value from outside: backslash, quote and newline are escaped, other control
 * characters and what is not ASCII left out. */
static void outside(struct writer *w, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			PRINT(w, "\\%c", text[i]);
		else if (text[i] >= ' ' && text[i] <= '~')
			PRINT(w, "%c", text[i]);
	}
}

/* `labels` is "" or ends with a comma. */
static void buckets(struct writer *w, const char *name, const char *labels, const uint64_t *bucket,
		    const char *const *bounds, size_t count, uint64_t sum_us)
{
	uint64_t below = 0;
	size_t len = strlen(labels);

	for (size_t i = 0; i < count; i++) {
		below += bucket[i];
		PRINT(w, "%s_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i], below);
	}
	below += bucket[count];
	PRINT(w, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, below);
	PRINT(w, "%s_sum%s%.*s%s %" PRIu64 ".%06" PRIu64 "\n", name, len > 0 ? "{" : "",
	      (int)(len > 0 ? len - 1 : 0), labels, len > 0 ? "}" : "", sum_us / 1000000,
	      sum_us % 1000000);
	PRINT(w, "%s_count%s%.*s%s %" PRIu64 "\n", name, len > 0 ? "{" : "",
	      (int)(len > 0 ? len - 1 : 0), labels, len > 0 ? "}" : "", below);
}

static const char *kind_name(const struct es_rpc_method *method)
{
	switch (method->kind) {
	case ES_RPC_UNARY: return "unary";
	case ES_RPC_SERVER_STREAM: return "server_stream";
	case ES_RPC_BIDI: return "bidi_stream";
	}
	return "unary";
}

/* Calls `line` for each method that was called. */
static void each_method(struct writer *w, const struct es_metrics *m,
			void (*line)(struct writer *w, const struct method_stats *stats,
				     const char *labels))
{
	for (size_t i = 0; i < METHODS_MAX; i++) {
		const struct method_stats *stats = m->methods[i];
		char labels[256];

		if (stats == NULL)
			continue;
		(void)snprintf(labels, sizeof(labels),
			       "grpc_method=\"%s\",grpc_service=\"%s\",grpc_type=\"%s\"",
			       stats->method->name, stats->method->service,
			       kind_name(stats->method));
		line(w, stats, labels);
	}
}

static void started_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	PRINT(w, "grpc_server_started_total{%s} %" PRIu64 "\n", labels, stats->started);
}

static void handled_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	for (int code = 0; code < CODES; code++)
		PRINT(w, "grpc_server_handled_total{grpc_code=\"%s\",%s} %" PRIu64 "\n",
		      code_names[code], labels, stats->handled[code]);
}

static void received_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	PRINT(w, "grpc_server_msg_received_total{%s} %" PRIu64 "\n", labels, stats->received);
}

static void sent_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	PRINT(w, "grpc_server_msg_sent_total{%s} %" PRIu64 "\n", labels, stats->sent);
}

static void handling_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	char with_comma[260];

	(void)snprintf(with_comma, sizeof(with_comma), "%s,", labels);
	buckets(w, "grpc_server_handling_seconds", with_comma, stats->handling.bucket,
		handling_bounds, HANDLING_BUCKETS, stats->handling.sum_us);
}

static void request_line(struct writer *w, const struct method_stats *stats, const char *labels)
{
	(void)labels;
	for (int ok = 0; ok < 2; ok++) {
		char own[96];

		if (stats->request_type == NULL || stats->request[ok].count == 0)
			continue;
		(void)snprintf(own, sizeof(own), "success=\"%s\",type=\"%s\",",
			       ok != 0 ? "true" : "false", stats->request_type);
		buckets(w, "etcd_server_request_duration_seconds", own, stats->request[ok].bucket,
			doubling_bounds, REQUEST_BUCKETS, stats->request[ok].sum_us);
	}
}

static void calls(struct writer *w, const struct es_metrics *m)
{
	head(w, "grpc_server_started_total", "counter", "Calls that began.");
	each_method(w, m, started_line);
	head(w, "grpc_server_handled_total", "counter", "Calls that ended, whatever the outcome.");
	each_method(w, m, handled_line);
	head(w, "grpc_server_msg_received_total", "counter", "Messages received from clients.");
	each_method(w, m, received_line);
	head(w, "grpc_server_msg_sent_total", "counter", "Messages sent to clients.");
	each_method(w, m, sent_line);
	if (m->config.extensive) {
		head(w, "grpc_server_handling_seconds", "histogram", "How long calls took.");
		each_method(w, m, handling_line);
	}
	head(w, "etcd_server_request_duration_seconds", "histogram",
	     "How long requests took, by their type.");
	each_method(w, m, request_line);
	head(w, "etcd_server_client_requests_total", "counter",
	     "Calls by the version that the client says it has.");
	for (size_t i = 0; i < m->version_count; i++) {
		for (int stream = 0; stream < 2; stream++) {
			if (m->versions[i].calls[stream] == 0)
				continue;
			PRINT(w, "etcd_server_client_requests_total{client_api_version=\"");
			outside(w, m->versions[i].name, m->versions[i].name_len);
			PRINT(w, "\",type=\"%s\"} %" PRIu64 "\n", stream != 0 ? "stream" : "unary",
			      m->versions[i].calls[stream]);
		}
	}
	counter(w, "etcd_network_client_grpc_received_bytes_total",
		"Bytes of messages from clients.", m->bytes_received);
	counter(w, "etcd_network_client_grpc_sent_bytes_total", "Bytes of messages to clients.",
		m->bytes_sent);
}

static void health(struct writer *w, const struct es_metrics *m)
{
	static const struct {
		const char *type, *name;
	} names[ES_HEALTH_CHECKS] = {
		[ES_HEALTH_LIVEZ_SERIALIZABLE_READ] = {"livez", "serializable_read"},
		[ES_HEALTH_READYZ_DATA_CORRUPTION] = {"readyz", "data_corruption"},
		[ES_HEALTH_READYZ_SERIALIZABLE_READ] = {"readyz", "serializable_read"},
		[ES_HEALTH_READYZ_LINEARIZABLE_READ] = {"readyz", "linearizable_read"},
		[ES_HEALTH_READYZ_NON_LEARNER] = {"readyz", "non_learner"},
	};

	counter(w, "etcd_server_health_success", "Answers of /health that said true.",
		m->health[1]);
	counter(w, "etcd_server_health_failures", "Answers of /health that said false.",
		m->health[0]);
	head(w, "etcd_server_healthcheck", "gauge", "The last result of each check.");
	for (int i = 0; i < ES_HEALTH_CHECKS; i++)
		if (m->checks[i][0] + m->checks[i][1] > 0)
			PRINT(w, "etcd_server_healthcheck{name=\"%s\",type=\"%s\"} %d\n",
			      names[i].name, names[i].type, m->check_ok[i]);
	head(w, "etcd_server_healthchecks_total", "counter", "Results of each check.");
	for (int i = 0; i < ES_HEALTH_CHECKS; i++)
		for (int ok = 0; ok < 2; ok++)
			if (m->checks[i][ok] > 0)
				PRINT(w,
				      "etcd_server_healthchecks_total{name=\"%s\",status=\"%s\","
				      "type=\"%s\"} %" PRIu64 "\n",
				      names[i].name, ok != 0 ? "success" : "error", names[i].type,
				      m->checks[i][ok]);
}

static void member(struct writer *w, const struct es_metrics *m, const struct es_metrics_sources *s)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "%" PRIx64, s->member_id);
	label(w, "engenho_store_info", "The version of this program.", "version",
	      m->config.version);
	label(w, "etcd_server_version", "The version of etcd whose API this is.", "server_version",
	      ES_ETCD_VERSION);
	if (s->cluster_version_known)
		label(w, "etcd_cluster_version", "The version that the cluster speaks.",
		      "cluster_version", ES_ETCD_CLUSTER_MINOR);
	label(w, "etcd_server_id", "The id of this member, in hexadecimal.", "server_id", id);
	gauge(w, "etcd_server_has_leader", "Whether there is a leader.", s->engine.has_leader);
	gauge(w, "etcd_server_is_leader", "Whether this member is it.", s->engine.is_leader);
	gauge(w, "etcd_server_is_learner", "Whether this member has no vote yet.", 0);
	counter(w, "etcd_server_leader_changes_seen_total", "Leaders that came.",
		s->engine.leader_changes);
	counter(w, "etcd_server_heartbeat_send_failures_total",
		"Heartbeats that could not be sent.", 0);
	gauge(w, "etcd_server_proposals_committed_total", "Changes that are safe on disk.",
	      s->consensus.proposals_committed);
	gauge(w, "etcd_server_proposals_applied_total", "Changes that were applied.",
	      s->consensus.proposals_applied);
	gauge(w, "etcd_server_proposals_pending", "Changes under way.",
	      s->consensus.proposals_pending);
	counter(w, "etcd_server_proposals_failed_total", "Changes that came to nothing.",
		s->consensus.proposals_failed);
	gauge(w, "etcd_server_quota_backend_bytes", "What the data may take.",
	      s->engine.quota_bytes);
	head(w, "etcd_debugging_server_alarms", "gauge", "Alarms that are on.");
	for (size_t i = 0; i < s->alarm_count; i++)
		PRINT(w,
		      "etcd_debugging_server_alarms{alarm_type=\"%s\",server_id=\"%" PRIx64
		      "\"} 1\n",
		      s->alarms[i].type == ES_ALARM_CORRUPT ? "CORRUPT" : "NOSPACE",
		      s->alarms[i].member_id);
}

static void data(struct writer *w, const struct es_metrics_sources *s)
{
	const struct es_engine_stats *e = &s->engine;

	gauge(w, "etcd_mvcc_db_total_size_in_bytes", "What the data takes.", e->db_bytes);
	gauge(w, "etcd_mvcc_db_total_size_in_use_in_bytes",
	      "What it takes without history that can go.", e->db_bytes_in_use);
	counter(w, "etcd_mvcc_range_total", "Ranges read.", e->ranges);
	counter(w, "etcd_mvcc_put_total", "Keys put.", e->puts);
	counter(w, "etcd_mvcc_delete_total", "Deletes.", e->deletes);
	counter(w, "etcd_mvcc_txn_total", "Transactions.", e->txns);
	gauge(w, "etcd_debugging_mvcc_keys_total", "Keys.", e->keys);
	gauge(w, "engenho_store_versions", "Versions of keys that are kept.", e->versions);
	gauge(w, "etcd_debugging_mvcc_current_revision", "The newest revision.",
	      (uint64_t)e->revision);
	head(w, "etcd_debugging_mvcc_compact_revision", "gauge",
	     "The revision up to which history went; -1: none did.");
	PRINT(w, "etcd_debugging_mvcc_compact_revision %" PRId64 "\n", e->compacted);
	gauge(w, "etcd_debugging_mvcc_watcher_total", "Watches.", e->watchers);
	gauge(w, "etcd_debugging_mvcc_slow_watcher_total", "Watches that catch up.",
	      e->watchers_unsynced);
	counter(w, "etcd_debugging_lease_granted_total", "Leases granted.", e->leases_granted);
	counter(w, "etcd_debugging_lease_revoked_total", "Leases revoked.", e->leases_revoked);
	counter(w, "etcd_debugging_lease_renewed_total", "Leases renewed.", e->leases_renewed);
	counter(w, "etcd_debugging_server_lease_expired_total", "Leases that ran out.",
		e->leases_expired);
	gauge(w, "engenho_store_leases", "Leases.", e->leases);
}

static void disk(struct writer *w, const struct es_metrics_sources *s)
{
	const struct es_consensus_stats *c = &s->consensus;
	static const uint64_t none[REQUEST_BUCKETS + 1];

	head(w, "etcd_disk_wal_fsync_duration_seconds", "histogram",
	     "How long the log took to be on disk.");
	buckets(w, "etcd_disk_wal_fsync_duration_seconds", "", c->fsync_bucket, doubling_bounds,
		REQUEST_BUCKETS, c->fsync_sum_us);
	gauge(w, "etcd_disk_wal_write_bytes_total", "Bytes written to the log.",
	      c->log_bytes_written);
	/* There is no such commit; dashboards and alerts ask for the name. */
	head(w, "etcd_disk_backend_commit_duration_seconds", "histogram",
	     "Always empty: the log is all that is waited for.");
	buckets(w, "etcd_disk_backend_commit_duration_seconds", "", none, doubling_bounds,
		REQUEST_BUCKETS, 0);
	counter(w, "engenho_store_log_batches_total", "Writes to the log, each with many changes.",
		c->batches);
	gauge(w, "engenho_store_log_bytes_in_memory", "Bytes of log since the last checkpoint.",
	      c->log_bytes_in_memory);
	counter(w, "engenho_store_checkpoints_total", "Checkpoints written.", c->checkpoints);
	counter(w, "engenho_store_checkpoint_bytes_total", "Bytes of checkpoints written.",
		c->checkpoint_bytes_written);
	gauge(w, "engenho_store_disk_full", "Whether the disk has no room.", s->engine.disk_full);
}

static void process(struct writer *w, const struct es_metrics_sources *s)
{
	const struct es_process_stats *p = &s->process;

	gauge(w, "engenho_store_connections", "Open connections.", s->rpc.connections_open);
	counter(w, "engenho_store_connections_total", "Connections accepted.",
		s->rpc.connections_total);
	gauge(w, "engenho_store_queued_bytes", "Bytes that clients have not taken yet.",
	      s->rpc.bytes_queued);
	gauge(w, "os_fd_used", "Open file descriptors.", p->fds_open);
	gauge(w, "os_fd_limit", "How many there may be.", p->fds_max);
	real(w, "process_cpu_seconds_total", "counter", "User and system time.", p->cpu_seconds);
	gauge(w, "process_open_fds", "Open file descriptors.", p->fds_open);
	gauge(w, "process_max_fds", "How many there may be.", p->fds_max);
	gauge(w, "process_resident_memory_bytes", "Resident memory.", p->resident_bytes);
	gauge(w, "process_virtual_memory_bytes", "Virtual memory.", p->virtual_bytes);
	gauge(w, "process_virtual_memory_max_bytes", "How much there may be.",
	      p->virtual_bytes_max);
	real(w, "process_start_time_seconds", "gauge", "When the process began, since 1970.",
	     p->start_time_seconds);
}

int es_metrics_text(const struct es_metrics *metrics, const struct es_metrics_sources *sources,
		    struct es_buf *out)
{
	struct writer w = {out, 0};

	member(&w, metrics, sources);
	data(&w, sources);
	disk(&w, sources);
	calls(&w, metrics);
	health(&w, metrics);
	process(&w, sources);
	return w.rc;
}
