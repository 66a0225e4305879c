#include <ctype.h>

#include "base/assert.h"
#include "ctl/args.h"
#include "ctl/ctl.h"
#include "resource/schema.h"

/* Scripts for shells, made from the table of verbs: options are found in what the help says of them. */

struct options {
	char seen[1024]; /* each with a blank on both sides */
};

static void print_option(struct options *options, const char *name, size_t len)
{
	size_t used = strlen(options->seen);
	char word[64];

	if (len + 3 > sizeof(word) || used + len + 2 > sizeof(options->seen))
		return;
	(void)snprintf(word, sizeof(word), " %.*s ", (int)len, name);
	if (strstr(options->seen, word) != NULL)
		return;
	(void)printf(" %.*s", (int)len, name);
	memcpy(options->seen + used, word + 1, len + 2);
}

/* Each "--option" that the text tells of, and "-o, --option" in both forms. */
static void print_options_in(struct options *options, const char *text)
{
	for (const char *c = strstr(text, "--"); c != NULL; c = strstr(c, "--")) {
		size_t len = 2 + strspn(c + 2, "abcdefghijklmnopqrstuvwxyz-");

		if (c - text >= 5 && c[-5] == ' ' && c[-4] == '-' && c[-2] == ',')
			print_option(options, c - 4, 2);
		if (len > 2)
			print_option(options, c, len);
		c += len;
	}
}

static void print_options(const struct es_ctl_verb *verb)
{
	struct options options = {.seen = " "};

	print_options_in(&options, verb->operands);
	print_options_in(&options, verb->more);
	if (verb == &es_ctl_get) /* its help names those of list by that name alone */
		print_options_in(&options, es_ctl_list.more);
}

/* The second words of verbs that begin with `first`, or all first words. */
static void print_words(const char *first)
{
	const char *last = "";
	size_t last_len = 0;

	for (const struct es_ctl_verb *const *v = es_ctl_verbs; *v != NULL; v++) {
		size_t len = strcspn((*v)->name, " ");

		if (first != NULL) {
			if (len == strlen(first) && strncmp((*v)->name, first, len) == 0)
				(void)printf(" %s", (*v)->name + len + 1);
			continue;
		}
		if (len != last_len || strncmp((*v)->name, last, len) != 0)
			(void)printf(" %.*s", (int)len, (*v)->name);
		last = (*v)->name;
		last_len = len;
	}
}

static void print_kinds(void)
{
	size_t count;
	const struct es_schema_kind *kinds = es_schema_kinds(&count);

	for (size_t i = 0; i < count; i++)
		(void)printf(" %s", kinds[i].plural);
}

static void print_bash(void)
{
	(void)fputs("# bash completion of engenhoctl: source <(engenhoctl completion bash)\n"
		    "_engenhoctl()\n{\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		    "\tlocal verb=${COMP_WORDS[1]} words=\n"
		    "\tlocal global='--endpoints --timeout -n --namespace -h --help' i operands=0\n"
		    "\tlocal kinds='",
		    stdout);
	print_kinds();
	(void)fputs("'\n"
		    "\tCOMPREPLY=()\n"
		    "\tcase $prev in\n"
		    "\t-f|--filename|--patch-file|--out)\n"
		    "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\t\treturn;;\n"
		    "\t-o|--output) words='table wide json yaml name';;\n"
		    "\t--type) words='strategic merge json apply';;\n"
		    "\t--rules) words='v0 current';;\n"
		    "\t--reason) words='operator controller garbage_collector admission "
		    "scheduler';;\n"
		    "\tesac\n"
		    "\tif [[ -n $words ]]; then\n"
		    "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\t\treturn\n"
		    "\tfi\n"
		    "\tif ((COMP_CWORD == 1)); then\n"
		    "\t\tCOMPREPLY=($(compgen -W \"$global version help",
		    stdout);
	print_words(NULL);
	(void)fputs("\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
		    "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
		    "\t\tcase ${COMP_WORDS[i]} in\n"
		    "\t\t-A|-h|--all-namespaces|--bookmarks|--changes-only|--check-version|"
		    "--force-conflicts|--help|--ignore-not-found|--*=*) ;;\n"
		    "\t\t-?|--*)\n"
		    "\t\t\t((i++))\n"
		    "\t\t\t[[ ${COMP_WORDS[i]} == = ]] && ((i++));;\n"
		    "\t\t-*) ;;\n"
		    "\t\t*) ((operands++));;\n"
		    "\t\tesac\n"
		    "\tdone\n"
		    "\t((i > COMP_CWORD)) && return # the value of an option\n"
		    "\tcase $verb in\n"
		    "\tcompletion) words='bash zsh';;\n"
		    "\thelp) words='exit-codes environment version help",
		    stdout);
	print_words(NULL);
	(void)fputs("';;\n", stdout);
	for (const struct es_ctl_verb *const *v = es_ctl_verbs; *v != NULL; v++) {
		if (strchr((*v)->name, ' ') != NULL || strcmp((*v)->name, "completion") == 0)
			continue;
		(void)printf("\t%s) words='", (*v)->name);
		print_options(*v);
		(void)fputs("'", stdout);
		if (strstr((*v)->operands, "KIND") != NULL) /* names are not known here */
			(void)fputs("\n\t\tif [[ $cur != -* ]]; then\n\t\t\twords=\n"
				    "\t\t\t((operands == 0)) && words=$kinds\n\t\tfi",
				    stdout);
		(void)fputs(";;\n", stdout);
	}
	(void)fputs("\tcatalog)\n\t\tif ((COMP_CWORD == 2)); then\n\t\t\twords='", stdout);
	print_words("catalog");
	(void)fputs("'\n\t\telif [[ $cur == -* ]]; then\n\t\t\tcase ${COMP_WORDS[2]} in\n", stdout);
	for (const struct es_ctl_verb *const *v = es_ctl_verbs; *v != NULL; v++) {
		if (strncmp((*v)->name, "catalog ", 8) != 0)
			continue;
		(void)printf("\t\t\t%s) words='", (*v)->name + 8);
		print_options(*v);
		(void)fputs("';;\n", stdout);
	}
	(void)fputs("\t\t\tesac\n\t\telse\n\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
		    "\t\t\treturn\n\t\tfi;;\n\tesac\n"
		    "\t[[ $cur == -* ]] && words+=\" $global\"\n"
		    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
		    "complete -o filenames -F _engenhoctl engenhoctl\n",
		    stdout);
}

static int run(const struct es_ctl_options *options, int argc, char **argv)
{
	static const struct es_ctl_flag flags[] = {{0}};

	(void)options;
	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	if (argc != 1)
		return argc == 0 ? es_ctl_usage("of which shell? bash or zsh", "")
				 : es_ctl_usage("unexpected argument: ", argv[1]);
	if (strcmp(argv[0], "zsh") == 0)
		(void)fputs("#compdef engenhoctl\n"
			    "# zsh completion of engenhoctl: source <(engenhoctl completion zsh)\n"
			    "autoload -U +X bashcompinit && bashcompinit\n",
			    stdout);
	else if (strcmp(argv[0], "bash") != 0)
		return es_ctl_usage("bash or zsh, not ", argv[0]);
	print_bash();
	return ES_CTL_OK;
}

const struct es_ctl_verb es_ctl_completion = {
	.name = "completion",
	.operands = "bash|zsh",
	.brief = "print a script that completes command lines",
	.more = "Put the example into ~/.bashrc; for zsh, \"source <(engenhoctl completion zsh)\" "
		"into ~/.zshrc.\n",
	.example = "source <(engenhoctl completion bash)",
	.run = run,
};
