#include <stdlib.h>

#include "api/internal.h"

/*
 * What etcd refuses before a request reaches the store, in the order in which it looks
 * (server/etcdserver/api/v3rpc/key.go).
 *
 * A key may be written once in a transaction: two puts of a key on one path, or a put under a
 * delete of the same level or of nested transactions before it, are refused. The two branches of
 * one nested transaction exclude each other and may both put a key. As in etcd, a delete's range is
 * compared as it is written, so one "to the end" (a zero byte) hides no put.
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
	if (max_ops < 0 || largest > (uint64_t)max_ops)
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

/* The keys put and the ranges deleted below one list of operations. `puts` is sorted and has no key
 * twice. */
struct writes {
	size_t put_count;
	struct es_slice *puts;
	size_t delete_count;
	struct es_mvcc_range *deletes;
};

static int by_bytes(const void *a, const void *b)
{
	return es_slice_cmp(*(const struct es_slice *)a, *(const struct es_slice *)b);
}

static bool deleted(const struct writes *writes, struct es_slice key)
{
	for (size_t i = 0; i < writes->delete_count; i++) {
		const struct es_mvcc_range *range = &writes->deletes[i];

		if (range->end.len == 0 ? es_slice_eq(range->key, key)
					: es_slice_cmp(range->key, key) <= 0 &&
						  es_slice_cmp(key, range->end) < 0)
			return true;
	}
	return false;
}

/* dst->puts and src->puts merged; keys in both are kept once when `both_allowed`, else refused. */
static int merge_puts(struct writes *dst, const struct writes *src, bool both_allowed,
		      struct es_arena *arena)
{
	struct es_slice *merged;
	size_t i = 0, j = 0, n = 0;

	if (src->put_count == 0)
		return 0;
	merged = es_arena_calloc(arena, dst->put_count + src->put_count, sizeof(*merged));
	if (merged == NULL)
		return ES_ENOMEM;
	while (i < dst->put_count || j < src->put_count) {
		int order = i == dst->put_count   ? 1
			    : j == src->put_count ? -1
						  : es_slice_cmp(dst->puts[i], src->puts[j]);

		if (order == 0 && !both_allowed)
			return ES_EDUPLICATE_KEY;
		merged[n++] = order <= 0 ? dst->puts[i] : src->puts[j];
		i += order <= 0;
		j += order >= 0;
	}
	dst->puts = merged;
	dst->put_count = n;
	return 0;
}

static int merge_deletes(struct writes *dst, const struct writes *src, struct es_arena *arena)
{
	struct es_mvcc_range *merged;

	if (src->delete_count == 0)
		return 0;
	merged = es_arena_calloc(arena, dst->delete_count + src->delete_count, sizeof(*merged));
	if (merged == NULL)
		return ES_ENOMEM;
	if (dst->delete_count > 0)
		memcpy(merged, dst->deletes, dst->delete_count * sizeof(*merged));
	memcpy(merged + dst->delete_count, src->deletes, src->delete_count * sizeof(*merged));
	dst->deletes = merged;
	dst->delete_count += src->delete_count;
	return 0;
}

static int collect(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
		   struct writes *ret_writes);

static int collect_nested(const struct es_wire_txn *txn, struct es_arena *arena, struct writes *all)
{
	struct writes success;
	struct writes failure;
	struct writes both;
	int rc = collect(txn->success, txn->success_count, arena, &success);

	if (rc == 0)
		rc = collect(txn->failure, txn->failure_count, arena, &failure);
	if (rc < 0)
		return rc;
	both = success;
	rc = merge_puts(&both, &failure, true, arena);
	for (size_t i = 0; i < both.put_count && rc == 0; i++) {
		if (deleted(all, both.puts[i]))
			rc = ES_EDUPLICATE_KEY;
	}
	if (rc == 0)
		rc = merge_puts(all, &both, false, arena);
	if (rc == 0)
		rc = merge_deletes(all, &success, arena);
	if (rc == 0)
		rc = merge_deletes(all, &failure, arena);
	return rc;
}

static int collect(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
		   struct writes *ret_writes)
{
	struct writes all = {0};
	struct writes own = {0};
	int rc = 0;

	all.deletes = es_arena_calloc(arena, count, sizeof(*all.deletes));
	own.puts = es_arena_calloc(arena, count, sizeof(*own.puts));
	if (all.deletes == NULL || own.puts == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ES_WIRE_OP_DELETE)
			all.deletes[all.delete_count++] = (struct es_mvcc_range){
				ops[i].u.del.key, ops[i].u.del.range_end};
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (ops[i].kind == ES_WIRE_OP_TXN)
			rc = collect_nested(ops[i].u.txn, arena, &all);
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (ops[i].kind != ES_WIRE_OP_PUT)
			continue;
		if (deleted(&all, ops[i].u.put.key))
			rc = ES_EDUPLICATE_KEY;
		own.puts[own.put_count++] = ops[i].u.put.key;
	}
	if (rc < 0)
		return rc;
	if (own.put_count > 1)
		qsort(own.puts, own.put_count, sizeof(*own.puts), by_bytes);
	for (size_t i = 1; i < own.put_count; i++) {
		if (es_slice_eq(own.puts[i - 1], own.puts[i]))
			return ES_EDUPLICATE_KEY;
	}
	rc = merge_puts(&all, &own, false, arena);
	*ret_writes = all;
	return rc;
}

int es_api_check_txn(const struct es_wire_txn *txn, uint32_t max_ops, struct es_arena *arena)
{
	struct writes writes;
	int rc = check_txn_fields(txn, max_ops);

	if (rc == 0)
		rc = collect(txn->success, txn->success_count, arena, &writes);
	if (rc == 0)
		rc = collect(txn->failure, txn->failure_count, arena, &writes);
	return rc;
}
