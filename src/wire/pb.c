#include "wire/pb.h"

#include "base/buf.h"

/* Groups within groups. Nobody sends them; what counts is that the stack they can take is
 * bounded. */
#define GROUP_DEPTH_MAX 100

bool es_pb_read_varint_long(struct es_pb_reader *reader, uint64_t *ret_value)
{
	const uint8_t *p = reader->at;
	uint64_t value = 0;
	unsigned shift;

	for (shift = 0; shift < 63 && p < reader->end; shift += 7, p++) {
		value |= (uint64_t)(*p & 0x7f) << shift;
		if (*p < 0x80)
			goto done;
	}
	if (p == reader->end || *p > 1) /* the tenth byte holds the last bit */
		return false;
	value |= (uint64_t)*p << 63;
done:
	reader->at = p + 1;
	*ret_value = value;
	return true;
}

static int read_fixed(struct es_pb_reader *reader, size_t len, uint64_t *ret_value)
{
	if ((size_t)(reader->end - reader->at) < len)
		return ES_EDECODE;
	*ret_value = len == 8 ? es_load_u64le(reader->at) : es_load_u32le(reader->at);
	reader->at += len;
	return 1;
}

/* Up to and with the end of the group `number`, whose key has been read. */
static int skip_group(struct es_pb_reader *reader, uint32_t number, unsigned depth)
{
	struct es_pb_reader ahead;
	struct es_pb_field field;
	uint64_t key;
	int rc;

	if (depth == GROUP_DEPTH_MAX)
		return ES_EDECODE;
	for (;;) {
		ahead = *reader;
		if (!es_pb_read_varint(&ahead, &key))
			return ES_EDECODE;
		if ((key & 7) == ES_PB_GROUP_END) {
			*reader = ahead;
			return key >> 3 == number ? 1 : ES_EDECODE;
		}
		if ((key & 7) == ES_PB_GROUP) {
			if (key < ES_PB_KEY(1, 0) || key > ES_PB_KEY(ES_PB_NUMBER_MAX, 7))
				return ES_EDECODE;
			*reader = ahead;
			rc = skip_group(reader, (uint32_t)key >> 3, depth + 1);
		} else {
			rc = es_pb_next(reader, &field);
		}
		if (rc < 0)
			return rc;
	}
}

int es_pb_next_rare(struct es_pb_reader *reader, uint32_t key, struct es_pb_field *ret_field)
{
	switch (key & 7) {
	case ES_PB_FIXED64: return read_fixed(reader, 8, &ret_field->value);
	case ES_PB_FIXED32: return read_fixed(reader, 4, &ret_field->value);
	case ES_PB_GROUP: return skip_group(reader, key >> 3, 0);
	/* The end of a group that did not begin, and the two encodings that do not exist. */
	default: return ES_EDECODE;
	}
}
