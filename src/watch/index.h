#ifndef ES_WATCH_INDEX_H
#define ES_WATCH_INDEX_H

#include "base/queue.h"
#include "base/table.h"
#include "mvcc/mvcc.h"

/*
 * Which watchers does a key concern? Watchers of the same range share a group; groups of a single key are found by
 * hash, groups of a range in an interval tree. Finding the groups of a key costs O(log n + groups found). Private to
 * this module.
 */
struct es_watch_group {
	struct es_mvcc_range range; /* slices into `bytes` */
	struct es_queue live;       /* the hub's: watchers that get events as they happen */
	size_t users;               /* es_watch_index_enter less es_watch_index_leave */
	struct es_table_node node;  /* a single key */
	struct es_watch_group *left, *right; /* a range: its place in the tree */
	const struct es_watch_group
		*furthest; /* in the subtree below and with this one: that whose range ends last */
	uint64_t priority;
	uint8_t bytes[];
};

struct es_watch_index {
	const struct es_mem *mem;
	uint64_t hash_key[2];
	struct es_table singles;
	struct es_watch_group *root;
};

/* ES_ENOMEM; es_watch_index_close may be called all the same. */
int es_watch_index_init(struct es_watch_index *index, const struct es_mem *mem,
			const uint64_t hash_key[2]);
/* All groups were left (asserted). */
void es_watch_index_close(struct es_watch_index *index);
/* The group of this range, made if there is none yet; the range is copied. ES_ENOMEM. */
int es_watch_index_enter(struct es_watch_index *index, struct es_mvcc_range range,
			 struct es_watch_group **ret_group);
/* Frees the group with its last user. */
void es_watch_index_leave(struct es_watch_index *index, struct es_watch_group *group);
/* Calls `visit` for each group whose range has `key` in it, in no order that means anything. `visit` changes nothing
 * about the index. */
void es_watch_index_match(const struct es_watch_index *index, struct es_slice key,
			  void (*visit)(void *ctx, struct es_watch_group *group), void *ctx);

#endif
