#include "lease/lease.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/table.h"

/*
 * Leases and their keys. A key is one allocation that stands in the table of keys and, by position, in the array of
 * its lease, so that attaching and detaching cost O(1) however many keys a lease has. The array is put in order only
 * when somebody wants it so, and then downwards: the keys that a revocation deletes first are the last ones, and taking
 * them away in that order leaves the rest as it was.
 *
 * All leases stand in one array that is a binary heap by `wake_ms`, which is when es_lease_due is to name them: the due
 * time, or later when it was named already, or never (not leading, or revoking).
 *
 * I1: key->lease->keys[key->at] == key.
 * I2: a lease with `sorted` has its keys in descending order.
 * I3: heap[lease->at] == lease, and heap[(i - 1) / 2]->wake_ms <= heap[i]->wake_ms.
 * I4: a revoking lease, and every lease while not leading, has wake_ms == UINT64_MAX.
 */
struct lease;

struct key {
	struct es_table_node node;
	struct lease *lease;
	size_t at;
	size_t len;
	uint8_t bytes[];
};

struct lease {
	struct es_table_node node;
	int64_t id;
	int64_t ttl_s;
	uint64_t due_ms;
	uint64_t wake_ms;
	size_t at;
	struct key **keys;
	size_t key_count;
	size_t key_room;
	bool sorted;
	bool revoking;
};

struct es_lease_table {
	const struct es_mem *mem;
	uint64_t hash_key[2];
	struct es_table leases;
	struct es_table keys;
	struct lease **heap; /* leases.count of them */
	size_t heap_room;
	uint64_t key_bytes; /* of all keys */
	bool leading;
};

/* Room for one more pointer behind `count`: the array, moved perhaps; NULL when memory is out. */
static void *grow(const struct es_mem *mem, void *array, size_t count, size_t *room)
{
	size_t want = *room == 0 ? 4 : 2 * *room;
	void *grown;

	if (count < *room)
		return array;
	if (want > SIZE_MAX / sizeof(void *))
		return NULL;
	grown = es_realloc(mem, array, want * sizeof(void *));
	if (grown != NULL)
		*room = want;
	return grown;
}

/* ---- the heap ----------------------------------------------------------------------------------------------- */

static void heap_set(struct es_lease_table *table, size_t at, struct lease *lease)
{
	table->heap[at] = lease;
	lease->at = at;
}

/* `lease` belongs at `at` or above. */
static void heap_up(struct es_lease_table *table, size_t at, struct lease *lease)
{
	for (; at > 0 && lease->wake_ms < table->heap[(at - 1) / 2]->wake_ms; at = (at - 1) / 2)
		heap_set(table, at, table->heap[(at - 1) / 2]);
	heap_set(table, at, lease);
}

/* `lease` belongs at `at` or below. */
static void heap_down(struct es_lease_table *table, size_t at, struct lease *lease)
{
	size_t count = table->leases.count;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < count &&
		    table->heap[child + 1]->wake_ms < table->heap[child]->wake_ms)
			child++;
		if (child >= count || lease->wake_ms <= table->heap[child]->wake_ms)
			break;
		heap_set(table, at, table->heap[child]);
		at = child;
	}
	heap_set(table, at, lease);
}

static void wake_at(struct es_lease_table *table, struct lease *lease, uint64_t wake_ms)
{
	bool earlier = wake_ms < lease->wake_ms;

	lease->wake_ms = wake_ms;
	if (earlier)
		heap_up(table, lease->at, lease);
	else
		heap_down(table, lease->at, lease);
}

static uint64_t due_after(const struct lease *lease, uint64_t now_ms)
{
	return now_ms + (uint64_t)lease->ttl_s * 1000;
}

/* ---- leases and keys ------------------------------------------------------------------------------------------ */

static uint64_t hash_id(const struct es_lease_table *table, int64_t id)
{
	return es_siphash(table->hash_key, es_slice(&id, sizeof(id)));
}

static struct lease *find_lease(const struct es_lease_table *table, int64_t id)
{
	struct es_table_node *node;

