#include "rules_steps.h"

#include "random_commands.h"

/* ---- vectors --------------------------------------------------------------------------------- */

static void replay_vector(const char *name)
{
	struct world w;
	struct es_slice commands, outcomes, resources, line, expected;
	struct es_buf got;
	char errmsg[512];
	unsigned n = 0;

	print_message("%s\n", name);
	commands = read_vector("current-rules/%s.jsonl", name);
	outcomes = read_vector("current-rules/%s.ops", name);
	resources = read_vector("current-rules/%s.resources.jsonl", name);
	world_open(&w);
	for (struct es_slice rest = commands; next_line(&rest, &line); n++) {
		struct es_resource_plan plan;

		assert_true(next_line(&outcomes, &expected));
		world_apply(&w, line, &plan);
		if (!es_slice_eq(es_slice_str(es_resource_outcome_name(plan.outcome)), expected))
			fail_msg("%s, command %u: %s, not %.*s (%.*s)\n%.*s", name, n + 1,
				 es_resource_outcome_name(plan.outcome), (int)expected.len,
				 (const char *)expected.data, (int)plan.reason.len,
				 (const char *)plan.reason.data, (int)line.len,
				 (const char *)line.data);
	}
	assert_true(n > 0);
	es_buf_init(&got, es_mem_default());
	world_dump(&w, &got);
	for (struct es_slice rest = es_buf_slice(&got); next_line(&rest, &line);) {
		assert_true(next_line(&resources, &expected));
		if (!es_slice_eq(line, expected)) {
			(void)snprintf(errmsg, sizeof(errmsg), "%s", name);
			fail_msg("%s:\n%.*s\nexpected\n%.*s", errmsg, (int)line.len,
				 (const char *)line.data, (int)expected.len,
				 (const char *)expected.data);
		}
	}
	assert_false(next_line(&resources, &expected));
	es_buf_close(&got);
	world_close(&w);
}

static void vectors_of_another_implementation(void **state)
{
	(void)state;
	replay_vector("01");
	replay_vector("02");
	replay_vector("03");
}

/* ---- what the vectors leave open ------------------------------------------------------------- */

#define KEY                                                                                  \
	"\"key\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Thing\",\"namespace\":\"x\"," \
	"\"name\":\"a\"}"
#define PUT(value) "{\"kind\":\"put\"," KEY ",\"value\":" value ",\"reason\":\"operator\"}"
#define MERGE(patch)                                   \
	"{\"kind\":\"patch\"," KEY ",\"patch\":" patch \
	",\"patch_type\":\"merge\",\"reason\":\"operator\"}"
#define DELETE                                                                         \
	"{\"kind\":\"delete\"," KEY ",\"reason\":\"operator\",\"deletion_timestamp\":" \
	"\"2026-01-01T00:00:00Z\"}"

static void step(struct world *w, const char *command, const char *outcome, const char *part)
{
	struct es_resource_plan plan;
	char object[2048] = "";

	world_apply(w, es_slice_str(command), &plan);
	assert_string_equal(es_resource_outcome_name(plan.outcome), outcome);
	assert_true(plan.object.len < sizeof(object));
	if (plan.object.len > 0)
		memcpy(object, plan.object.data, plan.object.len);
	if (part != NULL && strstr(object, part) == NULL)
		fail_msg("%s\nhas no %s", object, part);
	if (part == NULL)
		assert_string_equal(object, "");
}

