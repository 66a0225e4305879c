#include "support.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/assert.h"
#include "disk/catalog_file.h"

static char errmsg[300];

static void the_temporary_name(void **state)
{
	static const struct {
		const char *path, *temporary;
	} cases[] = {
		{"a.snap", "a.snap.tmp"},
		{"a", "a.snap.tmp"},
		{"a.b.c", "a.b.snap.tmp"},
		{"a.", "a.snap.tmp"},
		{".a", ".a.snap.tmp"},
		{".a.b", ".a.snap.tmp"},
		{"a.snap.tmp", "a.snap.snap.tmp"},
		{"x.y/a", "x.y/a.snap.tmp"},
		{"/x/a.json", "/x/a.snap.tmp"},
		{"./a.b", "./a.snap.tmp"},
		{"...", "...snap.tmp"},
	};
	char temporary[ES_PATH_BYTES_MAX], path[ES_PATH_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(es_catalog_temporary(cases[i].path, temporary), 0);
		assert_string_equal(temporary, cases[i].temporary);
	}
	assert_int_equal(es_catalog_temporary("", temporary), ES_EINVAL);
	assert_int_equal(es_catalog_temporary("a/", temporary), ES_EINVAL);
	assert_int_equal(es_catalog_temporary("a/.", temporary), ES_EINVAL);
	assert_int_equal(es_catalog_temporary("..", temporary), ES_EINVAL);
	memset(path, 'x', sizeof(path));
	path[ES_PATH_BYTES_MAX - sizeof(".snap.tmp")] = '\0';
	assert_int_equal(es_catalog_temporary(path, temporary), 0);
	path[ES_PATH_BYTES_MAX - sizeof(".snap.tmp")] = 'x';
	path[ES_PATH_BYTES_MAX - sizeof(".snap.tmp") + 1] = '\0';
	assert_int_equal(es_catalog_temporary(path, temporary), ES_EINVAL);
}

/* What a path holds now. */
static bool holds(const char *path, struct es_slice content)
{
	struct es_slice file;
	bool same;

	assert_int_equal(es_catalog_load(es_fs_posix(), es_mem_default(), path, &file, errmsg,
					 sizeof(errmsg)),
			 0);
	same = es_slice_eq(file, content);
	es_free(es_mem_default(), (void *)(uintptr_t)file.data);
	return same;
}

static void save(const char *path, struct es_slice content)
{
	if (es_catalog_save(es_fs_posix(), path, content, errmsg, sizeof(errmsg)) < 0)
		fail_msg("%s", errmsg);
	assert_true(holds(path, content));
}

static void saved_files_are_read_back(void **state)
{
	char folder[256], path[300];

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/new//folders/here/a.snap", folder);
	save(path, ES_SLICE("one"));
	save(path, ES_SLICE("another"));
	save(path, ES_SLICE(""));
	snprintf(path, sizeof(path), "%s/new/folders/here/a.snap.tmp", folder);
	assert_int_equal(access(path, F_OK), -1);
	s_remove(folder);
}

static void a_path_without_a_folder(void **state)
{
	char folder[256], before[512];

	(void)state;
	s_temporary(folder);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	save("a.snap", ES_SLICE("here"));
	save("b/a.snap", ES_SLICE("there"));
	assert_int_equal(chdir(before), 0);
	s_remove(folder);
}

static void what_cannot_be_read(void **state)
{
	char folder[256], path[300], expected[400];
	struct es_slice file;

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/none.snap", folder);
	assert_int_equal(es_catalog_load(es_fs_posix(), es_mem_default(), path, &file, errmsg,
					 sizeof(errmsg)),
			 ES_ENOENT);
	snprintf(expected, sizeof(expected), "cannot open %s: No such file or directory", path);
	assert_string_equal(errmsg, expected);
	assert_int_equal(es_catalog_load(es_fs_posix(), es_mem_default(), folder, &file, errmsg,
					 sizeof(errmsg)),
			 ES_EIO);
	snprintf(expected, sizeof(expected), "cannot read %s: Is a directory", folder);
	assert_string_equal(errmsg, expected);
	s_remove(folder);
}

