#ifndef ES_CONSENSUS_NODE_H
#define ES_CONSENSUS_NODE_H

#include <raft.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/slice.h"

/*
 * One run of libraft on the folder `raft/`: its raft_io wrapped, its callbacks turned into ours,
 * its closing counted. The log can be opened again in the same process with a new node once the old
 * one is closed.
 */
struct uv_loop_s;
struct es_node;

struct es_node_callbacks {
	/* A committed entry. An error stops libraft from going on; it is remembered by the owner,
	 * not by libraft. */
	int (*apply)(void *ctx, uint64_t index, uint64_t term, struct es_slice entry);
	/* At start, before any apply: what the newest snapshot holds. */
	int (*restore)(void *ctx, struct es_slice descriptor);
	/* libraft wants a checkpoint of the state at `index`. On 0, es_node_checkpoint_done follows
	 * once. */
	int (*checkpoint)(void *ctx, uint64_t index, uint64_t term);
	/* The descriptor that es_node_checkpoint_done gave is stored and the log is cut, or not
	 * (libraft's number). */
	void (*checkpoint_stored)(void *ctx, int raft_status);
	/* An append ended after `us` microseconds. Comes before libraft acts on it. 0 or libraft's
	 * number, with its text. */
	void (*appended)(void *ctx, uint64_t last_index, uint64_t us, int raft_status,
			 const char *text);
	/* libraft is about to write a new term (without a vote yet), or a vote in the newest term
	 * it wrote. An error keeps it from doing so. */
	int (*term)(void *ctx, uint64_t term);
	int (*vote)(void *ctx, uint64_t member_id);
	/* Something happened: role, term or leader may be other ones. */
	void (*changed)(void *ctx);
	void *ctx;
};

struct es_node_config {
	const struct es_mem *mem;
	struct uv_loop_s *loop;
	const char *folder;
	uint64_t member_id;
	const char *address;
	unsigned heartbeat_ms;
	unsigned election_ms;
	struct es_node_callbacks callbacks;
};

/*
 * Open the log and start. For a single voter this applies the whole log before it returns. After a
 * failure the loop must run until its handles are closed; `errmsg` has libraft's text. Strings are
 * copied.
 */
int es_node_open(const struct es_node_config *config, struct es_node **ret_node, char *errmsg,
		 size_t errmsg_size);

/* Ends what is in flight, then calls `closed` from the loop; the node is gone after it. A
 * checkpoint asked for must have been answered. */
void es_node_close(struct es_node *node, void (*closed)(void *ctx), void *ctx);

/* The same without a word: for a node whose owner may be gone when the loop gets to it. It was just
 * opened. */
void es_node_abandon(struct es_node *node);

/* For reading only. */
struct raft *es_node_raft(struct es_node *node);
/* The term of an entry that libraft holds in memory. */
uint64_t es_node_term_of(struct es_node *node, uint64_t index);

/* Ask for a checkpoint after the next entry that is applied, or not any more. */
void es_node_want_checkpoint(struct es_node *node, bool wanted);
/* The checkpoint that was asked for is on disk (its descriptor, 64 bytes), or was given up (NULL).
 */
void es_node_checkpoint_done(struct es_node *node, const uint8_t *descriptor);

/* The status for a number of libraft, with the text that came with it. */
int es_node_status(int raft_status, const char *text);

#endif
