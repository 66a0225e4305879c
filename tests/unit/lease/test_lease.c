#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lease/lease.h"

static const uint64_t hash_key[2] = {3, 4};

static struct es_lease_table *new_table(const struct es_mem *mem)
{
	struct es_lease_table *table = NULL;

	assert_int_equal(es_lease_table_new(mem, hash_key, &table), 0);
	return table;
}

/* ---- single facts ------------------------------------------------------------------------------------------- */

static void granting_has_its_limits(void **state)
{
	struct es_lease_table *table = new_table(es_mem_default());
	struct es_lease_info info;

	(void)state;
	assert_int_equal(es_lease_grant(table, 0, 10, 0), ES_ELEASE_NOT_FOUND);
	assert_int_equal(es_lease_grant(table, 1, ES_LEASE_TTL_MAX_S + 1, 0),
			 ES_ELEASE_TTL_TOO_LARGE);
	assert_int_equal(es_lease_grant(table, 1, ES_LEASE_TTL_MAX_S, 0), 0);
	assert_int_equal(es_lease_grant(table, 1, 10, 0), ES_ELEASE_EXIST);
	assert_int_equal(es_lease_grant(table, -5, 10, 0), 0);
	assert_int_equal(es_lease_count(table), 2);
	assert_int_equal(es_lease_get(table, -5, &info), 0);
	assert_int_equal(info.ttl_s, 10);
	assert_true(info.due_ms == UINT64_MAX);
	assert_int_equal(es_lease_get(table, 7, &info), ES_ELEASE_NOT_FOUND);
	es_lease_table_free(table);
	es_lease_table_free(NULL);
}

static void a_due_lease_is_named_again_after_the_retry_time(void **state)
{
	struct es_lease_table *table = new_table(es_mem_default());
	int64_t ids[4], ttl_s;

	(void)state;
	assert_int_equal(es_lease_grant(table, 1, 5, 1000), 0);
	assert_true(es_lease_next_due_ms(table) == UINT64_MAX);
	assert_int_equal(es_lease_renew(table, 1, 1000, &ttl_s), ES_ENOT_LEADER);
	es_lease_promote(table, 1000, 500);
	assert_int_equal(es_lease_next_due_ms(table), 6500);
	assert_int_equal(es_lease_due(table, 6499, 100, ids, 4), 0);
	assert_int_equal(es_lease_due(table, 6500, 100, ids, 4), 1);
	assert_int_equal(es_lease_due(table, 6599, 100, ids, 4), 0);
	assert_int_equal(es_lease_renew(table, 1, 6500, &ttl_s), ES_ELEASE_NOT_FOUND);
	assert_int_equal(es_lease_due(table, 6600, 100, ids, 4), 1);
	assert_int_equal(ids[0], 1);
	/* Named or not: it is due, and no keep-alive brings it back. */
	assert_int_equal(es_lease_renew(table, 1, 6601, &ttl_s), ES_ELEASE_NOT_FOUND);
	es_lease_demote(table);
	assert_int_equal(es_lease_due(table, UINT64_MAX - 1, 100, ids, 4), 0);
	/* A new leader gives it its full time again. */
	es_lease_promote(table, 7000, 0);
	assert_int_equal(es_lease_renew(table, 1, 11999, &ttl_s), 0);
	assert_int_equal(ttl_s, 5);
	assert_int_equal(es_lease_next_due_ms(table), 16999);
	es_lease_table_free(table);
}

static void a_revoking_lease_takes_no_keys_and_is_never_due(void **state)
{
	struct es_lease_table *table = new_table(es_mem_default());
	struct es_arena arena;
	struct es_slice *keys;
	size_t count;
	int64_t ids[2], ttl_s;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	es_lease_promote(table, 0, 0);
	assert_int_equal(es_lease_grant(table, 1, 1, 0), 0);
	assert_int_equal(es_lease_grant(table, 2, 2, 0), 0);
	assert_int_equal(es_lease_attach(table, ES_SLICE("a"), 1), 0);
	assert_int_equal(es_lease_revoke_slice(table, 1, 0, &arena, &keys, &count), 0);
	assert_int_equal(count, 0);
	assert_false(es_lease_exists(table, 1));
	assert_int_equal(es_lease_attach(table, ES_SLICE("b"), 1), ES_ELEASE_NOT_FOUND);
	assert_int_equal(es_lease_attach(table, ES_SLICE("a"), 1), ES_ELEASE_NOT_FOUND);
	assert_int_equal(es_lease_renew(table, 1, 0, &ttl_s), ES_ELEASE_NOT_FOUND);
	assert_int_equal(es_lease_due(table, 5000, 10, ids, 2), 1);
	assert_int_equal(ids[0], 2);
	es_lease_promote(table, 6000, 0);
	assert_int_equal(es_lease_next_due_ms(table), 8000);
	/* Its key may still move away, to another lease or to none. */
	assert_int_equal(es_lease_attach(table, ES_SLICE("a"), 2), 0);
	assert_int_equal(es_lease_remove(table, 1), 0);
	assert_int_equal(es_lease_remove(table, 1), ES_ELEASE_NOT_FOUND);
	es_arena_close(&arena);
	es_lease_table_free(table);
}

