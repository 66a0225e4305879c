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

struct es_mvcc_kv es_store_kv_found(const struct es_mvcc_range_res *res, size_t i)
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
		struct es_mvcc_kv kv = es_store_kv_found(res, i);

		bytes += es_store_kv_size(&kv);
	}
	return bytes;
}

/* Of a range in a transaction. */
static void fill(struct es_store_block *block, engenho_range_result *result,
		 const struct es_mvcc_range_res *res, int64_t revision)
{
	engenho_kv *kvs = es_store_carve(block, res->n * sizeof(*kvs));

	for (size_t i = 0; i < res->n; i++) {
		struct es_mvcc_kv kv = es_store_kv_found(res, i);

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

void engenho_range_result_free(engenho_range_result *result)
{
	es_store_block_free(result);
}

engenho_kv_txn_result *es_store_txn_result(const struct es_mem *mem,
					   const struct es_mvcc_txn_res *res, int64_t revision)
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
	if (es_store_block_new(mem, &block, head, bytes) == NULL)
		return NULL;
	result = es_store_carve(&block, sizeof(*result));
	results = es_store_carve(&block, res->n * sizeof(*results));
	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op = &res->ops[i];

		if (op->kind == ES_MVCC_OP_RANGE) {
			fill(&block, &results[i], &op->u.range, revision);
			continue;
		}
		results[i] = (engenho_range_result){
			.revision = revision,
			.total = op->kind == ES_MVCC_OP_DELETE ? op->u.del.deleted : 0,
		};
	}
	*result = (engenho_kv_txn_result){
		.succeeded = res->succeeded,
		.revision = revision,
		.count = res->n,
		.results = results,
	};
	return result;
}

void engenho_kv_txn_result_free(engenho_kv_txn_result *result)
{
	es_store_block_free(result);
}
