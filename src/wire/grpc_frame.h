#ifndef ES_WIRE_GRPC_FRAME_H
#define ES_WIRE_GRPC_FRAME_H

#include "base/buf.h"
#include "base/status.h"

/*
 * gRPC's message framing: a byte that says whether the message is compressed, its length in four
 * bytes (big-endian), the message. The parser takes the bytes of a stream in whatever pieces they
 * come and gives whole messages. One parser per direction of a stream.
 *
 * A message that lies whole within a piece is given as it lies there; one that does not is
 * gathered, in memory that grows with the bytes that came, not with the length that was announced.
 */
#define ES_GRPC_PREFIX_BYTES 5

struct es_grpc_frame {
	size_t message_bytes_max;
	uint8_t prefix[ES_GRPC_PREFIX_BYTES];
	uint8_t prefix_len;    /* of the present message, 0 between two messages */
	uint32_t message_len;  /* once the prefix is whole */
	struct es_buf message; /* gathered so far */
};

/* Allocates nothing yet. */
void es_grpc_frame_init(struct es_grpc_frame *frame, const struct es_mem *mem,
			size_t message_bytes_max);
void es_grpc_frame_close(struct es_grpc_frame *frame);

/*
 * The next message out of `*bytes`, which moves on behind what was used. 1: *ret_message holds one,
 * borrowed from *bytes or from the parser; valid until the next call and for as long as *bytes is.
 * Call again until it returns 0: everything is used up. The parser must not be fed any more after
 * an error, which comes as soon as the prefix shows it:
 *
 *   ES_ETOO_LARGE        longer than message_bytes_max
 *   ES_EUNIMPLEMENTED    compressed
 *   ES_EDECODE           the first byte is neither 0 nor 1
 *   ES_ENOMEM
 *
 * es_grpc_frame_error has the status for the client.
 */
int es_grpc_frame_next(struct es_grpc_frame *frame, struct es_slice *bytes,
		       struct es_slice *ret_message);

/* The input ended in the middle of a message, if it ended now. */
bool es_grpc_frame_is_partial(const struct es_grpc_frame *frame);

/* The status and text with which grpc-go refuses what es_grpc_frame_next refused with `status`.
 * `encoding` is the request's grpc-encoding, empty when it had none. The text is cut to fit. */
enum es_grpc_code es_grpc_frame_error(const struct es_grpc_frame *frame, int status,
				      struct es_slice encoding, char *ret_text, size_t text_bytes);

/* Write the prefix of an uncompressed message and return the place behind it. */
static inline uint8_t *es_grpc_frame_write(uint8_t *out, uint32_t message_len)
{
	out[0] = 0;
	out[1] = (uint8_t)(message_len >> 24);
	out[2] = (uint8_t)(message_len >> 16);
	out[3] = (uint8_t)(message_len >> 8);
	out[4] = (uint8_t)message_len;
	return out + ES_GRPC_PREFIX_BYTES;
}

#endif
