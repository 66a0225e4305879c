/*
 * The parser of gRPC messages, fed the same stream whole and in pieces: it must give the same
 * messages and end the same way. The first byte is the length limit (times 16), the second how long
 * the pieces are.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "wire/grpc_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	int status;
	size_t messages;
	size_t bytes;
	uint32_t crc;
	bool partial;
};

static struct outcome parse(struct es_slice stream, size_t message_bytes_max, size_t piece_bytes)
{
	struct outcome outcome = {0};
	struct es_grpc_frame frame;
	struct es_slice message;

	es_grpc_frame_init(&frame, es_mem_default(), message_bytes_max);
	while (stream.len > 0 && outcome.status == 0) {
		struct es_slice piece = es_slice(
			stream.data, stream.len < piece_bytes ? stream.len : piece_bytes);

		stream = es_slice(stream.data + piece.len, stream.len - piece.len);
		while ((outcome.status = es_grpc_frame_next(&frame, &piece, &message)) == 1) {
			ES_ASSERT(message.len <= message_bytes_max);
			outcome.messages++;
			outcome.bytes += message.len;
			outcome.crc = es_crc32c(outcome.crc, message);
		}
		ES_ASSERT(outcome.status < 0 || piece.len == 0);
	}
	outcome.partial = outcome.status == 0 && es_grpc_frame_is_partial(&frame);
	if (outcome.status < 0) {
		char text[64];

		(void)es_grpc_frame_error(&frame, outcome.status, stream, text, sizeof(text));
		ES_ASSERT(memchr(text, '\0', sizeof(text)) != NULL);
	}
	es_grpc_frame_close(&frame);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole;
	struct outcome pieces;
	struct es_slice stream;

	if (size < 2)
		return 0;
	stream = es_slice(data + 2, size - 2);
	whole = parse(stream, (size_t)data[0] * 16, SIZE_MAX);
	pieces = parse(stream, (size_t)data[0] * 16, (size_t)data[1] + 1);
	ES_ASSERT(whole.status == pieces.status);
	ES_ASSERT(whole.messages == pieces.messages);
	ES_ASSERT(whole.bytes == pieces.bytes);
	ES_ASSERT(whole.crc == pieces.crc);
	ES_ASSERT(whole.partial == pieces.partial);
	return 0;
}
