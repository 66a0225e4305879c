#include "resource/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/assert.h"
#include "resource/schema.h"
#include "resource/util.h"

/* A case: quotes are written as ', for reading. */
struct example {
	const char *kind; /* "Pod", "apps/Deployment"; all v1; NULL: not built in */
	const char *target, *patch;
	const char *result; /* NULL: it is refused, */
	const char *error;  /* and this is the text */
};

static struct es_json parse(struct es_arena *arena, const char *text)
{
	struct es_json_error error;
	struct es_json value;
	char *copy = es_arena_alloc(arena, strlen(text) + 1);

	assert_non_null(copy);
	memcpy(copy, text, strlen(text) + 1);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	assert_int_equal(
		es_json_parse(es_slice_str(copy), ES_JSON_DEPTH_MAX, arena, &value, &error), 0);
	return value;
}

static const struct es_schema *schema_of(const char *kind)
{
	const char *slash = kind == NULL ? NULL : strchr(kind, '/');
	const struct es_schema *schema;

	if (kind == NULL)
		return NULL;
	schema = slash == NULL ? es_schema_find(ES_SLICE(""), ES_SLICE("v1"), es_slice_str(kind))
			       : es_schema_find(es_slice(kind, (size_t)(slash - kind)),
						ES_SLICE("v1"), es_slice_str(slash + 1));
	assert_non_null(schema);
	return schema;
}

static void check(const struct example *e)
{
	struct es_json target, patch, result, want;
	struct es_buf before, after;
	struct es_arena arena;
	char errmsg[256] = "";
	int rc;

	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&before, es_mem_default());
	es_buf_init(&after, es_mem_default());
	target = parse(&arena, e->target);
	patch = parse(&arena, e->patch);
	assert_int_equal(es_json_write(&before, &target), 0);
	assert_int_equal(es_json_write(&before, &patch), 0);
	rc = es_patch_strategic(&target, &patch, schema_of(e->kind), &arena, &result, errmsg,
				sizeof(errmsg));
	if (e->result == NULL) {
		assert_int_equal(rc, ES_EINVAL);
		assert_string_equal(errmsg, e->error);
	} else {
		assert_string_equal(errmsg, "");
		assert_int_equal(rc, 0);
		want = parse(&arena, e->result);
		if (!es_json_eq(&result, &want)) {
			assert_int_equal(es_json_write(&after, &result), 0);
			fail_msg("%s with %s gives %.*s", e->target, e->patch, (int)after.len,
				 (const char *)after.data);
		}
	}
	/* Neither was touched. */
	after.len = 0;
	assert_int_equal(es_json_write(&after, &target), 0);
	assert_int_equal(es_json_write(&after, &patch), 0);
	assert_true(es_slice_eq(es_buf_slice(&before), es_buf_slice(&after)));
	es_buf_close(&before);
	es_buf_close(&after);
	es_arena_close(&arena);
}

static void check_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&examples[i]);
}

#define CHECK(examples) check_all(examples, sizeof(examples) / sizeof((examples)[0]))

static void test_maps(void **state)
{
	const struct example examples[] = {
		{"ConfigMap", "{}", "{}", "{}", NULL},
		{"ConfigMap", "{'data':{'a':'1','b':'2'}}", "{'data':{'b':null,'c':'3'}}",
		 "{'data':{'a':'1','c':'3'}}", NULL},
		{"ConfigMap", "{'data':{'a':'1'}}", "{'data':null}", "{}", NULL},
		{"ConfigMap", "{}", "{'data':null,'metadata':{'name':null}}", "{'metadata':{}}",
		 NULL},
		{"ConfigMap", "{'data':{'a':'1'}}", "{'data':'x'}", "{'data':'x'}", NULL},
		{"ConfigMap", "{'data':[1]}", "{'data':{'a':null,'b':'1'}}", "{'data':{'b':'1'}}",
		 NULL},
		{"ConfigMap", "{'immutable':true}", "{'immutable':1}", "{'immutable':1}", NULL},
		{"ConfigMap", "{'x':{'y':{'a':1}}}", "{'x':{'y':{'b':2}}}",
		 "{'x':{'y':{'a':1,'b':2}}}", NULL},
		{"policy/PodDisruptionBudget", "{'spec':{'selector':{'matchLabels':{'a':'1'}}}}",
		 "{'spec':{'selector':{'matchLabels':{'b':'1'}}}}",
		 "{'spec':{'selector':{'matchLabels':{'b':'1'}}}}", NULL},
		{NULL, "[1]", "{}", NULL, "the resource is not an object"},
		{NULL, "{}", "[1]", NULL, "the patch is not an object"},
	};

	(void)state;
	CHECK(examples);
}

