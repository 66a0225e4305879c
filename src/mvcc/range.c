#include "mvcc/store.h"

/*
 * Reading ranges
 *
 * At the newest revision the tree's counts tell beforehand how many keys there are: the answer is
 * allocated once, the walk stops when it is full, and no key is compared with the range's end. At
 * an older revision each key's chain is walked back instead. When a limit stopped that walk, the
 * count of the whole range still has to be told: either the walk goes on counting, or, when fewer
 * versions were written since than keys lie in the range, the newest count is corrected by what
 * those versions changed.
 */

bool es_mvcc_range_is_single(struct es_mvcc_range range)
{
	return range.end.len == 0;
}

bool es_mvcc_range_is_unbounded(struct es_mvcc_range range)
{
	return range.end.len == 1 && range.end.data[0] == 0;
}

bool es_mvcc_range_contains(struct es_mvcc_range range, struct es_slice key)
{
	if (es_mvcc_range_is_single(range))
		return es_slice_eq(range.key, key);
	return es_slice_cmp(range.key, key) <= 0 &&
	       (es_mvcc_range_is_unbounded(range) || es_slice_cmp(key, range.end) < 0);
}

uint64_t es_mvcc_range_live(const struct es_mvcc *store, struct es_mvcc_range range)
{
	uint64_t from, to = store->tree.live;

	if (es_mvcc_range_is_single(range))
		return es_mvcc_get(store, range.key) != NULL;
	from = es_btree_rank(&store->tree, range.key);
	if (!es_mvcc_range_is_unbounded(range))
		to = es_btree_rank(&store->tree, range.end);
	return to > from ? to - from : 0;
}

void es_mvcc_range_newest(const struct es_mvcc *store, struct es_mvcc_range range,
			  const struct es_mvcc_version **ret_versions, size_t n)
{
	struct es_btree_cursor cursor;

	if (n == 0)
		return;
	es_btree_seek(&store->tree, range.key, &cursor);
	es_btree_skip_dead(&store->tree, &cursor);
	for (size_t i = 0; i < n; i++) {
		ES_ASSERT(cursor.item != NULL);
		ret_versions[i] = cursor.item->newest;
		es_btree_next(&store->tree, &cursor);
		es_btree_skip_dead(&store->tree, &cursor);
	}
}

/* ---- older revisions ------------------------------------------------------------------------ */

/* A walk over the items of a range. */
struct walk {
	const struct es_btree *tree;
	struct es_btree_cursor cursor;
	const struct es_mvcc_item *end; /* the first item behind the range, or NULL */
};

static void walk_init(struct walk *walk, const struct es_btree *tree, struct es_mvcc_range range)
{
	walk->tree = tree;
	walk->end = NULL;
	if (!es_mvcc_range_is_unbounded(range)) {
		es_btree_seek(tree, range.end, &walk->cursor);
		walk->end = walk->cursor.item;
	}
	es_btree_seek(tree, range.key, &walk->cursor);
}

static const struct es_mvcc_item *walk_next(struct walk *walk)
{
	const struct es_mvcc_item *item = walk->cursor.item;

	if (item == walk->end)
		return NULL;
	es_btree_next(walk->tree, &walk->cursor);
	return item;
}

/* A growing array of versions. */
struct gather {
	struct es_arena *arena;
	const struct es_mvcc_version **versions;
	size_t n;
	size_t cap;
};

static int gather_reserve(struct gather *gather, size_t cap)
{
	const struct es_mvcc_version **versions;

	if (cap > SIZE_MAX / sizeof(versions[0]))
		return ES_ENOMEM;
	versions = es_arena_alloc(gather->arena, cap * sizeof(versions[0]));
	if (versions == NULL)
		return ES_ENOMEM;
	if (gather->n > 0)
		memcpy(versions, gather->versions, gather->n * sizeof(versions[0]));
	gather->versions = versions;
	gather->cap = cap;
	return 0;
}

static int gather_add(struct gather *gather, const struct es_mvcc_version *version)
{
	if (gather->n == gather->cap &&
	    gather_reserve(gather, gather->cap == 0 ? 16 : gather->cap * 2) < 0)
		return ES_ENOMEM;
	gather->versions[gather->n++] = version;
	return 0;
}

/* The newest count of the range, minus what the versions from `pos` on did to it. */
static uint64_t corrected_count(const struct es_mvcc *store, struct es_mvcc_range range,
				int64_t revision, struct es_revlog_pos pos, uint64_t live)
{
	const struct es_mvcc_version *version;

	for (; (version = es_revlog_at(&store->log, pos)) != NULL;
	     es_revlog_next(&store->log, &pos)) {
		bool was, is;

		/* Each key once: at its newest version. */
		if (version->item->newest != version ||
		    !es_mvcc_range_contains(range, es_mvcc_version_key(version)))
			continue;
		was = es_mvcc_visible(version->item, revision) != NULL;
		is = !es_mvcc_is_tombstone(version);
		live = live + was - is;
	}
	return live;
}

