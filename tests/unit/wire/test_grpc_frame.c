#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/grpc_frame.h"

static void a_message_in_one_piece_is_given_where_it_lies(void **state)
{
	struct es_slice input = ES_SLICE("\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\1x");
	const uint8_t *start = input.data;
	struct es_fault_mem none;
	struct es_grpc_frame frame;
	struct es_slice message;

	(void)state;
	es_fault_mem_init(&none, 0); /* there is no memory to be had, and none is needed */
	es_grpc_frame_init(&frame, &none.mem, 3);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 1);
	assert_ptr_equal(message.data, start + 5);
	assert_int_equal(message.len, 3);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 1);
	assert_int_equal(message.len, 0);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 1);
	assert_ptr_equal(message.data, start + 18);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 0);
	assert_int_equal(input.len, 0);
	assert_false(es_grpc_frame_is_partial(&frame));
	assert_false(none.fired);
	es_grpc_frame_close(&frame);
}

/* Some messages of the lengths given, each filled with its number. */
static struct es_slice framed(const uint32_t *lens, size_t count, uint8_t *space)
{
	uint8_t *end = space;

	for (size_t i = 0; i < count; i++) {
		end = es_grpc_frame_write(end, lens[i]);
		memset(end, (int)i, lens[i]);
		end += lens[i];
	}
	return es_slice(space, (size_t)(end - space));
}

static void messages_come_whole_however_they_are_cut(void **state)
{
	static const uint32_t lens[] = {0, 1, 5, 70000, 0, 300, 200000, 3};
	static uint8_t space[300000];
	struct es_slice all = framed(lens, sizeof(lens) / sizeof(lens[0]), space);

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		size_t piece_max = (size_t)1 << (seed % 18);
		struct es_slice rest = all;
		struct es_fault_mem counted;
		struct es_grpc_frame frame;
		struct es_slice message;
		struct es_rng rng;
		size_t got = 0;

		es_rng_init(&rng, seed);
		es_fault_mem_init(&counted, UINT64_MAX);
		es_grpc_frame_init(&frame, &counted.mem, 200000);
		while (rest.len > 0) {
			size_t len = 1 + (size_t)es_rng_below(&rng, piece_max);
			struct es_slice piece = es_slice(rest.data,
							 len < rest.len ? len : rest.len);
			int rc;

			rest = es_slice(rest.data + piece.len, rest.len - piece.len);
			while ((rc = es_grpc_frame_next(&frame, &piece, &message)) == 1) {
				assert_int_equal(message.len, lens[got]);
				for (size_t i = 0; i < message.len; i++)
					if (message.data[i] != got)
						fail_msg("seed %llu: message %zu",
							 (unsigned long long)seed, got);
				got++;
			}
			assert_int_equal(rc, 0);
			assert_int_equal(piece.len, 0);
		}
		assert_int_equal(got, sizeof(lens) / sizeof(lens[0]));
		assert_false(es_grpc_frame_is_partial(&frame));
		es_grpc_frame_close(&frame);
		assert_int_equal(counted.live, 0);
	}
}

static void memory_follows_what_came_not_what_was_announced(void **state)
{
	struct es_slice input = ES_SLICE("\0\x7f\xff\xff\xff"
					 "a");
	struct es_grpc_frame frame;
	struct es_slice message;

	(void)state;
	es_grpc_frame_init(&frame, es_mem_default(), UINT32_MAX);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 0);
	assert_true(es_grpc_frame_is_partial(&frame));
	assert_true(frame.message.cap <= 65536);
	es_grpc_frame_close(&frame);
}

static void half_a_prefix_is_partial(void **state)
{
	struct es_slice input = ES_SLICE("\0");
	struct es_grpc_frame frame;
	struct es_slice message;

	(void)state;
	es_grpc_frame_init(&frame, es_mem_default(), 10);
	assert_false(es_grpc_frame_is_partial(&frame));
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 0);
	assert_true(es_grpc_frame_is_partial(&frame));
	input = ES_SLICE("\0\0\0\1");
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), 0);
	assert_true(es_grpc_frame_is_partial(&frame));
	es_grpc_frame_close(&frame);
}

