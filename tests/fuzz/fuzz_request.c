/* The request decoders. The first byte says which. */
#include "base/assert.h"
#include "wire/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct es_slice whole;

/* What a decoder gives lies within what it was given. */
static void check_slice(struct es_slice slice)
{
	if (slice.len == 0)
		return;
	ES_ASSERT(slice.data >= whole.data);
	ES_ASSERT(slice.len <= whole.len);
	ES_ASSERT(slice.data <= whole.data + whole.len - slice.len);
}

static void check_range(const struct es_wire_range *range)
{
	check_slice(range->key);
	check_slice(range->range_end);
}

static void check_put(const struct es_wire_put *put)
{
	check_slice(put->key);
	check_slice(put->value);
}

static void check_delete(const struct es_wire_delete *del)
{
	check_slice(del->key);
	check_slice(del->range_end);
}

static void check_txn(const struct es_wire_txn *txn, unsigned depth);

static void check_ops(const struct es_wire_op *ops, size_t count, unsigned depth)
{
	for (size_t i = 0; i < count; i++)
		switch (ops[i].kind) {
		case ES_WIRE_OP_RANGE: check_range(&ops[i].u.range); break;
		case ES_WIRE_OP_PUT: check_put(&ops[i].u.put); break;
		case ES_WIRE_OP_DELETE: check_delete(&ops[i].u.del); break;
		case ES_WIRE_OP_TXN: check_txn(ops[i].u.txn, depth + 1); break;
		default: ES_ASSERT(ops[i].kind == ES_WIRE_OP_NONE);
		}
}

static void check_txn(const struct es_wire_txn *txn, unsigned depth)
{
	ES_ASSERT(depth <= ES_WIRE_TXN_DEPTH_MAX);
	ES_ASSERT(!txn->has_too_many_ops ||
		  txn->compare_count + txn->success_count + txn->failure_count == 0);
	for (size_t i = 0; i < txn->compare_count; i++) {
		const struct es_wire_compare *compare = &txn->compares[i];

		check_slice(compare->key);
		check_slice(compare->range_end);
		check_slice(compare->value);
		ES_ASSERT(compare->operand <= ES_WIRE_OPERAND_LEASE);
		ES_ASSERT(compare->operand == ES_WIRE_OPERAND_VALUE || compare->value.len == 0);
	}
	check_ops(txn->success, txn->success_count, depth);
	check_ops(txn->failure, txn->failure_count, depth);
}

static void decode_txn(struct es_slice bytes)
{
	struct es_arena arena;
	struct es_wire_txn txn;
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	rc = es_wire_decode_txn(bytes, UINT32_MAX, &arena, &txn);
	if (rc == 0)
		check_txn(&txn, 1);
	else
		ES_ASSERT(rc == ES_EDECODE || rc == ES_ETOO_MANY_OPS);
	rc = es_wire_decode_txn(bytes, 2, &arena, &txn);
	if (rc == 0)
		check_txn(&txn, 1);
	else
		ES_ASSERT(rc == ES_EDECODE || rc == ES_ETOO_MANY_OPS);
	es_arena_close(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_wire_range range;
	struct es_wire_put put;
	struct es_wire_delete del;

	if (size == 0)
		return 0;
	whole = es_slice(data + 1, size - 1);
	switch (data[0] & 3) {
	case 0:
		if (es_wire_decode_range(whole, &range) == 0)
			check_range(&range);
		break;
	case 1:
		if (es_wire_decode_put(whole, &put) == 0)
			check_put(&put);
		break;
	case 2:
		if (es_wire_decode_delete(whole, &del) == 0)
			check_delete(&del);
		break;
	default: decode_txn(whole);
	}
	return 0;
}
