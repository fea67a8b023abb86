/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/subject.h"

static void names_that_no_stream_can_take_are_refused(void **state)
{
	static const struct {
		struct str source;
		struct str name;
		enum err err;
	} rows[] = {
		{ STR("webhook"), STR("example"), E_OK }, { STR("a-b_c"), STR("$x/y"), E_OK },
		{ STR("caf\xc3\xa9"), STR("1"), E_OK },   { STR("a.b"), STR("c"), E_MALFORMED },
		{ STR("a"), STR("b.c"), E_MALFORMED },    { STR("a"), STR("*"), E_MALFORMED },
		{ STR("a"), STR("b>"), E_MALFORMED },     { STR("a b"), STR("c"), E_MALFORMED },
		{ STR("a\tb"), STR("c"), E_MALFORMED },   { STR("a"), STR("b\r\nPUB x 0"), E_MALFORMED },
		{ STR("a\0b"), STR("c"), E_MALFORMED },   { STR("a\x7f"), STR("c"), E_MALFORMED },
		{ STR(""), STR("c"), E_MALFORMED },       { STR("a"), STR(""), E_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };

		assert_int_equal(subject_check(rows[i].source, rows[i].name, &why), rows[i].err);
		assert_true(rows[i].err == E_OK || why.text[0]);
	}
}

static void a_protocol_line_never_grows_past_what_a_server_reads(void **state)
{
	char *name = mem_alloc(SUBJECT_NAMES_MAX);

	(void)state;
	memset(name, 'n', SUBJECT_NAMES_MAX);
	assert_int_equal(subject_check(STR("a"), (struct str){ name, SUBJECT_NAMES_MAX - 1 }, NULL), E_OK);
	assert_int_equal(subject_check(STR("a"), (struct str){ name, SUBJECT_NAMES_MAX }, NULL), E_MALFORMED);
	mem_free(name);
}

static void an_id_cannot_end_its_header(void **state)
{
	static const struct {
		struct str id;
		const char *value;
	} rows[] = {
		{ STR("0f0e"), "0f0e" },   { STR("a\r\nb"), "a%0D%0Ab" }, { STR(" a "), "%20a%20" },
		{ STR("a%20"), "a%2520" }, { STR("a\0\x7f"), "a%00%7F" }, { STR("\xc3\xa9"), "\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		msg_id_write(rows[i].id, &b);
		assert_string_equal(buf_cstr(&b), rows[i].value);
		buf_release(&b);
	}
}

static void the_subject_is_the_three_tokens(void **state)
{
	struct buf b = { 0 };

	(void)state;
	subject_write(STR("webhook"), STR("example"), &b);
	assert_string_equal(buf_cstr(&b), "default.webhook.example");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_no_stream_can_take_are_refused),
		cmocka_unit_test(a_protocol_line_never_grows_past_what_a_server_reads),
		cmocka_unit_test(an_id_cannot_end_its_header),
		cmocka_unit_test(the_subject_is_the_three_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
