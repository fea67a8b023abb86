/*
 * window.h -- the publishes that wait for their ack.
 *
 * Shape     a fixed number of slots; a token names a slot and its use, so that a late ack of an earlier use finds nothing.
 *           Unsent and sent ones stand in order; a heap holds the deadlines. Pure: the time is an argument.
 *           Those that may wait take turns with the others, which so need not wait for all of them on a slow link.
 * Units     ms and ns of the caller's clock.
 * Owner     lends the publishes; the caller answers each one that window_take() gives back.
 * Errors    E_UNAVAILABLE  every slot is taken
 */
#pragma once

#include "base/heap.h"
#include "bus/bus.h"

#define WINDOW_TOKEN_MAX 17 /* 16 hex digits, terminated */

struct window_slot {
	struct bus_publish *publish; /* NULL: free */
	uint32_t use;                /* counts up with each use */
	bool sent;
	uint64_t sent_ns;
	uint64_t number; /* counts what was sent, from 1 */
	struct heap_node deadline;
	struct window_slot *prev;
	struct window_slot *next;
};

struct window_list {
	struct window_slot *first;
	struct window_slot *last;
};

struct window {
	struct window_slot *slots;
	size_t cap;
	size_t used;
	struct window_slot *free;     /* linked by next */
	struct window_list unsent[2]; /* [1]: those that may wait */
	bool turn;                    /* whose */
	struct window_list sent;
	uint64_t sent_n;
	struct heap deadlines;
};

/* E_NOMEM, or room for `cap` publishes. */
enum err window_init(struct window *w, size_t cap);
void window_release(struct window *w);

/* A slot for `p`, unsent, due after p->timeout_ms. */
enum err window_add(struct window *w, struct bus_publish *p, uint64_t now_ms);

/* The unsent one whose turn it is, or NULL. */
static inline struct window_slot *window_next(const struct window *w)
{
	return w->unsent[w->turn].first ? w->unsent[w->turn].first : w->unsent[!w->turn].first;
}

/* It went out. */
void window_mark_sent(struct window *w, struct window_slot *slot, uint64_t now_ns);

/* It is due then. */
void window_postpone(struct window *w, struct window_slot *slot, uint64_t until_ms);

/* Frees the slot and gives its publish back, to be answered. */
struct bus_publish *window_take(struct window *w, struct window_slot *slot);

void window_token(const struct window *w, const struct window_slot *slot, char ret_token[static WINDOW_TOKEN_MAX]);

/* The sent publish of this token; NULL: not ours, answered already, or never sent. */
struct window_slot *window_find(const struct window *w, struct str token);

/* A publish whose time is over, or NULL. */
struct window_slot *window_due(const struct window *w, uint64_t now_ms);

/* Any one, sent ones first in order, or NULL. */
static inline struct window_slot *window_first(const struct window *w)
{
	return w->sent.first ? w->sent.first : window_next(w);
}

/* When the next one is due; UINT64_MAX: none. */
static inline uint64_t window_next_ms(const struct window *w)
{
	const struct heap_node *first = heap_first(&w->deadlines);

	return first ? first->key : UINT64_MAX;
}
