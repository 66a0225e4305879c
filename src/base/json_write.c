/*
 * Values to their canonical text. Room is made for a string as it is and for each escape on its own: strings that are
 * escaped are rare, and six times their length in advance would be the size of the buffer.
 */
#include "base/assert.h"
#include "base/json_internal.h"

static inline int put(struct es_buf *buf, uint8_t c)
{
	if (buf->len == buf->cap) {
		int rc = es_buf_reserve(buf, 1);

		if (rc < 0)
			return rc;
	}
	buf->data[buf->len++] = c;
	return 0;
}

/* The first byte from `at` that has to be escaped, or `end`. */
static const uint8_t *escape_free_end(const uint8_t *at, const uint8_t *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t found = es_json_to_escape(es_load_u64le(at));

		if (found != 0)
			return at + __builtin_ctzll(found) / 8;
	}
	while (at < end && *at >= ' ' && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* The escape of `c`; at most 6 bytes to `out`. Returns how many. */
static size_t put_escape(uint8_t c, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";

	out[0] = '\\';
	switch (c) {
	case '"':
	case '\\': out[1] = c; return 2;
	case '\b': out[1] = 'b'; return 2;
	case '\t': out[1] = 't'; return 2;
	case '\n': out[1] = 'n'; return 2;
	case '\f': out[1] = 'f'; return 2;
	case '\r': out[1] = 'r'; return 2;
	default: break;
	}
	out[1] = 'u';
	out[2] = '0';
	out[3] = '0';
	out[4] = (uint8_t)digits[c >> 4];
	out[5] = (uint8_t)digits[c & 15];
	return 6;
}

static int write_string(struct es_buf *buf, struct es_slice string)
{
	const uint8_t *at = string.data;
	const uint8_t *end = string.len == 0 ? at : at + string.len;
	int rc = es_buf_reserve(buf, string.len + 2);

	if (rc < 0)
		return rc;
	buf->data[buf->len++] = '"';
	while (at < end) {
		const uint8_t *run_end = escape_free_end(at, end);
		size_t run = (size_t)(run_end - at);

		memcpy(buf->data + buf->len, at, run);
		buf->len += run;
		at = run_end;
		if (at == end)
			break;
		rc = es_buf_reserve(buf, 6 + (size_t)(end - at)); /* the rest and the quote too */
		if (rc < 0)
			return rc;
		buf->len += put_escape(*at++, buf->data + buf->len);
	}
	buf->data[buf->len++] = '"';
	return 0;
}

static int write_integer(struct es_buf *buf, bool negative, uint64_t number)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);
	int rc = es_buf_reserve(buf, 1 + sizeof(digits));

	if (rc < 0)
		return rc;
	if (negative)
		buf->data[buf->len++] = '-';
	do {
		digits[--at] = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	memcpy(buf->data + buf->len, digits + at, sizeof(digits) - at);
	buf->len += sizeof(digits) - at;
	return 0;
}

static int write_double(struct es_buf *buf, double number)
{
	int rc = es_buf_reserve(buf, ES_JSON_DOUBLE_MAX);

	if (rc == 0)
		buf->len += es_json_format_double(number, (char *)buf->data + buf->len);
	return rc;
}

static int write_value(struct es_buf *buf, const struct es_json *value);

static int write_array(struct es_buf *buf, const struct es_json *array)
{
	int rc = put(buf, '[');

	for (uint32_t i = 0; rc == 0 && i < array->count; i++) {
		if (i > 0)
			rc = put(buf, ',');
		if (rc == 0)
			rc = write_value(buf, &array->u.items[i]);
	}
	return rc < 0 ? rc : put(buf, ']');
}

static int write_object(struct es_buf *buf, const struct es_json *object)
{
	int rc = put(buf, '{');

	for (uint32_t i = 0; rc == 0 && i < object->count; i++) {
		if (i > 0)
			rc = put(buf, ',');
		if (rc == 0)
			rc = write_string(buf, object->u.members[i].name);
		if (rc == 0)
			rc = put(buf, ':');
		if (rc == 0)
			rc = write_value(buf, &object->u.members[i].value);
	}
	return rc < 0 ? rc : put(buf, '}');
}

static int write_value(struct es_buf *buf, const struct es_json *value)
{
	switch (value->type) {
	case ES_JSON_NULL: return es_buf_append(buf, "null", 4);
	case ES_JSON_BOOL:
		return value->u.boolean ? es_buf_append(buf, "true", 4)
					: es_buf_append(buf, "false", 5);
	case ES_JSON_INT:
		return value->u.i64 < 0 ? write_integer(buf, true, -(uint64_t)value->u.i64)
					: write_integer(buf, false, (uint64_t)value->u.i64);
	case ES_JSON_UINT: return write_integer(buf, false, value->u.u64);
	case ES_JSON_DOUBLE: return write_double(buf, value->u.number);
	case ES_JSON_STRING: return write_string(buf, value->u.string);
	case ES_JSON_ARRAY: return write_array(buf, value);
	case ES_JSON_OBJECT: return write_object(buf, value);
	}
	ES_ASSERT(false);
}

int es_json_write(struct es_buf *buf, const struct es_json *value)
{
	size_t len = buf->len;
	int rc = write_value(buf, value);

	if (rc < 0)
		buf->len = len;
	return rc;
}

int es_json_write_string(struct es_buf *buf, struct es_slice string)
{
	size_t len = buf->len;
	int rc = write_string(buf, string);

	if (rc < 0)
		buf->len = len;
	return rc;
}