static void finalizers_hold_an_object(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	step(&w, PUT("{\"metadata\":{\"finalizers\":[\"f\"]},\"spec\":1}"), "Created",
	     "\"generation\":1");
	step(&w, DELETE, "DeletionPending", "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"");
	step(&w, DELETE, "NoOp", "\"resourceVersion\":\"2\"");
	step(&w, MERGE("{\"spec\":2}"), "Patched", "\"generation\":2");
	step(&w, MERGE("{\"metadata\":{\"finalizers\":null}}"), "Deleted",
	     "\"resourceVersion\":\"4\"");
	step(&w, DELETE, "NoOp", NULL);
	/* A new one has another uid. */
	step(&w, PUT("{}"), "Created", "\"resourceVersion\":\"5\"");
	world_close(&w);
}

static void what_is_refused_takes_no_revision(void **state)
{
	static const struct {
		const char *command, *outcome;
	} cases[] = {
		{PUT("{\"spec\":1}"), "Unchanged"},
		{"{\"kind\":\"put\"," KEY ",\"value\":{},\"expected\":99,\"reason\":\"operator\"}",
		 "Conflict"},
		{"{\"kind\":\"delete\"," KEY ",\"expected\":99,\"reason\":\"operator\"}",
		 "Conflict"},
		{"{\"kind\":\"patch\"," KEY ",\"patch\":[{\"op\":\"test\",\"path\":\"/spec\","
		 "\"value\":2}],\"patch_type\":\"json\",\"reason\":\"operator\"}",
		 "PatchRejected"},
		{MERGE("{}"), "Unchanged"},
		{MERGE("{\"metadata\":{\"resourceVersion\":\"77\",\"generation\":12}}"),
		 "Unchanged"},
		{"{\"kind\":\"patch\"," KEY ",\"patch\":{\"apiVersion\":\"v1\",\"kind\":\"Thing\","
		 "\"spec\":2},\"patch_type\":\"apply\",\"apply\":{\"manager\":\"m\","
		 "\"force\":false,\"time\":\"2026-01-01T00:00:00Z\"},\"reason\":\"operator\"}",
		 "ApplyConflict"},
		{"{\"kind\":\"txn\",\"compares\":[],\"success\":[],\"failure\":[],"
		 "\"reason\":\"operator\"}",
		 "NoOp"},
	};
	struct world w;

	(void)state;
	world_open(&w);
	step(&w, PUT("{\"spec\":1}"), "Created", "\"resourceVersion\":\"1\"");
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_resource_plan plan;
		struct es_buf before, after;

		es_buf_init(&before, es_mem_default());
		es_buf_init(&after, es_mem_default());
		world_dump(&w, &before);
		world_apply(&w, es_slice_str(cases[i].command), &plan);
		world_dump(&w, &after);
		assert_string_equal(es_resource_outcome_name(plan.outcome), cases[i].outcome);
		assert_null(plan.txn);
		assert_int_equal(es_mvcc_revision(w.store), 1);
		assert_true(es_slice_eq(es_buf_slice(&before), es_buf_slice(&after)));
		es_buf_close(&before);
		es_buf_close(&after);
	}
	world_close(&w);
}

static void conflicts_say_why(void **state)
{
	struct es_resource_plan plan;
	struct world w;

	(void)state;
	world_open(&w);
	world_apply(&w,
		    ES_SLICE("{\"kind\":\"put\"," KEY
			     ",\"value\":{},\"expected\":9,\"reason\":\"operator\"}"),
		    &plan);
	assert_true(es_slice_eq(plan.reason, ES_SLICE("it does not exist")));
	step(&w, PUT("{}"), "Created", "\"resourceVersion\":\"1\"");
	world_apply(&w,
		    ES_SLICE("{\"kind\":\"put\"," KEY
			     ",\"value\":{},\"expected\":9,\"reason\":\"operator\"}"),
		    &plan);
	assert_true(es_slice_eq(plan.reason, ES_SLICE("its version is 1, not 9")));
	assert_int_equal(plan.mod_revision, 1);
	world_close(&w);
}

