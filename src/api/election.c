#include "api/line.h"
#include "base/buf.h"
#include "wire/election.pb-c.h"

/* v3electionpb.Election: the leader is whose key under the election's name is the oldest (line.h).
 */

static void missing_leader(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_UNKNOWN, "\"leader\" field must be provided");
}

static void not_leader(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_UNKNOWN, "election: not leader");
}

/* ---- Campaign -------------------------------------------------------------------------------- */

static void on_elected(struct es_api_line *line, int status)
{
	V3electionpb__CampaignResponse answer = V3ELECTIONPB__CAMPAIGN_RESPONSE__INIT;
	V3electionpb__LeaderKey leader = V3ELECTIONPB__LEADER_KEY__INIT;

	if (es_rpc_call_is_closed(line->call))
		return;
	es_rpc_call_set_data(line->call, NULL);
	if (status == ES_API_LINE_REPLACED) {
		not_leader(line->call);
		return;
	}
	if (status < 0) {
		es_api_line_fail(line->call, status);
		return;
	}
	/* A candidate whose lease ended in line is elected all the same in etcd: what he does next
	 * tells him. */
	answer.header = es_api_pb_header(line->call, &line->entered);
	leader.name = es_api_pb_bytes(line->name);
	leader.key = es_api_pb_bytes(line->key);
	leader.rev = line->create_revision;
	leader.lease = line->lease;
	answer.leader = &leader;
	if (answer.header != NULL)
		es_api_reply(line->call, &answer.base);
}

static void election_campaign(struct es_rpc_call *call, struct es_slice request)
{
	V3electionpb__CampaignRequest *asked = es_api_decode(
		call, &v3electionpb__campaign_request__descriptor, request);
	struct es_api_line *line = asked == NULL ? NULL : es_api_alloc(call, 1, sizeof(*line));

	if (line == NULL)
		return;
	line->call = call;
	line->name = es_api_bytes(asked->name);
	line->value = es_api_bytes(asked->value);
	line->proclaims = true;
	line->lease = asked->lease;
	line->done = on_elected;
	es_rpc_call_set_data(call, line);
	es_api_line_enter(line);
}

static void election_campaign_closed(struct es_rpc_call *call)
{
	if (es_rpc_call_data(call) != NULL)
		es_api_line_leave(es_rpc_call_data(call));
}

/* ---- Proclaim, Resign ------------------------------------------------------------------------ */

static void guarded_done(struct es_engine_op *engine_op, int status)
{
	struct es_api_op *op = ES_CONTAINER_OF(engine_op, struct es_api_op, op);
	struct es_rpc_call *call = op->call;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_api_line_fail(call, status);
	else
		op->answer(op, call);
	es_rpc_call_release(call);
}

static void submit_guarded(struct es_rpc_call *call, const struct es_api_guarded *guarded,
			   void (*answer)(struct es_api_op *, struct es_rpc_call *))
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_api_op *op = es_api_op_new(call, answer);
	int status;

	if (op == NULL)
		return;
	op->op.done = guarded_done;
	status = es_api_guarded_submit(api->engine, &op->op, guarded);
	if (status < 0) {
		es_api_line_fail(call, status);
		es_rpc_call_release(call);
	}
}

static void proclaim_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	V3electionpb__ProclaimResponse answer = V3ELECTIONPB__PROCLAIM_RESPONSE__INIT;

	if (!op->op.txn_res->succeeded) {
		not_leader(call);
		return;
	}
	answer.header = es_api_pb_header(call, &op->op.header);
	if (answer.header != NULL)
		es_api_reply(call, &answer.base);
}

static void election_proclaim(struct es_rpc_call *call, struct es_slice request)
{
	V3electionpb__ProclaimRequest *asked = es_api_decode(
		call, &v3electionpb__proclaim_request__descriptor, request);
	struct es_api_guarded guarded;

	if (asked == NULL)
		return;
	if (asked->leader == NULL) {
		missing_leader(call);
		return;
	}
	guarded = (struct es_api_guarded){es_api_bytes(asked->leader->key), asked->leader->rev,
					  true, es_api_bytes(asked->value), asked->leader->lease};
	submit_guarded(call, &guarded, proclaim_answer);
}

static void resign_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	V3electionpb__ResignResponse answer = V3ELECTIONPB__RESIGN_RESPONSE__INIT;

	answer.header = es_api_pb_header(call, &op->op.header);
	if (answer.header != NULL)
		es_api_reply(call, &answer.base);
}

static void election_resign(struct es_rpc_call *call, struct es_slice request)
{
	V3electionpb__ResignRequest *asked = es_api_decode(
		call, &v3electionpb__resign_request__descriptor, request);
	struct es_api_guarded guarded;

	if (asked == NULL)
		return;
	if (asked->leader == NULL) {
		missing_leader(call);
		return;
	}
	guarded = (struct es_api_guarded){.key = es_api_bytes(asked->leader->key),
					  .create_revision = asked->leader->rev};
	submit_guarded(call, &guarded, resign_answer);
}

