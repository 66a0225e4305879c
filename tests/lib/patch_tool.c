/*
 * The patches as a process, for tests in other languages: reads requests, one JSON object a line, and
 * writes one answer each.
 *
 *   {"type":"strategic","group":G,"version":V,"kind":K,"target":T,"patch":P}
 *   {"result":R}, {"error":TEXT} when the patch is refused
 *   {"type":"apply","group":G,"version":V,"kind":K,"target":T or null,"config":C,"manager":M,"force":B,
 *    "time":TIME}
 *   {"result":R}, {"error":TEXT}, {"conflicts":[[MANAGER,FIELD],...],"error":TEXT}
 *   {"type":"selector","labels":L,"fields":F,"target":T}
 *   {"result":whether it is selected}, {"error":TEXT}
 *
 * A type is a function and a line in the table below. What is not a request ends the process.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "resource/patch.h"
#include "resource/rules.h"
#include "resource/schema.h"
#include "resource/selector.h"

#define ERRMSG_BYTES 1024

struct request {
	const struct es_json *all;
	const struct es_json *target, *patch; /* NULL: not there */
	const struct es_schema *schema;       /* of group, version and kind; NULL: not built in */
};

struct answer {
	struct es_json result;
	struct es_json more; /* an object: further members of the answer */
	char errmsg[ERRMSG_BYTES];
};

static int run_strategic(const struct request *request, struct es_arena *arena,
			 struct answer *answer)
{
	return es_patch_strategic(request->target, request->patch, request->schema, arena,
				  &answer->result, answer->errmsg, sizeof(answer->errmsg));
}

static int list_conflicts(const struct es_resource_cause *causes, size_t count,
			  struct es_arena *arena, struct es_json *ret_list)
{
	struct es_json *items = es_arena_alloc(arena, count * 3 * sizeof(*items));

	if (items == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct es_json *pair = items + count + 2 * i;

		pair[0] = es_json_string(causes[i].manager);
		pair[1] = es_json_string(causes[i].field);
		items[i] = (struct es_json){ES_JSON_ARRAY, 2, {.items = pair}};
	}
	*ret_list = (struct es_json){ES_JSON_ARRAY, (uint32_t)count, {.items = items}};
	return 0;
}

static int run_apply(const struct request *request, struct es_arena *arena, struct answer *answer)
{
	const struct es_json *config = es_json_get(request->all, "config");
	const struct es_json *target = request->target;
	const struct es_json *force = es_json_get(request->all, "force");
	const struct es_apply apply = {
		.manager = es_json_as_string(es_json_get(request->all, "manager")),
		.time = es_json_as_string(es_json_get(request->all, "time")),
		.force = es_json_is(force, ES_JSON_BOOL) && force->u.boolean,
	};
	const struct es_resource_cause *causes;
	struct es_json list;
	size_t count;
	int rc;

	if (es_json_is(target, ES_JSON_NULL))
		target = NULL;
	if (config == NULL)
		return ES_EINVAL;
	rc = es_patch_apply(target, config, request->schema, &apply, arena, &answer->result,
			    &causes, &count, answer->errmsg, sizeof(answer->errmsg));
	if (rc != ES_EEXIST)
		return rc;
	rc = list_conflicts(causes, count, arena, &list);
	if (rc == 0)
		rc = es_json_set(arena, &answer->more, ES_SLICE("conflicts"), &list, &answer->more);
	return rc == 0 ? ES_EEXIST : rc;
}

static int run_selector(const struct request *request, struct es_arena *arena,
			struct answer *answer)
{
	const struct es_selector *selector;
	int rc = es_selector_parse(es_json_as_string(es_json_get(request->all, "labels")),
				   es_json_as_string(es_json_get(request->all, "fields")), arena,
				   &selector, answer->errmsg, sizeof(answer->errmsg));

	if (rc == 0)
		answer->result = es_json_bool(es_selector_matches(selector, request->target));
	return rc;
}

/* A negative answer is an error: errmsg says why, or else its status. */
static const struct {
	const char *type;
	int (*run)(const struct request *request, struct es_arena *arena, struct answer *answer);
} types[] = {
	{"strategic", run_strategic},
	{"apply", run_apply},
	{"selector", run_selector},
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "patch_tool: %s\n", what);
	exit(2);
}

static int run(const struct request *request, struct es_arena *arena, struct answer *answer)
{
	struct es_slice type = es_json_as_string(es_json_get(request->all, "type"));

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (es_slice_eq(type, es_slice_str(types[i].type)))
			return types[i].run(request, arena, answer);
	die("there is no such type");
}

static void serve(struct es_slice line, struct es_arena *arena, struct es_buf *out)
{
	struct es_json all, text;
	struct es_json_error error;
	struct answer answer = {.more = es_json_object()};
	struct request request = {.all = &all};
	int rc = es_json_parse(line, ES_JSON_DEPTH_MAX, arena, &all, &error);

	if (rc < 0)
		die(rc == ES_EDECODE ? error.what : es_status_text(rc));
	request.target = es_json_get(&all, "target");
	request.patch = es_json_get(&all, "patch");
	request.schema = es_schema_find(es_json_as_string(es_json_get(&all, "group")),
					es_json_as_string(es_json_get(&all, "version")),
					es_json_as_string(es_json_get(&all, "kind")));
	rc = run(&request, arena, &answer);
	text = es_json_string(
		es_slice_str(answer.errmsg[0] != '\0' ? answer.errmsg : es_status_text(rc)));
	if (rc < 0)
		rc = es_json_set(arena, &answer.more, ES_SLICE("error"), &text, &answer.more);
	else
		rc = es_json_set(arena, &answer.more, ES_SLICE("result"), &answer.result,
				 &answer.more);
	if (rc < 0 || es_json_write(out, &answer.more) < 0)
		die("out of memory");
}

int main(void)
{
	struct es_arena arena;
	struct es_buf out;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	es_arena_init(&arena, es_mem_default(), 64 << 10);
	es_buf_init(&out, es_mem_default());
	while ((len = getline(&line, &cap, stdin)) > 0) {
		serve(es_slice(line, (size_t)len), &arena, &out);
		if (es_buf_append_str(&out, "\n") < 0 ||
		    fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
			die("cannot write");
		out.len = 0;
		es_arena_reset(&arena);
	}
	free(line);
	es_buf_close(&out);
	es_arena_close(&arena);
	return 0;
}
