#ifndef ES_TESTS_RANDOM_MESSAGE_H
#define ES_TESTS_RANDOM_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/mem.h"
#include "base/rng.h"

/*
 * A message of any type with random content, allocated from the arena: fields unset and set,
 * numbers small, large and negative, lists short, messages nested up to `depth` levels below this
 * one.
 */
ProtobufCMessage *random_message(struct es_rng *rng, struct es_arena *arena,
				 const ProtobufCMessageDescriptor *type, unsigned depth);

/* Packed by protobuf-c, into the arena. */
struct es_slice packed(struct es_arena *arena, const ProtobufCMessage *message);

#endif
