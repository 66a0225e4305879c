#include "api/internal.h"
#include "wire/rpc.pb-c.h"

/*
 * etcdserverpb.KV. Reads are made on the state between two callbacks of the loop; an answer that is
 * small is written into the connection's buffer at once, a large one is produced while the client
 * takes it, from the versions that the range found, which a pin keeps in memory. A client that
 * takes nothing for a while loses its answer, so that it cannot keep the history of all others in
 * memory.
 */
#define SMALL_ANSWER_BYTES      (64 * 1024)
#define STREAM_CHUNK_KEYS_FIRST 10
#define STREAM_QUEUE_LOW        (256 * 1024)
#define STALL_MAX_MS            (60 * 1000)

/* ---- ranges ---------------------------------------------------------------------------------- */

struct range_call {
	struct es_rpc_call *call;
	struct es_api *api;
	struct es_wire_range request;
	struct es_mvcc_range_res res;
	struct es_wire_header header;
	/* Of a large or streamed answer. */
	struct es_rpc_body body;
	struct es_mvcc_pin pin;
	bool pinned;
	struct es_queue pinned_link; /* in api->pinned_answers */
	uint64_t progress_ms;        /* when the client last took bytes, or began to */
	size_t queued;               /* what waited to be taken then */
	size_t next;                 /* versions[] sent */
	size_t chunk;                /* keys of the next streamed message */
	size_t part_sent;            /* of `part`, which holds what did not fit as a whole */
	struct es_buf part;
};

static size_t kvs_size(const struct es_mvcc_range_res *res, size_t from, size_t to)
{
	size_t size = 0;

	for (size_t i = from; i < to; i++) {
		struct es_wire_kv kv = es_api_kv(res->versions[i], res->keys_only);

		size += es_wire_range_kv_size(&kv);
	}
	return size;
}

static uint8_t *kvs_write(uint8_t *out, const struct es_mvcc_range_res *res, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct es_wire_kv kv = es_api_kv(res->versions[i], res->keys_only);

		out = es_wire_range_kv_write(out, &kv);
	}
	return out;
}

static size_t range_size(const struct es_wire_header *header, const struct es_mvcc_range_res *res)
{
	return es_wire_head_size(header) + kvs_size(res, 0, res->n) +
	       es_wire_range_tail_size(res->more, res->count);
}

static uint8_t *range_write(uint8_t *out, const struct es_wire_header *header,
			    const struct es_mvcc_range_res *res)
{
	out = es_wire_head_write(out, header);
	out = kvs_write(out, res, 0, res->n);
	return es_wire_range_tail_write(out, res->more, res->count);
}

static void progressed(struct range_call *rc)
{
	const struct es_env *env = rc->api->config.env;

	rc->progress_ms = env->now_ms(env->ctx);
	rc->queued = es_rpc_queued_bytes(rc->call);
	es_queue_remove(&rc->pinned_link);
	es_queue_push(&rc->api->pinned_answers, &rc->pinned_link);
}

static void pin_answer(struct range_call *rc)
{
	/* What was read at an older revision needs history from there on. */
	int64_t revision = rc->request.revision > 0 ? rc->request.revision : rc->header.revision;

	es_engine_pin(rc->api->engine, revision, &rc->pin);
	rc->pinned = true;
	es_queue_init(&rc->pinned_link);
	progressed(rc);
	es_rpc_call_hold(rc->call);
}

static void unpin_answer(struct range_call *rc)
{
	if (!rc->pinned)
		return;
	rc->pinned = false;
	es_queue_remove(&rc->pinned_link);
	es_engine_unpin(rc->api->engine, &rc->pin);
	es_buf_close(&rc->part);
	es_rpc_call_release(rc->call);
}

/* The bytes of step `next`: the head, then each key, then the tail. */
static size_t part_size(const struct range_call *rc, size_t next)
{
	if (next == 0)
		return es_wire_head_size(&rc->header);
	if (next <= rc->res.n)
		return kvs_size(&rc->res, next - 1, next);
	return es_wire_range_tail_size(rc->res.more, rc->res.count);
}

