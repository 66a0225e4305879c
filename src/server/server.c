#include "server/server.h"

#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "api/api.h"
#include "base/assert.h"
#include "base/env.h"
#include "member/member.h"
#include "rpc/rpc.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/process.h"
#include "server/version.h"

/*
 * The wiring. Starting goes up the layers, stopping goes down them again, and each step of
 * stopping begins in the callback that ends the one before:
 *
 *   listeners and calls -> api -> engine (the last fsync) -> handles -> uv_run returns
 *
 * A start that fails half-way stops what it started in the same way, so every step copes with
 * what is missing. Ports are bound before the data is opened: an address in use is told before
 * anything is read or written.
 */
enum {
	CONN_QUEUE_BYTES_MAX = 4 << 20,
	MESSAGE_OVERHEAD_BYTES = 512 << 10, /* above --max-request-bytes, as etcd allows */
	HTTP1_IDLE_MS = 30000,
	GRACE_MS = 5000,        /* and two election timeouts: what etcd gives a request */
	CLOSE_MS = 30000,       /* what writes under way may take after the calls are gone */
	FAILED_CLOSE_MS = 3000, /* the same when the member has failed: its disk may never answer */
	ERROR_BYTES_MAX = 1024,
	OWN_FDS = 150, /* kept from connections, for the log and all else: as many as etcd keeps */
	SAME_SIGNAL_MS = 200, /* what comes so soon after the first signal is the same one */
};

struct listener {
	struct listener *next;
	const struct es_url *url;
	uint16_t port; /* bound */
	const char *address;
	unsigned faces;
	bool metrics;
};

struct es_server {
	const struct es_config *config;
	const struct es_log *log;
	const struct es_mem *mem;
	struct es_arena arena; /* texts that live as long as the server */
	uv_loop_t loop;
	uv_signal_t terminate, interrupt;
	uv_timer_t patience; /* runs while stopping */
	uint64_t fds;        /* the limit of open files; 0: not known */
	struct es_member_parts member;
	struct es_rpc_server *rpc;
	struct es_metrics *metrics;
	struct es_health *health;
	struct es_api *api;
	struct listener *listeners;
	struct listener **listeners_end;
	int exit_status;
	bool started; /* everything is up but, perhaps, a leader */
	bool has_leader;
	bool ready; /* and all know this member's name and URLs */
	bool serving;
	bool stopping;
	uint64_t signal_ms; /* when the first signal came */
	bool rpc_done;      /* no listener and no call is left */
	char errmsg[ERROR_BYTES_MAX];
};

#define FATAL(server, message) \
	es_log((server)->log, ES_LOG_FATAL, message, ES_STR("error", (server)->errmsg))

/* ---- stopping -------------------------------------------------------------------------------- */

static void stop_handles(struct es_server *s)
{
	uv_close((uv_handle_t *)&s->terminate, NULL);
	uv_close((uv_handle_t *)&s->interrupt, NULL);
	uv_close((uv_handle_t *)&s->patience, NULL);
}

static void engine_closed(void *ctx)
{
	stop_handles(ctx);
}

static void api_closed(void *ctx)
{
	struct es_server *s = ctx;

	s->api = NULL;
	es_member_close(&s->member, engine_closed, s);
}

static void rpc_stopped(void *ctx)
{
	struct es_server *s = ctx;

	s->rpc_done = true;
	if (s->api != NULL)
		es_api_close(s->api, api_closed, s);
	else
		api_closed(s);
}

/* Whatever is waited for does not come. Nothing that was answered is lost: it was on disk then. */
static void out_of_patience(uv_timer_t *timer)
{
	struct es_server *s = timer->data;

	es_log(s->log, ES_LOG_FATAL, "stopping in order takes too long; exiting");
	_exit(1);
}

static void stop(struct es_server *s, uint64_t grace_ms)
{
	uint64_t patience_ms = grace_ms + (s->exit_status == 0 ? CLOSE_MS : FAILED_CLOSE_MS);

	(void)uv_timer_start(&s->patience, out_of_patience, patience_ms, 0);
	if (s->stopping) {
		if (grace_ms == 0 && s->rpc != NULL && !s->rpc_done)
			es_rpc_server_stop(s->rpc, 0, rpc_stopped, s);
		return;
	}
	s->stopping = true;
	(void)es_process_notify("STOPPING=1");
	if (s->api != NULL)
		es_api_set_serving(s->api, false);
	if (s->rpc != NULL)
		es_rpc_server_stop(s->rpc, grace_ms, rpc_stopped, s);
	else
		rpc_stopped(s);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct es_server *s = handle->data;
	const char *name = number == SIGTERM ? "terminated" : "interrupt";
	uint64_t now_ms = uv_hrtime() / 1000000;

	/* Ctrl-C goes to the whole process group, and whoever runs us may pass it on. */
	if (s->signal_ms != 0 && now_ms - s->signal_ms < SAME_SIGNAL_MS)
		return;
	if (s->stopping) {
		es_log(s->log, ES_LOG_WARN, "received a second signal; exiting at once",
		       ES_STR("signal", name));
		_exit(128 + number);
	}
	s->signal_ms = now_ms;
	es_log(s->log, ES_LOG_INFO, "received signal; shutting down", ES_STR("signal", name));
	stop(s, GRACE_MS + 2 * (uint64_t)s->config->election_ms);
}

