#include "support.h"

#include "base/buf.h"
#include "disk/raft_crc.h"
#include "disk/segments.h"

/*
 * Folders made by hand: what the member's own tests (tests/unit/consensus/test_damage.c) cannot
 * bring about. Entries here are 16 bytes with their index in the second half, as ours have it.
 */
struct world {
	char folder[256], raft[300];
	struct es_guard *guard;
	struct es_segments_report report;
	char errmsg[1024];
};

static uint64_t index_of(struct es_slice entry)
{
	return entry.len < 16 ? 0 : es_load_u64le(entry.data + 8);
}

static void world_open(struct world *w)
{
	struct es_guard_metadata first = {1, 1, 0};

	s_temporary(w->folder);
	snprintf(w->raft, sizeof(w->raft), "%s/raft", w->folder);
	assert_int_equal(es_guard_open(es_mem_default(), es_fs_posix(), w->folder, &w->guard,
				       w->errmsg, sizeof(w->errmsg)),
			 0);
	assert_int_equal(es_segments_create(es_mem_default(), es_fs_posix(), w->folder,
					    ES_SLICE("configur"), w->errmsg, sizeof(w->errmsg)),
			 0);
	assert_int_equal(es_guard_set_metadata(w->guard, &first), 0);
}

static void world_close(struct world *w)
{
	es_guard_close(w->guard);
	s_remove(w->folder);
}

static int check_with(struct world *w, const struct es_mem *mem, const struct es_fs *fs)
{
	struct es_segments *segments;
	int rc;

	snprintf(w->errmsg, sizeof(w->errmsg), "not set");
	rc = es_segments_check(mem, fs, w->raft, w->guard, index_of, 64, &segments, &w->report,
			       w->errmsg, sizeof(w->errmsg));
	if (rc == 0) {
		rc = es_segments_repair(segments, w->errmsg, sizeof(w->errmsg));
		es_segments_free(segments);
	}
	if (rc < 0)
		assert_string_not_equal(w->errmsg, "not set");
	return rc;
}

static int check(struct world *w)
{
	return check_with(w, es_mem_default(), es_fs_posix());
}

static void expect(struct world *w, int status, const char *name, const char *what)
{
	int rc = check(w);

	if (rc != status || strstr(w->errmsg, name) == NULL || strstr(w->errmsg, what) == NULL)
		fail_msg("%d, %s (expected %d, %s, %s)", rc, w->errmsg, status, name, what);
}

static bool exists(struct world *w, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", w->raft, name);
	return access(path, F_OK) == 0;
}

/* ---- segments by hand ------------------------------------------------------------------------ */

static struct es_buf segment_begin(void)
{
	struct es_buf bytes;

	es_buf_init(&bytes, es_mem_default());
	assert_int_equal(es_buf_append_u64le(&bytes, 1), 0);
	return bytes;
}

static void add_batch(struct es_buf *bytes, uint64_t index, uint64_t term)
{
	uint8_t header[24] = {1}, entry[16] = {0};

	es_store_u64le(header + 8, term);
	header[16] = 1; /* a command */
	es_store_u32le(header + 20, sizeof(entry));
	es_store_u64le(entry + 8, index);
	assert_int_equal(
		es_buf_append_u32le(bytes, es_raft_crc(0, es_slice(header, sizeof(header)))), 0);
	assert_int_equal(es_buf_append_u32le(bytes, es_raft_crc(0, es_slice(entry, sizeof(entry)))),
			 0);
	assert_int_equal(es_buf_append(bytes, header, sizeof(header)), 0);
	assert_int_equal(es_buf_append(bytes, entry, sizeof(entry)), 0);
}

static void add_zeros(struct es_buf *bytes, size_t n)
{
	assert_int_equal(es_buf_reserve(bytes, n), 0);
	memset(bytes->data + bytes->len, 0, n);
	bytes->len += n;
}

static void put(struct world *w, const char *name, struct es_buf *bytes)
{
	s_write(w->raft, name, bytes->data, bytes->len);
	es_buf_close(bytes);
}

/* Entries first..last, term 1; open ones filled up to what libraft allots. */
static void put_segment(struct world *w, const char *name, uint64_t first, uint64_t last)
{
	struct es_buf bytes = segment_begin();

	for (uint64_t i = first; i <= last; i++)
		add_batch(&bytes, i, 1);
	if (strncmp(name, "open", 4) == 0)
		add_zeros(&bytes, (8u << 20) - bytes.len);
	put(w, name, &bytes);
}

