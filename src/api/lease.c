#include "api/internal.h"

/* etcdserverpb.Lease. */

static void grant_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	Etcdserverpb__LeaseGrantResponse answer = ETCDSERVERPB__LEASE_GRANT_RESPONSE__INIT;

	answer.header = es_api_pb_header(call, &op->op.header);
	answer.id = op->op.id;
	answer.ttl = op->op.ttl_s;
	if (answer.header != NULL)
		es_api_reply(call, &answer.base);
}

static void lease_grant(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__LeaseGrantRequest *grant = es_api_decode(
		call, &etcdserverpb__lease_grant_request__descriptor, request);
	struct es_api_op *op = grant == NULL ? NULL : es_api_op_new(call, grant_answer);

	if (op != NULL)
		es_api_op_submitted(
			op, es_engine_lease_grant(api->engine, &op->op, grant->id, grant->ttl));
}

static void lease_revoke(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__LeaseRevokeRequest *revoke = es_api_decode(
		call, &etcdserverpb__lease_revoke_request__descriptor, request);
	struct es_api_op *op = revoke == NULL ? NULL : es_api_op_new(call, es_api_head_answer);

	if (op != NULL)
		es_api_op_submitted(op, es_engine_lease_revoke(api->engine, &op->op, revoke->id));
}

static void keep_alive_opened(struct es_rpc_call *call)
{
	if (es_api_wants_leader(call) && !es_api_has_leader(es_rpc_call_ctx(call)))
		es_rpc_finish_status(call, ES_ENO_LEADER);
}

static void keep_alive_message(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	/* Before the renewal, so that its revision is not later than what the client may conclude
	 * from it. */
	struct es_engine_header from = es_engine_header(api->engine);
	struct es_wire_header header = es_api_header(&from);
	Etcdserverpb__LeaseKeepAliveRequest *message;
	struct es_arena arena;
	int64_t id = 0;
	int64_t ttl_s = 0;
	int status = ES_EDECODE;
	uint8_t *out;

	es_arena_init(&arena, api->config.mem, 256);
	message = es_api_unpack(&arena, &etcdserverpb__lease_keep_alive_request__descriptor,
				request);
	if (message != NULL) {
		id = message->id;
		status = es_engine_lease_renew(api->engine, id, &ttl_s);
	}
	es_arena_close(&arena);
	if (status < 0) {
		es_rpc_finish_status(call, status);
		return;
	}
	out = es_rpc_send(call, es_wire_keep_alive_size(&header, id, ttl_s));
	if (out != NULL)
		(void)es_wire_keep_alive_write(out, &header, id, ttl_s);
}

static void keep_alive_half_closed(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static bool fill_keys(struct es_rpc_call *call, struct es_api *api, int64_t id,
		      Etcdserverpb__LeaseTimeToLiveResponse *answer)
{
	struct es_slice *keys;
	size_t count;
	int status = es_lease_keys(es_engine_leases(api->engine), id, es_rpc_call_arena(call),
				   &keys, &count);

	if (status < 0) {
		es_rpc_finish_status(call, status);
		return false;
	}
	answer->keys = es_api_alloc(call, count, sizeof(*answer->keys));
	if (answer->keys == NULL)
		return false;
	answer->n_keys = count;
	for (size_t i = 0; i < count; i++)
		answer->keys[i] = es_api_pb_bytes(keys[i]);
	return true;
}

static void lease_time_to_live(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__LeaseTimeToLiveRequest *asked = es_api_decode(
		call, &etcdserverpb__lease_time_to_live_request__descriptor, request);
	Etcdserverpb__LeaseTimeToLiveResponse answer =
		ETCDSERVERPB__LEASE_TIME_TO_LIVE_RESPONSE__INIT;
	struct es_engine_header header = es_engine_header(api->engine);
	int status;

	if (asked == NULL)
		return;
	answer.header = es_api_pb_header(call, &header);
	if (answer.header == NULL)
		return;
	answer.id = asked->id;
	status = es_engine_lease_ttl(api->engine, asked->id, &answer.grantedttl, &answer.ttl);
	if (status == ES_ELEASE_NOT_FOUND)
		answer.ttl = -1;
	else if (status < 0) {
		es_rpc_finish_status(call, status);
		return;
	} else if (asked->keys && !fill_keys(call, api, asked->id, &answer))
		return;
	es_api_reply(call, &answer.base);
}

static void lease_leases(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__LeaseLeasesResponse answer = ETCDSERVERPB__LEASE_LEASES_RESPONSE__INIT;
	struct es_engine_header header = es_engine_header(api->engine);
	Etcdserverpb__LeaseStatus *items;
	struct es_lease_info *list;
	size_t count;
	int status;

	if (es_api_decode(call, &etcdserverpb__lease_leases_request__descriptor, request) == NULL)
		return;
	status = es_lease_list(es_engine_leases(api->engine), es_rpc_call_arena(call), &list,
			       &count);
	if (status < 0) {
		es_rpc_finish_status(call, status);
		return;
	}
	answer.header = es_api_pb_header(call, &header);
	items = answer.header == NULL ? NULL : es_api_alloc(call, count, sizeof(*items));
	answer.leases = items == NULL ? NULL : es_api_alloc(call, count, sizeof(*answer.leases));
	if (answer.leases == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		if (list[i].revoking)
			continue;
		etcdserverpb__lease_status__init(&items[i]);
		items[i].id = list[i].id;
		answer.leases[answer.n_leases++] = &items[i];
	}
	es_api_reply(call, &answer.base);
}

int es_api_lease_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "etcdserverpb.Lease",
		 .name = "LeaseGrant",
		 .kind = ES_RPC_UNARY,
		 .message = lease_grant},
		{.service = "etcdserverpb.Lease",
		 .name = "LeaseRevoke",
		 .kind = ES_RPC_UNARY,
		 .message = lease_revoke},
		{.service = "etcdserverpb.Lease",
		 .name = "LeaseKeepAlive",
		 .kind = ES_RPC_BIDI,
		 .opened = keep_alive_opened,
		 .message = keep_alive_message,
		 .half_closed = keep_alive_half_closed},
		{.service = "etcdserverpb.Lease",
		 .name = "LeaseTimeToLive",
		 .kind = ES_RPC_UNARY,
		 .message = lease_time_to_live},
		{.service = "etcdserverpb.Lease",
		 .name = "LeaseLeases",
		 .kind = ES_RPC_UNARY,
		 .message = lease_leases},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
