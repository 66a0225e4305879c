#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "ctl/text.h"

static void expect(void (*print)(FILE *file, struct es_slice text), struct es_slice text,
		   const char *expected)
{
	char out[200] = "";
	FILE *file = fmemopen(out, sizeof(out), "w");

	assert_non_null(file);
	print(file, text);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(out, expected);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
	static const struct {
		struct es_slice text;
		const char *shown;
	} cases[] = {
		{ES_SLICE("plain, \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
		 "plain, \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{ES_SLICE("\x1b[31m\n\x7f"), "\\x1b[31m\\x0a\\x7f"},
		{ES_SLICE("a\0b"), "a\\x00b"},
		{ES_SLICE("\xc2\x9b"
			  "31m\xc2\xa0"),
		 "\\x9b31m\xc2\xa0"},
		{ES_SLICE("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf"),
		 "\xe2\x80\xa7\\u2028\\u202e\xe2\x80\xaf"},
		{ES_SLICE("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
		 "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa"},
		/* Not UTF-8: alone, cut short, longer than need be, half of a pair, too large. */
		{ES_SLICE("\x9b"
			  "1"),
		 "\\x9b1"},
		{ES_SLICE("\xe2\x80"), "\\xe2\\x80"},
		{ES_SLICE("\xc2"), "\\xc2"},
		{ES_SLICE("\xc0\x9b"), "\\xc0\\x9b"},
		{ES_SLICE("\xe0\x82\x9b"), "\\xe0\\x82\\x9b"},
		{ES_SLICE("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
		{ES_SLICE("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"},
		{ES_SLICE("\xff"), "\\xff"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		size_t width = 0;

		expect(es_ctl_print_text, cases[i].text, cases[i].shown);
		for (const char *c = cases[i].shown; *c != '\0'; c++)
			width += ((uint8_t)*c & 0xc0) != 0x80;
		assert_int_equal(es_ctl_text_width(cases[i].text), width);
	}
}

static void json_stays_the_same_value(void **state)
{
	(void)state;
	expect(es_ctl_print_json, ES_SLICE("a\"\\\n\xc2\x9b\xe2\x80\xae\xff\xc3\xa9"),
	       "\"a\\\"\\\\\\u000a\\u009b\\u202e\\ufffd\xc3\xa9\"");
	expect(es_ctl_print_json_value, ES_SLICE("{\n\t\"\\\"\xc2\x9b\": \"\xe2\x81\xa6\x7f\"\n}"),
	       "{\n\t\"\\\"\\u009b\": \"\\u2066\\u007f\"\n}");
	expect(es_ctl_print_json_value, ES_SLICE(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
		cmocka_unit_test(json_stays_the_same_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
