#include "member/member.h"

#include <stdio.h>

#include "base/assert.h"
#include "disk/fs.h"

static int claim(struct es_member_parts *m, char *errmsg, size_t errmsg_size)
{
	const struct es_config *c = m->config;
	struct es_datadir_member found;
	int rc = es_datadir_open(m->mem, es_fs_posix(), c->data_dir, c->name, m->written_by,
				 &m->datadir, errmsg, errmsg_size);

	if (rc < 0)
		return rc;
	for (size_t n = 0; es_datadir_warning(m->datadir, n) != NULL; n++)
		es_log(m->log, ES_LOG_WARN, es_datadir_warning(m->datadir, n),
		       ES_STR("data-dir", c->data_dir));
	if (!es_datadir_member(m->datadir, &found))
		return es_cluster_bootstrap(c, &m->arena, &m->ids, errmsg, errmsg_size);
	m->ids = (struct es_cluster_ids){.member_id = found.member_id,
					 .cluster_id = found.cluster_id};
	es_log(m->log, ES_LOG_INFO, "server has already been initialized",
	       ES_STR("data-dir", c->data_dir));
	return 0;
}

int es_member_claim(struct es_member_parts *m, char *errmsg, size_t errmsg_size)
{
	int rc;

	es_arena_init(&m->arena, m->mem, 1024);
	errmsg[0] = '\0';
	rc = claim(m, errmsg, errmsg_size);
	if (rc < 0 && errmsg[0] == '\0')
		(void)snprintf(errmsg, errmsg_size, "%s", es_status_text(rc));
	return rc;
}

static int write_identity(struct es_member_parts *m, char *errmsg, size_t errmsg_size)
{
	struct es_datadir_member known;

	if (es_datadir_member(m->datadir, &known) &&
	    es_slice_eq(known.name, es_slice_str(m->config->name)))
		return 0;
	known = (struct es_datadir_member){m->ids.cluster_id, m->ids.member_id,
					   es_slice_str(m->config->name)};
	return es_datadir_set_member(m->datadir, &known, errmsg, errmsg_size);
}

static enum es_compaction_mode compaction_mode(enum es_retention_mode mode)
{
	switch (mode) {
	case ES_RETENTION_PERIODIC: return ES_COMPACTION_PERIODIC;
	case ES_RETENTION_REVISION: return ES_COMPACTION_REVISION;
	case ES_RETENTION_OFF: return ES_COMPACTION_OFF;
	}
	return ES_COMPACTION_OFF;
}

static int open_engine(struct es_member_parts *m, const char *const *client_urls, char *errmsg,
		       size_t errmsg_size)
{
	const struct es_config *c = m->config;
	const struct es_engine_config engine = {
		.mem = m->mem,
		.env = m->env,
		.log = m->log,
		.loop = m->loop,
		.fs = es_fs_posix(),
		.data_dir = c->data_dir,
		.cluster_id = m->ids.cluster_id,
		.member_id = m->ids.member_id,
		.name = c->name,
		.peer_urls = es_urls_texts(&m->arena, &c->advertise_peer),
		.client_urls = client_urls,
		.heartbeat_ms = c->heartbeat_ms,
		.election_ms = c->election_ms,
		.checkpoint_entries = c->checkpoint_entries,
		.quota_bytes = c->quota_bytes < 0 ? UINT64_MAX : (uint64_t)c->quota_bytes,
		.max_txn_ops = c->max_txn_ops,
		.max_request_bytes = c->max_request_bytes,
		.compaction_mode = compaction_mode(c->retention_mode),
		.compaction_retention = c->retention,
		.compaction_batch = c->compaction_batch,
		.unsafe_no_fsync = c->unsafe_no_fsync,
		.failed = m->failed,
		.ready = m->ready,
		.leader = m->leader,
		.ctx = m->ctx,
	};

	if (engine.peer_urls == NULL)
		return ES_ENOMEM;
	return es_engine_open(&engine, &m->engine, errmsg, errmsg_size);
}

int es_member_open(struct es_member_parts *m, const char *const *client_urls, char *errmsg,
		   size_t errmsg_size)
{
	int rc;

	errmsg[0] = '\0';
	rc = write_identity(m, errmsg, errmsg_size);
	if (rc == 0)
		rc = open_engine(m, client_urls, errmsg, errmsg_size);
	if (rc < 0 && errmsg[0] == '\0')
		(void)snprintf(errmsg, errmsg_size, "%s", es_status_text(rc));
	return rc;
}

void es_member_close(struct es_member_parts *m, void (*closed)(void *ctx), void *ctx)
{
	struct es_engine *engine = m->engine;

	m->engine = NULL;
	if (engine == NULL)
		closed(ctx);
	else
		es_engine_close(engine, closed, ctx);
}

void es_member_release(struct es_member_parts *m)
{
	ES_ASSERT(m->engine == NULL);
	es_datadir_close(m->datadir);
	m->datadir = NULL;
	if (m->arena.mem != NULL)
		es_arena_close(&m->arena);
}
