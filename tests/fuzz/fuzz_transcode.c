/*
 * Bodies of the JSON gateway: what is taken becomes a message, whose JSON becomes the same message. The first byte says
 * which message, the rest is the body.
 */
#include "base/assert.h"
#include "wire/resource_store.pb-c.h"
#include "wire/rpc.pb-c.h"
#include "wire/transcode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const json_fields[] = {"value", "patch", NULL};
static const struct es_wire_json_options in_place = {json_fields, true};
static const struct es_wire_json_options plain = {NULL, false};

static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	const struct es_wire_json_options *options;
} kinds[] = {
	{&engenho__v1__put_request__descriptor, &in_place},
	{&engenho__v1__patch_request__descriptor, &in_place},
	{&engenho__v1__txn_request__descriptor, &in_place},
	{&engenho__v1__list_request__descriptor, &in_place},
	{&engenho__v1__watch_request__descriptor, &in_place},
	{&engenho__v1__write_response__descriptor, &in_place},
	{&etcdserverpb__range_request__descriptor, &plain},
	{&etcdserverpb__txn_request__descriptor, &plain},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *descriptor;
	const struct es_wire_json_options *options;
	struct es_slice bytes, again;
	struct es_arena arena;
	struct es_buf json;
	char errmsg[64] = "";
	int rc;

	if (size == 0)
		return 0;
	descriptor = kinds[data[0] % ES_ARRAY_LEN(kinds)].descriptor;
	options = kinds[data[0] % ES_ARRAY_LEN(kinds)].options;
	es_arena_init(&arena, es_mem_default(), 1024);
	es_buf_init(&json, es_mem_default());
	rc = es_wire_from_json(descriptor, es_slice(data + 1, size - 1), options, &arena, &bytes,
			       errmsg, sizeof(errmsg));
	ES_ASSERT(rc == 0 || (rc == ES_EDECODE && errmsg[0] != '\0'));
	if (rc == 0) {
		ES_ASSERT(es_wire_to_json(descriptor, bytes, options, &json) == 0);
		ES_ASSERT(memchr(json.data, '\n', json.len) == NULL);
		rc = es_wire_from_json(descriptor, es_buf_slice(&json), options, &arena, &again,
				       errmsg, sizeof(errmsg));
		ES_ASSERT(rc == 0 && es_slice_eq(bytes, again));
	}
	es_buf_close(&json);
	es_arena_close(&arena);
	return 0;
}
