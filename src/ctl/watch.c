#include <inttypes.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "ctl/args.h"
#include "ctl/target.h"
#include "wire/allocator.h"

/*
 * What is there, then what happens to it, line by line, until it is interrupted. Bookmarks are asked for always: they
 * tell that the member is there, and the revision to go on from with another one when it is not.
 */
enum {
	SILENCE_MS_MAX = 15000,
	BOOKMARK_MS = 1000,
	PAUSE_MS = 500, /* between attempts to go on */
	RECONNECT_S = 60,
};

struct watching {
	struct es_ctl_store store;
	struct es_ctl_target target;
	struct es_ctl_printer printer;
	struct es_arena arena;   /* of the requests */
	struct es_arena message; /* of one answer */
	struct es_resource_key key;
	const char *labels, *fields, *output, *from, *reconnect;
	bool all_namespaces, changes_only, bookmarks;
	int64_t revision; /* everything up to it was written out; 0: not known */
	int64_t reconnect_s;
	bool heard;     /* something came since the last attempt to go on */
	bool unwritten; /* standard output does not take what came */
};

/* Everything was written out with its event: there is nothing to tidy up. */
static void interrupted(int number)
{
	(void)number;
	_exit(ES_CTL_INTERRUPTED);
}

static int print_all(struct watching *w)
{
	es_ctl_print_flush(&w->printer);
	w->unwritten = fflush(stdout) != 0 || ferror(stdout) != 0;
	return w->unwritten ? ES_EIO : 0;
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
	if (rc == 0)
		rc = print_all(w);
	if (rc == 0)
		w->revision = answer->revision;
	w->heard = true;
	return rc;
}

static int print_page(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct watching *w = arg;

	w->revision = answer->revision;
	for (size_t i = 0; i < answer->n_items; i++) {
		struct es_ctl_item item = es_ctl_item_of(answer->items[i]);

		if (es_ctl_print_item(&w->printer, "ADDED", &item) < 0)
			return es_ctl_out_of_memory();
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

static int keep_revision(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct watching *w = arg;

	w->revision = answer->revision;
	return ES_CTL_OK;
}

/* Print all that is there, or with a name nothing: only the revision is kept then. */
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
	return w->key.name.len > 0 ? es_ctl_list_pages(&w->store, &request, 1, keep_revision, w)
				   : es_ctl_list_pages(&w->store, &request, 0, print_page, w);
}

/* Print the one that is watched. When it is not there, the revision is one before it was looked for. */
static int get(struct watching *w, const struct scope *s)
{
	Engenho__V1__GetRequest request = ENGENHO__V1__GET_REQUEST__INIT;
	const Engenho__V1__GetResponse *answer;
	ProtobufCMessage *message;
	struct es_ctl_item item;
	int status = list(w, s);

	if (status != ES_CTL_OK)
		return status;
	request.key = es_ctl_pb_key(&w->key, &w->arena);
	if (request.key == NULL)
		return es_ctl_out_of_memory();
	status = es_ctl_read(&w->store, "Get", &request.base,
			     &engenho__v1__get_response__descriptor, &w->arena, &message);
	if (status == ES_CTL_NOT_FOUND)
		return ES_CTL_OK;
	if (status != ES_CTL_OK)
		return es_ctl_fail_key(status, "", &w->key, w->store.errmsg);
	answer = (const Engenho__V1__GetResponse *)message;
	if (answer->resource == NULL)
		return es_ctl_fail_key(ES_CTL_FAILED, "", &w->key, "the answer has none");
	item = es_ctl_item_of(answer->resource);
	if (es_ctl_print_item(&w->printer, "ADDED", &item) < 0)
		return es_ctl_out_of_memory();
	w->revision = answer->revision;
	return print_all(w) < 0 ? ES_CTL_FAILED : ES_CTL_OK;
}

/* Until it breaks. The exit status; the store's errmsg says why. */
static int stream(struct watching *w, const struct scope *s)
{
	Engenho__V1__WatchRequest request = ENGENHO__V1__WATCH_REQUEST__INIT;
	uint64_t patience_ms = w->store.options->timeout_ms;
	int status;

	if (patience_ms > SILENCE_MS_MAX - BOOKMARK_MS)
		patience_ms = SILENCE_MS_MAX - BOOKMARK_MS;

	request.group = s->group;
	request.version = s->version;
	request.kind = s->kind;
	request.label_selector = s->labels;
	request.field_selector = s->fields;
	request.name = s->name;
	request.from_revision = w->revision;
	request.bookmark_interval_ms = BOOKMARK_MS;
	if (s->ns != NULL) {
		request.has_namespace_case = ENGENHO__V1__WATCH_REQUEST__HAS_NAMESPACE_NAMESPACE;
		request.namespace_ = s->ns;
	}
	status = es_ctl_stream(&w->store, "Watch", &request.base, BOOKMARK_MS + patience_ms,
			       take_message, w);
	if (status == ES_CTL_OK) {
		(void)snprintf(w->store.errmsg, sizeof(w->store.errmsg),
			       "%s: the member has ended the watch", w->store.endpoint);
		es_ctl_store_close(&w->store);
		status = ES_CTL_UNAVAILABLE;
	}
	return w->unwritten ? ES_CTL_FAILED : status;
}

/* Why the watch ends, and from where another one can go on. Returns `status`. */
static int end(const struct watching *w, int status)
{
	const char *why = w->unwritten ? "what came was not written out" : w->store.errmsg;

	if (w->store.code == ES_GRPC_OUT_OF_RANGE)
		(void)es_ctl_fail("%s: what has changed since is not all kept; watch again without "
				  "--from-revision",
				  why);
	else if (w->revision > 0)
		(void)es_ctl_fail("%s (go on with --from-revision %" PRId64 ")", why, w->revision);
	else
		(void)es_ctl_fail("%s", why);
	return status;
}

/* One stream after the other, as long as there is a member to go on with. */
static int follow(struct watching *w, const struct scope *s)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	uint64_t broken_ms = es_client_now_ms(); /* since then nothing came */

	for (;;) {
		int status = stream(w, s);
		uint64_t now_ms = es_client_now_ms();

		if (w->heard)
			broken_ms = now_ms;
		if (status != ES_CTL_UNAVAILABLE ||
		    now_ms - broken_ms >= (uint64_t)w->reconnect_s * 1000 || w->reconnect_s == 0)
			return end(w, status);
		if (w->heard)
			(void)es_ctl_fail("%s; going on from revision %" PRId64, w->store.errmsg,
					  w->revision);
		w->heard = false;
		(void)nanosleep(&pause, NULL);
	}
}

