/*
 * worker.h -- one event loop with its listeners.
 *
 * Shape     a thread, a loop, one HTTP server per port of the route table, and a pool of exchanges.
 * Threads   worker_start() to worker_join() from the main thread; a new table comes as a task.
 */
#pragma once

#include <pthread.h>

#include "gateway/exchange.h"
#include "net/http_server.h"

struct listener; /* gateway/listener.h */

struct worker {
	struct gateway *gateway;
	struct loop loop;
	pthread_t thread;
	struct route_table *table;
	struct listener *listeners;
	uv_prepare_t turn_end;
	struct exchange *ready; /* for the store or the bus, at the end of the turn */
	struct exchange **last_ready;
	size_t live;           /* exchanges in use */
	struct exchange *free; /* exchanges for later */
	size_t free_count;
	_Atomic uint64_t alive_ms;  /* monotonic: the last time the loop answered a ping */
	_Atomic size_t connections; /* open at that time */
	struct loop_task ping;
	atomic_bool pinged;
	struct loop_task stop;
	struct loop_task cut;
	bool stopping;
	void (*on_stopped)(struct worker *w); /* in the worker's thread, its last act */
	struct loop_task stopped;             /* for whoever gets on_stopped */
	bool ended;                           /* the same: its loop turns no more */
};

/* A port to listen on from now: the sockets were bound by the main thread, one per worker. */
struct worker_port {
	uint16_t port;
	int fd; /* -1: the worker listens on it already */
	struct tls_server *tls;
};

/* A new table for one worker; freed by the worker. */
struct worker_update {
	struct loop_task task;
	struct worker *worker;
	struct route_table *table; /* a reference of its own */
	size_t port_count;
	struct worker_port ports[];
};

/* Starts the thread. */
enum err worker_start(struct worker *w, struct gateway *gateway, struct why *why);

/* Hands over `update`: opens its ports, gives up those it does not name. Any thread. */
void worker_apply(struct worker *w, struct worker_update *update);

/* Asks the loop for a sign of life. */
void worker_ping(struct worker *w);

/* Stop: no new connections, finish what is in flight. on_stopped comes at the end; then worker_join(). */
void worker_stop(struct worker *w);

/* Waits for the thread and releases what it had. Whoever still posts to the worker must be this thread. */
void worker_join(struct worker *w);

/* After worker_stop(): do not wait for clients any more. */
void worker_cut(struct worker *w);

/* For exchange.c: the last one of a stopping worker ends the loop. */
void worker_finish_if_done(struct worker *w);
