/* YAML as engenhoctl reads it: what it accepts is bounded, and is read back from what is written. */
#include "base/assert.h"
#include "ctl/yaml_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRITTEN_MAX \
	(4 << 20) /* small inputs with aliases may be long in full: those are only read */

static size_t written_bytes(const struct es_json *value)
{
	size_t bytes = 8;

	if (value->type == ES_JSON_STRING)
		return bytes + value->u.string.len;
	if (value->type != ES_JSON_OBJECT && value->type != ES_JSON_ARRAY)
		return bytes;
	for (uint32_t i = 0; i < value->count && bytes < WRITTEN_MAX; i++)
		bytes += value->type == ES_JSON_ARRAY
				 ? written_bytes(&value->u.items[i])
				 : value->u.members[i].name.len +
					   written_bytes(&value->u.members[i].value);
	return bytes;
}

static void check(const struct es_json *value, struct es_arena *arena)
{
	struct es_ctl_yaml_document *again;
	struct es_buf yaml;
	char errmsg[300];
	size_t count;

	es_buf_init(&yaml, arena->mem);
	ES_ASSERT(es_ctl_yaml_write(&yaml, value) == 0);
	ES_ASSERT(es_ctl_yaml_parse(es_buf_slice(&yaml), arena, &again, &count, errmsg,
				    sizeof(errmsg)) == 0);
	ES_ASSERT(count == 1 && es_json_eq(&again[0].value, value));
	es_buf_close(&yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_ctl_yaml_document *documents;
	char errmsg[300] = "";
	struct es_arena arena;
	size_t count;
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	rc = es_ctl_yaml_parse(es_slice(data, size), &arena, &documents, &count, errmsg,
			       sizeof(errmsg));
	ES_ASSERT(rc == 0 || rc == ES_EDECODE);
	ES_ASSERT((rc == 0) == (errmsg[0] == '\0'));
	for (size_t i = 0; i < count; i++)
		if (written_bytes(&documents[i].value) < WRITTEN_MAX)
			check(&documents[i].value, &arena);
	es_arena_close(&arena);
	return 0;
}
