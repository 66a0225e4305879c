#include "ctl/args.h"

#include <stdarg.h>

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
			(void)es_ctl_usage("unknown option: ", argv[i]);
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

int es_ctl_usage(const char *what, const char *which)
{
	(void)fprintf(stderr, "engenhoctl: %s%s\n'engenhoctl help' tells what there is.\n", what,
		      which);
	return ES_CTL_USAGE;
}

int es_ctl_fail(const char *format, ...)
{
	va_list args;

	(void)fputs("engenhoctl: ", stderr);
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return ES_CTL_FAILED;
}

void es_ctl_print_json(FILE *file, struct es_slice text)
{
	(void)fputc('"', file);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '"' || c == '\\')
			(void)fprintf(file, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			(void)fprintf(file, "\\u%04x", c);
		else
			(void)fputc(c, file);
	}
	(void)fputc('"', file);
}

void es_ctl_print_text(FILE *file, struct es_slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		/* U+0080 to U+009F are control characters as well. */
		bool c1 = c == 0xc2 && i + 1 < text.len && text.data[i + 1] < 0xa0;

		if (c1)
			(void)fprintf(file, "\\x%02x", text.data[++i]);
		else if (c < ' ' || c == 0x7f)
			(void)fprintf(file, "\\x%02x", c);
		else
			(void)fputc(c, file);
	}
}
