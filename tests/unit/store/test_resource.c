#include "store/support.h"

/* Writes and reads of resources. The rules themselves are tested in tests/unit/resource. */

static void a_resource_is_put_and_got(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_write_result *result;
	engenho_list_result *got;
	const engenho_resource *r;

	MUST(f, engenho_put(f->store, &key, bytes("{\"data\":{\"b\":\"1\"}}"), NULL, &result,
			    &f->error));
	assert_int_equal(result->outcome, ENGENHO_CREATED);
	assert_string_equal(engenho_outcome_name(result->outcome), "Created");
	assert_int_equal(result->revision, 2);
	assert_string_equal(result->message, "");
	r = result->resource;
	assert_non_null(r);
	assert_int_equal(r->mod_revision, 2);
	assert_int_equal(r->create_revision, 2);
	assert_string_equal(r->key.group, "");
	assert_string_equal(r->key.kind, "ConfigMap");
	assert_string_equal(r->key.ns, "default");
	assert_non_null(strstr(r->value.data, "\"apiVersion\":\"v1\",\"data\":{\"b\":\"1\"}"));
	assert_non_null(strstr(r->value.data, "\"resourceVersion\":\"2\""));
	assert_int_equal(strlen(r->value.data), r->value.len);
	MUST(f, engenho_get(f->store, &key, ENGENHO_LATEST, 0, &got, &f->error));
	assert_int_equal(got->count, 1);
	assert_int_equal(got->revision, 2);
	assert_string_equal(got->items[0].key.name, "a");
	assert_string_equal(got->items[0].value.data, r->value.data);
	assert_null(got->continue_token);
	engenho_list_result_free(got);
	engenho_write_result_free(result);
}

static void a_missing_one_is_not_found(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_list_result *got;

	REFUSED(f, ENGENHO_NOT_FOUND,
		engenho_get(f->store, &key, ENGENHO_LATEST, 0, &got, &f->error));
}

static void without_a_namespace_is_another_key(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = {.group = "", .version = "v1", .kind = "Node", .name = "n"};
	engenho_list_result *got;
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);

	MUST(f, engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error));
	(void)put_map(f, "a", "{}");
	MUST(f, engenho_get(f->store, &key, ENGENHO_LATEST, 0, &got, &f->error));
	assert_null(got->items[0].key.ns);
	engenho_list_result_free(got);
	MUST(f, engenho_list(f->store, &options, &got, &f->error)); /* all there is */
	assert_int_equal(got->count, 2);
	engenho_list_result_free(got);
}

