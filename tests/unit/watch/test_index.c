#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/rng.h"
#include "watch/index.h"

static const uint64_t hash_key[2] = {5, 6};

static struct es_mvcc_range span(const char *key, const char *end)
{
	return (struct es_mvcc_range){es_slice_str(key), es_slice_str(end)};
}

/* ---- the tree's invariants -------------------------------------------------------------------------------------- */

static bool is_endless(const struct es_watch_group *group)
{
	return group->range.end.len == 1 && group->range.end.data[0] == 0;
}

static bool ends_later(const struct es_watch_group *a, const struct es_watch_group *b)
{
	if (is_endless(b))
		return false;
	return is_endless(a) || es_slice_cmp(a->range.end, b->range.end) > 0;
}

/* Returns the depth; nodes are visited in order, each behind the one before. */
static size_t check_tree(const struct es_watch_group *node, const struct es_watch_group **before,
			 size_t *count)
{
	size_t left, right;

	if (node == NULL)
		return 0;
	left = check_tree(node->left, before, count);
	if (*before != NULL) {
		int order = es_slice_cmp((*before)->range.key, node->range.key);

		assert_true(order < 0 || (order == 0 && ends_later(node, *before)));
	}
	*before = node;
	(*count)++;
	assert_false(ends_later(node, node->furthest));
	if (node->left != NULL) {
		assert_true(node->left->priority <= node->priority);
		assert_false(ends_later(node->left->furthest, node->furthest));
	}
	if (node->right != NULL) {
		assert_true(node->right->priority <= node->priority);
		assert_false(ends_later(node->right->furthest, node->furthest));
	}
	right = check_tree(node->right, before, count);
	return 1 + (left > right ? left : right);
}

static size_t check(const struct es_watch_index *index, size_t *ret_depth)
{
	const struct es_watch_group *before = NULL;
	size_t count = 0;

	*ret_depth = check_tree(index->root, &before, &count);
	return count;
}

/* ---- against a naive model -------------------------------------------------------------------------------------- */

enum { SLOTS = 60 };

struct slots {
	struct es_watch_group *groups[SLOTS];
	char keys[SLOTS][4];
	char ends[SLOTS][4];
	size_t end_lens[SLOTS];
	bool hit[SLOTS];
	size_t visits;
};

static struct es_mvcc_range slot_range(const struct slots *slots, size_t i)
{
	return (struct es_mvcc_range){es_slice_str(slots->keys[i]),
				      es_slice(slots->ends[i], slots->end_lens[i])};
}

static void draw(struct es_rng *rng, char text[4])
{
	size_t len = 1 + es_rng_below(rng, 3);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + es_rng_below(rng, 3));
	text[len] = '\0';
}

/* A single key, everything behind a key, a range, now and then an empty one. */
static void draw_range(struct slots *slots, size_t i, struct es_rng *rng)
{
	draw(rng, slots->keys[i]);
	draw(rng, slots->ends[i]);
	slots->end_lens[i] = strlen(slots->ends[i]);
	switch (es_rng_below(rng, 4)) {
	case 0: slots->end_lens[i] = 0; break;
	case 1:
		slots->ends[i][0] = '\0';
		slots->end_lens[i] = 1;
		break;
	default: break;
	}
}

static void mark(void *ctx, struct es_watch_group *group)
{
	struct slots *slots = ctx;

	slots->visits++;
	for (size_t i = 0; i < SLOTS; i++) {
		if (slots->groups[i] != group)
			continue;
		assert_false(slots->hit[i]); /* each group once */
		slots->hit[i] = true;
	}
}

/* What a range contains, from its definition. */
static bool contains(struct es_mvcc_range range, struct es_slice key)
{
	if (range.end.len == 0)
		return es_slice_eq(range.key, key);
	if (es_slice_cmp(key, range.key) < 0)
		return false;
	return es_slice_eq(range.end, es_slice("", 1)) || es_slice_cmp(key, range.end) < 0;
}

static void assert_matches(const struct es_watch_index *index, struct slots *slots,
			   struct es_rng *rng)
{
	char text[4];

