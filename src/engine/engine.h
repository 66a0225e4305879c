#ifndef ES_ENGINE_ENGINE_H
#define ES_ENGINE_ENGINE_H

#include "base/env.h"
#include "base/log.h"
#include "consensus/consensus.h"
#include "engine/command.h"
#include "lease/lease.h"
#include "mvcc/mvcc.h"
#include "resource/rules.h"
#include "watch/watch.h"

/*
 * The store of one member: the only owner of the state machines (key space, leases, watch hub,
 * alarms). Writes go in as operations, through the log, and come back applied; reads are made on
 * the state between two callbacks of the loop. Loop thread only. Nothing here knows of connections.
 */
struct uv_loop_s;
struct es_engine;

enum es_compaction_mode { ES_COMPACTION_OFF, ES_COMPACTION_PERIODIC, ES_COMPACTION_REVISION };

struct es_engine_config {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	struct uv_loop_s *loop;
	const struct es_fs *fs;
	const char *data_dir; /* exists, locked by the caller */
	uint64_t cluster_id;
	uint64_t member_id;
	const char *name;
	const char *const *peer_urls; /* NULL-terminated; copied, as all strings */
	const char *const *client_urls;
	unsigned heartbeat_ms;
	unsigned election_ms;
	uint64_t checkpoint_entries;   /* --snapshot-count */
	uint64_t checkpoint_log_bytes; /* 0: 32 MiB */
	uint64_t quota_bytes;          /* 0: the default of 2 GiB */
	uint32_t max_txn_ops;
	uint64_t max_request_bytes;
	enum es_compaction_mode compaction_mode;
	uint64_t compaction_retention; /* milliseconds, or revisions */
	uint64_t compaction_batch;     /* versions freed per loop turn */
	bool unsafe_no_fsync;
	/* The member cannot go on (see es_consensus_callbacks.failed); close the engine and exit
	 * non-zero. */
	void (*failed)(void *ctx, int status, const char *message);
	/* Once: a leader is known, and the member's name and URLs are known to the cluster. */
	void (*ready)(void *ctx);
	/* Optional: the member has a leader from now on, or none. Comes before any read or write
	 * that needs one is answered. */
	void (*leader)(void *ctx, bool has_leader);
	void *ctx;
};

int es_engine_open(const struct es_engine_config *config, struct es_engine **ret_engine,
		   char *errmsg, size_t errmsg_size);
/* Pending operations end with ES_ESTOPPED. All watchers are removed and pins released before. */
void es_engine_close(struct es_engine *engine, void (*closed)(void *ctx), void *ctx);

/* ---- what there is --------------------------------------------------------------------------- */

const struct es_engine_config *es_engine_config(const struct es_engine *engine);
/* Valid until the next callback of the loop that applies something; pin what must live longer. */
const struct es_mvcc *es_engine_store(const struct es_engine *engine);
struct es_watch_hub *es_engine_watch_hub(struct es_engine *engine);
/* The `owner` of every watcher of the hub begins with this: it hears, from inside an apply, that the
 * watcher has something to give (es_watch_hub_config.wake). */
struct es_engine_watch_owner {
	void (*wake)(struct es_engine_watch_owner *owner);
};
struct es_consensus *es_engine_consensus(const struct es_engine *engine);

/* The member cannot go on. The state may be half changed: nothing of it may be given out any more,
 * which reads and es_engine_linearize see to by ES_ESTOPPED. */
bool es_engine_has_failed(const struct es_engine *engine);

/* The four fields of every etcd response header, of this moment. */
struct es_engine_header {
	uint64_t cluster_id;
	uint64_t member_id;
	int64_t revision;
	uint64_t raft_term;
};
struct es_engine_header es_engine_header(const struct es_engine *engine);

/* ---- writes ---------------------------------------------------------------------------------- */

/*
 * A write under way. The caller embeds it, fills in the first part and keeps it, `request`, `txn`
 * and `arena` alive until `done`, which is called exactly once, from the loop, after submit
 * returned 0. Inside `done` (and only there) the result is readable: pointers into the store are
 * valid during the call.
 */
struct es_engine_op {
	void (*done)(struct es_engine_op *op, int status);
	struct es_arena *arena; /* results are allocated here, but for `resource` */
	/* The result. */
	struct es_engine_header header;
	uint64_t index;                        /* in the log; 0: it did not get there */
	const struct es_mvcc_txn_res *txn_res; /* of es_engine_write */
	int64_t id, ttl_s;                     /* of a lease grant: what was granted */
	bool changed; /* of an alarm: it was set, or was there to be cleared */
	const struct es_resource_plan *resource; /* of es_engine_resource; its txn is of no use */
	/* The engine's own. */
	const struct es_mvcc_txn *txn;
	struct es_queue link;
	struct es_engine *engine;
	enum es_command_kind kind;
	bool physical;
	bool over_quota;
};

/*
 * Submit a put, delete or transaction. `command` is the encoded command for the log
 * (engine/command.h), `txn` the same, decoded. The quota is judged here: a write above it raises
 * the alarm and is then refused with ES_ENOSPACE through `done`. Any status < 0 returned: refused,
 * `done` is not called.
 */
