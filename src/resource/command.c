#include "resource/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "resource/util.h"

/*
 * A command is read into a JSON value first, and that is then taken apart: what is wrong can be told by the names of
 * members, which say more than an offset does. A value that is part of a command is not looked at here.
 */

static const char *const reason_names[] = {
	[ES_RESOURCE_OPERATOR] = "operator",
	[ES_RESOURCE_CONTROLLER] = "controller",
	[ES_RESOURCE_GARBAGE_COLLECTOR] = "garbage_collector",
	[ES_RESOURCE_ADMISSION] = "admission",
	[ES_RESOURCE_SCHEDULER] = "scheduler",
};
static const char *const patch_type_names[] = {
	[ES_RESOURCE_PATCH_MERGE] = "merge",
	[ES_RESOURCE_PATCH_JSON] = "json",
	[ES_RESOURCE_PATCH_STRATEGIC] = "strategic",
	[ES_RESOURCE_PATCH_APPLY] = "apply",
};
static const char *const kind_names[] = {
	[ES_RESOURCE_PUT] = "put",
	[ES_RESOURCE_PATCH] = "patch",
	[ES_RESOURCE_DELETE] = "delete",
	[ES_RESOURCE_TXN] = "txn",
};
static const char *const compare_names[] = {
	[ES_RESOURCE_MOD_REVISION_EQ] = "mod_revision_eq",
	[ES_RESOURCE_NOT_EXISTS] = "not_exists",
};
static const char *const op_names[] = {
	[ES_RESOURCE_OP_PUT] = "put",
	[ES_RESOURCE_OP_DELETE] = "delete",
};

/* The place of a name in a list; -1: it is not in it. */
static int find(const char *const *names, size_t count, struct es_slice name)
{
	for (size_t i = 0; i < count; i++)
		if (es_slice_eq(es_slice_str(names[i]), name))
			return (int)i;
	return -1;
}

const char *es_resource_reason_name(enum es_resource_reason reason)
{
	ES_ASSERT((size_t)reason < ES_ARRAY_LEN(reason_names));
	return reason_names[reason];
}

bool es_resource_reason_parse(struct es_slice name, enum es_resource_reason *ret_reason)
{
	int i = find(reason_names, ES_ARRAY_LEN(reason_names), name);

	if (i >= 0)
		*ret_reason = (enum es_resource_reason)i;
	return i >= 0;
}

const char *es_resource_patch_type_name(enum es_resource_patch_type type)
{
	ES_ASSERT((size_t)type < ES_ARRAY_LEN(patch_type_names));
	return patch_type_names[type];
}

bool es_resource_patch_type_parse(struct es_slice name, enum es_resource_patch_type *ret_type)
{
	int i = find(patch_type_names, ES_ARRAY_LEN(patch_type_names), name);

	if (i >= 0)
		*ret_type = (enum es_resource_patch_type)i;
	return i >= 0;
}

/* ---- decoding --------------------------------------------------------------------------- */

struct decoder {
	struct es_arena *arena;
	char *errmsg;
	size_t errmsg_size;
	/* Which part is being read, for messages: "success", 2 is "success[2]."; NULL: the command itself. */
	const char *list;
	size_t index;
};

static int fail(const struct decoder *decoder, const char *name, const char *what)
{
	if (decoder->list == NULL)
		es_resource_say(decoder->errmsg, decoder->errmsg_size, "%s: %s", name, what);
	else
		es_resource_say(decoder->errmsg, decoder->errmsg_size, "%s[%zu].%s: %s",
				decoder->list, decoder->index, name, what);
	return ES_EDECODE;
}

/* A member that may be left out, or be null: then NULL. */
static const struct es_json *optional(const struct es_json *object, const char *name)
{
	const struct es_json *value = es_json_get(object, name);

	return es_json_is(value, ES_JSON_NULL) ? NULL : value;
}

