/*
 * dead_api.h -- POST /dead/retry and /dead/drop: dead letters that get another try, or are forgotten.
 *
 *   pos=N             this one
 *   pos=all, after=N  the next ones behind position N (default 0), as many as fit at a time
 *
 * Shape     the answer {"count":N,"failed":N} comes when the bus and the store have confirmed each of them. With
 *           "next_after":N there are more: ask again, with after=N. A retried event keeps its place among the dead letters
 *           until the bus has taken it. They are sent in order: with "stopped":true the bus did not take the last of those
 *           that failed now, but might later, and nothing behind it was tried. What is of another bus than the one in
 *           use is not sent, and counts as failed.
 * Threads   the main thread; the bus and the writer only post tasks.
 */
#pragma once

#include "bus/bus.h"
#include "gateway/admin_call.h"
#include "store/store.h"

struct dead_api {
	struct loop *loop;
	struct store *store;
	struct bus *bus;
	const char *bus_name;
	const char *dir;
	bool stopping;
};

/*
 * Nothing goes to the bus or to the store any more, which may be closed: what they have already comes back through the loop.
 * What the bus has taken and the store has not forgotten by then stays a dead letter.
 */
void dead_api_stop(struct dead_api *d);

/* Answer the request, later. */
void dead_api_retry(struct dead_api *d, struct http_request *r);
void dead_api_drop(struct dead_api *d, struct http_request *r);