static uint8_t *part_write(const struct range_call *rc, size_t next, uint8_t *out)
{
	if (next == 0)
		return es_wire_head_write(out, &rc->header);
	if (next <= rc->res.n)
		return kvs_write(out, &rc->res, next - 1, next);
	return es_wire_range_tail_write(out, rc->res.more, rc->res.count);
}

static ptrdiff_t produce(struct es_rpc_body *body, uint8_t *out, size_t cap)
{
	struct range_call *rc = ES_CONTAINER_OF(body, struct range_call, body);
	uint8_t *at = out;
	uint8_t *end = out + cap;

	if (!rc->pinned)
		return ES_ECANCELED; /* cut off */
	progressed(rc);
	while (at < end) {
		size_t left = rc->part.len - rc->part_sent;

		if (left > 0) {
			size_t n = left < (size_t)(end - at) ? left : (size_t)(end - at);

			memcpy(at, rc->part.data + rc->part_sent, n);
			at += n;
			rc->part_sent += n;
			continue;
		}
		if (rc->next > rc->res.n + 1)
			break;
		if (part_size(rc, rc->next) <= (size_t)(end - at)) {
			at = part_write(rc, rc->next++, at);
			continue;
		}
		rc->part.len = 0;
		rc->part_sent = 0;
		if (es_buf_reserve(&rc->part, part_size(rc, rc->next)) < 0)
			return ES_ENOMEM;
		rc->part.len = (size_t)(part_write(rc, rc->next++, rc->part.data) - rc->part.data);
	}
	return at - out;
}

static void produced(struct es_rpc_body *body)
{
	unpin_answer(ES_CONTAINER_OF(body, struct range_call, body));
}

static void range_answer(struct range_call *rc)
{
	size_t size = range_size(&rc->header, &rc->res);
	uint8_t *out;

	if (!es_api_can_send(rc->call, size))
		return;
	if (size > SMALL_ANSWER_BYTES) {
		rc->body = (struct es_rpc_body){size, produce, produced};
		es_buf_init(&rc->part, rc->api->config.mem);
		pin_answer(rc);
		if (es_rpc_send_body(rc->call, &rc->body) == 0)
			es_rpc_finish(rc->call, ES_GRPC_OK, NULL);
		return;
	}
	out = es_rpc_send(rc->call, size);
	if (out == NULL)
		return;
	(void)range_write(out, &rc->header, &rc->res);
	es_rpc_finish(rc->call, ES_GRPC_OK, NULL);
}

/* Reads now; fails the call and returns false when that is refused. */
static bool read_now(struct range_call *rc)
{
	const struct es_mvcc_range_req req = es_command_range_from_wire(&rc->request);
	struct es_engine_header header = es_engine_header(rc->api->engine);
	int status = es_engine_range(rc->api->engine, &req, es_rpc_call_arena(rc->call), &rc->res);

	rc->header = es_api_header(&header);
	if (status < 0)
		es_rpc_finish_status(rc->call, status);
	return status == 0;
}

static void on_range_ready(void *arg, int status)
{
	struct range_call *rc = arg;
	struct es_rpc_call *call = rc->call;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else if (read_now(rc))
		range_answer(rc);
	es_rpc_call_release(call);
}

static struct range_call *range_begin(struct es_rpc_call *call, struct es_slice request,
				      int *ret_status)
{
	struct range_call *rc = es_api_alloc(call, 1, sizeof(*rc));

	*ret_status = ES_ENOMEM;
	if (rc == NULL)
		return NULL;
	rc->call = call;
	rc->api = es_rpc_call_ctx(call);
	*ret_status = es_wire_decode_range(request, &rc->request);
	if (*ret_status == 0)
		*ret_status = es_api_check_range(&rc->request);
	if (*ret_status == 0)
		return rc;
	es_rpc_finish_status(call, *ret_status);
	return NULL;
}

