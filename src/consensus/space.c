#include "base/assert.h"
#include "consensus/internal.h"

/*
 * A full disk. libraft gives up for good when a segment cannot be allotted or written, so writes
 * are kept from it while less than a margin is free: proposals are refused, reads go on, and a
 * timer looks whether there is room again.
 *
 * Should libraft run out of space all the same (somebody else may fill the disk at once), it is
 * closed, and opened once more in this process when there is room. The state stays: entries at or
 * below the applied index are passed over.
 */
#define LOOK_EVERY_MS  50
#define LOOK_BYTES     ((size_t)1 << 20) /* a write of this size is looked at in any case */
#define RETRY_EVERY_MS 200

static void on_space_timer(uv_timer_t *timer);

static void disk_is_full(struct es_consensus *c)
{
	if (!c->disk_full) {
		c->disk_full = true;
		uv_timer_start(&c->space_timer, on_space_timer, RETRY_EVERY_MS, RETRY_EVERY_MS);
		c->callbacks.disk_full(c->callbacks.ctx, true);
	}
}

void es_space_look(struct es_consensus *c, size_t more)
{
	uint64_t now_ms = c->env->now_ms(c->env->ctx);
	uint64_t free_bytes;

	if (c->disk_full || (more < LOOK_BYTES && now_ms < c->space_checked_ms + LOOK_EVERY_MS))
		return;
	c->space_checked_ms = now_ms;
	if (c->fs->free_bytes(c->fs->ctx, c->raft_dir, &free_bytes) == 0 &&
	    free_bytes < ES_SPACE_MARGIN_BYTES + more)
		disk_is_full(c);
}

void es_space_lost_log(struct es_consensus *c)
{
	if (!c->disk_full)
		es_log(c->log, ES_LOG_WARN, "the log ran out of space and waits for it",
		       ES_STR("error", c->fault_text));
	disk_is_full(c);
	es_proposals_drop(c, ES_ENOSPC);
	if (c->log_state == LOG_OPEN && es_checkpointer_stop(c))
		es_consensus_close_log(c);
}

static void on_space_timer(uv_timer_t *timer)
{
	struct es_consensus *c = timer->data;
	char errmsg[ES_PATH_BYTES_MAX + 512];
	uint64_t free_bytes;
	int rc = 0;

	if (c->closing || c->failed) {
		uv_timer_stop(timer);
		return;
	}
	if (c->fs->free_bytes(c->fs->ctx, c->raft_dir, &free_bytes) < 0 ||
	    free_bytes < ES_SPACE_MARGIN_BYTES + ES_SPACE_AGAIN_BYTES)
		return;
	if (c->fault == ES_ENOSPC) {
		if (c->log_state != LOG_CLOSED || c->run != NULL)
			return; /* not yet */
		rc = es_consensus_reopen_log(c, errmsg, sizeof(errmsg));
	}
	if (rc == ES_ENOSPC) {
		c->fault = rc;
		return;
	}
	uv_timer_stop(timer);
	if (rc < 0) {
		c->fault = 0;
		es_consensus_fault(c, rc, "cannot open the log again: %s", errmsg);
		return;
	}
	c->disk_full = false;
	c->callbacks.disk_full(c->callbacks.ctx, false);
}
