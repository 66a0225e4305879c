#include "store/resource_result.h"

int es_store_key(const engenho_key *key, struct es_arena *arena, struct es_resource_key *ret_key)
{
	struct es_slice *parts[] = {&ret_key->group, &ret_key->version, &ret_key->kind,
				    &ret_key->ns, &ret_key->name};

	if (key->group == NULL || key->version == NULL || key->kind == NULL || key->name == NULL ||
	    !ES_STORE_RESERVED_IS_ZERO(key))
		return ES_EINVAL;
	*ret_key = (struct es_resource_key){
		.group = es_slice_str(key->group),
		.version = es_slice_str(key->version),
		.kind = es_slice_str(key->kind),
		.ns = es_store_text(key->ns),
		.name = es_slice_str(key->name),
		.has_ns = key->ns != NULL,
	};
	for (size_t i = 0; arena != NULL && i < ES_ARRAY_LEN(parts); i++) {
		if (!es_store_keep(arena, parts[i]))
			return ES_ENOMEM;
	}
	return 0;
}

size_t es_store_resource_bytes(const struct es_typed_item *item)
{
	const struct es_resource_key *key = &item->key;

	return key->group.len + 1 + key->version.len + 1 + key->kind.len + 1 + key->ns.len + 1 +
	       key->name.len + 1 + item->value.len + 1;
}

engenho_resource es_store_resource(struct es_store_block *block, const struct es_typed_item *item)
{
	const struct es_resource_key *key = &item->key;

	return (engenho_resource){
		.key = {.group = es_store_carve_text(block, key->group),
			.version = es_store_carve_text(block, key->version),
			.kind = es_store_carve_text(block, key->kind),
			.ns = key->has_ns ? es_store_carve_text(block, key->ns) : NULL,
			.name = es_store_carve_text(block, key->name)},
		.value = es_store_carve_bytes(block, item->value),
		.create_revision = item->create_revision,
		.mod_revision = item->mod_revision,
	};
}

/* ---- writes ---------------------------------------------------------------------------------- */

static void fill_causes(struct es_store_block *block, const struct es_resource_plan *plan,
			engenho_write_result *result)
{
	engenho_cause *causes = es_store_carve(block, plan->cause_count * sizeof(*causes));

	for (size_t i = 0; i < plan->cause_count; i++)
		causes[i] = (engenho_cause){
			.manager = es_store_carve_text(block, plan->causes[i].manager),
			.field = es_store_carve_text(block, plan->causes[i].field),
		};
	result->cause_count = plan->cause_count;
	result->causes = causes;
}

int es_store_keep_written(const struct es_typed_write *write, struct es_arena *arena,
			  struct es_store_written *ret_written)
{
	const struct es_resource_plan *plan = write->op.resource;
	struct es_resource_cause *causes = es_arena_alloc(arena,
							  plan->cause_count * sizeof(*causes));
	bool kept = causes != NULL;

	*ret_written = (struct es_store_written){*plan, write->command.key,
						 write->op.header.revision, write->op.index};
	kept = kept && es_store_keep(arena, &ret_written->plan.object) &&
	       es_store_keep(arena, &ret_written->plan.reason);
	for (size_t i = 0; kept && i < plan->cause_count; i++) {
		causes[i] = plan->causes[i];
		kept = es_store_keep(arena, &causes[i].manager) &&
		       es_store_keep(arena, &causes[i].field);
	}
	ret_written->plan.causes = causes;
	return kept ? 0 : ES_ENOMEM;
}

engenho_write_result *es_store_write_result(const struct es_mem *mem,
					    const struct es_store_written *written)
{
	const struct es_resource_plan *plan = &written->plan;
	const struct es_typed_item item = {
		.key = written->key,
		.value = plan->object,
		.create_revision = plan->create_revision,
		.mod_revision = plan->mod_revision,
	};
	bool has_object = plan->object.len > 0;
	size_t head = es_store_aligned(sizeof(engenho_write_result)) +
		      es_store_aligned(sizeof(engenho_resource)) +
		      plan->cause_count * sizeof(engenho_cause);
	size_t bytes = plan->reason.len + 1;
	struct es_store_block block;
	engenho_write_result *result;
	engenho_resource *resource;

	if (has_object)
		bytes += es_store_resource_bytes(&item);
	for (size_t i = 0; i < plan->cause_count; i++)
		bytes += plan->causes[i].manager.len + 1 + plan->causes[i].field.len + 1;
	if (es_store_block_new(mem, &block, head, bytes) == NULL)
		return NULL;
	result = es_store_carve(&block, sizeof(*result));
	resource = es_store_carve(&block, sizeof(*resource));
	*result = (engenho_write_result){
		.outcome = (engenho_outcome)plan->outcome, /* they are numbered alike */
		.revision = written->revision,
		.applied_index = written->applied_index,
		.message = es_store_carve_text(&block, plan->reason),
		.succeeded = plan->succeeded,
	};
	if (has_object) {
		*resource = es_store_resource(&block, &item);
		result->resource = resource;
	}
	fill_causes(&block, plan, result);
	return result;
}

void engenho_write_result_free(engenho_write_result *result)
{
	es_store_block_free(result);
}

const char *engenho_outcome_name(engenho_outcome outcome)
{
	return es_resource_outcome_name((enum es_resource_outcome)outcome);
}

void engenho_list_result_free(engenho_list_result *result)
{
	es_store_block_free(result);
}
