/*
 * pump.h -- between a session and the call that is its stream: messages both ways.
 *
 * Shape     what comes goes to the session at once, and is held back at its sender while the session is full. What goes is taken from
 *           the session in its owner's turn, for as long as the call has room. A message that the call could not take is kept, and
 *           goes first: when the call has room again (its on_writable), or a second later when there was no memory for it.
 * Units     ms of the loop's clock.
 * Owner     embedded; loop, session, call and on_ready are set by its owner and borrowed. The owner ends the call.
 * Threads   the loop's.
 * Errors    of opening: E_NOMEM; E_CANCELLED: the session has a newer stream
 */
#pragma once

#include "net/loop.h"
#include "rpc/call.h"
#include "sync/session.h"

struct pump {
	struct loop *loop;
	struct session *session;
	struct rpc_call *call; /* NULL: there is none */
	/* The session may have something to do or to write: it is to get its turn. */
	void (*on_ready)(struct pump *p);
	uint64_t epoch; /* of the open stream; 0: none, and nothing but pump_open() does anything */
	struct buf message;
	uint64_t message_order;  /* of the message that is kept */
	uint64_t order;          /* the newest that was given to the call and may not have left; 0: none */
	struct loop_timer again; /* runs while a stream is open, so that moving it needs no memory */
	bool paused;
};

/* The call is the session's stream from now on. `epoch` is not 0, and higher than that of every earlier stream of the session. */
enum err pump_open(struct pump *p, uint64_t epoch, const struct wire_dialect *agreed);

/* The stream is over for the session; the owner still has the call. Also when none was opened. */
void pump_close(struct pump *p);

/* A message came. */
void pump_receive(struct pump *p, struct str message);

/* The session's turn: write what it has. The last thing in a turn: the call may hand out what waited, and so end. */
void pump_write(struct pump *p);
