#include "resource/patch.h"

#include "apply_support.h"
#include "resource/rules.h"
#include "resource/schema.h"

/* An object, and what the last apply said of it. */
struct world {
	struct es_arena arena;
	const struct es_schema *schema;
	struct es_json object;
	bool exists;
	unsigned second; /* of the next apply's time */
	char time[32];
	char errmsg[400];
	char conflicts[400]; /* "MANAGER FIELD\n" each */
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	es_arena_init(&world->arena, es_mem_default(), 16384);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	es_arena_close(&world->arena);
	free(world);
	return 0;
}

static void of_kind(struct world *world, const char *group, const char *version, const char *kind)
{
	world->schema = es_schema_find(es_slice_str(group), es_slice_str(version),
				       es_slice_str(kind));
	assert_non_null(world->schema);
}

static void put(struct world *world, const char *text)
{
	world->object = parse_json(&world->arena, text);
	world->exists = true;
}

static int apply_with(struct world *world, const char *manager, const char *config, bool force)
{
	struct es_json value = parse_json(&world->arena, config);
	const struct es_resource_cause *causes;
	size_t count = 0;
	struct es_apply apply = {.manager = es_slice_str(manager), .force = force};
	char *time = es_arena_alloc(&world->arena, sizeof(world->time));
	int rc;

	assert_non_null(time);
	snprintf(time, sizeof(world->time), "2024-01-01T00:00:%02uZ", ++world->second);
	apply.time = es_slice_str(time);
	world->errmsg[0] = '\0';
	world->conflicts[0] = '\0';
	rc = es_patch_apply(world->exists ? &world->object : NULL, &value, world->schema, &apply,
			    &world->arena, &world->object, &causes, &count, world->errmsg,
			    sizeof(world->errmsg));
	if (rc == 0)
		world->exists = true;
	assert_true((rc < 0) == (world->errmsg[0] != '\0'));
	assert_true((rc == ES_EEXIST) == (count > 0));
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(world->conflicts);

		snprintf(world->conflicts + len, sizeof(world->conflicts) - len, "%.*s %.*s\n",
			 (int)causes[i].manager.len, (const char *)causes[i].manager.data,
			 (int)causes[i].field.len, (const char *)causes[i].field.data);
	}
	return rc;
}

static void apply(struct world *world, const char *manager, const char *config)
{
	if (apply_with(world, manager, config, false) < 0)
		fail_msg("%s: %s", world->errmsg, config);
}

static void force(struct world *world, const char *manager, const char *config)
{
	if (apply_with(world, manager, config, true) < 0)
		fail_msg("%s", world->errmsg);
}

static void refused(struct world *world, const char *manager, const char *config,
		    const char *errmsg)
{
	if (apply_with(world, manager, config, true) != ES_EINVAL)
		fail_msg("%s was not refused", config);
	assert_string_equal(world->errmsg, errmsg);
}

static const struct es_json *managed_fields(const struct world *world)
{
	return es_json_get(es_json_get(&world->object, "metadata"), "managedFields");
}

/* The object without managedFields. */
static void assert_object(struct world *world, const char *text)
{
	struct es_json metadata, object;

	assert_int_equal(es_json_remove(&world->arena, es_json_get(&world->object, "metadata"),
					ES_SLICE("managedFields"), &metadata),
			 0);
	assert_int_equal(es_json_set(&world->arena, &world->object, ES_SLICE("metadata"), &metadata,
				     &object),
			 0);
	assert_json(&object, text);
}

static const struct es_json *entry_of(const struct world *world, const char *manager)
{
	const struct es_json *list = managed_fields(world);

	for (uint32_t i = 0; list != NULL && i < list->count; i++)
		if (es_slice_eq(es_json_as_string(es_json_get(&list->u.items[i], "manager")),
				es_slice_str(manager)))
			return &list->u.items[i];
	return NULL;
}

static void assert_owns(struct world *world, const char *manager, const char *fields)
{
	const struct es_json *entry = entry_of(world, manager);

	if (entry == NULL)
		fail_msg("%s owns nothing", manager);
	assert_json(es_json_get(entry, "fieldsV1"), fields);
}

static void assert_time(struct world *world, const char *manager, unsigned second)
{
	struct es_slice time = es_json_as_string(es_json_get(entry_of(world, manager), "time"));
	char expected[32];

	snprintf(expected, sizeof(expected), "2024-01-01T00:00:%02uZ", second);
	assert_true(es_slice_eq(time, es_slice_str(expected)));
}

