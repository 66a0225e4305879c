#ifndef ES_DISK_SEGMENTS_INTERNAL_H
#define ES_DISK_SEGMENTS_INTERNAL_H

#include "disk/segments.h"

#define ES_RAFT_FORMAT         1
#define ES_RAFT_COMMAND        1
#define ES_RAFT_BARRIER        2
#define ES_RAFT_CHANGE         3 /* a configuration */
#define ES_RAFT_NAME_BYTES     96
#define ES_RAFT_METADATA_BYTES 32

/* A file of the folder, by its name. */
struct es_raft_file {
	enum es_raft_kind { ES_RAFT_OPEN, ES_RAFT_CLOSED, ES_RAFT_META, ES_RAFT_DATA } kind;
	uint64_t number[3]; /* open: counter; closed: first and last index; snapshots: term, index,
			       timestamp */
	char name[ES_RAFT_NAME_BYTES];
	/* Open segments, found out by the check. */
	uint64_t first_index;
	uint64_t entries;
	uint64_t end; /* offset behind the last whole batch */
	bool stray;   /* libraft meant to close it (S6); in the list of closed ones, too, unless the
			 snapshot has its entries */
};

struct es_raft_files {
	size_t count;
	size_t cap;
	struct es_raft_file *files;
};

struct es_segments {
	const struct es_mem *mem;
	const struct es_fs *fs;
	const char *folder;
	struct es_guard *guard;
	es_segments_index_fn *index_of;
	size_t descriptor_bytes;
	struct es_segments_report *report;
	char *errmsg;
	size_t errmsg_size;
	struct es_raft_files open, closed, meta, data; /* sorted */
	struct es_buf bytes;                           /* the file at hand */
	struct es_buf snapshot;
	char wrong[128];
	/* The metadata files as libraft will find them, and which of them to write. */
	uint8_t metadata[2][ES_RAFT_METADATA_BYTES];
	bool metadata_write[2];
	struct es_guard_metadata metadata_found; /* where the guard has no copy yet */
	uint64_t term;
};

int es_segments_read(struct es_segments *s, const char *name);
/* Fills errmsg with file, text and the way out. */
int es_segments_bad(struct es_segments *s, int status, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int es_segments_failed(struct es_segments *s, int status, const char *name, const char *what);

/* segments_batch.c */
struct es_raft_batch {
	uint64_t entries;
	size_t begin;   /* offset of its checksums */
	size_t headers; /* of the first entry's header */
	size_t data;    /* of the first entry's bytes */
	size_t end;
};

/* The batch at `offset`; NULL or what is wrong with it, static. *ret_short: it would go on behind
 * the end of the file. */
const char *es_raft_batch_at(struct es_slice file, size_t offset, struct es_raft_batch *ret_batch,
			     bool *ret_short);

/* How much of a segment es_raft_batch_claim wants to see of a first batch. */
#define ES_RAFT_PEEK_BYTES 64
/* What index the batch at `offset` claims, if it looks like one of ours, which hold one entry; else
 * 0. Nothing is verified. */
uint64_t es_raft_batch_claim(struct es_slice file, size_t offset, es_segments_index_fn *index_of);

struct es_raft_entry {
	uint64_t term;
	uint8_t type;
	struct es_slice bytes;
};

/* The entries of a batch one after another; *at begins with 0 and *data with batch->data. */
void es_raft_batch_entry(struct es_slice file, const struct es_raft_batch *batch, uint64_t at,
			 size_t *data, struct es_raft_entry *ret_entry);

/* segments_meta.c: metadata files and snapshots. */
int es_segments_check_metadata(struct es_segments *s);
int es_segments_write_metadata(struct es_segments *s);
int es_segments_check_snapshots(struct es_segments *s);

#endif
