#include "ctl/store.h"

#include <stdio.h>

#include "base/assert.h"
#include "ctl/args.h"
#include "ctl/endpoints.h"
#include "ctl/kinds.h"
#include "wire/allocator.h"

#define SERVICE    "/engenho.v1.ResourceStore/"
#define PAGE_ITEMS 500

/* ---- endpoints ----------------------------------------------------------------------------- */

/* What went wrong with the endpoint, behind what did with others. The turn is the next one's. */
static void give_up(struct es_ctl_store *store, const char *what)
{
	size_t len = strlen(store->errmsg);

	(void)snprintf(store->errmsg + len, sizeof(store->errmsg) - len, "%s%s: %s",
		       len > 0 ? "; " : "", store->endpoint, what);
	es_ctl_store_close(store);
	store->at = (store->at + 1) % store->count;
}

/* Connect, unless it is, to one of the `*left` endpoints whose turn it is. */
static bool reach(struct es_ctl_store *store, uint64_t deadline_ms, size_t *left)
{
	char errmsg[ES_CLIENT_TEXT_MAX];

	for (; store->client == NULL && *left > 0; (*left)--) {
		const char *text = store->options->endpoints;

		for (size_t i = 0; i <= store->at; i++)
			(void)es_ctl_next_endpoint(&text, store->endpoint);
		if (es_client_open(es_mem_default(), store->endpoint,
				   es_client_share_ms(deadline_ms, *left), &store->client, errmsg,
				   sizeof(errmsg)) == 0)
			break;
		give_up(store, errmsg);
	}
	return store->client != NULL;
}

int es_ctl_store_open(const struct es_ctl_options *options, struct es_ctl_store *store)
{
	const char *text = options->endpoints;
	size_t left;

	*store = (struct es_ctl_store){.options = options};
	if (!es_ctl_check_endpoints(options->endpoints))
		return ES_CTL_USAGE;
	while (es_ctl_next_endpoint(&text, store->endpoint) > 0)
		store->count++;
	left = store->count;
	if (reach(store, es_client_now_ms() + options->timeout_ms, &left))
		return ES_CTL_OK;
	(void)es_ctl_fail("%s", store->errmsg);
	return ES_CTL_UNAVAILABLE;
}

void es_ctl_store_close(struct es_ctl_store *store)
{
	es_client_close(store->client);
	store->client = NULL;
}

static int status_of(enum es_grpc_code code)
{
	switch (code) {
	case ES_GRPC_OK: return ES_CTL_OK;
	case ES_GRPC_NOT_FOUND: return ES_CTL_NOT_FOUND;
	case ES_GRPC_INVALID_ARGUMENT: return ES_CTL_INVALID;
	case ES_GRPC_UNAVAILABLE:
	case ES_GRPC_DEADLINE_EXCEEDED: return ES_CTL_UNAVAILABLE;
	default: return ES_CTL_FAILED;
	}
}

/* How a call may take its time. */
enum how {
	WRITE,  /* the timeout, of one member */
	READ,   /* the timeout, of all members */
	STREAM, /* as long as something comes */
};

struct request {
	char path[100];
	struct es_slice bytes;
	int (*message)(void *arg, struct es_slice message);
	void *arg;
	uint64_t time_ms;
};

/* To the member that is connected. */
static int call_member(struct es_ctl_store *store, enum how how, const struct request *r)
{
	struct es_client_result result = {.code = ES_GRPC_UNKNOWN};
	int rc = (how == STREAM ? es_client_stream : es_client_call)(
		store->client, r->path, r->bytes, r->time_ms, r->message, r->arg, &result);
	int status = rc == 0 ? status_of(result.code) : ES_CTL_FAILED;

	store->code = rc == 0 ? result.code : ES_GRPC_UNKNOWN;
	if (rc == ES_EIO || rc == ES_ETIMEOUT)
		status = ES_CTL_UNAVAILABLE;
	if (status == ES_CTL_UNAVAILABLE)
		give_up(store, result.text);
	else if (rc == 0 && result.code == ES_GRPC_UNIMPLEMENTED)
		(void)snprintf(store->errmsg, sizeof(store->errmsg),
			       "%s does not serve resources: %s", store->endpoint, result.text);
	else
		(void)snprintf(store->errmsg, sizeof(store->errmsg), "%s",
			       result.text[0] != '\0' ? result.text : "the call failed");
	if (rc < 0)
		es_ctl_store_close(store);
	return status;
}

