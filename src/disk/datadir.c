#include "disk/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"

/*
 * The order of opening: folder, lock, format, member. Opening reads only: FORMAT is written with
 * the first MEMBER, right before it, and both before any data. So
 *
 * 1. a start that is refused leaves the folder as it was, and takes a LOCK that it made with it;
 * 2. a folder with data and without FORMAT or MEMBER was damaged, or belongs to somebody else.
 *
 * The text of LOCK is for people: the lock itself is flock's and ends with the process, however
 * that ends. As LOCK may be removed, holding it means holding the file that has the name now.
 */
#define FORMAT_TITLE         "engenho-store data folder\n"
#define SMALL_FILE_BYTES_MAX 4096

struct es_datadir {
	const struct es_mem *mem;
	const struct es_fs *fs;
	char *path;
	int lock;
	bool made_lock;
	bool has_format;
	char written_by[128];
	bool has_member;
	uint64_t cluster_id;
	uint64_t member_id;
	char *name;
	size_t name_len;
	char warnings[2][256];
	size_t warning_count;
};

/* The name of a new folder is durable when its parent is synced. `path` is cut there meanwhile. */
static int sync_parent(const struct es_fs *fs, char *path)
{
	char *slash = strrchr(path, '/');
	int rc;

	if (slash == NULL)
		return fs->sync_folder(fs->ctx, ".");
	if (slash == path)
		return fs->sync_folder(fs->ctx, "/");
	*slash = '\0';
	rc = fs->sync_folder(fs->ctx, path);
	*slash = '/';
	return rc;
}

static int make_parents(const struct es_fs *fs, const char *path)
{
	char part[ES_PATH_BYTES_MAX];
	size_t len = strlen(path);
	int rc;

	if (len == 0 || len >= sizeof(part))
		return ES_EINVAL;
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if ((part[i] != '/' && part[i] != '\0') || part[i - 1] == '/')
			continue;
		part[i] = '\0';
		rc = fs->mkdir(fs->ctx, part);
		if (rc == 0)
			rc = sync_parent(fs, part);
		/* What is there need not be writable; the last part is looked at below. */
		else if (rc == ES_EEXIST || (i < len && access(part, F_OK) == 0))
			rc = 0;
		if (rc < 0)
			return rc;
		part[i] = path[i];
	}
	return 0;
}

static int check_folder(struct es_datadir *d, char *errmsg, size_t errmsg_size)
{
	struct stat st;

	if (stat(d->path, &st) < 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", d->path, strerror(errno));
		return es_fs_status(errno);
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(errmsg, errmsg_size, "%s: is not a folder", d->path);
		return ES_EINVAL;
	}
	if ((st.st_mode & 0077) != 0)
		snprintf(d->warnings[d->warning_count++], sizeof(d->warnings[0]),
			 "the data folder has mode %04o: others than its owner may look into it "
			 "(recommended: 0700)",
			 st.st_mode & 07777u);
	return 0;
}

