#include "wire/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/json_number.h"

/*
 * Fields are found by their descriptors' offsets, as protobuf-c itself does it. A member of a oneof
 * is set when the case enum at its quantifier holds its number.
 */
typedef const ProtobufCFieldDescriptor Field;

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool holds_json(Field *field, const struct es_wire_json_options *options)
{
	if (field->type != PROTOBUF_C_TYPE_BYTES || options->json_fields == NULL)
		return false;
	for (const char *const *name = options->json_fields; *name != NULL; name++) {
		if (strcmp(*name, field->name) == 0)
			return true;
	}
	return false;
}

static bool is_oneof(Field *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM: return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return 8;
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	}
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The name of a field in lowerCamelCase, character by character: is `c`, at *at, its next? */
static char camel_next(const char **at)
{
	char c = **at;

	if (c != '_') {
		if (c != '\0')
			(*at)++;
		return c;
	}
	while (**at == '_')
		(*at)++;
	c = **at;
	if (c != '\0')
		(*at)++;
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_name_of(Field *field, struct es_slice name)
{
	const char *at = field->name;

	if (es_slice_eq(name, es_slice_str(field->name)))
		return true;
	for (size_t i = 0; i < name.len; i++) {
		char c = camel_next(&at);

		if (c == '\0' || c != (char)name.data[i])
			return false;
	}
	return camel_next(&at) == '\0';
}

static Field *find_field(const ProtobufCMessageDescriptor *descriptor, struct es_slice name)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		if (is_name_of(&descriptor->fields[i], name))
			return &descriptor->fields[i];
	}
	return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int write_base64(struct es_buf *buf, const uint8_t *data, size_t len)
{
	int rc = es_buf_reserve(buf, (len + 2) / 3 * 4 + 2);

	if (rc < 0)
		return rc;
	buf->data[buf->len++] = '"';
	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)data[i] << 16;
		size_t left = len - i;

		if (left > 1)
			group |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			group |= data[i + 2];
		buf->data[buf->len++] = (uint8_t)base64_digits[group >> 18];
		buf->data[buf->len++] = (uint8_t)base64_digits[group >> 12 & 63];
		buf->data[buf->len++] = (uint8_t)(left > 1 ? base64_digits[group >> 6 & 63] : '=');
		buf->data[buf->len++] = (uint8_t)(left > 2 ? base64_digits[group & 63] : '=');
	}
	buf->data[buf->len++] = '"';
	return 0;
}

/* In place when it is JSON: what somebody else put there is not, or is over several lines. */
static int write_json_bytes(struct es_buf *buf, const ProtobufCBinaryData *bytes)
{
	struct es_slice text = es_slice(bytes->data, bytes->len);
	struct es_json_cursor cursor;
	size_t begin = buf->len;
	int rc;

	es_json_cursor_init(&cursor, text, ES_JSON_DEPTH_MAX);
	if (es_json_skip(&cursor, NULL) < 0 || es_json_cursor_end(&cursor) < 0)
		return write_base64(buf, bytes->data, bytes->len);
	rc = es_buf_append_slice(buf, text);
	for (size_t i = begin; rc == 0 && i < buf->len; i++) {
		if (buf->data[i] == '\n' || buf->data[i] == '\r')
			buf->data[i] = ' '; /* strings hold none as they are */
	}
	return rc;
}

static int write_double(struct es_buf *buf, double number)
{
	char text[ES_JSON_DOUBLE_MAX];

	if (isnan(number))
		return es_buf_append_str(buf, "\"NaN\"");
	if (isinf(number))
		return es_buf_append_str(buf, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	return es_buf_append(buf, text, es_json_format_double(number, text));
}

/* The fewest digits that read back to the same float. */
static int write_float(struct es_buf *buf, float number)
{
	char text[32];
	int digits = 1;

	if (!isfinite(number))
		return write_double(buf, (double)number);
	do
		(void)snprintf(text, sizeof(text), "%.*g", digits, (double)number);
	while (strtof(text, NULL) != number && ++digits <= FLT_DECIMAL_DIG);
	return write_double(buf, strtod(text, NULL));
}

static int write_enum(struct es_buf *buf, Field *field, int32_t number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor,
									       number);

	return value == NULL ? es_buf_printf(buf, "%" PRId32, number)
			     : es_buf_printf(buf, "\"%s\"", value->name);
}

