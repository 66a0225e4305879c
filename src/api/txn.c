#include "api/kv.h"

/* etcdserverpb.KV: transactions. One that only reads does not go through the log. */

/*
 * A result is a tree: sizes are found from the leaves up, bytes are written from the root down.
 * Each inner answer's size is kept in the order in which the tree is walked, so that neither pass
 * looks at anything twice.
 */
struct sizes {
	size_t *size; /* one an operation, in walking order */
	size_t used;
};

static size_t count_nodes(const struct es_mvcc_txn_res *res)
{
	size_t count = res->n;

	for (size_t i = 0; i < res->n; i++) {
		if (res->ops[i].kind == ES_MVCC_OP_TXN)
			count += count_nodes(res->ops[i].u.txn);
	}
	return count;
}

static unsigned wire_kind(enum es_mvcc_op_kind kind)
{
	static const unsigned kinds[] = {
		[ES_MVCC_OP_RANGE] = ES_WIRE_OP_RANGE,
		[ES_MVCC_OP_PUT] = ES_WIRE_OP_PUT,
		[ES_MVCC_OP_DELETE] = ES_WIRE_OP_DELETE,
		[ES_MVCC_OP_TXN] = ES_WIRE_OP_TXN,
	};

	return kinds[kind];
}

static size_t txn_size(const struct es_wire_header *header, const struct es_mvcc_txn_res *res,
		       struct sizes *sizes)
{
	size_t size = es_wire_txn_head_size(header, res->succeeded);

	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];
		struct es_wire_header inner = {.revision = op->revision};
		size_t *slot = &sizes->size[sizes->used++];
		struct es_wire_kv kv;

		switch (op->kind) {
		case ES_MVCC_OP_RANGE: *slot = es_api_range_size(&inner, &op->u.range); break;
		case ES_MVCC_OP_PUT:
			if (op->u.put.prev != NULL)
				kv = es_api_kv(op->u.put.prev, false);
			*slot = es_wire_put_size(&inner, op->u.put.prev != NULL ? &kv : NULL);
			break;
		case ES_MVCC_OP_DELETE: *slot = es_api_delete_size(&inner, op); break;
		case ES_MVCC_OP_TXN: *slot = txn_size(&inner, op->u.txn, sizes); break;
		}
		size += es_wire_txn_op_size(wire_kind(op->kind), *slot);
	}
	return size;
}

static uint8_t *txn_write(uint8_t *out, const struct es_wire_header *header,
			  const struct es_mvcc_txn_res *res, struct sizes *sizes)
{
	out = es_wire_txn_head_write(out, header, res->succeeded);
	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];
		struct es_wire_header inner = {.revision = op->revision};
		struct es_wire_kv kv;

		out = es_wire_txn_op_write(out, wire_kind(op->kind), sizes->size[sizes->used++]);
		switch (op->kind) {
		case ES_MVCC_OP_RANGE: out = es_api_range_write(out, &inner, &op->u.range); break;
		case ES_MVCC_OP_PUT:
			if (op->u.put.prev != NULL)
				kv = es_api_kv(op->u.put.prev, false);
			out = es_wire_put_write(out, &inner, op->u.put.prev != NULL ? &kv : NULL);
			break;
		case ES_MVCC_OP_DELETE: out = es_api_delete_write(out, &inner, op); break;
		case ES_MVCC_OP_TXN: out = txn_write(out, &inner, op->u.txn, sizes); break;
		}
	}
	return out;
}

static void txn_reply(struct es_rpc_call *call, const struct es_engine_header *from,
		      const struct es_mvcc_txn_res *res)
{
	struct es_wire_header header = es_api_header(from);
	struct sizes sizes = {es_api_alloc(call, count_nodes(res), sizeof(size_t)), 0};
	uint8_t *out;

	if (sizes.size == NULL)
		return;
	header.revision = res->revision;
	out = es_api_reserve(call, txn_size(&header, res, &sizes));
	if (out == NULL)
		return;
	sizes.used = 0;
	(void)txn_write(out, &header, res, &sizes);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void txn_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	txn_reply(call, &op->op.header, op->op.txn_res);
}

struct read_txn {
	struct es_rpc_call *call;
	const struct es_mvcc_txn *txn;
};

static void on_read_txn_ready(void *arg, int status)
{
	struct read_txn *read = arg;
	struct es_rpc_call *call = read->call;
	struct es_api *api = es_rpc_call_ctx(call);
	const struct es_mvcc_txn_res *res;

	if (!es_rpc_call_is_closed(call)) {
		struct es_engine_header header = es_engine_header(api->engine);

		if (status == 0)
			status = es_engine_read_txn(api->engine, read->txn, es_rpc_call_arena(call),
						    &res);
		if (status < 0)
			es_rpc_finish_status(call, status);
		else
			txn_reply(call, &header, res);
	}
	es_rpc_call_release(call);
}

/* etcd: only ranges, in both branches, with nothing nested. */
static bool only_ranges(const struct es_wire_op *ops, size_t count, bool serializable)
{
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind != ES_WIRE_OP_RANGE ||
		    (serializable && !ops[i].u.range.serializable))
			return false;
	}
	return true;
}

void es_api_kv_txn(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_arena *arena = es_rpc_call_arena(call);
	struct es_wire_txn wire;
	struct read_txn *read;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_txn(request, api->config.max_txn_ops, arena, &wire);

	if (status == 0)
		status = es_api_check_txn(&wire, api->config.max_txn_ops, arena);
	if (status == 0)
		status = es_command_txn_from_wire(&wire, arena, &txn);
	if (status < 0) {
		es_rpc_finish_status(call, status);
		return;
	}
	if (!only_ranges(wire.success, wire.success_count, false) ||
	    !only_ranges(wire.failure, wire.failure_count, false)) {
		es_api_kv_submit(call, ES_COMMAND_TXN, request, txn, txn_answer);
		return;
	}
	read = es_api_alloc(call, 1, sizeof(*read));
	if (read == NULL)
		return;
	*read = (struct read_txn){call, txn};
	es_rpc_call_hold(call);
	if (only_ranges(wire.success, wire.success_count, true) &&
	    only_ranges(wire.failure, wire.failure_count, true))
		on_read_txn_ready(read, 0);
	else
		es_engine_linearize(api->engine, on_read_txn_ready, read);
}
