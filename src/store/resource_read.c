#include "store/copy.h"
#include "store/resource_result.h"

/* Reads of resources: a list of the typed layer each, held until it is copied. */
struct read {
	struct es_store_call call;
	struct es_typed_list list;
	struct es_resource_key key; /* of a get */
	struct es_store_copy copy;
	engenho_list_result *result;
	engenho_list_done done;
	void *ctx;
};

static size_t copy_size(const struct es_store_copy *copy, size_t i)
{
	return es_store_resource_bytes(
		&ES_CONTAINER_OF(copy, const struct read, copy)->list.items[i]);
}

static void copy_take(struct es_store_copy *copy, size_t i)
{
	const struct read *r = ES_CONTAINER_OF(copy, const struct read, copy);

	((engenho_resource *)copy->items)[i] = es_store_resource(&copy->block, &r->list.items[i]);
}

static void on_copied(struct es_store_copy *copy, int status)
{
	struct read *r = ES_CONTAINER_OF(copy, struct read, copy);
	const struct es_typed_list *list = &r->list;

	if (status == 0) {
		r->result = copy->result;
		*r->result = (engenho_list_result){
			.revision = list->result_revision,
			.count = list->count,
			.items = copy->items,
			.remaining = list->remaining,
		};
		if (list->next_token.len > 0)
			r->result->continue_token = es_store_carve_text(&copy->block,
									list->next_token);
	}
	es_typed_list_end(&r->list);
	es_store_finish(&r->call, status, NULL);
}

static void on_read(struct es_typed_list *list, int status, const char *text)
{
	struct read *r = ES_CONTAINER_OF(list, struct read, list);
	bool is_get = r->key.name.len > 0;

	if (status == 0 && (!is_get || list->count > 0)) {
		r->copy = (struct es_store_copy){
			.count = list->count,
			.result_bytes = sizeof(engenho_list_result),
			.item_bytes = sizeof(engenho_resource),
			.more_bytes = list->next_token.len + 1,
			.size = copy_size,
			.take = copy_take,
			.done = on_copied,
		};
		es_store_copy_begin(r->call.store, &r->copy);
		return;
	}
	es_typed_list_end(list);
	if (status == 0)
		es_store_finish(&r->call, ES_ENOENT, "there is no such resource");
	/* Only of these has the typed layer more to say. */
	else if (status == ES_EINVAL || status == ES_ECOMPACTED || status == ES_EFUTURE_REV)
		es_store_finish(&r->call, status, text);
	else
		es_store_finish(&r->call, status, NULL);
}

static void run_read(struct es_store_call *call)
{
	struct read *r = ES_CONTAINER_OF(call, struct read, call);

	r->list.done = on_read;
	r->list.arena = &call->arena;
	if (r->key.name.len > 0)
		es_typed_get_begin(call->store->typed, &r->list, &r->key);
	else
		es_typed_list_begin(call->store->typed, &r->list);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void read_init(struct read *r, engenho_store *store,
		      void (*deliver)(struct es_store_call *call))
{
	memset(r, 0, sizeof(*r));
	es_store_call_init(&r->call, store, run_read, deliver);
}

static int set_consistency(struct read *r, engenho_consistency consistency, int64_t revision,
			   engenho_error *error)
{
	if ((unsigned)consistency > ENGENHO_EXACT) {
		(void)es_store_fail(error, ES_EINVAL, "no such consistency");
		return ES_EINVAL;
	}
	r->list.consistency = (enum es_typed_consistency)consistency; /* they are numbered alike */
	r->list.revision = revision;
	return 0;
}

/* Fills in `error` for ES_EINVAL. */
static int make_list(struct read *r, const engenho_list_options *from, engenho_error *error)
{
	engenho_list_options options;
	struct es_resource_scope *scope = &r->list.scope;
	struct es_slice *texts[] = {&scope->group,
				    &scope->version,
				    &scope->kind,
				    &scope->ns,
				    &r->list.label_selector,
				    &r->list.field_selector,
				    &r->list.continue_token};
	const char *why = es_store_adopt(&options, sizeof(options), from);

	if (why == NULL)
		why = es_store_scope(options.group, options.version, options.kind, options.ns,
				     scope);
	if (why == NULL && options.limit < 0)
		why = "options.limit is negative";
	if (why == NULL && options.revision < 0)
		why = "options.revision is negative";
	if (why != NULL) {
		(void)es_store_fail(error, ES_EINVAL, why);
		return ES_EINVAL;
	}
	r->list.everything = options.kind == NULL;
	r->list.label_selector = es_store_text(options.label_selector);
	r->list.field_selector = es_store_text(options.field_selector);
	r->list.continue_token = es_store_text(options.continue_token);
	r->list.limit = options.limit;
	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++) {
		if (!es_store_keep(&r->call.arena, texts[i]))
			return ES_ENOMEM;
	}
	return set_consistency(r, options.consistency, options.revision, error);
}

