#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"

void es_buf_init(struct es_buf *buf, const struct es_mem *mem)
{
	*buf = (struct es_buf){.mem = mem};
}

void es_buf_close(struct es_buf *buf)
{
	es_free(buf->mem, buf->data);
	*buf = (struct es_buf){.mem = buf->mem};
}

int es_buf_reserve(struct es_buf *buf, size_t more)
{
	size_t need;
	size_t cap = buf->cap < 64 ? 64 : buf->cap;
	uint8_t *grown;

	if (__builtin_add_overflow(buf->len, more, &need))
		return ES_ENOMEM;
	if (need <= buf->cap)
		return 0;
	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return ES_ENOMEM;
		cap *= 2;
	}
	grown = es_realloc(buf->mem, buf->data, cap);
	if (grown == NULL)
		return ES_ENOMEM;
	buf->data = grown;
	buf->cap = cap;
	return 0;
}

int es_buf_append(struct es_buf *buf, const void *data, size_t len)
{
	int rc = es_buf_reserve(buf, len);

	if (rc < 0)
		return rc;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	return 0;
}

int es_buf_append_slice(struct es_buf *buf, struct es_slice bytes)
{
	return es_buf_append(buf, bytes.data, bytes.len);
}

int es_buf_append_str(struct es_buf *buf, const char *text)
{
	return es_buf_append(buf, text, strlen(text));
}

int es_buf_printf(struct es_buf *buf, const char *format, ...)
{
	va_list args;
	int len;
	int rc;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	ES_ASSERT(len >= 0);
	rc = es_buf_reserve(buf, (size_t)len + 1);
	if (rc < 0)
		return rc;
	va_start(args, format);
	(void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

int es_buf_append_u8(struct es_buf *buf, uint8_t value)
{
	return es_buf_append(buf, &value, 1);
}

int es_buf_append_u32le(struct es_buf *buf, uint32_t value)
{
	uint8_t bytes[4];

	es_store_u32le(bytes, value);
	return es_buf_append(buf, bytes, sizeof(bytes));
}

int es_buf_append_u64le(struct es_buf *buf, uint64_t value)
{
	uint8_t bytes[8];

	es_store_u64le(bytes, value);
	return es_buf_append(buf, bytes, sizeof(bytes));
}

void es_buf_consume(struct es_buf *buf, size_t n)
{
	ES_ASSERT(n <= buf->len);
	if (n < buf->len)
		memmove(buf->data, buf->data + n, buf->len - n);
	buf->len -= n;
}

struct es_slice es_read_bytes(struct es_reader *reader, size_t len)
{
	struct es_slice bytes;

	if (reader->failed || reader->rest.len < len) {
		reader->failed = true;
		return es_slice(NULL, 0);
	}
	bytes = es_slice(reader->rest.data, len);
	reader->rest = es_slice(len == 0 ? reader->rest.data : reader->rest.data + len,
				reader->rest.len - len);
	return bytes;
}

uint8_t es_read_u8(struct es_reader *reader)
{
	struct es_slice bytes = es_read_bytes(reader, 1);

	return bytes.len == 1 ? bytes.data[0] : 0;
}

uint32_t es_read_u32le(struct es_reader *reader)
{
	struct es_slice bytes = es_read_bytes(reader, 4);

	return bytes.len == 4 ? es_load_u32le(bytes.data) : 0;
}

uint64_t es_read_u64le(struct es_reader *reader)
{
	struct es_slice bytes = es_read_bytes(reader, 8);

	return bytes.len == 8 ? es_load_u64le(bytes.data) : 0;
}
