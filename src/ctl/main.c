#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"
#include "ctl/args.h"
#include "ctl/ctl.h"

/* What there is, in the order of the help. */
const struct es_ctl_verb *const es_ctl_verbs[] = {
	&es_ctl_get,
	&es_ctl_list,
	&es_ctl_watch,
	&es_ctl_put,
	&es_ctl_apply,
	&es_ctl_patch,
	&es_ctl_delete,
	&es_ctl_catalog_export,
	&es_ctl_catalog_import,
	&es_ctl_catalog_inspect,
	&es_ctl_catalog_verify,
	&es_ctl_catalog_replay,
	&es_ctl_status,
	&es_ctl_completion,
	NULL,
};

#define VERBS (ES_ARRAY_LEN(es_ctl_verbs) - 1)

static const char help_options[] =
	"Options of all verbs, anywhere:\n"
	"  --endpoints LIST      members as host:port, http://host:port or unix:///path, with "
	"commas between them; the\n"
	"                        first that takes the connection is used, and reads go on to the "
	"next one when a member\n"
	"                        does not answer (default: 127.0.0.1:2379)\n"
	"  --timeout SECONDS     how long to wait for each answer; with several members, each has "
	"a share (default: 5)\n"
	"  -n, --namespace NAME  the namespace of resources (default: \"default\" for built-in "
	"kinds, none for others)\n"
	"  -h, --help            all about a verb\n"
	"\n"
	"'engenhoctl help exit-codes' tells the exit statuses, 'engenhoctl help environment' the "
	"variables.\n";

static const char help_exit_codes[] =
	"Exit status of engenhoctl:\n"
	"  0    all is well\n"
	"  1    something failed: a file, a member that is not healthy, an answer that is no "
	"answer\n"
	"  2    the command line is wrong; nothing was done\n"
	"  3    a resource is not there\n"
	"  4    a conflict: a resource has not got the expected version, or other managers own "
	"fields that are applied\n"
	"  5    what was given is no good: a document that is no resource, a patch that cannot be "
	"applied, a selector\n"
	"  6    no member could be reached, or none answered in time ('status' says 1); what was "
	"being written may have\n"
	"       been written\n"
	"  130  interrupted by Ctrl-C\n"
	"Of several resources the worst counts, from bad to worse: 3, 4, 5, 6, 1.\n";

static const char help_environment[] =
	"Variables that engenhoctl reads; options go before them:\n"
	"  ENGENHOCTL_ENDPOINTS  --endpoints\n"
	"  ENGENHOCTL_TIMEOUT    --timeout\n"
	"  ENGENHOCTL_NAMESPACE  --namespace\n"
	"  NO_COLOR              when it is set to anything, no colours; there are none either "
	"where no terminal is\n";

static const char help_version[] = "engenhoctl version: the version of this program\n\n"
				   "Prints two lines: the version of engenhoctl, and that of the "
				   "etcd API that it is made for. No "
				   "member is asked;\n"
				   "'engenhoctl status' prints theirs. --version is the same.\n"
				   "\nExample:\n  engenhoctl version\n";

static const char help_help[] =
	"engenhoctl help [VERB]: what there is, or all about a verb\n\n"
	"Of a first word alone, such as 'catalog', all verbs that begin with it. 'engenhoctl VERB "
	"--help' "
	"is the same.\n"
	"Beside the verbs there are 'help exit-codes' and 'help environment'.\n"
	"\nExample:\n  engenhoctl help catalog export\n";

/* What help tells of that is no verb of the table. */
static const struct {
	const char *name, *text;
} topics[] = {
	{"exit-codes", help_exit_codes},
	{"environment", help_environment},
	{"version", help_version},
	{"--version", help_version},
	{"help", help_help},
};

/* ---- help ---------------------------------------------------------------------------------- */

static void help_all(void)
{
	(void)fputs(
		"engenhoctl reads and writes the resources of engenho-store, and looks after its "
		"members. For keys, there\nis etcdctl.\n\n",
		stdout);
	for (size_t i = 0; i < VERBS; i++)
		(void)printf("  engenhoctl %-18s %s\n", es_ctl_verbs[i]->name,
			     es_ctl_verbs[i]->brief);
	(void)printf("  engenhoctl %-18s %s\n", "version", "the version of this program");
	(void)printf("  engenhoctl %-18s %s\n\n", "help [VERB]", "this text, or all about a verb");
	(void)fputs(help_options, stdout);
}

static void help_verb(const struct es_ctl_verb *verb)
{
	(void)printf("engenhoctl %s%s%s: %s\n\n%s\nExample:\n  %s\n", verb->name,
		     verb->operands[0] != '\0' ? " " : "", verb->operands, verb->brief, verb->more,
		     verb->example);
}

/* ---- finding the verb ---------------------------------------------------------------------- */

/* How many of the words are the beginning of the name: all of the name's, or fewer. */
static int words_of(const char *name, int argc, char **argv, bool *ret_whole)
{
	int n = 0;

	while (n < argc) {
		size_t len = strlen(argv[n]);

		if (len == 0 || strncmp(name, argv[n], len) != 0 ||
		    (name[len] != '\0' && name[len] != ' '))
			break;
		n++;
		name += len + (name[len] == ' ');
		if (*name == '\0')
			break;
	}
	*ret_whole = *name == '\0';
	return n;
}

/* The verb that the words begin with, and how many are its name; NULL: none. */
static const struct es_ctl_verb *find(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < VERBS; i++) {
		bool whole;

		*ret_words = words_of(es_ctl_verbs[i]->name, argc, argv, &whole);
		if (whole)
			return es_ctl_verbs[i];
	}
	return NULL;
}

