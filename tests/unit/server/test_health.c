#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "server/health.h"

/*
 * The handlers against an engine and a server that are made of nothing: what they are asked for
 * is what the test says.
 */
struct es_http_request {
	const char *path;
	struct {
		const char *name, *value;
	} query[4];
	struct es_arena arena;
	int answers;
	int status;
	char type[64];
	char body[65536];
};

static struct es_alarm alarms[2];
static size_t alarm_count;
static bool has_leader;
static int read_status;
static bool read_later;
static void (*pending)(void *arg, int status);
static void *pending_arg;
static const struct es_http_handler *handlers;
static size_t handler_count;
static void *handlers_ctx;

size_t es_engine_alarms(const struct es_engine *engine, const struct es_alarm **ret_alarms)
{
	(void)engine;
	*ret_alarms = alarms;
	return alarm_count;
}

void es_engine_get_stats(const struct es_engine *engine, struct es_engine_stats *ret_stats)
{
	(void)engine;
	*ret_stats = (struct es_engine_stats){.has_leader = has_leader};
}

void es_engine_linearize(struct es_engine *engine, void (*ready)(void *arg, int status), void *arg)
{
	(void)engine;
	if (!read_later) {
		ready(arg, read_status);
		return;
	}
	pending = ready;
	pending_arg = arg;
}

struct es_consensus *es_engine_consensus(const struct es_engine *engine)
{
	(void)engine;
	return NULL;
}

struct es_engine_header es_engine_header(const struct es_engine *engine)
{
	(void)engine;
	return (struct es_engine_header){.member_id = 0xabc};
}

void es_consensus_get_stats(const struct es_consensus *consensus,
			    struct es_consensus_stats *ret_stats)
{
	(void)consensus;
	*ret_stats = (struct es_consensus_stats){.batches = 42};
}

void es_rpc_get_stats(const struct es_rpc_server *server, struct es_rpc_stats *ret_stats)
{
	(void)server;
	*ret_stats = (struct es_rpc_stats){0};
}

bool es_rpc_call_metadata(const struct es_rpc_call *call, const char *name,
			  struct es_slice *ret_value)
{
	(void)call;
	(void)name;
	(void)ret_value;
	return false;
}

int es_http_register(struct es_rpc_server *server, const struct es_http_handler *list, size_t count,
		     void *ctx)
{
	(void)server;
	handlers = list;
	handler_count = count;
	handlers_ctx = ctx;
	return 0;
}

struct es_slice es_http_path(const struct es_http_request *request)
{
	return es_slice_str(request->path);
}

bool es_http_query(const struct es_http_request *request, const char *name, size_t n,
		   struct es_slice *ret_value)
{
	for (size_t i = 0; i < ES_ARRAY_LEN(request->query) && request->query[i].name != NULL;
	     i++) {
		if (strcmp(request->query[i].name, name) == 0 && n-- == 0) {
			*ret_value = es_slice_str(request->query[i].value);
			return true;
		}
	}
	return false;
}

struct es_arena *es_http_arena(struct es_http_request *request)
{
	return &request->arena;
}

void es_http_respond(struct es_http_request *request, int status, const char *content_type,
		     struct es_slice body)
{
	request->answers++;
	request->status = status;
	assert_true(strlen(content_type) < sizeof(request->type));
	memcpy(request->type, content_type, strlen(content_type) + 1);
	assert_true(body.len < sizeof(request->body));
	memcpy(request->body, body.data, body.len);
	request->body[body.len] = '\0';
}

static struct es_metrics *metrics;
static struct es_health *health;

static int setup(void **state)
{
	const struct es_metrics_config metrics_config = {.mem = es_mem_default(),
							 .version = "1.2.3"};
	struct es_health_config config = {.mem = es_mem_default(), .version = "1.2.3"};

	(void)state;
	alarm_count = 0;
	has_leader = true;
	read_status = 0;
	read_later = false;
	if (es_metrics_new(&metrics_config, &metrics) < 0)
		return -1;
	config.metrics = metrics;
	return es_health_new(&config, &health);
}

static int teardown(void **state)
{
	(void)state;
	es_health_free(health);
	es_metrics_free(metrics);
	return 0;
}

static void handle(struct es_http_request *request)
{
	es_arena_init(&request->arena, es_mem_default(), 1024);
	for (size_t i = 0; i < handler_count; i++) {
		size_t len = strlen(handlers[i].path);
		bool below = handlers[i].prefix &&
			     strncmp(request->path, handlers[i].path, len) == 0 &&
			     request->path[len] == '/';

		if (strcmp(request->path, handlers[i].path) != 0 && !below)
			continue;
		handlers[i].handle(handlers_ctx, request);
		return;
	}
	fail_msg("nobody handles %s", request->path);
}

static void expect(struct es_http_request request, int status, const char *body)
{
	handle(&request);
	assert_int_equal(request.answers, 1);
	assert_int_equal(request.status, status);
	assert_string_equal(request.body, body);
	if (strcmp(request.path, "/version") != 0)
		assert_string_equal(request.type, "text/plain; charset=utf-8");
	es_arena_close(&request.arena);
}

#define GET(...) ((struct es_http_request){__VA_ARGS__})

static void version(void **state)
{
	(void)state;
	expect(GET(.path = "/version"), 200,
	       "{\"etcdserver\":\"3.7.3\",\"etcdcluster\":\"not_decided\",\"storage\":\"unknown\","
	       "\"engenho-store\":\"1.2.3\"}");
	es_health_set_ready(health);
	expect(GET(.path = "/version"), 200,
	       "{\"etcdserver\":\"3.7.3\",\"etcdcluster\":\"3.7.0\",\"storage\":\"3.7.0\","
	       "\"engenho-store\":\"1.2.3\"}");
}

