#include "resource/field_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "resource/util.h"

/* ---- paths and messages ----------------------------------------------------------------- */

int es_walk_print_path(struct es_buf *buf, const struct es_walk_step *step)
{
	int rc;

	if (step == NULL)
		return 0;
	rc = es_walk_print_path(buf, step->up);
	return rc == 0 ? es_field_print(buf, step->element) : rc;
}

int es_walk_fail(const struct es_walk *walk, const char *format, ...)
{
	struct es_arena_buf path;
	char what[160];
	va_list args;
	int rc;

	es_arena_buf_init(&path, walk->arena);
	rc = es_walk_print_path(&path.buf, walk->path);
	if (rc == 0)
		rc = es_buf_append_u8(&path.buf, '\0');
	if (rc < 0)
		return rc;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	es_resource_say(walk->errmsg, walk->errmsg_size, "%s: %s: %s", walk->subject,
			(const char *)path.buf.data, what);
	return ES_EINVAL;
}

const struct es_schema *es_walk_member_schema(const struct es_schema *schema, struct es_slice name,
					      bool *ret_declared)
{
	const struct es_schema *field = es_schema_field(schema, name);

	if (ret_declared != NULL)
		*ret_declared = field != NULL;
	return field != NULL ? field : es_schema_items(schema);
}

/* ---- items of lists --------------------------------------------------------------------- */

static bool is_container(const struct es_json *value)
{
	return value->type == ES_JSON_ARRAY || value->type == ES_JSON_OBJECT;
}

/* What tells an item of a map: those of its key members that are there, or have a default. */
static int item_key(struct es_walk *walk, const struct es_schema *list_schema,
		    const struct es_json *item, struct es_json *ret_key)
{
	const char *const *names = es_schema_list_keys(list_schema);
	struct es_json_member *members;
	size_t name_count = 0, count = 0;

	while (names != NULL && names[name_count] != NULL)
		name_count++;
	if (item->type != ES_JSON_OBJECT)
		return es_walk_fail(walk, "an item of a list of objects is %s",
				    es_json_type_name(item->type));
	members = es_arena_alloc(walk->arena, name_count * sizeof(*members));
	if (members == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < name_count; i++) {
		const struct es_slice name = es_slice_str(names[i]);
		const struct es_json *value = es_json_get_slice(item, name);
		const char *standard = es_schema_default(
			es_schema_field(es_schema_items(list_schema), name));
		struct es_json parsed;
		struct es_json_error error;

		if (value == NULL && standard != NULL) {
			int rc = es_json_parse(es_slice_str(standard), 1, walk->arena, &parsed,
					       &error);

			if (rc < 0)
				return rc;
			value = &parsed;
		}
		if (value == NULL)
			continue;
		if (is_container(value))
			return es_walk_fail(walk, "the key %s of an item is %s", names[i],
					    es_json_type_name(value->type));
		members[count++] = (struct es_json_member){name, es_field_scalar(value)};
	}
	if (count == 0)
		return es_walk_fail(walk, "an item has none of the keys of its list (%s%s)",
				    names == NULL ? "" : names[0], name_count > 1 ? ", ..." : "");
	*ret_key = es_json_object_of(members, count);
	return 0;
}

static int item_element(struct es_walk *walk, const struct es_schema *list_schema,
			const struct es_json *item, struct es_field_element *ret_element)
{
	if (es_schema_list_type(list_schema) == ES_SCHEMA_LIST_MAP) {
		ret_element->kind = ES_FIELD_KEY;
		return item_key(walk, list_schema, item, &ret_element->value);
	}
	if (is_container(item) || item->type == ES_JSON_NULL)
		return es_walk_fail(walk, "an item of a set is %s", es_json_type_name(item->type));
	*ret_element = (struct es_field_element){ES_FIELD_VALUE, es_field_scalar(item)};
	return 0;
}

static int by_element(const void *a, const void *b)
{
	const struct es_walk_item *x = a, *y = b;
	int order = es_field_compare(&x->element, &y->element);

	return order != 0 ? order : (x->position > y->position) - (x->position < y->position);
}

