#include "resource/util.h"

#include <stdarg.h>
#include <stdio.h>

#define SAY_BYTES_MAX 64

/* A byte that goes on with a character. */
static bool is_inner(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

void es_resource_say(char *errmsg, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	if (size == 0)
		return;
	va_start(args, format);
	len = vsnprintf(errmsg, size, format, args);
	va_end(args);
	if (len < 0) {
		errmsg[0] = '\0';
	} else if ((size_t)len >= size) {
		size_t end = size - 1;

		/* What vsnprintf wrote last may be the first bytes of a character: the next one is not known
		 * any more, so the last character goes in any case. */
		while (end > 0 && is_inner((uint8_t)errmsg[end - 1]))
			end--;
		if (end > 0 && (uint8_t)errmsg[end - 1] >= 0xc0)
			end--;
		if (end < size - 1)
			errmsg[end] = '\0';
	}
}

int es_resource_say_len(struct es_slice text)
{
	size_t len = text.len;

	if (len <= SAY_BYTES_MAX)
		return (int)len;
	for (len = SAY_BYTES_MAX; len > 0 && is_inner(text.data[len]); len--)
		;
	return (int)len;
}

/* How long the character is that begins at `text.data[at]`; 0: it is none. */
static size_t utf8_char(struct es_slice text, size_t at)
{
	const uint8_t *p = text.data + at;
	size_t left = text.len - at;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (len == 0 || len > left || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (!is_inner(p[i]))
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return len;
}

bool es_resource_is_utf8(struct es_slice text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t len = utf8_char(text, at);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

bool es_resource_is_set(const struct es_json *value)
{
	if (value == NULL || value->type == ES_JSON_NULL)
		return false;
	return value->type != ES_JSON_STRING || value->u.string.len > 0;
}

bool es_resource_is_deeper(const struct es_json *value, unsigned depth_max)
{
	if (value->type != ES_JSON_ARRAY && value->type != ES_JSON_OBJECT)
		return false;
	if (depth_max == 0)
		return true;
	for (uint32_t i = 0; i < value->count; i++) {
		const struct es_json *child = value->type == ES_JSON_ARRAY
						      ? &value->u.items[i]
						      : &value->u.members[i].value;

		if (es_resource_is_deeper(child, depth_max - 1))
			return true;
	}
	return false;
}

/* ---- buffers in an arena ---------------------------------------------------------------- */

/* In front of each block, as realloc has to know how much there is to copy. */
#define HEAD_BYTES _Alignof(max_align_t)

static void *arena_alloc(void *ctx, size_t size)
{
	struct es_arena_buf *buffer = ctx;
	uint8_t *block;

	if (size > SIZE_MAX - HEAD_BYTES)
		return NULL;
	block = es_arena_alloc(buffer->arena, HEAD_BYTES + size);
	if (block == NULL)
		return NULL;
	memcpy(block, &size, sizeof(size));
	return block + HEAD_BYTES;
}

static void *arena_realloc(void *ctx, void *pointer, size_t size)
{
	uint8_t *block = arena_alloc(ctx, size);
	size_t old;

	if (block == NULL || pointer == NULL)
		return block;
	memcpy(&old, (uint8_t *)pointer - HEAD_BYTES, sizeof(old));
	memcpy(block, pointer, old < size ? old : size);
	return block;
}

static void arena_free(void *ctx, void *pointer)
{
	(void)ctx;
	(void)pointer;
}

void es_arena_buf_init(struct es_arena_buf *buffer, struct es_arena *arena)
{
	buffer->arena = arena;
	buffer->mem = (struct es_mem){arena_alloc, arena_realloc, arena_free, buffer};
	es_buf_init(&buffer->buf, &buffer->mem);
}
