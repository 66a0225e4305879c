#include "base/assert.h"
#include "base/json_internal.h"

/* The functions of the text work on a copy of the cursor's place, which is put back when all went well. */
static struct es_json_text open_text(const struct es_json_cursor *cursor)
{
	struct es_json_text text = es_json_text(cursor->text);

	text.at += cursor->offset;
	return text;
}

/* The cursor goes where the text is; or it fails, for ever. Memory that was out is no fault of the text's. */
static int close_text(struct es_json_cursor *cursor, const struct es_json_text *text, int rc)
{
	if (rc == ES_EDECODE) {
		cursor->failed = true;
		cursor->error = text->error;
	} else if (rc >= 0) {
		cursor->offset = (size_t)(text->at - text->begin);
	}
	return rc;
}

void es_json_cursor_init(struct es_json_cursor *cursor, struct es_slice text, unsigned depth_max)
{
	*cursor = (struct es_json_cursor){.text = text, .depth_max = depth_max, .first = true};
}

static int type_of_number(struct es_json_text text)
{
	while (text.at < text.end && ((*text.at >= '0' && *text.at <= '9') || *text.at == '-'))
		text.at++;
	if (text.at < text.end && (*text.at == '.' || *text.at == 'e' || *text.at == 'E'))
		return ES_JSON_DOUBLE;
	return ES_JSON_INT;
}

static int peek(struct es_json_text *text)
{
	es_json_pass_space(text);
	if (text->at == text->end)
		return es_json_fail(text, text->at, "expected a value");
	switch (*text->at) {
	case '"': return ES_JSON_STRING;
	case '{': return ES_JSON_OBJECT;
	case '[': return ES_JSON_ARRAY;
	case 'n': return ES_JSON_NULL;
	case 't':
	case 'f': return ES_JSON_BOOL;
	case '-': return type_of_number(*text);
	default: break;
	}
	if (*text->at >= '0' && *text->at <= '9')
		return type_of_number(*text);
	return es_json_fail(text, text->at, "expected a value");
}

int es_json_peek(struct es_json_cursor *cursor)
{
	struct es_json_text text = open_text(cursor);

	if (cursor->failed)
		return ES_EDECODE;
	return close_text(cursor, &text, peek(&text));
}

static int enter(struct es_json_cursor *cursor, uint8_t bracket, const char *what)
{
	struct es_json_text text = open_text(cursor);
	int rc = 0;

	if (cursor->failed)
		return ES_EDECODE;
	es_json_pass_space(&text);
	if (text.at == text.end || *text.at != bracket)
		rc = es_json_fail(&text, text.at, what);
	else if (cursor->depth == cursor->depth_max)
		rc = es_json_fail(&text, text.at, "nested too deep");
	else
		text.at++;
	if (rc == 0) {
		cursor->depth++;
		cursor->first = true;
	}
	return close_text(cursor, &text, rc);
}

int es_json_enter_object(struct es_json_cursor *cursor)
{
	return enter(cursor, '{', "expected an object");
}

int es_json_enter_array(struct es_json_cursor *cursor)
{
	return enter(cursor, '[', "expected an array");
}

/* The comma, if one is due: 1; or the bracket: 0, and the container is left. */
static int next(struct es_json_cursor *cursor, struct es_json_text *text, uint8_t bracket,
		const char *what)
{
	es_json_pass_space(text);
	if (text->at < text->end && *text->at == bracket) {
		text->at++;
		return 0;
	}
	if (cursor->first)
		return 1;
	if (text->at == text->end || *text->at != ',')
		return es_json_fail(text, text->at, what);
	text->at++;
	es_json_pass_space(text);
	return 1;
}

/* What next() returned has become of the whole step. */
static int step_done(struct es_json_cursor *cursor, const struct es_json_text *text, int rc)
{
	if (rc >= 0)
		cursor->first = false; /* in the container, or in the one around it */
	if (rc == 0)
		cursor->depth--;
	return close_text(cursor, text, rc);
}

/* `"name" :` */
static int read_name(struct es_json_text *text, struct es_arena *arena, struct es_slice *ret_name)
{
	int rc;

	if (text->at == text->end || *text->at != '"')
		return es_json_fail(text, text->at, "expected a member's name");
	text->at++;
	rc = es_json_read_string(text, arena, ret_name);
	if (rc < 0)
		return rc;
	es_json_pass_space(text);
	if (text->at == text->end || *text->at != ':')
		return es_json_fail(text, text->at, "expected ':'");
	text->at++;
	return 1;
}

int es_json_next_member(struct es_json_cursor *cursor, struct es_arena *arena,
			struct es_slice *ret_name)
{
	struct es_json_text text = open_text(cursor);
	int rc;

