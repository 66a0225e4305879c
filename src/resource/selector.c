#include "resource/selector.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Why it looks like this
 *
 * The two languages have nothing in common but their commas, so there are two parsers. Both keep a list of
 * requirements that must all hold, in the arena, pointing into one copy of the text.
 *
 * Labels are read in tokens with one of look-ahead. "in" and "notin" are operators only where an operator can stand:
 * everywhere else they are names ("in in (notin)" is right). Keys and values are held to Kubernetes' rules for labels
 * when the selector is read, so that a slip of the finger is an error and not a selector that never matches.
 *
 * Fields are cut at commas that have no backslash before them, and each term at its first operator; no white space is
 * dropped. Empty terms are nothing.
 *
 * A selector is tried on many objects: the values of a requirement are sorted when it is read, and how much there is to
 * look up for an object is known (es_selector_cost).
 */

#define LABEL_NAME_BYTES_MAX   63
#define LABEL_PREFIX_BYTES_MAX 253
#define TEXT_BYTES_MAX         65536

enum op { IN, NOT_IN, EXISTS, NOT_EXISTS, GREATER, LESS };

struct label {
	enum op op;
	struct es_slice key;
	struct es_slice *values; /* sorted */
	size_t value_count, value_room;
	int64_t bound; /* of GREATER and LESS */
	struct label *next;
};

struct part {
	struct es_slice name;
	struct part *next;
};

struct field {
	bool equal;
	struct part *path;
	struct es_slice value;
	struct field *next;
};

struct es_selector {
	struct label *labels;
	struct field *fields;
	size_t cost;
};

struct errmsg {
	char *text;
	size_t size;
};

