/*
 * A log of commands, applied to an empty catalog: what each does is printed, and the catalog afterwards may be
 * saved. The store is the key space that members have, so this is what a member would have done. Of the past
 * nothing is needed: it is compacted away as the log goes by, and memory follows what is alive.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/args.h"
#include "ctl/catalog_out.h"
#include "ctl/ctl.h"
#include "resource/catalog.h"
#include "resource/rules.h"

#define ERRMSG_MAX         1536
#define COMPACT_EVERY      1024 /* commands */
#define COMPACT_LOG_BUDGET 4096

struct replay {
	bool v0, json;
	const char *path; /* NULL: the catalog is not saved */
	struct es_ctl_catalog_out out;
	FILE *report; /* what each command did */
	struct es_mvcc *store;
	uint64_t index;        /* of the last command: lines, from 1 on */
	struct es_arena arena; /* of one command */
};

/* ---- one command --------------------------------------------------------------------------- */

static void print_json(const struct replay *r, const struct es_resource_plan *plan)
{
	(void)fprintf(r->report, "{\"index\":%" PRIu64 ",\"outcome\":\"%s\"", r->index,
		      es_resource_outcome_name(plan->outcome));
	if (!r->v0)
		(void)fprintf(r->report, ",\"revision\":%" PRId64, es_mvcc_revision(r->store));
	if (plan->reason.len > 0) {
		(void)fprintf(r->report, ",\"reason\":");
		es_ctl_print_json(r->report, plan->reason);
	}
	for (size_t i = 0; i < plan->cause_count; i++) {
		(void)fprintf(r->report, "%s{\"manager\":", i == 0 ? ",\"causes\":[" : ",");
		es_ctl_print_json(r->report, plan->causes[i].manager);
		(void)fprintf(r->report, ",\"field\":");
		es_ctl_print_json(r->report, plan->causes[i].field);
		(void)fprintf(r->report, "}%s", i + 1 == plan->cause_count ? "]" : "");
	}
	if (plan->object.len > 0) {
		(void)fprintf(r->report, ",\"object\":");
		(void)fwrite(plan->object.data, 1, plan->object.len, r->report);
	}
	(void)fprintf(r->report, "}\n");
}

static int apply(struct replay *r, const struct es_resource_command *command)
{
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_resource_plan plan;
	size_t count;
	int rc = r->v0 ? es_resource_plan_v0(r->store, command, r->index, &r->arena, &plan)
		       : es_resource_plan(r->store, command, &r->arena, &plan);

	if (rc == 0 && plan.txn != NULL)
		rc = es_mvcc_txn_apply(r->store, plan.txn, NULL, &r->arena, &res, &events, &count);
	if (rc < 0)
		return es_ctl_fail("line %" PRIu64 ": %s", r->index, es_status_text(rc));
	if (r->json)
		print_json(r, &plan);
	else
		(void)fprintf(r->report, "%s\n", es_resource_outcome_name(plan.outcome));
	return ES_CTL_OK;
}

static void forget_the_past(struct replay *r)
{
	if (es_mvcc_compact(r->store, es_mvcc_revision(r->store)) < 0)
		return; /* nothing has changed since */
	while (es_mvcc_compact_step(r->store, COMPACT_LOG_BUDGET))
		;
}

static int one_line(struct replay *r, struct es_slice line)
{
	struct es_resource_command command;
	char errmsg[ERRMSG_MAX];
	int rc, status;

	r->index++;
	rc = r->v0 ? es_resource_command_decode_v0(line, &r->arena, &command, errmsg,
						   sizeof(errmsg))
		   : es_resource_command_decode(line, &r->arena, &command, errmsg, sizeof(errmsg));
	if (rc == ES_EDECODE)
		status = es_ctl_fail("line %" PRIu64 ": %s", r->index, errmsg);
	else if (rc < 0)
		status = es_ctl_fail("line %" PRIu64 ": %s", r->index, es_status_text(rc));
	else
		status = apply(r, &command);
	es_arena_reset(&r->arena);
	if (status == ES_CTL_OK && r->index % COMPACT_EVERY == 0)
		forget_the_past(r);
	return status;
}

/* ---- the log ------------------------------------------------------------------------------- */

