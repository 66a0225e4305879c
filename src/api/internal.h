#ifndef ES_API_INTERNAL_H
#define ES_API_INTERNAL_H

#include <uv.h>

#include "api/api.h"
#include "typed/typed.h"
#include "wire/hot.h"
#include "wire/request.h"
#include "wire/rpc.pb-c.h"

/* Shared by the services; nobody else includes it. */

struct es_api {
	struct es_api_config config;
	struct es_engine *engine;
	struct es_rpc_server *server;
	struct es_typed *typed;
	uv_timer_t timer;     /* progress of watches, streams without a leader */
	uv_idle_t watch_idle; /* runs while watches or waiters have something to do */
	struct es_queue watch_streams;
	struct es_queue ready_streams;
	uint64_t watch_hash_key[2];
	uint64_t watch_cost; /* of serving streams and waiters, so far */
	struct es_queue ready_waiters;
	struct es_queue pinned_answers; /* the longest without progress first */
	uint64_t leader_seen_ms;
	int handles_open;
	struct es_queue health_watchers;
	struct es_queue resource_watches; /* with more to give in a later turn */
	bool serving;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* One function a service, in the file of its name. */
int es_api_kv_register(struct es_api *api);
int es_api_watch_register(struct es_api *api);
int es_api_lease_register(struct es_api *api);
int es_api_maintenance_register(struct es_api *api);
int es_api_cluster_register(struct es_api *api);
int es_api_auth_register(struct es_api *api);
int es_api_lock_register(struct es_api *api);
int es_api_election_register(struct es_api *api);
int es_api_health_register(struct es_api *api);
int es_api_resource_store_register(struct es_api *api);
int es_api_resource_watch_register(struct es_api *api); /* the same service */
int es_api_gateway_register(struct es_api *api);        /* behind the services that it serves */

/* range.c: ends answers that their clients have stopped taking. */
void es_api_kv_tick(struct es_api *api, uint64_t now_ms);

/* watch.c. `leaderless`: there has been no leader for three election timeouts. */
void es_api_watch_tick(struct es_api *api, uint64_t now_ms, bool leaderless);
void es_api_watch_wake(struct es_api *api);

/* resource_watch.c: another turn for those that had more. */
void es_api_serve_resource_watches(struct es_api *api);

/* The client asked with metadata `hasleader: true` to hear when there is no leader. */
bool es_api_wants_leader(const struct es_rpc_call *call);
bool es_api_has_leader(const struct es_api *api);

/*
 * Waiting for changes of a range (waiter.c): `changed` is called from the loop, outside of any
 * apply, once for every revision that changed something there, in order.
 */
struct es_api_waiter {
	struct es_engine_watch_owner owner;
	struct es_queue link;
	struct es_api *api;
	struct es_watcher *watcher;
	/* Not served while so much waits to be sent on it; when that is gone, es_api_wait_again.
	 * NULL: always served. */
	struct es_rpc_call *call;
	/* Returns whether it goes on; if not, it has called es_api_wait_end, and may have begun
	 * again. `revision` is 0 when nothing was waited for. */
	bool (*changed)(struct es_api_waiter *waiter, int64_t revision);
	/* Instead: the history was compacted away. The wait has ended. */
	void (*lost)(struct es_api_waiter *waiter, int status);
};

/* The end of the range of all keys that begin with `prefix`: the prefix with its last byte that is
 * not 255 raised, and nothing behind it; "to the end" when there is none. `buffer` has room for the
 * prefix and backs the answer. */
struct es_slice es_api_prefix_end(struct es_slice prefix, uint8_t *buffer);

void es_api_wait_init(struct es_api_waiter *waiter, struct es_api *api);
/* From `start_revision` on; 0: from the next. ES_ENOMEM. */
int es_api_wait_begin(struct es_api_waiter *waiter, struct es_mvcc_range range, bool deletes_only,
		      int64_t start_revision);
/* To be served when the loop comes to it; a waiter that waits for nothing hears `changed`. */
void es_api_wait_again(struct es_api_waiter *waiter);
/* Nothing to do when it is over already. */
void es_api_wait_end(struct es_api_waiter *waiter);
void es_api_serve_waiters(struct es_api *api);

/* ---- answers --------------------------------------------------------------------------------- */

struct es_wire_header es_api_header(const struct es_engine_header *header);
struct es_wire_kv es_api_kv(const struct es_mvcc_version *version, bool keys_only);

/* etcd's largest message, in bytes; a larger answer is refused as there. False: the call was
 * failed. */
#define ES_API_MESSAGE_BYTES_MAX INT32_MAX
bool es_api_can_send(struct es_rpc_call *call, size_t size);
/* es_rpc_send behind that check; NULL: the call was failed. */
uint8_t *es_api_reserve(struct es_rpc_call *call, size_t size);
/* Answers that are not hot go through protobuf-c. Sent; the message stays the caller's. False: the
 * call has failed. */
bool es_api_send(struct es_rpc_call *call, const struct ProtobufCMessage *message);
/* ... and the call finished. */
void es_api_reply(struct es_rpc_call *call, const struct ProtobufCMessage *message);
/* A request of a kind that cannot hold itself; NULL: it is none, or no memory. */
void *es_api_unpack(struct es_arena *arena, const struct ProtobufCMessageDescriptor *descriptor,
		    struct es_slice request);
/* The same in the call's arena; NULL: the call was failed. */
void *es_api_decode(struct es_rpc_call *call, const struct ProtobufCMessageDescriptor *descriptor,
		    struct es_slice request);
/* Zeroed memory in the call's arena, for an answer and its lists; NULL: the call was failed. */
void *es_api_alloc(struct es_rpc_call *call, size_t count, size_t size);
/* NULL: the call was failed. */
Etcdserverpb__ResponseHeader *es_api_pb_header(struct es_rpc_call *call,
					       const struct es_engine_header *from);
struct es_slice es_api_bytes(ProtobufCBinaryData bytes);
/* Borrowed: lives as long as the slice. */
ProtobufCBinaryData es_api_pb_bytes(struct es_slice bytes);

/* ---- writes from handlers -------------------------------------------------------------------- */

/* A handler's operation: the call is held until it is done. */
struct es_api_op {
	struct es_engine_op op;
	struct es_rpc_call *call;
	void (*answer)(struct es_api_op *op,
		       struct es_rpc_call *call); /* on success; must finish the call */
	void *data;
};

/* NULL: the call was failed. */
struct es_api_op *es_api_op_new(struct es_rpc_call *call,
				void (*answer)(struct es_api_op *, struct es_rpc_call *));
/* An `answer` that is only the header. */
void es_api_head_answer(struct es_api_op *op, struct es_rpc_call *call);
/* After the engine's submit function: on a refusal fails the call. */
void es_api_op_submitted(struct es_api_op *op, int status);

/* ---- checks (check.c): etcd's, in its order -------------------------------------------------- */

/* For a write: against max-request-bytes. */
bool es_api_is_too_large(const struct es_engine *engine, size_t request_bytes);
int es_api_check_range(const struct es_wire_range *range);
int es_api_check_put(const struct es_wire_put *put);
int es_api_check_delete(const struct es_wire_delete *del);
int es_api_check_txn(const struct es_wire_txn *txn, uint32_t max_ops, struct es_arena *arena);

#endif
