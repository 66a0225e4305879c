#ifndef ES_BASE_ENV_H
#define ES_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

/*
 * Everything that is not determined by the log comes in through here, so that a simulator can supply its own:
 * clocks and randomness. Timers and I/O have interfaces of their own.
 */
struct es_env {
	/* Monotonic. */
	uint64_t (*now_ms)(void *ctx);
	/* Since 1970-01-01 UTC. */
	uint64_t (*wall_ms)(void *ctx);
	/* Unpredictable bytes; cannot fail. */
	void (*random)(void *ctx, void *out, size_t len);
	void *ctx;
	/* Monotonic, for durations. NULL: now_ms is all there is. */
	uint64_t (*now_us)(void *ctx);
};

uint64_t es_env_now_us(const struct es_env *env);

/* The machine's own clocks and getrandom(2). */
const struct es_env *es_env_system(void);

#endif
