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
	char endpoint[ES_CLIENT_ENDPOINT_MAX];
	char errmsg[ES_CLIENT_TEXT_MAX + ES_CLIENT_ENDPOINT_MAX + 64]; /* of the last call */
};

/* Connect to the first of the endpoints that takes it. ES_CTL_OK and es_ctl_store_close must follow, or the exit status
 * after a complaint. */
int es_ctl_store_open(const struct es_ctl_options *options, struct es_ctl_store *store);
void es_ctl_store_close(struct es_ctl_store *store);

/*
 * Call "Get" and so on. ES_CTL_OK: *ret_answer is in `arena`. Else the exit status; `errmsg` says what went wrong and
 * nothing was printed. After ES_CTL_UNAVAILABLE the next call connects anew.
 */
int es_ctl_call(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *answer, struct es_arena *arena,
		ProtobufCMessage **ret_answer);

/* The same of a stream, without a limit of time. An error from `message` ends it: ES_CTL_FAILED. */
int es_ctl_stream(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		  int (*message)(void *arg, struct es_slice message), void *arg);

/*
 * List page by page, all pages at one revision, at most `max` (0: all). `page` gets each answer while it lives and
 * returns an exit status, of which others than ES_CTL_OK end it. ES_CTL_OK, or the exit status after a complaint.
 * `request` is used up.
 */
int es_ctl_list_pages(struct es_ctl_store *store, Engenho__V1__ListRequest *request, uint64_t max,
		      int (*page)(void *arg, const Engenho__V1__ListResponse *answer), void *arg);

/* A NUL-terminated copy; NULL: no memory. */
char *es_ctl_text(struct es_arena *arena, struct es_slice text);
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
