#ifndef ES_WATCH_WATCH_H
#define ES_WATCH_WATCH_H

#include "mvcc/mvcc.h"

/*
 * Watchers over the key space. The hub is told of each applied revision, finds the watchers it concerns, and keeps for
 * each a short queue of shared events; a watcher that starts in the past, or whose queue is full, replays from the
 * store's revision log instead. The owner of a watcher pulls batches from it when its stream can take more. So memory
 * is bounded by watchers x queue limit, an event is encoded once however many watchers it goes to, and nothing is
 * dropped: a watcher sees every event of its range from its start revision on, in revision order, exactly once.
 *
 * Pure: no clock, socket or log. One thread. Callbacks may not call back into the hub except es_watch_is_synced.
 */
struct es_watch_hub;
struct es_watcher;

/* An event encoded for the wire, shared by watchers. Counted; bytes as the encoder made them. Read-only. */
struct es_watch_event {
	uint32_t refs;
	int64_t mod_revision;
	int64_t sub_revision;
	bool is_delete;
	size_t len;
	uint8_t bytes
		[]; /* ready to be appended to a WatchResponse: the tagged, length-prefixed Event */
};

struct es_watch_hub_config {
	const struct es_mem *mem;
	const struct es_mvcc *store;
	uint64_t hash_key[2];
	size_t queue_events_max; /* per watcher, before it falls back to replay; e.g. 1024 */
	size_t queue_bytes_max;  /* likewise; a single larger revision also falls back */
	/* Size of the encoding, then the encoding itself into `out` (that many bytes). `prev_kv`: with
	 * event->prev, which is not NULL then. */
	size_t (*encoded_size)(void *ctx, const struct es_mvcc_event *event, bool prev_kv);
	void (*encode)(void *ctx, const struct es_mvcc_event *event, bool prev_kv, uint8_t *out);
	/* A watcher that had nothing to give has something now. Called once until es_watch_next finds
	 * nothing: 0 events and not `again`. The revision that woke it is perhaps not published in full
	 * yet: es_watch_next comes later. */
	void (*wake)(void *ctx, struct es_watcher *watcher, void *owner);
	void *ctx;
};

/* The config is copied, what it points to is borrowed. ES_ENOMEM. */
int es_watch_hub_new(const struct es_watch_hub_config *config, struct es_watch_hub **ret_hub);
/* NULL is allowed. All watchers are gone (asserted) and all events unreferenced. */
void es_watch_hub_free(struct es_watch_hub *hub);

struct es_watch_spec {
	struct es_mvcc_range range; /* copied */
	int64_t start_revision;     /* <= 0: from the next revision on */
	bool filter_put;
	bool filter_delete;
	bool prev_kv;
};

/*
 * A new watcher. `owner` comes back in `wake`. One that starts at or below the newest revision counts as woken from the
 * start: the owner calls es_watch_next without being told. A compacted start is no error here: es_watch_next says it.
 * ES_ENOMEM.
 */
int es_watch_add(struct es_watch_hub *hub, const struct es_watch_spec *spec, void *owner,
		 struct es_watcher **ret_watcher);
void es_watch_remove(struct es_watch_hub *hub, struct es_watcher *watcher);

/* One applied revision with all its changes, right after es_mvcc_txn_apply. ES_ENOMEM falls back to replay inside: it
 * never fails. `main` is the new newest revision (asserted). */
void es_watch_publish(struct es_watch_hub *hub, int64_t main, const struct es_mvcc_event *events,
		      size_t count);

/* All events up to es_mvcc_revision() have been handed out by es_watch_next (of a watcher that starts in the future,
 * there are none yet). */
bool es_watch_is_synced(const struct es_watcher *watcher);

/*
 * The next whole revisions for this watcher: events appended to `ret_events` (caller's array of `max`), each with a
 * reference for the caller to drop with es_watch_event_unref. Takes whole revisions while fewer than `bytes_soft_max`
 * bytes are taken; one revision is never split unless it alone has more than `max` events: then the call sets
 * *ret_partial and later calls go on inside it. *ret_partial says that the revision of the last event handed out has
 * more events, so it stays true when a call finds none; the call that hands out the last of them may add whole
 * revisions. When replaying, looks at no more than `scan_max` log entries in a call: the result may be 0 events with
 * *ret_again true, meaning "call again later", so that one catch-up never stops the loop. `max` and `scan_max` are
 * above 0.
 *
 * The version before an event (prev_kv) is left out when it lies below the compacted revision.
 *
 * ES_OK with *ret_count; ES_ECOMPACTED when its position lies below the compacted revision (the watcher gives nothing
 * any more; the owner cancels it); ES_ENOMEM (nothing taken, try again).
 */
int es_watch_next(struct es_watch_hub *hub, struct es_watcher *watcher,
		  struct es_watch_event **ret_events, size_t max, size_t bytes_soft_max,
		  size_t scan_max, size_t *ret_count, bool *ret_partial, bool *ret_again);

/* How many log entries es_watch_next has looked at so far, for all watchers: for whoever shares out
 * time among them. */
uint64_t es_watch_scanned(const struct es_watch_hub *hub);

void es_watch_event_unref(struct es_watch_hub *hub, struct es_watch_event *event);

/* For metrics. */
size_t es_watch_count(const struct es_watch_hub *hub);
size_t es_watch_unsynced_count(const struct es_watch_hub *hub);

#endif
