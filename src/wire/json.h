#ifndef ES_WIRE_JSON_H
#define ES_WIRE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

/*
 * Protobuf messages as JSON, by their descriptors: the JSON mapping of proto3 (protobuf.dev/programming-guides/json).
 * Written: names in lowerCamelCase, 64-bit integers as strings, enums by name, bytes in base64. Read:
 * names in either form, integers as numbers or strings, enums by name or number, base64 of either
 * alphabet, null for "not set". A member that the message does not have is an error.
 */
struct es_wire_json_options {
	/* Names of bytes fields, as in the .proto file, that hold JSON themselves: written and read in place.
	 * NULL-terminated; NULL: none. */
	const char *const *json_fields;
	/* Write numbers, enums and booleans that have their default value too. */
	bool write_defaults;
};

/*
 * A message in `arena`, from an object; borrows from `value`. ES_EDECODE with `errmsg`: where and what
 * ("key.name: expected a string"); ES_ENOMEM. As deep as the value.
 */
int es_wire_json_read(const ProtobufCMessageDescriptor *descriptor, const struct es_json *value,
		      const struct es_wire_json_options *options, struct es_arena *arena,
		      ProtobufCMessage **ret_message, char *errmsg, size_t errmsg_size);

/* Append the message as one object, without line breaks (JSON in place comes as it is, but for those). ES_ENOMEM. */
int es_wire_json_write(struct es_buf *buf, const ProtobufCMessage *message,
		       const struct es_wire_json_options *options);

#endif
