#include "resource/rules.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "resource/patch.h"
#include "resource/pod.h"
#include "resource/schema.h"
#include "resource/target.h"
#include "resource/util.h"

/*
 * The current rules. A command is judged on targets: copies of the resources that it names, which it
 * changes one after the other; what they have become in the end is written in one transaction, at one
 * revision.
 *
 * R1. A revision means a change: a target that a command leaves as it was is not written. A put inside
 * a transaction is a
 *     change by definition, as are a creation and the removal of what was created.
 * R2. What is refused changes no target.
 * R3. Nothing comes from anywhere but the command, the store and the revision.
 *
 * Where the rules as they are written down leave something open, this does what the program did whose logs it has to
 * replay; docs/formats/resource-commands.md has the list.
 */
/* What a patch may make of an object that was smaller: as much as a put may be when --max-request-bytes is not set.
 * (Members may differ in that flag, and not in what a command does.) Answers stay within 4 MiB, gRPC's usual bound. */
#define PATCHED_BYTES_MAX (3u << 19)
#define REASON_BYTES      512

struct judging {
	const struct es_mvcc *store;
	struct es_arena *arena;
	struct es_resource_plan *plan;
	int64_t revision; /* of what is written */
};

static const char *const outcome_names[] = {
	[ES_RESOURCE_CREATED] = "Created",
	[ES_RESOURCE_REPLACED] = "Replaced",
	[ES_RESOURCE_PATCHED] = "Patched",
	[ES_RESOURCE_DELETED] = "Deleted",
	[ES_RESOURCE_DELETION_PENDING] = "DeletionPending",
	[ES_RESOURCE_NO_OP] = "NoOp",
	[ES_RESOURCE_UNCHANGED] = "Unchanged",
	[ES_RESOURCE_CONFLICT] = "Conflict",
	[ES_RESOURCE_PATCH_REJECTED] = "PatchRejected",
	[ES_RESOURCE_APPLY_CONFLICT] = "ApplyConflict",
};

const char *es_resource_outcome_name(enum es_resource_outcome outcome)
{
	ES_ASSERT((size_t)outcome < ES_ARRAY_LEN(outcome_names));
	return outcome_names[outcome];
}

static int refuse(struct judging *j, enum es_resource_outcome outcome, const char *reason)
{
	size_t len = strlen(reason);
	char *copy = es_arena_alloc(j->arena, len);

	if (copy == NULL)
		return ES_ENOMEM;
	memcpy(copy, reason, len);
	j->plan->outcome = outcome;
	j->plan->reason = es_slice(copy, len);
	return 0;
}

/* ---- metadata --------------------------------------------------------------------------- */

static const struct es_json *metadata_of(const struct es_json *object, const char *name)
{
	return es_json_get(es_json_get(object, "metadata"), name);
}

static bool has_finalizers(const struct es_json *object)
{
	const struct es_json *list = metadata_of(object, "finalizers");

	return es_json_is(list, ES_JSON_ARRAY) && list->count > 0;
}

static bool is_being_deleted(const struct es_json *object)
{
	return es_json_as_string(metadata_of(object, "deletionTimestamp")).len > 0;
}

bool es_resource_is_released(const struct es_json *object)
{
	return is_being_deleted(object) && !has_finalizers(object);
}

/* UUID version 8 of BLAKE3(domain, 0, label, 0, create revision as 8 bytes big-endian). */
static int mint_uid(struct judging *j, const struct es_resource_key *key, int64_t create_revision,
		    struct es_json *ret_uid)
{
	static const char domain[] = "engenho.pleme.io/resource-uid/v1"; /* with its NUL */
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[ES_BLAKE3_BYTES], number[8], *text = es_arena_alloc(j->arena, 36);
	struct es_arena_buf label;
	struct es_blake3 hasher;
	size_t at = 0;
	int rc;

	es_arena_buf_init(&label, j->arena);
	rc = es_resource_label(&label.buf, key);
	if (rc < 0 || text == NULL)
		return ES_ENOMEM;
	es_store_u64be(number, (uint64_t)create_revision);
	es_blake3_init(&hasher);
	es_blake3_update(&hasher, es_slice(domain, sizeof(domain)));
	es_blake3_update(&hasher, es_buf_slice(&label.buf));
	es_blake3_update(&hasher, es_slice("", 1));
	es_blake3_update(&hasher, es_slice(number, sizeof(number)));
	es_blake3_final(&hasher, digest);
	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80);
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = (uint8_t)digits[digest[i] >> 4];
		text[at++] = (uint8_t)digits[digest[i] & 15];
	}
	*ret_uid = es_json_string(es_slice(text, at));
	return 0;
}

