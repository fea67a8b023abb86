/*
 * http_conn.h -- one connection of an HTTP server: its bytes, its deadlines, its end. Internal to net.
 *
 * Shape     http_server.c accepts and counts; http_conn.c reads and keeps time; http_send.c writes; http_intake.c turns bytes into
 *           requests; http_exchange.c answers them.
 *
 *     HANDSHAKE --> IDLE --first byte--> HEAD --whole head--> BODY --whole body--> HANDLING
 *                    ^                                         |                      |
 *                    |                                 answer early                answer
 *                    +<------ rest of the body -- DRAIN <------+                      |
 *                    +<---------------------------------------------------------------+
 *                                 any --last answer or refusal--> LINGER --> CLOSING
 *
 * Owner     the server owns its connections; one is freed when libuv has closed its handle.
 * Threads   the loop's.
 */
#pragma once

#include "base/buf.h"
#include "net/acceptor.h"
#include "net/http1.h"
#include "net/http_answer.h"
#include "net/http_quota.h"
#include "net/http_server.h"

#define HTTP_READ_SIZE  (32 << 10) /* bytes per read; also the most that one connection can pipeline ahead */
#define HTTP_DRAIN_MAX  (64 << 10) /* bytes of an unwanted body that are read to keep the connection */
#define HTTP_LINGER_MAX (64 << 20) /* bytes that are read and dropped so that the client sees the last answer */
#define HTTP_LINGER_MS  2000       /* the same in time */
#define HTTP_PIECE_MAX  4096       /* bytes of a body that are copied behind the head, to be sent in one piece */
#define HTTP_SPARE_MAX  64         /* exchanges kept for the next requests */
#define HTTP_SPARE_HEAD 4096       /* bytes of head that a kept exchange may hold */

enum http_state {
	HTTP_HANDSHAKE, /* of TLS */
	HTTP_IDLE,      /* nothing of a request has come */
	HTTP_HEAD,      /* part of a head has come; it is in `in` */
	HTTP_BODY,      /* the handler has seen the head and takes the body */
	HTTP_HANDLING,  /* the handler has the whole request and owes the answer */
	HTTP_DRAIN,     /* answered; what is left of the body is dropped */
	HTTP_LINGER,    /* the last answer was given; what comes is dropped until the client has read it */
	HTTP_CLOSING,   /* libuv closes the handle */
};

/* One request and its answer. Kept by the server for the next request, with the memory of its head. */
struct http_exchange {
	struct http_request r;
	struct http_conn *conn;
	struct http_exchange *next; /* spare */
	struct buf head;            /* what `r` points into */
	struct http1_chunked chunks;
	uint64_t body_left; /* of a body with a Content-Length */
	uint64_t body_got;
	bool chunked;
	bool keep_alive;
	bool continue_due; /* the client waits for 100 Continue */
	bool body_done;
	bool answered;
	bool last;   /* the connection ends with this answer */
	bool closed; /* on_close was called */
};

struct http_conn {
	uv_tcp_t tcp;
	int fd; /* of `tcp` */
	struct loop_timer timer;
	struct http_server *server;
	struct http_conn *prev, *next;
	struct http_exchange *exchange;
	struct tls_session *tls; /* NULL: plain */
	struct http_addr *addr;  /* its place in the quota */
	struct buf in;           /* bytes for later: part of a head, or requests sent ahead */
	struct http1_scan scan;
	uint64_t deadline_ms; /* UINT64_MAX: none */
	size_t lingered;      /* bytes */
	unsigned writes;      /* given to libuv and not done */
	enum http_state state;
	bool timed; /* the deadline fits the state */
	bool timed_write;
	bool reading;
	bool busy;  /* its requests are being looked at, further up the stack */
	bool asked; /* the head of a request has come */
	bool peer_eof;
	bool shut; /* our side of the connection was ended */
	struct acceptor_peer peer;
};

struct http_server {
	struct loop *loop;
	struct acceptor acceptor;
	struct tls_server *tls;
	struct http_limits limits;
	struct http_handler handler;
	struct http_conn *conns;
	size_t conn_count;
	struct http_quota own_quota;
	struct http_quota *quota; /* own_quota, or the one that was lent */
	struct http_exchange *spares;
	size_t spare_count;
	struct buf out; /* the answer that is being made */
	time_t date_s;
	char date[HTTP_DATE_MAX];
	bool stopping;
	bool listener_closed;
	void (*on_stopped)(void *ctx);
	void *on_stopped_ctx;
	char input[HTTP_READ_SIZE]; /* what was just read, of any connection */
	char plain[HTTP_READ_SIZE]; /* and what TLS made of it */
};

/* http_conn.c */

/* Begin with a connection that was accepted. */
void http_conn_start(struct http_conn *c);

/* The next state; checked against the drawing. */
void http_conn_move(struct http_conn *c, enum http_state state);

/* The server stops: the next answer is the last one, and who has had one ends. */
void http_conn_stop(struct http_conn *c);

/* Go on with what was kept in `in`, then settle. */
void http_conn_resume(struct http_conn *c);

/* No more requests: when the last answer is sent, our side is ended and the client gets time to read it. */
void http_conn_linger(struct http_conn *c);

/* End it at once. */
void http_conn_close(struct http_conn *c);

/* http_send.c */

/*
 * Send `head` and `body`, copied when the kernel does not take all at once; with `last` TLS says goodbye in the same piece. A
 * failure closes the connection.
 */
void http_conn_send(struct http_conn *c, struct str head, struct str body, bool last);

/* Send what TLS has to say by itself: handshake, alerts, the goodbye. */
void http_conn_flush_tls(struct http_conn *c);

/* http_intake.c */

/* Take from the front of `in` what can be handled now. */
void http_intake_run(struct http_conn *c, struct str *in);

/* http_exchange.c */

/* An exchange of this connection, not yet its current one; NULL without memory. */
struct http_exchange *http_exchange_new(struct http_conn *c);

/* Answer for the handler, and end the connection. */
void http_exchange_refuse(struct http_conn *c, unsigned status, const char *text);

/* The current exchange was answered: call on_close and go to what follows. */
void http_exchange_finish(struct http_conn *c);

/* The current exchange, if any, is over: call on_close unless that was done; keep the memory for the next one. */
void http_exchange_retire(struct http_conn *c);

void http_exchange_free(struct http_exchange *x);

/* http_server.c */

/* libuv has closed the connection's handle. */
void http_server_forget(struct http_conn *c);
