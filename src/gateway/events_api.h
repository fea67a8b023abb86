/*
 * events_api.h -- GET /events: events behind a position, as lines of JSON, with long-poll.
 *
 *   after=N        events behind position N (default 0)
 *   limit=N        at most N events (default 100, at most 1000), and no more behind 1 MiB of them
 *   wait=SECONDS   when there is none yet, wait so long for one (at most 60)
 *   source=, name= only of this EventSource, of this event name
 *
 * Shape     the answer has a line {"position","stored","event"} for each event, and Holdfast-Next-After: the position to
 *           ask for next. Where retention has let events behind N go, Holdfast-Removed says up to which position.
 *           409: N lies ahead of the newest position, so it is of a newer copy of this store, or of another one.
 *           Requests that wait are woken by the commit that brings an event; none polls. What a filter passes over is looked
 *           at once, and a piece in each turn of the loop: signals, health and the other readers come in between.
 * Owner     embedded in the admin listener.
 * Threads   the main thread; the store's listener only posts a task.
 */
#pragma once

#include "gateway/admin_call.h"
#include "net/http_server.h"
#include "store/store.h"

struct events_api {
	struct loop *loop;
	struct store *store;
	struct store_reader *reader; /* opened by the first request */
	const char *dir;
	struct store_listener listener;
	struct loop_task wake;
	atomic_bool waking;
	struct events_wait *waits;
	_Atomic size_t wait_count; /* raised before the store is looked at, so that no commit goes unseen */
};

/* `store` NULL: there are no events to read. */
void events_api_init(struct events_api *e, struct loop *loop, struct store *store, const char *dir);

/* Answers everybody who waits. */
void events_api_release(struct events_api *e);

/* Answers `r` now or later; r->user becomes a struct admin_call. */
void events_api_get(struct events_api *e, struct http_request *r);
