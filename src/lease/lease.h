#ifndef ES_LEASE_LEASE_H
#define ES_LEASE_LEASE_H

#include "base/mem.h"
#include "base/status.h"

/*
 * Leases: which exist, with which TTL, which keys hang on them (replicated state: a function of the log), and, on the
 * member that leads, when each is due (local: not in the log; time comes in as an argument). Pure, one thread.
 */
struct es_lease_table;

#define ES_LEASE_TTL_MAX_S INT64_C(9000000000)

struct es_lease_info {
	int64_t id;
	int64_t ttl_s;   /* granted */
	uint64_t due_ms; /* on the clock of the `now_ms` arguments; UINT64_MAX while not leading */
	size_t key_count;
	bool revoking; /* a revoke began: no key may be attached any more, and it counts as gone for puts */
};

/* `hash_key` seeds the hash tables. ES_ENOMEM. */
int es_lease_table_new(const struct es_mem *mem, const uint64_t hash_key[2],
		       struct es_lease_table **ret_table);
/* NULL is allowed. */
void es_lease_table_free(struct es_lease_table *table);

/* Replicated part: same calls in the same order on every member. ------------------------------------------------ */

/* While leading, it is due at now_ms + ttl. `ttl_s` is above 0 (asserted: the caller raised it to the shortest there
 * is). ES_ELEASE_EXIST; ES_ELEASE_NOT_FOUND for the id 0, which means "no lease";
 * ES_ELEASE_TTL_TOO_LARGE; ES_ENOMEM. */
int es_lease_grant(struct es_lease_table *table, int64_t id, int64_t ttl_s, uint64_t now_ms);
/* Exists and is not being revoked. */
bool es_lease_exists(const struct es_lease_table *table, int64_t id);
/* `key` now hangs on lease `id` (which exists) and on no other; id 0 detaches it from whichever. The key is copied.
 * ES_ENOMEM leaves things as they were. Attaching to a lease that is missing or revoking is ES_ELEASE_NOT_FOUND. */
int es_lease_attach(struct es_lease_table *table, struct es_slice key, int64_t id);
/*
 * Revoke by slices: marks the lease as revoking and returns up to `max` of its keys in byte order (slices into the
 * table, the array in `arena`), the first ones. The caller deletes them from the key space and calls
 * es_lease_attach(key, 0) for each, in that order; when no key is left, es_lease_remove. ES_ELEASE_NOT_FOUND.
 *
 * Ordering the keys costs O(k log k) once, not once a slice (another order of detaching makes the next slice order them
 * again). A `max` of 0 only marks the lease, as a restore does once its keys are attached. ES_ENOMEM marks nothing.
 */
int es_lease_revoke_slice(struct es_lease_table *table, int64_t id, size_t max,
			  struct es_arena *arena, struct es_slice **ret_keys, size_t *ret_count);
/* The lease has no keys any more (asserted). ES_ELEASE_NOT_FOUND. */
int es_lease_remove(struct es_lease_table *table, int64_t id);

/* Local part. ---------------------------------------------------------------------------------------------------- */

/* Leadership: promoting gives every lease its full TTL from now_ms plus `extend_ms`; demoting forgets the due times. A
 * new table does not lead. A lease that was revoking already is never due again: whoever leads next finds it with
 * es_lease_list and goes on with it. */
void es_lease_promote(struct es_lease_table *table, uint64_t now_ms, uint64_t extend_ms);
void es_lease_demote(struct es_lease_table *table);
/* Keep alive: due at now_ms + ttl again; *ret_ttl_s is the granted TTL. ES_ELEASE_NOT_FOUND when missing, revoking or
 * already due at now_ms; ES_ENOT_LEADER. */
int es_lease_renew(struct es_lease_table *table, int64_t id, uint64_t now_ms, int64_t *ret_ttl_s);
/* Up to `max` ids that are due and not yet revoking, earliest first; O(log n) each. They are not due again until
 * `now_ms + retry_ms` (the proposal to revoke them may be lost). Returns the count. */
size_t es_lease_due(struct es_lease_table *table, uint64_t now_ms, uint64_t retry_ms,
		    int64_t *ret_ids, size_t max);
/* When es_lease_due would next return something; UINT64_MAX: never. O(1). */
uint64_t es_lease_next_due_ms(const struct es_lease_table *table);

/* Reading. --------------------------------------------------------------------------------------------------------- */

int es_lease_get(const struct es_lease_table *table, int64_t id, struct es_lease_info *ret_info);
/* The keys in byte order, slices into the table, the array in `arena`. */
int es_lease_keys(struct es_lease_table *table, int64_t id, struct es_arena *arena,
		  struct es_slice **ret_keys, size_t *ret_count);
size_t es_lease_count(const struct es_lease_table *table);
/* What leases and their keys take, bookkeeping included, the allocator's own not. 0 when there is no lease. O(1). */
uint64_t es_lease_bytes(const struct es_lease_table *table);
/* All leases: soonest due first while leading, else by id; array in `arena`. */
int es_lease_list(const struct es_lease_table *table, struct es_arena *arena,
		  struct es_lease_info **ret_list, size_t *ret_count);

#endif
