#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "member/member.h"

/* A folder, and members that are opened from it with a configuration of the usual kind. */
struct fixture {
	char folder[64];
	struct es_arena arena;
	struct es_config config;
	uv_loop_t loop;
	struct es_member_parts member;
	bool ready, closed;
};

static void on_ready(void *ctx)
{
	((struct fixture *)ctx)->ready = true;
}

static void on_failed(void *ctx, int status, const char *message)
{
	(void)ctx;
	(void)status;
	fail_msg("the member failed: %s", message);
}

static void on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/es-member-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	es_arena_init(&f->arena, es_mem_default(), 8192);
	*state = f;
	return 0;
}

static void remove_folder(const char *folder)
{
	char command[128];
	int rc;

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	rc = system(command);
	assert_int_equal(rc, 0);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	es_arena_close(&f->arena);
	remove_folder(f->folder);
	free(f);
	return 0;
}

static int claim(struct fixture *f, const char *name, char *errmsg, size_t errmsg_size)
{
	struct es_flags *flags;

	assert_int_equal(es_flags_new(&f->arena, &flags), 0);
	assert_int_equal(es_flags_set(flags, "data-dir", f->folder, "", errmsg, errmsg_size), 0);
	assert_int_equal(es_flags_set(flags, "name", name, "", errmsg, errmsg_size), 0);
	assert_int_equal(es_config_load(flags, &f->arena, &f->config, errmsg, errmsg_size), 0);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->ready = false;
	f->closed = false;
	f->member = (struct es_member_parts){
		.config = &f->config,
		.mem = es_mem_default(),
		.env = es_env_system(),
		.loop = &f->loop,
		.written_by = "test 1",
		.failed = on_failed,
		.ready = on_ready,
		.ctx = f,
	};
	return es_member_claim(&f->member, errmsg, errmsg_size);
}

static void release(struct fixture *f)
{
	es_member_close(&f->member, on_closed, f);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	es_member_release(&f->member);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void open_and_run(struct fixture *f)
{
	static const char *const urls[] = {NULL};
	char errmsg[512];
	int rc = es_member_open(&f->member, urls, errmsg, sizeof(errmsg));

	if (rc < 0)
		fail_msg("%s", errmsg);
	while (!f->ready)
		(void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void a_member_keeps_its_identity(void **state)
{
	struct fixture *f = *state;
	struct es_cluster_ids ids;
	char errmsg[512];

	assert_int_equal(claim(f, "one", errmsg, sizeof(errmsg)), 0);
	ids = f->member.ids;
	assert_true(ids.cluster_id != 0 && ids.member_id != 0);
	open_and_run(f);
	assert_int_equal(es_engine_header(f->member.engine).cluster_id, ids.cluster_id);
	release(f);
	/* Another name is another member only in a new folder. */
	assert_int_equal(claim(f, "two", errmsg, sizeof(errmsg)), 0);
	assert_int_equal(f->member.ids.cluster_id, ids.cluster_id);
	assert_int_equal(f->member.ids.member_id, ids.member_id);
	open_and_run(f);
	release(f);
}

static void a_claim_alone_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	char errmsg[512];

	assert_int_equal(claim(f, "one", errmsg, sizeof(errmsg)), 0);
	release(f);
	assert_int_equal(rmdir(f->folder), 0);
}

static void a_folder_has_one_owner(void **state)
{
	struct fixture *f = *state;
	struct fixture other = {.folder = ""};
	char errmsg[512] = "";

	assert_int_equal(claim(f, "one", errmsg, sizeof(errmsg)), 0);
	memcpy(other.folder, f->folder, sizeof(other.folder));
	es_arena_init(&other.arena, es_mem_default(), 8192);
	assert_int_equal(claim(&other, "one", errmsg, sizeof(errmsg)), ES_EBUSY);
	assert_non_null(strstr(errmsg, f->folder));
	release(&other);
	es_arena_close(&other.arena);
	release(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_member_keeps_its_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_alone_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_has_one_owner, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
