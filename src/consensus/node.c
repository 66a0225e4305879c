#include <limits.h>
#include <stdio.h>
#include <uv.h>

#include "base/assert.h"
#include "base/status.h"
#include "consensus/node_internal.h"
#include "consensus/transport_none.h"
#include "disk/checkpoint.h"

/*
 * What is wrapped, and why:
 *
 *   append        to time it, and to hear of a failure before libraft acts on it
 *   snapshot_put  libraft would take the state as one buffer. Its fsm gives a placeholder instead;
 *                 the owner writes a checkpoint in its own time, and only then the original is
 *                 called, with the checkpoint's descriptor in the place of the placeholder.
 *                 libraft cuts its log when that is stored.
 *   set_term, set_vote
 *                 to keep a checked copy of what libraft writes without a checksum
 *   start         to be called back after every tick and every message: libraft 0.15 tells nobody
 *                 of a change of role
 *
 * Invariants:
 *   N1  An append that libraft refused may still be in its queue (it frees nothing then) and come
 *       back when it closes. The request therefore lives until it was called back or the node is
 *       closed.
 *   N2  libraft does not wait for a checkpoint when it closes, so it is answered before raft_close
 *       is called.
 */
struct node_append {
	struct raft_io_append request;
	struct es_queue link;
	struct es_node *node;
	struct raft_io_append *original;
	raft_io_append_cb original_done;
	uint64_t begin_ns;
	uint64_t last_index;
	bool orphan; /* refused: nobody waits for it */
};

static struct es_node *node_of(struct raft_io *io)
{
	return ES_CONTAINER_OF(io, struct es_node, io);
}

struct raft *es_node_raft(struct es_node *node)
{
	return &node->raft;
}

uint64_t es_node_term_of(struct es_node *node, uint64_t index)
{
	const struct raft_log *log = &node->raft.log;

	if (index == log->snapshot.last_index)
		return log->snapshot.last_term;
	if (index <= log->offset || index > raft_last_index(&node->raft))
		return 0;
	return log->entries[(log->front + (index - log->offset - 1)) % log->size].term;
}

static void on_tick(struct raft_io *io)
{
	struct es_node *node = node_of(io);

	node->tick(io);
	node->callbacks.changed(node->callbacks.ctx);
}

static void on_recv(struct raft_io *io, struct raft_message *message)
{
	struct es_node *node = node_of(io);

	node->recv(io, message);
	node->callbacks.changed(node->callbacks.ctx);
}

static int wrapped_start(struct raft_io *io, unsigned tick_ms, raft_io_tick_cb tick,
			 raft_io_recv_cb recv)
{
	struct es_node *node = node_of(io);

	node->tick = tick;
	node->recv = recv;
	return node->original_start(io, tick_ms, on_tick, on_recv);
}

static int wrapped_set_term(struct raft_io *io, raft_term term)
{
	struct es_node *node = node_of(io);

	if (node->callbacks.term(node->callbacks.ctx, term) < 0)
		return RAFT_IOERR;
	return node->original_set_term(io, term);
}

static int wrapped_set_vote(struct raft_io *io, raft_id member_id)
{
	struct es_node *node = node_of(io);

	if (node->callbacks.vote(node->callbacks.ctx, member_id) < 0)
		return RAFT_IOERR;
	return node->original_set_vote(io, member_id);
}

static void append_done(struct raft_io_append *request, int status)
{
	struct node_append *append = ES_CONTAINER_OF(request, struct node_append, request);
	struct es_node *node = append->node;
	struct raft_io_append *original = append->original;
	raft_io_append_cb original_done = append->original_done;
	bool orphan = append->orphan;

	es_queue_remove(&append->link);
	if (!orphan)
		node->callbacks.appended(node->callbacks.ctx, append->last_index,
					 (uv_hrtime() - append->begin_ns) / 1000, status,
					 node->io.errmsg);
	es_free(node->mem, append);
	if (orphan)
		return;
	original_done(original, status);
	node->callbacks.changed(node->callbacks.ctx);
}

