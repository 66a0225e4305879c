#include "support.h"

#include "base/rng.h"
#include "disk/checkpoint_format.h"

/*
 * A store that changes at random beside its checkpoints, and what each checkpoint must give back:
 * `expect` is the digest of all that a reader can see at any revision that is not compacted.
 */
struct world {
	const struct es_mem *mem;
	struct es_rng rng;
	struct es_mvcc *store;
	char folder[256];
	struct es_checkpoint_files *files;
	struct es_mvcc_pin pin; /* at the revision of `files` */
	uint64_t index;
	uint8_t descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES];
	uint8_t expect[ES_BLAKE3_BYTES];
};

static void hash_number(struct es_blake3 *hasher, int64_t number)
{
	es_blake3_update(hasher, es_slice(&number, sizeof(number)));
}

static void hash_version(struct es_blake3 *hasher, const struct es_mvcc_version *version)
{
	struct es_mvcc_kv kv;

	es_mvcc_version_kv(version, &kv);
	hash_number(hasher, (int64_t)kv.key.len);
	es_blake3_update(hasher, kv.key);
	hash_number(hasher, (int64_t)kv.value.len);
	es_blake3_update(hasher, kv.value);
	hash_number(hasher, kv.create_revision);
	hash_number(hasher, kv.mod_revision);
	hash_number(hasher, kv.sub_revision);
	hash_number(hasher, kv.version);
	hash_number(hasher, kv.lease);
}

static void hash_history(struct es_mvcc *store, struct es_blake3 *hasher)
{
	int64_t revision = es_mvcc_revision(store);
	int64_t compacted = es_mvcc_compacted(store);
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event events[7];
	size_t n;

	while ((n = es_mvcc_history(store, &cursor, revision, events, 7)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (es_mvcc_hash_includes(store, events[i].version, revision, compacted))
				hash_version(hasher, events[i].version);
		}
	}
}

static void digest_of(struct es_mvcc *store, uint8_t ret_digest[ES_BLAKE3_BYTES])
{
	int64_t first = es_mvcc_compacted(store) > 1 ? es_mvcc_compacted(store) : 1;
	struct es_blake3 hasher;
	struct es_arena arena;

	es_blake3_init(&hasher);
	es_arena_init(&arena, es_mem_default(), 65536);
	hash_number(&hasher, es_mvcc_revision(store));
	hash_number(&hasher, es_mvcc_compacted(store));
	for (int64_t r = first; r <= es_mvcc_revision(store); r++) {
		struct es_mvcc_range_req req = {.range = {ES_SLICE("\0"), ES_SLICE("\0")},
						.revision = r};
		struct es_mvcc_range_res res;

		assert_int_equal(es_mvcc_range(store, &req, &arena, &res), 0);
		hash_number(&hasher, res.count);
		for (size_t i = 0; i < res.n; i++)
			hash_version(&hasher, res.versions[i]);
		es_arena_close(&arena);
	}
	hash_history(store, &hasher);
	es_blake3_final(&hasher, ret_digest);
}

static void change(struct world *w, size_t value_max)
{
	uint8_t *value = malloc(value_max);
	struct es_mvcc_op ops[4];
	char keys[4][40];
	struct es_mvcc_txn txn = {.success_count = 1 + es_rng_below(&w->rng, 4), .success = ops};
	const struct es_mvcc_txn_res *res;
	const struct es_mvcc_event *events;
	struct es_arena arena;
	size_t count;

	assert_non_null(value);
	memset(value, (int)es_rng_below(&w->rng, 256), value_max);
	for (size_t i = 0; i < txn.success_count; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu-%u", i,
			 (unsigned)es_rng_below(&w->rng, 12));
		if (es_rng_below(&w->rng, 3) == 0)
			ops[i] = (struct es_mvcc_op){
				.kind = ES_MVCC_OP_DELETE,
				.u.del = {.range = {es_slice_str(keys[i]), es_slice(NULL, 0)}},
			};
		else
			ops[i] = (struct es_mvcc_op){
				.kind = ES_MVCC_OP_PUT,
				.u.put = {.key = es_slice_str(keys[i]),
					  .value = es_slice(value,
							    es_rng_below(&w->rng, value_max)),
					  .lease = es_rng_below(&w->rng, 4) == 0
							   ? (int64_t)es_rng_next(&w->rng)
							   : 0},
			};
	}
	es_arena_init(&arena, es_mem_default(), 4096);
	assert_int_equal(es_mvcc_txn_apply(w->store, &txn, NULL, &arena, &res, &events, &count), 0);
	es_arena_close(&arena);
	free(value);
}

