#ifndef ES_RESOURCE_KEY_H
#define ES_RESOURCE_KEY_H

#include "base/json.h"

/*
 * The name of a resource: (group, version, kind, namespace or none, name). The group is empty for the core group. A
 * cluster-scoped resource has no namespace, which is not the same as an empty one. Pure.
 */
struct es_resource_key {
	struct es_slice group, version, kind, ns, name;
	bool has_ns;
};

/* Field by field, bytewise; no namespace sorts before any. < 0, 0, > 0. */
int es_resource_key_cmp(const struct es_resource_key *a, const struct es_resource_key *b);

/* "<group, or v1 when empty>/<version>/<kind>[/<namespace>]/<name>": in messages and uids. ES_ENOMEM. */
int es_resource_label(struct es_buf *buf, const struct es_resource_key *key);

/*
 * Where it is kept: /engenho/resources/<group>/<version>/<kind>/<namespace>/<name>, with "_" for the empty group and
 * for no namespace, "~" for any other empty part, and every byte outside A-Z a-z 0-9 . - as %XX (upper-case digits).
 * A path is read back to the very key that wrote it: any other text is ES_EDECODE. ES_ENOMEM.
 */
#define ES_RESOURCE_ROOT "/engenho/resources/"
int es_resource_path(struct es_buf *buf, const struct es_resource_key *key);
int es_resource_path_parse(struct es_slice path, struct es_arena *arena,
			   struct es_resource_key *ret_key);

/* Containers in each other that a resource's value may have: a catalog file has five of its own around it, and each
 * value fits into one. What the boundary lets through and what patches make is no deeper. */
#define ES_RESOURCE_DEPTH_MAX (ES_JSON_DEPTH_MAX - 5)

/* Which resources: all of a kind, or those of one namespace. */
struct es_resource_scope {
	struct es_slice group, version, kind, ns;
	bool all_namespaces; /* with those that have none; else `ns` */
};
/* The paths of these, and no other, begin with what this appends. */
int es_resource_scope_prefix(struct es_buf *buf, const struct es_resource_scope *scope);

/* {"group":..,"version":..,"kind":..,"namespace":..|null,"name":..}, in this order. */
int es_resource_key_write(struct es_buf *buf, const struct es_resource_key *key);
/* From such an object; other members are ignored, an absent namespace is none. Slices as `value`'s. ES_EDECODE with a
 * static text of what is missing or of the wrong type. */
int es_resource_key_read(const struct es_json *value, struct es_resource_key *ret_key,
			 const char **ret_what);

#endif
