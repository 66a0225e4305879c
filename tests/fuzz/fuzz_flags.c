/*
 * The command line and the variables: lines of the input are arguments, those that begin with
 * ETCD_ are variables. Whatever comes, it is a configuration or an error with a text.
 */
#include "base/assert.h"
#include "base/status.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES_MAX = 64 };

static void load(struct es_arena *arena, int argc, char **argv, char **envp)
{
	enum es_flags_action action;
	struct es_flags *flags;
	struct es_config config;
	char errmsg[256];
	int rc = es_flags_new(arena, &flags);

	ES_ASSERT(rc == 0);
	errmsg[0] = '\0';
	rc = es_flags_arguments(flags, argc, argv, &action, errmsg, sizeof(errmsg));
	if (rc == 0)
		rc = es_flags_environment(flags, envp, errmsg, sizeof(errmsg));
	if (rc == 0)
		rc = es_config_load(flags, arena, &config, errmsg, sizeof(errmsg));
	ES_ASSERT(rc == 0 || (rc == ES_EINVAL && errmsg[0] != '\0'));
	if (rc == 0)
		ES_ASSERT(config.listen_client.count > 0 &&
			  config.election_ms >= 5 * config.heartbeat_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[LINES_MAX + 2], *envp[LINES_MAX + 1];
	char program[] = "engenho-store";
	struct es_arena arena;
	char *text;
	int argc = 1, envc = 0;

	es_arena_init(&arena, es_mem_default(), 4096);
	text = es_arena_alloc(&arena, size + 1);
	ES_ASSERT(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	argv[0] = program;
	for (char *line = text; line != NULL && argc + envc < LINES_MAX;) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end++ = '\0';
		if (strncmp(line, "ETCD_", 5) == 0)
			envp[envc++] = line;
		else
			argv[argc++] = line;
		line = end;
	}
	argv[argc] = NULL;
	envp[envc] = NULL;
	load(&arena, argc, argv, envp);
	es_arena_close(&arena);
	return 0;
}
