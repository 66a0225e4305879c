#ifndef ES_RPC_POOL_H
#define ES_RPC_POOL_H

#include "base/mem.h"

/*
 * Small blocks that come and go with each call: freed ones are kept by size and given out again,
 * which costs a few instructions. What is kept is limited; larger blocks pass through.
 */
#define ES_POOL_CLASS_BYTES 64
#define ES_POOL_CLASSES     33 /* up to 2112 bytes */
#define ES_POOL_KEPT_MAX    ((size_t)4 << 20)

struct es_pool_block;

struct es_pool {
	const struct es_mem *mem;
	struct es_pool_block *kept[ES_POOL_CLASSES];
	size_t kept_bytes;
};

void es_pool_init(struct es_pool *pool, const struct es_mem *mem);
/* Every block must have been freed. */
void es_pool_close(struct es_pool *pool);
/* As malloc and the others. */
void *es_pool_alloc(struct es_pool *pool, size_t size);
void *es_pool_realloc(struct es_pool *pool, void *pointer, size_t size);
void es_pool_free(struct es_pool *pool, void *pointer);

#endif
