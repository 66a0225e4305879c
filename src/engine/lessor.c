#include "engine/internal.h"

/*
 * Leases come due on the clock of the member that leads, which proposes to revoke them; what
 * happens to the keys is decided by the log alone. A revoke deletes up to LEASE_SLICE_KEYS keys at
 * one revision and goes on with the next command, so that a lease with very many keys never holds
 * up the others.
 */
#define LEASE_SLICE_KEYS      500
#define LEASES_DUE_MAX        1000 /* revoked in one tick */
#define LEASE_REVOKE_RETRY_MS 2000
#define LEASE_COST_BYTES      64 /* of the quota, as in etcd */

static int64_t ttl_min_s(const struct es_engine *e)
{
	/* etcd: one and a half elections, counted in heartbeats, rounded up to seconds. */
	uint64_t ticks = e->config.election_ms / e->config.heartbeat_ms;

	return (int64_t)((3 * ticks / 2 * e->config.heartbeat_ms + 999) / 1000);
}

static int64_t random_id(struct es_engine *e)
{
	uint64_t id;

	do {
		e->config.env->random(e->config.env->ctx, &id, sizeof(id));
		id &= INT64_MAX;
	} while (id == 0 || es_lease_exists(e->leases, (int64_t)id));
	return (int64_t)id;
}

int es_engine_lease_grant(struct es_engine *e, struct es_engine_op *op, int64_t id, int64_t ttl_s)
{
	uint8_t body[16];

	if (ttl_s > ES_LEASE_TTL_MAX_S)
		return ES_ELEASE_TTL_TOO_LARGE;
	op->id = id == 0 ? random_id(e) : id;
	op->ttl_s = ttl_s < ttl_min_s(e) ? ttl_min_s(e) : ttl_s;
	es_store_u64le(body, (uint64_t)op->id);
	es_store_u64le(body + 8, (uint64_t)op->ttl_s);
	return es_engine_propose_within_quota(e, op, ES_COMMAND_LEASE_GRANT,
					      es_slice(body, sizeof(body)), LEASE_COST_BYTES);
}

int es_engine_apply_lease_grant(struct es_engine *e, struct es_slice body)
{
	struct es_reader reader = es_reader(body);
	int64_t id = (int64_t)es_read_u64le(&reader);
	int64_t ttl_s = (int64_t)es_read_u64le(&reader);
	int rc;

	if (reader.failed || ttl_s <= 0)
		return ES_ECORRUPT;
	rc = es_lease_grant(e->leases, id, ttl_s, es_engine_now_ms(e));
	if (rc == 0)
		e->counts.leases_granted++;
	return rc;
}

static int propose_revoke(struct es_engine *e, struct es_engine_op *op, int64_t id)
{
	uint8_t body[8];

	es_store_u64le(body, (uint64_t)id);
	return es_engine_propose(e, op, ES_COMMAND_LEASE_REVOKE, es_slice(body, sizeof(body)));
}

int es_engine_lease_revoke(struct es_engine *e, struct es_engine_op *op, int64_t id)
{
	op->id = id;
	return propose_revoke(e, op, id);
}

static int delete_keys(struct es_engine *e, const struct es_slice *keys, size_t count)
{
	struct es_mvcc_op *ops = es_arena_calloc(&e->scratch, count, sizeof(*ops));
	struct es_mvcc_txn txn = {.success_count = count, .success = ops};
	const struct es_mvcc_txn_env env = {NULL, NULL}; /* no put: nothing is asked */
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	size_t event_count;
	int rc;

	if (ops == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		ops[i].kind = ES_MVCC_OP_DELETE;
		ops[i].u.del.range.key = keys[i];
	}
	rc = es_mvcc_txn_apply(e->store, &txn, &env, &e->scratch, &res, &events, &event_count);
	if (rc < 0)
		return rc;
	ES_ASSERT(event_count == count); /* a key hangs on a lease only while it lives */
	return es_engine_changed(e, events, event_count);
}

int es_engine_apply_lease_revoke(struct es_engine *e, struct es_slice body, bool *ret_finished)
{
	struct es_reader reader = es_reader(body);
	int64_t id = (int64_t)es_read_u64le(&reader);
	struct es_lease_info info;
	struct es_slice *keys;
	size_t count;
	int rc;

	*ret_finished = true;
	if (reader.failed)
		return ES_ECORRUPT;
	rc = es_lease_revoke_slice(e->leases, id, LEASE_SLICE_KEYS, &e->scratch, &keys, &count);
	if (rc < 0)
		return rc;
	if (count > 0)
		rc = delete_keys(e, keys, count);
	if (rc < 0)
		return rc;
	rc = es_lease_get(e->leases, id, &info);
	ES_ASSERT(rc == 0);
	*ret_finished = info.key_count == 0;
	if (!*ret_finished)
		return 0;
	e->counts.leases_revoked++;
	if (e->is_leader && info.due_ms <= es_engine_now_ms(e))
		e->counts.leases_expired++;
	return es_lease_remove(e->leases, id);
}

/* A leader that went away between two slices, or a slice that was lost, leaves leases half revoked.
 */
static void finish_revoking(struct es_engine *e)
{
	struct es_arena arena;
	struct es_lease_info *list;
	size_t count;

	es_arena_init(&arena, e->mem, 4096);
	if (es_lease_list(e->leases, &arena, &list, &count) == 0) {
		for (size_t i = 0; i < count; i++) {
			if (list[i].revoking)
				(void)propose_revoke(e, NULL, list[i].id);
		}
	}
	es_arena_close(&arena);
}

void es_engine_expire_leases(struct es_engine *e, uint64_t now_ms)
{
	int64_t due[LEASES_DUE_MAX];
	size_t count;

	if (!e->is_leader)
		return;
	if (e->revoking_check && now_ms >= e->revoking_check_ms) {
		e->revoking_check = false;
		e->revoking_check_ms = now_ms + LEASE_REVOKE_RETRY_MS;
		finish_revoking(e);
	}
	if (es_lease_next_due_ms(e->leases) > now_ms)
		return;
	count = es_lease_due(e->leases, now_ms, LEASE_REVOKE_RETRY_MS, due, LEASES_DUE_MAX);
	for (size_t i = 0; i < count; i++)
		(void)propose_revoke(e, NULL, due[i]);
}

int es_engine_lease_renew(struct es_engine *e, int64_t id, int64_t *ret_ttl_s)
{
	int rc;

	*ret_ttl_s = 0;
	if (e->failed)
		return ES_ESTOPPED;
	if (!e->is_leader)
		return ES_ENO_LEADER;
	rc = es_lease_renew(e->leases, id, es_engine_now_ms(e), ret_ttl_s);
	if (rc == ES_ELEASE_NOT_FOUND)
		return 0;
	if (rc == 0)
		e->counts.leases_renewed++;
	return rc;
}

int es_engine_lease_ttl(struct es_engine *e, int64_t id, int64_t *ret_granted_s,
			int64_t *ret_remaining_s)
{
	struct es_lease_info info;
	uint64_t now_ms = es_engine_now_ms(e);
	int rc;

	if (e->failed)
		return ES_ESTOPPED;
	if (!e->is_leader)
		return ES_ENO_LEADER;
	rc = es_lease_get(e->leases, id, &info);
	if (rc < 0 || info.revoking || info.due_ms <= now_ms)
		return ES_ELEASE_NOT_FOUND;
	*ret_granted_s = info.ttl_s;
	*ret_remaining_s = (int64_t)((info.due_ms - now_ms) / 1000);
	return 0;
}