/* ---- what the engine says -------------------------------------------------------------------- */

static void serve(struct es_server *s)
{
	es_health_set_ready(s->health);
	if (s->serving)
		return;
	s->serving = true;
	es_log(s->log, ES_LOG_INFO, "ready to serve client requests");
	for (const struct listener *l = s->listeners; l != NULL; l = l->next) {
		if (l->metrics)
			continue;
		es_log(s->log, ES_LOG_INFO,
		       "serving client traffic insecurely; this is strongly discouraged!",
		       ES_STR("traffic", l->faces == ES_RPC_FACE_GRPC   ? "grpc"
					 : l->faces == ES_RPC_FACE_HTTP ? "http"
									: "grpc+http"),
		       ES_STR("address", l->address));
	}
	if (es_process_notify("READY=1") < 0)
		es_log(s->log, ES_LOG_WARN, "failed to notify init daemon of readiness");
}

static void engine_ready(void *ctx)
{
	struct es_server *s = ctx;

	s->ready = true;
	if (s->started && !s->stopping)
		serve(s);
}

static void engine_leader(void *ctx, bool has_leader)
{
	struct es_server *s = ctx;

	s->has_leader = has_leader;
	if (s->api != NULL && !s->stopping)
		es_api_set_serving(s->api, has_leader);
}

static void engine_failed(void *ctx, int status, const char *message)
{
	struct es_server *s = ctx;

	(void)status; /* the message says more */
	es_log(s->log, ES_LOG_FATAL, "the member cannot go on", ES_STR("error", message));
	s->exit_status = 1;
	stop(s, 0);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int no_memory(struct es_server *s)
{
	(void)snprintf(s->errmsg, sizeof(s->errmsg), "%s", es_status_text(ES_ENOMEM));
	return ES_ENOMEM;
}

static int start_handles(struct es_server *s)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int rc;

	s->terminate.data = s;
	s->interrupt.data = s;
	s->patience.data = s;
	rc = sigaction(SIGPIPE, &ignore, NULL);
	ES_ASSERT(rc == 0);
	rc = uv_timer_init(&s->loop, &s->patience);
	if (rc == 0)
		rc = uv_signal_init(&s->loop, &s->terminate);
	if (rc == 0)
		rc = uv_signal_init(&s->loop, &s->interrupt);
	if (rc == 0)
		rc = uv_signal_start(&s->terminate, on_signal, SIGTERM);
	if (rc == 0)
		rc = uv_signal_start(&s->interrupt, on_signal, SIGINT);
	return rc == 0 ? 0 : ES_EIO;
}

static int open_rpc(struct es_server *s)
{
	const struct es_config *c = s->config;
	const struct es_rpc_config rpc = {
		.mem = s->mem,
		.env = es_env_system(),
		.log = s->log,
		.loop = &s->loop,
		.max_concurrent_streams = c->max_concurrent_streams,
		.recv_message_bytes_max = (size_t)c->max_request_bytes + MESSAGE_OVERHEAD_BYTES,
		.conn_queue_bytes_max = CONN_QUEUE_BYTES_MAX,
		.keepalive_min_time_ms = c->keepalive_min_time_ms,
		.keepalive_interval_ms = c->keepalive_interval_ms,
		.keepalive_timeout_ms = c->keepalive_timeout_ms,
		.http1_idle_ms = HTTP1_IDLE_MS,
		.connections_max = s->fds == 0 ? 0 : s->fds - OWN_FDS,
	};
	const struct es_metrics_config metrics = {
		.mem = s->mem,
		.env = es_env_system(),
		.log = s->log,
		.extensive = c->extensive_metrics,
		.slow_call_us = c->slow_call_us,
		.version = ENGENHO_VERSION,
	};

	if (es_rpc_server_new(&rpc, &s->rpc) < 0 || es_metrics_new(&metrics, &s->metrics) < 0)
		return no_memory(s);
	es_rpc_set_hooks(s->rpc, es_metrics_hooks(s->metrics));
	return 0;
}

