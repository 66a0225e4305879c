/*
 * Strategic merge patch. The input is three lines: "group/version/kind", the resource, the patch.
 * Whatever they are, the patch is refused with a reason, or the result is a resource in which no
 * directive is left, unless it was there before; a second time is as the first, and the patch does
 * with it what it does.
 */
#include "base/assert.h"
#include "base/json.h"
#include "resource/patch.h"
#include "resource/schema.h"
#include "resource/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct es_slice until(struct es_slice *rest, uint8_t end)
{
	const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
	size_t len = at == NULL ? rest->len : (size_t)(at - rest->data);
	struct es_slice part = es_slice(rest->data, len);

	*rest = at == NULL ? es_slice(NULL, 0) : es_slice(at + 1, rest->len - len - 1);
	return part;
}

static bool has_directives(const struct es_json *value)
{
	if (value->type == ES_JSON_ARRAY)
		for (uint32_t i = 0; i < value->count; i++)
			if (has_directives(&value->u.items[i]))
				return true;
	if (value->type == ES_JSON_OBJECT)
		for (uint32_t i = 0; i < value->count; i++)
			if (es_slice_eq(value->u.members[i].name, ES_SLICE("$patch")) ||
			    es_slice_eq(value->u.members[i].name, ES_SLICE("$retainKeys")) ||
			    has_directives(&value->u.members[i].value))
				return true;
	return false;
}

static void patch_it(const struct es_json *target, const struct es_json *patch,
		     const struct es_schema *schema, struct es_arena *arena)
{
	struct es_json result, again, read;
	struct es_json_error error;
	struct es_buf text;
	char errmsg[128] = "";
	int rc = es_patch_strategic(target, patch, schema, arena, &result, errmsg, sizeof(errmsg));

	ES_ASSERT(rc == 0 || (rc == ES_EINVAL && errmsg[0] != '\0'));
	ES_ASSERT(es_resource_is_utf8(es_slice_str(errmsg)));
	ES_ASSERT(rc ==
		  es_patch_strategic(target, patch, schema, arena, &again, errmsg, sizeof(errmsg)));
	if (rc < 0)
		return;
	ES_ASSERT(es_json_eq(&result, &again));
	ES_ASSERT(has_directives(target) || !has_directives(&result));
	es_buf_init(&text, es_mem_default());
	ES_ASSERT(es_json_write(&text, &result) == 0);
	ES_ASSERT(es_json_parse(es_buf_slice(&text), ES_JSON_DEPTH_MAX, arena, &read, &error) == 0);
	ES_ASSERT(es_json_eq(&result, &read));
	es_buf_close(&text);
	rc = es_patch_strategic(&result, patch, schema, arena, &again, errmsg, sizeof(errmsg));
	ES_ASSERT(rc == 0 || rc == ES_EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice rest = es_slice(data, size), kind = until(&rest, '\n');
	struct es_slice first = until(&rest, '\n'), second = until(&rest, '\n');
	struct es_slice group = until(&kind, '/'), version = until(&kind, '/');
	struct es_json target, patch;
	struct es_json_error error;
	struct es_arena arena;

	es_arena_init(&arena, es_mem_default(), 4096);
	if (es_json_parse(first, ES_JSON_DEPTH_MAX, &arena, &target, &error) == 0 &&
	    es_json_parse(second, ES_JSON_DEPTH_MAX, &arena, &patch, &error) == 0)
		patch_it(&target, &patch, es_schema_find(group, version, kind), &arena);
	es_arena_close(&arena);
	return 0;
}
