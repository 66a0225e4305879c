#ifndef ES_STORE_RESOURCE_RESULT_H
#define ES_STORE_RESOURCE_RESULT_H

#include "store/internal.h"

/* What is told of a write. */
struct es_store_written {
	struct es_resource_plan plan; /* its txn is of no use */
	struct es_resource_key key;
	int64_t revision;
	uint64_t applied_index;
};

/* Copy what is readable only now, inside `done`; on the loop. The key is that of the command, borrowed. ES_ENOMEM. */
int es_store_keep_written(const struct es_typed_write *write, struct es_arena *arena,
			  struct es_store_written *ret_written);
/* Results, each in one block of memory. NULL: none. */
engenho_write_result *es_store_write_result(const struct es_store_written *written);
/* On the loop. */
engenho_list_result *es_store_list_result(const struct es_typed_list *list);

/* The bytes of a resource in a block, and the resource in it. */
size_t es_store_resource_bytes(const struct es_typed_item *item);
engenho_resource es_store_resource(struct es_store_block *block, const struct es_typed_item *item);

/* The key as the typed layer has it, its parts borrowed or, with an arena, copied. ES_EINVAL for a missing part;
 * ES_ENOMEM. */
int es_store_key(const engenho_key *key, struct es_arena *arena, struct es_resource_key *ret_key);

#endif
