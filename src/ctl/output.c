#include "ctl/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/columns.h"
#include "ctl/kinds.h"
#include "ctl/yaml_json.h"

#define PROGRESS_EVERY_MS 100
#define BAR_WIDTH         30

bool es_ctl_parse_format(const char *text, enum es_ctl_format *ret_format)
{
	static const char *const names[] = {"table", "wide", "json", "yaml", "name"};

	*ret_format = ES_CTL_TABLE;
	if (text == NULL)
		return true;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*ret_format = (enum es_ctl_format)i;
		return true;
	}
	(void)es_ctl_usage("-o is table, wide, json, yaml or name, not ", text);
	return false;
}

bool es_ctl_may_color(FILE *file)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || *no == '\0') && isatty(fileno(file)) == 1 &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static int line(struct es_buf *buf, unsigned indent)
{
	return es_buf_printf(buf, "\n%*s", (int)indent, "");
}

int es_ctl_json_pretty(struct es_buf *buf, const struct es_json *value, unsigned indent)
{
	bool object = value->type == ES_JSON_OBJECT;
	int rc;

	if ((!object && value->type != ES_JSON_ARRAY) || value->count == 0)
		return es_json_write(buf, value);
	rc = es_buf_append_str(buf, object ? "{" : "[");
	for (uint32_t i = 0; rc == 0 && i < value->count; i++) {
		if (i > 0)
			rc = es_buf_append_str(buf, ",");
		if (rc == 0)
			rc = line(buf, indent + 4);
		if (rc == 0 && object)
			rc = es_json_write_string(buf, value->u.members[i].name);
		if (rc == 0 && object)
			rc = es_buf_append_str(buf, ": ");
		if (rc == 0)
			rc = es_ctl_json_pretty(
				buf, object ? &value->u.members[i].value : &value->u.items[i],
				indent + 4);
	}
	if (rc == 0)
		rc = line(buf, indent);
	return rc == 0 ? es_buf_append_str(buf, object ? "}" : "]") : rc;
}

/* ---- tables -------------------------------------------------------------------------------- */

static bool is_shown(const struct es_ctl_printer *p, const struct es_ctl_column *column)
{
	return !column->wide || p->format == ES_CTL_WIDE;
}

static void print_row(const struct es_ctl_printer *p, const char *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		es_ctl_print_text(stdout, es_slice_str(cells));
		if (i + 1 < count)
			(void)printf(
				"%*s",
				(int)(p->widths[i] - es_ctl_text_width(es_slice_str(cells)) + 3),
				"");
		cells += strlen(cells) + 1;
	}
	(void)putchar('\n');
}

/* Cells of a row are put one behind the other. */
static size_t head_cells(const struct es_ctl_printer *p, bool events, char *out, size_t size)
{
	size_t count = 0, len = 0;
	const char *heads[ES_CTL_COLUMNS_MAX];

	if (events)
		heads[count++] = "EVENT";
	if (p->with_namespace)
		heads[count++] = "NAMESPACE";
	heads[count++] = "NAME";
	for (const struct es_ctl_column *c = p->columns->columns; c->head != NULL; c++)
		if (is_shown(p, c))
			heads[count++] = c->head;
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(out + len, size - len, "%s", heads[i]);
		len += strlen(heads[i]) + 1;
	}
	return count;
}

static void widen(struct es_ctl_printer *p, const char *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t width = es_ctl_text_width(es_slice_str(cells));

		if (width > p->widths[i])
			p->widths[i] = width;
		cells += strlen(cells) + 1;
	}
}

static int end_cell(struct es_buf *buf, size_t begin)
{
	/* A NUL inside would end it early. */
	for (size_t i = begin; i < buf->len; i++)
		if (buf->data[i] == '\0')
			buf->data[i] = '?';
	return es_buf_append(buf, "", 1);
}

static int add_cell(struct es_buf *buf, struct es_slice text)
{
	size_t begin = buf->len;
	int rc = es_buf_append_slice(buf, text);

	return rc == 0 ? end_cell(buf, begin) : rc;
}

static int add_name(struct es_ctl_printer *p, const struct es_resource_key *key)
{
	size_t begin = p->rows.len;
	int rc = 0;

	if (p->with_kind)
		rc = es_ctl_kind_write(&p->rows, key->group, key->kind);
	if (rc == 0 && p->with_kind)
		rc = es_buf_append_u8(&p->rows, '/');
	if (rc == 0)
		rc = es_buf_append_slice(&p->rows, key->name);
	return rc == 0 ? end_cell(&p->rows, begin) : rc;
}

