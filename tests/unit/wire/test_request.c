#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "mutate.h"
#include "random_message.h"
#include "wire/allocator.h"
#include "wire/pb.h"
#include "wire/request.h"
#include "wire/rpc.pb-c.h"

/* ---- what protobuf-c makes of it ------------------------------------------------------------- */

static bool bytes_eq(struct es_slice ours, ProtobufCBinaryData theirs)
{
	return es_slice_eq(ours, es_slice(theirs.data, theirs.len));
}

static bool range_eq(const struct es_wire_range *a, const Etcdserverpb__RangeRequest *b)
{
	return bytes_eq(a->key, b->key) && bytes_eq(a->range_end, b->range_end) &&
	       a->limit == b->limit && a->revision == b->revision &&
	       a->sort_order == (int32_t)b->sort_order &&
	       a->sort_target == (int32_t)b->sort_target &&
	       a->serializable == (b->serializable != 0) && a->keys_only == (b->keys_only != 0) &&
	       a->count_only == (b->count_only != 0) &&
	       a->min_mod_revision == b->min_mod_revision &&
	       a->max_mod_revision == b->max_mod_revision &&
	       a->min_create_revision == b->min_create_revision &&
	       a->max_create_revision == b->max_create_revision;
}

static bool put_eq(const struct es_wire_put *a, const Etcdserverpb__PutRequest *b)
{
	return bytes_eq(a->key, b->key) && bytes_eq(a->value, b->value) && a->lease == b->lease &&
	       a->prev_kv == (b->prev_kv != 0) && a->ignore_value == (b->ignore_value != 0) &&
	       a->ignore_lease == (b->ignore_lease != 0);
}

static bool delete_eq(const struct es_wire_delete *a, const Etcdserverpb__DeleteRangeRequest *b)
{
	return bytes_eq(a->key, b->key) && bytes_eq(a->range_end, b->range_end) &&
	       a->prev_kv == (b->prev_kv != 0);
}

static bool operand_eq(const struct es_wire_compare *a, const Etcdserverpb__Compare *b)
{
	switch (b->target_union_case) {
	case ETCDSERVERPB__COMPARE__TARGET_UNION_VERSION:
		return a->operand == ES_WIRE_OPERAND_VERSION && a->number == b->version;
	case ETCDSERVERPB__COMPARE__TARGET_UNION_CREATE_REVISION:
		return a->operand == ES_WIRE_OPERAND_CREATE && a->number == b->create_revision;
	case ETCDSERVERPB__COMPARE__TARGET_UNION_MOD_REVISION:
		return a->operand == ES_WIRE_OPERAND_MOD && a->number == b->mod_revision;
	case ETCDSERVERPB__COMPARE__TARGET_UNION_LEASE:
		return a->operand == ES_WIRE_OPERAND_LEASE && a->number == b->lease;
	case ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE:
		return a->operand == ES_WIRE_OPERAND_VALUE && a->number == 0 &&
		       bytes_eq(a->value, b->value);
	default: return a->operand == ES_WIRE_OPERAND_NONE && a->number == 0 && a->value.len == 0;
	}
}

static bool compare_eq(const struct es_wire_compare *a, const Etcdserverpb__Compare *b)
{
	return a->result == (int32_t)b->result && a->target == (int32_t)b->target &&
	       bytes_eq(a->key, b->key) && bytes_eq(a->range_end, b->range_end) && operand_eq(a, b);
}

static bool txn_eq(const struct es_wire_txn *a, const Etcdserverpb__TxnRequest *b);

static bool op_eq(const struct es_wire_op *a, const Etcdserverpb__RequestOp *b)
{
	if ((int)a->kind != (int)b->request_case)
		return false;
	switch (a->kind) {
	case ES_WIRE_OP_RANGE: return range_eq(&a->u.range, b->request_range);
	case ES_WIRE_OP_PUT: return put_eq(&a->u.put, b->request_put);
	case ES_WIRE_OP_DELETE: return delete_eq(&a->u.del, b->request_delete_range);
	case ES_WIRE_OP_TXN: return txn_eq(a->u.txn, b->request_txn);
	default: return true;
	}
}

static bool ops_eq(size_t count, const struct es_wire_op *a, size_t n, Etcdserverpb__RequestOp **b)
{
	if (count != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!op_eq(&a[i], b[i]))
			return false;
	return true;
}