static int __attribute__((format(printf, 2, 3)))
refuse(const struct errmsg *errmsg, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(errmsg->text, errmsg->size, format, args);
	va_end(args);
	return ES_EINVAL;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alphanumeric(uint8_t c)
{
	return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* ---- what a label may be ------------------------------------------------------------------- */

/* Letters, digits, '-', '_' and '.', the first and the last a letter or digit. */
static bool is_label_text(struct es_slice text)
{
	if (text.len == 0 || text.len > LABEL_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (!is_alphanumeric(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return is_alphanumeric(text.data[0]) && is_alphanumeric(text.data[text.len - 1]);
}

/* Labels of lower-case letters, digits and inner '-', with dots between them. */
static bool is_dns_subdomain(struct es_slice text)
{
	uint8_t before = '.';

	if (text.len == 0 || text.len > LABEL_PREFIX_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool letter = is_lower(c) || is_digit(c);

		if (!letter && c != '-' && c != '.')
			return false;
		if ((c == '-' && before == '.') || (c == '.' && (before == '.' || before == '-')))
			return false;
		before = c;
	}
	return before != '.' && before != '-';
}

static bool is_label_key(struct es_slice key)
{
	const uint8_t *slash = key.len == 0 ? NULL : memchr(key.data, '/', key.len);
	size_t prefix;

	if (slash == NULL)
		return is_label_text(key);
	prefix = (size_t)(slash - key.data);
	return is_dns_subdomain(es_slice(key.data, prefix)) &&
	       is_label_text(es_slice(slash + 1, key.len - prefix - 1));
}

static bool is_label_value(struct es_slice value)
{
	return value.len == 0 || is_label_text(value);
}

/* A decimal integer with an optional sign, within 64 bits. */
static bool parse_int(struct es_slice text, int64_t *ret_number)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	size_t i = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
	int64_t number = 0;

	if (i == text.len)
		return false;
	for (; i < text.len; i++) {
		int digit = text.data[i] - '0';

		if (!is_digit(text.data[i]) || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, negative ? -digit : digit, &number))
			return false;
	}
	*ret_number = number;
	return true;
}

/* ---- labels: tokens ------------------------------------------------------------------------ */

enum token {
	END = 0,
	NAME = 'a',
	NOT = '!',
	EQUAL = '=',
	NOT_EQUAL = '#', /* '==' is EQUAL as well */
	OPEN = '(',
	CLOSE = ')',
	COMMA = ',',
	MORE_THAN = '>',
	LESS_THAN = '<',
};

struct parser {
	struct es_slice text;
	struct es_arena *arena;
	struct errmsg errmsg;
	/* The token ahead. */
	enum token token;
	size_t at, end;
};

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(uint8_t c)
{
	return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static void advance(struct parser *p)
{
	const uint8_t *text = p->text.data;
	size_t at = p->end, len = p->text.len;

	while (at < len && is_space(text[at]))
		at++;
	p->at = at;
	p->end = at + 1;
	if (at == len) {
		p->token = END;
		p->end = at;
	} else if (is_special(text[at])) {
		p->token = (enum token)text[at];
		if ((text[at] == '=' || text[at] == '!') && at + 1 < len && text[at + 1] == '=') {
			p->token = text[at] == '=' ? EQUAL : NOT_EQUAL;
			p->end++;
		}
	} else {
		p->token = NAME;
		while (p->end < len && !is_space(text[p->end]) && !is_special(text[p->end]))
			p->end++;
	}
}

static struct es_slice ahead(const struct parser *p)
{
	return es_slice(p->text.data + p->at, p->end - p->at);
}

static int expected(const struct parser *p, const char *what)
{
	return refuse(&p->errmsg, "label selector: expected %s at %zu", what, p->at);
}

static int take(struct parser *p, enum token token, const char *what)
{
	if (p->token != token)
		return expected(p, what);
	advance(p);
	return 0;
}

/* ---- labels: requirements ------------------------------------------------------------------ */

static int add_value(struct parser *p, struct label *label, struct es_slice text, size_t at)
{
	if (!is_label_value(text))
		return refuse(&p->errmsg,
			      "label selector: not a label's value at %zu (letters, digits, '-', "
			      "'_' and '.', the first and the last a letter or digit, at most %d)",
			      at, LABEL_NAME_BYTES_MAX);
	if (label->value_count == label->value_room) {
		size_t room = label->value_room == 0 ? 4 : 2 * label->value_room;
		struct es_slice *values = es_arena_alloc(p->arena, room * sizeof(*values));

		if (values == NULL)
			return ES_ENOMEM;
		if (label->value_count > 0)
			memcpy(values, label->values, label->value_count * sizeof(*values));
		label->values = values;
		label->value_room = room;
	}
	label->values[label->value_count++] = text;
	return 0;
}

/* The name that is ahead, or none: "x=", "(,a)". */
static int parse_value(struct parser *p, struct label *label)
{
	struct es_slice text = p->token == NAME ? ahead(p) : es_slice(NULL, 0);
	size_t at = p->at;

	if (p->token == NAME)
		advance(p);
	return add_value(p, label, text, at);
}

static int by_text(const void *a, const void *b)
{
	return es_slice_cmp(*(const struct es_slice *)a, *(const struct es_slice *)b);
}

static int parse_set(struct parser *p, struct label *label)
{
	int rc = take(p, OPEN, "'('");

	if (rc == 0)
		rc = parse_value(p, label);
	while (rc == 0 && p->token == COMMA) {
		advance(p);
		rc = parse_value(p, label);
	}
	if (rc < 0)
		return rc;
	qsort(label->values, label->value_count, sizeof(*label->values), by_text);
	return take(p, CLOSE, "',' or ')'");
}

static int parse_one_value(struct parser *p, struct label *label)
{
	if (p->token != NAME && p->token != COMMA && p->token != END)
		return expected(p, "a value");
	return parse_value(p, label);
}

static int parse_bound(struct parser *p, struct label *label)
{
	size_t at = p->at;
	int rc = parse_one_value(p, label);

	if (rc < 0)
		return rc;
	if (!parse_int(label->values[0], &label->bound))
		return refuse(&p->errmsg, "label selector: expected an integer at %zu", at);
	return 0;
}

/* The operator and what stands behind it. */
static int parse_rest(struct parser *p, struct label *label)
{
	enum token token = p->token;
	struct es_slice name = ahead(p);

	if (token == END || token == COMMA) {
		label->op = EXISTS;
		return 0;
	}
	if (token == NAME && es_slice_eq(name, ES_SLICE("in")))
		label->op = IN;
	else if (token == NAME && es_slice_eq(name, ES_SLICE("notin")))
		label->op = NOT_IN;
	else if (token == EQUAL || token == NOT_EQUAL)
		label->op = token == EQUAL ? IN : NOT_IN;
	else if (token == MORE_THAN || token == LESS_THAN)
		label->op = token == MORE_THAN ? GREATER : LESS;
	else
		return expected(p, "an operator (=, ==, !=, in, notin, <, >)");
	advance(p);
	if (token == NAME)
		return parse_set(p, label);
	return label->op == GREATER || label->op == LESS ? parse_bound(p, label)
							 : parse_one_value(p, label);
}

static int parse_label(struct parser *p, struct label *label)
{
	bool negated = p->token == NOT;

	if (negated)
		advance(p);
	if (p->token != NAME)
		return expected(p, "a label's key");
	label->key = ahead(p);
	if (!is_label_key(label->key))
		return refuse(&p->errmsg, "label selector: not a label's key at %zu", p->at);
	advance(p);
	if (!negated)
		return parse_rest(p, label);
	label->op = NOT_EXISTS;
	return 0;
}

static int parse_labels(struct parser *p, struct label **ret_labels)
{
	advance(p);
	while (p->token != END) {
		struct label *label = es_arena_calloc(p->arena, 1, sizeof(*label));
		int rc;

		if (label == NULL)
			return ES_ENOMEM;
		rc = parse_label(p, label);
		if (rc < 0)
			return rc;
		label->next = *ret_labels;
		*ret_labels = label;
		if (p->token == END)
			break;
		rc = take(p, COMMA, "','");
		if (rc < 0)
			return rc;
		if (p->token == END)
			return expected(p, "a label's key");
	}
	return 0;
}

/* ---- fields -------------------------------------------------------------------------------- */

/* What ends at the first `stop` that has no backslash before it, or with the text. */
static size_t span(struct es_slice text, uint8_t stop)
{
	size_t i = 0;

	for (; i < text.len && text.data[i] != stop; i++)
		if (text.data[i] == '\\' && i + 1 < text.len)
			i++;
	return i;
}

/* Without the backslashes before '\', '=', ',' and, in paths, '.'. The text is the arena's copy and is changed. */
static bool unescape(struct es_slice *text, bool path)
{
	uint8_t *to = (uint8_t *)(uintptr_t)text->data;
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++) {
		uint8_t c = text->data[i];

		if (c == '\\') {
			if (++i == text->len)
				return false;
			c = text->data[i];
			if (c != '\\' && c != '=' && c != ',' && !(path && c == '.'))
				return false;
		} else if (c == '=' || c == ',') {
			return false;
		}
		to[n++] = c;
	}
	text->len = n;
	return true;
}

static int parse_path(struct es_slice text, struct es_arena *arena, struct part **ret_path)
{
	struct part **tail = ret_path;

	for (;;) {
		size_t len = span(text, '.');
		struct es_slice name = es_slice(text.data, len);

		if (!unescape(&name, true) || name.len == 0)
			return ES_EINVAL;
		*tail = es_arena_alloc(arena, sizeof(**tail));
		if (*tail == NULL)
			return ES_ENOMEM;
		**tail = (struct part){.name = name};
		tail = &(*tail)->next;
		if (len == text.len)
			return 0;
		text = es_slice(text.data + len + 1, text.len - len - 1);
	}
}

/* Where the first operator of a term begins: the length when there is none. */
static size_t operator_at(struct es_slice term)
{
	size_t i = 0;

	while (i < term.len && term.data[i] != '=' &&
	       !(term.data[i] == '!' && i + 1 < term.len && term.data[i + 1] == '='))
		i++;
	return i;
}

static int parse_field(struct es_slice term, size_t at, struct es_arena *arena,
		       const struct errmsg *errmsg, struct field *field)
{
	size_t op = operator_at(term), value;
	int rc;

	if (op == term.len)
		return refuse(errmsg, "field selector: expected =, == or != at %zu", at + op);
	field->equal = term.data[op] == '=';
	value = op + (!field->equal || (op + 1 < term.len && term.data[op + 1] == '=') ? 2 : 1);
	rc = parse_path(es_slice(term.data, op), arena, &field->path);
	if (rc == ES_EINVAL)
		return refuse(errmsg, "field selector: not the path of a field at %zu", at);
	if (rc < 0)
		return rc;
	field->value = es_slice(term.data + value, term.len - value);
	if (!unescape(&field->value, false))
		return refuse(
			errmsg,
			"field selector: not a value at %zu (write '\\,', '\\=' and '\\\\' for "
			"',', '=' and '\\')",
			at + value);
	return 0;
}

static int parse_fields(struct es_slice text, struct es_arena *arena, const struct errmsg *errmsg,
			struct field **ret_fields)
{
	for (size_t at = 0; at < text.len;) {
		struct es_slice rest = es_slice(text.data + at, text.len - at);
		size_t len = span(rest, ',');
		struct field *field;
		int rc;

		if (len > 0) {
			field = es_arena_calloc(arena, 1, sizeof(*field));
			if (field == NULL)
				return ES_ENOMEM;
			rc = parse_field(es_slice(rest.data, len), at, arena, errmsg, field);
			if (rc < 0)
				return rc;
			field->next = *ret_fields;
			*ret_fields = field;
		}
		at += len + 1;
	}
	return 0;
}

static int copy(struct es_arena *arena, struct es_slice *text)
{
	uint8_t *bytes;

	if (text->len == 0)
		return 0;
	bytes = es_arena_alloc(arena, text->len);
	if (bytes == NULL)
		return ES_ENOMEM;
	memcpy(bytes, text->data, text->len);
	text->data = bytes;
	return 0;
}

int es_selector_parse(struct es_slice labels, struct es_slice fields, struct es_arena *arena,
		      const struct es_selector **ret_selector, char *errmsg, size_t errmsg_size)
{
	struct parser p = {.arena = arena, .errmsg = {errmsg, errmsg_size}};
	struct es_selector *selector;
	int rc;

	selector = es_arena_calloc(arena, 1, sizeof(*selector));
	if (labels.len > TEXT_BYTES_MAX || fields.len > TEXT_BYTES_MAX)
		return refuse(&p.errmsg, "%s selector: longer than %d bytes",
			      labels.len > TEXT_BYTES_MAX ? "label" : "field", TEXT_BYTES_MAX);
	if (selector == NULL || copy(arena, &labels) < 0 || copy(arena, &fields) < 0)
		return ES_ENOMEM;
	p.text = labels;
	rc = parse_labels(&p, &selector->labels);
	if (rc == 0)
		rc = parse_fields(fields, arena, &p.errmsg, &selector->fields);
	if (rc < 0)
		return rc;
	for (const struct label *label = selector->labels; label != NULL; label = label->next)
		selector->cost++;
	for (const struct field *field = selector->fields; field != NULL; field = field->next)
		for (const struct part *part = field->path; part != NULL; part = part->next)
			selector->cost++;
	*ret_selector = selector;
	return 0;
}

size_t es_selector_cost(const struct es_selector *selector)
{
	return selector == NULL ? 0 : selector->cost;
}

/* ---- matching ------------------------------------------------------------------------------ */

static bool has_value(const struct label *label, struct es_slice text)
{
	return bsearch(&text, label->values, label->value_count, sizeof(*label->values), by_text) !=
	       NULL;
}

static bool label_matches(const struct label *label, const struct es_json *labels)
{
	const struct es_json *value = es_json_get_slice(labels, label->key);
	bool present = es_json_is(value, ES_JSON_STRING);
	int64_t number = 0;

	switch (label->op) {
	case IN: return present && has_value(label, value->u.string);
	case NOT_IN: return !present || !has_value(label, value->u.string);
	case EXISTS: return present;
	case NOT_EXISTS: return !present;
	case GREATER:
	case LESS: break;
	}
	if (!present || !parse_int(value->u.string, &number))
		return false;
	return label->op == GREATER ? number > label->bound : number < label->bound;
}

/* What a field is compared by; `number` has room for one. */
static struct es_slice field_text(const struct es_json *value, char number[ES_JSON_DOUBLE_MAX])
{
	int n = 0;

	if (value == NULL)
		return es_slice(NULL, 0);
	switch (value->type) {
	case ES_JSON_STRING: return value->u.string;
	case ES_JSON_BOOL: return es_slice_str(value->u.boolean ? "true" : "false");
	case ES_JSON_DOUBLE:
		return es_slice(number, es_json_format_double(value->u.number, number));
	case ES_JSON_INT: n = snprintf(number, ES_JSON_DOUBLE_MAX, "%" PRId64, value->u.i64); break;
	case ES_JSON_UINT:
		n = snprintf(number, ES_JSON_DOUBLE_MAX, "%" PRIu64, value->u.u64);
		break;
	case ES_JSON_NULL:
	case ES_JSON_ARRAY:
	case ES_JSON_OBJECT: break;
	}
	return es_slice(number, (size_t)n);
}

static bool field_matches(const struct field *field, const struct es_json *object)
{
	char number[ES_JSON_DOUBLE_MAX];

	for (const struct part *part = field->path; part != NULL; part = part->next)
		object = es_json_get_slice(object, part->name);
	return es_slice_eq(field_text(object, number), field->value) == field->equal;
}

bool es_selector_matches(const struct es_selector *selector, const struct es_json *object)
{
	const struct es_json *labels;

	if (selector == NULL)
		return true;
	labels = es_json_get(es_json_get(object, "metadata"), "labels");
	for (const struct label *label = selector->labels; label != NULL; label = label->next)
		if (!label_matches(label, labels))
			return false;
	for (const struct field *field = selector->fields; field != NULL; field = field->next)
		if (!field_matches(field, object))
			return false;
	return true;
}

bool es_selector_is_everything(const struct es_selector *selector)
{
	return selector == NULL || (selector->labels == NULL && selector->fields == NULL);
}
