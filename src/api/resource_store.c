#include <stdio.h>

#include "api/resource.h"

/* engenho.v1.ResourceStore: messages to commands and reads of the typed layer, and back. */
#define PAGE_BYTES_MAX (2 * 1024 * 1024) /* of values: most clients take 4 MiB in a message */

typedef Engenho__V1__Key PbKey;
typedef Engenho__V1__Resource PbResource;

static void refuse(struct es_rpc_call *call, const char *text)
{
	es_rpc_finish(call, ES_GRPC_INVALID_ARGUMENT, text);
}

static void fail(struct es_rpc_call *call, int status, const char *text)
{
	es_rpc_finish(call, es_status_grpc(status), text);
}

/* ---- requests to values ---------------------------------------------------------------------- */

struct es_slice es_api_text(const char *text)
{
	return text == NULL ? es_slice("", 0) : es_slice_str(text);
}

/* False: the call was failed. */
static bool read_key(struct es_rpc_call *call, const PbKey *key, struct es_resource_key *ret_key)
{
	if (key == NULL) {
		refuse(call, "key is missing");
		return false;
	}
	*ret_key = (struct es_resource_key){
		.group = es_api_text(key->group),
		.version = es_api_text(key->version),
		.kind = es_api_text(key->kind),
		.name = es_api_text(key->name),
		.has_ns = key->has_namespace_case == ENGENHO__V1__KEY__HAS_NAMESPACE_NAMESPACE,
	};
	if (ret_key->has_ns)
		ret_key->ns = es_api_text(key->namespace_);
	return true;
}

static bool read_json(struct es_rpc_call *call, const char *what, ProtobufCBinaryData bytes,
		      struct es_json *ret_value)
{
	struct es_json_error error;
	char text[160];
	int rc;

	if (bytes.len == 0) {
		(void)snprintf(text, sizeof(text), "%s is missing", what);
		refuse(call, text);
		return false;
	}
	rc = es_json_parse(es_api_bytes(bytes), ES_TYPED_VALUE_DEPTH_MAX, es_rpc_call_arena(call),
			   ret_value, &error);
	if (rc == ES_EDECODE) {
		(void)snprintf(text, sizeof(text), "%s: not JSON: %s at byte %zu", what, error.what,
			       error.offset);
		refuse(call, text);
	} else if (rc < 0) {
		es_rpc_finish_status(call, rc);
	}
	return rc == 0;
}

static bool read_reason(struct es_rpc_call *call, int reason, enum es_resource_reason *ret_reason)
{
	if (reason < 0 || reason > ES_RESOURCE_SCHEDULER) {
		refuse(call, "reason: not one of those there are");
		return false;
	}
	*ret_reason = (enum es_resource_reason)reason; /* they are numbered alike */
	return true;
}

static bool read_consistency(struct es_rpc_call *call, int consistency,
			     enum es_typed_consistency *ret_consistency)
{
	if (consistency < 0 || consistency > ES_TYPED_EXACT) {
		refuse(call, "consistency: not one of those there are");
		return false;
	}
	*ret_consistency = (enum es_typed_consistency)consistency; /* likewise */
	return true;
}

bool es_api_read_scope(struct es_rpc_call *call, const char *group, const char *version,
		       const char *kind, const char *ns, bool *ret_everything,
		       struct es_resource_scope *ret_scope)
{
	*ret_scope = (struct es_resource_scope){es_api_text(group), es_api_text(version),
						es_api_text(kind), es_api_text(ns), ns == NULL};
	*ret_everything = ret_scope->kind.len == 0;
	if (!*ret_everything && ret_scope->version.len == 0) {
		refuse(call, "version is missing");
		return false;
	}
	if (*ret_everything &&
	    (ret_scope->group.len > 0 || ret_scope->version.len > 0 || ns != NULL)) {
		refuse(call, "kind is missing");
		return false;
	}
	return true;
}

/* ---- values to answers ----------------------------------------------------------------------- */

