#ifndef ES_BASE_HASH_H
#define ES_BASE_HASH_H

#include "base/slice.h"

/* CRC-32C (Castagnoli, reflected, as in RFC 3720 appendix B.4): the checksum of `bytes` continued from `crc`, 0 to
 * begin. Uses the processor's instruction where it has one. */
uint32_t es_crc32c(uint32_t crc, struct es_slice bytes);
/* The same without the instruction; for tests. */
uint32_t es_crc32c_portable(uint32_t crc, struct es_slice bytes);

/* CRC-32 of IEEE 802.3 (zlib's crc32), as libraft's segments carry. */
uint32_t es_crc32(uint32_t crc, struct es_slice bytes);

/* A fast keyed hash (SipHash-1-3 or better) for hash tables whose keys come from outside. */
uint64_t es_siphash(const uint64_t key[2], struct es_slice bytes);

/* BLAKE3 (the published specification), hash mode, 32 bytes out. */
#define ES_BLAKE3_BYTES 32
#define ES_BLAKE3_BLOCK 64

struct es_blake3 {
	uint32_t chain[8];
	uint8_t block[ES_BLAKE3_BLOCK];
	uint8_t block_len;
	uint8_t blocks_compressed;
	uint64_t chunk_counter;
	uint8_t stack_len;
	uint32_t stack[54][8];
};

void es_blake3_init(struct es_blake3 *hasher);
void es_blake3_update(struct es_blake3 *hasher, struct es_slice bytes);
/* Does not change the hasher: more may be added after it. */
void es_blake3_final(const struct es_blake3 *hasher, uint8_t ret_digest[ES_BLAKE3_BYTES]);
void es_blake3(struct es_slice bytes, uint8_t ret_digest[ES_BLAKE3_BYTES]);

#endif