static int write_value(struct es_buf *buf, Field *field, const uint8_t *at,
		       const struct es_wire_json_options *options)
{
	const ProtobufCBinaryData *bytes = (const void *)at;
	const char *text;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	float single;
	double number;

	if (size_of(field->type) == 4)
		memcpy(&u32, at, sizeof(u32));
	else if (size_of(field->type) == 8)
		memcpy(&u64, at, sizeof(u64));
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: return es_buf_printf(buf, "%" PRId32, (int32_t)u32);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: return es_buf_printf(buf, "%" PRIu32, u32);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64: return es_buf_printf(buf, "\"%" PRId64 "\"", (int64_t)u64);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: return es_buf_printf(buf, "\"%" PRIu64 "\"", u64);
	case PROTOBUF_C_TYPE_FLOAT:
		memcpy(&single, at, sizeof(single));
		return write_float(buf, single);
	case PROTOBUF_C_TYPE_DOUBLE:
		memcpy(&number, at, sizeof(number));
		return write_double(buf, number);
	case PROTOBUF_C_TYPE_BOOL:
		return es_buf_append_str(
			buf, *(const protobuf_c_boolean *)(const void *)at ? "true" : "false");
	case PROTOBUF_C_TYPE_ENUM: return write_enum(buf, field, (int32_t)u32);
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)(const void *)at;
		return es_json_write_string(buf, es_slice_str(text == NULL ? "" : text));
	case PROTOBUF_C_TYPE_BYTES:
		return holds_json(field, options) ? write_json_bytes(buf, bytes)
						  : write_base64(buf, bytes->data, bytes->len);
	case PROTOBUF_C_TYPE_MESSAGE:
		return es_wire_json_write(buf, *(ProtobufCMessage *const *)(const void *)at,
					  options);
	}
	return ES_EDECODE;
}

static bool is_default(Field *field, const uint8_t *at)
{
	static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
	const char *text;

	if (field->type == PROTOBUF_C_TYPE_STRING) {
		text = *(const char *const *)(const void *)at;
		return text == NULL || text[0] == '\0';
	}
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)(const void *)at)->len == 0;
	return memcmp(at, zeros, size_of(field->type)) == 0;
}

static bool is_scalar(Field *field)
{
	return field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_STRING &&
	       field->type != PROTOBUF_C_TYPE_BYTES;
}

static bool is_written(const ProtobufCMessage *message, Field *field,
		       const struct es_wire_json_options *options)
{
	const uint8_t *base = (const uint8_t *)message;
	const uint8_t *at = base + field->offset;
	uint32_t set;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(base + field->quantifier_offset) > 0;
	if (is_oneof(field)) {
		memcpy(&set, base + field->quantifier_offset, sizeof(set));
		return set == field->id;
	}
	return !is_default(field, at) || (options->write_defaults && is_scalar(field));
}

static int write_name(struct es_buf *buf, const char *name, bool first)
{
	int rc = es_buf_append_str(buf, first ? "\"" : ",\"");
	char c;

	while (rc == 0 && (c = camel_next(&name)) != '\0')
		rc = es_buf_append_u8(buf, (uint8_t)c);
	return rc < 0 ? rc : es_buf_append_str(buf, "\":");
}

static int write_list(struct es_buf *buf, Field *field, const uint8_t *base,
		      const struct es_wire_json_options *options)
{
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	const uint8_t *items = *(const uint8_t *const *)(const void *)(base + field->offset);
	int rc = es_buf_append_u8(buf, '[');

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (i > 0)
			rc = es_buf_append_u8(buf, ',');
		if (rc == 0)
			rc = write_value(buf, field, items + i * size_of(field->type), options);
	}
	return rc < 0 ? rc : es_buf_append_u8(buf, ']');
}

