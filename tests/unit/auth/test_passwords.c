#include "auth/passwords.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <crypt.h>

#include "auth/files.h"
#include "auth/password_line.h"
#include "base/mem.h"
#include "scratch.h"

/* Test vectors of John the Ripper's and crypt_blowfish's authors. */
#define U1 "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" /* U*U */
#define U2 "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK" /* U*U* */
#define U3 "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a" /* U*U*U */
#define U4 "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define U5 "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

static struct passwords *open_text(const char *text)
{
	struct problems problems = { 0 };
	struct passwords *p = NULL;
	struct buf said = { 0 };

	if (passwords_open(scratch_file("users", text), &problems, &p) != E_OK) {
		problems_write(&problems, &said);
		fail_msg("%s", buf_cstr(&said));
	}
	return p;
}

static void name_and_password_must_belong_together(void **state)
{
	static const struct {
		const char *name, *password;
		enum err err;
	} rows[] = {
		{ "one", "U*U", E_OK },
		{ "two", "U*U*", E_OK },
		{ "three", "U*U*U", E_OK },
		{ "four", "U*U", E_OK },
		{ "five", "U*U", E_OK },
		{ "one", "U*U*", E_UNAUTHENTICATED },
		{ "two", "U*U", E_UNAUTHENTICATED },
		{ "one", "", E_UNAUTHENTICATED },
		{ "", "", E_UNAUTHENTICATED },
		{ "nobody", "U*U", E_UNAUTHENTICATED },
		{ "one ", "U*U", E_UNAUTHENTICATED },
		{ "# one", "U*U", E_UNAUTHENTICATED },
	};
	struct passwords *p = open_text("# one:x\n//two:x\n\none:" U1 "\n  two:" U2 "  \nthree:" U3 "\r\nfour:" U4
					"\nfive:" U5);

	(void)state;
	assert_int_equal(5, passwords_count(p));
	assert_true(passwords_has(p, STR("three")));
	assert_false(passwords_has(p, STR("nobody")));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (passwords_check(p, str_of(rows[i].name), str_of(rows[i].password)) != rows[i].err)
			fail_msg("'%s' with '%s'", rows[i].name, rows[i].password);
	assert_int_equal(E_UNAUTHENTICATED, passwords_check(p, STR("one"), (struct str){ "U*U\0x", 5 }));
	passwords_free(p);
}

/* What bcrypt would not look at may not be wrong either. */
static void a_password_longer_than_bcrypt_reads_is_none(void **state)
{
	char password[74];
	struct buf line = { 0 };
	struct passwords *p;

	(void)state;
	memset(password, 'x', sizeof(password));
	buf_lit(&line, "a:");
	assert_int_equal(
		E_OK, password_hash((struct str){ password, 72 }, 4, (const unsigned char *)"0123456789abcdef", &line));
	assert_int_equal(E_LIMIT, password_hash((struct str){ password, 73 }, 4,
						(const unsigned char *)"0123456789abcdef", &line));
	p = open_text(buf_cstr(&line));
	assert_int_equal(E_OK, passwords_check(p, STR("a"), (struct str){ password, 72 }));
	assert_int_equal(E_UNAUTHENTICATED, passwords_check(p, STR("a"), (struct str){ password, 73 }));
	passwords_free(p);
	buf_release(&line);
}

