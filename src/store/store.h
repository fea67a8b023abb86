/*
 * store.h -- the spool: events on disk, before they are promised.
 *
 * Shape     one SQLite file `spool.db` in a data directory, WAL, synchronous=FULL. One writer thread commits everything
 *           that waits as one group; an event's position is its rowid, rising without gaps in commit order.
 * Units     positions from 1; times in ms of the wall clock; sizes in bytes.
 * Owner     store_put() lends the caller's memory to the writer until on_stored; rows read lend theirs until the next step.
 * Threads   store_put(), store_last(), store_state() from any thread. on_stored and on_commit run in the writer thread
 *           and must only hand over. A reader belongs to one thread.
 * Errors    E_FULL         the store holds its configured bytes; nothing was stored, nothing is discarded
 *           E_UNAVAILABLE  the disk failed and the store has not come back yet
 *           E_BUSY         another process writes this store
 *           E_UNSUPPORTED  the file has a newer schema
 *           E_CORRUPT      SQLite says the file is damaged
 */
#pragma once

#include <stdint.h>

#include "base/metrics.h"
#include "base/mpsc.h"
#include "base/str.h"
#include "base/why.h"
#include "event/event.h"

struct store;

struct store_config {
	const char *dir;       /* made (0700) when missing */
	uint64_t max_bytes;    /* cap on the file's pages in use; 0: none */
	uint64_t dedup_ms;     /* how long a sender's id is remembered; default 72 h */
	size_t dedup_memory;   /* bytes for recent ids in memory */
	uint64_t retain_ms;    /* forwarded events older than this go; 0: kept */
	uint64_t retain_bytes; /* forwarded events beyond this go, oldest first; 0: kept */
	bool forward_all;      /* the store itself is the bus: what is stored is forwarded */
	struct metrics *metrics;
};

/* One event as it is stored and read. */
struct store_row {
	uint64_t pos;      /* set by the store */
	int64_t stored_ms; /* set by the store */
	struct str source; /* EventSource name: with `name` the route and the bus subject */
	struct str name;   /* event name */
	struct str id;     /* CloudEvent id */
	struct str key;    /* what makes it the same event again, when the sender gave an id; else empty */
	struct str meta;   /* event.h */
	enum event_data data_kind;
	struct str data;
};

/* One request to store `count` rows, all or none. */
struct store_put {
	struct mpsc_node node;  /* the store's while it waits */
	struct store_row *rows; /* borrowed until on_stored; pos and stored_ms are filled in */
	size_t count;
	bool *duplicates; /* NULL, or `count` flags set by the store: row i was stored before (its pos is the older one) */
	enum err err;     /* the outcome, set before on_stored */
	struct why *why; /* NULL, or where the story goes when the disk failed */
	void (*on_stored)(struct store_put *put);
};

enum store_state {
	STORE_OK,          /* takes writes */
	STORE_NEARLY_FULL, /* over 85 % of the cap */
	STORE_FULL,        /* refuses new events; forwarding and reading go on */
	STORE_FAILED,      /* an I/O error or failed sync: refuses, tries to reopen with backoff */
};

/* Opens for writing, creating and migrating as needed; starts the writer. */
enum err store_open(const struct store_config *config, struct why *why, struct store **ret_store);

/* Commits what waits, stops the writer, closes. Takes NULL. No put may follow. */
void store_close(struct store *s);

/*
 * In a child of fork(2), which has neither the threads nor, with SQLite, a right to the file: gives up the lock that it shares with its
 * parent, and nothing else.
 */
void store_abandon(struct store *s);

/* Is this thread the one that on_stored and on_commit run in? */
bool store_is_writer(const struct store *s);

/* Store and complete: on_stored comes exactly once, after the commit returned (or failed), also with E_FULL and the like. */
void store_put(struct store *s, struct store_put *put);

/* The last committed position (0: empty). */
uint64_t store_last(const struct store *s);

enum store_state store_state(const struct store *s);

/* Bytes in use and the cap, for status. */
uint64_t store_bytes(const struct store *s);

/* New limits, after a reload. Any thread. */
void store_set_limits(struct store *s, const struct store_config *config);

/*
 * Be told in the writer thread after each commit that brought new events: `last` is the new last position. Any number of
 * listeners; on_commit must not add or remove one.
 */