static int make_get(struct read *r, const engenho_key *key, engenho_consistency consistency,
		    int64_t revision, engenho_error *error)
{
	int rc = es_store_key(key, &r->call.arena, &r->key);

	if (rc == ES_EINVAL || (rc == 0 && r->key.name.len == 0)) {
		(void)es_store_fail(
			error, ES_EINVAL,
			"a part of the key is missing, or its reserved members are not zero");
		return ES_EINVAL;
	}
	return rc < 0 ? rc : set_consistency(r, consistency, revision, error);
}

/* The code of the making of a request. */
static engenho_code made(int rc, engenho_error *error)
{
	if (rc == ES_EINVAL)
		return ENGENHO_INVALID; /* `error` is filled in */
	return rc < 0 ? es_store_fail(error, rc, NULL) : ENGENHO_OK;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* `code`: of the making. Ends the call, and the use of the store. */
static engenho_code read_and_wait(struct read *r, engenho_code code,
				  engenho_list_result **ret_result, engenho_error *error)
{
	if (code == ENGENHO_OK)
		code = es_store_wait(&r->call, error);
	es_store_call_close(&r->call);
	es_store_leave(r->call.store);
	if (code == ENGENHO_OK)
		*ret_result = r->result;
	return code;
}

engenho_code engenho_list(engenho_store *store, const engenho_list_options *options,
			  engenho_list_result **ret_result, engenho_error *error)
{
	struct read r;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	read_init(&r, store, NULL);
	return read_and_wait(&r, made(make_list(&r, options, error), error), ret_result, error);
}

engenho_code engenho_get(engenho_store *store, const engenho_key *key,
			 engenho_consistency consistency, int64_t revision,
			 engenho_list_result **ret_result, engenho_error *error)
{
	struct read r;
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	read_init(&r, store, NULL);
	return read_and_wait(&r, made(make_get(&r, key, consistency, revision, error), error),
			     ret_result, error);
}

/* ---- not waiting ----------------------------------------------------------------------------- */

static void read_free(struct read *r)
{
	es_store_call_close(&r->call);
	es_free(r->call.store->mem, r);
}

static void deliver(struct es_store_call *call)
{
	struct read *r = ES_CONTAINER_OF(call, struct read, call);

	if (r->done == NULL)
		engenho_list_result_free(r->result);
	else if (call->error.code != ENGENHO_OK)
		r->done(r->ctx, NULL, &call->error);
	else
		r->done(r->ctx, r->result, NULL);
	read_free(r);
}

static struct read *read_new(engenho_store *store, engenho_list_done done, void *ctx,
			     engenho_error *error)
{
	struct read *r = es_alloc(store->mem, sizeof(*r));

	if (r == NULL) {
		(void)es_store_fail(error, ES_ENOMEM, NULL);
		return NULL;
	}
	read_init(r, store, deliver);
	r->done = done;
	r->ctx = ctx;
	return r;
}

static engenho_code read_async(struct read *r, engenho_code code, engenho_error *error)
{
	if (code == ENGENHO_OK)
		code = es_store_send(&r->call, error);
	if (code != ENGENHO_OK)
		read_free(r);
	return code;
}

engenho_code engenho_list_async(engenho_store *store, const engenho_list_options *options,
				engenho_list_done done, void *ctx, engenho_error *error)
{
	engenho_code code = es_store_enter(store, false, error);
	struct read *r;

	if (code != ENGENHO_OK)
		return code;
	r = read_new(store, done, ctx, error);
	code = r == NULL ? ENGENHO_NO_MEMORY
			 : read_async(r, made(make_list(r, options, error), error), error);
	es_store_leave(store);
	return code;
}

engenho_code engenho_get_async(engenho_store *store, const engenho_key *key,
			       engenho_consistency consistency, int64_t revision,
			       engenho_list_done done, void *ctx, engenho_error *error)
{
	engenho_code code = es_store_enter(store, false, error);
	struct read *r;

	if (code != ENGENHO_OK)
		return code;
	r = read_new(store, done, ctx, error);
	code = r == NULL
		       ? ENGENHO_NO_MEMORY
		       : read_async(r, made(make_get(r, key, consistency, revision, error), error),
				    error);
	es_store_leave(store);
	return code;
}
