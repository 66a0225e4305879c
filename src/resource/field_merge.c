/*
 * Two objects side by side. Of a pair of values one may be missing; null beside a value is taken for an empty one of
 * its kind. Containers of the same kind that are granular are walked together, everything else is a leaf.
 */
#include "resource/field_walk.h"

#include "base/assert.h"

static bool is_empty(const struct es_json *value)
{
	return value == NULL || value->count == 0;
}

/* `value` when it is of that type. */
static const struct es_json *as(const struct es_json *value, enum es_json_type type)
{
	return es_json_is(value, type) ? value : NULL;
}

static bool is_granular(const struct es_schema *schema, enum es_json_type type)
{
	if (type == ES_JSON_OBJECT)
		return !es_schema_map_is_atomic(schema);
	return type == ES_JSON_ARRAY && es_schema_list_type(schema) != ES_SCHEMA_LIST_ATOMIC;
}

/* The next of two sorted lists of members: of either, or the same of both. */
struct member_pair {
	struct es_slice name;
	const struct es_json *a, *b; /* NULL: missing */
};

struct member_zip {
	const struct es_json *a, *b; /* objects, or NULL */
	uint32_t at_a, at_b;
};

static bool next_members(struct member_zip *zip, struct member_pair *ret_pair)
{
	const struct es_json_member *a = zip->a != NULL && zip->at_a < zip->a->count
						 ? &zip->a->u.members[zip->at_a]
						 : NULL;
	const struct es_json_member *b = zip->b != NULL && zip->at_b < zip->b->count
						 ? &zip->b->u.members[zip->at_b]
						 : NULL;
	int order;

	if (a == NULL && b == NULL)
		return false;
	order = a == NULL ? 1 : b == NULL ? -1 : es_slice_cmp(a->name, b->name);
	*ret_pair = (struct member_pair){
		.name = order <= 0 ? a->name : b->name,
		.a = order <= 0 ? &a->value : NULL,
		.b = order >= 0 ? &b->value : NULL,
	};
	zip->at_a += order <= 0;
	zip->at_b += order >= 0;
	return true;
}

static size_t count_of(const struct es_json *value)
{
	return value == NULL ? 0 : value->count;
}

/* ---- merging ---------------------------------------------------------------------------- */

static int merge_below(struct es_walk *walk, const struct es_schema *schema,
		       const struct es_field_element *element, const struct es_json *object,
		       const struct es_json *config, struct es_json *ret_object)
{
	struct es_walk_step step;
	int rc;

	es_walk_down(walk, &step, element);
	rc = es_walk_merge(walk, schema, object, config, ret_object);
	es_walk_up(walk);
	return rc;
}

static int merge_objects(struct es_walk *walk, const struct es_schema *schema,
			 const struct es_json *object, const struct es_json *config,
			 struct es_json *ret_object)
{
	struct member_zip zip = {.a = object, .b = config};
	struct member_pair pair;
	struct es_json_member *members = es_arena_alloc(
		walk->arena, ((size_t)object->count + config->count) * sizeof(*members));
	uint32_t count = 0;

	if (members == NULL)
		return ES_ENOMEM;
	while (next_members(&zip, &pair)) {
		const struct es_field_element element = es_field_name(pair.name);
		struct es_json_member *member = &members[count++];
		int rc = 0;

		member->name = pair.name;
		if (pair.a == NULL || pair.b == NULL)
			member->value = pair.a == NULL ? *pair.b : *pair.a;
		else
			rc = merge_below(walk, es_walk_member_schema(schema, pair.name, NULL),
					 &element, pair.a, pair.b, &member->value);
		if (rc < 0)
			return rc;
	}
	*ret_object = (struct es_json){ES_JSON_OBJECT, count, {.members = members}};
	return 0;
}

#define NO_ITEM UINT32_MAX
#define TWINS   (UINT32_MAX - 1)

/* Which items of two lists are the same. */
struct pairing {
	uint32_t *
		of_object; /* by position in the object's list: the one in the configuration's, or NO_ITEM */
	uint32_t *of_config;               /* the other way round; TWINS: several */
	struct es_field_element *elements; /* of the configuration's items, by position */
};

