#ifndef ES_RPC_WHEEL_H
#define ES_RPC_WHEEL_H

#include "base/queue.h"

#include <stdint.h>

/*
 * A timer wheel for the deadlines of calls: adding and removing cost the same few instructions
 * however many there are. An item fires at its time or up to ES_WHEEL_TICK_MS late.
 */
#define ES_WHEEL_TICK_MS 8
#define ES_WHEEL_SLOTS   256

struct es_wheel {
	struct es_queue slots[ES_WHEEL_SLOTS];
	uint64_t tick; /* slots up to this tick were visited */
	size_t count;
};

struct es_wheel_item {
	struct es_queue link; /* es_queue_init before the first use */
	uint64_t due_ms;
};

void es_wheel_init(struct es_wheel *wheel, uint64_t now_ms);
void es_wheel_add(struct es_wheel *wheel, struct es_wheel_item *item, uint64_t due_ms);
/* An item that is not in the wheel may be removed. */
void es_wheel_remove(struct es_wheel *wheel, struct es_wheel_item *item);
/* Take out all items that are due and call `fire` with each. `fire` may add and remove items. */
void es_wheel_advance(struct es_wheel *wheel, uint64_t now_ms,
		      void (*fire)(struct es_wheel_item *item, void *ctx), void *ctx);
/* When es_wheel_advance has something to look at next; UINT64_MAX: never. */
uint64_t es_wheel_next_ms(const struct es_wheel *wheel);

#endif
