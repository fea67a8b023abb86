/*
 * driver.h -- one thread of the load generator: its connections, its part of the schedule, what it measured.
 *
 * Shape     a loop: wait, look at the sockets that are ready, start what is due on idle connections.
 *           A connection that is lost is opened again every 10 ms, and everything goes on.
 * Units     ns of the monotonic clock.
 * Owner     driver_new() copies nothing of `plan`: it must outlive the driver.
 * Threads   driver_run() in one thread; `seen` may be read by others meanwhile; all else after driver_run() returned.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/why.h"
#include "hist.h"
#include "idlog.h"
#include "request.h"
#include "schedule.h"

#define DRIVER_STATUS_MAX 600

/* What all threads have in common. */
struct plan {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct request request;
	char run[9];         /* first part of every id */
	bool retry;          /* an unanswered request is sent again with the same id */
	uint64_t warmup_ns;  /* requests meant to leave this early are not measured */
	uint64_t timeout_ns; /* without an answer for so long: unanswered */
	uint64_t give_up_ns; /* no connection to be had for so long: ends */
	atomic_bool stop;    /* set by a signal: send no more, wait a second for answers */
};

/* Counted while it runs; every request issued ends as one of acked, refused, unanswered. */
struct seen {
	_Atomic uint64_t sent; /* events issued, each once however often it is sent again */
	_Atomic uint64_t acked;
	_Atomic uint64_t refused;
	_Atomic uint64_t lost;    /* times a request got no answer */
	_Atomic uint64_t retried; /* times a request was sent again */
	_Atomic uint64_t opened;  /* connections */
};

struct conn;

struct driver {
	struct plan *plan;
	struct schedule sched;
	struct seen seen;
	struct hist latency; /* of acknowledged requests, and of those never sent as far as they had waited; ns */
	uint64_t measured;   /* acknowledged ones meant to leave after the warm-up */
	uint64_t unsent;     /* open loop: due, but no connection was free until the end */
	uint64_t last_ns;    /* the last answer */
	uint64_t statuses[DRIVER_STATUS_MAX];
	struct idlog ids;
	enum err err; /* of recording ids */

	struct conn *conns;
	size_t conn_count;
	struct conn **idle; /* a ring of conn_count places: the longest idle leaves first */
	size_t idle_from;
	size_t idle_count;
	size_t down;    /* connections DOWN or CONNECTING */
	size_t waiting; /* requests on their way, or to be sent again */
	uint64_t down_since_ns;
	uint64_t tick_ns;
	int epoll;
};

/* `first_conn` is the index of its first connection; `ids_fd` -1 records none. */
enum err driver_new(struct plan *plan, const struct schedule *sched, unsigned first_conn, size_t conn_count, int ids_fd,
		    struct why *why, struct driver **ret_driver);
void driver_free(struct driver *d);

/* Runs to the end of the schedule (or until plan->stop) and until every answer came or timed out. */
void driver_run(struct driver *d);
