#include "config/logging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/status.h"

static const char *const level_names[] = {"debug", "info", "warn", "error", "fatal"};

/* ---- text ------------------------------------------------------------------------------------ */

/* Length of the valid UTF-8 character at `p`, 0 when there is none. */
static size_t utf8_length(const unsigned char *p)
{
	uint32_t code;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2, code = p[0] & 0x1fU;
	else if ((p[0] & 0xf0) == 0xe0)
		len = 3, code = p[0] & 0x0fU;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4, code = p[0] & 0x07U;
	else
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) /* the NUL at the end as well */
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if ((len == 3 && code < 0x800) || (len == 4 && (code < 0x10000 || code > 0x10ffff)) ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static int append_escape(struct es_buf *out, unsigned char c)
{
	switch (c) {
	case '"': return es_buf_append_str(out, "\\\"");
	case '\\': return es_buf_append_str(out, "\\\\");
	case '\n': return es_buf_append_str(out, "\\n");
	case '\r': return es_buf_append_str(out, "\\r");
	case '\t': return es_buf_append_str(out, "\\t");
	default: return es_buf_printf(out, "\\u%04x", c);
	}
}

static int append_json_text(struct es_buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)(text == NULL ? "" : text);
	int rc = es_buf_append_str(out, "\"");

	while (rc == 0 && *p != '\0') {
		size_t len = utf8_length(p);

		if (len == 0) {
			rc = es_buf_append_str(out, "\\ufffd");
			len = 1;
		} else if (len == 1 && (*p < 0x20 || *p == '"' || *p == '\\')) {
			rc = append_escape(out, *p);
		} else {
			rc = es_buf_append(out, p, len);
		}
		p += len;
	}
	return rc == 0 ? es_buf_append_str(out, "\"") : rc;
}

static int append_field(struct es_buf *out, const struct es_log_field *field)
{
	int rc = append_json_text(out, field->key);

	if (rc == 0)
		rc = es_buf_append_str(out, ":");
	if (rc < 0)
		return rc;
	switch (field->kind) {
	case ES_LOG_STR: return append_json_text(out, field->value.str);
	case ES_LOG_INT: return es_buf_printf(out, "%lld", (long long)field->value.i);
	case ES_LOG_UINT: return es_buf_printf(out, "%llu", (unsigned long long)field->value.u);
	case ES_LOG_BOOL: return es_buf_append_str(out, field->value.u != 0 ? "true" : "false");
	case ES_LOG_HEX: return es_buf_printf(out, "\"%llx\"", (unsigned long long)field->value.u);
	}
	return 0;
}

static int append_fields(struct es_buf *out, const struct es_log_field *fields, size_t count,
			 bool first)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (i > 0 || !first)
			rc = es_buf_append_str(out, ",");
		if (rc == 0)
			rc = append_field(out, &fields[i]);
	}
	return rc;
}

/* "2026-08-01T12:00:00.123456Z", or with "+0200" instead of the Z. */
static void format_time(int64_t wall_us, char *out, size_t size)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	char date[32], zone[8];
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		tm = (struct tm){.tm_mday = 1};
	if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	if (tm.tm_gmtoff == 0 || strftime(zone, sizeof(zone), "%z", &tm) == 0)
		(void)snprintf(zone, sizeof(zone), "Z");
	(void)snprintf(out, size, "%s.%06d%s", date, (int)(wall_us % 1000000), zone);
}

/* The file and its folder: "server/main.c:12". */
static const char *short_caller(const char *caller)
{
	const char *slash = strrchr(caller, '/');
	const char *before = slash == NULL ? NULL : memrchr(caller, '/', (size_t)(slash - caller));

	return before == NULL ? caller : before + 1;
}

int es_logging_format(struct es_buf *out, bool console, int64_t wall_us, enum es_log_level level,
		      const char *caller, const char *message, const struct es_log_field *fields,
		      size_t field_count)
{
	char when[64];
	int rc;

	format_time(wall_us, when, sizeof(when));
	caller = short_caller(caller);
	if (console) {
		rc = es_buf_printf(out, "%s\t%s\t%s\t%s", when, level_names[level], caller,
				   message);
		if (rc == 0 && field_count > 0)
			rc = es_buf_append_str(out, "\t{");
		if (rc == 0)
			rc = append_fields(out, fields, field_count, true);
		if (rc == 0)
			rc = es_buf_append_str(out, field_count > 0 ? "}\n" : "\n");
		return rc;
	}
	rc = es_buf_printf(out, "{\"level\":\"%s\",\"ts\":\"%s\",\"caller\":", level_names[level],
			   when);
	if (rc == 0)
		rc = append_json_text(out, caller);
	if (rc == 0)
		rc = es_buf_append_str(out, ",\"msg\":");
	if (rc == 0)
		rc = append_json_text(out, message);
	if (rc == 0)
		rc = append_fields(out, fields, field_count, false);
	return rc == 0 ? es_buf_append_str(out, "}\n") : rc;
}

