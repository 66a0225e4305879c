#include "server/health.h"

#include <stdio.h>

#include "base/assert.h"
#include "server/version.h"

/*
 * A check that needs a linearizable read waits for it; everything else is judged at once. What
 * was found is gathered in the request's arena and answered in one go.
 */
struct es_health {
	struct es_health_config config;
	bool ready;
};

const char *const es_health_metrics_paths[] = {"/metrics", "/health", "/livez", "/readyz", NULL};

static const char text_plain[] = "text/plain; charset=utf-8";

static void respond_text(struct es_http_request *request, int status, const char *text)
{
	es_http_respond(request, status, text_plain, es_slice_str(text));
}

/* An answer that lives as long as the request, from a buffer that does not. */
static void respond_copy(struct es_http_request *request, int status, const char *type,
			 struct es_slice body)
{
	uint8_t *copy = es_arena_alloc(es_http_arena(request), body.len);

	if (copy == NULL) {
		respond_text(request, 503, "out of memory\n");
		return;
	}
	memcpy(copy, body.data, body.len);
	es_http_respond(request, status, type, es_slice(copy, body.len));
}

static bool has_query(const struct es_http_request *request, const char *name, const char *value)
{
	struct es_slice found;

	for (size_t n = 0; es_http_query(request, name, n, &found); n++)
		if (es_slice_eq(found, es_slice_str(value)))
			return true;
	return false;
}

/* ---- /version -------------------------------------------------------------------------------- */

static void handle_version(void *ctx, struct es_http_request *request)
{
	const struct es_health *h = ctx;
	char body[256];
	int len = snprintf(body, sizeof(body),
			   "{\"etcdserver\":\"%s\",\"etcdcluster\":\"%s\",\"storage\":\"%s\","
			   "\"engenho-store\":\"%s\"}",
			   ES_ETCD_VERSION, h->ready ? ES_ETCD_CLUSTER_VERSION : "not_decided",
			   h->ready ? ES_ETCD_CLUSTER_VERSION : "unknown", h->config.version);

	respond_copy(request, 200, "application/json", es_slice(body, (size_t)len));
}

/* ---- /health --------------------------------------------------------------------------------- */

struct health_request {
	struct es_health *health;
	struct es_http_request *http;
};

static void answer_health(struct es_health *h, struct es_http_request *request, const char *reason)
{
	char body[512];
	int len = snprintf(body, sizeof(body), "{\"health\":\"%s\",\"reason\":\"%s\"}",
			   reason == NULL ? "true" : "false", reason == NULL ? "" : reason);

	es_metrics_count_health(h->config.metrics, reason == NULL);
	if (reason == NULL) {
		respond_copy(request, 200, text_plain, es_slice(body, (size_t)len));
		return;
	}
	es_log(h->config.log, ES_LOG_WARN, "/health error", ES_STR("reason", reason),
	       ES_INT("status-code", 503));
	ES_ASSERT((size_t)len + 1 < sizeof(body));
	body[len] = '\n';
	respond_copy(request, 503, text_plain, es_slice(body, (size_t)len + 1));
}

static void health_read_done(void *arg, int status)
{
	struct health_request *r = arg;
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "RANGE ERROR:%s", es_status_text(status));
	answer_health(r->health, r->http, status == 0 ? NULL : reason);
}

/* The first alarm that is not excluded, as etcd names it; NULL: none. */
static const char *alarm_reason(const struct es_health *h, const struct es_http_request *request)
{
	const struct es_alarm *alarms;
	size_t count = es_engine_alarms(h->config.engine, &alarms);

	for (size_t i = 0; i < count; i++) {
		bool corrupt = alarms[i].type == ES_ALARM_CORRUPT;

		if (!has_query(request, "exclude", corrupt ? "CORRUPT" : "NOSPACE"))
			return corrupt ? "ALARM CORRUPT" : "ALARM NOSPACE";
	}
	return NULL;
}

