#ifndef ES_RESOURCE_FIELD_WALK_H
#define ES_RESOURCE_FIELD_WALK_H

#include "resource/field_set.h"
#include "resource/schema.h"

/*
 * Walks of objects by what their schema says: a map is granular (each member is a field of its own) or atomic (one
 * field as a whole), and so is a list, whose items are told apart by key members or by value when it
 * is granular. Where nothing is known maps are granular and lists are atomic. Values need not have the
 * types that the schema expects: what a value is, it is walked as. Results share with what they are
 * made from. ES_ENOMEM; ES_EINVAL with the walk's `errmsg` for lists that cannot be told into items.
 * Pure.
 */
struct es_walk_step {
	const struct es_walk_step *up;
	const struct es_field_element *element;
};

struct es_walk {
	struct es_arena *arena;
	const char *subject; /* begins messages: "the applied configuration" */
	char *errmsg;
	size_t errmsg_size;
	const struct es_walk_step *path; /* where it is, from the last step up; NULL to begin with */
};

/* ".spec.ports[port=80]". ES_ENOMEM. */
int es_walk_print_path(struct es_buf *buf, const struct es_walk_step *step);
/* ES_EINVAL, with "<subject>: <path>: <message>" in `errmsg`; ES_ENOMEM. */
int es_walk_fail(const struct es_walk *walk, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Down to an element and, with the same step, up again. `step` and `element` live in between. */
static inline void es_walk_down(struct es_walk *walk, struct es_walk_step *step,
				const struct es_field_element *element)
{
	*step = (struct es_walk_step){walk->path, element};
	walk->path = step;
}

static inline void es_walk_up(struct es_walk *walk)
{
	walk->path = walk->path->up;
}

/* The schema of a member of a map; *ret_declared (may be NULL): it is a field of a type, not an entry of a map. */
const struct es_schema *es_walk_member_schema(const struct es_schema *schema, struct es_slice name,
					      bool *ret_declared);

/* The items of a granular list, sorted by element and then by position. */
struct es_walk_item {
	struct es_field_element element;
	uint32_t position;
};
enum es_walk_strictness {
	ES_WALK_DISTINCT, /* no two items are alike */
	ES_WALK_TWINS,	  /* several may be, as in lists that came about before anybody looked */
	ES_WALK_ANY,	  /* and what is no item goes by its position */
};
int es_walk_list(struct es_walk *walk, const struct es_schema *schema, const struct es_json *list,
		 enum es_walk_strictness strictness, const struct es_walk_item **ret_items);

/* Everywhere in `object`, also in what is atomic: the items of granular lists can be told apart. */
int es_walk_check(struct es_walk *walk, const struct es_schema *schema,
		  const struct es_json *object);

/* All fields of an object: its leaves, items of granular lists, and containers that no type declares.
 * Of twins nothing below them; of what is no item that there is one. */
int es_walk_fields(struct es_walk *walk, const struct es_schema *schema,
		   const struct es_json *object, struct es_field_set *ret_set);

/* `set` with the declared fields that something of it is below. */
int es_walk_add_named(struct es_arena *arena, const struct es_schema *schema,
		      const struct es_field_set *set, struct es_field_set *ret_set);

/* `set`, written when lists or maps were granular that are atomic now, as it would be written today. */
int es_walk_reconcile(struct es_arena *arena, const struct es_schema *schema,
		      const struct es_field_set *set, struct es_field_set *ret_set);

/* `object` without the fields of `set`; what is left empty by it is null. */
int es_walk_remove(struct es_walk *walk, const struct es_schema *schema,
		   const struct es_json *object, const struct es_field_set *set,
		   struct es_json *ret_object);

/*
 * `object` with what `config` says. Items of granular lists come in the order of `config`, with those
 * that it does not have between them where they were. `config` has no twins (asserted).
 */
int es_walk_merge(struct es_walk *walk, const struct es_schema *schema,
		  const struct es_json *object, const struct es_json *config,
		  struct es_json *ret_object);

/* What another object has that this one has not or has with another value, and what it has not any more. */
int es_walk_compare(struct es_walk *walk, const struct es_schema *schema,
		    const struct es_json *object, const struct es_json *other,
		    struct es_field_set *ret_changed, struct es_field_set *ret_removed);

#endif
