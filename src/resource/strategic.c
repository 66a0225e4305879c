/*
 * Strategic merge patch: a merge patch that knows which lists merge, and by which key.
 *
 * The rules are those of Kubernetes' apimachinery (pkg/util/strategicpatch), which changes both
 * objects as it goes and walks maps in no order. Here nothing that exists is changed, and the steps
 * are made in one order, which is one of those that Kubernetes may take:
 *
 *  1. $patch in an object decides over it alone.
 *  2. $retainKeys drops what it does not name.
 *  3. Each $setElementOrder/x merges the list x and orders it; x is done with that.
 *  4. What is left is merged in the order of the names: $deleteFromPrimitiveList/x before x.
 *
 * What is different on purpose:
 *  - Fields that the schema does not know are maps that merge and lists that are replaced; Kubernetes
 *    refuses the patch.
 *  - Directives never stay in the result. Kubernetes leaves some in what it takes over whole, and loses
 *    them when it makes an object of its types of the result.
 *  - A list of scalars with the same one twice loses the later one; Kubernetes moves the last of the
 *    list to its place when the patch has an empty list.
 *
 * A merge changes some of an object's members, so it is made in slots: all names of both objects, sorted,
 * each with its value as it is by now, or none.
 *
 * A patch comes from outside and is applied by every member one after the other. A list of the object is gone through
 * once for each item of the patch that has its key, so how much is gone through is bounded.
 */
#include "resource/element_order.h"
#include "resource/patch.h"
#include "resource/schema.h"
#include "resource/util.h"

#define MARKER       "$patch"
#define RETAIN_KEYS  "$retainKeys"
#define SET_ORDER    "$setElementOrder"
#define DELETE_ITEMS "$deleteFromPrimitiveList"

#define WORK_MAX 1000000 /* members and items gone through, in a patch */

struct patcher {
	struct es_arena *arena;
	char *errmsg;
	size_t errmsg_size;
	uint32_t *work_left;
	bool keeps_directives; /* who called drops them */
};

/* Where we are, for errors. */
struct path {
	const struct path *up; /* NULL: the root */
	struct es_slice name;
	bool is_element;
};

struct slots {
	struct es_json_member *members; /* sorted */
	size_t count;
	bool *done; /* of the patch's members */
};

static int merge_map(const struct patcher *p, const struct path *path,
		     const struct es_json *original, const struct es_json *patch,
		     const struct es_schema *schema, struct es_json *ret_result);

/* ---- errors ----------------------------------------------------------------------------- */

/* Returns how long it is. */
static size_t print_path(char *text, size_t size, const struct path *path)
{
	size_t at;

	text[0] = '\0';
	if (path->up == NULL)
		return 0;
	at = print_path(text, size, path->up);
	es_resource_say(text + at, size - at, "%s%.*s%s",
			path->is_element ? "["
			: at > 0         ? "."
					 : "",
			es_resource_say_len(path->name), (const char *)path->name.data,
			path->is_element ? "]" : "");
	return at + strlen(text + at);
}

/* Always ES_EINVAL. */
static int refuse(const struct patcher *p, const struct path *path, const char *what)
{
	char where[256];
	size_t len = print_path(where, sizeof(where), path);

	es_resource_say(p->errmsg, p->errmsg_size, "%s%s%s", where, len > 0 ? ": " : "", what);
	return ES_EINVAL;
}

static int use(const struct patcher *p, const struct path *path, const struct es_json *original,
	       const struct es_json *patch)
{
	uint64_t work = (uint64_t)original->count + patch->count;

	if (work > *p->work_left)
		return refuse(p, path, "the patch merges too much");
	*p->work_left -= (uint32_t)work;
	return 0;
}

/* `rc` is that of a function of element_order.h. */
static int refuse_keys(const struct patcher *p, const struct path *path, const char *merge_key,
		       int rc)
{
	char what[128];

	if (rc != ES_EINVAL)
		return rc;
	if (merge_key == NULL)
		return refuse(p, path, "the list has no merge key, so its items must be scalars");
	es_resource_say(what, sizeof(what), "an item has no scalar as its merge key \"%s\"",
			merge_key);
	return refuse(p, path, what);
}

/* ---- small things ----------------------------------------------------------------------- */

static bool is_text(const struct es_json *value, const char *text)
{
	return es_json_is(value, ES_JSON_STRING) &&
	       es_slice_eq(value->u.string, es_slice_str(text));
}