static void handle_health(void *ctx, struct es_http_request *request)
{
	struct es_health *h = ctx;
	const char *reason = alarm_reason(h, request);
	struct es_slice first;
	struct es_engine_stats stats;
	struct health_request *r;

	if (reason != NULL) {
		answer_health(h, request, reason);
		return;
	}
	/* Go takes the first value. */
	if (es_http_query(request, "serializable", 0, &first) &&
	    es_slice_eq(first, ES_SLICE("true"))) {
		answer_health(h, request, NULL);
		return;
	}
	es_engine_get_stats(h->config.engine, &stats);
	if (!stats.has_leader) {
		answer_health(h, request, "RAFT NO LEADER");
		return;
	}
	r = es_arena_alloc(es_http_arena(request), sizeof(*r));
	if (r == NULL) {
		answer_health(h, request, "RANGE ERROR:engenho: out of memory");
		return;
	}
	*r = (struct health_request){h, request};
	es_engine_linearize(h->config.engine, health_read_done, r);
}

/* ---- /livez and /readyz ---------------------------------------------------------------------- */

enum { CHECKS_MAX = 4 };

static const struct check_set {
	const char *path;
	size_t count;
	struct {
		const char *name;
		enum es_health_check id;
	} checks[CHECKS_MAX];
} livez = {"/livez", 1, {{"serializable_read", ES_HEALTH_LIVEZ_SERIALIZABLE_READ}}},
  readyz = {"/readyz",
	    4,
	    {
		    {"data_corruption", ES_HEALTH_READYZ_DATA_CORRUPTION},
		    {"serializable_read", ES_HEALTH_READYZ_SERIALIZABLE_READ},
		    {"linearizable_read", ES_HEALTH_READYZ_LINEARIZABLE_READ},
		    {"non_learner", ES_HEALTH_READYZ_NON_LEARNER},
	    }};

struct check_request {
	struct es_health *health;
	struct es_http_request *http;
	const struct check_set *set;
	bool wanted[CHECKS_MAX];
	bool verbose;
	int read_status; /* of the linearizable read */
};

/* NULL: the check passed. */
static const char *judge(const struct check_request *r, enum es_health_check id)
{
	const struct es_alarm *alarms;
	size_t count;

	switch (id) {
	case ES_HEALTH_READYZ_LINEARIZABLE_READ:
		return r->read_status == 0 ? NULL : es_status_text(r->read_status);
	case ES_HEALTH_READYZ_DATA_CORRUPTION:
		count = es_engine_alarms(r->health->config.engine, &alarms);
		for (size_t i = 0; i < count; i++)
			if (alarms[i].type == ES_ALARM_CORRUPT)
				return "alarm activated: CORRUPT";
		return NULL;
	case ES_HEALTH_LIVEZ_SERIALIZABLE_READ: /* the state is in memory and this code runs: it can
						   be read */
	case ES_HEALTH_READYZ_SERIALIZABLE_READ:
	case ES_HEALTH_READYZ_NON_LEARNER: /* a single member votes */
	case ES_HEALTH_CHECKS: return NULL;
	}
	return NULL;
}

/* One line for each check that was asked for; *ret_failed when one did. */
static int check_lines(const struct check_request *r, struct es_buf *text, bool *ret_failed)
{
	bool failed = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->set->count; i++) {
		const char *name = r->set->checks[i].name;
		const char *why;

		if (!r->wanted[i])
			continue;
		why = judge(r, r->set->checks[i].id);
		es_metrics_count_check(r->health->config.metrics, r->set->checks[i].id,
				       why == NULL);
		failed |= why != NULL;
		rc = why != NULL ? es_buf_printf(text, "[-]%s failed: %s\n", name, why)
				 : es_buf_printf(text, "[+]%s ok\n", name);
	}
	*ret_failed = failed;
	return rc;
}

/* All lines when a check failed, or when they are asked for. */
static void answer_checks(const struct check_request *r)
{
	const struct es_health *h = r->health;
	struct es_buf text;
	bool failed;
	int rc;

	es_buf_init(&text, h->config.mem);
	rc = check_lines(r, &text, &failed);
	if (rc == 0 && !failed && !r->verbose)
		text.len = 0;
	if (rc == 0)
		rc = es_buf_append_str(&text, failed ? "\n" : "ok\n");
	if (rc < 0)
		respond_text(r->http, 503, "out of memory\n");
	else
		respond_copy(r->http, failed ? 503 : 200, text_plain, es_buf_slice(&text));
	if (failed)
		es_log(h->config.log, ES_LOG_ERROR, "Health check error",
		       ES_STR("path", r->set->path), ES_INT("status-code", 503));
	es_buf_close(&text);
}

