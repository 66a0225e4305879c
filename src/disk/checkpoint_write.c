#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "disk/checkpoint_format.h"

/*
 * Writing a checkpoint: the loop thread encodes one block at a time (fill), a worker hashes and
 * writes it (flush), and at the end a worker makes it all durable (commit).
 *
 * Invariants:
 *   W1  A file gets its name only when its bytes are on disk, and the manifest gets its name after
 *       the data file. A crash leaves unfinished files with names that end in .tmp, or whole ones
 *       that nothing refers to.
 *   W2  No file that an older checkpoint names is written to.
 *   W3  A base holds every version that the store holds up to the revision; an addition every one
 *       that it holds above the files before it.
 */
#define BLOCK_BYTES    ((size_t)256 << 10)
#define EVENTS_AT_ONCE 64
#define SYNC_EVERY_BYTES \
	((uint64_t)16 << 20) /* so that the last fsync does not push the log's writes aside */
#define FILES_MAX 64

struct es_checkpoint_writer {
	const struct es_mem *mem;
	const struct es_fs *fs;
	const struct es_mvcc *store;
	struct es_checkpoint_state state;
	struct es_buf meta;
	struct es_checkpoint_files *files; /* those kept; room for the new one */
	struct es_mvcc_cursor cursor;
	bool filled;

	/* The file being written. */
	struct es_checkpoint_file file;
	struct es_buf block; /* header and payload */
	uint32_t block_versions;
	int64_t block_last; /* main revision of the last version in it */
	struct es_blake3 root;
	int handle;
	uint64_t synced;

	uint64_t bytes_written;
	char folder[ES_PATH_BYTES_MAX];
	char error[ES_PATH_BYTES_MAX + 256];
};

static int failed(struct es_checkpoint_writer *w, int status, const char *name, const char *what)
{
	bool system = status == ES_EIO || status == ES_ENOENT || status == ES_EEXIST;

	snprintf(w->error, sizeof(w->error), "%s/%s: cannot %s: %s", w->folder, name, what,
		 system && errno != 0 ? strerror(errno) : es_status_text(status));
	return status;
}

/*
 * A base is due when the additions outweigh it, when there are many, or when the files hold much
 * that the store has dropped since. So the files are never more than about three times the state,
 * and each byte of it is rewritten only after as many bytes of changes.
 */
static bool wants_base(const struct es_checkpoint_files *previous, const struct es_mvcc *store,
		       bool may_rebase)
{
	uint64_t base, all;

	if (previous == NULL || previous->count == 0 || previous->count >= FILES_MAX)
		return true;
	if (!may_rebase)
		return false;
	base = previous->files[0].bytes;
	all = es_checkpoint_files_bytes(previous);
	return all - base > base || all > 3 * es_mvcc_bytes(store);
}

int es_checkpoint_writer_new(const struct es_mem *mem, const struct es_fs *fs, const char *folder,
			     const struct es_checkpoint_state *state, const struct es_mvcc *store,
			     const struct es_checkpoint_files *previous, bool may_rebase,
			     struct es_checkpoint_writer **ret_writer)
{
	struct es_checkpoint_writer *w = es_calloc(mem, 1, sizeof(*w));
	int rc;

	if (w == NULL)
		return ES_ENOMEM;
	w->mem = mem;
	w->fs = fs;
	w->store = store;
	w->handle = -1;
	w->state = *state;
	es_buf_init(&w->meta, mem);
	es_buf_init(&w->block, mem);
	es_blake3_init(&w->root);
	rc = snprintf(w->folder, sizeof(w->folder), "%s", folder) >= (int)sizeof(w->folder)
		     ? ES_EINVAL
		     : 0;
	if (rc == 0)
		rc = es_buf_append_slice(&w->meta, state->meta);
	if (rc == 0)
		rc = es_checkpoint_files_copy(
			mem, wants_base(previous, store, may_rebase) ? NULL : previous, 1,
			&w->files);
	if (rc < 0) {
		es_checkpoint_writer_free(w);
		return rc;
	}
	w->state.meta = es_buf_slice(&w->meta);
	ES_ASSERT(previous == NULL || previous->count == 0 ||
		  previous->files[previous->count - 1].number < state->index); /* W2 */
	w->file.number = state->index;
	w->file.after = w->files->count > 0 ? w->files->files[w->files->count - 1].last : 0;
	w->file.last = state->revision;
	w->files->revision = state->revision;
	w->cursor.main = w->file.after + 1; /* W3 */
	*ret_writer = w;
	return 0;
}

