/*
 * position.h -- a place in the store as people name it: "1200", "2024-05-01T12:00:00Z", "15m", "start", "end".
 *
 * Units     times in ms of the wall clock
 */
#pragma once

#include <inttypes.h>

#include "store/store.h"

#define POSITION_WORDS "POS|TIME|AGO|start|end"

enum position_kind { POSITION_AT, POSITION_TIME, POSITION_END };

struct position {
	enum position_kind kind;
	uint64_t pos;    /* POSITION_AT; 0: the start, whatever is the oldest */
	int64_t wall_ms; /* POSITION_TIME */
};

/* `option` is for the message: "--from". AGO counts back from `now_ms`. E_MALFORMED: none of the forms. */
enum err position_parse(const char *option, const char *text, int64_t now_ms, struct why *why,
			struct position *ret_position);

/* What to say of store_gone()'s position. */
#define GONE_WORDS                                                                                         \
	"events up to position %" PRIu64 " that were asked for are no longer in the store: retention let " \
	"them go"

/* Can nothing lie between them, whatever is stored? `to` is the last position itself, or a time that is over. */
bool position_reversed(const struct position *from, const struct position *to);

/* The first position at or behind that place; the end is the last position + 1. */
enum err position_find(const struct position *position, struct store_reader *reader, struct why *why,
		       uint64_t *ret_pos);

/*
 * E_MALFORMED: `from` lies ahead of the next event's position. Positions go on behind the last one of a restored copy: who goes
 * on from ahead of that would pass over new events.
 */
enum err position_check_ahead(uint64_t from, struct store_reader *reader, struct why *why);
