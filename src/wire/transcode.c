#include "wire/transcode.h"

#include "wire/allocator.h"

/* Most messages are small. */
#define ARENA_BYTES 4096

static bool is_blank(struct es_slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr(" \t\r\n", text.data[i]) == NULL || text.data[i] == '\0')
			return false;
	}
	return true;
}

int es_wire_from_json(const ProtobufCMessageDescriptor *descriptor, struct es_slice json,
		      const struct es_wire_json_options *options, struct es_arena *arena,
		      struct es_slice *ret_bytes, char *errmsg, size_t errmsg_size)
{
	ProtobufCMessage *message;
	struct es_arena trees;
	uint8_t *bytes = NULL;
	int rc;

	/* In an arena of its own: the trees are many times as large as the message. */
	es_arena_init(&trees, arena->mem, ARENA_BYTES);
	rc = es_wire_json_read(descriptor, is_blank(json) ? ES_SLICE("{}") : json, options, &trees,
			       &message, errmsg, errmsg_size);
	if (rc == 0) {
		bytes = es_arena_alloc(arena, protobuf_c_message_get_packed_size(message));
		rc = bytes == NULL ? ES_ENOMEM : 0;
	}
	if (rc == 0)
		*ret_bytes = es_slice(bytes, protobuf_c_message_pack(message, bytes));
	es_arena_close(&trees);
	return rc;
}

int es_wire_to_json(const ProtobufCMessageDescriptor *descriptor, struct es_slice bytes,
		    const struct es_wire_json_options *options, struct es_buf *json)
{
	ProtobufCAllocator allocator;
	ProtobufCMessage *message;
	struct es_arena arena;
	size_t len = json->len;
	int rc = ES_ENOMEM;

	es_arena_init(&arena, json->mem, ARENA_BYTES);
	allocator = es_wire_allocator(&arena);
	message = protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
	if (message != NULL)
		rc = es_wire_json_write(json, message, options);
	if (rc < 0)
		json->len = len;
	es_arena_close(&arena);
	return rc;
}