int es_wire_json_write(struct es_buf *buf, const ProtobufCMessage *message,
		       const struct es_wire_json_options *options)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	const uint8_t *base = (const uint8_t *)message;
	bool first = true;
	int rc = es_buf_append_u8(buf, '{');

	for (unsigned i = 0; rc == 0 && i < descriptor->n_fields; i++) {
		Field *field = &descriptor->fields[i];

		if (!is_written(message, field, options))
			continue;
		rc = write_name(buf, field->name, first);
		first = false;
		if (rc == 0 && field->label == PROTOBUF_C_LABEL_REPEATED)
			rc = write_list(buf, field, base, options);
		else if (rc == 0)
			rc = write_value(buf, field, base + field->offset, options);
	}
	return rc < 0 ? rc : es_buf_append_u8(buf, '}');
}

/* ---- reading --------------------------------------------------------------------------------- */

struct path {
	const struct path *up;
	const char *name;
	size_t index; /* of a list; with `name` NULL */
};

/* ES_EDECODE without a text in `errmsg` is the cursor's. */
struct read_ctx {
	const struct es_wire_json_options *options;
	struct es_arena *arena;
	struct es_json_cursor cursor;
	char *errmsg;
	size_t errmsg_size;
};

static size_t write_path(const struct path *path, char *out, size_t size)
{
	size_t len = path->up == NULL ? 0 : write_path(path->up, out, size);
	int n;

	if (len >= size)
		return len;
	if (path->name == NULL)
		n = snprintf(out + len, size - len, "[%zu]", path->index);
	else
		n = snprintf(out + len, size - len, "%s%s", len > 0 ? "." : "", path->name);
	return n < 0 ? len : len + (size_t)n;
}

static int refuse(const struct read_ctx *ctx, const struct path *path, const char *what)
{
	size_t len = path == NULL ? 0 : write_path(path, ctx->errmsg, ctx->errmsg_size);

	if (len < ctx->errmsg_size)
		(void)snprintf(ctx->errmsg + len, ctx->errmsg_size - len, "%s%s",
			       len > 0 ? ": " : "", what);
	return ES_EDECODE;
}

static int base64_value(uint8_t c)
{
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	for (int i = 0; i < 64; i++) {
		if ((uint8_t)base64_digits[i] == c)
			return i;
	}
	return -1;
}

static int read_base64(const struct read_ctx *ctx, const struct path *path, struct es_slice text,
		       ProtobufCBinaryData *ret_bytes)
{
	uint8_t *out = es_arena_alloc(ctx->arena, text.len / 4 * 3 + 3);
	uint32_t group = 0;
	unsigned bits = 0;
	size_t len = 0;

	if (out == NULL)
		return ES_ENOMEM;
	while (text.len > 0 && text.data[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 1)
		return refuse(ctx, path, "not base64");
	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.data[i]);

		if (value < 0)
			return refuse(ctx, path, "not base64");
		group = group << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = (uint8_t)(group >> bits);
		}
	}
	*ret_bytes = (ProtobufCBinaryData){len, out};
	return 0;
}

static int read_bytes(const struct read_ctx *ctx, const struct path *path, Field *field,
		      const struct es_json *value, ProtobufCBinaryData *ret_bytes)
{
	struct es_buf text;
	uint8_t *copy = NULL;
	int rc;

	if (!holds_json(field, ctx->options)) {
		if (value->type != ES_JSON_STRING)
			return refuse(ctx, path, "expected a string in base64");
		return read_base64(ctx, path, value->u.string, ret_bytes);
	}
	es_buf_init(&text, ctx->arena->mem);
	rc = es_json_write(&text, value);
	if (rc == 0)
		copy = es_arena_alloc(ctx->arena, text.len);
	if (copy != NULL) {
		memcpy(copy, text.data, text.len);
		*ret_bytes = (ProtobufCBinaryData){text.len, copy};
	}
	es_buf_close(&text);
	return copy == NULL ? ES_ENOMEM : 0;
}

