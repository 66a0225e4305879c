/*
 * A set is a tree whose nodes are elements, with a mark at those that are fields of the set. All operations walk two
 * sorted lists of nodes side by side.
 *
 * I1: nodes are sorted by es_field_compare, and no two are equal.
 * I2: a node without a mark has children. So a set is empty when its list is, and equal sets are equal trees.
 */
#include "resource/field_set.h"

#include <stdlib.h>

#include "base/assert.h"

/* ---- elements --------------------------------------------------------------------------- */

static int compare_double_u64(double a, uint64_t b)
{
	uint64_t whole;

	if (a < 0)
		return -1;
	if (a >= 0x1p64)
		return 1;
	whole = (uint64_t)a;
	if (whole != b)
		return whole < b ? -1 : 1;
	return a - (double)whole > 0;
}

static int compare_double_i64(double a, int64_t b)
{
	int64_t whole;
	double rest;

	if (a < -0x1p63)
		return -1;
	if (a >= 0x1p63)
		return 1;
	whole = (int64_t)a;
	if (whole != b)
		return whole < b ? -1 : 1;
	rest = a - (double)whole;
	return (rest > 0) - (rest < 0);
}

/* `b` is no double or both are. Exact: rounding 64 bits to a double would make the order lie. */
static int compare_numbers(const struct es_json *a, const struct es_json *b)
{
	if (a->type == ES_JSON_DOUBLE) {
		if (b->type == ES_JSON_DOUBLE)
			return (a->u.number > b->u.number) - (a->u.number < b->u.number);
		return b->type == ES_JSON_UINT ? compare_double_u64(a->u.number, b->u.u64)
					       : compare_double_i64(a->u.number, b->u.i64);
	}
	if (a->type != b->type) /* ES_JSON_UINT is for what is above INT64_MAX */
		return a->type == ES_JSON_UINT ? 1 : -1;
	if (a->type == ES_JSON_UINT)
		return (a->u.u64 > b->u.u64) - (a->u.u64 < b->u.u64);
	return (a->u.i64 > b->u.i64) - (a->u.i64 < b->u.i64);
}