static struct es_json list_of(const struct es_json *items, size_t count)
{
	return (struct es_json){
		.type = ES_JSON_ARRAY,
		.count = (uint32_t)count,
		.u.items = items,
	};
}

static bool has_prefix(struct es_slice name, const char *prefix)
{
	size_t len = strlen(prefix);

	return name.len >= len && memcmp(name.data, prefix, len) == 0;
}

/* "<directive>/<field>": the field; false when it is not of that form. */
static bool field_of(struct es_slice name, const char *directive, struct es_slice *ret_field)
{
	size_t len = strlen(directive);

	if (!has_prefix(name, directive) || name.len == len || name.data[len] != '/')
		return false;
	*ret_field = es_slice(name.data + len + 1, name.len - len - 1);
	return true;
}

/* Values of one type in the eyes of Kubernetes can be merged, and be in one list. */
static bool same_type(const struct es_json *a, const struct es_json *b)
{
	enum es_json_type x = a->type == ES_JSON_UINT ? ES_JSON_DOUBLE : a->type;
	enum es_json_type y = b->type == ES_JSON_UINT ? ES_JSON_DOUBLE : b->type;

	return x == y;
}

/* The type that all items of both lists have. */
static int item_type(const struct patcher *p, const struct path *path, const struct es_json *a,
		     const struct es_json *b, enum es_json_type *ret_type)
{
	const struct es_json *first = a->count > 0 ? a->u.items : b->u.items;

	if (a->count + b->count == 0)
		return refuse(p, path, "there are no items to put in order");
	if (first->type == ES_JSON_ARRAY)
		return refuse(p, path, "lists of lists are not supported");
	if (first->type == ES_JSON_NULL)
		return refuse(p, path, "an item is null");
	for (uint32_t i = 0; i < a->count + b->count; i++)
		if (!same_type(first, i < a->count ? &a->u.items[i] : &b->u.items[i - a->count]))
			return refuse(p, path, "the items are not all of one type");
	*ret_type = first->type;
	return 0;
}

/* What the schema says of a member; of a map with free names that is what it says of its values. */
static const struct es_schema *schema_of(const struct es_schema *schema, struct es_slice name)
{
	const struct es_schema *field = es_schema_field(schema, name);

	return field != NULL ? field : es_schema_items(schema);
}

/* ---- values that are taken over whole --------------------------------------------------- */

enum {
	DROP_NULLS = 1 << 0,  /* members that are null */
	DROP_MARKED = 1 << 1, /* objects with $patch, not only the $patch */
};

static bool is_directive(struct es_slice name)
{
	struct es_slice field;

	return name.len > 0 && name.data[0] == '$' &&
	       (es_slice_eq(name, ES_SLICE(MARKER)) || es_slice_eq(name, ES_SLICE(RETAIN_KEYS)) ||
		field_of(name, SET_ORDER, &field) || field_of(name, DELETE_ITEMS, &field));
}

/* With DROP_NULLS a $patch that is null is dropped first. */
static bool is_marked(const struct es_json *value, unsigned what)
{
	const struct es_json *marker = es_json_get(value, MARKER);

	return marker != NULL && ((what & DROP_NULLS) == 0 || marker->type != ES_JSON_NULL);
}

static bool is_dropped(const struct es_json_member *member, unsigned what)
{
	return is_directive(member->name) ||
	       ((what & DROP_NULLS) != 0 && member->value.type == ES_JSON_NULL) ||
	       ((what & DROP_MARKED) != 0 && is_marked(&member->value, what));
}

static bool is_clean(const struct es_json *value, unsigned what)
{
	if (value->type == ES_JSON_ARRAY) {
		for (uint32_t i = 0; i < value->count; i++)
			if (((what & DROP_MARKED) != 0 && is_marked(&value->u.items[i], what)) ||
			    !is_clean(&value->u.items[i], what))
				return false;
	} else if (value->type == ES_JSON_OBJECT) {
		for (uint32_t i = 0; i < value->count; i++)
			if (is_dropped(&value->u.members[i], what) ||
			    !is_clean(&value->u.members[i].value, what))
				return false;
	}
	return true;
}

static int copy_clean(const struct patcher *p, const struct es_json *value, unsigned what,
		      struct es_json *ret_value);

