#include "engine/internal.h"

#include <stdlib.h>

/*
 * The part of a checkpoint that is not versions (docs/formats/checkpoint-meta.md): leases, alarms,
 * the member's record. Little-endian, lengths before bytes, in a fixed order, so that equal states
 * have equal bytes.
 */
#define META_FORMAT     1
#define MEMBER_URLS_MAX 64
/* When the disk is full, say, the first attempt is lost. */
#define PUBLISH_AGAIN_MS 1000

static int append_text(struct es_buf *buf, const char *text)
{
	size_t len = strlen(text);
	int rc = es_buf_append_u32le(buf, (uint32_t)len);

	return rc < 0 ? rc : es_buf_append(buf, text, len);
}

static int append_texts(struct es_buf *buf, const char *const *texts, size_t count)
{
	int rc = es_buf_append_u32le(buf, (uint32_t)count);

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = append_text(buf, texts[i]);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct es_lease_info *x = a;
	const struct es_lease_info *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int encode_leases(const struct es_engine *e, struct es_buf *buf)
{
	struct es_arena arena;
	struct es_lease_info *list;
	size_t count;
	int rc;

	es_arena_init(&arena, e->mem, 4096);
	rc = es_lease_list(e->leases, &arena, &list, &count);
	if (rc == 0)
		rc = es_buf_append_u64le(buf, count);
	if (rc == 0 && count > 0)
		qsort(list, count, sizeof(*list), by_id);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = es_buf_append_u64le(buf, (uint64_t)list[i].id);
		if (rc == 0)
			rc = es_buf_append_u64le(buf, (uint64_t)list[i].ttl_s);
		if (rc == 0)
			rc = es_buf_append_u8(buf, list[i].revoking ? 1 : 0);
	}
	es_arena_close(&arena);
	return rc;
}

int es_engine_meta_encode(const struct es_engine *e, struct es_buf *buf)
{
	int rc = es_buf_append_u8(buf, META_FORMAT);

	if (rc == 0)
		rc = encode_leases(e, buf);
	if (rc == 0)
		rc = es_buf_append_u8(buf, (uint8_t)e->alarm_count);
	for (size_t i = 0; i < e->alarm_count && rc == 0; i++) {
		rc = es_buf_append_u64le(buf, e->alarms[i].member_id);
		if (rc == 0)
			rc = es_buf_append_u8(buf, (uint8_t)e->alarms[i].type);
		if (rc == 0)
			rc = es_buf_append_u8(buf, e->alarm_by_quota[i] ? 1 : 0);
	}
	if (rc == 0)
		rc = es_buf_append_u64le(buf, e->member.id);
	if (rc == 0)
		rc = append_text(buf, e->member.name);
	if (rc == 0)
		rc = append_texts(buf, e->member.peer_urls, e->member.peer_url_count);
	if (rc == 0)
		rc = append_texts(buf, e->member.client_urls, e->member.client_url_count);
	return rc;
}

static struct es_slice read_text(struct es_reader *reader)
{
	return es_read_bytes(reader, es_read_u32le(reader));
}