/* `text`: the value as it is written, if it is a number. */
static int read_integer(const struct read_ctx *ctx, const struct path *path,
			const struct es_json *value, struct es_slice text, int64_t min,
			uint64_t max, uint64_t *ret_bits)
{
	const char *problem;

	if (value->type == ES_JSON_STRING)
		text = es_wire_number_in(value->u.string);
	if (text.len == 0)
		return refuse(ctx, path, "expected an integer");
	problem = es_wire_integer(text, min, max, ret_bits);
	return problem == NULL ? 0 : refuse(ctx, path, problem);
}

static int read_double_text(const struct read_ctx *ctx, const struct path *path,
			    struct es_slice string, double *ret_number)
{
	struct es_slice text = es_wire_number_in(string);
	struct es_json_error error;
	struct es_json number;

	if (es_slice_eq(string, ES_SLICE("NaN")))
		*ret_number = NAN;
	else if (es_slice_eq(string, ES_SLICE("Infinity")))
		*ret_number = INFINITY;
	else if (es_slice_eq(string, ES_SLICE("-Infinity")))
		*ret_number = -INFINITY;
	else if (text.len == 0 || es_json_parse(text, 0, ctx->arena, &number, &error) < 0)
		return refuse(ctx, path, "expected a number");
	else if (number.type == ES_JSON_DOUBLE)
		*ret_number = number.u.number;
	else
		*ret_number = number.type == ES_JSON_INT ? (double)number.u.i64
							 : (double)number.u.u64;
	return 0;
}

static int read_double(const struct read_ctx *ctx, const struct path *path,
		       const struct es_json *value, double *ret_number)
{
	switch (value->type) {
	case ES_JSON_INT: *ret_number = (double)value->u.i64; return 0;
	case ES_JSON_UINT: *ret_number = (double)value->u.u64; return 0;
	case ES_JSON_DOUBLE: *ret_number = value->u.number; return 0;
	case ES_JSON_STRING: return read_double_text(ctx, path, value->u.string, ret_number);
	default: return refuse(ctx, path, "expected a number");
	}
}

static int read_enum(const struct read_ctx *ctx, const struct path *path, Field *field,
		     const struct es_json *value, struct es_slice text, uint32_t *ret_number)
{
	const ProtobufCEnumDescriptor *descriptor = field->descriptor;
	uint64_t bits;
	int rc;

	if (value->type == ES_JSON_STRING) {
		for (unsigned i = 0; i < descriptor->n_values; i++) {
			if (es_slice_eq(value->u.string,
					es_slice_str(descriptor->values[i].name))) {
				*ret_number = (uint32_t)descriptor->values[i].value;
				return 0;
			}
		}
		return refuse(ctx, path, "not one of the names there are");
	}
	rc = read_integer(ctx, path, value, text, INT32_MIN, INT32_MAX, &bits);
	if (rc == 0)
		*ret_number = (uint32_t)bits;
	return rc;
}

static int read_string(const struct read_ctx *ctx, const struct path *path,
		       const struct es_json *value, char **ret_text)
{
	if (value->type != ES_JSON_STRING)
		return refuse(ctx, path, "expected a string");
	if (memchr(value->u.string.data, 0, value->u.string.len) != NULL)
		return refuse(ctx, path, "a NUL character in a name");
	*ret_text = es_arena_alloc(ctx->arena, value->u.string.len + 1);
	if (*ret_text == NULL)
		return ES_ENOMEM;
	if (value->u.string.len > 0)
		memcpy(*ret_text, value->u.string.data, value->u.string.len);
	(*ret_text)[value->u.string.len] = '\0';
	return 0;
}