static int add_row(struct es_ctl_printer *p, const char *event, const struct es_ctl_item *item,
		   const struct es_json *object)
{
	size_t begin = p->rows.len, count = 1;
	int rc = 0;

	if (p->columns == NULL)
		p->columns = es_ctl_columns_of(&item->key);
	if (event != NULL)
		rc = add_cell(&p->rows, es_slice_str(event));
	if (rc == 0 && p->with_namespace)
		rc = add_cell(&p->rows, item->key.has_ns ? item->key.ns : ES_SLICE("<none>"));
	if (rc == 0)
		rc = add_name(p, &item->key);
	count += (event != NULL) + (size_t)p->with_namespace;
	for (const struct es_ctl_column *c = p->columns->columns; rc == 0 && c->head != NULL; c++) {
		size_t cell = p->rows.len;

		if (!is_shown(p, c))
			continue;
		rc = c->cell(&p->rows, object, item, p->now_s);
		if (rc == 0)
			rc = end_cell(&p->rows, cell);
		count++;
	}
	if (rc < 0) {
		p->rows.len = begin;
		return rc;
	}
	if (!p->headed) {
		char head[200];

		widen(p, head, head_cells(p, event != NULL, head, sizeof(head)));
		if (event != NULL)
			widen(p, "MODIFIED", 1); /* the longest that may come */
	}
	widen(p, (const char *)p->rows.data + begin, count);
	p->row_count++;
	return 0;
}

void es_ctl_print_flush(struct es_ctl_printer *p)
{
	const char *cells = (const char *)p->rows.data, *end;
	bool color = es_ctl_may_color(stdout);
	char head[200];
	size_t count = 0;

	if (p->row_count == 0)
		return;
	end = cells + p->rows.len;
	/* Whether there are events shows in the number of cells. */
	for (const char *c = cells; c < end; c += strlen(c) + 1)
		count++;
	count /= p->row_count;
	if (!p->headed) {
		size_t without = head_cells(p, false, head, sizeof(head));

		(void)head_cells(p, count > without, head, sizeof(head));
		(void)fputs(p->printed ? "\n" : "", stdout);
		(void)fputs(color ? ES_CTL_BOLD : "", stdout);
		print_row(p, head, count);
		(void)fputs(color ? ES_CTL_PLAIN : "", stdout);
		p->headed = true;
	}
	for (size_t row = 0; row < p->row_count; row++) {
		print_row(p, cells, count);
		for (size_t i = 0; i < count; i++)
			cells += strlen(cells) + 1;
	}
	p->rows.len = 0;
	p->row_count = 0;
}

void es_ctl_print_next_table(struct es_ctl_printer *p)
{
	es_ctl_print_flush(p);
	p->printed = p->printed || p->headed;
	p->headed = false;
	p->columns = NULL;
	memset(p->widths, 0, sizeof(p->widths));
}

/* ---- all forms ----------------------------------------------------------------------------- */

void es_ctl_print_begin(struct es_ctl_printer *p)
{
	es_buf_init(&p->rows, es_mem_default());
	p->now_s = (int64_t)time(NULL);
}

static int print_json(struct es_ctl_printer *p, struct es_buf *out, const char *event,
		      const struct es_json *object, struct es_arena *arena)
{
	struct es_json wrapped = es_json_object(), type;
	int rc;

	if (p->stream) {
		if (event != NULL) {
			type = es_json_string(es_slice_str(event));
			rc = es_json_set(arena, &wrapped, ES_SLICE("type"), &type, &wrapped);
			if (rc == 0)
				rc = es_json_set(arena, &wrapped, ES_SLICE("object"), object,
						 &wrapped);
			object = &wrapped;
			if (rc < 0)
				return rc;
		}
		rc = es_json_write(out, object);
		return rc == 0 ? es_buf_append_str(out, "\n") : rc;
	}
	if (p->single) {
		rc = es_ctl_json_pretty(out, object, 0);
		return rc == 0 ? es_buf_append_str(out, "\n") : rc;
	}
	rc = es_buf_append_str(out, p->count == 0 ? "{\n    \"apiVersion\": \"v1\",\n"
						    "    \"items\": [\n        "
						  : ",\n        ");
	return rc == 0 ? es_ctl_json_pretty(out, object, 8) : rc;
}

/* The lines of `block`, as an item of a sequence. */
static int add_as_item(struct es_buf *out, const struct es_buf *block)
{
	struct es_slice rest = es_buf_slice(block);
	bool first = true;
	int rc = 0;

	while (rc == 0 && rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data) + 1;

		if (first || len > 1)
			rc = es_buf_append_str(out, first ? "- " : "  ");
		if (rc == 0)
			rc = es_buf_append(out, rest.data, len);
		rest = es_slice(rest.data + len, rest.len - len);
		first = false;
	}
	return rc;
}

