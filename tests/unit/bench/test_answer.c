#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer.h"
#include "base/mem.h"
#include "base/str.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"

static void an_answer_is_delimited_by_its_length(void **state)
{
	static const struct {
		const char *text;
		int status;
		size_t body;
		bool close;
	} rows[] = {
		{ OK_HEAD, 200, 7, false },
		{ "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length:0\r\nconnection: Close\r\n\r\n",
		  503, 0, true },
		{ "HTTP/1.0 200 OK\r\nCONTENT-LENGTH:   12  \r\n\r\n", 200, 12, true },
		{ "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, false },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 100, 0, false },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, 0, false },
		{ "HTTP/1.1 200\r\nX-Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 200, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a;

		assert_int_equal(answer_parse(rows[i].text, strlen(rows[i].text), &a), ANSWER_HEAD);
		assert_int_equal(a.status, rows[i].status);
		assert_int_equal(a.size, strlen(rows[i].text) + rows[i].body);
		assert_int_equal(a.close, rows[i].close);
	}
}

static void every_prefix_of_a_header_asks_for_more(void **state)
{
	struct answer a;

	(void)state;
	for (size_t n = 0; n < sizeof(OK_HEAD) - 1; n++)
		assert_int_equal(answer_parse(OK_HEAD, n, &a), ANSWER_MORE);
}

static void what_follows_the_header_does_not_matter(void **state)
{
	static const char text[] = OK_HEAD "success";
	struct answer a;

	(void)state;
	assert_int_equal(answer_parse(text, sizeof(text) - 1, &a), ANSWER_HEAD);
	assert_int_equal(a.size, sizeof(text) - 1);
}

static void an_answer_without_a_clear_end_is_bad(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 7x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/2 200 OK\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 099 OK\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 600 OK\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a;

		assert_int_equal(answer_parse(rows[i], strlen(rows[i]), &a), ANSWER_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_delimited_by_its_length),
		cmocka_unit_test(every_prefix_of_a_header_asks_for_more),
		cmocka_unit_test(what_follows_the_header_does_not_matter),
		cmocka_unit_test(an_answer_without_a_clear_end_is_bad),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
