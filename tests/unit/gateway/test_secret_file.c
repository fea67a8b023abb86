#include "gateway/secret_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_secret_file.XXXXXX";

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void the_content_without_one_newline_is_the_secret(void **state)
{
	struct secret_file s;

	(void)state;
	put("s3cret\n");
	secret_file_init(&s, path);
	assert_int_equal(secret_file_check(&s, STR("s3cret"), 1), E_OK);
	assert_int_equal(secret_file_check(&s, STR("s3cret\n"), 1), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR("s3cre"), 1), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR(""), 1), E_UNAUTHENTICATED);
	secret_file_release(&s);
}

static void a_changed_file_counts_after_a_second(void **state)
{
	struct secret_file s;

	(void)state;
	put("old");
	secret_file_init(&s, path);
	assert_int_equal(secret_file_check(&s, STR("old"), 5000), E_OK);
	put("newer");
	assert_int_equal(secret_file_check(&s, STR("old"), 5999), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 6000), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR("newer"), 6000), E_OK);
	secret_file_release(&s);
}

static void an_empty_missing_or_huge_secret_lets_nobody_in(void **state)
{
	struct secret_file s;

	(void)state;
	put("");
	secret_file_init(&s, path);
	assert_int_equal(secret_file_check(&s, STR(""), 1), E_IO);
	put("\n");
	assert_int_equal(secret_file_check(&s, STR(""), 2000), E_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(secret_file_check(&s, STR("x"), 4000), E_IO);
	put("back");
	assert_int_equal(secret_file_check(&s, STR("back"), 6000), E_OK);
	assert_int_equal(truncate(path, 65537), 0);
	assert_int_equal(secret_file_check(&s, STR("back"), 8000), E_IO);
	secret_file_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_without_one_newline_is_the_secret),
		cmocka_unit_test(a_changed_file_counts_after_a_second),
		cmocka_unit_test(an_empty_missing_or_huge_secret_lets_nobody_in),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
