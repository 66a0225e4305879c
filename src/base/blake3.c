#include "base/hash.h"

#include "base/assert.h"
#include "base/buf.h"

/*
 * BLAKE3 as its specification has it. Input is cut into chunks of 1024 bytes; the 16 blocks of a chunk are compressed
 * one after the other, each taking the chaining value of the one before; the chunks' chaining values are the leaves
 * of a binary tree, whose every left subtree is full. The hasher holds the current chunk and a stack of the chaining
 * values of finished full subtrees.
 *
 * I1: the current chunk is finished only when more input is there, as the last one may be the root.
 * I2: after n finished chunks the stack holds one subtree for each bit that is set in n, largest lowest.
 *
 * Whole chunks are independent of each other, so where the processor has AVX2, up to 8 of them are hashed side by side,
 * one in each 32-bit lane. Both forms share the text of the round function: the macros work on numbers and on vectors.
 */
enum {
	CHUNK_BYTES = 1024,
	BLOCKS_PER_CHUNK = CHUNK_BYTES / ES_BLAKE3_BLOCK,
	LANES = 8,
	LANES_PAY = 2, /* for so many chunks and more */
};

enum {
	CHUNK_START = 1 << 0,
	CHUNK_END = 1 << 1,
	PARENT = 1 << 2,
	ROOT = 1 << 3,
};

static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#define MIX(v, a, b, c, d, x, y, ROTR)        \
	do {                                  \
		v[a] = v[a] + v[b] + (x);     \
		v[d] = ROTR(v[d] ^ v[a], 16); \
		v[c] = v[c] + v[d];           \
		v[b] = ROTR(v[b] ^ v[c], 12); \
		v[a] = v[a] + v[b] + (y);     \
		v[d] = ROTR(v[d] ^ v[a], 8);  \
		v[c] = v[c] + v[d];           \
		v[b] = ROTR(v[b] ^ v[c], 7);  \
	} while (0)

/* First the columns, then the diagonals, with the message words in the order given. */
#define ROUND(v, m, ROTR, a, b, c, d, e, f, g, h, i, j, k, l, n, o, p, q) \
	do {                                                              \
		MIX(v, 0, 4, 8, 12, m[a], m[b], ROTR);                    \
		MIX(v, 1, 5, 9, 13, m[c], m[d], ROTR);                    \
		MIX(v, 2, 6, 10, 14, m[e], m[f], ROTR);                   \
		MIX(v, 3, 7, 11, 15, m[g], m[h], ROTR);                   \
		MIX(v, 0, 5, 10, 15, m[i], m[j], ROTR);                   \
		MIX(v, 1, 6, 11, 12, m[k], m[l], ROTR);                   \
		MIX(v, 2, 7, 8, 13, m[n], m[o], ROTR);                    \
		MIX(v, 3, 4, 9, 14, m[p], m[q], ROTR);                    \
	} while (0)

/* Each line is the one above it through the specification's permutation 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8. */
#define ROUNDS(v, m, ROTR)                                                               \
	do {                                                                             \
		ROUND(v, m, ROTR, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); \
		ROUND(v, m, ROTR, 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8); \
		ROUND(v, m, ROTR, 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1); \
		ROUND(v, m, ROTR, 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6); \
		ROUND(v, m, ROTR, 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4); \
		ROUND(v, m, ROTR, 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7); \
		ROUND(v, m, ROTR, 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13); \
	} while (0)

static inline uint32_t rotr(uint32_t x, int k)
{
	return x >> k | x << (32 - k);
}

/* One block with words in the machine's order; `cv` is replaced by the new chaining value. */
static void compress_words(uint32_t cv[8], const uint32_t m[16], uint64_t counter, uint32_t len,
			   uint32_t flags)
{
	uint32_t v[16];

	memcpy(v, cv, sizeof(iv));
	memcpy(v + 8, iv, 4 * sizeof(uint32_t));
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = len;
	v[15] = flags;
	ROUNDS(v, m, rotr);
	for (int i = 0; i < 8; i++)
		cv[i] = v[i] ^ v[i + 8];
}

static void compress(uint32_t cv[8], const uint8_t block[ES_BLAKE3_BLOCK], uint64_t counter,
		     uint32_t len, uint32_t flags)
{
	uint32_t m[16];

	for (int i = 0; i < 16; i++)
		m[i] = es_load_u32le(block + 4 * i);
	compress_words(cv, m, counter, len, flags);
}