	for (node = es_table_first(&table->leases, hash_id(table, id)); node != NULL;
	     node = es_table_next(node)) {
		struct lease *lease = ES_CONTAINER_OF(node, struct lease, node);

		if (lease->id == id)
			return lease;
	}
	return NULL;
}

static struct es_slice key_slice(const struct key *key)
{
	return es_slice(key->bytes, key->len);
}

static struct key *find_key(const struct es_lease_table *table, struct es_slice bytes,
			    uint64_t hash)
{
	struct es_table_node *node;

	for (node = es_table_first(&table->keys, hash); node != NULL; node = es_table_next(node)) {
		struct key *key = ES_CONTAINER_OF(node, struct key, node);

		if (es_slice_eq(key_slice(key), bytes))
			return key;
	}
	return NULL;
}

/* There is room (grow). */
static void link_key(struct lease *lease, struct key *key)
{
	key->lease = lease;
	key->at = lease->key_count;
	lease->keys[lease->key_count++] = key;
	lease->sorted = lease->key_count == 1;
}

static void unlink_key(struct key *key)
{
	struct lease *lease = key->lease;
	struct key *last = lease->keys[--lease->key_count];

	ES_ASSERT(lease->keys[key->at] == key || last == key); /* I1 */
	if (last == key)
		return; /* I2 holds on: the way a revocation goes */
	lease->keys[key->at] = last;
	last->at = key->at;
	lease->sorted = false;
}

static int compare_descending(const void *a, const void *b)
{
	return es_slice_cmp(key_slice(*(struct key *const *)b), key_slice(*(struct key *const *)a));
}

static void sort_keys(struct lease *lease)
{
	if (lease->sorted)
		return;
	if (lease->key_count > 1)
		qsort(lease->keys, lease->key_count, sizeof(struct key *), compare_descending);
	for (size_t i = 0; i < lease->key_count; i++)
		lease->keys[i]->at = i;
	lease->sorted = true;
}

/* The first `count` keys in ascending order. */
static int list_keys(struct lease *lease, size_t count, struct es_arena *arena,
		     struct es_slice **ret_keys)
{
	struct es_slice *keys = es_arena_calloc(arena, count, sizeof(*keys));

	if (keys == NULL)
		return ES_ENOMEM;
	sort_keys(lease);
	for (size_t i = 0; i < count; i++)
		keys[i] = key_slice(lease->keys[lease->key_count - 1 - i]);
	*ret_keys = keys;
	return 0;
}

