#include "base/rng.h"

#include "base/assert.h"

/* xoshiro256** by Blackman and Vigna, seeded with splitmix64 as they advise. */

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void es_rng_init(struct es_rng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		rng->s[i] = z ^ (z >> 31);
	}
}

uint64_t es_rng_next(struct es_rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t es_rng_below(struct es_rng *rng, uint64_t bound)
{
	uint64_t limit;
	uint64_t value;

	ES_ASSERT(bound > 0);
	limit = UINT64_MAX -
		UINT64_MAX %
			bound; /* a multiple of bound: values above it would favour the low ones */
	do
		value = es_rng_next(rng);
	while (value >= limit);
	return value % bound;
}
