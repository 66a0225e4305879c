#include "typed/support.h"

static void a_create_is_filled_in(void **state)
{
	struct typed_fixture *f = *state;
	const struct es_resource_command command = {
		.kind = ES_RESOURCE_PUT,
		.key = thing("default", "a"),
		.value = json_of(f, "{\"spec\":{\"n\":1}}"),
	};
	struct written w;
	const char *uid;
	char expected[512];

	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_CREATED);
	uid = strstr(w.object, "\"uid\":\"");
	assert_non_null(uid);
	(void)snprintf(expected, sizeof(expected),
		       "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"metadata\":{"
		       "\"creationTimestamp\":\"2023-11-14T22:13:21Z\",\"generation\":1,"
		       "\"name\":\"a\",\"namespace\":\"default\",\"resourceVersion\":\"%lld\","
		       "%.44s},\"spec\":{\"n\":1}}",
		       (long long)w.revision, uid);
	assert_string_equal(w.object, expected);
	/* The same again changes nothing, and takes no revision. */
	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_UNCHANGED);
	assert_string_equal(w.object, expected);
}

static void what_contradicts_the_key_is_refused(void **state)
{
	struct typed_fixture *f = *state;
	struct es_resource_command command = {
		.kind = ES_RESOURCE_PUT,
		.key = thing("default", "a"),
		.value = json_of(f, "{\"metadata\":{\"name\":\"b\"}}"),
	};
	struct written w;

	assert_int_equal(typed_write(f, &command, &w), ES_EINVAL);
	assert_non_null(strstr(w.errmsg, "name"));
	command.key.name = es_slice("", 0);
	assert_int_equal(typed_write(f, &command, &w), ES_EINVAL);
	assert_non_null(strstr(w.errmsg, "name"));
}

static void a_request_that_is_too_large_is_refused(void **state)
{
	struct typed_fixture *f = *state;
	char *text = malloc(2 * 1024 * 1024);
	struct es_resource_command command = {.kind = ES_RESOURCE_PUT, .key = thing("x", "a")};
	struct written w;

	assert_non_null(text);
	memset(text, 'x', 1600 * 1024);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + 1600 * 1024, "\"}", 3);
	command.value = json_of(f, text);
	assert_int_equal(typed_write(f, &command, &w), ES_ETOO_LARGE);
	free(text);
}

static void deletes_carry_their_time(void **state)
{
	struct typed_fixture *f = *state;
	const struct es_resource_command command = {.kind = ES_RESOURCE_DELETE,
						    .key = thing("x", "a")};
	struct written w;

	(void)put_thing(f, "x", "a", "{\"metadata\":{\"finalizers\":[\"f\"]}}");
	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_DELETION_PENDING);
	assert_non_null(strstr(w.object, "\"deletionTimestamp\":\"2023-11-14T22:13:21Z\""));
}

static void an_apply_needs_a_manager(void **state)
{
	struct typed_fixture *f = *state;
	struct es_resource_command command = {
		.kind = ES_RESOURCE_PATCH,
		.patch_type = ES_RESOURCE_PATCH_APPLY,
		.key = thing("x", "a"),
		.value = json_of(f,
				 "{\"apiVersion\":\"v1\",\"kind\":\"Thing\",\"spec\":{\"n\":1}}"),
	};
	struct written w;

	assert_int_equal(typed_write(f, &command, &w), ES_EINVAL);
	assert_non_null(strstr(w.errmsg, "manager"));
	command.manager = ES_SLICE("me");
	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_CREATED);
	assert_non_null(strstr(w.object, "\"managedFields\""));
}

