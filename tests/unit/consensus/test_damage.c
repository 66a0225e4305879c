#include "image.h"

#include <errno.h>
#include <fcntl.h>

#include "base/rng.h"
#include "consensus/internal.h"

/*
 * A small real data folder as a crash would leave it, with every byte flipped and every file cut
 * everywhere: the member either refuses to start, with an error that names the file, or has exactly
 * what it acknowledged.
 */
#define STEPS_MAX 64

struct past {
	uint8_t digest[STEPS_MAX][ES_BLAKE3_BYTES]; /* after so many batches */
	unsigned steps;
	struct image image;
	char folder[256];
};

static bool in_open_segment(const char *path)
{
	return strncmp(path, "raft/open-", 10) == 0;
}

static void step(struct harness *h, struct past *past, const void *data, size_t len)
{
	uint64_t target = h->answered + 1;

	h_propose(h, data, len);
	H_RUN_UNTIL(h, h->answered == target);
	assert_true(past->steps < STEPS_MAX);
	h_digest(h, past->digest[past->steps++]);
}

/* Closed and open segments, a snapshot, a base and an addition. The image is taken while the member
 * runs. */
static void make_past(struct past *past, bool guard)
{
	struct harness h;

	memset(past, 0, sizeof(*past));
	h_temporary(past->folder, sizeof(past->folder));
	h_start(&h, past->folder);
	step(&h, past, "one", 3);
	step(&h, past, "two", 3);
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.ended == 1);
	step(&h, past, "three", 5);
	h_close(&h);
	h_start(&h, past->folder);
	step(&h, past, "four", 4);
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.ended == 1);
	step(&h, past, "five", 4);
	h_close(&h);
	h_start(&h, past->folder);
	step(&h, past, "six", 3);
	step(&h, past, "seven", 5);
	/* libraft allots segments in the background. */
	for (int i = 0; i < 20; i++) {
		uv_run(&h.loop, UV_RUN_NOWAIT);
		usleep(5000);
	}
	image_take(&past->image, past->folder);
	h_close(&h);
	if (!guard)
		image_drop(&past->image, "GUARD");
	/* Space that was only begun to be allotted, which saves time here. */
	for (size_t i = 0; i < past->image.count; i++) {
		if (in_open_segment(past->image.files[i].path) && past->image.files[i].len == 0)
			past->image.files[i].size = 8192;
	}
	image_put(&past->image, past->folder);
}

static void free_past(struct past *past)
{
	image_free(&past->image);
	h_remove(past->folder);
}

