#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/target.h"
#include "wire/allocator.h"

/* What is there, then what happens to it, line by line, until it is interrupted. */
struct watching {
	struct es_ctl_store store;
	struct es_ctl_target target;
	struct es_ctl_printer printer;
	struct es_arena arena;   /* of the requests */
	struct es_arena message; /* of one answer */
	struct es_resource_key key;
	const char *labels, *fields, *output, *from;
	bool all_namespaces, changes_only, bookmarks;
	int64_t revision;
};

static int out_of_memory(void)
{
	return es_ctl_fail("%s", es_status_text(ES_ENOMEM));
}

/* Everything was written out with its event: there is nothing to tidy up. */
static void interrupted(int number)
{
	(void)number;
	_exit(ES_CTL_INTERRUPTED);
}

static int print_all(struct watching *w)
{
	es_ctl_print_flush(&w->printer);
	return fflush(stdout) == 0 ? 0 : ES_EIO;
}

static int print_event(struct watching *w, const Engenho__V1__WatchEvent *event)
{
	static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
	const char *name = (unsigned)event->type < 4 ? names[event->type] : "UNKNOWN";
	struct es_ctl_item item = {.mod_revision = event->revision};
	char text[120];

	if (event->type == ENGENHO__V1__WATCH_EVENT__TYPE__BOOKMARK) {
		if (!w->bookmarks)
			return 0;
		item.key = w->key;
		item.key.name = es_slice("", 0);
		(void)snprintf(text, sizeof(text),
			       "{\"metadata\":{\"resourceVersion\":\"%" PRId64 "\"}}",
			       event->revision);
		item.value = es_slice_str(text);
		return es_ctl_print_item(&w->printer, name, &item);
	}
	if (event->resource == NULL)
		return ES_EDECODE;
	item = es_ctl_item_of(event->resource);
	return es_ctl_print_item(&w->printer, name, &item);
}

static int take_message(void *arg, struct es_slice bytes)
{
	struct watching *w = arg;
	ProtobufCAllocator allocator;
	const Engenho__V1__WatchResponse *answer;
	int rc = 0;

	es_arena_reset(&w->message);
	allocator = es_wire_allocator(&w->message);
	answer = engenho__v1__watch_response__unpack(&allocator, bytes.len, bytes.data);
	if (answer == NULL)
		return ES_EDECODE;
	for (size_t i = 0; rc == 0 && i < answer->n_events; i++)
		rc = print_event(w, answer->events[i]);
	w->revision = answer->revision;
	return rc == 0 ? print_all(w) : rc;
}

static int print_page(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct watching *w = arg;

	w->revision = answer->revision;
	for (size_t i = 0; i < answer->n_items; i++) {
		struct es_ctl_item item = es_ctl_item_of(answer->items[i]);

		if (w->key.name.len > 0 && !es_slice_eq(item.key.name, w->key.name))
			continue;
		if (es_ctl_print_item(&w->printer, "ADDED", &item) < 0)
			return out_of_memory();
	}
	return print_all(w) < 0 ? ES_CTL_FAILED : ES_CTL_OK;
}

/* What both requests are of. False: no memory. */
struct scope {
	char *group, *version, *kind, *ns, *labels, *fields, *name;
};

static bool make_scope(struct watching *w, struct scope *s)
{
	*s = (struct scope){es_ctl_text(&w->arena, w->key.group),
			    es_ctl_text(&w->arena, w->key.version),
			    es_ctl_text(&w->arena, w->key.kind),
			    NULL,
			    es_ctl_text(&w->arena, es_slice_str(w->labels)),
			    es_ctl_text(&w->arena, es_slice_str(w->fields)),
			    es_ctl_text(&w->arena, w->key.name)};
	if (w->key.has_ns && !w->all_namespaces) {
		s->ns = es_ctl_text(&w->arena, w->key.ns);
		if (s->ns == NULL)
			return false;
	}
	return s->group != NULL && s->version != NULL && s->kind != NULL && s->labels != NULL &&
	       s->fields != NULL && s->name != NULL;
}

static int list(struct watching *w, const struct scope *s)
{
	Engenho__V1__ListRequest request = ENGENHO__V1__LIST_REQUEST__INIT;

	request.group = s->group;
	request.version = s->version;
	request.kind = s->kind;
	request.label_selector = s->labels;
	request.field_selector = s->fields;
	if (s->ns != NULL) {
		request.has_namespace_case = ENGENHO__V1__LIST_REQUEST__HAS_NAMESPACE_NAMESPACE;
		request.namespace_ = s->ns;
	}
	return es_ctl_list_pages(&w->store, &request, 0, print_page, w);
}

