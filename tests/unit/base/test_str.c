#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define ABSENT ((struct str){ 0 })

static void equality_is_of_bytes_and_length(void **state)
{
	(void)state;
	assert_true(str_eq(ABSENT, STR("")));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("a"), STR("ab")));
	assert_true(str_is(STR("ab"), "ab"));
	assert_true(str_is(ABSENT, NULL));
	assert_true(str_eq(str_of(NULL), ABSENT));
	assert_true(str_eq_nocase(STR("Content-Type"), STR("content-tYPE")));
	assert_false(str_eq_nocase(STR("a[b"), STR("A{B"))); /* letters only */
	assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
	assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), ABSENT));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_starts_nocase(STR("Bearer x"), STR("bearer ")));
	assert_true(str_ends(STR("abc"), STR("bc")) && str_ends(ABSENT, ABSENT));
	assert_false(str_ends(STR("c"), STR("bc")));
}

static void letters_are_equal_without_case_and_nothing_else_is(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			bool letter = (a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z');
			char x[] = { 'x', (char)a }, y[] = { 'X', (char)b };

			assert_int_equal(a == b || (letter && (a ^ b) == 0x20),
					 str_eq_nocase((struct str){ x, 2 }, (struct str){ y, 2 }));
		}
	assert_false(str_eq_nocase(STR("abc"), STR("ab")));
	assert_true(str_eq_nocase((struct str){ 0 }, STR("")));
}

