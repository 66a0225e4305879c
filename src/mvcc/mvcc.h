#ifndef ES_MVCC_MVCC_H
#define ES_MVCC_MVCC_H

#include "base/mem.h"
#include "base/status.h"

/*
 * The key space: every version of every key, in memory, ordered by key and by revision.
 *
 * A revision is (main, sub): `main` counts committed transactions, the empty store is at 1 and the
 * first write makes 2; `sub` counts the writes of one transaction from 0. The store is a pure
 * function of the calls made on it: no clock, no randomness, no I/O, no locks. One thread.
 *
 * Semantics are etcd 3.7's. Codes of this module: ES_ENOMEM (state as before unless the function
 * says otherwise), ES_ECOMPACTED, ES_EFUTURE_REV, ES_EKEY_NOT_FOUND, ES_EINVALID_SORT,
 * ES_ELEASE_NOT_FOUND, ES_ETOO_LARGE (a key or value of 2 GiB or more), ES_ECORRUPT (restore only).
 */
struct es_mvcc;

int es_mvcc_new(const struct es_mem *mem, struct es_mvcc **ret_store);
/* NULL is allowed. No range result or pin may be alive. */
void es_mvcc_free(struct es_mvcc *store);

/* Make the first write of an untouched store (asserted) revision + 1 instead of 2: logs of commands that are replayed
 * count from 1. */
void es_mvcc_count_from(struct es_mvcc *store, int64_t revision);

/* The newest revision (main). */
int64_t es_mvcc_revision(const struct es_mvcc *store);
/* The compacted revision. Reads below it fail, reads at it work. -1: never compacted, as etcd has
 * it and tells it in HashKV; a first compaction at 0 is accepted and makes it 0. */
int64_t es_mvcc_compacted(const struct es_mvcc *store);
/* Bytes of keys, values and our bookkeeping, the allocator's own not counted: all of it, and the
 * part that a compaction at the newest revision would keep (tombstones left out). Never 0. Cost:
 * O(1). */
uint64_t es_mvcc_bytes(const struct es_mvcc *store);
uint64_t es_mvcc_bytes_live(const struct es_mvcc *store);
/* Live keys, and versions held (tombstones included). */
uint64_t es_mvcc_keys(const struct es_mvcc *store);
uint64_t es_mvcc_versions(const struct es_mvcc *store);

/* ---- versions ------------------------------------------------------------------------------- */

/* One version of a key. A tombstone has only key and revisions (as etcd's delete events); the rest
 * is 0. The slices point into the store and last as long as the version: writes never move or free
 * one, only es_mvcc_compact_step does, and not one that a reader at a pinned revision or above can
 * see. So a range result read at revision R stays valid while a pin at or below R is held. */
struct es_mvcc_kv {
	struct es_slice key;
	struct es_slice value;
	int64_t create_revision;
	int64_t mod_revision;
	int64_t sub_revision;
	int64_t version; /* 0: a tombstone */
	int64_t lease;
};

struct es_mvcc_version; /* opaque; lifetime as its slices above */

void es_mvcc_version_kv(const struct es_mvcc_version *version, struct es_mvcc_kv *ret_kv);

/* ---- ranges --------------------------------------------------------------------------------- */

/*
 * A key range as etcd writes it: `end` empty is the single key; `end` = one zero byte is everything
 * from `key` on; otherwise [key, end), empty when end <= key.
 */
struct es_mvcc_range {
	struct es_slice key;
	struct es_slice end;
};

bool es_mvcc_range_contains(struct es_mvcc_range range, struct es_slice key);

enum es_mvcc_sort_order { ES_MVCC_SORT_NONE, ES_MVCC_SORT_ASCEND, ES_MVCC_SORT_DESCEND };
enum es_mvcc_sort_target {
	ES_MVCC_SORT_KEY,
	ES_MVCC_SORT_VERSION,
	ES_MVCC_SORT_CREATE,
	ES_MVCC_SORT_MOD,
	ES_MVCC_SORT_VALUE,
};

/* etcd's RangeRequest; bounds of 0 are unset, a limit of 0 or below is none. Orders and targets are
 * checked: any other number is ES_EINVALID_SORT. Sorts are stable with key order beneath (etcd's
 * order among equals is by chance from 13 keys on). As in etcd, a target other than KEY without an
 * order sorts ascending, but only the first limit + 1 keys. */
struct es_mvcc_range_req {
	struct es_mvcc_range range;
	int64_t limit;
	int64_t revision; /* <= 0: the newest */
	int32_t sort_order;
	int32_t sort_target;
	bool keys_only; /* passed through to the encoder; the store never touches values for it */
	bool count_only;
	bool no_count; /* whoever reads in parts: at an older revision a count may cost as much as the rest */
	int64_t min_mod_revision, max_mod_revision, min_create_revision, max_create_revision;
};

struct es_mvcc_range_res {
	int64_t count;  /* keys in the range before bounds and limit; 0 with `no_count` */
	bool more;      /* the limit cut something off */
	bool keys_only; /* copied from the request */
	size_t n;
	/* Allocated from the arena given; 8 bytes a key is all it costs. */
	const struct es_mvcc_version **versions;
};

