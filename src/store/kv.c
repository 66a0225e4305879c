#include "store/internal.h"
#include "store/kv_request.h"
#include "store/kv_result.h"

/*
 * Raw keys. A write is encoded, checked and decoded again in the thread that makes it; the loop
 * only proposes it, and takes the answer.
 */
enum { WIRE_OVERHEAD_BYTES = 18 }; /* as etcd measures requests */

/* ---- writes ---------------------------------------------------------------------------------- */

struct write {
	struct es_store_call call;
	struct es_engine_op op;
	struct es_store_request request;
	engenho_kv_txn_result *txn_result; /* of a transaction */
	int64_t revision;
	int64_t deleted;
	engenho_kv_done done;
	void *ctx;
};

static void on_written(struct es_engine_op *op, int status)
{
	struct write *w = ES_CONTAINER_OF(op, struct write, op);

	if (status == 0) {
		w->revision = op->header.revision;
		if (w->request.kind == ES_COMMAND_DELETE_RANGE)
			w->deleted = op->txn_res->ops[0].u.del.deleted;
		if (w->request.kind == ES_COMMAND_TXN) {
			w->txn_result = es_store_txn_result(op->txn_res, w->revision);
			if (w->txn_result == NULL)
				status = ES_ENOMEM;
		}
	}
	es_store_finish(&w->call, status, NULL);
}

static void run_write(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);
	int rc;

	w->op = (struct es_engine_op){.done = on_written, .arena = &call->arena};
	rc = es_engine_write(call->store->member.engine, &w->op, w->request.kind, w->request.body,
			     w->request.txn);
	if (rc < 0)
		es_store_finish(call, rc, NULL);
}

/* A transaction that reads only. */
static void on_readable(void *arg, int status)
{
	struct write *w = arg;
	struct es_engine *engine = w->call.store->member.engine;
	const struct es_mvcc_txn_res *res;

	if (status == 0)
		status = es_engine_read_txn(engine, w->request.txn, &w->call.arena, &res);
	if (status == 0) {
		w->txn_result = es_store_txn_result(res, es_mvcc_revision(es_engine_store(engine)));
		if (w->txn_result == NULL)
			status = ES_ENOMEM;
	}
	es_store_finish(&w->call, status, NULL);
}

static void run_read_txn(struct es_store_call *call)
{
	es_engine_linearize(call->store->member.engine, on_readable,
			    ES_CONTAINER_OF(call, struct write, call));
}

static int check_size(const struct write *w)
{
	return w->request.body.len + WIRE_OVERHEAD_BYTES > w->call.store->max_request_bytes
		       ? ES_ETOO_LARGE
		       : 0;
}

/* `rc`: of the making of the request. */
static engenho_code write_and_wait(struct write *w, int rc, engenho_error *error)
{
	if (rc == 0)
		rc = check_size(w);
	return rc < 0 ? es_store_fail(error, rc, NULL) : es_store_wait(&w->call, error);
}

engenho_code engenho_kv_put(engenho_store *store, engenho_bytes key, engenho_bytes value,
			    int64_t lease, int64_t *ret_revision, engenho_error *error)
{
	struct write w;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&w.call, store, run_write, NULL);
	code = write_and_wait(&w,
			      es_store_request_put(&w.call.arena, es_store_slice(key),
						   es_store_slice(value), lease, &w.request),
			      error);
	es_store_call_close(&w.call);
	es_store_leave(store);
	if (code == ENGENHO_OK && ret_revision != NULL)
		*ret_revision = w.revision;
	return code;
}

engenho_code engenho_kv_delete(engenho_store *store, engenho_bytes key, engenho_bytes range_end,
			       int64_t *ret_deleted, int64_t *ret_revision, engenho_error *error)
{
	struct write w;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&w.call, store, run_write, NULL);
	code = write_and_wait(&w,
			      es_store_request_delete(&w.call.arena, es_store_slice(key),
						      es_store_slice(range_end), &w.request),
			      error);
	es_store_call_close(&w.call);
	es_store_leave(store);
	if (code == ENGENHO_OK && ret_deleted != NULL)
		*ret_deleted = w.deleted;
	if (code == ENGENHO_OK && ret_revision != NULL)
		*ret_revision = w.revision;
	return code;
}