static int stream(struct watching *w, const struct scope *s)
{
	Engenho__V1__WatchRequest request = ENGENHO__V1__WATCH_REQUEST__INIT;
	int status;

	request.group = s->group;
	request.version = s->version;
	request.kind = s->kind;
	request.label_selector = s->labels;
	request.field_selector = s->fields;
	request.name = s->name;
	request.from_revision = w->revision;
	request.bookmark_interval_ms = w->bookmarks ? 1000 : 0;
	if (s->ns != NULL) {
		request.has_namespace_case = ENGENHO__V1__WATCH_REQUEST__HAS_NAMESPACE_NAMESPACE;
		request.namespace_ = s->ns;
	}
	status = es_ctl_stream(&w->store, "Watch", &request.base, take_message, w);
	if (status == ES_CTL_OK)
		return es_ctl_fail("the member has ended the watch");
	if (w->revision > 0)
		(void)es_ctl_fail("%s (go on with --from-revision %" PRId64 ")", w->store.errmsg,
				  w->revision);
	else
		(void)es_ctl_fail("%s", w->store.errmsg);
	return status;
}

static int run(struct watching *w)
{
	struct sigaction on_interrupt = {.sa_handler = interrupted};
	struct scope scope;
	int status = ES_CTL_OK;

	if (!make_scope(w, &scope))
		return out_of_memory();
	(void)sigaction(SIGINT, &on_interrupt, NULL);
	if (!w->changes_only && w->from == NULL)
		status = list(w, &scope);
	return status == ES_CTL_OK ? stream(w, &scope) : status;
}

static int parse(const struct es_ctl_options *options, int argc, char **argv, struct watching *w)
{
	const struct es_ctl_flag flags[] = {
		{.name = "--output", .alias = "-o", .value = &w->output},
		{.name = "--selector", .alias = "-l", .value = &w->labels},
		{.name = "--field-selector", .value = &w->fields},
		{.name = "--all-namespaces", .alias = "-A", .given = &w->all_namespaces},
		{.name = "--from-revision", .value = &w->from},
		{.name = "--changes-only", .given = &w->changes_only},
		{.name = "--bookmarks", .given = &w->bookmarks},
		{0},
	};
	int status;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0 || !es_ctl_parse_format(w->output, &w->printer.format))
		return ES_CTL_USAGE;
	status = es_ctl_target_parse(options, argc, argv, &w->target);
	if (status != ES_CTL_OK)
		return status;
	if (w->target.name_count > 1)
		return es_ctl_usage("one name, or none, can be watched: ", w->target.names[1]);
	if (w->from != NULL && !es_ctl_parse_number("not a revision: ", w->from, &w->revision))
		return ES_CTL_USAGE;
	w->key = w->target.key;
	if (w->target.name_count == 1 && !es_ctl_target_key(options, &w->target, 0, &w->key))
		return ES_CTL_USAGE;
	w->printer.stream = true;
	w->printer.with_namespace = w->all_namespaces;
	return ES_CTL_OK;
}

static int watch(const struct es_ctl_options *options, int argc, char **argv)
{
	struct watching w = {.labels = "", .fields = ""};
	int status = parse(options, argc, argv, &w);

	if (status == ES_CTL_OK)
		status = es_ctl_store_open(options, &w.store);
	if (status != ES_CTL_OK)
		return status;
	es_arena_init(&w.arena, es_mem_default(), 4096);
	es_arena_init(&w.message, es_mem_default(), 65536);
	es_ctl_print_begin(&w.printer);
	status = run(&w);
	es_ctl_print_end(&w.printer, w.revision);
	es_arena_close(&w.message);
	es_arena_close(&w.arena);
	es_ctl_store_close(&w.store);
	return status;
}

const struct es_ctl_verb es_ctl_watch = {
	.name = "watch",
	.operands = "KIND [NAME] | KIND/NAME",
	.brief = "print resources, and every change of them as it happens",
	.more = "First what is there, as ADDED, then what is added, modified and deleted, until "
		"Ctrl-C (exit "
		"status 130).\n"
		"Nothing is left out and nothing comes twice. With a selector, what starts to "
		"match "
		"is ADDED and what\n"
		"stops matching is DELETED. -o json prints one object a line, {\"type\":..,"
		"\"object\":..}, and -o yaml the same\n"
		"as documents. When the member goes away, standard error tells from where to go "
		"on.\n"
		"  -A, --all-namespaces  of all namespaces (default: that of --namespace)\n"
		"  -l, --selector TEXT   whose labels match\n"
		"  --field-selector TEXT whose fields match\n"
		"  -o, --output FORMAT   table, wide, json, yaml or name (default: table)\n"
		"  --changes-only        not what is there already\n"
		"  --from-revision N     everything that changed after revision N\n"
		"  --bookmarks           BOOKMARK events: how far the watch has come though "
		"nothing changed\n",
	.example = "engenhoctl watch pods -A -o json | jq .object.metadata.name",
	.run = watch,
};
