#include "support.h"

#include "mvcc/revlog.h"

#define COUNT 6000

struct fixture {
	struct es_fault_mem fault;
	struct es_revlog log;
	struct es_mvcc_version *versions[COUNT]; /* NULL: not in the log */
};

static struct es_mvcc_version *version_new(int64_t main, int64_t sub)
{
	bool wide = sub > (int64_t)ES_MVCC_SUB_MASK;
	struct es_mvcc_version *version = calloc(1, sizeof(*version) + sizeof(uint64_t));

	assert_non_null(version);
	version->main = main;
	version->bits = (uint16_t)(wide ? ES_MVCC_WIDE_SUB : (unsigned)sub);
	if (wide)
		version->words[0] = (uint64_t)sub;
	return version;
}

static void append(struct fixture *f, size_t i, int64_t main, int64_t sub)
{
	f->versions[i] = version_new(main, sub);
	assert_int_equal(es_revlog_reserve(&f->log), 0);
	es_revlog_append(&f->log, f->versions[i]);
}

static void drop(struct fixture *f, size_t i)
{
	es_revlog_remove(&f->log, f->versions[i]);
	free(f->versions[i]);
	f->versions[i] = NULL;
}

/* Revisions with gaps, many of one sub revision and some of many, one of them across chunks and
 * beyond 13 bits. */
static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int64_t main = 2, sub = 0;
	struct es_rng rng;

	assert_non_null(f);
	es_fault_mem_init(&f->fault, UINT64_MAX);
	es_revlog_init(&f->log, &f->fault.mem);
	es_rng_init(&rng, 3);
	for (size_t i = 0; i < COUNT; i++) {
		append(f, i, main, sub);
		sub += i == 2000 ? 9000 : 1;
		if ((i < 1000 || i > 2200) && es_rng_below(&rng, 3) > 0) {
			main += 1 + (int64_t)(es_rng_below(&rng, 20) == 0 ? es_rng_below(&rng, 1000)
									  : 0);
			sub = 0;
		}
	}
	es_revlog_check(&f->log);
	return f;
}

static void fixture_free(struct fixture *f)
{
	es_revlog_close(&f->log);
	assert_int_equal(f->fault.live, 0);
	for (size_t i = 0; i < COUNT; i++)
		free(f->versions[i]);
	free(f);
}

/* Every place is found by its revision, and by the revisions just around it. */
static void check_seeks(const struct fixture *f)
{
	struct es_revlog_pos walk = {0, 0};
	uint64_t left = f->log.count;

	es_revlog_check(&f->log);
	for (size_t i = 0; i < COUNT; i++) {
		const struct es_mvcc_version *v = f->versions[i];
		struct es_revlog_pos pos;

		if (v == NULL)
			continue;
		assert_ptr_equal(es_revlog_at(&f->log, walk), v);
		pos = es_revlog_seek(&f->log, v->main, es_mvcc_sub(v));
		assert_ptr_equal(es_revlog_at(&f->log, pos), v);
		assert_true(es_revlog_rest_max(&f->log, pos) >= left);
		es_revlog_next(&f->log, &walk);
		left--;
		pos = es_revlog_seek(&f->log, v->main, es_mvcc_sub(v) + 1);
		assert_ptr_equal(es_revlog_at(&f->log, pos), es_revlog_at(&f->log, walk));
		pos = es_revlog_seek(&f->log, v->main, INT64_MAX);
		assert_true(es_revlog_at(&f->log, pos) == NULL ||
			    es_revlog_at(&f->log, pos)->main > v->main);
	}
	assert_null(es_revlog_at(&f->log, walk));
	assert_ptr_equal(es_revlog_at(&f->log, es_revlog_seek(&f->log, 0, 0)),
			 es_revlog_at(&f->log, (struct es_revlog_pos){0, 0}));
	assert_null(es_revlog_at(&f->log, es_revlog_seek(&f->log, INT64_MAX, 0)));
}

static void seeks_find_every_place(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	check_seeks(f);
	fixture_free(f);
}

static void removals_keep_memory_in_proportion(void **state)
{
	struct fixture *f = fixture_new();
	struct es_rng rng;
	uint64_t full = f->log.bytes;

	(void)state;
	es_rng_init(&rng, 11);
	for (size_t i = 0; i < COUNT; i++) {
		if (es_rng_below(&rng, 20) > 0)
			drop(f, i);
		if (i % 1500 == 0)
			check_seeks(f);
	}
	check_seeks(f);
	assert_true(f->log.bytes < full / 3);
	for (size_t i = COUNT; i-- > 0;) {
		if (f->versions[i] != NULL)
			drop(f, i);
	}
	assert_int_equal(f->log.count, 0);
	assert_null(es_revlog_last(&f->log));
	append(f, 0, 5, 0);
	check_seeks(f);
	fixture_free(f);
}

static void a_failed_reserve_changes_nothing(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)state;
	assert_non_null(f);
	es_fault_mem_init(&f->fault, UINT64_MAX);
	es_revlog_init(&f->log, &f->fault.mem);
	for (size_t i = 0; i < COUNT; i++) {
		for (uint64_t n = 0;; n++) {
			int rc;

			f->fault.fired = false;
			f->fault.countdown = n;
			rc = es_revlog_reserve(&f->log);
			assert_int_equal(rc, f->fault.fired ? ES_ENOMEM : 0);
			if (!f->fault.fired)
				break;
		}
		append(f, i, (int64_t)i + 2, 0);
	}
	check_seeks(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeks_find_every_place),
		cmocka_unit_test(removals_keep_memory_in_proportion),
		cmocka_unit_test(a_failed_reserve_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
