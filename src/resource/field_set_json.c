#include "resource/field_set.h"

#include "resource/util.h"

/* Of the JSON text in an element: an object of scalars. */
#define ELEMENT_DEPTH_MAX 2

static bool is_scalar(const struct es_json *value)
{
	return value->type != ES_JSON_ARRAY && value->type != ES_JSON_OBJECT;
}

/* ---- elements as texts ------------------------------------------------------------------ */

/* As JSON, with what HTML gives a meaning escaped too: the texts of elements are compared by other programs, and this
 * is how Kubernetes writes them. (U+2028 and U+2029 are E2 80 A8 and E2 80 A9.) */
static int write_string(struct es_buf *buf, struct es_slice text)
{
	int rc = es_buf_append_u8(buf, '"');

	for (size_t i = 0; rc == 0 && i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '"' || c == '\\')
			rc = es_buf_printf(buf, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			rc = es_buf_append_str(buf, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			rc = es_buf_printf(buf, "\\u%04x", c);
		else if (text.len - i >= 3 && (memcmp(text.data + i, "\xe2\x80\xa8", 3) == 0 ||
					       memcmp(text.data + i, "\xe2\x80\xa9", 3) == 0)) {
			rc = es_buf_append_str(buf,
					       text.data[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
			i += 2;
		} else {
			rc = es_buf_append_u8(buf, c);
		}
	}
	return rc == 0 ? es_buf_append_u8(buf, '"') : rc;
}

static int write_scalar(struct es_buf *buf, const struct es_json *value)
{
	return value->type == ES_JSON_STRING ? write_string(buf, value->u.string)
					     : es_json_write(buf, value);
}

static int write_key(struct es_buf *buf, const struct es_json *key)
{
	int rc = es_buf_append_str(buf, "k:{");

	for (uint32_t i = 0; rc == 0 && i < key->count; i++) {
		if (i > 0)
			rc = es_buf_append_u8(buf, ',');
		if (rc == 0)
			rc = es_json_write_string(buf, key->u.members[i].name);
		if (rc == 0)
			rc = es_buf_append_u8(buf, ':');
		if (rc == 0)
			rc = write_scalar(buf, &key->u.members[i].value);
	}
	return rc == 0 ? es_buf_append_u8(buf, '}') : rc;
}

static int write_element(struct es_buf *buf, const struct es_field_element *element)
{
	int rc;

	switch (element->kind) {
	case ES_FIELD_NAME:
		rc = es_buf_append_str(buf, "f:");
		return rc == 0 ? es_buf_append_slice(buf, element->value.u.string) : rc;
	case ES_FIELD_KEY: return write_key(buf, &element->value);
	case ES_FIELD_VALUE:
		rc = es_buf_append_str(buf, "v:");
		return rc == 0 ? write_scalar(buf, &element->value) : rc;
	case ES_FIELD_INDEX: break;
	}
	rc = es_buf_append_str(buf, "i:");
	return rc == 0 ? es_json_write(buf, &element->value) : rc;
}

static int print_key(struct es_buf *buf, const struct es_json *key)
{
	int rc = es_buf_append_u8(buf, '[');

	for (uint32_t i = 0; rc == 0 && i < key->count; i++) {
		if (i > 0)
			rc = es_buf_append_u8(buf, ',');
		if (rc == 0)
			rc = es_buf_append_slice(buf, key->u.members[i].name);
		if (rc == 0)
			rc = es_buf_append_u8(buf, '=');
		if (rc == 0)
			rc = es_json_write(buf, &key->u.members[i].value);
	}
	return rc == 0 ? es_buf_append_u8(buf, ']') : rc;
}

int es_field_print(struct es_buf *buf, const struct es_field_element *element)
{
	int rc;

	switch (element->kind) {
	case ES_FIELD_NAME:
		rc = es_buf_append_u8(buf, '.');
		return rc == 0 ? es_buf_append_slice(buf, element->value.u.string) : rc;
	case ES_FIELD_KEY: return print_key(buf, &element->value);
	case ES_FIELD_VALUE:
	case ES_FIELD_INDEX: break;
	}
	rc = es_buf_append_str(buf, element->kind == ES_FIELD_VALUE ? "[=" : "[");
	if (rc == 0)
		rc = es_json_write(buf, &element->value);
	return rc == 0 ? es_buf_append_u8(buf, ']') : rc;
}

/* ---- writing ---------------------------------------------------------------------------- */

static int write_node(const struct es_field_node *node, unsigned depth_max, struct es_arena *arena,
		      struct es_json_member *ret_member)
{
	struct es_arena_buf text;
	int rc;

	es_arena_buf_init(&text, arena);
	rc = write_element(&text.buf, &node->element);
	if (rc == 0)
		rc = es_field_set_write(&node->children, depth_max, arena, &ret_member->value);
	ret_member->name = es_buf_slice(&text.buf);
	if (rc == 0 && node->member && node->children.count > 0) {
		const struct es_json self = es_json_object();

		rc = es_json_set(arena, &ret_member->value, ES_SLICE("."), &self,
				 &ret_member->value);
	}
	return rc;
}

int es_field_set_write(const struct es_field_set *set, unsigned depth_max, struct es_arena *arena,
		       struct es_json *ret_object)
{
	struct es_json_member *members;

	if (depth_max == 0)
		return ES_EINVAL;
	*ret_object = es_json_object();
	if (set->count == 0)
		return 0;
	members = es_arena_alloc(arena, set->count * sizeof(*members));
	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < set->count; i++) {
		int rc = write_node(&set->nodes[i], depth_max - 1, arena, &members[i]);

		if (rc < 0)
			return rc;
	}
	*ret_object = es_json_object_of(members, set->count);
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct reader {
	struct es_arena *arena;
	char *errmsg;
	size_t errmsg_size;
};

static int bad_element(const struct reader *reader, struct es_slice text, const char *what)
{
	es_resource_say(reader->errmsg, reader->errmsg_size, "\"%.*s\": %s",
			es_resource_say_len(text), (const char *)text.data, what);
	return ES_EINVAL;
}

static int read_scalars(const struct reader *reader, struct es_json *object)
{
	struct es_json_member *members;

	if (object->count == 0)
		return 0;
	members = es_arena_alloc(reader->arena, object->count * sizeof(*members));
	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *member = &object->u.members[i];

		if (!is_scalar(&member->value))
			return ES_EINVAL;
		members[i] = (struct es_json_member){member->name, es_field_scalar(&member->value)};
	}
	object->u.members = members;
	return 0;
}

static int read_value(const struct reader *reader, struct es_slice text, enum es_field_kind kind,
		      struct es_json *ret_value)
{
	struct es_json_error error;
	struct es_json value;
	int rc = es_json_parse(es_slice(text.data + 2, text.len - 2), ELEMENT_DEPTH_MAX,
			       reader->arena, &value, &error);

	if (rc == ES_EDECODE)
		return bad_element(reader, text, error.what);
	if (rc < 0)
		return rc;
	switch (kind) {
	case ES_FIELD_NAME: break;
	case ES_FIELD_KEY:
		rc = value.type == ES_JSON_OBJECT ? read_scalars(reader, &value) : ES_EINVAL;
		if (rc == ES_EINVAL)
			return bad_element(reader, text, "expected an object of scalars");
		break;
	case ES_FIELD_VALUE:
		if (!is_scalar(&value))
			return bad_element(reader, text, "expected a scalar");
		value = es_field_scalar(&value);
		break;
	case ES_FIELD_INDEX:
		if (value.type != ES_JSON_INT)
			return bad_element(reader, text, "expected an integer");
		break;
	}
	*ret_value = value;
	return rc;
}

/* 1: an element; 0: of a kind that is not known. */
static int read_element(const struct reader *reader, struct es_slice text,
			struct es_field_element *ret_element)
{
	int rc;

	if (text.len < 2 || text.data[1] != ':')
		return bad_element(reader, text, "not an element of a path");
	switch (text.data[0]) {
	case 'f': *ret_element = es_field_name(es_slice(text.data + 2, text.len - 2)); return 1;
	case 'k': ret_element->kind = ES_FIELD_KEY; break;
	case 'v': ret_element->kind = ES_FIELD_VALUE; break;
	case 'i': ret_element->kind = ES_FIELD_INDEX; break;
	default: return 0;
	}
	rc = read_value(reader, text, ret_element->kind, &ret_element->value);
	return rc < 0 ? rc : 1;
}

/* `*ret_self`: the field that holds this is in the set; so it is when nothing is below it. */
static int read_set(const struct reader *reader, const struct es_json *object,
		    struct es_field_set *ret_set, bool *ret_self)
{
	struct es_field_node *nodes;
	uint32_t count = 0;
	int rc;

	if (object->type != ES_JSON_OBJECT) {
		es_resource_say(reader->errmsg, reader->errmsg_size, "expected objects, found %s",
				es_json_type_name(object->type));
		return ES_EINVAL;
	}
	nodes = es_arena_alloc(reader->arena, object->count * sizeof(*nodes));
	if (nodes == NULL)
		return ES_ENOMEM;
	*ret_self = false;
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *member = &object->u.members[i];
		struct es_field_node *node = &nodes[count];

		if (es_slice_eq(member->name, ES_SLICE("."))) {
			*ret_self = true;
			continue;
		}
		rc = read_element(reader, member->name, &node->element);
		if (rc == 0)
			continue;
		if (rc > 0)
			rc = read_set(reader, &member->value, &node->children, &node->member);
		if (rc < 0)
			return rc;
		count++;
	}
	if (count == 0)
		*ret_self = true;
	/* Elements that are written differently may be the same: 1 and 1.0. */
	return es_field_set_make(reader->arena, nodes, count, ret_set);
}

int es_field_set_read(const struct es_json *object, struct es_arena *arena,
		      struct es_field_set *ret_set, char *errmsg, size_t errmsg_size)
{
	const struct reader reader = {arena, errmsg, errmsg_size};
	bool self;

	return read_set(&reader, object, ret_set, &self);
}
