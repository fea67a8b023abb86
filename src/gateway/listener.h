/*
 * listener.h -- one port of one worker: from a request's head to the exchange of its route.
 *
 * Shape     what has no route is answered here: /health, an unclean path, what nobody knows.
 * Owner     the worker's, in its list.
 * Threads   the worker's loop.
 * Source    facts argo-events 2.2
 */
#pragma once

#include "gateway/worker.h"

struct listener {
	struct worker *worker;
	uint16_t port;
	struct http_server *server;
	const struct route_port *routes; /* of the worker's table; NULL when it does not name the port any more */
	bool given_up;                   /* takes no new connections, ends with the last one */
	struct listener *next;
};

/* What its server calls, with `l` as the context. */
struct http_handler listener_handler(struct listener *l);