static bool same_member(const struct es_json *a, const struct es_json *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return es_json_eq(a, b);
}

static int64_t next_generation(const struct es_resource_target *target, bool same_spec)
{
	const struct es_json *stored = metadata_of(&target->value, "generation");
	int64_t generation = 1;

	if (!target->exists)
		return 1;
	if (es_json_is(stored, ES_JSON_INT) && stored->u.i64 > 1)
		generation = stored->u.i64;
	return same_spec || generation == INT64_MAX ? generation : generation + 1;
}

/*
 * Into the metadata of what is to be stored: generation and resourceVersion, and with `identity` the
 * uid (the stored one when set, else its own when set, else a new one) and the stored
 * creationTimestamp.
 */
static int stamp(struct judging *j, const struct es_resource_target *target, bool identity,
		 bool same_spec, struct es_json *object)
{
	const struct es_json *uid = NULL, *created = NULL;
	const struct es_json *revision = es_resource_revision_text(j->arena, (uint64_t)j->revision);
	struct es_json_member members[4]; /* in the order of their names */
	struct es_json minted;
	size_t count = 0;
	int rc = 0;

	if (revision == NULL)
		return ES_ENOMEM;
	if (identity && target->exists) {
		created = metadata_of(&target->value, "creationTimestamp");
		uid = metadata_of(&target->value, "uid");
	}
	if (identity && !es_resource_is_set(uid))
		uid = metadata_of(object, "uid");
	if (identity && !es_resource_is_set(uid)) {
		rc = mint_uid(j, target->key,
			      target->exists ? target->create_revision : j->revision, &minted);
		uid = &minted;
	}
	if (created != NULL)
		members[count++] = (struct es_json_member){ES_SLICE("creationTimestamp"), *created};
	members[count++] = (struct es_json_member){ES_SLICE("generation"),
						   es_json_int(next_generation(target, same_spec))};
	members[count++] = (struct es_json_member){ES_SLICE("resourceVersion"), *revision};
	if (identity)
		members[count++] = (struct es_json_member){ES_SLICE("uid"), *uid};
	return rc < 0 ? rc : es_resource_set_metadata(j->arena, object, members, count);
}

/* ---- the same but for the version ------------------------------------------------------- */

static bool is_one_of(struct es_slice name, const char *const names[2])
{
	return es_slice_eq(name, es_slice_str(names[0])) ||
	       es_slice_eq(name, es_slice_str(names[1]));
}

/* Equal members, but for two names. NULL has none. */
static bool same_members_but(const struct es_json *a, const struct es_json *b,
			     const char *const names[2])
{
	uint32_t a_count = a == NULL ? 0 : a->count, b_count = b == NULL ? 0 : b->count;
	uint32_t i = 0, k = 0;

	for (;;) {
		while (i < a_count && is_one_of(a->u.members[i].name, names))
			i++;
		while (k < b_count && is_one_of(b->u.members[k].name, names))
			k++;
		if (i == a_count || k == b_count)
			return i == a_count && k == b_count;
		if (!es_slice_eq(a->u.members[i].name, b->u.members[k].name) ||
		    !es_json_eq(&a->u.members[i].value, &b->u.members[k].value))
			return false;
		i++;
		k++;
	}
}

static bool is_object_or_absent(const struct es_json *value)
{
	return value == NULL || value->type == ES_JSON_OBJECT;
}

/* Equal in everything but metadata.resourceVersion and metadata.generation, and spec, which was compared already. */
static bool same_but_spec(const struct es_json *a, const struct es_json *b)
{
	static const char *const apart[] = {"metadata", "spec"};
	static const char *const stamps[] = {"generation", "resourceVersion"};
	const struct es_json *a_metadata = es_json_get(a, "metadata");
	const struct es_json *b_metadata = es_json_get(b, "metadata");

	if (a->type != ES_JSON_OBJECT || b->type != ES_JSON_OBJECT)
		return es_json_eq(a, b);
	if (!is_object_or_absent(a_metadata) || !is_object_or_absent(b_metadata)) {
		if (!same_member(a_metadata, b_metadata))
			return false;
	} else if (!same_members_but(a_metadata, b_metadata, stamps)) {
		return false;
	}
	return same_members_but(a, b, apart);
}

/* ---- what becomes of a target ----------------------------------------------------------- */

static void remove_target(struct judging *j, struct es_resource_target *target)
{
	target->exists = false;
	target->removed = true;
	target->written = true;
	target->mod_revision = j->revision;
	j->plan->outcome = ES_RESOURCE_DELETED;
}

