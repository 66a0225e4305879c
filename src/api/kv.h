#ifndef ES_API_KV_H
#define ES_API_KV_H

#include "api/internal.h"

/* Shared by the files of etcdserverpb.KV. Sizes are exact: what is written has just that many bytes. */

/* range.c */
size_t es_api_range_size(const struct es_wire_header *header, const struct es_mvcc_range_res *res);
uint8_t *es_api_range_write(uint8_t *out, const struct es_wire_header *header,
			    const struct es_mvcc_range_res *res);
void es_api_kv_range(struct es_rpc_call *call, struct es_slice request);
void es_api_kv_range_stream(struct es_rpc_call *call, struct es_slice request);
void es_api_kv_range_stream_writable(struct es_rpc_call *call);
void es_api_kv_range_stream_closed(struct es_rpc_call *call);

/* txn.c */
void es_api_kv_txn(struct es_rpc_call *call, struct es_slice request);

/* kv.c */
size_t es_api_delete_size(const struct es_wire_header *header, const struct es_mvcc_op_res *res);
uint8_t *es_api_delete_write(uint8_t *out, const struct es_wire_header *header,
			     const struct es_mvcc_op_res *res);
/* A write: `answer` as es_api_op_new. Too large a request fails the call. */
void es_api_kv_submit(struct es_rpc_call *call, enum es_command_kind kind, struct es_slice request,
		      const struct es_mvcc_txn *txn,
		      void (*answer)(struct es_api_op *, struct es_rpc_call *));

#endif
