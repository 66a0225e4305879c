#include "api/internal.h"

/*
 * etcdserverpb.Auth as etcd answers it while authentication is off and no user or role exists,
 * which is the only state there is until users and roles are kept: adding one is refused as not
 * supported.
 */
#define AUTH_REVISION_FIRST 1

static void not_supported(struct es_rpc_call *call)
{
	es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED,
		      "engenho: users and roles are not supported yet");
}

static void auth_enable(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish_status(call, ES_EROOT_USER_NOT_EXIST);
}

static void auth_authenticate(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish_status(call, ES_EAUTH_NOT_ENABLED);
}

/* Answers that are a header alone. */
static void head_reply(struct es_rpc_call *call)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_engine_header from = es_engine_header(api->engine);
	struct es_wire_header header = es_api_header(&from);
	uint8_t *out = es_rpc_send(call, es_wire_head_size(&header));

	if (out == NULL)
		return;
	(void)es_wire_head_write(out, &header);
	es_rpc_finish(call, ES_GRPC_OK, NULL);
}

static void auth_head(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	head_reply(call); /* AuthDisable; UserList and RoleList, which list nothing */
}

static void auth_status(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	struct es_engine_header header = es_engine_header(api->engine);
	Etcdserverpb__AuthStatusResponse answer = ETCDSERVERPB__AUTH_STATUS_RESPONSE__INIT;

	(void)request;
	answer.header = es_api_pb_header(call, &header);
	answer.authrevision = AUTH_REVISION_FIRST;
	if (answer.header != NULL)
		es_api_reply(call, &answer.base);
}

static void auth_user_add(struct es_rpc_call *call, struct es_slice request)
{
	Etcdserverpb__AuthUserAddRequest *asked = es_api_decode(
		call, &etcdserverpb__auth_user_add_request__descriptor, request);

	if (asked == NULL)
		return;
	if (asked->name[0] == '\0')
		es_rpc_finish_status(call, ES_EUSER_EMPTY);
	else
		not_supported(call);
}

static void auth_role_add(struct es_rpc_call *call, struct es_slice request)
{
	Etcdserverpb__AuthRoleAddRequest *asked = es_api_decode(
		call, &etcdserverpb__auth_role_add_request__descriptor, request);

	if (asked == NULL)
		return;
	if (asked->name[0] == '\0')
		es_rpc_finish_status(call, ES_EROLE_EMPTY);
	else
		not_supported(call);
}

/* A key, and no end that is not above it; one zero byte is "to the end". */
static bool is_permission_range(struct es_slice key, struct es_slice end)
{
	if (key.len == 0)
		return false;
	return end.len == 0 || es_slice_eq(end, es_slice("", 1)) || es_slice_cmp(key, end) < 0;
}

static void auth_grant_permission(struct es_rpc_call *call, struct es_slice request)
{
	Etcdserverpb__AuthRoleGrantPermissionRequest *asked = es_api_decode(
		call, &etcdserverpb__auth_role_grant_permission_request__descriptor, request);

	if (asked == NULL)
		return;
	if (asked->perm == NULL)
		es_rpc_finish_status(call, ES_EPERMISSION_NOT_GIVEN);
	else if (!is_permission_range(es_api_bytes(asked->perm->key),
				      es_api_bytes(asked->perm->range_end)))
		es_rpc_finish_status(call, ES_EINVALID_AUTH_MGMT);
	else
		es_rpc_finish_status(call, ES_EROLE_NOT_FOUND);
}

static void auth_no_user(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish_status(call, ES_EUSER_NOT_FOUND);
}

static void auth_no_role(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish_status(call, ES_EROLE_NOT_FOUND);
}

int es_api_auth_register(struct es_api *api)
{
#define METHOD(method, handler)                                                         \
	{                                                                               \
		.service = "etcdserverpb.Auth", .name = (method), .kind = ES_RPC_UNARY, \
		.message = (handler)                                                    \
	}
	static const struct es_rpc_method methods[] = {
		METHOD("AuthEnable", auth_enable),
		METHOD("AuthDisable", auth_head),
		METHOD("AuthStatus", auth_status),
		METHOD("Authenticate", auth_authenticate),
		METHOD("UserAdd", auth_user_add),
		METHOD("UserGet", auth_no_user),
		METHOD("UserList", auth_head),
		METHOD("UserDelete", auth_no_user),
		METHOD("UserChangePassword", auth_no_user),
		METHOD("UserGrantRole", auth_no_user),
		METHOD("UserRevokeRole", auth_no_user),
		METHOD("RoleAdd", auth_role_add),
		METHOD("RoleGet", auth_no_role),
		METHOD("RoleList", auth_head),
		METHOD("RoleDelete", auth_no_role),
		METHOD("RoleGrantPermission", auth_grant_permission),
		METHOD("RoleRevokePermission", auth_no_role),
	};
#undef METHOD

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
