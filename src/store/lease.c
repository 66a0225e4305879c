#include "store/internal.h"

/* Leases and compaction: operations of the engine that have a number or two. */
struct operation {
	struct es_store_call call;
	struct es_engine_op op;
	int64_t id, number; /* what is asked, and what was granted */
};

static void on_done(struct es_engine_op *op, int status)
{
	struct operation *o = ES_CONTAINER_OF(op, struct operation, op);

	o->id = op->id;
	o->number = op->ttl_s;
	es_store_finish(&o->call, status, NULL);
}

static engenho_code operate(engenho_store *store, struct operation *o,
			    void (*run)(struct es_store_call *), engenho_error *error)
{
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&o->call, store, run, NULL);
	o->op.done = on_done;
	o->op.arena = &o->call.arena;
	code = es_store_wait(&o->call, error);
	es_store_call_close(&o->call);
	es_store_leave(store);
	return code;
}

static void run_compact(struct es_store_call *call)
{
	struct operation *o = ES_CONTAINER_OF(call, struct operation, call);
	int rc = es_engine_compact(call->store->member.engine, &o->op, o->number, true);

	if (rc < 0)
		es_store_finish(call, rc, NULL);
}

engenho_code engenho_compact(engenho_store *store, int64_t revision, engenho_error *error)
{
	struct operation o = {.number = revision};

	if (revision < 0)
		return es_store_fail(error, ES_EINVAL, "revision is negative");
	return operate(store, &o, run_compact, error);
}

static void run_grant(struct es_store_call *call)
{
	struct operation *o = ES_CONTAINER_OF(call, struct operation, call);
	int rc = es_engine_lease_grant(call->store->member.engine, &o->op, o->id, o->number);

	if (rc < 0)
		es_store_finish(call, rc, NULL);
}

engenho_code engenho_lease_grant(engenho_store *store, int64_t id, int64_t ttl_s, int64_t *ret_id,
				 int64_t *ret_ttl_s, engenho_error *error)
{
	struct operation o = {.id = id, .number = ttl_s};
	engenho_code code = operate(store, &o, run_grant, error);

	if (code == ENGENHO_OK && ret_id != NULL)
		*ret_id = o.id;
	if (code == ENGENHO_OK && ret_ttl_s != NULL)
		*ret_ttl_s = o.number;
	return code;
}

static void run_keep_alive(struct es_store_call *call)
{
	struct operation *o = ES_CONTAINER_OF(call, struct operation, call);
	int rc = es_engine_lease_renew(call->store->member.engine, o->id, &o->number);

	if (rc == 0 && o->number == 0)
		rc = ES_ELEASE_NOT_FOUND;
	es_store_finish(call, rc, NULL);
}

engenho_code engenho_lease_keep_alive(engenho_store *store, int64_t id, int64_t *ret_ttl_s,
				      engenho_error *error)
{
	struct operation o = {.id = id};
	engenho_code code = operate(store, &o, run_keep_alive, error);

	if (code == ENGENHO_OK && ret_ttl_s != NULL)
		*ret_ttl_s = o.number;
	return code;
}

static void run_revoke(struct es_store_call *call)
{
	struct operation *o = ES_CONTAINER_OF(call, struct operation, call);
	int rc = es_engine_lease_revoke(call->store->member.engine, &o->op, o->id);

	if (rc < 0)
		es_store_finish(call, rc, NULL);
}

engenho_code engenho_lease_revoke(engenho_store *store, int64_t id, engenho_error *error)
{
	struct operation o = {.id = id};

	return operate(store, &o, run_revoke, error);
}
