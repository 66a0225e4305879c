#ifndef ES_MVCC_VERSION_H
#define ES_MVCC_VERSION_H

#include "base/assert.h"
#include "mvcc/mvcc.h"

/*
 * How a key and a version of it lie in memory: one allocation each, made as small as they come,
 * since a million of both is the common case. Internal to the module.
 */

/* A key. It lives as long as one of its versions does. */
struct es_mvcc_item {
	struct es_mvcc_version *newest; /* never NULL while the item is in the tree */
	uint32_t key_len;
	uint8_t key[];
};

/*
 * A version: 40 bytes, then up to three 64-bit words in the order of their flags, then the value.
 * The words carry what is rare: a lease, and numbers that outgrow the 16 or 13 bits that they have
 * in the header; so no number can overflow.
 */
struct es_mvcc_version {
	int64_t main;
	int64_t create;               /* 0: a tombstone */
	struct es_mvcc_version *prev; /* the next older version still held, or NULL */
	struct es_mvcc_item *item;
	uint32_t value_len;
	uint16_t version; /* unless ES_MVCC_WIDE_VERSION */
	uint16_t bits;    /* flags, and the sub revision unless ES_MVCC_WIDE_SUB */
	uint64_t words[];
};

#define ES_MVCC_HAS_LEASE    0x8000u
#define ES_MVCC_WIDE_VERSION 0x4000u
#define ES_MVCC_WIDE_SUB     0x2000u
#define ES_MVCC_SUB_MASK     0x1fffu

#define ES_MVCC_BYTES_MAX ((size_t)INT32_MAX) /* of a key and of a value */

static inline struct es_slice es_mvcc_item_key(const struct es_mvcc_item *item)
{
	return es_slice(item->key, item->key_len);
}

static inline size_t es_mvcc_item_bytes(size_t key_len)
{
	size_t bytes = offsetof(struct es_mvcc_item, key) + key_len;

	return bytes > sizeof(struct es_mvcc_item) ? bytes : sizeof(struct es_mvcc_item);
}

static inline bool es_mvcc_is_tombstone(const struct es_mvcc_version *version)
{
	return version->create == 0;
}

static inline size_t es_mvcc_words(unsigned bits)
{
	return (size_t)((bits >> 15 & 1) + (bits >> 14 & 1) + (bits >> 13 & 1));
}

static inline int64_t es_mvcc_lease(const struct es_mvcc_version *version)
{
	return (version->bits & ES_MVCC_HAS_LEASE) != 0 ? (int64_t)version->words[0] : 0;
}

static inline int64_t es_mvcc_version_number(const struct es_mvcc_version *version)
{
	if ((version->bits & ES_MVCC_WIDE_VERSION) == 0)
		return version->version;
	return (int64_t)version->words[es_mvcc_words(version->bits & ES_MVCC_HAS_LEASE)];
}

static inline int64_t es_mvcc_sub(const struct es_mvcc_version *version)
{
	if ((version->bits & ES_MVCC_WIDE_SUB) == 0)
		return version->bits & ES_MVCC_SUB_MASK;
	return (int64_t)version->words[es_mvcc_words(version->bits & ~ES_MVCC_WIDE_SUB)];
}

static inline struct es_slice es_mvcc_value(const struct es_mvcc_version *version)
{
	return es_slice(version->words + es_mvcc_words(version->bits), version->value_len);
}

static inline size_t es_mvcc_version_bytes(const struct es_mvcc_version *version)
{
	return sizeof(*version) + es_mvcc_words(version->bits) * sizeof(uint64_t) +
	       version->value_len;
}

/* (main, sub) order: < 0, 0, > 0. */
static inline int es_mvcc_revision_cmp(const struct es_mvcc_version *version, int64_t main,
				       int64_t sub)
{
	int64_t own;

	if (version->main != main)
		return version->main < main ? -1 : 1;
	own = es_mvcc_sub(version);
	return (own > sub) - (own < sub);
}

#endif
