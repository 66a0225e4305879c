#ifndef ES_DISK_FS_H
#define ES_DISK_FS_H

#include "base/slice.h"
#include "base/status.h"

/*
 * The blocking file operations that data on disk needs, as an object, so that a test can put a
 * faulty disk in their place. Every function may be called from any thread, different files at the
 * same time; an implementation is immutable or takes care of itself.
 *
 * All return 0 or a status: ES_ENOENT, ES_EEXIST, ES_ENOSPC (quota included), ES_ENOMEM, and ES_EIO
 * for everything else. `errno` is then the system's own number, for a text. Files are created with
 * mode 0600, folders with 0700.
 */
enum es_fs_open {
	ES_FS_READ,   /* an existing file, to read */
	ES_FS_UPDATE, /* an existing file, to read and write */
	ES_FS_CREATE, /* to read and write, made when missing, emptied when there */
	ES_FS_EXTEND, /* to read and write, made when missing, kept when there */
};

struct es_fs {
	int (*open)(void *ctx, const char *path, enum es_fs_open how, int *ret_file);
	/* Always succeeds in releasing the file; an error reports what a delayed write met. */
	int (*close)(void *ctx, int file);
	/* Reads `len` bytes unless the file ends before; *ret_len is how many there were. */
	int (*read_at)(void *ctx, int file, void *data, size_t len, uint64_t offset,
		       size_t *ret_len);
	/* Writes all of it or fails. */
	int (*write_at)(void *ctx, int file, const void *data, size_t len, uint64_t offset);
	int (*truncate)(void *ctx, int file, uint64_t size);
	int (*sync)(void *ctx, int file);
	int (*size)(void *ctx, int file, uint64_t *ret_size);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*unlink)(void *ctx, const char *path);
	int (*mkdir)(void *ctx, const char *path);
	/* Calls `entry` for each name but "." and ".."; an error from it ends the listing and is
	 * returned. */
	int (*list)(void *ctx, const char *path, int (*entry)(void *arg, const char *name),
		    void *arg);
	int (*sync_folder)(void *ctx, const char *path);
	/* What this process may still fill on the file system that holds `path`. */
	int (*free_bytes)(void *ctx, const char *path, uint64_t *ret_bytes);
	void *ctx;
};

/* The operating system's files. Static, any thread. */
const struct es_fs *es_fs_posix(void);

/* The status for an errno. */
int es_fs_status(int error_number);

#define ES_PATH_BYTES_MAX 1024

/* "folder/name" into `ret_path`. ES_EINVAL when it does not fit. */
int es_fs_join(const char *folder, const char *name, char ret_path[ES_PATH_BYTES_MAX]);

/*
 * Replace a small file as one step: temporary name, write, fsync, rename, fsync of the folder.
 * After a failure or a crash the old content or the new one is there, never a mixture.
 */
int es_fs_replace(const struct es_fs *fs, const char *folder, const char *name,
		  struct es_slice content);

#endif
