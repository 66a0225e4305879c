#include "engine/internal.h"

/*
 * Operations go in as commands of the log and come back through es_engine_apply, which is the only
 * place that changes replicated state. What it does depends on the state and the command alone; the
 * operation that waits (if this process proposed the command) only saves decoding it again and gets
 * the result.
 *
 * What the member proposes by itself has no operation, but a proposal record all the same: it, too,
 * hears when it is dropped.
 *
 * An operation may leave early, when it times out: its proposal record stays until the log answers,
 * so that the log never holds a pointer to memory of somebody who left.
 */

int es_engine_propose(struct es_engine *e, struct es_engine_op *op, enum es_command_kind kind,
		      struct es_slice body)
{
	struct es_proposal *proposal;
	uint64_t origin = e->config.member_id ^
			  ++e->sequence; /* tells proposals of one run apart */
	int rc;

	if (e->closing || e->failed)
		return ES_ESTOPPED;
	e->command.len = 0;
	rc = es_command_encode(&e->command, kind, origin, body);
	if (rc < 0)
		return rc;
	proposal = es_calloc(e->mem, 1, sizeof(*proposal));
	if (proposal == NULL)
		return ES_ENOMEM;
	rc = es_consensus_propose(e->consensus, es_buf_slice(&e->command), proposal);
	if (rc < 0) {
		es_free(e->mem, proposal);
		return rc;
	}
	if (op != NULL) {
		op->engine = e;
		op->kind = kind;
		op->index = 0;
		op->txn_res = NULL;
		op->changed = false;
		op->txn = NULL;
		op->resource = NULL;
		op->physical = false;
		op->over_quota = false;
		es_queue_init(&op->link);
	}
	proposal->op = op;
	/* etcd's bound: five seconds and two elections. */
	proposal->deadline_ms = es_engine_now_ms(e) + 5000 + 2 * e->config.election_ms;
	es_queue_push(&e->proposals, &proposal->link);
	return 0;
}

void es_engine_op_done(struct es_engine *e, struct es_proposal *proposal, int status)
{
	struct es_engine_op *op;

	if (proposal == NULL)
		return;
	op = proposal->op;
	es_queue_remove(&proposal->link);
	es_free(e->mem, proposal);
	if (op == NULL)
		return;
	op->header = es_engine_header(e);
	op->done(op, status);
}

void es_engine_time_out_proposals(struct es_engine *e, uint64_t now_ms)
{
	struct es_queue *link = e->proposals.next;

	while (link != &e->proposals) {
		struct es_proposal *proposal = ES_QUEUE_ITEM(link, struct es_proposal, link);
		struct es_engine_op *op = proposal->op;

		if (proposal->deadline_ms > now_ms)
			break;
		link = link->next;
		/* Out of the queue, but alive until the log gives it back. */
		es_queue_remove(&proposal->link);
		proposal->op = NULL;
		if (op != NULL) {
			op->header = es_engine_header(e);
			op->done(op, ES_ETIMEOUT);
		}
	}
}

static bool alarm_active(const struct es_engine *e, enum es_alarm_type type)
{
	for (size_t i = 0; i < e->alarm_count; i++) {
		if (e->alarms[i].type == type)
			return true;
	}
	return false;
}

/* What a transaction may add, as etcd's quota counts it: 256 bytes a put beside key and value; the
 * dearer branch. */
static uint64_t txn_cost(const struct es_mvcc_txn *txn);

static uint64_t ops_cost(const struct es_mvcc_op *ops, size_t count)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ES_MVCC_OP_PUT)
			cost += 256 + ops[i].u.put.key.len + ops[i].u.put.value.len;
		else if (ops[i].kind == ES_MVCC_OP_TXN)
			cost += txn_cost(ops[i].u.txn);
	}
	return cost;
}

static uint64_t txn_cost(const struct es_mvcc_txn *txn)
{
	uint64_t success = ops_cost(txn->success, txn->success_count);
	uint64_t failure = ops_cost(txn->failure, txn->failure_count);

	return success > failure ? success : failure;
}

