#include "config/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static void problems_stand_in_the_order_of_files_and_lines(void **state)
{
	struct problems p = { 0 };
	struct buf text = { 0 };

	(void)state;
	problem_in(&p, "b.yaml", 7, NULL, "third");
	problem_in(&p, "a.yaml", 9, NULL, "fifth");
	problem_in(&p, "b.yaml", 2, "do it", "first");
	problem_in(&p, "b.yaml", 2, NULL, "second");
	problem_in(&p, "a.yaml", 0, NULL, "fourth");
	problems_write(&p, &text);
	assert_string_equal(buf_cstr(&text), "b.yaml:2: first (do it)\n"
					     "b.yaml:2: second\n"
					     "b.yaml:7: third\n"
					     "a.yaml: fourth\n"
					     "a.yaml:9: fifth\n");
	assert_int_equal(p.errors, 5);
	assert_true(problems_fatal(&p));
	buf_release(&text);
	problems_release(&p);
	assert_false(problems_fatal(&p));
}

static void what_a_terminal_could_obey_is_shown_as_a_question_mark(void **state)
{
	struct problems p = { 0 };
	struct buf text = { 0 };

	(void)state;
	problem_in(&p, "a.yaml", 1, "fix\r", "bad \x1b[2J\n\x7f word");
	problems_write(&p, &text);
	assert_string_equal(buf_cstr(&text), "a.yaml:1: bad ?[2J?? word (fix?)\n");
	buf_release(&text);
	problems_release(&p);
}

static void of_more_than_a_hundred_only_the_number_is_kept(void **state)
{
	struct problems p = { 0 };
	struct buf text = { 0 };
	size_t lines = 0;

	(void)state;
	for (unsigned i = 0; i < PROBLEMS_MAX + 3; i++)
		problem_in(&p, "a.yaml", 1, NULL, "again");
	problems_write(&p, &text);
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	assert_int_equal(lines, PROBLEMS_MAX + 1);
	assert_true(str_ends(buf_view(&text), STR("\nand 3 more\n")));
	assert_int_equal(p.errors, PROBLEMS_MAX + 3);
	buf_release(&text);
	problems_release(&p);
}

static void a_problem_without_memory_is_still_fatal(void **state)
{
	(void)state;
	for (long n = 1; n <= 5; n++) { /* the problem and its four texts */
		struct problems p = { 0 };

		mem_fail_at(n);
		problem_in(&p, "a.yaml", 1, "fix", "text");
		assert_true(mem_count() >= n);
		mem_fail_at(0);
		assert_true(p.lost);
		assert_true(problems_fatal(&p));
		assert_null(p.first);
		problems_release(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_stand_in_the_order_of_files_and_lines),
		cmocka_unit_test(what_a_terminal_could_obey_is_shown_as_a_question_mark),
		cmocka_unit_test(of_more_than_a_hundred_only_the_number_is_kept),
		cmocka_unit_test(a_problem_without_memory_is_still_fatal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
