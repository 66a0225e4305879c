#include "disk/raft_crc.h"
#include "disk/segments_internal.h"

/*
 *   0  u32  checksum of the header
 *   4  u32  checksum of the data
 *   8  u64  number of entries
 *  16  for each entry: u64 term, u8 type, 3 unused bytes, u32 length (a multiple of 8)
 *      the entries' bytes
 */
#define PREAMBLE_BYTES 16
#define ENTRY_BYTES    16
/* libraft refuses more than what fits into 8 MiB with 32 bytes for each. */
#define ENTRIES_MAX (8u * 1024 * 1024 / 32)

const char *es_raft_batch_at(struct es_slice file, size_t offset, struct es_raft_batch *ret_batch,
			     bool *ret_short)
{
	const uint8_t *p = file.data + offset;
	size_t rest = file.len - offset;
	uint64_t entries, data_bytes = 0;
	size_t header_bytes;

	*ret_short = false;
	if (rest < PREAMBLE_BYTES) {
		*ret_short = true;
		return "the batch is cut";
	}
	entries = es_load_u64le(p + 8);
	if (entries == 0 || entries > ENTRIES_MAX)
		return "the batch has an impossible number of entries";
	header_bytes = (size_t)(8 + ENTRY_BYTES * entries);
	if (rest - 8 < header_bytes) {
		*ret_short = true;
		return "the header of the batch is cut";
	}
	if (es_raft_crc(0, es_slice(p + 8, header_bytes)) != es_load_u32le(p))
		return "the checksum of the batch's header does not match";
	for (uint64_t i = 0; i < entries; i++) {
		const uint8_t *entry = p + PREAMBLE_BYTES + ENTRY_BYTES * i;

		if (entry[8] < ES_RAFT_COMMAND || entry[8] > ES_RAFT_CHANGE ||
		    es_load_u32le(entry + 12) % 8 != 0)
			return "the batch has an entry of an unknown kind";
		data_bytes += es_load_u32le(entry + 12);
	}
	if (rest - 8 - header_bytes < data_bytes) {
		*ret_short = true;
		return "the data of the batch is cut";
	}
	if (es_raft_crc(0, es_slice(p + 8 + header_bytes, (size_t)data_bytes)) !=
	    es_load_u32le(p + 4))
		return "the checksum of the batch's data does not match";
	*ret_batch = (struct es_raft_batch){
		.entries = entries,
		.begin = offset,
		.headers = offset + PREAMBLE_BYTES,
		.data = offset + 8 + header_bytes,
		.end = offset + 8 + header_bytes + (size_t)data_bytes,
	};
	return NULL;
}

uint64_t es_raft_batch_claim(struct es_slice file, size_t offset, es_segments_index_fn *index_of)
{
	const uint8_t *p = file.data + offset;
	size_t begin = offset + PREAMBLE_BYTES + ENTRY_BYTES;
	uint32_t len;

	if (file.len < begin || es_load_u64le(p + 8) != 1 || p[24] != ES_RAFT_COMMAND)
		return 0;
	len = es_load_u32le(p + 28);
	return index_of(
		es_slice(file.data + begin, len < file.len - begin ? len : file.len - begin));
}

void es_raft_batch_entry(struct es_slice file, const struct es_raft_batch *batch, uint64_t at,
			 size_t *data, struct es_raft_entry *ret_entry)
{
	const uint8_t *header = file.data + batch->headers + ENTRY_BYTES * at;
	uint32_t len = es_load_u32le(header + 12);

	*ret_entry = (struct es_raft_entry){
		.term = es_load_u64le(header),
		.type = header[8],
		.bytes = es_slice(file.data + *data, len),
	};
	*data += len;
}
