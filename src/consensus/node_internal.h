#ifndef ES_CONSENSUS_NODE_INTERNAL_H
#define ES_CONSENSUS_NODE_INTERNAL_H

#include <raft/uv.h>

#include "base/queue.h"
#include "consensus/node.h"

/* For node.c, and for tests that put a failing disk behind it. */
struct es_node {
	const struct es_mem *mem;
	struct uv_loop_s *loop;
	struct es_node_callbacks callbacks;
	struct raft raft;
	struct raft_io io;
	struct raft_fsm fsm;
	struct raft_uv_transport transport;
	struct es_queue appends; /* N1 */

	int (*original_start)(struct raft_io *, unsigned, raft_io_tick_cb, raft_io_recv_cb);
	int (*original_set_term)(struct raft_io *, raft_term);
	int (*original_set_vote)(struct raft_io *, raft_id);
	int (*original_append)(struct raft_io *, struct raft_io_append *, const struct raft_entry[],
			       unsigned, raft_io_append_cb);
	int (*original_snapshot_put)(struct raft_io *, unsigned, struct raft_io_snapshot_put *,
				     const struct raft_snapshot *, raft_io_snapshot_put_cb);
	raft_io_tick_cb tick;
	raft_io_recv_cb recv;

	/* The checkpoint under way: libraft's request as long as it is not answered. */
	struct raft_io_snapshot_put *put;
	const struct raft_snapshot *snapshot;
	raft_io_snapshot_put_cb put_done;
	unsigned put_trailing;

	void (*closed)(void *ctx);
	void *closed_ctx;
};

#endif
