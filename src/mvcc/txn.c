#include "mvcc/store.h"

/*
 * Transactions, in three passes over the request
 *
 * judge: all compares, those of nested transactions on the branches taken included, against the
 * state before; builds the tree of results as it goes, so that the later passes read from there
 * which branches are taken. check: everything that can refuse the operations on the branches taken,
 * in their order. execute: the operations in their order; each sees what those before it wrote.
 * Only memory can run out here.
 *
 * The check pass, as etcd's, looks at the state before the transaction, so a put that keeps the
 * value or lease of a key which an earlier operation of the same transaction deletes gets past it.
 * The services refuse such requests; here the put then finds nothing to keep, and the value or
 * lease is empty.
 */

struct run {
	struct es_mvcc *store;
	const struct es_mvcc_txn_env *env;
	struct es_arena *arena;
	struct es_mvcc_event *events;
	size_t event_count;
	size_t event_cap;
};

bool es_mvcc_txn_may_write(const struct es_mvcc_txn *txn)
{
	for (int branch = 0; branch < 2; branch++) {
		const struct es_mvcc_op *ops = branch == 0 ? txn->success : txn->failure;
		size_t count = branch == 0 ? txn->success_count : txn->failure_count;

		for (size_t i = 0; i < count; i++) {
			if (ops[i].kind == ES_MVCC_OP_PUT || ops[i].kind == ES_MVCC_OP_DELETE)
				return true;
			if (ops[i].kind == ES_MVCC_OP_TXN && es_mvcc_txn_may_write(ops[i].u.txn))
				return true;
		}
	}
	return false;
}

/* ---- judge ---------------------------------------------------------------------------------- */

