#include "resource/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* The schema at a path of members; "[]" are a list's items or a map's values. */
static const struct es_schema *at(const char *group, const char *version, const char *kind,
				  const char *path)
{
	const struct es_schema *schema = es_schema_find(es_slice_str(group), es_slice_str(version),
							es_slice_str(kind));

	assert_non_null(schema);
	while (*path != '\0') {
		size_t len = strcspn(path, ".");

		if (strncmp(path, "[]", 2) == 0)
			schema = es_schema_items(schema);
		else
			schema = es_schema_field(schema, es_slice(path, len));
		if (schema == NULL)
			return NULL;
		path += len + (path[len] == '.');
	}
	return schema;
}

static void check_list(const struct es_schema *schema, enum es_schema_list type, const char *keys,
		       bool merges, const char *merge_key)
{
	const char *const *key = es_schema_list_keys(schema);
	const char *found = es_schema_patch_merge_key(schema);
	char joined[100] = "";

	assert_non_null(schema);
	assert_int_equal(es_schema_list_type(schema), type);
	for (; key != NULL && *key != NULL; key++)
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s ", *key);
	assert_string_equal(joined, keys);
	assert_int_equal(es_schema_patch_merges(schema), merges);
	assert_string_equal(found == NULL ? "" : found, merge_key);
}

static void test_lists(void **state)
{
	(void)state;
	check_list(at("", "v1", "Pod", "spec.containers"), ES_SCHEMA_LIST_MAP, "name ", true,
		   "name");
	check_list(at("", "v1", "Pod", "spec.containers.[].ports"), ES_SCHEMA_LIST_MAP,
		   "containerPort protocol ", true, "containerPort");
	check_list(at("apps", "v1", "Deployment", "spec.template.spec.containers.[].env"),
		   ES_SCHEMA_LIST_MAP, "name ", true, "name");
	check_list(at("", "v1", "Pod", "spec.containers.[].args"), ES_SCHEMA_LIST_ATOMIC, "", false,
		   "");
	check_list(at("", "v1", "Pod", "spec.tolerations"), ES_SCHEMA_LIST_ATOMIC, "", false, "");
	check_list(at("", "v1", "Node", "spec.podCIDRs"), ES_SCHEMA_LIST_SET, "", true, "");
	check_list(at("", "v1", "ConfigMap", "metadata.finalizers"), ES_SCHEMA_LIST_SET, "", true,
		   "");
	check_list(at("", "v1", "Service", "spec.ports"), ES_SCHEMA_LIST_MAP, "port protocol ",
		   true, "port");
	/* The two notions are apart. */
	check_list(at("batch", "v1", "Job", "status.conditions"), ES_SCHEMA_LIST_ATOMIC, "", true,
		   "type");
	check_list(at("storage.k8s.io", "v1", "CSINode", "spec.drivers"), ES_SCHEMA_LIST_MAP,
		   "name ", true, "name");
	check_list(at("", "v1", "Pod", "metadata.managedFields"), ES_SCHEMA_LIST_ATOMIC, "", false,
		   "");
}

static void test_maps_and_strategies(void **state)
{
	(void)state;
	assert_true(es_schema_map_is_atomic(at("", "v1", "Service", "spec.selector")));
	assert_true(es_schema_map_is_atomic(at("", "v1", "Pod", "spec.nodeSelector")));
	assert_true(es_schema_map_is_atomic(at("apps", "v1", "Deployment", "spec.selector")));
	assert_false(es_schema_map_is_atomic(at("", "v1", "Pod", "metadata.labels")));
	/* A field that takes back what its type says. */
	assert_true(es_schema_map_is_atomic(at("", "v1", "Event", "involvedObject")));
	assert_non_null(at("", "v1", "PersistentVolume", "spec.claimRef.uid"));
	assert_false(es_schema_map_is_atomic(at("", "v1", "PersistentVolume", "spec.claimRef")));

	assert_true(es_schema_patch_retains_keys(at("", "v1", "Pod", "spec.volumes")));
	assert_true(es_schema_patch_merges(at("", "v1", "Pod", "spec.volumes")));
	assert_true(es_schema_patch_retains_keys(at("apps", "v1", "Deployment", "spec.strategy")));
	assert_false(es_schema_patch_merges(at("apps", "v1", "Deployment", "spec.strategy")));
	assert_true(es_schema_patch_replaces(
		at("policy", "v1", "PodDisruptionBudget", "spec.selector")));
	assert_false(es_schema_patch_replaces(at("apps", "v1", "Deployment", "spec.selector")));
}

