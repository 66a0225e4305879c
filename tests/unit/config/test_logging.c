#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/logging.h"

static const int64_t wall_us = 1785585600123456; /* 2026-08-01 12:00 UTC */

static void expect(const char *zone, bool console, const char *message,
		   const struct es_log_field *fields, size_t count, const char *expected)
{
	struct es_buf line;

	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
	es_buf_init(&line, es_mem_default());
	assert_int_equal(es_logging_format(&line, console, wall_us, ES_LOG_WARN,
					   "../src/server/main.c:12", message, fields, count),
			 0);
	assert_int_equal(es_buf_append(&line, "", 1), 0);
	assert_string_equal((const char *)line.data, expected);
	es_buf_close(&line);
}

static void lines_of_json(void **state)
{
	const struct es_log_field fields[] = {
		ES_STR("text", "a\"b\\c\n\x01\xff\xc3\xa9"),
		ES_INT("int", -5),
		ES_UINT("uint", UINT64_MAX),
		ES_BOOL("yes", true),
		ES_HEX("id", 0x8e9eULL),
		ES_STR("none", NULL),
	};

	(void)state;
	expect("UTC", false, "plain", NULL, 0,
	       "{\"level\":\"warn\",\"ts\":\"2026-08-01T12:00:00.123456Z\",\"caller\":\"server/"
	       "main.c:12\",\"msg\":\"plain\"}\n");
	expect("UTC", false, "with \"fields\"", fields, ES_ARRAY_LEN(fields),
	       "{\"level\":\"warn\",\"ts\":\"2026-08-01T12:00:00.123456Z\",\"caller\":\"server/"
	       "main.c:12\","
	       "\"msg\":\"with "
	       "\\\"fields\\\"\",\"text\":\"a\\\"b\\\\c\\n\\u0001\\ufffd\xc3\xa9\",\"int\":-5,"
	       "\"uint\":18446744073709551615,\"yes\":true,\"id\":\"8e9e\",\"none\":\"\"}\n");
	expect("CET-1", false, "m", NULL, 0,
	       "{\"level\":\"warn\",\"ts\":\"2026-08-01T13:00:00.123456+0100\",\"caller\":\"server/"
	       "main.c:12\",\"msg\":\"m\"}\n");
}

static void lines_for_people(void **state)
{
	const struct es_log_field fields[] = {ES_STR("a", "b"), ES_INT("c", 1)};

	(void)state;
	expect("UTC", true, "hello", fields, 2,
	       "2026-08-01T12:00:00.123456Z\twarn\tserver/"
	       "main.c:12\thello\t{\"a\":\"b\",\"c\":1}\n");
	expect("UTC", true, "hello", NULL, 0,
	       "2026-08-01T12:00:00.123456Z\twarn\tserver/main.c:12\thello\n");
}

static size_t file_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t lines = 0;
	int c;

	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	(void)fclose(file);
	return lines;
}

static void several_outputs(void **state)
{
	char folder[] = "/tmp/engenho-log-XXXXXX";
	char a[64], b[64], outputs[256], errmsg[256];
	struct es_logging logging;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(a, sizeof(a), "%s/a", folder);
	(void)snprintf(b, sizeof(b), "%s/b", folder);
	(void)snprintf(outputs, sizeof(outputs), "%s,%s", a, b);
	assert_int_equal(
		es_logging_open(&logging, ES_LOG_INFO, false, outputs, errmsg, sizeof(errmsg)), 0);
	es_log(&logging.log, ES_LOG_INFO, "one");
	es_log(&logging.log, ES_LOG_DEBUG, "below the level");
	es_logging_close(&logging);
	assert_int_equal(file_lines(a), 1);
	assert_int_equal(file_lines(b), 1);
	/* A log is continued. */
	assert_int_equal(es_logging_open(&logging, ES_LOG_DEBUG, false, a, errmsg, sizeof(errmsg)),
			 0);
	es_log(&logging.log, ES_LOG_DEBUG, "two");
	es_logging_close(&logging);
	assert_int_equal(file_lines(a), 2);
	(void)snprintf(outputs, sizeof(outputs), "%s,/dev/null", a);
	assert_int_equal(
		es_logging_open(&logging, ES_LOG_INFO, false, outputs, errmsg, sizeof(errmsg)), 0);
	es_log(&logging.log, ES_LOG_INFO, "nowhere");
	es_logging_close(&logging);
	assert_int_equal(file_lines(a), 2);
	(void)unlink(a);
	(void)unlink(b);
	(void)rmdir(folder);
}

static void standard_outputs_once(void **state)
{
	struct es_logging logging;
	char errmsg[256];

	(void)state;
	assert_int_equal(es_logging_open(&logging, ES_LOG_INFO, false, "", errmsg, sizeof(errmsg)),
			 0);
	assert_int_equal(logging.count, 1);
	assert_int_equal(logging.outputs[0].fd, STDERR_FILENO);
	es_logging_close(&logging);
	assert_int_equal(es_logging_open(&logging, ES_LOG_INFO, false,
					 "stderr,stdout,systemd/journal,stderr", errmsg,
					 sizeof(errmsg)),
			 0);
	assert_int_equal(logging.count, 2);
	es_logging_close(&logging);
}

static void bad_outputs(void **state)
{
	struct es_logging logging;
	char errmsg[256];

	(void)state;
	assert_int_equal(es_logging_open(&logging, ES_LOG_INFO, false, "default,stdout", errmsg,
					 sizeof(errmsg)),
			 ES_EINVAL);
	assert_string_equal(errmsg, "multi logoutput for \"default\" is not supported yet");
	assert_int_equal(
		es_logging_open(&logging, ES_LOG_INFO, false, "/nowhere/x", errmsg, sizeof(errmsg)),
		ES_EIO);
	assert_string_equal(errmsg,
			    "--log-outputs: cannot open /nowhere/x: No such file or directory");
	assert_int_equal(logging.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_json),   cmocka_unit_test(lines_for_people),
		cmocka_unit_test(several_outputs), cmocka_unit_test(standard_outputs_once),
		cmocka_unit_test(bad_outputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
