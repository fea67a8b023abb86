#include "auth/blocklist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

#define A        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B        "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define B_COLONS "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF"

static void listed_certificates_are_on_it(void **state)
{
	struct problems problems = { 0 };
	struct blocklist *b;

	(void)state;
	assert_int_equal(E_OK, blocklist_open(scratch_file("list", "# stolen\n" A "\n\n  " B_COLONS "\r\n" A), NULL,
					      &problems, &b));
	assert_int_equal(2, blocklist_count(b));
	assert_true(blocklist_has(b, A));
	assert_true(blocklist_has(b, B));
	assert_false(blocklist_has(b, "BBBB"));
	assert_false(blocklist_has(b, ""));
	assert_false(blocklist_has(NULL, A));
	assert_int_equal(0, blocklist_count(NULL));
	blocklist_free(b);
}

static void each_bad_line_is_reported_and_the_old_list_stays(void **state)
{
	const char *path = scratch_file("list", A "\n");
	struct problems problems = { 0 };
	struct blocklist *b;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(E_OK, blocklist_open(path, NULL, &problems, &b));
	(void)scratch_file("list", "abc\n" B "\n" B "0\n01:2:3\n:" B "\n");
	assert_int_equal(E_CONFIG, blocklist_reload(b, &problems));
	assert_int_equal(4, problems.errors);
	problems_write(&problems, &text);
	assert_non_null(strstr(buf_cstr(&text), "list:1: "));
	assert_non_null(strstr(buf_cstr(&text), "list:3: "));
	assert_true(blocklist_has(b, A));
	assert_false(blocklist_has(b, B));
	(void)scratch_file("list", B "\n");
	assert_int_equal(E_OK, blocklist_reload(b, &problems));
	assert_false(blocklist_has(b, A));
	assert_true(blocklist_has(b, B));
	blocklist_free(b);
	problems_release(&problems);
	buf_release(&text);
}

static void a_text_is_a_list_as_well_and_is_read_anew(void **state)
{
	struct problems problems = { 0 };
	struct buf text = { 0 };
	struct blocklist *b;

	(void)state;
	buf_str(&text, (struct str)STR(A "\n"));
	assert_int_equal(E_OK, blocklist_open("a ConfigMap", &text, &problems, &b));
	assert_true(blocklist_has(b, A));
	buf_str(&text, (struct str)STR("nothing\n"));
	assert_int_equal(E_CONFIG, blocklist_reload(b, &problems));
	assert_string_equal("a ConfigMap", problems.first->file);
	assert_true(blocklist_has(b, A));
	buf_clear(&text);
	assert_int_equal(E_OK, blocklist_reload(b, &problems));
	assert_int_equal(0, blocklist_count(b));
	blocklist_free(b);
	problems_release(&problems);
	buf_release(&text);
}

static void a_missing_file_is_an_error(void **state)
{
	struct problems problems = { 0 };
	struct blocklist *b;

	(void)state;
	assert_int_equal(E_CONFIG, blocklist_open(scratch_path("none"), NULL, &problems, &b));
	assert_int_equal(1, problems.errors);
	problems_release(&problems);
}

static void a_failing_allocation_is_an_error(void **state)
{
	const char *path = scratch_file("list", A "\n" B "\n");
	struct blocklist *b;
	long n = 1;
	enum err err;

	(void)state;
	do {
		struct problems problems = { 0 };

		mem_fail_at(n++);
		err = blocklist_open(path, NULL, &problems, &b);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		problems_release(&problems);
	} while (err != E_OK);
	assert_true(n > 4);
	blocklist_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listed_certificates_are_on_it),
		cmocka_unit_test(each_bad_line_is_reported_and_the_old_list_stays),
		cmocka_unit_test(a_text_is_a_list_as_well_and_is_read_anew),
		cmocka_unit_test(a_missing_file_is_an_error),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