/* `r` without its bytes. */
static int call(struct es_ctl_store *store, enum how how, const ProtobufCMessage *request,
		struct request *r)
{
	uint64_t deadline_ms = es_client_now_ms() + store->options->timeout_ms;
	size_t len = protobuf_c_message_get_packed_size(request), left = store->count;
	uint8_t *bytes = es_alloc(es_mem_default(), len + 1);
	int status = ES_CTL_UNAVAILABLE;

	store->errmsg[0] = '\0';
	store->code = ES_GRPC_UNKNOWN;
	if (bytes == NULL) {
		(void)snprintf(store->errmsg, sizeof(store->errmsg), "%s",
			       es_status_text(ES_ENOMEM));
		return ES_CTL_FAILED;
	}
	r->bytes = es_slice(bytes, protobuf_c_message_pack(request, bytes));
	while (status == ES_CTL_UNAVAILABLE && reach(store, deadline_ms, &left)) {
		if (how == READ)
			r->time_ms = es_client_share_ms(deadline_ms, left);
		status = call_member(store, how, r);
		left = how == READ ? left - 1 : 0; /* what changes something is not done twice */
	}
	es_free(es_mem_default(), bytes);
	return status;
}

struct unpacking {
	const ProtobufCMessageDescriptor *descriptor;
	struct es_arena *arena;
	ProtobufCMessage *message;
};

static int unpack(void *arg, struct es_slice message)
{
	struct unpacking *u = arg;
	ProtobufCAllocator allocator = es_wire_allocator(u->arena);

	u->message = protobuf_c_message_unpack(u->descriptor, &allocator, message.len,
					       message.data);
	return u->message == NULL ? ES_EDECODE : 0;
}

static int unary(struct es_ctl_store *store, enum how how, const char *method,
		 const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
		 struct es_arena *arena, ProtobufCMessage **ret_answer)
{
	struct unpacking u = {.descriptor = answer, .arena = arena};
	struct request r = {.message = unpack, .arg = &u, .time_ms = store->options->timeout_ms};
	int status;

	(void)snprintf(r.path, sizeof(r.path), "%s%s", SERVICE, method);
	status = call(store, how, request, &r);
	if (status == ES_CTL_OK && u.message == NULL) {
		(void)snprintf(store->errmsg, sizeof(store->errmsg), "%s: an empty answer",
			       store->endpoint);
		return ES_CTL_FAILED;
	}
	*ret_answer = u.message;
	return status;
}

int es_ctl_call(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *answer, struct es_arena *arena,
		ProtobufCMessage **ret_answer)
{
	return unary(store, WRITE, method, request, answer, arena, ret_answer);
}

int es_ctl_read(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *answer, struct es_arena *arena,
		ProtobufCMessage **ret_answer)
{
	return unary(store, READ, method, request, answer, arena, ret_answer);
}

int es_ctl_stream(struct es_ctl_store *store, const char *method, const ProtobufCMessage *request,
		  uint64_t silence_ms, int (*message)(void *arg, struct es_slice message),
		  void *arg)
{
	struct request r = {.message = message, .arg = arg, .time_ms = silence_ms};

	(void)snprintf(r.path, sizeof(r.path), "%s%s", SERVICE, method);
	return call(store, STREAM, request, &r);
}

