#ifndef ES_CTL_ARGS_H
#define ES_CTL_ARGS_H

#include <stdbool.h>
#include <stdio.h>

#include "ctl/text.h"

/* What the verbs share: options and complaints. */

/* "--name value" or "--name=value" at argv[*at], of a short name "-nvalue" too: 1 and the value, *at is moved; 0 when
 * it is another argument; -1 when no value follows. */
int es_ctl_option(int argc, char **argv, int *at, const char *name, const char **ret_value);

/* The values of an option that may be given more than once. */
#define ES_CTL_LIST_MAX 256
struct es_ctl_list {
	const char *items[ES_CTL_LIST_MAX];
	size_t count;
};

/* An option of a verb: with a value, which *value is set to or which is added to *list, or without, when *given is
 * set. */
struct es_ctl_flag {
	const char *name;  /* "--output"; NULL ends a list */
	const char *alias; /* "-o", or NULL */
	const char **value;
	bool *given;
	struct es_ctl_list *list;
};
/* Take the options out of the arguments. What is left is moved to the front of `argv`; returns how many that are,
 * or -1 after a complaint. "--" ends the options; "-" is none. */
int es_ctl_parse(int argc, char **argv, const struct es_ctl_flag *flags);
/* The value of "-o": "json" or "text". Returns false after a complaint. */
bool es_ctl_parse_output(const char *output, bool *ret_json);

/* Say on standard error what is wrong with the command line. Returns ES_CTL_USAGE. */
int es_ctl_usage(const char *what, const char *which);
/* The same, with a line that names what there is instead. */
int es_ctl_usage_known(const char *what, const char *which, const char *known);
/* Say on standard error what went wrong; what could do things to a terminal is escaped. Returns ES_CTL_FAILED. */
int es_ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int es_ctl_out_of_memory(void);

#endif
