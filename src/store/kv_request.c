#include "store/kv_request.h"

#include <stdlib.h>

#include "wire/pb.h"

/*
 * Fields by their numbers in proto/rpc.proto. Sizes first, then bytes, as wire/pb.h has it; the
 * transaction is then decoded from the bytes, as a replay does it.
 */

/* ---- the three requests ---------------------------------------------------------------------- */

static size_t put_size(struct es_slice key, struct es_slice value, int64_t lease)
{
	return es_pb_bytes_size(1, key) + es_pb_bytes_size(2, value) + es_pb_int_size(3, lease);
}

static uint8_t *put_write(uint8_t *out, struct es_slice key, struct es_slice value, int64_t lease)
{
	out = es_pb_write_bytes(out, 1, key);
	out = es_pb_write_bytes(out, 2, value);
	return es_pb_write_int(out, 3, lease);
}

static size_t delete_size(struct es_slice key, struct es_slice end)
{
	return es_pb_bytes_size(1, key) + es_pb_bytes_size(2, end);
}

static uint8_t *delete_write(uint8_t *out, struct es_slice key, struct es_slice end)
{
	out = es_pb_write_bytes(out, 1, key);
	return es_pb_write_bytes(out, 2, end);
}

static int finish(struct es_arena *arena, struct es_store_request *request)
{
	return es_command_txn(request->kind, request->body, arena, &request->txn);
}

int es_store_request_put(struct es_arena *arena, struct es_slice key, struct es_slice value,
			 int64_t lease, struct es_store_request *ret_request)
{
	size_t size = put_size(key, value, lease);
	uint8_t *body;

	if (key.len == 0)
		return ES_EEMPTY_KEY;
	body = es_arena_alloc(arena, size);
	if (body == NULL)
		return ES_ENOMEM;
	(void)put_write(body, key, value, lease);
	ret_request->kind = ES_COMMAND_PUT;
	ret_request->body = es_slice(body, size);
	return finish(arena, ret_request);
}

int es_store_request_delete(struct es_arena *arena, struct es_slice key, struct es_slice end,
			    struct es_store_request *ret_request)
{
	size_t size = delete_size(key, end);
	uint8_t *body;

