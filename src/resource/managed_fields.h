#ifndef ES_RESOURCE_MANAGED_FIELDS_H
#define ES_RESOURCE_MANAGED_FIELDS_H

#include "resource/field_set.h"

/*
 * metadata.managedFields: who owns which fields. A manager is told from others by its name, how it writes (Apply or
 * Update), the subresource that it writes to and, of an Update, the apiVersion that it uses. Pure.
 */
struct es_manager {
	struct es_slice name, api_version, subresource;
	struct es_slice time; /* empty: not known */
	bool applies;         /* else it updates */
	struct es_field_set fields;
	uint32_t number; /* of the entry that was read */
};

/* Anybody may write anything into managedFields, and every member has to work through it. */
#define ES_MANAGERS_MAX       1000
#define ES_MANAGED_FIELDS_MAX 250000

/* Its name, as Kubernetes has it: at most 128 bytes of UTF-8 without control characters; who does not apply may have
 * none. ES_EINVAL with `errmsg`. */
int es_manager_check(struct es_slice name, bool applies, char *errmsg, size_t errmsg_size);

struct es_managers {
	size_t count, room;
	struct es_manager *list;
};

/*
 * Read the list, with room for `more` behind it. `list` NULL, null, empty, or one empty entry, which is how clients
 * reset it: nobody. Of entries of the same manager the last one counts. Fields that nobody can own are left out.
 * ES_EINVAL with `errmsg`, for more than ES_MANAGERS_MAX entries and ES_MANAGED_FIELDS_MAX fields in all as well;
 * ES_ENOMEM.
 */
int es_managers_read(const struct es_json *list, size_t more, struct es_arena *arena,
		     struct es_managers *ret_managers, char *errmsg, size_t errmsg_size);

/* In Kubernetes' order: how it writes, time, name, apiVersion, subresource. Sorts `managers`. ES_EINVAL: nested deeper
 * than `depth_max` containers; ES_ENOMEM. */
int es_managers_write(struct es_managers *managers, unsigned depth_max, struct es_arena *arena,
		      struct es_json *ret_list);

/* NULL: there is none. */
struct es_manager *es_managers_find(const struct es_managers *managers,
				    const struct es_manager *like);
/* Within the room (asserted). */
struct es_manager *es_managers_add(struct es_managers *managers, const struct es_manager *manager);
/* Drop those that own nothing. */
void es_managers_drop_idle(struct es_managers *managers);

/* "\"kubectl\" using apps/v1", as in Kubernetes' messages. ES_ENOMEM. */
int es_manager_print(struct es_buf *buf, const struct es_manager *manager);

/* The fields that nobody owns: apiVersion, kind, metadata, and what the store itself keeps in metadata. Static. */
const struct es_field_set *es_managed_fields_never(void);

#endif