static void put_snapshot(struct world *w, const char *name, bool meta, bool data)
{
	uint8_t bytes[40] = {1}, content[64] = {0};
	char with_meta[64];

	es_store_u64le(bytes + 24, 8);
	memcpy(bytes + 32, "configur", 8);
	es_store_u64le(bytes + 8, es_raft_crc(0, es_slice(bytes + 16, 24)));
	snprintf(with_meta, sizeof(with_meta), "%s.meta", name);
	if (meta)
		s_write(w->raft, with_meta, bytes, sizeof(bytes));
	if (data)
		s_write(w->raft, name, content, sizeof(content));
}

static void a_new_log_is_whole(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.first_index, 1);
	assert_int_equal(w.report.last_index, 1);
	assert_int_equal(w.report.last_term, 1);
	assert_int_equal(w.report.snapshot_index, 0);
	assert_int_equal(es_segments_create(es_mem_default(), es_fs_posix(), w.folder,
					    ES_SLICE("configur"), w.errmsg, sizeof(w.errmsg)),
			 ES_EIO); /* there is one */
	world_close(&w);
}

static void making_a_log_is_one_step(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct fault_fs f;
		char folder[256], raft[300], errmsg[1024];
		int rc;

		s_temporary(folder);
		snprintf(raft, sizeof(raft), "%s/raft", folder);
		fault_fs_init(&f, n, ENOSPC);
		rc = es_segments_create(es_mem_default(), &f.fs, folder, ES_SLICE("configur"),
					errmsg, sizeof(errmsg));
		assert_int_equal(f.open_files, 0);
		assert_int_equal(rc, f.fired ? ES_ENOSPC : 0);
		if (rc < 0 && access(raft, F_OK) != 0) /* a second try works */
			assert_int_equal(es_segments_create(es_mem_default(), es_fs_posix(), folder,
							    ES_SLICE("configur"), errmsg,
							    sizeof(errmsg)),
					 0);
		assert_int_equal(access(raft, F_OK), 0);
		s_remove(folder);
		if (!f.fired)
			break;
	}
}

static void open_segments_are_closed(void **state)
{
	struct world w;
	struct es_buf bytes;

	(void)state;
	world_open(&w);
	put_segment(&w, "open-1", 2, 4);
	put_segment(&w, "open-2", 5, 5);
	put_segment(&w, "open-10", 6, 7); /* by number, not by name */
	bytes = segment_begin();
	bytes.len = 0;
	add_zeros(&bytes, 8192); /* being allotted */
	put(&w, "open-11", &bytes);
	s_write(w.raft, "open-12", "", 0);
	s_write(w.raft, "open-x", "foreign", 7);
	assert_int_equal(es_guard_acknowledge(w.guard, 7), 0);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.last_index, 7);
	assert_int_equal(w.report.cut_bytes, 0);
	assert_true(exists(&w, "0000000000000002-0000000000000004"));
	assert_true(exists(&w, "0000000000000005-0000000000000005"));
	assert_true(exists(&w, "0000000000000006-0000000000000007"));
	assert_false(exists(&w, "open-1") || exists(&w, "open-2") || exists(&w, "open-10") ||
		     exists(&w, "open-11") || exists(&w, "open-12"));
	assert_true(exists(&w, "open-x"));
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.last_index, 7);
	world_close(&w);
}

/* Segments that libraft could not close, while later ones were. */
static void open_segments_go_where_their_entries_say(void **state)
{
	struct es_buf bytes;
	struct world w;

	(void)state;
	world_open(&w);
	put_segment(&w, "open-1", 2, 4);
	put_segment(&w, "0000000000000005-0000000000000006", 5, 6);
	bytes = segment_begin(); /* cut, but not renamed */
	add_batch(&bytes, 7, 1);
	add_batch(&bytes, 8, 1);
	put(&w, "open-3", &bytes);
	put_segment(&w, "0000000000000009-0000000000000009", 9, 9);
	put_segment(&w, "open-5", 10, 11);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.first_index, 1);
	assert_int_equal(w.report.last_index, 11);
	assert_true(exists(&w, "0000000000000002-0000000000000004"));
	assert_true(exists(&w, "0000000000000007-0000000000000008"));
	assert_true(exists(&w, "0000000000000010-0000000000000011"));
	assert_false(exists(&w, "open-1") || exists(&w, "open-3") || exists(&w, "open-5"));
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.last_index, 11);
	world_close(&w);

	/* A snapshot that has them all, or not all of them. */
	for (int last = 6; last <= 7; last++) {
		world_open(&w);
		put_segment(&w, "open-1", 2, 4);
		put_segment(&w, "open-2", 5, (uint64_t)last);
		put_segment(&w, "open-3", (uint64_t)last + 1, 9);
		put_snapshot(&w, "snapshot-1-6-100", true, true);
		assert_int_equal(check(&w), 0);
		assert_int_equal(w.report.first_index, last == 6 ? 7 : 5);
		assert_int_equal(w.report.last_index, 9);
		assert_false(exists(&w, "0000000000000002-0000000000000004"));
		assert_int_equal(exists(&w, "0000000000000005-0000000000000007"), last == 7);
		assert_false(exists(&w, "open-1") || exists(&w, "open-2") || exists(&w, "open-3"));
		assert_int_equal(check(&w), 0);
		assert_int_equal(w.report.last_index, 9);
		world_close(&w);
	}
}