static void set_target(struct judging *j, struct es_resource_target *target,
		       const struct es_json *object, struct es_slice text)
{
	if (!target->exists)
		target->create_revision = j->revision;
	target->exists = true;
	target->written = true;
	target->opaque = false;
	target->mod_revision = j->revision;
	target->value = *object;
	target->text = text;
}

struct how {
	bool identity; /* the store's uid and creationTimestamp go before the object's */
	bool always;   /* an identical object is a change */
	bool bounded;  /* PATCHED_BYTES_MAX holds */
	enum es_resource_outcome outcome;
};

/* The end of a put and of a patch: `object` takes the place of what the target holds. */
static int replace(struct judging *j, struct es_resource_target *target, struct es_json *object,
		   const struct how *how)
{
	bool same_spec = same_member(es_json_get(&target->value, "spec"),
				     es_json_get(object, "spec"));
	bool released = target->exists && es_resource_is_released(object);
	struct es_slice text;
	int rc = 0;

	if (object->type == ES_JSON_OBJECT)
		rc = stamp(j, target, how->identity, same_spec, object);
	if (rc < 0)
		return rc;
	if (target->exists && !target->opaque && !how->always && !released && same_spec &&
	    same_but_spec(&target->value, object)) {
		j->plan->outcome = ES_RESOURCE_UNCHANGED;
		return 0;
	}
	if (released) {
		target->value = *object;
		remove_target(j, target);
		return 0;
	}
	if (!target->exists)
		rc = es_resource_pod_created(target->key, j->arena, object);
	if (rc == 0)
		rc = es_resource_text(object, target->text.len + 256, j->arena, &text);
	if (rc < 0)
		return rc;
	if (how->bounded && text.len > PATCHED_BYTES_MAX && text.len > target->text.len) {
		char reason[REASON_BYTES];

		es_resource_say(reason, sizeof(reason), "the result has %zu bytes, more than %u",
				text.len, PATCHED_BYTES_MAX);
		return refuse(j, ES_RESOURCE_PATCH_REJECTED, reason);
	}
	j->plan->outcome = target->exists ? how->outcome : ES_RESOURCE_CREATED;
	set_target(j, target, object, text);
	return 0;
}

/* Who does not speak of owners, as most clients, does not take from them what they own. */
static int keep_managers(struct judging *j, const struct es_resource_target *target,
			 struct es_json *object)
{
	const struct es_json *stored = metadata_of(&target->value, "managedFields");
	const struct es_json *given = metadata_of(object, "managedFields");
	struct es_json_member member = {.name = ES_SLICE("managedFields")};

	if (!target->exists || stored == NULL || (given != NULL && given->type != ES_JSON_NULL))
		return 0;
	member.value = *stored;
	return es_resource_set_metadata(j->arena, object, &member, 1);
}

static int put(struct judging *j, struct es_resource_target *target, const struct es_json *value,
	       bool always)
{
	const struct how how = {
		.identity = true, .always = always, .outcome = ES_RESOURCE_REPLACED};
	struct es_json object = *value;
	int rc = keep_managers(j, target, &object);

	return rc < 0 ? rc : replace(j, target, &object, &how);
}

static int delete_target(struct judging *j, struct es_resource_target *target,
			 struct es_slice timestamp)
{
	const struct es_json *revision;
	struct es_json_member members[2]; /* in the order of their names */
	struct es_json object = target->value;
	struct es_slice text;
	int rc;

	j->plan->outcome = ES_RESOURCE_NO_OP;
	if (!target->exists)
		return 0;
	if (!has_finalizers(&target->value)) {
		remove_target(j, target);
		return 0;
	}
	if (is_being_deleted(&target->value) || timestamp.data == NULL)
		return 0;
	revision = es_resource_revision_text(j->arena, (uint64_t)j->revision);
	if (revision == NULL)
		return ES_ENOMEM;
	members[0] = (struct es_json_member){ES_SLICE("deletionTimestamp"),
					     es_json_string(timestamp)};
	members[1] = (struct es_json_member){ES_SLICE("resourceVersion"), *revision};
	rc = es_resource_set_metadata(j->arena, &object, members, 2);
	if (rc == 0)
		rc = es_resource_text(&object, target->text.len + 64, j->arena, &text);
	if (rc < 0)
		return rc;
	j->plan->outcome = ES_RESOURCE_DELETION_PENDING;
	set_target(j, target, &object, text);
	return 0;
}

/* ---- patches ---------------------------------------------------------------------------- */

