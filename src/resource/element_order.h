#ifndef ES_RESOURCE_ELEMENT_ORDER_H
#define ES_RESOURCE_ELEMENT_ORDER_H

#include "base/json.h"

/*
 * Lists whose elements are told apart by a key: by a member (`merge_key`) when they are objects, by
 * themselves when they are not (`merge_key` NULL). Keys are scalars.
 */

/* The key of an element; NULL when it has none, or one that is no scalar. */
const struct es_json *es_element_key(const struct es_json *element, const char *merge_key);

/* Its $patch is "delete". */
bool es_element_is_deleted(const struct es_json *element);

/* Where in a list the keys are. Lives in the arena, and with the list. */
struct es_element_index {
	struct es_json strings, others;
};

/* ES_EINVAL when an element has no key; ES_ENOMEM. */
int es_element_index(const struct es_json *list, const char *merge_key, struct es_arena *arena,
		     struct es_element_index *ret_index);
/* The first place of the key in the list; < 0: it is not there. */
int64_t es_element_find(const struct es_element_index *index, const struct es_json *key);

/*
 * The elements in the order that Kubernetes gives them: those that are in `order` as there, the others as in `live`,
 * and of two neighbours from both the one that is first in `live`, when both are there; else the one in `order`.
 * Those that are to be deleted (some are left where a patch has an element twice) are behind all others that are, or
 * are not, in `order`. ES_EINVAL when an element of a list has no key; ES_ENOMEM.
 */
int es_element_order(const struct es_json *elements, const struct es_json *order,
		     const struct es_json *live, const char *merge_key, struct es_arena *arena,
		     struct es_json *ret_elements);

#endif
