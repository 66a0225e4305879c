#ifndef ES_STORE_KV_REQUEST_H
#define ES_STORE_KV_REQUEST_H

#include "store/internal.h"

/*
 * Writes of raw keys as the log holds them: etcd's requests (engine/command.h), encoded into `arena`,
 * together with the transaction that each stands for. Checked as etcd checks them. `max_ops` bounds
 * each list of a transaction. Any thread. ES_EEMPTY_KEY, ES_ETOO_MANY_OPS, ES_EDUPLICATE_KEY,
 * ES_EINVAL (*ret_why, static, says more: it is NULL for all others), ES_ENOMEM.
 */
struct es_store_request {
	enum es_command_kind kind;
	struct es_slice body;
	const struct es_mvcc_txn *txn;
};

int es_store_request_put(struct es_arena *arena, struct es_slice key, struct es_slice value,
			 int64_t lease, struct es_store_request *ret_request);
int es_store_request_delete(struct es_arena *arena, struct es_slice key, struct es_slice end,
			    struct es_store_request *ret_request);
int es_store_request_txn(struct es_arena *arena, const engenho_kv_txn *txn, uint32_t max_ops,
			 struct es_store_request *ret_request, const char **ret_why);

#endif
