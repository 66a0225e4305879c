#include "harness.h"

#include <errno.h>

#include "base/rng.h"
#include "consensus/internal.h"
#include "consensus/node_internal.h"

static void a_new_member_leads_and_keeps_what_it_acknowledged(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;
	uint64_t term;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	assert_true(es_consensus_is_leader(h.consensus));
	assert_int_equal(es_consensus_leader_id(h.consensus), 0xabcd);
	term = es_consensus_term(h.consensus);
	assert_true(term > 0);
	for (int i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "command %d", i);
		h_propose(&h, text, strlen(text));
		if (i % 7 == 0)
			uv_run(&h.loop, UV_RUN_NOWAIT);
	}
	h_propose(&h, NULL, 0);
	H_RUN_UNTIL(&h, h.answered == 1001);
	assert_int_equal(h.commands, 1001);
	assert_int_equal(es_consensus_applied_index(h.consensus), h.last_index);
	assert_int_equal(es_consensus_commit_index(h.consensus), h.last_index);
	h_digest(&h, before);
	h_close(&h);

	h_start(&h, folder);
	assert_int_equal(h.commands, 1001);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	assert_true(es_consensus_term(h.consensus) >= term);
	h_close(&h);
	h_remove(folder);
}

static void commands_of_one_turn_share_an_entry(void **state)
{
	struct es_consensus_stats before, after;
	char folder[256];
	struct harness h;
	uint64_t buckets = 0;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	es_consensus_get_stats(h.consensus, &before);
	for (int i = 0; i < 500; i++)
		h_propose(&h, "x", 1);
	es_consensus_get_stats(h.consensus, &after);
	assert_int_equal(after.proposals_pending, 500);
	H_RUN_UNTIL(&h, h.answered == 500);
	es_consensus_get_stats(h.consensus, &after);
	assert_int_equal(after.batches - before.batches, 1);
	assert_int_equal(after.proposals_applied, 500);
	assert_int_equal(after.proposals_committed, 500);
	assert_int_equal(after.proposals_pending, 0);
	assert_int_equal(after.fsync_count, after.batches);
	for (size_t i = 0; i < 15; i++)
		buckets += after.fsync_bucket[i];
	assert_int_equal(buckets, after.fsync_count);
	h_close(&h);
	h_remove(folder);
}

/* Sizes around libraft's blocks and segments, a command of 32 MiB among them. */
static void commands_of_any_size_survive(void **state)
{
	static const size_t sizes[] = {
		1,       7,       8,        9,    500,           4000,    4064,
		4072,    4080,    4088,     4096, 8192,          65536,   1048576,
		8388500, 8388608, 33554432, 3,    12582912 - 64, 12582912};
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	uint8_t *data = malloc(33554432);
	char folder[256];
	struct harness h;
	struct es_rng rng;

	(void)state;
	assert_non_null(data);
	es_rng_init(&rng, 5);
	for (size_t i = 0; i < 33554432; i += 8)
		es_store_u64le(data + i, es_rng_next(&rng));
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		h_propose(&h, data, sizes[i]);
		H_RUN_UNTIL(&h, h.answered == i + 1);
	}
	h_digest(&h, before);
	h_close(&h);
	h_start(&h, folder);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	h_remove(folder);
	free(data);
}

static void a_batch_is_cut_at_its_limit(void **state)
{
	struct es_consensus_stats stats;
	char folder[256];
	struct harness h;
	uint8_t data[1000] = {0};

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_init(&h, folder);
	h.config.batch_bytes_max = 10000;
	assert_int_equal(h_open(&h), 0);
	H_RUN_UNTIL(&h, h.leader);
	for (int i = 0; i < 100; i++)
		h_propose(&h, data, sizeof(data));
	H_RUN_UNTIL(&h, h.answered == 100);
	es_consensus_get_stats(h.consensus, &stats);
	assert_true(stats.batches >= 10 && stats.batches <= 13);
	h_close(&h);
	h_remove(folder);
}

/* ---- a disk that hangs ----------------------------------------------------------------------- */

static struct {
	struct raft_io *io;
	struct raft_io_append *request;
	const struct raft_entry *entries;
	unsigned n;
	raft_io_append_cb done;
} hung;

static int hanging_append(struct raft_io *io, struct raft_io_append *request,
			  const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
	assert_null(hung.request);
	hung.io = io;
	hung.request = request;
	hung.entries = entries;
	hung.n = n;
	hung.done = done;
	return 0;
}

/* Until it is refused. Returns how many were accepted. */
static uint64_t propose_all(struct harness *h, const uint8_t *data, size_t len)
{
	uint64_t n = 0;
	int rc;

	while ((rc = es_consensus_propose(h->consensus, es_slice(data, len), h)) == 0)
		n++;
	assert_int_equal(rc, ES_ETOO_MANY_REQUESTS);
	return n;
}