static int wrapped_append(struct raft_io *io, struct raft_io_append *request,
			  const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
	struct es_node *node = node_of(io);
	struct node_append *append = es_calloc(node->mem, 1, sizeof(*append));
	int rv;

	if (append == NULL)
		return RAFT_NOMEM;
	append->node = node;
	append->original = request;
	append->original_done = done;
	append->begin_ns = uv_hrtime();
	append->last_index = raft_last_index(&node->raft);
	es_queue_init(&append->link);
	es_queue_push(&node->appends, &append->link);
	rv = node->original_append(io, &append->request, entries, n, append_done);
	if (rv != 0) {
		append->orphan = true;
		node->callbacks.appended(node->callbacks.ctx, append->last_index, 0, rv,
					 io->errmsg);
	}
	return rv;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct es_node *node = ES_CONTAINER_OF(fsm, struct es_node, fsm);
	uint64_t index = node->raft.last_applied + 1;

	*result = NULL;
	/* The number is only for libraft, which forgets it. */
	return node->callbacks.apply(node->callbacks.ctx, index, es_node_term_of(node, index),
				     es_slice(buf->base, buf->len)) < 0
		       ? RAFT_SHUTDOWN
		       : 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct raft_buffer *placeholder = raft_malloc(sizeof(*placeholder));

	(void)fsm;
	if (placeholder == NULL)
		return RAFT_NOMEM;
	placeholder->len = ES_CHECKPOINT_DESCRIPTOR_BYTES;
	placeholder->base = raft_calloc(1, placeholder->len);
	if (placeholder->base == NULL) {
		raft_free(placeholder);
		return RAFT_NOMEM;
	}
	*bufs = placeholder;
	*n_bufs = 1;
	return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct es_node *node = ES_CONTAINER_OF(fsm, struct es_node, fsm);

	if (node->callbacks.restore(node->callbacks.ctx, es_slice(buf->base, buf->len)) < 0)
		return RAFT_CORRUPT;
	raft_free(buf->base); /* ours on success */
	return 0;
}

static int wrapped_snapshot_put(struct raft_io *io, unsigned trailing,
				struct raft_io_snapshot_put *request,
				const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
	struct es_node *node = node_of(io);

	ES_ASSERT(node->put == NULL);
	es_node_want_checkpoint(node, false);
	node->put = request;
	node->snapshot = snapshot;
	node->put_done = done;
	node->put_trailing = trailing;
	if (node->callbacks.checkpoint(node->callbacks.ctx, snapshot->index, snapshot->term) < 0) {
		node->put = NULL;
		return RAFT_BUSY;
	}
	return 0;
}

static void put_stored(struct raft_io_snapshot_put *request, int status)
{
	struct raft *raft = request->data;
	struct es_node *node = ES_CONTAINER_OF(raft, struct es_node, raft);

	node->put_done(request, status);
	node->callbacks.checkpoint_stored(node->callbacks.ctx, status);
}

void es_node_checkpoint_done(struct es_node *node, const uint8_t *descriptor)
{
	struct raft_io_snapshot_put *request = node->put;
	int rv = RAFT_CANCELED;

	ES_ASSERT(request != NULL);
	node->put = NULL;
	if (descriptor != NULL) {
		memcpy(node->snapshot->bufs[0].base, descriptor, ES_CHECKPOINT_DESCRIPTOR_BYTES);
		rv = node->original_snapshot_put(&node->io, node->put_trailing, request,
						 node->snapshot, put_stored);
	}
	if (rv != 0) {
		node->put_done(request, rv);
		node->callbacks.checkpoint_stored(node->callbacks.ctx, rv);
	}
}

void es_node_want_checkpoint(struct es_node *node, bool wanted)
{
	raft_set_snapshot_threshold(&node->raft, wanted ? 1 : UINT_MAX);
}

static void node_free(struct es_node *node)
{
	struct es_queue *link;

	while ((link = es_queue_pop(&node->appends)) != NULL)
		es_free(node->mem, ES_QUEUE_ITEM(link, struct node_append, link));
	es_free(node->mem, node);
}

static void raft_closed(struct raft *raft)
{
	struct es_node *node = ES_CONTAINER_OF(raft, struct es_node, raft);
	void (*closed)(void *ctx) = node->closed;
	void *ctx = node->closed_ctx;

	raft_uv_close(&node->io);
	node_free(node);
	closed(ctx);
}

void es_node_close(struct es_node *node, void (*closed)(void *ctx), void *ctx)
{
	ES_ASSERT(node->put == NULL); /* N2 */
	node->closed = closed;
	node->closed_ctx = ctx;
	raft_close(&node->raft, raft_closed);
}

