#include "ctl/columns.h"

#include <inttypes.h>
#include <time.h>

/* A member of a member: "status.phase". */
static const struct es_json *at(const struct es_json *object, const char *path)
{
	while (object != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");

		object = es_json_get_slice(object, es_slice(path, len));
		path += len + (path[len] == '.');
	}
	return object;
}

static int put_text(struct es_buf *buf, const struct es_json *value, const char *without)
{
	struct es_slice text = es_json_as_string(value);

	return text.len > 0 ? es_buf_append_slice(buf, text) : es_buf_append_str(buf, without);
}

static int64_t number(const struct es_json *value)
{
	return es_json_is(value, ES_JSON_INT) ? value->u.i64 : 0;
}

static uint32_t count(const struct es_json *value)
{
	return es_json_is(value, ES_JSON_ARRAY) || es_json_is(value, ES_JSON_OBJECT) ? value->count
										     : 0;
}

/* ---- of all kinds -------------------------------------------------------------------------- */

bool es_ctl_time_parse(struct es_slice text, int64_t *ret_s)
{
	char copy[40];
	const char *end;
	struct tm tm = {0};

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL)
		return false;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (strcmp(end, "Z") != 0)
		return false;
	*ret_s = timegm(&tm);
	return true;
}

void es_ctl_age(int64_t s, char *out, size_t size)
{
	const int64_t minute = 60, hour = 3600, day = 86400;

	if (s < 0)
		s = 0;
	if (s < 2 * minute)
		(void)snprintf(out, size, "%" PRId64 "s", s);
	else if (s < 10 * minute && s % minute != 0)
		(void)snprintf(out, size, "%" PRId64 "m%" PRId64 "s", s / minute, s % minute);
	else if (s < 3 * hour)
		(void)snprintf(out, size, "%" PRId64 "m", s / minute);
	else if (s < 8 * hour && s % hour >= minute)
		(void)snprintf(out, size, "%" PRId64 "h%" PRId64 "m", s / hour, s % hour / minute);
	else if (s < 2 * day)
		(void)snprintf(out, size, "%" PRId64 "h", s / hour);
	else if (s < 8 * day && s % day >= hour)
		(void)snprintf(out, size, "%" PRId64 "d%" PRId64 "h", s / day, s % day / hour);
	else if (s < 2 * 365 * day)
		(void)snprintf(out, size, "%" PRId64 "d", s / day);
	else
		(void)snprintf(out, size, "%" PRId64 "y%" PRId64 "d", s / (365 * day),
			       s / day % 365);
}

static int age(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
	       int64_t now_s)
{
	int64_t created_s;
	char text[40] = "<unknown>";

	(void)item;
	if (es_ctl_time_parse(es_json_as_string(at(object, "metadata.creationTimestamp")),
			      &created_s))
		es_ctl_age(now_s - created_s, text, sizeof(text));
	return es_buf_append_str(buf, text);
}

static int version(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
		   int64_t now_s)
{
	(void)object;
	(void)now_s;
	return es_buf_printf(buf, "%" PRId64, item->mod_revision);
}

static int uid(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
	       int64_t now_s)
{
	(void)item;
	(void)now_s;
	return put_text(buf, at(object, "metadata.uid"), "<none>");
}

static int labels(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
		  int64_t now_s)
{
	const struct es_json *all = at(object, "metadata.labels");
	int rc = 0;

	(void)item;
	(void)now_s;
	if (!es_json_is(all, ES_JSON_OBJECT) || all->count == 0)
		return es_buf_append_str(buf, "<none>");
	for (uint32_t i = 0; rc == 0 && i < all->count; i++) {
		if (i > 0)
			rc = es_buf_append_str(buf, ",");
		if (rc == 0)
			rc = es_buf_append_slice(buf, all->u.members[i].name);
		if (rc == 0)
			rc = es_buf_append_str(buf, "=");
		if (rc == 0)
			rc = put_text(buf, &all->u.members[i].value, "");
	}
	return rc;
}

/* ---- of some ------------------------------------------------------------------------------- */

static int phase(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
		 int64_t now_s)
{
	(void)item;
	(void)now_s;
	if (!es_json_is(at(object, "metadata.deletionTimestamp"), ES_JSON_STRING))
		return put_text(buf, at(object, "status.phase"), "<none>");
	return es_buf_append_str(buf, "Terminating");
}

static int pod_ready(struct es_buf *buf, const struct es_json *object,
		     const struct es_ctl_item *item, int64_t now_s)
{
	const struct es_json *statuses = at(object, "status.containerStatuses");
	uint32_t ready = 0;

	(void)item;
	(void)now_s;
	for (uint32_t i = 0; es_json_is(statuses, ES_JSON_ARRAY) && i < statuses->count; i++) {
		const struct es_json *is = es_json_get(&statuses->u.items[i], "ready");

		ready += es_json_is(is, ES_JSON_BOOL) && is->u.boolean;
	}
	return es_buf_printf(buf, "%" PRIu32 "/%" PRIu32, ready,
			     count(at(object, "spec.containers")));
}

