#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/flags.h"

static struct es_arena arena;
static struct es_flags *flags;
static char errmsg[512];

static int setup(void **state)
{
	(void)state;
	es_arena_init(&arena, es_mem_default(), 4096);
	return es_flags_new(&arena, &flags);
}

static int teardown(void **state)
{
	(void)state;
	es_arena_close(&arena);
	return 0;
}

/* Up to seven arguments, NULL behind the last. */
static int parse_action(enum es_flags_action *action, const char *const *args)
{
	char *argv[10] = {(char *)(uintptr_t) "engenho-store"};
	int argc = 1;

	es_flags_reset(flags);
	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	return es_flags_arguments(flags, argc, argv, action, errmsg, sizeof(errmsg));
}

static int parse(const char *const *args)
{
	enum es_flags_action action;

	return parse_action(&action, args);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static int environment(const char *const *vars)
{
	char *envp[8] = {NULL};

	for (size_t i = 0; vars[i] != NULL; i++)
		envp[i] = (char *)(uintptr_t)vars[i];
	return es_flags_environment(flags, envp, errmsg, sizeof(errmsg));
}

#define ENVIRONMENT(...) environment((const char *const[]){__VA_ARGS__, NULL})

static size_t notices(const char *needle)
{
	size_t count = 0;

	for (const struct es_notice *n = es_flags_notices(flags); n != NULL; n = n->next)
		count += strstr(n->message, needle) != NULL ||
			 (n->value != NULL && strstr(n->value, needle) != NULL);
	return count;
}

static void the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < es_flag_count; i++) {
		const struct es_flag *flag = &es_flag_table[i];

		if (flag->name == NULL)
			continue;
		for (size_t j = 0; j < i; j++)
			assert_true(es_flag_table[j].name == NULL ||
				    strcmp(es_flag_table[j].name, flag->name) != 0);
		assert_non_null(flag->value);
		if (flag->status == ES_FLAG_USED)
			assert_non_null(flag->help);
		/* Defaults are in the form that values get: a default that is given again does
		 * not differ. */
		if (flag->value[0] != '\0') {
			assert_int_equal(es_flags_set(flags, flag->name, flag->value, "", errmsg,
						      sizeof(errmsg)),
					 0);
			assert_string_equal(es_flags_text(flags, flag->name), flag->value);
		}
		if (flag->status == ES_FLAG_ALIAS) {
			assert_non_null(flag->other);
			assert_non_null(
				es_flags_text(flags, flag->other)); /* asserts that it is there */
		}
	}
}

