#ifndef ES_BASE_BUF_H
#define ES_BASE_BUF_H

#include "base/mem.h"

/* A growing byte buffer. Zeroed with `mem` set is an empty buffer. Functions return 0 or ES_ENOMEM and then leave the
 * content as it was. */
struct es_buf {
	const struct es_mem *mem;
	uint8_t *data;
	size_t len;
	size_t cap;
};

void es_buf_init(struct es_buf *buf, const struct es_mem *mem);
void es_buf_close(struct es_buf *buf);
/* Room for `more` bytes behind `len`. */
int es_buf_reserve(struct es_buf *buf, size_t more);
int es_buf_append(struct es_buf *buf, const void *data, size_t len);
int es_buf_append_slice(struct es_buf *buf, struct es_slice bytes);
int es_buf_append_str(struct es_buf *buf, const char *text);
int es_buf_printf(struct es_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Fixed-width little-endian integers. */
int es_buf_append_u8(struct es_buf *buf, uint8_t value);
int es_buf_append_u32le(struct es_buf *buf, uint32_t value);
int es_buf_append_u64le(struct es_buf *buf, uint64_t value);
/* Drop the first `n` bytes (n <= len). */
void es_buf_consume(struct es_buf *buf, size_t n);

static inline struct es_slice es_buf_slice(const struct es_buf *buf)
{
	return es_slice(buf->data, buf->len);
}

/*
 * Reading fixed-width fields out of untrusted bytes: a failed read sets `failed`, yields 0 or an empty slice, and
 * every later read fails too, so a decoder checks once at its end.
 */
struct es_reader {
	struct es_slice rest;
	bool failed;
};

static inline struct es_reader es_reader(struct es_slice bytes)
{
	return (struct es_reader){bytes, false};
}

uint8_t es_read_u8(struct es_reader *reader);
uint32_t es_read_u32le(struct es_reader *reader);
uint64_t es_read_u64le(struct es_reader *reader);
struct es_slice es_read_bytes(struct es_reader *reader, size_t len);

static inline uint32_t es_load_u32le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t es_load_u64le(const uint8_t *p)
{
	return (uint64_t)es_load_u32le(p) | (uint64_t)es_load_u32le(p + 4) << 32;
}

static inline void es_store_u32le(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void es_store_u64le(uint8_t *p, uint64_t v)
{
	es_store_u32le(p, (uint32_t)v);
	es_store_u32le(p + 4, (uint32_t)(v >> 32));
}

static inline void es_store_u64be(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

#endif