/* It was written before others, so it cannot be torn, and nothing may be missing or there twice. */
static void a_stray_segment_must_be_whole_and_fit(void **state)
{
	struct es_buf bytes;
	struct world w;

	(void)state;
	world_open(&w);
	put_segment(&w, "0000000000000005-0000000000000006", 5, 6);
	bytes = segment_begin();
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 3, 1);
	add_batch(&bytes, 4, 1);
	bytes.data[bytes.len - 1] ^= 1;
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(&w, "open-1", &bytes);
	expect(&w, ES_ECORRUPT, "open-1: at byte 104", "after it");
	bytes = segment_begin();
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 4, 1);
	add_batch(&bytes, 4, 1);
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(&w, "open-1", &bytes);
	expect(&w, ES_ECORRUPT, "open-1: at byte 56", "entry 3 was expected");
	put_segment(&w, "open-1", 2, 5);
	expect(&w, ES_ECORRUPT, "0000000000000005-0000000000000006", "open-1 has, too");
	put_segment(&w, "open-1", 2, 3);
	expect(&w, ES_ENOENT, "0000000000000005-0000000000000006", "from 1 on");
	bytes = segment_begin();
	for (uint64_t i = 2; i <= 4; i++)
		add_batch(&bytes, i, 1);
	add_zeros(&bytes, 100);
	put(&w, "open-1", &bytes);
	expect(&w, ES_ECORRUPT, "open-1: at byte 152", "cut");
	assert_true(exists(&w, "open-1"));
	world_close(&w);
}

/* What libraft itself gives up on. */
static void a_segment_may_be_full_to_the_last_word(void **state)
{
	struct world w;
	struct es_buf bytes = segment_begin();

	(void)state;
	world_open(&w);
	for (uint64_t i = 2; bytes.len + 48 <= (8u << 20); i++)
		add_batch(&bytes, i, 1);
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(&w, "open-1", &bytes);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.cut_bytes, 0);
	world_close(&w);
}

static void a_broken_batch_is_torn_only_at_the_very_end(void **state)
{
	struct world w;
	struct es_buf bytes;

	(void)state;
	for (int later = 0; later < 4; later++) {
		world_open(&w);
		bytes = segment_begin();
		add_batch(&bytes, 2, 1);
		add_batch(&bytes, 3, 1);
		bytes.data[bytes.len - 1] ^= 1;
		if (later == 1)
			add_batch(&bytes, 4, 1);
		add_zeros(&bytes, (8u << 20) - bytes.len);
		put(&w, "open-1", &bytes);
		if (later == 2) {
			put_segment(&w, "open-2", 4, 4);
		} else if (later == 3) { /* not even a whole batch */
			bytes = segment_begin();
			add_zeros(&bytes, 4096);
			put(&w, "open-2", &bytes);
		}
		if (later == 0) {
			assert_int_equal(check(&w), 0);
			assert_int_equal(w.report.last_index, 2);
			assert_true(w.report.cut_bytes > 0);
			assert_int_equal(w.report.cut_offset, 56);
			assert_string_equal(w.report.cut_file, "open-1");
		} else {
			expect(&w, ES_ECORRUPT, "open-1: at byte 56",
			       later == 1 ? "whole one follows at byte 104" : "open-2 was written");
		}
		world_close(&w);
	}
}

