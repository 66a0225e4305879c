#include "store/internal.h"
#include "store/kv_request.h"
#include "store/kv_result.h"

/*
 * Writes of raw keys. A write is encoded, checked and decoded again in the thread that makes it; the loop only proposes
 * it, and takes the answer.
 */
enum { WIRE_OVERHEAD_BYTES = 18 }; /* as etcd measures requests */

struct write {
	struct es_store_call call;
	struct es_engine_op op;
	struct es_store_request request;
	/* The answer. */
	engenho_kv_txn_result *txn_result;
	int64_t revision, deleted;
	union {
		engenho_kv_done put;
		engenho_kv_delete_done del;
		engenho_kv_txn_done txn;
	} done;
	void *ctx;
};

/* ---- on the loop ----------------------------------------------------------------------------- */

static int take_txn(struct write *w, const struct es_mvcc_txn_res *res)
{
	w->txn_result = es_store_txn_result(w->call.store->mem, res, w->revision);
	return w->txn_result == NULL ? ES_ENOMEM : 0;
}

static void on_written(struct es_engine_op *op, int status)
{
	struct write *w = ES_CONTAINER_OF(op, struct write, op);

	if (status == 0) {
		w->revision = op->header.revision;
		if (w->request.kind == ES_COMMAND_DELETE_RANGE)
			w->deleted = op->txn_res->ops[0].u.del.deleted;
		if (w->request.kind == ES_COMMAND_TXN)
			status = take_txn(w, op->txn_res);
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
		w->revision = es_mvcc_revision(es_engine_store(engine));
		status = take_txn(w, res);
	}
	es_store_finish(&w->call, status, NULL);
}

static void run_read_txn(struct es_store_call *call)
{
	es_engine_linearize(call->store->member.engine, on_readable,
			    ES_CONTAINER_OF(call, struct write, call));
}

/* ---- requests -------------------------------------------------------------------------------- */

static void write_init(struct write *w, engenho_store *store,
		       void (*deliver)(struct es_store_call *call))
{
	memset(w, 0, sizeof(*w));
	es_store_call_init(&w->call, store, run_write, deliver);
}

/* `rc`, and `why` where there is more to say: of the making of the request. */
static engenho_code made(struct write *w, int rc, const char *why, engenho_error *error)
{
	if (rc == 0 && w->request.body.len + WIRE_OVERHEAD_BYTES > w->call.store->max_request_bytes)
		rc = ES_ETOO_LARGE;
	return rc < 0 ? es_store_fail(error, rc, why) : ENGENHO_OK;
}

static engenho_code make_put(struct write *w, engenho_bytes key, engenho_bytes value, int64_t lease,
			     engenho_error *error)
{
	int rc = es_store_request_put(&w->call.arena, es_store_slice(key), es_store_slice(value),
				      lease, &w->request);

	return made(w, rc, NULL, error);
}

static engenho_code make_delete(struct write *w, engenho_bytes key, engenho_bytes range_end,
				engenho_error *error)
{
	int rc = es_store_request_delete(&w->call.arena, es_store_slice(key),
					 es_store_slice(range_end), &w->request);

	return made(w, rc, NULL, error);
}

