#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "random_message.h"
#include "wire/hot.h"
#include "wire/request.h"
#include "wire/rpc.pb-c.h"

/* ---- a message of protobuf-c's, encoded by us ------------------------------------------------ */

static const struct es_wire_header *header_of(const Etcdserverpb__ResponseHeader *theirs,
					      struct es_wire_header *space)
{
	if (theirs == NULL)
		return NULL;
	*space = (struct es_wire_header){theirs->cluster_id, theirs->member_id, theirs->revision,
					 theirs->raft_term};
	return space;
}

static const struct es_wire_kv *kv_of(const Mvccpb__KeyValue *theirs, struct es_wire_kv *space)
{
	if (theirs == NULL)
		return NULL;
	*space = (struct es_wire_kv){
		.key = es_slice(theirs->key.data, theirs->key.len),
		.value = es_slice(theirs->value.data, theirs->value.len),
		.create_revision = theirs->create_revision,
		.mod_revision = theirs->mod_revision,
		.version = theirs->version,
		.lease = theirs->lease,
	};
	return space;
}

/* Each of these is both passes: `out` NULL only counts. Returns the size. */
static size_t encode_range(const void *message, uint8_t *out)
{
	const Etcdserverpb__RangeResponse *m = message;
	struct es_wire_header space;
	const struct es_wire_header *header = header_of(m->header, &space);
	size_t size = es_wire_head_size(header) + es_wire_range_tail_size(m->more != 0, m->count);
	struct es_wire_kv kv;

	for (size_t i = 0; i < m->n_kvs; i++)
		size += es_wire_range_kv_size(kv_of(m->kvs[i], &kv));
	if (out == NULL)
		return size;
	out = es_wire_head_write(out, header);
	for (size_t i = 0; i < m->n_kvs; i++)
		out = es_wire_range_kv_write(out, kv_of(m->kvs[i], &kv));
	(void)es_wire_range_tail_write(out, m->more != 0, m->count);
	return size;
}

static size_t encode_stream(const void *message, uint8_t *out)
{
	const Etcdserverpb__RangeStreamResponse *m = message;
	size_t len;

	if (m->range_response == NULL)
		return 0;
	len = encode_range(m->range_response, NULL);
	if (out != NULL)
		(void)encode_range(m->range_response,
				   es_pb_write_len(out, ES_WIRE_RANGE_STREAM_FIELD, len));
	return es_pb_len_size(ES_WIRE_RANGE_STREAM_FIELD, len);
}

static size_t encode_put(const void *message, uint8_t *out)
{
	const Etcdserverpb__PutResponse *m = message;
	struct es_wire_header header;
	struct es_wire_kv kv;

	if (out != NULL)
		(void)es_wire_put_write(out, header_of(m->header, &header), kv_of(m->prev_kv, &kv));
	return es_wire_put_size(header_of(m->header, &header), kv_of(m->prev_kv, &kv));
}

static size_t encode_delete(const void *message, uint8_t *out)
{
	const Etcdserverpb__DeleteRangeResponse *m = message;
	struct es_wire_header header;
	struct es_wire_kv kv;
	size_t size = es_wire_delete_head_size(header_of(m->header, &header), m->deleted);

	if (out != NULL)
		out = es_wire_delete_head_write(out, header_of(m->header, &header), m->deleted);
	for (size_t i = 0; i < m->n_prev_kvs; i++) {
		size += es_wire_delete_prev_size(kv_of(m->prev_kvs[i], &kv));
		if (out != NULL)
			out = es_wire_delete_prev_write(out, &kv);
	}
	return size;
}

static size_t encode_txn(const void *message, uint8_t *out);

static size_t encode_op(const Etcdserverpb__ResponseOp *op, uint8_t *out)
{
	switch (op->response_case) {
	case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE:
		return encode_range(op->response_range, out);
	case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT:
		return encode_put(op->response_put, out);
	case ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE:
		return encode_delete(op->response_delete_range, out);
	default: return encode_txn(op->response_txn, out);
	}
}