struct store_listener {
	void (*on_commit)(struct store_listener *l, uint64_t last);
	struct store_listener *next;
};
void store_listen(struct store *s, struct store_listener *listener);

/* When this returns, on_commit neither runs nor will run again. */
void store_unlisten(struct store *s, struct store_listener *listener);

/*
 * Forwarding: per bus a position up to which every event was taken or set aside, but for those of a few routes. Lazily
 * durable: joins the next group, at the latest after 1 s or at close. After a crash an older state may be found, never a
 * newer one. store_set_forwarded() only goes forward.
 */
enum err store_forwarded(struct store *s, const char *bus, uint64_t *ret_pos, struct why *why);
void store_set_forwarded(struct store *s, const char *bus, uint64_t pos);

/* A route that the position does not hold for. */
struct store_held {
	struct str source;
	struct str name;
	uint64_t forwarded; /* its own position, before that of the bus */
	uint64_t waiting;   /* its events between the two that were not taken; may count some behind, too */
};

/* Both at once, whichever way; `bus` was asked for with store_forwarded(). Without memory nothing changes. */
void store_set_forwarded_but(struct store *s, const char *bus, uint64_t pos, const struct store_held *held, size_t n);

/* All of them; `on_held` must not call the store. The first error that it returns ends it. */
enum err store_each_held(struct store *s, const char *bus,
			 enum err (*on_held)(void *ctx, const struct store_held *held), void *ctx);

/* Dead letters: set aside with a reason, durable when on_done comes (writer thread). */
struct store_dead_put {
	struct mpsc_node node;
	uint64_t pos;
	const char *bus;
	const char *reason; /* borrowed until on_done */
	enum { STORE_DEAD_ADD, STORE_DEAD_REMOVE } what;
	enum err err;
	void (*on_done)(struct store_dead_put *put);
};
void store_dead(struct store *s, struct store_dead_put *put);

/* ---- reading: any process, also while another one writes ------------------------------------------------------- */

struct store_reader;

/* E_NOT_FOUND: there is no store in `dir`. */
enum err store_reader_open(const char *dir, struct why *why, struct store_reader **ret_reader);
void store_reader_close(struct store_reader *r);

/*
 * Read rows with pos >= `from`, in order, at most `limit`; `on_row` returns false to stop early. Rows lend their memory
 * during the call only. Empty `source`/`name` match all. They may match nothing for millions of positions: `on_window` says
 * where reading goes on, after `window` of them at the latest, and returns false to leave it at that. At damage all rows in front of it
 * come first; the story says behind which position it is.
 */
struct store_query {
	uint64_t from;
	uint64_t to;  /* 0: no end */
	size_t limit; /* 0: none */
	struct str source;
	struct str name;
	size_t window;                               /* positions; 0: 16,384 */
	bool (*on_window)(void *ctx, uint64_t next); /* may be NULL */
};
enum err store_read(struct store_reader *r, const struct store_query *query,
		    bool (*on_row)(void *ctx, const struct store_row *row), void *ctx, struct why *why);

/*
 * The first position stored at or after this time (last + 1 when all are older). When retention has let such events go, the
 * first that can be one of them.
 */
enum err store_pos_at(struct store_reader *r, int64_t wall_ms, uint64_t *ret_pos, struct why *why);

/* The position that the next event gets. Whoever wants one behind it has read a newer copy of this store. */
enum err store_end(struct store_reader *r, uint64_t *ret_pos, struct why *why);

/*
 * Is everything that was stored at `from` to `to` still there? 0: yes; else retention has let some of it go, nothing behind
 * the position returned. `from` 0 is the oldest event there is, whichever that is.
 */
enum err store_gone(struct store_reader *r, uint64_t from, uint64_t to, uint64_t *ret_pos, struct why *why);

struct store_dead_row {
	uint64_t pos;
	const char *bus;
	const char *reason;
	int64_t at_ms;
	struct store_row event;
};
/* In order of position, those at `from` and behind; as store_read(). */
enum err store_read_dead(struct store_reader *r, uint64_t from,
			 bool (*on_row)(void *ctx, const struct store_dead_row *row), void *ctx, struct why *why);