static int run(struct watching *w)
{
	struct sigaction on_interrupt = {.sa_handler = interrupted};
	struct scope scope;
	int status = ES_CTL_OK;

	if (!make_scope(w, &scope))
		return es_ctl_out_of_memory();
	(void)sigaction(SIGINT, &on_interrupt, NULL);
	if (!w->changes_only && w->from == NULL) {
		status = w->key.name.len > 0 ? get(w, &scope) : list(w, &scope);
		w->heard = true;
	}
	return status == ES_CTL_OK ? follow(w, &scope) : status;
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
		{.name = "--reconnect", .value = &w->reconnect},
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
	if (w->target.name_count == 1 &&
	    (*w->labels != '\0' || *w->fields != '\0' || w->all_namespaces))
		return es_ctl_usage("a name goes with no selector and with one namespace", "");
	if (w->from != NULL && !es_ctl_parse_number("not a revision: ", w->from, &w->revision))
		return ES_CTL_USAGE;
	if (w->from != NULL && w->revision == 0)
		w->revision =
			1; /* an empty store's: nothing was before, and 0 would be from now on */
	w->reconnect_s = RECONNECT_S;
	if (w->reconnect != NULL &&
	    (!es_ctl_parse_number("--reconnect is a number of seconds, not ", w->reconnect,
				  &w->reconnect_s)))
		return ES_CTL_USAGE;
	if (w->reconnect_s > INT32_MAX)
		w->reconnect_s = INT32_MAX;
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
		"Nothing is left out. With a selector, what starts to match "
		"is ADDED and what\n"
		"stops matching is DELETED. -o json prints one object a line, {\"type\":..,"
		"\"object\":..}, and -o yaml the same\n"
		"as documents. When the connection breaks, or nothing is heard of the member for "
		"the timeout, it goes on with\n"
		"the next member from the last revision that was shown, and says so on standard "
		"error. When the history is not\n"
		"kept so far back, it ends with exit status 1; when no member is found in time, "
		"with 6.\n"
		"  -A, --all-namespaces  of all namespaces (default: that of --namespace)\n"
		"  -l, --selector TEXT   whose labels match\n"
		"  --field-selector TEXT whose fields match\n"
		"  -o, --output FORMAT   table, wide, json, yaml or name (default: table)\n"
		"  --changes-only        not what is there already\n"
		"  --from-revision N     everything that changed after revision N\n"
		"  --reconnect SECONDS   how long to look for a member to go on with (default: 60; "
		"0: end at once)\n"
		"  --bookmarks           BOOKMARK events: how far the watch has come though "
		"nothing changed\n",
	.example = "engenhoctl watch pods -A -o json | jq .object.metadata.name",
	.run = watch,
};
