/*
 * Keys and the order of list elements, for strategic merge patch.
 *
 * An index is two JSON objects whose members are named by the keys, one for strings and one for
 * the text of other scalars: their members are sorted, so a key is found by halving however many
 * there are.
 *
 * The order is Kubernetes' own to the last element, also where its rule is none: its comparison calls
 * every element "before" one that is not in the order asked for. What comes out then depends on the
 * sorting algorithm, so the algorithm is Go's: insertion in runs of 20, merged in place (Kim and
 * Kutzner's SymMerge).
 */
#include "resource/element_order.h"

#include <inttypes.h>
#include <stdio.h>

#define SCALAR_BYTES_MAX 32
#define RUN              20

struct placed {
	const struct es_json *element;
	int64_t rank; /* in the list that says the order; < 0: not there */
	int64_t live; /* in the live list */
};

const struct es_json *es_element_key(const struct es_json *element, const char *merge_key)
{
	const struct es_json *key = merge_key == NULL ? element : es_json_get(element, merge_key);

	if (key == NULL || key->type == ES_JSON_ARRAY || key->type == ES_JSON_OBJECT)
		return NULL;
	return key;
}

bool es_element_is_deleted(const struct es_json *element)
{
	return es_slice_eq(es_json_as_string(es_json_get(element, "$patch")), ES_SLICE("delete"));
}

/* Of a scalar that is not a string. Numbers of different types have different texts. */
static struct es_slice scalar_text(const struct es_json *key, char out[SCALAR_BYTES_MAX])
{
	int n = 0;

	switch (key->type) {
	case ES_JSON_NULL: return ES_SLICE("null");
	case ES_JSON_BOOL: return key->u.boolean ? ES_SLICE("true") : ES_SLICE("false");
	case ES_JSON_INT: n = snprintf(out, SCALAR_BYTES_MAX, "%" PRId64, key->u.i64); break;
	case ES_JSON_UINT: n = snprintf(out, SCALAR_BYTES_MAX, "%" PRIu64, key->u.u64); break;
	case ES_JSON_DOUBLE: n = (int)es_json_format_double(key->u.number, out); break;
	default: break;
	}
	return es_slice(out, (size_t)n);
}

int es_element_index(const struct es_json *list, const char *merge_key, struct es_arena *arena,
		     struct es_element_index *ret_index)
{
	struct es_json_member *strings, *others;
	size_t string_count = 0, other_count = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct es_json *key = es_element_key(&list->u.items[i], merge_key);

		if (key == NULL)
			return ES_EINVAL;
		string_count += key->type == ES_JSON_STRING;
	}
	strings = es_arena_calloc(arena, string_count, sizeof(*strings));
	others = es_arena_calloc(arena, list->count - string_count, sizeof(*others));
	if (strings == NULL || others == NULL)
		return ES_ENOMEM;
	string_count = 0;
	for (uint32_t i = list->count; i-- > 0;) { /* the last of a name stays */
		const struct es_json *key = es_element_key(&list->u.items[i], merge_key);
		struct es_slice name;

		if (key->type == ES_JSON_STRING) {
			strings[string_count++] = (struct es_json_member){key->u.string,
									  es_json_int(i)};
		} else {
			char *out = es_arena_alloc(arena, SCALAR_BYTES_MAX);

			if (out == NULL)
				return ES_ENOMEM;
			name = scalar_text(key, out);
			others[other_count++] = (struct es_json_member){name, es_json_int(i)};
		}
	}
	ret_index->strings = es_json_object_of(strings, string_count);
	ret_index->others = es_json_object_of(others, other_count);
	return 0;
}

int64_t es_element_find(const struct es_element_index *index, const struct es_json *key)
{
	char text[SCALAR_BYTES_MAX];
	const struct es_json *place;

	if (key->type == ES_JSON_STRING)
		place = es_json_get_slice(&index->strings, key->u.string);
	else
		place = es_json_get_slice(&index->others, scalar_text(key, text));
	return place == NULL ? -1 : place->u.i64;
}

/* ---- sorting ---------------------------------------------------------------------------- */

static bool is_before(const struct placed *a, const struct placed *b)
{
	return a->rank < 0 || b->rank < 0 || a->rank < b->rank;
}

static void insertion_sort(struct placed *placed, size_t begin, size_t end)
{
	for (size_t i = begin + 1; i < end; i++) {
		struct placed moved = placed[i];
		size_t at = i;

		for (; at > begin && is_before(&moved, &placed[at - 1]); at--)
			placed[at] = placed[at - 1];
		placed[at] = moved;
	}
}

static void reverse(struct placed *placed, size_t begin, size_t end)
{
	for (; begin + 1 < end; begin++, end--) {
		struct placed moved = placed[begin];

		placed[begin] = placed[end - 1];
		placed[end - 1] = moved;
	}
}

