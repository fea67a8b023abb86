/*
 * routes.h -- small numbers for pairs of EventSource name and event name.
 *
 * Shape     a map in memory over the routes table; a row of events then holds a number instead of two names. Routes are
 *           only ever added.
 * Threads   the writer's.
 */
#pragma once

#include "base/map.h"
#include "store/spool_sql.h"

struct route {
	int64_t number;
	char *key; /* source, a zero byte, name */
	size_t source_n;
	size_t key_n;
};

struct routes {
	struct map by_key;
	struct route *newest; /* asked for last: most groups stay on one route */
	int64_t last;         /* highest number in use */
	struct buf scratch;
};

/* Read the table. */
enum err routes_load(struct routes *r, struct db *db, struct why *why);
void routes_release(struct routes *r);

/* The number of a pair; a new one is inserted, inside the running transaction. */
enum err routes_number(struct routes *r, struct db *db, struct str source, struct str name, struct why *why,
		       int64_t *ret_number);
