#include "engine/support.h"

static void writes_are_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	int64_t revision;

	fixture_open(f);
	assert_int_equal(put(f, "a", "1", 0), 0);
	assert_int_equal(put(f, "b", "2", 0), 0);
	assert_int_equal(put(f, "a", "3", 0), 0);
	assert_int_equal(delete_range(f, "b", NULL), 1);
	assert_int_equal(delete_range(f, "b", NULL), 0);
	revision = es_engine_header(f->engine).revision;
	assert_int_equal(revision, 5);
	fixture_reopen(f);
	assert_true(has_value(f, "a", "3"));
	assert_true(has_value(f, "b", NULL));
	assert_int_equal(es_engine_header(f->engine).revision, revision);
}

static void every_write_extends_the_chain(void **state)
{
	struct fixture *f = *state;
	uint8_t before[ES_BLAKE3_BYTES];
	uint8_t after[ES_BLAKE3_BYTES];

	fixture_open(f);
	es_engine_chain(f->engine, before);
	assert_int_equal(put(f, "a", "1", 0), 0);
	es_engine_chain(f->engine, after);
	assert_memory_not_equal(before, after, sizeof(before));
}

static void state_beside_versions_survives_a_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct es_consensus_stats stats;
	const struct es_alarm *alarms;
	struct waiting w;
	struct es_lease_info info;

	fixture_open(f);
	assert_int_equal(grant(f, 7, 60, &w), 0);
	assert_int_equal(put(f, "leased", "x", 7), 0);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w,
				     es_engine_alarm(f->engine, &w.op, true,
						     (struct es_alarm){0xa1, ES_ALARM_NOSPACE})),
			 0);
	es_consensus_checkpoint(es_engine_consensus(f->engine));
	do {
		(void)uv_run(&f->loop, UV_RUN_ONCE);
		es_consensus_get_stats(es_engine_consensus(f->engine), &stats);
	} while (stats.checkpoints == 0);
	fixture_reopen(f);
	assert_true(has_value(f, "leased", "x"));
	assert_int_equal(es_lease_get(es_engine_leases(f->engine), 7, &info), 0);
	assert_int_equal(info.ttl_s, 60);
	assert_int_equal(info.key_count, 1);
	assert_int_equal(es_engine_alarms(f->engine, &alarms), 1);
	assert_int_equal(alarms[0].type, ES_ALARM_NOSPACE);
	/* A lease that ends takes its key along, after the restart too. */
	assert_int_equal(revoke_lease(f, 7), 0);
	assert_true(has_value(f, "leased", NULL));
}

static void a_large_lease_goes_in_slices_of_one_revision_each(void **state)
{
	struct fixture *f = *state;
	struct waiting w;
	int64_t before;
	char key[32];

	fixture_open(f);
	assert_int_equal(grant(f, 9, 60, &w), 0);
	for (int i = 0; i < 1200; i++) {
		(void)snprintf(key, sizeof(key), "k%04d", i);
		assert_int_equal(put(f, key, "v", 9), 0);
	}
	before = es_engine_header(f->engine).revision;
	assert_int_equal(revoke_lease(f, 9), 0);
	assert_int_equal(es_mvcc_keys(es_engine_store(f->engine)), 0);
	assert_int_equal(es_engine_header(f->engine).revision, before + 3); /* 500 + 500 + 200 */
	assert_int_equal(revoke_lease(f, 9), ES_ELEASE_NOT_FOUND);
	assert_int_equal(put(f, "x", "v", 9), ES_ELEASE_NOT_FOUND);
}

static void a_lease_half_revoked_is_finished_later(void **state)
{
	struct fixture *f = *state;
	const struct es_alarm corrupt = {0xa1, ES_ALARM_CORRUPT};
	struct waiting revoke, alarm, w;
	char key[32];

	fixture_open(f);
	assert_int_equal(grant(f, 9, 60, &w), 0);
	for (int i = 0; i < 600; i++) {
		(void)snprintf(key, sizeof(key), "k%04d", i);
		assert_int_equal(put(f, key, "v", 9), 0);
	}
	/* In one batch: the alarm comes between the first slice and the second, which is refused.
	 */
	revoke = waiting_new(f);
	alarm = waiting_new(f);
	assert_int_equal(es_engine_lease_revoke(f->engine, &revoke.op, 9), 0);
	assert_int_equal(
		waiting_end(f, &alarm, es_engine_alarm(f->engine, &alarm.op, true, corrupt)), 0);
	assert_int_equal(waiting_end(f, &revoke, 0), ES_ECORRUPT_MEMBER);
	assert_int_equal(es_mvcc_keys(es_engine_store(f->engine)), 100);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_alarm(f->engine, &w.op, false, corrupt)), 0);
	f->now_ms += 5000;
	for (int i = 0; i < 100 && es_mvcc_keys(es_engine_store(f->engine)) > 0; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(es_mvcc_keys(es_engine_store(f->engine)), 0);
	assert_int_equal(revoke_lease(f, 9), ES_ELEASE_NOT_FOUND);
}