#define DEPLOYMENT "'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'nginx'}"
#define WIDGET     "'apiVersion':'example.com/v1','kind':'Widget','metadata':{'name':'w'}"

/* ---- who owns what ---------------------------------------------------------------------- */

static void test_create(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "kubectl",
	      "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'nginx',"
	      "'namespace':'d','labels':{'app':'nginx'}},'spec':{'replicas':3,"
	      "'selector':{'matchLabels':{'app':'nginx'}},"
	      "'template':{'metadata':{'labels':{'app':'nginx'}},"
	      "'spec':{'containers':[{'name':'nginx','image':'nginx:1.14.2',"
	      "'ports':[{'containerPort':80}],'args':['a']}]}}}}");
	assert_json(managed_fields(world),
		    "[{'apiVersion':'apps/v1','fieldsType':'FieldsV1',"
		    "'fieldsV1':{'f:metadata':{'f:labels':{'f:app':{}}},"
		    "'f:spec':{'f:replicas':{},'f:selector':{},"
		    "'f:template':{'f:metadata':{'f:labels':{'f:app':{}}},"
		    "'f:spec':{'f:containers':{'k:{\\'name\\':\\'nginx\\'}':{'.':{},'f:args':{},"
		    "'f:image':{},'f:name':{},'f:ports':{'k:{\\'containerPort\\':80,"
		    "\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}}}}}}}}},"
		    "'manager':'kubectl','operation':'Apply','time':'2024-01-01T00:00:01Z'}]");
}

static void test_conflict_and_force(void **state)
{
	struct world *world = *state;
	struct es_json before;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':3,'paused':true}}");
	before = world->object;
	assert_int_equal(apply_with(world, "b", "{" DEPLOYMENT ",'spec':{'replicas':4}}", false),
			 ES_EEXIST);
	assert_string_equal(world->conflicts, "\"a\" .spec.replicas\n");
	assert_string_equal(world->errmsg,
			    "Apply failed with 1 conflict: conflict with \"a\": .spec.replicas");
	assert_true(es_json_eq(&before, &world->object));

	force(world, "b", "{" DEPLOYMENT ",'spec':{'replicas':4}}");
	assert_object(world, "{" DEPLOYMENT ",'spec':{'replicas':4,'paused':true}}");
	assert_owns(world, "a", "{'f:spec':{'f:paused':{}}}");
	assert_owns(world, "b", "{'f:spec':{'f:replicas':{}}}");
	assert_time(world, "a", 1);
	assert_time(world, "b", 3);
}

static void test_conflicts_are_sorted(void **state)
{
	struct world *world = *state;

	put(world, "{'apiVersion':'v1','kind':'ConfigMap','data':{'x':'1','y':'1'},"
		   "'metadata':{'managedFields':[{'apiVersion':'v1','fieldsType':'FieldsV1',"
		   "'fieldsV1':{'f:data':{'f:y':{},'f:x':{}}},'manager':'z','operation':'Update',"
		   "'time':'2024-01-01T00:00:00Z'},{'apiVersion':'v1','fieldsType':'FieldsV1',"
		   "'fieldsV1':{'f:data':{'f:y':{}}},'manager':'b','operation':'Update',"
		   "'subresource':'status'},{'apiVersion':'v1','fieldsType':'FieldsV1',"
		   "'fieldsV1':{'f:data':{'f:y':{}}},'manager':'q\\'t','operation':'Apply'}]}}");
	of_kind(world, "", "v1", "ConfigMap");
	assert_int_equal(
		apply_with(world, "me",
			   "{'apiVersion':'v1','kind':'ConfigMap','data':{'x':'2','y':'2'}}",
			   false),
		ES_EEXIST);
	assert_string_equal(world->conflicts, "\"b\" with subresource \"status\" using v1 .data.y"
					      "\n\"q\\\"t\" .data.y\n\"z\" using v1 .data.x\n"
					      "\"z\" using v1 .data.y\n");
	assert_string_equal(
		world->errmsg,
		"Apply failed with 4 conflicts: conflicts with \"b\" with subresource \"status\" "
		"using v1:\n- .data.y\nconflicts with \"q\\\"t\":\n- .data.y\n"
		"conflicts with \"z\" using v1:\n- .data.x\n- .data.y");
}

