#include "base/assert.h"
#include "base/json_internal.h"

/* ---- sorting ---------------------------------------------------------------------------- */

/*
 * A merge sort in place: the members of one object may be as many as a text has room for, in any order, so the worst
 * case has to be good; the last of equal names wins, so it has to be stable; and es_json_object_of
 * cannot fail, so there is no memory to merge into. Merging by rotation costs a factor log(n) in
 * moves, which unsorted objects of thousands of members pay.
 */
#define INSERTION_MAX 12

static bool is_before(const struct es_json_member *a, const struct es_json_member *b)
{
	return es_slice_cmp(a->name, b->name) < 0;
}

static void insertion_sort(struct es_json_member *members, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct es_json_member member = members[i];
		size_t at = i;

		for (; at > 0 && is_before(&member, &members[at - 1]); at--)
			members[at] = members[at - 1];
		members[at] = member;
	}
}

static void reverse(struct es_json_member *members, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct es_json_member member = members[i];

		members[i] = members[count - 1 - i];
		members[count - 1 - i] = member;
	}
}

/* The first `left` members and the `right` behind them change places. */
static void rotate(struct es_json_member *members, size_t left, size_t right)
{
	reverse(members, left);
	reverse(members + left, right);
	reverse(members, left + right);
}

/* How many of the sorted members are before `pivot`, or, with `or_equal`, not behind it. */
static size_t count_before(const struct es_json_member *members, size_t count,
			   const struct es_json_member *pivot, bool or_equal)
{
	size_t low = 0;

	while (count > 0) {
		size_t half = count / 2;
		int order = es_slice_cmp(members[low + half].name, pivot->name);

		if (order < 0 || (or_equal && order == 0)) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

/* Merge two sorted neighbours: split the longer in half, find the place of its middle in the other, rotate what is
 * between, and merge both sides. Half of the longer goes to either side, so the depth is O(log(left + right)). */
static void merge(struct es_json_member *members, size_t left, size_t right)
{
	while (left > 0 && right > 0 && is_before(&members[left], &members[left - 1])) {
		size_t from_left;
		size_t from_right;

		if (left + right == 2) {
			rotate(members, 1, 1);
			return;
		}
		if (left > right) {
			from_left = left / 2;
			from_right = count_before(members + left, right, &members[from_left],
						  false);
		} else {
			from_right = right / 2;
			from_left = count_before(members, left, &members[left + from_right], true);
		}
		rotate(members + from_left, left - from_left, from_right);
		merge(members, from_left, from_right);
		members += from_left + from_right;
		left -= from_left;
		right -= from_right;
	}
}

static void merge_sort(struct es_json_member *members, size_t count)
{
	if (count <= INSERTION_MAX) {
		insertion_sort(members, count);
		return;
	}
	merge_sort(members, count / 2);
	merge_sort(members + count / 2, count - count / 2);
	merge(members, count / 2, count - count / 2);
}

size_t es_json_sort_members(struct es_json_member *members, size_t count)
{
	size_t kept = 0;

	merge_sort(members, count);
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || !es_slice_eq(members[i].name, members[i + 1].name))
			members[kept++] = members[i];
	return kept;
}

/* ---- looking ---------------------------------------------------------------------------- */

/* Where the member of that name is, or (*ret_found false) would be. */
static size_t find(const struct es_json *object, struct es_slice name, bool *ret_found)
{
	size_t low = 0;
	size_t high = object->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = es_slice_cmp(object->u.members[middle].name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

const struct es_json *es_json_get_slice(const struct es_json *object, struct es_slice name)
{
	bool found;
	size_t at;

	if (!es_json_is(object, ES_JSON_OBJECT))
		return NULL;
	at = find(object, name, &found);
	return found ? &object->u.members[at].value : NULL;
}

const struct es_json *es_json_get(const struct es_json *object, const char *name)
{
	return es_json_get_slice(object, es_slice_str(name));
}

struct es_slice es_json_as_string(const struct es_json *value)
{
	return es_json_is(value, ES_JSON_STRING) ? value->u.string : es_slice(NULL, 0);
}

const char *es_json_type_name(enum es_json_type type)
{
	switch (type) {
	case ES_JSON_NULL: return "null";
	case ES_JSON_BOOL: return "boolean";
	case ES_JSON_INT:
	case ES_JSON_UINT:
	case ES_JSON_DOUBLE: return "number";
	case ES_JSON_STRING: return "string";
	case ES_JSON_ARRAY: return "array";
	case ES_JSON_OBJECT: return "object";
	}
	ES_ASSERT(false);
}

static bool items_eq(const struct es_json *a, const struct es_json *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (!es_json_eq(&a->u.items[i], &b->u.items[i]))
			return false;
	return true;
}

static bool members_eq(const struct es_json *a, const struct es_json *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (!es_slice_eq(a->u.members[i].name, b->u.members[i].name) ||
		    !es_json_eq(&a->u.members[i].value, &b->u.members[i].value))
			return false;
	return true;
}

bool es_json_eq(const struct es_json *a, const struct es_json *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case ES_JSON_NULL: return true;
	case ES_JSON_BOOL: return a->u.boolean == b->u.boolean;
	case ES_JSON_INT: return a->u.i64 == b->u.i64;
	case ES_JSON_UINT: return a->u.u64 == b->u.u64;
	case ES_JSON_DOUBLE: /* 0.0 and -0.0 differ */
		return memcmp(&a->u.number, &b->u.number, sizeof(a->u.number)) == 0;
	case ES_JSON_STRING: return es_slice_eq(a->u.string, b->u.string);
	case ES_JSON_ARRAY:
		return a->count == b->count && (a->u.items == b->u.items || items_eq(a, b));
	case ES_JSON_OBJECT:
		return a->count == b->count && (a->u.members == b->u.members || members_eq(a, b));
	}
	ES_ASSERT(false);
}

/* ---- making ----------------------------------------------------------------------------- */

/* Room for `more` members than `object` has. */
static struct es_json_member *new_members(struct es_arena *arena, const struct es_json *object,
					  size_t more)
{
	return es_arena_alloc(arena, (object->count + more) * sizeof(struct es_json_member));
}

/* `count` members of `object` from the one at `from` on. */
static void copy_members(struct es_json_member *to, const struct es_json *object, size_t from,
			 size_t count)
{
	if (count > 0)
		memcpy(to, object->u.members + from, count * sizeof(*to));
}

int es_json_set(struct es_arena *arena, const struct es_json *object, struct es_slice name,
		const struct es_json *value, struct es_json *ret_object)
{
	const struct es_json none = es_json_object();
	struct es_json_member *members;
	size_t at;
	bool found;

	if (!es_json_is(object, ES_JSON_OBJECT))
		object = &none;
	at = find(object, name, &found);
	members = new_members(arena, object, 1);
	if (members == NULL)
		return ES_ENOMEM;
	copy_members(members, object, 0, at);
	members[at] = (struct es_json_member){found ? object->u.members[at].name : name, *value};
	copy_members(members + at + 1, object, at + found, object->count - at - found);
	*ret_object = (struct es_json){
		.type = ES_JSON_OBJECT,
		.count = object->count + !found,
		.u.members = members,
	};
	return 0;
}

int es_json_remove(struct es_arena *arena, const struct es_json *object, struct es_slice name,
		   struct es_json *ret_object)
{
	const struct es_json none = es_json_object();
	struct es_json_member *members;
	size_t at;
	bool found;

	if (!es_json_is(object, ES_JSON_OBJECT))
		object = &none;
	at = find(object, name, &found);
	if (!found) {
		*ret_object = *object;
		return 0;
	}
	members = new_members(arena, object, 0);
	if (members == NULL)
		return ES_ENOMEM;
	copy_members(members, object, 0, at);
	copy_members(members + at, object, at + 1, object->count - at - 1);
	*ret_object = (struct es_json){
		.type = ES_JSON_OBJECT,
		.count = object->count - 1,
		.u.members = members,
	};
	return 0;
}

struct es_json es_json_object_of(struct es_json_member *members, size_t count)
{
	ES_ASSERT(count <= UINT32_MAX);
	return (struct es_json){
		.type = ES_JSON_OBJECT,
		.count = (uint32_t)es_json_sort_members(members, count),
		.u.members = members,
	};
}

static int copy_string(struct es_arena *arena, struct es_slice string, struct es_slice *ret_copy)
{
	uint8_t *bytes;

	*ret_copy = es_slice(NULL, 0);
	if (string.len == 0)
		return 0;
	bytes = es_arena_alloc(arena, string.len);
	if (bytes == NULL)
		return ES_ENOMEM;
	memcpy(bytes, string.data, string.len);
	*ret_copy = es_slice(bytes, string.len);
	return 0;
}

static int copy_items(struct es_arena *arena, const struct es_json *array, struct es_json *ret_copy)
{
	struct es_json *items = es_arena_alloc(arena, array->count * sizeof(*items));

	if (items == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < array->count; i++) {
		int rc = es_json_copy(arena, &array->u.items[i], &items[i]);

		if (rc < 0)
			return rc;
	}
	*ret_copy = *array;
	ret_copy->u.items = items;
	return 0;
}

static int copy_object(struct es_arena *arena, const struct es_json *object,
		       struct es_json *ret_copy)
{
	struct es_json_member *members = new_members(arena, object, 0);

	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *from = &object->u.members[i];
		int rc = copy_string(arena, from->name, &members[i].name);

		if (rc == 0)
			rc = es_json_copy(arena, &from->value, &members[i].value);
		if (rc < 0)
			return rc;
	}
	*ret_copy = *object;
	ret_copy->u.members = members;
	return 0;
}

int es_json_copy(struct es_arena *arena, const struct es_json *value, struct es_json *ret_copy)
{
	struct es_slice string;
	int rc;

	switch (value->type) {
	case ES_JSON_STRING:
		rc = copy_string(arena, value->u.string, &string);
		if (rc == 0)
			*ret_copy = es_json_string(string);
		return rc;
	case ES_JSON_ARRAY:
		if (value->count > 0)
			return copy_items(arena, value, ret_copy);
		break;
	case ES_JSON_OBJECT:
		if (value->count > 0)
			return copy_object(arena, value, ret_copy);
		break;
	default: break;
	}
	*ret_copy = *value;
	return 0;
}
