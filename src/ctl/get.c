#include <inttypes.h>
#include <stdlib.h>

#include "ctl/args.h"
#include "ctl/target.h"

/* get and list: to standard output, in one of the formats. */
struct reading {
	struct es_ctl_store store;
	struct es_ctl_target target;
	struct es_ctl_printer printer;
	struct es_arena arena;
	const char *labels, *fields, *output, *limit, *token, *at, *not_older;
	bool all_namespaces;
	int64_t revision;
};

/* ---- get ----------------------------------------------------------------------------------- */

static int set_consistency(struct reading *r, Engenho__V1__Consistency *ret_consistency,
			   int64_t *ret_revision)
{
	const char *text = r->at != NULL ? r->at : r->not_older;

	if (r->at != NULL && r->not_older != NULL)
		return es_ctl_usage("--revision or --not-older-than, not both", "");
	*ret_consistency = r->at != NULL          ? ENGENHO__V1__CONSISTENCY__EXACT
			   : r->not_older != NULL ? ENGENHO__V1__CONSISTENCY__NOT_OLDER_THAN
						  : ENGENHO__V1__CONSISTENCY__LATEST;
	if (text != NULL && !es_ctl_parse_number("not a revision: ", text, ret_revision))
		return ES_CTL_USAGE;
	return ES_CTL_OK;
}

static int get_one(struct reading *r, int i)
{
	Engenho__V1__GetRequest request = ENGENHO__V1__GET_REQUEST__INIT;
	const Engenho__V1__GetResponse *answer;
	ProtobufCMessage *message;
	struct es_resource_key key;
	struct es_ctl_item item;
	int status;

	if (!es_ctl_target_key(r->store.options, &r->target, i, &key))
		return ES_CTL_USAGE;
	request.key = es_ctl_pb_key(&key, &r->arena);
	if (request.key == NULL)
		return es_ctl_out_of_memory();
	status = set_consistency(r, &request.consistency, &request.revision);
	if (status != ES_CTL_OK)
		return status;
	status = es_ctl_read(&r->store, "Get", &request.base,
			     &engenho__v1__get_response__descriptor, &r->arena, &message);
	if (status != ES_CTL_OK)
		return es_ctl_fail_key(status, "", &key,
				       status == ES_CTL_NOT_FOUND ? "not found" : r->store.errmsg);
	answer = (const Engenho__V1__GetResponse *)message;
	if (answer->resource == NULL)
		return es_ctl_fail_key(ES_CTL_FAILED, "", &key, "the answer has none");
	item = es_ctl_item_of(answer->resource);
	r->revision = answer->revision;
	return es_ctl_print_item(&r->printer, NULL, &item) < 0 ? es_ctl_out_of_memory() : ES_CTL_OK;
}

/* The names that are of the kind of the i-th and were not printed yet, which `done` tells. */
static int get_kind(struct reading *r, int i, bool *done)
{
	struct es_resource_key first, key;
	int status = ES_CTL_OK;

	if (!es_ctl_target_key(r->store.options, &r->target, i, &first))
		return ES_CTL_USAGE;
	for (; i < r->target.name_count; i++) {
		if (done[i])
			continue;
		if (!es_ctl_target_key(r->store.options, &r->target, i, &key))
			return ES_CTL_USAGE;
		if (!es_ctl_same_kind(&first, &key))
			continue;
		status = es_ctl_worse(status, get_one(r, i));
		es_arena_reset(&r->arena);
		done[i] = true;
	}
	es_ctl_print_next_table(&r->printer);
	return status;
}

static bool are_of_one_kind(const struct reading *r)
{
	struct es_resource_key first, key;

	for (int i = 0; i < r->target.name_count; i++)
		if (!es_ctl_target_key(r->store.options, &r->target, i, i == 0 ? &first : &key) ||
		    (i > 0 && !es_ctl_same_kind(&first, &key)))
			return false;
	return true;
}

