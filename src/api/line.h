#ifndef ES_API_LINE_H
#define ES_API_LINE_H

#include "api/internal.h"

/*
 * Locks and elections are one thing in etcd's client library, which its server calls: everybody who
 * wants in stands in line with a key of his own below a common prefix, bound to his lease, and is
 * in when no key there was created before his. Leaving is deleting the key, by hand or when the
 * lease ends; who goes away before it is his turn has his key deleted.
 *
 * A place in line lives in the arena of its call, which it holds until `done`.
 */
struct es_api_line {
	/* Given by the caller. */
	struct es_rpc_call *call;
	struct es_slice name;
	struct es_slice value;
	int64_t lease;  /* 0: one is granted, for a minute */
	bool proclaims; /* a key that was there with another value gets ours, as a campaign's does
			 */
	/* Exactly once; `status` as below. The call is closed when the client has gone. */
	void (*done)(struct es_api_line *line, int status);
	/* Told to `done`. */
	struct es_slice key;
	int64_t create_revision;
	struct es_engine_header entered; /* when the key was put */
	struct es_engine_header header;  /* when it was its turn */
	/* The line's own. */
	struct es_api *api; /* only while the call is open: at shutdown, operations end after it */
	struct es_engine *engine;
	struct es_api_waiter waiter;
	struct es_engine_op op;
	struct es_slice prefix;
	bool entering; /* operations are under way */
	bool waited;
};

/* The key was gone when it was its turn: the lease has ended. Else statuses of the engine. */
#define ES_API_LINE_EXPIRED 1
/* The key that was there, and was to get our value, had gone by then. */
#define ES_API_LINE_REPLACED 2

void es_api_line_enter(struct es_api_line *line);
/* The client has gone: give the place up. */
void es_api_line_leave(struct es_api_line *line);

/* The prefix of a line's keys: the name and a slash, in the call's arena; NULL data: the call was
 * failed. */
struct es_slice es_api_line_prefix(struct es_rpc_call *call, struct es_slice name);
/* The range of all keys below a prefix, in the call's arena; false: the call was failed. */
bool es_api_prefix_range(struct es_rpc_call *call, struct es_slice prefix,
			 struct es_mvcc_range *ret_range);

/* etcd's lock and election services pass errors on as UNKNOWN with their text. */
void es_api_line_fail(struct es_rpc_call *call, int status);

/* "If `key` was created at `create_revision`, then put `value` with `lease`" (or delete it), as one
 * command. */
struct es_api_guarded {
	struct es_slice key;
	int64_t create_revision;
	bool put;
	struct es_slice value;
	int64_t lease;
};
/* Submits it as `op`, whose arena backs the request. */
int es_api_guarded_submit(struct es_engine *engine, struct es_engine_op *op,
			  const struct es_api_guarded *guarded);

#endif
