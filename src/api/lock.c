#include "api/line.h"
#include "wire/lock.pb-c.h"

/* v3lockpb.Lock: a place in line (line.h). */

static void on_locked(struct es_api_line *line, int status)
{
	V3lockpb__LockResponse answer = V3LOCKPB__LOCK_RESPONSE__INIT;

	if (es_rpc_call_is_closed(line->call))
		return;
	es_rpc_call_set_data(line->call, NULL);
	if (status == ES_API_LINE_EXPIRED) {
		es_rpc_finish(line->call, ES_GRPC_UNKNOWN, "mutex: session is expired");
		return;
	}
	if (status < 0) {
		es_api_line_fail(line->call, status);
		return;
	}
	answer.header = es_api_pb_header(line->call, line->waited ? &line->header : &line->entered);
	answer.key = es_api_pb_bytes(line->key);
	if (answer.header != NULL)
		es_api_reply(line->call, &answer.base);
}

static void lock_lock(struct es_rpc_call *call, struct es_slice request)
{
	V3lockpb__LockRequest *asked = es_api_decode(call, &v3lockpb__lock_request__descriptor,
						     request);
	struct es_api_line *line = asked == NULL ? NULL : es_api_alloc(call, 1, sizeof(*line));

	if (line == NULL)
		return;
	line->call = call;
	line->name = es_api_bytes(asked->name);
	line->lease = asked->lease;
	line->done = on_locked;
	es_rpc_call_set_data(call, line);
	es_api_line_enter(line);
}

static void lock_closed(struct es_rpc_call *call)
{
	if (es_rpc_call_data(call) != NULL)
		es_api_line_leave(es_rpc_call_data(call));
}

static void unlock_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	V3lockpb__UnlockResponse answer = V3LOCKPB__UNLOCK_RESPONSE__INIT;

	answer.header = es_api_pb_header(call, &op->op.header);
	if (answer.header != NULL)
		es_api_reply(call, &answer.base);
}

static void lock_unlock(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	V3lockpb__UnlockRequest *asked = es_api_decode(call, &v3lockpb__unlock_request__descriptor,
						       request);
	Etcdserverpb__DeleteRangeRequest del = ETCDSERVERPB__DELETE_RANGE_REQUEST__INIT;
	const struct es_mvcc_txn *txn;
	struct es_api_op *op;
	uint8_t *bytes;
	size_t size;
	int status;

	if (asked == NULL)
		return;
	if (asked->key.len == 0) {
		es_api_line_fail(call, ES_EEMPTY_KEY);
		return;
	}
	del.key = asked->key;
	size = etcdserverpb__delete_range_request__get_packed_size(&del);
	if (es_api_is_too_large(api->engine, size)) {
		es_api_line_fail(call, ES_ETOO_LARGE);
		return;
	}
	bytes = es_api_alloc(call, 1, size);
	if (bytes == NULL)
		return;
	(void)etcdserverpb__delete_range_request__pack(&del, bytes);
	status = es_command_txn(ES_COMMAND_DELETE_RANGE, es_slice(bytes, size),
				es_rpc_call_arena(call), &txn);
	if (status < 0) {
		es_api_line_fail(call, status);
		return;
	}
	op = es_api_op_new(call, unlock_answer);
	if (op != NULL)
		es_api_op_submitted(op,
				    es_engine_write(api->engine, &op->op, ES_COMMAND_DELETE_RANGE,
						    es_slice(bytes, size), txn));
}

int es_api_lock_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "v3lockpb.Lock",
		 .name = "Lock",
		 .kind = ES_RPC_UNARY,
		 .message = lock_lock,
		 .waits = true,
		 .closed = lock_closed},
		{.service = "v3lockpb.Lock",
		 .name = "Unlock",
		 .kind = ES_RPC_UNARY,
		 .message = lock_unlock},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
