#include "net/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#define HEAD_MAX 512

/* A copy of exactly n bytes on the heap, so that the sanitizer sees a read behind its end. */
static char *exact(struct str s)
{
	char *p = mem_alloc(s.n);

	assert_non_null(p);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

/* Scan as if the bytes came in pieces of `step`, then parse. Returns the status: 0 for a good head, 1 for more. */
static unsigned parse_by(struct str bytes, size_t step, struct http1_head *ret_head,
			 struct http_field fields[static HTTP_FIELDS_MAX], char **ret_copy)
{
	struct http1_scan scan = { 0 };
	struct http1_error error = { 0 };
	enum http1_result result = HTTP1_MORE;

	*ret_copy = NULL;
	for (size_t n = step; result == HTTP1_MORE; n += step) {
		struct str seen = str_sub(bytes, 0, n);

		mem_free(*ret_copy);
		*ret_copy = exact(seen);
		result = http1_scan(&scan, (struct str){ *ret_copy, seen.n }, HEAD_MAX, &error);
		if (seen.n == bytes.n)
			break;
	}
	if (result == HTTP1_DONE)
		result = http1_parse((struct str){ *ret_copy + scan.begin, scan.at - scan.begin }, fields, ret_head,
				     &error);
	if (result == HTTP1_BAD)
		assert_true(str_starts(str_of(error.text), (struct str){ error.text, 3 }) &&
			    error.status == (unsigned)((error.text[0] - '0') * 100 + (error.text[1] - '0') * 10 +
						       (error.text[2] - '0')));
	return result == HTTP1_BAD ? error.status : result == HTTP1_MORE ? 1 : 0;
}

#define H "Host: a\r\n"

static const struct {
	const char *what;
	struct str bytes;
	unsigned status; /* 0: good; 1: not complete */
} heads[] = {
	{ "the least", STR("GET / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "an empty line in front", STR("\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "two empty lines in front", STR("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "HTTP/1.0 without Host", STR("GET / HTTP/1.0\r\n\r\n"), 0 },
	{ "a later minor version", STR("GET / HTTP/1.9\r\n" H "\r\n"), 0 },
	{ "any token as method", STR("M-SEARCH! / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "absolute form", STR("GET http://a:80/x?y HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "absolute form without a path", STR("GET HTTPS://a HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "asterisk form", STR("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "raw UTF-8 in the target", STR("GET /\xc3\xa4?q=\xff HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "an escape in the path", STR("GET /%2f%Ff HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "a broken escape in the query", STR("GET /?%zz HTTP/1.1\r\n" H "\r\n"), 0 },
	{ "empty Host", STR("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0 },
	{ "IPv6 Host", STR("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 0 },
	{ "tabs and spaces around a value", STR("GET / HTTP/1.1\r\nHost: \t a\t \r\n\r\n"), 0 },
	{ "bytes over 0x7f in a value", STR("GET / HTTP/1.1\r\n" H "X: \xe4\x80\r\n\r\n"), 0 },
	{ "chunked in any case", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: ChUnKeD\r\n\r\n"), 0 },
	{ "100-continue in any case", STR("POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n"),
	  0 },
	{ "expectations of HTTP/1.0 are ignored", STR("POST / HTTP/1.0\r\nExpect: tea\r\n\r\n"), 0 },
	{ "the largest length", STR("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551614\r\n\r\n"), 0 },

	{ "nothing", STR(""), 1 },
	{ "half a request line", STR("GET / HTT"), 1 },
	{ "no empty line at the end", STR("GET / HTTP/1.1\r\n" H), 1 },
	{ "a CR at the end", STR("GET / HTTP/1.1\r\n" H "\r"), 1 },

	{ "TLS on a plain port", STR("\x16\x03\x01\x02\x00\x01\x00"), 400 },
	{ "HTTP/0.9", STR("GET /\r\n\r\n"), 400 },
	{ "HTTP/2 preface", STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
	{ "HTTP/3", STR("GET / HTTP/3.0\r\n" H "\r\n"), 505 },
	{ "HTTP/0.9 in words", STR("GET / HTTP/0.9\r\n" H "\r\n"), 505 },
	{ "lower case version", STR("GET / http/1.1\r\n" H "\r\n"), 400 },
	{ "two digits of version", STR("GET / HTTP/1.10\r\n" H "\r\n"), 400 },
	{ "version without a minor", STR("GET / HTTP/1\r\n" H "\r\n"), 400 },
	{ "a word behind the version", STR("GET / HTTP/1.1 x\r\n" H "\r\n"), 400 },
	{ "a space behind the version", STR("GET / HTTP/1.1 \r\n" H "\r\n"), 400 },
	{ "two spaces in the request line", STR("GET  / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a tab in the request line", STR("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a space in front of the method", STR(" GET / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "no method", STR(" / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a method that is no token", STR("G(T / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a target without a slash", STR("GET x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a fragment", STR("GET /#x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a broken escape in the path", STR("GET /%2 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "asterisk for another method", STR("GET * HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "authority form", STR("CONNECT a:80 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "another scheme", STR("GET ftp://a/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a user in the authority", STR("GET http://u@a/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "an empty authority", STR("GET http:///x HTTP/1.1\r\n" H "\r\n"), 400 },

	{ "bare LF behind the request line", STR("GET / HTTP/1.1\n" H "\r\n"), 400 },
	{ "bare LF behind a field", STR("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
	{ "bare LF as the last line", STR("GET / HTTP/1.1\r\n" H "\n"), 400 },
	{ "bare CR in a value", STR("GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"), 400 },
	{ "CR CR LF", STR("GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n"), 400 },
	{ "NUL in a value", STR("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), 400 },
	{ "NUL in the target", STR("GET /\0 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "an escape character in a value", STR("GET / HTTP/1.1\r\n" H "X: \x1b[0m\r\n\r\n"), 400 },
	{ "DEL in a value", STR("GET / HTTP/1.1\r\n" H "X: \x7f\r\n\r\n"), 400 },
	{ "a folded field", STR("GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"), 400 },
	{ "a field folded with a tab", STR("GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n"), 400 },
	{ "a fold as the first field", STR("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400 },
	{ "a line of a space", STR("GET / HTTP/1.1\r\n" H " \r\n\r\n"), 400 },
	{ "a space before the colon", STR("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400 },
	{ "a tab before the colon", STR("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"), 400 },
	{ "a field without a colon", STR("GET / HTTP/1.1\r\n" H "X\r\n\r\n"), 400 },
	{ "a field without a name", STR("GET / HTTP/1.1\r\n" H ": x\r\n\r\n"), 400 },
	{ "a name that is no token", STR("GET / HTTP/1.1\r\n" H "X(y: x\r\n\r\n"), 400 },
	{ "a name over 0x7f", STR("GET / HTTP/1.1\r\n" H "X\xe4: x\r\n\r\n"), 400 },

	{ "no Host", STR("GET / HTTP/1.1\r\n\r\n"), 400 },
	{ "two Hosts", STR("GET / HTTP/1.1\r\n" H H "\r\n"), 400 },
	{ "two Hosts in HTTP/1.0", STR("GET / HTTP/1.0\r\n" H H "\r\n"), 400 },
	{ "Host with a slash", STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
	{ "Host with a space", STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
	{ "Host with a user", STR("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400 },

	{ "length and coding", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  400 },
	{ "coding and length", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
	  400 },
	{ "length and a coding nobody knows",
	  STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: x\r\n\r\n"), 400 },
	{ "two lengths", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), 400 },
	{ "the same length twice", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"), 400 },
	{ "a list of lengths", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n"), 400 },
	{ "a length with a sign", STR("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n"), 400 },
	{ "a negative length", STR("POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n"), 400 },
	{ "a hexadecimal length", STR("POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n"), 400 },
	{ "an empty length", STR("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"), 400 },
	{ "a length with a space inside", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3 3\r\n\r\n"), 400 },
	{ "a length over 64 bits", STR("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n"), 400 },
	{ "a length with a space before the colon", STR("POST / HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\n"), 400 },
	{ "two codings",
	  STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ "a second coding hides",
	  STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"), 400 },
	{ "a coding in HTTP/1.0", STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ "xchunked", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"), 501 },
	{ "identity", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"), 501 },
	{ "gzip, chunked", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501 },
	{ "chunked, chunked", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n"), 501 },
	{ "chunked with a parameter", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n"), 501 },
	{ "an empty coding", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"), 501 },
	{ "another expectation", STR("POST / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n"), 417 },
	{ "two expectations", STR("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
	  417 },
};

static void each_head_has_its_status_however_it_is_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		for (size_t step = 1; step <= heads[i].bytes.n + 1; step++) {
			struct http_field fields[HTTP_FIELDS_MAX];
			struct http1_head head;
			char *copy;
			unsigned status = parse_by(heads[i].bytes, step, &head, fields, &copy);

			mem_free(copy);
			if (status != heads[i].status)
				fail_msg("%s, in steps of %zu: %u, want %u", heads[i].what, step, status,
					 heads[i].status);
		}
	}
}

static struct http1_head good(struct str bytes, struct http_field fields[static HTTP_FIELDS_MAX], char **ret_copy)
{
	struct http1_head head;

	assert_int_equal(0, parse_by(bytes, bytes.n, &head, fields, ret_copy));
	return head;
}

#define assert_str(want, got) assert_true(str_eq(STR(want), got))

static void a_head_is_taken_apart(void **state)
{
	struct http_field fields[HTTP_FIELDS_MAX];
	char *copy;
	struct http1_head h = good(STR("POST /a%20b?c=d?e HTTP/1.1\r\nhOST: example\r\nX-Empty:\r\nX-Two: one \r\n"
				       "x-two:\ttwo\r\nContent-Length: 0012\r\nExpect: 100-continue\r\n\r\nbody"),
				   fields, &copy);
	size_t count;

	(void)state;
	assert_str("POST", h.method);
	assert_str("/a%20b?c=d?e", h.target);
	assert_str("/a%20b", h.path);
	assert_str("c=d?e", h.query);
	assert_int_equal(11, h.version);
	assert_int_equal(6, h.field_count);
	assert_int_equal(12, h.length);
	assert_true(h.keep_alive && h.expect_continue && !h.chunked);
	assert_str("one", http1_field(fields, h.field_count, STR("X-TWO"), &count));
	assert_int_equal(2, count);
	assert_non_null(http1_field(fields, h.field_count, STR("x-empty"), NULL).p);
	assert_null(http1_field(fields, h.field_count, STR("x-none"), &count).p);
	assert_int_equal(0, count);
	mem_free(copy);
}

static void an_absolute_target_gives_path_and_query(void **state)
{
	static const struct {
		struct str bytes, path, query;
	} rows[] = {
		{ STR("GET http://a/p?q HTTP/1.0\r\n\r\n"), STR("/p"), STR("q") },
		{ STR("GET http://a?q HTTP/1.0\r\n\r\n"), STR("/"), STR("q") },
		{ STR("GET https://a:1 HTTP/1.0\r\n\r\n"), STR("/"), STR("") },
		{ STR("OPTIONS * HTTP/1.0\r\n\r\n"), STR("*"), STR("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_field fields[HTTP_FIELDS_MAX];
		char *copy;
		struct http1_head h = good(rows[i].bytes, fields, &copy);

		assert_true(str_eq(rows[i].path, h.path));
		assert_true(str_eq(rows[i].query, h.query));
		mem_free(copy);
	}
}

static void the_connection_field_decides_whether_it_stays(void **state)
{
	static const struct {
		struct str bytes;
		bool keep_alive;
	} rows[] = {
		{ STR("GET / HTTP/1.1\r\n" H "\r\n"), true },
		{ STR("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"), false },
		{ STR("GET / HTTP/1.1\r\n" H "Connection: TE , Close\r\n\r\n"), false },
		{ STR("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n"), false },
		{ STR("GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n"), true },
		{ STR("GET / HTTP/1.0\r\n\r\n"), false },
		{ STR("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true },
		{ STR("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_field fields[HTTP_FIELDS_MAX];
		char *copy;

		assert_int_equal(rows[i].keep_alive, good(rows[i].bytes, fields, &copy).keep_alive);
		mem_free(copy);
	}
}

/* A head of exactly `n` bytes. */
static void long_head(struct buf *b, size_t n, bool in_target)
{
	size_t rest = n - (in_target ? sizeof("GET / HTTP/1.0\r\n\r\n") : sizeof("GET / HTTP/1.0\r\nX: \r\n\r\n")) + 1;

	buf_str(b, in_target ? STR("GET /") : STR("GET / HTTP/1.0\r\nX: "));
	while (rest--)
		buf_char(b, 'x');
	buf_str(b, in_target ? STR(" HTTP/1.0\r\n\r\n") : STR("\r\n\r\n"));
	assert_int_equal(n, b->n);
}

static void a_head_may_be_as_long_as_allowed_and_no_byte_more(void **state)
{
	(void)state;
	for (int in_target = 0; in_target < 2; in_target++) {
		for (size_t over = 0; over < 2; over++) {
			for (size_t step = 1; step < HEAD_MAX + 3; step += 13) {
				struct http_field fields[HTTP_FIELDS_MAX];
				struct http1_head head;
				struct buf b = { 0 };
				char *copy;
				unsigned status;

				long_head(&b, HEAD_MAX + over, in_target);
				status = parse_by(buf_view(&b), step, &head, fields, &copy);
				/* The line end of the long target still fits: then the whole head is what is too long. */
				assert_int_equal(over ? 431 : 0, status);
				mem_free(copy);
				buf_release(&b);
			}
		}
	}
}

static void a_request_line_that_never_ends_is_a_long_target(void **state)
{
	struct http1_scan scan = { 0 };
	struct http1_error error;
	struct buf b = { 0 };

	(void)state;
	buf_lit(&b, "GET /");
	while (b.n < HEAD_MAX)
		buf_char(&b, 'x');
	assert_int_equal(HTTP1_BAD, http1_scan(&scan, buf_view(&b), HEAD_MAX, &error));
	assert_int_equal(414, error.status);
	buf_release(&b);
}

static void a_hundred_fields_are_taken_and_one_more_is_not(void **state)
{
	(void)state;
	for (size_t n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
		struct http_field fields[HTTP_FIELDS_MAX];
		struct http1_error error = { 0 };
		struct http1_head head;
		struct buf b = { 0 };

		buf_lit(&b, "GET / HTTP/1.0\r\n");
		for (size_t i = 0; i < n; i++)
			buf_lit(&b, "a:b\r\n");
		buf_lit(&b, "\r\n");
		assert_int_equal(n > HTTP_FIELDS_MAX ? HTTP1_BAD : HTTP1_DONE,
				 http1_parse(buf_view(&b), fields, &head, &error));
		assert_int_equal(n > HTTP_FIELDS_MAX ? 431 : 0, error.status);
		buf_release(&b);
	}
}

static void a_missing_host_is_told_in_the_known_words(void **state)
{
	struct http_field fields[HTTP_FIELDS_MAX];
	struct http1_error error = { 0 };
	struct http1_head head;

	(void)state;
	assert_int_equal(HTTP1_BAD, http1_parse(STR("GET / HTTP/1.1\r\n\r\n"), fields, &head, &error));
	assert_string_equal("400 Bad Request: missing required Host header", error.text);
}

/* Heads are looked at in groups: a byte that may not stand in a line is seen wherever it stands. */
static void every_byte_at_every_place_of_a_line_is_judged_alike(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 40; at++) {
			char bytes[] =
				"GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789012345678901234567890123456789\r\n\r\n";
			struct http_field fields[HTTP_FIELDS_MAX];
			struct http1_head head;
			char *copy;

			bytes[sizeof("GET / HTTP/1.1\r\nHost: a\r\nX: ") - 1 + at] = (char)c;
			assert_int_equal(http1_is_text((char)c) ? 0 : 400,
					 parse_by((struct str){ bytes, sizeof(bytes) - 1 }, sizeof(bytes), &head,
						  fields, &copy));
			mem_free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_head_has_its_status_however_it_is_split),
		cmocka_unit_test(every_byte_at_every_place_of_a_line_is_judged_alike),
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(an_absolute_target_gives_path_and_query),
		cmocka_unit_test(the_connection_field_decides_whether_it_stays),
		cmocka_unit_test(a_head_may_be_as_long_as_allowed_and_no_byte_more),
		cmocka_unit_test(a_request_line_that_never_ends_is_a_long_target),
		cmocka_unit_test(a_hundred_fields_are_taken_and_one_more_is_not),
		cmocka_unit_test(a_missing_host_is_told_in_the_known_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
