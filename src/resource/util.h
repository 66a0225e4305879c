#ifndef ES_RESOURCE_UTIL_H
#define ES_RESOURCE_UTIL_H

#include "base/json.h"

/* Small things that several files of the module need. Pure. */

/* Print what a person is to read; what does not fit is cut off between characters. `size` 0: nothing is written. */
void es_resource_say(char *errmsg, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* For %.*s of what came from outside: at most 64 bytes of it, cut between characters. */
int es_resource_say_len(struct es_slice text);

bool es_resource_is_utf8(struct es_slice text);

/* A member of metadata that is there: null and "" are not. `value` may be NULL. */
bool es_resource_is_set(const struct es_json *value);

/* Are more than `depth_max` containers in each other? */
bool es_resource_is_deeper(const struct es_json *value, unsigned depth_max);

/*
 * A buffer whose bytes are an arena's: what is written into it needs no close, and lives as long as the arena. `buffer`
 * is embedded by the caller and not moved.
 */
struct es_arena_buf {
	struct es_buf buf;
	struct es_mem mem;
	struct es_arena *arena;
};
void es_arena_buf_init(struct es_arena_buf *buffer, struct es_arena *arena);

#endif
