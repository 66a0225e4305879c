#ifndef ES_MEMBER_MEMBER_H
#define ES_MEMBER_MEMBER_H

#include "config/cluster.h"
#include "config/config.h"
#include "disk/datadir.h"
#include "engine/engine.h"

/*
 * One member, opened from a configuration: its data folder, locked; its identity; the engine. The
 * daemon puts listeners around it, the library threads. Loop thread only.
 *
 *   claim -> open -> close -> release
 *
 * Between claim and open nothing is written down that outlives a start that fails: a daemon binds
 * its ports there.
 */
struct es_member_parts {
	/* Set by the caller, borrowed until the release. */
	const struct es_config *config;
	const struct es_mem *mem;
	const struct es_env *env;
	const struct es_log *log;
	struct uv_loop_s *loop;
	const char *written_by; /* "engenho-store 0.1.0": of a new folder */
	/* As in struct es_engine_config. */
	void (*failed)(void *ctx, int status, const char *message);
	void (*ready)(void *ctx);
	void (*leader)(void *ctx, bool has_leader);
	void *ctx;
	/* From the claim on. */
	struct es_cluster_ids ids;
	/* From the open until the close; NULL else. */
	struct es_engine *engine;
	/* Own. */
	struct es_datadir *datadir;
	struct es_arena arena;
};

/*
 * Lock the folder, and find out whose it is: ids that are written there, or those that the
 * configuration gives a new member. As es_datadir_open and es_cluster_bootstrap. The release must
 * follow, whatever is returned.
 */
int es_member_claim(struct es_member_parts *member, char *errmsg, size_t errmsg_size);

/*
 * Write the identity down, and open the engine. `client_urls` are those to advertise, NULL behind
 * the last. As es_datadir_set_member and es_engine_open.
 */
int es_member_open(struct es_member_parts *member, const char *const *client_urls, char *errmsg,
		   size_t errmsg_size);

/* As es_engine_close; `closed` comes before this returns when there is no engine. */
void es_member_close(struct es_member_parts *member, void (*closed)(void *ctx), void *ctx);

/* Unlock the folder, after `closed`. Nothing happens to a zeroed struct. */
void es_member_release(struct es_member_parts *member);

#endif
