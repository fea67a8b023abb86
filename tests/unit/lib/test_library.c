/* holdfast.h: version, errors and their texts, the log. */
#include "holdfast/holdfast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/lib.h"

static void every_error_of_ours_has_a_public_number(void **state)
{
	(void)state;
	assert_int_equal(lib_error(E_OK), HF_OK);
	for (int e = E_OK + 1; e < ERR_COUNT; e++)
		assert_int_not_equal(lib_error((enum err)e), HF_OK);
}

static void every_public_error_has_its_own_text(void **state)
{
	(void)state;
	for (int a = HF_OK; a <= HF_DENIED; a++) {
		assert_string_not_equal(hf_strerror((enum hf_error)a), "unknown error");
		for (int b = HF_OK; b < a; b++)
			assert_string_not_equal(hf_strerror((enum hf_error)a), hf_strerror((enum hf_error)b));
	}
	assert_string_equal(hf_strerror((enum hf_error)(HF_DENIED + 1)), "unknown error");
	assert_string_equal(hf_strerror((enum hf_error) - 1), "unknown error");
}

static void the_version_is_that_of_the_headers(void **state)
{
	(void)state;
	assert_string_equal(hf_version(), HOLDFAST_VERSION); /* the build's, from meson.build */
}

static void the_story_reaches_the_caller_who_wants_it(void **state)
{
	struct why why = { 0 };
	struct hf_why got = { 0 };

	(void)state;
	why_set(&why, E_FULL, "append: %s", "no room");
	assert_int_equal(lib_fail(&why, &got), HF_FULL);
	assert_int_equal(got.error, HF_FULL);
	assert_string_equal(got.text, "append: no room");
	assert_int_equal(lib_fail(&why, NULL), HF_FULL);
	why_set(&why, E_FORBIDDEN, "open: Permission denied");
	assert_int_equal(lib_fail(&why, NULL), HF_DENIED);
	assert_int_equal(lib_misuse(NULL, "x"), HF_BAD_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_of_ours_has_a_public_number),
		cmocka_unit_test(every_public_error_has_its_own_text),
		cmocka_unit_test(the_version_is_that_of_the_headers),
		cmocka_unit_test(the_story_reaches_the_caller_who_wants_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
