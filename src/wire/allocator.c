#include "wire/allocator.h"

static void *arena_alloc(void *arena, size_t size)
{
	return es_arena_alloc(arena, size);
}

static void arena_free(void *arena, void *pointer)
{
	(void)arena;
	(void)pointer;
}

ProtobufCAllocator es_wire_allocator(struct es_arena *arena)
{
	return (ProtobufCAllocator){arena_alloc, arena_free, arena};
}