static void a_transaction_sees_its_own_changes(void **state)
{
#define TXN(ops)                                                                  \
	"{\"kind\":\"txn\",\"compares\":[],\"success\":[" ops "],\"failure\":[]," \
	"\"reason\":\"operator\"}"
#define OP_PUT(value) "{\"op\":\"put\"," KEY ",\"value\":" value "}"
#define OP_DELETE     "{\"op\":\"delete\"," KEY ",\"deletion_timestamp\":null}"
	struct es_resource_plan plan;
	struct es_mvcc_kv kv;
	struct world w;

	(void)state;
	world_open(&w);
	step(&w, TXN(OP_PUT("{\"spec\":1}") "," OP_PUT("{\"spec\":2}")), "Replaced", NULL);
	step(&w, MERGE("{\"x\":1}"), "Patched", "\"generation\":2");
	/* Identical, and still a change. */
	step(&w, TXN(OP_PUT("{\"spec\":2,\"x\":1}")), "Replaced", NULL);
	assert_int_equal(es_mvcc_revision(w.store), 3);
	/* Removed and made anew: another object. */
	step(&w, TXN(OP_DELETE "," OP_PUT("{\"spec\":3}")), "Replaced", NULL);
	world_apply(&w, ES_SLICE(MERGE("{\"y\":1}")), &plan);
	assert_int_equal(plan.create_revision, 4);
	es_mvcc_version_kv(es_mvcc_get(w.store, ES_SLICE("/engenho/resources/_/v1/Thing/x/a")),
			   &kv);
	assert_int_equal(kv.create_revision, 4);
	/* Put and removed: the end of what was there. What was not there was, for no time, and that is a change. */
	step(&w, TXN(OP_PUT("{\"spec\":9}") "," OP_DELETE), "Replaced", NULL);
	assert_null(es_mvcc_get(w.store, ES_SLICE("/engenho/resources/_/v1/Thing/x/a")));
	step(&w, TXN(OP_PUT("{\"spec\":9}") "," OP_DELETE), "Replaced", NULL);
	assert_int_equal(es_mvcc_revision(w.store), 7);
	assert_null(es_mvcc_get(w.store, ES_SLICE("/engenho/resources/_/v1/Pod/x/a")));
	es_mvcc_check(w.store);
	world_close(&w);
}

static void what_was_written_by_its_path_is_no_obstacle(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	world_put_raw(&w, "/engenho/resources/_/v1/Thing/x/a", "not json");
	step(&w, PUT("{\"spec\":1}"), "Replaced", "\"spec\":1");
	world_close(&w);
}

/* ---- details, with ' for " in the JSON ------------------------------------------------------- */

static void identity_stays(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	expect(&w, T_PUT("{'metadata':{'uid':'u','creationTimestamp':'C'}}"), ES_RESOURCE_CREATED,
	       "{'metadata':{'creationTimestamp':'C','generation':1,'resourceVersion':'1','uid':'u'"
	       "}}");
	expect(&w, T_PUT("{'metadata':{'uid':'v','creationTimestamp':'D'}}"), ES_RESOURCE_UNCHANGED,
	       "{'metadata':{'creationTimestamp':'C','generation':1,'resourceVersion':'1','uid':'u'"
	       "}}");
	expect(&w, T_PUT("{'a':1}"), ES_RESOURCE_REPLACED,
	       "{'a':1,'metadata':{'creationTimestamp':'C','generation':1,'resourceVersion':'2',"
	       "'uid':'u'}}");
	/* A patch may change it; what is no identity then is made one by the next put. */
	expect(&w, T_MERGE("{'metadata':{'uid':'w','creationTimestamp':null}}"),
	       ES_RESOURCE_PATCHED,
	       "{'a':1,'metadata':{'generation':1,'resourceVersion':'3','uid':'w'}}");
	expect(&w, T_MERGE("{'metadata':{'uid':''}}"), ES_RESOURCE_PATCHED, NULL);
	expect(&w, T_PUT("{'a':1,'metadata':{'uid':'x'}}"), ES_RESOURCE_REPLACED,
	       "{'a':1,'metadata':{'generation':1,'resourceVersion':'5','uid':'x'}}");
	expect(&w, T_MERGE("{'metadata':null}"), ES_RESOURCE_PATCHED,
	       "{'a':1,'metadata':{'generation':1,'resourceVersion':'6'}}");
	expect(&w, T_MERGE("{'metadata':null}"), ES_RESOURCE_UNCHANGED, NULL);
	world_close(&w);
}

