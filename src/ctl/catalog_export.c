/*
 * All resources of a live store, at one revision, as a catalog file. They come in the order of the key space's paths
 * and must stand in the file in the order of keys, so values go to a file without a name beside the target while they
 * arrive, and only the keys are kept in memory and sorted. The catalog itself is then put together in memory, as its
 * hash stands at its head.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/catalog_out.h"
#include "ctl/target.h"
#include "resource/catalog.h"

struct entry {
	struct es_resource_key key;
	size_t offset, len; /* of the value in the spool */
};

struct export
{
	struct es_ctl_store store;
	struct es_ctl_catalog_out out;
	int spool;
	size_t spooled;
	struct es_arena arena;
	struct es_buf entries;
	int64_t revision;
	struct es_ctl_progress progress;
};

/* ---- the spool ----------------------------------------------------------------------------- */

/* The nearest folder above the target that is there, or that for temporary files when the target is no file. */
static void find_folder(const struct es_ctl_catalog_out *out, char ret_folder[ES_PATH_BYTES_MAX])
{
	const char *temporary = getenv("TMPDIR");
	char *slash;

	if (out->is_stream) {
		bool good = temporary != NULL && *temporary == '/' &&
			    strlen(temporary) < ES_PATH_BYTES_MAX;

		(void)snprintf(ret_folder, ES_PATH_BYTES_MAX, "%s", good ? temporary : "/tmp");
		return;
	}
	(void)snprintf(ret_folder, ES_PATH_BYTES_MAX, "%s", out->target);
	do {
		slash = strrchr(ret_folder, '/');
		if (slash == NULL)
			memcpy(ret_folder, ".", 2);
		else if (slash == ret_folder)
			slash[1] = '\0';
		else
			*slash = '\0';
	} while (slash != NULL && slash != ret_folder && access(ret_folder, F_OK) != 0);
}

/* A file without a name. */
static int open_spool(struct export *x)
{
	char folder[ES_PATH_BYTES_MAX], name[ES_PATH_BYTES_MAX + 32];

	find_folder(&x->out, folder);
	x->spool = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (x->spool >= 0)
		return ES_CTL_OK;
	(void)snprintf(name, sizeof(name), "%s/.engenhoctl-XXXXXX", folder);
	x->spool = mkostemp(name, O_CLOEXEC);
	if (x->spool < 0)
		return es_ctl_fail("cannot make a temporary file in %s: %s", folder,
				   strerror(errno));
	(void)unlink(name);
	return ES_CTL_OK;
}

