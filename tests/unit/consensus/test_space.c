#include "harness.h"

#include <sys/mount.h>
#include <sys/statvfs.h>

#include "consensus/internal.h"
#include "consensus/node_internal.h"

/* ---- a disk whose free space the test decides, and a log that fails -------------------------- */

static struct {
	struct es_fs fs;
	uint64_t free_bytes;
	/* The next append fails with this. */
	int raft_status;
	const char *text;
	int (*real_append)(struct raft_io *, struct raft_io_append *, const struct raft_entry[],
			   unsigned, raft_io_append_cb);
	struct raft_io_append *request;
	uv_timer_t timer;
} disk;

static int disk_free_bytes(void *ctx, const char *path, uint64_t *ret_bytes)
{
	(void)ctx;
	(void)path;
	*ret_bytes = disk.free_bytes;
	return 0;
}

static void append_fails(uv_timer_t *timer)
{
	struct raft_io_append *request = disk.request;
	int status = disk.raft_status;

	disk.request = NULL;
	disk.raft_status = 0;
	uv_close((uv_handle_t *)timer, NULL);
	request->cb(request, status);
}

static int failing_append(struct raft_io *io, struct raft_io_append *request,
			  const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
	struct es_node *node = ES_CONTAINER_OF(io, struct es_node, io);

	if (disk.raft_status == 0)
		return disk.real_append(io, request, entries, n, done);
	snprintf(io->errmsg, sizeof(io->errmsg), "%s", disk.text);
	request->cb = done;
	disk.request = request;
	uv_timer_init(node->loop, &disk.timer);
	uv_timer_start(&disk.timer, append_fails, 1, 0);
	return 0;
}

static int refused_append(struct raft_io *io, struct raft_io_append *request,
			  const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
	(void)request;
	(void)entries;
	(void)n;
	(void)done;
	snprintf(io->errmsg, sizeof(io->errmsg), "%s", disk.text);
	return disk.raft_status;
}

static void start(struct harness *h, char folder[256])
{
	memset(&disk, 0, sizeof(disk));
	disk.fs = *es_fs_posix();
	disk.fs.free_bytes = disk_free_bytes;
	disk.free_bytes = UINT64_MAX / 2;
	h_temporary(folder, 256);
	h_init(h, folder);
	h->config.fs = &disk.fs;
	assert_int_equal(h_open(h), 0);
	H_RUN_UNTIL(h, h->leader);
}

static void fail_next_append(struct harness *h, int raft_status, const char *text)
{
	struct es_node *node = h->consensus->node;

	disk.raft_status = raft_status;
	disk.text = text;
	if (node->original_append != failing_append)
		disk.real_append = node->original_append;
	node->original_append = failing_append;
}

static void propose_and_wait(struct harness *h, const char *text)
{
	uint64_t target = h->answered + 1;

	h_propose(h, text, strlen(text));
	H_RUN_UNTIL(h, h->answered == target);
}

static void count_ready(void *arg, int status)
{
	assert_int_equal(status, 0);
	++*(int *)arg;
}

static void a_full_disk_refuses_writes_and_recovers(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;
	int reads = 0;

	(void)state;
	start(&h, folder);
	propose_and_wait(&h, "one");
	disk.free_bytes = 1000;
	usleep(60000);
	h_propose(&h, "refused later", 13);
	H_RUN_UNTIL(&h, h.dropped == 1);
	assert_int_equal(h.dropped_status, ES_ENOSPC);
	assert_true(h.full);
	assert_int_equal(es_consensus_propose(h.consensus, ES_SLICE("refused at once"), &h),
			 ES_ENOSPC);
	assert_true(es_consensus_is_leader(h.consensus));
	es_consensus_read_index(h.consensus, count_ready, &reads);
	assert_int_equal(reads, 1);
	disk.free_bytes = ES_SPACE_MARGIN_BYTES; /* not enough to come back */
	usleep(250000);
	uv_run(&h.loop, UV_RUN_NOWAIT);
	assert_true(h.full);
	disk.free_bytes = UINT64_MAX / 2;
	H_RUN_UNTIL(&h, !h.full);
	propose_and_wait(&h, "two");
	assert_int_equal(h.commands, 2);
	assert_int_equal(h.failed, 0);
	h_digest(&h, before);
	h_close(&h);
	h_start(&h, folder);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	h_remove(folder);
}