/* What the boundary fills in, and what comes back from a read, is no change. */
static void an_apply_that_says_nothing_new(void **state)
{
	static const char *const again[] = {
		"{\"spec\":{\"n\":1}}",
		"{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\",\"generation\":7},\"spec\":"
		"{\"n\":1}}",
		"{\"metadata\":{\"creationTimestamp\":\"2000-01-01T00:00:00Z\"},\"spec\":{\"n\":1}"
		"}",
		"{\"metadata\":{\"creationTimestamp\":null,\"name\":\"a\"},\"spec\":{\"n\":1}}",
	};
	struct typed_fixture *f = *state;
	struct es_resource_command command = {
		.kind = ES_RESOURCE_PATCH,
		.patch_type = ES_RESOURCE_PATCH_APPLY,
		.manager = ES_SLICE("me"),
		.key = thing("x", "a"),
		.value = json_of(f, "{\"spec\":{\"n\":1}}"),
	};
	struct written first, w;

	assert_int_equal(typed_write(f, &command, &first), 0);
	assert_int_equal(first.outcome, ES_RESOURCE_CREATED);
	assert_non_null(strstr(first.object, "\"creationTimestamp\":\"2023-11-14T22:13:21Z\""));
	for (size_t i = 0; i < ES_ARRAY_LEN(again); i++) {
		f->engine->now_ms += 5000;
		command.value = json_of(f, again[i]);
		assert_int_equal(typed_write(f, &command, &w), 0);
		assert_int_equal(w.outcome, ES_RESOURCE_UNCHANGED);
		assert_string_equal(w.object, first.object);
		assert_int_equal(w.revision, first.revision);
	}
	f->engine->now_ms += 5000;
	command.value = json_of(f, "{\"spec\":{\"n\":2}}");
	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_PATCHED);
	assert_null(strstr(w.object, "\"time\":\"2023-11-14T22:13:21Z\""));
}

static void a_manager_is_text(void **state)
{
	static const char *const managers[] = {"caf\xe9", "a\nb", "\x7f"};
	struct typed_fixture *f = *state;
	struct es_resource_command command = {
		.kind = ES_RESOURCE_PATCH,
		.key = thing("x", "a"),
		.value = json_of(f, "{}"),
	};
	char text[130];
	struct written w;

	for (size_t i = 0; i < ES_ARRAY_LEN(managers); i++) {
		command.manager = es_slice_str(managers[i]);
		command.patch_type = i % 2 == 0 ? ES_RESOURCE_PATCH_MERGE : ES_RESOURCE_PATCH_APPLY;
		assert_int_equal(typed_write(f, &command, &w), ES_EINVAL);
		assert_non_null(strstr(w.errmsg, "manager"));
	}
	memset(text, 'm', sizeof(text));
	command.manager = es_slice(text, 129);
	assert_int_equal(typed_write(f, &command, &w), ES_EINVAL);
	command.manager = es_slice(text, 128);
	assert_int_equal(typed_write(f, &command, &w), 0);
}

/* Whoever proposed it: it is refused, by the one who waits and by every replay alike. */
static void what_cannot_be_read_changes_nothing(void **state)
{
	static const char *const texts[] = {"", "nonsense", "{\"kind\":\"put\"}",
					    "{\"kind\":\"caf\xe9\"}"};
	struct typed_fixture *f = *state;
	int64_t before = put_thing(f, "x", "a", "{}");

	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++) {
		struct waiting w = waiting_new(f->engine);

		assert_int_equal(waiting_end(f->engine, &w,
					     es_engine_resource(f->engine->engine, &w.op,
								es_slice_str(texts[i]), 0)),
				 ES_EDECODE);
	}
	assert_int_equal(es_mvcc_revision(es_engine_store(f->engine->engine)), before);
	typed_close(f);
	typed_open(f);
	assert_int_equal(es_mvcc_revision(es_engine_store(f->engine->engine)), before);
}

static void what_was_written_is_there_after_a_restart(void **state)
{
	struct typed_fixture *f = *state;
	const struct es_resource_command again = {.kind = ES_RESOURCE_PUT,
						  .key = thing("x", "a"),
						  .value = json_of(f, "{\"spec\":1}")};
	struct written before, after;

	(void)put_thing(f, "x", "a", "{\"spec\":1}");
	assert_int_equal(typed_write(f, &again, &before), 0);
	typed_close(f);
	typed_open(f);
	assert_int_equal(typed_write(f, &again, &after), 0);
	assert_int_equal(after.outcome, ES_RESOURCE_UNCHANGED);
	assert_string_equal(before.object, after.object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_create_is_filled_in, typed_setup, typed_teardown),
		cmocka_unit_test_setup_teardown(what_contradicts_the_key_is_refused, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(a_request_that_is_too_large_is_refused, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(deletes_carry_their_time, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(an_apply_needs_a_manager, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(an_apply_that_says_nothing_new, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(a_manager_is_text, typed_setup, typed_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_changes_nothing, typed_setup,
						typed_teardown),
		cmocka_unit_test_setup_teardown(what_was_written_is_there_after_a_restart,
						typed_setup, typed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
