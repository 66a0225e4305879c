/* The parts of a checkpoint. The first byte says which: hashes are not checked here, so that damage gets through. */
#include "base/assert.h"
#include "disk/checkpoint_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_status(int rc)
{
	ES_ASSERT(rc == 0 || rc == ES_ECORRUPT || rc == ES_ETRUNCATED || rc == ES_EFORMAT);
}

static void descriptor(struct es_slice bytes)
{
	uint8_t again[ES_CHECKPOINT_DESCRIPTOR_BYTES];
	struct es_checkpoint_descriptor d;
	int rc = es_checkpoint_descriptor_decode(bytes, &d);

	check_status(rc);
	if (rc < 0)
		return;
	es_checkpoint_descriptor_encode(&d, again);
	ES_ASSERT(es_slice_eq(bytes, es_slice(again, sizeof(again))));
}

static void manifest(struct es_slice bytes)
{
	struct es_checkpoint_files *files;
	struct es_checkpoint_state state;
	struct es_buf again;
	int rc = es_checkpoint_manifest_decode(es_mem_default(), bytes, &state, &files);

	check_status(rc);
	if (rc < 0)
		return;
	es_buf_init(&again, es_mem_default());
	ES_ASSERT(es_checkpoint_manifest_encode(&state, files, &again) == 0);
	ES_ASSERT(es_slice_eq(bytes, es_buf_slice(&again)));
	es_buf_close(&again);
	es_checkpoint_files_free(files);
}

/* A block's payload, into a store. */
static void payload(struct es_slice bytes)
{
	struct es_mvcc *store;
	struct es_mvcc_kv kv;
	int64_t previous = 0;
	int rc = 0;

	ES_ASSERT(es_mvcc_new(es_mem_default(), &store) == 0);
	while (rc == 0 && bytes.len > 0) {
		size_t before = bytes.len;

		rc = es_checkpoint_version_decode(&bytes, &previous, &kv);
		check_status(rc);
		ES_ASSERT(rc < 0 || bytes.len < before);
		if (rc == 0)
			rc = es_mvcc_restore(store, &kv);
		check_status(rc);
	}
	if (rc == 0 && es_mvcc_restore_end(store, previous > 1 ? previous : 1, -1) == 0)
		es_mvcc_check(store);
	es_mvcc_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice rest = es_slice(data + 1, size - 1);

	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0: descriptor(rest); break;
	case 1: manifest(rest); break;
	default: payload(rest);
	}
	return 0;
}
