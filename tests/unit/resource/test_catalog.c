#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/rng.h"
#include "resource/catalog.h"

static char errmsg[300];

/* ---- files --------------------------------------------------------------------------------- */

static void read_vector(const char *name, struct es_buf *buf)
{
	const char *data = getenv("ES_TEST_DATA");
	char path[600];
	char block[4096];
	size_t n;
	FILE *f;

	assert_non_null(data);
	(void)snprintf(path, sizeof(path), "%s/vectors/catalog-v1/%s", data, name);
	f = fopen(path, "rb");
	if (f == NULL)
		fail_msg("%s cannot be opened", path);
	es_buf_init(buf, es_mem_default());
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		assert_int_equal(es_buf_append(buf, block, n), 0);
	(void)fclose(f);
}

/* A file around any payload. */
static void wrap(struct es_slice payload, struct es_buf *buf)
{
	uint8_t digest[ES_BLAKE3_BYTES];

	es_blake3(payload, digest);
	es_buf_init(buf, es_mem_default());
	assert_int_equal(es_buf_append_str(buf, "engenho-catalog-snapshot v1\n"), 0);
	assert_int_equal(es_buf_append_u64le(buf, payload.len), 0);
	assert_int_equal(es_buf_append(buf, digest, sizeof(digest)), 0);
	assert_int_equal(es_buf_append_slice(buf, payload), 0);
}

static enum es_catalog_error check(struct es_slice file)
{
	struct es_catalog_reader reader;
	enum es_catalog_error error;

	errmsg[0] = '\0';
	error = es_catalog_open(&reader, file, es_mem_default(), errmsg, sizeof(errmsg));
	if (error == ES_CATALOG_OK)
		es_catalog_close(&reader);
	assert_true((error == ES_CATALOG_OK) == (errmsg[0] == '\0'));
	return error;
}

static enum es_catalog_error check_payload(const char *payload)
{
	enum es_catalog_error error;
	struct es_buf buf;

	wrap(es_slice_str(payload), &buf);
	error = check(es_buf_slice(&buf));
	es_buf_close(&buf);
	return error;
}

/* Read a file and write it again, canonical. */
static enum es_catalog_error rewrite(struct es_slice file, const struct es_mem *mem,
				     struct es_buf *ret_file)
{
	struct es_catalog_reader reader;
	struct es_catalog_writer writer;
	struct es_resource_key key;
	struct es_json_error error;
	struct es_arena arena;
	struct es_slice text;
	struct es_json value;
	struct es_buf canonical;
	enum es_catalog_error kind = es_catalog_open(&reader, file, mem, errmsg, sizeof(errmsg));
	int rc;

	es_buf_init(ret_file, mem);
	if (kind != ES_CATALOG_OK)
		return kind;
	es_arena_init(&arena, mem, 256);
	es_buf_init(&canonical, mem);
	rc = es_catalog_write_begin(&writer, ret_file);
	while (rc == 0 && (rc = es_catalog_next(&reader, &key, &text)) > 0) {
		canonical.len = 0;
		rc = es_json_parse(text, ES_CATALOG_VALUE_DEPTH_MAX, &arena, &value, &error);
		if (rc == 0)
			rc = es_json_write(&canonical, &value);
		if (rc == 0)
			rc = es_catalog_write(&writer, &key, es_buf_slice(&canonical));
	}
	if (rc == 0) {
		assert_int_equal(writer.count, reader.info.resources);
		rc = es_catalog_write_end(&writer, reader.info.last_applied_term,
					  reader.info.last_applied_index,
					  reader.info.outer_last_applied_index);
	}
	es_buf_close(&canonical);
	es_arena_close(&arena);
	es_catalog_close(&reader);
	assert_true(rc == 0 || rc == ES_ENOMEM);
	return rc == 0 ? ES_CATALOG_OK : ES_CATALOG_NO_MEMORY;
}

