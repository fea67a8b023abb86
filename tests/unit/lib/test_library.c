/* holdfast.h: version, errors and their texts, the log. */
#include "holdfast/holdfast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
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
	for (int a = HF_OK; a <= HF_BAD_ARGUMENT; a++) {
		assert_string_not_equal(hf_strerror((enum hf_error)a), "unknown error");
		for (int b = HF_OK; b < a; b++)
			assert_string_not_equal(hf_strerror((enum hf_error)a), hf_strerror((enum hf_error)b));
	}
	assert_string_equal(hf_strerror((enum hf_error)(HF_BAD_ARGUMENT + 1)), "unknown error");
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
	assert_int_equal(lib_misuse(NULL, "x"), HF_BAD_ARGUMENT);
}

static void the_log_goes_where_it_is_told_once(void **state)
{
	char line[256] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	hf_log_to(fds[1]);
	hf_log_to(-1); /* too late: the first word counts */
	log_info("test", "one thing");
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "\"msg\":\"one thing\""));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_of_ours_has_a_public_number),
		cmocka_unit_test(every_public_error_has_its_own_text),
		cmocka_unit_test(the_version_is_that_of_the_headers),
		cmocka_unit_test(the_story_reaches_the_caller_who_wants_it),
		cmocka_unit_test(the_log_goes_where_it_is_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
