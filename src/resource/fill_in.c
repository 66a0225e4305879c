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

/* ---- filling in ------------------------------------------------------------------------- */

struct filling {
	struct es_json_member members[3]; /* what is left out, in the order of names */
	size_t count;
	char *errmsg;
	size_t errmsg_size;
};

/* A member (`path` is its name with what it is in) that is left out, or says what it has to. */
static int agree(struct filling *filling, const struct es_json *object, const char *path,
		 struct es_slice expected)
{
	const char *dot = strrchr(path, '.');
	struct es_slice name = es_slice_str(dot == NULL ? path : dot + 1);
	const struct es_json *value = es_json_get_slice(object, name);
	struct es_slice is = es_json_as_string(value);

	if (!es_resource_is_set(value)) {
		if (expected.len > 0)
			filling->members[filling->count++] = (struct es_json_member){
				name, es_json_string(expected)};
		return 0;
	}
	if (es_slice_eq(is, expected) && value->type == ES_JSON_STRING)
		return 0;
	if (value->type != ES_JSON_STRING)
		es_resource_say(filling->errmsg, filling->errmsg_size, "%s is of type %s", path,
				es_json_type_name(value->type));
	else if (expected.len == 0)
		es_resource_say(filling->errmsg, filling->errmsg_size,
				"%s is \"%.*s\", the key has none", path, es_resource_say_len(is),
				(const char *)is.data);
	else
		es_resource_say(filling->errmsg, filling->errmsg_size,
				"%s is \"%.*s\", the key says \"%.*s\"", path,
				es_resource_say_len(is), (const char *)is.data,
				es_resource_say_len(expected), (const char *)expected.data);
	return ES_EINVAL;
}

static int make_api_version(const struct es_resource_key *key, struct es_arena *arena,
			    struct es_slice *ret_text)
{
	struct es_arena_buf text;
	int rc;

	*ret_text = key->version;
	if (key->group.len == 0)
		return 0;
	es_arena_buf_init(&text, arena);
	rc = es_buf_append_slice(&text.buf, key->group);
	if (rc == 0)
		rc = es_buf_append_u8(&text.buf, '/');
	if (rc == 0)
		rc = es_buf_append_slice(&text.buf, key->version);
	*ret_text = es_buf_slice(&text.buf);
	return rc;
}

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

int es_resource_fill_in(const struct es_resource_key *key, const struct es_json *value,
			bool creating, struct es_slice now, struct es_arena *arena,
			struct es_json *ret_value, char *errmsg, size_t errmsg_size)
{
	struct filling outer = {.errmsg = errmsg, .errmsg_size = errmsg_size}, inner = outer;
	const struct es_json *metadata;
	struct es_json_member filled = {.name = ES_SLICE("metadata")};
	struct es_slice api_version;
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
		rc = make_api_version(key, arena, &api_version);
	if (rc == 0)
		rc = agree(&outer, value, "apiVersion", api_version);
	if (rc == 0)
		rc = agree(&outer, value, "kind", key->kind);
	if (rc == 0 && !es_resource_is_set(es_json_get(metadata, "creationTimestamp")))
		inner.members[inner.count++] = (struct es_json_member){
			ES_SLICE("creationTimestamp"), es_json_string(now)};
	if (rc == 0)
		rc = agree(&inner, metadata, "metadata.name", key->name);
	if (rc == 0)
		rc = agree(&inner, metadata, "metadata.namespace",
			   key->has_ns ? key->ns : ES_SLICE(""));
	if (rc < 0)
		return rc;
	if (!creating) { /* "metadata: null" would keep the rules from giving it a version */
		outer.count = inner.count = 0;
		if (metadata != NULL || es_json_get(value, "metadata") == NULL)
			return 0;
	}
	rc = es_resource_set_members(arena, metadata, inner.members, inner.count, &filled.value);
	outer.members[outer.count++] = filled;
	return rc < 0 ? rc
		      : es_resource_set_members(arena, value, outer.members, outer.count,
						ret_value);
}
