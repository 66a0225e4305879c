#ifndef ES_RESOURCE_SELECTOR_H
#define ES_RESOURCE_SELECTOR_H

#include "base/json.h"

/*
 * Label and field selectors as Kubernetes writes them. Labels: "a=b,c!=d,e in (f,g),h notin (i),j,!k" (also "==").
 * Fields: "metadata.name=x,spec.nodeName!=y" ("==" too), on any path: an absent field is the empty string, numbers and
 * booleans compare by their canonical JSON text; a dot in a member's name is written "\.", ',' '=' and '\' in values
 * likewise. Pure.
 */
struct es_selector;

/* NULL or empty texts select everything. The selector lives in `arena` and copies what it needs. ES_EINVAL with
 * `errmsg`: what and where ("label selector: expected a value at 4"); ES_ENOMEM. */
int es_selector_parse(struct es_slice labels, struct es_slice fields, struct es_arena *arena,
		      const struct es_selector **ret_selector, char *errmsg, size_t errmsg_size);
/* `selector` NULL: yes. Only metadata.labels and the fields named are looked at. */
bool es_selector_matches(const struct es_selector *selector, const struct es_json *object);
bool es_selector_is_everything(const struct es_selector *selector);

#endif
