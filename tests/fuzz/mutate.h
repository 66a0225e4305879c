#ifndef ES_TESTS_MUTATE_H
#define ES_TESTS_MUTATE_H

#include "base/rng.h"
#include "base/slice.h"

/*
 * Damage `data`, `*len` bytes in a block of `cap`, in a few places as the generator says: bits and
 * bytes changed, runs cut out, doubled or moved, the end cut off. The same seed gives the same
 * damage. May leave nothing.
 */
void mutate(struct es_rng *rng, uint8_t *data, size_t *len, size_t cap);

#endif