static void refused(struct es_slice input, int status, struct es_slice encoding,
		    enum es_grpc_code code, const char *text)
{
	struct es_grpc_frame frame;
	struct es_slice message;
	char got[128];

	es_grpc_frame_init(&frame, es_mem_default(), 1000);
	assert_int_equal(es_grpc_frame_next(&frame, &input, &message), status);
	assert_int_equal(es_grpc_frame_error(&frame, status, encoding, got, sizeof(got)), code);
	assert_string_equal(got, text);
	es_grpc_frame_close(&frame);
}

static void refusals_read_as_those_of_grpc_go(void **state)
{
	struct es_slice none = {NULL, 0};

	(void)state;
	refused(ES_SLICE("\0\0\0\x03\xe9"), ES_ETOO_LARGE, none, ES_GRPC_RESOURCE_EXHAUSTED,
		"grpc: received message larger than max (1001 vs. 1000)");
	refused(ES_SLICE("\1\xff\xff\xff\xff"), ES_ETOO_LARGE, ES_SLICE("gzip"),
		ES_GRPC_RESOURCE_EXHAUSTED,
		"grpc: received message larger than max (4294967295 vs. 1000)");
	refused(ES_SLICE("\1\0\0\0\1"), ES_EUNIMPLEMENTED, ES_SLICE("gzip"), ES_GRPC_UNIMPLEMENTED,
		"grpc: Decompressor is not installed for grpc-encoding \"gzip\"");
	refused(ES_SLICE("\1\0\0\0\1"), ES_EUNIMPLEMENTED, none, ES_GRPC_INTERNAL,
		"grpc: compressed flag set with identity or empty encoding");
	refused(ES_SLICE("\1\0\0\0\1"), ES_EUNIMPLEMENTED, ES_SLICE("identity"), ES_GRPC_INTERNAL,
		"grpc: compressed flag set with identity or empty encoding");
	refused(ES_SLICE("\2\0\0\0\1"), ES_EDECODE, none, ES_GRPC_INTERNAL,
		"grpc: received unexpected payload format 2");
}

static void a_text_is_cut_to_its_space(void **state)
{
	struct es_grpc_frame frame;
	char text[12];

	(void)state;
	es_grpc_frame_init(&frame, es_mem_default(), 1);
	assert_int_equal(es_grpc_frame_error(&frame, ES_ENOMEM, ES_SLICE(""), text, sizeof(text)),
			 ES_GRPC_RESOURCE_EXHAUSTED);
	assert_string_equal(text, "engenho: ou");
	es_grpc_frame_close(&frame);
}

static void gathering_without_memory_is_an_error(void **state)
{
	uint8_t *space = calloc(1, 100005);
	int rc = 1;

	(void)state;
	assert_non_null(space);
	es_grpc_frame_write(space, 100000);
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_grpc_frame frame;
		struct es_slice message;

		es_fault_mem_init(&fault, n);
		es_grpc_frame_init(&frame, &fault.mem, 100000);
		for (size_t at = 0; at < 100005; at += 20001) {
			struct es_slice piece = es_slice(space + at, 20001);

			rc = es_grpc_frame_next(&frame, &piece, &message);
			if (rc != 0)
				break;
		}
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 1);
		es_grpc_frame_close(&frame);
		assert_int_equal(fault.live, 0);
		if (!fault.fired) {
			assert_int_equal(n, 2);
			break;
		}
	}
	free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_in_one_piece_is_given_where_it_lies),
		cmocka_unit_test(messages_come_whole_however_they_are_cut),
		cmocka_unit_test(memory_follows_what_came_not_what_was_announced),
		cmocka_unit_test(half_a_prefix_is_partial),
		cmocka_unit_test(refusals_read_as_those_of_grpc_go),
		cmocka_unit_test(a_text_is_cut_to_its_space),
		cmocka_unit_test(gathering_without_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
