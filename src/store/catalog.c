#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "disk/catalog_file.h"
#include "resource/catalog.h"
#include "resource/rules.h"
#include "store/internal.h"
#include "store/resource_result.h"

/*
 * Catalogs out of a store and into it, in the thread of the caller, with the functions that everybody has.
 */
enum {
	PAGE_RESOURCES = 500,
	EXPORT_TRIES = 3, /* should the revision be compacted away meanwhile */
	BATCH_DEFAULT = 100,
};

static engenho_code catalog_error(engenho_error *error, enum es_catalog_error from,
				  const char *text)
{
	if (from == ES_CATALOG_NO_MEMORY)
		return es_store_fail(error, ES_ENOMEM, NULL);
	(void)es_store_fail_as(error, ENGENHO_CATALOG, text);
	if (error != NULL)
		error->kind = es_catalog_error_name(from);
	return ENGENHO_CATALOG;
}

/* "not found" and "exists" are said of resources and leases only. */
static engenho_code file_error(engenho_error *error, int status, const char *text)
{
	if (status == ES_ENOENT || status == ES_EEXIST || status == ES_EBUSY)
		status = ES_EIO;
	return es_store_fail(error, status, text[0] != '\0' ? text : NULL);
}

/* ---- export ---------------------------------------------------------------------------------- */

struct entry {
	struct es_resource_key key;
	struct es_slice value;
};

struct export
{
	engenho_store *store;
	engenho_error *error;
	engenho_list_result **pages;
	struct entry *entries;
	size_t page_count, page_capacity, count;
	int64_t revision;
};

static void export_reset(struct export *e)
{
	for (size_t i = 0; i < e->page_count; i++)
		engenho_list_result_free(e->pages[i]);
	es_free(e->store->mem, e->entries);
	e->entries = NULL;
	e->page_count = 0;
	e->count = 0;
}

static engenho_code keep_page(struct export *e, engenho_list_result *page)
{
	if (e->page_count == e->page_capacity) {
		size_t capacity = e->page_capacity * 2 + 16;
		void *pages = es_realloc(e->store->mem, e->pages, capacity * sizeof(*e->pages));

		if (pages == NULL) {
			engenho_list_result_free(page);
			return es_store_fail(e->error, ES_ENOMEM, NULL);
		}
		e->pages = pages;
		e->page_capacity = capacity;
	}
	e->pages[e->page_count++] = page;
	e->count += page->count;
	e->revision = page->revision;
	return ENGENHO_OK;
}

/* All pages, at the revision of the first. */
static engenho_code read_pages(struct export *e)
{
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);
	engenho_list_result *page;
	engenho_code code;

	options.limit = PAGE_RESOURCES;
	do {
		code = engenho_list(e->store, &options, &page, e->error);
		if (code == ENGENHO_OK)
			code = keep_page(e, page);
		if (code == ENGENHO_OK)
			options.continue_token = page->continue_token;
	} while (code == ENGENHO_OK && options.continue_token != NULL);
	return code;
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return es_resource_key_cmp(&x->key, &y->key);
}

/* Lists are in the order of paths, catalogs in that of keys. */
static engenho_code sort_entries(struct export *e)
{
	size_t n = 0;

	e->entries = es_calloc(e->store->mem, e->count + 1, sizeof(*e->entries));
	if (e->entries == NULL)
		return es_store_fail(e->error, ES_ENOMEM, NULL);
	for (size_t p = 0; p < e->page_count; p++) {
		for (size_t i = 0; i < e->pages[p]->count; i++, n++) {
			const engenho_resource *item = &e->pages[p]->items[i];
			int rc = es_store_key(&item->key, NULL, &e->entries[n].key);

			ES_ASSERT(rc == 0);
			e->entries[n].value = es_store_slice(item->value);
		}
	}
	if (e->count > 1)
		qsort(e->entries, e->count, sizeof(*e->entries), by_key);
	return ENGENHO_OK;
}

/* "v1/ConfigMap/default/a: what" */
static void say_of(const struct es_mem *mem, const struct es_resource_key *key, const char *what,
		   char ret_text[ES_TYPED_TEXT_MAX])
{
	struct es_buf label;

	es_buf_init(&label, mem);
	(void)es_resource_label(&label, key);
	(void)snprintf(ret_text, ES_TYPED_TEXT_MAX, "%.*s: %s", (int)label.len,
		       (const char *)label.data, what);
	es_buf_close(&label);
}