	if (key.len == 0)
		return ES_EEMPTY_KEY;
	body = es_arena_alloc(arena, size);
	if (body == NULL)
		return ES_ENOMEM;
	(void)delete_write(body, key, end);
	ret_request->kind = ES_COMMAND_DELETE_RANGE;
	ret_request->body = es_slice(body, size);
	return finish(arena, ret_request);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static const uint32_t operand_number[] = {
	[ENGENHO_KV_VERSION] = 4, [ENGENHO_KV_CREATE] = 5, [ENGENHO_KV_MOD] = 6,
	[ENGENHO_KV_VALUE] = 7,   [ENGENHO_KV_LEASE] = 8,
};

static size_t compare_size(const engenho_kv_compare *c)
{
	size_t size = es_pb_int_size(1, (int64_t)c->relation) +
		      es_pb_int_size(2, (int64_t)c->target) +
		      es_pb_bytes_size(3, es_store_slice(c->key)) +
		      es_pb_bytes_size(64, es_store_slice(c->range_end));

	if (c->target == ENGENHO_KV_VALUE)
		return size + es_pb_bytes_size(7, es_store_slice(c->value));
	return size + es_pb_int_size(operand_number[c->target], c->number);
}

static uint8_t *compare_write(uint8_t *out, const engenho_kv_compare *c)
{
	out = es_pb_write_int(out, 1, (int64_t)c->relation);
	out = es_pb_write_int(out, 2, (int64_t)c->target);
	out = es_pb_write_bytes(out, 3, es_store_slice(c->key));
	if (c->target == ENGENHO_KV_VALUE)
		out = es_pb_write_bytes(out, 7, es_store_slice(c->value));
	else
		out = es_pb_write_int(out, operand_number[c->target], c->number);
	return es_pb_write_bytes(out, 64, es_store_slice(c->range_end));
}

/* A RequestOp holds one of: 1 a range, 2 a put, 3 a delete. */
static size_t op_inner_size(const engenho_kv_op *op)
{
	struct es_slice key = es_store_slice(op->key);

	switch (op->kind) {
	case ENGENHO_KV_OP_PUT: return put_size(key, es_store_slice(op->value), op->lease);
	case ENGENHO_KV_OP_DELETE: return delete_size(key, es_store_slice(op->range_end));
	case ENGENHO_KV_OP_RANGE: break;
	}
	return delete_size(key, es_store_slice(op->range_end)) + es_pb_int_size(3, op->limit) +
	       es_pb_int_size(4, op->revision) + es_pb_int_size(8, op->keys_only) +
	       es_pb_int_size(9, op->count_only);
}

static uint8_t *op_write(uint8_t *out, const engenho_kv_op *op)
{
	struct es_slice key = es_store_slice(op->key);
	struct es_slice end = es_store_slice(op->range_end);
	size_t size = op_inner_size(op);

	switch (op->kind) {
	case ENGENHO_KV_OP_PUT:
		out = es_pb_write_len(out, 2, size);
		return put_write(out, key, es_store_slice(op->value), op->lease);
	case ENGENHO_KV_OP_DELETE:
		out = es_pb_write_len(out, 3, size);
		return delete_write(out, key, end);
	case ENGENHO_KV_OP_RANGE: break;
	}
	out = es_pb_write_len(out, 1, size);
	out = delete_write(out, key, end); /* the first two fields are the same */
	out = es_pb_write_int(out, 3, op->limit);
	out = es_pb_write_int(out, 4, op->revision);
	out = es_pb_write_int(out, 8, op->keys_only);
	return es_pb_write_int(out, 9, op->count_only);
}

static size_t op_size(const engenho_kv_op *op)
{
	return es_pb_len_size(1, op_inner_size(op));
}

static size_t txn_size(const engenho_kv_txn *txn)
{
	size_t size = 0;

	for (size_t i = 0; i < txn->compare_count; i++)
		size += es_pb_len_size(1, compare_size(&txn->compares[i]));
	for (size_t i = 0; i < txn->success_count; i++)
		size += es_pb_len_size(2, op_size(&txn->success[i]));
	for (size_t i = 0; i < txn->failure_count; i++)
		size += es_pb_len_size(3, op_size(&txn->failure[i]));
	return size;
}

static void txn_write(uint8_t *out, const engenho_kv_txn *txn)
{
	for (size_t i = 0; i < txn->compare_count; i++) {
		out = es_pb_write_len(out, 1, compare_size(&txn->compares[i]));
		out = compare_write(out, &txn->compares[i]);
	}
	for (size_t i = 0; i < txn->success_count; i++) {
		out = es_pb_write_len(out, 2, op_size(&txn->success[i]));
		out = op_write(out, &txn->success[i]);
	}
	for (size_t i = 0; i < txn->failure_count; i++) {
		out = es_pb_write_len(out, 3, op_size(&txn->failure[i]));
		out = op_write(out, &txn->failure[i]);
	}
}

/* ---- checks ---------------------------------------------------------------------------------- */

static const char *wrong_op(const engenho_kv_op *op)
{
	if ((unsigned)op->kind > ENGENHO_KV_OP_RANGE)
		return "no such kind of operation";
	if (!ES_STORE_RESERVED_IS_ZERO(op))
		return "reserved members of an operation are not zero";
	if (op->kind == ENGENHO_KV_OP_RANGE && op->limit < 0)
		return "the limit of a range is negative";
	return op->kind == ENGENHO_KV_OP_RANGE && op->revision < 0
		       ? "the revision of a range is negative"
		       : NULL;
}

static const char *wrong_compare(const engenho_kv_compare *c)
{
	if ((unsigned)c->target > ENGENHO_KV_LEASE)
		return "no such target of a compare";
	if ((unsigned)c->relation > ENGENHO_KV_NOT_EQUAL)
		return "no such relation of a compare";
	return ES_STORE_RESERVED_IS_ZERO(c) ? NULL : "reserved members of a compare are not zero";
}

static int by_bytes(const void *a, const void *b)
{
	const struct es_slice *x = a, *y = b;

	return es_slice_cmp(*x, *y);
}

/* The first of the sorted keys that is not below `key`; `count`: none. */
static size_t lower_bound(const struct es_slice *keys, size_t count, struct es_slice key)
{
	size_t from = 0;

	while (from < count) {
		size_t middle = from + (count - from) / 2;

		if (es_slice_cmp(keys[middle], key) < 0)
			from = middle + 1;
		else
			count = middle;
	}
	return from;
}

/* As in etcd: a branch puts a key once, and does not delete it then. */
static int check_once(struct es_arena *arena, const engenho_kv_op *ops, size_t count)
{
	struct es_slice *puts = es_arena_alloc(arena, count * sizeof(*puts));
	size_t n = 0;

	if (puts == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ENGENHO_KV_OP_PUT)
			puts[n++] = es_store_slice(ops[i].key);
	}
	if (n > 1)
		qsort(puts, n, sizeof(*puts), by_bytes);
	for (size_t i = 1; i < n; i++) {
		if (es_slice_eq(puts[i - 1], puts[i]))
			return ES_EDUPLICATE_KEY;
	}
	for (size_t i = 0; i < count; i++) {
		const struct es_mvcc_range range = {es_store_slice(ops[i].key),
						    es_store_slice(ops[i].range_end)};
		size_t at = lower_bound(puts, n, range.key);

		if (ops[i].kind == ENGENHO_KV_OP_DELETE && at < n &&
		    es_mvcc_range_contains(range, puts[at]))
			return ES_EDUPLICATE_KEY;
	}
	return 0;
}

