/*
 * http1.h -- HTTP/1.1 messages as bytes: heads and chunked bodies, parsed strictly.
 *
 * Shape     no I/O, no memory of its own. The scanner looks for the end of a head as bytes come; the parser takes a whole
 *           head; the chunk decoder takes bytes as they come. How the bytes were split changes no result.
 * Units     sizes in bytes.
 * Owner     everything returned points into the bytes given.
 * Errors    struct http1_error: the status to answer and the line that says why; the connection cannot go on.
 * Source    RFC 9112; where it lets a recipient be lenient, we are not: docs/why/http1.md
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

#define HTTP_FIELDS_MAX         100

/* Extensions of one chunk and of all chunks of a body; all trailer fields of a body. We use none of them. */
#define HTTP1_CHUNK_EXT_MAX     256
#define HTTP1_CHUNK_EXT_SUM_MAX 4096
#define HTTP1_TRAILER_MAX       4096

struct http_field {
	struct str name;  /* as sent */
	struct str value; /* without the white space around it */
};

struct http1_error {
	unsigned status;  /* 400, 414, 417, 431, 501 or 505 */
	const char *text; /* the body of the answer; static */
};

enum http1_result {
	HTTP1_MORE, /* all bytes are used and more are needed */
	HTTP1_DATA, /* a piece of the body */
	HTTP1_DONE, /* the end */
	HTTP1_BAD,  /* see the error */
};

/* Where the search for the end of a head is; zeroed at its start. */
struct http1_scan {
	size_t at;    /* bytes looked at; after HTTP1_DONE the length of the head */
	size_t begin; /* an empty line before the request line is skipped (RFC 9112 2.2): the head starts here */
	size_t line;  /* where the current line starts */
};

struct http1_head {
	struct str method;
	struct str target;    /* as sent */
	struct str path;      /* as sent, before '?'; "*" of OPTIONS; "/" when an absolute target has none */
	struct str query;     /* behind '?', or empty */
	unsigned version;     /* 10 or 11 */
	size_t field_count;   /* fields that were filled in */
	bool keep_alive;      /* the client wants the connection to stay */
	bool chunked;         /* the body comes in chunks */
	bool expect_continue; /* the client waits for 100 before it sends the body */
	uint64_t length;      /* Content-Length; 0 without one */
};

/*
 * Look for the end of the head in `in`, which begins with the same bytes as in the call before and has more behind them.
 * A head over `head_max` is 431, or 414 when not even its first line ends in time.
 */
enum http1_result http1_scan(struct http1_scan *s, struct str in, size_t head_max, struct http1_error *ret_error);

/* The head that a scan has found: in[s->begin, s->at). HTTP1_DONE or HTTP1_BAD. */
enum http1_result http1_parse(struct str head, struct http_field fields[static HTTP_FIELDS_MAX],
			      struct http1_head *ret_head, struct http1_error *ret_error);

/* A chunked body on its way; zeroed at its start. */
struct http1_chunked {
	unsigned state;
	unsigned digits;    /* of the size so far */
	uint64_t left;      /* of the chunk's data */
	size_t ext;         /* bytes of this chunk's extensions */
	size_t ext_sum;     /* bytes of all extensions */
	size_t trailer_sum; /* bytes of the trailer section */
};

/* Take from the front of `*in`: HTTP1_DATA with a piece of the body, HTTP1_MORE, HTTP1_DONE or HTTP1_BAD. */
enum http1_result http1_chunked(struct http1_chunked *c, struct str *in, struct str *ret_data,
				struct http1_error *ret_error);

/* The first field of this name (compared without case), or {NULL, 0}; `count` (may be NULL) gets how many there are. */
struct str http1_field(const struct http_field *fields, size_t n, struct str name, size_t *count);

/* A byte of a name: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110 5.6.2). */
bool http1_is_token(char c);

/* A byte that may stand inside a line: everything but control characters; a tab may. */
bool http1_is_text(char c);
