/*
 * fetcher.h -- a client on a loop in the test's own thread, and a server that says byte for byte what the test wants.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "net/http_client.h"

#define PATIENCE_MS 60000

struct fetcher {
	struct loop loop;
	struct http_client *client;
	size_t done; /* calls of on_done */
	size_t want; /* the loop stops there */
	bool closed;
};

/* A client of `origin`; `options` may be NULL. */
void fetcher_start(struct fetcher *t, const char *origin, const struct http_client_options *options);
void fetcher_end(struct fetcher *t);

/* http_client_close(), and the loop until on_closed(). */
void fetcher_close(struct fetcher *t);

/* The loop until `more` fetches are done. */
void fetcher_run(struct fetcher *t, size_t more);

/* Some turns, in which whatever is ready is done. */
void fetcher_turns(struct fetcher *t, unsigned turns);

/* What came of a request. */
struct visit {
	struct http_fetch fetch;
	struct fetcher *fetcher;
	struct buf body; /* a copy: fetch.answer, or all pieces */
	unsigned done;
	unsigned pieces;
	void (*then)(struct visit *v); /* at the end of on_done(); NULL: nothing */
};

/* GET of a target, kept, with patience. */
struct visit visit_of(struct fetcher *t, const char *target);

/* The same in pieces, for ever. */
struct visit watch_of(struct fetcher *t, const char *target);

void visit_start(struct visit *v);
void visit_cancel(struct visit *v);
void visit_release(struct visit *v);

/* A visit from start to end: its error, and status and body as "200 text". */
enum err visit_once(struct visit *v, char *ret_text, size_t max);
void visit_expect(struct fetcher *t, const char *target, enum err err, const char *text);

/* A listening socket at 127.0.0.1, and a thread that runs `script` for each of its connections, one after the other. */
struct stub {
	int listener;
	uint16_t port;
	char origin[64];
	pthread_t thread;
	void (*script)(struct stub *s, int fd);
	atomic_uint accepted;
	sem_t go; /* for scripts that wait for the test */
	pthread_mutex_t lock;
	char heard[8192]; /* under the lock */
	char says[4096];  /* the same */
};

void stub_start(struct stub *s, void (*script)(struct stub *s, int fd));
void stub_end(struct stub *s);

/* The head of one request. False: the connection ended. */
bool stub_hear(struct stub *s, int fd);

/* The one that was heard last; until the next call. */
const char *stub_heard(struct stub *s);
void stub_say(int fd, const char *text);

/* What the scripts below answer from now on. */
void stub_will_say(struct stub *s, const char *text);
void stub_wait(struct stub *s);

/* Scripts: each request on a connection is answered with that; once, and then the connection ends. */
void stub_answers(struct stub *s, int fd);
void stub_answers_once(struct stub *s, int fd);

/* Nothing comes back; until the other side ends the connection. */
void stub_is_silent(struct stub *s, int fd);