static bool txn_eq(const struct es_wire_txn *a, const Etcdserverpb__TxnRequest *b)
{
	if (a->compare_count != b->n_compare)
		return false;
	for (size_t i = 0; i < b->n_compare; i++)
		if (!compare_eq(&a->compares[i], b->compare[i]))
			return false;
	return ops_eq(a->success_count, a->success, b->n_success, b->success) &&
	       ops_eq(a->failure_count, a->failure, b->n_failure, b->failure);
}

/* ---- random and damaged messages ------------------------------------------------------------- */

static const ProtobufCMessageDescriptor *const types[] = {
	&etcdserverpb__range_request__descriptor,
	&etcdserverpb__put_request__descriptor,
	&etcdserverpb__delete_range_request__descriptor,
	&etcdserverpb__txn_request__descriptor,
};

/* Decode and, when both took it, compare. Returns our status; *ret_agree: the other decoder came to
 * the same. */
static int decode_both(size_t type, struct es_slice bytes, struct es_arena *arena, bool *ret_agree)
{
	ProtobufCAllocator allocator = es_wire_allocator(arena);
	ProtobufCMessage *theirs = protobuf_c_message_unpack(types[type], &allocator, bytes.len,
							     bytes.data);
	union {
		struct es_wire_range range;
		struct es_wire_put put;
		struct es_wire_delete del;
		struct es_wire_txn txn;
	} ours;
	bool equal = false;
	int rc;

	switch (type) {
	case 0:
		rc = es_wire_decode_range(bytes, &ours.range);
		equal = rc == 0 && theirs != NULL &&
			range_eq(&ours.range, (Etcdserverpb__RangeRequest *)theirs);
		break;
	case 1:
		rc = es_wire_decode_put(bytes, &ours.put);
		equal = rc == 0 && theirs != NULL &&
			put_eq(&ours.put, (Etcdserverpb__PutRequest *)theirs);
		break;
	case 2:
		rc = es_wire_decode_delete(bytes, &ours.del);
		equal = rc == 0 && theirs != NULL &&
			delete_eq(&ours.del, (Etcdserverpb__DeleteRangeRequest *)theirs);
		break;
	default:
		rc = es_wire_decode_txn(bytes, UINT32_MAX, arena, &ours.txn);
		equal = rc == 0 && theirs != NULL &&
			txn_eq(&ours.txn, (Etcdserverpb__TxnRequest *)theirs);
		break;
	}
	*ret_agree = rc == 0 ? equal : theirs == NULL;
	return rc;
}

/* A varint as it comes; how many bytes it has, 0 when it has no end. */
static size_t raw_varint(struct es_slice bytes, uint64_t *ret_value)
{
	*ret_value = 0;
	for (size_t i = 0; i < bytes.len && i < 10; i++) {
		*ret_value |= (uint64_t)(bytes.data[i] & 0x7f) << (7 * i);
		if (bytes.data[i] < 0x80)
			return i + 1;
	}
	return 0;
}

static struct es_slice after(struct es_slice bytes, size_t n)
{
	return es_slice(bytes.data + n, bytes.len - n);
}

static bool is_off_standard(struct es_slice bytes, const ProtobufCMessageDescriptor *type);

/* The same for one field, its key taken off. *ret_len: how long its value is; 0: it has no end. */
static bool field_is_off_standard(struct es_slice bytes, const ProtobufCFieldDescriptor *field,
				  unsigned wire, size_t *ret_len)
{
	uint64_t value;
	size_t n;

	*ret_len = 0;
	switch (wire) {
	case ES_PB_VARINT:
		*ret_len = raw_varint(bytes, &value);
		return *ret_len == 10 &&
		       bytes.data[9] > 1; /* beyond 64 bits: cut off there, refused here */
	case ES_PB_FIXED64:
	case ES_PB_FIXED32: *ret_len = wire == ES_PB_FIXED64 ? 8 : 4; return false;
	case ES_PB_BYTES:
		n = raw_varint(bytes, &value);
		if (n > 5) /* more bytes than a length needs: refused there */
			return true;
		if (n == 0 || value > bytes.len - n)
			return false;
		*ret_len = n + value;
		return field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE &&
		       is_off_standard(es_slice(bytes.data + n, value), field->descriptor);
	default: /* a group (refused there), or no encoding at all (refused by both) */ return true;
	}
}

