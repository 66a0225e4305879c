#include "../engine/support.h"
#include "../rpc/pair.h"

#include "api/api.h"
#include "wire/rpc.pb-c.h"

/* Services on a real engine, with a client that there is nothing but memory to; the server's memory
 * can be made to fail. */
struct services {
	struct fixture engine;
	struct pair pair;
	struct es_api *api;
	bool api_closed;
};

static void on_api_closed(void *ctx)
{
	((struct services *)ctx)->api_closed = true;
}

static int setup(void **state)
{
	struct services *s = calloc(1, sizeof(*s));
	struct es_api_config config = {
		.mem = es_mem_default(),
		.max_request_bytes = 1536 * 1024,
		.max_txn_ops = 128,
		.version = "3.7.3",
	};

	assert_non_null(s);
	(void)snprintf(s->engine.folder, sizeof(s->engine.folder), "/tmp/engenho-api-XXXXXX");
	assert_non_null(mkdtemp(s->engine.folder));
	s->engine.now_ms = 1000;
	es_arena_init(&s->engine.arena, es_mem_default(), 4096);
	fixture_open(&s->engine);
	pair_init(&s->pair, UINT64_MAX);
	assert_int_equal(pair_open(&s->pair), 0);
	config.env = &s->engine.env;
	config.loop = &s->engine.loop;
	assert_int_equal(es_api_register(s->pair.server, s->engine.engine, &config, &s->api), 0);
	assert_int_equal(pair_connect(&s->pair), 0);
	pair_pump(&s->pair);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct services *s = *state;
	char command[128];

	/* As the server does it: what the log still has holds calls. */
	es_rpc_conn_free(s->pair.conn);
	s->pair.conn = NULL;
	es_api_close(s->api, on_api_closed, s);
	RUN_UNTIL(&s->engine, s->api_closed);
	fixture_close(&s->engine);
	pair_close(&s->pair);
	es_arena_close(&s->engine.arena);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", s->engine.folder);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void put_large(struct services *s, const char *key)
{
	static uint8_t value[5000];
	const struct es_mvcc_op op = {
		.kind = ES_MVCC_OP_PUT,
		.u.put = {.key = es_slice_str(key), .value = es_slice(value, sizeof(value))}};
	const struct es_mvcc_txn txn = {.success_count = 1, .success = &op};
	struct waiting w = waiting_new(&s->engine);

	assert_int_equal(waiting_end(&s->engine, &w,
				     es_engine_write(s->engine.engine, &w.op, ES_COMMAND_PUT,
						     es_slice("", 0), &txn)),
			 0);
}

static struct pair_stream *watch_from(struct services *s, const char *key, int64_t revision)
{
	Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
	Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
	uint8_t bytes[100] = {0};
	struct pair_stream *stream;
	size_t size;

	create.key = (ProtobufCBinaryData){strlen(key), (uint8_t *)(uintptr_t)key};
	create.start_revision = revision;
	request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
	request.create_request = &create;
	size = etcdserverpb__watch_request__pack(&request, bytes + 5);
	bytes[4] = (uint8_t)size;
	stream = pair_request(&s->pair, "/etcdserverpb.Watch/Watch", NULL,
			      es_slice(bytes, 5 + size), false);
	pair_pump(&s->pair);
	assert_int_equal(pair_message_count(stream), 1);
	return stream;
}

static struct pair_stream *watch(struct services *s, const char *key)
{
	return watch_from(s, key, 0);
}

static void turn_until_watched(struct services *s)
{
	for (int i = 0; i < 5; i++)
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
	pair_pump(&s->pair);
}

static void a_watch_tells_what_changes(void **state)
{
	struct services *s = *state;
	struct pair_stream *stream = watch(s, "k");

	put_large(s, "k");
	put_large(s, "other");
	turn_until_watched(s);
	assert_int_equal(pair_message_count(stream), 2);
	assert_false(stream->closed);
}

/* `revisions` of as many changes as a transaction of this test has. */
static uint64_t put_many(struct services *s, int revisions)
{
	enum { PUTS = 100 };
	static char keys[PUTS][16];
	struct es_mvcc_op ops[PUTS];
	const struct es_mvcc_txn txn = {.success_count = PUTS, .success = ops};

	for (int i = 0; i < PUTS; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "m%d", i);
		ops[i] = (struct es_mvcc_op){.kind = ES_MVCC_OP_PUT,
					     .u.put.key = es_slice_str(keys[i])};
	}
	for (int i = 0; i < revisions; i++) {
		struct waiting w = waiting_new(&s->engine);

		assert_int_equal(
			waiting_end(&s->engine, &w,
				    es_engine_write(s->engine.engine, &w.op, ES_COMMAND_TXN,
						    es_slice("", 0), &txn)),
			0);
	}
	return (uint64_t)revisions * PUTS;
}