/* A value may hold the bytes of a batch: one that says another index proves nothing. */
static void bytes_that_look_like_a_batch_do_not_count(void **state)
{
	struct world w;
	struct es_buf bytes = segment_begin();

	(void)state;
	world_open(&w);
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 3, 1);
	bytes.data[bytes.len - 1] ^= 1;
	add_batch(&bytes, 1, 1);                       /* before */
	add_batch(&bytes, 3 + ((uint64_t)1 << 40), 1); /* far behind */
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(&w, "open-1", &bytes);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.last_index, 2);
	world_close(&w);
}

/* Small numbers look like the number of entries in a batch. To take the checksum of what they speak
 * of would take minutes or hours. */
static void a_torn_write_of_numbers_is_judged_soon(void **state)
{
	struct world w;
	struct es_buf bytes = segment_begin();

	(void)state;
	world_open(&w);
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 3, 1);
	bytes.data[bytes.len - 1] ^= 1;
	while (bytes.len < 8u << 20)
		assert_int_equal(es_buf_append_u64le(&bytes, bytes.len % 9 == 0 ? 1 : 200000), 0);
	put(&w, "open-1", &bytes);
	alarm(60);
	assert_int_equal(check(&w), 0);
	alarm(0);
	assert_int_equal(w.report.last_index, 2);
	assert_int_equal(w.report.cut_offset, 56);
	world_close(&w);
}

static void what_was_acknowledged_is_not_torn(void **state)
{
	struct world w;
	struct es_buf bytes = segment_begin();

	(void)state;
	world_open(&w);
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 3, 1);
	bytes.data[bytes.len - 1] ^= 1;
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(&w, "open-1", &bytes);
	assert_int_equal(es_guard_acknowledge(w.guard, 3), 0);
	expect(&w, ES_ECORRUPT, "open-1: at byte 56", "entry 3 was acknowledged");
	assert_true(exists(&w, "open-1"));
	put_segment(&w, "open-1", 2, 2);
	expect(&w, ES_ECORRUPT, "open-1", "ends at entry 2");
	world_close(&w);
}

static void closed_segments_must_fit_together(void **state)
{
	struct world w;
	struct es_buf bytes;

	(void)state;
	world_open(&w);
	put_segment(&w, "0000000000000003-0000000000000004", 3, 4);
	expect(&w, ES_ENOENT, "0000000000000003-0000000000000004", "from 1 on");
	put_segment(&w, "0000000000000002-0000000000000003", 2, 3);
	expect(&w, ES_ECORRUPT, "0000000000000003-0000000000000004", "too");
	s_remove(w.raft);
	world_close(&w);

	world_open(&w);
	put_segment(&w, "0000000000000002-0000000000000005", 2, 4);
	expect(&w, ES_ETRUNCATED, "0000000000000002-0000000000000005", "ends with entry 4");
	put_segment(&w, "0000000000000002-0000000000000005", 2, 6);
	expect(&w, ES_ECORRUPT, "0000000000000002-0000000000000005", "ends with entry 6");
	bytes = segment_begin();
	add_batch(&bytes, 2, 1);
	add_batch(&bytes, 4, 1);
	put(&w, "0000000000000002-0000000000000005", &bytes);
	expect(&w, ES_ECORRUPT, "at byte 56", "entry 3 was expected, and this says to be 4");
	bytes = segment_begin();
	add_batch(&bytes, 2, 9); /* a term that the metadata do not know yet */
	put(&w, "0000000000000002-0000000000000005", &bytes);
	expect(&w, ES_ECORRUPT, "at byte 8", "impossible term");
	bytes = segment_begin();
	add_batch(&bytes, 2, 1);
	bytes.data[0] = 2;
	put(&w, "0000000000000002-0000000000000005", &bytes);
	expect(&w, ES_EFORMAT, "at byte 0", "format");
	s_write(w.raft, "0000000000000002-0000000000000005", "1234567", 7);
	expect(&w, ES_ETRUNCATED, "at byte 7", "cut");
	s_write(w.raft, "0000000000000005-0000000000000002", "", 0);
	expect(&w, ES_ECORRUPT, "0000000000000005-0000000000000002", "name");
	world_close(&w);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static void snapshots_must_be_whole(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	put_segment(&w, "0000000000000002-0000000000000009", 2, 9);
	put_snapshot(&w, "snapshot-1-5-100", true, true);
	put_snapshot(&w, "snapshot-1-3-999", true, true);
	put_snapshot(&w, "snapshot-1-2-999", false, true); /* being removed */
	put_snapshot(&w, "snapshot-1-8-200", true, false); /* being written */
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.snapshot_index, 5);
	assert_string_equal(w.report.snapshot_file, "snapshot-1-5-100");
	put_snapshot(&w, "snapshot-1-9-200", false, true);
	expect(&w, ES_ENOENT, "snapshot-1-9-200", ".meta file is missing");
	put_snapshot(&w, "snapshot-1-9-200", true, true);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.snapshot_index, 9);
	s_write(w.raft, "snapshot-1-9-200", "", 0);
	expect(&w, ES_ETRUNCATED, "snapshot-1-9-200: at byte 0", "64");
	world_close(&w);
}

