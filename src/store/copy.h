#ifndef ES_STORE_COPY_H
#define ES_STORE_COPY_H

#include "store/internal.h"

/*
 * Copying a large answer into a result, on the loop, a slice in each turn: others' calls go on meanwhile. What is
 * copied stays where it is until `done`: whoever begins holds it.
 */
struct es_store_copy {
	/* Set by whoever begins, the rest zeroed. */
	size_t count;
	size_t result_bytes, item_bytes; /* sizes of the structs */
	size_t more_bytes;               /* of texts in the result that belong to no item */
	/* The bytes of an item in the block, and the item itself. */
	size_t (*size)(const struct es_store_copy *copy, size_t i);
	void (*take)(struct es_store_copy *copy, size_t i);
	/* Exactly once, from the loop or before es_store_copy_begin returns. ES_ENOMEM, ES_ESTOPPED: there is no
	 * result. */
	void (*done)(struct es_store_copy *copy, int status);
	/* From the first `take` on. */
	void *result; /* a block, not initialised; whose it is from `done` on */
	void *items;
	struct es_store_block block;
	/* Own. */
	struct es_queue link;
	size_t at, bytes;
};

void es_store_copy_begin(engenho_store *store, struct es_store_copy *copy);

/* A turn's worth of all that are under way; of what is begun in a turn, too. */
void es_store_copies_serve(engenho_store *store);
/* End them. */
void es_store_copies_stop(engenho_store *store);

#endif