static int pair_items(struct es_walk *walk, const struct es_schema *schema,
		      const struct es_json *object, const struct es_json *config,
		      struct pairing *ret_pairing)
{
	const struct es_walk_item *a, *b;
	struct pairing pairing = {
		es_arena_alloc(walk->arena, object->count * sizeof(uint32_t)),
		es_arena_alloc(walk->arena, config->count * sizeof(uint32_t)),
		es_arena_alloc(walk->arena, config->count * sizeof(struct es_field_element)),
	};
	int rc;

	if (pairing.of_object == NULL || pairing.of_config == NULL || pairing.elements == NULL)
		return ES_ENOMEM;
	rc = es_walk_list(walk, schema, object, ES_WALK_TWINS, &a);
	if (rc == 0)
		rc = es_walk_list(walk, schema, config, ES_WALK_TWINS, &b);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < config->count; i++) {
		pairing.of_config[b[i].position] = NO_ITEM;
		pairing.elements[b[i].position] = b[i].element;
	}
	for (uint32_t i = 0, j = 0; i < object->count; i++) {
		int order = 1;

		while (j < config->count &&
		       (order = es_field_compare(&a[i].element, &b[j].element)) > 0)
			j++;
		if (j == config->count || order != 0) {
			pairing.of_object[a[i].position] = NO_ITEM;
			continue;
		}
		ES_ASSERT(j + 1 == config->count ||
			  es_field_compare(&b[j].element, &b[j + 1].element) != 0);
		pairing.of_object[a[i].position] = b[j].position;
		pairing.of_config[b[j].position] = pairing.of_config[b[j].position] == NO_ITEM
							   ? a[i].position
							   : TWINS;
	}
	*ret_pairing = pairing;
	return 0;
}

/* The first item at `from` or behind it that both lists have; the count when there is none. */
static uint32_t next_shared(const struct pairing *pairing, uint32_t from, uint32_t count)
{
	while (from < count && pairing->of_config[from] == NO_ITEM)
		from++;
	return from;
}

/*
 * The order of the result: the configuration's items come as they are there, each at the first place where both orders
 * allow it; the object's other items stay in front of the shared item that they were in front of. A shared item of the
 * object that is not the next one to come has its turn where the configuration has it.
 */
static int merge_lists(struct es_walk *walk, const struct es_schema *schema,
		       const struct es_json *object, const struct es_json *config,
		       struct es_json *ret_list)
{
	struct pairing pairing;
	struct es_json *items = es_arena_alloc(
		walk->arena, ((size_t)object->count + config->count) * sizeof(*items));
	uint32_t count = 0, shared = 0;
	int rc = items == NULL ? ES_ENOMEM : pair_items(walk, schema, object, config, &pairing);

	if (rc < 0)
		return rc;
	shared = next_shared(&pairing, 0, config->count);
	for (uint32_t i = 0, j = 0; i < object->count || j < config->count;) {
		uint32_t same = i < object->count ? pairing.of_object[i] : NO_ITEM;
		const struct es_json *old = NULL;

		if (shared < j)
			shared = next_shared(&pairing, j, config->count);
		if (i < object->count && same == NO_ITEM) {
			items[count++] = object->u.items[i++];
			continue;
		}
		if (i < object->count && j < config->count && same != j && shared < config->count &&
		    same != shared) {
			i++;
			continue;
		}
		if (i < object->count && (same == j || same < j))
			i++;
		if (j == config->count)
			continue;
		if (pairing.of_config[j] != NO_ITEM && pairing.of_config[j] != TWINS)
			old = &object->u.items[pairing.of_config[j]];
		if (old == NULL)
			items[count] = config->u.items[j];
		else
			rc = merge_below(walk, es_schema_items(schema), &pairing.elements[j], old,
					 &config->u.items[j], &items[count]);
		if (rc < 0)
			return rc;
		count++;
		j++;
	}
	*ret_list = (struct es_json){ES_JSON_ARRAY, count, {.items = items}};
	return 0;
}

int es_walk_merge(struct es_walk *walk, const struct es_schema *schema,
		  const struct es_json *object, const struct es_json *config,
		  struct es_json *ret_object)
{
	*ret_object = *config;
	if (!is_granular(schema, object->type) || object->count == 0)
		return 0;
	if (config->type == ES_JSON_NULL) { /* nothing is said about what is in there */
		*ret_object = *object;
		return 0;
	}
	if (config->type != object->type)
		return 0;
	return object->type == ES_JSON_OBJECT
		       ? merge_objects(walk, schema, object, config, ret_object)
		       : merge_lists(walk, schema, object, config, ret_object);
}