/* A table for each kind. */
static int get_tables(struct reading *r)
{
	bool *done = es_calloc(es_mem_default(), (size_t)r->target.name_count, sizeof(*done));
	int status = ES_CTL_OK;

	if (done == NULL)
		return es_ctl_out_of_memory();
	r->printer.with_kind = !are_of_one_kind(r);
	for (int i = 0; i < r->target.name_count; i++)
		if (!done[i])
			status = es_ctl_worse(status, get_kind(r, i, done));
	es_free(es_mem_default(), done);
	return status;
}

static int get_names(struct reading *r)
{
	int status = ES_CTL_OK;

	r->printer.single = r->target.name_count == 1;
	if (r->printer.format == ES_CTL_TABLE || r->printer.format == ES_CTL_WIDE)
		return get_tables(r);
	for (int i = 0; i < r->target.name_count; i++) {
		status = es_ctl_worse(status, get_one(r, i));
		es_arena_reset(&r->arena);
	}
	if (r->printer.count > 0 || (status == ES_CTL_OK && !r->printer.single))
		es_ctl_print_end(&r->printer, r->revision);
	return status;
}

/* ---- list ---------------------------------------------------------------------------------- */

static int print_page(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct reading *r = arg;

	r->revision = answer->revision;
	for (size_t i = 0; i < answer->n_items; i++) {
		struct es_ctl_item item = es_ctl_item_of(answer->items[i]);

		if (es_ctl_print_item(&r->printer, NULL, &item) < 0)
			return es_ctl_out_of_memory();
	}
	es_ctl_print_flush(&r->printer);
	if (r->limit != NULL && answer->continue_[0] != '\0' &&
	    (int64_t)r->printer.count >= strtoll(r->limit, NULL, 10))
		(void)es_ctl_fail("%" PRId64 " more; go on with --continue %s", answer->remaining,
				  answer->continue_);
	return ES_CTL_OK;
}

static int list_all(struct reading *r)
{
	Engenho__V1__ListRequest request = ENGENHO__V1__LIST_REQUEST__INIT;
	const struct es_resource_key *key = &r->target.key;
	int64_t limit = 0;
	int status = set_consistency(r, &request.consistency, &request.revision);

	if (status != ES_CTL_OK)
		return status;
	if (r->limit != NULL && !es_ctl_parse_number("not a number: ", r->limit, &limit))
		return ES_CTL_USAGE;
	request.group = es_ctl_text(&r->arena, key->group);
	request.version = es_ctl_text(&r->arena, key->version);
	request.kind = es_ctl_text(&r->arena, key->kind);
	request.label_selector = es_ctl_text(&r->arena, es_slice_str(r->labels));
	request.field_selector = es_ctl_text(&r->arena, es_slice_str(r->fields));
	request.continue_ = es_ctl_text(&r->arena, es_slice_str(r->token));
	if (key->has_ns && !r->all_namespaces) {
		request.has_namespace_case = ENGENHO__V1__LIST_REQUEST__HAS_NAMESPACE_NAMESPACE;
		request.namespace_ = es_ctl_text(&r->arena, key->ns);
	}
	if (request.group == NULL || request.version == NULL || request.kind == NULL ||
	    request.label_selector == NULL || request.field_selector == NULL ||
	    request.continue_ == NULL ||
	    (key->has_ns && request.namespace_ == NULL && !r->all_namespaces))
		return es_ctl_out_of_memory();
	r->printer.with_namespace = r->all_namespaces ||
				    (r->target.kind.built_in == NULL && !key->has_ns);
	if (r->target.kind.built_in != NULL && !r->target.kind.built_in->namespaced)
		r->printer.with_namespace = false;
	status = es_ctl_list_pages(&r->store, &request, (uint64_t)limit, print_page, r);
	/* A list that broke off is not closed: no reader takes it for a whole one. */
	if (status == ES_CTL_OK)
		es_ctl_print_end(&r->printer, r->revision);
	if (status == ES_CTL_OK && r->printer.count == 0 &&
	    (r->printer.format == ES_CTL_TABLE || r->printer.format == ES_CTL_WIDE))
		(void)fputs("No resources found.\n", stderr);
	return status;
}

