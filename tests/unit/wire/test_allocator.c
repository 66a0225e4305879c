#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/allocator.h"
#include "wire/rpc.pb-c.h"

static void messages_unpack_into_an_arena_or_not_at_all(void **state)
{
	/* Two members with names and URLs. */
	static const uint8_t bytes[] = "\x0a\x02\x10\x07\x12\x07\x08\x01\x12\x01"
				       "a\x1a\x00\x12\x05\x08\x02\x1a\x01"
				       "b";

	(void)state;
	for (uint64_t n = 0;; n++) {
		struct es_fault_mem fault;
		struct es_arena arena;
		ProtobufCAllocator allocator;
		Etcdserverpb__MemberListResponse *list;

		es_fault_mem_init(&fault, n);
		es_arena_init(&arena, &fault.mem, 1); /* each allocation for itself */
		allocator = es_wire_allocator(&arena);
		list = etcdserverpb__member_list_response__unpack(&allocator, sizeof(bytes) - 1,
								  bytes);
		assert_int_equal(list == NULL, fault.fired);
		if (list != NULL) {
			assert_int_equal(list->n_members, 2);
			assert_string_equal(list->members[0]->name, "a");
			assert_string_equal(list->members[1]->peerurls[0], "b");
		}
		es_arena_close(&arena);
		assert_int_equal(fault.live, 0);
		if (!fault.fired) {
			assert_true(n >= 4);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_unpack_into_an_arena_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