static int copy_clean_list(const struct patcher *p, const struct es_json *list, unsigned what,
			   struct es_json *ret_value)
{
	struct es_json *items = es_arena_calloc(p->arena, list->count, sizeof(*items));
	uint32_t count = 0;
	int rc = items == NULL ? ES_ENOMEM : 0;

	for (uint32_t i = 0; rc == 0 && i < list->count; i++)
		if ((what & DROP_MARKED) == 0 || !is_marked(&list->u.items[i], what))
			rc = copy_clean(p, &list->u.items[i], what, &items[count++]);
	*ret_value = list_of(items, count);
	return rc;
}

static int copy_clean(const struct patcher *p, const struct es_json *value, unsigned what,
		      struct es_json *ret_value)
{
	struct es_json_member *members;
	uint32_t count = 0;
	int rc = 0;

	if (value->type == ES_JSON_ARRAY)
		return copy_clean_list(p, value, what, ret_value);
	*ret_value = *value;
	if (value->type != ES_JSON_OBJECT)
		return 0;
	members = es_arena_calloc(p->arena, value->count, sizeof(*members));
	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < value->count; i++) {
		const struct es_json_member *member = &value->u.members[i];

		if (is_dropped(member, what))
			continue;
		members[count].name = member->name;
		rc = copy_clean(p, &member->value, what, &members[count++].value);
	}
	ret_value->count = count;
	ret_value->u.members = members;
	return rc;
}

/* The value without what is dropped; itself when there is nothing to drop. */
static int clean(const struct patcher *p, const struct es_json *value, unsigned what,
		 struct es_json *ret_value)
{
	if ((what != 0 || !p->keeps_directives) && !is_clean(value, what))
		return copy_clean(p, value, what, ret_value);
	*ret_value = *value;
	return 0;
}

/* ---- lists ------------------------------------------------------------------------------ */

static int delete_items(const struct patcher *p, const struct path *path,
			const struct es_json *original, const struct es_json *patch,
			struct es_json *ret_list)
{
	struct es_json *items = es_arena_calloc(p->arena, original->count, sizeof(*items));
	struct es_element_index deleted;
	uint32_t count = 0;
	int rc;

	if (items == NULL)
		return ES_ENOMEM;
	rc = es_element_index(patch, NULL, p->arena, &deleted);
	if (rc < 0)
		return refuse_keys(p, path, NULL, rc);
	for (uint32_t i = 0; i < original->count; i++)
		if (es_element_find(&deleted, &original->u.items[i]) < 0)
			items[count++] = original->u.items[i];
	*ret_list = list_of(items, count);
	return 0;
}

/* All of both, each once. */
static int merge_scalars(const struct patcher *p, const struct path *path,
			 const struct es_json *original, const struct es_json *patch,
			 struct es_json *ret_list)
{
	size_t total = (size_t)original->count + patch->count, count = 0;
	struct es_json *items = es_arena_calloc(p->arena, total, sizeof(*items));
	struct es_json both = list_of(items, total), merged;
	struct es_element_index index;
	int rc;

	if (items == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < total; i++)
		items[i] = i < original->count ? original->u.items[i]
					       : patch->u.items[i - original->count];
	rc = es_element_index(&both, NULL, p->arena, &index);
	if (rc < 0)
		return refuse_keys(p, path, NULL, rc);
	for (size_t i = 0; i < total; i++)
		if (es_element_find(&index, &items[i]) == (int64_t)i)
			items[count++] = items[i];
	merged = list_of(items, count);
	rc = es_element_order(&merged, patch, original, NULL, p->arena, ret_list);
	return refuse_keys(p, path, NULL, rc);
}

/* A patch of a list of objects, taken apart. */
struct list_patch {
	struct es_json plain;   /* items without $patch */
	struct es_json deleted; /* items with $patch: delete */
	bool replaces;
};

static int take_apart(const struct patcher *p, const struct path *path, const struct es_json *patch,
		      struct list_patch *ret)
{
	struct es_json *plain = es_arena_calloc(p->arena, patch->count, sizeof(*plain));
	struct es_json *deleted = es_arena_calloc(p->arena, patch->count, sizeof(*deleted));
	uint32_t plain_count = 0, deleted_count = 0;

	if (plain == NULL || deleted == NULL)
		return ES_ENOMEM;
	ret->replaces = false;
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct es_json *item = &patch->u.items[i];
		const struct es_json *marker = es_json_get(item, MARKER);

