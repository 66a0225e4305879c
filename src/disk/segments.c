#include "disk/segments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "disk/segments_internal.h"

/*
 * Why this is done before libraft opens its folder: libraft takes whatever it cannot read in an
 * open segment for a write that a crash interrupted, and drops it with everything behind it; and
 * some remains of real crashes it refuses. We know more:
 *
 *   S1  An append is written only when the one before it is durable (consensus/proposals.c), and
 *       each is one batch. So a batch that cannot be read is a torn write only when nothing was
 *       written after it: no whole batch behind it in its segment, nothing but zeros in the
 *       segments after it.
 *   S2  An entry that the guard knows was durable, and is not torn.
 *   S3  Our entries say their index: what is whole but in the wrong place, or follows a gap, is
 *       found.
 *   S4  libraft allots a segment's space before it writes there, and takes the rest away, exactly,
 *       when it closes the segment. So one that holds entries, is shorter, and does not end with
 *       its last batch was cut later.
 *   S5  Whatever is not a torn write is damage: nothing is changed then, and the member does not
 *       start.
 *   S6  libraft closes a full segment beside the writes to the next one, and goes on when that
 *       fails: the segment then keeps its name, `open-<n>`, while later ones are closed, or a
 *       snapshot is taken. Such a stray is put where its entries say (S3), and closed or removed
 *       by the repair. It must be whole: what was written after it proves that it was.
 *
 * What remains undecided is damage to the very last batch before a power failure that came so soon
 * that the guard did not reach the disk: it is cut like a torn write.
 *
 * A torn first write of a segment may leave its first block empty and later ones not. A write that
 * went beyond the space allotted to a segment may leave its file short. libraft gives up on both;
 * they are cut here like any torn write.
 */
#define WAY_OUT "restore the data folder from a backup, or add the member anew"
/* How far behind a broken batch the next whole one may count. */
#define INDEX_JUMP_MAX ((uint64_t)1 << 20)
/* What libraft allots to a segment. */
#define SEGMENT_BYTES ((size_t)8 << 20)

/* ---- reading and telling --------------------------------------------------------------------- */

int es_segments_bad(struct es_segments *s, int status, const char *name, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(s->errmsg, s->errmsg_size, "%s/%s: %s; " WAY_OUT, s->folder, name, what);
	return status;
}

int es_segments_failed(struct es_segments *s, int status, const char *name, const char *what)
{
	snprintf(s->errmsg, s->errmsg_size, "%s/%s: cannot %s: %s", s->folder, name, what,
		 status == ES_ENOMEM ? es_status_text(status) : strerror(errno));
	return status;
}

int es_segments_read(struct es_segments *s, const char *name)
{
	const struct es_fs *fs = s->fs;
	char path[ES_PATH_BYTES_MAX];
	uint64_t size;
	size_t got = 0;
	int file;
	int rc = es_fs_join(s->folder, name, path);

	if (rc == 0)
		rc = fs->open(fs->ctx, path, ES_FS_READ, &file);
	if (rc == ES_ENOENT)
		return rc;
	if (rc < 0)
		return es_segments_failed(s, rc, name, "open");
	s->bytes.len = 0;
	rc = fs->size(fs->ctx, file, &size);
	if (rc == 0)
		rc = es_buf_reserve(&s->bytes, (size_t)size);
	if (rc == 0)
		rc = fs->read_at(fs->ctx, file, s->bytes.data, (size_t)size, 0, &got);
	s->bytes.len = got;
	if (rc < 0)
		es_segments_failed(s, rc, name, "read");
	fs->close(fs->ctx, file);
	return rc;
}

/* ---- the folder ------------------------------------------------------------------------------ */

/* Digits, at most 20 of them; moves *text behind them. */
static bool take_number(const char **text, uint64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	if (errno != 0)
		return false;
	*text = end;
	return true;
}

static bool take_text(const char **text, const char *expected)
{
	size_t len = strlen(expected);

	if (strncmp(*text, expected, len) != 0)
		return false;
	*text += len;
	return true;
}