static void no_turn_of_the_loop_reads_much_history(void **state)
{
	enum { STREAMS = 30, TURN_ENTRIES_MAX = 20000 };
	struct services *s = *state;
	struct es_watch_hub *hub = es_engine_watch_hub(s->engine.engine);
	uint64_t entries = put_many(s, 40);
	uint64_t scanned = es_watch_scanned(hub);
	uint64_t total;

	for (int i = 0; i < STREAMS; i++)
		(void)watch_from(s, "nothing", 2);
	assert_int_equal(es_watch_unsynced_count(hub), STREAMS);
	total = es_watch_scanned(hub) + STREAMS * entries;
	for (int turns = 0; es_watch_unsynced_count(hub) > 0; turns++) {
		assert_in_range(turns, 0, 100);
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
		assert_in_range(es_watch_scanned(hub) - scanned, 0, TURN_ENTRIES_MAX);
		scanned = es_watch_scanned(hub);
	}
	assert_int_equal(scanned, total);
}

static void a_watch_that_cannot_be_told_ends(void **state)
{
	struct services *s = *state;
	struct pair_stream *stream = watch(s, "k");

	s->pair.fault.countdown = 0; /* room for the event */
	s->pair.fault.fired = false;
	put_large(s, "k");
	turn_until_watched(s);
	assert_true(s->pair.fault.fired);
	pair_expect(stream, "8", "engenho: out of memory");
	assert_int_equal(es_watch_count(es_engine_watch_hub(s->engine.engine)), 0);
	put_large(s, "k");
	turn_until_watched(s);
	assert_int_equal(pair_message_count(stream), 1);
}

/* Time enough for a tick of the services. */
static void tick(struct services *s, uint64_t ms)
{
	s->engine.now_ms += ms;
	usleep(120 * 1000);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
}

/* Answers that only tell progress. */
static unsigned progress_count(const struct pair_stream *stream)
{
	const struct es_buf *body = &stream->body;
	unsigned count = 0;
	size_t len;

	for (size_t at = 0; at + 5 <= body->len; at += 5 + len) {
		const uint8_t *head = body->data + at;
		Etcdserverpb__WatchResponse *answer;

		len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 |
		      head[4];
		answer = etcdserverpb__watch_response__unpack(NULL, len, head + 5);
		assert_non_null(answer);
		count += !answer->created && !answer->canceled && answer->n_events == 0;
		etcdserverpb__watch_response__free_unpacked(answer, NULL);
	}
	return count;
}

static void progress_is_not_piled_up_for_who_takes_nothing(void **state)
{
	enum { INTERVAL_MS = 12 * 60 * 1000 };
	struct services *s = *state;
	struct pair_stream *stream = watch(s, "k");

	/* Another watch on the stream, of "quiet", with progress_notify. */
	pair_send(&s->pair, stream, ES_SLICE("\0\0\0\0\x0b\x0a\x09\x0a\x05quiet\x20\x01"), false);
	pair_pump(&s->pair);
	assert_int_equal(pair_message_count(stream), 2);
	tick(s, INTERVAL_MS);
	tick(s, INTERVAL_MS);
	pair_pump(&s->pair);
	assert_int_equal(progress_count(stream), 2);
	for (int i = 0; i < 100; i++) {
		put_large(s, "k");
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 5; i++)
		tick(s, INTERVAL_MS);
	pair_pump(&s->pair);
	assert_int_equal(progress_count(stream), 2);
	turn_until_watched(s);
	tick(s, INTERVAL_MS);
	pair_pump(&s->pair);
	assert_int_equal(progress_count(stream), 3);
}

/* ---- answers that are not taken -------------------------------------------------------------- */

/* What the client's socket gets in one go. */
static void take_some(struct services *s)
{
	static uint8_t bytes[ES_NET_PRODUCE_MIN];
	size_t len = es_rpc_conn_produce(s->pair.conn, bytes, sizeof(bytes));

	assert_true(len > 0);
	assert_int_equal(nghttp2_session_mem_recv(s->pair.client, bytes, len), len);
}

