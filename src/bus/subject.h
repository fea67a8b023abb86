/*
 * subject.h -- the NATS subject of an event.
 *
 * Shape     default.<EventSource name>.<event name>: exactly three tokens, or the stream cannot hold it.
 * Errors    E_MALFORMED  the names make a subject that no stream of this bus can ever take
 * Source    facts argo-events 4.1; NATS client protocol, "Subject names"
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

#define SUBJECT_STREAM    "default"
#define SUBJECT_ALL       "default.*.*"

/* Bytes of both names together: a server ends the connection over a protocol line beyond its max_control_line (4096). */
#define SUBJECT_NAMES_MAX 2048

/* Can this event ever be published? */
enum err subject_check(struct str source, struct str name, struct why *why);

/* Appends the subject of names that passed the check. */
void subject_write(struct str source, struct str name, struct buf *ret_subject);

/*
 * Appends `id` as the value of a Nats-Msg-Id header: white space, control bytes and '%' as %XX, so that no id can end the
 * header and two ids never become one.
 */
void msg_id_write(struct str id, struct buf *ret_value);
