/*
 * A store in a process of its own: keeps a ConfigMap, watches what happens to it, and reads it back.
 *
 *   cc -o store store.c $(pkg-config --cflags --libs engenho-store)
 *   ./store /tmp/example.engenho
 */
#include <engenho/store.h>

#include <stdio.h>
#include <string.h>

static const engenho_key settings = {.group = "",
				     .version = "v1",
				     .kind = "ConfigMap",
				     .ns = "default",
				     .name = "settings"};

static int failed(const char *what, const engenho_error *error)
{
	fprintf(stderr, "%s: %s: %s\n", what, error->kind, error->message);
	return 1;
}

/* One write that is waited for: it is on disk when engenho_put returns. */
static int put(engenho_store *store, const char *json)
{
	engenho_bytes value = {json, strlen(json)};
	engenho_write_result *result;
	engenho_error error;

	if (engenho_put(store, &settings, value, NULL, &result, &error) != ENGENHO_OK)
		return failed("put", &error);
	printf("%s at revision %lld\n", engenho_outcome_name(result->outcome),
	       (long long)result->revision);
	engenho_write_result_free(result);
	return 0;
}

static void on_patched(void *ctx, engenho_write_result *result, const engenho_error *error)
{
	if (error != NULL)
		(void)failed("patch", error);
	else
		printf("%s: %s\n", (const char *)ctx, engenho_outcome_name(result->outcome));
	engenho_write_result_free(result);
}

/* One that is not: the callback comes from engenho_dispatch. */
static int patch(engenho_store *store)
{
	static const char merge[] = "{\"data\":{\"colour\":\"green\"}}";
	static char ctx[] = "patched";
	engenho_bytes bytes = {merge, sizeof(merge) - 1};
	engenho_error error;

	if (engenho_patch_async(store, &settings, ENGENHO_PATCH_MERGE, bytes, NULL, on_patched, ctx,
				&error) != ENGENHO_OK)
		return failed("patch", &error);
	engenho_dispatch(store, -1);
	return 0;
}

static int show_events(engenho_watch *watch, size_t wanted)
{
	static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
	engenho_events *events;
	engenho_error error;

	while (wanted > 0) {
		if (engenho_watch_next(watch, 10000, &events, &error) != ENGENHO_OK)
			return failed("watch", &error);
		for (size_t i = 0; i < events->count; i++)
			printf("%s %s at %lld\n", names[events->events[i].type],
			       events->events[i].resource.key.name,
			       (long long)events->events[i].revision);
		wanted -= events->count < wanted ? events->count : wanted;
		engenho_events_free(events);
	}
	return 0;
}

static int list(engenho_store *store)
{
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);
	engenho_list_result *result;
	engenho_error error;

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	options.field_selector = "data.colour=green";
	if (engenho_list(store, &options, &result, &error) != ENGENHO_OK)
		return failed("list", &error);
	for (size_t i = 0; i < result->count; i++)
		printf("%s/%s: %s\n", result->items[i].key.ns, result->items[i].key.name,
		       (const char *)result->items[i].value.data);
	engenho_list_result_free(result);
	return 0;
}

static int use(engenho_store *store)
{
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_watch *watch;
	engenho_error error;
	int status;

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	if (engenho_watch_open(store, &options, &watch, &error) != ENGENHO_OK)
		return failed("watch", &error);
	status = put(store, "{\"data\":{\"colour\":\"red\"}}");
	if (status == 0)
		status = patch(store);
	if (status == 0)
		status = show_events(watch, 2);
	if (status == 0)
		status = list(store);
	engenho_watch_close(watch);
	if (status == 0 && engenho_delete(store, &settings, NULL, NULL, &error) != ENGENHO_OK)
		status = failed("delete", &error);
	return status;
}

int main(int argc, char **argv)
{
	engenho_config *config = engenho_config_new();
	engenho_store *store;
	engenho_error error;
	int status = 1;

	if (config == NULL || argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
	} else if (engenho_config_set(config, "data-dir", argv[1], &error) != ENGENHO_OK ||
		   engenho_open(config, &store, &error) != ENGENHO_OK) {
		(void)failed("open", &error);
	} else {
		status = use(store);
		engenho_close(store);
	}
	engenho_config_free(config);
	return status;
}
