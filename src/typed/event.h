#ifndef ES_TYPED_EVENT_H
#define ES_TYPED_EVENT_H

#include "mvcc/mvcc.h"
#include "watch/watch.h"

/* A change as the watch hub hands it out, encoded for etcd's clients, read back. Slices point into the event. */
struct es_typed_change {
	struct es_mvcc_kv kv; /* version 0: a delete */
	struct es_mvcc_kv prev;
	bool has_prev;
};

/* ES_EDECODE: not as the engine encodes it, a mistake of ours. */
int es_typed_change_read(const struct es_watch_event *event, struct es_typed_change *ret_change);

#endif
