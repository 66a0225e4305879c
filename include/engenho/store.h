#ifndef ENGENHO_STORE_H
#define ENGENHO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * libengenho-store: a store of Kubernetes resources, and of raw keys with etcd's semantics, inside
 * your own process. Durable (a write is on disk before it is answered), multi-version, watchable. See
 * engenho-store(3) for a tour and examples/store.c for a program.
 *
 * Threads. A store runs a thread of its own. Every function here may be called from any thread at any time, except
 * that an object (a result, a watch, a config) is used by one thread at a time; a watch may be cancelled by any.
 * What waits for the store says so; a wait for the disk or for a leader has no bound but engenho_shutdown. All else
 * returns at once.
 *
 * Callbacks of the asynchronous functions come from engenho_dispatch, in the thread that calls it; they may do
 * anything but engenho_close. Only a store that was opened with the option callbacks=thread calls them from its own
 * thread, where they must be short: what waits for the store is refused there with ENGENHO_INVALID (allowed are the
 * asynchronous functions, engenho_get_stats, engenho_is_leader, engenho_health, engenho_shutdown, engenho_watch_next
 * with a timeout of 0, and to cancel and close watches). The `error` of a callback lives as long as the call of it.
 *
 * Ending. engenho_close frees the store, so no other thread may begin a call of it. A program whose threads wait in
 * engenho_watch_next, in engenho_dispatch or in any call says engenho_shutdown first: each of them gets
 * ENGENHO_UNAVAILABLE (engenho_dispatch -1). Then it joins the threads, closes the watches, and calls engenho_close.
 * To end one thread that waits for a watch: engenho_watch_cancel, join it, engenho_watch_close.
 *
 * Memory. What a function returns through a `ret_` parameter belongs to the caller, who frees it with the function
 * named beside it, in any thread, before or after the store is closed; pointers inside it live as long as it does.
 * NULL is allowed there. Nothing is returned on failure, unless it is said. Arguments are copied before a function
 * returns.
 *
 * Errors. Functions return 0, or an engenho_code above 0 and fill in `error` (which may be NULL). What the rules of
 * resources refuse (a conflict, a patch that does not fit) is no error but an outcome.
 *
 * What a write that failed has done:
 *
 *   nothing     ENGENHO_INVALID, ENGENHO_NOT_FOUND, ENGENHO_EXISTS, ENGENHO_COMPACTED, ENGENHO_FUTURE,
 *               ENGENHO_NO_SPACE, ENGENHO_TOO_LARGE, ENGENHO_BUSY, ENGENHO_UNSUPPORTED; and whatever an asynchronous
 *               function itself returns
 *   not known   ENGENHO_UNAVAILABLE, ENGENHO_TIMEOUT, ENGENHO_IO, ENGENHO_NO_MEMORY (of the answer, when it was done),
 *               ENGENHO_CORRUPT, ENGENHO_INTERNAL: read, or write again with `expected` or compares
 *
 * A disk that cannot be written, and memory that runs out while a write is applied, end the store, as its state could
 * not be trusted any more: all calls and watches end with ENGENHO_UNAVAILABLE and the reason as the message. Close it
 * and open it again; what was answered is there.
 *
 * fork(2). A child must not use a store of its parent, nor close it: its thread is not there. The child holds the lock
 * of the data folder until it ends or calls exec(3) (the descriptors are closed then): until then the folder cannot be
 * opened again, though the parent has closed it. Open a store after the fork, in the process that uses it.
 *
 * ABI. Symbols are versioned (ENGENHO_1). Structs that callers fill in begin with `size`, which ENGENHO_INIT sets, so
 * that members can be added at their end: those that a caller does not know are zero, and those that the library does
 * not know have to be (else ENGENHO_INVALID; engenho_get_stats zeroes them). Structs that stand in arrays have
 * `reserved` members instead, which are zero: leave them so (designated initialisers do), or it is ENGENHO_INVALID.
 * Results only grow at their end, and callers never make one.
 */
/* The version of this header; engenho_version() is that of the library. */
#define ENGENHO_VERSION_MAJOR 0
#define ENGENHO_VERSION_MINOR 1
#define ENGENHO_VERSION_PATCH 0

