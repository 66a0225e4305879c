#ifndef ES_BASE_MEM_H
#define ES_BASE_MEM_H

#include "base/slice.h"

/*
 * Memory as an object, so that a test can count it and let any one allocation fail. Every structure borrows the
 * `const struct es_mem *` that it was made with and outlives nothing of it. es_mem_default() is malloc and friends
 * and may be used from any thread.
 */
struct es_mem {
	void *(*alloc)(void *ctx, size_t size); /* NULL when there is none */
	/* As realloc(3): the old block lives on failure. */
	void *(*realloc)(void *ctx, void *pointer, size_t size);
	void (*free)(void *ctx, void *pointer); /* NULL is allowed */
	void *ctx;
};

const struct es_mem *es_mem_default(void);

void *es_alloc(const struct es_mem *mem, size_t size);
/* Zeroed; NULL as well when count * size overflows. */
void *es_calloc(const struct es_mem *mem, size_t count, size_t size);
void *es_realloc(const struct es_mem *mem, void *pointer, size_t size);
void es_free(const struct es_mem *mem, void *pointer);
/* A copy with a NUL byte behind it. */
char *es_strndup(const struct es_mem *mem, struct es_slice bytes);

/*
 * An arena: many small allocations that are released in one call. Blocks are aligned for any type. Not thread-safe.
 */
struct es_arena_chunk;
struct es_arena {
	const struct es_mem *mem;
	struct es_arena_chunk *chunks; /* newest first */
	size_t chunk_bytes;            /* size of the next regular chunk */
	size_t bytes;                  /* of all chunks */
};

/* Allocates nothing yet. */
void es_arena_init(struct es_arena *arena, const struct es_mem *mem, size_t chunk_bytes);
/* NULL when memory is out; uninitialised bytes. */
void *es_arena_alloc(struct es_arena *arena, size_t size);
void *es_arena_calloc(struct es_arena *arena, size_t count, size_t size);
/* Releases everything; the arena can be used again. */
void es_arena_close(struct es_arena *arena);
/* The same, but keeps one chunk of the regular size, if there is one, for what comes next. */
void es_arena_reset(struct es_arena *arena);

/*
 * For tests: fails the n-th allocation after init (0 fails the first) and every later one when `sticky`.
 * `live` counts blocks that were not freed.
 */
struct es_fault_mem {
	struct es_mem mem; /* hand out &fault.mem */
	uint64_t countdown;
	bool fired;
	bool sticky;
	uint64_t live;
};

void es_fault_mem_init(struct es_fault_mem *fault, uint64_t fail_after);

#endif
