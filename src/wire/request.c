/*
 * Decoding of the hot requests.
 *
 * Each message has a merge_x: it reads fields into a struct that may already hold some, which is
 * what protobuf asks for when the same member of a oneof comes twice. A transaction's lists are
 * counted in a first pass over its fields and filled in a second, so that they are arrays of just
 * the right size.
 *
 * Invariants:
 *   1. Every occurrence of a field is decoded, also one that a later one replaces: bytes are
 *      refused for what is in them, wherever it stands.
 *   2. Stack: a nested transaction costs three frames, and there are at most ES_WIRE_TXN_DEPTH_MAX
 *      of them.
 *   3. Memory: proportional to the input, and to what may be in it: nothing is allocated for more
 *      than ES_WIRE_TXN_ITEMS_MAX items, those included that a later field replaces. Lists that
 *      grow by merging double, so what is given up is no more than what is kept.
 */
#include "wire/request.h"

#include "base/assert.h"
#include "wire/pb.h"

static int merge_range(struct es_slice bytes, struct es_wire_range *range)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES): range->key = field.bytes; break;
		case ES_PB_KEY(2, ES_PB_BYTES): range->range_end = field.bytes; break;
		case ES_PB_KEY(3, ES_PB_VARINT): range->limit = (int64_t)field.value; break;
		case ES_PB_KEY(4, ES_PB_VARINT): range->revision = (int64_t)field.value; break;
		case ES_PB_KEY(5, ES_PB_VARINT):
			range->sort_order = (int32_t)(uint32_t)field.value;
			break;
		case ES_PB_KEY(6, ES_PB_VARINT):
			range->sort_target = (int32_t)(uint32_t)field.value;
			break;
		case ES_PB_KEY(7, ES_PB_VARINT): range->serializable = field.value != 0; break;
		case ES_PB_KEY(8, ES_PB_VARINT): range->keys_only = field.value != 0; break;
		case ES_PB_KEY(9, ES_PB_VARINT): range->count_only = field.value != 0; break;
		case ES_PB_KEY(10, ES_PB_VARINT):
			range->min_mod_revision = (int64_t)field.value;
			break;
		case ES_PB_KEY(11, ES_PB_VARINT):
			range->max_mod_revision = (int64_t)field.value;
			break;
		case ES_PB_KEY(12, ES_PB_VARINT):
			range->min_create_revision = (int64_t)field.value;
			break;
		case ES_PB_KEY(13, ES_PB_VARINT):
			range->max_create_revision = (int64_t)field.value;
			break;
		default: break;
		}
	}
	return rc;
}

static int merge_put(struct es_slice bytes, struct es_wire_put *put)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES): put->key = field.bytes; break;
		case ES_PB_KEY(2, ES_PB_BYTES): put->value = field.bytes; break;
		case ES_PB_KEY(3, ES_PB_VARINT): put->lease = (int64_t)field.value; break;
		case ES_PB_KEY(4, ES_PB_VARINT): put->prev_kv = field.value != 0; break;
		case ES_PB_KEY(5, ES_PB_VARINT): put->ignore_value = field.value != 0; break;
		case ES_PB_KEY(6, ES_PB_VARINT): put->ignore_lease = field.value != 0; break;
		default: break;
		}
	}
	return rc;
}

static int merge_delete(struct es_slice bytes, struct es_wire_delete *del)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES): del->key = field.bytes; break;
		case ES_PB_KEY(2, ES_PB_BYTES): del->range_end = field.bytes; break;
		case ES_PB_KEY(3, ES_PB_VARINT): del->prev_kv = field.value != 0; break;
		default: break;
		}
	}
	return rc;
}

int es_wire_decode_range(struct es_slice bytes, struct es_wire_range *ret_range)
{
	*ret_range = (struct es_wire_range){0};
	return merge_range(bytes, ret_range);
}

int es_wire_decode_put(struct es_slice bytes, struct es_wire_put *ret_put)
{
	*ret_put = (struct es_wire_put){0};
	return merge_put(bytes, ret_put);
}

int es_wire_decode_delete(struct es_slice bytes, struct es_wire_delete *ret_delete)
{
	*ret_delete = (struct es_wire_delete){0};
	return merge_delete(bytes, ret_delete);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static void compare_operand(struct es_wire_compare *compare, enum es_wire_operand operand,
			    int64_t number, struct es_slice value)
{
	compare->operand = operand;
	compare->number = number;
	compare->value = value;
}

static int decode_compare(struct es_slice bytes, struct es_wire_compare *ret_compare)
{
	const struct es_slice none = {NULL, 0};
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	*ret_compare = (struct es_wire_compare){0};
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_VARINT):
			ret_compare->result = (int32_t)(uint32_t)field.value;
			break;
		case ES_PB_KEY(2, ES_PB_VARINT):
			ret_compare->target = (int32_t)(uint32_t)field.value;
			break;
		case ES_PB_KEY(3, ES_PB_BYTES): ret_compare->key = field.bytes; break;
		case ES_PB_KEY(4, ES_PB_VARINT):
			compare_operand(ret_compare, ES_WIRE_OPERAND_VERSION, (int64_t)field.value,
					none);
			break;
		case ES_PB_KEY(5, ES_PB_VARINT):
			compare_operand(ret_compare, ES_WIRE_OPERAND_CREATE, (int64_t)field.value,
					none);
			break;
		case ES_PB_KEY(6, ES_PB_VARINT):
			compare_operand(ret_compare, ES_WIRE_OPERAND_MOD, (int64_t)field.value,
					none);
			break;
		case ES_PB_KEY(7, ES_PB_BYTES):
			compare_operand(ret_compare, ES_WIRE_OPERAND_VALUE, 0, field.bytes);
			break;
		case ES_PB_KEY(8, ES_PB_VARINT):
			compare_operand(ret_compare, ES_WIRE_OPERAND_LEASE, (int64_t)field.value,
					none);
			break;
		case ES_PB_KEY(64, ES_PB_BYTES): ret_compare->range_end = field.bytes; break;
		default: break;
		}
	}
	return rc;
}