/* engenho_list_options options = ENGENHO_INIT(engenho_list_options); */
#ifdef __cplusplus
template <typename T> inline T engenho_init()
{
	T zeroed = T();
	zeroed.size = sizeof(T);
	return zeroed;
}
#define ENGENHO_INIT(type) engenho_init<type>()
extern "C" {
#else
#define ENGENHO_INIT(type) ((type){.size = sizeof(type)})
#endif

#if defined(__GNUC__)
#define ENGENHO_API __attribute__((visibility("default")))
#else
#define ENGENHO_API
#endif

typedef struct engenho_store engenho_store;
typedef struct engenho_config engenho_config;

/* Bytes of somebody else's, any bytes. */
typedef struct engenho_bytes {
	const void *data; /* may be NULL when len is 0 */
	size_t len;
} engenho_bytes;

/* ---- errors ---------------------------------------------------------------------------------- */

/* Stable numbers; the kind strings are stable too. */
typedef enum engenho_code {
	ENGENHO_OK = 0,
	ENGENHO_INVALID = 1,      /* "invalid": an argument; nothing was done */
	ENGENHO_NOT_FOUND = 2,    /* "not_found": a resource, a lease */
	ENGENHO_EXISTS = 3,       /* "exists": a lease of that id; what an import would delete */
	ENGENHO_COMPACTED = 4,    /* "compacted": too old a version; list again */
	ENGENHO_FUTURE = 5,       /* "future": too large a version, even after waiting */
	ENGENHO_TIMEOUT = 6,      /* "timeout": what was waited for did not come in time */
	ENGENHO_UNAVAILABLE = 7,  /* "unavailable": no leader, or the store is closing, or has failed */
	ENGENHO_NO_SPACE = 8,     /* "no_space": the quota or the disk; reads and deletes work */
	ENGENHO_TOO_LARGE = 9,    /* "too_large": a request */
	ENGENHO_NO_MEMORY = 10,   /* "no_memory" */
	ENGENHO_IO = 11,          /* "io" */
	ENGENHO_CORRUPT = 12,     /* "corrupt": data on disk is not what was written */
	ENGENHO_LOCKED = 13,      /* "locked": the data folder is another process's */
	ENGENHO_UNSUPPORTED = 14, /* "unsupported" */
	ENGENHO_CATALOG =
		15,       /* "truncated", "bad_magic", "hash_mismatch", "decode": a catalog file;
				    * "encode": a value that cannot be in one */
	ENGENHO_END = 16, /* "end": of a watch that was cancelled */
	ENGENHO_INTERNAL = 17, /* "internal": a mistake of ours */
	ENGENHO_BUSY = 18,     /* "busy": too much is under way; nothing was done, try again later */
} engenho_code;

typedef struct engenho_error {
	engenho_code code;
	const char *kind;  /* static */
	char message[512]; /* for people: what and where */
	void *reserved[4];
} engenho_error;

/* The kind string of a code; static. */
ENGENHO_API const char *engenho_code_kind(engenho_code code);
/* "0.1.0", static: of the library that runs, not of this header. */
ENGENHO_API const char *engenho_version(void);

/* ---- opening --------------------------------------------------------------------------------- */

/* NULL when there is no memory. */
ENGENHO_API engenho_config *engenho_config_new(void);
ENGENHO_API void engenho_config_free(engenho_config *config);

/*
 * Set an option: those of the daemon, by the names of its flags without dashes ("data-dir", "name",
 * "initial-cluster", "heartbeat-interval", "quota-backend-bytes", "auto-compaction-retention", "max-
 * request-bytes", "unsafe-no-fsync", "log-level", "log-outputs" ...; engenho-store --help), and
 *
 *   callbacks      "dispatch" (the default) or "thread"
 *
 * Without "data-dir" the folder is default.engenho below the working directory, as for the daemon; log
 * lines go nowhere unless "log-outputs" is set. Flags about listening are refused: a store in a
 * process listens on nothing. ENGENHO_INVALID: no such option or a value that it does not take.
 */
ENGENHO_API engenho_code engenho_config_set(engenho_config *config, const char *name,
					    const char *value, engenho_error *error);

/*
 * Open the store, and return when it has loaded its data and leads: all that was ever answered can be read, and writes
 * work. Takes as long as that takes. A new folder becomes the single member of its own cluster; an "initial-cluster" of
 * several members is ENGENHO_UNSUPPORTED in this version. The config is copied. ENGENHO_LOCKED, ENGENHO_CORRUPT,
 * ENGENHO_IO, ENGENHO_NO_SPACE, ENGENHO_INVALID, ENGENHO_NO_MEMORY.
 */
ENGENHO_API engenho_code engenho_open(const engenho_config *config, engenho_store **ret_store,
				      engenho_error *error);

/*
 * End it, and free nothing: from now on calls are refused with ENGENHO_UNAVAILABLE, as is what waits; a write that was
 * under way may have happened. Callbacks that are due are dispatched as ever. Returns at once, from any thread, in
 * callbacks too; again: nothing happens.
 */
ENGENHO_API void engenho_shutdown(engenho_store *store);

/*
 * Shut it down and free it, NULL being nothing. Calls under way end, those that are not done with ENGENHO_UNAVAILABLE,
 * and their callbacks are called before this returns: in this thread, or in the store's with callbacks=thread. No call
 * may begin any more, but of watches and results: a watch that is open ends with ENGENHO_UNAVAILABLE, and is closed as
 * ever, before or after. Never from a callback of the same store: that is a mistake which ends the process (abort(3)).
 */
ENGENHO_API void engenho_close(engenho_store *store);

/*
 * For stores with callbacks=dispatch: call what is due, waiting up to `timeout_ms` (-1: for ever) for the first.
 * Returns how many were called; 0: none were due; -1: the store was shut down or has failed, and none will be due any
 * more. Several threads may dispatch. With callbacks=thread it never waits.
 */
ENGENHO_API int engenho_dispatch(engenho_store *store, int timeout_ms);
/* Readable (poll(2)) while there is something to dispatch. Belongs to the store. -1 with callbacks=thread. */
ENGENHO_API int engenho_dispatch_fd(engenho_store *store);

/* ---- resources ------------------------------------------------------------------------------- */

/* The key of a resource. Strings are UTF-8. ns NULL: cluster-scoped, which is not the same as an empty one. */
typedef struct engenho_key {
	const char *group; /* "" for the core group */
	const char *version;
	const char *kind;
	const char *ns;
	const char *name;
	void *reserved[2];
} engenho_key;

typedef struct engenho_resource {
	engenho_key key;
	engenho_bytes value; /* canonical JSON, UTF-8; a NUL byte follows */
	int64_t create_revision;
	int64_t mod_revision; /* the resource version */
	void *reserved[4];
} engenho_resource;

typedef enum engenho_reason {
	ENGENHO_OPERATOR = 0,
	ENGENHO_CONTROLLER = 1,
	ENGENHO_GARBAGE_COLLECTOR = 2,
	ENGENHO_ADMISSION = 3,
	ENGENHO_SCHEDULER = 4,
} engenho_reason;

typedef enum engenho_patch_type {
	ENGENHO_PATCH_MERGE = 0,
	ENGENHO_PATCH_JSON = 1,
	ENGENHO_PATCH_STRATEGIC = 2,
	ENGENHO_PATCH_APPLY = 3,
} engenho_patch_type;

typedef enum engenho_outcome {
	ENGENHO_CREATED = 0,
	ENGENHO_REPLACED = 1,
	ENGENHO_PATCHED = 2,
	ENGENHO_DELETED = 3,
	ENGENHO_DELETION_PENDING = 4, /* it has finalizers */
	ENGENHO_NO_OP = 5,
	ENGENHO_UNCHANGED = 6,
	ENGENHO_CONFLICT = 7, /* `expected` does not hold */
	ENGENHO_PATCH_REJECTED = 8,
	ENGENHO_APPLY_CONFLICT = 9, /* others own fields of it */
} engenho_outcome;
/* "Created" ...; static. */
ENGENHO_API const char *engenho_outcome_name(engenho_outcome outcome);

typedef struct engenho_write_options {
	size_t size;
	engenho_reason reason;
	int64_t expected;    /* the mod_revision that it must have; 0: unconditional */
	const char *manager; /* of an apply */
	bool force;          /* of an apply */
} engenho_write_options;

typedef struct engenho_cause {
	const char *manager;
	const char *field; /* ".spec.replicas" */
	void *reserved[2];
} engenho_cause;

typedef struct engenho_write_result {
	engenho_outcome outcome;
	int64_t revision;       /* of the store, right after it */
	uint64_t applied_index; /* of the log: for engenho_wait_for_index elsewhere */
	const engenho_resource
		*resource;   /* as it is now; of a delete, its last state; NULL: none */
	const char *message; /* why it was refused; "" */
	size_t cause_count;
	const engenho_cause *causes;
	bool succeeded; /* of a txn: all compares held, and `success` was done */
} engenho_write_result;
ENGENHO_API void engenho_write_result_free(engenho_write_result *result);

/*
 * Each waits, and is durable when it returns. `options` NULL: unconditional, by the operator. ret_result may be NULL.
 * ENGENHO_INVALID: a key, JSON, options or a patch that cannot be read; ENGENHO_TOO_LARGE: above max-request-bytes;
 * ENGENHO_NO_SPACE; ENGENHO_BUSY; and what leaves a write open (above). That there is no such resource to patch or to
 * delete is an outcome.
 */
ENGENHO_API engenho_code engenho_put(engenho_store *store, const engenho_key *key,
				     engenho_bytes value, const engenho_write_options *options,
				     engenho_write_result **ret_result, engenho_error *error);
ENGENHO_API engenho_code engenho_patch(engenho_store *store, const engenho_key *key,
				       engenho_patch_type type, engenho_bytes patch,
				       const engenho_write_options *options,
				       engenho_write_result **ret_result, engenho_error *error);
ENGENHO_API engenho_code engenho_delete(engenho_store *store, const engenho_key *key,
					const engenho_write_options *options,
					engenho_write_result **ret_result, engenho_error *error);

typedef struct engenho_compare {
	engenho_key key;
	int64_t mod_revision; /* 0: there is no such resource */
	void *reserved[4];
} engenho_compare;

typedef struct engenho_op {
	engenho_key key;
	bool is_delete;
	engenho_bytes value; /* of a put */
	void *reserved[4];
} engenho_op;

typedef struct engenho_txn {
	size_t size;
	size_t compare_count, success_count, failure_count;
	const engenho_compare *compares;
	const engenho_op *success, *failure;
} engenho_txn;

/* All of a branch at one revision, or nothing. Of the options only the reason counts. Waits; fails as a put does, and
 * with ENGENHO_INVALID for more than max-txn-ops compares or operations of a branch. */
ENGENHO_API engenho_code engenho_txn_commit(engenho_store *store, const engenho_txn *txn,
					    const engenho_write_options *options,
					    engenho_write_result **ret_result,
					    engenho_error *error);

/*
 * The same without waiting: `done` is called exactly once if 0 was returned, with a result (freed by the callee) or
 * with NULL and an error. `done` may be NULL. Asynchronous calls of all kinds that were not called back yet may hold
 * 64 MiB together, their arguments included, each counting 4 KiB at least; further ones are refused with ENGENHO_BUSY
 * until callbacks have come.
 */
typedef void (*engenho_write_done)(void *ctx, engenho_write_result *result,
				   const engenho_error *error);
ENGENHO_API engenho_code engenho_put_async(engenho_store *store, const engenho_key *key,
					   engenho_bytes value,
					   const engenho_write_options *options,
					   engenho_write_done done, void *ctx,
					   engenho_error *error);
ENGENHO_API engenho_code engenho_patch_async(engenho_store *store, const engenho_key *key,
					     engenho_patch_type type, engenho_bytes patch,
					     const engenho_write_options *options,
					     engenho_write_done done, void *ctx,
					     engenho_error *error);
ENGENHO_API engenho_code engenho_delete_async(engenho_store *store, const engenho_key *key,
					      const engenho_write_options *options,
					      engenho_write_done done, void *ctx,
					      engenho_error *error);
ENGENHO_API engenho_code engenho_txn_commit_async(engenho_store *store, const engenho_txn *txn,
						  const engenho_write_options *options,
						  engenho_write_done done, void *ctx,
						  engenho_error *error);

typedef enum engenho_consistency {
	ENGENHO_LATEST = 0,         /* linearizable; takes no `revision` */
	ENGENHO_NOT_OLDER_THAN = 1, /* `revision` or later, waiting up to 3 s; 0: what there is */
	ENGENHO_EXACT = 2,          /* the state at `revision` */
} engenho_consistency;

typedef struct engenho_list_options {
	size_t size;
	const char *group, *version, *kind; /* kind NULL: every resource there is; group NULL: as "" */
	const char *ns;                     /* NULL: all namespaces, and those without one */
	const char *label_selector, *field_selector; /* NULL: all */
	int64_t limit;                               /* 0: all */
	const char *continue_token;                  /* of the page before; NULL: the first page */
	engenho_consistency consistency;
	int64_t revision;
} engenho_list_options;

typedef struct engenho_list_result {
	int64_t revision; /* of the state that was read: watch from here */
	size_t count;
	const engenho_resource *items;
	const char *continue_token; /* NULL: nothing is left */
	int64_t remaining;          /* behind this page, exactly */
} engenho_list_result;
ENGENHO_API void engenho_list_result_free(engenho_list_result *result);

/*
 * Each waits. A large list is read and copied in slices, and holds nobody's calls up; without a limit all of it is one
 * block of memory. ENGENHO_INVALID: options, a selector, a token; ENGENHO_COMPACTED and ENGENHO_FUTURE: the revision is
 * not there any more, or not yet; ENGENHO_UNAVAILABLE; ENGENHO_NO_MEMORY.
 */
ENGENHO_API engenho_code engenho_list(engenho_store *store, const engenho_list_options *options,
				      engenho_list_result **ret_result, engenho_error *error);
/* A list of one. ENGENHO_NOT_FOUND; else as above. */
ENGENHO_API engenho_code engenho_get(engenho_store *store, const engenho_key *key,
				     engenho_consistency consistency, int64_t revision,
				     engenho_list_result **ret_result, engenho_error *error);

/* The same without waiting, as for writes. */
typedef void (*engenho_list_done)(void *ctx, engenho_list_result *result,
				  const engenho_error *error);
ENGENHO_API engenho_code engenho_list_async(engenho_store *store,
					    const engenho_list_options *options,
					    engenho_list_done done, void *ctx,
					    engenho_error *error);
ENGENHO_API engenho_code engenho_get_async(engenho_store *store, const engenho_key *key,
					   engenho_consistency consistency, int64_t revision,
					   engenho_list_done done, void *ctx, engenho_error *error);

/* ---- watching resources ---------------------------------------------------------------------- */

typedef struct engenho_watch engenho_watch;

typedef enum engenho_event_type {
	ENGENHO_ADDED = 0,
	ENGENHO_MODIFIED = 1,
	ENGENHO_DELETED_EVENT = 2, /* the last state, with the version that deleted it */
	ENGENHO_BOOKMARK = 3,      /* only `revision` */
} engenho_event_type;

typedef struct engenho_event {
	engenho_event_type type;
	engenho_resource resource;
	int64_t revision;
	void *reserved[4];
} engenho_event;

typedef struct engenho_events {
	size_t count; /* at least 1 */
	const engenho_event *events;
	int64_t revision; /* resume from here and nothing is missed */
} engenho_events;
ENGENHO_API void engenho_events_free(engenho_events *events);

typedef struct engenho_watch_options {
	size_t size;
	const char *group, *version, *kind; /* as for a list */
	const char *ns;
	const char *label_selector, *field_selector;
	int64_t from_revision;         /* what changed after it; 0: from now on */
	uint32_t bookmark_interval_ms; /* 0: none */
	const char *name;              /* the one resource of that name, in `ns`, or, ns NULL, in none; NULL: all */
} engenho_watch_options;

/*
 * Waits for the store, not for events. A revision in the future is waited for; one that is compacted is told by
 * engenho_watch_next. ENGENHO_INVALID: options or a selector; ENGENHO_UNAVAILABLE; ENGENHO_NO_MEMORY.
 */
ENGENHO_API engenho_code engenho_watch_open(engenho_store *store,
					    const engenho_watch_options *options,
					    engenho_watch **ret_watch, engenho_error *error);
/*
 * The next events, whole revisions at a time, waiting up to `timeout_ms` (-1: for ever) for the first.
 * Who does not fetch them holds nothing up and misses nothing: they stay in the store's history.
 * ENGENHO_TIMEOUT: none came; ENGENHO_COMPACTED: the history is gone, list again; ENGENHO_UNAVAILABLE:
 * the store is closing, or has failed; ENGENHO_END: it was cancelled. But for the first, all calls from then on end so,
 * once the events that were made before are taken.
 */
ENGENHO_API engenho_code engenho_watch_next(engenho_watch *watch, int timeout_ms,
					    engenho_events **ret_events, engenho_error *error);
/* Readable (poll(2)) while engenho_watch_next would return something but a timeout at once. Belongs to the watch.
 * -1: the process has no descriptor left; asking again may give one. */
ENGENHO_API int engenho_watch_fd(engenho_watch *watch);
/* engenho_watch_next, waiting or called later, gives ENGENHO_END. From any thread, any number of times; at once; frees
 * nothing. */
ENGENHO_API void engenho_watch_cancel(engenho_watch *watch);
/* Cancel and free it, NULL being nothing. No other thread may use it any more. */
ENGENHO_API void engenho_watch_close(engenho_watch *watch);

/* ---- raw keys: etcd's key space -------------------------------------------------------------- */

typedef struct engenho_kv {
	engenho_bytes key, value;
	int64_t create_revision, mod_revision, version, lease;
	void *reserved[2];
} engenho_kv;

typedef struct engenho_range_options {
	size_t size;
	engenho_bytes key;
	engenho_bytes range_end; /* empty: the one key; a zero byte: all from `key` on */
	int64_t limit;           /* 0: all */
	int64_t revision;        /* 0: the newest */
	bool serializable, keys_only, count_only;
} engenho_range_options;

typedef struct engenho_range_result {
	int64_t revision;
	int64_t total; /* in the range, whatever the limit */
	bool more;
	size_t count;
	const engenho_kv *kvs;
	void *reserved[4];
} engenho_range_result;
ENGENHO_API void engenho_range_result_free(engenho_range_result *result);

/*
 * The keys of a range in their order, as of one revision. Waits, and is linearizable unless `serializable`. Like a
 * list, a large one is copied in slices. ENGENHO_INVALID: no key, or something negative; ENGENHO_COMPACTED;
 * ENGENHO_FUTURE; ENGENHO_UNAVAILABLE; ENGENHO_NO_MEMORY.
 */
ENGENHO_API engenho_code engenho_kv_range(engenho_store *store,
					  const engenho_range_options *options,
					  engenho_range_result **ret_result, engenho_error *error);
/*
 * Each waits, and is durable when it returns. lease 0: none; the outputs may be NULL. A range is deleted as it is read;
 * that nothing was there is no error, and makes no revision. ENGENHO_INVALID: no key; ENGENHO_NOT_FOUND: no such lease;
 * ENGENHO_TOO_LARGE: above max-request-bytes; ENGENHO_NO_SPACE (of a put); ENGENHO_BUSY; and what leaves a write open.
 */
ENGENHO_API engenho_code engenho_kv_put(engenho_store *store, engenho_bytes key,
					engenho_bytes value, int64_t lease, int64_t *ret_revision,
					engenho_error *error);
ENGENHO_API engenho_code engenho_kv_delete(engenho_store *store, engenho_bytes key,
					   engenho_bytes range_end, int64_t *ret_deleted,
					   int64_t *ret_revision, engenho_error *error);

/* The same without waiting, as for resources: the callee frees a result; `done` may be NULL. */
typedef void (*engenho_range_done)(void *ctx, engenho_range_result *result,
				   const engenho_error *error);
typedef void (*engenho_kv_done)(void *ctx, int64_t revision, const engenho_error *error);
typedef void (*engenho_kv_delete_done)(void *ctx, int64_t deleted, int64_t revision,
				       const engenho_error *error);
ENGENHO_API engenho_code engenho_kv_range_async(engenho_store *store,
						const engenho_range_options *options,
						engenho_range_done done, void *ctx,
						engenho_error *error);
ENGENHO_API engenho_code engenho_kv_put_async(engenho_store *store, engenho_bytes key,
					      engenho_bytes value, int64_t lease,
					      engenho_kv_done done, void *ctx,
					      engenho_error *error);
ENGENHO_API engenho_code engenho_kv_delete_async(engenho_store *store, engenho_bytes key,
						 engenho_bytes range_end,
						 engenho_kv_delete_done done, void *ctx,
						 engenho_error *error);

typedef enum engenho_kv_target {
	ENGENHO_KV_VERSION = 0,
	ENGENHO_KV_CREATE = 1,
	ENGENHO_KV_MOD = 2,
	ENGENHO_KV_VALUE = 3,
	ENGENHO_KV_LEASE = 4,
} engenho_kv_target;
typedef enum engenho_kv_relation {
	ENGENHO_KV_EQUAL = 0,
	ENGENHO_KV_GREATER = 1,
	ENGENHO_KV_LESS = 2,
	ENGENHO_KV_NOT_EQUAL = 3,
} engenho_kv_relation;

typedef struct engenho_kv_compare {
	engenho_kv_target target;
	engenho_kv_relation relation;
	engenho_bytes key, range_end;
	int64_t number;      /* all targets but the value */
	engenho_bytes value; /* that */
	void *reserved[4];
} engenho_kv_compare;

typedef enum engenho_kv_op_kind {
	ENGENHO_KV_OP_PUT = 0,
	ENGENHO_KV_OP_DELETE = 1,
	ENGENHO_KV_OP_RANGE = 2,
} engenho_kv_op_kind;

typedef struct engenho_kv_op {
	engenho_kv_op_kind kind;
	engenho_bytes key, range_end, value;
	int64_t lease;
	/* Of a range, as in engenho_range_options. */
	int64_t limit;
	int64_t revision;
	bool keys_only, count_only;
	void *reserved[4];
} engenho_kv_op;

typedef struct engenho_kv_txn {
	size_t size;
	size_t compare_count, success_count, failure_count;
	const engenho_kv_compare *compares;
	const engenho_kv_op *success, *failure;
} engenho_kv_txn;

typedef struct engenho_kv_txn_result {
	bool succeeded;
	int64_t revision;
	/* One for each operation of the branch taken: what a range found; empty for puts and deletes, with `total` the
	 * number of keys deleted. */
	size_t count;
	const engenho_range_result *results;
} engenho_kv_txn_result;
ENGENHO_API void engenho_kv_txn_result_free(engenho_kv_txn_result *result);

/*
 * If all compares hold `success`, else `failure`, at one revision, or nothing; a branch puts a key once
 * and does not delete it then. One that only reads is linearizable. ret_result may be NULL. Waits. Ranges inside are
 * copied in one go: read what is large with engenho_kv_range. ENGENHO_INVALID, ENGENHO_COMPACTED and ENGENHO_FUTURE (of
 * a range), ENGENHO_NOT_FOUND (a lease), and what a put may fail with.
 */
ENGENHO_API engenho_code engenho_kv_txn_commit(engenho_store *store, const engenho_kv_txn *txn,
					       engenho_kv_txn_result **ret_result,
					       engenho_error *error);

/* The same without waiting. */
typedef void (*engenho_kv_txn_done)(void *ctx, engenho_kv_txn_result *result,
				    const engenho_error *error);
ENGENHO_API engenho_code engenho_kv_txn_commit_async(engenho_store *store,
						     const engenho_kv_txn *txn,
						     engenho_kv_txn_done done, void *ctx,
						     engenho_error *error);

typedef struct engenho_kv_watch engenho_kv_watch;

typedef struct engenho_kv_event {
	bool is_delete;
	bool has_prev;
	engenho_kv kv;   /* of a delete: key and mod_revision */
	engenho_kv prev; /* the version before it */
	void *reserved[4];
} engenho_kv_event;

typedef struct engenho_kv_events {
	size_t count;
	const engenho_kv_event *events;
	int64_t revision; /* resume behind it (start_revision = revision + 1) and nothing is missed */
} engenho_kv_events;
ENGENHO_API void engenho_kv_events_free(engenho_kv_events *events);

typedef struct engenho_kv_watch_options {
	size_t size;
	engenho_bytes key, range_end;
	int64_t start_revision; /* the first to be seen; 0: the next one */
	bool prev_kv;
} engenho_kv_watch_options;

/* All as for resources. */
ENGENHO_API engenho_code engenho_kv_watch_open(engenho_store *store,
					       const engenho_kv_watch_options *options,
					       engenho_kv_watch **ret_watch, engenho_error *error);
ENGENHO_API engenho_code engenho_kv_watch_next(engenho_kv_watch *watch, int timeout_ms,
					       engenho_kv_events **ret_events,
					       engenho_error *error);
ENGENHO_API int engenho_kv_watch_fd(engenho_kv_watch *watch);
ENGENHO_API void engenho_kv_watch_cancel(engenho_kv_watch *watch);
ENGENHO_API void engenho_kv_watch_close(engenho_kv_watch *watch);

/* Frees memory of old revisions: reads and watches below `revision` end with ENGENHO_COMPACTED. Waits until it is free.
 * ENGENHO_INVALID: negative; ENGENHO_COMPACTED: it was done already; ENGENHO_FUTURE; and what leaves a write open. */
ENGENHO_API engenho_code engenho_compact(engenho_store *store, int64_t revision,
					 engenho_error *error);

/*
 * A lease of `ttl_s` seconds: keys put with it go when it is revoked, or was not kept alive in time. Each waits;
 * outputs may be NULL. A grant with id 0 chooses one; *ret_ttl_s may be longer than asked for, as there is a shortest
 * time. ENGENHO_INVALID: too long a time; ENGENHO_EXISTS; ENGENHO_NO_SPACE; of the others ENGENHO_NOT_FOUND; and what
 * leaves a write open.
 */
ENGENHO_API engenho_code engenho_lease_grant(engenho_store *store, int64_t id, int64_t ttl_s,
					     int64_t *ret_id, int64_t *ret_ttl_s,
					     engenho_error *error);
ENGENHO_API engenho_code engenho_lease_keep_alive(engenho_store *store, int64_t id,
						  int64_t *ret_ttl_s, engenho_error *error);
ENGENHO_API engenho_code engenho_lease_revoke(engenho_store *store, int64_t id,
					      engenho_error *error);

/* ---- the member ------------------------------------------------------------------------------ */

/* Of this moment; false when the store is closing or has failed. Waits as engenho_get_stats does. */
ENGENHO_API bool engenho_is_leader(engenho_store *store);
/* Until there is a leader, this member or another. ENGENHO_TIMEOUT. Here and below -1 is for ever. */
ENGENHO_API engenho_code engenho_wait_for_leader(engenho_store *store, int timeout_ms,
						 engenho_error *error);
/* Until this member leads. ENGENHO_TIMEOUT. */
ENGENHO_API engenho_code engenho_wait_for_leadership(engenho_store *store, int timeout_ms,
						     engenho_error *error);
/* Until this member has applied the log up to `index`. ENGENHO_TIMEOUT. */
ENGENHO_API engenho_code engenho_wait_for_index(engenho_store *store, uint64_t index,
						int timeout_ms, engenho_error *error);

typedef struct engenho_stats {
	size_t size;
	uint64_t cluster_id, member_id, leader_id, term;
	uint64_t applied_index;
	int64_t revision, compacted_revision;
	uint64_t keys, versions;
	uint64_t bytes, bytes_in_use, quota_bytes;
	uint64_t leases, watchers;
	bool is_leader, has_leader;
	bool disk_full, no_space_alarm, corrupt_alarm;
} engenho_stats;
/* Figures of this moment; waits for a turn of the store's loop. `stats` is initialised with ENGENHO_INIT; on failure it
 * is as it was. ENGENHO_INVALID, ENGENHO_UNAVAILABLE. */
ENGENHO_API engenho_code engenho_get_stats(engenho_store *store, engenho_stats *stats,
					   engenho_error *error);

/* 0 when writes work: there is a leader, no alarm, no failure. Else the code of what is wrong, with a message. Waits as
 * engenho_get_stats does. */
ENGENHO_API engenho_code engenho_health(engenho_store *store, engenho_error *error);

/* ---- catalogs -------------------------------------------------------------------------------- */

/* Write all resources, as they are at one revision, into a catalog file (v1), while writes go on; waits, and holds all
 * of it in memory. A crash leaves the old file or the new one, whole; a link is followed, and what is there and no
 * regular file is refused. ENGENHO_IO, ENGENHO_NO_SPACE: the file; ENGENHO_CATALOG: a value is no JSON, or too deep. */
ENGENHO_API engenho_code engenho_catalog_export(engenho_store *store, const char *path,
						int64_t *ret_revision, uint64_t *ret_count,
						engenho_error *error);
/*
 * Waits. Put all resources of a catalog file, up to `batch` (0: 100) to a transaction, fewer where they are large. What
 * is there already and differs in nothing but resourceVersion and generation is passed over. ENGENHO_CATALOG,
 * ENGENHO_INVALID (a key): nothing was changed. ENGENHO_EXISTS: the file has a resource as deleted, without finalizers,
 * of which the store holds another; to put it would delete that one. What else it ends with, as a write does, may come
 * after some transactions, as may ENGENHO_EXISTS: what they put stays, and is counted in *ret_imported (may be NULL, as
 * may ret_unchanged), which are set on failure too; the import is run again.
 */
ENGENHO_API engenho_code engenho_catalog_import(engenho_store *store, const char *path,
						uint32_t batch, uint64_t *ret_imported,
						uint64_t *ret_unchanged, engenho_error *error);

#ifdef __cplusplus
}
#endif

#endif