int es_engine_write(struct es_engine *engine, struct es_engine_op *op, enum es_command_kind kind,
		    struct es_slice request, const struct es_mvcc_txn *txn);
/*
 * Submit a command on resources, under the current rules: `text` is its encoding for the log
 * (resource/command.h), copied; `cost` what it may add to the store, for the quota, as in
 * es_engine_write. A refusal of the rules is a success: op->resource tells. ES_EDECODE through
 * `done`: it is no command; nothing was changed.
 */
int es_engine_resource(struct es_engine *engine, struct es_engine_op *op, struct es_slice text,
		       uint64_t cost);
/* Compact; with `physical`, done comes when what can be freed is free: what a pin holds goes later,
 * with the pin. ES_ECOMPACTED, ES_EFUTURE_REV through `done`. */
int es_engine_compact(struct es_engine *engine, struct es_engine_op *op, int64_t revision,
		      bool physical);
/* id 0: chosen. op->id and op->ttl_s tell what was granted. A lease counts for the quota as a write
 * does. */
int es_engine_lease_grant(struct es_engine *engine, struct es_engine_op *op, int64_t id,
			  int64_t ttl_s);
int es_engine_lease_revoke(struct es_engine *engine, struct es_engine_op *op, int64_t id);

enum es_alarm_type { ES_ALARM_NONE = 0, ES_ALARM_NOSPACE = 1, ES_ALARM_CORRUPT = 2 };
struct es_alarm {
	uint64_t member_id;
	enum es_alarm_type type;
};
int es_engine_alarm(struct es_engine *engine, struct es_engine_op *op, bool activate,
		    struct es_alarm alarm);
/* The peer URLs of this member, as MemberUpdate sets them. */
int es_engine_member_update(struct es_engine *engine, struct es_engine_op *op,
			    const char *const *peer_urls, size_t count);

/* ---- reads ----------------------------------------------------------------------------------- */

/* Calls `ready(arg, status)` when a read of the state is linearizable; may call it before
 * returning. */
void es_engine_linearize(struct es_engine *engine, void (*ready)(void *arg, int status), void *arg);

/* One range, as es_mvcc_range. ES_ESTOPPED. */
int es_engine_range(struct es_engine *engine, const struct es_mvcc_range_req *req,
		    struct es_arena *arena, struct es_mvcc_range_res *ret_res);

/* May range requests inside `txn` be answered at their revisions? For transactions that write
 * nothing: apply them as a read. The result as in es_engine_op. */
int es_engine_read_txn(struct es_engine *engine, const struct es_mvcc_txn *txn,
		       struct es_arena *arena, const struct es_mvcc_txn_res **ret_res);

/* The revisions seen by a long read. Compaction goes on above it. */
void es_engine_pin(struct es_engine *engine, int64_t revision, struct es_mvcc_pin *pin);
void es_engine_unpin(struct es_engine *engine, struct es_mvcc_pin *pin);

/* Keep alive: *ret_ttl_s is 0 when there is no such lease (etcd's answer). ES_ENO_LEADER. */
int es_engine_lease_renew(struct es_engine *engine, int64_t id, int64_t *ret_ttl_s);
/* For TimeToLive: remaining seconds. ES_ELEASE_NOT_FOUND. */
int es_engine_lease_ttl(struct es_engine *engine, int64_t id, int64_t *ret_granted_s,
			int64_t *ret_remaining_s);
struct es_lease_table *es_engine_leases(struct es_engine *engine);

size_t es_engine_alarms(const struct es_engine *engine, const struct es_alarm **ret_alarms);

/*
 * HashKV (etcd's algorithm) at `revision` (0: newest), computed in slices; `done` may be called
 * before returning. ES_ECOMPACTED, ES_EFUTURE_REV, ES_ENOMEM.
 */
struct es_hash_kv {
	uint32_t hash;
	int64_t compact_revision;
	int64_t hash_revision;
	struct es_engine_header header;
};
void es_engine_hash_kv(struct es_engine *engine, int64_t revision,
		       void (*done)(void *arg, int status, const struct es_hash_kv *hash),
		       void *arg);

/* Head of the apply chain (BLAKE3 over every applied batch). */
void es_engine_chain(const struct es_engine *engine, uint8_t ret_head[ES_BLAKE3_BYTES]);

struct es_member {
	uint64_t id;
	const char *name;
	size_t peer_url_count, client_url_count;
	const char *const *peer_urls;
	const char *const *client_urls;
	bool is_learner;
};
size_t es_engine_members(const struct es_engine *engine, const struct es_member **ret_members);

struct es_engine_stats {
	/* Of the key space and the leases; never 0. */
	uint64_t db_bytes, db_bytes_in_use, quota_bytes;
	uint64_t keys, versions;
	int64_t revision, compacted;
	bool has_leader, is_leader, disk_full;
	uint64_t leader_changes;
	uint64_t puts, deletes, ranges, txns; /* applied operations */
	uint64_t leases_granted, leases_revoked, leases_renewed, leases_expired, leases;
	uint64_t watchers, watchers_unsynced;
};
void es_engine_get_stats(const struct es_engine *engine, struct es_engine_stats *ret_stats);

#endif