static int order_of(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* `version` NULL: the key is missing, and all its numbers are 0. */
static bool compare_one(const struct es_mvcc_compare *compare,
			const struct es_mvcc_version *version)
{
	int order = 0;

	switch (compare->target) {
	case ES_MVCC_COMPARE_VERSION:
		order = order_of(version == NULL ? 0 : es_mvcc_version_number(version),
				 compare->number);
		break;
	case ES_MVCC_COMPARE_CREATE:
		order = order_of(version == NULL ? 0 : version->create, compare->number);
		break;
	case ES_MVCC_COMPARE_MOD:
		order = order_of(version == NULL ? 0 : version->main, compare->number);
		break;
	case ES_MVCC_COMPARE_VALUE:
		if (version == NULL)
			return false;
		order = es_slice_cmp(es_mvcc_value(version), compare->value);
		break;
	case ES_MVCC_COMPARE_LEASE:
		order = order_of(version == NULL ? 0 : es_mvcc_lease(version), compare->number);
		break;
	default: /* an unknown target finds everything equal */ break;
	}
	switch (compare->result) {
	case ES_MVCC_COMPARE_EQUAL: return order == 0;
	case ES_MVCC_COMPARE_GREATER: return order > 0;
	case ES_MVCC_COMPARE_LESS: return order < 0;
	case ES_MVCC_COMPARE_NOT_EQUAL: return order != 0;
	default: /* an unknown result always holds */ return true;
	}
}

static bool compare_range(const struct es_mvcc *store, const struct es_mvcc_compare *compare)
{
	struct es_btree_cursor cursor;
	uint64_t left = es_mvcc_range_live(store, compare->range);

	if (left == 0)
		return compare_one(compare, NULL);
	es_btree_seek(&store->tree, compare->range.key, &cursor);
	for (; left > 0; left--) {
		es_btree_skip_dead(&store->tree, &cursor);
		ES_ASSERT(cursor.item != NULL);
		if (!compare_one(compare, cursor.item->newest))
			return false;
		es_btree_next(&store->tree, &cursor);
	}
	return true;
}

static bool compare_all(const struct es_mvcc *store, const struct es_mvcc_txn *txn)
{
	for (size_t i = 0; i < txn->compare_count; i++) {
		const struct es_mvcc_compare *compare = &txn->compares[i];
		bool holds;

		if (es_mvcc_range_is_single(compare->range))
			holds = compare_one(compare, es_mvcc_get(store, compare->range.key));
		else
			holds = compare_range(store, compare);
		if (!holds)
			return false;
	}
	return true;
}

static int judge(struct run *run, const struct es_mvcc_txn *txn, struct es_mvcc_txn_res **ret_res)
{
	bool succeeded = compare_all(run->store, txn);
	size_t n = succeeded ? txn->success_count : txn->failure_count;
	const struct es_mvcc_op *ops = succeeded ? txn->success : txn->failure;
	struct es_mvcc_txn_res *res;
	struct es_mvcc_op_res *op_res;

	if (n > (SIZE_MAX - sizeof(*res)) / sizeof(*op_res))
		return ES_ENOMEM;
	res = es_arena_alloc(run->arena, sizeof(*res) + n * sizeof(*op_res));
	if (res == NULL)
		return ES_ENOMEM;
	op_res = (struct es_mvcc_op_res *)(res + 1);
	*res = (struct es_mvcc_txn_res){.succeeded = succeeded, .n = n, .ops = op_res};
	for (size_t i = 0; i < n; i++) {
		op_res[i] = (struct es_mvcc_op_res){.kind = ops[i].kind};
		if (ops[i].kind == ES_MVCC_OP_TXN) {
			struct es_mvcc_txn_res *nested;
			int rc = judge(run, ops[i].u.txn, &nested);

			if (rc < 0)
				return rc;
			op_res[i].u.txn = nested;
		}
	}
	*ret_res = res;
	return 0;
}

static const struct es_mvcc_op *branch_of(const struct es_mvcc_txn *txn,
					  const struct es_mvcc_txn_res *res)
{
	return res->succeeded ? txn->success : txn->failure;
}

/* ---- check ---------------------------------------------------------------------------------- */

static int check_range(const struct run *run, const struct es_mvcc_range_req *req)
{
	int rc = es_mvcc_range_check(req);

	if (rc < 0)
		return rc;
	if (req->revision > run->store->revision)
		return ES_EFUTURE_REV;
	/* Not so in a plain range: there any number below 0 means the newest, too. */
	if (req->revision != 0 && req->revision < run->store->compacted)
		return ES_ECOMPACTED;
	return 0;
}

static int check_put(const struct run *run, const struct es_mvcc_put *put)
{
	if (put->key.len > ES_MVCC_BYTES_MAX || put->value.len > ES_MVCC_BYTES_MAX)
		return ES_ETOO_LARGE;
	if (put->lease != 0 && run->env != NULL &&
	    !run->env->lease_exists(run->env->ctx, put->lease))
		return ES_ELEASE_NOT_FOUND;
	if ((put->ignore_value || put->ignore_lease) && es_mvcc_get(run->store, put->key) == NULL)
		return ES_EKEY_NOT_FOUND;
	return 0;
}

static int check(const struct run *run, const struct es_mvcc_txn *txn,
		 const struct es_mvcc_txn_res *res)
{
	const struct es_mvcc_op *ops = branch_of(txn, res);

	for (size_t i = 0; i < res->n; i++) {
		int rc = 0;

		switch (ops[i].kind) {
		case ES_MVCC_OP_RANGE: rc = check_range(run, &ops[i].u.range); break;
		case ES_MVCC_OP_PUT: rc = check_put(run, &ops[i].u.put); break;
		case ES_MVCC_OP_DELETE: break;
		case ES_MVCC_OP_TXN: rc = check(run, ops[i].u.txn, res->ops[i].u.txn); break;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- execute -------------------------------------------------------------------------------- */

/* The revision that a read at this point of the transaction sees. */
static int64_t run_revision(const struct run *run)
{
	return run->store->revision + (run->event_count > 0);
}

static int reserve_event(struct run *run)
{
	size_t cap = run->event_cap == 0 ? 1 : run->event_cap * 2;
	struct es_mvcc_event *events;

	if (run->event_count < run->event_cap)
		return 0;
	if (cap > SIZE_MAX / sizeof(*events))
		return ES_ENOMEM;
	events = es_arena_alloc(run->arena, cap * sizeof(*events));
	if (events == NULL)
		return ES_ENOMEM;
	if (run->event_count > 0)
		memcpy(events, run->events, run->event_count * sizeof(*events));
	run->events = events;
	run->event_cap = cap;
	return 0;
}

/* Write a version of a key and note the event. */
static int write_event(struct run *run, struct es_slice key, struct es_btree_cursor *cursor,
		       const struct es_mvcc_version *prev, const struct es_mvcc_content *content)
{
	const struct es_mvcc_version *version;
	int rc = reserve_event(run);

	if (rc < 0)
		return rc;
	rc = es_mvcc_write(run->store, key, cursor, run->store->revision + 1,
			   (int64_t)run->event_count, content, &version);
	if (rc < 0)
		return rc;
	run->events[run->event_count++] = (struct es_mvcc_event){version, prev};
	return 0;
}

static const struct es_mvcc_version *newest_live(const struct es_mvcc_item *item)
{
	return item == NULL || es_mvcc_is_tombstone(item->newest) ? NULL : item->newest;
}

static int execute_put(struct run *run, const struct es_mvcc_put *put, struct es_mvcc_op_res *res)
{
	struct es_btree_cursor cursor;
	const struct es_mvcc_version *prev = newest_live(
		es_btree_find(&run->store->tree, put->key, &cursor));
	struct es_mvcc_content content = {
		.value = put->value,
		.create = run->store->revision + 1,
		.version = 1,
		.lease = put->lease,
	};

	if (prev != NULL) {
		content.create = prev->create;
		content.version = es_mvcc_version_number(prev) + 1;
	}
	if (put->ignore_value)
		content.value = prev == NULL ? es_slice(NULL, 0) : es_mvcc_value(prev);
	if (put->ignore_lease)
		content.lease = prev == NULL ? 0 : es_mvcc_lease(prev);
	res->revision = run->store->revision + 1;
	res->u.put.prev = put->prev_kv ? prev : NULL;
	return write_event(run, put->key, &cursor, prev, &content);
}

static int delete_key(struct run *run, struct es_slice key)
{
	struct es_btree_cursor cursor;
	const struct es_mvcc_version *prev = newest_live(
		es_btree_find(&run->store->tree, key, &cursor));

	return write_event(run, key, &cursor, prev, &(struct es_mvcc_content){.create = 0});
}

static int execute_delete(struct run *run, const struct es_mvcc_delete *del,
			  struct es_mvcc_op_res *res)
{
	const struct es_mvcc_version **versions = NULL;
	uint64_t live = es_mvcc_range_live(run->store, del->range);
	size_t n = (size_t)live;

	if (live > SIZE_MAX / sizeof(versions[0]))
		return ES_ENOMEM;
	if (n > 0) {
		versions = es_arena_alloc(run->arena, n * sizeof(versions[0]));
		if (versions == NULL)
			return ES_ENOMEM;
		es_mvcc_range_newest(run->store, del->range, versions, n);
	}
	for (size_t i = 0; i < n; i++) {
		int rc = delete_key(run, es_mvcc_version_key(versions[i]));

		if (rc < 0)
			return rc;
	}
	res->revision = run_revision(run);
	res->u.del.deleted = (int64_t)n;
	if (del->prev_kv) {
		res->u.del.prev_count = n;
		res->u.del.prevs = versions;
	}
	return 0;
}

static int execute(struct run *run, const struct es_mvcc_txn *txn,
		   const struct es_mvcc_txn_res *res)
{
	const struct es_mvcc_op *ops = branch_of(txn, res);
	struct es_mvcc_op_res *op_res = (struct es_mvcc_op_res *)res->ops;

	for (size_t i = 0; i < res->n; i++) {
		int rc = 0;

		switch (ops[i].kind) {
		case ES_MVCC_OP_RANGE:
			op_res[i].revision = run_revision(run);
			rc = es_mvcc_range_at(run->store, &ops[i].u.range, run_revision(run),
					      run->arena, &op_res[i].u.range);
			break;
		case ES_MVCC_OP_PUT: rc = execute_put(run, &ops[i].u.put, &op_res[i]); break;
		case ES_MVCC_OP_DELETE: rc = execute_delete(run, &ops[i].u.del, &op_res[i]); break;
		case ES_MVCC_OP_TXN: /* its revision, and that inside it, stays 0 as in etcd */
			rc = execute(run, ops[i].u.txn, op_res[i].u.txn);
			break;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int es_mvcc_txn_apply(struct es_mvcc *store, const struct es_mvcc_txn *txn,
		      const struct es_mvcc_txn_env *env, struct es_arena *arena,
		      const struct es_mvcc_txn_res **ret_res,
		      const struct es_mvcc_event **ret_events, size_t *ret_event_count)
{
	struct run run = {.store = store, .env = env, .arena = arena};
	struct es_mvcc_txn_res *res;
	int rc = judge(&run, txn, &res);

	if (rc == 0)
		rc = check(&run, txn, res);
	if (rc == 0)
		rc = execute(&run, txn, res);
	if (rc < 0)
		return rc;
	store->revision = run_revision(&run);
	res->revision = store->revision;
	*ret_res = res;
	*ret_events = run.events;
	*ret_event_count = run.event_count;
	return 0;
}