/* The member is one of these names. */
static int take_name(const struct decoder *decoder, const struct es_json *object,
		     const char *member, const char *const *names, size_t count, int *ret_index)
{
	const struct es_json *value = es_json_get(object, member);
	char what[128];
	size_t len;

	if (!es_json_is(value, ES_JSON_STRING))
		return fail(decoder, member, "expected a string");
	*ret_index = find(names, count, value->u.string);
	if (*ret_index >= 0)
		return 0;
	len = (size_t)snprintf(what, sizeof(what), "expected %s", names[0]);
	for (size_t i = 1; i < count && len < sizeof(what); i++)
		len += (size_t)snprintf(what + len, sizeof(what) - len, "%s%s",
					i + 1 < count ? ", " : " or ", names[i]);
	return fail(decoder, member, what);
}

static int take_key(const struct decoder *decoder, const struct es_json *object,
		    struct es_resource_key *ret_key)
{
	const struct es_json *value = es_json_get(object, "key");
	const char *what;

	if (value == NULL)
		return fail(decoder, "key", "missing");
	if (es_resource_key_read(value, ret_key, &what) < 0)
		return fail(decoder, "key", what);
	return 0;
}

static int take_value(const struct decoder *decoder, const struct es_json *object,
		      const char *member, struct es_json *ret_value)
{
	const struct es_json *value = es_json_get(object, member);

	if (value == NULL)
		return fail(decoder, member, "missing");
	*ret_value = *value;
	return 0;
}

static int take_revision(const struct decoder *decoder, const struct es_json *value,
			 const char *member, int64_t *ret_revision)
{
	if (es_json_is(value, ES_JSON_INT))
		*ret_revision = value->u.i64;
	else if (es_json_is(value, ES_JSON_UINT))
		*ret_revision = INT64_MAX;
	else
		return fail(decoder, member, "expected an integer");
	return 0;
}

static int take_expected(const struct decoder *decoder, const struct es_json *object,
			 struct es_resource_command *command)
{
	const struct es_json *value = optional(object, "expected");

	if (value == NULL)
		return 0;
	command->has_expected = true;
	return take_revision(decoder, value, "expected", &command->expected);
}

/* A string that may be left out or be null: then its data is NULL. */
static int take_string(const struct decoder *decoder, const struct es_json *object,
		       const char *member, const char *where, struct es_slice *ret_text)
{
	const struct es_json *value = optional(object, member);

	*ret_text = es_slice(NULL, 0);
	if (value == NULL)
		return 0;
	if (value->type != ES_JSON_STRING)
		return fail(decoder, where, "expected a string");
	*ret_text = value->u.string.len == 0 ? ES_SLICE("") : value->u.string;
	return 0;
}

static int take_apply(const struct decoder *decoder, const struct es_json *object,
		      struct es_resource_command *command)
{
	const struct es_json *apply = optional(object, "apply");
	const struct es_json *force = optional(apply, "force");
	int rc;

	if (apply == NULL)
		return 0;
	if (apply->type != ES_JSON_OBJECT)
		return fail(decoder, "apply", "expected an object or null");
	if (force != NULL && force->type != ES_JSON_BOOL)
		return fail(decoder, "apply.force", "expected true or false");
	command->force = force != NULL && force->u.boolean;
	rc = take_string(decoder, apply, "manager", "apply.manager", &command->manager);
	if (rc == 0)
		rc = take_string(decoder, apply, "time", "apply.time", &command->time);
	return rc;
}

static int take_patch(const struct decoder *decoder, const struct es_json *object,
		      struct es_resource_command *command)
{
	int rc = take_value(decoder, object, "patch", &command->value), type = 0;

	if (rc == 0 && optional(object, "patch_type") != NULL)
		rc = take_name(decoder, object, "patch_type", patch_type_names,
			       ES_ARRAY_LEN(patch_type_names), &type);
	command->patch_type = (enum es_resource_patch_type)type;
	if (rc == 0)
		rc = take_apply(decoder, object, command);
	return rc;
}

static int take_array(const struct decoder *decoder, const struct es_json *object,
		      const char *member, const struct es_json **ret_array)
{
	*ret_array = es_json_get(object, member);
	return es_json_is(*ret_array, ES_JSON_ARRAY) ? 0
						     : fail(decoder, member, "expected an array");
}

