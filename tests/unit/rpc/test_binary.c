#include "rpc/binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void bytes_are_written_without_padding_and_read_with_or_without(void **state)
{
	static const struct {
		const char *bytes;
		const char *bare;
		const char *padded;
	} rows[] = {
		{ "", "", "" },
		{ "f", "Zg", "Zg==" },
		{ "fo", "Zm8", "Zm8=" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg", "Zm9vYg==" },
		{ "\xff\xfe\xfd", "//79", "//79" },
		{ "\xfb\xef\xbe", "++++", "++++" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, bytes = { 0 };

		binary_write(str_of(rows[i].bytes), &text);
		assert_true(str_is(buf_view(&text), rows[i].bare));
		assert_true(binary_read(str_of(rows[i].bare), &bytes));
		assert_true(str_is(buf_view(&bytes), rows[i].bytes));
		buf_clear(&bytes);
		assert_true(binary_read(str_of(rows[i].padded), &bytes));
		assert_true(str_is(buf_view(&bytes), rows[i].bytes));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const rows[] = { "Z",    "Zg=", "Zm9v=", "Zm9vY",    "Z g=",
					    "Zg-_", "=",   "====",  "Zg==Zg==", "Z===" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bytes = { 0 };

		if (binary_read(str_of(rows[i]), &bytes))
			fail_msg("%s", rows[i]);
		buf_release(&bytes);
	}
}

static void every_length_comes_back(void **state)
{
	char bytes[100];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf text = { 0 }, back = { 0 };

		for (size_t i = 0; i < n; i++)
			bytes[i] = (char)(i * 37 + n);
		binary_write((struct str){ bytes, n }, &text);
		assert_true(binary_read(buf_view(&text), &back));
		assert_true(str_eq((struct str){ bytes, n }, buf_view(&back)));
		buf_release(&text);
		buf_release(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_written_without_padding_and_read_with_or_without),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(every_length_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
