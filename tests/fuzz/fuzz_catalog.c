/*
 * Catalog files. The first byte says what the rest is: a whole file, or (odd) a payload whose head is made right
 * here, so that damage gets past the hash. What can be read can be written; that is a fixed point, with its keys
 * in order.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "resource/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void wrap(struct es_slice payload, struct es_buf *buf)
{
	uint8_t digest[ES_BLAKE3_BYTES];

	es_blake3(payload, digest);
	ES_ASSERT(es_buf_append_str(buf, "engenho-catalog-snapshot v1\n") == 0);
	ES_ASSERT(es_buf_append_u64le(buf, payload.len) == 0);
	ES_ASSERT(es_buf_append(buf, digest, sizeof(digest)) == 0);
	ES_ASSERT(es_buf_append_slice(buf, payload) == 0);
}

static void write_one(struct es_catalog_writer *writer, const struct es_resource_key *key,
		      struct es_slice text)
{
	struct es_json_error error;
	struct es_buf canonical;
	struct es_arena arena;
	struct es_json value;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&canonical, es_mem_default());
	ES_ASSERT(es_json_parse(text, ES_CATALOG_VALUE_DEPTH_MAX, &arena, &value, &error) == 0);
	ES_ASSERT(es_json_write(&canonical, &value) == 0);
	ES_ASSERT(es_catalog_write(writer, key, es_buf_slice(&canonical)) == 0);
	es_buf_close(&canonical);
	es_arena_close(&arena);
}

/* Whether the file could be read; then `again` is what is written of it. */
static bool rewrite(struct es_slice file, struct es_buf *again)
{
	struct es_catalog_reader reader;
	struct es_catalog_writer writer;
	struct es_resource_key keys[2];
	struct es_slice value;
	char errmsg[200] = "";
	enum es_catalog_error error;
	uint64_t n = 0;

	error = es_catalog_open(&reader, file, es_mem_default(), errmsg, sizeof(errmsg));
	ES_ASSERT((error == ES_CATALOG_OK) == (errmsg[0] == '\0'));
	ES_ASSERT(error != ES_CATALOG_IO && error != ES_CATALOG_ENCODE);
	ES_ASSERT(error != ES_CATALOG_NO_MEMORY);
	if (error != ES_CATALOG_OK)
		return false;
	ES_ASSERT(es_catalog_write_begin(&writer, again) == 0);
	for (; es_catalog_next(&reader, &keys[n % 2], &value) > 0; n++) {
		ES_ASSERT(n == 0 || es_resource_key_cmp(&keys[(n + 1) % 2], &keys[n % 2]) < 0);
		write_one(&writer, &keys[n % 2], value);
	}
	ES_ASSERT(n == reader.info.resources);
	ES_ASSERT(es_catalog_write_end(&writer, reader.info.last_applied_term,
				       reader.info.last_applied_index,
				       reader.info.outer_last_applied_index) == 0);
	es_catalog_close(&reader);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_buf file, once, twice;

	if (size == 0)
		return 0;
	es_buf_init(&file, es_mem_default());
	es_buf_init(&once, es_mem_default());
	es_buf_init(&twice, es_mem_default());
	if (data[0] % 2 == 1)
		wrap(es_slice(data + 1, size - 1), &file);
	else
		ES_ASSERT(es_buf_append(&file, data + 1, size - 1) == 0);
	if (rewrite(es_buf_slice(&file), &once)) {
		ES_ASSERT(rewrite(es_buf_slice(&once), &twice));
		ES_ASSERT(es_slice_eq(es_buf_slice(&once), es_buf_slice(&twice)));
	}
	es_buf_close(&file);
	es_buf_close(&once);
	es_buf_close(&twice);
	return 0;
}