/* Of the label and the revision of the creation, and of nothing else. */
static void a_uid_is_minted(void **state)
{
	struct es_resource_plan first, again;
	struct es_slice uid[2];
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 0; i < 2; i++) {
		struct es_json value;
		struct es_json_error error;

		plan_of(&w, T_PUT("{'metadata':{'uid':null}}"), i == 0 ? &first : &again);
		assert_int_equal(es_json_parse((i == 0 ? &first : &again)->object, 10, &w.arena,
					       &value, &error),
				 0);
		uid[i] = es_json_as_string(es_json_get(es_json_get(&value, "metadata"), "uid"));
		assert_int_equal(uid[i].len, 36);
		assert_int_equal(uid[i].data[14], '8');
		assert_non_null(memchr("89ab", uid[i].data[19], 4));
		expect(&w, T_DELETE, ES_RESOURCE_DELETED, NULL);
	}
	assert_false(es_slice_eq(uid[0], uid[1]));
	world_close(&w);
}

static void generations_count_specs(void **state)
{
	static const struct {
		const char *command;
		int generation;
	} steps[] = {
		{T_PUT("{'metadata':{'generation':9}}"), 1},
		{T_PUT("{'metadata':{'generation':9},'status':1}"), 1},
		{T_PUT("{'spec':null}"), 2},
		{T_PUT("{'spec':1}"), 3},
		{T_PUT("{'spec':1.0}"), 4},
		{T_MERGE("{'metadata':{'generation':77,'labels':{}}}"), 4},
		{T_JSON("[{'op':'replace','path':'/spec','value':{}}]"), 5},
		{T_MERGE("{'spec':null}"), 6},
	};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < ES_ARRAY_LEN(steps); i++) {
		struct es_resource_plan plan;
		char expected[40], object[400];

		plan_of(&w, steps[i].command, &plan);
		(void)snprintf(expected, sizeof(expected), "\"generation\":%d,",
			       steps[i].generation);
		(void)snprintf(object, sizeof(object), "%.*s", (int)plan.object.len,
			       (const char *)plan.object.data);
		if (strstr(object, expected) == NULL)
			fail_msg("%s: %s", steps[i].command, object);
	}
	world_close(&w);
}

/* A stored generation that is none counts as 1. */
static void odd_generations(void **state)
{
	static const char *const stored[] = {"'7'", "0", "-5", "1.5", "18446744073709551615",
					     "null"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(stored); i++) {
		char raw[100];
		struct world w;

		world_open(&w);
		(void)snprintf(raw, sizeof(raw), "{'metadata':{'generation':%s}}", stored[i]);
		for (char *c = raw; *c != '\0'; c++)
			if (*c == '\'')
				*c = '"';
		world_put_raw(&w, "/engenho/resources/g/v1/Thing/x/a", raw);
		expect(&w, T_MERGE("{'spec':1}"), ES_RESOURCE_PATCHED,
		       "{'metadata':{'generation':2,'resourceVersion':'2'},'spec':1}");
		world_close(&w);
	}
}

static void any_json_is_a_value(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	expect(&w, T_PUT("[1]"), ES_RESOURCE_CREATED, "[1]");
	expect(&w, T_PUT("[1]"), ES_RESOURCE_UNCHANGED, "[1]");
	expect(&w, T_PUT("[1.0]"), ES_RESOURCE_REPLACED, "[1.0]");
	expect(&w, T_MERGE("null"), ES_RESOURCE_PATCHED, "null");
	expect(&w, T_MERGE("null"), ES_RESOURCE_UNCHANGED, "null");
	expect(&w, T_MERGE("{'a':1}"), ES_RESOURCE_PATCHED,
	       "{'a':1,'metadata':{'generation':1,'resourceVersion':'4'}}");
	expect(&w, T_PUT("{'metadata':'m'}"), ES_RESOURCE_REPLACED, "{'metadata':'m'}");
	expect(&w, T_PUT("{'metadata':'m'}"), ES_RESOURCE_UNCHANGED, "{'metadata':'m'}");
	expect(&w, T_PUT("{'metadata':null}"), ES_RESOURCE_REPLACED, "{'metadata':null}");
	expect(&w, T_DELETE, ES_RESOURCE_DELETED, "{'metadata':null}");
	world_close(&w);
}

