/*
 * refusal.h -- how a request is answered that we do not serve: redis, live resources, logs, terminals.
 *
 * Shape     the request is ACKed as every event, so it is not repeated; and because upstream's principal then waits for a reply,
 *           it gets one that says no. Where the reply is a stream of its own, these are its only message.
 * Owner     borrows everything.
 * Errors    E_MALFORMED  the payload names no request: there is nobody to answer, the ACK is enough
 *           E_LIMIT, E_NOMEM  from the output buffers
 * Source    argocd-agent facts 2.7, 2.8, 4.7, 11.9, 11.19
 */
#pragma once

#include "base/buf.h"
#include "wire/event.h"

enum wire_refusal {
	WIRE_REFUSE_NOTHING,  /* the ACK is enough */
	WIRE_REFUSE_EVENT,    /* an event, to be delivered */
	WIRE_REFUSE_LOGS,     /* the one message of a call of StreamLogs, then half-close */
	WIRE_REFUSE_TERMINAL, /* the one message of a call of StreamTerminal, then half-close */
};

/* Append the reply to `request`, from `source`, with an id of these random bytes. Nothing is appended for NOTHING. */
enum err wire_refuse(const struct wire_event *request, struct str source, const unsigned char random[static 16],
		     enum wire_refusal *ret_refusal, struct buf *ret_bytes);