static void test_map_directives(void **state)
{
	const struct example examples[] = {
		{"ConfigMap", "{'data':{'a':'1'}}", "{'data':{'$patch':'replace','b':'2'}}",
		 "{'data':{'b':'2'}}", NULL},
		{"ConfigMap", "{'data':{'a':'1'}}", "{'data':{'$patch':'delete','b':'2'}}",
		 "{'data':{}}", NULL},
		{"ConfigMap", "{'data':{'a':'1'}}", "{'$patch':'replace','kind':'x'}",
		 "{'kind':'x'}", NULL},
		{"ConfigMap", "{'data':{'a':'1'}}", "{'$patch':'delete'}", "{}", NULL},
		{"ConfigMap", "{}", "{'data':{'$patch':'replace','b':'2'}}", "{}", NULL},
		{"ConfigMap", "{'data':'x'}", "{'data':{'$patch':'delete'}}", "{}", NULL},
		{"ConfigMap", "{'data':{}}", "{'data':{'$patch':'merge'}}", NULL,
		 "data: $patch is neither replace nor delete"},
		{"ConfigMap", "{'data':{}}", "{'data':{'$patch':null}}", NULL,
		 "data: $patch is neither replace nor delete"},
		/* Nothing of a directive stays in what is taken over. */
		{"Pod", "{}",
		 "{'spec':{'volumes':[{'name':'a','$retainKeys':['name']}],"
		 "'$setElementOrder/volumes':[{'name':'a'}]}}",
		 "{'spec':{'volumes':[{'name':'a'}]}}", NULL},
		{"Pod", "{'spec':{'volumes':[]}}",
		 "{'spec':{'volumes':[{'name':'a','emptyDir':{'$patch':'replace','x':null}}]}}",
		 "{'spec':{'volumes':[{'name':'a','emptyDir':{'x':null}}]}}", NULL},
	};

	(void)state;
	CHECK(examples);
}

static void test_retain_keys(void **state)
{
	const struct example examples[] = {
		{"apps/Deployment",
		 "{'spec':{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}}",
		 "{'spec':{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}}",
		 "{'spec':{'strategy':{'type':'Recreate'}}}", NULL},
		{"Pod", "{'spec':{'volumes':[{'name':'a','emptyDir':{}},{'name':'b'}]}}",
		 "{'spec':{'volumes':[{'$retainKeys':['name','hostPath'],'name':'a',"
		 "'hostPath':{'path':'/'},'emptyDir':null}]}}",
		 "{'spec':{'volumes':[{'name':'a','hostPath':{'path':'/'}},{'name':'b'}]}}", NULL},
		{"apps/Deployment", "{'spec':{'strategy':{}}}",
		 "{'spec':{'strategy':{'$retainKeys':['x'],'type':'Recreate'}}}", NULL,
		 "spec.strategy: the patch sets type, which $retainKeys leaves out"},
		{"apps/Deployment", "{'spec':{'strategy':{}}}",
		 "{'spec':{'strategy':{'$retainKeys':'x'}}}", NULL,
		 "spec.strategy: $retainKeys is not a list"},
		{"apps/Deployment", "{'spec':{'strategy':{}}}",
		 "{'spec':{'strategy':{'$retainKeys':[{}]}}}", NULL,
		 "spec.strategy: $retainKeys is not a list of names"},
		{NULL, "{'a':1,'b':2}", "{'$retainKeys':['a']}", "{'a':1}", NULL},
	};

	(void)state;
	CHECK(examples);
}