static void checks_read_done(void *arg, int status)
{
	struct check_request *r = arg;

	r->read_status = status;
	answer_checks(r);
}

/* The checks that are asked for: one by path, or all but the excluded ones. False: there is no
 * such check. */
static bool choose(struct check_request *r)
{
	struct es_slice path = es_http_path(r->http);
	size_t root = strlen(r->set->path);
	bool all = path.len <= root;
	bool any = false;
	struct es_slice value;

	for (size_t i = 0; i < r->set->count; i++) {
		const char *name = r->set->checks[i].name;

		if (all)
			r->wanted[i] = !has_query(r->http, "exclude", name);
		else
			r->wanted[i] = es_slice_eq(
				es_slice(path.data + root + 1, path.len - root - 1),
				es_slice_str(name));
		any |= r->wanted[i];
	}
	r->verbose = es_http_query(r->http, "verbose", 0, &value);
	return all || any;
}

static void handle_checks(struct es_health *h, struct es_http_request *request,
			  const struct check_set *set)
{
	struct check_request *r = es_arena_calloc(es_http_arena(request), 1, sizeof(*r));

	if (r == NULL) {
		respond_text(request, 503, "out of memory\n");
		return;
	}
	r->health = h;
	r->http = request;
	r->set = set;
	if (!choose(r)) {
		respond_text(request, 404, "404 page not found\n");
		return;
	}
	for (size_t i = 0; i < set->count; i++) {
		if (r->wanted[i] && set->checks[i].id == ES_HEALTH_READYZ_LINEARIZABLE_READ) {
			es_engine_linearize(h->config.engine, checks_read_done, r);
			return;
		}
	}
	answer_checks(r);
}

static void handle_livez(void *ctx, struct es_http_request *request)
{
	handle_checks(ctx, request, &livez);
}

static void handle_readyz(void *ctx, struct es_http_request *request)
{
	handle_checks(ctx, request, &readyz);
}

/* ---- /metrics -------------------------------------------------------------------------------- */

static void handle_metrics(void *ctx, struct es_http_request *request)
{
	struct es_health *h = ctx;
	struct es_metrics_sources sources = {.cluster_version_known = h->ready};
	struct es_buf text;

	es_engine_get_stats(h->config.engine, &sources.engine);
	es_consensus_get_stats(es_engine_consensus(h->config.engine), &sources.consensus);
	es_rpc_get_stats(h->config.server, &sources.rpc);
	es_process_stats(&sources.process);
	sources.member_id = es_engine_header(h->config.engine).member_id;
	sources.alarm_count = es_engine_alarms(h->config.engine, &sources.alarms);
	es_buf_init(&text, h->config.mem);
	if (es_metrics_text(h->config.metrics, &sources, &text) < 0)
		respond_text(request, 503, "out of memory\n");
	else
		respond_copy(request, 200, "text/plain; version=0.0.4; charset=utf-8",
			     es_buf_slice(&text));
	es_buf_close(&text);
}

int es_health_new(const struct es_health_config *config, struct es_health **ret_health)
{
	static const struct es_http_handler handlers[] = {
		{.path = "/version", .handle = handle_version},
		{.path = "/health", .handle = handle_health},
		{.path = "/livez", .prefix = true, .handle = handle_livez},
		{.path = "/readyz", .prefix = true, .handle = handle_readyz},
		{.path = "/metrics", .handle = handle_metrics},
	};
	struct es_health *h = es_calloc(config->mem, 1, sizeof(*h));
	int rc;

	if (h == NULL)
		return ES_ENOMEM;
	h->config = *config;
	rc = es_http_register(config->server, handlers, ES_ARRAY_LEN(handlers), h);
	if (rc < 0) {
		es_free(config->mem, h);
		return rc;
	}
	*ret_health = h;
	return 0;
}

void es_health_free(struct es_health *health)
{
	if (health != NULL)
		es_free(health->config.mem, health);
}

void es_health_set_ready(struct es_health *health)
{
	health->ready = true;
}
