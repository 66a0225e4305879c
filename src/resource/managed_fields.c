#include "resource/managed_fields.h"

#include <stdlib.h>

#include "base/assert.h"
#include "resource/util.h"

#define NAME_BYTES_MAX 128

/* ---- what nobody owns ------------------------------------------------------------------- */

#define NAME(text)                                            \
	{                                                     \
		ES_FIELD_NAME,                                \
		{                                             \
			.type = ES_JSON_STRING, .u.string = { \
				(const uint8_t *)(text),      \
				sizeof(text) - 1              \
			}                                     \
		}                                             \
	}

static const struct es_field_node never_in_metadata[] = {
	{NAME("clusterName"), true, {0, NULL}},
	{NAME("creationTimestamp"), true, {0, NULL}},
	{NAME("generation"), true, {0, NULL}},
	{NAME("managedFields"), true, {0, NULL}},
	{NAME("name"), true, {0, NULL}},
	{NAME("namespace"), true, {0, NULL}},
	{NAME("resourceVersion"), true, {0, NULL}},
	{NAME("selfLink"), true, {0, NULL}},
	{NAME("uid"), true, {0, NULL}},
};

static const struct es_field_node never_at_root[] = {
	{NAME("apiVersion"), true, {0, NULL}},
	{NAME("kind"), true, {0, NULL}},
	{NAME("metadata"), true, {ES_ARRAY_LEN(never_in_metadata), never_in_metadata}},
};

const struct es_field_set *es_managed_fields_never(void)
{
	static const struct es_field_set never = {ES_ARRAY_LEN(never_at_root), never_at_root};

	return &never;
}

/* ---- managers --------------------------------------------------------------------------- */

int es_manager_check(struct es_slice name, bool applies, char *errmsg, size_t errmsg_size)
{
	const char *wrong = NULL;

	if (applies && name.len == 0)
		wrong = "is required for apply";
	else if (name.len > NAME_BYTES_MAX)
		wrong = "is longer than 128 bytes";
	else if (!es_resource_is_utf8(name))
		wrong = "is not UTF-8";
	for (size_t i = 0; wrong == NULL && i < name.len; i++)
		if (name.data[i] < 0x20 || name.data[i] == 0x7f)
			wrong = "has a control character";
	if (wrong == NULL)
		return 0;
	es_resource_say(errmsg, errmsg_size, "the field manager %s", wrong);
	return ES_EINVAL;
}

/* By what tells one from another: 0 when it is the same. */
static int compare(const struct es_manager *a, const struct es_manager *b)
{
	int order = (int)a->applies - (int)b->applies;

	if (order == 0)
		order = es_slice_cmp(a->name, b->name);
	if (order == 0)
		order = es_slice_cmp(a->subresource, b->subresource);
	if (order == 0 && !a->applies)
		order = es_slice_cmp(a->api_version, b->api_version);
	return order;
}

struct es_manager *es_managers_find(const struct es_managers *managers,
				    const struct es_manager *like)
{
	for (size_t i = 0; i < managers->count; i++)
		if (compare(&managers->list[i], like) == 0)
			return &managers->list[i];
	return NULL;
}

struct es_manager *es_managers_add(struct es_managers *managers, const struct es_manager *manager)
{
	ES_ASSERT(managers->count < managers->room);
	managers->list[managers->count] = *manager;
	return &managers->list[managers->count++];
}

void es_managers_drop_idle(struct es_managers *managers)
{
	size_t kept = 0;

	for (size_t i = 0; i < managers->count; i++)
		if (!es_field_set_is_empty(&managers->list[i].fields))
			managers->list[kept++] = managers->list[i];
	managers->count = kept;
}