static void deliver_put(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);

	if (w->done != NULL)
		w->done(w->ctx, w->revision, call->error.code == ENGENHO_OK ? NULL : &call->error);
	es_store_call_close(call);
	es_free(es_mem_default(), w);
}

engenho_code engenho_kv_put_async(engenho_store *store, engenho_bytes key, engenho_bytes value,
				  int64_t lease, engenho_kv_done done, void *ctx,
				  engenho_error *error)
{
	engenho_code code = es_store_enter(store, false, error);
	struct write *w;
	int rc = ES_ENOMEM;

	if (code != ENGENHO_OK)
		return code;
	w = es_alloc(es_mem_default(), sizeof(*w));
	if (w != NULL) {
		es_store_call_init(&w->call, store, run_write, deliver_put);
		w->done = done;
		w->ctx = ctx;
		w->revision = 0;
		rc = es_store_request_put(&w->call.arena, es_store_slice(key),
					  es_store_slice(value), lease, &w->request);
		if (rc == 0)
			rc = check_size(w);
	}
	code = rc < 0 ? es_store_fail(error, rc, NULL) : es_store_send(&w->call, error);
	if (code != ENGENHO_OK && w != NULL) {
		es_store_call_close(&w->call);
		es_free(es_mem_default(), w);
	}
	es_store_leave(store);
	return code;
}

engenho_code engenho_kv_txn_commit(engenho_store *store, const engenho_kv_txn *txn,
				   engenho_kv_txn_result **ret_result, engenho_error *error)
{
	struct write w;
	engenho_code code;
	int rc;

	if (txn->size != sizeof(*txn))
		return es_store_fail(error, ES_EINVAL, "txn.size is not set");
	code = es_store_enter(store, true, error);
	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&w.call, store, run_write, NULL);
	w.txn_result = NULL;
	rc = es_store_request_txn(&w.call.arena, txn, store->max_txn_ops, &w.request);
	if (rc == 0 && !es_mvcc_txn_may_write(w.request.txn))
		w.call.run = run_read_txn;
	code = write_and_wait(&w, rc, error);
	es_store_call_close(&w.call);
	es_store_leave(store);
	if (code == ENGENHO_OK && ret_result != NULL)
		*ret_result = w.txn_result;
	else
		engenho_kv_txn_result_free(w.txn_result);
	return code;
}

/* ---- reads ----------------------------------------------------------------------------------- */

struct read {
	struct es_store_call call;
	struct es_mvcc_range_req req;
	bool serializable;
	engenho_range_result *result;
};

static void on_range(void *arg, int status)
{
	struct read *r = arg;
	struct es_engine *engine = r->call.store->member.engine;
	struct es_mvcc_range_res res;

	if (status == 0)
		status = es_engine_range(engine, &r->req, &r->call.arena, &res);
	if (status == 0) {
		r->result = es_store_range_result(&res, es_mvcc_revision(es_engine_store(engine)),
						  r->req.count_only);
		if (r->result == NULL)
			status = ES_ENOMEM;
	}
	es_store_finish(&r->call, status, NULL);
}

static void run_range(struct es_store_call *call)
{
	struct read *r = ES_CONTAINER_OF(call, struct read, call);

	if (r->serializable)
		on_range(r, 0);
	else
		es_engine_linearize(call->store->member.engine, on_range, r);
}

engenho_code engenho_kv_range(engenho_store *store, const engenho_range_options *options,
			      engenho_range_result **ret_result, engenho_error *error)
{
	struct read r = {
		.req = {.range = {es_store_slice(options->key), es_store_slice(options->range_end)},
			.limit = options->limit,
			.revision = options->revision,
			.keys_only = options->keys_only,
			.count_only = options->count_only},
		.serializable = options->serializable,
	};
	engenho_code code;

	if (options->size != sizeof(*options))
		return es_store_fail(error, ES_EINVAL, "options.size is not set");
	if (options->key.len == 0)
		return es_store_fail(error, ES_EEMPTY_KEY, NULL);
	code = es_store_enter(store, true, error);
	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&r.call, store, run_range, NULL);
	code = es_store_wait(&r.call, error);
	es_store_call_close(&r.call);
	es_store_leave(store);
	if (code == ENGENHO_OK)
		*ret_result = r.result;
	return code;
}
