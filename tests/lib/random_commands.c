#include "random_commands.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/json.h"

#define PICK(commands, array) ((array)[below(commands, ES_ARRAY_LEN(array))])

struct name {
	const char *group, *version, *kind, *ns, *name; /* as JSON; `ns` "null": none */
};

static uint64_t below(struct random_commands *commands, uint64_t bound)
{
	return es_rng_below(&commands->rng, bound);
}

static bool chance(struct random_commands *commands, uint64_t percent)
{
	return below(commands, 100) < percent;
}

static void put(struct es_buf *out, const char *text)
{
	ES_ASSERT(es_buf_append_str(out, text) == 0);
}

#define putf(out, ...) ES_ASSERT(es_buf_printf(out, __VA_ARGS__) == 0)

/* ---- values ----------------------------------------------------------------------------- */

static void put_number(struct random_commands *commands, struct es_buf *out)
{
	static const char *const special[] = {"0",
					      "-0.0",
					      "1.0",
					      "1e300",
					      "2.50",
					      "1E-7",
					      "-9223372036854775808",
					      "18446744073709551615",
					      "123456789012345678901234567890"};
	double mantissa = (double)(below(commands, UINT64_C(1) << 53)) / 3;
	int exponent = (int)below(commands, 600) - 300;

	switch (below(commands, 5)) {
	case 0: put(out, PICK(commands, special)); break;
	case 1: putf(out, "%" PRId64, (int64_t)es_rng_next(&commands->rng)); break;
	case 2: putf(out, "%.16fe%d", mantissa / 1e15, exponent); break;
	default: putf(out, "%d", (int)below(commands, 10)); break;
	}
}

static const char *string_of(struct random_commands *commands)
{
	static const char *const strings[] = {"\"\"",
					      "\"a\"",
					      "\"b\"",
					      "\"c\xc3\xa9\"",
					      "\"\\u0001\\n\\\"\\\\\"",
					      "\"\\ud83d\\ude00/\\u2028\\u007f\"",
					      "\"/_~%\"",
					      "\"x y\""};

	return PICK(commands, strings);
}

static void put_value(struct random_commands *commands, unsigned depth, struct es_buf *out)
{
	static const char *const words[] = {"true", "false", "null"};
	uint64_t what = below(commands, depth == 0 ? 4 : 7), count = below(commands, 4);

	if (what < 2) {
		put_number(commands, out);
	} else if (what == 2) {
		put(out, string_of(commands));
	} else if (what == 3) {
		put(out, PICK(commands, words));
	} else {
		put(out, what == 4 ? "[" : "{");
		for (uint64_t i = 0; i < count; i++) {
			put(out, i == 0 ? "" : ",");
			if (what != 4)
				putf(out, "%s:", string_of(commands));
			put_value(commands, depth - 1, out);
		}
		put(out, what == 4 ? "]" : "}");
	}
}

/* One of the members that something looks at, or another one. */
static void put_metadata_member(struct random_commands *commands, struct es_buf *out)
{
	static const char *const members[] = {
		"\"finalizers\":[]",
		"\"finalizers\":[\"f/1\"]",
		"\"finalizers\":[\"f/1\",\"f/2\"]",
		"\"finalizers\":null",
		"\"deletionTimestamp\":\"2026-05-05T00:00:00Z\"",
		"\"deletionTimestamp\":null",
		"\"creationTimestamp\":\"2026-01-01T00:00:00Z\"",
		"\"creationTimestamp\":null",
		"\"uid\":\"given\"",
		"\"uid\":\"\"",
		"\"uid\":null",
		"\"generation\":7",
		"\"resourceVersion\":\"77\"",
		"\"labels\":{\"a\":\"x\"}",
		"\"labels\":{\"a\":\"y\",\"b\":null}",
		"\"labels\":{\"a\":null}",
		"\"annotations\":{\"k\":\"v\"}",
	};

	put(out, PICK(commands, members));
}

static void put_metadata(struct random_commands *commands, struct es_buf *out)
{
	uint64_t count = below(commands, 4);

	if (chance(commands, 3)) {
		put(out, chance(commands, 50) ? "null" : "\"no object\"");
		return;
	}
	put(out, "{");
	for (uint64_t i = 0; i < count; i++) {
		put(out, i == 0 ? "" : ",");
		put_metadata_member(commands, out);
	}
	put(out, "}");
}