static char *copy_text(struct es_arena *arena, struct es_slice text)
{
	char *copy = es_arena_calloc(arena, 1, text.len + 1);

	if (copy != NULL && text.len > 0)
		memcpy(copy, text.data, text.len);
	return copy;
}

static PbKey *write_key(struct es_arena *arena, const struct es_resource_key *key)
{
	PbKey *out = es_arena_alloc(arena, sizeof(*out));

	if (out == NULL)
		return NULL;
	engenho__v1__key__init(out);
	out->group = copy_text(arena, key->group);
	out->version = copy_text(arena, key->version);
	out->kind = copy_text(arena, key->kind);
	out->name = copy_text(arena, key->name);
	if (out->group == NULL || out->version == NULL || out->kind == NULL || out->name == NULL)
		return NULL;
	if (key->has_ns) {
		out->has_namespace_case = ENGENHO__V1__KEY__HAS_NAMESPACE_NAMESPACE;
		out->namespace_ = copy_text(arena, key->ns);
		if (out->namespace_ == NULL)
			return NULL;
	}
	return out;
}

PbResource *es_api_resource(struct es_arena *arena, const struct es_typed_item *item)
{
	PbResource *out = es_arena_alloc(arena, sizeof(*out));

	if (out == NULL)
		return NULL;
	engenho__v1__resource__init(out);
	out->key = write_key(arena, &item->key);
	out->value = es_api_pb_bytes(item->value);
	out->create_revision = item->create_revision;
	out->mod_revision = item->mod_revision;
	return out->key == NULL ? NULL : out;
}

/* These two: NULL, the call was failed. */
static char *write_text(struct es_rpc_call *call, struct es_slice text)
{
	char *out = copy_text(es_rpc_call_arena(call), text);

	if (out == NULL)
		es_rpc_finish_status(call, ES_ENOMEM);
	return out;
}

static PbResource *write_resource(struct es_rpc_call *call, const struct es_typed_item *item)
{
	PbResource *out = es_api_resource(es_rpc_call_arena(call), item);

	if (out == NULL)
		es_rpc_finish_status(call, ES_ENOMEM);
	return out;
}

/* ---- writes ---------------------------------------------------------------------------------- */

struct write_call {
	struct es_typed_write write;
	struct es_rpc_call *call;
};

static bool write_causes(struct es_rpc_call *call, const struct es_resource_plan *plan,
			 Engenho__V1__WriteResponse *answer)
{
	answer->causes = es_api_alloc(call, plan->cause_count + 1, sizeof(*answer->causes));
	if (answer->causes == NULL)
		return false;
	for (size_t i = 0; i < plan->cause_count; i++) {
		Engenho__V1__Cause *cause = es_api_alloc(call, 1, sizeof(*cause));

		if (cause == NULL)
			return false;
		engenho__v1__cause__init(cause);
		cause->manager = write_text(call, plan->causes[i].manager);
		cause->field = write_text(call, plan->causes[i].field);
		if (cause->manager == NULL || cause->field == NULL)
			return false;
		answer->causes[i] = cause;
	}
	answer->n_causes = plan->cause_count;
	return true;
}

static void answer_write(struct write_call *w)
{
	const struct es_resource_plan *plan = w->write.op.resource;
	Engenho__V1__WriteResponse answer = ENGENHO__V1__WRITE_RESPONSE__INIT;
	const struct es_typed_item item = {w->write.command.key, plan->object,
					   plan->create_revision, plan->mod_revision};

	answer.outcome = (Engenho__V1__Outcome)plan->outcome; /* they are numbered alike */
	answer.revision = w->write.op.header.revision;
	if (w->write.command.kind == ES_RESOURCE_TXN) {
		answer.has_succeeded_case = ENGENHO__V1__WRITE_RESPONSE__HAS_SUCCEEDED_SUCCEEDED;
		answer.succeeded = plan->succeeded;
	}
	answer.message = write_text(w->call, plan->reason);
	if (answer.message == NULL || !write_causes(w->call, plan, &answer))
		return;
	if (plan->object.len > 0) {
		answer.resource = write_resource(w->call, &item);
		if (answer.resource == NULL)
			return;
	}
	es_api_reply(w->call, &answer.base);
}