static void writes_have_outcomes(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_write_options options = ENGENHO_INIT(engenho_write_options);
	engenho_write_result *result;

	(void)put_map(f, "a", "{\"data\":{\"b\":\"1\"}}");
	MUST(f, engenho_put(f->store, &key, bytes("{\"data\":{\"b\":\"1\"}}"), NULL, &result,
			    &f->error));
	assert_int_equal(result->outcome, ENGENHO_UNCHANGED);
	assert_int_equal(result->revision, 2);
	engenho_write_result_free(result);
	options.expected = 77;
	options.reason = ENGENHO_CONTROLLER;
	MUST(f, engenho_put(f->store, &key, bytes("{}"), &options, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_CONFLICT);
	assert_true(result->message[0] != '\0');
	engenho_write_result_free(result);
	options.expected = 2;
	MUST(f, engenho_patch(f->store, &key, ENGENHO_PATCH_MERGE,
			      bytes("{\"data\":{\"c\":\"2\"}}"), &options, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_PATCHED);
	assert_non_null(strstr(result->resource->value.data, "\"data\":{\"b\":\"1\",\"c\":\"2\"}"));
	engenho_write_result_free(result);
	MUST(f, engenho_patch(f->store, &key, ENGENHO_PATCH_JSON,
			      bytes("[{\"op\":\"test\",\"path\":\"/data/b\",\"value\":\"no\"}]"),
			      NULL, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_PATCH_REJECTED);
	assert_true(result->message[0] != '\0');
	engenho_write_result_free(result);
	MUST(f, engenho_delete(f->store, &key, NULL, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_DELETED);
	assert_int_equal(result->revision, 4);
	engenho_write_result_free(result);
	MUST(f, engenho_delete(f->store, &key, NULL, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_NO_OP);
	assert_null(result->resource);
	engenho_write_result_free(result);
}

static void managers_conflict_with_causes(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_write_options options = ENGENHO_INIT(engenho_write_options);
	engenho_write_result *result;

	REFUSED(f, ENGENHO_INVALID,
		engenho_patch(f->store, &key, ENGENHO_PATCH_APPLY, bytes("{}"), NULL, &result,
			      &f->error));
	options.manager = "one";
	MUST(f, engenho_patch(f->store, &key, ENGENHO_PATCH_APPLY,
			      bytes("{\"data\":{\"b\":\"1\"}}"), &options, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_CREATED);
	engenho_write_result_free(result);
	options.manager = "two";
	MUST(f, engenho_patch(f->store, &key, ENGENHO_PATCH_APPLY,
			      bytes("{\"data\":{\"b\":\"2\"}}"), &options, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_APPLY_CONFLICT);
	assert_int_equal(result->cause_count, 1);
	assert_non_null(strstr(result->causes[0].manager, "one"));
	assert_string_equal(result->causes[0].field, ".data.b");
	engenho_write_result_free(result);
	options.force = true;
	MUST(f, engenho_patch(f->store, &key, ENGENHO_PATCH_APPLY,
			      bytes("{\"data\":{\"b\":\"2\"}}"), &options, &result, &f->error));
	assert_int_equal(result->outcome, ENGENHO_PATCHED);
	engenho_write_result_free(result);
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	const engenho_compare compares[] = {{.key = config_map("a")}};
	const engenho_op success[] = {{.key = config_map("a"), .value = bytes("{}")},
				      {.key = config_map("b"), .value = bytes("{}")}};
	const engenho_op failure[] = {{.key = config_map("b"), .is_delete = true}};
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	engenho_list_options options = config_maps();
	engenho_write_result *result;
	engenho_list_result *list;

	txn.compare_count = 1;
	txn.compares = compares;
	txn.success_count = 2;
	txn.success = success;
	txn.failure_count = 1;
	txn.failure = failure;
	MUST(f, engenho_txn_commit(f->store, &txn, NULL, &result, &f->error));
	assert_int_equal(result->revision, 2);
	assert_true(result->succeeded);
	engenho_write_result_free(result);
	MUST(f, engenho_txn_commit(f->store, &txn, NULL, &result, &f->error));
	assert_int_equal(result->revision, 3);
	assert_false(result->succeeded);
	engenho_write_result_free(result);
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	assert_int_equal(list->count, 1);
	assert_string_equal(list->items[0].key.name, "a");
	assert_int_equal(list->items[0].mod_revision, 2);
	engenho_list_result_free(list);
}

static void mistakes_are_told(void **state)
{
	struct fixture *f = *state;
	engenho_write_options unset;
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);
	engenho_key key = config_map("a");
	engenho_list_result *list;

	memset(&unset, 0, sizeof(unset));
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{\"a\":}"), NULL, NULL, &f->error));
	assert_non_null(strstr(f->error.message, "at byte 5"));
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{}"), &unset, NULL, &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{\"metadata\":{\"name\":\"b\"}}"), NULL, NULL,
			    &f->error));
	key.name = "no/good";
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error));
	key.name = NULL;
	REFUSED(f, ENGENHO_INVALID,
		engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error));
	REFUSED(f, ENGENHO_INVALID,
		engenho_get(f->store, &key, ENGENHO_LATEST, 0, &list, &f->error));
	options.ns = "default";
	REFUSED(f, ENGENHO_INVALID, engenho_list(f->store, &options, &list, &f->error));
	options = config_maps();
	options.label_selector = "a in (";
	REFUSED(f, ENGENHO_INVALID, engenho_list(f->store, &options, &list, &f->error));
	options = config_maps();
	options.continue_token = "abc";
	REFUSED(f, ENGENHO_INVALID, engenho_list(f->store, &options, &list, &f->error));
	options = config_maps();
	options.version = NULL;
	REFUSED(f, ENGENHO_INVALID, engenho_list(f->store, &options, &list, &f->error));
	options = config_maps();
	options.group = NULL; /* the core group */
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	engenho_list_result_free(list);
	options.size = 3;
	REFUSED(f, ENGENHO_INVALID, engenho_list(f->store, &options, &list, &f->error));
}

