#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "disk/checkpoint_format.h"

/*
 * Reading a checkpoint back. The descriptor vouches for the manifest, the manifest for each file's
 * length and root hash, the root for the header and the blocks' hashes, and each block's hash for
 * its bytes: no byte is decoded before its hash was right. (The root is known only at a file's end,
 * so a block that is whole but in the wrong place is noticed late; the store is thrown away then.)
 */
#define WINDOW_BYTES ((size_t)4 << 20)
#define WAY_OUT      "restore the data folder from a backup, or add the member anew"

struct loader {
	const struct es_mem *mem;
	const struct es_fs *fs;
	const char *folder;
	const struct es_checkpoint_state *state;
	struct es_mvcc *store;
	char *errmsg;
	size_t errmsg_size;
};

struct window {
	int handle;
	uint64_t size;   /* of the file */
	uint64_t offset; /* of the window's first byte */
	struct es_buf bytes;
	size_t at; /* how much of it is used up */
};

static int __attribute__((format(printf, 4, 5)))
damaged(struct loader *l, int status, const char *name, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(l->errmsg, l->errmsg_size, "%s/%s: %s; " WAY_OUT, l->folder, name, what);
	return status;
}

static int unreadable(struct loader *l, int status, const char *name, const char *what)
{
	snprintf(l->errmsg, l->errmsg_size, "%s/%s: cannot %s: %s", l->folder, name, what,
		 status == ES_ENOMEM ? es_status_text(status) : strerror(errno));
	return status;
}

static int open_file(struct loader *l, const char *name, int *ret_handle, uint64_t *ret_size)
{
	char path[ES_PATH_BYTES_MAX];
	int rc = es_fs_join(l->folder, name, path);

	if (rc == 0)
		rc = l->fs->open(l->fs->ctx, path, ES_FS_READ, ret_handle);
	if (rc == ES_ENOENT)
		return damaged(l, rc, name, "the file is missing");
	if (rc < 0)
		return unreadable(l, rc, name, "open");
	rc = l->fs->size(l->fs->ctx, *ret_handle, ret_size);
	if (rc < 0) {
		unreadable(l, rc, name, "look at");
		l->fs->close(l->fs->ctx, *ret_handle);
	}
	return rc;
}

/* The next `len` bytes of the file; the slice is valid until the next call. */
static int take(struct loader *l, struct window *w, const char *name, size_t len,
		struct es_slice *ret_bytes)
{
	uint64_t at = w->offset + w->at;
	size_t have = w->bytes.len - w->at;
	size_t want, got;
	int rc;

	if (have >= len) {
		*ret_bytes = es_slice(w->bytes.data + w->at, len);
		w->at += len;
		return 0;
	}
	if (w->size - at < len)
		return damaged(l, ES_ETRUNCATED, name, "at byte %llu: %zu bytes are missing",
			       (unsigned long long)w->size, len - (size_t)(w->size - at));
	es_buf_consume(&w->bytes, w->at);
	w->offset = at;
	w->at = 0;
	want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
	if (want > w->size - at)
		want = (size_t)(w->size - at);
	want -= have;
	rc = es_buf_reserve(&w->bytes, want);
	if (rc < 0)
		return unreadable(l, rc, name, "read");
	rc = l->fs->read_at(l->fs->ctx, w->handle, w->bytes.data + have, want, at + have, &got);
	if (rc < 0)
		return unreadable(l, rc, name, "read");
	if (got < want)
		return damaged(l, ES_ETRUNCATED, name,
			       "at byte %llu: the file ends before its size",
			       (unsigned long long)(at + have + got));
	w->bytes.len = have + got;
	w->at = len;
	*ret_bytes = es_slice(w->bytes.data, len);
	return 0;
}

/* Where the next byte comes from. */
static unsigned long long position(const struct window *w)
{
	return (unsigned long long)(w->offset + w->at);
}

static int load_versions(struct loader *l, const struct es_checkpoint_file *file, const char *name,
			 struct es_slice payload, uint32_t versions, unsigned long long offset)
{
	int64_t previous = 0;
	struct es_mvcc_kv kv;
	int rc = 0;

	for (uint32_t i = 0; i < versions && rc == 0; i++) {
		rc = es_checkpoint_version_decode(&payload, &previous, &kv);
		if (rc == 0 && (kv.mod_revision <= file->after || kv.mod_revision > file->last))
			rc = ES_ECORRUPT;
		if (rc == 0)
			rc = es_mvcc_restore(l->store, &kv);
	}
	if (rc == 0 && payload.len > 0)
		rc = ES_ECORRUPT;
	if (rc == ES_ENOMEM)
		return unreadable(l, rc, name, "load");
	if (rc < 0)
		return damaged(l, rc, name, "at byte %llu: a block with versions that do not fit",
			       offset);
	return 0;
}

