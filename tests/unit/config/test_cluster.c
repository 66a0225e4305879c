#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/cluster.h"

static struct es_arena arena;
static char errmsg[512];

static int setup(void **state)
{
	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	es_arena_close(&arena);
	return 0;
}

static int bootstrap(const char *name, const char *advertised, const char *cluster,
		     const char *token, struct es_cluster_ids *ids)
{
	struct es_config config = {
		.name = name,
		.data_dir = "d",
		.initial_cluster = cluster,
		.initial_cluster_token = token,
		.cluster_is_new = true,
	};

	assert_int_equal(
		es_urls_parse(&arena, advertised, &config.advertise_peer, errmsg, sizeof(errmsg)),
		0);
	return es_cluster_bootstrap(&config, &arena, ids, errmsg, sizeof(errmsg));
}

static void ids_are_those_of_etcd(void **state)
{
	/* What etcd 3.7 reports for the same flags. */
	struct es_cluster_ids ids;

	(void)state;
	assert_int_equal(bootstrap("default", "http://localhost:2380",
				   "default=http://localhost:2380", "etcd-cluster", &ids),
			 0);
	assert_true(ids.member_id == UINT64_C(0x8e9e05c52164694d));
	assert_true(ids.cluster_id == UINT64_C(0xcdf818194e3a8c32));
	assert_int_equal(bootstrap("m1", "http://127.0.0.1:33791", "m1=http://127.0.0.1:33791",
				   "etcd-cluster", &ids),
			 0);
	assert_true(ids.member_id == UINT64_C(0x117679809491e551));
	assert_true(ids.cluster_id == UINT64_C(0x7de7e652f3551cf8));
}

static void ids_differ_with_url_and_token_and_not_with_the_name(void **state)
{
	struct es_cluster_ids a, b;

	(void)state;
	assert_int_equal(bootstrap("m", "http://a:1", "m=http://a:1", "t", &a), 0);
	assert_int_equal(bootstrap("n", "http://a:1", "n=http://a:1", "t", &b), 0);
	assert_true(a.member_id == b.member_id);
	assert_int_equal(bootstrap("m", "http://a:1", "m=http://a:1", "u", &b), 0);
	assert_true(a.member_id != b.member_id && a.cluster_id != b.cluster_id);
	assert_int_equal(bootstrap("m", "http://b:1", "m=http://b:1", "t", &b), 0);
	assert_true(a.member_id != b.member_id && a.cluster_id != b.cluster_id);
}

static void several_urls_in_any_order(void **state)
{
	struct es_cluster_ids a, b;

	(void)state;
	assert_int_equal(
		bootstrap("m", "http://a:1,http://b:1", "m=http://b:1,,m=http://a:1", "t", &a), 0);
	assert_int_equal(
		bootstrap("m", "http://b:1,http://a:1", "m=http://a:1,m=http://b:1,", "t", &b), 0);
	assert_true(a.member_id == b.member_id);
}

static void the_order_of_members_counts(void **state)
{
	const uint64_t up[] = {1, 2}, down[] = {2, 1};

	(void)state;
	assert_true(es_cluster_id(up, 2) != es_cluster_id(down, 2));
}

static void refusals(void **state)
{
	static const struct {
		const char *name, *advertised, *cluster, *message;
	} cases[] = {
		{"m", "http://a:1", "x=http://a:1",
		 "couldn't find local name \"m\" in the initial cluster configuration"},
		{"m", "http://a:1", "",
		 "couldn't find local name \"m\" in the initial cluster configuration"},
		{"m", "http://a:1", "m=http://a:1,x=http://b:1",
		 "not supported yet: more than one member (--initial-cluster names \"x\" beside "
		 "\"m\")"},
		{"m", "http://a:1", "m=http://b:1",
		 "--initial-cluster has m=http://b:1 but missing from "
		 "--initial-advertise-peer-urls=http://a:1"},
		{"m", "http://a:1,http://b:1", "m=http://b:1",
		 "--initial-advertise-peer-urls has http://a:1 but missing from "
		 "--initial-cluster=m=http://b:1"},
		{"m", "http://a:1", "m=a:1",
		 "error setting up initial cluster: URL scheme must be http, https, unix, or "
		 "unixs: a:1"},
		{"m", "http://a:1", "m",
		 "couldn't find local name \"m\" in the initial cluster configuration"},
	};
	struct es_cluster_ids ids;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(
			bootstrap(cases[i].name, cases[i].advertised, cases[i].cluster, "t", &ids),
			strncmp(cases[i].message, "not supported", 13) == 0 ? ES_EUNIMPLEMENTED
									    : ES_EINVAL);
		assert_string_equal(errmsg, cases[i].message);
	}
}

static void joining(void **state)
{
	struct es_config config = {.name = "m", .data_dir = "d", .initial_cluster = "m=http://a:1"};
	struct es_cluster_ids ids;

	(void)state;
	assert_int_equal(es_cluster_bootstrap(&config, &arena, &ids, errmsg, sizeof(errmsg)),
			 ES_EUNIMPLEMENTED);
	assert_non_null(strstr(errmsg, "not supported yet: joining a cluster"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_are_those_of_etcd),
		TEST(ids_differ_with_url_and_token_and_not_with_the_name),
		TEST(several_urls_in_any_order),
		TEST(the_order_of_members_counts),
		TEST(refusals),
		TEST(joining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