static void test_lists_of_objects(void **state)
{
	const struct example examples[] = {
		{"Pod",
		 "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b','image':'1'}]}}",
		 "{'spec':{'containers':[{'name':'b','image':'2'}]}}",
		 "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b','image':'2'}]}}",
		 NULL},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'b','image':'2'}]}}",
		 "{'spec':{'containers':[{'name':'b','image':'2'},{'name':'a'}]}}", NULL},
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
		 "{'spec':{'containers':[{'$patch':'delete','name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'b'}]}}", NULL},
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
		 "{'spec':{'containers':[{'$patch':'replace'},{'name':'c'}]}}",
		 "{'spec':{'containers':[{'name':'c'}]}}", NULL},
		/* The same new item twice. */
		{"Pod", "{'spec':{'containers':[]}}",
		 "{'spec':{'containers':[{'name':'a','tty':true},{'name':'a','image':'1'}]}}",
		 "{'spec':{'containers':[{'name':'a','tty':true,'image':'1'}]}}", NULL},
		/* Keys of other types, and of another member. */
		{"Service", "{'spec':{'ports':[{'port':80},{'port':81,'name':'b'}]}}",
		 "{'spec':{'ports':[{'port':81,'name':'c'},{'port':80.5},{'port':'80'}]}}",
		 "{'spec':{'ports':[{'port':80},{'port':81,'name':'c'},{'port':80.5},{'port':'80'}]"
		 "}}",
		 NULL},
		/* Lists that do not merge. */
		{"Pod", "{'spec':{'tolerations':[{'key':'a'}]}}",
		 "{'spec':{'tolerations':[{'key':'b'}]}}", "{'spec':{'tolerations':[{'key':'b'}]}}",
		 NULL},
		{NULL, "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'b'}]}}", "{'spec':{'containers':[{'name':'b'}]}}",
		 NULL},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'image':'b'}]}}", NULL,
		 "spec.containers: an item has no scalar as its merge key \"name\""},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'$patch':'merge','name':'b'}]}}", NULL,
		 "spec.containers: $patch of an item is neither delete nor replace"},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'$patch':'delete'}]}}", NULL,
		 "spec.containers: an item has no scalar as its merge key \"name\""},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':['a']}}",
		 NULL, "spec.containers: the items are not all of one type"},
		{"Pod", "{'spec':{'containers':[]}}", "{'spec':{'containers':[[]]}}", NULL,
		 "spec.containers: lists of lists are not supported"},
		{"Pod", "{'spec':{'containers':[]}}", "{'spec':{'containers':[null]}}", NULL,
		 "spec.containers: an item is null"},
		{"Pod", "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':1}]}]}}",
		 "{'spec':{'containers':[{'name':'a','ports':[{'hostPort':1}]}]}}", NULL,
		 "spec.containers[a].ports: an item has no scalar as its merge key "
		 "\"containerPort\""},
	};

	(void)state;
	CHECK(examples);
}

static void test_lists_of_scalars(void **state)
{
	const struct example examples[] = {
		{"Pod", "{'metadata':{'finalizers':['a','b']}}",
		 "{'metadata':{'finalizers':['c','b']}}",
		 "{'metadata':{'finalizers':['c','a','b']}}", NULL},
		{"Pod", "{'metadata':{'finalizers':['a','b']}}",
		 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a','x']}}",
		 "{'metadata':{'finalizers':['b']}}", NULL},
		{"Pod", "{'metadata':{}}",
		 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a','x']}}",
		 "{'metadata':{}}", NULL},
		/* The list's own strategy does not matter. */
		{"Pod", "{'spec':{'x':['a','b']}}", "{'spec':{'$deleteFromPrimitiveList/x':['a']}}",
		 "{'spec':{'x':['b']}}", NULL},
		/* First what is deleted, then what is added. */
		{"Pod", "{'metadata':{'finalizers':['a','b']}}",
		 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],'finalizers':['a']}}",
		 "{'metadata':{'finalizers':['a','b']}}", NULL},
		/* With an order, the other way round. */
		{"Pod", "{'metadata':{'finalizers':['a','b']}}",
		 "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],"
		 "'$setElementOrder/finalizers':['b','c'],'finalizers':['c']}}",
		 "{'metadata':{'finalizers':['b','c']}}", NULL},
		{"Pod", "{'metadata':{'finalizers':['a','b','a']}}",
		 "{'metadata':{'finalizers':[]}}", "{'metadata':{'finalizers':['a','b']}}", NULL},
		{"Pod", "{}", "{'$deleteFromPrimitiveListx/y':[]}", NULL,
		 "$deleteFromPrimitiveListx/y: not of the form $deleteFromPrimitiveList/<field>"},
		{"Pod", "{'spec':{'tolerations':[{'key':'a'}]}}",
		 "{'spec':{'$deleteFromPrimitiveList/tolerations':[{'key':'a'}]}}", NULL,
		 "spec.tolerations: lists of objects without a merge key cannot be merged"},
		{"Pod", "{'spec':{'containers':['a']}}", "{'spec':{'containers':['b']}}", NULL,
		 "spec.containers: an item has no scalar as its merge key \"name\""},
	};

	(void)state;
	CHECK(examples);
}