static void too_large_a_value_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t size = 2000000;
	char *value = malloc(size + 32);
	const engenho_key key = config_map("a");
	int at;

	assert_non_null(value);
	at = snprintf(value, 32, "{\"data\":{\"a\":\"");
	memset(value + at, 'x', size);
	(void)snprintf(value + at + size, 8, "\"}}");
	REFUSED(f, ENGENHO_TOO_LARGE,
		engenho_put(f->store, &key, bytes(value), NULL, NULL, &f->error));
	free(value);
}

static void lists_come_in_pages_of_one_revision(void **state)
{
	struct fixture *f = *state;
	engenho_list_options options = config_maps();
	engenho_list_result *page;
	char token[512] = "";
	char name[16], value[64];
	size_t seen = 0;

	for (int i = 0; i < 25; i++) {
		(void)snprintf(name, sizeof(name), "m%02d", i);
		(void)put_map(f, name, numbered(value, sizeof(value), i));
	}
	options.ns = "default";
	options.limit = 10;
	do {
		options.continue_token = token[0] == '\0' ? NULL : token;
		MUST(f, engenho_list(f->store, &options, &page, &f->error));
		assert_int_equal(page->revision, 26);
		for (size_t i = 0; i < page->count; i++, seen++) {
			(void)snprintf(name, sizeof(name), "m%02zu", seen);
			assert_string_equal(page->items[i].key.name, name);
		}
		assert_int_equal((int64_t)seen + page->remaining, 25);
		token[0] = '\0';
		if (page->continue_token != NULL)
			(void)snprintf(token, sizeof(token), "%s", page->continue_token);
		engenho_list_result_free(page);
		(void)put_map(f, "zz", numbered(value, sizeof(value), (int)seen));
	} while (token[0] != '\0');
	assert_int_equal(seen, 25);
}

static void selectors_select(void **state)
{
	struct fixture *f = *state;
	engenho_list_options options = config_maps();
	engenho_list_result *list;

	(void)put_map(f, "a", "{\"metadata\":{\"labels\":{\"app\":\"x\"}}}");
	(void)put_map(f, "b", "{\"metadata\":{\"labels\":{\"app\":\"y\"}}}");
	options.label_selector = "app in (y)";
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	assert_int_equal(list->count, 1);
	assert_string_equal(list->items[0].key.name, "b");
	engenho_list_result_free(list);
	options.label_selector = NULL;
	options.field_selector = "metadata.name!=b";
	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	assert_int_equal(list->count, 1);
	assert_string_equal(list->items[0].key.name, "a");
	engenho_list_result_free(list);
}

static void reads_are_as_old_as_wanted(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	engenho_list_result *got;
	int64_t first = put_map(f, "a", "{\"data\":{\"n\":\"1\"}}");
	int64_t second = put_map(f, "a", "{\"data\":{\"n\":\"2\"}}");

	MUST(f, engenho_get(f->store, &key, ENGENHO_EXACT, first, &got, &f->error));
	assert_non_null(strstr(got->items[0].value.data, "\"n\":\"1\""));
	engenho_list_result_free(got);
	MUST(f, engenho_get(f->store, &key, ENGENHO_NOT_OLDER_THAN, first, &got, &f->error));
	assert_int_equal(got->items[0].mod_revision, second);
	engenho_list_result_free(got);
	MUST(f, engenho_compact(f->store, second, &f->error));
	REFUSED(f, ENGENHO_COMPACTED,
		engenho_get(f->store, &key, ENGENHO_EXACT, first, &got, &f->error));
	assert_string_equal(f->error.message, "too old resource version: 2");
	REFUSED(f, ENGENHO_FUTURE,
		engenho_get(f->store, &key, ENGENHO_NOT_OLDER_THAN, 1000, &got, &f->error));
	REFUSED(f, ENGENHO_INVALID, engenho_get(f->store, &key, ENGENHO_EXACT, 0, &got, &f->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_resource_is_put_and_got, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_one_is_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_namespace_is_another_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(writes_have_outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(managers_conflict_with_causes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_transaction_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large_a_value_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_come_in_pages_of_one_revision, setup,
						teardown),
		cmocka_unit_test_setup_teardown(selectors_select, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_are_as_old_as_wanted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
