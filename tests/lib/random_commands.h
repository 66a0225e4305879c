#ifndef ES_TEST_RANDOM_COMMANDS_H
#define ES_TEST_RANDOM_COMMANDS_H

#include "base/rng.h"
#include "mvcc/mvcc.h"
#include "resource/command.h"

/* Logs of random commands on few resources, so that they meet each other: the same seed gives the
 * same log. Memory that is out ends the process. */
struct random_commands {
	struct es_rng rng;
	bool v0; /* only what rules v0 have */
	/* Where the log is being applied, for conditions that hold now and then; NULL: none do. */
	const struct es_mvcc *store;
};

/* Append one command as a JSON object, without the end of its line. */
void random_command(struct random_commands *commands, struct es_buf *out);

#endif