static int refuse_twins(struct es_walk *walk, const struct es_walk_item *items, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct es_walk_step step;

		if (es_field_compare(&items[i - 1].element, &items[i].element) != 0)
			continue;
		es_walk_down(walk, &step, &items[i].element);
		return es_walk_fail(walk, "several items of the list have this key");
	}
	return 0;
}

/* What is no item goes by its position: that it is there still counts. */
static int any_element(struct es_walk *walk, const struct es_schema *schema,
		       const struct es_json *item, uint32_t position,
		       struct es_field_element *ret_element)
{
	const size_t errmsg_size = walk->errmsg_size;
	int rc;

	walk->errmsg_size = 0;
	rc = item_element(walk, schema, item, ret_element);
	walk->errmsg_size = errmsg_size;
	if (rc != ES_EINVAL)
		return rc;
	*ret_element = (struct es_field_element){ES_FIELD_INDEX, es_json_int(position)};
	return 0;
}

int es_walk_list(struct es_walk *walk, const struct es_schema *schema, const struct es_json *list,
		 enum es_walk_strictness strictness, const struct es_walk_item **ret_items)
{
	struct es_walk_item *items = es_arena_alloc(walk->arena, list->count * sizeof(*items));

	if (items == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct es_json *item = &list->u.items[i];
		int rc = strictness == ES_WALK_ANY
				 ? any_element(walk, schema, item, i, &items[i].element)
				 : item_element(walk, schema, item, &items[i].element);

		if (rc < 0)
			return rc;
		items[i].position = i;
	}
	if (list->count > 1)
		qsort(items, list->count, sizeof(*items), by_element);
	*ret_items = items;
	return strictness == ES_WALK_DISTINCT ? refuse_twins(walk, items, list->count) : 0;
}

static int check_items(struct es_walk *walk, const struct es_schema *schema,
		       const struct es_json *list)
{
	const bool is_granular = es_schema_list_type(schema) != ES_SCHEMA_LIST_ATOMIC;
	const struct es_walk_item *items;
	int rc = is_granular ? es_walk_list(walk, schema, list, ES_WALK_DISTINCT, &items) : 0;

	for (uint32_t i = 0; rc == 0 && i < list->count; i++) {
		const struct es_field_element index = {ES_FIELD_INDEX, es_json_int(i)};
		struct es_walk_step step;

		es_walk_down(walk, &step, &index);
		rc = es_walk_check(walk, es_schema_items(schema), &list->u.items[i]);
		es_walk_up(walk);
	}
	return rc;
}

int es_walk_check(struct es_walk *walk, const struct es_schema *schema,
		  const struct es_json *object)
{
	int rc = 0;

	if (object->type == ES_JSON_ARRAY)
		return check_items(walk, schema, object);
	if (object->type != ES_JSON_OBJECT)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < object->count; i++) {
		const struct es_json_member *member = &object->u.members[i];
		const struct es_field_element element = es_field_name(member->name);
		struct es_walk_step step;

		es_walk_down(walk, &step, &element);
		rc = es_walk_check(walk, es_walk_member_schema(schema, member->name, NULL),
				   &member->value);
		es_walk_up(walk);
	}
	return rc;
}

/* ---- the fields of an object ------------------------------------------------------------ */

/* Fills in everything of `node` but its element. */
static int fields_of(struct es_walk *walk, const struct es_schema *schema,
		     const struct es_json *value, struct es_field_node *node);

static bool is_kept(const struct es_field_node *node)
{
	return node->member || node->children.count > 0;
}

static int fields_below(struct es_walk *walk, const struct es_schema *schema,
			const struct es_json *value, struct es_field_node *node)
{
	struct es_walk_step step;
	int rc;

	es_walk_down(walk, &step, &node->element);
	rc = fields_of(walk, schema, value, node);
	es_walk_up(walk);
	return rc;
}

static int fields_of_object(struct es_walk *walk, const struct es_schema *schema,
			    const struct es_json *object, struct es_field_set *ret_set)
{
	struct es_field_node *nodes = es_arena_alloc(walk->arena, object->count * sizeof(*nodes));
	uint32_t count = 0;

	if (nodes == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *member = &object->u.members[i];
		struct es_field_node *node = &nodes[count];
		bool declared;
		const struct es_schema *below = es_walk_member_schema(schema, member->name,
								      &declared);
		int rc;

		*node = (struct es_field_node){.element = es_field_name(member->name)};
		rc = fields_below(walk, below, &member->value, node);
		if (rc < 0)
			return rc;
		/* What holds nothing is a field itself, or nobody could own that it is there. */
		if (!declared || (member->value.type == ES_JSON_OBJECT && member->value.count == 0))
			node->member = true;
		count += is_kept(node);
	}
	*ret_set = (struct es_field_set){count, nodes};
	return 0;
}

