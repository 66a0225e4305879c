#ifndef ES_WIRE_GRPC_TEXT_H
#define ES_WIRE_GRPC_TEXT_H

#include "base/slice.h"
#include "base/status.h"

/* The header values of gRPC that have a form of their own. */

/* grpc-timeout: one to eight digits and a unit of H M S m u n. ES_EINVAL for anything else. At most
 * INT64_MAX. */
int es_grpc_timeout_parse(struct es_slice text, uint64_t *ret_timeout_ns);

/*
 * grpc-message: every byte that is not printable ASCII, and '%', as %XX. es_grpc_percent_write
 * writes es_grpc_percent_size bytes and returns the place behind them. es_grpc_percent_decode takes
 * text from anyone, passes on what is not well-formed, writes at most text.len bytes (`out` may be
 * where the text is) and returns how many.
 */
size_t es_grpc_percent_size(struct es_slice text);
uint8_t *es_grpc_percent_write(uint8_t *out, struct es_slice text);
size_t es_grpc_percent_decode(struct es_slice text, uint8_t *out);

#endif
