/* Selectors: a line of labels, a line of fields, and an object to try them on. */
#include "base/assert.h"
#include "resource/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct es_slice line(struct es_slice *rest)
{
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
	size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
	struct es_slice text = es_slice(rest->data, len);

	*rest = end == NULL ? es_slice(NULL, 0) : es_slice(end + 1, rest->len - len - 1);
	return text;
}

static const struct es_selector *parse(struct es_slice labels, struct es_slice fields,
				       struct es_arena *arena)
{
	const struct es_selector *selector = NULL;
	char errmsg[200] = "";
	int rc = es_selector_parse(labels, fields, arena, &selector, errmsg, sizeof(errmsg));

	ES_ASSERT(rc == 0 || rc == ES_EINVAL);
	ES_ASSERT((rc == 0) == (selector != NULL));
	ES_ASSERT((rc == 0) == (errmsg[0] == '\0'));
	return selector;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice rest = es_slice(data, size), labels = line(&rest), fields = line(&rest);
	const struct es_selector *both, *by_label, *by_field;
	struct es_json_error error;
	struct es_arena arena;
	struct es_json object;

	es_arena_init(&arena, es_mem_default(), 4096);
	both = parse(labels, fields, &arena);
	by_label = parse(labels, es_slice(NULL, 0), &arena);
	by_field = parse(es_slice(NULL, 0), fields, &arena);
	ES_ASSERT((both != NULL) == (by_label != NULL && by_field != NULL));
	if (both != NULL && es_json_parse(rest, ES_JSON_DEPTH_MAX, &arena, &object, &error) == 0) {
		bool matches = es_selector_matches(both, &object);

		ES_ASSERT(matches == (es_selector_matches(by_label, &object) &&
				      es_selector_matches(by_field, &object)));
		ES_ASSERT(matches || !es_selector_is_everything(both));
	}
	es_arena_close(&arena);
	return 0;
}