/* Somebody fills the disk between our look and libraft's write. */
static void a_log_that_ran_out_of_space_is_opened_again(void **state)
{
	static const struct {
		int raft_status;
		const char *text;
	} ways[] = {
		{RAFT_IOERR, "write failed: -28"},
		{RAFT_NOSPACE, "short write: 512 bytes instead of 4096"},
		{RAFT_NOSPACE, "create segment open-3: not enough space to allocate 8388608 bytes"},
	};
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;

	(void)state;
	start(&h, folder);
	propose_and_wait(&h, "zero");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		uint64_t dropped = h.dropped;
		int reads = 0;

		for (int k = 0; k < 50; k++)
			propose_and_wait(&h, "before");
		fail_next_append(&h, ways[i].raft_status, ways[i].text);
		disk.free_bytes = 5000;
		h.consensus->space_checked_ms = UINT64_MAX - 1000000; /* it has just looked */
		h_propose(&h, "lost", 4);
		uv_run(&h.loop, UV_RUN_NOWAIT);
		h_propose(&h, "waiting", 7);
		H_RUN_UNTIL(&h, h.dropped == dropped + 2);
		assert_int_equal(h.in_doubt, i + 1); /* the first: it was handed to libraft */
		assert_int_equal(h.dropped_status, ES_ENOSPC);
		assert_true(h.full);
		H_RUN_UNTIL(&h, h.consensus->log_state == LOG_CLOSED);
		assert_true(es_consensus_is_leader(h.consensus));
		es_consensus_read_index(h.consensus, count_ready, &reads);
		assert_int_equal(reads, 1);
		assert_true(es_consensus_commit_index(h.consensus) > 0);
		h.consensus->space_checked_ms = 0;
		disk.free_bytes = UINT64_MAX / 2;
		H_RUN_UNTIL(&h, !h.full);
		assert_true(h.consensus->node != NULL && h.consensus->log_state == LOG_OPEN);
		propose_and_wait(&h, "after");
		es_consensus_checkpoint(h.consensus);
		H_RUN_UNTIL(&h, h.ended == i + 1);
		assert_int_equal(h.end_status, 0);
	}
	assert_int_equal(h.commands, 1 + 3 * 51);
	assert_int_equal(h.failed, 0);
	h_digest(&h, before);
	h_close(&h);
	h_start(&h, folder);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	h_remove(folder);
}

static void closing_while_the_log_waits_for_space(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	for (int turns = 0; turns < 8; turns++) {
		start(&h, folder);
		propose_and_wait(&h, "one");
		fail_next_append(&h, RAFT_NOSPACE, "short write");
		disk.free_bytes = 5000;
		h.consensus->space_checked_ms = UINT64_MAX - 1000000;
		h_propose(&h, "lost", 4);
		H_RUN_UNTIL(&h, h.dropped == 1);
		for (int i = 0; i < turns; i++)
			uv_run(&h.loop, UV_RUN_NOWAIT);
		if (turns == 7)
			H_RUN_UNTIL(&h, h.consensus->log_state == LOG_CLOSED);
		h_close(&h);
		h_start(&h, folder);
		assert_int_equal(h.commands, 1);
		h_close(&h);
		h_remove(folder);
	}
}

static void a_failing_disk_stops_the_member(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		start(&h, folder);
		propose_and_wait(&h, "one");
		fail_next_append(&h, RAFT_IOERR, "write failed: -5");
		if (refused)
			h.consensus->node->original_append = refused_append;
		h_propose(&h, "lost", 4);
		H_RUN_UNTIL(&h, h.failed != 0);
		assert_int_equal(h.failed, ES_EIO);
		assert_non_null(strstr(h.failed_text, "write failed: -5"));
		assert_non_null(strstr(h.failed_text, folder));
		assert_int_equal(h.dropped, 1);
		assert_int_equal(h.dropped_status, ES_EIO);
		assert_false(h.full);
		assert_int_equal(es_consensus_propose(h.consensus, ES_SLICE("late"), &h),
				 ES_ESTOPPED);
		h_close(&h);
		h_start(&h, folder);
		assert_int_equal(h.commands, 1);
		h_close(&h);
		h_remove(folder);
	}
}

static void a_checkpoint_leaves_the_last_space_to_the_log(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	start(&h, folder);
	propose_and_wait(&h, "one");
	disk.free_bytes = ES_SPACE_MARGIN_BYTES - 1;
	h.consensus->space_checked_ms = UINT64_MAX - 1000000;
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.ended == 1);
	assert_int_equal(h.end_status, ES_ENOSPC);
	h_close(&h);
	h_remove(folder);
}

static int checkpoint_with(struct harness *h, uint64_t free_bytes)
{
	unsigned ended = h->ended + 1;

	disk.free_bytes = free_bytes;
	es_consensus_checkpoint(h->consensus);
	H_RUN_UNTIL(h, h->ended == ended && h->consensus->run == NULL);
	return h->end_status;
}