static int fields_of_list(struct es_walk *walk, const struct es_schema *schema,
			  const struct es_json *list, struct es_field_set *ret_set)
{
	const struct es_walk_item *items;
	struct es_field_node *nodes = es_arena_alloc(walk->arena, list->count * sizeof(*nodes));
	uint32_t count = 0;
	int rc = nodes == NULL ? ES_ENOMEM : es_walk_list(walk, schema, list, ES_WALK_ANY, &items);

	for (uint32_t i = 0, next; rc == 0 && i < list->count; i = next) {
		struct es_field_node *node = &nodes[count++];

		for (next = i + 1; next < list->count; next++)
			if (es_field_compare(&items[i].element, &items[next].element) != 0)
				break;
		*node = (struct es_field_node){.element = items[i].element};
		if (next - i == 1) /* of twins nobody can say which one a field below would be of */
			rc = fields_below(walk, es_schema_items(schema),
					  &list->u.items[items[i].position], node);
		node->member = true;
	}
	if (rc == 0)
		*ret_set = (struct es_field_set){count, nodes};
	return rc;
}

static int fields_of(struct es_walk *walk, const struct es_schema *schema,
		     const struct es_json *value, struct es_field_node *node)
{
	if (value->type == ES_JSON_OBJECT && !es_schema_map_is_atomic(schema))
		return fields_of_object(walk, schema, value, &node->children);
	if (value->type == ES_JSON_ARRAY && es_schema_list_type(schema) != ES_SCHEMA_LIST_ATOMIC)
		return fields_of_list(walk, schema, value, &node->children);
	node->member = true;
	return 0;
}

int es_walk_fields(struct es_walk *walk, const struct es_schema *schema,
		   const struct es_json *object, struct es_field_set *ret_set)
{
	struct es_field_node root = {0};
	int rc = fields_of(walk, schema, object, &root);

	*ret_set = root.children;
	return rc;
}

/* ---- sets by schema --------------------------------------------------------------------- */

static const struct es_schema *element_schema(const struct es_schema *schema,
					      const struct es_field_element *element,
					      bool *ret_declared)
{
	*ret_declared = false;
	switch (element->kind) {
	case ES_FIELD_NAME:
		return es_walk_member_schema(schema, element->value.u.string, ret_declared);
	case ES_FIELD_KEY: return es_schema_items(schema);
	case ES_FIELD_VALUE:
	case ES_FIELD_INDEX: break;
	}
	return NULL;
}

/* A set with the same elements, whose nodes `change` makes from the old ones; those that it leaves with nothing go. */
static int map_nodes(struct es_arena *arena, const struct es_schema *schema,
		     const struct es_field_set *set,
		     int (*change)(struct es_arena *arena, const struct es_schema *schema,
				   bool declared, struct es_field_node *node),
		     struct es_field_set *ret_set)
{
	struct es_field_node *nodes;

	*ret_set = *set;
	if (set->count == 0)
		return 0;
	nodes = es_arena_alloc(arena, set->count * sizeof(*nodes));
	if (nodes == NULL)
		return ES_ENOMEM;
	memcpy(nodes, set->nodes, set->count * sizeof(*nodes));
	for (uint32_t i = 0; i < set->count; i++) {
		bool declared;
		const struct es_schema *below = element_schema(schema, &nodes[i].element,
							       &declared);
		int rc = nodes[i].children.count == 0 ? 0
						      : change(arena, below, declared, &nodes[i]);

		if (rc < 0)
			return rc;
	}
	ret_set->nodes = nodes;
	return 0;
}

static int add_named(struct es_arena *arena, const struct es_schema *schema, bool declared,
		     struct es_field_node *node)
{
	node->member = node->member || declared;
	return es_walk_add_named(arena, schema, &node->children, &node->children);
}

