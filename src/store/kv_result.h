#ifndef ES_STORE_KV_RESULT_H
#define ES_STORE_KV_RESULT_H

#include "store/internal.h"

/* A copy of what the engine answered, in one block. NULL: no memory. On the loop. */
engenho_kv_txn_result *es_store_txn_result(const struct es_mem *mem,
					   const struct es_mvcc_txn_res *res, int64_t revision);

/* One of those that a range found, as it is to be shown. */
struct es_mvcc_kv es_store_kv_found(const struct es_mvcc_range_res *res, size_t i);

/* The bytes of a key and value in a block, each with a NUL byte behind it. */
static inline size_t es_store_kv_size(const struct es_mvcc_kv *kv)
{
	return kv->key.len + 1 + kv->value.len + 1;
}
engenho_kv es_store_kv(struct es_store_block *block, const struct es_mvcc_kv *kv);

#endif
