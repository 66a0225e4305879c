#include <stdio.h>

#include "base/assert.h"
#include "ctl/text.h"
#include "ctl/yaml_json.h"

/*
 * Block style, sequences in mappings not indented, as Kubernetes' tools print it. A text goes without quotes only when
 * every reader, of YAML 1.1 or 1.2, takes it for the same text; what a terminal could take for a command is escaped.
 */
#define KEY_BYTES_MAX \
	120 /* beyond, a key is marked by "? ": readers look for the colon only so far */

struct writer {
	struct es_buf *buf;
	struct es_arena arena; /* of es_ctl_yaml_resolve */
};

static int put(struct writer *w, const char *text)
{
	return es_buf_append_str(w->buf, text);
}

static int put_indent(struct writer *w, unsigned indent)
{
	int rc = 0;

	for (; rc == 0 && indent > 0; indent--)
		rc = put(w, " ");
	return rc;
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool is_printable(uint32_t point)
{
	return !es_ctl_text_is_hidden(point) && point != 0xfeff && point != 0xfffe &&
	       point != 0xffff && point != ES_CTL_NO_POINT;
}

static bool is_all_printable(struct es_slice text, const char *besides)
{
	for (size_t at = 0; at < text.len;) {
		uint32_t point = es_ctl_text_decode(text, &at);

		if (!is_printable(point) &&
		    (point == 0 || point > 0x7f || strchr(besides, (int)point) == NULL))
			return false;
	}
	return true;
}

/* Digits, signs and what numbers, times and dates of YAML 1.1 are made of: 1:20:30, 2001-12-14, 0x1f, 1_000. */
static bool looks_like_number(struct es_slice text)
{
	uint8_t first = text.data[0];

	return (first >= '0' && first <= '9') || first == '.' || first == '+' || first == '-';
}

/* 10.0.0.1, 1Gi, 100m, 1.2.3-rc1: begin with a digit and are in no schema a number, because of a letter that no number
 * has or of two dots, and nothing else that dates and times have. */
static bool is_safe_after_digit(struct es_slice text)
{
	size_t dots = 0, letters = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '.')
			dots++;
		else if (strchr("ghijklmnpqrsuvwyzGHIJKLMNPQRSUVWYZ/", c) != NULL && c != '\0')
			letters++;
		else if (c == ':' || c == '_' || c == '+' || c == ' ')
			return false;
	}
	return text.data[0] >= '0' && text.data[0] <= '9' && (dots > 1 || letters > 0);
}

static bool is_plain(struct writer *w, struct es_slice text)
{
	static const char indicators[] = "-?:,[]{}#&*!|>'\"%@`=<~";
	struct es_json value;

	if (text.len == 0 || text.data[0] == ' ' || text.data[text.len - 1] == ' ' ||
	    !is_all_printable(text, "") ||
	    memchr(indicators, text.data[0], sizeof(indicators) - 1) != NULL ||
	    (looks_like_number(text) && !is_safe_after_digit(text)) ||
	    text.data[text.len - 1] == ':')
		return false;
	for (size_t i = 0; i + 1 < text.len; i++)
		if ((text.data[i] == ':' && text.data[i + 1] == ' ') ||
		    (text.data[i] == ' ' && text.data[i + 1] == '#'))
			return false;
	return es_ctl_yaml_resolve(text, &w->arena, &value) == 0 && value.type == ES_JSON_STRING;
}

static int put_quoted(struct writer *w, struct es_slice text)
{
	int rc = put(w, "\"");

	for (size_t at = 0; rc == 0 && at < text.len;) {
		size_t begin = at;
		uint32_t point = es_ctl_text_decode(text, &at);

		if (point == '"' || point == '\\')
			rc = es_buf_printf(w->buf, "\\%c", (int)point);
		else if (point == '\n')
			rc = put(w, "\\n");
		else if (point == '\t')
			rc = put(w, "\\t");
		else if (is_printable(point))
			rc = es_buf_append(w->buf, text.data + begin, at - begin);
		else if (point == ES_CTL_NO_POINT)
			rc = put(w, "\\uFFFD");
		else
			rc = es_buf_printf(w->buf, point < 0x100 ? "\\x%02X" : "\\u%04X", point);
	}
	return rc == 0 ? put(w, "\"") : rc;
}

