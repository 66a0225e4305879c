#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"
#include "server/metrics.h"

/* The metrics ask a call for one header. */
static const char *client_version;

bool es_rpc_call_metadata(const struct es_rpc_call *call, const char *name,
			  struct es_slice *ret_value)
{
	(void)call;
	assert_string_equal(name, "client-api-version");
	if (client_version == NULL)
		return false;
	*ret_value = es_slice_str(client_version);
	return true;
}

static uint64_t clock_ms;

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_ms;
}

static const struct es_env env = {.now_ms = now_ms};

static size_t logged;

static void count_line(void *ctx, enum es_log_level level, const char *caller, const char *message,
		       const struct es_log_field *fields, size_t field_count)
{
	(void)ctx;
	(void)caller;
	(void)fields;
	(void)field_count;
	assert_int_equal(level, ES_LOG_WARN);
	assert_string_equal(message, "request took too long");
	logged++;
}

static const struct es_log log_lines = {count_line, NULL, ES_LOG_DEBUG};

static const struct es_rpc_method put = {
	.service = "etcdserverpb.KV", .name = "Put", .kind = ES_RPC_UNARY};
static const struct es_rpc_method watch = {
	.service = "etcdserverpb.Watch", .name = "Watch", .kind = ES_RPC_BIDI};

static struct es_metrics *new_metrics(const struct es_mem *mem, bool extensive)
{
	const struct es_metrics_config config = {mem, &env, &log_lines, extensive, 300000, "1.2.3"};
	struct es_metrics *metrics = NULL;

	client_version = NULL;
	logged = 0;
	assert_int_equal(es_metrics_new(&config, &metrics), 0);
	return metrics;
}

static char *text_of(const struct es_metrics *metrics, const struct es_metrics_sources *sources,
		     struct es_buf *buf)
{
	es_buf_init(buf, es_mem_default());
	assert_int_equal(es_metrics_text(metrics, sources, buf), 0);
	assert_int_equal(es_buf_append(buf, "", 1), 0);
	return (char *)buf->data;
}

static void assert_line(const char *text, const char *line)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line %s in\n%s", line, text);
}

static void one_call(const struct es_rpc_hooks *hooks, const struct es_rpc_method *method,
		     enum es_grpc_code code, uint64_t us)
{
	assert_int_equal(hooks->start(hooks->ctx, NULL, method), 0);
	hooks->message(hooks->ctx, method, true, 10);
	hooks->message(hooks->ctx, method, false, 7);
	hooks->finish(hooks->ctx, method, code, us);
}

