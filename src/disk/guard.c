#include "disk/guard.h"

#include <errno.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"

/*
 * Four slots, each in a disk sector of its own, so that a torn write damages one at most. Each pair
 * is written in turns.
 *
 *   0  u8[4]  "esgd"
 *   4  u32    CRC-32C of bytes 8 to 39
 *   8  u64    number: of the write (acknowledged), or the version (metadata)
 *  16  u64    index acknowledged, or term
 *  24  u64    0, or vote
 *  32  u64    1 acknowledged, 2 metadata
 */
#define SLOT_BYTES        512
#define SLOT_USED_BYTES   40
#define SLOTS             4
#define KIND_ACKNOWLEDGED 1
#define KIND_METADATA     2

static const uint8_t magic[4] = {'e', 's', 'g', 'd'};

struct slot {
	uint64_t number;
	uint64_t first;
	uint64_t second;
	uint64_t kind;
	bool valid;
};

struct es_guard {
	const struct es_mem *mem;
	const struct es_fs *fs;
	int file;
	struct slot slots[SLOTS]; /* 0, 1: acknowledged; 2, 3: metadata of odd and even versions */
	char path[ES_PATH_BYTES_MAX];
};

static void slot_encode(const struct slot *slot, uint8_t ret_bytes[SLOT_USED_BYTES])
{
	memcpy(ret_bytes, magic, 4);
	es_store_u64le(ret_bytes + 8, slot->number);
	es_store_u64le(ret_bytes + 16, slot->first);
	es_store_u64le(ret_bytes + 24, slot->second);
	es_store_u64le(ret_bytes + 32, slot->kind);
	es_store_u32le(ret_bytes + 4, es_crc32c(0, es_slice(ret_bytes + 8, SLOT_USED_BYTES - 8)));
}

static void slot_decode(const uint8_t *bytes, uint64_t kind, struct slot *ret_slot)
{
	*ret_slot = (struct slot){
		.number = es_load_u64le(bytes + 8),
		.first = es_load_u64le(bytes + 16),
		.second = es_load_u64le(bytes + 24),
		.kind = es_load_u64le(bytes + 32),
	};
	ret_slot->valid = memcmp(bytes, magic, 4) == 0 && ret_slot->kind == kind &&
			  es_load_u32le(bytes + 4) ==
				  es_crc32c(0, es_slice(bytes + 8, SLOT_USED_BYTES - 8));
}

/* The valid slot of a pair with the higher number, or NULL. */
static const struct slot *newest(const struct es_guard *g, size_t pair)
{
	const struct slot *a = &g->slots[pair], *b = &g->slots[pair + 1];

	if (!a->valid || (b->valid && b->number > a->number))
		a = b;
	return a->valid ? a : NULL;
}

static int make_file(struct es_guard *g, const char *data_dir)
{
	uint8_t bytes[SLOTS * SLOT_BYTES] = {0};

	for (size_t i = 0; i < 2; i++) {
		g->slots[i] = (struct slot){.number = i, .kind = KIND_ACKNOWLEDGED, .valid = true};
		slot_encode(&g->slots[i], bytes + i * SLOT_BYTES);
	}
	for (size_t i = 2; i < 4; i++) {
		g->slots[i] = (struct slot){.number = 0, .kind = KIND_METADATA, .valid = true};
		slot_encode(&g->slots[i], bytes + i * SLOT_BYTES);
	}
	return es_fs_replace(g->fs, data_dir, "GUARD", es_slice(bytes, sizeof(bytes)));
}

static int read_file(struct es_guard *g, char *errmsg, size_t errmsg_size)
{
	uint8_t bytes[SLOTS * SLOT_BYTES + 1];
	size_t len;
	int rc = g->fs->read_at(g->fs->ctx, g->file, bytes, sizeof(bytes), 0, &len);

	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", g->path, strerror(errno));
		return rc;
	}
	if (len != SLOTS * SLOT_BYTES) {
		snprintf(errmsg, errmsg_size,
			 "%s: at byte %zu: the file is %s; remove it to start without what it "
			 "guards "
			 "(docs/formats/raft-segments.md)",
			 g->path, len < SLOTS * SLOT_BYTES ? len : SLOTS * SLOT_BYTES,
			 len < SLOTS * SLOT_BYTES ? "cut" : "too long");
		return len < SLOTS * SLOT_BYTES ? ES_ETRUNCATED : ES_ECORRUPT;
	}
	for (size_t i = 0; i < SLOTS; i++)
		slot_decode(bytes + i * SLOT_BYTES, i < 2 ? KIND_ACKNOWLEDGED : KIND_METADATA,
			    &g->slots[i]);
	for (size_t pair = 0; pair < SLOTS; pair += 2) {
		if (newest(g, pair) == NULL) {
			snprintf(errmsg, errmsg_size,
				 "%s: at byte %zu: is damaged; remove it to start without what it "
				 "guards (docs/formats/raft-segments.md)",
				 g->path, pair * SLOT_BYTES);
			return ES_ECORRUPT;
		}
	}
	return 0;
}