/* ---- vectors ------------------------------------------------------------------------------- */

static void files_of_others_come_back_to_the_byte(void **state)
{
	static const char *const names[] = {"00-hand.snap", "01-small.snap", "02-mixed.snap",
					    "03-long.snap", "04-empty.snap"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++) {
		struct es_buf file, again;

		read_vector(names[i], &file);
		assert_int_equal(rewrite(es_buf_slice(&file), es_mem_default(), &again),
				 ES_CATALOG_OK);
		assert_true(es_slice_eq(es_buf_slice(&file), es_buf_slice(&again)));
		es_buf_close(&again);
		es_buf_close(&file);
	}
}

static void expect(const char *name, const char *kind, const char *payload)
{
	struct es_buf file, again;
	enum es_catalog_error error;
	char path[200];

	(void)snprintf(path, sizeof(path), "bad/%s.snap", name);
	read_vector(path, &file);
	error = rewrite(es_buf_slice(&file), es_mem_default(), &again);
	if (strcmp(es_catalog_error_name(error), kind) != 0)
		fail_msg("%s is %s, not %s (%s)", name, es_catalog_error_name(error), kind, errmsg);
	if (error == ES_CATALOG_OK) {
		struct es_slice got = es_slice(again.data + ES_CATALOG_HEAD_BYTES,
					       again.len - ES_CATALOG_HEAD_BYTES);

		if (!es_slice_eq(got, es_slice_str(payload)))
			fail_msg("%s: %.*s", name, (int)got.len, (const char *)got.data);
	}
	es_buf_close(&again);
	es_buf_close(&file);
}

static void damaged_files_of_others(void **state)
{
	struct es_buf list;
	size_t count = 0;
	char *line, *rest;

	(void)state;
	read_vector("bad/expected.tsv", &list);
	assert_int_equal(es_buf_append_u8(&list, 0), 0);
	for (rest = (char *)list.data; *rest != '\0'; count++) {
		char *kind, *payload;

		line = rest;
		rest += strcspn(rest, "\n");
		if (*rest != '\0')
			*rest++ = '\0';
		kind = strchr(line, '\t');
		assert_non_null(kind);
		*kind++ = '\0';
		payload = strchr(kind, '\t');
		if (payload != NULL)
			*payload++ = '\0';
		expect(line, kind, payload);
	}
	assert_true(count > 40);
	es_buf_close(&list);
}

/* ---- damage -------------------------------------------------------------------------------- */

