#include "base/table.h"

#include "base/assert.h"
#include "base/status.h"

/*
 * Linear hashing (Litwin): with a width between 2^k and 2^(k+1), the buckets below width - 2^k are already split, each
 * into itself and the one 2^k above it. One more bucket splits the next one. So widening moves one chain, and the
 * array's doubling is a realloc of pointers, which touches no node.
 *
 * I1: room is a power of two, room / 2 < width <= room.
 * I2: a node is in bucket index_of(its hash).
 */
enum { WIDTH_MIN = 16 };

int es_table_init(struct es_table *table, const struct es_mem *mem)
{
	*table = (struct es_table){.mem = mem};
	table->buckets = es_calloc(mem, WIDTH_MIN, sizeof(struct es_table_node *));
	if (table->buckets == NULL)
		return ES_ENOMEM;
	table->width = WIDTH_MIN;
	table->room = WIDTH_MIN;
	return 0;
}

void es_table_close(struct es_table *table)
{
	if (table->mem == NULL) /* zeroed: it was never made */
		return;
	es_free(table->mem, table->buckets);
	*table = (struct es_table){.mem = table->mem};
}

static size_t index_of(const struct es_table *table, uint64_t hash)
{
	size_t index = (size_t)hash & (table->room - 1);

	return index < table->width ? index : index - table->room / 2;
}

static void widen(struct es_table *table)
{
	struct es_table_node **buckets;
	struct es_table_node **link;
	size_t added;

	if (table->width == table->room) {
		if (table->room > SIZE_MAX / sizeof(struct es_table_node *) / 2)
			return;
		buckets = es_realloc(table->mem, table->buckets,
				     2 * table->room * sizeof(struct es_table_node *));
		if (buckets == NULL)
			return;
		table->buckets = buckets;
		table->room *= 2;
	}
	added = table->width++;
	table->buckets[added] = NULL;
	link = &table->buckets[added - table->room / 2];
	while (*link != NULL) {
		struct es_table_node *node = *link;

		if (index_of(table, node->hash) != added) {
			link = &node->next;
			continue;
		}
		*link = node->next;
		node->next = table->buckets[added];
		table->buckets[added] = node;
	}
}

void es_table_insert(struct es_table *table, struct es_table_node *node, uint64_t hash)
{
	struct es_table_node **bucket;

	if (table->count >= table->width)
		widen(table);
	bucket = &table->buckets[index_of(table, hash)];
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	table->count++;
}

void es_table_remove(struct es_table *table, struct es_table_node *node)
{
	struct es_table_node **link = &table->buckets[index_of(table, node->hash)];

	while (*link != node) {
		ES_ASSERT(*link != NULL);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	table->count--;
}

static struct es_table_node *skip_to(struct es_table_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct es_table_node *es_table_first(const struct es_table *table, uint64_t hash)
{
	return skip_to(table->buckets[index_of(table, hash)], hash);
}

struct es_table_node *es_table_next(const struct es_table_node *node)
{
	return skip_to(node->next, node->hash);
}

struct es_table_node *es_table_pop(struct es_table *table, size_t *cursor)
{
	struct es_table_node *node;

	for (; *cursor < table->width; (*cursor)++) {
		node = table->buckets[*cursor];
		if (node != NULL) {
			table->buckets[*cursor] = node->next;
			table->count--;
			return node;
		}
	}
	return NULL;
}
