/*
 * exchange.h -- one webhook request on its way to its answer: the one "store, then answer" path.
 *
 *      head             body             end                stored, or the bus acked
 *   -----------> GATES ------> READING ------> SUBMITTED ------------------------------> answered
 *                  |              |                |  deadline, or the client is gone
 *                  +--- refused --+                +---> answered; the event goes its way
 *
 * Shape     sources (gateway/sources/) turn the request into events and call exchange_emit(); everything else, from
 *           admission to the deadline, is here, the same for all of them.
 * Owner     an exchange belongs to its worker; it lives until the request is over and the store and bus have answered.
 * Threads   the worker's loop.
 */
#pragma once

#include "event/event.h"
#include "event/json_scan.h"
#include "gateway/answer.h"
#include "gateway/gateway.h"
#include "net/work.h"

struct worker;
struct exchange;

/* One event toward the bus, in `ack: bus`. */
struct exchange_publish {
	struct bus_publish publish;
	struct exchange *exchange;
	struct buf wire;
};

struct exchange {
	struct worker *worker;
	struct http_request *request; /* NULL when the client is gone */
	struct route_table *table;
	struct route *route;
	uint64_t started_ns;
	uint64_t received; /* bytes of body */
	size_t charged;    /* bytes charged to the gateway's budget */
	bool answered;
	bool pending;     /* the store or the bus has it */
	unsigned entered; /* calls on the stack that still use it */

	struct buf body;    /* the raw body, for sources that need it whole */
	struct buf payload; /* the event's data */
	struct buf meta;    /* the event's attributes */
	struct buf marked;  /* ... of events that their filter fails on */
	struct json_scan scan;
	int mode;                    /* the source's own */
	void *own;                   /* the same: memory, given back with own_free() */
	void (*own_free)(void *own); /* NULL: nothing to give back */
	struct work errand;
	void (*errand_run)(struct exchange *x);
	void (*errand_done)(struct exchange *x);
	atomic_bool unwanted; /* nobody waits for the errand any more */

	struct store_row one;
	struct store_row *rows; /* &one, or an array of its own */
	size_t count;
	bool *duplicates;
	bool one_duplicate;
	struct store_put put;
	struct exchange_publish one_publish;
	struct exchange_publish *publishes;
	_Atomic size_t publishes_left;
	struct loop_task done;
	struct loop_timer deadline; /* may run for an earlier request: see exchange_start_deadline() */
	uint64_t deadline_ms;
	bool timed;            /* the deadline counts */
	struct exchange *next; /* ready for the store, or free for later */
};

/* A request for `route` has its head: passes the gates and hands it to the source, or answers. */
void exchange_begin(struct worker *worker, struct route_table *table, struct route *route, struct http_request *r);
void exchange_body(struct exchange *x, struct str chunk);
void exchange_end(struct exchange *x);
void exchange_closed(struct exchange *x);

/* The turn is over: hands what became ready in it to the store and the bus. */
void exchange_submit_all(struct worker *worker);

/* Frees the exchanges that a worker keeps for later. */
void exchange_free_all(struct worker *worker);

/* ---- for sources ------------------------------------------------------------------------------------------------ */

/* Refuse: answers, counts a failed event, and ignores what follows. `detail` replaces the row's text unless empty. */
void exchange_refuse(struct exchange *x, enum answer answer, struct str detail);

/* The same with a text of printf(), cut to one line's length. */
void exchange_refusef(struct exchange *x, enum answer answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As exchange_refuse() with all that can be said. */
void exchange_refuse_more(struct exchange *x, enum answer answer, const struct answer_more *more);

/* Answer a handshake: nothing is stored and nothing has failed. */
void exchange_reply(struct exchange *x, const struct http_response *response);

/* The same with 200 and this text, which may be empty. */
void exchange_reply_text(struct exchange *x, struct str text);

/* The body is the raw `x->body`: the on_body of sources that do not stream. */
void exchange_collect(struct exchange *x, struct str chunk);

/* Charge what the buffers of `x` hold to the gateway's memory budget. False: over it, and answered 503. */
bool exchange_charge(struct exchange *x);

/*
 * Ask something of the world before it goes on: `run` in the errands' thread, where it may block and may touch nothing of
 * `x` but x->own, x->route and the gateway; then `done` in the loop, unless nobody waits for an answer any more. The
 * route's deadline counts from the first errand.
 */
void exchange_errand(struct exchange *x, void (*run)(struct exchange *x), void (*done)(struct exchange *x));

/*
 * Store `x->payload` (JSON) as one event of the route and answer. `id` is the sender's own id of the event, or empty: then
 * the event gets a random one and is never a duplicate. It lives as long as the request.
 */
void exchange_emit(struct exchange *x, struct str id);

/*
 * The same for a request that is several events, stored all or none: x->payload is `count` parts, one behind the other, of
 * `sizes` bytes; their ids are "<id>.1", "<id>.2" and so on.
 */
void exchange_emit_parts(struct exchange *x, const size_t *sizes, size_t count, struct str id);

/*
 * Store these rows, all that pass the route's filter or none, and answer. `rows` and `duplicates` (both from mem_array) go over to the exchange; what
 * they point to must live as long (x->body, x->payload, x->meta).
 */
void exchange_emit_rows(struct exchange *x, struct store_row *rows, bool *duplicates, size_t count);
