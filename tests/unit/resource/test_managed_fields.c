#include "resource/managed_fields.h"

#include "json_support.h"
#include "resource/patch.h"
#include "resource/rules.h"

/*
 * Anybody may write a managedFields of any size, and every member has to work through it: what that takes is bounded,
 * and does not grow faster than the list.
 */
struct big {
	struct es_arena inputs, arena;
	struct es_buf text;
	struct es_json object, result;
	const struct es_resource_cause *causes;
	size_t cause_count;
	char errmsg[300];
};

static void big_open(struct big *big)
{
	*big = (struct big){.cause_count = 0};
	es_arena_init(&big->inputs, es_mem_default(), 1 << 20);
	es_arena_init(&big->arena, es_mem_default(), 1 << 20);
	es_buf_init(&big->text, es_mem_default());
}

static void big_close(struct big *big)
{
	es_buf_close(&big->text);
	es_arena_close(&big->inputs);
	es_arena_close(&big->arena);
}

static void add(struct big *big, const char *text)
{
	assert_int_equal(es_buf_append_str(&big->text, text), 0);
}

static void begin_object(struct big *big)
{
	big->text.len = 0;
	add(big, "{\"apiVersion\":\"v\",\"data\":{\"0\":\"x\"},\"kind\":\"W\",\"metadata\":{"
		 "\"managedFields\":[");
}

static void begin_manager(struct big *big, unsigned number)
{
	assert_int_equal(
		es_buf_printf(&big->text,
			      "%s{\"apiVersion\":\"v\",\"fieldsType\":\"FieldsV1\",\"manager\":"
			      "\"%u\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:data\":{",
			      number == 0 ? "" : ",", number),
		0);
}

static void end_manager(struct big *big)
{
	add(big, "}}}");
}

static void end_object(struct big *big)
{
	struct es_json_error error;

	add(big, "]}}");
	assert_int_equal(es_json_parse(es_buf_slice(&big->text), ES_JSON_DEPTH_MAX, &big->inputs,
				       &big->object, &error),
			 0);
}

/* An object whose managers own `fields` fields each, and no two the same. */
static void make_object(struct big *big, unsigned managers, unsigned fields)
{
	begin_object(big);
	for (unsigned i = 0; i < managers; i++) {
		begin_manager(big, i);
		for (unsigned k = 0; k < fields; k++)
			assert_int_equal(es_buf_printf(&big->text, "%s\"f:%u\":{}",
						       k == 0 ? "" : ",", i * fields + k),
					 0);
		end_manager(big);
	}
	end_object(big);
}

static int apply(struct big *big, const char *manager, const char *config)
{
	const struct es_apply how = {.manager = es_slice_str(manager), .time = ES_SLICE("t")};
	struct es_json value = json(&big->inputs, config);

	return es_patch_apply(&big->object, &value, NULL, &how, &big->arena, &big->result,
			      &big->causes, &big->cause_count, big->errmsg, sizeof(big->errmsg));
}

static size_t managers_of(const struct es_json *object)
{
	return es_json_get(es_json_get(object, "metadata"), "managedFields")->count;
}

static void many_managers_of_many_fields(void **state)
{
	struct big big;

	(void)state;
	big_open(&big);
	make_object(&big, ES_MANAGERS_MAX, 100);
	assert_int_equal(
		apply(&big, "0", "{'apiVersion':'v','kind':'W','data':{'0':'x','new':'y'}}"), 0);
	assert_true(big.arena.bytes < 100 << 20);
	assert_int_equal(managers_of(&big.result), ES_MANAGERS_MAX);
	assert_non_null(es_json_get(es_json_get(&big.result, "data"), "new"));
	big_close(&big);
}

static void there_are_no_more_managers(void **state)
{
	struct big big;

	(void)state;
	big_open(&big);
	make_object(&big, ES_MANAGERS_MAX, 1);
	assert_int_equal(apply(&big, "999", "{'apiVersion':'v','kind':'W','data':{'a':'b'}}"), 0);
	assert_int_equal(apply(&big, "me", "{'apiVersion':'v','kind':'W','data':{'a':'b'}}"),
			 ES_EINVAL);
	assert_string_equal(big.errmsg, "there would be too many managers");
	/* Who owns nothing does not count. */
	assert_int_equal(apply(&big, "me", "{'apiVersion':'v','kind':'W'}"), 0);
	make_object(&big, ES_MANAGERS_MAX + 1, 1);
	assert_int_equal(apply(&big, "0", "{'apiVersion':'v','kind':'W'}"), ES_EINVAL);
	assert_string_equal(big.errmsg, "metadata.managedFields has more than 1000 entries");
	big_close(&big);
}