static int propose_quota_alarm(struct es_engine *e, bool activate, struct es_engine_op *op)
{
	uint8_t body[11] = {activate ? 1 : 0, (uint8_t)ES_ALARM_NOSPACE, 1};

	es_store_u64le(body + 3, e->config.member_id);
	return es_engine_propose(e, op, ES_COMMAND_ALARM, es_slice(body, sizeof(body)));
}

/*
 * An alarm that the quota raised goes when the store has been below nine tenths of it for a while.
 * Not at once: whoever compacts and then disarms by hand, as with etcd, still finds it.
 */
#define CALM_MS 5000

uint64_t es_engine_bytes(const struct es_engine *e)
{
	return es_mvcc_bytes(e->store) + es_lease_bytes(e->leases);
}

void es_engine_check_quota(struct es_engine *e)
{
	bool calm = es_engine_bytes(e) < e->config.quota_bytes / 10 * 9;

	if (!e->is_leader || e->alarm_proposed || !calm || !alarm_active(e, ES_ALARM_NOSPACE)) {
		e->calm_since_ms = es_engine_now_ms(e);
		return;
	}
	if (es_engine_now_ms(e) - e->calm_since_ms < CALM_MS)
		return;
	for (size_t i = 0; i < e->alarm_count; i++) {
		if (e->alarms[i].type == ES_ALARM_NOSPACE && e->alarm_by_quota[i])
			e->alarm_proposed = propose_quota_alarm(e, false, NULL) == 0;
	}
}

int es_engine_propose_within_quota(struct es_engine *e, struct es_engine_op *op,
				   enum es_command_kind kind, struct es_slice body, uint64_t cost)
{
	int rc;

	if (cost == 0 || alarm_active(e, ES_ALARM_CORRUPT))
		return es_engine_propose(e, op, kind, body);
	if (alarm_active(e, ES_ALARM_NOSPACE))
		return ES_ENOSPACE;
	if (es_engine_bytes(e) + cost <= e->config.quota_bytes)
		return es_engine_propose(e, op, kind, body);
	/* The alarm is there when the refusal is told. */
	rc = propose_quota_alarm(e, true, op);
	if (rc == 0)
		op->over_quota = true;
	return rc;
}

int es_engine_write(struct es_engine *e, struct es_engine_op *op, enum es_command_kind kind,
		    struct es_slice request, const struct es_mvcc_txn *txn)
{
	int rc = es_engine_propose_within_quota(e, op, kind, request, txn_cost(txn));

	if (rc == 0)
		op->txn = txn;
	return rc;
}

int es_engine_resource(struct es_engine *e, struct es_engine_op *op, struct es_slice text,
		       uint64_t cost)
{
	int rc;

	e->resource_body.len = 0;
	rc = es_buf_append_u8(&e->resource_body, ES_RESOURCE_RULES);
	if (rc == 0)
		rc = es_buf_append_slice(&e->resource_body, text);
	return rc < 0 ? rc
		      : es_engine_propose_within_quota(e, op, ES_COMMAND_RESOURCE,
						       es_buf_slice(&e->resource_body), cost);
}

int es_engine_compact(struct es_engine *e, struct es_engine_op *op, int64_t revision, bool physical)
{
	uint8_t body[8];
	int rc;

	es_store_u64le(body, (uint64_t)revision);
	rc = es_engine_propose(e, op, ES_COMMAND_COMPACT, es_slice(body, sizeof(body)));
	if (rc == 0)
		op->physical = physical;
	return rc;
}

int es_engine_alarm(struct es_engine *e, struct es_engine_op *op, bool activate,
		    struct es_alarm alarm)
{
	uint8_t body[11] = {activate ? 1 : 0, (uint8_t)alarm.type, 0};

	es_store_u64le(body + 3, alarm.member_id);
	return es_engine_propose(e, op, ES_COMMAND_ALARM, es_slice(body, sizeof(body)));
}

static bool lease_exists(void *ctx, int64_t lease)
{
	const struct es_engine *e = ctx;

	return es_lease_exists(e->leases, lease);
}

