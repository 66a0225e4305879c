/* JSON: what is read is written and read back as the same; the cursor says of every text what the parser does. */
#include "base/assert.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int walk(struct es_json_cursor *cursor, struct es_arena *arena)
{
	struct es_slice name;
	int type = es_json_peek(cursor);
	int rc;

	if (type == ES_JSON_OBJECT) {
		rc = es_json_enter_object(cursor);
		while (rc >= 0 && (rc = es_json_next_member(cursor, arena, &name)) > 0)
			rc = walk(cursor, arena);
		return rc;
	}
	if (type == ES_JSON_ARRAY) {
		rc = es_json_enter_array(cursor);
		while (rc >= 0 && (rc = es_json_next_item(cursor)) > 0)
			rc = walk(cursor, arena);
		return rc;
	}
	return type < 0 ? type : es_json_skip(cursor, NULL);
}

static void ends_alike(struct es_json_cursor *cursor, int rc, int expected,
		       const struct es_json_error *error)
{
	if (rc == 0)
		rc = es_json_cursor_end(cursor);
	ES_ASSERT(rc == expected);
	if (rc < 0) {
		ES_ASSERT(strcmp(cursor->error.what, error->what) == 0);
		ES_ASSERT(cursor->error.offset == error->offset);
		ES_ASSERT(error->offset <= cursor->text.len);
	}
}

static void check_cursor(struct es_slice text, struct es_arena *arena, int rc,
			 const struct es_json *value, const struct es_json_error *error)
{
	struct es_json_cursor cursor;
	struct es_json taken;

	es_json_cursor_init(&cursor, text, ES_JSON_DEPTH_MAX);
	ends_alike(&cursor, es_json_skip(&cursor, NULL), rc, error);
	es_json_cursor_init(&cursor, text, ES_JSON_DEPTH_MAX);
	ends_alike(&cursor, walk(&cursor, arena), rc, error);
	es_json_cursor_init(&cursor, text, ES_JSON_DEPTH_MAX);
	ends_alike(&cursor, es_json_take(&cursor, arena, &taken), rc, error);
	ES_ASSERT(rc < 0 || es_json_eq(value, &taken));
}

static void check_round_trip(const struct es_json *value, struct es_arena *arena)
{
	struct es_json_error error;
	struct es_json again;
	struct es_json copy;
	struct es_buf first;
	struct es_buf second;

	es_buf_init(&first, es_mem_default());
	es_buf_init(&second, es_mem_default());
	ES_ASSERT(es_json_write(&first, value) == 0);
	ES_ASSERT(es_json_parse(es_buf_slice(&first), ES_JSON_DEPTH_MAX, arena, &again, &error) ==
		  0);
	ES_ASSERT(es_json_eq(value, &again));
	ES_ASSERT(es_json_copy(arena, &again, &copy) == 0);
	ES_ASSERT(es_json_write(&second, &copy) == 0);
	ES_ASSERT(es_slice_eq(es_buf_slice(&first), es_buf_slice(&second)));
	es_buf_close(&first);
	es_buf_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct es_slice text = es_slice(data, size);
	struct es_arena arena;
	struct es_json value;
	struct es_json_error error = {0, NULL};
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	rc = es_json_parse(text, ES_JSON_DEPTH_MAX, &arena, &value, &error);
	ES_ASSERT(rc == 0 || rc == ES_EDECODE);
	check_cursor(text, &arena, rc, &value, &error);
	if (rc == 0)
		check_round_trip(&value, &arena);
	if (es_json_parse_with(text, ES_JSON_DEPTH_MAX, ES_JSON_NUMBERS_V0, &arena, &value,
			       &error) == 0)
		check_round_trip(&value, &arena);
	es_arena_close(&arena);
	return 0;
}