/* [begin, middle) and [middle, end) change places. */
static void rotate(struct placed *placed, size_t begin, size_t middle, size_t end)
{
	reverse(placed, begin, middle);
	reverse(placed, middle, end);
	reverse(placed, begin, end);
}

/* The first of [begin, end) that is not before the one at `pivot`, or, with `or_equal`, that the one at `pivot` is
 * before. */
static size_t bound(const struct placed *placed, size_t begin, size_t end, size_t pivot,
		    bool or_equal)
{
	while (begin < end) {
		size_t half = begin + (end - begin) / 2;
		bool pass = or_equal ? !is_before(&placed[pivot], &placed[half])
				     : is_before(&placed[half], &placed[pivot]);

		if (pass)
			begin = half + 1;
		else
			end = half;
	}
	return begin;
}

/* Merge the sorted [begin, middle) and [middle, end). The depth is that of halving. */
static void merge(struct placed *placed, size_t begin, size_t middle, size_t end)
{
	size_t half = begin + (end - begin) / 2;
	size_t sum = half + middle;
	size_t low, high;

	if (middle - begin == 1) {
		low = bound(placed, middle, end, begin, false);
		rotate(placed, begin, middle, low);
		return;
	}
	if (end - middle == 1) {
		low = bound(placed, begin, middle, middle, true);
		rotate(placed, low, middle, end);
		return;
	}
	low = middle > half ? sum - end : begin;
	high = middle > half ? half : middle;
	while (low < high) {
		size_t at = low + (high - low) / 2;

		if (!is_before(&placed[sum - 1 - at], &placed[at]))
			low = at + 1;
		else
			high = at;
	}
	high = sum - low;
	if (low < middle && middle < high)
		rotate(placed, low, middle, high);
	if (begin < low && low < half)
		merge(placed, begin, low, half);
	if (half < high && high < end)
		merge(placed, half, high, end);
}

static void sort(struct placed *placed, size_t count)
{
	size_t begin;

	for (begin = 0; begin + RUN <= count; begin += RUN)
		insertion_sort(placed, begin, begin + RUN);
	insertion_sort(placed, begin, count);
	for (size_t run = RUN; run < count; run *= 2) {
		for (begin = 0; begin + 2 * run <= count; begin += 2 * run)
			merge(placed, begin, begin + run, begin + 2 * run);
		if (begin + run < count)
			merge(placed, begin, begin + run, count);
	}
}

/* ---- the order -------------------------------------------------------------------------- */

/* Of the two sorted lists one, without changing the order of either. */
static void interleave(const struct placed *in_order, size_t in_order_count,
		       const struct placed *others, size_t other_count, struct es_json *out)
{
	size_t i = 0, j = 0;

	while (i < other_count || j < in_order_count) {
		bool other = j == in_order_count;

		if (i < other_count && j < in_order_count)
			other = others[i].live >= 0 && in_order[j].live >= 0 &&
				others[i].live < in_order[j].live;
		*out++ = other ? *others[i++].element : *in_order[j++].element;
	}
}

int es_element_order(const struct es_json *elements, const struct es_json *order,
		     const struct es_json *live, const char *merge_key, struct es_arena *arena,
		     struct es_json *ret_elements)
{
	size_t count = elements->count, front = 0, back = count;
	size_t front_sorted = 0, back_sorted = 0;
	struct placed *placed = es_arena_calloc(arena, count, sizeof(*placed));
	struct es_json *items = es_arena_calloc(arena, count, sizeof(*items));
	struct es_element_index in_order, in_live;
	int rc;

	if (placed == NULL || items == NULL)
		return ES_ENOMEM;
	rc = es_element_index(order, merge_key, arena, &in_order);
	if (rc == 0)
		rc = es_element_index(live, merge_key, arena, &in_live);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < 2 * count; i++) { /* those to be deleted the second time */
		const struct es_json *element = &elements->u.items[i % count];
		const struct es_json *key = es_element_key(element, merge_key);
		struct placed place = {.element = element};

		if (key == NULL)
			return ES_EINVAL;
		if (i == count) {
			front_sorted = front;
			back_sorted = count - back;
		}
		if (es_element_is_deleted(element) != (i >= count))
			continue;
		place.rank = es_element_find(&in_order, key);
		place.live = es_element_find(&in_live, key);
		if (place.rank >= 0) {
			placed[front++] = place;
		} else {
			place.rank = place.live;
			placed[--back] = place;
		}
	}
	reverse(placed, back, count);
	sort(placed, front_sorted);
	sort(placed + back, back_sorted);
	interleave(placed, front, placed + back, count - back, items);
	*ret_elements = (struct es_json){
		.type = ES_JSON_ARRAY,
		.count = (uint32_t)count,
		.u.items = items,
	};
	return 0;
}
