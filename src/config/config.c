#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/status.h"

enum {
	ELECTION_MS_MAX = 50000,
	CHECKPOINT_ENTRIES_DEFAULT = 10000,
	REQUEST_BYTES_ADVISED = 10 * 1024 * 1024, /* above it, etcd warns */
};

static const int64_t ns_per_ms = 1000000;
static const uint64_t ms_per_hour = 3600000;

#define FAIL(...)                                                 \
	do {                                                      \
		(void)snprintf(errmsg, errmsg_size, __VA_ARGS__); \
		return ES_EINVAL;                                 \
	} while (0)

/* ---- logging --------------------------------------------------------------------------------- */

static int log_level(const char *text, enum es_log_level *ret_level)
{
	static const struct {
		const char *name;
		enum es_log_level level;
	} levels[] = {
		{"debug", ES_LOG_DEBUG},  {"info", ES_LOG_INFO},   {"warn", ES_LOG_WARN},
		{"warning", ES_LOG_WARN}, {"error", ES_LOG_ERROR}, {"dpanic", ES_LOG_FATAL},
		{"panic", ES_LOG_FATAL},  {"fatal", ES_LOG_FATAL},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(levels); i++) {
		if (strcasecmp(text, levels[i].name) == 0) {
			*ret_level = levels[i].level;
			return 0;
		}
	}
	return ES_EINVAL;
}

