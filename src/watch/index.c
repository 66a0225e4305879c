#include "watch/index.h"

#include "base/assert.h"
#include "base/hash.h"

/*
 * The tree is a treap, ordered by where ranges begin and then by where they end, in which each node knows the range
 * of its subtree that ends last. A key is looked for only where that one ends behind it, and to the right only of
 * ranges that do not begin behind it. Priorities are hashes of the ranges under a secret key, so no client can choose
 * ranges that make the tree deep, and nothing random is needed.
 *
 * I1: left < node < right by compare_ranges.
 * I2: no child has a higher priority than its parent.
 * I3: node->furthest ends last (compare_ends) of all in the subtree of the node.
 *
 * A range that is empty because it ends where or before it begins is kept like any other and simply never matches.
 */

static bool is_single(struct es_mvcc_range range)
{
	return range.end.len == 0;
}

/* One zero byte as the end: everything. */
static bool is_endless(struct es_mvcc_range range)
{
	return range.end.len == 1 && range.end.data[0] == 0;
}

static int compare_ends(struct es_mvcc_range a, struct es_mvcc_range b)
{
	if (is_endless(a) || is_endless(b))
		return (int)is_endless(a) - (int)is_endless(b);
	return es_slice_cmp(a.end, b.end);
}

static int compare_ranges(struct es_mvcc_range a, struct es_mvcc_range b)
{
	int order = es_slice_cmp(a.key, b.key);

	return order != 0 ? order : compare_ends(a, b);
}

static bool ends_behind(struct es_mvcc_range range, struct es_slice key)
{
	return is_endless(range) || es_slice_cmp(key, range.end) < 0;
}

/* ---- the tree --------------------------------------------------------------------------------------------------- */

static void update(struct es_watch_group *node)
{
	node->furthest = node;
	if (node->left != NULL &&
	    compare_ends(node->left->furthest->range, node->furthest->range) > 0)
		node->furthest = node->left->furthest;
	if (node->right != NULL &&
	    compare_ends(node->right->furthest->range, node->furthest->range) > 0)
		node->furthest = node->right->furthest;
}

/* The nodes before and behind `range`, which is in the tree no more than its equal is. */
static void split(struct es_watch_group *node, struct es_mvcc_range range,
		  struct es_watch_group **ret_before, struct es_watch_group **ret_behind)
{
	if (node == NULL) {
		*ret_before = NULL;
		*ret_behind = NULL;
	} else if (compare_ranges(node->range, range) < 0) {
		split(node->right, range, &node->right, ret_behind);
		*ret_before = node;
		update(node);
	} else {
		split(node->left, range, ret_before, &node->left);
		*ret_behind = node;
		update(node);
	}
}

/* All of `left` come before all of `right`. */
static struct es_watch_group *merge(struct es_watch_group *left, struct es_watch_group *right)
{
	if (left == NULL || right == NULL)
		return left != NULL ? left : right;
	if (left->priority > right->priority) {
		left->right = merge(left->right, right);
		update(left);
		return left;
	}
	right->left = merge(left, right->left);
	update(right);
	return right;
}

static struct es_watch_group *tree_insert(struct es_watch_group *root, struct es_watch_group *node)
{
	if (root == NULL || node->priority > root->priority) {
		split(root, node->range, &node->left, &node->right);
		update(node);
		return node;
	}
	if (compare_ranges(node->range, root->range) < 0)
		root->left = tree_insert(root->left, node);
	else
		root->right = tree_insert(root->right, node);
	update(root);
	return root;
}

static struct es_watch_group *tree_remove(struct es_watch_group *root, struct es_watch_group *node)
{
	ES_ASSERT(root != NULL);
	if (root == node)
		return merge(node->left, node->right);
	if (compare_ranges(node->range, root->range) < 0)
		root->left = tree_remove(root->left, node);
	else
		root->right = tree_remove(root->right, node);
	update(root);
	return root;
}

static struct es_watch_group *tree_find(struct es_watch_group *node, struct es_mvcc_range range)
{
	while (node != NULL) {
		int order = compare_ranges(range, node->range);

		if (order == 0)
			return node;
		node = order < 0 ? node->left : node->right;
	}
	return NULL;
}

