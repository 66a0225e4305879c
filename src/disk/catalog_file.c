#include "disk/catalog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct errmsg {
	char *text;
	size_t size;
};

/* Returns `rc`. The text of errno is the system's own, also where a status says less. */
static int report(const struct errmsg *errmsg, int rc, const char *what, const char *path)
{
	int error_number = errno;
	char text[128];

	(void)snprintf(errmsg->text, errmsg->size, "cannot %s %s: %s", what, path,
		       strerror_r(error_number, text, sizeof(text)));
	errno = error_number;
	return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

int es_catalog_load(const struct es_fs *fs, const struct es_mem *mem, const char *path,
		    struct es_slice *ret_file, char *errmsg_text, size_t errmsg_size)
{
	const struct errmsg errmsg = {errmsg_text, errmsg_size};
	uint8_t *data = NULL;
	uint64_t size = 0;
	size_t len = 0;
	int file;
	int rc = fs->open(fs->ctx, path, ES_FS_READ, &file);

	if (rc < 0)
		return report(&errmsg, rc, "open", path);
	rc = fs->size(fs->ctx, file, &size);
	if (rc == 0) {
		data = size >= SIZE_MAX ? NULL : es_alloc(mem, (size_t)size + (size == 0));
		errno = data == NULL ? ENOMEM : errno;
		rc = data == NULL ? ES_ENOMEM
				  : fs->read_at(fs->ctx, file, data, (size_t)size, 0, &len);
	}
	if (rc < 0) {
		(void)report(&errmsg, rc, "read", path);
		es_free(mem, data);
	} else {
		*ret_file = es_slice(data, len);
	}
	(void)fs->close(fs->ctx, file);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Where the last part of a path begins. */
static size_t name_at(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

int es_catalog_temporary(const char *path, char ret_temporary[ES_PATH_BYTES_MAX])
{
	const char *name = path + name_at(path);
	const char *dot = strrchr(name, '.');
	size_t stem = dot == NULL || dot == name ? strlen(path) : (size_t)(dot - path);

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    stem + sizeof(".snap.tmp") > ES_PATH_BYTES_MAX)
		return ES_EINVAL;
	memcpy(ret_temporary, path, stem);
	memcpy(ret_temporary + stem, ".snap.tmp", sizeof(".snap.tmp"));
	return 0;
}

/* What is at `path`, if anything, is no regular file or may not be written: ES_EIO with a text. */
static int check_target(const char *path, bool *ret_is_link, const struct errmsg *errmsg)
{
	struct stat st;

	*ret_is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
	if (stat(path, &st) < 0) /* of a new file, what is wrong shows when it is made */
		return *ret_is_link ? report(errmsg, ES_EIO, "follow the link", path) : 0;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return report(errmsg, ES_EIO, "write", path);
	}
	if (!S_ISREG(st.st_mode)) {
		(void)snprintf(errmsg->text, errmsg->size, "cannot replace %s: not a regular file",
			       path);
		errno = EINVAL;
		return ES_EIO;
	}
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0
		       ? 0
		       : report(errmsg, ES_EIO, "write", path);
}

int es_catalog_target(const char *path, char ret_target[ES_PATH_BYTES_MAX], char *errmsg_text,
		      size_t errmsg_size)
{
	const struct errmsg errmsg = {errmsg_text, errmsg_size};
	char temporary[ES_PATH_BYTES_MAX];
	char *real = NULL;
	bool is_link;
	int rc = strlen(path) < ES_PATH_BYTES_MAX ? es_catalog_temporary(path, temporary)
						  : ES_EINVAL;

	if (rc == 0) {
		rc = check_target(path, &is_link, &errmsg);
		if (rc < 0)
			return rc;
		real = is_link ? realpath(path, NULL) : strdup(path);
		if (real == NULL)
			return report(&errmsg, es_fs_status(errno), "write", path);
		rc = strlen(real) < ES_PATH_BYTES_MAX ? es_catalog_temporary(real, temporary)
						      : ES_EINVAL;
	}
	if (rc == 0) {
		memcpy(ret_target, real, strlen(real) + 1);
	} else {
		errno = EINVAL;
		(void)report(&errmsg, rc, "write", path);
	}
	free(real);
	return rc;
}

/* The folder that `path` is in. */
static void folder_of(const char *path, char ret_folder[ES_PATH_BYTES_MAX])
{
	size_t len = name_at(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	memcpy(ret_folder, path, len);
	if (len == 0)
		ret_folder[len++] = '.';
	ret_folder[len] = '\0';
}

/* Make the folders above `path` that are missing, and flush those that they are in. */
static int make_folders(const struct es_fs *fs, const char *path, const struct errmsg *errmsg)
{
	char folder[ES_PATH_BYTES_MAX], parent[ES_PATH_BYTES_MAX];
	int rc;

	for (size_t i = 1; path[i] != '\0'; i++) {
		if (path[i] != '/' || path[i - 1] == '/')
			continue;
		memcpy(folder, path, i);
		folder[i] = '\0';
		rc = fs->mkdir(fs->ctx, folder);
		if (rc == ES_EEXIST)
			continue;
		if (rc < 0)
			return report(errmsg, rc, "make the folder", folder);
		folder_of(folder, parent);
		rc = fs->sync_folder(fs->ctx, parent);
		if (rc < 0)
			return report(errmsg, rc, "flush the folder", parent);
	}
	return 0;
}

static int write_temporary(const struct es_fs *fs, const char *path, struct es_slice content,
			   const struct errmsg *errmsg)
{
	int file, rc, closed;

	rc = fs->open(fs->ctx, path, ES_FS_CREATE, &file);
	if (rc == ES_ENOENT) {
		rc = make_folders(fs, path, errmsg);
		if (rc < 0)
			return rc;
		rc = fs->open(fs->ctx, path, ES_FS_CREATE, &file);
	}
	if (rc < 0)
		return report(errmsg, rc, "create", path);
	rc = fs->write_at(fs->ctx, file, content.data, content.len, 0);
	if (rc < 0)
		(void)report(errmsg, rc, "write", path);
	if (rc == 0) {
		rc = fs->sync(fs->ctx, file);
		if (rc < 0)
			(void)report(errmsg, rc, "flush", path);
	}
	closed = fs->close(fs->ctx, file);
	return rc == 0 && closed < 0 ? report(errmsg, closed, "close", path) : rc;
}

int es_catalog_save(const struct es_fs *fs, const char *path, struct es_slice file,
		    char *errmsg_text, size_t errmsg_size)
{
	const struct errmsg errmsg = {errmsg_text, errmsg_size};
	char target[ES_PATH_BYTES_MAX], temporary[ES_PATH_BYTES_MAX], folder[ES_PATH_BYTES_MAX];
	int rc = es_catalog_target(path, target, errmsg_text, errmsg_size);

	if (rc < 0)
		return rc;
	(void)es_catalog_temporary(target, temporary); /* es_catalog_target tried it */
	rc = write_temporary(fs, temporary, file, &errmsg);
	if (rc == 0) {
		rc = fs->rename(fs->ctx, temporary, target);
		if (rc < 0)
			(void)report(&errmsg, rc, "rename to", target);
	}
	if (rc < 0) {
		(void)fs->unlink(fs->ctx, temporary);
		return rc;
	}
	folder_of(target, folder);
	rc = fs->sync_folder(fs->ctx, folder);
	return rc < 0 ? report(&errmsg, rc, "flush the folder", folder) : 0;
}
