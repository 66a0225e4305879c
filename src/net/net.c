/*
 * One es_net per loop. When is the end of a loop turn? libuv runs timers, then prepare handles,
 * then waits for and serves I/O, then check handles. Connections that have something to send are in
 * a list, which the prepare handle flushes: all that timers, I/O and check handles of other modules
 * brought about since the last wait goes out just before the next one, with one write per
 * connection. Should something become dirty after our prepare handle ran (another prepare handle),
 * the idle handle, active while the list is not empty, keeps the loop from waiting.
 *
 * Closing is counted: `closed` is called when the last handle is gone, and is the last thing that
 * happens.
 */
#include "net/internal.h"

static void on_idle(uv_idle_t *handle)
{
	(void)handle; /* it only keeps the loop awake */
}

static void retry_accepts(struct es_net *net)
{
	struct es_queue *next;

	for (struct es_queue *q = net->listeners.next; q != &net->listeners; q = next) {
		struct es_net_listener *listener = ES_QUEUE_ITEM(q, struct es_net_listener, link);

		next = q->next;
		if (!listener->waiting)
			continue;
		if (es_net_conn_accept(listener) < 0)
			return;
		listener->waiting = false;
		es_queue_remove(q); /* the others' turn */
		es_queue_push(&net->listeners, q);
	}
}

static void on_prepare(uv_prepare_t *handle)
{
	struct es_net *net = handle->data;
	struct es_queue batch;
	struct es_queue *item;

	retry_accepts(net);
	es_queue_init(&batch);
	while ((item = es_queue_pop(&net->dirty)) != NULL)
		es_queue_push(&batch, item);
	/* One that could not send all within its share puts itself into the list again. */
	while ((item = es_queue_pop(&batch)) != NULL)
		es_net_conn_flush_now(ES_QUEUE_ITEM(item, struct es_net_conn, dirty_link));
	if (es_queue_empty(&net->dirty))
		uv_idle_stop(&net->idle);
}

void es_net_wake(struct es_net *net)
{
	if (!net->closing)
		uv_idle_start(&net->idle, on_idle);
}

int es_net_new(uv_loop_t *loop, const struct es_mem *mem, struct es_net **ret_net)
{
	struct es_net *net = es_calloc(mem, 1, sizeof(*net));

	if (net == NULL)
		return ES_ENOMEM;
	net->loop = loop;
	net->mem = mem;
	net->in = es_alloc(mem, ES_NET_IN_BYTES);
	net->out = es_alloc(mem, ES_NET_OUT_BYTES);
	if (net->in == NULL || net->out == NULL) {
		es_free(mem, net->in);
		es_free(mem, net->out);
		es_free(mem, net);
		return ES_ENOMEM;
	}
	es_queue_init(&net->conns);
	es_queue_init(&net->listeners);
	es_queue_init(&net->dirty);
	es_queue_init(&net->lingering);
	/* None of these can fail. */
	uv_prepare_init(loop, &net->prepare);
	uv_idle_init(loop, &net->idle);
	uv_timer_init(loop, &net->linger);
	net->prepare.data = net;
	net->idle.data = net;
	net->linger.data = net;
	net->handles_open = 3;
	uv_prepare_start(&net->prepare, on_prepare);
	uv_unref((uv_handle_t *)&net->prepare);
	*ret_net = net;
	return 0;
}

void es_net_limit(struct es_net *net, uint64_t connections_max)
{
	net->connections_max = connections_max;
}

void es_net_handle_closed(struct es_net *net)
{
	void (*closed)(void *ctx) = net->closed;
	void *ctx = net->closed_ctx;

	if (--net->handles_open > 0)
		return;
	ES_ASSERT(net->closing);
	es_free(net->mem, net->in);
	es_free(net->mem, net->out);
	es_free(net->mem, net);
	if (closed != NULL)
		closed(ctx);
}

static void on_own_closed(uv_handle_t *handle)
{
	es_net_handle_closed(handle->data);
}

void es_net_close(struct es_net *net, void (*closed)(void *ctx), void *ctx)
{
	struct es_queue *q;

	ES_ASSERT(!net->closing);
	net->closing = true;
	net->closed = closed;
	net->closed_ctx = ctx;
	while (!es_queue_empty(&net->listeners))
		es_net_listener_close(
			ES_QUEUE_ITEM(net->listeners.next, struct es_net_listener, link));
	for (q = net->conns.next; q != &net->conns; q = q->next)
		es_net_conn_close(ES_QUEUE_ITEM(q, struct es_net_conn, link));
	uv_close((uv_handle_t *)&net->prepare, on_own_closed);
	uv_close((uv_handle_t *)&net->idle, on_own_closed);
	uv_close((uv_handle_t *)&net->linger, on_own_closed);
}

void es_net_get_stats(const struct es_net *net, struct es_net_stats *ret_stats)
{
	*ret_stats = net->stats;
}
