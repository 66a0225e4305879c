#include "ctl/documents.h"

#include <errno.h>
#include <stdio.h>

#include "ctl/kinds.h"
#include "ctl/yaml_json.h"

#define ERRMSG_MAX 512
#define WHERE_MAX  400

struct reading {
	const struct es_ctl_options *options;
	struct es_arena *arena;
	struct es_buf found; /* struct es_ctl_document */
	int status;
};

/* ---- files --------------------------------------------------------------------------------- */

static int read_all(FILE *file, struct es_buf *buf)
{
	for (;;) {
		size_t n;

		if (es_buf_reserve(buf, 65536) < 0)
			return ES_ENOMEM;
		n = fread(buf->data + buf->len, 1, 65536, file);
		buf->len += n;
		if (n == 0)
			return ferror(file) ? ES_EIO : 0;
	}
}

int es_ctl_read_file(const char *path, struct es_arena *arena, struct es_slice *ret_text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct es_buf buf;
	uint8_t *copy;
	int rc;

	if (file == NULL)
		return es_ctl_fail("%s: %s", path, strerror(errno));
	es_buf_init(&buf, arena->mem);
	rc = read_all(file, &buf);
	if (rc == ES_EIO)
		(void)es_ctl_fail("%s: %s", is_stdin ? "standard input" : path, strerror(errno));
	if (!is_stdin)
		(void)fclose(file);
	copy = rc == 0 ? es_arena_alloc(arena, buf.len + 1) : NULL;
	if (copy != NULL && buf.len > 0)
		memcpy(copy, buf.data, buf.len);
	*ret_text = es_slice(copy, copy == NULL ? 0 : buf.len);
	es_buf_close(&buf);
	if (rc == ES_EIO)
		return ES_CTL_FAILED;
	return copy == NULL ? es_ctl_out_of_memory() : ES_CTL_OK;
}

void es_ctl_document_where(const struct es_ctl_document *d, char *out, size_t size)
{
	char line[40] = "", item[40] = "";

	if (d->line > 0)
		(void)snprintf(line, sizeof(line), " (line %zu)", d->line);
	if (d->item > 0)
		(void)snprintf(item, sizeof(item), ", item %zu", d->item);
	(void)snprintf(out, size, "%s, document %zu%s%s", d->file, d->number, line, item);
}

/* ---- keys ---------------------------------------------------------------------------------- */

bool es_ctl_namespace(const struct es_ctl_options *options, const struct es_ctl_kind *kind,
		      struct es_slice *ret_ns)
{
	*ret_ns = es_slice_str(options->ns);
	if (kind->built_in != NULL && !kind->built_in->namespaced)
		return false;
	if (ret_ns->len == 0 && kind->built_in != NULL)
		*ret_ns = ES_SLICE("default");
	return ret_ns->len > 0;
}

static int refuse(struct reading *r, const struct es_ctl_document *d, const char *what)
{
	char where[WHERE_MAX];

	es_ctl_document_where(d, where, sizeof(where));
	(void)es_ctl_fail("%s: %s", where, what);
	r->status = es_ctl_worse(r->status, ES_CTL_INVALID);
	return 0;
}

/* A text that is there and not empty, or NULL after a complaint. */
static const struct es_json *need(struct reading *r, const struct es_ctl_document *d,
				  const struct es_json *object, const char *path)
{
	const char *dot = strrchr(path, '.');
	const struct es_json *value = es_json_get(object, dot == NULL ? path : dot + 1);
	char what[100];

	if (value == NULL || value->type == ES_JSON_NULL)
		(void)snprintf(what, sizeof(what), "%s is missing", path);
	else if (value->type != ES_JSON_STRING)
		(void)snprintf(what, sizeof(what), "%s must be a text, not %s", path,
			       es_json_type_name(value->type));
	else if (value->u.string.len == 0)
		(void)snprintf(what, sizeof(what), "%s is empty", path);
	else if (memchr(value->u.string.data, '\0', value->u.string.len) != NULL)
		(void)snprintf(what, sizeof(what), "%s has a NUL in it", path);
	else
		return value;
	(void)refuse(r, d, what);
	return NULL;
}