/* "127.0.0.1:2379", "[::1]:2379" or the path of the socket. */
static const char *address_text(struct es_server *s, const struct es_url *url, uint16_t port)
{
	bool v6 = strchr(url->host, ':') != NULL;
	size_t size = strlen(url->host) + 16;
	char *text;

	if (url->path != NULL)
		return url->path;
	text = es_arena_alloc(&s->arena, size);
	if (text != NULL)
		(void)snprintf(text, size, "%s%s%s:%u", v6 ? "[" : "", url->host, v6 ? "]" : "",
			       port);
	return text;
}

static int listen_on(struct es_server *s, const struct es_url_list *urls, unsigned faces,
		     bool metrics)
{
	for (size_t i = 0; i < urls->count; i++) {
		const struct es_url *url = &urls->urls[i];
		const struct es_rpc_listen listen = {
			.host = url->path == NULL ? url->host : NULL,
			.port = url->port,
			.unix_path = url->path,
			.faces = faces,
			.http_paths = metrics ? es_health_metrics_paths : NULL,
			.reuse_port = s->config->reuse_port,
		};
		struct listener *l = es_arena_calloc(&s->arena, 1, sizeof(*l));
		int rc;

		if (l == NULL)
			return no_memory(s);
		rc = es_rpc_server_listen(s->rpc, &listen, &l->port, s->errmsg, sizeof(s->errmsg));
		if (rc < 0)
			return rc;
		*l = (struct listener){NULL,  url,    l->port, address_text(s, url, l->port),
				       faces, metrics};
		if (l->address == NULL)
			return no_memory(s);
		*s->listeners_end = l;
		s->listeners_end = &l->next;
		if (metrics)
			es_log(s->log, ES_LOG_INFO, "serving metrics",
			       ES_STR("address", l->address));
	}
	return 0;
}

static int listen_all(struct es_server *s)
{
	const struct es_config *c = s->config;
	bool split = c->listen_client_http.count > 0;
	int rc = listen_on(s, &c->listen_client, ES_RPC_FACE_GRPC | (split ? 0 : ES_RPC_FACE_HTTP),
			   false);

	if (rc == 0)
		rc = listen_on(s, &c->listen_client_http, ES_RPC_FACE_HTTP, false);
	if (rc == 0)
		rc = listen_on(s, &c->listen_metrics, ES_RPC_FACE_HTTP, true);
	return rc;
}

/* The port that took the place of port 0 in a URL to advertise: that of the listener with port
 * 0, if any. */
static uint16_t bound_port(const struct es_server *s)
{
	uint16_t port = 0;

	for (const struct listener *l = s->listeners; l != NULL; l = l->next)
		if (!l->metrics && (l->faces & ES_RPC_FACE_GRPC) != 0 && l->url->path == NULL &&
		    l->url->port == 0)
			port = l->port;
	return port;
}

/* The client URLs to advertise, NULL behind the last. NULL: no memory. */
static const char *const *client_urls(struct es_server *s)
{
	const struct es_url_list *list = &s->config->advertise_client;
	const char **texts = es_arena_calloc(&s->arena, list->count + 1, sizeof(*texts));

	for (size_t i = 0; texts != NULL && i < list->count; i++) {
		const struct es_url *url = &list->urls[i];
		struct es_url bound;

		texts[i] = url->text;
		if (url->path != NULL || url->port != 0)
			continue;
		if (es_url_rewrite(&s->arena, url, url->host, bound_port(s), &bound) < 0)
			return NULL;
		texts[i] = bound.text;
	}
	return texts;
}

static int open_engine(struct es_server *s)
{
	const char *const *urls = client_urls(s);

	if (urls == NULL)
		return no_memory(s);
	return es_member_open(&s->member, urls, s->errmsg, sizeof(s->errmsg));
}

static int open_api(struct es_server *s)
{
	const struct es_api_config api = {
		.mem = s->mem,
		.env = es_env_system(),
		.log = s->log,
		.loop = &s->loop,
		.max_request_bytes = s->config->max_request_bytes,
		.max_txn_ops = s->config->max_txn_ops,
		.watch_progress_interval_ms = s->config->progress_notify_ms,
		.version = ES_ETCD_VERSION,
	};
	const struct es_health_config health = {
		.mem = s->mem,
		.log = s->log,
		.engine = s->member.engine,
		.server = s->rpc,
		.metrics = s->metrics,
		.version = ENGENHO_VERSION,
	};

	if (es_health_new(&health, &s->health) < 0 ||
	    es_api_register(s->rpc, s->member.engine, &api, &s->api) < 0 ||
	    es_rpc_register_reflection(s->rpc) < 0)
		return no_memory(s);
	return 0;
}

