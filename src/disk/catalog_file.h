#ifndef ES_DISK_CATALOG_FILE_H
#define ES_DISK_CATALOG_FILE_H

#include "disk/fs.h"

/*
 * Catalog files as files: their bytes are resource/catalog.h's business. Blocking; any thread. Errors of the disk
 * are those of struct es_fs, and `errmsg` says what and which path ("cannot open a/b.snap: Permission denied");
 * ES_EINVAL: the path is too long, or names no file.
 */
struct es_mem;

/* Read a whole file into one block of its size. The caller frees `ret_file->data` with es_free(mem, ..). ES_ENOMEM. */
int es_catalog_load(const struct es_fs *fs, const struct es_mem *mem, const char *path,
		    struct es_slice *ret_file, char *errmsg, size_t errmsg_size);

/*
 * The file that es_catalog_save(path) makes or replaces: links are followed. ES_EIO refuses what is there and is no
 * regular file, a file that this user may not write, and a link to nothing. ES_EINVAL; ES_ENOMEM. `errmsg` as above.
 */
int es_catalog_target(const char *path, char ret_target[ES_PATH_BYTES_MAX], char *errmsg,
		      size_t errmsg_size);

/*
 * Write es_catalog_target(path) as one step: parent folders that are missing are made; the bytes go to
 * es_catalog_temporary(target), which is flushed, renamed to the target, and the folder is flushed. After a failure or
 * a crash the old file or the new one is there, whole. What a crash leaves under the temporary name is overwritten the
 * next time.
 */
int es_catalog_save(const struct es_fs *fs, const char *path, struct es_slice file, char *errmsg,
		    size_t errmsg_size);
/* The path with its extension replaced by "snap.tmp", or with that added when it has none. */
int es_catalog_temporary(const char *path, char ret_temporary[ES_PATH_BYTES_MAX]);

#endif
