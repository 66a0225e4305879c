#include "api/line.h"

#include <inttypes.h>
#include <stdio.h>

#define SESSION_TTL_S 60 /* of a lease that the caller leaves to us: as etcd's client library */

void es_api_line_fail(struct es_rpc_call *call, int status)
{
	es_rpc_finish(call, ES_GRPC_UNKNOWN, es_status_text(status));
}

struct es_slice es_api_line_prefix(struct es_rpc_call *call, struct es_slice name)
{
	uint8_t *prefix = es_api_alloc(call, 1, name.len + 1);

	if (prefix == NULL)
		return es_slice(NULL, 0);
	if (name.len > 0)
		memcpy(prefix, name.data, name.len);
	prefix[name.len] = '/';
	return es_slice(prefix, name.len + 1);
}

bool es_api_prefix_range(struct es_rpc_call *call, struct es_slice prefix,
			 struct es_mvcc_range *ret_range)
{
	uint8_t *end = es_api_alloc(call, 1, prefix.len);

	if (end == NULL)
		return false;
	*ret_range = (struct es_mvcc_range){prefix, es_api_prefix_end(prefix, end)};
	return true;
}

/* ---- commands made here: etcd's requests, encoded as a client would -------------------------- */

static int submit_txn(struct es_engine *engine, struct es_engine_op *op,
		      const Etcdserverpb__TxnRequest *request)
{
	const struct es_engine_config *config = es_engine_config(engine);
	size_t size = etcdserverpb__txn_request__get_packed_size(request);
	uint8_t *bytes = es_arena_alloc(op->arena, size);
	struct es_wire_txn wire;
	const struct es_mvcc_txn *txn;
	int rc;

	if (bytes == NULL)
		return ES_ENOMEM;
	if (es_api_is_too_large(engine, size))
		return ES_ETOO_LARGE;
	(void)etcdserverpb__txn_request__pack(request, bytes);
	rc = es_wire_decode_txn(es_slice(bytes, size), config->max_txn_ops, op->arena, &wire);
	if (rc == 0)
		rc = es_api_check_txn(&wire, config->max_txn_ops, op->arena);
	if (rc == 0)
		rc = es_command_txn_from_wire(&wire, op->arena, &txn);
	if (rc < 0)
		return rc;
	return es_engine_write(engine, op, ES_COMMAND_TXN, es_slice(bytes, size), txn);
}

static Etcdserverpb__Compare created_at(struct es_slice key, int64_t revision)
{
	Etcdserverpb__Compare compare = ETCDSERVERPB__COMPARE__INIT;

	compare.result = ETCDSERVERPB__COMPARE__COMPARE_RESULT__EQUAL;
	compare.target = ETCDSERVERPB__COMPARE__COMPARE_TARGET__CREATE;
	compare.key = es_api_pb_bytes(key);
	compare.target_union_case = ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION;
	compare.create_revision = revision;
	return compare;
}

int es_api_guarded_submit(struct es_engine *engine, struct es_engine_op *op,
			  const struct es_api_guarded *guarded)
{
	Etcdserverpb__TxnRequest txn = ETCDSERVERPB__TXN_REQUEST__INIT;
	Etcdserverpb__Compare compare = created_at(guarded->key, guarded->create_revision);
	Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
	Etcdserverpb__DeleteRangeRequest del = ETCDSERVERPB__DELETE_RANGE_REQUEST__INIT;
	Etcdserverpb__RequestOp then = ETCDSERVERPB__REQUEST_OP__INIT;

	if (guarded->put) {
		put.key = es_api_pb_bytes(guarded->key);
		put.value = es_api_pb_bytes(guarded->value);
		put.lease = guarded->lease;
		then.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
		then.request_put = &put;
	} else {
		del.key = es_api_pb_bytes(guarded->key);
		then.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
		then.request_delete_range = &del;
	}
	txn.n_compare = 1;
	txn.compare = (Etcdserverpb__Compare *[]){&compare};
	txn.n_success = 1;
	txn.success = (Etcdserverpb__RequestOp *[]){&then};
	return submit_txn(engine, op, &txn);
}

