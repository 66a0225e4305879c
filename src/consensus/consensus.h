#ifndef ES_CONSENSUS_CONSENSUS_H
#define ES_CONSENSUS_CONSENSUS_H

#include "base/buf.h"
#include "base/env.h"
#include "base/log.h"
#include "base/status.h"
#include "disk/checkpoint.h"

/*
 * The replicated log: proposals in, committed commands out. The only user of raft.h (libraft 0.15).
 * Everything happens on the loop thread; callbacks come from the loop, never from inside
 * es_consensus_propose. Only what is on disk already is restored and applied from inside
 * es_consensus_open (with op NULL).
 *
 * Proposals of one loop turn become one log entry (a batch, docs/formats/log-entry.md): one disk
 * write for many clients. libraft gives an entry back when it is on a majority's disks; its
 * commands are then handed to `apply` one by one, in order, with the `op` pointer that was given to
 * propose when this process proposed them in this run, else NULL.
 */
struct uv_loop_s;
struct es_consensus;

struct es_consensus_callbacks {
	/*
	 * Apply one committed command. `command` is valid during the call. Deterministic. An error
	 * (ES_ENOMEM, ES_ECORRUPT) stops the member: `failed` follows.
	 */
	int (*apply)(void *ctx, uint64_t index, uint64_t term, struct es_slice command, void *op);
	/* All commands of the entry at `index` were applied; `batch` are the bytes that they were
	 * in (the same on every member). Indexes have gaps: libraft's own entries do not come here.
	 * An entry may hold no command. */
	void (*applied)(void *ctx, uint64_t index, uint64_t term, struct es_slice batch);
	/* A proposal that will not be answered by apply. ES_ENOT_LEADER, ES_ENOSPC, ES_ENOMEM: it
	 * is in no log. ES_ELEADER_CHANGED, ES_EIO, ES_ESTOPPED, ES_ETIMEOUT: its outcome may be
	 * unknown (it may come back in the log). */
	void (*dropped)(void *ctx, void *op, int status);
	/* Leader id 0: none known. `is_leader` only becomes true once an entry of this term is
	 * committed, so that all earlier writes are applied. */
	void (*leadership)(void *ctx, bool is_leader, uint64_t leader_id, uint64_t term);
	/* A checkpoint begins at the applied index: fill in the state (cluster id, index and term
	 * are set already). `ret_state->meta` must stay valid until control is back on the loop.
	 * Unless this failed, checkpoint_end follows, whatever happens. We keep the store from
	 * freeing anything meanwhile, and between checkpoints what changed since the last one
	 * (disk/checkpoint.h): compaction frees that after checkpoint_end. */
	int (*checkpoint_begin)(void *ctx, struct es_checkpoint_state *ret_state,
				const struct es_mvcc **ret_store);
	void (*checkpoint_end)(void *ctx, int status);
	/* At start, before any apply: the store to load into (empty; asked for even when there is
	 * no checkpoint; the same one that checkpoint_begin gives later, alive until we are
	 * closed), then what came with the checkpoint. */
	struct es_mvcc *(*restore_store)(void *ctx);
	int (*restored)(void *ctx, const struct es_checkpoint_state *state);
	/* The disk has no room (true), or has room again (false): reads go on, proposals are
	 * refused with ES_ENOSPC. */
	void (*disk_full)(void *ctx, bool full);
	/* The member cannot go on: an fsync or write failed for good, or apply did. `message` names
	 * file and cause. After it, nothing but close. */
	void (*failed)(void *ctx, int status, const char *message);
	void *ctx;
};

struct es_consensus_config {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	struct uv_loop_s *loop;
	const struct es_fs *fs;
	const char *data_dir; /* holds raft/ and checkpoints/; locked by the caller */
	uint64_t cluster_id;
	uint64_t member_id;
	const char *peer_address; /* recorded in the configuration of a new cluster */
	unsigned heartbeat_ms;
	unsigned election_ms;
	/* --snapshot-count: a checkpoint after so many commands (not batches), but by that at most
	 * one a second. 0: never by their number. */
	uint64_t checkpoint_entries;
	uint64_t checkpoint_log_bytes; /* or after so many bytes of log; 0: 64 MiB */
	size_t batch_bytes_max;        /* a larger batch is cut; a single command may be larger */
	/* No effect but a warning: libraft opens its segments for synchronous writes. */
	bool unsafe_no_fsync;
	struct es_consensus_callbacks callbacks;
};

/*
 * Open the log in data_dir (a new single-member cluster when there is none), verify it, load the
 * newest checkpoint and start. Applying the log behind the checkpoint happens before `leadership`
 * says true. On failure `errmsg` says what, where (file and offset) and the way out; what was there
 * is as it was then, unless all of it was found well and only opening it failed (what a crash left
 * may be repaired already). Strings of the config are copied, pointers borrowed until closed. After a
 * failure, too, the loop may have handles to close: run it once more before uv_loop_close.
 */
int es_consensus_open(const struct es_consensus_config *config, struct es_consensus **ret_consensus,
		      char *errmsg, size_t errmsg_size);
/* Drops pending proposals (ES_ESTOPPED), finishes what is being written, releases everything, then
 * calls `closed` (possibly before returning is not allowed: always from the loop). The object is
 * gone after it. */
void es_consensus_close(struct es_consensus *consensus, void (*closed)(void *ctx), void *ctx);

/*
 * Propose a command. The bytes are copied. On 0 exactly one of `apply` (with op) or `dropped`
 * follows, later, unless op is NULL. ES_ENOT_LEADER, ES_ENOSPC, ES_ENOMEM, ES_ESTOPPED,
 * ES_ETOO_MANY_REQUESTS (the log does not keep up: beside what is being written, 64 MiB or 100,000
 * commands wait): nothing follows. A proposal is on its way at the end of this loop turn (a uv_check handle flushes).
 */
int es_consensus_propose(struct es_consensus *consensus, struct es_slice command, void *op);

/*
 * ReadIndex: calls `ready(arg, status)` when a read of the applied state is linearizable, counted
 * from this call. May call it before returning (a single voter that leads needs no round).
 * ES_ENO_LEADER, ES_ELEADER_CHANGED, ES_ETIMEOUT, ES_ESTOPPED.
 */
void es_consensus_read_index(struct es_consensus *consensus, void (*ready)(void *arg, int status),
			     void *arg);

bool es_consensus_is_leader(const struct es_consensus *consensus);
uint64_t es_consensus_leader_id(const struct es_consensus *consensus);
uint64_t es_consensus_term(const struct es_consensus *consensus);
uint64_t es_consensus_commit_index(const struct es_consensus *consensus);
uint64_t es_consensus_applied_index(const struct es_consensus *consensus);

/* Start a checkpoint now unless one is under way. */
void es_consensus_checkpoint(struct es_consensus *consensus);

struct es_consensus_stats {
	uint64_t proposals_committed, proposals_applied, proposals_pending,
		proposals_failed; /* commands */
	uint64_t batches;
	uint64_t log_bytes_written, checkpoint_bytes_written;
	uint64_t log_bytes_in_memory;
	uint64_t checkpoints;
	/* Time from handing a batch to the log until it is on disk, as a histogram with the bounds
	 * of etcd's etcd_disk_wal_fsync_duration_seconds: 1 ms doubling to 8.192 s, then +Inf. */
	uint64_t fsync_bucket[15];
	uint64_t fsync_count;
	uint64_t fsync_sum_us;
};

void es_consensus_get_stats(const struct es_consensus *consensus,
			    struct es_consensus_stats *ret_stats);

#endif
