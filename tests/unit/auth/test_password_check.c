#include "auth/passwords.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

#define LINE "one:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n" /* U*U */

struct answer {
	struct loop *loop;
	enum err result;
	unsigned calls;
	unsigned *left; /* the loop stops at 0 */
};

static struct loop loop;
static struct passwords *passwords;

static int begin(void **state)
{
	struct problems problems = { 0 };

	(void)state;
	return loop_init(&loop, NULL) == E_OK &&
			       passwords_open(scratch_file("users", LINE), &problems, &passwords) == E_OK
		       ? 0
		       : 1;
}

static int end(void **state)
{
	(void)state;
	passwords_free(passwords);
	return 0;
}

static void on_checked(void *ctx, enum err result)
{
	struct answer *a = ctx;

	a->result = result;
	a->calls++;
	if (--*a->left == 0)
		loop_stop(&loop);
}

static void answers_come_once_and_in_the_loop(void **state)
{
	static const struct {
		const char *name, *password;
		enum err err;
	} rows[] = {
		{ "one", "U*U", E_OK },
		{ "one", "U*", E_UNAUTHENTICATED },
		{ "none", "U*U", E_UNAUTHENTICATED },
		{ "No Label", "U*U", E_UNAUTHENTICATED },
		{ "", "", E_UNAUTHENTICATED },
	};
	unsigned left = ARRAY_LEN(rows);
	struct answer answers[ARRAY_LEN(rows)] = { 0 };
	struct work_pool *pool;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(2, 16, NULL, &pool));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answers[i].left = &left;
		assert_int_equal(E_OK, passwords_check_start(passwords, pool, &loop, str_of(rows[i].name),
							     str_of(rows[i].password), on_checked, &answers[i]));
		assert_int_equal(0, answers[i].calls);
	}
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(1, answers[i].calls);
		assert_int_equal(rows[i].err, answers[i].result);
	}
}

/* A pool whose queue takes nothing: what is answered was not computed. */
static void what_was_right_needs_no_worker_again(void **state)
{
	unsigned left = 1;
	struct answer a = { .left = &left };
	struct work_pool *pool;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(1, 0, NULL, &pool));
	assert_int_equal(E_BUSY, passwords_check_start(passwords, pool, &loop, STR("one"), STR("U*U"), on_checked, &a));
	passwords_remember(passwords, STR("one"), STR("U*U"), loop.now_ms);
	assert_int_equal(E_BUSY, passwords_check_start(passwords, pool, &loop, STR("one"), STR("x"), on_checked, &a));
	assert_int_equal(E_OK, passwords_check_start(passwords, pool, &loop, STR("one"), STR("U*U"), on_checked, &a));
	assert_int_equal(0, a.calls);
	loop_run(&loop);
	assert_int_equal(1, a.calls);
	assert_int_equal(E_OK, a.result);
	work_pool_free(pool);
	loop_release(&loop);
}

static void checks_go_on_while_the_file_is_read_again(void **state)
{
	static struct answer answers[40];
	struct problems problems = { 0 };
	unsigned left = ARRAY_LEN(answers);
	struct work_pool *pool;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(3, 64, NULL, &pool));
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		answers[i].left = &left;
		assert_int_equal(E_OK, passwords_check_start(passwords, pool, &loop, STR("one"),
							     i % 2 ? STR("U*U") : STR("U*"), on_checked, &answers[i]));
		assert_int_equal(E_OK, passwords_reload(passwords, &problems));
	}
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		assert_int_equal(i % 2 ? E_OK : E_UNAUTHENTICATED, answers[i].result);
}

static void a_failing_allocation_is_an_error_or_an_answer(void **state)
{
	struct work_pool *pool;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(1, 16, NULL, &pool));
	for (long n = 1; n <= 2; n++) {
		struct answer a = { 0 };

		mem_fail_at(n);
		assert_int_equal(E_NOMEM,
				 passwords_check_start(passwords, pool, &loop, STR("one"), STR("U*U"), on_checked, &a));
		mem_fail_at(0);
		assert_int_equal(0, a.calls);
	}
	work_pool_free(pool);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_come_once_and_in_the_loop, begin, end),
		cmocka_unit_test_setup_teardown(what_was_right_needs_no_worker_again, begin, end),
		cmocka_unit_test_setup_teardown(checks_go_on_while_the_file_is_read_again, begin, end),
		cmocka_unit_test_setup_teardown(a_failing_allocation_is_an_error_or_an_answer, begin, end),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
