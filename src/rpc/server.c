/*
 * The server: what is registered, who listens, and when it stops.
 *
 * Two timers. `deadline` is set to the next slot of the wheel that holds a call; it sleeps when no
 * call has a deadline. `tick` looks at every connection once a second while there are any:
 * keepalive, idle and half requests are about seconds.
 *
 * Stopping: listeners close, connections drain, and when the last is gone (the grace time sees to
 * it) the net and the timers close; `stopped` is the last call.
 */
#include "rpc/internal.h"

#include <stdio.h>
#include <uv.h>

#define REQUEST_BYTES_DEFAULT ((size_t)64 << 20)
#define TICK_MS               1000
#define TICK_STOPPING_MS      50

struct es_rpc_timers {
	uv_timer_t deadline;
	uv_timer_t tick;
	uint64_t armed_ms; /* when `deadline` comes; UINT64_MAX: it sleeps */
	unsigned open;     /* handles, and the net */
};

struct listener {
	struct es_queue link;
	struct es_rpc_server *server;
	struct es_net_listener *net;
	struct es_rpc_face face;
};

static const uint64_t path_key[2] = {0x656e67656e686f2d, 0x73746f72652d7270};

/* ---- timers --------------------------------------------------------------------------- */

static uint64_t read_clock(struct es_rpc_server *server)
{
	server->now_ms = server->config.env->now_ms(server->config.env->ctx);
	return server->now_ms;
}

static void fire_deadline(struct es_wheel_item *item, void *ctx)
{
	(void)ctx;
	es_call_deadline_passed(ES_CONTAINER_OF(item, struct es_rpc_call, deadline));
}

static void on_deadline(uv_timer_t *timer);

static void arm_deadline(struct es_rpc_server *server, uint64_t due_ms)
{
	struct es_rpc_timers *timers = server->timers;

	if (timers == NULL || due_ms >= timers->armed_ms)
		return;
	timers->armed_ms = due_ms;
	uv_timer_start(&timers->deadline, on_deadline,
		       due_ms > server->now_ms ? due_ms - server->now_ms : 0, 0);
}

static void on_deadline(uv_timer_t *timer)
{
	struct es_rpc_server *server = timer->data;

	server->timers->armed_ms = UINT64_MAX;
	es_wheel_advance(&server->deadlines, read_clock(server), fire_deadline, NULL);
	arm_deadline(server, es_wheel_next_ms(&server->deadlines));
}

void es_rpc_deadline_added(struct es_rpc_server *server, uint64_t due_ms)
{
	arm_deadline(server, due_ms + ES_WHEEL_TICK_MS);
}

static void abandon_all(struct es_rpc_server *server)
{
	struct es_queue *next;

	for (struct es_queue *q = server->conns.next; q != &server->conns; q = next) {
		next = q->next;
		es_rpc_conn_abandon(ES_QUEUE_ITEM(q, struct es_rpc_conn, link));
	}
}

