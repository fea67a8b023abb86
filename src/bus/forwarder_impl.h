/*
 * forwarder_impl.h -- the inside of the forwarder: what its four files share.
 *
 * Shape     forwarder.c         start, stop and the thread's turn
 *           forwarder_report.c  what the store, the metrics and others are told
 *           forwarder_send.c    flights: out to the bus and back, dead letters
 *           forwarder_read.c    rows of the store: the next ones, those to send again and those to read again
 */
#pragma once

#include <pthread.h>

#include "bus/forwarder.h"
#include "bus/lanes.h"
#include "bus/outgoing.h"
#include "store/wake.h"

struct forwarder {
	struct forwarder_config config;
	char *dir;
	char *bus_name;
	struct store *store;
	struct bus *bus;
	struct store_listener listener;
	pthread_t thread;

	/* any thread */
	struct wake wake;
	struct mpsc returned;       /* flights that came back */
	_Atomic unsigned returning; /* threads that give one back just now */
	_Atomic uint64_t stop_ms;   /* 0: go on; else stop then, or earlier when nothing waits */
	_Atomic uint64_t settled;   /* see forwarder_settled() */
	_Atomic int64_t oldest_ms;  /* wall clock; 0: not known or none */

	/* its own thread */
	struct store_reader *reader;
	struct lanes lanes;
	size_t flying_bytes;
	bool bus_up;
	bool read_failed; /* said so already */
	bool read_first;  /* before what is sent again: they take turns */
	bool more;        /* to be read at once */
	uint64_t read_again_ms;
	uint64_t forwarded;  /* position, as the store was told, */
	size_t held;         /* and how many routes it does not hold for */
	uint64_t peeked;     /* position whose time stands in oldest_ms */
	struct metrics *own; /* when the caller counts nothing */
	struct metric *waiting_metric;
	struct metric *oldest_metric;
	struct metric *forwarded_metric;
	struct metric *failed_metric;
	struct metric *dead_metric;
};

/* ---- forwarder_report.c ---------------------------------------------------------------------------------------------- */

/* Find its metrics. */
enum err forwarder_count_in(struct forwarder *f);

/* The last position read, less the events that wait up to there. */
uint64_t forwarder_settled(const struct forwarder *f);

/* The turn is over: say where it stands. */
void forwarder_report(struct forwarder *f);

/* ---- forwarder_send.c ------------------------------------------------------------------------------------------------ */

/* This row as entry `e`, which is flying. */
void forwarder_send(struct forwarder *f, struct entry *e, const struct store_row *row);

/* `e`, which was flying, is not taken: it waits in its lane. */
void forwarder_failed(struct forwarder *f, struct entry *e, const struct why *why);

/* `e`, which was flying, is done with. */
void forwarder_taken(struct forwarder *f, struct entry *e);

/* Everything that came back. */
void forwarder_take_returned(struct forwarder *f);

/* ---- forwarder_read.c ------------------------------------------------------------------------------------------------ */

/* May one more fly? */
bool forwarder_has_room(const struct forwarder *f);

/* As store_read(); false: the store cannot be read now, which was logged. */
bool forwarder_read(struct forwarder *f, const struct store_query *query,
		    bool (*on_row)(void *ctx, const struct store_row *row), void *ctx);

/* Say that the events `from` to `next` - 1, if any, are gone: retention waits for a bus that is in use, and they went while it was not. */
void forwarder_note_gap(const struct forwarder *f, uint64_t from, uint64_t next);

/* Everything that may go now. */
void forwarder_send_all(struct forwarder *f);
