#ifndef ES_DISK_SEGMENTS_H
#define ES_DISK_SEGMENTS_H

#include "base/buf.h"
#include "disk/fs.h"
#include "disk/guard.h"

/*
 * The files of libraft in the folder `raft/` of the data folder: what we know of them, check and
 * repair before libraft opens it (docs/formats/raft-segments.md).
 */

/* The limit of libraft on a configuration in its first segment. */
#define ES_SEGMENTS_CONFIGURATION_BYTES_MAX 4032

/*
 * Make the folder of a new log whose first entry is `configuration` (libraft's encoding), as one
 * step: a crash leaves no `raft/` or a whole one. ES_EINVAL (too long), ES_EIO (also when there is
 * one), ES_ENOSPC, ES_ENOMEM.
 */
int es_segments_create(const struct es_mem *mem, const struct es_fs *fs, const char *data_dir,
		       struct es_slice configuration, char *errmsg, size_t errmsg_size);

/* The index that an entry, of which the first 24 bytes will do, says it is at; 0: it is none of
 * ours. */
typedef uint64_t es_segments_index_fn(struct es_slice entry);

struct es_segments_report {
	uint64_t first_index; /* of the entries in the files; last_index + 1 when there are none */
	uint64_t last_index;
	uint64_t last_term;
	uint64_t snapshot_index; /* 0: none */
	uint64_t snapshot_term;
	uint64_t cut_bytes; /* of an unfinished write that was cut; 0: none */
	uint64_t cut_offset;
	char cut_file[64];
	char snapshot_file[96];
};

/* What was found, until it is repaired. */
struct es_segments;

/*
 * Look at every file that libraft would read, with the rules of docs/formats/raft-segments.md.
 * Changes nothing. When something is not well, `errmsg` names the file, the offset and the way out:
 * ES_ECORRUPT, ES_ETRUNCATED, ES_EFORMAT, ES_ENOENT (a file is missing), ES_EIO, ES_ENOMEM.
 *
 * `index_of` tells what index a command entry claims; `descriptor_bytes` is the size of a snapshot
 * of ours. Strings and the guard are borrowed until es_segments_free.
 */
int es_segments_check(const struct es_mem *mem, const struct es_fs *fs, const char *raft_dir,
		      struct es_guard *guard, es_segments_index_fn *index_of,
		      size_t descriptor_bytes, struct es_segments **ret_segments,
		      struct es_segments_report *ret_report, char *errmsg, size_t errmsg_size);

/* The content of the newest snapshot; empty when there is none. */
struct es_slice es_segments_snapshot(const struct es_segments *segments);

/*
 * Finish what a crash or a failure interrupted: cut the torn tail, close open segments or remove
 * those that the snapshot has, write the metadata file that is missing. libraft then finds closed
 * segments only. A crash in the middle of it leaves what can be checked and repaired again. ES_EIO,
 * ES_ENOSPC, with a text.
 */
int es_segments_repair(struct es_segments *segments, char *errmsg, size_t errmsg_size);

/*
 * While libraft runs, after it stored a snapshot at `index`: the name of a segment that begins at
 * or before it and should have been closed before that, or "". Any thread. ES_EIO, ES_ENOMEM:
 * cannot look.
 */
#define ES_SEGMENTS_NAME_BYTES 96
int es_segments_unclosed(const struct es_fs *fs, const char *raft_dir, uint64_t index,
			 es_segments_index_fn *index_of, char ret_name[ES_SEGMENTS_NAME_BYTES]);

/* NULL is allowed. */
void es_segments_free(struct es_segments *segments);

#endif