static engenho_code refuse_entry(struct export *e, const struct entry *entry, const char *what)
{
	char text[ES_TYPED_TEXT_MAX];

	say_of(e->store->mem, &entry->key, what, text);
	return catalog_error(e->error, ES_CATALOG_ENCODE, text);
}

/* What was not written through this API need not be JSON, nor canonical. */
static engenho_code write_entry(struct export *e, struct es_catalog_writer *writer,
				const struct entry *entry, struct es_arena *arena,
				struct es_buf *text)
{
	struct es_json_error wrong;
	struct es_json value;
	int rc = es_json_parse(entry->value, ES_CATALOG_VALUE_DEPTH_MAX, arena, &value, &wrong);

	if (rc == ES_EDECODE)
		return refuse_entry(e, entry, wrong.what);
	text->len = 0;
	if (rc == 0)
		rc = es_json_write(text, &value);
	if (rc == 0)
		rc = es_catalog_write(writer, &entry->key, es_buf_slice(text));
	es_arena_reset(arena);
	return rc == 0 ? ENGENHO_OK : es_store_fail(e->error, rc, NULL);
}

static engenho_code write_entries(struct export *e, uint64_t term, struct es_buf *file)
{
	struct es_catalog_writer writer;
	engenho_code code = ENGENHO_OK;
	struct es_arena arena;
	struct es_buf text;
	int rc = es_catalog_write_begin(&writer, file);

	es_arena_init(&arena, e->store->mem, 16384);
	es_buf_init(&text, e->store->mem);
	for (size_t i = 0; rc == 0 && code == ENGENHO_OK && i < e->count; i++)
		code = write_entry(e, &writer, &e->entries[i], &arena, &text);
	if (rc == 0 && code == ENGENHO_OK)
		rc = es_catalog_write_end(&writer, term, (uint64_t)e->revision,
					  (uint64_t)e->revision);
	es_buf_close(&text);
	es_arena_close(&arena);
	return rc < 0 ? es_store_fail(e->error, rc, NULL) : code;
}

static engenho_code save(struct export *e, const char *path)
{
	engenho_stats stats = ENGENHO_INIT(engenho_stats);
	engenho_code code = engenho_get_stats(e->store, &stats, e->error);
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	struct es_buf file;
	int rc = 0;

	es_buf_init(&file, e->store->mem);
	if (code == ENGENHO_OK)
		code = write_entries(e, stats.term, &file);
	if (code == ENGENHO_OK)
		rc = es_catalog_save(es_fs_posix(), path, es_buf_slice(&file), errmsg,
				     sizeof(errmsg));
	es_buf_close(&file);
	return rc < 0 ? file_error(e->error, rc, errmsg) : code;
}

engenho_code engenho_catalog_export(engenho_store *store, const char *path, int64_t *ret_revision,
				    uint64_t *ret_count, engenho_error *error)
{
	struct export e = {.store = store, .error = error};
	engenho_code code = ENGENHO_COMPACTED;

	for (int i = 0; i < EXPORT_TRIES && code == ENGENHO_COMPACTED; i++) {
		export_reset(&e);
		code = read_pages(&e);
	}
	if (code == ENGENHO_OK)
		code = sort_entries(&e);
	if (code == ENGENHO_OK)
		code = save(&e, path);
	if (code == ENGENHO_OK && ret_revision != NULL)
		*ret_revision = e.revision;
	if (code == ENGENHO_OK && ret_count != NULL)
		*ret_count = e.count;
	export_reset(&e);
	es_free(store->mem, e.pages);
	return code;
}

/* ---- import: what is there already ----------------------------------------------------------- */

struct item {
	struct es_resource_key key;
	struct es_slice value; /* in the file */
	struct es_slice found; /* data NULL: nothing is there */
};

struct look {
	struct es_store_call call;
	struct item *items;
	size_t count;
};

static int look_at(struct look *l, struct item *item, struct es_buf *path)
{
	const struct es_mvcc *store = es_engine_store(l->call.store->member.engine);
	const struct es_mvcc_version *version;
	struct es_mvcc_kv kv;
	int rc;

	path->len = 0;
	rc = es_resource_path(path, &item->key);
	if (rc < 0)
		return rc;
	version = es_mvcc_get(store, es_buf_slice(path));
	item->found = es_slice(NULL, 0);
	if (version == NULL)
		return 0;
	es_mvcc_version_kv(version, &kv);
	item->found = kv.value;
	return es_store_keep(&l->call.arena, &item->found) ? 0 : ES_ENOMEM;
}

