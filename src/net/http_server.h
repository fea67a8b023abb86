/*
 * http_server.h -- HTTP/1.1 for one listening socket in one loop.
 *
 * Shape     the head is parsed whole, the body is handed on in chunks as it comes, the answer is given once, at any later
 *           time. Pipelined requests are handled one after another, in order.
 * Units     sizes in bytes, times in ms.
 * Owner     a request is the server's; it is valid from on_head to the return of on_close.
 * Threads   the loop's thread only.
 * Errors    what a client does wrong (400 408 413 414 417 431 501 505), and a head for which there is no memory (503), is answered
 *           by the server itself with one line of text, reported to on_refused, and the connection is closed.
 * Source    RFC 9110, RFC 9112; every leniency that 9112 allows and smuggling uses is refused.
 */
#pragma once

#include "base/str.h"
#include "base/why.h"
#include "net/http1.h"
#include "net/http_quota.h"
#include "net/loop.h"
#include "net/tls.h"

#define HTTP_BODY_MAX (1 << 20) /* body_max before on_head */

struct http_request {
	struct str method;
	struct str target; /* as sent */
	struct str path;   /* as sent, before '?' */
	struct str query;  /* behind '?', or empty */
	unsigned version;  /* 10 or 11 */
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t field_count;
	bool has_body;           /* a Content-Length over 0, or chunked */
	uint64_t content_length; /* UINT64_MAX: chunked, not known */
	uint64_t body_max;       /* the handler lowers or raises it in on_head; more is answered 413 */
	const char *peer;        /* the client's address as text, without the port */
	bool tls;
	void *user; /* the handler's */
};

struct http_response {
	unsigned status;
	struct str content_type; /* empty: no Content-Type */
	struct str headers;      /* more fields, each "Name: value\r\n" */
	struct str body;         /* copied */
	bool close;              /* end the connection after it */
};

struct http_handler {
	/*
	 * The head is there. Either answer at once (the body is then not read), or return and take the body: a client that
	 * waits for 100 Continue is told to send it.
	 */
	void (*on_head)(void *ctx, struct http_request *r);
	void (*on_body)(void *ctx, struct http_request *r, struct str chunk);
	/* The body is complete: answer now or later with http_respond(). */
	void (*on_end)(void *ctx, struct http_request *r);
	/*
	 * The last call for this request: it was answered, or the client is gone. `r` must not be used afterwards. For an
	 * answer given inside on_head, on_body or on_end it comes right after that returns; for a later one it comes before
	 * http_respond() returns.
	 */
	void (*on_close)(void *ctx, struct http_request *r);
	/*
	 * The server refused something itself with `status`, before or without a request; status 0: a connection beyond the
	 * limits was closed. May be NULL.
	 */
	void (*on_refused)(void *ctx, unsigned status);
	/* A client with which TLS came to nothing, and what was wrong, for people. May be NULL. */
	void (*on_tls_failed)(void *ctx, const char *peer, const char *problem);
	void *ctx;
};

struct http_limits {
	size_t head_max;           /* request line and fields; more is 431 (or 414) */
	struct http_quota *quota;  /* counts the connections of several servers together; NULL: of this one only */
	size_t conns_max;          /* in the quota; a new one beyond it is closed at once */
	size_t conns_per_addr_max; /* of one client address in the quota; 0: no limit */
	uint32_t head_ms;          /* from the first byte of a head to its end; then 408 */
	uint32_t body_ms;          /* from the end of the head to the end of the body; then 408 */
	uint32_t idle_ms;          /* between requests; then closed */
	uint32_t write_ms;         /* for the client to take the answer; then closed */
	uint32_t first_ms; /* while the server stops, for the first request of a connection to begin; then closed */
};

struct http_server;

/*
 * Serve on `fd`, a bound and listening socket (owned from here on). `tls` NULL: plain. `tls` is borrowed; its certificate
 * may be replaced at any time. `limits` and `handler` are copied. E_UNAVAILABLE, E_NOMEM: `fd` is closed then.
 */
enum err http_server_start(struct loop *loop, int fd, struct tls_server *tls, const struct http_limits *limits,
			   const struct http_handler *handler, struct why *why, struct http_server **ret_server);

/* New limits for what comes from now on. The quota stays. */
void http_server_set_limits(struct http_server *s, const struct http_limits *limits);

/* Another certificate, or none, for connections from now on; `tls` is borrowed. Older ones keep theirs, which must live on. */
void http_server_set_tls(struct http_server *s, struct tls_server *tls);

/*
 * Stop: no new connections but those that wait to be accepted; those between two requests are closed, each other one after its
 * answer (with Connection: close). One on which nobody has asked yet has `first_ms` to begin.
 * `on_stopped` comes when all are gone and the server is freed, never before this returns. With `now` nothing is waited
 * for; a second call may turn a stop that waits into one that does not.
 */
void http_server_stop(struct http_server *s, bool now, void (*on_stopped)(void *ctx), void *ctx);

size_t http_server_connections(const struct http_server *s);

/*
 * Answer. Exactly once per request, between on_head and on_close. Before the body is complete it is allowed too: what is
 * left of a small body is read and dropped, else the connection is closed after the answer.
 */
void http_respond(struct http_request *r, const struct http_response *response);

/* The first field of this name (compared without case), or {NULL, 0}; `count` (may be NULL) gets how many there are. */
struct str http_field(const struct http_request *r, struct str name, size_t *count);
