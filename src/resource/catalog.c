/*
 * Reading and writing catalog files.
 *
 * A file may be large, and may come from anybody. So the payload is never made into one value: a cursor goes over it
 * once, checks everything and notes what is outside the resources; then it goes again from the first resource, as the
 * caller asks for them. A copy of the cursor is a place to come back to. Only names and keys with escapes are copied,
 * and those from memory that has a limit.
 *
 * Files that we write have their resources in key order, each once. For others the places of the resources are
 * sorted, by a merge sort, as it is stable: the last of equal ones is the one that counts. Keys are read anew for
 * each comparison, one for each step of a merge.
 *
 * C1. Nothing of the payload is looked at before its hash was found right.
 * C2. What is handed out was checked in the first pass; a later pass can only fail for lack of memory.
 */
#include "resource/catalog.h"

#include "base/assert.h"
#include "base/hash.h"
#include "resource/util.h"

#define MAGIC       "engenho-catalog-snapshot v1\n"
#define MAGIC_BYTES (sizeof(MAGIC) - 1)

const char *es_catalog_error_name(enum es_catalog_error error)
{
	switch (error) {
	case ES_CATALOG_OK: return "ok";
	case ES_CATALOG_IO: return "io";
	case ES_CATALOG_TRUNCATED: return "truncated";
	case ES_CATALOG_BAD_MAGIC: return "bad_magic";
	case ES_CATALOG_HASH_MISMATCH: return "hash_mismatch";
	case ES_CATALOG_DECODE: return "decode";
	case ES_CATALOG_ENCODE: return "encode";
	case ES_CATALOG_NO_MEMORY: break;
	}
	return "no_memory";
}

/* ---- memory with a limit ------------------------------------------------------------------- */

static void *small_alloc(void *ctx, size_t size)
{
	struct es_catalog_mem *small = ctx;

	if (size > ES_CATALOG_NAME_BYTES_MAX + 256) { /* an arena's chunk has a head */
		small->refused = true;
		return NULL;
	}
	return small->from->alloc(small->from->ctx, size);
}

static void *small_realloc(void *ctx, void *pointer, size_t size)
{
	struct es_catalog_mem *small = ctx;

	return small->from->realloc(small->from->ctx, pointer, size);
}

static void small_free(void *ctx, void *pointer)
{
	struct es_catalog_mem *small = ctx;

	small->from->free(small->from->ctx, pointer);
}

/* ---- shape --------------------------------------------------------------------------------- */

/* The text is JSON but not what it should be. */
static int misshapen(struct es_catalog_reader *reader, size_t offset, const char *what)
{
	reader->error = (struct es_json_error){offset, what};
	return ES_EDECODE;
}

/* The members of an object that count, each at most once. */
struct members {
	const char *const *names;
	unsigned count;
	unsigned seen; /* bits */
};