static void count_ops(struct es_engine *e, const struct es_mvcc_txn_res *res)
{
	for (size_t i = 0; i < res->n; i++) {
		switch (res->ops[i].kind) {
		case ES_MVCC_OP_PUT: e->counts.puts++; break;
		case ES_MVCC_OP_DELETE: e->counts.deletes++; break;
		case ES_MVCC_OP_RANGE: e->counts.ranges++; break;
		case ES_MVCC_OP_TXN: count_ops(e, res->ops[i].u.txn); break;
		}
	}
}

int es_engine_changed(struct es_engine *e, const struct es_mvcc_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct es_mvcc_kv kv;
		struct es_mvcc_kv prev = {0};
		int rc;

		es_mvcc_version_kv(events[i].version, &kv);
		if (events[i].prev != NULL)
			es_mvcc_version_kv(events[i].prev, &prev);
		if (kv.lease == prev.lease)
			continue;
		rc = es_lease_attach(e->leases, kv.key, kv.lease);
		/* The transaction checked that the lease exists: nothing but memory can be missing.
		 */
		ES_ASSERT(rc == 0 || rc == ES_ENOMEM);
		if (rc < 0)
			return rc;
	}
	if (count > 0)
		es_watch_publish(e->hub, es_mvcc_revision(e->store), events, count);
	return 0;
}

static int apply_to_store(struct es_engine *e, const struct es_mvcc_txn *txn,
			  struct es_arena *arena, const struct es_mvcc_txn_res **ret_res)
{
	const struct es_mvcc_txn_env env = {lease_exists, e};
	const struct es_mvcc_event *events = NULL;
	size_t count = 0;
	int rc;

	if (alarm_active(e, ES_ALARM_NOSPACE) && txn_cost(txn) > 0)
		return ES_ENOSPACE;
	rc = es_mvcc_txn_apply(e->store, txn, &env, arena, ret_res, &events, &count);
	if (rc < 0)
		return rc;
	count_ops(e, *ret_res);
	return es_engine_changed(e, events, count);
}

/* Returns a status for the operation; *ret_fatal when the member cannot go on. */
static int apply_txn(struct es_engine *e, const struct es_command *command, struct es_engine_op *op,
		     int *ret_fatal)
{
	struct es_arena *arena = op != NULL ? op->arena : &e->scratch;
	const struct es_mvcc_txn *txn = op != NULL ? op->txn : NULL;
	const struct es_mvcc_txn_res *res = NULL;
	int rc = 0;

	if (txn == NULL)
		rc = es_command_txn(command->kind, command->body, arena, &txn);
	if (rc < 0) {
		*ret_fatal = rc == ES_ENOMEM
				     ? rc
				     : ES_ECORRUPT; /* it was decoded before it went into the log */
		return rc;
	}
	rc = apply_to_store(e, txn, arena, &res);
	if (rc == 0 && command->kind == ES_COMMAND_TXN)
		e->counts.txns++;
	if (rc == ES_ENOMEM)
		*ret_fatal = rc;
	if (op != NULL)
		op->txn_res = res;
	return rc;
}

/*
 * The rules judge the command on the store as it is now. What is judged is always what the log says,
 * for the one who waits as for a replay; and a command that cannot be read, which nobody should have
 * proposed, is refused by everybody alike.
 */
static int apply_resource(struct es_engine *e, const struct es_command *command,
			  struct es_engine_op *op)
{
	struct es_arena *arena = &e->scratch;
	struct es_resource_plan *plan = es_arena_alloc(arena, sizeof(*plan));
	struct es_resource_command decoded;
	const struct es_mvcc_txn_res *res;
	struct es_slice text = command->body;
	char errmsg[256] = "";
	int rc;

	if (plan == NULL)
		return ES_ENOMEM;
	if (text.len == 0 || text.data[0] != ES_RESOURCE_RULES)
		return ES_ECORRUPT; /* rules of a later version: going on would fork the replica */
	text = es_slice(text.data + 1, text.len - 1);
	rc = es_resource_command_decode(text, arena, &decoded, errmsg, sizeof(errmsg));
	if (rc == ES_EDECODE)
		es_log(e->config.log, ES_LOG_ERROR, "refused a command on resources",
		       ES_STR("error", errmsg));
	if (rc == 0)
		rc = es_resource_plan(e->store, &decoded, arena, plan);
	if (rc == 0 && plan->txn != NULL)
		rc = apply_to_store(e, plan->txn, arena, &res);
	if (rc == 0 && op != NULL)
		op->resource = plan;
	return rc;
}

