#include "gateway/answer.h"

#include <assert.h>

#include "base/buf.h"

static const struct {
	unsigned status;
	struct str text;
	unsigned strict_status;
	struct str strict_text;
	uint32_t retry_after_s;
} rows[] = {
#define X(name, status, text, strict_status, strict_text, retry) \
	[ANSWER_##name] = { status, STR(text), strict_status, STR(strict_text), retry },
	ANSWERS(X)
#undef X
};

unsigned answer_status(enum answer answer, bool strict)
{
	assert(answer < ANSWER_COUNT);
	return strict ? rows[answer].strict_status : rows[answer].status;
}

struct str answer_text(enum answer answer, bool strict)
{
	assert(answer < ANSWER_COUNT);
	return strict ? rows[answer].strict_text : rows[answer].text;
}

unsigned answer_send(struct http_request *r, enum answer answer, bool strict, const struct answer_more *more)
{
	static const struct answer_more nothing;
	uint32_t retry_after_s;
	char space[2048];
	struct buf headers = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	struct http_response response = { .content_type = STR("text/plain; charset=utf-8"),
					  .close = more && more->close };

	if (!more)
		more = &nothing;
	response.status = answer_status(answer, strict);
	response.body = more->detail.n ? more->detail : answer_text(answer, strict);
	retry_after_s = more->retry_after_s ? more->retry_after_s : rows[answer].retry_after_s;
	buf_str(&headers, more->headers);
	if (retry_after_s && (response.status == 503 || response.status == 429))
		buf_addf(&headers, "Retry-After: %u\r\n", retry_after_s);
	if (answer == ANSWER_NOT_FOUND)
		buf_lit(&headers, "X-Content-Type-Options: nosniff\r\n");
	response.headers = buf_view(&headers);
	http_respond(r, &response);
	return response.status;
}

enum answer answer_for_store(enum err err)
{
	switch (err) {
	case E_OK:
		return ANSWER_SUCCESS;
	case E_FULL:
		return ANSWER_FULL;
	case E_NOMEM:
		return ANSWER_OVERLOAD;
	default:
		return ANSWER_UNAVAILABLE;
	}
}

enum answer answer_for_bus(enum err err)
{
	switch (err) {
	case E_OK:
		return ANSWER_SUCCESS;
	case E_LIMIT:
		return ANSWER_TOO_LARGE_BUS;
	default:
		return ANSWER_BUS_FAILED;
	}
}