static void what_cannot_be_written(void **state)
{
	char folder[256], path[400], long_path[ES_PATH_BYTES_MAX + 1];

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/file", folder);
	save(path, ES_SLICE("x"));
	snprintf(path, sizeof(path), "%s/file/a.snap", folder);
	assert_int_equal(
		es_catalog_save(es_fs_posix(), path, ES_SLICE("x"), errmsg, sizeof(errmsg)),
		ES_EIO);
	snprintf(path, sizeof(path), "%s/", folder);
	assert_int_equal(
		es_catalog_save(es_fs_posix(), path, ES_SLICE("x"), errmsg, sizeof(errmsg)),
		ES_EINVAL);
	memset(long_path, 'x', sizeof(long_path));
	memcpy(long_path + ES_PATH_BYTES_MAX - 2, "/.", 3);
	assert_int_equal(
		es_catalog_save(es_fs_posix(), long_path, ES_SLICE("x"), errmsg, sizeof(errmsg)),
		ES_EINVAL);
	/* A folder is in the way. */
	snprintf(path, sizeof(path), "%s/d/x/a.snap", folder);
	save(path, ES_SLICE("x"));
	snprintf(path, sizeof(path), "%s/d", folder);
	assert_int_equal(
		es_catalog_save(es_fs_posix(), path, ES_SLICE("x"), errmsg, sizeof(errmsg)),
		ES_EIO);
	assert_string_equal(strrchr(errmsg, ':'), ": Is a directory");
	snprintf(path, sizeof(path), "%s/d.snap.tmp", folder);
	assert_int_equal(access(path, F_OK), -1);
	s_remove(folder);
}

/* ---- what is there already ----------------------------------------------------------------- */

static void refused(const char *path, const char *what, const char *why)
{
	char expected[600], target[ES_PATH_BYTES_MAX];

	snprintf(expected, sizeof(expected), "cannot %s %s: %s", what, path, why);
	assert_int_equal(es_catalog_target(path, target, errmsg, sizeof(errmsg)), ES_EIO);
	assert_string_equal(errmsg, expected);
	errmsg[0] = '\0';
	assert_int_equal(
		es_catalog_save(es_fs_posix(), path, ES_SLICE("x"), errmsg, sizeof(errmsg)),
		ES_EIO);
	assert_string_equal(errmsg, expected);
}

static bool is_kind(const char *path, mode_t kind)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return (st.st_mode & S_IFMT) == kind;
}

static void links_are_followed(void **state)
{
	char folder[256], path[300], link_path[300], target[ES_PATH_BYTES_MAX];
	char before[512];

	(void)state;
	s_temporary(folder);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	save("real/file.snap", ES_SLICE("old"));
	assert_int_equal(mkdir("links", 0700), 0);
	assert_int_equal(symlink("../real/file.snap", "links/one"), 0);
	assert_int_equal(symlink("one", "links/two.snap"), 0);
	save("links/two.snap", ES_SLICE("new"));
	assert_true(holds("real/file.snap", ES_SLICE("new")));
	assert_true(is_kind("links/one", S_IFLNK) && is_kind("links/two.snap", S_IFLNK));
	assert_int_equal(access("links/two.snap.tmp", F_OK), -1);
	assert_int_equal(es_catalog_target("links/one", target, errmsg, sizeof(errmsg)), 0);
	snprintf(path, sizeof(path), "%s/real/file.snap", strrchr(folder, '/'));
	assert_non_null(strstr(target, path));
	assert_int_equal(es_catalog_target("links/new", target, errmsg, sizeof(errmsg)), 0);
	assert_string_equal(target, "links/new");
	assert_int_equal(chdir(before), 0);

	snprintf(link_path, sizeof(link_path), "%s/nowhere", folder);
	assert_int_equal(symlink("nothing", link_path), 0);
	refused(link_path, "follow the link", "No such file or directory");
	snprintf(link_path, sizeof(link_path), "%s/round", folder);
	assert_int_equal(symlink("round", link_path), 0);
	refused(link_path, "follow the link", "Too many levels of symbolic links");
	assert_true(is_kind(link_path, S_IFLNK));
	s_remove(folder);
}

