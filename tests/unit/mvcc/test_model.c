#include "support.h"

/*
 * The store against a deliberately naive model: an array of all versions ever written, searched
 * from end to end for each question. Random episodes mix transactions, ranges, compactions, pins,
 * history, hashes and restores; every answer must be the model's. ES_TEST_SEED=<n> runs the one
 * episode with that seed.
 */

#define EPISODES     1000
#define STEPS        220
#define KEYS_MAX     260
#define VERSIONS_MAX 60000
#define LEASES       3 /* leases 1 and 2 exist */
#define PINS         4
#define OPS_MAX      4
#define DEPTH_MAX    3

struct m_version {
	uint32_t key;
	int64_t main, sub, create, version, lease;
	char value[8];
	size_t value_len;
};

struct m_pin {
	bool held;
	struct es_mvcc_pin pin;
	struct es_mvcc_range_res res; /* everything at the pinned revision */
	struct es_arena arena;
};

struct world {
	struct es_rng rng;
	struct es_fault_mem fault;
	struct es_mvcc *store;
	struct m_pin pins[PINS];

	uint32_t key_count;
	struct es_slice keys[KEYS_MAX]; /* ascending */
	char key_bytes[KEYS_MAX][8];

	int64_t revision, compacted;
	struct m_version versions[VERSIONS_MAX]; /* in (main, sub) order */
	size_t version_count;
};

static uint64_t below(struct world *w, uint64_t bound)
{
	return es_rng_below(&w->rng, bound);
}

static bool chance(struct world *w, uint64_t percent)
{
	return below(w, 100) < percent;
}

/* ---- the model ------------------------------------------------------------------------------ */

static bool m_tombstone(const struct m_version *v)
{
	return v->version == 0;
}

/* For every key the index of its newest version at `revision` (a tombstone counts), or -1. */
static void m_newest(const struct world *w, int64_t revision, int64_t *ret_newest)
{
	for (uint32_t i = 0; i < w->key_count; i++)
		ret_newest[i] = -1;
	for (size_t i = 0; i < w->version_count && w->versions[i].main <= revision; i++)
		ret_newest[w->versions[i].key] = (int64_t)i;
}

static bool m_contains(struct es_mvcc_range range, struct es_slice key)
{
	if (range.end.len == 0)
		return es_slice_eq(range.key, key);
	if (es_slice_cmp(key, range.key) < 0)
		return false;
	return (range.end.len == 1 && range.end.data[0] == 0) || es_slice_cmp(key, range.end) < 0;
}

/* The live versions of a range in key order; returns how many. */
static size_t m_live(const struct world *w, struct es_mvcc_range range, int64_t revision,
		     const struct m_version **ret_live)
{
	int64_t newest[KEYS_MAX];
	size_t n = 0;

	m_newest(w, revision, newest);
	for (uint32_t i = 0; i < w->key_count; i++) {
		if (newest[i] >= 0 && !m_tombstone(&w->versions[newest[i]]) &&
		    m_contains(range, w->keys[i]))
			ret_live[n++] = &w->versions[newest[i]];
	}
	return n;
}

static int m_cmp(const struct world *w, const struct m_version *a, const struct m_version *b,
		 int32_t target)
{
	switch (target) {
	case ES_MVCC_SORT_KEY: return es_slice_cmp(w->keys[a->key], w->keys[b->key]);
	case ES_MVCC_SORT_VERSION: return a->version < b->version ? -1 : a->version > b->version;
	case ES_MVCC_SORT_CREATE: return a->create < b->create ? -1 : a->create > b->create;
	case ES_MVCC_SORT_MOD: return a->main < b->main ? -1 : a->main > b->main;
	default:
		return es_slice_cmp(es_slice(a->value, a->value_len),
				    es_slice(b->value, b->value_len));
	}
}