/*
 * Has the input something that protobuf-c takes otherwise than protobuf prescribes, so that we may
 * differ? Besides what is said above: a known number in another encoding (refused there, unknown
 * here), the same message of a oneof twice (replaced there, merged here).
 */
static bool is_off_standard(struct es_slice bytes, const ProtobufCMessageDescriptor *type)
{
	bool oneof_seen = false;

	while (bytes.len > 0) {
		uint64_t key;
		size_t len;
		size_t n = raw_varint(bytes, &key);
		const ProtobufCFieldDescriptor *field;
		unsigned wire = (unsigned)key & 7;

		if (n == 0)
			return bytes.len >
			       5; /* there a key ends after five bytes, whatever the fifth is */
		if (n > 5 || key >> 3 == 0 || key >> 3 > ES_PB_NUMBER_MAX)
			return true;
		field = protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3));
		if (field != NULL) {
			bool is_bytes = field->type == PROTOBUF_C_TYPE_BYTES ||
					field->type == PROTOBUF_C_TYPE_MESSAGE;

			if (wire != (is_bytes ? ES_PB_BYTES : ES_PB_VARINT))
				return true;
			if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
				if (oneof_seen)
					return true;
				oneof_seen = true;
			}
		}
		bytes = after(bytes, n);
		if (field_is_off_standard(bytes, field, wire, &len))
			return true;
		if (len == 0 || len > bytes.len)
			return false; /* cut short: refused by both */
		bytes = after(bytes, len);
	}
	return false;
}

static void valid_requests_decode_as_protobuf_c_decodes_them(void **state)
{
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 1);
	for (int i = 0; i < 3000; i++) {
		size_t type = (size_t)i % ES_ARRAY_LEN(types);
		struct es_arena arena;
		bool agree;

		es_arena_init(&arena, es_mem_default(), 16384);
		assert_int_equal(
			decode_both(type,
				    packed(&arena, random_message(&rng, &arena, types[type], 6)),
				    &arena, &agree),
			0);
		assert_true(agree);
		es_arena_close(&arena);
	}
}

static void damaged_requests_decode_as_protobuf_c_decodes_them(void **state)
{
	int counts[2][2] = {{0}}; /* [taken][off standard] */

	(void)state;
	for (uint64_t seed = 0; seed < 20000; seed++) {
		size_t type = (size_t)(seed % ES_ARRAY_LEN(types));
		struct es_arena arena;
		struct es_slice bytes;
		struct es_rng rng;
		uint8_t *damaged;
		size_t len;
		bool agree;
		int rc;

		es_rng_init(&rng, seed);
		es_arena_init(&arena, es_mem_default(), 16384);
		bytes = packed(&arena, random_message(&rng, &arena, types[type], 4));
		len = bytes.len;
		damaged = malloc(len +
				 64); /* a block of its own, so that reading past it is seen */
		assert_non_null(damaged);
		if (len > 0)
			memcpy(damaged, bytes.data, len);
		mutate(&rng, damaged, &len, len + 64);
		rc = decode_both(type, es_slice(damaged, len), &arena, &agree);
		if (!agree && !is_off_standard(es_slice(damaged, len), types[type]))
			fail_msg("seed %llu", (unsigned long long)seed);
		counts[rc == 0][!agree]++;
		free(damaged);
		es_arena_close(&arena);
	}
	assert_true(counts[0][0] > 1000);
	assert_true(counts[1][0] > 1000);
}

/* ---- single rules ---------------------------------------------------------------------------- */

static struct es_wire_txn decode(struct es_arena *arena, struct es_slice bytes)
{
	struct es_wire_txn txn;

	assert_int_equal(es_wire_decode_txn(bytes, UINT32_MAX, arena, &txn), 0);
	return txn;
}

static void the_last_value_counts(void **state)
{
	struct es_wire_put put;

	(void)state;
	assert_int_equal(es_wire_decode_put(ES_SLICE("\x18\x05\x0a\x01"
						     "a\x0a\x01"
						     "b\x18\x00\x20\x02\x12\x00"),
					    &put),
			 0);
	assert_true(es_slice_eq(put.key, ES_SLICE("b")));
	assert_true(put.lease == 0);
	assert_true(put.prev_kv); /* any number but 0 */
	assert_int_equal(put.value.len, 0);
}