static void log_start(struct es_server *s)
{
	const struct es_config *c = s->config;
	const char *peer_urls = es_urls_join(&s->arena, &c->listen_peer);
	char cluster[24], member[24];

	(void)snprintf(cluster, sizeof(cluster), "%llx", (unsigned long long)s->member.ids.cluster_id);
	(void)snprintf(member, sizeof(member), "%llx", (unsigned long long)s->member.ids.member_id);
	es_log(s->log, ES_LOG_INFO, "starting engenho-store", ES_STR("version", ENGENHO_VERSION),
	       ES_STR("etcd-version", ES_ETCD_VERSION), ES_STR("name", c->name),
	       ES_STR("data-dir", c->data_dir), ES_STR("local-member-id", member),
	       ES_STR("cluster-id", cluster), ES_UINT("heartbeat-ms", c->heartbeat_ms),
	       ES_UINT("election-ms", c->election_ms),
	       ES_UINT("snapshot-count", c->checkpoint_entries),
	       ES_INT("quota-backend-bytes", c->quota_bytes),
	       ES_UINT("max-request-bytes", c->max_request_bytes),
	       ES_STR("initial-cluster", c->initial_cluster),
	       ES_STR("initial-cluster-token", c->initial_cluster_token),
	       ES_UINT("fd-limit", s->fds));
	if (c->advertise_host != NULL)
		es_log(s->log, ES_LOG_INFO, "detected default host for advertise",
		       ES_STR("host", c->advertise_host));
	es_log(s->log, ES_LOG_INFO,
	       "nothing listens on peer URLs yet: this member is the only one of its cluster",
	       ES_STR("listen-peer-urls", peer_urls == NULL ? "" : peer_urls));
	if (c->unsafe_no_fsync)
		es_log(s->log, ES_LOG_WARN, "fsync is off: a crash of the machine loses data");
}

static int look_at_fds(struct es_server *s)
{
	s->fds = es_process_raise_fd_limit();
	if (s->fds == 0 || s->fds > OWN_FDS)
		return 0;
	(void)snprintf(
		s->errmsg, sizeof(s->errmsg),
		"the limit of open files is %llu, and %d are kept for the log and the like, so no "
		"client could connect; raise it (ulimit -n, LimitNOFILE=)",
		(unsigned long long)s->fds, OWN_FDS);
	return ES_EINVAL;
}

static int start(struct es_server *s)
{
	int rc = look_at_fds(s);

	if (rc == 0)
		rc = es_member_claim(&s->member, s->errmsg, sizeof(s->errmsg));
	if (rc == 0)
		rc = open_rpc(s);
	if (rc == 0)
		rc = listen_all(s);
	if (rc < 0)
		return rc;
	log_start(s);
	rc = open_engine(s);
	if (rc == 0)
		rc = open_api(s);
	if (rc < 0)
		return rc;
	s->started = true;
	es_api_set_serving(s->api, s->has_leader);
	if (s->ready)
		serve(s);
	return 0;
}

/* What has no life of its own on the loop. */
static void release(struct es_server *s)
{
	if (s->rpc != NULL)
		es_rpc_server_free(s->rpc);
	es_health_free(s->health);
	es_metrics_free(s->metrics);
	es_member_release(&s->member);
	es_arena_close(&s->arena);
}

int es_server_run(const struct es_config *config, const struct es_log *log)
{
	struct es_server server = {.config = config, .log = log, .mem = es_mem_default()};
	struct es_server *s = &server;
	int rc = uv_loop_init(&s->loop);

	if (rc < 0) {
		(void)snprintf(s->errmsg, sizeof(s->errmsg), "%s", uv_strerror(rc));
		FATAL(s, "cannot start");
		return 1;
	}
	es_arena_init(&s->arena, s->mem, 4096);
	s->member = (struct es_member_parts){
		.config = config,
		.mem = s->mem,
		.env = es_env_system(),
		.log = log,
		.loop = &s->loop,
		.written_by = "engenho-store " ENGENHO_VERSION,
		.failed = engine_failed,
		.ready = engine_ready,
		.leader = engine_leader,
		.ctx = s,
	};
	s->listeners_end = &s->listeners;
	rc = start_handles(s);
	ES_ASSERT(rc == 0); /* nothing but the loop's own pipe is needed */
	rc = start(s);
	if (rc < 0) {
		FATAL(s, "cannot start");
		s->exit_status = 1;
		stop(s, 0);
	}
	(void)uv_run(&s->loop, UV_RUN_DEFAULT);
	ES_ASSERT(s->stopping && s->member.engine == NULL);
	release(s);
	rc = uv_loop_close(&s->loop);
	ES_ASSERT(rc == 0);
	if (s->exit_status == 0)
		es_log(log, ES_LOG_INFO, "stopped", ES_STR("name", config->name),
		       ES_STR("data-dir", config->data_dir));
	return s->exit_status;
}
