#include "support.h"

#include <sys/wait.h>

#include "disk/datadir.h"

static char errmsg[1024];

static int open_as(const char *path, const char *name, struct es_datadir **ret_datadir)
{
	snprintf(errmsg, sizeof(errmsg), "not set");
	return es_datadir_open(es_mem_default(), es_fs_posix(), path, name, "engenho-store 0.1.0",
			       ret_datadir, errmsg, sizeof(errmsg));
}

static void set_default_member(struct es_datadir *d)
{
	struct es_datadir_member member = {0x1122334455667788, 0xfedcba9876543210,
					   ES_SLICE("default")};

	assert_int_equal(es_datadir_set_member(d, &member, errmsg, sizeof(errmsg)), 0);
}

static bool is_there(const char *folder, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void a_new_folder_is_private_and_remembers(void **state)
{
	struct es_datadir_member member;
	char base[256], path[300];
	struct es_datadir *d;
	struct stat st;

	(void)state;
	s_temporary(base);
	snprintf(path, sizeof(path), "%s/some/where/data", base);
	assert_int_equal(open_as(path, "default", &d), 0);
	assert_string_equal(errmsg, "");
	assert_string_equal(es_datadir_path(d), path);
	assert_null(es_datadir_warning(d, 0));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(es_datadir_member(d, &member));
	set_default_member(d);
	assert_true(es_datadir_member(d, &member));
	es_datadir_close(d);

	assert_int_equal(open_as(path, "default", &d), 0);
	assert_true(es_datadir_member(d, &member));
	assert_true(member.cluster_id == 0x1122334455667788);
	assert_true(member.member_id == 0xfedcba9876543210);
	assert_true(es_slice_eq(member.name, ES_SLICE("default")));
	es_datadir_close(d);
	es_datadir_close(NULL);
	s_remove(base);
}

static struct {
	char paths[8][300];
	size_t count;
} synced;

static int note_sync_folder(void *ctx, const char *path)
{
	(void)ctx;
	assert_true(synced.count < 8);
	snprintf(synced.paths[synced.count++], sizeof(synced.paths[0]), "%s", path);
	return es_fs_posix()->sync_folder(NULL, path);
}

/* A power failure must not take a folder with data in it. */
static void the_names_of_new_folders_are_durable(void **state)
{
	struct es_fs fs = *es_fs_posix();
	char base[256], path[300], expected[300];
	struct es_datadir *d;

	(void)state;
	fs.sync_folder = note_sync_folder;
	s_temporary(base);
	for (int again = 0; again < 2; again++) {
		synced.count = 0;
		snprintf(path, sizeof(path), "%s/some//where/data/", base);
		assert_int_equal(es_datadir_open(es_mem_default(), &fs, path, "x", "x", &d, errmsg,
						 sizeof(errmsg)),
				 0);
		es_datadir_close(d);
		assert_int_equal(synced.count, again ? 0 : 3);
	}
	assert_string_equal(synced.paths[0], base);
	snprintf(expected, sizeof(expected), "%s/some/", base);
	assert_string_equal(synced.paths[1], expected);
	snprintf(expected, sizeof(expected), "%s/some//where", base);
	assert_string_equal(synced.paths[2], expected);
	/* Relative to where we are. */
	assert_int_equal(chdir(base), 0);
	synced.count = 0;
	assert_int_equal(es_datadir_open(es_mem_default(), &fs, "data", "x", "x", &d, errmsg,
					 sizeof(errmsg)),
			 0);
	es_datadir_close(d);
	assert_int_equal(synced.count, 1);
	assert_string_equal(synced.paths[0], ".");
	assert_int_equal(chdir("/"), 0);
	s_remove(base);
}

/* The file that docs/formats/data-folder.md shows. */
static void the_documented_member_is_read(void **state)
{
	static const char text[] = "cluster-id cdf818194e3a8c32\nmember-id 8e9e05c52164694d\n"
				   "name default\ncrc32c ef2b42e2\n";
	struct es_datadir_member member;
	struct es_datadir *d;
	char base[256];

	(void)state;
	s_temporary(base);
	s_write(base, "FORMAT", "engenho-store data folder\nformat 1\nwritten-by x\n", 48);
	s_write(base, "MEMBER", text, sizeof(text) - 1);
	assert_int_equal(open_as(base, "x", &d), 0);
	assert_true(es_datadir_member(d, &member));
	assert_true(member.member_id == 0x8e9e05c52164694d);
	es_datadir_close(d);
	s_remove(base);
}

static void any_name_comes_back(void **state)
{
	static const struct es_slice names[] = {ES_SLICE(""), ES_SLICE("a b"),
						ES_SLICE("two\nlines\ncrc32c 00000000\n"),
						ES_SLICE("nul\0byte")};
	struct es_datadir_member member = {1, 2, {NULL, 0}};
	uint8_t too_long[ES_DATADIR_NAME_BYTES_MAX + 1];
	struct es_datadir *d;
	char base[256];

	(void)state;
	s_temporary(base);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(open_as(base, "x", &d), 0);
		member.name = names[i];
		assert_int_equal(es_datadir_set_member(d, &member, errmsg, sizeof(errmsg)), 0);
		es_datadir_close(d);
		assert_int_equal(open_as(base, "x", &d), 0);
		assert_true(es_datadir_member(d, &member));
		assert_true(es_slice_eq(member.name, names[i]));
		memset(too_long, 'x', sizeof(too_long));
		member.name = es_slice(too_long, sizeof(too_long));
		assert_int_equal(es_datadir_set_member(d, &member, errmsg, sizeof(errmsg)),
				 ES_EINVAL);
		member.name = es_slice(too_long, sizeof(too_long) - 1);
		assert_int_equal(es_datadir_set_member(d, &member, errmsg, sizeof(errmsg)), 0);
		es_datadir_close(d);
		assert_int_equal(open_as(base, "x", &d), 0);
		assert_true(es_datadir_member(d, &member));
		assert_int_equal(member.name.len, ES_DATADIR_NAME_BYTES_MAX);
		es_datadir_close(d);
	}
	s_remove(base);
}