/* etcd's range, step by step: read (with limit + 1 if it may), filter, sort, cut. */
static int m_range(const struct world *w, const struct es_mvcc_range_req *req, int64_t newest,
		   int64_t *ret_count, bool *ret_more, const struct m_version **ret_kvs,
		   size_t *ret_n)
{
	int64_t revision = req->revision <= 0 ? newest : req->revision;
	bool bounds = req->min_mod_revision != 0 || req->max_mod_revision != 0 ||
		      req->min_create_revision != 0 || req->max_create_revision != 0;
	int32_t order = req->sort_order;
	size_t n, kept = 0;

	if (order < 0 || order > 2 || req->sort_target < 0 || req->sort_target > 4)
		return ES_EINVALID_SORT;
	if (revision > newest)
		return ES_EFUTURE_REV;
	if (revision < w->compacted)
		return ES_ECOMPACTED;
	n = m_live(w, req->range, revision, ret_kvs);
	*ret_count = req->no_count ? 0 : (int64_t)n;
	*ret_more = false;
	*ret_n = 0;
	if (req->count_only)
		return 0;
	if (req->limit > 0 && !bounds && (order == 0 || (order == 1 && req->sort_target == 0)) &&
	    n > (uint64_t)req->limit + 1)
		n = (size_t)req->limit + 1;
	for (size_t i = 0; i < n; i++) {
		const struct m_version *v = ret_kvs[i];

		if ((req->max_mod_revision != 0 && v->main > req->max_mod_revision) ||
		    (req->min_mod_revision != 0 && v->main < req->min_mod_revision) ||
		    (req->max_create_revision != 0 && v->create > req->max_create_revision) ||
		    (req->min_create_revision != 0 && v->create < req->min_create_revision))
			continue;
		ret_kvs[kept++] = v;
	}
	n = kept;
	for (size_t i = 1; i < n; i++) { /* insertion sort: stable */
		const struct m_version *v = ret_kvs[i];
		size_t j = i;

		for (; j > 0; j--) {
			int rc = m_cmp(w, v, ret_kvs[j - 1], req->sort_target);

			if (order == ES_MVCC_SORT_DESCEND ? rc <= 0 : rc >= 0)
				break;
			ret_kvs[j] = ret_kvs[j - 1];
		}
		ret_kvs[j] = v;
	}
	if (req->limit > 0 && n > (uint64_t)req->limit) {
		n = (size_t)req->limit;
		*ret_more = true;
	}
	*ret_n = n;
	return 0;
}

/* Is `v` kept by a compaction at `revision`? */
static bool m_survives(const struct world *w, const struct m_version *v, int64_t revision)
{
	int64_t newest[KEYS_MAX];

	if (v->main > revision)
		return true;
	m_newest(w, revision, newest);
	return &w->versions[newest[v->key]] == v && (!m_tombstone(v) || v->main == revision);
}