static int make_patched(struct judging *j, const struct es_resource_target *target,
			const struct es_resource_command *command, struct es_json *ret_object,
			char *errmsg, size_t errmsg_size)
{
	const struct es_apply apply = {command->manager, command->time, command->force};
	const struct es_schema *schema = NULL;

	if (target->opaque) {
		es_resource_say(errmsg, errmsg_size, "what is stored is no JSON");
		return ES_EINVAL;
	}
	if (command->patch_type == ES_RESOURCE_PATCH_STRATEGIC ||
	    command->patch_type == ES_RESOURCE_PATCH_APPLY)
		schema = es_schema_find(command->key.group, command->key.version,
					command->key.kind);
	switch (command->patch_type) {
	case ES_RESOURCE_PATCH_MERGE:
		return es_patch_merge(&target->value, &command->value, j->arena, ret_object);
	case ES_RESOURCE_PATCH_JSON:
		return es_patch_json(&target->value, &command->value, PATCHED_BYTES_MAX, j->arena,
				     ret_object, errmsg, errmsg_size);
	case ES_RESOURCE_PATCH_STRATEGIC:
		return es_patch_strategic(&target->value, &command->value, schema, j->arena,
					  ret_object, errmsg, errmsg_size);
	case ES_RESOURCE_PATCH_APPLY: break;
	}
	return es_patch_apply(target->exists ? &target->value : NULL, &command->value, schema,
			      &apply, j->arena, ret_object, &j->plan->causes, &j->plan->cause_count,
			      errmsg, errmsg_size);
}

static int patch(struct judging *j, struct es_resource_target *target,
		 const struct es_resource_command *command)
{
	bool applies = command->patch_type == ES_RESOURCE_PATCH_APPLY;
	const struct how how = {
		.identity = applies, .bounded = true, .outcome = ES_RESOURCE_PATCHED};
	char errmsg[REASON_BYTES] = "";
	struct es_json object;
	int rc;

	if (!target->exists && !applies) {
		j->plan->outcome = ES_RESOURCE_NO_OP;
		return 0;
	}
	rc = make_patched(j, target, command, &object, errmsg, sizeof(errmsg));
	if (rc == 0 && es_resource_is_deeper(&object, ES_RESOURCE_DEPTH_MAX)) {
		es_resource_say(errmsg, sizeof(errmsg), "the result is nested deeper than %d",
				ES_RESOURCE_DEPTH_MAX);
		rc = ES_EINVAL;
	}
	if (rc == 0)
		rc = es_resource_agrees(target->key, target->exists ? &target->value : NULL,
					&object, j->arena, errmsg, sizeof(errmsg));
	if (rc == ES_EINVAL)
		return refuse(j, ES_RESOURCE_PATCH_REJECTED, errmsg);
	if (rc == ES_EEXIST)
		return refuse(j, ES_RESOURCE_APPLY_CONFLICT, errmsg);
	return rc < 0 ? rc : replace(j, target, &object, &how);
}

/* ---- commands --------------------------------------------------------------------------- */

static int conflict(struct judging *j, const struct es_resource_target *target, int64_t expected)
{
	char reason[REASON_BYTES] = "it does not exist";

	if (target->exists)
		es_resource_say(reason, sizeof(reason), "its version is %" PRId64 ", not %" PRId64,
				target->mod_revision, expected);
	return refuse(j, ES_RESOURCE_CONFLICT, reason);
}

int es_resource_last_state(const struct es_json *value, size_t guess, int64_t revision,
			   struct es_arena *arena, struct es_slice *ret_text)
{
	const struct es_json *text = es_resource_revision_text(arena, (uint64_t)revision);
	struct es_json_member version = {.name = ES_SLICE("resourceVersion")};
	struct es_json object = *value;
	int rc;

	if (text == NULL)
		return ES_ENOMEM;
	version.value = *text;
	rc = es_resource_set_metadata(arena, &object, &version, 1);
	return rc < 0 ? rc : es_resource_text(&object, guess + 64, arena, ret_text);
}

/* What a caller is told of the target in the end. */
static int describe(struct judging *j, struct es_resource_target *target)
{
	struct es_resource_plan *plan = j->plan;
	int rc = 0;

	if (target->opaque || (!target->existed && !target->exists))
		return 0;
	if (!target->exists)
		rc = es_resource_last_state(&target->value, target->text.len, j->revision, j->arena,
					    &target->text);
	if (rc < 0)
		return rc;
	plan->object = target->text;
	plan->create_revision = target->create_revision;
	plan->mod_revision = target->mod_revision;
	return 0;
}