/* ---- against a naive model ---------------------------------------------------------------------------------- */

enum { LEASES = 12, KEYS = 40 };

struct model_lease {
	bool present, revoking;
	int64_t ttl_s;
	uint64_t due_ms, wake_ms;
};

struct model {
	struct model_lease leases[LEASES + 1]; /* by id */
	int64_t lease_of[KEYS];                /* 0: none */
	bool leading;
};

static struct es_slice key_bytes(unsigned key)
{
	static char text[KEYS][8];

	/* Lengths vary, so that some keys are prefixes of others. */
	(void)snprintf(text[key], sizeof(text[key]), "%o", key);
	return es_slice_str(text[key]);
}

static int compare_slices(const void *a, const void *b)
{
	return es_slice_cmp(*(const struct es_slice *)a, *(const struct es_slice *)b);
}

static size_t model_keys(const struct model *model, int64_t id, struct es_slice ret_keys[KEYS])
{
	size_t count = 0;

	for (unsigned key = 0; key < KEYS; key++)
		if (model->lease_of[key] == id)
			ret_keys[count++] = key_bytes(key);
	qsort(ret_keys, count, sizeof(ret_keys[0]), compare_slices);
	return count;
}

static void assert_first_keys(const struct model *model, int64_t id, const struct es_slice *keys,
			      size_t count)
{
	struct es_slice want[KEYS];

	assert_true(count <= model_keys(model, id, want));
	for (size_t i = 0; i < count; i++)
		assert_true(es_slice_eq(keys[i], want[i]));
}

static void assert_same(struct es_lease_table *table, const struct model *model)
{
	uint64_t next_ms = UINT64_MAX;
	size_t count = 0;

	for (int64_t id = 1; id <= LEASES; id++) {
		const struct model_lease *want = &model->leases[id];
		struct es_slice keys[KEYS];
		struct es_lease_info info;

		assert_true(es_lease_exists(table, id) == (want->present && !want->revoking));
		assert_int_equal(es_lease_get(table, id, &info),
				 want->present ? 0 : ES_ELEASE_NOT_FOUND);
		if (!want->present)
			continue;
		count++;
		assert_int_equal(info.ttl_s, want->ttl_s);
		assert_true(info.due_ms == (model->leading ? want->due_ms : UINT64_MAX));
		assert_int_equal(info.key_count, model_keys(model, id, keys));
		assert_int_equal(info.revoking, want->revoking);
		if (model->leading && !want->revoking && want->wake_ms < next_ms)
			next_ms = want->wake_ms;
	}
	assert_int_equal(es_lease_count(table), count);
	assert_true(es_lease_next_due_ms(table) == next_ms);
}

static void check_list(struct es_lease_table *table, struct es_arena *arena, size_t *failed)
{
	struct es_lease_info *list;
	size_t count;

	if (es_lease_list(table, arena, &list, &count) < 0) {
		(*failed)++;
		return;
	}
	assert_int_equal(count, es_lease_count(table));
	for (size_t i = 1; i < count; i++)
		assert_true(list[i - 1].due_ms < list[i].due_ms ||
			    (list[i - 1].due_ms == list[i].due_ms && list[i - 1].id < list[i].id));
}

static void check_due(struct es_lease_table *table, struct model *model, uint64_t now_ms,
		      struct es_rng *rng)
{
	size_t max = es_rng_below(rng, 4);
	size_t due = 0;
	uint64_t last_ms = 0;
	int64_t ids[4];
	size_t count = es_lease_due(table, now_ms, 700, ids, max);

	for (int64_t id = 1; id <= LEASES; id++)
		due += model->leading && model->leases[id].present && !model->leases[id].revoking &&
		       model->leases[id].wake_ms <= now_ms;
	assert_int_equal(count, due < max ? due : max);
	for (size_t i = 0; i < count; i++) {
		struct model_lease *lease = &model->leases[ids[i]];

		assert_true(lease->present && !lease->revoking);
		assert_true(lease->wake_ms <= now_ms && lease->wake_ms >= last_ms);
		last_ms = lease->wake_ms;
		lease->wake_ms = now_ms + 700;
	}
}