static bool parse_name(const char *name, struct es_raft_file *ret_file)
{
	const char *p = name;
	uint64_t *n = ret_file->number;

	*ret_file = (struct es_raft_file){0};
	if (strlen(name) >= sizeof(ret_file->name))
		return false;
	memcpy(ret_file->name, name, strlen(name) + 1);
	if (take_text(&p, "open-")) {
		ret_file->kind = ES_RAFT_OPEN;
		return take_number(&p, &n[0]) && *p == '\0';
	}
	if (take_text(&p, "snapshot-")) {
		if (!take_number(&p, &n[0]) || !take_text(&p, "-") || !take_number(&p, &n[1]) ||
		    !take_text(&p, "-") || !take_number(&p, &n[2]))
			return false;
		ret_file->kind = *p == '\0' ? ES_RAFT_DATA : ES_RAFT_META;
		return *p == '\0' || strcmp(p, ".meta") == 0;
	}
	ret_file->kind = ES_RAFT_CLOSED;
	return take_number(&p, &n[0]) && take_text(&p, "-") && take_number(&p, &n[1]) && *p == '\0';
}

static int add_file(struct es_segments *s, struct es_raft_files *list,
		    const struct es_raft_file *file)
{
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 8 : list->cap * 2;
		struct es_raft_file *files = es_realloc(s->mem, list->files, cap * sizeof(*files));

		if (files == NULL)
			return ES_ENOMEM;
		list->files = files;
		list->cap = cap;
	}
	list->files[list->count++] = *file;
	return 0;
}

static int note_file(void *arg, const char *name)
{
	struct es_segments *s = arg;
	struct es_raft_files *list;
	struct es_raft_file file;

	if (!parse_name(name, &file))
		return 0; /* libraft overlooks it, too */
	list = file.kind == ES_RAFT_OPEN     ? &s->open
	       : file.kind == ES_RAFT_CLOSED ? &s->closed
	       : file.kind == ES_RAFT_META   ? &s->meta
					     : &s->data;
	return add_file(s, list, &file);
}

static int compare_files(const void *a, const void *b)
{
	const struct es_raft_file *x = a, *y = b;

	for (size_t i = 0; i < 3; i++) {
		if (x->number[i] != y->number[i])
			return x->number[i] < y->number[i] ? -1 : 1;
	}
	return 0;
}

static void sort_files(struct es_raft_files *list)
{
	if (list->count > 1)
		qsort(list->files, list->count, sizeof(*list->files), compare_files);
}

