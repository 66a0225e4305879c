#ifndef ES_WIRE_HOT_H
#define ES_WIRE_HOT_H

#include "wire/pb.h"

/*
 * Encoding of the answers that are hot, from plain values and straight into the place they are sent
 * from: byte for byte what Go's protobuf makes of the same message.
 *
 * All come in pairs: x_size tells how many bytes x_write will write; x_write returns the place
 * behind them. Nothing is allocated and nothing can fail. An answer with lists is put together by
 * its owner, in the order of its fields: the head, then each list item, then the tail, so a large
 * one need not be in memory as a whole. Its size is the sum of the sizes of its parts; sums cannot
 * overflow, as the parts are in memory.
 *
 *   size_t size = es_wire_head_size(&header);
 *   for each kv: size += es_wire_range_kv_size(&kv);
 *   size += es_wire_range_tail_size(more, count);
 *   ... then the same with _write, in as many steps as suit.
 */
struct es_wire_header {
	uint64_t cluster_id;
	uint64_t member_id;
	int64_t revision;
	uint64_t raft_term;
};

/* keys_only: leave `value` empty. A tombstone: only key and mod_revision. */
struct es_wire_kv {
	struct es_slice key;
	struct es_slice value;
	int64_t create_revision;
	int64_t mod_revision;
	int64_t version;
	int64_t lease;
};

/* ---- messages as such, without key and length before them ------------------------------------ */

size_t es_wire_header_size(const struct es_wire_header *header);
uint8_t *es_wire_header_write(uint8_t *out, const struct es_wire_header *header);

/* mvccpb.KeyValue: what HashKV goes over as well. */
size_t es_wire_kv_size(const struct es_wire_kv *kv);
uint8_t *es_wire_kv_write(uint8_t *out, const struct es_wire_kv *kv);

/* ---- answers: `header` NULL leaves the header out -------------------------------------------- */

/* The header as the first field, which is the whole of the answers that have nothing else. */
size_t es_wire_head_size(const struct es_wire_header *header);
uint8_t *es_wire_head_write(uint8_t *out, const struct es_wire_header *header);

/* RangeResponse: head as above, keys one by one, tail. RangeStream's parts but the last have
 * neither header nor tail; each is wrapped: es_pb_write_len(out, ES_WIRE_RANGE_STREAM_FIELD, size
 * of the RangeResponse). */
#define ES_WIRE_RANGE_STREAM_FIELD 1

size_t es_wire_range_kv_size(const struct es_wire_kv *kv);
uint8_t *es_wire_range_kv_write(uint8_t *out, const struct es_wire_kv *kv);
size_t es_wire_range_tail_size(bool more, int64_t count);
uint8_t *es_wire_range_tail_write(uint8_t *out, bool more, int64_t count);

/* PutResponse, whole. `prev` NULL: none. */
size_t es_wire_put_size(const struct es_wire_header *header, const struct es_wire_kv *prev);
uint8_t *es_wire_put_write(uint8_t *out, const struct es_wire_header *header,
			   const struct es_wire_kv *prev);

/* DeleteRangeResponse: head, then the deleted versions one by one when asked for. */
size_t es_wire_delete_head_size(const struct es_wire_header *header, int64_t deleted);
uint8_t *es_wire_delete_head_write(uint8_t *out, const struct es_wire_header *header,
				   int64_t deleted);
size_t es_wire_delete_prev_size(const struct es_wire_kv *prev);
uint8_t *es_wire_delete_prev_write(uint8_t *out, const struct es_wire_kv *prev);

/* TxnResponse: head, then each operation's answer: what goes before it, then the answer itself, of
 * `len` bytes. `kind` is enum es_wire_op_kind's 1 to 4. es_wire_txn_op_size counts all of it. */
size_t es_wire_txn_head_size(const struct es_wire_header *header, bool succeeded);
uint8_t *es_wire_txn_head_write(uint8_t *out, const struct es_wire_header *header, bool succeeded);
size_t es_wire_txn_op_size(unsigned kind, size_t len);
uint8_t *es_wire_txn_op_write(uint8_t *out, unsigned kind, size_t len);

/* ---- watch ----------------------------------------------------------------------------------- */

/* One event as it stands in a WatchResponse, key and length before it included, so that it can be
 * appended to any number of them. `prev` NULL: none. */
size_t es_wire_event_size(bool is_delete, const struct es_wire_kv *kv,
			  const struct es_wire_kv *prev);
uint8_t *es_wire_event_write(uint8_t *out, bool is_delete, const struct es_wire_kv *kv,
			     const struct es_wire_kv *prev);

/* WatchResponse but for its events, which come behind. */
struct es_wire_watch {
	struct es_wire_header header;
	int64_t watch_id;
	bool created;
	bool canceled;
	bool fragment;
	int64_t compact_revision;
	struct es_slice cancel_reason; /* UTF-8 */
};

size_t es_wire_watch_head_size(const struct es_wire_watch *watch);
uint8_t *es_wire_watch_head_write(uint8_t *out, const struct es_wire_watch *watch);

/* ---- leases ---------------------------------------------------------------------------------- */

/* LeaseKeepAliveResponse, whole. */
size_t es_wire_keep_alive_size(const struct es_wire_header *header, int64_t id, int64_t ttl_s);
uint8_t *es_wire_keep_alive_write(uint8_t *out, const struct es_wire_header *header, int64_t id,
				  int64_t ttl_s);

#endif