/* The open file is still the one that LOCK names: nobody removed it before we had the lock. */
static bool is_lock(const struct es_datadir *d, const char *path)
{
	struct stat held, named;

	return fstat(d->lock, &held) == 0 && stat(path, &named) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int take_lock(struct es_datadir *d, char *errmsg, size_t errmsg_size)
{
	char path[ES_PATH_BYTES_MAX];
	char text[256];
	int error_number = EWOULDBLOCK;
	ssize_t n;
	int rc;

	rc = es_fs_join(d->path, "LOCK", path);
	if (rc < 0)
		return rc;
	d->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	d->made_lock = d->lock >= 0;
	if (d->lock < 0 && errno == EEXIST)
		d->lock = open(path, O_RDWR | O_CLOEXEC);
	if (d->lock < 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", path, strerror(errno));
		return es_fs_status(errno);
	}
	if (flock(d->lock, LOCK_EX | LOCK_NB) < 0)
		error_number = errno;
	else if (is_lock(d, path))
		return 0;
	d->made_lock = false; /* it is somebody else's now */
	n = pread(d->lock, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (error_number == EWOULDBLOCK)
		snprintf(errmsg, errmsg_size, "%s: the data folder is in use by %s", path,
			 text[0] != '\0' ? text : "another process");
	else
		snprintf(errmsg, errmsg_size, "%s: cannot lock: %s", path, strerror(error_number));
	return error_number == EWOULDBLOCK ? ES_EBUSY : ES_EIO;
}

/* Only for people, so a full disk must not keep the member from starting. */
static void sign_lock(struct es_datadir *d, const char *member_name)
{
	char text[256];

	snprintf(text, sizeof(text), "process %ld, member %.200s\n", (long)getpid(), member_name);
	if (ftruncate(d->lock, 0) == 0)
		(void)!pwrite(d->lock, text, strlen(text), 0);
}

/* The whole of a small file. ES_ENOENT when there is none. */
static int read_small(struct es_datadir *d, const char *name,
		      char ret_text[SMALL_FILE_BYTES_MAX + 1], size_t *ret_len, char *errmsg,
		      size_t errmsg_size)
{
	const struct es_fs *fs = d->fs;
	char path[ES_PATH_BYTES_MAX];
	int file;
	int rc;

	rc = es_fs_join(d->path, name, path);
	if (rc < 0)
		return rc;
	rc = fs->open(fs->ctx, path, ES_FS_READ, &file);
	if (rc == 0) {
		rc = fs->read_at(fs->ctx, file, ret_text, SMALL_FILE_BYTES_MAX, 0, ret_len);
		if (rc < 0)
			snprintf(errmsg, errmsg_size, "%s: %s", path, strerror(errno));
		fs->close(fs->ctx, file);
		ret_text[rc == 0 ? *ret_len : 0] = '\0';
	} else if (rc != ES_ENOENT) {
		snprintf(errmsg, errmsg_size, "%s: %s", path, strerror(errno));
	}
	return rc;
}

static int write_small(struct es_datadir *d, const char *name, struct es_slice content,
		       char *errmsg, size_t errmsg_size)
{
	int rc = es_fs_replace(d->fs, d->path, name, content);

	if (rc < 0)
		snprintf(errmsg, errmsg_size, "%s/%s: cannot write: %s", d->path, name,
			 strerror(errno));
	return rc;
}

struct contents {
	bool ours; /* a name of ours is there */
	bool etcds;
	bool data; /* of ours, and not only an empty folder */
};

static int look_at(void *arg, const char *name)
{
	struct contents *contents = arg;

	if (strcmp(name, "member") == 0)
		contents->etcds = true;
	if (strcmp(name, "raft") == 0 || strcmp(name, "checkpoints") == 0 ||
	    strcmp(name, "MEMBER") == 0 || strcmp(name, "GUARD") == 0)
		contents->ours = true;
	if (strcmp(name, "GUARD") == 0)
		contents->data = true;
	return 0;
}

static int has_entry(void *arg, const char *name)
{
	bool *any = arg;

	(void)name;
	*any = true;
	return 0;
}

static int look(struct es_datadir *d, struct contents *ret_contents, char *errmsg,
		size_t errmsg_size)
{
	static const char *const folders[] = {"raft", "checkpoints"};
	char path[ES_PATH_BYTES_MAX];
	int rc = d->fs->list(d->fs->ctx, d->path, look_at, ret_contents);

	if (rc < 0)
		snprintf(errmsg, errmsg_size, "%s: %s", d->path, strerror(errno));
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		rc = es_fs_join(d->path, folders[i], path);
		if (rc == 0)
			rc = d->fs->list(d->fs->ctx, path, has_entry, &ret_contents->data);
		if (rc == ES_ENOENT)
			rc = 0;
		if (rc < 0)
			snprintf(errmsg, errmsg_size, "%s: %s", path, strerror(errno));
	}
	return rc;
}

static int missing(const struct es_datadir *d, const char *name, char *errmsg, size_t errmsg_size)
{
	snprintf(errmsg, errmsg_size,
		 "%s/%s is missing from a folder that holds data; restore the file, or the folder "
		 "from a backup",
		 d->path, name);
	return ES_ECORRUPT;
}

/* A folder without FORMAT is empty, or not to be touched. */
static int check_new(struct es_datadir *d, const struct contents *contents, char *errmsg,
		     size_t errmsg_size)
{
	if (contents->ours)
		return missing(d, "FORMAT", errmsg, errmsg_size);
	if (contents->etcds) {
		snprintf(errmsg, errmsg_size,
			 "%s: holds etcd's data, which cannot be read yet; name an empty or new "
			 "folder",
			 d->path);
		return ES_EFORMAT;
	}
	return 0;
}

static int write_format(struct es_datadir *d, char *errmsg, size_t errmsg_size)
{
	char text[256];
	int rc;

	if (d->has_format)
		return 0;
	snprintf(text, sizeof(text), FORMAT_TITLE "format %d\nwritten-by %s\n", ES_DATADIR_FORMAT,
		 d->written_by);
	rc = write_small(d, "FORMAT", es_slice_str(text), errmsg, errmsg_size);
	d->has_format = rc == 0;
	return rc;
}

static int check_format(struct es_datadir *d, const struct contents *contents, char *errmsg,
			size_t errmsg_size)
{
	static const char begin[] = FORMAT_TITLE "format ";
	static const char by[] = "\nwritten-by ";
	char text[SMALL_FILE_BYTES_MAX + 1];
	unsigned long format;
	size_t len;
	char *end;
	int rc;

	rc = read_small(d, "FORMAT", text, &len, errmsg, errmsg_size);
	if (rc == ES_ENOENT)
		return check_new(d, contents, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	if (strlen(text) != len || strncmp(text, begin, sizeof(begin) - 1) != 0 ||
	    text[sizeof(begin) - 1] < '1' || text[sizeof(begin) - 1] > '9')
		goto damaged;
	format = strtoul(text + sizeof(begin) - 1, &end, 10);
	if (strncmp(end, by, sizeof(by) - 1) != 0 || text[len - 1] != '\n')
		goto damaged;
	if (format != ES_DATADIR_FORMAT) {
		end += sizeof(by) - 1;
		end[strcspn(end, "\n")] = '\0';
		snprintf(errmsg, errmsg_size,
			 "%s/FORMAT: the data folder has format %lu, this program knows up to %d; "
			 "use "
			 "the program that wrote it (%s) or a newer one",
			 d->path, format, ES_DATADIR_FORMAT, end);
		return ES_EFORMAT;
	}
	d->has_format = true;
	if (contents->etcds)
		snprintf(d->warnings[d->warning_count++], sizeof(d->warnings[0]),
			 "the data folder holds etcd's data (member/) beside ours: it is left "
			 "alone, and etcd does not see what is written here");
	return 0;
damaged:
	snprintf(errmsg, errmsg_size,
		 "%s/FORMAT: is damaged; restore the file, or the folder from a backup", d->path);
	return ES_ECORRUPT;
}

static int load_member(struct es_datadir *d, const struct contents *contents, char *errmsg,
		       size_t errmsg_size)
{
	char text[SMALL_FILE_BYTES_MAX + 1];
	char check[32];
	uint64_t cluster_id, member_id;
	size_t tail = strlen("\ncrc32c 01234567\n");
	size_t len;
	int at = 0;
	int rc;

	rc = read_small(d, "MEMBER", text, &len, errmsg, errmsg_size);
	if (rc == ES_ENOENT)
		return contents->data ? missing(d, "MEMBER", errmsg, errmsg_size) : 0;
	if (rc < 0)
		return rc;
	if (len < tail)
		goto damaged;
	snprintf(check, sizeof(check), "\ncrc32c %08" PRIx32 "\n",
		 es_crc32c(0, es_slice(text, len - tail)));
	if (memcmp(text + len - tail, check, tail) != 0)
		goto damaged;
	if (sscanf(text, "cluster-id %16" SCNx64 "\nmember-id %16" SCNx64 "\nname%n", &cluster_id,
		   &member_id, &at) != 2 ||
	    at == 0 || (size_t)at >= len - tail || text[at] != ' ')
		goto damaged;
	d->name_len = len - tail - (size_t)at - 1;
	d->name = es_strndup(d->mem, es_slice(text + at + 1, d->name_len));
	if (d->name == NULL)
		return ES_ENOMEM;
	d->cluster_id = cluster_id;
	d->member_id = member_id;
	d->has_member = true;
	return 0;
damaged:
	snprintf(errmsg, errmsg_size,
		 "%s/MEMBER: is damaged (%zu bytes, checksum does not match); restore the file, or "
		 "the "
		 "folder from a backup",
		 d->path, len);
	return ES_ECORRUPT;
}

int es_datadir_open(const struct es_mem *mem, const struct es_fs *fs, const char *path,
		    const char *member_name, const char *written_by,
		    struct es_datadir **ret_datadir, char *errmsg, size_t errmsg_size)
{
	struct es_datadir *d = es_calloc(mem, 1, sizeof(*d));
	struct contents contents = {0};
	int rc;

	snprintf(errmsg, errmsg_size, "%s: %s", path, es_status_text(ES_ENOMEM));
	if (d == NULL)
		return ES_ENOMEM;
	d->mem = mem;
	d->fs = fs;
	d->lock = -1;
	snprintf(d->written_by, sizeof(d->written_by), "%s", written_by);
	d->path = es_strndup(mem, es_slice_str(path));
	if (d->path == NULL) {
		rc = ES_ENOMEM;
		goto fail;
	}
	rc = make_parents(fs, path);
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%.200s: cannot make the data folder: %s", path,
			 rc == ES_EINVAL ? "the path is empty or too long" : strerror(errno));
		goto fail;
	}
	rc = check_folder(d, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = take_lock(d, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = look(d, &contents, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = check_format(d, &contents, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	rc = load_member(d, &contents, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	sign_lock(d, member_name);
	errmsg[0] = '\0';
	*ret_datadir = d;
	return 0;
fail:
	es_datadir_close(d);
	return rc;
}

void es_datadir_close(struct es_datadir *d)
{
	char path[ES_PATH_BYTES_MAX];

	if (d == NULL)
		return;
	if (d->made_lock && !d->has_format && es_fs_join(d->path, "LOCK", path) == 0)
		(void)unlink(path);
	if (d->lock >= 0)
		close(d->lock); /* ends the lock */
	es_free(d->mem, d->name);
	es_free(d->mem, d->path);
	es_free(d->mem, d);
}

const char *es_datadir_path(const struct es_datadir *d)
{
	return d->path;
}

const char *es_datadir_warning(const struct es_datadir *d, size_t n)
{
	return n < d->warning_count ? d->warnings[n] : NULL;
}

bool es_datadir_member(const struct es_datadir *d, struct es_datadir_member *ret_member)
{
	if (d->has_member)
		*ret_member = (struct es_datadir_member){d->cluster_id, d->member_id,
							 es_slice(d->name, d->name_len)};
	return d->has_member;
}

int es_datadir_set_member(struct es_datadir *d, const struct es_datadir_member *member,
			  char *errmsg, size_t errmsg_size)
{
	struct es_buf text;
	char *name;
	int rc;

	if (member->name.len > ES_DATADIR_NAME_BYTES_MAX) {
		snprintf(errmsg, errmsg_size, "the member's name is longer than %d bytes",
			 ES_DATADIR_NAME_BYTES_MAX);
		return ES_EINVAL;
	}
	es_buf_init(&text, d->mem);
	name = es_strndup(d->mem, member->name);
	rc = name == NULL ? ES_ENOMEM : 0;
	if (rc == 0)
		rc = es_buf_printf(&text,
				   "cluster-id %016" PRIx64 "\nmember-id %016" PRIx64 "\nname ",
				   member->cluster_id, member->member_id);
	if (rc == 0)
		rc = es_buf_append_slice(&text, member->name);
	if (rc == 0)
		rc = es_buf_printf(&text, "\ncrc32c %08" PRIx32 "\n",
				   es_crc32c(0, es_buf_slice(&text)));
	if (rc < 0)
		snprintf(errmsg, errmsg_size, "%s/MEMBER: %s", d->path, es_status_text(rc));
	else
		rc = write_format(d, errmsg, errmsg_size);
	if (rc == 0)
		rc = write_small(d, "MEMBER", es_buf_slice(&text), errmsg, errmsg_size);
	if (rc == 0) {
		es_free(d->mem, d->name);
		d->name = name;
		d->name_len = member->name.len;
		d->cluster_id = member->cluster_id;
		d->member_id = member->member_id;
		d->has_member = true;
		name = NULL;
	}
	es_free(d->mem, name);
	es_buf_close(&text);
	return rc;
}