static int list_folder(struct es_segments *s)
{
	int rc = s->fs->list(s->fs->ctx, s->folder, note_file, s);

	if (rc < 0)
		return es_segments_failed(s, rc, ".", "list");
	sort_files(&s->open);
	sort_files(&s->closed);
	sort_files(&s->meta);
	sort_files(&s->data);
	return 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static bool only_zeros(const struct es_buf *bytes, size_t from)
{
	return from >= bytes->len ||
	       (bytes->data[from] == 0 &&
		memcmp(bytes->data + from, bytes->data + from + 1, bytes->len - from - 1) == 0);
}

/* The batch is whole: do its entries belong here, behind report->last_index? Counts them if so. */
static const char *accept_batch(struct es_segments *s, const struct es_raft_batch *batch)
{
	struct es_slice file = es_buf_slice(&s->bytes);
	uint64_t term = s->report->last_term;
	size_t data = batch->data;
	struct es_raft_entry entry;

	for (uint64_t i = 0; i < batch->entries; i++) {
		es_raft_batch_entry(file, batch, i, &data, &entry);
		if (entry.term < term || entry.term > s->term)
			return "an entry has an impossible term";
		if (entry.type == ES_RAFT_COMMAND &&
		    s->index_of(entry.bytes) != s->report->last_index + 1 + i) {
			snprintf(s->wrong, sizeof(s->wrong),
				 "entry %llu was expected, and this says to be %llu",
				 (unsigned long long)(s->report->last_index + 1 + i),
				 (unsigned long long)s->index_of(entry.bytes));
			return s->wrong;
		}
		term = entry.term;
	}
	s->report->last_term = term;
	s->report->last_index += batch->entries;
	return NULL;
}

static int check_closed(struct es_segments *s, const struct es_raft_file *file)
{
	struct es_raft_batch batch;
	const char *wrong;
	size_t offset = 8;
	bool is_short;
	int rc = es_segments_read(s, file->name);

	if (rc < 0)
		return rc;
	if (s->bytes.len < 8)
		return es_segments_bad(s, ES_ETRUNCATED, file->name, "at byte %zu: the file is cut",
				       s->bytes.len);
	if (es_load_u64le(s->bytes.data) != ES_RAFT_FORMAT)
		return es_segments_bad(s, ES_EFORMAT, file->name,
				       "at byte 0: is of an unknown format");
	s->report->last_index = file->number[0] - 1;
	while (offset < s->bytes.len && (offset != file->end || !file->stray)) {
		wrong = es_raft_batch_at(es_buf_slice(&s->bytes), offset, &batch, &is_short);
		if (wrong == NULL)
			wrong = accept_batch(s, &batch);
		if (wrong != NULL)
			return es_segments_bad(s, is_short ? ES_ETRUNCATED : ES_ECORRUPT,
					       file->name, "at byte %zu: %s", offset, wrong);
		offset = batch.end;
	}
	if (s->report->last_index != file->number[1])
		return es_segments_bad(
			s, s->report->last_index < file->number[1] ? ES_ETRUNCATED : ES_ECORRUPT,
			file->name, "at byte %zu: the file ends with entry %llu", offset,
			(unsigned long long)s->report->last_index);
	return 0;
}

/* The closed segments that libraft will load: the last ones without a gap. They must join the
 * snapshot. */
static int check_closed_segments(struct es_segments *s)
{
	const struct es_raft_files *closed = &s->closed;
	uint64_t snapshot = s->report->snapshot_index;
	size_t first = closed->count;

	for (size_t i = 0; i < closed->count; i++) {
		if (closed->files[i].number[0] == 0 ||
		    closed->files[i].number[1] < closed->files[i].number[0])
			return es_segments_bad(s, ES_ECORRUPT, closed->files[i].name,
					       "its name is impossible");
	}
	while (first > 0 && (first == closed->count || closed->files[first - 1].number[1] + 1 ==
							       closed->files[first].number[0]))
		first--;
	if (first > 0 && closed->files[first - 1].number[1] >= closed->files[first].number[0])
		return es_segments_bad(s, ES_ECORRUPT, closed->files[first].name,
				       "holds entries that %s has, too",
				       closed->files[first - 1].name);
	if (closed->count == 0) {
		s->report->first_index = snapshot + 1;
		s->report->last_index = snapshot;
		s->report->last_term = s->report->snapshot_term;
		return snapshot > 0 ? 0
				    : es_segments_bad(s, ES_ENOENT, ".",
						      "the first segment of the log is missing");
	}
	if (closed->files[first].number[0] > snapshot + 1)
		return es_segments_bad(s, ES_ENOENT, closed->files[first].name,
				       "the entries from %llu on, before its first, are missing",
				       (unsigned long long)snapshot + 1);
	s->report->first_index = closed->files[first].number[0];
	for (; first < closed->count; first++) {
		int rc = check_closed(s, &closed->files[first]);

		if (rc < 0)
			return rc;
	}
	if (s->report->last_index < snapshot) {
		/* The snapshot has it all, and libraft begins behind it. */
		s->report->first_index = snapshot + 1;
		s->report->last_index = snapshot;
		s->report->last_term = s->report->snapshot_term;
	}
	return 0;
}

/* ---- strays (S6) ----------------------------------------------------------------------------- */

/* What index the first entry of a segment claims, unless it has none or is not a command: 0 then.
 * Nothing of it is verified. */
static int peek(const struct es_fs *fs, const char *folder, const char *name,
		es_segments_index_fn *index_of, uint64_t *ret_index)
{
	uint8_t bytes[ES_RAFT_PEEK_BYTES];
	char path[ES_PATH_BYTES_MAX];
	size_t len;
	int file;
	int rc;

	*ret_index = 0;
	rc = es_fs_join(folder, name, path);
	if (rc == 0)
		rc = fs->open(fs->ctx, path, ES_FS_READ, &file);
	if (rc < 0)
		return rc;
	rc = fs->read_at(fs->ctx, file, bytes, sizeof(bytes), 0, &len);
	fs->close(fs->ctx, file);
	if (rc == 0 && len > 8 && es_load_u64le(bytes) == ES_RAFT_FORMAT)
		*ret_index = es_raft_batch_claim(es_slice(bytes, len), 8, index_of);
	return rc;
}

/* Is the segment, whose first entry claims to be `first`, whole? Then its entries are counted; else
 * what is wrong with it, and *ret_offset where. */
static int count_entries(struct es_segments *s, struct es_raft_file *file, uint64_t first,
			 const char **ret_wrong, size_t *ret_offset)
{
	struct es_raft_batch batch;
	const char *wrong = NULL;
	size_t offset = 8;
	bool is_short;
	int rc = es_segments_read(s, file->name);

	if (rc < 0)
		return rc;
	file->first_index = first;
	file->entries = 0;
	while (wrong == NULL && !only_zeros(&s->bytes, offset)) {
		wrong = es_raft_batch_at(es_buf_slice(&s->bytes), offset, &batch, &is_short);
		if (wrong == NULL) {
			file->entries += batch.entries;
			offset = batch.end;
		}
	}
	if (wrong == NULL && offset < s->bytes.len && s->bytes.len < SEGMENT_BYTES)
		wrong = "the file is cut"; /* S4 */
	file->end = offset;
	*ret_offset = offset;
	*ret_wrong = wrong;
	return 0;
}

static int place_stray(struct es_segments *s, struct es_raft_file *file, uint64_t closed_last)
{
	uint64_t snapshot = s->report->snapshot_index;
	struct es_raft_file closed;
	const char *wrong;
	uint64_t first;
	size_t offset;
	int rc = peek(s->fs, s->folder, file->name, s->index_of, &first);

	if (rc < 0)
		return es_segments_failed(s, rc, file->name, "read");
	if (first == 0 || (first > closed_last && first > snapshot))
		return 0;
	rc = count_entries(s, file, first, &wrong, &offset);
	if (rc < 0)
		return rc;
	if (wrong != NULL)
		return es_segments_bad(s, ES_ECORRUPT, file->name,
				       "at byte %zu: %s, and entries after it are on disk", offset,
				       wrong);
	file->stray = true;
	if (first + file->entries - 1 <= snapshot) {
		file->entries = 0; /* the snapshot has them: it goes */
		return 0;
	}
	closed = *file;
	closed.number[0] = first;
	closed.number[1] = first + file->entries - 1;
	return add_file(s, &s->closed, &closed);
}

static int place_strays(struct es_segments *s)
{
	uint64_t closed_last = 0;

	for (size_t i = 0; i < s->closed.count; i++) {
		if (s->closed.files[i].number[1] > closed_last)
			closed_last = s->closed.files[i].number[1];
	}
	for (size_t i = 0; i < s->open.count; i++) {
		int rc = place_stray(s, &s->open.files[i], closed_last);

		if (rc < 0)
			return rc;
	}
	sort_files(&s->closed);
	return 0;
}

struct unclosed {
	const struct es_fs *fs;
	const char *folder;
	es_segments_index_fn *index_of;
	uint64_t index;
	char *name;
};

static int look_unclosed(void *arg, const char *name)
{
	struct unclosed *search = arg;
	struct es_raft_file file;
	uint64_t first;

	if (!parse_name(name, &file) || file.kind != ES_RAFT_OPEN)
		return 0;
	/* One that libraft has just removed or closed is not there any more. */
	if (peek(search->fs, search->folder, name, search->index_of, &first) == 0 && first != 0 &&
	    first <= search->index)
		snprintf(search->name, ES_SEGMENTS_NAME_BYTES, "%s", name);
	return 0;
}

int es_segments_unclosed(const struct es_fs *fs, const char *raft_dir, uint64_t index,
			 es_segments_index_fn *index_of, char ret_name[ES_SEGMENTS_NAME_BYTES])
{
	struct unclosed search = {fs, raft_dir, index_of, index, ret_name};

	ret_name[0] = '\0';
	return fs->list(fs->ctx, raft_dir, look_unclosed, &search);
}

/* ---- open segments --------------------------------------------------------------------------- */

/* Is a batch, anywhere behind `from`, one that was written after what should be there? */
static bool whole_batch_behind(struct es_segments *s, size_t from, size_t *ret_offset)
{
	struct es_slice file = es_buf_slice(&s->bytes);

	for (size_t offset = from + 8; offset + 24 <= file.len; offset += 8) {
		struct es_raft_batch batch;
		bool is_short;
		/* S1: one entry each. Checksums come last: what looks like a batch of many entries
		 * takes long, and a value may hold many of it. */
		uint64_t index = es_raft_batch_claim(file, offset, s->index_of);

		if (index == 0 || index - s->report->last_index - 1 >= INDEX_JUMP_MAX ||
		    es_raft_batch_at(file, offset, &batch, &is_short) != NULL)
			continue;
		*ret_offset = offset;
		return true;
	}
	return false;
}

/* Something that is not a whole batch is at `offset` of the last segment that holds anything: S1,
 * S2. */
static int judge_tail(struct es_segments *s, const struct es_raft_file *file, size_t offset,
		      const char *wrong)
{
	uint64_t acknowledged = es_guard_acknowledged(s->guard);
	uint64_t next = s->report->last_index + 1;
	size_t behind;

	if (file->entries > 0 && s->bytes.len < SEGMENT_BYTES) /* S4 */
		return es_segments_bad(s, ES_ETRUNCATED, file->name, "at byte %zu: the file is cut",
				       s->bytes.len);
	if (whole_batch_behind(s, offset, &behind))
		return es_segments_bad(s, ES_ECORRUPT, file->name,
				       "at byte %zu: %s, and a whole one follows at byte %zu",
				       offset, wrong, behind);
	if (acknowledged >= next)
		return es_segments_bad(s, ES_ECORRUPT, file->name,
				       "at byte %zu: %s, and entry %llu was acknowledged (%s)",
				       offset, wrong, (unsigned long long)acknowledged,
				       es_guard_path(s->guard));
	s->report->cut_bytes = s->bytes.len - offset;
	s->report->cut_offset = offset;
	snprintf(s->report->cut_file, sizeof(s->report->cut_file), "%.60s", file->name);
	return 0;
}

static int check_open(struct es_segments *s, struct es_raft_file *file,
		      const struct es_raft_file **broken, char *broken_text, size_t broken_size)
{
	struct es_raft_batch batch;
	const char *wrong = NULL;
	size_t offset = 0;
	bool is_short;
	int rc = es_segments_read(s, file->name);

	if (rc < 0)
		return rc;
	if (only_zeros(&s->bytes, 0))
		return 0; /* allotted, not written to yet */
	if (*broken != NULL)
		return es_segments_bad(s, ES_ECORRUPT, (*broken)->name,
				       "%s, and %s was written after it", broken_text, file->name);
	file->first_index = s->report->last_index + 1;
	if (s->bytes.len < 8 || es_load_u64le(s->bytes.data) != ES_RAFT_FORMAT)
		wrong = "is of an unknown format";
	else
		offset = 8;
	while (wrong == NULL && !only_zeros(&s->bytes, offset)) {
		wrong = es_raft_batch_at(es_buf_slice(&s->bytes), offset, &batch, &is_short);
		if (wrong == NULL) {
			wrong = accept_batch(s, &batch);
			if (wrong != NULL) /* S3: it is whole, so it is not torn */
				return es_segments_bad(s, ES_ECORRUPT, file->name,
						       "at byte %zu: %s", offset, wrong);
			offset = batch.end;
			file->entries += batch.entries;
		}
	}
	file->end = offset;
	if (wrong == NULL && file->entries > 0 && offset < s->bytes.len &&
	    s->bytes.len < SEGMENT_BYTES)
		wrong = "the file is cut"; /* S4 */
	if (wrong == NULL)
		return 0;
	*broken = file;
	snprintf(broken_text, broken_size, "at byte %zu: %s", offset, wrong);
	return judge_tail(s, file, offset, wrong);
}

static int check_open_segments(struct es_segments *s)
{
	const struct es_raft_file *broken = NULL;
	char broken_text[128];

	for (size_t i = 0; i < s->open.count; i++) {
		int rc;

		if (s->open.files[i].stray)
			continue;
		rc = check_open(s, &s->open.files[i], &broken, broken_text, sizeof(broken_text));
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The log must reach what was acknowledged. */
static int check_end(struct es_segments *s)
{
	uint64_t acknowledged = es_guard_acknowledged(s->guard);
	const char *name = s->closed.count > 0 ? s->closed.files[s->closed.count - 1].name : ".";

	if (s->open.count > 0)
		name = s->open.files[0].name;
	for (size_t i = 0; i < s->open.count; i++) {
		if (s->open.files[i].entries > 0 && !s->open.files[i].stray)
			name = s->open.files[i].name;
	}
	if (s->report->last_index < acknowledged)
		return es_segments_bad(
			s, ES_ECORRUPT, name,
			"the log ends at entry %llu, and entry %llu was acknowledged (%s)",
			(unsigned long long)s->report->last_index, (unsigned long long)acknowledged,
			es_guard_path(s->guard));
	return 0;
}

/* ---- repair ---------------------------------------------------------------------------------- */

/* What libraft would do when it loads an open segment, and a crash in the middle of it leaves an
 * open segment again. */
static int close_segment(struct es_segments *s, const struct es_raft_file *open)
{
	const struct es_fs *fs = s->fs;
	char from[ES_PATH_BYTES_MAX], to[ES_PATH_BYTES_MAX];
	char name[ES_RAFT_NAME_BYTES];
	int file;
	int rc;
	int closed;

	snprintf(name, sizeof(name), "%016llu-%016llu", (unsigned long long)open->first_index,
		 (unsigned long long)(open->first_index + open->entries - 1));
	rc = es_fs_join(s->folder, open->name, from);
	if (rc == 0)
		rc = es_fs_join(s->folder, name, to);
	if (rc == 0 && open->entries == 0)
		return fs->unlink(fs->ctx, from);
	if (rc == 0)
		rc = fs->open(fs->ctx, from, ES_FS_UPDATE, &file);
	if (rc < 0)
		return rc;
	rc = fs->truncate(fs->ctx, file, open->end);
	if (rc == 0)
		rc = fs->sync(fs->ctx, file);
	closed = fs->close(fs->ctx, file);
	if (rc == 0)
		rc = closed;
	return rc == 0 ? fs->rename(fs->ctx, from, to) : rc;
}

int es_segments_repair(struct es_segments *s, char *errmsg, size_t errmsg_size)
{
	int rc;

	s->errmsg = errmsg;
	s->errmsg_size = errmsg_size;
	rc = es_segments_write_metadata(s);
	for (size_t i = 0; rc == 0 && i < s->open.count; i++) {
		rc = close_segment(s, &s->open.files[i]);
		if (rc < 0)
			return es_segments_failed(s, rc, s->open.files[i].name, "close");
	}
	if (rc == 0 && s->open.count > 0) {
		rc = s->fs->sync_folder(s->fs->ctx, s->folder);
		if (rc < 0)
			return es_segments_failed(s, rc, ".", "sync");
	}
	return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

int es_segments_check(const struct es_mem *mem, const struct es_fs *fs, const char *raft_dir,
		      struct es_guard *guard, es_segments_index_fn *index_of,
		      size_t descriptor_bytes, struct es_segments **ret_segments,
		      struct es_segments_report *ret_report, char *errmsg, size_t errmsg_size)
{
	struct es_segments *s = es_calloc(mem, 1, sizeof(*s));
	int rc;

	if (s == NULL) {
		snprintf(errmsg, errmsg_size, "%s: %s", raft_dir, es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	*s = (struct es_segments){
		.mem = mem,
		.fs = fs,
		.folder = raft_dir,
		.guard = guard,
		.index_of = index_of,
		.descriptor_bytes = descriptor_bytes,
		.report = ret_report,
		.errmsg = errmsg,
		.errmsg_size = errmsg_size,
	};
	*ret_report = (struct es_segments_report){0};
	es_buf_init(&s->bytes, mem);
	es_buf_init(&s->snapshot, mem);
	rc = list_folder(s);
	if (rc == 0)
		rc = es_segments_check_metadata(s);
	if (rc == 0)
		rc = es_segments_check_snapshots(s);
	if (rc == 0)
		rc = place_strays(s);
	if (rc == 0)
		rc = check_closed_segments(s);
	if (rc == 0)
		rc = check_open_segments(s);
	if (rc == 0)
		rc = check_end(s);
	es_buf_close(&s->bytes); /* it may be large */
	if (rc < 0) {
		es_segments_free(s);
		return rc;
	}
	*ret_segments = s;
	return 0;
}

struct es_slice es_segments_snapshot(const struct es_segments *s)
{
	return es_buf_slice(&s->snapshot);
}

void es_segments_free(struct es_segments *s)
{
	if (s == NULL)
		return;
	es_buf_close(&s->bytes);
	es_buf_close(&s->snapshot);
	es_free(s->mem, s->open.files);
	es_free(s->mem, s->closed.files);
	es_free(s->mem, s->meta.files);
	es_free(s->mem, s->data.files);
	es_free(s->mem, s);
}
