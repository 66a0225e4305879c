/*
 * Continue tokens. The first byte says what the rest is: a text, or (odd) what a token is made of. A text that is
 * a token is the one that it is written as.
 */
#include "base/assert.h"
#include "resource/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLUSTER 7u

static void check(struct es_slice text, struct es_arena *arena, bool must_be_one)
{
	struct es_token token;
	struct es_buf again;
	int rc = es_token_decode(text, CLUSTER, ES_SLICE("query"), arena, &token);

	ES_ASSERT(rc == 0 || (rc == ES_EINVAL && !must_be_one));
	if (rc < 0)
		return;
	es_buf_init(&again, es_mem_default());
	ES_ASSERT(es_token_encode(&again, &token, CLUSTER, ES_SLICE("query")) == 0);
	ES_ASSERT(es_slice_eq(text, es_buf_slice(&again)));
	es_buf_close(&again);
	ES_ASSERT(es_token_decode(text, CLUSTER + 1, ES_SLICE("query"), arena, &token) ==
		  ES_EINVAL);
	ES_ASSERT(es_token_decode(text, CLUSTER, ES_SLICE("other"), arena, &token) == ES_EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_reader reader = es_reader(es_slice(data, size));
	bool parts = es_read_u8(&reader) % 2 == 1;
	struct es_token token;
	struct es_arena arena;
	struct es_buf text;

	es_arena_init(&arena, es_mem_default(), 1024);
	es_buf_init(&text, es_mem_default());
	if (parts) {
		token.revision = (int64_t)(es_read_u64le(&reader) >> 1);
		token.remaining = es_read_u64le(&reader);
		token.last_path = reader.rest;
		if (!reader.failed && token.revision > 0) {
			ES_ASSERT(es_token_encode(&text, &token, CLUSTER, ES_SLICE("query")) == 0);
			check(es_buf_slice(&text), &arena, true);
		}
	} else {
		check(reader.rest, &arena, false);
	}
	es_buf_close(&text);
	es_arena_close(&arena);
	return 0;
}
