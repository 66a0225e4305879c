#include "config/flags.h"

#include "base/assert.h"

/*
 * The flags of etcd 3.4 to 3.8. Defaults are written as the parser prints them, so that "given,
 * but the default" can be told by comparing. Help is given for what works and for what is going
 * to.
 */
#define USED(name, type, value, help)                                       \
	{                                                                   \
		name, ES_FLAG_##type, ES_FLAG_USED, value, NULL, help, NULL \
	}
#define LATER(name, type, value, help)                                       \
	{                                                                    \
		name, ES_FLAG_##type, ES_FLAG_LATER, value, NULL, help, NULL \
	}
#define TLS(name, type, value, help)                                          \
	{                                                                     \
		name, ES_FLAG_##type, ES_FLAG_LATER, value, "TLS", help, NULL \
	}
#define LATER_WARNS(name, type, value, why)                                       \
	{                                                                         \
		name, ES_FLAG_##type, ES_FLAG_LATER_WARNS, value, why, NULL, NULL \
	}
#define MEANINGLESS(name, type, value, why)                                       \
	{                                                                         \
		name, ES_FLAG_##type, ES_FLAG_MEANINGLESS, value, why, NULL, NULL \
	}
#define RETIRED(name, type, value, why)                                       \
	{                                                                     \
		name, ES_FLAG_##type, ES_FLAG_RETIRED, value, why, NULL, NULL \
	}
#define REMOVED(name, type, value)                                             \
	{                                                                      \
		name, ES_FLAG_##type, ES_FLAG_REMOVED, value, NULL, NULL, NULL \
	}
#define ALIAS(name, type, value, other)                                       \
	{                                                                     \
		name, ES_FLAG_##type, ES_FLAG_ALIAS, value, other, NULL, NULL \
	}
#define GROUP(title)                                                       \
	{                                                                  \
		NULL, ES_FLAG_NOARG, ES_FLAG_USED, NULL, NULL, NULL, title \
	}

