#ifndef ES_BASE_LOG_H
#define ES_BASE_LOG_H

#include <stdarg.h>

#include "base/slice.h"

/*
 * Log lines with fields. Library code returns errors; the engine and the daemon log them, once. The sink decides the
 * format (etcd's JSON lines, console) and the destination, and copies what it keeps. Loop thread only unless the sink
 * says otherwise.
 */
enum es_log_level {
	ES_LOG_DEBUG,
	ES_LOG_INFO,
	ES_LOG_WARN,
	ES_LOG_ERROR,
	ES_LOG_FATAL, /* the caller exits after it */
};

struct es_log_field {
	const char *key;
	enum { ES_LOG_STR, ES_LOG_INT, ES_LOG_UINT, ES_LOG_BOOL, ES_LOG_HEX } kind;
	union {
		const char *str;
		int64_t i;
		uint64_t u;
	} value;
};

#define ES_STR(key, text)    ((struct es_log_field){(key), ES_LOG_STR, {.str = (text)}})
#define ES_INT(key, number)  ((struct es_log_field){(key), ES_LOG_INT, {.i = (int64_t)(number)}})
#define ES_UINT(key, number) ((struct es_log_field){(key), ES_LOG_UINT, {.u = (uint64_t)(number)}})
#define ES_BOOL(key, truth)  ((struct es_log_field){(key), ES_LOG_BOOL, {.u = (truth) ? 1 : 0}})
/* Printed as etcd prints ids: lower-case hexadecimal in a string. */
#define ES_HEX(key, number) ((struct es_log_field){(key), ES_LOG_HEX, {.u = (uint64_t)(number)}})

struct es_log {
	void (*write)(void *ctx, enum es_log_level level, const char *caller, const char *message,
		      const struct es_log_field *fields, size_t field_count);
	void *ctx;
	enum es_log_level level; /* lines below it are dropped before the sink is called */
};

/* `log` may be NULL: nothing is written. */
void es_log_write(const struct es_log *log, enum es_log_level level, const char *caller,
		  const char *message, const struct es_log_field *fields, size_t field_count);

#define ES_LOG_LINE_(line) #line
#define ES_LOG_LINE(line)  ES_LOG_LINE_(line)
#define ES_LOG_CALLER      __FILE__ ":" ES_LOG_LINE(__LINE__)

/* es_log(log, ES_LOG_INFO, "ready", ES_STR("address", text), ES_INT("port", 2379)); */
#define es_log(log, level, message, ...)                                                    \
	es_log_write((log), (level), ES_LOG_CALLER, (message),                              \
		     (const struct es_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}},          \
		     sizeof((const struct es_log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}) / \
				     sizeof(struct es_log_field) -                          \
			     1)

#endif
