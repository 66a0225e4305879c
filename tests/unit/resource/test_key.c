#include "json_support.h"

#include "base/rng.h"
#include "resource/key.h"
#include "resource/rules.h"

static struct es_arena arena;

static int open_arena(void **state)
{
	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	return 0;
}

static int close_arena(void **state)
{
	(void)state;
	es_arena_close(&arena);
	return 0;
}

/* `ns` NULL: none. */
static struct es_resource_key key(const char *group, const char *version, const char *kind,
				  const char *ns, const char *name)
{
	return (struct es_resource_key){
		.group = es_slice_str(group),
		.version = es_slice_str(version),
		.kind = es_slice_str(kind),
		.has_ns = ns != NULL,
		.ns = es_slice_str(ns == NULL ? "" : ns),
		.name = es_slice_str(name),
	};
}

static void assert_slice(struct es_slice slice, const char *expected)
{
	if (!es_slice_eq(slice, es_slice_str(expected)))
		fail_msg("%.*s is not %s", (int)slice.len, (const char *)slice.data, expected);
}

static void keys_are_in_order(void **state)
{
	const struct es_resource_key keys[] = {
		key("", "v1", "Pod", NULL, "b"), key("", "v1", "Pod", "", "a"),
		key("", "v1", "Pod", "a", "b"),  key("", "v1", "Pod", "a", "b1"),
		key("", "v1", "Pod", "aa", "a"), key("", "v1", "Pod2", NULL, "a"),
		key("", "v2", "A", NULL, "a"),   key("a", "a", "a", "z", "z"),
		key("a.b", "a", "a", NULL, "a"), key("\xc3\xa9", "a", "a", NULL, "a"),
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(keys); i++)
		for (size_t k = 0; k < ES_ARRAY_LEN(keys); k++) {
			int order = es_resource_key_cmp(&keys[i], &keys[k]);

			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
}

static void labels_and_paths(void **state)
{
	static const struct {
		const char *group, *version, *kind, *ns, *name, *label, *path;
	} cases[] = {
		{"", "v1", "Pod", "default", "podinfo", "v1/v1/Pod/default/podinfo",
		 "/engenho/resources/_/v1/Pod/default/podinfo"},
		{"", "v1", "Namespace", NULL, "x", "v1/v1/Namespace/x",
		 "/engenho/resources/_/v1/Namespace/_/x"},
		{"apps", "v1", "Deployment", "", "", "apps/v1/Deployment//",
		 "/engenho/resources/apps/v1/Deployment/~/~"},
		{"", "", "", "_", "~", "v1///_/~", "/engenho/resources/_/~/~/%5F/%7E"},
		{"_", "a/b", "%41", "a.b-c", "caf\xc3\xa9 ", "_/a/b/%41/a.b-c/caf\xc3\xa9 ",
		 "/engenho/resources/%5F/a%2Fb/%2541/a.b-c/caf%C3%A9%20"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_resource_key k = key(cases[i].group, cases[i].version, cases[i].kind,
					       cases[i].ns, cases[i].name);
		struct es_resource_key back;
		struct es_buf buf;

		es_buf_init(&buf, es_mem_default());
		assert_int_equal(es_resource_label(&buf, &k), 0);
		assert_slice(es_buf_slice(&buf), cases[i].label);
		buf.len = 0;
		assert_int_equal(es_resource_path(&buf, &k), 0);
		assert_slice(es_buf_slice(&buf), cases[i].path);
		assert_int_equal(es_resource_path_parse(es_buf_slice(&buf), &arena, &back), 0);
		assert_int_equal(es_resource_key_cmp(&k, &back), 0);
		es_buf_close(&buf);
	}
}

static void other_texts_are_no_paths(void **state)
{
	static const char *const texts[] = {
		"",
		"/engenho/resources/",
		"/engenho/resources",
		"/engenho/resources/a/b/c/d",
		"/engenho/resources/a/b/c/d/e/f",
		"/engenho/resources/a/b/c/d/e/",
		"/engenho/resources//b/c/d/e",
		"/engenho/resources/a//c/d/e",
		"/engenho/resources/a/b/c//e",
		"/engenho/resources/a/b/c/d/",
		"/engenho/resources/~/b/c/d/e", /* the empty group is _ */
		"/engenho/resources/a/_/c/d/e", /* an empty version is ~ */
		"/engenho/resources/a/b/c/d/_",
		"/engenho/resources/a/b/c/d/x~",
		"/engenho/resources/a/b/c/d/a b",
		"/engenho/resources/a/b/c/d/caf\xc3\xa9",
		"/engenho/resources/a/b/c/d/%41",    /* 'A' is not escaped */
		"/engenho/resources/a/b/c/d/%c3%a9", /* lower case */
		"/engenho/resources/a/b/c/d/%C3",    /* no character */
		"/engenho/resources/a/b/c/d/%ED%A0%80",
		"/engenho/resources/a/b/c/d/%F4%90%80%80",
		"/engenho/resources/a/b/c/d/%C0%AF",
		"/engenho/resources/a/b/c/d/%2",
		"/engenho/resources/a/b/c/d/%",
		"/engenho/resources/a/b/c/d/%2G",
		"/Engenho/resources/a/b/c/d/e",
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(texts); i++) {
		struct es_resource_key k;

		if (es_resource_path_parse(es_slice_str(texts[i]), &arena, &k) != ES_EDECODE)
			fail_msg("%s is a path", texts[i]);
	}
}

/* Different keys have different paths, and a scope's prefix begins the paths of its keys and no others. */
static void random_keys(void **state)
{
	static const char *const parts[] = {"",  "a",        "_",     "~", "a/b",
					    "%", "\xc3\xa9", "A.b-0", "a "};
	struct es_rng rng;
	struct es_buf path, other, prefix;

	(void)state;
	es_rng_init(&rng, 1);
	es_buf_init(&path, es_mem_default());
	es_buf_init(&other, es_mem_default());
	es_buf_init(&prefix, es_mem_default());
	for (int n = 0; n < 20000; n++) {
		struct es_resource_key k[2], back;
		struct es_resource_scope scope;
		bool within;

		for (int i = 0; i < 2; i++) {
			const char *p[5];

			for (int f = 0; f < 5; f++)
				p[f] = parts[es_rng_below(&rng, f < 3 ? 3 : ES_ARRAY_LEN(parts))];
			k[i] = key(p[0], p[1], p[2], es_rng_below(&rng, 2) == 0 ? NULL : p[3],
				   p[4]);
		}
		path.len = other.len = prefix.len = 0;
		assert_int_equal(es_resource_path(&path, &k[0]), 0);
		assert_int_equal(es_resource_path(&other, &k[1]), 0);
		assert_int_equal(es_slice_eq(es_buf_slice(&path), es_buf_slice(&other)),
				 es_resource_key_cmp(&k[0], &k[1]) == 0);
		assert_int_equal(es_resource_path_parse(es_buf_slice(&path), &arena, &back), 0);
		assert_int_equal(es_resource_key_cmp(&k[0], &back), 0);
		scope = (struct es_resource_scope){k[1].group, k[1].version, k[1].kind, k[1].ns,
						   !k[1].has_ns};
		assert_int_equal(es_resource_scope_prefix(&prefix, &scope), 0);
		within = es_slice_eq(k[0].group, scope.group) &&
			 es_slice_eq(k[0].version, scope.version) &&
			 es_slice_eq(k[0].kind, scope.kind) &&
			 (scope.all_namespaces || (k[0].has_ns && es_slice_eq(k[0].ns, scope.ns)));
		assert_int_equal(path.len >= prefix.len &&
					 memcmp(path.data, prefix.data, prefix.len) == 0,
				 within);
		es_arena_reset(&arena);
	}
	es_buf_close(&path);
	es_buf_close(&other);
	es_buf_close(&prefix);
}

static void keys_as_json(void **state)
{
	static const struct {
		const char *text, *what;
	} wrong[] = {
		{"[]", "expected an object"},
		{"{'version':'v1','kind':'K','name':'n'}", "group: expected a string"},
		{"{'group':null,'version':'v1','kind':'K','name':'n'}", "group: expected a string"},
		{"{'group':'','kind':'K','name':'n'}", "version: expected a string"},
		{"{'group':'','version':'','kind':1,'name':'n'}", "kind: expected a string"},
		{"{'group':'','version':'','kind':''}", "name: expected a string"},
		{"{'group':'','version':'','kind':'','name':'','namespace':1}",
		 "namespace: expected a string or null"},
	};
	struct es_resource_key k = key("g", "v", "K\"", NULL, "\n");
	struct es_json value = json(&arena, "{'name':'n','namespace':'','kind':'K','group':'g',"
					    "'version':'v','more':1}");
	const char *what = NULL;
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	assert_int_equal(es_resource_key_write(&buf, &k), 0);
	assert_slice(es_buf_slice(&buf), "{\"group\":\"g\",\"version\":\"v\",\"kind\":\"K\\\"\","
					 "\"namespace\":null,\"name\":\"\\n\"}");
	es_buf_close(&buf);
	assert_int_equal(es_resource_key_read(&value, &k, &what), 0);
	assert_true(k.has_ns && k.ns.len == 0);
	assert_slice(k.name, "n");
	value = json(&arena, "{'name':'n','kind':'K','group':'g','version':'v'}");
	assert_int_equal(es_resource_key_read(&value, &k, &what), 0);
	assert_false(k.has_ns);
	for (size_t i = 0; i < ES_ARRAY_LEN(wrong); i++) {
		value = json(&arena, wrong[i].text);
		assert_int_equal(es_resource_key_read(&value, &k, &what), ES_EDECODE);
		assert_string_equal(what, wrong[i].what);
	}
}

/* What is appended is appended whole or not at all. */
static void memory_runs_out(void **state)
{
	struct es_resource_key k = key("group/1", "v1", "Kind", "name space", "\xc3\xa9");
	struct es_resource_scope scope = {k.group, k.version, k.kind, k.ns, false};

	(void)state;
	for (int what = 0; what < 4; what++) {
		uint64_t at;

		for (at = 0;; at++) {
			struct es_fault_mem fault;
			struct es_buf buf;
			int rc = 0;

			es_fault_mem_init(&fault, UINT64_MAX);
			es_buf_init(&buf, &fault.mem);
			for (int i = 0; i < 61; i++)
				assert_int_equal(es_buf_append_u8(&buf, 'x'), 0);
			fault.countdown = at;
			switch (what) {
			case 0: rc = es_resource_label(&buf, &k); break;
			case 1: rc = es_resource_path(&buf, &k); break;
			case 2: rc = es_resource_scope_prefix(&buf, &scope); break;
			default: rc = es_resource_key_write(&buf, &k); break;
			}
			assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
			assert_int_equal(buf.len == 61, fault.fired);
			es_buf_close(&buf);
			assert_int_equal(fault.live, 0);
			if (!fault.fired)
				break;
		}
		assert_true(at > 0);
	}
}

static void keys_are_checked(void **state)
{
	static char long_name[300];
	static const struct {
		const char *group, *version, *kind, *ns, *name, *errmsg;
	} cases[] = {
		{"", "v1", "Pod", NULL, "a", ""},
		{"", "v1", "Pod", "", "a:b", ""},
		{"", "", "Pod", "x", "a", "the key's version is empty"},
		{"", "v1", "", "x", "a", "the key's kind is empty"},
		{"", "v1", "Pod", "x", "", "the key's name is empty"},
		{"a/b", "v1", "Pod", "x", "a", "the key's group has a '/'"},
		{"", "v1", "Pod", "x\n", "a", "the key's namespace has a control character"},
		{"", "v1", "Pod", "x", "\x7f", "the key's name has a control character"},
		{"", "v1", "Pod", "x", "\xff", "the key's name is not UTF-8"},
		{"", "v1", "Pod", "x", long_name, "the key's name is longer than 253 bytes"},
		{"", "v1", "Pod", "x", long_name + 45, "the key's name is longer than 253 bytes"},
		{"", "v1", "Pod", "x", long_name + 46, ""},
	};

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		struct es_resource_key k = key(cases[i].group, cases[i].version, cases[i].kind,
					       cases[i].ns, cases[i].name);
		char errmsg[100] = "";
		int rc = es_resource_key_check(&k, errmsg, sizeof(errmsg));

		if (i + 1 == ES_ARRAY_LEN(cases))
			assert_int_equal(k.name.len, 253);
		assert_string_equal(errmsg, cases[i].errmsg);
		assert_int_equal(rc, errmsg[0] == '\0' ? 0 : ES_EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_in_order),
		cmocka_unit_test(labels_and_paths),
		cmocka_unit_test(other_texts_are_no_paths),
		cmocka_unit_test(random_keys),
		cmocka_unit_test(keys_as_json),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(keys_are_checked),
	};

	return cmocka_run_group_tests(tests, open_arena, close_arena);
}
