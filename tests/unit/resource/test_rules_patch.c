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
	assert_true(es_slice_eq(plan.reason, ES_SLICE("the field manager is required for apply")));
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
	/* Twice as much is too much; what was there already may stay. */
	for (int mib = 1; mib <= 5; mib += 4) {
		line.len = 0;
		assert_int_equal(es_buf_append_str(&line,
						   "{\"kind\":\"put\",\"key\":{\"group\":\"g\","
						   "\"version\":\"v1\",\"kind\":\"Thing\","
						   "\"namespace\":\"x\",\"name\":\"a\"},"
						   "\"reason\":\"operator\",\"value\":{\"a\":\""),
				 0);
		for (int i = 0; i < mib << 20; i++)
			assert_int_equal(es_buf_append_u8(&line, 'a'), 0);
		assert_int_equal(es_buf_append_str(&line, "\"}}"), 0);
		world_apply(&w, es_buf_slice(&line), &plan);
		assert_int_equal(plan.outcome, ES_RESOURCE_REPLACED);
		plan_of(&w, T_JSON("[{'op':'copy','from':'/a','path':'/b'}]"), &plan);
		assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
		assert_true(mib > 1 || memcmp(plan.reason.data, "the result has 2", 16) == 0);
		plan_of(&w, T_JSON("[{'op':'move','from':'/a','path':'/b'}]"), &plan);
		assert_int_equal(plan.outcome, ES_RESOURCE_PATCHED);
	}
	es_buf_close(&line);
	world_close(&w);
}

/* A writer that does not speak of owners leaves them alone. */
static void a_put_leaves_the_owners(void **state)
{
#define APPLY(config)                                                       \
	"{'kind':'patch'," THING                                            \
	",'patch_type':'apply','apply':{'manager':'m','time':'T'},'patch':" \
	"{'apiVersion':'g/v1','kind':'Thing','metadata':{'uid':'u'}," config "}" BY
#define OWNERS                                                    \
	"'managedFields':[{'apiVersion':'g/"                      \
	"v1','fieldsType':'FieldsV1','fieldsV1':{'f:x':{},'f:y':" \
	"{}},'manager':'m','operation':'Apply','time':'T'}]"
#define WIDGET(metadata, fields)                                                            \
	"{'apiVersion':'g/v1','kind':'Thing','metadata':{'generation':1," metadata "'uid':" \
	"'u'}," fields "}"
	static const char *const silent[] = {"{}", "{'managedFields':null}"};
	struct world w;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(silent); i++) {
		char line[300];

		world_open(&w);
		expect(&w, APPLY("'x':1,'y':2"), ES_RESOURCE_CREATED,
		       WIDGET(OWNERS ",'resourceVersion':'1',", "'x':1,'y':2"));
		(void)snprintf(
			line, sizeof(line),
			T_PUT("{'x':1,'y':2,'apiVersion':'g/v1','kind':'Thing','metadata':%s}"),
			silent[i]);
		expect(&w, line, ES_RESOURCE_UNCHANGED,
		       WIDGET(OWNERS ",'resourceVersion':'1',", "'x':1,'y':2"));
		(void)snprintf(
			line, sizeof(line),
			T_PUT("{'x':3,'y':2,'apiVersion':'g/v1','kind':'Thing','metadata':%s}"),
			silent[i]);
		expect(&w, line, ES_RESOURCE_REPLACED,
		       WIDGET(OWNERS ",'resourceVersion':'2',", "'x':3,'y':2"));
		/* So what is no longer applied is removed. */
		expect(&w, APPLY("'y':2"), ES_RESOURCE_PATCHED,
		       "{'apiVersion':'g/v1','kind':'Thing','metadata':{'generation':1,"
		       "'managedFields':[{'apiVersion':'g/v1','fieldsType':'FieldsV1','fieldsV1':"
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

/* What it says of its name and type is what its key says, or its catalog could not be read in again. */
static void a_patch_does_not_contradict_the_key(void **state)
{
	static const struct {
		const char *patch, *reason;
	} cases[] = {
		{T_MERGE("{'metadata':{'name':'b'}}"),
		 "metadata.name is \"b\", the key says \"a\""},
		{T_MERGE("{'metadata':{'namespace':'y'}}"),
		 "metadata.namespace is \"y\", the key says \"x\""},
		{T_MERGE("{'kind':['Thing']}"), "kind is of type array"},
		{T_JSON("[{'op':'add','path':'/apiVersion','value':'v1'}]"),
		 "apiVersion is \"v1\", the key says \"g/v1\""},
		{"{'kind':'patch'," THING ",'patch_type':'strategic','patch':{'kind':'Other'}" BY,
		 "kind is \"Other\", the key says \"Thing\""},
		{"{'kind':'patch'," THING ",'patch_type':'apply','apply':{'manager':'m'},'patch':{"
		 "'apiVersion':'v1','kind':'Thing'}" BY,
		 "apiVersion is \"v1\", the key says \"g/v1\""},
	};
	struct es_resource_plan plan;
	struct world w;

	(void)state;
	world_open(&w);
	/* An apply creates; the others need something to patch. */
	plan_of(&w, cases[5].patch, &plan);
	assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
	expect(&w, T_PUT("{}"), ES_RESOURCE_CREATED, NULL);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		plan_of(&w, cases[i].patch, &plan);
		assert_int_equal(plan.outcome, ES_RESOURCE_PATCH_REJECTED);
		assert_true(es_slice_eq(plan.reason, es_slice_str(cases[i].reason)));
	}
	expect(&w,
	       T_MERGE("{'apiVersion':'g/v1','kind':'Thing','metadata':{'name':'a','namespace':'x'}"
		       "}"),
	       ES_RESOURCE_PATCHED, NULL);
	expect(&w, T_MERGE("{'kind':null,'metadata':{'name':''}}"), ES_RESOURCE_PATCHED, NULL);
	/* What does not agree already, as a put of a log may have it, is no obstacle. */
	expect(&w, T_PUT("{'kind':'Other'}"), ES_RESOURCE_REPLACED, NULL);
	expect(&w, T_MERGE("{'spec':1}"), ES_RESOURCE_PATCHED, NULL);
	expect(&w, T_MERGE("{'kind':'Another'}"), ES_RESOURCE_PATCHED, NULL);
	expect(&w, T_MERGE("{'apiVersion':'v2'}"), ES_RESOURCE_PATCH_REJECTED, NULL);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patches_are_bounded),
		cmocka_unit_test(a_put_leaves_the_owners),
		cmocka_unit_test(a_patch_does_not_contradict_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