	draw(rng, text);
	memset(slots->hit, 0, sizeof(slots->hit));
	es_watch_index_match(index, es_slice_str(text), mark, slots);
	for (size_t i = 0; i < SLOTS; i++) {
		bool want = slots->groups[i] != NULL &&
			    contains(slot_range(slots, i), es_slice_str(text));

		assert_true(slots->hit[i] == want);
	}
}

static void run(const struct es_mem *mem, uint64_t seed, int steps)
{
	struct es_watch_index index;
	struct slots slots = {0};
	struct es_rng rng;
	size_t depth;

	es_rng_init(&rng, seed);
	if (es_watch_index_init(&index, mem, hash_key) < 0) {
		es_watch_index_close(&index);
		return;
	}
	for (int step = 0; step < steps; step++) {
		size_t i = es_rng_below(&rng, SLOTS);

		if (slots.groups[i] != NULL) {
			es_watch_index_leave(&index, slots.groups[i]);
			slots.groups[i] = NULL;
		} else {
			draw_range(&slots, i, &rng);
			if (es_watch_index_enter(&index, slot_range(&slots, i), &slots.groups[i]) <
			    0)
				slots.groups[i] = NULL;
		}
		for (size_t k = 0; k < SLOTS;
		     k++) { /* equal ranges share their group, others do not */
			struct es_mvcc_range a = slot_range(&slots, i);
			struct es_mvcc_range b = slot_range(&slots, k);
			bool equal = es_slice_eq(a.key, b.key) && es_slice_eq(a.end, b.end);

			if (slots.groups[i] != NULL && slots.groups[k] != NULL)
				assert_true((slots.groups[i] == slots.groups[k]) == equal);
		}
		(void)check(&index, &depth);
		assert_matches(&index, &slots, &rng);
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (slots.groups[i] != NULL)
			es_watch_index_leave(&index, slots.groups[i]);
	es_watch_index_close(&index);
}

static void random_ranges_agree_with_a_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct es_fault_mem fault;

		print_message("seed %llu\n", (unsigned long long)seed);
		es_fault_mem_init(&fault, UINT64_MAX);
		run(&fault.mem, seed, 1000);
		assert_int_equal(fault.live, 0);
	}
}

static void no_memory_leaves_the_index_as_it_was(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;

		es_fault_mem_init(&fault, n);
		run(&fault.mem, 1, 200);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

/* ---- shape ------------------------------------------------------------------------------------------------------ */

/* Ranges that come in order, side by side and one inside the other, leave the tree shallow, and a key visits only
 * the ranges that it is in. */
static void the_tree_stays_shallow(void **state)
{
	enum { MANY = 10000 };
	static struct es_watch_group *groups[2 * MANY];
	struct es_watch_index index;
	struct slots slots = {0};
	size_t depth;

	(void)state;
	assert_int_equal(es_watch_index_init(&index, es_mem_default(), hash_key), 0);
	for (int i = 0; i < MANY; i++) {
		char key[16], end[16];

		(void)snprintf(key, sizeof(key), "a%06d", i);
		(void)snprintf(end, sizeof(end), "a%06d", i + 1);
		assert_int_equal(es_watch_index_enter(&index, span(key, end), &groups[2 * i]), 0);
		(void)snprintf(end, sizeof(end), "c%06d", MANY - i);
		key[0] = 'b';
		assert_int_equal(es_watch_index_enter(&index, span(key, end), &groups[2 * i + 1]),
				 0);
	}
	assert_int_equal(check(&index, &depth), 2 * MANY);
	assert_true(depth < 60);
	es_watch_index_match(&index, ES_SLICE("a005000/x"), mark, &slots);
	assert_int_equal(slots.visits, 1);
	es_watch_index_match(&index, ES_SLICE("b000099"), mark, &slots);
	assert_int_equal(slots.visits, 1 + 100);
	for (int i = 0; i < 2 * MANY; i++)
		es_watch_index_leave(&index, groups[i]);
	es_watch_index_close(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_ranges_agree_with_a_model),
		cmocka_unit_test(no_memory_leaves_the_index_as_it_was),
		cmocka_unit_test(the_tree_stays_shallow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
