/*
 * libyaml gives events; values are built from them, children before their parents. Two things could make a short text
 * into something large or endless, and both are aliases: an alias shares the value that it stands for, but what is
 * written later is written in full. So:
 *
 * Y1. An anchor is known when its node has ended: no value holds itself.
 * Y2. Nothing is deeper than ES_JSON_DEPTH_MAX, aliases' values counted with what is around them.
 * Y3. The bytes and nodes that aliases stand for are counted, and bounded over the whole text.
 */
#include "ctl/yaml_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/assert.h"

enum {
	ANCHORS_MAX = 1024, /* in a document; they are searched one by one */
	NUMBER_BYTES_MAX = 400,
};

#define TAG_PREFIX "tag:yaml.org,2002:"

/* A value, with what it takes to bound aliases of it. */
struct node {
	struct es_json value;
	unsigned height; /* containers in each other */
	size_t weight;
};

struct anchor {
	struct es_slice name;
	struct node node;
};

struct builder {
	yaml_parser_t parser;
	struct es_arena *arena;
	size_t weight;       /* of everything so far, aliases expanded */
	size_t alias_weight; /* of what aliases stand for */
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
	struct es_slice text;
	char *errmsg;
	size_t errmsg_size;
};

static int complain(struct builder *b, yaml_mark_t mark, const char *what)
{
	(void)snprintf(b->errmsg, b->errmsg_size, "line %zu, column %zu: %s", mark.line + 1,
		       mark.column + 1, what);
	return ES_EDECODE;
}

/* libyaml ends a last line that has no end: a mark behind it is put back to where the text ends. */
static yaml_mark_t mark_in_text(struct es_slice text, yaml_mark_t mark)
{
	size_t points = 0, column = 0;
	uint8_t last = text.len == 0 ? '\n' : text.data[text.len - 1];

	if (mark.column != 0 || mark.line == 0 || last == '\n' || last == '\r')
		return mark;
	for (size_t i = 0; i < text.len; i++) {
		bool begins_point = (text.data[i] & 0xc0) != 0x80;

		points += begins_point;
		column += begins_point;
		if (text.data[i] == '\n' || text.data[i] == '\r')
			column = 0;
	}
	if (mark.index < points)
		return mark;
	mark.line--;
	mark.column = column;
	return mark;
}

/* The words of libyaml. */
static int not_yaml(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t mark = mark_in_text(b->text, p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		return ES_ENOMEM;
	if (p->error == YAML_READER_ERROR)
		(void)snprintf(b->errmsg, b->errmsg_size, "at byte %zu: %s", p->problem_offset,
			       p->problem == NULL ? "not YAML" : p->problem);
	else
		(void)snprintf(
			b->errmsg, b->errmsg_size, "line %zu, column %zu: %s%s%s", mark.line + 1,
			mark.column + 1, p->problem == NULL ? "not YAML" : p->problem,
			p->context == NULL ? "" : ", ", p->context == NULL ? "" : p->context);
	return ES_EDECODE;
}

static int next(struct builder *b, yaml_event_t *ret_event)
{
	return yaml_parser_parse(&b->parser, ret_event) == 1 ? 0 : not_yaml(b);
}

static int copy(struct builder *b, const void *data, size_t len, struct es_slice *ret_copy)
{
	uint8_t *bytes = es_arena_alloc(b->arena, len + 1);

	if (bytes == NULL)
		return ES_ENOMEM;
	if (len > 0)
		memcpy(bytes, data, len);
	*ret_copy = es_slice(bytes, len);
	return 0;
}

/* ---- unquoted words ------------------------------------------------------------------------ */

static bool is_one_of(struct es_slice word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (es_slice_eq(word, es_slice_str(*words)))
			return true;
	return false;
}

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 99;
}