static void ignore_closed(void *ctx)
{
	(void)ctx;
}

static void ignore_changed(void *ctx)
{
	(void)ctx;
}

static void ignore_appended(void *ctx, uint64_t last_index, uint64_t us, int raft_status,
			    const char *text)
{
	(void)ctx;
	(void)last_index;
	(void)us;
	(void)raft_status;
	(void)text;
}

void es_node_abandon(struct es_node *node)
{
	node->callbacks.changed = ignore_changed;
	node->callbacks.appended = ignore_appended;
	es_node_close(node, ignore_closed, NULL);
}

static void wrap(struct es_node *node)
{
	node->original_start = node->io.start;
	node->original_set_term = node->io.set_term;
	node->original_set_vote = node->io.set_vote;
	node->original_append = node->io.append;
	node->original_snapshot_put = node->io.snapshot_put;
	node->io.start = wrapped_start;
	node->io.set_term = wrapped_set_term;
	node->io.set_vote = wrapped_set_vote;
	node->io.append = wrapped_append;
	node->io.snapshot_put = wrapped_snapshot_put;
	node->fsm = (struct raft_fsm){
		.version = 1,
		.apply = fsm_apply,
		.snapshot = fsm_snapshot,
		.restore = fsm_restore,
	};
}

int es_node_open(const struct es_node_config *config, struct es_node **ret_node, char *errmsg,
		 size_t errmsg_size)
{
	struct es_node *node = es_calloc(config->mem, 1, sizeof(*node));
	int rc;
	int rv;

	if (node == NULL) {
		snprintf(errmsg, errmsg_size, "%s", es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	node->mem = config->mem;
	node->loop = config->loop;
	node->callbacks = config->callbacks;
	es_queue_init(&node->appends);
	es_transport_none_init(&node->transport);
	rv = raft_uv_init(&node->io, config->loop, config->folder, &node->transport);
	if (rv != 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", config->folder, node->io.errmsg);
		node_free(node);
		return es_node_status(rv, "");
	}
	/* A snapshot is 64 bytes, and a damaged file is for people to judge. */
	raft_uv_set_snapshot_compression(&node->io, false);
	raft_uv_set_auto_recovery(&node->io, false);
	wrap(node);
	rv = raft_init(&node->raft, &node->io, &node->fsm, config->member_id, config->address);
	if (rv != 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", config->folder, raft_errmsg(&node->raft));
		rc = es_node_status(rv, node->io.errmsg);
		raft_uv_close(&node->io);
		node_free(node);
		return rc;
	}
	raft_set_heartbeat_timeout(&node->raft, config->heartbeat_ms);
	raft_set_election_timeout(&node->raft, config->election_ms);
	raft_set_pre_vote(&node->raft, true);
	raft_set_snapshot_trailing(
		&node->raft, 1); /* 0 would mean "put a foreign snapshot in the place of the log" */
	es_node_want_checkpoint(node, false);
	rv = raft_start(&node->raft);
	if (rv != 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", config->folder, raft_errmsg(&node->raft));
		rc = es_node_status(rv, raft_errmsg(&node->raft));
		es_node_abandon(node);
		return rc;
	}
	*ret_node = node;
	return 0;
}

int es_node_status(int raft_status, const char *text)
{
	int error_number = 0;
	const char *number = strstr(text, "write failed: -");

	switch (raft_status) {
	case 0: return 0;
	case RAFT_NOMEM: return ES_ENOMEM;
	case RAFT_NOSPACE: return ES_ENOSPC;
	case RAFT_NOTLEADER: return ES_ENOT_LEADER;
	case RAFT_LEADERSHIPLOST: return ES_ELEADER_CHANGED;
	case RAFT_SHUTDOWN:
	case RAFT_CANCELED: return ES_ESTOPPED;
	case RAFT_CORRUPT:
	case RAFT_MALFORMED: return ES_ECORRUPT;
	case RAFT_IOERR:
		/* libraft's writer has one number for all errors and puts the system's into its
		 * text. */
		if (number != NULL && sscanf(number, "write failed: -%d", &error_number) == 1)
			return es_fs_status(error_number);
		if (strstr(text, "not enough space") != NULL ||
		    strstr(text, "no space left") != NULL)
			return ES_ENOSPC;
		return ES_EIO;
	default: return ES_EIO;
	}
}
