/*
 * room.h -- how much one peer makes us hold.
 *
 * Shape     what is here because the peer says so is counted as it comes and goes: copies of its objects, what it writes into ours, and
 *           copies that it says to have and of which nobody else knows. What would be too much is refused for now: it stays with the
 *           peer, who asks again.
 *
 *               ROOM --refused--> FULL --a tenth is free--> ROOM
 *
 *           Several peers may share a room around theirs: what is too much for all of them together is refused to whoever asks next.
 *
 * Units     objects; bytes of their texts.
 * Owner     shares are embedded in what they are of, zeroed before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the peer, and the log, are told of it. */
#define ROOM_REFUSED "there is no room for more objects of this peer (--peer-objects, --peer-bytes, --all-peers-bytes)"

/* What one thing takes. */
struct room_share {
	size_t objects; /* 1; 0: it is an object of ours */
	size_t bytes;
};

/* Zeroed but for the limits and the callback. */
struct room {
	uint64_t objects_max, bytes_max; /* 0: no limit */
	size_t object_bytes;             /* what an object counts beside its text */
	uint64_t objects, bytes;         /* now */
	uint64_t refused;                /* since the start */
	struct room *all;                /* the room around it; borrowed; NULL: none */
	bool full;
	/* It is full, or no longer. NULL: not of interest. */
	void (*on_full)(void *ctx, const struct room *room);
	void *ctx;
};

/* `share` is now `next`, whether or not there is room. */
void room_set(struct room *r, struct room_share *share, struct room_share next);

/* The same, unless it takes more than before and there is no room for that: false, and counted. */
bool room_take(struct room *r, struct room_share *share, struct room_share next);
