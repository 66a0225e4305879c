#include "store/copy.h"
#include "store/kv_result.h"

/* Reads of raw keys: found on the loop in one go, and copied in slices while their revision is pinned. */
struct read {
	struct es_store_call call;
	struct es_mvcc_range_req req;
	bool serializable;
	struct es_mvcc_range_res found;
	struct es_mvcc_pin pin;
	int64_t revision; /* of the store */
	struct es_store_copy copy;
	engenho_range_result *result;
	engenho_range_done done;
	void *ctx;
};

/* ---- on the loop ----------------------------------------------------------------------------- */

static size_t copy_size(const struct es_store_copy *copy, size_t i)
{
	const struct read *r = ES_CONTAINER_OF(copy, const struct read, copy);
	const struct es_mvcc_kv kv = es_store_kv_found(&r->found, i);

	return es_store_kv_size(&kv);
}

static void copy_take(struct es_store_copy *copy, size_t i)
{
	const struct read *r = ES_CONTAINER_OF(copy, const struct read, copy);
	const struct es_mvcc_kv kv = es_store_kv_found(&r->found, i);

	((engenho_kv *)copy->items)[i] = es_store_kv(&copy->block, &kv);
}

static void on_copied(struct es_store_copy *copy, int status)
{
	struct read *r = ES_CONTAINER_OF(copy, struct read, copy);

	es_engine_unpin(r->call.store->member.engine, &r->pin);
	if (status == 0) {
		r->result = copy->result;
		*r->result = (engenho_range_result){
			.revision = r->revision,
			.total = r->found.count,
			.more = r->found.more,
			.count = r->found.n,
			.kvs = copy->items,
		};
	}
	es_store_finish(&r->call, status, NULL);
}

static void on_readable(void *arg, int status)
{
	struct read *r = arg;
	struct es_engine *engine = r->call.store->member.engine;

	if (status == 0)
		status = es_engine_range(engine, &r->req, &r->call.arena, &r->found);
	if (status < 0) {
		es_store_finish(&r->call, status, NULL);
		return;
	}
	r->revision = es_mvcc_revision(es_engine_store(engine));
	es_engine_pin(engine, r->req.revision > 0 ? r->req.revision : r->revision, &r->pin);
	r->copy = (struct es_store_copy){
		.count = r->found.n,
		.result_bytes = sizeof(engenho_range_result),
		.item_bytes = sizeof(engenho_kv),
		.size = copy_size,
		.take = copy_take,
		.done = on_copied,
	};
	es_store_copy_begin(r->call.store, &r->copy);
}

static void run_range(struct es_store_call *call)
{
	struct read *r = ES_CONTAINER_OF(call, struct read, call);

	if (r->serializable)
		on_readable(r, 0);
	else
		es_engine_linearize(call->store->member.engine, on_readable, r);
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char *why_refused(const engenho_range_options *options)
{
	if (options->key.len == 0)
		return "options.key is empty";
	if (options->limit < 0)
		return "options.limit is negative";
	return options->revision < 0 ? "options.revision is negative" : NULL;
}

/* The keys are copied. */
static engenho_code make(struct read *r, const engenho_range_options *from, engenho_error *error)
{
	engenho_range_options options;
	const char *why = es_store_adopt(&options, sizeof(options), from);

	if (why == NULL)
		why = why_refused(&options);
	if (why != NULL)
		return es_store_fail(error, ES_EINVAL, why);
	r->req = (struct es_mvcc_range_req){
		.range = {es_store_slice(options.key), es_store_slice(options.range_end)},
		.limit = options.limit,
		.revision = options.revision,
		.keys_only = options.keys_only,
		.count_only = options.count_only,
	};
	r->serializable = options.serializable;
	return es_store_keep(&r->call.arena, &r->req.range.key) &&
			       es_store_keep(&r->call.arena, &r->req.range.end)
		       ? ENGENHO_OK
		       : es_store_fail(error, ES_ENOMEM, NULL);
}

engenho_code engenho_kv_range(engenho_store *store, const engenho_range_options *options,
			      engenho_range_result **ret_result, engenho_error *error)
{
	struct read r;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&r.call, store, run_range, NULL);
	code = make(&r, options, error);
	if (code == ENGENHO_OK)
		code = es_store_wait(&r.call, error);
	es_store_call_close(&r.call);
	es_store_leave(store);
	if (code == ENGENHO_OK)
		*ret_result = r.result;
	return code;
}

static void read_free(struct read *r)
{
	es_store_call_close(&r->call);
	es_free(r->call.store->mem, r);
}

static void deliver(struct es_store_call *call)
{
	struct read *r = ES_CONTAINER_OF(call, struct read, call);

	if (r->done == NULL)
		engenho_range_result_free(r->result);
	else if (call->error.code != ENGENHO_OK)
		r->done(r->ctx, NULL, &call->error);
	else
		r->done(r->ctx, r->result, NULL);
	read_free(r);
}

engenho_code engenho_kv_range_async(engenho_store *store, const engenho_range_options *options,
				    engenho_range_done done, void *ctx, engenho_error *error)
{
	engenho_code code = es_store_enter(store, false, error);
	struct read *r;

	if (code != ENGENHO_OK)
		return code;
	r = es_alloc(store->mem, sizeof(*r));
	if (r == NULL) {
		code = es_store_fail(error, ES_ENOMEM, NULL);
	} else {
		es_store_call_init(&r->call, store, run_range, deliver);
		r->result = NULL;
		r->done = done;
		r->ctx = ctx;
		code = make(r, options, error);
		if (code == ENGENHO_OK)
			code = es_store_send(&r->call, error);
		if (code != ENGENHO_OK)
			read_free(r);
	}
	es_store_leave(store);
	return code;
}