static void leases_come_due_on_the_clock(void **state)
{
	struct fixture *f = *state;
	struct es_engine_stats stats;
	struct waiting w;
	int64_t granted;
	int64_t remaining;

	fixture_open(f);
	assert_int_equal(grant(f, 5, 1, &w), 0);
	assert_int_equal(w.op.ttl_s, 2); /* the shortest: one and a half elections, rounded up */
	assert_int_equal(put(f, "k", "v", 5), 0);
	f->now_ms += 1500;
	assert_int_equal(es_engine_lease_ttl(f->engine, 5, &granted, &remaining), 0);
	assert_int_equal(granted, 2);
	assert_int_equal(remaining, 0);
	assert_int_equal(es_engine_lease_renew(f->engine, 5, &granted), 0);
	assert_int_equal(granted, 2);
	f->now_ms += 1900;
	for (int i = 0; i < 20; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_true(has_value(f, "k", "v"));
	f->now_ms += 200;
	RUN_UNTIL(f, has_value(f, "k", NULL));
	assert_int_equal(es_engine_lease_renew(f->engine, 5, &granted), 0);
	assert_int_equal(granted, 0);
	assert_int_equal(es_engine_lease_ttl(f->engine, 5, &granted, &remaining),
			 ES_ELEASE_NOT_FOUND);
	assert_int_equal(grant(f, 5, ES_LEASE_TTL_MAX_S + 1, &w), ES_ELEASE_TTL_TOO_LARGE);
	assert_int_equal(grant(f, 0, 10, &w), 0);
	assert_true(w.op.id > 0);
	assert_int_equal(grant(f, w.op.id, 10, &w), ES_ELEASE_EXIST);
	assert_int_equal(revoke_lease(f, w.op.id), 0);
	es_engine_get_stats(f->engine, &stats);
	assert_int_equal(stats.leases_revoked, 2);
	assert_int_equal(stats.leases_expired, 1);
}

static void a_full_quota_refuses_puts_until_there_is_room(void **state)
{
	struct fixture *f = *state;
	const struct es_alarm *alarms;
	struct waiting w;
	char key[32];
	int written = 0;
	int rc = 0;

	fixture_open(f);
	f->config.quota_bytes = 64 * 1024;
	fixture_reopen(f);
	while (rc == 0 && written < 10000) {
		(void)snprintf(key, sizeof(key), "k%05d", written++);
		rc = put(f, key, "0123456789012345678901234567890123456789", 0);
	}
	assert_int_equal(rc, ES_ENOSPACE);
	assert_int_equal(es_engine_alarms(f->engine, &alarms), 1); /* told no earlier than that */
	assert_int_equal(put(f, "small", "", 0), ES_ENOSPACE);
	assert_int_equal(grant(f, 3, 60, &w), ES_ENOSPACE);
	/* Deletes and compaction work, and then the alarm goes by itself. */
	assert_int_equal(delete_range(f, "k", "l"), written - 1);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w,
				     es_engine_compact(f->engine, &w.op,
						       es_engine_header(f->engine).revision, true)),
			 0);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(es_engine_alarms(f->engine, &alarms),
			 1); /* there for who disarms by hand */
	f->now_ms += 5000;
	RUN_UNTIL(f, es_engine_alarms(f->engine, &alarms) == 0);
	assert_int_equal(put(f, "small", "", 0), 0);
}

static void an_alarm_set_by_hand_stays_until_it_is_cleared_by_hand(void **state)
{
	struct fixture *f = *state;
	const struct es_alarm alarm = {0xa1, ES_ALARM_NOSPACE};
	const struct es_alarm *alarms;
	struct waiting w;

	fixture_open(f);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_alarm(f->engine, &w.op, true, alarm)), 0);
	f->now_ms += 1000;
	for (int i = 0; i < 10; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(es_engine_alarms(f->engine, &alarms), 1);
	assert_int_equal(put(f, "k", "v", 0), ES_ENOSPACE);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_alarm(f->engine, &w.op, false, alarm)), 0);
	assert_true(w.op.changed);
	assert_int_equal(put(f, "k", "v", 0), 0);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_alarm(f->engine, &w.op, false, alarm)), 0);
	assert_false(w.op.changed);
}

