#include "random_message.h"

#include "base/assert.h"

/* Tests have the memory they need. */
static void *must(void *pointer)
{
	ES_ASSERT(pointer != NULL);
	return pointer;
}

static uint64_t random_number(struct es_rng *rng)
{
	switch (es_rng_below(rng, 6)) {
	case 0: return 0;
	case 1: return es_rng_below(rng, 300);
	case 2: return UINT64_MAX - es_rng_below(rng, 300);
	case 3: return UINT64_C(1) << es_rng_below(rng, 64);
	case 4: return (UINT64_C(1) << es_rng_below(rng, 64)) - 1;
	default: return es_rng_next(rng);
	}
}

static ProtobufCBinaryData random_bytes(struct es_rng *rng, struct es_arena *arena)
{
	static const size_t bounds[] = {1, 10, 10, 300, 300, 20000};
	size_t len = (size_t)es_rng_below(rng, bounds[es_rng_below(rng, ES_ARRAY_LEN(bounds))]);
	ProtobufCBinaryData bytes = {len, must(es_arena_alloc(arena, len))};

	for (size_t i = 0; i < len; i++)
		bytes.data[i] = (uint8_t)es_rng_next(rng);
	return bytes;
}

static char *random_text(struct es_rng *rng, struct es_arena *arena)
{
	size_t len = (size_t)es_rng_below(rng, 20);
	char *text = must(es_arena_alloc(arena, len + 1));

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (char)es_rng_below(rng, 26));
	text[len] = '\0';
	return text;
}

static size_t value_bytes(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM: return sizeof(int32_t);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64: return sizeof(int64_t);
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	default: return sizeof(void *);
	}
}

static void random_value(struct es_rng *rng, struct es_arena *arena,
			 const ProtobufCFieldDescriptor *field, unsigned depth, void *out)
{
	const ProtobufCEnumDescriptor *values = field->descriptor;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32: *(uint32_t *)out = (uint32_t)random_number(rng); break;
	case PROTOBUF_C_TYPE_ENUM: /* now and then a number that has no name */
		*(int32_t *)out = (int32_t)(es_rng_below(rng, 8) == 0
						    ? random_number(rng)
						    : es_rng_below(rng, values->n_values));
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64: *(uint64_t *)out = random_number(rng); break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)out = (protobuf_c_boolean)es_rng_below(rng, 2);
		break;
	case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)out = random_bytes(rng, arena); break;
	case PROTOBUF_C_TYPE_STRING: *(char **)out = random_text(rng, arena); break;
	default:
		ES_ASSERT(field->type ==
			  PROTOBUF_C_TYPE_MESSAGE); /* no message here has another type */
		*(ProtobufCMessage **)out = random_message(rng, arena, field->descriptor,
							   depth - 1);
	}
}

static void random_field(struct es_rng *rng, struct es_arena *arena,
			 const ProtobufCFieldDescriptor *field, unsigned depth,
			 ProtobufCMessage *message)
{
	char *at = (char *)message + field->offset;
	void *quantifier = (char *)message + field->quantifier_offset;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth == 0)
		return;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = (size_t)es_rng_below(rng, 4);
		size_t size = value_bytes(field->type);
		char *items = must(es_arena_calloc(arena, n, size));

		for (size_t i = 0; i < n; i++)
			random_value(rng, arena, field, depth, items + i * size);
		*(size_t *)quantifier = n;
		*(void **)(void *)at = items;
		return;
	}
	if (es_rng_below(rng, 4) == 0)
		return;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
		if (es_rng_below(rng, 2) == 0)
			return;
		*(uint32_t *)quantifier = field->id; /* over one that was chosen before */
	}
	random_value(rng, arena, field, depth, at);
}

ProtobufCMessage *random_message(struct es_rng *rng, struct es_arena *arena,
				 const ProtobufCMessageDescriptor *type, unsigned depth)
{
	ProtobufCMessage *message = must(es_arena_alloc(arena, type->sizeof_message));

	protobuf_c_message_init(type, message);
	for (unsigned i = 0; i < type->n_fields; i++)
		random_field(rng, arena, &type->fields[i], depth, message);
	return message;
}

struct es_slice packed(struct es_arena *arena, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *out = must(es_arena_alloc(arena, len));

	ES_ASSERT(protobuf_c_message_pack(message, out) == len);
	return es_slice(out, len);
}