/* The live version of the key before `v`, unless compacted away. */
static const struct m_version *m_prev(const struct world *w, const struct m_version *v)
{
	if (v->main <= w->compacted)
		return NULL;
	for (size_t i = (size_t)(v - w->versions); i-- > 0;) {
		if (w->versions[i].key == v->key)
			return m_tombstone(&w->versions[i]) ? NULL : &w->versions[i];
	}
	return NULL;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void same_version(const struct world *w, const struct es_mvcc_version *got,
			 const struct m_version *want)
{
	struct es_mvcc_kv kv;

	assert_true((got == NULL) == (want == NULL));
	if (got == NULL)
		return;
	es_mvcc_version_kv(got, &kv);
	assert_true(es_slice_eq(kv.key, w->keys[want->key]));
	assert_true(es_slice_eq(kv.value, es_slice(want->value, want->value_len)));
	assert_int_equal(kv.create_revision, want->create);
	assert_int_equal(kv.mod_revision, want->main);
	assert_int_equal(kv.sub_revision, want->sub);
	assert_int_equal(kv.version, want->version);
	assert_int_equal(kv.lease, want->lease);
}

static void same_range(const struct world *w, const struct es_mvcc_range_req *req, int64_t newest,
		       const struct es_mvcc_range_res *got)
{
	const struct m_version *kvs[KEYS_MAX];
	int64_t count;
	size_t n;
	bool more;

	assert_int_equal(m_range(w, req, newest, &count, &more, kvs, &n), 0);
	assert_int_equal(got->count, count);
	assert_int_equal(got->more, more);
	assert_int_equal(got->keys_only, req->keys_only);
	assert_int_equal(got->n, n);
	for (size_t i = 0; i < n; i++)
		same_version(w, got->versions[i], kvs[i]);
}

/* ---- random requests ------------------------------------------------------------------------ */

static struct es_slice random_key(struct world *w)
{
	return w->keys[below(w, w->key_count)];
}

static struct es_mvcc_range random_range(struct world *w)
{
	struct es_mvcc_range range = {random_key(w), {NULL, 0}};

	switch (below(w, 6)) {
	case 0: range = EVERYTHING; break;
	case 1: range.end = ES_SLICE("\0"); break;
	case 2:
	case 3: range.end = random_key(w); break; /* empty or backwards now and then */
	default: break;
	}
	return range;
}

static int64_t random_revision(struct world *w)
{
	if (chance(w, 10))
		return -(int64_t)below(w, 3);
	return (int64_t)below(w, (uint64_t)w->revision + 3);
}

static struct es_mvcc_range_req random_req(struct world *w)
{
	struct es_mvcc_range_req req = {.range = random_range(w)};

	if (chance(w, 50))
		req.limit = (int64_t)below(w, 6) - 1;
	if (chance(w, 50))
		req.revision = random_revision(w);
	if (chance(w, 40)) {
		req.sort_order = (int32_t)below(w, 3);
		req.sort_target = (int32_t)below(w, 5);
	}
	if (chance(w, 2))
		req.sort_order = 3;
	req.keys_only = chance(w, 20);
	req.count_only = chance(w, 20);
	req.no_count = chance(w, 10);
	if (chance(w, 15))
		req.min_mod_revision = random_revision(w);
	if (chance(w, 15))
		req.max_mod_revision = random_revision(w);
	if (chance(w, 15))
		req.min_create_revision = random_revision(w);
	if (chance(w, 15))
		req.max_create_revision = random_revision(w);
	return req;
}

/* A short value; it lives in the arena. */
static struct es_slice random_value(struct world *w, struct es_arena *arena)
{
	size_t len = below(w, 4);
	char *value = es_arena_alloc(arena, len);

	assert_non_null(value);
	for (size_t i = 0; i < len; i++)
		value[i] = (char)('a' + (int)below(w, 3));
	return es_slice(value, len);
}

static struct es_mvcc_txn *random_txn(struct world *w, struct es_arena *arena, int depth);

static struct es_mvcc_op random_op(struct world *w, struct es_arena *arena, int depth)
{
	struct es_mvcc_op op = {.kind = ES_MVCC_OP_PUT};
	uint64_t dice = below(w, 100);

	if (dice < 50) {
		op.u.put = (struct es_mvcc_put){.key = random_key(w), .prev_kv = chance(w, 30)};
		op.u.put.ignore_value = chance(w, 5);
		op.u.put.ignore_lease = chance(w, 5);
		if (!op.u.put.ignore_value)
			op.u.put.value = random_value(w, arena);
		if (!op.u.put.ignore_lease && chance(w, 20))
			op.u.put.lease = (int64_t)below(w, chance(w, 5) ? LEASES + 1 : LEASES);
	} else if (dice < 65) {
		op.kind = ES_MVCC_OP_DELETE;
		op.u.del = (struct es_mvcc_delete){.range = random_range(w),
						   .prev_kv = chance(w, 50)};
		if (chance(w, 60))
			op.u.del.range.end = es_slice(NULL, 0);
	} else if (dice < 90 || depth == DEPTH_MAX) {
		op.kind = ES_MVCC_OP_RANGE;
		op.u.range = random_req(w);
		if (chance(w, 70))
			op.u.range.revision = 0;
	} else {
		op.kind = ES_MVCC_OP_TXN;
		op.u.txn = random_txn(w, arena, depth + 1);
	}
	return op;
}

static struct es_mvcc_compare random_compare(struct world *w, struct es_arena *arena)
{
	struct es_mvcc_compare compare = {
		.range = random_range(w),
		.target = (int32_t)below(w, 6),
		.result = (int32_t)below(w, 5),
		.number = (int64_t)below(w, 4),
	};

	if (compare.target == ES_MVCC_COMPARE_MOD || compare.target == ES_MVCC_COMPARE_CREATE)
		compare.number = random_revision(w);
	compare.value = random_value(w, arena);
	return compare;
}

static const struct es_mvcc_op *random_ops(struct world *w, struct es_arena *arena, int depth,
					   size_t *ret_n)
{
	struct es_mvcc_op *ops = es_arena_alloc(arena, OPS_MAX * sizeof(*ops));

	assert_non_null(ops);
	*ret_n = below(w, OPS_MAX + 1);
	for (size_t i = 0; i < *ret_n; i++)
		ops[i] = random_op(w, arena, depth);
	return ops;
}

static struct es_mvcc_txn *random_txn(struct world *w, struct es_arena *arena, int depth)
{
	struct es_mvcc_txn *txn = es_arena_calloc(arena, 1, sizeof(*txn));
	struct es_mvcc_compare *compares = es_arena_alloc(arena, 2 * sizeof(*compares));

	assert_non_null(txn);
	assert_non_null(compares);
	txn->compare_count = below(w, 3);
	txn->compares = compares;
	for (size_t i = 0; i < txn->compare_count; i++)
		compares[i] = random_compare(w, arena);
	txn->success = random_ops(w, arena, depth, &txn->success_count);
	txn->failure = random_ops(w, arena, depth, &txn->failure_count);
	return txn;
}

/* ---- transactions --------------------------------------------------------------------------- */

static bool m_lease_exists(void *ctx, int64_t lease)
{
	(void)ctx;
	return lease < LEASES;
}

static const struct m_version *m_get(const struct world *w, struct es_slice key, int64_t revision)
{
	const struct m_version *live[KEYS_MAX];

	return m_live(w, (struct es_mvcc_range){key, {NULL, 0}}, revision, live) == 1 ? live[0]
										      : NULL;
}

static bool m_compare_one(const struct es_mvcc_compare *c, const struct m_version *v)
{
	static const struct m_version missing;
	int64_t number = c->number;
	int order;

	if (v == NULL && c->target == ES_MVCC_COMPARE_VALUE)
		return false;
	if (v == NULL)
		v = &missing;
	switch (c->target) {
	case ES_MVCC_COMPARE_VERSION: number = v->version; break;
	case ES_MVCC_COMPARE_CREATE: number = v->create; break;
	case ES_MVCC_COMPARE_MOD: number = v->main; break;
	case ES_MVCC_COMPARE_LEASE: number = v->lease; break;
	default: break;
	}
	order = number < c->number ? -1 : number > c->number;
	if (c->target == ES_MVCC_COMPARE_VALUE)
		order = es_slice_cmp(es_slice(v->value, v->value_len), c->value);
	switch (c->result) {
	case ES_MVCC_COMPARE_EQUAL: return order == 0;
	case ES_MVCC_COMPARE_GREATER: return order > 0;
	case ES_MVCC_COMPARE_LESS: return order < 0;
	case ES_MVCC_COMPARE_NOT_EQUAL: return order != 0;
	default: return true;
	}
}

static bool m_compares(const struct world *w, const struct es_mvcc_txn *txn)
{
	for (size_t i = 0; i < txn->compare_count; i++) {
		const struct m_version *live[KEYS_MAX];
		size_t n = m_live(w, txn->compares[i].range, w->revision, live);

		if (n == 0 && !m_compare_one(&txn->compares[i], NULL))
			return false;
		for (size_t j = 0; j < n; j++) {
			if (!m_compare_one(&txn->compares[i], live[j]))
				return false;
		}
	}
	return true;
}

/* The operations of the branch taken. Valid only before anything of the transaction is written. */
static const struct es_mvcc_op *m_branch(const struct world *w, const struct es_mvcc_txn *txn,
					 size_t *ret_n)
{
	bool succeeded = m_compares(w, txn);

	*ret_n = succeeded ? txn->success_count : txn->failure_count;
	return succeeded ? txn->success : txn->failure;
}

static int m_check(const struct world *w, const struct es_mvcc_txn *txn)
{
	size_t n;
	const struct es_mvcc_op *ops = m_branch(w, txn, &n);

	for (size_t i = 0; i < n; i++) {
		const struct es_mvcc_range_req *req = &ops[i].u.range;
		const struct es_mvcc_put *put = &ops[i].u.put;
		int rc = 0;

		if (ops[i].kind == ES_MVCC_OP_TXN)
			rc = m_check(w, ops[i].u.txn);
		if (rc < 0)
			return rc;
		if (ops[i].kind == ES_MVCC_OP_RANGE) {
			if (req->sort_order > 2)
				return ES_EINVALID_SORT;
			if (req->revision > w->revision)
				return ES_EFUTURE_REV;
			if (req->revision != 0 && req->revision < w->compacted)
				return ES_ECOMPACTED;
		}
		if (ops[i].kind == ES_MVCC_OP_PUT) {
			if (put->lease != 0 && !m_lease_exists(NULL, put->lease))
				return ES_ELEASE_NOT_FOUND;
			if ((put->ignore_value || put->ignore_lease) &&
			    m_get(w, put->key, w->revision) == NULL)
				return ES_EKEY_NOT_FOUND;
		}
	}
	return 0;
}

static struct m_version *m_write(struct world *w, uint32_t key, size_t begin)
{
	struct m_version *v = &w->versions[w->version_count];

	assert_true(w->version_count < VERSIONS_MAX);
	*v = (struct m_version){
		.key = key, .main = w->revision + 1, .sub = (int64_t)(w->version_count - begin)};
	w->version_count++;
	return v;
}

static void m_put(struct world *w, const struct es_mvcc_put *put, size_t begin,
		  const struct es_mvcc_op_res *res)
{
	const struct m_version *prev = m_get(w, put->key, w->revision + 1);
	struct es_slice value = put->value;
	struct m_version *v;
	uint32_t key = 0;

	while (!es_slice_eq(w->keys[key], put->key))
		key++;
	assert_int_equal(res->revision, w->revision + 1);
	same_version(w, res->u.put.prev, put->prev_kv ? prev : NULL);
	v = m_write(w, key, begin);
	v->create = prev == NULL ? v->main : prev->create;
	v->version = prev == NULL ? 1 : prev->version + 1;
	v->lease = put->ignore_lease && prev != NULL ? prev->lease : put->lease;
	if (put->ignore_value)
		value = prev == NULL ? es_slice(NULL, 0) : es_slice(prev->value, prev->value_len);
	v->value_len = value.len;
	if (value.len > 0)
		memcpy(v->value, value.data, value.len);
}

static void m_delete(struct world *w, const struct es_mvcc_delete *del, size_t begin,
		     const struct es_mvcc_op_res *res)
{
	const struct m_version *live[KEYS_MAX];
	size_t n = m_live(w, del->range, w->revision + 1, live);

	assert_int_equal(res->u.del.deleted, n);
	assert_int_equal(res->u.del.prev_count, del->prev_kv ? n : 0);
	for (size_t i = 0; i < n; i++) {
		if (del->prev_kv)
			same_version(w, res->u.del.prevs[i], live[i]);
		m_write(w, live[i]->key, begin);
	}
	assert_int_equal(res->revision, w->revision + (w->version_count > begin));
}

/* Do to the model what the transaction did to the store, and compare the answers on the way. `path`
 * is the branches taken, in depth-first order, as found before the first write. */
static void m_execute(struct world *w, const struct es_mvcc_txn *txn, const bool **path,
		      size_t begin, const struct es_mvcc_txn_res *res)
{
	bool succeeded = *(*path)++;
	const struct es_mvcc_op *ops = succeeded ? txn->success : txn->failure;

	assert_int_equal(res->succeeded, succeeded);
	assert_int_equal(res->n, succeeded ? txn->success_count : txn->failure_count);
	for (size_t i = 0; i < res->n; i++) {
		const struct es_mvcc_op_res *op_res = &res->ops[i];
		int64_t now = w->revision + (w->version_count > begin);

		assert_int_equal(op_res->kind, ops[i].kind);
		switch (ops[i].kind) {
		case ES_MVCC_OP_RANGE:
			assert_int_equal(op_res->revision, now);
			same_range(w, &ops[i].u.range, now, &op_res->u.range);
			break;
		case ES_MVCC_OP_PUT: m_put(w, &ops[i].u.put, begin, op_res); break;
		case ES_MVCC_OP_DELETE: m_delete(w, &ops[i].u.del, begin, op_res); break;
		case ES_MVCC_OP_TXN:
			assert_int_equal(op_res->revision, 0);
			assert_int_equal(op_res->u.txn->revision, 0);
			m_execute(w, ops[i].u.txn, path, begin, op_res->u.txn);
			break;
		}
	}
}

static size_t m_path(const struct world *w, const struct es_mvcc_txn *txn, bool *path)
{
	size_t n, used = 1;
	const struct es_mvcc_op *ops = m_branch(w, txn, &n);

	path[0] = m_compares(w, txn);
	for (size_t i = 0; i < n; i++) {
		if (ops[i].kind == ES_MVCC_OP_TXN)
			used += m_path(w, ops[i].u.txn, path + used);
	}
	return used;
}

static void step_txn(struct world *w)
{
	static const struct es_mvcc_txn_env env = {.lease_exists = m_lease_exists};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	struct es_mvcc_txn *txn;
	bool path[512];
	const bool *walk = path;
	size_t event_count, begin = w->version_count;
	int want, rc;

	es_arena_init(&arena, &w->fault.mem, 4096);
	txn = random_txn(w, &arena, 0);
	want = m_check(w, txn);
	m_path(w, txn, path);
	rc = es_mvcc_txn_apply(w->store, txn, &env, &arena, &res, &events, &event_count);
	assert_int_equal(rc, want);
	if (rc == 0) {
		m_execute(w, txn, &walk, begin, res);
		if (w->version_count > begin)
			w->revision++;
		assert_int_equal(res->revision, w->revision);
		assert_int_equal(event_count, w->version_count - begin);
		assert_true(event_count == 0 || es_mvcc_txn_may_write(txn));
		for (size_t i = 0; i < event_count; i++) {
			same_version(w, events[i].version, &w->versions[begin + i]);
			same_version(w, events[i].prev, m_prev(w, &w->versions[begin + i]));
		}
	}
	es_arena_close(&arena);
}

/* ---- other steps ---------------------------------------------------------------------------- */

static void ask_range(struct world *w, const struct es_mvcc_range_req *req)
{
	const struct m_version *kvs[KEYS_MAX];
	struct es_mvcc_range_res res;
	struct es_arena arena;
	int64_t count;
	size_t n;
	bool more;
	int rc;

	es_arena_init(&arena, &w->fault.mem, 256);
	rc = es_mvcc_range(w->store, req, &arena, &res);
	assert_int_equal(rc, m_range(w, req, w->revision, &count, &more, kvs, &n));
	if (rc == 0)
		same_range(w, req, w->revision, &res);
	es_arena_close(&arena);
}

static void step_range(struct world *w)
{
	struct es_mvcc_range_req req = random_req(w);
	struct es_slice key = random_key(w);

	ask_range(w, &req);
	same_version(w, es_mvcc_get(w->store, key), m_get(w, key, w->revision));
}

static void step_compact(struct world *w)
{
	int64_t revision = random_revision(w);
	int want = 0;

	if (chance(w, 50)) /* not too far, so that there is history left to ask for */
		revision = w->compacted + (int64_t)below(w, 12);
	if (revision <= w->compacted)
		want = ES_ECOMPACTED;
	else if (revision > w->revision)
		want = ES_EFUTURE_REV;
	assert_int_equal(es_mvcc_compact(w->store, revision), want);
	if (want == 0)
		w->compacted = revision;
}

static void step_sweep(struct world *w)
{
	size_t budget = below(w, 3) == 0 ? 100000 : below(w, 20);

	while (es_mvcc_compact_step(w->store, budget) && chance(w, 70))
		;
}

static void unpin(struct world *w, struct m_pin *pin)
{
	const struct m_version *live[KEYS_MAX];

	/* What was read when the pin was set still reads the same. */
	assert_int_equal(m_live(w, EVERYTHING, pin->pin.revision, live), pin->res.n);
	for (size_t i = 0; i < pin->res.n; i++)
		same_version(w, pin->res.versions[i], live[i]);
	es_mvcc_unpin(w->store, &pin->pin);
	es_arena_close(&pin->arena);
	pin->held = false;
}

static void step_pin(struct world *w)
{
	struct m_pin *pin = &w->pins[below(w, PINS)];
	struct es_mvcc_range_req req = {.range = EVERYTHING};
	int64_t low = w->compacted < 1 ? 1 : w->compacted;

	if (pin->held) {
		unpin(w, pin);
		return;
	}
	req.revision = low + (int64_t)below(w, (uint64_t)(w->revision - low) + 1);
	es_arena_init(&pin->arena, &w->fault.mem, 256);
	assert_int_equal(es_mvcc_range(w->store, &req, &pin->arena, &pin->res), 0);
	es_mvcc_pin(w->store, req.revision, &pin->pin);
	pin->held = true;
}

/* Replay from somewhere in pieces: exactly what the model has there, as far as compaction keeps it.
 */
static void step_history(struct world *w)
{
	struct es_mvcc_cursor cursor = {(int64_t)below(w, (uint64_t)w->revision + 3),
					(int64_t)below(w, 3)};
	int64_t last = (int64_t)below(w, (uint64_t)w->revision + 3);
	struct es_mvcc_event events[7];
	size_t at = 0, n;

	if (chance(w, 30))
		cursor = (struct es_mvcc_cursor){0, 0};
	while (at < w->version_count &&
	       (w->versions[at].main < cursor.main ||
		(w->versions[at].main == cursor.main && w->versions[at].sub < cursor.sub)))
		at++;
	while ((n = es_mvcc_history(w->store, &cursor, last, events, 1 + below(w, 7))) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (!es_mvcc_survives(events[i].version, w->compacted))
				continue;
			while (at < w->version_count &&
			       !m_survives(w, &w->versions[at], w->compacted))
				at++;
			assert_true(at < w->version_count);
			same_version(w, events[i].version, &w->versions[at]);
			same_version(w, events[i].prev, m_prev(w, &w->versions[at]));
			assert_true(w->versions[at].main <= last);
			at++;
		}
	}
	while (at < w->version_count && !m_survives(w, &w->versions[at], w->compacted))
		at++;
	assert_true(at == w->version_count || w->versions[at].main > last);
}

