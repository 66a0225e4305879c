#include "api/internal.h"

#define EVENTS_MAX  64
#define BATCH_BYTES (64 * 1024)
#define SCAN_MAX    4096
#define SERVED_MAX  64    /* in one turn of the loop */
#define COST_MAX    16384 /* and so many keys looked at for them */
#define QUEUE_HIGH  (256 * 1024)

static void on_wake(struct es_engine_watch_owner *owner)
{
	struct es_api_waiter *waiter = ES_CONTAINER_OF(owner, struct es_api_waiter, owner);

	if (es_queue_empty(&waiter->link))
		es_queue_push(&waiter->api->ready_waiters, &waiter->link);
	es_api_watch_wake(waiter->api);
}

struct es_slice es_api_prefix_end(struct es_slice prefix, uint8_t *buffer)
{
	size_t len = prefix.len;

	while (len > 0 && prefix.data[len - 1] == 0xff)
		len--;
	if (len == 0)
		return es_slice("", 1);
	memcpy(buffer, prefix.data, len);
	buffer[len - 1]++;
	return es_slice(buffer, len);
}

void es_api_wait_init(struct es_api_waiter *waiter, struct es_api *api)
{
	waiter->owner.wake = on_wake;
	waiter->api = api;
	waiter->watcher = NULL;
	es_queue_init(&waiter->link);
}

int es_api_wait_begin(struct es_api_waiter *waiter, struct es_mvcc_range range, bool deletes_only,
		      int64_t start_revision)
{
	const struct es_watch_spec spec = {
		.range = range, .start_revision = start_revision, .filter_put = deletes_only};
	int rc = es_watch_add(es_engine_watch_hub(waiter->api->engine), &spec, &waiter->owner,
			      &waiter->watcher);

	if (rc == 0 && start_revision > 0)
		on_wake(&waiter->owner); /* it may be in the past */
	return rc;
}

void es_api_wait_end(struct es_api_waiter *waiter)
{
	if (waiter->watcher != NULL)
		es_watch_remove(es_engine_watch_hub(waiter->api->engine), waiter->watcher);
	waiter->watcher = NULL;
	es_queue_remove(&waiter->link);
}

void es_api_wait_again(struct es_api_waiter *waiter)
{
	on_wake(&waiter->owner);
}

/* The waiter stays linked when it is to be called again. Its owner may be gone afterwards. */
static void serve(struct es_api_waiter *waiter)
{
	struct es_watch_hub *hub = es_engine_watch_hub(waiter->api->engine);
	struct es_watch_event *events[EVENTS_MAX];
	int64_t revisions[EVENTS_MAX];
	size_t count;
	bool partial;
	bool again;
	int rc;

	if (waiter->watcher == NULL) {
		es_queue_remove(&waiter->link);
		(void)waiter->changed(waiter, 0);
		return;
	}
	if (waiter->call != NULL && es_rpc_queued_bytes(waiter->call) >= QUEUE_HIGH) {
		es_queue_remove(&waiter->link); /* `writable` comes; the history waits as long */
		return;
	}
	rc = es_watch_next(hub, waiter->watcher, events, EVENTS_MAX, BATCH_BYTES, SCAN_MAX, &count,
			   &partial, &again);
	if (rc == ES_ENOMEM)
		return;
	if (rc < 0) {
		es_api_wait_end(waiter);
		waiter->lost(waiter, rc);
		return;
	}
	if (count == 0 && !again)
		es_queue_remove(&waiter->link); /* the hub will wake it */
	for (size_t i = 0; i < count; i++) {
		revisions[i] = events[i]->mod_revision;
		es_watch_event_unref(hub, events[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (i + 1 == count ? partial : revisions[i] == revisions[i + 1])
			continue;
		if (!waiter->changed(waiter, revisions[i]))
			return;
	}
}

void es_api_serve_waiters(struct es_api *api)
{
	uint64_t before = api->watch_cost;
	struct es_queue later;
	struct es_queue *link;

	es_queue_init(&later);
	for (int n = 0; n < SERVED_MAX && api->watch_cost - before < COST_MAX &&
			(link = es_queue_pop(&api->ready_waiters)) != NULL;
	     n++) {
		struct es_api_waiter *waiter = ES_QUEUE_ITEM(link, struct es_api_waiter, link);

		es_queue_push(&later,
			      &waiter->link); /* so that ending it unlinks it from wherever it is */
		serve(waiter);
	}
	while ((link = es_queue_pop(&later)) != NULL)
		es_queue_push(&api->ready_waiters, link);
}
