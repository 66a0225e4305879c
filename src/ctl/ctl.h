#ifndef ES_CTL_CTL_H
#define ES_CTL_CTL_H

#include <stddef.h>
#include <stdint.h>

/* Exit statuses of engenhoctl, as its help tells them. */
enum { ES_CTL_OK = 0, ES_CTL_FAILED = 1, ES_CTL_USAGE = 2 };

struct es_ctl_options {
	const char *endpoints; /* comma-separated */
	uint64_t timeout_ms;
};

/* The verbs; each prints to standard output and returns the exit status. */
int es_ctl_status(const struct es_ctl_options *options);

#endif