/* Names those that begin with the first word, or all when none does. */
static int unknown_verb(int argc, char **argv)
{
	char known[400] = "", what[100];
	bool begins = false, whole;
	size_t len = 0;

	for (size_t i = 0; i < VERBS; i++)
		begins = begins || words_of(es_ctl_verbs[i]->name, 1, argv, &whole) == 1;
	for (size_t i = 0; i < VERBS && len < sizeof(known); i++)
		if (!begins || words_of(es_ctl_verbs[i]->name, 1, argv, &whole) == 1)
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
						len > 0 ? ", " : "", es_ctl_verbs[i]->name);
	if (!begins && len < sizeof(known))
		(void)snprintf(known + len, sizeof(known) - len, ", version, help");
	if (begins && argc == 1)
		return es_ctl_usage_known("a word is missing behind ", argv[0], known);
	(void)snprintf(what, sizeof(what), "unknown verb: %s%s", begins ? argv[0] : "",
		       begins ? " " : "");
	return es_ctl_usage_known(what, argv[begins], known);
}

/* All about the verbs that begin with the words. */
static int help(int argc, char **argv)
{
	bool found = false;

	if (argc == 0) {
		help_all();
		return ES_CTL_OK;
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(topics); i++) {
		if (strcmp(argv[0], topics[i].name) != 0)
			continue;
		if (argc > 1)
			return es_ctl_usage("unexpected argument: ", argv[1]);
		(void)fputs(topics[i].text, stdout);
		return ES_CTL_OK;
	}
	for (size_t i = 0; i < VERBS; i++) {
		bool whole;

		if (words_of(es_ctl_verbs[i]->name, argc, argv, &whole) < argc)
			continue;
		if (found)
			(void)fputc('\n', stdout);
		help_verb(es_ctl_verbs[i]);
		found = true;
	}
	return found ? ES_CTL_OK : unknown_verb(argc, argv);
}

/* ---- the command line ---------------------------------------------------------------------- */

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

struct line {
	struct es_ctl_options options;
	int argc; /* without the options of all verbs */
	char **argv;
	bool help;
};

/* The arguments of `argv` are moved. ES_CTL_OK, or the exit status. */
static int parse(int argc, char **argv, struct line *line)
{
	bool options = true;

	line->argv = argv;
	for (int i = 0; i < argc; i++) {
		const char *timeout = NULL;
		int found = 0;

		if (strcmp(argv[i], "--") == 0)
			options = false;
		if (options)
			found = es_ctl_option(argc, argv, &i, "--endpoints",
					      &line->options.endpoints);
		if (options && found == 0)
			found = es_ctl_option(argc, argv, &i, "--timeout", &timeout);
		if (options && found == 0)
			found = es_ctl_option(argc, argv, &i, "--namespace", &line->options.ns);
		if (options && found == 0)
			found = es_ctl_option(argc, argv, &i, "-n", &line->options.ns);
		if (found < 0)
			return es_ctl_usage("a value is missing behind ", argv[i]);
		if (timeout != NULL && !parse_seconds(timeout, &line->options.timeout_ms))
			return es_ctl_usage("not a number of seconds: ", timeout);
		if (found > 0)
			continue;
		if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			line->help = true;
		else
			argv[line->argc++] = argv[i];
	}
	return ES_CTL_OK;
}

static int run(struct line *line)
{
	const char *word = line->argc > 0 ? line->argv[0] : "";
	const struct es_ctl_verb *verb;
	int words;

	if (strcmp(word, "help") == 0)
		return help(line->argc - 1, line->argv + 1);
	verb = find(line->argc, line->argv, &words);
	if (line->help)
		return help(verb != NULL ? words : line->argc, line->argv);
	if (line->argc == 0)
		return es_ctl_usage("what to do?", "");
	if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) {
		if (line->argc > 1)
			return es_ctl_usage("unexpected argument: ", line->argv[1]);
		(void)printf("engenhoctl version: %s\nAPI version: 3.7\n", ENGENHO_VERSION);
		return ES_CTL_OK;
	}
	if (verb != NULL)
		return verb->run(&line->options, line->argc - words, line->argv + words);
	if (word[0] == '-')
		return es_ctl_usage_known("unknown option before the verb: ", word,
					  "--endpoints, --timeout, --namespace or -n, --help");
	return unknown_verb(line->argc, line->argv);
}

/* A variable that is set and not empty, or what there is without. */
static const char *environment(const char *name, const char *without)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? without : value;
}

/*
 * Where 0, 1 or 2 is closed, a file or a connection would come there, and be written to. What is opened instead fails
 * to be: who has closed standard output is told so. False: nothing can be opened.
 */
static bool open_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct line line = {
		.options = {.endpoints = environment("ENGENHOCTL_ENDPOINTS", "127.0.0.1:2379")}};
	const char *timeout = environment("ENGENHOCTL_TIMEOUT", "5");
	int status;

	if (!open_standard())
		return ES_CTL_FAILED;
	if (!parse_seconds(timeout, &line.options.timeout_ms))
		return es_ctl_usage("ENGENHOCTL_TIMEOUT: not a number of seconds: ", timeout);
	status = parse(argc - 1, argv + 1, &line);
	line.options.ns_is_certain = line.options.ns != NULL;
	if (line.options.ns == NULL)
		line.options.ns = environment("ENGENHOCTL_NAMESPACE", "");
	if (status == ES_CTL_OK)
		status = run(&line);
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		return es_ctl_fail("cannot write to standard output");
	return status;
}
