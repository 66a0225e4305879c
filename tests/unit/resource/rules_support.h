#ifndef TEST_RESOURCE_RULES_SUPPORT_H
#define TEST_RESOURCE_RULES_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "resource/catalog.h"
#include "resource/rules.h"

/* A key space that starts at revision 0, as an empty catalog does, and what has been read for it. */
struct world {
	struct es_mvcc *store;
	struct es_arena arena;
	uint64_t index;
	bool v0;
};

static inline void world_open(struct world *w)
{
	*w = (struct world){0};
	assert_int_equal(es_mvcc_new(es_mem_default(), &w->store), 0);
	es_mvcc_count_from(w->store, 0);
	es_arena_init(&w->arena, es_mem_default(), 4096);
}

static inline void world_close(struct world *w)
{
	es_mvcc_free(w->store);
	es_arena_close(&w->arena);
}

/* The plan lives as long as the world. */
static inline void world_apply(struct world *w, struct es_slice line, struct es_resource_plan *plan)
{
	struct es_resource_command command;
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	char errmsg[512] = "";
	size_t count;
	int rc;

	w->index++;
	rc = w->v0 ? es_resource_command_decode_v0(line, &w->arena, &command, errmsg,
						   sizeof(errmsg))
		   : es_resource_command_decode(line, &w->arena, &command, errmsg, sizeof(errmsg));
	assert_string_equal(errmsg, "");
	assert_int_equal(rc, 0);
	rc = w->v0 ? es_resource_plan_v0(w->store, &command, w->index, &w->arena, plan)
		   : es_resource_plan(w->store, &command, &w->arena, plan);
	assert_int_equal(rc, 0);
	if (plan->txn != NULL)
		assert_int_equal(es_mvcc_txn_apply(w->store, plan->txn, NULL, &w->arena, &res,
						   &events, &count),
				 0);
}

static inline void world_put_raw(struct world *w, const char *key, const char *value)
{
	const struct es_mvcc_op op = {
		.kind = ES_MVCC_OP_PUT,
		.u.put = {.key = es_slice_str(key), .value = es_slice_str(value)}};
	const struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	size_t count;

	assert_int_equal(es_mvcc_txn_apply(w->store, &txn, NULL, &w->arena, &res, &events, &count),
			 0);
}

struct dumped {
	struct es_resource_key key;
	struct es_slice value;
};

static inline int by_key(const void *a, const void *b)
{
	return es_resource_key_cmp(&((const struct dumped *)a)->key,
				   &((const struct dumped *)b)->key);
}

/* [KEY,VALUE] of every resource, a line each, in key order. */
static inline void world_dump(struct world *w, struct es_buf *out)
{
	const struct es_mvcc_range_req all = {.range = {.key = ES_SLICE("/engenho/resources/"),
							.end = ES_SLICE("/engenho/resources0")}};
	struct es_mvcc_range_res res;
	struct dumped *list;

	assert_int_equal(es_mvcc_range(w->store, &all, &w->arena, &res), 0);
	list = es_arena_calloc(&w->arena, res.n + 1, sizeof(*list));
	assert_non_null(list);
	for (size_t i = 0; i < res.n; i++) {
		struct es_mvcc_kv kv;

		es_mvcc_version_kv(res.versions[i], &kv);
		assert_int_equal(es_resource_path_parse(kv.key, &w->arena, &list[i].key), 0);
		list[i].value = kv.value;
	}
	if (res.n > 0)
		qsort(list, res.n, sizeof(*list), by_key);
	for (size_t i = 0; i < res.n; i++) {
		assert_int_equal(es_buf_append_str(out, "["), 0);
		assert_int_equal(es_resource_key_write(out, &list[i].key), 0);
		assert_int_equal(es_buf_append_str(out, ","), 0);
		assert_int_equal(es_buf_append_slice(out, list[i].value), 0);
		assert_int_equal(es_buf_append_str(out, "]\n"), 0);
	}
}

/* ---- files ----------------------------------------------------------------------------------- */

static inline bool next_line(struct es_slice *rest, struct es_slice *ret_line)
{
	const uint8_t *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->data, '\n', rest->len);
	ret_line->data = rest->data;
	ret_line->len = end == NULL ? rest->len : (size_t)(end - rest->data);
	rest->data += ret_line->len + (end != NULL);
	rest->len -= ret_line->len + (end != NULL);
	return true;
}

/* Whole, for the life of the test; `format` has one %s. */
__attribute__((format(printf, 1, 2))) static inline struct es_slice read_vector(const char *format,
										...)
{
	const char *data = getenv("ES_TEST_DATA");
	static struct es_arena kept; /* until the process ends */
	char name[128], path[512];
	uint8_t *bytes;
	va_list args;
	size_t len;
	FILE *file;

	assert_non_null(data);
	va_start(args, format);
	(void)vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	(void)snprintf(path, sizeof(path), "%s/vectors/%s", data, name);
	file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	if (kept.mem == NULL)
		es_arena_init(&kept, es_mem_default(), 4096);
	bytes = es_arena_alloc(&kept, 1 << 20);
	assert_non_null(bytes);
	len = fread(bytes, 1, 1 << 20, file);
	assert_true(len < 1 << 20);
	assert_int_equal(fclose(file), 0);
	return es_slice(bytes, len);
}

#endif