static void kv_range(struct es_rpc_call *call, struct es_slice request)
{
	int status;
	struct range_call *rc = range_begin(call, request, &status);

	if (rc == NULL)
		return;
	es_rpc_call_hold(call);
	if (rc->request.serializable)
		on_range_ready(rc, 0);
	else
		es_engine_linearize(rc->api->engine, on_range_ready, rc);
}

/* ---- RangeStream ----------------------------------------------------------------------------- */

static void stream_end(struct range_call *rc)
{
	es_rpc_call_set_data(rc->call, NULL);
	unpin_answer(rc);
}

/* The keys from `next` on that one message takes: more with each, up to about what a request may
 * have. */
static size_t chunk_end(const struct range_call *rc, size_t *ret_size)
{
	size_t end = rc->next;
	size_t size = 0;

	while (end < rc->res.n && end - rc->next < rc->chunk) {
		size_t more = kvs_size(&rc->res, end, end + 1);

		if (end > rc->next && size + more > rc->api->config.max_request_bytes)
			break;
		size += more;
		end++;
	}
	*ret_size = size;
	return end;
}

static void stream_pump(struct range_call *rc)
{
	const struct es_mvcc_range_res *res = &rc->res;

	while (es_rpc_queued_bytes(rc->call) <= STREAM_QUEUE_LOW) {
		size_t inner;
		size_t end = chunk_end(rc, &inner);
		bool last = end == res->n;
		uint8_t *out;

		if (last)
			inner += es_wire_head_size(&rc->header) +
				 es_wire_range_tail_size(res->more, res->count);
		out = es_rpc_send(rc->call, es_pb_len_size(ES_WIRE_RANGE_STREAM_FIELD, inner));
		if (out == NULL) {
			stream_end(rc);
			return;
		}
		out = es_pb_write_len(out, ES_WIRE_RANGE_STREAM_FIELD, inner);
		if (last)
			out = es_wire_head_write(out, &rc->header);
		out = kvs_write(out, res, rc->next, end);
		if (last) {
			(void)es_wire_range_tail_write(out, res->more, res->count);
			es_rpc_finish(rc->call, ES_GRPC_OK, NULL);
			stream_end(rc);
			return;
		}
		rc->next = end;
		if (rc->chunk < res->n)
			rc->chunk *= 2;
	}
	progressed(rc);
}

static void on_stream_ready(void *arg, int status)
{
	struct range_call *rc = arg;
	struct es_rpc_call *call = rc->call;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else if (read_now(rc)) {
		es_buf_init(&rc->part, rc->api->config.mem);
		pin_answer(rc);
		rc->chunk = STREAM_CHUNK_KEYS_FIRST;
		es_rpc_call_set_data(call, rc);
		es_rpc_set_queue_low(call, STREAM_QUEUE_LOW);
		stream_pump(rc);
	}
	es_rpc_call_release(call);
}

static void kv_range_stream(struct es_rpc_call *call, struct es_slice request)
{
	int status;
	struct range_call *rc = range_begin(call, request, &status);
	const struct es_wire_range *range;

	if (rc == NULL)
		return;
	range = &rc->request;
	if (range->sort_order != ES_MVCC_SORT_NONE &&
	    (range->sort_target != ES_MVCC_SORT_KEY || range->sort_order != ES_MVCC_SORT_ASCEND)) {
		es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED,
			      "RangeStream does not support custom sort orders");
		return;
	}
	if (range->min_mod_revision != 0 || range->max_mod_revision != 0 ||
	    range->min_create_revision != 0 || range->max_create_revision != 0) {
		es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED,
			      "RangeStream does not support revision filters");
		return;
	}
	es_rpc_call_hold(call);
	if (range->serializable)
		on_stream_ready(rc, 0);
	else
		es_engine_linearize(rc->api->engine, on_stream_ready, rc);
}

static void stream_writable(struct es_rpc_call *call)
{
	struct range_call *rc = es_rpc_call_data(call);

	if (rc != NULL)
		stream_pump(rc);
}

static void stream_closed(struct es_rpc_call *call)
{
	struct range_call *rc = es_rpc_call_data(call);

	if (rc != NULL)
		stream_end(rc);
}

