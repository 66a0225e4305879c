#ifndef ES_MVCC_STORE_H
#define ES_MVCC_STORE_H

#include "mvcc/btree.h"
#include "mvcc/pool.h"
#include "mvcc/revlog.h"

/* The inside of the store, shared by the files of this module. Invariants: store.c. */
struct es_mvcc {
	const struct es_mem *mem;
	struct es_btree tree;
	struct es_revlog log;
	int64_t revision;
	int64_t compacted;
	struct es_mvcc_pool items;
	uint64_t version_bytes; /* of all versions */
	uint64_t live_bytes; /* of the newest versions of live keys, their items and index slots */

	/* Compaction: see compact.c. */
	struct es_mvcc_pin pins;     /* head of the ring */
	struct es_mvcc_cursor sweep; /* the log before this is swept */
	int64_t kept_at;             /* 0, or a revision at which the sweep kept tombstones */

	/* What es_mvcc_hash_includes found out about a revision; the past does not change. 0:
	 * nothing yet. */
	int64_t hash_revision;
	bool hash_any_live;
};

static inline struct es_slice es_mvcc_version_key(const struct es_mvcc_version *version)
{
	return es_mvcc_item_key(version->item);
}

/* The newest version of a key at a revision, a tombstone included, or NULL. */
static inline const struct es_mvcc_version *es_mvcc_newest_at(const struct es_mvcc_item *item,
							      int64_t revision)
{
	const struct es_mvcc_version *version = item->newest;

	while (version != NULL && version->main > revision)
		version = version->prev;
	return version;
}

/* What a reader at `revision` sees of a key: a live version, or NULL. */
static inline const struct es_mvcc_version *es_mvcc_visible(const struct es_mvcc_item *item,
							    int64_t revision)
{
	const struct es_mvcc_version *version = es_mvcc_newest_at(item, revision);

	return version == NULL || es_mvcc_is_tombstone(version) ? NULL : version;
}

/* What makes a version beside its key and place in time. */
struct es_mvcc_content {
	struct es_slice value;
	int64_t create; /* 0: a tombstone, and the rest is empty */
	int64_t version;
	int64_t lease;
};

/*
 * Write one version of a key at (main, sub), above everything written before; `cursor` is what
 * es_btree_find said of the key. ES_ENOMEM leaves the store as it was. The cursor is used up.
 */
int es_mvcc_write(struct es_mvcc *store, struct es_slice key, struct es_btree_cursor *cursor,
		  int64_t main, int64_t sub, const struct es_mvcc_content *content,
		  const struct es_mvcc_version **ret_version);

/* Free a version that no key and no newer version refers to any more. */
void es_mvcc_version_drop(struct es_mvcc *store, struct es_mvcc_version *version);
/* Take a dead key whose last version is dropped out of the tree and free it. */
void es_mvcc_item_drop(struct es_mvcc *store, struct es_mvcc_item *item);

bool es_mvcc_range_is_single(struct es_mvcc_range range);
bool es_mvcc_range_is_unbounded(struct es_mvcc_range range);

/* Live keys in the range at the newest revision. O(log n). */
uint64_t es_mvcc_range_live(const struct es_mvcc *store, struct es_mvcc_range range);
/* The newest versions of the live keys of a range, in key order: the first `n` of them (there are
 * that many). */
void es_mvcc_range_newest(const struct es_mvcc *store, struct es_mvcc_range range,
			  const struct es_mvcc_version **ret_versions, size_t n);

/* es_mvcc_range with the revision that counts as the newest: inside a transaction it is ahead of
 * the store's. */
int es_mvcc_range_at(const struct es_mvcc *store, const struct es_mvcc_range_req *req,
		     int64_t newest, struct es_arena *arena, struct es_mvcc_range_res *ret_res);
/* Only the check of sort order and target. */
int es_mvcc_range_check(const struct es_mvcc_range_req *req);

#endif
