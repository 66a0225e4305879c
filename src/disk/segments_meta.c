#include <stdio.h>

#include "disk/raft_crc.h"
#include "disk/segments_internal.h"

/* ---- metadata1 and metadata2 ----------------------------------------------------------------- */

/*
 * libraft writes the two files in turns, in place, and takes the one with the higher version. They
 * have no checksum; the guard has checked copies of the last two versions, each written durably
 * before libraft's own file. With v the newest version of the guard, a crash leaves
 *   - the file of v:   as the guard has it, or not written yet: missing, shorter, or still of
 *                      version v - 2
 *   - the other file:  of version v - 1, as the guard has it (missing when v is 1)
 * and everything else is damage. A file of v that was not written yet is written now.
 */
static const char *const metadata_names[2] = {"metadata1", "metadata2"};

struct metadata_file {
	size_t len; /* 0: missing */
	uint64_t format;
	struct es_guard_metadata content;
};

static size_t file_of(uint64_t version)
{
	return version % 2 == 1 ? 0 : 1;
}

static void encode(const struct es_guard_metadata *metadata,
		   uint8_t ret_bytes[ES_RAFT_METADATA_BYTES])
{
	es_store_u64le(ret_bytes, ES_RAFT_FORMAT);
	es_store_u64le(ret_bytes + 8, metadata->version);
	es_store_u64le(ret_bytes + 16, metadata->term);
	es_store_u64le(ret_bytes + 24, metadata->vote);
}