static void what_lets_go_of_a_deleted_object_removes_it(void **state)
{
	static const char *const last[] = {
		T_PUT("{'metadata':{'deletionTimestamp':'T','uid':'u'}}"),
		T_PUT("{'metadata':{'deletionTimestamp':'T','finalizers':[]}}"),
		T_PUT("{'metadata':{'deletionTimestamp':'T','finalizers':'f'},'spec':1}"),
		T_MERGE("{'metadata':{'finalizers':null}}"),
		T_JSON("[{'op':'remove','path':'/metadata/finalizers/0'}]"),
		"{'kind':'txn','compares':[],'success':[{'op':'put'," THING
		",'value':{'metadata':{'deletionTimestamp':'T'}}}],'failure':[]" BY,
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(last); i++) {
		struct world w;

		world_open(&w);
		expect(&w, T_PUT("{'metadata':{'finalizers':['f']}}"), ES_RESOURCE_CREATED, NULL);
		expect(&w, T_DELETE, ES_RESOURCE_DELETION_PENDING, NULL);
		expect(&w, T_PUT("{'metadata':{'finalizers':['f']}}"), ES_RESOURCE_REPLACED, NULL);
		expect(&w, "{'kind':'delete'," THING BY, ES_RESOURCE_NO_OP, NULL);
		expect(&w, T_DELETE, ES_RESOURCE_DELETION_PENDING, NULL);
		expect(&w, last[i], i == 5 ? ES_RESOURCE_REPLACED : ES_RESOURCE_DELETED, NULL);
		assert_null(es_mvcc_get(w.store, ES_SLICE("/engenho/resources/g/v1/Thing/x/a")));
		assert_int_equal(es_mvcc_revision(w.store), 5);
		world_close(&w);
	}
}

/* Made with a deletionTimestamp it is there; the next write, even of the same, removes it. */
static void what_is_made_deleted(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	expect(&w, T_PUT("{'metadata':{'deletionTimestamp':'T'}}"), ES_RESOURCE_CREATED, NULL);
	expect(&w, T_PUT("{'metadata':{'deletionTimestamp':'T'}}"), ES_RESOURCE_DELETED, NULL);
	expect(&w, T_PUT("{'metadata':{'deletionTimestamp':''}}"), ES_RESOURCE_CREATED, NULL);
	expect(&w, T_PUT("{'metadata':{'deletionTimestamp':''}}"), ES_RESOURCE_UNCHANGED, NULL);
	world_close(&w);
}

static void what_is_no_json(void **state)
{
	static const char *const patches[] = {
		T_MERGE("{}"), T_JSON("[]"),
		"{'kind':'patch'," THING ",'patch_type':'strategic','patch':{}" BY,
		"{'kind':'patch'," THING
		",'patch_type':'apply','apply':{'manager':'m'},'patch':{}" BY};
	struct es_resource_plan plan;
	struct world w;

	(void)state;
	world_open(&w);
	world_put_raw(&w, "/engenho/resources/g/v1/Thing/x/a", "{\"metadata\":");
	for (size_t i = 0; i < ES_ARRAY_LEN(patches); i++) {
		plan_of(&w, patches[i], &plan);
		assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
		assert_true(es_slice_eq(plan.reason, ES_SLICE("what is stored is no JSON")));
		assert_int_equal(plan.object.len, 0);
	}
	expect(&w, T_PUT("null"), ES_RESOURCE_REPLACED, "null");
	world_put_raw(&w, "/engenho/resources/g/v1/Thing/x/a", "");
	expect(&w, T_DELETE, ES_RESOURCE_DELETED, "");
	world_close(&w);
}

