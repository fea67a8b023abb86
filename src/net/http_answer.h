/*
 * http_answer.h -- the head of an answer, as bytes.
 *
 * Source    RFC 9110 6.6.1 (Date), 15 (status codes), 8.6 (Content-Length); RFC 9112 9.3 (Connection)
 */
#pragma once

#include <time.h>

#include "base/buf.h"

#define HTTP_DATE_MAX 32

/* "Sun, 06 Nov 1994 08:49:37 GMT", terminated. */
void http_date(time_t wall_s, char ret_text[static HTTP_DATE_MAX]);

enum http_connection {
	HTTP_STAY,       /* says nothing: HTTP/1.1 stays */
	HTTP_KEEP_ALIVE, /* HTTP/1.0 has to be told */
	HTTP_CLOSE,
};

struct http_answer {
	unsigned status;
	const char *date;
	struct str content_type; /* empty: none */
	struct str headers;      /* more fields, each "Name: value\r\n" */
	size_t length;           /* of the body; not said when the status has none (1xx, 204) */
	enum http_connection connection;
};

/* Appends status line, fields and the empty line. */
void http_answer_head(struct buf *out, const struct http_answer *a);

/* 1xx, 204 and 304 never have a body. */
bool http_has_body(unsigned status);
