/*
 * site.h -- a server in a thread of its own and the clients that visit it, for the tests of net.
 *
 * Shape     the paths: /hold waits for site_answer_held(); /refuse answers 401 from on_head; /cut answers 403 from the first
 *           on_body; /small takes bodies of at most 10 bytes; /big answers SITE_BIG bytes; all others echo "<method> <path> <length of the body>".
 *           Clients are blocking sockets with a timeout, so that a test that would hang fails.
 */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "net/http_server.h"

#define SITE_BIG (8u << 20)

struct site {
	struct loop loop;
	pthread_t thread;
	struct http_server *server;
	uint16_t port;
	int listener;
	struct http_request *held[64]; /* loop's thread */
	size_t held_count;
	atomic_int heads;  /* calls of on_head */
	atomic_int ends;   /* of on_end */
	atomic_int closes; /* of on_close */
	atomic_int refused[600];
	atomic_int holding; /* requests held now */
	atomic_int stopped;
	sem_t changed; /* posted after each of these changes */
};

/* What most tests want: no limit is met by accident. */
struct http_limits site_limits(void);

void site_start(struct site *s, const struct http_limits *limits, struct tls_server *tls);

/* The same, listening on addresses of both families, as far as the machine has them. */
void site_start_everywhere(struct site *s, const struct http_limits *limits);

/* Stops the server (unless it has stopped), the loop and the thread. Every on_head had its on_close. */
void site_end(struct site *s);

/* http_server_stop() in the loop's thread. */
void site_stop(struct site *s, bool now);

void site_set_limits(struct site *s, const struct http_limits *limits);

/* Answer what is held now, in the loop's thread. */
void site_answer_held(struct site *s);

size_t site_connections(struct site *s);

/* Wait until `*counter` is at least `want`. */
void site_wait(struct site *s, const atomic_int *counter, int want);

/* A client. */
int dial(const struct site *s);

/* From here on the kernel keeps little for this client that it has not read, whatever the machine's defaults are. */
void narrow(int fd);
void say(int fd, struct str bytes);

/* Everything until the server ends the connection, however it does, as a terminated string (mem_free). */
char *hear_all(int fd);

/* One answer with a Content-Length, head and body. */
char *hear_answer(int fd);

/* True when the server ends the connection without another byte; with a reset when it has not read all of ours. */
bool hears_end(int fd);

/* The statuses of all answers in `bytes`, in order: "200 200 400". Bodies of this server never hold "HTTP/1.1 ". */
void statuses(const char *bytes, char *ret_list, size_t max);

/* Say `bytes` in pieces of `step`, as far as the server takes them, end our side, and list the statuses that come back. */
void ask(const struct site *s, struct str bytes, size_t step, char *ret_list, size_t max);
