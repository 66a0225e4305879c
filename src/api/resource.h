#ifndef ES_API_RESOURCE_H
#define ES_API_RESOURCE_H

#include "api/internal.h"
#include "wire/resource_store.pb-c.h"

/* What the two files of engenho.v1.ResourceStore share; in resource_store.c. */

/* A text of a message, which may be absent. */
struct es_slice es_api_text(const char *text);
/* Which resources a list or a watch is of; `ns` NULL: of all namespaces. False: the call was failed. */
bool es_api_read_scope(struct es_rpc_call *call, const char *group, const char *version,
		       const char *kind, const char *ns, bool *ret_everything,
		       struct es_resource_scope *ret_scope);
/* In `arena`; the value is borrowed. NULL: no memory. */
Engenho__V1__Resource *es_api_resource(struct es_arena *arena, const struct es_typed_item *item);

#endif
