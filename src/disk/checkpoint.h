#ifndef ES_DISK_CHECKPOINT_H
#define ES_DISK_CHECKPOINT_H

#include "base/buf.h"
#include "base/hash.h"
#include "disk/fs.h"
#include "mvcc/mvcc.h"

/*
 * A checkpoint is the whole state at one log index, as files in the folder `checkpoints/` of the
 * data folder (docs/formats/checkpoint.md, byte by byte): a manifest that names data files, each
 * holding the versions of a range of revisions. A new checkpoint writes only the versions since the
 * last one into a file of its own and names the older files again; when these additions outgrow the
 * first file, it writes one new base instead. A manifest is what libraft's 64-byte snapshot
 * descriptor points at: files that no descriptor can name any more are removed after the next one
 * is safe.
 *
 * An addition must hold every deletion since the last checkpoint, or the older files would bring
 * deleted keys back. The caller therefore keeps a pin on the store at the revision of its last
 * checkpoint until the next one is on disk.
 */
struct es_checkpoint_state {
	uint64_t cluster_id;
	uint64_t index; /* the last log entry that the state contains */
	uint64_t term;
	int64_t revision;
	int64_t compacted;
	uint8_t chain[ES_BLAKE3_BYTES]; /* head of the apply chain at `index` */
	struct es_slice meta; /* the engine's own encoding of everything that is not a version */
};

#define ES_CHECKPOINT_DESCRIPTOR_BYTES 64

/* Is it whole, and the one of a checkpoint at `index` and `term`? ES_ECORRUPT, ES_ETRUNCATED,
 * ES_EFORMAT. */
int es_checkpoint_descriptor_check(struct es_slice descriptor, uint64_t index, uint64_t term);

/* The data files that a checkpoint names, for the next one to build on. */
struct es_checkpoint_files;
void es_checkpoint_files_free(struct es_checkpoint_files *files);
/* The revision that they reach to, which must stay pinned for the next checkpoint to build on them.
 */
int64_t es_checkpoint_files_revision(const struct es_checkpoint_files *files);
/* How many, and their bytes on disk. */
size_t es_checkpoint_files_count(const struct es_checkpoint_files *files);
uint64_t es_checkpoint_files_bytes(const struct es_checkpoint_files *files);

struct es_checkpoint_writer;

/*
 * Begin. `state->meta` is copied. `store` must be pinned at 0 by the caller until everything is
 * filled in: a checkpoint holds every version that the store has, and a compaction under way could
 * take a tombstone before it is reached, and leave the versions below it in the file.
 * Changes above state->revision may go on meanwhile. `previous` (copied) may be NULL: the
 * checkpoint then stands on its own. Without `may_rebase` no new base is made for its own sake, only
 * when nothing can be added to the previous one. Loop thread. ES_ENOMEM, ES_EINVAL (a path that is too long).
 */
int es_checkpoint_writer_new(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			     const struct es_checkpoint_state *state, const struct es_mvcc *store,
			     const struct es_checkpoint_files *previous, bool may_rebase,
			     struct es_checkpoint_writer **ret_writer);
/* Loop thread: encodes up to about 256 KiB of versions. *ret_done when there is nothing left to
 * encode. */
int es_checkpoint_fill(struct es_checkpoint_writer *writer, bool *ret_done);
/* Does it stand on its own? Any thread. */
bool es_checkpoint_is_base(const struct es_checkpoint_writer *writer);
/* What the next flush writes at most. Like flush. */
uint64_t es_checkpoint_flush_bytes(const struct es_checkpoint_writer *writer);
/* Any thread, never beside fill: hashes and writes what fill encoded. */
int es_checkpoint_flush(struct es_checkpoint_writer *writer);
/* Any thread: last hashes, manifest, fsync of files and folder, rename. Then it is safe on disk. */
int es_checkpoint_commit(struct es_checkpoint_writer *writer,
			 uint8_t ret_descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES]);
/* After commit: the files, owned by the caller from now on. */
struct es_checkpoint_files *es_checkpoint_take_files(struct es_checkpoint_writer *writer);
/* Any thread. Removes what is unfinished on disk. NULL is allowed. */
void es_checkpoint_writer_free(struct es_checkpoint_writer *writer);
/* Bytes written to disk so far, and a text of the last error with file and offset. */
uint64_t es_checkpoint_bytes_written(const struct es_checkpoint_writer *writer);
const char *es_checkpoint_error(const struct es_checkpoint_writer *writer);

/*
 * Load what `descriptor` names into an empty store. *ret_state (meta in `ret_meta`) and *ret_files
 * on success. ES_ECORRUPT, ES_ETRUNCATED, ES_EFORMAT, ES_EIO, ES_ENOENT, ES_ENOMEM, with a text in
 * `errmsg` that names the file, the offset and the way out; the store is then to be thrown away.
 * Nothing is believed before its hash was checked.
 */
int es_checkpoint_load(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
		       struct es_slice descriptor, struct es_mvcc *store,
		       struct es_checkpoint_state *ret_state, struct es_buf *ret_meta,
		       struct es_checkpoint_files **ret_files, char *errmsg, size_t errmsg_size);

/* Removes every file of ours in the folder that `descriptor`'s manifest does not name (empty: all
 * of them). Any thread. */
int es_checkpoint_sweep(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			struct es_slice descriptor);

#endif
