#include "json_support.h"

#include "resource/util.h"

static void what_is_said_is_cut_between_characters(void **state)
{
	char text[8];

	(void)state;
	es_resource_say(text, sizeof(text), "%s", "1234567");
	assert_string_equal(text, "1234567");
	es_resource_say(text, sizeof(text), "%s", "12345678");
	assert_string_equal(text, "1234567");
	es_resource_say(text, sizeof(text), "%s", "12345\xc3\xa9");
	assert_string_equal(text, "12345\xc3\xa9");
	es_resource_say(text, sizeof(text), "%s", "123456\xc3\xa9");
	assert_string_equal(text, "123456");
	es_resource_say(text, sizeof(text), "%s", "1234\xf0\x9f\x98\x80");
	assert_string_equal(text, "1234");
	es_resource_say(text, sizeof(text), "%s", "123\xf0\x9f\x98\x80xx");
	assert_true(es_resource_is_utf8(es_slice_str(text)));
	es_resource_say(text, 1, "%s", "\xc3\xa9");
	assert_string_equal(text, "");
	es_resource_say(NULL, 0, "%s", "x");
}

static void what_comes_from_outside_is_shortened(void **state)
{
	char text[100];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(es_resource_say_len(es_slice(text, 64)), 64);
	assert_int_equal(es_resource_say_len(es_slice(text, 65)), 64);
	assert_int_equal(es_resource_say_len(es_slice(NULL, 0)), 0);
	memcpy(text + 62, "\xe4\xb8\xad", 3);
	assert_int_equal(es_resource_say_len(es_slice(text, 65)), 62);
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"", true},
		{"a\x7f", true},
		{"\xc2\x80\xdf\xbf", true},
		{"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", true},
		{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true},
		{"\x80", false},
		{"\xc0\x80", false},
		{"\xc1\xbf", false},
		{"\xc2", false},
		{"\xc2x", false},
		{"\xe0\x9f\xbf", false},
		{"\xed\xa0\x80", false},
		{"\xef\xbf", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false},
		{"\xf5\x80\x80\x80", false},
		{"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++)
		assert_int_equal(es_resource_is_utf8(es_slice_str(cases[i].text)), cases[i].good);
}

static void depth(void **state)
{
	struct es_arena arena;
	struct es_json value;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	value = es_json_int(1);
	assert_false(es_resource_is_deeper(&value, 0));
	value = json(&arena, "[1,{'a':1,'b':[]}]");
	assert_true(es_resource_is_deeper(&value, 0));
	assert_true(es_resource_is_deeper(&value, 2));
	assert_false(es_resource_is_deeper(&value, 3));
	es_arena_close(&arena);
}

static void a_buffer_in_an_arena_grows(void **state)
{
	struct es_arena_buf buffer;
	struct es_arena arena;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 64);
	es_arena_buf_init(&buffer, &arena);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(es_buf_append_u8(&buffer.buf, (uint8_t)i), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buffer.buf.data[i], (uint8_t)i);
	es_arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_cut_between_characters),
		cmocka_unit_test(what_comes_from_outside_is_shortened),
		cmocka_unit_test(utf8),
		cmocka_unit_test(depth),
		cmocka_unit_test(a_buffer_in_an_arena_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
