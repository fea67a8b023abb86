#include "net/http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void dates_look_as_in_the_rfc(void **state)
{
	static const struct {
		time_t wall_s;
		const char *text;
	} rows[] = {
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 1709164800, "Thu, 29 Feb 2024 00:00:00 GMT" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[HTTP_DATE_MAX];

		http_date(rows[i].wall_s, text);
		assert_string_equal(rows[i].text, text);
	}
}

static void heads_are_exact(void **state)
{
	static const struct {
		struct http_answer answer;
		const char *head;
	} rows[] = {
		{ { .status = 200, .date = "D" }, "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n" },
		{ { .status = 204, .date = "D", .length = 3 }, "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n" },
		{ { .status = 503,
		    .date = "D",
		    .content_type = { "a/b", 3 },
		    .headers = { "Retry-After: 1\r\n", 16 },
		    .length = 12,
		    .connection = HTTP_CLOSE },
		  "HTTP/1.1 503 Service Unavailable\r\nDate: D\r\nContent-Type: a/b\r\nContent-Length: 12\r\n"
		  "Connection: close\r\nRetry-After: 1\r\n\r\n" },
		{ { .status = 299, .date = "D", .connection = HTTP_KEEP_ALIVE },
		  "HTTP/1.1 299 Unknown\r\nDate: D\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		http_answer_head(&b, &rows[i].answer);
		assert_string_equal(rows[i].head, buf_cstr(&b));
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_look_as_in_the_rfc),
		cmocka_unit_test(heads_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
