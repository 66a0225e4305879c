#include "mvcc/store.h"

/*
 * Compaction by the revision log
 *
 * A version is needed by readers from its own revision up to that of its successor. So everything
 * that a compaction at T may free was superseded by, or is itself, a version at or below T; and
 * what versions before the last sweep's end supersede is freed already. The sweep therefore looks
 * only at log entries between its position and T, in order:
 *
 * C1  Behind the sweep every version is the oldest of its chain: what it superseded is freed.
 * C2  A tombstone below T that is still the newest version of its key is freed, and the key with
 *     it. One exactly at T stays until T moves on, since watchers may start at the compacted
 *     revision: `kept_at` says where to come back to. A tombstone with a successor goes when the
 *     sweep reaches that (until then it only costs its memory).
 *
 * T is the compacted revision, or the lowest pin when that is lower; it may also fall when a pin is
 * set: then the sweep just waits.
 */

enum { BATCH = 64 };

int es_mvcc_compact(struct es_mvcc *store, int64_t revision)
{
	if (revision <= store->compacted)
		return ES_ECOMPACTED;
	if (revision > store->revision)
		return ES_EFUTURE_REV;
	store->compacted = revision;
	return 0;
}

void es_mvcc_pin(struct es_mvcc *store, int64_t revision, struct es_mvcc_pin *pin)
{
	pin->revision = revision;
	pin->next = &store->pins;
	pin->prev = store->pins.prev;
	pin->prev->next = pin;
	store->pins.prev = pin;
}

void es_mvcc_unpin(struct es_mvcc *store, struct es_mvcc_pin *pin)
{
	(void)store;
	pin->prev->next = pin->next;
	pin->next->prev = pin->prev;
	pin->next = NULL;
	pin->prev = NULL;
}

static int64_t sweep_target(const struct es_mvcc *store)
{
	int64_t target = store->compacted;

	for (const struct es_mvcc_pin *pin = store->pins.next; pin != &store->pins;
	     pin = pin->next) {
		if (pin->revision < target)
			target = pin->revision;
	}
	return target;
}

/* Free what this version superseded, and the version itself if it is a tombstone that nobody needs.
 * Returns how many versions were freed. */
static size_t sweep_version(struct es_mvcc *store, struct es_mvcc_version *version, int64_t target)
{
	struct es_mvcc_item *item = version->item;
	size_t freed = 0;

	while (version->prev != NULL) {
		struct es_mvcc_version *old = version->prev;

		version->prev = old->prev;
		es_mvcc_version_drop(store, old);
		freed++;
	}
	if (!es_mvcc_is_tombstone(version) || item->newest != version)
		return freed;
	if (version->main == target) {
		store->kept_at = target;
		return freed;
	}
	es_mvcc_version_drop(store, version);
	es_mvcc_item_drop(store, item);
	return freed + 1;
}

/* The next versions to sweep; moves the sweep behind them. */
static size_t next_batch(struct es_mvcc *store, int64_t target,
			 struct es_mvcc_version **ret_versions, size_t max)
{
	struct es_revlog_pos pos = es_revlog_seek(&store->log, store->sweep.main, store->sweep.sub);
	struct es_mvcc_version *version;
	size_t n = 0;

	for (; n < max; es_revlog_next(&store->log, &pos)) {
		version = es_revlog_at(&store->log, pos);
		if (version == NULL || version->main > target)
			break;
		store->sweep = (struct es_mvcc_cursor){version->main, es_mvcc_sub(version) + 1};
		ret_versions[n++] = version;
	}
	return n;
}

bool es_mvcc_compact_step(struct es_mvcc *store, size_t budget)
{
	int64_t target = sweep_target(store);

	if (store->kept_at != 0 && store->kept_at < target) {
		if (store->sweep.main >= store->kept_at)
			store->sweep = (struct es_mvcc_cursor){store->kept_at, 0};
		store->kept_at = 0;
	}
	while (store->sweep.main <= target) {
		struct es_mvcc_version *batch[BATCH];
		size_t n = next_batch(store, target, batch, budget < BATCH ? budget : BATCH);

		if (budget == 0)
			return true;
		if (n == 0)
			store->sweep = (struct es_mvcc_cursor){target + 1, 0};
		/* Sweeping one frees only older ones: the rest of the batch stays good. */
		for (size_t i = 0; i < n; i++) {
			size_t cost = 1 + sweep_version(store, batch[i], target);

			budget -= cost < budget ? cost : budget;
		}
	}
	return false;
}

bool es_mvcc_survives(const struct es_mvcc_version *version, int64_t revision)
{
	if (version->main > revision)
		return true;
	return es_mvcc_newest_at(version->item, revision) == version &&
	       (!es_mvcc_is_tombstone(version) || version->main == revision);
}