/* Several lines, of which none is only blanks, and the first does not begin with one. */
static bool is_literal(struct es_slice text)
{
	bool blank = true;

	if (text.len == 0 || memchr(text.data, '\n', text.len) == NULL || text.data[0] == ' ' ||
	    text.data[0] == '\t' || text.data[0] == '\n' || !is_all_printable(text, "\n\t"))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '\n' && blank && i > 0 && text.data[i - 1] != '\n')
			return false;
		blank = c == '\n' || (blank && (c == ' ' || c == '\t'));
	}
	return !blank || text.data[text.len - 1] == '\n';
}

static int put_literal(struct writer *w, struct es_slice text, unsigned indent)
{
	bool ends = text.data[text.len - 1] == '\n';
	bool twice = ends && text.len > 1 && text.data[text.len - 2] == '\n';
	int rc = put(w, !ends ? "|-\n" : twice ? "|+\n" : "|\n");

	while (rc == 0 && text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.data);

		if (len > 0)
			rc = put_indent(w, indent);
		if (rc == 0)
			rc = es_buf_append(w->buf, text.data, len);
		if (rc == 0)
			rc = put(w, "\n");
		len += end != NULL;
		text = es_slice(text.data + len, text.len - len);
	}
	return rc;
}

static int put_text(struct writer *w, struct es_slice text)
{
	return is_plain(w, text) ? es_buf_append_slice(w->buf, text) : put_quoted(w, text);
}

/* ---- values -------------------------------------------------------------------------------- */

static bool is_block(const struct es_json *value)
{
	return (value->type == ES_JSON_OBJECT || value->type == ES_JSON_ARRAY) && value->count > 0;
}

static int put_block(struct writer *w, const struct es_json *value, unsigned indent, bool begun);

/* What fits behind "key: " or "- ", with the end of the line. `indent`: of the lines that follow. */
static int put_inline(struct writer *w, const struct es_json *value, unsigned indent)
{
	int rc;

	if (value->type == ES_JSON_STRING && is_literal(value->u.string))
		return put_literal(w, value->u.string, indent);
	if (value->type == ES_JSON_STRING)
		rc = put_text(w, value->u.string);
	else if (value->type == ES_JSON_OBJECT || value->type == ES_JSON_ARRAY)
		rc = put(w, value->type == ES_JSON_OBJECT ? "{}" : "[]");
	else {
		/* 1000.0 would come back as an integer. */
		rc = value->type == ES_JSON_DOUBLE ? put(w, "!!float ") : 0;
		if (rc == 0)
			rc = es_json_write(w->buf, value);
	}
	return rc == 0 ? put(w, "\n") : rc;
}

static int put_item(struct writer *w, const struct es_json *item, unsigned indent, bool begun)
{
	int rc = begun ? 0 : put_indent(w, indent);

	if (rc == 0)
		rc = put(w, "- ");
	if (rc < 0)
		return rc;
	return is_block(item) ? put_block(w, item, indent + 2, true)
			      : put_inline(w, item, indent + 2);
}

static int put_member(struct writer *w, const struct es_json_member *member, unsigned indent,
		      bool begun)
{
	const struct es_json *value = &member->value;
	bool is_long = member->name.len > KEY_BYTES_MAX;
	int rc = begun ? 0 : put_indent(w, indent);

	if (rc == 0 && is_long)
		rc = put(w, "? ");
	if (rc == 0)
		rc = put_text(w, member->name);
	if (rc == 0 && is_long) {
		rc = put(w, "\n");
		if (rc == 0)
			rc = put_indent(w, indent);
	}
	if (rc == 0)
		rc = put(w, is_block(value) ? ":\n" : ": ");
	if (rc < 0)
		return rc;
	if (!is_block(value))
		return put_inline(w, value, indent + 2);
	return put_block(w, value, value->type == ES_JSON_ARRAY ? indent : indent + 2, false);
}

/* `begun`: the first line is indented already. */
static int put_block(struct writer *w, const struct es_json *value, unsigned indent, bool begun)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < value->count; i++)
		rc = value->type == ES_JSON_ARRAY
			     ? put_item(w, &value->u.items[i], indent, begun && i == 0)
			     : put_member(w, &value->u.members[i], indent, begun && i == 0);
	return rc;
}

int es_ctl_yaml_write(struct es_buf *buf, const struct es_json *value)
{
	struct writer w = {.buf = buf};
	int rc;

	es_arena_init(&w.arena, buf->mem, 1024);
	rc = is_block(value) ? put_block(&w, value, 0, false) : put_inline(&w, value, 2);
	es_arena_close(&w.arena);
	return rc;
}
