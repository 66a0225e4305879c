#include "watch/watch.h"

#include "base/assert.h"
#include "watch/index.h"

/*
 * Each watcher has a position in the history of its range: what lies before it was handed out or is in its queue.
 *
 * A live watcher's position is the newest revision: es_watch_publish puts what concerns it into its queue. When that
 * would pass a limit, or memory is out, the queue is dropped and the watcher falls back to replaying, from the first
 * event that it did not hand out. A replaying watcher reads the store's revision log itself, as far as its owner lets
 * it in one call, and is live again when it comes to the end. So a slow owner costs time when it reads, not memory
 * while it does not, and the log is the one truth that both ways lead back to.
 *
 * While replaying, the queue holds what was found and not handed out: events of one revision, whose end the replay has
 * perhaps not seen yet (one revision may be longer than what may be looked at in a call).
 *
 * I1: a watcher stands in the live list of its group exactly when it is live.
 * I2: hub->unsynced counts the replaying watchers.
 * I3: a queue is in (revision, sub revision) order; of its events, those below open_revision are of whole revisions,
 *     and all are when the watcher is live.
 * I4: the queue of a live watcher keeps to the limits of the config; that of a replaying one holds no more than one
 *     event beyond the largest `max` it is read with.
 * I5: a watcher that has something to give is woken: it replays, or its queue is not empty.
 * I6: a replaying watcher whose position lies below the compacted revision is lost. At the compacted revision it is
 *     not: a compaction leaves the events of its own revision.
 */
enum {
	RING_MIN = 8,       /* the first size of a queue */
	RING_KEPT_MAX = 64, /* an empty queue larger than this is given back */
	SCAN_BATCH = 64,    /* log entries read at once */
};

enum state { LIVE, REPLAYING, LOST };

struct es_watcher {
	struct es_queue link; /* I1 */
	struct es_watch_group *group;
	void *owner;
	int64_t start_revision; /* events below it are none of the watcher's */
	enum state state;
	struct es_mvcc_cursor cursor; /* replaying: what to look at next */
	int64_t open_revision;        /* replaying: that of the entry looked at last; I3 */
	struct es_watch_event **ring; /* the queue: queue_len events from ring_head on */
	size_t ring_room;             /* a power of two, or 0 */
	size_t ring_head;
	size_t queue_len;
	size_t queue_bytes;
	bool filter_put;
	bool filter_delete;
	bool prev_kv;
	bool woken;
	bool inside; /* the revision of the last event handed out has more events */
};

struct es_watch_hub {
	struct es_watch_hub_config config;
	struct es_watch_index index;
	size_t watchers;
	size_t unsynced;
	uint64_t scanned;
};

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* Encoded, with one reference; NULL when memory is out. */
static struct es_watch_event *encode(struct es_watch_hub *hub, const struct es_mvcc_event *event,
				     const struct es_mvcc_kv *kv, bool prev_kv)
{
	size_t len = hub->config.encoded_size(hub->config.ctx, event, prev_kv);
	struct es_watch_event *encoded;

	if (len > SIZE_MAX - sizeof(*encoded))
		return NULL;
	encoded = es_alloc(hub->config.mem, sizeof(*encoded) + len);
	if (encoded == NULL)
		return NULL;
	encoded->refs = 1;
	encoded->is_delete = kv->version == 0;
	encoded->mod_revision = kv->mod_revision;
	encoded->sub_revision = kv->sub_revision;
	encoded->len = len;
	hub->config.encode(hub->config.ctx, event, prev_kv, encoded->bytes);
	return encoded;
}

void es_watch_event_unref(struct es_watch_hub *hub, struct es_watch_event *event)
{
	ES_ASSERT(event->refs > 0);
	if (--event->refs == 0)
		es_free(hub->config.mem, event);
}

