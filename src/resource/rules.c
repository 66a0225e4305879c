#include "resource/rules.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "resource/patch.h"
#include "resource/pod.h"
#include "resource/schema.h"
#include "resource/target.h"
#include "resource/util.h"

/*
 * The current rules. A command is judged on targets: copies of the resources that it names, which it
 * changes one after the other; what they have become is written in one transaction.
 *
 *  1. A revision means a change: a target that ends as it began is not written, but for a put inside
 *     a transaction.
 *  2. What is refused changes no target.
 */
#define COPIES_BYTES_MAX (16 * 1024 * 1024) /* of a JSON patch that copies its own copies */

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
	return outcome_names[outcome];
}

static int reason(struct judging *j, const char *text)
{
	size_t len = strlen(text);
	char *copy = es_arena_alloc(j->arena, len + 1);

	if (copy == NULL)
		return ES_ENOMEM;
	memcpy(copy, text, len + 1);
	j->plan->reason = es_slice(copy, len);
	return 0;
}

/* ---- identity and versions ------------------------------------------------------------------- */

/* UUID version 8 of BLAKE3(domain, 0, label, 0, create revision as 8 bytes big-endian). */
static int mint_uid(struct judging *j, const struct es_resource_key *key, int64_t create_revision,
		    struct es_slice *ret_uid)
{
	static const char domain[] = "engenho.pleme.io/resource-uid/v1"; /* with its NUL */
	uint8_t digest[ES_BLAKE3_BYTES], number[8];
	struct es_arena_buf label;
	struct es_blake3 hasher;
	char *text = es_arena_alloc(j->arena, 37);
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
		at += (size_t)snprintf(text + at, 37 - at, "%02x", digest[i]);
	}
	*ret_uid = es_slice(text, at);
	return 0;
}

/* The uid: the stored one when set, else the incoming one when set, else a new one. */
static int give_identity(struct judging *j, const struct es_resource_target *t,
			 struct es_json *object)
{
	struct es_slice uid = t->exists ? es_resource_metadata_text(&t->value, "uid")
					: es_slice("", 0);
	const struct es_json *created = t->exists ? es_json_get(es_json_get(&t->value, "metadata"),
								"creationTimestamp")
						  : NULL;
	struct es_json value;
	int rc = 0;

	if (uid.len == 0)
		uid = es_resource_metadata_text(object, "uid");
	if (uid.len == 0)
		rc = mint_uid(j, t->key,
			      t->exists && !t->created ? t->create_revision : j->revision, &uid);
	value = es_json_string(uid);
	if (rc == 0)
		rc = es_resource_set_metadata(j->arena, object, "uid", &value);
	if (rc == 0 && created != NULL && created->type != ES_JSON_NULL)
		rc = es_resource_set_metadata(j->arena, object, "creationTimestamp", created);
	return rc;
}

/* Everything but metadata.resourceVersion and metadata.generation is the same. */
static int is_same(struct judging *j, const struct es_json *a, const struct es_json *b,
		   bool *ret_same)
{
	const struct es_json *const from[] = {a, b};
	struct es_json bare[2];

	for (int i = 0; i < 2; i++) {
		int rc;

		bare[i] = *from[i];
		rc = es_resource_set_metadata(j->arena, &bare[i], "resourceVersion", NULL);
		if (rc == 0)
			rc = es_resource_set_metadata(j->arena, &bare[i], "generation", NULL);
		if (rc < 0)
			return rc;
	}
	*ret_same = es_json_eq(&bare[0], &bare[1]);
	return 0;
}

static bool same_member(const struct es_json *a, const struct es_json *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return es_json_eq(a, b);
}

static int give_generation(struct judging *j, const struct es_resource_target *t,
			   struct es_json *object)
{
	const struct es_json *stored = t->exists ? es_json_get(es_json_get(&t->value, "metadata"),
							       "generation")
						 : NULL;
	struct es_json generation = es_json_int(1);

	if (es_json_is(stored, ES_JSON_INT))
		generation = *stored;
	if (t->exists && generation.u.i64 < INT64_MAX &&
	    !same_member(es_json_get(&t->value, "spec"), es_json_get(object, "spec")))
		generation.u.i64++;
	return es_resource_set_metadata(j->arena, object, "generation", &generation);
}

static bool has_finalizers(const struct es_json *object)
{
	const struct es_json *list = es_json_get(es_json_get(object, "metadata"), "finalizers");

	return es_json_is(list, ES_JSON_ARRAY) && list->count > 0;
}

static bool is_being_deleted(const struct es_json *object)
{
	const struct es_json *time = es_json_get(es_json_get(object, "metadata"),
						 "deletionTimestamp");

	return time != NULL && time->type != ES_JSON_NULL;
}

/* ---- what becomes of a target ---------------------------------------------------------------- */

