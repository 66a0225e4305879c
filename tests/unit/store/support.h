#ifndef TEST_STORE_SUPPORT_H
#define TEST_STORE_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <engenho/store.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder, and a store that is opened in it through the public header. */
struct fixture {
	char folder[64];
	engenho_config *config;
	engenho_store *store;
	engenho_error error;
};

#define MUST(f, call)                                                                             \
	do {                                                                                      \
		if ((call) != ENGENHO_OK)                                                         \
			fail_msg("%s:%d: %s: %s: %s", __FILE__, __LINE__, #call, (f)->error.kind, \
				 (f)->error.message);                                             \
	} while (0)

/* It fails with that code, and says so in the error too. */
#define REFUSED(f, wanted, call)                                                         \
	do {                                                                             \
		(f)->error = (engenho_error){.message = ""};                             \
		assert_int_equal((call), (wanted));                                      \
		assert_int_equal((f)->error.code, (wanted));                             \
		assert_true((f)->error.message[0] != '\0');                              \
		if ((wanted) != ENGENHO_CATALOG)                                         \
			assert_string_equal((f)->error.kind, engenho_code_kind(wanted)); \
	} while (0)

static inline void store_open(struct fixture *f)
{
	MUST(f, engenho_open(f->config, &f->store, &f->error));
}

static inline void store_close(struct fixture *f)
{
	engenho_close(f->store);
	f->store = NULL;
}

static inline void store_reopen(struct fixture *f)
{
	store_close(f);
	store_open(f);
}

static inline void set_option(struct fixture *f, const char *name, const char *value)
{
	MUST(f, engenho_config_set(f->config, name, value, &f->error));
}

static inline void remove_folder(const char *folder)
{
	char command[128];
	int rc;

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	rc = system(command);
	assert_int_equal(rc, 0);
}

/* A folder without a store. */
static inline int setup_closed(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/es-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->config = engenho_config_new();
	assert_non_null(f->config);
	set_option(f, "data-dir", f->folder);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	(void)setup_closed(state);
	store_open(*state);
	return 0;
}

static inline int setup_in_thread(void **state)
{
	(void)setup_closed(state);
	set_option(*state, "callbacks", "thread");
	store_open(*state);
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	engenho_close(f->store);
	engenho_config_free(f->config);
	remove_folder(f->folder);
	free(f);
	return 0;
}

/* Wait until the thread that keeps its id there (gettid(2)) sleeps: it waits for what it was started for. */
static inline void await_sleep(const atomic_int *thread_id)
{
	char path[64], state = 'R';

	while (*thread_id == 0)
		(void)sched_yield();
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *thread_id);
	while (state != 'S') {
		FILE *file = fopen(path, "r");

		assert_non_null(file);
		assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
		(void)fclose(file);
		(void)sched_yield();
	}
}

static inline engenho_bytes bytes(const char *text)
{
	return (engenho_bytes){text, strlen(text)};
}

static inline bool bytes_are(engenho_bytes some, const char *text)
{
	return some.len == strlen(text) && memcmp(some.data, text, some.len) == 0;
}

static inline engenho_key config_map(const char *name)
{
	return (engenho_key){
		.group = "", .version = "v1", .kind = "ConfigMap", .ns = "default", .name = name};
}

/* {"data":{"n":"<n>"}} */
static inline const char *numbered(char *out, size_t size, int n)
{
	(void)snprintf(out, size, "{\"data\":{\"n\":\"%d\"}}", n);
	return out;
}

/* Puts a ConfigMap; the revision after it. */
static inline int64_t put_map(struct fixture *f, const char *name, const char *value)
{
	const engenho_key key = config_map(name);
	engenho_write_result *result;
	int64_t revision;

	MUST(f, engenho_put(f->store, &key, bytes(value), NULL, &result, &f->error));
	revision = result->revision;
	engenho_write_result_free(result);
	return revision;
}

static inline engenho_list_options config_maps(void)
{
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	return options;
}

static inline int64_t put_key(struct fixture *f, const char *key, const char *value)
{
	int64_t revision;

	MUST(f, engenho_kv_put(f->store, bytes(key), bytes(value), 0, &revision, &f->error));
	return revision;
}

static inline engenho_range_result *range(struct fixture *f, const char *key, engenho_bytes end)
{
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_range_result *result;

	options.key = bytes(key);
	options.range_end = end;
	MUST(f, engenho_kv_range(f->store, &options, &result, &f->error));
	return result;
}

/* The value of a key; NULL: there is none. Must be freed. */
static inline char *get_key(struct fixture *f, const char *key)
{
	engenho_range_result *result = range(f, key, (engenho_bytes){NULL, 0});
	char *value = result->count == 0 ? NULL : strdup(result->kvs[0].value.data);

	engenho_range_result_free(result);
	return value;
}

#endif
