#include "api/internal.h"

/* etcdserverpb.Cluster. As etcd's, these answers carry no revision in their header. One member for
 * now: changing the membership is refused. */

static struct es_engine_header cluster_header(const struct es_api *api)
{
	struct es_engine_header header = es_engine_header(api->engine);

	header.revision = 0;
	return header;
}

static Etcdserverpb__Member **member_list(struct es_rpc_call *call, size_t *ret_count)
{
	struct es_api *api = es_rpc_call_ctx(call);
	const struct es_member *members;
	size_t count = es_engine_members(api->engine, &members);
	Etcdserverpb__Member *items = es_api_alloc(call, count, sizeof(*items));
	Etcdserverpb__Member **list = items == NULL ? NULL
						    : es_api_alloc(call, count, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		etcdserverpb__member__init(&items[i]);
		items[i].id = members[i].id;
		items[i].name = (char *)(uintptr_t)members[i].name;
		items[i].n_peerurls = members[i].peer_url_count;
		items[i].peerurls = (char **)(uintptr_t)members[i].peer_urls;
		items[i].n_clienturls = members[i].client_url_count;
		items[i].clienturls = (char **)(uintptr_t)members[i].client_urls;
		items[i].islearner = members[i].is_learner;
		list[i] = &items[i];
	}
	*ret_count = count;
	return list;
}

static void list_now(void *arg, int status)
{
	struct es_rpc_call *call = arg;
	Etcdserverpb__MemberListResponse answer = ETCDSERVERPB__MEMBER_LIST_RESPONSE__INIT;

	if (!es_rpc_call_is_closed(call)) {
		struct es_engine_header header = cluster_header(es_rpc_call_ctx(call));

		if (status < 0)
			es_rpc_finish_status(call, status);
		else if ((answer.header = es_api_pb_header(call, &header)) != NULL &&
			 (answer.members = member_list(call, &answer.n_members)) != NULL)
			es_api_reply(call, &answer.base);
	}
	es_rpc_call_release(call);
}

static void cluster_member_list(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__MemberListRequest *asked = es_api_decode(
		call, &etcdserverpb__member_list_request__descriptor, request);

	if (asked == NULL)
		return;
	es_rpc_call_hold(call);
	if (asked->linearizable)
		es_engine_linearize(api->engine, list_now, call);
	else
		list_now(call, 0);
}

static bool is_member(const struct es_api *api, uint64_t id)
{
	const struct es_member *members;
	size_t count = es_engine_members(api->engine, &members);

	for (size_t i = 0; i < count; i++) {
		if (members[i].id == id)
			return true;
	}
	return false;
}

static void update_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	struct es_engine_header header = cluster_header(es_rpc_call_ctx(call));
	Etcdserverpb__MemberUpdateResponse answer = ETCDSERVERPB__MEMBER_UPDATE_RESPONSE__INIT;

	(void)op;
	answer.header = es_api_pb_header(call, &header);
	if (answer.header != NULL &&
	    (answer.members = member_list(call, &answer.n_members)) != NULL)
		es_api_reply(call, &answer.base);
}

/* scheme://host:port without anything behind it. */
static bool is_peer_url(const char *url)
{
	const char *rest = strncmp(url, "http://", 7) == 0    ? url + 7
			   : strncmp(url, "https://", 8) == 0 ? url + 8
							      : NULL;
	const char *colon = rest == NULL ? NULL : strrchr(rest, ':');

	return colon != NULL && colon > rest && colon[1] != '\0' &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static void cluster_member_update(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__MemberUpdateRequest *asked = es_api_decode(
		call, &etcdserverpb__member_update_request__descriptor, request);
	struct es_api_op *op;

	if (asked == NULL)
		return;
	if (!is_member(api, asked->id)) {
		es_rpc_finish_status(call, ES_EMEMBER_NOT_FOUND);
		return;
	}
	for (size_t i = 0; i < asked->n_peerurls; i++) {
		if (!is_peer_url(asked->peerurls[i])) {
			es_rpc_finish_status(call, ES_EMEMBER_BAD_URLS);
			return;
		}
	}
	op = es_api_op_new(call, update_answer);
	if (op != NULL)
		es_api_op_submitted(op,
				    es_engine_member_update(api->engine, &op->op,
							    (const char *const *)asked->peerurls,
							    asked->n_peerurls));
}

static void cluster_member_add(struct es_rpc_call *call, struct es_slice request)
{
	Etcdserverpb__MemberAddRequest *asked = es_api_decode(
		call, &etcdserverpb__member_add_request__descriptor, request);

	if (asked == NULL)
		return;
	if (asked->n_peerurls == 0) {
		es_rpc_finish_status(call, ES_EMEMBER_BAD_URLS);
		return;
	}
	for (size_t i = 0; i < asked->n_peerurls; i++) {
		if (!is_peer_url(asked->peerurls[i])) {
			es_rpc_finish_status(call, ES_EMEMBER_BAD_URLS);
			return;
		}
	}
	es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED,
		      "engenho: clusters of several members are not supported yet");
}

static void cluster_member_remove(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__MemberRemoveRequest *asked = es_api_decode(
		call, &etcdserverpb__member_remove_request__descriptor, request);

	if (asked == NULL)
		return;
	if (is_member(api, asked->id))
		es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED,
			      "engenho: the only member cannot be removed");
	else
		es_rpc_finish_status(call, ES_EMEMBER_NOT_FOUND);
}

static void cluster_member_promote(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__MemberPromoteRequest *asked = es_api_decode(
		call, &etcdserverpb__member_promote_request__descriptor, request);

	if (asked != NULL)
		es_rpc_finish_status(call, is_member(api, asked->id) ? ES_EMEMBER_NOT_LEARNER
								     : ES_EMEMBER_NOT_FOUND);
}

int es_api_cluster_register(struct es_api *api)
{
#define SERVICE "etcdserverpb.Cluster"
	static const struct es_rpc_method methods[] = {
		{.service = SERVICE,
		 .name = "MemberAdd",
		 .kind = ES_RPC_UNARY,
		 .message = cluster_member_add},
		{.service = SERVICE,
		 .name = "MemberRemove",
		 .kind = ES_RPC_UNARY,
		 .message = cluster_member_remove},
		{.service = SERVICE,
		 .name = "MemberUpdate",
		 .kind = ES_RPC_UNARY,
		 .message = cluster_member_update},
		{.service = SERVICE,
		 .name = "MemberList",
		 .kind = ES_RPC_UNARY,
		 .message = cluster_member_list},
		{.service = SERVICE,
		 .name = "MemberPromote",
		 .kind = ES_RPC_UNARY,
		 .message = cluster_member_promote},
	};
#undef SERVICE

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