static void compaction_answers_as_etcd(void **state)
{
	struct fixture *f = *state;
	struct waiting w;

	fixture_open(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put(f, "k", "v", 0), 0);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_compact(f->engine, &w.op, 100, false)),
			 ES_EFUTURE_REV);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_compact(f->engine, &w.op, 11, true)), 0);
	assert_int_equal(es_mvcc_versions(es_engine_store(f->engine)), 1);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_compact(f->engine, &w.op, 11, false)),
			 ES_ECOMPACTED);
	/* The log is replayed with it. */
	fixture_reopen(f);
	assert_int_equal(es_mvcc_compacted(es_engine_store(f->engine)), 11);
	RUN_UNTIL(f, es_mvcc_versions(es_engine_store(f->engine)) == 1);
}

static void a_lease_counts_for_the_quota(void **state)
{
	struct fixture *f = *state;
	const struct es_alarm *alarms;
	struct waiting w;

	fixture_open(f);
	f->config.quota_bytes = 63;
	fixture_reopen(f);
	assert_int_equal(es_engine_alarms(f->engine, &alarms), 0);
	assert_int_equal(grant(f, 3, 60, &w), ES_ENOSPACE);
	assert_int_equal(es_engine_alarms(f->engine, &alarms), 1);
	assert_int_equal(alarms[0].type, ES_ALARM_NOSPACE);
	assert_false(es_lease_exists(es_engine_leases(f->engine), 3));
}