static size_t encode_txn(const void *message, uint8_t *out)
{
	const Etcdserverpb__TxnResponse *m = message;
	struct es_wire_header header;
	size_t size = es_wire_txn_head_size(header_of(m->header, &header), m->succeeded != 0);

	if (out != NULL)
		out = es_wire_txn_head_write(out, header_of(m->header, &header), m->succeeded != 0);
	for (size_t i = 0; i < m->n_responses; i++) {
		size_t len = encode_op(m->responses[i], NULL);

		size += es_wire_txn_op_size(m->responses[i]->response_case, len);
		if (out == NULL)
			continue;
		out = es_wire_txn_op_write(out, m->responses[i]->response_case, len);
		out += encode_op(m->responses[i], out);
	}
	return size;
}

static size_t encode_watch(const void *message, uint8_t *out)
{
	const Etcdserverpb__WatchResponse *m = message;
	struct es_wire_watch watch = {
		.watch_id = m->watch_id,
		.created = m->created != 0,
		.canceled = m->canceled != 0,
		.fragment = m->fragment != 0,
		.compact_revision = m->compact_revision,
		.cancel_reason = es_slice_str(m->cancel_reason),
	};
	struct es_wire_kv kv;
	struct es_wire_kv prev;
	size_t size;

	header_of(m->header, &watch.header);
	size = es_wire_watch_head_size(&watch);
	if (out != NULL)
		out = es_wire_watch_head_write(out, &watch);
	for (size_t i = 0; i < m->n_events; i++) {
		const Mvccpb__Event *e = m->events[i];
		const struct es_wire_kv *old = kv_of(e->prev_kv, &prev);

		size += es_wire_event_size(e->type == MVCCPB__EVENT__EVENT_TYPE__DELETE,
					   kv_of(e->kv, &kv), old);
		if (out != NULL)
			out = es_wire_event_write(out, e->type == MVCCPB__EVENT__EVENT_TYPE__DELETE,
						  &kv, old);
	}
	return size;
}

static size_t encode_keep_alive(const void *message, uint8_t *out)
{
	const Etcdserverpb__LeaseKeepAliveResponse *m = message;
	struct es_wire_header header;

	if (out != NULL)
		(void)es_wire_keep_alive_write(out, header_of(m->header, &header), m->id, m->ttl);
	return es_wire_keep_alive_size(header_of(m->header, &header), m->id, m->ttl);
}

static const struct kind {
	const ProtobufCMessageDescriptor *type;
	size_t (*encode)(const void *message, uint8_t *out);
} kinds[] = {
	{&etcdserverpb__range_response__descriptor, encode_range},
	{&etcdserverpb__range_stream_response__descriptor, encode_stream},
	{&etcdserverpb__put_response__descriptor, encode_put},
	{&etcdserverpb__delete_range_response__descriptor, encode_delete},
	{&etcdserverpb__txn_response__descriptor, encode_txn},
	{&etcdserverpb__watch_response__descriptor, encode_watch},
	{&etcdserverpb__lease_keep_alive_response__descriptor, encode_keep_alive},
};

/* ---- tests ----------------------------------------------------------------------------------- */

/* A server leaves nothing unset in these: take out what random messages do. */
static void settle_txn(Etcdserverpb__TxnResponse *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_responses; i++)
		if (m->responses[i]->response_case != ETCDSERVERPB__RESPONSE_OP__RESPONSE__NOT_SET)
			m->responses[n++] = m->responses[i];
	m->n_responses = n;
	for (size_t i = 0; i < n; i++)
		if (m->responses[i]->response_case ==
		    ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN)
			settle_txn(m->responses[i]->response_txn);
}

static void settle_watch(Etcdserverpb__WatchResponse *m, struct es_arena *arena)
{
	size_t n = 0;

	if (m->header == NULL) {
		m->header = es_arena_alloc(arena, sizeof(*m->header));
		assert_non_null(m->header);
		etcdserverpb__response_header__init(m->header);
	}
	for (size_t i = 0; i < m->n_events; i++) {
		if (m->events[i]->kv == NULL)
			continue;
		m->events[i]->type = m->events[i]->type != MVCCPB__EVENT__EVENT_TYPE__PUT;
		m->events[n++] = m->events[i];
	}
	m->n_events = n;
}