static void on_readable(void *arg, int status)
{
	struct look *l = arg;
	struct es_buf path;

	es_buf_init(&path, l->call.store->mem);
	for (size_t i = 0; status == 0 && i < l->count; i++)
		status = look_at(l, &l->items[i], &path);
	es_buf_close(&path);
	es_store_finish(&l->call, status, NULL);
}

static void run_look(struct es_store_call *call)
{
	es_engine_linearize(call->store->member.engine, on_readable,
			    ES_CONTAINER_OF(call, struct look, call));
}

/* `value` with the member of metadata that `from` has, or without it. */
static int set_metadata(struct es_arena *arena, struct es_json *value, const char *name,
			const struct es_json *from)
{
	const struct es_json *metadata = es_json_get(value, "metadata");
	struct es_json changed;
	int rc;

	if (from != NULL)
		rc = es_json_set(arena, metadata, es_slice_str(name), from, &changed);
	else if (metadata != NULL)
		rc = es_json_remove(arena, metadata, es_slice_str(name), &changed);
	else
		return 0;
	return rc < 0 ? rc : es_json_set(arena, value, ES_SLICE("metadata"), &changed, value);
}

/* What a put of `value` over `found` would leave, but for the versions. */
static int expect(struct es_arena *arena, const struct es_json *found, struct es_json *value)
{
	static const char *const kept[] = {"uid", "creationTimestamp"};
	static const char *const filled[] = {"name", "namespace"};
	static const char *const types[] = {"apiVersion", "kind"};
	const struct es_json *metadata = es_json_get(found, "metadata");
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ES_ARRAY_LEN(types); i++) {
		const struct es_json *there = es_json_get(found, types[i]);

		if (there != NULL && es_json_get(value, types[i]) == NULL)
			rc = es_json_set(arena, value, es_slice_str(types[i]), there, value);
	}
	for (size_t i = 0; rc == 0 && i < ES_ARRAY_LEN(kept); i++) {
		const struct es_json *there = es_json_get(metadata, kept[i]);

		if (there != NULL)
			rc = set_metadata(arena, value, kept[i], there);
	}
	for (size_t i = 0; rc == 0 && i < ES_ARRAY_LEN(filled); i++) {
		const struct es_json *there = es_json_get(metadata, filled[i]);

		if (there != NULL && es_json_get(es_json_get(value, "metadata"), filled[i]) == NULL)
			rc = set_metadata(arena, value, filled[i], there);
	}
	return rc;
}

static int drop_versions(struct es_arena *arena, struct es_json *value)
{
	int rc = set_metadata(arena, value, "resourceVersion", NULL);

	return rc < 0 ? rc : set_metadata(arena, value, "generation", NULL);
}

/* *ret_releases: the value is another than what is stored, and a put of it would delete that. */
static int is_there(const struct item *item, struct es_arena *arena, bool *ret_there,
		    bool *ret_releases)
{
	struct es_json found, value;
	struct es_json_error error;
	int rc;

	*ret_there = false;
	*ret_releases = false;
	if (item->found.data == NULL)
		return 0;
	rc = es_json_parse(item->value, ES_JSON_DEPTH_MAX, arena, &value, &error);
	if (rc < 0)
		return rc;
	*ret_releases = es_resource_is_released(&value);
	rc = es_json_parse(item->found, ES_JSON_DEPTH_MAX, arena, &found, &error);
	if (rc == ES_EDECODE)
		return 0;
	if (rc == 0 && value.type == ES_JSON_OBJECT && found.type == ES_JSON_OBJECT) {
		rc = expect(arena, &found, &value);
		if (rc == 0)
			rc = drop_versions(arena, &found);
		if (rc == 0)
			rc = drop_versions(arena, &value);
	}
	if (rc == 0)
		*ret_there = es_json_eq(&found, &value);
	return rc;
}

/* ---- import ---------------------------------------------------------------------------------- */

