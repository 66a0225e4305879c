/*
 * Catalog files: what they hold, and whether they are right. A file may be large and may come from anybody: it is
 * read into one block of its size, and nothing else grows with it. Results are printed while the resources go by,
 * in key order, so that those of one kind, and of one namespace, come one after the other.
 */
#include <inttypes.h>

#include "ctl/args.h"
#include "ctl/ctl.h"
#include "ctl/kinds.h"
#include "disk/catalog_file.h"
#include "resource/catalog.h"

#define ERRMSG_MAX 1536 /* a path, and what is wrong with it */

struct file {
	struct es_slice bytes;
	struct es_catalog_reader reader;
	enum es_catalog_error error;
	char errmsg[ERRMSG_MAX];
	bool json;
};

/* 0, or the exit status after a complaint. `file` must be closed in any case. */
static int open_file(int argc, char **argv, struct file *file)
{
	const char *output = "text";
	const struct es_ctl_flag flags[] = {{.name = "--output", .alias = "-o", .value = &output},
					    {0}};
	const struct es_mem *mem = es_mem_default();
	int rc;

	*file = (struct file){.error = ES_CATALOG_IO};
	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0 || !es_ctl_parse_output(output, &file->json))
		return ES_CTL_USAGE;
	if (argc != 1)
		return argc == 0 ? es_ctl_usage("which FILE?", "")
				 : es_ctl_usage("unexpected argument: ", argv[1]);
	rc = es_catalog_load(es_fs_posix(), mem, argv[0], &file->bytes, file->errmsg,
			     sizeof(file->errmsg));
	if (rc < 0)
		file->error = rc == ES_ENOMEM ? ES_CATALOG_NO_MEMORY : ES_CATALOG_IO;
	else
		file->error = es_catalog_open(&file->reader, file->bytes, mem, file->errmsg,
					      sizeof(file->errmsg));
	return ES_CTL_OK;
}

static void close_file(struct file *file)
{
	if (file->error == ES_CATALOG_OK)
		es_catalog_close(&file->reader);
	es_free(es_mem_default(), (void *)(uintptr_t)file->bytes.data);
}

/* The kind of the error comes first on the line. */
static int print_error(const struct file *file)
{
	const char *kind = es_catalog_error_name(file->error);
	struct es_slice message = es_slice_str(file->errmsg);

	if (file->json) {
		(void)printf("{\"error\":{\"kind\":\"%s\",\"message\":", kind);
		es_ctl_print_json(stdout, message);
		(void)printf("}}\n");
	} else {
		(void)printf("%s: ", kind);
		es_ctl_print_text(stdout, message);
		(void)printf("\n");
	}
	return ES_CTL_FAILED;
}

/* ---- catalog verify ------------------------------------------------------------------------ */

static int verify(const struct es_ctl_options *options, int argc, char **argv)
{
	struct file file;
	int status = open_file(argc, argv, &file);

	(void)options;
	if (status == ES_CTL_OK && file.error != ES_CATALOG_OK)
		status = print_error(&file);
	else if (status == ES_CTL_OK && file.json)
		(void)printf("{\"resources\":%" PRIu64 ",\"last_applied_index\":%" PRIu64 "}\n",
			     file.reader.info.resources, file.reader.info.last_applied_index);
	else if (status == ES_CTL_OK)
		(void)printf("ok: %" PRIu64 " resources, last applied index %" PRIu64 "\n",
			     file.reader.info.resources, file.reader.info.last_applied_index);
	close_file(&file);
	return status;
}

const struct es_ctl_verb es_ctl_catalog_verify = {
	.name = "catalog verify",
	.operands = "FILE [-o json]",
	.brief = "whether a catalog file can be loaded",
	.more = "Prints \"ok: ...\", or the kind of the error, a colon and what is wrong. The "
		"kinds are io, truncated,\n"
		"bad_magic, hash_mismatch and decode. Exit status 1 when there is an error.\n"
		"  -o json               {\"resources\":N,\"last_applied_index\":N}, or\n"
		"                        "
		"{\"error\":{\"kind\":\"hash_mismatch\",\"message\":\"...\"}}\n",
	.example = "engenhoctl catalog verify backup/catalog.snap && echo fine",
	.run = verify,
};

/* ---- catalog inspect ----------------------------------------------------------------------- */

static bool same_namespace(const struct es_resource_key *a, const struct es_resource_key *b)
{
	return a->has_ns == b->has_ns && es_slice_eq(a->ns, b->ns);
}

/* What was counted since a kind, or a namespace of it, began; `key` is the last one. */
struct counts {
	const struct es_resource_key *key;
	uint64_t of_kind, of_namespace, cluster_scoped, namespaces;
	uint64_t kinds;
};

static void json_kind_begin(const struct counts *c)
{
	(void)printf("%s{\"group\":", c->kinds == 0 ? "" : ",");
	es_ctl_print_json(stdout, c->key->group);
	(void)printf(",\"version\":");
	es_ctl_print_json(stdout, c->key->version);
	(void)printf(",\"kind\":");
	es_ctl_print_json(stdout, c->key->kind);
	(void)printf(",\"namespaces\":{");
}

static void json_namespace(const struct counts *c)
{
	(void)printf("%s", c->namespaces == 0 ? "" : ",");
	es_ctl_print_json(stdout, c->key->ns);
	(void)printf(":%" PRIu64, c->of_namespace);
}