int es_config_logging(const struct es_flags *flags, struct es_config *config, char *errmsg,
		      size_t errmsg_size)
{
	const char *logger = es_flags_text(flags, "logger");
	const char *format = es_flags_text(flags, "log-format");
	const char *level = es_flags_text(flags, "log-level");

	if (strcmp(logger, "capnslog") == 0)
		FAIL("--logger=capnslog is removed in v3.5");
	if (strcmp(logger, "zap") != 0)
		FAIL("unknown logger option \"%s\"", logger);
	if (strcmp(format, "json") != 0 && strcmp(format, "console") != 0)
		FAIL("unknown log format: %s, supported values json, console", format);
	if (log_level(level, &config->log_level) < 0)
		FAIL("unknown level \"%s\" for --log-level", level);
	config->log_console = strcmp(format, "console") == 0;
	config->log_outputs = es_flags_text(flags, "log-outputs");
	return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int load_duration(const struct es_flags *flags, const char *name, uint64_t *ret_ms,
			 char *errmsg, size_t errmsg_size)
{
	int64_t ns = es_flags_duration_ns(flags, name);

	if (ns < 0)
		FAIL("--%s must not be negative (set to %s)", name, es_flags_text(flags, name));
	/* What is shorter than a millisecond, but not nothing, is one. */
	*ret_ms = (uint64_t)(ns / ns_per_ms + (ns % ns_per_ms != 0));
	return 0;
}

static int load_retention(const struct es_flags *flags, struct es_config *config, char *errmsg,
			  size_t errmsg_size)
{
	const char *mode = es_flags_text(flags, "auto-compaction-mode");
	const char *text = es_flags_text(flags, "auto-compaction-retention");
	bool periodic = strcmp(mode, "periodic") == 0;
	uint64_t number = 0;
	int64_t ns;

	if (*mode == '\0')
		FAIL("undefined auto-compaction-mode");
	if (!periodic && strcmp(mode, "revision") != 0)
		FAIL("unknown auto-compaction-mode \"%s\"", mode);
	if (*text == '\0')
		text = "0";
	if (strspn(text, "0123456789") == strlen(text)) {
		while (text[0] == '0' && text[1] != '\0')
			text++; /* decimal, also with zeros in front */
		if (es_value_uint(text, INT64_MAX / 1000, &number) < 0 ||
		    (periodic && __builtin_mul_overflow(number, ms_per_hour, &number)))
			FAIL("error parsing CompactionRetention: %s is too much", text);
		config->retention = number;
	} else if (!periodic) {
		FAIL("error parsing CompactionRetention: \"%s\" is no number of revisions", text);
	} else if (es_value_duration(text, &ns) < 0 || ns < 0) {
		FAIL("error parsing CompactionRetention: invalid duration \"%s\"", text);
	} else {
		config->retention = (uint64_t)(ns / ns_per_ms + (ns % ns_per_ms != 0));
	}
	config->retention_mode = periodic ? ES_RETENTION_PERIODIC : ES_RETENTION_REVISION;
	if (config->retention == 0)
		config->retention_mode = ES_RETENTION_OFF;
	return 0;
}

static int load_timing(const struct es_flags *flags, struct es_config *config, char *errmsg,
		       size_t errmsg_size)
{
	uint64_t heartbeat = es_flags_uint(flags, "heartbeat-interval");
	uint64_t election = es_flags_uint(flags, "election-timeout");

	if (heartbeat == 0)
		FAIL("--heartbeat-interval must be >0 (set to 0ms)");
	if (election == 0)
		FAIL("--election-timeout must be >0 (set to 0ms)");
	if (heartbeat > election / 5)
		FAIL("--election-timeout[%llums] should be at least as 5 times as "
		     "--heartbeat-interval[%llums]",
		     (unsigned long long)election, (unsigned long long)heartbeat);
	if (election > ELECTION_MS_MAX)
		FAIL("--election-timeout[%llums] is too long, and should be set less than %dms",
		     (unsigned long long)election, ELECTION_MS_MAX);
	config->heartbeat_ms = (unsigned)heartbeat;
	config->election_ms = (unsigned)election;
	return 0;
}

static int load_limits(struct es_flags *flags, struct es_config *config, char *errmsg,
		       size_t errmsg_size)
{
	uint64_t ops = es_flags_uint(flags, "max-txn-ops");
	int64_t batch = es_flags_int(flags, "compaction-batch-limit");
	const char *metrics = es_flags_text(flags, "metrics");

	config->checkpoint_entries = es_flags_uint(flags, "snapshot-count");
	if (config->checkpoint_entries == 0)
		config->checkpoint_entries = CHECKPOINT_ENTRIES_DEFAULT;
	config->quota_bytes = es_flags_int(flags, "quota-backend-bytes");
	config->max_txn_ops = ops > UINT32_MAX ? UINT32_MAX : (uint32_t)ops;
	config->max_request_bytes = es_flags_uint(flags, "max-request-bytes");
	/* A message's length has 32 bits on the wire, and room is left for what surrounds a
	 * request. */
	if (config->max_request_bytes > INT32_MAX)
		FAIL("--max-request-bytes must be at most %d", INT32_MAX);
	config->compaction_batch = batch <= 0 ? 1000 : (uint64_t)batch;
	config->max_concurrent_streams = (uint32_t)es_flags_uint(flags, "max-concurrent-streams");
	config->unsafe_no_fsync = es_flags_bool(flags, "unsafe-no-fsync");
	config->reuse_port = es_flags_bool(flags, "socket-reuse-port");
	config->reuse_address = es_flags_bool(flags, "socket-reuse-address");
	if (strcmp(metrics, "basic") != 0 && strcmp(metrics, "extensive") != 0)
		FAIL("unknown value \"%s\" for --metrics: basic or extensive", metrics);
	config->extensive_metrics = strcmp(metrics, "extensive") == 0;
	if (config->max_request_bytes > REQUEST_BYTES_ADVISED)
		return es_flags_notice(flags, ES_LOG_WARN, "exceeded recommended request limit",
				       "max-request-bytes",
				       es_flags_text(flags, "max-request-bytes"));
	return 0;
}

static int load_durations(const struct es_flags *flags, struct es_config *config, char *errmsg,
			  size_t errmsg_size)
{
	const struct {
		const char *name;
		uint64_t *ms;
	} durations[] = {
		{"grpc-keepalive-min-time", &config->keepalive_min_time_ms},
		{"grpc-keepalive-interval", &config->keepalive_interval_ms},
		{"grpc-keepalive-timeout", &config->keepalive_timeout_ms},
		{"watch-progress-notify-interval", &config->progress_notify_ms},
	};
	int64_t slow_ns = es_flags_duration_ns(flags, "warning-unary-request-duration");

	for (size_t i = 0; i < ES_ARRAY_LEN(durations); i++) {
		int rc = load_duration(flags, durations[i].name, durations[i].ms, errmsg,
				       errmsg_size);

		if (rc < 0)
			return rc;
	}
	/* etcd: pings need both, and no interval for progress means the default. */
	if (config->keepalive_timeout_ms == 0)
		config->keepalive_interval_ms = 0;
	if (config->progress_notify_ms == 0)
		config->progress_notify_ms = 600000;
	config->slow_call_us = slow_ns <= 0 ? 300000 : (uint64_t)slow_ns / 1000;
	return 0;
}

/* ---- feature gates --------------------------------------------------------------------------- */

static bool is_gate(const char *name, size_t len)
{
	static const char *const gates[] = {
		"AllAlpha",
		"AllBeta",
		"CompactHashCheck",
		"FastLeaseKeepAlive",
		"InitialCorruptCheck",
		"LeaseCheckpoint",
		"LeaseCheckpointPersist",
		"PriorityRequest",
		"SetMemberLocalAddr",
		"StopGRPCServiceOnDefrag",
		"TxnModeWriteWithSharedBuffer",
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(gates); i++)
		if (strlen(gates[i]) == len && memcmp(gates[i], name, len) == 0)
			return true;
	return false;
}

static void trim(const char **text, size_t *len)
{
	while (*len > 0 && (**text == ' ' || **text == '\t'))
		(*text)++, (*len)--;
	while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
		(*len)--;
}

static int check_gate(const char *gate, size_t len, char *errmsg, size_t errmsg_size)
{
	const char *equals = memchr(gate, '=', len);
	size_t name_len = equals == NULL ? len : (size_t)(equals - gate);
	const char *value = equals == NULL ? "" : equals + 1;
	size_t value_len = equals == NULL ? 0 : len - name_len - 1;
	char own[16];
	bool truth;

	trim(&gate, &name_len);
	trim(&value, &value_len);
	if (equals == NULL)
		FAIL("--feature-gates: missing bool value for %.*s", (int)name_len, gate);
	(void)snprintf(own, sizeof(own), "%.*s",
		       (int)(value_len < sizeof(own) ? value_len : sizeof(own) - 1), value);
	if (value_len >= sizeof(own) || es_value_bool(own, &truth) < 0)
		FAIL("--feature-gates: invalid value of %.*s=%s", (int)name_len, gate, own);
	if (!is_gate(gate, name_len))
		FAIL("--feature-gates: unrecognized feature gate: %.*s", (int)name_len, gate);
	return 0;
}

/* The known gates are accepted: what they turn on is always on here, or has nothing to act on. */
static int check_gates(const char *text, char *errmsg, size_t errmsg_size)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		int rc = len == 0 ? 0 : check_gate(text, len, errmsg, errmsg_size);

		if (rc < 0)
			return rc;
		text += len + (text[len] == ',');
	}
	return 0;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

