#include "support.h"

#include "base/rng.h"
#include "disk/raft_crc.h"

/* One bit after another: the definition. */
static uint32_t slow(uint32_t crc, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint32_t)bytes[i] << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ ((crc & 0x80000000u) != 0 ? 0x04c11db7u : 0);
	}
	return crc;
}

static void it_is_the_polynomial(void **state)
{
	uint8_t bytes[200];
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)es_rng_next(&rng);
	/* The check value of this polynomial with these parameters. */
	assert_true(es_raft_crc(0, ES_SLICE("123456789")) == 0x89a1897f);
	assert_int_equal(es_raft_crc(0, es_slice(NULL, 0)), 0);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		assert_true(es_raft_crc(0, es_slice(bytes, len)) == slow(0, bytes, len));
		for (size_t cut = 0; cut <= len; cut += 13) {
			uint32_t crc = es_raft_crc(0x1234567, es_slice(bytes, cut));

			assert_true(es_raft_crc(crc, es_slice(bytes + cut, len - cut)) ==
				    slow(0x1234567, bytes, len));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_the_polynomial)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
