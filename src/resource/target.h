#ifndef ES_RESOURCE_TARGET_H
#define ES_RESOURCE_TARGET_H

#include "resource/rules.h"

/* Private to the rules: a resource as a command finds it, and as it leaves it. */
struct es_resource_target {
	const struct es_resource_key *key;
	struct es_slice path;
	bool existed; /* before the command */
	bool exists;  /* now */
	bool removed; /* at some time since: what exists now is another one */
	bool written; /* since */
	bool opaque;  /* what is stored is no JSON: `value` is null */
	/* Of what exists, or else of what was there last. */
	int64_t create_revision, mod_revision;
	struct es_json value;
	struct es_slice text; /* of `value`: as it is stored, or is to be */
};

/* Find it by its path, which is made; *ret_found: its value is kv.value. ES_ENOMEM. */
int es_resource_find(const struct es_mvcc *store, const struct es_resource_key *key,
		     struct es_arena *arena, struct es_slice *ret_path, struct es_mvcc_kv *ret_kv,
		     bool *ret_found);
/* Find it and read its value. ES_ENOMEM. */
int es_resource_target_read(const struct es_mvcc *store, const struct es_resource_key *key,
			    struct es_arena *arena, struct es_resource_target *ret_target);

/* The canonical text of `value`, in `arena`; `guess`: about how long it will be. ES_ENOMEM. */
int es_resource_text(const struct es_json *value, size_t guess, struct es_arena *arena,
		     struct es_slice *ret_text);
/* `object` (NULL: an empty one) with these members, sorted by name, set. `ret_object` may be `object`. ES_ENOMEM. */
int es_resource_set_members(struct es_arena *arena, const struct es_json *object,
			    const struct es_json_member *members, size_t count,
			    struct es_json *ret_object);
/* The same in its "metadata", which is made when it is absent. When the metadata, or `object`, is not
 * an object, all stays as it is. */
int es_resource_set_metadata(struct es_arena *arena, struct es_json *object,
			     const struct es_json_member *members, size_t count);
/* A revision as resources have it. NULL: memory is out. */
struct es_json *es_resource_revision_text(struct es_arena *arena, uint64_t revision);

/*
 * The transaction that makes of the stored resources what the targets have become; *ret_txn is NULL when none was
 * written. ES_ENOMEM.
 */
int es_resource_write_targets(const struct es_resource_target *targets, size_t count,
			      struct es_arena *arena, const struct es_mvcc_txn **ret_txn);

#endif
