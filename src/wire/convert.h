/*
 * convert.h -- from events of the wire to events of the delivery.
 *
 * Shape     the ordering key is the target, namespace and name of an object event: from its subject, or else from the metadata in
 *           its payload. Everything else has the target and the resource id for its key: it stands in nobody's way.
 *           Both ends use it: a receiver for its inbox, a sender, with the bytes it has encoded, for its outbox.
 * Owner     the delivery event borrows from the wire event, the blob and the arena.
 * Errors    E_MALFORMED  without resource id or event id, over-long, or an object event that names no object
 *                        or has to be searched for a name and is too large (members.h)
 *           E_UNSUPPORTED  a control event: it is never delivered
 *           E_NOMEM
 * Source    argocd-agent facts 1.2 (subject), 2.7, 2.8; docs/delivery.md "Two keys"
 */
#pragma once

#include "wire/dialect.h"
#include "wire/event.h"

/*
 * `event` was decoded from the bytes of `bytes` (may be NULL: none are kept; no reference is taken). `arena` keeps names that had to
 * be decoded. The order number counts only in a dialect that has it.
 */
enum err wire_to_delivery(const struct wire_event *event, struct blob *bytes, const struct wire_dialect *dialect,
			  struct buf *arena, struct delivery_event *ret_event, struct why *why);

/* Is it about an object with a namespace and a name? */
bool wire_is_object(const struct wire_event *event);

/* "<namespace>/<name>" taken apart; false: it is not that. */
bool wire_subject_parse(struct str subject, struct str *ret_namespace, struct str *ret_name);
