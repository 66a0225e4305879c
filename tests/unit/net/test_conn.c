#include <errno.h>

#include "support.h"

static void what_comes_goes_back(void **state)
{
	int fd = connect_to(listen_tcp());

	(void)state;
	say(fd, "one");
	assert_string_equal(hear(fd), "one");
	say(fd, "two");
	assert_string_equal(hear(fd), "two");
	assert_int_equal(stats().bytes_received, 6);
	assert_int_equal(stats().bytes_sent, 6);
	/* Both sides end; what is produced goes out before. */
	assert_int_equal(write(fd, "bye", 3), 3);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(hear(fd), "bye");
	assert_string_equal(hear(fd), "(end)");
	assert_true(peers[0].ended);
	assert_true(peers[0].closed);
	assert_int_equal(stats().connections_open, 0);
	close(fd);
}

static size_t drain(int fd)
{
	static char bytes[1 << 16];
	size_t total = 0;

	for (int quiet = 0; quiet < 20;) {
		ssize_t len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		turn();
		quiet = len > 0 ? 0 : quiet + 1;
		total += len > 0 ? (size_t)len : 0;
	}
	return total;
}

static void whoever_does_not_read_holds_one_buffer(void **state)
{
	enum { FLOOD = 64 << 20 };
	int fd = connect_to(listen_tcp());

	(void)state;
	peers[0].flood = FLOOD;
	es_net_conn_flush(peers[0].conn);
	turn();
	assert_true(peers[0].flood > 0);
	assert_in_range(es_net_conn_queued(peers[0].conn), 1, 256 * 1024);
	assert_int_equal(stats().bytes_queued, es_net_conn_queued(peers[0].conn));
	assert_int_equal(drain(fd), FLOOD);
	assert_int_equal(stats().bytes_queued, 0);
	assert_int_equal(stats().bytes_sent, FLOOD);
	close(fd);
}

/* What the socket does not take needs memory: without it the connection is given up, as a gap must
 * not be. */
static void no_memory_for_what_is_not_taken_closes(void **state)
{
	uint16_t port = listen_tcp();
	int fd = connect_to(port);
	int other = connect_to(port);

	(void)state;
	peers[0].flood = 64 << 20;
	es_net_conn_flush(peers[0].conn);
	no_memory_once();
	turn();
	assert_true(fault.fired);
	assert_true(peers[0].closed);
	assert_int_equal(stats().bytes_queued, 0);
	assert_int_equal(stats().connections_open, 1);
	say(other, "x");
	assert_string_equal(hear(other), "x");
	close(fd);
	close(other);
}

static void a_paused_connection_is_not_read(void **state)
{
	int fd = connect_to(listen_tcp());

	(void)state;
	es_net_conn_pause(peers[0].conn);
	say(fd, "x");
	assert_string_equal(hear(fd), "");
	es_net_conn_resume(peers[0].conn);
	assert_string_equal(hear(fd), "x");
	close(fd);
}

static void closing_under_a_write_frees_it(void **state)
{
	int fd = connect_to(listen_tcp());

	(void)state;
	peers[0].flood = 64 << 20;
	es_net_conn_flush(peers[0].conn);
	turn();
	assert_true(es_net_conn_queued(peers[0].conn) > 0);
	es_net_conn_close(peers[0].conn);
	turn();
	assert_true(peers[0].closed);
	assert_int_equal(stats().bytes_queued, 0);
	close(fd);
}

static void the_peer_has_a_name(void **state)
{
	char name[ES_NET_PEER_MAX];
	int fd = connect_to(listen_tcp());

	(void)state;
	es_net_conn_peer(peers[0].conn, name);
	assert_memory_equal(name, "127.0.0.1:", 10);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(what_comes_goes_back),
		T(whoever_does_not_read_holds_one_buffer),
		T(no_memory_for_what_is_not_taken_closes),
		T(a_paused_connection_is_not_read),
		T(closing_under_a_write_frees_it),
		T(the_peer_has_a_name),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
