/* Batches of libraft's segments, at any offset. */
#include "base/assert.h"
#include "disk/segments_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t index_of(struct es_slice entry)
{
	return entry.len < 16 ? 0 : es_load_u64le(entry.data + 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice file = es_slice(data, size);

	for (size_t offset = 0; offset <= size; offset += 8) {
		struct es_raft_batch batch;
		struct es_raft_entry entry;
		size_t at;
		bool is_short;
		uint64_t index = es_raft_batch_claim(file, offset, index_of);

		if (es_raft_batch_at(file, offset, &batch, &is_short) != NULL)
			continue;
		ES_ASSERT(!is_short && batch.begin == offset && batch.end <= size);
		at = batch.data;
		if (batch.entries == 1) {
			es_raft_batch_entry(file, &batch, 0, &at, &entry);
			ES_ASSERT(index ==
				  (entry.type == ES_RAFT_COMMAND ? index_of(entry.bytes) : 0));
			at = batch.data;
		} else {
			ES_ASSERT(index == 0);
		}
		for (uint64_t i = 0; i < batch.entries; i++) {
			es_raft_batch_entry(file, &batch, i, &at, &entry);
			ES_ASSERT(at <= batch.end);
			ES_ASSERT(entry.bytes.data + entry.bytes.len == data + at);
		}
		ES_ASSERT(at == batch.end);
	}
	return 0;
}
