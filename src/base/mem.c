#include "base/mem.h"

#include <stdlib.h>

#include "base/assert.h"

static void *default_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return malloc(size);
}

static void *default_realloc(void *ctx, void *pointer, size_t size)
{
	(void)ctx;
	return realloc(pointer, size);
}

static void default_free(void *ctx, void *pointer)
{
	(void)ctx;
	free(pointer);
}

const struct es_mem *es_mem_default(void)
{
	static const struct es_mem mem = {default_alloc, default_realloc, default_free, NULL};

	return &mem;
}

/* malloc(0) may answer NULL, which would read as "no memory". */
static size_t at_least_one(size_t size)
{
	return size == 0 ? 1 : size;
}

void *es_alloc(const struct es_mem *mem, size_t size)
{
	return mem->alloc(mem->ctx, at_least_one(size));
}

void *es_calloc(const struct es_mem *mem, size_t count, size_t size)
{
	size_t total;
	void *pointer;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	pointer = es_alloc(mem, total);
	if (pointer != NULL)
		memset(pointer, 0, total);
	return pointer;
}

void *es_realloc(const struct es_mem *mem, void *pointer, size_t size)
{
	return mem->realloc(mem->ctx, pointer, at_least_one(size));
}

void es_free(const struct es_mem *mem, void *pointer)
{
	if (pointer != NULL)
		mem->free(mem->ctx, pointer);
}

char *es_strndup(const struct es_mem *mem, struct es_slice bytes)
{
	char *copy = bytes.len == SIZE_MAX ? NULL : es_alloc(mem, bytes.len + 1);

	if (copy == NULL)
		return NULL;
	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	copy[bytes.len] = '\0';
	return copy;
}

struct es_arena_chunk {
	struct es_arena_chunk *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) uint8_t bytes[];
};

void es_arena_init(struct es_arena *arena, const struct es_mem *mem, size_t chunk_bytes)
{
	*arena = (struct es_arena){mem, NULL, chunk_bytes, 0};
}

void *es_arena_alloc(struct es_arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct es_arena_chunk *chunk = arena->chunks;
	size_t want;
	void *pointer;

	if (size > SIZE_MAX - align - sizeof(*chunk))
		return NULL;
	size = (at_least_one(size) + align - 1) / align * align;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		want = size > arena->chunk_bytes ? size : arena->chunk_bytes;
		if (want > SIZE_MAX - sizeof(*chunk))
			return NULL;
		chunk = es_alloc(arena->mem, sizeof(*chunk) + want);
		if (chunk == NULL)
			return NULL;
		chunk->size = want;
		chunk->used = 0;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->bytes += want;
	}
	pointer = chunk->bytes + chunk->used;
	chunk->used += size;
	return pointer;
}

void *es_arena_calloc(struct es_arena *arena, size_t count, size_t size)
{
	size_t total;
	void *pointer;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	pointer = es_arena_alloc(arena, total);
	if (pointer != NULL)
		memset(pointer, 0, total);
	return pointer;
}

void es_arena_close(struct es_arena *arena)
{
	while (arena->chunks != NULL) {
		struct es_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		es_free(arena->mem, chunk);
	}
	arena->bytes = 0;
}

void es_arena_reset(struct es_arena *arena)
{
	struct es_arena_chunk *kept = NULL;

	while (arena->chunks != NULL) {
		struct es_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		if (kept == NULL && chunk->size == arena->chunk_bytes)
			kept = chunk;
		else
			es_free(arena->mem, chunk);
	}
	if (kept != NULL) {
		kept->next = NULL;
		kept->used = 0;
	}
	arena->chunks = kept;
	arena->bytes = kept == NULL ? 0 : kept->size;
}

static bool fault_now(struct es_fault_mem *fault)
{
	if (fault->fired)
		return fault->sticky;
	if (fault->countdown > 0) {
		fault->countdown--;
		return false;
	}
	fault->fired = true;
	return true;
}

static void *fault_alloc(void *ctx, size_t size)
{
	struct es_fault_mem *fault = ctx;
	void *pointer = fault_now(fault) ? NULL : malloc(size);

	if (pointer != NULL)
		fault->live++;
	return pointer;
}

static void *fault_realloc(void *ctx, void *pointer, size_t size)
{
	struct es_fault_mem *fault = ctx;
	void *grown = fault_now(fault) ? NULL : realloc(pointer, size);

	if (grown != NULL && pointer == NULL)
		fault->live++;
	return grown;
}

static void fault_free(void *ctx, void *pointer)
{
	struct es_fault_mem *fault = ctx;

	ES_ASSERT(fault->live > 0);
	fault->live--;
	free(pointer);
}

void es_fault_mem_init(struct es_fault_mem *fault, uint64_t fail_after)
{
	*fault = (struct es_fault_mem){
		.mem = {fault_alloc, fault_realloc, fault_free, fault},
		.countdown = fail_after,
	};
}
