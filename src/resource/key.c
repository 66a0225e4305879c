#include "resource/key.h"

#include "resource/util.h"

int es_resource_key_cmp(const struct es_resource_key *a, const struct es_resource_key *b)
{
	int rc = es_slice_cmp(a->group, b->group);

	if (rc == 0)
		rc = es_slice_cmp(a->version, b->version);
	if (rc == 0)
		rc = es_slice_cmp(a->kind, b->kind);
	if (rc == 0)
		rc = (int)a->has_ns - (int)b->has_ns;
	if (rc == 0 && a->has_ns)
		rc = es_slice_cmp(a->ns, b->ns);
	if (rc == 0)
		rc = es_slice_cmp(a->name, b->name);
	return rc;
}

/* Append the parts, each but the first after a '/'. */
static int append_parts(struct es_buf *buf, const struct es_slice *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc = i == 0 ? 0 : es_buf_append_u8(buf, '/');

		if (rc == 0)
			rc = es_buf_append_slice(buf, parts[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int es_resource_label(struct es_buf *buf, const struct es_resource_key *key)
{
	struct es_slice parts[5] = {key->group.len == 0 ? ES_SLICE("v1") : key->group, key->version,
				    key->kind};
	size_t count = 3, len = buf->len;
	int rc;

	if (key->has_ns)
		parts[count++] = key->ns;
	parts[count++] = key->name;
	rc = append_parts(buf, parts, count);
	if (rc < 0)
		buf->len = len;
	return rc;
}

/* ---- paths ------------------------------------------------------------------------------ */

#define ABSENT ES_SLICE("_")
#define EMPTY  ES_SLICE("~")

static bool is_plain(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
}

static int append_escaped(struct es_buf *buf, struct es_slice part)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t escapes = 0;
	int rc;

	for (size_t i = 0; i < part.len; i++)
		escapes += !is_plain(part.data[i]);
	if (escapes == 0)
		return es_buf_append_slice(buf, part);
	if (escapes > (SIZE_MAX - part.len) / 2)
		return ES_ENOMEM;
	rc = es_buf_reserve(buf, part.len + 2 * escapes);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < part.len; i++) {
		uint8_t byte = part.data[i];

		if (is_plain(byte)) {
			buf->data[buf->len++] = byte;
			continue;
		}
		buf->data[buf->len++] = '%';
		buf->data[buf->len++] = (uint8_t)digits[byte >> 4];
		buf->data[buf->len++] = (uint8_t)digits[byte & 15];
	}
	return 0;
}

/* One part, as it is in a path. */
static int append_part(struct es_buf *buf, struct es_slice part, struct es_slice when_empty)
{
	return part.len == 0 ? es_buf_append_slice(buf, when_empty) : append_escaped(buf, part);
}

/* "/engenho/resources/<group>/<version>/<kind>/" */
static int append_kind(struct es_buf *buf, struct es_slice group, struct es_slice version,
		       struct es_slice kind)
{
	int rc = es_buf_append_str(buf, ES_RESOURCE_ROOT);

	if (rc == 0)
		rc = append_part(buf, group, ABSENT);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '/');
	if (rc == 0)
		rc = append_part(buf, version, EMPTY);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '/');
	if (rc == 0)
		rc = append_part(buf, kind, EMPTY);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '/');
	return rc;
}

int es_resource_path(struct es_buf *buf, const struct es_resource_key *key)
{
	size_t len = buf->len;
	int rc = append_kind(buf, key->group, key->version, key->kind);

	if (rc == 0)
		rc = key->has_ns ? append_part(buf, key->ns, EMPTY)
				 : es_buf_append_slice(buf, ABSENT);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '/');
	if (rc == 0)
		rc = append_part(buf, key->name, EMPTY);
	if (rc < 0)
		buf->len = len;
	return rc;
}

int es_resource_scope_prefix(struct es_buf *buf, const struct es_resource_scope *scope)
{
	size_t len = buf->len;
	int rc = append_kind(buf, scope->group, scope->version, scope->kind);

	if (rc == 0 && !scope->all_namespaces) {
		rc = append_part(buf, scope->ns, EMPTY);
		if (rc == 0)
			rc = es_buf_append_u8(buf, '/');
	}
	if (rc < 0)
		buf->len = len;
	return rc;
}