static void tree_match(struct es_watch_group *node, struct es_slice key,
		       void (*visit)(void *ctx, struct es_watch_group *group), void *ctx)
{
	while (node != NULL && ends_behind(node->furthest->range, key)) {
		tree_match(node->left, key, visit, ctx);
		if (es_slice_cmp(key, node->range.key) < 0)
			return; /* and so for everything to the right */
		if (ends_behind(node->range, key))
			visit(ctx, node);
		node = node->right;
	}
}

/* ---- the index -------------------------------------------------------------------------------------------------- */

int es_watch_index_init(struct es_watch_index *index, const struct es_mem *mem,
			const uint64_t hash_key[2])
{
	*index = (struct es_watch_index){.mem = mem, .hash_key = {hash_key[0], hash_key[1]}};
	return es_table_init(&index->singles, mem);
}

void es_watch_index_close(struct es_watch_index *index)
{
	ES_ASSERT(index->root == NULL);
	ES_ASSERT(index->singles.count == 0);
	es_table_close(&index->singles);
}

static struct es_watch_group *find_single(const struct es_watch_index *index, struct es_slice key,
					  uint64_t hash)
{
	struct es_table_node *node;

	for (node = es_table_first(&index->singles, hash); node != NULL;
	     node = es_table_next(node)) {
		struct es_watch_group *group = ES_CONTAINER_OF(node, struct es_watch_group, node);

		if (es_slice_eq(group->range.key, key))
			return group;
	}
	return NULL;
}

static struct es_slice copy_bytes(uint8_t *to, struct es_slice bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.data, bytes.len);
	return es_slice(to, bytes.len);
}

static struct es_watch_group *new_group(struct es_watch_index *index, struct es_mvcc_range range)
{
	struct es_watch_group *group;
	size_t size;

	if (__builtin_add_overflow(range.key.len, range.end.len, &size) ||
	    __builtin_add_overflow(size, sizeof(*group), &size))
		return NULL;
	group = es_alloc(index->mem, size);
	if (group == NULL)
		return NULL;
	memset(group, 0, sizeof(*group));
	group->range.key = copy_bytes(group->bytes, range.key);
	group->range.end = copy_bytes(group->bytes + range.key.len, range.end);
	es_queue_init(&group->live);
	return group;
}

int es_watch_index_enter(struct es_watch_index *index, struct es_mvcc_range range,
			 struct es_watch_group **ret_group)
{
	uint64_t hash = es_siphash(index->hash_key, range.key);
	struct es_watch_group *group;

	group = is_single(range) ? find_single(index, range.key, hash)
				 : tree_find(index->root, range);
	if (group == NULL) {
		group = new_group(index, range);
		if (group == NULL)
			return ES_ENOMEM;
		if (is_single(range)) {
			es_table_insert(&index->singles, &group->node, hash);
		} else {
			/* Many ranges may begin alike, with ends that differ. */
			group->priority = es_siphash((const uint64_t[2]){hash, index->hash_key[0]},
						     range.end);
			index->root = tree_insert(index->root, group);
		}
	}
	group->users++;
	*ret_group = group;
	return 0;
}

void es_watch_index_leave(struct es_watch_index *index, struct es_watch_group *group)
{
	ES_ASSERT(group->users > 0);
	if (--group->users > 0)
		return;
	ES_ASSERT(es_queue_empty(&group->live));
	if (is_single(group->range))
		es_table_remove(&index->singles, &group->node);
	else
		index->root = tree_remove(index->root, group);
	es_free(index->mem, group);
}

void es_watch_index_match(const struct es_watch_index *index, struct es_slice key,
			  void (*visit)(void *ctx, struct es_watch_group *group), void *ctx)
{
	struct es_watch_group *single = NULL;

	if (index->singles.count > 0)
		single = find_single(index, key, es_siphash(index->hash_key, key));
	if (single != NULL)
		visit(ctx, single);
	tree_match(index->root, key, visit, ctx);
}
