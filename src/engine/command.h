#ifndef ES_ENGINE_COMMAND_H
#define ES_ENGINE_COMMAND_H

#include "base/buf.h"
#include "base/queue.h"
#include "mvcc/mvcc.h"

/*
 * Commands: what the log holds (docs/formats/log-entry.md). A command is one kind byte, eight bytes
 * of origin (who proposed it: member and sequence, so that later issues can forward with
 * exactly-once effect), and a body. Key-value commands carry the client's protobuf request as it
 * came: it is decoded the same way for the client and for replay.
 */
enum es_command_kind {
	ES_COMMAND_PUT = 1,          /* etcdserverpb.PutRequest */
	ES_COMMAND_DELETE_RANGE = 2, /* etcdserverpb.DeleteRangeRequest */
	ES_COMMAND_TXN = 3,          /* etcdserverpb.TxnRequest */
	ES_COMMAND_COMPACT = 4,
	ES_COMMAND_LEASE_GRANT = 5,
	ES_COMMAND_LEASE_REVOKE = 6,
	ES_COMMAND_ALARM = 7,
	ES_COMMAND_MEMBER = 8,
	ES_COMMAND_RESOURCE = 9, /* ES_RESOURCE_RULES, then JSON: resource/command.h */
};

/* The rules and the table of kinds (es_schema_version) that a command is judged by: a byte before it.
 * Whoever changes what either makes of a command adds a number and keeps the old ones working. */
#define ES_RESOURCE_RULES 1

struct es_command {
	enum es_command_kind kind;
	uint64_t origin;
	struct es_slice body;
};

/* ES_ECORRUPT when it is no command. Slices point into `bytes`. */
int es_command_decode(struct es_slice bytes, struct es_command *ret_command);
int es_command_encode(struct es_buf *buf, enum es_command_kind kind, uint64_t origin,
		      struct es_slice body);

/*
 * The transaction that a PUT, DELETE_RANGE or TXN body stands for. Everything is allocated from
 * `arena`, byte strings point into `body`. ES_EDECODE, ES_ENOMEM.
 */
int es_command_txn(enum es_command_kind kind, struct es_slice body, struct es_arena *arena,
		   const struct es_mvcc_txn **ret_txn);

/* The same from requests that were decoded and checked already. ES_ENOMEM; ES_EKEY_NOT_FOUND for an
 * empty operation. */
struct es_wire_range;
struct es_wire_put;
struct es_wire_delete;
struct es_wire_txn;
struct es_mvcc_range_req es_command_range_from_wire(const struct es_wire_range *in);
int es_command_txn_from_put(const struct es_wire_put *in, struct es_arena *arena,
			    const struct es_mvcc_txn **ret_txn);
int es_command_txn_from_delete(const struct es_wire_delete *in, struct es_arena *arena,
			       const struct es_mvcc_txn **ret_txn);
int es_command_txn_from_wire(const struct es_wire_txn *in, struct es_arena *arena,
			     const struct es_mvcc_txn **ret_txn);

#endif