int es_manager_print(struct es_buf *buf, const struct es_manager *manager)
{
	int rc = es_json_write_string(buf, manager->name);

	if (rc == 0 && manager->subresource.len > 0) {
		rc = es_buf_append_str(buf, " with subresource ");
		if (rc == 0)
			rc = es_json_write_string(buf, manager->subresource);
	}
	if (rc == 0 && !manager->applies) {
		rc = es_buf_append_str(buf, " using ");
		if (rc == 0)
			rc = es_buf_append_slice(buf, manager->api_version);
	}
	return rc;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* NULL, or what is wrong with an entry besides its fields. */
static const char *read_entry(const struct es_json *entry, uint32_t number,
			      struct es_manager *ret_manager)
{
	static const char *const texts[] = {"apiVersion", "fieldsType",  "manager",
					    "operation",  "subresource", "time"};
	struct es_slice operation = es_json_as_string(es_json_get(entry, "operation"));

	if (entry->type != ES_JSON_OBJECT)
		return "not an object";
	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++) {
		const struct es_json *text = es_json_get(entry, texts[i]);

		if (text != NULL && text->type != ES_JSON_STRING && text->type != ES_JSON_NULL)
			return "a member that has to be a string is none";
	}
	*ret_manager = (struct es_manager){
		.name = es_json_as_string(es_json_get(entry, "manager")),
		.api_version = es_json_as_string(es_json_get(entry, "apiVersion")),
		.subresource = es_json_as_string(es_json_get(entry, "subresource")),
		.time = es_json_as_string(es_json_get(entry, "time")),
		.applies = es_slice_eq(operation, ES_SLICE("Apply")),
		.number = number,
	};
	if (!ret_manager->applies && !es_slice_eq(operation, ES_SLICE("Update")))
		return "operation must be `Apply` or `Update`";
	if (ret_manager->api_version.len == 0)
		return "apiVersion must not be empty";
	if (!es_slice_eq(es_json_as_string(es_json_get(entry, "fieldsType")), ES_SLICE("FieldsV1")))
		return "fieldsType must be FieldsV1";
	return NULL;
}

static int read_manager(const struct es_json *entry, uint32_t number, struct es_arena *arena,
			struct es_manager *ret_manager, char *errmsg, size_t errmsg_size)
{
	const struct es_json *fields = es_json_get(entry, "fieldsV1");
	const char *wrong = read_entry(entry, number, ret_manager);
	char what[160];
	int rc;

	if (wrong != NULL) {
		es_resource_say(errmsg, errmsg_size, "metadata.managedFields[%u]: %s", number,
				wrong);
		return ES_EINVAL;
	}
	if (fields == NULL || fields->type == ES_JSON_NULL)
		return 0;
	rc = es_field_set_read(fields, arena, &ret_manager->fields, what, sizeof(what));
	if (rc == ES_EINVAL)
		es_resource_say(errmsg, errmsg_size, "metadata.managedFields[%u].fieldsV1: %s",
				number, what);
	if (rc == 0)
		rc = es_field_set_difference(arena, &ret_manager->fields, es_managed_fields_never(),
					     &ret_manager->fields);
	return rc;
}

static bool is_reset(const struct es_json *list)
{
	return list->count == 1 && list->u.items[0].type == ES_JSON_OBJECT &&
	       list->u.items[0].count == 0;
}