static void test_orders(void **state)
{
	const struct example examples[] = {
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'b'},{'name':'a'}]}}", NULL},
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'},{'name':'c'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'d'},{'name':'a'}],"
		 "'containers':[{'name':'d'},{'$patch':'delete','name':'c'}]}}",
		 "{'spec':{'containers':[{'name':'b'},{'name':'d'},{'name':'a'}]}}", NULL},
		/* What the order does not name keeps its place between those that it does. */
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'x'},{'name':'b'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'a'},{'name':'b'}]}}",
		 "{'spec':{'containers':[{'name':'a'},{'name':'x'},{'name':'b'}]}}", NULL},
		/* An added item takes the room of a deleted one. */
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'},{'name':'c'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'d'}],"
		 "'containers':[{'$patch':'delete','name':'a'},{'name':'d'}]}}",
		 "{'spec':{'containers':[{'name':'b'},{'name':'c'},{'name':'d'}]}}", NULL},
		{"Pod", "{}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'a'}],"
		 "'containers':[{'name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'a'}]}}", NULL},
		{"Pod", "{'spec':{}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}],"
		 "'containers':[{'$patch':'delete','name':'c'},{'name':'a'}]}}",
		 "{'spec':{'containers':[{'name':'a'}]}}", NULL},
		{"Pod", "{'spec':{}}", "{'spec':{'$setElementOrder/containers':[{'name':'a'}]}}",
		 "{'spec':{}}", NULL},
		{"Pod", "{'metadata':{'finalizers':['a','b']}}",
		 "{'metadata':{'$setElementOrder/finalizers':['b','a']}}",
		 "{'metadata':{'finalizers':['b','a']}}", NULL},
		{"Pod", "{'spec':{'containers':[]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'a'}]}}", NULL,
		 "spec.containers: there are no items to put in order"},
		{"Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}],"
		 "'containers':[{'name':'a'},{'name':'b'}]}}",
		 NULL, "spec.containers: the order of its items is not that of $setElementOrder"},
		{"Pod", "{'spec':{'containers':[]}}", "{'spec':{'$setElementOrder/containers':{}}}",
		 NULL, "spec.containers: its $setElementOrder is not a list"},
		{"Pod", "{'spec':{'containers':1}}", "{'spec':{'$setElementOrder/containers':[]}}",
		 NULL, "spec.containers: it has a $setElementOrder and is not a list"},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'$setElementOrder/containers':[],'containers':null}}", NULL,
		 "spec.containers: it has a $setElementOrder and the patch has no list"},
		{"Pod", "{'spec':{'containers':[{'name':'a'}]}}",
		 "{'spec':{'$setElementOrder/containers':[{'x':'a'}]}}", NULL,
		 "spec.containers: an item has no scalar as its merge key \"name\""},
		{"Pod", "{'spec':{'tolerations':[{'key':'a'}]}}",
		 "{'spec':{'$setElementOrder/tolerations':[{'key':'a'}]}}", NULL,
		 "spec.tolerations: the list has no merge key, so its items must be scalars"},
		{"Pod", "{}", "{'spec':{},'$setElementOrder':[]}", NULL,
		 "$setElementOrder: not of the form $setElementOrder/<field>"},
	};

	(void)state;
	CHECK(examples);
}