static void another_encoding_is_an_unknown_field(void **state)
{
	struct es_wire_put put;
	struct es_wire_txn txn;
	struct es_arena arena;

	(void)state;
	/* The lease as bytes and as a group, the key as a number; field 100. */
	assert_int_equal(
		es_wire_decode_put(ES_SLICE("\x1a\x01\x07\x1b\x08\x01\x1c\x08\x07\xa2\x06\x01x"),
				   &put),
		0);
	assert_int_equal(put.key.len, 0);
	assert_true(put.lease == 0);
	es_arena_init(&arena, es_mem_default(), 1024);
	txn = decode(&arena, ES_SLICE("\x08\x01\x10\x01\x18\x01"));
	assert_int_equal(txn.compare_count + txn.success_count + txn.failure_count, 0);
	es_arena_close(&arena);
}

static void of_a_oneof_the_last_member_counts(void **state)
{
	struct es_arena arena;
	struct es_wire_txn txn;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 1024);
	/* success: a put of "a", then a delete of "b"; a compare with a value, then with a
	 * version. */
	txn = decode(&arena, ES_SLICE("\x12\x0a\x12\x03\x0a\x01"
				      "a\x1a\x03\x0a\x01"
				      "b"
				      "\x0a\x05\x3a\x01"
				      "v\x20\x03"));
	assert_int_equal(txn.success_count, 1);
	assert_int_equal(txn.success[0].kind, ES_WIRE_OP_DELETE);
	assert_true(es_slice_eq(txn.success[0].u.del.key, ES_SLICE("b")));
	assert_int_equal(txn.compare_count, 1);
	assert_int_equal(txn.compares[0].operand, ES_WIRE_OPERAND_VERSION);
	assert_true(txn.compares[0].number == 3);
	assert_int_equal(txn.compares[0].value.len, 0);
	/* A replaced member must be well-formed all the same. */
	assert_int_equal(es_wire_decode_txn(ES_SLICE("\x12\x09\x12\x02\x0a\x01\x1a\x03\x0a\x01"
						     "b"),
					    UINT32_MAX, &arena, &txn),
			 ES_EDECODE);
	es_arena_close(&arena);
}

static void the_same_member_of_a_oneof_twice_is_merged(void **state)
{
	struct es_arena arena;
	struct es_wire_txn txn;
	const struct es_wire_txn *inner;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 1024);
	txn = decode(&arena, ES_SLICE("\x12\x0a\x12\x03\x0a\x01"
				      "a\x12\x03\x12\x01"
				      "v"));
	assert_int_equal(txn.success[0].kind, ES_WIRE_OP_PUT);
	assert_true(es_slice_eq(txn.success[0].u.put.key, ES_SLICE("a")));
	assert_true(es_slice_eq(txn.success[0].u.put.value, ES_SLICE("v")));
	/* Unless another came between. */
	txn = decode(&arena, ES_SLICE("\x12\x0c\x12\x03\x0a\x01"
				      "a\x0a\x00\x12\x03\x12\x01"
				      "v"));
	assert_int_equal(txn.success[0].u.put.key.len, 0);
	/* Of transactions the lists go on: compares with versions 1, 2 and 3, then two
	 * operations. */
	txn = decode(&arena, ES_SLICE("\x12\x18\x22\x04\x0a\x02\x20\x01"
				      "\x22\x08\x0a\x02\x20\x02\x0a\x02\x20\x03"
				      "\x22\x06\x12\x02\x12\x00\x1a\x00"));
	assert_int_equal(txn.success[0].kind, ES_WIRE_OP_TXN);
	inner = txn.success[0].u.txn;
	assert_int_equal(inner->compare_count, 3);
	for (int64_t i = 0; i < 3; i++)
		assert_true(inner->compares[i].number == i + 1);
	assert_int_equal(inner->success_count, 1);
	assert_int_equal(inner->success[0].kind, ES_WIRE_OP_PUT);
	assert_int_equal(inner->failure_count, 1);
	assert_int_equal(inner->failure[0].kind, ES_WIRE_OP_NONE);
	es_arena_close(&arena);
}