static void write_done(struct es_engine_op *op, int status)
{
	struct write_call *w = ES_CONTAINER_OF(op, struct write_call, write.op);
	struct es_rpc_call *call = w->call;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else
		answer_write(w);
	es_rpc_call_release(call);
}

static void submit(struct es_rpc_call *call, const struct es_resource_command *command)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct write_call *w = es_api_alloc(call, 1, sizeof(*w));
	char errmsg[ES_TYPED_TEXT_MAX];
	int rc;

	if (w == NULL)
		return;
	w->write.op.done = write_done;
	w->write.op.arena = es_rpc_call_arena(call);
	w->call = call;
	es_rpc_call_hold(call);
	rc = es_typed_write(api->typed, &w->write, command, errmsg, sizeof(errmsg));
	if (rc == 0)
		return;
	fail(call, rc, errmsg);
	es_rpc_call_release(call);
}

static void put(struct es_rpc_call *call, struct es_slice request)
{
	const Engenho__V1__PutRequest *put = es_api_decode(
		call, &engenho__v1__put_request__descriptor, request);
	struct es_resource_command command = {.kind = ES_RESOURCE_PUT};

	if (put == NULL || !read_key(call, put->key, &command.key) ||
	    !read_json(call, "value", put->value, &command.value) ||
	    !read_reason(call, (int)put->reason, &command.reason))
		return;
	command.has_expected = put->has_expected_case ==
			       ENGENHO__V1__PUT_REQUEST__HAS_EXPECTED_EXPECTED;
	command.expected = command.has_expected ? put->expected : 0;
	submit(call, &command);
}

static void patch(struct es_rpc_call *call, struct es_slice request)
{
	const Engenho__V1__PatchRequest *patch = es_api_decode(
		call, &engenho__v1__patch_request__descriptor, request);
	struct es_resource_command command = {.kind = ES_RESOURCE_PATCH};

	if (patch == NULL || !read_key(call, patch->key, &command.key) ||
	    !read_json(call, "patch", patch->patch, &command.value) ||
	    !read_reason(call, (int)patch->reason, &command.reason))
		return;
	if ((int)patch->type < 0 || (int)patch->type > ES_RESOURCE_PATCH_APPLY) {
		refuse(call, "type: not one of those there are");
		return;
	}
	command.patch_type = (enum es_resource_patch_type)patch->type; /* they are numbered alike */
	command.has_expected = patch->has_expected_case ==
			       ENGENHO__V1__PATCH_REQUEST__HAS_EXPECTED_EXPECTED;
	command.expected = command.has_expected ? patch->expected : 0;
	command.manager = es_api_text(patch->field_manager);
	command.force = patch->force;
	submit(call, &command);
}

static void delete (struct es_rpc_call *call, struct es_slice request)
{
	const Engenho__V1__DeleteRequest *delete = es_api_decode(
		call, &engenho__v1__delete_request__descriptor, request);
	struct es_resource_command command = {.kind = ES_RESOURCE_DELETE};

	if (delete == NULL || !read_key(call, delete->key, &command.key) ||
	    !read_reason(call, (int)delete->reason, &command.reason))
		return;
	command.has_expected = delete->has_expected_case ==
			       ENGENHO__V1__DELETE_REQUEST__HAS_EXPECTED_EXPECTED;
	command.expected = command.has_expected ? delete->expected : 0;
	submit(call, &command);
}

static bool read_compares(struct es_rpc_call *call, const Engenho__V1__TxnRequest *txn,
			  struct es_resource_command *command)
{
	struct es_resource_compare *compares = es_api_alloc(call, txn->n_compares + 1,
							    sizeof(*compares));

