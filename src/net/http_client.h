/*
 * http_client.h -- requests to one HTTP server, on the event loop.
 *
 * Shape     libcurl's multi handle driven by the loop's sockets and timers; requests run side by side over few connections (HTTP/2
 *           where the server speaks it). An answer is kept whole, or handed on in pieces as they arrive.
 * Owner     a fetch is embedded in its user and belongs to the client from http_client_start() until on_done(), which comes once,
 *           never from inside a call; on_done() may free it, or start it again. Each call may come from on_piece() and on_done(), too.
 * Threads   all in the loop's.
 * Errors    of a fetch, in `err` with its story in `why`; an answer of any status is E_OK.
 *           E_UNAVAILABLE  no connection, or it broke; E_TIMEOUT; E_LIMIT  the answer is larger than answer_max;
 *           E_FORBIDDEN  the server cannot be trusted, or does not take our certificate; E_CONFIG  a file of certificates or keys
 *           cannot be used; E_MALFORMED  a target, bearer or content type that cannot be sent; E_CANCELLED; E_NOMEM; and what
 *           on_piece() returned.
 *           A request on a connection that turns out to be dead before anything came back is sent once more on another, whatever its
 *           method: of two the first may have been carried out.
 * Source    libcurl 7.88
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
	const char *proxy;       /* NULL: what the environment says; "": none */
	bool insecure;           /* whoever answers is trusted */
	unsigned connections;    /* at most, and one more for each fetch without a timeout; 0: 8 */
};

struct http_link {
	struct http_link *prev, *next;
};

enum http_stage {
	HTTP_AT_REST,
	HTTP_WAITING, /* to be handed to libcurl */
	HTTP_RUNNING,
	HTTP_ENDED, /* on_done() is to come */
};

struct http_fetch {
	/* Set by its user, and borrowed until on_done(). */
	const char *method;       /* "GET" */
	const char *target;       /* "/version?pretty", behind the origin */
	struct str body;          /* {NULL, 0}: none */
	const char *content_type; /* of the body */
	const char *bearer;       /* NULL: no Authorization */
	uint64_t timeout_ms;      /* from start to end; 0: none */
	size_t answer_max;        /* bytes of a kept body, not packed; more is E_LIMIT */
	/*
	 * NULL: the body is kept. Else the pieces of a 2xx's body; other bodies are kept. Not E_OK ends the fetch with that error;
	 * its story may be put into `why`.
	 */
	enum err (*on_piece)(struct http_fetch *f, struct str piece);
	void (*on_head)(struct http_fetch *f); /* NULL, or: the head of a 2xx is there, its body may take long */
	void (*on_done)(struct http_fetch *f);

	/* The outcome, valid in on_done(). */
	enum err err;
	struct why why;
	unsigned status;         /* 0: no answer */
	struct buf answer;       /* the client's, released after on_done(): copy what is to stay */
	uint64_t retry_after_ms; /* what the server asks to wait (Retry-After); 0: nothing */

	/* The client's, while it runs. */
	struct http_link link;
	enum http_stage stage;
	struct http_client *client;
	struct loop_timer timeout;
	void *easy; /* libcurl's handle of this request */
	struct curl_slist *fields;
	enum err refused; /* why no more of the body was taken */
	char problem[256];
};

/* E_CONFIG: `origin` is none; E_NOMEM. Files are not looked at before the first connection. */
enum err http_client_new(struct loop *loop, const struct http_client_options *options, struct why *why,
			 struct http_client **ret_client);

/* Cancels what still runs: each on_done() comes before on_closed(), and that never before this returns. */
void http_client_close(struct http_client *c, void (*on_closed)(void *ctx), void *ctx);

/* A fetch at rest: zeroed but for what its user has set, or done before. While the client closes it ends with E_CANCELLED. */
void http_client_start(struct http_client *c, struct http_fetch *f);

/* on_done() comes with E_CANCELLED, or with what was under way to it already; no more pieces come. Nothing for a fetch at rest. */
void http_client_cancel(struct http_client *c, struct http_fetch *f);
