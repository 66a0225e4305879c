#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "pair.h"

static struct pair pair;

static int teardown(void **state)
{
	(void)state;
	pair_close(&pair);
	return 0;
}

/* ---- handlers ---- */

static struct es_http_request *late;

static void show(void *ctx, struct es_http_request *request)
{
	struct es_slice path = es_http_path(request), value = ES_SLICE("-");
	char text[200];
	int len;

	(void)ctx;
	es_http_header(request, "x-test", &value);
	len = snprintf(text, sizeof(text), "[%.*s %.*s]", (int)path.len, (const char *)path.data,
		       (int)value.len, (const char *)value.data);
	es_http_respond(request, 200, "text/plain", es_slice(text, (size_t)len));
}

static void post(void *ctx, struct es_http_request *request)
{
	(void)ctx;
	es_http_respond(request, 200, "text/plain", es_http_body(request));
}

static void later(void *ctx, struct es_http_request *request)
{
	(void)ctx;
	late = request;
}

static void big(void *ctx, struct es_http_request *request)
{
	static char text[100000];

	(void)ctx;
	memset(text, 'x', sizeof(text));
	es_http_respond(request, 200, "text/plain", es_slice(text, sizeof(text)));
}

static const struct es_http_handler handlers[] = {
	{.path = "/show", .prefix = true, .handle = show},
	{.path = "/post", .post = true, .handle = post},
	{.path = "/later", .handle = later},
	{.path = "/big", .handle = big},
};

static int http_setup(void **state)
{
	(void)state;
	late = NULL;
	pair_init(&pair, UINT64_MAX);
	if (pair_open(&pair) < 0 ||
	    es_http_register(pair.server, handlers, ES_ARRAY_LEN(handlers), NULL) < 0)
		return 1;
	return es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn) < 0;
}

static char output[1 << 20];
static size_t output_len;

/* What the server says to `text`; all of it so far. */
static const char *say_bytes(const char *text, size_t len)
{
	size_t got;

	if (pair.conn->protocol == NULL)
		output_len = 0;
	es_rpc_conn_receive(pair.conn, (const uint8_t *)text, len);
	while ((got = es_rpc_conn_produce(pair.conn, (uint8_t *)output + output_len,
					  ES_NET_PRODUCE_MIN)) > 0)
		output_len += got;
	output[output_len] = '\0';
	return output;
}

static const char *say(const char *text)
{
	return say_bytes(text, strlen(text));
}

static void begins(const char *text, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) != 0)
		fail_msg("does not begin with %s: %.80s", begin, text);
}

static void ends(const char *text, const char *end)
{
	size_t len = strlen(text);

	if (len < strlen(end) || strcmp(text + len - strlen(end), end) != 0)
		fail_msg("does not end with %s: %s", end, text);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_request_is_answered(void **state)
{
	const char *got = say("GET /show HTTP/1.1\r\nHost: a\r\nX-Test:  hi \r\n\r\n");

	(void)state;
	begins(got, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nDate: "
		    "Tue, 14 Nov 2023 22:13:20 GMT\r\n");
	ends(got, "\r\n\r\n[/show hi]");
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
}

static void it_may_come_byte_by_byte(void **state)
{
	const char *text = "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET(
		"/show");
	const char *got = "";

	(void)state;
	for (size_t i = 0; i < strlen(text); i++)
		got = say_bytes(text + i, 1);
	begins(got, "HTTP/1.1 200 OK\r\n");
	assert_non_null(strstr(got, "\r\n\r\nhelloHTTP/1.1 200 OK\r\n"));
	ends(got, "[/show -]");
}

static void folded_fields_are_refused_in_pieces_too(void **state)
{
	const char *text = "GET /show HTTP/1.1\r\nHost: a\r\nX-Test: ab\r\n cd\r\n\r\n";
	size_t len = strlen(text);

	(void)state;
	for (size_t i = 1; i < len; i++) {
		es_rpc_conn_free(pair.conn);
		assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
		say_bytes(text, i);
		begins(say_bytes(text + i, len - i), "HTTP/1.1 400 Bad Request\r\n");
	}
}

