#ifndef ES_SERVER_SERVER_H
#define ES_SERVER_SERVER_H

#include "base/log.h"
#include "config/config.h"

/*
 * Run a member until it is told to stop: SIGTERM or SIGINT end it in order (no new calls, the
 * running ones are answered, everything is on disk), a second signal, unless it comes within 200 ms
 * of the first, at once. Returns the exit
 * status of the process: 0 after a stop in order, 1 when it could not start or had to give up;
 * the log says why.
 */
int es_server_run(const struct es_config *config, const struct es_log *log);

#endif
