#ifndef ES_WIRE_TRANSCODE_H
#define ES_WIRE_TRANSCODE_H

#include "wire/json.h"

/* Messages from one encoding to the other, by their descriptors: JSON as wire/json.h has it, and protobuf. */

/*
 * From JSON of anybody, an object or nothing at all, which is a message with nothing set. *ret_bytes is in `arena`.
 * ES_EDECODE with `errmsg`: where and what ("not JSON: expected a value at byte 7", "key.name: expected a string");
 * ES_ENOMEM.
 */
int es_wire_from_json(const ProtobufCMessageDescriptor *descriptor, struct es_slice json,
		      const struct es_wire_json_options *options, struct es_arena *arena,
		      struct es_slice *ret_bytes, char *errmsg, size_t errmsg_size);

/* Append as JSON what this process has encoded itself. ES_ENOMEM, also should it be no such message. */
int es_wire_to_json(const ProtobufCMessageDescriptor *descriptor, struct es_slice bytes,
		    const struct es_wire_json_options *options, struct es_buf *json);

#endif