static void test_shared_ownership(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':3}}");
	apply(world, "b",
	      "{" DEPLOYMENT ",'spec':{'replicas':3}}"); /* the same value: both own it */
	assert_owns(world, "a", "{'f:spec':{'f:replicas':{}}}");
	assert_owns(world, "b", "{'f:spec':{'f:replicas':{}}}");
	assert_time(world, "b", 2);
	apply(world, "a", "{" DEPLOYMENT "}"); /* b has it still */
	assert_object(world, "{" DEPLOYMENT ",'spec':{'replicas':3}}");
	assert_null(entry_of(world, "a"));
	apply(world, "b", "{" DEPLOYMENT "}");
	assert_object(world, "{" DEPLOYMENT "}");
	assert_null(managed_fields(world));
}

static void test_removal(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "ConfigMap");
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','labels':{'x':'1'}},"
	      "'data':{'k':'v','l':'w'}}");
	apply(world, "b",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'m':'x'}}");
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'l':'w'}}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},"
			     "'data':{'l':'w','m':'x'}}");
	apply(world, "b", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}}");
	apply(world, "a", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}}");
}

/* What the store keeps in metadata is nobody's, and is never taken away. */
static void test_metadata_stays(void **state)
{
	struct world *world = *state;

	put(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','uid':'u',"
		   "'resourceVersion':'7','creationTimestamp':'2024-01-01T00:00:00Z',"
		   "'generation':2}}");
	of_kind(world, "", "v1", "ConfigMap");
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','uid':null,"
	      "'creationTimestamp':null,'managedFields':null,'labels':{'x':'1'}}}");
	assert_owns(world, "a", "{'f:metadata':{'f:labels':{'f:x':{}}}}");
	assert_null(entry_of(world, "before-first-apply"));
	apply(world, "a", "{'apiVersion':'v1','kind':'ConfigMap'}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c',"
			     "'uid':'u','resourceVersion':'7',"
			     "'creationTimestamp':'2024-01-01T00:00:00Z','generation':2}}");
	/* Neither when somebody wrote down that a manager owns it. */
	put(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','uid':'u',"
		   "'managedFields':[{'apiVersion':'v1','fieldsType':'FieldsV1',"
		   "'fieldsV1':{'f:kind':{},'f:metadata':{'.':{},'f:uid':{}}},'manager':'a',"
		   "'operation':'Apply'}]}}");
	apply(world, "a", "{'apiVersion':'v1','kind':'ConfigMap'}");
	assert_object(world,
		      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','uid':'u'}}");
}

static void test_time(void **state)
{
	struct world *world = *state;
	struct es_json before;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':3}}");
	before = world->object;
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':3}}");
	assert_true(es_json_eq(&before, &world->object)); /* to the byte: nothing to store */
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':4}}");
	assert_time(world, "a", 3);
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':4.0}}"); /* the same number */
	assert_time(world, "a", 3);
	assert_object(world, "{" DEPLOYMENT ",'spec':{'replicas':4}}");
	apply(world, "b", "{" DEPLOYMENT ",'spec':{'replicas':4,'paused':true}}");
	assert_time(world, "a", 3);
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':4,'paused':true}}");
	assert_time(world, "a", 6);
	assert_time(world, "b", 5);
}

