#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json_internal.h"

static int read_number(const char *digits, enum es_json_numbers numbers, struct es_json *ret_value)
{
	struct es_json_text text = es_json_text(es_slice_str(digits));
	int rc = es_json_read_number(&text, numbers, ret_value);

	if (rc == 0)
		assert_ptr_equal(text.at, text.end);
	return rc;
}

static void integers_keep_64_bits(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
	} signed_ones[] = {
		{"0", 0},
		{"7", 7},
		{"-1", -1},
		{"9007199254740993", INT64_C(9007199254740993)},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775807", -INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	struct es_json value;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(signed_ones); i++) {
		assert_int_equal(read_number(signed_ones[i].text, ES_JSON_NUMBERS_EXACT, &value),
				 0);
		assert_int_equal(value.type, ES_JSON_INT);
		assert_true(value.u.i64 == signed_ones[i].number);
	}
	assert_int_equal(read_number("9223372036854775808", ES_JSON_NUMBERS_EXACT, &value), 0);
	assert_true(value.type == ES_JSON_UINT && value.u.u64 == (uint64_t)INT64_MAX + 1);
	assert_int_equal(read_number("18446744073709551615", ES_JSON_NUMBERS_V0, &value), 0);
	assert_true(value.type == ES_JSON_UINT && value.u.u64 == UINT64_MAX);
}

struct doubled {
	const char *text;
	double number;
};

static void check(const struct doubled *cases, size_t count, enum es_json_numbers numbers)
{
	for (size_t i = 0; i < count; i++) {
		struct es_json value;

		assert_int_equal(read_number(cases[i].text, numbers, &value), 0);
		assert_int_equal(value.type, ES_JSON_DOUBLE);
		assert_memory_equal(&value.u.number, &cases[i].number, sizeof(double));
	}
}

/* What is the same in both ways. */
static const struct doubled doubles[] = {
	{"-0", -0.0},
	{"0.0", 0.0},
	{"-0.0", -0.0},
	{"0e1", 0.0},
	{"0E+99999999999999999999", 0.0},
	{"-0e-99999999999999999999", -0.0},
	{"1.0", 1.0},
	{"2.50", 2.5},
	{"1e3", 1000.0},
	{"1E3", 1000.0},
	{"1e+3", 1000.0},
	{"1e-06", 1e-6},
	{"1e00000000000000000000000000003", 1000.0},
	{"0.3333333333333333", 0.3333333333333333},
	{"18446744073709551616", 18446744073709551616.0},
	{"-9223372036854775809", -9223372036854775808.0},
	{"12345678901234567890123", 1.2345678901234568e+22},
	{"1e308", 1e308},
	{"1e-99999999999999999999", 0.0},
	{"1e-400", 0.0},
};

static void others_become_doubles(void **state)
{
	static const struct doubled exactly[] = {
		{"1e-214", 1e-214},
		{"-224533.19094919902", -224533.19094919902},
		{"5e-324", 5e-324},
		{"1.7976931348623158e308", 1.7976931348623157e308},
	};

	(void)state;
	check(doubles, ES_ARRAY_LEN(doubles), ES_JSON_NUMBERS_EXACT);
	check(exactly, ES_ARRAY_LEN(exactly), ES_JSON_NUMBERS_EXACT);
}

/* From catalogs of the first format and the commands that made them, but for the last three, which are by its rules. */
static void as_the_first_catalogs_have_them(void **state)
{
	static const struct doubled moved[] = {
		{"1e-214", 1.0000000000000001e-214},
		{"-224533.19094919902", -224533.19094919905},
		{"-985148.5502426957", -985148.5502426956},
		{"1e-86", 9.999999999999999e-87},
		{"472670.15848857164", 472670.1584885717},
		{"3407.1820577222334", 3407.182057722234},
		{"8.304491693058626e-14", 8.304491693058627e-14},
		{"2.3899463328855954e-220", 2.389946332885595e-220},
		{"4.85972402681398e-123", 4.8597240268139796e-123},
		{"18446744073709551615.9", 18446744073709551616.0},
		/* the 9 does not fit, and what is behind the point moves into its place */
		{"18446744073709551619.3", 18446744073709551613.0},
		{"5e-324", 5e-324},
	};

	(void)state;
	check(doubles, ES_ARRAY_LEN(doubles), ES_JSON_NUMBERS_V0);
	check(moved, ES_ARRAY_LEN(moved), ES_JSON_NUMBERS_V0);
}

static void too_large_is_an_error(void **state)
{
	static const char *const large[] = {"1e309", "-1e309", "1e400", "1e99999999999999999999",
					    "179769313486231580800000000000000000000000e267"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(large); i++)
		for (int numbers = ES_JSON_NUMBERS_EXACT; numbers <= ES_JSON_NUMBERS_V0;
		     numbers++) {
			struct es_json_text text = es_json_text(es_slice_str(large[i]));
			struct es_json value;

			assert_int_equal(
				es_json_read_number(&text, (enum es_json_numbers)numbers, &value),
				ES_EDECODE);
			assert_string_equal(text.error.what, "a number too large for a double");
			assert_int_equal(text.error.offset, 0);
		}
}

static void the_grammar(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
	} wrong[] = {
		{"-", 1},    {"-a", 1},   {"--1", 1}, {"00", 0},   {"01", 0},     {"-01", 1},
		{"1.", 2},   {"1.e1", 2}, {"1.a", 2}, {"1e", 2},   {"1e+", 3},    {"1e-", 3},
		{"1ee1", 2}, {"0.", 2},   {"0e", 2},  {"1e1e", 3}, {"1.5e+x", 5}, {"-.5", 1},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		struct es_json_text text = es_json_text(es_slice_str(wrong[i].text));
		struct es_json value;
		int rc = es_json_read_number(&text, ES_JSON_NUMBERS_EXACT, &value);

		if (rc == 0) /* a number, and then something else */
			assert_int_equal((size_t)(text.at - text.begin), wrong[i].offset);
		else
			assert_int_equal(text.error.offset, wrong[i].offset);
	}
}

static void a_number_may_end_the_memory(void **state)
{
	static const char *const numbers[] = {"1", "-1", "1.5", "1e5", "1.5e+5", "0"};
	uint8_t bytes[8];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(numbers); i++) {
		size_t len = strlen(numbers[i]);
		struct es_json_text text;
		struct es_json value;

		memset(bytes, '9', sizeof(bytes)); /* digits behind the end */
		memcpy(bytes, numbers[i], len);
		text = es_json_text(es_slice(bytes, len));
		assert_int_equal(es_json_read_number(&text, ES_JSON_NUMBERS_EXACT, &value), 0);
		assert_ptr_equal(text.at, bytes + len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_keep_64_bits),
		cmocka_unit_test(others_become_doubles),
		cmocka_unit_test(as_the_first_catalogs_have_them),
		cmocka_unit_test(too_large_is_an_error),
		cmocka_unit_test(the_grammar),
		cmocka_unit_test(a_number_may_end_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
