/*
 * Commands on resources. The first byte: bit 0 is rules v0, bit 1 makes what follows a path. Else lines follow, each
 * a command, which are applied to an empty store one after the other.
 */
#include "base/assert.h"
#include "resource/rules.h"
#include "resource/util.h"

#define COMMANDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path is the only text of its key. */
static void check_path(struct es_slice path)
{
	struct es_resource_key key;
	struct es_arena arena;
	struct es_buf buf;

	es_arena_init(&arena, es_mem_default(), 256);
	es_buf_init(&buf, es_mem_default());
	if (es_resource_path_parse(path, &arena, &key) == 0) {
		ES_ASSERT(es_resource_path(&buf, &key) == 0);
		ES_ASSERT(es_slice_eq(es_buf_slice(&buf), path));
	}
	es_buf_close(&buf);
	es_arena_close(&arena);
}

/* What is written is read back, and written the same again. */
static void check_text(const struct es_resource_command *command, struct es_arena *arena)
{
	struct es_resource_command back;
	struct es_buf text, again;
	char errmsg[100];

	es_buf_init(&text, es_mem_default());
	es_buf_init(&again, es_mem_default());
	ES_ASSERT(es_resource_command_encode(&text, command) == 0);
	ES_ASSERT(es_resource_command_decode(es_buf_slice(&text), arena, &back, errmsg,
					     sizeof(errmsg)) == 0);
	ES_ASSERT(es_resource_command_encode(&again, &back) == 0);
	ES_ASSERT(es_slice_eq(es_buf_slice(&text), es_buf_slice(&again)));
	es_buf_close(&text);
	es_buf_close(&again);
}

static bool is_refusal(enum es_resource_outcome outcome)
{
	return outcome == ES_RESOURCE_CONFLICT || outcome == ES_RESOURCE_PATCH_REJECTED ||
	       outcome == ES_RESOURCE_APPLY_CONFLICT;
}

static void check_plan(const struct es_resource_plan *plan, struct es_arena *arena)
{
	bool idle = is_refusal(plan->outcome) || plan->outcome == ES_RESOURCE_NO_OP ||
		    plan->outcome == ES_RESOURCE_UNCHANGED;
	struct es_json value;
	struct es_json_error error;
	struct es_buf text;

	ES_ASSERT(idle == (plan->txn == NULL));
	ES_ASSERT(is_refusal(plan->outcome) == (plan->reason.len > 0));
	ES_ASSERT(es_resource_is_utf8(plan->reason));
	ES_ASSERT((plan->cause_count > 0) == (plan->outcome == ES_RESOURCE_APPLY_CONFLICT));
	if (plan->object.len == 0)
		return;
	es_buf_init(&text, es_mem_default());
	ES_ASSERT(es_json_parse(plan->object, ES_JSON_DEPTH_MAX, arena, &value, &error) == 0);
	ES_ASSERT(es_json_write(&text, &value) == 0);
	ES_ASSERT(es_slice_eq(es_buf_slice(&text), plan->object));
	es_buf_close(&text);
}

static void apply(struct es_mvcc *store, struct es_slice line, uint64_t index, bool v0,
		  struct es_arena *arena)
{
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_resource_command command;
	struct es_resource_plan plan;
	int64_t before = es_mvcc_revision(store);
	char errmsg[100];
	size_t count;
	int rc;

	rc = v0 ? es_resource_command_decode_v0(line, arena, &command, errmsg, sizeof(errmsg))
		: es_resource_command_decode(line, arena, &command, errmsg, sizeof(errmsg));
	ES_ASSERT(rc == 0 || (rc == ES_EDECODE && errmsg[0] != '\0'));
	if (rc < 0)
		return;
	check_text(&command, arena);
	rc = v0 ? es_resource_plan_v0(store, &command, index, arena, &plan)
		: es_resource_plan(store, &command, arena, &plan);
	ES_ASSERT(rc == 0);
	check_plan(&plan, arena);
	if (plan.txn != NULL)
		ES_ASSERT(es_mvcc_txn_apply(store, plan.txn, NULL, arena, &res, &events, &count) ==
			  0);
	ES_ASSERT(es_mvcc_revision(store) == before + (plan.txn != NULL));
}

static void run(struct es_slice rest, bool v0)
{
	struct es_mvcc *store;
	struct es_arena arena;

	ES_ASSERT(es_mvcc_new(es_mem_default(), &store) == 0);
	es_mvcc_count_from(store, 0);
	es_arena_init(&arena, es_mem_default(), 4096);
	for (uint64_t index = 1; rest.len > 0 && index <= COMMANDS_MAX; index++) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);

		apply(store, es_slice(rest.data, len), index, v0, &arena);
		rest = end == NULL ? es_slice(NULL, 0) : es_slice(end + 1, rest.len - len - 1);
	}
	es_mvcc_check(store);
	es_mvcc_free(store);
	es_arena_close(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if ((data[0] & 2) != 0)
		check_path(es_slice(data + 1, size - 1));
	else
		run(es_slice(data + 1, size - 1), (data[0] & 1) != 0);
	return 0;
}
