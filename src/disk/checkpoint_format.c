#include "disk/checkpoint_format.h"

#include <inttypes.h>
#include <stdio.h>

static const uint8_t descriptor_magic[8] = {'e', 's', 't', 'c', 'k', 'p', 't', 1};
static const uint8_t manifest_magic[8] = {'e', 's', 't', 'm', 'a', 'n', 'i', 'f'};
static const uint8_t versions_magic[8] = {'e', 's', 't', 'v', 'e', 'r', 's', 0};

#define MANIFEST_FILE_BYTES 80

/* ---- descriptor ------------------------------------------------------------------------------ */

static uint32_t descriptor_checksum(const uint8_t *bytes)
{
	uint32_t crc = es_crc32c(0, es_slice(bytes, 28));

	return es_crc32c(crc, es_slice(bytes + 32, ES_BLAKE3_BYTES));
}

void es_checkpoint_descriptor_encode(const struct es_checkpoint_descriptor *descriptor,
				     uint8_t ret_bytes[ES_CHECKPOINT_DESCRIPTOR_BYTES])
{
	memcpy(ret_bytes, descriptor_magic, 8);
	es_store_u64le(ret_bytes + 8, descriptor->index);
	es_store_u64le(ret_bytes + 16, descriptor->term);
	es_store_u32le(ret_bytes + 24, descriptor->manifest_bytes);
	memcpy(ret_bytes + 32, descriptor->manifest_hash, ES_BLAKE3_BYTES);
	es_store_u32le(ret_bytes + 28, descriptor_checksum(ret_bytes));
}

int es_checkpoint_descriptor_decode(struct es_slice bytes,
				    struct es_checkpoint_descriptor *ret_descriptor)
{
	if (bytes.len < ES_CHECKPOINT_DESCRIPTOR_BYTES)
		return ES_ETRUNCATED;
	if (bytes.len > ES_CHECKPOINT_DESCRIPTOR_BYTES ||
	    es_load_u32le(bytes.data + 28) != descriptor_checksum(bytes.data))
		return ES_ECORRUPT;
	if (memcmp(bytes.data, descriptor_magic, 8) != 0)
		return ES_EFORMAT;
	ret_descriptor->index = es_load_u64le(bytes.data + 8);
	ret_descriptor->term = es_load_u64le(bytes.data + 16);
	ret_descriptor->manifest_bytes = es_load_u32le(bytes.data + 24);
	memcpy(ret_descriptor->manifest_hash, bytes.data + 32, ES_BLAKE3_BYTES);
	return 0;
}

int es_checkpoint_descriptor_check(struct es_slice bytes, uint64_t index, uint64_t term)
{
	struct es_checkpoint_descriptor descriptor;
	int rc = es_checkpoint_descriptor_decode(bytes, &descriptor);

	if (rc == 0 && (descriptor.index != index || descriptor.term != term))
		rc = ES_ECORRUPT;
	return rc;
}

/* ---- manifest -------------------------------------------------------------------------------- */

void es_checkpoint_files_free(struct es_checkpoint_files *files)
{
	if (files == NULL)
		return;
	es_free(files->mem, files->files);
	es_free(files->mem, files);
}

int64_t es_checkpoint_files_revision(const struct es_checkpoint_files *files)
{
	return files->revision;
}

size_t es_checkpoint_files_count(const struct es_checkpoint_files *files)
{
	return files->count;
}

uint64_t es_checkpoint_files_bytes(const struct es_checkpoint_files *files)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < files->count; i++)
		bytes += files->files[i].bytes;
	return bytes;
}

int es_checkpoint_files_copy(const struct es_mem *mem, const struct es_checkpoint_files *files,
			     size_t extra, struct es_checkpoint_files **ret_copy)
{
	size_t count = files != NULL ? files->count : 0;
	struct es_checkpoint_files *copy = es_calloc(mem, 1, sizeof(*copy));

	if (copy == NULL)
		return ES_ENOMEM;
	copy->mem = mem;
	copy->files = es_calloc(mem, count + extra, sizeof(*copy->files));
	if (copy->files == NULL) {
		es_free(mem, copy);
		return ES_ENOMEM;
	}
	copy->count = count;
	copy->revision = files != NULL ? files->revision : 0;
	if (count > 0)
		memcpy(copy->files, files->files, count * sizeof(*copy->files));
	*ret_copy = copy;
	return 0;
}