int es_walk_add_named(struct es_arena *arena, const struct es_schema *schema,
		      const struct es_field_set *set, struct es_field_set *ret_set)
{
	return map_nodes(arena, schema, set, add_named, ret_set);
}

/* Members of an atomic map, or items of an atomic list: the field is owned as a whole, by whom owned part of it. What
 * is not known is left alone. */
static int reconcile(struct es_arena *arena, const struct es_schema *schema, bool declared,
		     struct es_field_node *node)
{
	/* The first one tells: names come before all others. */
	const bool is_list = node->children.nodes[0].element.kind != ES_FIELD_NAME;

	(void)declared;
	if (schema != NULL && (is_list ? es_schema_list_type(schema) == ES_SCHEMA_LIST_ATOMIC
				       : es_schema_map_is_atomic(schema))) {
		node->member = true;
		node->children = (struct es_field_set){0};
		return 0;
	}
	return es_walk_reconcile(arena, schema, &node->children, &node->children);
}

int es_walk_reconcile(struct es_arena *arena, const struct es_schema *schema,
		      const struct es_field_set *set, struct es_field_set *ret_set)
{
	return map_nodes(arena, schema, set, reconcile, ret_set);
}

/* ---- removing --------------------------------------------------------------------------- */

/* The value of an element without what `node` says; *ret_gone: without all of it. */
static int remove_below(struct es_walk *walk, const struct es_schema *schema,
			const struct es_json *value, const struct es_field_set *set,
			const struct es_field_element *element, struct es_json *ret_value,
			bool *ret_gone)
{
	const struct es_field_node *node = es_field_set_find(set, element);
	struct es_walk_step step;
	int rc;

	*ret_gone = node != NULL && node->member;
	*ret_value = *value;
	if (node == NULL || node->member)
		return 0;
	es_walk_down(walk, &step, element);
	rc = es_walk_remove(walk, schema, value, &node->children, ret_value);
	es_walk_up(walk);
	return rc;
}

static int remove_from_object(struct es_walk *walk, const struct es_schema *schema,
			      const struct es_json *object, const struct es_field_set *set,
			      struct es_json *ret_object)
{
	struct es_json_member *members = es_arena_alloc(walk->arena,
							object->count * sizeof(*members));
	uint32_t count = 0;

	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *member = &object->u.members[i];
		const struct es_field_element element = es_field_name(member->name);
		bool gone;
		int rc;

		members[count].name = member->name;
		rc = remove_below(walk, es_walk_member_schema(schema, member->name, NULL),
				  &member->value, set, &element, &members[count].value, &gone);
		if (rc < 0)
			return rc;
		count += !gone;
	}
	*ret_object = *object;
	ret_object->count = count;
	ret_object->u.members = members;
	return 0;
}

static int remove_from_list(struct es_walk *walk, const struct es_schema *schema,
			    const struct es_json *list, const struct es_field_set *set,
			    struct es_json *ret_list)
{
	struct es_json *items = es_arena_alloc(walk->arena, list->count * sizeof(*items));
	uint32_t count = 0;

	if (items == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < list->count; i++) {
		struct es_field_element element;
		bool gone;
		int rc = item_element(walk, schema, &list->u.items[i], &element);

		if (rc == 0)
			rc = remove_below(walk, es_schema_items(schema), &list->u.items[i], set,
					  &element, &items[count], &gone);
		if (rc < 0)
			return rc;
		count += !gone;
	}
	*ret_list = *list;
	ret_list->count = count;
	ret_list->u.items = items;
	return 0;
}

int es_walk_remove(struct es_walk *walk, const struct es_schema *schema,
		   const struct es_json *object, const struct es_field_set *set,
		   struct es_json *ret_object)
{
	int rc = 0;

	*ret_object = *object;
	if (!is_container(object))
		return 0;
	if (object->type == ES_JSON_OBJECT && !es_schema_map_is_atomic(schema))
		rc = remove_from_object(walk, schema, object, set, ret_object);
	else if (object->type == ES_JSON_ARRAY &&
		 es_schema_list_type(schema) != ES_SCHEMA_LIST_ATOMIC)
		rc = remove_from_list(walk, schema, object, set, ret_object);
	else
		ret_object->count = 0;
	if (ret_object->count == 0)
		*ret_object = es_json_null();
	return rc;
}