static void there_are_no_more_fields(void **state)
{
	struct big big;

	(void)state;
	big_open(&big);
	make_object(&big, 10, (ES_MANAGED_FIELDS_MAX - 10) / 10); /* and "data" of each */
	assert_int_equal(apply(&big, "0", "{'apiVersion':'v','kind':'W'}"), 0);
	assert_true(big.arena.bytes < 200 << 20);
	make_object(&big, 10, ES_MANAGED_FIELDS_MAX / 10);
	assert_int_equal(apply(&big, "0", "{'apiVersion':'v','kind':'W'}"), ES_EINVAL);
	assert_string_equal(big.errmsg, "metadata.managedFields has more than 250000 fields");
	big_close(&big);
}

/* The same manager again and again: the last entry counts. */
static void entries_of_the_same_manager(void **state)
{
	struct es_managers managers;
	struct big big;

	(void)state;
	big_open(&big);
	begin_object(&big);
	for (unsigned i = 0; i < ES_MANAGERS_MAX; i++) {
		assert_int_equal(es_buf_printf(&big.text,
					       "%s{\"apiVersion\":\"v%u\",\"fieldsType\":"
					       "\"FieldsV1\",\"manager\":\"m%u\",\"operation\":"
					       "\"Apply\"}",
					       i == 0 ? "" : ",", i, i * 7 % 3),
				 0);
	}
	end_object(&big);
	assert_int_equal(
		es_managers_read(es_json_get(es_json_get(&big.object, "metadata"), "managedFields"),
				 0, &big.arena, &managers, big.errmsg, sizeof(big.errmsg)),
		0);
	assert_int_equal(managers.count, 3);
	for (unsigned i = ES_MANAGERS_MAX - 3; i < ES_MANAGERS_MAX; i++) {
		char name[8], version[8];
		struct es_manager like = {.applies = true};
		const struct es_manager *found;

		like.name = es_slice(name, (size_t)snprintf(name, sizeof(name), "m%u", i * 7 % 3));
		found = es_managers_find(&managers, &like);
		assert_non_null(found);
		(void)snprintf(version, sizeof(version), "v%u", i);
		assert_true(es_slice_eq(found->api_version, es_slice_str(version)));
	}
	big_close(&big);
}

/* An element may be written in any number of ways. */
static void elements_that_are_the_same(void **state)
{
	struct big big;

	(void)state;
	big_open(&big);
	begin_object(&big);
	begin_manager(&big, 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(es_buf_printf(&big.text, "%s\"k:{\\\"p\\\":%*u}\":{",
					       i == 0 ? "" : ",", (int)i + 1, 1),
				 0);
		for (unsigned k = 0; k < 50; k++)
			assert_int_equal(es_buf_printf(&big.text, "%s\"f:%u\":{}",
						       k == 0 ? "" : ",", i * 50 + k),
					 0);
		add(&big, "}");
	}
	end_manager(&big);
	end_object(&big);
	assert_int_equal(apply(&big, "1", "{'apiVersion':'v','kind':'W','data':{'1':'x'}}"), 0);
	assert_true(big.arena.bytes < 100 << 20);
	big_close(&big);
}

/* The text of a field has the names of all above it. */
static void conflicts_of_long_names(void **state)
{
	enum { NAME = 100 << 10, FIELDS = 1000 };
	static char name[NAME + 1];
	struct es_buf texts[2];
	size_t bytes = 0;
	struct big big;

	(void)state;
	big_open(&big);
	memset(name, 'n', NAME);
	for (int i = 0; i < 2; i++) {
		struct es_json config;
		struct es_json_error error;
		const struct es_apply how = {.manager = i == 0 ? ES_SLICE("a") : ES_SLICE("b")};

		es_buf_init(&big.text, es_mem_default());
		add(&big, "{\"apiVersion\":\"v\",\"kind\":\"W\",\"");
		add(&big, name);
		add(&big, "\":{");
		for (unsigned k = 0; k < FIELDS; k++)
			assert_int_equal(
				es_buf_printf(&big.text, "%s\"%u\":%d", k == 0 ? "" : ",", k, i),
				0);
		add(&big, "}}");
		assert_int_equal(es_json_parse(es_buf_slice(&big.text), ES_JSON_DEPTH_MAX,
					       &big.inputs, &config, &error),
				 0);
		assert_int_equal(es_patch_apply(i == 0 ? NULL : &big.object, &config, NULL, &how,
						&big.arena, &big.object, &big.causes,
						&big.cause_count, big.errmsg, sizeof(big.errmsg)),
				 i == 0 ? 0 : ES_EEXIST);
		texts[i] = big.text; /* the object points into it */
	}
	assert_true(big.cause_count > 1 && big.cause_count < FIELDS);
	for (size_t i = 0; i < big.cause_count; i++)
		bytes += big.causes[i].field.len;
	assert_true(bytes < 2 << 20);
	assert_non_null(strstr(big.errmsg, "Apply failed with 1000 conflicts"));
	es_buf_close(&texts[0]);
	big_close(&big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_managers_of_many_fields),
		cmocka_unit_test(there_are_no_more_managers),
		cmocka_unit_test(there_are_no_more_fields),
		cmocka_unit_test(entries_of_the_same_manager),
		cmocka_unit_test(elements_that_are_the_same),
		cmocka_unit_test(conflicts_of_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