/* 0x1f, 0b101, 0o17, 017: digits of that base and nothing else, in 64 bits. */
static bool based_integer(const char *text, bool negative, struct es_json *ret_value)
{
	int base = text[1] == 'x' || text[1] == 'X' ? 16 : text[1] == 'b' || text[1] == 'B' ? 2 : 8;
	uint64_t number = 0;

	text += base != 8 || text[1] == 'o' || text[1] == 'O' ? 2 : 1;
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		int d = digit((uint8_t)*text);

		if (d >= base || __builtin_mul_overflow(number, (uint64_t)base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)d, &number))
			return false;
	}
	if (negative && number > (uint64_t)INT64_MAX + 1)
		return false;
	if (negative)
		*ret_value = es_json_int((int64_t)(0 - number));
	else if (number <= INT64_MAX)
		*ret_value = es_json_int((int64_t)number);
	else
		*ret_value = (struct es_json){.type = ES_JSON_UINT, .u.u64 = number};
	return true;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* A decimal number in JSON's form: "+.5e3" is "0.5e3", "1." is "1.0", "007." is "7.0". False: it is none. */
static bool to_json_number(const char *text, bool negative, char *out, size_t out_size)
{
	size_t whole = digits(text), fraction = 0;
	const char *exponent = "";
	const char *dot;

	dot = text + whole;
	if (*dot == '.')
		fraction = digits(dot + 1);
	exponent = dot + (*dot == '.') + fraction;
	if (whole == 0 && fraction == 0)
		return false;
	if (*exponent == 'e' || *exponent == 'E') {
		const char *power = exponent + 1 + (exponent[1] == '+' || exponent[1] == '-');

		if (digits(power) == 0 || power[digits(power)] != '\0')
			return false;
	} else if (*exponent != '\0') {
		return false;
	}
	while (whole > 1 && *text == '0') {
		text++;
		whole--;
	}
	(void)snprintf(out, out_size, "%s%s%.*s%s%.*s%s%s", negative ? "-" : "",
		       whole == 0 ? "0" : "", (int)whole, text, *dot == '.' ? "." : "",
		       (int)fraction, dot + 1, *dot == '.' && fraction == 0 ? "0" : "", exponent);
	return true;
}

/* 3.0 is 3, as far as a double tells integers apart. */
static void tidy_double(struct es_json *value)
{
	double number = value->type == ES_JSON_DOUBLE ? value->u.number : 0.5;

	if (number > -9007199254740992.0 && number < 9007199254740992.0 &&
	    (double)(int64_t)number == number && (number != 0 || !__builtin_signbit(number)))
		*value = es_json_int((int64_t)number);
}

/* 1: *ret_value is the number; 0: it is none; ES_ENOMEM. */
static int resolve_number(struct es_slice word, struct es_arena *arena, struct es_json *ret_value)
{
	char text[NUMBER_BYTES_MAX + 1], json[NUMBER_BYTES_MAX + 16];
	struct es_json_error error;
	bool negative = false;
	const char *p = text;
	struct es_slice bytes;
	size_t len = 0;
	int rc;

	if (word.len == 0 || word.len > NUMBER_BYTES_MAX ||
	    (word.data[0] != '.' && word.data[0] != '-' && word.data[0] != '+' &&
	     digit(word.data[0]) > 9))
		return 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '\0')
			return 0;
		if (word.data[i] != '_' || word.data[0] == '.')
			text[len++] = (char)word.data[i];
	}
	text[len] = '\0';
	if (*p == '-' || *p == '+')
		negative = *p++ == '-';
	if (p[0] == '0' && p[1] != '\0' && based_integer(p, negative, ret_value))
		return 1;
	if (!to_json_number(p, negative, json, sizeof(json)))
		return 0;
	rc = copy(&(struct builder){.arena = arena}, json, strlen(json), &bytes);
	if (rc == 0)
		rc = es_json_parse(bytes, 0, arena, ret_value, &error);
	if (rc < 0)
		return rc == ES_EDECODE ? 0 : rc; /* too large for a double: a text */
	tidy_double(ret_value);
	if (strcmp(json, "-0") == 0)
		*ret_value = es_json_int(0);
	return 1;
}