/* Puts the key if it is not there, else says what is. */
static int submit_entry(struct es_api_line *line)
{
	Etcdserverpb__TxnRequest txn = ETCDSERVERPB__TXN_REQUEST__INIT;
	Etcdserverpb__Compare compare = created_at(line->key, 0);
	Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
	Etcdserverpb__RangeRequest get = ETCDSERVERPB__RANGE_REQUEST__INIT;
	Etcdserverpb__RequestOp then = ETCDSERVERPB__REQUEST_OP__INIT;
	Etcdserverpb__RequestOp otherwise = ETCDSERVERPB__REQUEST_OP__INIT;

	put.key = es_api_pb_bytes(line->key);
	put.value = es_api_pb_bytes(line->value);
	put.lease = line->lease;
	then.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
	then.request_put = &put;
	get.key = es_api_pb_bytes(line->key);
	otherwise.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	otherwise.request_range = &get;
	txn.n_compare = 1;
	txn.compare = (Etcdserverpb__Compare *[]){&compare};
	txn.n_success = 1;
	txn.success = (Etcdserverpb__RequestOp *[]){&then};
	txn.n_failure = 1;
	txn.failure = (Etcdserverpb__RequestOp *[]){&otherwise};
	return submit_txn(line->engine, &line->op, &txn);
}

/* ---- leaving without anybody waiting for it -------------------------------------------------- */

struct departure {
	struct es_engine_op op;
	struct es_arena arena;
};

static void departure_free(struct departure *departure)
{
	const struct es_mem *mem = departure->arena.mem;

	es_arena_close(&departure->arena);
	es_free(mem, departure);
}

static void on_departed(struct es_engine_op *op, int status)
{
	(void)status; /* the lease's end does it, if this did not */
	departure_free(ES_CONTAINER_OF(op, struct departure, op));
}

