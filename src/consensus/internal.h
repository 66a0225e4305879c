#ifndef ES_CONSENSUS_INTERNAL_H
#define ES_CONSENSUS_INTERNAL_H

#include <raft.h>
#include <uv.h>

#include "base/queue.h"
#include "consensus/consensus.h"
#include "consensus/node.h"

/* Commands that become one log entry. */
struct es_batch {
	struct es_queue link;
	struct raft_apply request;
	struct es_consensus *consensus;
	uint8_t *data; /* raft_malloc'ed; libraft's once it accepted it */
	size_t len;
	size_t cap;
	void **ops; /* one for each command */
	uint32_t count;
	uint32_t ops_cap;
	uint32_t answered; /* ops that apply has seen */
	uint64_t index;
};

struct es_read_waiter {
	struct es_queue link;
	void (*ready)(void *arg, int status);
	void *arg;
};

struct es_consensus {
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	const struct es_fs *fs;
	uv_loop_t *loop;
	struct es_consensus_callbacks callbacks;
	char raft_dir[ES_PATH_BYTES_MAX];
	char checkpoint_dir[ES_PATH_BYTES_MAX];
	char *address;
	uint64_t cluster_id;
	uint64_t member_id;
	unsigned heartbeat_ms;
	unsigned election_ms;
	uint64_t checkpoint_entries;
	uint64_t checkpoint_log_bytes;
	size_t batch_bytes_max;

	struct es_node *node; /* NULL while the log is closed */

	/* Proposals: full batches, the last one being filled, and the one that is being written. */
	struct es_queue batches;
	struct es_batch *inflight;
	bool first_batch_wanted; /* a new leader proposes an empty batch */

	/* Role. */
	bool raft_leader; /* libraft's word */
	bool leader;      /* an entry of this term is applied */
	uint64_t term;
	uint64_t leader_id;
	uint64_t applied_index;
	struct es_queue read_waiters;

	/* What stopped us, until it was told. */
	int fault;
	char fault_text[512];
	bool failed;
	bool closing;
	bool ended; /* closing has come to libraft and the handles */
	void (*closed)(void *ctx);
	void *closed_ctx;
	unsigned handles;

	uv_check_t check;
	uv_idle_t idle;

	struct es_consensus_stats stats;
};

/* Let the check handle run in this turn of the loop, or at once in the next. */
void es_consensus_wake(struct es_consensus *c);
/* Something stops the member, or (ES_ENOSPC) the log. Acted on by the check handle. The first one counts. */
void es_consensus_fault(struct es_consensus *c, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* proposals.c */
int es_proposals_add(struct es_consensus *c, struct es_slice command, void *op);
/* Hand the oldest batch to libraft, unless one is being written. */
void es_proposals_flush(struct es_consensus *c);
/* Answer everything that is not with libraft yet. */
void es_proposals_drop(struct es_consensus *c, int status);
/* Apply one committed entry. */
int es_proposals_apply(struct es_consensus *c, uint64_t index, uint64_t term, struct es_slice entry);

#endif