static void a_second_holder_hears_of_the_first(void **state)
{
	struct es_datadir *d, *second;
	char base[256], pid[32];
	pid_t child;
	int status;

	(void)state;
	s_temporary(base);
	assert_int_equal(open_as(base, "first", &d), 0);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int rc = open_as(base, "second", &second);

		_exit(rc == ES_EBUSY && strstr(errmsg, pid) != NULL &&
				      strstr(errmsg, "member first") != NULL &&
				      strstr(errmsg, "/LOCK") != NULL
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	es_datadir_close(d);
	assert_int_equal(open_as(base, "second", &d), 0);
	es_datadir_close(d);
	s_remove(base);
}

static void an_open_folder_is_warned_about(void **state)
{
	struct es_datadir *d;
	char base[256];

	(void)state;
	s_temporary(base);
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(open_as(base, "x", &d), 0);
	assert_non_null(es_datadir_warning(d, 0));
	assert_non_null(strstr(es_datadir_warning(d, 0), "0755"));
	assert_null(es_datadir_warning(d, 1));
	es_datadir_close(d);
	s_remove(base);
}

static void foreign_and_newer_folders_are_refused(void **state)
{
	static const char newer[] = "engenho-store data folder\nformat 7\nwritten-by "
				    "engenho-store 9.9.9\n";
	struct es_datadir *d;
	char base[256], path[300];

	(void)state;
	s_temporary(base);
	s_write(base, "FORMAT", newer, sizeof(newer) - 1);
	assert_int_equal(open_as(base, "x", &d), ES_EFORMAT);
	assert_non_null(strstr(errmsg, "format 7"));
	assert_non_null(strstr(errmsg, "engenho-store 9.9.9"));
	assert_non_null(strstr(errmsg, "/FORMAT"));
	s_remove(base);

	s_temporary(base);
	snprintf(path, sizeof(path), "%s/member", base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_as(base, "x", &d), ES_EFORMAT);
	assert_non_null(strstr(errmsg, "etcd"));
	assert_false(is_there(base, "LOCK"));
	assert_false(is_there(base, "FORMAT"));
	s_remove(base);

	s_temporary(base);
	snprintf(path, sizeof(path), "%s/raft", base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_as(base, "x", &d), ES_ECORRUPT);
	assert_non_null(strstr(errmsg, "/FORMAT"));
	s_remove(base);

	s_temporary(base);
	s_write(base, "file", "", 0);
	snprintf(path, sizeof(path), "%s/file", base);
	assert_int_equal(open_as(path, "x", &d), ES_EINVAL);
	assert_int_equal(open_as("", "x", &d), ES_EINVAL);
	memset(errmsg, 0, sizeof(errmsg));
	s_remove(base);
}

/* Without a member nothing was begun; with data, the member is part of it. */
static void nothing_is_left_before_there_is_a_member(void **state)
{
	struct es_datadir *d;
	char base[256];

	(void)state;
	s_temporary(base);
	assert_int_equal(open_as(base, "x", &d), 0);
	assert_true(is_there(base, "LOCK"));
	es_datadir_close(d);
	assert_false(is_there(base, "LOCK"));
	assert_false(is_there(base, "FORMAT"));
	assert_int_equal(open_as(base, "x", &d), 0);
	set_default_member(d);
	es_datadir_close(d);
	assert_true(is_there(base, "LOCK"));
	assert_true(is_there(base, "FORMAT"));
	s_remove(base);
}

static void a_lost_member_is_damage(void **state)
{
	static const char *const data[] = {"raft/metadata1", "checkpoints/1", "GUARD"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct es_datadir *d;
		char base[256], path[300];

		s_temporary(base);
		assert_int_equal(open_as(base, "x", &d), 0);
		set_default_member(d);
		es_datadir_close(d);
		snprintf(path, sizeof(path), "%s/MEMBER", base);
		assert_int_equal(unlink(path), 0);
		snprintf(path, sizeof(path), "%s/LOCK", base);
		assert_int_equal(unlink(path), 0);
		if (i < 2) {
			snprintf(path, sizeof(path), "%s/%s", base,
				 i == 0 ? "raft" : "checkpoints");
			assert_int_equal(mkdir(path, 0700), 0);
			assert_int_equal(open_as(base, "x", &d), 0); /* empty: no data */
			es_datadir_close(d);
		}
		s_write(base, data[i], "x", 1);
		assert_int_equal(open_as(base, "x", &d), ES_ECORRUPT);
		assert_non_null(strstr(errmsg, "/MEMBER is missing from a folder that holds data"));
		assert_false(is_there(base, "MEMBER"));
		s_remove(base);
	}
}

static void etcd_beside_us_is_warned_about(void **state)
{
	struct es_datadir *d;
	char base[256], path[300];

	(void)state;
	s_temporary(base);
	assert_int_equal(open_as(base, "x", &d), 0);
	set_default_member(d);
	es_datadir_close(d);
	snprintf(path, sizeof(path), "%s/member", base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_as(base, "x", &d), 0);
	assert_non_null(es_datadir_warning(d, 0));
	assert_non_null(strstr(es_datadir_warning(d, 0), "etcd"));
	es_datadir_close(d);
	s_remove(base);
}

static void damage_is_named(void **state)
{
	static const char *const names[] = {"FORMAT", "MEMBER"};
	struct es_datadir_member member;
	struct es_datadir *d;
	unsigned refused = 0;
	char base[256];

	(void)state;
	s_temporary(base);
	assert_int_equal(open_as(base, "x", &d), 0);
	set_default_member(d);
	es_datadir_close(d);
	for (size_t f = 0; f < 2; f++) {
		size_t len;
		uint8_t *data = s_read(base, names[f], &len);

		for (size_t i = 0; i < 2 * len; i++) {
			int rc;

			if (i < len) {
				data[i] ^= (uint8_t)(1u << i % 8);
				s_write(base, names[f], data, len);
				data[i] ^= (uint8_t)(1u << i % 8);
			} else {
				s_write(base, names[f], data, i - len);
			}
			rc = open_as(base, "x", &d);
			if (rc < 0) {
				assert_true(rc == ES_ECORRUPT || rc == ES_EFORMAT);
				assert_non_null(strstr(errmsg, names[f]));
				refused++;
				continue;
			}
			/* Only the words that say who wrote it. */
			assert_int_equal(f, 0);
			assert_true(es_datadir_member(d, &member));
			assert_true(es_slice_eq(member.name, ES_SLICE("default")));
			es_datadir_close(d);
		}
		s_write(base, names[f], data, len);
		free(data);
	}
	assert_true(refused > 200);
	s_remove(base);
}

static void a_failing_disk_is_told(void **state)
{
	struct es_datadir_member member = {1, 2, ES_SLICE("one")};

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_datadir *d;
		struct fault_fs f;
		char base[256], path[300];
		int rc;

		s_temporary(base);
		snprintf(path, sizeof(path), "%s/data", base);
		fault_fs_init(&f, n, EIO);
		rc = es_datadir_open(es_mem_default(), &f.fs, path, "x", "test", &d, errmsg,
				     sizeof(errmsg));
		if (rc == 0) {
			rc = es_datadir_set_member(d, &member, errmsg, sizeof(errmsg));
			es_datadir_close(d);
		}
		assert_int_equal(f.open_files, 0);
		if (rc < 0) {
			assert_int_equal(rc, ES_EIO);
			assert_non_null(strstr(errmsg, path));
			assert_true(f.fired);
		}
		s_remove(base);
		if (!f.fired)
			break;
	}
}