/* However it is created. */
static void pods_are_born_with_a_status(void **state)
{
#define POD "'key':{'group':'','version':'v1','kind':'Pod','namespace':'x','name':'a'}"
	static const char *const births[] = {
		"{'kind':'put'," POD ",'value':{}" BY,
		"{'kind':'txn','compares':[],'success':[{'op':'put'," POD
		",'value':{}}],'failure':[]" BY,
		"{'kind':'patch'," POD ",'patch_type':'apply','apply':{'manager':'m'},'patch':{"
		"'apiVersion':'v1','kind':'Pod','metadata':{'name':'a'}}" BY,
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(births); i++) {
		struct es_resource_plan plan;
		struct es_mvcc_kv kv;
		struct world w;
		char text[600];

		world_open(&w);
		plan_of(&w, births[i], &plan);
		es_mvcc_version_kv(
			es_mvcc_get(w.store, ES_SLICE("/engenho/resources/_/v1/Pod/x/a")), &kv);
		(void)snprintf(text, sizeof(text), "%.*s", (int)kv.value.len,
			       (const char *)kv.value.data);
		assert_non_null(strstr(text, "\"status\":{\"phase\":\"Pending\","
					     "\"qosClass\":\"BestEffort\"}"));
		world_close(&w);
	}
}

static void large_transactions(void **state)
{
	enum { OPS = 5000 };
	struct es_resource_plan plan;
	struct es_buf line;
	struct world w;

	(void)state;
	world_open(&w);
	es_buf_init(&line, es_mem_default());
	assert_int_equal(es_buf_append_str(&line, "{\"kind\":\"txn\",\"compares\":[],"
						  "\"reason\":\"operator\",\"failure\":[],"
						  "\"success\":["),
			 0);
	for (int i = 0; i < OPS; i++)
		assert_int_equal(
			es_buf_printf(
				&line,
				"%s{\"op\":\"put\",\"key\":{\"group\":\"g\",\"version\":"
				"\"v\",\"kind\":\"K\",\"name\":\"%d\"},\"value\":{\"spec\":%d}}",
				i == 0 ? "" : ",", i % 2500, i),
			0);
	assert_int_equal(es_buf_append_str(&line, "]}"), 0);
	world_apply(&w, es_buf_slice(&line), &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_REPLACED);
	assert_int_equal(es_mvcc_keys(w.store), 2500);
	assert_int_equal(es_mvcc_versions(w.store), 2500);
	assert_int_equal(es_mvcc_revision(w.store), 1);
	es_mvcc_check(w.store);
	es_buf_close(&line);
	world_close(&w);
}

/* ---- properties ------------------------------------------------------------------------------ */

/* The file of a catalog, and every version that was ever written. */
static void dump_all(struct world *w, struct es_buf *out)
{
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event events[64];
	size_t n;

	world_dump(w, out);
	do {
		n = es_mvcc_history(w->store, &cursor, INT64_MAX - 1, events, ES_ARRAY_LEN(events));
		for (size_t i = 0; i < n; i++) {
			struct es_mvcc_kv kv;

			es_mvcc_version_kv(events[i].version, &kv);
			assert_int_equal(es_buf_printf(out, "%lld.%lld %lld %.*s %.*s\n",
						       (long long)kv.mod_revision,
						       (long long)kv.sub_revision,
						       (long long)kv.version, (int)kv.key.len,
						       (const char *)kv.key.data, (int)kv.value.len,
						       (const char *)kv.value.data),
					 0);
		}
	} while (n > 0);
	es_mvcc_check(w->store);
}

