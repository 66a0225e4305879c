#ifndef ES_BASE_TABLE_H
#define ES_BASE_TABLE_H

#include "base/mem.h"

/*
 * A hash table of nodes that live inside the caller's objects. It knows only their hashes: the caller makes those (with
 * es_siphash when keys come from outside) and compares keys itself. The table grows by one bucket an insertion, so no
 * insertion pays for moving the whole table; when memory is out it stays as wide as it is and only becomes slower.
 *
 *	for (node = es_table_first(table, hash); node != NULL; node = es_table_next(node))
 *		if (the key of ES_CONTAINER_OF(node, ...) is the right one)
 */
struct es_table_node {
	struct es_table_node *next; /* in its bucket */
	uint64_t hash;
};

struct es_table {
	const struct es_mem *mem;
	struct es_table_node **buckets;
	size_t width; /* buckets in use */
	size_t room;  /* buckets allocated */
	size_t count; /* nodes */
};

/* ES_ENOMEM; es_table_close may be called all the same. */
int es_table_init(struct es_table *table, const struct es_mem *mem);
/* Frees the buckets; the nodes are the caller's. A zeroed table may be closed. */
void es_table_close(struct es_table *table);
/* Cannot fail. Equal hashes, and equal keys, may be in the table several times. */
void es_table_insert(struct es_table *table, struct es_table_node *node, uint64_t hash);
/* The node is in the table (asserted). */
void es_table_remove(struct es_table *table, struct es_table_node *node);
/* The nodes with exactly this hash; NULL at the end. */
struct es_table_node *es_table_first(const struct es_table *table, uint64_t hash);
struct es_table_node *es_table_next(const struct es_table_node *node);
/* For emptying a table: takes some node out, NULL when there is none. *cursor is 0 before the first call; nothing is
 * inserted between the calls. */
struct es_table_node *es_table_pop(struct es_table *table, size_t *cursor);

#endif