static void each_bad_line_is_reported_with_its_number(void **state)
{
	static const char text[] = "one:" U1 "\n"                                                       /* good */
				   "nocolon\n"                                                          /* 2 */
				   "Big:" U1 "\n"                                                       /* 3 */
				   ":" U1 "\n"                                                          /* 4 */
				   "two:plain\n"                                                        /* 5 */
				   "two:$1$abc$def\n"                                                   /* 6 */
				   "two:$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n" /* 7 */
				   "two:$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n" /* 8 */
				   "two:$2z$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n" /* 9 */
				   "two:$2a$05$CCCC!CCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n" /* 10 */
				   "one:" U2 "\n"                                                       /* 11 */
				   "two:" U1 "x\n"                                                      /* 12 */
				   "two:" U1 "\n";                                                      /* good */
	struct problems problems = { 0 };
	struct passwords *p = NULL;
	struct buf said = { 0 };
	char line[16];

	(void)state;
	assert_int_equal(E_CONFIG, passwords_open(scratch_file("users", text), &problems, &p));
	assert_null(p);
	assert_int_equal(11, problems.errors);
	problems_write(&problems, &said);
	for (unsigned i = 1; i <= 13; i++) {
		(void)snprintf(line, sizeof(line), "users:%u: ", i);
		assert_int_equal(i != 1 && i != 13, strstr(buf_cstr(&said), line) != NULL);
	}
	assert_null(strstr(buf_cstr(&said), "plain"));
	assert_null(strstr(buf_cstr(&said), "$2a$03"));
	assert_non_null(strstr(buf_cstr(&said), "'one' has a line already: line 1"));
	problems_release(&problems);
	buf_release(&said);
}

static void an_empty_file_is_refused_and_a_comment_lets_nobody_in(void **state)
{
	static const char *const empty[] = { "", "\n", " \n\t\r\n\n" };
	struct passwords *p = open_text("one:" U1 "\n");
	struct problems unsaid = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		struct problems problems = { 0 };
		struct passwords *none = NULL;
		struct buf said = { 0 };

		assert_int_equal(E_CONFIG, passwords_open(scratch_file("users", empty[i]), &problems, &none));
		assert_null(none);
		assert_int_equal(E_CONFIG, passwords_reload(p, &problems));
		assert_true(passwords_has(p, STR("one")));
		problems_write(&problems, &said);
		assert_non_null(strstr(buf_cstr(&said), "the file with the users is empty"));
		assert_non_null(strstr(buf_cstr(&said), "'# nobody'"));
		problems_release(&problems);
		buf_release(&said);
	}
	(void)scratch_file("users", "# nobody\n");
	assert_int_equal(E_OK, passwords_reload(p, &unsaid));
	assert_int_equal(0, passwords_count(p));
	passwords_free(p);
}

static void a_reload_takes_over_all_or_nothing(void **state)
{
	struct passwords *p = open_text("one:" U1 "\n");
	struct problems problems = { 0 };

	(void)state;
	(void)scratch_file("users", "two:" U2 "\nbad\n");
	assert_int_equal(E_CONFIG, passwords_reload(p, &problems));
	assert_true(passwords_has(p, STR("one")));
	assert_false(passwords_has(p, STR("two")));
	(void)scratch_file("users", "two:" U2 "\n");
	assert_int_equal(E_OK, passwords_reload(p, &problems));
	assert_int_equal(E_UNAUTHENTICATED, passwords_check(p, STR("one"), STR("U*U")));
	assert_int_equal(E_OK, passwords_check(p, STR("two"), STR("U*U*")));
	passwords_free(p);
	problems_release(&problems);
}

static void what_was_right_is_remembered_for_a_while(void **state)
{
	struct passwords *p = open_text("one:" U1 "\n");
	struct problems problems = { 0 };

	(void)state;
	assert_false(passwords_recall(p, STR("one"), STR("U*U"), 0));
	passwords_remember(p, STR("one"), STR("U*U"), 0);
	passwords_remember(p, STR("two"), STR("U*U"), 0);
	assert_true(passwords_recall(p, STR("one"), STR("U*U"), PASSWORDS_KEEP_MS - 1));
	assert_false(passwords_recall(p, STR("one"), STR("U*U"), PASSWORDS_KEEP_MS));
	assert_false(passwords_recall(p, STR("one"), STR("U*"), 0));
	assert_false(passwords_recall(p, STR("two"), STR("U*U"), 0));
	(void)scratch_file("users", "one:" U2 "\n");
	assert_int_equal(E_OK, passwords_reload(p, &problems));
	assert_false(passwords_recall(p, STR("one"), STR("U*U"), 0));
	passwords_free(p);
}

