#ifndef ES_RESOURCE_PATCH_H
#define ES_RESOURCE_PATCH_H

#include "base/json.h"

/*
 * The patches. Each takes the object as it is and gives it as it is afterwards; results share with both and live in
 * `arena`. A patch that cannot be applied is ES_EINVAL, with the reason in `errmsg`, for people: it
 * says which operation or field and why. ES_ENOMEM. Pure.
 */

/* RFC 7396. Never refused. `target` NULL: there is none. ES_ENOMEM. */
int es_patch_merge(const struct es_json *target, const struct es_json *patch,
		   struct es_arena *arena, struct es_json *ret_result);

/* RFC 6902: an array of operations, all or nothing. Refused as well: more than 10,000 operations,
 * results nested deeper than ES_JSON_DEPTH_MAX, and copies of more than about `bytes_max` in all
 * (copies of copies). */
int es_patch_json(const struct es_json *target, const struct es_json *patch, size_t bytes_max,
		  struct es_arena *arena, struct es_json *ret_result, char *errmsg,
		  size_t errmsg_size);

/*
 * Kubernetes' strategic merge patch, by the schema of a built-in kind; of an unknown kind all lists are atomic
 * (Kubernetes refuses the type for custom resources: with `schema` NULL this is a merge patch whose
 * directives work on maps). Directives: $patch (replace, delete, merge),
 * $deleteFromPrimitiveList/<field>, $setElementOrder/<field>, $retainKeys. (k8s.io/apimachinery,
 * pkg/util/strategicpatch.) Refused as well: what goes through more than 1,000,000 members and items.
 */
struct es_schema;
int es_patch_strategic(const struct es_json *target, const struct es_json *patch,
		       const struct es_schema *schema, struct es_arena *arena,
		       struct es_json *ret_result, char *errmsg, size_t errmsg_size);

/*
 * Server-side apply (sigs.k8s.io/structured-merge-diff). `target` NULL: the object does not exist.
 * `config` is what the manager applies. The result has metadata.managedFields kept up: the manager's
 * entry (operation Apply, fieldsType FieldsV1, apiVersion of `config`, `time` when its set or the
 * object changed), fields that it no longer applies and nobody else owns removed. An object without
 * managedFields belongs to the manager "before-first-apply". Fields of other managers with other
 * values are conflicts unless `force`, which takes them. What is refused besides: `config` without
 * apiVersion or kind, or with other ones than `target`'s; managedFields in `config`, or that cannot be
 * read in `target`; lists whose items cannot be told apart. Where apply differs from Kubernetes is
 * said in apply.c. ES_EEXIST: there are conflicts: *ret_conflicts (arena), sorted by manager and
 * field, and Kubernetes' text in `errmsg`.
 */
struct es_resource_cause;
struct es_apply {
	struct es_slice manager;
	struct es_slice time; /* RFC 3339; empty: none is written */
	bool force;
};
int es_patch_apply(const struct es_json *target, const struct es_json *config,
		   const struct es_schema *schema, const struct es_apply *apply,
		   struct es_arena *arena, struct es_json *ret_result,
		   const struct es_resource_cause **ret_conflicts, size_t *ret_conflict_count,
		   char *errmsg, size_t errmsg_size);

#endif
