#include "gateway/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void the_first_parameter_of_a_name_counts(void **state)
{
	static const struct {
		const char *query, *name, *value; /* NULL: absent */
	} rows[] = {
		{ "a=1&b=2", "a", "1" },   { "a=1&b=2", "b", "2" }, { "a=1&a=2", "a", "1" },     { "a=1", "A", NULL },
		{ "aa=1", "a", NULL },     { "a", "a", "" },        { "a=", "a", "" },           { "a&b=2", "a", "" },
		{ "&&a=1", "a", "1" },     { "a=b=c", "a", "b=c" }, { "a=%31+x", "a", "%31+x" }, { "", "a", NULL },
		{ "%61=1&a=2", "a", "2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str value = query_raw(str_of(rows[i].query), rows[i].name);

		assert_int_equal(value.p != NULL, rows[i].value != NULL);
		assert_true(str_eq(value, str_of(rows[i].value)));
	}
}

static void a_number_is_digits_up_to_its_limit(void **state)
{
	static const struct {
		const char *query;
		enum err err;
		uint64_t value;
	} rows[] = {
		{ "n=0", E_OK, 0 },          { "n=100", E_OK, 100 },
		{ "x=1", E_OK, 7 },          { "", E_OK, 7 },
		{ "n=101", E_MALFORMED, 0 }, { "n=", E_MALFORMED, 0 },
		{ "n", E_MALFORMED, 0 },     { "n=-1", E_MALFORMED, 0 },
		{ "n=+1", E_MALFORMED, 0 },  { "n=1x", E_MALFORMED, 0 },
		{ "n=%31", E_MALFORMED, 0 }, { "n=18446744073709551617", E_MALFORMED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 0;

		assert_int_equal(query_u64(str_of(rows[i].query), "n", /* max= */ 100, /* dflt= */ 7, &value),
				 rows[i].err);
		assert_int_equal(value, rows[i].value);
	}
}

static void text_is_decoded_and_a_bad_escape_refused(void **state)
{
	static const struct {
		const char *query, *text; /* NULL: refused */
	} rows[] = {
		{ "t=a%20b", "a b" }, { "t=a+b", "a+b" }, { "t=%C3%A4", "\xc3\xa4" }, { "x=1", "" },
		{ "t=", "" },         { "t=%", NULL },    { "t=%4", NULL },           { "t=%00", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		assert_int_equal(query_text(str_of(rows[i].query), "t", &text), rows[i].text ? E_OK : E_MALFORMED);
		if (rows[i].text)
			assert_true(str_is(buf_view(&text), rows[i].text));
		buf_release(&text);
	}
}

static void the_first_parameter_that_is_unknown_or_comes_again_is_named(void **state)
{
	static const char *const names[] = { "after", "limit", NULL };
	static const struct {
		const char *query, *stray;
	} rows[] = {
		{ "", "" },
		{ "after=1&limit=2", "" },
		{ "&&after=1&", "" },
		{ "limt=5", "limt" },
		{ "after&x=1", "x" },
		{ "limi=1&y", "limi" },
		{ "Limit=1", "Limit" },
		{ "=1", "" },
		{ "limits=1", "limits" },
		{ "%61fter=1", "%61fter" },
		{ "after=1&limit=2&after=1", "after" },
		{ "limit&limit=", "limit" },
		{ "=1&=1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_is(query_stray(str_of(rows[i].query), names), rows[i].stray));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_parameter_of_a_name_counts),
		cmocka_unit_test(a_number_is_digits_up_to_its_limit),
		cmocka_unit_test(text_is_decoded_and_a_bad_escape_refused),
		cmocka_unit_test(the_first_parameter_that_is_unknown_or_comes_again_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
