/*
 * The numbers in here are the field numbers of proto/rpc.proto and proto/kv.proto. Fields are
 * written in the order of their numbers: the canonical order, that of Go's encoder.
 */
#include "wire/hot.h"

#define HEADER_FIELD 1 /* in every answer */
#define EVENTS_FIELD 11

size_t es_wire_header_size(const struct es_wire_header *header)
{
	return es_pb_uint_size(1, header->cluster_id) + es_pb_uint_size(2, header->member_id) +
	       es_pb_int_size(3, header->revision) + es_pb_uint_size(4, header->raft_term);
}

uint8_t *es_wire_header_write(uint8_t *out, const struct es_wire_header *header)
{
	out = es_pb_write_uint(out, 1, header->cluster_id);
	out = es_pb_write_uint(out, 2, header->member_id);
	out = es_pb_write_int(out, 3, header->revision);
	return es_pb_write_uint(out, 4, header->raft_term);
}

size_t es_wire_kv_size(const struct es_wire_kv *kv)
{
	return es_pb_bytes_size(1, kv->key) + es_pb_int_size(2, kv->create_revision) +
	       es_pb_int_size(3, kv->mod_revision) + es_pb_int_size(4, kv->version) +
	       es_pb_bytes_size(5, kv->value) + es_pb_int_size(6, kv->lease);
}

uint8_t *es_wire_kv_write(uint8_t *out, const struct es_wire_kv *kv)
{
	out = es_pb_write_bytes(out, 1, kv->key);
	out = es_pb_write_int(out, 2, kv->create_revision);
	out = es_pb_write_int(out, 3, kv->mod_revision);
	out = es_pb_write_int(out, 4, kv->version);
	out = es_pb_write_bytes(out, 5, kv->value);
	return es_pb_write_int(out, 6, kv->lease);
}

/* A KeyValue as field `number` of something else; NULL is none. */
static size_t kv_field_size(uint32_t number, const struct es_wire_kv *kv)
{
	return kv == NULL ? 0 : es_pb_len_size(number, es_wire_kv_size(kv));
}

static uint8_t *kv_field_write(uint8_t *out, uint32_t number, const struct es_wire_kv *kv)
{
	if (kv == NULL)
		return out;
	out = es_pb_write_len(out, number, es_wire_kv_size(kv));
	return es_wire_kv_write(out, kv);
}

size_t es_wire_head_size(const struct es_wire_header *header)
{
	return header == NULL ? 0 : es_pb_len_size(HEADER_FIELD, es_wire_header_size(header));
}

uint8_t *es_wire_head_write(uint8_t *out, const struct es_wire_header *header)
{
	if (header == NULL)
		return out;
	out = es_pb_write_len(out, HEADER_FIELD, es_wire_header_size(header));
	return es_wire_header_write(out, header);
}

size_t es_wire_range_kv_size(const struct es_wire_kv *kv)
{
	return kv_field_size(2, kv);
}

uint8_t *es_wire_range_kv_write(uint8_t *out, const struct es_wire_kv *kv)
{
	return kv_field_write(out, 2, kv);
}

size_t es_wire_range_tail_size(bool more, int64_t count)
{
	return es_pb_uint_size(3, more) + es_pb_int_size(4, count);
}

uint8_t *es_wire_range_tail_write(uint8_t *out, bool more, int64_t count)
{
	out = es_pb_write_uint(out, 3, more);
	return es_pb_write_int(out, 4, count);
}

size_t es_wire_put_size(const struct es_wire_header *header, const struct es_wire_kv *prev)
{
	return es_wire_head_size(header) + kv_field_size(2, prev);
}

uint8_t *es_wire_put_write(uint8_t *out, const struct es_wire_header *header,
			   const struct es_wire_kv *prev)
{
	out = es_wire_head_write(out, header);
	return kv_field_write(out, 2, prev);
}