/* A list that is being filled, and how long it may get before it must move. */
struct compares {
	struct es_wire_compare *items;
	size_t count;
	size_t cap;
};

struct ops {
	struct es_wire_op *items;
	size_t count;
	size_t cap;
};

/* One call of es_wire_decode_txn. */
struct decoder {
	struct es_arena *arena;
	size_t items; /* counted so far */
};

struct txn_lists {
	struct es_wire_txn *txn; /* where they end up; NULL: not there yet */
	bool has_too_many_ops;
	struct compares compares;
	struct ops success;
	struct ops failure;
};

/* `items` with room for `count + more`: as they are, or moved. NULL: no memory. */
static void *with_room(struct es_arena *arena, void *items, size_t item_bytes, size_t count,
		       size_t more, size_t *cap)
{
	void *moved;
	size_t want = count + more;

	if (want <= *cap)
		return items;
	if (want < *cap * 2)
		want = *cap * 2;
	moved = es_arena_alloc(
		arena, want * item_bytes); /* an item took two bytes of input: no overflow */
	if (moved == NULL)
		return NULL;
	if (count > 0)
		memcpy(moved, items, count * item_bytes);
	*cap = want;
	return moved;
}

static int lists_reserve(struct es_arena *arena, struct txn_lists *lists, const size_t more[3])
{
	void *items;

	if (more[0] > 0) {
		items = with_room(arena, lists->compares.items, sizeof(*lists->compares.items),
				  lists->compares.count, more[0], &lists->compares.cap);
		if (items == NULL)
			return ES_ENOMEM;
		lists->compares.items = items;
	}
	for (size_t i = 1; i <= 2; i++) {
		struct ops *ops = i == 1 ? &lists->success : &lists->failure;

		if (more[i] == 0)
			continue;
		items = with_room(arena, ops->items, sizeof(*ops->items), ops->count, more[i],
				  &ops->cap);
		if (items == NULL)
			return ES_ENOMEM;
		ops->items = items;
	}
	return 0;
}

static int merge_txn(struct es_slice bytes, struct decoder *decoder, unsigned depth,
		     int64_t ops_max, struct txn_lists *lists);

static void lists_finish(const struct txn_lists *lists, struct es_wire_txn *ret_txn)
{
	*ret_txn = (struct es_wire_txn){
		.has_too_many_ops = lists->has_too_many_ops,
		.compare_count = lists->compares.count,
		.compares = lists->compares.items,
		.success_count = lists->success.count,
		.success = lists->success.items,
		.failure_count = lists->failure.count,
		.failure = lists->failure.items,
	};
}

/* `lists` begins empty and is for this operation alone. */
static int merge_op_txn(struct es_slice bytes, struct decoder *decoder, unsigned depth,
			int64_t ops_max, struct es_wire_op *op, struct txn_lists *lists)
{
	struct es_wire_txn *txn = lists->txn;
	int rc;

	if (txn == NULL)
		txn = es_arena_alloc(decoder->arena, sizeof(*txn));
	if (txn == NULL)
		return ES_ENOMEM;
	if (op->kind != ES_WIRE_OP_TXN)
		*lists = (struct txn_lists){.txn = txn};
	rc = merge_txn(bytes, decoder, depth, ops_max, lists);
	if (rc < 0)
		return rc;
	lists_finish(lists, txn);
	op->u.txn = txn;
	return 0;
}