/* etcd's rule for HashKV (kvHasher.WriteKeyValue), on what its compaction left. */
static bool m_hash_includes(const struct world *w, const struct m_version *v, int64_t revision,
			    const int64_t *newest, bool any_live)
{
	if (!m_survives(w, v, w->compacted) || v->main > revision)
		return false;
	if (v->main <= w->compacted && any_live &&
	    (m_tombstone(v) || &w->versions[newest[v->key]] != v))
		return false;
	return !(v->main == w->compacted && m_tombstone(v));
}

static void step_hash(struct world *w)
{
	int64_t low = w->compacted < 1 ? 1 : w->compacted, newest[KEYS_MAX];
	int64_t revision = low + (int64_t)below(w, (uint64_t)(w->revision - low) + 1);
	struct es_mvcc_cursor cursor = {0, 0};
	const struct m_version *live[KEYS_MAX];
	struct es_mvcc_event event;
	bool any_live = m_live(w, EVERYTHING, revision, live) > 0;
	size_t at = 0;

	m_newest(w, revision, newest);
	while (es_mvcc_history(w->store, &cursor, INT64_MAX, &event, 1) == 1) {
		if (!es_mvcc_hash_includes(w->store, event.version, revision, w->compacted))
			continue;
		while (at < w->version_count &&
		       !m_hash_includes(w, &w->versions[at], revision, newest, any_live))
			at++;
		assert_true(at < w->version_count);
		same_version(w, event.version, &w->versions[at++]);
	}
	while (at < w->version_count)
		assert_false(m_hash_includes(w, &w->versions[at++], revision, newest, any_live));
}

