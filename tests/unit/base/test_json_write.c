#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/json.h"

static void check(const struct es_json *value, const char *expected)
{
	struct es_buf buf;

	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_json_write(&buf, value), 0);
	assert_true(es_slice_eq(es_buf_slice(&buf), es_slice_str(expected)));
	es_buf_close(&buf);
}

static void scalars(void **state)
{
	static const struct {
		struct es_json value;
		const char *text;
	} cases[] = {
		{{.type = ES_JSON_NULL}, "null"},
		{{.type = ES_JSON_BOOL, .u.boolean = true}, "true"},
		{{.type = ES_JSON_BOOL, .u.boolean = false}, "false"},
		{{.type = ES_JSON_INT, .u.i64 = 0}, "0"},
		{{.type = ES_JSON_INT, .u.i64 = -10}, "-10"},
		{{.type = ES_JSON_INT, .u.i64 = INT64_MAX}, "9223372036854775807"},
		{{.type = ES_JSON_INT, .u.i64 = INT64_MIN}, "-9223372036854775808"},
		{{.type = ES_JSON_UINT, .u.u64 = UINT64_MAX}, "18446744073709551615"},
		{{.type = ES_JSON_DOUBLE, .u.number = 1000}, "1000.0"},
		{{.type = ES_JSON_DOUBLE, .u.number = -1.2345678901234568e-300},
		 "-1.2345678901234568e-300"},
		{{.type = ES_JSON_STRING}, "\"\""},
		{{.type = ES_JSON_ARRAY}, "[]"},
		{{.type = ES_JSON_OBJECT}, "{}"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		check(&cases[i].value, cases[i].text);
}

static void strings_escape_only_what_they_must(void **state)
{
	static const struct {
		struct es_slice string;
		const char *text;
	} cases[] = {
		{{(const uint8_t *)"\"\\/\b\t\n\f\r", 8}, "\"\\\"\\\\/\\b\\t\\n\\f\\r\""},
		{{(const uint8_t *)"\0\x01\x0b\x1f\x7f", 5},
		 "\"\\u0000\\u0001\\u000b\\u001f\x7f\""},
		{{(const uint8_t *)"\xc3\xa4 \xf0\x9f\x98\x80 \xe2\x80\xa8", 11},
		 "\"\xc3\xa4 \xf0\x9f\x98\x80 \xe2\x80\xa8\""},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_json value = es_json_string(cases[i].string);

		check(&value, cases[i].text);
	}
}

/* Each byte at each place of strings of several words. */
static void every_byte_at_every_place(void **state)
{
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 20; at++) {
			uint8_t bytes[20];
			size_t len;

			memset(bytes, 0xbf, sizeof(bytes));
			bytes[at] = (uint8_t)c;
			buf.len = 0;
			assert_int_equal(es_json_write_string(&buf, es_slice(bytes, sizeof(bytes))),
					 0);
			len = c == '"' || c == '\\' || c == '\b' ||
					      (c >= '\t' && c <= '\r' && c != '\v')
				      ? 2
			      : c < ' ' ? 6
					: 1;
			assert_int_equal(buf.len, 2 + 19 + len);
			assert_memory_equal(buf.data + 1, bytes, at);
			assert_memory_equal(buf.data + 1 + at + len, bytes + at + 1, 19 - at);
			assert_int_equal(buf.data[1 + at], len == 1 ? c : '\\');
		}
	es_buf_close(&buf);
}

/* Whatever is left of the buffer when an escape comes. */
static void escapes_find_room(void **state)
{
	uint8_t bytes[300];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t at = 0; at < sizeof(bytes); at++) {
		struct es_buf buf;

		bytes[at] = '\x01';
		for (size_t len = at + 1; len <= sizeof(bytes) && len < at + 5; len++) {
			es_buf_init(&buf, es_mem_default());
			assert_int_equal(es_json_write_string(&buf, es_slice(bytes, len)), 0);
			assert_int_equal(buf.len, len + 7);
			es_buf_close(&buf);
		}
		bytes[at] = 'x';
	}
}

static struct es_json nested(const struct es_json *items, struct es_json_member *members)
{
	members[0] = (struct es_json_member){ES_SLICE("b\n"), es_json_null()};
	members[1] = (struct es_json_member){ES_SLICE("a"),
					     {.type = ES_JSON_ARRAY, .count = 4, .u.items = items}};
	return es_json_object_of(members, 2);
}

static const struct es_json some_items[] = {
	{.type = ES_JSON_INT, .u.i64 = 1},
	{.type = ES_JSON_OBJECT},
	{.type = ES_JSON_STRING, .u.string = {(const uint8_t *)"\x01\x01\x01\x01", 4}},
	{.type = ES_JSON_DOUBLE, .u.number = 0.5},
};

static void containers(void **state)
{
	struct es_json_member members[2];
	struct es_json value = nested(some_items, members);

	(void)state;
	check(&value, "{\"a\":[1,{},\"\\u0001\\u0001\\u0001\\u0001\",0.5],\"b\\n\":null}");
}

/* It is appended whole or not at all. */
static void without_memory(void **state)
{
	struct es_json_member members[2];
	struct es_json value = nested(some_items, members);
	static const char before[] = "123456789012345678901234567890";

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_buf buf;
		int rc;

		es_fault_mem_init(&fault, n + 1);
		es_buf_init(&buf, &fault.mem);
		assert_int_equal(es_buf_append_str(&buf, before), 0);
		rc = es_json_write(&buf, &value);
		if (rc == 0)
			rc = es_json_write_string(&buf,
						  ES_SLICE("a longer one, with \x01 and \x02 and "
							   "\x03, and then some more of it, up to "
							   "here: a string that has to grow"));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		assert_memory_equal(buf.data, before, sizeof(before) - 1);
		if (rc < 0)
			assert_true(buf.len == sizeof(before) - 1 || buf.data[buf.len - 1] == '}');
		es_buf_close(&buf);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars),
		cmocka_unit_test(strings_escape_only_what_they_must),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(escapes_find_room),
		cmocka_unit_test(containers),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