/* Keys of the range at an older revision, `walk` having passed the first `passed` of them. */
static uint64_t older_count(const struct es_mvcc *store, struct es_mvcc_range range,
			    int64_t revision, struct walk *walk, uint64_t passed)
{
	uint64_t live = es_mvcc_range_live(store, range);
	struct es_revlog_pos pos = es_revlog_seek(&store->log, revision + 1, 0);
	const struct es_mvcc_item *item;

	if (es_revlog_rest_max(&store->log, pos) < live)
		return corrected_count(store, range, revision, pos, live);
	while ((item = walk_next(walk)) != NULL)
		passed += es_mvcc_visible(item, revision) != NULL;
	return passed;
}

/* Read the first `max` keys of a range, and the count of all if it is wanted, at an older revision. */
static int read_older(const struct es_mvcc *store, struct es_mvcc_range range, int64_t revision,
		      uint64_t max, bool no_count, struct gather *gather, uint64_t *ret_count)
{
	const struct es_mvcc_item *item;
	struct walk walk;

	walk_init(&walk, &store->tree, range);
	while (gather->n < max) {
		const struct es_mvcc_version *version;

		item = walk_next(&walk);
		if (item == NULL) {
			*ret_count = gather->n;
			return 0;
		}
		version = es_mvcc_visible(item, revision);
		if (version != NULL && gather_add(gather, version) < 0)
			return ES_ENOMEM;
	}
	if (!no_count)
		*ret_count = older_count(store, range, revision, &walk, gather->n);
	return 0;
}

static int read_newest(const struct es_mvcc *store, struct es_mvcc_range range, uint64_t max,
		       struct gather *gather, uint64_t *ret_count)
{
	uint64_t count = es_mvcc_range_live(store, range);
	size_t n = count < max ? (size_t)count : (size_t)max;

	*ret_count = count;
	if (n == 0)
		return 0;
	if (gather_reserve(gather, n) < 0)
		return ES_ENOMEM;
	es_mvcc_range_newest(store, range, gather->versions, n);
	gather->n = n;
	return 0;
}

static int read_single(const struct es_mvcc *store, struct es_slice key, int64_t revision,
		       int64_t newest, uint64_t max, struct gather *gather, uint64_t *ret_count)
{
	const struct es_mvcc_version *version = NULL;
	const struct es_mvcc_item *item;
	struct es_btree_cursor cursor;

	if (revision == newest) {
		version = es_mvcc_get(store, key);
	} else {
		item = es_btree_find(&store->tree, key, &cursor);
		if (item != NULL)
			version = es_mvcc_visible(item, revision);
	}
	*ret_count = version != NULL;
	if (version == NULL || max == 0)
		return 0;
	if (gather_reserve(gather, 1) < 0)
		return ES_ENOMEM;
	return gather_add(gather, version);
}

/* ---- bounds and sorting --------------------------------------------------------------------- */

static bool has_bounds(const struct es_mvcc_range_req *req)
{
	return req->min_mod_revision != 0 || req->max_mod_revision != 0 ||
	       req->min_create_revision != 0 || req->max_create_revision != 0;
}

static bool within_bounds(const struct es_mvcc_range_req *req,
			  const struct es_mvcc_version *version)
{
	return (req->max_mod_revision == 0 || version->main <= req->max_mod_revision) &&
	       (req->min_mod_revision == 0 || version->main >= req->min_mod_revision) &&
	       (req->max_create_revision == 0 || version->create <= req->max_create_revision) &&
	       (req->min_create_revision == 0 || version->create >= req->min_create_revision);
}

static void apply_bounds(const struct es_mvcc_range_req *req, struct gather *gather)
{
	size_t kept = 0;

	for (size_t i = 0; i < gather->n; i++) {
		if (within_bounds(req, gather->versions[i]))
			gather->versions[kept++] = gather->versions[i];
	}
	gather->n = kept;
}