/* `left` becomes the chaining value of the node above left and right. */
static void compress_parent(uint32_t left[8], const uint32_t right[8], uint32_t flags)
{
	uint32_t m[16];

	memcpy(m, left, 8 * sizeof(uint32_t));
	memcpy(m + 8, right, 8 * sizeof(uint32_t));
	memcpy(left, iv, sizeof(iv));
	compress_words(left, m, 0, ES_BLAKE3_BLOCK, PARENT | flags);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i rotr_avx2(__m256i x, int k)
{
	const __m256i by_16 = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
					       2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12,
					       13);
	const __m256i by_8 = _mm256_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12,
					      1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);

	if (k == 16)
		return _mm256_shuffle_epi8(x, by_16);
	if (k == 8)
		return _mm256_shuffle_epi8(x, by_8);
	return _mm256_or_si256(_mm256_srli_epi32(x, k), _mm256_slli_epi32(x, 32 - k));
}

/* Rows become columns: row r, lane c moves to row c, lane r. */
AVX2 static inline void transpose(__m256i rows[8])
{
	__m256i a[8], b[8];

	for (int i = 0; i < 8; i += 2) {
		a[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
		a[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
		b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
		b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
		b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		rows[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
		rows[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
	}
}

/* The chaining values of up to 8 whole chunks that lie behind each other; the first one's number is `counter`. None of
 * them is the root. Lanes without a chunk of their own work on the last one again, and their result is not used.
 * Vectors add lane by lane with +, an extension that gcc and clang share; as unsigned numbers. */
typedef uint32_t lanes_u32 __attribute__((vector_size(32)));
#define ROTR_LANES(x, k) ((lanes_u32)rotr_avx2((__m256i)(x), k))

AVX2 static void hash_chunks(const uint8_t *input, size_t count, uint64_t counter,
			     uint32_t ret_cvs[LANES][8])
{
	const uint8_t *lane[LANES];
	lanes_u32 cv[8], v[16];
	__m256i m_words[16];
	const lanes_u32 *m = (const lanes_u32 *)m_words;
	lanes_u32 counter_low, counter_high;

	for (uint32_t i = 0; i < LANES; i++) {
		lane[i] = input + (i < count ? i : count - 1) * CHUNK_BYTES;
		counter_low[i] = (uint32_t)(counter + i);
		counter_high[i] = (uint32_t)((counter + i) >> 32);
		cv[i] = (lanes_u32){0} + iv[i];
	}
	for (int block = 0; block < BLOCKS_PER_CHUNK; block++) {
		uint32_t flags = (block == 0 ? CHUNK_START : 0) |
				 (block == BLOCKS_PER_CHUNK - 1 ? CHUNK_END : 0);

		for (int i = 0; i < LANES; i++) {
			const uint8_t *at = lane[i] + block * ES_BLAKE3_BLOCK;

			m_words[i] = _mm256_loadu_si256((const __m256i *)(const void *)at);
			m_words[i + 8] = _mm256_loadu_si256(
				(const __m256i *)(const void *)(at + 32));
		}
		transpose(m_words);
		transpose(m_words + 8);
		for (int i = 0; i < 8; i++)
			v[i] = cv[i];
		for (int i = 0; i < 4; i++)
			v[8 + i] = (lanes_u32){0} + iv[i];
		v[12] = counter_low;
		v[13] = counter_high;
		v[14] = (lanes_u32){0} + (uint32_t)ES_BLAKE3_BLOCK;
		v[15] = (lanes_u32){0} + flags;
		ROUNDS(v, m, ROTR_LANES);
		for (int i = 0; i < 8; i++)
			cv[i] = v[i] ^ v[i + 8];
	}
	for (int i = 0; i < LANES; i++)
		for (int w = 0; w < 8; w++)
			ret_cvs[i][w] = cv[w][i];
}
#endif

void es_blake3_init(struct es_blake3 *hasher)
{
	memcpy(hasher->chain, iv, sizeof(iv));
	hasher->block_len = 0;
	hasher->blocks_compressed = 0;
	hasher->chunk_counter = 0;
	hasher->stack_len = 0;
}

/* A chunk is finished, and it is not the last: put its chaining value on the stack, where it completes as many
 * subtrees as the new number of chunks has zero bits at its end (I2). */
static void push_chunk(struct es_blake3 *hasher, const uint32_t cv[8])
{
	uint64_t chunks = ++hasher->chunk_counter;

	ES_ASSERT(hasher->stack_len < ES_ARRAY_LEN(hasher->stack));
	memcpy(hasher->stack[hasher->stack_len++], cv, sizeof(iv));
	for (; (chunks & 1) == 0; chunks >>= 1) {
		hasher->stack_len--;
		compress_parent(hasher->stack[hasher->stack_len - 1],
				hasher->stack[hasher->stack_len], 0);
	}
}

static uint32_t start_flag(const struct es_blake3 *hasher)
{
	return hasher->blocks_compressed == 0 ? CHUNK_START : 0;
}

/* The full block at `block` goes into the current chunk, and there is more input behind it. */
static void add_block(struct es_blake3 *hasher, const uint8_t *block)
{
	uint32_t flags = start_flag(hasher);

	if (hasher->blocks_compressed < BLOCKS_PER_CHUNK - 1) {
		compress(hasher->chain, block, hasher->chunk_counter, ES_BLAKE3_BLOCK, flags);
		hasher->blocks_compressed++;
		return;
	}
	compress(hasher->chain, block, hasher->chunk_counter, ES_BLAKE3_BLOCK, flags | CHUNK_END);
	push_chunk(hasher, hasher->chain);
	memcpy(hasher->chain, iv, sizeof(iv));
	hasher->blocks_compressed = 0;
}

/* The whole chunks with more input behind them, unless they are too few for lanes to pay; returns the bytes taken. The
 * hasher is at the start of a chunk. */
static size_t add_chunks(struct es_blake3 *hasher, struct es_slice bytes)
{
	size_t taken = 0;

#if defined(__x86_64__)
	uint32_t cvs[LANES][8];

	if (bytes.len <= LANES_PAY * CHUNK_BYTES || !__builtin_cpu_supports("avx2"))
		return 0;
	while (bytes.len - taken > LANES_PAY * CHUNK_BYTES) {
		size_t count = (bytes.len - taken - 1) / CHUNK_BYTES;

		count = count < LANES ? count : LANES;
		hash_chunks(bytes.data + taken, count, hasher->chunk_counter, cvs);
		for (size_t i = 0; i < count; i++)
			push_chunk(hasher, cvs[i]);
		taken += count * CHUNK_BYTES;
	}
#else
	(void)hasher;
	(void)bytes;
#endif
	return taken;
}

void es_blake3_update(struct es_blake3 *hasher, struct es_slice bytes)
{
	const uint8_t *p = bytes.data;
	size_t len = bytes.len;
	size_t n;

	while (len > 0) {
		if (hasher->block_len == ES_BLAKE3_BLOCK) { /* I1: more input is there now */
			add_block(hasher, hasher->block);
			hasher->block_len = 0;
		}
		if (hasher->block_len == 0) {
			if (hasher->blocks_compressed == 0) {
				n = add_chunks(hasher, es_slice(p, len));
				p += n;
				len -= n;
			}
			for (; len > ES_BLAKE3_BLOCK; p += ES_BLAKE3_BLOCK, len -= ES_BLAKE3_BLOCK)
				add_block(hasher, p);
		}
		n = ES_BLAKE3_BLOCK - hasher->block_len;
		n = len < n ? len : n;
		memcpy(hasher->block + hasher->block_len, p, n);
		hasher->block_len = (uint8_t)(hasher->block_len + n);
		p += n;
		len -= n;
	}
}

void es_blake3_final(const struct es_blake3 *hasher, uint8_t ret_digest[ES_BLAKE3_BYTES])
{
	uint8_t block[ES_BLAKE3_BLOCK] = {0};
	uint32_t cv[8], left[8];
	bool root = hasher->stack_len == 0;

	memcpy(block, hasher->block, hasher->block_len);
	memcpy(cv, hasher->chain, sizeof(cv));
	compress(cv, block, hasher->chunk_counter, hasher->block_len,
		 start_flag(hasher) | CHUNK_END | (root ? ROOT : 0));
	for (size_t i = hasher->stack_len; i-- > 0;) {
		memcpy(left, hasher->stack[i], sizeof(left));
		compress_parent(left, cv, i == 0 ? ROOT : 0);
		memcpy(cv, left, sizeof(cv));
	}
	for (int i = 0; i < 8; i++)
		es_store_u32le(ret_digest + 4 * i, cv[i]);
}

void es_blake3(struct es_slice bytes, uint8_t ret_digest[ES_BLAKE3_BYTES])
{
	struct es_blake3 hasher;

	es_blake3_init(&hasher);
	es_blake3_update(&hasher, bytes);
	es_blake3_final(&hasher, ret_digest);
}
