#include <stdio.h>

#include "base/assert.h"
#include "consensus/batch.h"
#include "consensus/internal.h"

/*
 * When a checkpoint is due, libraft's snapshot threshold is lowered to one entry: it then asks for
 * a snapshot after the entry that it applies next. That one is due is noticed when an entry is
 * applied, or, when it could not begin then (another one was under way, or too short a time ago),
 * at a later tick. The state is encoded in slices, one at a turn of
 * the loop, each hashed and written by a worker before the next; then a worker makes it durable;
 * then libraft stores its descriptor and cuts the log; then a worker removes the files that nothing
 * names any more.
 *
 *   FILL <-> FLUSH -> COMMIT -> PUT -> CLEAN
 *     any failure, or closing: -> CLEAN, after libraft was told that there is no snapshot
 *
 * Invariants:
 *   K1  Between checkpoints the store is pinned at the revision of the last one (c->pin): the next
 *       one must see every deletion since, or its additions would bring deleted keys back
 *       (disk/checkpoint.h).
 *   K2  Old files are removed only after libraft's own snapshot of the new checkpoint is durable.
 *       When storing that failed, it is not known which of the two is on disk: both stay until a
 *       later one succeeds.
 *   K3  The log is not closed while a run could still talk to it: before PUT it is given up first.
 *       In PUT libraft holds the request and answers it while it closes, at the latest. The
 *       consensus is not freed before the run has ended.
 *   K4  During a run nothing is freed (the store is pinned at 0): a compaction under way, which
 *       frees a key's versions one after another, could otherwise take a tombstone that the run
 *       has not come to, while the file has the versions before it already, and the deleted key
 *       would come back. That pin ends after K1's new one has begun.
 *   K5  libraft tells nobody when it cannot close a full segment (to cut, sync or rename its file
 *       failed), and goes on. Before it stores a snapshot it has tried to close all segments that
 *       begin at or below it, so after that one that is still open tells of a failing disk, and
 *       stops the member. Nothing is lost: the next start closes it (disk/segments.c, S6).
 *   K6  A checkpoint takes no space that the log needs: it ends before writes are refused, a base
 *       even above what must be free for them to be accepted again. After a base that did not fit
 *       an addition is tried; with it the log is cut, which may make the room for the next base.
 */
#define INTERVAL_MS          1000 /* between checkpoints that are not due by the size of the log */
#define RETRY_MS             5000 /* after a failure */
#define ENTRY_OVERHEAD_BYTES 128  /* of an entry in libraft's memory */

enum phase { PHASE_FILL, PHASE_FLUSH, PHASE_COMMIT, PHASE_PUT, PHASE_CLEAN };

struct es_checkpoint_run {
	uv_work_t work;
	struct es_consensus *consensus;
	struct es_checkpoint_writer *writer;
	enum phase phase;
	bool filled;
	bool abandon; /* closing */
	int status;
	uint64_t index;
	uint64_t log_bytes;
	uint64_t commands;
	struct es_mvcc_pin pin;
	char unclosed[ES_SEGMENTS_NAME_BYTES]; /* a segment that libraft failed to close, or "" */
	uint8_t descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES];
};

/* ---- when ------------------------------------------------------------------------------------ */

static bool is_due(struct es_consensus *c)
{
	uint64_t now_ms = c->env->now_ms(c->env->ctx);

	if (c->run != NULL || c->disk_full || now_ms < c->checkpoint_not_before_ms)
		return false;
	if (c->checkpoint_asked || c->log_bytes - c->log_bytes_kept >= c->checkpoint_log_bytes)
		return true;
	if (now_ms < c->checkpoint_last_ms + INTERVAL_MS)
		return false;
	/* K1's pin holds back what a compaction above it would free. */
	return c->log_commands - c->log_commands_kept >= c->checkpoint_entries ||
	       (c->files != NULL && es_mvcc_compacted(c->store) > c->pin.revision);
}

void es_checkpointer_ask(struct es_consensus *c)
{
	if (c->run != NULL && c->run->phase != PHASE_CLEAN)
		return;
	c->checkpoint_asked = true;
	c->checkpoint_not_before_ms = 0;
	c->empty_batch_wanted = true; /* libraft asks only after it applied something */
	es_consensus_wake(c);
}

void es_checkpointer_look(struct es_consensus *c)
{
	if (c->inflight != NULL || c->log_state != LOG_OPEN || !c->raft_leader || c->closing ||
	    c->fault < 0 || !is_due(c))
		return; /* what is in flight looks by itself when it is applied */
	es_node_want_checkpoint(c->node, true);
	c->empty_batch_wanted = true; /* libraft asks only after it applied something */
	es_consensus_wake(c);
}

