/*
 * peer.h -- what the bus tests talk to: a real nats-server of their own, a bus toward it, publishes to wait for, and a
 * reader of the stream that shares no code with the bus.
 *
 * Shape     Nothing waits by sleeping for a guessed time: each wait is for a condition, with a deadline that fails the test.
 */
#pragma once

/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <sys/types.h>

#include "base/mem.h"
#include "bus/bus.h"
#include "bus/jetstream.h"

#define DEADLINE_MS 60000

void peer_quiet(void);

/* ---- nats-server ----------------------------------------------------------------------------------------------------- */

struct nats {
	char dir[64];
	char url[64];
	uint16_t port;
	int claim; /* the port is this test's */
	pid_t pid; /* 0: not running */
	char more[1024];
};

/* A server with JetStream on a free port; `more` is added to its configuration. Ready when this returns. */
struct nats *nats_new(const char *more);
void nats_free(struct nats *n);
void nats_start(struct nats *n);

/* Ends with this signal and is waited for. */
void nats_stop(struct nats *n, int signal);

/* SIGSTOP, and wait until it stands still. */
void nats_freeze(struct nats *n);

/* Run a program to its end; its status. */
int run_program(char *const argv[]);

/* ---- a bus ----------------------------------------------------------------------------------------------------------- */

struct peer {
	struct bus *bus;
	struct jetstream_config config;
	struct metrics *metrics;
	struct why why;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum bus_state state;
	_Atomic unsigned ups;
};

/* Options as upstream has them, toward `url`. */
void peer_init(struct peer *p, const char *url);
enum err peer_open(struct peer *p);
void peer_close(struct peer *p);
void peer_release(struct peer *p);

/* True when it comes within the time. */
bool peer_wait(struct peer *p, enum bus_state state, uint32_t ms);

/* ---- publishes ------------------------------------------------------------------------------------------------------- */

struct shot {
	struct bus_publish publish;
	struct volley *volley;
	char id[40];
	unsigned answers; /* this and what follows: under the lock of the volley */
	enum err err;
	uint64_t answered_ms;
};

struct volley {
	struct shot *shots;
	size_t n;
	size_t back;
	uint64_t started_ms;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* `n` publishes of `size` bytes with the ids <prefix>-0 .. on webhook/example; not sent yet. */
void volley_init(struct volley *v, size_t n, const char *prefix, size_t size, uint32_t timeout_ms);
void volley_release(struct volley *v);
void volley_fire(struct volley *v, struct bus *bus);

/* Until `n` are answered; each one was answered once. */
void volley_wait(struct volley *v, size_t n);
/* Of those that were answered. */
size_t volley_count(struct volley *v, enum err err);

/* One publish from start to end. */
enum err publish_one(struct bus *bus, const char *source, const char *name, const char *id, size_t size,
		     uint32_t timeout_ms, struct why *ret_why, bool *ret_duplicate);

/* ---- the stream, read ------------------------------------------------------------------------------------------------ */

struct seen {
	char **subjects;
	char **ids;
	char **payloads;
	size_t n;
};

/* Everything in the stream, in order. */
void seen_read(struct seen *s, const char *url);
void seen_release(struct seen *s);

/* How many messages it holds; -1: there is no stream. */
long stream_messages(const char *url);
void stream_delete(const char *url);
