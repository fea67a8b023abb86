#include "gateway/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

/* What the HTTP server would send. */
static struct {
	unsigned count;
	unsigned status;
	bool close;
	char headers[512];
	char body[512];
} sent;

void http_respond(struct http_request *r, const struct http_response *response)
{
	(void)r;
	assert_true(response->headers.n < sizeof(sent.headers) && response->body.n < sizeof(sent.body));
	memset(&sent.headers, 0, sizeof(sent.headers));
	memset(&sent.body, 0, sizeof(sent.body));
	if (response->headers.n)
		memcpy(sent.headers, response->headers.p, response->headers.n);
	if (response->body.n)
		memcpy(sent.body, response->body.p, response->body.n);
	assert_true(str_is(response->content_type, "text/plain; charset=utf-8"));
	sent.status = response->status;
	sent.close = response->close;
	sent.count++;
}

static struct http_request request;

static unsigned say(enum answer answer, bool strict, const struct answer_more *more)
{
	unsigned before = sent.count, status = answer_send(&request, answer, strict, more);

	assert_int_equal(sent.count, before + 1);
	assert_int_equal(sent.status, status);
	return status;
}

static const struct {
	enum answer answer;
	unsigned status, strict_status;
	const char *retry; /* of ours; NULL: none */
} rows[] = {
	{ ANSWER_SUCCESS, 200, 200, NULL },
	{ ANSWER_NOT_FOUND, 404, 404, NULL },
	{ ANSWER_METHOD, 405, 400, NULL },
	{ ANSWER_AUTH_MISSING, 401, 401, NULL },
	{ ANSWER_AUTH_WRONG, 401, 401, NULL },
	{ ANSWER_AUTH_UNREADABLE, 500, 500, NULL },
	{ ANSWER_SIGNATURE, 401, 400, NULL },
	{ ANSWER_SECRET_UNREADABLE, 503, 500, "Retry-After: 5\r\n" },
	{ ANSWER_FORBIDDEN, 403, 400, NULL },
	{ ANSWER_MALFORMED, 400, 400, NULL },
	{ ANSWER_TOO_LARGE, 413, 400, NULL },
	{ ANSWER_TOO_LARGE_READ, 413, 400, NULL },
	{ ANSWER_TOO_LARGE_400, 413, 400, NULL },
	{ ANSWER_TOO_LARGE_503, 413, 503, NULL },
	{ ANSWER_TOO_LARGE_BUS, 413, 500, NULL },
	{ ANSWER_MEDIA_TYPE, 415, 400, NULL },
	{ ANSWER_RATE, 429, 429, "Retry-After: 1\r\n" },
	{ ANSWER_OVERLOAD, 503, 503, "Retry-After: 1\r\n" },
	{ ANSWER_FULL, 503, 500, "Retry-After: 30\r\n" },
	{ ANSWER_UNAVAILABLE, 503, 500, "Retry-After: 5\r\n" },
	{ ANSWER_TIMEOUT, 503, 500, "Retry-After: 1\r\n" },
	{ ANSWER_BUS_FAILED, 500, 500, NULL },
};

static void every_answer_has_its_status_in_both_ways_to_speak(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(rows), ANSWER_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(rows[i].answer, i);
		assert_int_equal(say(rows[i].answer, /* strict= */ true, NULL), rows[i].strict_status);
		assert_int_equal(say(rows[i].answer, /* strict= */ false, NULL), rows[i].status);
		if (rows[i].retry)
			assert_string_equal(sent.headers, rows[i].retry);
		else
			assert_null(strstr(sent.headers, "Retry-After"));
		assert_false(sent.close);
	}
}

static bool says_nothing(enum answer answer, bool strict)
{
	return strict && (answer == ANSWER_TOO_LARGE_400 || answer == ANSWER_TOO_LARGE_503);
}

/* Upstream's 404 ends in a newline; nothing else does. Two of its answers are empty. */
static void every_text_is_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int strict = 0; strict < 2; strict++) {
			size_t length = strlen(sent.body);

			say(rows[i].answer, strict, NULL);
			length = strlen(sent.body);
			assert_int_equal(length > 0, !says_nothing(rows[i].answer, strict));
			assert_int_equal(strcspn(sent.body, "\r\n"),
					 rows[i].answer == ANSWER_NOT_FOUND ? length - 1 : length);
		}
	}
}

static void more_can_be_said(void **state)
{
	const struct answer_more more = { .detail = STR("byte 7"), .headers = STR("Allow: POST\r\n"), .close = true };
	const struct answer_more later = { .retry_after_s = 77 };

	(void)state;
	assert_int_equal(say(ANSWER_METHOD, /* strict= */ false, &more), 405);
	assert_string_equal(sent.body, "byte 7");
	assert_string_equal(sent.headers, "Allow: POST\r\n");
	assert_true(sent.close);
	assert_int_equal(say(ANSWER_RATE, /* strict= */ false, &later), 429);
	assert_string_equal(sent.headers, "Retry-After: 77\r\n");
	assert_int_equal(say(ANSWER_METHOD, /* strict= */ false, &later), 405); /* no time helps there */
	assert_string_equal(sent.headers, "");
}

static void an_error_of_store_or_bus_has_its_answer(void **state)
{
	static const struct {
		enum err err;
		enum answer store, bus;
	} errors[] = {
		{ E_OK, ANSWER_SUCCESS, ANSWER_SUCCESS },
		{ E_FULL, ANSWER_FULL, ANSWER_BUS_FAILED },
		{ E_NOMEM, ANSWER_OVERLOAD, ANSWER_BUS_FAILED },
		{ E_LIMIT, ANSWER_UNAVAILABLE, ANSWER_TOO_LARGE_BUS },
		{ E_IO, ANSWER_UNAVAILABLE, ANSWER_BUS_FAILED },
		{ E_CORRUPT, ANSWER_UNAVAILABLE, ANSWER_BUS_FAILED },
		{ E_UNAVAILABLE, ANSWER_UNAVAILABLE, ANSWER_BUS_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		assert_int_equal(answer_for_store(errors[i].err), errors[i].store);
		assert_int_equal(answer_for_bus(errors[i].err), errors[i].bus);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_has_its_status_in_both_ways_to_speak),
		cmocka_unit_test(every_text_is_one_line),
		cmocka_unit_test(more_can_be_said),
		cmocka_unit_test(an_error_of_store_or_bus_has_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