static void maybe_compact(struct world *w)
{
	int64_t newest = es_mvcc_revision(w->store);
	int64_t low = es_mvcc_compacted(w->store) > 0 ? es_mvcc_compacted(w->store) : 0;

	if (es_rng_below(&w->rng, 6) == 0 && newest > low + 1)
		assert_int_equal(
			es_mvcc_compact(
				w->store,
				low + 1 + (int64_t)es_rng_below(&w->rng, (uint64_t)(newest - low))),
			0);
	es_mvcc_compact_step(w->store, es_rng_below(&w->rng, 50));
}

static void world_open(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->mem = es_mem_default();
	es_rng_init(&w->rng, seed);
	s_temporary(w->folder);
	assert_int_equal(es_mvcc_new(w->mem, &w->store), 0);
}

static void world_forget_files(struct world *w)
{
	if (w->files != NULL)
		es_mvcc_unpin(w->store, &w->pin);
	es_checkpoint_files_free(w->files);
	w->files = NULL;
}

static void world_close(struct world *w)
{
	world_forget_files(w);
	es_mvcc_free(w->store);
	s_remove(w->folder);
}

static void state_of(struct world *w, struct es_checkpoint_state *ret_state)
{
	*ret_state = (struct es_checkpoint_state){
		.cluster_id = 77,
		.index = ++w->index,
		.term = 3,
		.revision = es_mvcc_revision(w->store),
		.compacted = es_mvcc_compacted(w->store),
		.chain = {1, 2, 3},
		.meta = ES_SLICE("leases and such"),
	};
}

/* Everything in one go. */
static int write_all(struct world *w, const struct es_mem *mem, const struct es_fs *fs,
		     bool changes, uint8_t descriptor[ES_CHECKPOINT_DESCRIPTOR_BYTES],
		     struct es_checkpoint_files **ret_files)
{
	struct es_checkpoint_writer *writer = NULL;
	struct es_checkpoint_state state;
	struct es_mvcc_pin pin;
	bool done = false;
	int rc;

	state_of(w, &state);
	es_mvcc_pin(w->store, 0, &pin);
	rc = es_checkpoint_writer_new(mem, fs, w->folder, &state, w->store, w->files, true,
				      &writer);
	while (rc == 0 && !done) {
		if (changes) {
			change(w, 100);
			maybe_compact(w);
		}
		rc = es_checkpoint_fill(writer, &done);
		if (rc == 0)
			rc = es_checkpoint_flush(writer);
	}
	es_mvcc_unpin(w->store, &pin);
	if (rc == 0)
		rc = es_checkpoint_commit(writer, descriptor);
	if (rc == 0)
		*ret_files = es_checkpoint_take_files(writer);
	if (rc < 0 && writer != NULL) {
		assert_string_not_equal(es_checkpoint_error(writer), "");
	}
	es_checkpoint_writer_free(writer);
	return rc;
}

static void checkpoint(struct world *w, bool changes)
{
	struct es_checkpoint_files *files;

	digest_of(w->store, w->expect);
	assert_int_equal(write_all(w, w->mem, es_fs_posix(), changes, w->descriptor, &files), 0);
	world_forget_files(w);
	w->files = files;
	es_mvcc_pin(w->store, es_checkpoint_files_revision(files), &w->pin);
}

static int load(struct world *w, const struct es_mem *mem, const struct es_fs *fs,
		struct es_mvcc *store, struct es_checkpoint_files **ret_files, char errmsg[1024])
{
	struct es_checkpoint_state state;
	struct es_buf meta;
	int rc;

	es_buf_init(&meta, mem);
	errmsg[0] = '\0';
	rc = es_checkpoint_load(mem, fs, w->folder, es_slice(w->descriptor, sizeof(w->descriptor)),
				store, &state, &meta, ret_files, errmsg, 1024);
	if (rc == 0) {
		assert_int_equal(state.cluster_id, 77);
		assert_int_equal(state.index, w->index);
		assert_int_equal(state.term, 3);
		assert_int_equal(state.chain[2], 3);
		assert_true(es_slice_eq(state.meta, ES_SLICE("leases and such")));
		assert_int_equal(state.revision, es_mvcc_revision(store));
	} else {
		assert_string_not_equal(errmsg, "");
	}
	es_buf_close(&meta);
	return rc;
}

