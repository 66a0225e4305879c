#include "consensus/batch.h"

#include "base/assert.h"

void es_batch_header(uint8_t ret_header[ES_BATCH_HEADER_BYTES], uint32_t count, uint64_t index)
{
	memset(ret_header, 0, ES_BATCH_HEADER_BYTES);
	ret_header[0] = ES_BATCH_FORMAT;
	es_store_u32le(ret_header + 4, count);
	es_store_u64le(ret_header + 8, index);
}

uint64_t es_batch_index(struct es_slice entry)
{
	return entry.len < ES_BATCH_HEADER_BYTES ? 0 : es_load_u64le(entry.data + 8);
}

int es_batch_open(struct es_slice entry, uint64_t index, struct es_batch_reader *ret_reader)
{
	struct es_reader r = es_reader(entry);
	uint8_t format = es_read_u8(&r);
	uint8_t flags = es_read_u8(&r);
	uint8_t zero = es_read_u8(&r);
	struct es_slice commands;
	uint32_t count;

	zero |= es_read_u8(&r);
	count = es_read_u32le(&r);
	if (r.failed)
		return ES_ETRUNCATED;
	if (format != ES_BATCH_FORMAT || flags != 0 || zero != 0)
		return ES_EFORMAT;
	if (es_read_u64le(&r) != index && !r.failed)
		return ES_ECORRUPT;
	commands = r.rest;
	for (uint32_t i = 0; i < count && !r.failed; i++)
		es_read_bytes(&r, es_read_u32le(&r));
	if (r.failed)
		return ES_ETRUNCATED;
	if (r.rest.len >= 8 || entry.len % 8 != 0)
		return ES_ECORRUPT;
	for (size_t i = 0; i < r.rest.len; i++) {
		if (r.rest.data[i] != 0)
			return ES_ECORRUPT;
	}
	*ret_reader = (struct es_batch_reader){commands, count};
	return 0;
}

bool es_batch_next(struct es_batch_reader *reader, struct es_slice *ret_command)
{
	struct es_reader r = es_reader(reader->rest);

	if (reader->count == 0)
		return false;
	*ret_command = es_read_bytes(&r, es_read_u32le(&r));
	ES_ASSERT(!r.failed); /* es_batch_open looked at every length */
	reader->rest = r.rest;
	reader->count--;
	return true;
}
