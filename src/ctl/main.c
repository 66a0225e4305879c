#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

static const char help[] =
	"engenhoctl looks after members of engenho-store. For keys, there is etcdctl.\n"
	"\n"
	"  engenhoctl status     one line for each member: id, versions, sizes, leader, errors\n"
	"  engenhoctl version    the version of this program\n"
	"  engenhoctl help       this text\n"
	"\n"
	"Options, before or after the verb:\n"
	"  --endpoints LIST      members as host:port, http://host:port or unix:///path, with "
	"commas between them\n"
	"                        (or $ENGENHOCTL_ENDPOINTS; default: 127.0.0.1:2379)\n"
	"  --timeout SECONDS     how long to wait for each answer (default: 5)\n"
	"\n"
	"Exit status: 0 all is well; 1 a member did not answer, has no leader or reports an error; "
	"2 the command line\n"
	"is wrong.\n";

/* "--name value" or "--name=value" at argv[*at]: 1 and the value, 0 when it is another argument,
 * -1 when none follows. */
static int option(int argc, char **argv, int *at, const char *name, const char **ret_value)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return 0;
	if (argv[*at][len] == '=') {
		*ret_value = argv[*at] + len + 1;
		return 1;
	}
	if (argv[*at][len] != '\0')
		return 0;
	if (*at + 1 >= argc)
		return -1;
	*ret_value = argv[++*at];
	return 1;
}

static bool parse_seconds(const char *text, uint64_t *ret_ms)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*end == 's')
		end++;
	if (*text < '0' || *text > '9' || *end != '\0' || seconds == 0 || seconds > 86400)
		return false;
	*ret_ms = seconds * 1000;
	return true;
}

static int usage(const char *what, const char *which)
{
	(void)fprintf(stderr, "engenhoctl: %s%s\n'engenhoctl help' tells what there is.\n", what,
		      which);
	return ES_CTL_USAGE;
}

/* Options into *options and the verb into *verb; anything but ES_CTL_OK is the exit status. */
static int parse(int argc, char **argv, struct es_ctl_options *options, const char **verb)
{
	for (int i = 1; i < argc; i++) {
		const char *timeout = NULL;
		int found = option(argc, argv, &i, "--endpoints", &options->endpoints);

		if (found == 0)
			found = option(argc, argv, &i, "--timeout", &timeout);
		if (found < 0)
			return usage("a value is missing behind ", argv[i]);
		if (timeout != NULL && !parse_seconds(timeout, &options->timeout_ms))
			return usage("not a number of seconds: ", timeout);
		if (found > 0)
			continue;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			*verb = "help";
		else if (strcmp(argv[i], "--version") == 0)
			*verb = "version";
		else if (argv[i][0] == '-')
			return usage("unknown option: ", argv[i]);
		else if (*verb != NULL)
			return usage("unexpected argument: ", argv[i]);
		else
			*verb = argv[i];
	}
	return ES_CTL_OK;
}

int main(int argc, char **argv)
{
	struct es_ctl_options options = {.endpoints = getenv("ENGENHOCTL_ENDPOINTS"),
					 .timeout_ms = 5000};
	const char *verb = NULL;
	int status;

	if (options.endpoints == NULL || *options.endpoints == '\0')
		options.endpoints = "127.0.0.1:2379";
	status = parse(argc, argv, &options, &verb);
	if (status != ES_CTL_OK)
		return status;
	if (verb == NULL)
		return usage("what to do?", "");
	if (strcmp(verb, "help") == 0) {
		(void)fputs(help, stdout);
		return ES_CTL_OK;
	}
	if (strcmp(verb, "version") == 0) {
		(void)printf("engenhoctl version: %s\nAPI version: 3.7\n", ENGENHO_VERSION);
		return ES_CTL_OK;
	}
	if (strcmp(verb, "status") == 0)
		return es_ctl_status(&options);
	return usage("unknown verb: ", verb);
}