		if (marker == NULL)
			plain[plain_count++] = *item;
		else if (es_element_is_deleted(item))
			deleted[deleted_count++] = *item;
		else if (is_text(marker, "replace"))
			ret->replaces = true;
		else
			return refuse(p, path, "$patch of an item is neither delete nor replace");
	}
	ret->plain = list_of(plain, plain_count);
	ret->deleted = list_of(deleted, deleted_count);
	return 0;
}

/*
 * What is left of the original, *ret_kept items, and behind it what the patch adds. An item that the patch has twice is
 * added, and then merged with; its directives are dropped after that, as they have a say in the order of its lists.
 */
static int merge_items(const struct patcher *p, const struct path *path,
		       const struct es_json *original, const struct es_json *patch,
		       const struct es_element_index *deleted, const struct es_schema *schema,
		       struct es_json *ret_list, uint32_t *ret_kept)
{
	const char *key = es_schema_patch_merge_key(schema);
	size_t total = (size_t)original->count + patch->count;
	struct es_json *items = es_arena_calloc(p->arena, total, sizeof(*items));
	int64_t *place = es_arena_calloc(p->arena, patch->count, sizeof(*place));
	struct patcher within = *p;
	struct es_element_index of_patch, of_kept;
	uint32_t count = 0;
	struct es_json kept;
	int rc;

	if (items == NULL || place == NULL)
		return ES_ENOMEM;
	rc = es_element_index(patch, key, p->arena, &of_patch);
	for (uint32_t i = 0; rc == 0 && i < original->count; i++) {
		const struct es_json *element_key = es_element_key(&original->u.items[i], key);

		if (element_key == NULL)
			rc = ES_EINVAL;
		else if (es_element_find(deleted, element_key) < 0)
			items[count++] = original->u.items[i];
	}
	*ret_kept = count;
	kept = list_of(items, count);
	if (rc == 0)
		rc = es_element_index(&kept, key, p->arena, &of_kept);
	if (rc < 0)
		return refuse_keys(p, path, key, rc);

	for (uint32_t i = 0; i < patch->count; i++) {
		const struct es_json *item = &patch->u.items[i];
		const struct es_json *item_key = es_element_key(item, key);
		const struct path here = {path, es_json_as_string(item_key), true};
		int64_t first = es_element_find(&of_patch, item_key);
		int64_t at = es_element_find(&of_kept, item_key);

		if (at < 0 && first < i)
			at = place[first]; /* the patch has it twice */
		if (at < 0) {
			place[i] = count;
			items[count++] = *item;
			continue;
		}
		within.keeps_directives = p->keeps_directives || at >= *ret_kept;
		rc = merge_map(&within, &here, &items[at], item, es_schema_items(schema),
			       &items[at]);
		if (rc < 0)
			return rc;
	}
	for (uint32_t i = *ret_kept; rc == 0 && i < count; i++)
		rc = clean(p, &items[i], 0, &items[i]);
	*ret_list = list_of(items, count);
	return rc;
}

/*
 * *ret_live is the order of the list by which $setElementOrder places what it does not name: the original's, but that
 * the room which deleted items leave is taken by added ones. (Kubernetes deletes in place, and then appends.)
 */
static int merge_objects(const struct patcher *p, const struct path *path,
			 const struct es_json *original, const struct es_json *patch,
			 const struct es_schema *schema, struct es_json *ret_list,
			 struct es_json *ret_live)
{
	const struct es_json none = list_of(NULL, 0);
	const char *key = es_schema_patch_merge_key(schema);
	struct es_element_index deleted;
	struct list_patch parts;
	struct es_json merged, kept;
	uint32_t kept_count = 0;
	int rc;

	if (key == NULL)
		return refuse(p, path, "lists of objects without a merge key cannot be merged");
	rc = take_apart(p, path, patch, &parts);
	if (rc < 0)
		return rc;
	rc = es_element_index(&parts.deleted, key, p->arena, &deleted);
	if (rc == 0 && parts.replaces) {
		rc = clean(p, &parts.plain, 0, &merged);
		if (rc == 0)
			rc = es_element_order(&merged, &none, &merged, key, p->arena, ret_list);
	}
	if (rc < 0 || parts.replaces)
		return refuse_keys(p, path, key, rc);
	rc = merge_items(p, path, original, &parts.plain, &deleted, schema, &merged, &kept_count);
	if (rc < 0)
		return rc;
	*ret_live = list_of(merged.u.items,
			    merged.count < original->count ? merged.count : original->count);
	kept = list_of(merged.u.items, kept_count);
	rc = es_element_order(&merged, &parts.plain, &kept, key, p->arena, ret_list);
	return refuse_keys(p, path, key, rc);
}