/* Many items: the order asked for is turned round, and others stay between. */
static void test_a_long_order(void **state)
{
	enum { COUNT = 500 };
	struct es_json target, patch, result;
	struct es_arena arena;
	struct es_buf text;
	char errmsg[256];

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	es_buf_init(&text, es_mem_default());
	es_buf_append_str(&text, "{'metadata':{'finalizers':[");
	for (int i = 0; i < COUNT; i++)
		es_buf_printf(&text, "%s'%d'", i == 0 ? "" : ",", i);
	es_buf_append(&text, "]}}", 4);
	target = parse(&arena, (const char *)text.data);
	text.len = 0;
	es_buf_append_str(&text, "{'metadata':{'$setElementOrder/finalizers':[");
	for (int i = COUNT - 1; i > 0; i -= 2)
		es_buf_printf(&text, "%s'%d'", i == COUNT - 1 ? "" : ",", i);
	es_buf_append(&text, "]}}", 4);
	patch = parse(&arena, (const char *)text.data);
	assert_int_equal(es_patch_strategic(&target, &patch, schema_of("Pod"), &arena, &result,
					    errmsg, sizeof(errmsg)),
			 0);
	target = *es_json_get(es_json_get(&result, "metadata"), "finalizers");
	assert_int_equal(target.count, COUNT);
	/* All the others are before the last one in the live list, which is the first one now. */
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t want = i < COUNT / 2 ? 2 * i : COUNT - 1 - 2 * (i - COUNT / 2);
		char name[16];

		snprintf(name, sizeof(name), "%u", want);
		assert_true(es_slice_eq(es_json_as_string(&target.u.items[i]), es_slice_str(name)));
	}
	es_buf_close(&text);
	es_arena_close(&arena);
}

static void test_a_short_buffer_for_the_error(void **state)
{
	struct es_json target, patch, result;
	struct es_arena arena;
	char errmsg[64];

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	target = parse(&arena, "{'spec':{'strategy':{'x':{}}}}");
	patch = parse(&arena, "{'spec':{'strategy':{'x':{'$patch':1}}}}");
	for (size_t size = 0; size < sizeof(errmsg); size++) {
		memset(errmsg, '#', sizeof(errmsg));
		assert_int_equal(
			es_patch_strategic(&target, &patch, NULL, &arena, &result, errmsg, size),
			ES_EINVAL);
		assert_int_equal(errmsg[size], '#');
		if (size > 0)
			assert_true(strlen(errmsg) < size);
	}
	es_arena_close(&arena);
}

static void test_memory_runs_out(void **state)
{
	const char *target_text =
		"{'metadata':{'finalizers':['a','b']},'spec':{'x':{'y':[1]},'volumes':[{'name':'a'}"
		"],"
		"'containers':[{'name':'a'},{'name':'b'}],'hostAliases':[{'ip':'1'}]}}";
	const char *patch_text =
		"{'metadata':{'finalizers':['c'],'$deleteFromPrimitiveList/"
		"finalizers':['a']},'spec':{"
		"'$setElementOrder/containers':[{'name':'c'},{'name':'a'}],'x':{'$patch':'replace',"
		"'z':{'$patch':'delete'}},'containers':[{'name':'c','ports':[{'$patch':'delete'}]},"
		"{'$patch':'delete','name':'b'},{'name':'a','env':[{'name':'x','value':null}]}],"
		"'volumes':[{'$retainKeys':['name'],'name':'a'}],"
		"'hostAliases':[{'$patch':'replace'},{'ip':'2'}]}}";
	struct es_json target, patch, result;
	struct es_arena texts, arena;
	struct es_fault_mem fault;
	char errmsg[256] = "";
	uint64_t n = 0;
	int rc;

	(void)state;
	es_arena_init(&texts, es_mem_default(), 4096);
	target = parse(&texts, target_text);
	patch = parse(&texts, patch_text);
	do {
		es_fault_mem_init(&fault, n++);
		es_arena_init(&arena, &fault.mem, 1); /* each its own block */
		rc = es_patch_strategic(&target, &patch, schema_of("Pod"), &arena, &result, errmsg,
					sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&arena);
		assert_int_equal(fault.live, 0);
	} while (fault.fired);
	assert_true(n > 50);
	assert_string_equal(errmsg, "");
	es_arena_close(&texts);
}

/* What a patch has twice is added and then merged with, with its directives; they go in the end. */
static void test_an_item_that_comes_twice(void **state)
{
	const struct example examples[] = {
		{"Pod", "{'spec':{'containers':[{'name':'x'}]}}",
		 "{'spec':{'containers':[{'name':'c','env':[{'name':'a'},{'$patch':'delete',"
		 "'name':'b'},{'name':'d'}]},{'name':'c','env':[]}]}}",
		 "{'spec':{'containers':[{'env':[{'name':'a'},{'name':'d'},"
		 "{'name':'b'}],'name':'c'},{'name':'x'}]}}",
		 NULL},
		{"Pod", "{'spec':{'containers':[{'env':[],'name':'c'}]}}",
		 "{'spec':{'containers':[{'name':'c','env':[{'name':'a'},{'$patch':'delete',"
		 "'name':'b'},{'name':'d'}]},{'name':'c','env':[]}]}}",
		 "{'spec':{'containers':[{'env':[{'name':'a'},{'name':'d'}],'name':'c'}]}}", NULL},
	};

	(void)state;
	CHECK(examples);
}

