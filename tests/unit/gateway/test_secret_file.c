#include "gateway/secret_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static char path[] = "/tmp/test_secret_file.XXXXXX";

/* The wall clock is this test's. */
static int64_t ahead_ms;

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);

int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + ahead_ms;
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void begin(struct secret_file *s, const char *text, uint64_t overlap_ms)
{
	put(text);
	secret_file_init(s, path);
	s->overlap_ms = overlap_ms;
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
	secret_file_init(&s, "/proc/self/mem"); /* can be opened, but not read at its beginning */
	assert_int_equal(secret_file_check(&s, STR(""), 1), E_IO);
	secret_file_release(&s);
}

/* As the kubelet does: another file in its place. */
static void rotate(const char *text)
{
	assert_int_equal(unlink(path), 0);
	put(text);
}

static void old_and_new_are_right_until_the_overlap_is_over(void **state)
{
	struct secret_file s;

	(void)state;
	begin(&s, "old", /* overlap_ms= */ 5000);
	secret_file_look(&s, 10000);
	rotate("newer");
	ahead_ms = -60000; /* it has changed just now, or will have */
	assert_int_equal(secret_file_check(&s, STR("newer"), 11000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 11000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("older"), 15999), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR("old"), 15999), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 16000), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR("newer"), 16000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 20000), E_UNAUTHENTICATED);
	assert_int_equal(s.before.n, 0); /* wiped */
	secret_file_release(&s);
	ahead_ms = 0;
}

/* Whatever its time of change says, as long as the old one was read it was valid. */
static void the_overlap_begins_when_the_old_one_was_seen_last_at_the_earliest(void **state)
{
	struct secret_file s;

	(void)state;
	begin(&s, "old", /* overlap_ms= */ 5000);
	secret_file_look(&s, 10000);
	secret_file_look(&s, 20000);
	rotate("newer");
	ahead_ms = 60000; /* a minute ago */
	assert_int_equal(secret_file_check(&s, STR("old"), 21000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 24999), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 25000), E_UNAUTHENTICATED);
	secret_file_release(&s);
	ahead_ms = 0;
}

static void only_the_secret_before_is_kept(void **state)
{
	struct secret_file s;

	(void)state;
	begin(&s, "one", /* overlap_ms= */ 60000);
	secret_file_look(&s, 1000);
	rotate("second");
	secret_file_look(&s, 2000);
	rotate("third!!");
	assert_int_equal(secret_file_check(&s, STR("one"), 3000), E_UNAUTHENTICATED);
	assert_int_equal(secret_file_check(&s, STR("second"), 3000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("third!!"), 3000), E_OK);
	secret_file_release(&s);
}

/* An editor empties the file, then writes it. */
static void a_file_that_was_empty_in_between_still_overlaps(void **state)
{
	struct secret_file s;

	(void)state;
	begin(&s, "old", /* overlap_ms= */ 60000);
	secret_file_look(&s, 1000);
	put("");
	assert_int_equal(secret_file_check(&s, STR("old"), 2000), E_IO);
	put("newer");
	assert_int_equal(secret_file_check(&s, STR("newer"), 3000), E_OK);
	assert_int_equal(secret_file_check(&s, STR("old"), 3000), E_OK);
	secret_file_release(&s);
}

static void the_same_secret_in_a_new_file_is_no_change(void **state)
{
	struct secret_file s;

	(void)state;
	begin(&s, "same", /* overlap_ms= */ 60000);
	secret_file_look(&s, 1000);
	rotate("same\n");
	secret_file_look(&s, 2000);
	assert_int_equal(s.before.n, 0);
	assert_int_equal(secret_file_check(&s, STR("same"), 2000), E_OK);
	secret_file_release(&s);
}

static void a_new_one_goes_on_with_what_the_old_one_knows(void **state)
{
	struct secret_file first, second;

	(void)state;
	begin(&first, "old", /* overlap_ms= */ 60000);
	secret_file_look(&first, 1000);
	rotate("newer");
	secret_file_look(&first, 2000);
	secret_file_init(&second, path);
	second.overlap_ms = 60000;
	secret_file_look(&second, 3000);
	assert_int_equal(secret_file_check(&second, STR("old"), 3000), E_UNAUTHENTICATED);
	secret_file_inherit(&second, &first);
	assert_int_equal(secret_file_check(&second, STR("old"), 3000), E_OK);
	assert_int_equal(secret_file_check(&second, STR("newer"), 3000), E_OK);
	secret_file_release(&first);
	assert_int_equal(secret_file_check(&second, STR("old"), 4000), E_OK);
	secret_file_release(&second);
}

