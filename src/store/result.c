#include "store/internal.h"

/* Before each block. */
struct head {
	_Alignas(16) const struct es_mem *mem;
};

void *es_store_block_new(const struct es_mem *mem, struct es_store_block *block, size_t head_bytes,
			 size_t bytes)
{
	struct head *head;

	head_bytes = es_store_aligned(head_bytes);
	head = es_alloc(mem, sizeof(*head) + head_bytes + bytes);
	if (head == NULL)
		return NULL;
	head->mem = mem;
	block->at = (char *)(head + 1);
	block->bytes = block->at + head_bytes;
	return block->at;
}

void es_store_block_free(void *result)
{
	struct head *head;

	if (result == NULL)
		return;
	head = (struct head *)result - 1;
	es_free(head->mem, head);
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
