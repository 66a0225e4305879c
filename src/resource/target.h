#ifndef ES_RESOURCE_TARGET_H
#define ES_RESOURCE_TARGET_H

#include "resource/rules.h"

/* Private to the rules: a resource as a command finds it, and as it leaves it. */
struct es_resource_target {
	const struct es_resource_key *key;
	struct es_slice path;
	bool existed;            /* before the command */
	bool exists;             /* now */
	bool created;            /* it did not exist, or was removed, and exists now */
	bool written;            /* something is to be put or deleted */
	int64_t create_revision; /* of what existed */
	int64_t mod_revision;
	struct es_json value; /* when it exists; null for what is no JSON */
	struct es_slice text; /* of what was read; of what was written once it is */
};

/* Reads it. ES_ENOMEM. */
int es_resource_target_read(const struct es_mvcc *store, const struct es_resource_key *key,
			    struct es_arena *arena, struct es_resource_target *ret_target);
/* The canonical text of `value`, in `arena`. ES_ENOMEM. */
int es_resource_text(const struct es_json *value, struct es_arena *arena,
		     struct es_slice *ret_text);
/* `object` with a member of metadata set (`value` NULL: removed). Without metadata, or with metadata that is no object,
 * it stays as it is. ES_ENOMEM. */
int es_resource_set_metadata(struct es_arena *arena, struct es_json *object, const char *name,
			     const struct es_json *value);
/* The same for metadata that is absent, which is made. */
int es_resource_make_metadata(struct es_arena *arena, struct es_json *object);
/* {"metadata":{"resourceVersion":"<revision>"}}; as es_resource_set_metadata. */
int es_resource_stamp(struct es_arena *arena, struct es_json *object, uint64_t revision);
/* A string that is there and not empty; empty otherwise. */
struct es_slice es_resource_metadata_text(const struct es_json *object, const char *name);

/* The transaction that makes the targets so, in their order; NULL in *ret_txn when nothing was written. */
int es_resource_write_targets(struct es_resource_target *targets, size_t count,
			      struct es_arena *arena, const struct es_mvcc_txn **ret_txn);

#endif