static void test_order_of_managers(void **state)
{
	struct world *world = *state;
	static const char *const order[] = {"b", "a", "before-first-apply"};

	put(world, "{" WIDGET ",'spec':1}");
	apply(world, "b", "{" WIDGET ",'x':1}");
	apply(world, "a", "{" WIDGET ",'y':1}");
	assert_int_equal(managed_fields(world)->count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(es_slice_eq(es_json_as_string(es_json_get(
						&managed_fields(world)->u.items[i], "manager")),
					es_slice_str(order[i])));
}

/* ---- lists and maps --------------------------------------------------------------------- */

#define CONTAINERS(items) "{" DEPLOYMENT ",'spec':{'template':{'spec':{'containers':[" items "]}}}}"

static void test_items_of_maps(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", CONTAINERS("{'name':'x','image':'1'},{'name':'y'}"));
	apply(world, "b", CONTAINERS("{'name':'s','image':'2'}")); /* a sidecar */
	apply(world, "c", CONTAINERS("{'name':'x','command':['go']}"));
	assert_object(world, CONTAINERS("{'name':'x','image':'1','command':['go']},{'name':'y'},"
					"{'name':'s','image':'2'}"));
	/* An item that somebody else has too keeps what is his. */
	apply(world, "a", CONTAINERS("{'name':'y'}"));
	assert_object(
		world,
		CONTAINERS("{'name':'x','command':['go']},{'name':'y'},{'name':'s','image':'2'}"));
	apply(world, "c", CONTAINERS(""));
	assert_object(world, CONTAINERS("{'name':'y'},{'name':'s','image':'2'}"));
	assert_int_equal(apply_with(world, "c", CONTAINERS("{'name':'s','image':'3'}"), false),
			 ES_EEXIST);
	assert_string_equal(world->conflicts,
			    "\"b\" .spec.template.spec.containers[name=\"s\"].image\n");
}

static void test_order_of_items(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", CONTAINERS("{'name':'1'},{'name':'2'},{'name':'3'},{'name':'4'}"));
	/* Others' items stay where they were, the applied ones come in their order. */
	apply(world, "b", CONTAINERS("{'name':'4'},{'name':'x'},{'name':'2'}"));
	assert_object(
		world,
		CONTAINERS("{'name':'1'},{'name':'3'},{'name':'4'},{'name':'x'},{'name':'2'}"));
	apply(world, "c", CONTAINERS("{'name':'y'},{'name':'3'}"));
	assert_object(world, CONTAINERS("{'name':'1'},{'name':'y'},{'name':'3'},{'name':'4'},"
					"{'name':'x'},{'name':'2'}"));
}

#define SERVICE "'apiVersion':'v1','kind':'Service','metadata':{'name':'s'}"

static void test_keys_with_defaults(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "Service");
	apply(world, "a",
	      "{" SERVICE
	      ",'spec':{'ports':[{'port':80,'name':'t'},{'port':80,'protocol':'UDP'}]}}");
	assert_owns(world, "a",
		    "{'f:spec':{'f:ports':{'k:{\\'port\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},"
		    "'f:name':{},'f:port':{}},'k:{\\'port\\':80,"
		    "\\'protocol\\':\\'UDP\\'}':{'.':{},'f:port':{},'f:protocol':{}}}}}");
	apply(world, "b",
	      "{" SERVICE ",'spec':{'ports':[{'port':80,'protocol':'TCP','nodePort':3}]}}");
	assert_object(world,
		      "{" SERVICE
		      ",'spec':{'ports':[{'port':80,'protocol':'TCP','name':'t','nodePort':3},"
		      "{'port':80,'protocol':'UDP'}]}}");
}

static void test_sets(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "ConfigMap");
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','finalizers':['x',"
	      "'y']}}");
	apply(world, "b",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','finalizers':['y',"
	      "'z']}}");
	assert_owns(world, "b", "{'f:metadata':{'f:finalizers':{'v:\\'y\\'':{},'v:\\'z\\'':{}}}}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c',"
			     "'finalizers':['x','y','z']}}");
	apply(world, "a", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c',"
			     "'finalizers':['y','z']}}");
}

static void test_atomic(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'selector':{'matchLabels':{'x':'1'}}}}");
	assert_int_equal(
		apply_with(world, "b",
			   "{" DEPLOYMENT ",'spec':{'selector':{'matchLabels':{'y':'1'}}}}", false),
		ES_EEXIST);
	assert_string_equal(world->conflicts, "\"a\" .spec.selector\n");
	force(world, "b", "{" DEPLOYMENT ",'spec':{'selector':{'matchLabels':{'y':'1'}}}}");
	assert_object(world, "{" DEPLOYMENT ",'spec':{'selector':{'matchLabels':{'y':'1'}}}}");
}

/* A set written when the selector was granular, and a list's items were fields. */
static void test_atomic_now(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	put(world,
	    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'nginx',"
	    "'managedFields':[{'apiVersion':'apps/v1','fieldsType':'FieldsV1',"
	    "'fieldsV1':{'f:spec':{'f:selector':{'f:matchLabels':{'f:x':{}}},"
	    "'f:template':{'f:spec':{'f:containers':{'k:{\\'name\\':\\'c\\'}':{'f:args':{'v:1':{}"
	    "}}}}}}},'manager':'a','operation':'Apply'}]},"
	    "'spec':{'selector':{'matchLabels':{'x':'1'}}}}");
	apply(world, "b", "{" DEPLOYMENT ",'spec':{'paused':true}}");
	assert_owns(world, "a",
		    "{'f:spec':{'f:selector':{},"
		    "'f:template':{'f:spec':{'f:containers':{'k:{\\'name\\':\\'c\\'}':{'f:args':{"
		    "}}}}}}}");
}

