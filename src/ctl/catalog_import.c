/*
 * A catalog file into a live store. Of each kind what the store holds is read first, and of each resource only its
 * version and a hash are kept; what is alike is not written. The rest goes in transactions of a batch, each under the
 * condition that nothing of it has changed since it was read: so a run may stop anywhere, and the next one goes on with
 * what is missing.
 *
 * Alike is what a put would leave alone: resourceVersion and generation are the store's, uid and creationTimestamp of a
 * resource that is there stay as they are, and what the store fills in counts as if the file had it: so does the status
 * of a Pod, which is filled in only when it is created, and so do managedFields, which stay when the file has none.
 *
 * A resource that is being deleted and has no finalizers left is gone: to put it over another would delete that one, so
 * it is refused.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ctl/args.h"
#include "ctl/target.h"
#include "disk/catalog_file.h"
#include "resource/catalog.h"
#include "resource/pod.h"
#include "resource/rules.h"

enum {
	ERRMSG_MAX = 1536,
	BATCH_DEFAULT = 100,
	BATCH_MAX = 10000,
	BATCH_BYTES_MAX =
		1 << 20, /* members take requests of 1.5 MiB, unless they were told otherwise */
	HASH_BYTES = 32,
};

/* What the store holds of one kind, in key order. */
struct held {
	struct es_resource_key key;
	int64_t mod_revision;
	uint8_t hash[HASH_BYTES];
	uint8_t unowned[HASH_BYTES]; /* without managedFields */
};

/* A resource that is to be written. */
struct pending {
	struct es_resource_key key;
	struct es_slice value;
	int64_t mod_revision; /* 0: it is not there */
};

struct import {
	struct es_ctl_store store;
	struct es_slice bytes;
	struct es_catalog_reader reader;
	size_t batch;
	struct es_arena held_arena; /* of one kind */
	struct es_buf held;
	struct es_arena batch_arena;
	struct es_buf pending;
	size_t pending_bytes;
	uint64_t done, written, equal, failed;
	struct es_ctl_progress progress;
};

/* ---- what is alike ------------------------------------------------------------------------- */

static const char *const not_compared[] = {"resourceVersion", "generation", "uid",
					   "creationTimestamp", "managedFields"};

/* With managedFields when it is `owned`. */
static int hash_value(const struct es_resource_key *key, struct es_json value, bool owned,
		      struct es_arena *arena, uint8_t ret_hash[HASH_BYTES])
{
	size_t count = sizeof(not_compared) / sizeof(not_compared[0]) - (owned ? 1 : 0);
	const struct es_json *metadata;
	struct es_json left;
	struct es_buf canonical;
	char errmsg[200];
	int rc = 0;

	/* What cannot be filled in will be refused by the store: until then it is as it is. */
	if (es_resource_fill_in(key, &value, ES_SLICE("1970-01-01T00:00:00Z"), arena, &left, errmsg,
				sizeof(errmsg)) == 0)
		value = left;
	metadata = es_json_get(&value, "metadata");
	if (es_json_is(metadata, ES_JSON_OBJECT)) {
		left = *metadata;
		for (size_t i = 0; rc == 0 && i < count; i++)
			rc = es_json_remove(arena, &left, es_slice_str(not_compared[i]), &left);
		if (rc == 0)
			rc = es_json_set(arena, &value, ES_SLICE("metadata"), &left, &value);
	}
	es_buf_init(&canonical, es_mem_default());
	if (rc == 0)
		rc = es_json_write(&canonical, &value);
	if (rc == 0)
		es_blake3(es_buf_slice(&canonical), ret_hash);
	es_buf_close(&canonical);
	return rc;
}

static bool is_owned(const struct es_json *object)
{
	const struct es_json *fields = es_json_get(es_json_get(object, "metadata"),
						   "managedFields");

	return fields != NULL && fields->type != ES_JSON_NULL;
}

enum likeness { ALIKE, DIFFERENT, GONE };

/* How the file's value is to the one that the store holds. ES_ENOMEM. */
static int judge(const struct es_resource_key *key, struct es_slice text, const struct held *held,
		 struct es_arena *arena, enum likeness *ret_likeness)
{
	struct es_json_error error;
	struct es_json value;
	uint8_t hash[HASH_BYTES];
	int rc = es_json_parse(text, ES_JSON_DEPTH_MAX, arena, &value, &error);
	bool alike = false, owned = rc == 0 && is_owned(&value);

