#include "base/why.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void each_caller_puts_its_words_in_front(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_int_equal(why_errno(&why, E_IO, ENOSPC, "write %s", "spool.db-wal"), E_IO);
	assert_int_equal(why_add(&why, "commit"), E_IO);
	assert_int_equal(why_add(&why, "store %s/%s", "webhook", "example"), E_IO);
	assert_string_equal(why.text, "store webhook/example: commit: write spool.db-wal: No space left on device");
	assert_int_equal(why.err, E_IO);
}

static void a_new_story_replaces_the_old_one(void **state)
{
	struct why why = { 0 };

	(void)state;
	why_set(&why, E_IO, "a long first story");
	assert_int_equal(why_set(&why, E_FULL, "second"), E_FULL);
	assert_string_equal(why.text, "second");
	assert_int_equal(why.err, E_FULL);
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(why_set(NULL, E_FULL, "x"), E_FULL);
	assert_int_equal(why_errno(NULL, E_IO, ENOENT, "x"), E_IO);
	assert_int_equal(why_add(NULL, "x"), E_INTERNAL);
}

static void a_failure_without_a_story_stays_a_failure(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_int_equal(why_add(&why, "open"), E_INTERNAL);
	assert_string_equal(why.text, "open: failed without a reason");
}

static void a_long_story_is_cut_and_terminated(void **state)
{
	struct why why = { 0 };
	char word[600];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	why_set(&why, E_IO, "%s", word);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	why_errno(&why, E_IO, ENOENT, "%s", word);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	why_set(&why, E_IO, "%.470s", word);
	why_add(&why, "%.20s", "bbbbbbbbbbbbbbbbbbbbb");
	assert_true(strlen(why.text) < sizeof(why.text));
	assert_int_equal(strncmp(why.text, "bbbbbbbbbbbbbbbbbbbb: aaa", 25), 0);
	why_add(&why, "%s", word);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void an_error_without_a_story_speaks_for_itself(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_string_equal(why_text(&why, E_NOMEM), "out of memory");
	why_set(&why, E_NOMEM, "no room for 7 rows");
	assert_string_equal(why_text(&why, E_NOMEM), "no room for 7 rows");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_caller_puts_its_words_in_front),
		cmocka_unit_test(a_new_story_replaces_the_old_one),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(a_failure_without_a_story_stays_a_failure),
		cmocka_unit_test(a_long_story_is_cut_and_terminated),
		cmocka_unit_test(an_error_without_a_story_speaks_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
