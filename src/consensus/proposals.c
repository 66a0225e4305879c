#include "base/assert.h"
#include "consensus/batch.h"
#include "consensus/internal.h"

/*
 * From proposals to log entries and back.
 *
 * Proposals are collected into the newest batch of the queue. The check handle hands the oldest
 * batch to libraft when none is being written: what arrives during a write becomes the next batch,
 * so batches grow with the load by themselves.
 *
 * Invariants:
 *   P1  At most one entry is being written at any time. libraft writes one thing at a time anyway,
 *       but would put several waiting entries into one write, and a torn write could then leave a
 *       broken entry before a whole one. With P1 an entry on disk proves that all earlier ones
 *       were written completely, which is how corruption is told from a torn tail
 *       (disk/segments.c).
 *   P2  Each op is answered exactly once: by apply, or by dropped.
 *   P3  What waits has a limit, so that a disk that hangs does not fill the memory. One command of
 *       any size may wait.
 */
#define BATCH_BYTES_FIRST   1024
#define QUEUED_BYTES_MAX    ((size_t)64 << 20)
#define QUEUED_COMMANDS_MAX 100000

static void batch_free(struct es_batch *batch)
{
	const struct es_mem *mem = batch->consensus->mem;

	raft_free(batch->data);
	es_free(mem, batch->ops);
	es_free(mem, batch);
}

static struct es_batch *batch_new(struct es_consensus *c)
{
	struct es_batch *batch = es_calloc(c->mem, 1, sizeof(*batch));

	if (batch == NULL)
		return NULL;
	batch->consensus = c;
	es_queue_init(&batch->link);
	batch->data = raft_malloc(BATCH_BYTES_FIRST);
	if (batch->data == NULL) {
		batch_free(batch);
		return NULL;
	}
	batch->cap = BATCH_BYTES_FIRST;
	batch->len = ES_BATCH_HEADER_BYTES;
	return batch;
}

/* Room for `more` bytes, the padding included. */
static int batch_reserve(struct es_batch *batch, size_t more)
{
	size_t need = batch->len + more + 8;
	size_t cap = batch->cap;
	uint8_t *data;

	if (need <= cap)
		return 0;
	while (cap < need)
		cap *= 2;
	data = raft_realloc(batch->data, cap);
	if (data == NULL)
		return ES_ENOMEM;
	batch->data = data;
	batch->cap = cap;
	return 0;
}

static int batch_add(struct es_batch *batch, struct es_slice command, void *op)
{
	const struct es_mem *mem = batch->consensus->mem;
	int rc;

	if (batch->count == batch->ops_cap) {
		uint32_t cap = batch->ops_cap == 0 ? 8 : batch->ops_cap * 2;
		void **ops = es_realloc(mem, batch->ops, cap * sizeof(*ops));

		if (ops == NULL)
			return ES_ENOMEM;
		batch->ops = ops;
		batch->ops_cap = cap;
	}
	rc = batch_reserve(batch, ES_BATCH_COMMAND_BYTES + command.len);
	if (rc < 0)
		return rc;
	es_store_u32le(batch->data + batch->len, (uint32_t)command.len);
	batch->len += ES_BATCH_COMMAND_BYTES;
	if (command.len > 0)
		memcpy(batch->data + batch->len, command.data, command.len);
	batch->len += command.len;
	batch->ops[batch->count++] = op;
	return 0;
}

static void queue_push(struct es_consensus *c, struct es_batch *batch)
{
	es_queue_push(&c->batches, &batch->link);
	c->queued_bytes += batch->len;
}

static struct es_batch *queue_pop(struct es_consensus *c)
{
	struct es_queue *link = es_queue_pop(&c->batches);
	struct es_batch *batch;

	if (link == NULL)
		return NULL;
	batch = ES_QUEUE_ITEM(link, struct es_batch, link);
	c->queued_bytes -= batch->len;
	c->queued_commands -= batch->count;
	return batch;
}

static struct es_batch *newest_batch(struct es_consensus *c)
{
	return es_queue_empty(&c->batches) ? NULL
					   : ES_QUEUE_ITEM(c->batches.prev, struct es_batch, link);
}

int es_proposals_add(struct es_consensus *c, struct es_slice command, void *op)
{
	struct es_batch *batch = newest_batch(c);
	size_t bytes = ES_BATCH_COMMAND_BYTES + command.len;
	int rc;

	if (command.len > UINT32_MAX / 2)
		return ES_EINVAL;
	if (c->queued_commands >= QUEUED_COMMANDS_MAX ||
	    (c->queued_commands > 0 && c->queued_bytes + bytes > QUEUED_BYTES_MAX))
		return ES_ETOO_MANY_REQUESTS; /* P3 */
	if (batch != NULL && batch->len + command.len <= c->batch_bytes_max) {
		rc = batch_add(batch, command, op);
		if (rc < 0)
			return rc;
		c->queued_bytes += bytes;
	} else {
		batch = batch_new(c);
		if (batch == NULL)
			return ES_ENOMEM;
		rc = batch_add(batch, command, op);
		if (rc < 0) {
			batch_free(batch);
			return rc;
		}
		queue_push(c, batch);
	}
	c->queued_commands++;
	c->stats.proposals_pending++;
	if (c->inflight == NULL)
		es_consensus_wake(c);
	return 0;
}