void es_rpc_server_tick(struct es_rpc_server *server, uint64_t now_ms)
{
	struct es_queue *next;

	server->now_ms = now_ms;
	es_gateway_sweep(server);
	es_wheel_advance(&server->deadlines, now_ms, fire_deadline, NULL);
	for (struct es_queue *q = server->conns.next; q != &server->conns; q = next) {
		next = q->next;
		es_rpc_conn_tick(ES_QUEUE_ITEM(q, struct es_rpc_conn, link), now_ms);
	}
	if (server->stopping && !server->grace_over && now_ms >= server->grace_until_ms) {
		server->grace_over = true;
		abandon_all(server);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct es_rpc_server *server = timer->data;

	if (es_queue_empty(&server->conns))
		uv_timer_stop(timer);
	else
		es_rpc_server_tick(server, read_clock(server));
}

static void start_ticking(struct es_rpc_server *server, uint64_t every_ms)
{
	if (server->timers != NULL)
		uv_timer_start(&server->timers->tick, on_tick, every_ms, every_ms);
}

static int timers_new(struct es_rpc_server *server)
{
	struct es_rpc_timers *timers = es_calloc(server->mem, 1, sizeof(*timers));

	if (timers == NULL)
		return ES_ENOMEM;
	uv_timer_init(server->config.loop, &timers->deadline);
	uv_timer_init(server->config.loop, &timers->tick);
	timers->deadline.data = server;
	timers->tick.data = server;
	timers->armed_ms = UINT64_MAX;
	timers->open = 3;
	server->timers = timers;
	return 0;
}

/* ---- the server ----------------------------------------------------------------------- */

static void destroy(struct es_rpc_server *server)
{
	while (!es_queue_empty(&server->conns)) /* only without a loop */
		es_rpc_conn_free(ES_QUEUE_ITEM(server->conns.next, struct es_rpc_conn, link));
	es_gateway_free(server);
	ES_ASSERT(server->calls_live == 0); /* es_rpc_call_release is missing */
	while (!es_queue_empty(&server->listeners)) {
		struct listener *listener = ES_QUEUE_ITEM(es_queue_pop(&server->listeners),
							  struct listener, link);

		es_free(server->mem, listener);
	}
	while (server->method_blocks != NULL) {
		struct es_rpc_entries *block = server->method_blocks;

		server->method_blocks = block->next;
		es_free(server->mem, block);
	}
	while (server->handlers != NULL) {
		struct es_http_entry *entry = server->handlers;

		server->handlers = entry->next;
		es_free(server->mem, entry);
	}
	es_table_close(&server->methods);
	es_rpc_free_calls(server);
	es_pool_close(&server->pool);
	es_h2_teardown(server);
	es_free(server->mem, server->timers);
	es_free(server->mem, server);
}

int es_rpc_server_new(const struct es_rpc_config *config, struct es_rpc_server **ret_server)
{
	struct es_rpc_server *server = es_calloc(config->mem, 1, sizeof(*server));
	int rc;

	if (server == NULL)
		return ES_ENOMEM;
	server->config = *config;
	server->mem = config->mem;
	if (server->config.conn_request_bytes_max == 0)
		server->config.conn_request_bytes_max = REQUEST_BYTES_DEFAULT;
	es_pool_init(&server->pool, server->mem);
	es_queue_init(&server->listeners);
	es_queue_init(&server->conns);
	es_wheel_init(&server->deadlines, read_clock(server));
	rc = es_table_init(&server->methods, server->mem);
	if (rc < 0)
		goto fail;
	rc = es_h2_setup(server);
	if (rc < 0)
		goto fail;
	if (config->loop != NULL) {
		rc = es_net_new(config->loop, server->mem, &server->net);
		if (rc < 0)
			goto fail;
		es_net_limit(server->net, config->connections_max);
		rc = timers_new(server);
		if (rc < 0) {
			es_net_close(server->net, NULL, NULL);
			goto fail;
		}
	}
	*ret_server = server;
	return 0;
fail:
	destroy(server);
	return rc;
}

void es_rpc_server_free(struct es_rpc_server *server)
{
	if (server == NULL)
		return;
	ES_ASSERT(server->net == NULL); /* `stopped` was called */
	destroy(server);
}

/* ---- registration --------------------------------------------------------------------- */

static struct es_slice write_path(char *at, const struct es_rpc_method *method)
{
	size_t size = strlen(method->service) + strlen(method->name) + 3;

	snprintf(at, size, "/%s/%s", method->service, method->name);
	return es_slice(at, size - 1);
}

int es_rpc_register(struct es_rpc_server *server, const struct es_rpc_method *methods, size_t count,
		    void *service_ctx)
{
	size_t size = sizeof(struct es_rpc_entries) + count * sizeof(struct es_rpc_entry);
	struct es_rpc_entries *block;
	char *text;

	for (size_t i = 0; i < count; i++)
		size += strlen(methods[i].service) + strlen(methods[i].name) + 3;
	block = es_calloc(server->mem, 1, size);
	if (block == NULL)
		return ES_ENOMEM;
	text = (char *)&block->entries[count];
	for (size_t i = 0; i < count; i++) {
		struct es_rpc_entry *entry = &block->entries[i];

		entry->method = &methods[i];
		entry->ctx = service_ctx;
		entry->path = write_path(text, &methods[i]);
		text += entry->path.len + 1;
		ES_ASSERT(es_rpc_find_method(server, entry->path) == NULL);
		es_table_insert(&server->methods, &entry->node, es_siphash(path_key, entry->path));
	}
	block->count = count;
	block->next = server->method_blocks;
	server->method_blocks = block;
	return 0;
}

const struct es_rpc_entry *es_rpc_find_method(const struct es_rpc_server *server,
					      struct es_slice path)
{
	struct es_table_node *node = es_table_first(&server->methods, es_siphash(path_key, path));

	for (; node != NULL; node = es_table_next(node)) {
		const struct es_rpc_entry *entry = ES_CONTAINER_OF(node, struct es_rpc_entry, node);

		if (es_slice_eq(entry->path, path))
			return entry;
	}
	return NULL;
}

bool es_rpc_has_service(const struct es_rpc_server *server, struct es_slice service)
{
	for (const struct es_rpc_entries *block = server->method_blocks; block != NULL;
	     block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			if (es_slice_eq(es_slice_str(block->entries[i].method->service), service))
				return true;
		}
	}
	return false;
}

