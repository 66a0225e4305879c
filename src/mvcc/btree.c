#include "mvcc/btree.h"
#include "mvcc/heads.h"

/*
 * Why a B+tree of pointers, and why like this
 *
 * Keys are long and share long prefixes, so nodes hold pointers to items and not keys. A separator
 * is a pointer to an item as well: no key bytes are copied, and the price (it must move on when its
 * item is removed) is paid by I2. Leaves are not linked: a cursor carries its path, and so can also
 * leap over subtrees without live items.
 *
 * Invariants
 * I1  Items ascend strictly by key, within and across leaves; all leaves are at the same depth.
 * I2  For i > 0, sep[i] of an inner node is exactly the first item below child[i]. sep[0] is never
 *     read.
 * I3  live[i] is the number of live items below child[i]; bit j of a leaf's `dead` tells of
 *     items[j], bits from n on are 0.
 * I4  No node is empty; the root is a leaf or has two children at least.
 * I5  The heads of a node are those of its items (a leaf) or separators from sep[1] on (an inner
 *     node); see heads.h.
 *
 * A full node splits in the middle, with two exceptions. When the new entry goes behind all others,
 * the left node stays full and the new one starts with that entry alone. When it goes right behind
 * the entry put into this leaf before it, the leaf splits behind it. So ascending inserts, also
 * several interleaved runs of them, fill the leaves wholly. Nodes that became small after a removal
 * merge with a neighbour under the same parent.
 */

#define FANOUT     ES_BTREE_FANOUT
#define MERGE_MAX  (FANOUT * 3 / 4) /* two neighbours with no more than this become one */
#define MERGE_FROM (FANOUT / 4)     /* a node this small looks for one */

_Static_assert(FANOUT <= 64, "a leaf's dead bits are one word");

struct leaf {
	uint64_t dead;
	uint32_t n;
	uint32_t last_put; /* where the last insertion went; only a hint for the next split */
	struct heads heads;
	struct es_mvcc_item *items[FANOUT];
};

struct inner {
	unsigned n;
	struct heads heads; /* at[i - 1] belongs to sep[i] */
	void *child[FANOUT];
	uint64_t live[FANOUT];
	struct es_mvcc_item *sep[FANOUT];
};

/* The bits below bit `n`. */
static uint64_t low_bits(unsigned n)
{
	return n >= 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;
}

static unsigned leaf_live(const struct leaf *leaf)
{
	return leaf->n - (unsigned)__builtin_popcountll(leaf->dead);
}

static uint64_t inner_live(const struct inner *inner)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < inner->n; i++)
		sum += inner->live[i];
	return sum;
}

void es_btree_init(struct es_btree *tree, const struct es_mem *mem)
{
	*tree = (struct es_btree){.mem = mem};
}

static size_t node_bytes(bool is_leaf)
{
	return is_leaf ? sizeof(struct leaf) : sizeof(struct inner);
}

static void *node_new(struct es_btree *tree, bool is_leaf)
{
	void *node = es_alloc(tree->mem, node_bytes(is_leaf));

	if (node != NULL)
		tree->bytes += node_bytes(is_leaf);
	return node;
}

static void node_free(struct es_btree *tree, void *node, bool is_leaf)
{
	if (node != NULL)
		tree->bytes -= node_bytes(is_leaf);
	es_free(tree->mem, node);
}

static void free_below(struct es_btree *tree, void *node, unsigned height)
{
	if (height > 1) {
		struct inner *inner = node;

		for (unsigned i = 0; i < inner->n; i++)
			free_below(tree, inner->child[i], height - 1);
	}
	node_free(tree, node, height == 1);
}

void es_btree_close(struct es_btree *tree)
{
	if (tree->root != NULL)
		free_below(tree, tree->root, tree->height);
	es_btree_init(tree, tree->mem);
}

/* ---- search --------------------------------------------------------------------------------- */

static int key_cmp(const struct es_mvcc_item *item, struct es_slice key)
{
	return es_slice_cmp(es_mvcc_item_key(item), key);
}

