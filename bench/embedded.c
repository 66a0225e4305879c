/*
 * What the library does in its own process: one operation per run, in the folder that is named, of raw keys or of
 * resources, so that the two can be held against each other. Keys and stored values of both have the same size: the
 * text that is put is padded until what the store keeps of it is as long as the raw value. One thread with the
 * library's callbacks dispatched, as a program with an event loop of its own would use it. The result is one line of
 * JSON, like that of bench/load.
 *
 *   embedded --data-dir D --op OP --of keys|resources [--in-flight N] [--requests N] [--keys N] [--value-bytes N]
 *            [--limit N]
 *
 *   put     durable puts; with one in flight the calls that wait
 *   patch   merge patches of one field (resources only)
 *   list    everything, --limit at a time, after --keys puts that are not measured
 *   select  the same with a label selector that every tenth object meets (resources only)
 *   watch   from a put that was begun to its event, one at a time
 */
#include <engenho/store.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum op { OP_PUT, OP_PATCH, OP_LIST, OP_SELECT, OP_WATCH };

static const char *const op_names[] = {"put", "patch", "list", "select", "watch"};

static struct {
	const char *data_dir;
	enum op op;
	bool resources;
	uint64_t in_flight, requests, keys;
	size_t value_bytes;
	int64_t limit;
} opt = {.in_flight = 1, .requests = 10000, .keys = 10000, .value_bytes = 256};

static engenho_store *store;
static char *pad;
static size_t pad_len;
static uint64_t issued, completed, listed;
static bool filling;       /* before what is measured */
static uint64_t *begun_ns; /* of each request */
static uint32_t *latencies;
static double begin_cpu;
static uint64_t begin_ns, last_ns;

static void die(const char *what, const engenho_error *error)
{
	fprintf(stderr, "embedded: %s%s%s\n", what, error != NULL ? ": " : "",
		error != NULL ? error->message : "");
	exit(1);
}

