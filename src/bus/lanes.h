/*
 * lanes.h -- what of the spool is on its way to the bus, in order per route.
 *
 * Shape     one lane per route. While all goes well a lane sends as it reads, any number in flight: one connection keeps
 *           their order. After a failure the lane is held: it lets what is in flight come back, waits, sends its oldest
 *           event alone, and when that is taken the rest behind it in order. Other lanes do not notice.
 *
 *               OPEN --failed--> HELD --time is up, nothing in flight--> PROBING --taken--> DRAINING
 *                ^                ^                                       |  failed          |  |
 *                |                +---------------------------------------+------------------+  | all is on its way
 *                |                |  failed                                                     v
 *                +-- it came back --------------------------------------------------------- LANDING
 *
 *           A lane that is stuck, which failed eight times one after the other, keeps 1024 events; those behind them are
 *           passed by, and read again when it has come to them. All lanes together keep 65536.
 *
 *           So an event can only overtake an earlier one of its route when the bus itself refuses the earlier and takes the
 *           later of two that were in flight together. Pure: time and randomness are arguments.
 * Units     ms of the caller's clock; positions of the store.
 * Owner     owns its entries; an entry lives until it is done.
 * Cost      O(log lanes) for each event; a step for each held lane when something is to be sent again.
 */
#pragma once

#include "base/buf.h"
#include "base/heap.h"
#include "base/map.h"
#include "delivery/backoff.h"

enum lane_state { LANE_OPEN, LANE_HELD, LANE_PROBING, LANE_DRAINING, LANE_LANDING };

#define LANES_HELD_MAX 64 /* beside a position */

struct lane;

/* One event from its reading until the bus has it. */
struct entry {
	uint64_t pos;
	int64_t stored_ms;
	bool flying; /* with the bus, or about to be given to it */
	struct lane *lane;
	struct entry *next; /* in the lane, in order of position */
	struct entry *prev;
};

struct lane {
	char *key; /* "source\0name" */
	size_t key_n;
	enum lane_state state;
	struct entry *first; /* not done */
	struct entry *last;
	struct entry *waiting; /* the first that is not flying */
	size_t entries;
	size_t flying;
	bool behind;       /* events were passed by, */
	uint64_t passed;   /* so many, about, */
	uint64_t read_pos; /* and all of them behind this position */
	uint64_t sent_pos; /* LANDING: everything up to here was sent, and comes back */
	struct backoff backoff;
	uint64_t held_until_ms;
	struct lane *next; /* among those that are not open */
	struct lane *prev;
	struct heap_node busy;
};

struct lanes {
	struct map map;
	struct heap busy;     /* lanes that are open, by the first that they have in flight */
	struct lane *trouble; /* lanes that are not open, in the order of their turns */
	struct lane *trouble_last;
	size_t trouble_n;
	size_t silent_n; /* of them: those that send nothing new */
	size_t count;    /* entries */
	size_t flying;
	uint64_t passed;   /* of all lanes */
	uint64_t read_pos; /* everything up to here has been appended */
};

void lanes_init(struct lanes *l, uint64_t forwarded);
void lanes_release(struct lanes *l);

static inline const char *lane_source(const struct lane *lane)
{
	return lane->key;
}

static inline const char *lane_name(const struct lane *lane)
{
	return lane->key + strlen(lane->key) + 1;
}

/*
 * A route that the position does not hold for: of it everything up to `forwarded` is done, and about `waiting` events behind that
 * are not. Before the first event; its lane is DRAINING. E_NOMEM: nothing was added.
 */
enum err lanes_hold(struct lanes *l, struct str source, struct str name, uint64_t forwarded, uint64_t waiting);

/*
 * May reading go on? While no lane sends it stops, with 65536 events kept: going on would find nothing to send, and what it
 * passes by has to be read again. Unless few lanes are known and all are stuck: there may be another one behind.
 */
bool lanes_may_append(const struct lanes *l);

/*
 * The next event, read at `pos`. It is flying when it is to be sent now; otherwise it waits for its turn in its lane; NULL
 * when it was passed by. E_NOMEM: nothing was added.
 */
enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry);

/* A lane that has come to what it passed by: read its events behind its read_pos, and no further than that of all. Or NULL. */
struct lane *lanes_to_fill(const struct lanes *l);

/* The next of them. E_NOMEM: nothing was added. */
enum err lanes_fill(struct lanes *l, struct lane *lane, uint64_t pos, int64_t stored_ms);

/* It was read up to here; now it is the others' turn. */
void lanes_filled(struct lanes *l, struct lane *lane, uint64_t read_pos);

/* The next event to send again, now flying; NULL: none may go now. */
struct entry *lanes_resend(struct lanes *l, uint64_t now_ms);

/* The bus has it, or it was set aside. The entry is gone. True: its lane had been in trouble and is well again. */
bool lanes_done(struct lanes *l, struct entry *e);

/* Not taken: it waits in its lane. True: the lane was well until now. */
bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random);

/* The bus is back: every held lane may try at once. */
void lanes_retry_all(struct lanes *l, uint64_t now_ms);

/* Everything up to here is done, in all lanes and in this one. */
uint64_t lanes_position(const struct lanes *l);
uint64_t lane_position(const struct lane *lane);

/* The same but for the lanes in trouble, unless these are more than LANES_HELD_MAX. */
uint64_t lanes_position_of_open(const struct lanes *l);

/* When the event right behind the position of all was stored; 0: not known, or there is none. */
int64_t lanes_oldest_ms(const struct lanes *l);

/* How many that were appended are not done. */
uint64_t lanes_undone(const struct lanes *l);

/* When lanes_resend() or lanes_to_fill() has something, at the earliest; UINT64_MAX: not before something comes back. */
uint64_t lanes_next_ms(const struct lanes *l);
