#include "mvcc/pool.h"

#include "base/assert.h"

/*
 * A region is one allocation that holds PAGES pages, aligned to their size, so that a block's
 * address tells its page. What alignment leaves over in front holds the region's own header.
 *
 * Invariants
 * P1  A page in use is in the list of its block size if and only if it has room.
 * P2  A region is in the open list if and only if it has unused pages; one without used pages is
 *     freed.
 */

#define PAGE_BYTES   ((size_t)4096)
#define PAGES        30u /* a region stays below glibc's threshold for mmap */
#define REGION_BYTES (sizeof(struct es_mvcc_pool_region) + (PAGES + 1) * PAGE_BYTES)

struct free_block {
	struct free_block *next;
};

struct es_mvcc_pool_page {
	struct es_mvcc_pool_region *region;
	struct es_mvcc_pool_page *next, *prev; /* among the pages with room */
	struct free_block *freed;
	uint32_t used;  /* blocks handed out */
	uint32_t fresh; /* where the part of the page begins that was never handed out */
	uint8_t blocks[];
};

struct es_mvcc_pool_region {
	struct es_mvcc_pool_region *next, *prev; /* among the regions with unused pages */
	uint8_t *pages;
	uint32_t unused; /* a bit for each page */
};

#define UNUSED_ALL (((uint32_t)1 << PAGES) - 1)

/* Both lists: doubly linked, NULL at the ends. */
#define LIST_PUSH(head, item)                  \
	do {                                   \
		(item)->prev = NULL;           \
		(item)->next = (head);         \
		if ((head) != NULL)            \
			(head)->prev = (item); \
		(head) = (item);               \
	} while (0)

#define LIST_DROP(head, item)                              \
	do {                                               \
		if ((item)->prev != NULL)                  \
			(item)->prev->next = (item)->next; \
		else                                       \
			(head) = (item)->next;             \
		if ((item)->next != NULL)                  \
			(item)->next->prev = (item)->prev; \
	} while (0)

void es_mvcc_pool_init(struct es_mvcc_pool *pool, const struct es_mem *mem)
{
	*pool = (struct es_mvcc_pool){.mem = mem};
}

void es_mvcc_pool_close(struct es_mvcc_pool *pool)
{
	ES_ASSERT(pool->bytes == 0);
}

/* Block sizes are multiples of 8. */
static size_t units_of(size_t size)
{
	return (size + 7) / 8;
}

static bool has_room(const struct es_mvcc_pool_page *page, size_t units)
{
	return page->freed != NULL || page->fresh + units * 8 <= PAGE_BYTES;
}

static struct es_mvcc_pool_region *region_new(struct es_mvcc_pool *pool)
{
	struct es_mvcc_pool_region *region = es_alloc(pool->mem, REGION_BYTES);
	uintptr_t behind;

	if (region == NULL)
		return NULL;
	behind = (uintptr_t)(region + 1);
	region->pages = (uint8_t *)(region + 1) + (PAGE_BYTES - behind % PAGE_BYTES) % PAGE_BYTES;
	region->unused = UNUSED_ALL;
	LIST_PUSH(pool->open, region);
	return region;
}

static struct es_mvcc_pool_page *page_new(struct es_mvcc_pool *pool, size_t units)
{
	struct es_mvcc_pool_region *region = pool->open != NULL ? pool->open : region_new(pool);
	struct es_mvcc_pool_page *page;
	unsigned index;

	if (region == NULL)
		return NULL;
	index = (unsigned)__builtin_ctz(region->unused);
	region->unused &= ~((uint32_t)1 << index);
	if (region->unused == 0)
		LIST_DROP(pool->open, region);
	page = (struct es_mvcc_pool_page *)(void *)(region->pages + index * PAGE_BYTES);
	*page = (struct es_mvcc_pool_page){
		.region = region,
		.fresh = offsetof(struct es_mvcc_pool_page, blocks),
	};
	LIST_PUSH(pool->partial[units], page);
	return page;
}

static void page_free(struct es_mvcc_pool *pool, struct es_mvcc_pool_page *page)
{
	struct es_mvcc_pool_region *region = page->region;
	size_t index = (size_t)((uint8_t *)page - region->pages) / PAGE_BYTES;

	if (region->unused == 0)
		LIST_PUSH(pool->open, region);
	region->unused |= (uint32_t)1 << index;
	if (region->unused != UNUSED_ALL)
		return;
	LIST_DROP(pool->open, region);
	es_free(pool->mem, region);
}

void *es_mvcc_pool_alloc(struct es_mvcc_pool *pool, size_t size)
{
	size_t units = units_of(size);
	struct es_mvcc_pool_page *page;
	void *block;

	if (size > ES_MVCC_POOL_BLOCK_MAX) {
		block = es_alloc(pool->mem, size);
		if (block != NULL)
			pool->bytes += size;
		return block;
	}
	page = pool->partial[units] != NULL ? pool->partial[units] : page_new(pool, units);
	if (page == NULL)
		return NULL;
	if (page->freed != NULL) {
		block = page->freed;
		page->freed = page->freed->next;
	} else {
		block = (uint8_t *)page + page->fresh;
		page->fresh += (uint32_t)units * 8;
	}
	page->used++;
	pool->bytes += units * 8;
	if (!has_room(page, units))
		LIST_DROP(pool->partial[units], page); /* P1 */
	return block;
}

void es_mvcc_pool_free(struct es_mvcc_pool *pool, void *block, size_t size)
{
	size_t units = units_of(size);
	struct es_mvcc_pool_page *page;
	struct free_block *freed = block;

	if (size > ES_MVCC_POOL_BLOCK_MAX) {
		pool->bytes -= size;
		es_free(pool->mem, block);
		return;
	}
	page = (struct es_mvcc_pool_page *)(void *)((uint8_t *)block -
						    (uintptr_t)block % PAGE_BYTES);
	ES_ASSERT(page->used > 0);
	pool->bytes -= units * 8;
	if (!has_room(page, units))
		LIST_PUSH(pool->partial[units], page); /* P1 */
	freed->next = page->freed;
	page->freed = freed;
	if (--page->used > 0)
		return;
	LIST_DROP(pool->partial[units], page);
	page_free(pool, page);
}
