/*
 * Prints a log of random commands, a JSON object a line; the same arguments print the same log.
 *
 *   command_log SEED COUNT [v0]
 *
 * The commands are applied to a catalog of its own meanwhile, so that some of their conditions hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "random_commands.h"
#include "resource/rules.h"

static void apply(struct es_mvcc *store, struct es_slice line, struct es_arena *arena)
{
	struct es_resource_command command;
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_resource_plan plan;
	char errmsg[256];
	size_t count;

	if (es_resource_command_decode(line, arena, &command, errmsg, sizeof(errmsg)) != 0) {
		(void)fprintf(stderr, "%.*s\n%s\n", (int)line.len, (const char *)line.data, errmsg);
		exit(1);
	}
	ES_ASSERT(es_resource_plan(store, &command, arena, &plan) == 0);
	if (plan.txn != NULL)
		ES_ASSERT(es_mvcc_txn_apply(store, plan.txn, NULL, arena, &res, &events, &count) ==
			  0);
}

int main(int argc, char **argv)
{
	struct random_commands commands = {.v0 = argc == 4 && strcmp(argv[3], "v0") == 0};
	struct es_mvcc *store;
	struct es_arena arena;
	struct es_buf line;

	if (argc < 3 || argc > 4 || (argc == 4 && !commands.v0)) {
		(void)fprintf(stderr, "usage: command_log SEED COUNT [v0]\n");
		return 2;
	}
	ES_ASSERT(es_mvcc_new(es_mem_default(), &store) == 0);
	es_mvcc_count_from(store, 0);
	es_arena_init(&arena, es_mem_default(), 65536);
	es_buf_init(&line, es_mem_default());
	es_rng_init(&commands.rng, strtoull(argv[1], NULL, 10));
	commands.store = store;
	for (unsigned long long left = strtoull(argv[2], NULL, 10); left > 0; left--) {
		line.len = 0;
		random_command(&commands, &line);
		if (fwrite(line.data, 1, line.len, stdout) != line.len || putchar('\n') == EOF)
			return 1;
		if (!commands.v0)
			apply(store, es_buf_slice(&line), &arena);
		es_arena_reset(&arena);
	}
	es_buf_close(&line);
	es_arena_close(&arena);
	es_mvcc_free(store);
	return fflush(stdout) == 0 ? 0 : 1;
}
