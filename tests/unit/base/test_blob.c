/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/blob.h"

static void one_copy_lives_until_its_last_holder_lets_go(void **state)
{
	char text[] = "bytes";
	struct blob *b = blob_new(str_of(text));

	(void)state;
	assert_non_null(b);
	text[0] = 'X';
	assert_true(str_is(blob_view(b), "bytes"));
	assert_ptr_equal(blob_ref(b), b);
	blob_unref(b);
	assert_true(str_is(blob_view(b), "bytes"));
	blob_unref(b);
}

static void nothing_is_a_blob_too(void **state)
{
	CLEANUP(blob_unref_freep) struct blob *b = blob_new((struct str){ 0 });

	(void)state;
	assert_non_null(b);
	assert_int_equal(blob_view(b).n, 0);
	assert_null(blob_ref(NULL));
	assert_int_equal(blob_view(NULL).n, 0);
	blob_unref(NULL);
}

static void a_failed_allocation_is_reported(void **state)
{
	(void)state;
	mem_fail_at(1);
	assert_null(blob_new(STR("x")));
	mem_fail_at(0);
	assert_null(blob_new((struct str){ "", SIZE_MAX }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_copy_lives_until_its_last_holder_lets_go),
		cmocka_unit_test(nothing_is_a_blob_too),
		cmocka_unit_test(a_failed_allocation_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