static int compare_arrays(const struct es_json *a, const struct es_json *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		int order = es_field_compare_values(&a->u.items[i], &b->u.items[i]);

		if (order != 0)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

static int compare_objects(const struct es_json *a, const struct es_json *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		const struct es_json_member *x = &a->u.members[i], *y = &b->u.members[i];
		int order = es_slice_cmp(x->name, y->name);

		if (order == 0)
			order = es_field_compare_values(&x->value, &y->value);
		if (order != 0)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

/* Which types come first; those of one rank are compared by value. */
static int rank(enum es_json_type type)
{
	switch (type) {
	case ES_JSON_INT:
	case ES_JSON_UINT:
	case ES_JSON_DOUBLE: return 0;
	case ES_JSON_STRING: return 1;
	case ES_JSON_BOOL: return 2;
	case ES_JSON_ARRAY: return 3;
	case ES_JSON_OBJECT: return 4;
	case ES_JSON_NULL: return 5;
	}
	ES_ASSERT(false);
}

int es_field_compare_values(const struct es_json *a, const struct es_json *b)
{
	int order = rank(a->type) - rank(b->type);

	if (order != 0)
		return order;
	switch (a->type) {
	case ES_JSON_INT:
	case ES_JSON_UINT:
	case ES_JSON_DOUBLE:
		return b->type == ES_JSON_DOUBLE && a->type != ES_JSON_DOUBLE
			       ? -compare_numbers(b, a)
			       : compare_numbers(a, b);
	case ES_JSON_STRING: return es_slice_cmp(a->u.string, b->u.string);
	case ES_JSON_BOOL: return (int)a->u.boolean - (int)b->u.boolean;
	case ES_JSON_ARRAY:
		return a->u.items == b->u.items && a->count == b->count ? 0 : compare_arrays(a, b);
	case ES_JSON_OBJECT:
		return a->u.members == b->u.members && a->count == b->count ? 0
									    : compare_objects(a, b);
	case ES_JSON_NULL: return 0;
	}
	ES_ASSERT(false);
}

int es_field_compare(const struct es_field_element *a, const struct es_field_element *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return es_field_compare_values(&a->value, &b->value);
}

struct es_field_element es_field_name(struct es_slice name)
{
	return (struct es_field_element){ES_FIELD_NAME, es_json_string(name)};
}

struct es_json es_field_scalar(const struct es_json *value)
{
	const double limit = 0x1p53;

	if (value->type == ES_JSON_DOUBLE && value->u.number > -limit && value->u.number < limit &&
	    compare_double_i64(value->u.number, (int64_t)value->u.number) == 0)
		return es_json_int((int64_t)value->u.number);
	return *value;
}

/* ---- sets ------------------------------------------------------------------------------- */

const struct es_field_node *es_field_set_find(const struct es_field_set *set,
					      const struct es_field_element *element)
{
	uint32_t low = 0, high = set->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = es_field_compare(element, &set->nodes[middle].element);

		if (order == 0)
			return &set->nodes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool es_field_set_eq(const struct es_field_set *a, const struct es_field_set *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count && a->nodes != b->nodes; i++)
		if (es_field_compare(&a->nodes[i].element, &b->nodes[i].element) != 0 ||
		    a->nodes[i].member != b->nodes[i].member ||
		    !es_field_set_eq(&a->nodes[i].children, &b->nodes[i].children))
			return false;
	return true;
}

enum operation { UNION, INTERSECTION, DIFFERENCE };

static int combine(enum operation operation, struct es_arena *arena, const struct es_field_set *a,
		   const struct es_field_set *b, struct es_field_set *ret_set);

static int combine_nodes(enum operation operation, struct es_arena *arena,
			 const struct es_field_node *a, const struct es_field_node *b,
			 struct es_field_node *ret_node)
{
	struct es_field_node node = {.element = a->element};
	int rc = combine(operation, arena, &a->children, &b->children, &node.children);

	switch (operation) {
	case UNION: node.member = a->member || b->member; break;
	case INTERSECTION: node.member = a->member && b->member; break;
	case DIFFERENCE: node.member = a->member && !b->member; break;
	}
	if (rc == 0)
		*ret_node = node;
	return rc;
}

/* The first node at `from` or behind it that is not before the element: found in steps that double. */
static uint32_t seek(const struct es_field_set *set, uint32_t from,
		     const struct es_field_element *element)
{
	uint32_t low = from, high = from, step = 1;

	while (high < set->count && es_field_compare(&set->nodes[high].element, element) < 0) {
		low = high + 1;
		high = step > set->count - low ? set->count : low + step;
		step *= 2;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (es_field_compare(&set->nodes[middle].element, element) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t add_nodes(struct es_field_node *nodes, uint32_t count,
			  const struct es_field_set *set, uint32_t from, uint32_t to)
{
	if (from < to)
		memcpy(nodes + count, set->nodes + from, (to - from) * sizeof(*nodes));
	return count + (to - from);
}

/*
 * Of nodes that only one of the sets has: which are kept is a question of the operation alone. They are passed over
 * quickly, so that many small sets may be held against a large one.
 */
static int combine(enum operation operation, struct es_arena *arena, const struct es_field_set *a,
		   const struct es_field_set *b, struct es_field_set *ret_set)
{
	struct es_field_node *nodes;
	uint32_t i = 0, j = 0, count = 0;

	if (a->count == 0 || b->count == 0) {
		*ret_set = operation == INTERSECTION             ? (struct es_field_set){0}
			   : operation == UNION && a->count == 0 ? *b
								 : *a;
		return 0;
	}
	nodes = es_arena_alloc(arena, ((size_t)a->count + (operation == UNION ? b->count : 0)) *
					      sizeof(*nodes));
	if (nodes == NULL)
		return ES_ENOMEM;
	while (i < a->count && j < b->count) {
		uint32_t before = i;
		int rc;

		i = seek(a, i, &b->nodes[j].element);
		if (operation != INTERSECTION)
			count = add_nodes(nodes, count, a, before, i);
		if (i == a->count)
			break;
		before = j;
		j = seek(b, j, &a->nodes[i].element);
		if (operation == UNION)
			count = add_nodes(nodes, count, b, before, j);
		if (j == b->count || es_field_compare(&a->nodes[i].element, &b->nodes[j].element))
			continue;
		rc = combine_nodes(operation, arena, &a->nodes[i++], &b->nodes[j++], &nodes[count]);
		if (rc < 0)
			return rc;
		if (nodes[count].member || nodes[count].children.count > 0)
			count++; /* I2 */
	}
	if (operation != INTERSECTION)
		count = add_nodes(nodes, count, a, i, a->count);
	if (operation == UNION)
		count = add_nodes(nodes, count, b, j, b->count);
	*ret_set = (struct es_field_set){count, nodes};
	return 0;
}

int es_field_set_union(struct es_arena *arena, const struct es_field_set *a,
		       const struct es_field_set *b, struct es_field_set *ret_set)
{
	return combine(UNION, arena, a, b, ret_set);
}

int es_field_set_intersection(struct es_arena *arena, const struct es_field_set *a,
			      const struct es_field_set *b, struct es_field_set *ret_set)
{
	return combine(INTERSECTION, arena, a, b, ret_set);
}

int es_field_set_difference(struct es_arena *arena, const struct es_field_set *a,
			    const struct es_field_set *b, struct es_field_set *ret_set)
{
	return combine(DIFFERENCE, arena, a, b, ret_set);
}

/* Of two values that are equal, how they are written: so what is kept of them does not depend on how was sorted. */
static int compare_forms(const struct es_json *a, const struct es_json *b)
{
	int order = (a->type > b->type) - (a->type < b->type);

	if (order == 0 && a->type == ES_JSON_DOUBLE)
		order = memcmp(&a->u.number, &b->u.number, sizeof(a->u.number));
	for (uint32_t i = 0; order == 0 && a->type == ES_JSON_OBJECT && i < a->count; i++)
		order = compare_forms(&a->u.members[i].value, &b->u.members[i].value);
	return order;
}

static int by_element(const void *a, const void *b)
{
	const struct es_field_node *x = a, *y = b;
	int order = es_field_compare(&x->element, &y->element);

	return order != 0 ? order : compare_forms(&x->element.value, &y->element.value);
}

/* Nodes with the same element. */
static int join(struct es_arena *arena, const struct es_field_node *nodes, size_t count,
		struct es_field_node *ret_node)
{
	struct es_field_set *below = es_arena_alloc(arena, count * sizeof(*below));
	struct es_field_node node = nodes[0];

	if (below == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		below[i] = nodes[i].children;
		node.member = node.member || nodes[i].member;
	}
	*ret_node = node;
	return es_field_set_union_all(arena, below, count, &ret_node->children);
}

int es_field_set_make(struct es_arena *arena, struct es_field_node *nodes, size_t count,
		      struct es_field_set *ret_set)
{
	size_t kept = 0, same;
	int rc = 0;

	if (count > 1)
		qsort(nodes, count, sizeof(*nodes), by_element);
	for (size_t i = 0; rc == 0 && i < count; i += same) {
		for (same = 1; i + same < count; same++)
			if (es_field_compare(&nodes[i].element, &nodes[i + same].element) != 0)
				break;
		if (same == 1)
			nodes[kept++] = nodes[i];
		else
			rc = join(arena, &nodes[i], same, &nodes[kept++]);
	}
	*ret_set = (struct es_field_set){(uint32_t)kept, nodes};
	return rc;
}

int es_field_set_union_all(struct es_arena *arena, const struct es_field_set *sets, size_t count,
			   struct es_field_set *ret_set)
{
	struct es_field_node *nodes;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		total += sets[i].count;
	nodes = es_arena_alloc(arena, total * sizeof(*nodes));
	if (nodes == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++)
		at = add_nodes(nodes, (uint32_t)at, &sets[i], 0, sets[i].count);
	return es_field_set_make(arena, nodes, total, ret_set);
}

size_t es_field_set_size(const struct es_field_set *set)
{
	size_t size = set->count;

	for (uint32_t i = 0; i < set->count; i++)
		size += es_field_set_size(&set->nodes[i].children);
	return size;
}