	for (int created = 0; rc == 0 && !alike && created < 2; created++) {
		if (created)
			rc = es_resource_pod_created(key, arena, &value);
		if (rc == 0)
			rc = hash_value(key, value, owned, arena, hash);
		alike = rc == 0 &&
			memcmp(hash, owned ? held->hash : held->unowned, HASH_BYTES) == 0;
	}
	*ret_likeness = alike                                        ? ALIKE
			: rc == 0 && es_resource_is_released(&value) ? GONE
								     : DIFFERENT;
	return rc == ES_ENOMEM ? rc : 0;
}

/* ---- what the store holds ------------------------------------------------------------------ */

static int take_page(void *arg, const Engenho__V1__ListResponse *answer)
{
	struct import *m = arg;
	struct es_arena arena;
	int rc = 0;

	es_arena_init(&arena, es_mem_default(), 65536);
	for (size_t i = 0; rc == 0 && i < answer->n_items; i++) {
		struct es_ctl_item item = es_ctl_item_of(answer->items[i]);
		struct held held = {.key = item.key, .mod_revision = item.mod_revision};
		struct es_json_error error;
		struct es_json value;

		rc = es_json_parse(item.value, ES_JSON_DEPTH_MAX, &arena, &value, &error);
		if (rc == 0)
			rc = hash_value(&item.key, value, true, &arena, held.hash);
		if (rc == 0)
			rc = hash_value(&item.key, value, false, &arena, held.unowned);
		if (rc == ES_EDECODE) /* no resource: like nothing */
			rc = 0;
		if (rc == 0 && !(es_ctl_keep_text(&m->held_arena, &held.key.ns) &&
				 es_ctl_keep_text(&m->held_arena, &held.key.name)))
			rc = ES_ENOMEM;
		held.key.group = held.key.version = held.key.kind = es_slice(NULL, 0);
		if (rc == 0)
			rc = es_buf_append(&m->held, &held, sizeof(held));
		es_arena_reset(&arena);
	}
	es_arena_close(&arena);
	return rc < 0 ? es_ctl_out_of_memory() : ES_CTL_OK;
}

static int compare(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	return es_resource_key_cmp(&x->key, &y->key);
}

static int read_kind(struct import *m, const struct es_resource_key *key)
{
	Engenho__V1__ListRequest request = ENGENHO__V1__LIST_REQUEST__INIT;
	int status;

	es_arena_reset(&m->held_arena);
	m->held.len = 0;
	request.group = es_ctl_text(&m->held_arena, key->group);
	request.version = es_ctl_text(&m->held_arena, key->version);
	request.kind = es_ctl_text(&m->held_arena, key->kind);
	if (request.group == NULL || request.version == NULL || request.kind == NULL)
		return es_ctl_out_of_memory();
	status = es_ctl_list_pages(&m->store, &request, 0, take_page, m);
	if (m->held.len > 0)
		qsort(m->held.data, m->held.len / sizeof(struct held), sizeof(struct held),
		      compare);
	return status;
}

static const struct held *find(const struct import *m, const struct es_resource_key *key)
{
	struct held wanted = {.key = {.ns = key->ns, .name = key->name, .has_ns = key->has_ns}};

	if (m->held.len == 0)
		return NULL;
	return bsearch(&wanted, m->held.data, m->held.len / sizeof(struct held),
		       sizeof(struct held), compare);
}

/* ---- batches ------------------------------------------------------------------------------- */

static int build(struct import *m, const struct pending *p, size_t count,
		 Engenho__V1__TxnRequest *txn)
{
	Engenho__V1__Compare *compares = es_arena_calloc(&m->batch_arena, count, sizeof(*compares));
	Engenho__V1__Operation *ops = es_arena_calloc(&m->batch_arena, count, sizeof(*ops));

	txn->compares = es_arena_calloc(&m->batch_arena, count, sizeof(*txn->compares));
	txn->success = es_arena_calloc(&m->batch_arena, count, sizeof(*txn->success));
	if (compares == NULL || ops == NULL || txn->compares == NULL || txn->success == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		engenho__v1__compare__init(&compares[i]);
		engenho__v1__operation__init(&ops[i]);
		compares[i].key = ops[i].key = es_ctl_pb_key(&p[i].key, &m->batch_arena);
		if (ops[i].key == NULL)
			return ES_ENOMEM;
		if (p[i].mod_revision > 0) {
			compares[i].has_mod_revision_case =
				ENGENHO__V1__COMPARE__HAS_MOD_REVISION_MOD_REVISION;
			compares[i].mod_revision = p[i].mod_revision;
		}
		ops[i].has_value_case = ENGENHO__V1__OPERATION__HAS_VALUE_VALUE;
		ops[i].value = (ProtobufCBinaryData){p[i].value.len,
						     (uint8_t *)(uintptr_t)p[i].value.data};
		txn->compares[i] = &compares[i];
		txn->success[i] = &ops[i];
	}
	txn->n_compares = txn->n_success = count;
	return 0;
}