struct import {
	engenho_store *store;
	engenho_error *error;
	struct es_catalog_reader reader;
	struct es_arena arena; /* of a batch: keys, as texts */
	size_t batch;
	uint64_t batch_bytes;
	struct item *items; /* of the batch that is being read */
	size_t count;
	uint64_t bytes;
	engenho_op *ops;
	uint64_t imported, unchanged;
};

static const char *text_of(struct es_arena *arena, struct es_slice part)
{
	char *text = es_arena_alloc(arena, part.len + 1);

	if (text == NULL)
		return NULL;
	if (part.len > 0)
		memcpy(text, part.data, part.len);
	text[part.len] = '\0';
	return text;
}

static int make_op(struct import *m, const struct item *item, engenho_op *op)
{
	const struct es_resource_key *key = &item->key;

	*op = (engenho_op){
		.key = {.group = text_of(&m->arena, key->group),
			.version = text_of(&m->arena, key->version),
			.kind = text_of(&m->arena, key->kind),
			.ns = key->has_ns ? text_of(&m->arena, key->ns) : NULL,
			.name = text_of(&m->arena, key->name)},
		.value = {item->value.data, item->value.len},
	};
	if (op->key.group == NULL || op->key.version == NULL || op->key.kind == NULL ||
	    op->key.name == NULL || (key->has_ns && op->key.ns == NULL))
		return ES_ENOMEM;
	return 0;
}

static engenho_code refuse_item(const struct import *m, const struct item *item)
{
	char text[ES_TYPED_TEXT_MAX];

	say_of(m->store->mem, &item->key, "the file has it as deleted, and the store holds another",
	       text);
	return es_store_fail_as(m->error, ENGENHO_EXISTS, text);
}

/* *ret_count: how many are to be put. */
static engenho_code compare(struct import *m, size_t *ret_count)
{
	struct es_arena scratch;
	engenho_code code = ENGENHO_OK;

	*ret_count = 0;
	es_arena_init(&scratch, m->store->mem, 16384);
	for (size_t i = 0; code == ENGENHO_OK && i < m->count; i++) {
		bool there, releases;
		int rc = is_there(&m->items[i], &scratch, &there, &releases);

		es_arena_reset(&scratch);
		if (rc == 0 && there)
			m->unchanged++;
		else if (rc == 0 && releases)
			code = refuse_item(m, &m->items[i]);
		else if (rc == 0)
			rc = make_op(m, &m->items[i], &m->ops[(*ret_count)++]);
		if (rc < 0)
			code = es_store_fail(m->error, rc, NULL);
	}
	es_arena_close(&scratch);
	return code;
}

/* What is stored of a value is larger than the value: where a batch is too large, its halves may not be. */
static engenho_code put_all(struct import *m, const engenho_op *ops, size_t count)
{
	engenho_txn txn = ENGENHO_INIT(engenho_txn);
	engenho_code code;

	if (count == 0)
		return ENGENHO_OK;
	txn.success_count = count;
	txn.success = ops;
	code = engenho_txn_commit(m->store, &txn, NULL, NULL, m->error);
	if (code == ENGENHO_OK)
		m->imported += count;
	if (code != ENGENHO_TOO_LARGE || count == 1)
		return code;
	code = put_all(m, ops, count / 2);
	return code == ENGENHO_OK ? put_all(m, ops + count / 2, count - count / 2) : code;
}

static engenho_code import_batch(struct import *m)
{
	struct look look = {.items = m->items, .count = m->count};
	engenho_code code = es_store_enter(m->store, true, m->error);
	size_t puts = 0;

	if (code != ENGENHO_OK)
		return code;
	es_store_call_init(&look.call, m->store, run_look, NULL);
	code = es_store_wait(&look.call, m->error);
	if (code == ENGENHO_OK)
		code = compare(m, &puts);
	es_store_call_close(&look.call);
	es_store_leave(m->store);
	if (code == ENGENHO_OK)
		code = put_all(m, m->ops, puts);
	es_arena_reset(&m->arena);
	m->count = 0;
	m->bytes = 0;
	return code;
}

/* The reader's keys last for two calls only. */
static bool keep_key(struct es_arena *arena, struct es_resource_key *key)
{
	return es_store_keep(arena, &key->group) && es_store_keep(arena, &key->version) &&
	       es_store_keep(arena, &key->kind) && es_store_keep(arena, &key->ns) &&
	       es_store_keep(arena, &key->name);
}

