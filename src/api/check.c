#include "api/internal.h"
#include "api/writes.h"

/*
 * What etcd refuses before a request reaches the store, in the order in which it looks
 * (server/etcdserver/api/v3rpc/key.go). That a key is written once only: writes.c.
 */

/* etcd measures the request wrapped for its log: two headers and about 18 bytes. */
bool es_api_is_too_large(const struct es_engine *engine, size_t request_bytes)
{
	return request_bytes + 18 > es_engine_config(engine)->max_request_bytes;
}

int es_api_check_range(const struct es_wire_range *range)
{
	if (range->key.len == 0)
		return ES_EEMPTY_KEY;
	if (range->sort_order < ES_MVCC_SORT_NONE || range->sort_order > ES_MVCC_SORT_DESCEND)
		return ES_EINVALID_SORT;
	if (range->sort_target < ES_MVCC_SORT_KEY || range->sort_target > ES_MVCC_SORT_VALUE)
		return ES_EINVALID_SORT;
	return 0;
}

int es_api_check_put(const struct es_wire_put *put)
{
	if (put->key.len == 0)
		return ES_EEMPTY_KEY;
	if (put->ignore_value && put->value.len > 0)
		return ES_EVALUE_PROVIDED;
	if (put->ignore_lease && put->lease != 0)
		return ES_ELEASE_PROVIDED;
	return 0;
}

int es_api_check_delete(const struct es_wire_delete *del)
{
	return del->key.len == 0 ? ES_EEMPTY_KEY : 0;
}

static int check_txn_fields(const struct es_wire_txn *txn, int64_t max_ops);

static int check_ops(const struct es_wire_op *ops, size_t count, int64_t max_ops)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		switch (ops[i].kind) {
		case ES_WIRE_OP_NONE: rc = ES_EKEY_NOT_FOUND; break;
		case ES_WIRE_OP_RANGE: rc = es_api_check_range(&ops[i].u.range); break;
		case ES_WIRE_OP_PUT: rc = es_api_check_put(&ops[i].u.put); break;
		case ES_WIRE_OP_DELETE: rc = es_api_check_delete(&ops[i].u.del); break;
		case ES_WIRE_OP_TXN: rc = check_txn_fields(ops[i].u.txn, max_ops); break;
		}
	}
	return rc;
}

static int check_txn_fields(const struct es_wire_txn *txn, int64_t max_ops)
{
	size_t largest = txn->compare_count;
	int rc;

	if (largest < txn->success_count)
		largest = txn->success_count;
	if (largest < txn->failure_count)
		largest = txn->failure_count;
	if (txn->has_too_many_ops || max_ops < 0 || largest > (uint64_t)max_ops)
		return ES_ETOO_MANY_OPS;
	for (size_t i = 0; i < txn->compare_count; i++) {
		if (txn->compares[i].key.len == 0)
			return ES_EEMPTY_KEY;
	}
	rc = check_ops(txn->success, txn->success_count, max_ops - (int64_t)largest);
	if (rc == 0)
		rc = check_ops(txn->failure, txn->failure_count, max_ops - (int64_t)largest);
	return rc;
}

int es_api_check_txn(const struct es_wire_txn *txn, uint32_t max_ops, struct es_arena *arena)
{
	struct es_api_writes writes;
	int rc = check_txn_fields(txn, max_ops);

	if (rc == 0)
		rc = es_api_writes_collect(txn->success, txn->success_count, arena, &writes);
	if (rc == 0)
		rc = es_api_writes_collect(txn->failure, txn->failure_count, arena, &writes);
	return rc;
}