int es_checkpoint_manifest_encode(const struct es_checkpoint_state *state,
				  const struct es_checkpoint_files *files, struct es_buf *ret_bytes)
{
	int rc = es_buf_reserve(ret_bytes,
				96 + files->count * MANIFEST_FILE_BYTES + state->meta.len);

	if (rc < 0)
		return rc;
	/* There is room: nothing below can fail. */
	(void)es_buf_append(ret_bytes, manifest_magic, 8);
	(void)es_buf_append_u32le(ret_bytes, ES_CHECKPOINT_FORMAT);
	(void)es_buf_append_u32le(ret_bytes, (uint32_t)files->count);
	(void)es_buf_append_u64le(ret_bytes, state->cluster_id);
	(void)es_buf_append_u64le(ret_bytes, state->index);
	(void)es_buf_append_u64le(ret_bytes, state->term);
	(void)es_buf_append_u64le(ret_bytes, (uint64_t)state->revision);
	(void)es_buf_append_u64le(ret_bytes, (uint64_t)state->compacted);
	(void)es_buf_append(ret_bytes, state->chain, ES_BLAKE3_BYTES);
	(void)es_buf_append_u64le(ret_bytes, state->meta.len);
	for (size_t i = 0; i < files->count; i++) {
		const struct es_checkpoint_file *file = &files->files[i];

		(void)es_buf_append_u64le(ret_bytes, file->number);
		(void)es_buf_append_u64le(ret_bytes, (uint64_t)file->after);
		(void)es_buf_append_u64le(ret_bytes, (uint64_t)file->last);
		(void)es_buf_append_u64le(ret_bytes, file->versions);
		(void)es_buf_append_u64le(ret_bytes, file->bytes);
		(void)es_buf_append_u64le(ret_bytes, file->blocks);
		(void)es_buf_append(ret_bytes, file->root, ES_BLAKE3_BYTES);
	}
	(void)es_buf_append_slice(ret_bytes, state->meta);
	return 0;
}

static void read_file(struct es_reader *r, struct es_checkpoint_file *ret_file)
{
	struct es_slice root;

	ret_file->number = es_read_u64le(r);
	ret_file->after = (int64_t)es_read_u64le(r);
	ret_file->last = (int64_t)es_read_u64le(r);
	ret_file->versions = es_read_u64le(r);
	ret_file->bytes = es_read_u64le(r);
	ret_file->blocks = es_read_u64le(r);
	root = es_read_bytes(r, ES_BLAKE3_BYTES);
	if (root.len == ES_BLAKE3_BYTES)
		memcpy(ret_file->root, root.data, root.len);
}

/* The files follow one another and end at or below the state's revision. */
static bool files_fit(const struct es_checkpoint_files *files,
		      const struct es_checkpoint_state *state)
{
	int64_t after = 0;

	for (size_t i = 0; i < files->count; i++) {
		const struct es_checkpoint_file *file = &files->files[i];

		if (file->after != after || file->last < after || file->number > state->index ||
		    (i > 0 && file->number <= files->files[i - 1].number))
			return false;
		after = file->last;
	}
	return after <= state->revision;
}

int es_checkpoint_manifest_decode(const struct es_mem *mem, struct es_slice bytes,
				  struct es_checkpoint_state *ret_state,
				  struct es_checkpoint_files **ret_files)
{
	struct es_reader r = es_reader(bytes);
	struct es_slice magic = es_read_bytes(&r, 8);
	struct es_checkpoint_files *files = NULL;
	struct es_slice chain;
	uint32_t format, count;
	uint64_t meta_len;
	int rc;

