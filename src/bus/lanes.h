/*
 * lanes.h -- what of the spool is on its way to the bus, in order per route.
 *
 * Shape     one lane per route. While all goes well a lane sends as it reads, any number in flight: one connection keeps
 *           their order. After a failure the lane is held: it lets what is in flight come back, waits, sends its oldest
 *           event alone, and when that is taken the rest behind it in order. Other lanes do not notice.
 *
 *               OPEN --failed--> HELD --time is up, nothing in flight--> PROBING --taken--> DRAINING --empty--> OPEN
 *                                 ^                                       |  failed          |  failed
 *                                 +---------------------------------------+------------------+
 *
 *           So an event can only overtake an earlier one of its route when the bus itself refuses the earlier and takes the
 *           later of two that were in flight together. Pure: time and randomness are arguments.
 * Units     ms of the caller's clock; positions of the store.
 * Owner     owns its entries; an entry lives until everything up to it is done.
 * Cost      O(1) for each event; a step for each held lane when something is to be sent again.
 */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "delivery/backoff.h"

enum lane_state { LANE_OPEN, LANE_HELD, LANE_PROBING, LANE_DRAINING };

struct lane;

/* One event from its reading until everything before it is done too. */
struct entry {
	uint64_t pos;
	int64_t stored_ms;
	bool flying; /* with the bus, or about to be given to it */
	bool done;
	struct lane *lane;
	struct entry *next;      /* in order of position */
	struct entry *lane_next; /* among those that wait in the lane */
};

struct lane {
	char *key; /* "source\0name" */
	size_t key_n;
	enum lane_state state;
	size_t entries; /* not done */
	size_t flying;
	struct entry *waiting; /* in order of position */
	struct entry *waiting_last;
	struct backoff backoff;
	uint64_t held_until_ms;
	struct lane *next; /* among those that are not open */
	struct lane *prev;
};

struct lanes {
	struct map map;
	struct entry *first;
	struct entry *last;
	size_t count; /* entries, done or not */
	size_t flying;
	uint64_t read_pos;    /* everything up to here has been appended */
	struct lane *trouble; /* lanes that are not open */
};

void lanes_init(struct lanes *l, uint64_t forwarded);
void lanes_release(struct lanes *l);

/*
 * The next event, read at `pos`. It is flying when it is to be sent now; otherwise it waits for its turn in its lane.
 * E_NOMEM: nothing was added.
 */
enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry);

/* The next event to send again, now flying; NULL: none may go now. */
struct entry *lanes_resend(struct lanes *l, uint64_t now_ms);

/* The bus has it, or it was set aside. The entry is gone. True: its lane had been in trouble and is well again. */
bool lanes_done(struct lanes *l, struct entry *e);

/* Not taken: it waits in its lane. True: the lane was open until now. */
bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random);

/* The bus is back: every held lane may try at once. */
void lanes_retry_all(struct lanes *l, uint64_t now_ms);

/* Everything up to here is done. */
uint64_t lanes_position(const struct lanes *l);

/* When lanes_resend() has something at the earliest; UINT64_MAX: not before something comes back. */
uint64_t lanes_next_ms(const struct lanes *l);
