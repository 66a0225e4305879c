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
/* In one block. NULL: no memory. */
engenho_write_result *es_store_write_result(const struct es_mem *mem,
					    const struct es_store_written *written);

/* The bytes of a resource in a block, and the resource in it. */
size_t es_store_resource_bytes(const struct es_typed_item *item);
engenho_resource es_store_resource(struct es_store_block *block, const struct es_typed_item *item);

/* The key as the typed layer has it, its parts borrowed or, with an arena, copied. ES_EINVAL for a missing part and
 * for reserved members that are not zero; ES_ENOMEM. */
int es_store_key(const engenho_key *key, struct es_arena *arena, struct es_resource_key *ret_key);

/* What a list or a watch is of, borrowed; of everything when `kind` is NULL. NULL, or why it is refused. */
const char *es_store_scope(const char *group, const char *version, const char *kind, const char *ns,
			   struct es_resource_scope *ret_scope);

#endif
