#ifndef ES_WIRE_ALLOCATOR_H
#define ES_WIRE_ALLOCATOR_H

#include <protobuf-c/protobuf-c.h>

#include "base/mem.h"

/*
 * An allocator that lets protobuf-c unpack into an arena: nothing is freed one by one, so nothing
 * of the message needs x__free_unpacked. Borrows the arena.
 *
 * protobuf-c recurses as deep as the input is nested. Messages that can hold themselves
 * (TxnRequest, RequestOp and their answers) must not be unpacked with it from untrusted bytes:
 * wire/request.h is for those.
 */
ProtobufCAllocator es_wire_allocator(struct es_arena *arena);

#endif