/* A store that is known to differ from the others takes no more writes. */
static bool refused_when_corrupt(enum es_command_kind kind)
{
	return kind != ES_COMMAND_ALARM && kind != ES_COMMAND_MEMBER;
}

/* The command is in the log, and a restart applies it: whoever waits must not believe that it was
 * refused. Nobody sees what was done of it. */
static int apply_failed(struct es_engine *e, struct es_proposal *proposal, int status)
{
	e->failed = true;
	es_engine_op_done(e, proposal, ES_ESTOPPED);
	es_arena_close(&e->scratch);
	return status;
}

int es_engine_apply(void *ctx, uint64_t index, uint64_t term, struct es_slice bytes, void *pending)
{
	struct es_engine *e = ctx;
	struct es_proposal *proposal = pending;
	struct es_engine_op *op = proposal != NULL ? proposal->op : NULL;
	struct es_command command;
	bool finished = true;
	int fatal = 0;
	int rc = es_command_decode(bytes, &command);

	(void)term;
	if (op != NULL)
		op->index = index;
	if (rc < 0)
		return apply_failed(e, proposal, rc);
	if (alarm_active(e, ES_ALARM_CORRUPT) && refused_when_corrupt(command.kind)) {
		if (command.kind == ES_COMMAND_LEASE_REVOKE)
			e->revoking_check = true;
		es_engine_op_done(e, proposal, ES_ECORRUPT_MEMBER);
		return 0;
	}
	switch (command.kind) {
	case ES_COMMAND_PUT:
	case ES_COMMAND_DELETE_RANGE:
	case ES_COMMAND_TXN: rc = apply_txn(e, &command, op, &fatal); break;
	case ES_COMMAND_RESOURCE: rc = apply_resource(e, &command, op); break;
	case ES_COMMAND_COMPACT:
		rc = es_engine_apply_compact(e, command.body);
		if (rc == 0 && op != NULL && op->physical) {
			/* The answer comes when the memory is free. */
			es_queue_remove(&proposal->link);
			es_free(e->mem, proposal);
			es_queue_push(&e->compact_waiters, &op->link);
			proposal = NULL;
		}
		break;
	case ES_COMMAND_LEASE_GRANT:
		rc = alarm_active(e, ES_ALARM_NOSPACE)
			     ? ES_ENOSPACE
			     : es_engine_apply_lease_grant(e, command.body);
		break;
	case ES_COMMAND_LEASE_REVOKE:
		rc = es_engine_apply_lease_revoke(e, command.body, &finished);
		if (rc == 0 && !finished && e->is_leader) {
			/* The next slice; whoever waits goes on waiting. */
			int again = es_engine_propose(e, op, ES_COMMAND_LEASE_REVOKE, command.body);

			if (again < 0) {
				/* This slice is applied: not a failure of the member. */
				e->revoking_check = true;
				es_engine_op_done(e, proposal, again);
				proposal = NULL;
			} else if (proposal != NULL) {
				proposal->op = NULL;
			}
		}
		break;
	case ES_COMMAND_ALARM:
		rc = es_engine_apply_alarm(e, command.body, op);
		if (rc == 0 && op != NULL && op->over_quota)
			rc = ES_ENOSPACE;
		break;
	case ES_COMMAND_MEMBER:
		rc = es_engine_apply_member(e, command.body);
		es_engine_tell_ready(e);
		break;
	}
	if (rc == ES_ENOMEM || rc == ES_ECORRUPT)
		fatal = rc;
	if (fatal < 0)
		return apply_failed(e, proposal, fatal);
	es_engine_op_done(e, proposal, rc);
	es_arena_reset(&e->scratch);
	return 0;
}
