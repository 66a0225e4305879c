#ifndef ES_STORE_CONFIG_H
#define ES_STORE_CONFIG_H

#include "store/internal.h"

/* What engenho_config_set was told, in `store`: its configuration, its log and how it calls back. Texts live in the
 * arena of the store. ES_EINVAL with `errmsg`; as es_config_load and es_logging_open. */
int es_store_configure(engenho_store *store, const engenho_config *config, char *errmsg,
		       size_t errmsg_size);

/* engenho_config_new on that memory, which the store and its results use too. Any thread may call it, and it outlives
 * them all. */
engenho_config *es_store_config_new(const struct es_mem *mem);
const struct es_mem *es_store_config_mem(const engenho_config *config);

#endif