static void proposals_have_a_limit_while_the_disk_hangs(void **state)
{
	static const size_t sizes[] = {1000000, 10, 0};
	struct es_consensus_stats stats;
	uint8_t *data = calloc(1, (size_t)80 << 20);
	char folder[256];
	struct harness h;
	struct es_node *node;
	uint64_t total = 0;

	(void)state;
	assert_non_null(data);
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	node = h.consensus->node;
	for (size_t i = 0; i < ES_ARRAY_LEN(sizes); i++) {
		int (*append)(struct raft_io *, struct raft_io_append *, const struct raft_entry[],
			      unsigned, raft_io_append_cb) = node->original_append;
		struct raft_io_append *request;
		uint64_t n;

		memset(&hung, 0, sizeof(hung));
		node->original_append = hanging_append;
		h_propose(&h, "hangs", 5);
		uv_run(&h.loop, UV_RUN_NOWAIT);
		assert_non_null(hung.request);
		n = propose_all(&h, data, sizes[i]);
		uv_run(&h.loop, UV_RUN_NOWAIT);
		assert_int_equal(propose_all(&h, data, sizes[i]), 0);
		if (sizes[i] > 100)
			assert_in_range(n * sizes[i], 60u << 20, 64u << 20);
		else
			assert_int_equal(n, 100000);
		total += n + 1;
		es_consensus_get_stats(h.consensus, &stats);
		assert_int_equal(stats.proposals_pending, n + 1);
		/* It comes back. */
		node->original_append = append;
		request = hung.request;
		hung.request = NULL;
		assert_int_equal(append(hung.io, request, hung.entries, hung.n, hung.done), 0);
		H_RUN_UNTIL(&h, h.answered == total);
		h_propose(&h, data, (size_t)80 << 20); /* one of any size */
		assert_int_equal(es_consensus_propose(h.consensus, ES_SLICE("more"), &h),
				 ES_ETOO_MANY_REQUESTS);
		total++;
		H_RUN_UNTIL(&h, h.answered == total);
	}
	assert_int_equal(h.dropped, 0);
	h_close(&h);
	h_remove(folder);
	free(data);
}

static void closing_answers_everything(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (int i = 0; i < 10; i++)
		h_propose(&h, "in flight", 9);
	uv_run(&h.loop, UV_RUN_NOWAIT);
	for (int i = 0; i < 10; i++)
		h_propose(&h, "waiting", 7);
	es_consensus_close(h.consensus, h_closed, &h);
	assert_false(h.closed);
	assert_int_equal(es_consensus_propose(h.consensus, ES_SLICE("late"), &h), ES_ESTOPPED);
	H_RUN_UNTIL(&h, h.closed);
	h.consensus = NULL;
	assert_int_equal(h.answered + h.dropped, 20);
	assert_int_equal(h.dropped, 10);
	assert_int_equal(h.dropped_status, ES_ESTOPPED);
	h_digest(&h, before);
	h_close(&h);
	h_start(&h, folder);
	assert_int_equal(h.commands, 10);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	h_remove(folder);
}

static void count_ready(void *arg, int status)
{
	((int *)arg)[status == 0 ? 0 : 1]++;
}

static void reads_wait_until_it_leads(void **state)
{
	char folder[256];
	struct harness h;
	int ready[2] = {0, 0};

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_init(&h, folder);
	assert_int_equal(h_open(&h), 0);
	assert_false(es_consensus_is_leader(h.consensus));
	es_consensus_read_index(h.consensus, count_ready, ready);
	assert_int_equal(ready[0] + ready[1], 0);
	H_RUN_UNTIL(&h, h.leader);
	assert_int_equal(ready[0], 1);
	es_consensus_read_index(h.consensus, count_ready, ready);
	assert_int_equal(ready[0], 2);
	h_close(&h);

	ready[0] = 0;
	h_init(&h, folder);
	assert_int_equal(h_open(&h), 0);
	es_consensus_read_index(h.consensus, count_ready, ready);
	h_close(&h); /* before it leads */
	assert_int_equal(ready[0] + ready[1], 1);
	h_remove(folder);
}

struct after_fault {
	uv_check_t check;
	struct harness *h;
	bool seen;
	int ready[2];
};

/* Comes before the consensus has acted on its fault. */
static void look_after_fault(uv_check_t *check)
{
	struct after_fault *after = check->data;
	struct harness *h = after->h;

	if (after->seen || h->consensus->fault == 0)
		return;
	after->seen = true;
	assert_int_equal(h->failed, 0);
	assert_int_equal(es_consensus_propose(h->consensus, ES_SLICE("late"), h), ES_ESTOPPED);
	es_consensus_read_index(h->consensus, count_ready, after->ready);
	assert_int_equal(after->ready[0], 0);
	assert_int_equal(after->ready[1], 1);
}

