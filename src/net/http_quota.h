/*
 * http_quota.h -- open connections of all servers that share the count: in all, and of each client address.
 *
 * Shape     a place is taken when a connection is accepted and given back when it is gone.
 * Owner     the quota owns its places; it must outlive the servers that use it.
 * Threads   any. The lock is taken twice in the life of a connection, never for a request.
 * Errors    E_LIMIT, E_NOMEM from http_quota_take(): no place was taken.
 */
#pragma once

#include <pthread.h>

#include "base/map.h"

struct http_quota {
	pthread_mutex_t lock;
	size_t conns;
	struct map addrs; /* struct http_addr by key */
};

/* One client address with connections. */
struct http_addr {
	unsigned char key[16]; /* struct acceptor_peer's */
	size_t conns;
};

void http_quota_init(struct http_quota *q);

/* All places were given back. */
void http_quota_release(struct http_quota *q);

/* A place, unless there are `max` already, or `addr_max` of this address; 0 there: no limit. */
enum err http_quota_take(struct http_quota *q, const unsigned char key[static 16], size_t max, size_t addr_max,
			 struct http_addr **ret_addr);

/* Gives a place back; NULL is none. */
void http_quota_give(struct http_quota *q, struct http_addr *addr);