	if (compares == NULL)
		return false;
	for (size_t i = 0; i < txn->n_compares; i++) {
		const Engenho__V1__Compare *from = txn->compares[i];
		bool exists = from->has_mod_revision_case ==
			      ENGENHO__V1__COMPARE__HAS_MOD_REVISION_MOD_REVISION;

		if (!read_key(call, from->key, &compares[i].key))
			return false;
		compares[i].kind = exists ? ES_RESOURCE_MOD_REVISION_EQ : ES_RESOURCE_NOT_EXISTS;
		compares[i].revision = exists ? from->mod_revision : 0;
	}
	command->compares = compares;
	command->compare_count = txn->n_compares;
	return true;
}

static const struct es_resource_op *read_ops(struct es_rpc_call *call,
					     Engenho__V1__Operation *const *from, size_t count)
{
	struct es_resource_op *ops = es_api_alloc(call, count + 1, sizeof(*ops));

	for (size_t i = 0; ops != NULL && i < count; i++) {
		bool is_put = from[i]->has_value_case == ENGENHO__V1__OPERATION__HAS_VALUE_VALUE;

		ops[i].kind = is_put ? ES_RESOURCE_OP_PUT : ES_RESOURCE_OP_DELETE;
		if (!read_key(call, from[i]->key, &ops[i].key) ||
		    (is_put && !read_json(call, "value", from[i]->value, &ops[i].value)))
			return NULL;
	}
	return ops;
}

static void txn(struct es_rpc_call *call, struct es_slice request)
{
	const struct es_api *api = es_rpc_call_ctx(call);
	const Engenho__V1__TxnRequest *txn = es_api_decode(
		call, &engenho__v1__txn_request__descriptor, request);
	struct es_resource_command command = {.kind = ES_RESOURCE_TXN};
	uint32_t max = api->config.max_txn_ops;

	if (txn == NULL)
		return;
	if (txn->n_compares > max || txn->n_success > max || txn->n_failure > max) {
		es_rpc_finish_status(call, ES_ETOO_MANY_OPS);
		return;
	}
	if (!read_reason(call, (int)txn->reason, &command.reason) ||
	    !read_compares(call, txn, &command))
		return;
	command.success = read_ops(call, txn->success, txn->n_success);
	command.failure = command.success == NULL ? NULL
						  : read_ops(call, txn->failure, txn->n_failure);
	if (command.failure == NULL)
		return;
	command.success_count = txn->n_success;
	command.failure_count = txn->n_failure;
	submit(call, &command);
}

/* ---- reads ----------------------------------------------------------------------------------- */

struct read_call {
	struct es_typed_list list;
	struct es_rpc_call *call;
};

/* The call's memory is the list's: it is given up before that goes. */
static void read_closed(struct es_rpc_call *call)
{
	struct read_call *read = es_rpc_call_data(call);

	if (read != NULL)
		es_typed_list_end(&read->list);
}

static struct read_call *read_new(struct es_rpc_call *call,
				  void (*done)(struct es_typed_list *, int, const char *))
{
	struct read_call *read = es_api_alloc(call, 1, sizeof(*read));

	if (read == NULL)
		return NULL;
	read->call = call;
	read->list.arena = es_rpc_call_arena(call);
	read->list.done = done;
	es_rpc_call_set_data(call, read);
	return read;
}

static void get_done(struct es_typed_list *list, int status, const char *text)
{
	struct read_call *read = ES_CONTAINER_OF(list, struct read_call, list);
	Engenho__V1__GetResponse answer = ENGENHO__V1__GET_RESPONSE__INIT;
	struct es_rpc_call *call = read->call;

	answer.revision = list->result_revision;
	if (status < 0) {
		fail(call, status, text);
	} else if (list->count == 0) {
		es_rpc_finish(call, ES_GRPC_NOT_FOUND, "there is no such resource");
	} else {
		answer.resource = write_resource(call, &list->items[0]);
		if (answer.resource != NULL)
			es_api_reply(call, &answer.base);
	}
	es_typed_list_end(list);
}