/* `schema` is the list's own. *ret_live: see merge_objects. */
static int merge_list(const struct patcher *p, const struct path *path,
		      const struct es_json *original, const struct es_json *patch,
		      const struct es_schema *schema, bool is_delete_list, struct es_json *ret_list,
		      struct es_json *ret_live)
{
	enum es_json_type type;
	int rc = use(p, path, original, patch);

	*ret_live = *original;
	if (rc < 0)
		return rc;
	if (!es_schema_patch_merges(schema) && !is_delete_list)
		return clean(p, patch, 0, ret_list);
	*ret_list = *original;
	if (original->count == 0 && patch->count == 0)
		return 0;
	rc = item_type(p, path, original, patch, &type);
	if (rc < 0)
		return rc;
	if (type == ES_JSON_OBJECT)
		return merge_objects(p, path, original, patch, schema, ret_list, ret_live);
	if (is_delete_list)
		return delete_items(p, path, original, patch, ret_list);
	if (es_schema_patch_merge_key(schema) != NULL)
		return refuse_keys(p, path, es_schema_patch_merge_key(schema), ES_EINVAL);
	return merge_scalars(p, path, original, patch, ret_list);
}

/* ---- slots ------------------------------------------------------------------------------ */

/* Stands for "no such member": told by its address. */
static const struct es_json_member absent_mark;

static struct es_json absent(void)
{
	return (struct es_json){.type = ES_JSON_OBJECT, .u.members = &absent_mark};
}

static bool is_absent(const struct es_json *value)
{
	return value->type == ES_JSON_OBJECT && value->u.members == &absent_mark;
}

/* The field that a member of a patch is about. */
static struct es_slice subject(struct es_slice name)
{
	struct es_slice field;

	if (field_of(name, SET_ORDER, &field))
		return field;
	if (field_of(name, DELETE_ITEMS, &field) && field.len > 0)
		return field;
	return name;
}

static int slots_init(const struct patcher *p, const struct es_json *original,
		      const struct es_json *patch, struct slots *ret)
{
	size_t total = (size_t)original->count + patch->count;

	ret->members = es_arena_calloc(p->arena, total, sizeof(*ret->members));
	ret->done = es_arena_calloc(p->arena, patch->count, sizeof(*ret->done));
	if (ret->members == NULL || ret->done == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < patch->count; i++)
		ret->members[i] = (struct es_json_member){
			subject(patch->u.members[i].name),
			absent(),
		};
	if (original->count > 0) /* the last of a name stays */
		memcpy(ret->members + patch->count, original->u.members,
		       original->count * sizeof(*ret->members));
	ret->count = es_json_object_of(ret->members, total).count;
	return 0;
}

/* The value by now of the field that a member of the patch is about. */
static struct es_json *slot(struct slots *slots, struct es_slice field)
{
	size_t low = 0, high = slots->count - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (es_slice_cmp(slots->members[middle].name, field) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return &slots->members[low].value;
}

static struct es_json slots_object(const struct slots *slots)
{
	uint32_t count = 0;