static void batch_drop(struct es_batch *batch, int status)
{
	struct es_consensus *c = batch->consensus;

	for (uint32_t i = batch->answered; i < batch->count; i++) {
		c->stats.proposals_pending--;
		c->stats.proposals_failed++;
		if (batch->ops[i] != NULL)
			c->callbacks.dropped(c->callbacks.ctx, batch->ops[i], status);
	}
	batch_free(batch);
}

void es_proposals_drop(struct es_consensus *c, int status)
{
	struct es_queue dropped;
	struct es_queue *link;
	struct es_batch *batch;

	/* A callback may propose again: those are not meant. */
	es_queue_init(&dropped);
	while ((batch = queue_pop(c)) != NULL)
		es_queue_push(&dropped, &batch->link);
	while ((link = es_queue_pop(&dropped)) != NULL)
		batch_drop(ES_QUEUE_ITEM(link, struct es_batch, link), status);
}

/* libraft is done with the batch: applied, or never to be heard of again. */
static void batch_done(struct raft_apply *request, int raft_status, void *result)
{
	struct es_batch *batch = ES_CONTAINER_OF(request, struct es_batch, request);
	struct es_consensus *c = batch->consensus;
	int status = ES_EINTERNAL;

	(void)result;
	ES_ASSERT(c->inflight == batch);
	c->inflight = NULL;
	if (raft_status != 0)
		status = c->apply_failed         ? ES_ESTOPPED /* it is committed */
			 : c->fault == ES_ENOSPC ? ES_ETIMEOUT /* it may be on disk even so */
			 : c->fault < 0          ? c->fault
			 : c->closing            ? ES_ESTOPPED
						 : es_node_status(raft_status, "");
	ES_ASSERT(raft_status != 0 || batch->answered == batch->count);
	batch_drop(batch, status);
	es_consensus_wake(c);
}

void es_proposals_flush(struct es_consensus *c)
{
	struct es_batch *batch;
	struct raft *raft;
	struct raft_buffer buf;
	uint8_t *shrunk;
	int rv;

	if (c->inflight != NULL || c->fault < 0)
		return;
	if (!es_queue_empty(&c->batches)) {
		es_space_look(c, ES_QUEUE_ITEM(c->batches.next, struct es_batch, link)->len);
		if (c->disk_full) {
			es_proposals_drop(c, ES_ENOSPC);
			return;
		}
	}
	if (c->empty_batch_wanted) {
		batch = batch_new(c);
		if (batch == NULL) {
			es_consensus_wake(c); /* again in the next turn */
			return;
		}
		c->empty_batch_wanted = false;
	} else {
		batch = queue_pop(c);
		if (batch == NULL)
			return;
	}
	raft = es_node_raft(c->node);
	batch->index = raft_last_index(raft) + 1;
	es_batch_header(batch->data, batch->count, batch->index);
	while (batch->len % 8 != 0) /* libraft writes whole words; reserved by batch_reserve */
		batch->data[batch->len++] = 0;
	/* It stays in libraft's memory until the next checkpoint. */
	if (batch->cap - batch->len > batch->len / 4) {
		shrunk = raft_realloc(batch->data, batch->len);
		if (shrunk != NULL)
			batch->data = shrunk;
	}
	buf = (struct raft_buffer){batch->data, batch->len};
	c->inflight = batch;
	c->stats.batches++;
	rv = raft_apply(raft, &batch->request, &buf, 1, batch_done);
	if (rv != 0) { /* refused: the bytes are still ours */
		c->inflight = NULL;
		batch_drop(batch, c->fault < 0 ? c->fault : es_node_status(rv, ""));
		es_consensus_wake(c);
		return;
	}
	batch->data = NULL; /* accepted: libraft's */
	c->stats.log_bytes_written += batch->len;
}

int es_proposals_apply(struct es_consensus *c, uint64_t index, uint64_t term, struct es_slice entry)
{
	struct es_batch *batch = c->inflight != NULL && c->inflight->index == index ? c->inflight
										    : NULL;
	struct es_batch_reader reader;
	struct es_slice command;
	uint32_t count;
	int rc;

	if (index <= c->applied_index)
		return 0; /* the log was opened once more in this process */
	rc = es_batch_open(entry, index, &reader);
	if (rc < 0) {
		es_consensus_fault(c, rc, "%s: log entry %llu is not one of ours: %s", c->raft_dir,
				   (unsigned long long)index, es_status_text(rc));
		return rc;
	}
	ES_ASSERT(batch == NULL || batch->count == reader.count);
	count = reader.count;
	c->stats.proposals_committed += count;
	while (es_batch_next(&reader, &command)) {
		void *op = NULL;

		if (batch != NULL) {
			op = batch->ops[batch->answered++];
			c->stats.proposals_pending--;
		}
		rc = c->callbacks.apply(c->callbacks.ctx, index, term, command, op);
		if (rc < 0) {
			c->apply_failed = c->fault == 0;
			es_consensus_fault(c, rc, "cannot apply log entry %llu: %s",
					   (unsigned long long)index, es_status_text(rc));
			return rc;
		}
		c->stats.proposals_applied++;
	}
	c->applied_index = index;
	c->callbacks.applied(c->callbacks.ctx, index, term, entry);
	es_checkpointer_applied(c, entry.len, count);
	return 0;
}
