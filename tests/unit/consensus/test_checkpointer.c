#include "harness.h"

#include <dirent.h>

#include "base/rng.h"
#include "consensus/internal.h"
#include "consensus/node_internal.h"

static unsigned count_files(const char *folder, const char *below, const char *part)
{
	char path[512];
	struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", folder, below);
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.' && strstr(d->d_name, part) != NULL;
	closedir(dir);
	return n;
}

static void h_start_small(struct harness *h, const char *folder, uint64_t log_bytes)
{
	h_init(h, folder);
	h->config.checkpoint_log_bytes = log_bytes;
	if (h_open(h) != 0)
		fail_msg("%s", h->errmsg);
	H_RUN_UNTIL(h, h->leader);
}

/* `n` commands of random size. */
static void load_up(struct harness *h, struct es_rng *rng, int n, size_t size_max)
{
	uint8_t *data = calloc(1, size_max);
	uint64_t target = h->answered + (uint64_t)n;

	assert_non_null(data);
	for (int i = 0; i < n; i++) {
		size_t len = es_rng_below(rng, size_max);

		memset(data, (int)es_rng_below(rng, 256), len);
		h_propose(h, data, len);
		if (es_rng_below(rng, 5) == 0)
			uv_run(&h->loop, UV_RUN_NOWAIT);
	}
	H_RUN_UNTIL(h, h->answered == target);
	free(data);
}

static void the_log_is_cut_and_the_state_comes_back(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	struct es_consensus_stats stats;
	char folder[256];
	struct harness h;
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 4);
	h_temporary(folder, sizeof(folder));
	for (int restart = 0; restart < 4; restart++) {
		uint64_t had;

		h_start_small(&h, folder, 200000);
		assert_int_equal(h.restored, restart > 0);
		if (restart > 0) {
			h_digest(&h, after);
			assert_memory_equal(before, after, sizeof(before));
		}
		had = h.commands;
		for (int i = 0; i < 5; i++) {
			load_up(&h, &rng, 300, 2000);
			H_RUN_UNTIL(&h, h.consensus->run == NULL);
		}
		assert_int_equal(h.commands, had + 1500);
		es_consensus_get_stats(h.consensus, &stats);
		assert_true(stats.checkpoints >= 3);
		assert_true(stats.checkpoint_bytes_written > 100000);
		assert_true(stats.log_bytes_in_memory < 1000000);
		h_digest(&h, before);
		h_close(&h);
		assert_true(count_files(folder, "raft", "snapshot-") <= 4);
		assert_int_equal(count_files(folder, "checkpoints", ".manifest"), 1);
		assert_int_equal(count_files(folder, "checkpoints", ".tmp"), 0);
		assert_true(count_files(folder, "raft", "") < 20);
	}
	h_remove(folder);
}

static void a_checkpoint_on_demand(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	es_consensus_checkpoint(h.consensus); /* of nothing */
	H_RUN_UNTIL(&h, h.ended == 1);
	assert_int_equal(h.end_status, 0);
	h_propose(&h, "one", 3);
	H_RUN_UNTIL(&h, h.answered == 1);
	es_consensus_checkpoint(h.consensus);
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.ended == 2);
	assert_int_equal(h.end_status, 0);
	h_close(&h);
	h_start(&h, folder);
	assert_int_equal(h.restored, 1);
	assert_int_equal(h.commands, 1);
	h_close(&h);
	h_remove(folder);
}

static void a_checkpoint_after_so_many_commands(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_init(&h, folder);
	h.config.checkpoint_entries = 100;
	assert_int_equal(h_open(&h), 0);
	H_RUN_UNTIL(&h, h.leader);
	for (int i = 0; i < 99; i++)
		h_propose(&h, "x", 1);
	H_RUN_UNTIL(&h, h.answered == 99);
	assert_int_equal(h.begun, 0);
	h_propose(&h, "x", 1);
	H_RUN_UNTIL(&h, h.ended == 1);
	h_close(&h);
	h_remove(folder);
}

/* What the pin between checkpoints holds back is freed by a checkpoint after the compaction, also
 * when the compaction comes at a time when none can begin, and nothing after it. */