static int check_ops(struct es_arena *arena, const engenho_kv_op *ops, size_t count,
		     const char **ret_why)
{
	for (size_t i = 0; i < count; i++) {
		*ret_why = wrong_op(&ops[i]);
		if (*ret_why != NULL)
			return ES_EINVAL;
		if (ops[i].key.len == 0)
			return ES_EEMPTY_KEY;
	}
	return check_once(arena, ops, count);
}

static int check_txn(struct es_arena *arena, const engenho_kv_txn *txn, uint32_t max_ops,
		     const char **ret_why)
{
	int rc;

	if (txn->compare_count > max_ops || txn->success_count > max_ops ||
	    txn->failure_count > max_ops)
		return ES_ETOO_MANY_OPS;
	for (size_t i = 0; i < txn->compare_count; i++) {
		*ret_why = wrong_compare(&txn->compares[i]);
		if (*ret_why != NULL)
			return ES_EINVAL;
		if (txn->compares[i].key.len == 0)
			return ES_EEMPTY_KEY;
	}
	rc = check_ops(arena, txn->success, txn->success_count, ret_why);
	return rc < 0 ? rc : check_ops(arena, txn->failure, txn->failure_count, ret_why);
}

int es_store_request_txn(struct es_arena *arena, const engenho_kv_txn *txn, uint32_t max_ops,
			 struct es_store_request *ret_request, const char **ret_why)
{
	size_t size;
	uint8_t *body;
	int rc;

	*ret_why = NULL;
	rc = check_txn(arena, txn, max_ops, ret_why);
	if (rc < 0)
		return rc;
	size = txn_size(txn);
	body = es_arena_alloc(arena, size);
	if (body == NULL)
		return ES_ENOMEM;
	txn_write(body, txn);
	ret_request->kind = ES_COMMAND_TXN;
	ret_request->body = es_slice(body, size);
	return finish(arena, ret_request);
}