static int set_value(struct judging *j, struct es_resource_target *t, struct es_json *object)
{
	int rc = es_resource_stamp(j->arena, object, (uint64_t)j->revision);

	if (rc == 0)
		rc = es_resource_text(object, j->arena, &t->text);
	if (rc < 0)
		return rc;
	if (!t->exists) {
		t->created = true;
		t->create_revision = j->revision;
	}
	t->value = *object;
	t->exists = true;
	t->written = true;
	t->mod_revision = j->revision;
	return 0;
}

/* Its value stays as the last state, stamped. */
static int remove_target(struct judging *j, struct es_resource_target *t)
{
	struct es_json last = t->value;
	int rc = es_resource_stamp(j->arena, &last, (uint64_t)j->revision);

	if (rc == 0 && last.type == ES_JSON_OBJECT)
		rc = es_resource_text(&last, j->arena, &t->text);
	t->exists = false;
	t->created = false;
	t->written = t->existed;
	t->mod_revision = j->revision;
	return rc;
}

/* The end of a put and of a patch: `object` in the place of what the target holds. */
static int replace(struct judging *j, struct es_resource_target *t, struct es_json *object,
		   bool always, enum es_resource_outcome outcome)
{
	bool same = false;
	int rc = 0;

	j->plan->outcome = t->exists ? outcome : ES_RESOURCE_CREATED;
	if (t->exists && !always)
		rc = is_same(j, &t->value, object, &same);
	if (rc < 0)
		return rc;
	if (same) {
		j->plan->outcome = ES_RESOURCE_UNCHANGED;
		return 0;
	}
	if (t->exists && is_being_deleted(object) && !has_finalizers(object)) {
		j->plan->outcome = ES_RESOURCE_DELETED;
		t->value = *object;
		return remove_target(j, t);
	}
	rc = give_generation(j, t, object);
	if (rc == 0 && !t->exists)
		rc = es_resource_pod_created(t->key, j->arena, object);
	return rc < 0 ? rc : set_value(j, t, object);
}

static int put(struct judging *j, struct es_resource_target *t, const struct es_json *value,
	       bool always)
{
	struct es_json object = *value;
	int rc = es_resource_make_metadata(j->arena, &object);

	if (rc == 0)
		rc = give_identity(j, t, &object);
	return rc < 0 ? rc : replace(j, t, &object, always, ES_RESOURCE_REPLACED);
}

static int delete (struct judging *j, struct es_resource_target *t, struct es_slice timestamp)
{
	struct es_json marked = t->value;
	struct es_json time;
	int rc;

	j->plan->outcome = ES_RESOURCE_NO_OP;
	if (!t->exists)
		return 0;
	if (!has_finalizers(&t->value)) {
		j->plan->outcome = ES_RESOURCE_DELETED;
		return remove_target(j, t);
	}
	if (is_being_deleted(&t->value) || timestamp.data == NULL)
		return 0;
	j->plan->outcome = ES_RESOURCE_DELETION_PENDING;
	time = es_json_string(timestamp);
	rc = es_resource_set_metadata(j->arena, &marked, "deletionTimestamp", &time);
	return rc < 0 ? rc : set_value(j, t, &marked);
}

static int apply_patch(struct judging *j, struct es_resource_target *t,
		       const struct es_resource_command *c, struct es_json *ret_object,
		       char *errmsg, size_t errmsg_size)
{
	const struct es_schema *schema = es_schema_find(c->key.group, c->key.version, c->key.kind);
	const struct es_apply apply = {c->manager, c->time, c->force};

	switch (c->patch_type) {
	case ES_RESOURCE_PATCH_MERGE:
		return es_patch_merge(&t->value, &c->value, j->arena, ret_object);
	case ES_RESOURCE_PATCH_JSON:
		return es_patch_json(&t->value, &c->value, COPIES_BYTES_MAX, j->arena, ret_object,
				     errmsg, errmsg_size);
	case ES_RESOURCE_PATCH_STRATEGIC:
		return es_patch_strategic(&t->value, &c->value, schema, j->arena, ret_object,
					  errmsg, errmsg_size);
	case ES_RESOURCE_PATCH_APPLY:
		return es_patch_apply(t->exists ? &t->value : NULL, &c->value, schema, &apply,
				      j->arena, ret_object, &j->plan->causes, &j->plan->cause_count,
				      errmsg, errmsg_size);
	}
	return ES_EINVAL;
}

