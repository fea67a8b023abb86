#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http1.h"

enum { MORE = 1 };

/* Decode in pieces of `step` bytes. Returns 0 at the end of the body, MORE, or the status of the error. */
static unsigned decode(struct str bytes, size_t step, struct buf *ret_body, size_t *ret_rest)
{
	struct http1_chunked c = { 0 };
	struct http1_error error;

	for (size_t at = 0; at < bytes.n; at += step) {
		struct str piece = str_sub(bytes, at, step);
		char *copy = mem_dup(piece.p, piece.n);
		struct str in = { copy, piece.n };
		enum http1_result result;
		struct str data;

		assert_non_null(copy);
		while ((result = http1_chunked(&c, &in, &data, &error)) == HTTP1_DATA)
			buf_str(ret_body, data);
		mem_free(copy);
		*ret_rest = in.n + (bytes.n - at - piece.n);
		if (result != HTTP1_MORE)
			return result == HTTP1_DONE ? 0 : error.status;
		assert_int_equal(0, in.n);
	}
	return MORE;
}

static const struct {
	const char *what;
	struct str bytes;
	unsigned status;
	struct str body; /* of good ones */
	size_t rest;     /* bytes behind the end */
} bodies[] = {
	{ "empty", STR("0\r\n\r\n"), 0, STR(""), 0 },
	{ "one chunk", STR("5\r\nhello\r\n0\r\n\r\n"), 0, STR("hello"), 0 },
	{ "two chunks and the next request", STR("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET /"), 0, STR("hello!"), 5 },
	{ "a size in upper and lower case", STR("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), 0,
	  STR("01234567890123456789"), 0 },
	{ "line ends as data", STR("4\r\n\r\n\r\n\r\n0\r\n\r\n"), 0, STR("\r\n\r\n"), 0 },
	{ "sixteen digits", STR("0000000000000001\r\nx\r\n0\r\n\r\n"), 0, STR("x"), 0 },
	{ "extensions", STR("1;a=b;c=\"d;e\"\r\nx\r\n0;last\r\n\r\n"), 0, STR("x"), 0 },
	{ "a trailer", STR("1\r\nx\r\n0\r\nX-Sum: 1 2\r\nY:\r\n\r\n"), 0, STR("x"), 0 },

	{ "nothing", STR(""), MORE },
	{ "half a size line", STR("5\r"), MORE },
	{ "half a chunk", STR("5\r\nhel"), MORE },
	{ "no last empty line", STR("0\r\n"), MORE },

	{ "no size", STR("\r\nhello\r\n0\r\n\r\n"), 400 },
	{ "no digit in the size", STR("g\r\n"), 400 },
	{ "a sign", STR("+5\r\n"), 400 },
	{ "a negative size", STR("-1\r\n"), 400 },
	{ "a size with 0x", STR("0x5\r\nhello\r\n"), 400 },
	{ "a space in front of the size", STR(" 5\r\nhello\r\n"), 400 },
	{ "a space behind the size", STR("5 \r\nhello\r\n"), 400 },
	{ "an underscore", STR("1_0\r\n"), 400 },
	{ "seventeen digits", STR("00000000000000001\r\nx\r\n"), 400 },
	{ "a size that would overflow", STR("10000000000000005\r\nhello\r\n"), 400 },
	{ "bare LF behind the size", STR("5\nhello\r\n0\r\n\r\n"), 400 },
	{ "bare CR behind the size", STR("5\rhello\r\n0\r\n\r\n"), 400 },
	{ "bare LF behind the data", STR("5\r\nhello\n0\r\n\r\n"), 400 },
	{ "data longer than the size", STR("5\r\nhello!\r\n0\r\n\r\n"), 400 },
	{ "bare LF in an extension", STR("5;a\nb\r\nhello\r\n"), 400 },
	{ "bare CR in an extension", STR("5;a\rb\r\nhello\r\n"), 400 },
	{ "NUL in an extension", STR("5;a\0b\r\nhello\r\n"), 400 },
	{ "a trailer without a name", STR("0\r\n: x\r\n\r\n"), 400 },
	{ "a trailer without a colon", STR("0\r\nX\r\n\r\n"), 400 },
	{ "a space before the trailer's colon", STR("0\r\nX : y\r\n\r\n"), 400 },
	{ "a folded trailer", STR("0\r\nX: y\r\n z\r\n\r\n"), 400 },
	{ "bare LF behind a trailer", STR("0\r\nX: y\n\r\n"), 400 },
	{ "bare LF at the end", STR("0\r\n\n"), 400 },
	{ "CR CR at the end", STR("0\r\n\r\r\n"), 400 },
	{ "a request instead of the end", STR("0\r\nGET / HTTP/1.1\r\n\r\n"), 400 },
};

static void each_body_decodes_alike_however_it_is_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		for (size_t step = 1; step <= bodies[i].bytes.n + 1; step++) {
			struct buf body = { 0 };
			size_t rest = 0;
			unsigned status = decode(bodies[i].bytes, step, &body, &rest);

			if (status != bodies[i].status)
				fail_msg("%s, in steps of %zu: %u, want %u", bodies[i].what, step, status,
					 bodies[i].status);
			if (status == 0) {
				assert_true(str_eq(bodies[i].body, buf_view(&body)));
				assert_int_equal(bodies[i].rest, rest);
			}
			buf_release(&body);
		}
	}
}

static void add_many(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_char(b, c);
}

static unsigned status_of(const struct buf *bytes)
{
	struct buf body = { 0 };
	size_t rest;
	unsigned status = decode(buf_view(bytes), 1000, &body, &rest);

	buf_release(&body);
	return status;
}

static void one_extension_may_be_long_but_not_longer(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct buf b = { 0 };

		buf_lit(&b, "1;");
		add_many(&b, 'x', HTTP1_CHUNK_EXT_MAX + over);
		buf_lit(&b, "\r\nx\r\n0\r\n\r\n");
		assert_int_equal(over ? 400 : 0, status_of(&b));
		buf_release(&b);
	}
}

static void many_small_extensions_add_up(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct buf b = { 0 };

		for (size_t i = 0; i < HTTP1_CHUNK_EXT_SUM_MAX / 16 + over; i++)
			buf_lit(&b, "1;0123456789abcdef\r\nx\r\n");
		buf_lit(&b, "0\r\n\r\n");
		assert_int_equal(over ? 400 : 0, status_of(&b));
		buf_release(&b);
	}
}

static void trailers_that_never_end_are_refused(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_lit(&b, "0\r\n");
	while (b.n < HTTP1_TRAILER_MAX)
		buf_lit(&b, "X: y\r\n");
	buf_lit(&b, "\r\n");
	assert_int_equal(431, status_of(&b));
	buf_release(&b);
}

static void a_huge_chunk_is_counted_down_without_overflow(void **state)
{
	struct http1_chunked c = { 0 };
	struct http1_error error;
	struct str in = STR("ffffffffffffffff\r\nabc");
	struct str data;

	(void)state;
	assert_int_equal(HTTP1_DATA, http1_chunked(&c, &in, &data, &error));
	assert_true(str_eq(STR("abc"), data));
	assert_true(c.left == UINT64_MAX - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_body_decodes_alike_however_it_is_split),
		cmocka_unit_test(one_extension_may_be_long_but_not_longer),
		cmocka_unit_test(many_small_extensions_add_up),
		cmocka_unit_test(trailers_that_never_end_are_refused),
		cmocka_unit_test(a_huge_chunk_is_counted_down_without_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