/* What a caller is told is what is stored. */
static void check_plan(const struct world *w, struct es_slice line,
		       const struct es_resource_plan *plan)
{
	struct es_resource_command command;
	struct es_arena arena;
	struct es_buf path, text;
	const struct es_mvcc_version *version;
	struct es_json value;
	struct es_json_error error;
	struct es_mvcc_kv kv;
	char errmsg[100];

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&path, es_mem_default());
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_resource_command_decode(line, &arena, &command, errmsg, sizeof(errmsg)),
			 0);
	if (command.kind == ES_RESOURCE_TXN) {
		assert_int_equal(plan->object.len, 0);
		goto out;
	}
	assert_int_equal(es_resource_path(&path, &command.key), 0);
	version = es_mvcc_get(w->store, es_buf_slice(&path));
	if (version == NULL) {
		assert_int_equal(plan->object.len > 0, plan->outcome == ES_RESOURCE_DELETED);
		assert_true(plan->object.len == 0 ||
			    plan->mod_revision == es_mvcc_revision(w->store));
		goto out;
	}
	es_mvcc_version_kv(version, &kv);
	assert_true(es_slice_eq(plan->object, kv.value));
	assert_int_equal(plan->mod_revision, kv.mod_revision);
	assert_int_equal(plan->create_revision, kv.create_revision);
	assert_int_equal(es_json_parse(kv.value, ES_JSON_DEPTH_MAX, &arena, &value, &error), 0);
	assert_int_equal(es_json_write(&text, &value), 0);
	assert_true(es_slice_eq(es_buf_slice(&text), kv.value));
	if (plan->txn != NULL && es_json_is(es_json_get(&value, "metadata"), ES_JSON_OBJECT)) {
		const struct es_json *stamped = es_json_get(es_json_get(&value, "metadata"),
							    "resourceVersion");

		text.len = 0;
		assert_int_equal(es_buf_printf(&text, "%lld", (long long)kv.mod_revision), 0);
		assert_true(es_slice_eq(es_json_as_string(stamped), es_buf_slice(&text)));
	}
out:
	es_buf_close(&path);
	es_buf_close(&text);
	es_arena_close(&arena);
}

static void check_change(const struct es_resource_plan *plan, int64_t before, int64_t after)
{
	switch (plan->outcome) {
	case ES_RESOURCE_CONFLICT:
	case ES_RESOURCE_UNCHANGED:
	case ES_RESOURCE_PATCH_REJECTED:
	case ES_RESOURCE_APPLY_CONFLICT:
	case ES_RESOURCE_NO_OP:
		assert_null(plan->txn);
		assert_int_equal(after, before);
		break;
	default: assert_int_equal(after, before + 1);
	}
}

/* The line as a log entry has it. */
static void encode_again(struct es_slice line, struct es_buf *out)
{
	struct es_resource_command command;
	struct es_arena arena;
	char errmsg[100];

	es_arena_init(&arena, es_mem_default(), 4096);
	assert_int_equal(es_resource_command_decode(line, &arena, &command, errmsg, sizeof(errmsg)),
			 0);
	out->len = 0;
	assert_int_equal(es_resource_command_encode(out, &command), 0);
	es_arena_close(&arena);
}

/* One replica applies the lines, another what the log holds of them; a third all of it in the end. */
static void replay_seed(uint64_t seed, unsigned *counts)
{
	enum { COMMANDS = 2000 };
	struct random_commands commands = {.v0 = false};
	struct world w[3];
	struct es_buf log, line, again, dumps[3];
	struct es_slice rest, next;
	struct es_resource_plan plan, other;

	es_buf_init(&log, es_mem_default());
	es_buf_init(&line, es_mem_default());
	es_buf_init(&again, es_mem_default());
	for (int i = 0; i < 3; i++) {
		world_open(&w[i]);
		es_buf_init(&dumps[i], es_mem_default());
	}
	es_rng_init(&commands.rng, seed);
	commands.store = w[0].store;
	for (int n = 0; n < COMMANDS; n++) {
		int64_t before = es_mvcc_revision(w[0].store);

		line.len = 0;
		random_command(&commands, &line);
		world_apply(&w[0], es_buf_slice(&line), &plan);
		counts[plan.outcome]++;
		check_change(&plan, before, es_mvcc_revision(w[0].store));
		check_plan(&w[0], es_buf_slice(&line), &plan);
		encode_again(es_buf_slice(&line), &again);
		world_apply(&w[1], es_buf_slice(&again), &other);
		assert_int_equal(plan.outcome, other.outcome);
		assert_true(es_slice_eq(plan.object, other.object));
		assert_true(es_slice_eq(plan.reason, other.reason));
		assert_int_equal(es_buf_append_slice(&log, es_buf_slice(&line)), 0);
		assert_int_equal(es_buf_append_u8(&log, '\n'), 0);
		es_arena_reset(&w[0].arena);
		es_arena_reset(&w[1].arena);
	}
	for (rest = es_buf_slice(&log); next_line(&rest, &next);)
		world_apply(&w[2], next, &plan);
	for (int i = 0; i < 3; i++) {
		dump_all(&w[i], &dumps[i]);
		assert_true(es_slice_eq(es_buf_slice(&dumps[i]), es_buf_slice(&dumps[0])));
	}
	for (int i = 0; i < 3; i++) {
		es_buf_close(&dumps[i]);
		world_close(&w[i]);
	}
	es_buf_close(&log);
	es_buf_close(&line);
	es_buf_close(&again);
}

