#include "store/support.h"

#include <fcntl.h>

#include "resource/catalog.h"

enum { MAPS = 1200 };

struct done {
	atomic_bool stop;
	struct fixture *f;
	int written;
};

static void path_of(struct fixture *f, const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s-%s", f->folder, name);
}

static void fill(struct fixture *f, int count)
{
	char name[16], value[64];

	for (int i = 0; i < count; i++) {
		const engenho_key key = config_map(name);

		(void)snprintf(name, sizeof(name), "m%04d", i);
		MUST(f, engenho_put_async(f->store, &key, bytes(numbered(value, sizeof(value), i)),
					  NULL, NULL, NULL, &f->error));
	}
	for (int n = 0; n < count;)
		n += engenho_dispatch(f->store, -1);
}

static size_t count_maps(struct fixture *f)
{
	engenho_list_options options = config_maps();
	engenho_list_result *list;
	size_t count;

	MUST(f, engenho_list(f->store, &options, &list, &f->error));
	count = list->count;
	engenho_list_result_free(list);
	return count;
}

static void *write_meanwhile(void *arg)
{
	struct done *d = arg;
	char value[64];

	while (!d->stop) {
		const engenho_key key = config_map("m0003");
		engenho_error error;

		(void)numbered(value, sizeof(value), d->written++ + 1000000);
		if (engenho_put(d->f->store, &key, bytes(value), NULL, NULL, &error) != 0)
			return NULL;
	}
	return NULL;
}

static char *read_whole(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(1 << 22);

	assert_non_null(file);
	assert_non_null(text);
	*ret_len = fread(text, 1, 1 << 22, file);
	(void)fclose(file);
	return text;
}

/* A catalog file, read resource by resource. */
struct reading {
	struct es_catalog_reader reader;
	char *text;
};

static void reading_open(struct reading *r, const char *path)
{
	char errmsg[256];
	size_t len;

	r->text = read_whole(path, &len);
	assert_int_equal(es_catalog_open(&r->reader, es_slice(r->text, len), es_mem_default(),
					 errmsg, sizeof(errmsg)),
			 ES_CATALOG_OK);
}

static void reading_close(struct reading *r)
{
	es_catalog_close(&r->reader);
	free(r->text);
}

/* The value, without the digits of its version, which belongs to a store. Must be freed. */
static char *value_without_version(struct es_slice value)
{
	static const char member[] = "\"resourceVersion\":\"";
	char *text = strndup((const char *)value.data, value.len);
	char *version = strstr(text, member), *end;

	assert_non_null(version);
	version += sizeof(member) - 1;
	end = strchr(version, '"');
	memmove(version, end, strlen(end) + 1);
	return text;
}

static void expect_same_resources(const char *path, const char *other_path, int count)
{
	struct reading one, other;
	struct es_resource_key key, other_key;
	struct es_slice value, other_value;

	reading_open(&one, path);
	reading_open(&other, other_path);
	for (int i = 0; i < count; i++) {
		char *text, *other_text;

		assert_int_equal(es_catalog_next(&one.reader, &key, &value), 1);
		assert_int_equal(es_catalog_next(&other.reader, &other_key, &other_value), 1);
		assert_int_equal(es_resource_key_cmp(&key, &other_key), 0);
		text = value_without_version(value);
		other_text = value_without_version(other_value);
		assert_string_equal(text, other_text);
		free(text);
		free(other_text);
	}
	assert_int_equal(es_catalog_next(&one.reader, &key, &value), 0);
	assert_int_equal(es_catalog_next(&other.reader, &key, &value), 0);
	reading_close(&one);
	reading_close(&other);
}

/* m0000 and so on hold their numbers, but the one that is written meanwhile. */
static void expect_numbers(const char *path)
{
	struct es_resource_key key;
	struct es_slice value;
	struct reading r;
	char wanted[32];

	reading_open(&r, path);
	for (int i = 0; i < MAPS; i++) {
		char *text;

		assert_int_equal(es_catalog_next(&r.reader, &key, &value), 1);
		text = strndup((const char *)value.data, value.len);
		(void)snprintf(wanted, sizeof(wanted), "\"n\":\"%d\"", i);
		assert_true(i == 3 || strstr(text, wanted) != NULL);
		free(text);
	}
	reading_close(&r);
}

