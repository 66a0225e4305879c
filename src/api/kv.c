#include "api/kv.h"

/*
 * etcdserverpb.KV: writes and compactions; ranges are in range.c, transactions in txn.c.
 */

static void put_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_wire_header header = es_api_header(&op->op.header);
	const struct es_mvcc_version *prev = op->op.txn_res->ops[0].u.put.prev;
	struct es_wire_kv kv;
	uint8_t *out;

	if (prev != NULL)
		kv = es_api_kv(prev, false);
	out = es_rpc_send(call, es_wire_put_size(&header, prev != NULL ? &kv : NULL));
	if (out == NULL)
		return;
	(void)es_wire_put_write(out, &header, prev != NULL ? &kv : NULL);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

size_t es_api_delete_size(const struct es_wire_header *header, const struct es_mvcc_op_res *res)
{
	size_t size = es_wire_delete_head_size(header, res->u.del.deleted);

	for (size_t i = 0; i < res->u.del.prev_count; i++) {
		struct es_wire_kv kv = es_api_kv(res->u.del.prevs[i], false);

		size += es_wire_delete_prev_size(&kv);
	}
	return size;
}

uint8_t *es_api_delete_write(uint8_t *out, const struct es_wire_header *header,
			     const struct es_mvcc_op_res *res)
{
	out = es_wire_delete_head_write(out, header, res->u.del.deleted);
	for (size_t i = 0; i < res->u.del.prev_count; i++) {
		struct es_wire_kv kv = es_api_kv(res->u.del.prevs[i], false);

		out = es_wire_delete_prev_write(out, &kv);
	}
	return out;
}

static void delete_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_wire_header header = es_api_header(&op->op.header);
	const struct es_mvcc_op_res *res = &op->op.txn_res->ops[0];
	uint8_t *out = es_api_reserve(call, es_api_delete_size(&header, res));

	if (out == NULL)
		return;
	(void)es_api_delete_write(out, &header, res);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

void es_api_kv_submit(struct es_rpc_call *call, enum es_command_kind kind, struct es_slice request,
		      const struct es_mvcc_txn *txn,
		      void (*answer)(struct es_api_op *, struct es_rpc_call *))
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_api_op *op;

	if (es_api_is_too_large(api->engine, request.len)) {
		es_rpc_finish_status(call, ES_ETOO_LARGE);
		return;
	}
	op = es_api_op_new(call, answer);
	if (op != NULL)
		es_api_op_submitted(op, es_engine_write(api->engine, &op->op, kind, request, txn));
}

static void kv_put(struct es_rpc_call *call, struct es_slice request)
{
	struct es_wire_put put;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_put(request, &put);

	if (status == 0)
		status = es_api_check_put(&put);
	if (status == 0)
		status = es_command_txn_from_put(&put, es_rpc_call_arena(call), &txn);
	if (status < 0)
		es_rpc_finish_status(call, status);
	else
		es_api_kv_submit(call, ES_COMMAND_PUT, request, txn, put_answer);
}

static void kv_delete_range(struct es_rpc_call *call, struct es_slice request)
{
	struct es_wire_delete del;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_delete(request, &del);

	if (status == 0)
		status = es_api_check_delete(&del);
	if (status == 0)
		status = es_command_txn_from_delete(&del, es_rpc_call_arena(call), &txn);
	if (status < 0)
		es_rpc_finish_status(call, status);
	else
		es_api_kv_submit(call, ES_COMMAND_DELETE_RANGE, request, txn, delete_answer);
}

/* ---- compaction ------------------------------------------------------------------------------ */

static void kv_compact(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__CompactionRequest *compaction = es_api_decode(
		call, &etcdserverpb__compaction_request__descriptor, request);
	struct es_api_op *op;

	if (compaction == NULL)
		return;
	op = es_api_op_new(call, es_api_head_answer);
	if (op != NULL)
		es_api_op_submitted(op,
				    es_engine_compact(api->engine, &op->op, compaction->revision,
						      compaction->physical));
}

int es_api_kv_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "etcdserverpb.KV",
		 .name = "Range",
		 .kind = ES_RPC_UNARY,
		 .message = es_api_kv_range},
		{.service = "etcdserverpb.KV",
		 .name = "RangeStream",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = es_api_kv_range_stream,
		 .writable = es_api_kv_range_stream_writable,
		 .closed = es_api_kv_range_stream_closed},
		{.service = "etcdserverpb.KV",
		 .name = "Put",
		 .kind = ES_RPC_UNARY,
		 .message = kv_put},
		{.service = "etcdserverpb.KV",
		 .name = "DeleteRange",
		 .kind = ES_RPC_UNARY,
		 .message = kv_delete_range},
		{.service = "etcdserverpb.KV",
		 .name = "Txn",
		 .kind = ES_RPC_UNARY,
		 .message = es_api_kv_txn},
		{.service = "etcdserverpb.KV",
		 .name = "Compact",
		 .kind = ES_RPC_UNARY,
		 .message = kv_compact},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
