#ifndef ES_MVCC_HEADS_H
#define ES_MVCC_HEADS_H

#include "mvcc/btree.h"

/*
 * Two bytes of each key of a node. Comparing with a key means fetching its item from memory, which
 * costs more than all else in a search. So nodes keep heads, taken behind what all keys of the node
 * have in common: they narrow a search down to the few keys with the same head, mostly one or none.
 * A leaf does not even look at the common prefix unless the key is not there.
 *
 * Invariant: all keys begin with the same prefix_len bytes, and at[] has the two bytes behind.
 * Internal to the tree; in a header so that its searches are inlined.
 */
struct heads {
	uint32_t prefix_len;
	uint16_t at[ES_BTREE_FANOUT]; /* UINT16_MAX where there is no key */
};

static inline uint16_t head_of(struct es_slice key, size_t prefix_len)
{
	unsigned head = 0;

	if (key.len > prefix_len)
		head = (unsigned)key.data[prefix_len] << 8;
	if (key.len > prefix_len + 1)
		head |= key.data[prefix_len + 1];
	return (uint16_t)head;
}

static inline uint32_t common_len(const struct es_mvcc_item *a, const struct es_mvcc_item *b)
{
	uint32_t max = a->key_len < b->key_len ? a->key_len : b->key_len, len = 0;

	while (len < max && a->key[len] == b->key[len])
		len++;
	return len;
}

/* Compute all anew for these keys, which ascend: what the outer two have in common, all have. */
static inline void heads_renew(struct heads *heads, struct es_mvcc_item *const *items, unsigned n)
{
	heads->prefix_len = n == 0 ? 0 : common_len(items[0], items[n - 1]);
	for (unsigned i = 0; i < ES_BTREE_FANOUT; i++)
		heads->at[i] = i < n ? head_of(es_mvcc_item_key(items[i]), heads->prefix_len)
				     : UINT16_MAX;
}

/* items[index] is another one than before. */
static inline void heads_replace(struct heads *heads, struct es_mvcc_item *const *items, unsigned n,
				 unsigned index)
{
	/* While few keys are there the prefix may still be found longer. */
	if (n < ES_BTREE_FANOUT / 8 ||
	    common_len(items[index], items[index == 0]) < heads->prefix_len)
		heads_renew(heads, items, n);
	else
		heads->at[index] = head_of(es_mvcc_item_key(items[index]), heads->prefix_len);
}

/* items[index] is new: there were n - 1 before. */
static inline void heads_put(struct heads *heads, struct es_mvcc_item *const *items, unsigned n,
			     unsigned index)
{
	memmove(heads->at + index + 1, heads->at + index, (n - 1 - index) * sizeof(heads->at[0]));
	heads_replace(heads, items, n, index);
}

/* The key at `index` went: n are left. */
static inline void heads_take(struct heads *heads, unsigned n, unsigned index)
{
	memmove(heads->at + index, heads->at + index + 1, (n - index) * sizeof(heads->at[0]));
	heads->at[n] = UINT16_MAX;
}

/* The keys with the same head as `key`: those before *ret_low are below it, those from *ret_high on
 * above, provided that `key` begins with the prefix. */
static inline void heads_search(const struct heads *heads, unsigned n, struct es_slice key,
				unsigned *ret_low, unsigned *ret_high)
{
	uint16_t head = head_of(key, heads->prefix_len);
	uint16_t low = 0, same = 0;

	/* Over the whole array and without branches, so that the compiler takes vectors. */
	for (unsigned i = 0; i < ES_BTREE_FANOUT; i++) {
		low = (uint16_t)(low + (heads->at[i] < head));
		same = (uint16_t)(same + (heads->at[i] == head));
	}
	*ret_low = low;
	*ret_high = low + same < (int)n ? (unsigned)(low + same) : n;
}

/* Is `key` below (< 0) or above (> 0) all keys that begin as this one of the node, or does it too?
 */
static inline int prefix_cmp(const struct heads *heads, const struct es_mvcc_item *item,
			     struct es_slice key)
{
	size_t len = key.len < heads->prefix_len ? key.len : heads->prefix_len;
	int rc = len == 0 ? 0 : memcmp(key.data, item->key, len);

	if (rc != 0)
		return rc;
	return key.len < heads->prefix_len ? -1 : 0;
}

static inline void heads_check(const struct heads *heads, struct es_mvcc_item *const *items,
			       unsigned n)
{
	for (unsigned i = 0; i < ES_BTREE_FANOUT; i++) {
		uint16_t want = UINT16_MAX;

		if (i < n) {
			ES_ASSERT(common_len(items[0], items[i]) >= heads->prefix_len);
			want = head_of(es_mvcc_item_key(items[i]), heads->prefix_len);
		}
		ES_ASSERT(heads->at[i] == want);
	}
}

#endif
