/* grpc-timeout and grpc-message: what was encoded decodes to itself, and decoding never gives more
 * than it was given. */
#include <stdlib.h>

#include "base/assert.h"
#include "wire/grpc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct es_slice text)
{
	size_t len = es_grpc_percent_size(text);
	uint8_t *encoded = malloc(len + 1);

	ES_ASSERT(encoded != NULL);
	ES_ASSERT(es_grpc_percent_write(encoded, text) == encoded + len);
	for (size_t i = 0; i < len; i++)
		ES_ASSERT(encoded[i] >= ' ' && encoded[i] <= '~');
	len = es_grpc_percent_decode(es_slice(encoded, len), encoded);
	ES_ASSERT(es_slice_eq(es_slice(encoded, len), text));
	free(encoded);
}

static void decode(struct es_slice text)
{
	uint8_t *out = malloc(text.len + 1);

	ES_ASSERT(out != NULL);
	ES_ASSERT(es_grpc_percent_decode(text, out) <= text.len);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice text = es_slice(data, size);
	uint64_t timeout_ns;

	if (es_grpc_timeout_parse(text, &timeout_ns) == 0) {
		ES_ASSERT(size >= 2);
		ES_ASSERT(size <= 9);
		ES_ASSERT(timeout_ns <= INT64_MAX);
	}
	round_trip(text);
	decode(text);
	return 0;
}
