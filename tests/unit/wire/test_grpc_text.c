#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/grpc_text.h"

static void timeouts_in_every_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"1n", 1},
		{"2u", 2000},
		{"3m", 3000000},
		{"4S", UINT64_C(4000000000)},
		{"5M", UINT64_C(300000000000)},
		{"6H", UINT64_C(21600000000000)},
		{"0S", 0},
		{"00000005S", UINT64_C(5000000000)},
		{"99999999M", UINT64_C(5999999940000000000)},
		{"2562047H", UINT64_C(9223369200000000000)},
		{"2562048H", INT64_MAX}, /* would not fit */
		{"99999999H", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(good); i++) {
		uint64_t ns = 77;

		assert_int_equal(es_grpc_timeout_parse(es_slice_str(good[i].text), &ns), 0);
		assert_true(ns == good[i].ns);
	}
}

static void other_texts_are_no_timeouts(void **state)
{
	static const char *const bad[] = {
		"",    "S",   "1",   "1s",   "1h",   "123456789S", "-1S",
		"+1S", " 1S", "1 S", "1.5S", "1_0S", "0x1S",	   "1SS",
	};
	uint64_t ns = 77;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		assert_int_equal(es_grpc_timeout_parse(es_slice_str(bad[i]), &ns), ES_EINVAL);
	assert_true(ns == 77);
}

static void encodes(struct es_slice text, const char *wanted)
{
	uint8_t encoded[64];
	uint8_t decoded[64];
	uint8_t *end = es_grpc_percent_write(encoded, text);
	size_t len;

	assert_int_equal(end - encoded, es_grpc_percent_size(text));
	assert_true(es_slice_eq(es_slice(encoded, (size_t)(end - encoded)), es_slice_str(wanted)));
	len = es_grpc_percent_decode(es_slice(encoded, (size_t)(end - encoded)), decoded);
	assert_true(es_slice_eq(es_slice(decoded, len), text));
}

static void messages_are_percent_encoded(void **state)
{
	(void)state;
	encodes(ES_SLICE(""), "");
	encodes(ES_SLICE("etcdserver: key not found ~!"), "etcdserver: key not found ~!");
	encodes(ES_SLICE("100%"), "100%25");
	encodes(ES_SLICE("a\nb\x7f\0"), "a%0Ab%7F%00");
	encodes(ES_SLICE("caf\xc3\xa9"), "caf%C3%A9");
}

static void decoding_passes_on_what_is_not_well_formed(void **state)
{
	uint8_t text[] = "%4a%4A%%41%4%zz%a";
	size_t len;

	(void)state;
	len = es_grpc_percent_decode(es_slice(text, sizeof(text) - 1), text);
	assert_true(es_slice_eq(es_slice(text, len), ES_SLICE("JJ%A%4%zz%a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts_in_every_unit),
		cmocka_unit_test(other_texts_are_no_timeouts),
		cmocka_unit_test(messages_are_percent_encoded),
		cmocka_unit_test(decoding_passes_on_what_is_not_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
