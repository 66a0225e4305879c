#include <stdio.h>

#include "api/internal.h"

/* etcdserverpb.Maintenance. There is nothing to defragment, so Defragment succeeds at once. */

/* ---- status ---------------------------------------------------------------------------------- */

static const char *alarm_name(enum es_alarm_type type)
{
	return type == ES_ALARM_NOSPACE ? "NOSPACE" : type == ES_ALARM_CORRUPT ? "CORRUPT" : "NONE";
}

/* As etcd prints an AlarmMember. */
static char *alarm_text(struct es_rpc_call *call, const struct es_alarm *alarm)
{
	char *text = es_api_alloc(call, 1, 64);

	if (text != NULL)
		(void)snprintf(text, 64, "memberID:%llu alarm:%s ",
			       (unsigned long long)alarm->member_id, alarm_name(alarm->type));
	return text;
}

static bool fill_errors(struct es_rpc_call *call, struct es_api *api,
			Etcdserverpb__StatusResponse *answer)
{
	const struct es_alarm *alarms;
	size_t count = es_engine_alarms(api->engine, &alarms);
	struct es_engine_stats stats;

	answer->errors = es_api_alloc(call, count + 2, sizeof(*answer->errors));
	if (answer->errors == NULL)
		return false;
	es_engine_get_stats(api->engine, &stats);
	if (stats.disk_full)
		answer->errors[answer->n_errors++] = (char *)(uintptr_t)es_status_text(ES_ENOSPC);
	if (!es_api_has_leader(api))
		answer->errors[answer->n_errors++] = (char *)(uintptr_t)es_status_text(
			ES_ENO_LEADER);
	for (size_t i = 0; i < count; i++) {
		char *text = alarm_text(call, &alarms[i]);

		if (text == NULL)
			return false;
		answer->errors[answer->n_errors++] = text;
	}
	return true;
}

/* The first two numbers of "3.7.3" and a zero. */
static char *storage_version(struct es_rpc_call *call, const char *version)
{
	char *text = es_api_alloc(call, 1, strlen(version) + 3);
	int dots = 0;
	size_t n = 0;

	if (text == NULL)
		return NULL;
	while (version[n] != '\0' && !(version[n] == '.' && ++dots == 2)) {
		text[n] = version[n];
		n++;
	}
	memcpy(text + n, ".0", 3);
	return text;
}

static void maintenance_status(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	const struct es_consensus *consensus = es_engine_consensus(api->engine);
	Etcdserverpb__StatusResponse answer = ETCDSERVERPB__STATUS_RESPONSE__INIT;
	Etcdserverpb__DowngradeInfo downgrade = ETCDSERVERPB__DOWNGRADE_INFO__INIT;
	struct es_engine_header header = es_engine_header(api->engine);
	struct es_engine_stats stats;

	if (es_api_decode(call, &etcdserverpb__status_request__descriptor, request) == NULL)
		return;
	answer.header = es_api_pb_header(call, &header);
	answer.version = (char *)(uintptr_t)api->config.version;
	answer.storageversion = storage_version(call, api->config.version);
	if (answer.header == NULL || answer.storageversion == NULL ||
	    !fill_errors(call, api, &answer))
		return;
	es_engine_get_stats(api->engine, &stats);
	answer.dbsize = (int64_t)stats.db_bytes;
	answer.dbsizeinuse = (int64_t)stats.db_bytes_in_use;
	answer.dbsizequota = (int64_t)stats.quota_bytes;
	answer.leader = es_consensus_leader_id(consensus);
	answer.raftindex = es_consensus_commit_index(consensus);
	answer.raftterm = es_consensus_term(consensus);
	answer.raftappliedindex = es_consensus_applied_index(consensus);
	answer.downgradeinfo = &downgrade;
	es_api_reply(call, &answer.base);
}

/* ---- alarms ---------------------------------------------------------------------------------- */

static void alarm_reply(struct es_rpc_call *call, const struct es_engine_header *header,
			const struct es_alarm *alarms, size_t count)
{
	Etcdserverpb__AlarmResponse answer = ETCDSERVERPB__ALARM_RESPONSE__INIT;
	Etcdserverpb__AlarmMember *items = es_api_alloc(call, count, sizeof(*items));

	answer.header = items == NULL ? NULL : es_api_pb_header(call, header);
	answer.alarms = answer.header == NULL ? NULL
					      : es_api_alloc(call, count, sizeof(*answer.alarms));
	if (answer.alarms == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		etcdserverpb__alarm_member__init(&items[i]);
		items[i].memberid = alarms[i].member_id;
		items[i].alarm = (Etcdserverpb__AlarmType)alarms[i].type;
		answer.alarms[answer.n_alarms++] = &items[i];
	}
	es_api_reply(call, &answer.base);
}

static void alarm_answer(struct es_api_op *op, struct es_rpc_call *call)
{
	alarm_reply(call, &op->op.header, op->data, op->op.changed ? 1 : 0);
}

static void alarm_list(struct es_rpc_call *call, struct es_api *api, enum es_alarm_type type)
{
	struct es_engine_header header = es_engine_header(api->engine);
	const struct es_alarm *alarms;
	size_t count = es_engine_alarms(api->engine, &alarms);
	struct es_alarm *chosen = es_api_alloc(call, count, sizeof(*chosen));
	size_t n = 0;

	if (chosen == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		if (type == ES_ALARM_NONE || alarms[i].type == type)
			chosen[n++] = alarms[i];
	}
	alarm_reply(call, &header, chosen, n);
}