const struct es_flag es_flag_table[] = {
	GROUP("This member"),
	USED("name", STRING, "default", "What people call this member."),
	USED("data-dir", STRING, "",
	     "The folder for everything that is kept; empty: ${name}.engenho."),
	USED("config-file", STRING, "",
	     "Read the configuration from this YAML file; other flags and variables are ignored."),
	USED("snapshot-count", UINT, "10000",
	     "Write a checkpoint after so many changes (or 64 MiB of log)."),
	USED("heartbeat-interval", UINT, "100", "Milliseconds between two heartbeats of a leader."),
	USED("election-timeout", UINT, "1000",
	     "Milliseconds without a heartbeat until a new leader is voted for; at least 5 "
	     "heartbeats, at most 50000."),
	USED("quota-backend-bytes", INT, "0",
	     "Refuse new data above so many bytes (NOSPACE); 0: 2 GiB; negative: no limit."),
	USED("max-txn-ops", UINT, "128", "Operations that one transaction may have."),
	USED("max-request-bytes", UINT, "1572864", "Bytes that one request may have."),
	USED("compaction-batch-limit", INT, "1000", "Versions that a compaction frees at a time."),
	USED("watch-progress-notify-interval", DURATION, "10m0s",
	     "How often watchers that ask for it hear that nothing happened."),
	USED("feature-gates", STRING, "",
	     "Gates of etcd as name=true,...: known ones are accepted."),
	LATER("wal-dir", STRING, "", "A folder of its own for the log."),

	GROUP("Clients"),
	USED("listen-client-urls", URLS, "http://localhost:2379",
	     "Where to serve clients: http://host:port (port 0: any free one) or unix:///path, "
	     "several with commas."),
	USED("listen-client-http-urls", URLS, "",
	     "Serve HTTP (health, metrics, version) here, and only gRPC at --listen-client-urls."),
	USED("listen-metrics-urls", URLS, "",
	     "Serve /metrics, /health, /livez and /readyz here as well."),
	USED("advertise-client-urls", URLS, "http://localhost:2379",
	     "How clients reach this member; needed beside --listen-client-urls."),
	USED("max-concurrent-streams", UINT32, "4294967295",
	     "Calls that one connection may have open."),
	USED("grpc-keepalive-min-time", DURATION, "5s",
	     "A client that pings more often is sent away."),
	USED("grpc-keepalive-interval", DURATION, "2h0m0s",
	     "Ping an idle client so often; 0: never."),
	USED("grpc-keepalive-timeout", DURATION, "20s",
	     "Close the connection when the ping is not answered for so long."),
	USED("socket-reuse-port", BOOL, "false", "Set SO_REUSEPORT on listeners."),
	USED("socket-reuse-address", BOOL, "false", "Set SO_REUSEADDR on listeners."),
	LATER("host-whitelist", LIST, "*", "Host names that HTTP requests may ask for."),

	GROUP("Cluster"),
	USED("listen-peer-urls", URLS, "http://localhost:2380", "Where to serve other members."),
	USED("initial-advertise-peer-urls", URLS, "http://localhost:2380",
	     "How other members reach this one."),
	USED("initial-cluster", STRING, "default=http://localhost:2380",
	     "The members of a new cluster as name=peer-url,...; one member for now."),
	USED("initial-cluster-state", STRING, "new",
	     "new, or existing to join; read at the first start only."),
	USED("initial-cluster-token", STRING, "etcd-cluster",
	     "Keeps the ids of different clusters apart."),
	LATER("discovery-token", STRING, "",
	      "The token of the new cluster at a discovery service."),
	LATER("discovery-endpoints", LIST, "", "The discovery service."),
	LATER("discovery-srv", STRING, "", "Find the members by DNS SRV records of this domain."),
	LATER("discovery-srv-name", STRING, "", "A suffix of the service name that is asked for."),
	LATER("force-new-cluster", BOOL, "false", "Unsafe: forget all other members."),

	GROUP("Compaction"),
	USED("auto-compaction-mode", STRING, "periodic",
	     "Keep history by time (periodic) or by count (revision)."),
	USED("auto-compaction-retention", STRING, "0",
	     "How much: a duration (hours without unit), or a number of revisions; 0: all."),

	GROUP("Security"),
	TLS("cert-file", STRING, "", "Certificate of the client port."),
	TLS("key-file", STRING, "", "Its key."),
	TLS("client-cert-auth", BOOL, "false", "Ask clients for a certificate."),
	TLS("trusted-ca-file", STRING, "", "Who may sign certificates of clients."),
	TLS("client-cert-file", STRING, "", "Certificate to show as a client."),
	TLS("client-key-file", STRING, "", "Its key."),
	TLS("client-crl-file", STRING, "", "Revoked certificates of clients."),
	TLS("client-cert-allowed-hostname", LIST, "",
	      "Host names that a client's certificate may carry."),
	TLS("auto-tls", BOOL, "false", "Make certificates for the client port."),
	TLS("peer-cert-file", STRING, "", "Certificate of the peer port."),
	TLS("peer-key-file", STRING, "", "Its key."),
	TLS("peer-client-cert-auth", BOOL, "false", "Ask other members for a certificate."),
	TLS("peer-trusted-ca-file", STRING, "", "Who may sign certificates of members."),
	TLS("peer-client-cert-file", STRING, "", "Certificate to show to other members."),
	TLS("peer-client-key-file", STRING, "", "Its key."),
	TLS("peer-crl-file", STRING, "", "Revoked certificates of members."),
	TLS("peer-cert-allowed-cn", LIST, "",
	      "Common names that a member's certificate may carry."),
	TLS("peer-cert-allowed-hostname", LIST, "",
	      "Host names that a member's certificate may carry."),
	TLS("peer-auto-tls", BOOL, "false", "Make certificates for the peer port."),
	TLS("peer-skip-client-san-verification", BOOL, "false",
	      "Do not check the names in a member's certificate."),
	LATER("auth-token", STRING, "simple", "The kind of token that users get: simple or jwt."),

	GROUP("Watching the member"),
	USED("metrics", STRING, "basic", "basic, or extensive for histograms of all calls."),
	USED("logger", STRING, "zap", "Only zap, the name of etcd's log format."),
	USED("log-level", STRING, "info", "debug (each call), info, warn, error, panic or fatal."),
	USED("log-format", STRING, "json", "json or console."),
	USED("log-outputs", LIST, "default", "stderr, stdout, or files; default: stderr."),
	USED("warning-unary-request-duration", DURATION, "300ms", "Log calls that take longer."),
	USED("version", BOOL, "false", "Print the version and exit."),
	LATER("enable-log-rotation", BOOL, "false", "Rotate the log file."),

	GROUP("Unsafe"),
	USED("unsafe-no-fsync", BOOL, "false",
	     "Do not wait for the disk. A crash of the machine loses data."),

	GROUP(NULL), /* from here on: accepted, with a warning */
	LATER_WARNS("cors", LIST, "*", "no CORS headers are sent"),
	LATER_WARNS("bcrypt-cost", UINT, "10", "there are no users"),
	LATER_WARNS("auth-token-ttl", UINT, "300", "there are no users"),
	LATER_WARNS("self-signed-cert-validity", UINT, "1", "there is no TLS"),
	LATER_WARNS("cipher-suites", LIST, "", "there is no TLS"),
	LATER_WARNS("tls-min-version", STRING, "TLS1.2", "there is no TLS"),
	LATER_WARNS("tls-max-version", STRING, "", "there is no TLS"),
	LATER_WARNS("enable-grpc-gateway", BOOL, "true", "that of resources is always on, there is no /v3/ yet"),
	LATER_WARNS("strict-reconfig-check", BOOL, "true", "members cannot be added"),
	LATER_WARNS("max-learners", INT, "1", "members cannot be added"),
	LATER_WARNS("pre-vote", BOOL, "true", "pre-vote is always on"),
	LATER_WARNS("corrupt-check-time", DURATION, "0s",
		    "there is no other member to compare with"),
	LATER_WARNS("compact-hash-check-time", DURATION, "1m0s",
		    "there is no other member to compare with"),
	LATER_WARNS("snapshot-catchup-entries", UINT, "5000",
		    "there is no other member that could lag"),
	LATER_WARNS("raft-read-timeout", DURATION, "5s", "there is no other member"),
	LATER_WARNS("raft-write-timeout", DURATION, "5s", "there is no other member"),
	LATER_WARNS("downgrade-check-time", DURATION, "5s", NULL),
	LATER_WARNS("warning-apply-duration", DURATION, "100ms",
		    "see --warning-unary-request-duration"),
	LATER_WARNS("log-rotation-config-json", STRING,
		    "{\"maxsize\": 100, \"maxage\": 0, \"maxbackups\": 0, \"localtime\": false, "
		    "\"compress\": false}",
		    "logs are not rotated"),
	LATER_WARNS("memory-mlock", BOOL, "false", "memory is not locked"),
	LATER_WARNS("enable-distributed-tracing", BOOL, "false", NULL),
	LATER_WARNS("distributed-tracing-address", STRING, "localhost:4317", NULL),
	LATER_WARNS("distributed-tracing-service-name", STRING, "etcd", NULL),
	LATER_WARNS("distributed-tracing-instance-id", STRING, "", NULL),
	LATER_WARNS("distributed-tracing-sampling-rate", INT, "0", NULL),
	LATER_WARNS("discovery-dial-timeout", DURATION, "2s", NULL),
	LATER_WARNS("discovery-request-timeout", DURATION, "5s", NULL),
	LATER_WARNS("discovery-keepalive-time", DURATION, "2s", NULL),
	LATER_WARNS("discovery-keepalive-timeout", DURATION, "6s", NULL),
	LATER_WARNS("discovery-insecure-transport", BOOL, "true", NULL),
	LATER_WARNS("discovery-insecure-skip-tls-verify", BOOL, "false", NULL),
	LATER_WARNS("discovery-cert", STRING, "", NULL),
	LATER_WARNS("discovery-key", STRING, "", NULL),
	LATER_WARNS("discovery-cacert", STRING, "", NULL),
	LATER_WARNS("discovery-user", STRING, "", NULL),
	LATER_WARNS("discovery-password", STRING, "", NULL),

	MEANINGLESS("initial-election-tick-advance", BOOL, "true",
		    "a single member elects itself at once"),
	MEANINGLESS("max-wals", UINT, "5", "log files go when a checkpoint made them superfluous"),
	MEANINGLESS("max-snapshots", UINT, "5", "checkpoints go when a newer one is safe"),
	MEANINGLESS("backend-bbolt-freelist-type", STRING, "", "there is no bbolt"),
	MEANINGLESS("backend-batch-interval", DURATION, "0s", "there is no bbolt"),
	MEANINGLESS("backend-batch-limit", INT, "0", "there is no bbolt"),
	MEANINGLESS("bootstrap-defrag-threshold-megabytes", UINT, "0",
		    "there is nothing to defragment"),
	MEANINGLESS("compaction-sleep-interval", DURATION, "0s", "compaction yields by itself"),
	MEANINGLESS("enable-pprof", BOOL, "false", "pprof is Go's"),

	ALIAS("log-output", LIST, "default", "log-outputs"),
	ALIAS("experimental-backend-bbolt-freelist-type", STRING, "",
	      "backend-bbolt-freelist-type"),
	ALIAS("experimental-bootstrap-defrag-threshold-megabytes", UINT, "0",
	      "bootstrap-defrag-threshold-megabytes"),
	ALIAS("experimental-compact-hash-check-time", DURATION, "1m0s", "compact-hash-check-time"),
	ALIAS("experimental-compaction-batch-limit", INT, "1000", "compaction-batch-limit"),
	ALIAS("experimental-compaction-sleep-interval", DURATION, "0s",
	      "compaction-sleep-interval"),
	ALIAS("experimental-corrupt-check-time", DURATION, "0s", "corrupt-check-time"),
	ALIAS("experimental-distributed-tracing-address", STRING, "localhost:4317",
	      "distributed-tracing-address"),
	ALIAS("experimental-distributed-tracing-instance-id", STRING, "",
	      "distributed-tracing-instance-id"),
	ALIAS("experimental-distributed-tracing-sampling-rate", INT, "0",
	      "distributed-tracing-sampling-rate"),
	ALIAS("experimental-distributed-tracing-service-name", STRING, "etcd",
	      "distributed-tracing-service-name"),
	ALIAS("experimental-downgrade-check-time", DURATION, "5s", "downgrade-check-time"),
	ALIAS("experimental-enable-distributed-tracing", BOOL, "false",
	      "enable-distributed-tracing"),
	ALIAS("experimental-max-learners", INT, "1", "max-learners"),
	ALIAS("experimental-memory-mlock", BOOL, "false", "memory-mlock"),
	ALIAS("experimental-peer-skip-client-san-verification", BOOL, "false",
	      "peer-skip-client-san-verification"),
	ALIAS("experimental-snapshot-catchup-entries", UINT, "5000", "snapshot-catchup-entries"),
	ALIAS("experimental-snapshot-catch-up-entries", UINT, "5000", "snapshot-catchup-entries"),
	ALIAS("experimental-warning-apply-duration", DURATION, "100ms", "warning-apply-duration"),
	ALIAS("experimental-warning-unary-request-duration", DURATION, "300ms",
	      "warning-unary-request-duration"),
	ALIAS("experimental-watch-progress-notify-interval", DURATION, "10m0s",
	      "watch-progress-notify-interval"),

	RETIRED("experimental-compact-hash-check-enabled", BOOL, "false",
		"there is no other member to compare with"),
	RETIRED("experimental-enable-lease-checkpoint", BOOL, "false",
		"remaining time is always kept"),
	RETIRED("experimental-enable-lease-checkpoint-persist", BOOL, "false",
		"remaining time is always kept"),
	RETIRED("experimental-enable-v2v3", STRING, "", "the v2 API is gone"),
	RETIRED("experimental-initial-corrupt-check", BOOL, "false",
		"data is always checked at the start"),
	RETIRED("experimental-set-member-localaddr", BOOL, "false", NULL),
	RETIRED("experimental-stop-grpc-service-on-defrag", BOOL, "false",
		"defragmentation stops nothing"),
	RETIRED("experimental-txn-mode-write-with-shared-buffer", BOOL, "true", NULL),
	RETIRED("experimental-wait-cluster-ready-timeout", DURATION, "5s", NULL),
	RETIRED("enable-v2", BOOL, "false", "the v2 API is gone"),
	RETIRED("v2-deprecation", STRING, "", "the v2 API is gone"),
	RETIRED("next-cluster-version-compatible", BOOL, "false", NULL),
	RETIRED("debug", BOOL, "false", "use --log-level=debug"),
	RETIRED("log-package-levels", STRING, "", "use --log-level"),
	RETIRED("proxy-failure-wait", UINT, "5000", "the v2 proxy is gone"),
	RETIRED("proxy-refresh-interval", UINT, "30000", "the v2 proxy is gone"),
	RETIRED("proxy-dial-timeout", UINT, "1000", "the v2 proxy is gone"),
	RETIRED("proxy-write-timeout", UINT, "5000", "the v2 proxy is gone"),
	RETIRED("proxy-read-timeout", UINT, "0", "the v2 proxy is gone"),
	RETIRED("discovery-fallback", STRING, "exit", "the v2 proxy is gone"),
	/* Given up by etcd too, but without them another kind of process would start than the
	 * one asked for. */
	REMOVED("proxy", STRING, "off"),
	REMOVED("discovery", STRING, ""),
	REMOVED("discovery-proxy", STRING, ""),

	RETIRED("cluster-active-size", NOARG, "", NULL),
	RETIRED("cluster-remove-delay", NOARG, "", NULL),
	RETIRED("cluster-sync-interval", NOARG, "", NULL),
	RETIRED("config", NOARG, "", NULL),
	RETIRED("force", NOARG, "", NULL),
	RETIRED("max-result-buffer", NOARG, "", NULL),
	RETIRED("max-retry-attempts", NOARG, "", NULL),
	RETIRED("peer-heartbeat-interval", NOARG, "", NULL),
	RETIRED("peer-election-timeout", NOARG, "", NULL),
	RETIRED("retry-interval", NOARG, "", NULL),
	RETIRED("snapshot", NOARG, "", NULL),
	RETIRED("v", NOARG, "", NULL),
	RETIRED("vv", NOARG, "", NULL),
	RETIRED("test.coverprofile", NOARG, "", NULL),
	RETIRED("test.outputdir", NOARG, "", NULL),
};

const size_t es_flag_count = ES_ARRAY_LEN(es_flag_table);
