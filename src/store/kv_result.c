#include "store/kv_result.h"

engenho_kv es_store_kv(struct es_store_block *block, const struct es_mvcc_kv *kv)
{
	return (engenho_kv){
		.key = es_store_carve_bytes(block, kv->key),
		.value = es_store_carve_bytes(block, kv->value),
		.create_revision = kv->create_revision,
		.mod_revision = kv->mod_revision,
		.version = kv->version,
		.lease = kv->lease,
	};
}

static struct es_mvcc_kv kv_of(const struct es_mvcc_range_res *res, size_t i)
{
	struct es_mvcc_kv kv;

	es_mvcc_version_kv(res->versions[i], &kv);
	if (res->keys_only)
		kv.value = es_slice(NULL, 0);
	return kv;
}

/* The bytes of all keys and values. */
static size_t bytes_of(const struct es_mvcc_range_res *res)
{
	size_t bytes = 0;

	for (size_t i = 0; i < res->n; i++) {
		struct es_mvcc_kv kv = kv_of(res, i);

		bytes += es_store_kv_size(&kv);
	}
	return bytes;
}

static void fill(struct es_store_block *block, engenho_range_result *result,
		 const struct es_mvcc_range_res *res, int64_t revision)
{
	engenho_kv *kvs = es_store_carve(block, res->n * sizeof(*kvs));

	for (size_t i = 0; i < res->n; i++) {
		struct es_mvcc_kv kv = kv_of(res, i);

		kvs[i] = es_store_kv(block, &kv);
	}
	*result = (engenho_range_result){
		.revision = revision,
		.total = res->count,
		.more = res->more,
		.count = res->n,
		.kvs = kvs,
	};
}

engenho_range_result *es_store_range_result(const struct es_mvcc_range_res *res, int64_t revision,
					    bool count_only)
{
	struct es_mvcc_range_res shown = *res;
	engenho_range_result *result;
	struct es_store_block block;

	if (count_only)
		shown.n = 0;
	if (es_store_block_new(&block,
			       es_store_aligned(sizeof(*result)) + shown.n * sizeof(engenho_kv),
			       bytes_of(&shown)) == NULL)
		return NULL;
	result = es_store_carve(&block, sizeof(*result));
	fill(&block, result, &shown, revision);
	return result;
}

void engenho_range_result_free(engenho_range_result *result)
{
	es_free(es_mem_default(), result);
}

engenho_kv_txn_result *es_store_txn_result(const struct es_mvcc_txn_res *res, int64_t revision)
{
	engenho_kv_txn_result *result;
	engenho_range_result *results;
	struct es_store_block block;
	size_t head = es_store_aligned(sizeof(*result)) +
		      es_store_aligned(res->n * sizeof(*results));
	size_t bytes = 0;

	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];

		if (op->kind != ES_MVCC_OP_RANGE)
			continue;
		head += es_store_aligned(op->u.range.n * sizeof(engenho_kv));
		bytes += bytes_of(&op->u.range);
	}
	if (es_store_block_new(&block, head, bytes) == NULL)
		return NULL;
	result = es_store_carve(&block, sizeof(*result));
	results = es_store_carve(&block, res->n * sizeof(*results));
	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];

		if (op->kind == ES_MVCC_OP_RANGE) {
			fill(&block, &results[i], &op->u.range, revision);
			continue;
		}
		results[i].revision = revision;
		if (op->kind == ES_MVCC_OP_DELETE)
			results[i].total = op->u.del.deleted;
	}
	result->succeeded = res->succeeded;
	result->revision = revision;
	result->count = res->n;
	result->results = results;
	return result;
}

void engenho_kv_txn_result_free(engenho_kv_txn_result *result)
{
	es_free(es_mem_default(), result);
}