static void expect_loads(struct world *w, struct es_mvcc **ret_store,
			 struct es_checkpoint_files **ret_files)
{
	uint8_t digest[ES_BLAKE3_BYTES];
	struct es_mvcc *store;
	char errmsg[1024];

	assert_int_equal(es_mvcc_new(w->mem, &store), 0);
	if (load(w, w->mem, es_fs_posix(), store, ret_files, errmsg) != 0)
		fail_msg("%s", errmsg);
	es_mvcc_check(store);
	digest_of(store, digest);
	assert_memory_equal(digest, w->expect, sizeof(digest));
	while (es_mvcc_compact_step(store, 1000))
		;
	es_mvcc_check(store);
	digest_of(store, digest);
	assert_memory_equal(digest, w->expect, sizeof(digest));
	*ret_store = store;
}

static void any_history_comes_back(void **state)
{
	size_t bases = 0, additions = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct world w;

		world_open(&w, seed);
		for (int round = 0; round < 12; round++) {
			struct es_checkpoint_files *files;
			struct es_mvcc *store;
			uint64_t n = es_rng_below(&w.rng, 30);

			for (uint64_t i = 0; i < n; i++) {
				change(&w, 100);
				maybe_compact(&w);
			}
			checkpoint(&w, es_rng_below(&w.rng, 2) == 0);
			*(es_checkpoint_files_count(w.files) > 1 ? &additions : &bases) += 1;
			assert_int_equal(
				es_checkpoint_sweep(w.mem, es_fs_posix(), w.folder,
						    es_slice(w.descriptor, sizeof(w.descriptor))),
				0);
			expect_loads(&w, &store, &files);
			if (es_rng_below(&w.rng, 4) == 0) { /* a restart */
				world_forget_files(&w);
				es_mvcc_free(w.store);
				w.store = store;
				w.files = files;
				es_mvcc_pin(w.store, es_checkpoint_files_revision(files), &w.pin);
			} else {
				es_checkpoint_files_free(files);
				es_mvcc_free(store);
			}
		}
		world_close(&w);
	}
	assert_true(bases > 50 && additions > 50);
}

/* The trap of additions: a deletion whose tombstone a compaction freed before the next checkpoint.
 */
static void a_deleted_key_stays_deleted(void **state)
{
	struct es_mvcc_op put = {.kind = ES_MVCC_OP_PUT,
				 .u.put = {.key = ES_SLICE("a"), .value = ES_SLICE("1")}};
	struct es_mvcc_op del = {.kind = ES_MVCC_OP_DELETE,
				 .u.del = {.range = {ES_SLICE("a"), ES_SLICE("")}}};
	struct es_mvcc_op other = {.kind = ES_MVCC_OP_PUT,
				   .u.put = {.key = ES_SLICE("b"), .value = ES_SLICE("2")}};
	const struct es_mvcc_op *ops[] = {&put, &other, NULL, &del, &other, NULL};
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	struct world w;

	(void)state;
	world_open(&w, 1);
	for (size_t i = 0; i < 6; i++) {
		struct es_mvcc_txn txn = {.success_count = 1, .success = ops[i]};
		const struct es_mvcc_txn_res *res;
		const struct es_mvcc_event *events;
		struct es_arena arena;
		size_t n;

		if (ops[i] == NULL) {
			assert_true(i == 2 ||
				    es_mvcc_compact(w.store, es_mvcc_revision(w.store)) == 0);
			while (es_mvcc_compact_step(w.store, 100))
				;
			checkpoint(&w, false);
			continue;
		}
		es_arena_init(&arena, w.mem, 1024);
		assert_int_equal(es_mvcc_txn_apply(w.store, &txn, NULL, &arena, &res, &events, &n),
				 0);
		es_arena_close(&arena);
	}
	assert_int_equal(es_checkpoint_files_count(w.files), 2);
	expect_loads(&w, &store, &files);
	assert_null(es_mvcc_get(store, ES_SLICE("a")));
	assert_int_equal(es_mvcc_versions(store), 1);
	es_checkpoint_files_free(files);
	es_mvcc_free(store);
	world_close(&w);
}

/* The same few keys written over and over, with compaction: the files stay near the size of the
 * state. */
