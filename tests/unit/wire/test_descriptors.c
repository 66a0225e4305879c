#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "wire/descriptors.h"

static bool declared_in(const char *symbol, const char *file)
{
	struct es_slice found = es_wire_file_by_symbol(es_slice_str(symbol));

	return es_slice_eq(es_wire_file_name(found), es_slice_str(file));
}

static void a_symbol_leads_to_its_file(void **state)
{
	(void)state;
	assert_true(declared_in("etcdserverpb.KV", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.KV.RangeStream", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.RangeRequest", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.RangeRequest.limit", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.RangeRequest.SortOrder", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.RangeRequest.DESCEND", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.RequestOp.request", "rpc.proto")); /* a oneof */
	assert_true(declared_in("etcdserverpb.AlarmType", "rpc.proto"));
	assert_true(declared_in("etcdserverpb.NOSPACE", "rpc.proto"));
	assert_true(declared_in("mvccpb.Event.EventType", "kv.proto"));
	assert_true(declared_in("authpb.Permission.READWRITE", "auth.proto"));
	assert_true(declared_in("v3lockpb.Lock.Unlock", "lock.proto"));
	assert_true(declared_in("v3electionpb.Election", "election.proto"));
	assert_true(
		declared_in("grpc.health.v1.HealthListResponse.StatusesEntry.key", "health.proto"));
	assert_true(declared_in("grpc.reflection.v1.ServerReflection", "reflection.proto"));
	assert_true(declared_in("grpc.reflection.v1alpha.ServerReflection",
				"reflection_v1alpha.proto"));
}

static void what_is_not_declared_leads_nowhere(void **state)
{
	static const char *const unknown[] = {
		"",
		".",
		"etcdserverpb",
		"etcdserverpb.",
		"etcdserverpb.K",
		"etcdserverpb.KV.",
		"etcdserverpb.KV.Nope",
		"KV",
		".etcdserverpb.KV",
		"etcdserverpb.KV.Range.x",
		"etcdserverpb.RangeRequest.SortOrder.NONE",
		"etcdserverpb.AlarmType.NOSPACE",
		"mvccpb.KV",
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(unknown); i++)
		assert_int_equal(es_wire_file_by_symbol(es_slice_str(unknown[i])).len, 0);
	assert_int_equal(es_wire_file_by_name(ES_SLICE("nope.proto")).len, 0);
}

static void every_import_is_there(void **state)
{
	struct es_slice election = es_wire_file_by_name(ES_SLICE("election.proto"));
	struct es_slice name;
	size_t n = 0;

	(void)state;
	assert_true(es_slice_eq(es_wire_file_name(election), ES_SLICE("election.proto")));
	for (; es_wire_file_import(election, n, &name); n++)
		assert_true(es_slice_eq(es_wire_file_name(es_wire_file_by_name(name)), name));
	assert_int_equal(n, 2);
}

static void every_service_is_named_once(void **state)
{
	static const char *const wanted[] = {
		"engenho.v1.ResourceStore",
		"etcdserverpb.KV",
		"etcdserverpb.Watch",
		"etcdserverpb.Lease",
		"etcdserverpb.Cluster",
		"etcdserverpb.Maintenance",
		"etcdserverpb.Auth",
		"v3lockpb.Lock",
		"v3electionpb.Election",
		"grpc.health.v1.Health",
		"grpc.reflection.v1.ServerReflection",
		"grpc.reflection.v1alpha.ServerReflection",
	};
	char name[ES_WIRE_SERVICE_NAME_MAX];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(wanted); i++) {
		size_t found = 0;

		for (n = 0; es_wire_service_name(n, name); n++)
			found += strcmp(name, wanted[i]) == 0;
		assert_int_equal(found, 1);
	}
	assert_int_equal(n, ES_ARRAY_LEN(wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_symbol_leads_to_its_file),
		cmocka_unit_test(what_is_not_declared_leads_nowhere),
		cmocka_unit_test(every_import_is_there),
		cmocka_unit_test(every_service_is_named_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
