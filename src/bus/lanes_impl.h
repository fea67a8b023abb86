/*
 * lanes_impl.h -- the inside of the lanes: what their three files share.
 */
#pragma once

#include <assert.h>

#include "bus/lanes.h"

/* The lane of a route, made when missing; NULL without memory. */
struct lane *lane_of(struct lanes *l, struct str source, struct str name);

/* Does it send what the first reading finds? */
static inline bool sends_at_once(const struct lane *lane)
{
	return lane->state == LANE_OPEN || lane->state == LANE_LANDING;
}

/* Into another state, which is one that the drawing allows. */
void lane_move(struct lanes *l, struct lane *lane, enum lane_state to);

/* It had its turn; the others are before it now. */
void lane_to_the_end(struct lanes *l, struct lane *lane);

/* DRAINING: LANDING, or OPEN at once, when nothing is left to be sent again or to be read again. */
void lane_land_if_drained(struct lanes *l, struct lane *lane);

/* LANDING: OPEN when all that it sent again came back. Until then it counts as in trouble, as others went past that. */
void lane_open_if_landed(struct lanes *l, struct lane *lane);

/* A new entry behind all others of its lane, flying; NULL without memory. */
struct entry *entry_new(struct lanes *l, struct lane *lane, uint64_t pos, int64_t stored_ms);

/* It leaves, or comes back. */
void entry_take_off(struct lanes *l, struct entry *e);
void entry_land(struct lanes *l, struct entry *e);

/* It is gone. */
void entry_drop(struct lanes *l, struct entry *e);
