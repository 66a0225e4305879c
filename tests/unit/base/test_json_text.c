#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json_internal.h"

/* Read the string `inner` between quotes, in memory that ends with the text; < 0, or it is `expected`. */
static int read_back(struct es_slice inner, struct es_slice expected,
		     struct es_json_error *ret_error)
{
	struct es_arena arena;
	uint8_t *bytes = malloc(inner.len + 2);
	struct es_json_text text;
	struct es_slice string;
	int rc;

	assert_non_null(bytes);
	bytes[0] = bytes[inner.len + 1] = '"';
	memcpy(bytes + 1, inner.data, inner.len);
	text = es_json_text(es_slice(bytes, inner.len + 2));
	text.at++;
	es_arena_init(&arena, es_mem_default(), 256);
	rc = es_json_read_string(&text, &arena, &string);
	if (rc == 0) {
		assert_ptr_equal(text.at, text.end);
		assert_true(es_slice_eq(string, expected));
	}
	*ret_error = text.error;
	es_arena_close(&arena);
	free(bytes);
	return rc;
}

static void reads(struct es_slice inner, struct es_slice expected)
{
	struct es_json_error error;

	assert_int_equal(read_back(inner, expected, &error), 0);
}

static void fails(struct es_slice inner, size_t offset, const char *what)
{
	struct es_json_error error;

	assert_int_equal(read_back(inner, inner, &error), ES_EDECODE);
	assert_string_equal(error.what, what);
	assert_int_equal(error.offset, offset + 1);
}