static void all_leases_together_count_for_the_quota(void **state)
{
	enum { QUOTA = 64 * 1024 };
	struct fixture *f = *state;
	struct es_engine_stats stats;
	const struct es_alarm *alarms;
	struct waiting w;
	int rc = 0;
	int granted = 0;

	fixture_open(f);
	f->config.quota_bytes = QUOTA;
	fixture_reopen(f);
	while (rc == 0 && granted < 10000)
		rc = grant(f, ++granted, 60, &w);
	assert_int_equal(rc, ES_ENOSPACE);
	assert_in_range(granted, QUOTA / 256, QUOTA / 64);
	es_engine_get_stats(f->engine, &stats);
	assert_in_range(stats.db_bytes, QUOTA - 256, QUOTA);
	assert_in_range(stats.db_bytes_in_use, QUOTA - 512, QUOTA);
	assert_int_equal(put(f, "k", "v", 0), ES_ENOSPACE);
	for (int i = 1; i < granted; i++)
		assert_int_equal(revoke_lease(f, i), 0);
	f->now_ms += 1000;
	for (int i = 0; i < 5; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	f->now_ms += 6000;
	RUN_UNTIL(f, es_engine_alarms(f->engine, &alarms) == 0);
	assert_int_equal(put(f, "k", "v", 0), 0);
}

static void old_revisions_are_compacted_by_themselves(void **state)
{
	enum { RETENTION_S = 10, RUNS_S = 26 };
	struct fixture *f = *state;
	int64_t compacted;
	int compactions = 0;

	fixture_open(f);
	f->config.compaction_mode = ES_COMPACTION_PERIODIC;
	f->config.compaction_retention = RETENTION_S * 1000;
	fixture_reopen(f);
	compacted = es_mvcc_compacted(es_engine_store(f->engine));
	for (int i = 0; i < RUNS_S; i++) {
		int64_t newest;

		assert_int_equal(put(f, "k", "v", 0), 0); /* one revision a second */
		f->now_ms += 1000;
		usleep(110 * 1000); /* the engine's tick */
		for (int turn = 0; turn < 3; turn++)
			(void)uv_run(&f->loop, UV_RUN_NOWAIT);
		if (es_mvcc_compacted(es_engine_store(f->engine)) == compacted)
			continue;
		compacted = es_mvcc_compacted(es_engine_store(f->engine));
		newest = es_engine_header(f->engine).revision;
		/* What is as old as the retention goes, and nothing that is younger. It may be seen
		 * a little later. */
		assert_in_range(newest - compacted, RETENTION_S - 1, RETENTION_S + 3);
		compactions++;
	}
	assert_int_equal(compactions, 2);
}

static void on_hash(void *arg, int status, const struct es_hash_kv *hash)
{
	assert_int_equal(status, 0);
	*(struct es_hash_kv *)arg = *hash;
}

static void on_hash_refused(void *arg, int status, const struct es_hash_kv *hash)
{
	(void)hash;
	*(int *)arg = status;
}

/* The numbers are etcd 3.7.3's for the same writes on a new member (etcdctl endpoint hashkv). */
static void hashes_are_those_of_etcd(void **state)
{
	struct fixture *f = *state;
	struct es_hash_kv hash = {0};
	struct waiting w;
	int status = 0;

	fixture_open(f);
	assert_int_equal(put(f, "foo", "bar", 0), 0);
	assert_int_equal(put(f, "foo", "baz", 0), 0);
	assert_int_equal(put(f, "gone", "x", 0), 0);
	assert_int_equal(delete_range(f, "gone", NULL), 1);
	es_engine_hash_kv(f->engine, 0, on_hash, &hash);
	RUN_UNTIL(f, hash.hash_revision != 0);
	assert_int_equal(hash.hash_revision, 5);
	assert_int_equal((int64_t)hash.hash, 2200421638);
	memset(&hash, 0, sizeof(hash));
	es_engine_hash_kv(f->engine, 3, on_hash, &hash);
	RUN_UNTIL(f, hash.hash_revision != 0);
	assert_int_equal((int64_t)hash.hash, 2020292994);
	w = waiting_new(f);
	assert_int_equal(waiting_end(f, &w, es_engine_compact(f->engine, &w.op, 5, true)), 0);
	memset(&hash, 0, sizeof(hash));
	es_engine_hash_kv(f->engine, 0, on_hash, &hash);
	RUN_UNTIL(f, hash.hash_revision != 0);
	assert_int_equal(hash.compact_revision, 5);
	assert_int_equal((int64_t)hash.hash, 536172655);
	es_engine_hash_kv(f->engine, 4, on_hash_refused, &status);
	assert_int_equal(status, ES_ECOMPACTED);
	es_engine_hash_kv(f->engine, 6, on_hash_refused, &status);
	assert_int_equal(status, ES_EFUTURE_REV);
}

static void hash_now(struct es_engine_op *op, int status)
{
	static struct es_hash_kv hash;

	assert_int_equal(status, 0);
	es_engine_hash_kv(op->engine, 0, on_hash, &hash);
	waiting_done(op, status);
}

static void compaction_goes_on_behind_a_hash(void **state)
{
	struct fixture *f = *state;
	const struct es_mvcc_op put_k = {.kind = ES_MVCC_OP_PUT, .u.put = {.key = ES_SLICE("k")}};
	const struct es_mvcc_txn txn = {.success_count = 1, .success = &put_k};
	struct waiting hashing, compaction;

	fixture_open(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put(f, "k", "v", 0), 0);
	/* One batch: the hash begins, and pins what there is, right before the compaction. */
	hashing = waiting_new(f);
	hashing.op.done = hash_now;
	assert_int_equal(
		es_engine_write(f->engine, &hashing.op, ES_COMMAND_PUT, es_slice(NULL, 0), &txn),
		0);
	compaction = waiting_new(f);
	assert_int_equal(waiting_end(f, &compaction,
				     es_engine_compact(f->engine, &compaction.op, 12, false)),
			 0);
	assert_true(hashing.done);
	for (int i = 0; i < 10; i++)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(es_mvcc_versions(es_engine_store(f->engine)), 1);
}

/* ---- a disk that is full at first ------------------------------------------------------------- */

static unsigned looks;

static int full_at_first(void *ctx, const char *path, uint64_t *ret_bytes)
{
	(void)ctx;
	(void)path;
	*ret_bytes = looks++ < 5 ? 0 : UINT64_MAX / 2;
	return 0;
}

static void its_name_is_published_when_the_disk_was_full_at_first(void **state)
{
	struct fixture *f = *state;
	struct es_fs fs = *es_fs_posix();
	const struct es_member *members;

	fixture_open(f);
	fixture_close(f);
	looks = 0;
	f->step_ms = 10;
	fs.free_bytes = full_at_first;
	f->config.fs = &fs;
	f->config.name = "another";
	fixture_open(f); /* until it is ready */
	assert_true(looks > 5);
	assert_int_equal(es_engine_members(f->engine, &members), 1);
	assert_string_equal(members[0].name, "another");
	fixture_close(f);
}

/* ---- an apply that fails --------------------------------------------------------------------- */

/* Worker threads use it, too. */
static _Atomic bool no_memory;

static void *scarce_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return no_memory ? NULL : malloc(size);
}

static void *scarce_realloc(void *ctx, void *pointer, size_t size)
{
	(void)ctx;
	return no_memory ? NULL : realloc(pointer, size);
}

static void scarce_free(void *ctx, void *pointer)
{
	(void)ctx;
	free(pointer);
}

static const struct es_mem scarce = {scarce_alloc, scarce_realloc, scarce_free, NULL};

