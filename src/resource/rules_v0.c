#include <inttypes.h>

#include "resource/patch.h"
#include "resource/rules.h"
#include "resource/target.h"
#include "resource/util.h"

/*
 * Rules v0: no conditions, no generations, no finalizers, no kinds of patches but one; what is written carries the log
 * index of its command, and a put that changes nothing is a change. What a command has beyond that is passed over.
 */

/* "uid-<label with - for />-<index>" */
static int mint_uid(const struct es_resource_key *key, uint64_t index, struct es_arena *arena,
		    struct es_json *ret_uid)
{
	struct es_arena_buf uid;
	int rc;

	es_arena_buf_init(&uid, arena);
	rc = es_buf_append_str(&uid.buf, "uid-");
	if (rc == 0)
		rc = es_resource_label(&uid.buf, key);
	for (size_t i = 0; rc == 0 && i < uid.buf.len; i++)
		if (uid.buf.data[i] == '/')
			uid.buf.data[i] = '-';
	if (rc == 0)
		rc = es_buf_printf(&uid.buf, "-%" PRIu64, index);
	*ret_uid = es_json_string(es_buf_slice(&uid.buf));
	return rc;
}

/* resourceVersion, and for a put the uid: the stored one, else its own, else a new one; whatever its value is. */
static int stamp(const struct es_resource_target *target, bool with_uid, uint64_t index,
		 struct es_arena *arena, struct es_json *object)
{
	const struct es_json *revision = es_resource_revision_text(arena, index);
	const struct es_json *uid = es_json_get(es_json_get(&target->value, "metadata"), "uid");
	struct es_json_member members[2];
	struct es_json minted;
	int rc = 0;

	if (revision == NULL)
		return ES_ENOMEM;
	if (uid == NULL)
		uid = es_json_get(es_json_get(object, "metadata"), "uid");
	if (uid == NULL) {
		rc = mint_uid(target->key, index, arena, &minted);
		uid = &minted;
	}
	if (rc < 0)
		return rc;
	members[0] = (struct es_json_member){ES_SLICE("resourceVersion"), *revision};
	members[1] = (struct es_json_member){ES_SLICE("uid"), *uid};
	return es_resource_set_metadata(arena, object, members, with_uid ? 2 : 1);
}

int es_resource_plan_v0(const struct es_mvcc *store, const struct es_resource_command *command,
			uint64_t index, struct es_arena *arena, struct es_resource_plan *ret_plan)
{
	bool puts = command->kind == ES_RESOURCE_PUT;
	struct es_resource_target target;
	struct es_json object = command->value;
	int rc;

	*ret_plan = (struct es_resource_plan){.outcome = ES_RESOURCE_NO_OP};
	if (command->kind == ES_RESOURCE_TXN)
		return ES_EINVAL;
	rc = es_resource_target_read(store, &command->key, arena, &target);
	if (rc < 0 || (!target.exists && !puts))
		return rc;
	ret_plan->outcome = !puts           ? ES_RESOURCE_PATCHED
			    : target.exists ? ES_RESOURCE_REPLACED
					    : ES_RESOURCE_CREATED;
	if (command->kind == ES_RESOURCE_DELETE) {
		ret_plan->outcome = ES_RESOURCE_DELETED;
		target.exists = false;
		target.removed = true;
	} else {
		if (!puts)
			rc = es_patch_merge(&target.value, &command->value, arena, &object);
		if (rc == 0)
			rc = stamp(&target, puts, index, arena, &object);
		if (rc == 0)
			rc = es_resource_text(&object, target.text.len + 256, arena, &target.text);
		target.exists = true;
	}
	if (rc < 0)
		return rc;
	target.written = true;
	ret_plan->object = target.text;
	ret_plan->create_revision = target.existed ? target.create_revision
						   : es_mvcc_revision(store) + 1;
	ret_plan->mod_revision = es_mvcc_revision(store) + 1;
	return es_resource_write_targets(&target, 1, arena, &ret_plan->txn);
}