static void a_compaction_brings_a_checkpoint(void **state)
{
	enum { SOON_AFTER_ANOTHER, BESIDE_ANOTHER, AFTER_A_FAILURE, WAYS };
	char folder[256];
	struct harness h;

	(void)state;
	for (int way = 0; way < WAYS; way++) {
		h_temporary(folder, sizeof(folder));
		h_start(&h, folder);
		h_propose(&h, "first", 5);
		H_RUN_UNTIL(&h, h.answered == 1);
		es_consensus_checkpoint(h.consensus);
		H_RUN_UNTIL(&h, h.ended == 1 && h.consensus->run == NULL);
		for (int i = 0; i < 1000; i++)
			h_propose(&h, "again", 5);
		H_RUN_UNTIL(&h, h.answered == 1001);
		if (way == BESIDE_ANOTHER) {
			es_consensus_checkpoint(h.consensus);
			H_RUN_UNTIL(&h, h.begun == 2);
		} else if (way == AFTER_A_FAILURE) {
			h.begin_error = ES_ENOMEM;
			es_consensus_checkpoint(h.consensus);
			H_RUN_UNTIL(&h, h.consensus->checkpoint_not_before_ms > 0);
			h.consensus->checkpoint_not_before_ms -= 4000; /* a second is enough here */
			h.begin_error = 0;
		}
		for (int i = 0; i < 1000 && way == BESIDE_ANOTHER; i++)
			h_put(&h, ES_SLICE("beside"));
		h.commands += way == BESIDE_ANOTHER ? 1000 : 0;
		assert_int_equal(es_mvcc_compact(h.store, es_mvcc_revision(h.store)), 0);
		while (es_mvcc_compact_step(h.store, 1000))
			;
		assert_true(es_mvcc_versions(h.store) > 1000);
		H_RUN_UNTIL(&h, h.ended == (way == BESIDE_ANOTHER ? 3 : 2));
		assert_int_equal(h.end_status, 0);
		while (es_mvcc_compact_step(h.store, 1000))
			;
		assert_true(es_mvcc_versions(h.store) <= 102);
		h_close(&h);
		h_start(&h, folder);
		assert_int_equal(h.commands, way == BESIDE_ANOTHER ? 2001 : 1001);
		h_close(&h);
		h_remove(folder);
	}
}

static void delete_key(struct harness *h, unsigned n)
{
	char key[16];
	struct es_mvcc_op op = {.kind = ES_MVCC_OP_DELETE};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	size_t count;

	op.u.del.range.key = es_slice(key, (size_t)snprintf(key, sizeof(key), "key-%u", n));
	es_arena_init(&arena, h->config.mem, 1024);
	assert_int_equal(es_mvcc_txn_apply(h->store, &txn, NULL, &arena, &res, &events, &count), 0);
	assert_int_equal(count, 1);
	es_arena_close(&arena);
	h->commands++; /* as if it were one */
}

/* K4. The values fill many blocks, so that the compaction comes between the first and the last. */
static void a_compaction_beside_a_checkpoint_brings_nothing_back(void **state)
{
	char folder[256];
	uint8_t *data = calloc(1, 200000);
	struct harness h;

	(void)state;
	assert_non_null(data);
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (int i = 0; i < 20; i++)
		h_propose(&h, data, 200000);
	H_RUN_UNTIL(&h, h.answered == 20);
	for (unsigned i = 0; i < 20; i++)
		delete_key(&h, i);
	h_propose(&h, "alive", 5);
	H_RUN_UNTIL(&h, h.answered == 21);
	assert_int_equal(es_mvcc_keys(h.store), 1);
	assert_int_equal(es_mvcc_compact(h.store, es_mvcc_revision(h.store)), 0);
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.begun == 1);
	while (h.ended == 0) {
		while (es_mvcc_compact_step(h.store, 1000))
			;
		uv_run(&h.loop, UV_RUN_ONCE);
	}
	assert_int_equal(h.end_status, 0);
	assert_true(es_mvcc_versions(h.store) > 1);
	while (es_mvcc_compact_step(h.store, 1000))
		;
	assert_int_equal(es_mvcc_versions(h.store), 1); /* nothing is held back any more */
	h_close(&h);
	h_start(&h, folder);
	assert_int_equal(h.restored, 1);
	assert_int_equal(es_mvcc_keys(h.store), 1);
	h_close(&h);
	h_remove(folder);
	free(data);
}

static void closing_in_the_middle_of_a_checkpoint(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 8);
	h_temporary(folder, sizeof(folder));
	for (int turns = 0; turns < 40; turns++) {
		h_start_small(&h, folder, 3000000);
		if (turns > 0) {
			h_digest(&h, after);
			assert_memory_equal(before, after, sizeof(before));
		}
		load_up(&h, &rng, 20, 60000);
		es_consensus_checkpoint(h.consensus);
		for (int i = 0; i < turns; i++)
			uv_run(&h.loop, UV_RUN_NOWAIT);
		if (turns >= 20)
			H_RUN_UNTIL(&h, h.begun > 0);
		for (int i = 20; i < turns; i++)
			uv_run(&h.loop, UV_RUN_ONCE);
		h_digest(&h, before);
		h_close(&h);
	}
	h_remove(folder);
}

static void a_checkpoint_that_cannot_begin_is_tried_again(void **state)
{
	char folder[256];
	struct harness h;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start_small(&h, folder, 1000);
	h.begin_error = ES_ENOMEM;
	for (int i = 0; i < 100; i++)
		h_propose(&h, "0123456789", 10);
	H_RUN_UNTIL(&h, h.answered == 100);
	assert_int_equal(h.begun, 0);
	assert_int_equal(h.failed, 0);
	h.begin_error = 0;
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.ended == 1);
	assert_int_equal(h.end_status, 0);
	h_close(&h);
	h_remove(folder);
}

