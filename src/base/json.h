#ifndef ES_BASE_JSON_H
#define ES_BASE_JSON_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/status.h"

/*
 * JSON values as resources have them, and their canonical form: compact, object members sorted by the bytes of their
 * names, only what must be escaped escaped, integers as integers, other numbers as the shortest decimal that reads
 * back to the same double. Equal values have equal bytes. (../shared's resource rules; RFC 8259 for the input, of which
 * nothing more and nothing less is accepted.)
 *
 * A value is a small struct that points into the text it was read from or into an arena; it is never changed once
 * it was made: the functions that "change" one give another that shares what is the same. Pure; any thread.
 */
enum es_json_type {
	ES_JSON_NULL,
	ES_JSON_BOOL,
	ES_JSON_INT,    /* what fits int64_t */
	ES_JSON_UINT,   /* above that, what fits uint64_t */
	ES_JSON_DOUBLE, /* with a fraction or an exponent, or an integer beyond 64 bits; finite */
	ES_JSON_STRING, /* UTF-8, may hold NUL */
	ES_JSON_ARRAY,
	ES_JSON_OBJECT,
};

struct es_json_member;

struct es_json {
	enum es_json_type type;
	uint32_t count; /* of an array or object */
	union {
		bool boolean;
		int64_t i64;
		uint64_t u64;
		double number;
		struct es_slice string;
		const struct es_json *items;
		const struct es_json_member *members; /* sorted by name, no two alike */
	} u;
};

struct es_json_member {
	struct es_slice name;
	struct es_json value;
};

/* Objects and arrays in each other, the outermost counted; with what the innermost holds that makes 128 levels. */
#define ES_JSON_DEPTH_MAX 127

struct es_json_error {
	size_t offset;    /* into the text */
	const char *what; /* static: "expected a value", "nested too deep" ... */
};

/*
 * Read one value and nothing behind it but white space. Of members with the same name the last one wins. `depth_max`:
 * containers in each other, at most ES_JSON_DEPTH_MAX, e.g. that less the depth at which the text will be put; 0 allows
 * none. The value points into `text` (below 4 GiB) and `arena`. ES_EDECODE with *ret_error (offset and cause);
 * ES_ENOMEM.
 */
int es_json_parse(struct es_slice text, unsigned depth_max, struct es_arena *arena,
		  struct es_json *ret_value, struct es_json_error *ret_error);

/*
 * How a number with a fraction, an exponent or more than 64 bits becomes a double.
 *
 * EXACT: the double closest to what is written; what es_json_write wrote reads back as the same. es_json_parse and
 * es_json_take read so.
 *
 * V0: as the program did that wrote the first catalogs: the digits as far as they fit uint64_t, made a double, times or
 * over a power of ten, each step rounded, so that the last digits may differ ("1e-214" gives 1.0000000000000001e-214).
 * What it computed is in files whose bytes are hashed. So the commands of a log under rules v0 are read like this, and
 * nothing else is: what was stored must not move each time it is read.
 */
enum es_json_numbers {
	ES_JSON_NUMBERS_EXACT,
	ES_JSON_NUMBERS_V0,
};
int es_json_parse_with(struct es_slice text, unsigned depth_max, enum es_json_numbers numbers,
		       struct es_arena *arena, struct es_json *ret_value,
		       struct es_json_error *ret_error);

/* Append the canonical form. ES_ENOMEM. */
int es_json_write(struct es_buf *buf, const struct es_json *value);
int es_json_write_string(struct es_buf *buf, struct es_slice string);
/* Shortest decimal, with ".0" or an exponent ("1e+16", "1e-6"), from 1e-5 up to below 1e16 without one. Writes at most
 * ES_JSON_DOUBLE_MAX bytes, no NUL; returns how many. `number` is finite. */
#define ES_JSON_DOUBLE_MAX 25
size_t es_json_format_double(double number, char out[ES_JSON_DOUBLE_MAX]);

/* Deep equality: as equal canonical forms. 1 and 1.0 differ. */
bool es_json_eq(const struct es_json *a, const struct es_json *b);

/* ---- looking ---------------------------------------------------------------------------- */

