#include "typed/support.h"

struct listed {
	struct es_typed_list list;
	bool done;
	int status;
	char text[ES_TYPED_TEXT_MAX];
};

static void on_listed(struct es_typed_list *list, int status, const char *text)
{
	struct listed *l = ES_CONTAINER_OF(list, struct listed, list);

	l->done = true;
	l->status = status;
	(void)snprintf(l->text, sizeof(l->text), "%s", text == NULL ? "" : text);
	if (status == ES_ESTOPPED)
		es_typed_list_end(list);
}

static void list_init(struct typed_fixture *f, struct listed *l, const char *ns)
{
	*l = (struct listed){0};
	l->list.scope = (struct es_resource_scope){
		.version = ES_SLICE("v1"),
		.kind = ES_SLICE("Thing"),
		.ns = ns == NULL ? es_slice("", 0) : es_slice_str(ns),
		.all_namespaces = ns == NULL,
	};
	l->list.done = on_listed;
	l->list.arena = &f->engine->arena;
}

static int list_run(struct typed_fixture *f, struct listed *l)
{
	l->done = false;
	es_typed_list_begin(f->typed, &l->list);
	RUN_UNTIL(f->engine, l->done);
	return l->status;
}

static void assert_names(const struct listed *l, const char *expected)
{
	char names[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < l->list.count; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%.*s", i > 0 ? " " : "",
				       (int)l->list.items[i].key.name.len,
				       (const char *)l->list.items[i].key.name.data);
	assert_string_equal(names, expected);
}

static void put_some(struct typed_fixture *f)
{
	(void)put_thing(f, "x", "a", "{\"metadata\":{\"labels\":{\"app\":\"web\"}}}");
	(void)put_thing(f, "x", "b", "{\"metadata\":{\"labels\":{\"app\":\"db\"}}}");
	(void)put_thing(f, "y", "c", "{\"metadata\":{\"labels\":{\"app\":\"web\"}}}");
	(void)put_thing(f, NULL, "d", "{\"spec\":{\"nodeName\":\"n1\"}}");
}

static void scopes_and_selectors(void **state)
{
	static const struct {
		const char *ns, *labels, *fields, *names;
	} cases[] = {
		{NULL, "", "", "d a b c"},
		{"x", "", "", "a b"},
		{"z", "", "", ""},
		{NULL, "app=web", "", "a c"},
		{"x", "app in (web,db),app!=db", "", "a"},
		{NULL, "", "spec.nodeName=n1", "d"},
		{NULL, "!app", "", "d"},
	};
	struct typed_fixture *f = *state;
	struct listed l;

	put_some(f);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		list_init(f, &l, cases[i].ns);
		l.list.label_selector = es_slice_str(cases[i].labels);
		l.list.field_selector = es_slice_str(cases[i].fields);
		assert_int_equal(list_run(f, &l), 0);
		assert_names(&l, cases[i].names);
		assert_int_equal(l.list.next_token.len, 0);
		assert_int_equal(l.list.remaining, 0);
		es_typed_list_end(&l.list);
	}
}

/* Pages of `limit` with `labels`; checks that the remaining count is exact. Returns all objects. */
static size_t page_through(struct typed_fixture *f, const char *labels, int64_t limit,
			   size_t expected, int64_t *ret_revision)
{
	struct es_slice token = es_slice("", 0);
	size_t seen = 0;

	do {
		struct listed l;

		list_init(f, &l, "x");
		l.list.label_selector = es_slice_str(labels);
		l.list.limit = limit;
		l.list.continue_token = token;
		assert_int_equal(list_run(f, &l), 0);
		assert_true((int64_t)l.list.count <= limit);
		seen += l.list.count;
		assert_int_equal(l.list.remaining, expected - seen);
		if (*ret_revision != 0)
			assert_int_equal(l.list.result_revision, *ret_revision);
		*ret_revision = l.list.result_revision;
		token = l.list.next_token;
		es_typed_list_end(&l.list);
		/* Later pages do not see this. */
		(void)put_thing(f, "x", "p0000000-new",
				"{\"metadata\":{\"labels\":{\"odd\":\"1\"}}}");
		(void)delete_thing(f, "x", "p0000000-new");
	} while (token.len > 0);
	return seen;
}

static void pages_are_of_one_revision(void **state)
{
	enum { THINGS = 700 };
	struct typed_fixture *f = *state;
	int64_t revision = 0;
	char name[32];

	for (int i = 0; i < THINGS; i++) {
		(void)snprintf(name, sizeof(name), "p%07d", i);
		(void)put_thing(f, "x", name,
				i % 2 == 0 ? "{}" : "{\"metadata\":{\"labels\":{\"odd\":\"1\"}}}");
	}
	assert_int_equal(page_through(f, "", 150, THINGS, &revision), THINGS);
	revision = 0;
	assert_int_equal(page_through(f, "odd=1", 33, THINGS / 2, &revision), THINGS / 2);
	revision = 0;
	assert_int_equal(page_through(f, "odd=1", THINGS, THINGS / 2, &revision), THINGS / 2);
}