/* A small patch may have the same item so often that a list of the object is gone through again and again. */
static void test_work_is_bounded(void **state)
{
	enum { ENV = 5000, TIMES = 1000 };
	struct es_json target, patch, result;
	struct es_arena arena;
	struct es_buf text;
	char errmsg[200];

	(void)state;
	es_arena_init(&arena, es_mem_default(), 1 << 20);
	es_buf_init(&text, es_mem_default());
	assert_int_equal(es_buf_append_str(&text, "{'spec':{'containers':[{'name':'c','env':["), 0);
	for (int i = 0; i < ENV; i++)
		assert_int_equal(es_buf_printf(&text, "%s{'name':'%d'}", i == 0 ? "" : ",", i), 0);
	assert_int_equal(es_buf_append(&text, "]}]}}", 6), 0);
	target = parse(&arena, (const char *)text.data);
	text.len = 0;
	assert_int_equal(es_buf_append_str(&text, "{'spec':{'containers':["), 0);
	for (int i = 0; i < TIMES; i++)
		assert_int_equal(es_buf_printf(&text, "%s{'name':'c','env':[]}", i == 0 ? "" : ","),
				 0);
	assert_int_equal(es_buf_append(&text, "]}}", 4), 0);
	patch = parse(&arena, (const char *)text.data);
	assert_int_equal(es_patch_strategic(&target, &patch, schema_of("Pod"), &arena, &result,
					    errmsg, sizeof(errmsg)),
			 ES_EINVAL);
	assert_string_equal(errmsg, "spec.containers[c].env: the patch merges too much");
	assert_true(arena.bytes < 300 << 20);
	es_buf_close(&text);
	es_arena_close(&arena);
}

/* X is a long name. */
static struct es_json parse_with_names(struct es_arena *arena, const char *text)
{
	char whole[2000] = "";
	size_t at = 0;

	for (const char *c = text; *c != '\0'; c++)
		for (int i = 0; i < (*c == 'X' ? 200 : 1); i++)
			at += (size_t)snprintf(whole + at, sizeof(whole) - at, "%.*s",
					       *c == 'X' ? 2 : 1, *c == 'X' ? "\xc3\xa9" : c);
	assert_true(at < sizeof(whole));
	return parse(arena, whole);
}

/* Names come from outside, and reasons go into answers that have to be UTF-8, whatever room there is. */
static void test_reasons_are_text(void **state)
{
	static const struct {
		const char *patch, *reason;
	} cases[] = {
		{"{'X':{'$patch':'bad'}}", ": $patch is neither replace nor delete"},
		{"{'spec':{'X':{'X':{'$patch':'bad'}}}}", ": $patch is neither replace nor delete"},
		{"{'$retainKeys':['a'],'X':1}", ", which $retainKeys leaves out"},
	};
	struct es_json target, patch, result;
	struct es_arena arena;
	char errmsg[300];

	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	target = parse_with_names(&arena, "{'X':{},'spec':{'X':{'X':{}}}}");
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		patch = parse_with_names(&arena, cases[i].patch);
		for (size_t size = 1; size <= sizeof(errmsg); size++) {
			assert_int_equal(es_patch_strategic(&target, &patch, NULL, &arena, &result,
							    errmsg, size),
					 ES_EINVAL);
			assert_true(strlen(errmsg) < size);
			assert_true(es_resource_is_utf8(es_slice_str(errmsg)));
		}
		assert_non_null(strstr(errmsg, cases[i].reason));
	}
	es_arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_map_directives),
		cmocka_unit_test(test_retain_keys),
		cmocka_unit_test(test_an_item_that_comes_twice),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_reasons_are_text),
		cmocka_unit_test(test_lists_of_objects),
		cmocka_unit_test(test_lists_of_scalars),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_a_long_order),
		cmocka_unit_test(test_a_short_buffer_for_the_error),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
