#ifndef ES_BASE_QUEUE_H
#define ES_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

/* An intrusive doubly linked ring. The head and an unlinked item point at themselves. */
struct es_queue {
	struct es_queue *next;
	struct es_queue *prev;
};

static inline void es_queue_init(struct es_queue *q)
{
	q->next = q;
	q->prev = q;
}

static inline bool es_queue_empty(const struct es_queue *q)
{
	return q->next == q;
}

static inline void es_queue_push(struct es_queue *head, struct es_queue *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Unlinking an unlinked item does nothing. */
static inline void es_queue_remove(struct es_queue *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	es_queue_init(item);
}

/* The first item unlinked, or NULL. */
static inline struct es_queue *es_queue_pop(struct es_queue *head)
{
	struct es_queue *item = head->next;

	if (item == head)
		return NULL;
	es_queue_remove(item);
	return item;
}

#define ES_QUEUE_ITEM(pointer, type, member) ES_CONTAINER_OF(pointer, type, member)

#endif
