#include "support.h"

static void statuses_follow_errno(void **state)
{
	(void)state;
	assert_int_equal(es_fs_status(0), 0);
	assert_int_equal(es_fs_status(ENOENT), ES_ENOENT);
	assert_int_equal(es_fs_status(EEXIST), ES_EEXIST);
	assert_int_equal(es_fs_status(ENOSPC), ES_ENOSPC);
	assert_int_equal(es_fs_status(EDQUOT), ES_ENOSPC);
	assert_int_equal(es_fs_status(ENOMEM), ES_ENOMEM);
	assert_int_equal(es_fs_status(EIO), ES_EIO);
	assert_int_equal(es_fs_status(EACCES), ES_EIO);
}

static void joining_has_a_limit(void **state)
{
	char path[ES_PATH_BYTES_MAX];
	char longest[ES_PATH_BYTES_MAX];

	(void)state;
	assert_int_equal(es_fs_join("/a", "b", path), 0);
	assert_string_equal(path, "/a/b");
	memset(longest, 'x', sizeof(longest));
	longest[ES_PATH_BYTES_MAX - 3] = '\0';
	assert_int_equal(es_fs_join(longest, "b", path), 0);
	assert_int_equal(strlen(path), ES_PATH_BYTES_MAX - 1);
	assert_int_equal(es_fs_join(longest, "bc", path), ES_EINVAL);
}

static int note_name(void *arg, const char *name)
{
	snprintf((char *)arg + strlen(arg), 32, "%s,", name);
	return 0;
}

static int refuse_name(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return ES_ECANCELED;
}

static void files_can_be_read_and_written(void **state)
{
	const struct es_fs *fs = es_fs_posix();
	char folder[256], path[300], other[300], names[256] = "";
	uint8_t data[16] = {0};
	uint64_t size, free_bytes;
	size_t len;
	int file;

	(void)state;
	s_temporary(folder);
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(fs->open(NULL, path, ES_FS_READ, &file), ES_ENOENT);
	assert_int_equal(fs->open(NULL, path, ES_FS_UPDATE, &file), ES_ENOENT);
	assert_int_equal(fs->open(NULL, path, ES_FS_EXTEND, &file), 0);
	assert_int_equal(fs->write_at(NULL, file, "0123456789", 10, 5), 0);
	assert_int_equal(fs->size(NULL, file, &size), 0);
	assert_int_equal(size, 15);
	assert_int_equal(fs->read_at(NULL, file, data, sizeof(data), 3, &len), 0);
	assert_int_equal(len, 12); /* the file ends there */
	assert_memory_equal(data,
			    "\0\0"
			    "0123456789",
			    12);
	assert_int_equal(fs->truncate(NULL, file, 7), 0);
	assert_int_equal(fs->sync(NULL, file), 0);
	assert_int_equal(fs->close(NULL, file), 0);
	assert_int_equal(fs->open(NULL, path, ES_FS_EXTEND, &file), 0);
	assert_int_equal(fs->size(NULL, file, &size), 0);
	assert_int_equal(size, 7);
	assert_int_equal(fs->close(NULL, file), 0);
	assert_int_equal(fs->open(NULL, path, ES_FS_CREATE, &file), 0);
	assert_int_equal(fs->size(NULL, file, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(fs->close(NULL, file), 0);
	assert_int_equal(fs->rename(NULL, path, other), 0);
	assert_int_equal(fs->rename(NULL, path, other), ES_ENOENT);
	assert_int_equal(fs->list(NULL, folder, note_name, names), 0);
	assert_string_equal(names, "other,");
	assert_int_equal(fs->list(NULL, folder, refuse_name, names), ES_ECANCELED);
	assert_int_equal(fs->list(NULL, path, note_name, names), ES_ENOENT);
	assert_int_equal(fs->mkdir(NULL, path), 0);
	assert_int_equal(fs->mkdir(NULL, path), ES_EEXIST);
	assert_int_equal(fs->sync_folder(NULL, path), 0);
	assert_int_equal(fs->sync_folder(NULL, other), ES_EIO); /* not a folder */
	assert_int_equal(fs->free_bytes(NULL, folder, &free_bytes), 0);
	assert_true(free_bytes > 0);
	assert_int_equal(fs->unlink(NULL, other), 0);
	assert_int_equal(fs->unlink(NULL, other), ES_ENOENT);
	s_remove(folder);
}

/* Whatever fails: the old content or the new one, and nothing left behind but by a failing unlink.
 */
static void replacing_is_one_step(void **state)
{
	char folder[256], names[256];
	uint8_t *data;
	size_t len;

	(void)state;
	s_temporary(folder);
	for (uint64_t n = 0;; n++) {
		struct fault_fs f;
		int rc;

		assert_int_equal(es_fs_replace(es_fs_posix(), folder, "f", ES_SLICE("old")), 0);
		fault_fs_init(&f, n, n % 2 == 0 ? EIO : ENOSPC);
		rc = es_fs_replace(&f.fs, folder, "f", ES_SLICE("new content"));
		assert_int_equal(f.open_files, 0);
		assert_int_equal(rc, f.fired ? es_fs_status(f.error_number) : 0);
		data = s_read(folder, "f", &len);
		assert_true((len == 3 && memcmp(data, "old", 3) == 0) ||
			    (len == 11 && memcmp(data, "new content", 11) == 0));
		assert_true(rc < 0 || len == 11);
		free(data);
		names[0] = '\0';
		assert_int_equal(es_fs_posix()->list(NULL, folder, note_name, names), 0);
		assert_string_equal(names, "f,");
		if (!f.fired) {
			assert_int_equal(n, 6);
			break;
		}
	}
	s_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_follow_errno),
		cmocka_unit_test(joining_has_a_limit),
		cmocka_unit_test(files_can_be_read_and_written),
		cmocka_unit_test(replacing_is_one_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
