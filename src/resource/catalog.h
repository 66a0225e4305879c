#ifndef ES_RESOURCE_CATALOG_H
#define ES_RESOURCE_CATALOG_H

#include "resource/key.h"

/*
 * The catalog snapshot file, v1 (docs/formats/catalog-v1.md): magic, length, BLAKE3, canonical JSON payload. Here are
 * the bytes; files are es_catalog_save and es_catalog_load in src/disk. Pure.
 */
#define ES_CATALOG_HEAD_BYTES 68

enum es_catalog_error {
	ES_CATALOG_OK,
	ES_CATALOG_IO,
	ES_CATALOG_TRUNCATED,
	ES_CATALOG_BAD_MAGIC,
	ES_CATALOG_HASH_MISMATCH,
	ES_CATALOG_DECODE,
	ES_CATALOG_ENCODE,
	ES_CATALOG_NO_MEMORY, /* not of the file */
};
/* "truncated" ...: stable. */
const char *es_catalog_error_name(enum es_catalog_error error);

struct es_catalog_info {
	uint64_t payload_bytes, ignored_bytes; /* behind the payload */
	uint64_t resources;
	uint64_t last_applied_term, last_applied_index;
	uint64_t outer_last_applied_index; /* beside the catalog */
};

/*
 * Check a whole file and, when `each` is not NULL, hand out its resources in key order; of a key that is there twice the
 * last one counts. `value` is the text of the value in the file, checked JSON but not canonical. Memory: 16 bytes a
 * resource at most, none when they are in order. An error of `each` (< 0) ends it: ES_CATALOG_DECODE... is not what is
 * returned then, but *ret_status holds it. `errmsg`: what and where.
 */
enum es_catalog_error es_catalog_read(struct es_slice file, const struct es_mem *mem,
				      int (*each)(void *ctx, const struct es_resource_key *key,
						  struct es_slice value),
				      void *ctx, struct es_catalog_info *ret_info, int *ret_status,
				      char *errmsg, size_t errmsg_size);

/*
 * Write one: begin, then every resource in key order (asserted) with its canonical value, then end, which appends what is
 * missing and fills in length and hash. The file's bytes are in `buf` then. ES_ENOMEM.
 */
struct es_catalog_writer {
	struct es_buf *buf;
	size_t begin;
	uint64_t count;
};
int es_catalog_write_begin(struct es_catalog_writer *writer, struct es_buf *buf);
int es_catalog_write(struct es_catalog_writer *writer, const struct es_resource_key *key,
		     struct es_slice canonical_value);
int es_catalog_write_end(struct es_catalog_writer *writer, uint64_t last_applied_term,
			 uint64_t last_applied_index, uint64_t outer_last_applied_index);

#endif
