#ifndef ES_CTL_WRITE_H
#define ES_CTL_WRITE_H

#include "ctl/args.h"
#include "ctl/documents.h"
#include "ctl/target.h"

/* What put, apply, patch and delete share: options, the call, and how its outcome is told. */
struct es_ctl_writer {
	struct es_ctl_store store;
	struct es_ctl_printer printer;
	struct es_arena arena; /* of one write */
	struct es_ctl_list files;
	const char *output, *expected_text, *reason_text, *manager;
	bool force, check_version, ignore_not_found;
	bool has_expected, is_table;
	int64_t expected;
	Engenho__V1__Reason reason;
};

/* The options that were parsed into the texts. ES_CTL_OK, or the exit status after a complaint. */
int es_ctl_writer_check(struct es_ctl_writer *writer);
int es_ctl_writer_open(const struct es_ctl_options *options, struct es_ctl_writer *writer);
void es_ctl_writer_close(struct es_ctl_writer *writer);

/* Call and tell the outcome. `where` is the document, or "". Returns the exit status. */
int es_ctl_write(struct es_ctl_writer *writer, const char *method, const ProtobufCMessage *request,
		 const struct es_resource_key *key, const char *where);

#endif
