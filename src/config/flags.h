#ifndef ES_CONFIG_FLAGS_H
#define ES_CONFIG_FLAGS_H

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/value.h"

/*
 * Every flag that an etcd from 3.4 to 3.8 knows, read from the command line, from ETCD_*
 * variables, or from a config file, the way etcd reads them. What a flag means to this daemon is
 * its status in the table (flags_table.c):
 */
enum es_flag_status {
	ES_FLAG_USED,  /* has its meaning */
	ES_FLAG_ALIAS, /* an older name of `other`: works and warns */
	ES_FLAG_LATER, /* not supported yet, and ignoring it would betray the user: another value
			  than the default stops */
	ES_FLAG_LATER_WARNS, /* not supported yet, but nothing is lost without it: warns */
	ES_FLAG_MEANINGLESS, /* sets something that does not exist here: warns */
	ES_FLAG_RETIRED,     /* etcd itself has given it up: warns */
	ES_FLAG_REMOVED,     /* the same, but it asked for another kind of process: another value
				than the default stops */
};

enum es_flag_type {
	ES_FLAG_STRING,
	ES_FLAG_BOOL,
	ES_FLAG_INT,
	ES_FLAG_UINT,
	ES_FLAG_UINT32,
	ES_FLAG_DURATION,
	ES_FLAG_URLS,  /* comma-separated, sorted, without duplicates */
	ES_FLAG_LIST,  /* comma-separated */
	ES_FLAG_NOARG, /* ignored by etcd: a value may follow after `=` only */
};

struct es_flag {
	const char *name;
	enum es_flag_type type;
	enum es_flag_status status;
	const char *value; /* the default, as it is printed */
	const char *other; /* ES_FLAG_ALIAS: the name to use; ES_FLAG_LATER: what is missing for
			      it; warnings: what to tell about it; but for aliases, may be NULL */
	const char *help;  /* for ES_FLAG_USED and ES_FLAG_LATER, NULL else */
	const char *group; /* heading in the help, NULL when it is the one before */
};

extern const struct es_flag es_flag_table[];
extern const size_t es_flag_count;

/* What to tell the user once the log is set up. */
struct es_notice {
	struct es_notice *next;
	enum es_log_level level;
	const char *message;
	const char *key; /* one field, or NULL */
	const char *value;
	const char *caller; /* who noticed, static */
};

struct es_flags;

enum es_flags_action { ES_FLAGS_RUN, ES_FLAGS_HELP, ES_FLAGS_VERSION };

/* Everything at its default. Allocated, as are all texts that come out, from `arena`. ES_ENOMEM. */
int es_flags_new(struct es_arena *arena, struct es_flags **ret_flags);

/*
 * The command line: --f v, --f=v, -f v, -f=v, booleans with or without =v; the last one wins.
 * ES_EINVAL with a text for an unknown flag (names the nearest known one), a bad value, a
 * missing value.
 */
int es_flags_arguments(struct es_flags *flags, int argc, char *const *argv,
		       enum es_flags_action *ret_action, char *errmsg, size_t errmsg_size);
/* The first argument that is no flag ("serve"), or NULL; etcd refuses it, after --help and
 * --version. */
const char *es_flags_stray(const struct es_flags *flags);

/* ETCD_* variables, for flags that the command line did not set. Empty ones count as unset.
 * Unknown ones are noticed. */
int es_flags_environment(struct es_flags *flags, char *const *envp, char *errmsg,
			 size_t errmsg_size);

/* Back to the defaults; a config file sets aside what the command line and the variables said. */
void es_flags_reset(struct es_flags *flags);

/*
 * One value, as the config file has it. `where` (may be "") begins the error text. ES_EINVAL,
 * ES_ENOMEM; ES_ENOENT for an unknown name, with the nearest known one, if any, in `errmsg`.
 */
int es_flags_set(struct es_flags *flags, const char *name, const char *value, const char *where,
		 char *errmsg, size_t errmsg_size);
#define es_flags_notice(flags, level, message, key, value) \
	es_flags_notice_from((flags), (level), ES_LOG_CALLER, (message), (key), (value))
int es_flags_notice_from(struct es_flags *flags, enum es_log_level level, const char *caller,
			 const char *message, const char *key, const char *value);

/* Judge what was set by the status of each flag: ES_EINVAL with all that is not supported (yet) in
 * one text; the rest becomes notices. */
int es_flags_judge(struct es_flags *flags, char *errmsg, size_t errmsg_size);
const struct es_notice *es_flags_notices(const struct es_flags *flags);

/* The nearest known flag, NULL when none is near. */
const char *es_flags_nearest(const char *name);

/* Values. The name is one of the table, and its type the function's (asserted). */
bool es_flags_is_set(const struct es_flags *flags, const char *name);
const char *es_flags_text(const struct es_flags *flags, const char *name);
bool es_flags_bool(const struct es_flags *flags, const char *name);
uint64_t es_flags_uint(const struct es_flags *flags, const char *name);
int64_t es_flags_int(const struct es_flags *flags, const char *name);
int64_t es_flags_duration_ns(const struct es_flags *flags, const char *name);

void es_flags_help(FILE *out);

#endif