static bool wants(const struct es_watcher *watcher, const struct es_mvcc_kv *kv)
{
	return !(kv->version == 0 ? watcher->filter_delete : watcher->filter_put);
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static struct es_watch_event *queue_at(const struct es_watcher *watcher, size_t i)
{
	return watcher->ring[(watcher->ring_head + i) & (watcher->ring_room - 1)];
}

static int queue_grow(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	size_t room = watcher->ring_room == 0 ? RING_MIN : 2 * watcher->ring_room;
	struct es_watch_event **ring;

	ring = room > SIZE_MAX / sizeof(*ring) ? NULL
					       : es_alloc(hub->config.mem, room * sizeof(*ring));
	if (ring == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < watcher->queue_len; i++)
		ring[i] = queue_at(watcher, i);
	es_free(hub->config.mem, watcher->ring);
	watcher->ring = ring;
	watcher->ring_room = room;
	watcher->ring_head = 0;
	return 0;
}

/* The reference passes to the queue on success. */
static int queue_push(struct es_watch_hub *hub, struct es_watcher *watcher,
		      struct es_watch_event *event)
{
	if (watcher->queue_len == watcher->ring_room && queue_grow(hub, watcher) < 0)
		return ES_ENOMEM;
	watcher->ring[(watcher->ring_head + watcher->queue_len) & (watcher->ring_room - 1)] = event;
	watcher->queue_len++;
	watcher->queue_bytes += event->len;
	return 0;
}

/* The reference passes to the caller. */
static struct es_watch_event *queue_pop(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	struct es_watch_event *event = queue_at(watcher, 0);

	ES_ASSERT(watcher->queue_len > 0);
	watcher->ring_head = (watcher->ring_head + 1) & (watcher->ring_room - 1);
	watcher->queue_len--;
	watcher->queue_bytes -= event->len;
	if (watcher->queue_len == 0 && watcher->ring_room > RING_KEPT_MAX) {
		es_free(hub->config.mem, watcher->ring);
		watcher->ring = NULL;
		watcher->ring_room = 0;
		watcher->ring_head = 0;
	}
	return event;
}

static void queue_drop(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	while (watcher->queue_len > 0)
		es_watch_event_unref(hub, queue_pop(hub, watcher));
}

static bool queue_has_room(const struct es_watch_hub *hub, const struct es_watcher *watcher,
			   size_t len)
{
	return watcher->queue_len < hub->config.queue_events_max &&
	       len <= hub->config.queue_bytes_max &&
	       watcher->queue_bytes <= hub->config.queue_bytes_max - len;
}

/* ---- states ----------------------------------------------------------------------------------------------------- */

static void become_live(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	ES_ASSERT(watcher->state == REPLAYING);
	watcher->state = LIVE;
	hub->unsynced--;
	es_queue_push(&watcher->group->live, &watcher->link);
}

/* From live; `cursor` is where the event that could not be queued is. */
static void fall_back(struct es_watch_hub *hub, struct es_watcher *watcher,
		      struct es_mvcc_cursor cursor)
{
	ES_ASSERT(watcher->state == LIVE);
	if (watcher->queue_len > 0) {
		const struct es_watch_event *first = queue_at(watcher, 0);

		cursor = (struct es_mvcc_cursor){first->mod_revision, first->sub_revision};
	}
	queue_drop(hub, watcher);
	watcher->cursor = cursor;
	watcher->state = REPLAYING;
	hub->unsynced++;
	es_queue_remove(&watcher->link);
}

static void lose_compacted(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	if (watcher->state != REPLAYING ||
	    watcher->cursor.main >= es_mvcc_compacted(hub->config.store))
		return;
	queue_drop(hub, watcher); /* I6 */
	watcher->state = LOST;
	hub->unsynced--;
}

/* ---- the hub ---------------------------------------------------------------------------------------------------- */

int es_watch_hub_new(const struct es_watch_hub_config *config, struct es_watch_hub **ret_hub)
{
	struct es_watch_hub *hub = es_calloc(config->mem, 1, sizeof(*hub));
	int rc;

	if (hub == NULL)
		return ES_ENOMEM;
	hub->config = *config;
	rc = es_watch_index_init(&hub->index, config->mem, config->hash_key);
	if (rc < 0) {
		es_watch_hub_free(hub);
		return rc;
	}
	*ret_hub = hub;
	return 0;
}

void es_watch_hub_free(struct es_watch_hub *hub)
{
	if (hub == NULL)
		return;
	ES_ASSERT(hub->watchers == 0);
	ES_ASSERT(hub->unsynced == 0); /* I2 */
	es_watch_index_close(&hub->index);
	es_free(hub->config.mem, hub);
}

int es_watch_add(struct es_watch_hub *hub, const struct es_watch_spec *spec, void *owner,
		 struct es_watcher **ret_watcher)
{
	int64_t newest = es_mvcc_revision(hub->config.store);
	struct es_watcher *watcher = es_calloc(hub->config.mem, 1, sizeof(*watcher));
	int rc;

	if (watcher == NULL)
		return ES_ENOMEM;
	rc = es_watch_index_enter(&hub->index, spec->range, &watcher->group);
	if (rc < 0) {
		es_free(hub->config.mem, watcher);
		return rc;
	}
	es_queue_init(&watcher->link);
	watcher->owner = owner;
	watcher->filter_put = spec->filter_put;
	watcher->filter_delete = spec->filter_delete;
	watcher->prev_kv = spec->prev_kv;
	watcher->start_revision = spec->start_revision > 0 ? spec->start_revision : newest + 1;
	watcher->cursor = (struct es_mvcc_cursor){watcher->start_revision, 0};
	watcher->state = REPLAYING;
	watcher->woken = true;
	hub->unsynced++;
	hub->watchers++;
	if (watcher->start_revision > newest) {
		become_live(hub, watcher);
		watcher->woken = false;
	}
	*ret_watcher = watcher;
	return 0;
}

void es_watch_remove(struct es_watch_hub *hub, struct es_watcher *watcher)
{
	if (watcher->state == REPLAYING)
		hub->unsynced--;
	hub->watchers--;
	es_queue_remove(&watcher->link);
	es_watch_index_leave(&hub->index, watcher->group);
	queue_drop(hub, watcher);
	es_free(hub->config.mem, watcher->ring);
	es_free(hub->config.mem, watcher);
}

bool es_watch_is_synced(const struct es_watcher *watcher)
{
	return watcher->state == LIVE && watcher->queue_len == 0;
}

size_t es_watch_count(const struct es_watch_hub *hub)
{
	return hub->watchers;
}

uint64_t es_watch_scanned(const struct es_watch_hub *hub)
{
	return hub->scanned;
}

size_t es_watch_unsynced_count(const struct es_watch_hub *hub)
{
	return hub->unsynced;
}

/* ---- events as they happen -------------------------------------------------------------------------------------- */

/* One event on its way to its watchers. Both encodings are made when the first watcher wants them. */
struct delivery {
	struct es_watch_hub *hub;
	const struct es_mvcc_event *event;
	struct es_mvcc_kv kv;
	struct es_watch_event *encoded[2]; /* [1]: with the version before */
};

/* Borrowed; NULL when memory is out. */
static struct es_watch_event *encoding_for(struct delivery *delivery,
					   const struct es_watcher *watcher)
{
	bool prev_kv = watcher->prev_kv && delivery->event->prev != NULL;

	if (delivery->encoded[prev_kv] == NULL)
		delivery->encoded[prev_kv] = encode(delivery->hub, delivery->event, &delivery->kv,
						    prev_kv);
	return delivery->encoded[prev_kv];
}

static void deliver_to_watcher(struct delivery *delivery, struct es_watcher *watcher)
{
	struct es_watch_hub *hub = delivery->hub;
	struct es_watch_event *encoded;

	if (delivery->kv.mod_revision < watcher->start_revision || !wants(watcher, &delivery->kv))
		return;
	encoded = encoding_for(delivery, watcher);
	if (encoded != NULL && queue_has_room(hub, watcher, encoded->len) &&
	    queue_push(hub, watcher, encoded) == 0)
		encoded->refs++;
	else
		fall_back(hub, watcher,
			  (struct es_mvcc_cursor){delivery->kv.mod_revision,
						  delivery->kv.sub_revision});
	if (!watcher->woken) { /* I5 */
		watcher->woken = true;
		hub->config.wake(hub->config.ctx, watcher, watcher->owner);
	}
}

static void deliver_to_group(void *ctx, struct es_watch_group *group)
{
	struct es_queue *link = group->live.next;

	while (link != &group->live) {
		struct es_watcher *watcher = ES_QUEUE_ITEM(link, struct es_watcher, link);

		link = link->next; /* the watcher may fall back and leave the list */
		deliver_to_watcher(ctx, watcher);
	}
}

void es_watch_publish(struct es_watch_hub *hub, int64_t main, const struct es_mvcc_event *events,
		      size_t count)
{
	ES_ASSERT(main == es_mvcc_revision(hub->config.store));
	for (size_t i = 0; i < count; i++) {
		struct delivery delivery = {.hub = hub, .event = &events[i]};

		es_mvcc_version_kv(events[i].version, &delivery.kv);
		ES_ASSERT(delivery.kv.mod_revision == main);
		es_watch_index_match(&hub->index, delivery.kv.key, deliver_to_group, &delivery);
		for (int k = 0; k < 2; k++)
			if (delivery.encoded[k] != NULL)
				es_watch_event_unref(hub, delivery.encoded[k]);
	}
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

/* A stretch of the log, read ahead within one call of es_watch_next. */
struct scan {
	struct es_mvcc_event events[SCAN_BATCH];
	size_t count;
	size_t at;
	size_t looked; /* entries looked at in this call */
};

/* Up to one entry more than may be looked at, to know where the next one is. False: the log has nothing more. */
static bool read_ahead(const struct es_watch_hub *hub, const struct es_watcher *watcher,
		       struct scan *scan, size_t scan_max)
{
	const struct es_mvcc *store = hub->config.store;
	struct es_mvcc_cursor cursor = watcher->cursor;
	size_t rest = scan_max - scan->looked;

	if (scan->at < scan->count)
		return true;
	scan->count = es_mvcc_history(store, &cursor, es_mvcc_revision(store), scan->events,
				      rest < SCAN_BATCH ? rest + 1 : SCAN_BATCH);
	scan->at = 0;
	return scan->count > 0;
}

static int replay_event(struct es_watch_hub *hub, struct es_watcher *watcher,
			const struct es_mvcc_event *event, const struct es_mvcc_kv *kv)
{
	struct es_watch_event *encoded;

	if (!es_mvcc_range_contains(watcher->group->range, kv->key) || !wants(watcher, kv))
		return 0;
	encoded = encode(hub, event, kv, watcher->prev_kv && event->prev != NULL);
	if (encoded == NULL)
		return ES_ENOMEM;
	if (queue_push(hub, watcher, encoded) < 0) {
		es_watch_event_unref(hub, encoded);
		return ES_ENOMEM;
	}
	return 0;
}

/* Looks at the next entry of the log. ES_ENOMEM: still before it. */
static int replay_step(struct es_watch_hub *hub, struct es_watcher *watcher, struct scan *scan)
{
	struct es_mvcc_kv kv;
	int rc;

	es_mvcc_version_kv(scan->events[scan->at].version, &kv);
	rc = replay_event(hub, watcher, &scan->events[scan->at], &kv);
	if (rc < 0)
		return rc;
	scan->at++;
	scan->looked++;
	watcher->cursor = (struct es_mvcc_cursor){kv.mod_revision, kv.sub_revision + 1};
	watcher->open_revision = kv.mod_revision;
	return 0;
}

/* The call ends: stand right before the next entry, where that is known. Behind the last one would be as good until a
 * compaction passes that one and leaves the next (I6). */
static void settle(struct es_watcher *watcher, const struct scan *scan)
{
	struct es_mvcc_kv kv;

	if (watcher->state != REPLAYING || scan->at == scan->count)
		return;
	es_mvcc_version_kv(scan->events[scan->at].version, &kv);
	watcher->cursor = (struct es_mvcc_cursor){kv.mod_revision, kv.sub_revision};
}

/* ---- handing out ------------------------------------------------------------------------------------------------ */

struct batch {
	struct es_watch_event **events;
	size_t max;
	size_t bytes_soft_max;
	size_t count;
	size_t bytes;
};

static void take(struct es_watch_hub *hub, struct es_watcher *watcher, struct batch *batch,
		 size_t count)
{
	for (; count > 0; count--) {
		struct es_watch_event *event = queue_pop(hub, watcher);

		batch->events[batch->count++] = event;
		batch->bytes += event->len;
	}
}

/* How many events at the head of the queue are of one revision. */
static size_t first_revision_len(const struct es_watcher *watcher)
{
	int64_t revision = queue_at(watcher, 0)->mod_revision;
	size_t count = 1;

	while (count < watcher->queue_len && queue_at(watcher, count)->mod_revision == revision)
		count++;
	return count;
}

/* Moves whole revisions from the queue to the batch. False: the batch could take more than the queue has. */
static bool fill(struct es_watch_hub *hub, struct es_watcher *watcher, struct batch *batch)
{
	while (watcher->queue_len > 0) {
		bool open = watcher->state == REPLAYING &&
			    queue_at(watcher, 0)->mod_revision == watcher->open_revision;
		size_t room = batch->max - batch->count;
		size_t count;

		if (batch->count > 0 && batch->bytes >= batch->bytes_soft_max)
			return true;
		count = open ? watcher->queue_len : first_revision_len(watcher);
		if (count > room) {
			if (batch->count == 0) { /* too long for any call */
				take(hub, watcher, batch, room);
				watcher->inside = true;
			}
			return true;
		}
		if (open)
			return false;
		take(hub, watcher, batch, count);
		watcher->inside = false;
	}
	return batch->count > 0 && batch->bytes >= batch->bytes_soft_max;
}

int es_watch_next(struct es_watch_hub *hub, struct es_watcher *watcher,
		  struct es_watch_event **ret_events, size_t max, size_t bytes_soft_max,
		  size_t scan_max, size_t *ret_count, bool *ret_partial, bool *ret_again)
{
	struct batch batch = {.events = ret_events, .max = max, .bytes_soft_max = bytes_soft_max};
	struct scan scan;
	bool again = false;
	int rc = 0;

	ES_ASSERT(max > 0);
	ES_ASSERT(scan_max > 0);
	lose_compacted(hub, watcher);
	if (watcher->state == LOST)
		return ES_ECOMPACTED;
	scan.at = scan.count = scan.looked = 0;
	while (!fill(hub, watcher, &batch) && watcher->state == REPLAYING) {
		if (!read_ahead(hub, watcher, &scan, scan_max)) {
			become_live(hub, watcher);
			continue;
		}
		again = scan.looked == scan_max;
		if (!again)
			rc = replay_step(hub, watcher, &scan);
		if (again || rc < 0)
			break;
	}
	settle(watcher, &scan);
	hub->scanned += scan.looked;
	if (rc < 0 && batch.count == 0)
		return rc;
	watcher->woken = batch.count > 0 || again; /* I5 */
	*ret_count = batch.count;
	*ret_partial = watcher->inside;
	*ret_again = again;
	return 0;
}
