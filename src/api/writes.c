#include "api/writes.h"

#include <stdlib.h>

/*
 * A list of operations takes over what its nested transactions write, one after the other. There
 * may be many of them, and each may write little: so what is there already is looked at by binary
 * search only, and moved in place, from its end on, each span at most twice for one transaction
 * that is taken over.
 */

static bool ends_before(const struct es_api_span *span, struct es_slice key)
{
	int order = es_slice_cmp(span->end, key);

	return order < 0 || (order == 0 && !span->has_end);
}

/* Those of the first `count` spans that have a key in common with `span`: from *ret_from up to, and
 * without, *ret_to. */
static void find_common(const struct es_api_span *spans, size_t count,
			const struct es_api_span *span, size_t *ret_from, size_t *ret_to)
{
	size_t from = 0;
	size_t to = count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ends_before(&spans[middle], span->first))
			from = middle + 1;
		else
			to = middle;
	}
	*ret_from = from;
	to = count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (ends_before(span, spans[middle].first))
			to = middle;
		else
			from = middle + 1;
	}
	*ret_to = from;
}

static bool any_common(const struct es_api_spans *a, const struct es_api_spans *b)
{
	for (size_t i = 0; i < a->count; i++) {
		size_t from, to;

		find_common(b->spans, b->count, &a->spans[i], &from, &to);
		if (from < to)
			return true;
	}
	return false;
}

static void widen(struct es_api_span *span, const struct es_api_span *by)
{
	int order = es_slice_cmp(by->end, span->end);

	if (es_slice_cmp(by->first, span->first) < 0)
		span->first = by->first;
	if (order > 0)
		span->has_end = by->has_end;
	else if (order == 0)
		span->has_end |= by->has_end;
	if (order > 0)
		span->end = by->end;
}

static int by_first(const void *a, const void *b)
{
	const struct es_api_span *x = a;
	const struct es_api_span *y = b;

	return es_slice_cmp(x->first, y->first);
}

/* Makes spans in any order what es_api_spans promises. */
static int settle(struct es_api_spans *set, bool common_allowed)
{
	size_t kept = 0;

	if (set->count > 1)
		qsort(set->spans, set->count, sizeof(*set->spans), by_first);
	for (size_t i = 0; i < set->count; i++) {
		if (kept == 0 || ends_before(&set->spans[kept - 1], set->spans[i].first))
			set->spans[kept++] = set->spans[i];
		else if (common_allowed)
			widen(&set->spans[kept - 1], &set->spans[i]);
		else
			return ES_EDUPLICATE_KEY;
	}
	set->count = kept;
	return 0;
}

static int reserve(struct es_api_spans *set, size_t more, struct es_arena *arena)
{
	struct es_api_span *spans;
	size_t cap = set->cap * 2;

	if (more <= set->cap - set->count)
		return 0;
	if (cap < set->count + more)
		cap = set->count + more;
	spans = es_arena_calloc(arena, cap, sizeof(*spans));
	if (spans == NULL)
		return ES_ENOMEM;
	if (set->count > 0)
		memcpy(spans, set->spans, set->count * sizeof(*spans));
	set->spans = spans;
	set->cap = cap;
	return 0;
}

/* `src` is used up. */
static int merge(struct es_api_spans *dst, const struct es_api_spans *src, bool common_allowed,
		 struct es_arena *arena)
{
	size_t all = dst->count + src->count;
	size_t low = dst->count; /* below it is what is still to be compared */
	size_t high = all;       /* from here on everything is in its place */

	if (dst->count == 0) {
		*dst = *src;
		return 0;
	}
	if (reserve(dst, src->count, arena) < 0)
		return ES_ENOMEM;
	for (size_t i = src->count; i-- > 0;) {
		struct es_api_span span = src->spans[i];
		size_t from, to;

		find_common(dst->spans, low, &span, &from, &to);
		if (from < to) {
			if (!common_allowed)
				return ES_EDUPLICATE_KEY;
			widen(&span, &dst->spans[from]);
			widen(&span, &dst->spans[to - 1]);
		}
		high -= low - to;
		if (to < low)
			memmove(dst->spans + high, dst->spans + to,
				(low - to) * sizeof(*dst->spans));
		/* The next one of `src` may have keys in common with it as well. */
		dst->spans[from] = span;
		low = from + 1;
	}
	if (high < all)
		memmove(dst->spans + low, dst->spans + high, (all - high) * sizeof(*dst->spans));
	dst->count = low + (all - high);
	return 0;
}

static int collect_nested(const struct es_wire_txn *txn, struct es_arena *arena,
			  struct es_api_writes *all)
{
	struct es_api_writes success;
	struct es_api_writes failure;
	int rc = es_api_writes_collect(txn->success, txn->success_count, arena, &success);

	if (rc == 0)
		rc = es_api_writes_collect(txn->failure, txn->failure_count, arena, &failure);
	if (rc == 0)
		rc = merge(&success.puts, &failure.puts, true, arena);
	if (rc == 0 && any_common(&success.puts, &all->deletes))
		rc = ES_EDUPLICATE_KEY;
	if (rc == 0)
		rc = merge(&all->puts, &success.puts, false, arena);
	if (rc == 0)
		rc = merge(&all->deletes, &success.deletes, true, arena);
	if (rc == 0)
		rc = merge(&all->deletes, &failure.deletes, true, arena);
	return rc;
}

static size_t count_kind(const struct es_wire_op *ops, size_t count, enum es_wire_op_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += ops[i].kind == kind;
	return n;
}

static int own_deletes(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
		       struct es_api_spans *set)
{
	if (reserve(set, count_kind(ops, count, ES_WIRE_OP_DELETE), arena) < 0)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct es_wire_delete *del = &ops[i].u.del;

		if (ops[i].kind != ES_WIRE_OP_DELETE)
			continue;
		if (del->range_end.len == 0)
			set->spans[set->count++] = (struct es_api_span){del->key, del->key, true};
		else if (es_slice_cmp(del->key, del->range_end) < 0)
			set->spans[set->count++] = (struct es_api_span){del->key, del->range_end,
									false};
	}
	return settle(set, true);
}

static int own_puts(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
		    struct es_api_spans *set)
{
	if (reserve(set, count_kind(ops, count, ES_WIRE_OP_PUT), arena) < 0)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].kind == ES_WIRE_OP_PUT)
			set->spans[set->count++] = (struct es_api_span){ops[i].u.put.key,
									ops[i].u.put.key, true};
	}
	return settle(set, false);
}

int es_api_writes_collect(const struct es_wire_op *ops, size_t count, struct es_arena *arena,
			  struct es_api_writes *ret_writes)
{
	struct es_api_writes all = {0};
	struct es_api_spans own = {0};
	int rc = own_deletes(ops, count, arena, &all.deletes);

	for (size_t i = 0; i < count && rc == 0; i++) {
		if (ops[i].kind == ES_WIRE_OP_TXN)
			rc = collect_nested(ops[i].u.txn, arena, &all);
	}
	if (rc == 0)
		rc = own_puts(ops, count, arena, &own);
	if (rc == 0 && any_common(&own, &all.deletes))
		rc = ES_EDUPLICATE_KEY;
	if (rc == 0)
		rc = merge(&all.puts, &own, false, arena);
	*ret_writes = all;
	return rc;
}