int es_ctl_yaml_resolve(struct es_slice word, struct es_arena *arena, struct es_json *ret_value)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
					  "on",   "On",   "ON",   "y",   "Y",   NULL};
	static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO",
					 "off",   "Off",   "OFF",   "n",  "N",  NULL};
	static const char *const not_json[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",
					       ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
					       "-.Inf", "-.INF", NULL};
	int rc;

	*ret_value = es_json_string(word);
	if (is_one_of(word, nulls))
		*ret_value = es_json_null();
	else if (is_one_of(word, yes))
		*ret_value = es_json_bool(true);
	else if (is_one_of(word, no))
		*ret_value = es_json_bool(false);
	else if (is_one_of(word, not_json))
		return ES_EDECODE;
	else {
		rc = resolve_number(word, arena, ret_value);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- scalars ------------------------------------------------------------------------------- */

static bool is_number(const struct es_json *value)
{
	return value->type == ES_JSON_INT || value->type == ES_JSON_UINT ||
	       value->type == ES_JSON_DOUBLE;
}

/* A scalar with a tag must be what the tag says. False: it is not. */
static bool agrees(const char *tag, struct es_json *value)
{
	if (strcmp(tag, "int") == 0)
		return value->type == ES_JSON_INT || value->type == ES_JSON_UINT;
	if (strcmp(tag, "bool") == 0)
		return value->type == ES_JSON_BOOL;
	if (strcmp(tag, "null") == 0)
		return value->type == ES_JSON_NULL;
	if (strcmp(tag, "float") != 0 || !is_number(value))
		return false;
	if (value->type == ES_JSON_INT)
		*value = (struct es_json){.type = ES_JSON_DOUBLE, .u.number = (double)value->u.i64};
	else if (value->type == ES_JSON_UINT)
		*value = (struct es_json){.type = ES_JSON_DOUBLE, .u.number = (double)value->u.u64};
	return true;
}

static int read_scalar(struct builder *b, const yaml_event_t *event, struct es_json *ret_value)
{
	const char *tag = (const char *)event->data.scalar.tag;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct es_slice text;
	int rc = copy(b, event->data.scalar.value, event->data.scalar.length, &text);

	if (rc < 0)
		return rc;
	*ret_value = es_json_string(text);
	if (tag == NULL ? !plain : strcmp(tag, "!") == 0)
		return 0;
	if (tag != NULL) {
		if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) != 0)
			return complain(b, event->start_mark, "a tag that is not known");
		tag += strlen(TAG_PREFIX);
		if (strcmp(tag, "str") == 0 || strcmp(tag, "timestamp") == 0)
			return 0;
	}
	rc = es_ctl_yaml_resolve(text, b->arena, ret_value);
	if (rc == ES_EDECODE)
		return complain(b, event->start_mark, "a number that JSON has not got");
	if (rc == 0 && tag != NULL && !agrees(tag, ret_value))
		return complain(b, event->start_mark, "not what its tag says");
	return rc;
}

/* Keys are texts: numbers and booleans are written out. */
static int read_key(struct builder *b, const yaml_event_t *event, struct es_slice *ret_name)
{
	struct es_json value;
	char text[32];
	int rc;

	if (event->type != YAML_SCALAR_EVENT)
		return complain(b, event->start_mark, "a key must be a text");
	rc = read_scalar(b, event, &value);
	if (rc < 0)
		return rc;
	if (value.type == ES_JSON_NULL)
		return complain(b, event->start_mark, "a key must not be empty or null");
	if (value.type == ES_JSON_STRING) {
		*ret_name = value.u.string;
		return 0;
	}
	if (value.type == ES_JSON_INT)
		(void)snprintf(text, sizeof(text), "%lld", (long long)value.u.i64);
	else if (value.type == ES_JSON_UINT)
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value.u.u64);
	else if (value.type == ES_JSON_BOOL)
		(void)snprintf(text, sizeof(text), "%s", value.u.boolean ? "true" : "false");
	else
		return copy(b, event->data.scalar.value, event->data.scalar.length, ret_name);
	return copy(b, text, strlen(text), ret_name);
}