/* Copy the store through its history, as a checkpoint does, and go on with the copy. */
static void step_restore(struct world *w)
{
	bool filter = chance(w, 50);
	struct es_mvcc *copy;
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event event;

	for (size_t i = 0; i < PINS; i++) {
		if (w->pins[i].held)
			unpin(w, &w->pins[i]);
	}
	assert_int_equal(es_mvcc_new(&w->fault.mem, &copy), 0);
	while (es_mvcc_history(w->store, &cursor, w->revision, &event, 1) == 1) {
		struct es_mvcc_kv kv;

		if (filter && !es_mvcc_survives(event.version, w->compacted))
			continue;
		es_mvcc_version_kv(event.version, &kv);
		assert_int_equal(es_mvcc_restore(copy, &kv), 0);
	}
	assert_int_equal(es_mvcc_restore_end(copy, w->revision, w->compacted), 0);
	es_mvcc_free(w->store);
	w->store = copy;
}

/* Every order, target and limit at every revision that can be asked for, and those just beside. */
static void ask_everything(struct world *w)
{
	for (int64_t revision = w->compacted - 1; revision <= w->revision + 1; revision++) {
		for (int32_t i = 0; i < 3 * 5 * 3; i++) {
			struct es_mvcc_range_req req = random_req(w);

			req.revision = revision;
			req.sort_order = i % 3;
			req.sort_target = i / 3 % 5;
			req.limit = i / 15 * 2;
			req.count_only = false;
			ask_range(w, &req);
		}
	}
}

