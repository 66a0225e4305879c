#include "rules_support.h"

#include "random_commands.h"

static void replay_vector(const char *name)
{
	struct es_slice commands = read_vector("catalog-v1/%s.jsonl", name);
	struct es_slice outcomes = read_vector("catalog-v1/%s.ops", name);
	struct es_slice snapshot = read_vector("catalog-v1/%s.snap", name);
	struct es_slice line, expected = es_slice(NULL, 0);
	struct world w;
	struct es_buf file;
	char errmsg[512];

	print_message("%s\n", name);
	world_open(&w);
	w.v0 = true;
	while (next_line(&commands, &line)) {
		struct es_resource_plan plan;

		assert_true(next_line(&outcomes, &expected));
		world_apply(&w, line, &plan);
		assert_true(es_slice_eq(es_slice_str(es_resource_outcome_name(plan.outcome)),
					expected));
	}
	es_buf_init(&file, es_mem_default());
	assert_int_equal(es_catalog_write_store(w.store, w.index == 0 ? 0 : 1, w.index, &file,
						errmsg, sizeof(errmsg)),
			 ES_CATALOG_OK);
	assert_int_equal(file.len, snapshot.len);
	assert_memory_equal(file.data, snapshot.data, snapshot.len);
	es_buf_close(&file);
	world_close(&w);
}

static void vectors_to_the_byte(void **state)
{
	(void)state;
	replay_vector("00-hand");
	replay_vector("01-small");
	replay_vector("02-mixed");
	replay_vector("03-long");
	replay_vector("04-empty");
}

static void expect(struct world *w, const char *command, const char *outcome, const char *object)
{
	struct es_resource_plan plan;

	world_apply(w, es_slice_str(command), &plan);
	assert_string_equal(es_resource_outcome_name(plan.outcome), outcome);
	if (!es_slice_eq(plan.object, es_slice_str(object)))
		fail_msg("%.*s", (int)plan.object.len, (const char *)plan.object.data);
}

#define KEY "\"key\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\",\"name\":\"a\"}"

/* What later rules look at is passed over; every put and patch is a change. */
static void nothing_of_later_rules(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	w.v0 = true;
	w.index = 40;
	expect(&w,
	       "{\"kind\":\"put\"," KEY ",\"value\":{\"metadata\":{\"finalizers\":[\"f\"],"
	       "\"generation\":5}},\"expected\":99,\"reason\":\"operator\"}",
	       "Created",
	       "{\"metadata\":{\"finalizers\":[\"f\"],\"generation\":5,"
	       "\"resourceVersion\":\"41\",\"uid\":\"uid-v1-v1-Pod-a-41\"}}");
	expect(&w, "{\"kind\":\"put\"," KEY ",\"value\":{},\"reason\":\"operator\"}", "Replaced",
	       "{\"metadata\":{\"resourceVersion\":\"42\",\"uid\":\"uid-v1-v1-Pod-a-41\"}}");
	expect(&w, "{\"kind\":\"put\"," KEY ",\"value\":{},\"reason\":\"operator\"}", "Replaced",
	       "{\"metadata\":{\"resourceVersion\":\"43\",\"uid\":\"uid-v1-v1-Pod-a-41\"}}");
	expect(&w,
	       "{\"kind\":\"patch\"," KEY ",\"patch\":[],\"patch_type\":\"json\","
	       "\"reason\":\"operator\"}",
	       "Patched", "[]");
	expect(&w, "{\"kind\":\"patch\"," KEY ",\"patch\":{\"a\":1},\"reason\":\"operator\"}",
	       "Patched", "{\"a\":1,\"metadata\":{\"resourceVersion\":\"45\"}}");
	expect(&w, "{\"kind\":\"delete\"," KEY ",\"reason\":\"operator\"}", "Deleted",
	       "{\"a\":1,\"metadata\":{\"resourceVersion\":\"45\"}}");
	expect(&w, "{\"kind\":\"delete\"," KEY ",\"reason\":\"operator\"}", "NoOp", "");
	world_close(&w);
}

static void no_transactions(void **state)
{
	const struct es_resource_command txn = {.kind = ES_RESOURCE_TXN};
	struct es_resource_plan plan;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(es_resource_plan_v0(w.store, &txn, 1, &w.arena, &plan), ES_EINVAL);
	world_close(&w);
}

static void catalog_of(struct world *w, struct es_buf *file)
{
	char errmsg[200];

	assert_int_equal(
		es_catalog_write_store(w->store, 1, w->index, file, errmsg, sizeof(errmsg)),
		ES_CATALOG_OK);
}

/* Equal logs give equal files. */
static void random_logs(void **state)
{
	struct random_commands commands = {.v0 = true};
	struct es_buf line, files[2];
	struct world w[2];

	(void)state;
	es_rng_init(&commands.rng, 1);
	es_buf_init(&line, es_mem_default());
	for (int i = 0; i < 2; i++) {
		world_open(&w[i]);
		w[i].v0 = true;
		es_buf_init(&files[i], es_mem_default());
	}
	for (int n = 0; n < 3000; n++) {
		struct es_resource_plan plan;

		line.len = 0;
		random_command(&commands, &line);
		for (int i = 0; i < 2; i++)
			world_apply(&w[i], es_buf_slice(&line), &plan);
		assert_int_equal(plan.txn == NULL, plan.outcome == ES_RESOURCE_NO_OP);
	}
	for (int i = 0; i < 2; i++)
		catalog_of(&w[i], &files[i]);
	assert_true(files[0].len > 2000);
	assert_true(es_slice_eq(es_buf_slice(&files[0]), es_buf_slice(&files[1])));
	for (int i = 0; i < 2; i++) {
		world_close(&w[i]);
		es_buf_close(&files[i]);
	}
	es_buf_close(&line);
}

static void memory_runs_out(void **state)
{
	struct random_commands commands = {.v0 = true};
	struct es_buf line;
	struct world w;

	(void)state;
	es_rng_init(&commands.rng, 2);
	es_buf_init(&line, es_mem_default());
	world_open(&w);
	w.v0 = true;
	for (int n = 0; n < 200; n++) {
		struct es_resource_plan plan;

		line.len = 0;
		random_command(&commands, &line);
		for (uint64_t at = 0;; at++) {
			struct es_resource_command command;
			struct es_fault_mem fault;
			struct es_arena arena;
			char errmsg[200];
			int rc;

			es_fault_mem_init(&fault, at);
			es_arena_init(&arena, &fault.mem, 64);
			rc = es_resource_command_decode_v0(es_buf_slice(&line), &arena, &command,
							   errmsg, sizeof(errmsg));
			if (rc == 0)
				rc = es_resource_plan_v0(w.store, &command, 1, &arena, &plan);
			assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
			es_arena_close(&arena);
			assert_int_equal(fault.live, 0);
			if (!fault.fired)
				break;
		}
		world_apply(&w, es_buf_slice(&line), &plan);
	}
	es_buf_close(&line);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_to_the_byte), cmocka_unit_test(nothing_of_later_rules),
		cmocka_unit_test(no_transactions),     cmocka_unit_test(random_logs),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