/* ---- anchors and aliases ------------------------------------------------------------------- */

static int keep_anchor(struct builder *b, const yaml_event_t *event, const yaml_char_t *name,
		       const struct node *node)
{
	struct anchor *anchor = &b->anchors[b->anchor_count];
	int rc;

	if (name == NULL)
		return 0;
	if (b->anchor_count == ANCHORS_MAX)
		return complain(b, event->start_mark, "too many anchors");
	rc = copy(b, name, strlen((const char *)name), &anchor->name);
	if (rc == 0) {
		anchor->node = *node;
		b->anchor_count++;
	}
	return rc;
}

static int read_alias(struct builder *b, const yaml_event_t *event, unsigned depth,
		      struct node *ret_node)
{
	struct es_slice name = es_slice_str((const char *)event->data.alias.anchor);

	for (size_t i = b->anchor_count; i > 0; i--) {
		const struct node *node = &b->anchors[i - 1].node;

		if (!es_slice_eq(b->anchors[i - 1].name, name))
			continue;
		if (depth + node->height > ES_JSON_DEPTH_MAX)
			return complain(b, event->start_mark, "nested too deep");
		b->alias_weight += node->weight; /* each is at most the bound and the text */
		if (b->alias_weight > ES_CTL_YAML_ALIAS_BYTES_MAX)
			return complain(b, event->start_mark, "aliases stand for too much");
		b->weight += node->weight;
		*ret_node = *node;
		return 0;
	}
	return complain(b, event->start_mark, "there is no such anchor before this");
}

/* ---- containers ---------------------------------------------------------------------------- */

static int read_node(struct builder *b, const yaml_event_t *event, unsigned depth,
		     struct node *ret_node);

static int check_tag(struct builder *b, const yaml_event_t *event, const yaml_char_t *tag,
		     const char *expected)
{
	if (tag == NULL || strcmp((const char *)tag, "!") == 0 ||
	    strcmp((const char *)tag, expected) == 0)
		return 0;
	return complain(b, event->start_mark, "a tag that is not known, or not of this");
}

/* From a growing buffer into the arena, where it stays. */
static int settle(struct builder *b, const struct es_buf *buf, const void **ret_items)
{
	void *items = es_arena_alloc(b->arena, buf->len + 1);

	if (items == NULL)
		return ES_ENOMEM;
	if (buf->len > 0)
		memcpy(items, buf->data, buf->len);
	*ret_items = items;
	return 0;
}

static int read_sequence(struct builder *b, unsigned depth, struct node *ret_node)
{
	const void *items = NULL;
	yaml_event_t event;
	struct es_buf buf;
	bool ended = false;
	int rc = 0;

	es_buf_init(&buf, b->arena->mem);
	*ret_node = (struct node){.value.type = ES_JSON_ARRAY};
	while (rc == 0 && !ended) {
		struct node item;

		rc = next(b, &event);
		if (rc < 0)
			break;
		ended = event.type == YAML_SEQUENCE_END_EVENT;
		if (!ended)
			rc = read_node(b, &event, depth, &item);
		if (!ended && rc == 0) {
			rc = es_buf_append(&buf, &item.value, sizeof(item.value));
			ret_node->value.count++;
			if (item.height > ret_node->height)
				ret_node->height = item.height;
		}
		yaml_event_delete(&event);
	}
	if (rc == 0)
		rc = settle(b, &buf, &items);
	ret_node->value.u.items = items;
	es_buf_close(&buf);
	return rc;
}

struct entry {
	struct es_json_member member;
	yaml_mark_t mark;
	bool merged; /* by "<<": gives way to what stands in the mapping, and to what was merged before */
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int rc = es_slice_cmp(x->member.name, y->member.name);

	if (rc != 0)
		return rc;
	if (x->merged != y->merged)
		return x->merged ? 1 : -1;
	return x->mark.index < y->mark.index ? -1 : x->mark.index > y->mark.index;
}