static engenho_code import_item(struct import *m, struct item *item)
{
	engenho_code code = ENGENHO_OK;

	if (m->count == m->batch || (m->count > 0 && m->bytes + item->value.len > m->batch_bytes))
		code = import_batch(m);
	if (code != ENGENHO_OK)
		return code;
	if (!keep_key(&m->arena, &item->key))
		return es_store_fail(m->error, ES_ENOMEM, NULL);
	m->items[m->count++] = *item;
	m->bytes += item->value.len;
	return ENGENHO_OK;
}

static engenho_code import_all(struct import *m)
{
	engenho_code code = ENGENHO_OK;
	struct item item = {0};
	int rc = 0;

	while (code == ENGENHO_OK && (rc = es_catalog_next(&m->reader, &item.key, &item.value)) > 0)
		code = import_item(m, &item);
	if (code == ENGENHO_OK && rc < 0)
		return es_store_fail(m->error, rc, NULL);
	return code == ENGENHO_OK && m->count > 0 ? import_batch(m) : code;
}

/* Before anything is written. */
static engenho_code check_keys(struct es_catalog_reader *reader, engenho_error *error)
{
	struct es_resource_key key;
	struct es_slice value;
	char why[ES_TYPED_TEXT_MAX];
	uint64_t n = 0;
	int rc;

	while ((rc = es_catalog_next(reader, &key, &value)) > 0) {
		char text[ES_TYPED_TEXT_MAX + 64];

		n++;
		if (es_resource_key_check(&key, why, sizeof(why)) == 0)
			continue;
		(void)snprintf(text, sizeof(text), "resource %" PRIu64 " of the catalog: %s", n,
			       why);
		return es_store_fail(error, ES_EINVAL, text);
	}
	return rc < 0 ? es_store_fail(error, rc, NULL) : ENGENHO_OK;
}

/* Twice: to check, and to import. */
static engenho_code read_file(struct import *m, struct es_slice file)
{
	engenho_code code = ENGENHO_OK;

	for (int pass = 0; code == ENGENHO_OK && pass < 2; pass++) {
		char errmsg[ES_TYPED_TEXT_MAX] = "";
		enum es_catalog_error wrong = es_catalog_open(&m->reader, file, m->store->mem,
							      errmsg, sizeof(errmsg));

		if (wrong != ES_CATALOG_OK)
			return catalog_error(m->error, wrong, errmsg);
		code = pass == 0 ? check_keys(&m->reader, m->error) : import_all(m);
		es_catalog_close(&m->reader);
	}
	return code;
}

static engenho_code import_file(struct import *m, const char *path)
{
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	engenho_code code;
	struct es_slice file;
	int rc;

	m->items = es_calloc(m->store->mem, m->batch, sizeof(*m->items));
	m->ops = es_calloc(m->store->mem, m->batch, sizeof(*m->ops));
	if (m->items == NULL || m->ops == NULL)
		return es_store_fail(m->error, ES_ENOMEM, NULL);
	rc = es_catalog_load(es_fs_posix(), m->store->mem, path, &file, errmsg, sizeof(errmsg));
	if (rc < 0)
		return file_error(m->error, rc, errmsg);
	code = read_file(m, file);
	es_free(m->store->mem, (void *)(uintptr_t)file.data);
	return code;
}

engenho_code engenho_catalog_import(engenho_store *store, const char *path, uint32_t batch,
				    uint64_t *ret_imported, uint64_t *ret_unchanged,
				    engenho_error *error)
{
	struct import m = {.store = store, .error = error};
	engenho_code code = es_store_enter(store, true, error);

	if (code != ENGENHO_OK)
		return code;
	m.batch = batch == 0 ? BATCH_DEFAULT : batch;
	if (m.batch > store->max_txn_ops)
		m.batch = store->max_txn_ops;
	if (m.batch == 0)
		m.batch = 1;                          /* which is refused as too many */
	m.batch_bytes = store->max_request_bytes / 4; /* what escapes and is stored grows */
	es_store_leave(store);
	es_arena_init(&m.arena, store->mem, 16384);
	code = import_file(&m, path);
	es_arena_close(&m.arena);
	es_free(store->mem, m.items);
	es_free(store->mem, m.ops);
	if (ret_imported != NULL)
		*ret_imported = m.imported;
	if (ret_unchanged != NULL)
		*ret_unchanged = m.unchanged;
	return code;
}