/* More than a slice of any kind: while it is read, others write, and one list is given up. */
static void a_long_list_takes_turns(void **state)
{
	enum { THINGS = 5000 };
	struct typed_fixture *f = *state;
	struct es_resource_op *ops = calloc(THINGS, sizeof(*ops));
	char(*names)[16] = calloc(THINGS, sizeof(*names));
	struct es_resource_command txn = {
		.kind = ES_RESOURCE_TXN, .success = ops, .success_count = 1000};
	struct listed all, some, given_up;
	struct written w;

	assert_true(ops != NULL && names != NULL);
	for (int i = 0; i < THINGS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "p%07d", i);
		ops[i] = (struct es_resource_op){
			.kind = ES_RESOURCE_OP_PUT,
			.key = thing("x", names[i]),
			.value = json_of(f, i % 5 == 0
						    ? "{\"metadata\":{\"labels\":{\"on\":\"1\"}}}"
						    : "{}")};
	}
	for (int i = 0; i < THINGS; i += 1000) {
		txn.success = ops + i;
		assert_int_equal(typed_write(f, &txn, &w), 0);
	}
	list_init(f, &all, "x");
	list_init(f, &some, "x");
	some.list.label_selector = ES_SLICE("on");
	some.list.limit = 100;
	list_init(f, &given_up, "x");
	given_up.list.label_selector = ES_SLICE("on");
	es_typed_list_begin(f->typed, &some.list);
	es_typed_list_begin(f->typed, &given_up.list);
	es_typed_list_begin(f->typed, &all.list);
	assert_false(some.done);
	assert_false(all.done);
	(void)uv_run(&f->engine->loop, UV_RUN_NOWAIT);
	assert_false(given_up.done);
	es_typed_list_end(&given_up.list);
	(void)delete_thing(f, "x", names[4995]);
	RUN_UNTIL(f->engine, some.done && all.done);
	assert_int_equal(all.list.count, THINGS);
	assert_int_equal(some.list.count, 100);
	assert_int_equal(some.list.remaining, THINGS / 5 - 100);
	assert_false(given_up.done);
	es_typed_list_end(&all.list);
	es_typed_list_end(&some.list);
	free(ops);
	free(names);
}

/* What a selector looks up counts as what has to be read. */
static void a_large_selector_takes_turns(void **state)
{
	enum { THINGS = 40 };
	struct typed_fixture *f = *state;
	struct listed l;
	char name[16];
	int turns = 0;

	for (int i = 0; i < THINGS; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		(void)put_thing(f, "x", name, "{}");
	}
	list_init(f, &l, "x");
	l.list.consistency = ES_TYPED_NOT_OLDER_THAN;
	l.list.label_selector = large_selector(f);
	es_typed_list_begin(f->typed, &l.list);
	for (; !l.done; turns++)
		(void)uv_run(&f->engine->loop, UV_RUN_NOWAIT);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.list.count, THINGS);
	assert_true(turns > 10);
	es_typed_list_end(&l.list);
}

static void a_page_ends_at_its_bytes(void **state)
{
	struct typed_fixture *f = *state;
	struct listed l;

	put_some(f);
	list_init(f, &l, NULL);
	l.list.bytes_max = 1;
	assert_int_equal(list_run(f, &l), 0);
	assert_names(&l, "d");
	assert_int_equal(l.list.remaining, 3);
	es_typed_list_end(&l.list);
}

static void tokens_of_other_lists_are_refused(void **state)
{
	struct typed_fixture *f = *state;
	struct listed first, other;

	put_some(f);
	list_init(f, &first, NULL);
	first.list.limit = 1;
	assert_int_equal(list_run(f, &first), 0);
	es_typed_list_end(&first.list);
	list_init(f, &other, "x");
	other.list.continue_token = first.list.next_token;
	assert_int_equal(list_run(f, &other), ES_EINVAL);
	assert_non_null(strstr(other.text, "continue token"));
	es_typed_list_end(&other.list);
	list_init(f, &other, NULL);
	other.list.label_selector = ES_SLICE("a=b");
	other.list.continue_token = first.list.next_token;
	assert_int_equal(list_run(f, &other), ES_EINVAL);
	es_typed_list_end(&other.list);
}

static void expired_tokens_say_so(void **state)
{
	struct typed_fixture *f = *state;
	struct listed l;

	put_some(f);
	list_init(f, &l, NULL);
	l.list.limit = 1;
	assert_int_equal(list_run(f, &l), 0);
	l.list.continue_token = l.list.next_token;
	es_typed_list_end(&l.list);
	compact_at(f, put_thing(f, "x", "e", "{}"));
	assert_int_equal(list_run(f, &l), ES_ECOMPACTED);
	assert_non_null(strstr(l.text, "too old resource version: "));
	es_typed_list_end(&l.list);
}