static int pod_restarts(struct es_buf *buf, const struct es_json *object,
			const struct es_ctl_item *item, int64_t now_s)
{
	const struct es_json *statuses = at(object, "status.containerStatuses");
	int64_t restarts = 0;

	(void)item;
	(void)now_s;
	for (uint32_t i = 0; es_json_is(statuses, ES_JSON_ARRAY) && i < statuses->count; i++) {
		int64_t more = number(es_json_get(&statuses->u.items[i], "restartCount"));

		if (__builtin_add_overflow(restarts, more, &restarts))
			restarts = INT64_MAX;
	}
	return es_buf_printf(buf, "%" PRId64, restarts);
}

static int pod_node(struct es_buf *buf, const struct es_json *object,
		    const struct es_ctl_item *item, int64_t now_s)
{
	(void)item;
	(void)now_s;
	return put_text(buf, at(object, "spec.nodeName"), "<none>");
}

static int replicas_ready(struct es_buf *buf, const struct es_json *object,
			  const struct es_ctl_item *item, int64_t now_s)
{
	(void)item;
	(void)now_s;
	return es_buf_printf(buf, "%" PRId64 "/%" PRId64,
			     number(at(object, "status.readyReplicas")),
			     number(at(object, "spec.replicas")));
}

static int data_count(struct es_buf *buf, const struct es_json *object,
		      const struct es_ctl_item *item, int64_t now_s)
{
	(void)item;
	(void)now_s;
	return es_buf_printf(buf, "%" PRIu32,
			     count(at(object, "data")) + count(at(object, "binaryData")));
}

static int type(struct es_buf *buf, const struct es_json *object, const struct es_ctl_item *item,
		int64_t now_s)
{
	const struct es_json *in_spec = at(object, "spec.type");

	(void)item;
	(void)now_s;
	return put_text(buf, in_spec != NULL ? in_spec : at(object, "type"), "<none>");
}

static int cluster_ip(struct es_buf *buf, const struct es_json *object,
		      const struct es_ctl_item *item, int64_t now_s)
{
	(void)item;
	(void)now_s;
	return put_text(buf, at(object, "spec.clusterIP"), "<none>");
}

static int node_status(struct es_buf *buf, const struct es_json *object,
		       const struct es_ctl_item *item, int64_t now_s)
{
	const struct es_json *conditions = at(object, "status.conditions");

	(void)item;
	(void)now_s;
	for (uint32_t i = 0; es_json_is(conditions, ES_JSON_ARRAY) && i < conditions->count; i++) {
		const struct es_json *c = &conditions->u.items[i];

		if (es_slice_eq(es_json_as_string(es_json_get(c, "type")), ES_SLICE("Ready")))
			return es_buf_append_str(
				buf, es_slice_eq(es_json_as_string(es_json_get(c, "status")),
						 ES_SLICE("True"))
					     ? "Ready"
					     : "NotReady");
	}
	return es_buf_append_str(buf, "Unknown");
}

#define AGE                       \
	{                         \
		"AGE", age, false \
	}
#define VERSION                          \
	{                                \
		"VERSION", version, true \
	}
#define COMMON                         \
	{"UID", uid, true},            \
	{                              \
		"LABELS", labels, true \
	}

static const struct es_ctl_columns special[] = {
	{"",
	 "Pod",
	 {{"READY", pod_ready, false},
	  {"STATUS", phase, false},
	  {"RESTARTS", pod_restarts, false},
	  AGE,
	  {"NODE", pod_node, true},
	  COMMON}},
	{"apps", "Deployment", {{"READY", replicas_ready, false}, AGE, VERSION, COMMON}},
	{"apps", "ReplicaSet", {{"READY", replicas_ready, false}, AGE, VERSION, COMMON}},
	{"apps", "StatefulSet", {{"READY", replicas_ready, false}, AGE, VERSION, COMMON}},
	{"", "ConfigMap", {{"DATA", data_count, false}, AGE, VERSION, COMMON}},
	{"", "Secret", {{"TYPE", type, false}, {"DATA", data_count, false}, AGE, VERSION, COMMON}},
	{"",
	 "Service",
	 {{"TYPE", type, false}, {"CLUSTER-IP", cluster_ip, false}, AGE, VERSION, COMMON}},
	{"", "Namespace", {{"STATUS", phase, false}, AGE, VERSION, COMMON}},
	{"", "Node", {{"STATUS", node_status, false}, AGE, VERSION, COMMON}},
	{"", "PersistentVolume", {{"STATUS", phase, false}, AGE, VERSION, COMMON}},
	{"", "PersistentVolumeClaim", {{"STATUS", phase, false}, AGE, VERSION, COMMON}},
};

static const struct es_ctl_columns general = {
	NULL, NULL, {{"VERSION", version, false}, AGE, COMMON}};

const struct es_ctl_columns *es_ctl_columns_of(const struct es_resource_key *key)
{
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (es_slice_eq(key->group, es_slice_str(special[i].group)) &&
		    es_slice_eq(key->kind, es_slice_str(special[i].kind)))
			return &special[i];
	return &general;
}