int es_http_register(struct es_rpc_server *server, const struct es_http_handler *handlers,
		     size_t count, void *ctx)
{
	for (size_t i = 0; i < count; i++) {
		struct es_http_entry *entry = es_calloc(server->mem, 1, sizeof(*entry));

		if (entry == NULL)
			return ES_ENOMEM;
		*entry = (struct es_http_entry){server->handlers, &handlers[i], ctx};
		server->handlers = entry;
	}
	return 0;
}

void es_rpc_set_hooks(struct es_rpc_server *server, const struct es_rpc_hooks *hooks)
{
	server->hooks = *hooks;
}

void es_rpc_get_stats(const struct es_rpc_server *server, struct es_rpc_stats *ret_stats)
{
	struct es_net_stats net = {0};

	if (server->net != NULL)
		es_net_get_stats(server->net, &net);
	*ret_stats = (struct es_rpc_stats){net.connections_open, net.connections_total,
					   net.bytes_received, net.bytes_sent, net.bytes_queued};
}

/* ---- listening and stopping ----------------------------------------------------------- */

static void accepted(void *ctx, struct es_net_conn *net)
{
	struct listener *listener = ctx;
	struct es_rpc_server *server = listener->server;
	struct es_rpc_conn *conn;

	if (server->stopping || es_rpc_conn_new(server, &listener->face, net, &conn) < 0) {
		es_net_conn_close(net);
		return;
	}
	if (!uv_is_active((uv_handle_t *)&server->timers->tick))
		start_ticking(server, TICK_MS);
	es_net_conn_start(net, &es_rpc_net_protocol, conn);
}

int es_rpc_server_listen(struct es_rpc_server *server, const struct es_rpc_listen *listen,
			 uint16_t *ret_port, char *errmsg, size_t errmsg_size)
{
	struct es_net_address address = {listen->host, listen->port, listen->unix_path,
					 listen->reuse_port};
	struct listener *listener = es_calloc(server->mem, 1, sizeof(*listener));
	int rc;

	ES_ASSERT(server->net != NULL && !server->stopping);
	if (listener == NULL) {
		snprintf(errmsg, errmsg_size, "%s", es_status_text(ES_ENOMEM));
		return ES_ENOMEM;
	}
	listener->server = server;
	listener->face = (struct es_rpc_face){listen->faces, listen->http_paths};
	rc = es_net_listen(server->net, &address, accepted, listener, &listener->net, ret_port,
			   errmsg, errmsg_size);
	if (rc < 0) {
		es_free(server->mem, listener);
		return rc;
	}
	es_queue_push(&server->listeners, &listener->link);
	return 0;
}

static void one_closed(struct es_rpc_server *server)
{
	if (--server->timers->open == 0)
		server->stopped(server->stopped_ctx);
}

static void on_net_closed(void *ctx)
{
	one_closed(ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
	one_closed(handle->data);
}

static void close_all(struct es_rpc_server *server)
{
	if (server->net == NULL)
		return;
	es_net_close(server->net, on_net_closed, server);
	server->net = NULL;
	uv_close((uv_handle_t *)&server->timers->deadline, on_timer_closed);
	uv_close((uv_handle_t *)&server->timers->tick, on_timer_closed);
}

void es_rpc_conn_gone(struct es_rpc_server *server)
{
	if (server->stopping && es_queue_empty(&server->conns))
		close_all(server);
}

void es_rpc_server_stop(struct es_rpc_server *server, uint64_t grace_ms, void (*stopped)(void *ctx),
			void *ctx)
{
	struct es_queue *next;
	uint64_t until_ms = read_clock(server) + grace_ms;

	server->stopped = stopped;
	server->stopped_ctx = ctx;
	if (!server->stopping || until_ms < server->grace_until_ms)
		server->grace_until_ms = until_ms;
	if (!server->stopping) {
		server->stopping = true;
		for (struct es_queue *q = server->listeners.next; q != &server->listeners;
		     q = q->next)
			es_net_listener_close(ES_QUEUE_ITEM(q, struct listener, link)->net);
		for (struct es_queue *q = server->conns.next; q != &server->conns; q = next) {
			next = q->next;
			es_rpc_conn_drain(ES_QUEUE_ITEM(q, struct es_rpc_conn, link));
		}
		start_ticking(server, TICK_STOPPING_MS);
	}
	if (grace_ms == 0)
		es_rpc_server_tick(server, server->now_ms);
	if (es_queue_empty(&server->conns))
		close_all(server);
}