/* ---- answers that are not taken -------------------------------------------------------------- */

static void cut_off(struct range_call *rc)
{
	if (es_rpc_call_is_closed(rc->call)) {
		/* A body under way: trailers would wait for it. */
		es_rpc_abort(rc->call);
		unpin_answer(rc);
	} else {
		es_rpc_finish(rc->call, ES_GRPC_RESOURCE_EXHAUSTED,
			      "engenho: the answer was not taken in time");
		stream_end(rc);
	}
}

void es_api_kv_tick(struct es_api *api, uint64_t now_ms)
{
	while (!es_queue_empty(&api->pinned_answers)) {
		struct range_call *rc = ES_QUEUE_ITEM(api->pinned_answers.next, struct range_call,
						      pinned_link);

		if (now_ms - rc->progress_ms < STALL_MAX_MS)
			return;
		if (es_rpc_queued_bytes(rc->call) < rc->queued)
			progressed(rc);
		else
			cut_off(rc);
	}
}

/* ---- writes ---------------------------------------------------------------------------------- */

static void put_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_wire_header header = es_api_header(&op->op.header);
	const struct es_mvcc_version *prev = op->op.txn_res->ops[0].u.put.prev;
	struct es_wire_kv kv;
	uint8_t *out;

	if (prev != NULL)
		kv = es_api_kv(prev, false);
	out = es_rpc_send(call, es_wire_put_size(&header, prev != NULL ? &kv : NULL));
	if (out == NULL)
		return;
	(void)es_wire_put_write(out, &header, prev != NULL ? &kv : NULL);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static size_t delete_size(const struct es_wire_header *header, const struct es_mvcc_op_res *res)
{
	size_t size = es_wire_delete_head_size(header, res->u.del.deleted);

	for (size_t i = 0; i < res->u.del.prev_count; i++) {
		struct es_wire_kv kv = es_api_kv(res->u.del.prevs[i], false);

		size += es_wire_delete_prev_size(&kv);
	}
	return size;
}

static uint8_t *delete_write(uint8_t *out, const struct es_wire_header *header,
			     const struct es_mvcc_op_res *res)
{
	out = es_wire_delete_head_write(out, header, res->u.del.deleted);
	for (size_t i = 0; i < res->u.del.prev_count; i++) {
		struct es_wire_kv kv = es_api_kv(res->u.del.prevs[i], false);

		out = es_wire_delete_prev_write(out, &kv);
	}
	return out;
}

static void delete_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_wire_header header = es_api_header(&op->op.header);
	const struct es_mvcc_op_res *res = &op->op.txn_res->ops[0];
	uint8_t *out = es_api_reserve(call, delete_size(&header, res));

	if (out == NULL)
		return;
	(void)delete_write(out, &header, res);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void submit(struct es_rpc_call *call, enum es_command_kind kind, struct es_slice request,
		   const struct es_mvcc_txn *txn,
		   void (*answer)(struct es_api_op *, struct es_rpc_call *))
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_api_op *op;

	if (es_api_is_too_large(api->engine, request.len)) {
		es_rpc_finish_status(call, ES_ETOO_LARGE);
		return;
	}
	op = es_api_op_new(call, answer);
	if (op != NULL)
		es_api_op_submitted(op, es_engine_write(api->engine, &op->op, kind, request, txn));
}

static void kv_put(struct es_rpc_call *call, struct es_slice request)
{
	struct es_wire_put put;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_put(request, &put);

	if (status == 0)
		status = es_api_check_put(&put);
	if (status == 0)
		status = es_command_txn_from_put(&put, es_rpc_call_arena(call), &txn);
	if (status < 0)
		es_rpc_finish_status(call, status);
	else
		submit(call, ES_COMMAND_PUT, request, txn, put_answer);
}

