#include "mvcc/revlog.h"

/*
 * Why chunks: an array in one piece would be copied whole when it grows and could not give memory
 * back; a linked list could not be searched. Chunks of pointers are closed up at once on a removal
 * (moving up to 4 KiB costs less than the cache misses of finding the place), so a chunk has no
 * holes and its neighbours are its only business.
 *
 * Invariants
 * R1  Versions ascend strictly by (main, sub), within and across chunks.
 * R2  No chunk is empty; first_main and first_sub are those of its first version.
 * R3  A chunk at or below a quarter full was offered to its neighbours when it last lost a version:
 *     the log's memory is within a small factor of what it holds.
 *
 * Inside a chunk a search begins with a guess: most transactions make one version, so revisions are
 * nearly dense.
 */

#define CHUNK      ((size_t)ES_REVLOG_CHUNK)
#define MERGE_FROM (CHUNK / 4)
#define MERGE_MAX  (CHUNK * 3 / 4)

void es_revlog_init(struct es_revlog *log, const struct es_mem *mem)
{
	*log = (struct es_revlog){.mem = mem};
}

void es_revlog_close(struct es_revlog *log)
{
	for (size_t i = 0; i < log->chunk_count; i++)
		es_free(log->mem, log->chunks[i].versions);
	es_free(log->mem, log->spare);
	es_free(log->mem, log->chunks);
	es_revlog_init(log, log->mem);
}

static bool last_is_full(const struct es_revlog *log)
{
	return log->chunk_count == 0 || log->chunks[log->chunk_count - 1].n == CHUNK;
}

static int reserve_directory(struct es_revlog *log)
{
	size_t cap = log->chunk_cap == 0 ? 4 : log->chunk_cap + log->chunk_cap / 2;
	struct es_revlog_chunk *chunks;

	if (log->chunk_count < log->chunk_cap)
		return 0;
	chunks = es_realloc(log->mem, log->chunks, cap * sizeof(*chunks));
	if (chunks == NULL)
		return ES_ENOMEM;
	log->bytes += (cap - log->chunk_cap) * sizeof(*chunks);
	log->chunks = chunks;
	log->chunk_cap = cap;
	return 0;
}

int es_revlog_reserve(struct es_revlog *log)
{
	int rc;

	if (!last_is_full(log) || log->spare != NULL)
		return 0;
	rc = reserve_directory(log);
	if (rc < 0)
		return rc;
	log->spare = es_alloc(log->mem, CHUNK * sizeof(struct es_mvcc_version *));
	if (log->spare == NULL)
		return ES_ENOMEM;
	log->bytes += CHUNK * sizeof(struct es_mvcc_version *);
	return 0;
}

/* Keep R2 after versions[0] of a chunk changed. */
static void renew_head(struct es_revlog_chunk *chunk)
{
	chunk->first_main = chunk->versions[0]->main;
	chunk->first_sub = es_mvcc_sub(chunk->versions[0]);
}

void es_revlog_append(struct es_revlog *log, struct es_mvcc_version *version)
{
	const struct es_mvcc_version *last = es_revlog_last(log);
	struct es_revlog_chunk *chunk;

	ES_ASSERT(last == NULL ||
		  es_mvcc_revision_cmp(last, version->main, es_mvcc_sub(version)) < 0); /* R1 */
	if (last_is_full(log)) {
		ES_ASSERT(log->spare != NULL && log->chunk_count < log->chunk_cap);
		log->chunks[log->chunk_count++] = (struct es_revlog_chunk){.versions = log->spare};
		log->spare = NULL;
	}
	chunk = &log->chunks[log->chunk_count - 1];
	chunk->versions[chunk->n++] = version;
	if (chunk->n == 1)
		renew_head(chunk);
	log->count++;
}

static bool starts_at_or_below(const struct es_revlog_chunk *chunk, int64_t main, int64_t sub)
{
	return chunk->first_main < main || (chunk->first_main == main && chunk->first_sub <= sub);
}