static int judge_one(struct judging *j, const struct es_resource_command *command)
{
	struct es_resource_target target;
	int rc = es_resource_target_read(j->store, &command->key, j->arena, &target);

	if (rc < 0)
		return rc;
	if (command->has_expected && (!target.exists || target.mod_revision != command->expected))
		rc = conflict(j, &target, command->expected);
	else if (command->kind == ES_RESOURCE_PUT)
		rc = put(j, &target, &command->value, false);
	else if (command->kind == ES_RESOURCE_PATCH)
		rc = patch(j, &target, command);
	else
		rc = delete_target(j, &target, command->deletion_timestamp);
	if (rc == 0)
		rc = es_resource_write_targets(&target, 1, j->arena, &j->plan->txn);
	return rc < 0 ? rc : describe(j, &target);
}

/* ---- transactions ----------------------------------------------------------------------- */

static int holds(struct judging *j, const struct es_resource_compare *compare, bool *ret_holds)
{
	struct es_slice path;
	struct es_mvcc_kv kv;
	bool found;
	int rc = es_resource_find(j->store, &compare->key, j->arena, &path, &kv, &found);

	if (rc < 0)
		return rc;
	*ret_holds = compare->kind == ES_RESOURCE_NOT_EXISTS
			     ? !found
			     : found && kv.mod_revision == compare->revision;
	return 0;
}

/* By key, and then as they come in the transaction. */
static int by_key(const void *a, const void *b)
{
	const struct es_resource_op *op_a = *(const struct es_resource_op *const *)a;
	const struct es_resource_op *op_b = *(const struct es_resource_op *const *)b;
	int order = es_resource_key_cmp(&op_a->key, &op_b->key);

	return order != 0 ? order : (op_a > op_b) - (op_a < op_b);
}

/* A target for each key: *ret_targets has one for each operation, of which those with the same key
 * share the first. */
static int read_targets(struct judging *j, const struct es_resource_op *ops, size_t count,
			struct es_resource_target **ret_targets, size_t **ret_shared)
{
	struct es_resource_target *targets = es_arena_calloc(j->arena, count, sizeof(*targets));
	const struct es_resource_op **sorted = es_arena_calloc(j->arena, count, sizeof(*sorted));
	size_t *shared = es_arena_calloc(j->arena, count, sizeof(*shared));
	int rc = 0;

	if (targets == NULL || sorted == NULL || shared == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &ops[i];
	if (count > 1)
		qsort(sorted, count, sizeof(*sorted), by_key);
	for (size_t i = 0; i < count; i++) {
		size_t at = (size_t)(sorted[i] - ops);
		size_t before = i == 0 ? at : (size_t)(sorted[i - 1] - ops);

		shared[at] = i > 0 && es_resource_key_cmp(&ops[at].key, &ops[before].key) == 0
				     ? shared[before]
				     : at;
	}
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (shared[i] == i)
			rc = es_resource_target_read(j->store, &ops[i].key, j->arena, &targets[i]);
	*ret_targets = targets;
	*ret_shared = shared;
	return rc;
}

static int judge_txn(struct judging *j, const struct es_resource_command *command)
{
	const struct es_resource_op *ops;
	struct es_resource_target *targets;
	size_t count, *shared;
	bool all = true;
	int rc = 0;

	for (size_t i = 0; rc == 0 && all && i < command->compare_count; i++)
		rc = holds(j, &command->compares[i], &all);
	ops = all ? command->success : command->failure;
	count = all ? command->success_count : command->failure_count;
	if (rc == 0)
		rc = read_targets(j, ops, count, &targets, &shared);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct es_resource_target *target = &targets[shared[i]];

		rc = ops[i].kind == ES_RESOURCE_OP_PUT
			     ? put(j, target, &ops[i].value, true)
			     : delete_target(j, target, ops[i].deletion_timestamp);
	}
	if (rc == 0)
		rc = es_resource_write_targets(targets, count, j->arena, &j->plan->txn);
	j->plan->outcome = j->plan->txn == NULL ? ES_RESOURCE_NO_OP : ES_RESOURCE_REPLACED;
	j->plan->succeeded = all;
	return rc;
}

int es_resource_plan(const struct es_mvcc *store, const struct es_resource_command *command,
		     struct es_arena *arena, struct es_resource_plan *ret_plan)
{
	struct judging j = {store, arena, ret_plan, es_mvcc_revision(store) + 1};

	*ret_plan = (struct es_resource_plan){.outcome = ES_RESOURCE_NO_OP};
	return command->kind == ES_RESOURCE_TXN ? judge_txn(&j, command) : judge_one(&j, command);
}