static uint64_t rounds; /* of bcrypt, in all */

/* In the library's place. */
char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
	uint64_t cost;

	assert_true(str_to_u64((struct str){ setting + 4, 2 }, 31, &cost));
	rounds += 1ull << cost;
	return crypt_rn(phrase, setting, data, sizeof(*data));
}

static uint64_t rounds_of(struct passwords *p, const char *name, const char *password, enum err err)
{
	uint64_t before = rounds;

	assert_int_equal(err, passwords_check(p, str_of(name), str_of(password)));
	return rounds - before;
}

static void whatever_is_wrong_costs_as_much_as_the_dearest_hash(void **state)
{
	struct buf line = { 0 };
	struct passwords *p;

	(void)state;
	buf_lit(&line, "cheap:" U1 "\ndear:");
	assert_int_equal(E_OK, password_hash(STR("x"), 8, (const unsigned char *)"0123456789abcdef", &line));
	p = open_text(buf_cstr(&line));
	assert_int_equal(1 << 8, rounds_of(p, "dear", "wrong", E_UNAUTHENTICATED));
	assert_int_equal(1 << 8, rounds_of(p, "cheap", "wrong", E_UNAUTHENTICATED));
	assert_int_equal(1 << 8, rounds_of(p, "unknown", "wrong", E_UNAUTHENTICATED));
	assert_int_equal(1 << 8, rounds_of(p, "No Label!", "wrong", E_UNAUTHENTICATED));
	assert_int_equal(1 << 5, rounds_of(p, "cheap", "U*U", E_OK));
	passwords_free(p);
	buf_release(&line);
}

static void our_hashes_are_read_back(void **state)
{
	struct buf hash = { 0 };
	struct password_line line;
	struct buf text = { 0 };
	const char *what;

	(void)state;
	assert_int_equal(E_OK,
			 password_hash(STR("secret"), 5, (const unsigned char *)"\xff\0\x01\x02zzzzzzzzzzzz", &hash));
	buf_lit(&text, "a:");
	buf_str(&text, buf_view(&hash));
	assert_int_equal(PASSWORD_LINE_USER, password_line_read(buf_view(&text), &line, &what));
	assert_int_equal(5, line.cost);
	assert_int_equal(E_LIMIT, password_hash(STR(""), 5, (const unsigned char *)"0123456789abcdef", &hash));
	assert_int_equal(E_LIMIT, password_hash(STR("x"), 3, (const unsigned char *)"0123456789abcdef", &hash));
	assert_int_equal(E_LIMIT, password_hash(STR("x"), 17, (const unsigned char *)"0123456789abcdef", &hash));
	buf_release(&hash);
	buf_release(&text);
}

static void a_failing_allocation_is_an_error(void **state)
{
	const char *path = scratch_file("users", "one:" U1 "\ntwo:" U2 "\n");
	struct passwords *p = NULL;
	long n = 1;
	enum err err;

	(void)state;
	do {
		struct problems problems = { 0 };

		mem_fail_at(n++);
		err = passwords_open(path, &problems, &p);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		problems_release(&problems);
	} while (err != E_OK);
	assert_true(n > 6);
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, passwords_check(p, STR("one"), STR("U*U")));
	mem_fail_at(0);
	passwords_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_and_password_must_belong_together),
		cmocka_unit_test(a_password_longer_than_bcrypt_reads_is_none),
		cmocka_unit_test(each_bad_line_is_reported_with_its_number),
		cmocka_unit_test(an_empty_file_is_refused_and_a_comment_lets_nobody_in),
		cmocka_unit_test(a_reload_takes_over_all_or_nothing),
		cmocka_unit_test(what_was_right_is_remembered_for_a_while),
		cmocka_unit_test(whatever_is_wrong_costs_as_much_as_the_dearest_hash),
		cmocka_unit_test(our_hashes_are_read_back),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
