#include <inttypes.h>
#include <stdio.h>

#include "resource/patch.h"
#include "resource/rules.h"
#include "resource/target.h"
#include "resource/util.h"

/*
 * Rules v0: no conditions, no generations, no finalizers; what is written carries the log index of
 * its command, and a put that changes nothing is a change.
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
	for (size_t i = 0; rc == 0 && i < uid.buf.len; i++) {
		if (uid.buf.data[i] == '/')
			uid.buf.data[i] = '-';
	}
	if (rc == 0)
		rc = es_buf_printf(&uid.buf, "-%" PRIu64, index);
	*ret_uid = es_json_string(es_buf_slice(&uid.buf));
	return rc;
}

static int give_identity(const struct es_resource_target *t, uint64_t index, struct es_arena *arena,
			 struct es_json *object)
{
	const struct es_json *stored = t->exists ? es_json_get(es_json_get(&t->value, "metadata"),
							       "uid")
						 : NULL;
	struct es_json uid;
	int rc = 0;

	if (stored != NULL)
		uid = *stored;
	else if (es_json_get(es_json_get(object, "metadata"), "uid") != NULL)
		return 0;
	else
		rc = mint_uid(t->key, index, arena, &uid);
	return rc < 0 ? rc : es_resource_set_metadata(arena, object, "uid", &uid);
}

int es_resource_plan_v0(const struct es_mvcc *store, const struct es_resource_command *command,
			uint64_t index, struct es_arena *arena, struct es_resource_plan *ret_plan)
{
	struct es_resource_target t;
	struct es_json object;
	int rc;

	*ret_plan = (struct es_resource_plan){.outcome = ES_RESOURCE_NO_OP};
	if (command->kind == ES_RESOURCE_TXN)
		return 0; /* there were none; es_resource_command_decode_v0 refuses them */
	rc = es_resource_target_read(store, &command->key, arena, &t);
	if (rc < 0 || (command->kind != ES_RESOURCE_PUT && !t.exists))
		return rc;
	if (command->kind == ES_RESOURCE_DELETE) {
		ret_plan->outcome = ES_RESOURCE_DELETED;
		ret_plan->object = t.text;
		t.exists = false;
		t.written = true;
		return es_resource_write_targets(&t, 1, arena, &ret_plan->txn);
	}
	if (command->kind == ES_RESOURCE_PUT) {
		ret_plan->outcome = t.exists ? ES_RESOURCE_REPLACED : ES_RESOURCE_CREATED;
		object = command->value;
	} else {
		ret_plan->outcome = ES_RESOURCE_PATCHED;
		rc = es_patch_merge(&t.value, &command->value, arena, &object);
	}
	if (rc == 0)
		rc = es_resource_make_metadata(arena, &object);
	if (rc == 0)
		rc = es_resource_stamp(arena, &object, index);
	if (rc == 0 && command->kind == ES_RESOURCE_PUT)
		rc = give_identity(&t, index, arena, &object);
	if (rc == 0)
		rc = es_resource_text(&object, arena, &t.text);
	t.exists = true;
	t.written = true;
	ret_plan->object = t.text;
	return rc < 0 ? rc : es_resource_write_targets(&t, 1, arena, &ret_plan->txn);
}
