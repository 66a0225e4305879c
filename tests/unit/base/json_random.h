#ifndef ES_TESTS_JSON_RANDOM_H
#define ES_TESTS_JSON_RANDOM_H

#include "base/json.h"
#include "base/rng.h"

/* A value of at most `depth` containers in each other, in the arena: all types, names and strings with whatever UTF-8
 * can hold, numbers at their limits. */
struct es_json json_random_value(struct es_rng *rng, struct es_arena *arena, unsigned depth);
/* Any finite double, with more of the kinds that are hard to write. */
double json_random_double(struct es_rng *rng);
/* The value as text, not canonical: white space, escapes where none are needed, members in any order and some of them
 * twice, of which the last is the right one. */
void json_random_text(struct es_rng *rng, struct es_buf *buf, const struct es_json *value);
/* Damage `*len` bytes of text in a block of `cap` in a few places, mostly with what means something to JSON. */
void json_damage(struct es_rng *rng, uint8_t *text, size_t *len, size_t cap);

#endif