static int take_compare(const struct decoder *decoder, const struct es_json *value,
			struct es_resource_compare *ret_compare)
{
	int kind = 0, rc;

	*ret_compare = (struct es_resource_compare){.revision = 0};
	rc = take_name(decoder, value, "cmp", compare_names, ES_ARRAY_LEN(compare_names), &kind);
	if (kind == ES_RESOURCE_NOT_EXISTS)
		ret_compare->kind = ES_RESOURCE_NOT_EXISTS;
	if (rc == 0)
		rc = take_key(decoder, value, &ret_compare->key);
	if (rc == 0 && kind == ES_RESOURCE_MOD_REVISION_EQ)
		rc = take_revision(decoder, es_json_get(value, "revision"), "revision",
				   &ret_compare->revision);
	return rc;
}

static int take_op(const struct decoder *decoder, const struct es_json *value,
		   struct es_resource_op *ret_op)
{
	int kind = 0, rc;

	*ret_op = (struct es_resource_op){.value = es_json_null()};
	rc = take_name(decoder, value, "op", op_names, ES_ARRAY_LEN(op_names), &kind);
	if (kind == ES_RESOURCE_OP_DELETE)
		ret_op->kind = ES_RESOURCE_OP_DELETE;
	if (rc == 0)
		rc = take_key(decoder, value, &ret_op->key);
	if (rc < 0)
		return rc;
	if (kind == ES_RESOURCE_OP_PUT)
		return take_value(decoder, value, "value", &ret_op->value);
	return take_string(decoder, value, "deletion_timestamp", "deletion_timestamp",
			   &ret_op->deletion_timestamp);
}

static int take_compares(struct decoder *decoder, const struct es_json *object,
			 struct es_resource_command *command)
{
	const struct es_json *array;
	struct es_resource_compare *compares;
	int rc = take_array(decoder, object, "compares", &array);

	if (rc < 0)
		return rc;
	compares = es_arena_calloc(decoder->arena, array->count, sizeof(*compares));
	if (compares == NULL)
		return ES_ENOMEM;
	decoder->list = "compares";
	for (decoder->index = 0; rc == 0 && decoder->index < array->count; decoder->index++)
		rc = take_compare(decoder, &array->u.items[decoder->index],
				  &compares[decoder->index]);
	decoder->list = NULL;
	command->compares = compares;
	command->compare_count = array->count;
	return rc;
}

static int take_ops(struct decoder *decoder, const struct es_json *object, const char *member,
		    const struct es_resource_op **ret_ops, size_t *ret_count)
{
	const struct es_json *array;
	struct es_resource_op *ops;
	int rc = take_array(decoder, object, member, &array);

	if (rc < 0)
		return rc;
	ops = es_arena_calloc(decoder->arena, array->count, sizeof(*ops));
	if (ops == NULL)
		return ES_ENOMEM;
	decoder->list = member;
	for (decoder->index = 0; rc == 0 && decoder->index < array->count; decoder->index++)
		rc = take_op(decoder, &array->u.items[decoder->index], &ops[decoder->index]);
	decoder->list = NULL;
	*ret_ops = ops;
	*ret_count = array->count;
	return rc;
}

static int take_command(struct decoder *decoder, const struct es_json *object,
			struct es_resource_command *command)
{
	int kind = 0, reason = 0, rc;

	*command = (struct es_resource_command){.value = es_json_null()};
	rc = take_name(decoder, object, "kind", kind_names, ES_ARRAY_LEN(kind_names), &kind);
	command->kind = (enum es_resource_command_kind)kind;
	if (rc == 0)
		rc = take_name(decoder, object, "reason", reason_names, ES_ARRAY_LEN(reason_names),
			       &reason);
	command->reason = (enum es_resource_reason)reason;
	if (rc == 0 && kind != ES_RESOURCE_TXN)
		rc = take_key(decoder, object, &command->key);
	if (rc == 0 && kind != ES_RESOURCE_TXN)
		rc = take_expected(decoder, object, command);
	if (rc < 0)
		return rc;
	switch (command->kind) {
	case ES_RESOURCE_PUT: return take_value(decoder, object, "value", &command->value);
	case ES_RESOURCE_PATCH: return take_patch(decoder, object, command);
	case ES_RESOURCE_DELETE:
		return take_string(decoder, object, "deletion_timestamp", "deletion_timestamp",
				   &command->deletion_timestamp);
	case ES_RESOURCE_TXN: break;
	}
	rc = take_compares(decoder, object, command);
	if (rc == 0)
		rc = take_ops(decoder, object, "success", &command->success,
			      &command->success_count);
	if (rc == 0)
		rc = take_ops(decoder, object, "failure", &command->failure,
			      &command->failure_count);
	return rc;
}

