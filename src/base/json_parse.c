/*
 * Text to values, by recursive descent; the depth that the caller gives bounds the recursion.
 *
 * Members and items of a container that is not finished wait on a stack, one for all containers, and
 * are copied to the arena in one piece at the container's end. So the arena holds exactly what the
 * value needs, and nothing is moved twice. The stack begins in the parser itself: a resource of common
 * size is read without an allocation but the arena's. (Linked lists, or arrays that double in the
 * arena, leave the arena with twice as much and are slower to read.)
 *
 * P1. stack_used <= stack_cap, and both are multiples of 8.
 * P2. The part of the stack that a container uses is above the parts of those that it is in.
 */
#include "base/assert.h"
#include "base/json_internal.h"

struct parser {
	struct es_json_text *text;
	struct es_arena *arena;
	enum es_json_numbers numbers;
	uint8_t *stack;
	size_t stack_used, stack_cap;
	_Alignas(8) uint8_t stack_begin[4096];
};

/* Room for `size` bytes on the stack. */
static int grow(struct parser *parser, size_t size)
{
	size_t cap = parser->stack_cap * 2;
	uint8_t *grown;

	ES_ASSERT(cap - parser->stack_used >= size);
	if (parser->stack != parser->stack_begin) {
		grown = es_realloc(parser->arena->mem, parser->stack, cap);
		if (grown == NULL)
			return ES_ENOMEM;
	} else {
		grown = es_alloc(parser->arena->mem, cap);
		if (grown == NULL)
			return ES_ENOMEM;
		memcpy(grown, parser->stack_begin, parser->stack_used);
	}
	parser->stack = grown;
	parser->stack_cap = cap;
	return 0;
}

static inline void *push(struct parser *parser, size_t size)
{
	void *top;

	if (parser->stack_cap - parser->stack_used < size && grow(parser, size) < 0)
		return NULL;
	top = parser->stack + parser->stack_used;
	parser->stack_used += size;
	return top;
}

/* What is on the stack from `base` on becomes an array of the arena. */
static int pop_array(struct parser *parser, size_t base, void **ret_array)
{
	size_t size = parser->stack_used - base;

	parser->stack_used = base;
	if (size == 0) {
		*ret_array = NULL;
		return 0;
	}
	*ret_array = es_arena_alloc(parser->arena, size);
	if (*ret_array == NULL)
		return ES_ENOMEM;
	memcpy(*ret_array, parser->stack + base, size);
	return 0;
}

static int parse_value(struct parser *parser, unsigned depth_left, struct es_json *ret_value);

/* The quote is next. */
static inline int parse_string(struct parser *parser, struct es_slice *ret_string)
{
	struct es_json_text *text = parser->text;
	const uint8_t *begin = text->at + 1;
	const uint8_t *at = es_json_plain_end(begin, text->end);

	if (at < text->end && *at == '"') {
		*ret_string = es_slice(begin, (size_t)(at - begin));
		text->at = at + 1;
		return 0;
	}
	text->at = begin;
	return es_json_read_string(text, parser->arena, ret_string);
}

static inline bool next_is(struct es_json_text *text, uint8_t c)
{
	es_json_pass_space(text);
	return text->at < text->end && *text->at == c;
}

static int parse_array(struct parser *parser, unsigned depth_left, struct es_json *ret_value)
{
	struct es_json_text *text = parser->text;
	size_t base = parser->stack_used;
	void *items;
	int rc;

	text->at++;
	if (!next_is(text, ']')) {
		for (;;) {
			struct es_json item;
			struct es_json *slot;

			rc = parse_value(parser, depth_left, &item);
			if (rc < 0)
				return rc;
			slot = push(parser, sizeof(*slot));
			if (slot == NULL)
				return ES_ENOMEM;
			*slot = item;
			if (!next_is(text, ','))
				break;
			text->at++;
		}
		if (!next_is(text, ']'))
			return es_json_fail(text, text->at, "expected ',' or ']'");
	}
	text->at++;
	ret_value->type = ES_JSON_ARRAY;
	ret_value->count = (uint32_t)((parser->stack_used - base) / sizeof(struct es_json));
	rc = pop_array(parser, base, &items);
	ret_value->u.items = items;
	return rc;
}