static int spool(struct export *x, struct es_slice value)
{
	while (value.len > 0) {
		ssize_t n = write(x->spool, value.data, value.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return es_ctl_fail("cannot write to a temporary file: %s", strerror(errno));
		x->spooled += (size_t)n;
		value = es_slice(value.data + n, value.len - (size_t)n);
	}
	return ES_CTL_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int take_one(struct export *x, const Engenho__V1__Resource *resource)
{
	struct es_ctl_item item = es_ctl_item_of(resource);
	struct entry entry = {.key = item.key, .offset = x->spooled, .len = item.value.len};
	struct es_json_cursor cursor;

	es_json_cursor_init(&cursor, item.value, ES_CATALOG_VALUE_DEPTH_MAX);
	if (es_json_skip(&cursor, NULL) < 0 || es_json_cursor_end(&cursor) < 0)
		return es_ctl_fail_key(ES_CTL_FAILED, "encode", &item.key,
				       cursor.error.what == NULL ? "not JSON" : cursor.error.what);
	if (!es_ctl_keep_text(&x->arena, &entry.key.group) ||
	    !es_ctl_keep_text(&x->arena, &entry.key.version) ||
	    !es_ctl_keep_text(&x->arena, &entry.key.kind) ||
	    !es_ctl_keep_text(&x->arena, &entry.key.ns) ||
	    !es_ctl_keep_text(&x->arena, &entry.key.name) ||
	    es_buf_append(&x->entries, &entry, sizeof(entry)) < 0)
		return es_ctl_out_of_memory();
	return spool(x, item.value);
}

static int take_page(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct export *x = arg;
	size_t count = x->entries.len / sizeof(struct entry);
	int status = ES_CTL_OK;

	x->revision = answer->revision;
	for (size_t i = 0; status == ES_CTL_OK && i < answer->n_items; i++)
		status = take_one(x, answer->items[i]);
	count += answer->n_items;
	es_ctl_progress(&x->progress, count, count + (uint64_t)answer->remaining);
	return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return es_resource_key_cmp(&x->key, &y->key);
}

static int write_entries(struct export *x, const uint8_t *values, struct es_buf *file)
{
	struct entry *entries = (struct entry *)(void *)x->entries.data;
	size_t count = x->entries.len / sizeof(*entries);
	uint64_t revision = (uint64_t)x->revision;
	struct es_catalog_writer writer;
	int rc = es_catalog_write_begin(&writer, file);

	if (count > 0)
		qsort(entries, count, sizeof(*entries), compare);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = es_catalog_write(&writer, &entries[i].key,
				      es_slice(values + entries[i].offset, entries[i].len));
	return rc == 0 ? es_catalog_write_end(&writer, 1, revision, revision) : rc;
}

static int save(struct export *x)
{
	void *values = NULL;
	struct es_buf file;
	int rc, status = ES_CTL_OK;

	if (x->spooled > 0) {
		values = mmap(NULL, x->spooled, PROT_READ, MAP_PRIVATE, x->spool, 0);
		if (values == MAP_FAILED)
			return es_ctl_fail("cannot read a temporary file: %s", strerror(errno));
	}
	es_buf_init(&file, es_mem_default());
	rc = write_entries(x, values, &file);
	if (rc < 0)
		status = es_ctl_out_of_memory();
	else
		status = es_ctl_catalog_out_write(&x->out, es_buf_slice(&file));
	if (status == ES_CTL_OK)
		(void)fprintf(x->out.is_stdout ? stderr : stdout,
			      "%s: %zu resources at revision %" PRId64 ", %zu bytes\n",
			      x->out.is_stdout ? "standard output" : x->out.path,
			      x->entries.len / sizeof(struct entry), x->revision, file.len);
	es_buf_close(&file);
	if (values != NULL)
		(void)munmap(values, x->spooled);
	return status;
}

static int run(const struct es_ctl_options *options, int argc, char **argv)
{
	static const struct es_ctl_flag flags[] = {{0}};
	Engenho__V1__ListRequest request = ENGENHO__V1__LIST_REQUEST__INIT;
	struct export x = {.spool = -1, .progress = {.what = "reading"}};
	int status;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	if (argc != 1)
		return argc == 0 ? es_ctl_usage("to which FILE?", "")
				 : es_ctl_usage("unexpected argument: ", argv[1]);
	status = es_ctl_catalog_out_check(argv[0], &x.out);
	if (status == ES_CTL_OK)
		status = es_ctl_store_open(options, &x.store);
	if (status != ES_CTL_OK)
		return status;
	es_arena_init(&x.arena, es_mem_default(), 65536);
	es_buf_init(&x.entries, es_mem_default());
	status = open_spool(&x);
	if (status == ES_CTL_OK)
		status = es_ctl_list_pages(&x.store, &request, 0, take_page, &x);
	es_ctl_progress_end(&x.progress);
	if (status == ES_CTL_OK)
		status = save(&x);
	if (x.spool >= 0)
		(void)close(x.spool);
	es_buf_close(&x.entries);
	es_arena_close(&x.arena);
	es_ctl_store_close(&x.store);
	return status;
}

const struct es_ctl_verb es_ctl_catalog_export = {
	.name = "catalog export",
	.operands = "FILE|-",
	.brief = "save all resources of a live store as a catalog file",
	.more = "All are of one revision, that of the first page, while writes go on; the file "
		"gives "
		"it as the last index.\n"
		"FILE is replaced as a whole at the end, or is left as it was; folders that are "
		"missing are made. A link is\n"
		"followed; a FIFO or a device is written into; - is standard output, and what was "
		"done is told on standard\n"
		"error then. Needs as much memory as the file has bytes, and as much room again on "
		"its disk meanwhile (for\n"
		"what is no file, in TMPDIR or /tmp).\n",
	.example = "engenhoctl catalog export backup/catalog.snap",
	.run = run,
};
