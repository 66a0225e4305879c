#ifndef ES_RESOURCE_SELECTOR_H
#define ES_RESOURCE_SELECTOR_H

#include "base/json.h"

/*
 * Label and field selectors as Kubernetes writes them (apimachinery's labels.Parse and fields.ParseSelector), all
 * of whose requirements must hold.
 *
 * Labels: "a=b,c!=d,e in (f,g),h notin (i),j,!k", also "==", ">" and "<" (integers). White space may stand between
 * words; a missing value is the empty one; "!=" and "notin" hold when there is no such label. Keys and values must
 * be such as labels can have. A label of an object that is no string is none.
 *
 * Fields: "metadata.name=x,spec.nodeName!=y", also "==", on any path of members. An absent field, null, an array
 * and an object are the empty string; numbers and booleans compare by their canonical JSON text. White space
 * counts; in values ',', '=' and '\' are written with a '\' before them, and so is a '.' in a member's name. Pure.
 */
struct es_selector;

/* Empty texts select everything. The selector lives in `arena` and copies what it needs. ES_EINVAL with `errmsg`:
 * what and where ("label selector: expected a value at 4"); texts of more than 64 KiB as well; ES_ENOMEM. */
int es_selector_parse(struct es_slice labels, struct es_slice fields, struct es_arena *arena,
		      const struct es_selector **ret_selector, char *errmsg, size_t errmsg_size);
/* `selector` NULL: yes. Only metadata.labels and the fields named are looked at. */
bool es_selector_matches(const struct es_selector *selector, const struct es_json *object);
/* How many members it looks up in an object, at most. */
size_t es_selector_cost(const struct es_selector *selector);
bool es_selector_is_everything(const struct es_selector *selector);

#endif