/* An upper-case digit; -1: none. */
static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* What append_escaped wrote, and nothing else. */
static int parse_escaped(struct es_slice part, struct es_arena *arena, struct es_slice *ret_part)
{
	size_t len = 0;
	uint8_t *out;

	if (memchr(part.data, '%', part.len) == NULL) {
		for (size_t i = 0; i < part.len; i++)
			if (!is_plain(part.data[i]))
				return ES_EDECODE;
		*ret_part = part;
		return 0;
	}
	out = es_arena_alloc(arena, part.len);
	if (out == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < part.len; i++) {
		int high, low;

		if (part.data[i] != '%') {
			if (!is_plain(part.data[i]))
				return ES_EDECODE;
			out[len++] = part.data[i];
			continue;
		}
		if (part.len - i < 3)
			return ES_EDECODE;
		high = hex_digit(part.data[++i]);
		low = hex_digit(part.data[++i]);
		if (high < 0 || low < 0 || is_plain((uint8_t)(high << 4 | low)))
			return ES_EDECODE;
		out[len++] = (uint8_t)(high << 4 | low);
	}
	*ret_part = es_slice(out, len);
	return es_resource_is_utf8(*ret_part) ? 0 : ES_EDECODE;
}

static int parse_part(struct es_slice part, struct es_slice when_empty, struct es_arena *arena,
		      struct es_slice *ret_part)
{
	if (part.len == 0)
		return ES_EDECODE;
	if (es_slice_eq(part, when_empty)) {
		*ret_part = ES_SLICE("");
		return 0;
	}
	return parse_escaped(part, arena, ret_part);
}

int es_resource_path_parse(struct es_slice path, struct es_arena *arena,
			   struct es_resource_key *ret_key)
{
	const size_t root = sizeof(ES_RESOURCE_ROOT) - 1;
	struct es_slice parts[5];
	size_t count = 0;
	int rc;

	if (path.len < root || memcmp(path.data, ES_RESOURCE_ROOT, root) != 0)
		return ES_EDECODE;
	for (size_t at = root, begin = root; at <= path.len; at++) {
		if (at < path.len && path.data[at] != '/')
			continue;
		if (count == 5)
			return ES_EDECODE;
		parts[count++] = es_slice(path.data + begin, at - begin);
		begin = at + 1;
	}
	if (count != 5)
		return ES_EDECODE;
	*ret_key = (struct es_resource_key){.has_ns = !es_slice_eq(parts[3], ABSENT)};
	rc = parse_part(parts[0], ABSENT, arena, &ret_key->group);
	if (rc == 0)
		rc = parse_part(parts[1], EMPTY, arena, &ret_key->version);
	if (rc == 0)
		rc = parse_part(parts[2], EMPTY, arena, &ret_key->kind);
	if (rc == 0 && ret_key->has_ns)
		rc = parse_part(parts[3], EMPTY, arena, &ret_key->ns);
	if (rc == 0)
		rc = parse_part(parts[4], EMPTY, arena, &ret_key->name);
	return rc;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static int write_member(struct es_buf *buf, const char *prefix, struct es_slice text)
{
	int rc = es_buf_append_str(buf, prefix);

	return rc < 0 ? rc : es_json_write_string(buf, text);
}

int es_resource_key_write(struct es_buf *buf, const struct es_resource_key *key)
{
	size_t len = buf->len;
	int rc = write_member(buf, "{\"group\":", key->group);

	if (rc == 0)
		rc = write_member(buf, ",\"version\":", key->version);
	if (rc == 0)
		rc = write_member(buf, ",\"kind\":", key->kind);
	if (rc == 0)
		rc = key->has_ns ? write_member(buf, ",\"namespace\":", key->ns)
				 : es_buf_append_str(buf, ",\"namespace\":null");
	if (rc == 0)
		rc = write_member(buf, ",\"name\":", key->name);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '}');
	if (rc < 0)
		buf->len = len;
	return rc;
}

int es_resource_key_read(const struct es_json *value, struct es_resource_key *ret_key,
			 const char **ret_what)
{
	const struct es_json *ns = es_json_get(value, "namespace");
	const struct {
		const char *name, *what;
		struct es_slice *to;
	} fields[] = {
		{"group", "group: expected a string", &ret_key->group},
		{"version", "version: expected a string", &ret_key->version},
		{"kind", "kind: expected a string", &ret_key->kind},
		{"name", "name: expected a string", &ret_key->name},
	};

	if (!es_json_is(value, ES_JSON_OBJECT)) {
		*ret_what = "expected an object";
		return ES_EDECODE;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct es_json *field = es_json_get(value, fields[i].name);

		if (!es_json_is(field, ES_JSON_STRING)) {
			*ret_what = fields[i].what;
			return ES_EDECODE;
		}
		*fields[i].to = field->u.string;
	}
	ret_key->has_ns = es_json_is(ns, ES_JSON_STRING);
	ret_key->ns = es_json_as_string(ns);
	if (ns != NULL && !ret_key->has_ns && ns->type != ES_JSON_NULL) {
		*ret_what = "namespace: expected a string or null";
		return ES_EDECODE;
	}
	return 0;
}
