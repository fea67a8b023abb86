/*
 * conn.h -- one connection of the load generator: at most one request on its way.
 *
 * Shape     DOWN -> CONNECTING -> IDLE <-> BUSY; every state falls back to DOWN when the server goes away.
 *           Registered once, edge-triggered: a request costs one send and one recv, nothing else.
 * Units     ns of the monotonic clock.
 * Owner     conn_init() takes the memory for the request's bytes, conn_release() gives it and the socket back.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "request.h"

#define CONN_IN_MAX 4096 /* bytes of an answer's header */

enum conn_state { CONN_DOWN, CONN_CONNECTING, CONN_IDLE, CONN_BUSY };

struct conn {
	int fd;
	enum conn_state state;
	unsigned index;       /* part of its ids */
	uint64_t next;        /* number of its next event, from 0 */
	uint64_t intended_ns; /* when the request on its way was meant to leave */
	uint64_t since_ns;    /* when it left, or the connect began */
	bool again;           /* BUSY with, or waiting to send again, an event that got no answer */
	bool queued;          /* in the driver's queue of idle connections */
	char *bytes;          /* the request, a copy with this connection's id */
	size_t size;
	size_t sent;
	int status;  /* of the answer being read; 0: its header is not complete */
	bool closes; /* the server closes after this answer */
	size_t left; /* bytes of the answer still to come */
	size_t in_n; /* bytes in `in` */
	char id[REQUEST_ID_LEN];
	char in[CONN_IN_MAX];
};

enum conn_step {
	CONN_MORE, /* wait for the socket */
	CONN_DONE, /* connected; or sent; or answered: `status` is set */
	CONN_LOST, /* refused, reset, closed, or an answer that cannot be understood */
};

enum err conn_init(struct conn *c, unsigned index, const struct request *r);
void conn_release(struct conn *c);

/* Begins to connect and registers with `epoll`. False: no socket, or refused at once; the state stays DOWN. */
bool conn_open(struct conn *c, int epoll, const struct sockaddr_storage *addr, socklen_t addr_len, uint64_t now_ns);

/* The socket became writable while CONNECTING. */
enum conn_step conn_opened(struct conn *c);

/* Makes the id of the next event; `again` keeps the id it has. */
void conn_take_id(struct conn *c, const struct request *r, const char run[static 8]);

/* Sends (the rest of) the request. */
enum conn_step conn_send(struct conn *c);

/* Reads what is there. */
enum conn_step conn_recv(struct conn *c);

/* Closes the socket; DOWN. */
void conn_close(struct conn *c);
