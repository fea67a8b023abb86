/*
 * group.h -- one transaction: the requests in it and what became of them.
 *
 * Shape     group.c begins and commits it and completes the requests; put.c adds one request at a time.
 * Threads   the writer's.
 */
#pragma once

#include "store/store_impl.h"

/* What one transaction is about. */
struct group {
	struct store_put *puts; /* linked by node.next; whoever was refused is among them with its err */
	struct store_dead_put *deads;
	int64_t now_ms;
	int64_t age_ms; /* the same as age.h has it */
	size_t rows;    /* inserted */
	size_t keys;
	size_t duplicates;
	size_t refused;
	uint64_t bytes;
};

/* What a row adds to the file, about: its columns and what a page needs to find it. */
static inline uint64_t group_row_bytes(const struct store_row *row)
{
	return row->data.n + row->meta.n + row->id.n + row->key.n + 32;
}

/*
 * Insert a request's rows, but those stored before. A request refused for itself (full, too large, no memory) has the
 * reason in put->err and nothing inserted; any other error is the transaction's.
 */
enum err group_add_put(struct store *s, struct group *g, struct store_put *put, struct why *why);

/* Set an event aside, or take it back. */
enum err group_add_dead(struct store *s, const struct group *g, struct store_dead_put *dead, struct why *why);
