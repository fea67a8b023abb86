/*
 * acceptor.h -- the connections of one listening socket, accepted by hand.
 *
 * Shape     when no descriptor is left, uv_listen() tries again and again inside one turn of the loop, in which no connection can
 *           end and give one back. Here the loop goes on, and looks again 100 ms later. A turn takes 64 connections at most, so
 *           that those that are open have theirs.
 * Owner     embedded; owns the socket from acceptor_start() until on_closed.
 * Threads   the loop's only.
 * Source    accept(2), "Error handling"
 */
#pragma once

#include <netinet/in.h>

#include "net/loop.h"

/*
 * Who is at the other end; all zeros: it has no address (a Unix socket). Who counts as one client has the same key: an IPv4
 * address, mapped into IPv6, or a network of 64 bits of IPv6, which is the least that one site is given (RFC 6177, 2).
 */
struct acceptor_peer {
	unsigned char key[16];
	char address[INET6_ADDRSTRLEN]; /* as text, without the port */
};

struct acceptor {
	struct loop *loop;
	/* A connection: non-blocking, close-on-exec, the callee's. May stop the acceptor. */
	void (*on_connection)(struct acceptor *a, int fd, const struct acceptor_peer *peer);
	/* After acceptor_stop(): the socket is closed, the acceptor may be freed. */
	void (*on_closed)(struct acceptor *a);
	uv_poll_t poll;
	int fd;
	struct loop_timer pause; /* no descriptor was left: when to look again */
	bool stopped;
};

/* The peer that accept(2) or getpeername(2) tells of. */
struct acceptor_peer acceptor_peer_at(const struct sockaddr_storage *from);

/*
 * Accepts on `fd`, a listening socket. The callbacks are set before. On an error `fd` is closed, and nothing is to be stopped.
 * E_UNAVAILABLE: the loop refuses the socket.
 */
enum err acceptor_start(struct acceptor *a, struct loop *loop, int fd, struct why *why);

/* Those that have connected by now, as many as a socket keeps: the kernel resets what waits when a socket is closed. */
void acceptor_take_waiting(struct acceptor *a);

/* No more connections at once; on_closed comes in a later turn. A second call does nothing. */
void acceptor_stop(struct acceptor *a);