static void answers_are_what_protobuf_c_packs(void **state)
{
	size_t longest = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 3500; seed++) {
		const struct kind *kind = &kinds[seed % ES_ARRAY_LEN(kinds)];
		ProtobufCMessage *message;
		struct es_arena arena;
		struct es_slice wanted;
		struct es_rng rng;
		uint8_t *ours;
		size_t size;

		es_rng_init(&rng, seed);
		es_arena_init(&arena, es_mem_default(), 16384);
		message = random_message(&rng, &arena, kind->type, 5);
		if (kind->encode == encode_txn)
			settle_txn((Etcdserverpb__TxnResponse *)message);
		if (kind->encode == encode_watch)
			settle_watch((Etcdserverpb__WatchResponse *)message, &arena);
		wanted = packed(&arena, message);
		size = kind->encode(message, NULL);
		ours = malloc(size + 1); /* just as long as was said, so that a byte more is seen */
		assert_non_null(ours);
		ours[size] = 0xee;
		assert_int_equal(kind->encode(message, ours), size);
		if (!es_slice_eq(es_slice(ours, size), wanted))
			fail_msg("seed %llu", (unsigned long long)seed);
		assert_int_equal(ours[size], 0xee);
		longest = size > longest ? size : longest;
		free(ours);
		es_arena_close(&arena);
	}
	assert_true(longest > 16384);
}

static const struct es_wire_header header = {UINT64_C(0xcdf818194e3a8c32),
					     UINT64_C(0x8e9e05c52164694d), 1234567, 3};
static const struct es_wire_kv kv = {
	.key = {(const uint8_t *)"/registry/pods/a", 16},
	.value = {(const uint8_t *)"value", 5},
	.create_revision = 2,
	.mod_revision = 300,
	.version = 5,
	.lease = INT64_C(0x694d81417acd4754),
};
static const struct es_wire_kv odd_kv = {
	.key = {(const uint8_t *)"k", 1},
	.create_revision = INT64_C(1) << 40,
	.mod_revision = -1,
	.version = 1,
};

#define HEADER                                                                                     \
	"\x0a\x1c\x08\xb2\x98\xea\xf1\x94\x83\x86\xfc\xcd\x01\x10\xcd\xd2\x91\x8b\xd2\xb8\x81\xcf" \
	"\x8e\x01\x18\x87\xad\x4b\x20\x03"
#define KV                        \
	"\x0a\x10/registry/pods/" \
	"a\x10\x02\x18\xac\x02\x20\x05\x2a\x05value\x30\xd4\x8e\xb5\xd6\x97\xa8\xe0\xa6\x69"
#define ODD_KV                                                                                  \
	"\x0a\x01k\x10\x80\x80\x80\x80\x80\x20\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x20" \
	"\x01"

/* The bytes wanted here and below are those of Go's encoder. */
static void an_answer_is_the_sum_of_its_parts(void **state)
{
	static const struct es_slice wanted = ES_SLICE(HEADER "\x12\x2a" KV "\x12\x17" ODD_KV
							      "\x18\x01\x20\xe8\x07");
	uint8_t out[256];
	uint8_t *end = out;

	(void)state;
	end = es_wire_head_write(end, &header);
	assert_int_equal(end - out, es_wire_head_size(&header));
	end = es_wire_range_kv_write(end, &kv);
	end = es_wire_range_kv_write(end, &odd_kv);
	end = es_wire_range_tail_write(end, true, 1000);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), wanted));
	assert_int_equal(es_wire_head_size(&header) + es_wire_range_kv_size(&kv) +
				 es_wire_range_kv_size(&odd_kv) +
				 es_wire_range_tail_size(true, 1000),
			 wanted.len);
}

static void a_header_of_zeros_is_there_but_empty(void **state)
{
	static const struct es_wire_header zeros;
	uint8_t out[16];

	(void)state;
	assert_int_equal(es_wire_head_size(&zeros), 2);
	assert_ptr_equal(es_wire_head_write(out, &zeros), out + 2);
	assert_memory_equal(out, "\x0a\x00", 2);
	assert_int_equal(es_wire_head_size(NULL), 0);
	assert_ptr_equal(es_wire_head_write(out, NULL), out);
}