int es_checkpoint_fill(struct es_checkpoint_writer *w, bool *ret_done)
{
	struct es_mvcc_event events[EVENTS_AT_ONCE];
	int rc;

	ES_ASSERT(w->block.len == 0);
	rc = es_buf_reserve(&w->block, BLOCK_BYTES + ES_CHECKPOINT_BLOCK_HEADER_BYTES);
	if (rc < 0)
		return failed(w, rc, "", "collect versions");
	w->block.len = ES_CHECKPOINT_BLOCK_HEADER_BYTES;
	w->block_versions = 0;
	w->block_last = 0;
	while (!w->filled && w->block.len < BLOCK_BYTES) {
		size_t n = es_mvcc_history(w->store, &w->cursor, w->state.revision, events,
					   EVENTS_AT_ONCE);

		w->filled = n == 0;
		for (size_t i = 0; i < n; i++) {
			struct es_mvcc_kv kv;

			es_mvcc_version_kv(events[i].version, &kv);
			if (w->block.len >= BLOCK_BYTES) {
				w->cursor = (struct es_mvcc_cursor){kv.mod_revision,
								    kv.sub_revision};
				break;
			}
			rc = es_checkpoint_version_encode(&kv, w->block_last, &w->block);
			if (rc < 0)
				return failed(w, rc, "", "collect versions");
			w->block_last = kv.mod_revision;
			w->block_versions++;
		}
	}
	*ret_done = w->filled;
	return 0;
}

static int open_versions(struct es_checkpoint_writer *w, const char *name)
{
	uint8_t header[ES_CHECKPOINT_FILE_HEADER_BYTES];
	char path[ES_PATH_BYTES_MAX];
	int rc = es_fs_join(w->folder, name, path);

	if (rc == 0)
		rc = w->fs->open(w->fs->ctx, path, ES_FS_CREATE, &w->handle);
	if (rc < 0)
		return failed(w, rc, name, "make the file");
	es_checkpoint_file_header(&w->file, w->state.cluster_id, header);
	rc = w->fs->write_at(w->fs->ctx, w->handle, header, sizeof(header), 0);
	if (rc < 0)
		return failed(w, rc, name, "write");
	es_blake3_update(&w->root, es_slice(header, sizeof(header)));
	w->file.bytes = sizeof(header);
	w->bytes_written += sizeof(header);
	return 0;
}

/* "<name>.tmp" of the data file, or its final name. */
static void versions_name(const struct es_checkpoint_writer *w, bool temporary,
			  char name[ES_CHECKPOINT_NAME_BYTES])
{
	size_t len;

	es_checkpoint_versions_name(w->file.number, name);
	len = strlen(name);
	if (temporary)
		snprintf(name + len, ES_CHECKPOINT_NAME_BYTES - len, ".tmp");
}

bool es_checkpoint_is_base(const struct es_checkpoint_writer *w)
{
	return w->file.after == 0;
}

uint64_t es_checkpoint_flush_bytes(const struct es_checkpoint_writer *w)
{
	return w->block.len + ES_CHECKPOINT_FILE_HEADER_BYTES;
}

int es_checkpoint_flush(struct es_checkpoint_writer *w)
{
	size_t payload = w->block.len - ES_CHECKPOINT_BLOCK_HEADER_BYTES;
	struct es_checkpoint_block block = {
		.versions = w->block_versions,
		.number = w->file.blocks,
	};
	char name[ES_CHECKPOINT_NAME_BYTES];
	int rc;

	ES_ASSERT(w->block.len >= ES_CHECKPOINT_BLOCK_HEADER_BYTES);
	if (w->block_versions == 0) {
		w->block.len = 0;
		return 0;
	}
	versions_name(w, true, name);
	if (payload > ES_CHECKPOINT_BLOCK_BYTES_MAX)
		return failed(w, ES_ETOO_LARGE, name, "write a block");
	block.bytes = (uint32_t)payload;
	if (w->handle < 0) {
		rc = open_versions(w, name);
		if (rc < 0)
			return rc;
	}
	es_checkpoint_block_header(
		&block, es_slice(w->block.data + ES_CHECKPOINT_BLOCK_HEADER_BYTES, payload),
		w->block.data);
	rc = w->fs->write_at(w->fs->ctx, w->handle, w->block.data, w->block.len, w->file.bytes);
	if (rc < 0)
		return failed(w, rc, name, "write");
	es_blake3_update(&w->root, es_slice(block.hash, sizeof(block.hash)));
	w->file.bytes += w->block.len;
	w->bytes_written += w->block.len;
	w->file.blocks++;
	w->file.versions += w->block_versions;
	w->block.len = 0;
	if (w->file.bytes - w->synced >= SYNC_EVERY_BYTES) {
		rc = w->fs->sync(w->fs->ctx, w->handle);
		if (rc < 0)
			return failed(w, rc, name, "sync");
		w->synced = w->file.bytes;
	}
	/* One large value must not keep its memory until the end. */
	if (w->block.cap > 4 * BLOCK_BYTES)
		es_buf_close(&w->block);
	return 0;
}

