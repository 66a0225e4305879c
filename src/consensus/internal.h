#ifndef ES_CONSENSUS_INTERNAL_H
#define ES_CONSENSUS_INTERNAL_H

#include <raft.h>
#include <uv.h>

#include "base/queue.h"
#include "consensus/consensus.h"
#include "consensus/node.h"
#include "disk/guard.h"
#include "disk/segments.h"

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

	struct es_guard *guard;
	struct es_node *node; /* set unless the log is closed */
	enum { LOG_OPEN, LOG_CLOSING, LOG_CLOSED } log_state;

	/* Proposals: full batches, the last one being filled, and the one that is being written. */
	struct es_queue batches;
	size_t queued_bytes; /* of the batches in the queue */
	uint64_t queued_commands;
	struct es_batch *inflight;
	bool empty_batch_wanted;

	/* Role. */
	bool raft_leader; /* libraft's word */
	bool leader;      /* and all that was committed before is applied */
	bool leads_alone; /* to be announced */
	uint64_t term;
	uint64_t leader_id;
	uint64_t applied_index;
	struct es_queue read_waiters;

	/* Checkpoints (checkpointer.c). */
	struct es_mvcc *store;
	struct es_checkpoint_files *files;                  /* of the last one, or NULL */
	struct es_mvcc_pin pin;                             /* set while there are files */
	struct es_segments_report segments;                 /* what the log was found to be */
	uint8_t descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES]; /* that the log was opened with, if
							       there are files */
	struct es_checkpoint_run *run;                      /* the one under way */
	uint64_t log_bytes, log_bytes_kept; /* applied in this run, and how much of that the last
					       checkpoint covers */
	uint64_t log_commands, log_commands_kept;
	uint64_t checkpoint_last_ms;
	uint64_t checkpoint_not_before_ms;
	bool checkpoint_asked;
	bool base_does_not_fit; /* as the last try has shown */
	bool disk_full;

	/* What stopped us, until it was told. */
	int fault;
	bool apply_failed; /* that was it */
	char fault_text[ES_PATH_BYTES_MAX + 512];
	bool failed;
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
	unsigned handles;

	uint64_t space_checked_ms;

	uv_check_t check;
	uv_idle_t idle;
	uv_timer_t space_timer;

	struct es_consensus_stats stats;
};

/* Let the check handle run in this turn of the loop, or at once in the next. */
void es_consensus_wake(struct es_consensus *c);
/* Something stops the member, or (ES_ENOSPC) the log. Acted on by the check handle. The first one
 * counts. */
void es_consensus_fault(struct es_consensus *c, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Close libraft; log_state says when that is done. */
void es_consensus_close_log(struct es_consensus *c);
/* Check the log once more and open it, while the state stays what it is. */
int es_consensus_reopen_log(struct es_consensus *c, char *errmsg, size_t errmsg_size);

/* space.c */
/* What must stay free for libraft's next segments. */
#define ES_SPACE_MARGIN_BYTES ((uint64_t)3 * 8 * 1024 * 1024)
/* Above the margin: when writes are accepted again, so that the answer does not swing. */
#define ES_SPACE_AGAIN_BYTES ((uint64_t)8 * 1024 * 1024)
/* About to write `more` bytes: is there room? Sets disk_full if not. */
void es_space_look(struct es_consensus *c, size_t more);
/* libraft ran out of space, and will not go on: close it until there is room. Called at each turn
 * until then. */
void es_space_lost_log(struct es_consensus *c);

/* proposals.c */
int es_proposals_add(struct es_consensus *c, struct es_slice command, void *op);
/* Hand the oldest batch to libraft, unless one is being written. */
void es_proposals_flush(struct es_consensus *c);
/* Answer everything that is not with libraft yet. */
void es_proposals_drop(struct es_consensus *c, int status);
/* Apply one committed entry. */
int es_proposals_apply(struct es_consensus *c, uint64_t index, uint64_t term,
		       struct es_slice entry);

/* checkpointer.c */
/* An entry was applied: is a checkpoint due? */
void es_checkpointer_applied(struct es_consensus *c, size_t entry_bytes, uint32_t commands);
/* At every tick: has one become due by the time? */
void es_checkpointer_look(struct es_consensus *c);
/* One is wanted now, unless one is under way. */
void es_checkpointer_ask(struct es_consensus *c);
/* libraft asks for one. */
int es_checkpointer_begin(struct es_consensus *c, uint64_t index, uint64_t term);
/* A turn of the loop: the next slice. */
void es_checkpointer_turn(struct es_consensus *c);
/* libraft has stored the descriptor, or not. */
void es_checkpointer_stored(struct es_consensus *c, int raft_status);
/* Give up what is under way. True when the log can be closed; else the check handle is woken when
 * it can. */
bool es_checkpointer_stop(struct es_consensus *c);
int es_checkpointer_restore(struct es_consensus *c, struct es_slice descriptor, char *errmsg,
			    size_t errmsg_size);
void es_checkpointer_close(struct es_consensus *c);

#endif