/* The member of that name, or NULL; NULL as well when `object` is NULL or not an object. */
const struct es_json *es_json_get(const struct es_json *object, const char *name);
const struct es_json *es_json_get_slice(const struct es_json *object, struct es_slice name);
/* A string's bytes; an empty slice for anything else, NULL included. */
struct es_slice es_json_as_string(const struct es_json *value);
static inline bool es_json_is(const struct es_json *value, enum es_json_type type)
{
	return value != NULL && value->type == type;
}
/* "null", "boolean", "number", "string", "array", "object". Static. */
const char *es_json_type_name(enum es_json_type type);

/* ---- making ----------------------------------------------------------------------------- */

static inline struct es_json es_json_string(struct es_slice text)
{
	return (struct es_json){.type = ES_JSON_STRING, .u.string = text};
}
static inline struct es_json es_json_int(int64_t number)
{
	return (struct es_json){.type = ES_JSON_INT, .u.i64 = number};
}
static inline struct es_json es_json_bool(bool b)
{
	return (struct es_json){.type = ES_JSON_BOOL, .u.boolean = b};
}
static inline struct es_json es_json_null(void)
{
	return (struct es_json){.type = ES_JSON_NULL};
}
static inline struct es_json es_json_object(void)
{
	return (struct es_json){.type = ES_JSON_OBJECT};
}

/*
 * `object` with the member set, or removed: its member list is copied (O(members)), nothing else. `ret_object` may be
 * `object`. What is not an object counts as an empty one. The name is borrowed. ES_ENOMEM.
 */
int es_json_set(struct es_arena *arena, const struct es_json *object, struct es_slice name,
		const struct es_json *value, struct es_json *ret_object);
int es_json_remove(struct es_arena *arena, const struct es_json *object, struct es_slice name,
		   struct es_json *ret_object);
/* An object of `count` members in any order (the array is the arena's and is sorted in place); of equal names the last
 * wins. */
struct es_json es_json_object_of(struct es_json_member *members, size_t count);
/* A copy that points only into `arena`. ES_ENOMEM. */
int es_json_copy(struct es_arena *arena, const struct es_json *value, struct es_json *ret_copy);

/* ---- large texts ------------------------------------------------------------------------ */

/*
 * A cursor over a text that is too large to be made into values: memory does not depend on the text. Every function
 * that returns int gives ES_EDECODE once the text is found wrong (es_json_cursor.error says where and why) and then
 * for ever.
 *
 *   enter an object or array; then while (es_json_next_member(&c, arena, &name) > 0) { take, skip or enter the value }
 *   leaves it with the end.
 */
struct es_json_cursor {
	struct es_slice text;
	size_t offset;
	unsigned depth, depth_max;
	bool failed;
	bool first; /* nothing was read yet in the container entered last */
	struct es_json_error error;
};

void es_json_cursor_init(struct es_json_cursor *cursor, struct es_slice text, unsigned depth_max);
/* The type of the value that is next (integers are ES_JSON_INT here, whatever they are); < 0: ES_EDECODE. */
int es_json_peek(struct es_json_cursor *cursor);
/* ES_EDECODE when something else is next. */
int es_json_enter_object(struct es_json_cursor *cursor);
int es_json_enter_array(struct es_json_cursor *cursor);
/* 1: a member, its value is next; 0: the end, and the object is left. The name is in the text or, when it has escapes,
 * in `arena`. ES_EDECODE, ES_ENOMEM. */
int es_json_next_member(struct es_json_cursor *cursor, struct es_arena *arena,
			struct es_slice *ret_name);
int es_json_next_item(struct es_json_cursor *cursor);
/* Check the next value and pass over it: *ret_text (may be NULL) is its bytes in the text. */
int es_json_skip(struct es_json_cursor *cursor, struct es_slice *ret_text);
/* Read the next value. ES_EDECODE, ES_ENOMEM. */
int es_json_take(struct es_json_cursor *cursor, struct es_arena *arena, struct es_json *ret_value);
/* Only white space is left. */
int es_json_cursor_end(struct es_json_cursor *cursor);

#endif
