#include <stdio.h>

#include "base/status.h"
#include "config/config.h"
#include "config/config_file.h"
#include "config/logging.h"
#include "server/server.h"
#include "server/version.h"

extern char **environ;

/* etcd's: 2 for a command line that cannot be read, 1 for everything else. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void print_version(void)
{
	(void)printf("engenho-store Version: %s\n"
		     "etcd Version: %s\n",
		     ENGENHO_VERSION, ES_ETCD_VERSION);
}

static void log_notices(const struct es_log *log, const struct es_flags *flags)
{
	for (const struct es_notice *n = es_flags_notices(flags); n != NULL; n = n->next)
		es_log_write(log, n->level, n->caller, n->message,
			     &ES_STR(n->key, n->value == NULL ? "" : n->value), n->key != NULL);
}

/* Tells what is wrong through the configured log, or through the default one when not even that
 * is known. */
static int refuse(struct es_logging *logging, const struct es_flags *flags, const char *errmsg)
{
	log_notices(&logging->log, flags);
	es_log(&logging->log, ES_LOG_FATAL, "failed to verify flags", ES_STR("error", errmsg));
	es_logging_close(logging);
	return EXIT_FAILED;
}

static int run(struct es_flags *flags, struct es_arena *arena)
{
	struct es_logging logging;
	struct es_config config;
	char errmsg[1024] = "out of memory";
	int rc = es_flags_sources(flags, environ, errmsg, sizeof(errmsg));

	es_logging_open_default(&logging);
	if (rc == 0)
		rc = es_config_logging(flags, &config, errmsg, sizeof(errmsg));
	if (rc == 0)
		rc = es_logging_open(&logging, config.log_level, config.log_console,
				     config.log_outputs, errmsg, sizeof(errmsg));
	if (rc < 0) {
		es_logging_open_default(&logging);
		return refuse(&logging, flags, errmsg);
	}
	if (es_config_load(flags, arena, &config, errmsg, sizeof(errmsg)) < 0)
		return refuse(&logging, flags, errmsg);
	log_notices(&logging.log, flags);
	rc = es_server_run(&config, &logging.log);
	es_logging_close(&logging);
	return rc;
}

int main(int argc, char **argv)
{
	enum es_flags_action action = ES_FLAGS_RUN;
	struct es_flags *flags;
	struct es_arena arena;
	char errmsg[1024] = "out of memory";
	int status = EXIT_OK;
	int rc;

	es_arena_init(&arena, es_mem_default(), 8192);
	rc = es_flags_new(&arena, &flags);
	if (rc == 0)
		rc = es_flags_arguments(flags, argc, argv, &action, errmsg, sizeof(errmsg));
	if (rc < 0) {
		(void)fprintf(stderr, "%s\n'engenho-store --help' lists the flags.\n", errmsg);
		status = EXIT_USAGE;
	} else if (action == ES_FLAGS_HELP) {
		es_flags_help(stdout);
	} else if (action == ES_FLAGS_VERSION) {
		print_version();
	} else {
		status = run(flags, &arena);
	}
	es_arena_close(&arena);
	return status;
}
