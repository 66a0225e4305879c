#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json_internal.h"
#include "json_random.h"

/* How many doubles are tried, unless ES_TEST_DOUBLES says how many. The C library is the reference. */
#define DOUBLES 1000000

static uint64_t how_many(void)
{
	const char *text = getenv("ES_TEST_DOUBLES");

	return text == NULL ? DOUBLES : strtoull(text, NULL, 10);
}

static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static const char *format(double number, char out[ES_JSON_DOUBLE_MAX + 1])
{
	size_t len = es_json_format_double(number, out);

	assert_in_range(len, 3, ES_JSON_DOUBLE_MAX);
	out[len] = '\0';
	return out;
}

static double read_double(const char *text)
{
	struct es_json_text t = es_json_text(es_slice_str(text));
	struct es_json_decimal decimal;

	assert_int_equal(es_json_pass_number(&t, &decimal), 0);
	assert_ptr_equal(t.at, t.end);
	return decimal.negative ? -es_json_double_of(&decimal) : es_json_double_of(&decimal);
}

/* ---- writing ---------------------------------------------------------------------------- */

static void forms(void **state)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{0.0, "0.0"},
		{-0.0, "-0.0"},
		{1, "1.0"},
		{-1, "-1.0"},
		{10, "10.0"},
		{1000, "1000.0"},
		{2.5, "2.5"},
		{0.1, "0.1"},
		{123.456, "123.456"},
		{0.001234, "0.001234"},
		{1e-4, "0.0001"},
		{1e-5, "0.00001"},
		{-1.2345e-5, "-0.000012345"},
		{9.999999999999999e-6, "9.999999999999999e-6"},
		{1e-6, "1e-6"},
		{1.5e-7, "1.5e-7"},
		{1e15, "1000000000000000.0"},
		{123456789012345680.0, "1.2345678901234568e+17"},
		{9999999999999998.0, "9999999999999998.0"},
		{1e16, "1e+16"},
		{1.2345678901234568e+22, "1.2345678901234568e+22"},
		{1e22, "1e+22"},
		{1e23, "1e+23"},
		{1e300, "1e+300"},
		{-1.2345678901234568e-300, "-1.2345678901234568e-300"},
		{9007199254740991.0, "9007199254740991.0"},
		{9007199254740992.0, "9007199254740992.0"},
		{5e-324, "5e-324"},
		{2.225073858507201e-308, "2.225073858507201e-308"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{1.7976931348623157e+308, "1.7976931348623157e+308"},
		/* the closest decimal of 16 digits is not in the interval, and another is */
		{9.5367431640625e-07, "9.5367431640625e-7"},
		{5.684341886080802e-14, "5.684341886080802e-14"},
		{1.1805916207174113e+21, "1.1805916207174113e+21"},
		{9.007199254740993e+15, "9007199254740992.0"},
	};
	char text[ES_JSON_DOUBLE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		assert_string_equal(format(cases[i].number, text), cases[i].text);
}