/* ---- comparing -------------------------------------------------------------------------- */

/* What a comparison finds at an element; the marks and children are filled in as it goes. */
struct change {
	struct es_field_node changed, removed;
};

static int compare(struct es_walk *walk, const struct es_schema *schema, const struct es_json *a,
		   const struct es_json *b, struct change *change);

static int compare_below(struct es_walk *walk, const struct es_schema *schema,
			 const struct es_json *a, const struct es_json *b, struct change *change)
{
	struct es_walk_step step;
	int rc;

	es_walk_down(walk, &step, &change->changed.element);
	rc = compare(walk, schema, a, b, change);
	es_walk_up(walk);
	return rc;
}

/* The nodes found below one, in order. */
struct change_list {
	struct es_field_node *changed, *removed;
	uint32_t changed_count, removed_count;
};

static int begin_list(struct es_walk *walk, const struct es_json *a, const struct es_json *b,
		      struct change_list *ret_list)
{
	const size_t size = (count_of(a) + count_of(b)) * sizeof(struct es_field_node);

	*ret_list = (struct change_list){
		.changed = es_arena_alloc(walk->arena, size),
		.removed = es_arena_alloc(walk->arena, size),
	};
	return ret_list->changed == NULL || ret_list->removed == NULL ? ES_ENOMEM : 0;
}

static struct change begin_change(const struct es_field_element *element)
{
	return (struct change){.changed.element = *element, .removed.element = *element};
}

static void add_change(struct change_list *list, const struct change *change)
{
	if (change->changed.member || change->changed.children.count > 0)
		list->changed[list->changed_count++] = change->changed;
	if (change->removed.member || change->removed.children.count > 0)
		list->removed[list->removed_count++] = change->removed;
}

/* The other half of a pair of different kinds may have filled in one of them already, but never both. */
static void end_list(const struct change_list *list, struct change *change)
{
	if (list->changed_count > 0)
		change->changed.children = (struct es_field_set){list->changed_count,
								 list->changed};
	if (list->removed_count > 0)
		change->removed.children = (struct es_field_set){list->removed_count,
								 list->removed};
}

static int compare_objects(struct es_walk *walk, const struct es_schema *schema,
			   const struct es_json *a, const struct es_json *b, struct change *change)
{
	struct member_zip zip = {.a = a, .b = b};
	struct member_pair pair;
	struct change_list list;
	int rc = begin_list(walk, a, b, &list);

	while (rc == 0 && next_members(&zip, &pair)) {
		const struct es_field_element element = es_field_name(pair.name);
		struct change below = begin_change(&element);

		rc = compare_below(walk, es_walk_member_schema(schema, pair.name, NULL), pair.a,
				   pair.b, &below);
		add_change(&list, &below);
	}
	end_list(&list, change);
	return rc;
}

/* Items with the same element, of one list. */
struct twins {
	const struct es_json *list;
	const struct es_walk_item *items;
	uint32_t count;
};

static const struct es_json *twin(const struct twins *twins, uint32_t i)
{
	return twins->count == 0 ? NULL : &twins->list->u.items[twins->items[i].position];
}

static bool twins_eq(const struct twins *a, const struct twins *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (es_field_compare_values(twin(a, i), twin(b, i)) != 0)
			return false;
	return true;
}

/* Twins count as one field that is there as a whole. */
static int compare_twins(struct es_walk *walk, const struct es_schema *schema,
			 const struct twins *a, const struct twins *b, struct change *change)
{
	int rc = 0;

	if (a->count >= 2 && b->count >= 2) {
		change->changed.member = !twins_eq(a, b);
		return 0;
	}
	if (a->count < 2 && b->count < 2)
		return compare_below(walk, schema, twin(a, 0), twin(b, 0), change);
	if (a->count >= 2) {
		if (b->count == 1)
			rc = compare_below(walk, schema, NULL, twin(b, 0), change);
		change->removed.member = true;
	} else {
		if (a->count == 1)
			rc = compare_below(walk, schema, twin(a, 0), NULL, change);
		change->changed.member = true;
	}
	return rc;
}