/* ---- outputs --------------------------------------------------------------------------------- */

/* A log that cannot be written is no reason to stop, and there is nobody to tell. */
static void write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static void write_line(void *ctx, enum es_log_level level, const char *caller, const char *message,
		       const struct es_log_field *fields, size_t field_count)
{
	const struct es_logging *logging = ctx;
	struct timespec now = {0};
	struct es_buf line;

	if (logging->count == 0)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	es_buf_init(&line, es_mem_default());
	if (es_logging_format(&line, logging->console,
			      (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, level, caller,
			      message, fields, field_count) == 0)
		for (size_t i = 0; i < logging->count; i++)
			write_all(logging->outputs[i].fd, line.data, line.len);
	es_buf_close(&line);
}

static void init(struct es_logging *logging, enum es_log_level level, bool console)
{
	*logging = (struct es_logging){.console = console};
	logging->log = (struct es_log){write_line, logging, level};
}

static bool is_one_of(const char *name, size_t len, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == len && memcmp(*names, name, len) == 0)
			return true;
	return false;
}

static int add_standard(struct es_logging *logging, int fd)
{
	for (size_t i = 0; i < logging->count; i++)
		if (logging->outputs[i].fd == fd)
			return 0;
	logging->outputs[logging->count++] = (struct es_log_output){fd, false};
	return 0;
}

static int add_file(struct es_logging *logging, const char *name, size_t len, char *errmsg,
		    size_t errmsg_size)
{
	char path[4096];
	int fd;

	if (len >= sizeof(path)) {
		(void)snprintf(errmsg, errmsg_size, "--log-outputs: the file name is too long");
		return ES_EINVAL;
	}
	memcpy(path, name, len);
	path[len] = '\0';
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0) {
		(void)snprintf(errmsg, errmsg_size, "--log-outputs: cannot open %s: %s", path,
			       strerror(errno));
		return ES_EIO;
	}
	logging->outputs[logging->count++] = (struct es_log_output){fd, true};
	return 0;
}

static int add_output(struct es_logging *logging, const char *name, size_t len, bool alone,
		      char *errmsg, size_t errmsg_size)
{
	static const char *const standard_error[] = {"stderr", "systemd/journal", "default", NULL};
	static const char *const standard_output[] = {"stdout", NULL};

	if (!alone && is_one_of(name, len, (const char *const[]){"default", NULL})) {
		(void)snprintf(errmsg, errmsg_size,
			       "multi logoutput for \"default\" is not supported yet");
		return ES_EINVAL;
	}
	if (logging->count == ES_ARRAY_LEN(logging->outputs)) {
		(void)snprintf(errmsg, errmsg_size, "--log-outputs: at most %zu outputs",
			       ES_ARRAY_LEN(logging->outputs));
		return ES_EINVAL;
	}
	if (is_one_of(name, len, standard_error))
		return add_standard(logging, STDERR_FILENO);
	if (is_one_of(name, len, standard_output))
		return add_standard(logging, STDOUT_FILENO);
	return add_file(logging, name, len, errmsg, errmsg_size);
}

int es_logging_open(struct es_logging *logging, enum es_log_level level, bool console,
		    const char *outputs, char *errmsg, size_t errmsg_size)
{
	bool alone = strchr(outputs, ',') == NULL;
	int rc = 0;

	init(logging, level, console);
	if (*outputs == '\0')
		outputs = "default";
	while (rc == 0 && *outputs != '\0') {
		size_t len = strcspn(outputs, ",");

		if (is_one_of(outputs, len, (const char *const[]){"/dev/null", NULL})) {
			es_logging_close(logging);
			return 0;
		}
		if (len > 0)
			rc = add_output(logging, outputs, len, alone, errmsg, errmsg_size);
		outputs += len + (outputs[len] == ',');
	}
	if (rc < 0)
		es_logging_close(logging);
	return rc;
}

void es_logging_open_default(struct es_logging *logging)
{
	init(logging, ES_LOG_INFO, false);
	(void)add_standard(logging, STDERR_FILENO);
}

void es_logging_close(struct es_logging *logging)
{
	for (size_t i = 0; i < logging->count; i++)
		if (logging->outputs[i].ours)
			(void)close(logging->outputs[i].fd);
	logging->count = 0;
}