static void test_defaults(void **state)
{
	(void)state;
	assert_string_equal(es_schema_default(at("", "v1", "Service", "spec.ports.[].protocol")),
			    "\"TCP\"");
	assert_string_equal(es_schema_default(at("", "v1", "Service", "spec.ports.[].port")), "0");
	assert_null(es_schema_default(at("", "v1", "Service", "spec.ports.[].name")));
	assert_null(es_schema_default(at("", "v1", "Service", "spec")));
}

static void test_recursion(void **state)
{
	const char *schema = "spec.versions.[].schema.openAPIV3Schema";
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s.properties.[]", schema);
	assert_ptr_equal(at("apiextensions.k8s.io", "v1", "CustomResourceDefinition", schema),
			 at("apiextensions.k8s.io", "v1", "CustomResourceDefinition", path));
	snprintf(path, sizeof(path), "%s.properties.[].not.not.x-kubernetes-validations", schema);
	check_list(at("apiextensions.k8s.io", "v1", "CustomResourceDefinition", path),
		   ES_SCHEMA_LIST_MAP, "rule ", true, "rule");
}

static void test_what_is_not_known(void **state)
{
	const struct es_schema *pod = at("", "v1", "Pod", "");

	(void)state;
	assert_null(es_schema_find(ES_SLICE(""), ES_SLICE("v1"), ES_SLICE("Podx")));
	assert_null(es_schema_find(ES_SLICE(""), ES_SLICE("v2"), ES_SLICE("Pod")));
	assert_null(es_schema_find(ES_SLICE("apps"), ES_SLICE("v1"), ES_SLICE("Pod")));
	assert_null(es_schema_find(ES_SLICE(""), ES_SLICE("v1"), ES_SLICE("")));
	assert_null(es_schema_field(pod, ES_SLICE("Spec")));
	assert_null(es_schema_field(pod, ES_SLICE("")));
	assert_null(es_schema_field(pod, ES_SLICE("spec\0")));
	assert_null(es_schema_items(pod));
	assert_non_null(at("", "v1", "Pod", "kind"));
	assert_null(es_schema_field(NULL, ES_SLICE("spec")));
	assert_null(es_schema_items(NULL));
	assert_int_equal(es_schema_list_type(NULL), ES_SCHEMA_LIST_ATOMIC);
	assert_null(es_schema_list_keys(NULL));
	assert_null(es_schema_default(NULL));
	assert_null(es_schema_patch_merge_key(NULL));
	assert_false(es_schema_map_is_atomic(NULL));
	assert_false(es_schema_patch_merges(NULL));
	assert_false(es_schema_patch_replaces(NULL));
	assert_false(es_schema_patch_retains_keys(NULL));
	assert_memory_equal(es_schema_version(), "v1.", 3);
}

static const struct es_schema_kind *kind_of(const char *group, const char *kind)
{
	const struct es_schema_kind *kinds;
	size_t count;

	kinds = es_schema_kinds(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(kinds[i].group, group) == 0 && strcmp(kinds[i].kind, kind) == 0)
			return &kinds[i];
	fail_msg("there is no %s", kind);
	return NULL;
}

static void test_kinds(void **state)
{
	const struct es_schema_kind *kind;
	size_t count;

	(void)state;
	kind = kind_of("", "Pod");
	assert_string_equal(kind->plural, "pods");
	assert_string_equal(kind->singular, "pod");
	assert_string_equal(kind->short_names[0], "po");
	assert_null(kind->short_names[1]);
	assert_true(kind->namespaced);
	assert_false(kind_of("", "Namespace")->namespaced);
	assert_false(kind_of("", "Node")->namespaced);
	assert_null(kind_of("", "Secret")->short_names[0]);
	assert_string_equal(kind_of("networking.k8s.io", "NetworkPolicy")->plural,
			    "networkpolicies");
	/* The preferred versions. */
	assert_string_equal(kind_of("autoscaling", "HorizontalPodAutoscaler")->version, "v2");
	assert_string_equal(kind_of("resource.k8s.io", "ResourceClaim")->version, "v1");
	/* A name in two groups means the core's. */
	assert_true(kind_of("", "Event") < kind_of("events.k8s.io", "Event"));
	assert_string_equal(es_schema_kinds(&count)[0].group, "");
	assert_true(count > 60);
}

static void test_every_kind_has_a_schema(void **state)
{
	const struct es_schema_kind *kinds;
	size_t count;

	(void)state;
	kinds = es_schema_kinds(&count);
	for (size_t i = 0; i < count; i++) {
		const struct es_schema_kind *k = &kinds[i];

		check_list(at(k->group, k->version, k->kind, "metadata.ownerReferences"),
			   ES_SCHEMA_LIST_MAP, "uid ", true, "uid");
		assert_non_null(at(k->group, k->version, k->kind, "apiVersion"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_maps_and_strategies),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_every_kind_has_a_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