static void kv_delete_range(struct es_rpc_call *call, struct es_slice request)
{
	struct es_wire_delete del;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_delete(request, &del);

	if (status == 0)
		status = es_api_check_delete(&del);
	if (status == 0)
		status = es_command_txn_from_delete(&del, es_rpc_call_arena(call), &txn);
	if (status < 0)
		es_rpc_finish_status(call, status);
	else
		submit(call, ES_COMMAND_DELETE_RANGE, request, txn, delete_answer);
}

/* ---- transactions ---------------------------------------------------------------------------- */

/*
 * A result is a tree: sizes are found from the leaves up, bytes are written from the root down.
 * Each inner answer's size is kept in the order in which the tree is walked, so that neither pass
 * looks at anything twice.
 */
struct sizes {
	size_t *size; /* one an operation, in walking order */
	size_t used;
};

static size_t count_nodes(const struct es_mvcc_txn_res *res)
{
	size_t count = res->n;

	for (size_t i = 0; i < res->n; i++) {
		if (res->ops[i].kind == ES_MVCC_OP_TXN)
			count += count_nodes(res->ops[i].u.txn);
	}
	return count;
}

static unsigned wire_kind(enum es_mvcc_op_kind kind)
{
	static const unsigned kinds[] = {
		[ES_MVCC_OP_RANGE] = ES_WIRE_OP_RANGE,
		[ES_MVCC_OP_PUT] = ES_WIRE_OP_PUT,
		[ES_MVCC_OP_DELETE] = ES_WIRE_OP_DELETE,
		[ES_MVCC_OP_TXN] = ES_WIRE_OP_TXN,
	};

	return kinds[kind];
}

static size_t txn_size(const struct es_wire_header *header, const struct es_mvcc_txn_res *res,
		       struct sizes *sizes)
{
	size_t size = es_wire_txn_head_size(header, res->succeeded);

	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];
		struct es_wire_header inner = {.revision = op->revision};
		size_t *slot = &sizes->size[sizes->used++];
		struct es_wire_kv kv;

		switch (op->kind) {
		case ES_MVCC_OP_RANGE: *slot = range_size(&inner, &op->u.range); break;
		case ES_MVCC_OP_PUT:
			if (op->u.put.prev != NULL)
				kv = es_api_kv(op->u.put.prev, false);
			*slot = es_wire_put_size(&inner, op->u.put.prev != NULL ? &kv : NULL);
			break;
		case ES_MVCC_OP_DELETE: *slot = delete_size(&inner, op); break;
		case ES_MVCC_OP_TXN: *slot = txn_size(&inner, op->u.txn, sizes); break;
		}
		size += es_wire_txn_op_size(wire_kind(op->kind), *slot);
	}
	return size;
}

static uint8_t *txn_write(uint8_t *out, const struct es_wire_header *header,
			  const struct es_mvcc_txn_res *res, struct sizes *sizes)
{
	out = es_wire_txn_head_write(out, header, res->succeeded);
	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];
		struct es_wire_header inner = {.revision = op->revision};
		struct es_wire_kv kv;

		out = es_wire_txn_op_write(out, wire_kind(op->kind), sizes->size[sizes->used++]);
		switch (op->kind) {
		case ES_MVCC_OP_RANGE: out = range_write(out, &inner, &op->u.range); break;
		case ES_MVCC_OP_PUT:
			if (op->u.put.prev != NULL)
				kv = es_api_kv(op->u.put.prev, false);
			out = es_wire_put_write(out, &inner, op->u.put.prev != NULL ? &kv : NULL);
			break;
		case ES_MVCC_OP_DELETE: out = delete_write(out, &inner, op); break;
		case ES_MVCC_OP_TXN: out = txn_write(out, &inner, op->u.txn, sizes); break;
		}
	}
	return out;
}

static void txn_reply(struct es_rpc_call *call, const struct es_engine_header *from,
		      const struct es_mvcc_txn_res *res)
{
	struct es_wire_header header = es_api_header(from);
	struct sizes sizes = {es_api_alloc(call, count_nodes(res), sizeof(size_t)), 0};
	uint8_t *out;

	if (sizes.size == NULL)
		return;
	header.revision = res->revision;
	out = es_api_reserve(call, txn_size(&header, res, &sizes));
	if (out == NULL)
		return;
	sizes.used = 0;
	(void)txn_write(out, &header, res, &sizes);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void txn_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	txn_reply(call, &op->op.header, op->op.txn_res);
}

