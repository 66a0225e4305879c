#include "wire/grpc_frame.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

/* Room that is made for a gathered message at once; a longer one grows by doubling. */
#define GATHER_BYTES_FIRST ((size_t)64 << 10)

void es_grpc_frame_init(struct es_grpc_frame *frame, const struct es_mem *mem,
			size_t message_bytes_max)
{
	*frame = (struct es_grpc_frame){.message_bytes_max = message_bytes_max};
	es_buf_init(&frame->message, mem);
}

void es_grpc_frame_close(struct es_grpc_frame *frame)
{
	es_buf_close(&frame->message);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct es_slice take(struct es_slice *bytes, size_t len)
{
	struct es_slice taken = es_slice(bytes->data, len);

	*bytes = es_slice(len == 0 ? bytes->data : bytes->data + len, bytes->len - len);
	return taken;
}

/* 1: the prefix is whole, and its message may come. */
static int read_prefix(struct es_grpc_frame *frame, struct es_slice *bytes)
{
	struct es_slice part = take(
		bytes, smaller(bytes->len, (size_t)(ES_GRPC_PREFIX_BYTES - frame->prefix_len)));
	const uint8_t *p = frame->prefix;

	if (part.len > 0)
		memcpy(frame->prefix + frame->prefix_len, part.data, part.len);
	frame->prefix_len = (uint8_t)(frame->prefix_len + part.len);
	if (frame->prefix_len < ES_GRPC_PREFIX_BYTES)
		return 0;
	frame->message_len = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 |
			     p[4];
	if (frame->message_len > frame->message_bytes_max)
		return ES_ETOO_LARGE;
	if (p[0] > 1)
		return ES_EDECODE;
	return p[0] == 1 ? ES_EUNIMPLEMENTED : 1;
}

/* 1: the message is whole. */
static int gather(struct es_grpc_frame *frame, struct es_slice *bytes)
{
	struct es_slice part = take(bytes,
				    smaller(bytes->len, frame->message_len - frame->message.len));
	int rc;

	if (part.len == 0)
		return 0;
	if (frame->message.cap == 0) {
		rc = es_buf_reserve(&frame->message,
				    smaller(frame->message_len, GATHER_BYTES_FIRST));
		if (rc < 0)
			return rc;
	}
	rc = es_buf_append_slice(&frame->message, part);
	if (rc < 0)
		return rc;
	return frame->message.len == frame->message_len;
}

int es_grpc_frame_next(struct es_grpc_frame *frame, struct es_slice *bytes,
		       struct es_slice *ret_message)
{
	int rc;

	if (frame->prefix_len == 0)
		es_buf_close(&frame->message); /* the one that was given last time */
	if (frame->prefix_len < ES_GRPC_PREFIX_BYTES) {
		rc = read_prefix(frame, bytes);
		if (rc <= 0)
			return rc;
	}
	if (frame->message.len == 0 && bytes->len >= frame->message_len) {
		*ret_message = take(bytes, frame->message_len);
	} else {
		rc = gather(frame, bytes);
		if (rc <= 0)
			return rc;
		*ret_message = es_buf_slice(&frame->message);
	}
	frame->prefix_len = 0;
	return 1;
}

bool es_grpc_frame_is_partial(const struct es_grpc_frame *frame)
{
	return frame->prefix_len > 0;
}

enum es_grpc_code es_grpc_frame_error(const struct es_grpc_frame *frame, int status,
				      struct es_slice encoding, char *ret_text, size_t text_bytes)
{
	ES_ASSERT(text_bytes > 0);
	switch (status) {
	case ES_ETOO_LARGE:
		snprintf(ret_text, text_bytes,
			 "grpc: received message larger than max (%" PRIu32 " vs. %zu)",
			 frame->message_len, frame->message_bytes_max);
		return ES_GRPC_RESOURCE_EXHAUSTED;
	case ES_EUNIMPLEMENTED:
		if (encoding.len == 0 || es_slice_eq(encoding, ES_SLICE("identity"))) {
			snprintf(ret_text, text_bytes,
				 "grpc: compressed flag set with identity or empty encoding");
			return ES_GRPC_INTERNAL;
		}
		snprintf(ret_text, text_bytes,
			 "grpc: Decompressor is not installed for grpc-encoding \"%.*s\"",
			 (int)smaller(encoding.len, 64), (const char *)encoding.data);
		return ES_GRPC_UNIMPLEMENTED;
	case ES_EDECODE:
		snprintf(ret_text, text_bytes, "grpc: received unexpected payload format %u",
			 frame->prefix[0]);
		return ES_GRPC_INTERNAL;
	default:
		snprintf(ret_text, text_bytes, "%s", es_status_text(status));
		return es_status_grpc(status);
	}
}