static int read_metadata(struct es_segments *s, size_t i, struct metadata_file *ret_file)
{
	int rc = es_segments_read(s, metadata_names[i]);

	*ret_file = (struct metadata_file){0};
	if (rc == ES_ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	ret_file->len = s->bytes.len;
	if (s->bytes.len > ES_RAFT_METADATA_BYTES)
		return es_segments_bad(s, ES_ECORRUPT, metadata_names[i],
				       "at byte 32: the file is too long");
	if (s->bytes.len == ES_RAFT_METADATA_BYTES) {
		const uint8_t *p = s->bytes.data;

		ret_file->format = es_load_u64le(p);
		ret_file->content = (struct es_guard_metadata){
			es_load_u64le(p + 8), es_load_u64le(p + 16), es_load_u64le(p + 24)};
	}
	return 0;
}

static bool is(const struct metadata_file *file, const struct es_guard_metadata *metadata)
{
	return file->len == ES_RAFT_METADATA_BYTES && file->format == ES_RAFT_FORMAT &&
	       file->content.version == metadata->version && file->content.term == metadata->term &&
	       file->content.vote == metadata->vote;
}

static bool has_version(const struct metadata_file *file, uint64_t version)
{
	return file->len == ES_RAFT_METADATA_BYTES && file->format == ES_RAFT_FORMAT &&
	       file->content.version == version;
}

/* Without a copy in the guard: what libraft itself would accept. */
static int check_alone(struct es_segments *s, const struct metadata_file files[2])
{
	const struct es_guard_metadata *best = NULL;

	for (size_t i = 0; i < 2; i++) {
		if (files[i].len == 0)
			continue;
		if (files[i].format != ES_RAFT_FORMAT || files[i].content.version == 0 ||
		    file_of(files[i].content.version) != i)
			return es_segments_bad(s,
					       files[i].len < ES_RAFT_METADATA_BYTES ? ES_ETRUNCATED
										     : ES_ECORRUPT,
					       metadata_names[i], "at byte 0: the file is damaged");
		if (best == NULL || files[i].content.version > best->version)
			best = &files[i].content;
	}
	if (best == NULL)
		return es_segments_bad(s, ES_ENOENT, "metadata1", "the file is missing");
	s->metadata_found = *best;
	s->term = best->term;
	return 0;
}

int es_segments_check_metadata(struct es_segments *s)
{
	struct es_guard_metadata newest, before;
	struct metadata_file files[2];
	size_t own, other;

	for (size_t i = 0; i < 2; i++) {
		int rc = read_metadata(s, i, &files[i]);

		if (rc < 0)
			return rc;
	}
	es_guard_metadata(s->guard, &newest, &before);
	if (newest.version == 0)
		return check_alone(s, files);
	own = file_of(newest.version);
	other = 1 - own;
	encode(&newest, s->metadata[own]);
	if (!is(&files[own], &newest)) {
		bool not_written = files[own].len < ES_RAFT_METADATA_BYTES
					   ? newest.version <= 2
					   : newest.version > 2 &&
						     has_version(&files[own], newest.version - 2);

		if (!not_written)
			return es_segments_bad(
				s,
				files[own].len < ES_RAFT_METADATA_BYTES ? ES_ETRUNCATED
									: ES_ECORRUPT,
				metadata_names[own],
				"at byte 0: the file is not what was written (%s has a copy)",
				es_guard_path(s->guard));
		s->metadata_write[own] = true;
	}
	if (newest.version == 1 ? files[other].len != 0
				: !(before.version == newest.version - 1
					    ? is(&files[other], &before)
					    : has_version(&files[other], newest.version - 1)))
		return es_segments_bad(
			s, files[other].len < ES_RAFT_METADATA_BYTES ? ES_ETRUNCATED : ES_ECORRUPT,
			metadata_names[other],
			"at byte 0: the file is not what was written (%s has a copy)",
			es_guard_path(s->guard));
	s->term = newest.term;
	return 0;
}

int es_segments_write_metadata(struct es_segments *s)
{
	for (size_t i = 0; i < 2; i++) {
		int rc = 0;

		if (s->metadata_write[i])
			rc = es_fs_replace(s->fs, s->folder, metadata_names[i],
					   es_slice(s->metadata[i], ES_RAFT_METADATA_BYTES));
		if (rc < 0)
			return es_segments_failed(s, rc, metadata_names[i], "write");
	}
	if (s->metadata_found.version > 0) { /* from now on there is a copy */
		int rc = es_guard_set_metadata(s->guard, &s->metadata_found);

		if (rc < 0)
			return es_segments_failed(s, rc, "../GUARD", "write");
	}
	return 0;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* format, checksum of the rest, index of the configuration, its length, the configuration */
#define SNAPSHOT_META_BYTES 32

static bool same_snapshot(const struct es_raft_file *a, const struct es_raft_file *b)
{
	return memcmp(a->number, b->number, sizeof(a->number)) == 0;
}

static bool older_snapshot(const struct es_raft_file *a, const struct es_raft_file *b)
{
	for (size_t i = 0; i < 3; i++) {
		if (a->number[i] != b->number[i])
			return a->number[i] < b->number[i];
	}
	return false;
}

static int check_meta(struct es_segments *s, const struct es_raft_file *meta)
{
	const uint8_t *p;
	int rc = es_segments_read(s, meta->name);

	if (rc < 0)
		return rc;
	p = s->bytes.data;
	if (s->bytes.len < SNAPSHOT_META_BYTES)
		return es_segments_bad(s, ES_ETRUNCATED, meta->name, "at byte %zu: the file is cut",
				       s->bytes.len);
	if (es_load_u64le(p) != ES_RAFT_FORMAT)
		return es_segments_bad(s, ES_EFORMAT, meta->name,
				       "at byte 0: is of an unknown format");
	if (es_load_u64le(p + 24) > s->bytes.len - SNAPSHOT_META_BYTES)
		return es_segments_bad(s, ES_ETRUNCATED, meta->name, "at byte %zu: the file is cut",
				       s->bytes.len);
	if (es_load_u64le(p + 24) != s->bytes.len - SNAPSHOT_META_BYTES ||
	    es_load_u64le(p + 24) == 0 ||
	    es_load_u64le(p + 8) != es_raft_crc(0, es_slice(p + 16, s->bytes.len - 16)))
		return es_segments_bad(s, ES_ECORRUPT, meta->name,
				       "at byte 8: the checksum does not match");
	return 0;
}

/*
 * libraft writes the .meta file first and its data file then, both by renaming, and takes the
 * newest that has both; it removes old ones the other way round. So a .meta file alone may be the
 * beginning of the newest snapshot, and a data file alone the end of an old one. Anything else is
 * damage, and would make libraft fall back to older state.
 */
int es_segments_check_snapshots(struct es_segments *s)
{
	const struct es_raft_file *meta = NULL, *data = NULL;
	int rc;

	for (size_t i = s->data.count; i > 0 && meta == NULL; i--) {
		data = &s->data.files[i - 1];
		for (size_t k = 0; k < s->meta.count; k++) {
			if (same_snapshot(&s->meta.files[k], data))
				meta = &s->meta.files[k];
		}
	}
	if (s->data.count > 0) {
		const struct es_raft_file *last = &s->data.files[s->data.count - 1];

		if (meta == NULL || older_snapshot(data, last))
			return es_segments_bad(s, ES_ENOENT, last->name,
					       "its .meta file is missing");
	}
	if (meta == NULL)
		return 0;
	rc = check_meta(s, meta);
	if (rc < 0)
		return rc;
	rc = es_segments_read(s, data->name);
	if (rc < 0)
		return rc;
	if (s->bytes.len != s->descriptor_bytes)
		return es_segments_bad(
			s, s->bytes.len < s->descriptor_bytes ? ES_ETRUNCATED : ES_ECORRUPT,
			data->name, "at byte %zu: the file ends, it had %zu bytes", s->bytes.len,
			s->descriptor_bytes);
	s->report->snapshot_term = data->number[0];
	s->report->snapshot_index = data->number[1];
	memcpy(s->report->snapshot_file, data->name, sizeof(data->name));
	rc = es_buf_append_slice(&s->snapshot, es_buf_slice(&s->bytes));
	return rc < 0 ? es_segments_failed(s, rc, data->name, "read") : 0;
}
