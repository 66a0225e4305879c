#ifndef ES_STORE_WATCH_H
#define ES_STORE_WATCH_H

#include "store/internal.h"

/*
 * What watches of resources and of keys share: the loop makes batches of events, some ahead, and a
 * thread takes them. Who does not take them stops the loop from making more: they stay in the store. A batch begins a
 * block (es_store_block_new).
 */
struct es_store_batch {
	struct es_store_batch *next;
};

struct es_store_watch;

/* The first two on the loop. */
struct es_store_watch_kind {
	/* The next batch, whole revisions; NULL: none yet, and *ret_again says whether to ask in a later turn or when
	 * there is news (es_store_watch_news). < 0 ends the watch, but ES_ENOMEM: then it is asked again. */
	int (*fetch)(struct es_store_watch *watch, struct es_store_batch **ret_batch,
		     bool *ret_again);
	/* Remove the watcher. The store and the engine are there still. */
	void (*detach)(struct es_store_watch *watch);
	/* Free the watch, es_store_watch_release first. In any thread. */
	void (*free)(struct es_store_watch *watch);
};

struct es_store_watch {
	const struct es_store_watch_kind *kind;
	const struct es_mem *mem; /* the store's; may outlive it */

	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	engenho_store *store; /* NULL: the loop knows it no more */
	struct es_store_batch *first, *last;
	unsigned ready;
	unsigned waiting;
	engenho_error end; /* code 0: it goes on */
	bool canceled, full, kicked;
	bool orphan; /* it was closed on the loop, which frees it when it leaves */
	int fd;      /* -1: nobody asked for it */

	struct es_store_call kick, leave; /* to the loop */

	/* The loop's own. */
	struct es_queue link; /* in store->watches */
	struct es_queue work; /* in store->work */
};

/* Before the call that adds it. */
int es_store_watch_init(struct es_store_watch *watch, const struct es_store_watch_kind *kind,
			engenho_store *store);
/* On the loop, by that call: it was added, and has something to give, perhaps. */
void es_store_watch_attach(struct es_store_watch *watch);
/* On the loop, at any time. */
void es_store_watch_news(struct es_store_watch *watch);

/* For the caller. The batch is his. As engenho_watch_next and so on. */
engenho_code es_store_watch_take(struct es_store_watch *watch, int timeout_ms,
				 struct es_store_batch **ret_batch, engenho_error *error);
int es_store_watch_fd(struct es_store_watch *watch);
void es_store_watch_cancel(struct es_store_watch *watch);
void es_store_watch_close(struct es_store_watch *watch);
/* Everything but the struct. */
void es_store_watch_release(struct es_store_watch *watch);

#endif
