#include "resource/target.h"

#include <inttypes.h>
#include <stdio.h>

#include "resource/util.h"

int es_resource_find(const struct es_mvcc *store, const struct es_resource_key *key,
		     struct es_arena *arena, struct es_slice *ret_path, struct es_mvcc_kv *ret_kv,
		     bool *ret_found)
{
	const struct es_mvcc_version *version;
	struct es_arena_buf path;
	int rc;

	es_arena_buf_init(&path, arena);
	rc = es_buf_reserve(&path.buf, 128);
	if (rc == 0)
		rc = es_resource_path(&path.buf, key);
	if (rc < 0)
		return rc;
	*ret_path = es_buf_slice(&path.buf);
	version = es_mvcc_get(store, *ret_path);
	*ret_found = version != NULL;
	if (version != NULL)
		es_mvcc_version_kv(version, ret_kv);
	return 0;
}

int es_resource_target_read(const struct es_mvcc *store, const struct es_resource_key *key,
			    struct es_arena *arena, struct es_resource_target *ret_target)
{
	struct es_resource_target *target = ret_target;
	struct es_json_error error;
	struct es_mvcc_kv kv;
	bool found;
	int rc;

	*target = (struct es_resource_target){.key = key};
	rc = es_resource_find(store, key, arena, &target->path, &kv, &found);
	if (rc < 0 || !found)
		return rc;
	target->existed = true;
	target->exists = true;
	target->create_revision = kv.create_revision;
	target->mod_revision = kv.mod_revision;
	target->text = kv.value;
	rc = es_json_parse(kv.value, ES_JSON_DEPTH_MAX, arena, &target->value, &error);
	if (rc == ES_EDECODE) { /* somebody wrote it by its path */
		target->opaque = true;
		target->value = es_json_null();
		rc = 0;
	}
	return rc;
}

int es_resource_text(const struct es_json *value, size_t guess, struct es_arena *arena,
		     struct es_slice *ret_text)
{
	struct es_arena_buf text;
	int rc;

	es_arena_buf_init(&text, arena);
	rc = es_buf_reserve(&text.buf, guess);
	if (rc == 0)
		rc = es_json_write(&text.buf, value);
	*ret_text = es_buf_slice(&text.buf);
	return rc;
}

int es_resource_set_members(struct es_arena *arena, const struct es_json *object,
			    const struct es_json_member *members, size_t count,
			    struct es_json *ret_object)
{
	size_t old_count = es_json_is(object, ES_JSON_OBJECT) ? object->count : 0;
	const struct es_json_member *old = old_count > 0 ? object->u.members : NULL;
	struct es_json_member *out = es_arena_alloc(arena, (old_count + count) * sizeof(*out));
	size_t n = 0, i = 0, k = 0;

	if (out == NULL)
		return ES_ENOMEM;
	while (i < old_count || k < count) {
		int order = i == old_count ? 1
			    : k == count   ? -1
					   : es_slice_cmp(old[i].name, members[k].name);

		out[n++] = order < 0 ? old[i] : members[k];
		i += order <= 0;
		k += order >= 0;
	}
	*ret_object = (struct es_json){ES_JSON_OBJECT, (uint32_t)n, {.members = out}};
	return 0;
}

int es_resource_set_metadata(struct es_arena *arena, struct es_json *object,
			     const struct es_json_member *members, size_t count)
{
	const struct es_json *metadata = es_json_get(object, "metadata");
	struct es_json_member changed = {.name = ES_SLICE("metadata")};
	int rc;

	if (object->type != ES_JSON_OBJECT ||
	    (metadata != NULL && metadata->type != ES_JSON_OBJECT))
		return 0;
	rc = es_resource_set_members(arena, metadata, members, count, &changed.value);
	return rc < 0 ? rc : es_resource_set_members(arena, object, &changed, 1, object);
}

struct es_json *es_resource_revision_text(struct es_arena *arena, uint64_t revision)
{
	struct {
		struct es_json value;
		char digits[24];
	} *text = es_arena_alloc(arena, sizeof(*text));
	int len;

	if (text == NULL)
		return NULL;
	len = snprintf(text->digits, sizeof(text->digits), "%" PRIu64, revision);
	text->value = es_json_string(es_slice(text->digits, (size_t)len));
	return &text->value;
}

int es_resource_write_targets(const struct es_resource_target *targets, size_t count,
			      struct es_arena *arena, const struct es_mvcc_txn **ret_txn)
{
	struct es_mvcc_txn *txn;
	struct es_mvcc_op *ops;
	size_t written = 0, n = 0;

	*ret_txn = NULL;
	for (size_t i = 0; i < count; i++)
		written += targets[i].written;
	if (written == 0)
		return 0;
	ops = es_arena_alloc(arena, 2 * written * sizeof(*ops));
	txn = es_arena_calloc(arena, 1, sizeof(*txn));
	if (ops == NULL || txn == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct es_resource_target *target = &targets[i];
		const struct es_mvcc_op put = {
			.kind = ES_MVCC_OP_PUT,
			.u.put = {.key = target->path, .value = target->text},
		};
		const struct es_mvcc_op del = {
			.kind = ES_MVCC_OP_DELETE,
			.u.del.range.key = target->path,
		};

		if (!target->written)
			continue;
		if (target->existed && target->removed)
			ops[n++] = del;
		if (target->exists || !target->existed)
			ops[n++] = put;
		if (!target->exists && !target->existed)
			ops[n++] =
				del; /* it was there for no time, but it was: that takes a revision */
	}
	txn->success = ops;
	txn->success_count = n;
	*ret_txn = txn;
	return 0;
}
