/*
 * Server-side apply. The first byte: bit 0 is force, bit 1 takes a built-in kind's schema. Then lines:
 * the object (empty: there is none), and what the managers a and b apply in turn.
 */
#include "base/assert.h"
#include "base/json.h"
#include "resource/patch.h"
#include "resource/rules.h"
#include "resource/schema.h"
#include "resource/util.h"

#define APPLIES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct es_slice next_line(struct es_slice *rest)
{
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
	size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
	struct es_slice line = es_slice(rest->data, len);

	*rest = end == NULL ? es_slice(NULL, 0) : es_slice(end + 1, rest->len - len - 1);
	return line;
}

static bool parse(struct es_slice line, struct es_arena *arena, struct es_json *ret_value)
{
	struct es_json_error error;

	return es_json_parse(line, ES_JSON_DEPTH_MAX, arena, ret_value, &error) == 0;
}

/* What was written can be read, and is the same. */
static void check_value(const struct es_json *value)
{
	struct es_arena arena;
	struct es_json again;
	struct es_buf buf;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&buf, es_mem_default());
	ES_ASSERT(es_json_write(&buf, value) == 0);
	ES_ASSERT(parse(es_buf_slice(&buf), &arena, &again));
	ES_ASSERT(es_json_eq(value, &again));
	es_buf_close(&buf);
	es_arena_close(&arena);
}

static void check_conflicts(const struct es_resource_cause *causes, size_t count)
{
	ES_ASSERT(count > 0);
	for (size_t i = 0; i < count; i++) {
		ES_ASSERT(causes[i].field.len > 0);
		ES_ASSERT(es_resource_is_utf8(causes[i].field));
		ES_ASSERT(es_resource_is_utf8(causes[i].manager));
		ES_ASSERT(i == 0 || es_slice_cmp(causes[i - 1].manager, causes[i].manager) <= 0);
	}
}

static void run(struct es_slice rest, bool force, const struct es_schema *schema,
		struct es_arena *arena)
{
	struct es_json object, config;
	struct es_slice line = next_line(&rest);
	bool exists = line.len > 0;

	if (exists && !parse(line, arena, &object))
		return;
	for (unsigned i = 0; i < APPLIES_MAX && rest.len > 0; i++) {
		const struct es_apply apply = {
			.manager = i % 2 == 0 ? ES_SLICE("a") : ES_SLICE("b"),
			.time = ES_SLICE("2024-01-01T00:00:00Z"),
			.force = force,
		};
		const struct es_resource_cause *causes = NULL;
		struct es_json result;
		size_t count = 0;
		char errmsg[64] = "";
		int rc;

		if (!parse(next_line(&rest), arena, &config))
			return;
		rc = es_patch_apply(exists ? &object : NULL, &config, schema, &apply, arena,
				    &result, &causes, &count, errmsg, sizeof(errmsg));
		ES_ASSERT(rc == 0 || rc == ES_EINVAL || (rc == ES_EEXIST && !force));
		ES_ASSERT((rc == 0) == (errmsg[0] == '\0'));
		ES_ASSERT(es_resource_is_utf8(es_slice_str(errmsg)));
		if (rc == ES_EEXIST)
			check_conflicts(causes, count);
		if (rc < 0)
			continue;
		check_value(&result);
		object = result;
		exists = true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_arena arena;

	if (size == 0)
		return 0;
	es_arena_init(&arena, es_mem_default(), 4096);
	run(es_slice(data + 1, size - 1), (data[0] & 1) != 0,
	    (data[0] & 2) == 0 ? NULL
			       : es_schema_find(ES_SLICE(""), ES_SLICE("v1"), ES_SLICE("Service")),
	    &arena);
	es_arena_close(&arena);
	return 0;
}
