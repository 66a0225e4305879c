#include "ctl/args.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/status.h"
#include "ctl/ctl.h"

int es_ctl_option(int argc, char **argv, int *at, const char *name, const char **ret_value)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return 0;
	if (argv[*at][len] == '=') {
		*ret_value = argv[*at] + len + 1;
		return 1;
	}
	if (len == 2 && name[1] != '-' && argv[*at][len] != '\0') {
		*ret_value = argv[*at] + len;
		return 1;
	}
	if (argv[*at][len] != '\0')
		return 0;
	if (*at + 1 >= argc)
		return -1;
	*ret_value = argv[++*at];
	return 1;
}

/* The value of an option that is given: 1, or -1 when there are too many. */
static int take_value(const struct es_ctl_flag *flag, const char *value)
{
	if (flag->value != NULL) {
		*flag->value = value;
		return 1;
	}
	if (flag->list->count == ES_CTL_LIST_MAX)
		return -1;
	flag->list->items[flag->list->count++] = value;
	return 1;
}

/* As es_ctl_option, of any of the flags. */
static int take_flag(int argc, char **argv, int *at, const struct es_ctl_flag *flags)
{
	for (const struct es_ctl_flag *flag = flags; flag->name != NULL; flag++) {
		const char *value = NULL;
		int found;

		if (flag->given != NULL) {
			found = strcmp(argv[*at], flag->name) == 0 ||
				(flag->alias != NULL && strcmp(argv[*at], flag->alias) == 0);
			*flag->given = *flag->given || found != 0;
		} else {
			found = es_ctl_option(argc, argv, at, flag->name, &value);
			if (found == 0 && flag->alias != NULL)
				found = es_ctl_option(argc, argv, at, flag->alias, &value);
			if (found > 0)
				found = take_value(flag, value);
		}
		if (found != 0)
			return found;
	}
	return 0;
}

static void unknown_option(const char *option, const struct es_ctl_flag *flags)
{
	struct es_buf known;
	int rc = 0;

	es_buf_init(&known, es_mem_default());
	for (; rc == 0 && flags->name != NULL; flags++)
		rc = es_buf_printf(&known, "%s%s%s, ", flags->name,
				   flags->alias == NULL ? "" : " or ",
				   flags->alias == NULL ? "" : flags->alias);
	if (rc == 0)
		rc = es_buf_printf(&known, "--endpoints, --timeout, --namespace or -n, --help");
	if (rc == 0)
		rc = es_buf_append(&known, "", 1);
	(void)es_ctl_usage_known("unknown option: ", option,
				 rc == 0 ? (const char *)known.data : "");
	es_buf_close(&known);
}

int es_ctl_parse(int argc, char **argv, const struct es_ctl_flag *flags)
{
	bool options = true;
	int count = 0;

	for (int i = 0; i < argc; i++) {
		int found = options ? take_flag(argc, argv, &i, flags) : 0;

		if (found > 0)
			continue;
		if (found < 0) {
			(void)es_ctl_usage("a value is missing, or too many are given: ", argv[i]);
			return -1;
		}
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			unknown_option(argv[i], flags);
			return -1;
		}
		argv[count++] = argv[i];
	}
	return count;
}

bool es_ctl_parse_output(const char *output, bool *ret_json)
{
	*ret_json = strcmp(output, "json") == 0;
	if (*ret_json || strcmp(output, "text") == 0)
		return true;
	(void)es_ctl_usage("not a format of output: ", output);
	return false;
}

int es_ctl_worse(int a, int b)
{
	static const int order[] = {ES_CTL_OK,      ES_CTL_NOT_FOUND,   ES_CTL_CONFLICT,
				    ES_CTL_INVALID, ES_CTL_UNAVAILABLE, ES_CTL_FAILED,
				    ES_CTL_USAGE,   ES_CTL_INTERRUPTED};
	size_t x = 0, y = 0;

	while (order[x] != a)
		x++;
	while (order[y] != b)
		y++;
	return x > y ? a : b;
}

/* For people, from the program's own words and those of others. */
static void complain(const char *what, const char *which)
{
	(void)fputs("engenhoctl: ", stderr);
	es_ctl_print_text(stderr, es_slice_str(what));
	es_ctl_print_text(stderr, es_slice_str(which));
	(void)fputc('\n', stderr);
}

int es_ctl_usage_known(const char *what, const char *which, const char *known)
{
	complain(what, which);
	if (*known != '\0')
		(void)fprintf(stderr, "There are %s.\n", known);
	(void)fputs("'engenhoctl help' tells what there is.\n", stderr);
	return ES_CTL_USAGE;
}

int es_ctl_usage(const char *what, const char *which)
{
	return es_ctl_usage_known(what, which, "");
}

int es_ctl_fail(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	complain(text == NULL ? format : text, "");
	free(text);
	return ES_CTL_FAILED;
}

int es_ctl_out_of_memory(void)
{
	return es_ctl_fail("%s", es_status_text(ES_ENOMEM));
}