static void meaningful_flags(void **state)
{
	/* Every flag that means something, in its four spellings. */
	static const struct {
		const char *name;
		const char *value;
		const char *read_back;
	} cases[] = {
		{"name", "m1", "m1"},
		{"data-dir", "/var/lib/etcd", "/var/lib/etcd"},
		{"config-file", "/etc/x.yaml", "/etc/x.yaml"},
		{"snapshot-count", "0x10", "16"},
		{"heartbeat-interval", "500", "500"},
		{"election-timeout", "5000", "5000"},
		{"quota-backend-bytes", "-1", "-1"},
		{"max-txn-ops", "256", "256"},
		{"max-request-bytes", "10485760", "10485760"},
		{"compaction-batch-limit", "10", "10"},
		{"watch-progress-notify-interval", "5s", "5s"},
		{"feature-gates", "InitialCorruptCheck=true", "InitialCorruptCheck=true"},
		{"listen-client-urls", "http://b:1,http://a:1", "http://a:1,http://b:1"},
		{"listen-client-http-urls", "http://127.0.0.1:2382", "http://127.0.0.1:2382"},
		{"listen-metrics-urls", "http://127.0.0.1:2381", "http://127.0.0.1:2381"},
		{"listen-peer-urls", "https://10.0.0.1:2380", "https://10.0.0.1:2380"},
		{"advertise-client-urls", "https://10.0.0.1:2379", "https://10.0.0.1:2379"},
		{"initial-advertise-peer-urls", "https://10.0.0.1:2380", "https://10.0.0.1:2380"},
		{"initial-cluster", "m1=http://a:1,m2=http://b:1", "m1=http://a:1,m2=http://b:1"},
		{"initial-cluster-state", "existing", "existing"},
		{"initial-cluster-token", "t", "t"},
		{"max-concurrent-streams", "100", "100"},
		{"grpc-keepalive-min-time", "10s", "10s"},
		{"grpc-keepalive-interval", "1h30m", "1h30m0s"},
		{"grpc-keepalive-timeout", "100ms", "100ms"},
		{"auto-compaction-mode", "revision", "revision"},
		{"auto-compaction-retention", "5m", "5m"},
		{"metrics", "extensive", "extensive"},
		{"logger", "zap", "zap"},
		{"log-level", "debug", "debug"},
		{"log-format", "console", "console"},
		{"log-outputs", "stderr,/tmp/x", "stderr,/tmp/x"},
		{"warning-unary-request-duration", "1.5s", "1.5s"},
		{"socket-reuse-port", "1", "true"},
		{"socket-reuse-address", "T", "true"},
		{"unsafe-no-fsync", "true", "true"},
		{"version", "false", "false"},
	};
	size_t covered = 0;

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		char dashed[64], joined[512];
		bool boolean = strcmp(cases[i].read_back, "true") == 0 ||
			       strcmp(cases[i].name, "version") == 0;

		for (int dashes = 1; dashes <= 2; dashes++) {
			(void)snprintf(dashed, sizeof(dashed), "%s%s", dashes == 1 ? "-" : "--",
				       cases[i].name);
			(void)snprintf(joined, sizeof(joined), "%s=%s", dashed, cases[i].value);
			assert_int_equal(PARSE(joined), 0);
			assert_string_equal(es_flags_text(flags, cases[i].name),
					    cases[i].read_back);
			assert_true(es_flags_is_set(flags, cases[i].name));
			if (boolean)
				continue;
			assert_int_equal(PARSE(dashed, cases[i].value), 0);
			assert_string_equal(es_flags_text(flags, cases[i].name),
					    cases[i].read_back);
		}
	}
	for (size_t i = 0; i < es_flag_count; i++)
		covered += es_flag_table[i].name != NULL && es_flag_table[i].status == ES_FLAG_USED;
	assert_int_equal(covered, ES_ARRAY_LEN(cases));
}

static void booleans_take_no_argument(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--unsafe-no-fsync", "false"), 0);
	assert_true(es_flags_bool(flags, "unsafe-no-fsync"));
	assert_string_equal(es_flags_stray(flags), "false");
	assert_int_equal(PARSE("--unsafe-no-fsync=false"), 0);
	assert_false(es_flags_bool(flags, "unsafe-no-fsync"));
}

static void the_last_one_wins(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--name=a", "--name", "b"), 0);
	assert_string_equal(es_flags_text(flags, "name"), "b");
}

static void mistakes(void **state)
{
	static const struct {
		const char *args[4];
		const char *message;
	} cases[] = {
		{{"--nmae=x"}, "flag provided but not defined: --nmae (did you mean --name?)"},
		{{"--listen-client-url=x"},
		 "flag provided but not defined: --listen-client-url (did you mean "
		 "--listen-client-urls?)"},
		{{"-datadir", "x"},
		 "flag provided but not defined: --datadir (did you mean --data-dir?)"},
		{{"--zzzzzzzzzzzz"}, "flag provided but not defined: --zzzzzzzzzzzz"},
		{{"---name=x"}, "bad flag syntax: ---name=x"},
		{{"-=x"}, "bad flag syntax: -=x"},
		{{"--=x"}, "bad flag syntax: --=x"},
		{{"--name"}, "flag needs an argument: --name"},
		{{"--snapshot-count=x"},
		 "invalid value \"x\" for flag --snapshot-count: parse error"},
		{{"--snapshot-count="},
		 "invalid value \"\" for flag --snapshot-count: parse error"},
		{{"--max-concurrent-streams=4294967296"},
		 "invalid value \"4294967296\" for flag --max-concurrent-streams: value out of "
		 "range"},
		{{"--unsafe-no-fsync=maybe"},
		 "invalid value \"maybe\" for flag --unsafe-no-fsync: parse error"},
		{{"--grpc-keepalive-timeout", "20"},
		 "invalid value \"20\" for flag --grpc-keepalive-timeout: parse error"},
		{{"--listen-client-urls", "localhost:2379"},
		 "invalid value \"localhost:2379\" for flag --listen-client-urls: URL scheme must "
		 "be http, https, unix, or "
		 "unixs: localhost:2379"},
		{{"--cert-file"}, "flag needs an argument: --cert-file"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].args), ES_EINVAL);
		assert_string_equal(errmsg, cases[i].message);
	}
}

