/*
 * answer.h -- just enough of an HTTP/1.1 answer to know its status and where it ends.
 *
 * Shape     a pure look at bytes; call again with more when it says so.
 * Source    RFC 9112
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum answer_state {
	ANSWER_MORE, /* the header is not complete */
	ANSWER_HEAD, /* the header is complete: `ret` is set */
	ANSWER_BAD,  /* not HTTP/1, or an end that only chunks or a close would show */
};

struct answer {
	int status;  /* 100 to 599 */
	bool close;  /* the server closes after it */
	size_t size; /* bytes of header and body together */
};

enum answer_state answer_parse(const char *p, size_t n, struct answer *ret);
