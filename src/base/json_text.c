/*
 * Strings and literals as they stand in a text.
 *
 * Nearly all strings of a resource are short and plain ASCII: they are looked through eight bytes at a time and are
 * used where they stand. Only a string with escapes is written anew, and never longer than it was.
 */
#include "base/json_internal.h"

int es_json_fail(struct es_json_text *text, const uint8_t *at, const char *what)
{
	text->error = (struct es_json_error){(size_t)(at - text->begin), what};
	text->at = at;
	return ES_EDECODE;
}

/* The length of the well-formed UTF-8 sequence at `at`, 0 for none. Neither overlong forms nor surrogates nor what is
 * above U+10FFFF (the table of Unicode's chapter 3.9: only the second byte is bound by more than 80..BF). */
static size_t utf8_len(const uint8_t *at, const uint8_t *end)
{
	uint8_t lead = *at;
	uint8_t low = 0x80;
	uint8_t high = 0xbf;
	size_t len;

	if (lead >= 0xc2 && lead <= 0xdf) {
		len = 2;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		len = 3;
		low = lead == 0xe0 ? 0xa0 : 0x80;
		high = lead == 0xed ? 0x9f : 0xbf;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		len = 4;
		low = lead == 0xf0 ? 0x90 : 0x80;
		high = lead == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if ((size_t)(end - at) < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
	int32_t value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static bool is_high_surrogate(int32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The length of the escape at `at`, which is its backslash; 0: there is none such, and the text has failed. */
static size_t escape_len(struct es_json_text *text, const uint8_t *at)
{
	int32_t unit;

	if (text->end - at < 2) {
		es_json_fail(text, text->end, "a string without an end");
		return 0;
	}
	if (at[1] != 'u') {
		if (at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL)
			return 2;
		es_json_fail(text, at, "an escape that there is not");
		return 0;
	}
	unit = hex4(at + 2, text->end);
	if (unit < 0) {
		es_json_fail(text, at, "\\u without four hexadecimal digits");
		return 0;
	}
	if (!is_high_surrogate(unit) && !is_low_surrogate(unit))
		return 6;
	if (is_high_surrogate(unit) && text->end - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
	    is_low_surrogate(hex4(at + 8, text->end)))
		return 12;
	es_json_fail(text, at, "half of a surrogate pair");
	return 0;
}

int es_json_pass_string(struct es_json_text *text, struct es_slice *ret_raw, bool *ret_escapes)
{
	const uint8_t *begin = text->at;
	const uint8_t *at = begin;
	size_t len;

	*ret_escapes = false;
	for (;;) {
		at = es_json_plain_end(at, text->end);
		if (at == text->end)
			return es_json_fail(text, at, "a string without an end");
		if (*at == '"')
			break;
		if (*at == '\\') {
			*ret_escapes = true;
			len = escape_len(text, at);
			if (len == 0)
				return ES_EDECODE;
		} else if (*at < ' ') {
			return es_json_fail(text, at, "a control character in a string");
		} else {
			len = utf8_len(at, text->end);
			if (len == 0)
				return es_json_fail(text, at, "not UTF-8");
		}
		at += len;
	}
	*ret_raw = es_slice(begin, (size_t)(at - begin));
	text->at = at + 1;
	return 0;
}

static size_t put_utf8(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* What the escape at `at` stands for, written to `out`; returns its length in the text. */
static size_t put_escape(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t *out_len)
{
	int32_t unit;

	*out_len = 1;
	switch (at[1]) {
	case 'b': *out = '\b'; return 2;
	case 'f': *out = '\f'; return 2;
	case 'n': *out = '\n'; return 2;
	case 'r': *out = '\r'; return 2;
	case 't': *out = '\t'; return 2;
	case 'u': break;
	default: *out = at[1]; return 2;
	}
	unit = hex4(at + 2, end);
	if (!is_high_surrogate(unit)) {
		*out_len = put_utf8((uint32_t)unit, out);
		return 6;
	}
	*out_len = put_utf8(0x10000 + (((uint32_t)unit & 0x3ff) << 10) +
				    ((uint32_t)hex4(at + 8, end) & 0x3ff),
			    out);
	return 12;
}

size_t es_json_unescape(struct es_slice raw, uint8_t *out)
{
	const uint8_t *at = raw.data;
	const uint8_t *end = at + raw.len;
	uint8_t *to = out;

	while (at < end) {
		const uint8_t *backslash = memchr(at, '\\', (size_t)(end - at));
		size_t run = (size_t)((backslash == NULL ? end : backslash) - at);
		size_t len;

		memcpy(to, at, run);
		to += run;
		at += run;
		if (at == end)
			break;
		at += put_escape(at, end, to, &len);
		to += len;
	}
	return (size_t)(to - out);
}

int es_json_read_string(struct es_json_text *text, struct es_arena *arena, struct es_slice *ret)
{
	bool escapes;
	uint8_t *copy;
	int rc = es_json_pass_string(text, ret, &escapes);

	if (rc < 0 || !escapes)
		return rc;
	copy = es_arena_alloc(arena, ret->len);
	if (copy == NULL)
		return ES_ENOMEM;
	*ret = es_slice(copy, es_json_unescape(*ret, copy));
	return 0;
}

int es_json_read_literal(struct es_json_text *text, struct es_json *ret_value)
{
	static const struct {
		const char *word;
		size_t len;
		struct es_json value;
	} literals[] = {
		{"null", 4, {.type = ES_JSON_NULL}},
		{"true", 4, {.type = ES_JSON_BOOL, .u.boolean = true}},
		{"false", 5, {.type = ES_JSON_BOOL, .u.boolean = false}},
	};

	for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
		if ((size_t)(text->end - text->at) >= literals[i].len &&
		    memcmp(text->at, literals[i].word, literals[i].len) == 0) {
			text->at += literals[i].len;
			*ret_value = literals[i].value;
			return 0;
		}
	return es_json_fail(text, text->at, "expected a value");
}