static engenho_code make_txn(struct write *w, const engenho_kv_txn *from, engenho_error *error)
{
	engenho_kv_txn txn;
	const char *why = es_store_adopt(&txn, sizeof(txn), from);
	int rc = why == NULL ? 0 : ES_EINVAL;

	if (rc == 0)
		rc = es_store_request_txn(&w->call.arena, &txn, w->call.store->max_txn_ops,
					  &w->request, &why);
	if (rc == 0 && !es_mvcc_txn_may_write(w->request.txn))
		w->call.run = run_read_txn;
	return made(w, rc, why, error);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* `code`: of the making. Ends the call, and the use of the store. */
static engenho_code wait_for(struct write *w, engenho_code code, engenho_error *error)
{
	if (code == ENGENHO_OK)
		code = es_store_wait(&w->call, error);
	es_store_call_close(&w->call);
	es_store_leave(w->call.store);
	return code;
}

engenho_code engenho_kv_put(engenho_store *store, engenho_bytes key, engenho_bytes value,
			    int64_t lease, int64_t *ret_revision, engenho_error *error)
{
	struct write w;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	write_init(&w, store, NULL);
	code = wait_for(&w, make_put(&w, key, value, lease, error), error);
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
	write_init(&w, store, NULL);
	code = wait_for(&w, make_delete(&w, key, range_end, error), error);
	if (code == ENGENHO_OK && ret_deleted != NULL)
		*ret_deleted = w.deleted;
	if (code == ENGENHO_OK && ret_revision != NULL)
		*ret_revision = w.revision;
	return code;
}

engenho_code engenho_kv_txn_commit(engenho_store *store, const engenho_kv_txn *txn,
				   engenho_kv_txn_result **ret_result, engenho_error *error)
{
	struct write w;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	write_init(&w, store, NULL);
	code = wait_for(&w, make_txn(&w, txn, error), error);
	if (code == ENGENHO_OK && ret_result != NULL)
		*ret_result = w.txn_result;
	else
		engenho_kv_txn_result_free(w.txn_result);
	return code;
}

/* ---- not waiting ----------------------------------------------------------------------------- */

static void write_free(struct write *w)
{
	es_store_call_close(&w->call);
	es_free(w->call.store->mem, w);
}

static const engenho_error *error_of(const struct es_store_call *call)
{
	return call->error.code == ENGENHO_OK ? NULL : &call->error;
}

static void deliver_put(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);

	if (w->done.put != NULL)
		w->done.put(w->ctx, w->revision, error_of(call));
	write_free(w);
}

static void deliver_delete(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);

	if (w->done.del != NULL)
		w->done.del(w->ctx, w->deleted, w->revision, error_of(call));
	write_free(w);
}

static void deliver_txn(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);

	if (w->done.txn != NULL)
		w->done.txn(w->ctx, w->txn_result, error_of(call));
	else
		engenho_kv_txn_result_free(w->txn_result);
	write_free(w);
}

/* NULL: nothing was begun, and *ret_code says why. */
static struct write *begin(engenho_store *store, void (*deliver)(struct es_store_call *call),
			   void *ctx, engenho_code *ret_code, engenho_error *error)
{
	struct write *w;

	*ret_code = es_store_enter(store, false, error);
	if (*ret_code != ENGENHO_OK)
		return NULL;
	w = es_alloc(store->mem, sizeof(*w));
	if (w == NULL) {
		*ret_code = es_store_fail(error, ES_ENOMEM, NULL);
		es_store_leave(store);
		return NULL;
	}
	write_init(w, store, deliver);
	w->ctx = ctx;
	return w;
}

/* `code`: of the making. Ends the use of the store. */
static engenho_code send_off(struct write *w, engenho_code code, engenho_error *error)
{
	engenho_store *store = w->call.store;

	if (code == ENGENHO_OK)
		code = es_store_send(&w->call, error);
	if (code != ENGENHO_OK)
		write_free(w);
	es_store_leave(store);
	return code;
}

engenho_code engenho_kv_put_async(engenho_store *store, engenho_bytes key, engenho_bytes value,
				  int64_t lease, engenho_kv_done done, void *ctx,
				  engenho_error *error)
{
	engenho_code code;
	struct write *w = begin(store, deliver_put, ctx, &code, error);

	if (w == NULL)
		return code;
	w->done.put = done;
	return send_off(w, make_put(w, key, value, lease, error), error);
}

engenho_code engenho_kv_delete_async(engenho_store *store, engenho_bytes key,
				     engenho_bytes range_end, engenho_kv_delete_done done,
				     void *ctx, engenho_error *error)
{
	engenho_code code;
	struct write *w = begin(store, deliver_delete, ctx, &code, error);

	if (w == NULL)
		return code;
	w->done.del = done;
	return send_off(w, make_delete(w, key, range_end, error), error);
}

engenho_code engenho_kv_txn_commit_async(engenho_store *store, const engenho_kv_txn *txn,
					 engenho_kv_txn_done done, void *ctx, engenho_error *error)
{
	engenho_code code;
	struct write *w = begin(store, deliver_txn, ctx, &code, error);

	if (w == NULL)
		return code;
	w->done.txn = done;
	return send_off(w, make_txn(w, txn, error), error);
}