/* The first place in a chunk at or above (main, sub). */
static size_t search_chunk(const struct es_revlog_chunk *chunk, int64_t main, int64_t sub)
{
	size_t low = 0, high = chunk->n; /* below `low`: too old; from `high` on: not */
	uint64_t ahead;

	if (main <= chunk->first_main && (main < chunk->first_main || sub <= chunk->first_sub))
		return 0;
	/* With one version a revision and none missing this is the place itself; with some missing
	 * it lies before. */
	ahead = (uint64_t)main - (uint64_t)chunk->first_main;
	if (ahead < high) {
		size_t guess = (size_t)ahead;

		if (es_mvcc_revision_cmp(chunk->versions[guess], main, sub) < 0)
			low = guess + 1;
		else
			high = guess;
		if (low < high && es_mvcc_revision_cmp(chunk->versions[high - 1], main, sub) < 0)
			return high;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (es_mvcc_revision_cmp(chunk->versions[middle], main, sub) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct es_revlog_pos es_revlog_seek(const struct es_revlog *log, int64_t main, int64_t sub)
{
	size_t low = 0, high = log->chunk_count;
	struct es_revlog_pos pos;

	/* The last chunk that starts at or below the revision, else the first. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (starts_at_or_below(&log->chunks[middle], main, sub))
			low = middle + 1;
		else
			high = middle;
	}
	pos.chunk = low == 0 ? 0 : low - 1;
	pos.index = 0;
	if (pos.chunk < log->chunk_count) {
		pos.index = search_chunk(&log->chunks[pos.chunk], main, sub);
		if (pos.index == log->chunks[pos.chunk].n)
			pos = (struct es_revlog_pos){pos.chunk + 1, 0};
	}
	return pos;
}

struct es_mvcc_version *es_revlog_at(const struct es_revlog *log, struct es_revlog_pos pos)
{
	return pos.chunk < log->chunk_count ? log->chunks[pos.chunk].versions[pos.index] : NULL;
}

void es_revlog_next(const struct es_revlog *log, struct es_revlog_pos *pos)
{
	if (++pos->index == log->chunks[pos->chunk].n)
		*pos = (struct es_revlog_pos){pos->chunk + 1, 0};
}

struct es_mvcc_version *es_revlog_last(const struct es_revlog *log)
{
	const struct es_revlog_chunk *chunk;

	if (log->chunk_count == 0)
		return NULL;
	chunk = &log->chunks[log->chunk_count - 1];
	return chunk->versions[chunk->n - 1];
}

uint64_t es_revlog_rest_max(const struct es_revlog *log, struct es_revlog_pos pos)
{
	uint64_t rest;

	if (pos.chunk >= log->chunk_count)
		return 0;
	rest = (uint64_t)(log->chunk_count - 1 - pos.chunk) * CHUNK + log->chunks[pos.chunk].n -
	       pos.index;
	return rest < log->count ? rest : log->count;
}

/* ---- removal -------------------------------------------------------------------------------- */

static void drop_chunk(struct es_revlog *log, size_t index)
{
	es_free(log->mem, log->chunks[index].versions);
	log->bytes -= CHUNK * sizeof(struct es_mvcc_version *);
	log->chunk_count--;
	memmove(log->chunks + index, log->chunks + index + 1,
		(log->chunk_count - index) * sizeof(log->chunks[0]));
}

/* Move the versions of chunk index + 1 behind those of chunk `index` if they are few enough
 * together. */
static bool try_merge(struct es_revlog *log, size_t index)
{
	struct es_revlog_chunk *left = &log->chunks[index], *right = left + 1;

	if (index + 1 >= log->chunk_count || left->n + right->n > MERGE_MAX)
		return false;
	memcpy(left->versions + left->n, right->versions, right->n * sizeof(right->versions[0]));
	left->n += right->n;
	drop_chunk(log, index + 1);
	return true;
}

void es_revlog_remove(struct es_revlog *log, const struct es_mvcc_version *version)
{
	struct es_revlog_pos pos = es_revlog_seek(log, version->main, es_mvcc_sub(version));
	struct es_revlog_chunk *chunk;

	ES_ASSERT(es_revlog_at(log, pos) == version);
	chunk = &log->chunks[pos.chunk];
	chunk->n--;
	log->count--;
	if (chunk->n == 0) {
		drop_chunk(log, pos.chunk);
		return;
	}
	memmove(chunk->versions + pos.index, chunk->versions + pos.index + 1,
		(chunk->n - pos.index) * sizeof(chunk->versions[0]));
	if (pos.index == 0)
		renew_head(chunk);
	if (chunk->n > MERGE_FROM)
		return;
	if (pos.chunk == 0 || !try_merge(log, pos.chunk - 1))
		try_merge(log, pos.chunk);
}

void es_revlog_check(const struct es_revlog *log)
{
	const struct es_mvcc_version *last = NULL;
	uint64_t count = 0, bytes = log->chunk_cap * sizeof(log->chunks[0]);

	for (size_t i = 0; i < log->chunk_count; i++) {
		const struct es_revlog_chunk *chunk = &log->chunks[i];

		ES_ASSERT(chunk->n > 0 && chunk->n <= CHUNK);                   /* R2 */
		ES_ASSERT(chunk->first_main == chunk->versions[0]->main);       /* R2 */
		ES_ASSERT(chunk->first_sub == es_mvcc_sub(chunk->versions[0])); /* R2 */
		for (size_t j = 0; j < chunk->n; j++) {
			const struct es_mvcc_version *version = chunk->versions[j];

			ES_ASSERT(last == NULL ||
				  es_mvcc_revision_cmp(last, version->main, es_mvcc_sub(version)) <
					  0); /* R1 */
			last = version;
		}
		count += chunk->n;
		bytes += CHUNK * sizeof(chunk->versions[0]);
	}
	if (log->spare != NULL)
		bytes += CHUNK * sizeof(struct es_mvcc_version *);
	ES_ASSERT(count == log->count);
	ES_ASSERT(bytes == log->bytes);
}