/* ---- the verbs ----------------------------------------------------------------------------- */

static int read_resources(const struct es_ctl_options *options, int argc, char **argv,
			  bool may_name)
{
	struct reading r = {.labels = "", .fields = "", .token = ""};
	const struct es_ctl_flag flags[] = {
		{.name = "--output", .alias = "-o", .value = &r.output},
		{.name = "--selector", .alias = "-l", .value = &r.labels},
		{.name = "--field-selector", .value = &r.fields},
		{.name = "--all-namespaces", .alias = "-A", .given = &r.all_namespaces},
		{.name = "--revision", .value = &r.at},
		{.name = "--not-older-than", .value = &r.not_older},
		{.name = "--limit", .value = &r.limit},
		{.name = "--continue", .value = &r.token},
		{0},
	};
	int status;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0 || !es_ctl_parse_format(r.output, &r.printer.format))
		return ES_CTL_USAGE;
	status = es_ctl_target_parse(options, argc, argv, &r.target);
	if (status != ES_CTL_OK)
		return status;
	if (r.target.name_count > 0 && !may_name)
		return es_ctl_usage("list takes a kind and no name; 'engenhoctl get' takes both: ",
				    r.target.names[0]);
	if (r.target.name_count > 0 && (*r.labels != '\0' || *r.fields != '\0' || r.all_namespaces))
		return es_ctl_usage("a name goes with no selector and with one namespace", "");
	status = es_ctl_store_open(options, &r.store);
	if (status != ES_CTL_OK)
		return status;
	es_arena_init(&r.arena, es_mem_default(), 65536);
	es_ctl_print_begin(&r.printer);
	status = r.target.name_count > 0 ? get_names(&r) : list_all(&r);
	es_buf_close(&r.printer.rows);
	es_arena_close(&r.arena);
	es_ctl_store_close(&r.store);
	return status;
}

static int get(const struct es_ctl_options *options, int argc, char **argv)
{
	return read_resources(options, argc, argv, true);
}

static int list(const struct es_ctl_options *options, int argc, char **argv)
{
	return read_resources(options, argc, argv, false);
}

const struct es_ctl_verb es_ctl_get = {
	.name = "get",
	.operands = "KIND NAME... | KIND/NAME... | KIND",
	.brief = "print resources by name, or all of a kind",
	.more = "Kinds are named as in kubectl (pods, po, Pod, deployments.apps); those that are "
		"not built in as\n"
		"group/version/Kind. Without a name it is 'engenhoctl list' and takes its "
		"options. A resource that is not\n"
		"there is told on standard error, and the exit status is 3.\n"
		"  -o, --output FORMAT   table, wide, json, yaml or name (default: table)\n"
		"  --revision N          as it was at revision N\n"
		"  --not-older-than N    at revision N or later, from this member's memory\n",
	.example = "engenhoctl get pod web-0 -n shop -o yaml",
	.run = get,
};

const struct es_ctl_verb es_ctl_list = {
	.name = "list",
	.operands = "KIND",
	.brief = "print all resources of a kind",
	.more = "All at one revision, however many there are. With -o json or yaml a List that "
		"'put' reads again; so\n"
		"does 'apply' when metadata.managedFields is taken out, as in Kubernetes.\n"
		"  -A, --all-namespaces  of all namespaces (default: that of --namespace)\n"
		"  -l, --selector TEXT   whose labels match: app=web,tier in (a,b),!old\n"
		"  --field-selector TEXT whose fields match: "
		"spec.nodeName=n1,status.phase!=Running\n"
		"  -o, --output FORMAT   table, wide, json, yaml or name (default: table)\n"
		"  --limit N             at most so many; standard error tells how to go on\n"
		"  --continue TOKEN      go on behind a list that had a limit\n"
		"  --revision N          as they were at revision N\n"
		"  --not-older-than N    at revision N or later, from this member's memory\n",
	.example =
		"engenhoctl list pods -A -l app=web --field-selector status.phase=Running -o wide",
	.run = list,
};