static void health_says_true(void **state)
{
	(void)state;
	expect(GET(.path = "/health"), 200, "{\"health\":\"true\",\"reason\":\"\"}");
	has_leader = false;
	read_status = ES_ENO_LEADER;
	expect(GET(.path = "/health", .query = {{"serializable", "true"}}), 200,
	       "{\"health\":\"true\",\"reason\":\"\"}");
}

static void health_says_why_not(void **state)
{
	(void)state;
	read_status = ES_ETIMEOUT;
	expect(GET(.path = "/health"), 503,
	       "{\"health\":\"false\",\"reason\":\"RANGE ERROR:etcdserver: request timed out\"}\n");
	has_leader = false;
	expect(GET(.path = "/health"), 503,
	       "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n");
	expect(GET(.path = "/health", .query = {{"serializable", "false"}}), 503,
	       "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n");
	alarms[0] = (struct es_alarm){1, ES_ALARM_NOSPACE};
	alarm_count = 1;
	expect(GET(.path = "/health", .query = {{"serializable", "true"}}), 503,
	       "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}\n");
	expect(GET(.path = "/health", .query = {{"serializable", "true"}, {"exclude", "NOSPACE"}}),
	       200, "{\"health\":\"true\",\"reason\":\"\"}");
	alarms[1] = (struct es_alarm){1, ES_ALARM_CORRUPT};
	alarm_count = 2;
	expect(GET(.path = "/health", .query = {{"serializable", "true"}, {"exclude", "NOSPACE"}}),
	       503, "{\"health\":\"false\",\"reason\":\"ALARM CORRUPT\"}\n");
	expect(GET(.path = "/health", .query = {{"exclude", "NOSPACE"},
						{"exclude", "CORRUPT"},
						{"serializable", "true"}}),
	       200, "{\"health\":\"true\",\"reason\":\"\"}");
}

static void livez_and_readyz(void **state)
{
	(void)state;
	expect(GET(.path = "/livez"), 200, "ok\n");
	expect(GET(.path = "/livez", .query = {{"verbose", ""}}), 200,
	       "[+]serializable_read ok\nok\n");
	expect(GET(.path = "/livez/serializable_read"), 200, "ok\n");
	expect(GET(.path = "/livez/linearizable_read"), 404, "404 page not found\n");
	expect(GET(.path = "/livez", .query = {{"verbose", ""}, {"exclude", "serializable_read"}}),
	       200, "ok\n");
	expect(GET(.path = "/readyz"), 200, "ok\n");
	expect(GET(.path = "/readyz", .query = {{"verbose", "false"}}), 200,
	       "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read "
	       "ok\n[+]non_learner ok\nok\n");
	expect(GET(.path = "/readyz", .query = {{"verbose", ""},
						{"exclude", "linearizable_read"},
						{"exclude", "nope"}}),
	       200, "[+]data_corruption ok\n[+]serializable_read ok\n[+]non_learner ok\nok\n");
	expect(GET(.path = "/readyz/nope"), 404, "404 page not found\n");
	expect(GET(.path = "/readyz/"), 404, "404 page not found\n");
}

static void failed_checks_tell_all(void **state)
{
	(void)state;
	read_status = ES_ENO_LEADER;
	alarms[0] = (struct es_alarm){1, ES_ALARM_CORRUPT};
	alarm_count = 1;
	expect(GET(.path = "/readyz"), 503,
	       "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n"
	       "[-]linearizable_read failed: etcdserver: no leader\n[+]non_learner ok\n\n");
	expect(GET(.path = "/readyz/linearizable_read"), 503,
	       "[-]linearizable_read failed: etcdserver: no leader\n\n");
	expect(GET(.path = "/readyz/non_learner"), 200, "ok\n");
	expect(GET(.path = "/livez"), 200, "ok\n");
	alarms[0].type = ES_ALARM_NOSPACE; /* no reason to restart or to leave alone */
	read_status = 0;
	expect(GET(.path = "/readyz"), 200, "ok\n");
}

static void reads_are_waited_for(void **state)
{
	struct es_http_request first = GET(.path = "/readyz"), second = GET(.path = "/health");

	(void)state;
	read_later = true;
	handle(&first);
	assert_int_equal(first.answers, 0);
	pending(pending_arg, ES_ESTOPPED);
	assert_int_equal(first.answers, 1);
	assert_int_equal(first.status, 503);
	es_arena_close(&first.arena);
	handle(&second);
	assert_int_equal(second.answers, 0);
	pending(pending_arg, 0);
	assert_int_equal(second.status, 200);
	es_arena_close(&second.arena);
}

static void metrics_have_it_all(void **state)
{
	static struct es_http_request request;

	(void)state;
	request.path = "/metrics";
	expect(GET(.path = "/health"), 200, "{\"health\":\"true\",\"reason\":\"\"}");
	handle(&request);
	assert_int_equal(request.status, 200);
	assert_string_equal(request.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(request.body, "\netcd_server_has_leader 1\n"));
	assert_non_null(strstr(request.body, "\netcd_server_id{server_id=\"abc\"} 1\n"));
	assert_non_null(strstr(request.body, "\nengenho_store_log_batches_total 42\n"));
	assert_non_null(strstr(request.body, "\netcd_server_health_success 1\n"));
	assert_null(strstr(request.body,
			   "etcd_cluster_version")); /* not known before there was a leader */
	es_arena_close(&request.arena);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(version),
		TEST(health_says_true),
		TEST(health_says_why_not),
		TEST(livez_and_readyz),
		TEST(failed_checks_tell_all),
		TEST(reads_are_waited_for),
		TEST(metrics_have_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
