#include "rpc/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void text_is_coded_and_read_back(void **state)
{
	static const struct {
		const char *text;
		const char *coded;
	} rows[] = {
		{ "", "" },
		{ "plain text ~!", "plain text ~!" },
		{ "100 %", "100 %25" },
		{ "a\nb\tc\x7f", "a%0Ab%09c%7F" },
		{ "\xc3\xa9", "%C3%A9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf coded = { 0 }, text = { 0 };

		percent_write(str_of(rows[i].text), &coded);
		assert_true(str_is(buf_view(&coded), rows[i].coded));
		percent_read(buf_view(&coded), &text);
		assert_true(str_is(buf_view(&text), rows[i].text));
		buf_release(&coded);
		buf_release(&text);
	}
}

static void what_is_not_well_formed_stands_for_itself(void **state)
{
	static const struct {
		const char *coded;
		const char *text;
	} rows[] = { { "%", "%" },     { "%4", "%4" },   { "%4g", "%4g" },        { "%g4", "%g4" },
		     { "%%41", "%A" }, { "%41%", "A%" }, { "%c3%A9", "\xc3\xa9" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		percent_read(str_of(rows[i].coded), &text);
		if (!str_is(buf_view(&text), rows[i].text))
			fail_msg("%s", rows[i].coded);
		buf_release(&text);
	}
}

static void every_byte_comes_back(void **state)
{
	struct buf coded = { 0 }, text = { 0 };
	char bytes[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	percent_write((struct str){ bytes, sizeof(bytes) }, &coded);
	percent_read(buf_view(&coded), &text);
	assert_int_equal(sizeof(bytes), text.n);
	assert_memory_equal(bytes, text.p, sizeof(bytes));
	buf_release(&coded);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_coded_and_read_back),
		cmocka_unit_test(what_is_not_well_formed_stands_for_itself),
		cmocka_unit_test(every_byte_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
