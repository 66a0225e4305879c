#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "rpc/wheel.h"

static unsigned fired;
static uint64_t now;

static void on_fire(struct es_wheel_item *item, void *ctx)
{
	(void)ctx;
	assert_true(item->due_ms <= now);
	assert_true(now - item->due_ms <= 2 * ES_WHEEL_TICK_MS);
	fired++;
}

static void items_fire_at_their_time(void **state)
{
	static struct es_wheel_item items[2000];
	struct es_wheel wheel;
	struct es_rng rng;
	size_t removed = 0;

	(void)state;
	now = 123456;
	fired = 0;
	es_rng_init(&rng, 7);
	es_wheel_init(&wheel, now);
	assert_int_equal(es_wheel_next_ms(&wheel), UINT64_MAX);
	for (size_t i = 0; i < 2000; i++) {
		es_queue_init(&items[i].link);
		es_wheel_add(&wheel, &items[i], now + es_rng_below(&rng, 10000));
	}
	for (size_t i = 0; i < 2000; i += 3, removed++) {
		es_wheel_remove(&wheel, &items[i]);
		es_wheel_remove(&wheel, &items[i]); /* a second time does nothing */
	}
	while (wheel.count > 0) {
		uint64_t next = es_wheel_next_ms(&wheel);

		assert_true(next > now);
		now = next;
		es_wheel_advance(&wheel, now, on_fire, NULL);
	}
	assert_int_equal(fired, 2000 - removed);
}

static void a_long_pause_loses_nothing(void **state)
{
	struct es_wheel_item items[3];
	struct es_wheel wheel;

	(void)state;
	fired = 0;
	es_wheel_init(&wheel, 0);
	for (size_t i = 0; i < 3; i++) {
		es_queue_init(&items[i].link);
		es_wheel_add(&wheel, &items[i], i * 100000);
	}
	now = 200000 + ES_WHEEL_TICK_MS;
	items[0].due_ms = items[1].due_ms = items[2].due_ms; /* on_fire judges punctuality */
	es_wheel_advance(&wheel, now, on_fire, NULL);
	assert_int_equal(fired, 3);
}

static void fire_other(struct es_wheel_item *item, void *ctx)
{
	struct es_wheel *wheel = ctx;

	es_wheel_remove(wheel, item + 1); /* also due */
	es_wheel_add(wheel, item, 5000);
	fired++;
}

static void firing_may_change_the_wheel(void **state)
{
	struct es_wheel_item items[2];
	struct es_wheel wheel;

	(void)state;
	fired = 0;
	es_wheel_init(&wheel, 0);
	for (size_t i = 0; i < 2; i++) {
		es_queue_init(&items[i].link);
		es_wheel_add(&wheel, &items[i], 100);
	}
	es_wheel_advance(&wheel, 1000, fire_other, &wheel);
	assert_int_equal(fired, 1);
	assert_int_equal(wheel.count, 1);
	/* It may be looked at before its time, but is not fired. */
	assert_in_range(es_wheel_next_ms(&wheel), 1001, 5000 + ES_WHEEL_TICK_MS);
	es_wheel_advance(&wheel, 4999, fire_other, &wheel);
	assert_int_equal(fired, 1);
	es_wheel_remove(&wheel, &items[0]);
	assert_int_equal(wheel.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_fire_at_their_time),
		cmocka_unit_test(a_long_pause_loses_nothing),
		cmocka_unit_test(firing_may_change_the_wheel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
