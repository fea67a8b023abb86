#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void fresh_memory_is_zeroed_even_when_none_is_asked_for(void **state)
{
	static const char zeros[1000];
	char *p = mem_alloc(sizeof(zeros)), *q = mem_array(10, 100), *none = mem_alloc(0), *nothing = mem_array(0, 8);

	(void)state;
	assert_memory_equal(p, zeros, sizeof(zeros));
	assert_memory_equal(q, zeros, sizeof(zeros));
	assert_non_null(none);
	assert_non_null(nothing);
	mem_free(p);
	mem_free(q);
	mem_free(none);
	mem_free(nothing);
	mem_free(NULL);
}

static void an_array_too_large_to_count_is_refused(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;

	(void)state;
	assert_null(mem_array(huge, 4));
}

static void a_copy_is_terminated(void **state)
{
	char *p = mem_dup("abc", 2), *empty = mem_dup(NULL, 0);

	(void)state;
	assert_string_equal(p, "ab");
	assert_string_equal(empty, "");
	mem_free(p);
	mem_free(empty);
}

static void growing_keeps_what_was_there_also_when_it_fails(void **state)
{
	char *p = mem_dup("abc", 3), *q;

	(void)state;
	mem_fail_at(1);
	assert_null(mem_realloc(p, 4096));
	mem_fail_at(0);
	assert_string_equal(p, "abc");
	q = mem_realloc(p, 4096);
	assert_string_equal(q, "abc");
	mem_free(q);
}

/* Four kinds of allocation; true when all succeeded. */
static int allocate_all(void)
{
	void *p[] = { mem_alloc(1), mem_array(1, 1), mem_dup("x", 1), mem_realloc(NULL, 1) };
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		failed += p[i] == NULL;
		mem_free(p[i]);
	}
	return failed;
}

static void exactly_the_nth_allocation_fails_once(void **state)
{
	(void)state;
	for (long n = 1; n <= 4; n++) {
		mem_fail_at(n);
		assert_int_equal(allocate_all(), 1);
		assert_int_equal(mem_count(), 4);
		assert_int_equal(allocate_all(), 0);
		assert_int_equal(mem_count(), 8);
	}
	mem_fail_at(0);
	assert_int_equal(allocate_all(), 0);
	assert_int_equal(mem_count(), 4);
}

static int freed;

static void count_free(int *p)
{
	freed += p != NULL;
	mem_free(p);
}

DEFINE_FREEP(counted, int, count_free)

static int *leave_scope(int hand_over)
{
	CLEANUP(counted_freep) int *p = mem_alloc(sizeof(*p));

	return hand_over ? TAKE(p) : NULL;
}

static void a_local_is_freed_unless_it_is_taken(void **state)
{
	int *p;

	(void)state;
	freed = 0;
	assert_null(leave_scope(0));
	assert_int_equal(freed, 1);
	p = leave_scope(1);
	assert_int_equal(freed, 1);
	assert_non_null(p);
	mem_freep(&p);
}

static void the_container_of_a_member_is_found(void **state)
{
	struct outer {
		int a;
		char member;
	} outer;

	(void)state;
	assert_ptr_equal(CONTAINER_OF(&outer.member, struct outer, member), &outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_memory_is_zeroed_even_when_none_is_asked_for),
		cmocka_unit_test(an_array_too_large_to_count_is_refused),
		cmocka_unit_test(a_copy_is_terminated),
		cmocka_unit_test(growing_keeps_what_was_there_also_when_it_fails),
		cmocka_unit_test(exactly_the_nth_allocation_fails_once),
		cmocka_unit_test(a_local_is_freed_unless_it_is_taken),
		cmocka_unit_test(the_container_of_a_member_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