	for (size_t i = 0; i < slots->count; i++)
		if (!is_absent(&slots->members[i].value))
			slots->members[count++] = slots->members[i];
	return (struct es_json){
		.type = ES_JSON_OBJECT,
		.count = count,
		.u.members = slots->members,
	};
}

/* ---- objects ---------------------------------------------------------------------------- */

/* What the patch sets must be among the names, and what is not among them goes. */
static int retain_keys(const struct patcher *p, const struct path *path,
		       const struct es_json *original, const struct es_json *patch,
		       const struct es_json *names, struct es_json *ret_original)
{
	struct es_json_member *members;
	struct es_element_index index;
	uint32_t count = 0;
	char what[160];
	int rc;

	if (names->type != ES_JSON_ARRAY)
		return refuse(p, path, "$retainKeys is not a list");
	rc = es_element_index(names, NULL, p->arena, &index);
	if (rc == ES_EINVAL)
		return refuse(p, path, "$retainKeys is not a list of names");
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < patch->count; i++) {
		const struct es_json_member *member = &patch->u.members[i];
		const struct es_json name = es_json_string(member->name);

		if (member->value.type == ES_JSON_NULL || has_prefix(member->name, SET_ORDER) ||
		    has_prefix(member->name, DELETE_ITEMS) || is_text(&name, RETAIN_KEYS))
			continue;
		if (es_element_find(&index, &name) >= 0)
			continue;
		es_resource_say(what, sizeof(what),
				"the patch sets %.*s, which $retainKeys leaves out",
				es_resource_say_len(member->name), (const char *)member->name.data);
		return refuse(p, path, what);
	}
	members = es_arena_calloc(p->arena, original->count, sizeof(*members));
	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < original->count; i++) {
		const struct es_json name = es_json_string(original->u.members[i].name);

		if (es_element_find(&index, &name) >= 0)
			members[count++] = original->u.members[i];
	}
	*ret_original = *original;
	ret_original->count = count;
	ret_original->u.members = members;
	return 0;
}

/* The patch's items, but for those to be deleted, are in $setElementOrder, one behind the other. */
static int check_order(const struct patcher *p, const struct path *path,
		       const struct es_json *patch, const struct es_json *order,
		       const char *merge_key)
{
	uint32_t at = 0, in_order = 0;

	if (patch->count == 0 || order->count == 0)
		return 0;
	for (; at < patch->count; at++) {
		const struct es_json *item = &patch->u.items[at];
		const struct es_json *key = es_element_key(item, merge_key);
		bool found = false;

		if (merge_key != NULL && item->type != ES_JSON_OBJECT)
			return refuse_keys(p, path, merge_key, ES_EINVAL);
		if (es_element_is_deleted(item))
			continue;
		if (is_marked(item, 0) && in_order < order->count)
			continue;
		for (; !found && in_order < order->count; in_order++) {
			const struct es_json *other = es_element_key(&order->u.items[in_order],
								     merge_key);

			if (key == NULL || other == NULL)
				return refuse_keys(p, path, merge_key, ES_EINVAL);
			found = es_json_eq(key, other);
		}
		if (!found)
			return refuse(p, path,
				      "the order of its items is not that of $setElementOrder");
	}
	return 0;
}

/* Of the member whose value that is. */
static size_t place_of(const struct es_json *object, const struct es_json *value)
{
	const uint8_t *first = (const uint8_t *)&object->u.members[0].value;

	return (size_t)((const uint8_t *)value - first) / sizeof(struct es_json_member);
}

/* $setElementOrder/<field>. The patch's own member of the field is done with it. */
static int set_order(const struct patcher *p, const struct path *path, struct slots *slots,
		     const struct es_json *patch, const struct es_json *order,
		     const struct es_schema *schema)
{
	struct es_json *value = slot(slots, path->name);
	const struct es_schema *field = schema_of(schema, path->name);
	const struct es_json *change = es_json_get_slice(patch, path->name);
	const struct es_json none = list_of(NULL, 0);
	const char *key = es_schema_patch_merge_key(field);
	struct es_json live = is_absent(value) ? none : *value, merged = live;
	enum es_json_type type;
	int rc;

	if (order->type != ES_JSON_ARRAY)
		return refuse(p, path, "its $setElementOrder is not a list");
	if (live.type != ES_JSON_ARRAY)
		return refuse(p, path, "it has a $setElementOrder and is not a list");
	if (change != NULL && change->type != ES_JSON_ARRAY)
		return refuse(p, path, "it has a $setElementOrder and the patch has no list");
	rc = check_order(p, path, change == NULL ? &none : change, order, key);
	if (rc == 0)
		rc = use(p, path, &live, order);
	if (rc < 0 || (change == NULL && is_absent(value)))
		return rc;
	rc = item_type(p, path, &live, change == NULL ? &none : change, &type);
	if (rc == 0 && change != NULL && is_absent(value))
		rc = clean(p, change, DROP_MARKED, &merged);
	else if (rc == 0 && change != NULL)
		rc = merge_list(p, path, value, change, field, false, &merged, &live);
	if (rc < 0)
		return rc;
	rc = es_element_order(&merged, order, &live, key, p->arena, value);
	if (change != NULL)
		slots->done[place_of(patch, change)] = true;
	return refuse_keys(p, path, key, rc);
}

