#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/status.h"
#include "config/config.h"
#include "config/config_file.h"

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

static int parse(const char *text)
{
	es_flags_reset(flags);
	return es_config_file_parse(flags, "x.yaml", es_slice_str(text), errmsg, sizeof(errmsg));
}

static size_t notices(const char *needle)
{
	size_t count = 0;

	for (const struct es_notice *n = es_flags_notices(flags); n != NULL; n = n->next)
		count += strstr(n->message, needle) != NULL;
	return count;
}

/* What k3s and RKE2 write, but for certificates. */
static const char rke2[] = "advertise-client-urls: http://10.0.0.1:2379\n"
			   "data-dir: /var/lib/rancher/etcd\n"
			   "election-timeout: 5000\n"
			   "experimental-initial-corrupt-check: true\n"
			   "experimental-watch-progress-notify-interval: 5000000000\n"
			   "heartbeat-interval: 500\n"
			   "initial-advertise-peer-urls: http://10.0.0.1:2380\n"
			   "initial-cluster: n1-abc=http://10.0.0.1:2380\n"
			   "initial-cluster-state: new\n"
			   "listen-client-http-urls: http://127.0.0.1:2382\n"
			   "listen-client-urls: http://127.0.0.1:2379,http://10.0.0.1:2379\n"
			   "listen-metrics-urls: http://127.0.0.1:2381\n"
			   "listen-peer-urls: http://127.0.0.1:2380,http://10.0.0.1:2380\n"
			   "log-outputs:\n"
			   "- stderr\n"
			   "logger: zap\n"
			   "name: n1-abc\n"
			   "snapshot-count: 10000\n"
			   "client-transport-security:\n"
			   "  client-cert-auth: false\n"
			   "socket-options:\n"
			   "  reuse-address: true\n"
			   "  reuse-port: yes\n";

static void as_distributions_write_it(void **state)
{
	struct es_config config;

	(void)state;
	assert_int_equal(parse(rke2), 0);
	assert_int_equal(es_config_load(flags, &arena, &config, errmsg, sizeof(errmsg)), 0);
	assert_string_equal(config.name, "n1-abc");
	assert_string_equal(config.data_dir, "/var/lib/rancher/etcd");
	assert_int_equal(config.heartbeat_ms, 500);
	assert_int_equal(config.election_ms, 5000);
	assert_int_equal(config.progress_notify_ms, 5000);
	assert_int_equal(config.listen_client.count, 2);
	assert_int_equal(config.listen_peer.count, 2);
	assert_true(config.reuse_address);
	assert_true(config.reuse_port);
	assert_string_equal(config.log_outputs, "stderr");
}

static void every_form_of_a_value(void **state)
{
	static const struct {
		const char *text;
		const char *flag;
		const char *value;
	} cases[] = {
		{"name: m1", "name", "m1"},
		{"name: 'm 1'", "name", "m 1"},
		{"{\"name\": \"m1\", \"snapshot-count\": 5}", "snapshot-count", "5"},
		{"name:\n", "name", "default"},
		{"name: ~\n", "name", "default"},
		{"name: null\n", "name", "default"},
		{"name: 'null'\n", "name", "null"},
		{"name: ''\n", "name", "default"},
		{"# nothing\n", "name", "default"},
		{"", "name", "default"},
		{"snapshot-count: '77'", "snapshot-count", "77"},
		{"grpc-keepalive-timeout: 20000000000", "grpc-keepalive-timeout", "20s"},
		{"grpc-keepalive-timeout: 1m", "grpc-keepalive-timeout", "1m0s"},
		{"unsafe-no-fsync: on", "unsafe-no-fsync", "true"},
		{"pre-vote: no", "pre-vote", "false"},
		{"auto-compaction-retention: 1", "auto-compaction-retention", "1"},
		{"log-outputs: [stderr, /tmp/x]", "log-outputs", "stderr,/tmp/x"},
		{"log-outputs: stdout", "log-outputs", "stdout"},
		{"listen-client-urls: [http://b:1, http://a:1]", "listen-client-urls",
		 "http://a:1,http://b:1"},
		{"client-transport-security:\n", "cert-file", ""},
		{"client-transport-security: {cert-file: /c}", "cert-file", "/c"},
		{"client-transport-security: {allowed-hostname: [a, b]}",
		 "client-cert-allowed-hostname", "a,b"},
		{"peer-transport-security:\n  cert-file: /p\n  allowed-cn: [x]\n", "peer-cert-file",
		 "/p"},
		{"peer-transport-security:\n  client-cert-auth: true\n", "peer-client-cert-auth",
		 "true"},
		{"socket-options:\n  reuse-port: true\n", "socket-reuse-port", "true"},
		{"discovery-config: {token: t}", "discovery-token", "t"},
		{"quota-backend-bytes: -1", "quota-backend-bytes", "-1"},
		{"feature-gates: InitialCorruptCheck=true", "feature-gates",
		 "InitialCorruptCheck=true"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text), 0);
		assert_string_equal(es_flags_text(flags, cases[i].flag), cases[i].value);
	}
}