/* One slice, its keys detached in order or, now and then, backwards. */
static void revoke(struct es_lease_table *table, struct model *model, int64_t id,
		   struct es_arena *arena, struct es_rng *rng, size_t *failed)
{
	struct model_lease *lease = &model->leases[id];
	bool backwards = es_rng_below(rng, 4) == 0;
	struct es_slice *keys, rest[KEYS];
	size_t count;
	int rc = es_lease_revoke_slice(table, id, es_rng_below(rng, 5), arena, &keys, &count);

	if (!lease->present) {
		assert_int_equal(rc, ES_ELEASE_NOT_FOUND);
		return;
	}
	if (rc == ES_ENOMEM) {
		(*failed)++;
		return;
	}
	assert_int_equal(rc, 0);
	lease->revoking = true;
	assert_first_keys(model, id, keys, count);
	for (size_t i = 0; i < count; i++) {
		struct es_slice bytes = keys[backwards ? count - 1 - i : i];

		for (unsigned key = 0; key < KEYS; key++)
			if (es_slice_eq(key_bytes(key), bytes))
				model->lease_of[key] = 0;
		assert_int_equal(es_lease_attach(table, bytes, 0), 0);
	}
	if (model_keys(model, id, rest) == 0) {
		assert_int_equal(es_lease_remove(table, id), 0);
		lease->present = false;
	}
}

static void grant(struct es_lease_table *table, struct model *model, int64_t id, uint64_t now_ms,
		  struct es_rng *rng, size_t *failed)
{
	struct model_lease *lease = &model->leases[id];
	int64_t ttl_s = 1 + (int64_t)es_rng_below(rng, 10);
	int rc = es_lease_grant(table, id, ttl_s, now_ms);

	if (rc == ES_ENOMEM) {
		(*failed)++;
		return;
	}
	assert_int_equal(rc, lease->present ? ES_ELEASE_EXIST : 0);
	if (lease->present)
		return;
	*lease = (struct model_lease){.present = true, .ttl_s = ttl_s};
	lease->due_ms = now_ms + (uint64_t)ttl_s * 1000;
	lease->wake_ms = lease->due_ms;
}

static void attach(struct es_lease_table *table, struct model *model, int64_t id,
		   struct es_rng *rng, size_t *failed)
{
	unsigned key = (unsigned)es_rng_below(rng, KEYS);
	int rc = es_lease_attach(table, key_bytes(key), id);

	if (rc == ES_ENOMEM) {
		(*failed)++;
		return;
	}
	if (id != 0 && (!model->leases[id].present || model->leases[id].revoking)) {
		assert_int_equal(rc, ES_ELEASE_NOT_FOUND);
		return;
	}
	assert_int_equal(rc, 0);
	model->lease_of[key] = id;
}

static void renew(struct es_lease_table *table, struct model *model, int64_t id, uint64_t now_ms)
{
	struct model_lease *lease = &model->leases[id];
	int64_t ttl_s;
	int rc = es_lease_renew(table, id, now_ms, &ttl_s);

	if (!model->leading) {
		assert_int_equal(rc, ES_ENOT_LEADER);
	} else if (!lease->present || lease->revoking || lease->due_ms <= now_ms) {
		assert_int_equal(rc, ES_ELEASE_NOT_FOUND);
	} else {
		assert_int_equal(rc, 0);
		assert_int_equal(ttl_s, lease->ttl_s);
		lease->due_ms = now_ms + (uint64_t)ttl_s * 1000;
		lease->wake_ms = lease->due_ms;
	}
}

static void lead_or_follow(struct es_lease_table *table, struct model *model, uint64_t now_ms,
			   struct es_rng *rng)
{
	model->leading = es_rng_below(rng, 3) > 0;
	if (!model->leading) {
		es_lease_demote(table);
		return;
	}
	es_lease_promote(table, now_ms, 300);
	for (int64_t id = 1; id <= LEASES; id++) {
		struct model_lease *lease = &model->leases[id];

		lease->due_ms = now_ms + (uint64_t)lease->ttl_s * 1000 + 300;
		lease->wake_ms = lease->due_ms;
	}
}

static void list_keys(struct es_lease_table *table, const struct model *model, int64_t id,
		      struct es_arena *arena, size_t *failed)
{
	struct es_slice *keys, want[KEYS];
	size_t count;
	int rc = es_lease_keys(table, id, arena, &keys, &count);

	if (rc == ES_ENOMEM) {
		(*failed)++;
		return;
	}
	assert_int_equal(rc, model->leases[id].present ? 0 : ES_ELEASE_NOT_FOUND);
	if (rc < 0)
		return;
	assert_int_equal(count, model_keys(model, id, want));
	assert_first_keys(model, id, keys, count);
}