static int finish_versions(struct es_checkpoint_writer *w)
{
	char from[ES_PATH_BYTES_MAX], to[ES_PATH_BYTES_MAX];
	char name[ES_CHECKPOINT_NAME_BYTES];
	int rc;

	if (w->handle < 0)
		return 0; /* nothing has changed since the last checkpoint */
	es_blake3_final(&w->root, w->file.root);
	versions_name(w, true, name);
	rc = es_fs_join(w->folder, name, from);
	if (rc == 0)
		rc = w->fs->sync(w->fs->ctx, w->handle);
	if (rc < 0)
		return failed(w, rc, name, "sync");
	rc = w->fs->close(w->fs->ctx, w->handle);
	w->handle = -1;
	if (rc < 0)
		goto fail;
	versions_name(w, false, name);
	rc = es_fs_join(w->folder, name, to);
	if (rc == 0)
		rc = w->fs->rename(w->fs->ctx, from, to);
	if (rc < 0)
		goto fail;
	w->files->files[w->files->count++] = w->file;
	return 0;
fail:
	failed(w, rc, name, "finish");
	w->fs->unlink(w->fs->ctx, from);
	return rc;
}

int es_checkpoint_commit(struct es_checkpoint_writer *w,
			 uint8_t ret_descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES])
{
	struct es_checkpoint_descriptor descriptor = {.index = w->state.index,
						      .term = w->state.term};
	char name[ES_CHECKPOINT_NAME_BYTES];
	struct es_buf manifest;
	int rc;

	ES_ASSERT(w->filled && w->block.len == 0);
	es_buf_init(&manifest, w->mem);
	es_checkpoint_manifest_name(w->state.index, name);
	rc = finish_versions(w);
	if (rc < 0)
		goto out;
	rc = es_checkpoint_manifest_encode(&w->state, w->files, &manifest);
	if (rc == 0 && manifest.len > UINT32_MAX)
		rc = ES_ETOO_LARGE;
	if (rc == 0) /* W1: the folder is synced after it, and the data file's name with it */
		rc = es_fs_replace(w->fs, w->folder, name, es_buf_slice(&manifest));
	if (rc < 0) {
		failed(w, rc, name, "write");
		goto out;
	}
	w->bytes_written += manifest.len;
	descriptor.manifest_bytes = (uint32_t)manifest.len;
	es_blake3(es_buf_slice(&manifest), descriptor.manifest_hash);
	es_checkpoint_descriptor_encode(&descriptor, ret_descriptor);
out:
	es_buf_close(&manifest);
	return rc;
}

struct es_checkpoint_files *es_checkpoint_take_files(struct es_checkpoint_writer *w)
{
	struct es_checkpoint_files *files = w->files;

	w->files = NULL;
	return files;
}

void es_checkpoint_writer_free(struct es_checkpoint_writer *w)
{
	char name[ES_CHECKPOINT_NAME_BYTES];
	char path[ES_PATH_BYTES_MAX];

	if (w == NULL)
		return;
	if (w->handle >= 0) {
		w->fs->close(w->fs->ctx, w->handle);
		versions_name(w, true, name);
		if (es_fs_join(w->folder, name, path) == 0)
			w->fs->unlink(w->fs->ctx, path);
	}
	es_checkpoint_files_free(w->files);
	es_buf_close(&w->meta);
	es_buf_close(&w->block);
	es_free(w->mem, w);
}

uint64_t es_checkpoint_bytes_written(const struct es_checkpoint_writer *w)
{
	return w->bytes_written;
}

const char *es_checkpoint_error(const struct es_checkpoint_writer *w)
{
	return w->error;
}
