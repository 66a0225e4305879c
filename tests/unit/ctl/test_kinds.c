#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/assert.h"
#include "ctl/kinds.h"

static void is(const char *text, const char *group, const char *version, const char *kind,
	       bool built_in)
{
	struct es_ctl_kind found;

	if (!es_ctl_kind_parse(es_slice_str(text), &found))
		fail_msg("%s is no kind", text);
	if (!es_slice_eq(found.group, es_slice_str(group)) ||
	    !es_slice_eq(found.version, es_slice_str(version)) ||
	    !es_slice_eq(found.kind, es_slice_str(kind)) || (found.built_in != NULL) != built_in)
		fail_msg("%s is %.*s/%.*s/%.*s", text, (int)found.group.len,
			 (const char *)found.group.data, (int)found.version.len,
			 (const char *)found.version.data, (int)found.kind.len,
			 (const char *)found.kind.data);
}

static void names_are_those_of_kubectl(void **state)
{
	static const char *const pods[] = {"pods", "pod",     "po",    "Pod",
					   "PODS", "pods.v1", "pods.", "v1/Pod"};
	static const char *const deployments[] = {"deployments",         "deploy",
						  "Deployment",          "deployment.apps",
						  "deployments.v1.apps", "apps/v1/Deployment"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(pods); i++)
		is(pods[i], "", "v1", "Pod", true);
	for (size_t i = 0; i < ES_ARRAY_LEN(deployments); i++)
		is(deployments[i], "apps", "v1", "Deployment", true);
	is("ev", "", "v1", "Event", true);
	is("events.events.k8s.io", "events.k8s.io", "v1", "Event", true);
	is("deployments.v1beta2.apps", "apps", "v1beta2", "Deployment", true);
	is("example.com/v1alpha1/Widget", "example.com", "v1alpha1", "Widget", false);
	is("v2beta1/Thing", "", "v2beta1", "Thing", false);
	is("v1/v1/Pod", "v1", "v1", "Pod", false);
}

static void what_is_no_kind(void **state)
{
	static const char *const bad[] = {"",        "widgets",      "widgets.example.com",
					  "/",       "v1/",          "//Kind",
					  "a//Kind", "a/v1/",        "a/b/c/d",
					  "pods/a",  "pods.nothing", "v1/Pod/web",
					  "v/Pod",   "vx1/Pod",      "v1gamma1/Pod",
					  "po\xff"};
	struct es_ctl_kind kind;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(bad); i++)
		if (es_ctl_kind_parse(es_slice_str(bad[i]), &kind))
			fail_msg("%s", bad[i]);
}

static void a_name_may_follow(void **state)
{
	static const char *const good[] = {"pods/a", "po/a", "v1/Pod/a", "pods.v1/a"};
	struct es_ctl_kind kind;
	struct es_slice name;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(good); i++) {
		assert_true(es_ctl_kind_parse_named(es_slice_str(good[i]), &kind, &name));
		assert_true(es_slice_eq(kind.kind, ES_SLICE("Pod")));
		assert_true(es_slice_eq(name, ES_SLICE("a")));
	}
	assert_true(es_ctl_kind_parse_named(ES_SLICE("example.com/v1/Widget/w"), &kind, &name));
	assert_true(es_slice_eq(kind.group, ES_SLICE("example.com")));
	assert_false(es_ctl_kind_parse_named(ES_SLICE("pods"), &kind, &name));
	assert_false(es_ctl_kind_parse_named(ES_SLICE("pods/"), &kind, &name));
	assert_false(es_ctl_kind_parse_named(ES_SLICE("widgets/a"), &kind, &name));
}

static void documents_name_their_kind(void **state)
{
	struct es_ctl_kind kind;

	(void)state;
	assert_true(es_ctl_kind_of(ES_SLICE("v1"), ES_SLICE("Node"), &kind));
	assert_true(kind.group.len == 0 && kind.built_in != NULL && !kind.built_in->namespaced);
	assert_true(es_ctl_kind_of(ES_SLICE("example.com/v1"), ES_SLICE("Node"), &kind));
	assert_null(kind.built_in);
	assert_false(es_ctl_kind_of(ES_SLICE(""), ES_SLICE("Node"), &kind));
	assert_false(es_ctl_kind_of(ES_SLICE("/v1"), ES_SLICE("Node"), &kind));
	assert_false(es_ctl_kind_of(ES_SLICE("a/"), ES_SLICE("Node"), &kind));
	assert_false(es_ctl_kind_of(ES_SLICE("a/b/c"), ES_SLICE("Node"), &kind));
	assert_false(es_ctl_kind_of(ES_SLICE("v1"), ES_SLICE(""), &kind));
}

static void kinds_are_printed_in_small_letters(void **state)
{
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_ctl_kind_write(&buf, ES_SLICE(""), ES_SLICE("ConfigMap")), 0);
	assert_int_equal(es_ctl_kind_write(&buf, ES_SLICE("apps"), ES_SLICE("ReplicaSet")), 0);
	assert_true(es_slice_eq(es_buf_slice(&buf), ES_SLICE("configmapreplicaset.apps")));
	es_buf_close(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_kubectl),
		cmocka_unit_test(what_is_no_kind),
		cmocka_unit_test(a_name_may_follow),
		cmocka_unit_test(documents_name_their_kind),
		cmocka_unit_test(kinds_are_printed_in_small_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