static void get(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	const Engenho__V1__GetRequest *get = es_api_decode(
		call, &engenho__v1__get_request__descriptor, request);
	struct read_call *read = get == NULL ? NULL : read_new(call, get_done);
	struct es_resource_key key;

	if (read == NULL || !read_key(call, get->key, &key) ||
	    !read_consistency(call, (int)get->consistency, &read->list.consistency))
		return;
	read->list.revision = get->revision;
	es_typed_get_begin(api->typed, &read->list, &key);
}

static void answer_list(struct es_rpc_call *call, const struct es_typed_list *list)
{
	Engenho__V1__ListResponse answer = ENGENHO__V1__LIST_RESPONSE__INIT;

	answer.items = es_api_alloc(call, list->count + 1, sizeof(*answer.items));
	if (answer.items == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		answer.items[i] = write_resource(call, &list->items[i]);
		if (answer.items[i] == NULL)
			return;
	}
	answer.n_items = list->count;
	answer.revision = list->result_revision;
	answer.remaining = list->remaining;
	answer.continue_ = write_text(call, list->next_token);
	if (answer.continue_ != NULL)
		es_api_reply(call, &answer.base);
}

static void list_done(struct es_typed_list *list, int status, const char *text)
{
	struct read_call *read = ES_CONTAINER_OF(list, struct read_call, list);

	if (status < 0)
		fail(read->call, status, text);
	else
		answer_list(read->call, list);
	es_typed_list_end(list);
}

static void list(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	const Engenho__V1__ListRequest *list = es_api_decode(
		call, &engenho__v1__list_request__descriptor, request);
	struct read_call *read = list == NULL ? NULL : read_new(call, list_done);
	const char *ns;

	if (read == NULL)
		return;
	ns = list->has_namespace_case == ENGENHO__V1__LIST_REQUEST__HAS_NAMESPACE_NAMESPACE
		     ? list->namespace_
		     : NULL;
	if (!es_api_read_scope(call, list->group, list->version, list->kind, ns,
			       &read->list.everything, &read->list.scope) ||
	    !read_consistency(call, (int)list->consistency, &read->list.consistency))
		return;
	if (list->limit < 0) {
		refuse(call, "limit is negative");
		return;
	}
	read->list.label_selector = es_api_text(list->label_selector);
	read->list.field_selector = es_api_text(list->field_selector);
	read->list.limit = list->limit;
	read->list.bytes_max = PAGE_BYTES_MAX;
	read->list.continue_token = es_api_text(list->continue_);
	read->list.revision = list->revision;
	es_typed_list_begin(api->typed, &read->list);
}

/* ---- registration ---------------------------------------------------------------------------- */

int es_api_resource_store_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "engenho.v1.ResourceStore",
		 .name = "Put",
		 .kind = ES_RPC_UNARY,
		 .message = put},
		{.service = "engenho.v1.ResourceStore",
		 .name = "Patch",
		 .kind = ES_RPC_UNARY,
		 .message = patch},
		{.service = "engenho.v1.ResourceStore",
		 .name = "Delete",
		 .kind = ES_RPC_UNARY,
		 .message = delete},
		{.service = "engenho.v1.ResourceStore",
		 .name = "Txn",
		 .kind = ES_RPC_UNARY,
		 .message = txn},
		{.service = "engenho.v1.ResourceStore",
		 .name = "Get",
		 .kind = ES_RPC_UNARY,
		 .message = get,
		 .closed = read_closed},
		{.service = "engenho.v1.ResourceStore",
		 .name = "List",
		 .kind = ES_RPC_UNARY,
		 .message = list,
		 .closed = read_closed},
	};
	int rc = es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);

	return rc < 0 ? rc : es_api_resource_watch_register(api);
}