static void help_and_version(void **state)
{
	enum es_flags_action action;

	(void)state;
	assert_int_equal(parse_action(&action, (const char *const[]){"--help", "--zzz", NULL}), 0);
	assert_int_equal(action, ES_FLAGS_HELP);
	assert_int_equal(parse_action(&action, (const char *const[]){"-h", NULL}), 0);
	assert_int_equal(action, ES_FLAGS_HELP);
	assert_int_equal(parse_action(&action, (const char *const[]){"--version", NULL}), 0);
	assert_int_equal(action, ES_FLAGS_VERSION);
	assert_int_equal(parse_action(&action, (const char *const[]){"--name=x", NULL}), 0);
	assert_int_equal(action, ES_FLAGS_RUN);
}

static void the_help_names_every_flag(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	es_flags_help(out);
	(void)fclose(out);
	for (size_t i = 0; i < es_flag_count; i++) {
		char name[80];
		bool legacy = es_flag_table[i].type == ES_FLAG_NOARG ||
			      (es_flag_table[i].status == ES_FLAG_LATER &&
			       es_flag_table[i].help == NULL);

		if (es_flag_table[i].name == NULL || legacy)
			continue;
		(void)snprintf(name, sizeof(name), "--%s", es_flag_table[i].name);
		assert_non_null(strstr(text, name));
	}
	free(text);
}

static void strays(void **state)
{
	(void)state;
	assert_int_equal(PARSE("gateway"), 0);
	assert_string_equal(es_flags_stray(flags), "gateway");
	assert_int_equal(PARSE("--name=x", "-"), 0);
	assert_string_equal(es_flags_stray(flags), "-");
	assert_int_equal(PARSE("--", "--name=x"), 0);
	assert_string_equal(es_flags_stray(flags), "--name=x");
	assert_string_equal(es_flags_text(flags, "name"), "default");
}

static void variables(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--name=flag"), 0);
	assert_int_equal(ENVIRONMENT("PATH=/bin", "ETCD_NAME=variable", "ETCD_DATA_DIR=/d",
				     "ETCD_SNAPSHOT_COUNT=", "ETCD_ROOT_PASSWORD=secret",
				     "ETCD_VERSION=3.7", "ETCD_UNSUPPORTED_ARCH=arm"),
			 0);
	assert_string_equal(es_flags_text(flags, "name"), "flag");
	assert_string_equal(es_flags_text(flags, "data-dir"), "/d");
	assert_int_equal(es_flags_uint(flags, "snapshot-count"), 10000);
	assert_int_equal(notices("shadowed"), 1);
	assert_int_equal(notices("unrecognized environment variable"), 1);
	assert_int_equal(ENVIRONMENT("ETCD_DATADIR=/d"), 0);
	assert_int_equal(notices("unrecognized environment variable (did you mean ETCD_DATA_DIR?)"),
			 1);
	assert_int_equal(notices("ETCD_ROOT_PASSWORD"), 1);
	assert_int_equal(notices("secret"), 0); /* values may be secrets */
	assert_int_equal(notices("ETCD_UNSUPPORTED_ARCH"), 0);
	assert_int_equal(notices("cannot set special environment variable"), 1);
	assert_int_equal(ENVIRONMENT("ETCD_HEARTBEAT_INTERVAL=100 # ms"), ES_EINVAL);
	assert_string_equal(errmsg,
			    "invalid value \"100 # ms\" for ETCD_HEARTBEAT_INTERVAL: parse error");
}

