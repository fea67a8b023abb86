/*
 * forwarder.h -- from the spool to the bus, in order, until the bus has confirmed.
 *
 * Shape     one thread of its own: reads the spool behind the bus's position, keeps a window in flight, moves the position
 *           as acks come in, sends again with exponential backoff (100 ms x 2 up to 30 s, full jitter; at once when the bus
 *           comes back), sets aside as dead letters what the bus can never take.
 * Order     per route, also under re-sends (lanes.h). A re-send has the id of the first try, so the bus stores it once as long
 *           as its de-duplication window is open. After a crash at most what was behind the position is sent again: the
 *           window. Routes in trouble have positions of their own, up to 64 of them; beyond that the position stays in front of all.
 * Cost      nothing looks at what waits: reading begins at the position. A route in trouble is passed by, however much of it
 *           waits, and read again when it is taken again, together with the others that are; what is new takes turns with them.
 * Owner     store and bus are borrowed and outlive it.
 * Threads   start and stop from one thread; the rest runs in its own.
 */
#pragma once

#include "bus/bus.h"
#include "store/store.h"

struct forwarder;

struct forwarder_config {
	const char *dir;      /* of the store, for its own reader */
	const char *bus_name; /* the position's name in the store */
	uint32_t window;      /* events in flight */
	size_t window_bytes;
	uint32_t timeout_ms;      /* per publish */
	uint64_t (*random)(void); /* of the backoff's jitter; NULL: rand_u64() */
	struct metrics *metrics;
};

/* Begins behind the position of `bus_name`. E_NOMEM, or why the store cannot be read. */
enum err forwarder_start(const struct forwarder_config *config, struct store *store, struct bus *bus, struct why *why,
			 struct forwarder **ret_forwarder);

/*
 * Waits at most `flush_ms` for what waits to be forwarded, then until what is in flight has come back (at most timeout_ms),
 * then stops; the position is handed to the store. Returns what still waits: the next start sends it. Takes NULL.
 */
uint64_t forwarder_stop(struct forwarder *f, uint32_t flush_ms);

/*
 * What still waits, at routes in trouble and behind what was read, and since when (wall ms; 0: nothing), for status and readiness. A
 * route that was in trouble when the process before was killed may count some too many or too few, until all of it was read. Any thread.
 */
uint64_t forwarder_waiting(const struct forwarder *f, int64_t *ret_oldest_ms);

/* Wake up: the bus's state changed (from its on_state). Any thread. */
void forwarder_kick(struct forwarder *f);
