#include "ctl/catalog_out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/ctl.h"
#include "disk/catalog_file.h"

#define ERRMSG_MAX 1536

int es_ctl_catalog_out_check(const char *path, struct es_ctl_catalog_out *ret_out)
{
	struct es_ctl_catalog_out *out = ret_out;
	char errmsg[ERRMSG_MAX];
	struct stat st, own;

	*out = (struct es_ctl_catalog_out){.path = path, .is_stdout = strcmp(path, "-") == 0};
	out->is_stream = out->is_stdout ||
			 (stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)));
	/* /dev/stdout and its like: reports go elsewhere then, too. */
	if (out->is_stream && !out->is_stdout && fstat(STDOUT_FILENO, &own) == 0)
		out->is_stdout = own.st_dev == st.st_dev && own.st_ino == st.st_ino &&
				 own.st_rdev == st.st_rdev;
	if (out->is_stdout && isatty(STDOUT_FILENO) == 1)
		return es_ctl_usage("a catalog is not written to a terminal: - is standard output",
				    "");
	if (out->is_stream)
		return ES_CTL_OK;
	if (es_catalog_target(path, out->target, errmsg, sizeof(errmsg)) < 0)
		return es_ctl_fail("io: %s", errmsg);
	return ES_CTL_OK;
}

static int write_all(int fd, struct es_slice rest)
{
	while (rest.len > 0) {
		ssize_t n = write(fd, rest.data, rest.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		rest = es_slice(rest.data + n, rest.len - (size_t)n);
	}
	return 0;
}

static int write_stream(const struct es_ctl_catalog_out *out, struct es_slice file)
{
	const char *name = out->is_stdout ? "standard output" : out->path;
	int fd = out->is_stdout ? STDOUT_FILENO : open(out->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	/* A reader that is gone is an error like others. */
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int rc;

	if (fd < 0)
		return es_ctl_fail("io: cannot open %s: %s", name, strerror(errno));
	(void)sigaction(SIGPIPE, &ignore, NULL);
	rc = write_all(fd, file);
	if (rc < 0)
		(void)es_ctl_fail("io: cannot write %s: %s", name, strerror(errno));
	if (!out->is_stdout && close(fd) < 0 && rc == 0)
		return es_ctl_fail("io: cannot close %s: %s", name, strerror(errno));
	return rc < 0 ? ES_CTL_FAILED : ES_CTL_OK;
}

int es_ctl_catalog_out_write(const struct es_ctl_catalog_out *out, struct es_slice file)
{
	char errmsg[ERRMSG_MAX];

	if (out->is_stream)
		return write_stream(out, file);
	if (es_catalog_save(es_fs_posix(), out->path, file, errmsg, sizeof(errmsg)) < 0)
		return es_ctl_fail("io: %s", errmsg);
	return ES_CTL_OK;
}
