#include "json_support.h"

#include "resource/rules.h"

#define NOW ES_SLICE("2026-01-02T03:04:05Z")

static const struct es_resource_key deployment = {
	.group = {(const uint8_t *)"apps", 4},
	.version = {(const uint8_t *)"v1", 2},
	.kind = {(const uint8_t *)"Deployment", 10},
	.has_ns = true,
	.ns = {(const uint8_t *)"x", 1},
	.name = {(const uint8_t *)"d", 1},
};
static const struct es_resource_key node = {
	.version = {(const uint8_t *)"v1", 2},
	.kind = {(const uint8_t *)"Node", 4},
	.name = {(const uint8_t *)"n", 1},
};

struct example {
	const struct es_resource_key *key;
	const char *value, *result; /* `result` begins with "!": the reason of a refusal */
};

static void run_examples(const struct example *examples, size_t count)
{
	struct es_arena arena;

	es_arena_init(&arena, es_mem_default(), 4096);
	for (size_t i = 0; i < count; i++) {
		struct es_json value = json(&arena, examples[i].value), result;
		char errmsg[200] = "";
		int rc = es_resource_fill_in(examples[i].key, &value, NOW, &arena, &result, errmsg,
					     sizeof(errmsg));

		if (examples[i].result[0] == '!') {
			assert_string_equal(errmsg, examples[i].result + 1);
			assert_int_equal(rc, ES_EINVAL);
		} else {
			assert_string_equal(errmsg, "");
			assert_int_equal(rc, 0);
			assert_json(&result, examples[i].result);
		}
	}
	es_arena_close(&arena);
}

#define FILLED                                                    \
	"{'apiVersion':'apps/v1','kind':'Deployment','metadata':" \
	"{'creationTimestamp':'2026-01-02T03:04:05Z','name':'d','namespace':'x'}}"

static void a_create_is_filled_in(void **state)
{
	static const struct example examples[] = {
		{&deployment, "{}", FILLED},
		{&deployment, "{'metadata':null,'kind':null}", FILLED},
		{&deployment, "{'metadata':{'name':'','creationTimestamp':null}}", FILLED},
		{&deployment, FILLED, FILLED},
		{&deployment,
		 "{'a':1,'metadata':{'creationTimestamp':'2020','labels':{},'uid':'u'},'z':2}",
		 "{'a':1,'apiVersion':'apps/v1','kind':'Deployment','metadata':{"
		 "'creationTimestamp':'2020','labels':{},'name':'d','namespace':'x','uid':'u'},"
		 "'z':2}"},
		{&node, "{'metadata':{'namespace':''}}",
		 "{'apiVersion':'v1','kind':'Node','metadata':{"
		 "'creationTimestamp':'2026-01-02T03:04:05Z','name':'n','namespace':''}}"},
	};

	(void)state;
	run_examples(examples, ES_ARRAY_LEN(examples));
}

static void nothing_else_is(void **state)
{
	static const struct example examples[] = {
		{&deployment, "[1]", "[1]"},
		{&deployment, "null", "null"},
		{&deployment, "'x'", "'x'"},
	};

	(void)state;
	run_examples(examples, ES_ARRAY_LEN(examples));
}

static void contradictions_are_told(void **state)
{
	static const struct example examples[] = {
		{&deployment, "{'metadata':{'name':'e'}}",
		 "!metadata.name is \"e\", the key says \"d\""},
		{&deployment, "{'metadata':{'namespace':'y'}}",
		 "!metadata.namespace is \"y\", the key says \"x\""},
		{&node, "{'metadata':{'namespace':'y'}}",
		 "!metadata.namespace is \"y\", the key has none"},
		{&deployment, "{'kind':'deployment'}",
		 "!kind is \"deployment\", the key says \"Deployment\""},
		{&deployment, "{'apiVersion':'v1'}",
		 "!apiVersion is \"v1\", the key says \"apps/v1\""},
		{&node, "{'apiVersion':'/v1'}", "!apiVersion is \"/v1\", the key says \"v1\""},
		{&deployment, "{'kind':7}", "!kind is of type number"},
		{&deployment, "{'metadata':{'name':{}}}", "!metadata.name is of type object"},
		{&deployment, "{'metadata':[]}", "!metadata is of type array"},
	};

	(void)state;
	run_examples(examples, ES_ARRAY_LEN(examples));
}

static void what_no_catalog_could_hold_is_refused(void **state)
{
	struct es_arena arena;
	struct es_json value, result;
	char errmsg[100] = "";

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	value = nested(&arena, ES_RESOURCE_DEPTH_MAX);
	assert_int_equal(
		es_resource_fill_in(&node, &value, NOW, &arena, &result, errmsg, sizeof(errmsg)),
		0);
	value = nested(&arena, ES_RESOURCE_DEPTH_MAX + 1);
	assert_int_equal(
		es_resource_fill_in(&node, &value, NOW, &arena, &result, errmsg, sizeof(errmsg)),
		ES_EINVAL);
	assert_string_equal(errmsg, "nested deeper than 122");
	es_arena_close(&arena);
}

static void memory_runs_out(void **state)
{
	struct es_json value = es_json_object();
	uint64_t at;

	(void)state;
	for (at = 0;; at++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		struct es_json result;
		char errmsg[100];
		int rc;

		es_fault_mem_init(&fault, at);
		es_arena_init(&arena, &fault.mem, 1);
		rc = es_resource_fill_in(&deployment, &value, NOW, &arena, &result, errmsg,
					 sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&arena);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	assert_true(at >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_create_is_filled_in),
		cmocka_unit_test(nothing_else_is),
		cmocka_unit_test(contradictions_are_told),
		cmocka_unit_test(what_no_catalog_could_hold_is_refused),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