/* ---- episodes ------------------------------------------------------------------------------- */

/* Keys that are prefixes of each other and hold all kinds of bytes, in ascending order. */
static void make_keys(struct world *w)
{
	static const char first[] = {0, 'a', 'b', (char)0xff};

	w->key_count = chance(w, 60) ? 3 + (uint32_t)below(w, 20)
				     : 80 + (uint32_t)below(w, KEYS_MAX - 80);
	for (uint32_t i = 0; i < w->key_count; i++) {
		char *bytes = w->key_bytes[i];
		uint32_t block = (w->key_count + 3) / 4, number = i % block;

		bytes[0] = first[i / block];
		bytes[1] = (char)(number / 16);
		bytes[2] = (char)(number % 16);
		/* Within a block: "f", then "fxy" ascending; the trailing parts differ in length by
		 * order. */
		w->keys[i] = es_slice(bytes, number == 0 ? 1 : 3);
		assert_true(i == 0 || es_slice_cmp(w->keys[i - 1], w->keys[i]) < 0);
	}
}

static void check_figures(const struct world *w)
{
	const struct m_version *live[KEYS_MAX];

	es_mvcc_check(w->store);
	assert_int_equal(es_mvcc_revision(w->store), w->revision);
	assert_int_equal(es_mvcc_compacted(w->store), w->compacted);
	assert_int_equal(es_mvcc_keys(w->store), m_live(w, EVERYTHING, w->revision, live));
}