/* It was looked at a moment ago: a reload is no reason to read the file again. */
static void a_new_one_looks_when_the_old_one_would_have(void **state)
{
	struct secret_file first, second;

	(void)state;
	put("old");
	secret_file_init(&first, path);
	secret_file_look(&first, 5000);
	rotate("newer");
	secret_file_init(&second, path);
	secret_file_inherit(&second, &first);
	secret_file_release(&first);
	assert_int_equal(secret_file_check(&second, STR("old"), 5999), E_OK);
	assert_int_equal(secret_file_check(&second, STR("newer"), 6000), E_OK);
	secret_file_release(&second);
}

/* Not with half of what the old one knew, and above all not with an empty secret. */
static void a_new_one_that_could_inherit_nothing_reads_for_itself(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct secret_file first, second;

		begin(&first, "old", /* overlap_ms= */ 60000);
		secret_file_look(&first, 1000);
		rotate("newer");
		secret_file_look(&first, 2000);
		secret_file_init(&second, path);
		second.overlap_ms = 60000;
		secret_file_look(&second, 2000);
		mem_fail_at(++n);
		secret_file_inherit(&second, &first);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(secret_file_check(&second, STR(""), 2000), E_UNAUTHENTICATED);
		assert_int_equal(secret_file_check(&second, STR("newer"), 2000), E_OK);
		assert_int_equal(secret_file_check(&second, STR("old"), 2000), n > count ? E_OK : E_UNAUTHENTICATED);
		secret_file_release(&first);
		secret_file_release(&second);
	} while (n <= count);
	assert_true(n > 1);
}

static enum err count_calls(void *ctx, struct str secret)
{
	(void)secret;
	(*(int *)ctx)++;
	return E_NOMEM;
}

static void another_error_than_a_wrong_one_ends_the_search(void **state)
{
	struct secret_file s;
	int calls = 0;

	(void)state;
	begin(&s, "old", /* overlap_ms= */ 60000);
	secret_file_look(&s, 1000);
	rotate("newer");
	assert_int_equal(secret_file_match(&s, 2000, count_calls, &calls), E_NOMEM);
	assert_int_equal(calls, 1);
	secret_file_release(&s);
}

/* Whatever allocation fails, nobody gets in, and the next look is as if nothing had been. */
static void without_memory_nobody_gets_in(void **state)
{
	(void)state;
	for (long n = 1;; n++) {
		struct secret_file s;
		enum err err;
		long count;

		put("secret");
		secret_file_init(&s, path);
		mem_fail_at(n);
		err = secret_file_check(&s, STR("secret"), 1000);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(err, count < n ? E_OK : E_NOMEM);
		assert_int_equal(secret_file_check(&s, STR("secret"), 2000), E_OK);
		secret_file_release(&s);
		if (count < n)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_without_one_newline_is_the_secret),
		cmocka_unit_test(a_changed_file_counts_after_a_second),
		cmocka_unit_test(an_empty_missing_or_huge_secret_lets_nobody_in),
		cmocka_unit_test(old_and_new_are_right_until_the_overlap_is_over),
		cmocka_unit_test(the_overlap_begins_when_the_old_one_was_seen_last_at_the_earliest),
		cmocka_unit_test(only_the_secret_before_is_kept),
		cmocka_unit_test(a_file_that_was_empty_in_between_still_overlaps),
		cmocka_unit_test(the_same_secret_in_a_new_file_is_no_change),
		cmocka_unit_test(a_new_one_goes_on_with_what_the_old_one_knows),
		cmocka_unit_test(a_new_one_looks_when_the_old_one_would_have),
		cmocka_unit_test(a_new_one_that_could_inherit_nothing_reads_for_itself),
		cmocka_unit_test(another_error_than_a_wrong_one_ends_the_search),
		cmocka_unit_test(without_memory_nobody_gets_in),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
