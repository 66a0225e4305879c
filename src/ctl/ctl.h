#ifndef ES_CTL_CTL_H
#define ES_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of engenhoctl, as its help tells them. */
enum {
	ES_CTL_OK = 0,
	ES_CTL_FAILED = 1,
	ES_CTL_USAGE = 2,
	ES_CTL_NOT_FOUND = 3,
	ES_CTL_CONFLICT = 4,
	ES_CTL_INVALID = 5,
	ES_CTL_UNAVAILABLE = 6,
	ES_CTL_INTERRUPTED = 130,
};
/* The worse of two: usage, failed, unavailable, invalid, conflict, not found, ok. */
int es_ctl_worse(int a, int b);

/* The options that may stand anywhere. */
struct es_ctl_options {
	const char *endpoints; /* comma-separated */
	uint64_t timeout_ms;
	const char *ns;     /* "": none was named */
	bool ns_is_certain; /* by the command line, not by the environment */
};

/*
 * What engenhoctl can be told to do. main.c has the table of them; each prints to standard output, and what went
 * wrong to standard error.
 */
struct es_ctl_verb {
	const char *name;     /* one word, or two: "catalog inspect" */
	const char *operands; /* "FILE [-o json]" */
	const char *brief;    /* one line */
	const char *more;     /* lines that say the rest, its options first */
	const char *example;  /* a command line, and what it does */
	/* `argv` is what stands behind the name, without the options of all verbs. Returns the exit status. */
	int (*run)(const struct es_ctl_options *options, int argc, char **argv);
};

extern const struct es_ctl_verb es_ctl_status;
extern const struct es_ctl_verb es_ctl_catalog_inspect;
extern const struct es_ctl_verb es_ctl_catalog_verify;
extern const struct es_ctl_verb es_ctl_catalog_replay;
extern const struct es_ctl_verb es_ctl_catalog_export;
extern const struct es_ctl_verb es_ctl_catalog_import;
extern const struct es_ctl_verb es_ctl_get;
extern const struct es_ctl_verb es_ctl_list;
extern const struct es_ctl_verb es_ctl_watch;
extern const struct es_ctl_verb es_ctl_put;
extern const struct es_ctl_verb es_ctl_patch;
extern const struct es_ctl_verb es_ctl_apply;
extern const struct es_ctl_verb es_ctl_delete;
extern const struct es_ctl_verb es_ctl_completion;

/* All of them, NULL-terminated. */
extern const struct es_ctl_verb *const es_ctl_verbs[];

#endif
