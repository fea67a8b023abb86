/*
 * answer.h -- everything the gateway says to a sender, a row each.
 *
 * Shape     our own status and text, and the upstream's (`compat: strict`). A text is one line that says what to do and
 *           nothing that a stranger should not know.
 * Source    facts argo-events 1.1, 2.2-2.4; RFC 9110 15.5, 15.6; RFC 6585 4; peers-and-standards 4.9
 */
#pragma once

#include "net/http_server.h"

/* clang-format off */
/*    name         status text                                                                             strict text                     retry s */
#define ANSWERS(X)                                                                                                                                  \
	X(SUCCESS,        200, "success",                                                                         200, "success",                        0) \
	X(NOT_FOUND,      404, "404 page not found\n",                                                            404, "404 page not found\n",           0) \
	X(METHOD,         405, "http method does not match; use a method that the Allow header lists",            400, "http method does not match",     0) \
	X(AUTH_MISSING,   401, "Invalid Authorization Header",                                                    401, "Invalid Authorization Header",   0) \
	X(AUTH_WRONG,     401, "Invalid Auth token",                                                              401, "Invalid Auth token",             0) \
	X(AUTH_UNREADABLE, 500, "Error loading auth token",                                                       500, "Error loading auth token",       0) \
	X(SIGNATURE,      401, "the request is not signed with the secret of this endpoint",                      400, "signature check failed",         0) \
	X(SECRET_UNREADABLE, 503, "the secret of this endpoint cannot be read; try again after the time in Retry-After", 500, "Error loading auth token",  5) \
	X(FORBIDDEN,      403, "this sender is not allowed here; ask the operator to list its origin",            400, "not allowed",                    0) \
	X(MALFORMED,      400, "the request is malformed",                                                        400, "malformed request",              0) \
	X(TOO_LARGE,      413, "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize", 400, \
	                       "failed to parse request body, http: request body too large",                                                             0) \
	X(TOO_LARGE_READ, 413, "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize", 400, \
	                       "http: request body too large",                                                                                           0) \
	X(TOO_LARGE_400,  413, "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize", 400, "",   0) \
	X(TOO_LARGE_503,  413, "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize", 503, "",   0) \
	X(TOO_LARGE_BUS,  413, "the event is larger than the bus takes; send a smaller body",                     500, "failed to record event",         0) \
	X(MEDIA_TYPE,     415, "this media type is not understood; send one that the Accept-Post header lists",   400, "unsupported media type",         0) \
	X(RATE,           429, "too many requests; slow down and try again after the time in Retry-After",        429, "too many requests",              1) \
	X(OVERLOAD,       503, "too many requests are in flight; try again after the time in Retry-After",        503, "overloaded",                     1) \
	X(FULL,           503, "no room to store events; try again after the time in Retry-After",                500, "failed to record event",        30) \
	X(UNAVAILABLE,    503, "events cannot be stored at the moment; try again after the time in Retry-After",  500, "failed to record event",         5) \
	X(TIMEOUT,        503, "the event was not stored in time; try again after the time in Retry-After",       500, "failed to record event",         1) \
	X(BUS_FAILED,     500, "failed to record event",                                                          500, "failed to record event",         0)
/* clang-format on */

enum answer {
#define X(name, status, text, strict_status, strict_text, retry) ANSWER_##name,
	ANSWERS(X)
#undef X
		ANSWER_COUNT,
};

struct answer_more {
	struct str detail;      /* stands in place of the row's text, when not empty */
	struct str headers;     /* more fields, each "Name: value\r\n" */
	uint32_t retry_after_s; /* in place of the row's, when not 0 */
	bool close;
};

/* Say `answer` to `r`; `more` may be NULL. Returns the status that was sent. */
unsigned answer_send(struct http_request *r, enum answer answer, bool strict, const struct answer_more *more);

/* The row's own: what answer_send() says without `more`. */
unsigned answer_status(enum answer answer, bool strict);
struct str answer_text(enum answer answer, bool strict);

/* What to tell a sender whose event met this error on its way to the store or the bus. */
enum answer answer_for_store(enum err err);
enum answer answer_for_bus(enum err err);
