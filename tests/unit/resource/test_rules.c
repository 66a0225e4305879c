#include "rules_support.h"

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

/* ---- properties ------------------------------------------------------------------------------ */

/* Equal logs give equal bytes on three replicas, and replaying all of it gives what going on gave. */
static void replicas_are_equal(void **state)
{
	enum { REPLICAS = 3, COMMANDS = 3000 };
	struct es_rng rng;
	struct es_buf line, dumps[REPLICAS];
	struct world w[REPLICAS];

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		es_rng_init(&rng, seed);
		es_buf_init(&line, es_mem_default());
		for (int i = 0; i < REPLICAS; i++)
			world_open(&w[i]);
		for (int n = 0; n < COMMANDS; n++) {
			struct es_resource_plan plans[REPLICAS];
			int64_t before = es_mvcc_revision(w[0].store);

			line.len = 0;
			random_command(&rng, before, &line);
			for (int i = 0; i < REPLICAS; i++) {
				world_apply(&w[i], es_buf_slice(&line), &plans[i]);
				assert_int_equal(plans[i].outcome, plans[0].outcome);
				assert_true(es_slice_eq(plans[i].object, plans[0].object));
				assert_true(es_slice_eq(plans[i].reason, plans[0].reason));
			}
			switch (plans[0].outcome) {
			case ES_RESOURCE_CONFLICT:
			case ES_RESOURCE_UNCHANGED:
			case ES_RESOURCE_PATCH_REJECTED:
			case ES_RESOURCE_APPLY_CONFLICT:
			case ES_RESOURCE_NO_OP:
				assert_int_equal(es_mvcc_revision(w[0].store), before);
				break;
			default: assert_int_equal(es_mvcc_revision(w[0].store), before + 1);
			}
		}
		for (int i = 0; i < REPLICAS; i++) {
			es_buf_init(&dumps[i], es_mem_default());
			world_dump(&w[i], &dumps[i]);
			assert_true(dumps[i].len > 0);
			assert_true(es_slice_eq(es_buf_slice(&dumps[i]), es_buf_slice(&dumps[0])));
		}
		for (int i = 0; i < REPLICAS; i++) {
			es_buf_close(&dumps[i]);
			world_close(&w[i]);
		}
		es_buf_close(&line);
	}
}

static void memory_that_is_missing_changes_nothing(void **state)
{
	struct es_buf before, after, line;
	struct es_rng rng;
	struct world w;
	uint64_t failures = 0;

	(void)state;
	es_rng_init(&rng, 7);
	world_open(&w);
	es_buf_init(&line, es_mem_default());
	es_buf_init(&before, es_mem_default());
	es_buf_init(&after, es_mem_default());
	for (int n = 0; n < 60; n++) {
		struct es_resource_plan plan;

		line.len = 0;
		random_command(&rng, es_mvcc_revision(w.store), &line);
		before.len = 0;
		world_dump(&w, &before);
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
		after.len = 0;
		world_dump(&w, &after);
		assert_true(es_slice_eq(es_buf_slice(&before), es_buf_slice(&after)));
		world_apply(&w, es_buf_slice(&line), &plan);
	}
	assert_true(failures > 100);
	es_buf_close(&line);
	es_buf_close(&before);
	es_buf_close(&after);
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
		cmocka_unit_test(replicas_are_equal),
		cmocka_unit_test(memory_that_is_missing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
