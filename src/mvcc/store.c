#include "mvcc/store.h"

/*
 * Why it looks like this
 *
 * Two indexes share the versions: the tree finds a key, whose item leads to its newest version and
 * from there down a chain of older ones; the revision log lists the same versions by time. Reads at
 * the newest revision never look at old versions, and everything that follows time (watch replay,
 * compaction, checkpoints, hashes, counting in the past) never looks at keys that did not change.
 * Each write is atomic: whatever can fail is allocated before anything changes.
 *
 * Invariants
 * S1  An item in the tree has a newest version; its chain descends strictly by (main, sub); every
 *     version of the chain points back to the item.
 * S2  The revision log holds exactly the versions of all chains.
 * S3  An item is dead in the tree if and only if its newest version is a tombstone.
 * S4  version_bytes is the size of all versions; live_bytes that of live items, their newest
 *     versions and a slot in each index.
 * S5  Between transactions no version is newer than `revision`, and compacted <= revision.
 * S6  For every revision r >= compacted, and every r of a pin, the version of each key that a
 *     reader at r sees is held (compact.c).
 */

#define SLOT_BYTES (2 * sizeof(void *))

int es_mvcc_new(const struct es_mem *mem, struct es_mvcc **ret_store)
{
	struct es_mvcc *store = es_calloc(mem, 1, sizeof(*store));

	if (store == NULL)
		return ES_ENOMEM;
	store->mem = mem;
	es_btree_init(&store->tree, mem);
	es_revlog_init(&store->log, mem);
	es_mvcc_pool_init(&store->items, mem);
	store->revision = 1;
	store->compacted = -1;
	store->pins.next = &store->pins;
	store->pins.prev = &store->pins;
	*ret_store = store;
	return 0;
}

static void item_free(struct es_mvcc *store, struct es_mvcc_item *item)
{
	es_mvcc_pool_free(&store->items, item, es_mvcc_item_bytes(item->key_len));
}

void es_mvcc_free(struct es_mvcc *store)
{
	struct es_btree_cursor cursor;
	struct es_revlog_pos pos = {0, 0};
	struct es_mvcc_version *version;

	if (store == NULL)
		return;
	ES_ASSERT(store->pins.next == &store->pins);
	for (; (version = es_revlog_at(&store->log, pos)) != NULL;
	     es_revlog_next(&store->log, &pos))
		es_free(store->mem, version);
	es_btree_seek(&store->tree, es_slice(NULL, 0), &cursor);
	while (cursor.item != NULL) {
		struct es_mvcc_item *item = cursor.item;

		es_btree_next(&store->tree, &cursor);
		item_free(store, item);
	}
	es_btree_close(&store->tree);
	es_mvcc_pool_close(&store->items);
	es_revlog_close(&store->log);
	es_free(store->mem, store);
}

void es_mvcc_count_from(struct es_mvcc *store, int64_t revision)
{
	ES_ASSERT(es_revlog_last(&store->log) == NULL);
	ES_ASSERT(revision >= 0);
	ES_ASSERT(store->compacted <= revision);
	store->revision = revision;
}

int64_t es_mvcc_revision(const struct es_mvcc *store)
{
	return store->revision;
}

int64_t es_mvcc_compacted(const struct es_mvcc *store)
{
	return store->compacted;
}

uint64_t es_mvcc_bytes(const struct es_mvcc *store)
{
	return sizeof(*store) + store->version_bytes + store->items.bytes + store->tree.bytes +
	       store->log.bytes;
}

uint64_t es_mvcc_bytes_live(const struct es_mvcc *store)
{
	return sizeof(*store) + store->live_bytes;
}

uint64_t es_mvcc_keys(const struct es_mvcc *store)
{
	return store->tree.live;
}

uint64_t es_mvcc_versions(const struct es_mvcc *store)
{
	return store->log.count;
}

