#ifndef ES_CONFIG_CONFIG_H
#define ES_CONFIG_CONFIG_H

#include "config/flags.h"
#include "config/urls.h"

/* What the flags come to: checked, with etcd's error texts where etcd refuses the same. */
enum es_retention_mode { ES_RETENTION_OFF, ES_RETENTION_PERIODIC, ES_RETENTION_REVISION };

struct es_config {
	const char *name;
	const char *data_dir;

	struct es_url_list listen_client, listen_client_http, listen_metrics, listen_peer;
	struct es_url_list advertise_client, advertise_peer;
	const char *advertise_host; /* the address of the machine that took the place of a default,
				       or NULL */
	bool reuse_port, reuse_address;
	uint32_t max_concurrent_streams;
	uint64_t keepalive_min_time_ms, keepalive_interval_ms, keepalive_timeout_ms;

	const char *initial_cluster;
	const char *initial_cluster_token;
	bool cluster_is_new; /* --initial-cluster-state */

	unsigned heartbeat_ms, election_ms;
	uint64_t checkpoint_entries;
	int64_t quota_bytes; /* 0: the default, < 0: no limit */
	uint32_t max_txn_ops;
	uint64_t max_request_bytes;
	enum es_retention_mode retention_mode;
	uint64_t retention; /* milliseconds or revisions */
	uint64_t compaction_batch;
	uint64_t progress_notify_ms;
	uint64_t slow_call_us; /* calls that take longer are logged */
	bool unsafe_no_fsync;
	bool extensive_metrics;

	enum es_log_level log_level;
	bool log_console;
	const char *log_outputs;
};

/*
 * The level, format and outputs of the log alone, for a log that can tell what is wrong with the
 * rest. ES_EINVAL with a text.
 */
int es_config_logging(const struct es_flags *flags, struct es_config *config, char *errmsg,
		      size_t errmsg_size);

/* Everything. Texts live in `arena`. ES_EINVAL with a text, ES_ENOMEM. Notices go to `flags`. */
int es_config_load(struct es_flags *flags, struct es_arena *arena, struct es_config *ret_config,
		   char *errmsg, size_t errmsg_size);

/* The address of the interface with the default route, as etcd advertises it for 0.0.0.0; false
 * when there is none. */
bool es_config_default_host(char *ret_host, size_t size);

#endif