static int patch(struct judging *j, struct es_resource_target *t,
		 const struct es_resource_command *c)
{
	bool applies = c->patch_type == ES_RESOURCE_PATCH_APPLY;
	char errmsg[512] = "";
	struct es_json object;
	int rc;

	if (!t->exists && !applies) {
		j->plan->outcome = ES_RESOURCE_NO_OP;
		return 0;
	}
	rc = apply_patch(j, t, c, &object, errmsg, sizeof(errmsg));
	if (rc == 0 && es_resource_is_deeper(&object, ES_JSON_DEPTH_MAX)) {
		rc = ES_EINVAL;
		(void)snprintf(errmsg, sizeof(errmsg), "the result is nested too deep");
	}
	if (rc == ES_EINVAL || rc == ES_EEXIST) {
		j->plan->outcome = rc == ES_EEXIST ? ES_RESOURCE_APPLY_CONFLICT
						   : ES_RESOURCE_PATCH_REJECTED;
		return reason(j, errmsg);
	}
	if (rc == 0 && !t->exists) {
		rc = es_resource_make_metadata(j->arena, &object);
		if (rc == 0)
			rc = give_identity(j, t, &object);
	}
	return rc < 0 ? rc : replace(j, t, &object, false, ES_RESOURCE_PATCHED);
}

/* ---- commands -------------------------------------------------------------------------------- */

static int judge_one(struct judging *j, const struct es_resource_command *c)
{
	struct es_resource_plan *plan = j->plan;
	struct es_resource_target t;
	char text[96];
	int rc = es_resource_target_read(j->store, &c->key, j->arena, &t);

	if (rc < 0)
		return rc;
	if (c->has_expected && (!t.exists || t.mod_revision != c->expected)) {
		plan->outcome = ES_RESOURCE_CONFLICT;
		if (t.exists)
			(void)snprintf(text, sizeof(text),
				       "its version is %" PRId64 ", not %" PRId64, t.mod_revision,
				       c->expected);
		else
			(void)snprintf(text, sizeof(text), "it does not exist");
		rc = reason(j, text);
	} else if (c->kind == ES_RESOURCE_PUT) {
		rc = put(j, &t, &c->value, false);
	} else if (c->kind == ES_RESOURCE_PATCH) {
		rc = patch(j, &t, c);
	} else {
		rc = delete (j, &t, c->deletion_timestamp);
	}
	if (rc < 0)
		return rc;
	if (t.existed || t.exists) {
		plan->object = t.text;
		plan->create_revision = t.create_revision;
		plan->mod_revision = t.mod_revision;
	}
	return es_resource_write_targets(&t, 1, j->arena, &plan->txn);
}

static int holds(struct judging *j, const struct es_resource_compare *compare, bool *ret_holds)
{
	struct es_resource_target t;
	int rc = es_resource_target_read(j->store, &compare->key, j->arena, &t);

	if (rc < 0)
		return rc;
	*ret_holds = compare->kind == ES_RESOURCE_NOT_EXISTS
			     ? !t.exists
			     : t.exists && t.mod_revision == compare->revision;
	return 0;
}

/* The target of this key, read when it is the first of its kind. */
static int find_target(struct judging *j, struct es_resource_target *targets, size_t *count,
		       const struct es_resource_key *key, struct es_resource_target **ret_target)
{
	for (size_t i = 0; i < *count; i++) {
		if (es_resource_key_cmp(targets[i].key, key) == 0) {
			*ret_target = &targets[i];
			return 0;
		}
	}
	*ret_target = &targets[(*count)++];
	return es_resource_target_read(j->store, key, j->arena, *ret_target);
}

static int judge_txn(struct judging *j, const struct es_resource_command *c)
{
	const struct es_resource_op *ops = c->success;
	size_t op_count = c->success_count, count = 0;
	struct es_resource_target *targets;
	bool all = true;
	int rc = 0;

	for (size_t i = 0; rc == 0 && all && i < c->compare_count; i++)
		rc = holds(j, &c->compares[i], &all);
	if (!all) {
		ops = c->failure;
		op_count = c->failure_count;
	}
	targets = es_arena_calloc(j->arena, op_count + 1, sizeof(*targets));
	if (targets == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; rc == 0 && i < op_count; i++) {
		struct es_resource_target *t;

		rc = find_target(j, targets, &count, &ops[i].key, &t);
		if (rc == 0)
			rc = ops[i].kind == ES_RESOURCE_OP_PUT
				     ? put(j, t, &ops[i].value, true)
				     : delete (j, t, ops[i].deletion_timestamp);
	}
	if (rc == 0)
		rc = es_resource_write_targets(targets, count, j->arena, &j->plan->txn);
	j->plan->outcome = j->plan->txn == NULL ? ES_RESOURCE_NO_OP : ES_RESOURCE_REPLACED;
	return rc;
}

int es_resource_plan(const struct es_mvcc *store, const struct es_resource_command *command,
		     struct es_arena *arena, struct es_resource_plan *ret_plan)
{
	struct judging j = {store, arena, ret_plan, es_mvcc_revision(store) + 1};

	*ret_plan = (struct es_resource_plan){0};
	return command->kind == ES_RESOURCE_TXN ? judge_txn(&j, command) : judge_one(&j, command);
}
