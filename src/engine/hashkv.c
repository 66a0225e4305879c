#include "engine/internal.h"
#include "wire/hot.h"

/*
 * HashKV, so that equal data has an equal number here and on etcd: CRC-32C over "key" and, for
 * every version that counts, its revision key and its protobuf encoding (etcd:
 * server/storage/mvcc/hash.go). A job looks at HASH_SLICE versions a loop turn and pins its
 * revision meanwhile; a compaction that begins while it runs does not change what it counts, as it
 * keeps the compacted revision that it began with.
 */
#define HASH_SLICE             2048
#define REVISION_KEY_BYTES_MAX 18

struct hash_job {
	struct es_queue link;
	struct es_mvcc_pin pin;
	struct es_mvcc_cursor cursor;
	int64_t revision;
	int64_t compacted;
	uint32_t crc;
	struct es_buf encoded;
	void (*done)(void *arg, int status, const struct es_hash_kv *hash);
	void *arg;
};

static size_t write_revision_key(uint8_t *out, const struct es_mvcc_kv *kv)
{
	es_store_u64be(out, (uint64_t)kv->mod_revision);
	out[8] = '_';
	es_store_u64be(out + 9, (uint64_t)kv->sub_revision);
	if (kv->version != 0)
		return REVISION_KEY_BYTES_MAX - 1;
	out[REVISION_KEY_BYTES_MAX - 1] = 't';
	return REVISION_KEY_BYTES_MAX;
}

static int hash_version(struct hash_job *job, const struct es_mvcc_version *version)
{
	uint8_t revision_key[REVISION_KEY_BYTES_MAX];
	struct es_mvcc_kv kv;
	struct es_wire_kv wire;
	int rc;

	es_mvcc_version_kv(version, &kv);
	wire = (struct es_wire_kv){kv.key,          kv.value,   kv.create_revision,
				   kv.mod_revision, kv.version, kv.lease};
	if (kv.version == 0)
		wire = (struct es_wire_kv){.key = kv.key};
	job->encoded.len = 0;
	rc = es_buf_reserve(&job->encoded, es_wire_kv_size(&wire));
	if (rc < 0)
		return rc;
	job->encoded.len = (size_t)(es_wire_kv_write(job->encoded.data, &wire) - job->encoded.data);
	job->crc = es_crc32c(job->crc,
			     es_slice(revision_key, write_revision_key(revision_key, &kv)));
	job->crc = es_crc32c(job->crc, es_buf_slice(&job->encoded));
	return 0;
}

static void finish(struct es_engine *e, struct hash_job *job, int status)
{
	struct es_hash_kv hash = {job->crc, job->compacted, job->revision, es_engine_header(e)};

	es_queue_remove(&job->link);
	es_engine_unpin(e, &job->pin);
	es_buf_close(&job->encoded);
	job->done(job->arg, status, &hash);
	es_free(e->mem, job);
}

/* Returns true when the job has ended. */
static bool step(struct es_engine *e, struct hash_job *job)
{
	struct es_mvcc_event events[256];

	for (size_t seen = 0; seen < HASH_SLICE; seen += ES_ARRAY_LEN(events)) {
		size_t n = es_mvcc_history(e->store, &job->cursor, job->revision, events,
					   ES_ARRAY_LEN(events));

		for (size_t i = 0; i < n; i++) {
			int rc;

			if (!es_mvcc_hash_includes(e->store, events[i].version, job->revision,
						   job->compacted))
				continue;
			rc = hash_version(job, events[i].version);
			if (rc < 0) {
				finish(e, job, rc);
				return true;
			}
		}
		if (n == 0) {
			finish(e, job, 0);
			return true;
		}
	}
	return false;
}

bool es_engine_hash_slice(struct es_engine *e)
{
	struct es_queue *link = e->hash_jobs.next;

	if (link != &e->hash_jobs)
		(void)step(e, ES_QUEUE_ITEM(link, struct hash_job, link));
	return !es_queue_empty(&e->hash_jobs);
}

void es_engine_hash_cancel(struct es_engine *e)
{
	while (!es_queue_empty(&e->hash_jobs))
		finish(e, ES_QUEUE_ITEM(e->hash_jobs.next, struct hash_job, link), ES_ESTOPPED);
}

void es_engine_hash_kv(struct es_engine *e, int64_t revision,
		       void (*done)(void *arg, int status, const struct es_hash_kv *hash),
		       void *arg)
{
	struct hash_job *job = NULL;
	int64_t newest = es_mvcc_revision(e->store);
	int64_t compacted = es_mvcc_compacted(e->store);
	int rc = 0;

	if (e->closing || e->failed)
		rc = ES_ESTOPPED;
	else if (revision > 0 && revision < compacted)
		rc = ES_ECOMPACTED;
	else if (revision > newest)
		rc = ES_EFUTURE_REV;
	else if ((job = es_calloc(e->mem, 1, sizeof(*job))) == NULL)
		rc = ES_ENOMEM;
	if (rc < 0) {
		struct es_hash_kv none = {.header = es_engine_header(e)};

		done(arg, rc, &none);
		return;
	}
	job->revision = revision != 0 ? revision : newest; /* below 0: of nothing, as in etcd */
	job->compacted = compacted;
	job->crc = es_crc32c(0, ES_SLICE("key"));
	job->done = done;
	job->arg = arg;
	es_buf_init(&job->encoded, e->mem);
	/* A compaction meanwhile must not take what is still to be counted. */
	es_engine_pin(e, compacted > 0 ? compacted : 0, &job->pin);
	es_queue_push(&e->hash_jobs, &job->link);
	es_engine_wake_background(e);
}