static void consistency_is_as_asked(void **state)
{
	struct typed_fixture *f = *state;
	int64_t first = put_thing(f, "x", "a", "{\"spec\":1}");
	int64_t second = put_thing(f, "x", "b", "{}");
	struct listed l;
	char text[128];

	list_init(f, &l, "x");
	l.list.consistency = ES_TYPED_EXACT;
	l.list.revision = first;
	assert_int_equal(list_run(f, &l), 0);
	assert_names(&l, "a");
	assert_int_equal(l.list.result_revision, first);
	es_typed_list_end(&l.list);

	l.list.consistency = ES_TYPED_NOT_OLDER_THAN;
	assert_int_equal(list_run(f, &l), 0);
	assert_names(&l, "a b");
	assert_int_equal(l.list.result_revision, second);
	es_typed_list_end(&l.list);

	/* It waits, and gives up after three seconds. */
	l.list.revision = second + 1;
	f->engine->step_ms = 10;
	assert_int_equal(list_run(f, &l), ES_EFUTURE_REV);
	(void)snprintf(text, sizeof(text), "too large resource version: %lld, current: %lld",
		       (long long)second + 1, (long long)second);
	assert_string_equal(l.text, text);
	es_typed_list_end(&l.list);
	f->engine->step_ms = 0;

	/* It waits, and the revision comes. */
	l.done = false;
	es_typed_list_begin(f->typed, &l.list);
	assert_false(l.done);
	(void)put_thing(f, "x", "c", "{}");
	RUN_UNTIL(f->engine, l.done);
	assert_int_equal(l.status, 0);
	assert_names(&l, "a b c");
	es_typed_list_end(&l.list);

	l.list.consistency = ES_TYPED_EXACT;
	l.list.revision = 0;
	assert_int_equal(list_run(f, &l), ES_EINVAL);
	es_typed_list_end(&l.list);
}

static void values_stay_while_the_list_is_held(void **state)
{
	struct typed_fixture *f = *state;
	struct es_typed_item item;
	struct listed l;
	char copy[1024];

	(void)put_thing(f, "x", "a", "{\"spec\":\"before\"}");
	list_init(f, &l, "x");
	assert_int_equal(list_run(f, &l), 0);
	item = l.list.items[0];
	assert_true(item.value.len < sizeof(copy));
	memcpy(copy, item.value.data, item.value.len);
	compact_at(f, put_thing(f, "x", "a", "{\"spec\":\"after\"}"));
	for (int i = 0; i < 100; i++)
		(void)put_thing(f, "x", "b", i % 2 == 0 ? "{\"spec\":1}" : "{\"spec\":2}");
	assert_memory_equal(item.value.data, copy, item.value.len);
	es_typed_list_end(&l.list);
}

static void one_resource(void **state)
{
	struct typed_fixture *f = *state;
	struct es_resource_key key = thing("x", "a");
	struct listed l;

	put_some(f);
	list_init(f, &l, NULL);
	l.done = false;
	es_typed_get_begin(f->typed, &l.list, &key);
	RUN_UNTIL(f->engine, l.done);
	assert_int_equal(l.status, 0);
	assert_names(&l, "a");
	es_typed_list_end(&l.list);
	key.name = ES_SLICE("nobody");
	l.done = false;
	es_typed_get_begin(f->typed, &l.list, &key);
	RUN_UNTIL(f->engine, l.done);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.list.count, 0);
	es_typed_list_end(&l.list);
}

static void the_end_answers_who_waits(void **state)
{
	struct typed_fixture *f = *state;
	struct listed waiting, given_up;

	list_init(f, &waiting, NULL);
	waiting.list.consistency = ES_TYPED_NOT_OLDER_THAN;
	waiting.list.revision = 1000;
	es_typed_list_begin(f->typed, &waiting.list);
	list_init(f, &given_up, NULL);
	given_up.list.consistency = ES_TYPED_NOT_OLDER_THAN;
	given_up.list.revision = 1000;
	es_typed_list_begin(f->typed, &given_up.list);
	es_typed_list_end(&given_up.list);
	typed_close(f);
	assert_true(waiting.done);
	assert_int_equal(waiting.status, ES_ESTOPPED);
	assert_false(given_up.done);
}

static void selectors_that_are_wrong_are_told(void **state)
{
	struct typed_fixture *f = *state;
	struct listed l;

	list_init(f, &l, NULL);
	l.list.label_selector = ES_SLICE("a in (");
	assert_int_equal(list_run(f, &l), ES_EINVAL);
	assert_non_null(strstr(l.text, "selector"));
	es_typed_list_end(&l.list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, typed_setup, typed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(scopes_and_selectors),
		TEST(pages_are_of_one_revision),
		TEST(a_long_list_takes_turns),
		TEST(a_large_selector_takes_turns),
		TEST(a_page_ends_at_its_bytes),
		TEST(tokens_of_other_lists_are_refused),
		TEST(expired_tokens_say_so),
		TEST(consistency_is_as_asked),
		TEST(values_stay_while_the_list_is_held),
		TEST(one_resource),
		TEST(selectors_that_are_wrong_are_told),
		cmocka_unit_test_setup_teardown(the_end_answers_who_waits, typed_setup,
						typed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