static void put_spec(struct random_commands *commands, struct es_buf *out)
{
	static const char *const specs[] = {
		"{\"replicas\":1}",
		"{\"replicas\":2,\"paused\":true}",
		"{}",
		"null",
		"{\"containers\":[{\"name\":\"c0\",\"image\":\"i\",\"resources\":"
		"{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}}]}",
		"{\"containers\":[{\"name\":\"c0\",\"image\":\"i2\"},"
		"{\"name\":\"c1\",\"ports\":[{\"containerPort\":80}]}]}",
		"{\"containers\":[{\"name\":\"c1\",\"$patch\":\"delete\"}]}",
		"{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c0\",\"env\":"
		"[{\"name\":\"E\",\"value\":\"1\"}]}]}}}",
		"{\"l\":[1,{\"a\":null}],\"m\":{\"k\":1.50}}",
		"{\"$setElementOrder/containers\":[{\"name\":\"c1\"},{\"name\":\"c0\"}],"
		"\"containers\":[{\"name\":\"c1\",\"image\":\"new\"}]}",
	};

	if (chance(commands, 20))
		put_value(commands, 4, out);
	else
		put(out, PICK(commands, specs));
}

/* An object, most often; `name` NULL: without its own name and type. */
static void put_object(struct random_commands *commands, const struct name *name,
		       struct es_buf *out)
{
	static const char *const others[] = {"\"status\":{\"phase\":\"Running\"}",
					     "\"status\":null", "\"data\":{\"k\":\"v\"}",
					     "\"data\":{\"k\":\"w\",\"l\":\"\"}"};
	bool first = true;

	put(out, "{");
	if (name != NULL) {
		putf(out, "\"apiVersion\":\"%s%s%s\",\"kind\":%s", name->group,
		     name->group[0] == '\0' ? "" : "/", name->version, name->kind);
		first = false;
	}
	if (chance(commands, 80)) {
		put(out, first ? "\"metadata\":" : ",\"metadata\":");
		put_metadata(commands, out);
		first = false;
	}
	if (chance(commands, 60)) {
		put(out, first ? "\"spec\":" : ",\"spec\":");
		put_spec(commands, out);
		first = false;
	}
	if (chance(commands, 30))
		putf(out, "%s%s", first ? "" : ",", PICK(commands, others));
	put(out, "}");
}

static void put_any(struct random_commands *commands, struct es_buf *out)
{
	if (chance(commands, 5))
		put_value(commands, 3, out);
	else
		put_object(commands, NULL, out);
}

/* ---- names ------------------------------------------------------------------------------ */

static struct name random_name(struct random_commands *commands)
{
	static const struct name kinds[] = {{"", "v1", "\"Pod\"", NULL, NULL},
					    {"", "v1", "\"ConfigMap\"", NULL, NULL},
					    {"apps", "v1", "\"Deployment\"", NULL, NULL},
					    {"example.com", "v1beta1", "\"Thing\"", NULL, NULL}};
	static const char *const namespaces[] = {"null", "\"x\"", "\"x\"", "\"default\"", "\"\""};
	static const char *const names[] = {"\"o0\"", "\"o1\"", "\"o2\"", "\"caf\xc3\xa9/1\""};
	struct name name = PICK(commands, kinds);

	name.ns = PICK(commands, namespaces);
	name.name = PICK(commands, names);
	return name;
}

static void put_key(const struct name *name, struct es_buf *out)
{
	putf(out,
	     "\"key\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":%s,\"namespace\":%s,"
	     "\"name\":%s}",
	     name->group, name->version, name->kind, name->ns, name->name);
}

/* A revision that somebody may have seen. */
static int64_t random_revision(struct random_commands *commands)
{
	int64_t newest = commands->store == NULL ? 9 : es_mvcc_revision(commands->store);

	return newest - (int64_t)below(commands, (uint64_t)(newest < 30 ? newest + 1 : 30));
}

/* ---- patches ---------------------------------------------------------------------------- */