/* Take the items from `*at` on that have the element, if there are any. */
static struct twins take_twins(const struct es_json *list, const struct es_walk_item *items,
			       uint32_t *at, const struct es_field_element *element)
{
	struct twins twins = {list, items + *at, 0};

	while (*at < count_of(list) && es_field_compare(&items[*at].element, element) == 0) {
		twins.count++;
		(*at)++;
	}
	return twins;
}

static int compare_lists(struct es_walk *walk, const struct es_schema *schema,
			 const struct es_json *a, const struct es_json *b, struct change *change)
{
	const struct es_json none = {.type = ES_JSON_ARRAY};
	const struct es_walk_item *items_a, *items_b;
	struct change_list list;
	uint32_t i = 0, j = 0;
	int rc = begin_list(walk, a, b, &list);

	a = a == NULL ? &none : a;
	b = b == NULL ? &none : b;
	if (rc == 0)
		rc = es_walk_list(walk, schema, a, ES_WALK_TWINS, &items_a);
	if (rc == 0)
		rc = es_walk_list(walk, schema, b, ES_WALK_TWINS, &items_b);
	while (rc == 0 && (i < a->count || j < b->count)) {
		const struct es_field_element *element =
			j == b->count || (i < a->count && es_field_compare(&items_a[i].element,
									   &items_b[j].element) < 0)
				? &items_a[i].element
				: &items_b[j].element;
		struct change below = begin_change(element);
		struct twins of_a = take_twins(a, items_a, &i, element);
		struct twins of_b = take_twins(b, items_b, &j, element);

		rc = compare_twins(walk, es_schema_items(schema), &of_a, &of_b, &below);
		add_change(&list, &below);
	}
	end_list(&list, change);
	return rc;
}

/* As two values of that type, of which each may be missing, null, or of another type. */
static int compare_as(struct es_walk *walk, const struct es_schema *schema, enum es_json_type type,
		      const struct es_json *a, const struct es_json *b, struct change *change)
{
	const struct es_json *x = as(a, type), *y = as(b, type);
	int rc = 0;

	if (is_granular(schema, type) && !(is_empty(x) && is_empty(y))) {
		rc = type == ES_JSON_OBJECT ? compare_objects(walk, schema, x, y, change)
					    : compare_lists(walk, schema, x, y, change);
	} else if (a != NULL && b != NULL && es_field_compare_values(a, b) != 0) {
		change->changed.member = true;
	}
	if (a == NULL)
		change->changed.member = true;
	if (b == NULL)
		change->removed.member = true;
	return rc;
}

/* Types that make a difference here: the two containers, and everything else. */
static enum es_json_type kind_of(const struct es_json *value)
{
	return value->type == ES_JSON_OBJECT || value->type == ES_JSON_ARRAY ? value->type
									     : ES_JSON_STRING;
}

static bool is_shared(const struct es_json *a, const struct es_json *b)
{
	if (a->type != b->type || a->count != b->count)
		return false;
	return (a->type == ES_JSON_OBJECT && a->u.members == b->u.members) ||
	       (a->type == ES_JSON_ARRAY && a->u.items == b->u.items);
}

static int compare(struct es_walk *walk, const struct es_schema *schema, const struct es_json *a,
		   const struct es_json *b, struct change *change)
{
	int rc;

	if (a == NULL || b == NULL)
		return compare_as(walk, schema, kind_of(a == NULL ? b : a), a, b, change);
	if (is_shared(a, b))
		return 0;
	if (a->type == ES_JSON_NULL || kind_of(a) == kind_of(b))
		return compare_as(walk, schema, kind_of(b), a, b, change);
	if (b->type == ES_JSON_NULL)
		return compare_as(walk, schema, kind_of(a), a, b, change);
	/* What was below it is removed, and what is below it now is new. */
	rc = compare_as(walk, schema, kind_of(a), a, b, change);
	return rc < 0 ? rc : compare_as(walk, schema, kind_of(b), a, b, change);
}

int es_walk_compare(struct es_walk *walk, const struct es_schema *schema,
		    const struct es_json *object, const struct es_json *other,
		    struct es_field_set *ret_changed, struct es_field_set *ret_removed)
{
	struct change change = {0};
	int rc = compare(walk, schema, object, other, &change);

	*ret_changed = change.changed.children;
	*ret_removed = change.removed.children;
	return rc;
}