static void files_stay_in_proportion(void **state)
{
	uint64_t largest = 0;
	struct world w;

	(void)state;
	world_open(&w, 9);
	for (int round = 0; round < 150; round++) {
		for (int i = 0; i < 20; i++)
			change(&w, 1000);
		if (es_mvcc_revision(w.store) - 1 > es_mvcc_compacted(w.store))
			assert_int_equal(es_mvcc_compact(w.store, es_mvcc_revision(w.store) - 1),
					 0);
		while (es_mvcc_compact_step(w.store, 1000))
			;
		checkpoint(&w, false);
		if (es_checkpoint_files_bytes(w.files) > largest)
			largest = es_checkpoint_files_bytes(w.files);
		assert_true(es_checkpoint_files_count(w.files) <= 65);
	}
	assert_true(largest < 300000); /* 48 keys of up to 1000 bytes, and what was written since */
	world_close(&w);
}

static void large_values_have_blocks_of_their_own(void **state)
{
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	struct world w;

	(void)state;
	world_open(&w, 3);
	for (int i = 0; i < 40; i++)
		change(&w, 1u << 20);
	checkpoint(&w, false);
	assert_true(w.files->files[0].blocks > 10);
	expect_loads(&w, &store, &files);
	es_checkpoint_files_free(files);
	es_mvcc_free(store);
	world_close(&w);
}

static void an_empty_store_is_a_checkpoint_too(void **state)
{
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	struct world w;

	(void)state;
	world_open(&w, 1);
	checkpoint(&w, false);
	assert_int_equal(es_checkpoint_files_count(w.files), 0);
	expect_loads(&w, &store, &files);
	es_checkpoint_files_free(files);
	es_mvcc_free(store);
	world_close(&w);
}