/* All keys, by a client that takes a little of them. */
static struct pair_stream *read_without_taking(struct services *s, const char *path)
{
	Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
	uint8_t bytes[100] = {0};
	struct pair_stream *stream;
	const uint8_t *sent;
	ssize_t len;

	request.key = (ProtobufCBinaryData){1, (uint8_t[]){0}};
	request.range_end = request.key;
	bytes[4] = (uint8_t)etcdserverpb__range_request__pack(&request, bytes + 5);
	stream = pair_request(&s->pair, path, NULL, es_slice(bytes, 5u + bytes[4]), true);
	while ((len = nghttp2_session_mem_send(s->pair.client, &sent)) > 0)
		es_rpc_conn_receive(s->pair.conn, sent, (size_t)len);
	take_some(s);
	return stream;
}

static void put_history(struct services *s, int rounds)
{
	char key[16];

	for (int i = 0; i < 100 * rounds; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i % 100);
		put_large(s, key);
	}
}

static void compact_all(struct services *s)
{
	struct waiting w = waiting_new(&s->engine);
	int64_t newest = es_engine_header(s->engine.engine).revision;

	assert_int_equal(waiting_end(&s->engine, &w,
				     es_engine_compact(s->engine.engine, &w.op, newest, true)),
			 0);
}

static uint64_t versions(struct services *s)
{
	return es_mvcc_versions(es_engine_store(s->engine.engine));
}

static void an_answer_that_is_not_taken_pins_for_a_while(struct services *s, const char *path)
{
	struct pair_stream *stream;

	put_history(s, 1);
	stream = read_without_taking(s, path);
	put_history(s, 1);
	compact_all(s);
	tick(s, 59000);
	take_some(s);
	tick(s, 59000);
	assert_int_equal(versions(s), 200);
	tick(s, 60000); /* what a stream took is noticed when its time is over */
	assert_int_equal(versions(s), 100);
	assert_false(stream->closed);
	pair_pump(&s->pair);
	assert_true(stream->closed);
}

