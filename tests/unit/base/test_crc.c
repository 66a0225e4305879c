#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"

/* RFC 3720, appendix B.4. */
static void crc32c_has_the_published_values(void **state)
{
	uint8_t bytes[32];
	static const uint8_t iscsi_read[48] = {
		0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};

	(void)state;
	assert_int_equal(es_crc32c(0, es_slice(NULL, 0)), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(es_crc32c(0, es_slice(bytes, 32)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(es_crc32c(0, es_slice(bytes, 32)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(es_crc32c(0, es_slice(bytes, 32)), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	assert_int_equal(es_crc32c(0, es_slice(bytes, 32)), 0x113fdb5c);
	assert_int_equal(es_crc32c(0, es_slice(iscsi_read, 48)), 0xd9963a56);
	assert_int_equal(es_crc32c(0, ES_SLICE("123456789")), 0xe3069283);
}

static void crc32_has_the_published_values(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(es_crc32(0, es_slice(NULL, 0)), 0);
	assert_int_equal(es_crc32(0, ES_SLICE("123456789")), 0xcbf43926);
	assert_int_equal(es_crc32(0, es_slice(bytes, 256)), 0x29058c73);
}

/* The definition, bit by bit. */
static uint32_t crc_by_bits(uint32_t polynomial, uint32_t crc, struct es_slice bytes)
{
	crc = ~crc;
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
	}
	return ~crc;
}

static void every_way_agrees_at_every_length_and_alignment(void **state)
{
	uint8_t bytes[300];
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)es_rng_next(&rng);
	for (size_t start = 0; start < 9; start++) {
		for (size_t len = 0; start + len <= sizeof(bytes); len++) {
			struct es_slice part = es_slice(bytes + start, len);
			uint32_t crc = (uint32_t)es_rng_next(&rng);
			uint32_t want = crc_by_bits(0x82f63b78, crc, part);

			assert_int_equal(es_crc32c(crc, part), want);
			assert_int_equal(es_crc32c_portable(crc, part), want);
			assert_int_equal(es_crc32(crc, part), crc_by_bits(0xedb88320, crc, part));
		}
	}
}

static void parts_continue_each_other(void **state)
{
	static const uint8_t bytes[50] = {7, 1, 200, 13, 0, 0, 5};
	uint32_t whole = es_crc32c(0, es_slice(bytes, 50));

	(void)state;
	for (size_t cut = 0; cut <= 50; cut++) {
		uint32_t first = es_crc32c(0, es_slice(bytes, cut));

		assert_int_equal(es_crc32c(first, es_slice(bytes + cut, 50 - cut)), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_has_the_published_values),
		cmocka_unit_test(crc32_has_the_published_values),
		cmocka_unit_test(every_way_agrees_at_every_length_and_alignment),
		cmocka_unit_test(parts_continue_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