static void every_cut_and_every_bit(void **state)
{
	struct es_buf file;

	(void)state;
	read_vector("00-hand.snap", &file);
	for (size_t len = 0; len < file.len; len++)
		assert_int_equal(check(es_slice(file.data, len)), ES_CATALOG_TRUNCATED);
	for (size_t i = 0; i < file.len * 8; i++) {
		enum es_catalog_error error;

		file.data[i / 8] ^= (uint8_t)(1u << i % 8);
		error = check(es_buf_slice(&file));
		if (i / 8 < 28)
			assert_int_equal(error, ES_CATALOG_BAD_MAGIC);
		else if (i / 8 >= 36)
			assert_int_equal(error, ES_CATALOG_HASH_MISMATCH);
		else
			assert_true(error == ES_CATALOG_TRUNCATED ||
				    error == ES_CATALOG_HASH_MISMATCH);
		file.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	es_buf_close(&file);
}

#define KEY \
	"{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\",\"namespace\":\"a\",\"name\":\"b\"}"
#define NUMBERS    "\"last_applied_term\":1,\"last_applied_index\":2"
#define OUTER      "\"last_applied_index\":3"
#define FILE_OF(r) "{\"catalog\":{\"catalog\":{\"resources\":" r "," NUMBERS "}}," OUTER "}"

static void shapes(void **state)
{
	static const struct {
		const char *payload;
		const char *message; /* NULL: right */
	} cases[] = {
		{FILE_OF("[]"), NULL},
		{FILE_OF("[[" KEY ",1]]"), NULL},
		{" " FILE_OF("[ [ " KEY " , { } ] ]") "\n", NULL},
		{"{" OUTER ",\"catalog\":{\"catalog\":{" NUMBERS ",\"resources\":[]}}}", NULL},
		/* Members that nobody knows. */
		{"{\"x\":[{}],\"catalog\":{\"y\":1,\"catalog\":{\"resources\":[],\"z\":"
		 "null," NUMBERS "}}," OUTER "}",
		 NULL},
		{FILE_OF("[[{\"x\":{\"y\":[]},\"group\":\"\",\"version\":\"\",\"kind\":\"\","
			 "\"name\":"
			 "\"\"},1]]"),
		 NULL},
		{FILE_OF("[[{\"gr\\u006fup\":\"\",\"version\":\"\",\"kind\":\"\",\"name\":\"\"},1]"
			 "]"),
		 NULL},
		/* Members that are missing, or are there twice. */
		{"{}", "catalog or last_applied_index is missing"},
		{"{" OUTER "}", "catalog or last_applied_index is missing"},
		{"{\"catalog\":{}," OUTER "}", "catalog.catalog is missing"},
		{"{\"catalog\":{\"catalog\":{\"resources\":[]}}," OUTER "}",
		 "last_applied_index is missing"},
		{FILE_OF("[],\"resources\":[]"), "a member that was there before"},
		{"{" OUTER "," OUTER "}", "a member that was there before"},
		{FILE_OF("[[{\"name\":\"\",\"n\\u0061me\":\"\"},1]]"),
		 "a member that was there before"},
		{FILE_OF("[[{\"group\":\"\",\"version\":\"\",\"kind\":\"\"},1]]"),
		 "a key without group, version, kind or name"},
		{FILE_OF("[[{},1]]"), "a key without group, version, kind or name"},
		/* Wrong types. */
		{"[]", "expected an object"},
		{"1", "expected an object"},
		{"{\"catalog\":[]," OUTER "}", "expected an object"},
		{"{\"catalog\":{\"catalog\":null}," OUTER "}", "expected an object"},
		{FILE_OF("{}"), "expected an array"},
		{FILE_OF("[1]"), "expected an array"},
		{FILE_OF("[[]]"), "expected [key, value]"},
		{FILE_OF("[[" KEY "]]"), "expected [key, value]"},
		{FILE_OF("[[" KEY ",1,2]]"), "expected [key, value]"},
		{FILE_OF("[[1,2]]"), "expected an object"},
		{FILE_OF("[[{\"group\":1},1]]"), "expected a string"},
		{FILE_OF("[[{\"group\":null},1]]"), "expected a string"},
		{FILE_OF("[[{\"namespace\":false},1]]"), "expected a string"},
		/* Numbers. */
		{"{\"last_applied_index\":18446744073709551615,\"catalog\":{\"catalog\":{"
		 "\"resources\":"
		 "[]," NUMBERS "}}}",
		 NULL},
		{"{\"last_applied_index\":18446744073709551616}", "expected an integer from 0"},
		{"{\"last_applied_index\":-1}", "expected an integer from 0"},
		{"{\"last_applied_index\":1.0}", "expected an integer from 0"},
		{"{\"last_applied_index\":1e3}", "expected an integer from 0"},
		{"{\"last_applied_index\":\"1\"}", "expected an integer from 0"},
		{"{\"last_applied_index\":null}", "expected an integer from 0"},
		/* No JSON. */
		{"", "expected an object"},
		{FILE_OF("[]") "x", ""},
		{FILE_OF("[]") "{}", ""},
		{FILE_OF("[[" KEY ",]]"), "expected a value"},
		{FILE_OF("[[" KEY ",1],]"), "expected an array"},
		{FILE_OF("[[" KEY ",\"\\ud800\"]]"), "surrogate"},
		{FILE_OF("[[" KEY ",1e400]]"), ""},
		{FILE_OF("[[" KEY ",nul]]"), "expected a value"},
		{"{\"x\":\"\\ud800\"}", "surrogate"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		enum es_catalog_error error = check_payload(cases[i].payload);

		if (error != (cases[i].message == NULL ? ES_CATALOG_OK : ES_CATALOG_DECODE))
			fail_msg("%s: %s %s", cases[i].payload, es_catalog_error_name(error),
				 errmsg);
		if (cases[i].message != NULL && strstr(errmsg, cases[i].message) == NULL)
			fail_msg("%s: %s", cases[i].payload, errmsg);
	}
	(void)check_payload("{\"catalog\":{\"catalog\":7}," OUTER "}");
	assert_string_equal(errmsg, "at byte 22 of the payload: expected an object");
}

static void the_kinds_have_names(void **state)
{
	static const char *const names[] = {
		"ok",     "io",     "truncated", "bad_magic", "hash_mismatch",
		"decode", "encode", "no_memory"};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++)
		assert_string_equal(es_catalog_error_name((enum es_catalog_error)i), names[i]);
}

/* ---- order --------------------------------------------------------------------------------- */

/* The keys of a file: name n of `count`, at most 26 * 26, with an escape in every third. */
static void append_item(struct es_buf *buf, unsigned n, unsigned value)
{
	assert_int_equal(
		es_buf_printf(
			buf,
			"%s[{\"name\":\"%s%c%c\",\"version\":\"v1\",\"kind\":\"Pod\",\"group\":"
			"\"\"},%u]",
			buf->len > 0 ? "," : "", n % 3 == 0 ? "\\u0078" : "x", 'a' + n / 26,
			'a' + n % 26, value),
		0);
}

static void resources_come_in_order_and_the_last_one_counts(void **state)
{
	struct es_rng rng;

	(void)state;
	es_rng_init(&rng, 20);
	for (unsigned round = 0; round < 60; round++) {
		unsigned items = round < 20 ? round : (unsigned)es_rng_below(&rng, 700);
		unsigned last[26 * 26] = {0}, different = 0, seen = 0;
		unsigned names = 1 + (unsigned)es_rng_below(&rng, 26 * 26);
		struct es_catalog_reader reader;
		struct es_resource_key key;
		struct es_buf list, payload, file;
		struct es_slice value;
		int rc;

		es_buf_init(&list, es_mem_default());
		es_buf_init(&payload, es_mem_default());
		for (unsigned i = 0; i < items; i++) {
			unsigned n = (unsigned)es_rng_below(&rng, names);

			different += last[n] == 0;
			last[n] = i + 1;
			append_item(&list, n, i + 1);
		}
		assert_int_equal(es_buf_printf(&payload, FILE_OF("[%.*s]"), (int)list.len,
					       list.len > 0 ? (const char *)list.data : ""),
				 0);
		wrap(es_buf_slice(&payload), &file);
		assert_int_equal(es_catalog_open(&reader, es_buf_slice(&file), es_mem_default(),
						 errmsg, sizeof(errmsg)),
				 ES_CATALOG_OK);
		assert_int_equal(reader.info.resources, different);
		for (unsigned n = 0; n < 26 * 26; n++) {
			char name[8], number[16];

			if (last[n] == 0)
				continue;
			rc = es_catalog_next(&reader, &key, &value);
			assert_int_equal(rc, 1);
			(void)snprintf(name, sizeof(name), "x%c%c", 'a' + n / 26, 'a' + n % 26);
			(void)snprintf(number, sizeof(number), "%u", last[n]);
			assert_true(es_slice_eq(key.name, es_slice_str(name)));
			assert_true(es_slice_eq(key.version, ES_SLICE("v1")));
			assert_false(key.has_ns);
			assert_true(es_slice_eq(value, es_slice_str(number)));
			seen++;
		}
		assert_int_equal(seen, different);
		assert_int_equal(es_catalog_next(&reader, &key, &value), 0);
		assert_int_equal(es_catalog_next(&reader, &key, &value), 0);
		es_catalog_close(&reader);
		es_buf_close(&file);
		es_buf_close(&payload);
		es_buf_close(&list);
	}
}

static void what_a_file_says(void **state)
{
	struct es_catalog_reader reader;
	struct es_resource_key key;
	struct es_slice value;
	struct es_buf file;

	(void)state;
	wrap(ES_SLICE(FILE_OF("[[" KEY ", {\"b\" : 1} ]]")), &file);
	assert_int_equal(es_buf_append_str(&file, "behind"), 0);
	assert_int_equal(es_catalog_open(&reader, es_buf_slice(&file), es_mem_default(), errmsg,
					 sizeof(errmsg)),
			 ES_CATALOG_OK);
	assert_int_equal(reader.info.payload_bytes, file.len - 68 - 6);
	assert_int_equal(reader.info.ignored_bytes, 6);
	assert_int_equal(reader.info.resources, 1);
	assert_int_equal(reader.info.last_applied_term, 1);
	assert_int_equal(reader.info.last_applied_index, 2);
	assert_int_equal(reader.info.outer_last_applied_index, 3);
	assert_int_equal(es_catalog_next(&reader, &key, &value), 1);
	assert_true(key.has_ns && es_slice_eq(key.ns, ES_SLICE("a")));
	assert_true(es_slice_eq(value, ES_SLICE("{\"b\" : 1}")));
	es_catalog_close(&reader);
	es_buf_close(&file);
}

/* ---- memory -------------------------------------------------------------------------------- */

struct meter {
	struct es_mem mem;
	size_t now, peak;
};

static void *meter_realloc(void *ctx, void *pointer, size_t size)
{
	struct meter *m = ctx;
	size_t *block = pointer == NULL ? NULL : (size_t *)pointer - 2;

	m->now += size - (block == NULL ? 0 : block[0]);
	m->peak = m->now > m->peak ? m->now : m->peak;
	block = realloc(block, size + 2 * sizeof(size_t));
	assert_non_null(block);
	block[0] = size;
	return block + 2;
}

static void *meter_alloc(void *ctx, size_t size)
{
	return meter_realloc(ctx, NULL, size);
}

static void meter_free(void *ctx, void *pointer)
{
	struct meter *m = ctx;

	if (pointer == NULL)
		return;
	m->now -= ((size_t *)pointer)[-2];
	free((size_t *)pointer - 2);
}

/* How much memory a payload of begin, n times again, end needs; what it is must be `kind`. */
static size_t memory_for(const char *begin, const char *again, size_t n, const char *end,
			 enum es_catalog_error kind)
{
	struct meter m = {{meter_alloc, meter_realloc, meter_free, &m}, 0, 0};
	struct es_catalog_reader reader;
	enum es_catalog_error error;
	struct es_buf payload, file;

	es_buf_init(&payload, es_mem_default());
	assert_int_equal(es_buf_append_str(&payload, begin), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(es_buf_append_str(&payload, again), 0);
	assert_int_equal(es_buf_append_str(&payload, end), 0);
	wrap(es_buf_slice(&payload), &file);
	error = es_catalog_open(&reader, es_buf_slice(&file), &m.mem, errmsg, sizeof(errmsg));
	if (error == ES_CATALOG_OK)
		es_catalog_close(&reader);
	if (error != kind)
		fail_msg("%s: %s %s", begin, es_catalog_error_name(error), errmsg);
	assert_int_equal(m.now, 0);
	es_buf_close(&payload);
	es_buf_close(&file);
	return m.peak;
}

#define HEAD "{\"catalog\":{\"catalog\":{\"resources\":["
#define TAIL "]," NUMBERS "}}," OUTER "}"
#define ANY  "{\"group\":\"\",\"version\":\"\",\"kind\":\"\",\"name\":\"\"}"

static void a_large_file_costs_no_memory(void **state)
{
	const size_t n = 300000;

	(void)state;
	assert_in_range(memory_for("[1", ",1", n, "]", ES_CATALOG_DECODE), 0, 8192);
	assert_in_range(memory_for(HEAD "[" KEY ",[1", ",1", n, "]]" TAIL, ES_CATALOG_OK), 0, 8192);
	assert_in_range(memory_for(HEAD "[" KEY ",\"", "\\n", n, "\"]" TAIL, ES_CATALOG_OK), 0,
			8192);
	assert_in_range(memory_for("{\"x\":[", "{},", n, "1]}", ES_CATALOG_DECODE), 0, 8192);
	assert_in_range(memory_for("{\"x\":", "[", n, "", ES_CATALOG_DECODE), 0, 8192);
	assert_in_range(memory_for("{\"x\":\"", "\\t", n, "\"}", ES_CATALOG_DECODE), 0, 8192);
	assert_in_range(memory_for("{", "\"\\n\":1,", n, "\"y\":2}", ES_CATALOG_DECODE), 0, 8192);
	assert_in_range(memory_for("{\"last_applied_index\":", "1", n, "}", ES_CATALOG_DECODE), 0,
			8192);
	assert_in_range(
		memory_for(HEAD "[{", "\"\\n\":1,", n, "\"y\":2},1]" TAIL, ES_CATALOG_DECODE), 0,
		8192);
	/* 16 bytes for each that is not in order. */
	assert_in_range(memory_for(HEAD "[" ANY ",1]", ",[" ANY ",1]", n, TAIL, ES_CATALOG_OK),
			16 * n, 16 * n + 8192);
	/* Names that have to be copied have a limit. */
	assert_in_range(memory_for("{\"", "\\n", n, "\":1}", ES_CATALOG_DECODE), 0, 8192);
	assert_non_null(strstr(errmsg, "a name of more than 65536 bytes"));
	assert_in_range(memory_for(HEAD "[{\"name\":\"", "\\n", n, "\"}]" TAIL, ES_CATALOG_DECODE),
			0, 8192);
	assert_in_range(memory_for(HEAD
				   "[{\"group\":\"\",\"version\":\"\",\"kind\":\"\",\"name\":\"",
				   "n", n, "\"},1]" TAIL, ES_CATALOG_OK),
			0, 8192);
	assert_in_range(memory_for(HEAD
				   "[{\"group\":\"\",\"version\":\"\",\"kind\":\"\",\"name\":\"",
				   "\\n", 30000, "\"},1]" TAIL, ES_CATALOG_OK),
			0, 70000);
}

static void memory_runs_out(void **state)
{
	static const char *const payloads[] = {
		FILE_OF("[[" KEY ",{\"b\":[1,2]}]]"),
		FILE_OF("[[{\"group\":\"\\u0078\",\"version\":\"\",\"kind\":\"\",\"name\":"
			"\"\\u0079\"},1],["
			"{\"group\":\"\\u0061\",\"version\":\"\",\"kind\":\"\",\"name\":\"\"},2],"
			"[" KEY ",3]]"),
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(payloads); i++) {
		struct es_buf file;

		wrap(es_slice_str(payloads[i]), &file);
		for (uint64_t n = 0;; n++) {
			struct es_fault_mem fault;
			enum es_catalog_error error;
			struct es_buf again;

			es_fault_mem_init(&fault, n);
			error = rewrite(es_buf_slice(&file), &fault.mem, &again);
			es_buf_close(&again);
			assert_int_equal(error, fault.fired ? ES_CATALOG_NO_MEMORY : ES_CATALOG_OK);
			assert_int_equal(fault.live, 0);
			if (!fault.fired)
				break;
		}
		es_buf_close(&file);
	}
}

/* ---- a store ------------------------------------------------------------------------------- */

static void put(struct es_mvcc *store, struct es_slice path, struct es_slice value)
{
	struct es_mvcc_op op = {.kind = ES_MVCC_OP_PUT, .u.put = {.key = path, .value = value}};
	struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	size_t count;

	es_arena_init(&arena, es_mem_default(), 1024);
	assert_int_equal(es_mvcc_txn_apply(store, &txn, NULL, &arena, &res, &events, &count), 0);
	es_arena_close(&arena);
}

static void put_resource(struct es_mvcc *store, const char *ns, const char *name, const char *value)
{
	struct es_resource_key key = {.version = ES_SLICE("v1"), .kind = ES_SLICE("Pod")};
	struct es_buf path;

	key.has_ns = ns != NULL;
	key.ns = es_slice_str(ns == NULL ? "" : ns);
	key.name = es_slice_str(name);
	es_buf_init(&path, es_mem_default());
	assert_int_equal(es_resource_path(&path, &key), 0);
	put(store, es_buf_slice(&path), es_slice_str(value));
	es_buf_close(&path);
}

/* Keys have another order than their paths, and values may be there that no rule has written. */
static void a_catalog_of_a_store(void **state)
{
	static const struct {
		const char *ns, *name, *value;
	} expected[] = {
		{NULL, "n", "1"},       {"", "m", "2"},    {"a", "x", "{\"a\":1,\"b\":2.0}"},
		{"a", "\xc3\xa9", "3"}, {"a-b", "x", "4"},
	};
	struct es_catalog_reader reader;
	struct es_resource_key key;
	struct es_mvcc *store;
	struct es_slice value;
	struct es_buf file;

	(void)state;
	assert_int_equal(es_mvcc_new(es_mem_default(), &store), 0);
	put(store, ES_SLICE("/engenho/resource"), ES_SLICE("not one"));
	put(store, ES_SLICE("/engenho/resources0"), ES_SLICE("not one"));
	put_resource(store, "a-b", "x", "4");
	put_resource(store, "a", "x", " { \"b\" : 2.0, \"a\" : 1 } ");
	put_resource(store, "a", "\xc3\xa9", "3");
	put_resource(store, "", "m", "2");
	put_resource(store, NULL, "n", "1");
	es_buf_init(&file, es_mem_default());
	assert_int_equal(es_buf_append_str(&file, "before"), 0);
	assert_int_equal(es_catalog_write_store(store, 5, 6, &file, errmsg, sizeof(errmsg)),
			 ES_CATALOG_OK);
	es_buf_consume(&file, 6);
	assert_int_equal(es_catalog_open(&reader, es_buf_slice(&file), es_mem_default(), errmsg,
					 sizeof(errmsg)),
			 ES_CATALOG_OK);
	assert_null(reader.order); /* it was in order */
	assert_int_equal(reader.info.last_applied_term, 5);
	assert_int_equal(reader.info.last_applied_index, 6);
	assert_int_equal(reader.info.outer_last_applied_index, 6);
	assert_int_equal(reader.info.ignored_bytes, 0);
	for (size_t i = 0; i < ES_ARRAY_LEN(expected); i++) {
		assert_int_equal(es_catalog_next(&reader, &key, &value), 1);
		assert_int_equal(key.has_ns, expected[i].ns != NULL);
		if (key.has_ns)
			assert_true(es_slice_eq(key.ns, es_slice_str(expected[i].ns)));
		assert_true(es_slice_eq(key.name, es_slice_str(expected[i].name)));
		assert_true(es_slice_eq(value, es_slice_str(expected[i].value)));
	}
	assert_int_equal(es_catalog_next(&reader, &key, &value), 0);
	es_catalog_close(&reader);
	es_buf_close(&file);
	es_mvcc_free(store);
}

static void what_a_store_may_hold_but_a_catalog_not(void **state)
{
	static const struct {
		const char *path, *value, *message;
	} cases[] = {
		{"/engenho/resources/x", "1", "not the path of a resource: /engenho/resources/x"},
		{"/engenho/resources/_/v1/Pod/_/a", "{", "expected a member's name: v1/v1/Pod/a"},
		{"/engenho/resources/_/v1/Pod/_/a", "", "expected a value: v1/v1/Pod/a"},
		{"/engenho/resources/_/v1/Pod/b/a", "1 2",
		 "something behind the value: v1/v1/Pod/b/a"},
	};
	char deep[2 * ES_CATALOG_VALUE_DEPTH_MAX + 3] = "";

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_mvcc *store;
		struct es_buf file;

		assert_int_equal(es_mvcc_new(es_mem_default(), &store), 0);
		put(store, es_slice_str(cases[i].path), es_slice_str(cases[i].value));
		es_buf_init(&file, es_mem_default());
		assert_int_equal(es_buf_append_str(&file, "before"), 0);
		assert_int_equal(es_catalog_write_store(store, 0, 0, &file, errmsg, sizeof(errmsg)),
				 ES_CATALOG_ENCODE);
		assert_string_equal(errmsg, cases[i].message);
		assert_int_equal(file.len, 6);
		es_buf_close(&file);
		es_mvcc_free(store);
	}
	/* What can be written can be read. */
	for (size_t depth = ES_CATALOG_VALUE_DEPTH_MAX; depth < ES_CATALOG_VALUE_DEPTH_MAX + 2;
	     depth++) {
		bool fits = depth == ES_CATALOG_VALUE_DEPTH_MAX;
		struct es_mvcc *store;
		struct es_buf file;

		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		assert_int_equal(es_mvcc_new(es_mem_default(), &store), 0);
		put_resource(store, NULL, "a", deep);
		es_buf_init(&file, es_mem_default());
		assert_int_equal(es_catalog_write_store(store, 0, 0, &file, errmsg, sizeof(errmsg)),
				 fits ? ES_CATALOG_OK : ES_CATALOG_ENCODE);
		if (fits)
			assert_int_equal(check(es_buf_slice(&file)), ES_CATALOG_OK);
		else
			assert_string_equal(errmsg, "nested too deep: v1/v1/Pod/a");
		es_buf_close(&file);
		es_mvcc_free(store);
	}
}

static void no_memory_for_a_catalog_of_a_store(void **state)
{
	struct es_mvcc *store;

	(void)state;
	assert_int_equal(es_mvcc_new(es_mem_default(), &store), 0);
	put_resource(store, "b", "x y", "{\"a\":[1,\"\\n\"]}");
	put_resource(store, "a", "x", "2");
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		enum es_catalog_error error;
		struct es_buf file;

		es_fault_mem_init(&fault, n);
		es_buf_init(&file, &fault.mem);
		error = es_catalog_write_store(store, 1, 1, &file, errmsg, sizeof(errmsg));
		if (fault.fired)
			assert_int_equal(file.len, 0);
		es_buf_close(&file);
		assert_int_equal(error, fault.fired ? ES_CATALOG_NO_MEMORY : ES_CATALOG_OK);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	es_mvcc_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_others_come_back_to_the_byte),
		cmocka_unit_test(damaged_files_of_others),
		cmocka_unit_test(every_cut_and_every_bit),
		cmocka_unit_test(shapes),
		cmocka_unit_test(the_kinds_have_names),
		cmocka_unit_test(resources_come_in_order_and_the_last_one_counts),
		cmocka_unit_test(what_a_file_says),
		cmocka_unit_test(a_large_file_costs_no_memory),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(a_catalog_of_a_store),
		cmocka_unit_test(what_a_store_may_hold_but_a_catalog_not),
		cmocka_unit_test(no_memory_for_a_catalog_of_a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
