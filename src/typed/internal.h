#ifndef ES_TYPED_INTERNAL_H
#define ES_TYPED_INTERNAL_H

#include <uv.h>

#include "typed/typed.h"

/* Shared by the files of this module; nobody else includes it. */

struct es_typed {
	struct es_typed_config config;
	uv_timer_t timer;        /* runs while somebody waits for a time: reads, bookmarks */
	uv_idle_t idle;          /* runs while there is work */
	struct es_queue waiting; /* jobs that wait for a revision */
	struct es_queue running; /* jobs with keys left to look at */
	struct es_queue asking;  /* jobs that wait to be linearizable */
	struct es_queue watches; /* all */
	struct es_queue woken;   /* watches whose owners are to be told */
	struct es_buf text;      /* of the command being proposed */
	int handles_open;
	bool closing;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

uint64_t es_typed_now_ms(const struct es_typed *typed);
/* There is something to do in the next turn of the loop. */
void es_typed_work(struct es_typed *typed);
/* Somebody waits for a time. */
void es_typed_tick_wanted(struct es_typed *typed);

/* list.c. They return whether anything of the kind is left. */
bool es_typed_lists_work(struct es_typed *typed);
bool es_typed_lists_tick(struct es_typed *typed, uint64_t now_ms);
void es_typed_lists_stop(struct es_typed *typed);

/* watch.c */
bool es_typed_watches_work(struct es_typed *typed);
bool es_typed_watches_tick(struct es_typed *typed, uint64_t now_ms);

/* The range of all keys that begin with `prefix`, which ends in a byte below 255. The end is built in
 * `end`. ES_ENOMEM. */
int es_typed_prefix_range(struct es_slice prefix, struct es_buf *end,
			  struct es_mvcc_range *ret_range);

#endif
