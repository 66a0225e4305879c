#ifndef ES_BASE_ASSERT_H
#define ES_BASE_ASSERT_H

#include <stddef.h>

/*
 * ES_ASSERT states what only a mistake of ours could break; it stays on in release builds, as going on with a broken
 * invariant would put wrong data on disk. The argument has no side effects. What disks, peers and users can cause is
 * returned as an error instead.
 */
#define ES_ASSERT(condition) \
	((condition) ? (void)0 : es_assert_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void es_assert_failed(const char *condition, const char *file, int line,
				const char *function);

#define ES_CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define ES_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