static void mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"name: a\nsnapshot-count: many\n",
		 "x.yaml:2: invalid value \"many\" for snapshot-count: parse error"},
		{"name: a\nname: b\n", "x.yaml:2: name is given twice"},
		{"name: [a]\n", "x.yaml:1: name takes a single value"},
		{"name: {a: b}\n", "x.yaml:1: name takes a single value"},
		{"- a\n- b\n", "x.yaml:1: the file is not a mapping of keys to values"},
		{"just text", "x.yaml:1: the file is not a mapping of keys to values"},
		{"[a]: b\n", "x.yaml:1: a key is a text"},
		{"log-outputs:\n- [a]\n", "x.yaml:2: log-outputs is a list of texts"},
		{"client-transport-security: x\n",
		 "x.yaml:1: client-transport-security holds keys of its own"},
		{"client-transport-security:\n  key-file: a\n  key-file: b\n",
		 "x.yaml:3: key-file is given twice"},
		{"name: a\n\n\nunsafe-no-fsync: perhaps\n",
		 "x.yaml:4: invalid value \"perhaps\" for unsafe-no-fsync: parse error"},
		{"listen-client-urls: localhost:1\n",
		 "x.yaml:1: invalid value \"localhost:1\" for listen-client-urls: URL scheme must "
		 "be http, https, unix, or "
		 "unixs: localhost:1"},
		{"name: \"a\\0b\"\n", "x.yaml:1: name holds a NUL byte"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text), ES_EINVAL);
		assert_string_equal(errmsg, cases[i].message);
	}
	assert_int_equal(parse("name: a\n  b: c\n"), ES_EINVAL);
	assert_true(strncmp(errmsg, "x.yaml:2: ", 10) == 0);
	assert_int_equal(parse("name: \"a\n"), ES_EINVAL);
	assert_int_equal(parse("a: *nowhere\n"), ES_EINVAL);
}

static void unknown_keys_are_told(void **state)
{
	(void)state;
	assert_int_equal(parse("nmae: a\nversion: true\nsocket-options: {reuse: 1}\n"), 0);
	assert_int_equal(notices("x.yaml:1: unknown key is ignored: nmae (did you mean name?)"), 1);
	assert_int_equal(notices("x.yaml:2: unknown key is ignored: version"), 1);
	assert_int_equal(notices("x.yaml:3: unknown key is ignored: reuse"), 1);
	assert_false(es_flags_bool(flags, "version"));
	assert_int_equal(parse("socket-option: {reuse-port: 1}\nsocket-options: {reuse-prot: 1}\n"),
			 0);
	assert_int_equal(notices("x.yaml:1: unknown key is ignored: socket-option (did you mean "
				 "socket-options?)"),
			 1);
	assert_int_equal(notices("x.yaml:2: unknown key is ignored: reuse-prot (did you mean "
				 "reuse-port?)"),
			 1);
}

