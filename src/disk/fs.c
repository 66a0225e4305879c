#include "disk/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Linux moves at most this much at a call. */
#define IO_BYTES_MAX ((size_t)1 << 30)

int es_fs_status(int error_number)
{
	switch (error_number) {
	case 0: return 0;
	case ENOENT: return ES_ENOENT;
	case EEXIST: return ES_EEXIST;
	case ENOSPC:
	case EDQUOT: return ES_ENOSPC;
	case ENOMEM: return ES_ENOMEM;
	default: return ES_EIO;
	}
}

static int status_of(int result)
{
	return result < 0 ? es_fs_status(errno) : 0;
}

static int posix_open(void *ctx, const char *path, enum es_fs_open how, int *ret_file)
{
	static const int flags[] = {
		[ES_FS_READ] = O_RDONLY,
		[ES_FS_UPDATE] = O_RDWR,
		[ES_FS_CREATE] = O_RDWR | O_CREAT | O_TRUNC,
		[ES_FS_EXTEND] = O_RDWR | O_CREAT,
	};
	int fd;

	(void)ctx;
	fd = open(path, flags[how] | O_CLOEXEC, 0600);
	if (fd < 0)
		return es_fs_status(errno);
	*ret_file = fd;
	return 0;
}

static int posix_close(void *ctx, int file)
{
	(void)ctx;
	if (close(file) < 0 && errno != EINTR) /* Linux has released it even so */
		return es_fs_status(errno);
	return 0;
}

static int posix_read_at(void *ctx, int file, void *data, size_t len, uint64_t offset,
			 size_t *ret_len)
{
	uint8_t *to = data;
	size_t done = 0;

	(void)ctx;
	while (done < len) {
		size_t want = len - done < IO_BYTES_MAX ? len - done : IO_BYTES_MAX;
		ssize_t n = pread(file, to + done, want, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return es_fs_status(errno);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

static int posix_write_at(void *ctx, int file, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *from = data;

	(void)ctx;
	while (len > 0) {
		ssize_t n = pwrite(file, from, len < IO_BYTES_MAX ? len : IO_BYTES_MAX,
				   (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return es_fs_status(errno);
		if (n == 0) {
			errno = EIO;
			return ES_EIO;
		}
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int posix_truncate(void *ctx, int file, uint64_t size)
{
	(void)ctx;
	return status_of(ftruncate(file, (off_t)size));
}

static int posix_sync(void *ctx, int file)
{
	(void)ctx;
	return status_of(fsync(file));
}

static int posix_size(void *ctx, int file, uint64_t *ret_size)
{
	struct stat st;

	(void)ctx;
	if (fstat(file, &st) < 0)
		return es_fs_status(errno);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int posix_rename(void *ctx, const char *from, const char *to)
{
	(void)ctx;
	return status_of(rename(from, to));
}

static int posix_unlink(void *ctx, const char *path)
{
	(void)ctx;
	return status_of(unlink(path));
}

static int posix_mkdir(void *ctx, const char *path)
{
	(void)ctx;
	return status_of(mkdir(path, 0700));
}

static int posix_list(void *ctx, const char *path, int (*entry)(void *arg, const char *name),
		      void *arg)
{
	DIR *dir = opendir(path);
	int rc = 0;

	(void)ctx;
	if (dir == NULL)
		return es_fs_status(errno);
	while (rc == 0) {
		struct dirent *d;

		errno = 0;
		d = readdir(dir);
		if (d == NULL) {
			rc = es_fs_status(errno);
			break;
		}
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = entry(arg, d->d_name);
	}
	closedir(dir);
	return rc;
}

static int posix_sync_folder(void *ctx, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	(void)ctx;
	if (fd < 0)
		return es_fs_status(errno);
	rc = status_of(fsync(fd));
	close(fd);
	return rc;
}

static int posix_free_bytes(void *ctx, const char *path, uint64_t *ret_bytes)
{
	struct statvfs st;

	(void)ctx;
	if (statvfs(path, &st) < 0)
		return es_fs_status(errno);
	*ret_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

const struct es_fs *es_fs_posix(void)
{
	static const struct es_fs fs = {
		.open = posix_open,
		.close = posix_close,
		.read_at = posix_read_at,
		.write_at = posix_write_at,
		.truncate = posix_truncate,
		.sync = posix_sync,
		.size = posix_size,
		.rename = posix_rename,
		.unlink = posix_unlink,
		.mkdir = posix_mkdir,
		.list = posix_list,
		.sync_folder = posix_sync_folder,
		.free_bytes = posix_free_bytes,
	};

	return &fs;
}

int es_fs_join(const char *folder, const char *name, char ret_path[ES_PATH_BYTES_MAX])
{
	int n = snprintf(ret_path, ES_PATH_BYTES_MAX, "%s/%s", folder, name);

	return n < 0 || n >= ES_PATH_BYTES_MAX ? ES_EINVAL : 0;
}

int es_fs_replace(const struct es_fs *fs, const char *folder, const char *name,
		  struct es_slice content)
{
	char path[ES_PATH_BYTES_MAX];
	char temporary[ES_PATH_BYTES_MAX];
	int file = -1;
	int error_number;
	int rc;

	rc = es_fs_join(folder, name, path);
	if (rc < 0)
		return rc;
	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return ES_EINVAL;
	rc = fs->open(fs->ctx, temporary, ES_FS_CREATE, &file);
	if (rc < 0)
		return rc;
	rc = fs->write_at(fs->ctx, file, content.data, content.len, 0);
	if (rc < 0)
		goto fail;
	rc = fs->sync(fs->ctx, file);
	if (rc < 0)
		goto fail;
	rc = fs->close(fs->ctx, file);
	file = -1;
	if (rc < 0)
		goto fail;
	rc = fs->rename(fs->ctx, temporary, path);
	if (rc < 0)
		goto fail;
	return fs->sync_folder(fs->ctx, folder);
fail:
	error_number = errno;
	if (file >= 0)
		fs->close(fs->ctx, file);
	fs->unlink(fs->ctx, temporary);
	errno = error_number;
	return rc;
}
