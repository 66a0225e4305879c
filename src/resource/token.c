#include "resource/token.h"

#include "base/assert.h"
#include "base/hash.h"

/*
 * The bytes, before base64url: version (1), revision and remaining (8 each, little-endian), path, tag (the first 16
 * bytes of BLAKE3 over the domain, the cluster's id, the length of the query, the query, and all that stands before the
 * tag). A token has one text only: other alphabets, padding and stray bits are refused. docs/formats/continue-token.md.
 */
#define TOKEN_VERSION    1
#define TOKEN_HEAD_BYTES 17
#define TOKEN_TAG_BYTES  16

static const char domain[] = "engenho.pleme.io/continue-token/v1"; /* its NUL is hashed as well */

static void tag(uint64_t cluster_id, struct es_slice query, struct es_slice body,
		uint8_t ret_tag[TOKEN_TAG_BYTES])
{
	uint8_t numbers[16], digest[ES_BLAKE3_BYTES];
	struct es_blake3 hasher;

	es_store_u64le(numbers, cluster_id);
	es_store_u64le(numbers + 8, query.len);
	es_blake3_init(&hasher);
	es_blake3_update(&hasher, es_slice(domain, sizeof(domain)));
	es_blake3_update(&hasher, es_slice(numbers, sizeof(numbers)));
	es_blake3_update(&hasher, query);
	es_blake3_update(&hasher, body);
	es_blake3_final(&hasher, digest);
	memcpy(ret_tag, digest, TOKEN_TAG_BYTES);
}

/* ---- base64url, without padding ------------------------------------------------------------ */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int append_base64(struct es_buf *buf, struct es_slice bytes)
{
	uint32_t bits = 0;
	unsigned count = 0;
	int rc = es_buf_reserve(buf, bytes.len / 3 * 4 + 4);

	for (size_t i = 0; rc == 0 && i < bytes.len; i++) {
		bits = bits << 8 | bytes.data[i];
		for (count += 8; count >= 6; count -= 6)
			buf->data[buf->len++] = (uint8_t)alphabet[bits >> (count - 6) & 63];
	}
	if (rc == 0 && count > 0)
		buf->data[buf->len++] = (uint8_t)alphabet[bits << (6 - count) & 63];
	return rc;
}

/* `out` has room for text.len bytes. Returns how many there are, -1 for a text that no bytes have. */
static ptrdiff_t read_base64(struct es_slice text, uint8_t *out)
{
	uint32_t bits = 0;
	unsigned count = 0;
	ptrdiff_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *digit = memchr(alphabet, text.data[i], sizeof(alphabet) - 1);

		if (digit == NULL)
			return -1;
		bits = bits << 6 | (uint32_t)(digit - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[n++] = (uint8_t)(bits >> count);
		}
	}
	return count < 6 && (bits & ((1u << count) - 1)) == 0 ? n : -1;
}

/* ---- tokens -------------------------------------------------------------------------------- */

int es_token_encode(struct es_buf *buf, const struct es_token *token, uint64_t cluster_id,
		    struct es_slice query)
{
	uint8_t digest[TOKEN_TAG_BYTES];
	struct es_buf bytes;
	int rc;

	ES_ASSERT(token->revision > 0);
	es_buf_init(&bytes, buf->mem);
	rc = es_buf_append_u8(&bytes, TOKEN_VERSION);
	if (rc == 0)
		rc = es_buf_append_u64le(&bytes, (uint64_t)token->revision);
	if (rc == 0)
		rc = es_buf_append_u64le(&bytes, token->remaining);
	if (rc == 0)
		rc = es_buf_append_slice(&bytes, token->last_path);
	if (rc == 0) {
		tag(cluster_id, query, es_buf_slice(&bytes), digest);
		rc = es_buf_append(&bytes, digest, sizeof(digest));
	}
	if (rc == 0)
		rc = append_base64(buf, es_buf_slice(&bytes));
	es_buf_close(&bytes);
	return rc;
}

int es_token_decode(struct es_slice text, uint64_t cluster_id, struct es_slice query,
		    struct es_arena *arena, struct es_token *ret_token)
{
	uint8_t digest[TOKEN_TAG_BYTES];
	struct es_token token;
	struct es_slice body;
	uint8_t *bytes;
	ptrdiff_t n;

	if (text.len == 0)
		return ES_EINVAL;
	bytes = es_arena_alloc(arena, text.len);
	if (bytes == NULL)
		return ES_ENOMEM;
	n = read_base64(text, bytes);
	if (n < TOKEN_HEAD_BYTES + TOKEN_TAG_BYTES || bytes[0] != TOKEN_VERSION)
		return ES_EINVAL;
	body = es_slice(bytes, (size_t)n - TOKEN_TAG_BYTES);
	tag(cluster_id, query, body, digest);
	if (memcmp(digest, bytes + body.len, TOKEN_TAG_BYTES) != 0)
		return ES_EINVAL;
	token.revision = (int64_t)es_load_u64le(bytes + 1);
	token.remaining = es_load_u64le(bytes + 9);
	token.last_path = es_slice(bytes + TOKEN_HEAD_BYTES, body.len - TOKEN_HEAD_BYTES);
	if (token.revision < 1)
		return ES_EINVAL;
	*ret_token = token;
	return 0;
}
