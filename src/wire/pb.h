#ifndef ES_WIRE_PB_H
#define ES_WIRE_PB_H

#include "base/slice.h"
#include "base/status.h"

/*
 * Protobuf's encoding by hand, for the messages that are hot. Nothing here allocates.
 *
 * Writing is two passes: the sizes first, then the bytes into exactly that much space. Each
 * `es_pb_x_size` has its `es_pb_write_x`, which writes as many bytes as the other said and returns
 * the place behind them. Field writers follow proto3: a scalar of zero and an empty bytes field are
 * left out, while a message that is set is written even when it is empty. int32 and enum values are
 * cast to int64_t first (negative ones take ten bytes), bool to uint64_t.
 *
 * Reading is bounded: every length is checked against what is there. What is accepted is what the
 * decoder of Go's protobuf accepts, as that is what etcd's clients have been tried against; only
 * groups, which nobody sends, are held to less depth (100).
 */
enum es_pb_wire {
	ES_PB_VARINT = 0,
	ES_PB_FIXED64 = 1,
	ES_PB_BYTES = 2,
	ES_PB_GROUP = 3,
	ES_PB_GROUP_END = 4,
	ES_PB_FIXED32 = 5,
};

#define ES_PB_NUMBER_MAX ((1U << 29) - 1)
#define ES_PB_VARINT_MAX 10 /* bytes */

/* What stands before a field: its number (up to ES_PB_NUMBER_MAX) and how its value is encoded. */
#define ES_PB_KEY(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

/* ---- writing --------------------------------------------------------------------------------- */

static inline size_t es_pb_varint_size(uint64_t value)
{
	unsigned bits = 64U - (unsigned)__builtin_clzll(value | 1);

	return (bits + 6) / 7;
}

static inline uint8_t *es_pb_write_varint(uint8_t *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t)value;
	return out;
}

static inline size_t es_pb_uint_size(uint32_t number, uint64_t value)
{
	return value == 0 ? 0
			  : es_pb_varint_size(ES_PB_KEY(number, ES_PB_VARINT)) +
				    es_pb_varint_size(value);
}

static inline uint8_t *es_pb_write_uint(uint8_t *out, uint32_t number, uint64_t value)
{
	if (value == 0)
		return out;
	out = es_pb_write_varint(out, ES_PB_KEY(number, ES_PB_VARINT));
	return es_pb_write_varint(out, value);
}

static inline size_t es_pb_int_size(uint32_t number, int64_t value)
{
	return es_pb_uint_size(number, (uint64_t)value);
}

static inline uint8_t *es_pb_write_int(uint8_t *out, uint32_t number, int64_t value)
{
	return es_pb_write_uint(out, number, (uint64_t)value);
}

/* Key and length of a message or bytes field whose content, `len` bytes, the caller writes next;
 * and the size of all three together. Also for an empty content. */
static inline size_t es_pb_len_size(uint32_t number, size_t len)
{
	return es_pb_varint_size(ES_PB_KEY(number, ES_PB_BYTES)) + es_pb_varint_size(len) + len;
}

static inline uint8_t *es_pb_write_len(uint8_t *out, uint32_t number, size_t len)
{
	out = es_pb_write_varint(out, ES_PB_KEY(number, ES_PB_BYTES));
	return es_pb_write_varint(out, len);
}

static inline size_t es_pb_bytes_size(uint32_t number, struct es_slice bytes)
{
	return bytes.len == 0 ? 0 : es_pb_len_size(number, bytes.len);
}

static inline uint8_t *es_pb_write_bytes(uint8_t *out, uint32_t number, struct es_slice bytes)
{
	if (bytes.len == 0)
		return out;
	out = es_pb_write_len(out, number, bytes.len);
	memcpy(out, bytes.data, bytes.len);
	return out + bytes.len;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct es_pb_reader {
	const uint8_t *at;
	const uint8_t *end;
};

/* One field. `key` tells number and encoding in one, so that a known number in another encoding
 * counts as unknown, as protobuf wants it. The other members are set as the encoding asks. */
struct es_pb_field {
	uint32_t key;
	uint64_t value;	       /* ES_PB_VARINT, ES_PB_FIXED32, ES_PB_FIXED64 */
	struct es_slice bytes; /* ES_PB_BYTES: borrowed from the input */
};

static inline struct es_pb_reader es_pb_reader(struct es_slice bytes)
{
	return (struct es_pb_reader){bytes.data,
				     bytes.len == 0 ? bytes.data : bytes.data + bytes.len};
}

/* The rest of es_pb_read_varint and es_pb_next, for what is not so common. */
bool es_pb_read_varint_long(struct es_pb_reader *reader, uint64_t *ret_value);
int es_pb_next_rare(struct es_pb_reader *reader, uint32_t key, struct es_pb_field *ret_field);

/* False when it is cut short or above 64 bits. */
static inline bool es_pb_read_varint(struct es_pb_reader *reader, uint64_t *ret_value)
{
	if (reader->at == reader->end)
		return false;
	if (*reader->at < 0x80) {
		*ret_value = *reader->at++;
		return true;
	}
	return es_pb_read_varint_long(reader, ret_value);
}

/* The next field, its value included: 1 when there is one, 0 at the end, ES_EDECODE when the input
 * is malformed (the reader must not be used any more). A group is skipped and reported with its key
 * alone. */
static inline int es_pb_next(struct es_pb_reader *reader, struct es_pb_field *ret_field)
{
	uint64_t key;
	uint64_t len;

	if (reader->at == reader->end)
		return 0;
	if (!es_pb_read_varint(reader, &key) || key < ES_PB_KEY(1, 0) ||
	    key > ES_PB_KEY(ES_PB_NUMBER_MAX, 7))
		return ES_EDECODE;
	ret_field->key = (uint32_t)key;
	switch (key & 7) {
	case ES_PB_VARINT: return es_pb_read_varint(reader, &ret_field->value) ? 1 : ES_EDECODE;
	case ES_PB_BYTES:
		if (!es_pb_read_varint(reader, &len) || len > (size_t)(reader->end - reader->at))
			return ES_EDECODE;
		ret_field->bytes = es_slice(reader->at, (size_t)len);
		reader->at += len;
		return 1;
	default: return es_pb_next_rare(reader, (uint32_t)key, ret_field);
	}
}

#endif
