#include <inttypes.h>
#include <stdio.h>

#include "typed/internal.h"

/*
 * The loop's side of the module: one idle handle that runs while a list or a watch has work, so that
 * none of them is served from inside an apply, and one timer for those that wait for a time.
 */
#define TICK_MS 50

uint64_t es_typed_now_ms(const struct es_typed *t)
{
	return t->config.env->now_ms(t->config.env->ctx);
}

static void on_idle(uv_idle_t *idle)
{
	struct es_typed *t = idle->data;
	bool lists = es_typed_lists_work(t);
	bool watches = es_typed_watches_work(t);

	if (!lists && !watches)
		(void)uv_idle_stop(idle);
}

void es_typed_work(struct es_typed *t)
{
	if (!t->closing)
		(void)uv_idle_start(&t->idle, on_idle);
}

static void on_timer(uv_timer_t *timer)
{
	struct es_typed *t = timer->data;
	uint64_t now_ms = es_typed_now_ms(t);
	bool lists = es_typed_lists_tick(t, now_ms);
	bool watches = es_typed_watches_tick(t, now_ms);

	if (!lists && !watches)
		(void)uv_timer_stop(timer);
}

void es_typed_tick_wanted(struct es_typed *t)
{
	if (!t->closing && !uv_is_active((uv_handle_t *)&t->timer))
		(void)uv_timer_start(&t->timer, on_timer, TICK_MS, TICK_MS);
}

int es_typed_new(const struct es_typed_config *config, struct es_typed **ret_typed)
{
	struct es_typed *t = es_calloc(config->mem, 1, sizeof(*t));

	if (t == NULL)
		return ES_ENOMEM;
	t->config = *config;
	if (t->config.wait_ms == 0)
		t->config.wait_ms = 3000;
	es_buf_init(&t->text, config->mem);
	es_queue_init(&t->waiting);
	es_queue_init(&t->running);
	es_queue_init(&t->asking);
	es_queue_init(&t->watches);
	es_queue_init(&t->woken);
	(void)uv_timer_init(config->loop, &t->timer);
	(void)uv_idle_init(config->loop, &t->idle);
	t->timer.data = t;
	t->idle.data = t;
	t->handles_open = 2;
	*ret_typed = t;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct es_typed *t = handle->data;
	void (*closed)(void *ctx) = t->closed;
	void *ctx = t->closed_ctx;

	if (--t->handles_open > 0)
		return;
	es_buf_close(&t->text);
	es_free(t->config.mem, t);
	closed(ctx);
}

void es_typed_close(struct es_typed *t, void (*closed)(void *ctx), void *ctx)
{
	ES_ASSERT(!t->closing && es_queue_empty(&t->watches));
	t->closing = true;
	t->closed = closed;
	t->closed_ctx = ctx;
	es_typed_lists_stop(t);
	uv_close((uv_handle_t *)&t->timer, on_closed);
	uv_close((uv_handle_t *)&t->idle, on_closed);
}

const char *es_typed_text(int status, int64_t revision, int64_t current, char *out, size_t size)
{
	switch (status) {
	case ES_ECOMPACTED:
		(void)snprintf(out, size, "too old resource version: %" PRId64, revision);
		return out;
	case ES_EFUTURE_REV:
		(void)snprintf(out, size,
			       "too large resource version: %" PRId64 ", current: %" PRId64,
			       revision, current);
		return out;
	default: return es_status_text(status);
	}
}

int es_typed_prefix_range(struct es_slice prefix, struct es_buf *end,
			  struct es_mvcc_range *ret_range)
{
	int rc = es_buf_append_slice(end, prefix);

	if (rc < 0)
		return rc;
	ES_ASSERT(end->len > 0 && end->data[end->len - 1] < 255);
	end->data[end->len - 1]++;
	*ret_range = (struct es_mvcc_range){prefix, es_buf_slice(end)};
	return 0;
}
