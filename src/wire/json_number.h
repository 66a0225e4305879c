#ifndef ES_WIRE_JSON_NUMBER_H
#define ES_WIRE_JSON_NUMBER_H

#include "base/slice.h"

/* Numbers of JSON as proto3's mapping reads them. Pure. */

/* The string, if it is a number as JSON has them and nothing else, no space either; else empty. */
struct es_slice es_wire_number_in(struct es_slice string);

/*
 * The integer that a number of JSON is, exactly, however it is written: "10", "10.0", "1e1". `min` <= 0. *ret_bits is
 * two's complement. NULL, or, static, what is wrong: it is no integer, or out of range.
 */
const char *es_wire_integer(struct es_slice text, int64_t min, uint64_t max, uint64_t *ret_bits);

#endif
