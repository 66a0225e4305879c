#ifndef ES_RESOURCE_CATALOG_H
#define ES_RESOURCE_CATALOG_H

#include "mvcc/mvcc.h"
#include "resource/key.h"

/*
 * The catalog snapshot file, v1 (docs/formats/catalog-v1.md): magic, length, BLAKE3, canonical JSON payload. Here are
 * the bytes; files are es_catalog_load and es_catalog_save in disk/catalog_file.h. Pure.
 */
#define ES_CATALOG_HEAD_BYTES 68
#define ES_CATALOG_VALUE_DEPTH_MAX ES_RESOURCE_DEPTH_MAX

enum es_catalog_error {
	ES_CATALOG_OK,
	ES_CATALOG_IO, /* the file cannot be opened or read; given by who reads files */
	ES_CATALOG_TRUNCATED,
	ES_CATALOG_BAD_MAGIC,
	ES_CATALOG_HASH_MISMATCH,
	ES_CATALOG_DECODE,
	ES_CATALOG_ENCODE,
	ES_CATALOG_NO_MEMORY, /* not of the file */
};
/* "truncated" ... ("ok", "no_memory" for the two that are no error of a file): stable. Static. */
const char *es_catalog_error_name(enum es_catalog_error error);

/* ---- reading ---------------------------------------------------------------------------- */

struct es_catalog_info {
	uint64_t payload_bytes, ignored_bytes; /* behind the payload */
	uint64_t resources;                    /* different keys */
	uint64_t last_applied_term, last_applied_index;
	uint64_t outer_last_applied_index; /* beside the catalog */
};

/* Memory that gives only small pieces: what a file makes us allocate beside its own size is bounded by it. */
struct es_catalog_mem {
	struct es_mem mem;
	const struct es_mem *from;
	bool refused;
};

/* The caller embeds it, reads `info`, and does not move it while it is open. */
struct es_catalog_reader {
	struct es_catalog_info info;
	const struct es_mem *mem;
	struct es_catalog_mem small;
	struct es_json_cursor items; /* at the first resource */
	struct es_json_cursor at;    /* at the next, when they are in order */
	size_t *order;               /* else where each begins, in key order */
	size_t next;
	struct es_arena names, keys[2];
	struct es_json_error error;
};

/*
 * Check a whole file. ES_CATALOG_OK: `info` is filled in, es_catalog_next gives the resources, and
 * es_catalog_close must follow; `file` is borrowed until then. Else there is nothing to close, and `errmsg` says
 * what and where ("at byte 12 of the payload: expected an array"). Never ES_CATALOG_IO or ES_CATALOG_ENCODE.
 *
 * Memory: some KiB; when the resources are not in key order, 16 bytes for each meanwhile and 8 until the close. A
 * key or a member's name that has escapes and is longer than ES_CATALOG_NAME_BYTES_MAX is ES_CATALOG_DECODE.
 */
#define ES_CATALOG_NAME_BYTES_MAX 65536
enum es_catalog_error es_catalog_open(struct es_catalog_reader *reader, struct es_slice file,
				      const struct es_mem *mem, char *errmsg, size_t errmsg_size);
/*
 * The next resource in key order: 1; 0 at the end; ES_ENOMEM. Of a key that is there more than once only the last.
 * The key lives until the next call but one, so that it can be compared with the next, and the value as long as
 * the file: it is checked JSON, at most ES_CATALOG_VALUE_DEPTH_MAX deep, but not canonical. After ES_ENOMEM only
 * the close may follow.
 */
int es_catalog_next(struct es_catalog_reader *reader, struct es_resource_key *ret_key,
		    struct es_slice *ret_value);
void es_catalog_close(struct es_catalog_reader *reader);

/* ---- writing ---------------------------------------------------------------------------- */

/*
 * Begin, then every resource in strictly ascending key order with its canonical value (at most
 * ES_CATALOG_VALUE_DEPTH_MAX deep), then end, which appends what is missing and fills in length and hash: the file
 * is what was appended to `buf` since begin. All ES_ENOMEM: then `buf` holds a part of it.
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

/*
 * Append the file of all resources that a store holds now. ES_CATALOG_OK, ES_CATALOG_NO_MEMORY, or ES_CATALOG_ENCODE
 * with `errmsg`: something below ES_RESOURCE_ROOT has no resource's path or no JSON value, or is nested too deep. On
 * failure `buf` is as it was. Memory beside `buf`: the keys, and one value at a time.
 */
enum es_catalog_error es_catalog_write_store(const struct es_mvcc *store,
					     uint64_t last_applied_term,
					     uint64_t last_applied_index, struct es_buf *buf,
					     char *errmsg, size_t errmsg_size);

#endif