static int decode(struct es_slice text, enum es_json_numbers numbers, struct decoder *decoder,
		  struct es_resource_command *ret_command)
{
	struct es_json value;
	struct es_json_error error;
	int rc = es_json_parse_with(text, ES_JSON_DEPTH_MAX, numbers, decoder->arena, &value,
				    &error);

	if (rc == ES_EDECODE)
		es_resource_say(decoder->errmsg, decoder->errmsg_size, "at byte %zu: %s",
				error.offset, error.what);
	if (rc < 0)
		return rc;
	if (value.type != ES_JSON_OBJECT) {
		es_resource_say(decoder->errmsg, decoder->errmsg_size, "expected an object, not %s",
				es_json_type_name(value.type));
		return ES_EDECODE;
	}
	return take_command(decoder, &value, ret_command);
}

int es_resource_command_decode(struct es_slice text, struct es_arena *arena,
			       struct es_resource_command *ret_command, char *errmsg,
			       size_t errmsg_size)
{
	struct decoder decoder = {arena, errmsg, errmsg_size, NULL, 0};

	return decode(text, ES_JSON_NUMBERS_EXACT, &decoder, ret_command);
}

int es_resource_command_decode_v0(struct es_slice text, struct es_arena *arena,
				  struct es_resource_command *ret_command, char *errmsg,
				  size_t errmsg_size)
{
	struct decoder decoder = {arena, errmsg, errmsg_size, NULL, 0};
	int rc = decode(text, ES_JSON_NUMBERS_V0, &decoder, ret_command);

	if (rc == 0 && ret_command->kind == ES_RESOURCE_TXN)
		rc = fail(&decoder, "kind", "rules v0 have no txn");
	return rc;
}

/* ---- encoding --------------------------------------------------------------------------- */

static int put_string(struct es_buf *buf, const char *prefix, struct es_slice text)
{
	int rc = es_buf_append_str(buf, prefix);

	return rc < 0 ? rc : es_json_write_string(buf, text);
}

static int put_key(struct es_buf *buf, const char *prefix, const struct es_resource_key *key)
{
	int rc = es_buf_append_str(buf, prefix);

	return rc < 0 ? rc : es_resource_key_write(buf, key);
}

/* `depth`: how many containers of the command are around the value. */
static int put_value(struct es_buf *buf, const char *prefix, const struct es_json *value,
		     unsigned depth)
{
	int rc = es_buf_append_str(buf, prefix);

	if (rc < 0)
		return rc;
	if (es_resource_is_deeper(value, ES_JSON_DEPTH_MAX - depth))
		return ES_EINVAL;
	return es_json_write(buf, value);
}

static int put_timestamp(struct es_buf *buf, struct es_slice timestamp)
{
	return timestamp.data == NULL ? 0 : put_string(buf, ",\"deletion_timestamp\":", timestamp);
}

/* What a patch has beside the patch. */
static int put_patch_type(struct es_buf *buf, const struct es_resource_command *command)
{
	int rc = es_buf_printf(buf, ",\"patch_type\":\"%s\"",
			       es_resource_patch_type_name(command->patch_type));

	if (rc < 0 ||
	    (command->manager.data == NULL && command->time.data == NULL && !command->force))
		return rc;
	rc = put_string(buf, ",\"apply\":{\"manager\":", command->manager);
	if (rc == 0)
		rc = es_buf_append_str(buf,
				       command->force ? ",\"force\":true" : ",\"force\":false");
	if (rc == 0)
		rc = put_string(buf, ",\"time\":", command->time);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '}');
	return rc;
}

