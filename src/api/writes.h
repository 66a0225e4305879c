#ifndef ES_API_WRITES_H
#define ES_API_WRITES_H

#include "base/mem.h"
#include "base/status.h"
#include "wire/request.h"

/*
 * What a list of operations writes, nested transactions included: keys put and ranges deleted.
 * Everything is in the arena it was collected with and points into the operations.
 */
struct es_api_span {
	struct es_slice first;
	struct es_slice end;
	bool has_end; /* the key `end` itself is in the span */
};

/* In key order; no two spans have a key in common. */
struct es_api_spans {
	struct es_api_span *spans;
	size_t count;
	size_t cap;
};

struct es_api_writes {
	struct es_api_spans puts;
	struct es_api_spans deletes;
};

/*
 * Refuses a key that would be written twice: two puts of a key on one path, or a put under a delete
 * of the same level or of nested transactions before it. The two branches of one nested transaction
 * exclude each other and may both put a key. As in etcd, a delete's range is compared as it is
 * written, so one "to the end" (a zero byte) hides no put.
 *
 * O(n log n) compares on each level of nesting. ES_EDUPLICATE_KEY, ES_ENOMEM.
 */
int es_api_writes_collect(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
			  struct es_api_writes *ret_writes);

#endif
