#ifndef ES_RESOURCE_FIELD_SET_H
#define ES_RESOURCE_FIELD_SET_H

#include "base/json.h"

/*
 * Sets of fields of an object: what a manager owns, or what a change touches. A field is a path of elements from the
 * root; that a set has a field says nothing of the fields above or below it. Sets are never changed once they were made
 * and share what is the same; they live in an arena and point into what they were made from. Pure.
 */
struct es_field_element {
	enum es_field_kind {
		ES_FIELD_NAME,  /* of a member */
		ES_FIELD_KEY,   /* of an item of a list that is a map: the members that tell it from others */
		ES_FIELD_VALUE, /* of an item of a list that is a set */
		ES_FIELD_INDEX, /* of an item of another list; not made here, but read and kept */
	} kind;
	struct es_json value; /* a string, an object, a scalar, an integer */
};

struct es_field_node;
/* Sorted by element, no two alike, and each has something: it is a member or has children. Zeroed: the empty set. */
struct es_field_set {
	uint32_t count;
	const struct es_field_node *nodes;
};

struct es_field_node {
	struct es_field_element element;
	bool member;
	struct es_field_set children;
};

/* A total order of values: numbers, strings, booleans, arrays, objects, null. Numbers by what they are worth, so that
 * 1 and 1.0 are equal. < 0, 0, > 0. */
int es_field_compare_values(const struct es_json *a, const struct es_json *b);
int es_field_compare(const struct es_field_element *a, const struct es_field_element *b);

struct es_field_element es_field_name(struct es_slice name);
/* A scalar as it is in elements: doubles that are whole numbers are integers. */
struct es_json es_field_scalar(const struct es_json *value);

static inline bool es_field_set_is_empty(const struct es_field_set *set)
{
	return set->count == 0;
}
bool es_field_set_eq(const struct es_field_set *a, const struct es_field_set *b);
/* NULL: neither it nor anything below it is in the set. */
const struct es_field_node *es_field_set_find(const struct es_field_set *set,
					      const struct es_field_element *element);

/* Fields of `a` or `b`, of both, of `a` but not `b`. A field that is taken away keeps what is below it. ES_ENOMEM. */
int es_field_set_union(struct es_arena *arena, const struct es_field_set *a,
		       const struct es_field_set *b, struct es_field_set *ret_set);
int es_field_set_intersection(struct es_arena *arena, const struct es_field_set *a,
			      const struct es_field_set *b, struct es_field_set *ret_set);
int es_field_set_difference(struct es_arena *arena, const struct es_field_set *a,
			    const struct es_field_set *b, struct es_field_set *ret_set);
/* The set of these nodes, which become its own and may come in any order; those with the same element are joined.
 * ES_ENOMEM. */
int es_field_set_make(struct es_arena *arena, struct es_field_node *nodes, size_t count,
		      struct es_field_set *ret_set);
/* Fields of any of the sets: what is done for each is the same however many there are. ES_ENOMEM. */
int es_field_set_union_all(struct es_arena *arena, const struct es_field_set *sets, size_t count,
			   struct es_field_set *ret_set);
/* How many nodes it has. */
size_t es_field_set_size(const struct es_field_set *set);

/* How an element is written in texts for people: ".spec", "[name=\"a\"]", "[=1]", "[0]". ES_ENOMEM. */
int es_field_print(struct es_buf *buf, const struct es_field_element *element);

/*
 * FieldsV1: an object with a member for each element ("f:spec", "k:{\"name\":\"a\"}", "v:1", "i:0") that holds what is
 * below it, and "." where the field itself is in the set as well. Texts of elements are as Kubernetes writes them; the
 * order of members is that of canonical JSON. ES_ENOMEM.
 */
/* ES_EINVAL: nested deeper than `depth_max` containers. */
int es_field_set_write(const struct es_field_set *set, unsigned depth_max, struct es_arena *arena,
		       struct es_json *ret_object);
/* Kinds of elements that are not known are left out, as Kubernetes does. ES_EINVAL with `errmsg`. */
int es_field_set_read(const struct es_json *object, struct es_arena *arena,
		      struct es_field_set *ret_set, char *errmsg, size_t errmsg_size);

#endif
