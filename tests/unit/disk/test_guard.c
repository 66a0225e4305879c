#include "support.h"

#include "disk/guard.h"

static char errmsg[1024];

static struct es_guard *open_guard(const char *folder)
{
	struct es_guard *guard;

	if (es_guard_open(es_mem_default(), es_fs_posix(), folder, &guard, errmsg,
			  sizeof(errmsg)) != 0)
		fail_msg("%s", errmsg);
	return guard;
}

static void it_remembers(void **state)
{
	struct es_guard_metadata newest, before, set = {0, 0, 0};
	struct es_guard *guard;
	char folder[256];

	(void)state;
	s_temporary(folder);
	guard = open_guard(folder);
	assert_int_equal(es_guard_acknowledged(guard), 0);
	es_guard_metadata(guard, &newest, &before);
	assert_int_equal(newest.version, 0);
	for (uint64_t i = 1; i <= 20; i++) {
		assert_int_equal(es_guard_acknowledge(guard, 100 + i), 0);
		set = (struct es_guard_metadata){i, 10 + i, i % 3};
		assert_int_equal(es_guard_set_metadata(guard, &set), 0);
		if (i % 4 == 0) {
			es_guard_close(guard);
			guard = open_guard(folder);
		}
		assert_int_equal(es_guard_acknowledged(guard), 100 + i);
		es_guard_metadata(guard, &newest, &before);
		assert_int_equal(newest.version, i);
		assert_int_equal(newest.term, 10 + i);
		assert_int_equal(newest.vote, i % 3);
		assert_int_equal(before.version, i - 1);
		assert_int_equal(before.term, i == 1 ? 0 : 9 + i);
	}
	es_guard_close(guard);
	es_guard_close(NULL);
	s_remove(folder);
}

/* A torn write loses one slot: the other one of the pair is older, never wrong. */
static void one_damaged_slot_is_survived(void **state)
{
	struct es_guard_metadata newest, before, one = {1, 5, 0}, two = {2, 6, 7};
	struct es_guard *guard;
	unsigned refused = 0;
	char folder[256];
	uint8_t *data;
	size_t len;

	(void)state;
	s_temporary(folder);
	guard = open_guard(folder);
	assert_int_equal(es_guard_acknowledge(guard, 41), 0);
	assert_int_equal(es_guard_acknowledge(guard, 42), 0);
	assert_int_equal(es_guard_set_metadata(guard, &one), 0);
	assert_int_equal(es_guard_set_metadata(guard, &two), 0);
	es_guard_close(guard);
	data = s_read(folder, "GUARD", &len);
	assert_int_equal(len, 2048);
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 0x20;
		s_write(folder, "GUARD", data, len);
		guard = open_guard(folder);
		assert_true(es_guard_acknowledged(guard) == 42 ||
			    es_guard_acknowledged(guard) == 41);
		es_guard_metadata(guard, &newest, &before);
		assert_true((newest.version == 2 && newest.term == 6 && newest.vote == 7) ||
			    (newest.version == 1 && newest.term == 5 && newest.vote == 0));
		es_guard_close(guard);
		data[i] ^= 0x20;
	}
	data[8] ^= 1;
	data[512 + 8] ^= 1;
	s_write(folder, "GUARD", data, len);
	assert_int_equal(es_guard_open(es_mem_default(), es_fs_posix(), folder, &guard, errmsg,
				       sizeof(errmsg)),
			 ES_ECORRUPT);
	assert_non_null(strstr(errmsg, "/GUARD: at byte 0"));
	for (size_t i = 0; i < len; i += 7) {
		s_write(folder, "GUARD", data, i);
		assert_int_equal(es_guard_open(es_mem_default(), es_fs_posix(), folder, &guard,
					       errmsg, sizeof(errmsg)),
				 ES_ETRUNCATED);
		refused++;
	}
	assert_true(refused > 200);
	free(data);
	s_remove(folder);
}

static void failures_are_told(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_guard_metadata one = {1, 5, 0};
		struct es_guard *guard;
		struct fault_fs f;
		char folder[256];
		int rc;

		s_temporary(folder);
		fault_fs_init(&f, n, EIO);
		rc = es_guard_open(es_mem_default(), &f.fs, folder, &guard, errmsg, sizeof(errmsg));
		if (rc == 0) {
			rc = es_guard_set_metadata(guard, &one);
			if (rc == 0)
				rc = es_guard_acknowledge(guard, 1);
			es_guard_close(guard); /* the last sync may fail: nothing depends on it */
		}
		assert_int_equal(f.open_files, 0);
		assert_true(rc == 0 || rc == ES_EIO);
		assert_true(rc == 0 || f.fired);
		s_remove(folder);
		if (!f.fired)
			break;
	}
	for (uint64_t n = 0; n < 2; n++) {
		struct es_guard *guard;
		struct es_fault_mem fault;
		char folder[256];
		int rc;

		s_temporary(folder);
		es_fault_mem_init(&fault, n);
		rc = es_guard_open(&fault.mem, es_fs_posix(), folder, &guard, errmsg,
				   sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		if (rc == 0)
			es_guard_close(guard);
		assert_int_equal(fault.live, 0);
		s_remove(folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_remembers),
		cmocka_unit_test(one_damaged_slot_is_survived),
		cmocka_unit_test(failures_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