/* Entries that the snapshot has may be missing; libraft begins behind it. */
static void a_snapshot_stands_for_what_is_before_it(void **state)
{
	struct world w;
	char path[400];

	(void)state;
	world_open(&w);
	snprintf(path, sizeof(path), "%s/0000000000000001-0000000000000001", w.raft);
	assert_int_equal(unlink(path), 0);
	expect(&w, ES_ENOENT, "raft", "first segment");
	put_snapshot(&w, "snapshot-1-5-100", true, true);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.first_index, 6);
	assert_int_equal(w.report.last_index, 5);
	put_segment(&w, "0000000000000002-0000000000000003", 2, 3);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.last_index, 5);
	put_segment(&w, "0000000000000006-0000000000000007", 6, 7);
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.report.first_index, 6);
	assert_int_equal(w.report.last_index, 7);
	assert_int_equal(es_guard_acknowledge(w.guard, 8), 0);
	expect(&w, ES_ECORRUPT, "0000000000000006-0000000000000007", "entry 8 was acknowledged");
	world_close(&w);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void put_metadata(struct world *w, int file, uint64_t version, uint64_t term, uint64_t vote)
{
	uint8_t bytes[32];

	es_store_u64le(bytes, 1);
	es_store_u64le(bytes + 8, version);
	es_store_u64le(bytes + 16, term);
	es_store_u64le(bytes + 24, vote);
	s_write(w->raft, file == 1 ? "metadata1" : "metadata2", bytes, sizeof(bytes));
}

static void expect_metadata(struct world *w, int file, uint64_t version, uint64_t term,
			    uint64_t vote)
{
	size_t len;
	uint8_t *bytes = s_read(w->raft, file == 1 ? "metadata1" : "metadata2", &len);

	assert_int_equal(len, 32);
	assert_int_equal(es_load_u64le(bytes + 8), version);
	assert_int_equal(es_load_u64le(bytes + 16), term);
	assert_int_equal(es_load_u64le(bytes + 24), vote);
	free(bytes);
}

static void metadata_are_what_the_guard_says(void **state)
{
	struct es_guard_metadata set;
	struct world w;

	(void)state;
	world_open(&w);
	/* Version 2 was to be written, and was not, or in part. */
	set = (struct es_guard_metadata){2, 1, 7};
	assert_int_equal(es_guard_set_metadata(w.guard, &set), 0);
	assert_int_equal(check(&w), 0);
	expect_metadata(&w, 2, 2, 1, 7);
	s_write(w.raft, "metadata2", "12345", 5);
	assert_int_equal(check(&w), 0);
	expect_metadata(&w, 2, 2, 1, 7);
	/* Version 3: the file still has version 1. */
	set = (struct es_guard_metadata){3, 2, 0};
	assert_int_equal(es_guard_set_metadata(w.guard, &set), 0);
	assert_int_equal(check(&w), 0);
	expect_metadata(&w, 1, 3, 2, 0);
	assert_int_equal(check(&w), 0);
	/* Everything else is damage. */
	put_metadata(&w, 1, 3, 2, 5);
	expect(&w, ES_ECORRUPT, "metadata1", "GUARD");
	put_metadata(&w, 1, 4, 2, 0);
	expect(&w, ES_ECORRUPT, "metadata1", "GUARD");
	s_write(w.raft, "metadata1", "12345", 5);
	expect(&w, ES_ETRUNCATED, "metadata1", "GUARD");
	put_metadata(&w, 1, 3, 2, 0);
	assert_int_equal(check(&w), 0);
	put_metadata(&w, 2, 2, 1, 8);
	expect(&w, ES_ECORRUPT, "metadata2", "GUARD");
	put_metadata(&w, 2, 4, 9, 0);
	expect(&w, ES_ECORRUPT, "metadata2", "GUARD");
	put_metadata(&w, 2, 2, 1, 7);
	assert_int_equal(check(&w), 0);
	s_write(w.raft, "metadata2", "0123456789012345678901234567890123456789", 40);
	expect(&w, ES_ECORRUPT, "metadata2", "too long");
	world_close(&w);
}