static int read_scalar(const struct read_ctx *ctx, const struct path *path, Field *field,
		       const struct es_json *value, struct es_slice text, uint8_t *at)
{
	uint64_t bits = 0;
	uint32_t u32 = 0;
	double number = 0;
	float single;
	int rc;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		rc = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32
			     ? read_integer(ctx, path, value, text, 0, UINT32_MAX, &bits)
			     : read_integer(ctx, path, value, text, INT32_MIN, INT32_MAX, &bits);
		u32 = (uint32_t)bits;
		memcpy(at, &u32, sizeof(u32));
		return rc;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		rc = read_integer(ctx, path, value, text, INT64_MIN, INT64_MAX, &bits);
		memcpy(at, &bits, sizeof(bits));
		return rc;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		rc = read_integer(ctx, path, value, text, 0, UINT64_MAX, &bits);
		memcpy(at, &bits, sizeof(bits));
		return rc;
	case PROTOBUF_C_TYPE_FLOAT:
		rc = read_double(ctx, path, value, &number);
		if (rc == 0 && isfinite(number) && fabs(number) > (double)FLT_MAX)
			rc = refuse(ctx, path, "the number is out of range");
		if (rc < 0)
			return rc;
		single = (float)number;
		memcpy(at, &single, sizeof(single));
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		rc = read_double(ctx, path, value, &number);
		memcpy(at, &number, sizeof(number));
		return rc;
	case PROTOBUF_C_TYPE_BOOL:
		if (value->type != ES_JSON_BOOL)
			return refuse(ctx, path, "expected true or false");
		*(protobuf_c_boolean *)(void *)at = value->u.boolean;
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		rc = read_enum(ctx, path, field, value, text, &u32);
		memcpy(at, &u32, sizeof(u32));
		return rc;
	case PROTOBUF_C_TYPE_STRING: return read_string(ctx, path, value, (char **)(void *)at);
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(ctx, path, field, value, (ProtobufCBinaryData *)(void *)at);
	case PROTOBUF_C_TYPE_MESSAGE: break;
	}
	return ES_EDECODE;
}

static int read_message(struct read_ctx *ctx, const struct path *path,
			const ProtobufCMessageDescriptor *descriptor,
			ProtobufCMessage **ret_message);

static int read_value(struct read_ctx *ctx, const struct path *path, Field *field, uint8_t *at)
{
	struct es_json_cursor begin = ctx->cursor;
	struct es_slice text = es_slice(NULL, 0);
	struct es_json value;
	int rc;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return read_message(ctx, path, field->descriptor, (ProtobufCMessage **)(void *)at);
	rc = es_json_take(&ctx->cursor, ctx->arena, &value);
	if (rc < 0)
		return rc;
	if (value.type == ES_JSON_INT || value.type == ES_JSON_UINT || value.type == ES_JSON_DOUBLE)
		(void)es_json_skip(&begin, &text);
	return read_scalar(ctx, path, field, &value, text, at);
}

static int expect(struct read_ctx *ctx, const struct path *path, enum es_json_type type,
		  const char *what)
{
	int found = es_json_peek(&ctx->cursor);

	if (found < 0)
		return found;
	return found == (int)type ? 0 : refuse(ctx, path, what);
}

/* Room for one more item behind `count` of them. */
static int grow(struct es_arena *arena, uint8_t **items, size_t count, size_t size)
{
	uint8_t *larger;

	if (count > 0 && (count < 4 || (count & (count - 1)) != 0))
		return 0; /* there is: 4, then twice as many each time */
	larger = es_arena_calloc(arena, count == 0 ? 4 : 2 * count, size);
	if (larger == NULL)
		return ES_ENOMEM;
	if (count > 0)
		memcpy(larger, *items, count * size);
	*items = larger;
	return 0;
}

