#ifndef ES_WIRE_REQUEST_H
#define ES_WIRE_REQUEST_H

#include "base/mem.h"
#include "base/status.h"

/*
 * The requests that change and read keys, decoded into plain structs: from clients, and again from
 * the log when it is replayed. So decoding is a pure function of the bytes: what was accepted once
 * is accepted always, with the same result.
 *
 * Slices are borrowed from the input. A decoder accepts and rejects what Go's protobuf does:
 * unknown fields are skipped, a known number in another encoding is unknown, of a repeated scalar
 * the last counts, and of a oneof the last member counts (the same message twice in a row is
 * merged). Enum numbers are passed on as they come; what they must be is for the service to check.
 *
 * All return 0, ES_EDECODE, or (transactions only) ES_ETOO_MANY_OPS and ES_ENOMEM. After a failure *ret_x holds nothing
 * of use.
 */
struct es_wire_range {
	struct es_slice key;
	struct es_slice range_end;
	int64_t limit;
	int64_t revision;
	int32_t sort_order;
	int32_t sort_target;
	bool serializable;
	bool keys_only;
	bool count_only;
	int64_t min_mod_revision;
	int64_t max_mod_revision;
	int64_t min_create_revision;
	int64_t max_create_revision;
};

struct es_wire_put {
	struct es_slice key;
	struct es_slice value;
	int64_t lease;
	bool prev_kv;
	bool ignore_value;
	bool ignore_lease;
};

struct es_wire_delete {
	struct es_slice key;
	struct es_slice range_end;
	bool prev_kv;
};

/* The member of a Compare's target_union that was sent. etcd takes the operand only when it is the
 * one that `target` asks for; any other, and none, reads as 0 or the empty value:
 * es_wire_compare_number and es_wire_compare_value. */
enum es_wire_operand {
	ES_WIRE_OPERAND_NONE,
	ES_WIRE_OPERAND_VERSION,
	ES_WIRE_OPERAND_CREATE,
	ES_WIRE_OPERAND_MOD,
	ES_WIRE_OPERAND_VALUE,
	ES_WIRE_OPERAND_LEASE,
};

struct es_wire_compare {
	int32_t result; /* Compare.CompareResult */
	int32_t target; /* Compare.CompareTarget */
	struct es_slice key;
	struct es_slice range_end;
	enum es_wire_operand operand;
	int64_t number;        /* every operand but VALUE; else 0 */
	struct es_slice value; /* VALUE; else empty */
};

struct es_wire_txn;

/* NONE is what an empty RequestOp gives. etcd refuses it with ES_EKEY_NOT_FOUND. */
enum es_wire_op_kind {
	ES_WIRE_OP_NONE = 0,
	ES_WIRE_OP_RANGE = 1, /* as the fields of RequestOp and ResponseOp are numbered */
	ES_WIRE_OP_PUT = 2,
	ES_WIRE_OP_DELETE = 3,
	ES_WIRE_OP_TXN = 4,
};

struct es_wire_op {
	enum es_wire_op_kind kind;
	union {
		struct es_wire_range range;
		struct es_wire_put put;
		struct es_wire_delete del;
		const struct es_wire_txn *txn;
	} u;
};

struct es_wire_txn {
	bool has_too_many_ops; /* a nested one, for the `ops_max` of the decoder: all else is empty */
	size_t compare_count;
	const struct es_wire_compare *compares;
	size_t success_count;
	const struct es_wire_op *success;
	size_t failure_count;
	const struct es_wire_op *failure;
};

/* How deep transactions may be nested, the outermost counted: ES_EDECODE beyond. More than
 * --max-txn-ops lets through by default, and little enough for whoever walks the result by
 * recursion. */
#define ES_WIRE_TXN_DEPTH_MAX 256

/* How many operations and compares a transaction has at most, nested ones included: an empty one is
 * two bytes, and fifty times as much when it is decoded. */
#define ES_WIRE_TXN_ITEMS_MAX 65536

int es_wire_decode_range(struct es_slice bytes, struct es_wire_range *ret_range);
int es_wire_decode_put(struct es_slice bytes, struct es_wire_put *ret_put);
int es_wire_decode_delete(struct es_slice bytes, struct es_wire_delete *ret_delete);
/*
 * `ops_max` is how many operations the outermost transaction may have, in the longest of its three
 * lists; a nested one may have what that leaves. ES_ETOO_MANY_OPS comes before anything is looked
 * at that the lists hold. For a nested one it is no failure here but `has_too_many_ops`, for whoever
 * checks the operations in their order: etcd names the first thing that is wrong. UINT32_MAX for
 * what was accepted once: only ES_WIRE_TXN_ITEMS_MAX holds.
 *
 * Arrays and nested transactions come from the arena, which may have grown after a failure as
 * well.
 */
int es_wire_decode_txn(struct es_slice bytes, uint32_t ops_max, struct es_arena *arena,
		       struct es_wire_txn *ret_txn);

/* The operand that `compare->target` asks for. */
int64_t es_wire_compare_number(const struct es_wire_compare *compare);
struct es_slice es_wire_compare_value(const struct es_wire_compare *compare);

#endif