/* *ret_written: whether the condition held. Returns the exit status; the store's errmsg says why. */
static int send(struct import *m, const struct pending *p, size_t count, bool *ret_written)
{
	Engenho__V1__TxnRequest txn = ENGENHO__V1__TXN_REQUEST__INIT;
	const Engenho__V1__WriteResponse *answer;
	ProtobufCMessage *message;
	int status;

	if (build(m, p, count, &txn) < 0)
		return es_ctl_out_of_memory();
	status = es_ctl_call(&m->store, "Txn", &txn.base, &engenho__v1__write_response__descriptor,
			     &m->batch_arena, &message);
	if (status != ES_CTL_OK)
		return status;
	answer = (const Engenho__V1__WriteResponse *)message;
	*ret_written = answer->outcome == ENGENHO__V1__OUTCOME__REPLACED;
	return ES_CTL_OK;
}

/* One at a time, to tell which of a batch is the matter. */
static int send_each(struct import *m, const struct pending *p, size_t count)
{
	int status = ES_CTL_OK;

	for (size_t i = 0; i < count; i++) {
		bool written = false;
		int one = send(m, &p[i], 1, &written);

		if (one == ES_CTL_OK && !written)
			one = es_ctl_fail_key(ES_CTL_CONFLICT, "", &p[i].key,
					      "it has changed meanwhile: import again");
		else if (one != ES_CTL_OK)
			(void)es_ctl_fail_key(one, "", &p[i].key, m->store.errmsg);
		m->written += one == ES_CTL_OK;
		m->failed += one != ES_CTL_OK;
		status = es_ctl_worse(status, one);
		if (one == ES_CTL_UNAVAILABLE)
			break;
	}
	return status;
}

static int flush(struct import *m)
{
	const struct pending *p = (const struct pending *)(const void *)m->pending.data;
	size_t count = m->pending.len / sizeof(*p);
	bool written = false;
	int status = ES_CTL_OK;

	if (count == 0)
		return ES_CTL_OK;
	status = send(m, p, count, &written);
	if (status == ES_CTL_OK && written)
		m->written += count;
	else if (status == ES_CTL_UNAVAILABLE)
		(void)es_ctl_fail("%s (import again: it goes on where it stopped)",
				  m->store.errmsg);
	else
		status = send_each(m, p, count);
	m->pending.len = 0;
	m->pending_bytes = 0;
	es_arena_reset(&m->batch_arena);
	return status;
}

/* ---- the file ------------------------------------------------------------------------------ */

static int take(struct import *m, const struct es_resource_key *key, struct es_slice value)
{
	struct pending p = {.key = *key, .value = value};
	const struct held *held = find(m, key);
	enum likeness likeness = DIFFERENT;
	struct es_arena arena;
	int rc;

	es_arena_init(&arena, es_mem_default(), 16384);
	rc = held == NULL ? 0 : judge(key, value, held, &arena, &likeness);
	es_arena_close(&arena);
	if (rc < 0)
		return es_ctl_out_of_memory();
	if (likeness == ALIKE) {
		m->equal++;
		return ES_CTL_OK;
	}
	if (likeness == GONE) {
		m->failed++;
		return es_ctl_fail_key(ES_CTL_INVALID, "", key,
				       "it has a deletionTimestamp and no finalizers: to put it "
				       "would delete the one that is there");
	}
	p.mod_revision = held == NULL ? 0 : held->mod_revision;
	if (!es_ctl_keep_text(&m->batch_arena, &p.key.group) ||
	    !es_ctl_keep_text(&m->batch_arena, &p.key.version) ||
	    !es_ctl_keep_text(&m->batch_arena, &p.key.kind) ||
	    !es_ctl_keep_text(&m->batch_arena, &p.key.ns) ||
	    !es_ctl_keep_text(&m->batch_arena, &p.key.name) ||
	    es_buf_append(&m->pending, &p, sizeof(p)) < 0)
		return es_ctl_out_of_memory();
	m->pending_bytes += value.len + 1024;
	return ES_CTL_OK;
}

static bool goes_on(int status)
{
	return status == ES_CTL_OK || status == ES_CTL_CONFLICT || status == ES_CTL_INVALID;
}