/* Files of format 1 stay readable: these bytes are never to change. */
static void the_format_is_the_documented_one(void **state)
{
	static const struct es_mvcc_kv versions[] = {
		{.key = ES_SLICE("a"),
		 .value = ES_SLICE("one"),
		 .create_revision = 2,
		 .mod_revision = 2,
		 .version = 1},
		{.key = ES_SLICE("a"), .mod_revision = 300},
		{.key = ES_SLICE("b"),
		 .value = ES_SLICE("2"),
		 .create_revision = 300,
		 .mod_revision = 300,
		 .sub_revision = 1,
		 .version = 1,
		 .lease = 0x1234},
	};
	static const uint8_t payload[] = {0,   2,   0,    1, 'a',  0,    1,   3,  'o', 'n',
					  'e', 1,   0xaa, 2, 0,    1,    'a', 2,  0,   1,
					  1,   'b', 0,    1, 0xb4, 0x24, 1,   '2'};
	struct es_checkpoint_files *files;
	char name[ES_CHECKPOINT_NAME_BYTES];
	uint8_t *data;
	struct world w;
	size_t len;

	(void)state;
	world_open(&w, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(es_mvcc_restore(w.store, &versions[i]), 0);
	assert_int_equal(es_mvcc_restore_end(w.store, 300, -1), 0);
	assert_int_equal(write_all(&w, w.mem, es_fs_posix(), false, w.descriptor, &files), 0);
	es_checkpoint_versions_name(1, name);
	assert_string_equal(name, "0000000000000001.versions");
	data = s_read(w.folder, name, &len);
	assert_int_equal(len, 96 + sizeof(payload));
	assert_memory_equal(data, "estvers\0\1\0\0\0\0\0\0\0\115\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0",
			    32);
	assert_int_equal(es_load_u32le(data + 48), sizeof(payload));
	assert_int_equal(es_load_u32le(data + 52), 3);
	assert_memory_equal(data + 96, payload, sizeof(payload));
	free(data);
	data = s_read(w.folder, "0000000000000001.manifest", &len);
	assert_int_equal(len, 96 + 80 + strlen("leases and such"));
	assert_memory_equal(data, "estmanif\1\0\0\0\1\0\0\0\115\0\0\0\0\0\0\0", 24);
	assert_memory_equal(data + 176, "leases and such", 15);
	free(data);
	assert_memory_equal(w.descriptor, "estckpt\1\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 24);
	es_checkpoint_files_free(files);
	world_close(&w);
}

/* ---- damage ---------------------------------------------------------------------------------- */

struct names {
	char name[8][ES_CHECKPOINT_NAME_BYTES];
	size_t n;
};

static int note_name(void *arg, const char *name)
{
	struct names *names = arg;

	assert_true(names->n < 8);
	snprintf(names->name[names->n++], ES_CHECKPOINT_NAME_BYTES, "%s", name);
	return 0;
}

static void expect_damage(struct world *w, const char *name, const char *what, size_t at)
{
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	char errmsg[1024];
	int rc;

	assert_int_equal(es_mvcc_new(w->mem, &store), 0);
	rc = load(w, w->mem, es_fs_posix(), store, &files, errmsg);
	if (rc != ES_ECORRUPT && rc != ES_ETRUNCATED && rc != ES_EFORMAT)
		fail_msg("%s %s at %zu: %d", name, what, at, rc);
	if (strstr(errmsg, name) == NULL || strstr(errmsg, w->folder) == NULL)
		fail_msg("%s %s at %zu: %s", name, what, at, errmsg);
	es_mvcc_free(store);
}

static void every_flipped_byte_and_every_cut_is_named(void **state)
{
	struct names names = {.n = 0};
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	struct world w;

	(void)state;
	world_open(&w, 11);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 6; i++)
			change(&w, 20);
		checkpoint(&w, false);
	}
	assert_int_equal(es_checkpoint_files_count(w.files), 2);
	assert_int_equal(es_checkpoint_sweep(w.mem, es_fs_posix(), w.folder,
					     es_slice(w.descriptor, sizeof(w.descriptor))),
			 0);
	assert_int_equal(es_fs_posix()->list(NULL, w.folder, note_name, &names), 0);
	assert_int_equal(names.n, 3);
	for (size_t f = 0; f < names.n; f++) {
		size_t len;
		uint8_t *data = s_read(w.folder, names.name[f], &len);

		for (size_t i = 0; i < len; i++) {
			data[i] ^= (uint8_t)(1u << i % 8);
			s_write(w.folder, names.name[f], data, len);
			expect_damage(&w, names.name[f], "flipped", i);
			data[i] ^= (uint8_t)(1u << i % 8);
		}
		for (size_t i = 0; i < len; i++) {
			s_write(w.folder, names.name[f], data, i);
			expect_damage(&w, names.name[f], "cut", i);
		}
		data[len] = 0;
		s_write(w.folder, names.name[f], data, len + 1);
		expect_damage(&w, names.name[f], "longer", len);
		s_write(w.folder, names.name[f], data, len);
		free(data);
	}
	for (size_t i = 0; i < sizeof(w.descriptor); i++) {
		w.descriptor[i] ^= 0x10;
		expect_damage(&w, "descriptor", "flipped", i);
		w.descriptor[i] ^= 0x10;
	}
	expect_loads(&w, &store, &files); /* and whole it is fine */
	es_checkpoint_files_free(files);
	es_mvcc_free(store);
	for (size_t f = 0; f < names.n; f++) {
		char path[512], away[600];

		snprintf(path, sizeof(path), "%s/%s", w.folder, names.name[f]);
		snprintf(away, sizeof(away), "%s.away", path);
		assert_int_equal(rename(path, away), 0);
		assert_int_equal(es_mvcc_new(w.mem, &store), 0);
		{
			char errmsg[1024];

			assert_int_equal(load(&w, w.mem, es_fs_posix(), store, &files, errmsg),
					 ES_ENOENT);
			assert_non_null(strstr(errmsg, names.name[f]));
		}
		es_mvcc_free(store);
		assert_int_equal(rename(away, path), 0);
	}
	world_close(&w);
}

static int count_leftover(void *arg, const char *name)
{
	if (strstr(name, ".tmp") != NULL)
		++*(int *)arg;
	return 0;
}

