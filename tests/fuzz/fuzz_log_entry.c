/* Entries of the log, as they come from a disk or a peer. */
#include "base/assert.h"
#include "consensus/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice entry = es_slice(data, size);
	uint64_t index = es_batch_index(entry);
	struct es_batch_reader reader;
	struct es_slice command;
	size_t used = ES_BATCH_HEADER_BYTES;
	int rc = es_batch_open(entry, index, &reader);

	if (rc < 0) {
		ES_ASSERT(rc == ES_ECORRUPT || rc == ES_ETRUNCATED || rc == ES_EFORMAT);
		return 0;
	}
	while (es_batch_next(&reader, &command)) {
		used += ES_BATCH_COMMAND_BYTES;
		ES_ASSERT(command.len == 0 || command.data == data + used);
		used += command.len;
	}
	ES_ASSERT(used <= size && size - used < 8);
	ES_ASSERT(es_batch_open(entry, index + 1, &reader) < 0);
	return 0;
}