static void order_is_bytewise_then_the_shorter_first(void **state)
{
	static const struct str rising[] = { { NULL, 0 }, STR("A"), STR("AA"), STR("B"), STR("a"), STR("\xff") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rising); i++)
		for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
			int order = str_cmp(rising[i], rising[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void parts_are_cut_to_what_is_there(void **state)
{
	struct str rest = STR("a,,b"), none = ABSENT;

	(void)state;
	assert_true(str_is(str_sub(STR("abcd"), 1, 2), "bc"));
	assert_true(str_is(str_sub(STR("abcd"), 3, SIZE_MAX), "d"));
	assert_true(str_is(str_sub(STR("abcd"), 4, 1), ""));
	assert_true(str_is(str_sub(STR("abcd"), SIZE_MAX, SIZE_MAX), ""));
	assert_true(str_is(str_cut(&rest, ','), "a"));
	assert_true(str_is(str_cut(&rest, ','), ""));
	assert_true(str_is(str_cut(&rest, ','), "b"));
	assert_int_equal(rest.n, 0);
	assert_int_equal(str_cut(&none, ',').n, 0);
	assert_true(str_is(str_trim(STR(" \t a b\t ")), "a b"));
	assert_true(str_is(str_trim(STR(" \t ")), ""));
	assert_true(str_is(str_trim(STR("\na\n")), "\na\n"));
	assert_int_equal(str_find(STR("abc"), 'c'), 2);
	assert_int_equal(str_find(STR("abc"), 'x'), 3);
	assert_int_equal(str_find(ABSENT, 'x'), 0);
	assert_true(str_contains(STR("abc"), STR("bc")));
	assert_false(str_contains(STR("abc"), STR("bcd")));
	assert_true(str_contains(STR("abc"), ABSENT));
	assert_true(str_contains(ABSENT, STR("")));
	assert_false(str_contains(ABSENT, STR("a")));
}

static void secrets_are_equal_or_not(void **state)
{
	(void)state;
	assert_true(str_eq_secret(STR("token"), STR("token")));
	assert_false(str_eq_secret(STR("token"), STR("tokeN")));
	assert_false(str_eq_secret(STR("Xoken"), STR("token")));
	assert_false(str_eq_secret(STR("token"), STR("toke")));
	assert_false(str_eq_secret(ABSENT, STR("t")));
	assert_true(str_eq_secret(ABSENT, ABSENT));
}

#define PAGE      4096u
#define REACHED   7
#define TOO_SHORT 8

static void on_fault(int number)
{
	(void)number;
	_exit(REACHED);
}

/* Two texts that differ in their first byte; a page further on nobody may read `forbidden`. */
static int compare_in_a_child(char *forbidden, struct str a, struct str b)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		(void)signal(SIGSEGV, on_fault);
		if (mprotect(forbidden + PAGE, PAGE, PROT_NONE) == 0)
			(void)str_eq_secret(a, b);
		_exit(TOO_SHORT);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* How long a comparison takes must not tell how much of a guess is right: it looks at every byte whatever came before. */
static void a_comparison_of_secrets_goes_to_the_end(void **state)
{
	char *pages = mmap(NULL, (size_t)4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct str a = { pages, PAGE + 64 };
	struct str b = { pages + 2 * PAGE, PAGE + 64 };

	(void)state;
	assert_true(pages != MAP_FAILED);
	pages[0] = 'x';
	assert_int_equal(compare_in_a_child(pages, a, b), REACHED);
	assert_int_equal(compare_in_a_child(pages + 2 * PAGE, a, b), REACHED);
	b.n++; /* another length: the bytes both have */
	assert_int_equal(compare_in_a_child(pages, a, b), REACHED);
	assert_int_equal(munmap(pages, (size_t)4 * PAGE), 0);
}

static void numbers_are_decimal_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", UINT64_MAX, true, 0 },
		{ "007", UINT64_MAX, true, 7 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "1.0", 9, false, 0 },
		{ "0x1", 9, false, 0 },
		{ "\xff", 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 42;

		assert_int_equal(str_to_u64(str_of(rows[i].text), rows[i].max, &value), rows[i].ok);
		assert_int_equal(value, rows[i].ok ? rows[i].value : 42);
	}
}

/* RFC 3629 by its definition, not by its table: decode, then look at the number. */
static bool utf8_by_definition(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned mask, lead;
		uint32_t least;
	} forms[] = { { 0x80, 0, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
	size_t len = 0;
	uint32_t code;

	if (n == 0)
		return true;
	while (len < 4 && (p[0] & forms[len].mask) != forms[len].lead)
		len++;
	if (len == 4 || len + 1 > n)
		return false;
	code = p[0] & ~forms[len].mask & 0xff;
	for (size_t i = 1; i <= len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < forms[len].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	return utf8_by_definition(p + len + 1, n - len - 1);
}

static void utf8_is_well_formed_as_the_definition_says(void **state)
{
	unsigned char p[4];

	(void)state;
	/* every pair of bytes, alone and continued */
	for (unsigned a = 0; a < 0x10000; a++) {
		p[0] = (unsigned char)(a >> 8);
		p[1] = (unsigned char)a;
		for (size_t n = 1; n <= 4; n++) {
			p[2] = n == 4 ? 0xbf : 0x80;
			p[3] = 0x80;
			assert_int_equal(str_is_utf8((struct str){ (const char *)p, n }), utf8_by_definition(p, n));
		}
	}
	assert_true(str_is_utf8(ABSENT));
	assert_true(str_is_utf8(STR("\xf4\x8f\xbf\xbf")));
	assert_false(str_is_utf8(STR("\xf4\x90\x80\x80")));
	assert_false(str_is_utf8(STR("\xed\xa0\x80")));
	assert_false(str_is_utf8(STR("ok \xc0\x80")));
}

static void a_text_is_utf8_without_a_nul_wherever_it_stands(void **state)
{
	char text[20];

	(void)state;
	assert_true(str_is_text(ABSENT));
	for (size_t n = 1; n <= sizeof(text); n++) {
		for (size_t at = 0; at < n; at++) {
			memset(text, 'a', n);
			assert_true(str_is_text((struct str){ text, n }));
			text[at] = '\x7f';
			assert_true(str_is_text((struct str){ text, n }));
			text[at] = '\0';
			assert_false(str_is_text((struct str){ text, n }));
			text[at] = '\x80';
			assert_false(str_is_text((struct str){ text, n }));
		}
	}
	assert_true(str_is_text(STR("seven, \xc3\xa4 and more than eight")));
	assert_false(str_is_text(STR("seven, \xc3\xa4 and a \0 behind it")));
	assert_false(str_is_text(STR("seven, \xc3")));
}

static void a_copy_into_a_place_is_cut_to_it(void **state)
{
	char text[4] = "xxx", digits[STR_U64_MAX];

	(void)state;
	str_copy(STR("abc"), text, sizeof(text));
	assert_string_equal(text, "abc");
	str_copy(STR("abcd"), text, sizeof(text));
	assert_string_equal(text, "abc");
	str_copy(ABSENT, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(str_is(str_from_u64(0, digits), "0"));
	assert_true(str_is(str_from_u64(UINT64_MAX, digits), "18446744073709551615"));
}

static void the_distance_of_words_counts_edits_without_case(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },
		{ "abc", "", 3 },
		{ "abc", "ABC", 0 },
		{ "webhok", "webhook", 1 },
		{ "kitten", "sitting", 3 },
		{ "flaw", "lawn", 2 },
		{ "ab", "ba", 2 },
	};
	char long_a[200], long_b[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(str_distance(str_of(rows[i].a), str_of(rows[i].b)), rows[i].distance);
		assert_int_equal(str_distance(str_of(rows[i].b), str_of(rows[i].a)), rows[i].distance);
	}
	memset(long_a, 'a', sizeof(long_a));
	memset(long_b, 'b', sizeof(long_b));
	assert_int_equal(str_distance((struct str){ long_a, 200 }, (struct str){ long_b, 200 }), 64);
}

static void a_copy_is_terminated_and_can_fail(void **state)
{
	char *copy = str_dup(STR("a\0b"));

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	mem_free(copy);
	mem_fail_at(1);
	assert_null(str_dup(STR("a")));
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_is_of_bytes_and_length),
		cmocka_unit_test(letters_are_equal_without_case_and_nothing_else_is),
		cmocka_unit_test(order_is_bytewise_then_the_shorter_first),
		cmocka_unit_test(parts_are_cut_to_what_is_there),
		cmocka_unit_test(secrets_are_equal_or_not),
		cmocka_unit_test(a_comparison_of_secrets_goes_to_the_end),
		cmocka_unit_test(numbers_are_decimal_and_nothing_else),
		cmocka_unit_test(utf8_is_well_formed_as_the_definition_says),
		cmocka_unit_test(a_text_is_utf8_without_a_nul_wherever_it_stands),
		cmocka_unit_test(a_copy_into_a_place_is_cut_to_it),
		cmocka_unit_test(the_distance_of_words_counts_edits_without_case),
		cmocka_unit_test(a_copy_is_terminated_and_can_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