/*
 * Read at the request's revision. Cost: O(log n + answer) for key order, the count at the newest revision included
 * (at an older one: the rest of the range, or what changed since, whichever is less); a sort or
 * bound looks at the whole range, and with a limit of 1 sorts nothing. `arena` backs
 * ret_res->versions. ES_ECOMPACTED, ES_EFUTURE_REV, ES_EINVALID_SORT, ES_ENOMEM.
 */
int es_mvcc_range(const struct es_mvcc *store, const struct es_mvcc_range_req *req,
		  struct es_arena *arena, struct es_mvcc_range_res *ret_res);

/* The newest live version of a key, or NULL. */
const struct es_mvcc_version *es_mvcc_get(const struct es_mvcc *store, struct es_slice key);

/* ---- transactions --------------------------------------------------------------------------- */

enum es_mvcc_compare_target {
	ES_MVCC_COMPARE_VERSION,
	ES_MVCC_COMPARE_CREATE,
	ES_MVCC_COMPARE_MOD,
	ES_MVCC_COMPARE_VALUE,
	ES_MVCC_COMPARE_LEASE,
};
enum es_mvcc_compare_result {
	ES_MVCC_COMPARE_EQUAL,
	ES_MVCC_COMPARE_GREATER,
	ES_MVCC_COMPARE_LESS,
	ES_MVCC_COMPARE_NOT_EQUAL,
};

struct es_mvcc_compare {
	struct es_mvcc_range range;
	int32_t target;        /* unknown: everything is equal */
	int32_t result;        /* unknown: holds (but for the value of a missing key) */
	int64_t number;        /* all targets but VALUE */
	struct es_slice value; /* VALUE */
};

struct es_mvcc_put {
	struct es_slice key;
	struct es_slice value;
	int64_t lease;
	bool prev_kv;
	bool ignore_value;
	bool ignore_lease;
};

struct es_mvcc_delete {
	struct es_mvcc_range range;
	bool prev_kv;
};

struct es_mvcc_txn;

struct es_mvcc_op {
	enum es_mvcc_op_kind {
		ES_MVCC_OP_RANGE,
		ES_MVCC_OP_PUT,
		ES_MVCC_OP_DELETE,
		ES_MVCC_OP_TXN
	} kind;
	union {
		struct es_mvcc_range_req range;
		struct es_mvcc_put put;
		struct es_mvcc_delete del;
		const struct es_mvcc_txn *txn;
	} u;
};

/* A plain put or delete is a transaction of one operation and no compare. A plain range is
 * es_mvcc_range: the two differ at negative revisions, which mean the newest, but in a transaction
 * are ES_ECOMPACTED after a compaction. */
struct es_mvcc_txn {
	size_t compare_count;
	const struct es_mvcc_compare *compares;
	size_t success_count;
	const struct es_mvcc_op *success;
	size_t failure_count;
	const struct es_mvcc_op *failure;
};

struct es_mvcc_txn_res;

struct es_mvcc_op_res {
	enum es_mvcc_op_kind kind;
	/* The header revision etcd puts into this inner response; 0 for a nested transaction. */
	int64_t revision;
	union {
		struct es_mvcc_range_res range;
		struct {
			const struct es_mvcc_version *prev; /* NULL: none, or not asked for */
		} put;
		struct {
			int64_t deleted;
			size_t prev_count; /* 0 unless asked for */
			const struct es_mvcc_version **prevs;
		} del;
		const struct es_mvcc_txn_res *txn;
	} u;
};

struct es_mvcc_txn_res {
	bool succeeded;
	int64_t revision; /* 0 inside a nested transaction, as etcd has it */
	size_t n;
	const struct es_mvcc_op_res *ops; /* in the order of the branch taken */
};

/* A change made by an applied transaction, in the order of sub revisions. */
struct es_mvcc_event {
	const struct es_mvcc_version *version; /* a tombstone for a delete */
	const struct es_mvcc_version *prev;    /* the live version before it, or NULL */
};

/* What the store asks its owner during a transaction. */
struct es_mvcc_txn_env {
	bool (*lease_exists)(void *ctx, int64_t lease);
	void *ctx;
};

/*
 * Could this transaction write anything (judged without state)? One that could not may be served as
 * a read.
 */
bool es_mvcc_txn_may_write(const struct es_mvcc_txn *txn);

/*
 * Evaluate and apply: all compares, nested ones included, are judged against the state before; then
 * everything that can refuse the taken branches is checked (range revisions, ignore_* on missing
 * keys, leases); only then is anything changed. A refusal changes nothing. When at least one write
 * happened, the store is one main revision further.
 *
 * Refusals come in the order of the operations: ES_EINVALID_SORT, ES_EFUTURE_REV, ES_ECOMPACTED for
 * a range; ES_ETOO_LARGE, ES_ELEASE_NOT_FOUND, ES_EKEY_NOT_FOUND for a put. Recursion is as deep as
 * the transaction: the caller bounds that (max-txn-ops does). Keys and values are copied. `env`
 * NULL: every lease exists.
 *
 * `arena` backs the result. `ret_events`/`ret_event_count` (arena as well) list the changes.
 * Versions in results and events live as es_mvcc_kv says.
 *
 * ES_ENOMEM may leave the transaction half applied: only es_mvcc_free may follow (the owner stops
 * the member).
 */