static void test_unknown_kind(void **state)
{
	struct world *world = *state;

	apply(world, "a", "{" WIDGET ",'spec':{'m':{'x':1},'l':[{'name':'a'}]}}");
	assert_owns(world, "a", "{'f:spec':{'.':{},'f:l':{},'f:m':{'.':{},'f:x':{}}}}");
	apply(world, "b", "{" WIDGET ",'spec':{'m':{'y':1}}}");
	assert_object(world, "{" WIDGET ",'spec':{'m':{'x':1,'y':1},'l':[{'name':'a'}]}}");
	assert_int_equal(apply_with(world, "b", "{" WIDGET ",'spec':{'l':[{'name':'b'}]}}", false),
			 ES_EEXIST);
	assert_string_equal(world->conflicts, "\"a\" .spec.l\n");
	/* A field may become something else. */
	force(world, "b", "{" WIDGET ",'spec':{'m':'text','l':{'name':'b'}}}");
	assert_object(world, "{" WIDGET ",'spec':{'m':'text','l':{'name':'b'}}}");
	assert_owns(world, "a", "{'f:spec':{}}");
	assert_owns(world, "b", "{'f:spec':{'.':{},'f:l':{'.':{},'f:name':{}},'f:m':{}}}");
}

static void test_unknown_fields(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'tomorrow':{'x':[1],'y':{}}}}");
	assert_owns(world, "a", "{'f:spec':{'f:tomorrow':{'.':{},'f:x':{},'f:y':{}}}}");
	apply(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':'not a number','template':[1]}}");
	assert_object(world, "{" DEPLOYMENT ",'spec':{'replicas':'not a number','template':[1]}}");
}

static void test_empty_and_null(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "ConfigMap");
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','labels':{}},"
	      "'data':null}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c',"
			     "'labels':{}},'data':null}");
	assert_owns(world, "a", "{'f:data':{},'f:metadata':{'f:labels':{}}}");
	apply(world, "b",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','labels':{'x':'1'}},"
	      "'data':{'k':'v'}}");
	/* Null and nothing take away nothing of what is in there. */
	apply(world, "a",
	      "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c','labels':{}},"
	      "'data':null}");
	assert_object(world, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c',"
			     "'labels':{'x':'1'}},'data':{'k':'v'}}");
}

/* ---- writers that do not apply ---------------------------------------------------------- */

static void test_before_first_apply(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	put(world, "{" DEPLOYMENT ",'spec':{'replicas':1,'paused':true,"
		   "'template':{'spec':{'containers':[{'name':'x','image':'1'}]}}}}");
	assert_int_equal(apply_with(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':2}}", false),
			 ES_EEXIST);
	assert_string_equal(world->conflicts,
			    "\"before-first-apply\" using apps/v1 .spec.replicas\n");
	force(world, "a", "{" DEPLOYMENT ",'spec':{'replicas':2,'paused':true}}");
	assert_owns(world, "before-first-apply",
		    "{'f:spec':{'.':{},'f:paused':{},'f:template':{'.':{},'f:spec':{'.':{},"
		    "'f:containers':{'.':{},'k:{\\'name\\':\\'x\\'}':{'.':{},'f:image':{},"
		    "'f:name':{}}}}}}}");
	/* What was there before stays, whatever is applied no more. */
	apply(world, "a", "{" DEPLOYMENT "}");
	assert_object(world, "{" DEPLOYMENT ",'spec':{'paused':true,"
			     "'template':{'spec':{'containers':[{'name':'x',"
			     "'image':'1'}]}}}}");
}

/* managedFields of nobody: null, none, and what clients send to reset them. */
static void test_reset(void **state)
{
	static const char *const nobody[] = {"null", "[]", "[{}]"};
	struct world *world = *state;
	char text[200];

	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			 "{'apiVersion':'v','kind':'W','metadata':{'managedFields':%s},'x':1}",
			 nobody[i]);
		put(world, text);
		apply(world, "a", "{'apiVersion':'v','kind':'W','x':1}");
		assert_owns(world, "before-first-apply", "{'f:x':{}}");
		assert_owns(world, "a", "{'f:x':{}}");
	}
}