static void without_a_guard_metadata_count_as_they_are(void **state)
{
	struct es_guard_metadata newest, before;
	struct world w;
	char path[400];

	(void)state;
	world_open(&w);
	put_metadata(&w, 2, 6, 4, 9);
	put_metadata(&w, 1, 5, 4, 0);
	es_guard_close(w.guard);
	snprintf(path, sizeof(path), "%s/GUARD", w.folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(es_guard_open(es_mem_default(), es_fs_posix(), w.folder, &w.guard,
				       w.errmsg, sizeof(w.errmsg)),
			 0);
	assert_int_equal(check(&w), 0);
	es_guard_metadata(w.guard, &newest, &before); /* it has them now */
	assert_int_equal(newest.version, 6);
	assert_int_equal(newest.term, 4);
	assert_int_equal(newest.vote, 9);
	put_metadata(&w, 2, 6, 4, 8);
	expect(&w, ES_ECORRUPT, "metadata2", "GUARD");
	world_close(&w);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void make_eventful(struct world *w)
{
	struct es_guard_metadata set = {2, 1, 7};
	struct es_buf bytes;

	world_open(w);
	put_segment(w, "0000000000000002-0000000000000003", 2, 3);
	put_snapshot(w, "snapshot-1-2-100", true, true);
	put_segment(w, "open-1", 4, 5);
	bytes = segment_begin();
	add_batch(&bytes, 6, 1);
	add_batch(&bytes, 7, 1);
	bytes.data[bytes.len - 1] ^= 1;
	add_zeros(&bytes, (8u << 20) - bytes.len);
	put(w, "open-2", &bytes);
	bytes = segment_begin();
	bytes.len = 0;
	add_zeros(&bytes, 4096);
	put(w, "open-3", &bytes);
	assert_int_equal(es_guard_set_metadata(w->guard, &set), 0);
}

/* A repair that fails anywhere can be done again. */
static void a_failing_disk_is_told_and_does_no_harm(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct fault_fs f;
		struct world w;
		int rc;

		make_eventful(&w);
		fault_fs_init(&f, n, EIO);
		rc = check_with(&w, es_mem_default(), &f.fs);
		assert_int_equal(f.open_files, 0);
		if (rc < 0) {
			assert_int_equal(rc, ES_EIO);
			assert_true(f.fired);
			assert_non_null(strstr(w.errmsg, w.raft));
			assert_int_equal(check(&w), 0);
		}
		assert_int_equal(w.report.last_index, 6);
		assert_int_equal(w.report.snapshot_index, 2);
		expect_metadata(&w, 2, 2, 1, 7);
		assert_true(exists(&w, "0000000000000006-0000000000000006"));
		world_close(&w);
		if (!f.fired)
			break;
	}
}

static void out_of_memory_at_any_point(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct world w;
		int rc;

		make_eventful(&w);
		es_fault_mem_init(&fault, n);
		rc = check_with(&w, &fault.mem, es_fs_posix());
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_int_equal(fault.live, 0);
		world_close(&w);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_log_is_whole),
		cmocka_unit_test(making_a_log_is_one_step),
		cmocka_unit_test(open_segments_are_closed),
		cmocka_unit_test(open_segments_go_where_their_entries_say),
		cmocka_unit_test(a_stray_segment_must_be_whole_and_fit),
		cmocka_unit_test(a_segment_may_be_full_to_the_last_word),
		cmocka_unit_test(a_broken_batch_is_torn_only_at_the_very_end),
		cmocka_unit_test(bytes_that_look_like_a_batch_do_not_count),
		cmocka_unit_test(a_torn_write_of_numbers_is_judged_soon),
		cmocka_unit_test(what_was_acknowledged_is_not_torn),
		cmocka_unit_test(closed_segments_must_fit_together),
		cmocka_unit_test(snapshots_must_be_whole),
		cmocka_unit_test(a_snapshot_stands_for_what_is_before_it),
		cmocka_unit_test(metadata_are_what_the_guard_says),
		cmocka_unit_test(without_a_guard_metadata_count_as_they_are),
		cmocka_unit_test(a_failing_disk_is_told_and_does_no_harm),
		cmocka_unit_test(out_of_memory_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
