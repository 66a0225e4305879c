#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/json_number.h"

static void assert_problem(const char *text, int64_t min, uint64_t max, const char *expected)
{
	uint64_t bits;
	const char *problem = es_wire_integer(es_slice_str(text), min, max, &bits);

	if (problem == NULL)
		fail_msg("%s is taken", text);
	assert_string_equal(problem, expected);
}

static void integers_however_they_are_written(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{"120", 120},
		{"1.0", 1},
		{"-1.0", -1},
		{"-0", 0},
		{"0.000", 0},
		{"0e999", 0},
		{"0.0e-999", 0},
		{"1e17", 100000000000000000},
		{"1E+17", 100000000000000000},
		{"9007199254740993.0", 9007199254740993},
		{"9223372036854775807.00", INT64_MAX},
		{"-922337203685477580.8e1", INT64_MIN},
		{"-9223372036854775808", INT64_MIN},
		{"0.00000000000000000000000000000012e32", 12},
		{"50000000000000000000000000000e-28", 5},
		{"1000.50e2", 100050},
	};
	uint64_t bits;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		const char *problem = es_wire_integer(es_slice_str(cases[i].text), INT64_MIN,
						      INT64_MAX, &bits);

		if (problem != NULL || (int64_t)bits != cases[i].value)
			fail_msg("%s: %s, %lld", cases[i].text, problem == NULL ? "" : problem,
				 (long long)bits);
	}
	assert_null(es_wire_integer(ES_SLICE("18446744073709551615"), 0, UINT64_MAX, &bits));
	assert_true(bits == UINT64_MAX);
	assert_null(es_wire_integer(ES_SLICE("-0"), 0, UINT64_MAX, &bits));
}

static void what_is_none_or_too_large(void **state)
{
	static const char none[] = "expected an integer", large[] = "the number is out of range";
	static const char *const fractions[] = {"1.5", "1e-1", "-0.1", "9007199254740992.5",
						"1e-99999999999"};
	static const char *const too_large[] = {
		"9223372036854775808",
		"-9223372036854775809",
		"9223372036854775808.0",
		"1e19",
		"1e300",
		"100000000000000000000000",
		"1e99999999999999999999999",
		"18446744073709551616e0",
		"18446744073709551620",
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(fractions); i++)
		assert_problem(fractions[i], INT64_MIN, INT64_MAX, none);
	for (size_t i = 0; i < ES_ARRAY_LEN(too_large); i++)
		assert_problem(too_large[i], INT64_MIN, INT64_MAX, large);
	assert_problem("-1", 0, UINT64_MAX, large);
	assert_problem("4294967296", 0, UINT32_MAX, large);
	assert_problem("-2147483649", INT32_MIN, INT32_MAX, large);
	assert_problem("18446744073709551616", 0, UINT64_MAX, large);
}

static void numbers_in_strings(void **state)
{
	static const char *const wrong[] = {"",     " ",    " 1", "1 ",  "1\n", "+1",
					    "01",   "0x1",  "1e", "-",   "1.",  ".5",
					    "true", "null", "[]", "1,2", "NaN"};

	(void)state;
	assert_true(es_slice_eq(es_wire_number_in(ES_SLICE("-1.5e+3")), ES_SLICE("-1.5e+3")));
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++)
		assert_int_equal(es_wire_number_in(es_slice_str(wrong[i])).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_however_they_are_written),
		cmocka_unit_test(what_is_none_or_too_large),
		cmocka_unit_test(numbers_in_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