static void put_operation(struct random_commands *commands, struct es_buf *out)
{
	static const char *const ops[] = {"add",  "add",  "remove", "replace",
					  "move", "copy", "test"};
	static const char *const paths[] = {
		"/spec",   "/spec/l/0", "/spec/l/-", "/spec/replicas", "/metadata/finalizers",
		"/status", "/x",        "/x/-",      "/data/k",        "/metadata/labels/a",
		"",        "bad",       "/~01~1"};

	putf(out, "{\"op\":\"%s\",\"path\":\"%s\",\"from\":\"%s\"", PICK(commands, ops),
	     PICK(commands, paths), PICK(commands, paths));
	if (chance(commands, 95)) {
		put(out, ",\"value\":");
		put_value(commands, 2, out);
	}
	put(out, "}");
}

static void put_patch(struct random_commands *commands, const struct name *name, struct es_buf *out)
{
	static const char *const types[] = {"merge", "json", "strategic", "apply"};
	uint64_t type = commands->v0 ? 0 : below(commands, 4), count = below(commands, 4);

	put(out, ",\"patch\":");
	if (type == 1) {
		put(out, "[");
		for (uint64_t i = 0; i < count; i++) {
			put(out, i == 0 ? "" : ",");
			put_operation(commands, out);
		}
		put(out, "]");
	} else if (type == 3) {
		put_object(commands, name, out);
	} else {
		put_any(commands, out);
	}
	if (commands->v0)
		return;
	putf(out, ",\"patch_type\":\"%s\"", types[type]);
	if (type == 3)
		putf(out,
		     ",\"apply\":{\"manager\":\"m%d\",\"force\":%s,\"time\":\"2026-01-0%dT00:00:00Z"
		     "\"}",
		     (int)below(commands, 3), chance(commands, 40) ? "true" : "false",
		     1 + (int)below(commands, 9));
}

/* ---- commands --------------------------------------------------------------------------- */

static void put_timestamp(struct random_commands *commands, struct es_buf *out)
{
	if (chance(commands, 75))
		put(out, ",\"deletion_timestamp\":\"2026-02-03T04:05:06Z\"");
	else if (chance(commands, 50))
		put(out, ",\"deletion_timestamp\":null");
}

static void put_compares(struct random_commands *commands, struct es_buf *out)
{
	uint64_t count = below(commands, 3);

	for (uint64_t i = 0; i < count; i++) {
		struct name name = random_name(commands);
		bool absent = chance(commands, 60);

		putf(out, "%s{\"cmp\":\"%s\",", i == 0 ? "" : ",",
		     absent ? "not_exists" : "mod_revision_eq");
		put_key(&name, out);
		if (!absent)
			putf(out, ",\"revision\":%" PRId64, random_revision(commands));
		put(out, "}");
	}
}

static void put_ops(struct random_commands *commands, struct es_buf *out)
{
	uint64_t count = below(commands, 5);

	for (uint64_t i = 0; i < count; i++) {
		struct name name = random_name(commands);
		bool puts = chance(commands, 60);

		putf(out, "%s{\"op\":\"%s\",", i == 0 ? "" : ",", puts ? "put" : "delete");
		put_key(&name, out);
		if (puts) {
			put(out, ",\"value\":");
			put_any(commands, out);
		} else {
			put_timestamp(commands, out);
		}
		put(out, "}");
	}
}

static void put_txn(struct random_commands *commands, struct es_buf *out)
{
	put(out, ",\"compares\":[");
	put_compares(commands, out);
	put(out, "],\"success\":[");
	put_ops(commands, out);
	put(out, "],\"failure\":[");
	put_ops(commands, out);
	put(out, "]");
}

void random_command(struct random_commands *commands, struct es_buf *out)
{
	static const char *const kinds[] = {"put", "put", "patch", "patch", "delete", "txn"};
	static const char *const reasons[] = {"operator", "controller", "garbage_collector",
					      "admission", "scheduler"};
	uint64_t kind = below(commands, commands->v0 ? 5 : 6);
	struct name name = random_name(commands);

	putf(out, "{\"kind\":\"%s\"", kinds[kind]);
	if (kind == 5) {
		put_txn(commands, out);
	} else {
		put(out, ",");
		put_key(&name, out);
		if (kind < 2) {
			put(out, ",\"value\":");
			put_any(commands, out);
		} else if (kind < 4) {
			put_patch(commands, &name, out);
		}
		if (!commands->v0 && chance(commands, 15))
			putf(out, ",\"expected\":%" PRId64, random_revision(commands));
	}
	putf(out, ",\"reason\":\"%s\"", PICK(commands, reasons));
	if (kind == 4 && !commands->v0)
		put_timestamp(commands, out);
	put(out, "}");
}
