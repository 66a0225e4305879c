#ifndef ES_RESOURCE_RULES_H
#define ES_RESOURCE_RULES_H

#include "mvcc/mvcc.h"
#include "resource/command.h"

/*
 * What a command does to the resources in a key space: the two rule sets. A command is judged on the
 * store as it is and gives a plan: the outcome, and the key-space transaction that makes it so, which
 * the caller applies before anything else changes. A plan without a transaction changes nothing and
 * takes no revision. Pure: equal stores and equal commands give equal plans, to the byte.
 */
enum es_resource_outcome {
	ES_RESOURCE_CREATED,
	ES_RESOURCE_REPLACED,
	ES_RESOURCE_PATCHED,
	ES_RESOURCE_DELETED,
	ES_RESOURCE_DELETION_PENDING,
	ES_RESOURCE_NO_OP,
	ES_RESOURCE_UNCHANGED,
	ES_RESOURCE_CONFLICT,
	ES_RESOURCE_PATCH_REJECTED,
	ES_RESOURCE_APPLY_CONFLICT,
};
/* "Created" ... as in catalogs' .ops files and in the API. */
const char *es_resource_outcome_name(enum es_resource_outcome outcome);

/* A field that another manager owns: of ES_RESOURCE_APPLY_CONFLICT. */
struct es_resource_cause {
	struct es_slice
		manager; /* "controller", or with its operation and version as Kubernetes words it */
	struct es_slice field; /* ".spec.replicas" */
};

struct es_resource_plan {
	enum es_resource_outcome outcome;
	bool succeeded; /* of a txn: all compares held */
	/* Why it was refused: UTF-8, for people; empty when it was not. */
	struct es_slice reason;
	size_t cause_count;
	const struct es_resource_cause *causes;
	/* The object afterwards (of a delete: its last state, stamped with the deleting revision),
	 * canonical JSON; empty for a txn and where there is none. Unchanged and NoOp: as it is. */
	struct es_slice object;
	int64_t create_revision, mod_revision; /* of `object`; 0 without one */
	/* NULL: nothing to do. */
	const struct es_mvcc_txn *txn;
};

/*
 * The current rules. The revision stamped is es_mvcc_revision(store) + 1. Everything is allocated from `arena` or
 * points into the command and the store's versions. A stored value that is no JSON (raw writes went below
 * ES_RESOURCE_ROOT) may be put over and deleted, and patches of it are rejected. ES_ENOMEM.
 */
int es_resource_plan(const struct es_mvcc *store, const struct es_resource_command *command,
		     struct es_arena *arena, struct es_resource_plan *ret_plan);

/*
 * The last state of what was deleted, as callers and watchers are told it: canonical JSON, with the revision of its end
 * as its resourceVersion (metadata is made when absent; what is no object stays as it is). `guess`: about how long it
 * is. ES_ENOMEM.
 */
int es_resource_last_state(const struct es_json *value, size_t guess, int64_t revision,
			   struct es_arena *arena, struct es_slice *ret_text);

/* Rules v0: the version stamped is the command's log index; the plan's revisions are the store's.
 * ES_EINVAL: a txn, which they do not have; ES_ENOMEM. */
int es_resource_plan_v0(const struct es_mvcc *store, const struct es_resource_command *command,
			uint64_t index, struct es_arena *arena, struct es_resource_plan *ret_plan);

/*
 * The boundary, before a command is proposed (not part of replay): fill in what a value leaves out: apiVersion, kind,
 * metadata.name, metadata.namespace, metadata.creationTimestamp (`now`: RFC 3339, UTC, whole seconds; the rules put
 * the stored one in its place), and check that what is there agrees with the key; null and "" count as left out.
 * Values that are not objects are left alone. ES_EINVAL with `errmsg` ("metadata.name is \"a\", the key says \"b\""),
 * for values nested deeper than ES_RESOURCE_DEPTH_MAX as well; ES_ENOMEM.
 */
int es_resource_fill_in(const struct es_resource_key *key, const struct es_json *value,
			struct es_slice now, struct es_arena *arena, struct es_json *ret_value,
			char *errmsg, size_t errmsg_size);
/* The same check alone, of an object that was `before` (NULL: nothing): what did not agree then need not now. */
int es_resource_agrees(const struct es_resource_key *key, const struct es_json *before,
		       const struct es_json *object, struct es_arena *arena, char *errmsg,
		       size_t errmsg_size);
/* Marked as deleted and without finalizers: such a put or patch removes what is there. */
bool es_resource_is_released(const struct es_json *object);
/* The key's own fields: version, kind and name are not empty, none is longer than 253 bytes, and no
 * control characters or '/' are in them. ES_EINVAL with `errmsg`. */
int es_resource_key_check(const struct es_resource_key *key, char *errmsg, size_t errmsg_size);

#endif