static int load_urls(const struct es_flags *flags, struct es_arena *arena, const char *name,
		     struct es_url_list *list, char *errmsg, size_t errmsg_size)
{
	return es_urls_parse(arena, es_flags_text(flags, name), list, errmsg, errmsg_size);
}

static int check_advertise(const char *name, const char *form, const struct es_url_list *list,
			   struct es_arena *arena, char *errmsg, size_t errmsg_size)
{
	char why[256];
	const char *all = es_urls_join(arena, list);

	if (all == NULL)
		return ES_ENOMEM;
	if (es_urls_check_advertise(list, why, sizeof(why)) < 0)
		FAIL("--%s \"%s\" must be %s (%s)", name, all, form, why);
	return 0;
}

static bool same_place(const struct es_url *a, const struct es_url *b)
{
	return a->path == NULL && b->path == NULL
		       ? a->port != 0 && a->port == b->port && strcmp(a->host, b->host) == 0
		       : strcmp(a->text, b->text) == 0;
}

static int check_apart(const char *name, const struct es_url_list *list,
		       const struct es_url_list *client, char *errmsg, size_t errmsg_size)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < client->count; j++)
			if (same_place(&list->urls[i], &client->urls[j]))
				FAIL("cannot bind both --listen-client-urls and --%s on the same "
				     "url %s",
				     name, list->urls[i].text);
	return 0;
}

