#include "api/internal.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

#include "wire/allocator.h"

/* What all services share: headers, protobuf-c answers, operations on the engine. */

struct es_wire_header es_api_header(const struct es_engine_header *header)
{
	return (struct es_wire_header){header->cluster_id, header->member_id, header->revision,
				       header->raft_term};
}

struct es_wire_kv es_api_kv(const struct es_mvcc_version *version, bool keys_only)
{
	struct es_mvcc_kv kv;

	es_mvcc_version_kv(version, &kv);
	return (struct es_wire_kv){
		.key = kv.key,
		.value = keys_only ? es_slice(NULL, 0) : kv.value,
		.create_revision = kv.create_revision,
		.mod_revision = kv.mod_revision,
		.version = kv.version,
		.lease = kv.lease,
	};
}

bool es_api_can_send(struct es_rpc_call *call, size_t size)
{
	char text[128];

	if (size <= ES_API_MESSAGE_BYTES_MAX)
		return true;
	(void)snprintf(text, sizeof(text),
		       "grpc: trying to send message larger than max (%zu vs. %d)", size,
		       ES_API_MESSAGE_BYTES_MAX);
	es_rpc_finish(call, ES_GRPC_RESOURCE_EXHAUSTED, text);
	return false;
}

uint8_t *es_api_reserve(struct es_rpc_call *call, size_t size)
{
	return es_api_can_send(call, size) ? es_rpc_send(call, size) : NULL;
}

bool es_api_send(struct es_rpc_call *call, const struct ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *out = es_api_reserve(call, size);

	if (out == NULL)
		return false;
	(void)protobuf_c_message_pack(message, out);
	return true;
}

void es_api_reply(struct es_rpc_call *call, const struct ProtobufCMessage *message)
{
	if (es_api_send(call, message))
		es_rpc_finish(call, ES_GRPC_OK, NULL);
}

void *es_api_unpack(struct es_arena *arena, const struct ProtobufCMessageDescriptor *descriptor,
		    struct es_slice request)
{
	ProtobufCAllocator allocator = es_wire_allocator(arena);

	return protobuf_c_message_unpack(descriptor, &allocator, request.len, request.data);
}

void *es_api_decode(struct es_rpc_call *call, const struct ProtobufCMessageDescriptor *descriptor,
		    struct es_slice request)
{
	void *message = es_api_unpack(es_rpc_call_arena(call), descriptor, request);

	if (message == NULL)
		es_rpc_finish_status(call, ES_EDECODE);
	return message;
}

void *es_api_alloc(struct es_rpc_call *call, size_t count, size_t size)
{
	void *memory = es_arena_calloc(es_rpc_call_arena(call), count, size);

	if (memory == NULL)
		es_rpc_finish_status(call, ES_ENOMEM);
	return memory;
}

/* Every non-hot answer begins with a header of its own. */
struct Etcdserverpb__ResponseHeader *es_api_pb_header(struct es_rpc_call *call,
						      const struct es_engine_header *from)
{
	Etcdserverpb__ResponseHeader *header = es_api_alloc(call, 1, sizeof(*header));

	if (header == NULL)
		return NULL;
	etcdserverpb__response_header__init(header);
	header->cluster_id = from->cluster_id;
	header->member_id = from->member_id;
	header->revision = from->revision;
	header->raft_term = from->raft_term;
	return header;
}

static void op_done(struct es_engine_op *engine_op, int status)
{
	struct es_api_op *op = ES_CONTAINER_OF(engine_op, struct es_api_op, op);
	struct es_rpc_call *call = op->call;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else
		op->answer(op, call);
	es_rpc_call_release(call);
}

struct es_api_op *es_api_op_new(struct es_rpc_call *call,
				void (*answer)(struct es_api_op *, struct es_rpc_call *))
{
	struct es_api_op *op = es_api_alloc(call, 1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->op.done = op_done;
	op->op.arena = es_rpc_call_arena(call);
	op->call = call;
	op->answer = answer;
	es_rpc_call_hold(call);
	return op;
}

void es_api_op_submitted(struct es_api_op *op, int status)
{
	if (status == 0)
		return;
	es_rpc_finish_status(op->call, status);
	es_rpc_call_release(op->call);
}

void es_api_head_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_wire_header header = es_api_header(&op->op.header);
	uint8_t *out = es_rpc_send(call, es_wire_head_size(&header));

	if (out == NULL)
		return;
	(void)es_wire_head_write(out, &header);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

struct es_slice es_api_bytes(ProtobufCBinaryData bytes)
{
	return es_slice(bytes.data, bytes.len);
}

ProtobufCBinaryData es_api_pb_bytes(struct es_slice bytes)
{
	/* protobuf-c's type is not const, its packing is. */
	return (ProtobufCBinaryData){bytes.len, (uint8_t *)(uintptr_t)bytes.data};
}
