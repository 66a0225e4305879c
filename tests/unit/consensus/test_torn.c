#include "image.h"

#include "base/rng.h"

/*
 * What a power failure in the middle of a write may leave: each sector of it old or new, in any
 * mixture, the file's new size or less. The member must start from all of them, with everything but
 * that write, or with that as well.
 */
#define SECTOR 512

struct window {
	struct image before, after;
	uint8_t digest_before[ES_BLAKE3_BYTES], digest_after[ES_BLAKE3_BYTES];
};

static void settle(struct harness *h)
{
	for (int i = 0; i < 20; i++) { /* segments are allotted and closed in the background */
		uv_run(&h->loop, UV_RUN_NOWAIT);
		usleep(3000);
	}
}

static void propose_and_wait(struct harness *h, const void *data, size_t len)
{
	uint64_t target = h->answered + 1;

	h_propose(h, data, len);
	H_RUN_UNTIL(h, h->answered == target);
}

static uint8_t byte_at(const struct image_file *file, size_t at)
{
	return file != NULL && at < file->len ? file->data[at] : 0;
}

enum pattern { PATTERN_RANDOM, PATTERN_FIRST, PATTERN_LAST, PATTERN_ONE_OLD, PATTERNS };

/* `old` may be NULL: a segment that was new. */
static void mix(const struct image_file *old, const struct image_file *new, enum pattern pattern,
		struct es_rng *rng, struct image_file *ret_mixed)
{
	size_t low = old != NULL ? old->size : new->size,
	       sectors = (new->len + SECTOR - 1) / SECTOR;
	size_t first = 0, cut;

	*ret_mixed = *new;
	ret_mixed->data = calloc(1, sectors * SECTOR + 1);
	assert_non_null(ret_mixed->data);
	ret_mixed->len = sectors * SECTOR;
	/* Only sectors that the write changes count. */
	for (first = 0; first < sectors; first++) {
		bool same = true;

		for (size_t i = 0; i < SECTOR; i++)
			same = same &&
			       byte_at(old, first * SECTOR + i) == byte_at(new, first * SECTOR + i);
		if (!same)
			break;
	}
	cut = first + es_rng_below(rng, sectors - first + 1);
	for (size_t s = 0; s < sectors; s++) {
		bool is_new = pattern == PATTERN_RANDOM  ? es_rng_below(rng, 2) == 0
			      : pattern == PATTERN_FIRST ? s < cut
			      : pattern == PATTERN_LAST  ? s >= cut
							 : s != cut;

		for (size_t i = 0; i < SECTOR; i++)
			ret_mixed->data[s * SECTOR + i] = byte_at(is_new ? new : old,
								  s * SECTOR + i);
	}
	if (new->size > low) /* it went beyond what was allotted: the size may have grown in part */
		ret_mixed->size = low + es_rng_below(rng, (new->size - low) / SECTOR + 1) * SECTOR;
	if (ret_mixed->len > ret_mixed->size)
		ret_mixed->len = ret_mixed->size;
}

static void try_mixtures(struct window *w, const char *folder, int rounds, unsigned ret_with[2])
{
	struct es_rng rng;

	ret_with[0] = ret_with[1] = 0;
	es_rng_init(&rng, 99);
	for (int round = 0; round < rounds; round++) {
		uint8_t digest[ES_BLAKE3_BYTES];
		struct harness h;
		struct image mixed = {.count = 0};

		for (size_t i = 0; i < w->after.count; i++) {
			const struct image_file *new = &w->after.files[i];
			const struct image_file *old = image_find(&w->before, new->path);

			if (strcmp(new->path, "GUARD") == 0)
				new = old; /* it is written when the write is durable */
			else if (strncmp(new->path, "raft/open-", 10) == 0 && new->len > 0) {
				mix(old, new, (enum pattern)(round % PATTERNS), &rng,
				    &mixed.files[mixed.count++]);
				continue;
			}
			mixed.files[mixed.count] = *new;
			mixed.files[mixed.count].data = malloc(new->len + 1);
			assert_non_null(mixed.files[mixed.count].data);
			memcpy(mixed.files[mixed.count++].data, new->data, new->len);
		}
		image_put(&mixed, folder);
		image_free(&mixed);
		h_init(&h, folder);
		if (h_open(&h) != 0)
			fail_msg("round %d: %s", round, h.errmsg);
		h_digest(&h, digest);
		if (memcmp(digest, w->digest_after, sizeof(digest)) == 0)
			ret_with[1]++;
		else if (memcmp(digest, w->digest_before, sizeof(digest)) == 0)
			ret_with[0]++;
		else
			fail_msg("round %d: neither with the torn write nor without it", round);
		h_close(&h);
	}
	image_free(&w->before);
	image_free(&w->after);
}

/* `lead_in` batches of `lead_bytes`, then the torn one. */
static void tear(int lead_in, size_t lead_bytes, size_t torn_bytes, int rounds)
{
	uint8_t *data = malloc(torn_bytes > lead_bytes ? torn_bytes : lead_bytes);
	unsigned with[2];
	char folder[256];
	struct harness h;
	struct window w;
	struct es_rng rng;

	assert_non_null(data);
	es_rng_init(&rng, torn_bytes);
	for (size_t i = 0; i < (torn_bytes > lead_bytes ? torn_bytes : lead_bytes); i++)
		data[i] = (uint8_t)es_rng_next(&rng);
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (int i = 0; i < lead_in; i++)
		propose_and_wait(&h, data, lead_bytes);
	settle(&h);
	h_digest(&h, w.digest_before);
	image_take(&w.before, folder);
	propose_and_wait(&h, data, torn_bytes);
	settle(&h);
	h_digest(&h, w.digest_after);
	image_take(&w.after, folder);
	h_close(&h);
	try_mixtures(&w, folder, rounds, with);
	print_message("%zu bytes: %u without, %u with the torn write\n", torn_bytes, with[0],
		      with[1]);
	assert_true(with[0] > 0);
	h_remove(folder);
	free(data);
}

static void small_writes(void **state)
{
	(void)state;
	tear(3, 100, 40, 60);
	tear(3, 1350, 3000, 60);
	tear(30, 350, 9000, 60);
}

static void a_write_of_many_blocks(void **state)
{
	(void)state;
	tear(2, 100, 300000, 40);
}

/* It does not fit into the segment with the others, nor into one at all. */
static void a_write_larger_than_a_segment(void **state)
{
	(void)state;
	tear(2, 100, 10u << 20, 16);
}

static void the_first_write_of_a_segment(void **state)
{
	unsigned with[2];
	char folder[256];
	struct harness h;
	struct window w;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	propose_and_wait(&h, "first", 5);
	h_close(&h);
	h_init(&h, folder);
	assert_int_equal(h_open(&h), 0);
	h_digest(&h, w.digest_before);
	image_take(&w.before, folder);
	H_RUN_UNTIL(&h, h.leader);
	propose_and_wait(&h, "second", 6);
	settle(&h);
	h_digest(&h, w.digest_after);
	image_take(&w.after, folder);
	h_close(&h);
	try_mixtures(&w, folder, 40, with);
	h_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_writes),
		cmocka_unit_test(a_write_of_many_blocks),
		cmocka_unit_test(a_write_larger_than_a_segment),
		cmocka_unit_test(the_first_write_of_a_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
