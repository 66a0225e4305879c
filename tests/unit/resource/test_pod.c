#include "rules_support.h"

#include "resource/pod.h"

static struct es_json parse(struct es_arena *arena, const char *text)
{
	struct es_json value;
	struct es_json_error error;

	assert_int_equal(es_json_parse(es_slice_str(text), 20, arena, &value, &error), 0);
	return value;
}

static void quality_of_service(void **state)
{
#define POD(resources) "{\"spec\":{\"containers\":[{\"resources\":{" resources "}}]}}"
	static const struct {
		const char *pod, *qos;
	} cases[] = {
		{"{}", "BestEffort"},
		{"[]", "BestEffort"},
		{"{\"spec\":{\"containers\":[{}]}}", "BestEffort"},
		{POD("\"requests\":{\"cpu\":\"0\"}"), "BestEffort"},
		{POD("\"requests\":{\"cpu\":\"nonsense\"}"), "BestEffort"},
		{POD("\"requests\":{\"example.com/gpu\":\"1\"}"), "BestEffort"},
		{POD("\"requests\":{\"cpu\":\"1m\"}"), "Burstable"},
		{POD("\"limits\":{\"cpu\":1}"), "Burstable"},
		{POD("\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}"), "Guaranteed"},
		{POD("\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"0."
		     "5\","
		     "\"memory\":\"1024Mi\"}"),
		 "Guaranteed"},
		{POD("\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"0."
		     "4\","
		     "\"memory\":\"1024Mi\"}"),
		 "Burstable"},
		{POD("\"limits\":{\"cpu\":\"1k\",\"memory\":\"1G\"},\"requests\":{\"cpu\":1000,"
		     "\"memory\":1000000000}"),
		 "Guaranteed"},
		{"{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":1,\"memory\":1}}}]"
		 ","
		 "\"initContainers\":[{}]}}",
		 "Burstable"},
	};
	struct es_arena arena;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_json pod = parse(&arena, cases[i].pod);

		if (strcmp(es_resource_pod_qos(&pod), cases[i].qos) != 0)
			fail_msg("%s: %s", cases[i].pod, es_resource_pod_qos(&pod));
	}
	es_arena_close(&arena);
}

static void only_a_pod_gets_a_status(void **state)
{
	static const struct {
		const char *group, *version, *kind, *before, *after;
	} cases[] = {
		{"", "v1", "Pod", "{}",
		 "{\"status\":{\"phase\":\"Pending\",\"qosClass\":\"BestEffort\"}}"},
		{"", "v1", "Pod", "{\"status\":{\"phase\":\"x\",\"qosClass\":null}}",
		 "{\"status\":{\"phase\":\"x\",\"qosClass\":\"BestEffort\"}}"},
		{"", "v1", "Pod", "{\"status\":7}", "{\"status\":7}"},
		{"", "v1", "Pod", "[1]", "[1]"},
		{"", "v2", "Pod", "{}", "{}"},
		{"apps", "v1", "Pod", "{}", "{}"},
		{"", "v1", "Service", "{}", "{}"},
	};
	struct es_arena arena;

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		const struct es_resource_key key = {.group = es_slice_str(cases[i].group),
						    .version = es_slice_str(cases[i].version),
						    .kind = es_slice_str(cases[i].kind)};
		struct es_json object = parse(&arena, cases[i].before);
		struct es_json after = parse(&arena, cases[i].after);

		assert_int_equal(es_resource_pod_created(&key, &arena, &object), 0);
		assert_true(es_json_eq(&object, &after));
	}
	es_arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quality_of_service),
		cmocka_unit_test(only_a_pod_gets_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
