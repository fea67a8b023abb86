/*
 * sync_text.h -- the status of a principal or an agent for people: a line for each peer, and below it what needs attention. Peers
 * that need a person come first, then those that are away; each by name.
 */
#pragma once

#include "base/buf.h"

/* Is this the status document of one of them, not of a gateway? */
bool sync_text_is(struct str json);

/* E_MALFORMED: it is not. What fits into `columns`, all for 0. `now_ms`: wall clock. */
enum err sync_text(struct str json, size_t columns, int64_t now_ms, struct buf *ret_text);
