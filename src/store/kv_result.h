#ifndef ES_STORE_KV_RESULT_H
#define ES_STORE_KV_RESULT_H

#include "store/internal.h"

/* Copies of what the engine answered, each in one block of memory. NULL: none. On the loop. */
engenho_range_result *es_store_range_result(const struct es_mvcc_range_res *res, int64_t revision,
					    bool count_only);
engenho_kv_txn_result *es_store_txn_result(const struct es_mvcc_txn_res *res, int64_t revision);

/* The bytes of a key and value in a block, each with a NUL byte behind it. */
static inline size_t es_store_kv_size(const struct es_mvcc_kv *kv)
{
	return kv->key.len + 1 + kv->value.len + 1;
}
engenho_kv es_store_kv(struct es_store_block *block, const struct es_mvcc_kv *kv);

#endif