static int read_list(struct read_ctx *ctx, const struct path *path, Field *field, uint8_t *base)
{
	size_t size = size_of(field->type);
	uint8_t *items = NULL;
	size_t count = 0;
	int rc = expect(ctx, path, ES_JSON_ARRAY, "expected a list");

	if (rc == 0)
		rc = es_json_enter_array(&ctx->cursor);
	while (rc >= 0 && (rc = es_json_next_item(&ctx->cursor)) > 0) {
		const struct path here = {path, NULL, count};

		rc = grow(ctx->arena, &items, count, size);
		if (rc == 0)
			rc = read_value(ctx, &here, field, items + count * size);
		count++;
	}
	*(size_t *)(void *)(base + field->quantifier_offset) = count;
	*(uint8_t **)(void *)(base + field->offset) = items;
	return rc;
}

static int refuse_name(const struct read_ctx *ctx, const struct path *path, struct es_slice name)
{
	char what[96];

	(void)snprintf(what, sizeof(what), "unknown field \"%.*s\"",
		       (int)(name.len < 64 ? name.len : 64), (const char *)name.data);
	return refuse(ctx, path, what);
}

static int read_field(struct read_ctx *ctx, const struct path *path, Field *field, uint8_t *base)
{
	int type = es_json_peek(&ctx->cursor);
	uint32_t set;

	if (type == ES_JSON_NULL)
		return es_json_skip(&ctx->cursor, NULL);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(ctx, path, field, base);
	if (is_oneof(field)) {
		memcpy(&set, base + field->quantifier_offset, sizeof(set));
		if (set != 0)
			return refuse(ctx, path, "another one of its kind is set too");
		memcpy(base + field->quantifier_offset, &field->id, sizeof(field->id));
	}
	return read_value(ctx, path, field, base + field->offset);
}

static int read_message(struct read_ctx *ctx, const struct path *path,
			const ProtobufCMessageDescriptor *descriptor,
			ProtobufCMessage **ret_message)
{
	ProtobufCMessage *message = es_arena_alloc(ctx->arena, descriptor->sizeof_message);
	bool *seen = es_arena_calloc(ctx->arena, descriptor->n_fields + 1, sizeof(*seen));
	struct es_slice name;
	int rc;

	if (message == NULL || seen == NULL)
		return ES_ENOMEM;
	descriptor->message_init(message);
	*ret_message = message;
	rc = expect(ctx, path, ES_JSON_OBJECT, "expected an object");
	if (rc == 0)
		rc = es_json_enter_object(&ctx->cursor);
	while (rc >= 0 && (rc = es_json_next_member(&ctx->cursor, ctx->arena, &name)) > 0) {
		Field *field = find_field(descriptor, name);
		const struct path here = {path, field == NULL ? "" : field->name, 0};

		if (field == NULL)
			return refuse_name(ctx, path, name);
		if (seen[field - descriptor->fields])
			return refuse(ctx, &here, "it is there twice");
		seen[field - descriptor->fields] = true;
		rc = read_field(ctx, &here, field, (uint8_t *)message);
	}
	return rc;
}

int es_wire_json_read(const ProtobufCMessageDescriptor *descriptor, struct es_slice text,
		      const struct es_wire_json_options *options, struct es_arena *arena,
		      ProtobufCMessage **ret_message, char *errmsg, size_t errmsg_size)
{
	struct read_ctx ctx = {
		.options = options, .arena = arena, .errmsg = errmsg, .errmsg_size = errmsg_size};
	int rc;

	errmsg[0] = '\0';
	es_json_cursor_init(&ctx.cursor, text, ES_JSON_DEPTH_MAX);
	rc = read_message(&ctx, NULL, descriptor, ret_message);
	if (rc == 0)
		rc = es_json_cursor_end(&ctx.cursor);
	if (rc == ES_EDECODE && errmsg[0] == '\0')
		(void)snprintf(errmsg, errmsg_size, "not JSON: %s at byte %zu",
			       ctx.cursor.error.what, ctx.cursor.error.offset);
	return rc;
}