/* The child that holds `key`, if any does. */
static unsigned inner_search(const struct inner *inner, struct es_slice key)
{
	struct es_mvcc_item *const *seps = inner->sep + 1;
	unsigned low,
		high; /* seps before `low` are at or below `key`, those from `high` on above */
	int rc;

	if (inner->n == 1)
		return 0;
	rc = prefix_cmp(&inner->heads, seps[0], key);
	if (rc != 0)
		return rc < 0 ? 0 : inner->n - 1;
	heads_search(&inner->heads, inner->n - 1, key, &low, &high);
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (key_cmp(seps[middle], key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first place whose item is not below `key`. */
static unsigned leaf_search(const struct leaf *leaf, struct es_slice key, bool *ret_found)
{
	unsigned low, high;
	int rc;

	*ret_found = true;
	heads_search(&leaf->heads, leaf->n, key, &low, &high);
	while (low < high) {
		unsigned middle = (low + high) / 2;

		rc = key_cmp(leaf->items[middle], key);
		if (rc == 0)
			return middle;
		if (rc < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	rc = prefix_cmp(&leaf->heads, leaf->items[0], key);
	if (rc != 0)
		return rc < 0 ? 0 : leaf->n;
	return low;
}

struct es_mvcc_item *es_btree_find(const struct es_btree *tree, struct es_slice key,
				   struct es_btree_cursor *ret_cursor)
{
	struct es_btree_cursor *cursor = ret_cursor;
	void *node = tree->root;
	const struct leaf *leaf;
	struct es_btree_step *step = cursor->path;
	bool found;

	cursor->item = NULL;
	if (node == NULL)
		return NULL;
	for (unsigned level = tree->height; level > 1; level--, step++) {
		const struct inner *inner = node;

		step->node = node;
		step->index = inner_search(inner, key);
		node = inner->child[step->index];
	}
	leaf = node;
	step->node = node;
	step->index = leaf_search(leaf, key, &found);
	if (found)
		cursor->item = leaf->items[step->index];
	return cursor->item;
}

static struct es_btree_step *last_step(const struct es_btree *tree,
				       const struct es_btree_cursor *cursor)
{
	return (struct es_btree_step *)&cursor->path[tree->height - 1];
}

/* From the node at path[depth] go down to its leaf, always to the first child. */
static void down_first(const struct es_btree *tree, struct es_btree_cursor *cursor, unsigned depth)
{
	for (; depth + 1 < tree->height; depth++) {
		const struct inner *inner = cursor->path[depth].node;

		cursor->path[depth + 1] = (struct es_btree_step){
			inner->child[cursor->path[depth].index], 0};
	}
	cursor->item = ((struct leaf *)cursor->path[depth].node)->items[cursor->path[depth].index];
}

/* The leaf at the cursor is done: go to the first item of the next one. */
static void next_leaf(const struct es_btree *tree, struct es_btree_cursor *cursor)
{
	for (unsigned depth = tree->height - 1; depth-- > 0;) {
		struct es_btree_step *step = &cursor->path[depth];

		if (step->index + 1 < ((struct inner *)step->node)->n) {
			step->index++;
			down_first(tree, cursor, depth);
			return;
		}
	}
	cursor->item = NULL;
}

static void settle(const struct es_btree *tree, struct es_btree_cursor *cursor)
{
	const struct es_btree_step *step = last_step(tree, cursor);
	const struct leaf *leaf = step->node;

	if (step->index < leaf->n)
		cursor->item = leaf->items[step->index];
	else
		next_leaf(tree, cursor);
}

void es_btree_seek(const struct es_btree *tree, struct es_slice key,
		   struct es_btree_cursor *ret_cursor)
{
	if (es_btree_find(tree, key, ret_cursor) == NULL && tree->root != NULL)
		settle(tree, ret_cursor);
}

void es_btree_next(const struct es_btree *tree, struct es_btree_cursor *cursor)
{
	last_step(tree, cursor)->index++;
	settle(tree, cursor);
}

/* Go to the next child with live items that is behind the cursor's leaf, and down to its first live
 * item. */
static void next_live_leaf(const struct es_btree *tree, struct es_btree_cursor *cursor)
{
	unsigned depth = tree->height - 1;
	bool going_down = false;

	cursor->item = NULL;
	while (depth > 0 || going_down) {
		struct es_btree_step *step;
		const struct inner *inner;

		if (!going_down) {
			depth--;
			cursor->path[depth].index++;
		}
		step = &cursor->path[depth];
		if (depth == tree->height - 1) {
			const struct leaf *leaf = step->node;

			step->index = (unsigned)__builtin_ctzll(~leaf->dead);
			cursor->item = leaf->items[step->index];
			return;
		}
		inner = step->node;
		while (step->index < inner->n && inner->live[step->index] == 0)
			step->index++;
		going_down = step->index < inner->n;
		if (going_down)
			cursor->path[++depth] = (struct es_btree_step){inner->child[step->index],
								       0};
	}
}

void es_btree_skip_dead(const struct es_btree *tree, struct es_btree_cursor *cursor)
{
	struct es_btree_step *step;
	const struct leaf *leaf;
	uint64_t live;

	if (cursor->item == NULL)
		return;
	step = last_step(tree, cursor);
	leaf = step->node;
	live = ~leaf->dead & low_bits(leaf->n) & ~low_bits(step->index);
	if (live != 0) {
		step->index = (unsigned)__builtin_ctzll(live);
		cursor->item = leaf->items[step->index];
	} else {
		next_live_leaf(tree, cursor);
	}
}

uint64_t es_btree_rank(const struct es_btree *tree, struct es_slice key)
{
	const void *node = tree->root;
	const struct leaf *leaf;
	uint64_t rank = 0;
	unsigned index;
	bool found;

	if (node == NULL)
		return 0;
	for (unsigned level = tree->height; level > 1; level--) {
		const struct inner *inner = node;

		index = inner_search(inner, key);
		for (unsigned i = 0; i < index; i++)
			rank += inner->live[i];
		node = inner->child[index];
	}
	leaf = node;
	index = leaf_search(leaf, key, &found);
	return rank + (uint64_t)__builtin_popcountll(~leaf->dead & low_bits(index));
}

/* ---- live counts ---------------------------------------------------------------------------- */

bool es_btree_is_live(const struct es_btree *tree, const struct es_btree_cursor *cursor)
{
	const struct es_btree_step *step = last_step(tree, cursor);

	return (((const struct leaf *)step->node)->dead >> step->index & 1) == 0;
}

void es_btree_set_live(struct es_btree *tree, const struct es_btree_cursor *cursor, bool live)
{
	const struct es_btree_step *step = last_step(tree, cursor);
	struct leaf *leaf = step->node;

	ES_ASSERT(cursor->item != NULL);
	if (es_btree_is_live(tree, cursor) == live)
		return;
	leaf->dead ^= (uint64_t)1 << step->index;
	for (const struct es_btree_step *up = cursor->path; up != step; up++) {
		if (live)
			((struct inner *)up->node)->live[up->index]++;
		else
			((struct inner *)up->node)->live[up->index]--;
	}
	if (live)
		tree->live++;
	else
		tree->live--;
}

/* ---- entries of a node ---------------------------------------------------------------------- */

static void leaf_put(struct leaf *leaf, unsigned index, struct es_mvcc_item *item)
{
	uint64_t low = leaf->dead & low_bits(index);

	memmove(leaf->items + index + 1, leaf->items + index,
		(leaf->n - index) * sizeof(leaf->items[0]));
	leaf->items[index] = item;
	leaf->dead = low | (leaf->dead ^ low) << 1;
	leaf->last_put = index;
	leaf->n++;
	heads_put(&leaf->heads, leaf->items, leaf->n, index);
}

static void leaf_take(struct leaf *leaf, unsigned index)
{
	uint64_t low = leaf->dead & low_bits(index);
	uint64_t high = leaf->dead & ~low_bits(index + 1);

	leaf->n--;
	memmove(leaf->items + index, leaf->items + index + 1,
		(leaf->n - index) * sizeof(leaf->items[0]));
	leaf->dead = low | high >> 1;
	heads_take(&leaf->heads, leaf->n, index);
}

static void inner_put(struct inner *inner, unsigned index, void *child, uint64_t live,
		      struct es_mvcc_item *sep)
{
	size_t tail = inner->n - index;

	memmove(inner->child + index + 1, inner->child + index, tail * sizeof(inner->child[0]));
	memmove(inner->live + index + 1, inner->live + index, tail * sizeof(inner->live[0]));
	memmove(inner->sep + index + 1, inner->sep + index, tail * sizeof(inner->sep[0]));
	inner->child[index] = child;
	inner->live[index] = live;
	inner->sep[index] = sep;
	inner->n++;
	if (inner->n > 1)
		heads_put(&inner->heads, inner->sep + 1, inner->n - 1, index == 0 ? 0 : index - 1);
}

static void inner_take(struct inner *inner, unsigned index)
{
	size_t tail = --inner->n - index;

	memmove(inner->child + index, inner->child + index + 1, tail * sizeof(inner->child[0]));
	memmove(inner->live + index, inner->live + index + 1, tail * sizeof(inner->live[0]));
	memmove(inner->sep + index, inner->sep + index + 1, tail * sizeof(inner->sep[0]));
	if (inner->n > 0)
		heads_take(&inner->heads, inner->n - 1, index == 0 ? 0 : index - 1);
}

/* Move the entries of `from`, from `index` on, behind those of `to`. */
static void leaf_move(struct leaf *to, struct leaf *from, unsigned index)
{
	unsigned count = from->n - index;

	memcpy(to->items + to->n, from->items + index, count * sizeof(to->items[0]));
	if (count > 0)
		to->dead |= from->dead >> index << to->n;
	to->n += count;
	from->n = index;
	from->dead &= low_bits(index);
	heads_renew(&to->heads, to->items, to->n);
	heads_renew(&from->heads, from->items, from->n);
}

static void inner_renew_heads(struct inner *inner)
{
	heads_renew(&inner->heads, inner->sep + 1, inner->n > 0 ? inner->n - 1 : 0);
}

static void inner_move(struct inner *to, struct inner *from, unsigned index)
{
	unsigned count = from->n - index;

	memcpy(to->child + to->n, from->child + index, count * sizeof(to->child[0]));
	memcpy(to->live + to->n, from->live + index, count * sizeof(to->live[0]));
	memcpy(to->sep + to->n, from->sep + index, count * sizeof(to->sep[0]));
	to->n += count;
	from->n = index;
	inner_renew_heads(to);
	inner_renew_heads(from);
}

/* ---- insertion ------------------------------------------------------------------------------ */

/* Put the item into a full leaf or the new one behind it. */
static void leaf_split_put(struct leaf *leaf, struct leaf *right, unsigned index,
			   struct es_mvcc_item *item)
{
	unsigned at = index == FANOUT || index == leaf->last_put + 1 ? index : FANOUT / 2;

	right->n = 0;
	right->dead = 0;
	leaf_move(right, leaf, at);
	if (index <= at && at < FANOUT)
		leaf_put(leaf, index, item);
	else
		leaf_put(right, index - at, item);
}

/* Likewise; returns the separator of the new node: its first item (I2). */
static struct es_mvcc_item *inner_split_put(struct inner *inner, struct inner *right,
					    unsigned index, void *child, uint64_t live,
					    struct es_mvcc_item *sep)
{
	unsigned at = index == FANOUT ? FANOUT : FANOUT / 2;

	right->n = 0;
	inner_move(right, inner, at);
	if (index < at)
		inner_put(inner, index, child, live, sep);
	else
		inner_put(right, index - at, child, live, sep);
	return right->sep[0];
}

/* Allocate what the splits of an insertion at the cursor need: spare[0] is a leaf, the rest are
 * inner nodes. */
static int reserve_nodes(struct es_btree *tree, const struct es_btree_cursor *cursor, void **spare,
			 unsigned *ret_count)
{
	unsigned need = 0, have;

	if (tree->root == NULL) {
		need = 1;
	} else if (((struct leaf *)last_step(tree, cursor)->node)->n == FANOUT) {
		need = 1;
		while (need < tree->height &&
		       ((struct inner *)cursor->path[tree->height - 1 - need].node)->n == FANOUT)
			need++;
		if (need == tree->height)
			need++; /* a new root */
	}
	ES_ASSERT(need <= ES_BTREE_HEIGHT_MAX);
	for (have = 0; have < need; have++) {
		spare[have] = node_new(tree, have == 0);
		if (spare[have] == NULL)
			goto fail;
	}
	*ret_count = need;
	return 0;
fail:
	while (have-- > 0)
		node_free(tree, spare[have], have == 0);
	return ES_ENOMEM;
}

static void grow_root(struct es_btree *tree, struct inner *root, uint64_t live_left, void *right,
		      uint64_t live_right, struct es_mvcc_item *sep)
{
	root->n = 0;
	inner_renew_heads(root);
	inner_put(root, 0, tree->root, live_left, NULL);
	inner_put(root, 1, right, live_right, sep);
	tree->root = root;
	tree->height++;
}

/* Hang the new right half of a split leaf into the nodes above it. */
static void insert_above(struct es_btree *tree, const struct es_btree_cursor *cursor, void **spare)
{
	struct leaf *left = last_step(tree, cursor)->node, *new_leaf = spare[0];
	void *right = new_leaf;
	struct es_mvcc_item *sep = new_leaf->items[0];
	uint64_t live_left = leaf_live(left), live_right = leaf_live(new_leaf);
	unsigned used = 1;

	for (unsigned depth = tree->height - 1; depth-- > 0;) {
		struct inner *inner = cursor->path[depth].node, *half;
		unsigned index = cursor->path[depth].index;

		inner->live[index] = live_left;
		if (inner->n < FANOUT) {
			inner_put(inner, index + 1, right, live_right, sep);
			while (depth-- > 0)
				((struct inner *)cursor->path[depth].node)
					->live[cursor->path[depth].index]++;
			return;
		}
		half = spare[used++];
		sep = inner_split_put(inner, half, index + 1, right, live_right, sep);
		right = half;
		live_left = inner_live(inner);
		live_right = inner_live(half);
	}
	grow_root(tree, spare[used], live_left, right, live_right, sep);
}

int es_btree_insert(struct es_btree *tree, struct es_btree_cursor *cursor,
		    struct es_mvcc_item *item)
{
	void *spare[ES_BTREE_HEIGHT_MAX];
	unsigned spares = 0;
	struct es_btree_step *step;
	int rc = reserve_nodes(tree, cursor, spare, &spares);

	if (rc < 0)
		return rc;
	tree->items++;
	tree->live++;
	if (tree->root == NULL) {
		struct leaf *leaf = spare[0];

		leaf->n = 0;
		leaf->dead = 0;
		heads_renew(&leaf->heads, NULL, 0);
		leaf_put(leaf, 0, item);
		tree->root = leaf;
		tree->height = 1;
		return 0;
	}
	step = last_step(tree, cursor);
	if (spares == 0) {
		leaf_put(step->node, step->index, item);
		for (struct es_btree_step *up = cursor->path; up != step; up++)
			((struct inner *)up->node)->live[up->index]++;
		return 0;
	}
	leaf_split_put(step->node, spare[0], step->index, item);
	insert_above(tree, cursor, spare);
	return 0;
}

/* ---- removal -------------------------------------------------------------------------------- */

/* The item at the cursor goes: if it is a separator somewhere above, name the item that follows it
 * there (I2). */
static void renew_separator(struct es_btree *tree, const struct es_btree_cursor *cursor)
{
	const struct es_btree_step *step = last_step(tree, cursor);
	const struct leaf *leaf = step->node;
	struct es_mvcc_item *next = leaf->n > 1 ? leaf->items[1] : NULL;

	if (step->index > 0)
		return;
	while (step != cursor->path) {
		struct inner *inner;

		step--;
		inner = step->node;
		if (step->index > 0) {
			if (next != NULL) {
				inner->sep[step->index] = next;
				heads_replace(&inner->heads, inner->sep + 1, inner->n - 1,
					      step->index - 1);
			}
			return;
		}
		if (next == NULL && inner->n > 1)
			next = inner->sep[1];
	}
}

static unsigned node_n(const void *node, bool is_leaf)
{
	return is_leaf ? ((const struct leaf *)node)->n : ((const struct inner *)node)->n;
}

/* Move all of child[index + 1] into child[index]. */
static void merge(struct es_btree *tree, struct inner *parent, unsigned index, bool is_leaf)
{
	void *left = parent->child[index], *right = parent->child[index + 1];

	if (is_leaf) {
		leaf_move(left, right, 0);
	} else {
		((struct inner *)right)->sep[0] = parent->sep[index + 1];
		inner_move(left, right, 0);
	}
	parent->live[index] += parent->live[index + 1];
	inner_take(parent, index + 1);
	node_free(tree, right, is_leaf);
}

static bool try_merge(struct es_btree *tree, struct inner *parent, unsigned index, bool is_leaf)
{
	if (index + 1 >= parent->n ||
	    node_n(parent->child[index], is_leaf) + node_n(parent->child[index + 1], is_leaf) >
		    MERGE_MAX)
		return false;
	merge(tree, parent, index, is_leaf);
	return true;
}

/* A node below the parent lost an entry: drop it if empty, merge it if small. Returns whether the
 * parent lost one. */
static bool shrink(struct es_btree *tree, struct inner *parent, unsigned index, bool is_leaf)
{
	void *node = parent->child[index];
	unsigned n = node_n(node, is_leaf);

	if (n == 0) {
		inner_take(parent, index);
		node_free(tree, node, is_leaf);
		return true;
	}
	if (n > MERGE_FROM)
		return false;
	if (index > 0 && try_merge(tree, parent, index - 1, is_leaf))
		return true;
	return try_merge(tree, parent, index, is_leaf);
}

static void shrink_root(struct es_btree *tree)
{
	while (tree->height > 1 && ((struct inner *)tree->root)->n == 1) {
		struct inner *old = tree->root;

		tree->root = old->child[0];
		tree->height--;
		node_free(tree, old, false);
	}
	if (node_n(tree->root, tree->height == 1) == 0) {
		ES_ASSERT(tree->items == 0);
		free_below(tree, tree->root, tree->height);
		tree->root = NULL;
		tree->height = 0;
	}
}

void es_btree_remove(struct es_btree *tree, struct es_btree_cursor *cursor)
{
	struct es_btree_step *step;

	ES_ASSERT(cursor->item != NULL);
	step = last_step(tree, cursor);
	es_btree_set_live(tree, cursor, false);
	renew_separator(tree, cursor);
	leaf_take(step->node, step->index);
	tree->items--;
	for (unsigned depth = tree->height - 1; depth-- > 0;) {
		if (!shrink(tree, cursor->path[depth].node, cursor->path[depth].index,
			    depth + 2 == tree->height))
			break;
	}
	shrink_root(tree);
	cursor->item = NULL;
}

/* ---- check ---------------------------------------------------------------------------------- */

struct walk {
	struct es_mvcc_item *first; /* of the subtree just walked */
	struct es_mvcc_item *last;  /* seen so far */
	uint64_t items;
	uint64_t bytes;
};

static uint64_t check_leaf(const struct leaf *leaf, struct walk *walk)
{
	ES_ASSERT(leaf->n > 0 && leaf->n <= FANOUT);       /* I4 */
	ES_ASSERT((leaf->dead & ~low_bits(leaf->n)) == 0); /* I3 */
	for (unsigned i = 0; i < leaf->n; i++) {
		struct es_mvcc_item *item = leaf->items[i];

		ES_ASSERT(walk->last == NULL ||
			  key_cmp(walk->last, es_mvcc_item_key(item)) < 0); /* I1 */
		walk->last = item;
		walk->items++;
	}
	heads_check(&leaf->heads, leaf->items, leaf->n);
	walk->first = leaf->items[0];
	return leaf_live(leaf);
}

static uint64_t check_node(const void *node, unsigned height, struct walk *walk)
{
	const struct inner *inner = node;
	struct es_mvcc_item *first = NULL;
	uint64_t live = 0;

	walk->bytes += node_bytes(height == 1);
	if (height == 1)
		return check_leaf(node, walk);
	ES_ASSERT(inner->n > 0 && inner->n <= FANOUT); /* I4 */
	for (unsigned i = 0; i < inner->n; i++) {
		uint64_t below = check_node(inner->child[i], height - 1, walk);

		ES_ASSERT(below == inner->live[i]);                /* I3 */
		ES_ASSERT(i == 0 || inner->sep[i] == walk->first); /* I2 */
		if (i == 0)
			first = walk->first;
		live += below;
	}
	heads_check(&inner->heads, inner->sep + 1, inner->n - 1);
	walk->first = first;
	return live;
}

void es_btree_check(const struct es_btree *tree)
{
	struct walk walk = {NULL, NULL, 0, 0};
	uint64_t live = 0;

	if (tree->root != NULL) {
		ES_ASSERT(tree->height == 1 || ((const struct inner *)tree->root)->n > 1); /* I4 */
		live = check_node(tree->root, tree->height, &walk);
	}
	ES_ASSERT(walk.items == tree->items);
	ES_ASSERT(live == tree->live);
	ES_ASSERT(walk.bytes == tree->bytes);
}
