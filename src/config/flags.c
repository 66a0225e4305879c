#include "config/flags.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/urls.h"

/*
 * Values are kept as text in the form that the table's defaults have, so that one comparison
 * tells whether a value is the default; the getters read that text again. An alias sets the flag
 * that it stands for, unless that one was named itself: the new name wins over the old one.
 */
enum source { FROM_DEFAULT, FROM_VARIABLE, FROM_ARGUMENT, FROM_FILE };

struct value {
	const char *text;
	enum source source;
	bool by_alias;
};

struct es_flags {
	struct es_arena *arena;
	struct value *values; /* beside es_flag_table */
	const char *stray;
	struct es_notice *notices;
	struct es_notice **notices_end;
};

static char *copy(struct es_arena *arena, const char *text, size_t len)
{
	char *out = es_arena_alloc(arena, len + 1);

	if (out == NULL)
		return NULL;
	memcpy(out, text, len);
	out[len] = '\0';
	return out;
}

static const struct es_flag *find(const char *name, size_t len)
{
	for (size_t i = 0; i < es_flag_count; i++) {
		const struct es_flag *flag = &es_flag_table[i];

		if (flag->name != NULL && strlen(flag->name) == len &&
		    memcmp(flag->name, name, len) == 0)
			return flag;
	}
	return NULL;
}

static const struct es_flag *known(const char *name)
{
	const struct es_flag *flag = find(name, strlen(name));

	ES_ASSERT(flag != NULL);
	return flag;
}

static struct value *value_of(const struct es_flags *flags, const struct es_flag *flag)
{
	return &flags->values[flag - es_flag_table];
}

const char *es_flags_nearest(const char *name)
{
	const char *nearest = NULL;
	size_t best = es_value_edit_distance_far(name);

	for (size_t i = 0; i < es_flag_count; i++) {
		const char *other = es_flag_table[i].name;
		size_t distance;

		if (other == NULL || es_flag_table[i].type == ES_FLAG_NOARG)
			continue;
		distance = es_value_edit_distance(name, other);
		if (distance < best) {
			best = distance;
			nearest = other;
		}
	}
	return nearest;
}

int es_flags_new(struct es_arena *arena, struct es_flags **ret_flags)
{
	struct es_flags *flags = es_arena_calloc(arena, 1, sizeof(*flags));

	if (flags == NULL)
		return ES_ENOMEM;
	flags->arena = arena;
	flags->notices_end = &flags->notices;
	flags->values = es_arena_calloc(arena, es_flag_count, sizeof(*flags->values));
	if (flags->values == NULL)
		return ES_ENOMEM;
	es_flags_reset(flags);
	*ret_flags = flags;
	return 0;
}

void es_flags_reset(struct es_flags *flags)
{
	for (size_t i = 0; i < es_flag_count; i++)
		flags->values[i] = (struct value){.text = es_flag_table[i].value};
}

int es_flags_notice_from(struct es_flags *flags, enum es_log_level level, const char *caller,
			 const char *message, const char *key, const char *value)
{
	struct es_notice *notice = es_arena_calloc(flags->arena, 1, sizeof(*notice));
	char *text = copy(flags->arena, message, strlen(message));
	char *own = value == NULL ? NULL : copy(flags->arena, value, strlen(value));

	if (notice == NULL || text == NULL || (value != NULL && own == NULL))
		return ES_ENOMEM;
	*notice = (struct es_notice){NULL, level, text, key, own, caller};
	*flags->notices_end = notice;
	flags->notices_end = &notice->next;
	return 0;
}