/* Random calls; the table and the model stay equal. Returns how many calls ran out of memory, which changes nothing. */
static size_t run(const struct es_mem *mem, uint64_t seed, int steps)
{
	struct es_lease_table *table;
	struct model model = {0};
	struct es_arena arena;
	struct es_rng rng;
	uint64_t now_ms = 0;
	size_t failed = 0;

	if (es_lease_table_new(mem, hash_key, &table) < 0)
		return 1;
	es_rng_init(&rng, seed);
	for (int step = 0; step < steps; step++) {
		int64_t id = 1 + (int64_t)es_rng_below(&rng, LEASES);
		uint64_t what = es_rng_below(&rng, 100);

		es_arena_init(&arena, mem, 64);
		now_ms += es_rng_below(&rng, 400);
		if (what < 15)
			grant(table, &model, id, now_ms, &rng, &failed);
		else if (what < 55)
			attach(table, &model, what < 25 ? 0 : id, &rng, &failed);
		else if (what < 65)
			renew(table, &model, id, now_ms);
		else if (what < 75)
			check_due(table, &model, now_ms, &rng);
		else if (what < 85)
			revoke(table, &model, id, &arena, &rng, &failed);
		else if (what < 93)
			list_keys(table, &model, id, &arena, &failed);
		else if (what < 98)
			check_list(table, &arena, &failed);
		else
			lead_or_follow(table, &model, now_ms, &rng);
		assert_same(table, &model);
		es_arena_close(&arena);
	}
	es_lease_table_free(table);
	return failed;
}

static void random_calls_agree_with_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct es_fault_mem fault;

		print_message("seed %llu\n", (unsigned long long)seed);
		es_fault_mem_init(&fault, UINT64_MAX);
		assert_int_equal(run(&fault.mem, seed, 3000), 0);
		assert_int_equal(fault.live, 0);
	}
}

/* A table that cannot grow is no failure, so a failed allocation shows in at most one call. */
static void no_memory_changes_nothing(void **state)
{
	size_t shown = 0;

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		size_t failed;

		es_fault_mem_init(&fault, n);
		failed = run(&fault.mem, 1, 400);
		shown += failed;
		assert_true(failed <= 1);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	assert_true(shown > 100);
}

/* ---- size ----------------------------------------------------------------------------------------------------- */

/* Anything that costs more than O(log n) a key or a lease would take minutes here. */
static void many_keys_and_many_leases(void **state)
{
	enum { MANY = 100000 };
	struct es_lease_table *table = new_table(es_mem_default());
	struct es_arena arena;
	struct es_slice *keys;
	size_t count, deleted = 0;
	int64_t ids[1000];
	char text[32], last[32] = "";

	(void)state;
	es_lease_promote(table, 0, 0);
	for (int64_t i = 1; i <= MANY; i++)
		assert_int_equal(es_lease_grant(table, i, 10 + i % 97, 0), 0);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(text, sizeof(text), "/registry/events/%d", i);
		assert_int_equal(es_lease_attach(table, es_slice_str(text), 50), 0);
	}
	do {
		es_arena_init(&arena, es_mem_default(), 4096);
		assert_int_equal(es_lease_revoke_slice(table, 50, 100, &arena, &keys, &count), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(es_slice_cmp(keys[i], es_slice_str(last)) > 0);
			(void)snprintf(last, sizeof(last), "%.*s", (int)keys[i].len,
				       (const char *)keys[i].data);
			assert_int_equal(es_lease_attach(table, keys[i], 0), 0);
		}
		deleted += count;
		es_arena_close(&arena);
	} while (count > 0);
	assert_int_equal(deleted, MANY);
	assert_int_equal(es_lease_remove(table, 50), 0);
	deleted = 1;
	while ((count = es_lease_due(table, 1000000, 1000, ids, 1000)) > 0) {
		for (size_t i = 0; i < count; i++)
			assert_int_equal(es_lease_remove(table, ids[i]), 0);
		deleted += count;
	}
	assert_int_equal(deleted, MANY);
	assert_int_equal(es_lease_count(table), 0);
	es_lease_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(granting_has_its_limits),
		cmocka_unit_test(a_due_lease_is_named_again_after_the_retry_time),
		cmocka_unit_test(a_revoking_lease_takes_no_keys_and_is_never_due),
		cmocka_unit_test(random_calls_agree_with_a_model),
		cmocka_unit_test(no_memory_changes_nothing),
		cmocka_unit_test(many_keys_and_many_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