static void transactions_nest_by_their_sizes(void **state)
{
	static const struct es_wire_header zeros;
	static const struct es_wire_header revision_9 = {.revision = 9};
	static const struct es_slice wanted = ES_SLICE(
		HEADER
		"\x10\x01\x1a\x06\x12\x04\x0a\x02\x18\x09\x1a\x1f\x0a\x1d\x0a\x00\x12\x17" ODD_KV
		"\x20\x01\x1a\x08\x22\x06\x0a\x00\x1a\x02\x1a\x00");
	size_t range_len = es_wire_head_size(&zeros) + es_wire_range_kv_size(&odd_kv) +
			   es_wire_range_tail_size(false, 1);
	size_t txn_len = es_wire_txn_head_size(&zeros, false) +
			 es_wire_txn_op_size(ES_WIRE_OP_DELETE, 0);
	uint8_t out[256];
	uint8_t *end;

	(void)state;
	end = es_wire_txn_head_write(out, &header, true);
	end = es_wire_txn_op_write(end, ES_WIRE_OP_PUT, es_wire_put_size(&revision_9, NULL));
	end = es_wire_put_write(end, &revision_9, NULL);
	end = es_wire_txn_op_write(end, ES_WIRE_OP_RANGE, range_len);
	end = es_wire_head_write(end, &zeros);
	end = es_wire_range_kv_write(end, &odd_kv);
	end = es_wire_range_tail_write(end, false, 1);
	end = es_wire_txn_op_write(end, ES_WIRE_OP_TXN, txn_len);
	end = es_wire_txn_head_write(end, &zeros, false);
	end = es_wire_txn_op_write(end, ES_WIRE_OP_DELETE, 0);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), wanted));
	assert_int_equal(
		es_wire_txn_head_size(&header, true) +
			es_wire_txn_op_size(ES_WIRE_OP_PUT, es_wire_put_size(&revision_9, NULL)) +
			es_wire_txn_op_size(ES_WIRE_OP_RANGE, range_len) +
			es_wire_txn_op_size(ES_WIRE_OP_TXN, txn_len),
		wanted.len);
}

static void events_are_appended_to_a_watch_answer(void **state)
{
	static const struct es_slice wanted = ES_SLICE(
		HEADER "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x01\x20\x01\x28\x07\x32"
		       "\x03why\x38\x01"
		       "\x5a\x35\x08\x01\x12\x05\x0a\x01k\x18\x08\x1a\x2a" KV
		       "\x5a\x2c\x12\x2a" KV);
	static const struct es_wire_kv tombstone = {.key = {(const uint8_t *)"k", 1},
						    .mod_revision = 8};
	const struct es_wire_watch watch = {
		.header = header,
		.watch_id = -1,
		.created = true,
		.canceled = true,
		.fragment = true,
		.compact_revision = 7,
		.cancel_reason = ES_SLICE("why"),
	};
	uint8_t out[256];
	uint8_t *end;

	(void)state;
	end = es_wire_watch_head_write(out, &watch);
	end = es_wire_event_write(end, true, &tombstone, &kv);
	end = es_wire_event_write(end, false, &kv, NULL);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), wanted));
	assert_int_equal(es_wire_watch_head_size(&watch) +
				 es_wire_event_size(true, &tombstone, &kv) +
				 es_wire_event_size(false, &kv, NULL),
			 wanted.len);
}

static void the_other_answers(void **state)
{
	static const struct es_slice put = ES_SLICE(HEADER "\x12\x2a" KV);
	static const struct es_slice deleted = ES_SLICE(HEADER "\x10\x02\x1a\x2a" KV "\x1a\x00");
	static const struct es_slice alive = ES_SLICE(
		HEADER "\x10\xd4\x8e\xb5\xd6\x97\xa8\xe0\xa6\x69\x18\x3c");
	static const struct es_wire_kv nothing;
	uint8_t out[256];
	uint8_t *end;

	(void)state;
	end = es_wire_put_write(out, &header, &kv);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), put));
	end = es_wire_delete_head_write(out, &header, 2);
	end = es_wire_delete_prev_write(end, &kv);
	end = es_wire_delete_prev_write(end, &nothing);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), deleted));
	end = es_wire_keep_alive_write(out, &header, kv.lease, 60);
	assert_true(es_slice_eq(es_slice(out, (size_t)(end - out)), alive));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_what_protobuf_c_packs),
		cmocka_unit_test(an_answer_is_the_sum_of_its_parts),
		cmocka_unit_test(a_header_of_zeros_is_there_but_empty),
		cmocka_unit_test(transactions_nest_by_their_sizes),
		cmocka_unit_test(events_are_appended_to_a_watch_answer),
		cmocka_unit_test(the_other_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
