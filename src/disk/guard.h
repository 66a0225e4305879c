#ifndef ES_DISK_GUARD_H
#define ES_DISK_GUARD_H

#include "base/mem.h"
#include "disk/fs.h"

/*
 * The file `GUARD` of the data folder: what libraft's own files cannot tell by themselves
 * (docs/formats/raft-segments.md).
 *
 *   - The last entry that was acknowledged. The last write of a log looks the same whether it was
 *     torn by a crash or damaged later; an entry that this file knows was not torn. It is written
 *     without fsync after each write of the log: it outlives the process at once and a power
 *     failure after some seconds, and is never ahead of the log.
 *   - Checksummed copies of libraft's two metadata files (term and vote), written durably before
 *     them.
 */
struct es_guard;

struct es_guard_metadata {
	uint64_t version; /* 0: not known */
	uint64_t term;
	uint64_t vote;
};

/* Opens it, or makes it, durably. ES_ECORRUPT, ES_ETRUNCATED, ES_EFORMAT, ES_EIO, ES_ENOSPC,
 * ES_ENOMEM, with a text. */
int es_guard_open(const struct es_mem *mem, const struct es_fs *fs, const char *data_dir,
		  struct es_guard **ret_guard, char *errmsg, size_t errmsg_size);
/* Makes it durable as well. NULL is allowed. */
void es_guard_close(struct es_guard *guard);
const char *es_guard_path(const struct es_guard *guard);

/* 0: none. */
uint64_t es_guard_acknowledged(const struct es_guard *guard);
/* Entry `index` is durable in the log, and all before it. Cheap: no fsync. */
int es_guard_acknowledge(struct es_guard *guard, uint64_t index);

/* The newest copy, and the one before it (version 0 when there is none or it is damaged). */
void es_guard_metadata(const struct es_guard *guard, struct es_guard_metadata *ret_newest,
		       struct es_guard_metadata *ret_before);
/* Durable when it returns. `metadata->version` is one more than that of the newest, unless that is
 * not known. */
int es_guard_set_metadata(struct es_guard *guard, const struct es_guard_metadata *metadata);

#endif
