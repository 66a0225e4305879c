#ifndef ES_BASE_JSON_INTERNAL_H
#define ES_BASE_JSON_INTERNAL_H

#include "base/json.h"

/* What the files json*.c share. A text that is being read: begin <= at <= end. */
struct es_json_text {
	const uint8_t *begin, *at, *end;
	struct es_json_error error; /* of the first failure */
};

static inline struct es_json_text es_json_text(struct es_slice bytes)
{
	const uint8_t *begin = bytes.len == 0 ? (const uint8_t *)"" : bytes.data;

	return (struct es_json_text){begin, begin, begin + bytes.len, {0, ""}};
}

/* Returns ES_EDECODE. */
int es_json_fail(struct es_json_text *text, const uint8_t *at, const char *what);

static inline void es_json_pass_space(struct es_json_text *text)
{
	const uint8_t *at = text->at;

	while (at < text->end && *at <= ' ' &&
	       (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	text->at = at;
}

/* ---- strings ---------------------------------------------------------------------------- */

/* 0x80 in the first byte (at least) that is not plain; none: 0. Plain is what stands for itself in a
 * string: ASCII but for '"', '\\' and control characters. */
static inline uint64_t es_json_not_plain(uint64_t bytes)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t quote = bytes ^ ones * '"';
	uint64_t backslash = bytes ^ ones * '\\';

	return (bytes | (bytes - ones * ' ') | (quote - ones) | (backslash - ones)) & ones * 0x80;
}

/* As es_json_not_plain, but what is not ASCII is plain as well. */
static inline uint64_t es_json_to_escape(uint64_t bytes)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t quote = bytes ^ ones * '"';
	uint64_t backslash = bytes ^ ones * '\\';

	return ((((bytes - ones * ' ') & ~bytes) | ((quote - ones) & ~quote) |
		 ((backslash - ones) & ~backslash))) &
	       ones * 0x80;
}

/* The first byte from `at` that is not plain, or `end`. */
static inline const uint8_t *es_json_plain_end(const uint8_t *at, const uint8_t *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t found = es_json_not_plain(es_load_u64le(at));

		if (found != 0)
			return at + __builtin_ctzll(found) / 8;
	}
	while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* The string whose first quote was just passed: checked, and passed. *ret_raw is what is between the quotes. */
int es_json_pass_string(struct es_json_text *text, struct es_slice *ret_raw, bool *ret_escapes);
/* What a raw string that was checked stands for. `out` has room for raw.len bytes. Returns how many were written. */
size_t es_json_unescape(struct es_slice raw, uint8_t *out);
/* The same string as a value: in the text, or in the arena when it has escapes. */
int es_json_read_string(struct es_json_text *text, struct es_arena *arena, struct es_slice *ret);

/* ---- numbers ---------------------------------------------------------------------------- */

/* A number of the text: (-1)^negative * digits * 10^exponent, and its digits as they stand. */
struct es_json_decimal {
	bool negative;
	bool integral;         /* neither fraction nor exponent */
	struct es_slice whole; /* the digits before the point */
	struct es_slice part;  /* those behind it; may be empty */
	int64_t exponent; /* that was written; within +-10^12, beyond which it makes no difference */
};

/* The number that is next: its grammar is checked, and it is passed. */
int es_json_pass_number(struct es_json_text *text, struct es_json_decimal *ret_decimal);
/* The same as a value. */
int es_json_read_number(struct es_json_text *text, enum es_json_numbers numbers,
			struct es_json *ret_value);
/* The double closest to the decimal, of two the even one; infinite when it is too large. The sign is left out. */
double es_json_double_of(const struct es_json_decimal *decimal);
/* The same of digits * 10^exponent. */
double es_json_scale(uint64_t digits, int64_t exponent);

/* Made by scripts/make-pow10. 10^exponent, for ES_JSON_POW10_MIN <= exponent <= ES_JSON_POW10_MAX, as
 * the 128 bits from its highest one on, rounded up: [exponent - ES_JSON_POW10_MIN][0] is the upper
 * half. */
#define ES_JSON_POW10_MIN (-342)
#define ES_JSON_POW10_MAX 324
extern const uint64_t es_json_pow10[ES_JSON_POW10_MAX - ES_JSON_POW10_MIN + 1][2];

/* ---- values ----------------------------------------------------------------------------- */

/* true, false or null, whichever begins at text->at. */
int es_json_read_literal(struct es_json_text *text, struct es_json *ret_value);
/* The value that is next, of at most `depth_left` containers in each other. */
int es_json_read_value(struct es_json_text *text, unsigned depth_left, enum es_json_numbers numbers,
		       struct es_arena *arena, struct es_json *ret_value);
/* Sort by name, stable and in place, and of equal names keep the last. Returns how many are left. */
size_t es_json_sort_members(struct es_json_member *members, size_t count);

#endif