static void lose_memory(struct es_engine_op *op, int status)
{
	waiting_done(op, status);
	no_memory = true;
}

static void look_at_once(struct es_engine_op *op, int status)
{
	const struct es_mvcc_range_req req = {.range = {ES_SLICE("a"), ES_SLICE("d")}};
	const struct es_mvcc_op read = {.kind = ES_MVCC_OP_RANGE, .u.range = req};
	const struct es_mvcc_txn txn = {.success_count = 1, .success = &read};
	const struct es_mvcc_txn_res *txn_res;
	struct es_mvcc_range_res res;
	int64_t ttl_s;

	waiting_done(op, status);
	assert_true(es_engine_has_failed(op->engine));
	assert_int_equal(es_engine_range(op->engine, &req, op->arena, &res), ES_ESTOPPED);
	assert_int_equal(es_engine_read_txn(op->engine, &txn, op->arena, &txn_res), ES_ESTOPPED);
	assert_int_equal(es_engine_lease_renew(op->engine, 1, &ttl_s), ES_ESTOPPED);
}

/* A TxnRequest of two puts, "b" with a value that needs no memory of its own and "c" with one that
 * does. */
static struct es_slice two_puts(uint8_t *out)
{
	static const uint8_t head[] = {0x12, 0x07, 0x12, 0x05, 0x0a, 0x01, 'b',
				       0x12, 0x00, 0x12, 0x8b, 0x27, 0x12, 0x88,
				       0x27, 0x0a, 0x01, 'c',  0x12, 0x82, 0x27};

	memcpy(out, head, sizeof(head));
	memset(out + sizeof(head), 'x', 0x1382);
	return es_slice(out, sizeof(head) + 0x1382);
}

static void half_a_change_is_seen_by_nobody(void **state)
{
	static uint8_t bytes[6000];
	struct fixture *f = *state;
	const struct es_slice commands[] = {ES_SLICE("\x0a\x01"
						     "a"),
					    two_puts(bytes),
					    ES_SLICE("\x0a\x01"
						     "d")};
	static const enum es_command_kind kinds[] = {ES_COMMAND_PUT, ES_COMMAND_TXN,
						     ES_COMMAND_PUT};
	struct waiting w[3];
	struct waiting late;

	fixture_open(f);
	f->config.mem = &scarce;
	fixture_reopen(f);
	/* One batch: the first takes the memory away that the second lacks. */
	for (int i = 0; i < 3; i++) {
		const struct es_mvcc_txn *txn;

		assert_int_equal(es_command_txn(kinds[i], commands[i], &f->arena, &txn), 0);
		w[i] = waiting_new(f);
		assert_int_equal(es_engine_write(f->engine, &w[i].op, kinds[i], commands[i], txn),
				 0);
	}
	w[0].op.done = lose_memory;
	w[1].op.done = look_at_once;
	while (f->failed == 0)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->failed, ES_ENOMEM);
	assert_int_equal(w[0].status, 0);
	assert_true(w[1].done);
	late = waiting_new(f);
	assert_int_equal(es_engine_lease_revoke(f->engine, &late.op, 1), ES_ESTOPPED);
	no_memory = false;
	f->failed = 0;
	fixture_close(f);
	/* A restart applies both: nobody may take them for refused. */
	assert_int_equal(w[1].status, ES_ESTOPPED);
	assert_true(w[2].done);
	assert_int_equal(w[2].status, ES_ESTOPPED);
	fixture_open(f);
	assert_true(has_value(f, "a", ""));
	assert_true(has_value(f, "b", ""));
	assert_non_null(es_mvcc_get(es_engine_store(f->engine), ES_SLICE("c")));
	assert_true(has_value(f, "d", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		T(writes_are_there_after_a_restart),
		T(every_write_extends_the_chain),
		T(state_beside_versions_survives_a_checkpoint),
		T(a_large_lease_goes_in_slices_of_one_revision_each),
		T(a_lease_half_revoked_is_finished_later),
		T(leases_come_due_on_the_clock),
		T(a_full_quota_refuses_puts_until_there_is_room),
		T(an_alarm_set_by_hand_stays_until_it_is_cleared_by_hand),
		T(compaction_answers_as_etcd),
		T(a_lease_counts_for_the_quota),
		T(all_leases_together_count_for_the_quota),
		T(its_name_is_published_when_the_disk_was_full_at_first),
		T(old_revisions_are_compacted_by_themselves),
		T(hashes_are_those_of_etcd),
		T(compaction_goes_on_behind_a_hash),
		T(half_a_change_is_seen_by_nobody),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