int es_ctl_list_pages(struct es_ctl_store *store, Engenho__V1__ListRequest *request, uint64_t max,
		      int (*page)(void *arg, const Engenho__V1__ListResponse *answer), void *arg)
{
	struct es_arena arenas[2]; /* one holds the token that the next request has */
	uint64_t done = 0;
	unsigned turn = 0;
	int status = ES_CTL_OK;
	bool more = true;

	for (unsigned i = 0; i < 2; i++)
		es_arena_init(&arenas[i], es_mem_default(), 65536);
	while (status == ES_CTL_OK && more) {
		Engenho__V1__ListResponse *answer;
		ProtobufCMessage *message;

		request->limit = max > 0 && max - done < PAGE_ITEMS ? (int64_t)(max - done)
								    : PAGE_ITEMS;
		es_arena_reset(&arenas[turn]);
		status = es_ctl_read(store, "List", &request->base,
				     &engenho__v1__list_response__descriptor, &arenas[turn],
				     &message);
		if (status != ES_CTL_OK) {
			(void)es_ctl_fail("%s", store->errmsg);
			break;
		}
		answer = (Engenho__V1__ListResponse *)message;
		status = page(arg, answer);
		done += answer->n_items;
		request->continue_ = answer->continue_;
		more = answer->continue_[0] != '\0' && (max == 0 || done < max);
		turn ^= 1;
	}
	es_arena_close(&arenas[0]);
	es_arena_close(&arenas[1]);
	return status;
}

/* ---- keys ---------------------------------------------------------------------------------- */

char *es_ctl_text(struct es_arena *arena, struct es_slice text)
{
	char *copy = es_arena_alloc(arena, text.len + 1);

	if (copy == NULL)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

bool es_ctl_keep_text(struct es_arena *arena, struct es_slice *text)
{
	const char *copy = es_ctl_text(arena, *text);

	*text = es_slice(copy, text->len);
	return copy != NULL;
}

Engenho__V1__Key *es_ctl_pb_key(const struct es_resource_key *key, struct es_arena *arena)
{
	Engenho__V1__Key *out = es_arena_alloc(arena, sizeof(*out));

	if (out == NULL)
		return NULL;
	engenho__v1__key__init(out);
	out->group = es_ctl_text(arena, key->group);
	out->version = es_ctl_text(arena, key->version);
	out->kind = es_ctl_text(arena, key->kind);
	out->name = es_ctl_text(arena, key->name);
	if (out->group == NULL || out->version == NULL || out->kind == NULL || out->name == NULL)
		return NULL;
	if (key->has_ns) {
		out->has_namespace_case = ENGENHO__V1__KEY__HAS_NAMESPACE_NAMESPACE;
		out->namespace_ = es_ctl_text(arena, key->ns);
		if (out->namespace_ == NULL)
			return NULL;
	}
	return out;
}

static struct es_slice slice(const char *text)
{
	return text == NULL ? es_slice("", 0) : es_slice_str(text);
}

struct es_resource_key es_ctl_key(const Engenho__V1__Key *key)
{
	struct es_resource_key out = {.has_ns = false};

	if (key == NULL)
		return out;
	out.group = slice(key->group);
	out.version = slice(key->version);
	out.kind = slice(key->kind);
	out.name = slice(key->name);
	out.has_ns = key->has_namespace_case == ENGENHO__V1__KEY__HAS_NAMESPACE_NAMESPACE;
	if (out.has_ns)
		out.ns = slice(key->namespace_);
	return out;
}

int es_ctl_key_write(struct es_buf *buf, const struct es_resource_key *key)
{
	int rc = es_ctl_kind_write(buf, key->group, key->kind);

	if (rc == 0)
		rc = es_buf_append_u8(buf, '/');
	if (rc == 0)
		rc = es_buf_append_slice(buf, key->name);
	if (rc == 0 && key->has_ns)
		rc = es_buf_append_str(buf, " in namespace ");
	return rc == 0 && key->has_ns ? es_buf_append_slice(buf, key->ns) : rc;
}
