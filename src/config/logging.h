#ifndef ES_CONFIG_LOGGING_H
#define ES_CONFIG_LOGGING_H

#include "base/log.h"
#include "base/buf.h"

/*
 * Where log lines go: etcd's JSON lines ("level", "ts", "caller", "msg", then the fields) or its
 * console form, to standard error, standard output or files. A line is one write(2); any thread
 * may log.
 */
struct es_logging {
	struct es_log log; /* hand out &logging.log */
	bool console;
	size_t count;
	struct es_log_output {
		int fd;
		bool ours; /* opened here */
	} outputs[8];
};

/*
 * `outputs` as --log-outputs has it: default, stderr, stdout, systemd/journal (taken as standard
 * error) and file names, comma-separated, each once; /dev/null discards everything. ES_EINVAL or
 * ES_EIO with a text; nothing is open then.
 */
int es_logging_open(struct es_logging *logging, enum es_log_level level, bool console,
		    const char *outputs, char *errmsg, size_t errmsg_size);
/* JSON to standard error from `info`: for what happens before the configuration is known. */
void es_logging_open_default(struct es_logging *logging);
void es_logging_close(struct es_logging *logging);

/* One line, without a date of its own: `wall_us` are microseconds since 1970. For tests.
 * ES_ENOMEM. */
int es_logging_format(struct es_buf *out, bool console, int64_t wall_us, enum es_log_level level,
		      const char *caller, const char *message, const struct es_log_field *fields,
		      size_t field_count);

#endif
