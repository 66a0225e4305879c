#ifndef ES_MVCC_REVLOG_H
#define ES_MVCC_REVLOG_H

#include "mvcc/version.h"

/*
 * The revision log: all versions held, in (main, sub) order. Appending is O(1), finding and
 * removing O(log n); memory stays proportional to the versions held, wherever removals fall.
 * Versions are borrowed.
 */
#define ES_REVLOG_CHUNK 500

struct es_revlog_chunk {
	int64_t first_main; /* revision of versions[0], here so that a search touches no version */
	int64_t first_sub;
	struct es_mvcc_version **versions;
	size_t n; /* never 0 */
};

struct es_revlog {
	const struct es_mem *mem;
	struct es_revlog_chunk *chunks;
	size_t chunk_count;
	size_t chunk_cap;
	struct es_mvcc_version **spare; /* reserved for the next chunk, or NULL */
	uint64_t count;
	uint64_t bytes; /* allocated */
};

/* A place in the log; good until the next removal. */
struct es_revlog_pos {
	size_t chunk;
	size_t index;
};

void es_revlog_init(struct es_revlog *log, const struct es_mem *mem);
void es_revlog_close(struct es_revlog *log);

/* Make sure that the next append cannot fail. ES_ENOMEM leaves the log as it was. */
int es_revlog_reserve(struct es_revlog *log);
/* Needs an es_revlog_reserve before. The version is newer than all in the log (asserted). */
void es_revlog_append(struct es_revlog *log, struct es_mvcc_version *version);
/* The version is in the log (asserted). */
void es_revlog_remove(struct es_revlog *log, const struct es_mvcc_version *version);

/* The first version at or above (main, sub), or the end. */
struct es_revlog_pos es_revlog_seek(const struct es_revlog *log, int64_t main, int64_t sub);
/* NULL at the end. */
struct es_mvcc_version *es_revlog_at(const struct es_revlog *log, struct es_revlog_pos pos);
void es_revlog_next(const struct es_revlog *log, struct es_revlog_pos *pos);
/* The newest version, or NULL. */
struct es_mvcc_version *es_revlog_last(const struct es_revlog *log);
/* No fewer than the versions from here on, and not many more. O(1). */
uint64_t es_revlog_rest_max(const struct es_revlog *log, struct es_revlog_pos pos);

/* Asserts order, counts and the heads of chunks. */
void es_revlog_check(const struct es_revlog *log);

#endif