/* False after a complaint. */
static bool find_namespace(struct reading *r, struct es_ctl_document *d,
			   const struct es_ctl_kind *kind, const struct es_json *metadata)
{
	const struct es_json *given = es_json_get(metadata, "namespace");
	char what[ERRMSG_MAX];

	if (given == NULL || given->type == ES_JSON_NULL ||
	    (given->type == ES_JSON_STRING && given->u.string.len == 0)) {
		d->key.has_ns = es_ctl_namespace(r->options, kind, &d->key.ns);
		if (!d->key.has_ns)
			d->key.ns = es_slice(NULL, 0);
		return true;
	}
	given = need(r, d, metadata, "metadata.namespace");
	if (given == NULL)
		return false;
	if (kind->built_in != NULL && !kind->built_in->namespaced) {
		(void)snprintf(what, sizeof(what), "metadata.namespace: %s has no namespaces",
			       kind->built_in->kind);
		(void)refuse(r, d, what);
		return false;
	}
	d->key.has_ns = true;
	d->key.ns = given->u.string;
	if (!r->options->ns_is_certain || r->options->ns[0] == '\0' ||
	    es_slice_eq(d->key.ns, es_slice_str(r->options->ns)))
		return true;
	(void)snprintf(what, sizeof(what),
		       "metadata.namespace is \"%.*s\", --namespace says \"%s\"",
		       d->key.ns.len > 200 ? 200 : (int)d->key.ns.len, (const char *)d->key.ns.data,
		       r->options->ns);
	(void)refuse(r, d, what);
	return false;
}

static int add_resource(struct reading *r, struct es_ctl_document *d)
{
	const struct es_json *metadata = es_json_get(&d->value, "metadata");
	const struct es_json *api_version, *kind_name, *name;
	struct es_ctl_kind kind;

	if (d->value.type != ES_JSON_OBJECT)
		return refuse(r, d, "not a resource: an object is expected");
	api_version = need(r, d, &d->value, "apiVersion");
	kind_name = need(r, d, &d->value, "kind");
	if (api_version == NULL || kind_name == NULL)
		return 0;
	if (!es_ctl_kind_of(api_version->u.string, kind_name->u.string, &kind))
		return refuse(r, d, "apiVersion must be \"group/version\" or \"version\"");
	name = need(r, d, metadata, "metadata.name");
	if (name == NULL)
		return 0;
	d->key = (struct es_resource_key){.group = kind.group,
					  .version = kind.version,
					  .kind = kind.kind,
					  .name = name->u.string};
	if (!find_namespace(r, d, &kind, metadata))
		return 0;
	return es_buf_append(&r->found, d, sizeof(*d));
}

/* "v1" List, and the lists that kinds have: PodList with items. */
static bool is_list(const struct es_json *value)
{
	struct es_slice kind = es_json_as_string(es_json_get(value, "kind"));

	return kind.len >= 4 && memcmp(kind.data + kind.len - 4, "List", 4) == 0 &&
	       es_json_is(es_json_get(value, "items"), ES_JSON_ARRAY);
}

static int add_document(struct reading *r, struct es_ctl_document *d)
{
	const struct es_json *items;
	int rc = 0;

	if (!is_list(&d->value))
		return add_resource(r, d);
	items = es_json_get(&d->value, "items");
	for (uint32_t i = 0; rc == 0 && i < items->count; i++) {
		struct es_ctl_document item = *d;

		item.value = items->u.items[i];
		item.item = i + 1;
		rc = add_resource(r, &item);
	}
	return rc;
}

/* ---- texts --------------------------------------------------------------------------------- */

/* JSON values one after the other. ES_EDECODE with *ret_error. */
static int split_json(struct es_slice text, struct es_arena *arena, struct es_buf *values,
		      struct es_json_error *ret_error)
{
	const uint8_t *begin = text.data;
	struct es_json_cursor cursor;
	int rc = 0;

	while (rc == 0) {
		struct es_json value;

		while (text.len > 0 && memchr(" \t\r\n", text.data[0], 4) != NULL)
			text = es_slice(text.data + 1, text.len - 1);
		if (text.len == 0)
			return 0;
		es_json_cursor_init(&cursor, text, ES_JSON_DEPTH_MAX);
		rc = es_json_take(&cursor, arena, &value);
		if (rc < 0) {
			*ret_error = cursor.error;
			ret_error->offset += (size_t)(text.data - begin);
			break;
		}
		rc = es_buf_append(values, &value, sizeof(value));
		text = es_slice(text.data + cursor.offset, text.len - cursor.offset);
	}
	return rc;
}