/* `ops_max` is for a transaction inside. */
static int decode_op(struct es_slice bytes, struct decoder *decoder, unsigned depth,
		     int64_t ops_max, struct es_wire_op *ret_op)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	struct txn_lists lists = {0};
	int rc;

	ret_op->kind = ES_WIRE_OP_NONE;
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(ES_WIRE_OP_RANGE, ES_PB_BYTES):
			if (ret_op->kind != ES_WIRE_OP_RANGE)
				ret_op->u.range = (struct es_wire_range){0};
			rc = merge_range(field.bytes, &ret_op->u.range);
			break;
		case ES_PB_KEY(ES_WIRE_OP_PUT, ES_PB_BYTES):
			if (ret_op->kind != ES_WIRE_OP_PUT)
				ret_op->u.put = (struct es_wire_put){0};
			rc = merge_put(field.bytes, &ret_op->u.put);
			break;
		case ES_PB_KEY(ES_WIRE_OP_DELETE, ES_PB_BYTES):
			if (ret_op->kind != ES_WIRE_OP_DELETE)
				ret_op->u.del = (struct es_wire_delete){0};
			rc = merge_delete(field.bytes, &ret_op->u.del);
			break;
		case ES_PB_KEY(ES_WIRE_OP_TXN, ES_PB_BYTES):
			rc = merge_op_txn(field.bytes, decoder, depth + 1, ops_max, ret_op, &lists);
			break;
		default: continue;
		}
		if (rc < 0)
			return rc;
		ret_op->kind = (enum es_wire_op_kind)(field.key >> 3);
	}
	return rc;
}

/* How many of each of a transaction's three lists. */
static int txn_count(struct es_slice bytes, size_t ret_counts[3])
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	while ((rc = es_pb_next(&reader, &field)) > 0)
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES):
		case ES_PB_KEY(2, ES_PB_BYTES):
		case ES_PB_KEY(3, ES_PB_BYTES): ret_counts[(field.key >> 3) - 1]++; break;
		default: break;
		}
	return rc;
}

/* Room for that many more of each, or has_too_many_ops; *ops_left for the transactions inside. */
static int admit(struct decoder *decoder, struct txn_lists *lists, const size_t more[3],
		 int64_t *ops_left)
{
	const size_t counts[3] = {lists->compares.count + more[0], lists->success.count + more[1],
				  lists->failure.count + more[2]};
	size_t longest = 0;

	for (size_t i = 0; i < ES_ARRAY_LEN(counts); i++) {
		if (counts[i] > longest)
			longest = counts[i];
		decoder->items += more[i];
	}
	*ops_left -= (int64_t)longest;
	if (*ops_left < 0) {
		*lists = (struct txn_lists){.txn = lists->txn, .has_too_many_ops = true};
		return 0;
	}
	if (decoder->items > ES_WIRE_TXN_ITEMS_MAX)
		return ES_ETOO_MANY_OPS;
	return lists_reserve(decoder->arena, lists, more);
}

static int merge_txn(struct es_slice bytes, struct decoder *decoder, unsigned depth,
		     int64_t ops_max, struct txn_lists *lists)
{
	size_t counts[3] = {0, 0, 0};
	int64_t ops_left = ops_max;
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	if (depth > ES_WIRE_TXN_DEPTH_MAX)
		return ES_EDECODE;
	rc = txn_count(bytes, counts);
	if (rc < 0)
		return rc;
	if (!lists->has_too_many_ops)
		rc = admit(decoder, lists, counts, &ops_left);
	if (rc < 0 || lists->has_too_many_ops)
		return rc;
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES):
			ES_ASSERT(lists->compares.count < lists->compares.cap);
			rc = decode_compare(field.bytes,
					    &lists->compares.items[lists->compares.count++]);
			break;
		case ES_PB_KEY(2, ES_PB_BYTES):
			ES_ASSERT(lists->success.count < lists->success.cap);
			rc = decode_op(field.bytes, decoder, depth, ops_left,
				       &lists->success.items[lists->success.count++]);
			break;
		case ES_PB_KEY(3, ES_PB_BYTES):
			ES_ASSERT(lists->failure.count < lists->failure.cap);
			rc = decode_op(field.bytes, decoder, depth, ops_left,
				       &lists->failure.items[lists->failure.count++]);
			break;
		default: break;
		}
		if (rc < 0)
			return rc;
	}
	return rc;
}

int es_wire_decode_txn(struct es_slice bytes, uint32_t ops_max, struct es_arena *arena,
		       struct es_wire_txn *ret_txn)
{
	struct decoder decoder = {.arena = arena};
	struct txn_lists lists = {0};
	int rc = merge_txn(bytes, &decoder, 1, ops_max, &lists);

	if (rc < 0)
		return rc;
	if (lists.has_too_many_ops)
		return ES_ETOO_MANY_OPS;
	lists_finish(&lists, ret_txn);
	return 0;
}

static enum es_wire_operand operand_of(int32_t target)
{
	static const enum es_wire_operand operands[] = {
		ES_WIRE_OPERAND_VERSION, ES_WIRE_OPERAND_CREATE, ES_WIRE_OPERAND_MOD,
		ES_WIRE_OPERAND_VALUE,   ES_WIRE_OPERAND_LEASE,
	};

	return target >= 0 && (size_t)target < ES_ARRAY_LEN(operands) ? operands[target]
								      : ES_WIRE_OPERAND_NONE;
}

int64_t es_wire_compare_number(const struct es_wire_compare *compare)
{
	return compare->operand == operand_of(compare->target) ? compare->number : 0;
}

struct es_slice es_wire_compare_value(const struct es_wire_compare *compare)
{
	return compare->operand == operand_of(compare->target) ? compare->value
							       : (struct es_slice){NULL, 0};
}
