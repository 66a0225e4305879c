#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"

/* Vigna's splitmix64.c seeded with 1234567, and xoshiro256starstar.c from the state 1, 2, 3, 4. */
static void values_are_those_of_the_published_generators(void **state)
{
	static const uint64_t seeded[4] = {
		UINT64_C(6457827717110365317),
		UINT64_C(3203168211198807973),
		UINT64_C(9817491932198370423),
		UINT64_C(4593380528125082431),
	};
	static const uint64_t drawn[4] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 1234567);
	for (int i = 0; i < 4; i++)
		assert_true(rng.s[i] == seeded[i]);
	for (uint64_t i = 0; i < 4; i++)
		rng.s[i] = i + 1;
	for (int i = 0; i < 4; i++)
		assert_true(es_rng_next(&rng) == drawn[i]);
}

static void a_seed_repeats_its_sequence(void **state)
{
	struct es_rng a, b, c;
	int equal = 0;

	(void)state;
	es_rng_init(&a, 7);
	es_rng_init(&b, 7);
	es_rng_init(&c, 8);
	for (int i = 0; i < 100; i++) {
		uint64_t value = es_rng_next(&a);

		assert_true(value == es_rng_next(&b));
		equal += value == es_rng_next(&c);
	}
	assert_int_equal(equal, 0);
}

static void below_stays_below_and_is_even(void **state)
{
	const uint64_t bounds[] = {1, 2, 3, 10, UINT64_C(1) << 63, UINT64_MAX};
	int count[10] = {0};
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 3);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 1000; k++)
			assert_true(es_rng_below(&rng, bounds[i]) < bounds[i]);
	for (int i = 0; i < 10000; i++)
		count[es_rng_below(&rng, 10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(count[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_those_of_the_published_generators),
		cmocka_unit_test(a_seed_repeats_its_sequence),
		cmocka_unit_test(below_stays_below_and_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