static void calls_are_counted(void **state)
{
	struct es_metrics *metrics = new_metrics(es_mem_default(), true);
	const struct es_rpc_hooks *hooks = es_metrics_hooks(metrics);
	struct es_metrics_sources sources = {0};
	struct es_buf buf;
	char *text;

	(void)state;
	one_call(hooks, &put, ES_GRPC_OK, 1000); /* on a bound: belongs below it */
	one_call(hooks, &put, ES_GRPC_OK, 1001);
	client_version = "3.7";
	one_call(hooks, &put, ES_GRPC_INVALID_ARGUMENT, 99000000);
	(void)hooks->start(hooks->ctx, NULL, &watch);
	text = text_of(metrics, &sources, &buf);
	assert_line(text, "grpc_server_started_total{grpc_method=\"Put\",grpc_service="
			  "\"etcdserverpb.KV\",grpc_type=\"unary\"} 3");
	assert_line(text, "grpc_server_started_total{grpc_method=\"Watch\",grpc_service="
			  "\"etcdserverpb.Watch\","
			  "grpc_type=\"bidi_stream\"} 1");
	assert_line(text, "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_"
			  "service=\"etcdserverpb.KV\","
			  "grpc_type=\"unary\"} 2");
	assert_line(text,
		    "grpc_server_handled_total{grpc_code=\"InvalidArgument\",grpc_method=\"Put\","
		    "grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1");
	assert_line(text,
		    "grpc_server_handled_total{grpc_code=\"Unauthenticated\",grpc_method=\"Put\","
		    "grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 0");
	assert_line(text, "etcd_server_request_duration_seconds_bucket{success=\"true\",type="
			  "\"Put\",le=\"0.001\"} 1");
	assert_line(text, "etcd_server_request_duration_seconds_bucket{success=\"true\",type="
			  "\"Put\",le=\"0.002\"} 2");
	assert_line(text, "etcd_server_request_duration_seconds_bucket{success=\"true\",type="
			  "\"Put\",le=\"+Inf\"} 2");
	assert_line(
		text,
		"etcd_server_request_duration_seconds_sum{success=\"true\",type=\"Put\"} 0.002001");
	assert_line(text, "etcd_server_request_duration_seconds_bucket{success=\"false\",type="
			  "\"Put\",le=\"8.192\"} 0");
	assert_line(text,
		    "etcd_server_request_duration_seconds_count{success=\"false\",type=\"Put\"} 1");
	assert_line(text, "grpc_server_handling_seconds_bucket{grpc_method=\"Put\",grpc_service="
			  "\"etcdserverpb.KV\","
			  "grpc_type=\"unary\",le=\"0.005\"} 2");
	assert_line(text, "grpc_server_handling_seconds_count{grpc_method=\"Put\",grpc_service="
			  "\"etcdserverpb.KV\","
			  "grpc_type=\"unary\"} 3");
	assert_line(text, "etcd_server_client_requests_total{client_api_version=\"unknown\",type="
			  "\"unary\"} 2");
	assert_line(
		text,
		"etcd_server_client_requests_total{client_api_version=\"3.7\",type=\"unary\"} 1");
	assert_line(
		text,
		"etcd_server_client_requests_total{client_api_version=\"3.7\",type=\"stream\"} 1");
	assert_line(text, "etcd_network_client_grpc_received_bytes_total 30");
	assert_line(text, "etcd_network_client_grpc_sent_bytes_total 21");
	es_buf_close(&buf);
	es_metrics_free(metrics);
}

static void basic_leaves_the_large_histograms_out(void **state)
{
	struct es_metrics *metrics = new_metrics(es_mem_default(), false);
	const struct es_rpc_hooks *hooks = es_metrics_hooks(metrics);
	struct es_metrics_sources sources = {0};
	struct es_buf buf;

	(void)state;
	one_call(hooks, &put, ES_GRPC_OK, 1000);
	assert_null(strstr(text_of(metrics, &sources, &buf), "grpc_server_handling_seconds"));
	es_buf_close(&buf);
	es_metrics_free(metrics);
}

static void versions_from_outside_are_bounded_and_escaped(void **state)
{
	struct es_metrics *metrics = new_metrics(es_mem_default(), false);
	const struct es_rpc_hooks *hooks = es_metrics_hooks(metrics);
	struct es_metrics_sources sources = {0};
	struct es_buf buf;
	char *text;

	(void)state;
	client_version = "\"\\\n\xff";
	one_call(hooks, &put, ES_GRPC_OK, 1);
	client_version = "a version that is longer than any";
	one_call(hooks, &put, ES_GRPC_OK, 1);
	for (int i = 0; i < 100; i++) {
		char version[16];

		(void)snprintf(version, sizeof(version), "v%d", i);
		client_version = version;
		one_call(hooks, &put, ES_GRPC_OK, 1);
	}
	text = text_of(metrics, &sources, &buf);
	assert_line(text, "etcd_server_client_requests_total{client_api_version=\"\\\"\\\\\",type="
			  "\"unary\"} 1");
	assert_line(
		text,
		"etcd_server_client_requests_total{client_api_version=\"v12\",type=\"unary\"} 1");
	assert_null(strstr(text, "\"v13\""));
	es_buf_close(&buf);
	es_metrics_free(metrics);
}

