#ifndef ES_CTL_TARGET_H
#define ES_CTL_TARGET_H

#include "ctl/ctl.h"
#include "ctl/kinds.h"
#include "ctl/output.h"
#include "ctl/store.h"

/* "KIND [NAME...]" or "KIND/NAME..." on the command line. */
struct es_ctl_target {
	struct es_ctl_kind kind;
	struct es_resource_key key; /* without a name */
	char **names;               /* "KIND/NAME" when `named` */
	int name_count;
	bool named;
};

/* ES_CTL_OK, or the exit status after a complaint. */
int es_ctl_target_parse(const struct es_ctl_options *options, int argc, char **argv,
			struct es_ctl_target *ret_target);
/* The key of the i-th name. False after a complaint. */
bool es_ctl_target_key(const struct es_ctl_options *options, const struct es_ctl_target *target,
		       int i, struct es_resource_key *ret_key);

/* Of a resource in an answer; borrows. */
struct es_ctl_item es_ctl_item_of(const Engenho__V1__Resource *resource);
/* A whole number, not negative. False after a complaint that begins with `what`. */
bool es_ctl_parse_number(const char *what, const char *text, int64_t *ret_number);

/* What has gone wrong with one of several: "pod/a in namespace b: ...", after `where` when that is not empty. Returns
 * `status`. */
int es_ctl_fail_key(int status, const char *where, const struct es_resource_key *key,
		    const char *what);

#endif
