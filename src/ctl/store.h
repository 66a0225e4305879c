#ifndef ES_CTL_STORE_H
#define ES_CTL_STORE_H

#include <protobuf-c/protobuf-c.h>

#include "ctl/client.h"
#include "ctl/ctl.h"
#include "resource/key.h"
#include "wire/resource_store.pb-c.h"

/* engenho.v1.ResourceStore of a member: calls, and what their failures mean. */
struct es_ctl_store {
	const struct es_ctl_options *options;
	struct es_client *client;
	size_t at, count; /* of the endpoints: the one that is connected, or the next to try */
	enum es_grpc_code code; /* of the last call, when a member has ended it */
	char endpoint[ES_CLIENT_ENDPOINT_MAX];
	char errmsg[ES_CLIENT_TEXT_MAX + ES_CLIENT_ENDPOINT_MAX + 64]; /* of the last call */
};

/* Connect to the first of the endpoints that takes it, each in its share of the time. ES_CTL_OK and es_ctl_store_close
 * must follow, or the exit status after a complaint. */
int es_ctl_store_open(const struct es_ctl_options *options, struct es_ctl_store *store);
void es_ctl_store_close(struct es_ctl_store *store);

/*
 * Call "Put" and so on, once. ES_CTL_OK: *ret_answer is in `arena`. Else the exit status; `errmsg` says what went wrong
 * and nothing was printed. After ES_CTL_UNAVAILABLE the next call connects anew, to the next endpoint.
 */
int es_ctl_call(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *answer, struct es_arena *arena,
		ProtobufCMessage **ret_answer);

/* The same of "Get" and "List", which change nothing: when a member does not answer in its share of the time, the next
 * one is asked. */
int es_ctl_read(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *answer, struct es_arena *arena,
		ProtobufCMessage **ret_answer);

/* A stream, which ends with ES_CTL_UNAVAILABLE when nothing came for `silence_ms`. An error from `message` ends it,
 * too: ES_CTL_FAILED, or ES_CTL_UNAVAILABLE after ES_EIO. */
int es_ctl_stream(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		  uint64_t silence_ms, int (*message)(void *arg, struct es_slice message),
		  void *arg);

/*
 * List page by page, all pages at one revision, at most `max` (0: all). `page` gets each answer while it lives and
 * returns an exit status, of which others than ES_CTL_OK end it. ES_CTL_OK, or the exit status after a complaint.
 * `request` is used up.
 */
int es_ctl_list_pages(struct es_ctl_store *store, Engenho__V1__ListRequest *request, uint64_t max,
		      int (*page)(void *arg, const Engenho__V1__ListResponse *answer), void *arg);

/* A NUL-terminated copy; NULL: no memory. */
char *es_ctl_text(struct es_arena *arena, struct es_slice text);
/* Put a copy in the place of a text. False: no memory. */
bool es_ctl_keep_text(struct es_arena *arena, struct es_slice *text);
/* The message of a key, in `arena`; NULL: no memory. */
Engenho__V1__Key *es_ctl_pb_key(const struct es_resource_key *key, struct es_arena *arena);
/* The key of a message; borrows. A missing one is all empty. */
struct es_resource_key es_ctl_key(const Engenho__V1__Key *key);

static inline struct es_slice es_ctl_bytes(ProtobufCBinaryData bytes)
{
	return es_slice(bytes.data, bytes.len);
}

/* "pod/a" or "pod/a in namespace b", for people; escaped. ES_ENOMEM. */
int es_ctl_key_write(struct es_buf *buf, const struct es_resource_key *key);

#endif