static void step(struct world *w)
{
	uint64_t dice = below(w, 100);

	if (dice < 50)
		step_txn(w);
	else if (dice < 70)
		step_range(w);
	else if (dice < 74)
		step_compact(w);
	else if (dice < 82)
		step_sweep(w);
	else if (dice < 87)
		step_pin(w);
	else if (dice < 93)
		step_history(w);
	else if (dice < 98)
		step_hash(w);
	else
		step_restore(w);
	check_figures(w);
}

static void run_episode(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	es_rng_init(&w->rng, seed);
	es_fault_mem_init(&w->fault, UINT64_MAX);
	assert_int_equal(es_mvcc_new(&w->fault.mem, &w->store), 0);
	w->revision = 1;
	w->compacted = -1;
	make_keys(w);
	for (int i = 0; i < STEPS; i++)
		step(w);
	if (w->key_count < 40)
		ask_everything(w);
	for (size_t i = 0; i < PINS; i++) {
		if (w->pins[i].held)
			unpin(w, &w->pins[i]);
	}
	/* With everything compacted and swept only survivors are left. */
	if (w->compacted < w->revision) {
		assert_int_equal(es_mvcc_compact(w->store, w->revision), 0);
		w->compacted = w->revision;
	}
	while (es_mvcc_compact_step(w->store, 7))
		;
	check_figures(w);
	step_history(w);
	es_mvcc_free(w->store);
	assert_int_equal(w->fault.live, 0);
}

static void the_store_answers_like_the_model(void **state)
{
	const char *given = getenv("ES_TEST_SEED");
	uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
	uint64_t count = given == NULL ? EPISODES : 1;
	struct world *w = malloc(sizeof(*w));

	(void)state;
	assert_non_null(w);
	for (uint64_t seed = first; seed < first + count; seed++) {
		fprintf(stderr, "ES_TEST_SEED=%llu\n", (unsigned long long)seed);
		run_episode(w, seed);
	}
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_answers_like_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