/* 1: a member that counts, which one is in *ret_which, and its value is next; 0: the end. Others are passed over. */
static int next_member(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		       struct members *members, unsigned *ret_which)
{
	struct es_slice name;
	unsigned i;
	int rc;

	while ((rc = es_json_next_member(cursor, &reader->names, &name)) > 0) {
		for (i = 0; i < members->count; i++)
			if (es_slice_eq(name, es_slice_str(members->names[i])))
				break;
		es_arena_reset(&reader->names);
		if (i < members->count) {
			if ((members->seen & 1u << i) != 0)
				return misshapen(reader, cursor->offset,
						 "a member that was there before");
			members->seen |= 1u << i;
			*ret_which = i;
			return 1;
		}
		rc = es_json_skip(cursor, NULL);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int read_u64(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		    uint64_t *ret_number)
{
	static const char what[] = "expected an integer from 0 to 18446744073709551615";
	size_t offset = cursor->offset;
	struct es_json value;
	int rc = es_json_peek(cursor);

	if (rc < 0)
		return rc;
	if (rc != ES_JSON_INT)
		return misshapen(reader, offset, what);
	rc = es_json_take(cursor, &reader->names, &value);
	if (rc < 0)
		return rc;
	if (value.type == ES_JSON_UINT)
		*ret_number = value.u.u64;
	else if (value.type == ES_JSON_INT && value.u.i64 >= 0)
		*ret_number = (uint64_t)value.u.i64;
	else
		return misshapen(reader, offset, what);
	return 0;
}

static int read_string(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		       struct es_arena *arena, struct es_slice *ret_string)
{
	size_t offset = cursor->offset;
	struct es_json value;
	int rc = es_json_peek(cursor);

	if (rc < 0)
		return rc;
	if (rc != ES_JSON_STRING)
		return misshapen(reader, offset, "expected a string");
	rc = es_json_take(cursor, arena, &value);
	if (rc == 0)
		*ret_string = value.u.string;
	return rc;
}

/* ---- one resource -------------------------------------------------------------------------- */

static int read_namespace(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
			  struct es_arena *arena, struct es_resource_key *key)
{
	if (es_json_peek(cursor) == ES_JSON_NULL)
		return es_json_skip(cursor, NULL);
	key->has_ns = true;
	return read_string(reader, cursor, arena, &key->ns);
}

static int read_key(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		    struct es_arena *arena, struct es_resource_key *ret_key)
{
	enum { GROUP, VERSION, KIND, NAMESPACE, NAME, COUNT };
	static const char *const names[COUNT] = {"group", "version", "kind", "namespace", "name"};
	struct es_slice *const parts[COUNT] = {&ret_key->group, &ret_key->version, &ret_key->kind,
					       &ret_key->ns, &ret_key->name};
	struct members members = {names, COUNT, 0};
	unsigned part;
	int rc = es_json_enter_object(cursor);

	*ret_key = (struct es_resource_key){.has_ns = false};
	while (rc == 0 && (rc = next_member(reader, cursor, &members, &part)) > 0)
		rc = part == NAMESPACE ? read_namespace(reader, cursor, arena, ret_key)
				       : read_string(reader, cursor, arena, parts[part]);
	if (rc == 0 && (members.seen | 1u << NAMESPACE) != (1u << COUNT) - 1)
		return misshapen(reader, cursor->offset,
				 "a key without group, version, kind or name");
	return rc;
}

/* [KEY, VALUE] */
static int read_item(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		     struct es_arena *arena, struct es_resource_key *ret_key,
		     struct es_slice *ret_value)
{
	static const char what[] = "expected [key, value]";
	int rc = es_json_enter_array(cursor);

	es_arena_reset(arena);
	if (rc == 0)
		rc = es_json_next_item(cursor);
	if (rc == 0)
		return misshapen(reader, cursor->offset, what);
	if (rc > 0)
		rc = read_key(reader, cursor, arena, ret_key);
	if (rc == 0) {
		rc = es_json_next_item(cursor);
		if (rc == 0)
			return misshapen(reader, cursor->offset, what);
	}
	if (rc > 0)
		rc = es_json_skip(cursor, ret_value);
	if (rc == 0) {
		rc = es_json_next_item(cursor);
		if (rc > 0)
			return misshapen(reader, cursor->offset, what);
	}
	return rc;
}

static int read_item_at(struct es_catalog_reader *reader, size_t offset, struct es_arena *arena,
			struct es_resource_key *ret_key, struct es_slice *ret_value)
{
	struct es_json_cursor cursor = reader->items;

	cursor.offset = offset;
	return read_item(reader, &cursor, arena, ret_key, ret_value);
}

/* ---- the whole payload, once --------------------------------------------------------------- */

/* *ret_sorted: every key is above the one before it. */
static int scan_resources(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
			  bool *ret_sorted)
{
	struct es_resource_key keys[2];
	struct es_slice value;
	uint64_t n = 0;
	int rc = es_json_enter_array(cursor);

	*ret_sorted = true;
	if (rc < 0)
		return rc;
	reader->items = *cursor;
	for (; (rc = es_json_next_item(cursor)) > 0; n++) {
		struct es_resource_key *key = &keys[n % 2];

		rc = read_item(reader, cursor, &reader->keys[n % 2], key, &value);
		if (rc < 0)
			return rc;
		if (n > 0 && es_resource_key_cmp(&keys[(n + 1) % 2], key) >= 0)
			*ret_sorted = false;
	}
	reader->info.resources = n;
	return rc;
}

static int scan_catalog(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
			bool *ret_sorted)
{
	enum { RESOURCES, TERM, INDEX, COUNT };
	static const char *const names[COUNT] = {"resources", "last_applied_term",
						 "last_applied_index"};
	struct members members = {names, COUNT, 0};
	unsigned which;
	int rc = es_json_enter_object(cursor);

	while (rc == 0 && (rc = next_member(reader, cursor, &members, &which)) > 0)
		rc = which == RESOURCES ? scan_resources(reader, cursor, ret_sorted)
		     : which == TERM    ? read_u64(reader, cursor, &reader->info.last_applied_term)
				     : read_u64(reader, cursor, &reader->info.last_applied_index);
	if (rc == 0 && members.seen != (1u << COUNT) - 1)
		return misshapen(reader, cursor->offset,
				 "resources, last_applied_term or last_applied_index is missing");
	return rc;
}

/* {"catalog":CATALOG} */
static int scan_middle(struct es_catalog_reader *reader, struct es_json_cursor *cursor,
		       bool *ret_sorted)
{
	static const char *const names[] = {"catalog"};
	struct members members = {names, 1, 0};
	unsigned which;
	int rc = es_json_enter_object(cursor);

	while (rc == 0 && (rc = next_member(reader, cursor, &members, &which)) > 0)
		rc = scan_catalog(reader, cursor, ret_sorted);
	if (rc == 0 && members.seen == 0)
		return misshapen(reader, cursor->offset, "catalog.catalog is missing");
	return rc;
}

static int scan(struct es_catalog_reader *reader, struct es_json_cursor *cursor, bool *ret_sorted)
{
	enum { CATALOG, INDEX, COUNT };
	static const char *const names[COUNT] = {"catalog", "last_applied_index"};
	struct members members = {names, COUNT, 0};
	unsigned which;
	int rc = es_json_enter_object(cursor);

	while (rc == 0 && (rc = next_member(reader, cursor, &members, &which)) > 0)
		rc = which == CATALOG
			     ? scan_middle(reader, cursor, ret_sorted)
			     : read_u64(reader, cursor, &reader->info.outer_last_applied_index);
	if (rc == 0 && members.seen != (1u << COUNT) - 1)
		return misshapen(reader, cursor->offset,
				 "catalog or last_applied_index is missing");
	return rc < 0 ? rc : es_json_cursor_end(cursor);
}

/* ---- order --------------------------------------------------------------------------------- */

static int list_places(struct es_catalog_reader *reader, size_t *places)
{
	struct es_json_cursor cursor = reader->items;
	int rc;

	for (size_t n = 0; (rc = es_json_next_item(&cursor)) > 0; n++) {
		places[n] = cursor.offset;
		rc = es_json_skip(&cursor, NULL);
		if (rc < 0)
			break;
	}
	return rc;
}

/* The sorted [at, middle) and [middle, end) of `from` into one run of `to`; of equal ones the left goes first. */
static int merge(struct es_catalog_reader *reader, const size_t *from, size_t *to, size_t at,
		 size_t middle, size_t end)
{
	struct es_resource_key left, right;
	struct es_slice value;
	size_t l = at, r = middle;
	bool left_read = false, right_read = false;
	int rc = 0;

	for (; at < end; at++) {
		if (l < middle && r < end && !left_read)
			rc = read_item_at(reader, from[l], &reader->keys[0], &left, &value);
		if (rc == 0 && l < middle && r < end && !right_read)
			rc = read_item_at(reader, from[r], &reader->keys[1], &right, &value);
		if (rc < 0)
			return rc;
		left_read = right_read = l < middle && r < end;
		if (l < middle && (r == end || es_resource_key_cmp(&left, &right) <= 0)) {
			to[at] = from[l++];
			left_read = false;
		} else {
			to[at] = from[r++];
			right_read = false;
		}
	}
	return 0;
}

/* *places and *other are exchanged with every round, and *places holds the result. */
static int sort_places(struct es_catalog_reader *reader, size_t **places, size_t **other, size_t n)
{
	for (size_t run = 1; run < n; run *= 2) {
		size_t *swap = *places;

		for (size_t at = 0; at < n; at += 2 * run) {
			size_t middle = at + run < n ? at + run : n;
			size_t end = at + 2 * run < n ? at + 2 * run : n;
			int rc = merge(reader, *places, *other, at, middle, end);

			if (rc < 0)
				return rc;
		}
		*places = *other;
		*other = swap;
	}
	return 0;
}

/* Of equal ones the last is kept. */
static int drop_repeated(struct es_catalog_reader *reader, size_t *places, size_t n, size_t *ret_n)
{
	struct es_resource_key keys[2];
	struct es_slice value;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		int rc = read_item_at(reader, places[i], &reader->keys[i % 2], &keys[i % 2],
				      &value);

		if (rc < 0)
			return rc;
		if (i > 0 && es_resource_key_cmp(&keys[0], &keys[1]) == 0)
			kept--;
		places[kept++] = places[i];
	}
	*ret_n = kept;
	return 0;
}

static int put_in_order(struct es_catalog_reader *reader)
{
	size_t n = (size_t)reader->info.resources;
	size_t *places = es_calloc(reader->mem, n, sizeof(*places));
	size_t *other = es_calloc(reader->mem, n, sizeof(*other));
	int rc = places == NULL || other == NULL ? ES_ENOMEM : list_places(reader, places);

	if (rc == 0)
		rc = sort_places(reader, &places, &other, n);
	if (rc == 0)
		rc = drop_repeated(reader, places, n, &n);
	es_free(reader->mem, other);
	if (rc < 0) {
		es_free(reader->mem, places);
		return rc;
	}
	reader->order = places;
	reader->info.resources = n;
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum es_catalog_error check_head(struct es_slice file, struct es_slice *ret_payload,
					char *errmsg, size_t errmsg_size)
{
	uint8_t digest[ES_BLAKE3_BYTES];
	uint64_t len;

	if (file.len < ES_CATALOG_HEAD_BYTES) {
		es_resource_say(errmsg, errmsg_size, "%zu bytes, and the head alone has %d",
				file.len, ES_CATALOG_HEAD_BYTES);
		return ES_CATALOG_TRUNCATED;
	}
	if (memcmp(file.data, MAGIC, MAGIC_BYTES) != 0) {
		es_resource_say(errmsg, errmsg_size,
				"does not begin with \"engenho-catalog-snapshot v1\"");
		return ES_CATALOG_BAD_MAGIC;
	}
	len = es_load_u64le(file.data + MAGIC_BYTES);
	if (len > file.len - ES_CATALOG_HEAD_BYTES) {
		es_resource_say(errmsg, errmsg_size,
				"the payload should have %llu bytes, and %zu are there",
				(unsigned long long)len, file.len - ES_CATALOG_HEAD_BYTES);
		return ES_CATALOG_TRUNCATED;
	}
	*ret_payload = es_slice(file.data + ES_CATALOG_HEAD_BYTES, (size_t)len);
	es_blake3(*ret_payload, digest);
	if (memcmp(digest, file.data + MAGIC_BYTES + 8, ES_BLAKE3_BYTES) != 0) {
		es_resource_say(errmsg, errmsg_size,
				"the payload is not what was written: its BLAKE3 differs");
		return ES_CATALOG_HASH_MISMATCH;
	}
	return ES_CATALOG_OK;
}

static enum es_catalog_error failure(const struct es_catalog_reader *reader,
				     const struct es_json_cursor *cursor, int rc, char *errmsg,
				     size_t errmsg_size)
{
	const struct es_json_error *error = cursor->failed ? &cursor->error : &reader->error;

	if (rc == ES_ENOMEM && reader->small.refused) {
		es_resource_say(errmsg, errmsg_size,
				"at byte %zu of the payload: a name of more than %d bytes",
				cursor->offset, ES_CATALOG_NAME_BYTES_MAX);
		return ES_CATALOG_DECODE;
	}
	if (rc == ES_ENOMEM) {
		es_resource_say(errmsg, errmsg_size, "%s", es_status_text(rc));
		return ES_CATALOG_NO_MEMORY;
	}
	es_resource_say(errmsg, errmsg_size, "at byte %zu of the payload: %s", error->offset,
			error->what);
	return ES_CATALOG_DECODE;
}

enum es_catalog_error es_catalog_open(struct es_catalog_reader *reader, struct es_slice file,
				      const struct es_mem *mem, char *errmsg, size_t errmsg_size)
{
	struct es_json_cursor cursor;
	struct es_slice payload;
	bool sorted = true;
	enum es_catalog_error error = check_head(file, &payload, errmsg, errmsg_size);
	int rc;

	if (error != ES_CATALOG_OK)
		return error;
	*reader = (struct es_catalog_reader){
		.info.payload_bytes = payload.len,
		.info.ignored_bytes = file.len - ES_CATALOG_HEAD_BYTES - payload.len,
		.mem = mem,
		.small = {{small_alloc, small_realloc, small_free, &reader->small}, mem, false},
	};
	es_arena_init(&reader->names, &reader->small.mem, 1024);
	es_arena_init(&reader->keys[0], &reader->small.mem, 1024);
	es_arena_init(&reader->keys[1], &reader->small.mem, 1024);
	es_json_cursor_init(&cursor, payload, ES_JSON_DEPTH_MAX);
	rc = scan(reader, &cursor, &sorted);
	if (rc == 0 && !sorted)
		rc = put_in_order(reader);
	if (rc < 0) {
		es_catalog_close(reader);
		return failure(reader, &cursor, rc, errmsg, errmsg_size);
	}
	reader->at = reader->items;
	return ES_CATALOG_OK;
}

int es_catalog_next(struct es_catalog_reader *reader, struct es_resource_key *ret_key,
		    struct es_slice *ret_value)
{
	struct es_arena *arena = &reader->keys[reader->next % 2];
	int rc;

	if (reader->next == reader->info.resources)
		return 0;
	if (reader->order != NULL) {
		rc = read_item_at(reader, reader->order[reader->next], arena, ret_key, ret_value);
	} else {
		rc = es_json_next_item(&reader->at);
		ES_ASSERT(rc == 1); /* C2 */
		rc = read_item(reader, &reader->at, arena, ret_key, ret_value);
	}
	ES_ASSERT(rc == 0 || rc == ES_ENOMEM); /* C2 */
	reader->next++;
	return rc < 0 ? rc : 1;
}

void es_catalog_close(struct es_catalog_reader *reader)
{
	es_free(reader->mem, reader->order);
	reader->order = NULL;
	es_arena_close(&reader->names);
	es_arena_close(&reader->keys[0]);
	es_arena_close(&reader->keys[1]);
}

/* ---- writing ------------------------------------------------------------------------------- */

int es_catalog_write_begin(struct es_catalog_writer *writer, struct es_buf *buf)
{
	static const uint8_t length_and_hash[ES_CATALOG_HEAD_BYTES - MAGIC_BYTES];
	int rc;

	*writer = (struct es_catalog_writer){.buf = buf, .begin = buf->len};
	rc = es_buf_append_str(buf, MAGIC);
	if (rc == 0)
		rc = es_buf_append(buf, length_and_hash, sizeof(length_and_hash));
	if (rc == 0)
		rc = es_buf_append_str(buf, "{\"catalog\":{\"catalog\":{\"resources\":[");
	return rc;
}

int es_catalog_write(struct es_catalog_writer *writer, const struct es_resource_key *key,
		     struct es_slice canonical_value)
{
	int rc = es_buf_append_str(writer->buf, writer->count++ == 0 ? "[" : ",[");

	if (rc == 0)
		rc = es_resource_key_write(writer->buf, key);
	if (rc == 0)
		rc = es_buf_append_str(writer->buf, ",");
	if (rc == 0)
		rc = es_buf_append_slice(writer->buf, canonical_value);
	return rc < 0 ? rc : es_buf_append_str(writer->buf, "]");
}

int es_catalog_write_end(struct es_catalog_writer *writer, uint64_t last_applied_term,
			 uint64_t last_applied_index, uint64_t outer_last_applied_index)
{
	struct es_slice payload;
	uint8_t *head;
	int rc = es_buf_printf(writer->buf,
			       "],\"last_applied_term\":%llu,\"last_applied_index\":%llu}},"
			       "\"last_applied_index\":%llu}",
			       (unsigned long long)last_applied_term,
			       (unsigned long long)last_applied_index,
			       (unsigned long long)outer_last_applied_index);

	if (rc < 0)
		return rc;
	head = writer->buf->data + writer->begin;
	payload = es_slice(head + ES_CATALOG_HEAD_BYTES,
			   writer->buf->len - writer->begin - ES_CATALOG_HEAD_BYTES);
	es_store_u64le(head + MAGIC_BYTES, payload.len);
	es_blake3(payload, head + MAGIC_BYTES + 8);
	return 0;
}