void es_mvcc_version_kv(const struct es_mvcc_version *version, struct es_mvcc_kv *ret_kv)
{
	*ret_kv = (struct es_mvcc_kv){
		.key = es_mvcc_version_key(version),
		.value = es_mvcc_value(version),
		.create_revision = version->create,
		.mod_revision = version->main,
		.sub_revision = es_mvcc_sub(version),
		.version = es_mvcc_version_number(version),
		.lease = es_mvcc_lease(version),
	};
}

const struct es_mvcc_version *es_mvcc_get(const struct es_mvcc *store, struct es_slice key)
{
	struct es_btree_cursor cursor;
	const struct es_mvcc_item *item = es_btree_find(&store->tree, key, &cursor);

	/* The tree knows, without a look at the version. */
	return item != NULL && es_btree_is_live(&store->tree, &cursor) ? item->newest : NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

static struct es_mvcc_version *version_new(const struct es_mem *mem, int64_t main, int64_t sub,
					   const struct es_mvcc_content *content)
{
	unsigned bits = 0;
	struct es_mvcc_version *version;
	uint64_t *word;

	ES_ASSERT(content->value.len <= ES_MVCC_BYTES_MAX);
	ES_ASSERT(sub >= 0 && content->version >= 0);
	if (content->lease != 0)
		bits |= ES_MVCC_HAS_LEASE;
	if (content->version > UINT16_MAX)
		bits |= ES_MVCC_WIDE_VERSION;
	bits |= sub > ES_MVCC_SUB_MASK ? ES_MVCC_WIDE_SUB : (unsigned)sub;
	version = es_alloc(mem, sizeof(*version) + es_mvcc_words(bits) * sizeof(uint64_t) +
					content->value.len);
	if (version == NULL)
		return NULL;
	*version = (struct es_mvcc_version){
		.main = main,
		.create = content->create,
		.value_len = (uint32_t)content->value.len,
		.version = (uint16_t)content->version,
		.bits = (uint16_t)bits,
	};
	word = version->words;
	if ((bits & ES_MVCC_HAS_LEASE) != 0)
		*word++ = (uint64_t)content->lease;
	if ((bits & ES_MVCC_WIDE_VERSION) != 0)
		*word++ = (uint64_t)content->version;
	if ((bits & ES_MVCC_WIDE_SUB) != 0)
		*word++ = (uint64_t)sub;
	if (content->value.len > 0)
		memcpy(word, content->value.data, content->value.len);
	return version;
}

/* Put a new item without versions into the tree. */
static int item_add(struct es_mvcc *store, struct es_slice key, struct es_btree_cursor *cursor,
		    struct es_mvcc_item **ret_item)
{
	struct es_mvcc_item *item;
	int rc;

	ES_ASSERT(key.len <= ES_MVCC_BYTES_MAX);
	item = es_mvcc_pool_alloc(&store->items, es_mvcc_item_bytes(key.len));
	if (item == NULL)
		return ES_ENOMEM;
	item->newest = NULL;
	item->key_len = (uint32_t)key.len;
	if (key.len > 0)
		memcpy(item->key, key.data, key.len);
	rc = es_btree_insert(&store->tree, cursor, item);
	if (rc < 0) {
		item_free(store, item);
		return rc;
	}
	*ret_item = item;
	return 0;
}

static uint64_t live_size(const struct es_mvcc_item *item)
{
	if (item->newest == NULL || es_mvcc_is_tombstone(item->newest))
		return 0;
	return es_mvcc_version_bytes(item->newest) + es_mvcc_item_bytes(item->key_len) + SLOT_BYTES;
}

int es_mvcc_write(struct es_mvcc *store, struct es_slice key, struct es_btree_cursor *cursor,
		  int64_t main, int64_t sub, const struct es_mvcc_content *content,
		  const struct es_mvcc_version **ret_version)
{
	struct es_mvcc_version *version = version_new(store->mem, main, sub, content);
	struct es_mvcc_item *item = cursor->item;
	int rc = ES_ENOMEM;

	if (version == NULL)
		return rc;
	rc = es_revlog_reserve(&store->log);
	if (rc < 0)
		goto fail;
	if (item == NULL) {
		rc = item_add(store, key, cursor, &item);
		if (rc < 0)
			goto fail;
		if (es_mvcc_is_tombstone(version))
			es_btree_find(&store->tree, key, cursor);
	}
	store->live_bytes -= live_size(item);
	version->item = item;
	version->prev = item->newest;
	item->newest = version;
	store->live_bytes += live_size(item);
	store->version_bytes += es_mvcc_version_bytes(version);
	es_revlog_append(&store->log, version);
	if (cursor->item != NULL)
		es_btree_set_live(&store->tree, cursor, !es_mvcc_is_tombstone(version));
	*ret_version = version;
	return 0;
fail:
	es_free(store->mem, version);
	return rc;
}

void es_mvcc_version_drop(struct es_mvcc *store, struct es_mvcc_version *version)
{
	es_revlog_remove(&store->log, version);
	store->version_bytes -= es_mvcc_version_bytes(version);
	es_free(store->mem, version);
}

void es_mvcc_item_drop(struct es_mvcc *store, struct es_mvcc_item *item)
{
	struct es_btree_cursor cursor;

	es_btree_find(&store->tree, es_mvcc_item_key(item), &cursor);
	ES_ASSERT(cursor.item == item);
	es_btree_remove(&store->tree, &cursor);
	item_free(store, item);
}

/* ---- check ---------------------------------------------------------------------------------- */

static uint64_t check_chain(const struct es_mvcc *store, const struct es_mvcc_item *item,
			    uint64_t *ret_bytes)
{
	const struct es_mvcc_version *newer = NULL;
	uint64_t n = 0;

	*ret_bytes = 0;
	for (const struct es_mvcc_version *v = item->newest; v != NULL;
	     newer = v, v = v->prev, n++) {
		ES_ASSERT(v->item == item); /* S1 */
		ES_ASSERT(newer == NULL ||
			  es_mvcc_revision_cmp(v, newer->main, es_mvcc_sub(newer)) < 0); /* S1 */
		ES_ASSERT(v->main <= store->revision);                                   /* S5 */
		ES_ASSERT(v->create <= v->main);
		ES_ASSERT(es_mvcc_is_tombstone(v) == (es_mvcc_version_number(v) == 0));
		ES_ASSERT(es_revlog_at(&store->log, es_revlog_seek(&store->log, v->main,
								   es_mvcc_sub(v))) == v); /* S2 */
		*ret_bytes += es_mvcc_version_bytes(v);
	}
	ES_ASSERT(n > 0); /* S1 */
	return n;
}

void es_mvcc_check(const struct es_mvcc *store)
{
	struct es_btree_cursor cursor;
	uint64_t versions = 0, version_bytes = 0, live_bytes = 0;

	es_btree_check(&store->tree);
	es_revlog_check(&store->log);
	es_btree_seek(&store->tree, es_slice(NULL, 0), &cursor);
	for (; cursor.item != NULL; es_btree_next(&store->tree, &cursor)) {
		uint64_t bytes;

		versions += check_chain(store, cursor.item, &bytes);
		version_bytes += bytes;
		live_bytes += live_size(cursor.item);
		ES_ASSERT(es_btree_is_live(&store->tree, &cursor) ==
			  !es_mvcc_is_tombstone(cursor.item->newest)); /* S3 */
	}
	ES_ASSERT(versions == store->log.count);          /* S2 */
	ES_ASSERT(version_bytes == store->version_bytes); /* S4 */
	ES_ASSERT(live_bytes == store->live_bytes);       /* S4 */
	ES_ASSERT(store->compacted <= store->revision);   /* S5 */
	ES_ASSERT(es_mvcc_bytes_live(store) <= es_mvcc_bytes(store));
}
