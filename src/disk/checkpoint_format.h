#ifndef ES_DISK_CHECKPOINT_FORMAT_H
#define ES_DISK_CHECKPOINT_FORMAT_H

#include "disk/checkpoint.h"

/*
 * The bytes of a checkpoint (docs/formats/checkpoint.md). Decoders believe nothing: ES_EFORMAT for
 * another format version or kind of file, ES_ETRUNCATED for an end that comes too early,
 * ES_ECORRUPT for the rest.
 */
#define ES_CHECKPOINT_FORMAT 1

/* ---- descriptor: what libraft keeps as its snapshot ------------------------------------------ */

struct es_checkpoint_descriptor {
	uint64_t index;
	uint64_t term;
	uint32_t manifest_bytes;
	uint8_t manifest_hash[ES_BLAKE3_BYTES];
};

void es_checkpoint_descriptor_encode(const struct es_checkpoint_descriptor *descriptor,
				     uint8_t ret_bytes[ES_CHECKPOINT_DESCRIPTOR_BYTES]);
int es_checkpoint_descriptor_decode(struct es_slice bytes,
				    struct es_checkpoint_descriptor *ret_descriptor);

/* ---- manifest -------------------------------------------------------------------------------- */

struct es_checkpoint_file {
	uint64_t number; /* of its name: the index of the checkpoint that wrote it */
	int64_t after;   /* holds the versions with after < revision <= last */
	int64_t last;
	uint64_t versions;
	uint64_t bytes;
	uint64_t blocks;
	uint8_t root[ES_BLAKE3_BYTES];
};

struct es_checkpoint_files {
	const struct es_mem *mem;
	size_t count;
	struct es_checkpoint_file *files;
	int64_t revision; /* of the checkpoint that names them; at or above the last file's */
};

int es_checkpoint_files_copy(const struct es_mem *mem, const struct es_checkpoint_files *files,
			     size_t extra, struct es_checkpoint_files **ret_copy);

/* Appends to `ret_bytes`. */
int es_checkpoint_manifest_encode(const struct es_checkpoint_state *state,
				  const struct es_checkpoint_files *files,
				  struct es_buf *ret_bytes);
/* ret_state->meta points into `bytes`. */
int es_checkpoint_manifest_decode(const struct es_mem *mem, struct es_slice bytes,
				  struct es_checkpoint_state *ret_state,
				  struct es_checkpoint_files **ret_files);

/* ---- data files ------------------------------------------------------------------------------ */

#define ES_CHECKPOINT_FILE_HEADER_BYTES  48
#define ES_CHECKPOINT_BLOCK_HEADER_BYTES 48
/* A block is a little over 256 KiB, or one version: a key and a value. */
#define ES_CHECKPOINT_BLOCK_BYTES_MAX ((uint32_t)1 << 31)

void es_checkpoint_file_header(const struct es_checkpoint_file *file, uint64_t cluster_id,
			       uint8_t ret_bytes[ES_CHECKPOINT_FILE_HEADER_BYTES]);

struct es_checkpoint_block {
	uint32_t bytes; /* of the payload behind the header */
	uint32_t versions;
	uint64_t number; /* from 0 in each file */
	uint8_t hash[ES_BLAKE3_BYTES];
};

/* Fills in block->hash as well. */
void es_checkpoint_block_header(struct es_checkpoint_block *block, struct es_slice payload,
				uint8_t ret_bytes[ES_CHECKPOINT_BLOCK_HEADER_BYTES]);
int es_checkpoint_block_decode(struct es_slice header, struct es_checkpoint_block *ret_block);
bool es_checkpoint_block_matches(const struct es_checkpoint_block *block, struct es_slice header,
				 struct es_slice payload);

/* One version behind the others of a payload; `previous` is the main revision of the one before it,
 * 0 at the beginning. */
int es_checkpoint_version_encode(const struct es_mvcc_kv *kv, int64_t previous,
				 struct es_buf *ret_payload);
/* Takes one version off the front; its slices point into it. *previous is moved on. */
int es_checkpoint_version_decode(struct es_slice *payload, int64_t *previous,
				 struct es_mvcc_kv *ret_kv);

/* ---- names ----------------------------------------------------------------------------------- */

#define ES_CHECKPOINT_NAME_BYTES 40

void es_checkpoint_manifest_name(uint64_t index, char ret_name[ES_CHECKPOINT_NAME_BYTES]);
void es_checkpoint_versions_name(uint64_t number, char ret_name[ES_CHECKPOINT_NAME_BYTES]);
/* Is it a name that we give, one of an unfinished file included? */
bool es_checkpoint_is_ours(const char *name);

#endif