static bool ends_in(const char *path, const char *end)
{
	size_t len = strlen(path), end_len = strlen(end);

	return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

static bool begins_as_json(struct es_slice text)
{
	size_t i = 0;

	while (i < text.len && memchr(" \t\r\n", text.data[i], 4) != NULL)
		i++;
	return i < text.len && (text.data[i] == '{' || text.data[i] == '[');
}

static int add_json(struct reading *r, const char *file, const struct es_buf *values)
{
	const struct es_json *value = (const struct es_json *)(const void *)values->data;
	size_t count = values->len / sizeof(*value);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct es_ctl_document d = {.value = value[i], .file = file, .number = i + 1};

		rc = add_document(r, &d);
	}
	return rc;
}

static int add_yaml(struct reading *r, const char *file, struct es_slice text)
{
	struct es_ctl_yaml_document *documents;
	char errmsg[ERRMSG_MAX];
	size_t count;
	int rc = es_ctl_yaml_parse(text, r->arena, &documents, &count, errmsg, sizeof(errmsg));

	if (rc == ES_EDECODE) {
		(void)es_ctl_fail("%s: %s", file, errmsg);
		r->status = es_ctl_worse(r->status, ES_CTL_INVALID);
		return 0;
	}
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct es_ctl_document d = {.value = documents[i].value,
					    .file = file,
					    .number = documents[i].number,
					    .line = documents[i].line};

		rc = add_document(r, &d);
	}
	return rc;
}

static const char *file_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

static int add_text(struct reading *r, const char *file, struct es_slice text)
{
	bool only_json = ends_in(file, ".json");
	struct es_json_error error = {.offset = 0, .what = "not JSON"};
	struct es_buf values;
	int rc = ES_EDECODE;

	es_buf_init(&values, r->arena->mem);
	if (only_json || begins_as_json(text))
		rc = split_json(text, r->arena, &values, &error);
	if (rc == 0) {
		rc = add_json(r, file, &values);
	} else if (rc == ES_EDECODE && only_json) {
		(void)es_ctl_fail("%s: at byte %zu: %s", file, error.offset, error.what);
		r->status = es_ctl_worse(r->status, ES_CTL_INVALID);
		rc = 0;
	} else if (rc == ES_EDECODE) {
		rc = add_yaml(r, file, text);
	}
	es_buf_close(&values);
	return rc;
}

int es_ctl_documents_read(const struct es_ctl_list *files, const struct es_ctl_options *options,
			  struct es_ctl_documents *documents)
{
	struct reading r = {.options = options, .arena = &documents->arena};
	void *items;
	int rc = 0;

	*documents = (struct es_ctl_documents){.count = 0};
	es_arena_init(&documents->arena, es_mem_default(), 65536);
	es_buf_init(&r.found, es_mem_default());
	for (size_t i = 0; rc == 0 && i < files->count; i++) {
		struct es_slice text;
		int status = es_ctl_read_file(files->items[i], r.arena, &text);

		r.status = es_ctl_worse(r.status, status);
		if (status == ES_CTL_OK)
			rc = add_text(&r, file_name(files->items[i]), text);
	}
	items = rc == 0 ? es_arena_alloc(r.arena, r.found.len + 1) : NULL;
	if (items == NULL) {
		r.status = es_ctl_out_of_memory();
	} else {
		if (r.found.len > 0)
			memcpy(items, r.found.data, r.found.len);
		documents->items = items;
		documents->count = r.found.len / sizeof(*documents->items);
	}
	es_buf_close(&r.found);
	if (r.status == ES_CTL_OK && documents->count == 0) {
		for (size_t i = 0; i < files->count; i++)
			(void)es_ctl_fail("%s: there are no resources in it",
					  file_name(files->items[i]));
		r.status = ES_CTL_INVALID;
	}
	return r.status;
}

void es_ctl_documents_close(struct es_ctl_documents *documents)
{
	es_arena_close(&documents->arena);
}
