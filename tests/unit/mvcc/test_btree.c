#include "support.h"

#include "mvcc/btree.h"

/* Items whose keys are the numbers below COUNT, in order; `in` and `live` say what the tree should
 * hold. */
#define COUNT 20000

struct fixture {
	struct es_fault_mem fault;
	struct es_btree tree;
	struct es_mvcc_item *items[COUNT];
	bool in[COUNT];
	bool live[COUNT];
};

static struct es_mvcc_item *item_new(uint32_t number)
{
	char key[16];
	int len = snprintf(key, sizeof(key), "key/%05u", number);
	struct es_mvcc_item *item = malloc(es_mvcc_item_bytes((size_t)len));

	assert_non_null(item);
	item->key_len = (uint32_t)len;
	memcpy(item->key, key, (size_t)len);
	return item;
}

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	es_fault_mem_init(&f->fault, UINT64_MAX);
	es_btree_init(&f->tree, &f->fault.mem);
	for (uint32_t i = 0; i < COUNT; i++)
		f->items[i] = item_new(i);
	return f;
}

static void fixture_free(struct fixture *f)
{
	es_btree_close(&f->tree);
	assert_int_equal(f->fault.live, 0);
	for (uint32_t i = 0; i < COUNT; i++)
		free(f->items[i]);
	free(f);
}

static struct es_slice key_of(const struct fixture *f, uint32_t number)
{
	return es_mvcc_item_key(f->items[number]);
}

static void insert(struct fixture *f, uint32_t number)
{
	struct es_btree_cursor cursor;

	assert_null(es_btree_find(&f->tree, key_of(f, number), &cursor));
	assert_int_equal(es_btree_insert(&f->tree, &cursor, f->items[number]), 0);
	f->in[number] = true;
	f->live[number] = true;
}

static void drop(struct fixture *f, uint32_t number)
{
	struct es_btree_cursor cursor;

	assert_ptr_equal(es_btree_find(&f->tree, key_of(f, number), &cursor), f->items[number]);
	es_btree_remove(&f->tree, &cursor);
	f->in[number] = false;
}

static void set_live(struct fixture *f, uint32_t number, bool live)
{
	struct es_btree_cursor cursor;

	es_btree_find(&f->tree, key_of(f, number), &cursor);
	es_btree_set_live(&f->tree, &cursor, live);
	assert_true(es_btree_is_live(&f->tree, &cursor) == live);
	f->live[number] = live;
}

/* The first number at or after `from` that is in the tree (and live), or COUNT. */
static uint32_t next_in(const struct fixture *f, uint32_t from, bool live)
{
	while (from < COUNT && (!f->in[from] || (live && !f->live[from])))
		from++;
	return from;
}

static void check_against(const struct fixture *f, uint32_t from)
{
	struct es_btree_cursor cursor;
	uint64_t rank = 0;

	es_btree_check(&f->tree);
	for (uint32_t i = 0; i < from; i++)
		rank += f->in[i] && f->live[i];
	assert_int_equal(es_btree_rank(&f->tree, key_of(f, from)), rank);

	es_btree_seek(&f->tree, key_of(f, from), &cursor);
	for (uint32_t i = next_in(f, from, false); i < COUNT; i = next_in(f, i + 1, false)) {
		assert_ptr_equal(cursor.item, f->items[i]);
		es_btree_next(&f->tree, &cursor);
	}
	assert_null(cursor.item);

	es_btree_seek(&f->tree, key_of(f, from), &cursor);
	es_btree_skip_dead(&f->tree, &cursor);
	for (uint32_t i = next_in(f, from, true); i < COUNT; i = next_in(f, i + 1, true)) {
		assert_ptr_equal(cursor.item, f->items[i]);
		es_btree_next(&f->tree, &cursor);
		es_btree_skip_dead(&f->tree, &cursor);
	}
	assert_null(cursor.item);
}