static int all_resources(struct import *m)
{
	struct es_resource_key keys[2]; /* the last one lives until the next but one */
	int status = ES_CTL_OK, one = ES_CTL_OK, rc = 0;
	struct es_slice value;
	bool first = true;
	unsigned n = 0;

	while (goes_on(one) && (rc = es_catalog_next(&m->reader, &keys[n], &value)) > 0) {
		one = ES_CTL_OK;
		if (first || !es_ctl_same_kind(&keys[0], &keys[1]))
			one = read_kind(m, &keys[n]);
		if (one == ES_CTL_OK && m->pending.len > 0 &&
		    (m->pending.len / sizeof(struct pending) >= m->batch ||
		     m->pending_bytes + value.len + 1024 > BATCH_BYTES_MAX))
			one = flush(m);
		status = es_ctl_worse(status, one);
		if (goes_on(one))
			one = take(m, &keys[n], value);
		status = es_ctl_worse(status, one);
		es_ctl_progress(&m->progress, ++m->done, m->reader.info.resources);
		first = false;
		n ^= 1;
	}
	if (rc < 0)
		return es_ctl_out_of_memory();
	return goes_on(one) ? es_ctl_worse(status, flush(m)) : status;
}

static int import_file(struct import *m, const char *path)
{
	enum es_catalog_error error = ES_CATALOG_IO;
	char errmsg[ERRMSG_MAX];
	int status;

	if (es_catalog_load(es_fs_posix(), es_mem_default(), path, &m->bytes, errmsg,
			    sizeof(errmsg)) == 0)
		error = es_catalog_open(&m->reader, m->bytes, es_mem_default(), errmsg,
					sizeof(errmsg));
	if (error != ES_CATALOG_OK)
		return es_ctl_fail("%s: %s", es_catalog_error_name(error), errmsg);
	status = es_ctl_store_open(m->store.options, &m->store);
	if (status == ES_CTL_OK) {
		status = all_resources(m);
		es_ctl_progress_end(&m->progress);
		(void)printf("%" PRIu64 " of %" PRIu64 " resources: %" PRIu64 " written, %" PRIu64
			     " there already, %" PRIu64 " failed\n",
			     m->written + m->equal + m->failed, m->reader.info.resources,
			     m->written, m->equal, m->failed);
		es_ctl_store_close(&m->store);
	}
	es_catalog_close(&m->reader);
	return status;
}

static int run(const struct es_ctl_options *options, int argc, char **argv)
{
	const char *batch = NULL;
	const struct es_ctl_flag flags[] = {{.name = "--batch", .value = &batch}, {0}};
	struct import m = {.store.options = options, .progress = {.what = "importing"}};
	int64_t number = BATCH_DEFAULT;
	int status;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	if (batch != NULL &&
	    !es_ctl_parse_number("--batch is a number of resources, not ", batch, &number))
		return ES_CTL_USAGE;
	if (number < 1 || number > BATCH_MAX)
		return es_ctl_usage("--batch is from 1 to 10000, not ", batch);
	if (argc != 1)
		return argc == 0 ? es_ctl_usage("which FILE?", "")
				 : es_ctl_usage("unexpected argument: ", argv[1]);
	m.batch = (size_t)number;
	es_arena_init(&m.held_arena, es_mem_default(), 65536);
	es_arena_init(&m.batch_arena, es_mem_default(), 65536);
	es_buf_init(&m.held, es_mem_default());
	es_buf_init(&m.pending, es_mem_default());
	status = import_file(&m, argv[0]);
	es_buf_close(&m.pending);
	es_buf_close(&m.held);
	es_arena_close(&m.batch_arena);
	es_arena_close(&m.held_arena);
	es_free(es_mem_default(), (void *)(uintptr_t)m.bytes.data);
	return status;
}

const struct es_ctl_verb es_ctl_catalog_import = {
	.name = "catalog import",
	.operands = "FILE [--batch N]",
	.brief = "put all resources of a catalog file into a live store",
	.more = "Resources that the store has already, alike in everything but what it stamps, are "
		"passed over; those that\n"
		"differ are replaced; what the file has not got stays. One that is being deleted "
		"and has no finalizers is refused\n"
		"(exit status 5) where the store has it: to put it would delete it there. Each "
		"batch is one "
		"transaction, and none overwrites\n"
		"what has changed since it was read. It may be stopped at any time: the next run "
		"goes on with the rest.\n"
		"  --batch N             resources in a transaction (default: 100; members take "
		"128 unless told otherwise)\n",
	.example = "engenhoctl catalog import backup/catalog.snap",
	.run = run,
};