void es_checkpointer_applied(struct es_consensus *c, size_t entry_bytes, uint32_t commands)
{
	c->log_bytes += entry_bytes + ENTRY_OVERHEAD_BYTES;
	c->log_commands += commands;
	if (c->log_state == LOG_OPEN && is_due(c))
		es_node_want_checkpoint(c->node, true);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void queue(struct es_checkpoint_run *run, enum phase phase);

/* K6 */
static bool has_space(const struct es_checkpoint_run *run)
{
	const struct es_fs *fs = run->consensus->fs;
	uint64_t need = ES_SPACE_MARGIN_BYTES + es_checkpoint_flush_bytes(run->writer);
	uint64_t free_bytes;

	if (es_checkpoint_is_base(run->writer))
		need += ES_SPACE_AGAIN_BYTES;
	return fs->free_bytes(fs->ctx, run->consensus->checkpoint_dir, &free_bytes) < 0 ||
	       free_bytes >= need;
}

static void work(uv_work_t *request)
{
	struct es_checkpoint_run *run = request->data;
	struct es_consensus *c = run->consensus;

	switch (run->phase) {
	case PHASE_FLUSH:
		run->status = has_space(run) ? es_checkpoint_flush(run->writer) : ES_ENOSPC;
		break;
	case PHASE_COMMIT: run->status = es_checkpoint_commit(run->writer, run->descriptor); break;
	case PHASE_CLEAN:
		es_checkpoint_writer_free(run->writer);
		run->writer = NULL;
		if (run->status < 0)
			break; /* K2. What stays after a failure goes with the next one. */
		(void)es_checkpoint_sweep(c->mem, c->fs, c->checkpoint_dir,
					  es_slice(run->descriptor, sizeof(run->descriptor)));
		(void)es_segments_unclosed(c->fs, c->raft_dir, run->index, es_batch_index,
					   run->unclosed);
		break;
	case PHASE_FILL:
	case PHASE_PUT: ES_ASSERT(false);
	}
}

/* Nothing is handed to libraft after a fault (consensus.c, C3). */
static bool is_over(const struct es_checkpoint_run *run)
{
	return run->abandon || run->consensus->fault < 0;
}

/* The store is not needed any more, and the outcome is known. */
static void settle(struct es_checkpoint_run *run)
{
	struct es_consensus *c = run->consensus;
	uint64_t now_ms = c->env->now_ms(c->env->ctx);

	c->stats.checkpoint_bytes_written += es_checkpoint_bytes_written(run->writer);
	if (run->status == 0) {
		if (c->files != NULL)
			es_mvcc_unpin(c->store, &c->pin);
		es_checkpoint_files_free(c->files);
		c->files = es_checkpoint_take_files(run->writer);
		es_mvcc_pin(c->store, es_checkpoint_files_revision(c->files), &c->pin); /* K1 */
		es_mvcc_unpin(c->store, &run->pin);
		c->base_does_not_fit = false;
		c->log_bytes_kept = run->log_bytes;
		c->log_commands_kept = run->commands;
		c->checkpoint_last_ms = now_ms;
		c->stats.checkpoints++;
		es_log(c->log, ES_LOG_INFO, "saved checkpoint", ES_UINT("index", run->index),
		       ES_UINT("bytes", es_checkpoint_bytes_written(run->writer)),
		       ES_UINT("files", es_checkpoint_files_count(c->files)));
	} else {
		es_mvcc_unpin(c->store, &run->pin);
		c->base_does_not_fit = run->status == ES_ENOSPC; /* K6 */
		c->checkpoint_not_before_ms = now_ms + RETRY_MS;
		if (!is_over(run))
			es_log(c->log, ES_LOG_WARN,
			       "checkpoint failed; the log is kept and another one will be tried",
			       ES_UINT("index", run->index),
			       ES_STR("error", es_status_text(run->status)),
			       ES_STR("detail", es_checkpoint_error(run->writer)));
	}
	c->callbacks.checkpoint_end(c->callbacks.ctx, run->status);
	queue(run, PHASE_CLEAN);
	es_consensus_wake(c); /* closing may wait for it */
}

static void give_up(struct es_checkpoint_run *run, int status)
{
	run->status = status;
	es_node_checkpoint_done(run->consensus->node,
				NULL); /* comes back to es_checkpointer_stored */
}

static void after_work(uv_work_t *request, int uv_status)
{
	struct es_checkpoint_run *run = request->data;
	struct es_consensus *c = run->consensus;

	ES_ASSERT(uv_status == 0); /* nobody cancels it */
	if (run->phase == PHASE_CLEAN) {
		c->run = NULL;
		if (run->unclosed[0] != '\0' && !c->closing) /* K5 */
			es_consensus_fault(c, ES_EIO,
					   "%s/%s: libraft could not close the segment; the next "
					   "start does",
					   c->raft_dir, run->unclosed);
		es_free(c->mem, run);
		es_checkpointer_look(c);
		es_consensus_wake(c);
	} else if (run->status < 0 || is_over(run)) {
		give_up(run, run->status < 0 ? run->status : ES_ECANCELED);
	} else if (run->phase == PHASE_COMMIT) {
		run->phase = PHASE_PUT;
		es_node_checkpoint_done(c->node, run->descriptor);
	} else if (run->filled) {
		queue(run, PHASE_COMMIT);
	} else {
		run->phase = PHASE_FILL;
		es_consensus_wake(c);
	}
}

static void queue(struct es_checkpoint_run *run, enum phase phase)
{
	int rc;

	run->phase = phase;
	rc = uv_queue_work(run->consensus->loop, &run->work, work, after_work);
	ES_ASSERT(rc == 0); /* fails only without a work function */
}

void es_checkpointer_turn(struct es_consensus *c)
{
	struct es_checkpoint_run *run = c->run;
	int rc;

	if (run == NULL || run->phase != PHASE_FILL)
		return;
	rc = is_over(run) ? ES_ECANCELED : es_checkpoint_fill(run->writer, &run->filled);
	if (rc < 0)
		give_up(run, rc);
	else
		queue(run, PHASE_FLUSH);
}

int es_checkpointer_begin(struct es_consensus *c, uint64_t index, uint64_t term)
{
	struct es_checkpoint_state state = {
		.cluster_id = c->cluster_id, .index = index, .term = term};
	const struct es_mvcc *store = NULL;
	struct es_checkpoint_run *run;
	int rc;

	ES_ASSERT(c->run == NULL);
	c->checkpoint_asked = false;
	if (c->closing || c->fault < 0)
		return ES_ECANCELED;
	run = es_calloc(c->mem, 1, sizeof(*run));
	rc = run == NULL ? ES_ENOMEM
			 : c->callbacks.checkpoint_begin(c->callbacks.ctx, &state, &store);
	if (rc == 0) {
		ES_ASSERT(store == c->store);
		rc = es_checkpoint_writer_new(c->mem, c->fs, c->checkpoint_dir, &state, store,
					      c->files, !c->base_does_not_fit, &run->writer);
		if (rc < 0)
			c->callbacks.checkpoint_end(c->callbacks.ctx, rc);
	}
	if (rc < 0) {
		c->checkpoint_not_before_ms = c->env->now_ms(c->env->ctx) + RETRY_MS;
		es_log(c->log, ES_LOG_WARN, "cannot begin a checkpoint",
		       ES_STR("error", es_status_text(rc)));
		es_free(c->mem, run);
		return rc;
	}
	es_mvcc_pin(c->store, 0, &run->pin); /* K4 */
	run->consensus = c;
	run->work.data = run;
	run->index = index;
	run->log_bytes = c->log_bytes;
	run->commands = c->log_commands;
	c->run = run;
	es_consensus_wake(c);
	return 0;
}

void es_checkpointer_stored(struct es_consensus *c, int raft_status)
{
	struct es_checkpoint_run *run = c->run;

	ES_ASSERT(run != NULL);
	if (run->status == 0 && raft_status != 0)
		run->status = es_node_status(raft_status, "");
	settle(run);
}

bool es_checkpointer_stop(struct es_consensus *c)
{
	if (c->run == NULL)
		return true;
	c->run->abandon = true;
	if (c->run->phase == PHASE_FILL)
		es_checkpointer_turn(c);
	return c->run->phase == PHASE_PUT || c->run->phase == PHASE_CLEAN;
}

/* ---- at start and at the end ----------------------------------------------------------------- */

int es_checkpointer_restore(struct es_consensus *c, struct es_slice descriptor, char *errmsg,
			    size_t errmsg_size)
{
	struct es_checkpoint_state state;
	struct es_buf meta;
	int rc;

	rc = es_checkpoint_descriptor_check(descriptor, c->segments.snapshot_index,
					    c->segments.snapshot_term);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size,
			 "%s/%s: at byte 0: %s; restore the data folder from a backup, or add the "
			 "member "
			 "anew",
			 c->raft_dir, c->segments.snapshot_file, es_status_text(rc));
		return rc;
	}
	es_buf_init(&meta, c->mem);
	rc = es_checkpoint_load(c->mem, c->fs, c->checkpoint_dir, descriptor, c->store, &state,
				&meta, &c->files, errmsg, errmsg_size);
	if (rc < 0)
		goto out;
	es_mvcc_pin(c->store, state.revision, &c->pin); /* K1 */
	memcpy(c->descriptor, descriptor.data, sizeof(c->descriptor));
	c->applied_index = state.index;
	if (state.cluster_id != c->cluster_id) {
		rc = ES_ECORRUPT;
		snprintf(errmsg, errmsg_size,
			 "%s: the checkpoint is one of cluster %llx, this member belongs to %llx",
			 c->checkpoint_dir, (unsigned long long)state.cluster_id,
			 (unsigned long long)c->cluster_id);
		goto out;
	}
	rc = c->callbacks.restored(c->callbacks.ctx, &state);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%s: cannot use the checkpoint at index %llu: %s",
			 c->checkpoint_dir, (unsigned long long)state.index, es_status_text(rc));
		goto out;
	}
	es_log(c->log, ES_LOG_INFO, "loaded checkpoint", ES_UINT("index", state.index),
	       ES_INT("revision", state.revision),
	       ES_UINT("bytes", es_checkpoint_files_bytes(c->files)));
out:
	es_buf_close(&meta);
	return rc;
}

void es_checkpointer_close(struct es_consensus *c)
{
	ES_ASSERT(c->run == NULL); /* K3 */
	if (c->files != NULL)
		es_mvcc_unpin(c->store, &c->pin);
	es_checkpoint_files_free(c->files);
	c->files = NULL;
}
