/*
 * A catalog of what a store holds. The order of paths is not the order of keys (a '/' ends a part of a path, and
 * sorts behind '-' and '.'; escapes move more), so the keys are read and sorted first. Values are in the store
 * already; each is read and written anew, as raw writes may have put anything there.
 */
#include <stdlib.h>

#include "resource/catalog.h"
#include "resource/util.h"

struct place {
	struct es_resource_key key;
	struct es_slice value;
};

struct export
{
	struct es_arena arena;
	struct place *places;
	size_t count;
	char *errmsg;
	size_t errmsg_size;
};

static int refuse(struct export *e, const char *what, struct es_slice which)
{
	es_resource_say(e->errmsg, e->errmsg_size, "%s: %.*s", what, es_resource_say_len(which),
			(const char *)which.data);
	return ES_EDECODE;
}

static int compare(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return es_resource_key_cmp(&left->key, &right->key);
}

static int list(struct export *e, const struct es_mvcc *store)
{
	struct es_mvcc_range_req req = {
		.range = {ES_SLICE(ES_RESOURCE_ROOT), ES_SLICE("/engenho/resources0")}};
	struct es_mvcc_range_res res;
	int rc = es_mvcc_range(store, &req, &e->arena, &res);

	if (rc < 0)
		return rc;
	e->places = es_arena_calloc(&e->arena, res.n, sizeof(*e->places));
	if (e->places == NULL && res.n > 0)
		return ES_ENOMEM;
	for (; e->count < res.n; e->count++) {
		struct place *place = &e->places[e->count];
		struct es_mvcc_kv kv;

		es_mvcc_version_kv(res.versions[e->count], &kv);
		place->value = kv.value;
		rc = es_resource_path_parse(kv.key, &e->arena, &place->key);
		if (rc == ES_EDECODE)
			return refuse(e, "not the path of a resource", kv.key);
		if (rc < 0)
			return rc;
	}
	if (e->count > 0)
		qsort(e->places, e->count, sizeof(*e->places), compare);
	return 0;
}

/* `arena` and `text` are used for this value only. */
static int write_one(struct export *e, struct es_catalog_writer *writer, const struct place *place,
		     struct es_arena *arena, struct es_buf *text)
{
	struct es_json_error error;
	struct es_json value;
	int rc = es_json_parse(place->value, ES_CATALOG_VALUE_DEPTH_MAX, arena, &value, &error);

	text->len = 0;
	if (rc == ES_EDECODE) {
		rc = es_resource_label(text, &place->key);
		return rc < 0 ? rc : refuse(e, error.what, es_buf_slice(text));
	}
	if (rc == 0)
		rc = es_json_write(text, &value);
	return rc < 0 ? rc : es_catalog_write(writer, &place->key, es_buf_slice(text));
}

static int write_all(struct export *e, struct es_catalog_writer *writer, const struct es_mem *mem)
{
	struct es_arena arena;
	struct es_buf text;
	int rc = 0;

	es_arena_init(&arena, mem, 4096);
	es_buf_init(&text, mem);
	for (size_t i = 0; rc == 0 && i < e->count; i++) {
		rc = write_one(e, writer, &e->places[i], &arena, &text);
		es_arena_reset(&arena);
	}
	es_buf_close(&text);
	es_arena_close(&arena);
	return rc;
}

enum es_catalog_error es_catalog_write_store(const struct es_mvcc *store,
					     uint64_t last_applied_term,
					     uint64_t last_applied_index, struct es_buf *buf,
					     char *errmsg, size_t errmsg_size)
{
	struct export e = {.errmsg = errmsg, .errmsg_size = errmsg_size};
	struct es_catalog_writer writer;
	size_t before = buf->len;
	int rc;

	es_arena_init(&e.arena, buf->mem, 16384);
	rc = list(&e, store);
	if (rc == 0)
		rc = es_catalog_write_begin(&writer, buf);
	if (rc == 0)
		rc = write_all(&e, &writer, buf->mem);
	if (rc == 0)
		rc = es_catalog_write_end(&writer, last_applied_term, last_applied_index,
					  last_applied_index);
	es_arena_close(&e.arena);
	if (rc == 0)
		return ES_CATALOG_OK;
	buf->len = before;
	if (rc == ES_EDECODE)
		return ES_CATALOG_ENCODE;
	es_resource_say(errmsg, errmsg_size, "%s", es_status_text(rc));
	return ES_CATALOG_NO_MEMORY;
}
