#include "rules_support.h"

static void replay_vector(const char *name)
{
	struct es_slice commands = read_vector("catalog-v1/%s.jsonl", name);
	struct es_slice outcomes = read_vector("catalog-v1/%s.ops", name);
	struct es_slice snapshot = read_vector("catalog-v1/%s.snap", name);
	struct es_slice line, expected;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_to_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
