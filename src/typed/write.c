#include <stdio.h>
#include <time.h>

#include "resource/managed_fields.h"
#include "typed/internal.h"

#define TIME_BYTES sizeof("2026-01-01T00:00:00Z")

/* RFC 3339, UTC, whole seconds. */
static int now_text(const struct es_typed *t, struct es_arena *arena, struct es_slice *ret_text)
{
	time_t seconds = (time_t)(t->config.env->wall_ms(t->config.env->ctx) / 1000);
	char *text = es_arena_alloc(arena, TIME_BYTES);
	struct tm parts;

	if (text == NULL || gmtime_r(&seconds, &parts) == NULL)
		return ES_ENOMEM;
	*ret_text = es_slice(text, strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts));
	return 0;
}

/*
 * A replace gets what it leaves out as a create does: an object without its name is of no use to
 * anybody, and a manifest that is put twice is to be the same twice. The time of creation is the
 * stored one's by the rules.
 */
static int prepare_value(const struct es_resource_key *key, struct es_json *value,
			 struct es_slice now, struct es_arena *arena, char *errmsg,
			 size_t errmsg_size)
{
	return es_resource_fill_in(key, value, now, arena, value, errmsg, errmsg_size);
}

static int prepare_ops(const struct es_resource_op **ops, size_t count, struct es_slice now,
		       struct es_arena *arena, char *errmsg, size_t errmsg_size)
{
	struct es_resource_op *copy = es_arena_calloc(arena, count + 1, sizeof(*copy));
	int rc = copy == NULL ? ES_ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		copy[i] = (*ops)[i];
		rc = es_resource_key_check(&copy[i].key, errmsg, errmsg_size);
		if (rc == 0 && copy[i].kind == ES_RESOURCE_OP_PUT)
			rc = prepare_value(&copy[i].key, &copy[i].value, now, arena, errmsg,
					   errmsg_size);
		else if (rc == 0)
			copy[i].deletion_timestamp = now;
	}
	*ops = copy;
	return rc;
}

static int prepare(const struct es_typed *t, struct es_resource_command *c, struct es_arena *arena,
		   char *errmsg, size_t errmsg_size)
{
	struct es_slice now;
	int rc = now_text(t, arena, &now);

	if (rc == 0 && c->kind != ES_RESOURCE_TXN)
		rc = es_resource_key_check(&c->key, errmsg, errmsg_size);
	if (rc < 0)
		return rc;
	switch (c->kind) {
	case ES_RESOURCE_PUT:
		return prepare_value(&c->key, &c->value, now, arena, errmsg, errmsg_size);
	case ES_RESOURCE_PATCH:
		rc = es_manager_check(c->manager, c->patch_type == ES_RESOURCE_PATCH_APPLY, errmsg,
				      errmsg_size);
		if (rc < 0 || c->patch_type != ES_RESOURCE_PATCH_APPLY)
			return rc;
		c->time = now;
		return prepare_value(&c->key, &c->value, now, arena, errmsg, errmsg_size);
	case ES_RESOURCE_DELETE: c->deletion_timestamp = now; return 0;
	case ES_RESOURCE_TXN:
		for (size_t i = 0; rc == 0 && i < c->compare_count; i++)
			rc = es_resource_key_check(&c->compares[i].key, errmsg, errmsg_size);
		if (rc == 0)
			rc = prepare_ops(&c->success, c->success_count, now, arena, errmsg,
					 errmsg_size);
		if (rc == 0)
			rc = prepare_ops(&c->failure, c->failure_count, now, arena, errmsg,
					 errmsg_size);
		return rc;
	}
	return ES_EINVAL;
}

/* What it may add to the store: what it says, and for a patch what it finds as well. */
static int cost_of(const struct es_typed *t, const struct es_resource_command *c, size_t text_len,
		   uint64_t *ret_cost)
{
	const struct es_mvcc_version *version;
	struct es_mvcc_kv kv;
	struct es_buf path;
	int rc = 0;

	*ret_cost = c->kind == ES_RESOURCE_DELETE ? 0 : 256 + (uint64_t)text_len;
	if (c->kind != ES_RESOURCE_PATCH)
		return 0;
	es_buf_init(&path, t->config.mem);
	rc = es_resource_path(&path, &c->key);
	version = rc == 0 ? es_mvcc_get(es_engine_store(t->config.engine), es_buf_slice(&path))
			  : NULL;
	if (version != NULL) {
		es_mvcc_version_kv(version, &kv);
		*ret_cost += kv.value.len;
	}
	es_buf_close(&path);
	return rc;
}

int es_typed_write(struct es_typed *t, struct es_typed_write *write,
		   const struct es_resource_command *command, char *errmsg, size_t errmsg_size)
{
	const struct es_engine_config *config = es_engine_config(t->config.engine);
	uint64_t cost = 0;
	int rc;

	errmsg[0] = '\0';
	write->command = *command;
	rc = prepare(t, &write->command, write->op.arena, errmsg, errmsg_size);
	t->text.len = 0;
	if (rc == 0)
		rc = es_resource_command_encode(&t->text, &write->command);
	if (rc == 0 && config->max_request_bytes > 0 && t->text.len > config->max_request_bytes)
		rc = ES_ETOO_LARGE;
	if (rc == 0)
		rc = cost_of(t, &write->command, t->text.len, &cost);
	if (rc == 0)
		rc = es_engine_resource(t->config.engine, &write->op, es_buf_slice(&t->text), cost);
	if (rc < 0 && errmsg[0] == '\0')
		(void)snprintf(errmsg, errmsg_size, "%s", es_status_text(rc));
	return rc;
}
