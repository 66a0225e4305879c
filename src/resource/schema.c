/*
 * Looking things up in the generated table. A schema is a node of it; the members of a node and the
 * roots of the kinds are sorted, so both are found by halving.
 */
#include "resource/schema.h"

#include "resource/schema_table.h"

static int compare_name(struct es_slice name, uint16_t offset)
{
	return es_slice_cmp(name, es_slice_str(es_schema_names + offset));
}

const struct es_schema *es_schema_find(struct es_slice group, struct es_slice version,
				       struct es_slice kind)
{
	size_t low = 0, high = es_schema_root_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct es_schema_root *root = &es_schema_roots[middle];
		int order = compare_name(group, root->group);

		if (order == 0)
			order = compare_name(version, root->version);
		if (order == 0)
			order = compare_name(kind, root->kind);
		if (order == 0)
			return &es_schema_nodes[root->node];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct es_schema *es_schema_field(const struct es_schema *schema, struct es_slice name)
{
	size_t low = 0, high = schema == NULL ? 0 : schema->member_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct es_schema_member *member =
			&es_schema_members[schema->members + middle];
		int order = compare_name(name, member->name);

		if (order == 0)
			return &es_schema_nodes[member->node];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct es_schema *es_schema_items(const struct es_schema *schema)
{
	if (schema == NULL || schema->items == 0)
		return NULL;
	return &es_schema_nodes[schema->items - 1];
}

enum es_schema_list es_schema_list_type(const struct es_schema *schema)
{
	return schema == NULL ? ES_SCHEMA_LIST_ATOMIC : (enum es_schema_list)schema->list_type;
}

const char *const *es_schema_list_keys(const struct es_schema *schema)
{
	if (schema == NULL || schema->keys == 0)
		return NULL;
	return es_schema_key_lists[schema->keys];
}

static const char *name_or_null(uint16_t offset)
{
	return offset == 0 ? NULL : es_schema_names + offset;
}

const char *es_schema_default(const struct es_schema *schema)
{
	return schema == NULL ? NULL : name_or_null(schema->default_value);
}

static bool has_flag(const struct es_schema *schema, unsigned flag)
{
	return schema != NULL && (schema->flags & flag) != 0;
}

bool es_schema_map_is_atomic(const struct es_schema *schema)
{
	return has_flag(schema, ES_SCHEMA_ATOMIC_MAP);
}

bool es_schema_patch_merges(const struct es_schema *schema)
{
	return has_flag(schema, ES_SCHEMA_MERGES);
}

bool es_schema_patch_replaces(const struct es_schema *schema)
{
	return has_flag(schema, ES_SCHEMA_REPLACES);
}

bool es_schema_patch_retains_keys(const struct es_schema *schema)
{
	return has_flag(schema, ES_SCHEMA_RETAINS_KEYS);
}

const char *es_schema_patch_merge_key(const struct es_schema *schema)
{
	return schema == NULL ? NULL : name_or_null(schema->merge_key);
}

const char *es_schema_version(void)
{
	return es_schema_table_version;
}

const struct es_schema_kind *es_schema_kinds(size_t *ret_count)
{
	*ret_count = es_schema_kind_count;
	return es_schema_kind_table;
}
