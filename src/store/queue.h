#ifndef ES_STORE_QUEUE_H
#define ES_STORE_QUEUE_H

#include "store/internal.h"

/* What the life of a store needs of the queue; calls are made with the functions in internal.h. */

/* On the loop: run all that is queued; when the store is stopping, end it. */
void es_store_run_calls(engenho_store *store);
/* On the loop, before it sleeps: what was finished goes to those who dispatch. */
void es_store_show_finished(engenho_store *store);
/* From now on; the first reason counts. */
void es_store_refuse_calls(engenho_store *store, const engenho_error *reason);
/* On the loop, before its handles are closed. */
void es_store_stop_waking(engenho_store *store);

bool es_store_is_closing(engenho_store *store);
/* Tell the loop. */
void es_store_begin_close(engenho_store *store);
/* In the store's thread, behind the loop: what is left is shown, and those who dispatch are told. */
void es_store_end_loop(engenho_store *store);
/* The thread is gone: wait for those who are in a call still, and deliver what is left. */
void es_store_end_close(engenho_store *store);

#endif