/* ---- Leader, Observe ------------------------------------------------------------------------- */

/* The oldest key of the election at a revision (0: now), or none: *ret_leader NULL. */
static int find_leader(struct es_api *api, struct es_mvcc_range range, int64_t revision,
		       struct es_arena *arena, const struct es_mvcc_version **ret_leader)
{
	const struct es_mvcc_range_req req = {
		.range = range,
		.limit = 1,
		.revision = revision,
		.sort_order = ES_MVCC_SORT_ASCEND,
		.sort_target = ES_MVCC_SORT_CREATE,
	};
	struct es_mvcc_range_res res;
	int rc = es_engine_range(api->engine, &req, arena, &res);

	if (rc == 0)
		api->watch_cost += (uint64_t)res.count;
	*ret_leader = rc == 0 && res.n > 0 ? res.versions[0] : NULL;
	return rc;
}

static bool send_leader(struct es_rpc_call *call, const struct es_engine_header *header,
			const struct es_mvcc_version *version)
{
	V3electionpb__LeaderResponse answer = V3ELECTIONPB__LEADER_RESPONSE__INIT;
	Etcdserverpb__ResponseHeader pb_header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
	Mvccpb__KeyValue pb_kv = MVCCPB__KEY_VALUE__INIT;
	struct es_wire_kv kv = es_api_kv(version, false);

	pb_header.cluster_id = header->cluster_id;
	pb_header.member_id = header->member_id;
	pb_header.revision = header->revision;
	pb_header.raft_term = header->raft_term;
	pb_kv.key = es_api_pb_bytes(kv.key);
	pb_kv.value = es_api_pb_bytes(kv.value);
	pb_kv.create_revision = kv.create_revision;
	pb_kv.mod_revision = kv.mod_revision;
	pb_kv.version = kv.version;
	pb_kv.lease = kv.lease;
	answer.header = &pb_header;
	answer.kv = &pb_kv;
	return es_api_send(call, &answer.base);
}

static bool election_range(struct es_rpc_call *call, struct es_slice request,
			   struct es_mvcc_range *ret_range)
{
	V3electionpb__LeaderRequest *asked = es_api_decode(
		call, &v3electionpb__leader_request__descriptor, request);
	struct es_slice prefix;

	if (asked == NULL)
		return false;
	prefix = es_api_line_prefix(call, es_api_bytes(asked->name));
	return prefix.data != NULL && es_api_prefix_range(call, prefix, ret_range);
}

static void leader_now(void *arg, int status)
{
	struct es_rpc_call *call = arg;
	const struct es_mvcc_range *range = es_rpc_call_data(call);
	const struct es_mvcc_version *leader = NULL;

	if (!es_rpc_call_is_closed(call)) {
		struct es_api *api = es_rpc_call_ctx(call);
		struct es_engine_header header = es_engine_header(api->engine);

		if (status == 0)
			status = find_leader(api, *range, 0, es_rpc_call_arena(call), &leader);
		if (status < 0)
			es_api_line_fail(call, status);
		else if (leader == NULL)
			es_rpc_finish(call, ES_GRPC_UNKNOWN, "election: no leader");
		else if (send_leader(call, &header, leader))
			es_rpc_finish(call, ES_GRPC_OK, NULL);
	}
	es_rpc_call_release(call);
}

static void election_leader(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_mvcc_range *range = es_api_alloc(call, 1, sizeof(*range));

	if (range == NULL || !election_range(call, request, range))
		return;
	es_rpc_call_set_data(call, range);
	es_rpc_call_hold(call);
	es_engine_linearize(api->engine, leader_now, call);
}

/*
 * Observe goes as in etcd's client library: whoever leads is told, and then what becomes of his key
 * alone, however many stand in line; once it is deleted, who leads is looked for anew. While nobody
 * leads, the first key to be put is waited for.
 */
struct observer {
	struct es_api_waiter waiter;
	struct es_rpc_call *call;
	struct es_mvcc_range range; /* all keys of the election */
	struct es_buf leader;       /* the key that is followed; empty: none */
};

static void observer_end(struct observer *observer)
{
	es_rpc_call_set_data(observer->call, NULL);
	es_api_wait_end(&observer->waiter);
	es_buf_close(&observer->leader);
}

static int tell(struct observer *observer, const struct es_mvcc_version *leader, int64_t revision)
{
	struct es_engine_header header = es_engine_header(observer->waiter.api->engine);

	header.revision = revision;
	return send_leader(observer->call, &header, leader) ? 0 : ES_ENOMEM;
}