static int load_blocks(struct loader *l, const struct es_checkpoint_file *file, const char *name,
		       struct window *w)
{
	uint8_t expected[ES_CHECKPOINT_FILE_HEADER_BYTES];
	uint8_t header[ES_CHECKPOINT_BLOCK_HEADER_BYTES];
	uint8_t digest[ES_BLAKE3_BYTES];
	uint64_t versions = 0;
	struct es_blake3 root;
	struct es_slice bytes;
	int rc = take(l, w, name, sizeof(expected), &bytes);

	if (rc < 0)
		return rc;
	es_checkpoint_file_header(file, l->state->cluster_id, expected);
	if (memcmp(bytes.data, expected, sizeof(expected)) != 0)
		return damaged(l, ES_ECORRUPT, name,
			       "at byte 0: the header is not the one that the manifest asks for");
	es_blake3_init(&root);
	es_blake3_update(&root, bytes);
	for (uint64_t i = 0; i < file->blocks; i++) {
		unsigned long long offset = position(w);
		struct es_checkpoint_block block;

		rc = take(l, w, name, sizeof(header), &bytes);
		if (rc < 0)
			return rc;
		memcpy(header, bytes.data, sizeof(header));
		if (es_checkpoint_block_decode(es_slice(header, sizeof(header)), &block) < 0 ||
		    block.number != i || block.bytes > w->size - position(w))
			return damaged(l, ES_ECORRUPT, name,
				       "at byte %llu: a block's header is damaged", offset);
		rc = take(l, w, name, block.bytes, &bytes);
		if (rc < 0)
			return rc;
		if (!es_checkpoint_block_matches(&block, es_slice(header, sizeof(header)), bytes))
			return damaged(l, ES_ECORRUPT, name,
				       "at byte %llu: the hash of a block does not match", offset);
		es_blake3_update(&root, es_slice(block.hash, sizeof(block.hash)));
		rc = load_versions(l, file, name, bytes, block.versions, offset);
		if (rc < 0)
			return rc;
		versions += block.versions;
	}
	es_blake3_final(&root, digest);
	if (memcmp(digest, file->root, sizeof(digest)) != 0 || versions != file->versions ||
	    position(w) != w->size)
		return damaged(l, ES_ECORRUPT, name,
			       "the hash of the file does not match its manifest");
	return 0;
}

static int load_file(struct loader *l, const struct es_checkpoint_file *file)
{
	struct window w = {.handle = -1};
	char name[ES_CHECKPOINT_NAME_BYTES];
	int rc;

	es_checkpoint_versions_name(file->number, name);
	rc = open_file(l, name, &w.handle, &w.size);
	if (rc < 0)
		return rc;
	es_buf_init(&w.bytes, l->mem);
	if (w.size < file->bytes)
		rc = damaged(l, ES_ETRUNCATED, name,
			     "at byte %llu: the file is cut, it had %llu bytes",
			     (unsigned long long)w.size, (unsigned long long)file->bytes);
	else if (w.size > file->bytes)
		rc = damaged(l, ES_ECORRUPT, name, "at byte %llu: the file goes on behind its end",
			     (unsigned long long)file->bytes);
	else
		rc = load_blocks(l, file, name, &w);
	es_buf_close(&w.bytes);
	l->fs->close(l->fs->ctx, w.handle);
	return rc;
}

static int read_manifest(struct loader *l, const struct es_checkpoint_descriptor *descriptor,
			 const char *name, struct es_buf *ret_bytes)
{
	uint8_t hash[ES_BLAKE3_BYTES];
	uint64_t size;
	size_t got = 0;
	int handle;
	int rc = open_file(l, name, &handle, &size);

	if (rc < 0)
		return rc;
	if (size != descriptor->manifest_bytes) {
		rc = damaged(l, size < descriptor->manifest_bytes ? ES_ETRUNCATED : ES_ECORRUPT,
			     name, "at byte %llu: the file ends, it had %u bytes",
			     (unsigned long long)size, descriptor->manifest_bytes);
		goto out;
	}
	rc = es_buf_reserve(ret_bytes, (size_t)size);
	if (rc == 0)
		rc = l->fs->read_at(l->fs->ctx, handle, ret_bytes->data, (size_t)size, 0, &got);
	if (rc < 0) {
		unreadable(l, rc, name, "read");
		goto out;
	}
	ret_bytes->len = got;
	es_blake3(es_buf_slice(ret_bytes), hash);
	if (memcmp(hash, descriptor->manifest_hash, sizeof(hash)) != 0)
		rc = damaged(l, ES_ECORRUPT, name,
			     "at byte 0: the hash of the file does not match raft's snapshot");
out:
	l->fs->close(l->fs->ctx, handle);
	return rc;
}

static int open_manifest(struct loader *l, struct es_slice bytes, struct es_buf *ret_manifest,
			 struct es_checkpoint_state *ret_state,
			 struct es_checkpoint_files **ret_files)
{
	struct es_checkpoint_descriptor descriptor;
	char name[ES_CHECKPOINT_NAME_BYTES];
	int rc = es_checkpoint_descriptor_decode(bytes, &descriptor);