static void a_failing_disk_leaves_the_last_checkpoint(void **state)
{
	static const int errors[] = {EIO, ENOSPC};
	uint8_t last[ES_CHECKPOINT_DESCRIPTOR_BYTES], ignored[ES_CHECKPOINT_DESCRIPTOR_BYTES];
	struct es_checkpoint_files *files;
	struct es_mvcc *store;
	struct world w;

	(void)state;
	world_open(&w, 21);
	for (int i = 0; i < 30; i++)
		change(&w, 50);
	checkpoint(&w, false);
	memcpy(last, w.descriptor, sizeof(last));
	for (int i = 0; i < 10; i++)
		change(&w, 50);
	for (uint64_t n = 0;; n++) {
		uint64_t index = w.index;
		struct fault_fs f;
		int leftover = 0;
		int rc;

		fault_fs_init(&f, n, errors[n % 2]);
		rc = write_all(&w, w.mem, &f.fs, false, ignored, &files);
		assert_int_equal(f.open_files, 0);
		assert_int_equal(rc, f.fired ? es_fs_status(errors[n % 2]) : 0);
		assert_int_equal(es_fs_posix()->list(NULL, w.folder, count_leftover, &leftover), 0);
		assert_int_equal(leftover, 0);
		if (rc == 0) {
			es_checkpoint_files_free(files);
			assert_true(n > 10);
			break;
		}
		w.index = index;
		expect_loads(&w, &store, &files); /* the last one */
		es_checkpoint_files_free(files);
		es_mvcc_free(store);
	}
	/* What came of the failures goes with a sweep. */
	assert_int_equal(
		es_checkpoint_sweep(w.mem, es_fs_posix(), w.folder, es_slice(last, sizeof(last))),
		0);
	{
		struct names names = {.n = 0};

		assert_int_equal(es_fs_posix()->list(NULL, w.folder, note_name, &names), 0);
		assert_int_equal(names.n, 2);
	}
	w.index = 1;
	for (uint64_t n = 0;; n++) {
		char errmsg[1024];
		struct fault_fs f;
		int rc;

		fault_fs_init(&f, n, EIO);
		assert_int_equal(es_mvcc_new(w.mem, &store), 0);
		rc = load(&w, w.mem, &f.fs, store, &files, errmsg);
		assert_int_equal(f.open_files, 0);
		es_mvcc_free(store);
		if (rc == 0)
			es_checkpoint_files_free(files);
		if (!f.fired)
			break;
		assert_true(rc == 0 || rc == ES_EIO); /* closing after reading may fail */
	}
	world_close(&w);
}

static void out_of_memory_at_any_point(void **state)
{
	struct es_checkpoint_files *files;
	struct world w;

	(void)state;
	world_open(&w, 31);
	for (int i = 0; i < 5; i++)
		change(&w, 50);
	checkpoint(&w, false);
	for (uint64_t n = 0;; n++) {
		uint8_t ignored[ES_CHECKPOINT_DESCRIPTOR_BYTES];
		uint64_t index = w.index;
		struct es_fault_mem fault;
		int rc;

		es_fault_mem_init(&fault, n);
		rc = write_all(&w, &fault.mem, es_fs_posix(), false, ignored, &files);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		if (rc == 0)
			es_checkpoint_files_free(files);
		assert_int_equal(fault.live, 0);
		w.index = index;
		if (!fault.fired)
			break;
	}
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_mvcc *store = NULL;
		char errmsg[1024];
		int rc;

		es_fault_mem_init(&fault, n);
		rc = es_mvcc_new(&fault.mem, &store);
		if (rc == 0)
			rc = load(&w, &fault.mem, es_fs_posix(), store, &files, errmsg);
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		if (rc == 0)
			es_checkpoint_files_free(files);
		es_mvcc_free(store);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
	world_close(&w);
}

static void a_sweep_leaves_foreign_files(void **state)
{
	struct names names = {.n = 0};
	struct world w;

	(void)state;
	world_open(&w, 1);
	s_write(w.folder, "0000000000000001.manifest", "x", 1);
	s_write(w.folder, "0000000000000001.versions.tmp", "x", 1);
	s_write(w.folder, "0000000000000001.notes", "x", 1);
	s_write(w.folder, "README", "x", 1);
	assert_int_equal(es_checkpoint_sweep(w.mem, es_fs_posix(), w.folder, es_slice(NULL, 0)), 0);
	assert_int_equal(es_fs_posix()->list(NULL, w.folder, note_name, &names), 0);
	assert_int_equal(names.n, 2);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_comes_back),
		cmocka_unit_test(a_deleted_key_stays_deleted),
		cmocka_unit_test(files_stay_in_proportion),
		cmocka_unit_test(large_values_have_blocks_of_their_own),
		cmocka_unit_test(an_empty_store_is_a_checkpoint_too),
		cmocka_unit_test(the_format_is_the_documented_one),
		cmocka_unit_test(every_flipped_byte_and_every_cut_is_named),
		cmocka_unit_test(a_failing_disk_leaves_the_last_checkpoint),
		cmocka_unit_test(out_of_memory_at_any_point),
		cmocka_unit_test(a_sweep_leaves_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
