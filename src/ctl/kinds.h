#ifndef ES_CTL_KINDS_H
#define ES_CTL_KINDS_H

#include "resource/key.h"
#include "resource/schema.h"

/* Kinds as people name them. Pure; everything points into the text or into static tables. */
struct es_ctl_kind {
	struct es_slice group, version, kind;
	const struct es_schema_kind *built_in; /* NULL: nothing is known of it */
};

/*
 * "pods", "pod", "po", "Pod" (in any case), "deployments.apps", "deployments.v1.apps", "apps/v1/Deployment", "v1/Pod".
 * False: it is none of these.
 */
bool es_ctl_kind_parse(struct es_slice text, struct es_ctl_kind *ret_kind);
/* The same with a name behind it: "pods/a", "v1/Pod/a", "apps/v1/Deployment/a". False: no kind, or no name. */
bool es_ctl_kind_parse_named(struct es_slice text, struct es_ctl_kind *ret_kind,
			     struct es_slice *ret_name);
/* Of a document: "apps/v1" or "v1", and a kind. False: the first is no apiVersion. */
bool es_ctl_kind_of(struct es_slice api_version, struct es_slice kind,
		    struct es_ctl_kind *ret_kind);
/* What is known of it by its group and kind; NULL. */
const struct es_schema_kind *es_ctl_kind_find(struct es_slice group, struct es_slice kind);

/* Whether group, version and kind are the same. */
bool es_ctl_same_kind(const struct es_resource_key *a, const struct es_resource_key *b);

/* "pod", "deployment.apps": how results are printed. ES_ENOMEM. */
int es_ctl_kind_write(struct es_buf *buf, struct es_slice group, struct es_slice kind);

#endif
