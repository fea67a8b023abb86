#include "base/err.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_name_is_its_row_in_lower_case(void **state)
{
	static const char *const rows[] = {
#define X(id, name, text, grpc) #id,
		ERRORS(X)
#undef X
	};

	(void)state;
	for (enum err e = 0; e < ERR_COUNT; e++) {
		const char *name = err_name(e);

		assert_int_equal(strlen(name), strlen(rows[e]));
		for (size_t i = 0; name[i]; i++)
			assert_int_equal(name[i], tolower((unsigned char)rows[e][i]));
	}
}

static void every_row_says_text_and_grpc(void **state)
{
	(void)state;
#define X(id, name, text, grpc)                      \
	assert_string_equal(err_text(E_##id), text); \
	assert_int_equal(err_grpc(E_##id), grpc);
	ERRORS(X)
#undef X
}

static void only_ok_is_a_success(void **state)
{
	(void)state;
	assert_int_equal(E_OK, 0);
	for (enum err e = 0; e < ERR_COUNT; e++) {
		assert_int_equal(err_grpc(e) == 0, e == E_OK);
		assert_true(err_grpc(e) <= 16); /* the last gRPC code */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_its_row_in_lower_case),
		cmocka_unit_test(every_row_says_text_and_grpc),
		cmocka_unit_test(only_ok_is_a_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