static size_t read_texts(struct es_reader *reader, struct es_slice *texts)
{
	uint32_t count = es_read_u32le(reader);

	if (count > MEMBER_URLS_MAX) {
		reader->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		texts[i] = read_text(reader);
	return count;
}

static int decode_member(struct es_engine *e, struct es_reader *reader)
{
	struct es_slice peers[MEMBER_URLS_MAX];
	struct es_slice clients[MEMBER_URLS_MAX];
	uint64_t id = es_read_u64le(reader);
	struct es_slice name = read_text(reader);
	size_t peer_count = read_texts(reader, peers);
	size_t client_count = read_texts(reader, clients);

	if (reader->failed || id != e->config.member_id)
		return ES_ECORRUPT;
	return es_engine_set_member(e, name, peers, peer_count, clients, client_count);
}

/* Which lease a key hangs on stands in its newest version. */
static int attach_keys(struct es_engine *e)
{
	struct es_mvcc_cursor cursor = {0, 0};
	struct es_mvcc_event events[256];
	int64_t newest = es_mvcc_revision(e->store);
	size_t n;

	while ((n = es_mvcc_history(e->store, &cursor, newest, events, ES_ARRAY_LEN(events))) > 0) {
		for (size_t i = 0; i < n; i++) {
			struct es_mvcc_kv kv;
			int rc;

			es_mvcc_version_kv(events[i].version, &kv);
			if (kv.lease == 0 || es_mvcc_get(e->store, kv.key) != events[i].version)
				continue;
			rc = es_lease_attach(e->leases, kv.key, kv.lease);
			if (rc < 0)
				return rc == ES_ELEASE_NOT_FOUND ? ES_ECORRUPT : rc;
		}
	}
	return 0;
}

static int decode_leases(struct es_engine *e, struct es_reader *reader)
{
	uint64_t count = es_read_u64le(reader);
	struct es_reader again = *reader;
	int rc = 0;

	for (uint64_t i = 0; i < count && !reader->failed && rc == 0; i++) {
		int64_t id = (int64_t)es_read_u64le(reader);
		int64_t ttl_s = (int64_t)es_read_u64le(reader);

		(void)es_read_u8(reader);
		if (!reader->failed)
			rc = ttl_s > 0 ? es_lease_grant(e->leases, id, ttl_s, 0) : ES_ECORRUPT;
	}
	if (reader->failed || (rc < 0 && rc != ES_ENOMEM))
		return ES_ECORRUPT;
	if (rc == 0)
		rc = attach_keys(e);
	/* Once its revoke began nothing can be attached to a lease, so that is told last. */
	for (uint64_t i = 0; i < count && rc == 0; i++) {
		int64_t id = (int64_t)es_read_u64le(&again);
		struct es_slice *keys;
		size_t n;

		(void)es_read_u64le(&again);
		if (es_read_u8(&again) != 0)
			rc = es_lease_revoke_slice(e->leases, id, 0, &e->scratch, &keys, &n);
	}
	es_arena_close(&e->scratch);
	return rc;
}

int es_engine_meta_decode(struct es_engine *e, struct es_slice meta)
{
	struct es_reader reader = es_reader(meta);
	uint8_t format = es_read_u8(&reader);
	size_t alarm_count;
	int rc;

	if (reader.failed || format != META_FORMAT)
		return ES_EFORMAT;
	rc = decode_leases(e, &reader);
	if (rc < 0)
		return rc;
	alarm_count = es_read_u8(&reader);
	if (alarm_count > ES_ENGINE_ALARMS_MAX)
		return ES_ECORRUPT;
	for (size_t i = 0; i < alarm_count; i++) {
		e->alarms[i].member_id = es_read_u64le(&reader);
		e->alarms[i].type = (enum es_alarm_type)es_read_u8(&reader);
		e->alarm_by_quota[i] = es_read_u8(&reader) != 0;
	}
	e->alarm_count = alarm_count;
	rc = decode_member(e, &reader);
	if (rc == 0 && reader.rest.len > 0)
		rc = ES_ECORRUPT;
	return rc;
}

static void remove_alarm(struct es_engine *e, size_t i)
{
	es_log(e->config.log, ES_LOG_INFO, "alarm disarmed",
	       ES_HEX("alarm-member-id", e->alarms[i].member_id),
	       ES_UINT("alarm", e->alarms[i].type));
	e->alarm_count--;
	e->alarms[i] = e->alarms[e->alarm_count];
	e->alarm_by_quota[i] = e->alarm_by_quota[e->alarm_count];
}

int es_engine_apply_alarm(struct es_engine *e, struct es_slice body, struct es_engine_op *op)
{
	struct es_reader reader = es_reader(body);
	bool activate = es_read_u8(&reader) != 0;
	uint8_t type = es_read_u8(&reader);
	bool by_quota = es_read_u8(&reader) != 0;
	uint64_t member_id = es_read_u64le(&reader);
	size_t i = 0;

	if (reader.failed)
		return ES_ECORRUPT;
	if (type == ES_ALARM_NOSPACE)
		e->alarm_proposed = false;
	while (i < e->alarm_count &&
	       (e->alarms[i].member_id != member_id || e->alarms[i].type != type))
		i++;
	if (op != NULL)
		op->changed = activate || i < e->alarm_count;
	if (!activate && i < e->alarm_count)
		remove_alarm(e, i);
	if (!activate || i < e->alarm_count)
		return 0;
	if (e->alarm_count == ES_ENGINE_ALARMS_MAX)
		return ES_ETOO_MANY_REQUESTS;
	e->alarms[i] = (struct es_alarm){member_id, (enum es_alarm_type)type};
	e->alarm_by_quota[i] = by_quota;
	e->alarm_count++;
	es_log(e->config.log, ES_LOG_WARN, "alarm raised", ES_HEX("alarm-member-id", member_id),
	       ES_UINT("alarm", type));
	return 0;
}

static const char *const *copy_texts(struct es_arena *arena, const struct es_slice *texts,
				     size_t count)
{
	const char **copies = es_arena_calloc(arena, count + 1, sizeof(*copies));

	for (size_t i = 0; copies != NULL && i < count; i++) {
		char *copy = es_arena_calloc(arena, 1, texts[i].len + 1);

		if (copy == NULL)
			return NULL;
		if (texts[i].len > 0)
			memcpy(copy, texts[i].data, texts[i].len);
		copies[i] = copy;
	}
	return copies;
}

int es_engine_set_member(struct es_engine *e, struct es_slice name,
			 const struct es_slice *peer_urls, size_t peer_count,
			 const struct es_slice *client_urls, size_t client_count)
{
	struct es_arena arena;
	const char *const *names;
	const char *const *peers;
	const char *const *clients;

	es_arena_init(&arena, e->mem, 1024);
	names = copy_texts(&arena, &name, 1);
	peers = copy_texts(&arena, peer_urls, peer_count);
	clients = copy_texts(&arena, client_urls, client_count);
	if (names == NULL || peers == NULL || clients == NULL) {
		es_arena_close(&arena);
		return ES_ENOMEM;
	}
	es_arena_close(&e->member_strings);
	e->member_strings = arena;
	e->member = (struct es_member){
		.id = e->config.member_id,
		.name = names[0],
		.peer_url_count = peer_count,
		.client_url_count = client_count,
		.peer_urls = peers,
		.client_urls = clients,
	};
	return 0;
}

/* The command: id, then the name, the peer URLs and the client URLs of the member. */
int es_engine_apply_member(struct es_engine *e, struct es_slice body)
{
	struct es_reader reader = es_reader(body);

	return decode_member(e, &reader);
}

static int propose_member(struct es_engine *e, struct es_engine_op *op, const char *name,
			  const char *const *peer_urls, size_t peer_count,
			  const char *const *client_urls, size_t client_count)
{
	struct es_buf body;
	int rc;

	es_buf_init(&body, e->mem);
	rc = es_buf_append_u64le(&body, e->config.member_id);
	if (rc == 0)
		rc = append_text(&body, name);
	if (rc == 0)
		rc = append_texts(&body, peer_urls, peer_count);
	if (rc == 0)
		rc = append_texts(&body, client_urls, client_count);
	if (rc == 0)
		rc = es_engine_propose(e, op, ES_COMMAND_MEMBER, es_buf_slice(&body));
	es_buf_close(&body);
	return rc;
}

int es_engine_member_update(struct es_engine *e, struct es_engine_op *op,
			    const char *const *peer_urls, size_t count)
{
	if (count > MEMBER_URLS_MAX)
		return ES_ETOO_LARGE;
	return propose_member(e, op, e->member.name, peer_urls, count, e->member.client_urls,
			      e->member.client_url_count);
}

static size_t count_texts(const char *const *texts)
{
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	return count;
}

static bool same_texts(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}

bool es_engine_is_published(const struct es_engine *e)
{
	const struct es_engine_config *config = &e->config;

	return strcmp(e->member.name, config->name) == 0 &&
	       same_texts(e->member.client_urls, e->member.client_url_count, config->client_urls,
			  count_texts(config->client_urls));
}

void es_engine_publish_attributes(struct es_engine *e, uint64_t now_ms)
{
	const struct es_engine_config *config = &e->config;
	size_t client_count = count_texts(config->client_urls);
	bool is_new = e->member.name[0] == '\0' && e->member.peer_url_count == 0;

	if (!e->is_leader || now_ms < e->publish_again_ms || es_engine_is_published(e))
		return;
	e->publish_again_ms = now_ms + PUBLISH_AGAIN_MS;
	/* Peer URLs are the cluster's to change once they are known. */
	if (is_new)
		(void)propose_member(e, NULL, config->name, config->peer_urls,
				     count_texts(config->peer_urls), config->client_urls,
				     client_count);
	else
		(void)propose_member(e, NULL, config->name, e->member.peer_urls,
				     e->member.peer_url_count, config->client_urls, client_count);
}
