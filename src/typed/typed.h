#ifndef ES_TYPED_TYPED_H
#define ES_TYPED_TYPED_H

#include "engine/engine.h"
#include "resource/rules.h"
#include "resource/selector.h"

/*
 * Operations on resources for whoever serves them, the gRPC service and the library: what happens before a command is
 * proposed, and reads and watches in slices of the loop. Loop thread only. Texts are UTF-8 for people; statuses are
 * those of the functions below. All requests are borrowed until their callback unless it is said that
 * they are copied.
 */
struct es_typed;

struct es_typed_config {
	const struct es_mem *mem;
	const struct es_env *env;
	struct uv_loop_s *loop;
	struct es_engine *engine;
	uint64_t wait_ms; /* how long a read waits for its revision; 0: 3000 */
};

/* The config is copied, what it points to borrowed. ES_ENOMEM. */
int es_typed_new(const struct es_typed_config *config, struct es_typed **ret_typed);
/* Before the engine is closed, and with all watches closed (asserted). Reads under way end with ES_ESTOPPED. `closed`
 * comes from the loop, and the object is gone then. */
void es_typed_close(struct es_typed *typed, void (*closed)(void *ctx), void *ctx);

#define ES_TYPED_TEXT_MAX 512

/* ---- writes ---------------------------------------------------------------------------------- */

/*
 * A command under way. The caller embeds it, sets `op.done` and `op.arena`, and keeps it, the arena
 * and what the command points to alive until `done`, which comes exactly once, from the loop, after
 * es_typed_write returned 0. `op.resource` is the result, readable inside `done` only.
 */
struct es_typed_write {
	struct es_engine_op op;
	struct es_resource_command command;
};

#define ES_TYPED_VALUE_DEPTH_MAX ES_RESOURCE_DEPTH_MAX

/*
 * Check the command's keys and values, fill in what values leave out and the times of an apply and of a delete, and
 * propose it. < 0: refused, `done` is not called; `errmsg` says why. ES_EINVAL;
 * ES_ETOO_LARGE: above --max-request-bytes; as es_engine_resource otherwise.
 */
int es_typed_write(struct es_typed *typed, struct es_typed_write *write,
		   const struct es_resource_command *command, char *errmsg, size_t errmsg_size);

/* ---- reads ----------------------------------------------------------------------------------- */

enum es_typed_consistency {
	ES_TYPED_LATEST,         /* linearizable */
	ES_TYPED_NOT_OLDER_THAN, /* `revision` or later; waits for it up to wait_ms. 0: what there is */
	ES_TYPED_EXACT,          /* the state at `revision` */
};

struct es_typed_item {
	struct es_resource_key key;
	struct es_slice value; /* canonical JSON, in the store */
	int64_t create_revision, mod_revision;
};

struct es_typed_list {
	/* The request. */
	bool everything; /* all resources of all kinds, in the order of their paths; else `scope` */
	struct es_resource_scope scope;
	struct es_slice label_selector, field_selector;
	int64_t limit;      /* 0: all, up to `bytes_max` */
	uint64_t bytes_max; /* of values in one page, then it ends as if by limit; 0: no bound */
	struct es_slice continue_token; /* empty: the first page */
	enum es_typed_consistency consistency;
	int64_t revision;
	/* Comes exactly once, from the loop or before es_typed_list_begin returns; may call es_typed_list_end. */
	void (*done)(struct es_typed_list *list, int status, const char *text);
	struct es_arena *arena; /* items and texts */
	/* The result: values stay valid while the list is held (it pins its revision), until es_typed_list_end. */
	int64_t result_revision;
	size_t count;
	const struct es_typed_item *items;
	struct es_slice next_token; /* empty: this was the last page */
	/* Exact, but that what is no resource counts as well: raw writes under ES_RESOURCE_ROOT are the writer's own
	 * risk. */
	int64_t remaining;
	/* Own. */
	struct es_typed_job *job;
};

/*
 * A page of a list. The struct is the caller's, zeroed but for the request; a large list takes several
 * turns of the loop. Through `done`, with a text: ES_EINVAL (a selector or token), ES_ECOMPACTED ("too
 * old resource version: N"), ES_EFUTURE_REV ("too large resource version: N, current: M"), ES_ENOMEM,
 * ES_ENO_LEADER and the like.
 */
void es_typed_list_begin(struct es_typed *typed, struct es_typed_list *list);
/* After `done`, whatever it said: inside it, or before es_typed_close; or before `done`, to give up:
 * it will not come any more. Releases everything but the arena. */
void es_typed_list_end(struct es_typed_list *list);

/* One resource: the list of it, with `items` NULL when there is none. As above. */
void es_typed_get_begin(struct es_typed *typed, struct es_typed_list *get,
			const struct es_resource_key *key);

/* ---- watches --------------------------------------------------------------------------------- */

enum es_typed_event_type {
	ES_TYPED_ADDED,
	ES_TYPED_MODIFIED,
	ES_TYPED_DELETED, /* the last state, with the deleting revision as its resourceVersion */
	ES_TYPED_BOOKMARK /* only `revision` */
};

struct es_typed_event {
	enum es_typed_event_type type;
	struct es_typed_item item; /* points into the arena given */
	int64_t revision;
};

struct es_typed_watch_spec {
	bool everything;
	struct es_resource_scope scope;
	struct es_slice name; /* empty: all; else the scope names one namespace or none */
	bool cluster_scoped;  /* with `name`: of no namespace */
	struct es_slice label_selector, field_selector;
	int64_t from_revision; /* what changed after it; 0: from now on */
	uint64_t bookmark_interval_ms;
	/* There is something to fetch. Comes from the loop, never from inside a call of this module; again only after
	 * es_typed_watch_next has found nothing. */
	void (*wake)(void *ctx);
	void *ctx;
};

struct es_typed_watch;

/* Copies the spec. ES_EINVAL with `errmsg`, ES_ENOMEM. A start in the future waits for it. */
int es_typed_watch_open(struct es_typed *typed, const struct es_typed_watch_spec *spec,
			struct es_typed_watch **ret_watch, char *errmsg, size_t errmsg_size);
void es_typed_watch_close(struct es_typed_watch *watch);

/*
 * Up to `max` events, and no further revision once `bytes_soft_max` bytes are taken; looks at a
 * bounded number of changes. *ret_count may be 0 with *ret_again true: call again in a later turn of
 * the loop. Events of one revision come in one call unless there are more than 64 of them or than
 * `max`, or the selector is a very large one. ES_ECOMPACTED: "too old resource version"; ES_ENOMEM:
 * nothing was taken, try again. `arena` backs the events.
 */
int es_typed_watch_next(struct es_typed_watch *watch, struct es_arena *arena,
			struct es_typed_event *ret_events, size_t max, size_t bytes_soft_max,
			size_t *ret_count, bool *ret_again);
/* Everything up to it has been fetched, whole revisions only: where to resume. */
int64_t es_typed_watch_revision(const struct es_typed_watch *watch);

/* ---- texts ----------------------------------------------------------------------------------- */

/* "too old resource version: 7" and the like: the text of a status of this module, with the numbers that belong to
 * it; es_status_text for all others. `out` backs it. */
const char *es_typed_text(int status, int64_t revision, int64_t current, char *out, size_t size);

#endif
