#include "engine/command.h"

#include "wire/request.h"

/* Kind and origin. */
#define COMMAND_HEAD_BYTES 9

int es_command_decode(struct es_slice bytes, struct es_command *ret_command)
{
	struct es_reader reader = es_reader(bytes);
	uint8_t kind = es_read_u8(&reader);
	uint64_t origin = es_read_u64le(&reader);

	if (reader.failed || kind < ES_COMMAND_PUT || kind > ES_COMMAND_RESOURCE)
		return ES_ECORRUPT;
	*ret_command = (struct es_command){(enum es_command_kind)kind, origin, reader.rest};
	return 0;
}

int es_command_encode(struct es_buf *buf, enum es_command_kind kind, uint64_t origin,
		      struct es_slice body)
{
	size_t before = buf->len;
	int rc = es_buf_reserve(buf, COMMAND_HEAD_BYTES);

	if (rc < 0)
		return rc;
	buf->data[buf->len] = (uint8_t)kind;
	es_store_u64le(buf->data + buf->len + 1, origin);
	buf->len += COMMAND_HEAD_BYTES;
	rc = es_buf_append_slice(buf, body);
	if (rc < 0)
		buf->len = before;
	return rc;
}

struct es_mvcc_range_req es_command_range_from_wire(const struct es_wire_range *in)
{
	return (struct es_mvcc_range_req){
		.range = {in->key, in->range_end},
		.limit = in->limit,
		.revision = in->revision,
		.sort_order = in->sort_order,
		.sort_target = in->sort_target,
		.keys_only = in->keys_only,
		.count_only = in->count_only,
		.min_mod_revision = in->min_mod_revision,
		.max_mod_revision = in->max_mod_revision,
		.min_create_revision = in->min_create_revision,
		.max_create_revision = in->max_create_revision,
	};
}

static struct es_mvcc_put put_from_wire(const struct es_wire_put *in)
{
	return (struct es_mvcc_put){in->key,     in->value,        in->lease,
				    in->prev_kv, in->ignore_value, in->ignore_lease};
}

static struct es_mvcc_delete delete_from_wire(const struct es_wire_delete *in)
{
	return (struct es_mvcc_delete){{in->key, in->range_end}, in->prev_kv};
}

static int ops_from_wire(const struct es_wire_op *in, size_t count, struct es_arena *arena,
			 const struct es_mvcc_op **ret_ops)
{
	struct es_mvcc_op *ops = es_arena_calloc(arena, count, sizeof(*ops));
	int rc;

	if (ops == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		switch (in[i].kind) {
		case ES_WIRE_OP_NONE: return ES_EKEY_NOT_FOUND;
		case ES_WIRE_OP_RANGE:
			ops[i].kind = ES_MVCC_OP_RANGE;
			ops[i].u.range = es_command_range_from_wire(&in[i].u.range);
			break;
		case ES_WIRE_OP_PUT:
			ops[i].kind = ES_MVCC_OP_PUT;
			ops[i].u.put = put_from_wire(&in[i].u.put);
			break;
		case ES_WIRE_OP_DELETE:
			ops[i].kind = ES_MVCC_OP_DELETE;
			ops[i].u.del = delete_from_wire(&in[i].u.del);
			break;
		case ES_WIRE_OP_TXN:
			ops[i].kind = ES_MVCC_OP_TXN;
			rc = es_command_txn_from_wire(in[i].u.txn, arena, &ops[i].u.txn);
			if (rc < 0)
				return rc;
			break;
		}
	}
	*ret_ops = ops;
	return 0;
}

int es_command_txn_from_wire(const struct es_wire_txn *in, struct es_arena *arena,
			     const struct es_mvcc_txn **ret_txn)
{
	struct es_mvcc_txn *txn = es_arena_calloc(arena, 1, sizeof(*txn));
	struct es_mvcc_compare *compares = es_arena_calloc(arena, in->compare_count,
							   sizeof(*compares));
	int rc;

	if (txn == NULL || compares == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < in->compare_count; i++) {
		const struct es_wire_compare *compare = &in->compares[i];

		compares[i] = (struct es_mvcc_compare){
			.range = {compare->key, compare->range_end},
			.target = compare->target,
			.result = compare->result,
			.number = es_wire_compare_number(compare),
			.value = es_wire_compare_value(compare),
		};
	}
	txn->compare_count = in->compare_count;
	txn->compares = compares;
	txn->success_count = in->success_count;
	txn->failure_count = in->failure_count;
	rc = ops_from_wire(in->success, in->success_count, arena, &txn->success);
	if (rc == 0)
		rc = ops_from_wire(in->failure, in->failure_count, arena, &txn->failure);
	if (rc < 0)
		return rc;
	*ret_txn = txn;
	return 0;
}

static int txn_of_one(struct es_arena *arena, struct es_mvcc_op op,
		      const struct es_mvcc_txn **ret_txn)
{
	struct single {
		struct es_mvcc_txn txn;
		struct es_mvcc_op op;
	} *single = es_arena_calloc(arena, 1, sizeof(*single));

	if (single == NULL)
		return ES_ENOMEM;
	single->op = op;
	single->txn.success_count = 1;
	single->txn.success = &single->op;
	*ret_txn = &single->txn;
	return 0;
}

int es_command_txn_from_put(const struct es_wire_put *in, struct es_arena *arena,
			    const struct es_mvcc_txn **ret_txn)
{
	return txn_of_one(arena,
			  (struct es_mvcc_op){.kind = ES_MVCC_OP_PUT, .u.put = put_from_wire(in)},
			  ret_txn);
}

int es_command_txn_from_delete(const struct es_wire_delete *in, struct es_arena *arena,
			       const struct es_mvcc_txn **ret_txn)
{
	return txn_of_one(
		arena,
		(struct es_mvcc_op){.kind = ES_MVCC_OP_DELETE, .u.del = delete_from_wire(in)},
		ret_txn);
}

int es_command_txn(enum es_command_kind kind, struct es_slice body, struct es_arena *arena,
		   const struct es_mvcc_txn **ret_txn)
{
	union {
		struct es_wire_put put;
		struct es_wire_delete del;
		struct es_wire_txn txn;
	} wire;
	int rc;

	switch (kind) {
	case ES_COMMAND_PUT:
		rc = es_wire_decode_put(body, &wire.put);
		return rc < 0 ? rc : es_command_txn_from_put(&wire.put, arena, ret_txn);
	case ES_COMMAND_DELETE_RANGE:
		rc = es_wire_decode_delete(body, &wire.del);
		return rc < 0 ? rc : es_command_txn_from_delete(&wire.del, arena, ret_txn);
	case ES_COMMAND_TXN:
		rc = es_wire_decode_txn(body, UINT32_MAX, arena, &wire.txn);
		return rc < 0 ? rc : es_command_txn_from_wire(&wire.txn, arena, ret_txn);
	default: return ES_EDECODE;
	}
}
