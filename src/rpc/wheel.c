/*
 * An item is in the slot of its tick modulo the number of slots. An item that is due more than a
 * turn of the wheel from now is looked at once each turn and left where it is.
 */
#include "rpc/wheel.h"

static uint64_t tick_of(uint64_t due_ms)
{
	return due_ms / ES_WHEEL_TICK_MS + 1; /* rounded up: never early */
}

void es_wheel_init(struct es_wheel *wheel, uint64_t now_ms)
{
	for (size_t i = 0; i < ES_WHEEL_SLOTS; i++)
		es_queue_init(&wheel->slots[i]);
	wheel->tick = now_ms / ES_WHEEL_TICK_MS;
	wheel->count = 0;
}

void es_wheel_add(struct es_wheel *wheel, struct es_wheel_item *item, uint64_t due_ms)
{
	uint64_t tick = tick_of(due_ms);

	ES_ASSERT(es_queue_empty(&item->link));
	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	item->due_ms = due_ms;
	es_queue_push(&wheel->slots[tick % ES_WHEEL_SLOTS], &item->link);
	wheel->count++;
}

void es_wheel_remove(struct es_wheel *wheel, struct es_wheel_item *item)
{
	if (es_queue_empty(&item->link))
		return;
	es_queue_remove(&item->link);
	wheel->count--;
}

static void take_due(struct es_queue *slot, uint64_t now_ms, struct es_queue *due)
{
	struct es_queue *next;

	for (struct es_queue *q = slot->next; q != slot; q = next) {
		next = q->next;
		if (ES_QUEUE_ITEM(q, struct es_wheel_item, link)->due_ms > now_ms)
			continue;
		es_queue_remove(q);
		es_queue_push(due, q);
	}
}

void es_wheel_advance(struct es_wheel *wheel, uint64_t now_ms,
		      void (*fire)(struct es_wheel_item *item, void *ctx), void *ctx)
{
	uint64_t to = now_ms / ES_WHEEL_TICK_MS;
	struct es_queue due;
	struct es_queue *q;

	if (to <= wheel->tick)
		return;
	if (to - wheel->tick > ES_WHEEL_SLOTS)
		wheel->tick = to - ES_WHEEL_SLOTS;
	es_queue_init(&due);
	while (wheel->tick < to)
		take_due(&wheel->slots[++wheel->tick % ES_WHEEL_SLOTS], now_ms, &due);
	/* `fire` may remove any item, in `due` as well. */
	while ((q = es_queue_pop(&due)) != NULL) {
		wheel->count--;
		fire(ES_QUEUE_ITEM(q, struct es_wheel_item, link), ctx);
	}
}

uint64_t es_wheel_next_ms(const struct es_wheel *wheel)
{
	if (wheel->count == 0)
		return UINT64_MAX;
	for (uint64_t tick = wheel->tick + 1;; tick++) {
		if (!es_queue_empty(&wheel->slots[tick % ES_WHEEL_SLOTS]))
			return tick * ES_WHEEL_TICK_MS;
	}
}