static int number_cmp(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int sort_cmp(int32_t target, const struct es_mvcc_version *a,
		    const struct es_mvcc_version *b)
{
	switch (target) {
	case ES_MVCC_SORT_VERSION:
		return number_cmp(es_mvcc_version_number(a), es_mvcc_version_number(b));
	case ES_MVCC_SORT_CREATE: return number_cmp(a->create, b->create);
	case ES_MVCC_SORT_MOD: return number_cmp(a->main, b->main);
	default: return es_slice_cmp(es_mvcc_value(a), es_mvcc_value(b));
	}
}

/* Merge the sorted runs [0, middle) and [middle, n) of `from` into `to`; of equals, the earlier
 * goes first. */
static void merge_runs(const struct es_mvcc_version **from, size_t middle, size_t n,
		       const struct es_mvcc_version **to, int32_t target, int sign)
{
	size_t i = 0, j = middle;

	for (size_t k = 0; k < n; k++) {
		if (j == n || (i < middle && sort_cmp(target, from[i], from[j]) * sign <= 0))
			to[k] = from[i++];
		else
			to[k] = from[j++];
	}
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The one that a stable sort would put first goes there, and the rest is in no order. */
static void pick_first(struct gather *gather, int32_t target, bool descend)
{
	size_t first = 0;

	for (size_t i = 1; i < gather->n; i++) {
		int order = sort_cmp(target, gather->versions[i], gather->versions[first]);

		if (descend ? order > 0 : order < 0)
			first = i;
	}
	if (gather->n > 0)
		gather->versions[0] = gather->versions[first];
}

/* A stable merge sort, bottom up. */
static int sort_versions(struct gather *gather, int32_t target, bool descend)
{
	const struct es_mvcc_version **from = gather->versions, **to;
	size_t n = gather->n;

	if (n < 2)
		return 0;
	if (gather_reserve(gather, n) < 0)
		return ES_ENOMEM;
	to = gather->versions;
	for (size_t run = 1; run < n; run *= 2) {
		const struct es_mvcc_version **swap = from;

		for (size_t i = 0; i < n; i += 2 * run)
			merge_runs(from + i, at_most(run, n - i), at_most(2 * run, n - i), to + i,
				   target, descend ? -1 : 1);
		from = to;
		to = swap;
	}
	gather->versions = from;
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------- */

int es_mvcc_range_check(const struct es_mvcc_range_req *req)
{
	if (req->sort_order < ES_MVCC_SORT_NONE || req->sort_order > ES_MVCC_SORT_DESCEND)
		return ES_EINVALID_SORT;
	if (req->sort_target < ES_MVCC_SORT_KEY || req->sort_target > ES_MVCC_SORT_VALUE)
		return ES_EINVALID_SORT;
	return 0;
}

/* How many keys have to be read: one more than the limit tells that something was cut. As in etcd,
 * the limit also applies before the sort when a target was named without an order. */
static uint64_t read_max(const struct es_mvcc_range_req *req)
{
	bool key_order = req->sort_order == ES_MVCC_SORT_NONE ||
			 (req->sort_order == ES_MVCC_SORT_ASCEND &&
			  req->sort_target == ES_MVCC_SORT_KEY);

	if (req->count_only)
		return 0;
	if (req->limit <= 0 || !key_order || has_bounds(req))
		return UINT64_MAX;
	return (uint64_t)req->limit + 1;
}

static void reverse(struct gather *gather)
{
	for (size_t i = 0, j = gather->n; i + 1 < j; i++) {
		const struct es_mvcc_version *swap = gather->versions[i];

		gather->versions[i] = gather->versions[--j];
		gather->versions[j] = swap;
	}
}

static int arrange(const struct es_mvcc_range_req *req, struct gather *gather, bool *ret_more)
{
	bool descend = req->sort_order == ES_MVCC_SORT_DESCEND;

	*ret_more = false;
	if (has_bounds(req))
		apply_bounds(req, gather);
	if (req->sort_target != ES_MVCC_SORT_KEY && req->limit == 1) {
		pick_first(gather, req->sort_target, descend);
	} else if (req->sort_target != ES_MVCC_SORT_KEY) {
		if (sort_versions(gather, req->sort_target, descend) < 0)
			return ES_ENOMEM;
	} else if (descend) {
		reverse(gather);
	}
	if (req->limit > 0 && gather->n > (uint64_t)req->limit) {
		gather->n = (size_t)req->limit;
		*ret_more = true;
	}
	return 0;
}

int es_mvcc_range_at(const struct es_mvcc *store, const struct es_mvcc_range_req *req,
		     int64_t newest, struct es_arena *arena, struct es_mvcc_range_res *ret_res)
{
	int64_t revision = req->revision <= 0 ? newest : req->revision;
	struct gather gather = {.arena = arena};
	uint64_t max = read_max(req), count = 0;
	bool more = false;
	int rc;

	rc = es_mvcc_range_check(req);
	if (rc < 0)
		return rc;
	if (revision > newest)
		return ES_EFUTURE_REV;
	if (revision < store->compacted)
		return ES_ECOMPACTED;
	if (es_mvcc_range_is_single(req->range))
		rc = read_single(store, req->range.key, revision, newest, max, &gather, &count);
	else if (revision == newest)
		rc = read_newest(store, req->range, max, &gather, &count);
	else if (!es_mvcc_range_is_unbounded(req->range) &&
		 es_slice_cmp(req->range.key, req->range.end) >= 0)
		count = 0;
	else
		rc = read_older(store, req->range, revision, max, req->no_count, &gather, &count);
	if (rc == 0)
		rc = arrange(req, &gather, &more);
	if (rc < 0)
		return rc;
	*ret_res = (struct es_mvcc_range_res){
		.count = req->no_count ? 0 : (int64_t)count,
		.more = more,
		.keys_only = req->keys_only,
		.n = gather.n,
		.versions = gather.versions,
	};
	return 0;
}

int es_mvcc_range(const struct es_mvcc *store, const struct es_mvcc_range_req *req,
		  struct es_arena *arena, struct es_mvcc_range_res *ret_res)
{
	return es_mvcc_range_at(store, req, store->revision, arena, ret_res);
}
