/* Batches of libraft's segments, at any offset. */
#include "base/assert.h"
#include "disk/segments_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice file = es_slice(data, size);

	for (size_t offset = 0; offset <= size; offset += 8) {
		struct es_raft_batch batch;
		struct es_raft_entry entry;
		size_t at;
		bool is_short;

		if (es_raft_batch_at(file, offset, &batch, &is_short) != NULL)
			continue;
		ES_ASSERT(!is_short && batch.begin == offset && batch.end <= size);
		at = batch.data;
		for (uint64_t i = 0; i < batch.entries; i++) {
			es_raft_batch_entry(file, &batch, i, &at, &entry);
			ES_ASSERT(at <= batch.end);
			ES_ASSERT(entry.bytes.data + entry.bytes.len == data + at);
		}
		ES_ASSERT(at == batch.end);
	}
	return 0;
}
