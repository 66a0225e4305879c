#ifndef ES_SERVER_PROCESS_H
#define ES_SERVER_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* What the kernel tells of this process; fields that cannot be read stay 0. */
struct es_process_stats {
	double cpu_seconds;
	double start_time_seconds; /* since 1970 */
	uint64_t resident_bytes, virtual_bytes, virtual_bytes_max;
	uint64_t fds_open, fds_max;
};

void es_process_stats(struct es_process_stats *ret_stats);

/* Raise the limit of open files to what is allowed. Returns the limit now. */
uint64_t es_process_raise_fd_limit(void);

/*
 * Tell the service manager ("READY=1"), by datagram to the socket that $NOTIFY_SOCKET names;
 * nothing happens without one. 1: told, 0: nobody to tell, ES_EIO.
 */
int es_process_notify(const char *state);

#endif
