/*
 * http_client.h -- requests to one HTTP server, on the event loop.
 *
 * Shape     libcurl's multi handle driven by the loop's sockets and timers; requests run side by side over few connections (HTTP/2
 *           where the server speaks it). An answer is kept whole, or handed on in pieces as they arrive.
 * Owner     a fetch is embedded in its user and belongs to the client from http_client_start() until on_done(), which comes once,
 *           never from inside a call; on_done() may free it, or start it again.
 * Threads   all in the loop's.
 * Errors    of a fetch, in `err` with its story in `why`; an answer of any status is E_OK.
 *           E_UNAVAILABLE  no connection, or it broke; E_TIMEOUT; E_LIMIT  the answer is larger than answer_max;
 *           E_FORBIDDEN  the server cannot be trusted, or does not take our certificate; E_CANCELLED; E_NOMEM; what on_piece() returned
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"
#include "net/loop.h"

struct http_client;

/* Copied by http_client_new(). Files are read again for each new connection, so that certificates may be renewed. */
struct http_client_options {
	const char *origin;    /* "https://host:port", with a path that stands before every target, or without */
	const char *ca_file;   /* PEM; NULL, and no `ca`: those of the system */
	struct str ca;         /* the same as bytes */
	const char *cert_file; /* of a client certificate, PEM; NULL, and no `cert`: none */
	const char *key_file;
	struct str cert;
	struct str key;
	const char *server_name; /* in the server's certificate; NULL: the host of `origin` */
	const char *proxy;       /* NULL: what the environment says */
	bool insecure;           /* whoever answers is trusted */
	unsigned connections;    /* at most; 0: 8 */
};

struct http_fetch {
	/* Set by its user, and borrowed until on_done(). */
	const char *method;       /* "GET" */
	const char *target;       /* "/version?pretty", behind the origin */
	struct str body;          /* {NULL, 0}: none */
	const char *content_type; /* of the body */
	const char *bearer;       /* NULL: no Authorization */
	uint64_t timeout_ms;      /* from start to end; 0: none */
	size_t answer_max;        /* bytes of a kept body */
	/* NULL: the body is kept. Else the pieces of a 2xx's body; other bodies are kept. Not E_OK ends the fetch with that error. */
	enum err (*on_piece)(struct http_fetch *f, struct str piece);
	void (*on_done)(struct http_fetch *f);

	/* The outcome, valid in on_done(). */
	enum err err;
	struct why why;
	unsigned status;         /* 0: no answer */
	struct buf answer;       /* the client's: take it with TAKE, or it is released after on_done() */
	uint64_t retry_after_ms; /* what the server asks to wait (Retry-After); 0: nothing */

	void *client_data; /* the client's while it runs */
};

enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct why *why,
			 struct http_client **ret_client);

/* Cancels what still runs: each on_done() comes before on_closed(), and that never before this returns. */
void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx);

void http_client_start(struct http_client *c, struct http_fetch *f);

/* on_done() comes with E_CANCELLED, or with what was under way to it already. */
void http_client_cancel(struct http_client *c, struct http_fetch *f);