static void head_has_no_body(void **state)
{
	const char *got = say("HEAD /show HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)state;
	assert_non_null(strstr(got, "Content-Length: 9\r\n"));
	ends(got, "\r\n\r\n");
}

static void refusals(void **state)
{
	static const struct {
		const char *request, *status;
		bool stays;
	} cases[] = {
		{GET("/nope"), "404 Not Found", true},
		{GET("/sho"), "404 Not Found", true},
		{GET("/showx"), "404 Not Found", true},
		{GET("/post"), "405 Method Not Allowed", true},
		{"DELETE /show HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed", true},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request", true},
		{GET("/show%2"), "400 Bad Request", true},
		{"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed", false},
		{"GET /show HTTP/1.1\r\n\r\n", "400 Bad Request", false},
		{"GET /show HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request", false},
		{"GET /show HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported", false},
		{"GET /show HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", "400 Bad Request", false},
		{"GET /show HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request", false},
		{"GET /show HTTP/1.1\r\nHost: a\r\nX: a\001b\r\n\r\n", "400 Bad Request", false},
		{"GET /show HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n 0\r\n\r\n0123456789",
		 "400 Bad Request", false},
		{"PRI * HTTP/1.1\r\n\r\n", "400 Bad Request", false},
		{"P", "", true},
		{"\x16\x03\x01\x02", "400 Bad Request", false}, /* TLS */
		{"hello\r\n\r\n", "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n",
		 "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: "
		 "6\r\n\r\nhello",
		 "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400 Bad Request",
		 false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", "400 Bad Request",
		 false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
		 "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		 "400 Bad Request", false},
		{"POST /post HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		 "400 Bad Request", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n",
		 "413 Request Entity Too Large", false},
		{"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n",
		 "417 Expectation Failed", false},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		char begin[100];

		snprintf(begin, sizeof(begin), cases[i].status[0] == '\0' ? "" : "HTTP/1.1 %s\r\n",
			 cases[i].status);
		begins(say(cases[i].request), begin);
		assert_int_equal(pair.conn->life == ES_CONN_OPEN, cases[i].stays);
		assert_int_equal(strstr(output, "Connection: close\r\n") == NULL, cases[i].stays);
		es_rpc_conn_free(pair.conn);
		assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	}
}

static void long_heads_are_refused(void **state)
{
	static char text[100000];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	begins(say_bytes(text, 9000), "HTTP/1.1 414 ");
	es_rpc_conn_free(pair.conn);
	assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	memcpy(text, "GET /show HTTP/1.1\r\nX: ", 23);
	begins(say_bytes(text, 70000), "HTTP/1.1 431 ");
	es_rpc_conn_free(pair.conn);
	assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	say("GET /show HTTP/1.1\r\n");
	for (int i = 0; i < 129; i++)
		say("a: b\r\n");
	begins(output, "HTTP/1.1 431 ");
	es_rpc_conn_free(pair.conn);
	assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	say("POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"); /* trailers
											     without
											     end */
	for (int i = 0; i < 20000 && pair.conn->life == ES_CONN_OPEN; i++)
		say("abcdefg: hijkl\r\n");
	begins(output, "HTTP/1.1 431 ");
}

static void bodies(void **state)
{
	(void)state;
	ends(say("POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n"),
	     "\r\n\r\nabcde");
	ends(say("POST /post HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\n");
	ends(say("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: "
		 "100-continue\r\n\r\n"),
	     "HTTP/1.1 100 Continue\r\n\r\n");
	ends(say("xyz"), "\r\n\r\nxyz");
	/* A GET's body is read and means nothing. */
	ends(say("GET /show HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET" GET("/show/2")),
	     "[/show/2 -]");
	/* No end in sight. */
	say("POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 30000 && pair.conn->life == ES_CONN_OPEN; i++)
		say("4\r\nabcd\r\n");
	assert_non_null(strstr(output, "HTTP/1.1 413 "));
}

static void connections_stay_or_not(void **state)
{
	static const struct {
		const char *request, *says;
		bool stays;
	} cases[] = {
		{GET("/show"), NULL, true},
		{"GET /show HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		 "Connection: close\r\n", false},
		{"GET /show HTTP/1.0\r\n\r\n", "Connection: close\r\n", false},
		{"GET /show HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		 "Connection: keep-alive\r\n", true},
		/* What curl --http2 asks first: not now. */
		{"GET /show HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
		 "h2c\r\nHTTP2-Settings: AA\r\n\r\n",
		 NULL, true},
	};

	(void)state;
	for (size_t i = 0; i < ES_ARRAY_LEN(cases); i++) {
		begins(say(cases[i].request), "HTTP/1.1 200 OK\r\n");
		assert_int_equal(pair.conn->life == ES_CONN_OPEN, cases[i].stays);
		if (cases[i].says != NULL)
			assert_non_null(strstr(output, cases[i].says));
		else
			assert_null(strstr(output, "Connection:"));
		es_rpc_conn_free(pair.conn);
		assert_int_equal(es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn), 0);
	}
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct es_http_request *request;

	(void)state;
	say(GET("/show/1") GET("/later") GET("/show/2"));
	ends(output, "[/show/1 -]");
	assert_true(pair.conn->blocked); /* the third is kept, and no more is read */
	say(GET("/show/3"));
	request = late;
	es_http_respond(request, 200, NULL, ES_SLICE("[late]"));
	say("");
	assert_true(strstr(output, "[/show/1 -]") < strstr(output, "[late]"));
	assert_true(strstr(output, "[late]") < strstr(output, "[/show/2 -]"));
	ends(output, "[/show/3 -]");
	assert_false(pair.conn->blocked);
}

static void pipelined_answers_do_not_pile_up(void **state)
{
	static char many[60 * sizeof(GET("/big"))];

	(void)state;
	for (size_t i = 0; i < 60; i++)
		memcpy(many + i * (sizeof(GET("/big")) - 1), GET("/big"), sizeof(GET("/big")));
	es_rpc_conn_receive(pair.conn, (const uint8_t *)many, strlen(many));
	/* 6 MB of answers, and no more than one is made before it can go. */
	assert_in_range(pair.conn->protocol->queued(pair.conn->state), 100000, 110000);
	assert_true(pair.conn->blocked);
	output_len = 0;
	for (int i = 0; i < 5; i++)
		output_len += es_rpc_conn_produce(pair.conn, (uint8_t *)output, ES_NET_PRODUCE_MIN);
	assert_in_range(pair.conn->protocol->queued(pair.conn->state), 1, 180000);
}

static void a_client_that_leaves_is_answered_in_vain(void **state)
{
	(void)state;
	say(GET("/later"));
	es_rpc_conn_free(pair.conn);
	pair.conn = NULL;
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
}

static void the_end_of_input_lets_the_answer_through(void **state)
{
	(void)state;
	say(GET("/later"));
	es_rpc_conn_ended(pair.conn);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
	ends(say(""), "late");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void half_requests_time_out(void **state)
{
	(void)state;
	say("GET /show HTTP/1.1\r\nHost:");
	pair.now_ms += 20000;
	es_rpc_server_tick(pair.server, pair.now_ms);
	say(" a\r\nX: "); /* that it goes on does not help */
	pair.now_ms += 10000;
	es_rpc_server_tick(pair.server, pair.now_ms);
	begins(say(""), "HTTP/1.1 408 Request Timeout\r\n");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void idle_connections_are_closed(void **state)
{
	(void)state;
	say(GET("/show"));
	output_len = 0;
	pair.now_ms += 29999;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	pair.now_ms += 1;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_string_equal(say(""), "");
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void a_handler_may_take_its_time(void **state)
{
	(void)state;
	say(GET("/later"));
	pair.now_ms += 100000;
	es_rpc_server_tick(pair.server, pair.now_ms);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
	ends(say(""), "late");
}

static void draining_closes_behind_the_answer(void **state)
{
	(void)state;
	say(GET("/later"));
	es_rpc_conn_drain(pair.conn);
	assert_int_equal(pair.conn->life, ES_CONN_OPEN);
	es_http_respond(late, 200, NULL, ES_SLICE("late"));
	ends(say(""), "late");
	assert_non_null(strstr(output, "Connection: close\r\n"));
	assert_int_equal(pair.conn->life, ES_CONN_FINISHED);
}

static void failures_of_memory_are_survived(void **state)
{
	(void)state;
	for (uint64_t n = 0;; n++) {
		bool fired;

		pair_close(&pair);
		pair_init(&pair, n);
		if (pair_open(&pair) == 0 &&
		    es_http_register(pair.server, handlers, ES_ARRAY_LEN(handlers), NULL) == 0 &&
		    es_rpc_conn_new(pair.server, &pair.face, NULL, &pair.conn) == 0) {
			say("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET(
				"/big") GET("/show?q=1"));
			if (!pair.fault.fired)
				ends(output, "[/show -]");
		}
		fired = pair.fault.fired;
		if (!fired)
			break;
		assert_true(n < 10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_is_answered, http_setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_come_byte_by_byte, http_setup, teardown),
		cmocka_unit_test_setup_teardown(folded_fields_are_refused_in_pieces_too, http_setup,
						teardown),
		cmocka_unit_test_setup_teardown(head_has_no_body, http_setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, http_setup, teardown),
		cmocka_unit_test_setup_teardown(long_heads_are_refused, http_setup, teardown),
		cmocka_unit_test_setup_teardown(bodies, http_setup, teardown),
		cmocka_unit_test_setup_teardown(connections_stay_or_not, http_setup, teardown),
		cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order,
						http_setup, teardown),
		cmocka_unit_test_setup_teardown(pipelined_answers_do_not_pile_up, http_setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_is_answered_in_vain,
						http_setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_input_lets_the_answer_through,
						http_setup, teardown),
		cmocka_unit_test_setup_teardown(half_requests_time_out, http_setup, teardown),
		cmocka_unit_test_setup_teardown(idle_connections_are_closed, http_setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_may_take_its_time, http_setup, teardown),
		cmocka_unit_test_setup_teardown(draining_closes_behind_the_answer, http_setup,
						teardown),
		cmocka_unit_test_setup_teardown(failures_of_memory_are_survived, http_setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