static void equal_logs_give_equal_bytes(void **state)
{
	unsigned counts[ES_RESOURCE_APPLY_CONFLICT + 1] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		print_message("seed %u\n", (unsigned)seed);
		replay_seed(seed, counts);
	}
	for (size_t i = 0; i < ES_ARRAY_LEN(counts); i++) {
		print_message("%s: %u\n", es_resource_outcome_name((enum es_resource_outcome)i),
			      counts[i]);
		assert_true(counts[i] > 20);
	}
}

static void memory_that_is_missing_changes_nothing(void **state)
{
	struct random_commands commands = {.v0 = false};
	struct es_buf line;
	struct world w;
	uint64_t failures = 0;

	(void)state;
	es_rng_init(&commands.rng, 7);
	world_open(&w);
	commands.store = w.store;
	es_buf_init(&line, es_mem_default());
	for (int n = 0; n < 300; n++) {
		struct es_resource_plan plan;

		line.len = 0;
		random_command(&commands, &line);
		for (uint64_t at = 0;; at++) {
			struct es_resource_command command;
			struct es_fault_mem fault;
			struct es_arena arena;
			char errmsg[256];
			int rc;

			es_fault_mem_init(&fault, at);
			es_arena_init(&arena, &fault.mem, 64);
			rc = es_resource_command_decode(es_buf_slice(&line), &arena, &command,
							errmsg, sizeof(errmsg));
			if (rc == 0)
				rc = es_resource_plan(w.store, &command, &arena, &plan);
			es_arena_close(&arena);
			assert_int_equal(fault.live, 0);
			if (!fault.fired)
				break;
			assert_int_equal(rc, ES_ENOMEM);
			failures++;
		}
		world_apply(&w, es_buf_slice(&line), &plan);
	}
	assert_true(failures > 1000);
	es_buf_close(&line);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_another_implementation),
		cmocka_unit_test(finalizers_hold_an_object),
		cmocka_unit_test(what_is_refused_takes_no_revision),
		cmocka_unit_test(conflicts_say_why),
		cmocka_unit_test(a_transaction_sees_its_own_changes),
		cmocka_unit_test(what_was_written_by_its_path_is_no_obstacle),
		cmocka_unit_test(identity_stays),
		cmocka_unit_test(a_uid_is_minted),
		cmocka_unit_test(generations_count_specs),
		cmocka_unit_test(odd_generations),
		cmocka_unit_test(any_json_is_a_value),
		cmocka_unit_test(what_lets_go_of_a_deleted_object_removes_it),
		cmocka_unit_test(what_is_made_deleted),
		cmocka_unit_test(what_is_no_json),
		cmocka_unit_test(pods_are_born_with_a_status),
		cmocka_unit_test(large_transactions),
		cmocka_unit_test(equal_logs_give_equal_bytes),
		cmocka_unit_test(memory_that_is_missing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