static void escapes(void **state)
{
	(void)state;
	reads(ES_SLICE(""), ES_SLICE(""));
	reads(ES_SLICE("\\\"\\\\\\/\\b\\f\\n\\r\\t"), ES_SLICE("\"\\/\b\f\n\r\t"));
	reads(ES_SLICE("\\u0000\\u001f\\u0041\\u007f"), ES_SLICE("\0\x1f"
								 "A\x7f"));
	reads(ES_SLICE("\\u0080\\u07ff\\u0800\\uffff\\uD7FF\\ue000"),
	      ES_SLICE("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80"));
	reads(ES_SLICE("a\\ud83d\\uDE00b\\ud800\\udc00\\uDBFF\\uDFFF"),
	      ES_SLICE("a\xf0\x9f\x98\x80"
		       "b\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	reads(ES_SLICE("\\u00e9\\u00C9"), ES_SLICE("\xc3\xa9\xc3\x89"));
}

static void what_is_no_escape(void **state)
{
	static const char none[] = "an escape that there is not";
	static const char digits[] = "\\u without four hexadecimal digits";
	static const char half[] = "half of a surrogate pair";

	(void)state;
	fails(ES_SLICE("ab\\a"), 2, none);
	fails(ES_SLICE("\\'"), 0, none);
	fails(ES_SLICE("\\N"), 0, none);
	fails(ES_SLICE("\\x41"), 0, none);
	fails(ES_SLICE("\\\0"), 0, none);
	fails(ES_SLICE("\\U0041"), 0, none);
	fails(ES_SLICE("\\u004"), 0, digits);
	fails(ES_SLICE("\\u00g0"), 0, digits);
	fails(ES_SLICE("\\u 041"), 0, digits);
	fails(ES_SLICE("\\u+041"), 0, digits);
	fails(ES_SLICE("\\ud800"), 0, half);
	fails(ES_SLICE("\\ud800x"), 0, half);
	fails(ES_SLICE("\\ud800\\n....."), 0, half);
	fails(ES_SLICE("\\ud800\\u0041"), 0, half);
	fails(ES_SLICE("\\ud800\\ud800"), 0, half);
	fails(ES_SLICE("\\ud800\\udc0"), 0, half);
	fails(ES_SLICE("x\\udc00"), 1, half);
	fails(ES_SLICE("\\udfff\\ud800"), 0, half);
	fails(ES_SLICE("\\"), 2, "a string without an end"); /* it escapes the quote */
}

static void control_characters(void **state)
{
	uint8_t inner[20];

	(void)state;
	for (unsigned c = 0; c < 0x80; c++)
		for (size_t at = 0; at < sizeof(inner); at++) {
			memset(inner, 'x', sizeof(inner));
			inner[at] = (uint8_t)c;
			if (c < ' ')
				fails(es_slice(inner, sizeof(inner)), at,
				      "a control character in a string");
			else if (c != '"' && c != '\\')
				reads(es_slice(inner, sizeof(inner)),
				      es_slice(inner, sizeof(inner)));
		}
}

/* The code point at p, or -1: by the definition, from what it decodes to. */
static int64_t code_point(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t want = p[0] < 0x80   ? 1
		      : p[0] < 0xc0 ? 0
		      : p[0] < 0xe0 ? 2
		      : p[0] < 0xf0 ? 3
		      : p[0] < 0xf8 ? 4
				    : 0;
	uint32_t c;

	if (want != len)
		return -1;
	c = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? -1 : (int64_t)c;
}

static void check_sequence(const uint8_t *bytes, size_t len)
{
	struct es_slice inner = es_slice(bytes, len);
	struct es_json_text text;
	uint8_t quoted[8];
	struct es_slice raw;
	bool escapes_seen;

	memcpy(quoted, bytes, len);
	quoted[len] = '"';
	text = es_json_text(es_slice(quoted, len + 1));
	if (code_point(bytes, len) >= 0) {
		assert_int_equal(es_json_pass_string(&text, &raw, &escapes_seen), 0);
		assert_true(es_slice_eq(raw, inner));
		assert_false(escapes_seen);
	} else {
		assert_int_equal(es_json_pass_string(&text, &raw, &escapes_seen), ES_EDECODE);
		assert_string_equal(text.error.what, "not UTF-8");
	}
}

/* Every first two bytes, and behind them what is at the limits. */
static void utf8(void **state)
{
	static const uint8_t limits[] = {0x00, 0x7f, 0x80, 0x8f, 0x90,
					 0x9f, 0xa0, 0xbf, 0xc0, 0xff};

	(void)state;
	for (unsigned a = 0x80; a < 0x100; a++) {
		check_sequence((const uint8_t[]){(uint8_t)a}, 1);
		for (unsigned b = 0x80; b < 0x100; b++) {
			uint8_t s[4] = {(uint8_t)a, (uint8_t)b};

			/* two sequences of one byte are never well-formed here, as none of one byte is */
			check_sequence(s, 2);
			for (size_t c = 2; c < sizeof(limits); c++) {
				s[2] = limits[c];
				if (code_point(s, 2) < 0)
					check_sequence(s, 3);
				for (size_t d = 2; d < sizeof(limits); d++) {
					s[3] = limits[d];
					if (code_point(s, 2) < 0 && code_point(s, 3) < 0)
						check_sequence(s, 4);
				}
			}
		}
	}
	fails(ES_SLICE("abc\xc3"), 3, "not UTF-8");
	fails(ES_SLICE("\xe2\x82"), 0, "not UTF-8");
	fails(ES_SLICE("\xe2\x82x"), 0, "not UTF-8");
	fails(ES_SLICE("\xed\xa0\x80"), 0, "not UTF-8");
	fails(ES_SLICE("\xc0\x80"), 0, "not UTF-8");
	fails(ES_SLICE("\xf4\x90\x80\x80"), 0, "not UTF-8");
	reads(ES_SLICE("\xf4\x8f\xbf\xbf..........\xc3\xa4"),
	      ES_SLICE("\xf4\x8f\xbf\xbf..........\xc3\xa4"));
}

static void without_an_end(void **state)
{
	static const char bytes[] = "abcdefgh\\u0041\xf0\x9f\x98\x80ijkl\\n\\ud83d\\ude00mnopqrst";

	(void)state;
	/* also in the middle of an escape and of a character */
	for (size_t len = 0; len < sizeof(bytes); len++) {
		uint8_t *copy = malloc(len == 0 ? 1 : len);
		struct es_json_text text;
		struct es_slice raw;
		bool escapes_seen;

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		text = es_json_text(es_slice(copy, len));
		assert_int_equal(es_json_pass_string(&text, &raw, &escapes_seen), ES_EDECODE);
		assert_in_range(text.error.offset, len < 12 ? 0 : len - 12, len);
		free(copy);
	}
}

static void literals(void **state)
{
	static const char *const wrong[] = {"",     "n",     "nul",  "nULL", "tru",
					    "fals", "falsy", "True", "x"};
	struct es_json value;
	struct es_json_text text = es_json_text(ES_SLICE("nulltruefalse"));

	(void)state;
	assert_int_equal(es_json_read_literal(&text, &value), 0);
	assert_int_equal(value.type, ES_JSON_NULL);
	assert_int_equal(es_json_read_literal(&text, &value), 0);
	assert_true(value.type == ES_JSON_BOOL && value.u.boolean);
	assert_int_equal(es_json_read_literal(&text, &value), 0);
	assert_true(value.type == ES_JSON_BOOL && !value.u.boolean);
	assert_ptr_equal(text.at, text.end);
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		text = es_json_text(es_slice_str(wrong[i]));
		assert_int_equal(es_json_read_literal(&text, &value), ES_EDECODE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(what_is_no_escape),
		cmocka_unit_test(control_characters),
		cmocka_unit_test(utf8),
		cmocka_unit_test(without_an_end),
		cmocka_unit_test(literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