/* Opens the folder as it is. Returns how many steps of the past are there, or the error. */
static int try_open(struct past *past, char errmsg[1024])
{
	uint8_t digest[ES_BLAKE3_BYTES];
	struct harness h;
	int rc;

	h_init(&h, past->folder);
	rc = h_open(&h);
	snprintf(errmsg, 1024, "%s", h.errmsg);
	if (rc == 0) {
		h_digest(&h, digest);
		rc = ES_EINTERNAL;
		for (unsigned i = 0; i < past->steps; i++) {
			if (memcmp(digest, past->digest[i], sizeof(digest)) == 0)
				rc = (int)i + 1;
		}
	}
	h_close(&h);
	return rc;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

struct outcome {
	unsigned refused, whole, shorter;
};

/* Batches in closed segments; the others are in the open one. */
#define STEPS_CLOSED 5

/* `exact`: nothing that was acknowledged may be missing. */
static void judge(struct past *past, const struct image_file *file, const char *what, size_t at,
		  bool exact, struct outcome *outcome)
{
	char errmsg[1024];
	int rc = try_open(past, errmsg);

	if (rc == (int)past->steps) {
		outcome->whole++;
	} else if (!exact && in_open_segment(file->path) &&
		   rc >= (what[0] == 'c' ? STEPS_CLOSED : (int)past->steps - 1)) {
		outcome->shorter++;
	} else if (rc > 0 || rc == ES_EINTERNAL) {
		fail_msg("%s %s at %zu: the state after open has %d of %u steps", file->path, what,
			 at, rc, past->steps);
	} else {
		outcome->refused++;
		if (strstr(errmsg, name_of(file->path)) == NULL)
			fail_msg("%s %s at %zu: not named: %s", file->path, what, at, errmsg);
	}
	if (rc > 0)
		image_put(&past->image, past->folder); /* opening has changed it */
}

static void damage_everything(bool guard, bool exact, struct outcome *ret_flips,
			      struct outcome *ret_cuts)
{
	struct past past;

	make_past(&past, guard);
	memset(ret_flips, 0, sizeof(*ret_flips));
	memset(ret_cuts, 0, sizeof(*ret_cuts));
	for (size_t i = 0; i < past.image.count; i++) {
		struct image_file file = past.image.files[i];
		size_t reach = file.len < file.size ? file.len + 1
						    : file.len; /* and one zero byte behind it */

		if (!guard && !in_open_segment(file.path))
			continue; /* these do not depend on it */
		for (size_t at = 0; at < reach; at++) {
			if (strcmp(file.path, "GUARD") == 0 && at % 512 >= 44)
				continue; /* space between its slots */
			file.len = reach;
			file.data[at] ^= (uint8_t)(1u << (at + i) % 8);
			image_put_file(&file, past.folder);
			judge(&past, &file, "flipped", at, exact, ret_flips);
			file.data[at] ^= (uint8_t)(1u << (at + i) % 8);
		}
		for (size_t at = 0; at < past.image.files[i].len; at++) {
			file.len = at;
			file.size = at;
			image_put_file(&file, past.folder);
			judge(&past, &file, "cut", at, exact, ret_cuts);
		}
		image_put_file(&past.image.files[i], past.folder);
	}
	assert_true(!guard || image_is(&past.image, past.folder)); /* a refusal changes nothing */
	free_past(&past);
}

static void nothing_acknowledged_is_lost_without_a_word(void **state)
{
	struct outcome flips, cuts;

	(void)state;
	damage_everything(true, true, &flips, &cuts);
	print_message("flips: %u refused, %u without effect; cuts: %u refused, %u without effect\n",
		      flips.refused, flips.whole, cuts.refused, cuts.whole);
	assert_true(flips.refused > 1000 && flips.whole > 50 && cuts.refused > 1000);
}

/* After a power failure that came so soon that the guard is not on disk, damage to the last batch
 * looks like a torn write, and an open segment that was cut behind a batch like one that was being
 * closed. */
static void without_the_guard_only_the_end_of_the_log_is_in_doubt(void **state)
{
	struct outcome flips, cuts;

	(void)state;
	damage_everything(false, false, &flips, &cuts);
	print_message(
		"flips: %u refused, %u without effect, %u cut the last batch; cuts: %u, %u, %u\n",
		flips.refused, flips.whole, flips.shorter, cuts.refused, cuts.whole, cuts.shorter);
	assert_true(flips.shorter > 0 && flips.shorter < 100);
	assert_true(cuts.shorter > 0 && cuts.shorter < 150);
}

static void missing_files_are_named(void **state)
{
	struct past past;

	(void)state;
	make_past(&past, true);
	for (size_t i = 0; i < past.image.count; i++) {
		const struct image_file *file = &past.image.files[i];
		char full[512], errmsg[1024];
		int rc;

		snprintf(full, sizeof(full), "%s/%s", past.folder, file->path);
		assert_int_equal(unlink(full), 0);
		rc = try_open(&past, errmsg);
		if (rc < 0) {
			/* Of a log that ends too early, only its end can be named. */
			if (strstr(errmsg, name_of(file->path)) == NULL &&
			    strstr(errmsg, "missing") == NULL &&
			    strstr(errmsg, "acknowledged") == NULL &&
			    strstr(errmsg, "was expected") == NULL)
				fail_msg("%s: %s", file->path, errmsg);
			assert_non_null(strstr(errmsg, past.folder));
			image_put_file(file, past.folder);
			assert_true(image_is(&past.image, past.folder));
		} else {
			assert_int_equal(
				rc, past.steps); /* old snapshots, unused segments, the guard */
			image_put(&past.image, past.folder);
		}
	}
	free_past(&past);
}

static void a_log_that_is_gone_is_not_begun_anew(void **state)
{
	char errmsg[1024], full[512];
	struct past past;

	(void)state;
	make_past(&past, true);
	snprintf(full, sizeof(full), "%s/raft", past.folder);
	h_remove(full);
	assert_int_equal(try_open(&past, errmsg), ES_ENOENT);
	assert_non_null(strstr(errmsg, "the log is missing"));
	snprintf(full, sizeof(full), "%s/checkpoints", past.folder);
	h_remove(full);
	assert_int_equal(try_open(&past, errmsg), ES_ENOENT);
	free_past(&past);
}

/* ---- a segment that libraft cannot close (disk/segments.c, S6) ------------------------------- */

/* How many segments are not renamed. In the place of libc's, also for libraft. */
static int renames_to_fail;

int rename(const char *from, const char *to)
{
	if (renames_to_fail > 0 && strstr(from, "/open-") != NULL) {
		renames_to_fail--;
		errno = EIO;
		return -1;
	}
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static unsigned count_open(const char *folder)
{
	char path[512];
	struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/raft", folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		n += strncmp(d->d_name, "open-", 5) == 0;
	closedir(dir);
	return n;
}

static void propose_large(struct harness *h, int n)
{
	static uint8_t data[500000];

	for (int i = 0; i < n; i++) {
		uint64_t target = h->answered + 1;

		memset(data, i + 1, sizeof(data));
		h_propose(h, data, sizeof(data));
		H_RUN_UNTIL(h, h->answered == target);
	}
}

/* Without a checkpoint it is in the middle of the log; one before or after it changes what the log
 * needs of it. */
static void a_segment_that_could_not_be_closed_is_put_in_its_place(void **state)
{
	static const struct {
		int failing, before, after;
		bool guard;
	} ways[] = {
		{1, 0, 60, true},
		{1, 0, 60, false},
		{2, 0, 60, true},
		{1, 10, 60, true}, /* a checkpoint: its segment holds entries behind it, too */
	};
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(ways); i++) {
		h_temporary(folder, sizeof(folder));
		h_start(&h, folder);
		if (ways[i].before > 0) {
			propose_large(&h, ways[i].before);
			es_consensus_checkpoint(h.consensus);
			H_RUN_UNTIL(&h, h.ended == 1 && h.consensus->run == NULL);
		}
		renames_to_fail = ways[i].failing;
		propose_large(&h, ways[i].after);
		assert_int_equal(renames_to_fail, 0);
		h_digest(&h, before);
		assert_int_equal(h.failed, 0);
		h_close(&h);
		assert_int_equal(count_open(folder), ways[i].failing);
		if (!ways[i].guard) {
			char path[512];

			snprintf(path, sizeof(path), "%s/GUARD", folder);
			assert_int_equal(unlink(path), 0);
		}
		h_start(&h, folder);
		h_digest(&h, after);
		assert_memory_equal(before, after, sizeof(before));
		propose_large(&h, 20);
		h_digest(&h, before);
		h_close(&h);
		h_start(&h, folder);
		h_digest(&h, after);
		assert_memory_equal(before, after, sizeof(before));
		h_close(&h);
		h_remove(folder);
	}
}

/* It is noticed when the next checkpoint is stored. */
static void a_segment_that_could_not_be_closed_stops_the_member(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;

	(void)state;
	for (int large = 5; large <= 40; large += 35) { /* in the last segment, or far behind */
		h_temporary(folder, sizeof(folder));
		h_start(&h, folder);
		renames_to_fail = 1;
		propose_large(&h, large);
		es_consensus_checkpoint(h.consensus);
		H_RUN_UNTIL(&h, h.failed != 0);
		assert_int_equal(h.end_status, 0);
		assert_int_equal(renames_to_fail, 0);
		assert_int_equal(h.failed, ES_EIO);
		assert_non_null(strstr(h.failed_text, "/raft/open-1: "));
		h_digest(&h, before);
		h_close(&h);
		h_start(&h, folder);
		assert_int_equal(h.restored, 1);
		h_digest(&h, after);
		assert_memory_equal(before, after, sizeof(before));
		propose_large(&h, 1);
		es_consensus_checkpoint(h.consensus);
		H_RUN_UNTIL(&h, h.ended == 1 && h.consensus->run == NULL);
		assert_int_equal(h.failed, 0);
		h_close(&h);
		assert_int_equal(count_open(folder), 0);
		h_remove(folder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost_without_a_word),
		cmocka_unit_test(without_the_guard_only_the_end_of_the_log_is_in_doubt),
		cmocka_unit_test(missing_files_are_named),
		cmocka_unit_test(a_log_that_is_gone_is_not_begun_anew),
		cmocka_unit_test(a_segment_that_could_not_be_closed_is_put_in_its_place),
		cmocka_unit_test(a_segment_that_could_not_be_closed_stops_the_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
