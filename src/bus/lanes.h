/*
 * lanes.h -- what of the spool is on its way to the bus, in order per route.
 *
 * Shape     one lane per route. While all goes well a lane sends as it is read, any number in flight: one connection keeps
 *           their order. After a failure the lane is held: it lets what is in flight come back, waits, sends its oldest
 *           event alone, and when that is taken the rest behind it in order. Other lanes do not notice.
 *
 *               OPEN --failed--> HELD --time is up, nothing in flight--> PROBING --taken--> DRAINING
 *                ^                ^                                       |  failed          |  |
 *                |                +---------------------------------------+------------------+  | all is on its way
 *                |                |  failed                                                     v
 *                +-- it came back --------------------------------------------------------- LANDING
 *
 *           The store is read at two places. The first goes on through all that is new: OPEN and LANDING lanes send what it
 *           finds, the others are passed by and keep only what was in flight when they failed. The second reads again what
 *           DRAINING lanes were passed by, for all of them that are near each other at once, until such a lane is where the
 *           first place is. So nobody waits for a lane that is not taken, and what waits in one is read once more when it is.
 *           A route that was in trouble when the process before ended begins as DRAINING.
 *           Pure: time and randomness are arguments.
 * Order     an event can only overtake an earlier one of its route when the bus itself refuses the earlier and takes the later of
 *           two that were in flight together.
 * Positions everything of a lane up to its lane_position() is done; what was read of it and is not done is in flight, waits to be
 *           sent again, or lies behind its read_pos. So nothing is missed by who starts again from lanes_position_of_open(), and
 *           with the lanes that were in front of that from their own.
 * Units     ms of the caller's clock; positions of the store.
 * Owner     owns its entries; an entry lives until it is done.
 * Cost      O(log lanes) for each event; a step for each lane in trouble when something is sent or read again. Memory for what
 *           is in flight, and of each lane for what was when it failed.
 * Files     lanes.c       lanes and entries, and what the others see of them
 *           lanes_read.c  what is read goes into them, for the first and the second time
 *           lanes_send.c  out again, and back from the bus
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
	bool flying; /* with the bus, or about to be given to it; else it waits to be sent again */
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
	uint64_t passed;   /* events that were passed by, about; 0: none */
	uint64_t read_pos; /* all of them lie behind this position */
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
	size_t count; /* entries */
	size_t flying;
	uint64_t passed;   /* of all lanes */
	uint64_t read_pos; /* everything up to here has been appended */
};

/* ---- lanes.c --------------------------------------------------------------------------------------------------------- */

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

/* Everything up to here is done, in all lanes and in this one. */
uint64_t lanes_position(const struct lanes *l);
uint64_t lane_position(const struct lane *lane);

/* The same but for the lanes in trouble, unless these are more than LANES_HELD_MAX. */
uint64_t lanes_position_of_open(const struct lanes *l);

/* When the event right behind the position of all was stored; 0: not known, or there is none. */
int64_t lanes_oldest_ms(const struct lanes *l);

/* How many that were appended are not done. */
uint64_t lanes_undone(const struct lanes *l);

/* ---- lanes_read.c ---------------------------------------------------------------------------------------------------- */

/*
 * A route that the position does not hold for: of it everything up to `forwarded` is done, and about `waiting` events behind that
 * are not. Before the first event; its lane is DRAINING. E_NOMEM: nothing was added.
 */
enum err lanes_hold(struct lanes *l, struct str source, struct str name, uint64_t forwarded, uint64_t waiting);

/* The next event, read at `pos`: flying, to be sent now, or NULL: it was passed by. E_NOMEM: nothing was added. */
enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry);

/* The next lane that is to read again, in the order of their turns; of its events it needs those behind its read_pos. Or NULL. */
struct lane *lanes_to_read_again(const struct lanes *l);

/* Do others read again what begins at the same place, or up to `reach` positions behind it? Then read the events of all routes. */
bool lanes_share(const struct lanes *l, const struct lane *lane, uint64_t reach);

/*
 * The next event that is read again, where this reading began behind position `behind`: flying, to be sent now, or NULL: not
 * one that a lane was passed by and needs now. E_NOMEM: nothing was added.
 */
enum err lanes_append_again(struct lanes *l, uint64_t behind, uint64_t pos, int64_t stored_ms, struct str source,
			    struct str name, struct entry **ret_entry);

/* This reading, which was for `lane`, came to `pos`. The others are before it now. */
void lanes_have_read_again(struct lanes *l, struct lane *lane, uint64_t behind, uint64_t pos);

/* ---- lanes_send.c ---------------------------------------------------------------------------------------------------- */

/* The next event to send again, now flying; NULL: none may go now. Lanes take turns. */
struct entry *lanes_resend(struct lanes *l, uint64_t now_ms);

/* The bus has it, or it was set aside. The entry is gone. True: its lane had been in trouble and is well again. */
bool lanes_done(struct lanes *l, struct entry *e);

/* Not taken: it waits in its lane. True: the lane was well until now. */
bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random);

/* The bus is back: every held lane may try at once. */
void lanes_retry_all(struct lanes *l, uint64_t now_ms);

/* When something can be sent or read again, at the earliest; UINT64_MAX: not before something comes back. */
uint64_t lanes_next_ms(const struct lanes *l);
