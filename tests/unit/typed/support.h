#ifndef TEST_TYPED_SUPPORT_H
#define TEST_TYPED_SUPPORT_H

#include "engine/support.h"
#include "typed/typed.h"

/* The typed layer on a real engine. */
struct typed_fixture {
	struct fixture *engine;
	struct es_typed *typed;
	bool closed;
};

static inline void typed_on_closed(void *ctx)
{
	((struct typed_fixture *)ctx)->closed = true;
}

static inline void typed_open(struct typed_fixture *f)
{
	struct es_typed_config config = {.mem = es_mem_default()};

	fixture_open(f->engine);
	config.env = &f->engine->env;
	config.loop = &f->engine->loop;
	config.engine = f->engine->engine;
	assert_int_equal(es_typed_new(&config, &f->typed), 0);
}

static inline void typed_close(struct typed_fixture *f)
{
	f->closed = false;
	es_typed_close(f->typed, typed_on_closed, f);
	RUN_UNTIL(f->engine, f->closed);
	fixture_close(f->engine);
	f->typed = NULL;
}

static inline int typed_setup(void **state)
{
	struct typed_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)fixture_setup((void **)&f->engine);
	typed_open(f);
	*state = f;
	return 0;
}

static inline int typed_teardown(void **state)
{
	struct typed_fixture *f = *state;

	if (f->typed != NULL)
		typed_close(f);
	(void)fixture_teardown((void **)&f->engine);
	free(f);
	return 0;
}

static inline struct es_resource_key thing(const char *ns, const char *name)
{
	return (struct es_resource_key){.group = es_slice("", 0),
					.version = ES_SLICE("v1"),
					.kind = ES_SLICE("Thing"),
					.ns = ns == NULL ? es_slice("", 0) : es_slice_str(ns),
					.has_ns = ns != NULL,
					.name = es_slice_str(name)};
}

struct written {
	struct es_typed_write write;
	bool done;
	int status;
	enum es_resource_outcome outcome;
	int64_t revision;
	char object[2048], errmsg[ES_TYPED_TEXT_MAX];
};

static inline void written_done(struct es_engine_op *op, int status)
{
	struct written *w = ES_CONTAINER_OF(op, struct written, write.op);

	w->done = true;
	w->status = status;
	if (status < 0)
		return;
	w->outcome = op->resource->outcome;
	w->revision = op->header.revision;
	assert_true(op->resource->object.len < sizeof(w->object));
	if (op->resource->object.len > 0)
		memcpy(w->object, op->resource->object.data, op->resource->object.len);
	w->object[op->resource->object.len] = '\0';
}

/* Submits and waits; returns the status. */
static inline int typed_write(struct typed_fixture *f, const struct es_resource_command *command,
			      struct written *w)
{
	int rc;

	*w = (struct written){.write.op = {.done = written_done, .arena = &f->engine->arena}};
	rc = es_typed_write(f->typed, &w->write, command, w->errmsg, sizeof(w->errmsg));
	if (rc < 0)
		return rc;
	RUN_UNTIL(f->engine, w->done);
	return w->status;
}

static inline struct es_json json_of(struct typed_fixture *f, const char *text)
{
	struct es_json value;
	struct es_json_error error;

	assert_int_equal(es_json_parse(es_slice_str(text), ES_TYPED_VALUE_DEPTH_MAX,
				       &f->engine->arena, &value, &error),
			 0);
	return value;
}

/* A label selector of about 64 KiB that selects what has no labels. */
static inline struct es_slice large_selector(struct typed_fixture *f)
{
	const size_t size = 65534; /* ends with "!a" */
	char *text = es_arena_alloc(&f->engine->arena, size);

	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = "!a,"[i % 3];
	return es_slice(text, size);
}

/* The revision it was written at. */
static inline int64_t put_thing(struct typed_fixture *f, const char *ns, const char *name,
				const char *value)
{
	const struct es_resource_command command = {
		.kind = ES_RESOURCE_PUT, .key = thing(ns, name), .value = json_of(f, value)};
	struct written w;

	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_true(w.outcome == ES_RESOURCE_CREATED || w.outcome == ES_RESOURCE_REPLACED);
	return w.revision;
}

static inline int64_t delete_thing(struct typed_fixture *f, const char *ns, const char *name)
{
	const struct es_resource_command command = {.kind = ES_RESOURCE_DELETE,
						    .key = thing(ns, name)};
	struct written w;

	assert_int_equal(typed_write(f, &command, &w), 0);
	assert_int_equal(w.outcome, ES_RESOURCE_DELETED);
	return w.revision;
}

static inline void compact_at(struct typed_fixture *f, int64_t revision)
{
	struct waiting w = waiting_new(f->engine);

	assert_int_equal(waiting_end(f->engine, &w,
				     es_engine_compact(f->engine->engine, &w.op, revision, true)),
			 0);
}

#endif
