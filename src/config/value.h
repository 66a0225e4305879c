#ifndef ES_CONFIG_VALUE_H
#define ES_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Values as etcd's flags, variables and config file write them: Go's booleans, integers and
 * durations. Pure functions; every parser answers ES_EINVAL for what it does not understand and
 * ES_VALUE_RANGE for what does not fit, and leaves its result alone then.
 */
enum {
	ES_VALUE_RANGE = -1000
}; /* beside ES_EINVAL: the number is one, but too large or too small */

/* 1, t, T, TRUE, true, True and the same for false. */
int es_value_bool(const char *text, bool *ret_value);
/* Decimal, 0x, 0o or 0, and 0b, as with Go's base 0. */
int es_value_uint(const char *text, uint64_t max, uint64_t *ret_value);
int es_value_int(const char *text, int64_t *ret_value);
/* "1h30m", "100ms", "1.5s", "-2us", "0": nanoseconds. */
int es_value_duration(const char *text, int64_t *ret_ns);

/* "1h30m0s", "100ms", "1.5s", "0s". */
#define ES_DURATION_TEXT_MAX 48
void es_value_duration_text(int64_t ns, char ret_text[ES_DURATION_TEXT_MAX]);

/* The number of single-letter edits, swaps of neighbours included, between two names. */
size_t es_value_edit_distance(const char *a, const char *b);
/* The distance from which a name is another word and no slip. */
size_t es_value_edit_distance_far(const char *name);

#endif