static void slow_calls_are_logged_a_few_a_second(void **state)
{
	struct es_metrics *metrics = new_metrics(es_mem_default(), false);
	const struct es_rpc_hooks *hooks = es_metrics_hooks(metrics);

	(void)state;
	clock_ms = 5000;
	one_call(hooks, &put, ES_GRPC_OK, 300000);
	assert_int_equal(logged, 0);
	one_call(hooks, &watch, ES_GRPC_OK, 99999999); /* streams are long */
	assert_int_equal(logged, 0);
	for (int i = 0; i < 100; i++)
		one_call(hooks, &put, ES_GRPC_OK, 300001);
	assert_int_equal(logged, 10);
	clock_ms = 6000;
	one_call(hooks, &put, ES_GRPC_OK, 300001);
	assert_int_equal(logged, 11);
	es_metrics_free(metrics);
}

/* The names that etcd's dashboards and alerts ask for, as far as a single member has them. */
static void every_name_of_the_dashboards(void **state)
{
	static const char *const lines[] = {
		"# TYPE etcd_server_has_leader gauge",
		"etcd_server_has_leader 1",
		"etcd_server_is_leader 1",
		"# TYPE etcd_server_leader_changes_seen_total counter",
		"etcd_server_leader_changes_seen_total 3",
		"# TYPE etcd_server_proposals_failed_total counter",
		"etcd_server_proposals_failed_total 4",
		"# TYPE etcd_server_proposals_committed_total gauge",
		"etcd_server_proposals_committed_total 5",
		"etcd_server_proposals_applied_total 6",
		"etcd_server_proposals_pending 7",
		"# TYPE grpc_server_started_total counter",
		"# TYPE grpc_server_handled_total counter",
		"# TYPE etcd_network_client_grpc_received_bytes_total counter",
		"# TYPE etcd_network_client_grpc_sent_bytes_total counter",
		"# TYPE etcd_disk_wal_fsync_duration_seconds histogram",
		"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 2",
		"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"8.192\"} 2",
		"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 3",
		"etcd_disk_wal_fsync_duration_seconds_sum 1.500000",
		"etcd_disk_wal_fsync_duration_seconds_count 3",
		"# TYPE etcd_disk_backend_commit_duration_seconds histogram",
		"etcd_disk_backend_commit_duration_seconds_count 0",
		"etcd_mvcc_db_total_size_in_bytes 8",
		"etcd_mvcc_db_total_size_in_use_in_bytes 9",
		"etcd_server_quota_backend_bytes 10",
		"process_resident_memory_bytes 11",
		"etcd_server_request_duration_seconds_count{success=\"true\",type=\"Put\"} 1",
		"etcd_server_version{server_version=\"3.7.3\"} 1",
		"etcd_cluster_version{cluster_version=\"3.7\"} 1",
		"etcd_server_id{server_id=\"8e9e05c52164694d\"} 1",
		"engenho_store_info{version=\"1.2.3\"} 1",
		"etcd_debugging_mvcc_keys_total 12",
		"etcd_debugging_mvcc_compact_revision -1",
		"etcd_debugging_server_alarms{alarm_type=\"NOSPACE\",server_id=\"1f\"} 1",
		"process_cpu_seconds_total 1.250",
		"etcd_server_health_success 1",
		"etcd_server_healthcheck{name=\"linearizable_read\",type=\"readyz\"} 0",
		"etcd_server_healthchecks_total{name=\"linearizable_read\",status=\"error\",type="
		"\"readyz\"} 1",
		"etcd_server_healthchecks_total{name=\"linearizable_read\",status=\"success\",type="
		"\"readyz\"} 1",
	};
	const struct es_alarm alarm = {0x1f, ES_ALARM_NOSPACE};
	struct es_metrics_sources s = {
		.engine = {.has_leader = true,
			   .is_leader = true,
			   .leader_changes = 3,
			   .db_bytes = 8,
			   .db_bytes_in_use = 9,
			   .quota_bytes = 10,
			   .keys = 12,
			   .compacted = -1},
		.consensus = {.proposals_failed = 4,
			      .proposals_committed = 5,
			      .proposals_applied = 6,
			      .proposals_pending = 7,
			      .fsync_sum_us = 1500000,
			      .fsync_count = 3},
		.process = {.resident_bytes = 11, .cpu_seconds = 1.25},
		.member_id = UINT64_C(0x8e9e05c52164694d),
		.alarms = &alarm,
		.alarm_count = 1,
		.cluster_version_known = true,
	};
	struct es_metrics *metrics = new_metrics(es_mem_default(), false);
	struct es_buf buf;
	char *text;

	(void)state;
	s.consensus.fsync_bucket[0] = 2;
	s.consensus.fsync_bucket[14] = 1;
	one_call(es_metrics_hooks(metrics), &put, ES_GRPC_OK, 1);
	es_metrics_count_health(metrics, true);
	es_metrics_count_check(metrics, ES_HEALTH_READYZ_LINEARIZABLE_READ, true);
	es_metrics_count_check(metrics, ES_HEALTH_READYZ_LINEARIZABLE_READ, false);
	text = text_of(metrics, &s, &buf);
	for (size_t i = 0; i < ES_ARRAY_LEN(lines); i++)
		assert_line(text, lines[i]);
	es_buf_close(&buf);
	es_metrics_free(metrics);
}