/* What came later without a name belongs to nobody, is no conflict, and stays. */
static void test_nobodys_fields(void **state)
{
	struct world *world = *state;
	struct es_json spec;

	apply(world, "a", "{" WIDGET ",'spec':{'x':1}}");
	spec = parse_json(&world->arena, "{'x':2,'other':{'y':1}}");
	assert_int_equal(
		es_json_set(&world->arena, &world->object, ES_SLICE("spec"), &spec, &world->object),
		0);
	apply(world, "b", "{" WIDGET ",'spec':{'other':{'y':2}}}");
	apply(world, "a", "{" WIDGET ",'spec':{'x':1}}");
	assert_object(world, "{" WIDGET ",'spec':{'x':1,'other':{'y':2}}}");
	spec = parse_json(&world->arena, "{'x':1,'other':{'y':2,'z':3}}");
	assert_int_equal(
		es_json_set(&world->arena, &world->object, ES_SLICE("spec"), &spec, &world->object),
		0);
	apply(world, "a", "{" WIDGET ",'spec':{}}");
	assert_object(world, "{" WIDGET ",'spec':{'other':{'y':2,'z':3}}}");
}

/* Items that came about twice: one field as a whole. */
static void test_twins(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "Service");
	put(world, "{" SERVICE
		   ",'spec':{'ports':[{'port':1,'name':'a'},{'port':2},{'port':1,'name':'b'}]}}");
	apply(world, "a", "{" SERVICE ",'spec':{'ports':[{'port':3}]}}");
	assert_owns(world, "before-first-apply",
		    "{'f:spec':{'.':{},'f:ports':{'.':{},'k:{\\'port\\':1,"
		    "\\'protocol\\':\\'TCP\\'}':{},'k:{\\'port\\':2,"
		    "\\'protocol\\':\\'TCP\\'}':{'.':{},'f:port':{}}}}}");
	assert_object(world, "{" SERVICE ",'spec':{'ports':[{'port':1,'name':'a'},{'port':2},"
			     "{'port':1,'name':'b'},{'port':3}]}}");
	force(world, "a", "{" SERVICE ",'spec':{'ports':[{'port':1,'name':'c'}]}}");
	assert_object(world, "{" SERVICE ",'spec':{'ports':[{'port':1,'name':'c'},{'port':2}]}}");
}

/* ---- what is refused -------------------------------------------------------------------- */

static void test_refused(void **state)
{
	struct world *world = *state;
	char name[130];

	memset(name, 'a', 129);
	name[129] = '\0';
	refused(world, "", "{" WIDGET "}", "the field manager is required for apply");
	refused(world, "a\n", "{" WIDGET "}", "the field manager has a control character");
	refused(world, name, "{" WIDGET "}", "the field manager is longer than 128 bytes");
	refused(world, "a", "[]", "an applied configuration is an object");
	refused(world, "a", "{'kind':'W'}", "apiVersion is required for apply");
	refused(world, "a", "{'apiVersion':'v','kind':1}", "kind is required for apply");
	refused(world, "a", "{'apiVersion':'v','kind':'W','metadata':[]}",
		"metadata is not an object");
	refused(world, "a", "{'apiVersion':'v','kind':'W','metadata':{'managedFields':[]}}",
		"metadata.managedFields must be nil");
	of_kind(world, "", "v1", "Service");
	refused(world, "a",
		"{" SERVICE ",'spec':{'ports':[{'port':1},{'port':1,'protocol':'TCP'}]}}",
		"the applied configuration: .spec.ports[port=1,"
		"protocol=\"TCP\"]: several items of the list have this key");
	refused(world, "a", "{" SERVICE ",'spec':{'ports':[1]}}",
		"the applied configuration: .spec.ports: an item of a list of objects is number");
	refused(world, "a", "{" SERVICE ",'spec':{'ports':[{'port':{}}]}}",
		"the applied configuration: .spec.ports: the key port of an item is object");
	refused(world, "a", "{" SERVICE ",'metadata':{'finalizers':['a',null]}}",
		"the applied configuration: .metadata.finalizers: an item of a set is null");
	of_kind(world, "", "v1", "ServiceAccount");
	refused(world, "a",
		"{'apiVersion':'v1','kind':'ServiceAccount','secrets':[{'namespace':'n'}]}",
		"the applied configuration: .secrets: an item has none of the keys of its list "
		"(name)");
	assert_false(world->exists);
}

