#include "mvcc/store.h"

static bool plausible(const struct es_mvcc_kv *kv)
{
	if (kv->key.len == 0 || kv->key.len > ES_MVCC_BYTES_MAX ||
	    kv->value.len > ES_MVCC_BYTES_MAX)
		return false;
	if (kv->mod_revision < 2 || kv->mod_revision == INT64_MAX)
		return false;
	if (kv->sub_revision < 0 || kv->sub_revision == INT64_MAX)
		return false;
	if (kv->version == 0)
		return kv->create_revision == 0 && kv->lease == 0 && kv->value.len == 0;
	return kv->version > 0 && kv->version < INT64_MAX && kv->create_revision > 0 &&
	       kv->create_revision <= kv->mod_revision;
}

int es_mvcc_restore(struct es_mvcc *store, const struct es_mvcc_kv *kv)
{
	const struct es_mvcc_version *last = es_revlog_last(&store->log), *version;
	struct es_mvcc_content content = {
		.value = kv->value,
		.create = kv->create_revision,
		.version = kv->version,
		.lease = kv->lease,
	};
	struct es_btree_cursor cursor;

	if (!plausible(kv))
		return ES_ECORRUPT;
	if (last != NULL && es_mvcc_revision_cmp(last, kv->mod_revision, kv->sub_revision) >= 0)
		return ES_ECORRUPT;
	es_btree_find(&store->tree, kv->key, &cursor);
	return es_mvcc_write(store, kv->key, &cursor, kv->mod_revision, kv->sub_revision, &content,
			     &version);
}

int es_mvcc_restore_end(struct es_mvcc *store, int64_t revision, int64_t compacted)
{
	const struct es_mvcc_version *last = es_revlog_last(&store->log);

	if (revision < 1 || revision == INT64_MAX || (last != NULL && revision < last->main))
		return ES_ECORRUPT;
	if (compacted < -1 || compacted > revision)
		return ES_ECORRUPT;
	store->revision = revision;
	store->compacted = compacted;
	return 0;
}
