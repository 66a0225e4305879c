/*
 * In front of each block stands the class it belongs to, or that it is too large for one. A class
 * is a number of units of ES_POOL_CLASS_BYTES, and class c is kept in kept[c - 1].
 */
#include "rpc/pool.h"

#include "base/assert.h"

struct es_pool_block {
	union {
		size_t class; /* 0: none; while it is out */
		struct es_pool_block *next;
	} u;
	size_t size; /* that was asked for, of a block without class */
	_Alignas(max_align_t) uint8_t bytes[];
};

void es_pool_init(struct es_pool *pool, const struct es_mem *mem)
{
	*pool = (struct es_pool){.mem = mem};
}

void es_pool_close(struct es_pool *pool)
{
	for (size_t i = 0; i < ES_POOL_CLASSES; i++) {
		while (pool->kept[i] != NULL) {
			struct es_pool_block *block = pool->kept[i];

			pool->kept[i] = block->u.next;
			es_free(pool->mem, block);
		}
	}
}

static struct es_pool_block *block_of(void *pointer)
{
	return ES_CONTAINER_OF(pointer, struct es_pool_block, bytes);
}

static void *alloc_large(struct es_pool *pool, size_t size)
{
	struct es_pool_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	block = es_alloc(pool->mem, sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	block->u.class = 0;
	block->size = size;
	return block->bytes;
}

void *es_pool_alloc(struct es_pool *pool, size_t size)
{
	size_t class = size / ES_POOL_CLASS_BYTES + 1;
	struct es_pool_block *block;

	if (class > ES_POOL_CLASSES)
		return alloc_large(pool, size);
	block = pool->kept[class - 1];
	if (block != NULL) {
		pool->kept[class - 1] = block->u.next;
		pool->kept_bytes -= class * ES_POOL_CLASS_BYTES;
	} else {
		block = es_alloc(pool->mem, sizeof(*block) + class * ES_POOL_CLASS_BYTES);
		if (block == NULL)
			return NULL;
	}
	block->u.class = class;
	return block->bytes;
}

void es_pool_free(struct es_pool *pool, void *pointer)
{
	struct es_pool_block *block;
	size_t class;

	if (pointer == NULL)
		return;
	block = block_of(pointer);
	class = block->u.class;
	if (class == 0 || pool->kept_bytes >= ES_POOL_KEPT_MAX) {
		es_free(pool->mem, block);
		return;
	}
	ES_ASSERT(class <= ES_POOL_CLASSES);
	block->u.next = pool->kept[class - 1];
	pool->kept[class - 1] = block;
	pool->kept_bytes += class * ES_POOL_CLASS_BYTES;
}

void *es_pool_realloc(struct es_pool *pool, void *pointer, size_t size)
{
	struct es_pool_block *block;
	size_t have;
	void *moved;

	if (pointer == NULL)
		return es_pool_alloc(pool, size);
	block = block_of(pointer);
	have = block->u.class == 0 ? block->size : block->u.class * ES_POOL_CLASS_BYTES;
	if (size <= have && block->u.class != 0)
		return pointer;
	moved = es_pool_alloc(pool, size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, pointer, size < have ? size : have);
	es_pool_free(pool, pointer);
	return moved;
}