	if (cursor->failed)
		return ES_EDECODE;
	ES_ASSERT(cursor->depth > 0);
	rc = next(cursor, &text, '}', "expected ',' or '}'");
	if (rc > 0)
		rc = read_name(&text, arena, ret_name);
	return step_done(cursor, &text, rc);
}

int es_json_next_item(struct es_json_cursor *cursor)
{
	struct es_json_text text = open_text(cursor);

	if (cursor->failed)
		return ES_EDECODE;
	ES_ASSERT(cursor->depth > 0);
	return step_done(cursor, &text, next(cursor, &text, ']', "expected ',' or ']'"));
}

static int skip_value(struct es_json_text *text, unsigned depth_left);

/* Behind the first bracket. */
static int skip_items(struct es_json_text *text, unsigned depth_left)
{
	es_json_pass_space(text);
	if (text->at < text->end && *text->at == ']') {
		text->at++;
		return 0;
	}
	for (;;) {
		int rc = skip_value(text, depth_left);

		if (rc < 0)
			return rc;
		es_json_pass_space(text);
		if (text->at == text->end || (*text->at != ',' && *text->at != ']'))
			return es_json_fail(text, text->at, "expected ',' or ']'");
		if (*text->at++ == ']')
			return 0;
	}
}

static int skip_string(struct es_json_text *text)
{
	struct es_slice raw;
	bool escapes;

	text->at++;
	return es_json_pass_string(text, &raw, &escapes);
}

static int skip_members(struct es_json_text *text, unsigned depth_left)
{
	es_json_pass_space(text);
	if (text->at < text->end && *text->at == '}') {
		text->at++;
		return 0;
	}
	for (;;) {
		int rc;

		es_json_pass_space(text);
		if (text->at == text->end || *text->at != '"')
			return es_json_fail(text, text->at, "expected a member's name");
		rc = skip_string(text);
		if (rc < 0)
			return rc;
		es_json_pass_space(text);
		if (text->at == text->end || *text->at != ':')
			return es_json_fail(text, text->at, "expected ':'");
		text->at++;
		rc = skip_value(text, depth_left);
		if (rc < 0)
			return rc;
		es_json_pass_space(text);
		if (text->at == text->end || (*text->at != ',' && *text->at != '}'))
			return es_json_fail(text, text->at, "expected ',' or '}'");
		if (*text->at++ == '}')
			return 0;
	}
}

static int skip_value(struct es_json_text *text, unsigned depth_left)
{
	int type = peek(text);
	struct es_json scalar;

	switch (type) {
	case ES_JSON_OBJECT:
	case ES_JSON_ARRAY:
		if (depth_left == 0)
			return es_json_fail(text, text->at, "nested too deep");
		text->at++;
		return type == ES_JSON_OBJECT ? skip_members(text, depth_left - 1)
					      : skip_items(text, depth_left - 1);
	case ES_JSON_STRING: return skip_string(text);
	case ES_JSON_INT:
	case ES_JSON_DOUBLE: return es_json_read_number(text, ES_JSON_NUMBERS_EXACT, &scalar);
	case ES_JSON_NULL:
	case ES_JSON_BOOL: return es_json_read_literal(text, &scalar);
	default: return type;
	}
}

int es_json_skip(struct es_json_cursor *cursor, struct es_slice *ret_text)
{
	struct es_json_text text = open_text(cursor);
	const uint8_t *begin;
	int rc;

	if (cursor->failed)
		return ES_EDECODE;
	es_json_pass_space(&text);
	begin = text.at;
	rc = skip_value(&text, cursor->depth_max - cursor->depth);
	if (rc == 0 && ret_text != NULL)
		*ret_text = es_slice(begin, (size_t)(text.at - begin));
	return close_text(cursor, &text, rc);
}

int es_json_take(struct es_json_cursor *cursor, struct es_arena *arena, struct es_json *ret_value)
{
	struct es_json_text text = open_text(cursor);

	if (cursor->failed)
		return ES_EDECODE;
	return close_text(cursor, &text,
			  es_json_read_value(&text, cursor->depth_max - cursor->depth,
					     ES_JSON_NUMBERS_EXACT, arena, ret_value));
}

int es_json_cursor_end(struct es_json_cursor *cursor)
{
	struct es_json_text text = open_text(cursor);
	int rc = 0;

	if (cursor->failed)
		return ES_EDECODE;
	ES_ASSERT(cursor->depth == 0);
	es_json_pass_space(&text);
	if (text.at < text.end)
		rc = es_json_fail(&text, text.at, "something behind the value");
	return close_text(cursor, &text, rc);
}
