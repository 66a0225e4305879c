#ifndef ES_RESOURCE_COMMAND_H
#define ES_RESOURCE_COMMAND_H

#include "resource/key.h"

/*
 * Commands on resources, and their JSON form: a line of a command log, and the body of a log entry (docs/formats/
 * resource-commands.md). Everything that is not a function of the state comes frozen in them: times,
 * and who did it. Pure.
 */
enum es_resource_reason {
	ES_RESOURCE_OPERATOR,
	ES_RESOURCE_CONTROLLER,
	ES_RESOURCE_GARBAGE_COLLECTOR,
	ES_RESOURCE_ADMISSION,
	ES_RESOURCE_SCHEDULER,
};
const char *es_resource_reason_name(enum es_resource_reason reason);
/* Returns false for a name that is none. */
bool es_resource_reason_parse(struct es_slice name, enum es_resource_reason *ret_reason);

enum es_resource_patch_type {
	ES_RESOURCE_PATCH_MERGE,     /* RFC 7396 */
	ES_RESOURCE_PATCH_JSON,      /* RFC 6902 */
	ES_RESOURCE_PATCH_STRATEGIC, /* Kubernetes' strategic merge patch */
	ES_RESOURCE_PATCH_APPLY,     /* server-side apply */
};
const char *es_resource_patch_type_name(enum es_resource_patch_type type);
bool es_resource_patch_type_parse(struct es_slice name, enum es_resource_patch_type *ret_type);

struct es_resource_compare {
	enum { ES_RESOURCE_MOD_REVISION_EQ, ES_RESOURCE_NOT_EXISTS } kind;
	struct es_resource_key key;
	int64_t revision;
};

struct es_resource_op {
	enum { ES_RESOURCE_OP_PUT, ES_RESOURCE_OP_DELETE } kind;
	struct es_resource_key key;
	struct es_json value;               /* put */
	struct es_slice deletion_timestamp; /* delete; data NULL: none */
};

struct es_resource_command {
	enum es_resource_command_kind {
		ES_RESOURCE_PUT,
		ES_RESOURCE_PATCH,
		ES_RESOURCE_DELETE,
		ES_RESOURCE_TXN,
	} kind;
	enum es_resource_reason reason;
	struct es_resource_key key; /* all but txn */
	bool has_expected;
	int64_t expected;
	struct es_json value; /* of a put; the patch of a patch */
	enum es_resource_patch_type patch_type;
	struct es_slice manager, time; /* of an apply; empty: not given */
	bool force;
	struct es_slice deletion_timestamp; /* data NULL: none */
	size_t compare_count, success_count, failure_count;
	const struct es_resource_compare *compares;
	const struct es_resource_op *success, *failure;
};

/* Everything points into `text` and `arena`. Unknown members are ignored; revisions beyond INT64_MAX,
 * which nothing can have, become that. ES_EDECODE with `errmsg` (what and where); ES_ENOMEM. */
int es_resource_command_decode(struct es_slice text, struct es_arena *arena,
			       struct es_resource_command *ret_command, char *errmsg,
			       size_t errmsg_size);
/* A line of a log under rules v0: numbers become what they became then (ES_JSON_NUMBERS_V0), and there is no txn. */
int es_resource_command_decode_v0(struct es_slice text, struct es_arena *arena,
				  struct es_resource_command *ret_command, char *errmsg,
				  size_t errmsg_size);
/* In the order of members that the JSON form is written down with; optional ones that are not set are left out.
 * ES_EINVAL: a value is nested too deep for the text to be read back; ES_ENOMEM. `buf` is then as it was. */
int es_resource_command_encode(struct es_buf *buf, const struct es_resource_command *command);

#endif