size_t es_wire_delete_head_size(const struct es_wire_header *header, int64_t deleted)
{
	return es_wire_head_size(header) + es_pb_int_size(2, deleted);
}

uint8_t *es_wire_delete_head_write(uint8_t *out, const struct es_wire_header *header,
				   int64_t deleted)
{
	out = es_wire_head_write(out, header);
	return es_pb_write_int(out, 2, deleted);
}

size_t es_wire_delete_prev_size(const struct es_wire_kv *prev)
{
	return kv_field_size(3, prev);
}

uint8_t *es_wire_delete_prev_write(uint8_t *out, const struct es_wire_kv *prev)
{
	return kv_field_write(out, 3, prev);
}

size_t es_wire_txn_head_size(const struct es_wire_header *header, bool succeeded)
{
	return es_wire_head_size(header) + es_pb_uint_size(2, succeeded);
}

uint8_t *es_wire_txn_head_write(uint8_t *out, const struct es_wire_header *header, bool succeeded)
{
	out = es_wire_head_write(out, header);
	return es_pb_write_uint(out, 2, succeeded);
}

size_t es_wire_txn_op_size(unsigned kind, size_t len)
{
	return es_pb_len_size(3, es_pb_len_size(kind, len));
}

uint8_t *es_wire_txn_op_write(uint8_t *out, unsigned kind, size_t len)
{
	out = es_pb_write_len(out, 3, es_pb_len_size(kind, len));
	return es_pb_write_len(out, kind, len);
}

static size_t event_content_size(bool is_delete, const struct es_wire_kv *kv,
				 const struct es_wire_kv *prev)
{
	return es_pb_uint_size(1, is_delete) + kv_field_size(2, kv) + kv_field_size(3, prev);
}

size_t es_wire_event_size(bool is_delete, const struct es_wire_kv *kv,
			  const struct es_wire_kv *prev)
{
	return es_pb_len_size(EVENTS_FIELD, event_content_size(is_delete, kv, prev));
}

uint8_t *es_wire_event_write(uint8_t *out, bool is_delete, const struct es_wire_kv *kv,
			     const struct es_wire_kv *prev)
{
	out = es_pb_write_len(out, EVENTS_FIELD, event_content_size(is_delete, kv, prev));
	out = es_pb_write_uint(out, 1, is_delete);
	out = kv_field_write(out, 2, kv);
	return kv_field_write(out, 3, prev);
}

size_t es_wire_watch_head_size(const struct es_wire_watch *watch)
{
	return es_wire_head_size(&watch->header) + es_pb_int_size(2, watch->watch_id) +
	       es_pb_uint_size(3, watch->created) + es_pb_uint_size(4, watch->canceled) +
	       es_pb_int_size(5, watch->compact_revision) +
	       es_pb_bytes_size(6, watch->cancel_reason) + es_pb_uint_size(7, watch->fragment);
}

uint8_t *es_wire_watch_head_write(uint8_t *out, const struct es_wire_watch *watch)
{
	out = es_wire_head_write(out, &watch->header);
	out = es_pb_write_int(out, 2, watch->watch_id);
	out = es_pb_write_uint(out, 3, watch->created);
	out = es_pb_write_uint(out, 4, watch->canceled);
	out = es_pb_write_int(out, 5, watch->compact_revision);
	out = es_pb_write_bytes(out, 6, watch->cancel_reason);
	return es_pb_write_uint(out, 7, watch->fragment);
}

size_t es_wire_keep_alive_size(const struct es_wire_header *header, int64_t id, int64_t ttl_s)
{
	return es_wire_head_size(header) + es_pb_int_size(2, id) + es_pb_int_size(3, ttl_s);
}

uint8_t *es_wire_keep_alive_write(uint8_t *out, const struct es_wire_header *header, int64_t id,
				  int64_t ttl_s)
{
	out = es_wire_head_write(out, header);
	out = es_pb_write_int(out, 2, id);
	return es_pb_write_int(out, 3, ttl_s);
}