static int merge_one(struct builder *b, const yaml_event_t *event, const struct es_json *from,
		     size_t *order, struct es_buf *entries)
{
	int rc = 0;

	if (from->type != ES_JSON_OBJECT)
		return complain(b, event->start_mark, "only mappings can be merged");
	for (uint32_t i = 0; rc == 0 && i < from->count; i++) {
		struct entry entry = {.member = from->u.members[i], .merged = true};

		entry.mark = event->start_mark;
		entry.mark.index = (*order)++;
		rc = es_buf_append(entries, &entry, sizeof(entry));
	}
	return rc;
}

/* The value behind "<<": a mapping, or a sequence of them. */
static int merge(struct builder *b, const yaml_event_t *event, const struct es_json *from,
		 size_t *order, struct es_buf *entries)
{
	int rc = 0;

	if (from->type != ES_JSON_ARRAY)
		return merge_one(b, event, from, order, entries);
	for (uint32_t i = 0; rc == 0 && i < from->count; i++)
		rc = merge_one(b, event, &from->u.items[i], order, entries);
	return rc;
}

static int make_object(struct builder *b, struct es_buf *buf, struct es_json *ret_value)
{
	struct entry *entries = (struct entry *)(void *)buf->data;
	size_t count = buf->len / sizeof(*entries), kept = 0;
	struct es_json_member *members = es_arena_calloc(b->arena, count + 1, sizeof(*members));
	char what[200];

	if (members == NULL)
		return ES_ENOMEM;
	if (count > 1)
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i++) {
		struct es_slice name = entries[i].member.name;

		if (kept == 0 || !es_slice_eq(members[kept - 1].name, name)) {
			members[kept++] = entries[i].member;
			continue;
		}
		if (entries[i].merged)
			continue;
		(void)snprintf(what, sizeof(what), "the key \"%.*s\" stands here twice",
			       name.len > 100 ? 100 : (int)name.len, (const char *)name.data);
		return complain(b, entries[i].mark, what);
	}
	*ret_value = es_json_object_of(members, kept);
	return 0;
}

/* One member, whose key is in `event`. */
static int read_member(struct builder *b, const yaml_event_t *event, unsigned depth, size_t *order,
		       struct es_buf *entries, struct node *object)
{
	struct entry entry = {.mark = event->start_mark};
	bool is_merge = event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 2 &&
			event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			event->data.scalar.tag == NULL &&
			memcmp(event->data.scalar.value, "<<", 2) == 0;
	struct node node;
	yaml_event_t value;
	int rc = is_merge ? 0 : read_key(b, event, &entry.member.name);

	if (rc == 0)
		rc = next(b, &value);
	if (rc < 0)
		return rc;
	b->weight += entry.member.name.len;
	rc = read_node(b, &value, depth, &node);
	entry.member.value = node.value;
	if (rc == 0 && is_merge)
		rc = merge(b, &value, &node.value, order, entries);
	else if (rc == 0)
		rc = es_buf_append(entries, &entry, sizeof(entry));
	if (rc == 0 && node.height > object->height)
		object->height = node.height;
	yaml_event_delete(&value);
	return rc;
}

static int read_mapping(struct builder *b, unsigned depth, struct node *ret_node)
{
	yaml_event_t event;
	struct es_buf entries;
	bool ended = false;
	size_t order = 0;
	int rc = 0;

	es_buf_init(&entries, b->arena->mem);
	*ret_node = (struct node){.height = 0};
	while (rc == 0 && !ended) {
		rc = next(b, &event);
		if (rc < 0)
			break;
		ended = event.type == YAML_MAPPING_END_EVENT;
		if (!ended)
			rc = read_member(b, &event, depth, &order, &entries, ret_node);
		yaml_event_delete(&event);
	}
	if (rc == 0)
		rc = make_object(b, &entries, &ret_node->value);
	es_buf_close(&entries);
	return rc;
}

/* `depth`: the containers around it. */
static int read_node(struct builder *b, const yaml_event_t *event, unsigned depth,
		     struct node *ret_node)
{
	const yaml_char_t *anchor = NULL;
	size_t before = b->weight;
	int rc;

