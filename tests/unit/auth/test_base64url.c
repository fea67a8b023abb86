#include "auth/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct {
	const char *bytes;
	const char *text;
} rows[] = {
	{ "", "" },
	{ "f", "Zg" },
	{ "fo", "Zm8" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg" },
	{ "fooba", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xfe", "-__-" },
	/* RFC 7515 appendix C */
	{ "\x03\xec\xff\xe0\xc1", "A-z_4ME" },
};

static void bytes_become_text_and_bytes_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, bytes = { 0 };

		base64url_write(str_of(rows[i].bytes), &text);
		assert_true(str_is(buf_view(&text), rows[i].text));
		assert_true(base64url_read(buf_view(&text), &bytes));
		assert_true(str_is(buf_view(&bytes), rows[i].bytes));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static void what_is_not_the_one_form_is_refused(void **state)
{
	static const char *const bad[] = { "Z",    "Zg==",  "Zh",    "Zm9",    "Zm9v=", "Zm9vY",   "Zm+v",
					   "Zm/v", "Zm9v ", " Zm9v", "Zm\n9v", "Zm9v.", "Zm9vYg=", "Zm9v\x80g" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf bytes = { 0 };

		buf_lit(&bytes, "kept");
		if (base64url_read(str_of(bad[i]), &bytes) || !str_is(buf_view(&bytes), "kept"))
			fail_msg("'%s' was read", bad[i]);
		buf_release(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_text_and_bytes_again),
		cmocka_unit_test(what_is_not_the_one_form_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