static int all_lines(struct replay *r)
{
	char *line = NULL;
	size_t size = 0;
	int status = ES_CTL_OK;
	ssize_t len;

	errno = 0;
	while (status == ES_CTL_OK && (len = getline(&line, &size, stdin)) >= 0) {
		struct es_slice text = es_slice(line, (size_t)len);

		if (text.len > 0 && text.data[text.len - 1] == '\n')
			text.len--;
		status = one_line(r, text);
		errno = 0;
	}
	if (status == ES_CTL_OK && (ferror(stdin) || errno == ENOMEM))
		status = es_ctl_fail("cannot read standard input: %s", strerror(errno));
	free(line);
	return status;
}

/*
 * The version that a catalog ends with is what its resources are stamped with: under rules v0 the number of commands,
 * under the current ones the revision. The one term is 1, and 0 when nothing was applied.
 */
static int save(struct replay *r)
{
	uint64_t last = r->v0 ? r->index : (uint64_t)es_mvcc_revision(r->store);
	enum es_catalog_error error;
	char errmsg[ERRMSG_MAX];
	struct es_buf file;
	int status;

	es_buf_init(&file, es_mem_default());
	error = es_catalog_write_store(r->store, last > 0, last, &file, errmsg, sizeof(errmsg));
	if (error == ES_CATALOG_OK)
		status = es_ctl_catalog_out_write(&r->out, es_buf_slice(&file));
	else
		status = es_ctl_fail("%s: %s", es_catalog_error_name(error), errmsg);
	es_buf_close(&file);
	return status;
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int parse(int argc, char **argv, struct replay *r)
{
	const char *rules = "current", *output = "text";
	const struct es_ctl_flag flags[] = {
		{.name = "--rules", .value = &rules},
		{.name = "--out", .value = &r->path},
		{.name = "--output", .alias = "-o", .value = &output},
		{0},
	};

	argc = es_ctl_parse(argc, argv, flags);
	if (argc != 0)
		return argc < 0 ? ES_CTL_USAGE
				: es_ctl_usage("the log is read from standard input, not from ",
					       argv[0]);
	r->v0 = strcmp(rules, "v0") == 0;
	if (!r->v0 && strcmp(rules, "current") != 0)
		return es_ctl_usage("--rules is v0 or current, not ", rules);
	return es_ctl_parse_output(output, &r->json) ? ES_CTL_OK : ES_CTL_USAGE;
}

static int replay(const struct es_ctl_options *options, int argc, char **argv)
{
	struct replay r = {.report = stdout};
	int status = parse(argc, argv, &r);

	(void)options;
	if (status == ES_CTL_OK && r.path != NULL)
		status = es_ctl_catalog_out_check(r.path, &r.out);
	if (r.out.is_stdout)
		r.report = stderr;
	if (status != ES_CTL_OK)
		return status;
	if (es_mvcc_new(es_mem_default(), &r.store) < 0)
		return es_ctl_out_of_memory();
	es_mvcc_count_from(r.store, 0);
	es_arena_init(&r.arena, es_mem_default(), 65536);
	status = all_lines(&r);
	if (status == ES_CTL_OK && r.path != NULL)
		status = save(&r);
	es_arena_close(&r.arena);
	es_mvcc_free(r.store);
	return status;
}

const struct es_ctl_verb es_ctl_catalog_replay = {
	.name = "catalog replay",
	.operands = "[--rules v0|current] [--out FILE] [-o json] < LOG",
	.brief = "apply a log of commands to an empty catalog",
	.more = "Reads commands from standard input, one JSON object a line, and prints what each "
		"did: Created, Replaced,\n"
		"Patched, Deleted, DeletionPending, NoOp, Unchanged, Conflict, PatchRejected or "
		"ApplyConflict. A line that\n"
		"is no command ends it with exit status 1, and nothing is saved.\n"
		"  --rules v0|current    the rules that the log was written under (default: "
		"current)\n"
		"  --out FILE            save the catalog afterwards, and make the folders that "
		"are missing; - for standard\n"
		"                        output: what each command did goes to standard error "
		"then\n"
		"  -o json               an object for each: index, outcome, revision (current "
		"rules), object; reason and\n"
		"                        causes (manager, field) of what was refused\n",
	.example = "engenhoctl catalog replay --rules v0 --out catalog.snap < commands.jsonl",
	.run = replay,
};