int es_mvcc_txn_apply(struct es_mvcc *store, const struct es_mvcc_txn *txn,
		      const struct es_mvcc_txn_env *env, struct es_arena *arena,
		      const struct es_mvcc_txn_res **ret_res,
		      const struct es_mvcc_event **ret_events, size_t *ret_event_count);

/* ---- compaction and pins -------------------------------------------------------------------- */

/*
 * Compact logically at `revision`: from now on reads below it fail. ES_ECOMPACTED when it is at or
 * below the compacted revision, ES_EFUTURE_REV when above the newest. Frees nothing yet. As in
 * etcd, the first compaction may be at 0, and one below 0 is ES_ECOMPACTED.
 */
int es_mvcc_compact(struct es_mvcc *store, int64_t revision);

/* Free versions that no reader at or above the compacted revision, nor any pin, can see, looking at
 * about `budget` log entries. Returns true while there is more to do. Cost over all calls:
 * proportional to the changes since the last compaction. What is freed when never shows: no answer
 * of this module but es_mvcc_bytes, es_mvcc_versions, and es_mvcc_history below the compacted
 * revision, depends on it. */
bool es_mvcc_compact_step(struct es_mvcc *store, size_t budget);

/*
 * A pin keeps what a reader at `revision` sees (and every newer version) in memory while compaction
 * goes on above it: it holds back es_mvcc_compact_step, not es_mvcc_compact. A pin below what is
 * freed already keeps all that is left (one at 0 stops all freeing). The caller embeds the struct;
 * pinning and unpinning are O(1).
 */
struct es_mvcc_pin {
	struct es_mvcc_pin *next, *prev;
	int64_t revision;
};

void es_mvcc_pin(struct es_mvcc *store, int64_t revision, struct es_mvcc_pin *pin);
void es_mvcc_unpin(struct es_mvcc *store, struct es_mvcc_pin *pin);

/* ---- history: the revision log -------------------------------------------------------------- */

/*
 * A position in the revision log. `next` is the next (main, sub) to look at: plain numbers, so a
 * position stays meaningful across changes, compaction included.
 */
struct es_mvcc_cursor {
	int64_t main;
	int64_t sub;
};

/*
 * Up to `max` versions in revision order from the cursor on, at most up to main revision `last`
 * inclusive; moves the cursor behind them. A main revision may be split between two calls. For
 * each, ret_events[i].prev is the version before it of the same key when that is live (not a
 * tombstone) and not compacted away: NULL at and below the compacted revision. Returns how many
 * were written (0: the end). O(log n + returned).
 *
 * Below the compacted revision C it shows what happens to be held still, possibly without the
 * tombstones that ended it. To take a copy in slices while compaction goes on: pin C, walk from {0,
 * 0} to the newest revision of the start, and take only what survives C (es_mvcc_survives; nothing
 * of that is freed meanwhile); or pin 0 and take everything.
 */
size_t es_mvcc_history(const struct es_mvcc *store, struct es_mvcc_cursor *cursor, int64_t last,
		       struct es_mvcc_event *ret_events, size_t max);

/*
 * Would a compaction at `revision` keep this version? All above it; else the newest of its key at
 * `revision`, unless that is a tombstone from before it. `revision` is at or above the compacted
 * one or a pin. Costs a step for each newer version of the key.
 */
bool es_mvcc_survives(const struct es_mvcc_version *version, int64_t revision);

/* ---- hash and restore ----------------------------------------------------------------------- */

/*
 * Is this version part of etcd's HashKV at `revision`? `compacted` is the compacted revision when
 * the hash began, a pin at which is held meanwhile; revision lies between it and the newest (the
 * caller checked). Versions above `revision` are not; at or below `compacted` only those that a
 * reader at `revision` sees.
 */
bool es_mvcc_hash_includes(struct es_mvcc *store, const struct es_mvcc_version *version,
			   int64_t revision, int64_t compacted);

/*
 * Rebuild from a checkpoint: append one version (kv->version 0: a tombstone) to a new store.
 * Revisions must come in strictly ascending (main, sub) order: ES_ECORRUPT otherwise, and for
 * numbers that no store could have made, as they come from a file. es_mvcc_restore_end sets the two
 * revisions (newest, compacted or -1) when all are in; ES_ECORRUPT when they do not fit. Between
 * the first restore and the end only these two and es_mvcc_free may be called. Versions that the
 * compaction would have freed may be among them: es_mvcc_compact_step frees them again.
 */
int es_mvcc_restore(struct es_mvcc *store, const struct es_mvcc_kv *kv);
int es_mvcc_restore_end(struct es_mvcc *store, int64_t revision, int64_t compacted);

/* Walks everything and asserts the invariants written at the top of store.c; for tests and fuzzers.
 */
void es_mvcc_check(const struct es_mvcc *store);

#endif
