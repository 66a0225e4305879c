#include <stdio.h>

#include "store/internal.h"
#include "store/resource_result.h"

/*
 * Writes of resources. The thread that writes reads the JSON; the loop fills in, proposes, and keeps
 * the answer with the call; the thread that it is for makes the result, as memory is freed fastest where
 * it was allocated. A call that is waited for borrows its arguments, one that is not copies them.
 */
struct write {
	struct es_store_call call;
	struct es_typed_write write;
	struct es_resource_command command;
	struct es_store_written written;
	engenho_write_done done;
	void *ctx;
};

/* ---- on the loop ----------------------------------------------------------------------------- */

static void on_written(struct es_engine_op *op, int status)
{
	struct write *w = ES_CONTAINER_OF(op, struct write, write.op);

	if (status == 0)
		status = es_store_keep_written(&w->write, &w->call.arena, &w->written);
	es_store_finish(&w->call, status, NULL);
}

static void run_write(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);
	char errmsg[ES_TYPED_TEXT_MAX];
	int rc;

	memset(&w->write, 0, sizeof(w->write));
	w->write.op.done = on_written;
	w->write.op.arena = &call->arena;
	rc = es_typed_write(call->store->typed, &w->write, &w->command, errmsg, sizeof(errmsg));
	if (rc == ES_EINVAL || rc == ES_ETOO_LARGE)
		es_store_finish(call, rc, errmsg);
	else if (rc < 0)
		es_store_finish(call, rc, NULL);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* What was asked, in one shape for all kinds. */
struct request {
	enum es_resource_command_kind kind;
	const engenho_key *key;
	engenho_bytes value;
	engenho_patch_type patch_type;
	const engenho_write_options *options;
	const engenho_txn *txn;
};

struct making {
	struct es_arena *arena;
	bool copy; /* the arguments do not live long enough */
	engenho_error *error;
};

static int refuse(const struct making *m, const char *why)
{
	(void)es_store_fail(m->error, ES_EINVAL, why);
	return ES_EINVAL;
}

static int make_key(const struct making *m, const engenho_key *key, struct es_resource_key *ret_key)
{
	int rc = es_store_key(key, m->copy ? m->arena : NULL, ret_key);

	return rc == ES_EINVAL
		       ? refuse(m,
				"a part of the key is NULL, or its reserved members are not zero")
		       : rc;
}

static int make_value(const struct making *m, engenho_bytes bytes, struct es_json *ret_value)
{
	struct es_slice text = es_store_slice(bytes);
	struct es_json_error error;
	char why[128];
	int rc;

	if (m->copy && !es_store_keep(m->arena, &text))
		return ES_ENOMEM;
	if (text.len > INT32_MAX)
		return ES_ETOO_LARGE;
	rc = es_json_parse(text, ES_TYPED_VALUE_DEPTH_MAX, m->arena, ret_value, &error);
	if (rc != ES_EDECODE)
		return rc;
	(void)snprintf(why, sizeof(why), "not JSON: at byte %zu: %s", error.offset, error.what);
	return refuse(m, why);
}

static int make_options(const struct making *m, const struct request *request,
			struct es_resource_command *c)
{
	engenho_write_options options;
	const char *why;

	if (request->options == NULL)
		return 0;
	why = es_store_adopt(&options, sizeof(options), request->options);
	if (why == NULL && (unsigned)options.reason > ENGENHO_SCHEDULER)
		why = "no such options.reason";
	if (why == NULL && options.expected < 0)
		why = "options.expected is negative";
	if (why != NULL)
		return refuse(m, why);
	c->reason = (enum es_resource_reason)options.reason; /* they are numbered alike */
	c->has_expected = options.expected > 0;
	c->expected = options.expected;
	c->force = options.force;
	c->manager = es_store_text(options.manager);
	return m->copy && !es_store_keep(m->arena, &c->manager) ? ES_ENOMEM : 0;
}