static void merging_takes_memory_in_proportion(void **state)
{
	enum { TXNS = 60000 };
	static uint8_t bytes[TXNS * 4 + 16];
	uint8_t *end = es_pb_write_len(bytes, 2, TXNS * 4);
	struct es_fault_mem counted;
	struct es_arena arena;
	struct es_wire_txn txn;

	(void)state;
	for (int i = 0; i < TXNS; i++, end += 4)
		memcpy(end, "\x22\x02\x0a\x00", 4);
	es_fault_mem_init(&counted,
			  100); /* allocations of growing size: far fewer than there are compares */
	es_arena_init(&arena, &counted.mem, 1024);
	txn = decode(&arena, es_slice(bytes, (size_t)(end - bytes)));
	assert_int_equal(txn.success[0].u.txn->compare_count, TXNS);
	assert_false(counted.fired);
	es_arena_close(&arena);
	assert_int_equal(counted.live, 0);
}

/* `depth` transactions, each the only operation of the one around it. */
static struct es_slice nested(unsigned depth, uint8_t *space, size_t size)
{
	uint8_t *start = space + size;

	for (unsigned i = 1; i < depth; i++) {
		uint8_t head[16];
		size_t len = (size_t)(space + size - start);
		uint8_t *end = es_pb_write_len(head, 2, es_pb_len_size(4, len));

		end = es_pb_write_len(end, 4, len);
		start -= end - head;
		memcpy(start, head, (size_t)(end - head));
	}
	return es_slice(start, (size_t)(space + size - start));
}

static void transactions_nest_to_a_limit(void **state)
{
	uint8_t space[4096];
	struct es_arena arena;
	struct es_wire_txn txn;
	const struct es_wire_txn *at = &txn;
	unsigned depth = 1;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	txn = decode(&arena, nested(ES_WIRE_TXN_DEPTH_MAX, space, sizeof(space)));
	for (; at->success_count > 0; depth++)
		at = at->success[0].u.txn;
	assert_int_equal(depth, ES_WIRE_TXN_DEPTH_MAX);
	assert_int_equal(es_wire_decode_txn(nested(ES_WIRE_TXN_DEPTH_MAX + 1, space, sizeof(space)),
					    UINT32_MAX, &arena, &txn),
			 ES_EDECODE);
	es_arena_close(&arena);
}

/* How many nested transactions have too many operations; none of what they hold is there. */
static int too_large_ones(const struct es_wire_txn *txn)
{
	int count = txn->has_too_many_ops;

	if (count > 0)
		assert_int_equal(txn->compare_count + txn->success_count + txn->failure_count, 0);
	for (size_t i = 0; i < txn->success_count; i++) {
		if (txn->success[i].kind == ES_WIRE_OP_TXN)
			count += too_large_ones(txn->success[i].u.txn);
	}
	for (size_t i = 0; i < txn->failure_count; i++) {
		if (txn->failure[i].kind == ES_WIRE_OP_TXN)
			count += too_large_ones(txn->failure[i].u.txn);
	}
	return count;
}

/* What the decoder says, or too_large_ones(). */
static int decode_up_to(struct es_slice bytes, uint32_t ops_max)
{
	struct es_arena arena;
	struct es_wire_txn txn;
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	rc = es_wire_decode_txn(bytes, ops_max, &arena, &txn);
	if (rc == 0)
		rc = too_large_ones(&txn);
	es_arena_close(&arena);
	return rc;
}

static void a_level_has_what_the_ones_above_leave(void **state)
{
	/* Two compares; one put; the failure branch nests one with two ranges. */
	const struct es_slice bytes = ES_SLICE("\x0a\x00\x0a\x00\x12\x02\x12\x00"
					       "\x1a\x0a\x22\x08\x12\x02\x0a\x00\x12\x02\x0a\x00");
	uint8_t space[1024];

	(void)state;
	assert_int_equal(decode_up_to(bytes, 4), 0);
	assert_int_equal(decode_up_to(bytes, 3), 1);
	assert_int_equal(decode_up_to(bytes, 1), ES_ETOO_MANY_OPS);
	assert_int_equal(decode_up_to(es_slice(NULL, 0), 0), 0);
	/* The innermost has no operation of its own. */
	assert_int_equal(decode_up_to(nested(129, space, sizeof(space)), 128), 0);
	assert_int_equal(decode_up_to(nested(130, space, sizeof(space)), 128), 1);
	/* Sent in two parts, of which the first alone is too large, and then as something else. */
	assert_int_equal(
		decode_up_to(ES_SLICE("\x12\x0a\x22\x04\x12\x00\x12\x00\x22\x02\x12\x00"), 2), 1);
	assert_int_equal(decode_up_to(ES_SLICE("\x12\x08\x22\x04\x12\x00\x12\x00\x0a\x00"), 2), 0);
	/* Before a look at what is in the lists. */
	assert_int_equal(decode_up_to(ES_SLICE("\x12\x01\xff\x12\x00"), 1), ES_ETOO_MANY_OPS);
	assert_int_equal(decode_up_to(ES_SLICE("\x12\x01\xff\x12\x00"), 2), ES_EDECODE);
}

