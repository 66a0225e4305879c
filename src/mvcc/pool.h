#ifndef ES_MVCC_POOL_H
#define ES_MVCC_POOL_H

#include "base/mem.h"

/*
 * Memory for many small blocks of few sizes, packed: no header in front of each and no rounding
 * beyond 8 bytes, and blocks of one size share pages, so that keys lie close together however large
 * the values between them are. Blocks are aligned to 8. Pages that become empty serve any size, and
 * regions that become empty are given back.
 */
#define ES_MVCC_POOL_BLOCK_MAX 256 /* larger blocks are allocated one by one */

struct es_mvcc_pool_page;
struct es_mvcc_pool_region;

struct es_mvcc_pool {
	const struct es_mem *mem;
	/* Pages with room, by block size in units of 8. */
	struct es_mvcc_pool_page *partial[ES_MVCC_POOL_BLOCK_MAX / 8 + 1];
	struct es_mvcc_pool_region *open; /* regions with unused pages */
	uint64_t bytes; /* of blocks; a page or two of room is not worth telling a quota */
};

void es_mvcc_pool_init(struct es_mvcc_pool *pool, const struct es_mem *mem);
/* All blocks were freed (asserted). */
void es_mvcc_pool_close(struct es_mvcc_pool *pool);

/* NULL when memory is out. `size` is above 0. */
void *es_mvcc_pool_alloc(struct es_mvcc_pool *pool, size_t size);
/* `size` is the one that it was allocated with. */
void es_mvcc_pool_free(struct es_mvcc_pool *pool, void *block, size_t size);

#endif