static void test_refused_target(void **state)
{
	struct world *world = *state;

	of_kind(world, "", "v1", "Service");
	put(world, "[]");
	refused(world, "a", "{" SERVICE "}", "the stored value is not an object");
	put(world, "{'metadata':1}");
	refused(world, "a", "{" SERVICE "}", "the stored object's metadata is not an object");
	put(world, "{'apiVersion':'v2'}");
	refused(world, "a", "{" SERVICE "}", "apiVersion is another one than the stored object's");
	put(world, "{'kind':'Pod'}");
	refused(world, "a", "{" SERVICE "}", "kind is another one than the stored object's");
	put(world, "{'metadata':{'managedFields':{}}}");
	refused(world, "a", "{" SERVICE "}", "metadata.managedFields is object, not an array");
	put(world, "{'metadata':{'managedFields':[{},{}]}}");
	refused(world, "a", "{" SERVICE "}",
		"metadata.managedFields[0]: operation must be `Apply` or `Update`");
	put(world, "{'metadata':{'managedFields':[{'operation':'Apply'}]}}");
	refused(world, "a", "{" SERVICE "}",
		"metadata.managedFields[0]: apiVersion must not be empty");
	put(world, "{'metadata':{'managedFields':[{'operation':'Apply','apiVersion':'v1'}]}}");
	refused(world, "a", "{" SERVICE "}",
		"metadata.managedFields[0]: fieldsType must be FieldsV1");
	put(world, "{'metadata':{'managedFields':[{'manager':1}]}}");
	refused(world, "a", "{" SERVICE "}",
		"metadata.managedFields[0]: a member that has to be a string is none");
	put(world, "{'metadata':{'managedFields':[1]}}");
	refused(world, "a", "{" SERVICE "}", "metadata.managedFields[0]: not an object");
	put(world, "{'metadata':{'managedFields':[{'operation':'Apply','apiVersion':'v1',"
		   "'fieldsType':'FieldsV1','fieldsV1':{'spec':{}}}]}}");
	refused(world, "a", "{" SERVICE "}",
		"metadata.managedFields[0].fieldsV1: \"spec\": not an element of a path");
	put(world, "{" SERVICE ",'spec':{'ports':[7]}}");
	refused(world, "a", "{" SERVICE "}",
		"the stored object: .spec.ports: an item of a list of objects is number");
}

