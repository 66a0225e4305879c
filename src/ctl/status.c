#include "ctl/ctl.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "ctl/args.h"
#include "ctl/client.h"
#include "ctl/endpoints.h"
#include "wire/allocator.h"
#include "wire/rpc.pb-c.h"

/* One line for each member that answers, one on standard error for each that does not. */
struct answer {
	struct es_arena arena;
	Etcdserverpb__StatusResponse *status;
};

static int keep_status(void *arg, struct es_slice message)
{
	struct answer *answer = arg;
	ProtobufCAllocator allocator = es_wire_allocator(&answer->arena);

	answer->status = etcdserverpb__status_response__unpack(&allocator, message.len,
							       message.data);
	return answer->status == NULL ? ES_EDECODE : 0;
}

static int ask(const char *endpoint, uint64_t timeout_ms, struct answer *answer)
{
	struct es_client_result result = {.code = ES_GRPC_UNKNOWN};
	struct es_client *client;
	int rc = es_client_open(es_mem_default(), endpoint, timeout_ms, &client, result.text,
				sizeof(result.text));

	if (rc == 0) {
		rc = es_client_call(client, "/etcdserverpb.Maintenance/Status", ES_SLICE(""),
				    timeout_ms, keep_status, answer, &result);
		es_client_close(client);
	}
	if (rc == 0 && result.code == ES_GRPC_OK && answer->status != NULL &&
	    answer->status->header != NULL)
		return 0;
	(void)es_ctl_fail("%s: %s", endpoint,
			  result.text[0] != '\0' ? result.text : "no status in the answer");
	return ES_EIO;
}

/* What /version says of the program itself; "-" when it is another one, or HTTP is elsewhere. */
static void program_version(const char *endpoint, uint64_t timeout_ms, char *out, size_t size)
{
	struct json_object *root, *version;
	struct es_buf body;
	int status = 0;

	(void)snprintf(out, size, "-");
	es_buf_init(&body, es_mem_default());
	if (es_client_get(es_mem_default(), endpoint, "/version", timeout_ms, &status, &body) ==
		    0 &&
	    status == 200 && es_buf_append(&body, "", 1) == 0) {
		root = json_tokener_parse((const char *)body.data);
		if (json_object_object_get_ex(root, "engenho-store", &version))
			(void)snprintf(out, size, "%s", json_object_get_string(version));
		json_object_put(root);
	}
	es_buf_close(&body);
}

static const char *size_text(int64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ES_ARRAY_LEN(units); unit++)
		value /= 1024;
	(void)snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return out;
}

static void print_head(void)
{
	(void)printf("%-28s %-16s %-9s %-7s %-10s %-10s %-6s %8s %10s %10s  %s\n", "ENDPOINT", "ID",
		     "PROGRAM", "API", "DB SIZE", "IN USE", "LEADER", "TERM", "REVISION", "INDEX",
		     "ERRORS");
}

static void print_line(const char *endpoint, const char *program,
		       const Etcdserverpb__StatusResponse *s)
{
	char db[32], in_use[32];

	(void)printf("%-28s %-16" PRIx64 " %-9s %-7s %-10s %-10s %-6s %8" PRIu64 " %10" PRId64
		     " %10" PRIu64 "  ",
		     endpoint, s->header->member_id, program, s->version,
		     size_text(s->dbsize, db, sizeof(db)),
		     size_text(s->dbsizeinuse, in_use, sizeof(in_use)),
		     s->leader == s->header->member_id ? "yes"
		     : s->leader == 0                  ? "none"
						       : "no",
		     s->raftterm, s->header->revision, s->raftindex);
	for (size_t i = 0; i < s->n_errors; i++) {
		(void)printf("%s", i > 0 ? ", " : "");
		es_ctl_print_text(stdout, es_slice_str(s->errors[i]));
	}
	(void)printf("\n");
}

static int one(const char *endpoint, uint64_t timeout_ms, bool *head)
{
	struct answer answer = {.status = NULL};
	char program[64];
	int rc;

	es_arena_init(&answer.arena, es_mem_default(), 1024);
	rc = ask(endpoint, timeout_ms, &answer);
	if (rc == 0) {
		program_version(endpoint, timeout_ms, program, sizeof(program));
		if (!*head)
			print_head();
		*head = true;
		print_line(endpoint, program, answer.status);
		if (answer.status->n_errors > 0 || answer.status->leader == 0)
			rc = ES_EIO;
	}
	es_arena_close(&answer.arena);
	return rc;
}

static int run(const struct es_ctl_options *options, int argc, char **argv)
{
	static const struct es_ctl_flag flags[] = {{0}};
	const char *text = options->endpoints;
	char endpoint[ES_CLIENT_ENDPOINT_MAX];
	int status = ES_CTL_OK;
	bool head = false;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc != 0)
		return argc < 0 ? ES_CTL_USAGE : es_ctl_usage("unexpected argument: ", argv[0]);
	if (!es_ctl_check_endpoints(text))
		return ES_CTL_USAGE;
	while (es_ctl_next_endpoint(&text, endpoint) > 0)
		if (one(endpoint, options->timeout_ms, &head) < 0)
			status = ES_CTL_FAILED;
	return status;
}

const struct es_ctl_verb es_ctl_status = {
	.name = "status",
	.operands = "",
	.brief = "one line for each member: id, versions, sizes, leader, errors",
	.more = "Exit status 1 when a member does not answer, has no leader or reports an error.\n",
	.example = "engenhoctl status --endpoints 127.0.0.1:2379,127.0.0.1:3379",
	.run = run,
};
