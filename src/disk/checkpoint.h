#ifndef ES_DISK_CHECKPOINT_H
#define ES_DISK_CHECKPOINT_H

#include "base/buf.h"
#include "base/hash.h"
#include "disk/fs.h"
#include "mvcc/mvcc.h"

/*
 * A checkpoint is the whole state at one log index, as files in the folder `checkpoints/` of the data folder
 * (docs/formats/checkpoint.md, byte by byte): a manifest that names data files, each holding the versions of a range of
 * revisions. A new checkpoint writes only the versions since the last one into a file of its own and names the older
 * files again; when these additions outgrow the first file, it writes one new base instead. A manifest is what libraft's
 * 64-byte snapshot descriptor points at: files that no descriptor can name any more are removed after the next one is safe.
 */
struct es_checkpoint_state {
	uint64_t cluster_id;
	uint64_t index;      /* the last log entry that the state contains */
	uint64_t term;
	int64_t revision;
	int64_t compacted;
	uint8_t chain[ES_BLAKE3_BYTES]; /* head of the apply chain at `index` */
	struct es_slice meta;           /* the engine's own encoding of everything that is not a version */
};

#define ES_CHECKPOINT_DESCRIPTOR_BYTES 64

struct es_checkpoint_writer;

/*
 * Begin. `state->meta` is copied. `store` must be pinned at state->revision by the caller until the writer is freed.
 * Loop thread. ES_ENOMEM.
 */
int es_checkpoint_writer_new(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			     const struct es_checkpoint_state *state, const struct es_mvcc *store,
			     struct es_checkpoint_writer **ret_writer);
/* Loop thread: encodes up to about 1 MiB of versions. *ret_done when there is nothing left to encode. */
int es_checkpoint_fill(struct es_checkpoint_writer *writer, bool *ret_done);
/* Any thread, never beside fill: hashes and writes what fill encoded. */
int es_checkpoint_flush(struct es_checkpoint_writer *writer);
/* Any thread: last hashes, manifest, fsync of files and folder, rename. Then it is safe on disk. */
int es_checkpoint_commit(struct es_checkpoint_writer *writer,
			 uint8_t ret_descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES]);
/* Removes what is unfinished on disk. NULL is allowed. */
void es_checkpoint_writer_free(struct es_checkpoint_writer *writer);
/* Bytes written to disk so far, and a text of the last error with file and offset. */
uint64_t es_checkpoint_bytes_written(const struct es_checkpoint_writer *writer);
const char *es_checkpoint_error(const struct es_checkpoint_writer *writer);

/*
 * Load what `descriptor` names into an empty store. *ret_state (meta in `ret_meta`) on success. ES_ECORRUPT, ES_ETRUNCATED,
 * ES_EFORMAT, ES_EIO, ES_ENOENT, ES_ENOMEM, with a text in `errmsg` that names the file, the offset and the way out; the
 * store is then to be thrown away. Nothing is believed before its hash was checked.
 */
int es_checkpoint_load(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
		       struct es_slice descriptor, struct es_mvcc *store, struct es_checkpoint_state *ret_state,
		       struct es_buf *ret_meta, char *errmsg, size_t errmsg_size);

/* Removes every file in the folder that `descriptor`'s manifest does not name. Any thread. */
int es_checkpoint_sweep(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			struct es_slice descriptor);

#endif