static void a_range_that_is_not_taken_is_reset(void **state)
{
	struct services *s = *state;

	an_answer_that_is_not_taken_pins_for_a_while(s, "/etcdserverpb.KV/Range");
	assert_int_equal(s->pair.streams[0].error_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void a_stream_of_ranges_that_is_not_taken_ends(void **state)
{
	struct services *s = *state;

	an_answer_that_is_not_taken_pins_for_a_while(s, "/etcdserverpb.KV/RangeStream");
	pair_expect(&s->pair.streams[0], "8", "engenho: the answer was not taken in time");
}

/* ---- standing in line ------------------------------------------------------------------------ */

static struct pair_stream *ask(struct services *s, const char *path, struct es_slice request)
{
	uint8_t bytes[200] = {0};
	struct pair_stream *stream;

	assert_true(request.len < 128);
	bytes[4] = (uint8_t)request.len;
	if (request.len > 0)
		memcpy(bytes + 5, request.data, request.len);
	stream = pair_request(&s->pair, path, NULL, es_slice(bytes, 5 + request.len), true);
	pair_pump(&s->pair);
	return stream;
}

static void turn_until_quiet(struct services *s)
{
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
		pair_pump(&s->pair);
	}
}

static struct pair_stream *lock(struct services *s)
{
	struct pair_stream *stream = ask(s, "/v3lockpb.Lock/Lock", ES_SLICE("\x0a\x01l"));

	turn_until_quiet(s);
	return stream;
}

/* The n-th in line goes. */
static void leave(struct services *s, size_t n)
{
	const struct es_mvcc_range_req req = {
		.range = {ES_SLICE("l/"), ES_SLICE("l0")},
		.sort_target = ES_MVCC_SORT_CREATE,
		.sort_order = ES_MVCC_SORT_ASCEND,
	};
	struct es_mvcc_range_res res;
	struct es_mvcc_kv kv;
	char key[32];

	assert_int_equal(
		es_mvcc_range(es_engine_store(s->engine.engine), &req, &s->engine.arena, &res), 0);
	assert_true(res.n > n);
	es_mvcc_version_kv(res.versions[n], &kv);
	(void)snprintf(key, sizeof(key), "%.*s", (int)kv.key.len, (const char *)kv.key.data);
	assert_int_equal(delete_range(&s->engine, key, NULL), 1);
	turn_until_quiet(s);
}

static void whoever_stands_in_line_waits_for_the_one_before(void **state)
{
	struct services *s = *state;
	struct es_watch_hub *hub = es_engine_watch_hub(s->engine.engine);
	struct pair_stream *first = lock(s);
	struct pair_stream *second;
	struct pair_stream *third;

	pair_expect(first, "0", "");
	second = lock(s);
	third = lock(s);
	assert_int_equal(es_watch_count(hub), 2);
	leave(s, 1);
	/* The second's place is gone, but it is not its turn; the third waits for the first now. */
	assert_false(second->closed);
	assert_false(third->closed);
	assert_int_equal(es_watch_count(hub), 2);
	leave(s, 0);
	pair_expect(second, "2", "mutex: session is expired");
	pair_expect(third, "0", "");
	assert_int_equal(es_watch_count(hub), 0);
}

static void whoever_goes_away_leaves_the_line(void **state)
{
	struct services *s = *state;
	struct pair_stream *second;
	struct pair_stream *third;

	(void)lock(s);
	second = lock(s);
	third = lock(s);
	pair_reset(&s->pair, second);
	turn_until_quiet(s);
	assert_int_equal(es_mvcc_keys(es_engine_store(s->engine.engine)), 2);
	leave(s, 0);
	pair_expect(third, "0", "");
}

static uint64_t ranges_read(struct services *s)
{
	struct es_engine_stats stats;

	es_engine_get_stats(s->engine.engine, &stats);
	return stats.ranges;
}

static void an_observer_follows_the_leader_alone(void **state)
{
	struct services *s = *state;
	struct pair_stream *stream = ask(s, "/v3electionpb.Election/Observe",
					 ES_SLICE("\x0a\x01l"));
	uint64_t before;
	char key[16];

	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 0);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "l/%02d", 99 - i);
		assert_int_equal(put(&s->engine, key, "v", 0), 0);
	}
	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 1);
	/* What the others in line do is not looked at. */
	before = ranges_read(s);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(key, sizeof(key), "l/%02d", i);
		assert_int_equal(put(&s->engine, key, "w", 0), 0);
		turn_until_quiet(s);
	}
	assert_int_equal(ranges_read(s), before);
	assert_int_equal(pair_message_count(stream), 1);
	/* What the leader says is, one by one. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(&s->engine, "l/99", "x", 0), 0);
	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 4);
	assert_int_equal(delete_range(&s->engine, "l/99", NULL), 1);
	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 5); /* of the next one */
	assert_int_equal(delete_range(&s->engine, "l/", "l0"), 99);
	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 5);
	assert_int_equal(put(&s->engine, "l/a", "x", 0), 0);
	assert_int_equal(put(&s->engine, "l/a", "y", 0), 0);
	turn_until_quiet(s);
	assert_int_equal(pair_message_count(stream), 7);
	pair_reset(&s->pair, stream);
	turn_until_quiet(s);
	assert_int_equal(es_watch_count(es_engine_watch_hub(s->engine.engine)), 0);
}

/* ---- memory that runs out -------------------------------------------------------------------- */

/* Requests that get further than the first check. */
static struct es_slice request_for(const char *path)
{
	static const struct {
		const char *path;
		struct es_slice request;
	} requests[] = {
		{"/etcdserverpb.KV/Range", ES_SLICE("\x0a\x01k")},
		{"/etcdserverpb.KV/Put", ES_SLICE("\x0a\x01k\x12\x01v")},
		{"/etcdserverpb.KV/DeleteRange", ES_SLICE("\x0a\x01k\x18\x01")},
		{"/etcdserverpb.KV/Txn", ES_SLICE("\x12\x08\x12\x06\x0a\x01k\x12\x01v"
						  "\x12\x05\x0a\x03\x0a\x01k")},
		{"/etcdserverpb.Lease/LeaseGrant", ES_SLICE("\x08\x0a")},
		{"/etcdserverpb.Cluster/MemberUpdate", ES_SLICE("\x08\xa1\x01\x12\x08http://a")},
		{"/etcdserverpb.Maintenance/Alarm", ES_SLICE("\x08\x02\x18\x01")},
		{"/v3lockpb.Lock/Lock", ES_SLICE("\x0a\x01l")},
		{"/v3lockpb.Lock/Unlock", ES_SLICE("\x0a\x01k")},
		{"/v3electionpb.Election/Campaign", ES_SLICE("\x0a\x01l\x1a\x01v")},
		{"/v3electionpb.Election/Leader", ES_SLICE("\x0a\x01l")},
		{"/v3electionpb.Election/Proclaim", ES_SLICE("\x0a\x05\x12\x01k\x18\x01\x12\x01v")},
		{"/v3electionpb.Election/Resign", ES_SLICE("\x0a\x05\x12\x01k\x18\x01")},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(requests); i++) {
		if (strcmp(path, requests[i].path) == 0)
			return requests[i].request;
	}
	return es_slice(NULL, 0);
}

