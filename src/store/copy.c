#include "store/copy.h"

/*
 * First the sizes of all items are added up, then the block is made and filled. A turn of the loop has a budget, in
 * bytes, for all copies together.
 */
enum { ITEM_COST = 64 }; /* of looking at an item */

static void finish(struct es_store_copy *copy, int status)
{
	es_queue_remove(&copy->link);
	if (status < 0) {
		es_store_block_free(copy->result);
		copy->result = NULL;
	}
	copy->done(copy, status);
}

static bool make_block(engenho_store *store, struct es_store_copy *copy)
{
	copy->result = es_store_block_new(store->mem, &copy->block,
					  es_store_aligned(copy->result_bytes) +
						  copy->count * copy->item_bytes,
					  copy->bytes + copy->more_bytes);
	if (copy->result == NULL)
		return false;
	(void)es_store_carve(&copy->block, copy->result_bytes);
	copy->items = es_store_carve(&copy->block, copy->count * copy->item_bytes);
	copy->at = 0;
	return true;
}

/* Whether it is over. */
static bool step(engenho_store *store, struct es_store_copy *copy)
{
	for (; copy->result == NULL && copy->at < copy->count; copy->at++) {
		if (store->copy_budget <= 0)
			return false;
		store->copy_budget -= ITEM_COST;
		copy->bytes += copy->size(copy, copy->at);
	}
	if (copy->result == NULL && !make_block(store, copy)) {
		finish(copy, ES_ENOMEM);
		return true;
	}
	for (; copy->at < copy->count; copy->at++) {
		if (store->copy_budget <= 0)
			return false;
		store->copy_budget -= ITEM_COST + (int64_t)copy->size(copy, copy->at);
		copy->take(copy, copy->at);
	}
	finish(copy, 0);
	return true;
}

void es_store_copy_begin(engenho_store *store, struct es_store_copy *copy)
{
	es_queue_init(&copy->link);
	if (store->stopping) {
		finish(copy, ES_ESTOPPED);
		return;
	}
	/* Those that wait already are served first. */
	if (es_queue_empty(&store->copies) && step(store, copy))
		return;
	es_queue_push(&store->copies, &copy->link);
	es_store_work(store);
}

void es_store_copies_serve(engenho_store *store)
{
	struct es_queue *link;

	while (store->copy_budget > 0 && (link = es_queue_pop(&store->copies)) != NULL) {
		if (!step(store, ES_QUEUE_ITEM(link, struct es_store_copy, link)))
			es_queue_push(&store->copies, link);
	}
}

void es_store_copies_stop(engenho_store *store)
{
	while (!es_queue_empty(&store->copies))
		finish(ES_QUEUE_ITEM(store->copies.next, struct es_store_copy, link), ES_ESTOPPED);
}