static void random_changes_match_a_plain_array(void **state)
{
	struct fixture *f = fixture_new();
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 7);
	for (int phase = 0; phase < 6; phase++) {
		/* Growing and shrinking in turn, so that splits and merges happen at every level.
		 */
		uint64_t grow = phase % 2 == 0 ? 80 : 15;

		for (int i = 0; i < 24000; i++) {
			uint32_t number = (uint32_t)es_rng_below(&rng, COUNT);

			if (!f->in[number] && es_rng_below(&rng, 100) < grow)
				insert(f, number);
			else if (f->in[number] && es_rng_below(&rng, 100) >= grow)
				drop(f, number);
			else if (f->in[number])
				set_live(f, number, es_rng_below(&rng, 3) == 0);
			if (i % 1000 == 0)
				check_against(f, (uint32_t)es_rng_below(&rng, COUNT));
		}
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		if (f->in[i])
			drop(f, i);
	}
	es_btree_check(&f->tree);
	assert_null(f->tree.root);
	fixture_free(f);
}

static void ascending_inserts_fill_the_nodes(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	/* Two interleaved runs: each ascends under its own prefix. */
	for (uint32_t i = 0; i < COUNT / 2; i++) {
		insert(f, i);
		insert(f, COUNT / 2 + i);
	}
	check_against(f, 0);
	assert_true(f->tree.bytes < COUNT * 112 / 10); /* half full nodes would make it 14 a key */
	fixture_free(f);
}

static void descending_removal_gives_memory_back(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t full;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		insert(f, i);
	full = f->tree.bytes;
	for (uint32_t i = 0; i < COUNT; i++) {
		if (i % 16 != 0)
			drop(f, i);
	}
	check_against(f, 100);
	assert_true(f->tree.bytes < full / 8);
	fixture_free(f);
}

/* Filled in order, an inner node above the leaves has FANOUT full ones. Its first item is a
 * separator at the root, and goes time and again here, while the leaf is too far from its full
 * neighbour to merge; in the end inner nodes merge. */
static void separators_follow_the_first_item(void **state)
{
	const uint32_t first = ES_BTREE_FANOUT * ES_BTREE_FANOUT;
	struct fixture *f = fixture_new();

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		insert(f, i);
	assert_int_equal(f->tree.height, 3);
	for (uint32_t i = first; i < first + 200; i++) {
		drop(f, i);
		es_btree_check(&f->tree);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		if (f->in[i] && i % ES_BTREE_FANOUT != 37)
			drop(f, i);
		if (i % 64 == 0)
			es_btree_check(&f->tree);
	}
	assert_int_equal(f->tree.height, 2);
	check_against(f, first);
	fixture_free(f);
}

static void a_live_key_behind_many_dead_ones_is_found(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		insert(f, i);
	for (uint32_t i = 10; i < COUNT - 10; i++)
		set_live(f, i, false);
	check_against(f, 0);
	check_against(f, 700);
	for (uint32_t i = COUNT - 10; i < COUNT; i++)
		set_live(f, i, false);
	check_against(f, 700);
	fixture_free(f);
}

static void a_failed_insert_changes_nothing(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t number = i * 7 % COUNT; /* COUNT is no multiple of 7 */

		for (uint64_t n = 0;; n++) {
			struct es_btree_cursor cursor;
			struct es_fault_mem *fault = &f->fault;
			int rc;

			fault->fired = false;
			fault->countdown = n;
			assert_null(es_btree_find(&f->tree, key_of(f, number), &cursor));
			rc = es_btree_insert(&f->tree, &cursor, f->items[number]);
			assert_int_equal(rc, fault->fired ? ES_ENOMEM : 0);
			if (!fault->fired)
				break;
			assert_int_equal(f->tree.items, i);
			if (n > 0)
				es_btree_check(&f->tree);
		}
		f->in[number] = true;
		f->live[number] = true;
	}
	check_against(f, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_a_plain_array),
		cmocka_unit_test(ascending_inserts_fill_the_nodes),
		cmocka_unit_test(descending_removal_gives_memory_back),
		cmocka_unit_test(separators_follow_the_first_item),
		cmocka_unit_test(a_live_key_behind_many_dead_ones_is_found),
		cmocka_unit_test(a_failed_insert_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