/* The digits of a decimal as an integer, without zeros at the end; *ret_count of them. */
static uint64_t digits_of(const char *text, int *ret_count)
{
	uint64_t digits = 0;

	*ret_count = 0;
	for (; *text != '\0' && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9')
			digits = digits * 10 + (uint64_t)(*text - '0');
	while (digits > 0 && digits % 10 == 0)
		digits /= 10;
	for (uint64_t d = digits; d > 0; d /= 10)
		++*ret_count;
	return digits;
}

/* `number` (> 0) to `count` digits: the closest such decimal, and with `step` the one before or behind it. */
static void print_rounded(double number, int count, int step, char out[40])
{
	char digits[24];
	char *exponent;
	char closest[40];
	size_t at = 0;

	(void)snprintf(closest, sizeof(closest), "%.*e", count - 1, number);
	exponent = strchr(closest, 'e');
	for (const char *c = closest; c < exponent; c++)
		if (*c != '.')
			digits[at++] = *c;
	digits[at] = '\0';
	(void)snprintf(out, 40, "%llde%ld", strtoll(digits, NULL, 10) + step,
		       strtol(exponent + 1, NULL, 10) - count + 1);
}

static void check_shortest(double number)
{
	char text[ES_JSON_DOUBLE_MAX + 1];
	char other[40];
	int count;
	int other_count;
	uint64_t digits;

	format(number, text);
	number = fabs(number);
	if (!same(strtod(text[0] == '-' ? text + 1 : text, NULL), number) ||
	    !same(fabs(read_double(text)), number))
		fail_msg("%a is written as %s, which is another", number, text);
	digits = digits_of(text, &count);
	for (int step = -1; step <= 1 && count > 1; step++) {
		print_rounded(number, count - 1, step, other);
		if (same(strtod(other, NULL), number))
			fail_msg("%a is written as %s, and %s is shorter", number, text, other);
	}
	if (count == 0)
		return;
	print_rounded(number, count, 0, other);
	if (same(strtod(other, NULL), number) && digits_of(other, &other_count) != digits)
		fail_msg("%a is written as %s, and %s is closer", number, text, other);
}

static void powers_of_two_are_shortest(void **state)
{
	(void)state;
	for (int exponent = -1074; exponent <= 1023; exponent++) {
		double power = ldexp(1, exponent);

		check_shortest(power);
		check_shortest(nextafter(power, INFINITY));
		check_shortest(nextafter(power, 0));
	}
	check_shortest(1.7976931348623157e308);
}

static void powers_of_ten_are_shortest(void **state)
{
	(void)state;
	for (int exponent = -323; exponent <= 308; exponent++) {
		char text[20];
		double power;

		(void)snprintf(text, sizeof(text), "1e%d", exponent);
		power = strtod(text, NULL);
		check_shortest(power);
		check_shortest(nextafter(power, INFINITY));
		check_shortest(nextafter(power, 0));
	}
}

static void any_doubles_are_shortest(void **state)
{
	struct es_rng rng;
	uint64_t seed = 1;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	es_rng_init(&rng, seed);
	for (uint64_t n = how_many(); n > 0; n--)
		check_shortest(json_random_double(&rng));
}

/* ---- reading ---------------------------------------------------------------------------- */

static void check_reads(const char *text)
{
	double expected = strtod(text, NULL);

	if (!same(read_double(text), expected))
		fail_msg("%s is read as %a, not %a", text, read_double(text), expected);
}

static void decimals_are_read_as_the_c_library_does(void **state)
{
	struct es_rng rng;
	uint64_t seed = 2;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	es_rng_init(&rng, seed);
	for (uint64_t n = how_many() / 4; n > 0; n--) {
		char text[80];
		uint64_t whole = es_rng_next(&rng) >> es_rng_below(&rng, 64);
		uint64_t part = es_rng_next(&rng) >> es_rng_below(&rng, 64);
		int exponent = (int)es_rng_below(&rng, 700) - 360;

		if (es_rng_below(&rng, 3) == 0)
			exponent = (int)es_rng_below(&rng, 50) - 25;
		switch (es_rng_below(&rng, 3)) {
		case 0:
			(void)snprintf(text, sizeof(text), "%llue%d", (unsigned long long)whole,
				       exponent);
			break;
		case 1:
			(void)snprintf(text, sizeof(text), "0.%0*llue%d",
				       (int)es_rng_below(&rng, 30), (unsigned long long)part,
				       exponent);
			break;
		default:
			(void)snprintf(text, sizeof(text), "%llu.%0*llue%d",
				       (unsigned long long)whole, (int)es_rng_below(&rng, 30),
				       (unsigned long long)part, exponent);
			break;
		}
		check_reads(text);
	}
}

/* The middle of two doubles, all its digits, and what is a little less and a little more. */
static void check_middle(double number)
{
	char text[900], longer[1300];
	size_t digits;
	/* exact: a long double has more bits, and reaches further down */
	long double middle = ((long double)number + (long double)nextafter(number, INFINITY)) / 2;

	if (isinf(nextafter(number, INFINITY)))
		middle = ldexpl(1, 1024) - ldexpl(1, 970);
	(void)snprintf(text, sizeof(text), "%.800Le", middle);
	check_reads(text);
	digits = strcspn(text, "e");
	(void)snprintf(longer, sizeof(longer), "%.*s%0300d%s", (int)digits, text, 0, text + digits);
	check_reads(longer);
	longer[digits + 299] = '1';
	check_reads(longer);
	digits += 299;
	while (longer[--digits] == '0')
		;
	longer[digits]--;
	check_reads(longer);
}

static void middles_go_to_the_even_one(void **state)
{
	struct es_rng rng;
	uint64_t seed = 3;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	es_rng_init(&rng, seed);
	for (int i = 0; i < 5000; i++)
		check_middle(fabs(json_random_double(&rng)));
	check_middle(0);
	check_middle(5e-324);
	check_middle(2.225073858507201e-308);
	check_middle(1.7976931348623155e308);
	for (int i = 0; i < 5000; i++) { /* of few digits */
		char text[40];

		(void)snprintf(
			text, sizeof(text), "%llue%d",
			(unsigned long long)(es_rng_next(&rng) >> 10 | UINT64_C(1) << 53 | 1),
			(int)es_rng_below(&rng, 30) - 5);
		check_reads(text);
	}
}

static void many_digits(void **state)
{
	static char text[20000];
	static const char *const tails[] = {"", "e-10000", "1e-10000", "e-9990", "e-10300"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(tails); i++) {
		memset(text, '0', 10000);
		text[0] = '1';
		memcpy(text + 10000, tails[i], strlen(tails[i]) + 1);
		if (i != 0)
			check_reads(text);
		text[1] = '.';
		check_reads(text);
		memset(text, '9', 10000);
		if (i != 0)
			check_reads(text);
		memset(text, '0', 10000);
		text[1] = '.';
		text[9000] = '7';
		check_reads(text);
	}
}

/* Products of the table's neighbours: an entry that is off does not fit between them. */
static void the_table_is_in_order(void **state)
{
	(void)state;
	for (size_t i = 1; i < ES_ARRAY_LEN(es_json_pow10); i++) {
		unsigned __int128 before = (unsigned __int128)es_json_pow10[i - 1][0] << 64 |
					   es_json_pow10[i - 1][1];
		unsigned __int128 here = (unsigned __int128)es_json_pow10[i][0] << 64 |
					 es_json_pow10[i][1];
		/* times 10/16 or 10/8, rounded: as 5/8 or 5/4 */
		unsigned __int128 want = before / 4 * 5 + before % 4 * 5 / 4;

		if (want < before)
			want = before / 8 * 5 + before % 8 * 5 / 8;
		assert_true(here <= want + 1 && here + 2 >= want);
		assert_true(es_json_pow10[i][0] >> 63 == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(powers_of_two_are_shortest),
		cmocka_unit_test(powers_of_ten_are_shortest),
		cmocka_unit_test(any_doubles_are_shortest),
		cmocka_unit_test(decimals_are_read_as_the_c_library_does),
		cmocka_unit_test(middles_go_to_the_even_one),
		cmocka_unit_test(many_digits),
		cmocka_unit_test(the_table_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