struct read_txn {
	struct es_rpc_call *call;
	const struct es_mvcc_txn *txn;
};

static void on_read_txn_ready(void *arg, int status)
{
	struct read_txn *read = arg;
	struct es_rpc_call *call = read->call;
	struct es_api *api = es_rpc_call_ctx(call);
	const struct es_mvcc_txn_res *res;

	if (!es_rpc_call_is_closed(call)) {
		struct es_engine_header header = es_engine_header(api->engine);

		if (status == 0)
			status = es_engine_read_txn(api->engine, read->txn, es_rpc_call_arena(call),
						    &res);
		if (status < 0)
			es_rpc_finish_status(call, status);
		else
			txn_reply(call, &header, res);
	}
	es_rpc_call_release(call);
}

/* etcd: only ranges, in both branches, with nothing nested. */
static bool only_ranges(const struct es_wire_op *ops, size_t count, bool serializable)
{
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind != ES_WIRE_OP_RANGE ||
		    (serializable && !ops[i].u.range.serializable))
			return false;
	}
	return true;
}

static void kv_txn(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_arena *arena = es_rpc_call_arena(call);
	struct es_wire_txn wire;
	struct read_txn *read;
	const struct es_mvcc_txn *txn;
	int status = es_wire_decode_txn(request, api->config.max_txn_ops, arena, &wire);

	if (status == 0)
		status = es_api_check_txn(&wire, api->config.max_txn_ops, arena);
	if (status == 0)
		status = es_command_txn_from_wire(&wire, arena, &txn);
	if (status < 0) {
		es_rpc_finish_status(call, status);
		return;
	}
	if (!only_ranges(wire.success, wire.success_count, false) ||
	    !only_ranges(wire.failure, wire.failure_count, false)) {
		submit(call, ES_COMMAND_TXN, request, txn, txn_answer);
		return;
	}
	read = es_api_alloc(call, 1, sizeof(*read));
	if (read == NULL)
		return;
	*read = (struct read_txn){call, txn};
	es_rpc_call_hold(call);
	if (only_ranges(wire.success, wire.success_count, true) &&
	    only_ranges(wire.failure, wire.failure_count, true))
		on_read_txn_ready(read, 0);
	else
		es_engine_linearize(api->engine, on_read_txn_ready, read);
}

/* ---- compaction ------------------------------------------------------------------------------ */

static void kv_compact(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__CompactionRequest *compaction = es_api_decode(
		call, &etcdserverpb__compaction_request__descriptor, request);
	struct es_api_op *op;

	if (compaction == NULL)
		return;
	op = es_api_op_new(call, es_api_head_answer);
	if (op != NULL)
		es_api_op_submitted(op,
				    es_engine_compact(api->engine, &op->op, compaction->revision,
						      compaction->physical));
}

int es_api_kv_register(struct es_api *api)
{
	static const struct es_rpc_method methods[] = {
		{.service = "etcdserverpb.KV",
		 .name = "Range",
		 .kind = ES_RPC_UNARY,
		 .message = kv_range},
		{.service = "etcdserverpb.KV",
		 .name = "RangeStream",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = kv_range_stream,
		 .writable = stream_writable,
		 .closed = stream_closed},
		{.service = "etcdserverpb.KV",
		 .name = "Put",
		 .kind = ES_RPC_UNARY,
		 .message = kv_put},
		{.service = "etcdserverpb.KV",
		 .name = "DeleteRange",
		 .kind = ES_RPC_UNARY,
		 .message = kv_delete_range},
		{.service = "etcdserverpb.KV",
		 .name = "Txn",
		 .kind = ES_RPC_UNARY,
		 .message = kv_txn},
		{.service = "etcdserverpb.KV",
		 .name = "Compact",
		 .kind = ES_RPC_UNARY,
		 .message = kv_compact},
	};

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