static void a_catalog_goes_out_and_in(void **state)
{
	struct fixture *f = *state;
	const engenho_key node = {.group = "", .version = "v1", .kind = "Node", .name = "n"};
	struct done d = {.f = f};
	char path[128], again[128];
	uint64_t count, imported, unchanged;
	int64_t revision, second;
	pthread_t thread;

	path_of(f, "one.snap", path);
	path_of(f, "two.snap", again);
	fill(f, MAPS);
	MUST(f,
	     engenho_put(f->store, &node, bytes("{\"spec\":{\"a\":1.50}}"), NULL, NULL, &f->error));
	assert_int_equal(pthread_create(&thread, NULL, write_meanwhile, &d), 0);
	MUST(f, engenho_catalog_export(f->store, path, &revision, &count, &f->error));
	atomic_store(&d.stop, true);
	(void)pthread_join(thread, NULL);
	assert_int_equal(count, MAPS + 1);
	assert_true(revision >= MAPS + 2);

	/* Into an empty store; and again, where only what has changed is put. */
	store_close(f);
	remove_folder(f->folder);
	store_open(f);
	MUST(f, engenho_catalog_import(f->store, path, 0, &imported, &unchanged, &f->error));
	assert_int_equal(imported, MAPS + 1);
	assert_int_equal(unchanged, 0);
	MUST(f, engenho_catalog_export(f->store, again, &second, NULL, &f->error));
	expect_numbers(path);
	expect_same_resources(path, again, MAPS + 1);
	MUST(f, engenho_catalog_import(f->store, path, 7, &imported, &unchanged, &f->error));
	assert_int_equal(imported, 0);
	assert_int_equal(unchanged, MAPS + 1);
	(void)put_map(f, "m0007", "{\"data\":{\"other\":\"x\"}}");
	MUST(f, engenho_catalog_import(f->store, path, 7, &imported, &unchanged, &f->error));
	assert_int_equal(imported, 1);
	assert_int_equal(unchanged, MAPS);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(again), 0);
}

static void an_import_that_was_cut_short_is_run_again(void **state)
{
	struct fixture *f = *state;
	char path[128], name[16], value[64];
	uint64_t imported, unchanged;

	path_of(f, "one.snap", path);
	fill(f, 50);
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	store_close(f);
	remove_folder(f->folder);
	store_open(f);
	for (int i = 0; i < 20; i++) { /* as far as it came: another time, so other texts */
		(void)snprintf(name, sizeof(name), "m%04d", i);
		(void)put_map(f, name, numbered(value, sizeof(value), i));
	}
	MUST(f, engenho_catalog_import(f->store, path, 10, &imported, &unchanged, &f->error));
	assert_int_equal(imported, 30);
	assert_int_equal(unchanged, 20);
	assert_int_equal(count_maps(f), 50);
	assert_int_equal(unlink(path), 0);
}

/* A ConfigMap with so many bytes in it. */
static char *padded(size_t size)
{
	static const char head[] = "{\"data\":{\"a\":\"";
	char *text = malloc(size + sizeof(head) + 4);

	assert_non_null(text);
	memcpy(text, head, sizeof(head) - 1);
	memset(text + sizeof(head) - 1, 'x', size);
	memcpy(text + sizeof(head) - 1 + size, "\"}}", 4);
	return text;
}

/* Alone it fits, beside those before it, it does not. */
static void a_large_value_goes_in_behind_small_ones(void **state)
{
	struct fixture *f = *state;
	char *small = padded(60000), *large = padded(1400000);
	uint64_t imported, unchanged;
	char path[128], name[16];

	path_of(f, "one.snap", path);
	for (int i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "a%d", i);
		(void)put_map(f, name, small);
	}
	(void)put_map(f, "b", large);
	(void)put_map(f, "c", large);
	(void)put_map(f, "d", small);
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	store_close(f);
	remove_folder(f->folder);
	store_open(f);
	MUST(f, engenho_catalog_import(f->store, path, 0, &imported, &unchanged, &f->error));
	assert_int_equal(imported, 9);
	assert_int_equal(unchanged, 0);
	assert_int_equal(unlink(path), 0);
	free(small);
	free(large);
}

/* Keys count in a transaction, but not where batches are cut. */
static void a_batch_with_large_keys_is_halved(void **state)
{
	enum { COUNT = 100 };
	struct fixture *f = *state;
	uint64_t imported;
	char path[128], key[256];

	path_of(f, "one.snap", path);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(key, sizeof(key), "/engenho/resources/_/v1/ConfigMap/default/%0200d",
			       i);
		(void)put_key(f, key, "{}");
	}
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	store_close(f);
	remove_folder(f->folder);
	set_option(f, "max-request-bytes", "8192");
	store_open(f);
	MUST(f, engenho_catalog_import(f->store, path, 0, &imported, NULL, &f->error));
	assert_int_equal(imported, COUNT);
	assert_int_equal(count_maps(f), COUNT);
	assert_int_equal(unlink(path), 0);
}