	if (rc < 0) {
		snprintf(l->errmsg, l->errmsg_size,
			 "%s: the descriptor of the checkpoint in raft's snapshot: %s; " WAY_OUT,
			 l->folder, es_status_text(rc));
		return rc;
	}
	es_checkpoint_manifest_name(descriptor.index, name);
	rc = read_manifest(l, &descriptor, name, ret_manifest);
	if (rc < 0)
		return rc;
	rc = es_checkpoint_manifest_decode(l->mem, es_buf_slice(ret_manifest), ret_state,
					   ret_files);
	if (rc == ES_EFORMAT)
		return damaged(l, rc, name,
			       "is of a format that this program does not know (a newer one may)");
	if (rc == ES_ENOMEM)
		return unreadable(l, rc, name, "read");
	if (rc == 0 &&
	    (ret_state->index != descriptor.index || ret_state->term != descriptor.term)) {
		es_checkpoint_files_free(*ret_files);
		rc = ES_ECORRUPT;
	}
	return rc < 0 ? damaged(l, rc, name, "its content does not fit together") : 0;
}

int es_checkpoint_load(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
		       struct es_slice descriptor, struct es_mvcc *store,
		       struct es_checkpoint_state *ret_state, struct es_buf *ret_meta,
		       struct es_checkpoint_files **ret_files, char *errmsg, size_t errmsg_size)
{
	struct es_checkpoint_files *files = NULL;
	struct es_checkpoint_state state;
	struct es_buf manifest;
	struct loader l = {mem, fs, folder, &state, store, errmsg, errmsg_size};
	size_t old_len = ret_meta->len;
	int rc;

	es_buf_init(&manifest, mem);
	rc = open_manifest(&l, descriptor, &manifest, &state, &files);
	for (size_t i = 0; rc == 0 && i < files->count; i++)
		rc = load_file(&l, &files->files[i]);
	if (rc == 0) {
		rc = es_mvcc_restore_end(store, state.revision, state.compacted);
		if (rc == 0)
			rc = es_buf_append_slice(ret_meta, state.meta);
		if (rc < 0)
			snprintf(errmsg, errmsg_size,
				 "%s: cannot load the checkpoint at index %llu: %s", folder,
				 (unsigned long long)state.index, es_status_text(rc));
	}
	es_buf_close(&manifest);
	if (rc < 0) {
		es_checkpoint_files_free(files);
		return rc;
	}
	*ret_state = state;
	ret_state->meta = es_slice(ret_meta->len > old_len ? ret_meta->data + old_len : NULL,
				   ret_meta->len - old_len);
	*ret_files = files;
	return 0;
}

/* ---- sweep ----------------------------------------------------------------------------------- */

struct sweep {
	const struct es_mem *mem;
	const struct es_checkpoint_files *files;
	char manifest[ES_CHECKPOINT_NAME_BYTES];
	struct es_buf names; /* each ends with a NUL */
};

static int note_unnamed(void *arg, const char *name)
{
	struct sweep *sweep = arg;
	char kept[ES_CHECKPOINT_NAME_BYTES];

	if (!es_checkpoint_is_ours(name) || strcmp(name, sweep->manifest) == 0)
		return 0;
	for (size_t i = 0; sweep->files != NULL && i < sweep->files->count; i++) {
		es_checkpoint_versions_name(sweep->files->files[i].number, kept);
		if (strcmp(name, kept) == 0)
			return 0;
	}
	return es_buf_append(&sweep->names, name, strlen(name) + 1);
}

int es_checkpoint_sweep(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			struct es_slice descriptor)
{
	struct es_checkpoint_files *files = NULL;
	struct es_checkpoint_descriptor decoded;
	struct es_checkpoint_state state;
	struct sweep sweep = {.mem = mem};
	struct es_buf manifest;
	char path[ES_PATH_BYTES_MAX];
	char ignored[512];
	struct loader l = {mem, fs, folder, &state, NULL, ignored, sizeof(ignored)};
	int rc = 0;

	es_buf_init(&manifest, mem);
	es_buf_init(&sweep.names, mem);
	if (descriptor.len > 0) {
		rc = open_manifest(&l, descriptor, &manifest, &state, &files);
		if (rc == 0)
			rc = es_checkpoint_descriptor_decode(descriptor, &decoded);
		if (rc < 0)
			goto out;
		sweep.files = files;
		es_checkpoint_manifest_name(decoded.index, sweep.manifest);
	}
	rc = fs->list(fs->ctx, folder, note_unnamed, &sweep);
	for (size_t at = 0; rc == 0 && at < sweep.names.len;
	     at += strlen((char *)sweep.names.data + at) + 1) {
		rc = es_fs_join(folder, (char *)sweep.names.data + at, path);
		if (rc == 0)
			rc = fs->unlink(fs->ctx, path);
		if (rc == ES_ENOENT)
			rc = 0;
	}
out:
	es_checkpoint_files_free(files);
	es_buf_close(&sweep.names);
	es_buf_close(&manifest);
	return rc;
}
