#ifndef ES_DISK_DATADIR_H
#define ES_DISK_DATADIR_H

#include "base/mem.h"
#include "disk/fs.h"

/*
 * The data folder: who holds it, in which format it is, and whose it is
 * (docs/formats/data-folder.md).
 *
 *   LOCK    held with flock(2) as long as the folder is open; its text names the holder
 *   FORMAT  the format version of the whole folder, and what wrote it first
 *   MEMBER  cluster id, member id and name, checksummed
 *
 * The lock is the operating system's own; the other files go through `fs`. Loop thread only.
 */
struct es_datadir;

struct es_datadir_member {
	uint64_t cluster_id;
	uint64_t member_id;
	struct es_slice name; /* owned by the folder object */
};

#define ES_DATADIR_FORMAT         1
#define ES_DATADIR_NAME_BYTES_MAX 1024

/*
 * Open `path`, made with its parents (mode 0700) when missing, and lock it. `member_name` goes into
 * LOCK, `written_by` ("engenho-store 0.1.0") into a new FORMAT file, which es_datadir_set_member
 * writes. Borrows `mem` and `fs`. A folder that is refused is left as it was.
 *
 * ES_EBUSY: another process holds it; ES_EFORMAT: a newer format, or etcd's own folder;
 * ES_ECORRUPT: FORMAT or MEMBER is damaged, or missing beside data; ES_EINVAL: the path is too
 * long or no folder; ES_EIO, ES_ENOSPC, ES_ENOMEM. `errmsg` names file and cause.
 */
int es_datadir_open(const struct es_mem *mem, const struct es_fs *fs, const char *path,
		    const char *member_name, const char *written_by,
		    struct es_datadir **ret_datadir, char *errmsg, size_t errmsg_size);
/* Releases the lock. Without a member, a folder that was new is empty again. NULL is allowed. */
void es_datadir_close(struct es_datadir *datadir);

const char *es_datadir_path(const struct es_datadir *datadir);
/* The n-th thing that an operator should be told (others than its owner may look into the folder;
 * etcd's data is in it too), NULL behind the last. */
const char *es_datadir_warning(const struct es_datadir *datadir, size_t n);

/* Whose folder this is; false as long as nobody said so. */
bool es_datadir_member(const struct es_datadir *datadir, struct es_datadir_member *ret_member);
/* Record it, durably and as one step. The name is copied. ES_EINVAL: the name is too long; ES_EIO,
 * ES_ENOSPC, ES_ENOMEM. What was known before stays on failure. */
int es_datadir_set_member(struct es_datadir *datadir, const struct es_datadir_member *member,
			  char *errmsg, size_t errmsg_size);

#endif
