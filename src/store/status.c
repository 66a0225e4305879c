#include <stdio.h>

#include "store/internal.h"

/* The member: what it is doing, and waiting for it. */

struct waiter {
	struct es_store_call call;
	struct es_queue link;
	enum { FOR_LEADER, FOR_LEADERSHIP, FOR_INDEX } what;
	uint64_t index;
	uint64_t deadline_ms; /* UINT64_MAX: none */
};

static uint64_t now_ms(void)
{
	const struct es_env *env = es_env_system();

	return env->now_ms(env->ctx);
}

static bool has_come(const struct waiter *w)
{
	struct es_consensus *consensus = es_engine_consensus(w->call.store->member.engine);

	switch (w->what) {
	case FOR_LEADER: return w->call.store->has_leader;
	case FOR_LEADERSHIP: return es_consensus_is_leader(consensus);
	case FOR_INDEX: break;
	}
	return es_consensus_applied_index(consensus) >= w->index;
}

/* Whether it is over. */
static bool judge(struct waiter *w, uint64_t at_ms)
{
	static const char *const missing[] = {
		[FOR_LEADER] = "there is no leader",
		[FOR_LEADERSHIP] = "this member does not lead",
		[FOR_INDEX] = "the index is not applied yet",
	};
	bool come = has_come(w);

	if (!come && at_ms < w->deadline_ms)
		return false;
	es_queue_remove(&w->link);
	if (come)
		es_store_finish(&w->call, 0, NULL);
	else
		es_store_finish(&w->call, ES_ETIMEOUT, missing[w->what]);
	return true;
}

void es_store_waiters_look(engenho_store *store)
{
	uint64_t at_ms = now_ms();
	struct es_queue *next;

	for (struct es_queue *link = store->waiters.next; link != &store->waiters; link = next) {
		next = link->next;
		(void)judge(ES_QUEUE_ITEM(link, struct waiter, link), at_ms);
	}
	if (es_queue_empty(&store->waiters))
		es_store_look(store, false);
}

void es_store_waiters_stop(engenho_store *store)
{
	struct es_queue *link;

	while ((link = es_queue_pop(&store->waiters)) != NULL)
		es_store_finish(&ES_QUEUE_ITEM(link, struct waiter, link)->call, ES_ESTOPPED, NULL);
	es_store_look(store, false);
}

static void run_wait(struct es_store_call *call)
{
	struct waiter *w = ES_CONTAINER_OF(call, struct waiter, call);
	engenho_store *store = call->store;

	es_queue_init(&w->link);
	if (judge(w, now_ms()))
		return;
	es_queue_push(&store->waiters, &w->link);
	es_store_look(store, true);
}

static engenho_code wait_for(engenho_store *store, struct waiter *w, int timeout_ms,
			     engenho_error *error)
{
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	w->deadline_ms = timeout_ms < 0 ? UINT64_MAX : now_ms() + (uint64_t)timeout_ms;
	es_store_call_init(&w->call, store, run_wait, NULL);
	code = es_store_wait(&w->call, error);
	es_store_leave(store);
	return code;
}

engenho_code engenho_wait_for_leader(engenho_store *store, int timeout_ms, engenho_error *error)
{
	struct waiter w = {.what = FOR_LEADER};

	return wait_for(store, &w, timeout_ms, error);
}

engenho_code engenho_wait_for_leadership(engenho_store *store, int timeout_ms, engenho_error *error)
{
	struct waiter w = {.what = FOR_LEADERSHIP};

	return wait_for(store, &w, timeout_ms, error);
}

engenho_code engenho_wait_for_index(engenho_store *store, uint64_t index, int timeout_ms,
				    engenho_error *error)
{
	struct waiter w = {.what = FOR_INDEX, .index = index};

	return wait_for(store, &w, timeout_ms, error);
}

/* ---- figures --------------------------------------------------------------------------------- */

struct stats_call {
	struct es_store_call call;
	engenho_stats stats;
};

static bool has_alarm(const struct es_engine *engine, enum es_alarm_type type)
{
	const struct es_alarm *alarms;
	size_t count = es_engine_alarms(engine, &alarms);

	for (size_t i = 0; i < count; i++) {
		if (alarms[i].type == type)
			return true;
	}
	return false;
}

static void run_stats(struct es_store_call *call)
{
	struct stats_call *s = ES_CONTAINER_OF(call, struct stats_call, call);
	struct es_engine *engine = call->store->member.engine;
	struct es_consensus *consensus = es_engine_consensus(engine);
	struct es_engine_header header = es_engine_header(engine);
	struct es_engine_stats from;

	es_engine_get_stats(engine, &from);
	s->stats = (engenho_stats){
		.cluster_id = header.cluster_id,
		.member_id = header.member_id,
		.leader_id = es_consensus_leader_id(consensus),
		.term = header.raft_term,
		.applied_index = es_consensus_applied_index(consensus),
		.revision = from.revision,
		.compacted_revision = from.compacted < 0 ? 0 : from.compacted,
		.keys = from.keys,
		.versions = from.versions,
		.bytes = from.db_bytes,
		.bytes_in_use = from.db_bytes_in_use,
		.quota_bytes = from.quota_bytes,
		.leases = from.leases,
		.watchers = from.watchers,
		.is_leader = from.is_leader,
		.has_leader = from.has_leader,
		.disk_full = from.disk_full,
		.no_space_alarm = has_alarm(engine, ES_ALARM_NOSPACE),
		.corrupt_alarm = has_alarm(engine, ES_ALARM_CORRUPT),
	};
	es_store_finish(call, 0, NULL);
}

/* In callbacks too: it ends at once. */
static engenho_code get_stats(engenho_store *store, engenho_stats *ret_stats, engenho_error *error)
{
	struct stats_call s;
	engenho_code code = es_store_enter(store, false, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&s.call, store, run_stats, NULL);
	code = es_store_wait(&s.call, error);
	es_store_leave(store);
	if (code == ENGENHO_OK)
		*ret_stats = s.stats;
	return code;
}

engenho_code engenho_get_stats(engenho_store *store, engenho_stats *stats, engenho_error *error)
{
	engenho_stats all;
	size_t size = stats->size;
	engenho_code code;

	if (size < sizeof(size))
		return es_store_fail(error, ES_EINVAL, "size is not set (ENGENHO_INIT sets it)");
	code = get_stats(store, &all, error);
	if (code != ENGENHO_OK)
		return code;
	/* A later version's has members that we do not know. */
	memset(stats, 0, size);
	memcpy(stats, &all, size < sizeof(all) ? size : sizeof(all));
	stats->size = size;
	return ENGENHO_OK;
}

bool engenho_is_leader(engenho_store *store)
{
	engenho_stats stats;

	return get_stats(store, &stats, NULL) == ENGENHO_OK && stats.is_leader;
}

engenho_code engenho_health(engenho_store *store, engenho_error *error)
{
	engenho_stats stats;
	engenho_code code = get_stats(store, &stats, error);

	if (code != ENGENHO_OK)
		return code;
	if (stats.corrupt_alarm)
		return es_store_fail_as(error, ENGENHO_CORRUPT, "the alarm CORRUPT is raised");
	if (!stats.has_leader)
		return es_store_fail_as(error, ENGENHO_UNAVAILABLE, "there is no leader");
	if (stats.disk_full)
		return es_store_fail_as(error, ENGENHO_NO_SPACE,
					"no space left on the disk of the data folder");
	if (stats.no_space_alarm)
		return es_store_fail_as(error, ENGENHO_NO_SPACE,
					"the store is as large as its quota (quota-backend-bytes)");
	return ENGENHO_OK;
}
