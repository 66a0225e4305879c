#include "store/support.h"

#include "store/internal.h"

static void every_code_has_its_kind(void **state)
{
	(void)state;
	for (int code = ENGENHO_OK; code <= ENGENHO_BUSY; code++) {
		const char *kind = engenho_code_kind((engenho_code)code);

		assert_non_null(kind);
		for (int other = ENGENHO_OK; other < code; other++)
			assert_string_not_equal(kind, engenho_code_kind((engenho_code)other));
	}
	assert_string_equal(engenho_code_kind(ENGENHO_NOT_FOUND), "not_found");
	assert_string_equal(engenho_code_kind((engenho_code)1000), "internal");
}

static void every_status_has_its_code(void **state)
{
	/* Those that a library without users and connections never gives. */
	static const int never[] = {ES_EINTERNAL,
				    ES_EMEMBER_NOT_FOUND,
				    ES_EPEER_URL_EXIST,
				    ES_EBAD_LEADER_TRANSFEREE,
				    ES_EAUTH_NOT_ENABLED,
				    ES_EMEMBER_BAD_URLS,
				    ES_EMEMBER_NOT_LEARNER,
				    ES_EUSER_EMPTY,
				    ES_EUSER_NOT_FOUND,
				    ES_EROLE_EMPTY,
				    ES_EROLE_NOT_FOUND,
				    ES_EROOT_USER_NOT_EXIST,
				    ES_EPERMISSION_NOT_GIVEN,
				    ES_EINVALID_AUTH_MGMT};
	static const int all[] = {
#define X(name, number, grpc, text) (number),
		ES_STATUS_MAP(X)
#undef X
	};

	(void)state;
	assert_int_equal(es_store_code(0), ENGENHO_OK);
	for (size_t i = 0; i < ES_ARRAY_LEN(all); i++) {
		bool expected = true;

		for (size_t n = 0; n < ES_ARRAY_LEN(never); n++)
			expected = expected && all[i] != never[n];
		assert_int_equal(es_store_code(all[i]) != ENGENHO_INTERNAL, expected);
	}
	assert_int_equal(es_store_code(-12345), ENGENHO_INTERNAL);
}

static void texts_are_for_people(void **state)
{
	engenho_error error;

	(void)state;
	assert_int_equal(es_store_fail(&error, ES_ENO_LEADER, NULL), ENGENHO_UNAVAILABLE);
	assert_string_equal(error.message, "no leader");
	assert_string_equal(error.kind, "unavailable");
	assert_int_equal(es_store_fail(&error, ES_EINVAL, "the key"), ENGENHO_INVALID);
	assert_string_equal(error.message, "the key");
	assert_int_equal(es_store_fail(NULL, ES_EIO, NULL), ENGENHO_IO);
	/* Whoever passes it on. */
	assert_int_equal(es_store_fail(&error, ES_ETOO_LARGE, es_status_text(ES_ETOO_LARGE)),
			 ENGENHO_TOO_LARGE);
	assert_string_equal(error.message, "request is too large");
	assert_int_equal(es_store_fail(&error, ES_ECOMPACTED, NULL), ENGENHO_COMPACTED);
	assert_string_equal(error.message, "required revision has been compacted");
	assert_int_equal(es_store_fail(&error, ES_EINVAL, "a: b"), ENGENHO_INVALID);
	assert_string_equal(error.message, "a: b");
}

static void the_version_is_the_builds(void **state)
{
	(void)state;
	assert_int_equal(engenho_version()[0] >= '0' && engenho_version()[0] <= '9', 1);
	assert_non_null(strchr(engenho_version(), '.'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_kind),
		cmocka_unit_test(every_status_has_its_code),
		cmocka_unit_test(texts_are_for_people),
		cmocka_unit_test(the_version_is_the_builds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