static int put_expected(struct es_buf *buf, const struct es_resource_command *command)
{
	if (!command->has_expected)
		return 0;
	return es_buf_printf(buf, ",\"expected\":%" PRId64, command->expected);
}

static int put_compare(struct es_buf *buf, const struct es_resource_compare *compare)
{
	int rc = es_buf_printf(buf, "{\"cmp\":\"%s\"", compare_names[compare->kind]);

	if (rc == 0)
		rc = put_key(buf, ",\"key\":", &compare->key);
	if (rc == 0 && compare->kind == ES_RESOURCE_MOD_REVISION_EQ)
		rc = es_buf_printf(buf, ",\"revision\":%" PRId64, compare->revision);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '}');
	return rc;
}

static int put_op(struct es_buf *buf, const struct es_resource_op *op)
{
	int rc = es_buf_printf(buf, "{\"op\":\"%s\"", op_names[op->kind]);

	if (rc == 0)
		rc = put_key(buf, ",\"key\":", &op->key);
	if (rc == 0)
		rc = op->kind == ES_RESOURCE_OP_PUT ? put_value(buf, ",\"value\":", &op->value, 3)
						    : put_timestamp(buf, op->deletion_timestamp);
	if (rc == 0)
		rc = es_buf_append_u8(buf, '}');
	return rc;
}

static int put_ops(struct es_buf *buf, const char *prefix, const struct es_resource_op *ops,
		   size_t count)
{
	int rc = es_buf_append_str(buf, prefix);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = i == 0 ? 0 : es_buf_append_u8(buf, ',');
		if (rc == 0)
			rc = put_op(buf, &ops[i]);
	}
	return rc < 0 ? rc : es_buf_append_u8(buf, ']');
}

static int put_txn(struct es_buf *buf, const struct es_resource_command *command)
{
	int rc = es_buf_append_str(buf, ",\"compares\":[");

	for (size_t i = 0; rc == 0 && i < command->compare_count; i++) {
		rc = i == 0 ? 0 : es_buf_append_u8(buf, ',');
		if (rc == 0)
			rc = put_compare(buf, &command->compares[i]);
	}
	if (rc == 0)
		rc = put_ops(buf, "],\"success\":[", command->success, command->success_count);
	if (rc == 0)
		rc = put_ops(buf, ",\"failure\":[", command->failure, command->failure_count);
	return rc;
}

static int put_command(struct es_buf *buf, const struct es_resource_command *command)
{
	int rc = es_buf_printf(buf, "{\"kind\":\"%s\"", kind_names[command->kind]);

	if (rc == 0 && command->kind == ES_RESOURCE_TXN)
		rc = put_txn(buf, command);
	else if (rc == 0)
		rc = put_key(buf, ",\"key\":", &command->key);
	if (rc == 0 && command->kind == ES_RESOURCE_PUT)
		rc = put_value(buf, ",\"value\":", &command->value, 1);
	if (rc == 0 && command->kind == ES_RESOURCE_PATCH)
		rc = put_value(buf, ",\"patch\":", &command->value, 1);
	if (rc == 0 && command->kind == ES_RESOURCE_PATCH)
		rc = put_patch_type(buf, command);
	if (rc == 0 && command->kind != ES_RESOURCE_TXN)
		rc = put_expected(buf, command);
	if (rc == 0)
		rc = es_buf_printf(buf, ",\"reason\":\"%s\"",
				   es_resource_reason_name(command->reason));
	if (rc == 0 && command->kind == ES_RESOURCE_DELETE)
		rc = put_timestamp(buf, command->deletion_timestamp);
	return rc < 0 ? rc : es_buf_append_u8(buf, '}');
}

int es_resource_command_encode(struct es_buf *buf, const struct es_resource_command *command)
{
	size_t len = buf->len;
	int rc = put_command(buf, command);

	if (rc < 0)
		buf->len = len;
	return rc;
}