static void what_is_no_file_stays(void **state)
{
	char folder[256], path[300], link_path[300];

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/fifo", folder);
	snprintf(link_path, sizeof(link_path), "%s/link", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(symlink("fifo", link_path), 0);
	refused(path, "replace", "not a regular file");
	refused(link_path, "replace", "not a regular file");
	assert_true(is_kind(path, S_IFIFO) && is_kind(link_path, S_IFLNK));
	snprintf(path, sizeof(path), "%s/folder", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(path, "write", "Is a directory");
	s_remove(folder);
}

/* Root may write anything, so the check is made as somebody else, in a process of its own. */
static void a_file_that_may_not_be_written(void **state)
{
	char folder[256], path[300];
	int wstatus;
	pid_t pid;

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/a.snap", folder);
	save(path, ES_SLICE("kept"));
	assert_int_equal(chmod(path, 0400), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && (chown(path, 12345, 12345) < 0 ||
				       chown(folder, 12345, 12345) < 0 || setuid(12345) < 0))
			_exit(2);
		_exit(es_catalog_save(es_fs_posix(), path, ES_SLICE("new"), errmsg,
				      sizeof(errmsg)) == ES_EIO &&
				      strstr(errmsg, "a.snap: Permission denied") != NULL
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_int_equal(wstatus, 0);
	assert_true(holds(path, ES_SLICE("kept")));
	s_remove(folder);
}

/* ---- failures ------------------------------------------------------------------------------ */

/*
 * The n-th operation fails, for every n: alone (an error: what was begun is cleaned away) or with all that follow
 * it (a crash: the next save copes with what is left).
 */
static void failures(bool sticky, bool fresh_folder)
{
	char folder[256], path[400], temporary[500];

	s_temporary(folder);
	for (uint64_t n = 0;; n++) {
		struct fault_fs fault;
		int rc;

		snprintf(path, sizeof(path), "%s/%s%llu/x/a.snap", folder, fresh_folder ? "n" : "",
			 fresh_folder ? (unsigned long long)n : 0);
		snprintf(temporary, sizeof(temporary), "%s.tmp", path);
		if (!fresh_folder)
			save(path, ES_SLICE("old"));
		fault_fs_init(&fault, n, EIO);
		fault.sticky = sticky;
		rc = es_catalog_save(&fault.fs, path, ES_SLICE("new and longer"), errmsg,
				     sizeof(errmsg));
		assert_int_equal(fault.open_files, 0);
		if (!fault.fired) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, ES_EIO);
		assert_non_null(strstr(errmsg, "cannot "));
		assert_non_null(strstr(errmsg, ": Input/output error"));
		if (access(path, F_OK) == 0)
			assert_true(holds(path, ES_SLICE("new and longer")) ||
				    (!fresh_folder && holds(path, ES_SLICE("old"))));
		else
			assert_true(fresh_folder);
		if (!sticky)
			assert_int_equal(access(temporary, F_OK), -1);
		save(path, ES_SLICE("again"));
		assert_int_equal(access(temporary, F_OK), -1);
	}
	s_remove(folder);
}

static void failures_leave_the_old_or_the_new_file(void **state)
{
	(void)state;
	failures(false, false);
	failures(true, false);
	failures(false, true);
	failures(true, true);
}

static void reading_fails(void **state)
{
	char folder[256], path[300];

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/a.snap", folder);
	save(path, ES_SLICE("content"));
	for (uint64_t n = 0; n < 3; n++) {
		struct es_fault_mem mem;
		struct fault_fs fault;
		struct es_slice file;

		fault_fs_init(&fault, n, EIO);
		es_fault_mem_init(&mem, 1);
		assert_int_equal(
			es_catalog_load(&fault.fs, &mem.mem, path, &file, errmsg, sizeof(errmsg)),
			ES_EIO);
		assert_true(fault.fired);
		assert_int_equal(fault.open_files, 0);
		assert_int_equal(mem.live, 0);
	}
	s_remove(folder);
}

static void no_memory_to_read(void **state)
{
	char folder[256], path[300];
	struct es_fault_mem mem;
	struct fault_fs fs;
	struct es_slice file;

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/a.snap", folder);
	save(path, ES_SLICE("content"));
	es_fault_mem_init(&mem, 0);
	fault_fs_init(&fs, 100, EIO);
	assert_int_equal(es_catalog_load(&fs.fs, &mem.mem, path, &file, errmsg, sizeof(errmsg)),
			 ES_ENOMEM);
	assert_int_equal(fs.open_files, 0);
	assert_int_equal(mem.live, 0);
	s_remove(folder);
}

/* ---- order --------------------------------------------------------------------------------- */

static char trace[400];

static void note(const char *what)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", what);
}

static int trace_open(void *ctx, const char *path, enum es_fs_open how, int *ret_file)
{
	note("open");
	return fault_open(ctx, path, how, ret_file);
}

static int trace_write_at(void *ctx, int file, const void *data, size_t len, uint64_t offset)
{
	note("write");
	return fault_write_at(ctx, file, data, len, offset);
}

static int trace_sync(void *ctx, int file)
{
	note("sync");
	return fault_sync(ctx, file);
}

static int trace_rename(void *ctx, const char *from, const char *to)
{
	note("rename");
	return fault_rename(ctx, from, to);
}

static int trace_mkdir(void *ctx, const char *path)
{
	note("mkdir");
	return fault_mkdir(ctx, path);
}

static int trace_sync_folder(void *ctx, const char *path)
{
	note(strrchr(path, '/'));
	return fault_sync_folder(ctx, path);
}

/* The bytes are on the disk before they have the name, and the names when the call is back. */
static void the_order_of_the_steps(void **state)
{
	char folder[256], path[300], expected[600];
	struct fault_fs fs;

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/x/y/a.snap", folder);
	fault_fs_init(&fs, 1000, EIO);
	fs.fs.open = trace_open;
	fs.fs.write_at = trace_write_at;
	fs.fs.sync = trace_sync;
	fs.fs.rename = trace_rename;
	fs.fs.mkdir = trace_mkdir;
	fs.fs.sync_folder = trace_sync_folder;
	trace[0] = '\0';
	assert_int_equal(es_catalog_save(&fs.fs, path, ES_SLICE("x"), errmsg, sizeof(errmsg)), 0);
	snprintf(expected, sizeof(expected), "%s mkdir /x open write sync rename /y ",
		 strrchr(folder, '/'));
	assert_non_null(strstr(trace, expected));
	trace[0] = '\0';
	assert_int_equal(es_catalog_save(&fs.fs, path, ES_SLICE("y"), errmsg, sizeof(errmsg)), 0);
	assert_string_equal(trace, "open write sync rename /y ");
	s_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_temporary_name),
		cmocka_unit_test(saved_files_are_read_back),
		cmocka_unit_test(a_path_without_a_folder),
		cmocka_unit_test(what_cannot_be_read),
		cmocka_unit_test(what_cannot_be_written),
		cmocka_unit_test(links_are_followed),
		cmocka_unit_test(what_is_no_file_stays),
		cmocka_unit_test(a_file_that_may_not_be_written),
		cmocka_unit_test(failures_leave_the_old_or_the_new_file),
		cmocka_unit_test(reading_fails),
		cmocka_unit_test(no_memory_to_read),
		cmocka_unit_test(the_order_of_the_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
