/*
 * ack.h -- answers: the `processed` event, and what our own dialect says with it.
 *
 * Shape     upstream knows one answer, "processed"; silence is the other. Between two holdfast ends the same event carries the
 *           outcome, the reason and the order number of the sending that it answers.
 * Owner     borrows everything.
 * Errors    E_MALFORMED  an event without a resource id cannot be answered
 *           E_UNSUPPORTED  this outcome has no word in upstream's dialect: send nothing
 *           E_LIMIT, E_NOMEM  from the output buffer
 * Source    argocd-agent facts 3.4, 3.5, 11.9, 11.15; docs/delivery.md "Sending again"
 */
#pragma once

#include "delivery/delivery.h"
#include "wire/dialect.h"
#include "wire/event.h"

/*
 * Append the answer `a`, of which only the ids of the event are known. Upstream's dialect has "processed" for what was applied
 * or rejected for good; what was only received, or rejected for now, is E_UNSUPPORTED.
 */
enum err wire_ack_encode(const struct delivery_answer *a, const struct wire_dialect *dialect, struct str source,
			 struct buf *ret_bytes);

/*
 * Append the answer to `original`, which was decoded and perhaps is malformed: all its extensions go back unchanged. `a` says
 * how it went; its ids are not looked at.
 */
enum err wire_ack_of(const struct wire_event *original, const struct delivery_answer *a,
		     const struct wire_dialect *dialect, struct str source, struct buf *ret_bytes);

/* What an event says when it is an answer; false: it is none. Strings are borrowed from the event. */
bool wire_ack_read(const struct wire_event *event, const struct wire_dialect *dialect,
		   struct delivery_answer *ret_answer);