/* Who leads at `revision`, and what follows on it. */
static int look_at(struct observer *observer, int64_t revision, struct es_arena *arena)
{
	struct es_mvcc_range next = observer->range;
	const struct es_mvcc_version *leader;
	struct es_mvcc_kv kv;
	int rc = find_leader(observer->waiter.api, observer->range, revision, arena, &leader);

	es_api_wait_end(&observer->waiter);
	observer->leader.len = 0;
	if (rc == 0 && leader != NULL) {
		es_mvcc_version_kv(leader, &kv);
		rc = es_buf_append(&observer->leader, kv.key.data, kv.key.len);
		if (rc == 0)
			rc = tell(observer, leader, revision);
		next = (struct es_mvcc_range){.key = kv.key};
	}
	if (rc == 0)
		rc = es_api_wait_begin(&observer->waiter, next, false, revision + 1);
	return rc;
}

static int look_now(struct observer *observer, struct es_arena *arena)
{
	return look_at(observer, es_mvcc_revision(es_engine_store(observer->waiter.api->engine)),
		       arena);
}

/* What became of the key that is followed. */
static int follow(struct observer *observer, int64_t revision, struct es_arena *arena,
		  bool *ret_deleted)
{
	const struct es_mvcc_range_req req = {.range.key = es_buf_slice(&observer->leader),
					      .revision = revision};
	struct es_mvcc_range_res res;
	int rc = es_engine_range(observer->waiter.api->engine, &req, arena, &res);

	*ret_deleted = rc == 0 && res.n == 0;
	return rc == 0 && res.n > 0 ? tell(observer, res.versions[0], revision) : rc;
}

static bool on_changed(struct es_api_waiter *waiter, int64_t revision)
{
	struct observer *observer = ES_CONTAINER_OF(waiter, struct observer, waiter);
	bool followed = observer->leader.len > 0;
	struct es_arena arena;
	bool deleted = false;
	int rc;

	es_arena_init(&arena, waiter->api->config.mem, 1024);
	if (followed)
		rc = follow(observer, revision, &arena, &deleted);
	else
		rc = look_at(observer, revision, &arena);
	/* A revision compacted before it was looked at is passed over: the most recent leader is
	 * told. */
	if (deleted || rc == ES_ECOMPACTED) {
		followed = false;
		rc = look_now(observer, &arena);
	}
	es_arena_close(&arena);
	if (rc == 0)
		return followed;
	observer_end(observer);
	es_rpc_finish_status(observer->call, rc);
	return false;
}

static void on_lost(struct es_api_waiter *waiter, int status)
{
	struct observer *observer = ES_CONTAINER_OF(waiter, struct observer, waiter);

	(void)status; /* as etcd: the stream ends, the client asks again */
	observer_end(observer);
	es_rpc_finish(observer->call, ES_GRPC_OK, NULL);
}

static void observe_from_now(void *arg, int status)
{
	struct observer *observer = arg;
	struct es_rpc_call *call = observer->call;

	if (!es_rpc_call_is_closed(call)) {
		struct es_arena arena;

		es_arena_init(&arena, observer->waiter.api->config.mem, 1024);
		observer->waiter.changed = on_changed;
		observer->waiter.lost = on_lost;
		observer->waiter.call = call;
		if (status == 0)
			status = look_now(observer, &arena);
		if (status == 0)
			es_rpc_call_set_data(call, observer);
		es_arena_close(&arena);
		if (status < 0) {
			observer_end(observer);
			es_api_line_fail(call, status);
		}
	}
	es_rpc_call_release(call);
}

static void election_observe(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct observer *observer = es_api_alloc(call, 1, sizeof(*observer));

	if (observer == NULL || !election_range(call, request, &observer->range))
		return;
	observer->call = call;
	es_buf_init(&observer->leader, api->config.mem);
	es_api_wait_init(&observer->waiter, api);
	es_rpc_call_hold(call);
	es_engine_linearize(api->engine, observe_from_now, observer);
}

static void election_observe_writable(struct es_rpc_call *call)
{
	struct observer *observer = es_rpc_call_data(call);

	if (observer != NULL)
		es_api_wait_again(&observer->waiter);
}

static void election_observe_closed(struct es_rpc_call *call)
{
	if (es_rpc_call_data(call) != NULL)
		observer_end(es_rpc_call_data(call));
}

int es_api_election_register(struct es_api *api)
{
#define SERVICE "v3electionpb.Election"
	static const struct es_rpc_method methods[] = {
		{.service = SERVICE,
		 .name = "Campaign",
		 .kind = ES_RPC_UNARY,
		 .message = election_campaign,
		 .waits = true,
		 .closed = election_campaign_closed},
		{.service = SERVICE,
		 .name = "Proclaim",
		 .kind = ES_RPC_UNARY,
		 .message = election_proclaim},
		{.service = SERVICE,
		 .name = "Leader",
		 .kind = ES_RPC_UNARY,
		 .message = election_leader},
		{.service = SERVICE,
		 .name = "Observe",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = election_observe,
		 .writable = election_observe_writable,
		 .closed = election_observe_closed},
		{.service = SERVICE,
		 .name = "Resign",
		 .kind = ES_RPC_UNARY,
		 .message = election_resign},
	};
#undef SERVICE

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