/* Each name has its head once, directly before its lines, and each line is a name, labels and a
 * number. */
static void the_text_is_well_formed(void **state)
{
	struct es_metrics *metrics = new_metrics(es_mem_default(), true);
	struct es_metrics_sources sources = {0};
	struct es_buf buf;
	char current[128] = "";
	char *text, *save = NULL;

	(void)state;
	one_call(es_metrics_hooks(metrics), &put, ES_GRPC_OK, 1);
	one_call(es_metrics_hooks(metrics), &watch, ES_GRPC_OK, 1);
	text = text_of(metrics, &sources, &buf);
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char name[128];

		if (sscanf(line, "# HELP %127s", name) == 1) {
			char head[160];

			(void)snprintf(current, sizeof(current), "%s", name);
			(void)snprintf(head, sizeof(head), "# TYPE %s ", name);
			line = strtok_r(NULL, "\n", &save);
			assert_true(strncmp(line, head, strlen(head)) == 0);
			continue;
		}
		assert_int_equal(strncmp(line, current, strlen(current)), 0);
		assert_non_null(strrchr(line, ' '));
		assert_int_equal(strspn(strrchr(line, ' ') + 1, "0123456789.-"),
				 strlen(strrchr(line, ' ') + 1));
	}
	es_buf_close(&buf);
	es_metrics_free(metrics);
}

static void without_memory(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		const struct es_metrics_sources sources = {0};
		struct es_metrics_config config = {.env = &env, .version = "1"};
		struct es_fault_mem fault;
		struct es_metrics *metrics = NULL;
		struct es_buf buf;
		int rc;

		es_fault_mem_init(&fault, n);
		config.mem = &fault.mem;
		es_buf_init(&buf, &fault.mem);
		rc = es_metrics_new(&config, &metrics);
		if (rc == 0)
			one_call(es_metrics_hooks(metrics), &put, ES_GRPC_OK,
				 0); /* goes uncounted at worst */
		if (rc == 0)
			rc = es_metrics_text(metrics, &sources, &buf);
		assert_true(rc == 0 || (rc == ES_ENOMEM && fault.fired));
		es_buf_close(&buf);
		es_metrics_free(metrics);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_counted),
		cmocka_unit_test(basic_leaves_the_large_histograms_out),
		cmocka_unit_test(versions_from_outside_are_bounded_and_escaped),
		cmocka_unit_test(slow_calls_are_logged_a_few_a_second),
		cmocka_unit_test(every_name_of_the_dashboards),
		cmocka_unit_test(the_text_is_well_formed),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