/* ---- a disk that fails under the checkpoints only -------------------------------------------- */

struct bad_disk {
	struct es_fs fs;
	int fail_writes;
	uint64_t failed;
};

static int bad_write_at(void *ctx, int file, const void *data, size_t len, uint64_t offset)
{
	struct bad_disk *disk = ctx;

	if (disk->fail_writes != 0) {
		disk->failed++;
		return disk->fail_writes;
	}
	return es_fs_posix()->write_at(NULL, file, data, len, offset);
}

static void a_failing_checkpoint_keeps_the_log(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	struct bad_disk disk = {.fs = *es_fs_posix()};
	char folder[256];
	struct harness h;
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 2);
	disk.fs.write_at = bad_write_at;
	disk.fs.ctx = &disk;
	h_temporary(folder, sizeof(folder));
	h_init(&h, folder);
	h.config.checkpoint_log_bytes = 100000;
	h.config.fs = &disk.fs;
	assert_int_equal(h_open(&h), 0);
	H_RUN_UNTIL(&h, h.leader);
	disk.fail_writes = ES_EIO;
	load_up(&h, &rng, 300, 2000);
	H_RUN_UNTIL(&h, h.begun > 0 && h.ended == h.begun);
	assert_int_equal(h.end_status, ES_EIO);
	assert_int_equal(h.failed, 0);
	assert_true(disk.failed > 0);
	h_digest(&h, before);
	h_close(&h);

	h_init(&h, folder);
	h.config.fs = &disk.fs;
	disk.fail_writes = 0;
	assert_int_equal(h_open(&h), 0);
	H_RUN_UNTIL(&h, h.leader);
	assert_int_equal(h.restored, 0);
	h_digest(&h, after);
	assert_memory_equal(before, after, sizeof(before));
	h_close(&h);
	h_remove(folder);
}

/* Whatever it was doing, libraft stores no checkpoint after a fault. */
static void a_checkpoint_ends_with_a_fault(void **state)
{
	uint8_t before[ES_BLAKE3_BYTES], after[ES_BLAKE3_BYTES];
	char folder[256];
	struct harness h;
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 5);
	for (int turns = 0; turns < 12; turns++) {
		h_temporary(folder, sizeof(folder));
		h_start(&h, folder);
		load_up(&h, &rng, 20, 60000);
		es_consensus_checkpoint(h.consensus);
		H_RUN_UNTIL(&h, h.begun == 1);
		for (int i = 0; i < turns && h.consensus->run != NULL; i++)
			uv_run(&h.loop, UV_RUN_ONCE);
		if (h.ended == 0 && h.consensus->node->put != NULL) {
			es_consensus_fault(h.consensus, ES_EIO, "a test's");
			H_RUN_UNTIL(&h, h.ended == 1);
			assert_int_equal(h.end_status, ES_ECANCELED);
			assert_int_equal(count_files(folder, "raft", "snapshot-"), 0);
		}
		h_digest(&h, before);
		h_close(&h);
		h_start(&h, folder);
		h_digest(&h, after);
		assert_memory_equal(before, after, sizeof(before));
		h_close(&h);
		h_remove(folder);
	}
}

/* A large state is written while commands go on; none waits for all of it. */
static void commands_go_on_beside_a_checkpoint(void **state)
{
	char folder[256];
	struct harness h;
	uint8_t *data = calloc(1, 400000);
	uint64_t turns = 0;

	(void)state;
	assert_non_null(data);
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (int i = 0; i < 100; i++)
		h_propose(&h, data, 400000);
	H_RUN_UNTIL(&h, h.answered == 100);
	es_consensus_checkpoint(h.consensus);
	H_RUN_UNTIL(&h, h.begun == 1);
	while (h.ended == 0) {
		uint64_t target = h.answered + 1;

		h_propose(&h, "small", 5);
		H_RUN_UNTIL(&h, h.answered == target);
		turns++;
	}
	assert_true(turns > 5);
	h_close(&h);
	h_remove(folder);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_is_cut_and_the_state_comes_back),
		cmocka_unit_test(a_checkpoint_on_demand),
		cmocka_unit_test(a_checkpoint_after_so_many_commands),
		cmocka_unit_test(a_compaction_brings_a_checkpoint),
		cmocka_unit_test(a_compaction_beside_a_checkpoint_brings_nothing_back),
		cmocka_unit_test(closing_in_the_middle_of_a_checkpoint),
		cmocka_unit_test(a_checkpoint_that_cannot_begin_is_tried_again),
		cmocka_unit_test(a_failing_checkpoint_keeps_the_log),
		cmocka_unit_test(a_checkpoint_ends_with_a_fault),
		cmocka_unit_test(commands_go_on_beside_a_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
