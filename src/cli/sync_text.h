/*
 * sync_text.h -- the status of a principal or an agent for people: a line for each peer, and below it what needs attention.
 */
#pragma once

#include "base/buf.h"

/* Is this the status document of one of them, not of a gateway? */
bool sync_text_is(struct str json);

/* E_MALFORMED: it is not. `now_ms`: wall clock. */
enum err sync_text(struct str json, int64_t now_ms, struct buf *ret_text);
