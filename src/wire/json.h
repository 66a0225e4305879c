#ifndef ES_WIRE_JSON_H
#define ES_WIRE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

/*
 * Protobuf messages as JSON, by their descriptors: the JSON mapping of proto3 (protobuf.dev/programming-guides/json).
 *
 * Written: names in lowerCamelCase, 64-bit integers as strings, enums by name, bytes in base64, floats and doubles with
 * the fewest digits that read back to the same, "NaN", "Infinity" and "-Infinity".
 *
 * Read: names in either form; numbers as numbers or strings, integers also as "1.0" and "1e17" as long as they are
 * integers and in range, all without space around them; enums by name or number; base64 of either alphabet; null for
 * "not set", also where JSON stands in place. A name that the message does not have is an error, and so is a field that
 * is there twice, under one name or both, and a text with a NUL character.
 *
 * Not there: maps and the well-known types (Timestamp and the like), which no message of ours has.
 */
struct es_wire_json_options {
	/* Names of bytes fields, as in the .proto file, that hold JSON themselves: written and read in place.
	 * NULL-terminated; NULL: none. */
	const char *const *json_fields;
	/* Write numbers, enums and booleans that have their default value too. */
	bool write_defaults;
};

/*
 * A message in `arena`, from the text of an object. ES_EDECODE with `errmsg`: where and what
 * ("not JSON: expected a value at byte 7", "key.name: expected a string"); ES_ENOMEM. As deep as the text, which is at
 * most ES_JSON_DEPTH_MAX.
 */
int es_wire_json_read(const ProtobufCMessageDescriptor *descriptor, struct es_slice text,
		      const struct es_wire_json_options *options, struct es_arena *arena,
		      ProtobufCMessage **ret_message, char *errmsg, size_t errmsg_size);

/* Append the message as one object, without line breaks (JSON in place comes as it is, but for those). ES_ENOMEM. */
int es_wire_json_write(struct es_buf *buf, const ProtobufCMessage *message,
		       const struct es_wire_json_options *options);

#endif