/* Who owns all of an item, but not that it is there, takes away its keys and leaves nothing. */
static void test_item_without_keys(void **state)
{
	struct world *world = *state;

	of_kind(world, "apps", "v1", "Deployment");
	put(world, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'managedFields':["
		   "{'apiVersion':'apps/v1','fieldsType':'FieldsV1','fieldsV1':{'f:spec':"
		   "{'f:template':{'f:spec':{'f:containers':{'k:{\\'name\\':\\'x\\'}':"
		   "{'f:name':{}}}}}}},'manager':'a','operation':'Apply'},"
		   "{'apiVersion':'apps/v1','fieldsType':'FieldsV1','fieldsV1':{'f:spec':"
		   "{'f:template':{'f:spec':{'f:containers':{'k:{\\'name\\':\\'x\\'}':"
		   "{'.':{}}}}}}},'manager':'u','operation':'Update'}]},"
		   "'spec':{'template':{'spec':{'containers':[{'name':'x'}]}}}}");
	refused(world, "a", "{" DEPLOYMENT "}",
		"the result: .spec.template.spec.containers: an item of a list of objects is null");
}

/* The set of a field this deep would be nested deeper than any stored value. */
static void test_too_deep(void **state)
{
	struct world *world = *state;
	char text[1000];
	size_t len;

	for (unsigned depth = ES_JSON_DEPTH_MAX - 6; depth <= ES_JSON_DEPTH_MAX - 4; depth++) {
		len = (size_t)snprintf(text, sizeof(text), "{'apiVersion':'v','kind':'W'");
		len += (size_t)snprintf(text + len, sizeof(text) - len, ",'a':");
		for (unsigned i = 1; i < depth; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "{'a':");
		text[len++] = '1';
		memset(text + len, '}', depth);
		text[len + depth] = '\0';
		world->exists = false;
		if (depth < ES_JSON_DEPTH_MAX - 4) {
			struct es_buf buf;
			struct es_json again;
			struct es_json_error error;

			apply(world, "m", text);
			es_buf_init(&buf, es_mem_default());
			assert_int_equal(es_json_write(&buf, &world->object), 0);
			assert_int_equal(es_json_parse(es_buf_slice(&buf), ES_JSON_DEPTH_MAX,
						       &world->arena, &again, &error),
					 0);
			es_buf_close(&buf);
		} else {
			refused(world, "m", text, "nested too deep to say who owns it");
		}
	}
}

/* ---- memory ----------------------------------------------------------------------------- */

static int run_scenario(const struct es_mem *mem, bool conflict)
{
	static const char *const configs[] = {
		"{" SERVICE ",'spec':{'ports':[{'port':1,'name':'a'},{'port':2}],'type':'x'}}",
		"{" SERVICE ",'spec':{'ports':[{'port':1,'nodePort':5}],'externalIPs':['<']}}",
		"{" SERVICE ",'spec':{'ports':[{'port':2}]}}",
	};
	const char *managers[] = {"a", "b", "a"};
	struct es_arena inputs, arena;
	struct es_json object;
	const struct es_resource_cause *causes;
	size_t count;
	char errmsg[100];
	int rc = 0;

	es_arena_init(&inputs, es_mem_default(), 4096);
	es_arena_init(&arena, mem, 64); /* small chunks: each allocation is one that may fail */
	object = parse_json(&inputs, "{" SERVICE ",'spec':{'ports':[{'port':1}],'type':'x'}}");
	for (size_t i = 0; rc == 0 && i < 3; i++) {
		struct es_apply how = {
			.manager = es_slice_str(managers[i]), .time = ES_SLICE("t"), .force = true};
		struct es_json config = parse_json(&inputs, configs[i]);

		rc = es_patch_apply(
			&object, &config,
			es_schema_find(ES_SLICE(""), ES_SLICE("v1"), ES_SLICE("Service")), &how,
			&arena, &object, &causes, &count, errmsg, sizeof(errmsg));
	}
	if (rc == 0 && conflict) {
		struct es_apply how = {.manager = ES_SLICE("c")};
		struct es_json config = parse_json(
			&inputs, "{" SERVICE ",'spec':{'ports':[{'port':2,'name':'q'}],"
				 "'externalIPs':[],'type':'y'}}");

		rc = es_patch_apply(
			&object, &config,
			es_schema_find(ES_SLICE(""), ES_SLICE("v1"), ES_SLICE("Service")), &how,
			&arena, &object, &causes, &count, errmsg, sizeof(errmsg));
		if (rc == ES_EEXIST)
			rc = 0;
	}
	es_arena_close(&arena);
	es_arena_close(&inputs);
	return rc;
}

static void test_memory(void **state)
{
	(void)state;
	for (int conflict = 0; conflict < 2; conflict++)
		for (uint64_t n = 0;; n++) {
			struct es_fault_mem fault;
			int rc;

			es_fault_mem_init(&fault, n);
			rc = run_scenario(&fault.mem, conflict == 1);
			assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
			assert_int_equal(fault.live, 0);
			if (!fault.fired) {
				assert_true(n > 200);
				break;
			}
		}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_conflict_and_force),
		TEST(test_conflicts_are_sorted),
		TEST(test_shared_ownership),
		TEST(test_removal),
		TEST(test_metadata_stays),
		TEST(test_time),
		TEST(test_order_of_managers),
		TEST(test_items_of_maps),
		TEST(test_order_of_items),
		TEST(test_keys_with_defaults),
		TEST(test_sets),
		TEST(test_atomic),
		TEST(test_atomic_now),
		TEST(test_unknown_kind),
		TEST(test_unknown_fields),
		TEST(test_empty_and_null),
		TEST(test_before_first_apply),
		TEST(test_reset),
		TEST(test_nobodys_fields),
		TEST(test_twins),
		TEST(test_refused),
		TEST(test_refused_target),
		TEST(test_item_without_keys),
		TEST(test_too_deep),
		TEST(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