static void maintenance_alarm(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__AlarmRequest *asked = es_api_decode(
		call, &etcdserverpb__alarm_request__descriptor, request);
	struct es_alarm *alarm = asked == NULL ? NULL : es_api_alloc(call, 1, sizeof(*alarm));
	bool activate;
	struct es_api_op *op;

	if (alarm == NULL)
		return;
	*alarm = (struct es_alarm){asked->memberid, (enum es_alarm_type)asked->alarm};
	activate = asked->action == ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__ACTIVATE;
	if (asked->action == ETCDSERVERPB__ALARM_REQUEST__ALARM_ACTION__GET) {
		alarm_list(call, api, alarm->type);
		return;
	}
	if (alarm->type != ES_ALARM_NOSPACE && alarm->type != ES_ALARM_CORRUPT) {
		struct es_engine_header header = es_engine_header(api->engine);

		alarm_reply(call, &header, NULL, 0);
		return;
	}
	op = es_api_op_new(call, alarm_answer);
	if (op == NULL)
		return;
	op->data = alarm;
	es_api_op_submitted(op, es_engine_alarm(api->engine, &op->op, activate, *alarm));
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static void on_hash_kv(void *arg, int status, const struct es_hash_kv *hash)
{
	struct es_rpc_call *call = arg;
	Etcdserverpb__HashKVResponse answer = ETCDSERVERPB__HASH_KVRESPONSE__INIT;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else if ((answer.header = es_api_pb_header(call, &hash->header)) != NULL) {
		answer.hash = hash->hash;
		answer.compact_revision = hash->compact_revision;
		answer.hash_revision = hash->hash_revision;
		es_api_reply(call, &answer.base);
	}
	es_rpc_call_release(call);
}

static void maintenance_hash_kv(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__HashKVRequest *asked = es_api_decode(
		call, &etcdserverpb__hash_kvrequest__descriptor, request);

	if (asked == NULL)
		return;
	es_rpc_call_hold(call);
	es_engine_hash_kv(api->engine, asked->revision, on_hash_kv, call);
}

/* etcd hashes its database file here, which says nothing across members; ours is the hash of the
 * same data by HashKV. */
static void on_hash(void *arg, int status, const struct es_hash_kv *hash)
{
	struct es_rpc_call *call = arg;
	Etcdserverpb__HashResponse answer = ETCDSERVERPB__HASH_RESPONSE__INIT;

	if (es_rpc_call_is_closed(call))
		;
	else if (status < 0)
		es_rpc_finish_status(call, status);
	else if ((answer.header = es_api_pb_header(call, &hash->header)) != NULL) {
		answer.hash = hash->hash;
		es_api_reply(call, &answer.base);
	}
	es_rpc_call_release(call);
}

static void maintenance_hash(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);

	if (es_api_decode(call, &etcdserverpb__hash_request__descriptor, request) == NULL)
		return;
	es_rpc_call_hold(call);
	es_engine_hash_kv(api->engine, 0, on_hash, call);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void maintenance_defragment(struct es_rpc_call *call, struct es_slice request)
{
	Etcdserverpb__DefragmentResponse answer = ETCDSERVERPB__DEFRAGMENT_RESPONSE__INIT;

	if (es_api_decode(call, &etcdserverpb__defragment_request__descriptor, request) != NULL)
		es_api_reply(call, &answer.base); /* as etcd: without a header */
}

static void maintenance_snapshot(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED, "engenho: snapshots are not supported yet");
}

static void maintenance_move_leader(struct es_rpc_call *call, struct es_slice request)
{
	struct es_api *api = es_rpc_call_ctx(call);
	Etcdserverpb__MoveLeaderRequest *asked = es_api_decode(
		call, &etcdserverpb__move_leader_request__descriptor, request);
	Etcdserverpb__MoveLeaderResponse answer = ETCDSERVERPB__MOVE_LEADER_RESPONSE__INIT;

	if (asked == NULL)
		return;
	if (!es_consensus_is_leader(es_engine_consensus(api->engine)))
		es_rpc_finish_status(call, ES_ENOT_LEADER);
	else if (asked->targetid != es_engine_config(api->engine)->member_id)
		es_rpc_finish_status(call, ES_EBAD_LEADER_TRANSFEREE);
	else
		es_api_reply(call, &answer.base); /* it leads already */
}

static void maintenance_downgrade(struct es_rpc_call *call, struct es_slice request)
{
	(void)request;
	es_rpc_finish(call, ES_GRPC_UNIMPLEMENTED, "engenho: downgrades are not supported yet");
}

int es_api_maintenance_register(struct es_api *api)
{
#define SERVICE "etcdserverpb.Maintenance"
	static const struct es_rpc_method methods[] = {
		{.service = SERVICE,
		 .name = "Alarm",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_alarm},
		{.service = SERVICE,
		 .name = "Status",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_status},
		{.service = SERVICE,
		 .name = "Defragment",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_defragment},
		{.service = SERVICE,
		 .name = "Hash",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_hash},
		{.service = SERVICE,
		 .name = "HashKV",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_hash_kv},
		{.service = SERVICE,
		 .name = "Snapshot",
		 .kind = ES_RPC_SERVER_STREAM,
		 .message = maintenance_snapshot},
		{.service = SERVICE,
		 .name = "MoveLeader",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_move_leader},
		{.service = SERVICE,
		 .name = "Downgrade",
		 .kind = ES_RPC_UNARY,
		 .message = maintenance_downgrade},
	};
#undef SERVICE

	return es_rpc_register(api->server, methods, ES_ARRAY_LEN(methods), api);
}