int es_guard_open(const struct es_mem *mem, const struct es_fs *fs, const char *data_dir,
		  struct es_guard **ret_guard, char *errmsg, size_t errmsg_size)
{
	struct es_guard *g = es_calloc(mem, 1, sizeof(*g));
	int rc;

	if (g == NULL) {
		snprintf(errmsg, errmsg_size, "%.200s/GUARD: %s", data_dir,
			 es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	g->mem = mem;
	g->fs = fs;
	g->file = -1;
	rc = es_fs_join(data_dir, "GUARD", g->path);
	if (rc == 0)
		rc = fs->open(fs->ctx, g->path, ES_FS_UPDATE, &g->file);
	if (rc == ES_ENOENT) {
		rc = make_file(g, data_dir);
		if (rc == 0)
			rc = fs->open(fs->ctx, g->path, ES_FS_UPDATE, &g->file);
	}
	if (rc < 0) {
		snprintf(errmsg, errmsg_size, "%s: %s", g->path,
			 rc == ES_EINVAL ? "the path is too long" : strerror(errno));
		goto fail;
	}
	rc = read_file(g, errmsg, errmsg_size);
	if (rc < 0)
		goto fail;
	*ret_guard = g;
	return 0;
fail:
	es_guard_close(g);
	return rc;
}

void es_guard_close(struct es_guard *g)
{
	if (g == NULL)
		return;
	if (g->file >= 0) {
		(void)g->fs->sync(g->fs->ctx, g->file);
		(void)g->fs->close(g->fs->ctx, g->file);
	}
	es_free(g->mem, g);
}

const char *es_guard_path(const struct es_guard *g)
{
	return g->path;
}

static int write_slot(struct es_guard *g, size_t i, const struct slot *slot)
{
	uint8_t bytes[SLOT_USED_BYTES];
	int rc;

	slot_encode(slot, bytes);
	rc = g->fs->write_at(g->fs->ctx, g->file, bytes, sizeof(bytes), i * SLOT_BYTES);
	if (rc == 0)
		g->slots[i] = *slot;
	return rc;
}

uint64_t es_guard_acknowledged(const struct es_guard *g)
{
	return newest(g, 0)->first;
}

int es_guard_acknowledge(struct es_guard *g, uint64_t index)
{
	const struct slot *last = newest(g, 0);
	struct slot slot = {.number = last->number + 1,
			    .first = index,
			    .kind = KIND_ACKNOWLEDGED,
			    .valid = true};

	return write_slot(g, slot.number % 2, &slot);
}

static void metadata_of(const struct slot *slot, struct es_guard_metadata *ret_metadata)
{
	*ret_metadata = (struct es_guard_metadata){0, 0, 0};
	if (slot->valid)
		*ret_metadata = (struct es_guard_metadata){slot->number, slot->first, slot->second};
}

void es_guard_metadata(const struct es_guard *g, struct es_guard_metadata *ret_newest,
		       struct es_guard_metadata *ret_before)
{
	const struct slot *last = newest(g, 2);

	metadata_of(last, ret_newest);
	metadata_of(last == &g->slots[2] ? &g->slots[3] : &g->slots[2], ret_before);
}

int es_guard_set_metadata(struct es_guard *g, const struct es_guard_metadata *metadata)
{
	struct slot slot = {metadata->version, metadata->term, metadata->vote, KIND_METADATA, true};
	int rc;

	ES_ASSERT(newest(g, 2)->number == 0 || newest(g, 2)->number + 1 == metadata->version);
	rc = write_slot(g, metadata->version % 2 == 1 ? 2 : 3, &slot);
	return rc < 0 ? rc : g->fs->sync(g->fs->ctx, g->file);
}