static int print_yaml(struct es_ctl_printer *p, struct es_buf *out, const char *event,
		      const struct es_json *object, struct es_arena *arena)
{
	struct es_json wrapped = es_json_object(), type;
	struct es_buf block;
	int rc = 0;

	if (p->single)
		return es_ctl_yaml_write(out, object);
	if (p->stream) {
		if (event != NULL) {
			type = es_json_string(es_slice_str(event));
			rc = es_json_set(arena, &wrapped, ES_SLICE("type"), &type, &wrapped);
			if (rc == 0)
				rc = es_json_set(arena, &wrapped, ES_SLICE("object"), object,
						 &wrapped);
			object = &wrapped;
		}
		if (rc == 0)
			rc = es_buf_append_str(out, "---\n");
		return rc == 0 ? es_ctl_yaml_write(out, object) : rc;
	}
	es_buf_init(&block, arena->mem);
	if (p->count == 0)
		rc = es_buf_append_str(out, "apiVersion: v1\nitems:\n");
	if (rc == 0)
		rc = es_ctl_yaml_write(&block, object);
	if (rc == 0)
		rc = add_as_item(out, &block);
	es_buf_close(&block);
	return rc;
}

static int print_name(struct es_buf *out, const char *event, const struct es_ctl_item *item)
{
	int rc = event == NULL ? 0 : es_buf_printf(out, "%s ", event);

	if (rc == 0)
		rc = es_ctl_kind_write(out, item->key.group, item->key.kind);
	if (rc == 0)
		rc = es_buf_append_str(out, "/");
	return rc == 0 ? es_buf_append_slice(out, item->key.name) : rc;
}

static void print_out(enum es_ctl_format format, const struct es_buf *out)
{
	if (format == ES_CTL_JSON) {
		es_ctl_print_json_value(stdout, es_buf_slice(out));
	} else if (format == ES_CTL_NAME) {
		es_ctl_print_text(stdout, es_buf_slice(out));
		(void)putchar('\n');
	} else {
		(void)fwrite(out->data, 1, out->len, stdout);
	}
}

int es_ctl_print_item(struct es_ctl_printer *p, const char *event, const struct es_ctl_item *item)
{
	struct es_json_error error;
	struct es_arena arena;
	struct es_json object;
	struct es_buf out;
	int rc;

	es_arena_init(&arena, es_mem_default(), 16384);
	es_buf_init(&out, es_mem_default());
	rc = es_json_parse(item->value, ES_JSON_DEPTH_MAX, &arena, &object, &error);
	if (rc ==
	    ES_EDECODE) { /* what lies there was not written as a resource: it is shown as text */
		object = es_json_string(item->value);
		rc = 0;
	}
	if (rc == 0 && p->format == ES_CTL_JSON)
		rc = print_json(p, &out, event, &object, &arena);
	else if (rc == 0 && p->format == ES_CTL_YAML)
		rc = print_yaml(p, &out, event, &object, &arena);
	else if (rc == 0 && p->format == ES_CTL_NAME)
		rc = print_name(&out, event, item);
	else if (rc == 0)
		rc = add_row(p, event, item, &object);
	if (out.len > 0)
		print_out(p->format, &out);
	p->count++;
	es_buf_close(&out);
	es_arena_close(&arena);
	return rc;
}

void es_ctl_print_end(struct es_ctl_printer *p, int64_t revision)
{
	bool list = !p->single && !p->stream;

	es_ctl_print_flush(p);
	if (list && p->format == ES_CTL_JSON)
		(void)printf("%s\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n"
			     "        \"resourceVersion\": \"%" PRId64 "\"\n    }\n}\n",
			     p->count == 0 ? "{\n    \"apiVersion\": \"v1\",\n    \"items\": ["
					   : "",
			     revision);
	else if (list && p->format == ES_CTL_YAML)
		(void)printf("%skind: List\nmetadata:\n  resourceVersion: \"%" PRId64 "\"\n",
			     p->count == 0 ? "apiVersion: v1\nitems: []\n" : "", revision);
	es_buf_close(&p->rows);
}

/* ---- progress ------------------------------------------------------------------------------ */

void es_ctl_progress(struct es_ctl_progress *p, uint64_t done, uint64_t total)
{
	char bar[BAR_WIDTH + 1];
	int filled;

	p->done = done;
	p->total = total;
	if (isatty(STDERR_FILENO) != 1 || es_client_now_ms() - p->last_ms < PROGRESS_EVERY_MS)
		return;
	p->last_ms = es_client_now_ms();
	p->shown = true;
	if (total == 0) {
		(void)fprintf(stderr, "\r\033[K%s: %" PRIu64, p->what, done);
		return;
	}
	filled = (int)((double)(done < total ? done : total) / (double)total * BAR_WIDTH);
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	(void)fprintf(stderr, "\r\033[K%s [%s] %" PRIu64 "/%" PRIu64, p->what, bar, done, total);
}

void es_ctl_progress_end(struct es_ctl_progress *p)
{
	if (p->shown)
		(void)fputs("\r\033[K", stderr);
	p->shown = false;
}
