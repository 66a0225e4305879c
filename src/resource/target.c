#include "resource/target.h"

#include <inttypes.h>
#include <stdio.h>

#include "resource/util.h"

int es_resource_text(const struct es_json *value, struct es_arena *arena, struct es_slice *ret_text)
{
	struct es_arena_buf text;
	int rc;

	es_arena_buf_init(&text, arena);
	rc = es_json_write(&text.buf, value);
	*ret_text = es_buf_slice(&text.buf);
	return rc;
}

int es_resource_target_read(const struct es_mvcc *store, const struct es_resource_key *key,
			    struct es_arena *arena, struct es_resource_target *ret_target)
{
	struct es_resource_target *t = ret_target;
	const struct es_mvcc_version *version;
	struct es_json_error error;
	struct es_arena_buf path;
	struct es_mvcc_kv kv;
	int rc;

	*t = (struct es_resource_target){.key = key};
	es_arena_buf_init(&path, arena);
	rc = es_resource_path(&path.buf, key);
	if (rc < 0)
		return rc;
	t->path = es_buf_slice(&path.buf);
	version = es_mvcc_get(store, t->path);
	if (version == NULL)
		return 0;
	es_mvcc_version_kv(version, &kv);
	t->existed = true;
	t->exists = true;
	t->create_revision = kv.create_revision;
	t->mod_revision = kv.mod_revision;
	t->text = kv.value;
	rc = es_json_parse(kv.value, ES_JSON_DEPTH_MAX, arena, &t->value, &error);
	if (rc == ES_EDECODE)
		t->value = es_json_null(); /* somebody wrote it by its path */
	return rc == ES_ENOMEM ? rc : 0;
}

int es_resource_set_metadata(struct es_arena *arena, struct es_json *object, const char *name,
			     const struct es_json *value)
{
	const struct es_json *metadata = es_json_get(object, "metadata");
	struct es_slice member = es_slice_str(name);
	struct es_json changed;
	int rc;

	if (!es_json_is(metadata, ES_JSON_OBJECT))
		return 0;
	if (value == NULL && es_json_get(metadata, name) == NULL)
		return 0;
	rc = value == NULL ? es_json_remove(arena, metadata, member, &changed)
			   : es_json_set(arena, metadata, member, value, &changed);
	if (rc == 0)
		rc = es_json_set(arena, object, ES_SLICE("metadata"), &changed, object);
	return rc;
}

int es_resource_make_metadata(struct es_arena *arena, struct es_json *object)
{
	const struct es_json empty = es_json_object();

	if (object->type != ES_JSON_OBJECT || es_json_get(object, "metadata") != NULL)
		return 0;
	return es_json_set(arena, object, ES_SLICE("metadata"), &empty, object);
}

int es_resource_stamp(struct es_arena *arena, struct es_json *object, uint64_t revision)
{
	char *digits = es_arena_alloc(arena, 24);
	struct es_json value;

	if (digits == NULL)
		return ES_ENOMEM;
	(void)snprintf(digits, 24, "%" PRIu64, revision);
	value = es_json_string(es_slice_str(digits));
	return es_resource_set_metadata(arena, object, "resourceVersion", &value);
}

struct es_slice es_resource_metadata_text(const struct es_json *object, const char *name)
{
	return es_json_as_string(es_json_get(es_json_get(object, "metadata"), name));
}

static struct es_mvcc_op delete_op(const struct es_resource_target *t)
{
	return (struct es_mvcc_op){.kind = ES_MVCC_OP_DELETE, .u.del = {.range = {.key = t->path}}};
}

int es_resource_write_targets(struct es_resource_target *targets, size_t count,
			      struct es_arena *arena, const struct es_mvcc_txn **ret_txn)
{
	struct es_mvcc_op *ops = es_arena_calloc(arena, 2 * count + 1, sizeof(*ops));
	struct es_mvcc_txn *txn = es_arena_calloc(arena, 1, sizeof(*txn));
	size_t n = 0;

	*ret_txn = NULL;
	if (ops == NULL || txn == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct es_resource_target *t = &targets[i];

		if (!t->written)
			continue;
		/* What was removed and made anew is another one. */
		if (t->existed && (!t->exists || t->created))
			ops[n++] = delete_op(t);
		if (t->exists)
			ops[n++] = (struct es_mvcc_op){
				.kind = ES_MVCC_OP_PUT,
				.u.put = {.key = t->path, .value = t->text},
			};
	}
	if (n == 0)
		return 0;
	txn->success = ops;
	txn->success_count = n;
	*ret_txn = txn;
	return 0;
}