static void reconnect(struct services *s)
{
	es_rpc_conn_free(s->pair.conn);
	nghttp2_session_del(s->pair.client);
	for (size_t i = 0; i < s->pair.stream_count; i++) {
		es_buf_close(&s->pair.streams[i].body);
		es_buf_close(&s->pair.streams[i].unsent);
	}
	memset(s->pair.streams, 0, sizeof(s->pair.streams));
	s->pair.stream_count = 0;
	assert_int_equal(pair_connect(&s->pair), 0);
	pair_pump(&s->pair);
}

static struct services *arming;
static uint64_t arm_after;

static int arm(void *ctx, struct es_rpc_call *call, const struct es_rpc_method *method)
{
	(void)ctx;
	(void)call;
	(void)method;
	arming->pair.fault.countdown = arm_after;
	return 0;
}

/* One call whose handler, and who sends its answer, fail to allocate the n-th time. */
static bool call_without_memory(struct services *s, const char *path, uint64_t n)
{
	struct pair_stream *stream;
	bool fired;

	arm_after = n;
	s->pair.fault.fired = false;
	stream = ask(s, path, request_for(path));
	for (int i = 0; i < 5000 && !stream->closed && s->pair.conn->life == ES_CONN_OPEN; i++) {
		(void)uv_run(&s->engine.loop, UV_RUN_NOWAIT);
		pair_pump(&s->pair);
		usleep(200); /* for the disk */
	}
	if (!stream->closed && s->pair.conn->life == ES_CONN_OPEN)
		fail_msg("%s does not end without its allocation %d", path, (int)n);
	fired = s->pair.fault.fired;
	s->pair.fault.countdown = UINT64_MAX;
	reconnect(s);
	return fired;
}

/* Each allocation of each call fails once. Whatever the answer is, there is one, and nothing is left
 * behind. */
static void every_call_ends_without_memory(void **state)
{
	struct services *s = *state;
	const struct es_rpc_hooks hooks = {.start = arm};
	const struct es_rpc_entries *block;
	unsigned calls = 0;

	arming = s;
	es_rpc_set_hooks(s->pair.server, &hooks);
	for (block = s->pair.server->method_blocks; block != NULL; block = block->next) {
		for (size_t i = 0; i < block->count; i++) {
			const struct es_rpc_entry *entry = &block->entries[i];
			char path[100];

			if (entry->method->kind != ES_RPC_UNARY)
				continue;
			(void)snprintf(path, sizeof(path), "%.*s", (int)entry->path.len,
				       (const char *)entry->path.data);
			for (uint64_t n = 0; call_without_memory(s, path, n); n++) {
				assert_true(n < 1000);
				(void)delete_range(&s->engine, "l/", "l0");
			}
			(void)delete_range(&s->engine, "l/", "l0");
			calls++;
		}
	}
	assert_true(calls > 40); /* of all services */
}

static void calls_may_be_under_way_at_the_end(void **state)
{
	struct services *s = *state;

	put_history(s, 1);
	pair_expect(lock(s), "0", "");
	assert_false(lock(s)->closed);
	/* What the log has not answered yet; then the teardown comes. */
	(void)ask(s, "/v3lockpb.Lock/Lock", ES_SLICE("\x0a\x01l"));
	(void)ask(s, "/v3electionpb.Election/Observe", ES_SLICE("\x0a\x01l"));
	(void)ask(s, "/etcdserverpb.KV/Put", ES_SLICE("\x0a\x01k"));
	(void)ask(s, "/etcdserverpb.Maintenance/HashKV", es_slice(NULL, 0));
	(void)read_without_taking(s, "/etcdserverpb.KV/RangeStream");
	(void)read_without_taking(s, "/etcdserverpb.KV/Range");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_watch_tells_what_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(no_turn_of_the_loop_reads_much_history, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_watch_that_cannot_be_told_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(progress_is_not_piled_up_for_who_takes_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_range_that_is_not_taken_is_reset, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_stream_of_ranges_that_is_not_taken_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(whoever_stands_in_line_waits_for_the_one_before,
						setup, teardown),
		cmocka_unit_test_setup_teardown(whoever_goes_away_leaves_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(an_observer_follows_the_leader_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_call_ends_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(calls_may_be_under_way_at_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
