#include "resource/pod.h"

/*
 * Quantities are compared in billionths, rounded up, as Kubernetes has it; one that cannot be read, or is too large,
 * counts as not there. Nothing here decides but between three words.
 */
__extension__ typedef __int128 billionths;

struct suffix {
	const char *text;
	uint64_t times;
};

#define KI UINT64_C(1024)
static const struct suffix suffixes[] = {
	{"n", 1},
	{"u", 1000},
	{"m", 1000000},
	{"", 1000000000},
	{"k", UINT64_C(1000000000000)},
	{"M", UINT64_C(1000000000000000)},
	{"G", UINT64_C(1000000000000000000)},
};
static const struct suffix binary[] = {
	{"Ki", KI},
	{"Mi", KI *KI},
	{"Gi", KI *KI *KI},
	{"Ti", KI *KI *KI *KI},
	{"Pi", KI *KI *KI *KI *KI},
	{"Ei", KI *KI *KI *KI *KI *KI},
	{"T", UINT64_C(1000000000000)},
	{"P", UINT64_C(1000000000000000)},
	{"E", UINT64_C(1000000000000000000)},
};
#define ONE             UINT64_C(1000000000)
#define MANTISSA_DIGITS 15

/* In billionths for one of the mantissa; 0: no such suffix. */
static billionths times_of(struct es_slice text)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (es_slice_eq(text, es_slice_str(suffixes[i].text)))
			return suffixes[i].times;
	}
	for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++) {
		if (es_slice_eq(text, es_slice_str(binary[i].text)))
			return (billionths)binary[i].times * ONE;
	}
	return 0;
}

/* 0 for what is no quantity. */
static billionths quantity_of(struct es_slice text)
{
	billionths value = 0, times;
	size_t at = 0, digits = 0;
	unsigned decimals = 0;
	bool point = false;

	if (text.len == 0)
		return 0;
	if (text.data[0] == '+')
		at++;
	for (; at < text.len; at++) {
		uint8_t c = text.data[at];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (++digits > MANTISSA_DIGITS)
			return 0;
		value = value * 10 + (c - '0');
		decimals += point ? 1 : 0;
	}
	times = times_of(es_slice(text.data + at, text.len - at));
	if (digits == 0 || times == 0)
		return 0;
	value *= times;
	for (; decimals > 0; decimals--)
		value = (value + 9) / 10;
	return value;
}

static billionths amount(const struct es_json *container, const char *list, const char *name)
{
	const struct es_json *value = es_json_get(
		es_json_get(es_json_get(container, "resources"), list), name);

	if (es_json_is(value, ES_JSON_INT) && value->u.i64 > 0)
		return (billionths)value->u.i64 * ONE;
	return quantity_of(es_json_as_string(value));
}

struct sums {
	billionths requests[2], limits[2];
	bool all_limited;
};

static void add_containers(struct sums *sums, const struct es_json *list)
{
	static const char *const names[] = {"cpu", "memory"};

	if (!es_json_is(list, ES_JSON_ARRAY))
		return;
	for (size_t i = 0; i < list->count; i++) {
		for (int k = 0; k < 2; k++) {
			billionths limit = amount(&list->u.items[i], "limits", names[k]);
			billionths request = amount(&list->u.items[i], "requests", names[k]);

			/* A request that is not there is the limit. */
			sums->requests[k] += request > 0 ? request : limit;
			sums->limits[k] += limit;
			sums->all_limited = sums->all_limited && limit > 0;
		}
	}
}

const char *es_resource_pod_qos(const struct es_json *pod)
{
	const struct es_json *spec = es_json_get(pod, "spec");
	struct sums sums = {.all_limited = true};

	add_containers(&sums, es_json_get(spec, "containers"));
	add_containers(&sums, es_json_get(spec, "initContainers"));
	if (sums.requests[0] == 0 && sums.requests[1] == 0 && sums.limits[0] == 0 &&
	    sums.limits[1] == 0)
		return "BestEffort";
	if (sums.all_limited && sums.requests[0] == sums.limits[0] &&
	    sums.requests[1] == sums.limits[1])
		return "Guaranteed";
	return "Burstable";
}

static int set_absent(struct es_arena *arena, struct es_json *status, struct es_slice name,
		      const char *text)
{
	const struct es_json value = es_json_string(es_slice_str(text));
	const struct es_json *found = es_json_get_slice(status, name);

	if (found != NULL && found->type != ES_JSON_NULL)
		return 0;
	return es_json_set(arena, status, name, &value, status);
}

int es_resource_pod_created(const struct es_resource_key *key, struct es_arena *arena,
			    struct es_json *object)
{
	const struct es_json *found = es_json_get(object, "status");
	struct es_json status = es_json_object();
	int rc;

	if (key->group.len > 0 || !es_slice_eq(key->version, ES_SLICE("v1")) ||
	    !es_slice_eq(key->kind, ES_SLICE("Pod")) || object->type != ES_JSON_OBJECT)
		return 0;
	if (found != NULL && found->type != ES_JSON_NULL && found->type != ES_JSON_OBJECT)
		return 0;
	if (es_json_is(found, ES_JSON_OBJECT))
		status = *found;
	rc = set_absent(arena, &status, ES_SLICE("phase"), "Pending");
	if (rc == 0)
		rc = set_absent(arena, &status, ES_SLICE("qosClass"), es_resource_pod_qos(object));
	return rc < 0 ? rc : es_json_set(arena, object, ES_SLICE("status"), &status, object);
}
