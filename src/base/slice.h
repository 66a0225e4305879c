#ifndef ES_BASE_SLICE_H
#define ES_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns. `data` may be NULL only when `len` is 0. */
struct es_slice {
	const uint8_t *data;
	size_t len;
};

#define ES_SLICE(literal) ((struct es_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct es_slice es_slice(const void *data, size_t len)
{
	return (struct es_slice){(const uint8_t *)data, len};
}

static inline struct es_slice es_slice_str(const char *text)
{
	return es_slice(text, strlen(text));
}

/* Bytewise order, a prefix before what it begins: < 0, 0, > 0. */
static inline int es_slice_cmp(struct es_slice a, struct es_slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int rc = n == 0 ? 0 : memcmp(a.data, b.data, n);

	if (rc != 0)
		return rc;
	return (a.len > b.len) - (a.len < b.len);
}

static inline bool es_slice_eq(struct es_slice a, struct es_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
