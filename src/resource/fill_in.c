#include "resource/rules.h"
#include "resource/target.h"
#include "resource/util.h"

#define PART_BYTES_MAX 253 /* as Kubernetes bounds names */

static int check_part(const char *what, struct es_slice part, bool may_be_empty, char *errmsg,
		      size_t errmsg_size)
{
	const char *wrong = NULL;

	if (part.len == 0 && !may_be_empty)
		wrong = "is empty";
	else if (part.len > PART_BYTES_MAX)
		wrong = "is longer than 253 bytes";
	else if (!es_resource_is_utf8(part))
		wrong = "is not UTF-8";
	for (size_t i = 0; wrong == NULL && i < part.len; i++) {
		if (part.data[i] == '/')
			wrong = "has a '/'";
		else if (part.data[i] < 0x20 || part.data[i] == 0x7f)
			wrong = "has a control character";
	}
	if (wrong == NULL)
		return 0;
	es_resource_say(errmsg, errmsg_size, "the key's %s %s", what, wrong);
	return ES_EINVAL;
}

int es_resource_key_check(const struct es_resource_key *key, char *errmsg, size_t errmsg_size)
{
	int rc = check_part("group", key->group, true, errmsg, errmsg_size);

	if (rc == 0)
		rc = check_part("version", key->version, false, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_part("kind", key->kind, false, errmsg, errmsg_size);
	if (rc == 0 && key->has_ns)
		rc = check_part("namespace", key->ns, true, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_part("name", key->name, false, errmsg, errmsg_size);
	return rc;
}

/* ---- what an object says of its key ------------------------------------------------------ */

struct part {
	const char *within, *name; /* `within` NULL: the object itself */
	struct es_slice expected;
};
enum { API_VERSION, KIND, NAME, NAMESPACE, PARTS };

static int make_parts(const struct es_resource_key *key, struct es_arena *arena,
		      struct part parts[PARTS])
{
	struct es_arena_buf text;
	int rc;

	es_arena_buf_init(&text, arena);
	rc = es_buf_append_slice(&text.buf, key->group);
	if (rc == 0 && key->group.len > 0)
		rc = es_buf_append_u8(&text.buf, '/');
	if (rc == 0)
		rc = es_buf_append_slice(&text.buf, key->version);
	parts[API_VERSION] = (struct part){NULL, "apiVersion", es_buf_slice(&text.buf)};
	parts[KIND] = (struct part){NULL, "kind", key->kind};
	parts[NAME] = (struct part){"metadata", "name", key->name};
	parts[NAMESPACE] = (struct part){"metadata", "namespace",
					 key->has_ns ? key->ns : ES_SLICE("")};
	return rc;
}

static const struct es_json *find(const struct es_json *object, const struct part *part)
{
	return es_json_get(part->within == NULL ? object : es_json_get(object, part->within),
			   part->name);
}

/* It is left out, or says what it has to. */
static bool agrees(const struct es_json *object, const struct part *part)
{
	const struct es_json *value = find(object, part);

	return !es_resource_is_set(value) ||
	       (value->type == ES_JSON_STRING && es_slice_eq(value->u.string, part->expected));
}

static void say_contradiction(const struct es_json *object, const struct part *part, char *errmsg,
			      size_t errmsg_size)
{
	const struct es_json *value = find(object, part);
	struct es_slice is = es_json_as_string(value), expected = part->expected;
	char path[32];

	es_resource_say(path, sizeof(path), "%s%s%s", part->within == NULL ? "" : part->within,
			part->within == NULL ? "" : ".", part->name);
	if (value->type != ES_JSON_STRING)
		es_resource_say(errmsg, errmsg_size, "%s is of type %s", path,
				es_json_type_name(value->type));
	else if (expected.len == 0)
		es_resource_say(errmsg, errmsg_size, "%s is \"%.*s\", the key has none", path,
				es_resource_say_len(is), (const char *)is.data);
	else
		es_resource_say(errmsg, errmsg_size, "%s is \"%.*s\", the key says \"%.*s\"", path,
				es_resource_say_len(is), (const char *)is.data,
				es_resource_say_len(expected), (const char *)expected.data);
}

static int check_parts(const struct part parts[PARTS], const struct es_json *before,
		       const struct es_json *object, char *errmsg, size_t errmsg_size)
{
	for (int i = 0; i < PARTS; i++) {
		if (agrees(object, &parts[i]) || (before != NULL && !agrees(before, &parts[i])))
			continue;
		say_contradiction(object, &parts[i], errmsg, errmsg_size);
		return ES_EINVAL;
	}
	return 0;
}

int es_resource_agrees(const struct es_resource_key *key, const struct es_json *before,
		       const struct es_json *object, struct es_arena *arena, char *errmsg,
		       size_t errmsg_size)
{
	struct part parts[PARTS];
	int rc = make_parts(key, arena, parts);

	return rc < 0 ? rc : check_parts(parts, before, object, errmsg, errmsg_size);
}

/* ---- filling in ------------------------------------------------------------------------- */

/* The object, and its metadata: *ret_metadata is NULL when that is left out. */
static int check_shape(const struct es_json *object, const struct es_json **ret_metadata,
		       char *errmsg, size_t errmsg_size)
{
	const struct es_json *metadata = es_json_get(object, "metadata");

	*ret_metadata = es_json_is(metadata, ES_JSON_OBJECT) ? metadata : NULL;
	if (metadata == NULL || metadata->type == ES_JSON_OBJECT || metadata->type == ES_JSON_NULL)
		return 0;
	es_resource_say(errmsg, errmsg_size, "metadata is of type %s",
			es_json_type_name(metadata->type));
	return ES_EINVAL;
}

/* `object` (NULL: an empty one) with those of the members, in the order of names, that it leaves out. */
static int fill_in(struct es_arena *arena, const struct es_json *object,
		   const struct es_json_member *members, size_t count, struct es_json *ret_object)
{
	struct es_json_member left_out[3];
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (members[i].value.u.string.len > 0 &&
		    !es_resource_is_set(es_json_get_slice(object, members[i].name)))
			left_out[n++] = members[i];
	return es_resource_set_members(arena, object, left_out, n, ret_object);
}

int es_resource_fill_in(const struct es_resource_key *key, const struct es_json *value,
			struct es_slice now, struct es_arena *arena, struct es_json *ret_value,
			char *errmsg, size_t errmsg_size)
{
	struct es_json_member outer[2], inner[3], filled = {.name = ES_SLICE("metadata")};
	const struct es_json *metadata;
	struct part parts[PARTS];
	int rc;

	*ret_value = *value;
	if (es_resource_is_deeper(value, ES_RESOURCE_DEPTH_MAX)) {
		es_resource_say(errmsg, errmsg_size, "nested deeper than %d",
				ES_RESOURCE_DEPTH_MAX);
		return ES_EINVAL;
	}
	if (value->type != ES_JSON_OBJECT)
		return 0;
	rc = check_shape(value, &metadata, errmsg, errmsg_size);
	if (rc == 0)
		rc = make_parts(key, arena, parts);
	if (rc == 0)
		rc = check_parts(parts, NULL, value, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	for (int i = API_VERSION; i <= KIND; i++)
		outer[i] = (struct es_json_member){es_slice_str(parts[i].name),
						   es_json_string(parts[i].expected)};
	inner[0] = (struct es_json_member){ES_SLICE("creationTimestamp"), es_json_string(now)};
	for (int i = NAME; i <= NAMESPACE; i++)
		inner[i - NAME + 1] = (struct es_json_member){es_slice_str(parts[i].name),
							      es_json_string(parts[i].expected)};
	rc = fill_in(arena, metadata, inner, 3, &filled.value);
	if (rc == 0)
		rc = es_resource_set_members(arena, value, &filled, 1, ret_value);
	return rc < 0 ? rc : fill_in(arena, ret_value, outer, 2, ret_value);
}