const struct es_notice *es_flags_notices(const struct es_flags *flags)
{
	return flags->notices;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The value as the table would write it, from `arena`. */
static int canonical(struct es_arena *arena, const struct es_flag *flag, const char *text,
		     const char **ret_text, char *why, size_t why_size)
{
	struct es_url_list urls;
	char buffer[ES_DURATION_TEXT_MAX];
	bool truth;
	uint64_t u;
	int64_t i;
	int rc = 0;

	(void)snprintf(why, why_size, "parse error");
	(void)snprintf(buffer, sizeof(buffer), "%s", "");
	switch (flag->type) {
	case ES_FLAG_BOOL:
		rc = es_value_bool(text, &truth);
		if (rc == 0)
			(void)snprintf(buffer, sizeof(buffer), "%s", truth ? "true" : "false");
		break;
	case ES_FLAG_INT:
		rc = es_value_int(text, &i);
		if (rc == 0)
			(void)snprintf(buffer, sizeof(buffer), "%lld", (long long)i);
		break;
	case ES_FLAG_UINT:
	case ES_FLAG_UINT32:
		rc = es_value_uint(text, flag->type == ES_FLAG_UINT32 ? UINT32_MAX : UINT64_MAX,
				   &u);
		if (rc == 0)
			(void)snprintf(buffer, sizeof(buffer), "%llu", (unsigned long long)u);
		break;
	case ES_FLAG_DURATION:
		rc = es_value_duration(text, &i);
		if (rc == 0)
			es_value_duration_text(i, buffer);
		break;
	case ES_FLAG_URLS:
		rc = es_urls_parse(arena, text, &urls, why, why_size);
		if (rc < 0)
			return rc;
		*ret_text = es_urls_join(arena, &urls);
		return *ret_text == NULL ? ES_ENOMEM : 0;
	case ES_FLAG_STRING:
	case ES_FLAG_LIST:
	case ES_FLAG_NOARG:
		*ret_text = copy(arena, text, strlen(text));
		return *ret_text == NULL ? ES_ENOMEM : 0;
	}
	if (rc == ES_VALUE_RANGE) {
		(void)snprintf(why, why_size, "value out of range");
		return ES_EINVAL;
	}
	if (rc < 0)
		return rc;
	*ret_text = copy(arena, buffer, strlen(buffer));
	return *ret_text == NULL ? ES_ENOMEM : 0;
}

/* On ES_EINVAL `why` tells the reason. */
static int assign(struct es_flags *flags, const struct es_flag *flag, const char *text,
		  enum source source, char *why, size_t why_size)
{
	bool by_alias = flag->status == ES_FLAG_ALIAS;
	const char *own;
	struct value *value;
	int rc = canonical(flags->arena, flag, text, &own, why, why_size);

	if (rc < 0)
		return rc;
	*value_of(flags, flag) = (struct value){own, source, false};
	if (!by_alias)
		return 0;
	value = value_of(flags, known(flag->other));
	if (value->source == FROM_DEFAULT || value->by_alias)
		*value = (struct value){own, source, true};
	return 0;
}

int es_flags_set(struct es_flags *flags, const char *name, const char *text, const char *where,
		 char *errmsg, size_t errmsg_size)
{
	const struct es_flag *flag = find(name, strlen(name));
	char why[256];
	int rc;

	if (flag == NULL) {
		const char *nearest = es_flags_nearest(name);

		(void)snprintf(errmsg, errmsg_size, "%s", nearest == NULL ? "" : nearest);
		return ES_ENOENT;
	}
	rc = assign(flags, flag, text, FROM_FILE, why, sizeof(why));
	if (rc == ES_EINVAL)
		(void)snprintf(errmsg, errmsg_size, "%sinvalid value \"%s\" for %s: %s", where,
			       text, name, why);
	return rc;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int unknown(const char *name, size_t len, char *errmsg, size_t errmsg_size)
{
	char own[64];
	const char *nearest;

	(void)snprintf(own, sizeof(own), "%.*s", (int)(len < sizeof(own) ? len : sizeof(own) - 1),
		       name);
	nearest = es_flags_nearest(own);
	if (nearest != NULL)
		(void)snprintf(errmsg, errmsg_size,
			       "flag provided but not defined: --%s (did you mean --%s?)", own,
			       nearest);
	else
		(void)snprintf(errmsg, errmsg_size, "flag provided but not defined: --%s", own);
	return ES_EINVAL;
}

static bool is_help(const char *name, size_t len)
{
	return (len == 4 && memcmp(name, "help", 4) == 0) || (len == 1 && *name == 'h');
}

/* One flag at argv[*at], which begins with a dash; *at moves over the value if that is the next
 * argument. */
static int argument(struct es_flags *flags, int argc, char *const *argv, int *at,
		    enum es_flags_action *action, char *errmsg, size_t errmsg_size)
{
	const char *name = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct es_flag *flag;
	char why[256];
	int rc;

	if (len == 0 || *name == '-') {
		(void)snprintf(errmsg, errmsg_size, "bad flag syntax: %s", argv[*at]);
		return ES_EINVAL;
	}
	flag = find(name, len);
	if (flag == NULL && is_help(name, len)) {
		*action = ES_FLAGS_HELP;
		return 0;
	}
	if (flag == NULL)
		return unknown(name, len, errmsg, errmsg_size);
	if (value == NULL && (flag->type == ES_FLAG_BOOL || flag->type == ES_FLAG_NOARG)) {
		value = "true";
	} else if (value == NULL) {
		if (*at + 1 >= argc) {
			(void)snprintf(errmsg, errmsg_size, "flag needs an argument: --%s",
				       flag->name);
			return ES_EINVAL;
		}
		value = argv[++*at];
	}
	rc = assign(flags, flag, value, FROM_ARGUMENT, why, sizeof(why));
	if (rc == ES_EINVAL)
		(void)snprintf(errmsg, errmsg_size, "invalid value \"%s\" for flag --%s: %s", value,
			       flag->name, why);
	return rc;
}

int es_flags_arguments(struct es_flags *flags, int argc, char *const *argv,
		       enum es_flags_action *ret_action, char *errmsg, size_t errmsg_size)
{
	enum es_flags_action action = ES_FLAGS_RUN;

	flags->stray = NULL;
	for (int i = 1; i < argc && action != ES_FLAGS_HELP; i++) {
		int rc;

		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			flags->stray = argv[i];
			break;
		}
		if (strcmp(argv[i], "--") == 0) {
			flags->stray = argv[i + 1]; /* argv ends with NULL */
			break;
		}
		rc = argument(flags, argc, argv, &i, &action, errmsg, errmsg_size);
		if (rc < 0)
			return rc;
	}
	if (action == ES_FLAGS_RUN && flags->stray == NULL && es_flags_bool(flags, "version"))
		action = ES_FLAGS_VERSION;
	*ret_action = action;
	return 0;
}

const char *es_flags_stray(const struct es_flags *flags)
{
	return flags->stray;
}

/* ---- variables ------------------------------------------------------------------------------- */

/* "ETCD_DATA_DIR" from "data-dir"; false when it does not fit. */
static bool variable_name(const char *flag, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "ETCD_%s", flag);

	if (n >= size)
		return false;
	for (char *p = out; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return true;
}

static const struct es_flag *find_variable(const char *name, size_t len)
{
	char own[96];

	for (size_t i = 0; i < es_flag_count; i++) {
		if (es_flag_table[i].name != NULL &&
		    variable_name(es_flag_table[i].name, own, sizeof(own)) && strlen(own) == len &&
		    memcmp(own, name, len) == 0)
			return &es_flag_table[i];
	}
	return NULL;
}

/* The value may be a secret that some script passes around: only the name is told. */
static int unknown_variable(struct es_flags *flags, const char *name)
{
	char own[96], text[256] = "unrecognized environment variable";
	const char *nearest;

	(void)snprintf(own, sizeof(own), "%s", name + strlen("ETCD_"));
	for (char *p = own; *p != '\0'; p++)
		*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
	nearest = es_flags_nearest(own);
	if (nearest != NULL && variable_name(nearest, own, sizeof(own)))
		(void)snprintf(text, sizeof(text),
			       "unrecognized environment variable (did you mean %s?)", own);
	return es_flags_notice(flags, ES_LOG_WARN, text, "environment-variable", name);
}

static int variable(struct es_flags *flags, const char *name, const char *text,
		    const struct es_flag *flag, char *errmsg, size_t errmsg_size)
{
	char why[256];
	int rc;

	if (strcmp(name, "ETCD_UNSUPPORTED_ARCH") == 0)
		return 0;
	if (strcmp(name, "ETCD_VERSION") == 0)
		return es_flags_notice(flags, ES_LOG_WARN,
				       "cannot set special environment variable", "key", name);
	if (flag == NULL)
		return unknown_variable(flags, name);
	if (value_of(flags, flag)->source == FROM_ARGUMENT && !value_of(flags, flag)->by_alias)
		return es_flags_notice(
			flags, ES_LOG_WARN,
			"environment variable is shadowed by the command-line flag of that name",
			"environment-variable", name);
	if (flag->status == ES_FLAG_ALIAS &&
	    value_of(flags, known(flag->other))->source == FROM_ARGUMENT)
		return 0;
	if (value_of(flags, flag)->source == FROM_ARGUMENT)
		return 0; /* set by its older name there */
	rc = assign(flags, flag, text, FROM_VARIABLE, why, sizeof(why));
	if (rc == ES_EINVAL)
		(void)snprintf(errmsg, errmsg_size, "invalid value \"%s\" for %s: %s", text, name,
			       why);
	if (rc < 0)
		return rc;
	return es_flags_notice(flags, ES_LOG_INFO, "recognized and used environment variable",
			       "variable-name", name);
}

int es_flags_environment(struct es_flags *flags, char *const *envp, char *errmsg,
			 size_t errmsg_size)
{
	for (; *envp != NULL; envp++) {
		const char *equals = strchr(*envp, '=');
		char *name;
		int rc;

		if (strncmp(*envp, "ETCD_", 5) != 0 || equals == NULL || equals[1] == '\0')
			continue;
		name = copy(flags->arena, *envp, (size_t)(equals - *envp));
		if (name == NULL)
			return ES_ENOMEM;
		rc = variable(flags, name, equals + 1, find_variable(name, strlen(name)), errmsg,
			      errmsg_size);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- judgement ------------------------------------------------------------------------------- */

static int warn(struct es_flags *flags, const struct es_flag *flag, const char *what)
{
	char text[256];

	if (flag->other == NULL)
		(void)snprintf(text, sizeof(text), "%s: --%s", what, flag->name);
	else
		(void)snprintf(text, sizeof(text), "%s: --%s (%s)", what, flag->name, flag->other);
	return es_flags_notice(flags, ES_LOG_WARN, text, "flag-name", flag->name);
}

/* What stops the start: gathered, so that it is told at once. */
struct refusals {
	struct es_buf later, removed; /* names, with commas */
	bool tls;
};

static int refuse(struct es_buf *names, const char *name, const char *suffix)
{
	return es_buf_printf(names, "%s--%s%s", names->len > 0 ? ", " : "", name, suffix);
}

/* A listener of TLS among the URLs? */
static bool asks_for_tls(const struct es_flag *flag, const char *urls)
{
	if (flag->type != ES_FLAG_URLS || strncmp(flag->name, "listen-", 7) != 0)
		return false;
	for (; *urls != '\0'; urls += strcspn(urls, ","), urls += *urls == ',')
		if (strncmp(urls, "https:", 6) == 0 || strncmp(urls, "unixs:", 6) == 0)
			return true;
	return false;
}

static int judge(struct es_flags *flags, const struct es_flag *flag, struct refusals *refusals)
{
	const struct value *value = value_of(flags, flag);
	bool differs = strcmp(value->text, flag->value) != 0;
	char text[256];

	if (value->source == FROM_DEFAULT)
		return 0;
	switch (flag->status) {
	case ES_FLAG_USED:
		if (!asks_for_tls(flag, value->text))
			return 0;
		refusals->tls = true;
		return refuse(&refusals->later, flag->name, " with https");
	case ES_FLAG_ALIAS:
		(void)snprintf(text, sizeof(text), "--%s is the old name of --%s", flag->name,
			       flag->other);
		return es_flags_notice(flags, ES_LOG_WARN, text, "flag-name", flag->name);
	case ES_FLAG_LATER:
		refusals->tls |= differs && flag->other != NULL;
		return differs ? refuse(&refusals->later, flag->name, "") : 0;
	case ES_FLAG_REMOVED: return differs ? refuse(&refusals->removed, flag->name, "") : 0;
	case ES_FLAG_LATER_WARNS:
		return differs ? warn(flags, flag, "not supported yet and ignored") : 0;
	case ES_FLAG_MEANINGLESS:
		return differs ? warn(flags, flag, "has no meaning here and is ignored") : 0;
	case ES_FLAG_RETIRED: return warn(flags, flag, "no longer supported and ignored");
	}
	return 0;
}

int es_flags_judge(struct es_flags *flags, char *errmsg, size_t errmsg_size)
{
	struct refusals r = {.tls = false};
	int rc = 0;

	es_buf_init(&r.later, es_mem_default());
	es_buf_init(&r.removed, es_mem_default());
	for (size_t i = 0; rc == 0 && i < es_flag_count; i++)
		if (es_flag_table[i].name != NULL)
			rc = judge(flags, &es_flag_table[i], &r);
	if (rc == 0 && r.later.len + r.removed.len > 0) {
		(void)snprintf(errmsg, errmsg_size, "%s%.*s%s%s%s%.*s",
			       r.later.len > 0 ? "not supported yet: " : "", (int)r.later.len,
			       r.later.len > 0 ? (const char *)r.later.data : "",
			       r.tls              ? " (TLS is not there yet; see the limits in README)"
			       : r.later.len > 0 ? " (see the limits in README)"
						  : "",
			       r.later.len > 0 && r.removed.len > 0 ? "; " : "",
			       r.removed.len > 0 ? "no longer supported, by etcd neither: " : "",
			       (int)r.removed.len,
			       r.removed.len > 0 ? (const char *)r.removed.data : "");
		rc = ES_EINVAL;
	}
	es_buf_close(&r.later);
	es_buf_close(&r.removed);
	return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool es_flags_is_set(const struct es_flags *flags, const char *name)
{
	return value_of(flags, known(name))->source != FROM_DEFAULT;
}

const char *es_flags_text(const struct es_flags *flags, const char *name)
{
	return value_of(flags, known(name))->text;
}

bool es_flags_bool(const struct es_flags *flags, const char *name)
{
	bool value = false;
	int rc = es_value_bool(es_flags_text(flags, name), &value);

	ES_ASSERT(rc == 0);
	return value;
}

uint64_t es_flags_uint(const struct es_flags *flags, const char *name)
{
	uint64_t value = 0;
	int rc = es_value_uint(es_flags_text(flags, name), UINT64_MAX, &value);

	ES_ASSERT(rc == 0);
	return value;
}

int64_t es_flags_int(const struct es_flags *flags, const char *name)
{
	int64_t value = 0;
	int rc = es_value_int(es_flags_text(flags, name), &value);

	ES_ASSERT(rc == 0);
	return value;
}

int64_t es_flags_duration_ns(const struct es_flags *flags, const char *name)
{
	int64_t value = 0;
	int rc = es_value_duration(es_flags_text(flags, name), &value);

	ES_ASSERT(rc == 0);
	return value;
}

/* ---- help ------------------------------------------------------------------------------------ */

static const char intro[] =
	"engenho-store keeps the resources of a Kubernetes control plane: it serves the API of "
	"etcd.\n"
	"\n"
	"  engenho-store [flags]              start a member\n"
	"  engenho-store --config-file FILE   start a member with what the YAML file says, and "
	"that alone\n"
	"  engenho-store --version            print the version\n"
	"  engenho-store --help               print this text\n"
	"\n"
	"Flags are those of etcd, as --flag value or --flag=value. Each can be given as a "
	"variable: --data-dir is\n"
	"ETCD_DATA_DIR. A flag wins over its variable. Durations look like 100ms or 1h30m.\n";

static void print_flag(FILE *out, const struct es_flag *flag)
{
	fprintf(out, "  --%s '%s'%s\n      %s\n", flag->name, flag->value,
		flag->status == ES_FLAG_LATER ? "  (not supported yet)" : "", flag->help);
}

static void print_names(FILE *out, const char *title, enum es_flag_status from,
			enum es_flag_status to)
{
	int column = 100;

	fprintf(out, "\n%s", title);
	for (size_t i = 0; i < es_flag_count; i++) {
		const struct es_flag *flag = &es_flag_table[i];
		int width;

		if (flag->name == NULL || flag->type == ES_FLAG_NOARG || flag->help != NULL ||
		    flag->status < from || flag->status > to)
			continue;
		width = (int)strlen(flag->name) + 3;
		if (column + width > 100) {
			fprintf(out, "\n ");
			column = 1;
		}
		fprintf(out, " --%s", flag->name);
		column += width;
	}
	fprintf(out, "\n");
}

void es_flags_help(FILE *out)
{
	fputs(intro, out);
	for (size_t i = 0; i < es_flag_count; i++) {
		const struct es_flag *flag = &es_flag_table[i];

		if (flag->group != NULL)
			fprintf(out, "\n%s:\n", flag->group);
		if (flag->help != NULL)
			print_flag(out, flag);
	}
	print_names(out, "Known, not supported yet, ignored with a warning:", ES_FLAG_LATER_WARNS,
		    ES_FLAG_LATER_WARNS);
	print_names(out, "Known, without a meaning here:", ES_FLAG_MEANINGLESS,
		    ES_FLAG_MEANINGLESS);
	print_names(out, "Old names that still work:", ES_FLAG_ALIAS, ES_FLAG_ALIAS);
	print_names(out, "Given up by etcd, ignored with a warning:", ES_FLAG_RETIRED,
		    ES_FLAG_RETIRED);
	print_names(out, "Given up by etcd, refused:", ES_FLAG_REMOVED, ES_FLAG_REMOVED);
}