	if (r.failed)
		return ES_ETRUNCATED;
	format = es_read_u32le(&r);
	if (memcmp(magic.data, manifest_magic, 8) != 0 ||
	    (!r.failed && format != ES_CHECKPOINT_FORMAT))
		return ES_EFORMAT;
	count = es_read_u32le(&r);
	*ret_state = (struct es_checkpoint_state){0};
	ret_state->cluster_id = es_read_u64le(&r);
	ret_state->index = es_read_u64le(&r);
	ret_state->term = es_read_u64le(&r);
	ret_state->revision = (int64_t)es_read_u64le(&r);
	ret_state->compacted = (int64_t)es_read_u64le(&r);
	chain = es_read_bytes(&r, ES_BLAKE3_BYTES);
	meta_len = es_read_u64le(&r);
	if (r.failed || count > r.rest.len / MANIFEST_FILE_BYTES)
		return ES_ETRUNCATED;
	memcpy(ret_state->chain, chain.data, ES_BLAKE3_BYTES);
	rc = es_checkpoint_files_copy(mem, NULL, count, &files);
	if (rc < 0)
		return rc;
	files->count = count;
	files->revision = ret_state->revision;
	for (uint32_t i = 0; i < count; i++)
		read_file(&r, &files->files[i]);
	if (r.failed || meta_len > r.rest.len)
		rc = ES_ETRUNCATED;
	else if (meta_len < r.rest.len || !files_fit(files, ret_state))
		rc = ES_ECORRUPT;
	if (rc < 0) {
		es_checkpoint_files_free(files);
		return rc;
	}
	ret_state->meta = r.rest;
	*ret_files = files;
	return 0;
}

/* ---- data files ------------------------------------------------------------------------------ */

void es_checkpoint_file_header(const struct es_checkpoint_file *file, uint64_t cluster_id,
			       uint8_t ret_bytes[ES_CHECKPOINT_FILE_HEADER_BYTES])
{
	memset(ret_bytes, 0, ES_CHECKPOINT_FILE_HEADER_BYTES);
	memcpy(ret_bytes, versions_magic, 8);
	es_store_u32le(ret_bytes + 8, ES_CHECKPOINT_FORMAT);
	es_store_u64le(ret_bytes + 16, cluster_id);
	es_store_u64le(ret_bytes + 24, file->number);
	es_store_u64le(ret_bytes + 32, (uint64_t)file->after);
	es_store_u64le(ret_bytes + 40, (uint64_t)file->last);
}

static void block_hash(struct es_slice header, struct es_slice payload,
		       uint8_t ret_hash[ES_BLAKE3_BYTES])
{
	struct es_blake3 hasher;

	es_blake3_init(&hasher);
	es_blake3_update(&hasher, es_slice(header.data, 16));
	es_blake3_update(&hasher, payload);
	es_blake3_final(&hasher, ret_hash);
}

void es_checkpoint_block_header(struct es_checkpoint_block *block, struct es_slice payload,
				uint8_t ret_bytes[ES_CHECKPOINT_BLOCK_HEADER_BYTES])
{
	es_store_u32le(ret_bytes, block->bytes);
	es_store_u32le(ret_bytes + 4, block->versions);
	es_store_u64le(ret_bytes + 8, block->number);
	block_hash(es_slice(ret_bytes, ES_CHECKPOINT_BLOCK_HEADER_BYTES), payload, block->hash);
	memcpy(ret_bytes + 16, block->hash, ES_BLAKE3_BYTES);
}

int es_checkpoint_block_decode(struct es_slice header, struct es_checkpoint_block *ret_block)
{
	if (header.len < ES_CHECKPOINT_BLOCK_HEADER_BYTES)
		return ES_ETRUNCATED;
	ret_block->bytes = es_load_u32le(header.data);
	ret_block->versions = es_load_u32le(header.data + 4);
	ret_block->number = es_load_u64le(header.data + 8);
	memcpy(ret_block->hash, header.data + 16, ES_BLAKE3_BYTES);
	return ret_block->bytes > ES_CHECKPOINT_BLOCK_BYTES_MAX ? ES_ECORRUPT : 0;
}

bool es_checkpoint_block_matches(const struct es_checkpoint_block *block, struct es_slice header,
				 struct es_slice payload)
{
	uint8_t hash[ES_BLAKE3_BYTES];

	block_hash(header, payload, hash);
	return memcmp(hash, block->hash, ES_BLAKE3_BYTES) == 0;
}

/*
 * A version: flags, main revision as the difference to the one before, sub revision, key; unless it
 * is a tombstone then main minus create revision, version, lease if there is one, value. Numbers
 * are LEB128.
 */
#define FLAG_TOMBSTONE   1
#define FLAG_LEASE       2
#define VARINT_BYTES_MAX 10

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*p++ = (uint8_t)(value | 0x80);
	*p++ = (uint8_t)value;
	return p;
}

static uint8_t *put_bytes(uint8_t *p, struct es_slice bytes)
{
	p = put_varint(p, bytes.len);
	if (bytes.len > 0)
		memcpy(p, bytes.data, bytes.len);
	return p + bytes.len;
}