/* `name`, the colon and the value; the member goes on the stack. */
static int parse_member(struct parser *parser, unsigned depth_left)
{
	struct es_json_text *text = parser->text;
	struct es_json_member member;
	struct es_json_member *slot;
	int rc;

	if (!next_is(text, '"'))
		return es_json_fail(text, text->at, "expected a member's name");
	rc = parse_string(parser, &member.name);
	if (rc < 0)
		return rc;
	if (!next_is(text, ':'))
		return es_json_fail(text, text->at, "expected ':'");
	text->at++;
	rc = parse_value(parser, depth_left, &member.value);
	if (rc < 0)
		return rc;
	slot = push(parser, sizeof(*slot));
	if (slot == NULL)
		return ES_ENOMEM;
	*slot = member;
	return 0;
}

static inline bool is_before(struct es_slice a, struct es_slice b)
{
	if (a.len > 0 && b.len > 0 && a.data[0] != b.data[0])
		return a.data[0] < b.data[0];
	return es_slice_cmp(a, b) < 0;
}

static int parse_object(struct parser *parser, unsigned depth_left, struct es_json *ret_value)
{
	struct es_json_text *text = parser->text;
	size_t base = parser->stack_used;
	size_t count = 0;
	bool sorted = true;
	void *members;
	int rc;

	text->at++;
	if (!next_is(text, '}')) {
		for (;;) {
			const struct es_json_member *top;

			rc = parse_member(parser, depth_left);
			if (rc < 0)
				return rc;
			top = (const void *)(parser->stack + parser->stack_used);
			if (count++ > 0 && sorted)
				sorted = is_before(top[-2].name, top[-1].name);
			if (!next_is(text, ','))
				break;
			text->at++;
		}
		if (!next_is(text, '}'))
			return es_json_fail(text, text->at, "expected ',' or '}'");
	}
	text->at++;
	if (!sorted) {
		count = es_json_sort_members((void *)(parser->stack + base), count);
		parser->stack_used = base + count * sizeof(struct es_json_member);
	}
	ret_value->type = ES_JSON_OBJECT;
	ret_value->count = (uint32_t)count;
	rc = pop_array(parser, base, &members);
	ret_value->u.members = members;
	return rc;
}

static int parse_value(struct parser *parser, unsigned depth_left, struct es_json *ret_value)
{
	struct es_json_text *text = parser->text;

	es_json_pass_space(text);
	if (text->at == text->end)
		return es_json_fail(text, text->at, "expected a value");
	switch (*text->at) {
	case '"':
		ret_value->type = ES_JSON_STRING;
		ret_value->count = 0;
		return parse_string(parser, &ret_value->u.string);
	case '{':
		if (depth_left == 0)
			return es_json_fail(text, text->at, "nested too deep");
		return parse_object(parser, depth_left - 1, ret_value);
	case '[':
		if (depth_left == 0)
			return es_json_fail(text, text->at, "nested too deep");
		return parse_array(parser, depth_left - 1, ret_value);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9': return es_json_read_number(text, parser->numbers, ret_value);
	default: return es_json_read_literal(text, ret_value);
	}
}

int es_json_read_value(struct es_json_text *text, unsigned depth_left, enum es_json_numbers numbers,
		       struct es_arena *arena, struct es_json *ret_value)
{
	struct parser parser;
	int rc;

	parser.text = text;
	parser.arena = arena;
	parser.numbers = numbers;
	parser.stack = parser.stack_begin;
	parser.stack_used = 0;
	parser.stack_cap = sizeof(parser.stack_begin);
	if (text->end - text->at > UINT32_MAX) /* `count` holds what is in the rest */
		return es_json_fail(text, text->at, "longer than 4 GiB");
	rc = parse_value(&parser, depth_left, ret_value);
	if (parser.stack != parser.stack_begin)
		es_free(arena->mem, parser.stack);
	return rc;
}

int es_json_parse_with(struct es_slice bytes, unsigned depth_max, enum es_json_numbers numbers,
		       struct es_arena *arena, struct es_json *ret_value,
		       struct es_json_error *ret_error)
{
	struct es_json_text text = es_json_text(bytes);
	struct es_json value;
	int rc = es_json_read_value(&text, depth_max, numbers, arena, &value);

	if (rc == 0) {
		es_json_pass_space(&text);
		if (text.at < text.end)
			rc = es_json_fail(&text, text.at, "something behind the value");
	}
	if (rc == 0)
		*ret_value = value;
	else if (rc == ES_EDECODE)
		*ret_error = text.error;
	return rc;
}

int es_json_parse(struct es_slice text, unsigned depth_max, struct es_arena *arena,
		  struct es_json *ret_value, struct es_json_error *ret_error)
{
	return es_json_parse_with(text, depth_max, ES_JSON_NUMBERS_EXACT, arena, ret_value,
				  ret_error);
}
