#include "api/kv.h"

/*
 * etcdserverpb.KV: Range and RangeStream. Reads are made on the state between two callbacks of the
 * loop; an answer that is small is written into the connection's buffer at once, a large one is
 * produced while the client takes it, from the versions that the range found, which a pin keeps in
 * memory. A client that takes nothing for a while loses its answer, so that it cannot keep the
 * history of all others in memory.
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

size_t es_api_range_size(const struct es_wire_header *header, const struct es_mvcc_range_res *res)
{
	return es_wire_head_size(header) + kvs_size(res, 0, res->n) +
	       es_wire_range_tail_size(res->more, res->count);
}

uint8_t *es_api_range_write(uint8_t *out, const struct es_wire_header *header,
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
	size_t size = es_api_range_size(&rc->header, &rc->res);
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
	(void)es_api_range_write(out, &rc->header, &rc->res);
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

void es_api_kv_range(struct es_rpc_call *call, struct es_slice request)
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

void es_api_kv_range_stream(struct es_rpc_call *call, struct es_slice request)
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

void es_api_kv_range_stream_writable(struct es_rpc_call *call)
{
	struct range_call *rc = es_rpc_call_data(call);

	if (rc != NULL)
		stream_pump(rc);
}

void es_api_kv_range_stream_closed(struct es_rpc_call *call)
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