static void out_of_memory_at_any_point(void **state)
{
	struct es_datadir_member member = {1, 2, ES_SLICE("one")};
	char base[256];

	(void)state;
	s_temporary(base);
	for (uint64_t n = 0;; n++) {
		struct es_datadir *d;
		struct es_fault_mem fault;
		int rc;

		es_fault_mem_init(&fault, n);
		rc = es_datadir_open(&fault.mem, es_fs_posix(), base, "x", "test", &d, errmsg,
				     sizeof(errmsg));
		if (rc == 0) {
			rc = es_datadir_set_member(d, &member, errmsg, sizeof(errmsg));
			es_datadir_close(d);
		}
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	s_remove(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_folder_is_private_and_remembers),
		cmocka_unit_test(the_names_of_new_folders_are_durable),
		cmocka_unit_test(the_documented_member_is_read),
		cmocka_unit_test(any_name_comes_back),
		cmocka_unit_test(a_second_holder_hears_of_the_first),
		cmocka_unit_test(an_open_folder_is_warned_about),
		cmocka_unit_test(foreign_and_newer_folders_are_refused),
		cmocka_unit_test(nothing_is_left_before_there_is_a_member),
		cmocka_unit_test(a_lost_member_is_damage),
		cmocka_unit_test(etcd_beside_us_is_warned_about),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(a_failing_disk_is_told),
		cmocka_unit_test(out_of_memory_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
