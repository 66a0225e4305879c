#include "store/config.h"

#include <stdio.h>

/* Every value is tried on the spot, and set again in the flags of each store that is opened. */
struct setting {
	struct setting *next;
	const char *name, *value;
};

struct engenho_config {
	const struct es_mem *mem;
	struct es_arena arena;
	struct es_flags *flags;
	struct setting *first, **end;
	bool callbacks_in_thread;
};

engenho_config *engenho_config_new(void)
{
	return es_store_config_new(es_mem_default());
}

const struct es_mem *es_store_config_mem(const engenho_config *config)
{
	return config->mem;
}

engenho_config *es_store_config_new(const struct es_mem *mem)
{
	engenho_config *config = es_calloc(mem, 1, sizeof(*config));

	if (config == NULL)
		return NULL;
	config->mem = mem;
	es_arena_init(&config->arena, mem, 4096);
	config->end = &config->first;
	if (es_flags_new(&config->arena, &config->flags) < 0) {
		engenho_config_free(config);
		return NULL;
	}
	return config;
}

void engenho_config_free(engenho_config *config)
{
	if (config == NULL)
		return;
	es_arena_close(&config->arena);
	es_free(config->mem, config);
}

/* About listening, and what only a process of its own has. */
static bool is_refused(const char *name)
{
	static const char *const names[] = {"advertise-client-urls", "config-file", "metrics",
					    "socket-reuse-port", "socket-reuse-address"};

	if (strncmp(name, "listen-", 7) == 0 || strncmp(name, "grpc-", 5) == 0)
		return true;
	for (size_t i = 0; i < ES_ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int set_callbacks(engenho_config *config, const char *value, char *errmsg,
			 size_t errmsg_size)
{
	if (strcmp(value, "dispatch") != 0 && strcmp(value, "thread") != 0) {
		(void)snprintf(errmsg, errmsg_size,
			       "callbacks is \"dispatch\" or \"thread\", not \"%s\"", value);
		return ES_EINVAL;
	}
	config->callbacks_in_thread = strcmp(value, "thread") == 0;
	return 0;
}

static const char *keep_text(struct es_arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = es_arena_alloc(arena, size);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

static int remember(engenho_config *config, const char *name, const char *value)
{
	struct setting *setting = es_arena_calloc(&config->arena, 1, sizeof(*setting));

	if (setting == NULL)
		return ES_ENOMEM;
	setting->name = keep_text(&config->arena, name);
	setting->value = keep_text(&config->arena, value);
	if (setting->name == NULL || setting->value == NULL)
		return ES_ENOMEM;
	*config->end = setting;
	config->end = &setting->next;
	return 0;
}

engenho_code engenho_config_set(engenho_config *config, const char *name, const char *value,
				engenho_error *error)
{
	char errmsg[ES_TYPED_TEXT_MAX] = "";
	int rc;

	if (strcmp(name, "callbacks") == 0) {
		rc = set_callbacks(config, value, errmsg, sizeof(errmsg));
	} else if (is_refused(name)) {
		(void)snprintf(errmsg, sizeof(errmsg),
			       "%s: a store in a process listens on nothing", name);
		rc = ES_EINVAL;
	} else {
		rc = es_flags_set(config->flags, name, value, "", errmsg, sizeof(errmsg));
		if (rc == ES_ENOENT) {
			const char *nearest = es_flags_nearest(name);

			(void)snprintf(errmsg, sizeof(errmsg), "no option \"%s\"%s%s%s", name,
				       nearest != NULL ? "; is it \"" : "",
				       nearest != NULL ? nearest : "",
				       nearest != NULL ? "\"?" : "");
			rc = ES_EINVAL;
		}
		if (rc == 0)
			rc = remember(config, name, value);
	}
	return rc == 0 ? ENGENHO_OK : es_store_fail(error, rc, errmsg[0] == '\0' ? NULL : errmsg);
}

static void log_notices(const engenho_store *store, const struct es_flags *flags)
{
	for (const struct es_notice *n = es_flags_notices(flags); n != NULL; n = n->next)
		es_log_write(&store->logging.log, n->level, n->caller, n->message,
			     &ES_STR(n->key, n->value == NULL ? "" : n->value), n->key != NULL);
}

static int open_log(engenho_store *store, const struct es_flags *flags, char *errmsg,
		    size_t errmsg_size)
{
	const struct es_config *c = &store->config;
	int rc;

	if (!es_flags_is_set(flags, "log-outputs") && !es_flags_is_set(flags, "log-output"))
		return 0;
	rc = es_logging_open(&store->logging, c->log_level, c->log_console, c->log_outputs, errmsg,
			     errmsg_size);
	store->has_log = rc == 0;
	if (rc == 0)
		log_notices(store, flags);
	return rc;
}

int es_store_configure(engenho_store *store, const engenho_config *config, char *errmsg,
		       size_t errmsg_size)
{
	struct es_flags *flags;
	int rc = es_flags_new(&store->arena, &flags);

	for (const struct setting *s = config->first; rc == 0 && s != NULL; s = s->next) {
		const char *value = keep_text(&store->arena, s->value);

		rc = value == NULL ? ES_ENOMEM
				   : es_flags_set(flags, s->name, value, "", errmsg, errmsg_size);
	}
	if (rc == 0)
		rc = es_config_load(flags, &store->arena, &store->config, errmsg, errmsg_size);
	if (rc == 0)
		rc = open_log(store, flags, errmsg, errmsg_size);
	store->callbacks_in_thread = config->callbacks_in_thread;
	store->max_request_bytes = store->config.max_request_bytes;
	store->max_txn_ops = store->config.max_txn_ops;
	return rc;
}