static void free_lease(struct es_lease_table *table, struct lease *lease)
{
	es_free(table->mem, lease->keys);
	es_free(table->mem, lease);
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

int es_lease_table_new(const struct es_mem *mem, const uint64_t hash_key[2],
		       struct es_lease_table **ret_table)
{
	struct es_lease_table *table = es_calloc(mem, 1, sizeof(*table));
	int rc;

	if (table == NULL)
		return ES_ENOMEM;
	table->mem = mem;
	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	rc = es_table_init(&table->leases, mem);
	if (rc < 0)
		goto fail;
	rc = es_table_init(&table->keys, mem);
	if (rc < 0)
		goto fail;
	*ret_table = table;
	return 0;
fail:
	es_lease_table_free(table);
	return rc;
}

void es_lease_table_free(struct es_lease_table *table)
{
	struct es_table_node *node;
	size_t cursor = 0;

	if (table == NULL)
		return;
	while ((node = es_table_pop(&table->keys, &cursor)) != NULL)
		es_free(table->mem, ES_CONTAINER_OF(node, struct key, node));
	cursor = 0;
	while ((node = es_table_pop(&table->leases, &cursor)) != NULL)
		free_lease(table, ES_CONTAINER_OF(node, struct lease, node));
	es_table_close(&table->keys);
	es_table_close(&table->leases);
	es_free(table->mem, table->heap);
	es_free(table->mem, table);
}

int es_lease_grant(struct es_lease_table *table, int64_t id, int64_t ttl_s, uint64_t now_ms)
{
	struct lease **heap;
	struct lease *lease;

	ES_ASSERT(ttl_s > 0);
	if (id == 0)
		return ES_ELEASE_NOT_FOUND;
	if (ttl_s > ES_LEASE_TTL_MAX_S)
		return ES_ELEASE_TTL_TOO_LARGE;
	if (find_lease(table, id) != NULL)
		return ES_ELEASE_EXIST;
	heap = grow(table->mem, table->heap, table->leases.count, &table->heap_room);
	if (heap == NULL)
		return ES_ENOMEM;
	table->heap = heap;
	lease = es_calloc(table->mem, 1, sizeof(*lease));
	if (lease == NULL)
		return ES_ENOMEM;
	lease->id = id;
	lease->ttl_s = ttl_s;
	lease->due_ms = table->leading ? due_after(lease, now_ms) : UINT64_MAX;
	lease->wake_ms = lease->due_ms;
	lease->sorted = true;
	es_table_insert(&table->leases, &lease->node, hash_id(table, id));
	heap_up(table, table->leases.count - 1, lease);
	return 0;
}

bool es_lease_exists(const struct es_lease_table *table, int64_t id)
{
	const struct lease *lease = find_lease(table, id);

	return lease != NULL && !lease->revoking;
}

static int attach_new(struct es_lease_table *table, struct lease *lease, struct es_slice bytes,
		      uint64_t hash)
{
	struct key *key;

	if (bytes.len > SIZE_MAX - sizeof(*key))
		return ES_ENOMEM;
	key = es_alloc(table->mem, sizeof(*key) + bytes.len);
	if (key == NULL)
		return ES_ENOMEM;
	key->len = bytes.len;
	if (bytes.len > 0)
		memcpy(key->bytes, bytes.data, bytes.len);
	es_table_insert(&table->keys, &key->node, hash);
	table->key_bytes += key->len;
	link_key(lease, key);
	return 0;
}

static void detach(struct es_lease_table *table, struct key *key)
{
	unlink_key(key);
	es_table_remove(&table->keys, &key->node);
	table->key_bytes -= key->len;
	es_free(table->mem, key);
}

int es_lease_attach(struct es_lease_table *table, struct es_slice bytes, int64_t id)
{
	uint64_t hash = es_siphash(table->hash_key, bytes);
	struct key *key = find_key(table, bytes, hash);
	struct lease *lease;
	struct key **keys;

	if (id == 0) {
		if (key != NULL)
			detach(table, key);
		return 0;
	}
	lease = find_lease(table, id);
	if (lease == NULL || lease->revoking)
		return ES_ELEASE_NOT_FOUND;
	if (key != NULL && key->lease == lease)
		return 0;
	keys = grow(table->mem, lease->keys, lease->key_count, &lease->key_room);
	if (keys == NULL)
		return ES_ENOMEM;
	lease->keys = keys;
	if (key == NULL)
		return attach_new(table, lease, bytes, hash);
	unlink_key(key);
	link_key(lease, key);
	return 0;
}

int es_lease_revoke_slice(struct es_lease_table *table, int64_t id, size_t max,
			  struct es_arena *arena, struct es_slice **ret_keys, size_t *ret_count)
{
	struct lease *lease = find_lease(table, id);
	size_t count;
	int rc;

	if (lease == NULL)
		return ES_ELEASE_NOT_FOUND;
	count = lease->key_count < max ? lease->key_count : max;
	rc = list_keys(lease, count, arena, ret_keys);
	if (rc < 0)
		return rc;
	lease->revoking = true;
	wake_at(table, lease, UINT64_MAX);
	*ret_count = count;
	return 0;
}

int es_lease_remove(struct es_lease_table *table, int64_t id)
{
	struct lease *lease = find_lease(table, id);
	struct lease *last;

	if (lease == NULL)
		return ES_ELEASE_NOT_FOUND;
	ES_ASSERT(lease->key_count == 0);
	last = table->heap[table->leases.count - 1];
	es_table_remove(&table->leases, &lease->node);
	if (last != lease) {
		bool earlier = last->wake_ms < lease->wake_ms;

		if (earlier)
			heap_up(table, lease->at, last);
		else
			heap_down(table, lease->at, last);
	}
	free_lease(table, lease);
	return 0;
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

void es_lease_promote(struct es_lease_table *table, uint64_t now_ms, uint64_t extend_ms)
{
	size_t count = table->leases.count;

	table->leading = true;
	for (size_t i = 0; i < count; i++) {
		struct lease *lease = table->heap[i];

		lease->due_ms = due_after(lease, now_ms) + extend_ms;
		lease->wake_ms = lease->revoking ? UINT64_MAX : lease->due_ms;
	}
	for (size_t i = count / 2; i-- > 0;)
		heap_down(table, i, table->heap[i]);
}

void es_lease_demote(struct es_lease_table *table)
{
	table->leading = false;
	for (size_t i = 0; i < table->leases.count; i++) {
		table->heap[i]->due_ms = UINT64_MAX;
		table->heap[i]->wake_ms = UINT64_MAX;
	}
}

int es_lease_renew(struct es_lease_table *table, int64_t id, uint64_t now_ms, int64_t *ret_ttl_s)
{
	struct lease *lease = find_lease(table, id);

	if (!table->leading)
		return ES_ENOT_LEADER;
	if (lease == NULL || lease->revoking || lease->due_ms <= now_ms)
		return ES_ELEASE_NOT_FOUND;
	lease->due_ms = due_after(lease, now_ms);
	wake_at(table, lease, lease->due_ms);
	*ret_ttl_s = lease->ttl_s;
	return 0;
}

size_t es_lease_due(struct es_lease_table *table, uint64_t now_ms, uint64_t retry_ms,
		    int64_t *ret_ids, size_t max)
{
	size_t count = 0;

	while (count < max && es_lease_next_due_ms(table) <= now_ms) {
		struct lease *lease = table->heap[0];

		ret_ids[count++] = lease->id;
		wake_at(table, lease, now_ms + (retry_ms > 0 ? retry_ms : 1));
	}
	return count;
}

uint64_t es_lease_next_due_ms(const struct es_lease_table *table)
{
	return table->leases.count == 0 ? UINT64_MAX : table->heap[0]->wake_ms;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static struct es_lease_info info_of(const struct lease *lease)
{
	return (struct es_lease_info){
		.id = lease->id,
		.ttl_s = lease->ttl_s,
		.due_ms = lease->due_ms,
		.key_count = lease->key_count,
		.revoking = lease->revoking,
	};
}

int es_lease_get(const struct es_lease_table *table, int64_t id, struct es_lease_info *ret_info)
{
	const struct lease *lease = find_lease(table, id);

	if (lease == NULL)
		return ES_ELEASE_NOT_FOUND;
	*ret_info = info_of(lease);
	return 0;
}

int es_lease_keys(struct es_lease_table *table, int64_t id, struct es_arena *arena,
		  struct es_slice **ret_keys, size_t *ret_count)
{
	struct lease *lease = find_lease(table, id);
	int rc;

	if (lease == NULL)
		return ES_ELEASE_NOT_FOUND;
	rc = list_keys(lease, lease->key_count, arena, ret_keys);
	if (rc < 0)
		return rc;
	*ret_count = lease->key_count;
	return 0;
}

size_t es_lease_count(const struct es_lease_table *table)
{
	return table->leases.count;
}

uint64_t es_lease_bytes(const struct es_lease_table *table)
{
	/* Each has its place in a hash table and in an array. */
	return table->leases.count * (sizeof(struct lease) + 2 * sizeof(void *)) +
	       table->keys.count * (sizeof(struct key) + 2 * sizeof(void *)) + table->key_bytes;
}

/* While not leading all due times are equal, which leaves the order by id. */
static int compare_infos(const void *a, const void *b)
{
	const struct es_lease_info *left = a;
	const struct es_lease_info *right = b;

	if (left->due_ms != right->due_ms)
		return left->due_ms < right->due_ms ? -1 : 1;
	return (left->id > right->id) - (left->id < right->id);
}

int es_lease_list(const struct es_lease_table *table, struct es_arena *arena,
		  struct es_lease_info **ret_list, size_t *ret_count)
{
	size_t count = table->leases.count;
	struct es_lease_info *list = es_arena_calloc(arena, count, sizeof(*list));

	if (list == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++)
		list[i] = info_of(table->heap[i]);
	if (count > 1)
		qsort(list, count, sizeof(*list), compare_infos);
	*ret_list = list;
	*ret_count = count;
	return 0;
}