int es_checkpoint_version_encode(const struct es_mvcc_kv *kv, int64_t previous,
				 struct es_buf *ret_payload)
{
	bool tombstone = kv->version == 0;
	int rc = es_buf_reserve(ret_payload,
				1 + 7 * VARINT_BYTES_MAX + kv->key.len + kv->value.len);
	uint8_t *p;

	if (rc < 0)
		return rc;
	p = ret_payload->data + ret_payload->len;
	*p++ = (uint8_t)((tombstone ? FLAG_TOMBSTONE : 0) | (kv->lease != 0 ? FLAG_LEASE : 0));
	p = put_varint(p, (uint64_t)(kv->mod_revision - previous));
	p = put_varint(p, (uint64_t)kv->sub_revision);
	p = put_bytes(p, kv->key);
	if (!tombstone) {
		p = put_varint(p, (uint64_t)(kv->mod_revision - kv->create_revision));
		p = put_varint(p, (uint64_t)kv->version);
		if (kv->lease != 0)
			p = put_varint(p, (uint64_t)kv->lease);
		p = put_bytes(p, kv->value);
	}
	ret_payload->len = (size_t)(p - ret_payload->data);
	return 0;
}

static bool get_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t byte = *(*p)++;

		if (shift == 63 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool get_bytes(const uint8_t **p, const uint8_t *end, struct es_slice *ret_bytes)
{
	uint64_t len;

	if (!get_varint(p, end, &len) || len > (uint64_t)(end - *p))
		return false;
	*ret_bytes = es_slice(*p, (size_t)len);
	*p += len;
	return true;
}

int es_checkpoint_version_decode(struct es_slice *payload, int64_t *previous,
				 struct es_mvcc_kv *ret_kv)
{
	const uint8_t *p = payload->data;
	const uint8_t *end = p + payload->len;
	uint64_t main, sub, life, version, lease = 0;
	struct es_mvcc_kv kv = {0};
	uint8_t flags;

	if (payload->len == 0)
		return ES_ETRUNCATED;
	flags = *p++;
	if ((flags & ~(FLAG_TOMBSTONE | FLAG_LEASE)) != 0 || flags == (FLAG_TOMBSTONE | FLAG_LEASE))
		return ES_ECORRUPT;
	if (!get_varint(&p, end, &main) || !get_varint(&p, end, &sub) ||
	    !get_bytes(&p, end, &kv.key))
		return ES_ECORRUPT;
	if (main > (uint64_t)(INT64_MAX - *previous) || sub > INT64_MAX)
		return ES_ECORRUPT;
	kv.mod_revision = *previous + (int64_t)main;
	kv.sub_revision = (int64_t)sub;
	if ((flags & FLAG_TOMBSTONE) == 0) {
		if (!get_varint(&p, end, &life) || !get_varint(&p, end, &version) ||
		    ((flags & FLAG_LEASE) != 0 && !get_varint(&p, end, &lease)) ||
		    !get_bytes(&p, end, &kv.value))
			return ES_ECORRUPT;
		if (life > (uint64_t)kv.mod_revision || version == 0 || version > INT64_MAX ||
		    ((flags & FLAG_LEASE) != 0 && lease == 0))
			return ES_ECORRUPT;
		kv.create_revision = kv.mod_revision - (int64_t)life;
		kv.version = (int64_t)version;
		kv.lease = (int64_t)lease;
	}
	*payload = es_slice(p, (size_t)(end - p));
	*previous = kv.mod_revision;
	*ret_kv = kv;
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

void es_checkpoint_manifest_name(uint64_t index, char ret_name[ES_CHECKPOINT_NAME_BYTES])
{
	snprintf(ret_name, ES_CHECKPOINT_NAME_BYTES, "%016" PRIx64 ".manifest", index);
}

void es_checkpoint_versions_name(uint64_t number, char ret_name[ES_CHECKPOINT_NAME_BYTES])
{
	snprintf(ret_name, ES_CHECKPOINT_NAME_BYTES, "%016" PRIx64 ".versions", number);
}

bool es_checkpoint_is_ours(const char *name)
{
	static const char *const endings[] = {".manifest", ".versions", ".manifest.tmp",
					      ".versions.tmp"};

	if (strspn(name, "0123456789abcdef") != 16)
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(name + 16, endings[i]) == 0)
			return true;
	}
	return false;
}