static void depart(struct es_api_line *line)
{
	const struct es_mem *mem = es_engine_config(line->engine)->mem;
	struct departure *departure = es_calloc(mem, 1, sizeof(*departure));
	const struct es_api_guarded guarded = {.key = line->key,
					       .create_revision = line->create_revision};

	if (departure == NULL)
		return;
	es_arena_init(&departure->arena, mem, 1024);
	departure->op.arena = &departure->arena;
	departure->op.done = on_departed;
	if (es_api_guarded_submit(line->engine, &departure->op, &guarded) < 0)
		departure_free(departure);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void finish(struct es_api_line *line, int status)
{
	struct es_rpc_call *call = line->call;

	es_api_wait_end(&line->waiter);
	if ((es_rpc_call_is_closed(call) || status < 0) && line->create_revision > 0)
		depart(line);
	line->done(line, status);
	es_rpc_call_release(call);
}

/* Whose key is to go before it can be our turn: of those created before ours the last. */
static int predecessor(struct es_api_line *line, struct es_arena *arena, struct es_slice *ret_key,
		       bool *ret_found)
{
	struct es_mvcc_range_req req = {
		.limit = 1,
		.max_create_revision = line->create_revision - 1,
		.sort_order = ES_MVCC_SORT_DESCEND,
		.sort_target = ES_MVCC_SORT_CREATE,
	};
	struct es_mvcc_range_res res;
	struct es_mvcc_kv kv;
	uint8_t *end = es_arena_alloc(arena, line->prefix.len);
	int rc;

	if (end == NULL)
		return ES_ENOMEM;
	req.range = (struct es_mvcc_range){line->prefix, es_api_prefix_end(line->prefix, end)};
	rc = es_engine_range(line->api->engine, &req, arena, &res);
	if (rc == 0)
		line->api->watch_cost += (uint64_t)res.count;
	*ret_found = rc == 0 && res.n > 0;
	if (*ret_found) {
		es_mvcc_version_kv(res.versions[0], &kv);
		*ret_key = kv.key;
	}
	return rc;
}

/* Waits for the end of whoever is before us, as of now; *ret_waits is whether there is somebody. */
static int wait_behind(struct es_api_line *line, bool *ret_waits)
{
	struct es_mvcc_range range = {0};
	struct es_arena arena;
	int rc;

	es_arena_init(&arena, line->api->config.mem, 1024);
	rc = predecessor(line, &arena, &range.key, ret_waits);
	if (rc == 0 && *ret_waits)
		rc = es_api_wait_begin(&line->waiter, range, true, 0);
	es_arena_close(&arena);
	return rc;
}

/* Looks at the state as it is now. */
static bool look(struct es_api_waiter *waiter, int64_t revision)
{
	struct es_api_line *line = ES_CONTAINER_OF(waiter, struct es_api_line, waiter);
	bool waits;
	int rc;

	(void)revision;
	es_api_wait_end(waiter);
	rc = wait_behind(line, &waits);
	if (rc == 0 && waits) {
		line->waited = true;
		return false;
	}
	line->header = es_engine_header(line->api->engine);
	if (rc == 0 && line->waited &&
	    es_mvcc_get(es_engine_store(line->api->engine), line->key) == NULL)
		rc = ES_API_LINE_EXPIRED;
	finish(line, rc);
	return false;
}

static void on_lost(struct es_api_waiter *waiter, int status)
{
	finish(ES_CONTAINER_OF(waiter, struct es_api_line, waiter), status);
}

/* This is inside an apply, where nothing is looked for: that is done when the loop is idle. */
static void wait_for_turn(struct es_api_line *line)
{
	line->entering = false;
	if (es_rpc_call_is_closed(line->call)) {
		finish(line, ES_ECANCELED);
		return;
	}
	line->waiter.changed = look;
	line->waiter.lost = on_lost;
	es_api_wait_again(&line->waiter);
}

/* ---- entering -------------------------------------------------------------------------------- */

static void on_replaced(struct es_engine_op *op, int status)
{
	struct es_api_line *line = ES_CONTAINER_OF(op, struct es_api_line, op);

	if (status == 0 && !op->txn_res->succeeded)
		status = ES_API_LINE_REPLACED;
	if (status != 0)
		finish(line, status);
	else
		wait_for_turn(line);
}

static void on_entered(struct es_engine_op *op, int status)
{
	struct es_api_line *line = ES_CONTAINER_OF(op, struct es_api_line, op);
	struct es_mvcc_kv kv;

	if (status < 0) {
		finish(line, status);
		return;
	}
	line->entered = op->header;
	line->create_revision = op->txn_res->revision;
	if (!op->txn_res->succeeded) {
		struct es_api_guarded again;

		es_mvcc_version_kv(op->txn_res->ops[0].u.range.versions[0], &kv);
		line->create_revision = kv.create_revision;
		if (line->proclaims && !es_slice_eq(kv.value, line->value)) {
			again = (struct es_api_guarded){line->key, kv.create_revision, true,
							line->value, line->lease};
			op->done = on_replaced;
			status = es_api_guarded_submit(line->engine, op, &again);
			if (status < 0)
				finish(line, status);
			return;
		}
	}
	wait_for_turn(line);
}

static void enter_with_lease(struct es_api_line *line)
{
	/* Go prints a negative id with its sign. */
	uint64_t id = line->lease < 0 ? 0 - (uint64_t)line->lease : (uint64_t)line->lease;
	char suffix[24];
	int len = snprintf(suffix, sizeof(suffix), "%s%" PRIx64, line->lease < 0 ? "-" : "", id);
	uint8_t *key = es_arena_alloc(line->op.arena, line->prefix.len + (size_t)len);
	int rc = ES_ENOMEM;

	if (key != NULL) {
		memcpy(key, line->prefix.data, line->prefix.len);
		memcpy(key + line->prefix.len, suffix, (size_t)len);
		line->key = es_slice(key, line->prefix.len + (size_t)len);
		line->op.done = on_entered;
		rc = submit_entry(line);
	}
	if (rc < 0)
		finish(line, rc);
}

static void on_granted(struct es_engine_op *op, int status)
{
	struct es_api_line *line = ES_CONTAINER_OF(op, struct es_api_line, op);

	if (status < 0) {
		finish(line, status);
		return;
	}
	line->lease = op->id;
	enter_with_lease(line);
}

void es_api_line_enter(struct es_api_line *line)
{
	int rc = 0;

	line->api = es_rpc_call_ctx(line->call);
	line->engine = line->api->engine;
	line->entering = true;
	es_api_wait_init(&line->waiter, line->api);
	line->op.arena = es_rpc_call_arena(line->call);
	es_rpc_call_hold(line->call);
	line->prefix = es_api_line_prefix(line->call, line->name);
	if (line->prefix.data == NULL) {
		finish(line, ES_ENOMEM);
		return;
	}
	if (line->lease != 0) {
		enter_with_lease(line);
		return;
	}
	line->op.done = on_granted;
	rc = es_engine_lease_grant(line->engine, &line->op, 0, SESSION_TTL_S);
	if (rc < 0)
		finish(line, rc);
}

void es_api_line_leave(struct es_api_line *line)
{
	/* Still entering: what comes back from the log finds the call closed. */
	if (!line->entering)
		finish(line, ES_ECANCELED);
}