/* A slip here would put data elsewhere, or serve without the security that was asked for. */
static void slips_that_matter_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"name: a\ndatadir: /d\n", "x.yaml:2: unknown key: datadir (did you mean data-dir?)"},
		{"listen-client-url: http://a:1\n",
		 "x.yaml:1: unknown key: listen-client-url (did you mean listen-client-urls?)"},
		{"inital-cluster: x\n",
		 "x.yaml:1: unknown key: inital-cluster (did you mean initial-cluster?)"},
		{"cert_file: x\n", "x.yaml:1: unknown key: cert_file (did you mean cert-file?)"},
		{"client-transport-securty:\n  cert-file: x\n",
		 "x.yaml:1: unknown key: client-transport-securty (did you mean "
		 "client-transport-security?)"},
		{"client-transport-security:\n  client-cert-aut: true\n",
		 "x.yaml:2: unknown key: client-cert-aut (did you mean client-cert-auth?)"},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text), ES_EINVAL);
		assert_string_equal(errmsg, cases[i].message);
	}
}

static void too_many_keys(void **state)
{
	struct es_buf buf;

	(void)state;
	es_buf_init(&buf, es_mem_default());
	for (int i = 0; i < 600; i++)
		assert_int_equal(es_buf_printf(&buf, "k%d: v\n", i), 0);
	assert_int_equal(
		es_config_file_parse(flags, "x.yaml", es_buf_slice(&buf), errmsg, sizeof(errmsg)),
		ES_EINVAL);
	assert_string_equal(errmsg, "x.yaml:513: too many keys");
	es_buf_close(&buf);
}

static void an_alias_of_itself(void **state)
{
	(void)state;
	(void)parse("&a\nclient-transport-security: *a\n");
	(void)parse("name: &a [*a]\n");
}

static int sources(char *const *argv, int argc, char *const *envp)
{
	enum es_flags_action action;

	es_flags_reset(flags);
	assert_int_equal(es_flags_arguments(flags, argc, argv, &action, errmsg, sizeof(errmsg)), 0);
	return es_flags_sources(flags, envp, errmsg, sizeof(errmsg));
}

#define TEXT(literal) ((char *)(uintptr_t)(literal))

static void a_file_sets_everything_else_aside(void **state)
{
	char path[] = "/tmp/engenho-config-XXXXXX";
	char option[64], variable[64];
	int fd = mkostemp(path, 0);
	char *none[] = {NULL};
	char *with_variable[] = {TEXT("ETCD_SNAPSHOT_COUNT=7"), variable, NULL};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name: file\n", 11), 11);
	(void)close(fd);
	(void)snprintf(option, sizeof(option), "--config-file=%s", path);
	(void)snprintf(variable, sizeof(variable), "ETCD_CONFIG_FILE=%s", path);
	assert_int_equal(
		sources((char *[]){TEXT("x"), option, TEXT("--max-txn-ops=3"), NULL}, 3, none), 0);
	assert_string_equal(es_flags_text(flags, "name"), "file");
	assert_int_equal(es_flags_uint(flags, "max-txn-ops"), 128);
	assert_int_equal(sources((char *[]){TEXT("x"), NULL}, 1, with_variable), 0);
	assert_string_equal(es_flags_text(flags, "name"), "file");
	assert_int_equal(es_flags_uint(flags, "snapshot-count"), 10000);
	assert_int_equal(notices("loaded server configuration, other configuration"), 2);
	(void)unlink(path);
	assert_int_equal(sources((char *[]){TEXT("x"), option, NULL}, 2, none), ES_EIO);
	assert_non_null(strstr(errmsg, "cannot read the configuration file /tmp/engenho-config-"));
	assert_int_equal(sources((char *[]){TEXT("x"), TEXT("serve"), NULL}, 2, none), ES_EINVAL);
	assert_string_equal(errmsg, "\"serve\" is not a valid flag");
	with_variable[1] = NULL;
	assert_int_equal(sources((char *[]){TEXT("x"), NULL}, 1, with_variable), 0);
	assert_int_equal(es_flags_uint(flags, "snapshot-count"), 7);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_distributions_write_it),
		TEST(every_form_of_a_value),
		TEST(mistakes_are_named_with_their_line),
		TEST(unknown_keys_are_told),
		TEST(slips_that_matter_are_refused),
		TEST(too_many_keys),
		TEST(an_alias_of_itself),
		TEST(a_file_sets_everything_else_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
