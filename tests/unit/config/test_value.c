#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/value.h"

static void booleans(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
	static const char *const bad[] = {"", "yes", "2", "tRUE", "true ", "on"};
	bool value;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(yes); i++) {
		assert_int_equal(es_value_bool(yes[i], &value), 0);
		assert_true(value);
		assert_int_equal(es_value_bool(no[i], &value), 0);
		assert_false(value);
		assert_int_equal(es_value_bool(bad[i], &value), ES_EINVAL);
	}
}

static void unsigned_numbers(void **state)
{
	static const struct {
		const char *text;
		int status;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"10000", 0, 10000},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", ES_VALUE_RANGE, 0},
		{"99999999999999999999999", ES_VALUE_RANGE, 0},
		{"0x1F", 0, 31},
		{"0b101", 0, 5},
		{"0o17", 0, 15},
		{"017", 0, 15},
		{"08", ES_EINVAL, 0},
		{"0x", ES_EINVAL, 0},
		{"", ES_EINVAL, 0},
		{"-1", ES_EINVAL, 0},
		{"1e3", ES_EINVAL, 0},
		{"12 ", ES_EINVAL, 0},
		{" 12", ES_EINVAL, 0},
		{"100 # ms", ES_EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		uint64_t value = 77;

		assert_int_equal(es_value_uint(cases[i].text, UINT64_MAX, &value), cases[i].status);
		assert_int_equal(value, cases[i].status == 0 ? cases[i].value : 77);
	}
	assert_int_equal(es_value_uint("4294967296", UINT32_MAX, &(uint64_t){0}), ES_VALUE_RANGE);
}

static void signed_numbers(void **state)
{
	int64_t value = 0;

	(void)state;
	assert_int_equal(es_value_int("-1", &value), 0);
	assert_int_equal(value, -1);
	assert_int_equal(es_value_int("+7", &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(es_value_int("-9223372036854775808", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(es_value_int("9223372036854775807", &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(es_value_int("9223372036854775808", &value), ES_VALUE_RANGE);
	assert_int_equal(es_value_int("-9223372036854775809", &value), ES_VALUE_RANGE);
	assert_int_equal(es_value_int("--1", &value), ES_EINVAL);
	assert_int_equal(es_value_int("-", &value), ES_EINVAL);
}

static void durations(void **state)
{
	/* The text that comes out is Go's, for the same number. */
	static const struct {
		const char *text;
		int64_t ns;
		const char *printed;
	} cases[] = {
		{"0", 0, "0s"},
		{"0s", 0, "0s"},
		{"5s", 5000000000, "5s"},
		{"100ms", 100000000, "100ms"},
		{"1h30m", 5400000000000, "1h30m0s"},
		{"2h", 7200000000000, "2h0m0s"},
		{"10m", 600000000000, "10m0s"},
		{"1.5s", 1500000000, "1.5s"},
		{".5s", 500000000, "500ms"},
		{"5.s", 5000000000, "5s"},
		{"1.0005s", 1000500000, "1.0005s"},
		{"-1m", -60000000000, "-1m0s"},
		{"+5s", 5000000000, "5s"},
		{"12us", 12000, "12\xc2\xb5s"},
		{"12\xc2\xb5s", 12000, "12\xc2\xb5s"},
		{"12\xce\xbcs", 12000, "12\xc2\xb5s"},
		{"3ns", 3, "3ns"},
		{"1500us", 1500000, "1.5ms"},
		{"1h2m3.25s", 3723250000000, "1h2m3.25s"},
		{"60s", 60000000000, "1m0s"},
		{"0.100000000000000000000h", 360000000000, "6m0s"},
		{"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
	};
	static const char *const bad[] = {"",    "-",   "1",    "5",     "s",      ".s", "1x",
					  "1 s", "1s ", "1m30", "1..5s", "1.5.5s", "ms"};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		char text[ES_DURATION_TEXT_MAX];

		assert_int_equal(es_value_duration(cases[i].text, &ns), 0);
		assert_true(ns == cases[i].ns);
		es_value_duration_text(ns, text);
		assert_string_equal(text, cases[i].printed);
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		assert_int_equal(es_value_duration(bad[i], &ns), ES_EINVAL);
	assert_int_equal(es_value_duration("2562048h", &ns), ES_VALUE_RANGE);
	assert_int_equal(es_value_duration("99999999999999999999s", &ns), ES_VALUE_RANGE);
}

static void distances(void **state)
{
	(void)state;
	assert_int_equal(es_value_edit_distance("name", "name"), 0);
	assert_int_equal(es_value_edit_distance("name", "nmae"), 1);
	assert_int_equal(es_value_edit_distance("data-dir", "datadir"), 1);
	assert_int_equal(es_value_edit_distance("", "abc"), 3);
	assert_int_equal(es_value_edit_distance("kitten", "sitting"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booleans),       cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers), cmocka_unit_test(durations),
		cmocka_unit_test(distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
