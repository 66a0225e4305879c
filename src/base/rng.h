#ifndef ES_BASE_RNG_H
#define ES_BASE_RNG_H

#include <stdint.h>

/* A small seeded generator (xoshiro256**) for tests and simulations; never for secrets. */
struct es_rng {
	uint64_t s[4];
};

void es_rng_init(struct es_rng *rng, uint64_t seed);
uint64_t es_rng_next(struct es_rng *rng);
/* Uniform in [0, bound), bound > 0. */
uint64_t es_rng_below(struct es_rng *rng, uint64_t bound);

#endif
