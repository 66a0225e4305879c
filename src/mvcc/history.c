#include "mvcc/store.h"

size_t es_mvcc_history(const struct es_mvcc *store, struct es_mvcc_cursor *cursor, int64_t last,
		       struct es_mvcc_event *ret_events, size_t max)
{
	struct es_revlog_pos pos = es_revlog_seek(&store->log, cursor->main, cursor->sub);
	size_t n = 0;

	for (; n < max; es_revlog_next(&store->log, &pos)) {
		const struct es_mvcc_version *version = es_revlog_at(&store->log, pos), *prev;

		if (version == NULL || version->main > last)
			break;
		prev = version->prev;
		if (prev != NULL &&
		    (es_mvcc_is_tombstone(prev) || version->main <= store->compacted))
			prev = NULL;
		*cursor = (struct es_mvcc_cursor){version->main, es_mvcc_sub(version) + 1};
		ret_events[n++] = (struct es_mvcc_event){version, prev};
	}
	return n;
}

/* Did any key live at `revision`? */
static bool any_live_at(struct es_mvcc *store, int64_t revision)
{
	struct es_btree_cursor cursor;

	if (store->hash_revision == revision)
		return store->hash_any_live;
	es_btree_seek(&store->tree, es_slice(NULL, 0), &cursor);
	while (cursor.item != NULL && es_mvcc_visible(cursor.item, revision) == NULL)
		es_btree_next(&store->tree, &cursor);
	store->hash_revision = revision;
	store->hash_any_live = cursor.item != NULL;
	return store->hash_any_live;
}

/*
 * etcd computes the set of versions that a compaction at `revision`, not at the compacted revision,
 * would keep, leaves tombstones out of it, and demands of versions up to the compacted revision
 * that they are in it; but not when the set is empty: then all of them count that the compaction
 * left. Tombstones from before the compacted revision are gone there, and one exactly at it is
 * passed over.
 */
bool es_mvcc_hash_includes(struct es_mvcc *store, const struct es_mvcc_version *version,
			   int64_t revision, int64_t compacted)
{
	if (version->main > revision)
		return false;
	if (version->main > compacted)
		return true;
	if (es_mvcc_is_tombstone(version))
		return false;
	if (es_mvcc_newest_at(version->item, revision) == version)
		return true;
	return !any_live_at(store, revision) &&
	       es_mvcc_newest_at(version->item, compacted) == version;
}