/* `count` empty operations and as many compares, in a nested transaction. */
static struct es_slice many(size_t count, uint8_t *space)
{
	uint8_t *at = space + 16;
	uint8_t *end = at;
	uint32_t inner = (uint32_t)(4 * count);

	for (size_t i = 0; i < count; i++) {
		memcpy(end, "\x0a\x00\x12\x00", 4);
		end += 4;
	}
	for (uint8_t key = 0x22;; key = 0x12) {
		at -= 4;
		at[0] = key;
		at[1] = (uint8_t)(inner | 0x80);
		at[2] = (uint8_t)(inner >> 7 | 0x80);
		at[3] = (uint8_t)(inner >> 14);
		inner += 4;
		if (key == 0x12)
			return es_slice(at, (size_t)(end - at));
	}
}

static void all_levels_together_have_a_limit(void **state)
{
	static uint8_t space[ES_WIRE_TXN_ITEMS_MAX * 2 + 64];
	size_t half = ES_WIRE_TXN_ITEMS_MAX / 2;

	(void)state;
	/* One item is the outer operation. */
	assert_int_equal(decode_up_to(many(half - 1, space), UINT32_MAX), 0);
	assert_int_equal(decode_up_to(many(half, space), UINT32_MAX), ES_ETOO_MANY_OPS);
}

static void an_operand_counts_only_for_its_target(void **state)
{
	struct es_wire_compare compare = {.operand = ES_WIRE_OPERAND_MOD, .number = 7};

	(void)state;
	for (compare.target = -1; compare.target <= 5; compare.target++)
		assert_int_equal(es_wire_compare_number(&compare), compare.target == 2 ? 7 : 0);
	compare = (struct es_wire_compare){.operand = ES_WIRE_OPERAND_VALUE,
					   .value = ES_SLICE("v")};
	for (compare.target = -1; compare.target <= 5; compare.target++)
		assert_int_equal(es_wire_compare_value(&compare).len, compare.target == 3 ? 1 : 0);
	compare = (struct es_wire_compare){.target = 3};
	assert_int_equal(es_wire_compare_value(&compare).len, 0);
}

static void running_out_of_memory_is_told_from_bad_input(void **state)
{
	uint8_t space[256];
	struct es_slice bytes = nested(20, space, sizeof(space));

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_wire_txn txn;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 1); /* each allocation for itself */
		rc = es_wire_decode_txn(bytes, UINT32_MAX, &arena, &txn);
		es_arena_close(&arena);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired) {
			assert_int_equal(n, 19 * 2); /* a list and what is in it, at each level */
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_requests_decode_as_protobuf_c_decodes_them),
		cmocka_unit_test(damaged_requests_decode_as_protobuf_c_decodes_them),
		cmocka_unit_test(the_last_value_counts),
		cmocka_unit_test(another_encoding_is_an_unknown_field),
		cmocka_unit_test(of_a_oneof_the_last_member_counts),
		cmocka_unit_test(the_same_member_of_a_oneof_twice_is_merged),
		cmocka_unit_test(merging_takes_memory_in_proportion),
		cmocka_unit_test(transactions_nest_to_a_limit),
		cmocka_unit_test(a_level_has_what_the_ones_above_leave),
		cmocka_unit_test(all_levels_together_have_a_limit),
		cmocka_unit_test(an_operand_counts_only_for_its_target),
		cmocka_unit_test(running_out_of_memory_is_told_from_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