static void an_apply_that_fails_stops_the_member(void **state)
{
	struct after_fault after = {.h = NULL};
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	h_propose(&h, "good", 4);
	H_RUN_UNTIL(&h, h.answered == 1);
	after.h = &h;
	after.check.data = &after;
	uv_check_init(&h.loop, &after.check);
	uv_check_start(&after.check, look_after_fault);
	h.apply_error = ES_ENOMEM;
	h_propose(&h, "bad", 3);
	h_propose(&h, "bad", 3);
	H_RUN_UNTIL(&h, h.failed != 0);
	assert_true(after.seen);
	uv_close((uv_handle_t *)&after.check, NULL);
	assert_int_equal(h.failed, ES_ENOMEM);
	assert_non_null(strstr(h.failed_text, "apply"));
	assert_int_equal(es_consensus_propose(h.consensus, ES_SLICE("late"), &h), ES_ESTOPPED);
	h_close(&h);
	assert_int_equal(h.dropped, 1); /* the one after the one that apply refused */
	assert_int_equal(h.dropped_status, ES_ESTOPPED);

	h_init(&h, folder);
	h.apply_error = ES_ENOMEM; /* at start as well */
	assert_int_equal(h_open(&h), ES_ENOMEM);
	h_close(&h);
	h_start(&h, folder);
	assert_int_equal(h.commands, 3);
	h_close(&h);
	h_remove(folder);
}

static void a_wrong_configuration_is_refused(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_init(&h, folder);
	h.config.heartbeat_ms = h.config.election_ms;
	assert_int_equal(h_open(&h), ES_EINVAL);
	h.config.heartbeat_ms = 100;
	h.config.member_id = 0;
	assert_int_equal(h_open(&h), ES_EINVAL);
	h.config.member_id = 1;
	assert_int_equal(h_open(&h), 0); /* makes the log */
	h_close(&h);
	h_init(&h, folder);
	h.config.member_id = 2;
	assert_int_equal(h_open(&h), ES_EINVAL);
	assert_non_null(strstr(h.errmsg, "another member"));
	h.config.data_dir = "/nonexistent/folder";
	assert_int_equal(h_open(&h), ES_ENOENT);
	assert_non_null(strstr(h.errmsg, "/nonexistent/folder"));
	h_close(&h);
	h_remove(folder);
}

static int open_error;

static int open_not_in_checkpoints(void *ctx, const char *path, enum es_fs_open how, int *ret_file)
{
	(void)ctx;
	if (how == ES_FS_CREATE && strstr(path, "/checkpoints/") != NULL) {
		errno = open_error;
		return es_fs_status(open_error);
	}
	return es_fs_posix()->open(NULL, path, how, ret_file);
}

static void a_folder_that_takes_no_checkpoints_is_refused(void **state)
{
	struct es_fs fs = *es_fs_posix();
	char folder[256], path[300];
	struct harness h;
	FILE *f;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	h_propose(&h, "one", 3);
	H_RUN_UNTIL(&h, h.answered == 1);
	h_close(&h);

	fs.open = open_not_in_checkpoints;
	open_error = EACCES;
	h_init(&h, folder);
	h.config.fs = &fs;
	assert_int_equal(h_open(&h), ES_EIO);
	assert_non_null(strstr(h.errmsg, "/checkpoints: cannot write there: Permission denied"));
	open_error = ENOSPC; /* is no reason */
	assert_int_equal(h_open(&h), 0);
	h_close(&h);

	snprintf(path, sizeof(path), "%s/checkpoints", folder);
	assert_int_equal(rmdir(path), 0); /* nothing stayed in it */
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	h_init(&h, folder);
	assert_int_equal(h_open(&h), ES_EIO);
	assert_non_null(strstr(h.errmsg, "/checkpoints: Not a directory"));
	h_close(&h);
	assert_int_equal(unlink(path), 0);
	h_start(&h, folder);
	assert_int_equal(h.commands, 1);
	h_close(&h);
	h_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_member_leads_and_keeps_what_it_acknowledged),
		cmocka_unit_test(commands_of_one_turn_share_an_entry),
		cmocka_unit_test(commands_of_any_size_survive),
		cmocka_unit_test(a_batch_is_cut_at_its_limit),
		cmocka_unit_test(proposals_have_a_limit_while_the_disk_hangs),
		cmocka_unit_test(closing_answers_everything),
		cmocka_unit_test(reads_wait_until_it_leads),
		cmocka_unit_test(an_apply_that_fails_stops_the_member),
		cmocka_unit_test(a_wrong_configuration_is_refused),
		cmocka_unit_test(a_folder_that_takes_no_checkpoints_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
