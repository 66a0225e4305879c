#ifndef ES_CTL_COLUMNS_H
#define ES_CTL_COLUMNS_H

#include "ctl/output.h"

/* What a table shows of a resource, besides its name: what one looks for in those kinds that are looked at most, and of
 * the others the version and the age. */
struct es_ctl_column {
	const char *head;
	/* Append the cell: 0, ES_ENOMEM. */
	int (*cell)(struct es_buf *buf, const struct es_json *object,
		    const struct es_ctl_item *item, int64_t now_s);
	bool wide; /* only with -o wide */
};

struct es_ctl_columns {
	const char *group, *kind;
	struct es_ctl_column columns[8]; /* up to one without a head */
};

const struct es_ctl_columns *es_ctl_columns_of(const struct es_resource_key *key);
/* "5s", "3m20s", "4h", "12d": as long as it is worth knowing. */
void es_ctl_age(int64_t seconds, char *out, size_t size);
/* "2026-01-02T03:04:05Z" in seconds since 1970; false: it is no such time. */
bool es_ctl_time_parse(struct es_slice text, int64_t *ret_s);

#endif
