/*
 * space.h -- how full the store is, and what that means.
 *
 * Shape     measured from SQLite's page counts now and then, estimated by what was added in between.
 *
 *               85 %                    100 %
 *   OK ----------------> NEARLY_FULL ----------> FULL       new events are refused in FULL only
 *      <----------------             <----------
 *               80 %                    95 %
 *
 * Units     bytes of pages in use: free pages inside the file count as room.
 */
#pragma once

#include <stdbool.h>

#include "store/spool_sql.h"
#include "store/store.h"

struct space {
	uint64_t max;      /* cap; 0: none */
	uint64_t measured; /* at the last look */
	uint64_t added;    /* rows since then */
	bool freed;        /* something was deleted since then */
	enum store_state state;
};

/* Look at the file. When space_is_stale(). */
enum err space_measure(struct space *s, struct db *db, struct why *why);

/* Is a look due: was enough added, or something deleted? */
bool space_is_stale(const struct space *s);

/* The state for what is used now; `s->state` moves there. */
enum store_state space_update(struct space *s);

static inline uint64_t space_used(const struct space *s)
{
	return s->measured + s->added;
}

/* May another event come in? */
static inline bool space_admits(const struct space *s)
{
	return !s->max || (s->state != STORE_FULL && space_used(s) < s->max);
}