static void old_names(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--experimental-watch-progress-notify-interval=5s"), 0);
	assert_string_equal(es_flags_text(flags, "watch-progress-notify-interval"), "5s");
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(notices("is the old name of --watch-progress-notify-interval"), 1);
	/* The new name wins, in either order. */
	assert_int_equal(PARSE("--watch-progress-notify-interval=7s",
			       "--experimental-watch-progress-notify-interval=5s"),
			 0);
	assert_string_equal(es_flags_text(flags, "watch-progress-notify-interval"), "7s");
	assert_int_equal(PARSE("--experimental-watch-progress-notify-interval=5s",
			       "--watch-progress-notify-interval=7s"),
			 0);
	assert_string_equal(es_flags_text(flags, "watch-progress-notify-interval"), "7s");
	/* An argument wins over a variable, whatever the names. */
	assert_int_equal(PARSE("--experimental-watch-progress-notify-interval=5s"), 0);
	assert_int_equal(ENVIRONMENT("ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL=9s"), 0);
	assert_string_equal(es_flags_text(flags, "watch-progress-notify-interval"), "5s");
	assert_int_equal(PARSE("--watch-progress-notify-interval=5s"), 0);
	assert_int_equal(ENVIRONMENT("ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL=9s"), 0);
	assert_string_equal(es_flags_text(flags, "watch-progress-notify-interval"), "5s");
	assert_int_equal(PARSE("--log-output=stdout"), 0);
	assert_string_equal(es_flags_text(flags, "log-outputs"), "stdout");
}

static void what_is_not_supported_yet(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--cert-file=/x"), 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "not supported yet: --cert-file (TLS is not there yet; see the "
				    "limits in README)");
	/* A default, however it is spelt, asks for nothing. */
	assert_int_equal(PARSE("--cert-file=", "--client-cert-auth=F", "--auth-token=simple",
			       "--discovery="),
			 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(PARSE("--experimental-peer-skip-client-san-verification"), 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_non_null(strstr(errmsg, "not supported yet: --peer-skip-client-san-verification ("));
	assert_int_equal(PARSE("--proxy=on"), 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "no longer supported, by etcd neither: --proxy");
	assert_int_equal(PARSE("--wal-dir=/w", "--force-new-cluster"), 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), ES_EINVAL);
	assert_string_equal(errmsg, "not supported yet: --wal-dir, --force-new-cluster (see the "
				    "limits in README)");
}

static void what_only_warns(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--bcrypt-cost=12", "--strict-reconfig-check=true", "--max-wals=0",
			       "--enable-v2=false", "--vv", "--snapshot=no"),
			 0);
	assert_int_equal(es_flags_judge(flags, errmsg, sizeof(errmsg)), 0);
	assert_int_equal(notices("not supported yet and ignored: --bcrypt-cost"), 1);
	assert_int_equal(notices("strict-reconfig-check"), 0); /* the default */
	assert_int_equal(notices("has no meaning here and is ignored: --max-wals"), 1);
	assert_int_equal(
		notices("no longer supported and ignored: --enable-v2 (the v2 API is gone)"), 1);
	assert_int_equal(notices("no longer supported and ignored: --vv"), 1);
}

static void without_memory(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena small;
		struct es_flags *own;
		char *argv[] = {(char *)(uintptr_t) "x",
				(char *)(uintptr_t) "--listen-client-urls=http://a:1",
				(char *)(uintptr_t) "--vv", NULL};
		char *envp[] = {(char *)(uintptr_t) "ETCD_NAME=x", (char *)(uintptr_t) "ETCD_NO=x",
				NULL};
		enum es_flags_action action;
		int rc;

		es_fault_mem_init(&fault, n);
		es_arena_init(&small, &fault.mem, 16);
		rc = es_flags_new(&small, &own);
		if (rc == 0)
			rc = es_flags_arguments(own, 3, argv, &action, errmsg, sizeof(errmsg));
		if (rc == 0)
			rc = es_flags_environment(own, envp, errmsg, sizeof(errmsg));
		if (rc == 0)
			rc = es_flags_judge(own, errmsg, sizeof(errmsg));
		assert_int_equal(rc, fault.fired ? ES_ENOMEM : 0);
		es_arena_close(&small);
		assert_int_equal(fault.live, 0);
		if (!fault.fired)
			break;
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_table_is_sound),
		TEST(meaningful_flags),
		TEST(booleans_take_no_argument),
		TEST(the_last_one_wins),
		TEST(mistakes),
		TEST(help_and_version),
		TEST(the_help_names_every_flag),
		TEST(strays),
		TEST(variables),
		TEST(old_names),
		TEST(what_is_not_supported_yet),
		TEST(what_only_warns),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