static void json_kind_end(const struct counts *c)
{
	(void)printf("},\"cluster_scoped\":%" PRIu64 ",\"resources\":%" PRIu64 "}",
		     c->cluster_scoped, c->of_kind);
}

static void text_kind(const struct counts *c)
{
	(void)printf("%10" PRIu64 " %10" PRIu64 "  ", c->of_kind, c->namespaces);
	es_ctl_print_text(stdout, c->key->group);
	(void)printf("%s", c->key->group.len == 0 ? "" : "/");
	es_ctl_print_text(stdout, c->key->version);
	(void)printf(" ");
	es_ctl_print_text(stdout, c->key->kind);
	(void)printf("\n");
}

static void end_namespace(struct counts *c, bool json)
{
	if (!c->key->has_ns) {
		c->cluster_scoped = c->of_namespace;
	} else {
		if (json)
			json_namespace(c);
		c->namespaces++;
	}
	c->of_namespace = 0;
}

static void end_kind(struct counts *c, bool json)
{
	end_namespace(c, json);
	if (json)
		json_kind_end(c);
	else
		text_kind(c);
	*c = (struct counts){.key = c->key, .kinds = c->kinds + 1};
}

/* ES_CTL_OK, or the exit status after a complaint. */
static int print_kinds(struct file *file)
{
	struct es_resource_key keys[2];
	struct counts c = {0};
	struct es_slice value;
	unsigned n = 0;
	int rc;

	while ((rc = es_catalog_next(&file->reader, &keys[n], &value)) > 0) {
		bool new_kind = c.key == NULL || !es_ctl_same_kind(c.key, &keys[n]);

		if (c.key != NULL && new_kind)
			end_kind(&c, file->json);
		else if (c.key != NULL && !same_namespace(c.key, &keys[n]))
			end_namespace(&c, file->json);
		c.key = &keys[n];
		if (new_kind && file->json)
			json_kind_begin(&c);
		c.of_kind++;
		c.of_namespace++;
		n ^= 1;
	}
	if (rc < 0)
		return es_ctl_fail("%s", es_status_text(rc));
	if (c.key != NULL)
		end_kind(&c, file->json);
	return ES_CTL_OK;
}

static int print_json(struct file *file)
{
	const struct es_catalog_info *info = &file->reader.info;
	int status;

	(void)printf("{\"format\":1,\"payload_bytes\":%" PRIu64 ",\"ignored_bytes\":%" PRIu64
		     ",\"resources\":%" PRIu64 ",\"last_applied_term\":%" PRIu64
		     ",\"last_applied_index\":%" PRIu64 ",\"outer_last_applied_index\":%" PRIu64
		     ",\"kinds\":[",
		     info->payload_bytes, info->ignored_bytes, info->resources,
		     info->last_applied_term, info->last_applied_index,
		     info->outer_last_applied_index);
	status = print_kinds(file);
	(void)printf("]}\n");
	return status;
}

static int print_text(struct file *file)
{
	const struct es_catalog_info *info = &file->reader.info;

	(void)printf("format        engenho-catalog-snapshot v1\n"
		     "payload       %" PRIu64 " bytes\n",
		     info->payload_bytes);
	if (info->ignored_bytes > 0)
		(void)printf("ignored       %" PRIu64 " bytes behind the payload\n",
			     info->ignored_bytes);
	(void)printf("last applied  term %" PRIu64 ", index %" PRIu64, info->last_applied_term,
		     info->last_applied_index);
	if (info->outer_last_applied_index != info->last_applied_index)
		(void)printf(" (beside the catalog: %" PRIu64 ")", info->outer_last_applied_index);
	(void)printf("\nresources     %" PRIu64 "\n", info->resources);
	if (info->resources == 0)
		return ES_CTL_OK;
	(void)printf("\n%10s %10s  KIND\n", "RESOURCES", "NAMESPACES");
	return print_kinds(file);
}

static int inspect(const struct es_ctl_options *options, int argc, char **argv)
{
	struct file file;
	int status = open_file(argc, argv, &file);

	(void)options;
	if (status == ES_CTL_OK)
		status = file.error != ES_CATALOG_OK ? print_error(&file)
			 : file.json                 ? print_json(&file)
						     : print_text(&file);
	close_file(&file);
	return status;
}

const struct es_ctl_verb es_ctl_catalog_inspect = {
	.name = "catalog inspect",
	.operands = "FILE [-o json]",
	.brief = "what a catalog file holds, or which error it has",
	.more = "Prints sizes, what was applied last, and the resources of each kind with the "
		"number of namespaces\n"
		"that they are in. A file that cannot be loaded gives one line: the kind of the "
		"error (io, truncated,\n"
		"bad_magic, hash_mismatch or decode), a colon and what is wrong; and exit status "
		"1. Needs as much\n"
		"memory as the file has bytes.\n"
		"  -o json               one object: format, payload_bytes, ignored_bytes, "
		"resources,\n"
		"                        last_applied_term, last_applied_index, "
		"outer_last_applied_index, kinds (group,\n"
		"                        version, kind, namespaces with the resources of each, "
		"cluster_scoped,\n"
		"                        resources); or "
		"{\"error\":{\"kind\":\"truncated\",\"message\":\"...\"}}\n",
	.example = "engenhoctl catalog inspect backup/catalog.snap",
	.run = inspect,
};
