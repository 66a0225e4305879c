#include "rules_steps.h"

static void patches_are_bounded(void **state)
{
	struct es_resource_plan plan;
	struct world w;
	struct es_buf line;

	(void)state;
	world_open(&w);
	es_buf_init(&line, es_mem_default());
	expect(&w, T_PUT("{'spec':1}"), ES_RESOURCE_CREATED, NULL);
	plan_of(&w, "{'kind':'patch'," THING ",'patch_type':'apply','patch':{}" BY, &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
	assert_true(es_slice_eq(plan.reason, ES_SLICE("server-side apply needs a field manager")));
	for (int depth = ES_RESOURCE_DEPTH_MAX; depth < ES_RESOURCE_DEPTH_MAX + 2; depth++) {
		static const char head[] =
			"{\"kind\":\"patch\",\"key\":{\"group\":\"g\",\"version\":\"v1\","
			"\"kind\":\"Thing\",\"namespace\":\"x\",\"name\":\"a\"},"
			"\"reason\":\"operator\",\"patch\":";

		line.len = 0;
		assert_int_equal(es_buf_append_str(&line, head), 0);
		for (int i = 0; i < depth; i++)
			assert_int_equal(es_buf_append_u8(&line, '['), 0);
		for (int i = 0; i < depth; i++)
			assert_int_equal(es_buf_append_u8(&line, ']'), 0);
		assert_int_equal(es_buf_append_u8(&line, '}'), 0);
		world_apply(&w, es_buf_slice(&line), &plan);
		assert_int_equal(plan.outcome, depth == ES_RESOURCE_DEPTH_MAX
						       ? ES_RESOURCE_PATCHED
						       : ES_RESOURCE_PATCH_REJECTED);
	}
	/* 5 MiB twice. */
	line.len = 0;
	assert_int_equal(es_buf_append_str(&line, "{\"kind\":\"put\",\"key\":{\"group\":\"g\","
						  "\"version\":\"v1\",\"kind\":\"Thing\","
						  "\"namespace\":\"x\",\"name\":\"a\"},"
						  "\"reason\":\"operator\",\"value\":{\"a\":\""),
			 0);
	for (int i = 0; i < 5 << 20; i++)
		assert_int_equal(es_buf_append_u8(&line, 'a'), 0);
	assert_int_equal(es_buf_append_str(&line, "\"}}"), 0);
	world_apply(&w, es_buf_slice(&line), &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_REPLACED);
	plan_of(&w, T_JSON("[{'op':'copy','from':'/a','path':'/b'}]"), &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
	assert_true(plan.reason.len > 20 && memcmp(plan.reason.data, "the result has 1", 16) == 0);
	plan_of(&w, T_JSON("[{'op':'move','from':'/a','path':'/b'}]"), &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_PATCHED);
	es_buf_close(&line);
	world_close(&w);
}

/* A writer that does not speak of owners leaves them alone. */
static void a_put_leaves_the_owners(void **state)
{
#define APPLY(config)                                                       \
	"{'kind':'patch'," THING                                            \
	",'patch_type':'apply','apply':{'manager':'m','time':'T'},'patch':" \
	"{'apiVersion':'v','kind':'W','metadata':{'uid':'u'}," config "}" BY
#define OWNERS                                                                                   \
	"'managedFields':[{'apiVersion':'v','fieldsType':'FieldsV1','fieldsV1':{'f:x':{},'f:y':" \
	"{}},'manager':'m','operation':'Apply','time':'T'}]"
#define WIDGET(metadata, fields)                                                     \
	"{'apiVersion':'v','kind':'W','metadata':{'generation':1," metadata "'uid':" \
	"'u'}," fields "}"
	static const char *const silent[] = {"{}", "{'managedFields':null}"};
	struct world w;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(silent); i++) {
		char line[300];

		world_open(&w);
		expect(&w, APPLY("'x':1,'y':2"), ES_RESOURCE_CREATED,
		       WIDGET(OWNERS ",'resourceVersion':'1',", "'x':1,'y':2"));
		(void)snprintf(line, sizeof(line),
			       T_PUT("{'x':1,'y':2,'apiVersion':'v','kind':'W','metadata':%s}"),
			       silent[i]);
		expect(&w, line, ES_RESOURCE_UNCHANGED,
		       WIDGET(OWNERS ",'resourceVersion':'1',", "'x':1,'y':2"));
		(void)snprintf(line, sizeof(line),
			       T_PUT("{'x':3,'y':2,'apiVersion':'v','kind':'W','metadata':%s}"),
			       silent[i]);
		expect(&w, line, ES_RESOURCE_REPLACED,
		       WIDGET(OWNERS ",'resourceVersion':'2',", "'x':3,'y':2"));
		/* So what is no longer applied is removed. */
		expect(&w, APPLY("'y':2"), ES_RESOURCE_PATCHED,
		       "{'apiVersion':'v','kind':'W','metadata':{'generation':1,"
		       "'managedFields':[{'apiVersion':'v','fieldsType':'FieldsV1','fieldsV1':"
		       "{'f:y':{}},'manager':'m','operation':'Apply','time':'T'}],"
		       "'resourceVersion':'3','uid':'u'},'y':2}");
		world_close(&w);
	}
	world_open(&w);
	expect(&w, APPLY("'x':1,'y':2"), ES_RESOURCE_CREATED, NULL);
	/* A new resource has the owners that it says. */
	expect(&w, T_DELETE, ES_RESOURCE_DELETED, NULL);
	expect(&w, T_PUT("{'metadata':{'uid':'u'}}"), ES_RESOURCE_CREATED,
	       "{'metadata':{'generation':1,'resourceVersion':'3','uid':'u'}}");
	expect(&w, T_DELETE, ES_RESOURCE_DELETED, NULL);
	/* An empty list means nobody. */
	expect(&w, APPLY("'x':1,'y':2"), ES_RESOURCE_CREATED, NULL);
	expect(&w, T_PUT("{'metadata':{'managedFields':[]}}"), ES_RESOURCE_REPLACED,
	       "{'metadata':{'generation':1,'managedFields':[],'resourceVersion':'6','uid':'u'}}");
	expect(&w, T_PUT("{'metadata':null}"), ES_RESOURCE_REPLACED, "{'metadata':null}");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patches_are_bounded),
		cmocka_unit_test(a_put_leaves_the_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