static void *zeroed(size_t count, size_t size)
{
	void *made = calloc(count, size);

	if (made == NULL)
		die("out of memory", NULL);
	return made;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- what is put ------------------------------------------------------------------------------- */

static const char *name_of(uint64_t number)
{
	static char name[32];

	snprintf(name, sizeof(name), "n%015" PRIu64, number % opt.keys);
	return name;
}

static engenho_key key_of(uint64_t number)
{
	return (engenho_key){.group = "",
			     .version = "v1",
			     .kind = "ConfigMap",
			     .ns = "default",
			     .name = name_of(number)};
}

/* As long as the path of the resource. */
static engenho_bytes path_of(uint64_t number)
{
	static char path[96];

	snprintf(path, sizeof(path), "/engenho/resources/_/v1/ConfigMap/default/%s",
		 name_of(number));
	return (engenho_bytes){path, strlen(path)};
}

/* A config map of `stage` (one digit); for selectors it has a label. */
static engenho_bytes text_of(uint64_t number, unsigned stage)
{
	static char *text;
	char label[64] = "";
	int len;

	if (text == NULL)
		text = zeroed(1, opt.value_bytes + 128);
	if (!opt.resources) {
		memset(text, 'x', opt.value_bytes);
		text[0] = (char)('0' + stage);
		return (engenho_bytes){text, opt.value_bytes};
	}
	if (opt.op == OP_SELECT)
		snprintf(label, sizeof(label), ",\"metadata\":{\"labels\":{\"t\":\"%u\"}}",
			 (unsigned)(number % 10));
	len = snprintf(text, opt.value_bytes + 128, "{\"data\":{\"n\":\"%u\",\"p\":\"%.*s\"}%s}",
		       stage, (int)pad_len, pad, label);
	return (engenho_bytes){text, (size_t)len};
}

/* ---- writes ------------------------------------------------------------------------------------ */

static void issue(void);

static void answered(uint64_t number)
{
	last_ns = now_ns();
	latencies[completed++] = (uint32_t)((last_ns - begun_ns[number]) / 1000);
	issue();
}

static void on_kv(void *ctx, int64_t revision, const engenho_error *error)
{
	(void)revision;
	if (error != NULL)
		die("put", error);
	answered((uint64_t)(uintptr_t)ctx);
}

static void on_write(void *ctx, engenho_write_result *result, const engenho_error *error)
{
	if (error != NULL)
		die("write", error);
	if (result->outcome > ENGENHO_PATCHED)
		die(engenho_outcome_name(result->outcome), NULL);
	engenho_write_result_free(result);
	answered((uint64_t)(uintptr_t)ctx);
}

static void issue(void)
{
	engenho_error error;
	engenho_code rc;
	engenho_key key;
	void *ctx = (void *)(uintptr_t)issued;
	char patch[64];

	if (issued == opt.requests)
		return;
	key = key_of(issued);
	begun_ns[issued] = now_ns();
	if (opt.op == OP_PATCH && !filling) {
		snprintf(patch, sizeof(patch), "{\"data\":{\"n\":\"p%" PRIu64 "\"}}", issued);
		rc = engenho_patch_async(store, &key, ENGENHO_PATCH_MERGE,
					 (engenho_bytes){patch, strlen(patch)}, NULL, on_write, ctx,
					 &error);
	} else if (opt.resources) {
		rc = engenho_put_async(store, &key, text_of(issued, issued / opt.keys % 10), NULL,
				       on_write, ctx, &error);
	} else {
		rc = engenho_kv_put_async(store, path_of(issued),
					  text_of(issued, issued / opt.keys % 10), 0, on_kv, ctx,
					  &error);
	}
	if (rc != 0)
		die(op_names[opt.op], &error);
	issued++;
}

static void in_flight(uint64_t requests, uint64_t at_once)
{
	free(begun_ns);
	free(latencies);
	begun_ns = zeroed(requests, sizeof(*begun_ns));
	latencies = zeroed(requests, sizeof(*latencies));
	opt.requests = requests;
	issued = completed = 0;
	begin_cpu = cpu_seconds();
	begin_ns = now_ns();
	for (uint64_t i = 0; i < at_once && i < requests; i++)
		issue();
	while (completed < requests)
		engenho_dispatch(store, -1);
}

static void put_one(uint64_t number, unsigned stage)
{
	engenho_key key = key_of(number);
	engenho_error error;
	engenho_code rc;

	if (opt.resources)
		rc = engenho_put(store, &key, text_of(number, stage), NULL, NULL, &error);
	else
		rc = engenho_kv_put(store, path_of(number), text_of(number, stage), 0, NULL,
				    &error);
	if (rc != 0)
		die("put", &error);
}

static void one_at_a_time(void)
{
	latencies = zeroed(opt.requests, sizeof(*latencies));
	begin_cpu = cpu_seconds();
	begin_ns = last_ns = now_ns();
	for (; completed < opt.requests; completed++) {
		uint64_t begin = last_ns;

		put_one(completed, completed / opt.keys % 10);
		last_ns = now_ns();
		latencies[completed] = (uint32_t)((last_ns - begin) / 1000);
	}
}

static void fill(void)
{
	const uint64_t requests = opt.requests;

	filling = true;
	in_flight(opt.keys, 1000);
	filling = false;
	opt.requests = requests;
	completed = 0;
}

/* ---- reads ------------------------------------------------------------------------------------- */

static void list_resources(void)
{
	engenho_list_options options = ENGENHO_INIT(engenho_list_options);
	engenho_list_result *page, *next;
	engenho_error error;

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	options.limit = opt.limit;
	options.label_selector = opt.op == OP_SELECT ? "t=3" : NULL;
	if (engenho_list(store, &options, &page, &error) != 0)
		die("list", &error);
	listed += page->count;
	while (page->continue_token != NULL) {
		options.continue_token = page->continue_token;
		if (engenho_list(store, &options, &next, &error) != 0)
			die("list", &error);
		engenho_list_result_free(page);
		page = next;
		listed += page->count;
	}
	engenho_list_result_free(page);
}

static void list_keys(void)
{
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_range_result *page;
	engenho_error error;
	char key[128];
	bool more = true;

	options.key = (engenho_bytes){"/engenho/resources/", 19};
	options.range_end = (engenho_bytes){"/engenho/resources0", 19};
	options.limit = opt.limit;
	while (more) {
		if (engenho_kv_range(store, &options, &page, &error) != 0)
			die("range", &error);
		listed += page->count;
		more = page->more;
		options.revision = page->revision;
		if (more) {
			const engenho_bytes last = page->kvs[page->count - 1].key;

			memcpy(key, last.data, last.len);
			key[last.len] = 0;
			options.key = (engenho_bytes){key, last.len + 1};
		}
		engenho_range_result_free(page);
	}
}

static void lists(void)
{
	const uint64_t wanted = opt.op == OP_SELECT ? (opt.keys + 6) / 10 : opt.keys;

	fill();
	free(latencies);
	latencies = zeroed(opt.requests, sizeof(*latencies));
	begin_cpu = cpu_seconds();
	begin_ns = last_ns = now_ns();
	for (; completed < opt.requests; completed++) {
		uint64_t begin = last_ns;

		listed = 0;
		if (opt.resources)
			list_resources();
		else
			list_keys();
		if (listed != wanted)
			die("the list is not what was put", NULL);
		last_ns = now_ns();
		latencies[completed] = (uint32_t)((last_ns - begin) / 1000);
	}
}

/* ---- watches ----------------------------------------------------------------------------------- */

static void watch_resources(uint64_t number)
{
	static engenho_watch *watch;
	engenho_watch_options options = ENGENHO_INIT(engenho_watch_options);
	engenho_events *events;
	engenho_error error;
	uint64_t begin;

	options.group = "";
	options.version = "v1";
	options.kind = "ConfigMap";
	if (watch == NULL && engenho_watch_open(store, &options, &watch, &error) != 0)
		die("watch", &error);
	begin = now_ns();
	put_one(number, number / opt.keys % 10);
	if (engenho_watch_next(watch, 10000, &events, &error) != 0)
		die("watch", &error);
	last_ns = now_ns();
	latencies[number] = (uint32_t)((last_ns - begin) / 1000);
	if (events->count != 1)
		die("another number of events than puts", NULL);
	engenho_events_free(events);
	if (number + 1 == opt.requests)
		engenho_watch_close(watch);
}

static void watch_keys(uint64_t number)
{
	static engenho_kv_watch *watch;
	engenho_kv_watch_options options = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_kv_events *events;
	engenho_error error;
	uint64_t begin;

	options.key = (engenho_bytes){"/engenho/resources/", 19};
	options.range_end = (engenho_bytes){"/engenho/resources0", 19};
	if (watch == NULL && engenho_kv_watch_open(store, &options, &watch, &error) != 0)
		die("watch", &error);
	begin = now_ns();
	put_one(number, number / opt.keys % 10);
	if (engenho_kv_watch_next(watch, 10000, &events, &error) != 0)
		die("watch", &error);
	last_ns = now_ns();
	latencies[number] = (uint32_t)((last_ns - begin) / 1000);
	if (events->count != 1)
		die("another number of events than puts", NULL);
	engenho_kv_events_free(events);
	if (number + 1 == opt.requests)
		engenho_kv_watch_close(watch);
}

static void watches(void)
{
	latencies = zeroed(opt.requests, sizeof(*latencies));
	begin_cpu = cpu_seconds();
	begin_ns = now_ns();
	for (; completed < opt.requests; completed++) {
		if (opt.resources)
			watch_resources(completed);
		else
			watch_keys(completed);
	}
}

/* ---- a run ------------------------------------------------------------------------------------- */

static void open_store(void)
{
	engenho_config *config = engenho_config_new();
	engenho_error error;

	if (config == NULL)
		die("out of memory", NULL);
	if (engenho_config_set(config, "data-dir", opt.data_dir, &error) != 0 ||
	    engenho_config_set(config, "quota-backend-bytes", "8589934592", &error) != 0)
		die("configuration", &error);
	if (engenho_open(config, &store, &error) != 0)
		die("open", &error);
	engenho_config_free(config);
}

/* So much that the stored resource has --value-bytes. */
static void find_pad(void)
{
	engenho_write_result *result;
	engenho_error error;
	engenho_key key = key_of(0);

	pad = zeroed(1, opt.value_bytes);
	memset(pad, 'x', opt.value_bytes);
	if (!opt.resources)
		return;
	if (engenho_put(store, &key, text_of(0, 0), NULL, &result, &error) != 0)
		die("put", &error);
	if (result->resource == NULL || result->resource->value.len > opt.value_bytes)
		die("--value-bytes is less than an empty resource has", NULL);
	pad_len = opt.value_bytes - result->resource->value.len;
	engenho_write_result_free(result);
	if (engenho_delete(store, &key, NULL, NULL, &error) != 0)
		die("delete", &error);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_result(void)
{
	double seconds = (double)(last_ns - begin_ns) / 1e9, cpu = cpu_seconds() - begin_cpu,
	       sum = 0;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	qsort(latencies, completed, sizeof(*latencies), by_size);
	for (uint64_t i = 0; i < completed; i++)
		sum += latencies[i];
	printf("{\"op\":\"%s\",\"requests\":%" PRIu64
	       ",\"failed\":0,\"seconds\":%.6f,\"per_second\":%.1f,\"mean_us\":%.1f,"
	       "\"p50_us\":%u,\"p99_us\":%u,\"cpu_s\":%.3f,\"rss_bytes\":%ld}\n",
	       op_names[opt.op], completed, seconds, (double)completed / seconds,
	       sum / (double)completed, latencies[completed / 2],
	       latencies[completed - 1 - completed / 100], cpu, u.ru_maxrss * 1024L);
}

static enum op op_of(const char *text)
{
	for (int i = 0; i <= OP_WATCH; i++) {
		if (strcmp(text, op_names[i]) == 0)
			return (enum op)i;
	}
	die("no such --op", NULL);
	return OP_PUT;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"data-dir", 1, NULL, 'd'},    {"op", 1, NULL, 'o'},       {"of", 1, NULL, 'f'},
		{"in-flight", 1, NULL, 'i'},   {"requests", 1, NULL, 'r'}, {"keys", 1, NULL, 'k'},
		{"value-bytes", 1, NULL, 'v'}, {"limit", 1, NULL, 'l'},    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'd': opt.data_dir = optarg; break;
		case 'o': opt.op = op_of(optarg); break;
		case 'f': opt.resources = strcmp(optarg, "resources") == 0; break;
		case 'i': opt.in_flight = strtoull(optarg, NULL, 10); break;
		case 'r': opt.requests = strtoull(optarg, NULL, 10); break;
		case 'k': opt.keys = strtoull(optarg, NULL, 10); break;
		case 'v': opt.value_bytes = strtoull(optarg, NULL, 10); break;
		case 'l': opt.limit = (int64_t)strtoull(optarg, NULL, 10); break;
		default: exit(2);
		}
	}
	if (opt.data_dir == NULL || opt.requests == 0 || opt.keys == 0 || opt.in_flight == 0)
		die("--data-dir, and numbers above 0", NULL);
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	open_store();
	find_pad();
	switch (opt.op) {
	case OP_PUT:
		if (opt.in_flight == 1)
			one_at_a_time();
		else
			in_flight(opt.requests, opt.in_flight);
		break;
	case OP_PATCH:
		fill();
		in_flight(opt.requests, opt.in_flight);
		break;
	case OP_LIST:
	case OP_SELECT: lists(); break;
	case OP_WATCH: watches(); break;
	}
	print_result();
	engenho_close(store);
	return 0;
}
