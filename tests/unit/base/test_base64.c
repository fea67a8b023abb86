#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

/* RFC 4648 10, and the two last characters of the alphabet. */
static const struct {
	struct str bytes;
	const char *text;
} rows[] = {
	{ { "", 0 }, "" },
	{ { "f", 1 }, "Zg==" },
	{ { "fo", 2 }, "Zm8=" },
	{ { "foo", 3 }, "Zm9v" },
	{ { "foob", 4 }, "Zm9vYg==" },
	{ { "fooba", 5 }, "Zm9vYmE=" },
	{ { "foobar", 6 }, "Zm9vYmFy" },
	{ { "\xff\xef\xbf\0", 4 }, "/++/AA==" },
};

static const char *const bad[] = { "=",        "Z",     "Zg",   "Zg=",      "Zg===",    "=Zg=",
				   "Z===",     "Zh==",  "Zm9=", "Zm 9",     "Zm9\n",    "Zm-_",
				   "Zg==Zg==", "Zm9v=", "====", "Zm9vZg=a", "Zm9v\xff", "Zm9vZ\xe9==" };

static void bytes_become_text_and_text_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 }, bytes = { 0 };

		base64_write(rows[i].bytes, &text);
		assert_true(str_is(buf_view(&text), rows[i].text));
		assert_true(base64_ok(str_of(rows[i].text)));
		assert_true(base64_read(str_of(rows[i].text), &bytes));
		assert_true(str_eq(buf_view(&bytes), rows[i].bytes));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static void what_is_not_the_one_form_of_some_bytes_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf bytes = { 0 };

		buf_lit(&bytes, "before");
		assert_false(base64_ok(str_of(bad[i])));
		assert_false(base64_read(str_of(bad[i]), &bytes));
		assert_true(str_is(buf_view(&bytes), "before"));
		buf_release(&bytes);
	}
}

static void bare_text_is_the_same_without_the_padding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str bare = str_of(rows[i].text);
		struct buf text = { 0 }, bytes = { 0 };

		bare.n = str_find(bare, '=');
		base64_write_bare(rows[i].bytes, &text);
		assert_true(str_eq(buf_view(&text), bare));
		assert_true(base64_read_bare(bare, &bytes));
		assert_true(str_eq(buf_view(&bytes), rows[i].bytes));
		assert_true(bare.n == strlen(rows[i].text) || !base64_read_bare(str_of(rows[i].text), &bytes));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static const struct {
	const char *bytes;
	const char *text;
} url_rows[] = {
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

static void bytes_become_text_for_urls_and_bytes_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(url_rows); i++) {
		struct buf text = { 0 }, bytes = { 0 };

		base64url_write(str_of(url_rows[i].bytes), &text);
		assert_true(str_is(buf_view(&text), url_rows[i].text));
		assert_true(base64url_read(buf_view(&text), &bytes));
		assert_true(str_is(buf_view(&bytes), url_rows[i].bytes));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static void what_is_not_the_one_form_for_urls_is_refused(void **state)
{
	static const char *const bad_urls[] = { "Z",    "Zg==",  "Zh",    "Zm9",    "Zm9v=", "Zm9vY",   "Zm+v",
						"Zm/v", "Zm9v ", " Zm9v", "Zm\n9v", "Zm9v.", "Zm9vYg=", "Zm9v\x80g" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++) {
		struct buf bytes = { 0 };

		buf_lit(&bytes, "kept");
		if (base64url_read(str_of(bad_urls[i]), &bytes) || !str_is(buf_view(&bytes), "kept"))
			fail_msg("'%s' was read", bad_urls[i]);
		buf_release(&bytes);
	}
}

static void every_byte_in_every_place_comes_back(void **state)
{
	unsigned char all[258];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)(i * 7 + 3);
	for (size_t n = 0; n <= sizeof(all); n++) {
		struct buf text = { 0 }, bytes = { 0 };
		struct str in = { (const char *)all, n };

		base64_write(in, &text);
		assert_int_equal(text.n, (n + 2) / 3 * 4);
		assert_true(base64_read(buf_view(&text), &bytes));
		assert_true(str_eq(buf_view(&bytes), in));
		buf_release(&text);
		buf_release(&bytes);
	}
}

static void without_memory_the_buffer_says_so(void **state)
{
	struct buf text = { 0 };

	(void)state;
	mem_fail_at(1);
	base64_write(STR("foo"), &text);
	assert_int_equal(text.err, E_NOMEM);
	buf_clear(&text);
	mem_fail_at(1);
	assert_true(base64_read(STR("Zm9v"), &text));
	assert_int_equal(text.err, E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(text.n, 0);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_text_and_text_bytes),
		cmocka_unit_test(what_is_not_the_one_form_of_some_bytes_is_refused),
		cmocka_unit_test(bare_text_is_the_same_without_the_padding),
		cmocka_unit_test(bytes_become_text_for_urls_and_bytes_again),
		cmocka_unit_test(what_is_not_the_one_form_for_urls_is_refused),
		cmocka_unit_test(every_byte_in_every_place_comes_back),
		cmocka_unit_test(without_memory_the_buffer_says_so),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
