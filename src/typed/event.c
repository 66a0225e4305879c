#include "typed/event.h"

#include "wire/pb.h"

/* mvccpb.KeyValue and mvccpb.Event, by their numbers (proto/kv.proto). */
static int read_kv(struct es_slice bytes, struct es_mvcc_kv *ret_kv)
{
	struct es_pb_reader reader = es_pb_reader(bytes);
	struct es_pb_field field;
	int rc;

	*ret_kv = (struct es_mvcc_kv){0};
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_BYTES): ret_kv->key = field.bytes; break;
		case ES_PB_KEY(2, ES_PB_VARINT):
			ret_kv->create_revision = (int64_t)field.value;
			break;
		case ES_PB_KEY(3, ES_PB_VARINT): ret_kv->mod_revision = (int64_t)field.value; break;
		case ES_PB_KEY(4, ES_PB_VARINT): ret_kv->version = (int64_t)field.value; break;
		case ES_PB_KEY(5, ES_PB_BYTES): ret_kv->value = field.bytes; break;
		case ES_PB_KEY(6, ES_PB_VARINT): ret_kv->lease = (int64_t)field.value; break;
		default: return ES_EDECODE;
		}
	}
	return rc;
}

int es_typed_change_read(const struct es_watch_event *event, struct es_typed_change *ret_change)
{
	struct es_pb_reader reader = es_pb_reader(es_slice(event->bytes, event->len));
	struct es_pb_field field;
	int rc;

	*ret_change = (struct es_typed_change){0};
	rc = es_pb_next(&reader, &field); /* as it stands in a WatchResponse */
	if (rc <= 0 || field.key != ES_PB_KEY(11, ES_PB_BYTES) || reader.at != reader.end)
		return ES_EDECODE;
	reader = es_pb_reader(field.bytes);
	while ((rc = es_pb_next(&reader, &field)) > 0) {
		switch (field.key) {
		case ES_PB_KEY(1, ES_PB_VARINT): break; /* event->is_delete */
		case ES_PB_KEY(2, ES_PB_BYTES):
			if (read_kv(field.bytes, &ret_change->kv) < 0)
				return ES_EDECODE;
			break;
		case ES_PB_KEY(3, ES_PB_BYTES):
			if (read_kv(field.bytes, &ret_change->prev) < 0)
				return ES_EDECODE;
			ret_change->has_prev = true;
			break;
		default: return ES_EDECODE;
		}
	}
	return rc;
}
