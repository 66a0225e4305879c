#ifndef ES_MVCC_BTREE_H
#define ES_MVCC_BTREE_H

#include "mvcc/version.h"

/*
 * The ordered, counted index of key items: a B+tree whose leaves point to the items and know which
 * of them are dead (their newest version is a tombstone), and whose inner nodes know how many live
 * items lie below each child. So counting live keys between two keys costs O(log n), and a scan
 * skips dead leaves and subtrees unseen.
 *
 * Items are borrowed: the tree reads their keys and never frees them.
 */
#define ES_BTREE_FANOUT     64
#define ES_BTREE_HEIGHT_MAX 16

struct es_btree {
	const struct es_mem *mem;
	void *root;      /* NULL: empty */
	unsigned height; /* levels, leaves included */
	uint64_t items;
	uint64_t live;
	uint64_t bytes; /* allocated for nodes */
};

/*
 * A place in the tree: the way from the root (path[0]) to a leaf. Good until the next insert or
 * removal. `item` is NULL at the end, and after es_btree_find of a key that is not there (then it
 * is the place to insert it at).
 */
struct es_btree_cursor {
	struct es_mvcc_item *item;
	struct es_btree_step {
		void *node;
		unsigned index;
	} path[ES_BTREE_HEIGHT_MAX];
};

void es_btree_init(struct es_btree *tree, const struct es_mem *mem);
/* Frees the nodes. */
void es_btree_close(struct es_btree *tree);

/* The item with this key, or NULL; the cursor is set in both cases. */
struct es_mvcc_item *es_btree_find(const struct es_btree *tree, struct es_slice key,
				   struct es_btree_cursor *ret_cursor);

/* Add a live item where es_btree_find did not find its key. ES_ENOMEM leaves the tree as it was. */
int es_btree_insert(struct es_btree *tree, struct es_btree_cursor *cursor,
		    struct es_mvcc_item *item);

/* Take out the item at the cursor. */
void es_btree_remove(struct es_btree *tree, struct es_btree_cursor *cursor);

bool es_btree_is_live(const struct es_btree *tree, const struct es_btree_cursor *cursor);
/* Set whether the item at the cursor is live. The cursor stays good. */
void es_btree_set_live(struct es_btree *tree, const struct es_btree_cursor *cursor, bool live);

/* Place the cursor at the first item, dead or alive, that is not below `key`. */
void es_btree_seek(const struct es_btree *tree, struct es_slice key,
		   struct es_btree_cursor *ret_cursor);
/* The next item. */
void es_btree_next(const struct es_btree *tree, struct es_btree_cursor *cursor);
/* Place the cursor at the first live item that is not before it; O(log n) however many dead ones
 * lie between. */
void es_btree_skip_dead(const struct es_btree *tree, struct es_btree_cursor *cursor);

/* Live items below `key`. */
uint64_t es_btree_rank(const struct es_btree *tree, struct es_slice key);

/* Asserts order, separators, counts and fill. */
void es_btree_check(const struct es_btree *tree);

#endif
