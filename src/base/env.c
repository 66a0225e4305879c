#include "base/env.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>

#include "base/assert.h"

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;
	int rc = clock_gettime(clock, &ts);

	ES_ASSERT(rc == 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t system_now_ms(void *ctx)
{
	(void)ctx;
	return clock_ms(CLOCK_MONOTONIC);
}

static uint64_t system_wall_ms(void *ctx)
{
	(void)ctx;
	return clock_ms(CLOCK_REALTIME);
}

static uint64_t system_now_us(void *ctx)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_MONOTONIC, &ts);

	(void)ctx;
	ES_ASSERT(rc == 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void system_random(void *ctx, void *out, size_t len)
{
	uint8_t *bytes = out;

	(void)ctx;
	while (len > 0) {
		ssize_t got = getrandom(bytes, len, 0);

		if (got < 0) {
			/* Nothing else can happen to a valid buffer and no flags. */
			ES_ASSERT(errno == EINTR);
			continue;
		}
		bytes += got;
		len -= (size_t)got;
	}
}

const struct es_env *es_env_system(void)
{
	static const struct es_env env = {system_now_ms, system_wall_ms, system_random, NULL,
					  system_now_us};

	return &env;
}

uint64_t es_env_now_us(const struct es_env *env)
{
	return env->now_us != NULL ? env->now_us(env->ctx) : env->now_ms(env->ctx) * 1000;
}
