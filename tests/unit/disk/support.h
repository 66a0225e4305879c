#ifndef ES_TESTS_UNIT_DISK_SUPPORT_H
#define ES_TESTS_UNIT_DISK_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "disk/fs.h"

static inline int s_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void s_remove(const char *folder)
{
	nftw(folder, s_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void s_temporary(char folder[256])
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, 256, "%s/es-test-XXXXXX", base != NULL ? base : "/tmp");
	assert_non_null(mkdtemp(folder));
}

/* A whole file; the caller frees it. */
static inline uint8_t *s_read(const char *folder, const char *name, size_t *ret_len)
{
	char path[512];
	struct stat st;
	uint8_t *data;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	*ret_len = (size_t)st.st_size;
	return data;
}

static inline void s_write(const char *folder, const char *name, const void *data, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* ---- a disk that fails ----------------------------------------------------------------------- */

/* The operating system's files, but the n-th operation that can fail does (0: the first), and with
 * `sticky` all later ones. A failing write has written half. */
struct fault_fs {
	struct es_fs fs;
	uint64_t countdown;
	bool sticky;
	bool fired;
	int error_number;
	int open_files;
};

static inline bool fault_hits(struct fault_fs *f)
{
	if (f->fired)
		return f->sticky;
	if (f->countdown > 0) {
		f->countdown--;
		return false;
	}
	f->fired = true;
	return true;
}

static inline int fault_status(struct fault_fs *f)
{
	errno = f->error_number;
	return es_fs_status(f->error_number);
}

#define FAULT_OP(name, parameters, ...)                        \
	static inline int fault_##name parameters              \
	{                                                      \
		struct fault_fs *f = ctx;                      \
		if (fault_hits(f))                             \
			return fault_status(f);                \
		return es_fs_posix()->name(NULL, __VA_ARGS__); \
	}

FAULT_OP(truncate, (void *ctx, int file, uint64_t size), file, size)
FAULT_OP(sync, (void *ctx, int file), file)
FAULT_OP(size, (void *ctx, int file, uint64_t *ret_size), file, ret_size)
FAULT_OP(rename, (void *ctx, const char *from, const char *to), from, to)
FAULT_OP(unlink, (void *ctx, const char *path), path)
FAULT_OP(mkdir, (void *ctx, const char *path), path)
FAULT_OP(list, (void *ctx, const char *path, int (*entry)(void *arg, const char *name), void *arg),
	 path, entry, arg)
FAULT_OP(sync_folder, (void *ctx, const char *path), path)
FAULT_OP(free_bytes, (void *ctx, const char *path, uint64_t *ret_bytes), path, ret_bytes)
FAULT_OP(read_at, (void *ctx, int file, void *data, size_t len, uint64_t offset, size_t *ret_len),
	 file, data, len, offset, ret_len)

static inline int fault_open(void *ctx, const char *path, enum es_fs_open how, int *ret_file)
{
	struct fault_fs *f = ctx;
	int rc;

	if (fault_hits(f))
		return fault_status(f);
	rc = es_fs_posix()->open(NULL, path, how, ret_file);
	if (rc == 0)
		f->open_files++;
	return rc;
}

static inline int fault_close(void *ctx, int file)
{
	struct fault_fs *f = ctx;
	int rc = es_fs_posix()->close(NULL, file);

	f->open_files--;
	return fault_hits(f) ? fault_status(f) : rc;
}

static inline int fault_write_at(void *ctx, int file, const void *data, size_t len, uint64_t offset)
{
	struct fault_fs *f = ctx;

	if (fault_hits(f)) {
		(void)es_fs_posix()->write_at(NULL, file, data, len / 2, offset);
		return fault_status(f);
	}
	return es_fs_posix()->write_at(NULL, file, data, len, offset);
}

static inline void fault_fs_init(struct fault_fs *f, uint64_t fail_after, int error_number)
{
	*f = (struct fault_fs){
		.fs =
			{
				.open = fault_open,
				.close = fault_close,
				.read_at = fault_read_at,
				.write_at = fault_write_at,
				.truncate = fault_truncate,
				.sync = fault_sync,
				.size = fault_size,
				.rename = fault_rename,
				.unlink = fault_unlink,
				.mkdir = fault_mkdir,
				.list = fault_list,
				.sync_folder = fault_sync_folder,
				.free_bytes = fault_free_bytes,
				.ctx = f,
			},
		.countdown = fail_after,
		.error_number = error_number,
	};
}

#endif
