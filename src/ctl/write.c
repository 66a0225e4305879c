#include "ctl/write.h"

#include <inttypes.h>

#include "base/assert.h"

typedef Engenho__V1__WriteResponse Answer;

int es_ctl_writer_check(struct es_ctl_writer *w)
{
	static const char *const reasons[] = {"operator", "controller", "garbage_collector",
					      "admission", "scheduler"};

	if (!es_ctl_parse_format(w->output, &w->printer.format))
		return ES_CTL_USAGE;
	w->is_table = w->printer.format == ES_CTL_TABLE;
	if (w->printer.format == ES_CTL_WIDE)
		return es_ctl_usage("-o is json, yaml or name, not ", w->output);
	w->printer.stream = true;
	w->has_expected = w->expected_text != NULL;
	if (w->has_expected &&
	    !es_ctl_parse_number("--expected is a version, not ", w->expected_text, &w->expected))
		return ES_CTL_USAGE;
	if (w->has_expected && w->check_version)
		return es_ctl_usage("--expected or --check-version, not both", "");
	if (w->reason_text == NULL)
		return ES_CTL_OK;
	for (size_t i = 0; i < ES_ARRAY_LEN(reasons); i++) {
		if (strcmp(w->reason_text, reasons[i]) != 0)
			continue;
		w->reason = (Engenho__V1__Reason)i;
		return ES_CTL_OK;
	}
	return es_ctl_usage("--reason is operator, controller, garbage_collector, admission or "
			    "scheduler, not ",
			    w->reason_text);
}

int es_ctl_writer_open(const struct es_ctl_options *options, struct es_ctl_writer *w)
{
	int status = es_ctl_store_open(options, &w->store);

	if (status != ES_CTL_OK)
		return status;
	es_arena_init(&w->arena, es_mem_default(), 65536);
	es_ctl_print_begin(&w->printer);
	return ES_CTL_OK;
}

void es_ctl_writer_close(struct es_ctl_writer *w)
{
	es_ctl_print_end(&w->printer, 0);
	es_arena_close(&w->arena);
	es_ctl_store_close(&w->store);
}

/* ---- outcomes ------------------------------------------------------------------------------ */

static const char *word(Engenho__V1__Outcome outcome)
{
	switch (outcome) {
	case ENGENHO__V1__OUTCOME__CREATED: return "created";
	case ENGENHO__V1__OUTCOME__REPLACED: return "replaced";
	case ENGENHO__V1__OUTCOME__PATCHED: return "patched";
	case ENGENHO__V1__OUTCOME__DELETED: return "deleted";
	case ENGENHO__V1__OUTCOME__DELETION_PENDING:
	case ENGENHO__V1__OUTCOME__NO_OP: return "deletion pending: it has finalizers";
	default: return "unchanged";
	}
}

static int tell(struct es_ctl_writer *w, const Answer *answer, const struct es_resource_key *key)
{
	bool unchanged = answer->outcome == ENGENHO__V1__OUTCOME__UNCHANGED ||
			 answer->outcome == ENGENHO__V1__OUTCOME__NO_OP;
	bool color = es_ctl_may_color(stdout);
	struct es_ctl_item item;
	struct es_buf buf;
	int rc;

	if (!w->is_table) {
		if (answer->resource == NULL)
			return ES_CTL_OK;
		item = es_ctl_item_of(answer->resource);
		return es_ctl_print_item(&w->printer, NULL, &item) < 0 ? es_ctl_out_of_memory()
								       : ES_CTL_OK;
	}
	es_buf_init(&buf, es_mem_default());
	rc = es_ctl_key_write(&buf, key);
	if (rc == 0)
		es_ctl_print_text(stdout, es_buf_slice(&buf));
	(void)printf(" %s%s%s",
		     !color      ? ""
		     : unchanged ? ES_CTL_YELLOW
				 : ES_CTL_GREEN,
		     word(answer->outcome), color ? ES_CTL_PLAIN : "");
	if (answer->resource != NULL)
		(void)printf(" (version %" PRId64 ")", answer->resource->mod_revision);
	(void)putchar('\n');
	es_buf_close(&buf);
	return rc == 0 ? ES_CTL_OK : es_ctl_fail("%s", es_status_text(rc));
}

static int tell_conflict(const Answer *answer, const struct es_resource_key *key, const char *where)
{
	bool apply = answer->outcome == ENGENHO__V1__OUTCOME__APPLY_CONFLICT;
	char text[400];

	if (apply)
		(void)snprintf(text, sizeof(text),
			       "conflict: other managers own fields that are applied:");
	else
		(void)snprintf(text, sizeof(text), "conflict: %s",
			       answer->message[0] != '\0' ? answer->message
							  : "it has not got the expected version");
	(void)es_ctl_fail_key(ES_CTL_CONFLICT, where, key, text);
	for (size_t i = 0; i < answer->n_causes; i++) {
		const char *manager = answer->causes[i]->manager;
		/* Kubernetes' wording has them already: "kubectl" using apps/v1 */
		const char *quote = manager[0] == '"' ? "" : "\"";

		(void)fprintf(stderr, "  conflict with %s", quote);
		es_ctl_print_text(stderr, es_slice_str(manager));
		(void)fprintf(stderr, "%s: ", quote);
		es_ctl_print_text(stderr, es_slice_str(answer->causes[i]->field));
		(void)fputc('\n', stderr);
	}
	if (apply)
		(void)fputs("  --force-conflicts takes them over; or leave them out.\n", stderr);
	return ES_CTL_CONFLICT;
}

static int outcome(struct es_ctl_writer *w, const Answer *answer, const struct es_resource_key *key,
		   const char *where)
{
	switch (answer->outcome) {
	case ENGENHO__V1__OUTCOME__CONFLICT:
	case ENGENHO__V1__OUTCOME__APPLY_CONFLICT: return tell_conflict(answer, key, where);
	case ENGENHO__V1__OUTCOME__PATCH_REJECTED:
		return es_ctl_fail_key(ES_CTL_INVALID, where, key,
				       answer->message[0] != '\0' ? answer->message
								  : "the patch was rejected");
	case ENGENHO__V1__OUTCOME__NO_OP:
		if (answer->resource != NULL)
			return tell(w, answer, key);
		return w->ignore_not_found
			       ? ES_CTL_OK
			       : es_ctl_fail_key(ES_CTL_NOT_FOUND, where, key, "not found");
	default: return tell(w, answer, key);
	}
}

int es_ctl_write(struct es_ctl_writer *w, const char *method, const ProtobufCMessage *request,
		 const struct es_resource_key *key, const char *where)
{
	ProtobufCMessage *message;
	char text[sizeof(w->store.errmsg) + 64];
	int status = es_ctl_call(&w->store, method, request,
				 &engenho__v1__write_response__descriptor, &w->arena, &message);

	if (status == ES_CTL_OK)
		return outcome(w, (const Answer *)message, key, where);
	(void)snprintf(text, sizeof(text), "%s%s", w->store.errmsg,
		       status == ES_CTL_UNAVAILABLE ? " (it may have been written all the same)"
						    : "");
	return es_ctl_fail_key(status, where, key, text);
}