static int load_all_urls(struct es_flags *flags, struct es_arena *arena, struct es_config *config,
			 bool from_file, char *errmsg, size_t errmsg_size)
{
	const struct {
		const char *name;
		struct es_url_list *list;
		bool listen;
	} all[] = {
		{"listen-peer-urls", &config->listen_peer, true},
		{"listen-client-urls", &config->listen_client, true},
		{"listen-client-http-urls", &config->listen_client_http, true},
		{"listen-metrics-urls", &config->listen_metrics, true},
		{"initial-advertise-peer-urls", &config->advertise_peer, false},
		{"advertise-client-urls", &config->advertise_client, false},
	};
	int rc;

	for (size_t i = 0; i < ES_ARRAY_LEN(all); i++) {
		rc = load_urls(flags, arena, all[i].name, all[i].list, errmsg, errmsg_size);
		if (rc == 0 && all[i].listen)
			rc = es_urls_check_bind(all[i].list, errmsg, errmsg_size);
		if (rc < 0)
			return rc;
	}
	if (config->listen_client.count == 0)
		FAIL("--listen-client-urls is empty");
	if (config->advertise_peer.count == 0)
		FAIL("--initial-advertise-peer-urls is empty");
	rc = check_apart("listen-client-http-urls", &config->listen_client_http,
			 &config->listen_client, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_apart("listen-peer-urls", &config->listen_peer, &config->listen_client,
				 errmsg, errmsg_size);
	if (rc == 0)
		rc = check_advertise("initial-advertise-peer-urls", "\"host:port\"",
				     &config->advertise_peer, arena, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_advertise("advertise-client-urls",
				     "in the format \"host:port\", \"unix:/path/to/socket\" or "
				     "\"unixs:/path/to/socket\"",
				     &config->advertise_client, arena, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	if (!from_file && es_flags_is_set(flags, "listen-client-urls") &&
	    !es_flags_is_set(flags, "advertise-client-urls"))
		FAIL("--advertise-client-urls is required when --listen-client-urls is set "
		     "explicitly");
	return 0;
}

bool es_config_default_host(char *ret_host, size_t size)
{
	/* Connecting a datagram socket sends nothing; it only asks for the route. The address is
	 * one for documentation. */
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc0000201)};
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (fd < 0)
		return false;
	found = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
		getsockname(fd, (struct sockaddr *)&from, &len) == 0 &&
		inet_ntop(AF_INET, &from.sin_addr, ret_host, (socklen_t)size) != NULL;
	(void)close(fd);
	return found;
}

/* The default advertised URL says localhost; for a member that listens everywhere the machine's
 * address helps more. */
static int advertise_machine(struct es_arena *arena, struct es_config *config, const char *fallback,
			     const struct es_url_list *listen, struct es_url_list *advertise)
{
	char host[INET_ADDRSTRLEN];
	struct es_url *url;

	if (advertise->count != 1 || strcmp(advertise->urls[0].text, fallback) != 0 ||
	    listen->count == 0 || strcmp(listen->urls[0].host, "0.0.0.0") != 0 ||
	    !es_config_default_host(host, sizeof(host)))
		return 0;
	url = es_arena_alloc(arena, sizeof(*url));
	if (url == NULL ||
	    es_url_rewrite(arena, &advertise->urls[0], host, listen->urls[0].port, url) < 0)
		return ES_ENOMEM;
	*advertise = (struct es_url_list){url, 1};
	config->advertise_host = url->host;
	return 0;
}

/* ---- the member ------------------------------------------------------------------------------ */

static int load_names(struct es_flags *flags, struct es_arena *arena, struct es_config *config,
		      char *errmsg, size_t errmsg_size)
{
	const char *state = es_flags_text(flags, "initial-cluster-state");
	size_t size;
	char *dir;

	config->name = es_flags_text(flags, "name");
	if (*config->name == '\0')
		FAIL("--name must not be empty");
	if (strchr(config->name, '/') != NULL && *es_flags_text(flags, "data-dir") == '\0')
		FAIL("--data-dir is needed beside --name=%s", config->name);
	config->data_dir = es_flags_text(flags, "data-dir");
	config->initial_cluster_token = es_flags_text(flags, "initial-cluster-token");
	if (strcmp(state, "new") != 0 && strcmp(state, "existing") != 0)
		FAIL("unexpected clusterState \"%s\"", state);
	config->cluster_is_new = strcmp(state, "new") == 0;
	if (strcmp(config->name, "default") == 0 &&
	    es_flags_notice(
		    flags, ES_LOG_WARN,
		    "it isn't recommended to use default name, please set a value for --name",
		    "name", config->name) < 0)
		return ES_ENOMEM;
	if (*config->data_dir != '\0')
		return 0;
	size = strlen(config->name) + sizeof(".engenho");
	dir = es_arena_alloc(arena, size);
	if (dir == NULL)
		return ES_ENOMEM;
	(void)snprintf(dir, size, "%s.engenho", config->name);
	config->data_dir = dir;
	return es_flags_notice(flags, ES_LOG_WARN, "'data-dir' was empty; using default",
			       "data-dir", dir);
}

/* Not given: this member alone, at the peer URLs that it advertises. */
static int load_initial_cluster(const struct es_flags *flags, struct es_arena *arena,
				struct es_config *config)
{
	const struct es_url_list *urls = &config->advertise_peer;
	size_t size = 1;
	char *text, *end;

	config->initial_cluster = es_flags_text(flags, "initial-cluster");
	if (es_flags_is_set(flags, "initial-cluster"))
		return 0;
	for (size_t i = 0; i < urls->count; i++)
		size += strlen(config->name) + strlen(urls->urls[i].text) + 2;
	text = es_arena_alloc(arena, size);
	if (text == NULL)
		return ES_ENOMEM;
	end = text;
	for (size_t i = 0; i < urls->count; i++)
		end += snprintf(end, size - (size_t)(end - text), "%s%s=%s", i > 0 ? "," : "",
				config->name, urls->urls[i].text);
	config->initial_cluster = text;
	return 0;
}

int es_config_load(struct es_flags *flags, struct es_arena *arena, struct es_config *ret_config,
		   char *errmsg, size_t errmsg_size)
{
	struct es_config config = {0};
	bool from_file = es_flags_is_set(flags, "config-file");
	int rc = es_config_logging(flags, &config, errmsg, errmsg_size);

	if (rc == 0)
		rc = es_flags_judge(flags, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_names(flags, arena, &config, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_all_urls(flags, arena, &config, from_file, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_timing(flags, &config, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_limits(flags, &config, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_durations(flags, &config, errmsg, errmsg_size);
	if (rc == 0)
		rc = load_retention(flags, &config, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_gates(es_flags_text(flags, "feature-gates"), errmsg, errmsg_size);
	if (rc == 0)
		rc = advertise_machine(arena, &config, "http://localhost:2379",
				       &config.listen_client, &config.advertise_client);
	if (rc == 0)
		rc = advertise_machine(arena, &config, "http://localhost:2380", &config.listen_peer,
				       &config.advertise_peer);
	if (rc == 0)
		rc = load_initial_cluster(flags, arena, &config);
	if (rc == 0)
		*ret_config = config;
	return rc;
}
