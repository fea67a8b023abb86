#include "net/http_answer.h"

#include <stdio.h>

#include "base/mem.h"

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

static const char *reason_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

bool http_has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Not strftime(3): its names follow the locale. */
void http_date(time_t wall_s, char ret_text[static HTTP_DATE_MAX])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = { 0 };

	gmtime_r(&wall_s, &tm);
	(void)snprintf(ret_text, HTTP_DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
		       (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		       (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

void http_answer_head(struct buf *out, const struct http_answer *a)
{
	buf_lit(out, "HTTP/1.1 ");
	buf_u64(out, a->status);
	buf_char(out, ' ');
	buf_str(out, str_of(reason_of(a->status)));
	buf_lit(out, "\r\nDate: ");
	buf_str(out, str_of(a->date));
	if (a->content_type.n) {
		buf_lit(out, "\r\nContent-Type: ");
		buf_str(out, a->content_type);
	}
	if (http_has_body(a->status)) {
		buf_lit(out, "\r\nContent-Length: ");
		buf_u64(out, a->length);
	}
	if (a->connection != HTTP_STAY)
		buf_str(out,
			a->connection == HTTP_CLOSE ? STR("\r\nConnection: close") : STR("\r\nConnection: keep-alive"));
	buf_lit(out, "\r\n");
	buf_str(out, a->headers);
	buf_lit(out, "\r\n");
}