static int make_compares(const struct making *m, const engenho_txn *txn,
			 struct es_resource_command *c)
{
	struct es_resource_compare *compares = es_arena_calloc(m->arena, txn->compare_count + 1,
							       sizeof(*compares));
	int rc = compares == NULL ? ES_ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < txn->compare_count; i++) {
		const engenho_compare *from = &txn->compares[i];

		if (from->mod_revision < 0)
			return refuse(m, "the mod_revision of a compare is negative");
		if (!ES_STORE_RESERVED_IS_ZERO(from))
			return refuse(m, "reserved members of a compare are not zero");
		compares[i].kind = from->mod_revision == 0 ? ES_RESOURCE_NOT_EXISTS
							   : ES_RESOURCE_MOD_REVISION_EQ;
		compares[i].revision = from->mod_revision;
		rc = make_key(m, &from->key, &compares[i].key);
	}
	c->compare_count = txn->compare_count;
	c->compares = compares;
	return rc;
}

static int make_ops(const struct making *m, const engenho_op *from, size_t count,
		    const struct es_resource_op **ret_ops)
{
	struct es_resource_op *ops = es_arena_calloc(m->arena, count + 1, sizeof(*ops));
	int rc = ops == NULL ? ES_ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (!ES_STORE_RESERVED_IS_ZERO(&from[i]))
			return refuse(m, "reserved members of an operation are not zero");
		ops[i].kind = from[i].is_delete ? ES_RESOURCE_OP_DELETE : ES_RESOURCE_OP_PUT;
		rc = make_key(m, &from[i].key, &ops[i].key);
		if (rc == 0 && !from[i].is_delete)
			rc = make_value(m, from[i].value, &ops[i].value);
	}
	*ret_ops = ops;
	return rc;
}

static int make_txn(const struct making *m, const engenho_txn *from, uint32_t max_ops,
		    struct es_resource_command *c)
{
	engenho_txn txn;
	const char *why = es_store_adopt(&txn, sizeof(txn), from);
	int rc;

	if (why != NULL)
		return refuse(m, why);
	if (txn.compare_count > max_ops || txn.success_count > max_ops ||
	    txn.failure_count > max_ops)
		return ES_ETOO_MANY_OPS;
	rc = make_compares(m, &txn, c);
	if (rc == 0)
		rc = make_ops(m, txn.success, txn.success_count, &c->success);
	if (rc == 0)
		rc = make_ops(m, txn.failure, txn.failure_count, &c->failure);
	c->success_count = txn.success_count;
	c->failure_count = txn.failure_count;
	return rc;
}

/* Fills in `error` for ES_EINVAL. */
static int make_command(const struct making *m, const struct request *request, uint32_t max_ops,
			struct es_resource_command *c)
{
	int rc;

	memset(c, 0, sizeof(*c));
	c->kind = request->kind;
	if ((unsigned)request->patch_type > ENGENHO_PATCH_APPLY)
		return refuse(m, "no such type of patch");
	c->patch_type = (enum es_resource_patch_type)request->patch_type; /* likewise */
	rc = make_options(m, request, c);
	if (rc == 0 && request->kind == ES_RESOURCE_TXN)
		return make_txn(m, request->txn, max_ops, c);
	if (rc == 0)
		rc = make_key(m, request->key, &c->key);
	if (rc == 0 && request->kind != ES_RESOURCE_DELETE)
		rc = make_value(m, request->value, &c->value);
	return rc;
}

static engenho_code make(struct write *w, const struct request *request, bool copy,
			 engenho_error *error)
{
	const struct making m = {&w->call.arena, copy, error};
	int rc = make_command(&m, request, w->call.store->max_txn_ops, &w->command);

	if (rc == ES_EINVAL)
		return ENGENHO_INVALID; /* `error` is filled in */
	return rc < 0 ? es_store_fail(error, rc, NULL) : ENGENHO_OK;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static engenho_code write_and_wait(engenho_store *store, const struct request *request,
				   engenho_write_result **ret_result, engenho_error *error)
{
	struct write w;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&w.call, store, run_write, NULL);
	code = make(&w, request, false, error);
	if (code == ENGENHO_OK)
		code = es_store_wait(&w.call, error);
	if (code == ENGENHO_OK && ret_result != NULL) {
		*ret_result = es_store_write_result(store->mem, &w.written);
		if (*ret_result == NULL)
			code = es_store_fail(error, ES_ENOMEM, NULL);
	}
	es_store_call_close(&w.call);
	es_store_leave(store);
	return code;
}

