#ifndef ES_DISK_SEGMENTS_H
#define ES_DISK_SEGMENTS_H

#include "base/buf.h"
#include "disk/fs.h"

/*
 * The files of libraft in the folder `raft/` of the data folder: what we know of them, check and repair before libraft
 * opens it (docs/formats/raft-segments.md).
 */

/*
 * Make the folder of a new log whose first entry is `configuration` (libraft's encoding), as one step: a crash leaves no
 * `raft/` or a whole one. ES_EEXIST when there is one; ES_EIO, ES_ENOSPC, ES_ENOMEM.
 */
int es_segments_create(const struct es_mem *mem, const struct es_fs *fs, const char *data_dir,
		       struct es_slice configuration, char *errmsg, size_t errmsg_size);

#endif
