#include "store/internal.h"

void *es_store_block_new(struct es_store_block *block, size_t head_bytes, size_t bytes)
{
	head_bytes = es_store_aligned(head_bytes);
	block->at = es_alloc(es_mem_default(), head_bytes + bytes);
	if (block->at == NULL)
		return NULL;
	memset(block->at, 0, head_bytes);
	block->bytes = block->at + head_bytes;
	return block->at;
}

void *es_store_carve(struct es_store_block *block, size_t size)
{
	void *part = block->at;

	block->at += es_store_aligned(size);
	return part;
}

const char *es_store_carve_text(struct es_store_block *block, struct es_slice text)
{
	char *copy = block->bytes;

	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	block->bytes += text.len + 1;
	return copy;
}

engenho_bytes es_store_carve_bytes(struct es_store_block *block, struct es_slice bytes)
{
	return (engenho_bytes){es_store_carve_text(block, bytes), bytes.len};
}

bool es_store_keep(struct es_arena *arena, struct es_slice *bytes)
{
	uint8_t *copy = es_arena_alloc(arena, bytes->len);

	if (copy == NULL)
		return false;
	if (bytes->len > 0)
		memcpy(copy, bytes->data, bytes->len);
	bytes->data = copy;
	return true;
}