	*ret_node = (struct node){.height = 0};
	b->weight++;
	switch (event->type) {
	case YAML_ALIAS_EVENT: return read_alias(b, event, depth, ret_node);
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		b->weight += event->data.scalar.length;
		rc = read_scalar(b, event, &ret_node->value);
		break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: {
		bool list = event->type == YAML_SEQUENCE_START_EVENT;

		anchor = list ? event->data.sequence_start.anchor
			      : event->data.mapping_start.anchor;
		if (depth >= ES_JSON_DEPTH_MAX)
			return complain(b, event->start_mark, "nested too deep");
		rc = list ? check_tag(b, event, event->data.sequence_start.tag, TAG_PREFIX "seq")
			  : check_tag(b, event, event->data.mapping_start.tag, TAG_PREFIX "map");
		if (rc == 0)
			rc = list ? read_sequence(b, depth + 1, ret_node)
				  : read_mapping(b, depth + 1, ret_node);
		ret_node->height++;
		break;
	}
	default: return complain(b, event->start_mark, "a value is missing");
	}
	ret_node->weight = b->weight - before;
	return rc == 0 ? keep_anchor(b, event, anchor, ret_node) : rc;
}

/* ---- documents ----------------------------------------------------------------------------- */

/* Nothing between two "---": a plain scalar of no length. */
static bool is_nothing(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       event->data.scalar.tag == NULL;
}

/* From the document's start on, which the caller took, to before its end. */
static int read_document(struct builder *b, struct es_buf *documents, size_t number)
{
	struct es_ctl_yaml_document document = {.number = number};
	struct node node;
	yaml_event_t event;
	int rc = next(b, &event);

	if (rc < 0)
		return rc;
	b->anchor_count = 0;
	document.line = event.start_mark.line + 1;
	if (!is_nothing(&event)) {
		rc = read_node(b, &event, 0, &node);
		document.value = node.value;
		if (rc == 0)
			rc = es_buf_append(documents, &document, sizeof(document));
	}
	yaml_event_delete(&event);
	return rc;
}

static int read_stream(struct builder *b, struct es_buf *documents)
{
	bool ended = false;
	size_t number = 0;
	int rc = 0;

	while (rc == 0 && !ended) {
		yaml_event_t event;
		bool begins;

		rc = next(b, &event);
		if (rc < 0)
			break;
		ended = event.type == YAML_STREAM_END_EVENT;
		begins = event.type == YAML_DOCUMENT_START_EVENT;
		yaml_event_delete(&event);
		if (begins)
			rc = read_document(b, documents, ++number);
	}
	return rc;
}

int es_ctl_yaml_parse(struct es_slice text, struct es_arena *arena,
		      struct es_ctl_yaml_document **ret_documents, size_t *ret_count, char *errmsg,
		      size_t errmsg_size)
{
	struct builder *b = es_calloc(arena->mem, 1, sizeof(*b));
	const void *items = NULL;
	struct es_buf documents;
	int rc;

	if (b == NULL)
		return ES_ENOMEM;
	b->arena = arena;
	b->text = text;
	b->errmsg = errmsg;
	b->errmsg_size = errmsg_size;
	if (yaml_parser_initialize(&b->parser) != 1) {
		es_free(arena->mem, b);
		return ES_ENOMEM;
	}
	yaml_parser_set_input_string(&b->parser, text.len == 0 ? (const uint8_t *)"" : text.data,
				     text.len);
	es_buf_init(&documents, arena->mem);
	rc = read_stream(b, &documents);
	if (rc == 0)
		rc = settle(b, &documents, &items);
	*ret_documents = (struct es_ctl_yaml_document *)(uintptr_t)items;
	*ret_count = rc == 0 ? documents.len / sizeof(**ret_documents) : 0;
	es_buf_close(&documents);
	yaml_parser_delete(&b->parser);
	es_free(arena->mem, b);
	return rc;
}