static int by_identity(const void *a, const void *b)
{
	const struct es_manager *x = a, *y = b;
	int order = compare(x, y);

	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

/* Of the same manager the last entry stays. */
static void drop_repeated(struct es_managers *managers)
{
	size_t kept = 0;

	if (managers->count > 1)
		qsort(managers->list, managers->count, sizeof(*managers->list), by_identity);
	for (size_t i = 0; i < managers->count; i++)
		if (i + 1 == managers->count ||
		    compare(&managers->list[i], &managers->list[i + 1]) != 0)
			managers->list[kept++] = managers->list[i];
	managers->count = kept;
}

static int too_many(size_t max, const char *what, char *errmsg, size_t errmsg_size)
{
	es_resource_say(errmsg, errmsg_size, "metadata.managedFields has more than %zu %s", max,
			what);
	return ES_EINVAL;
}

int es_managers_read(const struct es_json *list, size_t more, struct es_arena *arena,
		     struct es_managers *ret_managers, char *errmsg, size_t errmsg_size)
{
	const struct es_json nobody = {.type = ES_JSON_ARRAY};
	struct es_managers managers = {0};
	size_t fields = 0;

	if (list == NULL || list->type == ES_JSON_NULL)
		list = &nobody;
	if (list->type != ES_JSON_ARRAY) {
		es_resource_say(errmsg, errmsg_size, "metadata.managedFields is %s, not an array",
				es_json_type_name(list->type));
		return ES_EINVAL;
	}
	if (list->count > ES_MANAGERS_MAX)
		return too_many(ES_MANAGERS_MAX, "entries", errmsg, errmsg_size);
	managers.room = list->count + more;
	managers.list = es_arena_alloc(arena, managers.room * sizeof(*managers.list));
	if (managers.list == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < list->count && !is_reset(list); i++) {
		struct es_manager *manager = &managers.list[managers.count++];
		int rc = read_manager(&list->u.items[i], i, arena, manager, errmsg, errmsg_size);

		if (rc < 0)
			return rc;
		fields += es_field_set_size(&manager->fields);
		if (fields > ES_MANAGED_FIELDS_MAX)
			return too_many(ES_MANAGED_FIELDS_MAX, "fields", errmsg, errmsg_size);
	}
	drop_repeated(&managers);
	*ret_managers = managers;
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Times are RFC 3339 in UTC and whole seconds, whose order is that of their bytes; nobody's comes first. */
static int by_order(const void *a, const void *b)
{
	const struct es_manager *x = a, *y = b;
	int order = (int)y->applies - (int)x->applies;

	if (order == 0)
		order = es_slice_cmp(x->time, y->time);
	if (order == 0)
		order = es_slice_cmp(x->name, y->name);
	if (order == 0)
		order = es_slice_cmp(x->api_version, y->api_version);
	return order != 0 ? order : es_slice_cmp(x->subresource, y->subresource);
}

static void add_text(struct es_json_member *members, size_t *count, const char *name,
		     struct es_slice text)
{
	if (text.len > 0)
		members[(*count)++] = (struct es_json_member){es_slice_str(name),
							      es_json_string(text)};
}

static int write_manager(const struct es_manager *manager, unsigned depth_max,
			 struct es_arena *arena, struct es_json *ret_entry)
{
	struct es_json_member *members = es_arena_alloc(arena, 7 * sizeof(*members));
	size_t count = 1;
	int rc;

	if (members == NULL)
		return ES_ENOMEM;
	members[0].name = ES_SLICE("fieldsV1");
	rc = es_field_set_write(&manager->fields, depth_max, arena, &members[0].value);
	add_text(members, &count, "apiVersion", manager->api_version);
	add_text(members, &count, "fieldsType", ES_SLICE("FieldsV1"));
	add_text(members, &count, "manager", manager->name);
	add_text(members, &count, "operation",
		 manager->applies ? ES_SLICE("Apply") : ES_SLICE("Update"));
	add_text(members, &count, "subresource", manager->subresource);
	add_text(members, &count, "time", manager->time);
	*ret_entry = es_json_object_of(members, count);
	return rc;
}

int es_managers_write(struct es_managers *managers, unsigned depth_max, struct es_arena *arena,
		      struct es_json *ret_list)
{
	struct es_json *items;

	items = es_arena_alloc(arena, managers->count * sizeof(*items));
	if (items == NULL)
		return ES_ENOMEM;
	if (depth_max < 2)
		return ES_EINVAL;
	if (managers->count > 1)
		qsort(managers->list, managers->count, sizeof(*managers->list), by_order);
	for (size_t i = 0; i < managers->count; i++) {
		int rc = write_manager(&managers->list[i], depth_max - 2, arena, &items[i]);

		if (rc < 0)
			return rc;
	}
	*ret_list = (struct es_json){ES_JSON_ARRAY, (uint32_t)managers->count, {.items = items}};
	return 0;
}