static int set_orders(const struct patcher *p, const struct path *path, struct slots *slots,
		      const struct es_json *patch, const struct es_schema *schema)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < patch->count; i++) {
		const struct es_json_member *member = &patch->u.members[i];
		struct path here = {path, member->name, false};

		if (!has_prefix(member->name, SET_ORDER))
			continue;
		if (!field_of(member->name, SET_ORDER, &here.name))
			return refuse(p, &here, "not of the form $setElementOrder/<field>");
		rc = set_order(p, &here, slots, patch, &member->value, schema);
		slots->done[i] = true;
	}
	return rc;
}

/* One member of the patch into its slot. */
static int merge_member(const struct patcher *p, const struct path *path, struct es_json *value,
			const struct es_json *patch, const struct es_schema *schema,
			bool is_delete_list)
{
	struct es_json live;

	if (patch->type == ES_JSON_NULL) {
		*value = absent();
		return 0;
	}
	if (is_absent(value) || !same_type(value, patch)) {
		if (is_delete_list)
			return 0;
		if (!is_marked(patch, DROP_NULLS))
			return clean(p, patch, DROP_NULLS | DROP_MARKED, value);
		*value = absent();
		return 0;
	}
	if (patch->type == ES_JSON_ARRAY)
		return merge_list(p, path, value, patch, schema, is_delete_list, value, &live);
	if (patch->type == ES_JSON_OBJECT && !es_schema_patch_replaces(schema))
		return merge_map(p, path, value, patch, schema, value);
	return clean(p, patch, 0, value);
}

static int merge_members(const struct patcher *p, const struct path *path, struct slots *slots,
			 const struct es_json *patch, const struct es_schema *schema)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < patch->count; i++) {
		const struct es_json_member *member = &patch->u.members[i];
		bool is_delete_list = has_prefix(member->name, DELETE_ITEMS);
		struct path here = {path, member->name, false};
		struct es_slice field;

		if (slots->done[i] || es_slice_eq(member->name, ES_SLICE(RETAIN_KEYS)))
			continue;
		if (is_delete_list && !field_of(member->name, DELETE_ITEMS, &field))
			return refuse(p, &here, "not of the form $deleteFromPrimitiveList/<field>");
		here.name = subject(member->name);
		rc = merge_member(p, &here, slot(slots, here.name), &member->value,
				  schema_of(schema, here.name), is_delete_list);
	}
	return rc;
}

static int merge_map(const struct patcher *p, const struct path *path,
		     const struct es_json *original, const struct es_json *patch,
		     const struct es_schema *schema, struct es_json *ret_result)
{
	const struct es_json *marker = es_json_get(patch, MARKER);
	const struct es_json *names = es_json_get(patch, RETAIN_KEYS);
	struct es_json from = *original;
	struct slots slots = {NULL, 0, NULL};
	int rc = use(p, path, original, patch);

	if (rc < 0)
		return rc;
	if (marker != NULL) {
		if (is_text(marker, "replace"))
			return clean(p, patch, 0, ret_result);
		if (!is_text(marker, "delete"))
			return refuse(p, path, "$patch is neither replace nor delete");
		*ret_result = es_json_object();
		return 0;
	}
	if (names != NULL)
		rc = retain_keys(p, path, original, patch, names, &from);
	if (rc == 0 && patch->count > 0)
		rc = slots_init(p, &from, patch, &slots);
	if (rc < 0)
		return rc;
	*ret_result = from;
	if (patch->count == 0)
		return 0;
	rc = set_orders(p, path, &slots, patch, schema);
	if (rc == 0)
		rc = merge_members(p, path, &slots, patch, schema);
	*ret_result = slots_object(&slots);
	return rc;
}

int es_patch_strategic(const struct es_json *target, const struct es_json *patch,
		       const struct es_schema *schema, struct es_arena *arena,
		       struct es_json *ret_result, char *errmsg, size_t errmsg_size)
{
	uint32_t work_left = WORK_MAX;
	const struct patcher p = {arena, errmsg, errmsg_size, &work_left, false};
	const struct path root = {NULL, es_slice(NULL, 0), false};

	if (patch->type != ES_JSON_OBJECT)
		return refuse(&p, &root, "the patch is not an object");
	if (target->type != ES_JSON_OBJECT)
		return refuse(&p, &root, "the resource is not an object");
	return merge_map(&p, &root, target, patch, schema, ret_result);
}