/* The file has one as deleted, without finalizers: a put of that over another would remove it. */
static void an_import_deletes_nothing(void **state)
{
	struct fixture *f = *state;
	const engenho_key key = config_map("a");
	uint64_t imported = 1;
	char path[128];

	path_of(f, "one.snap", path);
	MUST(f,
	     engenho_put(f->store, &key,
			 bytes("{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}"),
			 NULL, NULL, &f->error));
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	MUST(f,
	     engenho_catalog_import(f->store, path, 0, &imported, NULL, &f->error)); /* the same */
	assert_int_equal(imported, 0);
	MUST(f, engenho_delete(f->store, &key, NULL, NULL, &f->error));
	MUST(f, engenho_put(f->store, &key, bytes("{}"), NULL, NULL, &f->error));
	REFUSED(f, ENGENHO_EXISTS,
		engenho_catalog_import(f->store, path, 0, &imported, NULL, &f->error));
	assert_non_null(strstr(f->error.message, "/a: "));
	assert_int_equal(count_maps(f), 1);
	assert_int_equal(unlink(path), 0);
}

static void no_room_in_a_transaction_is_told(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_of(f, "one.snap", path);
	fill(f, 3);
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	store_close(f);
	remove_folder(f->folder);
	set_option(f, "max-txn-ops", "0");
	store_open(f);
	REFUSED(f, ENGENHO_INVALID,
		engenho_catalog_import(f->store, path, 0, NULL, NULL, &f->error));
	assert_int_equal(unlink(path), 0);
}

static void damaged_files_change_nothing(void **state)
{
	struct fixture *f = *state;
	char path[128];
	size_t len;
	char *text;

	path_of(f, "one.snap", path);
	fill(f, 50);
	MUST(f, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	store_close(f);
	remove_folder(f->folder);
	store_open(f);
	text = read_whole(path, &len);
	for (size_t at = 0; at < len; at += at < 80 ? 3 : 97) {
		engenho_stats stats = ENGENHO_INIT(engenho_stats);
		FILE *file = fopen(path, "wb");

		assert_non_null(file);
		text[at] ^= 0x11;
		assert_int_equal(fwrite(text, 1, len, file), len);
		(void)fclose(file);
		text[at] ^= 0x11;
		REFUSED(f, ENGENHO_CATALOG,
			engenho_catalog_import(f->store, path, 0, NULL, NULL, &f->error));
		if (at < 28)
			assert_string_equal(f->error.kind, "bad_magic");
		if (at >= 68)
			assert_string_equal(f->error.kind, "hash_mismatch");
		MUST(f, engenho_get_stats(f->store, &stats, &f->error));
		assert_int_equal(stats.revision, 1);
	}
	free(text);
	assert_int_equal(truncate(path, 67), 0);
	REFUSED(f, ENGENHO_CATALOG,
		engenho_catalog_import(f->store, path, 0, NULL, NULL, &f->error));
	assert_string_equal(f->error.kind, "truncated");
	assert_int_equal(unlink(path), 0);
	REFUSED(f, ENGENHO_IO, engenho_catalog_import(f->store, path, 0, NULL, NULL, &f->error));
	assert_non_null(strstr(f->error.message, path));
}

static void what_is_no_json_cannot_go_out(void **state)
{
	struct fixture *f = *state;
	char path[128];

	path_of(f, "one.snap", path);
	(void)put_key(f, "/engenho/resources/_/v1/ConfigMap/default/a", "not json");
	REFUSED(f, ENGENHO_CATALOG, engenho_catalog_export(f->store, path, NULL, NULL, &f->error));
	assert_string_equal(f->error.kind, "encode");
	assert_non_null(strstr(f->error.message, "ConfigMap/default/a"));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void an_empty_store_gives_an_empty_catalog(void **state)
{
	struct fixture *f = *state;
	char path[128];
	uint64_t count = 1;

	path_of(f, "one.snap", path);
	MUST(f, engenho_catalog_export(f->store, path, NULL, &count, &f->error));
	assert_int_equal(count, 0);
	MUST(f, engenho_catalog_import(f->store, path, 0, &count, NULL, &f->error));
	assert_int_equal(count, 0);
	assert_int_equal(unlink(path), 0);
	REFUSED(f, ENGENHO_IO,
		engenho_catalog_export(f->store, "/proc/no/such.snap", NULL, NULL, &f->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_catalog_goes_out_and_in, setup, teardown),
		cmocka_unit_test_setup_teardown(an_import_that_was_cut_short_is_run_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_large_value_goes_in_behind_small_ones, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_batch_with_large_keys_is_halved, setup, teardown),
		cmocka_unit_test_setup_teardown(an_import_deletes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room_in_a_transaction_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_files_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_json_cannot_go_out, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_store_gives_an_empty_catalog, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
