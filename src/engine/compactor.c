#include "engine/internal.h"

/*
 * Compaction by hand comes through the log as any write; the memory is freed in slices between loop
 * turns. Automatic compaction follows etcd's two modes: `periodic` keeps the history of the last
 * `retention` (looking every tenth of it, compacting once per retention, hourly when that is
 * longer), `revision` keeps the last N revisions, every five minutes.
 */
#define REVISION_MODE_INTERVAL_MS (5 * 60 * 1000)
#define HOUR_MS                   (60 * 60 * 1000)
#define SAMPLES_PER_INTERVAL      10

int es_engine_apply_compact(struct es_engine *e, struct es_slice body)
{
	struct es_reader reader = es_reader(body);
	int64_t revision = (int64_t)es_read_u64le(&reader);
	int rc;

	if (reader.failed)
		return ES_ECORRUPT;
	rc = es_mvcc_compact(e->store, revision);
	if (rc == 0)
		es_engine_wake_background(e);
	return rc;
}

bool es_engine_compact_slice(struct es_engine *e)
{
	struct es_queue *link;

	if (es_mvcc_compact_step(e->store, e->config.compaction_batch))
		return true;
	while ((link = es_queue_pop(&e->compact_waiters)) != NULL) {
		struct es_engine_op *op = ES_QUEUE_ITEM(link, struct es_engine_op, link);

		op->header = es_engine_header(e);
		op->done(op, 0);
	}
	es_engine_check_quota(e);
	return false;
}

static void propose_compaction(struct es_engine *e, int64_t revision)
{
	uint8_t body[8];

	if (revision <= es_mvcc_compacted(e->store) || revision > es_mvcc_revision(e->store))
		return;
	es_store_u64le(body, (uint64_t)revision);
	if (es_engine_propose(e, NULL, ES_COMMAND_COMPACT, es_slice(body, sizeof(body))) == 0)
		es_log(e->config.log, ES_LOG_INFO, "starting auto compaction",
		       ES_INT("revision", revision));
}

static void keep_sample(struct es_engine *e, uint64_t now_ms)
{
	struct es_revision_sample sample = {now_ms, es_mvcc_revision(e->store)};

	if (e->sample_count == ES_COMPACTOR_SAMPLES_MAX) {
		e->sample_first = (e->sample_first + 1) % ES_COMPACTOR_SAMPLES_MAX;
		e->sample_count--;
	}
	e->samples[(e->sample_first + e->sample_count++) % ES_COMPACTOR_SAMPLES_MAX] = sample;
}

/* The newest sample at least `age_ms` old, or 0; older ones are forgotten. */
static int64_t revision_before(struct es_engine *e, uint64_t now_ms, uint64_t age_ms)
{
	int64_t revision = 0;

	while (e->sample_count > 0) {
		const struct es_revision_sample *oldest = &e->samples[e->sample_first];

		if (oldest->at_ms + age_ms > now_ms)
			break;
		revision = oldest->revision;
		e->sample_first = (e->sample_first + 1) % ES_COMPACTOR_SAMPLES_MAX;
		e->sample_count--;
	}
	return revision;
}

static void periodic(struct es_engine *e, uint64_t now_ms)
{
	uint64_t retention_ms = e->config.compaction_retention;
	uint64_t interval_ms = retention_ms < HOUR_MS ? retention_ms : HOUR_MS;

	if (now_ms >= e->next_sample_ms) {
		uint64_t step_ms = interval_ms / SAMPLES_PER_INTERVAL;
		/* Long retentions get fewer samples than their hours have tenths. */
		uint64_t least_ms = retention_ms / (ES_COMPACTOR_SAMPLES_MAX - 1) + 1;

		keep_sample(e, now_ms);
		e->next_sample_ms = now_ms + (step_ms > least_ms ? step_ms : least_ms);
	}
	if (e->next_compaction_ms == 0)
		e->next_compaction_ms = now_ms + retention_ms;
	if (now_ms >= e->next_compaction_ms) {
		propose_compaction(e, revision_before(e, now_ms, retention_ms));
		e->next_compaction_ms = now_ms + interval_ms;
	}
}

void es_engine_auto_compact(struct es_engine *e, uint64_t now_ms)
{
	if (e->config.compaction_mode == ES_COMPACTION_OFF || e->config.compaction_retention == 0 ||
	    !e->is_leader)
		return;
	if (e->config.compaction_mode == ES_COMPACTION_PERIODIC) {
		periodic(e, now_ms);
		return;
	}
	if (e->next_compaction_ms == 0)
		e->next_compaction_ms = now_ms + REVISION_MODE_INTERVAL_MS;
	if (now_ms >= e->next_compaction_ms) {
		propose_compaction(e, es_mvcc_revision(e->store) -
					      (int64_t)e->config.compaction_retention);
		e->next_compaction_ms = now_ms + REVISION_MODE_INTERVAL_MS;
	}
}
