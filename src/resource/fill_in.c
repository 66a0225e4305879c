#include "resource/rules.h"
#include "resource/target.h"
#include "resource/util.h"

#define PART_BYTES_MAX 253 /* as Kubernetes bounds names */

static int check_part(const char *what, struct es_slice part, bool may_be_empty, char *errmsg,
		      size_t errmsg_size)
{
	if (part.len == 0 && !may_be_empty) {
		es_resource_say(errmsg, errmsg_size, "%s is empty", what);
		return ES_EINVAL;
	}
	if (part.len > PART_BYTES_MAX) {
		es_resource_say(errmsg, errmsg_size, "%s is longer than %d bytes", what,
				PART_BYTES_MAX);
		return ES_EINVAL;
	}
	if (!es_resource_is_utf8(part)) {
		es_resource_say(errmsg, errmsg_size, "%s is not UTF-8", what);
		return ES_EINVAL;
	}
	for (size_t i = 0; i < part.len; i++) {
		if (part.data[i] < 0x20 || part.data[i] == 0x7f || part.data[i] == '/') {
			es_resource_say(errmsg, errmsg_size,
					"%s has a '/' or a control character at byte %zu", what, i);
			return ES_EINVAL;
		}
	}
	return 0;
}

int es_resource_key_check(const struct es_resource_key *key, char *errmsg, size_t errmsg_size)
{
	int rc = check_part("group", key->group, true, errmsg, errmsg_size);

	if (rc == 0)
		rc = check_part("version", key->version, false, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_part("kind", key->kind, false, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_part("namespace", key->ns, true, errmsg, errmsg_size);
	if (rc == 0)
		rc = check_part("name", key->name, false, errmsg, errmsg_size);
	return rc;
}

/* A member that has to be `expected` when it is there, and is made so when it is not. `where` is what a person calls it. */
static int agree(struct es_arena *arena, struct es_json *object, const char *member,
		 const char *where, struct es_slice expected, char *errmsg, size_t errmsg_size)
{
	const struct es_json *found = es_json_get(object, member);
	struct es_json value = es_json_string(expected);

	if (found == NULL || found->type == ES_JSON_NULL ||
	    (found->type == ES_JSON_STRING && found->u.string.len == 0))
		return expected.len == 0
			       ? 0
			       : es_json_set(arena, object, es_slice_str(member), &value, object);
	if (found->type != ES_JSON_STRING) {
		es_resource_say(errmsg, errmsg_size, "%s is a %s, not a string", where,
				es_json_type_name(found->type));
		return ES_EINVAL;
	}
	if (es_slice_eq(found->u.string, expected))
		return 0;
	es_resource_say(errmsg, errmsg_size, "%s is \"%.*s\", the key says \"%.*s\"", where,
			es_resource_say_len(found->u.string), (const char *)found->u.string.data,
			es_resource_say_len(expected), (const char *)expected.data);
	return ES_EINVAL;
}

static int agree_metadata(const struct es_resource_key *key, bool creating, struct es_slice now,
			  struct es_arena *arena, struct es_json *metadata, char *errmsg,
			  size_t errmsg_size)
{
	const struct es_json *created = es_json_get(metadata, "creationTimestamp");
	const struct es_json time = es_json_string(now);
	int rc = agree(arena, metadata, "name", "metadata.name", key->name, errmsg, errmsg_size);

	if (rc == 0)
		rc = agree(arena, metadata, "namespace", "metadata.namespace",
			   key->has_ns ? key->ns : es_slice("", 0), errmsg, errmsg_size);
	if (rc == 0 && creating && (created == NULL || created->type == ES_JSON_NULL))
		rc = es_json_set(arena, metadata, ES_SLICE("creationTimestamp"), &time, metadata);
	return rc;
}

/*
 * A replace gets its name, namespace, kind and apiVersion back as a create does when it leaves them out: an object without
 * them is of no use to anybody. The time of its creation is the stored one's by the rules.
 */
int es_resource_fill_in(const struct es_resource_key *key, const struct es_json *value,
			bool creating, struct es_slice now, struct es_arena *arena,
			struct es_json *ret_value, char *errmsg, size_t errmsg_size)
{
	struct es_json object = *value;
	const struct es_json *found;
	struct es_json metadata = es_json_object();
	struct es_arena_buf api_version;
	int rc = 0;

	*ret_value = object;
	if (value->type != ES_JSON_OBJECT)
		return 0;
	found = es_json_get(value, "metadata");
	if (found != NULL && found->type != ES_JSON_NULL) {
		if (found->type != ES_JSON_OBJECT) {
			es_resource_say(errmsg, errmsg_size, "metadata is a %s, not an object",
					es_json_type_name(found->type));
			return ES_EINVAL;
		}
		metadata = *found;
	}
	es_arena_buf_init(&api_version, arena);
	if (key->group.len > 0)
		rc = es_buf_append_slice(&api_version.buf, key->group);
	if (rc == 0 && key->group.len > 0)
		rc = es_buf_append_u8(&api_version.buf, '/');
	if (rc == 0)
		rc = es_buf_append_slice(&api_version.buf, key->version);
	if (rc == 0)
		rc = agree(arena, &object, "apiVersion", "apiVersion",
			   es_buf_slice(&api_version.buf), errmsg, errmsg_size);
	if (rc == 0)
		rc = agree(arena, &object, "kind", "kind", key->kind, errmsg, errmsg_size);
	if (rc == 0)
		rc = agree_metadata(key, creating, now, arena, &metadata, errmsg, errmsg_size);
	if (rc == 0)
		rc = es_json_set(arena, &object, ES_SLICE("metadata"), &metadata, &object);
	if (rc == 0)
		*ret_value = object;
	return rc;
}
