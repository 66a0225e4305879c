#include "harness.h"

#include "consensus/internal.h"
#include "consensus/node_internal.h"

/* libraft does this when it follows a new term and gives its vote, which a single member never
 * does. */
static void terms_and_votes_are_copied_into_the_guard(void **state)
{
	struct es_guard_metadata newest, before;
	char folder[256];
	struct harness h;
	struct raft_io *io;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	io = es_node_raft(h.consensus->node)->io;
	es_guard_metadata(h.consensus->guard, &newest, &before);
	assert_int_equal(newest.version, 1);
	assert_int_equal(io->set_term(io, 7), 0);
	assert_int_equal(io->set_vote(io, 0xabcd), 0);
	es_guard_metadata(h.consensus->guard, &newest, &before);
	assert_int_equal(newest.version, 3);
	assert_int_equal(newest.term, 7);
	assert_true(newest.vote == 0xabcd);
	assert_int_equal(before.version, 2);
	assert_int_equal(before.vote, 0);
	h_close(&h);
	h_start(&h, folder); /* libraft's files say the same */
	assert_int_equal(es_consensus_term(h.consensus), 7);
	h_close(&h);
	h_remove(folder);
}

static void the_term_of_an_entry(void **state)
{
	char folder[256];
	struct harness h;
	struct es_node *node;

	(void)state;
	h_temporary(folder, sizeof(folder));
	h_start(&h, folder);
	for (int i = 0; i < 200; i++) {
		uint64_t target = h.answered + 1;

		h_propose(&h, "x", 1);
		H_RUN_UNTIL(&h, h.answered == target);
		if (i == 50 || i == 120) {
			es_consensus_checkpoint(h.consensus);
			H_RUN_UNTIL(&h, h.begun == h.ended && h.ended > 0);
		}
	}
	node = h.consensus->node;
	assert_int_equal(es_node_term_of(node, 1), 0); /* cut off */
	for (uint64_t i = raft_last_index(&node->raft) - 50; i <= raft_last_index(&node->raft); i++)
		assert_int_equal(es_node_term_of(node, i), 1);
	assert_int_equal(es_node_term_of(node, raft_last_index(&node->raft) + 1), 0);
	h_close(&h);
	h_remove(folder);
}

static void numbers_of_libraft_have_a_status(void **state)
{
	(void)state;
	assert_int_equal(es_node_status(0, ""), 0);
	assert_int_equal(es_node_status(RAFT_NOMEM, ""), ES_ENOMEM);
	assert_int_equal(es_node_status(RAFT_NOSPACE, ""), ES_ENOSPC);
	assert_int_equal(es_node_status(RAFT_IOERR, "write failed: -28"), ES_ENOSPC);
	assert_int_equal(es_node_status(RAFT_IOERR, "io: write failed: -122"), ES_ENOSPC);
	assert_int_equal(es_node_status(RAFT_IOERR, "write failed: -5"), ES_EIO);
	assert_int_equal(es_node_status(RAFT_IOERR, "posix_allocate: no space left on device"),
			 ES_ENOSPC);
	assert_int_equal(es_node_status(RAFT_IOERR, ""), ES_EIO);
	assert_int_equal(es_node_status(RAFT_CORRUPT, ""), ES_ECORRUPT);
	assert_int_equal(es_node_status(RAFT_NOTLEADER, ""), ES_ENOT_LEADER);
	assert_int_equal(es_node_status(RAFT_LEADERSHIPLOST, ""), ES_ELEADER_CHANGED);
	assert_int_equal(es_node_status(RAFT_CANCELED, ""), ES_ESTOPPED);
	assert_int_equal(es_node_status(9999, ""), ES_EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_and_votes_are_copied_into_the_guard),
		cmocka_unit_test(the_term_of_an_entry),
		cmocka_unit_test(numbers_of_libraft_have_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