/* It must not bring about that writes are refused; and without any the log would only grow. */
static void after_a_base_that_does_not_fit_comes_an_addition(void **state)
{
	uint64_t enough_for_writes = ES_SPACE_MARGIN_BYTES + ES_SPACE_AGAIN_BYTES;
	char folder[256];
	struct harness h;

	(void)state;
	start(&h, folder);
	propose_and_wait(&h, "one");
	assert_int_equal(checkpoint_with(&h, enough_for_writes),
			 ES_ENOSPC); /* there is only this */
	assert_int_equal(checkpoint_with(&h, enough_for_writes + (1 << 20)), 0);
	for (int i = 0; i < 500; i++) /* outweighs it */
		h_propose(&h, "0123456789", 10);
	H_RUN_UNTIL(&h, h.answered == 501);
	assert_int_equal(checkpoint_with(&h, enough_for_writes + (1 << 20)), 0);
	assert_int_equal(es_checkpoint_files_count(h.consensus->files), 2);
	propose_and_wait(&h, "two");
	assert_int_equal(checkpoint_with(&h, enough_for_writes), ES_ENOSPC); /* a base */
	assert_int_equal(es_checkpoint_files_count(h.consensus->files), 2);
	assert_int_equal(checkpoint_with(&h, enough_for_writes), 0);
	assert_int_equal(es_checkpoint_files_count(h.consensus->files), 3);
	propose_and_wait(&h, "three");
	assert_int_equal(checkpoint_with(&h, UINT64_MAX / 2), 0); /* and now it does */
	assert_int_equal(es_checkpoint_files_count(h.consensus->files), 1);
	assert_false(h.full);
	h_close(&h);
	h_start(&h, folder);
	assert_int_equal(h.commands, 503);
	h_close(&h);
	h_remove(folder);
}

/* ---- a small file system --------------------------------------------------------------------- */

static void fill(const char *folder, const char *name, uint64_t leave_bytes)
{
	static uint8_t block[65536];
	char path[512];
	struct statvfs st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	while (statvfs(folder, &st) == 0 &&
	       (uint64_t)st.f_bavail * st.f_frsize > leave_bytes + sizeof(block)) {
		if (fwrite(block, 1, sizeof(block), f) != sizeof(block) || fflush(f) != 0)
			break;
	}
	fclose(f);
}

static void a_small_file_system(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	uint8_t *data = calloc(1, 100000);
	char mount_point[256], folder[256], hog[400];
	struct harness h;

	(void)state;
	assert_non_null(data);
	h_temporary(mount_point, sizeof(mount_point));
	if (geteuid() != 0 || mount("tmpfs", mount_point, "tmpfs", 0, "size=96m") != 0) {
		h_remove(mount_point);
		free(data);
		print_message("cannot mount a small file system here: skipped\n");
		skip();
	}
	assert_true(snprintf(folder, sizeof(folder), "%s/data", mount_point) < (int)sizeof(folder));
	snprintf(hog, sizeof(hog), "%s/hog", mount_point);
	assert_int_equal(mkdir(folder, 0700), 0);
	h_init(&h, folder);
	h.config.checkpoint_log_bytes = UINT64_MAX / 2;
	assert_int_equal(h_open(&h), 0);
	H_RUN_UNTIL(&h, h.leader);
	for (int round = 0; round < 3; round++) {
		uint64_t target = h.answered + 1;

		h_propose(&h, data, 1000);
		H_RUN_UNTIL(&h, h.answered == target);
		fill(mount_point, "hog",
		     round == 0 ? 20u << 20 : 0); /* below the margin, or really full */
		for (int i = 0; i < 1000 && !h.full; i++) {
			if (es_consensus_propose(h.consensus, es_slice(data, 100000), &h) == 0) {
				uint64_t done = h.answered + h.dropped;

				H_RUN_UNTIL(&h, h.answered + h.dropped > done);
			}
		}
		assert_true(h.full);
		assert_int_equal(h.failed, 0);
		assert_int_equal(remove(hog), 0);
		H_RUN_UNTIL(&h, !h.full);
		target = h.answered + 1;
		h_propose(&h, data, 1000);
		H_RUN_UNTIL(&h, h.answered == target);
		es_consensus_checkpoint(h.consensus); /* gives the log's space back */
		H_RUN_UNTIL(&h, h.ended == (unsigned)round + 1);
	}
	h_digest(&h, before);
	h_close(&h);
	h_start(&h, folder);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	assert_int_equal(umount(mount_point), 0);
	h_remove(mount_point);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_refuses_writes_and_recovers),
		cmocka_unit_test(a_log_that_ran_out_of_space_is_opened_again),
		cmocka_unit_test(closing_while_the_log_waits_for_space),
		cmocka_unit_test(a_failing_disk_stops_the_member),
		cmocka_unit_test(a_checkpoint_leaves_the_last_space_to_the_log),
		cmocka_unit_test(after_a_base_that_does_not_fit_comes_an_addition),
		cmocka_unit_test(a_small_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