engenho_code engenho_put(engenho_store *store, const engenho_key *key, engenho_bytes value,
			 const engenho_write_options *options, engenho_write_result **ret_result,
			 engenho_error *error)
{
	const struct request request = {
		.kind = ES_RESOURCE_PUT, .key = key, .value = value, .options = options};

	return write_and_wait(store, &request, ret_result, error);
}

engenho_code engenho_patch(engenho_store *store, const engenho_key *key, engenho_patch_type type,
			   engenho_bytes patch, const engenho_write_options *options,
			   engenho_write_result **ret_result, engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_PATCH,
					.key = key,
					.value = patch,
					.patch_type = type,
					.options = options};

	return write_and_wait(store, &request, ret_result, error);
}

engenho_code engenho_delete(engenho_store *store, const engenho_key *key,
			    const engenho_write_options *options, engenho_write_result **ret_result,
			    engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_DELETE, .key = key, .options = options};

	return write_and_wait(store, &request, ret_result, error);
}

engenho_code engenho_txn_commit(engenho_store *store, const engenho_txn *txn,
				const engenho_write_options *options,
				engenho_write_result **ret_result, engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_TXN, .txn = txn, .options = options};

	return write_and_wait(store, &request, ret_result, error);
}

/* ---- not waiting ----------------------------------------------------------------------------- */

static void write_free(struct write *w)
{
	es_store_call_close(&w->call);
	es_free(w->call.store->mem, w);
}

static void deliver(struct es_store_call *call)
{
	struct write *w = ES_CONTAINER_OF(call, struct write, call);

	engenho_write_result *result = NULL;

	if (w->done != NULL && call->error.code == ENGENHO_OK) {
		result = es_store_write_result(call->store->mem, &w->written);
		if (result == NULL)
			(void)es_store_fail(&call->error, ES_ENOMEM, NULL);
	}
	if (w->done != NULL)
		w->done(w->ctx, result, result == NULL ? &call->error : NULL);
	write_free(w);
}

static engenho_code write_async(engenho_store *store, const struct request *request,
				engenho_write_done done, void *ctx, engenho_error *error)
{
	engenho_code code = es_store_enter(store, false, error);
	struct write *w;

	if (code != ENGENHO_OK)
		return code;
	w = es_alloc(store->mem, sizeof(*w));
	if (w == NULL) {
		code = es_store_fail(error, ES_ENOMEM, NULL);
	} else {
		es_store_call_init(&w->call, store, run_write, deliver);
		w->done = done;
		w->ctx = ctx;
		code = make(w, request, true, error);
		if (code == ENGENHO_OK)
			code = es_store_send(&w->call, error);
		if (code != ENGENHO_OK)
			write_free(w);
	}
	es_store_leave(store);
	return code;
}

engenho_code engenho_put_async(engenho_store *store, const engenho_key *key, engenho_bytes value,
			       const engenho_write_options *options, engenho_write_done done,
			       void *ctx, engenho_error *error)
{
	const struct request request = {
		.kind = ES_RESOURCE_PUT, .key = key, .value = value, .options = options};

	return write_async(store, &request, done, ctx, error);
}

engenho_code engenho_patch_async(engenho_store *store, const engenho_key *key,
				 engenho_patch_type type, engenho_bytes patch,
				 const engenho_write_options *options, engenho_write_done done,
				 void *ctx, engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_PATCH,
					.key = key,
					.value = patch,
					.patch_type = type,
					.options = options};

	return write_async(store, &request, done, ctx, error);
}

engenho_code engenho_delete_async(engenho_store *store, const engenho_key *key,
				  const engenho_write_options *options, engenho_write_done done,
				  void *ctx, engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_DELETE, .key = key, .options = options};

	return write_async(store, &request, done, ctx, error);
}

engenho_code engenho_txn_commit_async(engenho_store *store, const engenho_txn *txn,
				      const engenho_write_options *options, engenho_write_done done,
				      void *ctx, engenho_error *error)
{
	const struct request request = {.kind = ES_RESOURCE_TXN, .txn = txn, .options = options};

	return write_async(store, &request, done, ctx, error);
}
