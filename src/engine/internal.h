#ifndef ES_ENGINE_INTERNAL_H
#define ES_ENGINE_INTERNAL_H

#include <uv.h>

#include "engine/engine.h"
#include "wire/hot.h"

/* Shared by the files of this module; nobody else includes it. */

/* A proposal under way. The log knows only this record, so an operation that timed out can leave
 * before it. */
struct es_proposal {
	struct es_queue link;    /* in es_engine.proposals, oldest first */
	struct es_engine_op *op; /* NULL: nobody waits any more */
	uint64_t deadline_ms;
};

struct es_revision_sample {
	uint64_t at_ms;
	int64_t revision;
};

#define ES_COMPACTOR_SAMPLES_MAX 512
#define ES_ENGINE_ALARMS_MAX     64

struct es_engine {
	struct es_engine_config config; /* strings point to copies in `strings` */
	struct es_arena strings;
	struct es_arena
		scratch; /* of one command: its result, if nobody waits or only `done` reads it */
	const struct es_mem *mem;

	struct es_mvcc *store;
	struct es_lease_table *leases;
	struct es_watch_hub *hub;
	struct es_consensus *consensus;
	uint8_t chain[ES_BLAKE3_BYTES];

	struct es_alarm alarms[ES_ENGINE_ALARMS_MAX];
	bool alarm_by_quota[ES_ENGINE_ALARMS_MAX]; /* raised by us: cleared by us */
	size_t alarm_count;
	bool alarm_proposed;
	uint64_t calm_since_ms; /* below the quota, with the alarm up */
	struct es_member member;
	struct es_arena member_strings;

	struct es_queue proposals;
	struct es_buf command; /* the command being encoded */
	struct es_buf resource_body;
	struct es_buf meta; /* of the checkpoint being written */
	/* What the size of an event was told for: its encoding, which follows at once, must not
	 * find anything else. */
	struct es_wire_kv event_prev;
	bool event_has_prev;
	uint64_t sequence;

	/* Background work on the loop. */
	uv_timer_t tick;                 /* leases, time-outs, the compactor */
	uv_idle_t background;            /* runs a slice every loop turn while there is work */
	struct es_queue compact_waiters; /* es_engine_op.link: physical compactions */
	struct es_queue hash_jobs;
	/* Leases half revoked may be there: of a leader before us, or since a slice was dropped. */
	bool revoking_check;
	uint64_t revoking_check_ms; /* when to look for them, at the earliest */
	struct es_revision_sample samples[ES_COMPACTOR_SAMPLES_MAX];
	size_t sample_first, sample_count;
	uint64_t next_sample_ms, next_compaction_ms;

	uint64_t publish_again_ms; /* should the proposal before have been dropped */
	bool has_leader, is_leader, was_ready, disk_full, closing;
	bool failed; /* the member cannot go on; a command may be half applied */
	int handles_open;
	uint64_t leader_changes;
	struct es_engine_stats counts; /* the counters of it */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* engine.c */
void es_engine_wake_background(struct es_engine *engine);
uint64_t es_engine_now_ms(const struct es_engine *engine);

/* apply.c: the callback of the log, and the end of an operation. */
int es_engine_apply(void *ctx, uint64_t index, uint64_t term, struct es_slice command, void *op);
void es_engine_op_done(struct es_engine *engine, struct es_proposal *proposal, int status);
int es_engine_propose(struct es_engine *engine, struct es_engine_op *op, enum es_command_kind kind,
		      struct es_slice body);
/* The same for what adds `cost` bytes to the store: when they do not fit, the operation raises the
 * alarm instead and ends with ES_ENOSPACE, which is returned at once while the alarm is up. */
int es_engine_propose_within_quota(struct es_engine *engine, struct es_engine_op *op,
				   enum es_command_kind kind, struct es_slice body, uint64_t cost);
void es_engine_time_out_proposals(struct es_engine *engine, uint64_t now_ms);
/* What the quota is judged by: the key space and the leases. */
uint64_t es_engine_bytes(const struct es_engine *engine);
/* Raise (or lower) the NOSPACE alarm by quota; proposes once. */
void es_engine_check_quota(struct es_engine *engine);

/* lessor.c */
void es_engine_expire_leases(struct es_engine *engine, uint64_t now_ms);
int es_engine_apply_lease_grant(struct es_engine *engine, struct es_slice body);
/* *ret_finished: false when another slice is to follow. */
int es_engine_apply_lease_revoke(struct es_engine *engine, struct es_slice body,
				 bool *ret_finished);
/* After a change: leases of keys, watchers. */
int es_engine_changed(struct es_engine *engine, const struct es_mvcc_event *events, size_t count);

/* compactor.c */
void es_engine_auto_compact(struct es_engine *engine, uint64_t now_ms);
int es_engine_apply_compact(struct es_engine *engine, struct es_slice body);
/* Returns whether there is more to do. */
bool es_engine_compact_slice(struct es_engine *engine);

/* hashkv.c */
bool es_engine_hash_slice(struct es_engine *engine);
void es_engine_hash_cancel(struct es_engine *engine);

/* meta.c: what a checkpoint holds beside versions (docs/formats/checkpoint-meta.md). */
int es_engine_meta_encode(const struct es_engine *engine, struct es_buf *buf);
int es_engine_meta_decode(struct es_engine *engine, struct es_slice meta);
int es_engine_apply_alarm(struct es_engine *engine, struct es_slice body, struct es_engine_op *op);
int es_engine_apply_member(struct es_engine *engine, struct es_slice body);
int es_engine_set_member(struct es_engine *engine, struct es_slice name,
			 const struct es_slice *peer_urls, size_t peer_count,
			 const struct es_slice *client_urls, size_t client_count);
/* While leading: tell the cluster this member's name and client URLs if they differ from what it
 * knows, once a second until it does. */
void es_engine_publish_attributes(struct es_engine *engine, uint64_t now_ms);
/* They are what the configuration says. */
bool es_engine_is_published(const struct es_engine *engine);
/* Calls `ready` of the configuration when it is time, once. */
void es_engine_tell_ready(struct es_engine *engine);

#endif
